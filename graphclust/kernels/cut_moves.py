"""Moves of nodes and mergers of pieces that keep the normalized cut low; compiled by numba on first use and cached.

The normalized cut of K clusters that all have volume is K - sum_k in_k / vol_k, where in_k is the weight of W inside
cluster k (each edge counts at both ends) and vol_k the sum of its degrees. Moving a node changes two of the terms,
which depend on its edges only. Finding the best of its neighbours' clusters therefore takes O(degree).

| CNC | here | as printed? |
|---|---|---|
| 1 | `lower_cut`, `merge_cut` | as printed, in the form above; moves and merges are not in the paper |
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from graphclust.runtime.compilation import compiled

__all__ = ["lower_cut", "merge_cut"]

FloatArray: TypeAlias = NDArray[np.float64]
IntArray: TypeAlias = NDArray[np.int64]
IndexArray: TypeAlias = NDArray[np.int32]

_MIN_GAIN = 1e-12  # smaller gains are rounding errors
_loop = compiled(_nrt=False, error_model="numpy")  # allocates nothing
_internal = compiled(_nrt=False, error_model="numpy", inner=True)

# Two functions are inlined, because calls with so many arrays would make `lower_cut` a third slower. Loops stand
# instead of array expressions, which take numba twice as long to compile, and NumPy allocates most arrays.


@compiled()
def _cluster_sums(
    start: IntArray, end: IntArray, weight: FloatArray, degree: FloatArray, extra: float, labels: IntArray, k: int
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return the inner weight, the volume and the size of each cluster, shape (k,); see `lower_cut`."""
    inside, volume, size = np.zeros(k), np.zeros(k), np.zeros(k)
    for i in range(len(labels)):
        volume[labels[i]] += degree[i]
        size[labels[i]] += 1.0
        for e in range(start[i], start[i + 1]):
            if labels[end[e]] == labels[i]:
                inside[labels[i]] += weight[e]
    for c in range(k):
        inside[c] += extra * size[c] ** 2
    return inside, volume, size


@compiled(cache=False, inline="always")
def _link_to_clusters(
    i: int,
    start: IntArray,
    end: IntArray,
    weight: FloatArray,
    labels: IntArray,
    link: FloatArray,
    linked: IntArray,
) -> tuple[int, float]:
    """Add the weights of a node's edges to `link`, shape (k,), which is 0 before.

    Returns
    -------
    n_linked : int
        The number of clusters that the edges lead to. `linked` starts with them.
    loop : float
        The weight of the self-loop.
    """
    n_linked, loop = 0, 0.0
    for e in range(start[i], start[i + 1]):
        if end[e] == i:
            loop += weight[e]
            continue
        cluster = labels[end[e]]
        if link[cluster] == 0.0:
            linked[n_linked] = cluster
            n_linked += 1
        link[cluster] += weight[e]
    return n_linked, loop


@compiled(cache=False, inline="always")
def _move_to_best(
    i: int,
    degree: FloatArray,
    extra: float,
    labels: IntArray,
    inside: FloatArray,
    volume: FloatArray,
    size: FloatArray,
    link: FloatArray,
    linked: IntArray,
    n_linked: int,
    loop: float,
) -> bool:
    """Move a node to the linked cluster that lowers the normalized cut most, if any does; reset `link` to 0."""
    own = labels[i]
    alone = loop + extra
    inside_without = inside[own] - 2 * link[own] - 2 * extra * (size[own] - 1) - alone
    change = inside_without / (volume[own] - degree[i]) - inside[own] / volume[own]
    best, best_gain, best_inside = own, _MIN_GAIN, 0.0
    for j in range(n_linked):
        other = linked[j]
        if other != own:
            inside_with = inside[other] + 2 * link[other] + 2 * extra * size[other] + alone
            gain = change + inside_with / (volume[other] + degree[i]) - inside[other] / max(volume[other], 1e-300)
            if gain > best_gain:
                best, best_gain, best_inside = other, gain, inside_with
        link[other] = 0.0
    link[own] = 0.0
    if best == own:
        return False
    labels[i] = best
    inside[own], inside[best] = inside_without, best_inside
    volume[own] -= degree[i]
    volume[best] += degree[i]
    size[own] -= 1
    size[best] += 1
    return True


