"""Graphs whose nodes are sets of nodes, or have other numbers."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import pairwise
from typing import Self

import numpy as np

from graphclust.kernels.adjacency import Adjacency, IndexArray, grouped, read_ahead, run_rows
from graphclust.kernels.local_moves import add_up_rows, move_rows, new_sums, renumber_rows
from graphclust.runtime.arrays import IntArray
from graphclust.runtime.storage import windows, without_readahead
from graphclust.runtime.threads import Threads

__all__ = ["aggregated", "renumbered"]

_MOST_ENTRIES = 1 << 22  # of rows that are added up at once


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
    n_windows = math.ceil(len(rows.neighbor) / _MOST_ENTRIES)
    if n_windows <= 1:
        return _Sums(rows, labels, threads).added(*_members(labels, 0, len(labels), n_labels)).rows()
    sums, sets = _Sums(rows, labels, threads), []
    for first, last in _windows(rows.start, n_windows):
        length = sums.added(*_members(labels, first, last, n_labels)).lengths[-1]
        sets.append(np.flatnonzero(length).astype(np.int32))
        sums.lengths[-1] = length[sets[-1]]
        threads.release()
    partial, owner = sums.rows(), np.concatenate(sets)
    first_row, members = _members(owner, 0, len(owner), n_labels)
    work = np.zeros(n_labels + 1, np.int64)
    work[1:] = np.cumsum(np.bincount(owner, np.diff(partial.start), minlength=n_labels))
    sums = _Sums(partial, np.arange(n_labels, dtype=np.int32), threads)
    for first, last in _windows(work, math.ceil(len(partial.neighbor) / _MOST_ENTRIES)):
        with without_readahead(partial.neighbor, partial.weight):
            if threads.storage is not None:
                read_ahead(partial, np.sort(members[first_row[first] : first_row[last]]))
            sums.added(first_row[first : last + 1], members, first)
        threads.release()
    return sums.rows()


def _windows(work: IntArray, number: int) -> Iterator[tuple[int, int]]:
    """Yield ranges of rows of about the same work, or a single one."""
    cuts = np.searchsorted(work[:-1], np.arange(1, number) * _MOST_ENTRIES).tolist()
    return pairwise([0, *cuts, len(work) - 1])


def _members(labels: IndexArray, first: int, last: int, n_labels: int) -> tuple[IntArray, IndexArray]:
    """Return the nodes of each label among first, ..., last - 1; see `grouped`."""
    start, members = grouped(labels[first:last], np.arange(last - first, dtype=np.int32), n_labels)
    return start, members + np.int32(first)


class _Sums:
    """Sums of rows of a graph over sets of nodes, one after the other.

    Attributes
    ----------
    lengths : list of ndarray of int64
        Number of entries of the sums that were added at once.
    """

    def __init__(self, rows: Adjacency, labels: IndexArray, threads: Threads) -> None:
        self._rows, self._labels, self._threads = rows, labels, threads
        most = len(rows.neighbor)
        self._neighbor, self._weight = threads.new_array(most, np.int32), threads.new_array(most, np.float64)
        self._end = 0
        self.lengths: list[IntArray] = []

    def added(self, first_member: IntArray, members: IndexArray, first_set: int = 0) -> Self:
        """Add the sums of the rows of the members of some sets, which are numbered from `first_set` on."""
        rows, labels, threads, n_sets = self._rows, self._labels, self._threads, len(first_member) - 1
        own = members[first_member[0] : first_member[-1]]
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
        end = self._end + int(start[-1])
        result = self._neighbor[self._end : end], self._weight[self._end : end]
        run_rows(threads, place, lambda _, first, last: move_rows(place, start, neighbor, weight, *result, first, last))
        self._end = end
        self.lengths.append(length)
        return self

    def rows(self) -> Adjacency:
        """Return all sums."""
        length = np.concatenate(self.lengths)
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
