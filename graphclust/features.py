"""Vectors of nodes: Laplacian eigenvectors (positional encodings), spectral embeddings, smoothed features."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from graphclust.errors import UsageError
from graphclust.graph import Graph
from graphclust.runtime.arrays import FloatArray, IntArray
from graphclust.runtime.memory import require_memory

if TYPE_CHECKING:
    from threadpoolctl import ThreadpoolController

__all__ = [
    "REGULARIZATION",
    "flip_signs",
    "input_features",
    "laplacian_eigenvectors",
    "laplacian_features",
    "leading_eigenvectors",
    "rows_of_length_one",
    "smoothed_features",
    "spectral_embedding",
    "standardised",
]

_DENSE = 600  # nodes; up to here a dense decomposition is faster than Lanczos
_DENSE_WHOLE = 300  # the same where all eigenvectors are computed; it cannot fail to converge
REGULARIZATION = 0.25  # of spectral embeddings, see there


def _dense_eigenvectors(adjacency: NDArray[Any], k: int) -> NDArray[np.float32]:
    """Return eigenvectors 1 to k (0 is dropped) of the normalised Laplacian of one small graph, shape (n, k)."""
    from scipy.linalg import eigh

    n = len(adjacency)
    found = np.zeros((n, k), dtype=np.float32)
    if n < 2:
        return found
    matrix = np.asarray(adjacency, dtype=np.float32)
    degree = matrix.sum(axis=1)
    scale = np.zeros_like(degree)
    scale[degree > 0] = degree[degree > 0] ** -0.5
    laplacian = np.eye(n, dtype=np.float32) - scale[:, None] * matrix * scale
    last = min(k, n - 1)
    vectors = eigh(laplacian, subset_by_index=(0, last), driver="evr", overwrite_a=True, check_finite=False)[1]
    found[:, :last] = vectors[:, 1:]
    return _fix_signs(found)


def _fix_signs(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Make the entry of largest magnitude of each vector positive, so that a graph always has the same features."""
    if not vectors.size:
        return vectors
    top = np.take_along_axis(vectors, np.abs(vectors).argmax(axis=0, keepdims=True), axis=0)
    return np.where(top < 0, -vectors, vectors)


def laplacian_eigenvectors(graph: Graph, k: int = 20, *, random_state: int = 0) -> NDArray[np.float32]:
    """Return the eigenvectors of the k smallest eigenvalues of I - D^-1/2 A D^-1/2 but the first.

    Exactly one vector is dropped, that of the smallest eigenvalue, also where several eigenvalues are 0 because the
    graph is not connected: those that remain tell its components apart. An isolated node has the eigenvalue 1. Signs
    are fixed (largest entry positive); they carry no meaning, nor does the basis within an eigenspace. Directions of
    edges are ignored (weights of both add up).

    Parameters
    ----------
    graph : Graph
    k : int
        Number of vectors; columns beyond n_nodes - 1, and those to which the iteration did not converge, are 0.
    random_state : int
        Start of the iteration on graphs of more than some hundred nodes.

    Returns
    -------
    ndarray of float32, shape (n_nodes, k)

    Raises
    ------
    UsageError
        k is not positive.
    ResourceError
        The vectors do not fit into memory.

    Examples
    --------
    >>> laplacian_eigenvectors(Graph.from_edges([0, 1], [1, 2], nodes=3), 2).shape
    (3, 2)
    """
    if k < 1:
        raise UsageError(f"k is a positive number of vectors, not {k!r}")
    work = graph.undirected()
    n = work.num_nodes
    if n <= max(_DENSE, k + 2):
        return _dense_eigenvectors(work.adjacency().toarray() if n else np.zeros((0, 0)), k)
    from scipy.sparse import diags_array

    require_memory(8.0 * n * 3 * max(2 * k + 3, 20), f"{k} Laplacian eigenvectors of {n:,} nodes")
    matrix = work.adjacency()
    degree = matrix.sum(axis=1)
    scale = np.zeros(n)
    scale[degree > 0] = degree[degree > 0] ** -0.5
    half = diags_array(scale)
    normalised = half @ matrix @ half
    if not matrix.nnz:
        return np.eye(n, k, -1, dtype=np.float32)
    values, vectors = _lanczos(normalised, k + 1, random_state, tol=1e-5)
    order = np.argsort(-values, kind="stable")[1:]
    found = np.zeros((n, k), dtype=np.float32)
    found[:, : len(order)] = vectors[:, order]
    return _fix_signs(found)


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


def laplacian_features(adjacency: NDArray[Any], n_nodes: IntArray, k: int = 20) -> NDArray[np.float32]:
    """Return Laplacian eigenvectors for a padded batch of small graphs; see `laplacian_eigenvectors`.

    Parameters
    ----------
    adjacency : ndarray, shape (batch, n_max, n_max)
        Symmetric; rows and columns beyond a graph's nodes are ignored.
    n_nodes : ndarray of int64, shape (batch,)
    k : int

    Returns
    -------
    ndarray of float32, shape (batch, n_max, k)
        0 beyond a graph's nodes.

    Examples
    --------
    >>> laplacian_features(np.ones((2, 4, 4)) - np.eye(4), np.array([4, 3]), 3).shape
    (2, 4, 3)
    """
    found = np.zeros((*adjacency.shape[:2], k), dtype=np.float32)
    with _linear_algebra().limit(
        limits=1, user_api="blas"
    ):  # threads that wait for each other cost more than they give
        for i, n in enumerate(n_nodes.tolist()):
            found[i, :n] = _dense_eigenvectors(adjacency[i, :n, :n], k)
    return found


