"""Tables that look like lists of edges but hold something else, and edges that are written unlike others."""

from __future__ import annotations

import json

import networkx as nx
import numpy as np
import pandas as pd
import pytest

from graphclust.errors import DataError, UsageError
from graphclust.graph.columns import kind_of_values
from graphclust.inputs import as_graph, read_graph
from graphclust.io.partition import read_partition
from tests.noted import codes

RING = ["ann bob", "bob cy", "cy dan", "dan ann"]


def read(tmp_path, text, name="g.txt", **options):
    path = tmp_path / name
    path.write_text(text)
    return read_graph(path, **options)


def noted_codes(graph):
    return set(codes(graph.meta["notes"]))


MEMBERS = pd.DataFrame(
    [[1, 0, 1], [1, 1, 0], [0, 1, 1], [1, 0, 0]], index=["ann", "bob", "cy", "dan"], columns=["red", "blue", "green"]
)
INCIDENCE = [
    MEMBERS.to_csv(),
    MEMBERS.to_csv(index_label="person"),
    MEMBERS.rename(columns={"red": "p1", "blue": "p2", "green": "p3"}).to_csv(index_label="person"),
    MEMBERS.iloc[:, :2].to_csv(),
    MEMBERS.iloc[:, :2].to_csv(index_label="person"),
    MEMBERS.iloc[:, :2].rename(columns={"red": "party1", "blue": "party2"}).to_csv(index_label="person"),
    (MEMBERS * 3).to_csv(),
    MEMBERS.to_csv(sep="\t"),
    MEMBERS.to_csv(header=False),
]


@pytest.mark.parametrize("text", INCIDENCE)
def test_incidence_matrices_are_refused_and_read_on_demand(text, tmp_path):
    with pytest.raises(DataError, match="--columns"):
        read(tmp_path, text, "g.csv")
    if text.splitlines()[0].startswith("ann"):
        return
    graph = read(tmp_path, text, "g.csv", format="matrix", bipartite=True)
    width = len(text.splitlines()[0].replace("\t", ",").split(",")) - 1
    assert graph.num_nodes == 4 + width
    assert graph.num_edges == int((MEMBERS.iloc[:, :width] > 0).to_numpy().sum())
    assert set(graph.meta["node_attributes"]["side"]) == {"row", "column"}
    assert noted_codes(graph) >= {"two-mode"}


def test_an_incidence_matrix_without_names_has_numbered_nodes(tmp_path):
    graph = read(tmp_path, "1 0 2\n0 1 1\n", format="matrix", bipartite=True)
    assert sorted(graph.nodes) == ["column:0", "column:1", "column:2", "row:0", "row:1"]
    assert sorted(graph.edge_weight.tolist()) == [1, 1, 1, 2]
    with pytest.raises(DataError, match="are called 'x'"):
        read(tmp_path, ",x,x\na,1,0\nb,0,1\n", format="matrix", bipartite=True)


@pytest.mark.parametrize(
    "text",
    [
        'node,neighbors\nann,"bob;cy"\nbob,"ann;cy;dan"\ncy,"ann;bob"\ndan,"bob"\n',
        'node,neighbors\nann,"bob, cy"\nbob,"ann, cy, dan"\ncy,"ann, bob"\ndan,bob\n',
        "node\tneighbours\nann\tbob|cy\nbob\tann|dan\ncy\tann\ndan\tbob\n",
        "node,neighbors\nann,\"['bob', 'cy']\"\nbob,\"['ann', 'cy', 'dan']\"\ncy,\"['ann']\"\n",
        'paper,authors\np1,"Ann B.; Bob C."\np2,"Bob C.; Cy D.; Dan E."\np3,"Ann B.; Dan E."\n',
        "0\t1,2,3\n1\t5,7\n2\t0,4,9,11\n",
        "ann\tbob,cy\nbob\tdan,eve\ncy\tann,bob\n",
        "edge,weight\n\"('ann', 'bob')\",2\n\"('bob', 'cy')\",3\n\"('cy', 'dan')\",1\n",
    ],
)
def test_fields_with_several_nodes_are_refused(text, tmp_path):
    with pytest.raises(DataError, match=r"names several nodes|holds weights"):
        read(tmp_path, text, "g.csv")


