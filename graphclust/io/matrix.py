"""Dense matrices in text files: a row of numbers for each node, perhaps with the names of the nodes.

The names stand in the first line and in the first column, as pandas and R write them, or in the first line only. A
matrix without names is one only if it has as many rows as columns; its nodes are numbered from 0. A symmetric matrix is
an undirected graph. Zeros and empty fields are no edges, and neither is the diagonal of a matrix of correlations. With
`bipartite`, rows and columns are two kinds of nodes, and their numbers and names may differ.
"""

from __future__ import annotations

import io
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from graphclust.graph import Graph
from graphclust.graph.column_names import edge_columns
from graphclust.graph.columns import looks_numeric, number_style, plain_number
from graphclust.graph.convert import is_similarity
from graphclust.graph.labels import is_missing_text
from graphclust.io.reading import build_from_entries, build_two_mode, naming, parse_weight
from graphclust.io.source import Source, shorten
from graphclust.io.tables import Dialect, Expectation, Sample, parse_separator, read_rows, sniff, usual_size
from graphclust.io.writing import edge_ids, encode, quote, refuse_attributes
from graphclust.runtime.memory import require_memory
from graphclust.runtime.notes import counted

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


def _trimmed(rows: Sequence[Sequence[str]]) -> list[list[str]]:
    """Leave out a last column without values, which a separator at the end of each line makes."""
    has_end = all(len(row) > 1 and not row[-1] for row in rows) and len(rows[0]) > len(rows)
    return [list(row[:-1] if has_end else row) for row in rows]


def _names(rows: Sequence[Sequence[str]]) -> tuple[list[str], list[str]] | None:
    """Return the names of the columns and those of the rows, which are the same; None for other tables.

    The rows may be in another order, and there may be fewer of them, if they are a sample.
    """
    first, *rest = rows
    if not rest or not all(rows):  # a row that cannot be split is empty
        return None
    heads = [row[0] for row in rest]
    if len(set(heads)) < len(heads):
        return None
    for names in (list(first[1:]), list(first)):  # with and without a field above the names of the rows
        if len(names) < 2 or len(set(names)) < len(names) or any(len(row) != len(names) + 1 for row in rest):
            continue
        if len(names) < len(first) and looks_numeric(first[0]):
            continue  # a value: the first row of a symmetric matrix equals its first column
        numbers = _numbers(names)
        if numbers is not None and len(names) > 2 and heads == numbers[: len(heads)]:
            return numbers, heads  # as R names the rows and columns of a matrix without names
        if heads == names[: len(heads)]:
            return names, heads
        if list(map(_name_in_r, heads)) == names[: len(heads)]:
            return [*heads, *names[len(heads) :]], heads
        are_values = all(is_missing_text(value) or looks_numeric(value) for row in rest for value in row[1:])
        if set(heads) <= set(names) and are_values:
            return names, heads
    return None


def _numbers(names: Sequence[str]) -> list[str] | None:
    """Return the numbers in V1, V2, ... or X1, X2, ..., as R calls columns without names; None for other names."""
    numbers = [str(n) for n in range(1, len(names) + 1)]
    return numbers if any(list(names) == [letter + n for n in numbers] for letter in ("V", "X")) else None


def _name_in_r(name: str) -> str:
    """Spell the name of a row as R spells that of a column."""
    return re.sub(r"[^\w.]", ".", f"X{name}" if name[:1].isdigit() else name)


def _column_names(rows: Sequence[Sequence[str]]) -> list[str] | None:
    """Return the names in the first line of a square of numbers, of which the rows have no names; None without them."""
    first = list(rows[0])
    if _numbers(first) is not None:
        return _numbers(first)
    if first == [str(n) for n in range(len(first))] and len(rows) == len(first) + 1:
        return first  # as pandas names columns without names
    return None if any(map(looks_numeric, first)) or edge_columns(first) is not None else first


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
    rows = _trimmed(sample.rows(sniff(sample, expected).separator, multiline=True))
    names = _names(rows)
    has_header = names is None and len(rows) > 1 and _column_names(rows) is not None
    rows = rows[1:] if has_header else rows
    width = len(rows[0]) if names is None else len(names[0])
    if names is None and (width < _MIN_SIZE or any(len(row) != width for row in rows)):
        return False
    n_rows = len(rows)
    if not sample.is_complete:
        if data.count(b"\n") > 2 * width + _MOST_OTHERS:
            return False
        lines = (line.strip() for line in data.split(b"\n"))
        n_rows = sum(bool(line) and not line.startswith((b"#", b"%")) for line in lines) - has_header
    if names is not None:
        return n_rows == width + 1
    if n_rows != width:
        return False
    if not all(is_missing_text(value) or looks_numeric(value) for row in rows for value in row):
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
    rows = _trimmed(rows)
    lines = [line for line, _ in numbered]
    if source.options.bipartite:
        return _read_incidence(source, dialect, rows, lines)
    ids: list[Any] | None = None
    if (names := _names(rows)) is not None:
        ids, heads = names
        place = {name: i for i, name in enumerate(ids)}
        if len(heads) == len(ids):
            order = np.argsort([place[head] for head in heads])  # the rows in the order of the columns
            rows, lines = [rows[i + 1][1:] for i in order], [lines[i + 1] for i in order]
        else:
            rows, lines = [row[1:] for row in rows[1:]], lines[1:]
    elif len(rows) == len(rows[0]) + 1:
        ids, rows, lines = _column_names(rows) or list(rows[0]), rows[1:], lines[1:]
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
    n_missing = 0
    for i, (line, row) in enumerate(zip(lines, rows, strict=True)):
        if len(row) != width:
            raise source.error(f"expected {width} numbers in a row of the matrix, found {len(row)}", line)
        for j, text in enumerate(row):
            if text and is_missing_text(text):
                n_missing += 1
            elif text not in ("", "0"):
                values[i, j] = parse_weight(source, plain_number(text, decimal, thousands), line)
    if n_missing:
        source.note("missing-values", f"{counted(n_missing, 'missing value')} of the matrix: no edges there")
    return values


def _read_incidence(source: Source, dialect: Dialect, rows: list[list[str]], lines: list[int]) -> Graph:
    """Read a matrix whose rows and columns are two kinds of nodes, with or without their names."""
    has_names = not all(is_missing_text(value) or looks_numeric(value) for value in rows[0])
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
