"""Moves of nodes between blocks under three block models, compiled by numba on first use and cached.

`graphclust.inference.block_models` describes the models. `graphclust.inference.base` builds the arrays and calls the
functions without an underscore. A visit of a node costs O(degree + blocks considered). `Blocks` is the state of a
partition. Only `fill` and `_move` change it. `_score` computes what a move would add to the log joint.

Each model has four functions: what a move adds (`_score_*`), what a move changes in the counts (`_move_*`), the counts
of a new partition (`_fill_*`) and the log joint (`_log_joint_*`). `_score`, `_move`, `fill` and `log_joint` choose
among them by `Model.code`.

Notation: e_rs is the number of edges between blocks r and s (within r if r = s), n_r the number of nodes of block r,
d_r the sum of their degrees, B the number of blocks, E the number of edges, and k_s the number of edges from the node
under consideration to block s.

How the functions are compiled
------------------------------
Each function has one signature, because every further one costs seconds. A literal -1 or 0 as an argument would be a
type of its own, hence the typed constants below. All functions are in one file, because numba checks only the file of
a cached function for changes.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from graphclust.runtime.compilation import compiled

__all__ = [
    "DC_SBM",
    "PLANTED",
    "SBM",
    "TOTALS",
    "Blocks",
    "Model",
    "Network",
    "Scratch",
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
TOTALS = np.dtype(
    [
        ("n_blocks", np.int64),
        ("edges_within", np.float64),
        ("squared_degree_sums", np.float64),
        ("degree_product_density", np.float64),
        ("degree_products_within", np.float64),
    ]
)
# Typed constants, for the compiler; Any, for the type checker.
_BETWEEN: Any = np.int64(0)  # row of Model.beta and Model.log_gamma
_WITHIN: Any = np.int64(1)  # the other row
_NEW_BLOCK: Any = np.int64(-1)
_ANY_NODE: Any = np.int64(-1)
_NEIGHBORS_ONLY: Any = np.bool_(False)
_LOG_2 = 0.6931471805599453
_ROUNDING = 1e-11  # relative error of sums of weights after many changes


# No function allocates an array, and reference counts (_nrt) would cost more than some moves. Only `run` needs them,
# to give back the random generator.
_settings: dict[str, Any] = {"error_model": "numpy"}
_chain = compiled(nogil=True, **_settings)
_public = compiled(nogil=True, _nrt=False, **_settings)
_internal = compiled(_nrt=False, no_cpython_wrapper=True, no_cfunc_wrapper=True, **_settings)
_inlined = compiled(_nrt=False, no_cpython_wrapper=True, no_cfunc_wrapper=True, forceinline=True, **_settings)
_part = compiled(cache=False, inline="always", **_settings)  # of a single function; not compiled by itself


class Network(NamedTuple):
    """A graph without self-loops, as lists of neighbors. A node may stand for several nodes of the original graph.

    Attributes
    ----------
    start, neighbor : ndarray of int64, shapes (n + 1,), (2 m,)
        Neighbors of node i are neighbor[start[i]:start[i + 1]].
    weight : ndarray of float64, shape (2 m,)
    degree_product : ndarray of float64, shape (2 m,) or (0,)
        Weight times the degrees at both ends, summed over the edges that an edge stands for. Only for PLANTED.
    n_members : ndarray of float64, shape (n,)
        Number of nodes that node i stands for.
    degree : ndarray of float64, shape (n,)
        Sum of their degrees.
    inner_edges, inner_degree_product : ndarray of float64, shape (n,)
        Sums of weight and degree product over the edges among them.
    is_known : ndarray of int64, shape (n,)
        Positive if the label of the node is known, otherwise 0. Nodes of known label do not move.
    """

    start: IntArray
    neighbor: IntArray
    weight: FloatArray
    degree_product: FloatArray
    n_members: FloatArray
    degree: FloatArray
    inner_edges: FloatArray
    inner_degree_product: FloatArray
    is_known: IntArray


class Model(NamedTuple):
    """A block model with its prior.

    Attributes
    ----------
    code : int
        SBM, DC_SBM or PLANTED.
    keeps_number : bool
        Whether the number of blocks stays the same.
    keeps_connected : bool
        Whether chains keep blocks connected.
    total_edges : float
        Number of edges, E.
    total_degree_product : float
        Sum of `Network.degree_product` over all edges.
    alpha : float
        Parameter of the degrees within a block (DC_SBM, PLANTED).
    beta : ndarray of float64, shape (2, 3)
        SBM: a, b and log B(a, b) of the Beta prior between blocks and of that within blocks.
    number_prior : ndarray of float64, shape (at least n + 2,)
        Term of the log joint for each number of blocks.
    size_prior : ndarray of float64, shape (at least n + 2,)
        Term of the log joint for each size of a block.
    log_gamma : ndarray of float64, shape (2, 3, length)
        SBM: log-gamma of a + x, b + x and a + b + x for x = 0, 1, ..., less the value at x = 0. Beyond this table,
        log-gamma is computed.
    """

    code: int
    keeps_number: bool
    keeps_connected: bool
    total_edges: float
    total_degree_product: float
    alpha: float
    beta: FloatArray
    number_prior: FloatArray
    size_prior: FloatArray
    log_gamma: FloatArray


class Blocks(NamedTuple):
    """A partition and its counts. Blocks have numbers below `capacity`, and not all numbers are in use.

    Attributes
    ----------
    label : ndarray of int64, shape (n,)
        Block of each node.
    active : ndarray of int64, shape (capacity,)
        All numbers of blocks; those in use come first.
    position : ndarray of int64, shape (capacity,)
        Inverse of `active`.
    size, degree_sum : ndarray of float64, shape (capacity,)
        n_r and d_r.
    n_known : ndarray of int64, shape (capacity,)
        Number of nodes of known label.
    edges_to_block, degree_product_to_block : ndarray of float64, shape (capacity,)
        Scratch: k_s, and the sum of `Network.degree_product` over these edges, of the node under consideration. Zero
        at all other times.
    adjacent : ndarray of int64, shape (capacity,)
        Scratch: the blocks s with k_s > 0.
    edges : ndarray of float64, shape (capacity, capacity)
        SBM, DC_SBM: e_rs.
    isolated_gain : ndarray of float64, shape (capacity, capacity)
        SBM: what a node without edges to block s that joins block r adds through the pairs of nodes of r and s.
    isolated_gain_sum : ndarray of float64, shape (capacity,)
        SBM: sums of `isolated_gain` over s.
    own_terms : ndarray of float64, shape (capacity,)
        DC_SBM, PLANTED: terms of the log joint that depend on block r alone.
    edges_within, degree_product_within : ndarray of float64, shape (capacity,)
        PLANTED: sums of weight and of `Network.degree_product` over the edges within block r.
    totals : ndarray of `TOTALS`, shape (1,)
        n_blocks: B. For PLANTED, the sums over all blocks of edges_within, degree_sum^2, degree_product_within /
        degree_sum and degree_product_within.
    """

    label: IntArray
    active: IntArray
    position: IntArray
    size: FloatArray
    degree_sum: FloatArray
    n_known: IntArray
    edges_to_block: FloatArray
    degree_product_to_block: FloatArray
    adjacent: IntArray
    edges: FloatArray
    isolated_gain: FloatArray
    isolated_gain_sum: FloatArray
    own_terms: FloatArray
    edges_within: FloatArray
    degree_product_within: FloatArray
    totals: NDArray[np.void]


class Scratch(NamedTuple):
    """Memory that the moves share.

    Attributes
    ----------
    candidates, gain : ndarrays of int64 and float64, shape (capacity + 2,)
        Blocks that a node could move to, and what each move adds to the log joint.
    order : ndarray of int64, shape (n,)
        Nodes in the order of a sweep.
    known : ndarray of int64, shape (number of nodes of known label,)
        These nodes in ascending order.
    members, origin, launch, proposal : ndarrays of int64, shape (n,)
        Nodes that take part in a move of blocks, and their blocks before the move, before its last sweep and after it.
    queue, mark : ndarrays of int64, shapes (n,), (n + 1,)
        See `_count_reached`.
    """

    candidates: IntArray
    gain: FloatArray
    order: IntArray
    known: IntArray
    members: IntArray
    origin: IntArray
    launch: IntArray
    proposal: IntArray
    queue: IntArray
    mark: IntArray

    @classmethod
    def of(cls, network: Network, blocks: Blocks) -> Scratch:
        """Allocate the memory for a partition."""
        n, n_candidates = len(blocks.label), len(blocks.size) + 2
        return cls(
            candidates=np.empty(n_candidates, np.int64),
            gain=np.empty(n_candidates),
            order=np.arange(n),
            known=np.flatnonzero(network.is_known),
            members=np.empty(n, np.int64),
            origin=np.empty(n, np.int64),
            launch=np.empty(n, np.int64),
            proposal=np.empty(n, np.int64),
            queue=np.empty(n, np.int64),
            mark=np.zeros(n + 1, np.int64),
        )


# ------------------------------------------------------------------------------------------------ terms of the models


@_inlined
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
def _pairs_beyond_table(beta: FloatArray, row: int, e: float, pairs: float) -> float:
    a, b = beta[row, 0], beta[row, 1]
    value = _log_gamma(a + e) + _log_gamma(b + pairs - e) - _log_gamma(a + b + pairs)
    return value - beta[row, 2]


@_inlined
def _pairs(beta: FloatArray, log_gamma: FloatArray, row: int, e: float, pairs: float) -> float:
    """Log marginal of e edges among `pairs` pairs of nodes: log B(a + e, b + pairs - e) - log B(a, b)."""
    if pairs < log_gamma.shape[2]:
        x, p = int(e), int(pairs)
        value = log_gamma[row, 0, x] + log_gamma[row, 1, p - x] - log_gamma[row, 2, p]
    else:
        value = _pairs_beyond_table(beta, row, e, pairs)
    return value


@_inlined
def _isolated_gain(
    beta: FloatArray, log_gamma: FloatArray, size: FloatArray, edges: FloatArray, r: int, s: int
) -> float:
    """Return what a node without edges to s that joins r adds through the pairs of nodes of r and s."""
    n, e = size[r], edges[r, s]
    if r == s:
        pairs = n * (n - 1) / 2
        return _pairs(beta, log_gamma, _WITHIN, e, pairs + n) - _pairs(beta, log_gamma, _WITHIN, e, pairs)
    pairs = n * size[s]
    return _pairs(beta, log_gamma, _BETWEEN, e, pairs + size[s]) - _pairs(beta, log_gamma, _BETWEEN, e, pairs)


@_internal
def _update_isolated_gain(model: Model, blocks: Blocks, c: int) -> None:
    """Recompute the row and the column of a block that has changed."""
    beta, log_gamma, size, edges = model.beta, model.log_gamma, blocks.size, blocks.edges
    gain, gain_sum = blocks.isolated_gain, blocks.isolated_gain_sum
    total = 0.0
    for s in blocks.active[: blocks.totals[0].n_blocks]:
        value = _isolated_gain(beta, log_gamma, size, edges, c, s)
        gain[c, s] = value
        total += value
        if s != c:
            value = _isolated_gain(beta, log_gamma, size, edges, s, c)
            gain_sum[s] += value - gain[s, c]
            gain[s, c] = value
    gain_sum[c] = total


@_inlined
def _own_terms_dc_sbm(size_prior: FloatArray, alpha: float, size: float, degree_sum: float) -> float:
    """Return the terms that depend on one block alone."""
    if size == 0:
        return 0.0
    a = alpha * size
    return _log_gamma(a) - _log_gamma(a + degree_sum) + size_prior[int(size)]


@_inlined
def _own_terms_planted(size_prior: FloatArray, size: float, degree_sum: float, edges_within: float) -> float:
    """Return the terms that depend on one block alone."""
    if size == 0:
        return 0.0
    return size_prior[int(size)] - (edges_within * math.log(degree_sum) if edges_within > 0 and degree_sum > 0 else 0.0)


@_inlined
def _density(degree_sum: float, degree_product: float) -> float:
    """Return the term of a block in the total `degree_product_density`."""
    return degree_product / degree_sum if degree_product > 0 and degree_sum > 0 else 0.0


@_inlined
def _difference(total: float, part: float, scale: float) -> float:
    """Return total - part, or zero if the difference is rounding error at this scale."""
    left = total - part
    return left if left > _ROUNDING * scale else 0.0


@_inlined
def _shared_terms_planted(
    model: Model, n_blocks: int, edges_within: float, squares: float, density: float, products_within: float
) -> float:
    """Return the terms that depend on the number of blocks and on sums over all blocks (see `Blocks.totals`)."""
    value = model.number_prior[n_blocks]
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


@_internal
def _tally(network: Network, blocks: Blocks, i: int) -> int:
    """Count the edges of node i to each block, and return the number of blocks that it has edges to."""
    n_adjacent = 0
    has_products = len(network.degree_product) > 0
    for h in range(network.start[i], network.start[i + 1]):
        s = blocks.label[network.neighbor[h]]
        if blocks.edges_to_block[s] == 0:
            blocks.adjacent[n_adjacent] = s
            n_adjacent += 1
        blocks.edges_to_block[s] += network.weight[h]
        if has_products:
            blocks.degree_product_to_block[s] += network.degree_product[h]
    return n_adjacent


@_inlined
def _clear_tally(blocks: Blocks, n_adjacent: int) -> None:
    for t in range(n_adjacent):
        s = blocks.adjacent[t]
        blocks.edges_to_block[s] = blocks.degree_product_to_block[s] = 0.0


@_inlined
def _leave_sbm(model: Model, blocks: Blocks, c: int) -> float:
    """Return what the tallied node adds to the log joint through its edges and non-edges in its block c."""
    beta, log_gamma, size, edges, k = model.beta, model.log_gamma, blocks.size, blocks.edges, blocks.edges_to_block
    n_c = size[c]
    value = 0.0
    for s in blocks.active[: blocks.totals[0].n_blocks]:
        if s == c:
            pairs = n_c * (n_c - 1) / 2
            value += _pairs(beta, log_gamma, _WITHIN, edges[c, c], pairs)
            value -= _pairs(beta, log_gamma, _WITHIN, edges[c, c] - k[c], pairs - (n_c - 1))
        else:
            pairs = n_c * size[s]
            value += _pairs(beta, log_gamma, _BETWEEN, edges[c, s], pairs) - _pairs(
                beta, log_gamma, _BETWEEN, edges[c, s] - k[s], pairs - size[s]
            )
    return value


@_inlined
def _join_new_sbm(model: Model, blocks: Blocks, c: int) -> float:
    """Return what the tallied node of block c adds to the log joint in a block of its own."""
    beta, log_gamma, size, k = model.beta, model.log_gamma, blocks.size, blocks.edges_to_block
    n_blocks = blocks.totals[0].n_blocks
    value = 0.0
    for s in blocks.active[:n_blocks]:
        value += _pairs(beta, log_gamma, _BETWEEN, k[s], size[s] - 1 if s == c else size[s])
    value += model.size_prior[1] + model.number_prior[n_blocks + 1] - model.number_prior[n_blocks]
    return value


@_inlined
def _join_sbm(model: Model, blocks: Blocks, c: int, r: int, n_adjacent: int) -> float:
    """Return what the tallied node of block c adds to the log joint in block r."""
    beta, log_gamma, size, edges, k = model.beta, model.log_gamma, blocks.size, blocks.edges, blocks.edges_to_block
    value = blocks.isolated_gain_sum[r] - blocks.isolated_gain[r, c]
    n_c, n_r = size[c], size[r]
    for t in range(n_adjacent):
        s = blocks.adjacent[t]
        if s == c:
            continue
        e = edges[r, s]
        if s == r:
            pairs = n_r * (n_r + 1) / 2
            value += _pairs(beta, log_gamma, _WITHIN, e + k[s], pairs) - _pairs(beta, log_gamma, _WITHIN, e, pairs)
        else:
            pairs = (n_r + 1) * size[s]
            value += _pairs(beta, log_gamma, _BETWEEN, e + k[s], pairs) - _pairs(beta, log_gamma, _BETWEEN, e, pairs)
    e = edges[r, c] - k[r]
    pairs = n_r * (n_c - 1)
    value += _pairs(beta, log_gamma, _BETWEEN, e + k[c], pairs + n_c - 1) - _pairs(beta, log_gamma, _BETWEEN, e, pairs)
    value += model.size_prior[int(n_r) + 1] - model.size_prior[int(n_r)]
    return value


@_inlined
def _score_sbm(model: Model, blocks: Blocks, i: int, n_adjacent: int, candidates: IntArray, gain: FloatArray) -> None:
    c = blocks.label[i]
    n_c = blocks.size[c]
    n_blocks = blocks.totals[0].n_blocks
    leave = _leave_sbm(model, blocks, c)
    size_term = model.size_prior[int(n_c)] - model.size_prior[int(n_c) - 1]
    number_term = model.number_prior[n_blocks - 1] - model.number_prior[n_blocks] if n_c == 1 else 0.0
    for j in range(len(candidates)):
        r = candidates[j]
        if r == c:
            gain[j] = 0.0
            continue
        value = _join_new_sbm(model, blocks, c) if r < 0 else _join_sbm(model, blocks, c, r, n_adjacent)
        gain[j] = value - leave - size_term + number_term


@_inlined
def _leave_dc_sbm(model: Model, network: Network, blocks: Blocks, i: int, n_adjacent: int) -> float:
    """Return what taking the tallied node i out of its block adds to the log joint."""
    edges, k = blocks.edges, blocks.edges_to_block
    c = blocks.label[i]
    value = -blocks.own_terms[c]
    if blocks.size[c] > network.n_members[i]:
        degree_sum = _difference(blocks.degree_sum[c], network.degree[i], model.total_edges)
        value += _own_terms_dc_sbm(model.size_prior, model.alpha, blocks.size[c] - network.n_members[i], degree_sum)
    for t in range(n_adjacent):
        s = blocks.adjacent[t]
        if s != c:
            value += _log_gamma(edges[c, s] - k[s] + 1) - _log_gamma(edges[c, s] + 1)
    e = edges[c, c]
    value += _log_gamma(e - k[c] - network.inner_edges[i] + 1) - _log_gamma(e + 1)
    return value


@_inlined
def _score_dc_sbm(
    model: Model, network: Network, blocks: Blocks, i: int, n_adjacent: int, candidates: IntArray, gain: FloatArray
) -> None:
    edges, k, size_prior, number_prior = blocks.edges, blocks.edges_to_block, model.size_prior, model.number_prior
    c = blocks.label[i]
    n_blocks = blocks.totals[0].n_blocks
    n_left = n_blocks - 1 if blocks.size[c] <= network.n_members[i] else n_blocks
    members, degree, inner = network.n_members[i], network.degree[i], network.inner_edges[i]
    leave = _leave_dc_sbm(model, network, blocks, i, n_adjacent)
    for j in range(len(candidates)):
        r = candidates[j]
        if r == c:
            gain[j] = 0.0
            continue
        is_new = r < 0
        k_r = 0.0 if is_new else k[r]
        if is_new:
            value = leave + _own_terms_dc_sbm(size_prior, model.alpha, members, degree)
        else:
            value = leave - blocks.own_terms[r]
            value += _own_terms_dc_sbm(size_prior, model.alpha, blocks.size[r] + members, blocks.degree_sum[r] + degree)
        value += number_prior[n_left + 1 if is_new else n_left]
        value -= number_prior[n_blocks]
        value += (k_r - k[c]) * _LOG_2
        for t in range(n_adjacent):
            s = blocks.adjacent[t]
            if s == c:
                continue
            if s == r:  # the edges to r are counted below, with those that c keeps
                value -= _log_gamma(edges[c, r] - k_r + 1)
            else:
                e = 0.0 if is_new else edges[r, s]
                value += _log_gamma(e + k[s] + 1) - _log_gamma(e + 1)
        between = 0.0 if is_new else edges[r, c]
        e = 0.0 if is_new else edges[r, r]
        value += _log_gamma(between - k_r + k[c] + 1) - (0.0 if k_r > 0 else _log_gamma(between + 1))
        value += _log_gamma(e + k_r + inner + 1) - _log_gamma(e + 1)
        gain[j] = value


@_inlined
def _score_planted(
    model: Model, network: Network, blocks: Blocks, i: int, candidates: IntArray, gain: FloatArray
) -> None:
    size_prior, totals = model.size_prior, blocks.totals[0]
    k, products = blocks.edges_to_block, blocks.degree_product_to_block
    c = blocks.label[i]
    members, degree, inner = network.n_members[i], network.degree[i], network.inner_edges[i]
    inner_product = network.inner_degree_product[i]
    n_left = totals.n_blocks
    leave = -blocks.own_terms[c]
    edges_within, squares = totals.edges_within, totals.squared_degree_sums
    density, products_within = totals.degree_product_density, totals.degree_products_within
    before = _shared_terms_planted(model, n_left, edges_within, squares, density, products_within)
    degree_sum = blocks.degree_sum[c]
    squares -= degree_sum * degree_sum
    density -= _density(degree_sum, blocks.degree_product_within[c])
    products_within -= products[c]
    if blocks.size[c] <= members:
        n_left -= 1
    else:
        degree_sum = _difference(degree_sum, degree, model.total_edges)
        within = _difference(blocks.edges_within[c], k[c] + inner, model.total_edges)
        leave += _own_terms_planted(size_prior, blocks.size[c] - members, degree_sum, within)
        squares += degree_sum * degree_sum
        product = _difference(blocks.degree_product_within[c], products[c] + inner_product, model.total_degree_product)
        density += _density(degree_sum, product)
    for j in range(len(candidates)):
        r = candidates[j]
        if r == c:
            gain[j] = 0.0
            continue
        if r < 0:
            n_after, old, new, k_r, product_r = n_left + 1, 0.0, degree, 0.0, 0.0
            value = leave + _own_terms_planted(size_prior, members, degree, inner)
            more = _density(degree, inner_product)
        else:
            n_after, old, k_r, product_r = n_left, blocks.degree_sum[r], k[r], products[r]
            new = old + degree
            value = leave - blocks.own_terms[r]
            value += _own_terms_planted(size_prior, blocks.size[r] + members, new, blocks.edges_within[r] + k_r + inner)
            product = blocks.degree_product_within[r]
            more = _density(new, product + product_r + inner_product) - _density(old, product)
        value += _shared_terms_planted(
            model,
            n_after,
            edges_within + k_r - k[c],
            squares + new * new - old * old,
            density + more,
            products_within + product_r,
        )
        value -= before
        gain[j] = value


@_internal
def _score(
    model: Model, network: Network, blocks: Blocks, i: int, n_adjacent: int, candidates: IntArray, gain: FloatArray
) -> None:
    """Compute what moving the tallied node i to each candidate adds to the log joint; -1 is a new block.

    Moves that the model or known labels forbid add -inf.
    """
    if model.code == SBM:
        _score_sbm(model, blocks, i, n_adjacent, candidates, gain)
    elif model.code == DC_SBM:
        _score_dc_sbm(model, network, blocks, i, n_adjacent, candidates, gain)
    else:
        _score_planted(model, network, blocks, i, candidates, gain)
    c = blocks.label[i]
    is_last = blocks.size[c] <= network.n_members[i]
    may_open = not is_last and not model.keeps_number and blocks.totals[0].n_blocks < len(blocks.size)
    may_close = not model.keeps_number
    for j in range(len(candidates)):
        r = candidates[j]
        if r != c and ((r < 0 and not may_open) or (is_last and not may_close)):
            gain[j] = -math.inf


# ------------------------------------------------------------------------------------------------ the move


@_inlined
def _open_block(blocks: Blocks) -> int:
    """Return the number of a new, empty block."""
    totals = blocks.totals[0]
    r = blocks.active[totals.n_blocks]
    totals.n_blocks += 1
    return r


@_inlined
def _close_block(blocks: Blocks, c: int) -> None:
    """Give back the number of an empty block."""
    active, position, totals = blocks.active, blocks.position, blocks.totals[0]
    totals.n_blocks -= 1
    last = active[totals.n_blocks]
    place = position[c]
    active[place], position[last] = last, place
    active[totals.n_blocks], position[c] = c, totals.n_blocks
    blocks.own_terms[c] = 0.0


@_inlined
def _move_edges(network: Network, blocks: Blocks, i: int, c: int, r: int, n_adjacent: int) -> None:
    """Count the edges of the tallied node i for block r instead of block c."""
    edges = blocks.edges
    for t in range(n_adjacent):
        s = blocks.adjacent[t]
        k = blocks.edges_to_block[s]
        edges[c, s] -= k
        if s != c:
            edges[s, c] -= k
    for t in range(n_adjacent):
        s = blocks.adjacent[t]
        k = blocks.edges_to_block[s]
        edges[r, s] += k
        if s != r:
            edges[s, r] += k
    edges[c, c] -= network.inner_edges[i]
    edges[r, r] += network.inner_edges[i]


@_inlined
def _move_node(model: Model, network: Network, blocks: Blocks, i: int, c: int, r: int) -> None:
    """Count node i for block r instead of block c."""
    blocks.size[c] -= network.n_members[i]
    blocks.size[r] += network.n_members[i]
    blocks.degree_sum[c] = _difference(blocks.degree_sum[c], network.degree[i], model.total_edges)
    blocks.degree_sum[r] += network.degree[i]
    if blocks.size[c] == 0:
        blocks.degree_sum[c] = 0.0
    if network.is_known[i] > 0:
        blocks.n_known[c] -= 1
        blocks.n_known[r] += 1
    blocks.label[i] = r


@_inlined
def _move_sbm(model: Model, network: Network, blocks: Blocks, i: int, c: int, r: int, n_adjacent: int) -> None:
    gain, gain_sum, n_blocks = blocks.isolated_gain, blocks.isolated_gain_sum, blocks.totals[0].n_blocks
    if blocks.size[r] == 0:
        for s in blocks.active[: n_blocks - 1]:
            gain[s, r] = 0.0  # the number of a new block may have been in use before
    _move_edges(network, blocks, i, c, r, n_adjacent)
    _move_node(model, network, blocks, i, c, r)
    if blocks.size[c] == 0:
        for s in blocks.active[:n_blocks]:
            gain_sum[s] -= gain[s, c]
        _close_block(blocks, c)
    else:
        _update_isolated_gain(model, blocks, c)
    _update_isolated_gain(model, blocks, r)


@_inlined
def _move_dc_sbm(model: Model, network: Network, blocks: Blocks, i: int, c: int, r: int, n_adjacent: int) -> None:
    _move_edges(network, blocks, i, c, r, n_adjacent)
    _move_node(model, network, blocks, i, c, r)
    if blocks.size[c] == 0:
        _close_block(blocks, c)
    else:
        blocks.own_terms[c] = _own_terms_dc_sbm(model.size_prior, model.alpha, blocks.size[c], blocks.degree_sum[c])
    blocks.own_terms[r] = _own_terms_dc_sbm(model.size_prior, model.alpha, blocks.size[r], blocks.degree_sum[r])


@_inlined
def _remove_from_totals(blocks: Blocks, s: int) -> None:
    totals, degree_sum = blocks.totals[0], blocks.degree_sum[s]
    totals.squared_degree_sums -= degree_sum * degree_sum
    totals.degree_product_density -= _density(degree_sum, blocks.degree_product_within[s])


@_inlined
def _add_to_totals(blocks: Blocks, s: int) -> None:
    totals, degree_sum = blocks.totals[0], blocks.degree_sum[s]
    totals.squared_degree_sums += degree_sum * degree_sum
    totals.degree_product_density += _density(degree_sum, blocks.degree_product_within[s])


@_inlined
def _update_own_terms_planted(model: Model, blocks: Blocks, r: int) -> None:
    blocks.own_terms[r] = _own_terms_planted(
        model.size_prior, blocks.size[r], blocks.degree_sum[r], blocks.edges_within[r]
    )


@_inlined
def _move_planted(model: Model, network: Network, blocks: Blocks, i: int, c: int, r: int) -> None:
    k, products, totals = blocks.edges_to_block, blocks.degree_product_to_block, blocks.totals[0]
    within, product = blocks.edges_within, blocks.degree_product_within
    inner, inner_product = network.inner_edges[i], network.inner_degree_product[i]
    _remove_from_totals(blocks, c)
    _remove_from_totals(blocks, r)
    totals.degree_products_within += products[r] - products[c]
    totals.edges_within += k[r] - k[c]
    within[c] = _difference(within[c], k[c] + inner, model.total_edges)
    within[r] += k[r] + inner
    product[c] = _difference(product[c], products[c] + inner_product, model.total_degree_product)
    product[r] += products[r] + inner_product
    _move_node(model, network, blocks, i, c, r)
    is_gone = blocks.size[c] == 0
    if is_gone:
        product[c] = within[c] = 0.0
    _add_to_totals(blocks, c)
    _add_to_totals(blocks, r)
    if is_gone:
        _close_block(blocks, c)
    else:
        _update_own_terms_planted(model, blocks, c)
    _update_own_terms_planted(model, blocks, r)


@_internal
def _move(model: Model, network: Network, blocks: Blocks, i: int, r: int, n_adjacent: int) -> int:
    """Move the tallied node i to block r, -1 for a new one, and return its block."""
    c = blocks.label[i]
    if r == c:
        return c
    if r < 0:
        r = _open_block(blocks)
    if model.code == SBM:
        _move_sbm(model, network, blocks, i, c, r, n_adjacent)
    elif model.code == DC_SBM:
        _move_dc_sbm(model, network, blocks, i, c, r, n_adjacent)
    else:
        _move_planted(model, network, blocks, i, c, r)
    return r


# ------------------------------------------------------------------------------------------------ whole partitions


@_part
def _fill_edges(network: Network, blocks: Blocks) -> None:
    edges, label = blocks.edges, blocks.label
    for i in range(len(label)):
        c = label[i]
        edges[c, c] += network.inner_edges[i]
        for h in range(network.start[i], network.start[i + 1]):
            if network.neighbor[h] < i:
                s = label[network.neighbor[h]]
                edges[c, s] += network.weight[h]
                if c != s:
                    edges[s, c] += network.weight[h]


@_part
def _fill_planted(model: Model, network: Network, blocks: Blocks) -> None:
    label, totals = blocks.label, blocks.totals[0]
    within, product = blocks.edges_within, blocks.degree_product_within
    for i in range(len(label)):
        c = label[i]
        totals.edges_within += network.inner_edges[i]
        within[c] += network.inner_edges[i]
        product[c] += network.inner_degree_product[i]
        totals.degree_products_within += network.inner_degree_product[i]
        for h in range(network.start[i], network.start[i + 1]):
            if network.neighbor[h] < i and label[network.neighbor[h]] == c:
                totals.edges_within += network.weight[h]
                within[c] += network.weight[h]
                if len(network.degree_product) > 0:
                    product[c] += network.degree_product[h]
                    totals.degree_products_within += network.degree_product[h]
    for c in range(totals.n_blocks):
        _update_own_terms_planted(model, blocks, c)
        _add_to_totals(blocks, c)


@_public
def fill(model: Model, network: Network, blocks: Blocks) -> None:
    """Count everything over `label`, whose numbers are 0, 1, ... without gaps, into arrays of zeros."""
    totals = blocks.totals[0]
    for i in range(len(blocks.label)):
        c = blocks.label[i]
        totals.n_blocks = max(totals.n_blocks, c + 1)
        blocks.size[c] += network.n_members[i]
        blocks.degree_sum[c] += network.degree[i]
        blocks.n_known[c] += network.is_known[i] > 0
    for c in range(len(blocks.active)):
        blocks.active[c] = blocks.position[c] = c
    if model.code == PLANTED:
        _fill_planted(model, network, blocks)
        return
    _fill_edges(network, blocks)
    for c in range(totals.n_blocks):
        if model.code == SBM:
            _update_isolated_gain(model, blocks, c)
        else:
            blocks.own_terms[c] = _own_terms_dc_sbm(model.size_prior, model.alpha, blocks.size[c], blocks.degree_sum[c])


@_part
def _log_joint_sbm(model: Model, blocks: Blocks) -> float:
    beta, log_gamma, size, edges = model.beta, model.log_gamma, blocks.size, blocks.edges
    active = blocks.active[: blocks.totals[0].n_blocks]
    value = model.number_prior[len(active)]
    for r in active:
        value += model.size_prior[int(size[r])]
    for r in active:
        n = size[r]
        value += _pairs(beta, log_gamma, _WITHIN, edges[r, r], n * (n - 1) / 2)
        for s in active:
            if s < r:
                value += _pairs(beta, log_gamma, _BETWEEN, edges[r, s], n * size[s])
    return value


@_part
def _log_joint_dc_sbm(model: Model, blocks: Blocks) -> float:
    edges = blocks.edges
    active = blocks.active[: blocks.totals[0].n_blocks]
    value = model.number_prior[len(active)]
    for r in active:
        value += blocks.own_terms[r]
    for r in active:
        e = edges[r, r]
        value += _log_gamma(e + 1) + e * _LOG_2
        for s in active:
            if s < r:
                value += _log_gamma(edges[r, s] + 1)
    return value


@_part
def _log_joint_planted(model: Model, blocks: Blocks) -> float:
    totals = blocks.totals[0]
    value = _shared_terms_planted(
        model,
        totals.n_blocks,
        totals.edges_within,
        totals.squared_degree_sums,
        totals.degree_product_density,
        totals.degree_products_within,
    )
    for r in blocks.active[: totals.n_blocks]:
        value += blocks.own_terms[r]
    return value


@_public
def log_joint(model: Model, blocks: Blocks) -> float:
    """Log joint of the partition and the graph, up to terms that do not depend on the partition."""
    if model.code == SBM:
        return _log_joint_sbm(model, blocks)
    if model.code == DC_SBM:
        return _log_joint_dc_sbm(model, blocks)
    return _log_joint_planted(model, blocks)


# ------------------------------------------------------------------------------------------------ moves of single nodes


@_inlined
def _argmax(gain: FloatArray, m: int) -> int:
    """Return the index of the first greatest of m values."""
    best = 0
    for j in range(1, m):
        if gain[j] > gain[best]:
            best = j
    return best


@_internal
def _draw(gain: FloatArray, m: int, temperature: float, rng: Rng) -> int:
    """Draw among m options with log weights gain / temperature; at temperature 0 return the first greatest."""
    best = _argmax(gain, m)
    if temperature == 0.0:
        return best
    top = gain[best]
    total = 0.0
    for j in range(m):
        total += math.exp((gain[j] - top) / temperature)
    u = rng.random() * total
    for j in range(m):
        u -= math.exp((gain[j] - top) / temperature)
        if u < 0:
            return j
    return best


@_inlined
def _list_candidates(blocks: Blocks, i: int, n_adjacent: int, everywhere: bool, candidates: IntArray) -> int:
    """List the blocks that node i can move to, its own first and a new one last; return their number.

    These are all blocks, or the blocks of its neighbors.
    """
    c = blocks.label[i]
    candidates[0] = c
    m = 1
    options = blocks.active[: blocks.totals[0].n_blocks] if everywhere else blocks.adjacent[:n_adjacent]
    for r in options:
        if r != c:
            candidates[m] = r
            m += 1
    candidates[m] = _NEW_BLOCK
    return m + 1


@_internal
def _count_reached(
    network: Network, label: IntArray, first: int, left_out: int, n_wanted: int, queue: IntArray, mark: IntArray
) -> int:
    """Walk from a node through its block without the node `left_out`; return the number of wanted nodes reached.

    The wanted nodes are the neighbors of `left_out`, or all nodes if it is -1. The walk ends when it has reached
    `n_wanted` of them. `mark` has one entry per node and a last one that counts the walks.
    """
    mark[-1] += 2
    is_wanted, is_seen = mark[-1], mark[-1] + 1
    if left_out >= 0:
        for h in range(network.start[left_out], network.start[left_out + 1]):
            mark[network.neighbor[h]] = is_wanted
    n_reached, head, tail, c = int(left_out < 0 or mark[first] == is_wanted), 0, 1, label[first]
    queue[0] = first
    mark[first] = is_seen
    while head < tail and n_reached < n_wanted:
        i = queue[head]
        head += 1
        for h in range(network.start[i], network.start[i + 1]):
            j = network.neighbor[h]
            if label[j] == c and mark[j] != is_seen and j != left_out:
                n_reached += int(left_out < 0 or mark[j] == is_wanted)
                mark[j] = is_seen
                queue[tail] = j
                tail += 1
    return n_reached


@_internal
def _stays_connected(network: Network, label: IntArray, i: int, queue: IntArray, mark: IntArray) -> bool:
    """Whether a connected block stays connected without node i: the neighbors of i in the block reach each other."""
    n_wanted: Any = np.int64(0)
    first = _ANY_NODE
    for h in range(network.start[i], network.start[i + 1]):
        if label[network.neighbor[h]] == label[i]:
            n_wanted += 1
            first = network.neighbor[h]
    return n_wanted <= 1 or _count_reached(network, label, first, i, n_wanted, queue, mark) == n_wanted


@_internal
def _is_connected(network: Network, blocks: Blocks, i: int, scratch: Scratch) -> bool:
    """Whether the block of node i is connected."""
    n: Any = np.int64(len(blocks.label))
    reached = _count_reached(network, blocks.label, i, _ANY_NODE, n, scratch.queue, scratch.mark)
    return bool(reached == blocks.size[blocks.label[i]])


@_inlined
def _visit(
    model: Model,
    network: Network,
    blocks: Blocks,
    i: int,
    temperature: float,
    everywhere: bool,
    scratch: Scratch,
    rng: Rng,
) -> float:
    """Move node i by its conditional distribution, and return what the log joint gained; see `_sweep`."""
    candidates, gain = scratch.candidates, scratch.gain
    n_adjacent = _tally(network, blocks, i)
    c = blocks.label[i]
    if not everywhere and blocks.edges_to_block[c] == 0 and blocks.size[c] > network.n_members[i]:
        _clear_tally(blocks, n_adjacent)
        return 0.0
    m = _list_candidates(blocks, i, n_adjacent, everywhere, candidates)
    _score(model, network, blocks, i, n_adjacent, candidates[:m], gain)
    j = _draw(gain, m, temperature, rng)
    if j > 0 and model.keeps_connected:
        is_adjacent = candidates[j] < 0 or blocks.edges_to_block[candidates[j]] > 0
        if not (is_adjacent and _stays_connected(network, blocks.label, i, scratch.queue, scratch.mark)):
            j = 0
    gained = 0.0
    if j > 0 and (temperature > 0 or gain[j] > 1e-9):
        _move(model, network, blocks, i, candidates[j], n_adjacent)
        gained = gain[j]
    _clear_tally(blocks, n_adjacent)
    return gained


@_part
def _sweep(
    model: Model,
    network: Network,
    blocks: Blocks,
    order: IntArray,
    temperature: float,
    everywhere: bool,
    scratch: Scratch,
    rng: Rng,
) -> float:
    """Visit the nodes in this order, each moving by its conditional distribution; return what the log joint gained.

    Unless `everywhere`, a node moves between the blocks of its neighbors and a new one. This is a Gibbs step given that
    the node is in one of these blocks, which do not depend on where it is. A node in any other block stays. If blocks
    have to be connected, a node also stays if its move would leave a block that is not.
    """
    gained = 0.0
    for i in order:
        if network.is_known[i] == 0:
            gained += _visit(model, network, blocks, i, temperature, everywhere, scratch, rng)
    return gained


@_public
def settle(
    model: Model,
    network: Network,
    blocks: Blocks,
    order: IntArray,
    waiting: FloatArray,
    scratch: Scratch,
) -> float:
    """Let the nodes marked in `waiting` make their best moves, and mark their neighbors; return what was gained."""
    start, neighbor, label = network.start, network.neighbor, blocks.label
    candidates, gain = scratch.candidates, scratch.gain
    gained = 0.0
    for i in order:
        if waiting[i] == 0.0 or network.is_known[i] > 0:
            continue
        waiting[i] = 0.0
        n_adjacent = _tally(network, blocks, i)
        m = _list_candidates(blocks, i, n_adjacent, _NEIGHBORS_ONLY, candidates)
        _score(model, network, blocks, i, n_adjacent, candidates[:m], gain)
        j = _argmax(gain, m)
        if j > 0 and gain[j] > 1e-9:
            r = _move(model, network, blocks, i, candidates[j], n_adjacent)
            gained += gain[j]
            for h in range(start[i], start[i + 1]):
                if label[neighbor[h]] != r:
                    waiting[neighbor[h]] = 1.0
        _clear_tally(blocks, n_adjacent)
    return gained


# ------------------------------------------------------------------------------------------------ moves of blocks


@_internal
def _force(model: Model, network: Network, blocks: Blocks, i: int, r: int, scratch: Scratch) -> float:
    """Move node i to block r, -1 for a new one, whatever it costs; return what the log joint gained."""
    n_adjacent = _tally(network, blocks, i)
    scratch.candidates[0] = r
    _score(model, network, blocks, i, n_adjacent, scratch.candidates[:1], scratch.gain)
    _move(model, network, blocks, i, r, n_adjacent)
    _clear_tally(blocks, n_adjacent)
    return scratch.gain[0]


@_internal
def _force_all(
    model: Model, network: Network, blocks: Blocks, members: IntArray, destination: IntArray, scratch: Scratch
) -> None:
    """Move each member to its destination."""
    for t in range(len(members)):
        if blocks.label[members[t]] != destination[t]:
            _force(model, network, blocks, members[t], destination[t], scratch)


@_internal
def _restricted_sweep(
    model: Model,
    network: Network,
    blocks: Blocks,
    members: IntArray,
    c: int,
    r: int,
    destination: IntArray,
    scratch: Scratch,
    rng: Rng,
) -> tuple[float, float]:
    """Gibbs sweep over the members between the blocks c and r.

    If `destination` is not empty, each member goes there instead of to a block that is drawn. Returns what the log
    joint gained and the log probability of the choices.
    """
    gained, log_q = 0.0, 0.0
    for t in range(len(members)):
        i = members[t]
        current = blocks.label[i]
        other = r if current == c else c
        n_adjacent = _tally(network, blocks, i)
        scratch.candidates[0] = other
        _score(model, network, blocks, i, n_adjacent, scratch.candidates[:1], scratch.gain)
        g = scratch.gain[0]
        p_move = 1.0 / (1.0 + math.exp(-g)) if g > -700 else 0.0
        moves = destination[t] != current if len(destination) > 0 else rng.random() < p_move
        if moves:
            log_q += -math.log1p(math.exp(-g)) if g > -30 else g
            _move(model, network, blocks, i, other, n_adjacent)
            gained += g
        else:
            log_q += -math.log1p(math.exp(g)) if g < 30 else -g
        _clear_tally(blocks, n_adjacent)
    return gained, log_q


@_part
def _may_merge_or_split(model: Model, network: Network, blocks: Blocks, i: int, j: int) -> bool:
    """Whether the blocks of nodes i and j may be merged, shared out anew or split; j is of unknown label."""
    c, r = blocks.label[i], blocks.label[j]
    if network.is_known[j] > 0 or (c == r and blocks.totals[0].n_blocks == len(blocks.size)):
        return False
    if model.keeps_number:
        return c != r
    if network.is_known[i] > 0:
        return c == r or blocks.n_known[r] == 0
    return blocks.n_known[c] + blocks.n_known[r] == 0


@_part
def _gather_members(network: Network, blocks: Blocks, i: int, j: int, members: IntArray, rng: Rng) -> int:
    """List the other free nodes of the blocks of nodes i and j in random order, and return their number."""
    label, c, r = blocks.label, blocks.label[i], blocks.label[j]
    m = 0
    for node in range(len(label)):
        s = label[node]
        if s in (c, r) and node != i and node != j and network.is_known[node] == 0:
            members[m] = node
            m += 1
    _shuffle(members[:m], rng)
    return m


@_inlined
def _shuffle(values: IntArray, rng: Rng) -> None:
    for t in range(len(values) - 1, 0, -1):
        x = int(rng.random() * (t + 1))
        values[t], values[x] = values[x], values[t]


@_inlined
def _copy_labels(blocks: Blocks, members: IntArray, labels: IntArray) -> None:
    for t in range(len(members)):
        labels[t] = blocks.label[members[t]]


@_part
def _share_out(
    model: Model,
    network: Network,
    blocks: Blocks,
    members: IntArray,
    c: int,
    r: int,
    origin: IntArray,
    gained: float,
    scratch: Scratch,
    rng: Rng,
) -> float:
    """Accept or undo a final sweep that shares out the members of two blocks anew; return what was gained.

    `origin` holds the blocks that the members came from, and `gained` is what the log joint has gained since.
    """
    no_destination = origin[:0]
    launch, proposal = scratch.launch[: len(members)], scratch.proposal[: len(members)]
    _copy_labels(blocks, members, launch)
    last, log_q = _restricted_sweep(model, network, blocks, members, c, r, no_destination, scratch, rng)
    gained += last
    _copy_labels(blocks, members, proposal)
    _force_all(model, network, blocks, members, launch, scratch)
    log_q -= _restricted_sweep(model, network, blocks, members, c, r, origin, scratch, rng)[1]
    if math.log(rng.random()) < gained - log_q:
        _force_all(model, network, blocks, members, proposal, scratch)
        return gained
    return 0.0


@_part
def _finish_split(
    model: Model,
    network: Network,
    blocks: Blocks,
    members: IntArray,
    i: int,
    j: int,
    gained: float,
    scratch: Scratch,
    rng: Rng,
) -> float:
    """Accept or undo the split of a block, after a final sweep, into those of nodes i and j; return what was gained."""
    c, r = blocks.label[i], blocks.label[j]
    last, log_q = _restricted_sweep(model, network, blocks, members, c, r, members[:0], scratch, rng)
    gained += last
    is_valid = not model.keeps_connected or (
        _is_connected(network, blocks, i, scratch) and _is_connected(network, blocks, j, scratch)
    )
    if is_valid and math.log(rng.random()) < gained - log_q:
        return gained
    for node in members:
        if blocks.label[node] == r:
            _force(model, network, blocks, node, c, scratch)
    _force(model, network, blocks, j, c, scratch)
    return 0.0


@_part
def _finish_merge(
    model: Model,
    network: Network,
    blocks: Blocks,
    members: IntArray,
    i: int,
    j: int,
    origin: IntArray,
    scratch: Scratch,
    rng: Rng,
) -> float:
    """Merge the blocks of nodes i and j after a launch of the reverse split; accept or undo; return what was gained."""
    c, r = blocks.label[i], blocks.label[j]
    log_q = _restricted_sweep(model, network, blocks, members, c, r, origin, scratch, rng)[1]
    gained = 0.0
    for t in range(len(members)):
        if origin[t] == r:
            gained += _force(model, network, blocks, members[t], c, scratch)
    gained += _force(model, network, blocks, j, c, scratch)
    is_valid = not model.keeps_connected or _is_connected(network, blocks, i, scratch)
    if is_valid and math.log(rng.random()) < gained + log_q:
        return gained
    _force(model, network, blocks, j, _NEW_BLOCK, scratch)
    r = blocks.label[j]
    for t in range(len(members)):
        if origin[t] != c:
            _force(model, network, blocks, members[t], r, scratch)
    return 0.0


@_part
def _merge_split(model: Model, network: Network, blocks: Blocks, scans: int, scratch: Scratch, rng: Rng) -> float:
    """Split or merge the blocks of two random nodes (Jain & Neal 2004); return what the log joint gained.

    If the number of blocks is kept, share out the nodes of two blocks anew.
    """
    label = blocks.label
    n = len(label)
    i = int(rng.random() * n)
    j = int(rng.random() * (n - 1))
    j += j >= i
    if network.is_known[j] > 0:
        i, j = j, i
    if not _may_merge_or_split(model, network, blocks, i, j):
        return 0.0
    m = _gather_members(network, blocks, i, j, scratch.members, rng)
    members, origin = scratch.members[:m], scratch.origin[:m]
    is_split = label[i] == label[j]
    gained = 0.0
    if is_split:
        gained += _force(model, network, blocks, j, _NEW_BLOCK, scratch)
    c, r = label[i], label[j]
    for t in range(m):
        origin[t] = label[members[t]]
        if rng.random() < 0.5:
            gained += _force(model, network, blocks, members[t], r if origin[t] == c else c, scratch)
    for _ in range(scans):
        gained += _restricted_sweep(model, network, blocks, members, c, r, origin[:0], scratch, rng)[0]
    if model.keeps_number:
        return _share_out(model, network, blocks, members, c, r, origin, gained, scratch, rng)
    if is_split:
        return _finish_split(model, network, blocks, members, i, j, gained, scratch, rng)
    return _finish_merge(model, network, blocks, members, i, j, origin, scratch, rng)


@_part
def _gather_known(network: Network, blocks: Blocks, known: IntArray, c: int, r: int, members: IntArray) -> int:
    """List the nodes of known label in blocks c and r; return their number, or 0 if a block has no other nodes."""
    label = blocks.label
    m, free_c, free_r = 0, blocks.size[c], blocks.size[r]
    for i in known:
        if label[i] == c:
            free_c -= network.n_members[i]
        elif label[i] == r:
            free_r -= network.n_members[i]
        else:
            continue
        members[m] = i
        m += 1
    return m if free_c > 0 and free_r > 0 else 0


@_internal
def _first_node(label: IntArray, r: int) -> int:
    """Return the first node of block r, which is not empty."""
    i = 0
    while label[i] != r:
        i += 1
    return i


@_part
def _exchange_labels(
    model: Model, network: Network, blocks: Blocks, known: IntArray, scratch: Scratch, rng: Rng
) -> float:
    """Exchange the nodes of known label of two blocks, as if the labels changed places; return what was gained.

    The first block is that of a random known node and the second is any other block, so that the reverse move is as
    likely. Both blocks need nodes of unknown label, which stay. The choice between the two states is a Gibbs step: if
    both states are equally likely, a Metropolis step would always exchange, and two exchanges in a row change nothing.
    """
    label, active, n_blocks = blocks.label, blocks.active, blocks.totals[0].n_blocks
    c = label[known[int(rng.random() * len(known))]]
    r = active[int(rng.random() * (n_blocks - 1))]
    if r == c:
        r = active[n_blocks - 1]
    m = _gather_known(network, blocks, known, c, r, scratch.members)
    if m == 0:
        return 0.0
    members, origin = scratch.members[:m], scratch.origin[:m]
    gained = 0.0
    for t in range(m):
        origin[t] = label[members[t]]
        gained += _force(model, network, blocks, members[t], r if origin[t] == c else c, scratch)
    is_accepted = rng.random() < (1.0 / (1.0 + math.exp(-gained)) if gained > -700 else 0.0)
    if is_accepted and model.keeps_connected:
        is_accepted = _is_connected(network, blocks, _first_node(label, c), scratch) and _is_connected(
            network, blocks, _first_node(label, r), scratch
        )
    if is_accepted:
        return gained
    _force_all(model, network, blocks, members, origin, scratch)
    return 0.0


# ------------------------------------------------------------------------------------------------ chains


@_inlined
def _list_nodes(order: IntArray) -> None:
    for i in range(len(order)):
        order[i] = i


@_chain
def run(
    model: Model,
    network: Network,
    blocks: Blocks,
    temperatures: FloatArray,
    splits: float,
    scans: int,
    everywhere: NDArray[np.bool_],
    thinning: int,
    scratch: Scratch,
    rng: Rng,
    samples: IntArray,
    trace: FloatArray,
) -> None:
    """Run a Markov chain. A step is a Gibbs sweep and, at temperature 1, `splits` merge-split moves.

    If labels are known, exchanges of them follow. Their number is such that they take a part of the time of a sweep.

    Parameters
    ----------
    temperatures : ndarray of float64, shape (n_steps,)
        At temperature 0, nodes make their best moves.
    splits : float
        Mean number of merge-split moves per step.
    scans : int
        Restricted Gibbs sweeps before the last one of a merge-split move.
    everywhere : ndarray of bool, shape (n_steps,)
        Whether nodes can move to all blocks, or only to those of their neighbors.
    thinning : int
        Steps per sample. The sample is taken after the last of them.
    samples : ndarray of int64, shape (n_samples, n)
        Filled with the labels of the last n_samples * thinning steps.
    trace : ndarray of float64, shape (n_steps,)
        Filled with the log joint after each step.
    """
    label, order, known = blocks.label, scratch.order, scratch.known
    n, n_steps = len(label), len(temperatures)
    first = n_steps - thinning * len(samples)
    n_exchanges = min(len(known), 1 + n // max(4 * len(known), 1))
    _list_nodes(order)
    value = log_joint(model, blocks)
    for step in range(n_steps):
        if step >= first and (step - first) % thinning == 0:
            _list_nodes(order)  # a sample does not depend on how many a call draws
            value = log_joint(model, blocks)
        _shuffle(order, rng)
        value += _sweep(model, network, blocks, order, temperatures[step], everywhere[step], scratch, rng)
        if temperatures[step] == 1.0 and n > 1:
            for _ in range(int(splits) + (rng.random() < splits - int(splits))):
                value += _merge_split(model, network, blocks, scans, scratch, rng)
            if blocks.totals[0].n_blocks > 1:
                for _ in range(n_exchanges):
                    value += _exchange_labels(model, network, blocks, known, scratch, rng)
        trace[step] = value
        if step >= first and (step - first + 1) % thinning == 0:
            sample = samples[(step - first) // thinning]
            for i in range(n):
                sample[i] = label[i]


@_public
def conditional(model: Model, network: Network, blocks: Blocks, scratch: Scratch, probability: FloatArray) -> None:
    """Fill in each node's probability of its own block, given the blocks of all other nodes.

    The alternatives are the blocks of its neighbors and a new block.
    """
    candidates, gain = scratch.candidates, scratch.gain
    for i in range(len(blocks.label)):
        if network.is_known[i] > 0:
            probability[i] = 1.0
            continue
        n_adjacent = _tally(network, blocks, i)
        m = _list_candidates(blocks, i, n_adjacent, _NEIGHBORS_ONLY, candidates)
        _score(model, network, blocks, i, n_adjacent, candidates[:m], gain)
        _clear_tally(blocks, n_adjacent)
        top, total = gain[_argmax(gain, m)], 0.0
        for j in range(m):
            total += math.exp(gain[j] - top)
        probability[i] = math.exp(gain[0] - top) / total
