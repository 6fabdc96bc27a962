"""Gaussian mixtures: the stated law, and posteriors that agree with dense covariances, quadrature and counting out."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import integrate, stats

import graphclust as gc
from graphclust.generators.mixtures import (
    enumerate_posterior,
    gaussian_mixture,
    gaussian_mixture_batch,
    log_joint,
    pair_posterior,
)
from tests import oracles
from tests.marks import slow

MODELS = [
    {},
    {"concentration": 2.0, "discount": 0.5, "prior_std": 3.0, "noise_std": 0.5},
    {"concentration": -0.2, "discount": 0.3, "prior_std": 0.7, "noise_std": 1.3},
]


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("dimension", [1, 3])
def test_log_joint_is_that_of_the_dense_covariance(model, dimension, rng):
    x, labels = 4 * rng.normal(size=(7, dimension)), [0, 1, 0, 2, 1, 0, 0]
    prior_std, noise_std = model.get("prior_std", 10.0), model.get("noise_std", 1.0)
    together = np.equal.outer(labels, labels)
    covariance = prior_std**2 * together + noise_std**2 * np.eye(7)
    density = sum(stats.multivariate_normal(cov=covariance).logpdf(column) for column in x.T)
    seating = oracles.seating_probability(labels, model.get("concentration", 0.7), model.get("discount", 0.0))
    assert log_joint(x, labels, **model) == pytest.approx(density + math.log(seating), rel=1e-12)


def test_log_joint_far_from_the_origin_is_exact():
    x = np.array([[1e8], [1e8 + 1], [1e8 + 3]])
    apart = log_joint(x, [0, 1, 2], prior_std=1e8) - log_joint(x, [0, 0, 0], prior_std=1e8)
    origin = log_joint(x - 1e8, [0, 1, 2], prior_std=1e8) - log_joint(x - 1e8, [0, 0, 0], prior_std=1e8)
    assert apart == pytest.approx(
        origin - 1, abs=1e-6
    )  # three means at one prior deviation cost 1.5 nats, one costs 0.5


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("distance", [0.0, 0.7, 4.0])
def test_pair_posterior_against_quadrature(model, distance):
    x = np.array([[0.4], [0.4 + distance]])
    theta, d = model.get("concentration", 0.7), model.get("discount", 0.0)
    prior, noise = stats.norm(scale=model.get("prior_std", 10.0)), stats.norm(scale=model.get("noise_std", 1.0))

    def evidence(*points):
        def density(mean):
            return prior.pdf(mean) * math.prod(noise.pdf(point - mean) for point in points)

        return integrate.quad(density, -40, 40, points=[0, *points], limit=200, epsabs=1e-13)[0]

    first, second = x[:, 0].tolist()
    together, apart = (1 - d) * evidence(first, second), (theta + d) * evidence(first) * evidence(second)
    assert pair_posterior(x, **model) == pytest.approx(together / (together + apart), rel=1e-6)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("dimension", [1, 2, 5])
def test_pair_posterior_is_that_of_all_partitions(model, dimension, rng):
    for scale in (0.1, 1.0, 10.0):
        x = scale * rng.normal(size=(2, dimension))
        partitions, p = enumerate_posterior(x, **model)
        assert partitions.tolist() == [[0, 0], [0, 1]]
        assert pair_posterior(x, **model) == pytest.approx(p[0], rel=1e-10)


def test_pairs_at_the_extremes():
    assert pair_posterior([[0.0], [0.0]], max_clusters=1) == 1
    assert pair_posterior([[0.0], [1000.0]], max_clusters=1) == 1
    assert 0 <= pair_posterior([[0.0], [1e4]]) < 1e-300
    assert pair_posterior([[0.0] * 400] * 2) == 1
    assert pair_posterior([[5.0], [6.0]], max_clusters=2) == pair_posterior([[5.0], [6.0]])


def test_posterior_over_partitions(rng):
    x = gaussian_mixture(6, prior_std=3.0, random_state=3).x
    partitions, p = enumerate_posterior(x, prior_std=3.0)
    assert partitions.tolist() == oracles.set_partitions(6)
    assert p.sum() == pytest.approx(1, abs=1e-12)
    odds = math.exp(log_joint(x, partitions[50], prior_std=3.0) - log_joint(x, partitions[7], prior_std=3.0))
    assert p[50] / p[7] == pytest.approx(odds, rel=1e-9)

    order = rng.permutation(6)  # the points' order does not matter
    moved = enumerate_posterior(x[order], prior_std=3.0)[1]
    same = np.equal(partitions[:, :, None], partitions[:, None, :])
    together, together_moved = np.einsum("pij,p->ij", same, p), np.einsum("pij,p->ij", same, moved)
    np.testing.assert_allclose(together_moved, together[np.ix_(order, order)], atol=1e-12)

    bounded = enumerate_posterior(x, prior_std=3.0, max_clusters=2)[1]
    few = partitions.max(axis=1) < 2
    assert bounded[~few].sum() == 0
    np.testing.assert_allclose(bounded[few], p[few] / p[few].sum(), rtol=1e-9)


def test_posterior_is_calibrated_and_a_wrong_one_is_not():
    model = {"concentration": 1.0, "prior_std": 2.0}
    rng = np.random.default_rng(0)
    pairs = [gaussian_mixture(2, **model, random_state=rng) for _ in range(1500)]
    together = sum(int(g.y[1] == 0) for g in pairs)

    def excess(noise_std):
        """Standardised excess of pairs that share a cluster, over what the posterior with this noise expects."""
        p = np.array([pair_posterior(g.x, **model, noise_std=noise_std) for g in pairs])
        return (together - p.sum()) / math.sqrt((p * (1 - p)).sum())

    assert abs(excess(noise_std=1.0)) < 3.5
    assert abs(excess(noise_std=0.6)) > 5


def test_points_have_the_stated_law():
    graph = gaussian_mixture(20_000, dimension=2, concentration=500.0, prior_std=3.0, noise_std=0.5, random_state=0)
    sizes = np.bincount(graph.y)
    means = np.array([np.bincount(graph.y, column) for column in graph.x.T]).T / sizes[:, None]
    within = (graph.x - means[graph.y]) / 0.5 * np.sqrt(sizes / np.maximum(sizes - 1, 1))[graph.y, None]
    assert stats.kstest(within[sizes[graph.y] > 1].ravel(), "norm").pvalue > 1e-3
    scale = np.sqrt(3.0**2 + 0.5**2 / sizes)[:, None]
    assert stats.kstest((means / scale).ravel(), "norm").pvalue > 1e-3
    assert abs(np.corrcoef(means.T)[0, 1]) < 4 / math.sqrt(len(means))
    assert graph.meta["realised"] == {"n_clusters": len(sizes), "largest": sizes.max()}


def test_graph_of_points():
    graph = gaussian_mixture(50, dimension=4, max_clusters=3, random_state=5)
    assert (graph.num_nodes, graph.num_edges, graph.x.shape, graph.x.dtype) == (50, 0, (50, 4), np.float64)
    assert graph.y.max() < 3
    again = gaussian_mixture(**{key: value for key, value in graph.meta["generator"].items() if key != "family"})
    np.testing.assert_array_equal(again.x, graph.x)
    assert not np.array_equal(gaussian_mixture(50, dimension=4, max_clusters=3, random_state=6).x, graph.x)
    assert gaussian_mixture(0).x.shape == (0, 2)


def test_numbers_draw_what_they_drew_before_there_were_ranges():
    graph = gaussian_mixture((3, 9), random_state=7)
    assert graph.y.tolist() == [0, 0, 0, 1, 0, 1, 2, 1, 1]
    assert graph.x[0].tolist() == [4.327670620639233, -3.2335850721735055]
    assert graph.x[-1].tolist() == [-8.63465402875104, -4.389956765093]
    assert list(graph.meta["realised"]) == ["n_clusters", "largest"]


def test_ranges_are_drawn_from_log_uniformly():
    ranges = {"concentration": (0.5, 8.0), "prior_std": (2.0, 20.0), "noise_std": [0.1, 10.0]}
    rng = np.random.default_rng(1)
    realised = [gaussian_mixture(1, **ranges, random_state=rng).meta["realised"] for _ in range(600)]
    for name, (low, high) in ranges.items():
        places = np.log([values[name] / low for values in realised]) / math.log(high / low)
        assert stats.kstest(places, "uniform").pvalue > 1e-3
    fixed = gaussian_mixture(40, **dict.fromkeys(ranges, (3.0, 3.0)), random_state=2)
    scale = fixed.meta["realised"]["noise_std"]
    assert scale == pytest.approx(3.0)
    within = np.concatenate([fixed.x[fixed.y == k] - fixed.x[fixed.y == k].mean(axis=0) for k in set(fixed.y)])
    assert within.std() == pytest.approx(3.0, rel=0.3)
    again = gaussian_mixture(5, prior_std=(2.0, 20.0), random_state=3)
    requested = {key: value for key, value in again.meta["generator"].items() if key != "family"}
    np.testing.assert_array_equal(gaussian_mixture(**requested).x, again.x)


@pytest.mark.parametrize("name", ["concentration", "prior_std", "noise_std"])
@pytest.mark.parametrize("bad", [(0.0, 1.0), (3.0, 2.0), (1.0, math.inf), (math.nan, 1.0)])
def test_ranges_that_make_no_sense(name, bad):
    with pytest.raises(gc.UsageError, match=f"a range of {name} is"):
        gaussian_mixture(5, **{name: bad})


def test_parameters_that_make_no_sense():
    for options in (
        {"dimension": 0},
        {"prior_std": 0.0},
        {"noise_std": -1.0},
        {"noise_std": math.nan},
        {"discount": 1},
    ):
        with pytest.raises(gc.UsageError):
            gaussian_mixture(5, **options)
    for function in (pair_posterior, enumerate_posterior, lambda x, **o: log_joint(x, [0, 1], **o)):
        with pytest.raises(gc.UsageError, match="noise_std"):
            function([[0.0], [1.0]], noise_std=0.0)
        with pytest.raises(gc.UsageError, match="shape"):
            function([0.0, 1.0])
    with pytest.raises(gc.UsageError, match="not 3"):
        pair_posterior([[0.0], [1.0], [2.0]])
    with pytest.raises(gc.UsageError, match="2 points and 3 labels"):
        log_joint([[0.0], [1.0]], [0, 0, 1])
    with pytest.raises(gc.UsageError, match="9 points"):
        enumerate_posterior(np.zeros((9, 1)))


@pytest.mark.parametrize("n_sets", [700, *slow(3000)])
@pytest.mark.parametrize("ranges", [False, True])
def test_a_batch_has_the_law_of_its_members(rng, ranges, n_sets):
    """Distances within and between the clusters, and their number, as in sets that are drawn one by one."""
    law = {"n": (4, 12), "dimension": 2, "concentration": 1.5, "discount": 0.1, "max_clusters": 6, "prior_std": 4.0,
           "noise_std": 0.5}  # fmt: skip
    if ranges:
        law |= {"concentration": (0.3, 5.0), "prior_std": (2.0, 8.0), "noise_std": (0.1, 1.0)}

    def summary(points, labels):
        same = labels[:, None] == labels
        square = ((points[:, None] - points) ** 2).sum(axis=-1)
        pairs = ~np.eye(len(labels), dtype=bool)
        return [
            len(labels),
            len(set(labels.tolist())),
            square[same & pairs].mean() if (same & pairs).any() else np.nan,
            square[~same].mean() if (~same).any() else np.nan,
        ]

    batch = gaussian_mixture_batch(rng, n_sets, same_size=False, **law)
    assert batch.adjacency is None
    at_once = np.array([summary(graph.x, graph.y) for graph in batch.graphs()])
    alone = [gaussian_mixture(**law, random_state=rng) for _ in range(n_sets)]
    one_by_one = np.array([summary(graph.x, graph.y) for graph in alone])
    for a, b in zip(at_once.T, one_by_one.T, strict=True):
        a, b = a[~np.isnan(a)], b[~np.isnan(b)]
        assert abs(a.mean() - b.mean()) < 4 * np.hypot(a.std() / np.sqrt(len(a)), b.std() / np.sqrt(len(b)))
        assert abs(len(a) - len(b)) < 5 * math.sqrt(n_sets / 2)  # at least five standard deviations
    same = gaussian_mixture_batch(rng, 50, same_size=True, **law)
    assert len(set(same.n_nodes.tolist())) == 1
