"""The parameters of a method in words: their defaults, and what their docstrings say about them."""

from __future__ import annotations

import inspect
import re
from typing import Any

from graphclust.methods.base import GraphEstimator

__all__ = ["describe_parameters"]

_SECTION = re.compile(r"^(\w[\w ]*)\n-{3,}\n", re.MULTILINE)


def describe_parameters(method: type[GraphEstimator]) -> list[dict[str, Any]]:
    """Describe the parameters of a method.

    Parameters
    ----------
    method : type

    Returns
    -------
    list of dict
        `name`, `type` (with the values that are allowed), `default` and `meaning`, in the order of the constructor.

    Examples
    --------
    >>> from graphclust.methods.leiden import Leiden
    >>> [row["name"] for row in describe_parameters(Leiden)][:2]
    ['n_clusters', 'objective']
    """
    texts = _documented(method)
    return [
        {
            "name": name,
            "type": texts.get(name, ("", ""))[0],
            "default": default,
            "meaning": texts.get(name, ("", ""))[1],
        }
        for name, default in method.parameters().items()
    ]


def _documented(method: type[GraphEstimator]) -> dict[str, tuple[str, str]]:
    """Return type and meaning of each parameter in the docstring of a class."""
    parts = _SECTION.split(inspect.cleandoc(method.__doc__ or ""))
    sections = dict(zip(parts[1::2], parts[2::2], strict=True))
    documented: dict[str, tuple[str, str]] = {}
    names: list[str] = []
    for line in sections.get("Parameters", "").splitlines():
        if line and not line.startswith(" "):
            head, _, kind = line.partition(":")
            names = [name.strip() for name in head.split(",")]
            documented |= {name: (kind.strip(), "") for name in names}
        elif line.strip():
            for name in names:
                kind, meaning = documented[name]
                documented[name] = kind, f"{meaning} {line.strip()}".strip()
    return documented