def test_fields_with_several_nodes_below_usual_names_are_noted(tmp_path):
    for text in (
        'from,to\na@e,"b@e; c@e"\nb@e,"a@e"\nc@e,"a@e; b@e"\nd@e,"a@e"\n',
        "source,target\n" + "".join(f"a{i},b{i};c{i}\n" for i in range(9)),
        'source,target\np1,"Doe A, Lee K, Roe B"\np2,"Poe A, Zee K"\np3,"Xoe A, Wee K"\n',
    ):
        assert "possible-lists" in noted_codes(read(tmp_path, text, "g.csv"))


def test_cities_and_surnames_with_commas_are_single_nodes(tmp_path):
    cities = ["Eugene, OR", "Bend, OR", "Ames, IA", "Salem, OR"]
    text = pd.DataFrame({"from": cities, "to": cities[1:] + cities[:1]}).to_csv(index=False)
    assert sorted(read(tmp_path, text, "g.csv").nodes) == sorted(cities)
    people = ["Doe, John", "Doe, Jane", "Roe, John"]
    text = pd.DataFrame({"source": people, "target": people[1:] + people[:1]}).to_csv(index=False)
    assert sorted(read(tmp_path, text, "g.csv").nodes) == sorted(people)


def test_a_name_for_both_ends_needs_a_separator(tmp_path):
    with pytest.raises(DataError, match="holds weights"):
        read(tmp_path, "edge,weight\nann-bob,2\nbob-cy,3\ncy-dan,1\n", "g.csv")
    for mark in ("-", "->", "~", ":"):
        text = "".join(line.replace(" ", mark) + "\n" for line in RING)
        with pytest.raises(DataError, match=f"--delimiter '{mark}'"):
            read(tmp_path, text)
        assert read(tmp_path, text, delimiter=mark).num_nodes == 4


@pytest.mark.parametrize("mark", [";", ",", "."])
@pytest.mark.parametrize("end", ["\n", "\r\n", " \n"])
def test_punctuation_at_the_end_of_lines_is_no_part_of_ids(mark, end, tmp_path):
    text = "# friends\n" + "".join(line + mark + end for line in RING)
    graph = read(tmp_path, text)
    assert graph.nodes == ["ann", "bob", "cy", "dan"]
    assert "line-ends" in noted_codes(graph)
    weighted = "".join(f"{line} {i + 1}{mark}\n" for i, line in enumerate(RING))
    assert sorted(read(tmp_path, weighted).edge_weight.tolist()) == [1, 2, 3, 4]


def test_punctuation_at_the_end_of_some_lines_is_kept(tmp_path):
    assert "bob." in read(tmp_path, "ann bob.\nbob. cy\ncy dan\n").nodes


def test_two_pairs_of_ends_are_refused_unless_one_is_the_plain_one(tmp_path):
    airports = (
        "Origin_airport,Destination_airport,Origin_city,Destination_city\nMHK,AMW,Manhattan,Ames\nAMW,EUG,Ames,Eugene\n"
    )
    with pytest.raises(DataError, match="Origin_airport, Destination_airport"):
        read(tmp_path, airports, "g.csv")
    assert set(read(tmp_path, airports, "g.csv", columns="1,2").nodes) == {"MHK", "AMW", "EUG"}
    authors = "author1,author2,author1_country,author2_country\nann,bob,fr,it\nbob,cy,it,it\n"
    assert set(read(tmp_path, authors, "g.csv").nodes) == {"ann", "bob", "cy"}
    users = "user1_id,user2_id,score\n1,2,3\n2,3,5\n"
    assert read(tmp_path, users, "g.csv").is_weighted


