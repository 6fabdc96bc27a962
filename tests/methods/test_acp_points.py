"""The amortized methods on points; what they learn of them is measured by `graphclust reproduce acp-mixtures`."""

from __future__ import annotations

import json
import shlex
import shutil

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone

import graphclust as gc
from graphclust.cli import run
from graphclust.graph import Graph
from graphclust.models.build import ModelConfig, build
from graphclust.nn.features import standardised
from graphclust.training import checkpoints as checkpoint
from graphclust.training.checkpoints import SHIPPED, CheckpointInfo, save_checkpoint
from graphclust.training.synthetic import DataConfig
from tests.noted import codes, noted

FEW = {"n_samples": 4, "random_state": 0}


def write_model(path, method="acp", features="standardised", n_features=2):
    """Write a small model of points with fresh weights, as if trained on sets of 20 to 50."""
    config = ModelConfig(
        method, "point-transformer", features, n_features, dim=8, dim_z=8, n_layers=1, n_inducing=2, depth_decoder=2
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        weights = build(config).state_dict()
    data = DataConfig("gaussian-mixture", {"n": (20, 50)})
    save_checkpoint(path, weights, CheckpointInfo(config.to_dict(), data.to_dict(), (20, 50), (1, 30), 1, 32))
    return str(path)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return write_model(tmp_path_factory.mktemp("models") / "points.safetensors")


@pytest.fixture
def x():
    return gc.generators.gaussian_mixture(30, prior_std=8.0, random_state=1).x


def fitted(x, **params):
    return gc.ACP(**{**FEW, **params}).fit(x)


def test_a_table_is_clustered(model, x):
    fit = fitted(x, checkpoint=model)
    assert (fit.labels_.shape, fit.labels_.dtype) == ((30,), np.int64)
    assert fit.posterior_.samples.shape == (4, 30)
    assert list(fit.posterior_.nodes) == list(range(30))
    assert ((fit.confidence_ >= 0) & (fit.confidence_ <= 1)).all()
    assert fit.n_features_in_ == 2
    assert fit.notes_ == []
    np.testing.assert_array_equal(clone(fit).fit_predict(x), fit.labels_)


def test_frames_have_names_and_graphs_take_them_away(model, x):
    estimator = fitted(pd.DataFrame(x, columns=["width", "height"]), checkpoint=model)
    assert estimator.feature_names_in_.tolist() == ["width", "height"]
    np.testing.assert_array_equal(estimator.labels_, fitted(x, checkpoint=model).labels_)
    estimator.fit(x)
    assert not hasattr(estimator, "feature_names_in_")
    estimator.set_params(checkpoint=None).fit([(0, 1), (1, 2)])
    assert not hasattr(estimator, "n_features_in_")
    assert estimator.labels_.shape == (3,)


@pytest.mark.parametrize("container", [torch.as_tensor, lambda x: Graph.from_edges([], [], nodes=len(x), x=x)])
def test_points_come_in_any_container(model, x, container):
    np.testing.assert_array_equal(fitted(container(x), checkpoint=model).labels_, fitted(x, checkpoint=model).labels_)


def test_origin_and_unit_do_not_matter(model, x):
    samples = [fitted(table, checkpoint=model).posterior_.samples for table in (x, 1000 * x - 7e5)]
    np.testing.assert_array_equal(*samples)


def test_what_the_model_reads_is_what_it_was_trained_on(model, x, monkeypatch, tmp_path):
    """Standardised by the function that training uses, or given as they are."""
    fed = []

    def spy(model, batch, *args, **options):
        fed.append(batch)
        return torch.zeros(1, 30, dtype=torch.int64), torch.zeros(1), torch.ones(1, dtype=torch.bool)

    monkeypatch.setattr("graphclust.models.sampler.draw", spy)
    fitted(x, checkpoint=model)
    fitted(x, checkpoint=write_model(tmp_path / "given.safetensors", features="given"))
    np.testing.assert_array_equal(fed[0].x[0].numpy(), standardised(x[None], np.array([30]))[0])
    np.testing.assert_array_equal(fed[1].x[0].numpy(), x.astype(np.float32))
    assert fed[0].adjacency is None


def test_known_labels_hold_for_points(model, x):
    fit = fitted(x, checkpoint=model, known={0: "a", 1: "a", 2: "b"})
    for labels in (fit.labels_, *fit.posterior_.samples):
        assert labels[0] == labels[1] != labels[2]


@pytest.mark.parametrize("n", [1, 3, 51])
def test_numbers_outside_the_trained_range_are_noted(model, n):
    notes = fitted(np.random.default_rng(0).normal(size=(n, 2)) if n > 1 else np.zeros((1, 2)), checkpoint=model).notes_
    assert noted(notes, "outside-trained-range") == {"what": "points", "number": n, "trained": [20, 50]}


def test_more_clusters_than_in_training_are_noted(model, x, monkeypatch):
    monkeypatch.setattr("graphclust.models.sampler.draw", lambda *_: every_point_alone(40))
    notes = fitted(np.tile(x, (2, 1))[:40], checkpoint=model).notes_
    assert noted(notes, "outside-trained-range") | {"what": "clusters", "number": 40} == noted(
        notes, "outside-trained-range"
    )


def every_point_alone(n):
    return torch.arange(n)[None], torch.zeros(1), torch.ones(1, dtype=torch.bool)


def test_dimensions_that_the_model_does_not_take_are_refused(model, x):
    for columns in (1, 3):
        with pytest.raises(gc.UsageError) as refused:
            fitted(np.tile(x, (1, 2))[:, :columns], checkpoint=model)
        message = str(refused.value)
        assert f"takes 2 features per point, but there are {columns}" in message
        assert "PCA" in message
        assert f"--set dimension={columns} " in message


def test_models_of_graphs_and_of_points_are_not_mixed_up(model, x):
    with pytest.raises(gc.UsageError, match="acp is a model of graphs, but the input is points"):
        fitted(x, checkpoint="acp")
    with pytest.raises(gc.UsageError, match="model of points, but the graph has edges"):
        fitted("data:karate", checkpoint=model)
    with pytest.raises(gc.UsageError, match="model of points, but the nodes have no features"):
        fitted(Graph.from_edges([], [], nodes=3), checkpoint=model)


def test_points_are_taken_to_the_model_of_the_methods_name(monkeypatch, tmp_path, x):
    for name in ("acp", "ccp"):
        shutil.copy(SHIPPED / f"{name}.safetensors", tmp_path)
    write_model(tmp_path / "acp-mixture.safetensors")
    monkeypatch.setattr(checkpoint, "SHIPPED", tmp_path)
    model = fitted(x)
    assert model.info_.data["family"] == "gaussian-mixture"
    np.testing.assert_array_equal(model.labels_, fitted(x, checkpoint="acp-mixture").labels_)
    with pytest.raises(gc.UsageError, match="there is no model of points for ccp: train one with `graphclust train"):
        gc.CCP().fit(x)


@pytest.mark.parametrize("kind", [gc.ACPS, gc.CCP])
def test_sister_methods_take_points(kind, tmp_path, x):
    path = write_model(tmp_path / "points.safetensors", kind.name)
    assert kind(checkpoint=path, **FEW).fit(x).labels_.shape == (30,)


def test_arrays_that_are_graphs_stay_graphs():
    matrix = gc.generators.planted_partition(60, 3, p_in=0.6, p_out=0.05, random_state=0).adjacency().toarray()
    from_matrix, other = (fitted(graph) for graph in (matrix, gc.as_graph(matrix)))
    np.testing.assert_array_equal(from_matrix.labels_, other.labels_)
    assert from_matrix.graph_.num_edges > 0


def test_tables_of_integers_say_that_they_were_read_as_edges(model, x):
    notes = gc.ACP(n_samples=2, random_state=0).fit(np.array([[0, 1], [1, 2], [2, 0], [2, 3]])).notes_
    assert noted(notes, "rows-as-edges") == {"n_rows": 4}
    edges = pd.DataFrame({"source": [0, 1, 2, 2], "target": [1, 2, 0, 3]})
    assert "rows-as-edges" not in codes(gc.ACP(n_samples=2, random_state=0).fit(edges).notes_)
    as_lists = gc.ACP(checkpoint=model, n_samples=8, random_state=0).fit(x.tolist())
    as_array = gc.ACP(checkpoint=model, n_samples=8, random_state=0).fit(x)
    np.testing.assert_array_equal(as_lists.labels_, as_array.labels_)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_numbers_that_are_missing_are_refused(model, x, bad):
    x[3, 1] = bad
    with pytest.raises(ValueError, match=r"NaN|infinity"):
        fitted(x, checkpoint=model)
    with pytest.raises(gc.DataError, match="missing or infinite"):
        fitted(Graph.from_edges([], [], nodes=30, x=x), checkpoint=model)


def test_command_line(model, x, tmp_path, capsysbinary):
    names = [f"point {i}" for i in range(30)]
    nodes, table = tmp_path / "nodes.graphml", tmp_path / "x.csv"
    with nodes.open("wb") as stream:
        gc.io.write_graph(Graph.from_edges([], [], nodes=names), stream, format="graphml")
    pd.DataFrame(x, index=names).to_csv(table, index_label="name")
    command = ["detect", str(nodes), "--features", str(table), "-m", "acp", "--samples", "4", "--format", "json", "-q"]
    assert run([*command, "--param", f"checkpoint={model}"]) == 0
    output = json.loads(capsysbinary.readouterr().out)
    expected = gc.detect(Graph.from_edges([], [], nodes=names, x=x), "acp", checkpoint=model, n_samples=4)
    assert output["nodes"] == names
    assert output["labels"] == expected.labels.tolist()
    assert len(output["confidence"]) == 30

    assert run(["detect", "data:karate", "--features", str(table), "-m", "acp"]) == 2
    message = capsysbinary.readouterr().err.decode()
    assert "acp reads --features only if the graph has no edges" in message
    assert "clam, cnc, lnscc" in message
    assert run(["detect", str(nodes), "--features", str(table), "-m", "leiden"]) == 2
    message = capsysbinary.readouterr().err.decode()
    assert "leiden does not take --features; acp, acp-s, ccp, ncp, clam, cnc, lnscc do" in message


def test_a_model_of_points_is_trained_on_the_command_line(tmp_path, x, capsysbinary):
    out = str(tmp_path / "mine.safetensors")
    size = shlex.split("--encoder point-transformer --features standardised --n-features 2 --layers 1 --dim 8")
    law = ["--set", "n=(10, 30)", "--set", "prior_std=(3.0, 15.0)", "--set", "concentration=(0.5, 2.0)"]
    steps = ["--same-size", "--steps", "2", "--eval-graphs", "2", "--device", "cpu", "-q", "--out", out]
    assert run(["train", "acp", "--family", "gaussian-mixture", *law, *size, *steps]) == 0
    info = checkpoint.read_info(out)
    assert (info.model["features"], info.model["n_features"]) == ("standardised", 2)
    assert info.held_out["n_graphs"] == 2
    assert fitted(x, checkpoint=out).labels_.shape == (30,)
