"""Sparse matrices in NumPy archives (.npz; `scipy.sparse.save_npz`): an adjacency matrix in CSR, CSC or COO form.

Nodes are the positions 0 to n - 1. A symmetric matrix is an undirected graph; otherwise row -> column is an edge.
Pickled objects are never loaded.
"""

from __future__ import annotations

import ast
import re
import struct
from collections.abc import Mapping, Sequence
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from graphclust.graph import Graph
from graphclust.io.archive import members
from graphclust.io.reading import build_from_entries, require_nodes
from graphclust.io.source import Source, shorten
from graphclust.io.writing import refuse_attributes
from graphclust.runtime.arrays import IntArray

__all__ = ["FIRST_ID", "KEEPS_IDS", "read", "write"]

KEEPS_IDS = False
FIRST_ID = 0

_PLAIN_TYPE = re.compile("[<>|=]?[biufcSU][0-9]{1,4}")
_MAX_HEADER = 10_000  # characters, as in NumPy: longer ones could break the parser


def _array(raw: bytes) -> NDArray[Any]:
    """Interpret a .npy file without copying; unlike `numpy.load`, allocate nothing that its header merely claims."""
    size = struct.unpack_from("<H" if raw[6:7] == b"\x01" else "<I", raw, 8)[0]
    start = 10 if raw[6:7] == b"\x01" else 12
    if not raw.startswith(b"\x93NUMPY") or size > _MAX_HEADER:
        raise ValueError("no .npy file")
    header = ast.literal_eval(raw[start : start + size].decode().strip())
    if not _PLAIN_TYPE.fullmatch(header["descr"]):
        raise ValueError(
            f"values of type {shorten(header['descr'])} are not loaded, because they may hold pickled objects"
        )
    return np.frombuffer(raw, header["descr"], offset=start + size).reshape(header["shape"])


class _Arrays:
    """The arrays of an archive, each checked when it is asked for."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.raw = {name.removesuffix(".npy"): raw for name, raw in members(source).items()}

    def get(self, name: str, kinds: str, n_dims: int = 1) -> NDArray[Any]:
        """Return an array, or raise DataError if it is missing, damaged, or not of one of the kinds."""
        if name not in self.raw:
            raise self.source.error(f"the archive has no array {name!r}; it holds {', '.join(sorted(self.raw))}")
        try:
            array = _array(self.raw[name])
        except (LookupError, MemoryError, RecursionError, SyntaxError, TypeError, ValueError, struct.error) as error:
            raise self.source.error(f"the array {name!r} is damaged: {error}") from None
        if array.ndim != n_dims or array.dtype.kind not in kinds:
            raise self.source.error(f"the array {name!r} has the shape {array.shape} and the type {array.dtype}")
        return array


def _expand(source: Source, bounds: IntArray, n_rows: int, n_entries: int) -> IntArray:
    """Return the row of each entry of a compressed matrix."""
    counts = np.diff(bounds)
    if len(bounds) != n_rows + 1 or bounds[0] != 0 or counts.min(initial=0) < 0 or bounds[-1] > n_entries:
        raise source.error("the array 'indptr' does not divide 'indices' into the rows of the matrix")
    return np.repeat(np.arange(n_rows), counts)


def read(source: Source) -> Graph:
    """Read an adjacency matrix that `scipy.sparse.save_npz` wrote.

    Parameters
    ----------
    source : Source

    Returns
    -------
    Graph
        Nodes 0 to n - 1. Stored zeros are not edges.

    Raises
    ------
    DataError
        The archive is damaged, an array is missing or of another type, the matrix is not square, a weight is negative
        or not finite.
    ResourceError
        The matrix would not fit into memory.
    """
    arrays = _Arrays(source)
    shape = arrays.get("shape", "iu").tolist()
    if len(shape) != 2 or shape[0] != shape[1]:
        raise source.error(f"an adjacency matrix must be square, but this one has the shape {tuple(shape)}")
    n_nodes = shape[0]
    require_nodes(source, n_nodes)
    form = arrays.get("format", "SU", n_dims=0).item() if "format" in arrays.raw else "csr"
    form = form if isinstance(form, str) else form.decode("latin-1")
    data = arrays.get("data", "biuf")
    if form == "coo":
        row, col = arrays.get("row", "iu"), arrays.get("col", "iu")
    elif form in ("csr", "csc"):
        col = arrays.get("indices", "iu")
        row = _expand(source, arrays.get("indptr", "iu").astype(np.int64), n_nodes, len(col))
        if len(data) == len(col):  # room for more entries is allowed behind the last one
            col, data = col[: len(row)], data[: len(row)]
        row, col = (row, col) if form == "csr" else (col, row)
    else:
        raise source.error(f"sparse matrices of format {shorten(form)} are not supported, only csr, csc and coo")
    if not len(row) == len(col) == len(data):
        raise source.error(f"the entries have {len(row)} rows, {len(col)} columns and {len(data)} values")
    directed = source.options.directed
    if directed is None and "directed" in arrays.raw and arrays.get("directed", "b", n_dims=0):
        directed = True
    weight = None if source.options.weights is False else data
    return build_from_entries(source, row, col, weight, n_nodes, directed=directed)


def write(graph: Graph, stream: BinaryIO, attributes: Mapping[str, Sequence[Any]] | None = None) -> None:
    """Write the adjacency matrix in CSR form, as `scipy.sparse.load_npz` reads it; ids are lost.

    Parameters
    ----------
    graph : Graph
    stream : binary file
    attributes : mapping, optional
        Refused: a matrix has no place for them.

    Raises
    ------
    UsageError
        Attributes.
    """
    refuse_attributes(attributes, "npz")
    matrix = graph.adjacency()
    np.savez_compressed(
        stream,
        format=np.array(b"csr"),
        shape=np.array(matrix.shape),
        indptr=matrix.indptr,
        indices=matrix.indices,
        data=matrix.data,
        directed=np.array(graph.directed),
        _is_array=np.array(True),
    )
