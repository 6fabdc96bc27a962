"""What the caller decides about a file: negative weights, thresholds, lists of nodes, two kinds of nodes.

Archives are read if they hold one graph; files of other programs are refused by name.
"""

from __future__ import annotations

import io
import pickle
import tarfile
import zipfile

import networkx as nx
import numpy as np
import pandas as pd
import pytest
import scipy.io
import scipy.sparse as sp

import graphclust as gc
from graphclust.errors import DataError, UsageError
from graphclust.inputs import read_graph
from graphclust.io.partition import read_partition
from tests.noted import codes, noted

SIGNED = nx.Graph()
SIGNED.add_weighted_edges_from([("ann", "bob", 2.0), ("bob", "cy", -3.0), ("cy", "dan", 0.5), ("dan", "ann", 1.0)])


def signed_files(folder):
    """The signed graph in formats that hold weights."""
    nx.write_graphml(SIGNED, folder / "g.graphml")
    nx.write_gexf(SIGNED, folder / "g.gexf")
    nx.write_gml(SIGNED, folder / "g.gml")
    nx.write_pajek(SIGNED, folder / "g.net")
    nx.write_weighted_edgelist(SIGNED, folder / "g.txt")
    frame = nx.to_pandas_edgelist(SIGNED)
    frame.to_csv(folder / "g.csv", index=False)
    frame.to_parquet(folder / "g.parquet")
    nx.to_pandas_adjacency(SIGNED).to_csv(folder / "matrix.csv")
    scipy.io.mmwrite(folder / "g.mtx", nx.to_scipy_sparse_array(SIGNED))
    sp.save_npz(folder / "g.npz", sp.csr_matrix(nx.to_scipy_sparse_array(SIGNED)))
    return sorted(folder.iterdir())


def test_negative_weights_are_refused_or_treated_as_the_caller_says(tmp_path):
    for path in signed_files(tmp_path):
        with pytest.raises(DataError, match=r"(?s)negative.*--negative drop.*--negative absolute.*--no-weights"):
            read_graph(path)
        dropped = read_graph(path, negative="drop")
        assert (dropped.num_nodes, sorted(dropped.edge_weight.tolist())) == (4, [0.5, 1, 2]), path
        assert "negative-weights" in codes(dropped.meta["notes"])
        absolute = read_graph(path, negative="absolute")
        assert sorted(absolute.edge_weight.tolist()) == [0.5, 1, 2, 3], path
        plain = read_graph(path, weights=False)
        assert (plain.num_edges, plain.is_weighted) == (4, False), path


def test_a_threshold_leaves_out_edges_and_no_nodes(tmp_path):
    for path in signed_files(tmp_path):
        graph = read_graph(path, threshold=1)
        assert (graph.num_nodes, sorted(graph.edge_weight.tolist())) == (4, [1, 2]), path
        both = read_graph(path, threshold=1, negative="absolute")
        assert sorted(both.edge_weight.tolist()) == [1, 2, 3], path
    (tmp_path / "plain.txt").write_text("a b\nb c\n")
    with pytest.raises(DataError, match="--threshold needs weights"):
        read_graph(tmp_path / "plain.txt", threshold=1)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("g.graphml", {"columns": "a,b"}),
        ("g.mtx", {"weight": "w"}),
        ("g.npz", {"id": "name"}),
        ("g.gml", {"bipartite": True}),
        ("g.net", {"delimiter": ","}),
        ("g.csv", {"id": "name"}),
    ],
)
def test_options_that_mean_nothing_to_a_format_are_refused(tmp_path, name, options):
    signed_files(tmp_path)
    with pytest.raises(UsageError, match=f"does not take --{next(iter(options))}"):
        read_graph(tmp_path / name, **options)