@cache
def _linear_algebra() -> ThreadpoolController:
    import scipy.linalg  # noqa: F401  the library must be loaded to be found
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


def flip_signs(features: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """Multiply each vector of each graph by a random sign: the augmentation that training needs.

    Parameters
    ----------
    features : ndarray of float32, shape (..., n_nodes, k)
    rng : Generator

    Returns
    -------
    ndarray of float32, of the same shape

    Examples
    --------
    >>> x = flip_signs(np.ones((2, 3, 4), dtype=np.float32), np.random.default_rng(0))
    >>> bool((abs(x) == 1).all()), bool((x == x[:, :1]).all())
    (True, True)
    """
    signs = rng.integers(0, 2, size=(*features.shape[:-2], 1, features.shape[-1]), dtype=np.int8) * 2 - 1
    return features * signs.astype(np.float32)


def input_features(
    kind: str,
    k: int,
    vectors: NDArray[np.floating[Any]] | None,
    n_nodes: IntArray,
    rng: np.random.Generator,
    *,
    train: bool,
) -> NDArray[np.float32]:
    """Return what an encoder is fed.

    Parameters
    ----------
    kind : {"laplacian", "random", "given", "standardised"}
        Laplacian eigenvectors, times the square root of the number of nodes so that entries are of order 1; standard
        normal numbers; the vectors as they are; or the vectors after `standardised`.
    k : int
        Number of features.
    vectors : ndarray of float, shape (batch, n_max, k), or None
        The eigenvectors, or the given features; None for random ones.
    n_nodes : ndarray of int64, shape (batch,)
    rng : Generator
    train : bool
        Whether the signs of eigenvectors are drawn at random.

    Returns
    -------
    ndarray of float32, shape (batch, n_max, k)
        0 beyond a graph's nodes.

    Raises
    ------
    UsageError
        Vectors are needed and missing, or are of another number.

    Examples
    --------
    >>> input_features("random", 2, None, np.array([3, 1]), np.random.default_rng(0), train=False).shape
    (2, 3, 2)
    """
    if kind == "random":
        drawn = rng.standard_normal((len(n_nodes), int(n_nodes.max(initial=0)), k), dtype=np.float32)
        return drawn * (np.arange(drawn.shape[1]) < n_nodes[:, None])[..., None]
    if vectors is None or vectors.shape[-1] != k:
        have = "none" if vectors is None else vectors.shape[-1]
        raise UsageError(f"the model takes {k} {kind} features a node; there are {have}")
    if kind == "given":
        return np.asarray(vectors, dtype=np.float32)
    if kind == "standardised":
        return standardised(vectors, n_nodes)
    scaled = vectors * np.sqrt(n_nodes).astype(np.float32)[:, None, None]
    return flip_signs(scaled, rng) if train else scaled


def standardised(vectors: NDArray[np.floating[Any]], n_nodes: IntArray) -> NDArray[np.float32]:
    """Shift each data set to mean 0 and scale it, all columns alike, to a mean variance of 1.

    A model that is fed such points answers alike whatever the origin and the unit of a table, and a table's shape,
    the ratio of its columns' variances included, stays what it is.

    Parameters
    ----------
    vectors : ndarray of float, shape (batch, n_max, k)
        What stands beyond a data set's points is ignored.
    n_nodes : ndarray of int64, shape (batch,)

    Returns
    -------
    ndarray of float32, shape (batch, n_max, k)
        0 beyond a data set's points, and where all its points are equal.

    Examples
    --------
    >>> standardised(np.array([[[1e9], [1e9 + 4.0], [7.0]]]), np.array([2])).ravel().tolist()
    [-1.0, 1.0, 0.0]
    """
    inside = (np.arange(vectors.shape[1]) < n_nodes[:, None])[..., None]
    count = np.maximum(n_nodes, 1)[:, None, None]
    x = _largest_is_one(np.where(inside, vectors, 0.0).astype(np.float64))
    x = _largest_is_one(np.where(inside, x - x.sum(axis=1, keepdims=True) / count, 0.0))
    scale = np.sqrt((x**2).sum(axis=(1, 2), keepdims=True) / (count * vectors.shape[2]))
    return (x / np.where(scale > 0, scale, 1.0)).astype(np.float32)


def _largest_is_one(x: FloatArray) -> FloatArray:
    """Scale each data set so that sums and squares neither overflow nor vanish; zeros stay."""
    largest = np.abs(x).max(axis=(1, 2), keepdims=True, initial=0.0)
    return x / np.where(largest > 0, largest, 1.0)


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
