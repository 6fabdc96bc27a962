"""The base of the methods of igraph: Leiden, Louvain, Infomap and label propagation.

These estimators add to igraph: results that a seed determines, notes if weights or directions are dropped, connected
communities (repaired with a note if necessary), and an exact number of communities.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar, TypeAlias

import numpy as np

from graphclust.graph import Graph
from graphclust.kernels.merging import merge_to
from graphclust.methods.base import GraphEstimator
from graphclust.problem.constraints import connected_parts
from graphclust.problem.problem import Core
from graphclust.problem.solution import Solution
from graphclust.runtime.arrays import IntArray
from graphclust.runtime.notes import Note
from graphclust.runtime.progress import task

if TYPE_CHECKING:
    import igraph

__all__ = ["IgraphEstimator", "igraph_of", "with_exact_number"]

Converted: TypeAlias = "tuple[igraph.Graph, list[float] | None]"

_MAX_RUNS = 12  # of a method, to find a resolution that gives about K communities


def igraph_of(core: Core) -> Converted:
    """Return a core as an igraph graph without attributes, and its weights; all methods share them, read-only."""
    return core.cached("igraph", lambda: _converted(core.graph))


def _converted(graph: Graph) -> Converted:
    import igraph as ig

    edges = np.stack((graph.source, graph.target), axis=1)
    weights = None if graph.weight is None else graph.weight.tolist()
    return ig.Graph(n=graph.num_nodes, edges=edges, directed=graph.directed), weights


class IgraphEstimator(GraphEstimator):
    """A method of igraph, whose communities are connected unless `n_clusters` is set."""

    connected: ClassVar[bool] = True
    needs: ClassVar[tuple[str, ...]] = ("igraph", "scipy.sparse.csgraph")

    def memory(self, graph: Graph) -> float:
        """Estimate the peak memory: igraph's copy (6 integers per edge, 2 per node) and as much for its methods."""
        return 8.0 * (16 * graph.num_edges + 12 * graph.num_nodes)


def with_exact_number(core: Core, resolution: float, run: Callable[[float], IntArray]) -> Solution:
    """Find with_exact_number as many communities as the core requires.

    The method runs at the given resolution, or a higher one if that gives too few communities. Communities are then
    merged until their number is right.

    Parameters
    ----------
    core : Core
    resolution : float
    run : callable
        Returns labels at a resolution.
    """
    graph, k = core.graph, int(core.n_clusters or 1)
    notes = []
    components = int(core.component.max()) + 1
    if k < components:
        message = f"joined some of the {components:,} components to get k = {k:,} communities"
        notes.append(Note("joined-components", message, {"n_components": components}))
    best: IntArray = np.arange(graph.num_nodes)
    best_count, best_resolution = graph.num_nodes, np.inf
    low, high, gamma, step = 0.0, np.inf, max(resolution, 1e-9), 2.0
    with task(f"search for {k} communities", _MAX_RUNS) as advance:
        for _ in range(_MAX_RUNS):
            labels = connected_parts(graph, run(gamma))
            count = int(labels.max()) + 1
            if k <= count <= best_count:
                best, best_count, best_resolution = labels, count, gamma
            if k <= count <= 1.1 * k or (count > k and gamma <= resolution):
                break
            low, high = (gamma, high) if count < k else (low, gamma)
            if high == np.inf:
                gamma, step = gamma * step, min(step**2, 1e6)
            else:
                gamma = (low * high) ** 0.5
            advance()
    message = f"found {best_count:,} communities at resolution {best_resolution:.4g}"
    message += f" and merged them to {k:,} by modularity" if best_count > k else ""
    data = {"n_found": best_count, "resolution": best_resolution}
    notes.append(Note("resolution", message, data, is_detail=True))
    if best_count > k:
        best = merge_to(graph.source, graph.target, graph.edge_weight, best, k)
        apart = int(connected_parts(graph, best).max()) + 1 - k
        if apart and k >= components:
            message = f"joined {apart:,} small components to others"
            notes.append(Note("joined-components", message, {"n_joined": apart}))
    return Solution(best, notes=tuple(notes))
