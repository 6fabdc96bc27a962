import random
import subprocess
import sys

import igraph
import networkx as nx
import numpy as np
import pytest

from graphclust.graph import Graph
from graphclust.inputs import as_graph
from graphclust.report.layout import _quota, draw, layout, sample_nodes


def planted(n_groups=6, size=40, p_in=0.3, p_out=0.02, seed=1):
    graph = as_graph(nx.planted_partition_graph(n_groups, size, p_in, p_out, seed=seed))
    return graph, np.repeat(np.arange(n_groups), size)


def shuffled(graph, labels, seed=0):
    """The same graph, its nodes in another order; string ids, so that there is an order to restore."""
    named = Graph.from_edges(graph.source, graph.target, graph.weight, nodes=[f"v{i}" for i in range(graph.num_nodes)])
    order = np.random.default_rng(seed).permutation(graph.num_nodes)
    return named, named.subgraph(order), order, labels[order]


ODD_GRAPHS = {
    "empty": Graph.from_edges([], [], nodes=0),
    "one": Graph.from_edges([], [], nodes=1),
    "isolated": Graph.from_edges([], [], nodes=40),
    "loops": Graph.from_edges([0, 1], [0, 1], nodes=2),
    "pair": Graph.from_edges([0], [1], nodes=["b", "a"]),
    "directed": Graph.from_edges([0, 1, 1, 3], [1, 0, 2, 4], nodes=6, directed=True),
    "weights": Graph.from_edges([0, 1, 2], [1, 2, 0], [1e-9, 1.0, 1e9], nodes=3),
    "mixed ids": Graph.from_edges([0, 1, 2], [1, 2, 3], nodes=["x", 7, ("a", 1), None]),
    "path": Graph.from_edges(range(99), range(1, 100), nodes=100),
}


@pytest.mark.parametrize("name", ODD_GRAPHS)
@pytest.mark.parametrize("n_groups", [1, 3, 1000])
def test_odd_graphs_lie_in_the_unit_square_at_distinct_places(name, n_groups):
    graph = ODD_GRAPHS[name]
    position = layout(graph, np.arange(graph.num_nodes) % n_groups)
    assert position.shape == (graph.num_nodes, 2)
    assert np.isfinite(position).all()
    assert (position >= 0).all()
    assert (position <= 1).all()
    assert len(np.unique(position.round(5), axis=0)) == graph.num_nodes


def test_seed_decides():
    graph, labels = planted()
    assert np.array_equal(layout(graph, labels, 3), layout(graph, labels, 3))
    assert not np.array_equal(layout(graph, labels, 3), layout(graph, labels, 4))


def test_order_of_the_nodes_does_not_matter():
    named, other, order, labels = shuffled(*planted())
    assert np.array_equal(layout(named, planted()[1])[order], layout(other, labels))


def own_centre_is_nearest(position, labels):
    centre = np.array([position[labels == k].mean(axis=0) for k in range(labels.max() + 1)])
    away = np.linalg.norm(position[:, None] - centre, axis=2)
    return float(np.mean(away.argmin(axis=1) == labels))


@pytest.mark.parametrize(("p_in", "p_out"), [(0.3, 0.005), (0.3, 0.03), (0.05, 0.01)])
def test_communities_can_be_seen(p_in, p_out):
    graph, labels = planted(p_in=p_in, p_out=p_out)
    position = layout(graph, labels)
    assert own_centre_is_nearest(position, labels) > 0.9
    assert own_centre_is_nearest(position, np.random.default_rng(0).permutation(labels)) < 0.5


def test_isolated_nodes_stay_at_the_rim_and_leave_room():
    core, labels = planted(size=50)
    n_isolated = 20
    graph = Graph.from_edges(core.source, core.target, nodes=core.num_nodes + n_isolated)
    position = layout(graph, np.concatenate((labels, 6 + np.arange(n_isolated))))
    inner, rim = position[: core.num_nodes], position[core.num_nodes :]
    assert np.hypot(*(inner - 0.5).T).max() < np.hypot(*(rim - 0.5).T).min()
    assert np.ptp(inner, axis=0).max() > 0.6


def test_components_do_not_overlap():
    parts = [nx.complete_graph(12), nx.path_graph(9), nx.star_graph(6), *[nx.complete_graph(3)] * 9]
    graph = as_graph(nx.disjoint_union_all(parts))
    component = np.repeat(np.arange(len(parts)), [len(part) for part in parts])
    position = layout(graph, component)
    centre = np.array([position[component == c].mean(axis=0) for c in range(len(parts))])
    reach = [np.linalg.norm(position[component == c] - centre[c], axis=1).max() for c in range(len(parts))]
    apart = np.linalg.norm(centre[:, None] - centre, axis=2) + 9 * np.eye(len(parts))
    assert (apart > 0.95 * np.add.outer(reach, reach)).all()


def test_global_random_numbers_are_left_alone():
    state = random.getstate()
    before = igraph.Graph.Erdos_Renyi(20, 0.3).get_edgelist()
    random.setstate(state)
    layout(*planted())
    assert random.getstate() == state
    assert igraph.Graph.Erdos_Renyi(20, 0.3).get_edgelist() == before  # igraph draws from Python's numbers again
    random.setstate(state)


