"""Partitions read from files of every shape."""

from __future__ import annotations

import json

import networkx as nx
import pandas as pd
import pytest

import graphclust as gc
from graphclust.errors import DataError, UsageError
from graphclust.io.files import replacing
from graphclust.io.partition import read_partition
from tests.noted import codes

LABELS = {"a": "1", "b": "1", "c": "2"}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("t.tsv", "node\tcommunity\na\t1\nb\t1\nc\t2\n"),
        ("t.tsv", "node\tcommunity\tconfidence\na\t1\t0.5\nb\t1\t0.5\nc\t2\t1\n"),
        ("t.txt", "a 1\nb 1\nc 2\n"),
        ("t.txt", "# node label\na 1\r\nb 1\r\nc 2"),
        ("t.csv", '"a",1\n"b",1\n"c",2\n'),
        ("t.labels.tsv", "a\t1\tAnn Smith\nb\t1\tBob\nc\t2\tCy Young\n"),
        ("t.csv", "age,class,node,name\n3,1,a,x y\n4,1,b,z\n5,2,c,w\n"),
        ("t.csv", '"","node","class"\n"1","a","1"\n"2","b","1"\n"3","c","2"\n'),
        ("t.csv", "node,class\na,1\nb,1\nc,2\nd,\n"),
        ("t.csv", "a,1,x,7\nb,1,y,8\nc,2,z,9\n"),
        ("t.txt", '"node" "class"\n"1" "a" "1"\n"2" "b" "1"\n"3" "c" "2"\n'),  # R
        ("t.json", json.dumps({"nodes": ["a", "b", "c"], "labels": ["1", "1", "2"]})),
        ("t.json", json.dumps(LABELS)),
    ],
)
def test_labels(tmp_path, name, text):
    (tmp_path / name).write_text(text)
    assert read_partition(tmp_path / name) == LABELS


@pytest.mark.parametrize(
    ("name", "text", "kind"),
    [("t.cmty.txt", "a b\nb c\n", None), ("t.txt", "a b\nb c d e\n", None), ("t.txt", "a b\nb c\n", "cmty")],
)
def test_one_community_a_line(tmp_path, name, text, kind):
    (tmp_path / name).write_text(text)
    assert read_partition(tmp_path / name, kind) == [set(line.split()) for line in text.splitlines()]


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("t.txt", "", "empty"),
        ("t.txt", "# x\n", "empty"),
        ("t.txt", "a 1\na 2\n", "t.txt:2: node 'a' has two labels"),
        ("t.json", "{", "t.json:1: not JSON"),
        ("t.json", "3", "neither"),
        ("t.json", '{"nodes": [1], "labels": []}', "1 nodes and 0 labels"),
        ("t.json", '{"a": []}', "not a partition"),
        ("t.parquet", "PAR1 no", "not a parquet"),
        ("t.clu", "*Vertices 3\n1\n", "the number of lines below it"),
        ("t.clu", "*Vertices 1\n1\n", "--graph"),
        ("t.tsv", "node\tcommunity\na\t1\nb\n", "t.tsv:3: expected a node and its label, found 1 column"),
        ("t.graphml", "<graphml><graph/></graphml>", "community"),
        ("t.html", "<!DOCTYPE html>\n<html><body>a 1\nb 1</body></html>", "t.html: this is an HTML page"),
        ("t.tsv", '\n<html lang="en">\na 1\n</html>', "HTML"),
        ("t.txt", '<?xml version="1.0"?>\n<!DOCTYPE html PUBLIC "-">\n<html/>', "HTML"),
        ("t.xml", "<graph><x/></graph>", "the root element is <graph>, not <graphml>"),
        ("t.txt", '<?xml version="1.0"?>\n<svg/>', "t.txt: this is XML, not a partition"),
        ("t.tsv", "<a><b/></a>\n", "this is XML"),
        ("t.out", '<?xml version="1.0"?>\n<graphml><graph/></graphml>', "community"),
        ("t.json", '{"command": ["graphclust"], "input": {}}', "not a partition: this JSON is neither"),
        ("t.txt", '{\n  "command": ["graphclust"], "input": {}}', "not a partition: this JSON is neither"),
        ("t.tsv", '[{"node": "a", "community": 1}]', "not a partition: this JSON is neither"),
        ("t", "[0, 0, 1]\n", "not a partition: this JSON is neither"),
        ("t.jsonl", '{"node": "a", "community": 1}\n{"node": "b", "community": 1}\n', "t.jsonl:2: not JSON"),
        ("t.json", '{"nodes": [1, "1"], "labels": [0, 1]}', "node '1' has two labels"),
        ("t.json", '{"nodes": ["a"], "labels": [[0]]}', "not a partition"),
    ],
)
def test_what_is_no_partition(tmp_path, name, text, says):
    (tmp_path / name).write_text(text)
    with pytest.raises(DataError, match=says):
        read_partition(tmp_path / name)


