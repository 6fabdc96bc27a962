"""Node features from a file: a table of numbers with or without the nodes' ids, or NumPy's and SciPy's archives."""

from __future__ import annotations

import io
import os
from array import array
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from math import nan
from typing import Any

import numpy as np

from graphclust.errors import DataError
from graphclust.io.archive import members, open_file
from graphclust.io.source import Source, is_number, shorten
from graphclust.io.tables import Dialect, Expectation, Sample, read_rows, sniff
from graphclust.runtime.arrays import FloatArray
from graphclust.runtime.memory import require_memory
from graphclust.runtime.notes import counted, log_notes

__all__ = ["array_of_features", "read_features"]


def read_features(path: str | os.PathLike[str], nodes: Sequence[Any]) -> FloatArray:
    """Read the features of a graph's nodes.

    Parameters
    ----------
    path : str or PathLike
        Text with a node a line: numbers separated by tabs, commas, semicolons or spaces, with or without a header.
        If the first column holds the nodes' ids, the lines may be in any order. Otherwise, the nodes must be
        0, 1, ... or 1, 2, ..., and line i is about the i-th node. Or .npy or .npz, with the rows in that order. The
        file may be compressed.
    nodes : sequence
        Ids, in the order of the result.

    Returns
    -------
    ndarray of float64, shape (n_nodes, n_features)

    Raises
    ------
    DataError
        A feature is not a number, missing or infinite; names the line and the column, counted from 1. A node has no
        line or two lines, or it is unclear which row belongs to which node.
    """
    source = open_file(path)
    if source.data[:6] == b"\x93NUMPY" or source.data[:2] == b"PK":
        values = _in_order(array_of_features(source), nodes, source)
        source.note(
            "features", f"read {counted(values.shape[1], 'feature')}, rows in the order of the nodes", by_id=False
        )
        log_notes(source.notes, source.name)
        return values
    ids = [str(node) for node in nodes]
    table = _read_table(source, frozenset(ids))
    has_ids = table.n_columns > 1 and set(ids) <= set(table.first_column)
    place = "ids in the first column" if has_ids else "rows in the order of the nodes"
    header = "no header" if table.dialect.header is None else "a header"
    n_features = counted(table.n_columns - has_ids, "feature")
    source.note("features", f"read {n_features}, {place}, {header}", by_id=has_ids)
    if has_ids and (n_others := len(set(table.first_column)) - len(ids)):
        source.note("rows-without-node", f"left out {counted(n_others, 'row')} that belong to no node", n_rows=n_others)
    log_notes(source.notes, source.name)
    if has_ids:
        row_of: dict[str, int] = {}
        for row, node in enumerate(table.first_column):
            if row_of.setdefault(node, row) != row:
                raise source.error(f"two lines of features for the node {shorten(node)}", table.line_of(row))
        return table.numbers(1)[[row_of[node] for node in ids]]
    try:
        return _in_order(table.numbers(0), nodes, source, "" if table.dialect.header is None else " (below a header)")
    except DataError:
        if table.n_columns > 1 and _are_ids(table.first_column, frozenset(ids)):
            raise source.error(_missing(table.first_column, ids)) from None
        raise


def _are_ids(column: Sequence[str], ids: Collection[str]) -> bool:
    """Return whether a first column holds ids, if not those of all nodes: words, or distinct numbers, most known."""
    if not any(map(is_number, column)):
        return True
    return len(set(column)) == len(column) and sum(cell in ids for cell in column) >= 0.9 * len(column)


def _missing(column: Sequence[str], ids: Sequence[str]) -> str:
    """Return the message about the nodes that have no features."""
    known = set(column)
    missing = [node for node in ids if node not in known]
    if len(missing) == len(ids):
        return f"the first column holds no id of a node: there is no node {shorten(column[0])}, for example"
    if len(missing) == 1:
        return f"no features for the node {shorten(missing[0])}"
    examples = ", ".join(map(shorten, missing[:3])) + (", ..." if len(missing) > 3 else "")
    return f"no features for {len(missing):,} of {len(ids):,} nodes: {examples}"


# ---------------------------------------------------------------- text


@dataclass(frozen=True)
class _FeatureExpectation(Expectation):
    """Numbers, perhaps with the nodes' ids in the first column.

    Attributes
    ----------
    ids : frozenset of str
        Ids of the graph's nodes.
    """

    ids: frozenset[str] = frozenset()

    def is_header(self, first: Sequence[str], rest: Iterable[list[str]], comments: Sequence[str]) -> bool:
        """Return whether the last cell of the first row is a word, and the first cell neither a number nor an id."""
        if next(iter(rest), None) is None or not first[-1] or is_number(first[0]) or is_number(first[-1]):
            return False
        is_node = len(first) > 1 and first[0] in self.ids
        return not is_node or any(row[:1] == [first[0]] for row in rest)  # the node may have a line of its own below

    def plausibility(self, sample: Sample, separator: str | None) -> float:
        """Return the share of rows of the usual size; white space is the second choice."""
        return super().plausibility(sample, separator) * (0.5 if separator is None else 1.0)


