"""Search for the partition, or hierarchy, with the shortest description under the microcanonical block models.

`GroupSearch` holds a graph and a tree of groups (`graphclust.kernels.group_tree`) and changes the tree by

- sweeps: each node, or group of a level, makes its best move to another group, until few move;
- merges of pairs of groups, the best ones first;
- splits of groups in two, and of a group and its best partner anew (merge-split moves of Peixoto 2020, without chance).

An agglomerative start merges from single nodes on, with sweeps in between (Peixoto 2014). Where communities are denser
inside than outside, the partitions of other methods are better starts on large graphs.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from graphclust.errors import ResourceError, UsageError
from graphclust.graph import Graph
from graphclust.inference.description_length import counted_partitions, partition_curves
from graphclust.inference.edge_weights import WEIGHT_MODELS, WeightModel
from graphclust.kernels import group_tree
from graphclust.kernels.adjacency import IndexArray, adjacency, both_ends
from graphclust.kernels.group_tree import BEST, ENTRY, ITEM, LEVEL, TOTALS, GroupTree
from graphclust.metrics import numbered
from graphclust.runtime.arrays import FloatArray, IntArray
from graphclust.runtime.compilation import is_cached

__all__ = ["GroupSearch", "Multigraph", "TreeModel", "announce_group_tree", "single_nodes"]

logger = logging.getLogger("graphclust")

_MOST_FACTORIALS = 1 << 17
_MOST_EDGES = 1 << 31
_SMALL_NUMBERS = 512  # whose partitions are counted
_LOG_U = np.linspace(math.log(1e-3), math.log(60.0), 1 << 14)
_RATE = 1.3  # by which the number of groups is divided before items move again
_FAST_RATE, _MANY = 2.0, 4.0  # the rate as long as there are many more groups than roots of edges, or of items above
_SWEEPS_BETWEEN, _MOST_SWEEPS, _SPLIT_SWEEPS = 3, 10, 4
_FEW_MOVES = 0.001  # share of items that move in the last sweep
_SMALLEST_GAIN = 5e-5  # nats for each end of an edge, of a round of moves
_TURNS, _LITTLE = 5, 0.2  # most turns on the finest level in a round; share of the gain of others that is little
_TRIES = 3
_MOST_PER_CALL = 10_000  # items
_SHAKING_SWEEPS, _SHAKEN_ROUNDS = 2, 3
_MERGE_TRIES = 4  # in a row that find nothing to merge


@cache
def _log_factorials(n: int) -> FloatArray:
    return np.concatenate(([0.0], np.cumsum(np.log(np.arange(1.0, n)))))


@cache
def _log_partitions() -> FloatArray:
    """Return log q(m, n) of small m and n; q(m, n) = q(m, m) for n > m."""
    n = _SMALL_NUMBERS
    counts = np.ones((n, n))
    for k, column in enumerate(counted_partitions(n - 1, n - 1), 1):
        counts[:, k] = column
    return np.log(counts)


@cache
def _curve() -> FloatArray:
    return np.stack(partition_curves(np.exp(_LOG_U)))


@dataclass(frozen=True)
class Multigraph:
    """A graph with whole numbers of parallel edges, or with weights that are described as such.

    Attributes
    ----------
    start, neighbor
        Rows without self-loops; see `Adjacency`. If the graph is directed, of neighbors in either direction.
    count : ndarray of int64, shape (2 m,), or (1,) if all are equal
        Number of parallel edges; if the graph is directed, of those to the neighbor.
    count_in : ndarray of int64, shape (2 m,), or None
        Number of those from the neighbor; None if the graph is not directed.
    loops : ndarray of int64, shape (n_nodes,)
        Self-loops of each node.
    out_degree, in_degree : ndarray of int64, shape (n_nodes,)
        Edges from and to each node. If the graph is not directed, ends of edges, and none.
    weight_model : WeightModel or None
    values : ndarray of float64, shape (2 m, 2) or (1, 2)
        The value of each entry of the rows under the model of weights, and its square.
    """

    start: IntArray
    neighbor: IndexArray
    count: IntArray
    count_in: IntArray | None
    loops: IntArray
    out_degree: IntArray
    in_degree: IntArray
    weight_model: WeightModel | None
    values: FloatArray

    @classmethod
    def of(cls, graph: Graph, weight_model: str | None = None) -> Multigraph:
        """Return a graph whose weights are numbers of parallel edges, or described by a model of weights.

        Raises
        ------
        UsageError
            Weights that the model is not for, or self-loops of a graph with weights that are described.
        ResourceError
            More edges than 32-bit integers can count.
        """
        n, source, target = graph.num_nodes, graph.source.astype(np.int64), graph.target.astype(np.int64)
        model = WeightModel.of(graph.weight, weight_model)
        count = graph.edge_weight.astype(np.int64) if graph.is_weighted and model is None else None
        if (n_edges := len(source) if count is None else int(count.sum())) >= _MOST_EDGES:
            raise ResourceError(
                f"{n_edges:,} edges, with parallel ones: block models count at most {_MOST_EDGES - 1:,}"
            )
        is_loop = source == target
        loops, out_degree, in_degree = (
            np.bincount(ends, number, minlength=n).astype(np.int64)
            for ends, number in (
                (source[is_loop], None if count is None else count[is_loop]),
                (source, count),
                (target, count),
            )
        )
        values = np.zeros((1, 2))
        if model is not None or graph.directed:
            start, neighbor, edge = both_ends(source[~is_loop], target[~is_loop], n)
        if model is not None:
            if is_loop.any():
                raise UsageError("weights are not described in graphs with self-loops")
            values = np.stack((model.values[edge], model.values[edge] ** 2), axis=1)
        if not graph.directed:
            if model is None:
                rows = adjacency(source, target, None if count is None else count.astype(np.float64), n)
                start, neighbor, number = rows.start, rows.neighbor, rows.weight.astype(np.int64)
            else:
                number = np.ones(1, dtype=np.int64)
            both, none = out_degree + in_degree, np.zeros(n, dtype=np.int64)
            return cls(start, neighbor, number, None, loops, both, none, model, values)
        is_out = source[~is_loop][edge] == np.repeat(np.arange(n), np.diff(start))
        number = np.ones(len(edge), dtype=np.int64) if count is None else count[~is_loop][edge]
        numbers = number * is_out, number * ~is_out
        return cls(start, neighbor, *numbers, loops, out_degree, in_degree, model, values)

    @property
    def n_nodes(self) -> int:
        """Number of nodes."""
        return len(self.loops)

    @property
    def is_directed(self) -> bool:
        """Whether edges have directions."""
        return self.count_in is not None

    @property
    def n_edges(self) -> int:
        """Number of edges, parallel ones counted."""
        return int((self.out_degree + self.in_degree).sum()) // 2


def single_nodes(n_nodes: int, known: IntArray | None) -> IntArray:
    """Return the partition whose groups are single nodes, and those with the same known label.

    Examples
    --------
    >>> single_nodes(4, np.array([0, 1, 0, 1])).tolist()
    [0, 2, 1, 2]
    """
    nodes = np.arange(n_nodes)
    return nodes if known is None else numbered(np.where(known > 0, n_nodes + known, nodes))


def _in_turn(items: NDArray[Any]) -> list[NDArray[Any]]:
    """Return parts of an array: between calls of compiled functions, Python notices an interrupt."""
    return np.split(items, range(_MOST_PER_CALL, len(items), _MOST_PER_CALL))


class TreeModel(NamedTuple):
    """What is described, and what may not change.

    Attributes
    ----------
    is_corrected : bool
        Whether degrees are described (``dc-sbm``) or nodes of a group are alike (``sbm``).
    is_assortative, is_uniform : bool
        Whether the model is the planted partition of Zhang & Peixoto (2020), and whether each group expects the same
        number of edges within.
    is_nested : bool
        Whether the last level belongs to a hierarchy; else the groups of a flat partition are its children.
    sides : ndarray of int64, shape (n_nodes,), or None
        Sides of the nodes of a two-mode graph, 0 or 1. No group has nodes of both.
    is_fixed : ndarray of bool, shape (n_nodes,), or None
        Nodes that stay in their groups; groups with such nodes are never merged.
    keeps_number : bool
        Whether the number of groups of the finest level stays what it is.
    """

    is_corrected: bool = True
    is_assortative: bool = False
    is_uniform: bool = False
    is_nested: bool = False
    sides: IntArray | None = None
    is_fixed: Any = None
    keeps_number: bool = False

    @classmethod
    def of(cls, described: str, **settings: Any) -> TreeModel:
        """Return the tree of a model of `graphclust.inference.description_length.MODELS`; `settings` are attributes."""
        return cls(
            is_corrected=described != "sbm",
            is_assortative=described.startswith("assortative"),
            is_uniform=described == "assortative-uniform",
            **settings,
        )


def announce_group_tree() -> None:
    """Say so if the moves in trees of groups have to be compiled."""
    if not is_cached(group_tree.sweep):
        logger.info("block models: compiling their loops, once: a minute (`graphclust warm` does so in advance)")


class GroupSearch:
    """A graph and a tree of groups, which moves make shorter to describe.

    Parameters
    ----------
    graph : Multigraph
    parents : sequence of ndarray of int64
        Groups 0, 1, ... of the nodes, then the parents of these groups, and so on, without the root.
    model : TreeModel
    seed : int

    Attributes
    ----------
    tree : GroupTree
    """

    tree: GroupTree

    def __init__(self, graph: Multigraph, parents: Sequence[IntArray], model: TreeModel, seed: int = 0) -> None:
        self.graph, self.model = graph, model
        self._rng = np.random.default_rng(seed)
        self._n_entries = len(graph.neighbor) + graph.n_nodes
        self._waiting = np.ones(graph.n_nodes, np.uint8)
        self._tries = np.full(graph.n_nodes, _TRIES, np.uint8)
        self.build(parents)

    # ------------------------------------------------------------------------------------------------- the tree

    def build(self, parents: Sequence[IntArray]) -> None:
        """Replace the tree by another one; see `GroupSearch`."""
        graph, n = self.graph, self.graph.n_nodes
        sizes = [int(level.max(initial=-1)) + 1 for level in parents]
        capacities = [*(size + min(n, size // 2 + 32) for size in sizes), 1]
        first = np.concatenate(([0, n], n + np.cumsum(capacities)))
        degrees, degree_class = np.unique(graph.out_degree, return_inverse=True)
        in_degrees, in_degree_class = np.unique(graph.in_degree, return_inverse=True)
        items = np.zeros(int(first[-1]), ITEM)
        items["degree"][:n], items["loops"][:n] = self._degrees(np.arange(n), n), graph.loops
        items["degree_item"][:n] = len(items) + degree_class
        items["in_degree_item"][:n] = len(items) + len(degrees) + in_degree_class
        if self.model.sides is not None:
            items["side"][:n] = self.model.sides
        if self.model.is_fixed is not None:
            items["is_fixed"][:n] = self.model.is_fixed
        items["parent"] = -1
        groups = np.arange(n)
        for level, parent in enumerate([*parents, np.zeros(sizes[-1], np.int64)]):
            items["parent"][first[level] : first[level] + len(parent)] = first[level + 1] + parent
            groups = parent[groups]
            own = items[first[level + 1] : first[level + 2]]
            own["degree"] = self._degrees(groups, len(own))
            own["is_fixed"] = np.bincount(groups, items["is_fixed"][:n], minlength=len(own)) > 0
            if level < len(parents):
                own["side"][groups] = items["side"][:n]
        levels = np.zeros(len(capacities), LEVEL)
        levels["first"], levels["last"] = first[1:-1], first[2:]
        places = np.concatenate(([0], np.cumsum(np.repeat(capacities, 2))))
        levels["first_free"], levels["first_active"] = places[:-1:2], places[1::2]
        self._count(items, levels, len(degrees) + len(in_degrees), int(places[-1]))

    def _degrees(self, groups: IntArray, n: int) -> IntArray:
        """Return the sums of the degrees of n groups, as trees have them: both numbers in one if there are two."""
        outgoing, incoming = (
            np.bincount(groups, degree, minlength=n).astype(np.int64)
            for degree in (self.graph.out_degree, self.graph.in_degree)
        )
        return outgoing << 32 | incoming if self.graph.is_directed else outgoing

    def _count(self, items: Any, levels: Any, n_degrees: int, n_places: int) -> None:
        """Count the edges between groups, in a table that is large enough."""
        graph, model = self.graph, self.model
        totals: Any = np.zeros(1, TOTALS)[0]
        totals["n_levels"], totals["random"] = len(levels), self._rng.integers(1 << 62)
        totals["is_corrected"], totals["is_nested"] = model.is_corrected, model.is_nested
        totals["keeps_number"], totals["is_directed"] = model.keeps_number, graph.is_directed
        totals["is_assortative"], totals["is_uniform"] = model.is_assortative, model.is_uniform
        totals["n_edges"] = graph.n_edges
        weights = graph.weight_model
        totals["weight_model"] = 0 if weights is None else WEIGHT_MODELS[weights.name]
        n_columns = 2 * (len(items) + n_degrees)
        n_factorials = min(_MOST_FACTORIALS, 1 << (2 * graph.n_edges + graph.n_nodes + 16).bit_length())
        while True:
            table = np.zeros(1 << max(2 * self._n_entries, 4096).bit_length(), ENTRY)
            table["row"] = -1
            totals["n_entries"] = totals["n_within"] = levels["n_items"] = levels["n_groups"] = 0
            tree = GroupTree(
                graph.start,
                graph.neighbor,
                graph.count,
                np.zeros(1, np.int64) if graph.count_in is None else graph.count_in,
                items,
                table,
                levels,
                tally=np.zeros(n_columns, np.int32),
                marks=np.zeros(n_columns, np.int64),
                free=np.zeros(n_places, np.int32),
                waiting=np.concatenate((self._waiting, np.ones(len(items) - graph.n_nodes, np.uint8))),
                tries=self._tries,
                log_factorials=_log_factorials(n_factorials),
                log_partitions=_log_partitions(),
                curve=_curve(),
                curve_start=float(_LOG_U[0]),
                curve_step=float(_LOG_U[1] - _LOG_U[0]),
                values=graph.values,
                sums=np.zeros((1 if weights is None else len(table), 2)),
                tally_sums=np.zeros((1 if weights is None else n_columns, 2)),
                weight_prior=np.array(weights.prior if weights is not None else (0.0, 0.0, 0.0, 0.0)),
                totals=totals,
            )
            if group_tree.fill(tree):
                break
            self._n_entries *= 2
        self._n_entries = max(1024, int(totals["n_entries"]))
        self.tree, self._waiting = tree, tree.waiting[: graph.n_nodes]

    def _rebuild(self) -> None:
        """Build the tree anew: groups get numbers without gaps, and the table gets room."""
        self._n_entries = int(self._n_entries * 1.5)
        self.build(self.parents())

    def parents(self) -> list[IntArray]:
        """Return the groups of the nodes, the parents of these groups, and so on, without the root."""
        parent, items = self.tree.items["parent"], np.arange(self.graph.n_nodes)
        levels = []
        for _ in range(self.n_levels):
            items, numbers = np.unique(parent[items], return_inverse=True)
            levels.append(numbers.astype(np.int64))
        return levels

    def labels(self) -> list[IntArray]:
        """Return the groups of the nodes on each level, the finest first."""
        levels = self.parents()
        for level in range(1, len(levels)):
            levels[level] = levels[level][levels[level - 1]]
        return levels

    @property
    def n_levels(self) -> int:
        """Number of levels without that of the root."""
        return len(self.tree.levels) - 1

    def n_groups(self, level: int = 0) -> int:
        """Return the number of groups of a level."""
        return int(self.tree.levels["n_groups"][level].sum())

    def length(self) -> float:
        """Return the description length up to a constant, in nats."""
        return float(group_tree.length(self.tree))

    def _items(self, level: int) -> IndexArray:
        """Return the items between whose groups there are moves on a level."""
        if level == 0:
            return np.arange(self.graph.n_nodes, dtype=np.int32)
        row = self.tree.levels[level - 1]
        items = np.arange(row["first"], row["last"], dtype=np.int32)
        return items[self.tree.items["n_items"][items] > 0]

    # ------------------------------------------------------------------------------------------------- moves

    def _sweep(self, level: int, can_change_number: bool) -> tuple[float, int]:
        """Visit the items that wait; return the change of the description length, and how many moved."""
        total, n_moved = 0.0, 0
        for order in _in_turn(self._rng.permutation(self._items(level)).astype(np.int32)):
            at = 0
            while True:
                at, change, n = group_tree.sweep(self.tree, level, order, at, can_change_number)
                total, n_moved = total + change, n_moved + n
                if at == len(order):
                    break
                self._rebuild()
                if level > 0:  # groups have other numbers
                    return total, n_moved
        return total, n_moved

    def settle(self, level: int = 0, *, most: int = _MOST_SWEEPS, can_change_number: bool = True) -> float:
        """Visit items until few of them move; return the change of the description length."""
        total, can_change_number = 0.0, can_change_number and not (self.model.keeps_number and level == 0)
        if level > 0:
            self.tree.waiting[self.graph.n_nodes :] = 1
        for _ in range(most):
            change, n_moved = self._sweep(level, can_change_number)
            total += change
            if n_moved <= _FEW_MOVES * len(self._items(level)):
                break
        return total

    def _best_merges(self, level: int) -> tuple[IntArray, Any]:
        best = np.zeros(len(self.tree.items), BEST)
        best["target"] = -1
        groups = self._items(level + 1).astype(np.int64)
        for some in _in_turn(groups):
            group_tree.find_merges(self.tree, level, some, best)
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
            if n == 0:
                return self.merge(n_merges, level, least=least)
        return float(change)

    def split(self, level: int = 0, *, with_partners: bool = False) -> float:
        """Split groups in two, or each and a partner anew, where this helps; return the change."""
        if with_partners:
            groups, best = self._best_merges(level)
            partners = best["target"][groups]
        else:
            groups = self._items(level + 1).astype(np.int64)
            partners = np.full(len(groups), -1)
        memory = np.zeros((2, len(self.tree.items)), np.int32)
        return sum(
            float(group_tree.split_some(self.tree, level, *some, memory[0], memory[1], _SPLIT_SWEEPS)[0])
            for some in zip(_in_turn(groups), _in_turn(partners), strict=True)
        )

    # ------------------------------------------------------------------------------------------------- the search

    def improve(self, level: int = 0) -> float:
        """Move, merge and split on a level once; return the change of the description length."""
        keeps_number = self.model.keeps_number and level == 0
        change = self.settle(level)
        if not keeps_number:
            change += self.merge(self.graph.n_nodes, level, least=0.0)
            self._rebuild()
            change += self.split(level)
        change += self.split(level, with_partners=True) + self.settle(level)
        self._rebuild()
        return change

    def polish(self, rounds: int = 30) -> float:
        """Improve all levels until this hardly helps; return the description length up to a constant.

        A level is left for the next one when it gains little in comparison with the levels of the round before.
        """
        length, enough = self.length(), math.inf
        self._waiting[:], self._tries[:] = 1, _TRIES
        for _ in range(rounds):
            for level in range(self.n_levels):
                for _ in range(_TURNS if level == 0 else 1):
                    gain = -self.improve(level)
                    if gain < _LITTLE * enough:
                        break
                    enough = min(enough, gain)
            before, length = length, self.length()
            enough = before - length
            if enough < _SMALLEST_GAIN * 2 * self.graph.n_edges:
                break
        return length

    def shake(self, rounds: int) -> float:
        """Leave a flat partition by a few sweeps of a Markov chain, and improve what is there; keep the shortest.

        Returns the description length up to a constant. A local optimum is often one of several in a wider valley.
        """
        length, parents = self.length(), self.parents()
        for _ in range(rounds):
            self.run_chain(_SHAKING_SWEEPS, 0.0)
            if (shaken := self.polish(_SHAKEN_ROUNDS)) < length - 1e-6:
                length, parents = shaken, self.parents()
            else:
                self.build(parents)
        return length

    def agglomerate(self, level: int = 0, *, fewest: int = 1) -> list[tuple[float, list[IntArray]]]:
        """Merge the groups of a level step by step; return the length and the tree after each step."""
        trace = [(self.length(), self.parents())]
        many = _MANY * math.sqrt(2 * self.graph.n_edges if level == 0 else self.n_groups(level))
        n_failures = 0
        while (n := self.n_groups(level)) > fewest and n_failures < _MERGE_TRIES:
            is_fast = n > many
            self.merge(min(max(1, int(n - n / (_FAST_RATE if is_fast else _RATE))), n - fewest), level)
            if self.n_groups(level) == n:  # partners of merges are tried at random
                n_failures += 1
                continue
            n_failures = 0
            self._rebuild()
            self._waiting[:] = 1
            self.settle(level, most=1 if is_fast and level > 0 else _SWEEPS_BETWEEN, can_change_number=False)
            trace.append((self.length(), self.parents()))
        return trace

    def nest(self) -> float:
        """Replace the levels above the finest one by new ones; return the length up to a constant."""
        parents = self.parents()[:1]
        self.build(parents)
        length = self.length()
        while (n := int(parents[-1].max()) + 1) > 1:
            self.build([*parents, np.arange(n)])
            shorter, longer_tree = min(self.agglomerate(self.n_levels - 1), key=lambda row: row[0])
            self.build(longer_tree)
            shorter += sum(self.settle(level) for level in range(max(self.n_levels - 2, 1), self.n_levels))
            if shorter > length or not 1 < self.n_groups(self.n_levels - 1) < n:
                break
            parents, length = self.parents(), shorter
        self.build(parents)
        return length

    # ------------------------------------------------------------------------------------------------- the posterior

    def run_chain(self, n_sweeps: int, splits: float) -> None:
        """Run a Markov chain over flat partitions; see `group_tree.run_chain`."""
        memory = np.zeros((2, self.graph.n_nodes), np.int32)
        while n_sweeps > 0:
            n_sweeps -= group_tree.run_chain(self.tree, n_sweeps, splits, memory[0], memory[1])
            if n_sweeps > 0:
                self._rebuild()

    def conditional(self) -> FloatArray:
        """Return each node's probability of its own group, given those of all others; shape (n_nodes,)."""
        probability = np.zeros(self.graph.n_nodes)
        group_tree.conditional(self.tree, probability)
        return probability
