"""Label propagation."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from graphclust.methods.local_moves import LocalMoveEstimator, moving
from graphclust.problem.problem import Core
from graphclust.problem.solution import Solution
from graphclust.runtime.progress import task
from graphclust.runtime.seeds import check_seed
from graphclust.runtime.threads import Threads

__all__ = ["LabelPropagation"]


class LabelPropagation(LocalMoveEstimator):
    """Label propagation (Raghavan, Albert & Kumara 2007).

    Nodes adopt the most common label of their neighbours. Self-loops are ignored.

    Parameters
    ----------
    random_state : int, Generator or None

    Examples
    --------
    >>> LabelPropagation(random_state=1).fit([(0, 1), (1, 2), (0, 2), (3, 4), (4, 5), (3, 5)]).labels_
    array([0, 0, 0, 1, 1, 1])
    """

    name: ClassVar[str] = "label-propagation"
    summary: ClassVar[str] = "nodes adopt the most common label of their neighbours"
    source: ClassVar[str] = "Raghavan, Albert & Kumara 2007"
    connected: ClassVar[bool] = True  # its moves can leave a community in two parts
    ignores_self_loops: ClassVar[bool] = True  # a node that is its own strongest neighbour would keep its label

    def __init__(self, *, random_state: Any = None) -> None:
        self.random_state = random_state

    def solve(self, core: Core) -> Solution:
        """See `GraphEstimator.solve`."""
        from graphclust.kernels.local_moves import move_nodes

        rows, masses, _ = moving(core)
        n, seed = core.graph.num_nodes, check_seed(self.random_state)
        with Threads() as threads, task("label propagation"):
            moves = move_nodes(rows, masses, np.arange(n), 0.0, seed=seed, threads=threads)
        return Solution(moves.labels.astype(np.int64))
