"""The base of methods that move nodes between communities: Leiden, Louvain and label propagation."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, NamedTuple

import numpy as np

from graphclust.graph import Graph
from graphclust.methods.base import GraphEstimator
from graphclust.problem.problem import Core

if TYPE_CHECKING:
    from graphclust.kernels.adjacency import Adjacency, Records

__all__ = ["LocalMoveEstimator", "Moving", "moving"]


class Moving(NamedTuple):
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
    """A method whose communities are connected unless `n_clusters` is set, and do not depend on the threads."""

    needs: ClassVar[tuple[str, ...]] = ("graphclust.kernels.leiden", "scipy.sparse.csgraph")

    def memory(self, graph: Graph) -> float:
        """Estimate the peak memory: rows of the graph and of a smaller one, and 150 bytes per node."""
        per_entry = 4 + 8 * graph.is_weighted
        return 2.0 * graph.num_edges * (2 * per_entry + 24) + 150.0 * graph.num_nodes


def moving(core: Core, objective: str = "modularity") -> Moving:
    """Return a core as the kernels take it; methods that solve the same core share its rows.

    Parameters
    ----------
    core : Core
    objective : {"modularity", "cpm"}
    """
    from graphclust.kernels.adjacency import adjacency
    from graphclust.kernels.local_moves import MASS

    graph = core.graph
    rows = core.cached("rows", lambda: adjacency(graph.source, graph.target, graph.weight, graph.num_nodes))
    masses = np.zeros(graph.num_nodes, MASS)
    masses["size"] = 1
    if objective == "cpm":
        masses["u"] = masses["v"] = 1.0
        return Moving(rows, masses, 1.0 if graph.directed else 0.5)
    masses["u"], masses["v"] = (graph.degree(way) for way in (("out", "in") if graph.directed else ("all", "all")))
    return Moving(rows, masses, (1.0 if graph.directed else 0.25) / max(graph.total_weight, 1e-300))
