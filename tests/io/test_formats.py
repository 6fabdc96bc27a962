"""Structured formats: what is written reads back equal, other libraries agree, and errors name the line."""

from __future__ import annotations

import importlib
import io
import math
import random
import warnings
import zipfile

import igraph as ig
import networkx as nx
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import scipy.io
import scipy.sparse as sp

from graphclust.errors import DataError, GraphclustError, ResourceError, UsageError
from graphclust.graph import Graph
from graphclust.inputs import as_graph
from graphclust.io import read_file, write_graph
from graphclust.io.options import ReadOptions
from graphclust.io.source import Source, open_source
from tests.noted import codes, noted

TEXTUAL = ["graphml", "gexf", "gml", "pajek", "metis", "matrix_market"]
FORMATS = [*TEXTUAL, "npz", "parquet", "pyg"]
WITH_ATTRIBUTES = ["graphml", "gexf", "gml", "pyg"]
PLAIN_IDS = ["node_link", "sif", "adjlist", "matrix"]  # formats that do not take any id, or order the nodes anew
AWKWARD = [
    "a b",
    'say "hi"',
    '"',
    "back\\",
    'back\\"',
    "\\\\x",
    "&amp;<>'",
    "é",
    "日本",
    "&#34;",
    "",
    "# no",
    "1 2",
    "][",
]

GRAPHS = {
    "plain": Graph.from_edges([0, 0, 1], [1, 2, 2], nodes=["a", "b", "c"]),
    "weighted": Graph.from_edges([0, 1], [1, 2], [0.1, 1e-300], nodes=["a", "b", "c"]),
    "integer weights": Graph.from_edges([0, 1], [1, 2], [2, 3], nodes=range(3)),
    "large weight": Graph.from_edges([0], [1], [1.2345678901234567e149], nodes=["a", "b"]),
    "directed": Graph.from_edges([0, 2, 1], [1, 0, 2], nodes=["a", "b", "c"], directed=True),
    "both directions": Graph.from_edges([0, 1, 1], [1, 0, 2], [1.5, 2, 3], nodes=range(3), directed=True),
    "pairs of arcs": Graph.from_edges([0, 1], [1, 0], nodes=range(2), directed=True),
    "self-loops": Graph.from_edges([0, 0, 1], [0, 1, 1], [1, 2, 0.5], nodes=["x", "y"]),
    "isolated": Graph.from_edges([1], [3], nodes=["p", "q", "r", "s", "t"]),
    "ids": Graph.from_edges(range(len(AWKWARD) - 1), range(1, len(AWKWARD)), nodes=AWKWARD),
    "integer ids": Graph.from_edges([0, 1], [1, 2], nodes=[-4, 7, 10**12]),
    "one node": Graph.from_edges([], [], nodes=["only"]),
    "no edges": Graph.from_edges([], [], nodes=["a", "b", "c"]),
    "no edges, directed": Graph.from_edges([], [], nodes=["a", "b"], directed=True),
    "no nodes": Graph.from_edges([], [], nodes=0),
}


def module(name):
    return importlib.import_module(f"graphclust.io.{name}")


def read(name, data, **options):
    source = Source("file", data if isinstance(data, bytes) else data.encode(), options=ReadOptions.of(**options))
    return module(name).read(source)


def written(name, graph, attributes=None):
    stream = io.BytesIO()
    module(name).write(graph, stream, attributes)
    return stream.getvalue()


def edges(graph, spell=lambda node: node):
    """Edges with weights, independent of the order of nodes and ends."""
    ends = [(spell(graph.nodes[u]), spell(graph.nodes[v])) for u, v in zip(graph.source, graph.target, strict=True)]
    if not graph.directed:
        ends = [tuple(sorted(pair, key=repr)) for pair in ends]
    return dict(zip(ends, graph.edge_weight.tolist(), strict=True))


def assert_same(read_back, graph, spell=lambda node: node):
    assert read_back.nodes == [spell(node) for node in graph.nodes]
    assert read_back.directed == graph.directed
    assert read_back.source.tolist() == graph.source.tolist()
    assert read_back.target.tolist() == graph.target.tolist()
    assert read_back.edge_weight.tolist() == graph.edge_weight.tolist()


# ---------------------------------------------------------------- round trips


@pytest.mark.parametrize("graph", GRAPHS.values(), ids=GRAPHS)
@pytest.mark.parametrize("name", FORMATS)
def test_what_is_written_reads_back_equal(name, graph):
    if name == "metis":
        data = graph.undirected()
        graph = Graph.from_edges(data.source, data.target, np.ceil(data.edge_weight), nodes=data.nodes)
        keep = graph.source != graph.target
        graph = Graph.from_edges(
            graph.source[keep], graph.target[keep], graph.edge_weight[keep], nodes=range(1, graph.num_nodes + 1)
        )
    elif not module(name).KEEPS_IDS:
        parts = (graph.source, graph.target, graph.weight)
        graph = Graph.from_edges(*parts, nodes=graph.num_nodes, directed=graph.directed)
    elif name == "parquet":
        graph = graph.canonical()
    spell = str if name in ("graphml", "gexf", "gml", "pajek") else lambda node: node
    data = written(name, graph)
    assert written(name, graph) == data
    assert_same(read(name, data), graph, spell)


@pytest.mark.parametrize("name", WITH_ATTRIBUTES[:3])
def test_attributes_read_back_with_their_types(name):
    graph = GRAPHS["plain"]
    attributes = {
        "community": [0, 1, -5],
        "big": np.array([2**40, 1, 2]),
        "confidence": [0.1, None, 1e-30],
        "limit": [math.inf, -math.inf, 2.5],
        "name": ['a<b&"c"', " padded ", "é\n\t"],
        "mixed": [1, "x", None],
    }
    read_back = read(name, written(name, graph, attributes)).meta["node_attributes"]
    assert read_back == {**attributes, "big": [2**40, 1, 2], "mixed": ["1", "x", None]}
    assert {type(value) for value in read_back["community"]} == {int}
    assert "int" in str(written(name, graph, attributes)) or name == "gml"


def test_booleans_stay_booleans_in_xml():
    for name in ("graphml", "gexf"):
        data = written(name, GRAPHS["plain"], {"core": [True, False, None]})
        assert read(name, data).meta["node_attributes"]["core"] == [True, False, None]


@pytest.mark.parametrize("name", sorted(set(FORMATS) - set(WITH_ATTRIBUTES)))
def test_formats_without_attributes_refuse_them(name):
    with pytest.raises(UsageError, match="community"):
        written(name, GRAPHS["integer weights"], {"community": [0, 0, 1]})
    assert written(name, GRAPHS["integer weights"], {}) == written(name, GRAPHS["integer weights"])


@pytest.mark.parametrize("name", WITH_ATTRIBUTES)
@pytest.mark.parametrize("values", [[1, 2], [1, 2, [3]]])
def test_unusable_attributes_are_the_callers_fault(name, values):
    with pytest.raises(UsageError, match="community"):
        written(name, GRAPHS["plain"], {"community": values})


