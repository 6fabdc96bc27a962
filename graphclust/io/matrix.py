"""Dense matrices in text files: a row of numbers for each node, perhaps with the names of the nodes.

The names stand in the first line and in the first column, as pandas and R write them, or in the first line only. A
matrix without names is one only if it has as many rows as columns; its nodes are numbered from 0. A symmetric matrix is
an undirected graph. Zeros and empty fields are no edges, and neither is the diagonal of a matrix of correlations. With
`bipartite`, rows and columns are two kinds of nodes, and their numbers and names may differ.
"""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from graphclust.graph import Graph
from graphclust.graph.column_names import edge_columns
from graphclust.graph.columns import looks_numeric, number_style, plain_number
from graphclust.graph.convert import is_similarity
from graphclust.io.reading import build_from_entries, build_two_mode, naming, parse_weight
from graphclust.io.source import Source, shorten
from graphclust.io.tables import Dialect, Expectation, Sample, parse_separator, read_rows, sniff, usual_size
from graphclust.io.writing import edge_ids, encode, quote, refuse_attributes
from graphclust.runtime.memory import require_memory

__all__ = ["KEEPS_IDS", "is_matrix", "read", "read_matrix", "write"]

KEEPS_IDS = True

_MIN_SIZE = 3  # smaller squares of numbers are edge lists
_FIRST_LINES = 2  # show whether a table has enough columns
_MOST_OTHERS = 100  # lines of a file that are blank or comments
_SURE_SIZE = 7  # as many columns are no edges


class _MatrixExpectation(Expectation):
    """Numbers; a header is looked for later."""

    def is_header(self, first: Sequence[str], rest: Any, comments: Sequence[str]) -> bool:
        return False


def _expectation(source: Source) -> _MatrixExpectation:
    delimiter = source.options.delimiter
    if delimiter is None:
        return _MatrixExpectation(multiline_quotes=True)
    return _MatrixExpectation((parse_separator(delimiter),), multiline_quotes=True)


def _names(rows: Sequence[Sequence[str]]) -> list[str] | None:
    """Return the names in the first row of a matrix if they may be those of its rows, None if they are not."""
    first, *rest = rows
    if not rest or not all(rows):  # a row that cannot be split is empty
        return None
    for names in (list(first[1:]), list(first)):  # with and without a field above the names of the rows
        heads = [row[0] for row in rest]
        if len(names) < len(first) and looks_numeric(first[0]):
            continue  # a value: the first row of a symmetric matrix equals its first column
        numbers = [str(n) for n in range(1, len(names) + 1)]
        is_numbered = heads == numbers[: len(heads)] and any(names == [c + n for n in numbers] for c in ("V", "X"))
        if is_numbered and len(names) > 2 and all(len(row) == len(names) + 1 for row in rest):
            return numbers  # as R names the rows and columns of a matrix without names
        if (
            len(names) >= 2
            and len(set(names)) == len(names)
            and heads == names[: len(heads)]
            and all(len(row) == len(names) + 1 for row in rest)
        ):
            return names
    return None


def is_matrix(source: Source, data: bytes) -> bool:
    """Whether a table is a matrix: its rows and columns have the same names, or it is a square of numbers.

    A few rows of as many numbers may be edges with weights and times as well: they are a matrix if all numbers are 0 or
    1, or if it is symmetric and all values on its diagonal are equal.
    """
    expected = _expectation(source)
    sample = Sample.of(data, expected, _FIRST_LINES)
    separators = (None, *";,|") if source.options.delimiter is None else (parse_separator(source.options.delimiter),)
    if not sample.lines or max(len(sample.lines[-1].split(mark)) for mark in separators) < _MIN_SIZE:
        return False
    sample = Sample.of(data, expected)
    rows = sample.rows(sniff(sample, expected).separator, multiline=True)
    names = _names(rows)
    has_header = len(rows) == len(rows[0]) + 1 and not any(map(looks_numeric, rows[0]))
    if names is None and has_header and edge_columns(rows[0]) is None:
        rows = rows[1:]  # below the names of the columns
    width = len(rows[0]) if names is None else len(names)
    if names is None and (width < _MIN_SIZE or any(len(row) != width for row in rows)):
        return False
    n_rows = len(rows)
    if not sample.is_complete:
        if data.count(b"\n") > 2 * width + _MOST_OTHERS:
            return False
        lines = (line.strip() for line in data.split(b"\n"))
        n_rows = sum(bool(line) and not line.startswith((b"#", b"%")) for line in lines) - (
            names is None and has_header
        )
    if names is not None:
        return n_rows == width + 1
    if n_rows != width:
        return False
    if not all(value == "" or looks_numeric(value) for row in rows for value in row):
        return False
    has_bits = {value for row in rows for value in row} <= {"0", "1", "0.0", "1.0"}
    if width >= _SURE_SIZE or (has_bits and width > _MIN_SIZE):
        return True
    return (
        all(rows[i][j] == rows[j][i] for i in range(width) for j in range(i))
        and len({rows[i][i] for i in range(width)}) == 1
    )


def read(source: Source) -> Graph:
    """Read a matrix; see `read_matrix`."""
    return read_matrix(source, source.utf8())


