"""Moves in a tree of groups under the microcanonical block models, compiled by numba on first use and cached.

`graphclust.inference.description_length` describes the models. Here a partition or hierarchy is a tree: its leaves are
the nodes of the graph, their parents are the groups of level 0, the parents of these the groups of level 1, and so on
up to the root. A flat partition has one level and the root. Nodes, groups and the root are items, numbered one after
the other, so that the same functions move nodes between groups and groups between larger groups.

A description length is a sum of

- a term of each pair of groups of a level (`_pair_term`): how many edges there are between them;
- a term of each group (`_group_term`): its size and, on level 0, the degrees of its nodes;
- a term of each level (`_level_term`): its number of groups and of items;
- under the planted partition of Zhang & Peixoto (2020), a term of the number of edges within groups (`_within_term`).

A move takes a bundle of items from group r to group s of the same level: a node, a group, or all that is in r, so that
r and s become one. What it changes follows from the number of edges between the bundle and each group around it. They
are tallied for each level: on the level above, r and s are their parents, and the groups around are the parents of
those below. Nothing changes above the first level where the parents are the same, unless a group vanishes or appears.

The numbers of edges between groups are in one hash table for all levels, in which the entries of an item are also a
linked list, its row. Rows of level 0 have entries for the degrees of its nodes, too: a degree is an item of its own,
and the number of nodes that have it is counted as edges are.

In directed graphs a group has two columns in each row: g for the edges to it, which is the only one in undirected
graphs, and ~g = -1 - g for those from it. Edges within a group are in the first one. Degrees of directed graphs are
pairs in one integer: the out-degree times 2^32, plus the in-degree; sums of these are right.

Edges can have weights that are described, too (Peixoto 2018). Then each pair of groups of level 0 has another term, of
its number of edges, the sum of their weights and the sum of the squares of these (`_weight_term`). The sums are beside
the table, and those of a bundle beside its tally.

The general remarks on compilation in `graphclust.kernels.block_moves` hold here, too.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from graphclust.kernels.adjacency import IndexArray, Records
from graphclust.runtime.arrays import FloatArray, IntArray
from graphclust.runtime.compilation import compiled

__all__ = [
    "BEST",
    "ENTRY",
    "ITEM",
    "LEVEL",
    "TOTALS",
    "GroupTree",
    "conditional",
    "fill",
    "find_merges",
    "length",
    "merge_some",
    "run_chain",
    "split_some",
    "sweep",
]

ITEM = np.dtype(
    [(name, np.int64) for name in ("degree", "loops")]
    + [
        (name, np.int32)
        for name in (
            "parent",
            "n_items",
            "first",
            "next",
            "previous",
            "row",
            "side",
            "degree_item",
            "in_degree_item",
            "is_fixed",
            "place",
        )
    ]
)
ENTRY = np.dtype([(name, np.int32) for name in ("row", "column", "count", "next")])
LEVEL = np.dtype(
    [("n_items", np.int64, 2), ("n_groups", np.int64, 2)]
    + [(name, np.int64) for name in ("first", "last", "first_free", "n_free", "first_active", "n_active", "tally_end")]
)
BEST = np.dtype([("change", np.float64), ("target", np.int64)])
TOTALS = np.dtype(
    [(name, np.int64) for name in ("n_entries", "random", "n_levels")]
    + [(name, np.int64) for name in ("is_corrected", "is_nested", "is_directed", "keeps_number", "weight_model")]
    + [(name, np.int64) for name in ("is_assortative", "is_uniform", "n_edges", "n_within")]
)

_LOG_2 = 0.6931471805599453
_LOG_ROOT_2_PI = 0.9189385332046727
_LOG_PI = 1.1447298858494002
_SMALLEST_GAIN = 1e-7  # nats
_FEW_GROUPS = 16  # all of them are targets of every move
_MOST_TARGETS, _MOST_UPPER_TARGETS = 24, 5  # groups with edges to a node, or to another item, that are tried
_N_FAR, _N_FAR_IF_TWO_SIDES = 2, 12  # further groups that are tried, two steps away: with two sides, the only ones
_TRIES = 3  # to split a group, after a member has moved
_LAUNCH_SWEEPS = 3  # of merge-split moves
_NONE: Any = np.int32(-1)
_INT: Any = np.int64
_NODES: Any = np.int64(0)  # level 0; typed constants, for the compiler
_START: Any = np.int64(0)  # of the tally
_WITHIN: Any = np.bool_(True)
_BETWEEN: Any = np.bool_(False)
_NO: Any = np.bool_(False)
_FULL = 0.7  # share of the table in use, at most
_INCREMENT = np.uint64(0x9E3779B97F4A7C15)
_FACTOR_1, _FACTOR_2 = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_LOW: Any = np.int64((1 << 32) - 1)
_11, _27, _30, _31, _32 = map(np.uint64, (11, 27, 30, 31, 32))

_settings: dict[str, Any] = {"error_model": "numpy", "_nrt": False}
_public = compiled(nogil=True, **_settings)
_internal = compiled(inner=True, **_settings)
_inline = compiled(inner=True, forceinline=True, **_settings)


class GroupTree(NamedTuple):
    """A graph, a tree of groups, and memory.

    Attributes
    ----------
    start, neighbor, multiplicity
        Rows of the graph, without self-loops: `Adjacency` with the number of parallel edges as its weight, of length
        one if all are equal. In directed graphs, neighbors in either direction, and the edges to each.
    multiplicity_in : ndarray of int64
        The edges from each neighbor in directed graphs.
    items : array of `ITEM`, shape (n_items,)
        `degree` is the sum of the degrees of the nodes below, `loops` the number of self-loops of a node. Children of
        an item are linked: `first`, `next`, `previous`; `n_items` is their number. `row` is the first entry of its row,
        `side` its side in a two-mode graph, `degree_item` the item that stands for the degree of a node, in directed
        graphs for its out-degree, and `in_degree_item` the one for its in-degree. `is_fixed` says whether a node does
        not move, or a group has such a node. `place` is that in the list of active groups.
    table : array of `ENTRY`, shape (a power of two,)
        `count` is the number of edges between `row` and `column`; within a group, each edge counts once. `next` is the
        next entry of the row.
    levels : array of `LEVEL`, shape (n_levels,)
        The items `first` to `last` are the groups of the level. Free ones, which are empty, are listed in `free` from
        `first_free` on, and during a sweep the others from `first_active` on. The last level is that of the root.
        Numbers of items and groups are those of each side.
    tally, marks : ndarray of int32 and of int64, shape (2 (n_items + number of degrees),)
        The columns of the groups around a bundle, those of each level up to `tally_end`, and the numbers of edges.
    free : ndarray of int32
    waiting : ndarray of uint8, shape (n_items,)
        Whether an item or a neighbor of it has moved since its last visit.
    tries : ndarray of uint8, shape (n_nodes,)
        How often splitting its group is still to be tried, since the node has moved.
    log_factorials : ndarray of float64
        log x! for x = 0, 1, ...
    log_partitions : ndarray of float64, shape (m, m)
        log q(m, n) of small numbers; beyond these it is interpolated between `curve`.
    curve : ndarray of float64, shape (2, length)
        f and g of log q(m, n) = f(u) - log m + sqrt(m) g(u), where u = n / sqrt(m), at equal distances of log u.
    curve_start, curve_step : float
        The first log u, and the distance.
    values : ndarray of float64, shape (2 m, 2) or (1, 2)
        The weight of each edge, as it is described, and its square; see `graphclust.inference.edge_weights`.
    sums, tally_sums : ndarray of float64, shapes (len(table), 2) and (len(marks), 2), or (1, 2)
        Sums of the values of the edges that `table` and `marks` count, on level 0.
    weight_prior : ndarray of float64, shape (4,)
        Parameters of the prior of the model of weights.
    totals : record of `TOTALS`
        `weight_model` is 0 if weights are not described. `is_assortative` says whether the model is the planted
        partition of Zhang & Peixoto (2020), of flat partitions of undirected graphs, and `is_uniform` whether each
        group expects the same number of edges within; `n_edges` and `n_within` are the edges in all and within groups.
    """

    start: IntArray
    neighbor: IndexArray
    multiplicity: IntArray
    multiplicity_in: IntArray
    items: Records
    table: Records
    levels: Records
    tally: IndexArray
    marks: IntArray
    free: IndexArray
    waiting: NDArray[np.uint8]
    tries: NDArray[np.uint8]
    log_factorials: FloatArray
    log_partitions: FloatArray
    curve: FloatArray
    curve_start: float
    curve_step: float
    values: FloatArray
    sums: FloatArray
    tally_sums: FloatArray
    weight_prior: FloatArray
    totals: Any


@_internal
def _random(totals: Any) -> float:
    """Draw from the uniform distribution on [0, 1) (SplitMix64)."""
    z = np.uint64(totals.random) + _INCREMENT
    totals.random = _INT(z)
    z = (z ^ (z >> _30)) * _FACTOR_1
    z = (z ^ (z >> _27)) * _FACTOR_2
    return np.float64((z ^ (z >> _31)) >> _11) / 9007199254740992.0


# ------------------------------------------------------------------------------------------------------------- terms


@_inline
def _log_factorial(tree: GroupTree, x: float) -> float:
    if x < len(tree.log_factorials):
        return tree.log_factorials[int(x)]
    r = 1.0 / x
    return (x + 0.5) * math.log(x) - x + _LOG_ROOT_2_PI + r * (1 / 12 - r * r * (1 / 360 - r * r / 1260))


@_inline
def _log_multiset(tree: GroupTree, n: float, k: float) -> float:
    """Return the logarithm of the number of ways to choose k of n things with repetition."""
    if n > 1e6 and k < 1e-3 * n:  # log-gammas of n would cancel
        return k * math.log(n + (k - 1) / 2) - _log_factorial(tree, k)
    return _log_factorial(tree, n + k - 1) - _log_factorial(tree, n - 1) - _log_factorial(tree, k)


@_internal
def _log_partitions(tree: GroupTree, m: float, n: float) -> float:
    """Return log q(m, n); see `graphclust.inference.description_length.log_partitions`."""
    n = min(m, n)
    if n <= 1.0:
        return 0.0
    if m < len(tree.log_partitions):
        return tree.log_partitions[int(m), int(n)]
    if n < m**0.25:
        return _log_multiset(tree, m - n + 1, n - 1) - _log_factorial(tree, n)
    root = math.sqrt(m)
    place = min(max((math.log(n / root) - tree.curve_start) / tree.curve_step, 0.0), tree.curve.shape[1] - 1.000001)
    i = int(place)
    right = place - i
    f = tree.curve[0, i] * (1 - right) + tree.curve[0, i + 1] * right
    g = tree.curve[1, i] * (1 - right) + tree.curve[1, i + 1] * right
    return f - math.log(m) + root * g


@_inline
def _pair_term(tree: GroupTree, level: int, is_within: bool, n_r: float, n_s: float, edges: float) -> float:
    if edges == 0.0:
        return 0.0
    if tree.totals.is_assortative and (level > 0 or (n_s > 0.0 and (tree.totals.is_uniform or not is_within))):
        return 0.0  # a degree, of size 0, has its term
    if level == 0:
        value = -_log_factorial(tree, edges)
        return value - edges * _LOG_2 if is_within and not tree.totals.is_directed else value
    if not is_within:
        return _log_multiset(tree, n_r * n_s, edges)
    return _log_multiset(tree, n_r * n_r if tree.totals.is_directed else n_r * (n_r + 1) / 2, edges)


@_internal
def _ends(tree: GroupTree, degree: int) -> float:
    """Return the number of ends of edges that a degree stands for."""
    return float((degree >> 32) + (degree & _LOW)) if tree.totals.is_directed else float(degree)


@_inline
def _group_term(tree: GroupTree, level: int, n: float, degree: int) -> float:
    if n == 0.0 or level == tree.totals.n_levels - 1:
        return 0.0
    if level > 0:
        return -_log_factorial(tree, n)
    if not tree.totals.is_corrected:
        return _ends(tree, degree) * math.log(n) - _log_factorial(tree, n)
    if not tree.totals.is_directed:
        k = float(degree)
        return _log_factorial(tree, k) + _log_partitions(tree, k, n)  # the orders of nodes cancel
    k, k_in = float(degree >> 32), float(degree & _LOW)
    value = _log_factorial(tree, k) + _log_partitions(tree, k, n) + _log_factorial(tree, k_in)
    return value + _log_partitions(tree, k_in, n) + _log_factorial(tree, n)


@_internal
def _weight_term(tree: GroupTree, n: float, total: float, squares: float) -> float:
    """Return minus the log probability of n weights; see `graphclust.inference.edge_weights.WeightModel`."""
    if n <= 0.0:
        return 0.0
    a, b, c, d = tree.weight_prior[0], tree.weight_prior[1], tree.weight_prior[2], tree.weight_prior[3]
    model = tree.totals.weight_model
    if model == 1:  # exponential
        return math.lgamma(a) - a * math.log(b) - math.lgamma(n + a) + (n + a) * math.log(total + b)
    if model == 2:  # geometric
        return math.lgamma(n + total + 2.0) - math.lgamma(n + 1.0) - math.lgamma(total + 1.0)
    if model == 3:  # Poisson
        return math.lgamma(a) - a * math.log(b) - math.lgamma(total + a) + (total + a) * math.log(n + b)
    k, v, mean = b + n, d + n, total / n  # normal
    spread = d * c + max(squares - total * mean, 0.0) + n * b / k * (a - mean) ** 2
    value = math.lgamma(d / 2) - math.lgamma(v / 2) + (math.log(k / b) - d * math.log(d * c) + v * math.log(spread)) / 2
    return value + n / 2 * _LOG_PI


@_internal
def _level_term(tree: GroupTree, level: int, n_items: float, n_groups: float) -> float:
    if n_items == 0.0:
        return 0.0
    if level == tree.totals.n_levels - 1:
        return math.log(n_items) if tree.totals.is_nested else 0.0
    value = _log_factorial(tree, n_items - 1) - _log_factorial(tree, n_groups - 1)
    return value - _log_factorial(tree, n_items - n_groups) + _log_factorial(tree, n_items) + math.log(n_items)


@_internal
def _within_term(tree: GroupTree, n_groups: float, within: float) -> float:
    """Return the term of the number of edges within groups; see `_Counts.assortative` of the description lengths."""
    if n_groups <= 1.0 and not tree.totals.is_uniform:
        return 0.0
    value, between = 0.0, tree.totals.n_edges - within
    if n_groups > 1.0:
        value += math.log(tree.totals.n_edges + 1.0) + between * math.log(n_groups * (n_groups - 1.0) / 2)
        value -= _log_factorial(tree, between)
    if tree.totals.is_uniform:
        return value + within * math.log(n_groups / 2) - _log_factorial(tree, within)
    return value + _log_multiset(tree, n_groups, within)


# ------------------------------------------------------------------------------------------------------------- counts


@_internal
def _place(tree: GroupTree, row: int, column: int) -> int:
    """Return the place of an entry in the table, or the free place for it."""
    table = tree.table
    mask = _INT(len(table) - 1)
    h = (np.uint64(row) << _32 | np.uint64(np.uint32(column))) * _INCREMENT
    place = _INT(h >> _32) & mask
    while table[place].row >= 0 and (table[place].row != row or table[place].column != column):
        place = (place + 1) & mask
    return place


@_internal
def _edges(tree: GroupTree, row: int, column: int) -> float:
    return float(tree.table[_place(tree, row, column)].count)


@_internal
def _add(tree: GroupTree, row: int, column: int, count: int) -> None:
    if count == 0:
        return
    place = _place(tree, row, column)
    entry = tree.table[place]
    if entry.row < 0:
        entry.row, entry.column, entry.count = row, column, 0
        entry.next = tree.items[row].row
        tree.items[row].row = place
        tree.totals.n_entries += 1
    entry.count += count


@_internal
def _item(column: int) -> int:
    """Return the item that a column stands for; those beyond the tree are degrees."""
    return column if column >= 0 else ~column


@_internal
def _same_way(column: int, g: int) -> int:
    """Return the column of another item, for edges in the same direction."""
    return g if column >= 0 else ~g


@_internal
def _back(tree: GroupTree, r: int, column: int) -> int:
    """Return the column of r in the row of another item that has this column in the row of r."""
    return ~r if tree.totals.is_directed and column >= 0 else r


@_internal
def _add_both(tree: GroupTree, r: int, column: int, count: int) -> None:
    """Add to the number of edges between two items in the rows of both; degrees have no rows."""
    s = _item(column)
    if s == r:
        _add(tree, r, r, count)
        return
    _add(tree, r, column, count)
    if s < len(tree.items):
        _add(tree, s, _back(tree, r, column), count)


@_internal
def _add_values(tree: GroupTree, r: int, column: int, total: float, squares: float) -> None:
    """Add to the sums of weights between two groups of level 0, in the rows of both."""
    s = _item(column)
    for way in range(1 if s == r else 2):
        place = _place(tree, r, r if s == r else column) if way == 0 else _place(tree, s, _back(tree, r, column))
        if tree.table[place].count == 0:
            tree.sums[place, 0] = tree.sums[place, 1] = 0.0
        else:
            tree.sums[place, 0] += total
            tree.sums[place, 1] += squares


@_internal
def _is_full(tree: GroupTree, more: int) -> bool:
    return tree.totals.n_entries + more > _FULL * len(tree.table)


@_public
def fill(tree: GroupTree) -> bool:
    """Count the edges between the groups of a new tree; return False if the table is too small.

    `parent`, `degree`, `side`, `loops` and the degrees' items are given, those of the nodes as well as those
    of the groups; and the first and last items of the levels.
    """
    items, levels = tree.items, tree.levels
    n = len(tree.start) - 1
    for x in range(len(items)):
        items[x].first = items[x].next = items[x].previous = items[x].row = _NONE
        items[x].n_items = 0
    for x in range(len(items)):
        if x < n or items[x].n_items > 0:
            _link(tree, x, items[x].parent)
    for level in range(tree.totals.n_levels):
        row = levels[level]
        row.n_free = 0
        for g in range(row.first, row.last):
            if items[g].n_items == 0:
                tree.free[row.first_free + row.n_free] = g
                row.n_free += 1
            else:
                row.n_groups[items[g].side] += 1
                row.n_items[items[g].side] += items[g].n_items
    for i in range(n):  # noqa: SIM110 - numba has no generators
        if not _count_edges(tree, i):
            return False
    return True


@_inline
def _count_edges(tree: GroupTree, i: int) -> bool:
    """Count the edges of a node to later ones, and its degrees; return False if the table is too small."""
    items, is_directed = tree.items, tree.totals.is_directed
    _add(tree, items[i].parent, items[i].degree_item, tree.totals.is_corrected)
    if is_directed:
        _add(tree, items[i].parent, items[i].in_degree_item, tree.totals.is_corrected)
    if _is_full(tree, 4 * tree.totals.n_levels):
        return False
    every = -1 if len(tree.multiplicity) > 1 else 0
    for e in range(tree.start[i] - 1, tree.start[i + 1]):
        if e < tree.start[i]:
            j, count, count_in = _INT(i), items[i].loops, _INT(0)
        else:
            j, count = _INT(tree.neighbor[e]), tree.multiplicity[e & every]
            count_in = tree.multiplicity_in[e] if is_directed else _INT(0)
        if j < i:
            continue
        r, s = items[i].parent, items[j].parent
        tree.totals.n_within += count if r == s else 0
        for level in range(tree.totals.n_levels):
            _add_both(tree, r, s, count)
            if is_directed:
                _add_both(tree, r, ~s, count_in)
            if level == 0 and tree.totals.weight_model and e >= tree.start[i]:
                column = ~s if count_in > 0 else s
                _add_values(tree, r, column, tree.values[e, 0], tree.values[e, 1])
            r, s = items[r].parent, items[s].parent
        if _is_full(tree, 4 * tree.totals.n_levels):
            return False
    return True


@_internal
def _link(tree: GroupTree, x: int, parent: int) -> None:
    """Make an item the child of another."""
    items = tree.items
    items[x].parent = parent
    if parent >= 0:
        first = items[parent].first
        items[x].next, items[x].previous = first, _NONE
        if first >= 0:
            items[first].previous = x
        items[parent].first = x
        items[parent].n_items += 1


@_internal
def _unlink(tree: GroupTree, x: int) -> None:
    items = tree.items
    before, after, parent = items[x].previous, items[x].next, items[x].parent
    if before >= 0:
        items[before].next = after
    else:
        items[parent].first = after
    if after >= 0:
        items[after].previous = before
    items[parent].n_items -= 1


# ------------------------------------------------------------------------------------------------------------ bundles


@_internal
def _tally_up(tree: GroupTree, level: int, n: int) -> None:
    """Add up the tallies of each level above."""
    tally, marks, items = tree.tally, tree.marks, tree.items
    tree.levels[level].tally_end = n
    first = 0
    while level < tree.totals.n_levels - 1:
        last = n
        for t in range(first, last):
            column = tally[t]
            g = _item(column)
            if g < len(items):
                above = _same_way(column, items[g].parent)
                if marks[above] == 0:
                    tally[n] = above
                    n += 1
                marks[above] += marks[column]
        first = last
        level += 1
        tree.levels[level].tally_end = n


@_internal
def _tally_one(tree: GroupTree, n: int, column: int, count: int) -> int:
    if count == 0:
        return n
    if tree.marks[column] == 0:
        tree.tally[n] = column
        n += 1
    tree.marks[column] += count
    return n


@_internal
def _tally_weight(tree: GroupTree, column: int, total: float, squares: float) -> None:
    tree.tally_sums[column, 0] += total
    tree.tally_sums[column, 1] += squares


@_internal
def _tally_item(tree: GroupTree, level: int, x: int) -> int:
    """Count the edges of a node, or a group, to the groups of a level; return the edges within it."""
    items, n, totals = tree.items, 0, tree.totals
    if level == 0:
        every = -1 if len(tree.multiplicity) > 1 else 0
        for e in range(tree.start[x], tree.start[x + 1]):
            group = items[tree.neighbor[e]].parent
            n = _tally_one(tree, n, group, tree.multiplicity[e & every])
            if totals.is_directed:
                n = _tally_one(tree, n, ~group, tree.multiplicity_in[e])
            if totals.weight_model:
                is_out = not totals.is_directed or tree.multiplicity[e] > 0
                _tally_weight(tree, group if is_out else ~group, tree.values[e, 0], tree.values[e, 1])
        n = _tally_one(tree, n, items[x].degree_item, totals.is_corrected)
        if totals.is_directed:
            n = _tally_one(tree, n, items[x].in_degree_item, totals.is_corrected)
        _tally_up(tree, level, n)
        return items[x].loops
    loops, place = 0, items[x].row
    while place >= 0:
        entry = tree.table[place]
        other = _item(entry.column)
        if other == x:
            loops = entry.count
        elif other < len(items):
            n = _tally_one(tree, n, _same_way(entry.column, items[other].parent), entry.count)
        place = entry.next
    _tally_up(tree, level, n)
    return loops


@_internal
def _tally_group(tree: GroupTree, level: int, r: int) -> int:
    """Count the edges of all that is in a group to the other groups of its level; return the edges within it."""
    loops, n, place = 0, 0, tree.items[r].row
    while place >= 0:
        entry = tree.table[place]
        if entry.column == r:
            loops = entry.count
        else:
            n = _tally_one(tree, n, entry.column, entry.count)
            if tree.totals.weight_model and level == 0 and entry.column < len(tree.items):
                _tally_weight(tree, entry.column, tree.sums[place, 0], tree.sums[place, 1])
        place = entry.next
    _tally_up(tree, level, n)
    return loops


@_internal
def _clear(tree: GroupTree) -> None:
    for t in range(tree.levels[tree.totals.n_levels - 1].tally_end):
        tree.marks[tree.tally[t]] = 0
        if tree.totals.weight_model:
            tree.tally_sums[tree.tally[t], 0] = tree.tally_sums[tree.tally[t], 1] = 0.0


@_internal
def _size(tree: GroupTree, t: int) -> float:
    """Return the number of items of a group; a degree, which is beyond the tree, has none."""
    return float(tree.items[t].n_items) if t < len(tree.items) else 0.0


@_internal
def _edges_to(tree: GroupTree, r: int) -> int:
    """Return the number of edges between a tallied bundle and a group, in both directions."""
    return tree.marks[r] + tree.marks[~r]


@_internal
def _target(tree: GroupTree, column: int) -> int:
    """Return the group of a tallied column; -1 for a degree, and for a group whose first column is tallied, too."""
    g = _item(column)
    return _INT(_NONE) if g >= len(tree.items) or (column < 0 and tree.marks[g] > 0) else _INT(g)


@_inline
def _leaving(tree: GroupTree, level: int, first: int, r: int, loops: int, n: int, degree: int) -> float:
    """Return the change of the terms of a group and of its pairs if a bundle leaves it for nowhere.

    The groups around the bundle are in `tally` from `first` on, and `n` items leave. A size above the nodes counts in
    all pairs of a group.
    """
    items, marks, was, value = tree.items, tree.marks, float(tree.items[r].n_items), 0.0
    now, is_resized = was - n, level > 0 and n != 0
    place = items[r].row if is_resized else _NONE
    while place >= 0:
        column, e = tree.table[place].column, float(tree.table[place].count)
        t = _item(column)
        if e > 0.0 and t != r:
            n_t = float(items[t].n_items)
            value += _pair_term(tree, level, _BETWEEN, now, n_t, e - marks[column])
            value -= _pair_term(tree, level, _BETWEEN, was, n_t, e)
        place = tree.table[place].next
    for at in range(first, first if is_resized else tree.levels[level].tally_end):
        column = tree.tally[at]
        t = _item(column)
        if t != r:
            e, n_t = _edges(tree, r, column), _size(tree, t)
            value += _pair_term(tree, level, _BETWEEN, was, n_t, e - marks[column])
            value -= _pair_term(tree, level, _BETWEEN, was, n_t, e)
    e = _edges(tree, r, r)
    value += _pair_term(tree, level, _WITHIN, now, now, e - _edges_to(tree, r) - loops)
    value -= _pair_term(tree, level, _WITHIN, was, was, e)
    if level == 0 and tree.totals.weight_model:
        value += _weights_leaving(tree, r, loops)
    value += _group_term(tree, level, now, items[r].degree - degree)
    return value - _group_term(tree, level, was, items[r].degree)


@_inline
def _joining(
    tree: GroupTree, level: int, first: int, r: int, n_r: float, s: int, loops: int, n: int, degree: int
) -> float:
    """Return the change of the terms of a group and of its pairs if a bundle that has left r joins it.

    `n_r` is the number of items that r has left; for the other arguments, see `_leaving`.
    """
    items, marks, was, value = tree.items, tree.marks, float(tree.items[s].n_items), 0.0
    now, is_resized = was + n, level > 0 and n != 0
    place = items[s].row if is_resized else _NONE
    while place >= 0:
        column, e = tree.table[place].column, float(tree.table[place].count)
        t = _item(column)
        if e > 0.0 and t != r and t != s:
            n_t = float(items[t].n_items)
            value += _pair_term(tree, level, _BETWEEN, now, n_t, e + marks[column])
            value -= _pair_term(tree, level, _BETWEEN, was, n_t, e)
        place = tree.table[place].next
    for at in range(first, tree.levels[level].tally_end):
        column = tree.tally[at]
        t = _item(column)
        if t != r and t != s:
            e, n_t = _edges(tree, s, column), _size(tree, t)
            if not is_resized or e == 0.0:
                value += _pair_term(tree, level, _BETWEEN, now, n_t, e + marks[column])
                value -= _pair_term(tree, level, _BETWEEN, was, n_t, e)
    e = _edges(tree, s, s)
    value += _pair_term(tree, level, _WITHIN, now, now, e + _edges_to(tree, s) + loops)
    value -= _pair_term(tree, level, _WITHIN, was, was, e)
    for way in range(2 if tree.totals.is_directed else 1):
        column = s if way == 0 else ~s
        e = _edges(tree, r, column) - marks[column]
        value += _pair_term(tree, level, _BETWEEN, n_r, now, e + marks[_back(tree, r, column)])
        value -= _pair_term(tree, level, _BETWEEN, n_r, was, e)
    if level == 0 and tree.totals.weight_model:
        value += _weights_joining(tree, r, s, loops)
    value += _group_term(tree, level, now, items[s].degree + degree)
    return value - _group_term(tree, level, was, items[s].degree)


@_internal
def _weight_change(tree: GroupTree, place: int, n: float, d_n: float, d_total: float, d_squares: float) -> float:
    """Return the change of the term of an entry's weights, if it has n edges, and d_n are added."""
    total, squares = tree.sums[place, 0], tree.sums[place, 1]
    after = _weight_term(tree, n + d_n, total + d_total, squares + d_squares)
    return after - _weight_term(tree, n, total, squares)


