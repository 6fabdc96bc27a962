"""Edges of a graph that does not fit into memory: they come in pieces, and are sorted and merged in files."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from graphclust.graph.edges import _merge_edges
from graphclust.runtime.arrays import FloatArray, IntArray, index_dtype
from graphclust.runtime.storage import Storage

__all__ = ["Edges", "chosen_edges", "pieces_of", "sorted_edges"]

_BYTES_TO_SORT = 32  # of a window for each edge of a bucket; sorting takes some times as much memory
_PIECE = 1 << 21  # edges


class Edges(NamedTuple):
    """Ends of some edges as positions of nodes, and their weights; None where each counts 1."""

    source: IntArray
    target: IntArray
    weight: FloatArray | None


def pieces_of(edges: Edges) -> Iterator[Edges]:
    """Yield consecutive pieces of edges."""
    source, target, weight = edges
    for first in range(0, len(source), _PIECE):
        part = slice(first, first + _PIECE)
        yield Edges(source[part], target[part], None if weight is None else weight[part])


def sorted_edges(pieces: Callable[[], Iterable[Edges]], n_nodes: int, directed: bool, storage: Storage) -> Edges:
    """Sort edges, and add up the weights of parallel ones.

    The edges are dealt out to buckets by their first node, each of which fits into memory.

    Parameters
    ----------
    pieces : callable
        Returns the edges from the first to the last, twice. Weights are all there or all None, finite and positive.
    n_nodes : int
    directed : bool
        Whether edges in opposite directions are different.
    storage : Storage

    Returns
    -------
    Edges
        As of `Graph`.
    """
    count = np.zeros(n_nodes, np.int64)
    is_weighted = False
    for piece in pieces():
        np.add.at(count, piece.source if directed else np.minimum(piece.source, piece.target), 1)
        is_weighted = piece.weight is not None
    before = np.concatenate(([0], np.cumsum(count)))
    cuts = _cuts(before, storage)
    index, n_edges = index_dtype(n_nodes), int(before[-1])
    source, target = storage.array(n_edges, index), storage.array(n_edges, index)
    weight = storage.array(n_edges, np.float64) if is_weighted else None
    end = before[cuts]
    for piece in pieces():
        tail, head = piece.source, piece.target
        if not directed:
            tail, head = np.minimum(tail, head), np.maximum(tail, head)
        bucket = np.searchsorted(cuts, tail, side="right") - 1
        order = np.argsort(bucket, kind="stable")
        sizes = np.bincount(bucket, minlength=len(cuts))
        stop = np.cumsum(sizes)
        for number in np.flatnonzero(sizes).tolist():
            some = order[stop[number] - sizes[number] : stop[number]]
            place = slice(end[number], end[number] + len(some))
            source[place], target[place] = tail[some], head[some]
            if weight is not None and piece.weight is not None:
                weight[place] = piece.weight[some]
            end[number] += len(some)
        storage.release()
    return _merged(Edges(source, target, weight), before[cuts].tolist(), n_nodes, storage)


def _cuts(before: IntArray, storage: Storage) -> IntArray:
    """Return the first node of each bucket, and the number of nodes; `before` counts the edges of earlier nodes."""
    n_edges, most = int(before[-1]), max(storage.window // _BYTES_TO_SORT, 1)
    cuts = np.searchsorted(before, np.arange(0, n_edges, most), side="right") - 1
    cuts[:1] = 0
    return np.unique(np.append(cuts, len(before) - 1))


def _merged(edges: Edges, start: list[int], n_nodes: int, storage: Storage) -> Edges:
    """Sort each bucket, and close the gaps that parallel edges leave."""
    source, target, weight = edges
    n_all, place = len(source), 0
    for first, last in pairwise(start):
        part = slice(first, last)
        own = None if edges.weight is None else edges.weight[part]
        tail, head, added = _merge_edges(source[part], target[part], own, n_nodes, True)
        if added is not None and weight is None:  # the first parallel edges without weights
            weight = storage.array(n_all, np.float64)
            weight[:place] = 1.0
        end = place + len(tail)
        source[place:end], target[place:end] = tail, head
        if weight is not None:
            weight[place:end] = 1.0 if added is None else added
        place = end
        storage.release()
    return Edges(source[:place], target[:place], None if weight is None else weight[:place])


def chosen_edges(edges: Edges, place: IntArray | None, storage: Storage) -> Edges:
    """Return the edges between chosen nodes, or those that are no self-loops.

    Parameters
    ----------
    edges : Edges
    place : ndarray of int, shape (n_nodes,), or None
        The new position of each node, -1 for those that are not chosen; the order is kept. None takes all nodes and
        leaves out self-loops.
    storage : Storage
    """

    def chosen(piece: Edges) -> Edges:
        source, target, weight = piece
        if place is not None:
            source, target = place[source], place[target]
        inside = source != target if place is None else (source >= 0) & (target >= 0)
        return Edges(source[inside], target[inside], None if weight is None else weight[inside])

    n_edges = sum(len(chosen(piece).source) for piece in pieces_of(edges._replace(weight=None)))
    index = edges.source.dtype
    source, target = storage.array(n_edges, index), storage.array(n_edges, index)
    weight = None if edges.weight is None else storage.array(n_edges, np.float64)
    end = 0
    for piece in pieces_of(edges):
        part = chosen(piece)
        begin, end = end, end + len(part.source)
        source[begin:end], target[begin:end] = part.source, part.target
        if weight is not None:
            weight[begin:end] = part.weight
        storage.release()
    return Edges(source, target, weight)
