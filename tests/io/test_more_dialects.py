"""Files in which a first look is wrong: what looks like a header, a matrix, a weight or another format."""

from __future__ import annotations

import io
import json

import networkx as nx
import numpy as np
import pandas as pd
import pytest

from graphclust.errors import DataError
from graphclust.inputs import as_graph, read_graph
from graphclust.io import write_graph
from tests.noted import codes


def read(tmp_path, text, name="g.txt", **options):
    path = tmp_path / name
    path.write_text(text)
    return read_graph(path, **options)


def test_ids_with_numbers_are_no_header(tmp_path):
    assert read(tmp_path, "n1 n2\nn3 n4\nn5 n6\n").num_edges == 3
    assert read(tmp_path, "gene a\tgene b\ngene b\tgene c\n").num_edges == 2
    late = "n1,n2\n" + "".join(f"n{i},n{i + 1}\n" for i in range(3, 400)) + "n2,n9\n"
    assert read(tmp_path, late, "g.csv").num_edges == 399


def test_a_table_of_features_is_refused(tmp_path):
    frame = pd.DataFrame(np.random.default_rng(0).random((20, 4)), columns=["x1", "x2", "x3", "x4"])
    for table in (frame.to_csv(), frame.to_csv(index=False), frame.iloc[:, :3].to_csv()):
        with pytest.raises(DataError, match="--columns"):
            read(tmp_path, table, "g.csv")


@pytest.mark.parametrize("n", [150, 260])
def test_matrices_that_are_larger_than_a_sample(tmp_path, n):
    matrix = nx.to_numpy_array(nx.gnm_random_graph(n, 3 * n, seed=1), dtype=int)
    bare = "\n".join(" ".join(map(str, row)) for row in matrix)
    names = [f"gene{i}" for i in range(n)]
    named = pd.DataFrame(matrix * 0.123456789, index=names, columns=names).to_csv()
    for text in (bare, bare + "\n", "# made\n" + bare + "\n\n", named):
        assert read(tmp_path, text, "g.csv").num_edges == 3 * n


def test_a_few_edges_with_weights_and_times_are_no_matrix(tmp_path):
    text = "1 2 5 1500000000\n2 3 4 1500000001\n3 4 1 1500000002\n4 1 2 1500000003\n"
    with pytest.raises(DataError, match="--columns"):
        read(tmp_path, text)
    graph = read(tmp_path, text, columns="1,2,3")
    assert sorted(graph.edge_weight.tolist()) == [1, 2, 4, 5]


def test_dicts_of_networkx_take_the_weight_that_is_named(tmp_path):
    text = "a b {'calls': 3}\nb c {'calls': 4}\n"
    assert sorted(read(tmp_path, text, weight="calls").edge_weight.tolist()) == [3, 4]
    assert not read(tmp_path, text).is_weighted
    with pytest.raises(DataError, match="no attribute 'letters'"):
        read(tmp_path, text, weight="letters")
    with pytest.raises(DataError, match="--columns does not apply"):
        read(tmp_path, text, columns="1,2")


def test_marks_between_thousands_stand_where_they_must(tmp_path):
    with pytest.raises(DataError, match=r"g.txt:2: the edge weight '0.5"):
        read(tmp_path, "a;b;1.234,5\nb;c;0.5\n")
    assert sorted(read(tmp_path, "a;b;1.234,5\nb;c;12\n").edge_weight.tolist()) == [12, 1234.5]


def test_edge_attributes_do_not_replace_parts_of_edges(tmp_path):
    theirs = nx.Graph()
    theirs.add_edge("a", "b", weight=10, strength=2, key="x")
    theirs.add_edge("b", "c", weight=20, strength=3, key="y")
    nx.write_graphml(theirs, tmp_path / "g.graphml")
    graph = read_graph(tmp_path / "g.graphml", weight="strength")
    for name in ("graphml", "gexf", "gml", "json"):
        out = io.BytesIO()
        lost = write_graph(graph, out, format=name)
        assert any("renamed the edge attribute 'weight'" in text for text in lost)
        (tmp_path / f"h.{name}").write_bytes(out.getvalue())
        assert sorted(read_graph(tmp_path / f"h.{name}").edge_weight.tolist()) == [2, 3]


