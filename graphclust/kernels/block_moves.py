r"""Moves of nodes between blocks under three block models, compiled by numba on first use and cached.

Everything is O(degree + blocks looked at) a node; sbm_posterior.py says what the models are, makes the arrays and runs
the loops. The state of a partition is a `Blocks`, changed in place by `_move` alone; `_score` says what a move would
add to the log joint without making it.

Notation: e_rs edges between blocks r and s (within r for r = s), n_r nodes, d_r summed degrees, B blocks, E edges,
k_s edges of the node under consideration to block s.
"""

from __future__ import annotations

import math
from typing import NamedTuple, TypeAlias

import numpy as np
from numba import njit
from numpy.typing import NDArray

__all__ = [
    "DC_SBM",
    "PLANTED",
    "SBM",
    "Blocks",
    "Law",
    "Net",
    "conditional",
    "fill",
    "log_joint",
    "run",
    "settle",
]

FloatArray: TypeAlias = NDArray[np.float64]
IntArray: TypeAlias = NDArray[np.int64]
Rng: TypeAlias = np.random.Generator

SBM, DC_SBM, PLANTED = 0, 1, 2
_ROUNDING = 1e-11  # sums of weights, changed many times, are right to about this share of the whole

DEGREE, OWN, COUNT, FIXED, OWN_CROSS = 0, 1, 2, 3, 4
KIND, KEEP, TOTAL, ALPHA, ALL_CROSS, BETA, CONNECTED = 0, 1, 2, 3, 4, 5, 11
SIZE, VOLUME, LOAD, APART, TOUCH, SUMS, WITHIN, CROSS, REACH = 0, 1, 2, 3, 4, 5, 6, 7, 8
INSIDE, SQUARES, THICK, CROSSED = 0, 1, 2, 3  # places in the row SUMS
ACTIVE, PLACE, SEEN, KNOWN, NUMBER = 0, 1, 2, 3, 4


class Net(NamedTuple):
    """A graph without self-loops, by neighbours; its nodes may stand for several nodes each.

    Attributes
    ----------
    start, end : ndarray of int64, shapes (n + 1,), (2 m,)
        Neighbours of i are end[start[i]:start[i + 1]].
    weight : ndarray of float64, shape (2 m,)
    cross : ndarray of float64, shape (2 m,) or (0,)
        Weight times the degrees at both ends, summed over the edges that an edge stands for; for PLANTED.
    node : ndarray of float64, shape (5, n)
        DEGREE, OWN, OWN_CROSS: summed degrees of the nodes that i stands for, the edges among them and their `cross`.
        COUNT: how many they are. FIXED: 0, or the number of its known label; such nodes do not move.
    """

    start: IntArray
    end: IntArray
    weight: FloatArray
    cross: FloatArray
    node: FloatArray


class Law(NamedTuple):
    """A block model with its prior.

    Attributes
    ----------
    param : ndarray of float64, shape (12,)
        KIND: SBM, DC_SBM or PLANTED. KEEP: whether the number of blocks stays what it is. TOTAL: edges, E. ALPHA: see
        `Settings`. ALL_CROSS: sum of `cross` over all edges. From BETA on, for SBM: the parameters a, b of the Beta
        prior between blocks and log B(a, b), then those within blocks. CONNECTED: whether chains keep blocks connected.
    prior : ndarray of float64, shape (2, at least n + 2)
        What the number of blocks adds to the log joint, by that number, and what a block adds, by its size.
    table : ndarray of float64, shape (2, 3, length)
        SBM: log-gamma of a + x, b + x and a + b + x for x = 0, 1, ..., less its value at 0; computed beyond that.
    """

    param: FloatArray
    prior: FloatArray
    table: FloatArray


class Blocks(NamedTuple):
    """A partition and what is counted over it.

    Attributes
    ----------
    label : ndarray of int64, shape (n,)
        Block of each node: any of `capacity` numbers.
    real : ndarray of float64, shape (9, capacity)
        SIZE: n_r. VOLUME: d_r. LOAD: the terms of the log joint that depend on block r alone (DC_SBM, PLANTED). APART:
        sums of `aloof` over s. TOUCH, REACH: scratch, k_s and the `cross` of these edges where node i is tallied, else
        zero. WITHIN, CROSS: sums of weight and `cross` over the edges in r. SUMS: over all blocks of WITHIN,
        VOLUME^2, CROSS / VOLUME and CROSS.
    whole : ndarray of int64, shape (5, capacity)
        ACTIVE: the numbers in use come first. PLACE: its inverse. SEEN: scratch, the s with k_s > 0. KNOWN: nodes of
        known label in each block. NUMBER: first, B.
    edges : ndarray of float64, shape (capacity, capacity)
        e_rs; not used by PLANTED.
    aloof : ndarray of float64, shape (capacity, capacity)
        SBM: what a node without edges to s, joining r, adds through the pairs of r and s.
    """

    label: IntArray
    real: FloatArray
    whole: IntArray
    edges: FloatArray
    aloof: FloatArray


@njit(cache=True, inline="always")
def _log_gamma(x: float) -> float:
    """Stirling's series with the argument shifted to above 8: relative error below 1e-12."""
    shift = 1.0
    while x < 8.0:
        shift *= x
        x += 1.0
    r = 1.0 / x
    s = r * r
    series = r * (1 / 12 - s * (1 / 360 - s * (1 / 1260 - s * (1 / 1680 - s * (1 / 1188)))))
    value = (x - 0.5) * math.log(x) - x + 0.9189385332046727 + series
    return value if shift == 1.0 else value - math.log(shift)