@pytest.mark.parametrize("text", ["<urn:a>\t1\n<urn:b>\t2\n", "{a}\t1\n[b]\t2\n", "<a 1\n{ 2\n", "[1]\t1\n[2]\t2\n"])
def test_ids_may_have_brackets(tmp_path, text):
    (tmp_path / "t.tsv").write_text(text)
    assert read_partition(tmp_path / "t.tsv") == dict(line.split() for line in text.splitlines())


@pytest.mark.parametrize("format", ["json", "graphml", "gexf", "parquet"])
def test_content_tells_the_format_where_the_name_does_not(tmp_path, format):
    result = gc.detect("data:karate", "leiden")
    result.save(tmp_path / "result.out", format)
    assert read_partition(tmp_path / "result.out") == result.membership


@pytest.mark.parametrize("format", ["tsv", "csv", "cmty", "parquet", "graphml", "gexf"])
def test_ids_that_are_spelt_alike_are_refused(tmp_path, format):
    graph = nx.Graph([(1, "1"), ("1", "a")])
    with pytest.raises(DataError, match="the node ids 1 and '1' are the same when written as text"):
        gc.detect(graph, "leiden").save(tmp_path / f"r.{format}")
    assert list(tmp_path.iterdir()) == []


def test_integers_of_any_size_are_written(tmp_path):
    result = gc.detect([(2**70, 1), (1, 2)], "leiden")
    result.save(tmp_path / "r.parquet")
    assert read_partition(tmp_path / "r.parquet") == {str(node): label for node, label in result.membership.items()}


def test_json_tells_numbers_from_words_but_no_more(tmp_path):
    gc.detect(nx.Graph([(1, "1")]), "leiden").save(tmp_path / "r.json")
    assert set(json.loads((tmp_path / "r.json").read_text())["nodes"]) == {1, "1"}
    with pytest.raises(DataError, match="same when written as text"):
        gc.detect(nx.Graph([((1, 2), "(1, 2)")]), "leiden").save(tmp_path / "s.json")


def test_ids_that_begin_with_a_hash_are_no_comments_below_a_header(tmp_path):
    (tmp_path / "t.tsv").write_text("# made by x\nnode\tcommunity\n#a\t1\nb\t2\n")
    assert read_partition(tmp_path / "t.tsv") == {"#a": "1", "b": "2"}


@pytest.mark.parametrize(
    ("text", "nodes", "labels"),
    [
        ("id\tx\nb\ty\n", ["id", "b"], {"id": "x", "b": "y"}),
        ("id\tx\nb\ty\n", ["a", "b"], {"b": "y"}),
        ("name\tnoun\nrun\tverb\n", None, {"name": "noun", "run": "verb"}),
        ("Boise\tID\nPocatello\tID\nSeattle\tWA\n", None, {"Boise": "ID", "Pocatello": "ID", "Seattle": "WA"}),
        ("id,club\n1,x\n2,y\n", None, {"1": "x", "2": "y"}),
        ("name,department\nann,1\nbob,2\n", None, {"ann": "1", "bob": "2"}),
        ("name\tclass\na\tclass\nb\tx\n", None, {"name": "class", "a": "class", "b": "x"}),
        ("name\tclass\na\tclass\nb\tx\n", ["a", "b"], {"a": "class", "b": "x"}),
        ("node\tcommunity\na\t0\n", ["node", "a"], {"node": "community", "a": "0"}),
        ("node\tcommunity\na\t0\nnode\t1\n", ["node", "a"], {"a": "0", "node": "1"}),
        ("% a comment\n# another\na\t0\nb\t1\n", None, {"a": "0", "b": "1"}),
    ],
)
def test_a_header_is_told_from_a_node_and_its_label(tmp_path, text, nodes, labels):
    (tmp_path / "t.tsv").write_text(text)
    assert read_partition(tmp_path / "t.tsv", "labels", nodes) == labels


