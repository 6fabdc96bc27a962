"""Node features from files, with and without ids, and through `graphclust detect --features`."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

import graphclust as gc
from graphclust.cli import run
from graphclust.io.features import read_features

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
        ("a,1\nb,2\n", ["a", "b", "c"], "no features for the node 'c'"), ("a,1\na,2\nb,3\n", ["a", "b"], "two lines"),
        ("a,1\nb,x\n", ["a", "b"], "no number"), ("1\n2\n", ["a", "b"], "do not tell their nodes"),
        ("1,2\n3,4\n", [0, 1, 2], "2 rows of features for 3 nodes"), ("a,1\nb,inf\n", ["a", "b"], "column 1 of row 2"),
        ("a,1\nb,1,2,3\n", ["a", "b"], "no table"), ("", ["a"], "no table"),
    ],
)  # fmt: skip
def test_files_that_do_not_do(tmp_path, text, nodes, message):
    path = tmp_path / "x.csv"
    path.write_text(text)
    with pytest.raises(gc.DataError, match=message):
        read_features(path, nodes)


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
    assert b"leiden does not take --features; clam, cnc, lnscc do" in capsysbinary.readouterr().err
    assert run([*command, "--features", str(tmp_path / "none.csv")]) == 1
