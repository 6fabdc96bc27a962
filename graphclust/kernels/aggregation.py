"""Graphs whose nodes are sets of nodes."""

from __future__ import annotations

import numpy as np

from graphclust.kernels.adjacency import Adjacency, IndexArray, grouped, run_rows
from graphclust.kernels.local_moves import add_up_rows, move_rows, new_sums
from graphclust.runtime.threads import Threads

__all__ = ["aggregated"]


def aggregated(rows: Adjacency, labels: IndexArray, n_labels: int, threads: Threads) -> Adjacency:
    """Return the graph whose nodes are sets of nodes, without the edges within a set.

    Parameters
    ----------
    rows : Adjacency
    labels : ndarray of int32, shape (n,)
        The set of each node: 0, ..., n_labels - 1.
    n_labels : int
    threads : Threads
        Each adds up some rows, so that sums do not depend on their number.
    """
    first_member, members = grouped(labels, np.arange(len(labels), dtype=np.int32), n_labels)
    place = np.zeros(n_labels + 1, np.int64)
    place[1:] = np.cumsum(np.bincount(labels, np.diff(rows.start), minlength=n_labels))
    neighbor, weight, n_neighbors = np.empty(place[-1], np.int32), np.empty(place[-1]), np.zeros(n_labels, np.int64)
    tables = [new_sums(min(int(np.diff(place).max()), n_labels)) for _ in range(threads.number)]

    def add_up(t: int, first: int, last: int) -> None:
        add_up_rows(rows, labels, first_member, members, place, neighbor, weight, n_neighbors, *tables[t], first, last)

    run_rows(threads, place, add_up)
    start = np.zeros(n_labels + 1, np.int64)
    np.cumsum(n_neighbors, out=start[1:])
    result = Adjacency(start, np.empty(start[-1], np.int32), np.empty(start[-1]))
    run_rows(threads, place, lambda _, first, last: move_rows(place, start, neighbor, weight, *result[1:], first, last))
    return result