def test_lists_of_three_neighbours_are_no_edges(tmp_path):
    people = ["ann", "bob", "cy", "dan", "eve"]
    for separator in (" ", ","):
        text = "".join(separator.join(people[(i + j) % 5] for j in range(3)) + "\n" for i in range(5))
        with pytest.raises(DataError, match=r"--input-format adjlist.*--columns 1,2"):
            read(tmp_path, text)
        assert read(tmp_path, text, format="adjlist").num_edges == 10


def test_years_with_fractions_are_times(tmp_path):
    assert kind_of_values(["1999.5", "2000.25", "2010"]) == "time"
    graph = read(tmp_path, "".join(f"{line} {1999.25 + i}\n" for i, line in enumerate(RING)))
    assert not graph.is_weighted
    assert "ignored-columns" in noted_codes(graph)


def test_sif_with_weights_is_refused_with_the_way_out(tmp_path):
    text = "".join(f"{a} pp {b} 0.{i + 1}\n" for i, (a, b) in enumerate(map(str.split, RING)))
    for body in (text, text.replace(" ", "\t")):
        with pytest.raises(DataError, match="--input-format edgelist --columns 1,3,4"):
            read(tmp_path, body, "g.sif")
        assert read(tmp_path, body, "g.sif", format="edgelist", columns="1,3,4").is_weighted
    assert read(tmp_path, "1 pp 2 3\n2 pp 3 4\n", "g.sif").num_edges == 4  # nodes with numbers


@pytest.mark.parametrize("name", ["g.txt", "g.dat", "g.csv"])
def test_tgf_is_named_whatever_the_file_is_called(name, tmp_path):
    with pytest.raises(DataError, match="TGF"):
        read(tmp_path, "1 Ann\n2 Bob\n3 Cy\n#\n1 2\n2 3 knows\n", name)


def test_printed_arrays_are_no_json(tmp_path):
    for array in (np.eye(3), np.eye(40), np.arange(9).reshape(3, 3)):
        with pytest.raises(DataError, match=r"numpy\.savetxt"):
            read(tmp_path, f"{array}\n")


def test_the_hint_on_a_title_does_not_hide_the_header(tmp_path):
    with pytest.raises(DataError, match="remove the lines above the header") as raised:
        read(tmp_path, "My network\nsource,target\nann,bob\nbob,cy\ncy,dan\n", "g.csv")
    assert "--header" not in str(raised.value)


def test_row_numbers_without_a_name_are_named_in_the_refusal(tmp_path):
    with pytest.raises(DataError, match=r"row.names = FALSE"):
        read(tmp_path, "V1 V2\n1 10 11\n2 11 12\n3 12 13\n4 13 10\n")


def test_json_lists_are_read_as_tables_are(tmp_path):
    times = [["ann", "bob", 1577836800], ["bob", "cy", 1577923200], ["cy", "dan", 1578009600]]
    graph = read(tmp_path, json.dumps(times), "g.json")
    assert not graph.is_weighted
    assert "ignored-columns" in noted_codes(graph)
    assert read(tmp_path, json.dumps(times), "g.json", weight="3").is_weighted
    assert read(tmp_path, json.dumps([[*row[:2], 0.5] for row in times]), "g.json").is_weighted
    assert set(read(tmp_path, json.dumps(times), "g.json", columns="2,3").nodes) >= {1577836800, "bob"}


def test_json_records_take_the_columns_that_are_named(tmp_path):
    records = [{"p": "ann", "q": "bob", "calls": 3}, {"p": "bob", "q": "cy", "calls": 4}]
    assert sorted(read(tmp_path, json.dumps(records), "g.json").edge_weight.tolist()) == [3, 4]
    unclear = [record | {"how": "by phone"} for record in records]
    with pytest.raises(DataError, match=r"p, q, calls, how \(--columns"):
        read(tmp_path, json.dumps(unclear), "g.json")
    graph = read(tmp_path, json.dumps(records), "g.json", columns="p,q,calls")
    assert sorted(graph.edge_weight.tolist()) == [3, 4]
    with pytest.raises(DataError, match="--columns"):
        read(tmp_path, json.dumps(records), "g.json", columns="p,z")


