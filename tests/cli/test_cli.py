"""The command line: its output parsed and equal to the API's, its errors, its exit statuses."""

from __future__ import annotations

import bz2
import csv
import gzip
import hashlib
import io
import json
import lzma
import os
import re
import shutil
import signal
import subprocess
import sys
import time

import networkx as nx
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import graphclust as gc
from graphclust.__main__ import main
from tests.forked import ForkedCommand

GRAPHCLUST = [sys.executable, "-m", "graphclust"]


@pytest.fixture
def graph(tmp_path):
    path = tmp_path / "graph.csv"
    path.write_text('source,target,weight\n"Smith, A",B b,2\n"Smith, A",C,1\nB b,C,1\nD,E,1\nF,F,3\nE,D,1\n')
    return path


@pytest.fixture(scope="module")
def karate():
    return gc.detect("data:karate")


def test_detect_equals_the_api(cli, graph):
    result = cli("detect", graph, "--seed", 4)
    detected = gc.detect(str(graph), random_state=4)
    assert result.code == 0
    assert result.table == detected.membership
    assert set(result.table) == {"Smith, A", "B b", "C", "D", "E", "F"}


def test_decisions_go_to_stderr_and_quiet_silences_them(cli, graph):
    short = cli("detect", graph).err
    for word in ("comma", "header", "weights", "undirected", "1 parallel edge", "6 nodes"):
        assert word in short, word
    assert len(short.splitlines()) == 2  # how the file was read, and the result
    verbose = cli("detect", graph, "--verbose").err
    for word in ("1 parallel edge", "1 self-loop", "description length", "modularity"):
        assert word in verbose, word
    quiet = cli("detect", graph, "--quiet")
    assert (quiet.code, quiet.err) == (0, "")


def test_bundled_graph_by_name_and_standard_input(cli):
    by_name = cli("detect", "data:karate", "--method", "leiden")
    path = cli("data", "path", "karate").out.strip()
    with open(path, "rb") as stream:
        piped = cli("detect", "-", "--method", "leiden", stdin=stream.read())
    assert by_name.table == piped.table
    assert len(by_name.table) == 34


@pytest.mark.parametrize("format", ["tsv", "csv", "json", "cmty", "graphml", "gexf", "parquet", "clu"])
@pytest.mark.parametrize("by_name", [False, True])
def test_each_format_holds_the_result_and_can_be_evaluated(cli, karate, tmp_path, format, by_name):
    out = tmp_path / (f"result.{format}" if by_name else "result.out")
    requested = [] if by_name else ["--format", format]
    assert cli("detect", "data:karate", "--out", out, *requested, "-q").code == 0
    expected = {str(node): label for node, label in karate.membership.items()}
    data = out.read_bytes()
    if format in ("tsv", "csv"):
        rows = csv.DictReader(io.StringIO(data.decode()), delimiter="\t" if format == "tsv" else ",")
        actual = {row["node"]: int(row["community"]) for row in rows}
    elif format == "json":
        content = json.loads(data)
        actual = dict(zip(content["nodes"], content["labels"], strict=True))
    elif format == "cmty":
        actual = {node: label for label, line in enumerate(data.decode().splitlines()) for node in line.split()}
    elif format == "parquet":
        actual = dict(zip(*list(pq.read_table(out).to_pydict().values())[:2], strict=True))
    elif format == "clu":
        head, *labels = data.decode().split("\n")
        assert head == "*Vertices 34"
        actual = dict(zip(expected, (int(label) - 1 for label in labels if label), strict=True))
    else:
        nx_graph = getattr(nx, f"read_{format}")(io.BytesIO(data))
        actual = dict(nx_graph.nodes(data="community"))
        assert nx_graph.number_of_edges() == 78
    assert actual == expected
    if by_name and format != "clu":
        scores = json.loads(cli("evaluate", out, "--truth", out, "--graph", "data:karate", "--format", "json").out)
        assert scores["ami"] == pytest.approx(1)
        assert scores["n_scored"] == 34
        assert scores["modularity"] == pytest.approx(karate.quality()["modularity"])


def test_json_holds_what_the_interface_promises(cli):
    content = json.loads(cli("detect", "data:karate", "--format", "json", "--seed", 3).out)
    keys = {
        "nodes",
        "labels",
        "confidence",
        "n_clusters",
        "method",
        "params",
        "seed",
        "seconds",
        "quality",
        "posterior",
    }
    assert keys <= content.keys()
    assert content["seed"] == 3
    assert content["quality"] == gc.detect("data:karate", random_state=3).quality()