@njit(cache=True)
def _pairs_far(param: FloatArray, within: int, e: float, pairs: float) -> float:
    a, b = param[BETA + 3 * within], param[BETA + 3 * within + 1]
    value = _log_gamma(a + e) + _log_gamma(b + pairs - e) - _log_gamma(a + b + pairs)
    return value - param[BETA + 3 * within + 2]


@njit(cache=True, inline="always")
def _pairs(param: FloatArray, table: FloatArray, within: int, e: float, pairs: float) -> float:
    """Log marginal of e edges among `pairs` of nodes: log B(a + e, b + pairs - e) - log B(a, b)."""
    if pairs < table.shape[2]:
        x, p = int(e), int(pairs)
        value = table[within, 0, x] + table[within, 1, p - x] - table[within, 2, p]
    else:
        value = _pairs_far(param, within, e, pairs)
    return value


@njit(cache=True, inline="always")
def _aloof(param: FloatArray, table: FloatArray, real: FloatArray, edges: FloatArray, r: int, s: int) -> float:
    """Return what a node without edges to s, joining r, adds through the pairs of r and s."""
    n, e = real[SIZE, r], edges[r, s]
    if r == s:
        pairs = n * (n - 1) / 2
        return _pairs(param, table, 1, e, pairs + n) - _pairs(param, table, 1, e, pairs)
    pairs = n * real[SIZE, s]
    return _pairs(param, table, 0, e, pairs + real[SIZE, s]) - _pairs(param, table, 0, e, pairs)


@njit(cache=True, inline="always")
def _refresh(
    param: FloatArray,
    table: FloatArray,
    real: FloatArray,
    whole: IntArray,
    edges: FloatArray,
    aloof: FloatArray,
    c: int,
) -> None:
    """Bring `aloof` up to date after block c has changed, if it is still there."""
    active = whole[ACTIVE, : whole[NUMBER, 0]]
    total = 0.0
    for s in active:
        value = _aloof(param, table, real, edges, c, s)
        aloof[c, s] = value
        total += value
        if s != c:
            value = _aloof(param, table, real, edges, s, c)
            real[APART, s] += value - aloof[s, c]
            aloof[s, c] = value
    real[APART, c] = total


@njit(cache=True, inline="always")
def _load(param: FloatArray, prior: FloatArray, size: float, volume: float, within: float) -> float:
    """Return the terms of the degree-corrected models that depend on one block."""
    if size == 0:
        return 0.0
    if param[KIND] == PLANTED:
        return prior[1, int(size)] - (within * math.log(volume) if within > 0 and volume > 0 else 0.0)
    a = param[ALPHA] * size
    return _log_gamma(a) - _log_gamma(a + volume) + prior[1, int(size)]


@njit(cache=True, inline="always")
def _thickness(volume: float, cross: float) -> float:
    """Return what a block adds to the sum THICK."""
    return cross / volume if cross > 0 and volume > 0 else 0.0


@njit(cache=True, inline="always")
def _rest(whole: float, part: float, of: float) -> float:
    """Return whole - part, without what rounding leaves of nothing; `of` is their scale."""
    left = whole - part
    return left if left > _ROUNDING * of else 0.0


@njit(cache=True, inline="always")
def _spread(
    param: FloatArray, prior: FloatArray, number: int, inside: float, squares: float, thick: float, crossed: float
) -> float:
    """Return the terms that depend on the number of blocks and, for PLANTED, on sums over the blocks."""
    value = prior[0, number]
    total = param[TOTAL]
    if param[KIND] == PLANTED and total > 0:
        outside = _rest(total, inside, total)
        value += _log_gamma(inside + 1) - inside * math.log(total) + inside / total * thick / 2
        pairs = _rest(2 * total * total, squares / 2, total * total)
        if outside > 0 and pairs > 0:
            value += _log_gamma(outside + 1) - outside * math.log(pairs)
            if param[ALL_CROSS] > 0:
                value += outside / pairs * (param[ALL_CROSS] - crossed) / 2
    return value


@njit(cache=True, inline="always")
def _tally(
    start: IntArray,
    end: IntArray,
    weight: FloatArray,
    cross: FloatArray,
    label: IntArray,
    real: FloatArray,
    whole: IntArray,
    i: int,
) -> int:
    """Count node i's edges to each block; return to how many it has any."""
    found = 0
    crosses = len(cross) > 0
    for h in range(start[i], start[i + 1]):
        s = label[end[h]]
        if real[TOUCH, s] == 0:
            whole[SEEN, found] = s
            found += 1
        real[TOUCH, s] += weight[h]
        if crosses:
            real[REACH, s] += cross[h]
    return found


@njit(cache=True, inline="always")
def _forget(real: FloatArray, whole: IntArray, found: int) -> None:
    for j in range(found):
        real[TOUCH, whole[SEEN, j]] = real[REACH, whole[SEEN, j]] = 0.0


