"""Graph: containers in and out, merging, the canonical order."""

from __future__ import annotations

import sys

import igraph
import networkx as nx
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import torch

from graphclust.errors import DataError, ResourceError, UsageError
from graphclust.graph import DecimalIds, Graph, holds_graph, holds_points, merge_notes
from graphclust.inputs import as_graph


def edge_set(graph):
    """{(u, v): weight}, the ends of undirected edges as a frozenset."""
    key = (lambda u, v: (u, v)) if graph.directed else (lambda u, v: frozenset((u, v)))
    return {key(*edge[:2]): (edge[2] if len(edge) == 3 else 1.0) for edge in graph.edges()}


def networkx_edges(graph):
    key = (lambda u, v: (u, v)) if graph.is_directed() else (lambda u, v: frozenset((u, v)))
    total = {}
    for u, v, w in graph.edges(data="weight", default=1.0):
        total[key(u, v)] = total.get(key(u, v), 0.0) + w
    return total


@pytest.fixture(params=["plain", "weighted", "directed", "multi", "multidirected", "odd ids", "empty", "one node"])
def nx_graph(request):
    rng = np.random.default_rng(1)
    kind = request.param
    graph = {"directed": nx.DiGraph, "multi": nx.MultiGraph, "multidirected": nx.MultiDiGraph}.get(kind, nx.Graph)()
    if kind == "empty":
        return graph
    names = (
        list(range(12))
        if kind != "odd ids"
        else [(1, "a"), "x y", 3.5, frozenset({1}), b"z", "10", 9, "é", True, -1, "-1", "c"]
    )
    graph.add_nodes_from(names[:1] if kind == "one node" else names)
    if kind == "one node":
        return graph
    for _ in range(30):
        u, v = rng.integers(0, 11, size=2)  # the twelfth stays isolated, and self-loops occur
        attributes = {"weight": float(rng.integers(1, 5))} if kind in ("weighted", "multi", "multidirected") else {}
        graph.add_edge(names[u], names[v], **attributes)
    return graph


def test_networkx_in_and_out(nx_graph):
    before = (list(nx_graph.nodes(data=True)), list(nx_graph.edges(data=True)))
    graph = as_graph(nx_graph)
    assert graph.nodes == list(nx_graph.nodes)
    assert all(a is b for a, b in zip(graph.nodes, nx_graph.nodes, strict=True))
    assert graph.directed == nx_graph.is_directed()
    assert edge_set(graph) == networkx_edges(nx_graph)
    back = graph.to_networkx()
    assert list(back.nodes) == list(nx_graph.nodes)
    assert networkx_edges(back) == networkx_edges(nx_graph)
    assert (list(nx_graph.nodes(data=True)), list(nx_graph.edges(data=True))) == before


@pytest.mark.parametrize("directed", [False, True])
def test_adjacency_is_sorted_and_the_callers_own(directed):
    graph = Graph.from_edges([2, 0, 1, 1], [0, 1, 1, 2], [1.0, 2.0, 3.0, 4.0], nodes=4, directed=directed)
    matrix = graph.adjacency()
    assert matrix.has_sorted_indices
    assert matrix.indices.dtype == np.int32
    matrix.data[:] = 7
    assert set(graph.weight) == {1.0, 2.0, 3.0, 4.0}


def test_degree_and_adjacency_equal_networkx(nx_graph):
    graph = as_graph(nx_graph)
    degree = dict(nx_graph.degree(weight="weight"))
    assert graph.degree().tolist() == [degree[node] for node in graph.nodes]
    if graph.num_nodes:
        expected = nx.to_scipy_sparse_array(nx_graph, dtype=float).toarray()
        np.testing.assert_array_equal(graph.adjacency().toarray(), expected)
    if graph.directed:
        assert graph.degree("out", weighted=False).sum() == graph.num_edges == graph.degree("in", weighted=False).sum()


def test_canonical_order_does_not_depend_on_insertion(nx_graph):
    nodes, edges = list(nx_graph.nodes), list(nx_graph.edges(data=True))
    shuffled = type(nx_graph)()
    shuffled.add_nodes_from(reversed(nodes))
    for u, v, data in reversed(edges):
        ends = (u, v) if nx_graph.is_directed() else (v, u)
        shuffled.add_edge(*ends, **data)
    first, second = as_graph(nx_graph).canonical(), as_graph(shuffled).canonical()
    assert first.nodes == second.nodes
    for name in ("source", "target", "edge_weight"):
        np.testing.assert_array_equal(getattr(first, name), getattr(second, name))


