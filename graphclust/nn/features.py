"""Input features of nodes: Laplacian eigenvectors (positional encodings), random and standardised features."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from graphclust.errors import UsageError
from graphclust.graph import Graph
from graphclust.kernels.eigenvectors import lanczos
from graphclust.runtime.arrays import FloatArray, IntArray
from graphclust.runtime.memory import require_memory
from graphclust.runtime.threads import one_blas_thread

__all__ = ["flip_signs", "input_features", "laplacian_eigenvectors", "laplacian_features", "standardised"]

_MAX_DENSE = 600  # nodes up to which a dense decomposition is faster than Lanczos


def _dense_eigenvectors(adjacency: NDArray[Any], k: int) -> NDArray[np.float32]:
    """Return eigenvectors 1 to k (without 0) of the normalised Laplacian of a small graph, shape (n, k)."""
    from scipy.linalg import LinAlgError, eigh

    n = len(adjacency)
    features = np.zeros((n, k), dtype=np.float32)
    if n < 2:
        return features
    matrix = np.asarray(adjacency, dtype=np.float32)
    degree = matrix.sum(axis=1)
    scale = np.zeros_like(degree)
    scale[degree > 0] = degree[degree > 0] ** -0.5
    laplacian = np.eye(n, dtype=np.float32) - scale[:, None] * matrix * scale
    last = min(k, n - 1)
    try:  # fast, but in single precision LAPACK fails for some matrices with many equal eigenvalues
        vectors = eigh(laplacian, subset_by_index=(0, last), driver="evr", check_finite=False)[1]
    except LinAlgError:
        vectors = eigh(laplacian, driver="ev", check_finite=False)[1][:, : last + 1]
    features[:, :last] = vectors[:, 1:]
    return _fix_signs(features)


def _fix_signs(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Make the largest entry of each vector positive, so that the features of a graph are unique."""
    if not vectors.size:
        return vectors
    top = np.take_along_axis(vectors, np.abs(vectors).argmax(axis=0, keepdims=True), axis=0)
    return np.where(top < 0, -vectors, vectors)


def laplacian_eigenvectors(graph: Graph, k: int = 20, *, random_state: int = 0) -> NDArray[np.float32]:
    """Return eigenvectors 2 to k + 1, by ascending eigenvalue, of the normalised Laplacian I - D^-1/2 A D^-1/2.

    Only the vector of the smallest eigenvalue is dropped, even if several eigenvalues are 0 because the graph is
    disconnected: the remaining vectors then distinguish the components. An isolated node has the eigenvalue 1. Signs
    are fixed (largest entry positive); like the basis within an eigenspace, they are arbitrary. Directions of edges are
    ignored, and the weights of both directions added.

    Parameters
    ----------
    graph : Graph
    k : int
        Number of vectors. Columns beyond n_nodes - 1, and vectors that did not converge, are 0.
    random_state : int
        Seed of the initial vector of the iteration, for graphs of more than some hundred nodes.

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
        raise UsageError(f"k must be a positive number of vectors, not {k!r}")
    undirected = graph.undirected()
    n = undirected.num_nodes
    if n <= max(_MAX_DENSE, k + 2):
        return _dense_eigenvectors(undirected.adjacency().toarray() if n else np.zeros((0, 0)), k)
    from scipy.sparse import diags_array

    require_memory(8.0 * n * 3 * max(2 * k + 3, 20), f"{k} Laplacian eigenvectors of {n:,} nodes")
    matrix = undirected.adjacency()
    degree = matrix.sum(axis=1)
    scale = np.zeros(n)
    scale[degree > 0] = degree[degree > 0] ** -0.5
    half = diags_array(scale)
    normalised = half @ matrix @ half
    if not matrix.nnz:
        return np.eye(n, k, -1, dtype=np.float32)
    values, vectors = lanczos(normalised, k + 1, random_state, tol=1e-5)
    order = np.argsort(-values, kind="stable")[1:]
    features = np.zeros((n, k), dtype=np.float32)
    features[:, : len(order)] = vectors[:, order]
    return _fix_signs(features)


def laplacian_features(adjacency: NDArray[Any], n_nodes: IntArray, k: int = 20) -> NDArray[np.float32]:
    """Return Laplacian eigenvectors of a padded batch of small graphs; see `laplacian_eigenvectors`.

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
    features = np.zeros((*adjacency.shape[:2], k), dtype=np.float32)
    with one_blas_thread():
        for i, n in enumerate(n_nodes.tolist()):
            features[i, :n] = _dense_eigenvectors(adjacency[i, :n, :n], k)
    return features


def flip_signs(features: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """Multiply each vector of each graph by a random sign, an augmentation for training.

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
    """Return the input features of an encoder.

    Parameters
    ----------
    kind : {"laplacian", "random", "given", "standardised"}
        "laplacian": eigenvectors times the square root of the number of nodes, so that entries are of order 1;
        "random": standard normal numbers; "given": `vectors` themselves; "standardised": `standardised(vectors)`.
    k : int
        Number of features.
    vectors : ndarray of float, shape (batch, n_max, k), or None
        The eigenvectors or features; None for random ones.
    n_nodes : ndarray of int64, shape (batch,)
    rng : Generator
    train : bool
        Whether to draw the signs of eigenvectors at random.

    Returns
    -------
    ndarray of float32, shape (batch, n_max, k)
        0 beyond a graph's nodes.

    Raises
    ------
    UsageError
        Vectors are needed but missing, or their number is not k.

    Examples
    --------
    >>> input_features("random", 2, None, np.array([3, 1]), np.random.default_rng(0), train=False).shape
    (2, 3, 2)
    """
    if kind == "random":
        noise = rng.standard_normal((len(n_nodes), int(n_nodes.max(initial=0)), k), dtype=np.float32)
        return noise * (np.arange(noise.shape[1]) < n_nodes[:, None])[..., None]
    if vectors is None or vectors.shape[-1] != k:
        n_features = "none" if vectors is None else vectors.shape[-1]
        raise UsageError(f"the model takes {k} {kind} features per node, but the input has {n_features}")
    if kind == "given":
        return np.asarray(vectors, dtype=np.float32)
    if kind == "standardised":
        return standardised(vectors, n_nodes)
    scaled = vectors * np.sqrt(n_nodes).astype(np.float32)[:, None, None]
    return flip_signs(scaled, rng) if train else scaled


def standardised(vectors: NDArray[np.floating[Any]], n_nodes: IntArray) -> NDArray[np.float32]:
    """Shift each data set to mean 0, and scale it by one factor to a mean variance of 1.

    The output of a model then does not depend on the origin and the unit of a table. The shape of the table stays as it
    is, including the ratio of the variances of its columns.

    Parameters
    ----------
    vectors : ndarray of float, shape (batch, n_max, k)
        Entries beyond a data set's points are ignored.
    n_nodes : ndarray of int64, shape (batch,)

    Returns
    -------
    ndarray of float32, shape (batch, n_max, k)
        0 beyond a data set's points, and for data sets whose points are all equal.

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
    """Scale each data set to a largest absolute value of 1, so that squares neither overflow nor underflow."""
    largest = np.abs(x).max(axis=(1, 2), keepdims=True, initial=0.0)
    return x / np.where(largest > 0, largest, 1.0)
