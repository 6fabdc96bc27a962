"""Infomap: the partition, or hierarchy, that describes a random walk in the fewest bits."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from graphclust.graph import Graph
from graphclust.methods.base import GraphEstimator
from graphclust.problem.problem import Core
from graphclust.problem.solution import Solution
from graphclust.runtime.checks import check_count, check_hierarchy
from graphclust.runtime.progress import task
from graphclust.runtime.seeds import check_seed

__all__ = ["Infomap"]


class Infomap(GraphEstimator):
    """Infomap (Rosvall & Bergstrom 2008): the partition that describes a random walk in the fewest bits.

    Parameters
    ----------
    trials : int
        Number of independent runs; the result is the one with the shortest description.
    hierarchy : bool
        Whether to find larger modules, and parts of modules, where these shorten the description (Rosvall & Bergstrom
        2011). The communities are the same as without.
    random_state : int, Generator or None

    Attributes
    ----------
    details_ : dict
        code_length, in bits per step: of the two levels of modules and nodes, or of the whole hierarchy.

    Examples
    --------
    >>> Infomap(random_state=0).fit([(0, 1), (1, 2), (0, 2), (2, 3), (3, 4), (4, 5), (3, 5)]).labels_
    array([0, 0, 0, 1, 1, 1])
    """

    name: ClassVar[str] = "infomap"
    summary: ClassVar[str] = "shortest description of a random walk"
    source: ClassVar[str] = "Rosvall & Bergstrom 2008 and 2011"
    takes_direction: ClassVar[bool] = True
    connected: ClassVar[bool] = True
    needs: ClassVar[tuple[str, ...]] = ("graphclust.kernels.map_equation",)

    def __init__(self, *, trials: int = 10, hierarchy: bool = False, random_state: Any = None) -> None:
        self.trials = trials
        self.hierarchy = hierarchy
        self.random_state = random_state

    def check_params(self) -> None:
        """See `GraphEstimator.check_params`."""
        super().check_params()
        check_count("trials", self.trials)
        check_hierarchy(self.hierarchy, None)

    def memory(self, graph: Graph) -> float:
        """Estimate the peak memory: rows with flows in both directions, and as much while they are merged."""
        return 8.0 * (16 * graph.num_edges + 12 * graph.num_nodes)

    def solve(self, core: Core) -> Solution:
        """See `GraphEstimator.solve`."""
        from graphclust.kernels.map_equation import code_length, divide, flow_of_edges, nested

        graph = core.graph
        ends = graph.source.astype(np.int64), graph.target.astype(np.int64)
        flow = flow_of_edges(*ends, graph.edge_weight, graph.num_nodes, directed=graph.directed)
        seeds = np.random.SeedSequence(check_seed(self.random_state)).generate_state(int(self.trials)).tolist()
        best, shortest = np.zeros(graph.num_nodes, dtype=np.int64), np.inf
        with task("infomap", total=len(seeds) + self.hierarchy) as advance:
            for seed in seeds:
                labels = divide(flow, seed=seed)
                if (length := code_length(flow, labels)) < shortest - 1e-12:
                    best, shortest = labels, length
                advance()
            if not self.hierarchy:
                return Solution(best, details={"code_length": round(shortest, 6)})
            levels, length = nested(flow, best, seed=seeds[0])
            advance()
        return Solution(best, details={"code_length": round(length, 6)}, levels=tuple(levels))
