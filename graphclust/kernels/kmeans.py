"""k-means with exactly k non-empty clusters."""

from __future__ import annotations

import warnings

import numpy as np

from graphclust.runtime.arrays import FloatArray, IntArray
from graphclust.runtime.threads import one_openmp_thread

__all__ = ["fill_up", "kmeans"]


def kmeans(points: FloatArray, k: int, n_init: int, seed: int) -> IntArray:
    """Cluster points into exactly k non-empty clusters by scikit-learn's k-means.

    Parameters
    ----------
    points : ndarray, shape (n, d)
        At least k of them.
    k, n_init, seed : int

    Returns
    -------
    ndarray of int64, shape (n,)
    """
    from sklearn.cluster import KMeans
    from sklearn.exceptions import ConvergenceWarning

    with warnings.catch_warnings(), one_openmp_thread():
        warnings.simplefilter("ignore", ConvergenceWarning)  # fewer distinct points than clusters: handled below
        labels = KMeans(k, n_init=n_init, random_state=seed).fit_predict(points).astype(np.int64)
    return fill_up(points, labels, k)


def fill_up(points: FloatArray, labels: IntArray, k: int) -> IntArray:
    """Split off the farthest member of the largest cluster until there are k non-empty clusters.

    Parameters
    ----------
    points : ndarray, shape (n, d)
        At least k of them, some of which may be equal.
    labels : ndarray of int64, shape (n,)
    k : int
    """
    labels = np.unique(labels, return_inverse=True)[1].astype(np.int64)
    for new in range(int(labels.max()) + 1, k):
        largest = np.flatnonzero(labels == np.bincount(labels).argmax())
        distance = np.linalg.norm(points[largest] - points[largest].mean(axis=0), axis=1)
        labels[largest[distance.argmax()]] = new
    return labels