def test_the_json_graph_format_is_directed_by_default(tmp_path):
    inner = {"nodes": {"a": {}, "b": {}}, "edges": [{"source": "a", "target": "b"}]}
    graph = read(tmp_path, json.dumps({"graph": inner}), "g.json")
    assert graph.directed
    assert "direction" in noted_codes(graph)
    assert not read(tmp_path, json.dumps({"graph": inner | {"directed": False}}), "g.json").directed


def test_tables_in_python_are_read_as_those_in_files(tmp_path, caplog):
    frame = pd.DataFrame({"userId": [1, 2, 2], "movieId": [1, 1, 3], "rating": [4.0, 5, 3]})
    frame.to_csv(tmp_path / "g.csv", index=False)
    from_file, from_frame = read_graph(tmp_path / "g.csv"), as_graph(frame)
    assert from_frame.nodes == from_file.nodes
    assert list(from_frame.edges()) == list(from_file.edges())
    assert noted_codes(from_frame) >= {"two-mode"}
    dated = pd.DataFrame({"source": ["a", "b"], "target": ["b", "c"], "year": [2001, 2002]})
    with caplog.at_level("INFO", logger="graphclust"):
        assert noted_codes(as_graph(dated)) == {"ignored-columns"}
    assert 'weight="year"' in caplog.text
    assert "--" not in caplog.text
    lists = pd.DataFrame({"node": ["a", "b", "c"], "friends": ["b;c", "a;c", "a;b"]})
    with pytest.raises(DataError, match="several nodes") as raised:
        as_graph(lists)
    assert "--" not in str(raised.value)


def test_missing_weights_are_noted_wherever_they_are(tmp_path):
    igraph = pytest.importorskip("igraph")
    graph = nx.Graph()
    graph.add_edge("a", "b", weight=3)
    graph.add_edge("b", "c")
    frame = pd.DataFrame({"source": ["a", "b"], "target": ["b", "c"], "weight": [3.0, None]})
    frame.to_parquet(tmp_path / "g.parquet")
    for made in (as_graph(graph), as_graph(igraph.Graph.from_networkx(graph)), read_graph(tmp_path / "g.parquet")):
        assert sorted(made.edge_weight.tolist()) == [1, 3]
        assert "missing-weights" in noted_codes(made)
    assert "notes" not in as_graph(nx.path_graph(3)).meta


def test_parquet_ids_beyond_64_bits_are_refused_by_name(tmp_path):
    pd.DataFrame({"source": np.array([2**63 + 1, 2], dtype="uint64"), "target": [3, 4]}).to_parquet(
        tmp_path / "g.parquet"
    )
    with pytest.raises(DataError, match="'source' does not fit"):
        read_graph(tmp_path / "g.parquet")


@pytest.mark.parametrize("options", [{"threshold": "x"}, {"threshold": True}, {"threshold": float("nan")}])
def test_options_of_a_wrong_type_are_usage_errors(options, tmp_path):
    with pytest.raises(UsageError, match="finite number"):
        read(tmp_path, "a b 1\n", **options)


def test_options_on_weights_contradict_no_weights(tmp_path):
    for options in ({"negative": "drop"}, {"threshold": 1.0}, {"weight": "w"}):
        with pytest.raises(UsageError, match="contradicts"):
            read(tmp_path, "a b 1\n", weights=False, **options)


NODES = ["ann", "bob", "cy", "dan"]


