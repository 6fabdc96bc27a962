"""Graphs whose nodes are sets of nodes, or have other numbers."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from graphclust.kernels.adjacency import Adjacency, IndexArray, grouped, read_ahead, run_rows
from graphclust.kernels.local_moves import add_up_rows, is_very_large, move_rows, new_sums, renumber_rows
from graphclust.runtime.arrays import FloatArray, IntArray
from graphclust.runtime.storage import windows, without_readahead
from graphclust.runtime.threads import Threads

__all__ = ["Sums", "aggregated", "joined", "renumbered", "window_sums", "windows_of"]

_MOST_ENTRIES = 1 << 22  # of rows that are added up at once
_FEWER = 8  # times as few of sums that lie in files


class Sums(NamedTuple):
    """Sums of rows over some sets of nodes.

    Attributes
    ----------
    sets : ndarray of int32, shape (n_sets,)
        The sets, in ascending order.
    length : ndarray of int64, shape (n_sets,)
        Number of entries of each sum.
    neighbor, weight
        The entries of the sums, one after the other; neighbors are sets.
    """

    sets: IndexArray
    length: IntArray
    neighbor: IndexArray
    weight: FloatArray


def aggregated(rows: Adjacency, labels: IndexArray, n_labels: int, threads: Threads) -> Adjacency:
    """Return the graph whose nodes are sets of nodes, without the edges within a set.

    The rows of a large graph are added up in several windows of nodes: first those of each set within a window, and
    then what the windows have of each set. The windows depend on the graph alone, and so do the sums.

    Parameters
    ----------
    rows : Adjacency
    labels : ndarray of int32, shape (n,)
        The set of each node: 0, ..., n_labels - 1.
    n_labels : int
    threads : Threads
        Each adds up some rows, so that sums do not depend on their number.
    """
    return joined(_sums_of_windows(rows, labels, n_labels, threads), len(rows.neighbor), n_labels, threads)


def joined(sums: Iterable[Sums], n_entries: int, n_labels: int, threads: Threads) -> Adjacency:
    """Return the rows of sets whose sums were made window by window.

    Parameters
    ----------
    sums : iterable of Sums
        One for each of some windows of consecutive nodes.
    n_entries : int
        The number of entries of all windows.
    n_labels : int
    threads : Threads
    """
    partial = _Rows(n_entries, threads)
    for some in sums:
        partial.extended(some)
        threads.release()
    if partial.n_parts == 1:
        return partial.rows(n_labels)
    parts, owner = partial.rows(), partial.sets()
    first_row, members = grouped(owner, np.arange(len(owner), dtype=np.int32), n_labels)
    work = np.zeros(n_labels + 1, np.int64)
    work[1:] = np.cumsum(np.bincount(owner, np.diff(parts.start), minlength=n_labels))
    result, every = _Rows(len(parts.neighbor), threads), np.arange(n_labels, dtype=np.int32)
    most = _MOST_ENTRIES if threads.storage is None else _MOST_ENTRIES // _FEWER
    for first, last in _windows(work, most):  # each with whole sets, so that the sums do not depend on them
        with without_readahead(parts.neighbor, parts.weight):
            if threads.storage is not None:
                every_part = np.sort(members[first_row[first] : first_row[last]])
                read_ahead(parts.start, every_part, parts.neighbor, parts.weight)
            result.extended(_added_up(parts, every, first_row[first : last + 1], members, threads, first))
        threads.release()
    return result.rows(n_labels)


def windows_of(start: IntArray, most: int | None = None) -> list[tuple[int, int]]:
    """Return the windows of nodes whose rows are added up at once, with `most` entries or little more.

    `start` is that of the rows.
    """
    return list(_windows(start, _MOST_ENTRIES if most is None else most))


def _windows(work: IntArray, most: int) -> Iterator[tuple[int, int]]:
    """Yield ranges of rows of about the same work."""
    number = max(math.ceil(int(work[-1]) / most), 1)
    cuts = np.searchsorted(work[:-1], np.arange(1, number) * most).tolist()
    return pairwise([0, *cuts, len(work) - 1])


def _sums_of_windows(rows: Adjacency, labels: IndexArray, n_labels: int, threads: Threads) -> Iterator[Sums]:
    """Yield the sums of each window, which workers add up if there are any."""
    if threads.workers is not None and is_very_large(rows.start):
        yield from threads.workers.sums_of_windows(rows, labels, n_labels)
        return
    for first, last in windows_of(rows.start):
        some = Adjacency(rows.start[first : last + 1], rows.neighbor, rows.weight)
        yield window_sums(some, labels, n_labels, threads, first)


def window_sums(rows: Adjacency, labels: IndexArray, n_labels: int, threads: Threads, first: int = 0) -> Sums:
    """Add up some rows of a graph over sets of nodes.

    Parameters
    ----------
    rows : Adjacency
        The rows of consecutive nodes; `start` has places in `neighbor` and `weight`.
    labels : ndarray of int32, shape (n,)
        The set of each node of the graph.
    n_labels : int
    threads : Threads
    first : int
        The first of the nodes.
    """
    n = len(rows.start) - 1
    grouping = grouped(labels[first : first + n], np.arange(n, dtype=np.int32), n_labels)
    return _added_up(rows, labels, *grouping, threads)


def _added_up(
    rows: Adjacency,
    labels: IndexArray,
    first_member: IntArray,
    members: IndexArray,
    threads: Threads,
    first_set: int = 0,
) -> Sums:
    """Add up the rows of the members of some sets, which are numbered from `first_set` on."""
    n_sets, own = len(first_member) - 1, members[first_member[0] : first_member[-1]]
    ends = np.zeros(len(own) + 1, np.int64)
    np.cumsum(rows.start[own + 1] - rows.start[own], out=ends[1:])
    place = ends[first_member - first_member[0]]
    neighbor, weight = np.empty(place[-1], np.int32), np.empty(place[-1])
    length = np.zeros(n_sets, np.int64)
    most = min(int(np.diff(place).max(initial=0)), len(labels))
    tables = [new_sums(most) for _ in range(threads.number)]

    def add_up(t: int, first: int, last: int) -> None:
        shared = (rows, labels, first_set, first_member, members, place, neighbor, weight, length)
        add_up_rows(*shared, *tables[t], first, last)

    run_rows(threads, place, add_up)
    start = np.zeros(n_sets + 1, np.int64)
    np.cumsum(length, out=start[1:])
    result = np.empty(start[-1], np.int32), np.empty(start[-1])
    run_rows(threads, place, lambda _, first, last: move_rows(place, start, neighbor, weight, *result, first, last))
    sets = np.flatnonzero(length).astype(np.int32)
    return Sums(sets + np.int32(first_set), length[sets], *result)


class _Rows:
    """Rows of a graph that are appended one after the other, in a storage if there is one.

    Parameters
    ----------
    most : int
        The largest number of entries.
    threads : Threads
    """

    def __init__(self, most: int, threads: Threads) -> None:
        self._neighbor, self._weight = threads.new_array(most, np.int32), threads.new_array(most, np.float64)
        self._sets: list[IndexArray] = []
        self._lengths: list[IntArray] = []
        self._end = 0

    def extended(self, some: Sums) -> _Rows:
        """Append sums."""
        begin, self._end = self._end, self._end + len(some.neighbor)
        self._neighbor[begin : self._end] = some.neighbor
        self._weight[begin : self._end] = some.weight
        self._sets.append(some.sets)
        self._lengths.append(some.length)
        return self

    @property
    def n_parts(self) -> int:
        """How many times sums were appended."""
        return len(self._sets)

    def sets(self) -> IndexArray:
        """Return the set of each sum."""
        return np.concatenate(self._sets)

    def rows(self, n_sets: int | None = None) -> Adjacency:
        """Return all rows: one for each sum, or one for each of `n_sets` sets if no set has several."""
        length = np.concatenate(self._lengths)
        if n_sets is not None:
            every = np.zeros(n_sets, np.int64)
            every[self.sets()] = length
            length = every
        start = np.zeros(len(length) + 1, np.int64)
        np.cumsum(length, out=start[1:])
        return Adjacency(start, self._neighbor[: self._end], self._weight[: self._end])


def renumbered(rows: Adjacency, rank: IndexArray, threads: Threads) -> Adjacency:
    """Return a graph with other numbers of its nodes.

    Parameters
    ----------
    rows : Adjacency
    rank : ndarray of int32, shape (n,)
        The new number of each node.
    threads : Threads
    """
    n, is_weighted = len(rank), len(rows.weight) > 1
    start = np.zeros(n + 1, np.int64)
    start[rank + 1] = np.diff(rows.start)
    np.cumsum(start, out=start)
    neighbor = threads.new_array(len(rows.neighbor), np.int32)
    weight = threads.new_array(len(rows.weight), np.float64) if is_weighted else rows.weight
    result = Adjacency(start, neighbor, weight)
    for lowest, end in windows(threads.storage, start, 12 if is_weighted else 4):

        def renumber(_: int, first: int, last: int, lowest: int = lowest, end: int = end) -> None:
            renumber_rows(rows, rank, result, lowest, end, first, last)

        run_rows(threads, rows.start, renumber)
        threads.release()
    return result