def read_matrix(source: Source, data: bytes) -> Graph:
    """Read the adjacency matrix, or another matrix of similarities, in a text.

    Parameters
    ----------
    source : Source
        `options.threshold` leaves out small values, `options.negative` says what happens to negative ones, as in a
        matrix of correlations; `options.bipartite` says that rows and columns are two kinds of nodes.
    data : bytes
        UTF-8.

    Returns
    -------
    Graph
        Nodes in the order of the rows.

    Raises
    ------
    DataError
        The matrix is not square, names of rows and columns differ, or a value is not a number; names the line.
    """
    expected = _expectation(source)
    sample = Sample.of(data, expected)
    if not sample.lines:
        raise source.error("the file is empty")
    dialect: Dialect = sniff(sample, expected)
    numbered = list(read_rows(source, data.decode(), dialect))
    rows = [row for _, row in numbered]
    if not rows:
        raise source.error("the file has no rows")
    while all(len(row) > 1 and not row[-1] for row in rows) and len(rows[0]) > len(rows):
        rows = [row[:-1] for row in rows]  # a separator at the end of each line
    lines = [line for line, _ in numbered]
    if source.options.bipartite:
        return _read_incidence(source, dialect, rows, lines)
    ids: list[Any] | None = _names(rows)
    if ids is not None:
        rows, lines = [row[1:] for row in rows[1:]], lines[1:]
    elif not all(value == "" or looks_numeric(value) for value in rows[0]) and len(rows) == len(rows[0]) + 1:
        ids, rows, lines = list(rows[0]), rows[1:], lines[1:]
    n_nodes = len(rows) if ids is None else len(ids)
    require_memory(40.0 * n_nodes * n_nodes, f"{source.name}: a dense matrix of {n_nodes} rows")
    if len(rows) != n_nodes:
        raise source.error(f"a matrix of {n_nodes} columns must have as many rows, but this one has {len(rows)}")
    values = _values(source, dialect, rows, lines, n_nodes)
    source.note(
        "matrix",
        f"read as a matrix of {n_nodes} x {n_nodes} values (--input-format edgelist reads a list of edges)",
        n_nodes=n_nodes,
    )
    if is_similarity(values):
        np.fill_diagonal(values, 0)
        source.note(
            "left-out-diagonal", "left out the diagonal of ones, as in a matrix of correlations or similarities"
        )
    if ids is not None and (repeated := [name for name, n_rows in Counter(ids).items() if n_rows > 1]):
        raise source.error(f"several rows of the matrix are called {shorten(repeated[0])}")
    starts, ends = np.nonzero(values)
    weight = None if source.options.weights is False else values[starts, ends]
    nodes = n_nodes if ids is None else ids
    return build_from_entries(source, starts, ends, weight, nodes, directed=source.options.directed)


def _values(
    source: Source, dialect: Dialect, rows: Sequence[Sequence[str]], lines: Sequence[int], width: int
) -> NDArray[np.float64]:
    """Return the numbers of the rows, shape (n_rows, width); empty fields are 0."""
    with naming(source):
        decimal, thousands = number_style((value for row in rows[:50] for value in row), dialect.separator)
    values = np.zeros((len(rows), width))
    for i, (line, row) in enumerate(zip(lines, rows, strict=True)):
        if len(row) != width:
            raise source.error(f"expected {width} numbers in a row of the matrix, found {len(row)}", line)
        for j, text in enumerate(row):
            if text not in ("", "0"):
                values[i, j] = parse_weight(source, plain_number(text, decimal, thousands), line)
    return values


def _read_incidence(source: Source, dialect: Dialect, rows: list[list[str]], lines: list[int]) -> Graph:
    """Read a matrix whose rows and columns are two kinds of nodes, with or without their names."""
    has_names = not all(value == "" or looks_numeric(value) for value in rows[0])
    width = usual_size(rows)[0]
    right: list[Any] = rows[0][len(rows[0]) - width + 1 :] if has_names else list(range(width))
    left: list[Any] = [row[0] for row in rows[1:]] if has_names else list(range(len(rows)))
    if has_names:
        rows, lines = [row[1:] for row in rows[1:]], lines[1:]
    for names in (left, right):
        repeated = next((name for name, n_times in Counter(names).items() if n_times > 1), None)
        if repeated is not None:
            raise source.error(f"two rows or two columns of the matrix are called {shorten(repeated)}")
    require_memory(40.0 * len(left) * len(right), f"{source.name}: a dense matrix of {len(left)} rows")
    values = _values(source, dialect, rows, lines, len(right))
    row, column = np.nonzero(values)
    weight = None if source.options.weights is False else values[row, column]
    return build_two_mode(source, row, column, weight, left, right, ("row", "column"))


def write(graph: Graph, stream: BinaryIO, attributes: Mapping[str, Sequence[Any]] | None = None) -> None:
    """Write the adjacency matrix with commas, and the ids of the nodes in the first line and column, as pandas does.

    Raises
    ------
    UsageError
        Node attributes are given.
    DataError
        An id is empty or has a line break, or two ids have the same spelling.
    ResourceError
        The matrix would not fit into memory.
    """
    refuse_attributes(attributes, "a matrix")
    require_memory(16.0 * graph.num_nodes**2, f"a dense matrix of {graph.num_nodes} rows")
    names = [quote(text, ',"') for text in edge_ids(graph)]
    out = io.StringIO()
    out.write(",".join(("", *names)) + "\n")
    for name, row in zip(names, graph.adjacency().toarray().tolist(), strict=True):
        out.write(",".join((name, *(repr(value).removesuffix(".0") for value in row))) + "\n")
    stream.write(encode(out.getvalue()))
