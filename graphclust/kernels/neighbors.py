"""Nearest neighbours, and graphs of affinities between them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from graphclust.errors import DataError, UsageError
from graphclust.runtime.arrays import FloatArray, IntArray

if TYPE_CHECKING:
    import scipy.sparse

__all__ = [
    "EXACT",
    "gaussian_affinities",
    "locally_normalized",
    "nearest_neighbors",
    "normalized_neighbors",
    "spread_of",
    "unit_affinities",
]

EXACT = 2e12  # multiplications up to which neighbours are searched exactly on the CPU: half a minute on two cores
_CHUNK = 1 << 26  # distances that are on a GPU at once
_LINKS, _SEARCH_WIDTH, _BUILD_WIDTH = 32, 128, 80  # of the approximate search


_Neighbors = tuple[IntArray, NDArray[np.float32]]


def nearest_neighbors(
    x: NDArray[Any],
    k: int,
    *,
    device: str = "cpu",
    exact: bool | None = None,
    image_shape: Sequence[int] | None = None,
) -> _Neighbors:
    """Find the nearest neighbours of each point among the others, nearest first.

    Uses faiss on the CPU, and distances in chunks on a GPU. Two points at the same place are neighbours of each other.

    Parameters
    ----------
    x : ndarray, shape (n, d)
    k : int
        Below n.
    device : str
    exact : bool, optional
        False: on the CPU, search a hierarchical navigable small world graph (Malkov & Yashunin 2020), which finds
        nearly all neighbours, but fewer if many points are equally far. The result does not depend on the number of
        threads. By default the search is exact if n^2 d is at most `EXACT`.
    image_shape : (int, int), optional
        Height and width, if points are images: their pixels row by row, with the channels of a pixel next to each
        other. The distance to another image is then the least of nine: from the image itself, and from the image
        shifted by one pixel in each of eight directions, with its margin repeated.

    Returns
    -------
    index : ndarray of int64, shape (n, k)
    distance : ndarray of float32, shape (n, k)
        Squared distances.

    Raises
    ------
    UsageError
        k is not between 1 and n - 1, or the features are not images of this shape.
    DataError
        There are missing or infinite numbers.

    Examples
    --------
    >>> index, distance = nearest_neighbors(np.array([[0.0], [1.0], [3.0]]), 1)
    >>> index.ravel().tolist(), distance.ravel().tolist()
    ([1, 0, 1], [1.0, 1.0, 4.0])
    >>> stroke = np.array([[0.0, 9.0, 0.0, 0.0], [0.0, 0.0, 9.0, 0.0], [0.0, 5.0, 0.0, 0.0]])
    >>> index, distance = nearest_neighbors(stroke, 1, image_shape=(1, 4))
    >>> index.ravel().tolist(), distance.ravel().tolist()
    ([1, 0, 0], [0.0, 0.0, 16.0])
    """
    n, d = x.shape
    if not 1 <= k < n:
        raise UsageError(
            f"cannot find {k} neighbours of {n} points: the number is at least 1 and below the number of points"
        )
    points = np.ascontiguousarray(x, dtype=np.float32)
    if not np.isfinite(points).all():
        raise DataError("points have missing or infinite numbers, or numbers too large for single precision")
    mean = points.mean(axis=0)  # keeps the products small whose sums and differences are distances
    centered = points - mean
    search = _searcher(centered, k + 1, device, float(n) * n * d <= EXACT if exact is None else exact)
    best: _Neighbors | None = None
    for queries in (centered,) if image_shape is None else (image - mean for image in _shifted(points, image_shape)):
        neighbors = search(queries)
        best = neighbors if best is None else _nearest_of_both(*best, *neighbors)
    assert best is not None
    return _without_self(*best, k)


def _shifted(images: NDArray[np.float32], shape: Sequence[int]) -> Iterator[NDArray[np.float32]]:
    """Yield images, shape (n, d), first unchanged and then shifted by one pixel in all directions."""
    n, d = images.shape
    height, width = shape
    if d % (height * width):
        raise UsageError(f"{d} features are not images of {height} x {width} pixels")
    padded = np.pad(images.reshape(n, height, width, -1), ((0, 0), (1, 1), (1, 1), (0, 0)), mode="edge")
    for down, right in product((1, 0, 2), (1, 0, 2)):
        yield padded[:, down : down + height, right : right + width].reshape(n, d)


def _nearest_of_both(
    index: IntArray, square: NDArray[np.float32], other_index: IntArray, other_square: NDArray[np.float32]
) -> _Neighbors:
    """Return the k nearest neighbours of two searches, shapes (n, k), without duplicates."""
    both, squares = np.concatenate((index, other_index), axis=1), np.concatenate((square, other_square), axis=1)
    order = np.lexsort((squares, both))  # by neighbour, then by distance: the first of equal ones is retained
    both, squares = np.take_along_axis(both, order, 1), np.take_along_axis(squares, order, 1)
    squares[:, 1:][both[:, 1:] == both[:, :-1]] = np.inf
    order = np.argsort(squares, axis=1, kind="stable")[:, : index.shape[1]]
    return np.take_along_axis(both, order, 1), np.take_along_axis(squares, order, 1)


def _searcher(
    points: NDArray[np.float32], k: int, device: str, exact: bool
) -> Callable[[NDArray[np.float32]], tuple[Any, Any]]:
    """Return a function that finds the k nearest points of queries: indices and squared distances, shape (n, k)."""
    if device != "cpu":
        return _gpu_searcher(points, k, device)
    import faiss

    d = points.shape[1]
    index: Any = faiss.IndexFlatL2(d) if exact else faiss.IndexHNSWFlat(d, _LINKS)
    if not exact:
        index.hnsw.efConstruction, index.hnsw.efSearch = _BUILD_WIDTH, max(_SEARCH_WIDTH, 2 * k)
    index.add(points)

    def search(queries: NDArray[np.float32]) -> tuple[Any, Any]:
        square, neighbors = index.search(np.ascontiguousarray(queries), k)
        return neighbors, square

    return search


def _without_self(neighbors: Any, square: Any, k: int) -> tuple[IntArray, NDArray[np.float32]]:
    """Remove each point from its neighbours, or the farthest neighbour if k + 1 others are at the same place."""
    n = len(neighbors)
    own = neighbors == np.arange(n)[:, None]
    own[~own.any(axis=1), -1] = True
    keep = ~own
    index = neighbors[keep].reshape(n, k).astype(np.int64)
    distance = np.maximum(square[keep].reshape(n, k), 0).astype(np.float32)
    return index, distance


def _gpu_searcher(points: NDArray[np.float32], k: int, device: str) -> Callable[[NDArray[np.float32]], tuple[Any, Any]]:
    import torch

    x = torch.as_tensor(points, device=device)
    square = x.square().sum(1)
    rows = max(1, _CHUNK // len(x))

    def search(queries: NDArray[np.float32]) -> tuple[Any, Any]:
        indices, distances = [], []
        for part in torch.as_tensor(queries, device=device).split(rows):
            distance = part.square().sum(1, keepdim=True) + square - 2 * part @ x.T
            best = distance.topk(k, largest=False)
            indices.append(best.indices)
            distances.append(best.values)
        return torch.cat(indices).cpu().numpy(), torch.cat(distances).cpu().numpy()

    return search


def gaussian_affinities(index: IntArray, distance: NDArray[np.float32], scale: int = 0) -> scipy.sparse.csr_array[Any]:
    """Return affinities exp(-d_ij^2 / (s_i s_j)) of neighbours, with one scale per point (Zelnik-Manor & Perona 2004).

    Parameters
    ----------
    index : ndarray of int64, shape (n, k)
    distance : ndarray of float32, shape (n, k)
        Squared distances, ascending.
    scale : int
        s_i is the distance to this neighbour, counted from 1; 0: to the last one.

    Returns
    -------
    scipy.sparse.csr_array of float64, shape (n, n)
        Symmetric: the mean of both directions, where the affinity is 0 if a point is not a neighbour.

    Examples
    --------
    >>> w = gaussian_affinities(*nearest_neighbors(np.array([[0.0], [1.0], [3.0]]), 1))
    >>> w.toarray().round(3)
    array([[0.   , 0.368, 0.   ],
           [0.368, 0.   , 0.068],
           [0.   , 0.068, 0.   ]])
    """
    import scipy.sparse as sp

    n, k = index.shape
    local = np.sqrt(distance[:, scale - 1].astype(np.float64))
    local[local == 0] = max(float(local.mean()), 1e-12)  # if k other points are at the same place
    square = distance.astype(np.float64) / (local[:, None] * local[index])
    weight = np.exp(-square)
    rows = np.repeat(np.arange(n), k)
    directed = sp.csr_array((weight.ravel(), (rows, index.ravel())), shape=(n, n))
    both = (directed + directed.T) / 2
    both.sort_indices()
    return sp.csr_array(both)


def locally_normalized(rows: IntArray, columns: IntArray, distance: FloatArray, n: int) -> scipy.sparse.csr_array[Any]:
    """Return the locally normalized graph of LNSCC, in which each point has the same total weight (eqs. 1 and 2).

    Each point distributes a weight of 1 over its neighbours, W_i = softmax(-D_i). The affinity of two points is
    A_ij = W_ij + W_ji - W_ij W_ji. The result depends on the scale of the distances: if they are larger, the nearest
    neighbour gets a larger share.

    Parameters
    ----------
    rows, columns : ndarray of int64, shape (m,)
        Points and their neighbours, without duplicates.
    distance : ndarray of float64, shape (m,)
        Distances, not squared.
    n : int

    Returns
    -------
    scipy.sparse.csr_array of float64, shape (n, n)
        Symmetric, in (0, 1].

    Examples
    --------
    >>> index, square = nearest_neighbors(np.array([[0.0], [1.0], [3.0]]), 2)
    >>> rows = np.repeat(np.arange(3), 2)
    >>> locally_normalized(rows, index.ravel(), np.sqrt(square).ravel(), 3).toarray().round(3)
    array([[0.   , 0.968, 0.356],
           [0.968, 0.   , 0.803],
           [0.356, 0.803, 0.   ]])
    """
    import scipy.sparse as sp

    least = np.full(n, np.inf)
    np.minimum.at(least, rows, distance)
    weight = np.exp(least[rows] - distance)
    weight /= np.bincount(rows, weight, n)[rows]
    directed = sp.csr_array((weight, (rows, columns)), shape=(n, n))
    reverse = directed.T.tocsr()
    both = sp.csr_array(directed + reverse - directed.multiply(reverse))
    both.sort_indices()
    return both


def normalized_neighbors(
    points: FloatArray,
    m: int,
    *,
    device: str = "cpu",
    bandwidth: float | None = None,
    image_shape: Sequence[int] | None = None,
) -> scipy.sparse.csr_array[Any]:
    """Return the locally normalized graph of points and their nearest neighbours.

    Parameters
    ----------
    points : ndarray of float64, shape (n, d)
    m : int
        Number of neighbours; n - 1 if there are fewer points.
    device : str
    bandwidth : float, optional
        Divisor of the distances. By default `spread_of` them.
    image_shape : (int, int), optional
        See `nearest_neighbors`.

    Returns
    -------
    scipy.sparse.csr_array of float64, shape (n, n)
    """
    n = len(points)
    m = min(m, n - 1)
    index, square = nearest_neighbors(points, m, device=device, image_shape=image_shape)
    rows, columns = np.repeat(np.arange(n), m), index.ravel()
    distance = np.sqrt(square.astype(np.float64)).ravel()
    return locally_normalized(rows, columns, distance / (bandwidth or spread_of(rows, distance, n)), n)


def spread_of(rows: IntArray, distance: FloatArray, n: int) -> float:
    """Return the median over points of the distance to the farthest neighbour minus that to the nearest.

    Points whose neighbours are all equally far do not count; without other points the result is 1.

    Examples
    --------
    >>> spread_of(np.array([0, 0, 1, 1]), np.array([1.0, 4.0, 2.0, 7.0]), 2)
    4.0
    """
    low, high = np.full(n, np.inf), np.full(n, -np.inf)
    np.minimum.at(low, rows, distance)
    np.maximum.at(high, rows, distance)
    differs = high > low
    return float(np.median((high - low)[differs])) if differs.any() else 1.0


def unit_affinities(index: IntArray) -> scipy.sparse.csr_array[Any]:
    """Return affinities of 1 between each point and each of its neighbours, in both directions.

    Parameters
    ----------
    index : ndarray of int64, shape (n, k)
        Neighbours of each point.

    Returns
    -------
    scipy.sparse.csr_array of float64, shape (n, n)
        Symmetric.

    Examples
    --------
    >>> unit_affinities(np.array([[1], [0], [1]])).toarray()
    array([[0., 1., 0.],
           [1., 0., 1.],
           [0., 1., 0.]])
    """
    import scipy.sparse as sp

    n, k = index.shape
    directed = sp.csr_array((np.ones(n * k), (np.repeat(np.arange(n), k), index.ravel())), shape=(n, n))
    return sp.csr_array(directed.maximum(directed.T))
