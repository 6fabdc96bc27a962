"""Moves of nodes between communities, in batches that threads evaluate in parallel; compiled by numba and cached.

The quality of a partition is Q = sum_c [W_c - gamma U_c V_c], where W_c is the weight of the edges within community c,
and U_c and V_c are the sums over its nodes of two node weights u and v:

================================  ===========================  ==============
objective                         u, v                         gamma
================================  ===========================  ==============
modularity, times m               degree, degree               resolution / 4m
modularity of directed edges      out-degree, in-degree        resolution / m
constant Potts model              1, 1                         resolution / 2
the same of directed edges        1, 1                         resolution
label propagation                 any                          0
================================  ===========================  ==============

Here m is the sum of the weights of all edges. If node i moves from community a to c, Q grows by

    w_ic - w_ia - gamma [u_i (V_c - V_a + v_i) + v_i (U_c - U_a + u_i)],

where w_ic is the weight of its edges to c (Leicht & Newman 2008; Traag, Waltman & van Eck 2019). After its visit, a
node waits until a neighbor has moved to another community than its own.

Threads
-------
Nodes of large graphs are visited in batches. Threads find the best move of each node of a batch while nothing changes.
Then one thread makes these moves in order, each if it still adds quality. If no neighbor is in the same batch, the
weights that were found are still right; otherwise they are added up again. Hence no move lowers the quality, and the
result does not depend on the number of threads. Deterministic parallel partitioners work in a similar way (Gottesbüren
& Hamann 2022). The nodes of small graphs, and the last ones of large graphs, wait in a queue and move one at a time.
In very large graphs, all visits are in batches of long blocks of consecutive nodes, whose rows lie side by side: that
takes a fifth less time, rows can lie in files, and the moves of a batch can be found by other processes
(`graphclust.kernels.workers`).

Sums over the communities around a node are kept in a hash table whose size depends on the degree.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext
from copy import copy
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from graphclust.kernels.adjacency import Adjacency, IndexArray, Records, read_ahead
from graphclust.runtime.arrays import FloatArray, IntArray
from graphclust.runtime.compilation import compiled
from graphclust.runtime.storage import prefetch, without_readahead
from graphclust.runtime.threads import Threads

if TYPE_CHECKING:
    from graphclust.kernels.workers import Proposals

__all__ = [
    "BATCHES_KEPT",
    "MASS",
    "PART",
    "Changes",
    "Moves",
    "Replica",
    "add_up_rows",
    "batch_size",
    "is_very_large",
    "move_nodes",
    "move_rows",
    "new_sums",
    "part_nodes",
    "refine",
    "renumber_rows",
    "soon_visited",
    "staying",
    "visiting_order",
]

MASS = np.dtype([("u", np.float64), ("v", np.float64), ("size", np.int64), ("is_fixed", np.int64)])
_NODE = np.dtype([("label", np.int32), ("turn", np.int32)])
_COMMUNITY = np.dtype([("size", np.int64), ("n_nodes", np.int64)])
_MOVE = np.dtype([("weight_from", np.float64), ("weight_to", np.float64), ("target", np.int32), ("is_exact", np.int32)])
_SUM = np.dtype([("weight", np.float64), ("label", np.int64)])
PART = np.dtype([("u", np.float64), ("v", np.float64), ("cut", np.float64), ("n_nodes", np.int64)])
_TOTALS = np.dtype(
    [(name, np.int64) for name in ("n_free", "turn", "is_directed", "min_size", "max_size", "seed", "first_row")]
    + [(name, np.float64) for name in ("gamma", "gain")]
)

_UNLIMITED = 2**62
_MOST_IN_QUEUE = 500_000  # nodes and entries of rows of a graph whose nodes all wait in a queue
_MAX_BATCH = 8192  # nodes
_FEWEST_BATCHES, _MOST_BATCHES = 32, 512
_TAIL = 32  # when one in so many nodes waits, the last ones wait in a queue
_VISITS_PER_CALL = 100_000  # of the queue, so that Ctrl-C does not wait long
_FEWEST_BLOCKS = 512
_BLOCK = 16  # consecutive nodes that stay together in the order of visits, because they often share neighbors
_LONG_BLOCK = 1024  # the same of very large graphs, whose rows are read from one end to the other
_VERY_LARGE = 1 << 24  # nodes and entries of rows
_BATCHES_AHEAD = 32  # whose rows are read from files in advance
BATCHES_KEPT = 64  # whose rows stay in memory
_SMALLEST_GAIN = 1e-10  # relative to the terms of the gain; smaller gains are rounding errors
_EXPONENT = 40.0  # exp(-40) counts as 0
_NEW = np.int32(-1)  # target of a move into an empty community

_NO_ROWS = Adjacency(np.zeros(1, np.int64), np.zeros(0, np.int32), np.zeros(0))
_settings: dict[str, Any] = {"error_model": "numpy", "_nrt": False}
_public = compiled(nogil=True, **_settings)
_internal = compiled(inner=True, **_settings)


class Moves(NamedTuple):
    """What `move_nodes` returns.

    Attributes
    ----------
    labels : ndarray of int32, shape (n,)
    gain : float
        Sum of what the moves added to the quality.
    """

    labels: IndexArray
    gain: float


class _State(NamedTuple):
    """A graph, a partition, and memory.

    Attributes
    ----------
    start, neighbor, weight
        As of `Adjacency`: the rows of the nodes from `first_row` on.
    masses : array of `MASS`, shape (n_rows,)
    nodes : array of `_NODE`, shape (n,)
        Label, and the turn of the last visit.
    woken : ndarray of int32, shape (n,)
        The last turn in which a neighbor moved. A node waits if it was visited in or before that turn.
    communities : array of `_COMMUNITY`, shape (n_labels,)
    sum_u, sum_v : ndarray of float64, shape (n_labels,)
        U_c and V_c; the same array if u = v.
    free : ndarray of int32, shape (n_labels,)
        Labels that are not in use, in the first `n_free` places.
    order : ndarray of int32, shape (n,)
        Nodes to be visited.
    moves : array of `_MOVE`, shape (n_batch,)
        Proposed moves of the nodes of a batch.
    moved : ndarray of int32, shape (n_batch,)
        Nodes that moved in the last batch.
    totals : record of `_TOTALS`
    """

    start: IntArray
    neighbor: IndexArray
    weight: FloatArray
    masses: Records
    nodes: Records
    woken: IndexArray
    communities: Records
    sum_u: FloatArray
    sum_v: FloatArray
    free: IndexArray
    order: IndexArray
    moves: Records
    moved: IndexArray
    totals: Any


class Changes(NamedTuple):
    """Moves of nodes, in the order in which they were made.

    Attributes
    ----------
    nodes, labels : ndarray of int32, shape (n_moves,)
        The nodes, and their new labels.
    masses : array of `MASS`, shape (n_moves,)
        Of the nodes.
    """

    nodes: IndexArray
    labels: IndexArray
    masses: Records


class Replica:
    """A copy of a partition in another process, which finds the best moves of nodes whose rows it has.

    Attributes
    ----------
    turn : int
        The last turn whose moves it knows.
    """

    def __init__(self, state: _State, turn: int) -> None:
        self._nodes, self._communities, self._totals = state.nodes, state.communities, state.totals
        self._sum_u, self._sum_v = state.sum_u, state.sum_v
        self.turn = turn

    @property
    def nbytes(self) -> int:
        """Bytes of its arrays."""
        sums = self._sum_u.nbytes * (1 if self._sum_v is self._sum_u else 2)
        return self._nodes.nbytes + self._communities.nbytes + sums

    def copy(self, with_arrays: bool = True) -> Replica:
        """Return a copy that shares no memory, or the arrays only."""
        other = copy(self)
        other._totals = self._totals.copy()
        if not with_arrays:
            return other
        other._nodes, other._communities = self._nodes.copy(), self._communities.copy()
        other._sum_u = self._sum_u.copy()
        other._sum_v = other._sum_u if self._sum_v is self._sum_u else self._sum_v.copy()
        return other

    def make(self, changes: Changes, turn: int) -> None:
        """Make the moves of a turn."""
        self.turn = turn
        _relabel_all(self._state(_NO_ROWS, changes.masses, changes.nodes), *changes)

    def best_moves(
        self, rows: Adjacency, masses: Records, first_row: int, nodes: IndexArray, threads: Threads
    ) -> tuple[IndexArray, IndexArray]:
        """Return which of some nodes should move, and to which labels.

        Parameters
        ----------
        rows : Adjacency
            The rows of nodes from `first_row` on.
        masses : array of `MASS`, shape (n_rows,)
            Of the same nodes.
        first_row : int
        nodes : ndarray of int32, shape (n_nodes,)
        threads : Threads

        Returns
        -------
        places, targets : ndarray of int32
            Places in `nodes`, and labels; -1 for an empty community.
        """
        state = self._state(rows, masses, nodes)
        state.totals["turn"], state.totals["first_row"] = self.turn, first_row
        most = int(np.diff(rows.start)[nodes - first_row].max(initial=0))
        tables = [new_sums(most) for _ in range(threads.number)]
        threads.run(lambda t: _propose_all(state, *tables[t], *threads.share(t, 0, len(nodes))))
        targets = state.moves["target"]
        places = np.flatnonzero(targets != self._nodes["label"][nodes]).astype(np.int32)
        return places, targets[places]

    def _state(self, rows: Adjacency, masses: Records, nodes: IndexArray) -> _State:
        nothing = np.zeros(0, np.int32)
        return _State(
            *rows,
            masses=masses,
            nodes=self._nodes,
            woken=nothing,
            communities=self._communities,
            sum_u=self._sum_u,
            sum_v=self._sum_v,
            free=nothing,
            order=nodes,
            moves=np.zeros(len(nodes), _MOVE),
            moved=nothing,
            totals=self._totals,
        )


def new_sums(most: int) -> tuple[Records, IndexArray]:
    """Return an empty hash table for the sums of up to `most` labels, and memory for the places in use."""
    sums = np.zeros(max(1 << (2 * most - 1).bit_length(), 8), _SUM)
    sums["label"] = -1
    return sums, np.zeros(most + 1, np.int32)


@_internal
def _table_mask(n: int) -> int:
    """Return the length of a hash table for n labels, a power of two of at least 2 n, minus one."""
    length = 8
    while length < 2 * n:
        length *= 2
    return length - 1


@_internal
def _add(sums: Records, slots: IndexArray, n: int, mask: int, label: int, weight: float) -> int:
    """Add a weight to the sum of a label in a table of n labels; return the new number of labels."""
    h = (np.int64(label) * 0x9E3779B1 >> 7) & mask
    while sums[h].label != label:
        if sums[h].label < 0:
            sums[h].label, sums[h].weight, slots[n] = label, weight, h
            return n + 1
        h = (h + 1) & mask
    sums[h].weight += weight
    return n


@_internal
def _random_number(seed: int, number: int) -> Any:
    """Return a uniform random integer of 64 bits that depends on both arguments only (SplitMix64)."""
    x = np.uint64(seed) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(number)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


@_internal
def _propose(state: _State, sums: Records, slots: IndexArray, t: int, k: int, turn: int) -> None:
    """Find the best move of the node at place t of the order, which is the k-th; ties are broken at random."""
    start, neighbor, weight, nodes, totals = state.start, state.neighbor, state.weight, state.nodes, state.totals
    i = state.order[t]
    row = i - totals.first_row
    own, first, last, mass = nodes[i].label, start[row], start[row + 1], state.masses[row]
    every, mask = -1 if len(weight) > 1 else 0, _table_mask(last - first)
    n_around, is_exact, own_weight, strength = 0, 1, 0.0, 0.0
    for e in range(first, last):
        node = nodes[neighbor[e]]
        if node.turn == turn:
            is_exact = 0
        strength += weight[e & every]
        if node.label == own:
            own_weight += weight[e & every]
        else:
            n_around = _add(sums, slots, n_around, mask, node.label, weight[e & every])
    u, v, gamma = mass.u, mass.v, totals.gamma
    best = own_weight - gamma * (u * (state.sum_v[own] - v) + v * (state.sum_u[own] - u))
    target, best_weight, best_key, rounding = own, own_weight, np.uint64(0), _SMALLEST_GAIN * strength
    if best < 0.0 and state.communities[own].n_nodes > 1:
        target, best, best_weight = _NEW, 0.0, 0.0
    for s in range(n_around):
        total = sums[slots[s]]
        label = total.label
        total.label = -1
        value = total.weight - gamma * (u * state.sum_v[label] + v * state.sum_u[label])
        if value < best - rounding or (value <= best + rounding and target == own):
            continue
        if totals.max_size < _UNLIMITED and state.communities[label].size + mass.size > totals.max_size:
            continue
        if value <= best + rounding:
            key = _random_number(totals.seed + turn, np.int64(i) * len(nodes) + label)
            if best_key == 0:
                best_key = _random_number(totals.seed + turn, np.int64(i) * len(nodes) + target)
            if key < best_key:
                continue
            best_key = key
        else:
            best_key = np.uint64(0)
        best, target, best_weight = value, np.int32(label), total.weight
    move = state.moves[k]
    move.weight_from, move.weight_to, move.target, move.is_exact = own_weight, best_weight, target, is_exact


@_internal
def _make(state: _State, t: int, k: int) -> bool:
    """Make the k-th move, of the node at place t of the order, if it still adds quality; return whether it does."""
    nodes, communities, totals, sum_u, sum_v = state.nodes, state.communities, state.totals, state.sum_u, state.sum_v
    i, move = state.order[t], state.moves[k]
    own, target, mass = nodes[i].label, move.target, state.masses[i]
    if target == own or mass.is_fixed != 0:
        return False
    weight_from, weight_to = move.weight_from, move.weight_to
    if move.is_exact == 0:
        weight_from = weight_to = 0.0
        every = -1 if len(state.weight) > 1 else 0
        for e in range(state.start[i], state.start[i + 1]):
            label = nodes[state.neighbor[e]].label
            if label == own:
                weight_from += state.weight[e & every]
            elif label == target:
                weight_to += state.weight[e & every]
    is_new = target == _NEW
    if is_new:
        target = state.free[totals.n_free - 1]
    here, there = communities[own], communities[target]
    joining = totals.gamma * (mass.u * (sum_v[target] + mass.v) + mass.v * (sum_u[target] + mass.u))
    leaving = totals.gamma * (mass.u * sum_v[own] + mass.v * sum_u[own])
    gain = weight_to - weight_from - joining + leaving
    least = _SMALLEST_GAIN * (weight_to + weight_from + joining + leaving)
    if gain <= least or there.size + mass.size > totals.max_size or (there.n_nodes == 0) != is_new:
        return False
    if here.size - mass.size < totals.min_size or there.size + mass.size < totals.min_size:
        return False
    totals.gain += gain
    totals.n_free -= is_new
    if _relabel(state, i, target, mass):
        state.free[totals.n_free] = own
        totals.n_free += 1
    return True


@_internal
def _relabel(state: _State, i: int, target: int, mass: Any) -> bool:
    """Move a node to another community; return whether its own is empty now."""
    own, sum_u, sum_v = state.nodes[i].label, state.sum_u, state.sum_v
    here, there = state.communities[own], state.communities[target]
    state.nodes[i].label = target
    sum_u[own] -= mass.u
    sum_u[target] += mass.u
    if state.totals.is_directed != 0:
        sum_v[own] -= mass.v
        sum_v[target] += mass.v
    here.size -= mass.size
    there.size += mass.size
    here.n_nodes -= 1
    there.n_nodes += 1
    if here.n_nodes == 0:
        sum_u[own] = sum_v[own] = 0.0
    return here.n_nodes == 0


@_public
def _propose_all(state: _State, sums: Records, slots: IndexArray, first: int, last: int) -> None:
    """Find the best moves of the nodes at some places of the order; the k-th move is that of place k."""
    for t in range(first, last):
        _propose(state, sums, slots, t, t, state.totals.turn)


@_public
def _relabel_all(state: _State, nodes: IndexArray, labels: IndexArray, masses: Records) -> None:
    """Make moves that another process has made, in the same order."""
    for t in range(len(nodes)):
        _relabel(state, nodes[t], labels[t], masses[t])


@_public
def _line_up(state: _State, sequence: IndexArray, batch: int) -> int:
    """Write the nodes that wait to `order`, and return their number; each batch of them is visited in one turn."""
    n = 0
    for t in range(len(sequence)):
        i = sequence[t]
        node = state.nodes[i]
        if state.woken[i] >= node.turn:
            state.order[n] = i
            if batch > 0:
                node.turn = state.totals.turn + n // batch
            n += 1
    return n


@_public
def _visit(
    state: _State,
    sums: Records,
    slots: IndexArray,
    begin: int,
    first_moved: int,
    last_moved: int,
    first: int,
    last: int,
    turn: int,
) -> None:
    """Wake the neighbors of some nodes that moved in the turn before, and find the best moves of others.

    The batch begins at place `begin` of the order.
    """
    for t in range(first_moved, last_moved):
        i = state.moved[t]
        for e in range(state.start[i], state.start[i + 1]):
            if state.nodes[state.neighbor[e]].label != state.nodes[i].label:
                state.woken[state.neighbor[e]] = turn - 1
    for t in range(first, last):
        _propose(state, sums, slots, t, t - begin, turn)


@_public
def _make_all(state: _State, first: int, last: int) -> int:
    """Make the moves of a batch; return how many nodes moved."""
    n_moved = 0
    for t in range(first, last):
        if _make(state, t, t - first):
            state.moved[n_moved] = state.order[t]
            n_moved += 1
    return n_moved


@_public
def _empty_queue(state: _State, sums: Records, slots: IndexArray, first: int, n: int, n_visits: int) -> tuple[int, int]:
    """Visit the n nodes that wait in `order` from a place on, and those that wait after them, which are added.

    Returns
    -------
    first, n : int
        As the arguments, after `n_visits` visits, or fewer if no node waits.
    """
    nodes, order, woken, totals = state.nodes, state.order, state.woken, state.totals
    length = len(nodes)
    while n > 0 and n_visits > 0:
        i = order[first]
        nodes[i].turn = totals.turn
        _propose(state, sums, slots, first, 0, totals.turn)
        is_moved = _make(state, first, 0)
        first = first + 1 if first + 1 < length else 0
        n -= 1
        n_visits -= 1
        if is_moved:
            for e in range(state.start[i], state.start[i + 1]):
                j = state.neighbor[e]
                if nodes[j].label != nodes[i].label:
                    if woken[j] < nodes[j].turn:
                        end = first + n
                        order[end if end < length else end - length] = j
                        n += 1
                    woken[j] = totals.turn
        totals.turn += 1
    return first, n


@_internal
def _gain(parts: Records, total: Any, u: float, v: float, sum_u: float, sum_v: float, gamma: float) -> float:
    """Return what joining a part adds to the quality, or -1 if the part is not well connected to the rest."""
    part = parts[total.label]
    if part.cut < gamma * (part.u * (sum_v - part.v) + part.v * (sum_u - part.u)):
        return -1.0
    return total.weight - gamma * (u * part.v + v * part.u)


@_public
def part_nodes(rows: Adjacency, masses: Records, labels: IndexArray, parts: Records, first: int, last: int) -> None:
    """Make a part of each of some nodes, for `refine`."""
    every = -1 if len(rows.weight) > 1 else 0
    for i in range(first, last):
        part = parts[i]
        part.u, part.v, part.n_nodes = masses[i].u, masses[i].v, 1
        for e in range(rows.start[i], rows.start[i + 1]):
            if labels[rows.neighbor[e]] == labels[i]:
                part.cut += rows.weight[e & every]


@_public
def refine(
    rows: Adjacency,
    labels: IndexArray,
    sum_us: FloatArray,
    sum_vs: FloatArray,
    first_member: IntArray,
    members: IndexArray,
    names: IndexArray,
    refined: IndexArray,
    parts: Records,
    sums: Records,
    slots: IndexArray,
    gamma: float,
    beta: float,
    seed: int,
    first: int,
    last: int,
) -> None:
    """Merge some nodes of some communities into parts; `refined[i]` is i at first, and later a node of the part.

    Random numbers depend on the names of the nodes, which are their numbers if `names` is empty.
    """
    start, neighbor, weight = rows.start, rows.neighbor, rows.weight
    every = -1 if len(weight) > 1 else 0
    for c in range(first, last):
        sum_u, sum_v = sum_us[c], sum_vs[c]
        for t in range(first_member[c], first_member[c + 1]):
            i = members[t]
            own = parts[i]
            u, v = own.u, own.v
            if own.n_nodes != 1 or own.cut < gamma * (u * (sum_v - v) + v * (sum_u - u)):
                continue
            name = int(names[i]) if len(names) > 0 else int(i)
            mask, n_around = _table_mask(start[i + 1] - start[i]), 0
            for e in range(start[i], start[i + 1]):
                if labels[neighbor[e]] == c:
                    n_around = _add(sums, slots, n_around, mask, refined[neighbor[e]], weight[e & every])
            most, scale = 0.0, 0.0
            for s in range(n_around):
                most = max(most, _gain(parts, sums[slots[s]], u, v, sum_u, sum_v, gamma))
            for s in range(n_around):
                gain = _gain(parts, sums[slots[s]], u, v, sum_u, sum_v, gamma)
                if gain >= 0.0 and gain >= most - _EXPONENT * beta:
                    scale += math.exp((gain - most) / beta)
            stay = math.exp(-most / beta) if most < _EXPONENT * beta else 0.0
            uniform = np.float64(_random_number(seed, name) >> np.uint64(11)) / 9007199254740992.0
            draw = (scale + stay) * uniform - stay
            target, link = np.int32(i), 0.0
            for s in range(n_around):
                total = sums[slots[s]]
                gain = _gain(parts, total, u, v, sum_u, sum_v, gamma)
                if draw >= 0.0 and gain >= 0.0 and gain >= most - _EXPONENT * beta:
                    draw -= math.exp((gain - most) / beta)
                    target, link = np.int32(total.label), total.weight
                total.label = -1
            if target != i:
                part = parts[target]
                part.u += u
                part.v += v
                part.cut += own.cut - 2.0 * link
                part.n_nodes += 1
                own.n_nodes = 0
                refined[i] = target


@_public
def add_up_rows(
    rows: Adjacency,
    labels: IndexArray,
    first_label: int,
    first_member: IntArray,
    members: IndexArray,
    place: IntArray,
    neighbor: IndexArray,
    weight: FloatArray,
    n_neighbors: IntArray,
    sums: Records,
    slots: IndexArray,
    first: int,
    last: int,
) -> None:
    """Add up the rows of the members of some labels, from their places in `neighbor` and `weight` on.

    The first members are those of `first_label`.
    """
    every = -1 if len(rows.weight) > 1 else 0
    for c in range(first, last):
        mask = min(_table_mask(place[c + 1] - place[c]), len(sums) - 1)
        n = 0
        for t in range(first_member[c], first_member[c + 1]):
            i = members[t]
            for e in range(rows.start[i], rows.start[i + 1]):
                label = labels[rows.neighbor[e]]
                if label != first_label + c:
                    n = _add(sums, slots, n, mask, label, rows.weight[e & every])
        for s in range(n):
            total = sums[slots[s]]
            neighbor[place[c] + s], weight[place[c] + s] = total.label, total.weight
            total.label = -1
        n_neighbors[c] = n


@_public
def move_rows(
    place: IntArray,
    start: IntArray,
    neighbor: IndexArray,
    weight: FloatArray,
    new_neighbor: IndexArray,
    new_weight: FloatArray,
    first: int,
    last: int,
) -> None:
    """Copy rows to their new starts, without the gaps between them."""
    for c in range(first, last):
        shift = place[c] - start[c]
        for e in range(start[c], start[c + 1]):
            new_neighbor[e], new_weight[e] = neighbor[e + shift], weight[e + shift]


@_public
def renumber_rows(
    rows: Adjacency, rank: IndexArray, result: Adjacency, lowest: int, end: int, first: int, last: int
) -> None:
    """Write the rows first, ..., last - 1 whose new numbers are from `lowest` up to `end` to their new places."""
    is_weighted = len(rows.weight) > 1
    for i in range(first, last):
        r = rank[i]
        if lowest <= r < end:
            shift = result.start[r] - rows.start[i]
            for e in range(rows.start[i], rows.start[i + 1]):
                result.neighbor[e + shift] = rank[rows.neighbor[e]]
                if is_weighted:
                    result.weight[e + shift] = rows.weight[e]


def soon_visited(order: IndexArray, first: int, batch: int) -> IndexArray:
    """Return the nodes whose rows are read when a batch begins: at first those of several batches, then of one more."""
    begin = first + _BATCHES_AHEAD * batch if first else 0
    return order[begin : first + (_BATCHES_AHEAD + 1) * batch]


def visiting_order(n: int, seed: int, *, is_large: bool) -> IndexArray:
    """Return a random order of n nodes, of which blocks of consecutive nodes stay together if there are many.

    They are long if the graph is very large.
    """
    generator = np.random.default_rng(seed)
    if n < _FEWEST_BLOCKS * _BLOCK:
        return generator.permutation(n).astype(np.int32)
    length = _LONG_BLOCK if is_large else _BLOCK
    blocks = generator.permutation(-(-n // length)).astype(np.int32)
    order: Any = (blocks[:, None] * np.int32(length) + np.arange(length, dtype=np.int32)).ravel()
    return order[order < n]


def is_very_large(start: IntArray) -> bool:
    """Whether nodes are visited in batches of long blocks to the end; `start` is that of the rows."""
    return len(start) + int(start[-1]) > _VERY_LARGE


def batch_size(n: int) -> int:
    """Return how many of n nodes are visited at once."""
    return max(min(_MAX_BATCH, n // _FEWEST_BATCHES), n // _MOST_BATCHES, 1)


def _state(
    rows: Adjacency,
    masses: Records,
    labels: IntArray | IndexArray,
    gamma: float,
    seed: int,
    max_size: int | None,
    min_size: int,
    batch: int,
) -> _State:
    n = len(masses)
    capacity = max(int(labels.max(initial=0)) + 1, n) + 1
    nodes = np.zeros(n, _NODE)
    nodes["label"] = labels
    communities = np.zeros(capacity, _COMMUNITY)
    communities["n_nodes"] = np.bincount(labels, minlength=capacity)
    communities["size"] = np.bincount(labels, masses["size"], minlength=capacity)
    is_directed = bool((masses["u"] != masses["v"]).any())
    sum_u: Any = np.bincount(labels, masses["u"], minlength=capacity)
    sum_v: Any = np.bincount(labels, masses["v"], minlength=capacity) if is_directed else sum_u
    free = np.zeros(capacity, np.int32)
    is_free = np.flatnonzero(communities["n_nodes"] == 0)
    free[: len(is_free)] = is_free
    totals: Any = np.zeros(1, _TOTALS)[0]
    totals["n_free"], totals["is_directed"], totals["turn"] = len(is_free), is_directed, 1
    totals["max_size"] = _UNLIMITED if max_size is None else max_size
    totals["min_size"] = min_size
    totals["seed"], totals["gamma"] = seed, gamma
    return _State(
        *rows,
        masses=masses,
        nodes=nodes,
        woken=np.zeros(n, np.int32),
        communities=communities,
        sum_u=sum_u,
        sum_v=sum_v,
        free=free,
        order=np.zeros(n, np.int32),
        moves=np.zeros(batch, _MOVE),
        moved=np.zeros(batch, np.int32),
        totals=totals,
    )


def move_nodes(
    rows: Adjacency,
    masses: Records,
    labels: IntArray | IndexArray,
    gamma: float,
    *,
    seed: int,
    threads: Threads,
    max_size: int | None = None,
    min_size: int = 0,
    enough: float = 0.0,
    waiting: NDArray[np.bool_] | None = None,
) -> Moves:
    """Move nodes until none waits: no node can gain by a move unless something has changed since its visit.

    Parameters
    ----------
    rows : Adjacency
    masses : array of `MASS`, shape (n,)
        Node weights u and v, the size for `max_size`, and whether a node keeps its label.
    labels : ndarray of int, shape (n,)
        The partition at the start; not negative.
    gamma : float
    seed : int
        Of the order of visits and of ties.
    threads : Threads
    max_size : int, optional
        Largest sum of sizes of a community that nodes may move to.
    min_size : int
        Smallest sum of sizes of a community that a node has left or moved to; a community cannot vanish if positive.
    enough : float
        On large graphs, stop after a round in which at most this share of all nodes moved.
    waiting : ndarray of bool, shape (n,), optional
        The nodes that wait at the start, by default all.
    """
    n = len(masses)
    batch = batch_size(n)
    state = _state(rows, masses, labels, gamma, seed, max_size, min_size, batch)
    totals = state.totals
    if waiting is not None:
        state.woken[~waiting] = -1
    order = visiting_order(n, seed, is_large=is_very_large(rows.start))
    degree = int(np.diff(rows.start).max(initial=0))
    tables = [new_sums(degree)]
    if n + len(rows.neighbor) > _MOST_IN_QUEUE:
        tables += [new_sums(degree) for _ in range(threads.number - 1)]
        n_waiting = n if waiting is None else int(waiting.sum())
        workers = threads.workers if is_very_large(rows.start) else None
        proposals: AbstractContextManager[Proposals | None] = nullcontext()
        if workers is not None:
            proposals = workers.proposals(rows, masses, Replica(state, 0))
        with without_readahead(rows.neighbor, rows.weight, masses), proposals as proposed:
            while n_waiting > (0 if is_very_large(rows.start) else n // _TAIL):
                n_waiting = _line_up(state, order, batch)
                if _round(state, tables, threads, n_waiting, batch, proposed) <= enough * n and enough > 0:
                    return Moves(state.nodes["label"].copy(), float(totals["gain"]))
                n_waiting = int((state.woken >= state.nodes["turn"]).sum())
    first, n_waiting = 0, _line_up(state, order, 0)
    while n_waiting:
        first, n_waiting = _empty_queue(state, *tables[0], first, n_waiting, _VISITS_PER_CALL)
    return Moves(state.nodes["label"].copy(), float(totals["gain"]))


def staying(masses: Records, labels: IntArray | IndexArray, has_changed: NDArray[np.bool_]) -> Records:
    """Return node weights that fix the nodes of communities without a changed node."""
    fixed = masses.copy()
    fixed["is_fixed"] |= np.bincount(labels, has_changed)[labels] == 0
    return fixed


def _round(
    state: _State,
    tables: list[tuple[Records, IndexArray]],
    threads: Threads,
    n_waiting: int,
    batch: int,
    proposals: Proposals | None,
) -> int:
    """Visit the first nodes in the order, for which workers propose moves if there are any; return how many moved."""
    total, n_moved, turn = 0, 0, int(state.totals["turn"])
    for first in [*range(0, n_waiting, batch), n_waiting]:
        last = min(first + batch, n_waiting)
        if threads.storage is not None and proposals is None:
            soon = soon_visited(state.order[:n_waiting], first, batch)
            prefetch(state.masses, read_ahead(state.start, soon, state.neighbor, state.weight))
        end = last if proposals is None else first  # of the visits by this process

        def visit(t: int, n_moved: int = n_moved, first: int = first, end: int = end, turn: int = turn) -> None:
            moved, places = threads.share(t, 0, n_moved), threads.share(t, first, end)
            _visit(state, *tables[t], first, *moved, *places, turn)

        if proposals is None:
            threads.run(visit)
        else:
            answers = proposals.asked(_changes(state, n_moved), state.order[first:last], turn)
            threads.run(visit)
            _take(state, first, last, answers())
        n_moved = _make_all(state, first, last)
        total += n_moved
        turn += 1
        if turn % BATCHES_KEPT == 0:
            threads.release()
    state.totals["turn"] = turn
    return total


def _changes(state: _State, n_moved: int) -> Changes:
    """Return the moves of the last batch."""
    nodes = state.moved[:n_moved].copy()
    return Changes(nodes, state.nodes["label"][nodes], state.masses[nodes])


def _take(state: _State, first: int, last: int, answers: Iterable[tuple[IndexArray, IndexArray]]) -> None:
    """Write the moves that workers propose for a batch; their weights are added up when they are made."""
    moves, nodes = state.moves[: last - first], state.order[first:last]
    moves["target"], moves["is_exact"] = state.nodes["label"][nodes], 0
    for places, targets in answers:
        moves["target"][places] = targets
