"""Moves of the nodes of a large graph under a block model, in batches that threads evaluate at the same time.

Threads find the best move of each node of a batch while nothing changes. Then one thread makes these moves in order,
each if it still gains. The result does not depend on the number of threads.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from graphclust.kernels.adjacency import IndexArray, read_ahead
from graphclust.kernels.block_moves import CONDITIONAL, SETTLE, SLOT, SWEEP, TALLY, TOTALS, State, commit, propose, run
from graphclust.kernels.local_moves import BATCHES_KEPT, batch_size, is_very_large, soon_visited, visiting_order
from graphclust.runtime.arrays import FloatArray, IntArray
from graphclust.runtime.storage import without_readahead
from graphclust.runtime.threads import Threads

__all__ = ["conditional_in_batches", "settle_in_batches"]


def settle_in_batches(
    state: State, start: IntArray, threads: Threads, seed: int, passes: int, smallest_gain: float
) -> float:
    """Let waiting nodes make their best moves until a pass hardly gains; return the log joint.

    Parameters
    ----------
    state : State
        Without `edge_counts`, and with memory for visits of `batch_size` nodes. Its partition changes.
    start : ndarray of int64, shape (n + 1,)
        The place of the first edge of each node.
    threads : Threads
        With the storage of the edges.
    seed : int
        Of the order of the nodes, a new one in each pass.
    passes : int
        Most passes over the waiting nodes.
    smallest_gain : float
        Of a pass after which another one follows, in nats.
    """
    propose_all = _proposer(state, threads)
    value = float(run(state, SWEEP, 0, 0, 1, 0.0, 0.0, 0))
    rng = np.random.default_rng(seed)
    batch = batch_size(len(state.label))
    with without_readahead(state.edges):
        for _ in range(passes):
            order = _order(state, start, rng)
            before = value
            for number, first in enumerate(range(0, len(order), batch)):
                if threads.storage is not None:
                    read_ahead(start, soon_visited(order, first, batch), state.edges)
                propose_all(SETTLE, some := order[first : first + batch])
                value += commit(state, 0, len(some))
                if number % BATCHES_KEPT == BATCHES_KEPT - 1:
                    threads.release()
            if value < before + smallest_gain:
                break
    return value


def _order(state: State, start: IntArray, rng: np.random.Generator) -> IndexArray:
    """Return the waiting nodes in a random order; those of a very large graph in long blocks."""
    if not is_very_large(start):
        return rng.permutation(np.flatnonzero(state.waiting)).astype(np.int32)
    order = visiting_order(len(state.label), int(rng.integers(2**62)), is_large=True)
    return order[state.waiting[order] > 0]


def conditional_in_batches(state: State, threads: Threads) -> FloatArray:
    """Return each node's probability of its own block, given the blocks of all other nodes; 1 if its label is known.

    For the parameters see `settle_in_batches`.
    """
    run(state, SWEEP, 0, 0, 1, 0.0, 0.0, 0)
    propose_all, n, batch = _proposer(state, threads), len(state.label), len(state.visits)
    probability = np.empty(n)
    for first in range(0, n, batch):
        some = np.arange(first, min(first + batch, n), dtype=np.int32)
        state.visits["probability"] = 1.0
        propose_all(CONDITIONAL, some)
        probability[some] = state.visits["probability"][: len(some)]
        threads.release()
    return probability


def _proposer(state: State, threads: Threads) -> Callable[[int, IndexArray], None]:
    """Return a function that calls `propose` for some nodes, in all threads."""
    nodes, n_blocks = state.nodes, len(state.blocks)
    degree: IntArray = nodes["last_edge"] - nodes["first_edge"]
    n_slots = int(degree.max(initial=0)) + 3
    own = [
        state._replace(tallies=np.zeros(n_blocks, TALLY), slots=np.zeros(n_slots, SLOT), totals=np.zeros(1, TOTALS)[0])
        for _ in range(threads.number)
    ]

    def propose_all(mode: int, some: IndexArray) -> None:
        state.visits["order"][: len(some)] = some
        empty = state.slots["active"][state.totals["n_blocks"]]

        def propose_share(thread: int) -> None:
            mine = own[thread]
            for name in TOTALS.names or ():
                mine.totals[name] = state.totals[name]
            mine.slots["active"][0] = empty
            propose(mine, mode, *threads.share(thread, 0, len(some)))

        threads.run(propose_share)

    return propose_all
