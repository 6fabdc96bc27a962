"""Graphs as rows of neighbors, connected parts, and sets of nodes; compiled by numba on first use and cached."""

from __future__ import annotations

from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from graphclust.errors import ResourceError
from graphclust.runtime.arrays import FloatArray, IntArray
from graphclust.runtime.compilation import compiled
from graphclust.runtime.storage import Storage, new_array, prefetch, windows
from graphclust.runtime.threads import Threads

__all__ = [
    "Adjacency",
    "IndexArray",
    "Records",
    "adjacency",
    "both_ends",
    "connected_parts",
    "connected_rows",
    "grouped",
    "mark_neighbors",
    "numbered",
    "read_ahead",
    "run_rows",
    "two_sides",
]

IndexArray: TypeAlias = NDArray[np.int32]
Records: TypeAlias = NDArray[np.void]

_FEW = 50_000  # fewer entries of rows than this are left to one thread
_MOST = 2**30  # edges or nodes
_BYTES_PER_ENTRY = 12  # of rows
_GAP = 256  # nodes whose rows are read, although they are not asked for, because they lie between others
_settings: dict[str, Any] = {"error_model": "numpy", "_nrt": False}
_public = compiled(nogil=True, **_settings)
_internal = compiled(inner=True, **_settings)


class Adjacency(NamedTuple):
    """The rows of a symmetric matrix without its diagonal.

    Attributes
    ----------
    start : ndarray of int64, shape (n + 1,)
    neighbor : ndarray of int32, shape (start[n],)
    weight : ndarray of float64, shape (start[n],) or (1,)
        A single weight if all edges have the same.
    """

    start: IntArray
    neighbor: IndexArray
    weight: FloatArray


# ------------------------------------------------------------------------------------------------ from edges


def both_ends(
    source: IntArray,
    target: IntArray,
    n: int,
    *,
    has_edges: bool = True,
    has_loops: bool = True,
    storage: Storage | None = None,
) -> tuple[IntArray, IndexArray, IndexArray]:
    """Return the rows of a symmetric matrix (CSR); a self-loop has two entries in its row.

    Parameters
    ----------
    source, target : ndarray of int, shape (m,)
        Each undirected edge once; fewer than 2^31 of them.
    n : int
    has_edges : bool
        Whether `edge` is filled in; it is empty otherwise.
    has_loops : bool
        Whether self-loops have entries.
    storage : Storage, optional
        Where the rows lie. They are filled in window by window.

    Returns
    -------
    start : ndarray of int64, shape (n + 1,)
    end, edge : ndarray of int32, shape (start[n],)
        `edge` is the edge of each entry. Rows are sorted if the edges are sorted by source and target, with source <=
        target.
    """
    start = np.zeros(n + 2, dtype=np.int64)
    _count_ends(source, target, start, has_loops)
    begin = start[1:].copy()
    end, edge = (new_array(storage, int(begin[-1]) * is_filled, np.int32) for is_filled in (True, has_edges))
    shared = (source, target, has_loops, start, end, edge)
    with Threads(storage=storage) as threads:
        for first, last in windows(storage, begin, 8 if has_edges else 4):
            run_rows(threads, begin, lambda _, first, last: _fill_rows(*shared, first, last), first, last)
            threads.release()
    return start[: n + 1], end, edge


@_public
def _count_ends(source: IntArray, target: IntArray, start: IntArray, has_loops: bool) -> None:
    """Write the start of each row to the entry of `start` after its own; there are two more entries than rows."""
    for e in range(len(source)):
        if has_loops or source[e] != target[e]:
            start[source[e] + 2] += 1
            start[target[e] + 2] += 1
    for i in range(len(start) - 2):
        start[i + 2] += start[i + 1]


@_public
def _fill_rows(
    source: IntArray,
    target: IntArray,
    has_loops: bool,
    start: IntArray,
    end: IndexArray,
    edge: IndexArray,
    first: int,
    last: int,
) -> None:
    """Fill in some of the rows of `both_ends`; `start` moves from the start of a row to that of the next one."""
    for e in range(len(source)):
        a, b = source[e], target[e]
        if not has_loops and a == b:
            continue
        if first <= a < last:
            i = start[a + 1]
            end[i], start[a + 1] = b, i + 1
            if len(edge) > 0:
                edge[i] = e
        if first <= b < last:
            i = start[b + 1]
            end[i], start[b + 1] = a, i + 1
            if len(edge) > 0:
                edge[i] = e