def test_colons_in_ids_are_no_separators(tmp_path):
    graph = read(tmp_path, "GO:1 GO:2 GO:3\nGO:2 GO:3\n", "g.adjlist")
    assert set(graph.nodes) == {"GO:1", "GO:2", "GO:3"}


def test_json_lists_respect_the_options(tmp_path):
    text = json.dumps([["a", "b", 2], ["b", "c", -1]])
    with pytest.raises(DataError, match="--negative drop"):
        read(tmp_path, text, "g.json")
    assert read(tmp_path, text, "g.json", negative="drop").num_edges == 1
    assert not read(tmp_path, text, "g.json", weights=False).is_weighted


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('{"elements": {"nodes": ["a"], "edges": [{"data": {"source": 0, "target": 1}}]}}', "g.json: "),
        ('{"elements": [1, {"source": "a", "target": "b"}]}', "g.json: "),
        ('{"nodes": [{"id": "a"}, {"id": "a"}], "links": []}', "g.json: the node 'a' is declared twice"),
    ],
)
def test_odd_json_is_refused_without_a_line(tmp_path, text, reason):
    with pytest.raises(DataError, match=reason):
        read(tmp_path, text, "g.json")


def test_nodes_without_edges_in_json(tmp_path):
    assert read(tmp_path, '{"nodes": [{"id": "a"}, {"id": "b"}]}', "g.json").num_nodes == 2


def test_wide_tables_are_refused_in_time(tmp_path):
    text = ",".join(f"gene{i}x" for i in range(3000)) + "\n" + ("w," * 2999 + "w\n") * 20
    with pytest.raises(DataError, match="--columns"):
        read(tmp_path, text, "g.csv")
    long_list = "a: " + ", ".join(map(str, range(200_000))) + "\n"
    assert read(tmp_path, long_list, "g.adjlist").num_nodes == 200_001


def test_timestamps_with_fractions_are_no_weights(tmp_path):
    graph = read(tmp_path, "a b 1500000000.5\nb c 1400000000.25\n")
    assert not graph.is_weighted
    assert "ignored-columns" in codes(graph.meta["notes"])


def test_ids_and_a_list_of_nodes_go_together(tmp_path):
    (tmp_path / "g.gml").write_text("graph [ node [ id 0 ] node [ id 1 ] edge [ source 0 target 1 ] ]")
    (tmp_path / "n.csv").write_text("id,code\n0,x\n1,y\n7,z\n")
    assert read_graph(tmp_path / "g.gml", nodes=tmp_path / "n.csv").nodes == [0, 1, 7]
    assert read_graph(tmp_path / "g.gml", nodes=tmp_path / "n.csv", id="code").nodes == ["x", "y", "z"]


def test_a_list_that_begins_like_a_program_is_a_list(tmp_path):
    assert read(tmp_path, "MZ1 MZ2\nMZ2 GIF89\n", "edges").num_edges == 2


def test_times_may_come_first_and_have_blanks(tmp_path):
    edges = [("ann", "bob"), ("bob", "cy"), ("cy", "ann"), ("cy", "dan")]
    for text in (
        "".join(f"{u},{v},2020-01-0{i} 10:00:00\n" for i, (u, v) in enumerate(edges, 1)),
        "".join(f"2020-01-0{i} 10:00,{u},{v}\n" for i, (u, v) in enumerate(edges, 1)),
        "".join(f"{1353303380 + 20 * i}\t{u}\t{v}\n" for i, (u, v) in enumerate(edges)),
        "time,a,b\n" + "".join(f"2020-01-0{i} 10:00:00,{u},{v}\n" for i, (u, v) in enumerate(edges, 1)),
    ):
        graph = read(tmp_path, text, "g.csv")
        assert {frozenset(edge) for edge in graph.edges()} == {frozenset(edge) for edge in edges}
        assert "ignored-columns" in codes(graph.meta["notes"])


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("from;to;weight\nann;bob;3.000\nbob;cy;500\ncy;ann;12.000\n", "decimal point or a separator of thousands"),
        ("version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n", "git lfs pull"),
        ("<svg xmlns='http://www.w3.org/2000/svg'/>\n", "this is XML"),
    ],
)
def test_more_that_is_refused(tmp_path, text, reason):
    with pytest.raises(DataError, match=reason):
        read(tmp_path, text, "g.csv")