def test_what_a_format_cannot_hold_is_refused():
    for name in ("graphml", "gexf", "gml", "pajek"):
        with pytest.raises(DataError, match="same when written as text"):
            written(name, Graph.from_edges([0], [1], nodes=[1, "1"]))
    for name in ("graphml", "gexf"):
        for bad in ("\0", "\x1b", "\ud800", "\uffff"):
            with pytest.raises(DataError, match="XML cannot hold"):
                written(name, Graph.from_edges([], [], nodes=[f"a{bad}b"]))
            with pytest.raises(DataError, match="XML cannot hold"):
                written(name, GRAPHS["one node"], {"name": [bad]})
    for bad in ("a\nb", "\0", "\ud800"):
        with pytest.raises(DataError, match="cannot"):
            written("pajek", Graph.from_edges([], [], nodes=[bad]))
    for graph, why in (("directed", "undirected"), ("self-loops", "self-loops"), ("weighted", "integer weights")):
        with pytest.raises(DataError, match=why):
            written("metis", GRAPHS[graph])
    for attribute in ("a b", "label", "id"):
        with pytest.raises(UsageError, match="GML cannot hold"):
            written("gml", GRAPHS["one node"], {attribute: [1]})
    with pytest.raises(UsageError, match="edge_index"):
        written("pyg", GRAPHS["one node"], {"edge_index": [1]})
    with pytest.raises(DataError, match="UTF-8"):
        written("parquet", Graph.from_edges([], [], nodes=["\ud800"]))


def test_control_characters_survive_in_gml():
    graph = Graph.from_edges([], [], nodes=["\0\x1b\n", "\ud800"])
    assert_same(read("gml", written("gml", graph)), graph)


# ---------------------------------------------------------------- other libraries read what we write


@pytest.mark.parametrize("key", sorted(GRAPHS.keys() - {"no nodes"}))
@pytest.mark.parametrize("name", ["graphml", "gexf", "gml", "pajek"])
def test_networkx_reads_what_we_write(name, key):
    graph = GRAPHS[key]
    if name == "pajek":  # networkx reads neither a reference nor a graph of undirected edges without edges as such
        graph = Graph.from_edges(
            graph.source, graph.target, graph.weight, nodes=[str(n).replace("&#", "&") for n in graph.nodes],
            directed=graph.directed,
        )  # fmt: skip
    attributes = None if name == "pajek" else {"community": [7] * graph.num_nodes}
    theirs = getattr(nx, f"read_{name}")(io.BytesIO(written(name, graph, attributes)))
    assert list(theirs.nodes) == [str(node) for node in graph.nodes]
    assert theirs.is_directed() == graph.directed
    if attributes:
        assert set(nx.get_node_attributes(theirs, "community").values()) == {7}
    actual = {
        (u, v) if graph.directed else tuple(sorted((u, v), key=repr)): weight
        for u, v, weight in theirs.edges(data="weight", default=1.0)
    }
    assert actual == edges(graph, str)


def test_scipy_and_pyarrow_and_pandas_read_what_we_write(tmp_path):
    graph = GRAPHS["both directions"]
    assert (sp.load_npz(io.BytesIO(written("npz", graph))) != graph.adjacency()).nnz == 0
    for key in ("both directions", "integer weights"):
        matrix = scipy.io.mmread(io.BytesIO(written("matrix_market", GRAPHS[key])))
        assert (sp.csr_array(matrix) != GRAPHS[key].adjacency()).nnz == 0
    table = pq.read_table(io.BytesIO(written("parquet", graph)))
    assert table.to_pydict() == {"source": [0, 1, 1], "target": [1, 0, 2], "weight": [1.5, 2.0, 3.0]}
    path = tmp_path / "graph.graphml"
    path.write_bytes(written("graphml", GRAPHS["self-loops"]))
    theirs = ig.Graph.Read_GraphML(str(path))
    assert theirs.get_edgelist() == [(0, 0), (0, 1), (1, 1)]
    assert theirs.es["weight"] == [1.0, 2.0, 0.5]


@pytest.mark.parametrize("first", [0, 1])
@pytest.mark.parametrize("name", FORMATS)
def test_numbers_in_the_place_of_ids_are_reported(name, first):
    """Three formats number the nodes from 0 or from 1: only a graph that is numbered so keeps its ids."""
    graph = Graph.from_edges([0, 1], [1, 2], nodes=range(first, first + 3))
    stream = io.BytesIO()
    lost = write_graph(graph, stream, format=name.replace("_", "-"))
    keeps_ids = sorted(map(int, read(name, stream.getvalue()).nodes)) == graph.nodes
    assert [message for message in lost if "no place for node ids" in message] == lost
    assert bool(lost) != keeps_ids


def test_booleans_are_ids_as_well():
    graph = as_graph(nx.Graph([(True, "a"), ("a", "b")]))
    assert {"True", "a", "b"} == set(map(str, read("parquet", written("parquet", graph)).nodes))


# ---------------------------------------------------------------- we read what other libraries write


def example(kind):
    graph = kind()
    graph.add_nodes_from(["a b", 'say "hi"', "é", "alone", "z"])
    graph.add_edge("a b", 'say "hi"', weight=2.5)
    graph.add_edge('say "hi"', "é", weight=1e-7)
    graph.add_edge("z", "z", weight=3.0)
    graph.add_edge("é", "a b")
    if graph.is_multigraph():
        graph.add_edge("a b", 'say "hi"', weight=4.0)
    if graph.is_directed():
        graph.add_edge("é", 'say "hi"', weight=5.0)
    return graph


def expected(graph):
    total = {}
    for u, v, weight in graph.edges(data="weight", default=1.0):
        pair = (u, v) if graph.is_directed() else tuple(sorted((u, v), key=repr))
        total[pair] = total.get(pair, 0.0) + weight
    return total


@pytest.mark.parametrize("kind", [nx.Graph, nx.DiGraph, nx.MultiGraph, nx.MultiDiGraph])
@pytest.mark.parametrize("name", ["graphml", "gexf", "gml", "pajek"])
def test_networkx_files(name, kind):
    theirs = example(kind)
    if name != "pajek":
        theirs.add_node("é", age=3, ratio=0.5, word="naïve")
    if name == "gml":
        theirs.add_node("é", inner={"a": [1, 2], "b": {"c": 1}}, some=[1, 2], one=[1], none=[], source="s")
    stream = io.BytesIO()
    getattr(nx, f"write_{name}")(theirs, stream)
    graph = read(name, stream.getvalue())
    assert graph.nodes == list(theirs)
    assert graph.directed == theirs.is_directed()
    assert edges(graph) == pytest.approx(expected(theirs), rel=0, abs=0)
    if name != "pajek":
        selected = graph.meta["node_attributes"]
        assert [selected[key][2] for key in ("age", "ratio", "word")] == [3, 0.5, "naïve"]
        assert selected["age"][0] is None
        assert not selected.keys() & {"inner", "some", "one"}


