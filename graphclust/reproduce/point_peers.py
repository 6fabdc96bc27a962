"""Classical methods that find clusters of points and their number, for comparison with the clusterwise models."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np

from graphclust.kernels.kmeans import kmeans
from graphclust.runtime.arrays import FloatArray, IntArray

__all__ = ["gaussian_mixture_by_bic", "hdbscan", "kmeans_by_silhouette", "principal_components", "variational_mixture"]


def principal_components(x: FloatArray, n_components: int) -> FloatArray:
    """Project points on their leading principal components.

    Parameters
    ----------
    x : ndarray of float, shape (n, d)
    n_components : int

    Returns
    -------
    ndarray of float64, shape (n, n_components)
        With fewer columns if there are fewer points or dimensions.

    Examples
    --------
    >>> np.abs(principal_components(np.array([[0.0, 0.0], [3.0, 4.0]]), 1)).round(6).tolist()
    [[2.5], [2.5]]
    """
    centred = np.asarray(x, dtype=np.float64)
    centred = centred - centred.mean(axis=0)
    u, s, _ = np.linalg.svd(centred, full_matrices=False)
    projected: FloatArray = u[:, :n_components] * s[:n_components]
    return projected


def kmeans_by_silhouette(x: FloatArray, max_clusters: int, seed: int) -> IntArray:
    """Cluster by k-means, with the number of clusters from 2 to `max_clusters` that has the highest silhouette.

    Parameters
    ----------
    x : ndarray of float64, shape (n, d)
        At least three points.
    max_clusters, seed : int

    Returns
    -------
    ndarray of int64, shape (n,)

    Examples
    --------
    >>> kmeans_by_silhouette(np.array([[0.0], [0.1], [5.0], [5.1], [9.0], [9.1]]), 4, 0).max()
    np.int64(2)
    """
    import torch

    from graphclust.models.silhouette import Silhouette

    numbers = range(2, min(max_clusters, len(x) - 1) + 1)
    labels = np.stack([kmeans(x, k, 10, seed) for k in numbers])
    scores = Silhouette(torch.as_tensor(x))(torch.as_tensor(labels), max_clusters)
    best: IntArray = labels[int(scores.argmax())]
    return best


def gaussian_mixture_by_bic(
    x: FloatArray, max_clusters: int, seed: int, *, covariances: Sequence[str] = ("full",), n_init: int = 3
) -> IntArray:
    """Fit scikit-learn's GaussianMixture with the number of components and the covariance type of the lowest BIC.

    Parameters
    ----------
    x : ndarray of float64, shape (n, d)
    max_clusters, seed : int
    covariances : sequence of str
        Values of scikit-learn's `covariance_type` to try.
    n_init : int
        Number of starts of each fit.

    Returns
    -------
    ndarray of int64, shape (n,)

    Examples
    --------
    >>> x = np.random.default_rng(0).normal(size=(60, 1)) + np.repeat([[0.0], [20.0]], 30, axis=0)
    >>> len(np.unique(gaussian_mixture_by_bic(x, 4, 0)))
    2
    """
    from sklearn.mixture import GaussianMixture

    with _convergence_warnings_ignored():
        models = [
            GaussianMixture(k, covariance_type=covariance, n_init=n_init, random_state=seed).fit(x)
            for k in range(1, min(max_clusters, len(x)) + 1)
            for covariance in covariances
        ]
    labels: IntArray = min(models, key=lambda model: float(model.bic(x))).predict(x).astype(np.int64)
    return labels


def variational_mixture(
    x: FloatArray, max_clusters: int, seed: int, *, covariance: str = "full", weight_prior: float | None = None
) -> IntArray:
    """Fit scikit-learn's BayesianGaussianMixture, a truncated Dirichlet process.

    Parameters
    ----------
    x : ndarray of float64, shape (n, d)
    max_clusters, seed : int
    covariance : str
        Value of scikit-learn's `covariance_type`.
    weight_prior : float, optional
        Concentration of the process. The default is scikit-learn's, one over the number of components.

    Returns
    -------
    ndarray of int64, shape (n,)

    Examples
    --------
    >>> x = np.random.default_rng(0).normal(size=(60, 1)) + np.repeat([[0.0], [20.0]], 30, axis=0)
    >>> len(np.unique(variational_mixture(x, 4, 0)))
    2
    """
    from sklearn.mixture import BayesianGaussianMixture

    model = BayesianGaussianMixture(
        n_components=min(max_clusters, len(x)),
        covariance_type=covariance,
        weight_concentration_prior=weight_prior,
        n_init=3,
        max_iter=500,
        random_state=seed,
    )
    with _convergence_warnings_ignored():
        labels: IntArray = model.fit_predict(x).astype(np.int64)
    return labels


def hdbscan(x: FloatArray, min_cluster_size: int = 5) -> IntArray:
    """Cluster by scikit-learn's HDBSCAN, and add each noise point to the cluster of the nearest other point.

    Parameters
    ----------
    x : ndarray of float64, shape (n, d)
    min_cluster_size : int

    Returns
    -------
    ndarray of int64, shape (n,)
        A single cluster if all points are noise.

    Examples
    --------
    >>> x = np.random.default_rng(0).normal(size=(60, 1)) + np.repeat([[0.0], [20.0]], 30, axis=0)
    >>> len(np.unique(hdbscan(x, min_cluster_size=20)))
    2
    """
    from sklearn.cluster import HDBSCAN
    from sklearn.neighbors import NearestNeighbors

    labels: IntArray = HDBSCAN(min_cluster_size, copy=True).fit_predict(x).astype(np.int64)
    inside = labels >= 0
    if not inside.any():
        return np.zeros(len(x), dtype=np.int64)
    if not inside.all():
        nearest = NearestNeighbors(n_neighbors=1).fit(x[inside]).kneighbors(x[~inside], return_distance=False)[:, 0]
        labels[~inside] = labels[inside][nearest]
    return labels


@contextmanager
def _convergence_warnings_ignored() -> Iterator[None]:
    """Suppress scikit-learn's warnings about mixtures that have not converged, which are scored like the others."""
    from sklearn.exceptions import ConvergenceWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        yield
