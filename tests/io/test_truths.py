"""Ground truths in the files of Gephi, R, Infomap, METIS, CDlib, Pajek and the LFR programs."""

from __future__ import annotations

import json

import pytest

import graphclust as gc
from graphclust.errors import DataError
from graphclust.io.partition import read_partition

NODES = ["1", "2", "3", "4", "5", "6"]
TRUTH = {"1": "1", "2": "1", "3": "1", "4": "2", "5": "2", "6": "2"}
COVER = [{"1", "2", "3"}, {"2", "4", "5", "6"}]
TREE = "# path flow name node_id\n" + "".join(
    f'{path} 0.1 "{node}" {node}\n'
    for node, path in zip(NODES, ("1:1", "1:2", "1:3", "2:1", "2:2", "2:3"), strict=True)
)


def grouped(partition):
    """The communities, whatever their labels."""
    if isinstance(partition, dict):
        groups = {}
        for node, label in partition.items():
            groups.setdefault(label, set()).add(node)
        partition = groups.values()
    return sorted(map(sorted, partition))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("nodes.csv", "Id,Label,timeset,modularity_class\n" + "".join(f"{n},N{n},,{c}\n" for n, c in TRUTH.items())),
        ("nodes.tsv", "Id\tLabel\tModularity Class\n" + "".join(f"{n}\tN{n}\t{c}\n" for n, c in TRUTH.items())),
        ("r.csv", '"","x"\n' + "".join(f'"{n}",{c}\n' for n, c in TRUTH.items())),
        (
            "r.csv",
            '"","names","membership"\n' + "".join(f'"{i}","{n}",{c}\n' for i, (n, c) in enumerate(TRUTH.items(), 1)),
        ),
        ("run.clu", "# v2.8.0\n# node_id module flow\n" + "".join(f"{n} {c} 0.1\n" for n, c in TRUTH.items())),
        ("run.tree", TREE),
        ("run.ftree", TREE + "*Links undirected\n#*Links path\n*Links root 0 0\n1 2 0.1\n"),
        ("g.part.2", "".join(f"{int(c) - 1}\n" for c in TRUTH.values())),
        ("labels.txt", "".join(f"{c}\n" for c in TRUTH.values())),
        ("pajek.clu", "*Vertices 6\n" + "".join(f"{c}\n" for c in TRUTH.values())),
        (
            "cdlib.json",
            json.dumps({"communities": [["1", "2", "3"], ["4", "5", "6"]], "algorithm": "x", "overlap": False}),
        ),
        ("cdlib.csv", "1,2,3\n4,5,6\n"),
        ("lists.txt", "1 2 3\n4 5 6\n"),
        ("lists.json", json.dumps({"x": ["1", "2", "3"], "y": ["4", "5", "6"]})),
        ("community.dat", "".join(f"{n}\t{c} \n" for n, c in TRUTH.items())),
    ],
)
def test_the_same_truth(name, text, tmp_path):
    (tmp_path / name).write_text(text)
    assert grouped(read_partition(tmp_path / name, None, NODES)) == [["1", "2", "3"], ["4", "5", "6"]]


@pytest.mark.parametrize(
    "text",
    [
        "1\t1 \n2\t1 2 \n3\t1 \n4\t2 \n5\t2 \n6\t2 \n",
        "1 1\n2 1 2\n3 1\n4 2\n5 2\n6 2\n",
        "node,community\n1,1\n2,1;2\n3,1\n4,2\n5,2\n6,2\n",
        "node\tcommunity\n1\tred\n2\tred|blue\n3\tred\n4\tblue\n5\tblue\n6\tblue\n",
    ],
)
def test_nodes_with_several_labels_make_a_cover(text, tmp_path):
    (tmp_path / "t.dat").write_text(text)
    assert grouped(read_partition(tmp_path / "t.dat", None, NODES)) == grouped(COVER)


def test_labels_of_several_words_are_one(tmp_path):
    (tmp_path / "t.tsv").write_text("node\tcommunity\na\tNew York\nb\tNew York\nc\tBoston\n")
    assert grouped(read_partition(tmp_path / "t.tsv")) == [["a", "b"], ["c"]]


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("t.tree", TREE + '3:1 0.1 "1" 1\n', "t.tree:8: node '1' is in several modules"),
        ("t.tree", "# path flow name node_id\n1 2\n", "t.tree:2: expected path"),
        ("t.part.2", "0\n1\n", "2 labels, one on each line, for a graph of 6 nodes"),
        ("t.clu", "*Vertices 2\n1\n1\n", "2 classes for a graph of 6 nodes"),
    ],
)
def test_what_is_no_truth_for_the_graph(name, text, reason, tmp_path):
    (tmp_path / name).write_text(text)
    with pytest.raises(DataError, match=reason):
        read_partition(tmp_path / name, None, NODES)


def test_labels_in_order_need_the_graph(tmp_path):
    (tmp_path / "t.part.2").write_text("0\n0\n1\n")
    with pytest.raises(DataError, match="--graph"):
        read_partition(tmp_path / "t.part.2")


def test_labels_that_are_all_different_are_noted(tmp_path, caplog):
    (tmp_path / "t.csv").write_text("Id,Label\n1,ann\n2,bob\n3,cy\n4,dan\n")
    with caplog.at_level("INFO", logger="graphclust"):
        read_partition(tmp_path / "t.csv")
    assert "distinct-labels" in [note.code for note in caplog.records[0].notes]


def test_a_tree_names_its_nodes_as_the_graph_does(tmp_path):
    (tmp_path / "t.tree").write_text(TREE.replace('"1"', '"ann"').replace('"2"', '"bob"'))
    assert set(read_partition(tmp_path / "t.tree", None, ["ann", "bob"])) >= {"ann", "bob"}
    assert set(read_partition(tmp_path / "t.tree")) == set(NODES)


def test_gephis_classes_are_read_from_gexf(tmp_path):
    result = gc.detect("data:karate", "leiden")
    result.save(tmp_path / "g.gexf")
    text = (tmp_path / "g.gexf").read_text().replace('title="community"', 'title="Modularity Class"')
    (tmp_path / "g.gexf").write_text(text)
    assert read_partition(tmp_path / "g.gexf") == {str(node): label for node, label in result.membership.items()}
