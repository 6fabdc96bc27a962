"""From a configuration to a model."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from graphclust.errors import UsageError
from graphclust.models.build import ENCODINGS, MODELS, ModelConfig, build
from graphclust.models.clusterwise import ClusterwiseModel
from graphclust.models.ncp import NCP
from graphclust.nn.batch import Batch
from graphclust.nn.encoders import ENCODERS
from graphclust.nn.waveforms import N_CHANNELS

SMALL = {"n_features": 3, "dim": 16, "dim_z": 4, "n_heads": 4, "n_inducing": 3, "n_layers": 2}


def made(**options):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return build(ModelConfig(**SMALL | options))


def elbo(model, known=None, n_features=3):
    rng = np.random.default_rng(0)
    batch = Batch.of(
        rng.normal(size=(1, 4, n_features)), np.array([4]), ~np.eye(4, dtype=bool)[None], np.array([[0, 1, 0, 0]])
    )
    return model(replace(batch, known=known), 2, [0])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"model": "ncpp"}, "model .*'ncpp'.*did you mean ncp"),
        ({"encoder": "gcn"}, "encoder .*'gcn'"),
        ({"features": "degrees"}, "features .*'degrees'"),
        ({"model": None}, "model .*None"),
        ({"dim": 18}, "18 dimensions cannot be divided among 4 heads"),
        ({"dim": 16, "n_heads": 5}, "16 dimensions cannot be divided among 5 heads"),
    ],
)
def test_what_makes_no_sense_is_refused(options, message):
    with pytest.raises(UsageError, match=message):
        ModelConfig(**options)


def test_there_and_back():
    config = ModelConfig("ccp", "points", "given", 7, dim=32, dim_encoder=20, n_labels=4)
    values = config.to_dict()
    assert ModelConfig.of(values) == config
    assert values["dim_encoder"] == 20
    values["n_heads"] = 8
    assert config.n_heads == 4  # a copy
    assert ModelConfig.of({}) == ModelConfig()


def test_unknown_names_are_ignored_and_wrong_values_are_not():
    assert ModelConfig.of({"dim": 32, "of_a_later_version": 1}) == ModelConfig(dim=32)
    with pytest.raises(UsageError, match="model"):
        ModelConfig.of({"model": "of_a_later_version"})


def test_defaults_are_the_published_settings():
    config = ModelConfig()
    assert (config.dim, config.dim_z, config.n_heads, config.n_inducing, config.n_features) == (128, 128, 4, 32, 20)
    model = build(replace(config, model="acp"))

    def depth(module):
        return sum(isinstance(layer, nn.Linear) for layer in module.modules())

    assert [depth(getattr(model.encodings, name)) for name in "uhg"] == [3, 3, 3]
    assert depth(model.decoder.rest) + 1 == 5
    for gaussian in (model.prior, model.posterior):
        assert [depth(gaussian.mean), depth(gaussian.log_scale)] == [6, 6]
    assert len(model.encoder.norms) == 4


@pytest.mark.parametrize("encoder", ENCODERS)
@pytest.mark.parametrize("kind", MODELS)
def test_every_kind_is_built_and_shares_nothing(kind, encoder):
    n_features = 2 * N_CHANNELS if encoder == "spikes" else 3
    model = made(model=kind, encoder=encoder, n_labels=2, n_features=n_features)
    assert isinstance(model, NCP if kind == "ncp" else ClusterwiseModel)
    if kind in ENCODINGS:
        assert isinstance(model.encodings, ENCODINGS[kind])
    assert isinstance(model.encoder, ENCODERS[encoder])
    actual = [parameter.data_ptr() for _, parameter in model.named_parameters(remove_duplicate=False)]
    assert len(actual) == len(set(actual))
    modules = [name for name, _ in model.named_modules(remove_duplicate=False)]
    assert len(modules) == len(list(model.named_modules()))
    assert torch.isfinite(elbo(model, torch.tensor([[0, 1, 2, 0]]), n_features).total)


def test_an_encoder_of_its_own_width():
    model = made(encoder="graphsage", dim_encoder=10)
    assert model.encoder[0].own[0].weight.shape == (10, 10)
    assert model.encoder[1].weight.shape == (16, 10)
    assert torch.isfinite(elbo(model).total)
    assert isinstance(made(dim_encoder=16).encoder, ENCODERS["graphsage"])


def test_torchs_seed_fixes_the_weights():
    first, second = (made(model="acp-s").state_dict() for _ in range(2))
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize(
    "options",
    [
        {"encoder": "graph-transformer", "dim": 18, "n_heads": 3},
        {"encoder": "graph-transformer", "dim_encoder": 10},
        {"depth_decoder": 1},
        {"n_heads": 0},
    ],
    ids=lambda options: ", ".join(f"{name}={value}" for name, value in options.items()),
)
def test_what_is_accepted_can_be_trained(options):
    """Sizes that do not fit are refused at once, or do fit."""
    try:
        model = made(**options)
    except UsageError:
        return
    actual = elbo(model)
    assert torch.isfinite(actual.total)
    actual.total.backward()
