"""The amortized methods on graphs of all kinds; the models themselves are tested in tests/models."""

from __future__ import annotations

import json

import networkx as nx
import numpy as np
import pytest

import graphclust as gc
from graphclust.cli import run
from graphclust.graph import Graph
from graphclust.metrics import ami, vi
from graphclust.problem.constraints import added_up, count_disconnected, within_components
from graphclust.results.posterior import Posterior
from graphclust.training.checkpoints import shipped
from tests.noted import codes, noted

NAMES = ["acp", "acp-s", "ccp"]


def blocks(n=90, k=3, random_state=0):
    return gc.generators.planted_partition(n, k, p_in=0.6, p_out=0.05, random_state=random_state)


@pytest.fixture(params=NAMES)
def name(request):
    return request.param


@pytest.mark.parametrize("sample", ["map", "posterior"])
def test_posterior_belongs_to_the_result(name, sample):
    graph = blocks()
    communities = gc.detect(graph, name, sample=sample, n_samples=12)
    posterior = communities.posterior
    assert posterior.samples.shape == (12, 90)
    assert list(posterior.nodes) == graph.nodes
    assert posterior.log_prob.shape == (12,)
    assert (posterior.log_prob <= 1e-4).all()
    assert sum(posterior.n_clusters().values()) == pytest.approx(1)
    assert ami(communities.labels, graph.y) > 0.9
    assert ((communities.confidence >= 0) & (communities.confidence <= 1)).all()
    np.testing.assert_allclose(communities.confidence, posterior.confidence(communities.labels))


def test_results_follow_the_callers_order(name):
    graph = blocks()
    names = [f"node {i}" for i in range(90)]
    disconnected = nx.Graph()
    disconnected.add_nodes_from(np.random.default_rng(0).permutation(names).tolist())
    disconnected.add_edges_from((names[u], names[v]) for u, v in graph.edges())
    communities = gc.detect(disconnected, name, n_samples=5)
    assert list(communities.posterior.nodes) == list(disconnected)
    truth = [int(graph.y[names.index(node)]) for node in disconnected]
    assert ami(communities.labels, truth) > 0.9
    for row in communities.posterior.samples:
        assert ami(row, truth) > 0.7


def test_a_graph_outside_the_trained_range_is_said_to_be(name):
    small = gc.detect("data:karate", name, n_samples=4)
    assert noted(small.notes, "outside-trained-range")["number"] == 34
    assert "outside-trained-range" not in codes(gc.detect(blocks(), name, n_samples=4).notes)


def test_equal_weights_count_as_none(name):
    graph = blocks()
    matrix = graph.adjacency()
    labels = gc.detect(matrix, name, n_samples=3).labels
    np.testing.assert_array_equal(labels, gc.detect(matrix * 7.0, name, n_samples=3).labels)


def test_isolated_nodes_and_components():
    first, second = blocks(60, 2), blocks(60, 2, random_state=1)
    source = np.concatenate((first.source, 60 + second.source))
    target = np.concatenate((first.target, 60 + second.target))
    graph = Graph.from_edges(source, target, nodes=125)
    communities = gc.detect(graph, "acp", n_samples=6)
    for row in [communities.labels, *communities.posterior.samples]:
        assert not set(row[:60]) & set(row[60:120])
        assert len(set(row[120:])) == 5
    np.testing.assert_allclose(communities.confidence[120:], 1)


def test_known_labels_are_respected(name):
    graph = blocks()
    rng = np.random.default_rng(0)
    known = {int(node): "abc"[graph.y[node]] for node in rng.choice(90, 30, replace=False)}
    known[int(np.flatnonzero(graph.y == 0)[0])] = "odd one out"  # against the graph: it is what the user says
    communities = gc.detect(graph, name, known=known, n_samples=8)
    for row in [communities.labels, *communities.posterior.samples]:
        for u in known:
            for v in known:
                assert (known[u] == known[v]) == (row[u] == row[v])