def test_numbers_sort_by_value_also_as_strings():
    assert as_graph([("10", "9"), ("9", "b"), ("b", "-2")]).canonical().nodes == ["-2", "9", "10", "b"]
    assert as_graph([(10, 9), (9, 100)]).canonical().nodes == [9, 10, 100]


def test_objects_without_order_keep_theirs():
    a, b, c = object(), object(), object()
    assert as_graph([(b, a), (a, c)]).canonical().nodes == [b, a, c]


def test_igraph_in_and_out():
    graph = as_graph([("a", "b", 2.0), ("b", "c", 0.5), ("c", "c", 1.0)])
    other_graph = graph.to_igraph()
    assert other_graph.vs["name"] == ["a", "b", "c"]
    assert edge_set(as_graph(other_graph)) == edge_set(graph)
    assert as_graph(igraph.Graph(n=3, edges=[(0, 1)], directed=True)).directed
    with pytest.raises(DataError, match="have the same name"):
        as_graph(igraph.Graph(n=2, vertex_attrs={"name": ["a", "a"]}))


@pytest.mark.parametrize("kind", [sp.csr_array, sp.csc_array, sp.coo_array, sp.csr_matrix, np.asarray])
def test_matrices(kind):
    dense = np.array([[0, 2, 0], [2, 0, 1], [0, 1, 3.0]])
    graph = as_graph(kind(dense))
    assert not graph.directed
    assert graph.nodes == [0, 1, 2]
    np.testing.assert_array_equal(graph.adjacency().toarray(), dense)
    dense[0, 2] = 1
    graph = as_graph(kind(dense))
    assert graph.directed
    np.testing.assert_array_equal(graph.adjacency().toarray(), dense)
    assert not as_graph(kind(dense), directed=False).directed


def test_edge_arrays_frames_and_tuples():
    pairs = np.array([[0, 1], [1, 2], [5, 2]])
    assert as_graph(pairs).num_nodes == 6
    assert as_graph(np.vstack([pairs, pairs[:, ::-1]]).T).num_edges == 3
    frame = pd.DataFrame({"kind": ["x", "y"], "Target": ["b", "c"], "Source": ["a", "b"], "Weight": [1.5, 2]})
    assert edge_set(as_graph(frame)) == {frozenset("ab"): 1.5, frozenset("bc"): 2.0}
    assert edge_set(as_graph([("a", "b"), ("b", "a")])) == {frozenset("ab"): 2.0}
    assert edge_set(as_graph([("a", "b"), ("b", "a")], directed=True)) == {("a", "b"): 1.0, ("b", "a"): 1.0}


def test_frames_say_of_each_edge_whether_it_is_directed():
    frame = pd.DataFrame(
        {"Source": ["a", "b", "c"], "Target": ["b", "c", "c"], "Type": ["Directed", "Undirected", "Undirected"]}
    )
    graph = as_graph(frame)
    assert graph.directed
    assert list(graph.edges()) == [("a", "b"), ("b", "c"), ("c", "b"), ("c", "c")]
    assert merge_notes(graph)[0].code == "mixed-directions"
    assert list(as_graph(frame.iloc[1:]).edges()) == [("b", "c"), ("c", "c")]
    assert as_graph(frame.iloc[:1]).directed
    assert not as_graph(frame.assign(Type=["x", "Directed", "y"])).directed
    assert not as_graph(frame, directed=False).directed
    assert as_graph(frame, directed=True).num_edges == 3


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64])
def test_matrices_are_symmetric_up_to_the_rounding_of_their_type(rng, kind):
    matrix = rng.random((6, 6)) + 0.1
    matrix = ((matrix + matrix.T) / 2).astype(kind)
    np.fill_diagonal(matrix, 0)
    unit = np.finfo(kind).eps
    near, far = matrix.copy(), matrix.copy()
    near[0, 1] *= 1 + 4 * unit
    far[0, 1] *= 1.1
    for container in (np.asarray, sp.csr_array) if kind != np.float16 else (np.asarray,):
        assert not as_graph(container(near)).directed
        assert as_graph(container(far)).directed


