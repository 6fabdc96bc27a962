r"""Partitions by the map equation, and hierarchies of them; compiled by numba on first use and cached.

A random walk is described by codebooks. That of a module has a word for each of its elements and one for leaving it;
an index codebook has a word for entering each module below it and, unless it is the topmost, one for leaving upwards.
With x log2 x abbreviated as h(x), a codebook whose words are used at the rates r costs
:math:`h(\sum r) - \sum h(r)` bits per step (Rosvall & Bergstrom 2008; of hierarchies, 2011).

The same function divides nodes into modules, modules into parts, and modules into larger ones: elements are then nodes
with their visit rates, or modules with the rates at which they are entered.

Sources: Rosvall & Bergstrom, "Maps of random walks on complex networks reveal community structure", PNAS 105, 2008, and
"Multilevel compression of random walks on networks reveals hierarchical organization", PLoS ONE 6, 2011; Lambiotte &
Rosvall, "Ranking and clustering of nodes in networks with smart teleportation", Physical Review E 85, 2012.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from graphclust.kernels.adjacency import IndexArray, both_ends
from graphclust.runtime.arrays import FloatArray, IntArray
from graphclust.runtime.compilation import compiled

__all__ = ["Flow", "code_length", "codebook", "divide", "flow_of_edges", "nested"]

_LEAST = 1e-10  # bits per step
_MOST_SWEEPS, _MOST_ROUNDS = 20, 16
_FEW_MOVES, _LITTLE = 1e-4, 1e-5  # share of the elements that move in the last sweep; of the bits that a round saves
_MOST_PER_CALL = 50_000  # elements: between calls, Python notices an interrupt
_settings: dict[str, Any] = {"error_model": "numpy", "_nrt": False}
_public = compiled(nogil=True, **_settings)
_internal = compiled(inner=True, **_settings)


class Flow(NamedTuple):
    """Elements and the flow between them, in steps of the walk.

    Attributes
    ----------
    start : ndarray of int64, shape (n + 1,)
    neighbor : ndarray of int32
        Rows of the elements to or from which there is flow.
    out, into : ndarray of float64
        Flow to and from each neighbor.
    rate : ndarray of float64, shape (n,)
        How often the word of each element is used.
    leaving, entering : ndarray of float64, shape (n,)
        Flow from and to each element, also across the border of what is divided.
    """

    start: IntArray
    neighbor: IndexArray
    out: FloatArray
    into: FloatArray
    rate: FloatArray
    leaving: FloatArray
    entering: FloatArray

    def merged(self, labels: IntArray) -> Flow:
        """Return the flow between groups; their rates are the sums of those of their elements."""
        n = int(labels.max()) + 1
        source = labels[np.repeat(np.arange(len(self.rate)), np.diff(self.start))]
        target = labels[self.neighbor]
        within = _sums(source[source == target], self.out[source == target], n)
        is_between = source != target
        pairs, place = np.unique(source[is_between] * n + target[is_between], return_inverse=True)
        out, into = (_sums(place, values[is_between], len(pairs)) for values in (self.out, self.into))
        rate, leaving, entering = (_sums(labels, values, n) for values in (self.rate, self.leaving, self.entering))
        neighbor = (pairs % n).astype(np.int32)
        leaving, entering = np.maximum(leaving - within, 0.0), np.maximum(entering - within, 0.0)
        return Flow(_starts(pairs // n, n), neighbor, out, into, rate, leaving, entering)

    def without_borders(self, labels: IntArray) -> Flow:
        """Return the same elements without the rows' entries between groups."""
        row = np.repeat(np.arange(len(self.rate)), np.diff(self.start))
        is_inside = labels[row] == labels[self.neighbor]
        start = _starts(row[is_inside], len(self.rate))
        neighbor, out, into = (values[is_inside] for values in (self.neighbor, self.out, self.into))
        return Flow(start, neighbor, out, into, self.rate, self.leaving, self.entering)

    def parts(self, labels: IntArray) -> Iterator[tuple[IntArray, Flow]]:
        """Yield the elements of each group, and the flow between them; all groups together take O(n_edges)."""
        n = len(labels)
        order = np.argsort(labels, kind="stable")
        place = np.empty(n, dtype=np.int64)
        place[order] = np.arange(n)
        inner = self.without_borders(labels)
        length = np.diff(inner.start)[order]
        start = np.concatenate(([0], np.cumsum(length)))
        entry = np.arange(start[-1]) + np.repeat(inner.start[order] - start[:-1], length)
        neighbor, out, into = place[inner.neighbor[entry]], inner.out[entry], inner.into[entry]
        ends = np.concatenate(([0], np.cumsum(np.bincount(labels))))
        for first, last in pairwise(ends.tolist()):
            members, rows = order[first:last], slice(start[first], start[last])
            totals = (values[members] for values in (self.rate, self.leaving, self.entering))
            neighbors = (neighbor[rows] - first).astype(np.int32)
            yield members, Flow(start[first : last + 1] - start[first], neighbors, out[rows], into[rows], *totals)


