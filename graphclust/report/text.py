"""A result in a few lines of text, and what every report needs to know of it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from graphclust.graph import Graph
from graphclust.runtime.arrays import FloatArray, IntArray
from graphclust.runtime.notes import Note

__all__ = ["Clustering", "text_report"]

_QUALITY = {
    "modularity": "Weight inside communities beyond what the degrees alone would put there. 0: chance; at most 1.",
    "coverage": "Share of the edge weight that lies inside communities. One big community always reaches 1.",
    "mean_conductance": "Share of a community's edge ends that lead out of it, averaged over communities. 0: none do.",
    "max_conductance": "The same for the community that is worst separated.",
    "normalized_cut": "Sum over communities of the weight that leaves, divided by the weight of all their edge ends.",
    "expected_normalized_cut": "The same in expectation, of the network's probabilities.",
    "balance": "Entropy of the communities' sizes, as a share of that of equal sizes.",
}


class Clustering(Protocol):
    """What a report needs of a result; `graphclust.results.communities.Communities` has it."""

    @property
    def graph(self) -> Graph: ...  # noqa: D102
    @property
    def labels(self) -> IntArray: ...  # noqa: D102
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
    def confidence(self) -> FloatArray | None: ...  # noqa: D102
    @property
    def notes(self) -> Sequence[Note]: ...  # noqa: D102
    @property
    def details(self) -> Mapping[str, Any]: ...  # noqa: D102
    def quality(self) -> Mapping[str, Any]: ...  # noqa: D102


def text_report(communities: Clustering) -> str:
    """Describe a result in a few aligned lines.

    Parameters
    ----------
    communities : Communities

    Returns
    -------
    str
        Lines of a name and a value, without a newline at the end.
    """
    quality = communities.quality()
    sizes = np.bincount(communities.labels, minlength=communities.n_clusters).tolist()
    lines = {
        "nodes": _number(communities.graph.num_nodes),
        "edges": _number(communities.graph.num_edges),
        "communities": _number(communities.n_clusters),
        "sizes": ", ".join(map(_number, sizes[:8]))
        + (f" and {_number(len(sizes) - 8)} more" if len(sizes) > 8 else ""),
    }
    if communities.confidence is not None and len(communities.confidence):
        lines["mean confidence"] = _number(float(communities.confidence.mean()))
    for name in ("modularity", "coverage", "mean_conductance", "normalized_cut"):
        lines[name.replace("_", " ")] = _number(quality.get(name))
    lines["method"] = _method_and_parameters(communities)
    lines["seconds"] = _number(communities.seconds)
    width = max(map(len, lines))
    return "\n".join(f"{name:<{width}}  {value}" for name, value in lines.items())


def _number(value: Any) -> str:
    """Render a number: integers with separators, others with four decimals, a dash for what is not known."""
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