@_internal
def _weights_leaving(tree: GroupTree, r: int, loops: int) -> float:
    """Return the change of the terms of weights if a bundle leaves a group; if it has edges within, it is all of it."""
    value, sums = 0.0, tree.tally_sums
    for at in range(tree.levels[0].tally_end):
        column = tree.tally[at]
        t = _item(column)
        if t != r and t < len(tree.items):
            place = _place(tree, r, column)
            e = float(tree.table[place].count)
            value += _weight_change(tree, place, e, -float(tree.marks[column]), -sums[column, 0], -sums[column, 1])
    place = _place(tree, r, r)
    e = float(tree.table[place].count)
    if loops > 0:
        return value - _weight_term(tree, e, tree.sums[place, 0], tree.sums[place, 1])
    total, squares = sums[r, 0] + sums[~r, 0], sums[r, 1] + sums[~r, 1]
    return value + _weight_change(tree, place, e, -float(_edges_to(tree, r)), -total, -squares)


@_internal
def _weights_joining(tree: GroupTree, r: int, s: int, loops: int) -> float:
    """Return the change of the terms of weights if a bundle that has left r joins s."""
    value, sums, marks = 0.0, tree.tally_sums, tree.marks
    for at in range(tree.levels[0].tally_end):
        column = tree.tally[at]
        t = _item(column)
        if t != r and t != s and t < len(tree.items):
            place = _place(tree, s, column)
            e = float(tree.table[place].count)
            value += _weight_change(tree, place, e, float(marks[column]), sums[column, 0], sums[column, 1])
    place, within = _place(tree, s, s), _place(tree, r, r)
    total, squares = sums[s, 0] + sums[~s, 0], sums[s, 1] + sums[~s, 1]
    if loops > 0:
        total, squares = total + tree.sums[within, 0], squares + tree.sums[within, 1]
    e = float(tree.table[place].count)
    value += _weight_change(tree, place, e, float(_edges_to(tree, s) + loops), total, squares)
    for way in range(2 if tree.totals.is_directed else 1):
        column = s if way == 0 else ~s
        place, back = _place(tree, r, column), _back(tree, r, column)
        e = float(tree.table[place].count - marks[column])
        total, squares = tree.sums[place, 0] - sums[column, 0], tree.sums[place, 1] - sums[column, 1]
        value += _weight_term(tree, e + marks[back], total + sums[back, 0], squares + sums[back, 1])
        value -= _weight_term(tree, e, total, squares)
    return value