@pytest.mark.parametrize("directed", [False, True])
@pytest.mark.parametrize("name", ["graphml", "gml", "pajek"])
def test_igraph_files(name, directed, tmp_path):
    theirs = ig.Graph([(0, 1), (1, 1), (1, 2), (1, 2)], n=4, directed=directed)
    theirs.vs["name"] = ["a b", 'q"\\x', "é", "&"]
    theirs.es["weight"] = [1, 0.5, 1e-7, 2]
    path = tmp_path / "graph"
    getattr(theirs, f"write_{name}")(str(path))
    graph = read(name, path.read_bytes())
    ids = theirs.vs["name"]
    assert graph.nodes == ids
    assert graph.directed == directed
    assert list(graph.edges()) == [(ids[0], ids[1], 1.0), (ids[1], ids[1], 0.5), (ids[1], ids[2], 1e-7 + 2)]
    if name != "pajek":
        own = read(name, path.read_bytes(), id="id")
        assert [str(node) for node in own.nodes] == [f"{'n' * (name == 'graphml')}{i}" for i in range(4)]
        assert own.meta["node_attributes"]["name"] == ids


MATRICES = {
    "symmetric": np.array([[0, 2.5, 0], [2.5, 1, 0], [0, 0, 0]]),
    "general": np.array([[0, 2.5, 0], [0, 1, 0], [4, 0, 0]]),
    "integers": np.array([[0, 2], [2, 0]]),
    "empty": np.zeros((3, 3)),
}


@pytest.mark.parametrize("matrix", MATRICES.values(), ids=MATRICES)
def test_scipy_files(matrix):
    wanted = {tuple(map(int, pair)): float(matrix[tuple(pair)]) for pair in np.argwhere(matrix)}
    directed = bool((matrix != matrix.T).any())
    if not directed:
        wanted = {pair: weight for pair, weight in wanted.items() if pair[0] <= pair[1]}
    files = {}
    for form in ("csr", "csc", "coo"):
        stream = io.BytesIO()
        sp.save_npz(stream, sp.coo_array(matrix).asformat(form))
        files[f"npz {form}"] = stream.getvalue()
    for form, content in (("sparse", sp.coo_array(matrix)), ("array", matrix)):
        for symmetry in ("general", None):
            stream = io.BytesIO()
            scipy.io.mmwrite(stream, content, symmetry=symmetry)
            files[f"matrix_market {form} {symmetry}"] = stream.getvalue()
    for key, data in files.items():
        graph = read(key.split()[0], data)
        assert graph.nodes == list(range(len(matrix))), key
        assert (graph.directed, edges(graph)) == (directed, wanted), key


def test_scipy_pattern_and_boolean_matrices():
    matrix = sp.coo_array(np.array([[0, 1], [1, 1]], dtype=bool))
    stream = io.BytesIO()
    scipy.io.mmwrite(stream, matrix.astype(int), field="pattern")
    assert edges(read("matrix_market", stream.getvalue())) == {(0, 1): 1.0, (1, 1): 1.0}
    stream = io.BytesIO()
    sp.save_npz(stream, matrix.tocsr())
    assert edges(read("npz", stream.getvalue())) == {(0, 1): 1.0, (1, 1): 1.0}


def test_parquet_tables():
    def table(**columns):
        stream = io.BytesIO()
        pq.write_table(pa.table(columns), stream)
        return stream.getvalue()

    graph = read("parquet", table(note=["x", "y"], to=[3, 1], **{"from": [1, 2]}, weight=[2, None]))
    assert graph.nodes == [1, 2, 3]
    assert list(graph.edges()) == [(1, 2, 1.0), (1, 3, 2.0)]
    assert read("parquet", table(a=["10", "b"], b=["9", "10"])).nodes == ["9", "10", "b"]
    assert read("parquet", table(a=["x"], b=["y"], c=[2.5])).edge_weight.tolist() == [2.5]
    assert not read("parquet", table(a=["x"], b=["y"], c=[2.5]), weights=False).is_weighted
    with pytest.raises(DataError, match="--columns"):
        read("parquet", table(a=["x"], b=["y"], c=["z"]))
    assert not read("parquet", table(a=["x"], b=["y"], c=["z"]), columns="a,b").is_weighted
    assert read("parquet", table(a=pa.array(["x", "y"]).dictionary_encode(), b=["y", "x"])).num_edges == 1
    assert read("parquet", table(a=[1], b=["y"])).nodes == ["1", "y"]
    assert read("parquet", table(a=[2, 1], b=[1, 2]), directed=True).num_edges == 2
    for columns, why in (
        ({"a": [1]}, "two columns"),
        ({"a": [1, None], "b": [1, 2]}, "no value in row 2"),
        ({"a": [0.5], "b": [1.5]}, "integers or strings"),
        ({"a": pa.array([2**64 - 1], pa.uint64()), "b": [1]}, "damaged|64 bits"),
        ({"source": [1], "target": [2], "weight": ["x"]}, "weights must be numbers"),
        ({"a": [1], "b": [2], "c": [math.nan]}, "finite"),
        ({"a": [1], "b": [2], "c": [-1]}, "negative"),
    ):
        with pytest.raises(DataError, match=f"^file: .*({why})"):
            read("parquet", table(**columns))
    with pytest.raises(DataError, match="no column of weights"):
        read("parquet", table(a=[1], b=[2]), weights=True)


def test_pytorch_files():
    torch = pytest.importorskip("torch")
    from torch_geometric.data import Data, HeteroData

    def saved(content):
        stream = io.BytesIO()
        torch.save(content, stream)
        return stream.getvalue()

    ends = torch.tensor([[0, 1, 1, 2], [1, 0, 2, 1]])
    data = Data(
        edge_index=ends, x=torch.eye(4), y=torch.arange(4), edge_attr=torch.tensor([[2.0], [2.0], [3.0], [3.0]])
    )
    for content in (data, data.to_dict(), (data.to_dict(), None, Data)):
        graph = read("pyg", saved(content))
        assert (graph.num_nodes, graph.directed, edges(graph)) == (4, False, {(0, 1): 2.0, (1, 2): 3.0})
        assert graph.x.shape == (4, 4)
        assert graph.y.tolist() == [0, 1, 2, 3]
        assert edges(read("pyg", saved(content), weights=False)) == {(0, 1): 1.0, (1, 2): 1.0}
    ours = Graph.from_edges(
        [0, 1], [1, 2], [2.5, 3], nodes=["a", "b", "c"], x=np.arange(6.0).reshape(3, 2), y=[1, 0, -1]
    )
    theirs = Data.from_dict(torch.load(io.BytesIO(written("pyg", ours, {"community": [0, 0, 1]})), weights_only=True))
    assert theirs.validate()
    assert theirs.is_undirected()
    assert theirs.community.tolist() == [0, 0, 1]
    read_back = read("pyg", written("pyg", ours))
    assert_same(read_back, ours)
    assert (read_back.x == ours.x).all()
    assert (read_back.y == ours.y).all()
    assert read("pyg", saved(ends)).num_edges == 2
    assert read("pyg", saved(ends), directed=True).num_edges == 4
    assert read("pyg", saved(ends[:, :1])).directed
    assert not read("pyg", saved(ends[:, :1]), directed=False).directed
    for content, why in (
        (torch.nn.Linear(2, 2), "torch.nn.modules.linear.Linear"),
        (HeteroData(), "torch_geometric.data"),
        ({"edge_index": ends, "f": math.floor}, "math.floor"),
        ((data.to_dict(), {"edge_index": torch.tensor([0, 2, 4])}, Data), "several graphs"),
        ({"x": ends}, "no edge_index"),
        ([1, 2], "expected a PyG Data"),
        ({"edge_index": ends.float()}, r"integers of shape \(2, m\)"),
        ({"edge_index": ends[0]}, r"integers of shape \(2, m\)"),
        ({"edge_index": ends.to_sparse()}, "dense, real tensor"),
        ({"edge_index": ends, "num_nodes": 2}, "outside"),
        ({"edge_index": ends, "num_nodes": "3"}, "num_nodes must be an integer"),
        ({"edge_index": ends, "edge_weight": torch.tensor([1.0])}, "1 weights for 4 edges"),
        ({"edge_index": ends, "edge_weight": torch.tensor([1.0, 1, math.nan, 1])}, "finite"),
        ({"edge_index": ends, "nodes": ["a", "a", "b"]}, "distinct"),
        ({"edge_index": ends, "nodes": [[], [1], [2]]}, "distinct"),
    ):
        with pytest.raises(DataError, match=f"^file: .*{why}"):
            read("pyg", saved(content))
    with pytest.raises(ResourceError):
        read("pyg", saved({"edge_index": torch.zeros((2, 1), dtype=torch.int64).expand(2, 10**14)}))
    with pytest.raises(ResourceError):
        read("pyg", saved({"edge_index": ends, "num_nodes": 10**15}))