@pytest.mark.parametrize(
    ("name", "text", "column"),
    [
        ("t.txt", '"x"\n"ann" 1\n"bob" 1\n"cy" 2\n"dan" 2\n', None),
        ("t.txt", "membership\nann 1\nbob 1\ncy 2\ndan 2\n", None),
        ("t.txt", "label\n1\n1\n2\n2\n", None),
        ("t.csv", "node,club,age\nann,5,1\nbob,6,1\ncy,7,2\ndan,8,2\n", "age"),
        ("t.csv", "node,club,age\nann,5,1\nbob,6,1\ncy,7,2\ndan,8,2\n", "3"),
        ("t.content", "ann 0 1 0 1\nbob 1 1 0 1\ncy 0 0 1 2\ndan 0 0 0 2\n", "5"),
        ("t.json", '{"nodes": [{"id": "ann", "group": 1}, {"id": "bob", "group": 1}, {"id": "cy", "group": 2}, '
         '{"id": "dan", "group": 2}], "links": [{"source": "ann", "target": "bob", "value": -1}]}', None),
        ("t.json", '{"nodes": [{"id": "ann", "a": 1}, {"id": "bob", "a": 1}, {"id": "cy", "a": 2}, '
         '{"id": "dan", "a": 2}], "links": []}', "a"),
    ],
)  # fmt: skip
def test_truths_as_r_and_d3_write_them(name, text, column, tmp_path):
    (tmp_path / name).write_text(text)
    labels = read_partition(tmp_path / name, None, NODES, column=column)
    assert {str(node): str(label) for node, label in labels.items()} == dict(zip(NODES, "1122", strict=True))


def test_columns_of_truths_that_do_not_exist(tmp_path):
    (tmp_path / "t.content").write_text("ann 0 1 0 1\nbob 1 1 0 1\ncy 0 0 1 2\ndan 0 0 0 2\n")
    with pytest.raises(DataError, match=r"which of the 5 columns holds the labels .--truth-column N"):
        read_partition(tmp_path / "t.content", None, NODES)
    with pytest.raises(DataError, match="no names: give a number from 1 to 5"):
        read_partition(tmp_path / "t.content", None, NODES, column="label")
    with pytest.raises(UsageError, match="contradicts"):
        read_partition(tmp_path / "t.content", "cmty", NODES, column="2")
    (tmp_path / "t.json").write_text('[["ann", "bob"], ["cy", "dan"]]')
    with pytest.raises(DataError, match="has no columns"):
        read_partition(tmp_path / "t.json", None, NODES, column="2")


@pytest.mark.parametrize(
    "text",
    [
        "Ann,Bob,works with\nBob,Cy,lives with\nCy,Dan,works with\n",
        "Ann Lee,Bob,friend\nBob,Cy Roe,foe\nCy Roe,Ann Lee,friend\n",
        "Ann,Bob,met 2019\nBob,Cy,met 2020\nCy,Ann,met 2020\n",
        "Ann Lee|Bob|friend\nBob|Cy|foe\nCy|Ann Lee|friend\n",
        "Ann Lee;Bob;friend\nBob;Cy;foe\nCy;Ann Lee;friend\n",
    ],
)
def test_blanks_do_not_separate_what_marks_separate(text, tmp_path):
    for name in ("g.csv", "g.txt"):
        graph = read(tmp_path, text, name)
        assert graph.num_edges == 3
        assert {"Ann", "Ann Lee"} & set(graph.nodes)
        assert "Bob" in graph.nodes
        assert "ignored-columns" in noted_codes(graph)


def test_blanks_separate_ids_with_commas(tmp_path):
    assert read(tmp_path, "a,b c,d\nc,d e,f\ne,f a,b\n").nodes == ["a,b", "c,d", "e,f"]


