"""Synthetic spikes: templates, noise, jitter and labels follow the law that the module states."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

import graphclust as gc
from graphclust.generators import stream
from graphclust.generators.crp import n_clusters_distribution
from graphclust.generators.spikes import ELECTRODES, Neurons, spikes, spikes_batch
from graphclust.nn.waveforms import N_CHANNELS, N_SAMPLES

SETTINGS = {
    "concentration": 1.0, "max_clusters": 12, "noise_std": 0.1, "amplitude_jitter": 0.05, "time_jitter": 0.5,
}  # fmt: skip
CLEAN = {"noise_std": 0.0, "amplitude_jitter": 0.0, "time_jitter": 0.0}


def waveforms(graph):
    return graph.x.reshape(-1, N_CHANNELS, N_SAMPLES)


# ---------------------------------------------------------------- templates


def test_electrodes_are_a_hexagon_around_one():
    apart = np.linalg.norm(ELECTRODES[:, None] - ELECTRODES, axis=-1)
    assert ELECTRODES[0].tolist() == [0, 0]
    np.testing.assert_allclose(apart[0, 1:], 60)
    np.testing.assert_allclose(np.sort(apart[1:], axis=1)[:, 1:4], 60)  # the centre and two neighbours


def test_peaks_decay_exponentially_with_the_distance(rng):
    neurons = Neurons.drawn(rng, 500)
    x, y, z = neurons.places.T
    assert (x**2 + y**2 <= 30**2).all()
    assert (z >= 10).all()
    assert (z <= 30).all()
    distance = np.array([[math.dist(place, (*electrode, 0)) for electrode in ELECTRODES] for place in neurons.places])
    farther = distance - distance[:, :1]
    lengths = -farther[:, 1:] / np.log(neurons.peaks[:, 1:] / neurons.peaks[:, :1])
    np.testing.assert_allclose(lengths, np.broadcast_to(lengths[:, :1], lengths.shape))
    assert stats.kstest(lengths[:, 0], "uniform", (20, 30)).pvalue > 1e-3
    assert (neurons.peaks.argmax(axis=1) == 0).all()
    speeds = farther[:, 1:] / neurons.delays[:, 1:] / 1000  # m/s
    np.testing.assert_allclose(speeds, np.broadcast_to(speeds[:, :1], speeds.shape))
    assert stats.kstest(speeds[:, 0], "uniform", (0.3, 0.7)).pvalue > 1e-3


def test_places_and_peaks_have_the_stated_distributions(rng):
    neurons = Neurons.drawn(rng, 20_000)
    x, y, z = neurons.places.T
    assert stats.kstest((x**2 + y**2) / 30**2, "uniform").pvalue > 1e-3  # uniform in a disc
    assert stats.kstest(np.arctan2(y, x), "uniform", (-math.pi, 2 * math.pi)).pvalue > 1e-3
    assert stats.kstest(z, "uniform", (10, 20)).pvalue > 1e-3
    assert stats.kstest(neurons.peaks[:, 0] - 0.2, "expon", (0, 1.15)).pvalue > 1e-3
    assert np.median(neurons.peaks[:, 0]) == pytest.approx(1, abs=0.05)


def test_waveforms_are_bumps_of_the_stated_depth(rng):
    """Against single evaluations, and on a fine grid of shifts: the lowest value is the peak of the electrode."""
    neurons = Neurons.drawn(rng, 40)
    shifts = np.linspace(-0.5, 0.5, 101) / 20
    which = np.repeat(np.arange(40), len(shifts))
    x = neurons.waveforms(which, np.full(len(which), 1.5), np.tile(shifts, 40))
    assert (x.shape, x.dtype) == ((len(which), N_CHANNELS, N_SAMPLES), np.float32)
    for i in rng.integers(len(which), size=20):
        k, e, s = which[i], rng.integers(N_CHANNELS), rng.integers(N_SAMPLES)
        time = (s - 10) / 20 - shifts[i % len(shifts)] - neurons.delays[k, e]
        value = sum(h * math.exp(-((time - c) ** 2) / (2 * w**2)) for h, c, w in neurons.bumps[k])
        assert x[i, e, s] == pytest.approx(1.5 * neurons.peaks[k, e] * value, abs=1e-5)
    lowest = x.reshape(40, -1, N_CHANNELS, N_SAMPLES).min(axis=(1, 3))
    np.testing.assert_allclose(lowest, -1.5 * neurons.peaks, rtol=0.01)
    trough = x.reshape(40, -1, N_CHANNELS, N_SAMPLES)[:, 50, 0].argmin(axis=1)
    assert (np.abs(trough - 10) <= 3).all()


def test_spikes_of_a_neuron_are_alike_without_noise_and_jitter():
    graph = spikes(300, **CLEAN, random_state=2)
    x = waveforms(graph)
    first = [int(np.flatnonzero(graph.y == k)[0]) for k in range(graph.y.max() + 1)]
    np.testing.assert_array_equal(x, x[first][graph.y])
    assert len(np.unique(x[:, 0], axis=0)) == len(first)
    depth = -x[first].min(axis=-1)
    assert (depth[:, 1:].max(axis=1) < depth[:, 0]).all()


# ---------------------------------------------------------------- noise and jitter


def test_noise_has_the_stated_covariance():
    """Of the difference of two draws that share all but the noise, over lags and pairs of electrodes."""
    noise = np.concatenate(
        [
            spikes(2000, noise_std=0.3, amplitude_jitter=0.0, time_jitter=0.0, random_state=s).x.astype(np.float64)
            - spikes(2000, **CLEAN, random_state=s).x
            for s in range(5)
        ]
    ).reshape(-1, N_CHANNELS, N_SAMPLES)
    assert stats.kstest(noise[::50, ::3, ::16].ravel() / 0.3, "norm").pvalue > 1e-3
    for e, f, lag in ((0, 0, 0), (0, 0, 1), (0, 3, 0), (2, 2, 3), (1, 4, 0), (1, 2, 2), (5, 0, 1)):
        products = noise[:, e, : N_SAMPLES - lag] * noise[:, f, lag:]
        apart = math.dist(ELECTRODES[e], ELECTRODES[f])
        wanted = 0.3**2 * math.exp(-apart / 30) * math.exp(-lag / 20 / 0.05)
        assert products.mean() == pytest.approx(wanted, abs=5 * 0.3**2 * 2 / math.sqrt(len(noise) * N_SAMPLES))


def test_amplitudes_jitter_by_a_factor():
    graph = spikes(4000, noise_std=0.0, amplitude_jitter=0.1, time_jitter=0.0, concentration=1e-9, random_state=1)
    mean = graph.x.mean(axis=0, dtype=np.float64)
    factors = graph.x @ mean / (mean @ mean)
    np.testing.assert_allclose(graph.x, factors[:, None] * mean, atol=1e-4)
    assert stats.kstest((factors - 1) / 0.1, "norm").pvalue > 1e-3


def test_times_jitter_uniformly():
    """The first-order term of the jitter is the slope of the template times a number that is uniform."""
    options = {"noise_std": 0.0, "amplitude_jitter": 0.0, "concentration": 1e-9, "random_state": 1}
    graph = spikes(4000, **options, time_jitter=0.01)
    moved = graph.x.astype(np.float64) - graph.x.mean(axis=0, dtype=np.float64)
    direction = np.linalg.svd(moved, full_matrices=False)[2][0]
    scores = moved @ direction
    assert (scores**2).sum() > 0.99 * (moved**2).sum()
    span = scores.max() - scores.min()
    assert stats.kstest(scores, "uniform", (scores.min(), span)).pvalue > 1e-3
    assert np.ptp((spikes(4000, **options, time_jitter=0.02).x @ direction).astype(np.float64)) == pytest.approx(
        2 * span, rel=0.02
    )


# ---------------------------------------------------------------- labels


def test_labels_follow_the_process():
    rng = np.random.default_rng(0)
    actual = np.bincount(
        np.concatenate(
            [spikes_batch(rng, 500, same_size=True, n=12, **SETTINGS).labels.max(axis=1) + 1 for _ in range(8)]
        ),
        minlength=13,
    )
    wanted = 4000 * n_clusters_distribution(12, 1.0)
    pooled = [(row[:6].tolist(), row[6:].sum()) for row in (actual[1:], wanted[1:])]
    observed, expected = ([*head, tail] for head, tail in pooled)
    assert stats.chisquare(observed, expected).pvalue > 1e-3
    assert max(spikes(300, max_clusters=5, random_state=s).y.max() for s in range(20)) == 4


def test_graph_of_spikes():
    graph = spikes(50, random_state=5)
    assert (graph.num_nodes, graph.num_edges, graph.x.shape, graph.x.dtype) == (50, 0, (50, 224), np.float32)
    assert graph.meta["realised"] == {"n_clusters": graph.y.max() + 1, "largest": np.bincount(graph.y).max()}
    again = spikes(**{key: value for key, value in graph.meta["generator"].items() if key != "family"})
    np.testing.assert_array_equal(again.x, graph.x)
    np.testing.assert_array_equal(again.y, graph.y)
    assert not np.array_equal(spikes(50, random_state=6).x, graph.x)
    assert 200 <= spikes(random_state=0).num_nodes <= 400
    assert spikes(0).x.shape == (0, 224)


# ---------------------------------------------------------------- batches


@pytest.mark.parametrize("same_size", [False, True])
def test_batches_are_padded_and_fixed_by_their_number(same_size):
    options = {"random_state": 3, "batch_size": 6, "same_size": same_size, "n": (5, 30)}
    batch, second = (next(stream("spikes", **options, start=i)) for i in (0, 1))
    assert batch.adjacency is None
    assert batch.features.shape == (6, batch.n_nodes.max(), 224)
    assert batch.features.dtype == np.float32
    assert (len(set(batch.n_nodes.tolist())) == 1) == same_size
    for features, labels, n in zip(batch.features, batch.labels, batch.n_nodes.tolist(), strict=True):
        assert features[:n].any(axis=1).all()
        assert not features[n:].any()
        assert (labels[n:] == -1).all()
        assert set(labels[:n].tolist()) == set(range(labels.max() + 1))
    again = next(stream("spikes", **options, start=1))
    np.testing.assert_array_equal(again.features, second.features)
    assert not np.array_equal(again.features[:, :5], batch.features[:, :5])


def test_data_sets_of_a_batch_have_neurons_of_their_own(rng):
    batch = spikes_batch(rng, 20, same_size=True, n=9, **(SETTINGS | CLEAN))
    templates = np.unique(batch.features.reshape(-1, 224), axis=0)
    assert len(templates) == (batch.labels.max(axis=1) + 1).sum()
    for features, labels in zip(batch.features, batch.labels, strict=True):
        same = (features[:, None] == features).all(axis=-1)
        np.testing.assert_array_equal(same, labels[:, None] == labels)


@pytest.mark.parametrize(
    "options",
    [{"noise_std": -0.1}, {"noise_std": math.nan}, {"amplitude_jitter": math.inf}, {"time_jitter": -1.0},
     {"concentration": 0.0}, {"max_clusters": 0}, {"n": (9, 3)}],
)  # fmt: skip
def test_parameters_that_make_no_sense(options):
    with pytest.raises(gc.UsageError):
        spikes(**({"n": 5} | options))
    with pytest.raises(gc.UsageError):
        next(stream("spikes", **({"n": 5} | options)))


def test_one_size_needs_a_range():
    with pytest.raises(gc.UsageError, match="needs a range of sizes"):
        next(stream("spikes", n=5, same_size=True))
