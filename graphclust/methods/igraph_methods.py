"""Classical methods, as estimators: Leiden, Louvain, Infomap and label propagation of igraph, and spectral clustering.

What is added to igraph: a seed that fixes the result, weights and directions that are never dropped in silence,
communities that are checked to be connected (and repaired, with a note), and an exact number of communities.
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

__all__ = ["IgraphEstimator", "exactly", "igraph_of"]

Converted: TypeAlias = "tuple[igraph.Graph, list[float] | None]"

_MAX_SEARCH = 12  # runs of a method in search of a resolution that gives about K communities


def igraph_of(core: Core) -> Converted:
    """Return a core as a bare igraph graph, which nobody changes, and its weights; made once for all methods."""
    return core.cached("igraph", lambda: _converted(core.graph))


def _converted(graph: Graph) -> Converted:
    import igraph as ig

    edges = np.stack((graph.source, graph.target), axis=1)
    weights = None if graph.weight is None else graph.weight.tolist()
    return ig.Graph(n=graph.num_nodes, edges=edges, directed=graph.directed), weights


class IgraphEstimator(GraphEstimator):
    """A method of igraph, whose communities are connected unless their number is given."""

    connected: ClassVar[bool] = True
    needs: ClassVar[tuple[str, ...]] = ("igraph", "scipy.sparse.csgraph")

    def memory(self, graph: Graph) -> float:
        """Bytes of igraph's own copy, six integers an edge and two a node, and of its methods, as much again."""
        return 8.0 * (16 * graph.num_edges + 12 * graph.num_nodes)


def exactly(core: Core, resolution: float, run: Callable[[float], IntArray]) -> Solution:
    """Find the number of communities that a core asks for.

    These are the communities of the given resolution, or of a finer one if they are too few, merged to the number.

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
        message = f"joined some of the {components:,} components to have k = {k:,} communities"
        notes.append(Note("joined-components", message, {"n_components": components}))
    best: IntArray = np.arange(graph.num_nodes)
    best_count, best_resolution = graph.num_nodes, np.inf
    low, high, gamma, step = 0.0, np.inf, max(resolution, 1e-9), 2.0
    with task(f"search for {k} communities", _MAX_SEARCH) as advance:
        for _ in range(_MAX_SEARCH):
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
