"""Agreement of two partitions, computed from their contingency table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from graphclust.errors import UsageError
from graphclust.metrics.labels import _as_labels, _unique
from graphclust.runtime.arrays import FloatArray, IntArray

__all__ = ["Contingency", "accuracy", "ami", "ari", "chance_information", "compare_labels", "nmi", "vi"]

_Index: TypeAlias = NDArray[np.integer[Any]]
_CELLS = 1 << 20  # entries of a temporary table, which takes several megabytes


@dataclass(frozen=True, eq=False)
class Contingency:
    """Sizes of the intersections of the clusters of two partitions. Only nonempty cells are stored.

    Create it with `Contingency.of`. Its methods compute the scores.

    Attributes
    ----------
    rows, cols : ndarray of int64, shape (n_cells,)
        Cluster of the first and of the second partition.
    counts : ndarray of int64, shape (n_cells,)
        Number of nodes in both clusters.
    cell : ndarray of int64, shape (n_nodes,)
        The cell of each node.
    row_sizes, col_sizes : ndarray of int64, shape (n_rows,), (n_cols,)
        Nodes in each cluster.

    Examples
    --------
    >>> table = Contingency.of([5, 5, 9], [1, 2, 2])
    >>> table.rows, table.cols, table.counts
    (array([0, 0, 1]), array([0, 1, 1]), array([1, 1, 1]))
    """

    rows: IntArray
    cols: IntArray
    counts: IntArray
    cell: IntArray
    row_sizes: IntArray
    col_sizes: IntArray

    @classmethod
    def of(cls, first: ArrayLike, second: ArrayLike) -> Contingency:
        """Count the nodes in each pair of clusters, in linear time, or by sorting if there are many clusters.

        Parameters
        ----------
        first, second : array of int, shape (n_nodes,)
            Any integers.

        Raises
        ------
        UsageError
            The arguments are not one-dimensional integer arrays of equal length.
        """
        first_labels, second_labels = _as_labels(first), _as_labels(second)
        if len(first_labels) != len(second_labels):
            raise UsageError(f"cannot compare partitions of {len(first_labels)} and of {len(second_labels)} nodes")
        _, row, row_sizes = _unique(first_labels)
        _, col, col_sizes = _unique(second_labels)
        return cls(*_cells(row, col, len(row_sizes), max(len(col_sizes), 1)), row_sizes, col_sizes)

    @property
    def is_identity(self) -> bool:
        """Whether the partitions are equal up to the names of their clusters, which is true if there are no nodes."""
        return len(self.counts) == len(self.row_sizes) == len(self.col_sizes)

    def local_vi(self) -> FloatArray:
        """Contribution of a node of each cell to the variation of information, in nats, shape (n_cells,).

        It is -log p(row | col) - log p(col | row) = log(row size * column size / count^2), and its mean over nodes is
        the variation of information.
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
        """Mutual information divided by the mean or the larger entropy; see `nmi`."""
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
        # Python integers: products of numbers of pairs overflow 64 bits at about ten thousand nodes
        both, row, col = (int((size * (size - 1)).sum()) for size in (self.counts, self.row_sizes, self.col_sizes))
        pairs = len(self.cell) * (len(self.cell) - 1)
        return 2 * (both * pairs - row * col) / ((row + col) * pairs - 2 * row * col)

    def matched(self) -> NDArray[np.bool_]:
        """Whether each cell belongs to the one-to-one assignment of clusters that covers most nodes, shape (n_cells,).

        The assignment is a maximum-weight matching in the sparse bipartite graph of the cells, so that time and memory
        depend on the number of cells, not on the product of the numbers of clusters. Cells that are in a best
        assignment in any case (`_certain`) leave little to match. If several assignments are best, the choice is
        deterministic but arbitrary.
        """
        is_matched, rest = _certain(self.rows, self.cols, self.counts)
        if len(rest):
            is_matched[rest] = self._matching(rest)
        return is_matched

    def _matching(self, cells: IntArray) -> NDArray[np.bool_]:
        """Whether each of some cells belongs to the best assignment of their rows and columns."""
        few, many = (np.unique(ends[cells], return_inverse=True)[1] for ends in (self.rows, self.cols))
        n_few, n_many = int(few.max()) + 1, int(many.max()) + 1
        if n_few > n_many:
            few, many, n_few, n_many = many, few, n_many, n_few
        from scipy.sparse import csr_array
        from scipy.sparse.csgraph import min_weight_full_bipartite_matching

        # An extra column per row lets the row stay unmatched. All weights are increased by one because SciPy does not
        # accept zeros.
        unmatched = np.arange(n_few)
        weight = np.concatenate((self.counts[cells] + 1.0, np.ones(n_few)))
        row, col = np.concatenate((few, unmatched)), np.concatenate((many, n_many + unmatched))
        order = np.lexsort((col, row))
        start = np.searchsorted(row[order], np.arange(n_few + 1))
        table = csr_array((weight[order], col[order], start), shape=(n_few, n_many + n_few))
        partner = min_weight_full_bipartite_matching(table, maximize=True)[1]
        return np.asarray(partner[few] == many)

    def accuracy(self) -> float:
        """Fraction of the nodes in the cells of the best one-to-one assignment; see `accuracy`."""
        return float(self.counts[self.matched()].sum() / len(self.cell)) if len(self.cell) else 1.0


