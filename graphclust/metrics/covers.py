"""Agreement of two covers, whose communities may overlap."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from graphclust.errors import UsageError
from graphclust.metrics.agreement import _Index
from graphclust.runtime.arrays import FloatArray, IntArray

if TYPE_CHECKING:
    import scipy.sparse

__all__ = ["Cover", "average_f1", "omega", "onmi"]

Cover: TypeAlias = Sequence[Collection[int] | IntArray]


def _incidence(
    *covers: Cover, n_nodes: int | None = None
) -> tuple[list[scipy.sparse.csr_array[Any, tuple[int, int]]], list[IntArray]]:
    """Return the members of the nonempty communities of each cover, shape (n_communities, n_nodes), and their sizes."""
    from scipy.sparse import csr_array

    members = [
        [np.unique(nodes if isinstance(nodes, np.ndarray) else list(nodes)) for nodes in cover if len(nodes)]
        for cover in covers
    ]
    every = [nodes for cover in members for nodes in cover]
    if any(nodes.dtype.kind not in "iu" or nodes[0] < 0 for nodes in every):
        raise UsageError("communities must contain node positions: integers from 0")
    bound = 1 + max((int(nodes[-1]) for nodes in every), default=-1)
    if n_nodes is not None and bound > n_nodes:
        raise UsageError(f"a community contains the node {bound - 1}, but there are only {n_nodes} nodes")
    bound = bound if n_nodes is None else n_nodes
    tables, sizes = [], []
    for cover in members:
        sizes.append(np.array([len(nodes) for nodes in cover], dtype=np.int64))
        member = np.concatenate(cover) if cover else np.zeros(0, dtype=np.int64)
        start = np.concatenate(([0], np.cumsum(sizes[-1])))
        tables.append(csr_array((np.ones(len(member), dtype=np.int64), member, start), shape=(len(cover), bound)))
    return tables, sizes


def _overlaps(
    predicted: Cover, truth: Cover, n_nodes: int | None = None
) -> tuple[scipy.sparse.coo_array[Any, tuple[int, int]], IntArray, IntArray]:
    """Return the sizes of the nonempty intersections, and the sizes of the nonempty communities of both covers."""
    tables, sizes = _incidence(predicted, truth, n_nodes=n_nodes)
    return (tables[0] @ tables[1].T).tocoo(), sizes[0], sizes[1]


def average_f1(predicted: Cover, truth: Cover) -> float:
    """Average F1 score of two covers. Each community is compared with the best matching one of the other cover.

    Parameters
    ----------
    predicted, truth : sequence of sets or arrays of int
        The members of each community. Empty communities are ignored.

    Returns
    -------
    float
        Mean of the two directed averages, in [0, 1]; 1 for equal covers (including two empty ones), 0 if one is empty.

    Raises
    ------
    UsageError
        The members are not integers from 0.

    References
    ----------
    Yang & Leskovec, "Overlapping community detection at scale: a nonnegative matrix factorization approach", WSDM 2013.

    Examples
    --------
    >>> average_f1([{0, 1, 2}, {2, 3}], [[0, 1, 2], [3]])
    0.8333333333333333
    """
    overlap, first_sizes, second_sizes = _overlaps(predicted, truth)
    if not (len(first_sizes) and len(second_sizes)):
        return float(len(first_sizes) == len(second_sizes))
    row, col = overlap.coords
    f1 = 2 * overlap.data / (first_sizes[row] + second_sizes[col])

    def mean_best(sizes: IntArray, own: _Index) -> float:
        best = np.zeros(len(sizes))
        np.maximum.at(best, own, f1)
        return float(best.mean())

    return (mean_best(first_sizes, row) + mean_best(second_sizes, col)) / 2


def onmi(predicted: Cover, truth: Cover, n_nodes: int) -> float:
    r"""Overlapping normalised mutual information of two covers, normalised by the larger entropy.

    Each community is a binary variable over the nodes. It is explained by the community of the other cover that leaves
    the least conditional entropy, among those with :math:`h(a) + h(d) \ge h(b) + h(c)`. Here a and d are the fractions
    of nodes in neither and in both communities, b and c those in only one of them, and :math:`h(x) = -x \log x`. Two
    disjoint communities (d = 0) satisfy the condition only if one of them contains more than half of the nodes, so the
    other disjoint pairs are skipped.

    Parameters
    ----------
    predicted, truth : sequence of sets or arrays of int
        The members of each community, as positions from 0 to `n_nodes` - 1. Empty communities are ignored.
    n_nodes : int
        Number of nodes, including those in no community.

    Returns
    -------
    float
        In [0, 1]; 1 for equal covers. If both covers have zero entropy (they are empty, or every community contains all
        nodes), it is 1 if both or neither of them have communities, and 0 otherwise.

    Raises
    ------
    UsageError
        The members are not integers from 0 to `n_nodes` - 1.

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

    overlap, first_sizes, second_sizes = _overlaps(predicted, truth, n_nodes)
    first_indices, second_indices = np.arange(len(first_sizes)), np.arange(len(second_sizes))
    # explicit zeros for the disjoint pairs that may satisfy the condition
    big_first, big_second = (np.flatnonzero(2 * sizes > n_nodes) for sizes in (first_sizes, second_sizes))
    row: _Index = np.concatenate(
        (overlap.coords[0], np.repeat(big_first, len(second_indices)), np.tile(first_indices, len(big_second)))
    )
    col: _Index = np.concatenate(
        (overlap.coords[1], np.tile(second_indices, len(big_first)), np.repeat(big_second, len(first_indices)))
    )
    pairs = coo_array((np.pad(overlap.data, (0, len(row) - overlap.nnz)), (row, col)), shape=overlap.shape)
    pairs.sum_duplicates()
    (row, col), both = pairs.coords, pairs.data

    def h(count: IntArray) -> FloatArray:
        return np.asarray(entr(count / n_nodes))

    only_first, only_second = first_sizes[row] - both, second_sizes[col] - both
    alike, unlike = h(n_nodes - only_first - only_second - both) + h(both), h(only_first) + h(only_second)
    allowed = alike >= unlike

    def entropies(own: _Index, own_sizes: IntArray, other: _Index, other_sizes: IntArray) -> tuple[float, float]:
        """Entropy of a cover, and its conditional entropy given the other cover."""
        entropy, other_entropy = (h(sizes) + h(n_nodes - sizes) for sizes in (own_sizes, other_sizes))
        left = entropy.copy()
        np.minimum.at(left, own[allowed], (alike + unlike - other_entropy[other])[allowed])
        return float(entropy.sum()), float(left.sum())

    (first_entropy, first_left), (second_entropy, second_left) = (
        entropies(row, first_sizes, col, second_sizes),
        entropies(col, second_sizes, row, first_sizes),
    )
    if max(first_entropy, second_entropy) == 0:
        return float((len(first_indices) > 0) == (len(second_indices) > 0))
    return max(
        (first_entropy - first_left + second_entropy - second_left) / (2 * max(first_entropy, second_entropy)), 0.0
    )


