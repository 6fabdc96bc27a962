"""Graphs whose nodes are sets of nodes, or have other numbers."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from graphclust.kernels.adjacency import Adjacency, IndexArray, grouped, run_rows
from graphclust.kernels.local_moves import add_up_rows, move_rows, new_sums, renumber_rows
from graphclust.runtime.arrays import FloatArray, IntArray
from graphclust.runtime.storage import windows
from graphclust.runtime.threads import Threads

__all__ = ["aggregated", "renumbered"]

_MOST_ENTRIES = 1 << 22  # of rows that are added up at once


class _Piece(NamedTuple):
    """Some rows: the number of entries of each, shape (n_rows,), and all entries, shape (sum of the numbers,)."""

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
    n_windows = math.ceil(len(rows.neighbor) / _MOST_ENTRIES)
    if n_windows <= 1:
        return _joined([_added_up(rows, labels, *_members(labels, 0, len(labels), n_labels), 0, threads)], threads)
    cuts = np.searchsorted(rows.start, np.arange(n_windows + 1) * _MOST_ENTRIES).tolist()
    cuts[-1] = len(labels)
    pieces: list[_Piece] = []
    sets = []
    for first, last in pairwise(cuts):
        piece = _added_up(rows, labels, *_members(labels, first, last, n_labels), 0, threads)
        sets.append(np.flatnonzero(piece.length).astype(np.int32))
        pieces.append(piece._replace(length=piece.length[sets[-1]]))
        threads.release()
    partial, owner = _joined(pieces, threads), np.concatenate(sets)
    del pieces, sets
    first_row, members = _members(owner, 0, len(owner), n_labels)
    numbers, pieces = np.arange(n_labels, dtype=np.int32), []
    work = np.zeros(n_labels + 1, np.int64)
    work[1:] = np.cumsum(np.bincount(owner, np.diff(partial.start), minlength=n_labels))
    for first, last in windows(threads.storage, work, 24):
        shifted = first_row[first : last + 1]
        pieces.append(_added_up(partial, numbers, shifted, members, first, threads))
        threads.release()
    return _joined(pieces, threads)


def _members(labels: IndexArray, first: int, last: int, n_labels: int) -> tuple[IntArray, IndexArray]:
    """Return the nodes of each label among first, ..., last - 1; see `grouped`."""
    start, members = grouped(labels[first:last], np.arange(last - first, dtype=np.int32), n_labels)
    return start, members + np.int32(first)


def _added_up(
    rows: Adjacency,
    labels: IndexArray,
    first_member: IntArray,
    members: IndexArray,
    first_set: int,
    threads: Threads,
) -> _Piece:
    """Return the sums of the rows of the members of some sets, which are numbered from `first_set` on."""
    n_sets = len(first_member) - 1
    own = members[first_member[0] : first_member[-1]]
    place = np.zeros(n_sets + 1, np.int64)
    ends = np.zeros(len(own) + 1, np.int64)
    np.cumsum(rows.start[own + 1] - rows.start[own], out=ends[1:])
    place[:] = ends[first_member - first_member[0]]
    shape = int(place[-1])
    neighbor, weight = threads.new_array(shape, np.int32), threads.new_array(shape, np.float64)
    length = np.zeros(n_sets, np.int64)
    most = min(int(np.diff(place).max(initial=0)), len(labels))
    tables = [new_sums(most) for _ in range(threads.number)]

    def add_up(t: int, first: int, last: int) -> None:
        shared = (rows, labels, first_set, first_member, members, place, neighbor, weight, length)
        add_up_rows(*shared, *tables[t], first, last)

    run_rows(threads, place, add_up)
    start = np.zeros(n_sets + 1, np.int64)
    np.cumsum(length, out=start[1:])
    result = threads.new_array(int(start[-1]), np.int32), threads.new_array(int(start[-1]), np.float64)
    run_rows(threads, place, lambda _, first, last: move_rows(place, start, neighbor, weight, *result, first, last))
    return _Piece(length, *result)


def _joined(pieces: list[_Piece], threads: Threads) -> Adjacency:
    """Return the rows of several pieces, one after the other."""
    length = np.concatenate([piece.length for piece in pieces])
    start = np.zeros(len(length) + 1, np.int64)
    np.cumsum(length, out=start[1:])
    if len(pieces) == 1:
        return Adjacency(start, pieces[0].neighbor, pieces[0].weight)
    n_entries = int(start[-1])
    neighbor, weight = threads.new_array(n_entries, np.int32), threads.new_array(n_entries, np.float64)
    place = 0
    for piece in pieces:
        end = place + len(piece.neighbor)
        neighbor[place:end], weight[place:end] = piece.neighbor, piece.weight
        place = end
        threads.release()
    return Adjacency(start, neighbor, weight)


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