def test_a_list_of_nodes_adds_those_without_edges(tmp_path):
    (tmp_path / "edges.csv").write_text("source,target\n1,2\n2,3\n")
    nodes = tmp_path / "nodes.csv"
    nodes.write_text("Id,Label,age\n1,Ann,30\n2,Bob,\n3,Cy,41\n4,Dan,50\n")
    graph = read_graph(tmp_path / "edges.csv", nodes=nodes)
    assert graph.nodes == ["1", "2", "3", "4"]
    assert graph.meta["node_attributes"] == {"Label": ["Ann", "Bob", "Cy", "Dan"], "age": ["30", None, "41", "50"]}
    assert read_graph(tmp_path / "edges.csv", nodes=nodes, id="Label").nodes == ["Ann", "Bob", "Cy", "Dan"]
    with pytest.raises(DataError, match="has no value of age"):
        read_graph(tmp_path / "edges.csv", nodes=nodes, id="age")
    assert noted(graph.meta["notes"], "node-list") == {"n_nodes": 4, "n_new": 1}
    nodes.write_text("1\n2\n3\n9\n")
    assert read_graph(tmp_path / "edges.csv", nodes=nodes).nodes == ["1", "2", "3", "9"]
    for text, reason in (
        ("Id\n7\n8\n", "only 0 of the 3 nodes"),
        ("Id,x\n1,a\n1,b\n", "nodes.csv:3: the node '1' is listed twice"),
        ("", "empty"),
    ):
        nodes.write_text(text)
        with pytest.raises(DataError, match=reason):
            read_graph(tmp_path / "edges.csv", nodes=nodes)
    nodes.write_text("Id\n1\n2\n8\n")
    assert "unlisted-nodes" in codes(read_graph(tmp_path / "edges.csv", nodes=nodes).meta["notes"])


def test_two_kinds_of_nodes_never_merge(tmp_path):
    frame = pd.DataFrame({"user_id": [1, 1, 2], "item_id": [1, 2, 2], "rating": [5, 3, 4]})
    frame.to_csv(tmp_path / "g.csv", index=False)
    frame.to_parquet(tmp_path / "g.parquet")
    for name in ("g.csv", "g.parquet"):
        graph = read_graph(tmp_path / name)
        assert set(graph.nodes) == {"user:1", "user:2", "item:1", "item:2"}
        assert sorted(graph.edge_weight.tolist()) == [3, 4, 5]
        assert set(graph.meta["node_attributes"]["side"]) == {"user", "item"}
        assert read_graph(tmp_path / name, bipartite=False).num_nodes == 2
    (tmp_path / "clubs.txt").write_text("ann chess\nbob chess\nann golf\n")
    clubs = read_graph(tmp_path / "clubs.txt", bipartite=True)
    assert set(clubs.nodes) == {"ann", "bob", "chess", "golf"}  # nothing to tell apart
    scipy.io.mmwrite(tmp_path / "wide.mtx", sp.coo_matrix(np.array([[1, 0, 2], [0, 3, 0]])))
    wide = read_graph(tmp_path / "wide.mtx")
    assert (wide.num_nodes, wide.num_edges) == (5, 3)


def zipped(files):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return out.getvalue()


def tarred(files):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        for name, text in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(text)
            archive.addfile(info, io.BytesIO(text.encode()))
    return out.getvalue()


@pytest.mark.parametrize(
    ("pack", "name"), [(zipped, "g.zip"), (tarred, "g.tar.gz"), (zipped, "download"), (tarred, "x")]
)
def test_an_archive_is_read_if_it_holds_one_graph(pack, name, tmp_path):
    path = tmp_path / name
    path.write_bytes(pack({"net/edges.csv": "source,target\na,b\nb,c\n", "net/README.txt": "hello", "__MACOSX/x": ""}))
    graph = read_graph(path)
    assert (graph.num_nodes, graph.meta["format"]) == (3, "csv")
    assert noted(graph.meta["notes"], "unpacked") == {"name": "net/edges.csv"}
    path.write_bytes(pack({"a.txt": "a b\n", "b.txt": "a b\n"}))
    with pytest.raises(DataError, match=r"holds 2 files \(a.txt, b.txt\): unpack it"):
        read_graph(path)
    path.write_bytes(pack({"README": "x"}))
    with pytest.raises(DataError, match="no file that could be a graph"):
        read_graph(path)