def test_manifest_tells_what_was_done(cli, graph, tmp_path):
    manifest, report = tmp_path / "m.json", tmp_path / "r.html"
    cli("detect", graph, "--method", "louvain", "--param", "resolution=0.5", "--manifest", manifest, "--report", report)
    record = json.loads(manifest.read_text())
    assert record["input"]["sha256"] == hashlib.sha256(graph.read_bytes()).hexdigest()
    assert (record["input"]["nodes"], record["input"]["edges"], record["input"]["self_loops"]) == (6, 5, 1)
    assert record["method"] == "louvain"
    assert record["params"]["resolution"] == 0.5
    assert record["graphclust"]["graphclust"] == gc.__version__
    assert set(record["seconds"]) == {"read", "detect", "quality", "write"}
    assert "<html" in report.read_text()


def test_names_that_are_not_utf8(cli, tmp_path):
    graph = os.path.join(os.fsencode(tmp_path), b"g\xff.txt")
    manifest, report, page = tmp_path / "m.json", tmp_path / "r.html", tmp_path / "p.html"
    with open(graph, "w") as stream:
        stream.write("a b\nb c\n")
    name = os.fsdecode(graph)
    result = cli("detect", name, "-m", "leiden", "--manifest", manifest, "--report", report)
    assert result.code == 0
    assert json.loads(manifest.read_text())["input"]["path"] == name
    assert "<html" in report.read_text()
    assert cli("detect", name, "-m", "leiden", "--out", page).code == 0


def test_evaluate_a_part_of_the_nodes_and_overlapping_truth(cli, tmp_path):
    out, part, cover = tmp_path / "p.tsv", tmp_path / "part.tsv", tmp_path / "t.cmty"
    out.write_text("node\tcommunity\na\t0\nb\t0\nc\t1\nd\t1\n")
    part.write_text("a x\nb x\nc y\n")
    cover.write_text("a b\nb c d\n")
    scored = cli("evaluate", out, "--truth", part, "--format", "json")
    assert json.loads(scored.out)["ari"] == 1
    assert "3 of 4 nodes" in scored.err
    overlapping = json.loads(cli("evaluate", out, "--truth", cover, "--format", "json").out)
    assert 0.8 < overlapping["average_f1"] < 1
    table = cli("evaluate", out, "--truth", part).out
    assert table.splitlines()[0].split() == ["measure", "value"]


def test_evaluate_refuses_what_is_no_partition(cli, tmp_path):
    page, manifest, truth = tmp_path / "r.html", tmp_path / "m.json", tmp_path / "t.tsv"
    assert cli("detect", "data:karate", "--out", truth, "--report", page, "--manifest", manifest, "-q").code == 0
    for wrong, says in ((page, "this is an HTML page, not a partition"), (manifest, "not a partition: this JSON")):
        for files in ((wrong, "--truth", truth), (truth, "--truth", wrong)):
            result = cli("evaluate", *files)
            assert (result.code, result.out) == (1, "")
            assert result.err.startswith(f"graphclust: {wrong}: {says}")


def test_notes_on_a_partition_name_the_option_that_overrules_them(cli, tmp_path):
    graph, pairs, classes = tmp_path / "g.tsv", tmp_path / "p.txt", tmp_path / "t.clu"
    graph.write_text("a\tb\nb\tc\n")
    pairs.write_text("a b\nc d\n")
    classes.write_text("*Vertices 3\n1\n1\n2\n")
    err = cli("evaluate", pairs, "--truth", pairs).err
    assert "read as node label per line (--predicted-format overrides)" in err
    assert "read as node label per line (--truth-format overrides)" in err
    scores = json.loads(
        cli("evaluate", pairs, "--truth", pairs, "--predicted-format", "cmty", "--format", "json", "-q").out
    )
    assert scores["n_scored"] == 2
    compare = ("compare", graph, "--methods", "leiden", "--format", "json", "--truth")
    assert "(--truth-format overrides)" in cli(*compare, pairs).err
    assert json.loads(cli(*compare, pairs).out)[0]["n_scored"] == 2
    assert json.loads(cli(*compare, pairs, "--truth-format", "cmty").out)[0]["n_scored"] == 3
    assert json.loads(cli(*compare, classes).out)[0]["n_scored"] == 3


def test_a_first_line_that_may_be_a_header_is_pointed_out(cli, tmp_path):
    path = tmp_path / "g.txt"
    path.write_text("person friend\nalice bob\nbob carol\nalice carol\n")
    assert "the first line (person, friend) may be a header" in cli("detect", path).err
    result = cli("detect", path, "--header")
    assert "may be" not in result.err
    assert set(result.table) == {"alice", "bob", "carol"}


def test_compare_has_a_row_for_each_method(cli):
    rows = json.loads(cli("compare", "data:planted", "--methods", "leiden,infomap,spectral", "--format", "json").out)
    assert [row["method"] for row in rows] == ["leiden", "infomap", "spectral"]
    assert "needs the number" in rows[2]["error"]
    assert rows[0]["modularity"] > 0
    lines = cli("compare", "data:planted", "--methods", "leiden,louvain", "--format", "csv").out.splitlines()
    assert lines[0].startswith("method,n_clusters,seconds,modularity")
    assert len(lines) == 3


