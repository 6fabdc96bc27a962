"""Label propagation, by igraph."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from graphclust.methods.igraph_methods import IgraphEstimator, igraph_of
from graphclust.problem.problem import Core
from graphclust.problem.solution import Solution
from graphclust.runtime.interrupts import uninterrupted
from graphclust.runtime.progress import task
from graphclust.runtime.seeds import check_seed, seeded_igraph

__all__ = ["LabelPropagation"]


class LabelPropagation(IgraphEstimator):
    """Label propagation (Raghavan, Albert & Kumara 2007), by igraph.

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
    ignores_self_loops: ClassVar[bool] = True  # a node that is its own strongest neighbour would keep its label

    def __init__(self, *, random_state: Any = None) -> None:
        self.random_state = random_state

    def solve(self, core: Core) -> Solution:
        """See `GraphEstimator.solve`."""
        import igraph as ig

        ig_graph, weights = igraph_of(core)
        with seeded_igraph(check_seed(self.random_state)), task("label propagation"), uninterrupted():
            labels = ig.GraphBase.community_label_propagation(ig_graph, weights=weights)
        return Solution(np.array(labels, dtype=np.int64))
