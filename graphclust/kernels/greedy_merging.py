"""Greedy merging of communities by modularity (Clauset, Newman & Moore 2004); compiled by numba and cached.

At first each node is a community. In each step, the two with an edge between them are merged whose merging adds most to
the modularity, or takes least from it. Ties go to the pair with the smallest numbers. If u is merged into v, what
merging v with w adds is

    D_uw + D_vw                                if w has edges to both,
    D_vw - gamma (a_u b_w + a_w b_u)           if only to v, and likewise for u,

where a and b are the shares of all ends of edges that lie at a community, of outgoing and incoming edges if the graph
is directed. A pair of communities is in the lists of both, and in a heap of all pairs. A step takes
O((d_u + d_v) log m), with d the number of pairs of a community.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from graphclust.runtime.arrays import FloatArray, IntArray
from graphclust.runtime.compilation import compiled

__all__ = ["merge_greedily"]

_NONE: Any = np.int64(-1)
_settings: dict[str, Any] = {"error_model": "numpy", "_nrt": False}
_public = compiled(nogil=True, **_settings)
_internal = compiled(inner=True, **_settings)


@_internal
def _comes_first(p: int, q: int, gain: FloatArray, ends: IntArray) -> bool:
    """Whether pair p is merged before pair q."""
    if gain[p] != gain[q]:
        return gain[p] > gain[q]
    if ends[p, 0] != ends[q, 0]:
        return ends[p, 0] < ends[q, 0]
    return ends[p, 1] < ends[q, 1]


@_internal
def _sift(place: int, length: int, heap: IntArray, places: IntArray, gain: FloatArray, ends: IntArray) -> None:
    """Move the pair at a place of the heap to where it belongs."""
    p = heap[place]
    while place > 0:
        above = (place - 1) // 2
        if not _comes_first(p, heap[above], gain, ends):
            break
        heap[place] = heap[above]
        places[heap[place]] = place
        place = above
    while True:
        below = 2 * place + 1
        if below >= length:
            break
        if below + 1 < length and _comes_first(heap[below + 1], heap[below], gain, ends):
            below += 1
        if not _comes_first(heap[below], p, gain, ends):
            break
        heap[place] = heap[below]
        places[heap[place]] = place
        place = below
    heap[place] = p
    places[p] = place


@_internal
def _remove(p: int, length: int, heap: IntArray, places: IntArray, gain: FloatArray, ends: IntArray) -> int:
    """Remove a pair from the heap; return the new length."""
    place, last = places[p], heap[length - 1]
    if last != p:
        heap[place] = last
        places[last] = place
        _sift(place, length - 1, heap, places, gain, ends)
    return length - 1


@_internal
def _unlink(h: int, c: int, first: IntArray, after: IntArray, before: IntArray) -> None:
    """Remove half h of a pair from the list of community c."""
    if before[h] >= 0:
        after[before[h]] = after[h]
    else:
        first[c] = after[h]
    if after[h] >= 0:
        before[after[h]] = before[h]


@_internal
def _link(h: int, c: int, first: IntArray, after: IntArray, before: IntArray) -> None:
    """Put half h of a pair into the list of community c."""
    after[h], before[h] = first[c], _NONE
    if first[c] >= 0:
        before[first[c]] = h
    first[c] = h


@_internal
def _order_ends(p: int, u: int, v: int, ends: IntArray) -> None:
    ends[p, 0], ends[p, 1] = min(u, v), max(u, v)


@_public
def _merge_all(
    halves: IntArray,
    gain: FloatArray,
    out_share: FloatArray,
    in_share: FloatArray,
    is_directed: bool,
    resolution: float,
    fewest: int,
    most: int,
    into: IntArray,
    heap: IntArray,
    places: IntArray,
    ends: IntArray,
    first: IntArray,
    after: IntArray,
    before: IntArray,
    mark: IntArray,
) -> int:
    """Merge until nothing gains, or the numbers say otherwise; return how many communities are left.

    `halves[2 p]` and `halves[2 p + 1]` are the communities of pair p. Half h is in the list of `halves[h]`.
    """
    n_left, length = len(into), len(gain)
    for p in range(length):
        _order_ends(p, halves[2 * p], halves[2 * p + 1], ends)
        heap[p] = p
        _sift(p, p + 1, heap, places, gain, ends)
        _link(2 * p, halves[2 * p], first, after, before)
        _link(2 * p + 1, halves[2 * p + 1], first, after, before)
    while n_left > fewest and length > 0:
        best = heap[0]
        if gain[best] < 0.0 and n_left <= most:
            break
        u, v = ends[best, 0], ends[best, 1]
        length = _remove(best, length, heap, places, gain, ends)
        _unlink(2 * best, halves[2 * best], first, after, before)
        _unlink(2 * best + 1, halves[2 * best + 1], first, after, before)
        into[u] = v
        n_left -= 1
        h = first[v]
        while h >= 0:  # marks are halves, counted from 1
            mark[halves[h ^ 1]] = h + 1
            h = after[h]
        h = first[u]
        while h >= 0:
            following, w, p = after[h], halves[h ^ 1], h // 2
            if mark[w] > 0:  # w has a pair with either: it keeps that with v
                q = (mark[w] - 1) // 2
                gain[q] += gain[p]
                mark[w] = 0
                length = _remove(p, length, heap, places, gain, ends)
                _unlink(h ^ 1, w, first, after, before)
                _sift(places[q], length, heap, places, gain, ends)
            else:
                gain[p] -= resolution * (out_share[v] * in_share[w] + out_share[w] * in_share[v])
                halves[h] = v
                _order_ends(p, v, w, ends)
                _sift(places[p], length, heap, places, gain, ends)
                _link(h, v, first, after, before)
            h = following
        first[u] = _NONE
        h = first[v]
        while h >= 0:
            w = halves[h ^ 1]
            if mark[w] == h + 1:
                gain[h // 2] -= resolution * (out_share[u] * in_share[w] + out_share[w] * in_share[u])
                mark[w] = 0
                _sift(places[h // 2], length, heap, places, gain, ends)
            h = after[h]
        out_share[v] += out_share[u]
        if is_directed:
            in_share[v] += in_share[u]
    return n_left


def merge_greedily(
    source: IntArray,
    target: IntArray,
    weight: FloatArray,
    out_degree: FloatArray,
    in_degree: FloatArray,
    *,
    directed: bool,
    resolution: float = 1.0,
    fewest: int = 1,
    most: int | None = None,
) -> IntArray:
    """Merge communities as long as this adds to the modularity.

    Parameters
    ----------
    source, target : ndarray of int, shape (m,)
        Pairs of nodes with edges between them, each pair once, and no self-loops.
    weight : ndarray of float64, shape (m,)
        Of all edges of each pair, in both directions.
    out_degree, in_degree : ndarray of float64, shape (n,)
        Sums of the weights of all edges, with self-loops; both are the degree if the graph is not directed.
    directed : bool
    resolution : float
        The factor gamma of the expected term.
    fewest : int
        Number of communities at which merging ends in any case.
    most : int, optional
        Merging goes on until there are at most so many, also if it takes from the modularity. By default n.

    Returns
    -------
    ndarray of int64, shape (n,)
        The community of each node, named by the one of its nodes into which all others were merged.

    Examples
    --------
    >>> path = np.arange(5)
    >>> degree = np.array([1.0, 2.0, 2.0, 2.0, 1.0])
    >>> merge_greedily(path[:-1], path[1:], np.ones(4), degree, degree, directed=False)
    array([2, 2, 2, 4, 4])
    """
    n, m = len(out_degree), len(source)
    unit = 1.0 / float(out_degree.sum() if directed else out_degree.sum() / 2)  # of weight, as a share of all
    a = out_degree * unit if directed else out_degree * unit * 0.5
    b = in_degree * unit if directed else a
    gain = unit * weight - resolution * (a[source] * b[target] + b[source] * a[target])
    into, halves = np.arange(n), np.stack((source, target), axis=1).astype(np.int64).ravel()
    lists = np.full(n, -1, np.int64), np.empty(2 * m, np.int64), np.empty(2 * m, np.int64)
    pairs = np.empty(m, np.int64), np.empty(m, np.int64), np.empty((m, 2), np.int64)
    numbers = float(resolution), int(fewest), n if most is None else int(most)
    _merge_all(halves, gain, a, b, directed, *numbers, into, *pairs, *lists, np.zeros(n, np.int64))
    while not np.array_equal(into, further := into[into]):
        into = further
    return into