@pytest.mark.slow
def test_compare_takes_all_methods(cli):
    truth = cli("data", "path", "--labels", "planted").out.strip()
    rows = json.loads(cli("compare", "data:planted", "--truth", truth, "-k", 4, "--format", "json").out)
    assert {row["method"] for row in rows} == {name for name, kind in gc.METHODS.items() if not kind.is_baseline}
    assert all(row["ami"] > 0.9 for row in rows if row["method"] in ("leiden", "spectral"))


def test_compare_gives_parameters_to_those_that_have_them(cli):
    plain, fine = (
        json.loads(cli("compare", "data:karate", "--methods", "leiden,infomap", "--format", "json", *more).out)
        for more in ((), ("--param", "resolution=3"))
    )
    assert fine[0]["n_clusters"] > plain[0]["n_clusters"]
    assert fine[1]["n_clusters"] == plain[1]["n_clusters"]


@pytest.mark.parametrize("option", ["n_z=-1", "sample=best", "checkpoint=ccp", "n_anchors=0"])
def test_parameters_are_refused_before_the_graph_is_read(cli, tmp_path, option):
    result = cli("detect", tmp_path / "none.edgelist", "--method", "acp", "--param", option)
    assert result.code == 2
    assert option.partition("=")[0] in result.err
    assert "none.edgelist" not in result.err


@pytest.mark.parametrize(
    "name", ["k.graphml", "k.gexf", "k.gml", "k.net", "k.mtx", "k.npz", "k.parquet", "k.graph", "k.csv"]
)
def test_convert_there_and_read_back(cli, tmp_path, name):
    assert cli("convert", "data:karate", tmp_path / name).code == 0
    graph = gc.read_graph(tmp_path / name)
    assert (graph.num_nodes, graph.num_edges) == (34, 78)
    assert gc.detect(graph, "leiden").quality()["modularity"] == pytest.approx(0.4198, abs=1e-3)


@pytest.mark.parametrize(("suffix", "delimiter"), [("csv", ","), ("tsv", "\t")])
def test_tables_of_edges_have_a_header_and_no_comments(cli, tmp_path, suffix, delimiter):
    source, target = tmp_path / "g.edgelist", tmp_path / f"g.{suffix}"
    source.write_text("# Directed graph\n# source\ttarget\tweight\na, b\tc\t2\nc\td\t0.5\n")
    assert cli("convert", source, target).code == 0
    rows = list(csv.reader(io.StringIO(target.read_text()), delimiter=delimiter))
    expected = [["source", "target", "weight", "type"], ["a, b", "c", "2", "Directed"], ["c", "d", "0.5", "Directed"]]
    assert rows == expected
    nx_graph = gc.read_graph(target)
    assert nx_graph.directed
    assert list(nx_graph.edges()) == list(gc.read_graph(source).edges())
    assert cli("convert", source, "-", "--output-format", suffix).out == target.read_text()
    drawn = tmp_path / f"drawn.{suffix}"
    assert cli("generate", "planted-partition", "--nodes", 40, "--p-in", 0.5, "--p-out", 0.1, "--out", drawn).code == 0
    assert drawn.read_text().startswith(f"source{delimiter}target\n0{delimiter}")
    assert gc.read_graph(drawn).num_nodes == 40


def test_convert_says_what_is_lost(cli, tmp_path):
    source = tmp_path / "g.gml"
    source.write_text("graph [ node [ id 1 ] node [ id 2 ] node [ id 3 ] edge [ source 1 target 2 ] ]")
    for suffix in ("csv", "tsv", "edgelist"):
        assert "1 isolated node lost" in cli("convert", source, tmp_path / f"g.{suffix}").err
    assert "ids" in cli("convert", source, tmp_path / "g.mtx").err


ATTRIBUTES = """<gexf version="1.2"><graph><attributes class="node"><attribute id="0" title="age" type="integer"/>
<attribute id="1" title="full name" type="string"/></attributes>
<attributes class="edge"><attribute id="0" title="since" type="integer"/></attributes>
<nodes><node id="a" label="Ann"><attvalues><attvalue for="0" value="3"/></attvalues></node>
<node id="b" label="Bob"><attvalues><attvalue for="1" value="Bob B"/></attvalues></node></nodes>
<edges><edge source="a" target="b"><attvalues><attvalue for="0" value="7"/></attvalues></edge></edges></graph></gexf>"""


