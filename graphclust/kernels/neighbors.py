"""Nearest neighbours, and the graphs of affinities that are made of them."""

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
_CHUNK = 1 << 26  # distances on a GPU at once
_LINKS, _WIDTH, _BUILD = 32, 128, 80  # of the graph by which neighbours are searched beyond that


_Found = tuple[IntArray, NDArray[np.float32]]


def nearest_neighbors(
    x: NDArray[Any],
    k: int,
    *,
    device: str = "cpu",
    exact: bool | None = None,
    image_shape: Sequence[int] | None = None,
) -> _Found:
    """Find the nearest neighbours of each point among the others, nearest first.

    On the CPU by faiss; on a GPU by distances in pieces. Of two points at the same place each is the other's neighbour.

    Parameters
    ----------
    x : ndarray, shape (n, d)
    k : int
        Below n.
    device : str
    exact : bool, optional
        On the CPU, False searches a hierarchical navigable small world (Malkov & Yashunin 2020), which finds nearly
        all, but fewer where many points are equally far, and the same each time, on however many threads; by default
        where n^2 d is above `EXACT`.
    image_shape : (int, int), optional
        Height and width, where points are images: their pixels row by row, the channels of each together. The distance
        to another image is then the least of nine: from the image as it is, and moved by one pixel up, down, left,
        right or aslant, its margin repeated.

    Returns
    -------
    index : ndarray of int64, shape (n, k)
    distance : ndarray of float32, shape (n, k)
        Squared.

    Raises
    ------
    UsageError
        k is not between 1 and n - 1; the numbers of a point are no such image.
    DataError
        Missing or infinite numbers.

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
        raise UsageError(f"{k} neighbours of {n} points: at least 1, and fewer than points")
    points = np.ascontiguousarray(x, dtype=np.float32)
    if not np.isfinite(points).all():
        raise DataError("points with missing or infinite numbers, or too large for single precision")
    mean = points.mean(axis=0)  # distances are sums and differences of products: keep those small
    centered = points - mean
    search = _searcher(centered, k + 1, device, float(n) * n * d <= EXACT if exact is None else exact)
    best: _Found | None = None
    for queries in (centered,) if image_shape is None else (one - mean for one in _moved(points, image_shape)):
        found = search(queries)
        best = found if best is None else _nearer(*best, *found)
    assert best is not None
    return _without_self(*best, k)


def _moved(images: NDArray[np.float32], shape: Sequence[int]) -> Iterator[NDArray[np.float32]]:
    """Yield images, shape (n, d), moved by one pixel in all directions; as they are, first."""
    n, d = images.shape
    height, width = shape
    if d % (height * width):
        raise UsageError(f"{d} features are no images of {height} x {width} pixels")
    padded = np.pad(images.reshape(n, height, width, -1), ((0, 0), (1, 1), (1, 1), (0, 0)), mode="edge")
    for down, right in product((1, 0, 2), (1, 0, 2)):
        yield padded[:, down : down + height, right : right + width].reshape(n, d)


def _nearer(index: IntArray, square: NDArray[np.float32], other: IntArray, others: NDArray[np.float32]) -> _Found:
    """Merge what two searches found of each point, shapes (n, k): the k nearest, each once, at its least distance."""
    both, squares = np.concatenate((index, other), axis=1), np.concatenate((square, others), axis=1)
    order = np.lexsort((squares, both))  # by point found, then by distance: the first of each is kept
    both, squares = np.take_along_axis(both, order, 1), np.take_along_axis(squares, order, 1)
    squares[:, 1:][both[:, 1:] == both[:, :-1]] = np.inf
    order = np.argsort(squares, axis=1, kind="stable")[:, : index.shape[1]]
    return np.take_along_axis(both, order, 1), np.take_along_axis(squares, order, 1)


def _searcher(
    points: NDArray[np.float32], k: int, device: str, exact: bool
) -> Callable[[NDArray[np.float32]], tuple[Any, Any]]:
    """Return what finds the k nearest of points: indices and squared distances, each of shape (number asked of, k)."""
    if device != "cpu":
        return _in_pieces(points, k, device)
    import faiss

    d = points.shape[1]
    index: Any = faiss.IndexFlatL2(d) if exact else faiss.IndexHNSWFlat(d, _LINKS)
    if not exact:
        index.hnsw.efConstruction, index.hnsw.efSearch = _BUILD, max(_WIDTH, 2 * k)
    index.add(points)

    def search(queries: NDArray[np.float32]) -> tuple[Any, Any]:
        square, found = index.search(np.ascontiguousarray(queries), k)
        return found, square

    return search


def _without_self(found: Any, square: Any, k: int) -> tuple[IntArray, NDArray[np.float32]]:
    """Leave out each point itself, or the farthest where points at the same place have hidden it."""
    n = len(found)
    own = found == np.arange(n)[:, None]
    own[~own.any(axis=1), -1] = True
    keep = ~own
    index = found[keep].reshape(n, k).astype(np.int64)
    distance = np.maximum(square[keep].reshape(n, k), 0).astype(np.float32)
    return index, distance


def _in_pieces(points: NDArray[np.float32], k: int, device: str) -> Callable[[NDArray[np.float32]], tuple[Any, Any]]:
    import torch

    x = torch.as_tensor(points, device=device)
    square = x.square().sum(1)
    rows = max(1, _CHUNK // len(x))

    def search(queries: NDArray[np.float32]) -> tuple[Any, Any]:
        found, distances = [], []
        for part in torch.as_tensor(queries, device=device).split(rows):
            distance = part.square().sum(1, keepdim=True) + square - 2 * part @ x.T
            best = distance.topk(k, largest=False)
            found.append(best.indices)
            distances.append(best.values)
        return torch.cat(found).cpu().numpy(), torch.cat(distances).cpu().numpy()

    return search


def gaussian_affinities(index: IntArray, distance: NDArray[np.float32], scale: int = 0) -> scipy.sparse.csr_array[Any]:
    """Affinities exp(-d_ij^2 / (s_i s_j)) of neighbours with a scale of each point's own (Zelnik-Manor & Perona 2004).

    Parameters
    ----------
    index : ndarray of int64, shape (n, k)
    distance : ndarray of float32, shape (n, k)
        Squared, ascending.
    scale : int
        s_i is the distance to this neighbour, counted from 1; 0: to the last.

    Returns
    -------
    scipy.sparse.csr_array of float64, shape (n, n)
        Symmetric: the mean of both directions, of which one that is no neighbour counts as 0.

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
    local[local == 0] = max(float(local.mean()), 1e-12)  # as many coincident points as neighbours
    square = distance.astype(np.float64) / (local[:, None] * local[index])
    weight = np.exp(-square)
    rows = np.repeat(np.arange(n), k)
    one = sp.csr_array((weight.ravel(), (rows, index.ravel())), shape=(n, n))
    both = (one + one.T) / 2
    both.sort_indices()
    return sp.csr_array(both)


def locally_normalized(rows: IntArray, columns: IntArray, distance: FloatArray, n: int) -> scipy.sparse.csr_array[Any]:
    """Affinities that add up alike around each point: the locally normalized graph of LNSCC (eqs. 1 and 2).

    Each point spreads a weight of 1 over its neighbours, W_i = softmax(-D_i); the affinity of two points is
    A_ij = W_ij + W_ji - W_ij W_ji. The scale of the distances matters: doubled, the nearest neighbour gets more.

    Parameters
    ----------
    rows, columns : ndarray of int64, shape (m,)
        A point, and one of its neighbours; no pair twice.
    distance : ndarray of float64, shape (m,)
        Not squared.
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
    one = sp.csr_array((weight, (rows, columns)), shape=(n, n))
    other = one.T.tocsr()
    both = sp.csr_array(one + other - one.multiply(other))
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
    """Affinities of 1 between each point and each of its neighbours, in both directions.

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
