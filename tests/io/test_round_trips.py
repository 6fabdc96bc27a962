"""What graphclust writes is read back equal, here and by other libraries; what these write is read as well."""

from __future__ import annotations

import io
import json

import igraph as ig
import networkx as nx
import numpy as np
import pandas as pd
import pytest
import scipy.io
import scipy.sparse as sp

from graphclust.errors import DataError
from graphclust.graph import Graph
from graphclust.inputs import read_graph
from graphclust.io import FORMATS, carried, format_of, writable_formats, write_graph
from tests.noted import codes

GRAPHS = {
    "plain": Graph.from_edges([0, 0, 1, 3], [1, 2, 2, 4], nodes=["ann", "bob", "cy", "dan", "eve", "flo"]),
    "weighted": Graph.from_edges([0, 1, 2], [1, 2, 2], [0.5, 2, 3], nodes=["ann", "bob", "cy"]),
    "directed": Graph.from_edges([0, 1, 2], [1, 0, 1], [1.5, 2, 1], nodes=["ann", "bob", "cy"], directed=True),
    "numbers": Graph.from_edges([0, 1], [1, 2], nodes=["1", "2", "3"]),
}
LOSSES = {  # what a format cannot hold, as `write_graph` says it
    "sif": {"weights", "directions"},
    "adjlist": {"weights", "directions"},
    "metis": {"ids"},
    "matrix-market": {"ids"},
    "npz": {"ids"},
    "edgelist": {"isolated"},
    "csv": {"isolated"},
    "tsv": {"isolated"},
}


def edges(graph):
    kind = tuple if graph.directed else frozenset
    return {kind(map(str, edge[:2])): (edge[2] if len(edge) == 3 else 1.0) for edge in graph.edges()}


def saved(graph, folder, name):
    path = folder / f"g{FORMATS[name].suffixes[0] if FORMATS[name].suffixes else '.txt'}"
    with path.open("wb") as stream:
        lost = write_graph(graph, stream, format=name, attributes=carried(graph, name)[0])
    return path, lost


@pytest.mark.parametrize("graph", GRAPHS.values(), ids=GRAPHS)
@pytest.mark.parametrize("name", writable_formats())
def test_each_format_keeps_a_graph_or_says_what_is_lost(name, graph, tmp_path):
    if name == "metis" and graph is not GRAPHS["plain"] and graph is not GRAPHS["numbers"]:
        with pytest.raises(DataError, match=r"METIS files (hold|cannot hold)"):
            saved(graph, tmp_path, name)
        return
    path, lost = saved(graph, tmp_path, name)
    read = read_graph(path, format=name)
    reported = {what for what in ("weights", "directions", "ids", "isolated") if what in " ".join(lost)}
    assert reported <= LOSSES.get(name, set())
    nodes = list(map(str, graph.nodes))
    if "isolated" in reported:
        alone = {nodes[i] for i in np.flatnonzero(graph.degree(weighted=False) == 0)}
        nodes = [node for node in nodes if node not in alone]
    if "ids" in reported:
        assert read.num_nodes == len(nodes)
        assert read.edge_weight.tolist() == graph.edge_weight.tolist()
        return
    assert set(map(str, read.nodes)) == set(nodes)
    if "directions" in reported:
        graph = graph.undirected()
    assert read.directed == graph.directed
    assert edges(read).keys() == edges(graph).keys()
    if "weights" not in reported:
        assert edges(read) == edges(graph)


def attributed():
    """A networkx graph with attributes of nodes and edges."""
    graph = nx.Graph()
    graph.add_node("ann", age=3, tall=True)
    graph.add_node("bob", age=5, tall=False)
    graph.add_edge("ann", "bob", weight=2.5, since=1999, kind="friend")
    graph.add_edge("bob", "cy", weight=1.0, since=2001, kind="foe")
    graph.nodes["cy"].update(age=7, tall=True)
    return graph


@pytest.mark.parametrize("name", ["graphml", "gexf", "gml", "json"])
def test_attributes_of_nodes_and_edges_come_back(name, tmp_path):
    theirs = attributed()
    first = tmp_path / f"theirs{FORMATS[name].suffixes[0]}"
    if name == "json":
        first.write_text(json.dumps(nx.node_link_data(theirs, edges="links")))
    else:
        getattr(nx, f"write_{name}")(theirs, first)
    graph = read_graph(first)
    assert edges(graph) == {frozenset(("ann", "bob")): 2.5, frozenset(("bob", "cy")): 1.0}
    assert graph.meta["node_attributes"]["age"] == [3, 5, 7]
    own, lost = saved(graph, tmp_path, name)
    assert lost == []
    back = nx.node_link_graph(json.loads(own.read_text()), edges="edges") if name == "json" else None
    back = getattr(nx, f"read_{name}")(own) if back is None else back
    assert {frozenset(edge) for edge in back.edges} == {frozenset(edge) for edge in theirs.edges}
    for u, v, data in theirs.edges(data=True):
        assert {key: back.edges[u, v][key] for key in data} == data
    for node, data in theirs.nodes(data=True):
        assert {key: back.nodes[node][key] for key in data} == data


