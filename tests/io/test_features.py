"""Node features from files, with and without ids, and through `graphclust detect --features`."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

import graphclust as gc
from graphclust.cli import run
from graphclust.errors import DataError
from graphclust.io.features import read_features
from tests.noted import noted

VALUES = np.array([[1.0, 2.5], [-3.0, 0.0], [7.0, 1e3]])


@pytest.mark.parametrize(
    "text",
    ["b,-3,0\na,1,2.5\nc,7,1e3\n", "node;x;y\nc;7;1e3\na;1;2.5\nb;-3;0\n", "a 1 2.5\nb -3 0\nc 7 1000\nd 1 1\n",
     "a\t1\t2.5\nb\t-3\t0\nc\t7\t1e3"],
)  # fmt: skip
def test_lines_with_ids(tmp_path, text):
    path = tmp_path / "x.txt"
    path.write_text(text)
    np.testing.assert_array_equal(read_features(path, ["a", "b", "c"]), VALUES)


@pytest.mark.parametrize(
    ("text", "nodes", "by_id", "n_left_out"),
    [
        ("id,x,y\na,1,2\nb,3,4\nc,5,6\nd,7,8\n", "ab", True, 2),
        ("a 1\nb 3\nc 5\n", "ab", True, 1),
        ("0,3\n1,4\n", "01", True, 0),
        ("5,3\n6,4\n", "01", False, 0),
    ],
)
def test_how_a_table_is_read_is_noted(tmp_path, caplog, text, nodes, by_id, n_left_out):
    (tmp_path / "x.txt").write_text(text)
    with caplog.at_level("INFO", logger="graphclust"):
        read_features(tmp_path / "x.txt", list(nodes))
    (record,) = caplog.records
    assert noted(record.notes, "features") == {"by_id": by_id}
    left_out = [note.data["n_rows"] for note in record.notes if note.code == "rows-without-node"]
    assert left_out == [n_left_out] * bool(n_left_out)


def test_rows_in_the_order_of_numbered_nodes(tmp_path):
    np.savetxt(tmp_path / "x.csv", VALUES, delimiter=",", header="x0,x1", comments="")
    np.save(tmp_path / "x.npy", VALUES)
    np.savez(tmp_path / "x.npz", VALUES)
    sp.save_npz(tmp_path / "sparse.npz", sp.csr_array(VALUES))
    for name in ("x.csv", "x.npy", "x.npz", "sparse.npz"):
        np.testing.assert_array_equal(read_features(tmp_path / name, [2, 0, 1]), VALUES[[2, 0, 1]])
        np.testing.assert_array_equal(read_features(tmp_path / name, ["1", "2", "3"]), VALUES)


@pytest.mark.parametrize(
    ("text", "nodes", "message"),
    [
        ("a,1\nb,2\n", "abc", ": no features for the node 'c'"), ("a,1\n\na,2\nb,3\n", "ab", ":3: two lines"),
        ("a,1\nb,red\n", "ab", ":2: the feature in column 2 is not a number: 'red'"),
        ("1\n2\n", "ab", ": it is unclear which row belongs to which node"),
        ("1,2\n3,4\n", "012", ": 2 rows of features for 3 nodes"),
        ("x,y\n.1,2\n.3,4\n", "012", ": 2 rows of features (below a header) for 3 nodes"),
        ("a,1\nb,inf\n", "ab", ":2: the feature in column 2 is missing or infinite: 'inf'"),
        ("node,age\n\n'b,2\na,1\nb,NaN\n", "ab", ":5: the feature in column 2 (age) is missing or infinite: 'NaN'"),
        ('node,x\n"c\nd",1\na,1\nb,\n', "ab", ":5: the feature in column 2 (x) is missing"),
        ("node x y\n a 1 2\n\n b 1 two\n", "ab", ":4: the feature in column 3 (y) is not a number: 'two'"),
        ("a;1,5\nb;2,5\n", "ab", ":1: the feature in column 2 is not a number: '1,5'"),
        ("a,1,red\nb,2,3\n", "ab", ":1: the feature in column 3 is not a number: 'red'"),
        ("a,1,2\nb,1\n", "ab", ":2: the feature in column 3 is missing"),
        ("a,1\n\nb,1,2,3\n", "ab", ":3: not a table of features: expected 2 columns as in the first line, found 4"),
        ('a,1\n"b,1\n', "ab", ":2: a quotation mark is not closed"), ("", "a", ": the file is empty"),
        ("a,1\nb,2\n", "12", ": the first column holds no id of a node: there is no node 'a', for example"),
        ("0,.5\n1,.5\n3,.5\n", "012345", ": no features for 3 of 6 nodes: '2', '4', '5'"),
        ("a,.5\nb,.5\n", "abcdefg", ": no features for 5 of 7 nodes: 'c', 'd', 'e', ..."),
        ("\0", "a", ": this is a binary file"),
    ],
)  # fmt: skip
def test_files_that_do_not_do(tmp_path, text, nodes, message):
    path = tmp_path / "x.csv"
    path.write_text(text)
    with pytest.raises(gc.DataError) as caught:
        read_features(path, list(nodes))
    assert str(caught.value).startswith(f"{path}{message}")
    assert "np." not in str(caught.value)


@pytest.mark.parametrize("array", [np.array([["1", "red"]]), np.array([[1j]]), np.array([[1.0, np.nan]])])
def test_arrays_that_do_not_do(tmp_path, array):
    np.save(tmp_path / "x.npy", array)
    with pytest.raises(gc.DataError, match=r"real numbers|column 2 of row 1 is missing"):
        read_features(tmp_path / "x.npy", [0])


def test_a_header_may_be_called_as_a_node_and_text_may_have_any_encoding(tmp_path, caplog):
    path = tmp_path / "x.csv"
    path.write_text("node,x\nb,1\nnode,2\n")
    assert read_features(path, ["node", "b"]).tolist() == [[2], [1]]
    for encoding in ("utf-8-sig", "utf-16", "latin-1"):
        path.write_bytes("é;1\nb;2\n".encode(encoding))
        with caplog.at_level("INFO", logger="graphclust"):
            assert read_features(path, ["é", "b"]).tolist() == [[1], [2]]
    assert "read as Latin-1" in caplog.text


def test_command(tmp_path, capsysbinary, rng):
    edges, features = tmp_path / "g.edgelist", tmp_path / "x.csv"
    edges.write_text("".join(f"n{i} n{(i + 1) % 30}\n" for i in range(30)))
    values = rng.normal(size=(30, 4)) + 20 * (np.arange(30) % 3)[:, None]
    features.write_text("".join(f"n{i},{','.join(map(str, row))}\n" for i, row in enumerate(values.tolist())))
    command = ["detect", str(edges), "--method", "clam", "-k", "3", "--param", "max_epochs=20"]
    assert run([*command, "--features", str(features)]) == 0
    rows = dict(line.split("\t") for line in capsysbinary.readouterr().out.decode().splitlines()[1:])
    assert len({(int(node[1:]) % 3, label) for node, label in rows.items()}) == 3
    assert run(["detect", str(edges), "--method", "leiden", "--features", str(features)]) == 2
    error = capsysbinary.readouterr().err
    assert b"leiden does not take --features; acp, acp-s, ccp, ncp, clam, cnc, lnscc do" in error
    assert run([*command, "--features", str(tmp_path / "none.csv")]) == 1
    features.write_text(features.read_text().replace("n7,", "n7,red,", 1).replace("n8,", "n8,,", 1))
    capsysbinary.readouterr()
    assert run([*command, "--features", str(features)]) == 1
    assert f"{features}:8: not a table of features: expected 5 columns".encode() in capsysbinary.readouterr().err


def test_a_damaged_archive_of_features(tmp_path):
    path = tmp_path / "x.npz"
    np.savez(path, np.eye(3))
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(DataError, match=r"x\.npz"):
        read_features(path, ["a", "b", "c"])