def test_truths_may_be_in_archives_as_well(tmp_path):
    (tmp_path / "t.zip").write_bytes(zipped({"t.tsv": "a\t1\nb\t1\nc\t2\n"}))
    assert read_partition(tmp_path / "t.zip") == {"a": "1", "b": "1", "c": "2"}


@pytest.mark.parametrize(
    ("name", "data", "reason"),
    [
        ("g.dot", b"graph { a -- b }", "DOT.*read_dot"),
        ("g", b"digraph g {\n a -> b\n}", "DOT.*read_dot"),
        ("g.pkl", pickle.dumps({1: 2}), "pickle.*load it in Python"),
        ("g", pickle.dumps({1: 2}), "a Python pickle"),
        ("g.h5", b"\x89HDF\r\n\x1a\n", "HDF5"),
        ("g", b"\x89PNG\r\n\x1a\n" + bytes(20), "an image"),
        ("g", b"%PDF-1.7\n\xe2\xe3", "a PDF"),
        ("g", b"SQLite format 3\0" + bytes(20), "SQLite.*CSV"),
        ("g.gt", b"\xe2\x9b\xbe gt", "graph-tool.*GraphML"),
        ("g.txt", b"<html><body>404</body></html>", "HTML"),
        ("g.txt", b"(1, 2)\n(2, 3)\n", "parentheses"),
        ("g.txt", b"a: b, c\nb: c\n", "colon.*--input-format adjlist"),
        ("g.nt", b"<a> <b> <c> .\n", "RDF"),
        ("g.txt", b"<http://a> <http://p> <http://b> .\n<http://b> <http://p> <http://c> .\n", "RDF"),
        ("g.json", b'{"a": 1}', "no graph that is known"),
        ("g.json", b"{", "not JSON"),
        ("g.rds", b"X\n\0\0\0\3", "write.csv"),
    ],
)
def test_other_files_are_refused_by_name(name, data, reason, tmp_path):
    path = tmp_path / name
    path.write_bytes(data)
    with pytest.raises(DataError, match=f"(?s){reason}"):
        read_graph(path)


def test_labels_that_are_no_ids_are_a_column_of_the_result(tmp_path):
    text = """<graphml><key id="k" for="node" attr.name="name" attr.type="string"/><graph edgedefault="undirected">
        <node id="n0"><data key="k">ann</data></node><node id="n1"><data key="k">ann</data></node>
        <edge source="n0" target="n1"/></graph></graphml>"""
    (tmp_path / "g.graphml").write_text(text)
    result = gc.detect(tmp_path / "g.graphml", "leiden")
    assert result.nodes == ["n0", "n1"]
    assert "ids-not-unique" in codes(result.notes)
    result.save(tmp_path / "r.tsv")
    assert (tmp_path / "r.tsv").read_text().splitlines() == ["node\tcommunity\tname", "n0\t0\tann", "n1\t0\tann"]
    assert read_partition(tmp_path / "r.tsv") == {"n0": "0", "n1": "0"}


def test_the_attribute_that_holds_weights_can_be_named_in_python():
    graph = nx.Graph()
    graph.add_weighted_edges_from([("a", "b", 9.0), ("b", "c", 1.0), ("c", "d", 9.0)], weight="w")
    assert gc.detect(graph, "leiden", weight="w").n_clusters == 2
    assert not gc.as_graph(graph).is_weighted
    with pytest.raises(DataError, match=r"no attribute 'x' \(they have w\)"):
        gc.detect(graph, "leiden", weight="x")


def test_self_loops_do_not_keep_labels_from_propagating():
    graph = gc.generators.planted_partition(40, 2, p_in=0.8, p_out=0.02, random_state=0)
    matrix = graph.adjacency().toarray() * 0.5
    np.fill_diagonal(matrix, 1)
    result = gc.detect(matrix, "label-propagation")
    assert result.n_clusters == 2
    assert noted(result.notes, "ignored-self-loops") == {"n_edges": 40}
    assert result.graph.num_self_loops == 40
