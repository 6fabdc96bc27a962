"""graphclust reproduce: the table on a handful of graphs."""

from __future__ import annotations

import gzip
import json
import shlex
import sys
from dataclasses import replace
from functools import partial

import networkx as nx
import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.metrics import silhouette_score

import graphclust as gc
from graphclust.cli import run
from graphclust.datasets import cache
from graphclust.errors import DataError, UsageError
from graphclust.generators import pairs
from graphclust.models.build import build
from graphclust.reproduce import acp_families, acp_fig4, acp_table1, acp_table2, acp_table3, acp_table4, clam_tables
from graphclust.training import checkpoints as checkpoint
from tests.estimating import featured
from tests.marks import slow


@pytest.fixture(autouse=True)
def _only_shipped_models(monkeypatch, tmp_path):
    """What the training queue has left in the checkout changes no test."""
    monkeypatch.setattr(checkpoint, "_TRAINED", tmp_path / "results")


def test_table_of_a_few_graphs(tmp_path, capsysbinary, monkeypatch):
    monkeypatch.setattr(acp_table2, "PEERS", ("leiden", "spectral"))
    monkeypatch.setattr(acp_table2, "calibrate", partial(acp_table2.calibrate, n_samples=16))
    monkeypatch.setattr(sys, "argv", ["graphclust", "reproduce", "acp-table2", "--graphs", "2"])
    out, figure = tmp_path / "table.json", tmp_path / "reliability.png"
    options = ["--graphs", "2", "--samples", "4", "--format", "json", "--quiet"]
    assert run(["reproduce", "acp-table2", *options, "--out", str(out), "--figure", str(figure)]) == 0
    content = json.loads(out.read_text())
    assert figure.read_bytes().startswith(b"\x89PNG")
    rows = {row["row"]: row for row in content["rows"]}
    assert len(rows) == 13
    assert rows["GatedGCN + Pos Enc. + ACP"]["paper_ami"] == 90.75
    ours = rows["GraphTransformer + Pos Enc. + ACP"]
    assert 50 < ours["ami"] <= 100
    assert 0 <= ours["calibration_error"] < 0.2
    assert ours["order_spread"] > 0
    assert ours["n_failed"] == 0
    assert ours["started_from"] == "random weights"
    assert ours["trained_by"] != ours["command"]
    warm, cold = (rows[f"GraphTransformer + Pos Enc. + CCP{end}"] for end in ("", " (from scratch)"))
    assert warm["started_from"] == "acp on general-sbm (153,600 graphs)"
    assert (warm["steps"], warm["graphs_trained"], warm["full_size"]) == (1000, 169_600, False)
    assert warm["elbo"] < 0
    assert "ami" not in cold
    assert ["--start acp" in row["command"] for row in (warm, cold)] == [True, False]
    assert {row["architecture"].split(":")[0] for row in content["rows"][:9]} == {"paper's"}
    assert {row["architecture"].split(":")[0] for row in content["rows"][9:]} == {"ours"}
    assert all(row["command"].startswith("graphclust train ") for row in content["rows"])
    assert [row["row"] for row in content["peers"]] == ["leiden", "spectral (true K)"]
    assert content["settings"]["n_graphs"] == 2
    assert content["settings"]["command"] == "graphclust reproduce acp-table2 --graphs 2"


def test_commands_of_the_rows_are_commands(monkeypatch):
    """Each is taken by the command line, and asks for the published settings."""
    seen = []
    monkeypatch.setattr(
        "graphclust.training.clusterwise.train_clusterwise", lambda *args, **more: seen.append((args, more)) or 1 / 0
    )
    for row in acp_table2.ROWS:
        with pytest.raises(ZeroDivisionError):
            run([word.strip('"') for word in row.command.split()[1:]])
        (model, data, settings, out), more = seen[-1]
        assert out == f"{row.checkpoint}.safetensors"
        assert (data.family, data.batch_size, settings.steps, more["n_z"]) == ("general-sbm", 32, 20_000, 40)
        assert (model.n_features, model.dim, model.n_layers, model.n_heads, model.n_inducing) == (20, 128, 4, 4, 32)
        if row.ami is not None:
            assert (settings.learning_rate, settings.schedule, settings.average) == (1e-4, "constant", 0)


SMALL = ["--encoder", "graph-transformer", "--dim", "8", "--layers", "1", "--n-features", "4", "--n-z", "2"]
BRIEF = ["--steps", "2", "--batch-size", "2", "--eval-graphs", "0", "--device", "cpu", "--quiet"]


def test_a_model_from_scratch_has_a_row_of_its_own(monkeypatch, tmp_path, capsysbinary):
    model = tmp_path / "ccp-scratch.safetensors"
    assert run(["train", "ccp", *SMALL, *BRIEF, "--out", str(model)]) == 0
    monkeypatch.setattr(acp_table2, "PEERS", ())
    command = ["reproduce", "acp-table2", "--graphs", "2", "--samples", "2", "--format", "json", "--quiet"]
    with monkeypatch.context() as context:
        context.setattr(checkpoint, "shipped", dict)
        assert run([*command, "--models", str(tmp_path / "nowhere")]) == 2
        assert "there is no folder" in capsysbinary.readouterr().err.decode()
        assert run([*command, "--models", str(tmp_path)]) == 0
    rows = json.loads(capsysbinary.readouterr().out)["rows"]
    (row,) = (row for row in rows if "ami" in row)
    assert row["row"].endswith("CCP (from scratch)")
    assert (row["started_from"], row["steps"], row["graphs_trained"]) == ("random weights", 2, 4)
    shipped = checkpoint.shipped()
    monkeypatch.setattr(acp_table2, "available_models", lambda _: {"ccp-scratch": shipped["ccp"]})
    assert run(command) == 2
    assert "ccp-scratch was not trained from scratch but from acp" in capsysbinary.readouterr().err.decode()
    monkeypatch.setattr(acp_table2, "available_models", lambda _: {"acp-gated-gcn-laplacian": shipped["acp"]})
    assert run(command) == 2
    assert "encoder graph-transformer, not gated-gcn" in capsysbinary.readouterr().err.decode()


