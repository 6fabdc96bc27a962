"""The Louvain algorithm, by igraph."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import numpy as np

from graphclust.methods.igraph_methods import IgraphEstimator, igraph_of, with_exact_number
from graphclust.problem.problem import Core
from graphclust.problem.solution import Solution
from graphclust.runtime.arrays import IntArray
from graphclust.runtime.checks import check_number
from graphclust.runtime.interrupts import uninterrupted
from graphclust.runtime.progress import task
from graphclust.runtime.seeds import check_seed, seeded_igraph

__all__ = ["Louvain"]


class Louvain(IgraphEstimator):
    """Louvain algorithm (Blondel et al. 2008) for modularity, by igraph.

    Parameters
    ----------
    n_clusters : int, optional
        Exact number of communities, as in `Leiden`.
    resolution : float
    random_state : int, Generator or None

    Examples
    --------
    >>> Louvain(random_state=0).fit([(0, 1), (1, 2), (0, 2), (2, 3), (3, 4), (4, 5), (3, 5)]).labels_
    array([0, 0, 0, 1, 1, 1])
    """

    name: ClassVar[str] = "louvain"
    summary: ClassVar[str] = "modularity by greedy moves and aggregation"
    source: ClassVar[str] = "Blondel, Guillaume, Lambiotte & Lefebvre 2008"
    takes_n_clusters: ClassVar[Literal["required", "optional", "no"]] = "optional"

    def __init__(self, n_clusters: int | None = None, *, resolution: float = 1.0, random_state: Any = None) -> None:
        self.n_clusters = n_clusters
        self.resolution = resolution
        self.random_state = random_state

    def check_params(self) -> None:
        """See `GraphEstimator.check_params`."""
        super().check_params()
        check_number("resolution", self.resolution)

    def solve(self, core: Core) -> Solution:
        """See `GraphEstimator.solve`."""
        import igraph as ig

        seed = check_seed(self.random_state)
        ig_graph, weights = igraph_of(core)

        def run(resolution: float) -> IntArray:
            with seeded_igraph(seed), task("louvain"), uninterrupted():
                labels = ig.GraphBase.community_multilevel(ig_graph, weights, False, resolution)
            return np.array(labels[0] if isinstance(labels, tuple) else labels, dtype=np.int64)

        if core.n_clusters is not None:
            return with_exact_number(core, self.resolution, run)
        return Solution(run(self.resolution))
