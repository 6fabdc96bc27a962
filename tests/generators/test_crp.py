"""Chinese Restaurant Process: every partition as often as its probability says, in every regime of the parameters."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import special, stats

import graphclust as gc
from graphclust.generators.crp import crp, crp_batch, expected_n_clusters, log_probability, n_clusters_distribution
from tests import oracles

PROCESSES = [(1.0, 0.0), (0.7, 0.0), (0.5, 0.5), (-0.3, 0.6), (0.0, 0.4), (20.0, 0.3), (0.2, 0.95)]


def p_value(draws, concentration, discount, max_clusters=None):
    """Chi-square of draws, shape (n_draws, n), against the seating rule; rare partitions count together."""
    n = draws.shape[1]
    everything = oracles.set_partitions(n)
    p = np.array([oracles.seating_probability(labels, concentration, discount) for labels in everything])
    if max_clusters is not None:
        p *= [max(labels) < max_clusters for labels in everything]
    expected = p / p.sum() * len(draws)
    digits = n ** np.arange(n)
    codes, counts = np.unique(draws @ digits, return_counts=True)
    of_code = dict(zip(codes.tolist(), counts.tolist(), strict=True))
    seen = np.array([of_code.pop(int(digits @ labels), 0) for labels in everything])
    assert not of_code, "labels that are not in order of appearance"
    assert not seen[expected == 0].any()
    often = expected >= 5
    seen, expected = (np.append(v[often], v[~often].sum()) for v in (seen, expected))
    if expected[-1] < 5:
        assert seen[-1] < 20
        seen, expected = seen[:-1], expected[:-1]
    return stats.chisquare(seen, expected * seen.sum() / expected.sum()).pvalue


@pytest.mark.parametrize(("concentration", "discount"), PROCESSES)
def test_every_partition_of_five_is_drawn_as_often_as_it_should(concentration, discount, rng):
    draws = crp_batch(np.full(200_000, 5), concentration, discount=discount, rng=rng)
    assert p_value(draws, concentration, discount) > 1e-3
    assert p_value(draws, concentration * 1.1 + 0.05, discount) < 1e-3  # a law that is slightly wrong is told apart


@pytest.mark.parametrize(("concentration", "discount"), PROCESSES[1:4])
@pytest.mark.parametrize("most", [2, 3])
def test_at_most_so_many_clusters(concentration, discount, most, rng):
    draws = crp_batch(np.full(200_000, 5), concentration, discount=discount, max_clusters=most, rng=rng)
    assert p_value(draws, concentration, discount, most) > 1e-3


def test_rows_of_different_sizes(rng):
    sizes = np.tile([5, 0, 40, 3, 5], 8_000)
    draws = crp_batch(sizes, 0.5, discount=0.5, max_clusters=20, rng=rng)
    assert draws.shape == (40_000, 40)
    np.testing.assert_array_equal((draws >= 0).sum(axis=1), sizes)
    assert ((draws >= 0) == (np.arange(40) < sizes[:, None])).all()
    assert p_value(draws[sizes == 5, :5], 0.5, 0.5) > 1e-3
    assert p_value(draws[sizes == 3, :3], 0.5, 0.5) > 1e-3
    assert draws[sizes == 40].max() == 19


def test_one_by_one():
    rng = np.random.default_rng(0)
    draws = np.array([crp(4, 1.3, discount=0.2, random_state=rng) for _ in range(4000)])
    assert p_value(draws, 1.3, 0.2) > 1e-3


@pytest.mark.parametrize(("concentration", "discount"), PROCESSES)
@pytest.mark.parametrize("most", [None, 2, 6])
def test_log_probability_is_that_of_the_seating_rule(concentration, discount, most):
    everything = oracles.set_partitions(6)
    actual = [math.exp(log_probability(c, concentration, discount=discount, max_clusters=most)) for c in everything]
    assert sum(actual) == pytest.approx(1, abs=1e-12)
    if most is None:
        wanted = [oracles.seating_probability(c, concentration, discount) for c in everything]
        np.testing.assert_allclose(actual, wanted, rtol=1e-10)
    renamed = log_probability([9, 2, 2, 9, 5, 9], concentration, discount=discount, max_clusters=most)
    assert renamed == log_probability([0, 1, 1, 0, 2, 0], concentration, discount=discount, max_clusters=most)


@pytest.mark.parametrize(("concentration", "discount"), PROCESSES)
def test_number_of_clusters(concentration, discount, rng):
    law = np.zeros(8)
    for labels in oracles.set_partitions(7):
        law[max(labels) + 1] += oracles.seating_probability(labels, concentration, discount)
    np.testing.assert_allclose(n_clusters_distribution(7, concentration, discount), law, rtol=1e-9, atol=1e-300)

    long = n_clusters_distribution(300, concentration, discount)
    values = np.arange(301)
    mean = float(long @ values)
    assert long.sum() == pytest.approx(1, abs=1e-10)
    assert expected_n_clusters(300, concentration, discount) == pytest.approx(mean, rel=1e-10)
    drawn = crp_batch(np.full(4000, 300), concentration, discount=discount, rng=rng).max(axis=1) + 1
    spread = math.sqrt(float(long @ (values - mean) ** 2))
    assert abs(drawn.mean() - mean) < 4 * spread / math.sqrt(len(drawn))
    assert drawn.std() == pytest.approx(spread, rel=0.15)


def test_expected_number_in_closed_form():
    assert expected_n_clusters(1000, 3.0) == pytest.approx(3 * (special.digamma(1003) - special.digamma(3)), rel=1e-12)
    theta, d, n = 0.8, 0.3, 1000  # Pitman 2006, eq. 3.13
    ratio = math.exp(
        math.lgamma(theta + n + d) + math.lgamma(theta + 1) - math.lgamma(theta + n) - math.lgamma(theta + d)
    )
    assert expected_n_clusters(n, theta, d) == pytest.approx((ratio - theta) / d, rel=1e-9)
    assert expected_n_clusters(n, 0.8, 1e-14) == pytest.approx(expected_n_clusters(n, 0.8), rel=1e-10)


def test_extremes():
    assert crp(0, 1.0).tolist() == []
    assert crp(1, 1.0).tolist() == [0]
    assert crp_batch([], 1.0, rng=np.random.default_rng(0)).shape == (0, 0)
    assert crp(1000, 1e300, random_state=0).tolist() == list(range(1000))
    assert crp(1000, 1e-300, random_state=0).tolist() == [0] * 1000
    assert crp(1000, -0.5 + 1e-12, discount=0.5, random_state=0).max() == 0  # the second customer joins the first
    assert crp(50, 1e6, max_clusters=50, random_state=0).max() == 49
    assert crp(1000, 0.0, discount=0.99, random_state=0).dtype == np.int64
    assert n_clusters_distribution(0, 1.0).tolist() == [1]
    assert expected_n_clusters(0, 1.0) == 0
    assert log_probability([], 1.0) == 0
    assert log_probability(range(100), 1e15) == pytest.approx(0, abs=1e-9)
    assert log_probability([0, 1, 2], 1.0, max_clusters=2) == -math.inf
    assert math.isfinite(log_probability([0] * 2000 + [1], 1e4, max_clusters=2))  # of which exp is 0


def test_seed_fixes_the_partition():
    first, second, other = (crp(200, 5.0, random_state=s).tolist() for s in (1, 1, 2))
    assert first == second
    assert first != other


def test_bound_that_redraws_would_hardly_meet():
    with pytest.raises(gc.UsageError, match=r"69\.6 clusters on average"):
        crp(100, 100.0, max_clusters=5)
    assert crp(100, 5.0, max_clusters=10, random_state=0).max() < 10  # 16 expected, one draw in 50 has so few


@pytest.mark.parametrize(
    "process",
    [(0.0, 0.0), (-0.5, 0.5), (math.nan, 0.0), (math.inf, 0.0), (1.0, 1.0), (1.0, -0.1), (1.0, math.nan)],
)
def test_processes_that_make_no_sense(process):
    concentration, discount = process
    with pytest.raises(gc.UsageError):
        crp(5, concentration, discount=discount)
    with pytest.raises(gc.UsageError):
        log_probability([0, 1], concentration, discount=discount)
    for function in (expected_n_clusters, n_clusters_distribution):
        with pytest.raises(gc.UsageError):
            function(5, concentration, discount)


def test_sizes_that_make_no_sense():
    for function in (crp, expected_n_clusters, n_clusters_distribution):
        with pytest.raises(gc.UsageError, match="-1"):
            function(-1, 1.0)
    with pytest.raises(gc.UsageError, match="max_clusters"):
        crp(5, 1.0, max_clusters=0)
    with pytest.raises(gc.UsageError, match="max_clusters"):
        log_probability([0, 0], 1.0, max_clusters=0)