def test_merged_edges_lose_their_attributes_with_a_note(tmp_path):
    theirs = nx.MultiGraph([("a", "b", {"since": 1}), ("a", "b", {"since": 2})])
    nx.write_graphml(theirs, tmp_path / "g.graphml")
    graph = read_graph(tmp_path / "g.graphml")
    assert "edge_attributes" not in graph.meta
    assert "ignored-edge-attributes" in codes(graph.meta["notes"])


READERS = {
    "adjlist": lambda path: nx.read_adjlist(path),
    "matrix": lambda path: nx.from_pandas_adjacency(pd.read_csv(path, index_col=0)),
    "edgelist": lambda path: nx.read_weighted_edgelist(path, delimiter="\t"),
    "csv": lambda path: nx.from_pandas_edgelist(pd.read_csv(path), edge_attr="weight"),
    "tsv": lambda path: nx.from_pandas_edgelist(pd.read_csv(path, sep="\t"), edge_attr="weight"),
    "parquet": lambda path: nx.from_pandas_edgelist(pd.read_parquet(path), edge_attr="weight"),
    "pajek": lambda path: nx.Graph(nx.read_pajek(path)),
    "graphml": lambda path: nx.read_graphml(path),
    "matrix-market": lambda path: nx.from_scipy_sparse_array(sp.csr_array(scipy.io.mmread(path))),
    "npz": lambda path: nx.from_scipy_sparse_array(sp.csr_array(sp.load_npz(path))),
}


@pytest.mark.parametrize("name", READERS)
def test_other_libraries_read_what_is_written(name, tmp_path):
    graph = GRAPHS["weighted"]
    theirs = READERS[name](saved(graph, tmp_path, name)[0])
    names = dict(enumerate(graph.nodes)) if name in ("matrix-market", "npz") else {node: node for node in graph.nodes}
    actual = {frozenset(names[v] for v in edge[:2]): edge[2].get("weight", 1.0) for edge in theirs.edges(data=True)}
    expected = edges(graph) if name != "adjlist" else dict.fromkeys(edges(graph), 1.0)
    assert actual == expected


def text_of(write, graph, **options):
    stream = io.BytesIO()
    write(graph, stream, **options)
    return stream.getvalue()


def cytoscape(graph):
    return json.dumps(nx.cytoscape_data(graph)).encode()


WRITERS = {
    ".adjlist": lambda g: text_of(nx.write_adjlist, g),
    ".madjlist": lambda g: text_of(nx.write_multiline_adjlist, g),
    ".g6": lambda g: nx.to_graph6_bytes(nx.convert_node_labels_to_integers(g)),
    ".s6": lambda g: nx.to_sparse6_bytes(nx.convert_node_labels_to_integers(g)),
    ".json": lambda g: json.dumps(nx.node_link_data(g, edges="edges")).encode(),
    ".cyjs": cytoscape,
    ".adjacency.json": lambda g: json.dumps(nx.adjacency_data(g)).encode(),
    ".dict.json": lambda g: json.dumps(nx.to_dict_of_lists(g)).encode(),
    ".list.json": lambda g: json.dumps([list(edge) for edge in g.edges]).encode(),
    ".rows.json": lambda g: json.dumps([{"source": u, "target": v} for u, v in g.edges]).encode(),
    ".ndjson": lambda g: "\n".join(json.dumps({"source": u, "target": v}) for u, v in g.edges).encode(),
    ".matrix.csv": lambda g: nx.to_pandas_adjacency(g).to_csv().encode(),
    ".matrix.txt": lambda g: "\n".join(" ".join(map(str, row)) for row in nx.to_numpy_array(g, dtype=int)).encode(),
    ".sif": lambda g: "\n".join(f"{u}\tpp\t{v}" for u, v in g.edges).encode(),
    ".dl": lambda g: (
        f"dl n={len(g)}\nformat = edgelist1\nlabels embedded\ndata:\n" + "\n".join(f"{u} {v}" for u, v in g.edges)
    ).encode(),
}


@pytest.mark.parametrize("suffix", WRITERS)
def test_what_other_programs_write_is_read(suffix, tmp_path):
    theirs = nx.Graph([("ann", "bob"), ("bob", "cy"), ("cy", "ann"), ("cy", "dan"), ("dan", "eve"), ("eve", "flo")])
    path = tmp_path / f"g{suffix}"
    path.write_bytes(WRITERS[suffix](theirs))
    graph = read_graph(path).undirected()
    has_ids = suffix not in (".g6", ".s6", ".matrix.txt")
    if has_ids:
        assert {frozenset(edge[:2]) for edge in graph.edges()} == {frozenset(edge) for edge in theirs.edges}
    else:
        assert sorted(graph.degree().tolist()) == sorted(degree for _, degree in theirs.degree)
    assert not graph.is_weighted