def test_names_that_r_gives_to_columns_are_pointed_out(tmp_path):
    graph = read(tmp_path, "V1,V2\nV0,V1\nV0,V2\nV2,V3\nV3,V4\n", "g.csv")
    assert "possible-header" in codes(graph.meta["notes"])


def test_labels_of_yed_have_children(tmp_path):
    text = """<graphml xmlns:y="http://www.yworks.com/xml/graphml"><key for="node" id="d" yfiles.type="nodegraphics"/>
        <graph edgedefault="undirected"><node id="n0"><data key="d"><y:ShapeNode><y:NodeLabel>ann<y:LabelModel/>
        </y:NodeLabel></y:ShapeNode></data></node><node id="n1"><data key="d"><y:ShapeNode><y:NodeLabel>bob
        <y:LabelModel/></y:NodeLabel></y:ShapeNode></data></node><edge source="n0" target="n1"/></graph></graphml>"""
    assert read(tmp_path, text, "g.graphml").nodes == ["ann", "bob"]


def test_correlations_in_a_data_frame_have_no_self_loops():
    matrix = pd.DataFrame(np.eye(3) * 0.5 + 0.5, index=list("abc"), columns=list("abc"))
    assert as_graph(matrix).num_self_loops == 0
    with pytest.raises(DataError, match="select two or three"):
        as_graph(pd.DataFrame({"x": ["a", "b"], "y": ["b", "c"], "z": ["c", "d"]}))


def test_a_matrix_of_r_without_names(tmp_path):
    text = '"","V1","V2","V3","V4"\n"1",0,1,0,0\n"2",1,0,2,0\n"3",0,2,0,1\n"4",0,0,1,0\n'
    graph = read(tmp_path, text, "g.csv")
    assert (graph.nodes, graph.num_edges) == (["1", "2", "3", "4"], 3)


def test_times_of_sociopatterns_are_no_nodes(tmp_path):
    contacts = [
        ("1170", "1644"),
        ("1170", "1613"),
        ("1644", "1613"),
        ("1613", "1672"),
        ("1672", "1170"),
        ("1644", "1672"),
    ]
    text = "".join(f"{31220 + 20 * (i // 2)}\t{u}\t{v}\n" for i, (u, v) in enumerate(contacts))
    graph = read(tmp_path, text, "tij.dat")
    assert set(graph.nodes) == {"1170", "1613", "1644", "1672"}
    assert "ignored-columns" in codes(graph.meta["notes"])


def test_numbers_that_run_on_are_no_weights(tmp_path):
    assert not read(tmp_path, "".join(f"a{i % 3} b{i % 4} {100 + i}\n" for i in range(9))).is_weighted


def test_headers_and_comments_of_sif_are_no_nodes(tmp_path):
    graph = read(tmp_path, "# made by hand\nPARTICIPANT_A\tTYPE\tPARTICIPANT_B\nann\tpp\tbob\n", "g.sif")
    assert set(graph.nodes) == {"ann", "bob"}
    with pytest.raises(DataError, match="tabs or white space"):
        read(tmp_path, "ann,pp,bob\nbob,pp,cy\n", "g.sif")


def test_the_sheet_with_the_edges_is_read(tmp_path):
    pytest.importorskip("openpyxl")
    with pd.ExcelWriter(tmp_path / "g.xlsx") as writer:
        pd.DataFrame({"id": ["a", "b", "c"], "name": ["Ann", "Bob", "Cy"]}).to_excel(
            writer, sheet_name="nodes", index=False
        )
        pd.DataFrame({"from": ["a", "b"], "to": ["b", "c"]}).to_excel(writer, sheet_name="edges", index=False)
    assert set(read_graph(tmp_path / "g.xlsx").nodes) == {"a", "b", "c"}


def test_a_list_that_may_be_a_matrix_is_refused(tmp_path):
    with pytest.raises(DataError, match="matrix or a list of edges"):
        read(tmp_path, "[[0,1,1],[1,0,1],[1,1,0]]", "g.json")
    assert read(tmp_path, "[[0,1],[1,2]]", "g.json").num_edges == 2


