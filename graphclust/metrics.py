r"""How good a partition is on a graph, and how alike two partitions or two covers are.

**On a graph.** With :math:`I_k` the weight of the edges inside community k and :math:`O_k`, :math:`E_k` the weight of
those that leave and enter it, everything here follows from one pass over the edges:

====================  ==============================================================================================
cut                   :math:`O_k + E_k`
volume                :math:`2 I_k + O_k + E_k`, the sum of the degrees; a self-loop counts twice
modularity            :math:`\sum_k I_k / m - \gamma \, (\mathrm{vol}_k / 2m)^2` (Newman & Girvan 2004);
                      directed :math:`\sum_k I_k / m - \gamma \, (I_k + O_k)(I_k + E_k) / m^2` (Leicht & Newman 2008)
conductance           :math:`\mathrm{cut}_k / \min(\mathrm{vol}_k, \mathrm{vol} - \mathrm{vol}_k)`
normalized cut        :math:`\sum_k \mathrm{cut}_k / \mathrm{vol}_k` (CNC, Nazi et al. 2019, eq. 1)
====================  ==============================================================================================

Cut and volume have no direction: conductance and normalized cut of a directed graph are those of the undirected graph
in which the weights of a -> b and b -> a add up. (networkx counts both directions in the cut of a DiGraph but only the
outgoing one in its volume, so that its conductance may exceed 1.)

**Two partitions** are compared through their `Contingency` table, sparse, computed once. **Two covers**, whose
communities may overlap, are compared by `average_f1` and `onmi`, which look at pairs of communities that intersect.

Logarithms are natural. NumPy alone is imported; SciPy is, when a function needs it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from graphclust.errors import UsageError
from graphclust.graph import Graph
from graphclust.runtime.arrays import FloatArray, IntArray

if TYPE_CHECKING:
    import scipy.sparse

__all__ = [
    "Contingency",
    "Cover",
    "accuracy",
    "ami",
    "ari",
    "average_f1",
    "compare_labels",
    "conductance",
    "coverage",
    "modularity",
    "nmi",
    "normalized_cut",
    "onmi",
    "quality",
    "rank_labels",
    "vi",
]

Cover: TypeAlias = Sequence[Collection[int] | IntArray]

_Index: TypeAlias = NDArray[np.integer[Any]]

_CELLS = 1 << 20  # entries of a temporary table: some megabytes


# ----------------------------------------------------------------------------------------------- a partition of a graph


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
        rest = np.maximum(volume.sum() - volume, self.cut)  # rounding must not bring the rest below what is cut off it
        return _ratio(self.cut, np.minimum(volume, rest))

    def normalized_cut(self) -> float:
        return float(_ratio(self.cut, self.volume).sum())


def _ratio(part: FloatArray, whole: FloatArray) -> FloatArray:
    """Divide, taking 0 / 0 as 0."""
    return np.divide(part, whole, out=np.zeros_like(part), where=whole > 0)


def _edge_sums(graph: Graph, labels: ArrayLike) -> _EdgeSums:
    label = _as_labels(labels)
    if len(label) != graph.num_nodes:
        raise UsageError(f"{len(label)} labels for {graph.num_nodes} nodes")
    if label.min(initial=0) < 0 or label.max(initial=-1) >= len(label):
        raise UsageError("labels count from 0 without gaps; rank_labels makes such")
    sizes = np.bincount(label)
    if not sizes.all():
        raise UsageError(f"labels count from 0 without gaps; no node has the label {int(np.argmin(sizes))}")
    source, target = label[graph.source], label[graph.target]
    inside = np.where(source == target, graph.edge_weight, 0.0)
    across = graph.edge_weight - inside

    def total(ends: IntArray, weight: FloatArray) -> FloatArray:
        return np.bincount(ends, weight, len(sizes)).astype(np.float64)

    return _EdgeSums(total(source, inside), total(source, across), total(target, across), sizes, graph.directed)


def modularity(graph: Graph, labels: ArrayLike, resolution: float = 1.0) -> float:
    """Modularity of a partition; for a directed graph that of Leicht and Newman.

    Parameters
    ----------
    graph : Graph
    labels : array of int, shape (n_nodes,)
        Communities, counted from 0 without gaps, in the order of `graph.nodes`.
    resolution : float
        Factor of the expected part; above 1 it favours small communities (Reichardt & Bornholdt 2006).

    Returns
    -------
    float
        At most 1; 0 for a single community (at resolution 1), and 0 by definition for a graph without edges.

    Raises
    ------
    UsageError
        Labels of another length, not integer, or with gaps.

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
    """Fraction of the edge weight inside communities; 1 for a graph without edges, since none is cut.

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
        Labels of another length, not integer, or with gaps.

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
        In [0, 1]; 0 where the community or the rest has no volume (0 / 0).

    Raises
    ------
    UsageError
        Labels of another length, not integer, or with gaps.

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
        In [0, n_clusters]; a community without volume adds 0.

    Raises
    ------
    UsageError
        Labels of another length, not integer, or with gaps.

    References
    ----------
    Nazi et al., "Generalized Clustering by Learning to Optimize Expected Normalized Cuts" (2019), eq. 1; the example is
    its figure 1.

    Examples
    --------
    >>> barbell = Graph.from_edges([0, 0, 1, 2, 3, 3, 4], [1, 2, 2, 3, 4, 5, 5], nodes=6)
    >>> round(normalized_cut(barbell, [0, 0, 0, 1, 1, 1]), 3)
    0.286
    """
    return _edge_sums(graph, labels).normalized_cut()


