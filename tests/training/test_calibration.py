"""Reliability: perfect predictions have no error, wrong ones have as much as they are wrong."""

from __future__ import annotations

import io

import numpy as np
import pytest

import graphclust as gc
from graphclust.training.calibration import Reliability, draw_reliability


def pairs_of(labels):
    return (labels[:, None] == labels[None]).astype(float)


def test_certain_and_right():
    labels = np.array([0, 0, 1, 1, 2])
    reliability = Reliability()
    reliability.add(pairs_of(labels), labels)
    assert reliability.error() == 0
    assert reliability.pairs.sum() == 10


def test_certain_and_wrong():
    labels = np.array([0, 0, 1, 1])
    reliability = Reliability()
    reliability.add(1 - pairs_of(labels), labels)
    assert reliability.error() == 1


def test_calibrated_predictions_pass_and_shifted_ones_fail():
    """Partitions of two nodes, together with probability p, predicted as p, and as p + 0.2."""
    rng = np.random.default_rng(0)
    right, wrong = Reliability(10), Reliability(10)
    for p in rng.uniform(0.1, 0.8, 4000):
        labels = np.array([0, 0 if rng.random() < p else 1])
        right.add([[1, p], [p, 1]], labels)
        wrong.add([[1, p + 0.2], [p + 0.2, 1]], labels)
    assert right.error() < 0.03
    assert wrong.error() == pytest.approx(0.2, abs=0.03)


def test_posterior_of_truth_is_calibrated_and_point_mass_is_not():
    """Samples that the truth is one of: co-membership of the posterior passes; that of one sample does not."""
    rng = np.random.default_rng(1)
    many, single = Reliability(10), Reliability(10)
    for _ in range(300):
        samples = rng.integers(0, 3, size=(41, 8))
        many.add(gc.Posterior(samples[1:]).co_membership(), samples[0])
        single.add(gc.Posterior(samples[1:2]).co_membership(), samples[0])
    assert many.error() < 0.07
    assert single.error() > 0.3


def test_table_and_figure(tmp_path):
    labels = np.array([0, 0, 1, 1, 2])
    reliability = Reliability(4)
    reliability.add(np.full((5, 5), 0.3), labels)
    (row,) = reliability.table()
    assert row == {"from": 0.25, "pairs": 10, "predicted": pytest.approx(0.3), "observed": 0.2}
    stream = io.BytesIO()
    draw_reliability({"a": reliability.table(), "b": reliability.table()}, stream, "x.png")
    assert stream.getvalue().startswith(b"\x89PNG")


def test_what_makes_no_sense():
    with pytest.raises(gc.UsageError, match="n_bins"):
        Reliability(0)
    with pytest.raises(gc.UsageError, match="shape"):
        Reliability().add(np.zeros((3, 2)), [0, 1, 2])
    assert np.isnan(Reliability().error())