@pytest.fixture
def small_spikes_model(tmp_path):
    """An ACP that has seen two small batches of spikes: what matters is what the table does with it."""
    path = tmp_path / "acp.safetensors"
    size = ["--dim", "16", "--layers", "3", "--n-z", "2", "--batch-size", "3", "--steps", "2", "--eval-graphs", "0"]
    options = ["--family", "spikes", "--encoder", "spikes", "--set", "n=(8, 14)", "--quiet", "--out", str(path)]
    assert run(["train", "acp", *size, *options]) == 0
    return path


def test_spikes_table_of_a_few_sets(small_spikes_model, monkeypatch, capsysbinary):
    monkeypatch.setattr(acp_table1, "available_models", lambda _: {"acp-spikes": small_spikes_model})
    monkeypatch.setattr(acp_table1, "SIZES", (20, 30, 50))
    monkeypatch.setattr(acp_table1, "PEERS", {name: acp_table1.PEERS[name] for name in ("k-means (true K)",)})
    monkeypatch.setattr(acp_table1, "METHODS", ("ccp", "acp", "ncp", "k-means (true K)"))
    command = ["reproduce", "acp-table1", "--graphs", "3", "--samples", "2", "--format", "json"]
    assert run(command) == 0
    written = capsysbinary.readouterr()
    table = json.loads(written.out)
    assert "synthetic" in table["settings"]["data"]
    rows = {row["row"]: row for row in table["rows"]}
    assert list(rows) == [f"{model}, N = {n}" for model in ("CCP", "ACP", "NCP") for n in (20, 30, 50)]
    assert [row["paper_ami"] for row in table["rows"]] == [83.1, 81.7, 81.5, 88.0, 86.7, 86.1, 87.8, 86.5, 88.8]
    assert (rows["ACP, N = 20"]["paper_elbo"], rows["NCP, N = 20"]["paper_elbo"]) == (-13.0, None)
    for name, row in rows.items():
        assert ("ami" in row) == name.startswith("ACP")
    measured = rows["ACP, N = 30"]
    assert (measured["sets"], measured["n_failed"], measured["graphs_trained"]) == (3, 0, 6)
    assert -20 < measured["ami"] <= 100
    assert measured["elbo"] < 0
    assert measured["full_size"] is False
    assert written.err.decode().count("graphclust train ccp --family spikes") == 1
    peers = {row["row"]: row for row in table["peers"]}
    assert list(peers) == [f"{name}, N = {n}" for name in acp_table1.PEERS for n in (20, 30, 50)]
    reported = peers["k-means (true K), N = 50"]
    assert (reported["k_right"], reported["sets"]) == (1, 3)
    assert 30 < reported["ami"] <= 100


def test_the_spikes_table_scores_what_the_methods_find(monkeypatch):
    """A peer that answers with the truth has 100, one that tells nothing 0; all see the same sets."""
    seen = []
    monkeypatch.setattr(acp_table1, "SIZES", (30, 20, 25))
    right, wrong = ((lambda x, truth, seed: seen.append(x) or truth), (lambda x, truth, seed: np.zeros_like(truth)))
    monkeypatch.setattr(acp_table1, "PEERS", {"right": right, "wrong": wrong})
    monkeypatch.setattr(acp_table1, "METHODS", ("right", "wrong"))
    table = acp_table1.reproduce(n_graphs=4)
    assert [(row["n"], row["ami"]) for row in table["peers"][:3]] == [(30, 100), (20, 100), (25, 100)]
    assert all(row["ami"] == 0 for row in table["peers"][3:])
    assert [len(x) for x in seen] == [30] * 4 + [20] * 4 + [25] * 4
    again = acp_table1._point_sets(30, 4)
    for x, (components, labels) in zip(seen, again, strict=False):
        np.testing.assert_array_equal(x, components)
        assert len(np.unique(labels)) > 1


def test_a_checkpoint_that_is_not_the_rows(small_spikes_model, monkeypatch):
    monkeypatch.setattr(acp_table1, "available_models", lambda _: {"ccp-spikes": small_spikes_model})
    with pytest.raises(DataError, match="but it is acp with the encoder spikes"):
        acp_table1.reproduce(n_graphs=2, methods=("ccp",))


def test_tables_that_are_none(capsysbinary):
    assert run(["reproduce", "acp-table5"]) == 2
    assert "did you mean acp-table" in capsysbinary.readouterr().err.decode()


def test_test_graphs_are_no_training_graphs():
    from graphclust.training.synthetic import HELD_OUT, TEST, DataConfig, SyntheticBatches

    config = acp_table2._classical().config
    first = [SyntheticBatches(config, DataConfig(seed=seed), train=False)[0][0] for seed in (0, 1, HELD_OUT, TEST)]
    sizes = [batch.mask.sum(dim=1).tolist() for batch in first]
    assert len({tuple(size) for size in sizes}) == 4
    assert not np.array_equal(sizes[0], sizes[-1])


def test_chains_of_the_cluster_table(capsysbinary):
    """Exact inference knows the blocks of a graph that Leiden does not see."""
    command = ["reproduce", "acp-table3", "--graphs", "2", "--method", "chains", "--method", "leiden"]
    assert run([*command, "--format", "json", "--quiet"]) == 0
    table = json.loads(capsysbinary.readouterr().out)
    rows = {row["labels"]: row for row in table["rows"]}
    assert rows["one a block"]["accuracy"] > 70
    assert rows["none"]["ami"] > table["peers"][0]["ami"]


