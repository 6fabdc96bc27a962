"""Compiled by numba on first use and cached: edges from both ends, and moves of nodes that lower the normalized cut.

The normalized cut of K clusters that all have volume is K - sum_k in_k / vol_k, with in_k the weight of W inside
cluster k (each edge from both ends) and vol_k its summed degrees. Moving a node changes two of the terms, and by its
edges alone: O(its degree) to find the best of its neighbours' clusters.

| CNC | here | as printed? |
|---|---|---|
| 1 | `lower_cut`, `merge_cut` | as printed, in the form above; moves and merges are not in the paper |
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numba import njit
from numpy.typing import NDArray

__all__ = ["both_ends", "lower_cut", "merge_cut"]

FloatArray: TypeAlias = NDArray[np.float64]
IntArray: TypeAlias = NDArray[np.int64]
IndexArray: TypeAlias = NDArray[np.int32]

_LEAST = 1e-12  # a gain below this is rounding


@njit(cache=True)
def both_ends(source: IntArray, target: IntArray, n: int) -> tuple[IndexArray, IndexArray, IndexArray]:
    """Return the rows of a symmetric matrix (CSR) in one pass; a self-loop stands in its row twice.

    Parameters
    ----------
    source, target : ndarray of int64, shape (m,)
        Each undirected edge once; fewer than 2^30 of them.
    n : int

    Returns
    -------
    start, end, edge : ndarray of int32, shapes (n + 1,), (2 m,), (2 m,)
        `edge` says which edge an entry is. Where edges come by source and target, source <= target, rows are sorted.
    """
    start = np.zeros(n + 2, dtype=np.int32)
    for e in range(len(source)):
        start[source[e] + 2] += 1
        start[target[e] + 2] += 1
    for i in range(n):
        start[i + 2] += start[i + 1]
    end = np.empty(2 * len(source), dtype=np.int32)
    edge = np.empty(2 * len(source), dtype=np.int32)
    for e in range(len(source)):
        a, b = source[e], target[e]
        i = start[a + 1]  # where the row goes on; in the end, where the next begins
        end[i], edge[i] = b, e
        start[a + 1] = i + 1
        i = start[b + 1]
        end[i], edge[i] = a, e
        start[b + 1] = i + 1
    return start[: n + 1], end, edge


@njit(cache=True)
def lower_cut(
    start: IntArray,
    end: IntArray,
    weight: FloatArray,
    degree: FloatArray,
    extra: float,
    labels: IntArray,
    k: int,
    order: IntArray,
    max_sweeps: int,
) -> int:
    """Move nodes while that lowers the normalized cut; never the last of a cluster's volume.

    Parameters
    ----------
    start, end, weight : ndarray, shapes (n + 1,), (m,), (m,)
        W by rows (CSR); a self-loop with the weight that it has in the degree.
    degree : ndarray of float64, shape (n,)
        With what regularisation adds.
    extra : float
        Affinity that regularisation gives to each pair of nodes.
    labels : ndarray of int64, shape (n,)
        Below k. Changed in place.
    k : int
    order : ndarray of int64, shape (n,)
        In which nodes are visited; then those with a neighbour that has moved, and all again when these have settled,
        since each move changes the volumes for all.
    max_sweeps : int
        Visits, as a multiple of n.

    Returns
    -------
    int
        Moves made.
    """
    n = len(labels)
    inside, volume, size = np.zeros(k), np.zeros(k), np.zeros(k)
    for i in range(n):
        volume[labels[i]] += degree[i]
        size[labels[i]] += 1.0
        for e in range(start[i], start[i + 1]):
            if labels[end[e]] == labels[i]:
                inside[labels[i]] += weight[e]
    inside += extra * size**2
    queue = order.copy()
    waiting = np.ones(n, dtype=np.bool_)
    first, waits = 0, n
    link = np.zeros(k)
    touched = np.empty(k, dtype=np.int64)
    moves, moves_before = 0, 0
    visits = max_sweeps * n
    while visits:
        if not waits:
            if moves == moves_before:
                break
            moves_before = moves
            queue[:] = order
            waiting[:] = True
            first, waits = 0, n
        visits -= 1
        i = queue[first]
        first = (first + 1) % n
        waits -= 1
        waiting[i] = False
        own = labels[i]
        if degree[i] <= 0 or volume[own] - degree[i] <= _LEAST * volume[own]:
            continue
        seen, loop = 0, 0.0
        for e in range(start[i], start[i + 1]):
            if end[e] == i:
                loop += weight[e]
                continue
            other = labels[end[e]]
            if link[other] == 0.0:
                touched[seen] = other
                seen += 1
            link[other] += weight[e]
        alone = loop + extra
        left = inside[own] - 2 * link[own] - 2 * extra * (size[own] - 1) - alone
        change = left / (volume[own] - degree[i]) - inside[own] / volume[own]
        best, gain, best_inside = own, _LEAST, 0.0
        for j in range(seen):
            other = touched[j]
            if other != own:
                joined = inside[other] + 2 * link[other] + 2 * extra * size[other] + alone
                value = change + joined / (volume[other] + degree[i]) - inside[other] / max(volume[other], 1e-300)
                if value > gain:
                    best, gain, best_inside = other, value, joined
            link[other] = 0.0
        link[own] = 0.0
        if best == own:
            continue
        moves += 1
        labels[i] = best
        inside[own], inside[best] = left, best_inside
        volume[own] -= degree[i]
        volume[best] += degree[i]
        size[own] -= 1
        size[best] += 1
        for e in range(start[i], start[i + 1]):
            j = end[e]
            if not waiting[j] and j != i:
                waiting[j] = True
                queue[(first + waits) % n] = j
                waits += 1
    return moves


@njit(cache=True)
def _loss(link: FloatArray, volume: FloatArray, i: int, j: int, total: float, even: float) -> float:
    """Return what merging i and j takes from sum_k in_k / vol_k; pieces without volume count as whole.

    With `even`, as much of what it takes from the entropy of the volumes' shares.
    """
    a = link[i, i] / volume[i] if volume[i] > 0 else 1.0
    b = link[j, j] / volume[j] if volume[j] > 0 else 1.0
    both = volume[i] + volume[j]
    together = (link[i, i] + link[j, j] + 2 * link[i, j]) / both if both > 0 else 1.0
    found: float = a + b - together
    if even > 0 and volume[i] > 0 and volume[j] > 0:
        p, q = volume[i] / total, volume[j] / total
        found += even * ((p + q) * np.log(p + q) - p * np.log(p) - q * np.log(q))
    return found


@njit(cache=True)
def merge_cut(link: FloatArray, volume: FloatArray, k: int, even: float = 0.0) -> IntArray:
    """Merge pieces two by two until k are left, each time those whose merging keeps the normalized cut lowest.

    Parameters
    ----------
    link : ndarray of float64, shape (m, m)
        Sums of W between pieces, and within them on the diagonal. Overwritten.
    volume : ndarray of float64, shape (m,)
        Summed degrees. Overwritten.
    k : int
    even : float
        How much normalized cut a unit of entropy of the volumes' shares is worth.

    Returns
    -------
    ndarray of int64, shape (m,)
        The cluster of each piece, counted from 0.
    """
    m = len(volume)
    total = volume.sum()
    into = np.arange(m)
    alive = np.ones(m, dtype=np.bool_)
    partner = np.zeros(m, dtype=np.int64)
    cost = np.full(m, np.inf)
    for i in range(m):
        for j in range(i):
            value = _loss(link, volume, i, j, total, even)
            if value < cost[i]:
                cost[i], partner[i] = value, j
    for _ in range(m - k):
        i = int(np.argmin(cost))
        j = partner[i]
        alive[i] = False  # i goes into j, which is below it
        cost[i] = np.inf
        for c in range(m):
            if into[c] == i:
                into[c] = j
        link[j, j] += link[i, i] + 2 * link[i, j]
        volume[j] += volume[i]
        for c in range(m):
            if alive[c] and c != j:
                link[j, c] += link[i, c]
                link[c, j] = link[j, c]
        for c in range(m):
            if not alive[c]:
                continue
            if c == j or partner[c] == j or partner[c] == i:
                cost[c] = np.inf
                for other in range(c):
                    if alive[other]:
                        value = _loss(link, volume, c, other, total, even)
                        if value < cost[c]:
                            cost[c], partner[c] = value, other
            elif c > j:
                value = _loss(link, volume, c, j, total, even)
                if value < cost[c]:
                    cost[c], partner[c] = value, j
    number = np.cumsum(alive) - 1
    return number[into]
