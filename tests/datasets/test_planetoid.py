"""Planetoid's pickles, written here opcode by opcode as Python 2 did, and pickles that try to do something."""

from __future__ import annotations

import os
import pickle
import warnings

import numpy as np
import pytest
import scipy.sparse as sp

import graphclust as gc
from graphclust import datasets


def string(data):
    return b"T" + len(data).to_bytes(4, "little") + data


def integer(value):
    return b"J" + int(value).to_bytes(4, "little", signed=True)


def array(values, order="C"):
    """An ndarray as cPickle of Python 2 with protocol 2 wrote it."""
    code, shape = values.dtype.str[1:].encode(), b"".join(map(integer, values.shape))
    dtype = b"cnumpy\ndtype\n(" + string(code) + integer(0) + integer(1) + b"tR("
    dtype += integer(3) + string(values.dtype.str[:1].encode()) + b"NNN" + integer(-1) * 2 + integer(0) + b"tb"
    made = b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(" + integer(0) + b"t" + string(b"b") + b"tR"
    fortran = b"\x88" if order == "F" else b"\x89"
    return made + b"(" + integer(1) + b"(" + shape + b"t" + dtype + fortran + string(values.tobytes(order)) + b"tb"


def matrix(values):
    csr = sp.csr_matrix(values)
    fields = b"".join(string(n.encode()) + array(getattr(csr, n)) for n in ("data", "indices", "indptr"))
    shape = string(b"_shape") + b"(" + b"".join(map(integer, csr.shape)) + b"t"
    return b"cscipy.sparse.csr\ncsr_matrix\n)\x81}(" + string(b"format") + string(b"csr") + shape + fields + b"ub"


def adjacency(lists):
    items = b"".join(integer(key) + b"](" + b"".join(map(integer, ends)) + b"e" for key, ends in lists.items())
    return b"ccollections\ndefaultdict\n(c__builtin__\nlist\ntR(" + items + b"u"


def pickled(body):
    return b"\x80\x02" + body + b"."


X = np.array([[1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 0]], np.float32)
TX = np.array([[0, 1, 1], [1, 0, 1]], np.float32)
Y = np.eye(2, dtype=np.int32)[[0, 1, 1, 0]]


def files():
    """Four nodes and two test nodes, 6 and 4; 5 is a gap as in CiteSeer."""
    lists = {0: [1, 1, 6], 1: [0], 2: [2, 3], 3: [2], 4: [6], 5: [], 6: [4, 0]}
    return {
        "x": pickled(matrix(X[:1])),
        "y": pickled(array(Y[:1])),
        "allx": pickled(matrix(X)),
        "ally": pickled(array(Y)),
        "tx": pickled(matrix(TX)),
        "ty": pickled(array(Y[:2], order="F")),
        "graph": pickled(adjacency(lists)),
        "test.index": b"6\n4\n",
    }


@pytest.fixture
def write(folder):
    def put(**changes):
        for name, content in (files() | changes).items():
            folder.put(f"planetoid/ind.citeseer.{name}", content)

    return put


def check(graph):
    assert list(graph.edges()) == [(0, 1), (0, 6), (2, 3), (4, 6)]
    assert graph.y.tolist() == [0, 1, 1, 0, 1, -1, 0]
    assert graph.x.dtype == np.float32
    assert graph.x.toarray().tolist() == [*X.tolist(), TX[1].tolist(), [0, 0, 0], TX[0].tolist()]
    assert {part: nodes.tolist() for part, nodes in graph.meta["split"].items()} == {
        "train": [0],
        "valid": [1, 2, 3],
        "test": [4, 6],
    }


def test_python_2_layout(write):
    write()
    graph = datasets.load("citeseer")
    check(graph)
    assert graph.x.nnz == 9  # the gap has no row of zeros, nor somebody else's row


def test_the_test_writes_what_python_reads():
    """The opcodes above are pickles of what they should be: the standard library agrees."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # NumPy's, of its old names
        assert np.array_equal(pickle.loads(files()["ally"], encoding="latin-1"), Y)
        assert np.array_equal(pickle.loads(files()["allx"], encoding="latin-1").toarray(), X)
    assert pickle.loads(files()["graph"])[0] == [1, 1, 6]


def test_python_3_layout(write):
    """Mirrors have the files written anew."""
    data = {"x": sp.csr_matrix(X[:1]), "allx": sp.csr_matrix(X), "tx": sp.csr_matrix(TX), "y": Y[:1], "ally": Y}
    data |= {"ty": np.asfortranarray(Y[:2]), "graph": {0: [1, 6], 2: [3, 2], 4: [6]}}
    write(**{name: pickle.dumps(value, protocol=4) for name, value in data.items()})
    check(datasets.load("citeseer"))


class Evil:
    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize(
    "content",
    [
        lambda path: Evil(os.system, f"touch {path}"),
        lambda path: {0: [Evil(os.mkdir, path)]},
        lambda path: Evil(eval, f"open({path!r}, 'w')"),
        lambda path: Evil(np.load, path),
        lambda path: Evil(np.save, path, [1]),
        lambda path: sp.coo_matrix(X),
        lambda path: np.array([Evil(os.mkdir, path)], dtype=object),
    ],
)
@pytest.mark.parametrize("protocol", [0, 2, 4, 5])
def test_pickles_run_nothing(write, tmp_path, content, protocol):
    target = tmp_path / "pwned"
    write(graph=pickle.dumps(content(str(target)), protocol))
    with pytest.raises(gc.DataError, match=r"ind.citeseer.graph: not a pickle of .* not allowed"):
        datasets.load("citeseer")
    assert not target.exists()


def test_no_way_around_the_list_of_names(write):
    """Attributes of what is known are not known: STACK_GLOBAL of protocol 4 takes dotted names."""
    for module, name in ((b"builtins", b"list.__subclasses__"), (b"builtins", b"getattr"), (b"numpy", b"dtype.type")):
        body = b"\x8c" + bytes([len(module)]) + module + b"\x8c" + bytes([len(name)]) + name + b"\x93)R."
        write(graph=b"\x80\x04" + body)
        with pytest.raises(gc.DataError, match="which is not allowed"):
            datasets.load("citeseer")


@pytest.mark.parametrize(
    ("file", "content", "says"),
    [
        ("allx", b"", "allx: not a pickle"),
        ("allx", files()["allx"][:-20], "allx: not a pickle"),
        ("allx", files()["graph"], "contains a dict, not a csr_array"),
        ("allx", pickled(b"cscipy.sparse.csr\ncsr_matrix\n)\x81"), "allx: not a pickle"),
        ("ally", pickled(array(np.array([None]))), "ally: not a pickle"),
        ("ally", pickled(array(Y[:3])), "do not match"),
        ("graph", pickled(adjacency({0: [77]})), "do not match.*outside"),
        ("graph", pickled(string(b"text")), "contains a str, not a dict"),
        ("graph", pickled(b"}(" + integer(1) + integer(2) + b"u"), "do not match"),
        ("test.index", b"6\nx\n", "do not match"),
        ("test.index", b"6\n4\n5\n", "do not match"),
        ("test.index", b"", "do not match"),
    ],
)
def test_damaged_files(write, file, content, says):
    write(**{file: content})
    with pytest.raises(gc.DataError, match=says):
        datasets.load("citeseer")
