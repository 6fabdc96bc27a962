"""Features averaged over a graph."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from graphclust.runtime.arrays import FloatArray

if TYPE_CHECKING:
    import scipy.sparse

__all__ = ["smoothed_features"]


def smoothed_features(adjacency: scipy.sparse.csr_array[Any], x: Any, loop_weight: float, hops: int = 2) -> FloatArray:
    """Average features over the graph: (D^-1/2 (A + w I) D^-1/2)^hops x, where w is the weight of added self-loops.

    This is the propagation of graph convolutions without their weights (Wu et al., "Simplifying graph convolutional
    networks", 2019), which makes neighbours alike. An isolated node keeps its features.

    Parameters
    ----------
    adjacency : scipy.sparse.csr_array of float64, shape (n_nodes, n_nodes)
        Symmetric.
    x : array or sparse array, shape (n_nodes, n_features)
    loop_weight : float
        Usually the mean edge weight.
    hops : int

    Returns
    -------
    ndarray of float64, shape (n_nodes, n_features)

    Examples
    --------
    >>> from scipy.sparse import csr_array
    >>> pair = csr_array([[0.0, 1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 0.0]])
    >>> smoothed_features(pair, np.array([[1.0], [0.0], [5.0]]), 1.0, hops=1).ravel()
    array([0.5, 0.5, 5. ])
    """
    from scipy.sparse import diags_array

    matrix = adjacency + diags_array(np.full(adjacency.shape[0], loop_weight))
    half = diags_array(matrix.sum(axis=1) ** -0.5)
    spread = half @ matrix @ half
    smoothed: FloatArray = x.toarray() if hasattr(x, "toarray") else np.asarray(x, dtype=np.float64)
    for _ in range(hops):
        smoothed = spread @ smoothed
    return smoothed
