"""The report of a result as text, and the interface that all reports need."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from graphclust.graph import Graph
from graphclust.runtime.arrays import FloatArray, IntArray
from graphclust.runtime.notes import Note

if TYPE_CHECKING:
    from graphclust.results.changes import Changes
    from graphclust.results.cover import Cover
    from graphclust.results.hierarchy import Hierarchy
    from graphclust.results.links import Links

__all__ = ["Clustering", "text_report"]

_QUALITY = {
    "modularity": "Fraction of the edge weight inside communities, minus the fraction expected from the degrees alone. "
    "0 is chance level, 1 the upper bound.",
    "coverage": "Fraction of the edge weight inside communities. It is 1 if there is only one community.",
    "mean_conductance": "Fraction of a community's edge ends that belong to edges leaving it, averaged over "
    "communities. 0 is best.",
    "max_conductance": "Conductance of the worst separated community.",
    "normalized_cut": "Sum over communities of the weight of the edges that leave them, divided by their total degree.",
    "expected_normalized_cut": "Expected normalized cut under the membership probabilities of the network.",
    "balance": "Entropy of the community sizes, divided by the entropy of equal sizes. 1 means equal sizes.",
}


class Clustering(Protocol):
    """The interface of results that reports need; `graphclust.results.communities.Communities` implements it."""

    @property
    def graph(self) -> Graph: ...  # noqa: D102
    @property
    def labels(self) -> IntArray: ...  # noqa: D102
    @property
    def numbers(self) -> IntArray: ...  # noqa: D102
    @property
    def ranks(self) -> IntArray: ...  # noqa: D102
    @property
    def nodes(self) -> Sequence[Any]: ...  # noqa: D102
    @property
    def n_clusters(self) -> int: ...  # noqa: D102
    @property
    def method(self) -> str: ...  # noqa: D102
    @property
    def params(self) -> Mapping[str, Any]: ...  # noqa: D102
    @property
    def seconds(self) -> float: ...  # noqa: D102
    @property
    def certainty(self) -> Mapping[str, FloatArray]: ...  # noqa: D102
    @property
    def notes(self) -> Sequence[Note]: ...  # noqa: D102
    @property
    def details(self) -> Mapping[str, Any]: ...  # noqa: D102
    @property
    def hierarchy(self) -> Hierarchy | None: ...  # noqa: D102
    @property
    def cover(self) -> Cover | None: ...  # noqa: D102
    @property
    def changes(self) -> Changes | None: ...  # noqa: D102
    def quality(self) -> Mapping[str, Any]: ...  # noqa: D102
    def links(self, n: int = ...) -> Links: ...  # noqa: D102
    def describe(self) -> Sequence[Mapping[str, Any]]: ...  # noqa: D102


def text_report(communities: Clustering) -> str:
    """Describe a result in a few aligned lines.

    Parameters
    ----------
    communities : Communities

    Returns
    -------
    str
        Lines with a name and a value, without a trailing newline.
    """
    quality = communities.quality()
    sizes = np.bincount(communities.ranks).tolist()
    lines = {
        "nodes": _number(communities.graph.num_nodes),
        "edges": _number(communities.graph.num_edges),
        "communities": _number(communities.n_clusters),
        "sizes": ", ".join(map(_number, sizes[:8]))
        + (f" and {_number(len(sizes) - 8)} more" if len(sizes) > 8 else ""),
    }
    for name, values in communities.certainty.items():
        if len(values):
            lines[f"mean {name}"] = _number(float(values.mean()))
    for name in ("modularity", "coverage", "mean_conductance", "normalized_cut"):
        lines[name.replace("_", " ")] = _number(quality.get(name))
    lines["method"] = _method_and_parameters(communities)
    lines["seconds"] = _number(communities.seconds)
    width = max(map(len, lines))
    return "\n".join(f"{name:<{width}}  {value}" for name, value in lines.items())


def _number(value: Any) -> str:
    """Format a number: integers with separators, others with four decimals, unknown values as a dash."""
    if value is None or not math.isfinite(value):
        return "–"
    return (
        f"{value:,}"
        if isinstance(value, int | np.integer)
        else f"{value:,.4f}"
        if abs(value) < 100
        else f"{value:,.1f}"
    )


def _method_and_parameters(communities: Clustering) -> str:
    parameters = ", ".join(f"{name}={value}" for name, value in communities.params.items() if value is not None)
    return f"{communities.method} ({parameters})" if parameters else communities.method
