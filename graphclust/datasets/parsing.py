"""Shared functions of the loaders: classes as numbers, tables, sparse matrices, undirected edges."""

from __future__ import annotations

import io
import os
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from graphclust.errors import DataError
from graphclust.graph import Graph
from graphclust.io.source import open_source
from graphclust.runtime.arrays import IntArray

__all__ = ["class_codes", "number_table", "points", "read_labels", "simple_edges", "sparse_archive"]


def class_codes(labels: Sequence[str], names: Mapping[str, str] | None = None) -> tuple[IntArray, list[str]]:
    """Return classes as numbers, in the order of their labels; integers are sorted by value.

    Parameters
    ----------
    labels : sequence of str
    names : mapping, optional
        Names of the classes by label.

    Returns
    -------
    y : ndarray of int64, shape (n_labels,)
    classes : list of str
        Name of each class.

    Examples
    --------
    >>> class_codes(["10", "9", "10"])
    (array([1, 0, 1]), ['9', '10'])
    """
    distinct = sorted(set(labels), key=lambda label: (0, int(label), "") if label.isdecimal() else (1, 0, label))
    code = {label: i for i, label in enumerate(distinct)}
    y = np.array([code[label] for label in labels], dtype=np.int64)
    return y, [(names or {}).get(label, label) for label in distinct]


def read_labels(path: str | os.PathLike[str]) -> list[str]:
    """Read a file with one label per line."""
    return open_source(path).text().split()


def number_table(path: str | os.PathLike[str], delimiter: str | None = None, dtype: Any = np.float64) -> NDArray[Any]:
    """Read a table, by default of numbers, with the same number of columns in each row.

    Parameters
    ----------
    path : str or PathLike
    delimiter : str, optional
        A character; by default, any run of white space.
    dtype : dtype

    Returns
    -------
    ndarray, shape (n_rows, n_columns)

    Raises
    ------
    DataError
        The file is not such a table; the message names the row and column.
    """
    source = open_source(path)
    if not source.data.strip():
        raise source.error("the file is empty")
    try:
        return np.loadtxt(io.StringIO(source.text()), dtype=dtype, delimiter=delimiter, ndmin=2, comments=None)
    except ValueError as error:
        raise source.error(f"not a table of numbers: {error}") from None


def sparse_archive(path: str | os.PathLike[str], dtype: Any = np.float32) -> tuple[Any, list[str]]:
    """Read a matrix and the labels of its rows from a .npz archive of data, indices, indptr, shape and label.

    Returns
    -------
    x : scipy.sparse.csr_array of `dtype`, shape (n_rows, n_columns)
    labels : list of str

    Raises
    ------
    DataError
        An array is missing, damaged or pickled, or the arrays do not form a matrix.
    """
    import scipy.sparse as sp

    source = open_source(path)
    try:
        with np.load(io.BytesIO(source.data), allow_pickle=False) as archive:
            data, indices, indptr, shape, label = (
                archive[name] for name in ("data", "indices", "indptr", "shape", "label")
            )
        x = sp.csr_array((data.astype(dtype), indices, indptr), shape=tuple(shape.tolist()))
        x.check_format(full_check=True)
    except KeyError as error:
        raise source.error(f"the archive has no array {error.args[0].split()[0]}") from None
    except (ValueError, TypeError, IndexError, EOFError, OSError, zipfile.BadZipFile, zlib.error) as error:
        raise source.error(f"not a sparse matrix in a .npz archive: {error}") from None
    if label.shape != (x.shape[0],):
        raise source.error(f"{label.size} labels for {x.shape[0]} rows")
    return x, [str(value) for value in label.tolist()]


def simple_edges(source: ArrayLike, target: ArrayLike, n_nodes: int) -> tuple[IntArray, IntArray]:
    """Return each pair of distinct nodes once, ignoring directions and repetitions.

    Raises
    ------
    DataError
        A node is not in 0 to n_nodes - 1.
    """
    tail, head = np.asarray(source, dtype=np.int64), np.asarray(target, dtype=np.int64)
    if len(tail) and not (min(tail.min(), head.min()) >= 0 and max(tail.max(), head.max()) < n_nodes):
        raise DataError(f"an edge has an end outside of the nodes 0 to {n_nodes - 1}")
    different = tail != head
    tail, head = tail[different], head[different]
    key = np.unique(np.minimum(tail, head) * n_nodes + np.maximum(tail, head))
    return key // n_nodes, key % n_nodes


def points(x: Any, labels: Sequence[str], names: Mapping[str, str] | None = None, **meta: Any) -> Graph:
    """Build a graph without edges that has a table of features.

    Parameters
    ----------
    x : array or sparse array, shape (n_rows, n_features)
    labels : sequence of str, shape (n_rows,)
    names : mapping, optional
        See `class_codes`.
    **meta
        Further entries of `meta`.
    """
    y, classes = class_codes(labels, names)
    return Graph.from_edges([], [], nodes=x.shape[0], x=x, y=y, meta={"classes": classes, **meta})
