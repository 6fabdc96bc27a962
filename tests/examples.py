"""The examples of docs/extending.md: code by title, files written and imported, lines added to registries."""

from __future__ import annotations

import importlib.util
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from graphclust.methods import METHODS

PAGE = (Path(__file__).resolve().parent.parent / "docs" / "extending.md").read_text()


def example(title):
    """The code on the page below a title."""
    (code,) = re.findall(rf'```\w+ title="{re.escape(title)}"\n(.*?)```', PAGE, re.DOTALL)
    return code


@contextmanager
def written(title, name, folder):
    """Write the file of an example, and import it under the name that its line uses."""
    path = folder / Path(title).name
    path.write_text(example(title))
    spec = importlib.util.spec_from_file_location(name, path)
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    try:
        yield module
    finally:
        del sys.modules[name]


@contextmanager
def registered(registry, title, **names) -> Iterator[str]:
    """Add the line of an example to a registry; give its name."""
    ((name, value),) = eval(f"{{{example(title)}}}", names).items()
    registry[name] = value
    try:
        yield name
    finally:
        del registry[name]


@contextmanager
def documented_method(folder):
    """The method of the page, registered."""
    with (
        written("graphclust/methods/agglomerative.py", "graphclust.methods.agglomerative", folder),
        registered(METHODS, "METHODS") as name,
    ):
        yield name