# ---------------------------------------------------------------- dialects of a format


def test_newmans_files(shared_data):
    football = module("gml").read(open_source(shared_data / "classic/football.gml"))
    assert (football.num_nodes, football.num_edges, football.directed) == (115, 613, False)
    assert football.nodes[0] == "BrighamYoung"
    assert football.meta["node_attributes"]["value"][:2] == [7, 0]
    polblogs = module("gml").read(open_source(shared_data / "classic/polblogs.gml.gz"))
    assert (polblogs.num_nodes, polblogs.num_edges, polblogs.directed) == (1490, 19025, True)
    assert polblogs.meta["merged_edges"] == 65
    assert polblogs.meta["node_attributes"]["source"][0] == "Blogarama"


def test_gml_dialects():
    text = """# a comment with "quotes" and [brackets]
Creator "someone" Version 1 other [ graph [ node [ id 9 ] ] ]
graph [ comment "x ] y" directed 1 # here too
  node [ id 1 graphics [ x 1.5 y .5 w [ id 3 ] ] label "A&amp;B &quot;&#233;&#xe9;&eacute;&nothing;" age 3 ]
  node [ id -2 label 5 age 1e3 ]
  edge [ source 1 target -2 value 2.5 ] edge [ source 1 target -2 value "1.5" ] edge [ source -2 target 1 ]
]"""
    graph = read("gml", text)
    assert graph.nodes == ['A&B "éé' + "é&nothing;", "5"]
    assert list(graph.edges()) == [(graph.nodes[0], "5", 4.0), ("5", graph.nodes[0], 1.0)]
    assert graph.meta["node_attributes"] == {"age": [3, 1000.0]}
    for ending in ("\r\n", "\r"):
        assert_same(read("gml", text.replace("\n", ending)), graph)
    assert_same(read("gml", text.encode("utf-16")), graph)
    alike = text.replace("label 5", 'label "A"').replace('label "A&amp', 'label "A" x "&amp')
    assert read("gml", alike).nodes == [1, -2]
    some = 'graph [ node [ id 1 ] node [ id 2 label "b" ] edge [ source 1 target 2 weight 3 value 7 ] ]'
    assert edges(read("gml", some)) == {(1, 2): 3.0}
    assert read("gml", some).meta["node_attributes"] == {"label": [None, "b"]}
    assert edges(read("gml", text, weights=False)) == {(graph.nodes[0], "5"): 2.0, ("5", graph.nodes[0]): 1.0}
    assert edges(read("gml", text, directed=False)) == {tuple(sorted(graph.nodes, key=repr)): 5.0}


def test_graphml_dialects():
    text = """<?xml version="1.0"?>
<!DOCTYPE g:graphml SYSTEM "graphml.dtd">
<g:graphml xmlns:g="http://graphml.graphdrawing.org/xmlns" xmlns:y="http://www.yworks.com/xml/graphml">
 <g:key id="d0" for="node" yfiles.type="nodegraphics"/>
 <g:key id="d1" for="edge" attr.name="value" attr.type="double"><g:default>0.5</g:default></g:key>
 <g:key id="d2" for="node" attr.name="colour" attr.type="string"><g:default>red</g:default></g:key>
 <g:key id="d3" for="node" attr.name="size" attr.type="int"/>
 <g:graph edgedefault="undirected">
  <g:desc>about</g:desc>
  <g:edge source="a" target="b"/>
  <g:node id="a"><g:data key="d0"><y:ShapeNode><y:node id="a"/><y:Geometry x="1"/></y:ShapeNode></g:data>
   <g:data key="d3">many</g:data><g:port name="p"/></g:node>
  <g:node id="b"><g:data key="d2">blue</g:data><g:graph id="b:" edgedefault="directed">
    <g:node id="c"/><g:edge source="c" target="c"><g:data key="d1">4</g:data></g:edge></g:graph></g:node>
  <g:edge source="b" target="c" directed="true"><g:data key="d1"> 2 </g:data></g:edge>
 </g:graph>
</g:graphml>"""
    source = Source("file", text.encode())
    graph = module("graphml").read(source)
    assert graph.nodes == ["a", "b", "c"]
    assert graph.directed
    assert edges(graph) == {("a", "b"): 0.5, ("b", "a"): 0.5, ("b", "c"): 2.0, ("c", "c"): 4.0}
    assert graph.meta["node_attributes"] == {"colour": ["red", "blue", "red"], "size": ["many", None, None]}
    assert sorted(codes(source.notes)) == [
        "attribute-as-text",
        "mixed-directions",
        "nested-graphs",
        "weights-from-attribute",
    ]
    assert noted(source.notes, "attribute-as-text")["name"] == "size"
    assert edges(read("graphml", text, directed=True)).keys() == {("a", "b"), ("b", "c"), ("c", "c")}
    assert not read("graphml", text, directed=False).directed
    assert not read("graphml", text, weights=False).is_weighted
    bare = (
        '<graphml><graph><node id="a"/><edge source="a" target="a"><data key="weight">3</data></edge></graph></graphml>'
    )
    assert edges(read("graphml", bare)) == {("a", "a"): 3.0}
    undeclared = bare.replace('"a"', '"é"').encode("latin-1")
    for encoding in ("latin-1", "cp1252"):
        assert read("graphml", undeclared, encoding=encoding).nodes == ["é"]
        wrong = b"<?xml version='1.0' encoding='utf-8'?>" + undeclared
        assert read("graphml", wrong, encoding=encoding).nodes == ["é"]
    for encoding in ("utf-16", "latin-1"):
        declared = f"<?xml version='1.0' encoding='{encoding}'?>{bare}".replace('"a"', '"é"')
        assert read("graphml", declared.encode(encoding)).nodes == ["é"]