def test_attributes_follow_the_order_of_the_nodes():
    graph = Graph.from_edges([0], [1], nodes=["b", "a"], meta={"node_attributes": {"age": [1, 2]}})
    assert graph.canonical().meta["node_attributes"] == {"age": [2, 1]}
    assert graph.meta["node_attributes"] == {"age": [1, 2]}


def test_edge_views_of_networkx_are_pairs():
    graph = nx.karate_club_graph()
    assert edge_set(as_graph(graph.edges)) == dict.fromkeys(map(frozenset, graph.edges), 1.0)
    assert edge_set(as_graph(nx.MultiGraph([(0, 1), (1, 2), (1, 2)]).edges)) == {
        frozenset({0, 1}): 1,
        frozenset({1, 2}): 2,
    }
    assert edge_set(as_graph(nx.DiGraph([(0, 1)]).edges, directed=True)) == {(0, 1): 1}


def test_graphs_of_pyg_that_have_no_edge_index_are_refused():
    torch = pytest.importorskip("torch")
    data = pytest.importorskip("torch_geometric.data")
    several = data.HeteroData()
    several["a", "to", "b"].edge_index = torch.tensor([[0], [1]])
    for thing in (several, data.TemporalData(src=torch.tensor([0]), dst=torch.tensor([1]), t=torch.tensor([0]))):
        assert holds_graph(thing)
        with pytest.raises(DataError, match="choose one edge type"):
            as_graph(thing)


@pytest.mark.parametrize(
    "table",
    [
        np.zeros((5, 2)),
        np.zeros((2, 5), dtype=np.float32),
        np.zeros((5, 3), dtype=int),
        np.zeros((1, 4), dtype=bool),
        sp.csr_array(np.ones((4, 3))),
        pd.DataFrame({"x": [0.0, 1.0, 2.0], "y": [0.5, 1.0, 2.0]}),
        pd.DataFrame(np.zeros((6, 4), dtype=int)),
        [[0.5, 1.0], [1.0, 2.0], [2.0, 0.0]],
        [[0, 1, 2, 3], [1, 2, 3, 4]],
    ],
)
def test_tables_that_are_no_graph_are_points(table):
    assert holds_points(table)
    assert not holds_graph(table)


@pytest.mark.parametrize(
    "graph",
    [
        np.zeros((5, 5)),
        np.zeros((2, 2)),
        np.array([[0, 1, 2], [1, 2, 3]]),
        np.array([[0, 1], [1, 2], [2, 3]]),
        sp.csr_array(np.ones((4, 4))),
        pd.DataFrame({"source": [0.5, 1.0], "target": [1.0, 2.0], "weight": [1.0, 2.0], "more": [1.0, 2.0]}),
        pd.DataFrame({"a": [0, 1], "b": [1, 2], "c": [0.5, 0.5]}),
        pd.DataFrame({"a": ["u", "v"], "b": ["v", "w"]}),
        [(0, 1), (1, 2)],
        [[0, 1, 0.5], [1, 2, 0.5]],
        [("u", "v"), ("v", "w")],
        "graph.edgelist",
        nx.path_graph(3),
        Graph.from_edges([], [], nodes=3, x=np.zeros((3, 2))),
    ],
)
def test_whatever_can_be_read_as_a_graph_is_no_table_of_points(graph):
    assert not holds_points(graph)
    if not isinstance(graph, str):
        assert as_graph(graph).num_nodes > 1


def test_negative_numbers_are_no_ids():
    with pytest.raises(DataError, match="if its rows are points, give them as floats"):
        as_graph(np.array([[0, -1], [3, 4], [2, 2]]))


def test_tensors_are_arrays():
    torch = pytest.importorskip("torch")
    assert holds_points(torch.zeros(5, 2))
    assert not holds_points(torch.zeros(5, 5))
    assert not holds_points(torch.zeros(2, 5, dtype=torch.int64))


def test_missing_ends_of_frames_are_named():
    frame = pd.DataFrame({"source": ["a", None], "target": ["b", "c"]})
    for table in (frame, frame.convert_dtypes()):
        with pytest.raises(DataError, match="edge 1 has an end without an id"):
            as_graph(table)


def test_positions_beyond_what_can_be_numbered_are_refused():
    with pytest.raises(ResourceError, match="a graph can have at most"):
        as_graph(np.array([[2**63, 1, 3], [1, 2, 4]], dtype=np.uint64))


