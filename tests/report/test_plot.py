import matplotlib
import networkx as nx
import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PathCollection
from matplotlib.colors import to_hex, to_rgb

from graphclust.graph import Graph
from graphclust.inputs import as_graph
from graphclust.report.layout import draw
from graphclust.report.palette import COLORS, SINGLETON, community_colors
from graphclust.report.plot import plot_communities
from graphclust.results.communities import Communities

matplotlib.use("Agg")


@pytest.fixture(autouse=True)
def _figures_are_closed():
    yield
    import matplotlib.pyplot as plt

    plt.close("all")


def result(graph, labels, **more):
    return Communities(graph, np.asarray(labels, dtype=np.int64), "leiden", **more)


def planted(n_groups=3, size=30):
    graph = as_graph(nx.planted_partition_graph(n_groups, size, 0.3, 0.02, seed=1))
    return result(graph, np.repeat(np.arange(n_groups), size))


def parts(ax):
    (nodes,) = [c for c in ax.collections if isinstance(c, PathCollection)]
    (edges,) = [c for c in ax.collections if isinstance(c, LineCollection)]
    return nodes, edges


def test_nodes_lie_where_the_layout_says_in_their_colours():
    communities = planted()
    ax = plot_communities(communities, random_state=3)
    drawing = draw(communities.graph, communities.labels, random_state=3)
    nodes, edges = parts(ax)
    assert isinstance(ax, Axes)
    assert np.allclose(nodes.get_offsets(), drawing.position)
    assert len(edges.get_segments()) == communities.graph.num_edges
    assert [to_hex(c) for c in nodes.get_facecolors()] == [COLORS[k] for k in communities.labels[drawing.nodes]]
    ax.figure.canvas.draw()


def test_given_axes_are_used_and_global_state_is_kept():
    import matplotlib.pyplot as plt

    before = dict(matplotlib.rcParams)
    _, (left, right) = plt.subplots(1, 2)
    assert plot_communities(planted(), right) is right
    assert not left.collections
    assert len(plt.get_fignums()) == 1
    assert dict(matplotlib.rcParams) == before


def test_a_sample_is_drawn_and_said():
    ax = plot_communities(planted(), limit=40)
    assert len(parts(ax)[0].get_offsets()) == 40
    assert ax.get_xlabel() == "40 of 90 nodes drawn"
    assert plot_communities(planted()).get_xlabel() == ""


def test_names_stand_beside_few_nodes():
    dollars = result(Graph.from_edges([0], [1], nodes=["$x^$", "a_b"]), [0, 0])
    ax = plot_communities(dollars)
    assert {text.get_text() for text in ax.texts} == {"$x^$", "a_b"}
    ax.figure.canvas.draw()  # the name is no formula
    assert not plot_communities(dollars, with_labels=False).texts
    assert not plot_communities(planted()).texts
    assert len(plot_communities(planted(), with_labels=True).texts) == 90


def test_less_sure_nodes_are_paler():
    graph = Graph.from_edges([0, 1], [1, 2], nodes=3)
    nodes, _ = parts(plot_communities(result(graph, [0, 0, 0], confidence=np.array([1.0, 0.6, 0.1]))))
    order = draw(graph, np.zeros(3, dtype=np.int64)).nodes
    paleness = nodes.get_facecolors()[:, :3].sum(axis=1)[np.argsort(order)]
    assert (np.diff(paleness) > 0.1).all()


def test_node_size_scales_all_nodes():
    first, second = (parts(plot_communities(planted(), node_size=size))[0].get_sizes() for size in (5.0, 10.0))
    assert np.allclose(2 * first, second)


@pytest.mark.parametrize(
    "graph",
    [
        Graph.from_edges([], [], nodes=0),
        Graph.from_edges([], [], nodes=1),
        Graph.from_edges([0], [0], nodes=3),
        Graph.from_edges([0, 1], [1, 0], nodes=2, directed=True),
    ],
    ids=["empty", "one", "loop", "directed"],
)
def test_odd_graphs_are_drawn(graph):
    ax = plot_communities(result(graph, np.arange(graph.num_nodes)))
    assert len(parts(ax)[0].get_offsets()) == graph.num_nodes
    ax.figure.canvas.draw()


# -------------------------------------------------------------------- colours

# Linear RGB as people without one kind of cone see it: Machado, Oliveira & Fernandes 2009, severity 1.
VISIONS = {
    "normal": np.eye(3),
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}


def linear(color):
    rgb = np.array(to_rgb(color))
    return np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)


def oklab(rgb):
    cones = rgb @ np.array([[0.41222, 0.53633, 0.05145], [0.21190, 0.68070, 0.10740], [0.08830, 0.28172, 0.62998]]).T
    mix = [[0.21045, 0.79362, -0.00407], [1.97800, -2.42859, 0.45059], [0.02590, 0.78277, -0.80868]]
    return np.cbrt(np.clip(cones, 0, None)) @ np.array(mix).T


def smallest_distance(colors, vision):
    seen = oklab(np.clip(np.array([linear(color) for color in colors]) @ np.array(VISIONS[vision]).T, 0, 1))
    away = np.linalg.norm(seen[:, None] - seen, axis=2)
    return away[np.triu_indices(len(colors), 1)].min()


@pytest.mark.parametrize("vision", VISIONS)
def test_the_first_eight_colours_stay_apart(vision):
    assert smallest_distance(COLORS[:8], vision) > 0.07
    # The measure can fail: red and green of equal lightness.
    assert smallest_distance(["#c1440e", "#6b7a10"], "deuteranopia") < 0.07


def test_all_colours_differ_and_show_on_both_backgrounds():
    assert smallest_distance(COLORS, "normal") > 0.1
    for color in (*COLORS, SINGLETON):
        light = linear(color) @ [0.2126, 0.7152, 0.0722] + 0.05
        dark = linear("#161a20") @ [0.2126, 0.7152, 0.0722] + 0.05
        assert 1.05 / light > 1.95
        assert light / dark > 3


def test_colours_repeat_and_singletons_are_grey():
    colors = community_colors([2] * 30 + [1])
    assert colors[24:26] == list(COLORS[:2])
    assert colors[-1] == SINGLETON