def test_gexf_dialects():
    text = """<gexf xmlns="http://gexf.net/1.3" version="1.3"><meta><creator>Gephi</creator></meta>
 <graph defaultedgetype="directed" mode="dynamic">
  <attributes class="edge"><attribute id="w" title="Weight" type="double"/></attributes>
  <attributes class="node"><attribute id="0" title="size" type="float"><default>1.5</default></attribute></attributes>
  <nodes count="3">
   <node id="0" label="zero"><attvalues><attvalue for="0" value="2"/></attvalues><viz:size value="3"/>
    <nodes><node id="1" label="one"/></nodes></node>
   <node id="2" label="two" pid="0"/>
  </nodes>
  <edges>
   <edge source="0" target="1" weight="2"/><edge source="1" target="2" type="mutual"/>
   <edge source="2" target="2" type="undirected"><attvalues><attvalue for="w" value="4"/></attvalues></edge>
  </edges>
 </graph></gexf>"""
    source = Source("file", text.encode())
    graph = module("gexf").read(source)
    assert graph.nodes == ["zero", "one", "two"]
    assert edges(graph) == {("zero", "one"): 2.0, ("one", "two"): 1.0, ("two", "one"): 1.0, ("two", "two"): 4.0}
    assert graph.meta["node_attributes"] == {"size": [2.0, 1.5, 1.5]}
    assert read("gexf", text, id="id").nodes == ["0", "1", "2"]
    assert read("gexf", text, id="id").meta["node_attributes"]["label"] == ["zero", "one", "two"]
    assert sorted(codes(source.notes)) == [
        "dynamic-graph",
        "flattened-hierarchy",
        "ids-from-attribute",
        "missing-weights",
        "mixed-directions",
        "weights-from-attribute",
    ]


def test_pajek_dialects():
    text = """% comment
*Network a name
*vertices 3

1 "a b" 0.1 0.2 ellipse ic Red
  2   plain
3 "c "d" e"
*Arcs :1 "likes"
1 2 2.5 c Blue
2 3 [5-7]
*Edges :2 "knows"
3 3 4
1 3
"""
    graph = read("pajek", text)
    assert graph.nodes == ["a b", "plain", 'c "d" e']
    ids = graph.nodes
    arcs = {(0, 1): 2.5, (1, 2): 1.0, (2, 2): 4.0, (0, 2): 1.0, (2, 0): 1.0}
    assert edges(graph) == {(ids[u], ids[v]): weight for (u, v), weight in arcs.items()}
    numbers = ["1", "2", "3"]
    assert read("pajek", text.replace('3 "c "d" e"', "3 plain")).nodes == numbers
    lists = read("pajek", "*Vertices 3\n*Edgeslist\n1 2 3\n*Arcslist\n")
    assert (lists.nodes, lists.directed, list(lists.edges())) == (numbers, False, [("1", "2"), ("1", "3")])
    assert list(read("pajek", "*Vertices 3\n*Arcslist\n3 1 2\n").edges()) == [("3", "1"), ("3", "2")]
    matrix = "*Vertices 2\n*Matrix\n0 2\n{} 1\n"
    assert edges(read("pajek", matrix.format(2))) == {("1", "2"): 2.0, ("2", "2"): 1.0}
    assert edges(read("pajek", matrix.format(0))) == {("1", "2"): 2.0, ("2", "2"): 1.0}
    assert [read("pajek", matrix.format(entry)).directed for entry in (2, 0)] == [False, True]
    assert edges(read("pajek", "*Vertices 3 1\n*Matrix\n0 2\n")) == {("1", "3"): 2.0}


def test_metis_dialects():
    text = "% comment\n3 2 011 2\n9 9 2 5\n% again\n9 9 1 5 3 7\n9 9 2 7\n\n"
    graph = read("metis", text)
    assert (graph.nodes, list(graph.edges())) == ([1, 2, 3], [(1, 2, 5.0), (2, 3, 7.0)])
    assert not read("metis", text, weights=False).is_weighted
    assert list(read("metis", "3 2\n2 3\n\n\n", directed=True).edges()) == [(1, 2), (1, 3)]
    assert list(read("metis", "2 2\n1 2\n1\n").edges()) == [(1, 1), (1, 2)]
    assert read("metis", "2 2\n2 2\n1 1\n").edge_weight.tolist() == [2.0]


def test_matrix_market_dialects():
    text = "%%matrixmarket MATRIX coordinate Integer GENERAL\n% note\n\n3 3 4\n1 2 5\n% inside\n2 1 5\n\n3 3 0\n1 3 1\n"
    graph = read("matrix_market", text)
    assert graph.directed
    assert edges(graph) == {(0, 1): 5.0, (1, 0): 5.0, (0, 2): 1.0}
    assert graph.meta["dropped_edges"] == 1
    assert edges(read("matrix_market", text, weights=False)) == {(0, 1): 1.0, (1, 0): 1.0, (0, 2): 1.0, (2, 2): 1.0}
    symmetric = "%%MatrixMarket matrix coordinate real symmetric\n2 2 2\n2 1 0.1\n2 2 3\n"
    assert edges(read("matrix_market", symmetric)) == {(0, 1): 0.1, (1, 1): 3.0}
    assert edges(read("matrix_market", symmetric, directed=True)) == {(0, 1): 0.1, (1, 0): 0.1, (1, 1): 3.0}


# ---------------------------------------------------------------- malformed files

_KEY = '<key id="w" for="edge" attr.name="weight" attr.type="double"/>'
_GRAPHML = f'<graphml>\n{_KEY}\n<graph edgedefault="undirected">\n{{}}\n</graph>\n</graphml>'
_GEXF = '<gexf>\n<graph>\n<nodes>\n<node id="a"/>\n{}\n</nodes>\n<edges>\n{}\n</edges>\n</graph>\n</gexf>'
_GML = "graph [\nnode [\n id 1 ]\n{}\n]"
_EDGE = '<node id="a"/>\n<edge source="a" target="a">\n<data key="w">{}</data></edge>'
_MTX = "%%MatrixMarket matrix coordinate real general\n"
_BOMB = '<!DOCTYPE x [\n<!ENTITY a "ha">\n<!ENTITY b "&a;&a;">]>\n'

