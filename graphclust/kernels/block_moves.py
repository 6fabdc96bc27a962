"""Moves of nodes between blocks under two block models, compiled by numba on first use and cached.

`graphclust.inference.block_models` describes the models. `graphclust.inference.integrated` builds a `State` and calls
`run`. A visit of a node has three steps: `_tally` counts its edges to the blocks around it, `_score` computes what
moves to some blocks would add to the log joint, and `_finish` makes one of them, or none, and clears the counts. It
costs O(degree + blocks considered). `_shift` moves many nodes between two blocks without scoring each of these moves.

The log joint is a sum of three parts: a term of the number of blocks, a term of each block (`_own_terms`), and the
edges between blocks. For SBM, the last part is a sum over pairs of blocks (`_pair_term`). For PLANTED, it depends on
sums over all blocks (`_planted_terms`). A move is a difference of these terms.

Notation: e_rs is the number of edges between blocks r and s (within r if r = s), n_r the number of nodes of block r,
d_r the sum of their degrees, B the number of blocks, E the number of edges, and k_s the number of edges from the node
under consideration to block s.

How the functions are compiled
------------------------------
The time to compile decides how long a user waits for the first result. An array is seven arguments of the compiled
function, and each of fifty calls passes the whole state: therefore it is a few arrays of records rather than an array
for each quantity. A record alone is a single pointer. Only public functions become machine code; the others are parts
of them (see `graphclust.runtime.inner_functions`). Each has one signature: a literal -1 or 0 as an argument would be a
type of its own, hence the typed constants below. All functions are in one file, because numba checks only the file of a
cached function for changes.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from graphclust.runtime.compilation import compiled

__all__ = [
    "BLOCK",
    "CONDITIONAL",
    "EDGE",
    "MODEL",
    "NODE",
    "PAIR",
    "PLANTED",
    "PRIOR",
    "SBM",
    "SETTLE",
    "SLOT",
    "SWEEP",
    "TALLY",
    "TOTALS",
    "VISIT",
    "State",
    "blank_state",
    "commit",
    "propose",
    "run",
]

FloatArray: TypeAlias = NDArray[np.float64]
IntArray: TypeAlias = NDArray[np.int64]
Marks: TypeAlias = NDArray[np.uint8]
Records: TypeAlias = NDArray[np.void]
Record: TypeAlias = Any  # np.void, whose fields are attributes in compiled functions

SBM, PLANTED = 0, 1


def _dtype(integers: str, numbers: str) -> np.dtype[np.void]:
    """Return the dtype of records with these fields, all of 8 bytes."""
    return np.dtype([(name, np.int64) for name in integers.split()] + [(name, np.float64) for name in numbers.split()])


MODEL = _dtype(
    "code keeps_number keeps_connected",
    "total_edges total_degree_product a_within b_within log_beta_within a_between b_between log_beta_between",
)
PRIOR = _dtype("", "number size")
NODE = _dtype("first_edge last_edge is_known", "n_members degree inner_edges inner_degree_product")
EDGE = _dtype("neighbor", "weight degree_product")
BLOCK = _dtype(
    "position n_known",
    "n_members degree_sum isolated_gain own_terms edges_within degree_product_within squared_degree_sum "
    "degree_product_density",
)
TALLY = _dtype("", "edges degree_product")
PAIR = _dtype("", "edges isolated_gain")
SLOT = _dtype("active adjacent candidate", "gain")
VISIT = _dtype("order known member destination origin launch queue mark", "probability")
TOTALS = _dtype(
    "random n_blocks n_adjacent n_known",
    "edges_within squared_degree_sums degree_product_density degree_products_within",
)

# Typed constants, for the compiler; Any, for the type checker.
_BETWEEN: Any = np.int64(0)  # row of State.log_gamma
_WITHIN: Any = np.int64(1)  # the other row
_ZERO: Any = np.int64(0)
_ONE: Any = np.int64(1)
_NO_NODE: Any = np.int64(-1)
_NO_BLOCK: Any = np.int64(-1)
SWEEP: Any = np.int64(0)  # modes of `_visit`
SETTLE: Any = np.int64(1)
CONDITIONAL: Any = np.int64(2)
_RESTRICTED: Any = np.int64(3)
_FORCED: Any = np.int64(4)
_INCREMENT = np.uint64(0x9E3779B97F4A7C15)  # of SplitMix64
_FACTOR_1, _FACTOR_2 = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_11, _27, _30, _31 = map(np.uint64, (11, 27, 30, 31))
_SMALLEST_GAIN = 1e-9  # nats, of a move that is made because it gains
_ROUNDING = 1e-11  # relative error of sums of weights after many changes


# No function allocates an array, and reference counts (_nrt) would cost more than some moves.
_settings: dict[str, Any] = {"error_model": "numpy", "_nrt": False}
_public = compiled(nogil=True, **_settings)
_internal = compiled(inner=True, **_settings)
_inlined = compiled(inner=True, forceinline=True, **_settings)
_part = compiled(cache=False, inline="always", **_settings)  # of a single function; not compiled by itself


class State(NamedTuple):
    """A graph, a block model with its prior, a partition and its counts, and memory that the moves share.

    The graph has no self-loops. A node may stand for several nodes of the original graph. Of `capacity` + 1 numbers of
    blocks, at least one is not in use. An empty block is like any other one: nodes open it by moving there.

    Attributes
    ----------
    model : record of `MODEL`
        `code` is SBM or PLANTED. `keeps_number` says whether the number of blocks stays the same,
        `keeps_connected` whether chains keep blocks connected. `total_edges` is E, and `total_degree_product` the sum
        of `degree_product` over all edges. `a_*`, `b_*` and `log_beta_*` are a, b and log B(a, b) of the Beta priors
        within and between blocks (SBM).
    prior : array of `PRIOR`, shape (at least n + 2,)
        Terms of the log joint for each number of blocks and for each size of a block.
    log_gamma : ndarray of float64, shape (2, 3, length)
        A table for x = 0, 1, ... edges or pairs of nodes, between blocks and within them (SBM): log-gamma of a + x,
        b + x and a + b + x, less the value at x = 0. Beyond the table, log-gamma is computed.
    nodes : array of `NODE`, shape (n,)
        Edges of node i are edges[nodes[i].first_edge : nodes[i].last_edge]. `n_members` is the number of nodes that it
        stands for, `degree` the sum of their degrees, and `inner_edges` and `inner_degree_product` are the sums of
        weight and degree product over the edges among them. `is_known` is positive if the label of the node is known,
        otherwise 0. Nodes of known label do not move.
    edges : array of `EDGE`, shape (2 m,)
        Each edge once from either end. `degree_product` is its weight times the degrees at both ends, summed over the
        edges that it stands for. Only for PLANTED, otherwise 0.
    label : ndarray of int64, shape (n,)
        Block of each node.
    blocks : array of `BLOCK`, shape (capacity + 1,)
        `position` is the block's place in the list of active blocks. `n_known` is the number of nodes of known label.
        `n_members` and `degree_sum` are n_r and d_r.
        `edges_within` and `degree_product_within` are sums over the edges within the block. The rest follows from
        these (see `_update_block`): `isolated_gain`, the sum of `PAIR.isolated_gain` over s (SBM); `own_terms`, the
        terms of the log joint that depend on block r alone; and its part in two sums of `totals`.
    tallies : array of `TALLY`, shape (capacity + 1,)
        `edges` and `degree_product` are k_s and the sum of `degree_product` over these edges, while a node is under
        consideration; otherwise they are zero.
    pairs : array of `PAIR`, shape (capacity + 1, capacity + 1), or (1, 1) for PLANTED
        `edges` is e_rs, and `isolated_gain` what a node without edges to block s that joins block r adds through the
        pairs of nodes of r and s (SBM).
    slots : array of `SLOT`, shape (capacity + 2,)
        Four lists of blocks and gains: `active` are all numbers of blocks, those in use first. `adjacent` are the
        blocks s with k_s > 0. `candidate` are the blocks that a node could move to, and `gain` is what each of these
        moves adds to the log joint.
    visits : array of `VISIT`, shape (n + 1,), or (n_batch,) if only `propose` and `commit` use it
        Lists of nodes: `order`, that of a sweep or batch, with the `probability` of each (see `_visit`); `known`, the
        nodes of known label in ascending order; and `member`, those that take part in a move of blocks, with their
        blocks before it (`origin`), before its last sweep (`launch`) and where they go next (`destination`). For
        `queue` and `mark`, see `_is_connected`.
    waiting : ndarray of uint8, shape (n,)
        Whether each node waits for a visit of the mode SETTLE.
    totals : record of `TOTALS`
        `random` is the state of the random generator. `n_blocks` is B, `n_adjacent` the length of the list of adjacent
        blocks, `n_known` that of known nodes. The others are sums over all blocks of edges_within, degree_sum^2,
        degree_product_within / degree_sum and degree_product_within.
    edge_counts : ndarray of float64, shape (n, capacity + 1), or (0, 0) if it is not used
        Number of edges from each node to each block, for graphs in which nodes have many more edges than there are
        blocks. Then a visit need not go through the edges; a move does.
    """

    model: Record
    prior: Records
    log_gamma: FloatArray
    nodes: Records
    edges: Records
    label: IntArray
    blocks: Records
    tallies: Records
    pairs: Records
    slots: Records
    visits: Records
    waiting: Marks
    totals: Record
    edge_counts: FloatArray


def blank_state() -> State:
    """Return the state of a graph without nodes, for which `run` does nothing but get compiled."""
    fields = {
        "nodes": NODE,
        "edges": EDGE,
        "slots": SLOT,
        "visits": VISIT,
        "blocks": BLOCK,
        "prior": PRIOR,
        "tallies": TALLY,
    }
    records = {name: np.zeros(2 * (name not in ("nodes", "edges")), dtype) for name, dtype in fields.items()}
    return State(
        model=np.zeros(1, MODEL)[0],
        log_gamma=np.zeros((2, 3, 0)),
        label=np.zeros(0, np.int64),
        waiting=np.zeros(0, np.uint8),
        pairs=np.zeros((1, 1), PAIR),
        totals=np.zeros(1, TOTALS)[0],
        edge_counts=np.zeros((0, 0)),
        **records,
    )


@_internal
def _random(totals: Record) -> float:
    """Draw from the uniform distribution on [0, 1) (SplitMix64; Steele, Lea & Flood 2014)."""
    z = np.uint64(totals.random) + _INCREMENT
    totals.random = np.int64(z)
    z = (z ^ (z >> _30)) * _FACTOR_1
    z = (z ^ (z >> _27)) * _FACTOR_2
    return np.float64((z ^ (z >> _31)) >> _11) / 9007199254740992.0


# ------------------------------------------------------------------------------------------------ terms of the models


@_internal
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


@_internal
def _pair_term_beyond_table(model: Record, row: int, e: float, n_pairs: float) -> float:
    is_within = row == _WITHIN
    a, b = (model.a_within, model.b_within) if is_within else (model.a_between, model.b_between)
    value = _log_gamma(a + e) + _log_gamma(b + n_pairs - e) - _log_gamma(a + b + n_pairs)
    return value - (model.log_beta_within if is_within else model.log_beta_between)


@_inlined
def _pair_term(model: Record, log_gamma: FloatArray, row: int, e: float, n_pairs: float) -> float:
    """Return the term of e edges among `n_pairs` pairs of nodes, within a block or between two.

    It is the log marginal log B(a + e, b + n_pairs - e) - log B(a, b).
    """
    if n_pairs < log_gamma.shape[2]:
        x, p = int(e), int(n_pairs)
        value = log_gamma[row, 0, x] + log_gamma[row, 1, p - x] - log_gamma[row, 2, p]
    else:
        value = _pair_term_beyond_table(model, row, e, n_pairs)
    return value


@_inlined
def _pair_gain(
    model: Record, log_gamma: FloatArray, row: int, e: float, n_pairs: float, more_edges: float, more_pairs: float
) -> float:
    """Return what further edges and pairs of nodes add to the term of a pair of blocks."""
    after = _pair_term(model, log_gamma, row, e + more_edges, n_pairs + more_pairs)
    return after - _pair_term(model, log_gamma, row, e, n_pairs)


@_inlined
def _own_terms(model: Record, prior: Records, n_members: float, degree_sum: float, edges_within: float) -> float:
    """Return the terms that depend on one block alone."""
    if n_members == 0:
        return 0.0
    value = prior[int(n_members)].size
    if model.code == PLANTED and edges_within > 0 and degree_sum > 0:
        value -= edges_within * math.log(degree_sum)
    return value


@_inlined
def _density(degree_sum: float, degree_product: float) -> float:
    """Return the term of a block in the total `degree_product_density`."""
    return degree_product / degree_sum if degree_product > 0 and degree_sum > 0 else 0.0


@_inlined
def _difference(total: float, part: float, scale: float) -> float:
    """Return total - part, or zero if the difference is rounding error at this scale."""
    left = total - part
    return left if left > _ROUNDING * scale else 0.0


@_internal
def _planted_terms(model: Record, edges_within: float, squares: float, density: float, products_within: float) -> float:
    """Return the terms of PLANTED that depend on sums over all blocks (see `State.totals`)."""
    value = 0.0
    total = model.total_edges
    if total > 0:
        outside = _difference(total, edges_within, total)
        value += _log_gamma(edges_within + 1) - edges_within * math.log(total) + edges_within / total * density / 2
        pairs = _difference(2 * total * total, squares / 2, total * total)
        if outside > 0 and pairs > 0:
            value += _log_gamma(outside + 1) - outside * math.log(pairs)
            if model.total_degree_product > 0:
                value += outside / pairs * (model.total_degree_product - products_within) / 2
    return value


# ------------------------------------------------------------------------------------------------ the score of a move


@_inlined
def _tally(state: State, i: int) -> None:
    """Count the edges of node i to each block, and list the blocks that it has edges to."""
    node, edges, label, tallies, slots = state.nodes[i], state.edges, state.label, state.tallies, state.slots
    n_adjacent, is_planted, is_counted = 0, state.model.code == PLANTED, len(state.edge_counts) > 0
    for t in range(state.totals.n_blocks if is_counted else 0):
        s = slots[t].active
        k = state.edge_counts[i, s]
        if k > 0:
            tallies[s].edges = k
            slots[n_adjacent].adjacent = s
            n_adjacent += 1
    for h in range(node.first_edge, node.first_edge if is_counted else node.last_edge):
        edge = edges[h]
        s = label[edge.neighbor]
        tally = tallies[s]
        if tally.edges == 0:
            slots[n_adjacent].adjacent = s
            n_adjacent += 1
        tally.edges += edge.weight
        if is_planted:
            tally.degree_product += edge.degree_product
    state.totals.n_adjacent = n_adjacent


@_inlined
def _list_candidates(slots: Records, totals: Record, c: int, everywhere: int, empty: int) -> int:
    """List the blocks that a tallied node of block c can move to, c first and an empty one last; return their number.

    The others are all blocks, or the blocks of its neighbors.
    """
    slots[0].candidate = c
    m = 1
    for t in range(totals.n_blocks if everywhere else totals.n_adjacent):
        r = slots[t].active if everywhere else slots[t].adjacent
        if r != c:
            slots[m].candidate = r
            m += 1
    slots[m].candidate = empty
    return m + 1


@_inlined
def _leave_pairs(state: State, i: int) -> float:
    """Return what taking the tallied node i out of its block adds to the terms of pairs of blocks."""
    model, log_gamma, blocks, pairs, slots = state.model, state.log_gamma, state.blocks, state.pairs, state.slots
    node, c, totals, is_sbm = state.nodes[i], state.label[i], state.totals, state.model.code == SBM
    k, rest = state.tallies[c].edges + node.inner_edges, blocks[c].n_members - node.n_members
    value = -_pair_gain(model, log_gamma, _WITHIN, pairs[c, c].edges - k, rest * (rest - 1) / 2, k, rest)
    for t in range(totals.n_blocks if is_sbm else totals.n_adjacent):
        slot = slots[t]
        s = slot.active if is_sbm else slot.adjacent
        if s != c:
            k, n = state.tallies[s].edges, blocks[s].n_members
            value -= _pair_gain(model, log_gamma, _BETWEEN, pairs[c, s].edges - k, rest * n, k, n)
    return value


@_inlined
def _join_pairs(state: State, i: int, r: int) -> float:
    """Return what the tallied node i, taken out of its block, adds to the terms of pairs of blocks in block r.

    It was counted in its block for `PAIR.isolated_gain`, and the pair of r and its block is counted at the end.
    """
    model, log_gamma, blocks, pairs, slots = state.model, state.log_gamma, state.blocks, state.pairs, state.slots
    node, c, block, pair = state.nodes[i], state.label[i], blocks[r], pairs[r, state.label[i]]
    n_r, k = block.n_members, state.tallies[r].edges
    value = block.isolated_gain - pair.isolated_gain
    within = pairs[r, r].edges
    value += _pair_gain(model, log_gamma, _WITHIN, within, n_r * (n_r + 1) / 2, k + node.inner_edges, 0.0)
    for t in range(state.totals.n_adjacent):
        s = slots[t].adjacent
        if s not in (c, r):
            n_pairs, k_s = (n_r + 1) * blocks[s].n_members, state.tallies[s].edges
            value += _pair_gain(model, log_gamma, _BETWEEN, pairs[r, s].edges, n_pairs, k_s, 0.0)
    n_left, k_c = blocks[c].n_members - node.n_members, state.tallies[c].edges
    return value + _pair_gain(model, log_gamma, _BETWEEN, pair.edges - k, n_r * n_left, k_c, n_left)


@_inlined
def _score(state: State, i: int, m: int) -> None:
    """Compute what moving the tallied node i to each of m candidates adds to the log joint.

    Moves that the model or known labels forbid add -inf.
    """
    if m == 0:
        return
    model, prior, totals, slots = state.model, state.prior, state.totals, state.slots
    node, c = state.nodes[i], state.label[i]
    own, mine, is_planted = state.blocks[c], state.tallies[c], model.code == PLANTED
    edges_within, squares = totals.edges_within, totals.squared_degree_sums
    density, products_within = totals.degree_product_density, totals.degree_products_within
    n_left, may_change = totals.n_blocks, model.keeps_number == 0
    may_open = may_change and n_left < len(state.blocks) - 1
    leave = -own.own_terms - prior[n_left].number
    if is_planted:
        leave -= _planted_terms(model, edges_within, squares, density, products_within)
        squares -= own.degree_sum * own.degree_sum
        density -= _density(own.degree_sum, own.degree_product_within)
        products_within -= mine.degree_product
    else:
        leave += _leave_pairs(state, i)
    if own.n_members <= node.n_members:
        n_left -= 1
        may_open = False
    else:
        may_change = True
        degree_sum = _difference(own.degree_sum, node.degree, model.total_edges)
        within = _difference(own.edges_within, mine.edges + node.inner_edges, model.total_edges)
        leave += _own_terms(model, prior, own.n_members - node.n_members, degree_sum, within)
        squares += degree_sum * degree_sum
        product = mine.degree_product + node.inner_degree_product
        product = _difference(own.degree_product_within, product, model.total_degree_product)
        density += _density(degree_sum, product)
    for j in range(m):
        slot = slots[j]
        r = slot.candidate
        other, tally = state.blocks[r], state.tallies[r]
        n_after, k = n_left, tally.edges
        if other.n_members == 0:
            n_after += 1
        if r == c or not may_change or (n_after > n_left and not may_open):
            slot.gain = 0.0 if r == c else -math.inf
            continue
        old = other.degree_sum
        new = old + node.degree
        within = other.edges_within + k + node.inner_edges
        value = leave - other.own_terms + prior[n_after].number
        value += _own_terms(model, prior, other.n_members + node.n_members, new, within)
        if is_planted:
            product = other.degree_product_within + tally.degree_product + node.inner_degree_product
            value += _planted_terms(
                model,
                edges_within + k - mine.edges,
                squares + new * new - old * old,
                density - _density(old, other.degree_product_within) + _density(new, product),
                products_within + tally.degree_product,
            )
        else:
            value += _join_pairs(state, i, r)
        slot.gain = value


# ------------------------------------------------------------------------------------------------ the move


@_inlined
def _isolated_gain(
    model: Record, log_gamma: FloatArray, block: Record, other: Record, e: float, is_within: bool
) -> float:
    """Return what a node without edges to another block adds through the pairs of nodes of both if it joins a block."""
    n, more = block.n_members, other.n_members
    n_pairs = n * (n - 1) / 2 if is_within else n * more
    return _pair_gain(model, log_gamma, _WITHIN if is_within else _BETWEEN, e, n_pairs, 0.0, more)


@_internal
def _update_block(state: State, c: int) -> None:
    """Recompute what depends on block c, which has changed: its terms, the totals, and isolated gains (SBM)."""
    blocks, pairs, totals = state.blocks, state.pairs, state.totals
    block = blocks[c]
    square, density = block.degree_sum * block.degree_sum, _density(block.degree_sum, block.degree_product_within)
    totals.squared_degree_sums += square - block.squared_degree_sum
    totals.degree_product_density += density - block.degree_product_density
    block.squared_degree_sum, block.degree_product_density = square, density
    block.own_terms = _own_terms(state.model, state.prior, block.n_members, block.degree_sum, block.edges_within)
    if state.model.code != SBM:
        return
    total = 0.0
    for t in range(totals.n_blocks + 1):
        s = state.slots[t].active
        other, there, back = blocks[s], pairs[c, s], pairs[s, c]
        value = _isolated_gain(state.model, state.log_gamma, block, other, there.edges, s == c)
        there.isolated_gain = value
        total += value
        if s != c:
            value = _isolated_gain(state.model, state.log_gamma, other, block, there.edges, s == c)
            other.isolated_gain += value - back.isolated_gain
            back.isolated_gain = value
    block.isolated_gain = total


@_inlined
def _move(state: State, i: int, c: int, r: int) -> None:
    """Count the tallied node i and its edges for block r instead of block c."""
    model, blocks, pairs, totals, node = state.model, state.blocks, state.pairs, state.totals, state.nodes[i]
    old, new, there, here = blocks[c], blocks[r], state.tallies[c], state.tallies[r]
    totals.edges_within += here.edges - there.edges
    totals.degree_products_within += here.degree_product - there.degree_product
    within, product = there.edges + node.inner_edges, there.degree_product + node.inner_degree_product
    old.n_members -= node.n_members
    new.n_members += node.n_members
    old.degree_sum = _difference(old.degree_sum, node.degree, model.total_edges)
    new.degree_sum += node.degree
    old.edges_within = _difference(old.edges_within, within, model.total_edges)
    new.edges_within += here.edges + node.inner_edges
    old.degree_product_within = _difference(old.degree_product_within, product, model.total_degree_product)
    new.degree_product_within += here.degree_product + node.inner_degree_product
    if old.n_members == 0:
        old.degree_sum = old.degree_product_within = old.edges_within = 0.0
    if node.is_known > 0:
        old.n_known -= 1
        new.n_known += 1
    state.label[i] = r
    if model.code == PLANTED:
        return
    for h in range(node.first_edge, node.last_edge if len(state.edge_counts) else node.first_edge):
        edge = state.edges[h]
        state.edge_counts[edge.neighbor, c] -= edge.weight
        state.edge_counts[edge.neighbor, r] += edge.weight
    for t in range(totals.n_adjacent):
        s = state.slots[t].adjacent
        k = state.tallies[s].edges
        pairs[c, s].edges -= k
        pairs[r, s].edges += k
        if s != c:
            pairs[s, c].edges -= k
        if s != r:
            pairs[s, r].edges += k
    pairs[c, c].edges -= node.inner_edges
    pairs[r, r].edges += node.inner_edges


@_internal
def _update_blocks(state: State, c: int, r: int, is_new: int) -> None:
    """Recompute what depends on blocks c and r after moves between them; one that is empty gives back its number.

    Before the moves, none of them was empty, or r was (`is_new`), and then it has been counted in `TOTALS.n_blocks`.
    """
    blocks, slots, totals = state.blocks, state.slots, state.totals
    for t in range(2):
        s = r if t else c
        block = blocks[s]
        _update_block(state, s)
        if block.n_members == 0:
            totals.n_blocks -= 1
            end = slots[totals.n_blocks]
            last, place = end.active, block.position
            slots[place].active, blocks[last].position = last, place
            end.active, block.position = s, totals.n_blocks
    if is_new:
        _update_block(state, slots[totals.n_blocks].active)


@_inlined
def _clear(state: State) -> None:
    """Clear the counts of the tallied node."""
    for t in range(state.totals.n_adjacent):
        tally = state.tallies[state.slots[t].adjacent]
        tally.edges = tally.degree_product = 0.0


@_inlined
def _finish(state: State, i: int, r: int) -> None:
    """End the visit of the tallied node i: move it to block r, or leave it in its own."""
    c = state.label[i]
    if r != c:
        is_new = int(state.blocks[r].n_members == 0)
        state.totals.n_blocks += is_new
        _move(state, i, c, r)
        _update_blocks(state, c, r, is_new)
    _clear(state)


@_internal
def _terms_of(state: State, c: int, r: int) -> float:
    """Return the terms of the log joint that depend on blocks c and r."""
    model, log_gamma, blocks, pairs, totals = state.model, state.log_gamma, state.blocks, state.pairs, state.totals
    value = state.prior[totals.n_blocks].number + blocks[c].own_terms + blocks[r].own_terms
    if model.code == PLANTED:
        return value + _planted_terms(
            model,
            totals.edges_within,
            totals.squared_degree_sums,
            totals.degree_product_density,
            totals.degree_products_within,
        )
    n_c, n_r = blocks[c].n_members, blocks[r].n_members
    value += _pair_term(model, log_gamma, _WITHIN, pairs[c, c].edges, n_c * (n_c - 1) / 2)
    value += _pair_term(model, log_gamma, _WITHIN, pairs[r, r].edges, n_r * (n_r - 1) / 2)
    value += _pair_term(model, log_gamma, _BETWEEN, pairs[c, r].edges, n_c * n_r)
    for t in range(totals.n_blocks):
        s = state.slots[t].active
        if s not in (c, r):
            n = blocks[s].n_members
            value += _pair_term(model, log_gamma, _BETWEEN, pairs[c, s].edges, n_c * n)
            value += _pair_term(model, log_gamma, _BETWEEN, pairs[r, s].edges, n_r * n)
    return value


@_internal
def _shift(state: State, m: int, c: int, r: int) -> float:
    """Move the first m nodes of `VISIT.member` to their destinations and return what the log joint gained.

    All nodes and destinations are in blocks c and r. Block r may be empty before or after. No single move is scored.
    """
    label, visits = state.label, state.visits
    before = _terms_of(state, c, r)
    is_new = int(state.blocks[r].n_members == 0)
    state.totals.n_blocks += is_new
    for t in range(m):
        visit = visits[t]
        i = visit.member
        if visit.destination != label[i]:
            _tally(state, i)
            _move(state, i, label[i], visit.destination)
            _clear(state)
    _update_blocks(state, c, r, is_new)
    return _terms_of(state, c, r) - before


# ------------------------------------------------------------------------------------------------ whole partitions


@_internal
def _log_joint(state: State) -> float:
    """Return the log joint of the partition and the graph, up to terms that do not depend on the partition.

    Computes all that `TOTALS` and the blocks derive from the numbers of nodes and edges anew, without rounding errors
    from earlier changes.
    """
    model, blocks, slots, totals = state.model, state.blocks, state.slots, state.totals
    totals.edges_within = totals.degree_products_within = 0.0
    totals.squared_degree_sums = totals.degree_product_density = 0.0
    value = state.prior[totals.n_blocks].number
    for t in range(totals.n_blocks + 1):
        r = slots[t].active
        block = blocks[r]
        totals.edges_within += block.edges_within
        totals.degree_products_within += block.degree_product_within
        block.squared_degree_sum = block.degree_product_density = 0.0
        _update_block(state, r)
        value += block.own_terms
        for u in range(0 if model.code == PLANTED else t + 1):
            s = slots[u].active
            n, more = block.n_members, blocks[s].n_members
            row, n_pairs = (_WITHIN, n * (n - 1) / 2) if s == r else (_BETWEEN, n * more)
            value += _pair_term(model, state.log_gamma, row, state.pairs[r, s].edges, n_pairs)
    if model.code == PLANTED:
        value += _planted_terms(
            model,
            totals.edges_within,
            totals.squared_degree_sums,
            totals.degree_product_density,
            totals.degree_products_within,
        )
    return value


# ------------------------------------------------------------------------------------------------ moves of single nodes


@_internal
def _choose(slots: Records, m: int, temperature: float, u: float) -> int:
    """Choose one of m options with log weights gain / temperature; at temperature 0, the first greatest."""
    best = 0
    for j in range(1, m):
        if slots[j].gain > slots[best].gain:
            best = j
    top, total = slots[best].gain, 0.0
    if temperature > 0:
        for j in range(m):
            total += math.exp((slots[j].gain - top) / temperature)
        u *= total
        for j in range(m):
            u -= math.exp((slots[j].gain - top) / temperature)
            if u < 0:
                return j
    return best


@_part
def _probability(slots: Records, m: int, top: float) -> float:
    """Return the probability of the first of m options with log weights `gain`, of which `top` is the greatest."""
    total = 0.0
    for j in range(m):
        total += math.exp(slots[j].gain - top)
    return math.exp(slots[0].gain - top) / total


@_part
def _log_probability(log_odds: float) -> float:
    value = -math.log1p(math.exp(-abs(log_odds)))
    return value + log_odds if log_odds < 0 else value


@_part
def _wake_neighbors(label: IntArray, edges: Records, waiting: Marks, node: Record, r: int) -> None:
    """Mark the neighbors of a node that are not in block r as waiting."""
    for h in range(node.first_edge, node.last_edge):
        j = edges[h].neighbor
        if label[j] != r:
            waiting[j] = 1


@_internal
def _is_connected(label: IntArray, nodes: Records, edges: Records, visits: Records, r: int, left_out: int) -> bool:
    """Whether block r is connected, without its node `left_out` unless that is -1.

    Walks through the block until all its nodes have been reached, or all neighbors of the node that is left out: if
    the block is connected, it stays so if they reach each other. The last `mark` counts the walks.
    """
    n = len(label)
    visits[n].mark += 2
    is_wanted, is_seen = visits[n].mark, visits[n].mark + 1
    n_wanted = 0
    if left_out < 0:
        for i in range(n):
            if label[i] == r:
                visits[0].queue = i
                n_wanted += 1
    else:
        for h in range(nodes[left_out].first_edge, nodes[left_out].last_edge):
            j = edges[h].neighbor
            if label[j] == r:
                visits[j].mark = is_wanted
                visits[0].queue = j
                n_wanted += 1
    if n_wanted <= 1:
        return True
    first = visits[0].queue
    n_reached, head, tail = 1, 0, 1
    visits[first].mark = is_seen
    while head < tail and n_reached < n_wanted:
        i = visits[head].queue
        head += 1
        for h in range(nodes[i].first_edge, nodes[i].last_edge):
            j = edges[h].neighbor
            if label[j] == r and visits[j].mark != is_seen and j != left_out:
                n_reached += int(left_out < 0 or visits[j].mark == is_wanted)
                visits[j].mark = is_seen
                visits[tail].queue = j
                tail += 1
    return n_reached == n_wanted


@_internal
def _visit(
    state: State, mode: int, begin: int, end: int, temperature: float, everywhere: int, c: int, r: int
) -> tuple[float, float]:
    """Visit nodes one after the other; `mode` says what a visit does.

    The nodes are those of `VISIT.order` from `begin` up to `end`. Nodes of known label are left out:

    - SWEEP: a node moves by its conditional distribution, to the power of 1 / temperature; at temperature 0, it makes
      its best move. Unless `everywhere`, it moves between the blocks of its neighbors and a new one. This is a Gibbs
      step given that the node is in one of these blocks, which do not depend on where it is. A node in any other block
      stays. If blocks have to be connected, a node also stays if its move would leave a block that is not.
    - SETTLE: a node that is waiting makes its best move, and the neighbors that it leaves wait for another visit.
    - CONDITIONAL: a node stays, and `VISIT.probability` becomes the probability of its own block, given the blocks of
      all other nodes. The alternatives are the blocks of its neighbors and a new block.

    Or they are those of `VISIT.member`:

    - RESTRICTED: a node moves by its conditional distribution, given that it is in block c or r.
    - FORCED: a node of block c or r moves to its `VISIT.destination`, which is one of them, or stays there.

    Returns
    -------
    gained : float
        What the moves added to the log joint.
    log_q : float
        RESTRICTED and FORCED: log probability of these choices in the mode RESTRICTED.
    """
    label, nodes, edges = state.label, state.nodes, state.edges
    blocks, tallies, slots, visits = state.blocks, state.tallies, state.slots, state.visits
    gained, log_q, is_listed = 0.0, 0.0, mode <= CONDITIONAL
    for t in range(begin, end):
        i = visits[t].order if is_listed else visits[t].member
        own = label[i]
        if is_listed and (nodes[i].is_known > 0 or (mode == SETTLE and state.waiting[i] == 0)):
            continue
        destination = own
        state.waiting[i] = 0
        _tally(state, i)
        m: Any = np.int64(0)
        if not is_listed:
            slots[0].candidate = r if own == c else c
            m += 1
        elif everywhere or mode != SWEEP or tallies[own].edges > 0 or blocks[own].n_members <= nodes[i].n_members:
            empty = slots[state.totals.n_blocks].active
            m += _list_candidates(slots, state.totals, own, everywhere, empty)
        _score(state, i, m)
        gain = 0.0
        if not is_listed:
            gain = slots[0].gain
            is_moving = visits[t].destination != own
            if mode == _RESTRICTED:
                is_moving = _random(state.totals) * (1.0 + math.exp(-gain)) < 1.0
            destination = slots[0].candidate if is_moving else own
            log_q += _log_probability(gain if is_moving else -gain)
        elif m > 0:
            j = _choose(slots, m, temperature, _random(state.totals))
            gain = slots[j].gain
            if mode == CONDITIONAL:
                visits[t].probability = _probability(slots, m, gain)
            elif temperature > 0 or gain > _SMALLEST_GAIN:
                destination = slots[j].candidate
            if mode == SWEEP and destination != own and state.model.keeps_connected:
                is_adjacent = blocks[destination].n_members == 0 or tallies[destination].edges > 0
                if not (is_adjacent and _is_connected(label, nodes, edges, visits, own, i)):
                    destination = own
        gained += gain if destination != own else 0.0
        _finish(state, i, destination)
        if mode == SETTLE and destination != own:
            _wake_neighbors(label, edges, state.waiting, nodes[i], label[i])
    return gained, log_q


# ------------------------------------------------------------------------------------------------ moves of blocks


@_internal
def _may_merge_or_split(state: State, i: int, j: int) -> bool:
    """Whether the blocks of nodes i and j may be merged, shared out anew or split; j is of unknown label."""
    c, r = state.label[i], state.label[j]
    if state.nodes[j].is_known > 0 or (c == r and state.totals.n_blocks == len(state.blocks) - 1):
        return False
    if state.model.keeps_number:
        return c != r
    if state.nodes[i].is_known > 0:
        return c == r or state.blocks[r].n_known == 0
    return state.blocks[c].n_known + state.blocks[r].n_known == 0


@_internal
def _gather_members(state: State, i: int, j: int) -> int:
    """List node j, then the other free nodes of the blocks of i and j in random order; return the length of the list.

    Node i is left out.
    """
    label, visits, m = state.label, state.visits, _ZERO
    for node in range(len(label)):
        is_in_either = label[node] == label[i] or label[node] == label[j]
        if is_in_either and node != i and node != j and state.nodes[node].is_known == 0:
            m += 1
            visits[m].member = node
    for t in range(m, 1, -1):
        a, b = visits[t], visits[1 + int(_random(state.totals) * t)]
        a.member, b.member = b.member, a.member
    visits[0].member = j
    return m + 1


@_internal
def _grow(state: State, m: int, i: int, c: int, r: int) -> None:
    """Share out the listed nodes between two connected parts, one that grows from node i and one from the first node.

    In each step a random node of either part takes in a neighbor. `VISIT.destination` becomes c in the part of node i,
    r in the other one, and stays what it is for nodes that no part reaches. The last `mark` counts the walks.
    """
    nodes, edges, visits, totals, n = state.nodes, state.edges, state.visits, state.totals, len(state.label)
    visits[n].mark += 4
    is_free = visits[n].mark - 2
    for t in range(m):
        visits[visits[t].member].mark = is_free
    visits[0].queue, visits[1].queue = i, visits[0].member
    visits[i].mark, visits[visits[0].member].mark = is_free + 1, is_free + 2
    n_active = 2
    while n_active > 0:
        place = int(_random(totals) * n_active)
        a = visits[place].queue
        first, degree = nodes[a].first_edge, nodes[a].last_edge - nodes[a].first_edge
        shift, found = int(_random(totals) * degree), _NO_NODE
        for h in range(degree):
            b = edges[first + (h + shift) % degree].neighbor
            if visits[b].mark == is_free:
                found = b
                break
        if found == _NO_NODE:
            n_active -= 1
            visits[place].queue = visits[n_active].queue
        else:
            visits[found].mark = visits[a].mark
            visits[n_active].queue = found
            n_active += 1
    for t in range(m):
        mark = visits[visits[t].member].mark
        if mark != is_free:
            visits[t].destination = c if mark == is_free + 1 else r


@_part
def _merge_split(state: State) -> float:
    """Split or merge the blocks of two random nodes (Jain & Neal 2004); return what the log joint gained.

    If the number of blocks is kept, share out the nodes of two blocks anew.
    """
    label, visits, totals = state.label, state.visits, state.totals
    n = len(label)
    i = int(_random(totals) * n)
    j = int(_random(totals) * (n - 1))
    j += j >= i
    if state.nodes[j].is_known > 0:
        i, j = j, i
    if not _may_merge_or_split(state, i, j):
        return 0.0
    m = _gather_members(state, i, j)
    c, r = label[i], label[j]
    is_split = r == c
    is_merge = not (is_split or state.model.keeps_number > 0)
    # launch: the members are shared out between two blocks at random, and a restricted sweep follows; where blocks have
    # to be connected, two parts grow from i and j, as random labels would hardly ever become connected
    if is_split:
        r = state.slots[totals.n_blocks].active
    for t in range(m):
        visit = visits[t]
        visit.origin, visit.destination, visit.launch = label[visit.member], r, r
        if t > 0 and _random(totals) < 0.5:
            visit.destination = c
    if state.model.keeps_connected:
        _grow(state, m, i, c, r)
    gained, log_ratio = _shift(state, m, c, r), 0.0
    gained += _visit(state, _RESTRICTED, _ONE, m, 1.0, _ZERO, c, r)[0]
    # the probability of the way back, from the launch to the origin
    if not is_split:
        for t in range(1, m):
            visits[t].launch = label[visits[t].member]
            visits[t].destination = visits[t].origin
        log_ratio += _visit(state, _FORCED, _ONE, m, 1.0, _ZERO, c, r)[1]
        for t in range(m):
            visits[t].destination = c if is_merge else visits[t].launch
        back = _shift(state, m, c, r)
        gained = back if is_merge else gained
    # the way there, from the launch to the proposal
    if not is_merge:
        last, log_q = _visit(state, _RESTRICTED, _ONE, m, 1.0, _ZERO, c, r)
        gained += last
        log_ratio -= log_q
    is_valid = state.model.keeps_connected == 0 or (
        _is_connected(label, state.nodes, state.edges, visits, c, _NO_NODE)
        and (is_merge or _is_connected(label, state.nodes, state.edges, visits, r, _NO_NODE))
    )
    if is_valid and math.log(_random(totals)) < gained + log_ratio:
        return gained
    for t in range(m):
        visits[t].destination = visits[t].origin
    _shift(state, m, c, r)
    return 0.0


@_internal
def _gather_known(state: State, c: int, r: int) -> int:
    """List the nodes of known label in blocks c and r; return their number, or 0 if a block has no other nodes."""
    m, free_c, free_r = _ZERO, state.blocks[c].n_members, state.blocks[r].n_members
    for t in range(state.totals.n_known):
        i = state.visits[t].known
        if state.label[i] == c:
            free_c -= state.nodes[i].n_members
        elif state.label[i] == r:
            free_r -= state.nodes[i].n_members
        else:
            continue
        state.visits[m].member = i
        m += 1
    return m if free_c > 0 and free_r > 0 else _ZERO


@_internal
def _exchange(state: State) -> float:
    """Exchange the nodes of known label of two blocks, as if the labels changed places; return the gain.

    The first block is that of a random known node and the second is any other block, so that the reverse move is as
    likely. Both blocks need nodes of unknown label, which stay. The choice between the two states is a Gibbs step: if
    both states are equally likely, a Metropolis step would always exchange, and two exchanges in a row change nothing.
    """
    label, nodes, edges, visits = state.label, state.nodes, state.edges, state.visits
    slots, totals = state.slots, state.totals
    if totals.n_blocks <= 1:
        return 0.0
    c = label[visits[int(_random(totals) * totals.n_known)].known]
    r = slots[int(_random(totals) * (totals.n_blocks - 1))].active
    if r == c:
        r = slots[totals.n_blocks - 1].active
    m = _gather_known(state, c, r)
    for t in range(m):
        visits[t].origin = label[visits[t].member]
        visits[t].destination = c + r - visits[t].origin
    gained = _shift(state, m, c, r)
    is_accepted = _random(totals) * (1.0 + math.exp(-gained)) < 1.0
    if is_accepted and state.model.keeps_connected:
        is_accepted = _is_connected(label, nodes, edges, visits, c, _NO_NODE) and _is_connected(
            label, nodes, edges, visits, r, _NO_NODE
        )
    if is_accepted:
        return gained
    for t in range(m):
        visits[t].destination = visits[t].origin
    _shift(state, m, c, r)
    return 0.0


# ------------------------------------------------------------------------------------------------ moves in batches


@_public
def propose(state: State, mode: int, begin: int, end: int) -> None:
    """Find the best move of each node of `VISIT.order` from `begin` up to `end`, or its probability, and move none.

    For SETTLE, `VISIT.destination` becomes the block to move to: -1 for a new one, the node's own to stay. Nodes that
    do not wait, or whose label is known, stay. For CONDITIONAL see `_visit`.

    Threads can do this at the same time, each with its own `tallies`, `slots` and `totals`. Such slots are two more
    than a node has edges, and `active` of the first one is an empty block.
    """
    label, nodes, slots, visits, totals = state.label, state.nodes, state.slots, state.visits, state.totals
    empty = slots[0].active
    for t in range(begin, end):
        i = visits[t].order
        own = label[i]
        visits[t].destination = own
        if nodes[i].is_known > 0 or (mode == SETTLE and state.waiting[i] == 0):
            continue
        _tally(state, i)
        m = _list_candidates(slots, totals, own, _ZERO, empty)
        _score(state, i, m)
        j = _choose(slots, m, 0.0, 0.0)
        if mode == CONDITIONAL:
            visits[t].probability = _probability(slots, m, slots[j].gain)
        elif slots[j].gain > _SMALLEST_GAIN:
            r = slots[j].candidate
            visits[t].destination = _NO_BLOCK if r == empty else r
        _clear(state)


@_public
def commit(state: State, begin: int, end: int) -> float:
    """Make the moves that `propose` found, one after the other, each if it still gains; return the sum of the gains.

    A node whose move no longer gains waits for another visit, and so do the neighbors of those that move.
    """
    label, edges, blocks, visits = state.label, state.edges, state.blocks, state.visits
    gained = 0.0
    for t in range(begin, end):
        i, r = visits[t].order, visits[t].destination
        own = label[i]
        if r == own:
            state.waiting[i] = 0
            continue
        if r == _NO_BLOCK:
            r = state.slots[state.totals.n_blocks].active
        elif blocks[r].n_members == 0:
            continue
        _tally(state, i)
        state.slots[0].candidate = r
        _score(state, i, _ONE)
        gain = state.slots[0].gain
        is_moving = gain > _SMALLEST_GAIN
        _finish(state, i, r if is_moving else own)
        if is_moving:
            gained += gain
            state.waiting[i] = 0
            _wake_neighbors(label, edges, state.waiting, state.nodes[i], r)
    return gained


# ------------------------------------------------------------------------------------------------ chains


@_public
def run(
    state: State,
    mode: int,
    first: int,
    n_steps: int,
    interval: int,
    temperature: float,
    splits: float,
    n_exchanges: int,
) -> float:
    """Visit all nodes in a new random order in each of several steps, and return the log joint of the partition.

    Parameters
    ----------
    mode : int
        SWEEP, SETTLE or CONDITIONAL; see `_visit`. Sweeps at temperature 1 are steps of a Markov chain.
    first : int
        Number of the first step.
    n_steps : int
    interval : int
        In steps whose number is a multiple of it, nodes can move to all blocks, in others to those of their neighbors.
    temperature : float
    splits : float
        Mean number of merge-split moves after a sweep at temperature 1.
    n_exchanges : int
        Number of exchanges of known labels before each step.
    """
    visits, totals = state.visits, state.totals
    n = len(state.label)
    value = _log_joint(state)
    for t in range(n if n_steps > 0 else 0):
        visits[t].order = t
    for step in range(first, first + n_steps):
        for _ in range(n_exchanges):
            value += _exchange(state)
        for t in range(n - 1, 0, -1):
            a, b = visits[t], visits[int(_random(totals) * (t + 1))]
            a.order, b.order = b.order, a.order
        everywhere: Any = np.int64(step % interval == 0)
        value += _visit(state, mode, _ZERO, n, temperature, everywhere, _ZERO, _ZERO)[0]
        if mode == SWEEP and temperature == 1.0 and n > 1:
            for _ in range(int(splits) + (_random(totals) < splits - int(splits))):
                value += _merge_split(state)
    return value
