"""Collapsed Gibbs chains of Gaussian mixtures against posteriors counted out on six points."""

from __future__ import annotations

import math

import numpy as np
import pytest

import graphclust as gc
from graphclust.generators.mixtures import enumerate_posterior, gaussian_mixture
from graphclust.inference.mixtures import MixtureLaw, sample_partitions
from tests import oracles
from tests.marks import slow

POINTS = gaussian_mixture(6, prior_std=2.0, random_state=4).x
PARTITIONS = oracles.set_partitions(6)
LONG = {"n_samples": 4000, "n_burn_in": 200, "thin": 2}
RANGE = (1.0, 6.0)


def total_variation(samples, expected):
    """Distance of the shares of the partitions among samples from their probabilities."""
    place = {tuple(partition): i for i, partition in enumerate(PARTITIONS)}
    shares = np.zeros(len(PARTITIONS))
    for row in samples.reshape(-1, 6).tolist():
        names = {}
        shares[place[tuple(names.setdefault(label, len(names)) for label in row)]] += 1
    return np.abs(shares / shares.sum() - expected).sum() / 2


def densities(x, partition, tau, standardised):
    """The density of points of noise 1 given their partition, up to a constant, by the definition.

    Standardised points are integrated over all shifts and scales by hand: the shift is a normal integral, the scale
    one of a gamma density.
    """
    n, d = x.shape
    scatter, log_value, weights, means = 0.0, 0.0, [], []
    for label in sorted(set(partition)):
        own = np.array([point for point, entry in zip(x, partition, strict=True) if entry == label])
        scatter += ((own - own.mean(axis=0)) ** 2).sum()
        log_value -= d / 2 * math.log(1 + len(own) * tau**2)
        weights.append(len(own) / (1 + len(own) * tau**2))
        means.append(own.mean(axis=0))
    center = sum(w * m for w, m in zip(weights, means, strict=True)) / sum(weights) if standardised else np.zeros(d)
    scatter += sum(w * ((m - center) ** 2).sum() for w, m in zip(weights, means, strict=True))
    if not standardised:
        return math.exp(log_value - scatter / 2)
    return math.exp(log_value - d / 2 * math.log(sum(weights)) - (n - 1) * d / 2 * math.log(scatter))


def posterior(x, concentrations, taus, standardised):
    """Probabilities of all partitions, averaged over equally likely hyperparameters."""
    values = [
        np.mean([oracles.seating_probability(partition, theta, 0.0) for theta in concentrations])
        * np.mean([densities(x, partition, tau, standardised) for tau in taus])
        for partition in PARTITIONS
    ]
    return np.array(values) / sum(values)


def log_uniform(low, high, number=50):
    return np.exp(np.log(low) + (np.log(high) - np.log(low)) * (np.arange(number) + 0.5) / number)


@pytest.mark.parametrize(
    "model",
    [
        {},
        {"concentration": 1.0, "discount": 0.4, "prior_std": 1.5, "noise_std": 0.7},
        *slow(
            {"concentration": 2.0, "prior_std": 2.0},
            {"concentration": -0.2, "discount": 0.3, "prior_std": 3.0, "noise_std": 1.3},
        ),
    ],
)
def test_chains_have_the_enumerated_posterior(model):
    partitions, expected = enumerate_posterior(POINTS, **model)
    assert partitions.tolist() == PARTITIONS
    samples = sample_partitions(POINTS, MixtureLaw(**model), **LONG)
    assert samples.shape == (4, 4000, 6)
    assert total_variation(samples, expected) < 0.03


def test_a_wrong_law_is_told_from_the_right_one():
    expected = enumerate_posterior(POINTS, prior_std=2.0)[1]
    assert total_variation(sample_partitions(POINTS, MixtureLaw(prior_std=2.0), **LONG), expected) < 0.03
    assert total_variation(sample_partitions(POINTS, MixtureLaw(prior_std=4.0), **LONG), expected) > 0.1


@pytest.mark.parametrize("standardised", [True, *slow(False)])
def test_hyperparameters_of_a_range_are_integrated_out(standardised):
    law = MixtureLaw((0.5, 4.0), RANGE, 1.0, standardised=standardised)
    expected = posterior(POINTS, log_uniform(0.5, 4.0), log_uniform(*RANGE), standardised)
    assert total_variation(sample_partitions(POINTS, law, **LONG), expected) < 0.03


def test_only_the_shape_of_standardised_points_counts():
    """By the same posterior; points that are not standardised have another one after a shift."""
    expected = posterior(POINTS, [0.7], [3.0], standardised=True)
    law = MixtureLaw(prior_std=3.0, standardised=True)
    for x in (POINTS, 1e3 * POINTS - 4e3):
        assert total_variation(sample_partitions(x, law, **LONG), expected) < 0.03
    fixed = sample_partitions(POINTS + 10.0, MixtureLaw(prior_std=3.0), **LONG)
    assert total_variation(fixed, expected) > 0.1


def test_seeds_and_starts_matter():
    law = MixtureLaw(prior_std=2.0)
    runs = [sample_partitions(POINTS, law, n_samples=5, random_state=seed) for seed in (0, 0, 1)]
    np.testing.assert_array_equal(runs[0], runs[1])
    assert not np.array_equal(runs[0], runs[2])
    pairs = np.array([[0.0], [0.1], [1e4], [1e4]])  # a point that joins a pair stays, whatever the law
    begun = sample_partitions(
        pairs, MixtureLaw(prior_std=1e4), starts=[[5, 5, 2, 2]], n_samples=20, n_burn_in=0, thin=1
    )
    assert (begun == [1, 1, 0, 0]).mean() > 0.8


@pytest.mark.parametrize("x", [np.zeros(3), np.zeros((0, 2)), np.zeros((2, 0))])
def test_what_is_no_table_is_refused(x):
    with pytest.raises(gc.UsageError, match="shape"):
        sample_partitions(x, MixtureLaw())


def test_equal_points_come_together():
    samples = sample_partitions(np.ones((8, 2)), MixtureLaw(standardised=True, prior_std=(3.0, 9.0)), n_samples=50)
    assert np.isfinite(samples).all()
    assert (samples == samples[..., :1]).mean() > 0.5