MALFORMED = [
    ("graphml", "", 1, "no element"),
    ("graphml", "<html>\n</html>", 1, "root element"),
    ("graphml", "<graphml>\n<graph>\n", 3, "not well-formed"),
    ("graphml", "<graphml>\n</graphml>", None, "no graph"),
    ("graphml", "<graphml>\n<graph edgedefault='sideways'/></graphml>", 2, "edgedefault"),
    ("graphml", "<graphml>\n<graph/>\n<graph/></graphml>", 3, "more than one graph"),
    ("graphml", _GRAPHML.format('<node id="a"/>\n<node id="a"/>'), 5, "declared twice"),
    ("graphml", _GRAPHML.format("\n<node/>"), 5, "has no id"),
    ("graphml", _GRAPHML.format('<node id="a"/>\n\n<edge source="a" target="b"/>'), 6, "'b' of an edge"),
    ("graphml", _GRAPHML.format('<node id="a"/>\n<edge source="a"/>'), 5, "has no target"),
    ("graphml", _GRAPHML.format('<node id="a"/>\n<edge source="a" target="a" directed="no"/>'), 5, "must be true"),
    ("graphml", _GRAPHML.format("<hyperedge/>"), 4, "hyperedge"),
    *(("graphml", _GRAPHML.format(_EDGE.format(bad)), 6, "weight") for bad in ("x", "nan", "-1", "inf", "", "1_0")),
    ("graphml", _BOMB + _GRAPHML.format("<node id='&b;'/>"), 2, "entities"),
    ("graphml", _GRAPHML.format("<node id='a\x01'/>"), 4, "not well-formed"),
    ("graphml", "<graphml>\n<key for='node'/></graphml>", 2, "has no id"),
    ("graphml", "<?xml version='1.0' encoding='nonsense'?><graphml/>", 1, "encoding|decode"),
    ("graphml", "<?xml version='1.0' encoding='gb2312'?><graphml/>", 1, "encoding|decode"),
    ("gexf", "<gexf/>", None, "no graph"),
    ("gexf", "<graphml/>", 1, "root element"),
    ("gexf", _GEXF.format('<node id="a"/>', ""), 5, "declared twice"),
    ("gexf", _GEXF.format("", '\n<edge source="a" target="b"/>'), 9, "'b' of an edge"),
    ("gexf", _GEXF.format("", '<edge source="a" target="a" weight="-2"/>'), 8, "negative"),
    ("gexf", _GEXF.format("", '<edge source="a" target="a" weight="two"/>'), 8, "not a number"),
    ("gexf", _GEXF.format("", '<edge source="a" target="a" type="up"/>'), 8, "directed, undirected or mutual"),
    ("gexf", _GEXF.format("", '<edge source="a"/>'), 8, "has no target"),
    ("gexf", _GEXF.format('<node id="b"><attvalues><attvalue value="1"/></attvalues></node>', ""), 5, "lacks the attr"),
    ("gexf", "<gexf>\n<graph defaultedgetype='up'/></gexf>", 2, "directed, undirected or mutual"),
    ("gexf", _BOMB + "<gexf/>", 2, "entities"),
    ("gml", "", None, "no graph"),
    ("gml", "hello\nworld", 2, "value of 'hello'"),
    ("gml", "graph [\n node [\n  id 1\n ]\n", 5, "key or ], found the end"),
    ("gml", "graph [\n]\n]", 3, r"expected a key, found \]"),
    ("gml", "graph [ ]\ngraph [ ]", 2, "more than one graph"),
    ("gml", 'graph [\n node [ id 1 label "x ]\n]', 2, "open quote"),
    ("gml", _GML.format("node [ id 1 ]"), 4, "declared twice"),
    ("gml", _GML.format("node [\n label 1 ]"), 5, "node has no id"),
    ("gml", _GML.format('node [\n id "x" ]'), 5, "id must be an integer"),
    ("gml", _GML.format("node [ id 1.5 ]"), 4, "id must be an integer"),
    ("gml", _GML.format("node [ id 99999999999999999999 ]"), 4, "64 bits"),
    ("gml", _GML.format(f"node [ id {'9' * 5000} ]"), 4, "id must be an integer"),
    ("gml", _GML.format("edge [ source 1\n target 2 ]"), 5, "2 of an edge"),
    ("gml", _GML.format("edge [ source 1\n ]"), 5, "edge has no target"),
    ("gml", _GML.format("edge [ source 1 target 1\n weight -1 ]"), 5, "negative"),
    ("gml", _GML.format("edge [ source 1 target 1\n value NaN ]"), 5, "missing"),
    ("gml", _GML.format("edge [ source 1 target 1\n weight +INF ]"), 5, "finite"),
    ("gml", _GML.format('edge [ source 1 target 1\n weight "x" ]'), 5, "not a number"),
    ("gml", "graph [\n node [ id 12abc ] ]", 2, "value of 'id'"),
    ("gml", "graph [ " + "a [\n" * 100_000, 100_001, "found the end"),
    ("pajek", "", None, r"no section \*Vertices"),
    ("pajek", "hello", 1, "expected a section"),
    ("pajek", "*Vertices\n", 1, "must be followed by the number"),
    ("pajek", "*Vertices x\n", 1, "integer"),
    ("pajek", "*Vertices -1\n", 1, "number of nodes is -1"),
    ("pajek", "*Arcs\n1 2\n", 1, r"before \*Vertices"),
    ("pajek", '*Vertices 2\n1 "a"\n*Edges\n', 3, "but 1 are listed"),
    ("pajek", '*Vertices 2\n1 "a"\n', 2, "but 1 are listed"),
    ("pajek", "*Vertices 2\n1 a\n1 b\n", 3, "declared twice"),
    ("pajek", "*Vertices 1\n1 a\n2 b\n", 3, "no vertex 2"),
    ("pajek", '*Vertices 1\n1 "a\n', 2, "closing quote"),
    ("pajek", "*Vertices 2\n*Edges\n1 2\n1 3\n", 4, "no vertex 3"),
    ("pajek", "*Vertices 2\n*Edges\n0 2\n", 3, "no vertex 0"),
    ("pajek", "*Vertices 2\n*Edges\n1\n", 3, "found one value"),
    *(("pajek", f"*Vertices 2\n*Edges\n\n1 2 {bad}\n", 4, "weight") for bad in ("x", "nan", "-1", "inf", "1_0", "1,5")),
    ("pajek", "*Vertices 2\n*Arcslist\n1 2 a\n", 3, "integer"),
    ("pajek", "*Vertices 2\n*Matrix\n0 1\n0\n", 4, "2 rows of 2 numbers"),
    ("pajek", "*Vertices 2\n*Matrix\n0 1\n", 3, "ends after 1 of 2"),
    ("pajek", "*Vertices 1\n*Matrix\n0\n1\n", 4, "row 2"),
    ("pajek", "*Vertices 1\n*Partition x\n", 2, "partition"),
    ("pajek", "*Vertices 1\n*Vertices 1\n", 2, "more than one network"),
    ("pajek", "*Vertices 3 4\n", 1, "4 vertices, but the network has 3"),
    ("metis", "", None, "empty"),
    ("metis", "3\n", 1, "2 to 4 numbers"),
    ("metis", "x 1\n", 1, "integer"),
    ("metis", "2 1 5\n2\n1\n", 1, "code"),
    ("metis", "%\n3 1\n2\n1\n", 2, "3 nodes are declared, but only 2"),
    ("metis", "2 1\n2\n1\n\n1\n", 5, "more lines than the 2"),
    ("metis", "2 2\n2\n1\n", 1, "2 edges are declared"),
    ("metis", "2 1\n2\n3\n", 3, "no node 3"),
    ("metis", "2 1\n2\nx\n", 3, "integer"),
    ("metis", f"2 1\n2\n{10**30}\n", 3, "no node 1000"),
    ("metis", "3 2\n2 3\n1\n2\n", 2, "the line of node 3 must repeat the edge to node 1"),
    ("metis", "2 1 1\n2 5\n1 6\n", 2, "must repeat"),
    ("metis", "2 1 1\n2\n1 6\n", 2, "pairs"),
    ("metis", "2 1 1\n2 nan\n1 6\n", 2, "missing"),
    ("metis", "2 1 1\n2 -1\n1 6\n", 2, "negative"),
    ("metis", "2 1 10\n\n1 1\n", 2, "1 numbers and then"),
    ("matrix_market", "", 1, "must begin with"),
    ("matrix_market", "1 1 1\n", 1, "must begin with"),
    ("matrix_market", "%%MatrixMarket matrix coordinate complex general\n1 1 0\n", 1, "'complex' is not supported"),
    ("matrix_market", "%%MatrixMarket matrix coordinate real skew-symmetric\n1 1 0\n", 1, "skew"),
    ("matrix_market", _MTX, 1, "ends before the size"),
    ("matrix_market", _MTX.replace("general", "symmetric") + "2 3 0\n", 2, "2 x 3"),
    ("matrix_market", _MTX + "2 2\n", 2, "3 numbers"),
    ("matrix_market", _MTX + "2 2 x\n", 2, "integer"),
    ("matrix_market", _MTX + "-2 -2 0\n", 2, "number of nodes is -2"),
    ("matrix_market", _MTX + "2 2 2\n1 2 1\n", 2, "2 entries are declared, but 1 follow"),
    ("matrix_market", _MTX + "2 2 1\n1 2 1\n2 1 1\n", 2, "1 entries are declared, but 2 follow"),
    ("matrix_market", _MTX + "2 2 2\n1 2 1\n1 3 1\n", 4, "no row or column 3"),
    ("matrix_market", _MTX + "2 2 2\n1 2 1\n0 1 1\n", 4, "no row or column 0"),
    ("matrix_market", _MTX + "2 2 2\n1 2 1\n1.5 1 1\n", 4, "integer"),
    ("matrix_market", _MTX + f"2 2 2\n1 2 1\n{10**30} 1 1\n", 4, "64 bits"),
    ("matrix_market", _MTX + "2 2 2\n1 2 1\n1 2\n", 4, "expected 3 columns, found 2"),
    ("matrix_market", _MTX + "2 2 2\n1 2 1\n1 2 3 4\n", 4, "expected 3 columns, found 4"),
    *(
        ("matrix_market", _MTX + f"2 2 2\n1 2 1\n% c\n2 1 {bad}\n", 5, "weight")
        for bad in ("x", "nan", "NA", "-1", "inf", "1_0")
    ),
    ("matrix_market", "%%MatrixMarket matrix array real general\n2 2\n1\n2\n3\n", 2, "4 values are declared, but 3"),
    ("matrix_market", "%%MatrixMarket matrix array real general\n1 1\n-3\n", 3, "negative"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "text", "line", "message"), MALFORMED)
