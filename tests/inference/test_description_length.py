"""Description lengths against graph-tool's, and their probabilities, which add up to one."""

from __future__ import annotations

import json
import math
from itertools import combinations_with_replacement, product
from pathlib import Path

import numpy as np
import pytest

import graphclust as gc
from graphclust.graph import Graph
from graphclust.inference.block_models import PlantedPartitionModel
from graphclust.inference.description_length import MODELS, Description, describe, log_partitions

CASES = json.loads(Path(__file__).with_name("graph_tool_entropy.json").read_text())
WEIGHTED = json.loads(Path(__file__).with_name("graph_tool_weights.json").read_text())


def graph_of(edges, n, directed=False):
    source, target = np.array(edges).reshape(-1, 2).T
    return Graph.from_edges(source, target, nodes=n, directed=directed)


def partitions(m, n):
    """q(m, n), counted."""
    return sum(1 for parts in product(range(m + 1), repeat=n) if sum(parts) == m and list(parts) == sorted(parts))


def graph_tools_log_partitions(m, n):
    """Logarithms of graph-tool 2.45's numbers: 3 instead of 4 for q(6, 2), because its recursion stops at m = n.

    With these, the probabilities of all graphs add up to more than one.
    """
    table = np.zeros((int(max(m)) + 1, int(max(m)) + 1))
    for total in range(1, len(table)):
        table[total, 1] = 1
        for parts in range(2, total + 1):
            table[total, parts] = table[total, parts - 1] + (table[total - parts, parts] if total > parts else 0)
    rows = [(int(total), int(min(total, parts))) for total, parts in zip(m, n, strict=True)]
    return np.array([math.log(table[row]) if min(row) > 0 else 0.0 for row in rows])