@pytest.mark.parametrize(
    ("header", "row", "ends"),
    [
        ("caller,callee,start,end", "ann,bob,1,5", {"ann", "bob"}),
        ("person1,person2,from,to", "ann,bob,2001-01-01,2003-02-01", {"ann", "bob"}),
        ("origin,destination,start,end", "ann,bob,08:00,09:00", {"ann", "bob"}),
        ("i,j,from,to", "1,2,2001-01-01,2003-02-01", {"1", "2"}),
        ("from,to,start,end", "ann,bob,2001-01-01,2003-02-01", {"ann", "bob"}),
    ],
)
def test_times_with_two_ends_are_no_edges(header, row, ends, tmp_path):
    graph = read(tmp_path, f"{header}\n{row}\n", "g.csv")
    assert set(graph.nodes) == ends
    (note,) = (note for note in graph.meta["notes"] if note.code == "ignored-columns")
    assert "--columns" in note.message


def test_what_is_no_list_of_edges_is_refused_with_advice(tmp_path):
    for text, advice in (
        ("doc,apple,pear\nd1,1,0\nd2,0,2\nd3,1,1\n", "--input-format matrix --bipartite"),
        ("node,degree\nann,3\nbob,2\ncy,3\n", "table of nodes"),
        ("employee_id,name,manager_id\n1,Ann,\n2,Bob,1\n3,Cy,1\n", "--columns"),
        ("1 <-> 2\n2 <-> 3\n1 -> 3\n", "--columns 1,3"),
        ("00260881\t_hyper\t00260622\n01332730\t_form\t03122748\n06066555\t_form\t00645415\n", "--columns 1,3"),
        ("c x\np edge 4 3\ne 1 2\n", "--input-format dimacs"),
        ("dl n=3 format=edgelist1\ndata:\n1 2\n", "--input-format dl"),
        ("(0, 0) (0, 1) {}\n(0, 0) (1, 0) {}\n", "tuples"),
        ("nodedef>name VARCHAR\na\nb\n", "GDF"),
        ("from,to,weight\nann,bob,1\nbob,cy,NA\ncy,ann,2\n", "--no-weights"),
    ):
        with pytest.raises(DataError, match=advice):
            read(tmp_path, text, "g.csv")


def test_two_spaces_of_ids_in_neo4j_are_two_kinds(tmp_path):
    graph = read(tmp_path, ":START_ID(Person),:END_ID(Film),:TYPE\n1,1,IN\n2,1,IN\n1,2,IN\n", "g.csv")
    assert graph.nodes == ["Film:1", "Film:2", "Person:1", "Person:2"]


def test_the_head_of_a_relation_is_its_subject(tmp_path):
    text = "head\trelation\ttail\nann\tknows\tbob\n"
    assert list(read(tmp_path, text, "g.tsv", directed=True).edges()) == [("ann", "bob")]


def test_weights_that_are_mostly_missing_are_not_read(tmp_path):
    text = "Official Symbol Interactor A,Official Symbol Interactor B,Score\nann,bob,-\nbob,cy,-\ncy,ann,2\n"
    graph = read(tmp_path, text, "g.csv")
    assert not graph.is_weighted
    assert "ignored-columns" in noted_codes(graph)


@pytest.mark.parametrize(
    ("text", "nodes"),
    [
        ('"V1","V2","V3","V4","V5"\n0,1,0,0,1\n1,0,1,0,0\n0,1,0,1,0\n0,0,1,0,1\n1,0,0,1,0\n', "12345"),
        ("V1,V2,V3\n0,1,1\n1,0,0\n1,0,0\n", "123"),
        ("0,1,2\n0,1,1\n1,0,0\n1,0,0\n", "012"),
        (",a,b,c\nc,1,2,0\na,0,5,1\nb,5,0,2\n", "abc"),
        (",a,b,c,\na,0,1,1,\nb,1,0,0,\nc,1,0,0,\n", "abc"),
        (",a,b,c\na,NA,1,1\nb,1,NA,0\nc,1,0,NA\n", "abc"),
    ],
)
def test_matrices_as_r_and_pandas_write_them(text, nodes, tmp_path):
    graph = read(tmp_path, text, "g.csv")
    assert graph.nodes == list(nodes)
    assert not graph.directed
    assert "matrix" in noted_codes(graph)
    if text.startswith(",a,b,c\nc"):  # the rows in another order
        assert list(graph.edges()) == [("a", "b", 5.0), ("a", "c", 1.0), ("b", "c", 2.0)]


