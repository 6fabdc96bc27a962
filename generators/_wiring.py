"""Loops of the LFR generator, compiled by numba on first use and cached; imported by lfr.py when it is called.

Edges are pairs of half-edges. Those of node a are start[a], ..., start[a + 1] - 1; for each of them `owner` tells a,
`mate` the other half and `ends` the node there: ends[h] == owner[mate[h]]. Nodes of one community stand side by side.

What is random comes from switches: edges a-b and c-d become a-c and b-d, if these are allowed and new. A switch is as
likely as its reverse, so the uniform law on the simple graphs of these degrees stays what it is; and a long chain of
switches reaches it from any of them (Milo et al. 2003, arXiv:cond-mat/0312028). Between communities, where most pairs
are allowed, the chain starts near that law.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numba import njit
from numpy.typing import NDArray

from graphclust.runtime.arrays import IntArray

__all__ = ["assign", "is_graphical", "settle", "wire_inside", "wire_outside"]

Halves: TypeAlias = NDArray[np.signedinteger[Any]]  # 32 bits where they suffice: half the memory, twice the speed
Rng: TypeAlias = np.random.Generator


_MIX = 10  # attempted switches an edge after which a sparse graph has forgotten that it was not drawn at random
_TOUCH_UP = 3  # the same where the start is random already, up to a few repaired edges
_TRIES = 1000  # partners that a forbidden edge is offered in one pass
_PASSES = 20


@njit(cache=True)
def assign(need: IntArray, sizes: IntArray, first: IntArray, rng: Rng) -> IntArray:
    """Give each node a slot in a community with more slots than it needs neighbours; all ways are as likely.

    The number of slots that a node can choose from does not depend on the choices before it, because every slot that
    was open to those who needed more is open to it.

    Parameters
    ----------
    need : ndarray, shape (n,)
        Internal degrees, falling.
    sizes, first : ndarray, shape (n_communities,)
        Community sizes, falling, that add up to n, and the first slot of each.

    Returns
    -------
    ndarray, shape (n,)
        Slots; -1 from the first node on for which there is none.
    """
    pool = np.empty(len(need), np.int64)
    slots = np.full(len(need), -1)
    free, opened = 0, 0
    for i in range(len(need)):
        while opened < len(sizes) and sizes[opened] > need[i]:
            for slot in range(first[opened], first[opened] + sizes[opened]):
                pool[free] = slot
                free += 1
            opened += 1
        if free == 0:
            break
        j = int(rng.random() * free)
        slots[i] = pool[j]
        free -= 1
        pool[j] = pool[free]
    return slots


@njit(cache=True)
def is_graphical(degrees: IntArray) -> bool:
    """Whether a simple graph has these degrees, of even sum, each below their number.

    Erdős & Gallai 1960: the r largest sum up to at most r (r - 1) + the sum of min(d, r) over the rest. Only the r for
    which r degrees are at least r need to be looked at.
    """
    count = np.zeros(len(degrees) + 1, np.int64)
    for d in degrees:
        count[d] += 1
    value, used = len(degrees), 0  # the r-th largest degree, and how many of its equals are among the r largest
    largest, below = 0, 0  # sums of the r largest, and of those less than r
    above = len(degrees)  # how many are at least r
    for r in range(1, len(degrees) + 1):
        below += (r - 1) * count[r - 1]
        above -= count[r - 1]
        if above < r:
            break
        while used == count[value]:
            value, used = value - 1, 0
        largest += value
        used += 1
        if largest > r * (r - 1) + r * (above - r) + below:
            return False
    return True


@njit(cache=True)
def settle(inside: IntArray, degree: IntArray, sizes: IntArray, rng: Rng) -> int:
    """Change internal degrees, in place, so that each community's are those of some simple graph.

    Where the sum is odd, one random node's half-edge moves in or out, so that as many have moved in as out, or nearly.
    Where no graph has the degrees still (in small, nearly complete communities), a half-edge of the node with most is
    given to the one with fewest; if nobody can take it (there is none left outside), two of the largest degrees
    shrink by one.

    Parameters
    ----------
    inside, degree : ndarray, shape (n,)
        Internal and whole degrees, community by community.
    sizes : ndarray, shape (n_communities,)

    Returns
    -------
    int
        Half-edges moved in or out.
    """
    moved, first = 0, 0
    surplus = 0  # moved in and not out
    for size in sizes:
        d, room = inside[first : first + size], np.minimum(degree[first : first + size], size - 1)
        first += size
        if d.sum() % 2 == 1:
            step = 1 if 2 * surplus + rng.random() < 0.5 else -1
            chosen = -1
            while chosen < 0:
                candidates = 0
                for i in range(size):
                    if 0 <= d[i] + step <= room[i]:
                        candidates += 1
                        if rng.random() * candidates < 1:
                            chosen = i
                step = step if chosen >= 0 else -1  # which is possible, because an odd sum is not 0
            d[chosen] += step
            surplus += step
            moved += 1
        while not is_graphical(d):
            top, low = 0, -1
            for i in range(size):
                if d[i] > d[top]:
                    top = i
            for i in range(size):
                if d[i] < min(room[i], d[top] - 1) and (low < 0 or d[i] < d[low]):
                    low = i
            d[top] -= 1
            if low >= 0:
                d[low] += 1
            else:
                for i in range(size):
                    if d[i] > d[top]:
                        top = i
                d[top] -= 1
                surplus -= 2
            moved += 2
    return moved


@njit(cache=True)
def _has(start: IntArray, ends: Halves, a: int, b: int) -> bool:
    if start[a + 1] - start[a] > start[b + 1] - start[b]:
        a, b = b, a
    for h in range(start[a], start[a + 1]):  # noqa: SIM110  numba knows no any()
        if ends[h] == b:
            return True
    return False


@njit(cache=True)
def _join(mate: Halves, ends: Halves, owner: Halves, h: int, g: int) -> None:
    mate[h], mate[g] = g, h
    ends[h], ends[g] = owner[g], owner[h]


@njit(cache=True)
def _switch(mate: Halves, ends: Halves, owner: Halves, start: IntArray, group: IntArray, h: int, g: int) -> bool:
    """Pair h with g and their mates with each other, if both edges are new and join two groups."""
    a, b, c, d = owner[h], ends[h], owner[g], ends[g]
    if group[a] == group[c] or group[b] == group[d] or (a == b and c == d):
        return False
    if _has(start, ends, a, c) or _has(start, ends, b, d):
        return False
    other_h, other_g = mate[h], mate[g]
    _join(mate, ends, owner, h, g)
    _join(mate, ends, owner, other_h, other_g)
    return True


@njit(cache=True)
def _mix(
    mate: Halves, ends: Halves, owner: Halves, start: IntArray, group: IntArray,
    low: int, high: int, attempts: int, rng: Rng,
) -> None:  # fmt: skip
    """Attempt switches of random half-edges from `low` to `high`."""
    for _ in range(attempts):
        h, g = low + int(rng.random() * (high - low)), low + int(rng.random() * (high - low))
        _switch(mate, ends, owner, start, group, h, g)


@njit(cache=True)
def _realise(mate: Halves, ends: Halves, owner: Halves, start: IntArray, nodes: IntArray) -> None:
    """Join nodes, of rising degree, by Havel & Hakimi's rule: the neediest to the next neediest.

    They stay sorted by what they still need, because of equals the first ones are taken.
    """
    need = start[nodes + 1] - start[nodes]
    for left in range(len(nodes) - 1, 0, -1):
        h = start[nodes[left] + 1] - need[left]
        first_joined = left  # nodes[first_joined:left] have been joined
        while need[left] > 0:
            run = np.searchsorted(need[:first_joined], need[first_joined - 1])
            count = min(need[left], first_joined - run)
            for i in range(run, run + count):
                _join(mate, ends, owner, h, start[nodes[i] + 1] - need[i])
                need[i] -= 1
                h += 1
            need[left] -= count
            first_joined = run


@njit(cache=True)
def wire_inside(owner: Halves, start: IntArray, sizes: IntArray, rising: IntArray, rng: Rng) -> Halves:
    """Draw a simple graph in each community, close to uniformly among those with the given degrees.

    Parameters
    ----------
    owner : ndarray, shape (n_half_edges,)
    start : ndarray, shape (n + 1,)
        The degrees of each community are graphical.
    sizes : ndarray, shape (n_communities,)
    rising : ndarray, shape (n,)
        The nodes of the first community by rising degree, those of the second, and so on.

    Returns
    -------
    ndarray, shape (n_half_edges,)
        `ends`
    """
    mate, ends = np.empty_like(owner), np.empty_like(owner)
    alone = np.arange(len(rising))
    first = 0
    for size in sizes:
        _realise(mate, ends, owner, start, rising[first : first + size])
        low, high = start[first], start[first + size]
        density = (high - low) / max(size * (size - 1), 1)
        if 0 < density < 1:  # few switches of a dense graph are allowed; as many per missing edge as per edge do
            attempts = int(_MIX * (high - low) / 2 / max(1 - density, 0.05)) + 100  # a handful of edges needs more
            _mix(mate, ends, owner, start, alone, low, high, attempts, rng)
        first += size
    return ends


@njit(cache=True)
def wire_outside(owner: Halves, start: IntArray, group: IntArray, shuffled: Halves, rng: Rng) -> tuple[Halves, int]:
    """Draw a simple graph without edges inside a group: random pairs, then switches of those that are not allowed.

    Parameters
    ----------
    owner : ndarray, shape (n_half_edges,)
    start : ndarray, shape (n + 1,)
    group : ndarray, shape (n,)
    shuffled : ndarray, shape (n_half_edges,)
        All half-edges in random order.

    Returns
    -------
    ends : ndarray, shape (n_half_edges,)
    bad : int
        Edges that no switch could mend; 0 unless nearly no graph, or none, has these degrees.
    """
    mate, ends = np.empty_like(owner), np.empty_like(owner)
    total = len(owner)
    for i in range(0, total, 2):
        _join(mate, ends, owner, shuffled[i], shuffled[i + 1])
    seen = np.empty(len(group), np.int64)
    bad = 0
    for _ in range(_PASSES):
        seen[:] = -1
        bad = 0
        for h in range(total):
            a = owner[h]
            if group[a] == group[ends[h]] or seen[ends[h]] == a:
                bad += 1
                for _ in range(_TRIES):  # which leave no new fault behind: one pass without a failure is enough
                    if _switch(mate, ends, owner, start, group, h, int(rng.random() * total)):
                        bad -= 1
                        break
            seen[ends[h]] = a
        _mix(mate, ends, owner, start, group, 0, total, _TOUCH_UP * total // 2, rng)
        if bad == 0:
            break
    return ends, bad