@njit(cache=True)
def _score_sbm(law: Law, blocks: Blocks, i: int, found: int, candidates: IntArray, gain: FloatArray) -> None:
    param, prior, table = law
    label, real, whole, edges, aloof = blocks
    c = label[i]
    n_c = real[SIZE, c]
    number = whole[NUMBER, 0]
    active = whole[ACTIVE, :number]
    leave = 0.0  # what i adds where it is
    for s in active:
        if s == c:
            pairs = n_c * (n_c - 1) / 2
            leave += _pairs(param, table, 1, edges[c, c], pairs)
            leave -= _pairs(param, table, 1, edges[c, c] - real[TOUCH, c], pairs - (n_c - 1))
        else:
            pairs = n_c * real[SIZE, s]
            leave += _pairs(param, table, 0, edges[c, s], pairs) - _pairs(
                param, table, 0, edges[c, s] - real[TOUCH, s], pairs - real[SIZE, s]
            )
    before = prior[1, int(n_c)] - prior[1, int(n_c) - 1]
    step_down = prior[0, number - 1] - prior[0, number] if n_c == 1 else 0.0
    for j in range(len(candidates)):
        r = candidates[j]
        if r == c:
            gain[j] = 0.0
            continue
        if r < 0:
            value = 0.0
            for s in active:
                value += _pairs(param, table, 0, real[TOUCH, s], real[SIZE, s] - 1 if s == c else real[SIZE, s])
            value += prior[1, 1] + prior[0, number + 1] - prior[0, number]
        else:
            value = real[APART, r] - aloof[r, c]
            n_r = real[SIZE, r]
            for at in range(found):
                s = whole[SEEN, at]
                if s == c:
                    continue
                e, k = edges[r, s], real[TOUCH, s]
                if s == r:
                    pairs = n_r * (n_r + 1) / 2
                    value += _pairs(param, table, 1, e + k, pairs) - _pairs(param, table, 1, e, pairs)
                else:
                    pairs = (n_r + 1) * real[SIZE, s]
                    value += _pairs(param, table, 0, e + k, pairs) - _pairs(param, table, 0, e, pairs)
            e = edges[r, c] - real[TOUCH, r]
            pairs = n_r * (n_c - 1)
            value += _pairs(param, table, 0, e + real[TOUCH, c], pairs + n_c - 1) - _pairs(param, table, 0, e, pairs)
            value += prior[1, int(n_r) + 1] - prior[1, int(n_r)]
        gain[j] = value - leave - before + step_down


@njit(cache=True)
def _score_corrected(
    law: Law, net: Net, blocks: Blocks, i: int, found: int, candidates: IntArray, gain: FloatArray
) -> None:
    param, prior = law.param, law.prior
    node = net.node
    label, real, whole, edges = blocks.label, blocks.real, blocks.whole, blocks.edges
    c = label[i]
    q, d, own, own_cross = node[COUNT, i], node[DEGREE, i], node[OWN, i], node[OWN_CROSS, i]
    number = whole[NUMBER, 0]
    alone = real[SIZE, c] <= q
    leave = -real[LOAD, c]
    inside, squares, thick, crossed = (real[SUMS, INSIDE], real[SUMS, SQUARES], real[SUMS, THICK], real[SUMS, CROSSED])
    here = _spread(param, prior, number, inside, squares, thick, crossed)
    squares -= real[VOLUME, c] * real[VOLUME, c]
    thick -= _thickness(real[VOLUME, c], real[CROSS, c])
    crossed -= real[REACH, c]
    if not alone:
        volume = _rest(real[VOLUME, c], d, param[TOTAL])
        within = _rest(real[WITHIN, c], real[TOUCH, c] + own, param[TOTAL])
        leave += _load(param, prior, real[SIZE, c] - q, volume, within)
        squares += volume * volume
        thick += _thickness(volume, _rest(real[CROSS, c], real[REACH, c] + own_cross, param[ALL_CROSS]))
    full = param[KIND] == DC_SBM
    if full:
        for at in range(found):
            s = whole[SEEN, at]
            if s != c:
                leave += _log_gamma(edges[c, s] - real[TOUCH, s] + 1) - _log_gamma(edges[c, s] + 1)
        e = edges[c, c]
        leave += _log_gamma(e - real[TOUCH, c] - own + 1) - _log_gamma(e + 1)
    for j in range(len(candidates)):
        r = candidates[j]
        if r == c:
            gain[j] = 0.0
            continue
        k_r = 0.0 if r < 0 else real[TOUCH, r]
        after = number - (1 if alone else 0) + (1 if r < 0 else 0)
        if r < 0:
            value = leave + _load(param, prior, q, d, own)
            volume, old, more, crosses = d, 0.0, _thickness(d, own_cross), 0.0
        else:
            old, crosses = real[VOLUME, r], real[REACH, r]
            volume = old + d
            value = leave - real[LOAD, r]
            value += _load(param, prior, real[SIZE, r] + q, volume, real[WITHIN, r] + k_r + own)
            more = _thickness(volume, real[CROSS, r] + crosses + own_cross) - _thickness(old, real[CROSS, r])
        now = inside + k_r - real[TOUCH, c]
        value += _spread(
            param, prior, after, now, squares + volume * volume - old * old, thick + more, crossed + crosses
        )
        value -= here
        if full:
            value += (k_r - real[TOUCH, c]) * 0.6931471805599453
            for at in range(found):
                s = whole[SEEN, at]
                if s == c:
                    continue
                if s == r:  # the edges to r are counted below, with those that c keeps
                    value -= _log_gamma(edges[c, r] - k_r + 1)
                else:
                    e = 0.0 if r < 0 else edges[r, s]
                    value += _log_gamma(e + real[TOUCH, s] + 1) - _log_gamma(e + 1)
            between = 0.0 if r < 0 else edges[r, c]
            e = 0.0 if r < 0 else edges[r, r]
            value += _log_gamma(between - k_r + real[TOUCH, c] + 1) - (0.0 if k_r > 0 else _log_gamma(between + 1))
            value += _log_gamma(e + k_r + own + 1) - _log_gamma(e + 1)
        gain[j] = value