def _cells(row: IntArray, col: IntArray, n_rows: int, n_cols: int) -> tuple[IntArray, IntArray, IntArray, IntArray]:
    """Return the row, the column and the number of nodes of each cell, sorted, and the cell of each node.

    The nodes of each row that share the column of its last node are counted at once. If the partitions are similar, few
    others are left to be sorted.
    """
    usual = np.zeros(n_rows, dtype=np.int64)
    usual[row] = col  # of repeated assignments, the last one counts
    is_usual = usual[row] == col
    others = np.flatnonzero(~is_usual)
    keys, place, counts = _unique(row[others] * n_cols + col[others])
    keys = np.concatenate((np.arange(n_rows) * n_cols + usual, keys))
    counts = np.concatenate((np.bincount(row[is_usual], minlength=n_rows), counts))
    order = np.argsort(keys)
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    cell = rank[row]
    cell[others] = rank[n_rows + place]
    keys = keys[order]
    return keys // n_cols, keys % n_cols, counts[order], cell


def _certain(rows: IntArray, cols: IntArray, counts: IntArray) -> tuple[NDArray[np.bool_], IntArray]:
    """Return whether each cell is in a best assignment for certain, and the cells that are left to match.

    A cell is, if it is at least as large as the next largest of its row and that of its column together: exchanging it
    for one of each gains nothing. Then the others of its row and column are out, and further cells may become certain.
    """
    is_certain, left = np.zeros(len(counts), dtype=bool), np.arange(len(counts))
    while len(left):
        size = counts[left]
        needed = np.zeros(len(left), dtype=counts.dtype)
        is_largest = np.ones(len(left), dtype=bool)
        for line in (rows[left], cols[left]):
            order = np.lexsort((size, line))
            is_last = np.append(np.diff(line[order]) > 0, True)
            is_largest[order[~is_last]] = False
            before = np.roll(order, 1)  # the next largest of the same line, if there is one
            has_before = np.append(False, np.diff(line[order]) == 0)
            needed[order] += np.where(has_before, size[before], 0)
        chosen = left[is_largest & (size >= needed)]
        if len(chosen) == 0:
            break
        is_certain[chosen] = True
        is_out = np.isin(rows[left], rows[chosen]) | np.isin(cols[left], cols[chosen])
        left = left[~is_out]
    return is_certain, left


def _entropy(sizes: IntArray) -> float:
    share = sizes / max(sizes.sum(), 1)
    return float(-(share @ np.log(share)))


def _expected_mutual_information(row_sizes: IntArray, col_sizes: IntArray) -> float:
    """Mean mutual information of random partitions with these cluster sizes, in nats."""
    (row, row_times), (col, col_times) = (np.unique(sizes, return_counts=True) for sizes in (row_sizes, col_sizes))
    n_nodes = int(row_sizes.sum())
    return float(row_times @ chance_information(row, col, n_nodes) @ col_times)


def chance_information(row: IntArray, col: IntArray, n_nodes: int) -> FloatArray:
    r"""Return the contribution of each pair of cluster sizes to the expected mutual information of random partitions.

    For sizes a and b it is :math:`\sum_x P(x) \, (x/n) \log(n x / a b)` with hypergeometric x (Vinh, Epps & Bailey,
    JMLR 11, 2010). The sum over all pairs of clusters is the expected mutual information. Unlike the paper, we compute
    P from the ratios of consecutive values and normalise it, which needs no factorials and loses no digits. We also
    restrict x to a range around its mean outside of which the probability is below exp(-60) by Bernstein's bound, which
    holds for the hypergeometric distribution as for the binomial (Hoeffding 1963).

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
    expected, stop = np.empty(len(order)), len(order)
    while stop:  # tables of pairs by x, widest first, so that the tables need little padding
        widest = int(width[order[stop - 1]])
        start = max(0, stop - max(1, _CELLS // widest))
        pick = order[start:stop, None]
        x = low[pick] + np.arange(widest)
        left = np.maximum(a[pick] - x, 0) * np.maximum(b[pick] - x, 0)  # 0 beyond the last x, where P vanishes
        with np.errstate(divide="ignore"):
            log_ratio = np.log(left / ((x + 1) * (n_nodes - a[pick] - b[pick] + x + 1)))
        log_p = np.zeros(x.shape)
        np.cumsum(log_ratio[:, :-1], axis=1, out=log_p[:, 1:])
        p = np.exp(log_p - log_p.max(axis=1, keepdims=True))
        information = (p * x * np.log(np.maximum(x, 1) / mean[pick])).sum(axis=1) / p.sum(axis=1)
        expected[pick[:, 0]] = information / n_nodes
        stop = start
    return expected.reshape(len(row), len(col))


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
        The arguments are not one-dimensional integer arrays of equal length.

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
        The arguments are not one-dimensional integer arrays of equal length, or the average is unknown.

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
        The arguments are not one-dimensional integer arrays of equal length.

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
        The arguments are not one-dimensional integer arrays of equal length.

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
        The arguments are not one-dimensional integer arrays of equal length.

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
        The arguments are not one-dimensional integer arrays of equal length.

    Examples
    --------
    >>> compare_labels([3, 3, 8], [0, 0, 1])
    {'ami': 1.0, 'nmi': 1.0, 'ari': 1.0, 'vi': 0.0, 'accuracy': 1.0}
    """
    table = Contingency.of(first, second)
    scores = ("ami", "nmi", "ari", "vi", "accuracy")
    return {score: getattr(table, score)() for score in scores}
