"""Nested and two-mode block models by `auto`."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pytest

import graphclust as gc
from graphclust.errors import ResourceError, UsageError
from graphclust.inference.description_length import describe
from graphclust.inference.edge_weights import WeightModel
from tests.cli.conftest import cli  # noqa: F401  a fixture
from tests.noted import codes


@pytest.fixture(scope="module")
def two_levels():
    return gc.generators.nested_sbm(600, 4, 5, p_in=0.5, p_middle=0.1, p_out=0.005, random_state=0)


def test_planted_levels_are_found(two_levels):
    fine, coarse = two_levels.meta["levels"]
    found = gc.detect(two_levels, hierarchy=True)
    assert gc.metrics.ami(found.hierarchy.levels[0], fine) > 0.98
    assert gc.metrics.ami(found.hierarchy.levels[1], coarse) > 0.98
    assert np.array_equal(found.labels, found.hierarchy.levels[0])
    assert found.hierarchy.cut(4).n_clusters == 4
    assert found.confidence.min() >= 0


def test_the_description_length_is_that_of_the_levels(two_levels):
    found = gc.detect(two_levels, hierarchy=True, model="dc-sbm", effort="low")
    levels = [*found.hierarchy.levels, np.zeros(600, dtype=int)]
    assert found.details["description_length"] == pytest.approx(describe(two_levels, levels, "dc-sbm").total, abs=1e-3)


def test_a_graph_without_structure_is_one_group():
    graph = gc.generators.planted_partition(100, 1, p_in=0.1, p_out=0.1, random_state=0)
    found = gc.detect(graph, hierarchy=True)
    assert found.n_clusters == 1
    assert [level.max() for level in found.hierarchy.levels] == [0]


def test_isolated_nodes_cost_nothing(two_levels):
    larger = gc.Graph.from_edges(two_levels.source, two_levels.target, nodes=650)
    for params in ({"hierarchy": True}, {"model": "dc-sbm"}):
        plain = gc.detect(two_levels, effort="low", **params)
        found = gc.detect(larger, effort="low", **params)
        assert found.details["description_length"] == plain.details["description_length"]
        assert found.n_clusters == plain.n_clusters + 50


def test_what_a_hierarchy_does_not_take(two_levels):
    with pytest.raises(UsageError, match="leave out n_clusters"):
        gc.detect(two_levels, hierarchy=True, n_clusters=3)
    with pytest.raises(UsageError, match="one of the models dc-sbm, sbm, not planted"):
        gc.detect(two_levels, hierarchy=True, model="planted")


def test_whole_weights_are_numbers_of_parallel_edges():
    rng = np.random.default_rng(0)
    graph = gc.generators.planted_partition(60, 3, p_in=0.5, p_out=0.05, random_state=0)
    count = rng.integers(1, 4, graph.num_edges).astype(float)
    whole = gc.Graph.from_edges(graph.source, graph.target, count, nodes=60)
    found = gc.detect(whole, model="dc-sbm")
    assert found.details["description_length"] == pytest.approx(describe(whole, found.labels).total, abs=1e-3)
    huge = gc.Graph.from_edges(graph.source, graph.target, count * 1e8, nodes=60)  # in sum, beyond 32 bits
    for params in ({"model": "dc-sbm"}, {"hierarchy": True}):
        with pytest.raises(ResourceError, match="block models count at most"):
            gc.detect(huge, **params)


def weighted(directed=False):
    """A graph whose edges say nothing: weights between its two groups are four times as large as within."""
    rng = np.random.default_rng(1)
    group = np.repeat([0, 1], 40)
    edges = rng.random((80, 80)) < 0.3
    source, target = np.nonzero(edges & ~np.eye(80, dtype=bool) if directed else np.triu(edges, 1))
    means = np.where(group[source] == group[target], 1.0, 4.0)
    weight = rng.exponential(means)
    return gc.Graph.from_edges(source, target, weight, nodes=80, directed=directed), group


@pytest.mark.parametrize("directed", [False, True])
@pytest.mark.parametrize("params", [{"model": "dc-sbm"}, {"hierarchy": True}], ids=["flat", "nested"])
@pytest.mark.parametrize("name", [None, "exponential", "log-normal", "normal"])
def test_weights_tell_groups(params, name, directed):
    graph, group = weighted(directed)
    found = gc.detect(graph, weight_model=name, effort="low", **params)
    assert gc.metrics.ami(found.labels, group) > (0.5 if name == "normal" else 0.9)
    plain = gc.Graph.from_edges(graph.source, graph.target, nodes=80, directed=directed)
    assert gc.detect(plain, effort="low", **params).n_clusters == 1


@pytest.mark.parametrize("name", ["geometric", "poisson"])
def test_whole_weights_tell_groups_too(name):
    graph, group = weighted()
    whole = np.floor(3 * graph.edge_weight)
    if name == "poisson":
        means = np.where(group[graph.source] == group[graph.target], 2.0, 6.0)
        whole = np.random.default_rng(0).poisson(means)
    whole = gc.Graph.from_edges(graph.source, graph.target, np.maximum(whole, 1.0), nodes=80)
    found = gc.detect(whole, model="dc-sbm", weight_model=name, effort="low")
    assert gc.metrics.ami(found.labels, group) > 0.5


def test_weights_that_a_model_is_not_for():
    graph, _ = weighted()
    for name in ("parallel-edges", "geometric", "poisson"):
        with pytest.raises(UsageError, match=f"weight_model {name} is for whole numbers"):
            gc.detect(graph, model="dc-sbm", weight_model=name)
    for name in ("exponential", "log-normal"):
        with pytest.raises(UsageError, match="for positive weights, and the smallest is 0"):
            WeightModel.of(np.array([1.5, 0.0]), name)
    with pytest.raises(UsageError, match="did you mean exponential"):
        gc.detect(graph, model="dc-sbm", weight_model="exponental")
    with pytest.raises(UsageError, match="weight_model is for model=dc-sbm"):
        gc.detect(graph, weight_model="exponential")


def test_known_labels_hold_in_a_hierarchy(two_levels):
    fine = two_levels.y
    known = {int(node): int(fine[node]) for node in range(0, 600, 20)}
    found = gc.detect(two_levels, hierarchy=True, known=known, effort="low")
    labels = {}
    for node, label in known.items():
        assert labels.setdefault(label, found.labels[node]) == found.labels[node]
    assert len(set(labels.values())) == len(labels)


# ------------------------------------------------------------------------------------------------ two-mode graphs


def two_mode(seed=0, n=60, p_in=0.6, p_out=0.05):
    """Readers and books of three tastes, with the attribute of networkx."""
    rng = np.random.default_rng(seed)
    taste = np.arange(n) % 3
    readers, books = np.nonzero(rng.random((n, n)) < np.where(taste[:, None] == taste, p_in, p_out))
    graph = nx.Graph()
    graph.add_nodes_from((f"r{i}" for i in range(n)), bipartite=0)
    graph.add_nodes_from((f"b{i}" for i in range(n)), bipartite=1)
    graph.add_edges_from((f"r{i}", f"b{j}") for i, j in zip(readers, books, strict=True))
    return graph


@pytest.mark.parametrize("hierarchy", [False, True])
@pytest.mark.parametrize("bipartite", [True, "bipartite"])
def test_each_side_is_grouped_by_itself(hierarchy, bipartite):
    graph = two_mode()
    found = gc.detect(graph, bipartite=bipartite, hierarchy=hierarchy)
    assert found.n_clusters == 6
    for group in found.communities:
        assert len({node[0] for node in group}) == 1
        assert len({int(node[1:]) % 3 for node in group}) == 1
    assert "disconnected" not in codes(found.notes)


def test_a_graph_that_may_be_two_mode_is_told():
    assert "possible-two-mode" in codes(gc.detect(two_mode(), effort="low").notes)
    assert "possible-two-mode" not in codes(gc.detect(two_mode(), effort="low", bipartite=True).notes)
    for plain in (nx.karate_club_graph(), nx.star_graph(20), nx.path_graph(20)):
        assert "possible-two-mode" not in codes(gc.detect(plain, effort="low").notes)


@pytest.mark.parametrize("k", [2, 3, 4, 7, 30])
def test_the_number_of_groups_of_a_two_mode_graph_can_be_given(k):
    graph = two_mode()
    for i in range(3):
        graph.add_node(f"alone {i}", bipartite=i % 2)
    found = gc.detect(graph, bipartite=True, n_clusters=k, effort="low")
    assert found.n_clusters == k
    for group in found.communities:
        assert len({graph.nodes[node]["bipartite"] for node in group}) == 1


def test_what_two_mode_graphs_do_not_take():
    graph = two_mode()
    with pytest.raises(UsageError, match="one of the models dc-sbm, microcanonical-sbm, not planted"):
        gc.detect(graph, bipartite=True, model="planted")
    with pytest.raises(UsageError, match="2 or more"):
        gc.detect(graph, bipartite=True, n_clusters=1)
    large = nx.path_graph(20_001)
    with pytest.raises(UsageError, match=r"limited to 20,000 nodes"):
        gc.detect(large, bipartite=True, n_clusters=4)
    with pytest.raises(UsageError, match="bipartite is True, False or the name"):
        gc.detect(graph, bipartite=2)


def test_ratings_are_described_or_left_out(cli, tmp_path):  # noqa: F811
    table = tmp_path / "ratings.csv"
    table.write_text("".join(f"{a[0]}{a},{b[0]}{b},{1.5 + len(b)}\n" for a, b in two_mode().edges))
    for options in (["--bipartite"], ["--hierarchy"], ["--param", "model=dc-sbm"]):
        assert cli("detect", table, "-q", "--effort", "low", *options).code == 0
        assert cli("detect", table, "-q", "--no-weights", "--effort", "low", *options).code == 0
    refused = cli("detect", table, "-q", "--hierarchy", "--param", "weight_model=poisson")
    assert refused.code == 2
    assert "whole numbers" in refused.err
