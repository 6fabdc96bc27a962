"""Leading eigenvectors of graphs: spectral embeddings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from graphclust.runtime.arrays import FloatArray

if TYPE_CHECKING:
    import scipy.sparse

__all__ = ["REGULARIZATION", "lanczos", "leading_eigenvectors", "rows_of_length_one", "spectral_embedding"]

REGULARIZATION = 0.25  # default, see `leading_eigenvectors`
_MAX_DENSE = 300  # nodes up to which all eigenvectors are computed by a dense method, which always converges


def lanczos(operator: Any, k: int, random_state: int, tol: float) -> tuple[FloatArray, FloatArray]:
    """Return the k largest eigenvalues and their eigenvectors, or those to which the iteration has converged."""
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


def _regularised(adjacency: scipy.sparse.csr_array[Any], regularization: float) -> tuple[Any, float, FloatArray]:
    """Return A, tau, and the degrees of A + tau/n to the power of -1/2; 0 for a degree of 0."""
    n = adjacency.shape[0]
    matrix, loops = adjacency, adjacency.diagonal()
    if loops.any():
        matrix = adjacency.copy()
        matrix.setdiag(2 * loops)  # a self-loop counts twice in the degree, so twice in the matrix
    tau = regularization * float(matrix.sum()) / n
    degree = matrix.sum(axis=1) + tau
    scale = np.zeros(n)
    scale[degree > 0] = degree[degree > 0] ** -0.5
    return matrix, tau, scale


def leading_eigenvectors(
    adjacency: scipy.sparse.csr_array[Any], k: int, *, regularization: float = REGULARIZATION, random_state: int = 0
) -> FloatArray:
    """Return the leading eigenvectors of the regularised normalised adjacency matrix, by increasing eigenvalue.

    The matrix is D^-1/2 (A + tau/n) D^-1/2 with tau = `regularization` times the mean degree (Amini et al. 2013; Joseph
    & Yu 2016). Without the constant, the leading eigenvectors of a sparse graph are those of isolated nodes and of
    weakly connected pieces.

    Parameters
    ----------
    adjacency : scipy.sparse.csr_array of float64, shape (n_nodes, n_nodes)
        Symmetric; a self-loop of weight w is w on the diagonal, as in `Graph.adjacency`.
    k : int
    regularization : float
        With 0, the matrix is the normalised adjacency matrix.
    random_state : int
        Determines the start of the iteration on graphs of more than 300 nodes.

    Returns
    -------
    ndarray of float64, shape (n_nodes, k)
        There are fewer columns if the iteration did not converge to all of them. Columns of the identity are returned
        if it converged to none, or without edges.

    Examples
    --------
    >>> from scipy.sparse import csr_array
    >>> path = csr_array([[0.0, 1.0, 0.0], [1.0, 0.0, 1.0], [0.0, 1.0, 0.0]])
    >>> leading_eigenvectors(path, 2).shape
    (3, 2)
    """
    return _eigenvectors(*_regularised(adjacency, regularization), k, random_state)


def _eigenvectors(matrix: Any, tau: float, scale: FloatArray, k: int, random_state: int) -> FloatArray:
    from scipy.sparse.linalg import LinearOperator

    n = len(scale)

    def multiply(v: FloatArray) -> FloatArray:
        v = v.ravel() * scale
        product: FloatArray = scale * (matrix @ v + tau / n * v.sum())
        return product

    if n <= max(_MAX_DENSE, k + 1):
        dense = scale[:, None] * (matrix.toarray() + tau / n) * scale
        vectors = np.linalg.eigh(dense)[1][:, -k:]
    else:
        vectors = np.empty((n, 0))
        if matrix.nnz:
            operator = LinearOperator((n, n), matvec=multiply, dtype=np.float64)
            vectors = lanczos(operator, k, random_state, tol=1e-6)[1]
        if not vectors.shape[1]:
            vectors = np.eye(n, k, k - n)
    leading: FloatArray = vectors
    return leading


def spectral_embedding(
    adjacency: scipy.sparse.csr_array[Any],
    k: int,
    kind: str = "njw",
    *,
    regularization: float = REGULARIZATION,
    random_state: int = 0,
) -> FloatArray:
    """Return the spectral embedding of the nodes, shape (n_nodes, k), from `leading_eigenvectors`.

    Parameters
    ----------
    adjacency : scipy.sparse.csr_array of float64, shape (n_nodes, n_nodes)
        Symmetric; a self-loop of weight w is w on the diagonal, as in `Graph.adjacency`.
    k : int
    kind : {"njw", "shi-malik"}
        Rows scaled to length one (Ng, Jordan & Weiss 2002), or divided by the square root of the node's degree, which
        makes eigenvectors of the random walk (Shi & Malik 2000).
    regularization, random_state
        See `leading_eigenvectors`.

    Examples
    --------
    >>> from scipy.sparse import csr_array
    >>> x = spectral_embedding(csr_array([[0.0, 1.0, 0.0], [1.0, 0.0, 1.0], [0.0, 1.0, 0.0]]), 2)
    >>> (x**2).sum(axis=1).round(6).tolist()
    [1.0, 1.0, 1.0]
    """
    matrix, tau, scale = _regularised(adjacency, regularization)
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
