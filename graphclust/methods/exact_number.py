"""An exact number of communities from a method with a resolution."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from graphclust.kernels.merging import merge_to
from graphclust.problem.constraints import connected_parts
from graphclust.problem.problem import Core
from graphclust.problem.solution import Solution
from graphclust.runtime.arrays import IntArray
from graphclust.runtime.notes import Note
from graphclust.runtime.progress import task

__all__ = ["with_exact_number"]

_MAX_RUNS = 12  # of a method, to find a resolution that gives about K communities


def with_exact_number(core: Core, resolution: float, run: Callable[[float], IntArray]) -> Solution:
    """Find exactly as many communities as the core requires.

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