@_internal
def _move_weights(tree: GroupTree, r: int, s: int, loops: int) -> None:
    """Count the weights of a bundle as part of s instead of r, after its edges have been counted so."""
    sums, within = tree.tally_sums, _place(tree, r, r)
    for at in range(tree.levels[0].tally_end):
        column = tree.tally[at]
        t = _item(column)
        if t != r and t != s and t < len(tree.items):
            _add_values(tree, r, column, -sums[column, 0], -sums[column, 1])
            _add_values(tree, s, column, sums[column, 0], sums[column, 1])
    total, squares = sums[s, 0] + sums[~s, 0], sums[s, 1] + sums[~s, 1]
    if loops > 0:
        total, squares = total + tree.sums[within, 0], squares + tree.sums[within, 1]
    _add_values(tree, s, s, total, squares)
    total, squares = sums[r, 0] + sums[~r, 0], sums[r, 1] + sums[~r, 1]
    _add_values(tree, r, r, -total, -squares)
    for way in range(2 if tree.totals.is_directed else 1):
        column = s if way == 0 else ~s
        back = _back(tree, r, column)
        _add_values(tree, r, column, sums[back, 0] - sums[column, 0], sums[back, 1] - sums[column, 1])


@_internal
def _resized(tree: GroupTree, level: int, r: int, n_r: float) -> float:
    """Return the change of the terms of pairs with r, if only its size changes."""
    items, table = tree.items, tree.table
    value, place, was = 0.0, items[r].row, float(items[r].n_items)
    while place >= 0:
        t, e = _item(table[place].column), float(table[place].count)
        n_t = float(items[t].n_items)
        value += _pair_term(tree, level, t == r, n_r, n_t, e) - _pair_term(tree, level, t == r, was, n_t, e)
        place = table[place].next
    return value