def test_known_labels_hold_across_components_and_without_edges():
    graph = Graph.from_edges([0, 1, 0, 3, 4, 3], [1, 2, 2, 4, 5, 5], nodes=8)
    labels = gc.detect(graph, "acp", known={0: 1, 3: 1, 6: 1, 7: 2}, n_samples=4).labels
    assert labels[0] == labels[3] == labels[6] != labels[7]
    labels = gc.detect(Graph.from_edges([], [], nodes=3), "acp", known={0: "x", 2: "x"}).labels
    assert labels[0] == labels[2] != labels[1]


def test_components_cut_samples():
    samples, component = np.array([[0, 0, 0, 0], [0, 1, 1, 1]]), np.array([0, 0, 1, 1])
    assert within_components(samples, component, None)[0].tolist() == [0, 0, 1, 1]
    before = np.array([[0, 0, 0, 0], [0, 0, 1, 1], [5, 5, 2, 2], [0, 1, 1, 1], [0, 0, 0, 0]])
    after = within_components(before, component, None)
    probabilities = np.exp(added_up(before, after, np.log([0.2, 0.3, 0.3, 0.1, 0.2])))
    np.testing.assert_allclose(probabilities, [0.5, 0.5, 0.5, 0.1, 0.5])  # each distinct one counts once
    together = within_components(samples, component, np.array([5, 0, 0, 5]))
    assert together[0, 0] == together[0, 3] == together[0, 1]


def test_seeds_matter_and_are_kept(name):
    graph = gc.generators.general_sbm(n_nodes=80, random_state=3)
    first, again, other = (gc.detect(graph, name, random_state=s, n_samples=8).posterior for s in (1, 1, 2))
    np.testing.assert_array_equal(first.samples, again.samples)
    np.testing.assert_array_equal(first.log_prob, again.log_prob)
    assert first.samples.shape == other.samples.shape


@pytest.mark.parametrize(("estimate", "answer"), [("map", 3), ("vi", 4), ("ami", 4)])
def test_the_answer_is_the_most_probable_or_the_best_compromise(monkeypatch, estimate, answer):
    """Of five partitions three are drawn; the most probable is none of them, nor is what they have in common."""
    samples = np.array([[0, 0, 0, 1, 1, 2], [0, 0, 1, 2, 2, 2], [0, 0, 0, 1, 2, 2], [0] * 6, [0, 0, 0, 1, 1, 1]])
    drawn = np.arange(5) < 3
    log_prob = np.array([-3.0, -3.0, -3.0, -1.0, -2.0])
    monkeypatch.setattr(gc.ACP, "_draw", lambda *_: (samples, log_prob, drawn))
    communities = gc.detect([(i, i + 1) for i in range(5)], "acp", estimate=estimate)
    assert communities.labels.tolist() == samples[answer].tolist()
    assert communities.posterior.samples.tolist() == Posterior(samples[:3]).samples.tolist()
    if estimate != "map":
        score = {"vi": lambda y, z: -vi(y, z), "ami": ami}[estimate]
        assert answer == np.argmax([np.mean([score(y, z) for z in samples[:3]]) for y in samples])


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"n_samples": 0}, "n_samples"),
        ({"n_samples": 2.5}, "n_samples"),
        ({"n_anchors": 0}, "n_anchors"),
        ({"n_z": -1}, "n_z"),
        ({"sample": "best"}, "sample is posterior or map"),
        ({"estimate": "best"}, "estimate is map, vi or ami"),
        ({"checkpoint": "nothing"}, "unknown checkpoint or file"),
        ({"checkpoint": "ccp"}, "checkpoint ccp is a model of ccp, not of acp"),
        ({"known": {"nobody": 1}}, "not a node of the graph"),
        ({"device": "tpu"}, "device"),
    ],
)
def test_parameters_that_make_no_sense(params, message):
    device = params.pop("device", "cpu")
    with pytest.raises(gc.UsageError, match=message):
        gc.detect(blocks(), "acp", device=device, **params)


def test_a_graph_without_nodes_has_a_posterior_of_nothing():
    communities = gc.detect(Graph.from_edges([], [], nodes=0), "acp")
    assert (communities.n_clusters, communities.posterior.samples.shape, len(communities.confidence)) == (0, (1, 0), 0)


