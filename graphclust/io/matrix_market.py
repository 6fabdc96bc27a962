"""Matrix Market (.mtx; Boisvert, Pozo, Remington, "The Matrix Market Exchange Formats", 1996): an adjacency matrix.

Nodes are the positions 0 to n - 1, as everywhere in NumPy and SciPy; the file itself counts from 1. A symmetric matrix
is an undirected graph, whether it is declared `symmetric` or is a `general` one with equal entries on both sides of the
diagonal; otherwise row -> column is an edge. A matrix that is not square is a two-mode graph of its rows and columns.
Network Repository's variants are read, too: a banner with one % or none at all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, BinaryIO

import numpy as np

from graphclust.graph import Graph
from graphclust.io.reading import (
    build,
    build_from_entries,
    build_two_mode,
    may_be_negative,
    parse_int,
    parse_weight,
    require_nodes,
    unweighted,
)
from graphclust.io.source import Source, shorten, split_lines
from graphclust.io.writing import refuse_attributes
from graphclust.runtime.arrays import FloatArray, IntArray
from graphclust.runtime.memory import require_memory

__all__ = ["FIRST_ID", "KEEPS_IDS", "read", "write"]

KEEPS_IDS = False
FIRST_ID = 0

_DIRECTED = "% graphclust: directed"  # says of a symmetric matrix that its edges are pairs of opposite arcs
_CHOICES = (
    ("object", {"matrix"}),
    ("format", {"coordinate", "array"}),
    ("field", {"real", "double", "integer", "unsigned-integer", "pattern"}),
    ("symmetry", {"general", "symmetric"}),
)


def _header(source: Source, line: str) -> tuple[bool, bool, bool]:
    """Return whether the matrix is sparse, whether it has values, and whether it is symmetric."""
    banner, *words = line.lower().split()[:5] or [""]
    if banner not in ("%%matrixmarket", "%matrixmarket") or len(words) != 4:
        raise source.error("a Matrix Market file must begin with %%MatrixMarket and four words", 1)
    for word, (what, known) in zip(words, _CHOICES, strict=True):
        if word not in known:
            raise source.error(f"the {what} {shorten(word)} is not supported, only {', '.join(sorted(known))}", 1)
    if words[1:3] == ["array", "pattern"]:
        raise source.error("an array cannot be a pattern, because it has values", 1)
    return words[1] == "coordinate", words[2] != "pattern", words[3] == "symmetric"


def _guessed_header(source: Source, lines: Sequence[str], start: int) -> tuple[bool, bool, bool]:
    """Return what `_header` returns for a file without a banner, as Network Repository has some."""
    sizes = lines[start].split()
    entries = [text.split() for text in lines[start + 1 :] if text.strip() and not text.startswith("%")]
    widths = {len(entry) for entry in entries}
    if len(sizes) != 3 or len(widths) != 1 or not widths <= {2, 3} or sizes[2] != str(len(entries)):
        raise source.error("a Matrix Market file must begin with %%MatrixMarket and four words", 1)
    words = " ".join(lines[:start]).lower()
    one_sided = len({a.isdecimal() and b.isdecimal() and int(a) > int(b) for a, b, *_ in entries if a != b}) < 2
    is_symmetric = sizes[0] == sizes[1] and "undirected" in words if "directed" in words else one_sided
    message = f"the file has no Matrix Market banner: read as a list of {'un' if is_symmetric else ''}directed edges"
    source.note("no-banner", message)
    return True, widths == {3}, is_symmetric and sizes[0] == sizes[1]


def _parse_fast(
    lines: Sequence[str], shape: tuple[int, int], valued: bool, least: float
) -> tuple[IntArray, IntArray, FloatArray] | None:
    """Parse entries by Arrow's CSV parser; None if any is not as it should be: `_parse_lines` knows more."""
    import pyarrow as pa
    from pyarrow import csv

    kinds = {"row": pa.int64(), "col": pa.int64()} | ({"value": pa.float64()} if valued else {})
    try:
        table = csv.read_csv(
            pa.BufferReader("\n".join(lines).encode()),
            csv.ReadOptions(column_names=list(kinds)),
            csv.ParseOptions(delimiter=" ", quote_char=False),
            csv.ConvertOptions(column_types=kinds, null_values=[]),
        )
    except pa.ArrowInvalid:
        return None
    row, col = (table[name].to_numpy() - 1 for name in ("row", "col"))
    value = table["value"].to_numpy() if valued else np.ones(len(row))
    is_inside = min(row.min(initial=0), col.min(initial=0)) >= 0
    is_inside = is_inside and row.max(initial=-1) < shape[0] and col.max(initial=-1) < shape[1]
    return (row, col, value) if is_inside and ((value >= least) & (value < np.inf)).all() else None


def _parse_lines(
    source: Source, lines: Sequence[str], start: int, shape: tuple[int, int], valued: bool
) -> tuple[IntArray, IntArray, FloatArray]:
    """Parse entries one by one; the first stands on line `start`."""
    ends: list[int] = []
    values: list[float] = []
    for line, text in enumerate(lines, start=start):
        tokens = text.split()
        if not tokens or text.startswith("%"):
            continue
        if len(tokens) != 2 + valued:
            raise source.error(f"expected {2 + valued} columns, found {len(tokens)}", line)
        for token, size in zip(tokens, shape, strict=False):
            ends.append(parse_int(source, token, line, "a row or column"))
            if not 1 <= ends[-1] <= size:
                raise source.error(f"there is no row or column {ends[-1]}: they are numbered 1 to {size}", line)
        values.append(parse_weight(source, tokens[2], line) if valued else 1.0)
    pairs = np.array(ends, dtype=np.int64).reshape(-1, 2) - 1
    return pairs[:, 0], pairs[:, 1], np.array(values)