@pytest.mark.parametrize("command", [("convert",), ("detect", "-m", "leiden", "--out")])
def test_attributes_of_nodes_are_passed_on(cli, tmp_path, command):
    source = tmp_path / "g.gexf"
    source.write_text(ATTRIBUTES)
    for name in ("h.graphml", "h.gexf"):
        result = cli(command[0], source, *command[1:], tmp_path / name)
        assert "ignored" not in result.err
        assert "dropped" not in result.err
        graph = gc.read_graph(tmp_path / name)
        assert graph.meta["edge_attributes"] == {"since": [7]}
        selected = graph.meta["node_attributes"]
        assert {key: selected[key] for key in selected if key != "community"} == {
            "label": ["Ann", "Bob"],
            "age": [3, None],
            "full name": [None, "Bob B"],
        }
    assert 'label="Ann"' in (tmp_path / "h.gexf").read_text()


def test_attributes_that_have_no_place_are_named(cli, tmp_path):
    source = tmp_path / "g.gexf"
    source.write_text(ATTRIBUTES)
    assert (
        "attributes dropped: label, age, full name, since (of edges)" in cli("convert", source, tmp_path / "h.csv").err
    )
    assert "attributes dropped: label, full name" in cli("convert", source, tmp_path / "h.gml").err
    assert gc.read_graph(tmp_path / "h.gml").meta["node_attributes"] == {"age": [3, None]}
    (tmp_path / "odd.gml").write_text('graph [ node [ id 1 bell "&#7;" ] node [ id 2 ] edge [ source 1 target 2 ] ]')
    odd = cli("convert", tmp_path / "odd.gml", tmp_path / "odd.graphml")
    assert (odd.code, "attributes dropped: bell" in odd.err) == (0, True)
    for command in (("convert",), ("detect", "-m", "leiden", "--out")):
        karate = cli(command[0], "data:karate", *command[1:], tmp_path / "f.graphml")
        assert "attributes dropped: classes" in karate.err


def test_results_of_results_have_their_own_communities(cli, tmp_path):
    first, second = tmp_path / "r.graphml", tmp_path / "s.graphml"
    assert cli("detect", "data:karate", "--out", first).code == 0
    assert set(gc.read_graph(first).meta["node_attributes"]) == {"community", "confidence"}
    assert cli("detect", first, "-m", "leiden", "--param", "resolution=4", "--out", second).code == 0
    selected = gc.read_graph(second).meta["node_attributes"]
    assert set(selected) == {"community"}
    assert len(set(selected["community"])) > 4


def test_generate_is_fixed_by_its_seed(cli, tmp_path):
    args = ("generate", "planted-partition", "--nodes", 100, "--p-in", 0.3, "--p-out", 0.01)
    first, second, other = (cli(*args, "--seed", seed).out for seed in (1, 1, 2))
    assert first == second != other
    labels = tmp_path / "y.tsv"
    cli(*args, "--out", tmp_path / "g.graphml", "--labels", labels)
    assert gc.read_graph(tmp_path / "g.graphml").num_nodes == 100
    assert len(labels.read_text().splitlines()) == 101