@dataclass
class _Table:
    """A table of numbers, of which the first column may hold ids.

    Attributes
    ----------
    source : Source
    data : bytes
        UTF-8 text.
    dialect : Dialect
    n_columns : int
    first_column : list of str
    others : ndarray of float64, shape (n_rows, n_columns - 1)
        The other columns; NaN for cells that are not numbers.
    """

    source: Source
    data: bytes
    dialect: Dialect
    n_columns: int
    first_column: list[str]
    others: FloatArray

    def numbers(self, start: int) -> FloatArray:
        """Return the columns from `start` (0 or 1) on as finite numbers."""
        values = self.others
        if start == 0:
            first = np.array([_number(cell) for cell in self.first_column], dtype=np.float64)
            values = np.column_stack((first, self.others))
        bad = np.argwhere(~np.isfinite(values))
        if len(bad):
            row, column = int(bad[0][0]), int(bad[0][1]) + start
            line, cells = self._row(row)
            name = f" ({shorten(self.dialect.header[column])[1:-1]})" if self.dialect.header else ""
            complaint = _complaint(cells[column] if column < len(cells) else "")
            raise self.source.error(f"the feature in column {column + 1}{name} {complaint}", line)
        return values

    def line_of(self, row: int) -> int:
        """Return the number of the line on which a row begins."""
        return self._row(row)[0]

    def _row(self, row: int) -> tuple[int, list[str]]:
        return next(islice(read_rows(self.source, self.data.decode(), self.dialect), row, None))


def _read_table(source: Source, ids: frozenset[str]) -> _Table:
    """Read a table of numbers; rows may be shorter than the first line, but not longer."""
    data = source.utf8()
    expected = _FeatureExpectation(separators=("\t", ";", ",", None), comments=(), multiline_quotes=True, ids=ids)
    sample = Sample.of(data, expected, n_lines=None)
    if not sample.lines:
        raise source.error("the file is empty")
    dialect = sniff(sample, expected)
    n_columns = len(dialect.header) if dialect.header else 0
    first_column: list[str] = []
    values = array("d")
    for line, cells in read_rows(source, data.decode(), dialect):
        n_columns = n_columns or len(cells)
        if len(cells) > n_columns:
            message = f"expected {n_columns} columns as in the first line, found {len(cells)}"
            raise source.error(f"not a table of features: {message}", line)
        first_column.append(cells[0])
        try:
            values.extend([float(cell) for cell in cells[1:]])
        except ValueError:
            values.extend([_number(cell) for cell in cells[1:]])
        values.extend([nan] * (n_columns - len(cells)))
    others = np.array(values, dtype=np.float64).reshape(len(first_column), n_columns - 1)
    return _Table(source, data, dialect, n_columns, first_column, others)


def _number(cell: str) -> float:
    return float(cell) if is_number(cell) else nan


def _complaint(cell: str) -> str:
    if not cell.strip():
        return "is missing"
    return f"is {'missing or infinite' if is_number(cell) else 'not a number'}: {shorten(cell)}"


def array_of_features(source: Source) -> FloatArray:
    """Read .npy, or .npz with one array or a sparse matrix.

    Raises
    ------
    DataError
        The file is damaged, holds several arrays, or one that has other values than finite numbers.
    """
    if source.data[:2] == b"PK":
        members(source)  # reports damage, and a lack of memory
    try:
        loaded = np.load(io.BytesIO(source.data), allow_pickle=False)
        if hasattr(loaded, "files"):
            if "indptr" in loaded.files:
                import scipy.sparse as sp

                matrix = sp.load_npz(io.BytesIO(source.data))
                require_memory(8.0 * matrix.shape[0] * matrix.shape[1], f"{source.name}: dense features")
                loaded = matrix.toarray()
            elif len(loaded.files) == 1:
                loaded = loaded[loaded.files[0]]
            else:
                raise ValueError(f"it holds several arrays ({', '.join(loaded.files)}); one is expected")
        if loaded.dtype.kind not in "biuf":
            raise ValueError(f"real numbers are expected, not {loaded.dtype}")
        values: FloatArray = np.asarray(loaded, dtype=np.float64)
    except (ValueError, OSError, KeyError) as error:
        raise source.error(f"not an array of features: {error}") from None
    if values.ndim != 2:
        raise source.error(f"an array of features has two dimensions, not {values.ndim}")
    bad = np.argwhere(~np.isfinite(values))
    if len(bad):
        row, column = (bad[0] + 1).tolist()
        raise source.error(f"the feature in column {column} of row {row} is missing or infinite")
    return values


def _in_order(values: FloatArray, nodes: Sequence[Any], source: Source, where: str = "") -> FloatArray:
    """Assign rows without ids to nodes whose ids are consecutive numbers from 0 or 1."""
    numbers = [int(str(node)) if str(node).isdecimal() else -1 for node in nodes]
    low = min(numbers, default=0)
    if sorted(numbers) != list(range(low, low + len(numbers))) or low not in (0, 1):
        raise source.error("it is unclear which row belongs to which node: put the nodes' ids into the first column")
    if len(values) != len(numbers):
        raise source.error(f"{len(values):,} rows of features{where} for {len(numbers):,} nodes")
    return values[np.array(numbers, dtype=np.int64) - low]