@pytest.mark.parametrize("seed", range(len(CASES)))
def test_description_lengths_are_those_of_graph_tool(seed, monkeypatch):
    case = CASES[seed]
    groups, upper = np.array(case["groups"]), np.array(case["upper"])
    n = len(groups)
    graph = graph_of(case["edges"], n, directed=case["kind"] == "directed")
    sides = (np.arange(n) >= n // 2).astype(int) if case["kind"] == "two-mode" else None
    monkeypatch.setattr("graphclust.inference.description_length.log_partitions", graph_tools_log_partitions)
    assert case["nats"]
    for name, expected in case["nats"].items():
        labels = [groups, upper[groups]] if name.startswith("nested") else groups
        description = describe(graph, labels, name.removeprefix("nested "), sides=sides)
        assert description.total == pytest.approx(expected, abs=1e-6), name


@pytest.mark.parametrize("case", WEIGHTED)
def test_description_lengths_of_weights_are_those_of_graph_tool(case):
    source, target = np.array(case["edges"]).T
    groups, weights = np.array(case["groups"]), np.array(case["weights"])
    graph = Graph.from_edges(source, target, weights, nodes=len(groups), directed=case["directed"])
    plain = Graph.from_edges(source, target, nodes=len(groups), directed=case["directed"])
    for name, expected in case["nats"].items():
        description = describe(graph, groups, weight_model=name)
        assert description.weights == pytest.approx(expected, abs=1e-6), name
        assert description.total - description.weights == pytest.approx(describe(plain, groups).total, abs=1e-9)


def all_graphs(n, n_edges, directed):
    pairs = list(product(range(n), repeat=2)) if directed else list(combinations_with_replacement(range(n), 2))
    return [graph_of(edges, n, directed) for edges in combinations_with_replacement(pairs, n_edges)]


def labellings(n):
    """All arrays of n labels 0, 1, ... without gaps."""
    for labels in product(range(n), repeat=n):
        if set(labels) == set(range(max(labels) + 1)):
            yield np.array(labels)


@pytest.mark.parametrize(
    ("model", "directed"),
    [*((model, False) for model in MODELS if model != "planted"), ("sbm", True), ("dc-sbm", True)],
)
def test_probabilities_add_up_to_one(model, directed):
    """Over all multigraphs of three nodes with a few edges, and all partitions."""
    graphs = all_graphs(3, 2 if directed else 3, directed)
    total = sum(math.exp(-describe(graph, labels, model).total) for graph in graphs for labels in labellings(3))
    assert total == pytest.approx(1, abs=1e-9)


@pytest.mark.parametrize(("n", "n_edges"), [(3, 3), (4, 3)])
def test_probabilities_under_planted_add_up_to_one_within_a_nat(n, n_edges):
    graphs = all_graphs(n, n_edges, directed=False)
    assert abs(math.log(sum(math.exp(-describe(g, z, "planted").total) for g in graphs for z in labellings(n)))) < 1


def test_planted_is_described_as_refinement_scores_it():
    """But for the prior of the partition, and for what does not depend on it."""
    graph = gc.datasets.load("karate")
    model = PlantedPartitionModel(
        graph.source, graph.target, 34, weight=np.ones(graph.num_edges), prior=np.zeros((2, 36))
    )
    rng = np.random.default_rng(0)
    one = np.zeros(34, dtype=int)

    def edges(labels):
        described = describe(graph, labels, "planted")
        return described.edge_counts + described.degrees + described.graph

    for labels in (graph.y, rng.integers(0, 2, 34), rng.integers(0, 9, 34), np.arange(34)):
        assert edges(labels) - edges(one) == pytest.approx(model.log_joint(one) - model.log_joint(labels), abs=1e-8)
    assert describe(graph, one, "planted").total == pytest.approx(describe(graph, one, "dc-sbm").total, abs=1e-9)


@pytest.mark.parametrize("model", ["sbm", "dc-sbm"])
def test_probabilities_of_hierarchies_add_up_to_one(model):
    total = 0.0
    for graph in all_graphs(3, 2, directed=False):
        for groups in labellings(3):
            for upper in labellings(int(groups.max()) + 1):
                n_upper = int(upper.max()) + 1  # one of them is above all, of as many that are equally likely
                total += n_upper * math.exp(-describe(graph, [groups, upper[groups]], model).total)
    assert total == pytest.approx(1, abs=1e-9)


def test_numbers_of_partitions():
    m, n = (axis.ravel() for axis in np.meshgrid(np.arange(12), np.arange(5)))
    expected = [math.log(max(partitions(int(total), int(parts)), 1)) for total, parts in zip(m, n, strict=True)]
    assert log_partitions(m, n) == pytest.approx(expected, abs=1e-12)
    assert log_partitions([100], [100])[0] == pytest.approx(math.log(190_569_292))


@pytest.mark.parametrize("parts", [3, 15, 200, 2000, 20_000])
def test_estimates_of_numbers_of_partitions_follow_the_exact_ones(parts, monkeypatch):
    exact = log_partitions([20_000], [parts])[0]
    monkeypatch.setattr("graphclust.inference.description_length._MOST_EXACT", 10)
    assert log_partitions([20_000], [parts])[0] == pytest.approx(exact, rel=3e-3)


def test_the_parts_add_up_and_the_factions_of_karate_are_no_shorter_than_one_group():
    graph = gc.datasets.load("karate")
    description = describe(graph, graph.y, "dc-sbm")
    assert isinstance(description, Description)
    assert description.total == pytest.approx(
        description.partition + description.edge_counts + description.degrees + description.graph
    )
    assert describe(graph, graph.y, "sbm").degrees == 0
    assert describe(graph, graph.y).total > describe(graph, np.zeros(34, dtype=int)).total


def test_what_cannot_be_described():
    graph = graph_of([(0, 1), (1, 2)], 3)
    for labels, model, sides, message in (
        ([0, 0, 1], "nested", None, "nested"),
        ([0, 0], "sbm", None, "arrays of 3 integers"),
        ([[0, 0, 1], [0, 0]], "sbm", None, "arrays of 3 integers"),
        ([0, 0, 1], "sbm", [0, 1], "arrays of 3 integers"),
        ([0, 0, 1], "sbm", [0, 1, 1], "a group has nodes of both sides"),
        ([[0, 0, 1], [0, 1, 1]], "sbm", None, "in two groups of the next level"),
        ([[0, 0, 1], [0, 0, 0]], "planted", None, "without a hierarchy"),
        ([[0, 0, 1], [0, 0, 0]], "assortative", None, "without a hierarchy"),
    ):
        with pytest.raises(gc.UsageError, match=message):
            describe(graph, labels, model, sides=sides)
    assert describe(graph_of([], 0), []).total == 0
    assert describe(graph_of([], 4), [0, 0, 1, 1]).total > 0
    weighted = Graph.from_edges([0], [1], [0.5], nodes=2)
    with pytest.raises(gc.UsageError, match="whole numbers, and these weights are not"):
        describe(weighted, [0, 1], weight_model="parallel-edges")
    with pytest.raises(gc.UsageError, match="parallel edges: whole numbers"):
        describe(weighted, [0, 1], "assortative")
