"""Tiny tables in the layouts of UCI, MATLAB, USPS, MNIST and the words of Reuters."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest
import scipy.io
from sklearn.feature_extraction.text import TfidfTransformer

import graphclust as gc
from graphclust import datasets
from tests.noted import noted


@pytest.mark.parametrize(
    ("name", "file", "text"),
    [
        ("zoo", "zoo.csv", "1,0.5,2\n3,4,10\n5,6,2\n"),
        ("ecoli", "ecoli.data", "1  0.5   cp\n3  4   im\n5  6   cp"),
        ("ctg", "ctg.txt", "1\t0.5\t2\r\n3\t4\t10\r\n5\t6\t2\t\t\t\r\n"),
        ("segment", "segment.dat", "1 0.5 2\n3 4 10\n5 6 2\n"),
    ],
)
def test_class_is_the_last_column(folder, name, file, text):
    folder.put(f"uci/{file}", text)
    graph = datasets.load(name)
    assert (graph.num_nodes, graph.num_edges, graph.nodes) == (3, 0, [0, 1, 2])
    assert graph.x.tolist() == [[1, 0.5], [3, 4], [5, 6]]
    assert graph.y.tolist() == [0, 1, 0]
    assert graph.meta["classes"] == (["cp", "im"] if name == "ecoli" else ["2", "10"])


def test_missing_values_become_means_and_that_is_said(folder, caplog):
    caplog.set_level("INFO", "graphclust")
    folder.put("uci/mp_exp.txt", "1\t0\t1\n3\t4\t0\n0\t6\t1\n")
    graph = datasets.load("mice-protein")
    assert graph.x.tolist() == [[1, 5], [3, 4], [2, 6]]
    assert graph.meta["imputed"] == 2
    assert noted(graph.meta["notes"], "imputed") == {"n_values": 2}
    assert "mice-protein: replaced 2 missing values" in caplog.text


@pytest.mark.parametrize(
    ("text", "says"),
    [("1,2,a\n1,x,b\n", "zoo.csv: could not convert"), ("1,2,a\n1,b\n", "zoo.csv: not a table"), ("", "empty")],
)
def test_tables_that_are_none(folder, text, says):
    folder.put("uci/zoo.csv", text)
    with pytest.raises(gc.DataError, match=says):
        datasets.load("zoo")


def test_matlab(folder):
    stream = io.BytesIO()
    scipy.io.savemat(stream, {"X": np.array([[1, 255], [3, 4]], np.uint8), "Y": np.array([[2], [1]], np.uint8)})
    folder.put("uci/Yale.mat", stream.getvalue())
    graph = datasets.load("yale")
    assert (graph.x.tolist(), graph.y.tolist(), graph.meta["classes"]) == ([[1, 255], [3, 4]], [1, 0], ["1", "2"])
    for content in (b"MATLAB 5.0 MAT-file, but no more", stream.getvalue()[:200], b"\x89HDF" + bytes(300)):
        folder.put("uci/Yale.mat", content)
        with pytest.raises(gc.DataError, match=r"Yale.mat: not a MATLAB file"):
            datasets.load("yale")


def test_usps(folder):
    folder.put("usps/zip.train.gz", "6.0000 -1.0000 0.5000 \n5.0000 1.0000 -0.2500 \n")
    folder.put("usps/zip.test.gz", "9 -1 0.25\n")
    graph = datasets.load("usps")
    assert graph.x.tolist() == [[-1, 0.5], [1, -0.25], [-1, 0.25]]
    assert graph.x.dtype == np.float32
    assert [graph.meta["classes"][i] for i in graph.y] == ["6", "5", "9"]
    assert {part: rows.tolist() for part, rows in graph.meta["split"].items()} == {"train": [0, 1], "test": [2]}
    assert datasets.load("usps-test").x.tolist() == [[-1, 0.25]]


def idx(array):
    return struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.astype(np.uint8).tobytes()


@pytest.mark.parametrize(("name", "third"), [("mnist", "2"), ("fashion-mnist", "Pullover")])
def test_idx(folder, name, third, rng):
    pictures, labels = rng.integers(256, size=(13, 4, 3)), np.array([*range(10), 2, 1, 0])
    for part, rows in (("train", slice(10)), ("t10k", slice(10, None))):
        folder.put(f"{name}/{part}-images-idx3-ubyte.gz", idx(pictures[rows]))
        folder.put(f"{name}/{part}-labels-idx1-ubyte.gz", idx(labels[rows]))
    graph = datasets.load(name)
    assert np.array_equal(graph.x, pictures.reshape(13, 12))
    assert graph.x.dtype == np.float32
    assert (graph.y.tolist(), graph.meta["classes"][2], graph.meta["image_shape"]) == (labels.tolist(), third, (4, 3))
    assert graph.meta["split"]["test"].tolist() == [10, 11, 12]
    test = datasets.load(f"{name}-test")
    assert np.array_equal(test.x, graph.x[10:])
    for content, says in (
        (b"\0\0\x08\x03", "IDX"),
        (idx(pictures)[:-1], "bytes for an array"),
        (idx(labels), "labels of"),
    ):
        folder.put(f"{name}/t10k-images-idx3-ubyte.gz", content)
        with pytest.raises(gc.DataError, match=says):
            datasets.load(name)


def test_tfidf(folder, rng):
    """Against scikit-learn, whose unsmoothed idf is ours plus 1."""
    import scipy.sparse as sp

    counts = sp.random_array((20, 8), density=0.4, rng=rng, data_sampler=lambda size: rng.integers(1, 5, size)).tocsr()
    stream = io.BytesIO()
    label = rng.integers(3, size=20)
    np.savez(stream, data=counts.data, indices=counts.indices, indptr=counts.indptr, shape=counts.shape, label=label)
    folder.put("text/reuters21578_20class_counts_csr.npz", stream.getvalue())
    graph = datasets.load("reuters21578")
    judge = TfidfTransformer(norm=None, smooth_idf=False).fit(counts)
    expected = counts.toarray() * (judge.idf_ - 1)
    expected /= np.maximum(np.linalg.norm(expected, axis=1, keepdims=True), 1e-300)
    assert np.allclose(graph.x.toarray(), expected, atol=1e-6)
    assert (graph.x.dtype, graph.y.tolist()) == (np.float32, label.tolist())