def adjacency(
    source: IntArray, target: IntArray, weight: FloatArray | None, n: int, storage: Storage | None = None
) -> Adjacency:
    """Return the rows of the edges that are not self-loops.

    Parameters
    ----------
    source, target : ndarray of int, shape (m,)
        Each edge once. Edges in both directions between two nodes are two entries of a row.
    weight : ndarray of float64, shape (m,), or None
    n : int
    storage : Storage, optional
        Where the rows lie; in memory by default.

    Raises
    ------
    ResourceError
        More edges or nodes than 32-bit indices can count.

    Examples
    --------
    >>> adjacency(np.array([0, 1, 2]), np.array([1, 2, 2]), None, 3).neighbor.tolist()
    [1, 0, 2, 1]
    """
    if max(len(source), n) >= _MOST:
        raise ResourceError(f"{len(source):,} edges and {n:,} nodes: there can be at most {_MOST - 1:,} of each")
    is_weighted = weight is not None
    start, neighbor, edge = both_ends(source, target, n, has_edges=is_weighted, has_loops=False, storage=storage)
    if weight is None:
        return Adjacency(start, neighbor, np.ones(1))
    weights = new_array(storage, len(edge), np.float64)
    for first, last in windows(storage, start, 16):
        weights[start[first] : start[last]] = weight[edge[start[first] : start[last]]]
    return Adjacency(start, neighbor, weights)


@_public
def _join(source: IntArray, target: IntArray, labels: IntArray, parent: IndexArray, parts: IntArray) -> int:
    """Write the connected part of each node to `parts`, by a forest whose roots are the first nodes of the parts."""
    for e in range(len(source)):
        if labels[source[e]] == labels[target[e]]:
            _unite(parent, source[e], target[e])
    return _number_roots(parent, parts)


@_public
def _join_rows(start: IntArray, neighbor: IndexArray, labels: IndexArray, parent: IndexArray, parts: IndexArray) -> int:
    """As `_join`, of a graph given by its rows."""
    for i in range(len(labels)):
        for e in range(start[i], start[i + 1]):
            j = neighbor[e]
            if j < i and labels[i] == labels[j]:
                _unite(parent, i, j)
    return _number_roots(parent, parts)


@_public
def _join_sides(source: IntArray, target: IntArray, parent: IndexArray, parts: IntArray) -> int:
    """Join the nodes of a cover that are on different sides of an edge, as `_join` does; see `two_sides`."""
    n = len(parent) // 2
    for e in range(len(source)):
        a, b = source[e], target[e]
        _unite(parent, a, b + n)
        _unite(parent, a + n, b)
    return _number_roots(parent, parts)


@_internal
def _unite(parent: IndexArray, i: int, j: int) -> None:
    """Join the trees of two nodes; the smaller of the roots becomes that of both."""
    while parent[i] != i:
        parent[i] = parent[parent[i]]
        i = parent[i]
    while parent[j] != j:
        parent[j] = parent[parent[j]]
        j = parent[j]
    parent[max(i, j)] = min(i, j)


@_internal
def _number_roots(parent: IndexArray, parts: IntArray) -> int:
    """Give numbers to the trees of a forest, in the order of their roots, which are their smallest nodes."""
    n = 0
    for i in range(len(parent)):
        if parent[i] == i:
            parts[i] = n
            n += 1
        else:
            parts[i] = parts[parent[i]]
    return n


def connected_parts(source: IntArray, target: IntArray, labels: IntArray) -> IntArray:
    """Return the connected parts of sets of nodes, numbered in the order of their first nodes; O(m log n).

    Parameters
    ----------
    source, target : ndarray of int, shape (m,)
    labels : ndarray of int64, shape (n,)
        Set of each node.

    Examples
    --------
    >>> connected_parts(np.array([0, 1]), np.array([1, 3]), np.array([5, 5, 5, 7]))
    array([0, 0, 1, 2])
    """
    parts = np.empty(len(labels), np.int64)
    _join(source, target, labels, np.arange(len(labels), dtype=np.int32), parts)
    return parts


def two_sides(source: IntArray, target: IntArray, n: int) -> IntArray | None:
    """Return a side for each node, 0 or 1, so that each edge joins two sides; None if there is no such way.

    The first node of each connected part is on side 0. For each node there are two in a cover of the graph, one for
    either side, and each edge joins different sides there. The graph has two sides if this doubles the parts.

    Parameters
    ----------
    source, target : ndarray of int, shape (m,)
    n : int

    Examples
    --------
    >>> two_sides(np.array([0, 1, 2]), np.array([1, 2, 3]), 4)
    array([0, 1, 0, 1])
    """
    parts = np.empty(2 * n, np.int64)
    _join_sides(source, target, np.arange(2 * n, dtype=np.int32), parts)
    one, other = parts[:n], parts[n:]
    if (one == other).any():
        return None
    return (one > other).astype(np.int64)  # parts are numbered in the order of their first nodes