@njit(cache=True)
def _score(law: Law, net: Net, blocks: Blocks, i: int, found: int, candidates: IntArray, gain: FloatArray) -> None:
    """Compute what moving i to each candidate adds to the log joint; -1 is a new block. i is tallied.

    Moves that the law or known labels forbid add -inf.
    """
    param = law.param
    node = net.node
    label, real, whole = blocks.label, blocks.real, blocks.whole
    if param[KIND] == SBM:
        _score_sbm(law, blocks, i, found, candidates, gain)
    else:
        _score_corrected(law, net, blocks, i, found, candidates, gain)
    c = label[i]
    last = real[SIZE, c] <= node[COUNT, i]
    for j in range(len(candidates)):
        r = candidates[j]
        if r == c:
            continue
        if (r < 0 and (last or param[KEEP] > 0 or whole[NUMBER, 0] == real.shape[1])) or (last and param[KEEP] > 0):
            gain[j] = -math.inf


@njit(cache=True, inline="always")
def _open(param: FloatArray, whole: IntArray, aloof: FloatArray) -> int:
    """Take a new, empty block."""
    r = whole[ACTIVE, whole[NUMBER, 0]]
    if param[KIND] == SBM:
        for s in whole[ACTIVE, : whole[NUMBER, 0]]:
            aloof[s, r] = 0.0  # it may have been in use before
    whole[NUMBER, 0] += 1
    return r


@njit(cache=True, inline="always")
def _close(real: FloatArray, whole: IntArray, c: int) -> None:
    """Give back an empty block."""
    whole[NUMBER, 0] -= 1
    last = whole[ACTIVE, whole[NUMBER, 0]]
    at = whole[PLACE, c]
    whole[ACTIVE, at], whole[PLACE, last] = last, at
    whole[ACTIVE, whole[NUMBER, 0]], whole[PLACE, c] = c, whole[NUMBER, 0]
    real[LOAD, c] = 0.0


@njit(cache=True)
def _move(law: Law, net: Net, blocks: Blocks, i: int, r: int, found: int) -> int:
    """Move i, tallied, to block r, -1 for a new one; return its block."""
    param, prior, table = law
    node = net.node
    label, real, whole, edges, aloof = blocks
    c = label[i]
    if r == c:
        return c
    if r < 0:
        r = _open(param, whole, aloof)
    own = node[OWN, i]
    if param[KIND] != PLANTED:
        for at in range(found):
            s = whole[SEEN, at]
            k = real[TOUCH, s]
            edges[c, s] -= k
            if s != c:
                edges[s, c] -= k
        for at in range(found):
            s = whole[SEEN, at]
            k = real[TOUCH, s]
            edges[r, s] += k
            if s != r:
                edges[s, r] += k
        edges[c, c] -= own
        edges[r, r] += own
    for s in (c, r):
        real[SUMS, SQUARES] -= real[VOLUME, s] * real[VOLUME, s]
        real[SUMS, THICK] -= _thickness(real[VOLUME, s], real[CROSS, s])
    real[SUMS, CROSSED] += real[REACH, r] - real[REACH, c]
    real[WITHIN, c] = _rest(real[WITHIN, c], real[TOUCH, c] + own, param[TOTAL])
    real[WITHIN, r] += real[TOUCH, r] + own
    real[CROSS, c] = _rest(real[CROSS, c], real[REACH, c] + node[OWN_CROSS, i], param[ALL_CROSS])
    real[CROSS, r] += real[REACH, r] + node[OWN_CROSS, i]
    real[SUMS, INSIDE] += real[TOUCH, r] - real[TOUCH, c]
    real[SIZE, c] -= node[COUNT, i]
    real[SIZE, r] += node[COUNT, i]
    real[VOLUME, c] = _rest(real[VOLUME, c], node[DEGREE, i], param[TOTAL])
    real[VOLUME, r] += node[DEGREE, i]
    label[i] = r
    if node[FIXED, i] > 0:
        whole[KNOWN, c] -= 1
        whole[KNOWN, r] += 1
    gone = real[SIZE, c] == 0
    if gone:
        real[VOLUME, c] = real[CROSS, c] = real[WITHIN, c] = 0.0
    for s in (c, r):
        real[SUMS, SQUARES] += real[VOLUME, s] * real[VOLUME, s]
        real[SUMS, THICK] += _thickness(real[VOLUME, s], real[CROSS, s])
    if gone:
        if param[KIND] == SBM:
            for s in whole[ACTIVE, : whole[NUMBER, 0]]:
                real[APART, s] -= aloof[s, c]
        _close(real, whole, c)
    if param[KIND] == SBM:
        if not gone:
            _refresh(param, table, real, whole, edges, aloof, c)
        _refresh(param, table, real, whole, edges, aloof, r)
    else:
        if not gone:
            real[LOAD, c] = _load(param, prior, real[SIZE, c], real[VOLUME, c], real[WITHIN, c])
        real[LOAD, r] = _load(param, prior, real[SIZE, r], real[VOLUME, r], real[WITHIN, r])
    return r


