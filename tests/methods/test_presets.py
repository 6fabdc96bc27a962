"""Presets: what a method runs with, and CNC's as the paper prints them."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch
from sklearn.base import clone

import graphclust as gc
from graphclust.kernels.neighbors import unit_affinities
from graphclust.methods import cnc, lnscc
from graphclust.methods.base import GraphEstimator
from graphclust.methods.cnc_training import PointBatches, Trainer, temperature
from graphclust.methods.cutter import Cutter
from graphclust.methods.presets import settings_of
from graphclust.training.loops import Fleet
from tests.estimating import blobs, flat
from tests.noted import noted

make_cnc = partial(flat, gc.CNC)
SMALL = {
    "preset": "published", "autoencoder": (16, 4), "autoencoder_epochs": 1, "siamese": (32, 4), "siamese_steps": 40,
    "hidden": (32,), "batch_size": 60, "max_epochs": 20, "random_state": 0,
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
    resolved = settings_of(Example(**params), TABLE)
    assert (resolved.optimizer, resolved.rate, resolved.noise) == (settings[0], settings[1], settings[3])
    np.testing.assert_array_equal(resolved.layers, settings[2])
    assert not hasattr(resolved, "preset")


@pytest.mark.parametrize("name", ["thiers", 3, ["theirs"]])
def test_an_unknown_preset(name):
    with pytest.raises(gc.UsageError, match="unknown preset"):
        settings_of(Example(preset=name), TABLE)


def test_parameters_stay_as_they_were_given():
    model = gc.CNC(3, preset="published", max_epochs=7)
    assert model.get_params() == gc.CNC(3).get_params() | {"preset": "published", "max_epochs": 7}
    assert clone(model).settings == model.settings
    assert make_cnc(3, preset="graphclust").settings == make_cnc(3).settings
    with pytest.raises(gc.UsageError, match="did you mean published"):
        make_cnc(3, preset="publishd").fit(np.eye(5))


@pytest.mark.parametrize("method", [gc.CNC, gc.LNSCC])
def test_presets_name_settings_that_exist(method):
    for preset in method.presets.values():
        assert set(preset) <= set(method.parameters())
        assert type(preset["training"]) is type(method.presets["graphclust"]["training"])


@pytest.mark.parametrize("module", [cnc, lnscc])
def test_training_is_a_mapping_or_a_dataclass(module):
    method = {cnc: gc.CNC, lnscc: gc.LNSCC}[module]
    printed = method.presets["published"]["training"]
    assert method(3, preset="published").settings.training is printed
    model = method(3, preset="published", training={"hidden": [8], "batch_size": 9})
    assert model.settings.training == replace(printed, hidden=(8,), batch_size=9)
    assert model.get_params()["training"] == {"hidden": [8], "batch_size": 9}
    assert clone(model).settings == model.settings
    own = module.Training(hidden=(8,))
    assert method(3, preset="published", training=own).settings.training is own
    assert repr(own).startswith("Training(hidden=(8,), ")
    model.set_params(training={"hidden": (4,)})
    assert model.settings.training == replace(printed, hidden=(4,))
    for training, message in (
        ({"hiden": (8,)}, "unknown training setting 'hiden'; did you mean hidden"),
        ("fast", rf"a mapping of settings or an instance of {module.Training.__module__}\.Training"),
        ({"batch_size": 0}, "batch_size"),
    ):
        with pytest.raises(gc.UsageError, match=message):
            method(3, training=training).check_params()


@pytest.mark.parametrize("name", ["clam", "cnc", "lnscc"])
def test_a_preset_without_training_has_that_of_the_first(name, monkeypatch):
    method = gc.METHODS[name]
    monkeypatch.setattr(method, "presets", method.presets | {"brief": {"max_epochs": 3}})
    settings = method(3, preset="brief", training={"learning_rate": 0.5}).settings
    assert settings.max_epochs == 3
    assert settings.training == replace(method.presets["graphclust"]["training"], learning_rate=0.5)


@pytest.mark.parametrize("name", ["clam", "cnc", "lnscc"])
def test_a_setting_of_the_training_is_no_parameter(name):
    for call in (
        lambda: gc.detect("data:karate", name, 2, batch_size=8),
        lambda: gc.METHODS[name]().set_params(batch_size=8),
    ):
        with pytest.raises(
            gc.UsageError, match=r"no parameter 'batch_size'; set it by training=\{'batch_size': \.\.\.\}"
        ):
            call()


@pytest.mark.parametrize(("setting", "value"), [("decay", 2.0), ("decay", 0.0), ("annealing", 5.0), ("annealing", 0.0)])
def test_schedules_of_cnc_are_fractions(setting, value):
    with pytest.raises(gc.UsageError, match=f"{setting} must be above 0"):
        cnc.Training(**{setting: value})


@pytest.mark.parametrize(  # section 5.7
    ("preset", "siamese", "hidden", "activation", "batch", "neighbors", "rate", "decay", "falling"),
    [
        ("published", [1024, 1024, 512, 10], [512, 512], "relu", 256, 3, 0.005, 0.5, [1.5, 0.5]),
        ("published-reuters", [512, 256, 128], [512, 512, 512], "tanh", 128, 3, 1e-4, 0.5, [1.5, 1.0]),
        ("published-cifar10", [512, 256], [512, 512], "tanh", 256, 2, 1e-4, 0.1, [2.5, 0.5]),
        ("published-cifar100", [512, 256], [512, 512, 512], "tanh", 1024, 3, 1e-3, 0.5, [1.5, 1.0]),
    ],
)
def test_printed_settings(preset, siamese, hidden, activation, batch, neighbors, rate, decay, falling):
    s = make_cnc(10, preset=preset).settings
    t = s.training
    assert (list(t.siamese), list(t.hidden), t.activation) == (siamese, hidden, activation)
    assert (t.batch_size, t.siamese_batch) == (batch, batch)
    assert (s.n_neighbors, t.siamese_neighbors, t.batch_neighbors) == (neighbors, neighbors, neighbors)
    assert (t.learning_rate, t.decay, list(t.temperature)) == (rate, decay, list(falling))
    assert (t.starts, s.n_init, t.siamese_loss, t.siamese_noise) == (("random",), 1, "contrastive", 0)
    assert (s.polish, s.evenness, s.regularization, t.selection) == (False, 0, 0, "last")
    assert (s.scale, s.head, s.max_epochs, t.siamese_steps) == (False, "mlp", 100, 1000)


def test_nothing_classical_happens_in_a_published_fit(rng, monkeypatch):
    """One network from random weights, looked at once, at the end; decays as printed; no starts, pieces or moves."""

    def refused(*_, **__):
        raise AssertionError("not published")

    for name in ("kmeans", "spectral_embedding"):
        monkeypatch.setattr(cnc, name, refused)
    for name in ("pieces", "merged", "moved", "polished"):
        monkeypatch.setattr(Cutter, name, refused)
    looks, fleets = [], []
    look, make = Trainer._evaluate, Fleet.__init__
    monkeypatch.setattr(Trainer, "_evaluate", lambda *args: (looks.append(1), look(*args))[1])

    def recorded(self, *args, **named):
        fleets.append(named)
        make(self, *args, **named)

    monkeypatch.setattr(Fleet, "__init__", recorded)
    x, _ = blobs(rng)
    model = make_cnc(3, **SMALL).fit(x)
    assert len(looks) == 1
    siamese, clustering = fleets[1:]
    assert (siamese["patience"], siamese["shrink"]) == (clustering["patience"], clustering["shrink"]) == (5, 0.5)
    assert model.details_["start"] == "random"
    assert model.details_["normalized_cut_at_start"] is None


def test_published_labels_are_those_that_the_network_assigns(rng):
    x, y = blobs(rng)
    model = make_cnc(3, **(SMALL | {"max_epochs": 60, "siamese_steps": 200, "autoencoder_epochs": 10})).fit(x)
    assert gc.metrics.accuracy(y, model.predict(x)) > 0.95
    np.testing.assert_array_equal(model.predict(x), model.labels_)
    crowded = make_cnc(40, **(SMALL | {"max_epochs": 2})).fit(x)  # after two epochs some clusters are empty
    assert crowded.n_clusters_ == 40 > len(np.unique(crowded.predict(x)))
    assert noted(crowded.notes_, "empty-clusters")["n_found"] < 40


def test_affinities_of_a_published_batch(rng):
    v = torch.as_tensor(rng.normal(size=(30, 3)), dtype=torch.float32)
    training = make_cnc(3, preset="published").settings.training
    batches = PointBatches(v, 12, training.batch_neighbors, training.affinity, 0.0)
    index = torch.as_tensor(rng.permutation(30)[:12])
    points, affinity = batches.batch(index)
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
    published = make_cnc(3, preset="published").settings.training
    path = [temperature(published, epoch, 100) for epoch in range(100)]
    assert path[0] == 1.5
    assert path[49:] == pytest.approx([0.5] * 51)
    assert np.diff(np.log(path[:50])) == pytest.approx(np.log(0.5 / 1.5) / 49)
    ours = make_cnc(3).settings.training
    assert temperature(ours, 50, 100) > 0.5 == pytest.approx(temperature(ours, 99, 100))