def flow_of_edges(source: IntArray, target: IntArray, weight: FloatArray, n: int, *, directed: bool) -> Flow:
    """Return the flow of a random walk along edges.

    Parameters
    ----------
    source, target, weight : arrays, shape (n_edges,)
    n : int
    directed : bool
        A walk along directed edges jumps with probability .15, to nodes in proportion to the weights of the edges from
        them. What is described is one more step of it without jumps (Lambiotte & Rosvall 2012).
    """
    flow = weight / max(float(weight.sum()), 1e-300)
    if directed:
        flow = _ranked(source, target, weight, n)[source] * _share(source, weight, n)
        flow = flow / max(float(flow.sum()), 1e-300)
    else:
        flow = flow / 2
    is_edge = source != target
    start, neighbor, edge = both_ends(source[is_edge], target[is_edge], n)
    along = flow[is_edge][edge]
    is_out = source[is_edge][edge] == np.repeat(np.arange(n), np.diff(start))
    out, into = (along * is_out, along * ~is_out) if directed else (along, along)
    row = np.repeat(np.arange(n), np.diff(start))
    leaving, entering = (_sums(row, values, n) for values in (out, into))
    loops = _sums(source[~is_edge], flow[~is_edge] * (1 if directed else 2), n)
    return Flow(start, neighbor, out, into, entering + loops, leaving, entering)


def _share(source: IntArray, weight: FloatArray, n: int) -> FloatArray:
    """Return the probability of each edge at its source."""
    return np.asarray(weight / np.maximum(_sums(source, weight, n), 1e-300)[source])


def _sums(groups: IntArray, values: FloatArray, n: int) -> FloatArray:
    """Return the sums of values over groups 0 to n - 1."""
    return np.bincount(groups, values, minlength=n).astype(np.float64)


def _starts(row: IntArray, n: int) -> IntArray:
    """Return where each of n rows starts, for the row of each entry."""
    return np.concatenate(([0], np.cumsum(np.bincount(row, minlength=n)))).astype(np.int64)


def _ranked(source: IntArray, target: IntArray, weight: FloatArray, n: int, jump: float = 0.15) -> FloatArray:
    """Return the rate at which a walk with jumps visits each node."""
    share, aim = _share(source, weight, n), _sums(source, weight / max(float(weight.sum()), 1e-300), n)
    rank = aim
    for _ in range(200):
        moved = _sums(target, rank[source] * share, n) * (1 - jump)
        moved += (1 - moved.sum()) * aim
        if np.abs(moved - rank).sum() < 1e-12:
            break
        rank = moved
    return rank


def _bits(x: Any) -> Any:
    return np.where(x > 0, x * np.log2(np.maximum(x, 1e-300)), 0.0)


def codebook(rates: FloatArray, outside: float = 0.0) -> float:
    """Return the bits per step of a codebook with words of these rates, and one for leaving."""
    return float(_bits(rates.sum() + outside) - _bits(rates).sum() - _bits(outside))


def code_length(flow: Flow, labels: IntArray, outside: float = 0.0) -> float:
    """Return the bits per step of the codebooks of modules and of the index above them.

    Parameters
    ----------
    flow : Flow
    labels : ndarray of int64, shape (n,)
        Modules 0, 1, ... without gaps.
    outside : float
        How often the index is left upwards.
    """
    modules = flow.merged(labels)
    below = _bits(modules.rate + modules.leaving).sum() - _bits(modules.leaving).sum() - _bits(flow.rate).sum()
    return codebook(modules.entering, outside) + float(below)