@njit(cache=True)
def fill(law: Law, net: Net, blocks: Blocks) -> None:
    """Count everything over `label`, whose numbers are 0, 1, ... without gaps."""
    param, prior, table = law
    start, end, weight, cross, node = net
    label, real, whole, edges, aloof = blocks
    capacity = real.shape[1]
    n = len(label)
    number = 0
    for i in range(n):
        c = label[i]
        number = max(number, c + 1)
        real[SIZE, c] += node[COUNT, i]
        real[VOLUME, c] += node[DEGREE, i]
        whole[KNOWN, c] += node[FIXED, i] > 0
        real[SUMS, INSIDE] += node[OWN, i]
        real[WITHIN, c] += node[OWN, i]
        real[CROSS, c] += node[OWN_CROSS, i]
        real[SUMS, CROSSED] += node[OWN_CROSS, i]
        if param[KIND] != PLANTED:
            edges[c, c] += node[OWN, i]
        for h in range(start[i], start[i + 1]):
            j = end[h]
            if j < i:
                s = label[j]
                if c == s:
                    real[SUMS, INSIDE] += weight[h]
                    real[WITHIN, c] += weight[h]
                    if len(cross) > 0:
                        real[CROSS, c] += cross[h]
                        real[SUMS, CROSSED] += cross[h]
                if param[KIND] != PLANTED:
                    edges[c, s] += weight[h]
                    if c != s:
                        edges[s, c] += weight[h]
    for c in range(capacity):
        whole[ACTIVE, c] = whole[PLACE, c] = c
    whole[NUMBER, 0] = number
    for c in range(number):
        if param[KIND] == SBM:
            _refresh(param, table, real, whole, edges, aloof, c)
        else:
            real[LOAD, c] = _load(param, prior, real[SIZE, c], real[VOLUME, c], real[WITHIN, c])
            real[SUMS, SQUARES] += real[VOLUME, c] * real[VOLUME, c]
            real[SUMS, THICK] += _thickness(real[VOLUME, c], real[CROSS, c])


@njit(cache=True)
def log_joint(law: Law, blocks: Blocks) -> float:
    """Log joint of the partition and the graph, up to what does not depend on the partition."""
    param, prior, table = law
    real, whole, edges = blocks.real, blocks.whole, blocks.edges
    active = whole[ACTIVE, : whole[NUMBER, 0]]
    value = 0.0
    if param[KIND] != SBM:
        value += _spread(
            param,
            prior,
            whole[NUMBER, 0],
            real[SUMS, INSIDE],
            real[SUMS, SQUARES],
            real[SUMS, THICK],
            real[SUMS, CROSSED],
        )
        for r in active:
            value += real[LOAD, r]
    else:
        value += prior[0, whole[NUMBER, 0]]
        for r in active:
            value += prior[1, int(real[SIZE, r])]
    if param[KIND] == DC_SBM:
        for r in active:
            e = edges[r, r]
            value += _log_gamma(e + 1) + e * 0.6931471805599453
            for s in active:
                if s < r:
                    value += _log_gamma(edges[r, s] + 1)
    elif param[KIND] == SBM:
        for r in active:
            n = real[SIZE, r]
            value += _pairs(param, table, 1, edges[r, r], n * (n - 1) / 2)
            for s in active:
                if s < r:
                    value += _pairs(param, table, 0, edges[r, s], n * real[SIZE, s])
    return value


@njit(cache=True, inline="always")
def _best(gain: FloatArray, m: int) -> int:
    """Place of the greatest, of equals the first."""
    best = 0
    for j in range(1, m):
        if gain[j] > gain[best]:
            best = j
    return best


@njit(cache=True)
def _draw(gain: FloatArray, m: int, heat: float, rng: Rng) -> int:
    """Draw among m options with log weights gain / heat; the greatest, of equals the first, at heat 0."""
    best = _best(gain, m)
    if heat == 0.0:
        return best
    top = gain[best]
    total = 0.0
    for j in range(m):
        total += math.exp((gain[j] - top) / heat)
    u = rng.random() * total
    for j in range(m):
        u -= math.exp((gain[j] - top) / heat)
        if u < 0:
            return j
    return best


@njit(cache=True, inline="always")
def _options(label: IntArray, whole: IntArray, i: int, found: int, everywhere: bool, candidates: IntArray) -> int:
    """List where i can go: all blocks or those of its neighbours, its own first, a new one last."""
    c = label[i]
    candidates[0] = c
    m = 1
    if everywhere:
        for r in whole[ACTIVE, : whole[NUMBER, 0]]:
            if r != c:
                candidates[m] = r
                m += 1
    else:
        for at in range(found):
            r = whole[SEEN, at]
            if r != c:
                candidates[m] = r
                m += 1
    candidates[m] = -1
    return m + 1


