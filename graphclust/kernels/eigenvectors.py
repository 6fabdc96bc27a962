"""Leading eigenvectors of graphs: spectral embeddings."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphclust.graph import Graph
from graphclust.runtime.arrays import FloatArray

__all__ = ["REGULARIZATION", "leading_eigenvectors", "rows_of_length_one", "spectral_embedding"]

_DENSE_WHOLE = 300  # the same where all eigenvectors are computed; it cannot fail to converge
REGULARIZATION = 0.25  # of spectral embeddings, see there


def _lanczos(operator: Any, k: int, random_state: int, tol: float) -> tuple[FloatArray, FloatArray]:
    """Return the k largest eigenvalues and their vectors, or those to which the iteration has converged."""
    from scipy.sparse.linalg import ArpackError, ArpackNoConvergence, eigsh

    n = operator.shape[0]
    start = np.random.default_rng(random_state).standard_normal(n)
    try:
        values, vectors = eigsh(operator, k=k, which="LA", v0=start, tol=tol)
    except ArpackNoConvergence as error:
        values, vectors = error.eigenvalues, error.eigenvectors
    except ArpackError:
        values, vectors = np.empty(0), np.empty((n, 0))
    return values, vectors


def _regularised(graph: Graph, regularization: float) -> tuple[Any, float, FloatArray]:
    """Return A, tau, and the degrees of A + tau/n to the power of -1/2; 0 for a degree of 0."""
    matrix = graph.adjacency()
    matrix.setdiag(2 * matrix.diagonal())  # a self-loop counts twice in the degree, so twice here
    tau = regularization * float(matrix.sum()) / graph.num_nodes
    degree = matrix.sum(axis=1) + tau
    scale = np.zeros(graph.num_nodes)
    scale[degree > 0] = degree[degree > 0] ** -0.5
    return matrix, tau, scale


def leading_eigenvectors(
    graph: Graph, k: int, *, regularization: float = REGULARIZATION, random_state: int = 0
) -> FloatArray:
    """Return the leading eigenvectors of the regularised normalised adjacency matrix, by increasing eigenvalue.

    D^-1/2 (A + tau/n) D^-1/2 with tau = `regularization` times the mean degree (Amini et al. 2013; Joseph & Yu 2016):
    without the constant, isolated nodes and pendant pieces take up the leading eigenvectors of a sparse graph.

    Parameters
    ----------
    graph : Graph
        Undirected.
    k : int
    regularization : float
        0 is the textbook's matrix.
    random_state : int
        Start of the iteration on graphs of more than some hundred nodes.

    Returns
    -------
    ndarray of float64, shape (n_nodes, k)
        Fewer columns where the iteration did not converge to all; columns of the identity where it did to none, or
        there is no edge.

    Examples
    --------
    >>> leading_eigenvectors(Graph.from_edges([0, 1], [1, 2], nodes=3), 2).shape
    (3, 2)
    """
    return _eigenvectors(*_regularised(graph, regularization), k, random_state)


def _eigenvectors(matrix: Any, tau: float, scale: FloatArray, k: int, random_state: int) -> FloatArray:
    from scipy.sparse.linalg import LinearOperator

    n = len(scale)

    def multiply(v: FloatArray) -> FloatArray:
        v = v.ravel() * scale
        product: FloatArray = scale * (matrix @ v + tau / n * v.sum())
        return product

    if n <= max(_DENSE_WHOLE, k + 1):
        dense = scale[:, None] * (matrix.toarray() + tau / n) * scale
        vectors = np.linalg.eigh(dense)[1][:, -k:]
    else:
        vectors = np.empty((n, 0))
        if matrix.nnz:
            operator = LinearOperator((n, n), matvec=multiply, dtype=np.float64)
            vectors = _lanczos(operator, k, random_state, tol=1e-6)[1]
        if not vectors.shape[1]:
            vectors = np.eye(n, k, k - n)
    found: FloatArray = vectors
    return found


def spectral_embedding(
    graph: Graph, k: int, kind: str = "njw", *, regularization: float = REGULARIZATION, random_state: int = 0
) -> FloatArray:
    """Return the points that spectral clustering clusters, shape (n_nodes, k), from `leading_eigenvectors`.

    Parameters
    ----------
    graph : Graph
        Undirected.
    k : int
    kind : {"njw", "shi-malik"}
        Rows scaled to length one (Ng, Jordan & Weiss 2002), or divided by the square root of the node's degree, which
        makes eigenvectors of the random walk (Shi & Malik 2000).
    regularization, random_state
        As of `leading_eigenvectors`.

    Examples
    --------
    >>> x = spectral_embedding(Graph.from_edges([0, 1], [1, 2], nodes=3), 2)
    >>> (x**2).sum(axis=1).round(6).tolist()
    [1.0, 1.0, 1.0]
    """
    matrix, tau, scale = _regularised(graph, regularization)
    vectors = _eigenvectors(matrix, tau, scale, k, random_state)
    return rows_of_length_one(vectors) if kind == "njw" else vectors * scale[:, None]


def rows_of_length_one(vectors: FloatArray) -> FloatArray:
    """Scale rows to length one; rows of zeros stay.

    Examples
    --------
    >>> rows_of_length_one(np.array([[3.0, 4.0], [0.0, 0.0]]))
    array([[0.6, 0.8],
           [0. , 0. ]])
    """
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    length[length < 1e-12] = 1.0  # without regularisation, the row of an isolated node is zero
    rows: FloatArray = vectors / length
    return rows
