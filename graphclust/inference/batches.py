"""Moves of the nodes of a large graph under a block model, in batches that threads evaluate at the same time.

Threads find the best move of each node of a batch while nothing changes. Then one thread makes these moves in order,
each if it still gains. The result does not depend on the number of threads.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from graphclust.kernels.block_moves import CONDITIONAL, SETTLE, SLOT, SWEEP, TALLY, TOTALS, State, commit, propose, run
from graphclust.runtime.arrays import IntArray
from graphclust.runtime.threads import Threads

__all__ = ["conditional_in_batches", "settle_in_batches"]

_MAX_BATCH = 8192  # nodes
_FEWEST_BATCHES = 32


def settle_in_batches(state: State, threads: Threads, seed: int, passes: int, smallest_gain: float) -> float:
    """Let waiting nodes make their best moves until a pass hardly gains; return the log joint.

    Parameters
    ----------
    state : State
        Without `edge_counts`. Its partition changes.
    threads : Threads
    seed : int
        Of the order of the nodes, a new one in each pass.
    passes : int
        Most passes over the waiting nodes.
    smallest_gain : float
        Of a pass after which another one follows, in nats.
    """
    propose_some, visits = _proposer(state, threads), state.visits
    value = float(run(state, SWEEP, 0, 0, 1, 0.0, 0.0, 0))
    rng = np.random.default_rng(seed)
    batch = max(min(_MAX_BATCH, len(state.label) // _FEWEST_BATCHES), 1)
    for _ in range(passes):
        order = rng.permutation(np.flatnonzero(visits["waiting"][:-1]))
        visits["order"][: len(order)] = order
        before = value
        for first in range(0, len(order), batch):
            last = min(first + batch, len(order))
            propose_some(SETTLE, first, last)
            value += commit(state, first, last)
        if value < before + smallest_gain:
            break
    return value


def conditional_in_batches(state: State, threads: Threads) -> None:
    """Set `VISIT.probability` of each node to that of its own block, given the blocks of all other nodes."""
    run(state, SWEEP, 0, 0, 1, 0.0, 0.0, 0)  # also puts the nodes into order
    _proposer(state, threads)(CONDITIONAL, 0, len(state.label))


def _proposer(state: State, threads: Threads) -> Callable[[int, int, int], None]:
    """Return a function that calls `propose` for a range of nodes, in all threads."""
    nodes, n_blocks = state.nodes, len(state.blocks)
    degree: IntArray = nodes["last_edge"] - nodes["first_edge"]
    n_slots = int(degree.max(initial=0)) + 3
    own = [
        state._replace(tallies=np.zeros(n_blocks, TALLY), slots=np.zeros(n_slots, SLOT), totals=np.zeros(1, TOTALS)[0])
        for _ in range(threads.number)
    ]

    def propose_some(mode: int, first: int, last: int) -> None:
        empty = state.slots["active"][state.totals["n_blocks"]]

        def propose_share(thread: int) -> None:
            mine = own[thread]
            for name in TOTALS.names or ():
                mine.totals[name] = state.totals[name]
            mine.slots["active"][0] = empty
            propose(mine, mode, *threads.share(thread, first, last))

        threads.run(propose_share)

    return propose_some