def divide(flow: Flow, outside: float = 0.0, *, seed: int = 0, labels: IntArray | None = None) -> IntArray:
    """Return modules whose codebooks, with the index above them, take the fewest bits.

    Elements move to the module of a neighbor, or a new one, while this takes fewer bits; then modules do, as the
    elements of a smaller problem. Then single elements move again, and parts of modules, until neither helps.

    Parameters
    ----------
    flow, outside
        See `code_length`.
    seed : int
        Of the order in which elements are visited.
    labels : ndarray of int64, shape (n,), optional
        Modules to begin with; by default, single elements.

    Returns
    -------
    ndarray of int64, shape (n,)
    """
    rng = np.random.default_rng(seed)
    best = np.arange(len(flow.rate)) if labels is None else labels
    shortest = math.inf if labels is None else code_length(flow, labels, outside)
    n_failures = 0
    for turn in range(_MOST_ROUNDS):
        if turn % 2 == 0:
            found = _settled(flow, best, outside, rng)
        else:  # parts of the modules move
            parts = _settled(flow.without_borders(best), np.arange(len(best)), outside, rng)
            module = np.zeros(int(parts.max()) + 1, dtype=np.int64)
            module[parts] = best
            found = _settled(flow.merged(parts), module, outside, rng)[parts]
        while True:
            level = flow.merged(found)
            sets = _settled(level, np.arange(len(level.rate)), outside, rng)
            if int(sets.max()) + 1 == len(level.rate):
                break
            found = sets[found]
        length = code_length(flow, found, outside)
        gain = shortest - length
        if gain > _LEAST:
            best, shortest = found, length
        if gain > max(_LEAST, _LITTLE * length):
            n_failures = 0
        elif (n_failures := n_failures + 1) == 2:
            break
    return best


def nested(flow: Flow, labels: IntArray, *, seed: int = 0) -> tuple[list[IntArray], float]:
    """Put modules into larger ones, and divide them into parts, while this takes fewer bits.

    Returns
    -------
    levels : list of ndarray of int64, shape (n,)
        The finest first; `labels` are one of them.
    bits : float
        Of all codebooks, per step.
    """
    levels, bits = [labels], code_length(flow, labels)
    above, group = flow.merged(labels), labels
    while True:
        above = above._replace(rate=above.entering)  # words of the index
        sets = divide(above, seed=seed)
        gain = codebook(above.rate) - code_length(above, sets)
        if gain < _LEAST or int(sets.max()) in (0, len(sets) - 1):
            break
        above, group, bits = above.merged(sets), sets[group], bits - gain
        levels.append(group)
    is_new = np.ones(int(labels.max()) + 1, dtype=bool)
    while is_new.any():
        finest = levels[0]
        parts, n_parts, is_next = np.empty_like(finest), 0, []
        for number, (members, inside) in enumerate(flow.parts(finest)):
            groups, gain = _parts(inside, seed) if is_new[number] else (np.zeros(len(members), np.int64), 0.0)
            n_inner = int(groups.max()) + 1
            parts[members] = n_parts + groups
            n_parts, bits = n_parts + n_inner, bits - gain
            is_next += [n_inner > 1] * n_inner
        is_new = np.array(is_next)
        if is_new.any():
            levels.insert(0, parts)
    return levels, bits


def _parts(flow: Flow, seed: int) -> tuple[IntArray, float]:
    """Return parts of a module, and the bits that its own index saves; one part if it saves none."""
    n = len(flow.rate)
    if n > 2:
        leaving = max(float(flow.leaving.sum() - flow.out.sum()), 0.0)
        parts = divide(flow, leaving, seed=seed)
        gain = codebook(flow.rate, leaving) - code_length(flow, parts, leaving)
        if gain > _LEAST and int(parts.max()) not in (0, n - 1):
            return parts, gain
    return np.zeros(n, dtype=np.int64), 0.0