def test_errors_name_the_line(name, text, line, message):
    with pytest.raises(DataError, match=message) as caught:
        read(name, text)
    assert (caught.value.path, caught.value.line) == ("file", line)


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize(
    "data", [b"", b"\0" * 100, b"\xff\xfe\xfd", b"PK\x03\x04", b"PAR1", b"<" * 1000, b"[" * 100_000, b"a [ " * 100_000]
)
def test_bytes_of_another_kind(name, data):
    with pytest.raises(DataError, match=r"^file"):
        read(name, data)


def test_invalid_utf_8_is_read_as_latin_1_with_a_note():
    source = Source("file", 'graph [ node [ id 1 label "\xe9" ] ]'.encode("latin-1"))
    assert module("gml").read(source).nodes == ["é"]
    assert codes(source.notes)[0] == "latin-1"


def test_deep_nesting_is_no_problem():
    deep = "x [ " * 100_000 + "] " * 100_000
    assert read("gml", f"graph [ node [ id 1 {deep} ] {deep} ]").num_nodes == 1
    deep = "<x>" * 100_000 + "</x>" * 100_000
    assert read("graphml", f"<graphml><graph><node id='a'>{deep}</node></graph></graphml>").nodes == ["a"]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("pajek", f"*Vertices {10**15}\n"),
        ("metis", f"{10**15} 1\n2\n1\n"),
        ("matrix_market", f"{_MTX}{10**15} {10**15} 1\n1 1 1\n"),
        ("matrix_market", f"%%MatrixMarket matrix array real general\n{10**9} {10**9}\n1\n"),
    ],
)
def test_absurd_sizes_are_refused_before_anything_is_allocated(name, text):
    with pytest.raises(ResourceError, match="file: a "):
        read(name, text)


def test_a_table_of_many_sparse_attributes_is_refused(monkeypatch):
    monkeypatch.setenv("GRAPHCLUST_MEMORY", "0.001")
    nodes = "".join(f"node [ id {i} key{i} 1 ]\n" for i in range(1000))
    with pytest.raises(ResourceError, match="1000 attributes"):
        read("gml", f"graph [ {nodes} ]")


def save(**arrays):
    stream = io.BytesIO()
    np.savez(stream, **arrays)
    return stream.getvalue()


CSR = {
    "format": np.array(b"csr"),
    "shape": np.array([2, 2]),
    "data": np.ones(2),
    "indices": np.array([1, 0]),
    "indptr": np.array([0, 1, 2]),
}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"shape": np.array([2, 3])}, "square"),
        ({"shape": np.array([2.0, 2.0])}, "shape.* has the"),
        ({"data": np.ones(3)}, "3 values"),
        ({"data": np.array([1, -1])}, "negative"),
        ({"data": np.array([1, np.nan])}, "finite"),
        ({"data": np.array([1j, 1])}, "complex"),
        ({"indices": np.array([1, 2])}, "outside"),
        ({"indices": np.array([0.5, 1])}, "float64"),
        ({"indptr": np.array([0, 3, 2])}, "indptr"),
        ({"indptr": np.array([0, 10**15, 2])}, "indptr"),
        ({"indptr": np.array([0, 2])}, "indptr"),
        ({"format": np.array(b"dia")}, "'dia' are not supported"),
        ({"format": np.array([1])}, "format"),
    ],
)
def test_unusable_archives(changes, message):
    assert read("npz", save(**CSR)).num_edges == 1
    with pytest.raises(DataError, match=f"^file: .*{message}"):
        read("npz", save(**CSR | changes))


def test_archives_are_never_unpickled_nor_believed():
    with pytest.raises(DataError, match="pickled"):
        read("npz", save(**CSR | {"data": np.array([print, 1], dtype=object)}))
    with pytest.raises(DataError, match="no array 'data'"):
        read("npz", save(shape=np.array([2, 2]), format=np.array(b"csr")))
    with pytest.raises(ResourceError):
        read("npz", save(**CSR | {"shape": np.array([10**15] * 2)}))
    raw = io.BytesIO()
    np.lib.format.write_array_header_1_0(raw, {"descr": "<f8", "fortran_order": False, "shape": (10**14,)})
    changed = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(save(**CSR))) as old, zipfile.ZipFile(changed, "w") as new:
        for info in old.infolist():
            new.writestr(info.filename, raw.getvalue() if info.filename == "data.npy" else old.read(info))
    with pytest.raises(DataError, match="'data' is damaged"):
        read("npz", changed.getvalue())