@njit(cache=True)
def _reached(net: Net, label: IntArray, first: int, left_out: int, wanted: int, queue: IntArray, mark: IntArray) -> int:
    """Walk from a node through its block without `left_out`; return how many of the wanted it meets.

    `left_out` is a node, whose neighbours are wanted, or -1: then all nodes are. Ends when so many were met. `mark` has
    one place more than there are nodes, which counts the walks.
    """
    mark[-1] += 2
    wish, seen = mark[-1], mark[-1] + 1
    if left_out >= 0:
        for h in range(net.start[left_out], net.start[left_out + 1]):
            mark[net.end[h]] = wish
    met, head, tail, c = int(left_out < 0 or mark[first] == wish), 0, 1, label[first]
    queue[0] = first
    mark[first] = seen
    while head < tail and met < wanted:
        i = queue[head]
        head += 1
        for h in range(net.start[i], net.start[i + 1]):
            at = net.end[h]
            if label[at] == c and mark[at] != seen and at != left_out:
                met += int(left_out < 0 or mark[at] == wish)
                mark[at] = seen
                queue[tail] = at
                tail += 1
    return met


@njit(cache=True)
def _may_leave(net: Net, label: IntArray, i: int, queue: IntArray, mark: IntArray) -> bool:
    """Whether a connected block stays so without i: its neighbours there reach each other."""
    wanted, first = 0, -1
    for h in range(net.start[i], net.start[i + 1]):
        if label[net.end[h]] == label[i]:
            wanted += 1
            first = net.end[h]
    return wanted <= 1 or _reached(net, label, first, i, wanted, queue, mark) == wanted


@njit(cache=True)
def _sweep(
    law: Law,
    net: Net,
    blocks: Blocks,
    order: IntArray,
    heat: float,
    everywhere: bool,
    candidates: IntArray,
    gain: FloatArray,
    queue: IntArray,
    mark: IntArray,
    rng: Rng,
) -> float:
    """Visit the nodes of `order`, each moving by its conditional distribution; return what the log joint gained.

    If not `everywhere`, it goes between the blocks of its neighbours and a new one: a Gibbs step given that it is in
    one of these, which do not depend on where it is. A node elsewhere stays, and so does one whose move would leave a
    block that is not connected, where they have to be.
    """
    connected = law.param[CONNECTED] > 0
    start, end, weight, cross, node = net
    label, real, whole = blocks.label, blocks.real, blocks.whole
    gained = 0.0
    for i in order:
        if node[FIXED, i] > 0:
            continue
        found = _tally(start, end, weight, cross, label, real, whole, i)
        if not everywhere and real[TOUCH, label[i]] == 0 and real[SIZE, label[i]] > node[COUNT, i]:
            _forget(real, whole, found)
            continue
        m = _options(label, whole, i, found, everywhere, candidates)
        _score(law, net, blocks, i, found, candidates[:m], gain)
        j = _draw(gain, m, heat, rng)
        if j > 0 and connected:
            near = candidates[j] < 0 or real[TOUCH, candidates[j]] > 0
            j = j if near and _may_leave(net, label, i, queue, mark) else 0
        if j > 0 and (heat > 0 or gain[j] > 1e-9):
            _move(law, net, blocks, i, candidates[j], found)
            gained += gain[j]
        _forget(real, whole, found)
    return gained


@njit(cache=True)
def settle(
    law: Law, net: Net, blocks: Blocks, order: IntArray, waiting: FloatArray, candidates: IntArray, gain: FloatArray
) -> float:
    """Let the nodes marked in `waiting` make their best moves, and mark their neighbours; return what was gained."""
    start, end, weight, cross, node = net
    label, real, whole = blocks.label, blocks.real, blocks.whole
    gained = 0.0
    for i in order:
        if waiting[i] == 0.0 or node[FIXED, i] > 0:
            continue
        waiting[i] = 0.0
        found = _tally(start, end, weight, cross, label, real, whole, i)
        m = _options(label, whole, i, found, False, candidates)
        _score(law, net, blocks, i, found, candidates[:m], gain)
        j = _best(gain, m)
        if j > 0 and gain[j] > 1e-9:
            r = _move(law, net, blocks, i, candidates[j], found)
            gained += gain[j]
            for h in range(start[i], start[i + 1]):
                if label[end[h]] != r:
                    waiting[end[h]] = 1.0
        _forget(real, whole, found)
    return gained


@njit(cache=True)
def _hop(law: Law, net: Net, blocks: Blocks, i: int, r: int, one: IntArray, gain: FloatArray) -> float:
    """Move i to r, -1 for a new block, whatever it costs; return what the log joint gained."""
    start, end, weight, cross = net.start, net.end, net.weight, net.cross
    label, real, whole = blocks.label, blocks.real, blocks.whole
    found = _tally(start, end, weight, cross, label, real, whole, i)
    one[0] = r
    _score(law, net, blocks, i, found, one, gain)
    _move(law, net, blocks, i, r, found)
    _forget(real, whole, found)
    return gain[0]


@njit(cache=True)
def _carry(
    law: Law, net: Net, blocks: Blocks, members: IntArray, aim: IntArray, one: IntArray, gain: FloatArray
) -> None:
    """Move nodes to the blocks that `aim` says."""
    for at in range(len(members)):
        if blocks.label[members[at]] != aim[at]:
            _hop(law, net, blocks, members[at], aim[at], one, gain)


