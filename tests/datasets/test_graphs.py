"""Tiny files in the layouts of SNAP, GraphChallenge, Newman and SDCN."""

from __future__ import annotations

import io

import numpy as np
import pytest

import graphclust as gc
from graphclust import datasets

DBLP = "# Undirected graph: x\n# FromNodeId\tToNodeId\n10\t20\n10\t30\n20\t30\n30\t400\n400\t5\n5\t7\n"
TOP = "30\t10\t20\n400\t5\t7\n20\t30\t10\n5\t400\n"


def test_snap_network_with_overlapping_communities(folder):
    folder.put("snap/com-dblp.ungraph.txt.gz", DBLP)
    folder.put("snap/com-dblp.top5000.cmty.txt.gz", TOP)
    graph = datasets.load("com-dblp")
    assert (graph.num_nodes, graph.num_edges, graph.y) == (6, 6, None)
    named = [[graph.nodes[i] for i in group] for group in graph.meta["communities"]]
    assert named == [["10", "20", "30"], ["5", "7", "400"], ["5", "400"]]
    assert all(group.dtype == np.int64 for group in graph.meta["communities"])
    assert datasets.path("com-dblp", labels=True).name == "com-dblp.top5000.cmty.txt.gz"


def test_snap_file_by_its_path_finds_the_communities_beside(folder):
    path = folder.put("com-x.ungraph.txt.gz", DBLP)
    assert "communities" not in datasets.load(str(path)).meta
    folder.put("com-x.top5000.cmty.txt.gz", TOP)
    assert len(datasets.load(str(path)).meta["communities"]) == 3
    with pytest.raises(gc.UsageError):
        datasets.load(str(path) + ".nosuch")


def test_all_communities_of_amazon(folder):
    """The whole published network has two files of communities; each has a name."""
    folder.put("snap/com-amazon.ungraph.txt.gz", DBLP)
    folder.put("snap/com-amazon.all.dedup.cmty.txt.gz", TOP + "7\t5\n")
    with pytest.raises(gc.DataError, match=r"com-amazon.top5000.cmty.txt.gz"):
        datasets.path("com-amazon", labels=True)
    graph = datasets.load("com-amazon-all")
    named = [[graph.nodes[i] for i in group] for group in graph.meta["communities"]]
    assert named == [["10", "20", "30"], ["5", "7", "400"], ["5", "400"], ["5", "7"]]
    folder.put("snap/com-amazon.top5000.cmty.txt.gz", TOP)
    assert [len(datasets.load(name).meta["communities"]) for name in ("com-amazon", "com-amazon-all")] == [3, 4]


@pytest.mark.parametrize("kind", ["all.dedup", "all"])
def test_snap_file_by_its_path_takes_all_communities_without_the_best(folder, kind):
    path = folder.put("com-x.ungraph.txt.gz", DBLP)
    folder.put(f"com-x.{kind}.cmty.txt.gz", TOP + "7\t5\n")
    assert len(datasets.load(str(path)).meta["communities"]) == 4
    folder.put("com-x.top5000.cmty.txt.gz", TOP)
    assert len(datasets.load(str(path)).meta["communities"]) == 3