def quality(graph: Graph, labels: ArrayLike) -> dict[str, Any]:
    """All measures of a partition on its graph, from one pass over the edges.

    Parameters
    ----------
    graph : Graph
    labels : array of int, shape (n_nodes,)
        Communities, counted from 0 without gaps, in the order of `graph.nodes`.

    Returns
    -------
    dict
        `modularity`, `coverage`, `mean_conductance` (over communities, unweighted), `max_conductance`,
        `normalized_cut`, `balance` (entropy of the communities' shares of the nodes, divided by that of equal shares:
        1 is all of one size), `n_clusters`, `sizes` (nodes of each community, in label order): Python numbers, ready
        for JSON.

    Raises
    ------
    UsageError
        Labels of another length, not integer, or with gaps.

    Examples
    --------
    >>> found = quality(Graph.from_edges([0, 2], [1, 3], nodes=4), [0, 0, 1, 1])
    >>> found["modularity"], found["max_conductance"], found["sizes"]
    (0.5, 0.0, [2, 2])
    """
    sums = _edge_sums(graph, labels)
    conductances = sums.conductance()
    return {
        "modularity": sums.modularity(),
        "coverage": sums.coverage(),
        "mean_conductance": float(conductances.sum() / max(len(conductances), 1)),
        "max_conductance": float(conductances.max(initial=0.0)),
        "normalized_cut": sums.normalized_cut(),
        "balance": _entropy(sums.sizes) / math.log(len(sums.sizes)) if len(sums.sizes) > 1 else 1.0,
        "n_clusters": len(sums.sizes),
        "sizes": sums.sizes.tolist(),
    }


# ------------------------------------------------------------------------------------------------------ two partitions


def _as_labels(labels: ArrayLike) -> IntArray:
    label = np.asarray(labels)
    if label.size and not np.issubdtype(label.dtype, np.integer):
        raise UsageError(f"labels are integers, not {label.dtype}")
    if label.ndim != 1:
        raise UsageError(f"labels have one dimension, not the shape {label.shape}")
    return label.astype(np.int64, copy=False)


def _unique(values: IntArray) -> tuple[IntArray, IntArray, IntArray]:
    """Sorted distinct values, the index of each value among them, and their counts: `np.unique`, linear if small."""
    if values.min(initial=0) >= 0 and values.max(initial=0) <= 4 * len(values):
        counts = np.bincount(values)
        place = np.cumsum(counts > 0) - 1
        distinct = np.flatnonzero(counts)
        return distinct, place[values], counts[distinct]
    distinct, index, counts = np.unique(values, return_inverse=True, return_counts=True)
    return distinct, index, counts