@pytest.mark.parametrize(
    ("name", "text", "nodes"),
    [
        ("g.csv", "level_0,level_1,0\nann,bob,3\nbob,cy,4\ncy,ann,1\n", {"ann", "bob", "cy"}),
        ("g.txt", "from\tto\tweight\n1\tann\tbob\t3\n2\tbob\tcy\t4\n3\tcy\tann\t1\n", {"ann", "bob", "cy"}),
        ("g.csv", "sep=\t\nann\tbob\nbob\tcy\n", {"ann", "bob", "cy"}),
        ("g.json", '{"edges": [["ann", "bob"], ["bob", "cy"]]}', {"ann", "bob", "cy"}),
        ("g.json", '{"links": [{"source": "ann", "target": "bob"}]}', {"ann", "bob"}),
        ("g.xml", '<gexf><graph><nodes><node id="x"/></nodes><edges/></graph></gexf>', {"x"}),
    ],
)
def test_more_that_is_read(tmp_path, name, text, nodes):
    assert set(read(tmp_path, text, name).nodes) == nodes


def test_gml_and_messages_of_servers_are_no_edge_lists(tmp_path):
    for text, reason in (('Creator "x"\ngraph [ node [ id 1 ] ]', "--input-format gml"), ("404: Not Found", "server")):
        with pytest.raises(DataError, match=reason):
            read(tmp_path, text)


def test_missing_weights_and_similar_ids_are_noted(tmp_path):
    text = '{"nodes": [{"id": "a"}, {"id": "b"}, {"id": "c"}], "links": [{"source": "a", "target": "b", "weight": 2}, '
    text += '{"source": "b", "target": "c"}]}'
    assert "missing-weights" in codes(read(tmp_path, text, "g.json").meta["notes"])
    floats = "from,to\n0,1.0\n1,2.0\n2,0.0\n"
    assert "similar-ids" in codes(read(tmp_path, floats, "g.csv").meta["notes"])


def test_the_format_that_is_given_is_respected(tmp_path):
    square = "0 1 0 1\n1 0 1 0\n0 1 0 1\n1 0 1 0\n"
    assert "matrix" in codes(read(tmp_path, square).meta["notes"])
    assert sorted(read(tmp_path, square, format="edgelist", columns="1,2").nodes) == ["0", "1"]
    triangle = "0 1 1\n1 0 1\n1 1 0\n"
    assert read(tmp_path, triangle).num_nodes == 3
    assert read(tmp_path, triangle, format="edgelist").num_nodes == 2


@pytest.mark.parametrize("types", [["Directed", "Directed"], ["Undirected", "Undirected"], ["Directed", "Undirected"]])
def test_the_column_type_of_gephi_means_the_same_in_parquet_and_csv(tmp_path, types):
    frame = pd.DataFrame({"Source": ["a", "b"], "Target": ["b", "c"], "Type": types})
    frame.to_parquet(tmp_path / "g.parquet")
    graph = read_graph(tmp_path / "g.parquet")
    same = read(tmp_path, frame.to_csv(index=False), "g.csv")
    assert graph.directed == same.directed == ("Directed" in types)
    assert list(graph.edges()) == list(same.edges())


def test_attributes_of_one_name_are_renamed_in_the_graph_only(tmp_path):
    text = """<graphml><key id="d0" for="node" attr.name="rank" attr.type="double"/>
        <key id="d1" for="node" attr.name="rank" attr.type="string"/><graph edgedefault="undirected">
        <node id="a"><data key="d0">2</data><data key="d1">high</data></node></graph></graphml>"""
    graph = read(tmp_path, text, "g.graphml")
    assert graph.meta["node_attributes"] == {"rank": [2.0], "rank_2": ["high"]}
    assert "renamed-attribute" in codes(graph.meta["notes"])


def test_some_weights_of_a_colouring_problem_are_no_weights(tmp_path):
    graph = read(tmp_path, "p edge 3 2\ne 1 2 5\ne 2 3\n", "g.col")
    assert not graph.is_weighted
    assert "ignored-weights" in codes(graph.meta["notes"])
    with pytest.raises(DataError, match="several rows of the matrix are called 'a'"):
        read(tmp_path, "a,a,b\n0,1,1\n1,0,1\n1,1,0\n", "m.csv", format="matrix")
