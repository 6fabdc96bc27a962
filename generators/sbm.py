"""Stochastic block models: a partition, and an edge probability for each pair of blocks (Holland et al. 1983).

Time and memory grow with nodes + edges + pairs of blocks: the number of edges of a pair of blocks is binomial, and
given that number the edges are a uniform sample, without repeats, of the pairs of nodes.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from graphclust.errors import UsageError
from graphclust.graph import Graph, IntArray
from graphclust.seeds import check_seed

__all__ = ["planted_partition", "sbm"]


def _sample_subsets(rng: np.random.Generator, size: IntArray, count: IntArray) -> tuple[IntArray, IntArray]:
    """Draw, for each row r, `count[r]` distinct integers below `size[r]`, uniformly among all such subsets.

    Returns
    -------
    rows, values : ndarray of int64, shape (count.sum(),)
        Sorted by row, then value.
    """
    dense = 2 * count > size  # drawing what is left out needs fewer tries
    wanted = np.where(dense, size - count, count)
    start = np.concatenate(([0], np.cumsum(size)))[:-1]
    keys = np.empty(0, dtype=np.int64)
    missing = wanted
    while missing.any():  # values drawn twice are drawn anew: half of a row at most is taken, so few rounds suffice
        rows = np.repeat(np.arange(len(size)), missing)
        drawn = np.unique(start[rows] + rng.integers(0, size[rows]))
        fresh = drawn[~np.isin(drawn, keys, assume_unique=True)] if len(keys) else drawn
        keys = np.concatenate((keys, fresh))
        have = np.bincount(np.searchsorted(start, keys, side="right") - 1, minlength=len(size))
        missing = wanted - have
    keys.sort()
    if dense.any():
        full = np.flatnonzero(dense)
        every = np.repeat(start[full], size[full]) + _ranges(size[full])
        keep = ~dense[np.searchsorted(start, keys, side="right") - 1]
        keys = np.sort(np.concatenate((keys[keep], np.setdiff1d(every, keys[~keep], assume_unique=True))))
    rows = np.searchsorted(start, keys, side="right") - 1
    return rows, keys - start[rows]


def _ranges(lengths: IntArray) -> IntArray:
    """Concatenate arange(n) for each n."""
    ends = np.cumsum(lengths)
    return np.arange(ends[-1] if len(ends) else 0) - np.repeat(ends - lengths, lengths)


def _triangle(index: IntArray) -> tuple[IntArray, IntArray]:
    """Turn 0, 1, 2, 3, ... into the pairs i < j: (0, 1), (0, 2), (1, 2), (0, 3), ..."""
    j = ((1 + np.sqrt(1 + 8 * index.astype(np.float64))) / 2).astype(np.int64)
    j -= j * (j - 1) // 2 > index  # the root may be off by one
    j += (j + 1) * j // 2 <= index
    return index - j * (j - 1) // 2, j


def sbm(sizes: ArrayLike, probabilities: ArrayLike, *, random_state: Any = None) -> Graph:
    """Draw a graph from a stochastic block model: simple, undirected, no self-loops.

    Parameters
    ----------
    sizes : array of int, shape (n_blocks,)
        Nodes of each block, none of them 0.
    probabilities : array of float, shape (n_blocks, n_blocks)
        Edge probability for each pair of blocks; symmetric.
    random_state : int, Generator or None

    Returns
    -------
    Graph
        Nodes 0, 1, ... in an order that tells nothing of the blocks; `y` holds the blocks; `meta["generator"]` the
        parameters, `meta["realised"]` the share of the possible edges within and between blocks.

    Raises
    ------
    UsageError
        Sizes that are not positive, probabilities outside [0, 1] or not symmetric.

    Examples
    --------
    >>> sbm([20, 30], [[0.9, 0.1], [0.1, 0.8]], random_state=0).num_nodes
    50
    """
    counts = np.asarray(sizes, dtype=np.int64)
    matrix: NDArray[np.float64] = np.asarray(probabilities, dtype=np.float64)
    k = len(counts)
    if counts.ndim != 1 or k == 0 or (counts < 1).any():
        raise UsageError("block sizes are positive integers")
    if matrix.shape != (k, k) or not np.array_equal(matrix, matrix.T):
        raise UsageError(f"the probabilities of {k} blocks are a symmetric matrix of {k} x {k}")
    if not ((matrix >= 0) & (matrix <= 1)).all():
        raise UsageError("edge probabilities lie between 0 and 1")
    rng = np.random.default_rng(check_seed(random_state))
    n = int(counts.sum())
    first, second = np.triu_indices(k)
    pairs = np.where(first == second, counts[first] * (counts[first] - 1) // 2, counts[first] * counts[second])
    n_edges = rng.binomial(pairs, matrix[first, second])
    rows, index = _sample_subsets(rng, pairs, n_edges)
    start = np.concatenate(([0], np.cumsum(counts)))[:-1]
    inside = first[rows] == second[rows]
    low, high = _triangle(np.where(inside, index, 0))
    width = counts[second[rows]]
    source = start[first[rows]] + np.where(inside, low, index // width)
    target = start[second[rows]] + np.where(inside, high, index % width)
    place = rng.permutation(n)
    blocks = np.empty(n, dtype=np.int64)
    blocks[place] = np.repeat(np.arange(k), counts)
    diagonal = first == second
    return Graph.from_edges(
        place[source],
        place[target],
        nodes=n,
        y=blocks,
        meta={
            "generator": {"family": "sbm", "sizes": counts.tolist(), "probabilities": matrix.tolist()},
            "realised": {
                "p_in": float(n_edges[diagonal].sum() / max(int(pairs[diagonal].sum()), 1)),
                "p_out": float(n_edges[~diagonal].sum() / max(int(pairs[~diagonal].sum()), 1)),
            },
        },
    )


def planted_partition(n_nodes: int, n_clusters: int, *, p_in: float, p_out: float, random_state: Any = None) -> Graph:
    """Draw a planted partition: equal blocks, one edge probability within and one between (Condon & Karp 2001).

    Parameters
    ----------
    n_nodes, n_clusters : int
        Sizes of the blocks differ by one at most.
    p_in, p_out : float
    random_state : int, Generator or None

    Returns
    -------
    Graph
        As from `sbm`.

    Raises
    ------
    UsageError
        Fewer nodes than clusters, probabilities outside [0, 1].

    Examples
    --------
    >>> g = planted_partition(100, 4, p_in=0.5, p_out=0.01, random_state=0)
    >>> sorted(set(g.y.tolist()))
    [0, 1, 2, 3]
    """
    if not 1 <= n_clusters <= n_nodes:
        raise UsageError(f"{n_clusters} clusters of {n_nodes} nodes: each needs at least one node")
    sizes = np.full(n_clusters, n_nodes // n_clusters)
    sizes[: n_nodes % n_clusters] += 1
    probabilities = np.full((n_clusters, n_clusters), p_out)
    np.fill_diagonal(probabilities, p_in)
    graph = sbm(sizes, probabilities, random_state=random_state)
    graph.meta["generator"] = {
        "family": "planted-partition",
        "n_nodes": n_nodes,
        "n_clusters": n_clusters,
        "p_in": p_in,
        "p_out": p_out,
        "random_state": random_state if random_state is None else check_seed(random_state),
    }
    return graph