def connected_rows(rows: Adjacency, labels: IndexArray) -> IndexArray:
    """Return what `connected_parts` does, of a graph given by its rows, as 32-bit integers."""
    parts = np.empty(len(labels), np.int32)
    _join_rows(rows.start, rows.neighbor, labels, np.arange(len(labels), dtype=np.int32), parts)
    return parts


@_public
def mark_neighbors(rows: Adjacency, nodes: NDArray[np.bool_], marked: NDArray[np.bool_]) -> None:
    """Mark the neighbors of some nodes."""
    for i in range(len(nodes)):
        if nodes[i]:
            for e in range(rows.start[i], rows.start[i + 1]):
                marked[rows.neighbor[e]] = True


# ------------------------------------------------------------------------------------------------ sets of nodes


@_public
def _number(labels: IndexArray, order: IndexArray, numbers: IndexArray) -> int:
    """Renumber labels in place; `numbers` is -1 for each label before. Return how many labels there are."""
    n = 0
    for t in range(len(order)):
        label = labels[order[t]]
        if numbers[label] < 0:
            numbers[label] = n
            n += 1
    for i in range(len(labels)):
        labels[i] = numbers[labels[i]]
    return n


def numbered(labels: IndexArray, order: IndexArray | None = None) -> tuple[IndexArray, int]:
    """Renumber labels 0, 1, ... by first appearance (in `order`, if given); return them and their number."""
    labels = labels.copy()
    order = np.arange(len(labels), dtype=np.int32) if order is None else order
    return labels, int(_number(labels, order, np.full(int(labels.max(initial=-1)) + 1, -1, np.int32)))


@_public
def _group(labels: IndexArray, order: IndexArray, start: IntArray, members: IndexArray) -> None:
    """Sort the nodes by label; `start` has two more entries than there are labels, and is 0 before."""
    for t in range(len(labels)):
        start[labels[t] + 2] += 1
    for c in range(len(start) - 2):
        start[c + 2] += start[c + 1]
    for t in range(len(labels)):
        i = order[t]
        c = labels[i] + 1
        members[start[c]] = i
        start[c] += 1


def grouped(labels: IndexArray, order: IndexArray, n_labels: int) -> tuple[IntArray, IndexArray]:
    """Return the nodes of each label in the given order: `members[start[c] : start[c + 1]]` are those of label c."""
    start, members = np.zeros(n_labels + 2, np.int64), np.empty(len(labels), np.int32)
    _group(labels, order, start, members)
    return start[:-1], members


def read_ahead(start: IntArray, nodes: IndexArray, *arrays: Any) -> list[tuple[int, int]]:
    """Ask the system to read the rows of some nodes, if they lie in files.

    Parameters
    ----------
    start : ndarray of int64, shape (n + 1,)
        Place of each row in the arrays.
    nodes : ndarray of int32
    *arrays
        Neighbors, weights and the like. An array with a single entry has no rows.

    Returns
    -------
    list of (int, int)
        Ranges of nodes that these are: consecutive ones, with small gaps.
    """
    step = np.diff(nodes)
    parts = np.split(nodes, np.flatnonzero((step < 0) | (step > _GAP)) + 1)
    ranges = [(int(part[0]), int(part[-1]) + 1) for part in parts if len(part)]
    entries = [(int(start[first]), int(start[last])) for first, last in ranges]
    for array in arrays:
        if len(array) > 1:
            prefetch(array, entries)
    return ranges


def run_rows(threads: Threads, work: IntArray, call: Any, first: int = 0, last: int | None = None) -> None:
    """Call `call(t, first, last)` in each thread t, for rows with about the same work; with a storage, in windows.

    Parameters
    ----------
    threads : Threads
    work : ndarray of int64, shape (n_rows + 1,)
        The work of all rows before a row.
    call : callable
    first, last : int
        The rows, by default all.
    """
    last = len(work) - 1 if last is None else last
    if threads.storage is not None and first == 0 and last == len(work) - 1:
        for begin, end in windows(threads.storage, work, _BYTES_PER_ENTRY):
            _run_some(threads, work, call, begin, end)
            threads.release()
    else:
        _run_some(threads, work, call, first, last)


def _run_some(threads: Threads, work: IntArray, call: Any, first: int, last: int) -> None:
    if work[last] - work[first] < _FEW:
        call(0, first, last)
        return
    shares = np.linspace(work[first], work[last], threads.number + 1)[1:-1]
    cuts = [first, *(first + np.searchsorted(work[first:last], shares)).tolist(), last]
    threads.run(lambda t: call(t, cuts[t], cuts[t + 1]))