@pytest.mark.parametrize("chains", [(), *slow(("acp + chains", "chains"))])
def test_cluster_table_of_a_few_graphs(chains, monkeypatch, capsysbinary):
    """With the General-SBM model in the place of one trained on CLUSTER: what matters is what is done with it."""
    monkeypatch.setattr(acp_table3, "available_models", lambda _: {"acp-cluster": checkpoint.shipped()["acp"]})
    command = ["reproduce", "acp-table3", "--graphs", "2", "--format", "json"]
    methods = ("acp", "ccp, GatedGCN", *chains, *(["auto"] if chains else []), "leiden")
    assert run([*command, *(word for name in methods for word in ("--method", name))]) == 0
    written = capsysbinary.readouterr()
    table = json.loads(written.out)
    rows = {(row["method"], row["labels"]): row for row in table["rows"]}
    peers = {(row["method"], row["labels"]): row for row in table["peers"]}
    assert {name for name, _ in peers} == set(methods) & {"auto", "leiden"}
    assert ("leiden", "one a block") not in peers
    assert rows["acp", "none"]["paper_ami"] == 63.67
    assert rows["acp", "one a block"]["graphs"] == 2
    missing = rows["ccp, GatedGCN", "one a block"]
    assert (missing["paper_ami"], missing["paper_accuracy"], missing["paper_elbo"]) == (63.96, 71.76, -57.77)
    assert missing["architecture"] == "paper's: gated-gcn, 16 layers of 78"
    assert "ami" not in missing
    assert written.err.decode().count("graphclust train ccp --family cluster") == 1
    for start in chains:  # exact inference beats the rest from any start
        assert rows[start, "one a block"]["accuracy"] > rows["acp", "one a block"]["accuracy"] + 10
        assert rows[start, "one a block"]["accuracy"] > 70
        assert rows[start, "none"]["ami"] > peers["leiden", "none"]["ami"]
        assert "elbo" not in rows[start, "none"]
    for labels in ("none", "one a block"):
        row = rows["acp", labels]
        assert row["architecture"] == "ours: graph-transformer, 4 layers of 128"
        assert -1000 < row["elbo"] < -30
        assert row["elbo_se"] > 0
        assert row["accuracy"] != row["accuracy_balanced"]
    assert rows["acp", "none"]["elbo"] != rows["acp", "one a block"]["elbo"]
    assert all(row["n_failed"] == 0 for row in (*rows.values(), *peers.values()) if "ami" in row)


@pytest.mark.slow
def test_cluster_rows_of_the_published_architecture(monkeypatch, tmp_path, capsysbinary):
    """A model of the published architecture is measured in its row, any other is refused there."""
    config = acp_table3._MODELS["ccp, GatedGCN"].config
    info = checkpoint.CheckpointInfo(
        replace(config, n_labels=16).to_dict(), {"family": "cluster", "parameters": {}}, (30, 204), (6, 6), 5, 160
    )
    path = tmp_path / "ccp-cluster.safetensors"
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        checkpoint.save_checkpoint(path, build(info.config).state_dict(), info)
    monkeypatch.setattr(acp_table3, "available_models", lambda _: {"ccp-cluster": path})
    command = ["reproduce", "acp-table3", "--graphs", "2", "--method", "ccp, GatedGCN", "--format", "json", "--quiet"]
    assert run(command) == 0
    rows = json.loads(capsysbinary.readouterr().out)["rows"]
    for row, paper in zip(rows, ((63.52, 71.35, -59.81), (63.96, 71.76, -57.77)), strict=True):
        assert (row["paper_ami"], row["paper_accuracy"], row["paper_elbo"]) == paper
        assert row["architecture"] == "paper's: gated-gcn, 16 layers of 78"
        assert (row["started_from"], row["steps"], row["graphs_trained"]) == ("random weights", 5, 160)
        assert row["full_size"] is False
        assert row["graphs"] == 2
        assert {"accuracy", "accuracy_balanced", "elbo"} <= row.keys()
    assert {"paper_accuracy", "accuracy", "accuracy_balanced", "paper_elbo", "elbo"} <= set(acp_table3.COLUMNS)
    monkeypatch.setattr(acp_table3, "available_models", lambda _: {"ccp-cluster": checkpoint.shipped()["ccp"]})
    assert run(command) == 2
    assert "does not have the published architecture" in capsysbinary.readouterr().err.decode()


def test_accuracy_is_pooled_by_class_with_known_nodes_named():
    truth = np.array([0, 0, 1, 1, 2, 2, 3, 4, 5])
    labelled = np.array([1, 2, 4, 6, 7, 8])
    assert acp_table3._right(truth, np.array([0, 0, 1, 2, 2, 2, 3, 4, 5]), labelled).tolist() == [1, 1, 1, 0, *[1] * 5]
    relabelled = np.array([7, 7, 0, 0, 0, 3, 1, 2, 4])
    assert acp_table3._right(truth, relabelled, None).sum() == 8
    blocks = acp_table3._into_six_blocks(np.array([0] * 20 + [1]), np.random.default_rng(0))
    assert len(np.unique(blocks)) == 6
    assert len(np.unique(acp_table3._into_six_blocks(np.arange(30), np.random.default_rng(0)))) == 6


def test_pairs_table_of_a_few_graphs(shared_data, monkeypatch, capsysbinary, tmp_path):
    monkeypatch.setenv("GRAPHCLUST_DATA", str(shared_data))
    model = tmp_path / "small.safetensors"
    data = ["--family", "community-pairs", "--set", "data=com-dblp", "--set", "split_seed=1", "--same-size"]
    assert run(["train", "acp", *data, *SMALL, *BRIEF, "--out", str(model)]) == 0
    command = ["reproduce", "acp-table4", "--graphs", "2", "--data", "com-dblp", "--format", "json", "--quiet"]
    command += ["--method", "acp", "--method", "acp, GatedGCN", "--method", "spectral", "--method", "label-propagation"]
    assert run([*command, "--checkpoint", str(model), "--checkpoint", "acp"]) == 2
    assert "acp was trained on general-sbm" in capsysbinary.readouterr().err.decode()
    assert run([*command, "--checkpoint", str(model)]) == 0
    table = json.loads(capsysbinary.readouterr().out)
    row, literal = table["rows"]
    assert (row["paper_accuracy"], row["graphs"], row["n_failed"]) == (85.09, 4, 0)
    assert (row["models"], row["splits"], [run["split"] for run in row["runs"]]) == (2, 2, [0, 1])
    assert row["ami"] == pytest.approx(np.mean([run["ami"] for run in row["runs"]]))
    assert row["elbo"] == pytest.approx(np.mean([run["elbo"] for run in row["runs"]]))
    assert row["steps"] == [1050, 2]
    assert "ami_se" not in row
    assert row["runs"][0]["ami_se"] > 0
    assert row["started_from"] == "acp on general-sbm (236,800 graphs); random weights"
    assert literal["architecture"] == "paper's: gated-gcn, 4 layers of 128"
    assert "ami" not in literal
    assert literal["paper_elbo"] == row["paper_elbo"] == -7.48
    assert all((peer["splits"], peer["graphs"]) == (2, 4) for peer in table["peers"])
    assert {"spectral (true K)", "label-propagation"} == {peer["method"] for peer in table["peers"]}
    assert all(30 < peer["accuracy"] <= 100 for peer in table["peers"])
    assert table["networks"]["com-dblp"]["is_fragment"] is False