def test_names_of_rows_are_those_of_columns_as_r_spells_them(tmp_path):
    text = '"","New.York","Los.Angeles","X1st"\n"New York",0,1,1\n"Los Angeles",1,0,0\n"1st",1,0,0\n'
    assert set(read(tmp_path, text, "g.csv").nodes) == {"New York", "Los Angeles", "1st"}


def test_rows_with_one_id_are_nodes_without_edges(tmp_path):
    for text in ("Ann,Bob,2\nBob,Cy,3\nCy,Dan,1\nEve,,\n,Fay,\n", "from,to\nAnn,Bob\nBob,Cy\nCy,Dan\nEve,\n,Fay\n"):
        graph = read(tmp_path, text, "g.csv")
        assert {"Eve", "Fay"} < set(graph.nodes)
        assert graph.num_edges == 3
        assert "nodes-alone" in noted_codes(graph)
    with pytest.raises(DataError, match="node id is empty"):
        read(tmp_path, "user,movie\n1,1\n2,\n3,1\n", "g.csv")


@pytest.mark.parametrize(
    ("content", "weights", "directed"),
    [
        ({"a": {"b": 2, "c": 1}, "b": {"a": 2}, "c": {"a": 1}}, [1, 2], False),
        ({"a": {"b": 0.9, "c": 0.1}, "b": {"c": 0.4}, "c": {}}, [0.1, 0.4, 0.9], True),
        ({"a": {"b": 2}, "b": {"a": 3}}, [2, 3], True),
        ({"a": ["b", "c"], "b": ["d"]}, [1, 1, 1], True),
        ({"a": {"b": True}, "b": {"a": True}}, [1], False),
        ({"node1": ["node2", "node3"], "node2": ["node1", "node3"], "node3": ["node1", "node2"]}, [1, 1, 1], False),
        ({"u": {"v": 2, "w": 1}, "v": {"u": 2, "w": 3}, "w": {"u": 1, "v": 3}}, [1, 2, 3], False),
        ({"options": {"type": "directed"}, "nodes": [{"key": "a"}, {"key": "b"}],
          "edges": [{"source": "a", "target": "b", "attributes": {"weight": 2}}]}, [2], True),
        ({"nodes": ["a", "b", "c"], "edges": [["a", "b"], ["b", "c", 2]]}, [1, 2], False),
        ({"from": {"0": "a", "1": "b"}, "to": {"0": "b", "1": "c"}, "weight": {"0": 2, "1": 3}}, [2, 3], False),
        ({"columns": ["from", "to", "weight"], "index": [0, 1], "data": [["a", "b", 2], ["b", "c", 3]]}, [2, 3], False),
        ({"schema": {}, "data": [{"from": "a", "to": "b"}, {"from": "b", "to": "c"}]}, [1, 1], False),
        ({"from": ["a", "b"], "to": ["b", "c"]}, [1, 1], False),
    ],
)  # fmt: skip
def test_json_of_many_kinds(content, weights, directed, tmp_path):
    graph = read(tmp_path, json.dumps(content), "g.json")
    assert sorted(graph.edge_weight.tolist()) == weights
    assert graph.directed == directed


def test_json_of_neo4j_keeps_properties(tmp_path):
    lines = [
        {"type": "node", "id": "1", "labels": ["P"], "properties": {"name": "ann"}},
        {"type": "node", "id": "2", "labels": ["P"], "properties": {"name": "bob"}},
        {"type": "relationship", "id": "0", "label": "KNOWS", "start": {"id": "1"}, "end": {"id": "2"},
         "properties": {"weight": 3}},
    ]  # fmt: skip
    graph = read(tmp_path, "".join(json.dumps(line) + "\n" for line in lines), "g.json")
    assert graph.edge_weight.tolist() == [3]
    assert graph.meta["node_attributes"]["name"] == ["ann", "bob"]