@pytest.mark.parametrize(
    "options",
    [
        ("sbm", "--sizes", "20,30", "--probabilities", "0.5,0.1;0.1,0.4"),
        ("general-sbm", "--nodes", "30:40", "--within", "6,3", "--max-clusters", "none"),
        ("general-sbm", "--nodes", "30"),
        ("log-degree-sbm", "--nodes", "100:120", "--clusters", "2:3", "--a", "5:9.5"),
        ("nested-sbm", "--nodes", "100:120", "--groups", "2:3", "--p-in", "0.5"),
        ("cluster", "--sizes", "3:9"),
        ("dc-sbm", "--sizes", "20,30", "--rates", "0.5,0.1;0.1,0.4", "--exponent", "3"),
        ("lfr", "--nodes", "300", "--mu", "0.2", "--average-degree", "8", "--max-degree", "30"),
        ("mixed", "--nodes", "60:80"),
        ("gaussian-mixture", "--n", "50", "--dimension", "3"),
        ("spikes", "--n", "30:40", "--noise-std", "0.2"),
    ],
)
def test_generate_every_family_one_and_many(cli, tmp_path, options):
    from graphclust.generators import FAMILIES

    first = cli("generate", *options, "--out", tmp_path / "one", "--labels", tmp_path / "y")
    assert (first.code, first.out) == (0, "")
    rows = (tmp_path / "y").read_text().splitlines()[1:]
    assert options[0] in FAMILIES
    assert len(rows) >= 20
    many = cli("generate", *options, "--count", 3, "--out", tmp_path / "many")
    assert many.code == 0
    files = sorted(path.name for path in (tmp_path / "many").iterdir())
    assert len(files) == 6
    contents = {path.read_bytes() for path in (tmp_path / "many").glob("labels-*")}
    assert len(contents) == 3
    if not FAMILIES[options[0]].points:
        assert gc.read_graph(tmp_path / "one").num_edges > 0


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("planted-partition", "-n", "10.5"), "--nodes takes an integer or a range 50:300, not '10.5'"),
        (("planted-partition", "-n", "inf"), "--nodes takes"),
        (("planted-partition", "-n", "nan"), "--nodes takes"),
        (("planted-partition", "-n", "none"), "--nodes takes"),
        (("planted-partition", "-n", "50:60:70"), "--nodes takes"),
        (("planted-partition", "-n", "99999999999999999999"), "n_nodes=99999999999999999999"),
        (("general-sbm", "--within", "0.5"), "--within takes a range 50:300, not '0.5'"),
        (("general-sbm", "--max-clusters", "2.5"), "--max-clusters takes an integer or none"),
        (("cluster", "--p-in", "0.3:0.5"), "--p-in takes a number, not '0.3:0.5'"),
        (("lfr", "-n", "100", "--mu", "none"), "--mu takes a number, not 'none'"),
        (("lfr", "-n", "100", "--average-degree", "inf"), "average_degree=inf"),
        (("gaussian-mixture", "--n", "50", "--dimension", "1.5"), "--dimension takes an integer"),
        (("gaussian-mixture", "--n", "50", "--out", "points.graphml"), "points are written as csv or tsv"),
        (("gaussian-mixture", "--n", "50", "--out", "points.parquet"), "points are written as csv or tsv"),
        (("gaussian-mixture", "--n", "50", "--output-format", "nonsense"), "points are written as csv or tsv"),
        (("gaussian-mixture", "--n", "50", "--count", "2", "--out", "p", "--output-format", "npz"), "csv or tsv"),
    ],
)
@pytest.mark.parametrize("count", [(), ("--count", "2", "--out", "folder")])
def test_generate_refuses_values_of_another_shape(cli, tmp_path, monkeypatch, options, says, count):
    monkeypatch.chdir(tmp_path)
    if count and "--out" in options:
        count = ()
    result = cli("generate", *options, *count)
    assert (result.code, result.out) == (2, "")
    assert says in result.err
    assert not any(path.is_file() for path in tmp_path.rglob("*"))


