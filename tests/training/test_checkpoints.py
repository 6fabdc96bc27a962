"""Checkpoints: what goes in comes out, and nothing but weights and words is read."""

from __future__ import annotations

import json
import pickle
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import save

import graphclust as gc
from graphclust.models.build import ModelConfig, build
from graphclust.training.checkpoints import (
    SHIPPED,
    CheckpointInfo,
    cards,
    load_checkpoint,
    read_info,
    save_checkpoint,
    shipped,
    trained_models,
)
from graphclust.training.synthetic import DataConfig, held_out_batches

CONFIG = ModelConfig(dim=8, dim_z=4, n_heads=2, n_inducing=2, n_layers=1, n_features=3)
DATA = {"family": "general-sbm"}


def info_of(config):
    return CheckpointInfo(config.to_dict(), DATA, (50, 300), (1, 12), 7, 112, {"ami": 0.5}, {}, "train")


INFO = info_of(CONFIG)


@pytest.fixture
def written(tmp_path):
    torch.manual_seed(0)
    model = build(CONFIG)
    path = tmp_path / "model.safetensors"
    save_checkpoint(path, model.state_dict(), INFO)
    return path, model


def test_round_trip(written):
    path, model = written
    again, info = load_checkpoint(path)
    assert info == INFO == read_info(path)
    assert info.config == CONFIG
    assert not again.training
    for name, value in model.state_dict().items():
        torch.testing.assert_close(again.state_dict()[name], value, rtol=1e-3, atol=1e-6)


def test_a_file_that_changes_is_read_again(written):
    path, model = written
    load_checkpoint(path)
    changed = {k: v + 1 if v.dtype.is_floating_point else v for k, v in model.state_dict().items()}
    save_checkpoint(path, changed, INFO)
    again, _ = load_checkpoint(path)
    name = "decoder.context.bias"
    torch.testing.assert_close(again.state_dict()[name], changed[name], rtol=1e-3, atol=1e-3)


def test_weights_that_are_not_finite_are_not_written(tmp_path):
    with pytest.raises(gc.DataError, match="not finite"):
        save_checkpoint(tmp_path / "x.safetensors", {"a": torch.tensor([1e30])}, INFO)
    assert not list(tmp_path.iterdir())


def test_files_that_are_none(tmp_path, written):
    path, _ = written
    bad = tmp_path / "bad.safetensors"
    for content in (
        b"",
        b"not at all",
        b"\xff" * 64,
        pickle.dumps({"a": 1}),
        save({"a": torch.zeros(1)}),
        save({"a": torch.zeros(1)}, {"graphclust": "{}"}),
        save({"a": torch.zeros(1)}, {"graphclust": json.dumps([1])}),
        path.read_bytes()[:200],
    ):
        bad.write_bytes(content)
        with pytest.raises(gc.DataError, match="checkpoint"):
            read_info(bad)
    complete = path.read_bytes()
    bad.write_bytes(complete[:-100])
    with pytest.raises(gc.DataError, match="weights"):
        load_checkpoint(bad)
    save_checkpoint(bad, {"a": torch.zeros(1)}, INFO)
    with pytest.raises(gc.DataError, match="not those of the model"):
        load_checkpoint(bad)


def test_names_that_are_none():
    with pytest.raises(gc.UsageError, match="unknown checkpoint or file 'acpp'; did you mean acp"):
        load_checkpoint("acpp")
    with pytest.raises(gc.UsageError, match="choose from"):
        load_checkpoint("nothing like it")


def test_half_precision_changes_the_results_little(tmp_path):
    """The ELBO of single graphs, with the same samples of z: within 0.02 nats, and a thousandth of its size."""
    config = ModelConfig(encoder="gated-gcn", dim=32, dim_z=16, n_layers=3, n_features=4)
    data = DataConfig(parameters={"n_nodes": (10, 20)}, batch_size=4, seed=3)
    torch.manual_seed(1)
    model = build(config).eval()
    path = tmp_path / "model.safetensors"
    save_checkpoint(path, model.state_dict(), info_of(config))
    again, _ = load_checkpoint(path)
    assert {value.dtype for value in again.state_dict().values()} <= {torch.float32, torch.int64}
    assert any(not torch.equal(value, again.state_dict()[name]) for name, value in model.state_dict().items())
    for batch, seeds in held_out_batches(config, data, 8):
        with torch.no_grad():
            exact, near = (entry(batch, 4, seeds).per_graph for entry in (model, again))
        torch.testing.assert_close(near, exact, rtol=1e-3, atol=0.02)


def test_trained_models_are_those_of_a_folder_too(tmp_path, monkeypatch, written):
    path, _ = written
    folder = tmp_path / "results" / "models"
    folder.mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "results")
    assert trained_models() == shipped()
    for name in ("acp", "mine", "mine.state"):
        shutil.copy(path, folder / f"{name}.safetensors")
    for entry, files in ((folder, folder), (None, Path("results", "models"))):
        monkeypatch.chdir(tmp_path)
        models = trained_models(entry)
        assert models.keys() == {*shipped(), "mine"}
        assert models["mine"] == files / "mine.safetensors"
        assert models["acp"] == files / "acp.safetensors"
        assert models["acp-s"] == shipped()["acp-s"]
    with pytest.raises(gc.UsageError, match="there is no folder nowhere"):
        trained_models("nowhere")


@pytest.mark.parametrize("name", sorted(shipped()))
def test_what_is_shipped_says_what_it_is(name):
    info = read_info(name)
    model, _ = load_checkpoint(name)
    assert sum(p.numel() for p in model.parameters()) < 4_000_000
    assert shipped()[name].stat().st_size < 8 << 20
    assert info.command.startswith("graphclust train")
    assert info.held_out["ami"] > 0.5
    assert info.graphs > 0
    assert cards([name]) in cards()
    assert cards([name]).startswith(f"## {name}\n")
    assert (SHIPPED / f"{name}.log.jsonl").exists(), "the log of the training is kept beside the weights"


def test_cards_are_those_of_the_headers():
    assert (SHIPPED / "CARDS.md").read_text() == cards(), (
        "graphclust models --format md > graphclust/checkpoints/CARDS.md"
    )


def test_the_methods_have_their_models():
    assert {"acp", "acp-s", "ccp"} <= set(shipped())