def test_quota_shares_all_seats():
    rng = np.random.default_rng(0)
    for _ in range(200):
        sizes = np.sort(rng.integers(1, rng.integers(2, 300), rng.integers(1, 400)))[::-1]
        limit = int(rng.integers(1, sizes.sum()))
        quota = _quota(sizes, limit)
        assert quota.sum() == limit
        assert (quota <= sizes).all()
        assert (quota >= 0).all()
        assert (quota[: min(len(sizes), limit // 4)] >= 1).all()


def test_a_small_graph_is_drawn_whole():
    graph, labels = planted()
    assert np.array_equal(sample_nodes(graph, labels), np.arange(graph.num_nodes))
    assert np.array_equal(sample_nodes(graph, labels, limit=graph.num_nodes), np.arange(graph.num_nodes))


def test_a_sample_keeps_proportions_and_hangs_together():
    lattice = nx.convert_node_labels_to_integers(nx.grid_2d_graph(60, 60), ordering="sorted")
    graph = as_graph(lattice)
    labels = np.repeat([0, 1, 2], [1800, 1200, 600])
    chosen = sample_nodes(graph, labels, limit=300)
    assert len(np.unique(chosen)) == 300
    assert np.abs(np.bincount(labels[chosen]) - [150, 100, 50]).max() <= 1
    for community in range(3):
        nodes = chosen[labels[chosen] == community]
        assert nx.is_connected(lattice.subgraph(nodes.tolist()))
        assert max(np.ptp(nodes // 60), np.ptp(nodes % 60)) < 20  # a patch, not a snake


def test_a_sample_prefers_hubs_and_falls_back_on_unconnected_members():
    star = Graph.from_edges([5] * 4, [0, 1, 2, 3], nodes=8)
    assert sample_nodes(star, np.zeros(8, dtype=np.int64), limit=1).tolist() == [5]
    assert sample_nodes(star, np.zeros(8, dtype=np.int64), limit=6).tolist() == [0, 1, 2, 3, 4, 5]


def test_a_sample_does_not_depend_on_the_order_of_nodes():
    named, other, order, labels = shuffled(*planted(n_groups=5))
    first, second = sample_nodes(named, planted(n_groups=5)[1], limit=60), sample_nodes(other, labels, limit=60)
    assert sorted(first) == sorted(order[second])


@pytest.mark.parametrize("limit", [60, 2000])
def test_a_drawing_is_a_part_of_the_graph(limit):
    named, other, _, labels = shuffled(*planted(n_groups=5))
    drawing = draw(other, labels, limit=limit)
    again = draw(named, planted(n_groups=5)[1], limit=limit)
    assert len(drawing.nodes) == len(drawing.position) == min(limit, other.num_nodes)
    ends = set(zip(other.source.tolist(), other.target.tolist(), strict=True))
    shown = np.sort(np.stack((drawing.nodes[drawing.source], drawing.nodes[drawing.target]), axis=1), axis=1)
    assert set(map(tuple, shown.tolist())) <= ends
    chosen = set(drawing.nodes.tolist())
    assert drawing.n_edges == len(shown) == sum(a in chosen and b in chosen for a, b in ends)
    # The same picture from the nodes in another order.
    assert [other.nodes[i] for i in drawing.nodes] == [named.nodes[i] for i in again.nodes]
    assert np.array_equal(drawing.position, again.position)
    assert np.array_equal(drawing.source, again.source)


def test_edges_are_thinned_and_directions_and_loops_dropped():
    dense = as_graph(nx.complete_graph(210))
    drawing = draw(dense, np.zeros(210, dtype=np.int64))
    assert (drawing.n_edges, len(drawing.source)) == (210 * 209 // 2, 20_000)
    arrows = Graph.from_edges([0, 1, 2, 2], [1, 0, 2, 0], nodes=3, directed=True)
    assert draw(arrows, np.zeros(3, dtype=np.int64)).n_edges == 2


def test_a_sample_keeps_communities_where_the_whole_graph_has_them():
    """Communities in a chain: hardly an edge between them is drawn, but neighbours lie side by side."""
    n_groups, size = 12, 400
    rng = np.random.default_rng(0)
    inside = rng.integers(0, size, (2, n_groups * size * 4)) + size * np.repeat(np.arange(n_groups), size * 4)
    bridge = np.repeat(np.arange(n_groups - 1), 40) * size + rng.integers(0, size, (2, (n_groups - 1) * 40))
    bridge[1] += size
    labels = np.repeat(np.arange(n_groups), size)
    graph = Graph.from_edges(*np.concatenate((inside, bridge), axis=1), nodes=n_groups * size)
    drawing = draw(graph, labels, limit=240)
    shown = labels[drawing.nodes]
    centre = np.array([drawing.position[shown == k].mean(axis=0) for k in range(n_groups)])
    away = np.linalg.norm(centre[:, None] - centre, axis=2)
    assert np.diag(away, 1).mean() < 0.5 * away[np.triu_indices(n_groups, 2)].mean()


def test_nothing_heavy_is_imported_before_it_is_used():
    code = (
        "import sys, graphclust.report.page, graphclust.report.plot; print([m for m in sys.modules if m in sys.argv])"
    )
    heavy = ["igraph", "matplotlib", "scipy", "pandas", "networkx", "torch"]
    done = subprocess.run([sys.executable, "-c", code, *heavy], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