def test_memory_is_estimated_for_large_graphs(monkeypatch):
    graph = Graph.from_edges(np.arange(49_999), np.arange(1, 50_000), nodes=50_000)
    monkeypatch.setenv("GRAPHCLUST_MEMORY", "20")
    with pytest.raises(gc.ResourceError, match=r"acp on 50,000 nodes .* needs about .*iB"):
        gc.detect(graph, "acp")


def test_command_line_posterior(tmp_path, capsysbinary):
    status = run(["detect", "data:karate", "-m", "acp", "--samples", "7", "--format", "json", "-q"])
    assert status == 0
    output = json.loads(capsysbinary.readouterr().out)
    assert sum(output["posterior"]["n_clusters"].values()) == pytest.approx(1)
    assert output["params"]["n_samples"] == 7
    assert all(0 <= value <= 1 for value in output["confidence"])
    again = gc.detect("data:karate", "acp", n_samples=7)
    assert output["labels"] == again.labels.tolist()


def test_command_line_known(tmp_path, capsysbinary):
    known = tmp_path / "known.tsv"
    known.write_text("node\tlabel\n0\tMr Hi\n33\tOfficer\n1\tMr Hi\n")
    assert run(["detect", "data:karate", "-m", "acp", "--known", str(known), "-q"]) == 0
    label = dict(line.split("\t")[:2] for line in capsysbinary.readouterr().out.decode().splitlines()[1:])
    assert label["0"] == label["1"] != label["33"]
    known.write_text("node\tlabel\n99\tx\n")
    assert run(["detect", "data:karate", "-m", "acp", "--known", str(known)]) == 1
    assert "no node with a known label is in the graph" in capsysbinary.readouterr().err.decode()
    assert run(["detect", "data:karate", "-m", "leiden", "--known", str(known)]) == 2
    assert run(["detect", "data:karate", "-m", "leiden", "--samples", "3"]) == 2
    assert "does not take --samples" in capsysbinary.readouterr().err.decode()


def test_models_are_listed(capsysbinary):
    assert run(["models", "--format", "json"]) == 0
    assert set(json.loads(capsysbinary.readouterr().out)) == set(shipped())
    assert run(["models"]) == 0
    assert "general-sbm" in capsysbinary.readouterr().out.decode()
    assert run(["models", "acp"]) == 0
    assert "model.encoder" in capsysbinary.readouterr().out.decode()
    assert run(["models", "nonsense"]) == 2


def test_a_label_that_is_missing_is_not_known():
    graph, some = blocks(), {0: "a", 89: "b"}
    plain = gc.detect(graph, "acp", n_samples=4, known=some).labels
    pandas = pytest.importorskip("pandas")
    series = pandas.Series([None] * 90, dtype=object)
    series[0], series[89] = "a", "b"
    for known in (some | {2: None, 3: float("nan"), 4: ""}, series):
        np.testing.assert_array_equal(gc.detect(graph, "acp", n_samples=4, known=known).labels, plain)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"known": [3]}, "known must be a mapping of nodes to labels, not a list"),
        ({"known": {3: [1]}}, "but that of 3 is a list"),
        ({"checkpoint": 3}, "a checkpoint must be a name or a file, not 3"),
        ({"device": None}, "device is auto, cpu or cuda, not None"),
    ],
)
def test_what_is_no_parameter_is_refused(parameters, message):
    with pytest.raises(gc.errors.UsageError, match=message):
        gc.detect(blocks(), "acp", n_samples=2, **parameters)


def test_one_heavy_edge_does_not_hide_the_others():
    graph = blocks()
    matrix = graph.adjacency().tolil()
    u, v = next(iter(graph.edges()))
    matrix[u, v] = matrix[v, u] = 1e6
    assert ami(gc.detect(matrix.tocsr(), "acp", n_samples=8).labels, graph.y) > 0.9


def test_communities_that_are_not_connected_are_counted():
    path = gc.as_graph(nx.path_graph(6))
    cases = ([0, 0, 0, 1, 1, 1], 0), ([0, 1, 0, 1, 1, 1], 2), ([0, 1, 0, 2, 2, 0], 1), ([5, 4, 3, 2, 1, 0], 0)
    for labels, apart in cases:
        assert count_disconnected(path, np.array(labels)) == apart