@pytest.mark.parametrize(("name", "kind"), [("t.cmty", None), ("t.cmty.txt", None), ("t.txt", "cmty")])
def test_communities_have_no_header(tmp_path, name, kind):
    (tmp_path / name).write_text("id name\nx y\nz w\n")
    assert read_partition(tmp_path / name, kind) == [{"id", "name"}, {"x", "y"}, {"z", "w"}]


@pytest.mark.parametrize(("text", "code"), [("id\tclass\na\t1\n", "header"), ("id\tx\na\ty\n", "header-as-data")])
def test_what_became_of_a_first_line_is_noted(tmp_path, caplog, text, code):
    (tmp_path / "t.tsv").write_text(text)
    with caplog.at_level("INFO", logger="graphclust"):
        read_partition(tmp_path / "t.tsv")
    assert code in codes(caplog.records[0].notes)


def test_pajek_classes_are_about_the_nodes_of_a_graph(tmp_path):
    (tmp_path / "t.clu").write_text("*Vertices 2\n7\n8\n")
    assert read_partition(tmp_path / "t.clu", nodes=["x", 5]) == {"x": "7", "5": "8"}
    with pytest.raises(DataError, match="graph of 3 nodes"):
        read_partition(tmp_path / "t.clu", nodes=[1, 2, 3])


def test_guesses_are_logged(tmp_path, caplog):
    (tmp_path / "t.txt").write_text("a b\nb c d\n")
    with caplog.at_level("INFO", logger="graphclust"):
        read_partition(tmp_path / "t.txt")
    assert "one community per line" in caplog.text


@pytest.mark.parametrize("suffix", [".tsv", ".csv", ".json"])
def test_any_id_comes_back(tmp_path, suffix):
    names = [" a", "a", "b\nc", 'd"e', "", "f,g", "h\ti", "#j", "é", "1", "node", "x y "]
    graph = gc.Graph.from_edges(range(11), range(1, 12), nodes=names)
    result = gc.detect(graph, "leiden")
    result.save(tmp_path / f"r{suffix}")
    assert read_partition(tmp_path / f"r{suffix}").keys() == set(names)
    assert result.score(tmp_path / f"r{suffix}")["n_scored"] == 12


def test_kinds_are_two():
    with pytest.raises(UsageError, match="labels or cmty"):
        read_partition("x", "clusters")


def test_labels_on_demand_name_the_line(tmp_path):
    (tmp_path / "t").write_text("a 1\nb\n")
    with pytest.raises(DataError, match=r"t:2: expected a node and its label"):
        read_partition(tmp_path / "t", "labels")


def test_files_are_replaced_whole_or_not_at_all(tmp_path):
    path = tmp_path / "f"
    path.write_text("before")
    path.chmod(0o600)

    def fail_half_way():
        with replacing(path) as stream:
            stream.write(b"half")
            raise KeyError

    with pytest.raises(KeyError):
        fail_half_way()
    assert path.read_text() == "before"
    with replacing(path) as stream:
        stream.write(b"after")
    assert path.read_text() == "after"
    assert path.stat().st_mode & 0o777 == 0o600
    link = tmp_path / "link"
    link.symlink_to(path)
    with replacing(link) as stream:
        stream.write(b"through")
    assert link.is_symlink()
    assert path.read_text() == "through"
    assert sorted(item.name for item in tmp_path.iterdir()) == ["f", "link"]
    with replacing("/dev/null") as stream:
        stream.write(b"gone")


def test_columns_of_parquet_are_found_by_their_names(tmp_path):
    table = pd.DataFrame({"degree": [3, 2], "node": ["x", "y"], "community": ["a", "b"]})
    table.to_parquet(tmp_path / "t.parquet")
    assert read_partition(tmp_path / "t.parquet") == {"x": "a", "y": "b"}
    table[["community", "node"]].to_parquet(tmp_path / "t.parquet")
    assert read_partition(tmp_path / "t.parquet") == {"x": "a", "y": "b"}


def test_a_missing_label_is_none(tmp_path):
    """In every format: the node has no label, and nodes without one are no community."""
    json_file, table = tmp_path / "t.json", tmp_path / "t.parquet"
    pd.DataFrame({"node": ["x", "y"], "community": ["a", None]}).to_parquet(table)
    assert read_partition(table) == {"x": "a"}
    for text in ('{"x": "a", "y": null}', '{"nodes": ["x", "y"], "labels": ["a", null]}'):
        json_file.write_text(text)
        assert read_partition(json_file) == {"x": "a"}
