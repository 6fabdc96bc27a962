"""Partitions read from files of every shape."""

from __future__ import annotations

import json

import pytest

from graphclust.errors import DataError, UsageError
from graphclust.io.files import replacing
from graphclust.io.partition import read_partition

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
        ("t.clu", "*Vertices 3\n1\n", "announces"),
        ("t.graphml", "<graphml><graph/></graphml>", "community"),
    ],
)
def test_what_is_no_partition(tmp_path, name, text, says):
    (tmp_path / name).write_text(text)
    with pytest.raises(DataError, match=says):
        read_partition(tmp_path / name)


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
    link = tmp_path / "link"
    link.symlink_to(path)
    with replacing(link) as stream:
        stream.write(b"through")
    assert link.is_symlink()
    assert path.read_text() == "through"
    assert sorted(item.name for item in tmp_path.iterdir()) == ["f", "link"]
    with replacing("/dev/null") as stream:
        stream.write(b"gone")
