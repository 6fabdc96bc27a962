"""Edges that are sorted in files are those that are sorted in memory."""

import numpy as np
import pytest

from graphclust.graph import Graph
from graphclust.graph import sorting as module
from graphclust.graph.sorting import Edges, chosen_edges, pieces_of, sorted_edges
from graphclust.runtime import storage
from graphclust.runtime.storage import Storage


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch):
    monkeypatch.setattr(storage, "_SMALL", 0)
    monkeypatch.setattr(storage, "_LEAST_WINDOW", 1)
    monkeypatch.setattr(module, "_PIECE", 100)


@pytest.mark.parametrize("directed", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("n_nodes", [1, 20, 300])
def test_sorted_edges(directed, weighted, n_nodes):
    rng = np.random.default_rng(0)
    source, target = rng.integers(0, n_nodes, (2, 1500))
    weight = rng.random(1500) if weighted else None
    edges = Edges(source, target, weight)
    expected = Graph.from_edges(source, target, weight, nodes=n_nodes, directed=directed)
    result = sorted_edges(lambda: pieces_of(edges), n_nodes, directed, Storage(256 * 40))
    for own, theirs in zip(result, (expected.source, expected.target, expected.weight), strict=True):
        np.testing.assert_array_equal(own, theirs)


def test_no_edges():
    nothing = np.zeros(0, np.int64)
    result = sorted_edges(lambda: [Edges(nothing, nothing, None)], 5, False, Storage(1e6))
    assert len(result.source) == 0


def test_parts_of_a_graph_in_files():
    rng = np.random.default_rng(1)
    source, target = rng.integers(0, 50, (2, 700))
    graph = Graph.from_edges(source, target, rng.random(700), nodes=50, directed=True)
    stored = graph.stored(Storage(1e4))
    assert stored.stored(stored.storage) is stored
    assert stored.stored(None).storage is None
    assert graph.storage is None
    nodes = np.flatnonzero(rng.random(50) < 0.6)
    for change in (
        lambda g: g.without_self_loops(),
        lambda g: g.subgraph(nodes),
        lambda g: g.undirected(),
        lambda g: g.undirected().without_self_loops().subgraph(nodes),
    ):
        own, theirs = change(stored), change(graph)
        assert own.storage is stored.storage
        assert own.meta == theirs.meta
        assert own.num_nodes == theirs.num_nodes
        np.testing.assert_array_equal(own.source, theirs.source)
        np.testing.assert_array_equal(own.target, theirs.target)
        np.testing.assert_allclose(own.weight, theirs.weight)
        np.testing.assert_allclose(own.degree(), theirs.degree())


def test_edges_that_are_left_out_of_unweighted_graphs():
    edges = Edges(np.array([0, 0, 1]), np.array([0, 1, 2]), None)
    result = chosen_edges(edges, None, Storage(1e6))
    assert (result.source.tolist(), result.target.tolist(), result.weight) == ([0, 1], [1, 2], None)
