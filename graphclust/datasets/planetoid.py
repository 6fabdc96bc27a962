"""Citation networks in the layout of Planetoid: Cora, CiteSeer, PubMed.

Z. Yang, W. Cohen & R. Salakhutdinov, "Revisiting Semi-Supervised Learning with Graph Embeddings", ICML 2016,
https://github.com/kimiyoung/planetoid (MIT); the data after P. Sen et al., AI Magazine 29 (2008).

ind.NAME.x, .tx, .allx are sparse features of the labelled training nodes, the test nodes and all others; .y, .ty,
.ally their classes, one-hot; .graph lists of neighbours; .test.index the node of each test row. All but the last are
pickles, which could run anything when read: `_Unpickler` knows nothing but records of arrays, matrices and lists, and
NumPy sees only their plain bytes. In CiteSeer, 15 nodes have neither neighbours nor features nor class.
"""

from __future__ import annotations

import io
import pickle
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from graphclust.datasets.parsing import read_labels, simple_edges
from graphclust.errors import DataError
from graphclust.graph import Graph
from graphclust.io.source import Source, open_source, shorten

__all__ = ["load"]

_NUMBERS = re.compile("[biuf][1248]")


class _Record:
    """Stands for an object in a pickle: takes what the object would be given, and does nothing with it."""

    def __init__(self, *arguments: Any) -> None:
        self.arguments = arguments
        self.state: Any = None

    def __setstate__(self, state: Any) -> None:
        self.state = state


class _Array(_Record):
    """An ndarray; its state is (version, shape, dtype, whether in Fortran's order, bytes).

    The first argument of the dtype is its code, the second item of the dtype's state the order of the bytes.
    """

    def value(self) -> NDArray[Any]:
        _, shape, dtype, fortran, raw = self.state
        code, order = dtype.arguments[0], dtype.state[1]
        if not _NUMBERS.fullmatch(code) or order not in "<>|=":
            raise ValueError(f"an array of {code!r}")
        data = raw.encode("latin-1") if isinstance(raw, str) else raw
        flat = np.frombuffer(data, np.dtype(code).newbyteorder(order))
        return flat.reshape(shape, order="F" if fortran else "C")


class _Matrix(_Record):
    """A scipy.sparse.csr_matrix; its state is the object's dictionary."""

    def value(self) -> Any:
        import scipy.sparse as sp

        data, indices, indptr = (self.state[name].value() for name in ("data", "indices", "indptr"))
        matrix = sp.csr_array((data, indices, indptr), shape=self.state["_shape"])
        matrix.check_format(full_check=True)
        return matrix


class _Unpickler(pickle.Unpickler):
    _KNOWN: ClassVar[dict[tuple[str, str], Any]] = {
        ("numpy", "ndarray"): _Array,
        ("numpy", "dtype"): _Record,
        ("collections", "defaultdict"): lambda *_: {},
        **{(module, "list"): list for module in ("builtins", "__builtin__")},
        **{(module, "dict"): dict for module in ("builtins", "__builtin__")},
        **{(f"numpy.{core}.multiarray", "_reconstruct"): lambda *_: _Array() for core in ("core", "_core")},
        **{(f"scipy.sparse.{csr}", "csr_matrix"): _Matrix for csr in ("csr", "_csr")},
    }

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in self._KNOWN:
            raise pickle.UnpicklingError(f"it asks for {shorten(f'{module}.{name}')}, which is not loaded")
        return self._KNOWN[module, name]


def _unpickle(source: Source) -> Any:
    """Return the array, matrix or dictionary in a pickle."""
    try:
        content = _Unpickler(io.BytesIO(source.data), encoding="latin-1").load()
        return content.value() if isinstance(content, _Array | _Matrix) else content
    except Exception as error:  # noqa: BLE001  a damaged pickle raises whatever comes up
        raise source.error(f"no pickle of an array, a sparse matrix or lists: {error}") from None


def _read(path: Path, kind: str) -> Any:
    source = open_source(path)
    content = _unpickle(source)
    if type(content).__name__ != kind:
        raise source.error(f"holds a {type(content).__name__}, not a {kind}")
    return content


def load(files: Mapping[str, Path]) -> Graph:
    """Read the files of a citation network.

    Parameters
    ----------
    files : mapping
        "graph", "allx", "ally", "tx", "ty", "y" and "index"; the rows of .x are the first of .allx.

    Returns
    -------
    Graph
        Undirected, without the few loops; `x` is a scipy.sparse.csr_array of float32, `y` is -1 for the nodes of
        CiteSeer without a class. `meta["split"]` is Planetoid's: train (labelled), valid (the 500 after them), test.

    Raises
    ------
    DataError
        A file is damaged or asks for more than arrays, or they do not belong together.
    """
    import scipy.sparse as sp

    allx, tx = (_read(files[name], "csr_array") for name in ("allx", "tx"))
    ally, ty, labelled = (_read(files[name], "ndarray") for name in ("ally", "ty", "y"))
    neighbours = _read(files["graph"], "dict")
    try:
        test = np.array(read_labels(files["index"]), dtype=np.int64)
        n_others, n_nodes = allx.shape[0], int(test.max()) + 1
        places = np.full(n_nodes, -1)  # row of each node in the stacked matrices
        places[:n_others] = np.arange(n_others)
        places[test] = np.arange(n_others, n_others + len(test))
        known = places >= 0
        one_hot = np.concatenate((ally, ty))[places] * known[:, None]
        x = sp.csr_array(sp.vstack((allx, tx), format="csr", dtype=np.float32)[places])
        x.data *= np.repeat(known, np.diff(x.indptr))
        x.eliminate_zeros()
        sizes = [len(ends) for ends in neighbours.values()]
        source = np.repeat(np.fromiter(neighbours, np.int64), sizes)
        target = np.fromiter((end for ends in neighbours.values() for end in ends), np.int64)
        edges = simple_edges(source, target, n_nodes)
    except (ValueError, TypeError, IndexError, OverflowError) as error:
        raise DataError(f"the files beside it do not belong together: {error}", files["graph"]) from None
    split = {
        "train": np.arange(len(labelled)),
        "valid": np.arange(len(labelled), min(len(labelled) + 500, n_others)),
        "test": np.sort(test),
    }
    return Graph.from_edges(
        *edges,
        nodes=n_nodes,
        x=x,
        y=np.where(one_hot.any(axis=1), one_hot.argmax(axis=1), -1),
        meta={"classes": [str(i) for i in range(one_hot.shape[1])], "split": split},
    )