@compiled()
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
    """Move nodes as long as that lowers the normalized cut. No cluster loses all of its volume.

    Parameters
    ----------
    start, end, weight : ndarray, shapes (n + 1,), (m,), (m,)
        W by rows (CSR). A self-loop has the weight that it has in the degree.
    degree : ndarray of float64, shape (n,)
        Degrees, with what regularisation adds.
    extra : float
        Affinity that regularisation adds to each pair of nodes.
    labels : ndarray of int64, shape (n,)
        Clusters, below k. Changed in place.
    k : int
    order : ndarray of int64, shape (n,)
        Order in which nodes are visited. Afterwards, nodes with a neighbour that has moved are visited, and then all
        nodes again, since each move changes the volumes for all.
    max_sweeps : int
        Maximum number of visits, as a multiple of n.

    Returns
    -------
    int
        Number of moves.
    """
    n = len(labels)
    inside, volume, size = _cluster_sums(start, end, weight, degree, extra, labels, k)
    queue = order.copy()
    is_queued = np.ones(n, dtype=np.bool_)
    first, n_queued = 0, n
    link = np.zeros(k)
    linked = np.empty(k, dtype=np.int64)
    n_moves, n_moves_before = 0, 0
    for _ in range(max_sweeps * n):
        if not n_queued:
            if n_moves == n_moves_before:
                break
            n_moves_before = n_moves
            for j in range(n):
                queue[j] = order[j]
                is_queued[j] = True
            first, n_queued = 0, n
        i = queue[first]
        first = (first + 1) % n
        n_queued -= 1
        is_queued[i] = False
        own_volume = volume[labels[i]]
        if degree[i] <= 0 or own_volume - degree[i] <= _MIN_GAIN * own_volume:
            continue
        n_linked, loop = _link_to_clusters(i, start, end, weight, labels, link, linked)
        if not _move_to_best(i, degree, extra, labels, inside, volume, size, link, linked, n_linked, loop):
            continue
        n_moves += 1
        for e in range(start[i], start[i + 1]):
            j = end[e]
            if not is_queued[j] and j != i:
                is_queued[j] = True
                queue[(first + n_queued) % n] = j
                n_queued += 1
    return n_moves


@_internal
def _loss(link: FloatArray, volume: FloatArray, i: int, j: int, total: float, evenness: float) -> float:
    """Return by how much merging i and j lowers sum_k in_k / vol_k, in which a piece without volume counts 1.

    With `evenness`, the loss of entropy of the volumes' shares is added.
    """
    a = link[i, i] / volume[i] if volume[i] > 0 else 1.0
    b = link[j, j] / volume[j] if volume[j] > 0 else 1.0
    both = volume[i] + volume[j]
    together = (link[i, i] + link[j, j] + 2 * link[i, j]) / both if both > 0 else 1.0
    loss: float = a + b - together
    if evenness > 0 and volume[i] > 0 and volume[j] > 0:
        p, q = volume[i] / total, volume[j] / total
        loss += evenness * ((p + q) * np.log(p + q) - p * np.log(p) - q * np.log(q))
    return loss


@_internal
def _find_partner(
    i: int,
    link: FloatArray,
    volume: FloatArray,
    alive: NDArray[np.bool_],
    total: float,
    evenness: float,
    cost: FloatArray,
    partner: IntArray,
) -> None:
    """Set the piece below i with which it is merged at the least cost, and the cost; it is infinite without any."""
    cost[i] = np.inf
    for j in range(i):
        if alive[j]:
            loss = _loss(link, volume, i, j, total, evenness)
            if loss < cost[i]:
                cost[i], partner[i] = loss, j


@_internal
def _merge(i: int, j: int, link: FloatArray, volume: FloatArray, alive: NDArray[np.bool_], piece_of: IntArray) -> None:
    """Merge piece i into j."""
    alive[i] = False
    for c in range(len(piece_of)):
        if piece_of[c] == i:
            piece_of[c] = j
    link[j, j] += link[i, i] + 2 * link[i, j]
    volume[j] += volume[i]
    for c in range(len(volume)):
        if alive[c] and c != j:
            link[j, c] += link[i, c]
            link[c, j] = link[j, c]


@_internal
def _cheapest(cost: FloatArray) -> int:
    """Return the first piece of those whose merger costs least."""
    best = 0
    for i in range(1, len(cost)):
        if cost[i] < cost[best]:
            best = i
    return best


def merge_cut(link: FloatArray, volume: FloatArray, k: int, evenness: float = 0.0) -> IntArray:
    """Merge pieces until k are left, in each step the two whose merging keeps the normalized cut lowest.

    Parameters
    ----------
    link : ndarray of float64, shape (m, m)
        Sums of W between pieces, and within pieces on the diagonal. Overwritten.
    volume : ndarray of float64, shape (m,)
        Summed degrees. Overwritten.
    k : int
    evenness : float
        How much normalized cut a unit of entropy of the volumes' shares is worth.

    Returns
    -------
    ndarray of int64, shape (m,)
        The cluster of each piece, from 0.
    """
    m = len(volume)
    piece_of = np.arange(m)
    _merge_all(link, volume, k, evenness, piece_of, np.ones(m, dtype=np.bool_), np.zeros(m, dtype=np.int64), np.ones(m))
    return np.unique(piece_of, return_inverse=True)[1]


@_loop
def _merge_all(
    link: FloatArray,
    volume: FloatArray,
    k: int,
    evenness: float,
    piece_of: IntArray,
    alive: NDArray[np.bool_],
    partner: IntArray,
    cost: FloatArray,
) -> None:
    """Merge pieces as `merge_cut` does; the last four arrays have a place for each piece."""
    m = len(volume)
    total = 0.0
    for i in range(m):
        total += volume[i]
    for i in range(m):
        _find_partner(i, link, volume, alive, total, evenness, cost, partner)
    for _ in range(m - k):
        i = _cheapest(cost)
        j = partner[i]  # below i
        cost[i] = np.inf
        _merge(i, j, link, volume, alive, piece_of)
        for c in range(m):
            if not alive[c]:
                continue
            if c == j or partner[c] == j or partner[c] == i:
                _find_partner(c, link, volume, alive, total, evenness, cost, partner)
            elif c > j:
                loss = _loss(link, volume, c, j, total, evenness)
                if loss < cost[c]:
                    cost[c], partner[c] = loss, j
