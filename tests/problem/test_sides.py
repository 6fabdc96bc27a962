"""Two sides of a graph: from an attribute, from the edges, or none."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pytest

import graphclust as gc
from graphclust.errors import DataError, UsageError
from graphclust.problem.problem import Problem
from graphclust.problem.sides import sides_of, two_coloring


def two_mode(seed=0, n=30, loose=3):
    """A random two-mode graph of some components."""
    graph = nx.bipartite.random_graph(n, n + 5, 0.06, seed=seed)
    graph.add_nodes_from(range(1000, 1000 + loose), bipartite=1)
    return graph


@pytest.mark.parametrize("seed", range(5))
def test_sides_from_edges_separate_the_ends(seed):
    graph = gc.as_graph(two_mode(seed))
    sides = two_coloring(graph)
    assert (sides[graph.source] != sides[graph.target]).all()
    assert set(np.unique(sides)) <= {0, 1}


def test_the_first_edges_of_a_large_graph_do_not_decide_alone():
    rows, columns = np.divmod(np.arange(30_000), 150)
    ends = [rows, columns + 200]
    assert two_coloring(gc.Graph.from_edges(*ends, nodes=400)) is not None
    late = [np.append(ends[0], 198), np.append(ends[1], 199)]  # a last edge within a side
    assert two_coloring(gc.Graph.from_edges(*late, nodes=400)) is None
    early = [np.append(ends[0], 0), np.append(ends[1], 1)]
    assert two_coloring(gc.Graph.from_edges(*early, nodes=400)) is None


@pytest.mark.parametrize("seed", range(5))
def test_an_odd_cycle_has_no_sides(seed):
    plain = two_mode(seed)
    component = max(nx.connected_components(plain), key=len)
    first = min(component)
    plain.add_edge(
        first, next(node for node, far in nx.single_source_shortest_path_length(plain, first).items() if far == 2)
    )
    assert not nx.is_bipartite(plain)
    assert two_coloring(gc.as_graph(plain)) is None


def test_the_attribute_of_networkx_comes_first():
    plain = two_mode()
    graph = gc.as_graph(plain)
    assert sides_of(graph, True).tolist() == [plain.nodes[node]["bipartite"] for node in graph.nodes]
    assert sides_of(graph, False) is None


def test_another_attribute_tells_the_sides():
    plain = nx.complete_bipartite_graph(3, 4)
    nx.set_node_attributes(plain, {node: "reader" if node < 3 else "book" for node in plain}, "kind")
    assert sides_of(gc.as_graph(plain), "kind").tolist() == [1] * 3 + [0] * 4


def test_sides_that_are_none_are_refused():
    triangle = nx.complete_graph(3)
    with pytest.raises(DataError, match="not two-mode"):
        sides_of(gc.as_graph(triangle), True)
    with pytest.raises(UsageError, match="no attribute 'kind'"):
        sides_of(gc.as_graph(triangle), "kind")
    nx.set_node_attributes(triangle, {0: "a", 1: "b", 2: "b"}, "kind")
    with pytest.raises(DataError, match="edge between 1 and 2 joins two nodes of the same side"):
        sides_of(gc.as_graph(triangle), "kind")
    nx.set_node_attributes(triangle, {0: "a", 1: "b", 2: "c"}, "kind")
    with pytest.raises(UsageError, match="has 3 values"):
        sides_of(gc.as_graph(triangle), "kind")


def test_a_core_has_the_sides_of_its_nodes():
    plain = two_mode()
    core = Problem.of(gc.as_graph(plain), bipartite=True).core
    nodes = [core.graph.nodes[i] for i in range(core.graph.num_nodes)]
    assert 0 < len(nodes) < len(plain)
    assert core.sides.tolist() == [plain.nodes[node]["bipartite"] for node in nodes]
