"""Node features from a file: a table of numbers with or without the nodes' ids, or NumPy's and SciPy's archives."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from graphclust.errors import DataError
from graphclust.io.source import Source, is_number, open_source, shorten, split_lines
from graphclust.runtime.arrays import FloatArray
from graphclust.runtime.notes import counted, log_notes

__all__ = ["read_features"]


def read_features(path: str | os.PathLike[str], nodes: Sequence[Any]) -> FloatArray:
    """Read the features of a graph's nodes.

    Parameters
    ----------
    path : str or PathLike
        Text: numbers separated by tabs, commas, semicolons or spaces, a node a line, with or without a header, perhaps
        compressed. Where the first column holds the nodes' ids, lines may come in any order; else nodes are 0, 1, ...
        or 1, 2, ... and line i is the i-th of them. Or .npy or .npz, rows being nodes in that order.
    nodes : sequence
        Ids, in the order of the result.

    Returns
    -------
    ndarray of float64, shape (n_nodes, n_features)

    Raises
    ------
    DataError
        Something is no number, is missing or infinite: names the line and the column, counted from 1. A node has no
        line or two; rows do not tell their nodes.
    """
    source = open_source(path)
    if source.data[:6] == b"\x93NUMPY" or source.data[:2] == b"PK":
        values = _in_order(_array(source), nodes, source)
        source.note(
            "features", f"read {counted(values.shape[1], 'feature')}, rows in the order of the nodes", by_id=False
        )
        log_notes(source.notes, source.name)
        return values
    wanted = [str(node) for node in nodes]
    table = _table(source, set(wanted))
    names = table.cells[:, 0].tolist()
    has_ids = table.cells.shape[1] > 1 and set(wanted) <= set(names)
    n_features = table.cells.shape[1] - has_ids
    place = "ids in the first column" if has_ids else "rows in the order of the nodes"
    header = "no header" if table.header is None else "a header"
    source.note("features", f"read {counted(n_features, 'feature')}, {place}, {header}", by_id=has_ids)
    if has_ids and (others := len(set(names)) - len(wanted)):
        source.note("rows-without-node", f"left out {counted(others, 'row')} that belong to no node", n_rows=others)
    log_notes(source.notes, source.name)
    if has_ids:
        row_of: dict[str, int] = {}
        for row, name in enumerate(names):
            if row_of.setdefault(name, row) != row:
                raise table.error(f"two lines of features for the node {shorten(name)}", row)
        return table.numbers(1)[[row_of[name] for name in wanted]]
    try:
        return _in_order(table.numbers(0), nodes, source, "" if table.header is None else " (below a header)")
    except DataError:
        if table.cells.shape[1] > 1 and _are_ids(names, set(wanted)):
            raise source.error(_missing(names, wanted)) from None
        raise


def _are_ids(names: Sequence[str], wanted: Collection[str]) -> bool:
    """Whether a first column holds ids, if not those of all nodes: words, or different numbers, most of them known."""
    if not any(map(is_number, names)):
        return True
    return len(set(names)) == len(names) and sum(name in wanted for name in names) >= 0.9 * len(names)


def _missing(names: Sequence[str], wanted: Sequence[str]) -> str:
    """Say which nodes have no features."""
    there = set(names)
    missing = [name for name in wanted if name not in there]
    if len(missing) == len(wanted):
        return f"the first column holds no id of a node: {shorten(names[0])}, for one, is none"
    if len(missing) == 1:
        return f"no features for the node {shorten(missing[0])}"
    some = ", ".join(map(shorten, missing[:3])) + (", ..." if len(missing) > 3 else "")
    return f"no features for {len(missing):,} of {len(wanted):,} nodes: {some}"


@dataclass
class _Table:
    """Cells of a text file, as strings.

    Attributes
    ----------
    source : Source
    separator : str or None
        One character, or None for white space.
    cells : ndarray of str, shape (n_rows, n_columns)
        Without the header.
    header : list of str, or None
    """

    source: Source
    separator: str | None
    cells: Any
    header: list[str] | None

    def error(self, message: str, row: int) -> DataError:
        """Return the error that names the file and the line of a row."""
        place = row + (self.header is not None)
        found = (line for i, (line, _) in enumerate(_lines(self.source, self.separator)) if i == place)
        try:
            return self.source.error(message, next(found, None))
        except csv.Error:
            return self.source.error(message)

    def numbers(self, first: int) -> FloatArray:
        """Return the columns from `first` on as numbers, all finite."""
        cells = self.cells[:, first:]
        try:
            values: FloatArray = cells.astype(np.float64)
        except ValueError:
            values = np.array([[_number(cell) for cell in row] for row in cells.tolist()])
        bad = np.argwhere(~np.isfinite(values))
        if len(bad):
            row, column = bad[0].tolist()
            name = "" if self.header is None else f" ({shorten(self.header[first + column])[1:-1]})"
            told = _complaint(str(cells[row, column]))
            raise self.error(f"the feature in column {first + column + 1}{name} {told}", row)
        return values


def _table(source: Source, wanted: Collection[str]) -> _Table:
    """Cut a text into cells; the first row is a header if its last cell is a word, and its first no id of a node."""
    import pandas as pd

    data = source.utf8()
    first = data.lstrip().split(b"\n", 1)[0].decode()
    separator = next((sign for sign in ("\t", ";", ",") if sign in first), None)
    try:
        frame = pd.read_csv(
            io.BytesIO(data), sep=separator or r"\s+", header=None, dtype=str, keep_default_na=False, encoding="utf-8"
        )
    except ValueError as error:  # pandas' own errors are ValueErrors
        raise _no_table(source, separator, str(error).strip()) from None
    cells = frame.fillna("").to_numpy(dtype=str)  # rows may be shorter than the first
    names = cells[0].tolist()
    is_header = len(cells) > 1 and bool(names[-1]) and not (is_number(names[0]) or is_number(names[-1]))
    if len(names) > 1 and names[0] in wanted and names[0] not in cells[1:, 0]:
        is_header = False
    return _Table(source, separator, cells[1:], names) if is_header else _Table(source, separator, cells, None)


def _no_table(source: Source, separator: str | None, message: str) -> DataError:
    """Turn what pandas says into the error that names the line."""
    try:
        rows = list(_lines(source, separator))
    except csv.Error:
        rows = []
    if not rows:
        return source.error(f"no table of features: {message}")
    if "EOF inside string" in message:
        return source.error("no table of features: a quote that is not closed", rows[-1][0])
    size = len(rows[0][1])
    line, row = next(((line, row) for line, row in rows if len(row) > size), (None, rows[0][1]))
    told = message if line is None else f"expected {size} columns as in the first line, found {len(row)}"
    return source.error(f"no table of features: {told}", line)


def _lines(source: Source, separator: str | None) -> Iterator[tuple[int, list[str]]]:
    """Yield line number and fields of each row, those that pandas reads: slower than it, for errors."""
    lines = split_lines(source.text(), keep_ends=True)
    if separator is None:
        yield from ((number, line.split()) for number, line in enumerate(lines, 1) if line.strip())
        return
    reader, start = csv.reader(lines, delimiter=separator), 1
    for row in reader:
        if len(row) > 1 or (row and row[0].strip()):
            yield start, row
        start = reader.line_num + 1


def _number(cell: str) -> float:
    return float(cell) if is_number(cell) else float("nan")


def _complaint(cell: str) -> str:
    if not cell.strip():
        return "is missing"
    return f"is {'missing or infinite' if is_number(cell) else 'no number'}: {shorten(cell)}"


def _array(source: Source) -> FloatArray:
    """Read .npy, or .npz with one array or a sparse matrix."""
    try:
        loaded = np.load(io.BytesIO(source.data), allow_pickle=False)
        if hasattr(loaded, "files"):
            if "indptr" in loaded.files:
                import scipy.sparse as sp

                loaded = sp.load_npz(io.BytesIO(source.data)).toarray()
            elif len(loaded.files) == 1:
                loaded = loaded[loaded.files[0]]
            else:
                raise ValueError(f"arrays {', '.join(loaded.files)}: which are the features?")
        if loaded.dtype.kind not in "biuf":
            raise ValueError(f"real numbers are expected, not {loaded.dtype}")
        values: FloatArray = np.asarray(loaded, dtype=np.float64)
    except (ValueError, OSError, KeyError) as error:
        raise source.error(f"no array of features: {error}") from None
    if values.ndim != 2:
        raise source.error(f"features are an array of two dimensions, not {values.ndim}")
    bad = np.argwhere(~np.isfinite(values))
    if len(bad):
        row, column = (bad[0] + 1).tolist()
        raise source.error(f"the feature in column {column} of row {row} is missing or infinite")
    return values


def _in_order(values: FloatArray, nodes: Sequence[Any], source: Source, where: str = "") -> FloatArray:
    """Give rows without ids to nodes that are numbers in a row."""
    numbers = [int(str(node)) if str(node).isdecimal() else -1 for node in nodes]
    low = min(numbers, default=0)
    if sorted(numbers) != list(range(low, low + len(numbers))) or low not in (0, 1):
        raise source.error("the rows do not tell their nodes: the first column should hold the nodes' ids")
    if len(values) != len(numbers):
        raise source.error(f"{len(values):,} rows of features{where} for {len(numbers):,} nodes")
    return values[np.array(numbers, dtype=np.int64) - low]
