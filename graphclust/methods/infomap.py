"""Infomap, by igraph."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias

import numpy as np

from graphclust.graph import Graph
from graphclust.methods.base import GraphEstimator
from graphclust.problem.problem import Core
from graphclust.problem.solution import Solution
from graphclust.runtime.checks import check_count
from graphclust.runtime.interrupts import uninterrupted
from graphclust.runtime.progress import task
from graphclust.runtime.seeds import check_seed, seeded_igraph
from graphclust.runtime.threads import one_openmp_thread

if TYPE_CHECKING:
    import igraph

__all__ = ["Infomap"]

_Converted: TypeAlias = "tuple[igraph.Graph, list[float] | None]"


_AT_ONCE = 200_000  # edges up to which one call of igraph makes all trials: this is faster, but delays Ctrl-C


class Infomap(GraphEstimator):
    """Infomap (Rosvall & Bergstrom 2008): the partition that describes a random walk in the fewest bits, by igraph.

    Parameters
    ----------
    trials : int
        Number of independent runs; the result is the one with the shortest description.
    random_state : int, Generator or None

    Examples
    --------
    >>> Infomap(random_state=0).fit([(0, 1), (1, 2), (0, 2), (2, 3), (3, 4), (4, 5), (3, 5)]).labels_
    array([0, 0, 0, 1, 1, 1])
    """

    name: ClassVar[str] = "infomap"
    summary: ClassVar[str] = "shortest description of a random walk"
    source: ClassVar[str] = "Rosvall & Bergstrom 2008"
    takes_direction: ClassVar[bool] = True
    connected: ClassVar[bool] = True
    needs: ClassVar[tuple[str, ...]] = ("igraph",)

    def __init__(self, *, trials: int = 10, random_state: Any = None) -> None:
        self.trials = trials
        self.random_state = random_state

    def check_params(self) -> None:
        """See `GraphEstimator.check_params`."""
        super().check_params()
        check_count("trials", self.trials)

    def memory(self, graph: Graph) -> float:
        """Estimate the peak memory: igraph's copy (6 integers per edge, 2 per node) and as much for its methods."""
        return 8.0 * (16 * graph.num_edges + 12 * graph.num_nodes)

    def solve(self, core: Core) -> Solution:
        """See `GraphEstimator.solve`."""
        import igraph as ig

        ig_graph, weights = _converted(core.graph)
        trials = int(self.trials)
        at_once = trials if core.graph.num_edges <= _AT_ONCE else 1
        best, shortest = None, np.inf
        with seeded_igraph(check_seed(self.random_state)), task("infomap"), one_openmp_thread():
            for _ in range(trials // at_once):
                with uninterrupted():
                    membership, length = ig.GraphBase.community_infomap(ig_graph, weights, None, at_once)
                if best is None or length < shortest:
                    best, shortest = membership, length
        return Solution(np.array(best, dtype=np.int64))


def _converted(graph: Graph) -> _Converted:
    """Return a graph as one of igraph, without attributes, and its weights."""
    import igraph as ig

    edges = np.stack((graph.source, graph.target), axis=1)
    weights = None if graph.weight is None else graph.weight.tolist()
    return ig.Graph(n=graph.num_nodes, edges=edges, directed=graph.directed), weights