def omega(predicted: Cover, truth: Cover, n_nodes: int) -> float:
    """Omega index of two covers: how often pairs of nodes share equally many communities, adjusted for chance.

    1 for equal covers, about 0 for independent ones; of two partitions it is the adjusted Rand index. Takes memory in
    proportion to the pairs of nodes that share a community.

    Parameters
    ----------
    predicted, truth : sequence of sets or arrays of int
        The members of each community: node positions 0, ..., n_nodes - 1.
    n_nodes : int

    Returns
    -------
    float

    Raises
    ------
    UsageError
        A community contains a node beyond `n_nodes`.

    References
    ----------
    Collins & Dent, "Omega: a general formulation of the Rand index of cluster recovery suitable for non-disjoint
    solutions", Multivariate Behavioral Research 23, 1988.

    Examples
    --------
    >>> round(omega([[0, 1, 2], [2, 3, 4]], [[0, 1, 2], [3, 4]], 5), 4)
    0.6154
    """
    from scipy.sparse import triu

    shared = [triu(table.T @ table, k=1).tocsr() for table in _incidence(predicted, truth, n_nodes=n_nodes)[0]]
    n_pairs = n_nodes * (n_nodes - 1) / 2
    if n_pairs == 0:
        return 1.0
    union = (shared[0] + shared[1]).nnz
    differing = abs(shared[0] - shared[1])
    differing.eliminate_zeros()
    agreeing = (n_pairs - union + (union - differing.nnz)) / n_pairs
    most = int(max((table.data.max(initial=0) for table in shared), default=0))
    counts = [np.bincount(table.data.astype(np.int64), minlength=most + 1).astype(np.float64) for table in shared]
    for count, table in zip(counts, shared, strict=True):
        count[0] = n_pairs - table.nnz
    expected = float(counts[0] @ counts[1]) / n_pairs**2
    return 1.0 if expected == 1 else float((agreeing - expected) / (1 - expected))