def test_generate_takes_whole_numbers_however_they_are_written(cli, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for nodes in ("1e2", "100.0", "1e2:1e2"):
        assert cli("generate", "planted-partition", "-n", nodes, "--out", "g.graphml").code == 0
        assert gc.read_graph("g.graphml").num_nodes == 100
    for name, delimiter in (("p.csv", ","), ("p.tsv", "\t"), ("p.tsv.gz", "\t"), ("p", ",")):
        assert cli("generate", "gaussian-mixture", "--n", "1e1", "--out", name).code == 0
        data = (tmp_path / name).read_bytes()
        lines = (gzip.decompress(data) if name.endswith(".gz") else data).decode().splitlines()
        assert lines[0] == f"x0{delimiter}x1"
        assert len(lines) == 11
    many = cli("generate", "gaussian-mixture", "--n", "10", "--count", "2", "--out", "many", "--output-format", "tsv")
    assert many.code == 0
    assert (tmp_path / "many" / "graph-000000.tsv").read_text().startswith("x0\tx1\n")


def test_generated_spikes_are_a_table_of_their_samples(cli, tmp_path):
    assert cli("generate", "spikes", "--n", "5", "--seed", 3, "--out", tmp_path / "spikes.csv").code == 0
    header, *rows = (tmp_path / "spikes.csv").read_text().splitlines()
    assert header == ",".join(f"x{i}" for i in range(7 * 32))
    drawn = gc.generators.spikes(5, random_state=3).x
    assert [[float(value) for value in row.split(",")] for row in rows] == drawn.tolist()


def test_lists(cli):
    names = [line.split()[0] for line in cli("methods").out.splitlines()[1:]]
    assert names == list(gc.METHODS)
    assert {row["method"] for row in json.loads(cli("methods", "--format", "json").out)} == set(names)
    assert "karate" in cli("data", "list").out
    assert {"karate", "com-dblp"} <= {row["name"] for row in json.loads(cli("data", "list", "--format", "json").out)}
    assert cli("--version").out == f"graphclust {gc.__version__}\n"


# ---------------------------------------------------------------- errors


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (("detect", "GRAPH", "--method", "liden"), "did you mean leiden"),
        (("detect", "GRAPH", "--method", "zzz"), "label-propagation"),
        (("detect", "GRAPH", "-k", "0"), "-k"),
        (("detect", "GRAPH", "-k", "7"), "7 communities of 6 nodes"),
        (("detect", "GRAPH", "--method", "spectral"), "needs the number"),
        (("detect", "GRAPH", "--method", "infomap", "-k", "2"), "infomap"),
        (("detect", "GRAPH", "--param", "resolution"), "NAME=VALUE"),
        (("detect", "GRAPH", "--param", "nonsense=1"), "no parameter 'nonsense'"),
        (("detect", "GRAPH", "--param", "resolution=-1"), "resolution"),
        (("detect", "GRAPH", "--format", "xls"), "xls"),
        (("detect", "GRAPH", "--input-format", "xls"), "xls"),
        (("detect", "GRAPH", "--seed", "-1"), "--seed"),
        (("detect", "GRAPH", "--device", "abacus"), "abacus"),
        (("detect", "GRAPH", "--no-such-option"), "no-such-option"),
        (("detect", "data:nosuch"), "nosuch"),
        (("detect",), "GRAPH"),
        (("detect", "GRAPH", "--param", "n_clusters=2"), "-k"),
        (("detect", "GRAPH", "--method", "spectral", "-k", "2", "--param", "n_init=0"), "n_init"),
        (("detect", "GRAPH", "--out", "GRAPH"), "the input"),
        (("detect", "GRAPH", "--out", "x.tsv", "--report", "x.tsv"), "--out"),
        (("detect", "GRAPH", "--report", "-"), "--report"),
        (("detect", "GRAPH", "--out", "x.gml"), "gml"),
        (("detect", "GRAPH", "--out", "x.xlsx"), "xlsx"),
        (("compare", "GRAPH", "--methods", ","), "names no method"),
        (("compare", "GRAPH", "--methods", "leiden,louvain", "--param", "trials=3"), "has a parameter 'trials'"),
        (("compare", "GRAPH", "--methods", "leiden", "--samples", "3"), "n_samples"),
        (("compare", "GRAPH", "--methods", "leiden", "--param", "resolution=-1"), "resolution"),
        (("compare", "GRAPH", "--format", "tsv"), "unknown format 'tsv'"),
        (("generate", "cluster", "--out", "g.foo"), "--output-format"),
        (("nosuch",), "nosuch"),
        (("compare", "GRAPH", "--methods", "leiden,nosuch"), "nosuch"),
        (("evaluate", "GRAPH"), "--truth"),
        (("convert", "GRAPH", "out.xyz"), "--output-format"),
        (("generate", "planted-partition", "--p-in", "2"), "p_in"),
        (("generate", "planted-partition", "--p-in", "much"), "--p-in takes a number"),
        (("generate", "nosuch"), "nosuch"),
        (("generate", "sbm"), "--sizes"),
        (("generate", "cluster", "--count", "2"), "--out"),
        (("data", "path", "nosuch"), "karate"),
        (("data", "path", "--labels", "les-miserables"), "no known communities"),
    ],
)
def test_wrong_usage_is_two_and_prints_nothing(cli, graph, args, says):
    result = cli(*(graph if arg == "GRAPH" else arg for arg in args))
    assert (result.code, result.out) == (2, "")
    assert result.err.startswith("graphclust: ")
    assert says in result.err


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (("detect", "G", "--known", "L", "--out", "L"), "--out would overwrite --known"),
        (("detect", "G", "-m", "lnscc", "--features", "L", "--report", "L"), "--report would overwrite --features"),
        (("compare", "G", "--methods", "leiden", "--out", "G"), "--out would overwrite the input"),
        (("compare", "G", "--methods", "leiden", "--truth", "L", "--out", "L"), "--out would overwrite --truth"),
        (("evaluate", "L", "--truth", "T", "--out", "T"), "--out would overwrite --truth"),
        (("evaluate", "L", "--truth", "T", "--out", "L"), "--out would overwrite the input"),
        (("evaluate", "L", "--graph", "G", "--out", "G"), "--out would overwrite the input"),
        (("convert", "G", "G"), "OUT would overwrite the input"),
        (("generate", "cluster", "--out", "N", "--labels", "N"), "--labels would overwrite --out"),
        (("generate", "cluster", "--out", "N", "--labels", "-"), "--labels needs a file"),
        (("reproduce", "acp-fig4", "--out", "N", "--journal", "N"), "--journal would overwrite --out"),
        (("generate", "cluster", "--out", "-", "--count", "2"), "use --out FOLDER"),
    ],
)
def test_inputs_are_not_written_over(cli, tmp_path, monkeypatch, args, says):
    monkeypatch.chdir(tmp_path)
    names = {"G": "g.edgelist", "L": "l.tsv", "T": "t.tsv", "N": "n.edgelist"}
    for name in ("g.edgelist", "l.tsv", "t.tsv"):
        (tmp_path / name).write_text("a b\nb c\nc d\nd e\n")
    before = {path.name: path.read_text() for path in tmp_path.iterdir()}
    result = cli(*(names.get(arg, arg) for arg in args))
    assert (result.code, result.out) == (2, "")
    assert says in result.err
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == before


