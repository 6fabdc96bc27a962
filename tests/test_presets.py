"""Presets: what a method runs with, and CNC's as the paper prints them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.base import clone

import graphclust as gc
from graphclust.kernels.neighbors import unit_affinities
from graphclust.methods import cnc
from graphclust.methods.base import GraphEstimator
from graphclust.methods.cutter import Cutter
from graphclust.methods.presets import settings_of
from graphclust.training import loops as training
from tests.estimating import blobs
from tests.noted import noted

SMALL = {
    "preset": "published", "code_dim": 4, "code_hidden": (16,), "code_epochs": 1, "siamese": (32, 4),
    "siamese_epochs": 2, "hidden": (32,), "batch_size": 60, "max_epochs": 20, "random_state": 0,
}  # fmt: skip


class Example(GraphEstimator):
    def __init__(self, rate=0.1, layers=(64,), noise=None, *, preset=None):
        self.rate, self.layers, self.noise, self.preset = rate, layers, noise, preset


TABLE = {"ours": {"optimizer": "adam"}, "theirs": {"rate": 0.5, "optimizer": "sgd", "noise": 0.0}}


@pytest.mark.parametrize(
    ("params", "settings"),
    [
        ({}, ("adam", 0.1, (64,), None)),
        ({"preset": "ours", "rate": 0.3}, ("adam", 0.3, (64,), None)),
        ({"preset": "theirs"}, ("sgd", 0.5, (64,), 0.0)),
        ({"preset": "theirs", "rate": 0.3, "noise": 0.1}, ("sgd", 0.3, (64,), 0.1)),
        ({"preset": "theirs", "rate": 0.1}, ("sgd", 0.5, (64,), 0.0)),  # the default: it cannot be told from no value
        ({"preset": "theirs", "layers": np.array([3, 4])}, ("sgd", 0.5, [3, 4], 0.0)),
    ],
)
def test_an_explicit_value_wins_over_the_preset(params, settings):
    found = settings_of(Example(**params), TABLE)
    assert (found.optimizer, found.rate, found.noise) == (settings[0], settings[1], settings[3])
    np.testing.assert_array_equal(found.layers, settings[2])
    assert not hasattr(found, "preset")


@pytest.mark.parametrize("name", ["thiers", 3, ["theirs"]])
def test_an_unknown_preset(name):
    with pytest.raises(gc.UsageError, match="unknown preset"):
        settings_of(Example(preset=name), TABLE)


def test_parameters_stay_as_they_were_given():
    model = gc.CNC(3, preset="published", hidden=(8,))
    assert model.get_params() == gc.CNC(3).get_params() | {"preset": "published", "hidden": (8,)}
    assert clone(model).settings == model.settings
    assert gc.CNC(3, preset="graphclust").settings == gc.CNC(3).settings
    with pytest.raises(gc.UsageError, match="did you mean published"):
        gc.CNC(3, preset="publishd").fit(np.eye(5))


def test_presets_of_cnc_name_settings_that_exist():
    known = {*gc.CNC.parameters(), *cnc.PRESETS["graphclust"]}
    assert not known & {"graphclust"}
    assert not set(gc.CNC.parameters()) & set(cnc.PRESETS["graphclust"])
    for preset in cnc.PRESETS.values():
        assert set(preset) <= known


@pytest.mark.parametrize(  # section 5.7
    ("preset", "siamese", "hidden", "activation", "batch", "neighbors", "rate", "decay", "temperature"),
    [
        ("published", [1024, 1024, 512, 10], [512, 512], "relu", 256, 3, 0.005, 0.5, [1.5, 0.5]),
        ("published-reuters", [512, 256, 128], [512, 512, 512], "tanh", 128, 3, 1e-4, 0.5, [1.5, 1.0]),
        ("published-cifar10", [512, 256], [512, 512], "tanh", 256, 2, 1e-4, 0.1, [2.5, 0.5]),
        ("published-cifar100", [512, 256], [512, 512, 512], "tanh", 1024, 3, 1e-3, 0.5, [1.5, 1.0]),
    ],
)
def test_printed_settings(preset, siamese, hidden, activation, batch, neighbors, rate, decay, temperature):
    s = gc.CNC(10, preset=preset).settings
    assert (list(s.siamese), list(s.hidden), s.activation) == (siamese, hidden, activation)
    assert (s.batch_size, s.siamese_batch) == (batch, batch)
    assert (s.n_neighbors, s.siamese_neighbors, s.batch_neighbors) == (neighbors, neighbors, neighbors)
    assert (s.learning_rate, s.decay, list(s.temperature)) == (rate, decay, temperature)
    assert (s.starts, s.n_init, s.siamese_loss, s.siamese_noise) == (("random",), 1, "contrastive", 0)
    assert (s.polish, s.evenness, s.regularization, s.selection) == (False, 0, 0, "last")


def test_nothing_classical_happens_in_a_published_fit(rng, monkeypatch):
    """One network from random weights, looked at once, at the end; decays as printed; no starts, pieces or moves."""

    def refused(*_, **__):
        raise AssertionError("not published")

    for name in ("kmeans", "spectral_embedding"):
        monkeypatch.setattr(cnc, name, refused)
    for name in ("pieces", "merged", "moved", "polished"):
        monkeypatch.setattr(Cutter, name, refused)
    looks, fleets = [], []
    look, make = gc.CNC._look, training.Fleet.__init__
    monkeypatch.setattr(gc.CNC, "_look", staticmethod(lambda *given: (looks.append(1), look(*given))[1]))

    def recorded(self, *given, **named):
        fleets.append(named)
        make(self, *given, **named)

    monkeypatch.setattr(training.Fleet, "__init__", recorded)
    x, _ = blobs(rng)
    model = gc.CNC(3, **SMALL).fit(x)
    assert len(looks) == 1
    siamese, clustering = fleets[1:]
    assert (siamese["patience"], siamese["shrink"]) == (clustering["patience"], clustering["shrink"]) == (5, 0.5)
    assert model.details_["start"] == "random"
    assert model.details_["normalized_cut_at_start"] is None


def test_published_labels_are_those_that_the_network_assigns(rng):
    x, y = blobs(rng)
    model = gc.CNC(3, **(SMALL | {"max_epochs": 60, "siamese_epochs": 10, "code_epochs": 10})).fit(x)
    assert gc.metrics.accuracy(y, model.predict(x)) > 0.95
    np.testing.assert_array_equal(model.predict(x), model.labels_)
    crowded = gc.CNC(40, **(SMALL | {"max_epochs": 2})).fit(x)  # after two epochs some clusters are empty
    assert crowded.n_clusters_ == 40 > len(np.unique(crowded.predict(x)))
    assert noted(crowded.notes_, "empty-clusters")["n_found"] < 40


def test_affinities_of_a_published_batch(rng):
    v = torch.as_tensor(rng.normal(size=(30, 3)), dtype=torch.float32)
    settings = gc.CNC(3, preset="published").settings
    plan = cnc._Batches(30, 12, None, None, v, 3, settings)
    index = torch.as_tensor(rng.permutation(30)[:12])
    points, affinity = plan.batch(index, torch.device("cpu"))
    expected = np.zeros((12, 12))
    for i in range(12):
        distances = [(float((v[index[i]] - v[index[j]]).square().sum()), j) for j in range(12) if j != i]
        for _, j in sorted(distances)[:3]:
            expected[i, j] = expected[j, i] = 1
    np.testing.assert_array_equal(affinity.weight.numpy(), expected)
    np.testing.assert_array_equal(points.numpy(), index.numpy())


def test_unit_affinities(rng):
    index = np.array([rng.choice([j for j in range(9) if j != i], 3, replace=False) for i in range(9)])
    expected = np.zeros((9, 9))
    for i in range(9):
        for j in index[i]:
            expected[i, j] = expected[j, i] = 1
    np.testing.assert_array_equal(unit_affinities(index).toarray(), expected)


def test_the_temperature_falls_to_its_minimum_and_stays():
    published = gc.CNC(3, preset="published").settings
    path = [cnc._temperature(published, epoch, 100) for epoch in range(100)]
    assert path[0] == 1.5
    assert path[49:] == pytest.approx([0.5] * 51)
    assert np.diff(np.log(path[:50])) == pytest.approx(np.log(0.5 / 1.5) / 49)
    ours = gc.CNC(3).settings
    assert cnc._temperature(ours, 50, 100) > 0.5 == pytest.approx(cnc._temperature(ours, 99, 100))