def _settled(flow: Flow, labels: IntArray, outside: float, rng: np.random.Generator) -> IntArray:
    """Let elements move until none does; return modules 0, 1, ... without gaps."""
    n = len(flow.rate)
    module, sums = labels.copy(), np.zeros((3, n + 1))
    members = np.bincount(labels, minlength=n + 1)
    merged = flow.merged(labels)
    for row, values in enumerate((merged.rate, merged.leaving, merged.entering)):
        sums[row, : len(values)] = values
    memory, seen, waiting = np.zeros((2, n + 1)), np.zeros(n + 1, np.int64), np.ones(n, np.uint8)
    for _ in range(_MOST_SWEEPS):
        n_moved = 0
        for order in np.split(rng.permutation(n), range(_MOST_PER_CALL, n, _MOST_PER_CALL)):
            n_moved += _sweep(*flow, module, sums, members, order, waiting, memory, seen, float(outside))
        if n_moved <= _FEW_MOVES * n:
            break
    return np.unique(module, return_inverse=True)[1].astype(np.int64)


@_internal
def _h(x: float) -> float:
    return x * math.log2(x) if x > 1e-300 else 0.0


@_internal
def _module_bits(rate: float, leaving: float, entering: float) -> float:
    return _h(rate + leaving) - _h(leaving) - _h(entering)


@_public
def _sweep(
    start: IntArray,
    neighbor: IndexArray,
    out: FloatArray,
    into: FloatArray,
    rate: FloatArray,
    leaving: FloatArray,
    entering: FloatArray,
    module: IntArray,
    sums: FloatArray,
    members: IntArray,
    order: IntArray,
    waiting: NDArray[np.uint8],
    memory: FloatArray,
    seen: IntArray,
    outside: float,
) -> int:
    """Move each waiting element to the module where this takes the fewest bits; return how many moved.

    `sums` has the rate, leaving and entering flow of each module, `memory` room for the flow to and from modules, and
    `seen` for a list of modules. Elements wait until they have been visited, and again when a neighbor has moved.
    """
    n_moved, empty = 0, 0
    index = 0.0
    for m in range(len(members)):
        index += sums[2, m]
    for i in order:
        if not waiting[i]:
            continue
        waiting[i] = 0
        own, n_seen = module[i], 1
        seen[0] = own
        for e in range(start[i], start[i + 1]):
            m = module[neighbor[e]]
            if out[e] == 0.0 and into[e] == 0.0:
                continue  # too little for a number
            if memory[0, m] == 0.0 and memory[1, m] == 0.0 and m != own:
                seen[n_seen] = m
                n_seen += 1
            memory[0, m] += out[e]
            memory[1, m] += into[e]
        if members[own] > 1:
            while members[empty] > 0:
                empty = empty + 1 if empty + 1 < len(members) else 0
            seen[n_seen] = empty
            n_seen += 1
        r, x, y = sums[0, own], sums[1, own], sums[2, own]
        r2 = r - rate[i]
        x2 = max(x - leaving[i] + memory[0, own] + memory[1, own], 0.0)
        y2 = max(y - entering[i] + memory[0, own] + memory[1, own], 0.0)
        if members[own] == 1:
            r2, x2, y2 = 0.0, 0.0, 0.0
        gone = _module_bits(r2, x2, y2) - _module_bits(r, x, y)
        best, target, t0, t1, t2 = -_LEAST, own, 0.0, 0.0, 0.0
        for s in range(1, n_seen):
            m = seen[s]
            r3 = sums[0, m] + rate[i]
            x3 = max(sums[1, m] + leaving[i] - memory[0, m] - memory[1, m], 0.0)
            y3 = max(sums[2, m] + entering[i] - memory[0, m] - memory[1, m], 0.0)
            after = index + y2 - y + y3 - sums[2, m]
            change = gone + _module_bits(r3, x3, y3) - _module_bits(sums[0, m], sums[1, m], sums[2, m])
            change += _h(after + outside) - _h(index + outside)
            if change < best:
                best, target, t0, t1, t2 = change, m, r3, x3, y3
        for s in range(n_seen):
            memory[0, seen[s]] = memory[1, seen[s]] = 0.0
        if target != own:
            index += y2 - y + t2 - sums[2, target]
            sums[0, own], sums[1, own], sums[2, own] = r2, x2, y2
            sums[0, target], sums[1, target], sums[2, target] = t0, t1, t2
            members[own] -= 1
            members[target] += 1
            module[i] = target
            for e in range(start[i], start[i + 1]):
                waiting[neighbor[e]] = 1
            n_moved += 1
    return n_moved