@_inline
def _change(tree: GroupTree, level: int, r: int, s: int, loops: int, n: int, degree: int, leaving: float) -> float:
    """Return how much longer the description gets if a bundle moves from r to s, another group or an empty one.

    The bundle has been tallied. It has n items with degrees of this sum, and this number of edges within it. `leaving`
    is what `_leaving` returns.
    """
    items, levels, top = tree.items, tree.levels, tree.totals.n_levels - 1
    value, d_r, d_s, first, own_level = 0.0, -n, n, 0, level
    while True:
        row, side = levels[level], items[r].side
        n_r = float(items[r].n_items + d_r)
        is_gone, is_new = False, False
        if r != s:
            is_gone, is_new = n_r == 0.0, items[s].n_items == 0
            value += leaving if level == own_level else _leaving(tree, level, first, r, loops, -d_r, degree)
            value += _joining(tree, level, first, r, n_r, s, loops, d_s, degree)
        else:
            value += _resized(tree, level, r, n_r + d_s)
            value += _group_term(tree, level, n_r + d_s, _NODES) - _group_term(tree, level, n_r - d_r, _NODES)
        if level == 0 and tree.totals.is_assortative:
            n_groups, within = float(row.n_groups[0]), float(tree.totals.n_within)
            n_now = n_groups + int(is_new) - int(is_gone)
            value += _within_term(tree, n_now, within + _edges_to(tree, s) - _edges_to(tree, r))
            value -= _within_term(tree, n_groups, within)
        if d_r + d_s != 0 or is_new != is_gone:
            n_items, n_groups = float(row.n_items[side]), float(row.n_groups[side])
            value += _level_term(tree, level, n_items + d_r + d_s, n_groups + int(is_new) - int(is_gone))
            value -= _level_term(tree, level, n_items, n_groups)
        d_r, d_s = -int(is_gone), int(is_new)
        first = row.tally_end
        if level == top or (items[r].parent == items[s].parent and d_r + d_s == 0):
            return value
        r, s, level = items[r].parent, items[s].parent, level + 1