@pytest.mark.parametrize("command", [("compare", "--methods", "leiden"), ("evaluate", "--graph", "data:karate")])
@pytest.mark.parametrize("place", ["no/x.csv", "."])
def test_places_that_cannot_be_written_to_are_refused_before_the_work(cli, tmp_path, monkeypatch, command, place):
    monkeypatch.chdir(tmp_path)
    result = cli(command[0], "missing.tsv", *command[1:], "--out", place)
    assert result.code == 1
    assert "missing.tsv" not in result.err


def test_bad_data_is_one_and_leaves_no_file(cli, tmp_path):
    bad, out = tmp_path / "bad.edgelist", tmp_path / "out.tsv"
    bad.write_text("a b\nc\n")
    result = cli("detect", bad, "--out", out, "--manifest", tmp_path / "m.json", "--report", tmp_path / "r.html")
    assert (result.code, result.out) == (1, "")
    assert result.err == f"graphclust: {bad}:2: expected 2 or 3 columns, found 1\n"
    assert [path.name for path in tmp_path.iterdir()] == ["bad.edgelist"]
    for place in (tmp_path / "no" / "folder.tsv", tmp_path):
        assert cli("detect", "data:karate", "--out", place).code == 1
    result = cli("detect", "data:karate", "--manifest", tmp_path / "no" / "m.json")
    assert (result.code, result.out) == (1, "")


def test_a_format_that_cannot_hold_an_id_leaves_the_old_file(cli, graph, tmp_path):
    out = tmp_path / "out.cmty"
    out.write_text("before")
    result = cli("detect", graph, "--out", out)
    assert result.code == 1
    assert "cmty" in result.err
    assert out.read_text() == "before"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["graph.csv", "out.cmty"]


def test_too_little_memory_is_one_with_the_estimate(cli, monkeypatch):
    monkeypatch.setenv("GRAPHCLUST_MEMORY", "0.000005")
    result = cli("detect", "data:karate")
    assert result.code == 1
    assert "needs about" in result.err
    monkeypatch.setenv("GRAPHCLUST_MEMORY", "much")
    assert cli("detect", "data:karate").code == 2


# ---------------------------------------------------------------- as a process