def test_the_fragment_of_amazon(shared_data, monkeypatch, capsysbinary):
    """Its size stands in every row; models of other networks are measured on all its pairs."""
    monkeypatch.setenv("GRAPHCLUST_DATA", str(shared_data))
    command = ["reproduce", "acp-table4", "--data", "com-amazon", "--data", "com-amazon, all pairs", "--graphs", "4"]
    options = ["--method", "acp", "--method", "ccp, GatedGCN", "--method", "leiden", "--format", "json"]
    assert run([*command, *options]) == 0
    written = capsysbinary.readouterr()
    table = json.loads(written.out)
    assert all("fragment of 13,178 nodes" in row["row"] for row in (*table["rows"], *table["peers"]))
    network = table["networks"]["com-amazon"]
    assert network["pairs"] == {"0": {"train": 12, "test": 1}}
    assert (network["nodes"], network["edges"], network["is_fragment"]) == (13_178, 33_767, True)
    assert network["paper"]["pairs"] == {"train": 713, "test": 120}
    assert "(published: 713 and 120)" in written.err.decode()
    rows = {row["method"]: row for row in table["rows"]}
    assert "ami" not in rows["acp"]
    assert rows["acp"]["paper_accuracy"] == 94.73
    assert rows["ccp, GatedGCN"]["paper_ami"] == 89.26
    assert rows["acp, trained on com-dblp"]["graphs"] == 4
    assert rows["acp, trained on com-dblp"]["accuracy"] > 80
    assert 0 <= rows["acp, trained on com-dblp"]["ami_se"] < 50
    assert ["ami_se" in peer for peer in table["peers"]] == [False, True]  # one pair has no standard error
    assert [peer["graphs"] for peer in table["peers"]] == [1, 4]