def _parse_array(
    source: Source, lines: Sequence[str], start: int, shape: tuple[int, int], symmetric: bool
) -> tuple[IntArray, IntArray, FloatArray]:
    """Parse a dense matrix, a value a line, column by column; a symmetric one from the diagonal on."""
    n_rows, n_columns = shape
    size = n_rows * (n_rows + 1) // 2 if symmetric else n_rows * n_columns
    require_memory(40.0 * size, f"{source.name}: a dense matrix of {size} values")
    tokens = [(line, token) for line, text in enumerate(lines, start=start) for token in text.split("%", 1)[0].split()]
    if len(tokens) != size:
        raise source.error(f"{size} values are declared, but {len(tokens)} follow", start - 1)
    values = np.array([parse_weight(source, token, line) for line, token in tokens])
    col, row = np.triu_indices(n_rows) if symmetric else np.divmod(np.arange(size), max(n_rows, 1))
    is_entry = values != 0
    return row[is_entry].astype(np.int64), col[is_entry].astype(np.int64), values[is_entry]


def read(source: Source) -> Graph:
    """Read an adjacency matrix in Matrix Market format: real, integer or pattern; symmetric or general.

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
        The file is malformed, or the matrix is complex; it does not have the declared number of entries; an
        entry is negative or not a number.
    ResourceError
        More nodes are declared than fit into memory.
    """
    lines = split_lines(source.text())
    start = next((i for i, text in enumerate(lines) if text.strip() and not text.startswith("%")), len(lines))
    has_banner = bool(lines) and lines[0].lower().startswith(("%%matrixmarket", "%matrixmarket"))
    if not lines:
        raise source.error("a Matrix Market file must begin with %%MatrixMarket and four words", 1)
    if start == len(lines):
        raise source.error("the file ends before the size of the matrix", len(lines))
    header = _header(source, lines[0]) if has_banner else _guessed_header(source, lines, start)
    sparse, valued, symmetric = header
    options = source.options
    directed = True if _DIRECTED in lines[:start] and options.directed is None else options.directed
    sizes = [parse_int(source, token, start + 1, "the size") for token in lines[start].split()]
    if len(sizes) != 2 + sparse:
        raise source.error(f"the size must have {2 + sparse} numbers, found {len(sizes)}", start + 1)
    shape = sizes[0], sizes[1]
    if symmetric and sizes[1] != sizes[0]:
        raise source.error(f"a symmetric matrix must be square, but this one is {sizes[0]} x {sizes[1]}", start + 1)
    for size in shape:
        require_nodes(source, size, start + 1)
    body = lines[start + 1 :]
    if not sparse:
        row, col, value = _parse_array(source, body, start + 2, shape, symmetric)
    else:
        least = -np.inf if may_be_negative(source) else 0.0
        parsed = _parse_fast(body, shape, valued, least) if body else None
        row, col, value = parsed or _parse_lines(source, body, start + 2, shape, valued)
        if len(row) != sizes[2]:
            raise source.error(f"{sizes[2]} entries are declared, but {len(row)} follow", start + 1)
    if not valued:
        unweighted(source, len(row))
    weight = value if valued and options.weights is not False else None
    if sizes[0] != sizes[1] or options.bipartite:
        if symmetric:  # the other half is not in the file
            below = row != col
            row, col = np.concatenate((row, col[below])), np.concatenate((col, row[below]))
            weight = None if weight is None else np.concatenate((weight, weight[below]))
        return build_two_mode(source, row, col, weight, range(sizes[0]), range(sizes[1]), ("row", "column"))
    if not symmetric:
        return build_from_entries(source, row, col, weight, sizes[0], directed=directed)
    if options.directed:
        below = row != col
        row, col = np.concatenate((row, col[below])), np.concatenate((col, row[below]))
        weight = None if weight is None else np.concatenate((weight, weight[below]))
    return build(source, row, col, weight, nodes=sizes[0], directed=bool(options.directed))


def write(graph: Graph, stream: BinaryIO, attributes: Mapping[str, Sequence[Any]] | None = None) -> None:
    """Write the adjacency matrix, as a pattern if the graph has no weights; ids are lost.

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
    refuse_attributes(attributes, "Matrix Market")
    field, symmetry = "real" if graph.is_weighted else "pattern", "general" if graph.directed else "symmetric"
    stream.write(f"%%MatrixMarket matrix coordinate {field} {symmetry}\n".encode())
    if graph.directed:
        stream.write(f"{_DIRECTED}\n".encode())
    stream.write(f"{graph.num_nodes} {graph.num_nodes} {graph.num_edges}\n".encode())
    row, col = (graph.source, graph.target) if graph.directed else (graph.target, graph.source)  # below the diagonal
    ends = zip((row + 1).tolist(), (col + 1).tolist(), strict=True)
    if graph.weight is None:
        stream.writelines(b"%d %d\n" % pair for pair in ends)
    else:
        stream.writelines(f"{i} {j} {w!r}\n".encode() for (i, j), w in zip(ends, graph.weight.tolist(), strict=True))
