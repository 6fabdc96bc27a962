"""The base of methods that move nodes between communities: Leiden, Louvain and label propagation."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar, NamedTuple

import numpy as np

from graphclust.graph import Graph
from graphclust.methods.base import GraphEstimator
from graphclust.methods.exact_number import with_exact_number
from graphclust.problem.problem import Core
from graphclust.problem.solution import Solution
from graphclust.runtime.arrays import IntArray
from graphclust.runtime.checks import check_hierarchy
from graphclust.runtime.compilation import await_compilation
from graphclust.runtime.threads import Threads

if TYPE_CHECKING:
    from graphclust.kernels.adjacency import Adjacency, Records

__all__ = ["KernelInput", "LocalMoveEstimator", "kernel_input"]


class KernelInput(NamedTuple):
    """A graph as the kernels take it (see `graphclust.kernels.local_moves`).

    Attributes
    ----------
    rows : Adjacency
    masses : array of `MASS`, shape (n_nodes,)
    unit : float
        gamma at resolution 1.
    """

    rows: Adjacency
    masses: Records
    unit: float


class LocalMoveEstimator(GraphEstimator):
    """A method whose results do not depend on the number of threads."""

    needs: ClassVar[tuple[str, ...]] = ("graphclust.kernels.leiden",)

    def check_params(self) -> None:
        """See `GraphEstimator.check_params`."""
        super().check_params()
        check_hierarchy(self.hierarchy, self.n_clusters)

    def memory(self, graph: Graph) -> float:
        """Estimate the peak memory: rows of the graph and of a smaller one, and 150 bytes per node."""
        per_entry = 4 + 8 * graph.is_weighted
        return 2.0 * graph.num_edges * (2 * per_entry + 24) + 150.0 * graph.num_nodes

    def _solved(
        self,
        core: Core,
        objective: str,
        resolution: float,
        run: Callable[[Adjacency, Records, float, Threads], list[IntArray]],
    ) -> Solution:
        """Run a method that takes rows, masses, gamma and threads; K is found if it is given.

        The method returns labels on each level, the finest first and the result last.
        """
        rows, masses, unit = kernel_input(core, objective)
        with Threads() as threads:
            if core.n_clusters is not None:
                return with_exact_number(core, resolution, lambda other: run(rows, masses, other * unit, threads)[-1])
            levels = run(rows, masses, resolution * unit, threads)
        return Solution(levels[-1], levels=tuple(levels) if self.hierarchy else ())


def kernel_input(core: Core, objective: str = "modularity") -> KernelInput:
    """Return a core as the kernels take it; methods that solve the same core share its rows.

    Degrees are scaled by a power of two, so that products of tiny ones are not 0.

    Parameters
    ----------
    core : Core
    objective : {"modularity", "cpm"}
    """
    from graphclust.kernels.adjacency import adjacency
    from graphclust.kernels.local_moves import MASS

    await_compilation("graphclust.kernels.local_moves")
    graph = core.graph
    rows = core.cached("rows", lambda: adjacency(graph.source, graph.target, graph.weight, graph.num_nodes))
    masses = np.zeros(graph.num_nodes, MASS)
    masses["size"] = 1
    if objective == "cpm":
        masses["u"] = masses["v"] = 1.0
        return KernelInput(rows, masses, 1.0 if graph.directed else 0.5)
    total = max(graph.total_weight, 1e-300)
    scale = 2.0 ** np.frexp(total / max(graph.num_edges, 1))[1]
    for name, way in (("u", "out"), ("v", "in")):
        masses[name] = graph.degree(way if graph.directed else "all") / scale
    return KernelInput(rows, masses, (1.0 if graph.directed else 0.25) * scale * (scale / total))