def test_pyg_data_in_and_out():
    torch = pytest.importorskip("torch")
    graph = Graph.from_edges([0, 1, 2], [1, 2, 2], [1.0, 2.0, 3.0], nodes=4, x=np.eye(4), y=[0, 0, 1, 1])
    data = graph.to_data()
    assert data.edge_index.dtype == torch.int64
    assert data.num_nodes == 4
    back = as_graph(data)
    assert edge_set(back) == edge_set(graph)
    np.testing.assert_array_equal(back.y, graph.y)
    np.testing.assert_array_equal(back.x, graph.x)
    data.edge_index = data.edge_index[:, :1]
    data.edge_weight = None
    assert as_graph(data).directed


def test_parallel_edges_add_up_and_zero_weights_drop():
    graph = Graph.from_edges([0, 1, 0, 2], [1, 0, 2, 2], [1.0, 2.0, 0.0, 1.0], nodes=3)
    assert edge_set(graph) == {frozenset((0, 1)): 3.0, frozenset((2,)): 1.0}
    assert (graph.meta["merged_edges"], graph.meta["dropped_edges"], graph.num_self_loops) == (1, 1, 1)


def test_sum_of_parallel_weights_does_not_depend_on_their_order(rng):
    weight = rng.random(1000)
    order = rng.permutation(1000)
    ends = np.zeros(1000, dtype=int), np.ones(1000, dtype=int)
    first = Graph.from_edges(*ends, weight, nodes=2)
    two = Graph.from_edges(*ends, weight[order], nodes=2)
    assert first.weight.tolist() == two.weight.tolist()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (([0], [1, 2]), "1 edge sources and 2"),
        (([0], [3]), "outside"),
        (([-1], [0]), "outside"),
        (([0], [1], [np.nan]), "finite"),
        (([0], [1], [-1]), "finite"),
        (([0], [1], [1, 2]), "2 weights for 1"),
        (([0, 1], [1, 0], [1e308, 1e308]), "scale them down"),
    ],
)
def test_bad_edges_are_refused(arguments, says):
    with pytest.raises(DataError, match=says):
        Graph.from_edges(*arguments, nodes=3)


@pytest.mark.parametrize("nodes", [["a", "a"], [[1], [2]]])
def test_ids_that_cannot_tell_nodes_apart(nodes):
    with pytest.raises(DataError, match="id"):
        Graph.from_edges([0], [1], nodes=nodes)
    names = ["a", "b"]
    graph = Graph.from_edges([0], [1], nodes=names)
    names.append("c")
    assert graph.num_nodes == 2


@pytest.mark.parametrize("pairs", [[(0, 1, 10**400)], [(0, None)], [(float("nan"), 1)], np.array([[0.7, 1]])])
def test_pairs_that_are_no_edges(pairs):
    with pytest.raises(DataError):
        as_graph(pairs)
    with pytest.raises(DataError, match="which are integers"):
        Graph.from_edges([0.7], [1], nodes=2)


def test_numbers_of_pyg_that_are_no_weights_or_classes():
    torch = pytest.importorskip("torch")
    data_type = pytest.importorskip("torch_geometric.data").Data
    edge_index = torch.tensor([[0, 1], [1, 2]])
    assert as_graph(edge_index).num_edges == 2
    data = data_type(
        edge_index=edge_index, edge_attr=torch.tensor([0, 1]), y=torch.tensor([0.3, 1.7, 2.0]), num_nodes=3
    )
    graph = as_graph(data)
    assert (graph.num_edges, graph.weight, graph.y) == (2, None, None)


@pytest.mark.parametrize("thing", [3, {"a": 1}, b"ab", None])
def test_what_is_no_graph_is_refused(thing):
    with pytest.raises(UsageError, match=r"cannot convert .* to a graph"):
        as_graph(thing)


@pytest.mark.parametrize("thing", [np.zeros((3, 4)), sp.csr_array((2, 3)), [("a",)], ["ab"], [(1, 2, "x")], [([], 1)]])
def test_what_looks_like_a_graph_but_is_none(thing):
    with pytest.raises(DataError):
        as_graph(thing)


