import math

import numpy as np
import pytest
import torch
from scipy.stats import multivariate_normal, multivariate_t

from graphclust.kernels.kmeans import kmeans
from graphclust.metrics import accuracy
from graphclust.models.mixture import _TOLERANCE, _density, refined_by_mixture


def tensor(x):
    return torch.as_tensor(np.asarray(x, dtype=np.float64))


def long_clusters(seed=0, n=400, outliers=0):
    """Two clusters, thin and long, side by side, which k-means cuts across; and points far from both."""
    rng = np.random.default_rng(seed)
    y = rng.integers(2, size=n)
    z = rng.normal(size=(n, 2)) * (8, 0.5)
    z[:, 1] += 4.0 * y
    z[:outliers] = rng.uniform(-80, 80, size=(outliers, 2))
    return z, y


@pytest.mark.parametrize("degrees", [1.0, 3.0, math.inf])
def test_the_density_is_scipys(degrees):
    rng = np.random.default_rng(1)
    root = rng.normal(size=(3, 3))
    spread, mean, z = root @ root.T + np.eye(3), rng.normal(size=3), 5 * rng.normal(size=(20, 3))
    density, weight = _density(tensor(z - mean), tensor(spread), degrees)
    if math.isinf(degrees):
        expected = multivariate_normal(mean, spread).logpdf(z)
        assert (weight == 1).all()
    else:
        expected = multivariate_t(mean, spread, df=degrees).logpdf(z)
        delta = np.einsum("ni,ij,nj->n", z - mean, np.linalg.inv(spread), z - mean)
        np.testing.assert_allclose(weight, (degrees + 3) / (degrees + delta))
    np.testing.assert_allclose(density, expected)


def test_it_finds_long_clusters_where_k_means_begins_a_little_off():
    z, y = long_clusters()
    begun = np.where(np.random.default_rng(0).random(len(y)) < 0.25, 1 - y, y)
    actual, _ = refined_by_mixture(tensor(z), torch.as_tensor(begun))
    assert accuracy(y, actual.numpy()) > 0.99
    assert accuracy(y, kmeans(z, 2, 10, 0)) < 0.6


def test_points_far_away_count_little():
    z, y = long_clusters(outliers=20)
    heavy, gaussian = (refined_by_mixture(tensor(z), torch.as_tensor(y), nu)[0].numpy() for nu in (3.0, math.inf))
    assert accuracy(y[20:], heavy[20:]) > 0.99 > accuracy(y[20:], gaussian[20:])


@pytest.mark.parametrize("degrees", [3.0, math.inf])
def test_the_likelihood_grows_with_the_steps(degrees, monkeypatch):
    z, y = long_clusters(outliers=10)
    begun = torch.as_tensor(np.where(np.random.default_rng(2).random(len(y)) < 0.4, 1 - y, y))
    seen = []
    for steps in range(1, 15):
        monkeypatch.setattr("graphclust.models.mixture._MAX_STEPS", steps)
        seen.append(refined_by_mixture(tensor(z), begun, degrees)[1])
    assert min(np.diff(seen)) > -_TOLERANCE
    assert seen[-1] > seen[0] + 0.1


def test_the_unit_and_the_place_do_not_matter():
    z, y = long_clusters(n=100)
    begun = torch.as_tensor(np.where(np.arange(100) % 5 == 0, 1 - y, y))
    nx_graph, _ = refined_by_mixture(tensor(z), begun)
    elsewhere, _ = refined_by_mixture(tensor(1e-3 * z + 7), begun)
    assert torch.equal(nx_graph, elsewhere)


@pytest.mark.parametrize(
    "z",
    [
        np.zeros((6, 3)),
        np.tile([[1.0, 2.0, 3.0]], (6, 1)),
        np.tile([[0.1, 0.7, 1 / 3]], (6, 1)),
        1e-160 * np.tile([[0.1, 0.7, 1 / 3]], (6, 1)),
        np.arange(18.0).reshape(6, 3),
        1e150 * np.eye(6)[:, :3],
    ],
    ids=["all at the origin", "all at one place", "and one that rounds", "and one that is tiny", "on a line", "huge"],
)
def test_flat_clusters_stay_clusters(z):
    begun = torch.tensor([0, 0, 1, 1, 1, 2])
    actual, _ = refined_by_mixture(tensor(z), begun)
    assert len(torch.unique(actual)) == 3


@pytest.mark.parametrize(("few", "n_left"), [(1, False), (2, True), (3, False), (4, True)])
def test_where_a_cluster_would_vanish_all_are_kept(few, n_left):
    z, y = long_clusters()
    begun = torch.as_tensor(y.copy())
    begun[np.random.default_rng(0).choice(len(y), few, replace=False)] = 2  # points of both clusters
    actual, likelihood = refined_by_mixture(tensor(z), begun)
    assert len(torch.unique(actual)) == 3
    assert torch.equal(actual, begun) == n_left
    assert math.isinf(likelihood) == n_left


def test_an_empty_cluster_stays_empty():
    begun = torch.tensor([0, 0, 2, 2])
    actual, likelihood = refined_by_mixture(tensor(np.arange(8.0).reshape(4, 2)), begun)
    assert torch.equal(actual, begun)
    assert likelihood == -math.inf


def test_where_numbers_overflow_the_clusters_stay_as_they_were():
    begun = torch.tensor([0, 0, 1, 1, 1, 1])
    labels, likelihood = refined_by_mixture(tensor(1e200 * np.random.default_rng(0).normal(size=(6, 3))), begun)
    assert torch.equal(labels, begun)
    assert likelihood == -math.inf
