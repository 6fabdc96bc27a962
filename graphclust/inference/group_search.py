"""Search for the partition or hierarchy with the shortest description under the microcanonical block models."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from graphclust.errors import UsageError
from graphclust.graph import Graph
from graphclust.inference.description_length import counted_partitions, partition_curves
from graphclust.kernels import group_tree
from graphclust.kernels.adjacency import IndexArray, adjacency
from graphclust.kernels.group_tree import BEST, ENTRY, ITEM, LEVEL, TOTALS, GroupTree
from graphclust.runtime.arrays import FloatArray, IntArray

__all__ = ["GroupSearch"]

logger = logging.getLogger("graphclust")

_MOST_FACTORIALS = 1 << 17
_SMALL_NUMBERS = 512  # whose partitions are counted
_LOG_U = np.linspace(math.log(1e-3), math.log(60.0), 1 << 14)
_RATE = 1.3  # by which the number of groups is divided before items move again
_FAST_RATE, _MANY = 2.0, 4.0  # the rate as long as there are many more groups than the square root of the edges
_SWEEPS_BETWEEN = 3
_ENOUGH = 0.001  # share of items that move in the last sweep
_SMALLEST_GAIN = 5e-5  # nats for each end of an edge, of a round of moves
_TURNS, _LITTLE = 5, 0.2


@cache
def _log_factorials(n: int) -> FloatArray:
    return np.concatenate(([0.0], np.cumsum(np.log(np.arange(1.0, n)))))


@cache
def _log_partitions() -> FloatArray:
    """Return log q(m, n) of small m and n, 0 where there is no such sum."""
    n = _SMALL_NUMBERS
    counts = np.ones((n, n))
    for k, column in enumerate(counted_partitions(n - 1, n - 1), 1):
        counts[:, k] = column
    return np.log(counts)


@cache
def _curve() -> FloatArray:
    return np.stack(partition_curves(np.exp(_LOG_U)))


@dataclass(frozen=True)
class _Rows:
    """A multigraph as the kernels take it."""

    start: IntArray
    neighbor: IndexArray
    count: IntArray
    loops: IntArray
    degree: IntArray

    @classmethod
    def of(cls, graph: Graph) -> _Rows:
        weight = graph.edge_weight
        count = weight.astype(np.int64)
        if not np.array_equal(count, weight):
            raise UsageError("weights are numbers of parallel edges here, and these are not whole numbers")
        is_loop, n = graph.source == graph.target, graph.num_nodes
        rows = adjacency(graph.source, graph.target, None if graph.weight is None else count.astype(np.float64), n)
        loops = np.bincount(graph.source[is_loop], count[is_loop], minlength=n).astype(np.int64)
        degree = np.bincount(graph.source, count, minlength=n) + np.bincount(graph.target, count, minlength=n)
        return cls(rows.start, rows.neighbor, rows.weight.astype(np.int64), loops, degree.astype(np.int64))


class GroupSearch:
    """A graph and a tree of groups.

    Parameters
    ----------
    graph : Graph
        Undirected.
    parents : sequence of ndarray of int
        Groups 0, 1, ... of the nodes, then the parent of each group, and so on.
    is_corrected, is_nested : bool
    sides : ndarray of int64, shape (n_nodes,), optional
    seed : int
    """

    def __init__(
        self,
        graph: Graph,
        parents: Sequence[IntArray],
        *,
        is_corrected: bool = True,
        is_nested: bool = False,
        sides: IntArray | None = None,
        seed: int = 0,
    ) -> None:
        self.rows = _Rows.of(graph)
        self.is_corrected, self.is_nested = is_corrected, is_nested
        self.sides = np.zeros(graph.num_nodes, np.int64) if sides is None else sides
        self.rng = np.random.default_rng(seed)
        self.n = graph.num_nodes
        self._n_entries = 4 * len(self.rows.neighbor) // 4 + 1024
        self.waiting = np.ones(self.n, np.uint8)
        self.tries = np.full(self.n, 3, np.uint8)
        self.build(parents)

    def build(self, parents: Sequence[IntArray]) -> None:
        """Count the edges of other groups."""
        n, rows = self.n, self.rows
        sizes = [int(level.max(initial=-1)) + 1 for level in parents]
        spares = [min(n, size // 2 + 32) for size in sizes]
        capacities = [n, *(size + spare for size, spare in zip(sizes, spares, strict=True)), 1]
        first = np.concatenate(([0], np.cumsum(capacities)))
        degrees, degree_class = np.unique(rows.degree, return_inverse=True)
        n_items = int(first[-1])
        items = np.zeros(n_items, ITEM)
        items["degree"][:n], items["loops"][:n], items["side"][:n] = rows.degree, rows.loops, self.sides
        items["degree_item"][:n] = n_items + degree_class
        items["parent"] = -1
        levels = np.zeros(len(parents) + 1, LEVEL)
        levels["first"], levels["last"] = first[1:-1], first[2:]
        starts = np.concatenate(([0], np.cumsum(np.repeat(capacities[1:], 2))))
        levels["first_free"], levels["first_active"] = starts[:-1:2], starts[1::2]
        sides = self.sides
        labels = np.arange(n)
        for level, parent in enumerate([*parents, np.zeros(sizes[-1], np.int64)]):
            items["parent"][first[level] : first[level] + len(parent)] = first[level + 1] + parent
            labels = parent[labels]
            at = first[level + 1] + np.arange(int(parent.max(initial=-1)) + 1)
            items["degree"][at] = np.bincount(labels, rows.degree)
            if level < len(parents):
                items["side"][at[labels]] = self.sides
        totals = np.zeros(1, TOTALS)[0]
        totals["n_levels"], totals["is_corrected"], totals["is_nested"] = len(levels), self.is_corrected, self.is_nested
        self._kinds = len(degrees)
        while True:
            size = 1 << max(self._n_entries * 2, 4096).bit_length()
            table = np.zeros(size, ENTRY)
            table["row"] = -1
            totals["n_entries"], totals["random"] = 0, int(self.rng.integers(1 << 62))
            for name in ("n_items", "n_groups"):
                levels[name] = 0
            tree = GroupTree(
                rows.start,
                rows.neighbor,
                rows.count,
                items,
                table,
                levels,
                np.zeros(n_items + len(degrees), np.int32),
                np.zeros(n_items + len(degrees), np.int64),
                np.zeros(int(starts[-1]), np.int32),
                np.concatenate((self.waiting, np.ones(n_items - n, np.uint8))),
                self.tries,
                _log_factorials(min(_MOST_FACTORIALS, 1 << (2 * int(rows.degree.sum()) + n + 16).bit_length())),
                _log_partitions(),
                _curve(),
                float(_LOG_U[0]),
                float(_LOG_U[1] - _LOG_U[0]),
                totals,
            )
            if group_tree.fill(tree):
                break
            self._n_entries *= 2
        self._n_entries = max(1024, int(totals["n_entries"]))
        self.tree, self.waiting = tree, tree.waiting[:n]

    def parents(self) -> list[IntArray]:
        """Return the groups of the nodes, the parents of these groups, and so on, without the root."""
        items, levels, nodes = self.tree.items, self.tree.levels, np.arange(self.n)
        result = []
        for level in levels[:-1]:
            groups, parent = np.unique(items["parent"][nodes], return_inverse=True)
            result.append(parent.astype(np.int64))
            nodes = groups
        return result

    def n_groups(self, level: int = 0) -> int:
        """Return the number of groups of a level."""
        return int(self.tree.levels["n_groups"][level].sum())

    @property
    def n_levels(self) -> int:
        """Number of levels without that of the root."""
        return len(self.tree.levels) - 1

    def length(self) -> float:
        """Return the description length up to a constant, in nats."""
        return float(group_tree.length(self.tree))

    def _items(self, level: int) -> IndexArray:
        if level == 0:
            return np.arange(self.n, dtype=np.int32)
        row = self.tree.levels[level - 1]
        items = np.arange(row["first"], row["last"], dtype=np.int32)
        return items[self.tree.items["n_items"][items] > 0]

    def _rebuild(self) -> None:
        self._n_entries = int(self._n_entries * 1.5)
        self.build(self.parents())

    def sweep(self, level: int = 0, *, can_change_number: bool = True) -> tuple[float, int]:
        """Visit all items below a level once; return the change of the description length, and how many moved."""
        order = self.rng.permutation(self._items(level)).astype(np.int32)
        at, total, n_moved = 0, 0.0, 0
        while True:
            at, change, n = group_tree.sweep(self.tree, level, order, at, can_change_number)
            total, n_moved = total + change, n_moved + n
            if at == len(order):
                return total, n_moved
            self._rebuild()
            if level > 0:  # groups have other numbers
                return total, n_moved

    def settle(self, level: int = 0, *, most: int = 10, can_change_number: bool = True) -> float:
        """Visit all items until none moves; return the change of the description length."""
        total = 0.0
        if level > 0:
            self.tree.waiting[self.n :] = 1
        for _ in range(most):
            change, n_moved = self.sweep(level, can_change_number=can_change_number)
            total += change
            if n_moved <= _ENOUGH * len(self._items(level)):
                break
        return total

    def _best_merges(self, level: int) -> tuple[IntArray, Any]:
        best = np.zeros(len(self.tree.items), BEST)
        best["target"] = -1
        group_tree.find_merges(self.tree, level, best)
        groups = self._items(level + 1).astype(np.int64)
        return groups[best["target"][groups] >= 0], best

    def merge(self, n_merges: int, level: int = 0, *, least: float = math.inf) -> float:
        """Merge groups, the pairs first that cost least, if each costs less than `least`; return the change."""
        groups, best = self._best_merges(level)
        groups = groups[best["change"][groups] < least]
        order = groups[np.argsort(best["change"][groups], kind="stable")]
        if len(order) == 0:
            return 0.0
        at, change, n = group_tree.merge_some(self.tree, level, best, order, 0, n_merges, float(least))
        if at < len(order) and n < n_merges:  # the table is full
            self._rebuild()
        return change

    def split(self, level: int = 0, *, with_partners: bool = False, n_sweeps: int = 4) -> float:
        """Split groups in two, or each and a partner anew, where this helps; return the change."""
        groups, partners = self._items(level + 1).astype(np.int64), None
        if with_partners:
            groups, best = self._best_merges(level)
            partners = best["target"][groups]
        memory = np.zeros((2, len(self.tree.items)), np.int32)
        if partners is None:
            partners = np.full(len(groups), -1)
        return group_tree.split_some(self.tree, level, groups, partners.astype(np.int64), *memory, n_sweeps)[0]

    # ------------------------------------------------------------------------------------------------- the search

    def agglomerate(self, level: int = 0, *, fewest: int = 1) -> list[tuple[float, list[IntArray]]]:
        """Merge the groups of a level step by step; return the length and the groups after each step."""
        trace = [(self.length(), self.parents())]
        while (n := self.n_groups(level)) > fewest:
            rate = _RATE if n < _MANY * math.sqrt(len(self.rows.neighbor)) else _FAST_RATE
            self.merge(max(1, int(n - n / rate)), level)
            if self.n_groups(level) == n:
                break
            self._rebuild()
            self.waiting[:] = 1
            self.settle(level, most=_SWEEPS_BETWEEN, can_change_number=False)
            trace.append((self.length(), self.parents()))
        return trace

    def polish(self, rounds: int = 30) -> float:
        """Move, merge and split on all levels until this hardly helps; return the description length.

        A level is left for the next one when it gains little in comparison with the level of this round.
        """
        length, enough = self.length(), math.inf
        self.waiting[:], self.tries[:] = 1, 3
        for _ in range(rounds):
            for level in range(self.n_levels):
                for _ in range(_TURNS if level == 0 else 1):
                    gain = -self.improve(level)
                    if gain < _LITTLE * enough:
                        break
                    enough = min(enough, gain)
            before, length = length, self.length()
            enough = before - length
            if enough < _SMALLEST_GAIN * len(self.rows.neighbor):
                break
        return length

    def improve(self, level: int = 0) -> float:
        """Move, merge and split on a level once; return the change of the description length."""
        change = self.settle(level) + self.merge(self.n, level, least=0.0)
        self._rebuild()
        change += self.split(level) + self.split(level, with_partners=True) + self.settle(level)
        self._rebuild()
        return change

    def nest(self) -> float:
        """Replace the levels above the finest one by new ones; return the description length."""
        parents = self.parents()[:1]
        self.build(parents)
        length = self.length()
        while (n := int(parents[-1].max()) + 1) > 1:
            self.build([*parents, np.arange(n)])
            shortest, longer = min(self.agglomerate(self.n_levels - 1), key=lambda row: row[0])
            self.build(longer)
            shortest = self.settle_all(shortest)
            if shortest > length or self.n_groups(self.n_levels - 1) == 1:
                break
            parents, length = self.parents(), shortest
        self.build(parents)
        return length

    def settle_all(self, length: float) -> float:
        """Visit the items of all levels above the finest."""
        return length + sum(self.settle(level) for level in range(1, self.n_levels))