def test_a_file_does_not_hide_a_data_set(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("karate", "mine"):
        (tmp_path / name).write_text("1 2\n")
    assert datasets.load("karate").num_nodes == 34
    assert datasets.load("mine").num_nodes == 2


def test_snap_with_names_instead_of_numbers(folder):
    folder.put("snap/com-lj.ungraph.txt.gz", "anna\tbert\nbert\tcarl\n")
    folder.put("snap/com-lj.top5000.cmty.txt.gz", "# groups\n\nbert\tanna\n")
    assert [group.tolist() for group in datasets.load("com-livejournal").meta["communities"]] == [[0, 1]]


@pytest.mark.parametrize("stranger", ["99", "x", "9" * 30, "-1"])
def test_snap_names_the_line_of_an_unknown_member(folder, stranger):
    folder.put("snap/com-dblp.ungraph.txt.gz", DBLP)
    folder.put("snap/com-dblp.top5000.cmty.txt.gz", f"10\t20\n10\t{stranger}\n")
    with pytest.raises(gc.DataError, match=rf"cmty.txt.gz:2: the node '{stranger}' is not in the graph"):
        datasets.load("com-dblp")


def test_email_network_is_directed_and_departments_are_classes(folder):
    folder.put("snap/email-Eu-core.txt.gz", "0 1\n1 0\n2 2\n3 4\n")
    folder.put("snap/email-Eu-core-department-labels.txt.gz", "0 1\n1 1\n2 21\n3 9\n5 9\n")
    graph = datasets.load("email-Eu-core")
    assert (graph.directed, graph.num_nodes, graph.num_edges, graph.num_self_loops) == (True, 6, 4, 1)
    assert graph.y.tolist() == [0, 0, 2, 1, -1, 1]  # 4 has no department, 5 no mail
    assert graph.meta["classes"] == ["1", "9", "21"]
    assert graph.nodes == ["0", "1", "2", "3", "4", "5"]


def test_graphchallenge(folder):
    folder.put("graphchallenge/static_50.edges.tsv.gz", "1\t3\t1\n3\t1\t2\n2\t1\t1\n")
    folder.put("graphchallenge/static_50.partition.tsv.gz", "1\t2\n2\t1\n3\t2\n4\t1\n")
    graph = datasets.load("graphchallenge-50")
    assert list(graph.edges()) == [("1", "3", 1.0), ("2", "1", 1.0), ("3", "1", 2.0)]
    assert (graph.nodes, graph.y.tolist()) == (["1", "2", "3", "4"], [1, 0, 1, 0])


def test_classic_with_named_classes(folder):
    folder.put("classic/polblogs.edgelist", "0\t2\n2\t0\n")
    folder.put("classic/polblogs.labels.tsv", "0\t0\tx.com\n1\t0\ty z\n2\t1\tw\n")
    graph = datasets.load("polblogs")
    assert (graph.directed, graph.num_nodes, graph.num_edges) == (True, 3, 2)
    assert [graph.meta["classes"][c] for c in graph.y] == ["liberal", "liberal", "conservative"]
    assert not datasets.load("polblogs", directed=False).directed


def archive(**arrays):
    stream = io.BytesIO()
    np.savez_compressed(stream, **arrays)
    return stream.getvalue()


def features(**changes):
    arrays = {
        "data": np.array([1, 2, 1], np.uint8),
        "indices": np.array([0, 2, 1], np.int32),
        "indptr": np.array([0, 2, 2, 3], np.int32),
        "shape": np.array([3, 4]),
        "label": np.array([1, 0, 0]),
    } | changes
    return archive(**{name: array for name, array in arrays.items() if array is not None})


@pytest.fixture
def acm(folder):
    folder.put("attributed/acm_graph.txt.gz", "0 1\n1 0\n2 2\n")
    folder.put("attributed/acm_label.txt", "2\r\n1\r\n1\r\n")
    folder.put("attributed/acm_features_csr.npz", features())
    return folder


def test_attributed(acm):
    graph = datasets.load("acm")
    assert (graph.num_nodes, list(graph.edges()), graph.directed) == (3, [(0, 1)], False)
    assert graph.x.toarray().tolist() == [[1, 0, 2, 0], [0, 0, 0, 0], [0, 1, 0, 0]]
    assert (graph.y.tolist(), graph.meta["classes"]) == ([1, 0, 0], ["1", "2"])
    assert graph.meta["sha256"]
    acm.put("attributed/reut10_graph.txt.gz", "0 1\n0 2\n1 0\n")
    acm.put("attributed/reut_label.txt", "0\n1\n0\n")
    knn = datasets.load("reuters-10k")
    assert (list(knn.edges()), knn.x, knn.weight) == ([(0, 1), (0, 2)], None, None)


@pytest.mark.parametrize(
    ("file", "content", "says"),
    [
        ("acm_graph.txt.gz", "0 1\n1 3\n", "outside of the nodes 0 to 2"),
        ("acm_graph.txt.gz", "0 1\n1 x\n", "acm_graph.txt.gz: not a table"),
        ("acm_graph.txt.gz", "0 1 2\n", "expected 2 nodes per line"),
        ("acm_graph.txt.gz", "\n", "empty"),
        ("acm_label.txt", "0\n1\n1\n", "labels differ from those in"),
        ("acm_label.txt", "0\n1\n", "labels differ from those in|outside"),
        ("acm_features_csr.npz", b"PK\x03\x04", "acm_features_csr.npz: not a sparse matrix"),
        ("acm_features_csr.npz", features(indptr=None), "no array indptr"),
        ("acm_features_csr.npz", features(indptr=np.array([0, 9, 9, 9])), "not a sparse matrix"),
        ("acm_features_csr.npz", features(indices=np.array([0, 2, 9])), "not a sparse matrix"),
        ("acm_features_csr.npz", features(label=np.array([0])), "1 labels for 3 rows"),
        ("acm_features_csr.npz", features(data=np.array([print, 1, 1], object)), "not a sparse matrix.*pickle"),
    ],
)
def test_attributed_files_that_are_wrong(acm, file, content, says):
    acm.put(f"attributed/{file}", content)
    with pytest.raises(gc.DataError, match=says):
        datasets.load("acm")