@_internal
def _make(tree: GroupTree, level: int, r: int, s: int, loops: int, n: int, degree: int) -> None:
    """Count a bundle, which has been tallied, as part of s instead of r; its items are linked afterwards."""
    items, levels, marks, top = tree.items, tree.levels, tree.marks, tree.totals.n_levels - 1
    d_r, d_s, first = -n, n, 0
    gone, new = _NONE, _NONE
    while True:
        row, side = levels[level], items[r].side
        is_gone, is_new = False, False
        if r != s:
            is_gone, is_new = items[r].n_items + d_r == 0, items[s].n_items == 0
            for at in range(first, row.tally_end):
                column = tree.tally[at]
                t = _item(column)
                if t != r and t != s:
                    _add_both(tree, r, column, -marks[column])
                    _add_both(tree, s, column, marks[column])
            _add(tree, r, r, -_edges_to(tree, r) - loops)
            _add(tree, s, s, _edges_to(tree, s) + loops)
            for way in range(2 if tree.totals.is_directed else 1):
                column = s if way == 0 else ~s
                _add_both(tree, r, column, marks[_back(tree, r, column)] - marks[column])
            if level == 0:
                tree.totals.n_within += _edges_to(tree, s) - _edges_to(tree, r)
                if tree.totals.weight_model:
                    _move_weights(tree, r, s, loops)
            items[r].degree -= degree
            items[s].degree += degree
        row.n_items[side] += d_r + d_s
        row.n_groups[side] += int(is_new) - int(is_gone)
        if gone >= 0:
            _unlink(tree, gone)
        if new >= 0:
            _link(tree, new, s)
        gone, new = _NONE, _NONE
        if is_new:
            row.n_free -= 1
            new = s
        if is_gone:
            tree.free[row.first_free + row.n_free] = r
            row.n_free += 1
            gone = r
        d_r, d_s = -int(is_gone), int(is_new)
        first = row.tally_end
        if level == top or (items[r].parent == items[s].parent and d_r + d_s == 0 and gone < 0):
            return
        r, s, level = items[r].parent, items[s].parent, level + 1


@_internal
def _empty_group(tree: GroupTree, level: int, like: int) -> int:
    """Return an empty group with the parent and side of another one, or -1 if there is none."""
    row = tree.levels[level]
    if row.n_free == 0:
        return -1
    s = tree.free[row.first_free + row.n_free - 1]
    tree.items[s].parent, tree.items[s].side = tree.items[like].parent, tree.items[like].side
    return s


# ---------------------------------------------------------------------------------------------------- moves of items


@_internal
def _list_groups(tree: GroupTree, level: int) -> None:
    """List the groups of a level that are not empty."""
    row = tree.levels[level]
    row.n_active = 0
    for g in range(row.first, row.last):
        if tree.items[g].n_items > 0:
            tree.free[row.first_active + row.n_active] = g
            tree.items[g].place = row.n_active
            row.n_active += 1


@_internal
def _far_group(tree: GroupTree, level: int, x: int, n_tallied: int) -> int:
    """Return a random group two steps away from a tallied item, or -1."""
    items = tree.items
    if level == 0 and x < len(tree.start) - 1:
        first, last = tree.start[x], tree.start[x + 1]
        if first == last:
            return -1
        j = tree.neighbor[first + int(_random(tree.totals) * (last - first))]
        first, last = tree.start[j], tree.start[j + 1]
        return items[tree.neighbor[first + int(_random(tree.totals) * (last - first))]].parent
    t = _item(tree.tally[int(_random(tree.totals) * n_tallied)])
    if t >= len(items):
        return -1
    place, steps = items[t].row, int(_random(tree.totals) * 12)
    while steps > 0 and tree.table[place].next >= 0:
        place = tree.table[place].next
        steps -= 1
    s = _item(tree.table[place].column)
    return s if tree.table[place].count > 0 and s < len(items) else -1