@pytest.mark.parametrize(
    ("command", "code", "says"),
    [
        ("detect data:karate -m leiden > /dev/full", 1, "No space left"),
        ("--help > /dev/full", 1, "No space left"),
        ("detect - <&-", 1, "standard input is closed"),
        ("detect data:karate -m leiden >&-", 1, "standard output is closed"),
        ("detect data:karate -m leiden 2>&-", 0, ""),
    ],
)
def test_streams_that_are_full_or_closed(command, code, says):
    done = subprocess.run(
        ["bash", "-c", f"{sys.executable} -m graphclust {command}"], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == code
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr
    assert says in done.stderr
    assert len(done.stdout.splitlines()) in ((35,) if code == 0 else (0,))


@pytest.mark.parametrize("place", ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"])
@pytest.mark.parametrize("command", ["detect data:karate -m leiden", "generate cluster"])
def test_an_open_descriptor_is_written_to_and_not_replaced(cli, tmp_path, place, command):
    """As in a shell: `{ graphclust ... --out /dev/stdout; echo after; } >> out`."""
    out = tmp_path / "out"
    out.write_text("before\n")
    standard_output = os.dup(1)
    with open(out, "ab") as stream:
        os.dup2(stream.fileno(), 1)
    try:
        assert cli(*command.split(), "-q", "--out", place).code == 0
        os.write(1, b"after\n")
    finally:
        os.dup2(standard_output, 1)
        os.close(standard_output)
    lines = out.read_text().splitlines()
    assert (lines[0], lines[-1]) == ("before", "after")
    assert len(lines) > 30


def test_nothing_of_the_progress_stands_before_the_results(tmp_path):
    script = shutil.which("script")
    if script is None:
        pytest.skip("script(1) is not here")
    log = tmp_path / "log"
    command = f"{sys.executable} -m graphclust detect data:karate"
    subprocess.run([script, "-qec", command, str(log)], capture_output=True, timeout=60, check=True)
    before = log.read_bytes().split(b"node\tcommunity")[0]
    last = before.rsplit(b"\n", 1)[-1]
    visible = re.sub(rb"\x1b\[[0-9;?]*[A-Za-z]", b"", last.rsplit(b"\x1b[2K", 1)[-1]).strip()
    assert visible == b""


def unpack_zstd(data):
    with pa.CompressedInputStream(pa.BufferReader(data), "zstd") as stream:
        return stream.read()


@pytest.mark.parametrize(
    ("suffix", "unpack"),
    [(".gz", gzip.decompress), (".bz2", bz2.decompress), (".xz", lzma.decompress), (".zst", unpack_zstd)],
)
def test_results_are_compressed_if_their_name_says_so(cli, tmp_path, suffix, unpack):
    out = tmp_path / f"r.tsv{suffix}"
    assert cli("detect", "data:karate", "--out", out).code == 0
    assert unpack(out.read_bytes()).startswith(b"node\tcommunity\tconfidence\n0\t")
    assert json.loads(cli("evaluate", out, "--truth", out, "--format", "json").out)["n_scored"] == 34
    assert cli("convert", "data:karate", tmp_path / f"g.graphml{suffix}").code == 0
    assert gc.read_graph(tmp_path / f"g.graphml{suffix}").num_edges == 78


def test_out_may_be_a_page(cli, tmp_path):
    assert cli("detect", "data:karate", "--out", tmp_path / "r.html").code == 0
    assert "<html" in (tmp_path / "r.html").read_text()
    assert cli("detect", "data:karate", "-m", "leiden", "--out", tmp_path / "r.html.gz").code == 0
    assert b"<html" in gzip.decompress((tmp_path / "r.html.gz").read_bytes())
    with pytest.raises(gc.UsageError, match="the format 'html'"):
        gc.detect("data:karate", "leiden").save(tmp_path / "s.html.gz")


@pytest.mark.parametrize("name", ["o.zip", "o.tsv.zip", "o.tar.gz", "o.tsv.7z"])
@pytest.mark.parametrize("command", [("detect",), ("compare", "--methods", "leiden")])
def test_archives_are_not_written(cli, tmp_path, name, command):
    result = cli(command[0], tmp_path / "missing", *command[1:], "--out", tmp_path / name)
    assert result.code == 2
    assert "cannot write" in result.err
    with pytest.raises(gc.UsageError, match="cannot write"):
        gc.detect("data:karate", "leiden").save(tmp_path / name)


def test_a_closed_pipe_is_quiet():
    done = subprocess.run(
        f"{sys.executable} -m graphclust generate planted-partition -n 5000 --p-in 0.02 -q | head -1",
        shell=True,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stdout.startswith("#")
    assert done.stderr == ""


def test_interruption_is_130_without_traceback_or_file(cli, tmp_path):
    graph, out = tmp_path / "g.tsv", tmp_path / "out.tsv"
    size = ["-n", "20000", "--clusters", "20", "--p-in", "0.03", "--p-out", "0.0005"]
    assert cli("generate", "planted-partition", *size, "-q", "--out", graph).code == 0
    process = ForkedCommand("detect", graph, "--method", "leiden", "--out", out)
    process.wait(process.written)  # the graph is being read
    time.sleep(0.1)
    os.kill(process.pid, signal.SIGINT)
    _, err = process.communicate()
    assert err.startswith("graphclust:")
    assert process.returncode == 130
    assert "Traceback" not in err
    assert sorted(os.listdir(tmp_path)) == ["g.tsv"]  # noqa: PTH208


def test_generators_refuse_graphs_without_nodes(cli):
    result = cli("generate", "log-degree-sbm", "--nodes", "0")
    assert (result.code, "Traceback" in result.err) == (2, False)


def test_a_closed_pipe_is_quiet_by_another_name():
    command = f"{sys.executable} -m graphclust detect data:karate -q -m leiden -o /dev/stdout | head -1"
    done = subprocess.run(["bash", "-c", f"set -o pipefail; {command}"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_brackets_in_docstrings_are_shown(cli):
    assert "rates[b_i, b_j]" in " ".join(cli("generate", "dc-sbm", "--help").out.split())


def test_the_entry_point_takes_its_arguments_from_the_command_line(monkeypatch, capfd):
    monkeypatch.setattr(sys, "argv", ["graphclust", "detect", "data:karate", "-m", "leiden", "--quiet"])
    assert main() == 0
    assert len(capfd.readouterr().out.splitlines()) == 35
    monkeypatch.setattr("graphclust.cli.run", lambda argv: signal.raise_signal(signal.SIGINT))
    assert main([]) == 130


def test_help_is_there_for_every_command(cli):
    top = cli("--help").out
    for name in ("detect", "evaluate", "compare", "convert", "generate", "methods", "data"):
        assert name in top
        assert cli(name, "--help").code == 0
    assert "--delimiter" in cli("detect", "--help").out


@pytest.mark.parametrize("args", [["--help"], ["detect", "data:karate", "-q"]])
def test_no_torch_pandas_or_matplotlib_for_the_main_job(args):
    code = (
        "import sys\nfrom graphclust.__main__ import main\n"
        f"sys.argv[1:] = {args!r}\ncode = main()\n"
        "print({'torch', 'torch_geometric', 'pandas', 'matplotlib', 'sklearn'} & set(sys.modules), file=sys.stderr)\n"
        "sys.exit(code)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "set()"