@njit(cache=True)
def _restricted(
    law: Law,
    net: Net,
    blocks: Blocks,
    members: IntArray,
    c: int,
    r: int,
    aim: IntArray,
    one: IntArray,
    gain: FloatArray,
    rng: Rng,
) -> tuple[float, float]:
    """Gibbs sweep over `members` between the blocks c and r; to where `aim` says, if it is not empty.

    Returns what the log joint gained and the log probability of the choices.
    """
    start, end, weight, cross = net.start, net.end, net.weight, net.cross
    label, real, whole = blocks.label, blocks.real, blocks.whole
    gained, log_q = 0.0, 0.0
    for at in range(len(members)):
        i = members[at]
        here = label[i]
        other = r if here == c else c
        found = _tally(start, end, weight, cross, label, real, whole, i)
        one[0] = other
        _score(law, net, blocks, i, found, one, gain)
        g = gain[0]
        leave = 1.0 / (1.0 + math.exp(-g)) if g > -700 else 0.0
        go = aim[at] != here if len(aim) > 0 else rng.random() < leave
        log_q += (-math.log1p(math.exp(-g)) if g > -30 else g) if go else (-math.log1p(math.exp(g)) if g < 30 else -g)
        if go:
            _move(law, net, blocks, i, other, found)
            gained += g
        _forget(real, whole, found)
    return gained, log_q


@njit(cache=True)
def _merge_split(
    law: Law,
    net: Net,
    blocks: Blocks,
    members: IntArray,
    aim: IntArray,
    one: IntArray,
    gain: FloatArray,
    scans: int,
    queue: IntArray,
    mark: IntArray,
    rng: Rng,
) -> float:
    """Split or merge the blocks of two random nodes (Jain & Neal 2004); return what the log joint gained.

    Where the number of blocks is kept, share out the nodes of two blocks anew.
    """
    node, keep, connected = net.node, law.param[KEEP] > 0, law.param[CONNECTED] > 0
    label, real, whole = blocks.label, blocks.real, blocks.whole
    n = len(label)
    i = int(rng.random() * n)
    j = int(rng.random() * (n - 1))
    j += j >= i
    if node[FIXED, j] > 0:
        i, j = j, i
    if node[FIXED, j] > 0:
        return 0.0
    c, r = label[i], label[j]
    if keep:
        if c == r:
            return 0.0
    elif node[FIXED, i] > 0:
        if r != c and whole[KNOWN, r] > 0:
            return 0.0
    elif whole[KNOWN, c] + whole[KNOWN, r] > 0:
        return 0.0
    split = c == r
    if split and whole[NUMBER, 0] == real.shape[1]:
        return 0.0
    m = 0
    for at in range(n):
        s = label[at]
        if s in (c, r) and at != i and at != j and node[FIXED, at] == 0:
            members[m] = at
            m += 1
    for at in range(m - 1, 0, -1):
        x = int(rng.random() * (at + 1))
        members[at], members[x] = members[x], members[at]
    gained = 0.0
    if split:
        gained += _hop(law, net, blocks, j, -1, one, gain)
        r = label[j]
    for at in range(m):
        aim[at] = label[members[at]]
        if rng.random() < 0.5:
            gained += _hop(law, net, blocks, members[at], r if aim[at] == c else c, one, gain)
    free = aim[:0]
    for _ in range(scans):
        gained += _restricted(law, net, blocks, members[:m], c, r, free, one, gain, rng)[0]
    if keep:
        launch = label[members[:m]]
        last, log_q = _restricted(law, net, blocks, members[:m], c, r, free, one, gain, rng)
        gained += last
        found = label[members[:m]]
        _carry(law, net, blocks, members[:m], launch, one, gain)
        log_q -= _restricted(law, net, blocks, members[:m], c, r, aim[:m], one, gain, rng)[1]
        if math.log(rng.random()) < gained - log_q:
            _carry(law, net, blocks, members[:m], found, one, gain)
            return gained
        return 0.0
    if split:
        last, log_q = _restricted(law, net, blocks, members[:m], c, r, free, one, gain, rng)
        gained += last
        good = not connected or (
            _reached(net, label, i, -1, n, queue, mark) == real[SIZE, c]
            and _reached(net, label, j, -1, n, queue, mark) == real[SIZE, r]
        )
        if good and math.log(rng.random()) < gained - log_q:
            return gained
        for at in range(m):
            if label[members[at]] == r:
                _hop(law, net, blocks, members[at], c, one, gain)
        _hop(law, net, blocks, j, c, one, gain)
        return 0.0
    log_q = _restricted(law, net, blocks, members[:m], c, r, aim[:m], one, gain, rng)[1]
    gained = 0.0
    for at in range(m):
        if aim[at] == r:
            gained += _hop(law, net, blocks, members[at], c, one, gain)
    gained += _hop(law, net, blocks, j, c, one, gain)
    good = not connected or _reached(net, label, i, -1, n, queue, mark) == real[SIZE, c]
    if good and math.log(rng.random()) < gained + log_q:
        return gained
    _hop(law, net, blocks, j, -1, one, gain)
    r = label[j]
    for at in range(m):
        if aim[at] != c:
            _hop(law, net, blocks, members[at], r, one, gain)
    return 0.0