def rank_labels(labels: ArrayLike) -> IntArray:
    """Relabel so that 0 is the largest community; of two equally large ones the first to have a member comes first.

    Partitions that differ by the names of their communities alone become equal.

    Parameters
    ----------
    labels : array of int, shape (n_nodes,)
        Any integers.

    Returns
    -------
    ndarray of int64, shape (n_nodes,)

    Raises
    ------
    UsageError
        Not an integer array of one dimension.

    Examples
    --------
    >>> rank_labels([7, -1, 3, 3, -1])
    array([2, 0, 1, 1, 0])
    """
    distinct, index, sizes = _unique(_as_labels(labels))
    first = np.empty(len(distinct), dtype=np.int64)
    first[index[::-1]] = np.arange(len(index))[::-1]  # of repeated assignments the last stays
    rank = np.empty_like(first)
    rank[np.lexsort((first, -sizes))] = np.arange(len(distinct))
    return rank[index]


@dataclass(frozen=True, eq=False)
class Contingency:
    """How the clusters of two partitions of the same nodes intersect; only cells with a node are held.

    Made by `Contingency.of`. The scores of the table are its methods.

    Attributes
    ----------
    rows, cols : ndarray of int64, shape (n_cells,)
        Cluster of the first and of the second partition.
    counts : ndarray of int64, shape (n_cells,)
        Nodes in both.
    row_sizes, col_sizes : ndarray of int64, shape (n_rows,), (n_cols,)
        Nodes in each cluster.
    cell : ndarray of int64, shape (n_nodes,)
        The cell of each node.

    Examples
    --------
    >>> table = Contingency.of([5, 5, 9], [1, 2, 2])
    >>> table.rows, table.cols, table.counts
    (array([0, 0, 1]), array([0, 1, 1]), array([1, 1, 1]))
    """

    rows: IntArray
    cols: IntArray
    counts: IntArray
    row_sizes: IntArray
    col_sizes: IntArray
    cell: IntArray

    @classmethod
    def of(cls, first: ArrayLike, second: ArrayLike) -> Contingency:
        """Count the nodes of each pair of clusters, in time linear in the nodes (sorting where clusters are many).

        Parameters
        ----------
        first, second : array of int, shape (n_nodes,)
            Any integers.

        Raises
        ------
        UsageError
            Not integer arrays of one dimension and of equal length.
        """
        one, two = _as_labels(first), _as_labels(second)
        if len(one) != len(two):
            raise UsageError(f"partitions of {len(one)} and of {len(two)} nodes cannot be compared")
        _, row, row_sizes = _unique(one)
        _, col, col_sizes = _unique(two)
        width = max(len(col_sizes), 1)
        keys, cell, counts = _unique(row * width + col)
        return cls(keys // width, keys % width, counts, row_sizes, col_sizes, cell)

    @property
    def is_identity(self) -> bool:
        """Whether the two partitions are equal up to the names of their clusters; so they are if there is no node."""
        return len(self.counts) == len(self.row_sizes) == len(self.col_sizes)

    def local_vi(self) -> FloatArray:
        """Nats that each partition leaves open about the other at a node of each cell, shape (n_cells,).

        -log p(row | col) - log p(col | row) = log(row size * column size / count^2): the mean over nodes is the
        variation of information.
        """
        count = self.counts.astype(np.float64)
        return np.log(self.row_sizes[self.rows] / count) + np.log(self.col_sizes[self.cols] / count)

    def vi(self) -> float:
        """Variation of information, in nats."""
        return float(self.counts @ self.local_vi() / max(len(self.cell), 1))

    def mutual_information(self) -> float:
        """Mutual information of the two partitions, in nats."""
        n_nodes = max(len(self.cell), 1)
        expected = self.row_sizes[self.rows] * (self.col_sizes[self.cols] / n_nodes)
        return max(float(self.counts @ np.log(self.counts / expected) / n_nodes), 0.0)

    def entropies(self) -> tuple[float, float]:
        """Entropies of the two partitions, in nats."""
        return _entropy(self.row_sizes), _entropy(self.col_sizes)

    def expected_mutual_information(self) -> float:
        """Mean mutual information over all pairs of partitions with these cluster sizes, in nats."""
        return _expected_mutual_information(self.row_sizes, self.col_sizes)

    def nmi(self, average: str = "arithmetic") -> float:
        """Mutual information over the mean or the larger of the entropies; see `nmi`."""
        averages: dict[str, Callable[[tuple[float, float]], float]] = {"arithmetic": lambda h: sum(h) / 2, "max": max}
        if average not in averages:
            raise UsageError(f"average is one of {', '.join(averages)}, not {average!r}")
        return 1.0 if self.is_identity else self.mutual_information() / averages[average](self.entropies())

    def ami(self) -> float:
        """Mutual information adjusted for chance; see `ami`."""
        if self.is_identity:
            return 1.0
        expected = self.expected_mutual_information()
        return (self.mutual_information() - expected) / (sum(self.entropies()) / 2 - expected)

    def ari(self) -> float:
        """Rand index adjusted for chance; see `ari`."""
        if self.is_identity:
            return 1.0
        # Python integers: products of pairs of pairs pass 64 bits at some ten thousand nodes
        both, row, col = (int((size * (size - 1)).sum()) for size in (self.counts, self.row_sizes, self.col_sizes))
        pairs = len(self.cell) * (len(self.cell) - 1)
        return 2 * (both * pairs - row * col) / ((row + col) * pairs - 2 * row * col)

    def matched(self) -> NDArray[np.bool_]:
        """Cells of the one-to-one assignment of clusters that covers most nodes, shape (n_cells,).

        A maximum-weight matching in the bipartite graph of the cells, sparse: time and memory follow the cells, not the
        product of the numbers of clusters. Which of several best assignments is taken is fixed but arbitrary.
        """
        from scipy.sparse import csr_array
        from scipy.sparse.csgraph import min_weight_full_bipartite_matching

        few, many = self.rows, self.cols
        n_few, n_many = len(self.row_sizes), len(self.col_sizes)
        if n_few > n_many:
            few, many, n_few, n_many = many, few, n_many, n_few
        if n_few == 0:
            return np.zeros(0, dtype=bool)
        # A column of its own lets each row stay alone; every weight is one up, because SciPy wants none to be zero.
        alone = np.arange(n_few)
        weight = np.concatenate((self.counts + 1.0, np.ones(n_few)))
        ends = np.concatenate((few, alone)), np.concatenate((many, n_many + alone))
        partner = min_weight_full_bipartite_matching(
            csr_array((weight, ends), shape=(n_few, n_many + n_few)), maximize=True
        )[1]
        return np.asarray(partner[few] == many)

    def accuracy(self) -> float:
        """Fraction of the nodes in the cells of the best one-to-one assignment; see `accuracy`."""
        return float(self.counts[self.matched()].sum() / len(self.cell)) if len(self.cell) else 1.0


def _entropy(sizes: IntArray) -> float:
    share = sizes / max(sizes.sum(), 1)
    return float(-(share @ np.log(share)))


def _expected_mutual_information(row_sizes: IntArray, col_sizes: IntArray) -> float:
    """Mean mutual information of random partitions with given cluster sizes, in nats."""
    (row, row_times), (col, col_times) = (np.unique(sizes, return_counts=True) for sizes in (row_sizes, col_sizes))
    n_nodes = int(row_sizes.sum())
    return float(row_times @ chance_information(row, col, n_nodes) @ col_times)


def chance_information(row: IntArray, col: IntArray, n_nodes: int) -> FloatArray:
    r"""Return what chance gives a pair of clusters of given sizes: their share in the expected mutual information.

    Vinh, Epps & Bailey, JMLR 11 (2010): for sizes a and b, :math:`\sum_x P(x) \, (x/n) \log(n x / a b)`, x
    hypergeometric; summed over all pairs of clusters it is the expected mutual information. Differently from the paper,
    P grows from one x to the next by its ratio and is normalised, which takes no factorial and loses no digits; and x
    runs only as far from its mean as Bernstein's bound, which holds for the hypergeometric as for the binomial
    distribution (Hoeffding 1963), leaves more than exp(-60).

    Parameters
    ----------
    row, col : ndarray of int64, shape (n_rows,), (n_cols,)
        Sizes of clusters, from 1 to n_nodes.
    n_nodes : int

    Returns
    -------
    ndarray of float64, shape (n_rows, n_cols)
        Nats.

    Examples
    --------
    >>> chance_information(np.array([1]), np.array([1, 2]), 2).round(4)
    array([[0.1733, 0.    ]])
    """
    a, b = np.repeat(row, len(col)), np.tile(col, len(row))
    mean = a * (b / n_nodes)
    reach = 20 + np.sqrt(400 + 120 * mean)
    low = np.maximum(np.maximum(a + b - n_nodes, 0), np.floor(mean - reach).astype(np.int64))
    width = np.minimum(np.minimum(a, b), np.ceil(mean + reach).astype(np.int64)) - low + 1
    order = np.argsort(width, kind="stable")
    found, stop = np.empty(len(order)), len(order)
    while stop:  # tables of pairs by x, widest first, so that little of a table is padding
        widest = int(width[order[stop - 1]])
        start = max(0, stop - max(1, _CELLS // widest))
        pick = order[start:stop, None]
        x = low[pick] + np.arange(widest)
        left = np.maximum(a[pick] - x, 0) * np.maximum(b[pick] - x, 0)  # 0 beyond the last x: P vanishes there
        with np.errstate(divide="ignore"):
            log_ratio = np.log(left / ((x + 1) * (n_nodes - a[pick] - b[pick] + x + 1)))
        log_p = np.zeros(x.shape)
        np.cumsum(log_ratio[:, :-1], axis=1, out=log_p[:, 1:])
        p = np.exp(log_p - log_p.max(axis=1, keepdims=True))
        information = (p * x * np.log(np.maximum(x, 1) / mean[pick])).sum(axis=1) / p.sum(axis=1)
        found[pick[:, 0]] = information / n_nodes
        stop = start
    return found.reshape(len(row), len(col))


def ami(first: ArrayLike, second: ArrayLike) -> float:
    """Mutual information adjusted for chance, normalised by the arithmetic mean of the entropies.

    Parameters
    ----------
    first, second : array of int, shape (n_nodes,)
        Any integers.

    Returns
    -------
    float
        At most 1, for equal partitions (no nodes included); 0 on average for random ones of the same cluster sizes.

    Raises
    ------
    UsageError
        Not integer arrays of one dimension and of equal length.

    References
    ----------
    Vinh, Epps & Bailey, "Information Theoretic Measures for Clusterings Comparison", JMLR 11 (2010).

    Examples
    --------
    >>> ami([0, 0, 1, 1], [1, 1, 0, 0]), ami([0, 0, 1, 1], [0, 0, 0, 0])
    (1.0, 0.0)
    """
    return Contingency.of(first, second).ami()


def nmi(first: ArrayLike, second: ArrayLike, average: str = "arithmetic") -> float:
    """Normalised mutual information.

    Parameters
    ----------
    first, second : array of int, shape (n_nodes,)
        Any integers.
    average : {"arithmetic", "max"}
        What the mutual information is divided by: the mean of the two entropies, or the larger one.

    Returns
    -------
    float
        In [0, 1]; 1 for equal partitions (no nodes included). Not adjusted: many clusters score high by chance.

    Raises
    ------
    UsageError
        Not integer arrays of one dimension and of equal length, or an unknown average.

    References
    ----------
    Vinh, Epps & Bailey, JMLR 11 (2010).

    Examples
    --------
    >>> nmi([0, 0, 1, 1], [0, 0, 1, 2]), nmi([0, 0, 1, 1], [0, 0, 1, 2], average="max")
    (0.8, 0.6666666666666667)
    """
    return Contingency.of(first, second).nmi(average)


def ari(first: ArrayLike, second: ArrayLike) -> float:
    """Rand index adjusted for chance.

    Parameters
    ----------
    first, second : array of int, shape (n_nodes,)
        Any integers.

    Returns
    -------
    float
        In [-0.5, 1]; 1 for equal partitions (no nodes included), 0 on average for random ones of the same sizes.

    Raises
    ------
    UsageError
        Not integer arrays of one dimension and of equal length.

    References
    ----------
    Hubert & Arabie, "Comparing partitions", J. Classification 2 (1985).

    Examples
    --------
    >>> ari([0, 0, 1, 1], [0, 0, 1, 2])
    0.5714285714285714
    """
    return Contingency.of(first, second).ari()


def vi(first: ArrayLike, second: ArrayLike) -> float:
    """Variation of information, in nats: a metric on partitions.

    Parameters
    ----------
    first, second : array of int, shape (n_nodes,)
        Any integers.

    Returns
    -------
    float
        H(first | second) + H(second | first), in [0, log n_nodes]; 0 for equal partitions (no nodes included).

    Raises
    ------
    UsageError
        Not integer arrays of one dimension and of equal length.

    References
    ----------
    Meila, "Comparing clusterings", J. Multivariate Analysis 98 (2007).

    Examples
    --------
    >>> vi([0, 0, 1, 1], [0, 1, 0, 1])
    1.3862943611198906
    """
    return Contingency.of(first, second).vi()


def accuracy(first: ArrayLike, second: ArrayLike) -> float:
    """Fraction of nodes that agree under the best one-to-one assignment of clusters.

    Parameters
    ----------
    first, second : array of int, shape (n_nodes,)
        Any integers. Clusters without a partner, where one partition has more, count as wrong.

    Returns
    -------
    float
        In (0, 1]; 1 for equal partitions (no nodes included).

    Raises
    ------
    UsageError
        Not integer arrays of one dimension and of equal length.

    References
    ----------
    Kuhn, "The Hungarian method for the assignment problem" (1955); here by SciPy's sparse matching.

    Examples
    --------
    >>> accuracy([0, 0, 1, 1], [1, 1, 0, 2])
    0.75
    """
    return Contingency.of(first, second).accuracy()


def compare_labels(first: ArrayLike, second: ArrayLike) -> dict[str, float]:
    """All comparisons of two partitions, from one contingency table.

    Parameters
    ----------
    first, second : array of int, shape (n_nodes,)
        Any integers.

    Returns
    -------
    dict
        `ami`, `nmi` (arithmetic), `ari`, `vi` (nats), `accuracy`.

    Raises
    ------
    UsageError
        Not integer arrays of one dimension and of equal length.

    Examples
    --------
    >>> compare_labels([3, 3, 8], [0, 0, 1])
    {'ami': 1.0, 'nmi': 1.0, 'ari': 1.0, 'vi': 0.0, 'accuracy': 1.0}
    """
    table = Contingency.of(first, second)
    scores = ("ami", "nmi", "ari", "vi", "accuracy")
    return {score: getattr(table, score)() for score in scores}


# ---------------------------------------------------------------------------------------------------------- two covers


def _overlaps(
    found: Cover, truth: Cover, n_nodes: int | None = None
) -> tuple[scipy.sparse.coo_array[Any, tuple[int, int]], IntArray, IntArray]:
    """Count the common members of the communities that intersect; also the sizes. Empty communities are left out."""
    from scipy.sparse import csr_array

    covers = [
        [np.unique(nodes if isinstance(nodes, np.ndarray) else list(nodes)) for nodes in cover if len(nodes)]
        for cover in (found, truth)
    ]
    every = [nodes for cover in covers for nodes in cover]
    if any(nodes.dtype.kind not in "iu" or nodes[0] < 0 for nodes in every):
        raise UsageError("communities hold positions of nodes: integers from 0")
    bound = 1 + max((int(nodes[-1]) for nodes in every), default=-1)
    if n_nodes is not None and bound > n_nodes:
        raise UsageError(f"a community holds the node {bound - 1}, of {n_nodes} nodes")
    incidence, sizes = [], []
    for cover in covers:
        sizes.append(np.array([len(nodes) for nodes in cover], dtype=np.int64))
        member = np.concatenate(cover) if cover else np.zeros(0, dtype=np.int64)
        start = np.concatenate(([0], np.cumsum(sizes[-1])))
        incidence.append(csr_array((np.ones(len(member), dtype=np.int64), member, start), shape=(len(cover), bound)))
    return (incidence[0] @ incidence[1].T).tocoo(), sizes[0], sizes[1]


def average_f1(found: Cover, truth: Cover) -> float:
    """Average F1 score of two covers: each community against the one of the other cover that fits it best.

    Parameters
    ----------
    found, truth : sequence of sets or arrays of int
        The members of each community; empty communities are ignored.

    Returns
    -------
    float
        Mean of the two directed averages, in [0, 1]; 1 for equal covers (two empty ones included), 0 if one is empty.

    Raises
    ------
    UsageError
        Members that are not integers from 0.

    References
    ----------
    Yang & Leskovec, "Overlapping community detection at scale: a nonnegative matrix factorization approach", WSDM 2013.

    Examples
    --------
    >>> average_f1([{0, 1, 2}, {2, 3}], [[0, 1, 2], [3]])
    0.8333333333333333
    """
    overlap, one_sizes, two_sizes = _overlaps(found, truth)
    if not (len(one_sizes) and len(two_sizes)):
        return float(len(one_sizes) == len(two_sizes))
    row, col = overlap.coords
    f1 = 2 * overlap.data / (one_sizes[row] + two_sizes[col])

    def mean_best(sizes: IntArray, own: _Index) -> float:
        best = np.zeros(len(sizes))
        np.maximum.at(best, own, f1)
        return float(best.mean())

    return (mean_best(one_sizes, row) + mean_best(two_sizes, col)) / 2


def onmi(found: Cover, truth: Cover, n_nodes: int) -> float:
    r"""Overlapping normalised mutual information of two covers, normalised by the larger entropy.

    Each community is a binary variable over the nodes, and is explained by that community of the other cover which
    leaves least of its entropy, among those that satisfy :math:`h(a) + h(d) \ge h(b) + h(c)`: a, d the fractions of
    nodes in none and in both of them, b and c those in one only, :math:`h(x) = -x \log x`. Two disjoint communities
    (d = 0) satisfy it only if one of them holds more than half of the nodes; other disjoint pairs are never looked at.

    Parameters
    ----------
    found, truth : sequence of sets or arrays of int
        The members of each community, positions from 0 to `n_nodes` - 1; empty communities are ignored.
    n_nodes : int
        All nodes, also those in no community.

    Returns
    -------
    float
        In [0, 1]; 1 for equal covers. Where neither cover has any entropy (its communities hold all nodes, or there is
        none): 1 if both have communities or both have none, else 0.

    Raises
    ------
    UsageError
        Members that are not integers from 0 to `n_nodes` - 1.

    References
    ----------
    McDaid, Greene & Hurley, "Normalized Mutual Information to evaluate overlapping community finding algorithms",
    arXiv:1110.2515 (2011): NMI_max.

    Examples
    --------
    >>> onmi([{0, 1, 2}, {2, 3}], [{2, 3}, {0, 1, 2}], 6), onmi([{0, 1}], [{2, 3}], 4)
    (1.0, 0.0)
    """
    from scipy.sparse import coo_array
    from scipy.special import entr

    overlap, one_sizes, two_sizes = _overlaps(found, truth, n_nodes)
    ones, twos = np.arange(len(one_sizes)), np.arange(len(two_sizes))
    # Explicit zeros for the pairs that count even if they are disjoint.
    big_one, big_two = (np.flatnonzero(2 * sizes > n_nodes) for sizes in (one_sizes, two_sizes))
    row: _Index = np.concatenate((overlap.coords[0], np.repeat(big_one, len(twos)), np.tile(ones, len(big_two))))
    col: _Index = np.concatenate((overlap.coords[1], np.tile(twos, len(big_one)), np.repeat(big_two, len(ones))))
    pairs = coo_array((np.pad(overlap.data, (0, len(row) - overlap.nnz)), (row, col)), shape=overlap.shape)
    pairs.sum_duplicates()
    (row, col), both = pairs.coords, pairs.data

    def h(count: IntArray) -> FloatArray:
        return np.asarray(entr(count / n_nodes))

    only_one, only_two = one_sizes[row] - both, two_sizes[col] - both
    alike, unlike = h(n_nodes - only_one - only_two - both) + h(both), h(only_one) + h(only_two)
    allowed = alike >= unlike

    def entropies(own: _Index, own_sizes: IntArray, other: _Index, other_sizes: IntArray) -> tuple[float, float]:
        """Entropy of a cover, and what is left of it given the other one."""
        entropy, other_entropy = (h(sizes) + h(n_nodes - sizes) for sizes in (own_sizes, other_sizes))
        left = entropy.copy()
        np.minimum.at(left, own[allowed], (alike + unlike - other_entropy[other])[allowed])
        return float(entropy.sum()), float(left.sum())

    (one, one_left), (two, two_left) = (
        entropies(row, one_sizes, col, two_sizes),
        entropies(col, two_sizes, row, one_sizes),
    )
    if max(one, two) == 0:
        return float((len(ones) > 0) == (len(twos) > 0))
    return max((one - one_left + two - two_left) / (2 * max(one, two)), 0.0)