def test_files_of_dimacs(tmp_path):
    theirs = nx.petersen_graph()
    lines = ["c a comment", f"p edge {len(theirs)} {theirs.number_of_edges()}"]
    (tmp_path / "g.col").write_text("\n".join([*lines, *(f"e {u + 1} {v + 1}" for u, v in theirs.edges)]))
    graph = read_graph(tmp_path / "g.col")
    assert graph.nodes == list(range(1, 11))
    assert {(u - 1, v - 1) for u, v in graph.edges()} == {tuple(sorted(edge)) for edge in theirs.edges}
    (tmp_path / "road.gr").write_text("c roads\np sp 3 2\na 1 2 70\na 2 3 15\n")
    road = read_graph(tmp_path / "road.gr")
    assert road.directed
    assert not road.is_weighted  # distances are no weights
    assert read_graph(tmp_path / "road.gr", weights=True).edge_weight.tolist() == [70, 15]
    for text, reason in (
        ("e 1 2\n", "before the line p"),
        ("p edge 2 1\ne 1 3\n", "no node 3"),
        ("p edge 3 2\ne 1 2\n", None),
        ("p edge 3 7\ne 1 2\n", "7 edges are declared"),
        ("c\n", "no line p"),
        ("p edge x 1\n", "must be an integer"),
    ):
        (tmp_path / "h.col").write_text(text)
        if reason is None:
            assert read_graph(tmp_path / "h.col").num_edges == 1
        else:
            with pytest.raises(DataError, match=reason):
                read_graph(tmp_path / "h.col")


DL = """dl n=3 format=fullmatrix
labels:
ann, bob
"cy d"
data:
0 1 0
1 0 2
0 2 0
"""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (DL, {("ann", "bob"): 1, ("bob", "cy d"): 2}),
        ("dl n=3\nlabels embedded\ndata:\na b c\na 0 1 0\nb 1 0 1\nc 0 1 0\n", {("a", "b"): 1, ("b", "c"): 1}),
        ("DL n = 3 format = edgelist1\ndata:\n1 2 5\n2 3\n", {("1", "2"): 5, ("2", "3"): 1}),
        ("dl n=3, format=nodelist1\ndata:\n1 2 3\n", {("1", "2"): 1, ("1", "3"): 1}),
    ],
)
def test_files_of_ucinet(text, expected, tmp_path):
    (tmp_path / "g.dl").write_text(text)
    graph = read_graph(tmp_path / "g.dl", directed=False)
    assert edges(graph) == {frozenset(pair): weight for pair, weight in expected.items()}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("dl n=2\n1 2\n", "line data:"),
        ("dl nr=2 nc=3\ndata:\n1 2\n", "two-mode"),
        ("dl n=2 format=blockmatrix\ndata:\n1\n", "'blockmatrix' is not supported"),
        ("dl n=2\ndata:\n0 1 0\n", "4 values, found 3"),
        ("dl n=2 format=edgelist1\ndata:\n1 3\n", "g.dl:3: there is no node 3"),
        ("dl n=2 format=edgelist1\nlabels embedded\ndata:\na b\na c\n", "more labels than 2 nodes"),
        ("dl n=2\nlabels:\na\ndata:\n0 1 1 0\n", "2 distinct labels"),
    ],
)
def test_ucinet_errors(text, reason, tmp_path):
    (tmp_path / "g.dl").write_text(text)
    with pytest.raises(DataError, match=reason):
        read_graph(tmp_path / "g.dl")


def test_an_excel_sheet_is_a_table_of_edges(tmp_path):
    pytest.importorskip("openpyxl")
    path = tmp_path / "g.xlsx"
    frame = pd.DataFrame({"Source": ["ann", "bob"], "Target": ["bob", "cy"], "Weight": [2, 0.5]})
    with pd.ExcelWriter(path) as writer:
        frame.to_excel(writer, sheet_name="edges", index=False)
        pd.DataFrame({"x": [1]}).to_excel(writer, sheet_name="more")
    graph = read_graph(path)
    assert edges(graph) == {frozenset(("ann", "bob")): 2.0, frozenset(("bob", "cy")): 0.5}
    assert "first-sheet" in codes(graph.meta["notes"])
    (tmp_path / "bad.xlsx").write_bytes(path.read_bytes()[:200])
    with pytest.raises(DataError, match=r"(archive is|or a) damaged"):
        read_graph(tmp_path / "bad.xlsx")


def test_the_name_of_an_attribute_chooses_weights_and_ids(tmp_path):
    theirs = ig.Graph([(0, 1), (1, 2)])
    theirs.vs["code"] = ["x", "y", "z"]
    theirs.es["calls"] = [4, 9]
    for name in ("graphml", "gml"):
        path = tmp_path / f"g.{name}"
        getattr(theirs, f"write_{name}")(str(path))
        graph = read_graph(path, id="code", weight="calls")
        assert edges(graph) == {frozenset("xy"): 4.0, frozenset("yz"): 9.0}
        assert not read_graph(path).is_weighted
        for options, known in (({"id": "no"}, "code"), ({"weight": "no"}, "calls")):
            with pytest.raises(DataError, match=f"no attribute 'no'.*{known}"):
                read_graph(path, **options)


def test_formats_of_names_are_not_ambiguous():
    suffixes = [suffix for entry in FORMATS.values() for suffix in entry.suffixes]
    assert len(suffixes) == len(set(suffixes))
    assert format_of("x") is None