def test_a_bomb_is_not_unpacked(monkeypatch):
    data = save(**CSR | {"data": np.zeros(300_000)})
    monkeypatch.setenv("GRAPHCLUST_MEMORY", "0.004")
    with pytest.raises(ResourceError, match="unpacking file"):
        read("npz", data)


@pytest.mark.parametrize("name", ["graphml", "gexf", "gml", "metis", "pajek"])
def test_weights_that_are_asked_for_must_be_there(name):
    graph = Graph.from_edges([0], [1], nodes=2)
    with pytest.raises(DataError, match="no weights"):
        read(name, written(name, graph), weights=True)
    weighted = Graph.from_edges([0], [1], [2], nodes=2)
    assert read(name, written(name, weighted), weights=True).edge_weight.tolist() == [2.0]
    assert not read(name, written(name, weighted), weights=False).is_weighted


@pytest.mark.parametrize("name", sorted(set(FORMATS) - {"metis"}))
def test_direction_can_be_overruled(name):
    graph = GRAPHS["both directions"]
    data = written(name, graph)
    undirected = read(name, data, directed=False)
    assert not undirected.directed
    assert undirected.edge_weight.tolist() == [3.5, 3.0]
    assert read(name, written(name, graph.undirected()), directed=True).directed


# ---------------------------------------------------------------- fuzzing


SPECIAL = [b"\0", b"-1", b"nan", b"1e999", b"9" * 30, b'"', b"[", b"]", b"<", b">", b"\n", b"\xff", b"_", b"0", b" "]


def mutate(data, rng):
    """Make one to three small changes: a byte, a piece cut, repeated, moved or replaced; rarely, cut the end off."""
    data = bytearray(data)
    for _ in range(rng.randint(1, 3)):
        i, j, size = rng.randrange(len(data) + 1), rng.randrange(len(data) + 1), rng.randrange(1, 12)
        match rng.randrange(13):
            case 0 | 1 if i < len(data):
                data[i] = rng.randrange(256)
            case 2 | 3 if i < len(data):
                data[i] ^= 1 << rng.randrange(8)
            case 4 | 5:
                del data[i : i + size]
            case 6 | 7:
                data[i:i] = data[j : j + 3 * size]
            case 8:
                data[i : i + size] = data[j : j + size]
            case 9:
                del data[i:]
            case _:
                data[i : i + rng.randrange(3)] = rng.choice(SPECIAL)
    return bytes(data)


def mutate_archive(data, rng):
    """Change a file inside an archive, whose checksum is made to fit."""
    changed = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(changed, "w") as new:
        names = old.namelist()
        victim = rng.choice([name for name in names if name.endswith((".npy", ".pkl"))])
        for name in names:
            new.writestr(name, mutate(old.read(name), rng) if name == victim else old.read(name))
    return changed.getvalue()


@pytest.mark.parametrize(
    ("name", "change"),
    [*((name, mutate) for name in (*FORMATS, *PLAIN_IDS)), ("npz", mutate_archive), ("pyg", mutate_archive)],
)
def test_mutated_files_read_or_fail_cleanly(name, change, rng):
    shuffled = random.Random(int(rng.integers(2**32)))
    graphs = [GRAPHS["integer weights"]] if name == "metis" else [GRAPHS["ids"], GRAPHS["both directions"]]
    if name in PLAIN_IDS:
        graphs = [GRAPHS["plain"], GRAPHS["both directions"]]
    outcomes = {"read": 0, "refused": 0}
    for graph in graphs:
        attributes = {"community": list(range(graph.num_nodes)), "word": ["x"] * graph.num_nodes}
        data = written(name, graph, attributes if name in WITH_ATTRIBUTES else None)
        for _ in range(300):
            changed = change(data, shuffled)
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                try:
                    outcome = read(name, changed)
                except GraphclustError as error:
                    outcome = error
            outcomes["read" if isinstance(outcome, Graph) else "refused"] += 1
            assert isinstance(outcome, Graph) or "file" in str(outcome)
    assert min(outcomes.values()) >= 5, outcomes


READ_ONLY = {
    "dimacs": b"c a square\np edge 4 4\ne 1 2\ne 2 3\ne 3 4\ne 4 1\n",
    "dl": b"dl n=4 format=edgelist1\nlabels:\nann,bob,cy,dan\ndata:\n1 2 1\n2 3 2.5\n3 4 1\n",
    "multiline_adjlist": b"ann 2\nbob {'weight': 2}\ncy {}\nbob 1\ncy {}\ncy 0\n",
    "graph6": b">>graph6<<IheA@GUAo\n",
}


@pytest.mark.parametrize("name", READ_ONLY)
def test_mutated_files_of_formats_that_are_only_read(name, rng):
    shuffled = random.Random(int(rng.integers(2**32)))
    outcomes = {"read": 0, "refused": 0}
    for _ in range(300):
        try:
            read(name, mutate(READ_ONLY[name], shuffled))
            message = "file"
        except GraphclustError as error:
            message = str(error)
        outcomes["read" if message == "file" else "refused"] += 1
        assert "file" in message
    assert min(outcomes.values()) >= 5, outcomes


# ---------------------------------------------------------------- what tables and documents say of themselves


def test_row_labels_of_pandas_are_no_weights(tmp_path):
    table = pd.DataFrame({"a": ["u", "x", "v", "w"], "b": ["v", "y", "w", "u"]})
    table[table.a != "x"].to_parquet(tmp_path / "t.parquet")
    graph = read_file(tmp_path / "t.parquet")
    assert graph.weight is None
    assert graph.num_edges == 3
    table.assign(strength=[2, 3, 4, 5])[table.a != "x"].to_parquet(tmp_path / "t.parquet")
    assert sorted(read_file(tmp_path / "t.parquet").weight.tolist()) == [2, 4, 5]


@pytest.mark.parametrize("name", ["gexf", "graphml"])
def test_edges_have_the_default_of_their_weight(name):
    gexf = """<gexf version="1.2"><graph><attributes class="edge"><attribute id="0" title="weight" type="float">
        <default>5</default></attribute></attributes><nodes><node id="a"/><node id="b"/><node id="c"/></nodes><edges>
        <edge source="a" target="b"/><edge source="b" target="c"><attvalues><attvalue for="0" value="2"/></attvalues>
        </edge></edges></graph></gexf>"""
    graphml = """<graphml><key id="w" for="edge" attr.name="weight" attr.type="double"><default>5</default></key>
        <graph edgedefault="undirected"><node id="a"/><node id="b"/><node id="c"/><edge source="a" target="b"/>
        <edge source="b" target="c"><data key="w">2</data></edge></graph></graphml>"""
    assert sorted(read(name, gexf if name == "gexf" else graphml).weight.tolist()) == [2, 5]


@pytest.mark.parametrize("text", ["*Vertices 0\n*Matrix\n", "*Vertices 3 0\n*Matrix\n"])
def test_a_matrix_without_rows_has_no_edges(text):
    assert read("pajek", text).num_edges == 0


def test_numbers_are_spelt_without_underscores():
    with pytest.raises(DataError, match="1_0"):
        read("metis", "10 1\n1_0\n" + "\n" * 8 + "1\n")