def test_json_records_of_users_and_items_are_two_mode(tmp_path):
    records = [{"userId": 1, "itemId": 1, "rating": 3}, {"userId": 2, "itemId": 1, "rating": 4}]
    for content, options in (
        (records, {}),
        ([{"a": r["userId"], "b": r["itemId"]} for r in records], {"columns": "a,b", "bipartite": True}),
    ):
        graph = read(tmp_path, json.dumps(content), "g.json", **options)
        assert graph.num_nodes == 3
        assert "two-mode" in noted_codes(graph)
        assert len(set(graph.meta["node_attributes"]["side"])) == 2
    assert read(tmp_path, json.dumps(records), "g.json", bipartite=False).num_nodes == 2


def test_graphs_of_the_treewidth_challenges(tmp_path):
    graph = read(tmp_path, "c x\np tw 4 3\n1 2\n2 3\n3 4\n", "g.gr")
    assert (graph.num_nodes, graph.num_edges) == (4, 3)


LABELS = dict(zip(NODES, "1122", strict=True))


@pytest.mark.parametrize(
    ("name", "text", "column"),
    [
        ("t.csv", ",user,team\n0,ann,1\n1,bob,1\n2,cy,2\n3,dan,2\n", None),
        ("t.csv", ",user,team\n0,ann,1\n1,bob,1\n2,cy,2\n3,dan,2\n", "team"),
        ("t.csv", "id,name,class\n11,ann,1\n12,bob,1\n13,cy,2\n14,dan,2\n", None),
        ("t.txt", "node membership\n1 ann 1\n2 bob 1\n3 cy 2\n4 dan 2\n", None),
        ("t.json", '{"membership": [1, 1, 2, 2]}', None),
        ("t.json", '{"ann": [1], "bob": [1], "cy": [2], "dan": [2]}', None),
        ("t.clu", "*Partition P\n*Vertices 4\n1\n1\n2\n2\n", None),
    ],
)
def test_truths_name_the_nodes_of_the_graph(name, text, column, tmp_path):
    (tmp_path / name).write_text(text)
    found = read_partition(tmp_path / name, None, NODES, column=column)
    if isinstance(found, list):
        found = {node: label for label, part in zip("12", sorted(found, key=min), strict=True) for node in part}
    assert {str(node): str(label) for node, label in found.items()} == LABELS


def test_numbers_of_rows_are_no_nodes(tmp_path):
    (tmp_path / "t.csv").write_text(",user,team\n0,3,x\n1,1,y\n2,2,y\n3,0,y\n")
    assert read_partition(tmp_path / "t.csv", None, [0, 1, 2, 3]) == {"3": "x", "1": "y", "2": "y", "0": "y"}


def test_missing_labels_in_text_are_no_community(tmp_path, caplog):
    (tmp_path / "t.csv").write_text("node,label\nann,1\nbob,NA\ncy,nan\ndan,2\n")
    with caplog.at_level("INFO", logger="graphclust"):
        assert read_partition(tmp_path / "t.csv", None, NODES) == {"ann": "1", "dan": "2"}
    assert "2 nodes without a label" in caplog.text


def test_lists_of_labels_make_a_cover(tmp_path):
    for name, text in (
        ("t.csv", 'node,label\nann,"[1, 2]"\nbob,[1]\ncy,[2]\ndan,[2]\n'),
        ("t.json", '{"ann": [1, 2], "bob": [1], "cy": [2], "dan": [2]}'),
    ):
        (tmp_path / name).write_text(text)
        assert sorted(map(sorted, read_partition(tmp_path / name, None, NODES))) == [
            ["ann", "bob"],
            ["ann", "cy", "dan"],
        ]
