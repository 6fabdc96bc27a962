"""A tiny data set in OGB's raw layout, and the ogb package's own reader as the judge."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import zipfile

import numpy as np
import pytest

import graphclust as gc
from graphclust import datasets
from graphclust.datasets import ogb
from graphclust.datasets.entries import entry_of

EDGES = "0,1\n2,1\n1,0\n3,2\n"


def content(split):
    return {
        "raw/edge.csv.gz": EDGES,
        "raw/num-node-list.csv.gz": "4\n",
        "raw/num-edge-list.csv.gz": "4\n",
        "raw/node-feat.csv.gz": "0.5,-1.25\n1,2\n-0.015625,3.0\n4e-3,0\n",
        "raw/node-label.csv.gz": "1\n0\n\n2\n",
        "raw/node_year.csv.gz": "2013\n2014\n2015\n2013\n",
        f"split/{split}/train.csv.gz": "0\n1\n",
        f"split/{split}/valid.csv.gz": "2\n",
        f"split/{split}/test.csv.gz": "3\n",
        "mapping/labelidx2arxivcategeory.csv.gz": 'label idx,category\n0,arxiv cs na\n2,"cs, dl"\n1,arxiv cs mm\n',
        "RELEASE_v1.txt": "",
    }


@pytest.fixture
def arxiv(folder):
    for name, text in content("time").items():
        folder.put(f"ogb/ogbn_arxiv/{name}", text.replace("\n\n", '\n""\n'))
    return folder


def test_arxiv_is_directed(arxiv, monkeypatch, capfd):
    monkeypatch.setattr("builtins.input", lambda *_: pytest.fail("a question on standard input"))
    graph = datasets.load("ogbn-arxiv")
    assert (graph.directed, graph.num_nodes) == (True, 4)
    assert list(graph.edges()) == [(0, 1), (1, 0), (2, 1), (3, 2)]
    assert graph.x.dtype == np.float32
    assert graph.x.tolist() == np.float32([[0.5, -1.25], [1, 2], [-0.015625, 3], [4e-3, 0]]).tolist()
    assert graph.y.tolist() == [1, 0, -1, 2]
    assert graph.meta["classes"] == ["arxiv cs na", "arxiv cs mm", "cs, dl"]
    assert {part: nodes.tolist() for part, nodes in graph.meta["split"].items()} == {
        "train": [0, 1],
        "valid": [2],
        "test": [3],
    }
    assert graph.meta["node_year"].tolist() == [2013, 2014, 2015, 2013]
    assert capfd.readouterr() == ("", "")
    assert datasets.load("ogbn-arxiv", directed=False).weight.tolist() == [2, 1, 1]


def test_products_is_undirected_and_classes_may_have_no_names(folder):
    for name, text in content("sales_ranking").items():
        if "mapping" not in name and "year" not in name:
            folder.put(f"ogb/ogbn_products/{name}", text.replace("\n\n", "\n1\n"))
    graph = datasets.load("ogbn-products")
    assert (graph.directed, list(graph.edges())) == (False, [(0, 1, 2.0), (1, 2, 1.0), (2, 3, 1.0)])
    assert len(graph.meta["classes"]) == 47


def test_archive_is_unpacked_to_its_place(folder, server, monkeypatch):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as packed:
        for name, text in content("time").items():
            packed.write(folder.put(f"x/{name}", text.replace("\n\n", '\n""\n')), f"arxiv/{name}")
        packed.writestr("arxiv/../../../evil.txt", "out of the folder")
        packed.writestr("arxiv/processed/data_processed", "a pickle")
    server.files |= {"/arxiv.zip": stream.getvalue(), "/cut.zip": stream.getvalue()[:500]}
    facts = ogb._facts("ogbn-arxiv")
    for url, works in (("/cut.zip", False), ("/arxiv.zip", True)):
        monkeypatch.setattr(ogb, "_facts", lambda name, url=url: facts | {"url": server.url(url)})
        entry_of("ogbn-arxiv").__dict__.pop("_published", None)
        if works:
            assert datasets.load("ogbn-arxiv").num_edges == 4
        else:
            with pytest.raises(gc.DataError, match=r"not a zip archive.*raw/edge.csv.gz, .*node_year.*\(from http"):
                datasets.load("ogbn-arxiv")
    entry_of("ogbn-arxiv").__dict__.pop("_published")
    assert {name for name in folder.cached() if name != "checksums.json"} == {
        f"ogb/ogbn_arxiv/{name}" for name in content("time")
    }
    assert not list(folder.cache.parent.parent.rglob("evil.txt"))


@pytest.mark.parametrize(
    ("file", "text", "says"),
    [
        ("raw/edge.csv.gz", "0,1\n2\n", "edge.csv.gz: not a table"),
        ("raw/edge.csv.gz", "0,1\n2,x\n", "edge.csv.gz: not a table"),
        ("raw/edge.csv.gz", "0,9\n", "outside of the 4 nodes"),
        ("raw/edge.csv.gz", '0,1\n"",2\n', "an empty field"),
        ("raw/edge.csv.gz", "0,1,2\n", "edges have 3 ends"),
        ("raw/node-label.csv.gz", "1\n", "labels have shape"),
        ("raw/node-feat.csv.gz", "1\n", "x has 1 rows for 4 nodes"),
    ],
)
def test_wrong_files(arxiv, file, text, says):
    arxiv.put(f"ogb/ogbn_arxiv/{file}", text)
    with pytest.raises(gc.DataError, match=says):
        datasets.load("ogbn-arxiv")


def test_what_is_no_single_graph_with_classes_is_refused():
    for name in ("ogbn-mag", "ogbn-papers100M", "ogbn-proteins"):
        with pytest.raises(gc.UsageError, match="cannot be read"):
            ogb.published(name)
    with pytest.raises(gc.UsageError, match="has no data set"):
        ogb.published("ogbn-nosuch")


JUDGE = """
import json, sys
from ogb.io.read_graph_raw import read_csv_graph_raw
sys.stdout = sys.stderr
graph = read_csv_graph_raw(sys.argv[1], additional_node_files=["node_year"])[0]
json.dump({key: graph[key].tolist() for key in ("edge_index", "node_feat", "node_year")}, sys.__stdout__)
"""


@pytest.mark.slow
def test_equals_what_the_ogb_package_reads(arxiv):
    raw = arxiv.path / "ogb/ogbn_arxiv/raw"
    done = subprocess.run([sys.executable, "-c", JUDGE, raw], capture_output=True, text=True, check=True)
    theirs, ours = json.loads(done.stdout), datasets.load("ogbn-arxiv")
    assert sorted(zip(*theirs["edge_index"], strict=True)) == list(zip(ours.source, ours.target, strict=True))
    assert theirs["node_feat"] == ours.x.tolist()
    assert [year for (year,) in theirs["node_year"]] == ours.meta["node_year"].tolist()
