"""Quality of a partition on a graph: modularity, conductance, normalized cut and coverage."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from graphclust.errors import UsageError
from graphclust.graph import Graph
from graphclust.graph.sorting import Edges, pieces_of
from graphclust.metrics.agreement import _entropy
from graphclust.metrics.labels import _as_labels
from graphclust.runtime.arrays import FloatArray, IntArray

__all__ = ["conductance", "coverage", "density", "modularity", "normalized_cut", "quality"]


class _EdgeSums(NamedTuple):
    """Edge weight inside, leaving and entering each community, and community sizes; all of shape (n_clusters,)."""

    inside: FloatArray
    leaving: FloatArray
    entering: FloatArray
    sizes: IntArray
    directed: bool

    @property
    def cut(self) -> FloatArray:
        return self.leaving + self.entering

    @property
    def volume(self) -> FloatArray:
        return 2 * self.inside + self.cut

    @property
    def total_weight(self) -> float:
        return float(self.inside.sum() + self.leaving.sum())

    def modularity(self, resolution: float = 1.0) -> float:
        total = self.total_weight
        if total == 0:
            return 0.0
        out, into = self.inside + self.leaving, self.inside + self.entering
        if not self.directed:
            out = into = (out + into) / 2
        return float((self.inside / total - resolution * (out / total) * (into / total)).sum())

    def coverage(self) -> float:
        total = self.total_weight
        return float(self.inside.sum() / total) if total else 1.0

    def conductance(self) -> FloatArray:
        volume = self.volume
        rest = np.maximum(volume.sum() - volume, self.cut)  # rounding must not make the rest smaller than the cut
        return _ratio(self.cut, np.minimum(volume, rest))

    def normalized_cut(self) -> float:
        return float(_ratio(self.cut, self.volume).sum())


def _ratio(part: FloatArray, total: FloatArray) -> FloatArray:
    """Divide, with 0 / 0 defined as 0."""
    return np.divide(part, total, out=np.zeros_like(part), where=total > 0)


def _edge_sums(graph: Graph, labels: ArrayLike) -> _EdgeSums:
    label = _as_labels(labels)
    if len(label) != graph.num_nodes:
        raise UsageError(f"{len(label)} labels for {graph.num_nodes} nodes")
    if label.min(initial=0) < 0 or label.max(initial=-1) >= len(label):
        raise UsageError("labels must be 0, 1, ... without gaps: use rank_labels")
    sizes = np.bincount(label)
    if not sizes.all():
        raise UsageError(f"labels must be 0, 1, ... without gaps: no node has the label {int(np.argmin(sizes))}")
    inside, leaving, entering = np.zeros((3, len(sizes)))
    for piece in pieces_of(Edges(graph.source, graph.target, graph.weight)):
        source, target = label[piece.source], label[piece.target]
        weight = np.ones(len(source)) if piece.weight is None else piece.weight
        is_inside = source == target
        for sums, ends, some in (
            (inside, source, is_inside),
            (leaving, source, ~is_inside),
            (entering, target, ~is_inside),
        ):
            sums += np.bincount(ends[some], weight[some], len(sizes))
    return _EdgeSums(inside, leaving, entering, sizes, graph.directed)


def modularity(graph: Graph, labels: ArrayLike, resolution: float = 1.0) -> float:
    """Modularity of a partition. For a directed graph, the definition is that of Leicht and Newman.

    Parameters
    ----------
    graph : Graph
    labels : array of int, shape (n_nodes,)
        Communities, counted from 0 without gaps, in the order of `graph.nodes`.
    resolution : float
        Factor of the expected term. Values above 1 favour small communities (Reichardt & Bornholdt 2006).

    Returns
    -------
    float
        At most 1; 0 for a single community (at resolution 1), and 0 by definition for a graph without edges.

    Raises
    ------
    UsageError
        The labels have another length, are not integers, or have gaps.

    References
    ----------
    Newman & Girvan, Phys. Rev. E 69, 026113 (2004); Leicht & Newman, Phys. Rev. Lett. 100, 118703 (2008).

    Examples
    --------
    >>> barbell = Graph.from_edges([0, 0, 1, 2, 3, 3, 4], [1, 2, 2, 3, 4, 5, 5], nodes=6)
    >>> round(modularity(barbell, [0, 0, 0, 1, 1, 1]), 6)
    0.357143
    """
    return _edge_sums(graph, labels).modularity(resolution)


def coverage(graph: Graph, labels: ArrayLike) -> float:
    """Fraction of the edge weight inside communities. It is 1 for a graph without edges.

    Parameters
    ----------
    graph : Graph
    labels : array of int, shape (n_nodes,)
        Communities, counted from 0 without gaps, in the order of `graph.nodes`.

    Returns
    -------
    float
        In [0, 1]. A self-loop counts once.

    Raises
    ------
    UsageError
        The labels have another length, are not integers, or have gaps.

    References
    ----------
    Fortunato, "Community detection in graphs", Physics Reports 486 (2010), section on quality functions.

    Examples
    --------
    >>> coverage(Graph.from_edges([0, 1, 2], [1, 2, 3], nodes=4), [0, 0, 0, 1])
    0.6666666666666666
    """
    return _edge_sums(graph, labels).coverage()


def conductance(graph: Graph, labels: ArrayLike) -> FloatArray:
    """Conductance of each community: cut / min(volume, volume of the rest).

    Parameters
    ----------
    graph : Graph
        Directions are ignored: the weights of a -> b and b -> a add up.
    labels : array of int, shape (n_nodes,)
        Communities, counted from 0 without gaps, in the order of `graph.nodes`.

    Returns
    -------
    ndarray of float64, shape (n_clusters,)
        In [0, 1]; 0 if the community or the rest has no volume (0 / 0).

    Raises
    ------
    UsageError
        The labels have another length, are not integers, or have gaps.

    References
    ----------
    Kannan, Vempala & Vetta, "On clusterings: good, bad and spectral", J. ACM 51 (2004).

    Examples
    --------
    >>> conductance(Graph.from_edges([0, 1, 2], [1, 2, 3], nodes=4), [0, 0, 0, 1])
    array([1., 1.])
    """
    return _edge_sums(graph, labels).conductance()


def normalized_cut(graph: Graph, labels: ArrayLike) -> float:
    """Sum over communities of cut / volume.

    Parameters
    ----------
    graph : Graph
        Directions are ignored: the weights of a -> b and b -> a add up.
    labels : array of int, shape (n_nodes,)
        Communities, counted from 0 without gaps, in the order of `graph.nodes`.

    Returns
    -------
    float
        In [0, n_clusters]. A community without volume contributes 0.

    Raises
    ------
    UsageError
        The labels have another length, are not integers, or have gaps.

    References
    ----------
    Nazi et al., "Generalized Clustering by Learning to Optimize Expected Normalized Cuts" (2019), eq. 1. The example
    below is their figure 1.

    Examples
    --------
    >>> barbell = Graph.from_edges([0, 0, 1, 2, 3, 3, 4], [1, 2, 2, 3, 4, 5, 5], nodes=6)
    >>> round(normalized_cut(barbell, [0, 0, 0, 1, 1, 1]), 3)
    0.286
    """
    return _edge_sums(graph, labels).normalized_cut()


def density(graph: Graph, labels: ArrayLike) -> FloatArray:
    """Density of each community: the share of the pairs of its nodes that are edges.

    Parameters
    ----------
    graph : Graph
        Weights and self-loops are ignored. In a directed graph, pairs are ordered.
    labels : array of int, shape (n_nodes,)
        Communities, counted from 0 without gaps, in the order of `graph.nodes`.

    Returns
    -------
    ndarray of float64, shape (n_clusters,)
        In [0, 1]; 0 for a single node, which has no pairs.

    Raises
    ------
    UsageError
        The labels have another length, are not integers, or have gaps.

    References
    ----------
    Fortunato, "Community detection in graphs", Physics Reports 486 (2010), section on the basics.

    Examples
    --------
    >>> density(Graph.from_edges([0, 0, 1, 2], [1, 2, 2, 3], nodes=4), [0, 0, 0, 1])
    array([1., 0.])
    """
    simple = graph.without_self_loops()
    sizes = _edge_sums(simple, labels).sizes
    label = _as_labels(labels)
    inside = label[simple.source][label[simple.source] == label[simple.target]]
    pairs = sizes * (sizes - 1.0) / (1 if graph.directed else 2)
    return _ratio(np.bincount(inside, minlength=len(sizes)).astype(np.float64), pairs)


def quality(graph: Graph, labels: ArrayLike, resolution: float = 1.0) -> dict[str, Any]:
    """All quality measures of a partition on its graph, computed in one pass over the edges.

    Parameters
    ----------
    graph : Graph
    labels : array of int, shape (n_nodes,)
        Communities, counted from 0 without gaps, in the order of `graph.nodes`.
    resolution : float
        That of the modularity.

    Returns
    -------
    dict
        `modularity`, `coverage`, `mean_conductance` (unweighted mean over communities), `max_conductance`,
        `normalized_cut`, `balance` (entropy of the communities' shares of the nodes divided by the entropy of equal
        shares, so 1 if all sizes are equal), `n_clusters` and `sizes` (number of nodes of each community, in label
        order). All values are Python numbers and can be serialised as JSON.

    Raises
    ------
    UsageError
        The labels have another length, are not integers, or have gaps.

    Examples
    --------
    >>> measures = quality(Graph.from_edges([0, 2], [1, 3], nodes=4), [0, 0, 1, 1])
    >>> measures["modularity"], measures["max_conductance"], measures["sizes"]
    (0.5, 0.0, [2, 2])
    """
    sums = _edge_sums(graph, labels)
    conductances = sums.conductance()
    return {
        "modularity": sums.modularity(resolution),
        "coverage": sums.coverage(),
        "mean_conductance": float(conductances.sum() / max(len(conductances), 1)),
        "max_conductance": float(conductances.max(initial=0.0)),
        "normalized_cut": sums.normalized_cut(),
        "balance": _entropy(sums.sizes) / math.log(len(sums.sizes)) if len(sums.sizes) > 1 else 1.0,
        "n_clusters": len(sums.sizes),
        "sizes": sums.sizes.tolist(),
    }
