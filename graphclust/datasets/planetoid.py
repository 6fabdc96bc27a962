"""Citation networks in the layout of Planetoid: Cora, CiteSeer, PubMed.

Z. Yang, W. Cohen & R. Salakhutdinov, "Revisiting Semi-Supervised Learning with Graph Embeddings", ICML 2016,
https://github.com/kimiyoung/planetoid (MIT); the data after P. Sen et al., AI Magazine 29 (2008).

ind.NAME.x, .tx and .allx are sparse features of the labelled training nodes, of the test nodes, and of all but the test
nodes; .y, .ty and .ally are their one-hot classes; .graph has lists of neighbours and .test.index the node of each test
row. All but the last are pickles, which can execute arbitrary code when loaded. `_Unpickler` therefore supports only
records of arrays, matrices and lists, and passes only plain bytes to NumPy. In CiteSeer, 15 nodes have neither
neighbours nor features nor a class.
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
    """Placeholder for an object in a pickle, which stores the arguments and the state of the object."""

    def __init__(self, *arguments: Any) -> None:
        self.arguments = arguments
        self.state: Any = None

    def __setstate__(self, state: Any) -> None:
        self.state = state


class _Array(_Record):
    """An ndarray, with the state (version, shape, dtype, whether in Fortran order, bytes).

    The first argument of the dtype is its code, and the second entry of its state is the byte order.
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
    """A scipy.sparse.csr_matrix, with the dictionary of the object as its state."""

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
            raise pickle.UnpicklingError(f"it uses {shorten(f'{module}.{name}')}, which is not allowed")
        return self._KNOWN[module, name]


def _unpickle(source: Source) -> Any:
    """Return the array, matrix or dictionary in a pickle."""
    try:
        content = _Unpickler(io.BytesIO(source.data), encoding="latin-1").load()
        return content.value() if isinstance(content, _Array | _Matrix) else content
    except Exception as error:  # noqa: BLE001  damaged pickles raise various errors
        raise source.error(f"not a pickle of an array, a sparse matrix or lists: {error}") from None


def _read(path: Path, kind: str) -> Any:
    source = open_source(path)
    content = _unpickle(source)
    if type(content).__name__ != kind:
        raise source.error(f"contains a {type(content).__name__}, not a {kind}")
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
        Undirected, without the few self-loops; `x` is a scipy.sparse.csr_array of float32, and `y` is -1 for the nodes
        of CiteSeer without a class. `meta["split"]` is that of Planetoid: train (labelled), valid (the next 500), test.

    Raises
    ------
    DataError
        A file is damaged or contains other objects, or the files do not match.
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
        raise DataError(f"the files of this data set do not match: {error}", files["graph"]) from None
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
