"""Classical methods, as estimators: Leiden, Louvain, Infomap and label propagation of igraph, and spectral clustering.

What is added to igraph: a seed that fixes the result, weights and directions that are never dropped in silence,
communities that are checked to be connected (and repaired, with a note), and an exact number of communities.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, ClassVar, TypeAlias

import numpy as np

from graphclust.graph import Graph
from graphclust.kernels.merging import merge_to
from graphclust.methods.base import GraphEstimator
from graphclust.problem.constraints import connected_parts
from graphclust.runtime.arrays import IntArray
from graphclust.runtime.notes import Note
from graphclust.runtime.progress import task

if TYPE_CHECKING:
    import igraph

__all__ = ["connected_parts", "one_conversion"]

Converted: TypeAlias = "tuple[igraph.Graph, list[float] | None]"

_MAX_SEARCH = 12  # runs of a method in search of a resolution that gives about K communities


_shared: ContextVar[tuple[Graph, Converted] | None] = ContextVar("_shared", default=None)


@contextmanager
def one_conversion(graph: Graph) -> Iterator[None]:
    """Let all methods that are fitted to this very graph inside the context share igraph's copy of it."""
    token = _shared.set((graph, _to_igraph(graph)))
    try:
        yield
    finally:
        _shared.reset(token)


def _to_igraph(graph: Graph) -> Converted:
    """Return the bare igraph graph, which nobody changes, and its weights."""
    import igraph as ig

    kept = _shared.get()
    if kept is not None and kept[0] is graph:
        return kept[1]
    edges = np.stack((graph.source, graph.target), axis=1)
    weights = None if graph.weight is None else graph.weight.tolist()
    return ig.Graph(n=graph.num_nodes, edges=edges, directed=graph.directed), weights


class _ClassicalEstimator(GraphEstimator):
    """Methods of igraph whose communities shall be connected."""

    needs: ClassVar[tuple[str, ...]] = ("igraph", "scipy.sparse.csgraph")

    def memory(self, graph: Graph) -> float:
        """Bytes of igraph's own copy, six integers an edge and two a node, and of its methods, as much again."""
        return 8.0 * (16 * graph.num_edges + 12 * graph.num_nodes)

    def _connected(self, graph: Graph, labels: IntArray) -> IntArray:
        """Repair communities that are not connected; return labels 0, 1, ..."""
        labels = np.unique(labels, return_inverse=True)[1].astype(np.int64)
        parts = connected_parts(graph, labels)
        found, real = (int(x.max(initial=-1)) + 1 for x in (labels, parts))
        if real > found:
            self._note(
                "split-disconnected",
                f"split communities that {self.name} returned disconnected: {found:,} became {real:,}",
                n_before=found,
                n_after=real,
            )
            return parts
        return labels


def _exactly(graph: Graph, k: int, resolution: float, run: Callable[[float], IntArray], notes: list[Note]) -> IntArray:
    """Find exactly k communities: those of the asked resolution, or of a finer one if they are too few, merged to k."""
    components = int(connected_parts(graph, np.zeros(graph.num_nodes, dtype=np.int64)).max()) + 1
    if k < components:
        message = f"joined some of the {components:,} components to have k = {k:,} communities"
        notes.append(Note("joined-components", message, {"n_components": components}))
    best: IntArray = np.arange(graph.num_nodes)
    best_count, best_resolution = graph.num_nodes, np.inf
    low, high, gamma, step = 0.0, np.inf, max(resolution, 1e-9), 2.0
    with task(f"search for {k} communities", _MAX_SEARCH) as advance:
        for _ in range(_MAX_SEARCH):
            labels = run(gamma)
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
        best = merge_to(graph, best, k)
        apart = int(connected_parts(graph, best).max()) + 1 - k
        if apart and k >= components:
            message = f"joined {apart:,} small components to others"
            notes.append(Note("joined-components", message, {"n_joined": apart}))
    return best
