"""Partitions whose communities have a number of nodes within bounds, at little loss of quality.

The quality is that of `graphclust.kernels.local_moves`. Three steps:

1. Communities that are too large are divided by the Leiden algorithm, at a resolution that is doubled until the parts
   are small enough. Then parts merge, and nodes move, while that is better and the sizes remain within the bound.
2. Communities that are too small merge with the neighbouring community for which the quality is highest, smallest
   first, as long as the sum is within the bound. One whose neighbours are all too large takes nodes from them; but if
   there are too many communities for the smallest size, it merges with another one that has the same neighbour, or
   with the smallest one that fits, or its nodes are shared out. One without neighbours merges with the smallest.
3. Nodes of the changed communities, and their neighbours, move to where the quality is higher, within the bounds.

There is such a partition of n nodes if some whole number c has c min <= n <= c max.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from graphclust.kernels.adjacency import Adjacency, Records
from graphclust.kernels.leiden import leiden
from graphclust.kernels.local_moves import move_nodes
from graphclust.runtime.arrays import FloatArray, IntArray
from graphclust.runtime.threads import Threads

__all__ = ["bounded_sizes"]

_MOST_DOUBLINGS = 40  # of the resolution
_LEAST_GAMMA = 1e-12


def bounded_sizes(
    rows: Adjacency,
    masses: Records,
    gamma: float,
    labels: IntArray,
    min_size: int,
    max_size: int,
    *,
    threads: Threads,
    seed: int = 0,
) -> IntArray:
    """Change a partition so that each community has `min_size` to `max_size` nodes.

    Parameters
    ----------
    rows : Adjacency
    masses : array of `MASS`, shape (n,)
        All of size 1.
    gamma : float
        See `graphclust.kernels.local_moves`.
    labels : ndarray of int64, shape (n,)
        Communities 0, 1, ...
    min_size, max_size : int
        There must be such a partition; see above.
    threads : Threads
    seed : int
        Of the order of visits.

    Returns
    -------
    ndarray of int64, shape (n,)
        Labels 0, 1, ... without gaps. Communities that are within the bounds, and whose neighbours are, stay as they
        are.
    """
    labels = labels.astype(np.int64)
    if len(labels) == 0 or _are_bounded(labels, min_size, max_size):
        return labels
    changed = _divided(rows, masses, gamma, labels, max_size, threads, seed)
    changed = _merged(rows, masses, gamma, changed, min_size, max_size)
    _Filling(rows, changed, min_size, max_size).run()
    changed = np.unique(changed, return_inverse=True)[1].astype(np.int64)
    is_changed = _is_changed(labels, changed)
    waiting = is_changed.copy()
    source = np.repeat(np.arange(len(labels)), np.diff(rows.start))
    waiting[rows.neighbor[is_changed[source]]] = True
    moves = move_nodes(
        rows,
        masses,
        changed,
        gamma,
        seed=seed,
        threads=threads,
        min_size=min_size,
        max_size=max_size,
        waiting=waiting,
    )
    return np.unique(moves.labels, return_inverse=True)[1].astype(np.int64)


def _are_bounded(labels: IntArray, min_size: int, max_size: int) -> bool:
    sizes = np.bincount(labels)
    return bool(sizes.min() >= min_size and sizes.max() <= max_size)


def _is_changed(before: IntArray, after: IntArray) -> NDArray[np.bool_]:
    """Return which nodes are in a community that was another set of nodes."""
    n = int(after.max()) + 1
    pairs = np.unique(before * n + after)
    parts = np.bincount(pairs // n), np.bincount(pairs % n)
    is_changed: NDArray[np.bool_] = (parts[0][before] > 1) | (parts[1][after] > 1)
    return is_changed


def _divided(
    rows: Adjacency, masses: Records, gamma: float, labels: IntArray, max_size: int, threads: Threads, seed: int
) -> IntArray:
    """Divide the communities that are too large, at ever higher resolution, and merge parts while they fit."""
    divided, finer = labels, max(gamma, _LEAST_GAMMA)
    large = np.flatnonzero(np.bincount(labels)[labels] > max_size)
    if len(large) == 0:
        return labels
    for turn in range(_MOST_DOUBLINGS + 1):
        nodes = np.flatnonzero(np.bincount(divided)[divided] > max_size)
        if len(nodes) == 0:
            break
        finer *= 2
        limit = None if turn < _MOST_DOUBLINGS else max_size
        parts = leiden(_within(rows, divided, nodes), masses[nodes], finer, threads=threads, seed=seed, max_size=limit)
        divided = divided.copy()
        divided[nodes] = int(divided.max()) + 1 + parts
        divided = np.unique(divided, return_inverse=True)[1].astype(np.int64)
    start = np.unique(divided[large], return_inverse=True)[1].astype(np.int64)
    merged = leiden(
        _within(rows, labels, large),
        masses[large],
        gamma,
        start=start,
        threads=threads,
        seed=seed,
        max_size=max_size,
    )
    divided[large] = int(divided.max()) + 1 + merged
    return np.unique(divided, return_inverse=True)[1].astype(np.int64)


def _within(rows: Adjacency, labels: IntArray, nodes: IntArray) -> Adjacency:
    """Return the rows of some nodes with the edges between nodes of the same label."""
    place = np.full(len(labels), -1, np.int32)
    place[nodes] = np.arange(len(nodes))
    source = np.repeat(np.arange(len(labels)), np.diff(rows.start))
    is_within = (place[source] >= 0) & (labels[source] == labels[rows.neighbor])
    start = np.concatenate(([0], np.cumsum(np.bincount(place[source[is_within]], minlength=len(nodes)))))
    weight = rows.weight[is_within] if len(rows.weight) > 1 else rows.weight
    return Adjacency(start.astype(np.int64), place[rows.neighbor[is_within]], weight)


def _merged(rows: Adjacency, masses: Records, gamma: float, labels: IntArray, min_size: int, max_size: int) -> IntArray:
    """Merge communities that are too small with others, as long as these have room."""
    n = int(labels.max()) + 1
    sizes = np.bincount(labels).tolist()
    sums = [np.bincount(labels, masses[name], minlength=n).tolist() for name in ("u", "v")]
    around = _weights_between(rows, labels, n)
    into = np.arange(n)
    heap = [(size, label) for label, size in enumerate(sizes)]
    heapq.heapify(heap)
    waiting: dict[int, int] = {}  # communities without room around, by their nearest neighbour
    n_left = n
    while heap:
        size, label = heapq.heappop(heap)
        if sizes[label] != size:
            continue
        if size >= min_size:
            break
        best, best_gain = -1, -np.inf
        for other, weight in around[label].items():
            gain = weight - gamma * (sums[0][label] * sums[1][other] + sums[1][label] * sums[0][other])
            if sizes[other] + size <= max_size and (gain, -other) > (best_gain, -best):
                best, best_gain = other, gain
        if best < 0 and around[label]:
            if n_left * min_size <= len(labels):
                continue  # takes nodes later
            nearest = min(around[label], key=lambda other: (-around[label][other], other))
            best = _last(waiting.pop(nearest, -1), into)
            if best < 0 or best == label or not 0 < sizes[best] < min_size or sizes[best] + size > max_size:
                waiting[nearest], best = label, -1
                continue
        if best < 0:
            best = _smallest_other(heap, sizes)
            if best < 0 or sizes[best] + size > max_size:
                continue
        n_left -= 1
        into[label], sizes[best], sizes[label] = best, sizes[best] + size, 0
        for values in sums:
            values[best] += values[label]
        for other, weight in around[label].items():
            del around[other][label]
            if other != best:
                around[best][other] = around[best].get(other, 0.0) + weight
                around[other][best] = around[other].get(best, 0.0) + weight
        around[label] = {}
        heapq.heappush(heap, (sizes[best], best))
    for label in range(n):
        into[label] = _last(label, into)
    return into[labels]


def _last(label: int, into: IntArray) -> int:
    """Return the community that a community has become part of; -1 for -1."""
    while label >= 0 and into[label] != label:
        label = int(into[label])
    return label


def _smallest_other(heap: list[tuple[int, int]], sizes: list[int]) -> int:
    """Return the smallest community in the heap, or -1; entries that are out of date are removed."""
    while heap and sizes[heap[0][1]] != heap[0][0]:
        heapq.heappop(heap)
    return heap[0][1] if heap else -1


def _weights_between(rows: Adjacency, labels: IntArray, n: int) -> list[dict[int, float]]:
    """Return the weights of the edges between communities, in both directions."""
    source = np.repeat(labels, np.diff(rows.start))
    target = labels[rows.neighbor]
    weight: FloatArray = rows.weight if len(rows.weight) > 1 else np.full(len(target), float(rows.weight[0]))
    is_between = source != target
    pairs, place = np.unique(source[is_between] * n + target[is_between], return_inverse=True)
    sums = np.bincount(place, weight[is_between], minlength=len(pairs))
    around: list[dict[int, float]] = [{} for _ in range(n)]
    for pair, total in zip(pairs.tolist(), sums.tolist(), strict=True):
        around[pair // n][pair % n] = total
    return around


class _Filling:
    """Moves of single nodes that bring communities within the bounds, after merging has done what it can."""

    def __init__(self, rows: Adjacency, labels: IntArray, min_size: int, max_size: int) -> None:
        self.rows, self.labels, self.min_size, self.max_size = rows, labels, min_size, max_size
        self.sizes = np.bincount(labels)
        self.order = np.argsort(labels, kind="stable")
        self.first = np.cumsum(self.sizes) - self.sizes

    def run(self) -> None:
        """Let communities that are too small take nodes, or share their nodes out, until none is left."""
        small = np.flatnonzero((self.sizes > 0) & (self.sizes < self.min_size))
        n_left = np.count_nonzero(self.sizes)
        members = {int(label): self.members(int(label)) for label in small}
        for label in small[np.argsort(self.sizes[small], kind="stable")].tolist():
            if not 0 < self.sizes[label] < self.min_size:
                continue
            own = [node for node in members[label] if self.labels[node] == label]
            if len(own) < self.sizes[label]:  # it has been given nodes
                own = np.flatnonzero(self.labels == label).tolist()
            if n_left * self.min_size <= len(self.labels):
                while self.sizes[label] < self.min_size:
                    own.append(self.take(label, own))
            else:
                for node in own:
                    self.give(node)
                n_left -= 1

    def members(self, label: int) -> list[int]:
        nodes: list[int] = self.order[self.first[label] : self.first[label] + self.sizes[label]].tolist()
        return nodes

    def neighbours(self, node: int) -> Iterator[tuple[int, float]]:
        first, last = self.rows.start[node], self.rows.start[node + 1]
        nodes, every = self.rows.neighbor[first:last].tolist(), self.rows.weight
        return zip(nodes, (every[first:last] if len(every) > 1 else np.repeat(every, len(nodes))).tolist(), strict=True)

    def move(self, node: int, label: int) -> None:
        self.sizes[self.labels[node]] -= 1
        self.labels[node], self.sizes[label] = label, self.sizes[label] + 1

    def take(self, label: int, own: list[int]) -> int:
        """Take a node from a community that can spare one: the one that loses fewest edges and gains most."""
        gains: dict[int, float] = {}
        for member in own:
            for node, weight in self.neighbours(member):
                if self.labels[node] != label and self.sizes[self.labels[node]] > self.min_size:
                    gains[node] = gains.get(node, 0.0) + weight
        if gains:
            for node in gains:
                home = self.labels[node]
                gains[node] -= sum(weight for other, weight in self.neighbours(node) if self.labels[other] == home)
            node = min(gains, key=lambda i: (-gains[i], i))
        else:
            largest = int(np.argmax(np.where(np.arange(len(self.sizes)) == label, 0, self.sizes)))
            node = int(np.flatnonzero(self.labels == largest)[0])
        self.move(node, label)
        return node

    def give(self, node: int) -> None:
        """Move a node to the community with room that it has the most edges to, or to the smallest one with room."""
        own, sizes = int(self.labels[node]), self.sizes
        gains: dict[int, float] = {}
        for other, weight in self.neighbours(node):
            label = int(self.labels[other])
            if label != own and sizes[label] < self.max_size:
                gains[label] = gains.get(label, 0.0) + weight
        if gains:
            self.move(node, min(gains, key=lambda label: (-gains[label], label)))
            return
        has_room = (sizes > 0) & (sizes < self.max_size) & (np.arange(len(sizes)) != own)
        self.move(node, int(np.argmin(np.where(has_room, sizes, np.iinfo(np.int64).max))))