@njit(cache=True)
def _exchange(
    law: Law,
    net: Net,
    blocks: Blocks,
    known: IntArray,
    members: IntArray,
    aim: IntArray,
    one: IntArray,
    gain: FloatArray,
    queue: IntArray,
    mark: IntArray,
    rng: Rng,
) -> float:
    """Exchange the nodes of known label of two blocks, as if the labels changed places; return what was gained.

    One of the blocks is that of a random known node, the other any, so that the way back is as likely. Both need nodes
    of unknown label, which stay. A Gibbs step between the two ways: where both are as likely, two exchanges in a row
    should not always be none.
    """
    node, label, real, whole = net.node, blocks.label, blocks.real, blocks.whole
    c = label[known[int(rng.random() * len(known))]]
    r = whole[ACTIVE, int(rng.random() * (whole[NUMBER, 0] - 1))]
    if r == c:
        r = whole[ACTIVE, whole[NUMBER, 0] - 1]
    m, free_c, free_r = 0, real[SIZE, c], real[SIZE, r]
    for i in known:
        if label[i] == c:
            free_c -= node[COUNT, i]
        elif label[i] == r:
            free_r -= node[COUNT, i]
        else:
            continue
        members[m] = i
        m += 1
    if free_c <= 0 or free_r <= 0:
        return 0.0
    gained = 0.0
    for at in range(m):
        aim[at] = label[members[at]]
        gained += _hop(law, net, blocks, members[at], r if aim[at] == c else c, one, gain)
    good = rng.random() < (1.0 / (1.0 + math.exp(-gained)) if gained > -700 else 0.0)
    if good and law.param[CONNECTED] > 0:
        for block in (c, r):
            first = np.flatnonzero(label == block)[0]
            good = good and _reached(net, label, first, -1, len(label), queue, mark) == real[SIZE, block]
    if good:
        return gained
    _carry(law, net, blocks, members[:m], aim[:m], one, gain)
    return 0.0


@njit(cache=True, nogil=True)
def run(
    law: Law,
    net: Net,
    blocks: Blocks,
    heats: FloatArray,
    splits: float,
    scans: int,
    wide: NDArray[np.bool_],
    every: int,
    rng: Rng,
    samples: IntArray,
    trace: FloatArray,
) -> None:
    """Run a chain: at each step a Gibbs sweep at its heat and, at heat 1, `splits` moves of two blocks.

    Where labels are known, exchanges of them follow, in number as to take some of the time of a sweep.

    Parameters
    ----------
    heats : ndarray of float64, shape (steps,)
        Temperatures; 0 takes the best move.
    wide : ndarray of bool, shape (steps,)
        Whether nodes can go to all blocks, not to their neighbours' alone.
    every : int
        Steps a sample; the samples are taken at the last of their steps.
    samples : ndarray of int64, shape (n_samples, n)
        Filled with the labels at the ends of the last n_samples * every steps.
    trace : ndarray of float64, shape (steps,)
        Filled with the log joint after each step.
    """
    label, real = blocks.label, blocks.real
    n = len(label)
    order = np.arange(n)
    candidates = np.empty(real.shape[1] + 2, np.int64)
    gain = np.empty(real.shape[1] + 2)
    members, aim, one = np.empty(n, np.int64), np.empty(n, np.int64), np.empty(1, np.int64)
    queue, mark = np.empty(n, np.int64), np.zeros(n + 1, np.int64)
    steps = len(heats)
    first = steps - every * len(samples)
    known = np.flatnonzero(net.node[FIXED] > 0)
    exchanges = min(len(known), 1 + n // max(4 * len(known), 1))
    value = log_joint(law, blocks)
    for step in range(steps):
        if step >= first and (step - first) % every == 0:
            order[:] = np.arange(n)  # a sample does not depend on how many a call draws
            value = log_joint(law, blocks)
        for at in range(n - 1, 0, -1):
            x = int(rng.random() * (at + 1))
            order[at], order[x] = order[x], order[at]
        value += _sweep(law, net, blocks, order, heats[step], wide[step], candidates, gain, queue, mark, rng)
        if heats[step] == 1.0 and n > 1:
            for _ in range(int(splits) + (rng.random() < splits - int(splits))):
                value += _merge_split(law, net, blocks, members, aim, one, gain, scans, queue, mark, rng)
            if blocks.whole[NUMBER, 0] > 1:
                for _ in range(exchanges):
                    value += _exchange(law, net, blocks, known, members, aim, one, gain, queue, mark, rng)
        trace[step] = value
        if step >= first and (step - first + 1) % every == 0:
            samples[(step - first) // every] = label


@njit(cache=True, nogil=True)
def conditional(law: Law, net: Net, blocks: Blocks, probability: FloatArray) -> None:
    """Fill in each node's probability of its own block, of its neighbours' and a new one, given all others' blocks."""
    start, end, weight, cross, node = net
    label, real, whole = blocks.label, blocks.real, blocks.whole
    candidates = np.empty(real.shape[1] + 2, np.int64)
    gain = np.empty(real.shape[1] + 2)
    for i in range(len(label)):
        if node[FIXED, i] > 0:
            probability[i] = 1.0
            continue
        found = _tally(start, end, weight, cross, label, real, whole, i)
        m = _options(label, whole, i, found, False, candidates)
        _score(law, net, blocks, i, found, candidates[:m], gain)
        _forget(real, whole, found)
        top, total = gain[:m].max(), 0.0
        for j in range(m):
            total += math.exp(gain[j] - top)
        probability[i] = math.exp(gain[0] - top) / total
