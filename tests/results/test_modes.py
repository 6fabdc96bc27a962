"""Modes of a posterior, against the partitions that samples were made from, and against all ways to divide them."""

from __future__ import annotations

import math
from itertools import permutations

import numpy as np
import pytest

import graphclust as gc
from graphclust.results.modes import find_modes
from graphclust.results.posterior import Posterior
from tests import oracles

N = 60
TRUTHS = [np.repeat([0, 1], 30), np.repeat([0, 1, 2, 3], 15), np.tile([0, 1, 2], 20)]


def noisy(rng, labels, share):
    """The labels with some nodes elsewhere, and other names for the communities."""
    k = labels.max() + 1
    moved = np.where(rng.random(len(labels)) < share, rng.integers(0, k, len(labels)), labels)
    return rng.permutation(k)[moved]


def test_modes_are_what_samples_were_made_from():
    rng = np.random.default_rng(0)
    numbers = [30, 20, 10]
    samples = [noisy(rng, truth, 0.1) for truth, number in zip(TRUTHS, numbers, strict=True) for _ in range(number)]
    order = rng.permutation(60)
    modes = Posterior(np.array(samples)[order]).modes()
    assert [mode.weight for mode in modes] == pytest.approx([0.5, 1 / 3, 1 / 6])
    for mode, truth, first, number in zip(modes, TRUTHS, (0, 30, 50), numbers, strict=True):
        assert gc.metrics.ami(mode.labels, truth) == 1
        assert sorted(order[mode.samples]) == list(range(first, first + number))
        assert 0.8 < mode.confidence.mean() < 0.99


def test_samples_of_one_partition_are_one_mode():
    rng = np.random.default_rng(1)
    for share in (0.0, 0.1, 0.3):
        modes = Posterior(np.array([noisy(rng, TRUTHS[1], share) for _ in range(40)])).modes()
        assert len(modes) == 1
        assert modes[0].weight == pytest.approx(1)
        assert gc.metrics.ami(modes[0].labels, TRUTHS[1]) > 0.95


def test_no_two_modes_are_the_same_answer():
    """Samples that disagree only about which nodes are alone share the answer of one community."""
    rng = np.random.default_rng(2)
    for seed in range(5):
        alone = [rng.random(N) < share for share in rng.choice([0.02, 0.4], 40)]
        modes = Posterior(np.array([np.where(apart, np.arange(N) + 1, 0) for apart in alone])).modes()
        assert len({mode.labels.tobytes() for mode in modes}) == len(modes), seed
        assert sum(mode.weight for mode in modes) == pytest.approx(1)
        assert sorted(np.concatenate([mode.samples for mode in modes])) == list(range(40))


def test_weights_of_modes_are_those_of_their_samples():
    log_prob = np.log([0.5, 0.3, 0.2])
    posterior = Posterior(np.array(TRUTHS), log_prob, weighting="log_prob")
    assert [round(mode.weight, 6) for mode in posterior.modes()] == [0.5, 0.3, 0.2]


def length(groups, partitions):
    """The description length of a division into modes, by trying all names of the labels of each partition."""
    n, total = len(partitions[0]), len(partitions)
    modes = [np.flatnonzero(groups == g) for g in np.unique(groups)]
    value = math.lgamma(total + 1) - sum(math.lgamma(len(mode) + 1) for mode in modes) + math.log(total)
    value += math.log(math.comb(total - 1, len(modes) - 1))
    for mode in modes:
        value += min(mode_length([partitions[s] for s in mode], names, n) for names in renamings(partitions, mode))
    return value


def renamings(partitions, mode):
    """All names of the labels of each partition of a mode, of which there are up to one more than communities."""
    width = max(int(partitions[s].max()) for s in mode) + 2
    options = [list(permutations(range(width), int(partitions[s].max()) + 1)) for s in mode]
    names = [[]]
    for choice in options:
        names = [[*row, option] for row in names for option in choice]
    return names


def mode_length(rows, names, n):
    renamed = np.array([np.array(name)[row] for name, row in zip(names, rows, strict=True)])
    width = len(np.unique(renamed))
    value = math.log(n) + n * (math.lgamma(len(rows) + width) - math.lgamma(width))
    for i in range(n):
        value -= sum(math.lgamma(np.count_nonzero(renamed[:, i] == r) + 1) for r in np.unique(renamed[:, i]))
    for row in rows:
        value += math.lgamma(width + 1) - math.lgamma(width - row.max())
    return value


@pytest.mark.parametrize("seed", range(4))
def test_divisions_are_the_shortest_of_all(seed):
    rng = np.random.default_rng(seed)
    truths = [np.array([0, 0, 0, 0, 1, 1, 1, 1]), np.array([0, 1, 0, 1, 0, 1, 0, 1])]
    samples = np.array([noisy(rng, truths[s % 2], 0.08) for s in range(5)])
    partitions = Posterior(samples).samples
    found = np.empty(5, dtype=int)
    for k, mode in enumerate(Posterior(samples).modes()):
        found[mode.samples] = k
    best = min(length(np.array(groups), partitions) for groups in oracles.set_partitions(5))
    assert length(found, partitions) == pytest.approx(best, abs=1e-9)


def test_edge_cases():
    assert len(Posterior(np.zeros((3, 0), dtype=int)).modes()) == 1
    single = Posterior([[0]] * 4).modes()
    assert len(single) == 1
    assert single[0].labels.tolist() == [0]
    rows = find_modes(np.array([[0, 1, 2]]), np.array([2.0]))
    assert rows[0][0] == 1.0


def test_a_message_names_several_modes():
    karate = gc.detect(gc.datasets.load("karate"), random_state=0)
    modes = karate.details["modes"]
    assert sum(mode["weight"] for mode in modes) == pytest.approx(1, abs=1e-3)
    assert modes[0]["n_clusters"] == 2
    shown = [note.message for note in karate.notes if note.code == "several-modes"]
    assert len(shown) == (sum(mode["weight"] >= 0.1 for mode in modes) > 1)