@pytest.fixture
def amazon(tmp_path, monkeypatch):
    """A ring of 30 cliques of 12 products in the format of SNAP's files, under the name of com-Amazon."""
    folder = tmp_path / "data" / "snap"
    folder.mkdir(parents=True)
    edges = list(nx.ring_of_cliques(30, 12).edges)
    head = f"# Undirected graph\n# Nodes: 360 Edges: {len(edges)}\n# FromNodeId\tToNodeId\n"
    text = head + "".join(f"{u}\t{v}\n" for u, v in edges)
    (folder / "com-amazon.ungraph.txt.gz").write_bytes(gzip.compress(text.encode()))
    groups = ["\t".join(map(str, range(first, first + 12))) for first in range(0, 360, 12)]
    (folder / "com-amazon.top5000.cmty.txt.gz").write_bytes(gzip.compress("\n".join([*groups, groups[0], ""]).encode()))
    monkeypatch.setenv("GRAPHCLUST_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    pairs._pairs.cache_clear()
    pairs._by_size.cache_clear()
    yield folder
    pairs._pairs.cache_clear()
    pairs._by_size.cache_clear()


def test_files_of_amazon_train_and_make_the_table(amazon, tmp_path, capsysbinary):
    """Each clique touches the next: of 30, a pair is of one part if both of its cliques are."""
    model = tmp_path / "small.safetensors"
    data = ["--family", "community-pairs", "--set", "data=com-amazon"]
    assert run(["train", "ccp", *data, *SMALL, *BRIEF, "--out", str(model)]) == 0
    command = ["reproduce", "acp-table4", "--data", "com-amazon", "--method", "ccp", "--method", "leiden"]
    assert run([*command, "--checkpoint", str(model), "--format", "json", "--quiet"]) == 0
    table = json.loads(capsysbinary.readouterr().out)
    in_train = np.zeros(30, dtype=bool)
    in_train[np.random.default_rng(0).permutation(30)[:21]] = True
    both = [in_train[i] and in_train[(i + 1) % 30] for i in range(30)]
    none = [not in_train[i] and not in_train[(i + 1) % 30] for i in range(30)]
    network = table["networks"]["com-amazon"]
    assert network["pairs"]["0"] == {"train": sum(both), "test": sum(none)}
    assert network["communities"] == 30
    assert network["pair_nodes"] == [24, 0]
    assert network["pair_edges"] == [2 * 66 + 1, 0]
    (row,) = table["rows"]
    assert row["data"] == "com-amazon, fragment of 360 nodes"
    assert (row["graphs"], row["models"]) == (sum(none), 1)
    assert row["started_from"] == "random weights"
    assert table["peers"][0]["accuracy"] == 100


def test_a_split_without_test_pairs_is_refused_at_once(amazon, tmp_path, monkeypatch, capsysbinary):
    groups = ["\t".join(map(str, range(first, first + 12))) for first in range(0, 48, 12)]
    (amazon / "com-amazon.top5000.cmty.txt.gz").write_bytes(gzip.compress("\n".join(groups).encode()))
    model = tmp_path / "small.safetensors"
    command = ["train", "ccp", "--family", "community-pairs", "--set", "data=com-amazon", *SMALL, *BRIEF]
    evaluated = [
        "10" if before == "--eval-graphs" else word for before, word in zip(["", *command], command, strict=False)
    ]
    assert run([*evaluated, "--out", str(model)]) == 1
    assert "com-amazon has no pairs of test communities" in capsysbinary.readouterr().err.decode()
    assert not model.exists()
    assert run([*command, "--out", str(model)]) == 0
    table = ["reproduce", "acp-table4", "--data", "com-amazon", "--method", "leiden", "--method", "ccp", "--quiet"]
    assert run([*table, "--checkpoint", str(model)]) == 2
    assert "train it on another split (--set split_seed=N)" in capsysbinary.readouterr().err.decode()
    assert run([*table, "--format", "json"]) == 0
    content = json.loads(capsysbinary.readouterr().out)
    assert not any("ami" in row for row in (*content["rows"], *content["peers"]))


def test_a_network_without_pairs_has_no_scores(amazon, capsysbinary):
    (amazon / "com-amazon.top5000.cmty.txt.gz").write_bytes(gzip.compress(b"0\t1\t2\n3\t4\n"))
    command = ["reproduce", "acp-table4", "--method", "acp", "--method", "leiden", "--format", "json", "--quiet"]
    assert run([*command, "--data", "com-amazon", "--data", "com-amazon, all pairs"]) == 0
    content = json.loads(capsysbinary.readouterr().out)
    assert content["networks"]["com-amazon"]["pair_nodes"] is None
    assert [row["method"] for row in content["rows"]] == ["acp"]
    assert not any("ami" in row for row in (*content["rows"], *content["peers"]))


def test_networks_that_are_not_here(tmp_path, monkeypatch, capsysbinary):
    """By default their rows have the paper's numbers; one that is asked for by its name is refused."""
    monkeypatch.setenv("GRAPHCLUST_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))

    def offline(url, target):
        raise DataError("no connection to snap.stanford.edu")

    monkeypatch.setattr(cache, "_retrieve", offline)
    assert run(["reproduce", "acp-table4", "--format", "json"]) == 0
    written = capsysbinary.readouterr()
    table = json.loads(written.out)
    rows = {(row["data"], row["method"]): row for row in table["rows"]}
    assert len(rows) == 4 * 6
    assert table["peers"] == []
    assert not any("ami" in row for row in rows.values())
    assert rows["com-livejournal", "ccp, GatedGCN"]["paper_ami"] == 81.82
    assert "com-livejournal is not on this machine: put these files below" in written.err.decode()
    assert run(["reproduce", "acp-table4", "--data", "com-livejournal", "--quiet"]) == 1
    error = capsysbinary.readouterr().err.decode()
    assert "com-livejournal is not on this machine" in error
    assert f"put these files below {tmp_path / 'data'}" in error
    assert "snap/com-lj.ungraph.txt.gz" in error


@pytest.mark.parametrize(
    ("own", "ancestor", "message"),
    [
        ({"split": "all"}, None, "has seen test pairs"), ({"split_seed": 2}, {}, "has seen test pairs of split 2"),
        ({"split_seed": 2}, {"split_seed": 2}, None), ({}, {"data": "com-youtube", "split_seed": 1}, None),
    ],
)  # fmt: skip
def test_models_that_have_seen_test_pairs_are_refused(own, ancestor, message):
    info = checkpoint.read_info("acp-dblp")
    data = {"family": "community-pairs", "parameters": {"data": "com-dblp"} | own}
    before = {"command": "", "graphs": 1, "data": {"family": "community-pairs", "parameters": ancestor or {}}}
    info = replace(info, data=data, ancestors=[] if ancestor is None else [before])
    if message is None:
        assert acp_table4._Model("m", "m", info).split() == own.get("split_seed", 0)
    else:
        with pytest.raises(UsageError, match=message):
            acp_table4._Model("m", "m", info).split()
    assert acp_table4._Model("m", "m", info).has_seen("com-youtube") == bool(ancestor and "data" in ancestor)
    for name in ("com-amazon-all", "COM_AMAZON", "folder/com-amazon.ungraph.txt.gz"):
        seen = acp_table4._Model("m", "m", replace(info, data=data | {"parameters": {"data": name}}, ancestors=[]))
        assert seen.has_seen("com-amazon")
        after = replace(info, data=data | {"parameters": {"data": "com-amazon", "split_seed": 1}}, ancestors=[])
        after = replace(after, ancestors=[before | {"data": data | {"parameters": {"data": name}}}])
        with pytest.raises(UsageError, match="has seen test pairs of split 1"):
            acp_table4._Model("m", "m", after).split()
    older = replace(info, ancestors=[{"command": "graphclust train acp --family community-pairs", "graphs": 1}])
    with pytest.raises(UsageError, match="does not record which pairs"):
        acp_table4._Model("m", "m", replace(older, data={"family": "community-pairs", "parameters": {}})).split()


def test_a_search_without_k_clusters_counts_as_0(monkeypatch):
    x = np.arange(12.0)[:, None]
    labels = np.repeat([0, 1], 6)
    monkeypatch.setattr(clam_tables, "_candidates", lambda method, x, k, seed, quick: [labels] if seed == 1 else [])
    row = clam_tables._measure(clam_tables.TABLES["zoo"], x, labels, "clam", 4, 0, True)
    assert (row["repeats"], row["n_failed"], row["nmi"]) == (4, 3, pytest.approx(0.25))
    assert row["silhouette"] == pytest.approx(silhouette_score(x, labels) / 4, abs=1e-4)


def test_a_table_that_is_not_here(monkeypatch, tmp_path):
    monkeypatch.setenv("GRAPHCLUST_DATA", str(tmp_path))
    with pytest.raises(DataError):
        clam_tables.reproduce(data=("zoo",), methods=("clam",))


def test_the_error_of_a_mean_over_a_grid():
    cells = pd.DataFrame({"a": [1, 1, 2, 2], "b": 1, "ami": [1.0, 3.0, 10.0, 10.0]})
    assert acp_fig4._standard_error(cells) == pytest.approx(0.5)  # of (1 + 3) / 2: 1; of 10 and 10: none


def test_maps_of_a_few_points(monkeypatch, tmp_path, capsysbinary):
    monkeypatch.setattr(acp_fig4, "_CHECKPOINTS", {"acp": "acp", "ccp": "none"})
    monkeypatch.setattr(acp_fig4, "_PANELS", ((60, 2, 1), (60, 3, 1)))
    monkeypatch.setattr(acp_fig4, "_A", (1, 12))
    monkeypatch.setattr(acp_fig4, "_B", (1, 2))
    figure, journal = tmp_path / "maps.png", tmp_path / "journal"
    command = [
        "reproduce",
        "acp-fig4",
        "--format",
        "json",
        "--quiet",
        "--figure",
        str(figure),
        "--journal",
        str(journal),
    ]
    assert run([*command, "--method", "acp", "--method", "ccp", "--method", "spectral"]) == 0
    table = json.loads(capsysbinary.readouterr().out)
    assert figure.read_bytes().startswith(b"\x89PNG")
    assert len(journal.read_text().splitlines()) == 4 * (1 + 1) * 2
    assert [row.get("graphs") for row in table["rows"]] == [4, 4, None]
    assert "log-degree-sbm" in table["rows"][-1]["command"]
    for row in (*table["rows"][:-1], *table["peers"]):
        assert np.mean(row["map"]) == pytest.approx(row["ami"], abs=0.01)
        assert row["map"][0][1] > row["map"][0][0]  # a = 12 is easier than a = 1
    assert table["axes"] == {"a": [1, 12], "b": [1, 2]}
    assert run(["reproduce", "acp-fig4", "--method", "ccp", "--figure", str(figure)]) == 2
    assert "no maps to draw" in capsysbinary.readouterr().err.decode()


CLUSTER = {name: entry.command() for name, entry in acp_table3._MODELS.items()}
PAIRS = [name for name in acp_table4.METHODS if name not in acp_table4.PEERS and "probable" not in name]


@pytest.fixture
def trained_with(monkeypatch):
    """What a command asks of the training, which is not carried out."""
    seen = []
    monkeypatch.setattr(
        "graphclust.training.clusterwise.train_clusterwise", lambda *args, **more: seen.append((args, more)) or 1 / 0
    )

    def ask(command):
        with pytest.raises(ZeroDivisionError):
            run([*shlex.split(command)[1:], "--quiet"])
        (model, data, settings, out), more = seen[-1]
        return model, data, settings, out, more

    return ask


@pytest.mark.parametrize("command", [acp_fig4._command(name) for name in ("acp", "ccp")])
def test_commands_of_missing_checkpoints_are_commands(trained_with, command):
    model, data, settings, _, more = trained_with(command)
    assert data.family == "log-degree-sbm"
    assert (settings.steps, settings.learning_rate, more["n_z"], model.encoder) == (20_000, 1e-4, 40, "gated-gcn")


@pytest.mark.parametrize("name", CLUSTER)
def test_commands_of_cluster_train_what_the_rows_say(trained_with, name):
    model, data, settings, out, more = trained_with(CLUSTER[name])
    entry = acp_table3._MODELS[name]
    assert replace(model, n_labels=0) == entry.config
    assert model.n_labels >= 6
    assert (data.family, data.batch_size, settings.steps, more["n_z"]) == ("cluster", 32, 60_000, 40)
    assert out == f"{entry.checkpoint}.safetensors"
    if "GatedGCN" in name:
        assert (model.encoder, model.n_layers, model.dim_encoder, settings.learning_rate) == ("gated-gcn", 16, 78, 1e-4)
        assert (settings.schedule, settings.average, more["start"]) == ("constant", 0, None)


@pytest.mark.parametrize("network", acp_table4.DATA)
@pytest.mark.parametrize("method", PAIRS)
def test_commands_of_pairs_train_what_the_rows_say(trained_with, method, network):
    model, data, settings, out, more = trained_with(acp_table4._command(method, network))
    assert (data.family, data.parameters["data"], data.batch_size) == ("community-pairs", network, 16)
    assert (settings.steps, model.model) == (5000, method.partition(",")[0])
    literal = "GatedGCN" in method
    assert (model.encoder, model.n_layers, model.dim_encoder or model.dim) == (
        ("gated-gcn", 4, 128) if literal else ("graph-transformer", 4, 128)
    )
    assert out == f"{acp_table4._NAMES[method]}-{network.removeprefix('com-')}.safetensors"
    if literal:
        assert (settings.learning_rate, settings.schedule, more["n_z"], more["start"]) == (1e-4, "constant", 40, None)


@pytest.mark.parametrize("name", ["acp", "ccp", "ncp"])
def test_commands_of_spikes_train_what_the_rows_say(trained_with, name):
    model, data, settings, _, more = trained_with(acp_table1._command(name))
    assert (model.model, model.encoder, model.features, model.n_features) == (name, "spikes", "given", 7 * 32)
    assert (data.family, data.parameters) == ("spikes", {"n": (200, 400)})
    assert (settings.steps, settings.learning_rate, more["n_z"]) == (20_000, 1e-4, 40)


@pytest.mark.parametrize("epochs", [5, *slow(200)])
def test_tables_of_clam(shared_data, monkeypatch, capsysbinary, epochs):
    monkeypatch.setenv("GRAPHCLUST_DATA", str(shared_data))
    monkeypatch.setattr(clam_tables, "CLAM", partial(clam_tables.CLAM, max_epochs=epochs))
    command = ["reproduce", "clam-table1", "--quick", "--data", "zoo", "--format", "json", "--quiet"]
    assert run([*command, "--method", "k-means", "--method", "clam", "--method", "agglomerative"]) == 0
    rows = {row["method"]: row for row in json.loads(capsysbinary.readouterr().out)["rows"]}
    assert rows["k-means"]["silhouette"] == pytest.approx(0.374, abs=0.01)
    assert rows["clam"]["silhouette"] > rows["k-means"]["silhouette"]
    assert rows["agglomerative"]["silhouette"] == pytest.approx(rows["agglomerative"]["paper"], abs=0.01)
    assert (rows["clam"]["n"], rows["clam"]["d"], rows["clam"]["k"], rows["clam"]["paper"]) == (101, 16, 7, 0.412)
    assert 0.5 < rows["clam"]["nmi"] <= 1


def test_tables_of_graphs(monkeypatch):
    """Those of CLAM and LNSCC, with a small graph in the place of Cora."""
    from graphclust.reproduce import clam_graphs, lnscc_graphs

    graph = featured(0, n=60)
    monkeypatch.setattr("graphclust.datasets.load", lambda name: graph)
    monkeypatch.setattr(clam_graphs, "_COMPONENTS", 2)
    monkeypatch.setattr(clam_graphs, "CLAM", partial(clam_graphs.CLAM, max_epochs=2, n_init=1))
    brief = partial(lnscc_graphs.LNSCC, training={"hidden": (8,)}, max_epochs=1)
    monkeypatch.setattr(lnscc_graphs, "LNSCC", brief)
    monkeypatch.setattr(lnscc_graphs, "table_of", lambda name: (graph.x, graph.y))
    rows = clam_graphs.reproduce(data=("cora",), repeats=2)["rows"]
    assert [(row["vectors"], row["method"], row["d"], row["k"]) for row in rows] == [
        (kind, method, d, 3) for kind, d in (("smoothed", 2), ("spectral", 3)) for method in ("k-means", "clam")
    ]
    assert rows[0]["accuracy"] > 0.6
    assert all(row["accuracy_sd"] >= 0 and -1 <= row["silhouette"] <= 1 for row in rows)
    rows = lnscc_graphs.reproduce(data=("cora",), quick=True)["rows"]
    assert [row["method"] for row in rows] == list(lnscc_graphs.METHODS)
    assert {row["method"]: row for row in rows}["spectral"]["accuracy"] > 0.6


@pytest.mark.slow
def test_node_embeddings_of_clam(shared_data, monkeypatch, capsysbinary):
    monkeypatch.setenv("GRAPHCLUST_DATA", str(shared_data))
    assert run(["reproduce", "clam-graphs", "--quick", "--data", "acm", "--format", "json", "--quiet"]) == 0
    rows = json.loads(capsysbinary.readouterr().out)["rows"]
    assert [(row["vectors"], row["method"]) for row in rows] == [
        (kind, method) for kind in ("smoothed", "spectral") for method in ("k-means", "clam")
    ]
    assert all(0 < row["accuracy"] <= 1 for row in rows)


def test_cuts_of_graphs(shared_data, monkeypatch, capsysbinary):
    from graphclust.reproduce import cnc_graphs

    monkeypatch.setenv("GRAPHCLUST_DATA", str(shared_data))
    monkeypatch.setattr(cnc_graphs, "CNC", partial(cnc_graphs.CNC, max_epochs=8))
    command = ["reproduce", "cnc-graphs", "--quick", "--data", "polbooks", "--format", "json"]
    assert run([*command, "--quiet"]) == 0
    table = json.loads(capsysbinary.readouterr().out)
    peers = {(row["data"], row["method"]): row for row in table["peers"]}
    for row in table["rows"]:
        assert row["found"] == [row["k"]]
        if row["method"] == "cnc":
            peer = peers[row["data"], "scikit-learn's spectral"]
            assert row["normalized_cut"] <= peer["normalized_cut"] + 1e-9


@pytest.fixture
def digits():
    """Some of the small digits of scikit-learn, in the place of every table of images."""
    from sklearn.datasets import load_digits

    x, y = load_digits(return_X_y=True)
    return lambda _: (x[:240], y[:240])


def test_tables_of_cnc(digits, monkeypatch, capsysbinary):
    """The whole way, from the command to the rows."""
    from graphclust.methods.cnc import PRESETS
    from graphclust.reproduce import cnc_tables

    monkeypatch.setattr(cnc_tables, "table_of", digits)
    quick = {"siamese_steps": 60, "hidden": (64,)}
    monkeypatch.setattr(cnc_tables, "CNC", partial(cnc_tables.CNC, max_epochs=5, training=quick))
    small = replace(PRESETS["published"]["training"], autoencoder=(32, 5), autoencoder_epochs=5, siamese=(64, 5))
    monkeypatch.setitem(PRESETS["published"], "training", small)
    assert run(["reproduce", "cnc-table1", "--quick", "--format", "json", "--quiet"]) == 0
    rows = {row["method"]: row for row in json.loads(capsysbinary.readouterr().out)["rows"]}
    assert list(rows) == list(cnc_tables.METHODS)
    assert rows["cnc"]["accuracy"] > rows["k-means"]["accuracy"]
    assert 1 <= rows["cnc, published"]["n_clusters"] <= 10
    assert "polished_accuracy" not in rows["cnc, published"]
    split = rows["cnc 90/10"]
    assert split["accuracy"] == pytest.approx(split["train_accuracy"], abs=0.2)  # 24 new points
    assert all(0 < split[name] < 10 for name in ("normalized_cut", "spectral_cut", "embedded_cut"))


@pytest.fixture
def small_lnscc(digits, monkeypatch):
    """Both tables of LNSCC with small networks, trained briefly."""
    from graphclust.methods.lnscc import PRESETS
    from graphclust.reproduce import lnscc_ablations, lnscc_tables

    for module in (lnscc_tables, lnscc_ablations):
        monkeypatch.setattr(module, "table_of", digits)
        monkeypatch.setattr(module, "LNSCC", partial(module.LNSCC, max_epochs=6))
    for preset in PRESETS.values():
        monkeypatch.setitem(preset, "training", replace(preset["training"], hidden=(64,)))
    published = [lnscc_tables._OURS["lnscc, published"], lnscc_tables._OURS["lnscc, published, adam"]]
    for params in (*published, lnscc_ablations._VARIANTS["published, adam"][0]):
        monkeypatch.setitem(params, "max_epochs", 2)
    quick = {"siamese_steps": 60, "hidden": (64,)}
    monkeypatch.setattr(lnscc_tables, "CNC", partial(lnscc_tables.CNC, max_epochs=5, training=quick))


def rows_of(capsysbinary, *command):
    """Rows of a table that `graphclust reproduce` prints, by method."""
    assert run(["reproduce", *command, "--format", "json", "--quiet"]) == 0
    return {row["method"]: row for row in json.loads(capsysbinary.readouterr().out)["rows"]}


@pytest.mark.slow
@pytest.mark.usefixtures("small_lnscc")
def test_whole_tables_of_lnscc(capsysbinary):
    from graphclust.reproduce import lnscc_ablations, lnscc_tables

    rows = rows_of(capsysbinary, "lnscc-table2", "--quick")
    assert list(rows) == list(lnscc_tables.METHODS)
    assert rows["lnscc"]["accuracy"] > 0.7
    assert rows["lnscc, images"]["paper_accuracy"] == 0.946
    for method in ("lnscc", "spectral"):
        assert rows[f"{method}, images"]["runs"] != rows[method]["runs"]
    assert rows["lnscc, published"]["steps"] == rows["lnscc, published, adam"]["steps"] == 40  # 2 epochs of 20
    ablations = rows_of(capsysbinary, "lnscc-table4", "--repeats", "2")
    assert list(ablations) == list(lnscc_ablations.PHASES)
    assert all(len(row["runs"]) == 2 and row["accuracy_sd"] >= 0 for row in ablations.values())


@pytest.mark.usefixtures("small_lnscc")
def test_tables_of_lnscc(monkeypatch, capsysbinary):
    """The whole way, from the command to the rows."""
    from graphclust.reproduce import lnscc_ablations

    methods = ("lnscc", "lnscc, published", "spectral", "spectral, images", "k-means")
    rows = rows_of(capsysbinary, "lnscc-table2", "--quick", *(part for name in methods for part in ("--method", name)))
    assert set(rows) == set(methods)
    assert rows["lnscc"]["paper_accuracy"] == 0.946
    assert rows["lnscc"]["accuracy"] > 0.7
    assert rows["spectral, images"]["runs"] != rows["spectral"]["runs"]
    assert rows["lnscc, published"]["steps"] == 40  # 2 epochs of 20
    assert "steps" not in rows["k-means"]
    part = ["--method", "lnscc, published", "--steps", "70", "--repeats", "2"]
    row = rows_of(capsysbinary, "lnscc-table2", "--data", "mnist", *part)["lnscc, published"]
    assert (row["steps"], row["paper_accuracy"], len(row["runs"])) == (60, 0.964, 2)
    news = ["--data", "reuters21578", "--method", "spectral, images", "--method", "k-means"]
    assert list(rows_of(capsysbinary, "lnscc-table2", *news)) == ["k-means"]
    assert run(["reproduce", "lnscc-table2", *news[:4], "--quiet"]) == 2
    assert "has no images" in capsysbinary.readouterr().err.decode()
    phases = dict(list(lnscc_ablations.PHASES.items())[:1])
    monkeypatch.setattr(lnscc_ablations, "PHASES", phases)
    ablations = rows_of(capsysbinary, "lnscc-table4", "--repeats", "2")
    assert list(ablations) == list(phases)
    assert all(len(row["runs"]) == 2 and row["accuracy_sd"] >= 0 for row in ablations.values())


@pytest.mark.slow
def test_graphs_of_lnscc(shared_data, monkeypatch, capsysbinary):
    from graphclust.reproduce import lnscc_graphs

    monkeypatch.setenv("GRAPHCLUST_DATA", str(shared_data))
    monkeypatch.setattr(lnscc_graphs, "LNSCC", partial(lnscc_graphs.LNSCC, training={"hidden": (32,)}, max_epochs=2))
    assert run(["reproduce", "lnscc-graphs", "--quick", "--data", "acm", "--format", "json", "--quiet"]) == 0
    rows = json.loads(capsysbinary.readouterr().out)["rows"]
    assert [row["method"] for row in rows] == list(lnscc_graphs.METHODS)
    assert all(0 < row["accuracy"] <= 1 for row in rows)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["acp-table2", "--data", "zoo"], "not take --data"), (["acp-table1", "--method", "k-mean"], "k-means"),
        (["clam-table1", "--graphs", "5"], "not take --graphs"), (["cnc-table1", "--steps", "5"], "not take --steps"),
        (["clam-table1", "--data", "zooo"], "did you mean zoo"), (["clam-graphs", "--figure", "x.png"], "--figure"),
        (["clam-table1", "--method", "kmeans"], "k-means"), (["cnc-table1", "--data", "uspss"], "did you mean usps"),
        (["cnc-graphs", "--data", "footbal"], "did you mean football"), (["cnc-table1", "--method", "cn"], "cnc"),
    ],
)  # fmt: skip
def test_options_of_other_tables(options, message, capsysbinary):
    assert run(["reproduce", *options]) == 2
    assert message in capsysbinary.readouterr().err.decode()