@_internal
def _bring_forward(tree: GroupTree, n: int, n_tallied: int) -> None:
    """Bring the n groups to which a bundle has the most edges, for their degrees, to the front of the tally."""
    tally, marks, items, is_directed = tree.tally, tree.marks, tree.items, tree.totals.is_directed
    for place in range(n):
        best, best_value = place, -1.0
        for at in range(place, n_tallied):
            column = tally[at]
            degree = items[_item(column)].degree
            if is_directed:
                degree = (degree >> 32) + (degree & _LOW)
            value = marks[column] * (marks[column] / (degree + 1.0))
            if value > best_value:
                best, best_value = at, value
        tally[place], tally[best] = tally[best], tally[place]


@_internal
def _best_target(
    tree: GroupTree, level: int, x: int, r: int, loops: int, n: int, degree: int, least: float, can_open: bool
) -> tuple[float, int]:
    """Return the change of the best move of a tallied bundle from r, and where to; -1 if none is below `least`."""
    items, row = tree.items, tree.levels[level]
    best, target, n_tallied = least, _INT(_NONE), row.tally_end
    leaving = _leaving(tree, level, _START, r, loops, n, degree)
    is_few = row.n_active <= _FEW_GROUPS
    n_near = row.n_active if is_few else min(n_tallied, _MOST_TARGETS if level == 0 else _MOST_UPPER_TARGETS)
    if level > 0 and n_near < n_tallied:
        _bring_forward(tree, n_near, n_tallied)
    n_far = _N_FAR_IF_TWO_SIDES if row.n_groups[1] > 0 else _N_FAR
    n_all = n_near if is_few or n_tallied == 0 else n_near + n_far
    start = 0 if is_few or n_tallied <= n_near or level > 0 else int(_random(tree.totals) * n_tallied)
    for turn in range(n_all + int(can_open)):
        if turn == n_all:
            s = _empty_group(tree, level, r) if items[r].n_items > n else -1
        elif is_few:
            s = tree.free[row.first_active + turn]
        elif turn < n_near:
            at = start + turn
            s = _target(tree, tree.tally[at if at < n_tallied else at - n_tallied])
        else:
            s = _far_group(tree, level, x, n_tallied)
        if s < 0 or s == r or items[s].side != items[r].side:
            continue
        if (turn < n_all and items[s].n_items == 0) or (x == r and items[r].is_fixed and items[s].is_fixed):
            continue
        change = _change(tree, level, r, s, loops, n, degree, leaving)
        if change < best:
            best, target = change, s
    return best, target


@_internal
def _move_item(tree: GroupTree, level: int, x: int, s: int, loops: int) -> None:
    """Move a tallied item to another group."""
    _make(tree, level, tree.items[x].parent, s, loops, 1, tree.items[x].degree)
    _unlink(tree, x)
    _link(tree, x, s)


@_internal
def _note_move(tree: GroupTree, level: int, x: int) -> None:
    """Let the neighbors of an item that has moved wait for a visit, and a node's group for an attempt to split it."""
    if level > 0:
        place = tree.items[x].row
        while place >= 0:
            other = _item(tree.table[place].column)
            if other < len(tree.items):
                tree.waiting[other] = 1
            place = tree.table[place].next
        return
    tree.tries[x] = _TRIES
    for e in range(tree.start[x], tree.start[x + 1]):
        tree.waiting[tree.neighbor[e]] = 1


@_public
def sweep(
    tree: GroupTree, level: int, order: IndexArray, first: int, can_change_number: bool
) -> tuple[int, float, int]:
    """Visit items in order and make the best move of each, if it shortens the description.

    Parameters
    ----------
    tree : GroupTree
    level : int
        Of the groups between which items move.
    order : ndarray of int32
        Nodes, or groups of the level below.
    first : int
        Place in the order to begin with.
    can_change_number : bool
        Whether groups may vanish and appear.

    Returns
    -------
    next : int
        Place of the next item in the order, before the end if the table got full.
    change : float
        Of the description length.
    n_moved : int
    """
    items, total, n_moved = tree.items, 0.0, 0
    _list_groups(tree, level)
    for at in range(first, len(order)):
        x = order[at]
        r = items[x].parent
        is_idle = tree.waiting[x] == 0 or (level > 0 and items[x].n_items == 0)
        tree.waiting[x] = 0
        if is_idle or (level == 0 and items[x].is_fixed) or (items[r].n_items == 1 and not can_change_number):
            continue
        loops = _tally_item(tree, level, x)
        if _is_full(tree, 4 * tree.levels[tree.totals.n_levels - 1].tally_end + 8):
            _clear(tree)
            tree.waiting[x] = 1
            return at, total, n_moved
        change, s = _best_target(tree, level, x, r, loops, 1, items[x].degree, -_SMALLEST_GAIN, can_change_number)
        if s >= 0:
            _move_item(tree, level, x, s, loops)
            total += change
            n_moved += 1
            _note_move(tree, level, x)
        _clear(tree)
    return len(order), total, n_moved


# --------------------------------------------------------------------------------------------------- moves of groups


@_public
def find_merges(tree: GroupTree, level: int, groups: IntArray, best: Records) -> None:
    """Find the best group to merge each of some groups of a level with; `best` has a `BEST` for each item."""
    items = tree.items
    _list_groups(tree, level)
    for r in groups:
        loops = _tally_group(tree, level, r)
        n, degree = items[r].n_items, items[r].degree
        best[r].change, best[r].target = _best_target(tree, level, r, r, loops, n, degree, np.inf, _NO)
        _clear(tree)


@_internal
def _merge(tree: GroupTree, level: int, r: int, s: int, least: float) -> float:
    """Merge group r into s if the change of the description length is below `least`; return it, or 0."""
    items = tree.items
    loops = _tally_group(tree, level, r)
    n, degree = items[r].n_items, items[r].degree
    leaving = _leaving(tree, level, _START, r, loops, n, degree)
    change = _change(tree, level, r, s, loops, n, degree, leaving)
    if change < least:
        _make(tree, level, r, s, loops, n, degree)
        while items[r].first >= 0:
            x = items[r].first
            _unlink(tree, x)
            _link(tree, x, s)
            tree.waiting[x] = 1
    else:
        change = 0.0
    _clear(tree)
    return change


