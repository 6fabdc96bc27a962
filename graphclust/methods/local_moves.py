"""The base of methods that move nodes between communities: Leiden, Louvain and label propagation."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar

from graphclust.graph import Graph
from graphclust.methods.base import GraphEstimator
from graphclust.methods.exact_number import with_exact_number
from graphclust.problem.kernel_input import kernel_input, rows_of
from graphclust.problem.problem import Core
from graphclust.problem.solution import Solution
from graphclust.runtime.arrays import IntArray
from graphclust.runtime.checks import check_hierarchy
from graphclust.runtime.cluster import current_cluster
from graphclust.runtime.threads import Threads

if TYPE_CHECKING:
    from graphclust.kernels.adjacency import Adjacency, Records

__all__ = ["LocalMoveEstimator"]


class LocalMoveEstimator(GraphEstimator):
    """A method whose results do not depend on the number of threads."""

    needs: ClassVar[tuple[str, ...]] = ("graphclust.kernels.leiden",)
    works_in_files: ClassVar[bool] = True
    works_on_cluster: ClassVar[bool] = True

    def check_params(self) -> None:
        """See `GraphEstimator.check_params`."""
        super().check_params()
        check_hierarchy(self.hierarchy, self.n_clusters)

    def memory(self, graph: Graph) -> float:
        """Estimate the peak memory: rows of the graph and of a smaller one, and 150 bytes per node."""
        per_entry = 4 + 8 * graph.is_weighted
        return 2.0 * graph.num_edges * (2 * per_entry + 24) + 150.0 * graph.num_nodes

    def memory_in_files(self, graph: Graph) -> float:
        """See `GraphEstimator.memory_in_files`; measured with 5 million nodes."""
        return 100.0 * graph.num_nodes

    def _solved(
        self,
        core: Core,
        objective: str,
        resolution: float,
        run: Callable[[Adjacency, Records, float, Threads], list[IntArray]],
        *,
        is_connected: bool = False,
    ) -> Solution:
        """Run a method that takes rows, masses, gamma and threads; K is found if it is given.

        The method returns labels on each level, the finest first and the result last. `is_connected` says whether its
        communities are connected.
        """
        graph = core.graph
        rows, masses, unit = kernel_input(graph, objective, core.cached("rows", lambda: rows_of(graph)))
        cluster, workers = current_cluster(), None
        if cluster is not None:
            from graphclust.kernels.workers import Workers

            workers = Workers(cluster)
        with Threads(storage=graph.storage, workers=workers) as threads:
            if core.n_clusters is not None:

                def found(other: float) -> IntArray:
                    return run(rows, masses, other * unit, threads)[-1]

                return with_exact_number(core, resolution, found)
            levels = run(rows, masses, resolution * unit, threads)
            known = tuple(levels) if self.hierarchy else ()
            return Solution(levels[-1], levels=known, is_connected=is_connected)
