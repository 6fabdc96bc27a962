"""Features averaged over a graph."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphclust.graph import Graph
from graphclust.runtime.arrays import FloatArray

__all__ = ["smoothed_features"]


def smoothed_features(graph: Graph, x: Any, hops: int = 2) -> FloatArray:
    """Average features over the graph: (D^-1/2 (A + w I) D^-1/2)^hops x, w the mean edge weight.

    The propagation of graph convolutions without their weights (Wu et al., "Simplifying graph convolutional networks",
    2019): neighbours become alike. An isolated node keeps its features.

    Parameters
    ----------
    graph : Graph
        Directions of edges are ignored.
    x : array or sparse array, shape (n_nodes, n_features)
    hops : int

    Returns
    -------
    ndarray of float64, shape (n_nodes, n_features)

    Examples
    --------
    >>> smoothed_features(Graph.from_edges([0], [1], nodes=3), np.array([[1.0], [0.0], [5.0]]), 1).ravel()
    array([0.5, 0.5, 5. ])
    """
    from scipy.sparse import diags_array

    work = graph.undirected()
    matrix = work.adjacency()
    own = float(work.edge_weight.mean()) if work.num_edges else 1.0
    matrix = matrix + diags_array(np.full(graph.num_nodes, own))
    half = diags_array(matrix.sum(axis=1) ** -0.5)
    spread = half @ matrix @ half
    found = x.toarray() if hasattr(x, "toarray") else np.asarray(x, dtype=np.float64)
    for _ in range(hops):
        found = spread @ found
    smoothed: FloatArray = found
    return smoothed