def test_weights_that_are_no_numbers_are_named():
    for heavy in ("heavy", 10**400, [1]):
        graph = nx.Graph()
        graph.add_edge("c", "d", weight="2.5")
        graph.add_edge("a", "b", weight=heavy)
        with pytest.raises(DataError, match="'a' - 'b' has the weight"):
            as_graph(graph)
        assert as_graph(graph, weight=None).num_edges == 2
    with pytest.raises(DataError, match="not numbers"):
        as_graph(igraph.Graph(n=2, edges=[(0, 1)], edge_attrs={"weight": ["x"]}))
    with pytest.raises(DataError, match="cannot be hashed"):
        as_graph(igraph.Graph(n=2, vertex_attrs={"name": [[1], [2]]}))
    with pytest.raises(DataError, match="real numbers"):
        as_graph(np.array([["a", "b"], ["b", "a"]]))


@pytest.mark.parametrize("directed", [False, True])
def test_direction_can_be_overruled(directed):
    containers = [
        nx.path_graph(3),
        nx.path_graph(3, create_using=nx.DiGraph),
        igraph.Graph(n=3, edges=[(0, 1), (1, 2)]),
        as_graph([(0, 1), (1, 2)]),
        nx.to_scipy_sparse_array(nx.path_graph(3)),
    ]
    for container in containers:
        assert as_graph(container, directed=directed).directed is directed
    assert as_graph(nx.path_graph(3), directed=True).num_edges == 4


def test_the_callers_arrays_stay_the_callers():
    source, target, weight, y = np.array([0, 1]), np.array([1, 2]), np.array([1.0, 2.0]), np.array([0, 0, 1])
    graph = Graph.from_edges(source, target, weight, nodes=3, y=y)
    source[0] = target[0] = y[0] = 2
    weight[0] = 9.0
    assert list(graph.edges()) == [(0, 1, 1.0), (1, 2, 2.0)]
    assert graph.y.tolist() == [0, 0, 1]


def test_weights_of_pyg_under_their_usual_names():
    utils = pytest.importorskip("torch_geometric.utils")
    other_graph = nx.les_miserables_graph()
    graph = as_graph(utils.from_networkx(other_graph))
    assert graph.total_weight == sum(w for _, _, w in other_graph.edges(data="weight"))


def test_arrays_are_locked():
    graph = as_graph([(0, 1)])
    with pytest.raises(ValueError, match="read-only"):
        graph.source[0] = 5


def test_decimal_ids_are_strings():
    ids = DecimalIds(np.array([2, 10]))
    assert (list(ids), ids[1], list(ids[:1]), len(ids)) == (["2", "10"], "10", ["2"], 2)


def test_importing_the_graph_imports_no_other_library():
    import subprocess

    code = "import sys, graphclust.graph; print({'torch', 'networkx', 'igraph', 'scipy', 'pandas'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_a_part_of_a_graph_keeps_what_is_known_of_its_ids():
    graph = as_graph([("3", "1"), ("1", "1"), ("1", "20")]).canonical()
    part = graph.subgraph(np.array([0, 2]))
    assert part._is_canonical
    assert not graph.subgraph(np.array([2, 0]))._is_canonical
    decimal = Graph.from_edges([0, 1], [1, 2], nodes=DecimalIds(np.array([4, 7, 9])), is_canonical=True)
    assert isinstance(decimal.subgraph(np.array([1, 2]))._ids, DecimalIds)
    assert decimal.subgraph(np.array([1, 2])).nodes == ["7", "9"]
    assert list(graph.without_self_loops().edges()) == [("1", "3"), ("1", "20")]
    assert decimal.without_self_loops() is decimal


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        (torch.rand(4, 3), "the shape (4, 3)"),
        (torch.tensor([0, 1, 0, 1]), "whole numbers, which may be types"),
    ],
)
def test_edge_attributes_of_pyg_that_are_no_weights_are_said(attributes, message):
    from torch_geometric.data import Data

    data = Data(edge_index=torch.tensor([[0, 1, 1, 2], [1, 0, 2, 1]]), edge_attr=attributes, num_nodes=3)
    graph = as_graph(data)
    assert not graph.is_weighted
    assert message in next(note.message for note in graph.meta["notes"] if note.code == "edge-attributes")
    data.strength = torch.tensor([2.0, 2.0, 3.0, 3.0])
    assert as_graph(data, weight="strength").weight.tolist() == [2, 3]
    assert not as_graph(data, weight=None).is_weighted
    with pytest.raises(DataError, match="no 'nonsense' with one number for each edge"):
        as_graph(data, weight="nonsense")
