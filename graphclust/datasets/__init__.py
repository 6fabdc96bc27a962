"""Named data sets: a few tiny graphs that ship with the package, and the registry of the public ones."""

from __future__ import annotations

import os
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from graphclust.errors import DataError, UsageError
from graphclust.graph import Graph

__all__ = ["Entry", "load", "path", "registry"]

_BUNDLED = Path(__file__).resolve().parent.parent / "data"


@dataclass(frozen=True)
class Entry:
    """A data set of the registry.

    Attributes
    ----------
    name : str
    what : str
        One line on what it is.
    licence : str
    origin : str
        Who published it.
    graph, labels : str
        File names relative to the folder of data sets; labels may be empty.
    url : dict of str to str
        File name -> where its publisher has it.
    sha256 : dict of str to str
        File name -> checksum of the publisher's file, where known.
    bundled : bool
        Whether the files ship with the package.
    """

    name: str
    what: str
    licence: str
    origin: str
    graph: str
    labels: str = ""
    url: dict[str, str] | None = None
    sha256: dict[str, str] | None = None
    bundled: bool = False

    def find(self, file: str) -> Path | None:
        """Return where a file of this data set lies, or None."""
        return next((found for folder in _folders(self.bundled) if (found := folder / file).is_file()), None)

    def is_here(self) -> bool:
        """Whether the graph can be read without a download."""
        return self.find(self.graph) is not None


def _folders(bundled: bool) -> list[Path]:
    """Where data sets are looked for, in this order."""
    if bundled:
        return [_BUNDLED]
    given = os.environ.get("GRAPHCLUST_DATA")
    cache_home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return [*([Path(given)] if given else []), Path(cache_home) / "graphclust"]


@cache
def registry() -> dict[str, Entry]:
    """Return all data sets by name."""
    with (_BUNDLED / "registry.toml").open("rb") as stream:
        return {name: Entry(name=name, **fields) for name, fields in tomllib.load(stream).items()}


def _entry(name: str) -> Entry:
    if name not in registry():
        raise UsageError(f"no data set is called {name!r}; there are {', '.join(registry())}")
    return registry()[name]


def path(name: str, *, labels: bool = False) -> Path:
    """Return where the graph of a data set lies, or with `labels` its known communities.

    Raises
    ------
    UsageError
        No such data set, or one without labels.
    DataError
        It is not on this machine; says which file to put where.

    Examples
    --------
    >>> path("karate").name
    'karate.edgelist'
    """
    entry = _entry(name)
    file = entry.labels if labels else entry.graph
    if not file:
        raise UsageError(f"{name} has no known communities")
    found = entry.find(file)
    if found is None:
        where = (entry.url or {}).get(file)
        places = " or ".join(str(folder / file) for folder in _folders(entry.bundled))
        raise DataError(f"{name} is not here: put {where or file} at {places}")
    return found


def load(name: str) -> Graph:
    """Load a data set: a graph, with `y` where its communities are known and do not overlap.

    Raises
    ------
    UsageError
        No such data set.
    DataError
        It is not on this machine, or cannot be read.

    Examples
    --------
    >>> graph = load("karate")
    >>> graph, graph.meta["classes"]
    (Graph(34 nodes, 78 edges), ['Mr. Hi', 'Officer'])
    """
    from graphclust.io import read_graph
    from graphclust.io.partition import read_partition

    entry = _entry(name)
    graph = read_graph(path(name))
    if entry.labels and entry.find(entry.labels):
        truth = read_partition(path(name, labels=True))
        if isinstance(truth, dict):
            classes = sorted(set(truth.values()))
            code = {label: i for i, label in enumerate(classes)}
            graph.y = np.array([code[truth[str(node)]] if str(node) in truth else -1 for node in graph.nodes])
            graph.meta["classes"] = classes
    graph.meta["name"] = name
    return graph
