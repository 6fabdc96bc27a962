"""What people do every day with results: pictures, summaries, batches, and comparisons with those of last week."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import networkx as nx
import numpy as np
import pytest

import graphclust as gc
from graphclust.__main__ import main
from graphclust.report.plot import FIGURES

LEIDEN = ["-m", "leiden"]
HEADS = {"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF"}


@pytest.fixture
def friends(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    graph = nx.relabel_nodes(nx.karate_club_graph(), str)
    nx.write_edgelist(graph, "friends.edgelist", data=False)
    return graph


@pytest.mark.parametrize("kind", FIGURES)
def test_a_figure_is_drawn_and_reproducible(kind, friends):
    for name in ("a", "b"):
        assert main(["detect", "friends.edgelist", *LEIDEN, "--figure", f"{name}.{kind}", "-o", "c.tsv"]) == 0
    first, second = (Path(f"{name}.{kind}").read_bytes() for name in ("a", "b"))
    assert first.startswith(HEADS[kind])
    assert first == second


def test_a_figure_uses_given_positions(friends):
    rng = np.random.default_rng(0)
    Path("places.csv").write_text(
        "node,x,y\n" + "".join(f"{n},{x},{y}\n" for n, (x, y) in zip(friends, rng.random((34, 2)), strict=True))
    )
    assert (
        main(["detect", "friends.edgelist", *LEIDEN, "--figure", "a.png", "--positions", "places.csv", "-o", "c.tsv"])
        == 0
    )
    assert Path("a.png").stat().st_size > 1000


@pytest.mark.parametrize(
    ("options", "advice"),
    [
        (["--out", "c.png"], "--figure"),
        (["--out", "c.pdf"], "--figure"),
        (["--report", "c.pdf"], "--figure"),
        (["--report", "c.tsv"], ".html"),
        (["--figure", "c.jpg"], ".png"),
        (["--positions", "p.csv"], "--figure"),
    ],
)
def test_names_that_promise_something_else_are_refused(options, advice, friends, capsys):
    assert main(["detect", "friends.edgelist", *LEIDEN, *options]) == 2
    out, err = capsys.readouterr()
    assert not out
    assert advice in err
    assert not list(Path().glob("c.*"))


def test_the_summary_replaces_the_nodes_unless_these_go_to_a_file(friends, capsys):
    assert main(["detect", "friends.edgelist", *LEIDEN, "--summary"]) == 0
    head, *rows = capsys.readouterr().out.splitlines()
    assert head.split() == ["community", "size", "density", "conductance", "confidence", "members"]
    assert [row.split()[0] for row in rows] == ["0", "1", "2", "3"]
    assert main(["detect", "friends.edgelist", *LEIDEN, "--summary", "--format", "json"]) == 0
    summary = json.loads(capsys.readouterr().out)
    assert [row["size"] for row in summary] == [12, 11, 6, 5]
    assert main(["detect", "friends.edgelist", *LEIDEN, "--summary", "-o", "c.json"]) == 0
    assert "community" in capsys.readouterr().out
    assert json.loads(Path("c.json").read_text())["summary"] == summary


def test_detect_searches_within_a_community(friends, capsys):
    assert main(["detect", "friends.edgelist", *LEIDEN, "-o", "all.json"]) == 0
    whole = json.loads(Path("all.json").read_text())
    members = {node for node, label in zip(whole["nodes"], whole["labels"], strict=True) if label == 1}
    assert main(["detect", "friends.edgelist", *LEIDEN, "--within", "1", "--format", "json"]) == 0
    part = json.loads(capsys.readouterr().out)
    assert set(part["nodes"]) == members
    assert main(["detect", "friends.edgelist", *LEIDEN, "--within", "9"]) == 2
    assert "no community 9: they are numbered from 0 to 3" in capsys.readouterr().err


def test_many_graphs_in_one_process(friends, capsys):
    for i in range(5):
        shutil.copy("friends.edgelist", f"g{i}.txt")
    assert main(["detect", *(f"g{i}.txt" for i in range(5)), "data:karate", *LEIDEN, "--out-dir", "results"]) == 0
    err = capsys.readouterr().err
    assert sorted(path.name for path in Path("results").iterdir()) == [
        "g0.tsv",
        "g1.tsv",
        "g2.tsv",
        "g3.tsv",
        "g4.tsv",
        "karate.tsv",
    ]
    assert all(f"g{i}.txt: 34 nodes, 78 edges -> 4 communities" in err for i in range(5))
    assert main(["detect", "g0.txt", *LEIDEN, "--out-dir", "one", "--format", "json"]) == 0
    assert json.loads(Path("one/g0.json").read_text())["n_clusters"] == 4


def test_a_graph_that_fails_does_not_stop_the_others(friends, capsys):
    Path("bad.txt").write_text("a b c d e\n")
    assert main(["detect", "bad.txt", "nothing.txt", "friends.edgelist", *LEIDEN, "--out-dir", "results"]) == 1
    err = capsys.readouterr().err
    assert "bad.txt:1: expected 2 or 3 columns" in err
    assert "nothing.txt: no such file" in err
    assert "2 of 3 graphs failed" in err
    assert [path.name for path in Path("results").iterdir()] == ["friends.tsv"]


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["a.txt", "b.txt"], "2 graphs need --out-dir"),
        (["a.txt", "x/a.csv", "--out-dir", "r"], "would both be"),
        (["a.txt", "--out-dir", "r", "-o", "x.tsv"], "leave out --out"),
        (["a.txt", "--out-dir", "r", "--report", "x.html"], "leave out --report"),
        (["a.tsv", "--out-dir", "."], "would overwrite"),
    ],
)
def test_batches_that_cannot_work_are_refused(arguments, reason, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for name in ("a.txt", "b.txt", "a.tsv"):
        Path(name).write_text("a b\n")
    assert main(["detect", *arguments, *LEIDEN]) == 2
    assert reason in capsys.readouterr().err


def test_known_labels_of_nodes_that_have_left_are_skipped(friends, capsys):
    Path("known.tsv").write_text("0\tx\n33\ty\nleft\tx\n")
    assert main(["detect", "friends.edgelist", "--known", "known.tsv", "--effort", "low", "-o", "c.tsv"]) == 0
    assert "skipped the known labels of 1 node that the graph does not have, such as left" in capsys.readouterr().err
    Path("known.tsv").write_text("p\tx\nq\ty\n")
    assert main(["detect", "friends.edgelist", "--known", "known.tsv"]) == 1
    assert "no node with a known label is in the graph" in capsys.readouterr().err


def test_diff_matches_communities_and_counts_what_moved(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("old.tsv").write_text("node\tcommunity\na\t0\nb\t0\nc\t0\nd\t1\ne\t1\nz\t1\n")
    Path("new.csv").write_text("node,community\na,1\nb,1\nc,0\nd,0\ne,0\nf,0\ng,2\n")
    assert main(["diff", "old.tsv", "new.csv"]) == 0
    out, err = capsys.readouterr()
    rows = [line.split() for line in out.splitlines()]
    assert rows[0] == ["old", "new", "old_size", "new_size", "kept", "arrived", "gone", "change"]
    assert ["0", "1", "3", "2", "2", "0", "1"] in rows
    assert ["1", "0", "3", "4", "2", "2", "1"] in rows
    assert ["-", "2", "0", "1", "0", "1", "0", "born"] in rows
    assert "1 node moved, 2 joined, 1 left" in err
    assert main(["diff", "old.tsv", "new.csv", "--moved"]) == 0
    assert capsys.readouterr().out.splitlines()[1].split() == ["c", "0", "1", "0"]
    assert main(["diff", "old.tsv", "new.csv", "--format", "json", "-q"]) == 0
    assert json.loads(capsys.readouterr().out)["moved"] == [{"node": "c", "old": "0", "new": "0"}]
    Path("other.tsv").write_text("q\t0\nr\t1\n")
    assert main(["diff", "old.tsv", "other.tsv"]) == 1
    assert "no node in common" in capsys.readouterr().err


def test_links_are_those_of_the_api(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["links", "data:karate", "-n", "3", "--format", "json"]) == 0
    out, err = capsys.readouterr()
    expected = gc.detect("data:karate").links(3)
    assert json.loads(out) == expected.to_dict()
    assert "2 communities by auto" in err
    assert main(["links", "data:karate", "-n", "3", "-q"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["kind", "source", "target", "probability"]
    assert lines[1].split()[:3] == ["missing", *expected.missing[0][:2]]
    Path("pairs.txt").write_text("0 9\n16 26\n")
    gc.detect("data:karate", "leiden").save("c.tsv")
    assert main(["links", "data:karate", "--result", "c.tsv", "--pairs", "pairs.txt", "--format", "tsv", "-q"]) == 0
    rows = [line.split("\t") for line in capsys.readouterr().out.splitlines()]
    values = gc.detect("data:karate", "leiden").predict_proba([("0", "9"), ("16", "26")])
    assert [row[:2] for row in rows] == [["source", "target"], ["0", "9"], ["16", "26"]]
    assert [float(row[2]) for row in rows[1:]] == pytest.approx(values)


def test_links_that_cannot_be_found(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("pairs.txt").write_text("0 9\n0 x\n")
    gc.detect("data:karate", "leiden").save("c.tsv")
    for arguments, status, reason in (
        (["data:karate", "--pairs", "pairs.txt", "-m", "leiden"], 1, "node 'x' is not in the graph"),
        (["data:karate", "-m", "leidn"], 2, "did you mean leiden?"),
        (["data:karate", "--result", "c.tsv", "-k", "3"], 2, "leave out --method, -k and --param"),
        (["data:karate", "--format", "cmty"], 2, "cmty"),
        (["nothing.edgelist"], 1, "nothing.edgelist"),
        (["data:karate", "--pairs", "pairs.txt", "-o", "pairs.txt"], 2, "would overwrite --pairs"),
    ):
        assert main(["links", *arguments]) == status, arguments
        assert reason in capsys.readouterr().err


def test_methods_describes_one_method(capsys):
    assert main(["methods", "leiden"]) == 0
    out = capsys.readouterr().out
    assert "resolution = 1.0  (float)" in out
    assert "Larger values give more and smaller communities" in out
    assert main(["methods", "leiden", "--format", "json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert all(described["meaning"] or described["type"] for described in row["described"])
    assert main(["methods", "leidn"]) == 2
    assert "did you mean leiden?" in capsys.readouterr().err


def test_compare_repeats_with_several_seeds(friends, capsys):
    arguments = [
        "compare",
        "friends.edgelist",
        "--methods",
        "leiden,label-propagation",
        "--repeats",
        "3",
        "--format",
        "json",
    ]
    assert main(arguments) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["repeats"] for row in rows] == [3, 3]
    assert all(0 <= row["stability"] <= 1 and row["modularity_std"] >= 0 for row in rows)
    assert main(["compare", "friends.edgelist", "--repeats", "0"]) == 2


def test_a_graph_without_structure_gets_a_plain_verdict(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    nx.write_edgelist(nx.gnp_random_graph(100, 0.08, seed=1), "random.txt", data=False)
    assert main(["detect", "random.txt", "-o", "c.tsv"]) == 0
    err = capsys.readouterr().err
    assert "no community structure that outweighs chance" in err
    assert "-k 2" in err
    assert "-> 1 community (" in err


def test_a_parameter_of_another_method_names_that_method(friends, capsys):
    assert main(["detect", "friends.edgelist", "--param", "resolution=2"]) == 2
    err = capsys.readouterr().err
    assert "auto has no parameter 'resolution'" in err
    assert "leiden" in err
    assert "-k (n_clusters) gives the number" in err
    assert main(["detect", "friends.edgelist", "-m", "leiden", "--param", "hidden=2"]) == 2
    assert "leiden has no parameter 'hidden'" in capsys.readouterr().err


def test_threads_are_limited_while_a_command_runs(friends, monkeypatch):
    from graphclust.methods.leiden import Leiden
    from graphclust.runtime.threads import n_threads

    seen, solve = [], Leiden.solve
    monkeypatch.setattr(Leiden, "solve", lambda self, core: seen.append(n_threads()) or solve(self, core))
    before = n_threads()
    for command in (["detect", "friends.edgelist", *LEIDEN], ["compare", "friends.edgelist", "--methods", "leiden"]):
        for number in (1, 3):
            assert main([*command, "--threads", str(number)]) == 0
    assert seen == [1, 3, 1, 3]
    assert n_threads() == before
    assert main(["detect", "friends.edgelist", "--threads", "0"]) == 2


@pytest.fixture
def weeks(friends):
    assert main(["detect", "friends.edgelist", *LEIDEN, "--out", "monday.tsv"]) == 0
    later = friends.copy()
    later.remove_nodes_from(["5", "6", "16"])
    later.add_edges_from((f"n{i}", f"n{j}") for i in range(8) for j in range(i))
    later.add_edge("n0", "33")
    nx.write_edgelist(later, "later.edgelist", data=False)
    return friends, later


@pytest.mark.parametrize("options", [[], ["--start-graph", "friends.edgelist"]])
@pytest.mark.parametrize("method", ["auto", "leiden", "label-propagation"])
def test_a_start_keeps_the_numbers(method, options, weeks, cli):
    shown = cli("detect", "later.edgelist", "-m", method, "--start", "monday.tsv", *options, "--report", "c.html")
    assert shown.code == 0
    assert "since the start:" in shown.err
    monday = gc.Communities.load("monday.tsv").membership
    new = {shown.table[f"n{i}"] for i in range(8)}
    assert len(new) == 1
    assert new.isdisjoint(monday.values())
    if method == "leiden":
        assert shown.table["33"] == monday["33"]
    page = Path("c.html").read_text()
    assert "What has changed" in page
    assert 'class="sankey"' in page


def test_a_start_is_refused_with_a_reason(weeks, cli):
    assert "--start-graph needs --start" in cli("detect", "later.edgelist", "--start-graph", "friends.edgelist").err
    refused = cli("detect", "later.edgelist", "-m", "lnscc", "-k", "2", "--start", "monday.tsv")
    assert refused.code == 2
    assert "auto, leiden, label-propagation do" in refused.err
    assert cli("detect", "later.edgelist", "--start", "monday.tsv", "-k", "3").code == 2
    missing = cli("detect", "later.edgelist", "--start", "sunday.tsv")
    assert missing.code == 1
    assert "sunday.tsv: no such file" in missing.err
    same = cli("detect", "later.edgelist", "--start", "monday.tsv", "--out", "monday.tsv")
    assert same.code == 2
    Path("other.tsv").write_text("node\tcommunity\nx\t1\ny\t2\n")
    assert "no node in common" in cli("detect", "later.edgelist", "--start", "other.tsv").err


def test_diff_tells_what_has_happened_and_draws_it(weeks, cli):
    assert main(["detect", "later.edgelist", *LEIDEN, "--start", "monday.tsv", "--out", "friday.tsv"]) == 0
    shown = cli("diff", "monday.tsv", "friday.tsv", "--format", "tsv")
    head, *rows = (line.split("\t") for line in shown.out.splitlines())
    assert head[-1] == "change"
    assert "born" in {row[-1] for row in rows}
    assert "1 community was born" in shown.err
    drawn = cli(
        "diff", "monday.tsv", "friday.tsv", "--graph", "later.edgelist", "--report", "d.html", "--figure", "d.svg"
    )
    assert drawn.code == 0
    assert 'class="sankey"' in Path("d.html").read_text()
    assert Path("d.svg").read_bytes().startswith(HEADS["svg"])
    record = json.loads(cli("diff", "monday.tsv", "friday.tsv", "--format", "json").out)
    assert record["counts"]["joined"] == 8
    assert cli("diff", "monday.tsv", "friday.tsv", "--report", "d.html").code == 2
    assert cli("diff", "monday.tsv", "friday.tsv", "--graph", "later.edgelist").code == 2
    same = cli("diff", "monday.tsv", "monday.tsv", "--moved", "--format", "csv")
    assert same.out == "node,from,to,label\n"