def test_families_of_a_few_graphs(monkeypatch, capsysbinary):
    small = {
        "general-sbm, 50 to 300 nodes": lambda rng: gc.generators.general_sbm((50, 90), random_state=rng),
        "lfr": lambda rng: gc.generators.lfr(100, mu=0.2, random_state=rng),
    }
    names = tuple(small)
    assert set(names) <= acp_families.DATA.keys()
    monkeypatch.setattr(acp_families, "DATA", small)
    command = ["reproduce", "acp-families", "--graphs", "2", "--format", "json", "--quiet"]
    assert run([*command, "--method", "leiden", "--method", "acp"]) == 0
    table = json.loads(capsysbinary.readouterr().out)
    assert [row["row"] for row in table["rows"]] == [f"{name}: acp" for name in names]
    assert [row["row"] for row in table["peers"]] == [f"{name}: leiden" for name in names]
    for model, peer in zip(table["rows"], table["peers"], strict=True):
        assert peer["gain"] == pytest.approx(peer["ami"] - model["ami"])
        assert model["graphs_trained"] > 0
    assert table["rows"][0]["ami"] > 60
    assert run([*command, "--data", "lfrr"]) == 2
    assert "did you mean lfr" in capsysbinary.readouterr().err.decode()
    monkeypatch.setattr("graphclust.training.clusterwise.train_clusterwise", lambda *args, **more: 1 / 0)
    with pytest.raises(ZeroDivisionError):  # the command of a row is a command
        run(shlex.split(acp_families._command("acp-mixed"))[1:])
