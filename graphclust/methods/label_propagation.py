"""Label propagation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from graphclust.methods.local_moves import LocalMoveEstimator
from graphclust.problem.problem import Core
from graphclust.problem.solution import Solution
from graphclust.runtime.arrays import IntArray
from graphclust.runtime.progress import task
from graphclust.runtime.seeds import check_seed
from graphclust.runtime.threads import Threads

if TYPE_CHECKING:
    from graphclust.kernels.adjacency import Adjacency, Records

__all__ = ["LabelPropagation"]


class LabelPropagation(LocalMoveEstimator):
    """Label propagation (Raghavan, Albert & Kumara 2007).

    Nodes adopt the most common label of their neighbours. Self-loops are ignored.

    Parameters
    ----------
    start : Communities, mapping, Series or path, optional
        An earlier result, or the labels of an earlier partition: communities are those that it becomes by moves of
        nodes, and keep their numbers. If it is a result of this method, nodes with other edges than in its graph are
        visited at first, and none leaves a community without such a node; otherwise, all nodes are visited.
    random_state : int, Generator or None

    Examples
    --------
    >>> LabelPropagation(random_state=1).fit([(0, 1), (1, 2), (0, 2), (3, 4), (4, 5), (3, 5)]).labels_
    array([0, 0, 0, 1, 1, 1])
    """

    name: ClassVar[str] = "label-propagation"
    summary: ClassVar[str] = "nodes adopt the most common label of their neighbours"
    source: ClassVar[str] = "Raghavan, Albert & Kumara 2007"
    takes_start: ClassVar[bool] = True
    connected: ClassVar[bool] = True  # its moves can leave a community in two parts
    ignores_self_loops: ClassVar[bool] = True  # a node that is its own strongest neighbour would keep its label

    def __init__(self, *, start: Any = None, random_state: Any = None) -> None:
        self.start = start
        self.random_state = random_state

    def solve(self, core: Core) -> Solution:
        """See `GraphEstimator.solve`."""
        from graphclust.kernels.local_moves import move_nodes, staying

        seed = check_seed(self.random_state)
        labels, waiting = (np.arange(core.graph.num_nodes), None) if core.start is None else core.start

        def propagated(rows: Adjacency, masses: Records, _: float, threads: Threads) -> list[IntArray]:
            if waiting is not None:
                masses = staying(masses, labels, waiting)
            with task("label propagation"):
                moves = move_nodes(rows, masses, labels, 0.0, seed=seed, threads=threads, waiting=waiting)
            return [moves.labels.astype(np.int64)]

        return self._solved(core, "cpm", 0.0, propagated)
