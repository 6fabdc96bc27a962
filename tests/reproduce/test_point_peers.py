"""Peers on points: known answers from clusters far apart, and the rule by which each chooses their number."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.metrics import silhouette_score

from graphclust.kernels.kmeans import kmeans
from graphclust.metrics import ami
from graphclust.reproduce.point_peers import (
    gaussian_mixture_by_bic,
    hdbscan,
    kmeans_by_silhouette,
    principal_components,
    variational_mixture,
)

METHODS = {
    "silhouette": lambda x: kmeans_by_silhouette(x, 8, 0),
    "bic": lambda x: gaussian_mixture_by_bic(x, 6, 0, n_init=1),
    "variational": lambda x: variational_mixture(x, 6, 0),
    "hdbscan": hdbscan,
}


@pytest.fixture
def blobs(rng):
    truth = np.repeat(np.arange(4), (60, 40, 30, 20))
    centres = np.array([[0, 0], [30, 0], [0, 30], [30, 30]])
    return centres[truth] + rng.normal(size=(len(truth), 2)), truth


@pytest.mark.parametrize("method", METHODS)
def test_clusters_far_apart_are_all_found(method, blobs):
    x, truth = blobs
    labels = METHODS[method](x)
    assert (labels.shape, labels.dtype) == (truth.shape, np.int64)
    assert ami(truth, labels) == pytest.approx(1)


@pytest.mark.parametrize("method", ["bic", "variational"])
def test_one_gaussian_is_one_cluster(method, rng):
    assert len(np.unique(METHODS[method](rng.normal(size=(300, 2))))) == 1


def test_the_silhouette_chooses(rng):
    x = rng.normal(size=(60, 3)) + 3 * rng.integers(0, 3, size=(60, 1))
    scores = {k: silhouette_score(x, kmeans(x, k, 10, 0)) for k in range(2, 6)}
    best = max(scores, key=scores.get)
    np.testing.assert_array_equal(kmeans_by_silhouette(x, 5, 0), kmeans(x, best, 10, 0))


def test_noise_joins_the_nearest_cluster(blobs):
    x, truth = blobs
    labels = hdbscan(np.vstack([x, [[40.0, 41.0], [-9.0, -9.0]]]))
    assert labels[-2] == labels[truth.tolist().index(3)]
    assert labels[-1] == labels[0]
    assert hdbscan(np.array([[0.0], [10.0], [30.0]]), 3).tolist() == [0, 0, 0]


def test_principal_components_are_scikit_learns(rng):
    x = (rng.normal(size=(30, 8)) * np.arange(1, 9) + 5).astype(np.float32)
    wanted = PCA(3).fit_transform(x.astype(np.float64))
    np.testing.assert_allclose(np.abs(principal_components(x, 3)), np.abs(wanted), atol=1e-4)
    assert principal_components(x[:2], 3).shape == (2, 2)