@_public
def merge_some(
    tree: GroupTree, level: int, best: Records, order: IntArray, first: int, n_merges: int, least: float
) -> tuple[int, float, int]:
    """Merge groups with their best partners, or what these have become part of.

    Parameters
    ----------
    tree, level, best
        See `find_merges`.
    order : ndarray of int64
        Groups, in the order in which they are merged.
    first : int
        Place in the order to begin with.
    n_merges : int
        Most merges.
    least : float
        Only merges that change the description length by less are made.

    Returns
    -------
    next : int
        Place of the next group in the order, before the end if the table got full or there were enough merges.
    change : float
    n_merged : int
    """
    items, total, n_merged = tree.items, 0.0, 0
    for at in range(first, len(order)):
        if n_merged == n_merges:
            return at, total, n_merged
        r = order[at]
        s = best[r].target
        while s >= 0 and items[s].n_items == 0:
            s = best[s].target
        if s < 0 or s == r or (items[r].is_fixed and items[s].is_fixed):
            continue
        if _is_full(tree, len(tree.table) // 20):
            return at, total, n_merged
        change = _merge(tree, level, r, s, least)
        if items[r].n_items == 0:
            items[s].is_fixed |= items[r].is_fixed
            items[r].is_fixed = 0
            best[r].target = s
            total += change
            n_merged += 1
    return len(order), total, n_merged


@_internal
def _move_to(tree: GroupTree, level: int, x: int, s: int) -> float:
    """Move an item to another group; return the change of the description length."""
    items = tree.items
    loops, r, degree = _tally_item(tree, level, x), items[x].parent, items[x].degree
    leaving = _leaving(tree, level, _START, r, loops, 1, degree)
    change = _change(tree, level, r, s, loops, 1, degree, leaving)
    _move_item(tree, level, x, s, loops)
    _clear(tree)
    return change


@_internal
def _scatter(tree: GroupTree, level: int, r: int, s: int, members: IndexArray, n: int) -> float:
    """Move about half of the n members of r to the empty group s: random ones, or those around a random one."""
    items, value = tree.items, 0.0
    if _random(tree.totals) < 0.5 or level > 0:
        for m in range(n):
            if _random(tree.totals) < 0.5 and items[r].n_items > 1:
                value += _move_to(tree, level, members[m], s)
        return value
    seed = members[int(_random(tree.totals) * n)]
    value += _move_to(tree, level, seed, s)
    if items[r].n_items == 1:
        return value
    turn, x, n_moved = 0, seed, 1
    while n_moved < n // 2 and turn < 4 * n:  # a walk that stays in r and s
        turn += 1
        first, last = tree.start[x], tree.start[x + 1]
        if first == last:
            break
        y = tree.neighbor[first + int(_random(tree.totals) * (last - first))]
        if items[y].parent == r:
            value += _move_to(tree, level, y, s)
            n_moved += 1
        if items[y].parent == s:
            x = y
    return value


@_internal
def _gather(tree: GroupTree, r: int, s: int, members: IndexArray, origins: IndexArray) -> int:
    """List the items of a group, and of another one if s is not negative; return their number."""
    n = 0
    for turn in range(2 if s >= 0 and s != r else 1):
        origin = r if turn == 0 else s
        x = tree.items[origin].first
        while x >= 0:
            members[n], origins[n] = x, origin
            n += 1
            x = tree.items[x].next
    return n


@_internal
def _settle_two(tree: GroupTree, level: int, r: int, s: int, members: IndexArray, n: int, n_sweeps: int) -> float:
    """Let the members of two groups choose between them; return the change of the description length."""
    items, value = tree.items, 0.0
    for _ in range(n_sweeps if items[s].n_items > 0 else 0):
        n_moved = 0
        for m in range(n):
            x = members[m]
            own, degree = items[x].parent, items[x].degree
            if items[own].n_items == 1:
                continue
            other = s if own == r else r
            loops = _tally_item(tree, level, x)
            leaving = _leaving(tree, level, _START, own, loops, 1, degree)
            change = _change(tree, level, own, other, loops, 1, degree, leaving)
            if change < -_SMALLEST_GAIN:
                _move_item(tree, level, x, other, loops)
                value += change
                n_moved += 1
            _clear(tree)
        if n_moved == 0:
            break
    return value


@_internal
def _may_split(tree: GroupTree, level: int, r: int, s: int) -> bool:
    """Whether to try to split a group, or to share its items and those of s out anew."""
    items = tree.items
    if items[r].n_items == 0 or items[r].is_fixed or _is_full(tree, len(tree.table) // 20):
        return False
    if s >= 0 and (items[s].n_items == 0 or items[s].is_fixed or s == r or items[s].side != items[r].side):
        return False
    return items[r].n_items + (items[s].n_items if s >= 0 else 0) > 1 and tree.levels[level].n_free + (s >= 0) > 0


@_public
def split_some(
    tree: GroupTree,
    level: int,
    groups: IntArray,
    partners: IntArray,
    members: IndexArray,
    origins: IndexArray,
    n_sweeps: int,
) -> tuple[float, int]:
    """Split groups in two, or merge each with a partner and split both anew, where this shortens the description.

    Parameters
    ----------
    tree : GroupTree
    level : int
    groups : ndarray of int64
    partners : ndarray of int64
        Groups of the level, or -1 for none.
    members, origins : ndarray of int32, shape (n_items,)
        Memory.
    n_sweeps : int
        How often each member chooses between both parts.

    Returns
    -------
    change : float
    n_changed : int
        Number of groups that have changed.
    """
    items, total, n_changed = tree.items, 0.0, 0
    for g in range(len(groups)):
        r, s = groups[g], partners[g]
        if not _may_split(tree, level, r, s):
            continue
        n, is_new = _gather(tree, r, s, members, origins), level > 0
        for m in range(n if level == 0 else 0):
            is_new = is_new or tree.tries[members[m]] > 0
        if not is_new:
            continue
        upper = items[s].parent if s >= 0 else _NONE
        value = _merge(tree, level, s, r, np.inf) if s >= 0 else 0.0
        part = _INT(_empty_group(tree, level, r))
        value += _scatter(tree, level, r, part, members, n)
        value += _settle_two(tree, level, r, part, members, n, n_sweeps)
        is_better = value < -_SMALLEST_GAIN and (items[part].n_items > 0 or not tree.totals.keeps_number)
        for m in range(n):
            if is_better:
                _note_move(tree, level, members[m])
                tree.waiting[members[m]] = 1
            elif level == 0:
                tree.tries[members[m]] = max(tree.tries[members[m]], 1) - 1
        if is_better:
            total += value
            n_changed += 1
            continue
        if items[part].n_items > 0:
            _merge(tree, level, part, r, np.inf)
        if s >= 0:
            items[s].parent = upper
            for m in range(n):
                if origins[m] == s:
                    _move_to(tree, level, members[m], s)
    return total, n_changed


@_internal
def _length(tree: GroupTree) -> float:
    items, value = tree.items, 0.0
    if tree.totals.is_assortative:
        value += _within_term(tree, float(tree.levels[0].n_groups[0]), float(tree.totals.n_within))
    for level in range(tree.totals.n_levels):
        row = tree.levels[level]
        for side in range(2):
            value += _level_term(tree, level, float(row.n_items[side]), float(row.n_groups[side]))
        for r in range(row.first, row.last):
            n_r = float(items[r].n_items)
            value += _group_term(tree, level, n_r, items[r].degree)
            place = items[r].row if n_r > 0 else _NONE
            while place >= 0:
                column, e = tree.table[place].column, float(tree.table[place].count)
                s = _item(column)
                if s >= len(items):
                    value += _pair_term(tree, level, _BETWEEN, n_r, 0.0, e)
                elif column >= 0 and (column <= r or tree.totals.is_directed):
                    value += _pair_term(tree, level, s == r, n_r, float(items[s].n_items), e)
                    if level == 0 and tree.totals.weight_model:
                        value += _weight_term(tree, e, tree.sums[place, 0], tree.sums[place, 1])
                place = tree.table[place].next
    return value


@_public
def length(tree: GroupTree) -> float:
    """Return the part of the description length that depends on the groups, in nats."""
    return _length(tree)


# ----------------------------------------------------------------------------------------------------------- chains


@_internal
def _labelings(tree: GroupTree, r: int, s: int, n: int) -> float:
    """Return the change of -log B!, if n items of r move to s: a partition is B! labelings of its groups."""
    row, items = tree.levels[0], tree.items
    n_groups = float(row.n_groups[0] + row.n_groups[1])
    if items[s].n_items == 0:
        n_groups += 1.0
        return -math.log(n_groups) if items[r].n_items > n else 0.0
    return math.log(n_groups) if items[r].n_items == n else 0.0


@_internal
def _step(tree: GroupTree, x: int, s: int, loops: int) -> None:
    """Move a tallied node, and keep the list of groups."""
    items, row = tree.items, tree.levels[0]
    r, is_new = items[x].parent, items[s].n_items == 0
    _move_item(tree, _NODES, x, s, loops)
    if is_new:
        items[s].place = row.n_active
        tree.free[row.first_active + row.n_active] = s
        row.n_active += 1
    if items[r].n_items == 0:
        _forget(tree, r)


@_internal
def _forget(tree: GroupTree, r: int) -> None:
    """Take an empty group off the list of groups."""
    row = tree.levels[0]
    row.n_active -= 1
    last = tree.free[row.first_active + row.n_active]
    tree.free[row.first_active + tree.items[r].place] = last
    tree.items[last].place = tree.items[r].place


@_internal
def _log_odds(tree: GroupTree, x: int, s: int, loops: int) -> float:
    """Return the change of minus the log posterior if a tallied node moves to another group."""
    items = tree.items
    r, degree = items[x].parent, items[x].degree
    change = _change(tree, _NODES, r, s, loops, 1, degree, _leaving(tree, _NODES, _START, r, loops, 1, degree))
    return change + _labelings(tree, r, s, 1)


@_internal
def _gibbs(tree: GroupTree, x: int) -> None:
    """Draw a new group for a node: one of its neighbors' groups, or one of all and a new one.

    The groups of its neighbors are the options if its own is one of them: they do not depend on where it is. Otherwise
    the choice is between its own and a group drawn at random from all others, or a new one.
    """
    items, row, totals = tree.items, tree.levels[0], tree.totals
    r = items[x].parent
    if items[x].is_fixed or (totals.keeps_number and items[r].n_items == 1):
        return
    loops = _tally_item(tree, _NODES, x)
    if _random(totals) < 0.5:
        if _edges_to(tree, r) > 0:
            degree = items[x].degree
            leaving, chosen, weight = _leaving(tree, _NODES, _START, r, loops, 1, degree), _INT(-1), 1.0
            for at in range(row.tally_end):
                s = _target(tree, tree.tally[at])
                if s < 0 or s == r or items[s].side != items[r].side:
                    continue
                change = _change(tree, _NODES, r, s, loops, 1, degree, leaving) + _labelings(tree, r, s, 1)
                odds = math.exp(min(-change, 600.0))
                weight += odds
                if _random(totals) * weight < odds:
                    chosen = s
            if chosen >= 0:
                _step(tree, x, chosen, loops)
    else:
        can_open = items[r].n_items > 1 and not totals.keeps_number
        at = int(_random(totals) * (row.n_active + int(can_open)))
        is_open = at < row.n_active
        s = _INT(tree.free[row.first_active + at] if is_open else _empty_group(tree, _NODES, r))
        if s >= 0 and s != r and items[s].side == items[r].side:
            change = _log_odds(tree, x, s, loops)
            if _random(totals) * (1.0 + math.exp(min(change, 600.0))) < 1.0:
                _step(tree, x, s, loops)
    _clear(tree)


@_internal
def _share_out(
    tree: GroupTree, members: IndexArray, n: int, r: int, s: int, goal: IndexArray, is_forced: bool
) -> float:
    """Let each member choose between r and s, or go where `goal` says; return the log probability of the choices."""
    items, value = tree.items, 0.0
    for m in range(n):
        x = members[m]
        own = items[x].parent
        other = s if own == r else r
        loops = _tally_item(tree, _NODES, x)
        p = 1.0 / (1.0 + math.exp(min(_log_odds(tree, x, other, loops), 600.0)))
        moves = goal[m] != own if is_forced else _random(tree.totals) < p
        value += math.log(max(p if moves else 1.0 - p, 1e-300))
        if moves:
            _step(tree, x, other, loops)
        _clear(tree)
    return value


@_internal
def _send(tree: GroupTree, x: int, s: int) -> None:
    """Move a node to a group, if it is in another one."""
    if tree.items[x].parent != s:
        loops = _tally_item(tree, _NODES, x)
        _step(tree, x, s, loops)
        _clear(tree)


@_internal
def _launch(tree: GroupTree, members: IndexArray, n: int, r: int, s: int) -> None:
    """Share members out at random, and let each choose a few times."""
    for m in range(n):
        _send(tree, members[m], s if _random(tree.totals) < 0.5 else r)
    for _ in range(_LAUNCH_SWEEPS):
        _share_out(tree, members, n, r, s, members, _NO)


@_internal
def _minus_log_posterior(tree: GroupTree) -> float:
    row = tree.levels[0]
    return _length(tree) - _log_factorial(tree, float(row.n_groups[0] + row.n_groups[1]))


@_internal
def _split_or_merge(tree: GroupTree, members: IndexArray, origins: IndexArray) -> None:
    """Split the group of two random nodes, or merge their groups, with the probability of Jain & Neal (2004)."""
    items, totals, n_nodes = tree.items, tree.totals, len(tree.start) - 1
    i, j = int(_random(totals) * n_nodes), int(_random(totals) * n_nodes)
    r, s = _INT(items[i].parent), _INT(items[j].parent)
    if i == j or items[r].is_fixed or items[s].is_fixed or items[r].side != items[s].side:
        return
    is_split, n = r == s, 0
    if is_split and tree.levels[0].n_free == 0:
        return
    for m in range(_gather(tree, r, s, members, origins)):
        if members[m] != i and members[m] != j:
            members[n], origins[n] = members[m], origins[m]
            n += 1
    for m in range(n - 1, 0, -1):  # a random order: that of the list depends on the past
        other = int(_random(totals) * (m + 1))
        members[m], members[other] = members[other], members[m]
        origins[m], origins[other] = origins[other], origins[m]
    before = _minus_log_posterior(tree)
    if is_split:
        s = _INT(_empty_group(tree, _NODES, r))
        _send(tree, j, s)
    _launch(tree, members, n, r, s)
    chosen = _share_out(tree, members, n, r, s, origins, not is_split)
    if not is_split:  # all are back where they were; now s joins r
        for m in range(n):
            _send(tree, members[m], r)
        _send(tree, j, r)
    log_ratio = before - _minus_log_posterior(tree) + (-chosen if is_split else chosen)
    if math.log(max(_random(totals), 1e-300)) < log_ratio:
        return
    if is_split:
        for m in range(n):
            _send(tree, members[m], r)
        _send(tree, j, r)
        return
    s = _INT(_empty_group(tree, _NODES, r))
    _send(tree, j, s)
    for m in range(n):
        if origins[m] != r:
            _send(tree, members[m], s)


@_public
def run_chain(tree: GroupTree, n_sweeps: int, splits: float, members: IndexArray, origins: IndexArray) -> int:
    """Run a Markov chain whose equilibrium is the posterior of a flat partition; return the number of sweeps made.

    They are fewer than `n_sweeps` if the table got full. In a sweep, each node is drawn once on average, and `splits`
    merge-split moves follow. `members` and `origins` are memory for the nodes.
    """
    n = len(tree.start) - 1
    _list_groups(tree, _NODES)
    for done in range(n_sweeps):
        for _ in range(n):
            if _is_full(tree, len(tree.table) // 10):
                return done
            _gibbs(tree, int(_random(tree.totals) * n))
        if not tree.totals.keeps_number:
            for _ in range(int(splits + _random(tree.totals))):
                if _is_full(tree, len(tree.table) // 10):
                    return done
                _split_or_merge(tree, members, origins)
    return n_sweeps


@_public
def conditional(tree: GroupTree, probability: FloatArray) -> None:
    """Write each node's probability of its own group, given the groups of all others, to `probability`.

    The alternatives are the groups of its neighbors and a new one.
    """
    items, row = tree.items, tree.levels[0]
    for x in range(len(tree.start) - 1):
        r = items[x].parent
        if items[x].is_fixed or (tree.totals.keeps_number and items[r].n_items == 1):
            probability[x] = 1.0
            continue
        loops, weight = _tally_item(tree, _NODES, x), 1.0
        for at in range(row.tally_end + 1):
            s = _target(tree, tree.tally[at]) if at < row.tally_end else _INT(_NONE)
            if at == row.tally_end and not tree.totals.keeps_number and items[r].n_items > 1:
                s = _INT(_empty_group(tree, _NODES, r))
            if s >= 0 and s != r and items[s].side == items[r].side:
                weight += math.exp(min(-_log_odds(tree, x, s, loops), 600.0))
        _clear(tree)
        probability[x] = 1.0 / weight
