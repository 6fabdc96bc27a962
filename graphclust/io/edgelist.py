"""Edge lists: one line per edge, with two ids and perhaps a weight, in any dialect.

`graphclust.io.edge_layout` settles the dialect and the columns from the first lines. A large well-formed file goes
through `graphclust.io.edge_arrow`, at some ten million edges a second. All other files go through
`graphclust.io.edge_rows`, which is slower, understands everything, and names the line of each error.
"""

from __future__ import annotations

import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, BinaryIO

import numpy as np

from graphclust.errors import UsageError
from graphclust.graph import MIXED, Graph, both_directions
from graphclust.graph.column_names import list_columns
from graphclust.io.edge_arrow import parse_with_arrow
from graphclust.io.edge_layout import EdgeLayout, shorten_line, sniff_edges
from graphclust.io.edge_rows import ParsedEdges, parse_rows
from graphclust.io.matrix import is_matrix, read_matrix
from graphclust.io.reading import may_be_negative, naming, split_modes, usable_edges
from graphclust.io.signatures import refuse_other_texts
from graphclust.io.source import Source
from graphclust.io.tables import separator_name
from graphclust.io.writing import edge_ids, edge_weights, encode, quote
from graphclust.runtime.notes import Note, counted

__all__ = ["KEEPS_IDS", "add_notes", "described", "read", "without_line_ends", "write"]

KEEPS_IDS = True

_DEFAULT_NAMES = (("0", "1"), ("V1", "V2"), ("X1", "X2"))  # of pandas and R
_MOST_COMPARED = 200_000  # ids that are compared with each other
_HEAD = 1 << 14  # bytes that show how lines end
_MIN_LINES = 3
_MARKS = {b",": "comma", b";": "semicolon", b".": "full stop"}
_SMALL = 1 << 18  # bytes that are parsed in less time than it takes to import Arrow


def read(source: Source) -> Graph:
    """Read an edge list. Ids are strings; nodes come in canonical order; the weights of parallel edges add up.

    A table that is a matrix, with as many rows as columns, is read as one, unless the caller has chosen the format.

    Parameters
    ----------
    source : Source
        Its options decide what `graphclust.io.edge_layout.sniff_edges` would guess.

    Returns
    -------
    Graph

    Raises
    ------
    DataError
        A row has a wrong number of columns, an empty id, or a weight that is not a finite number, or one that is
        negative; names the line. The text is not a table but JSON, DOT or the like.
    """
    data = source.utf8()
    refuse_other_texts(source, data)
    data = without_line_ends(source, data)
    decided = source.options.chosen().keys() & {"columns", "weight", "header", "bipartite"}
    if not decided and not source.is_format_given and is_matrix(source, data):
        return read_matrix(source, data)
    layout, edges = _parse(source, data)
    if edges.is_arc is not None:
        layout = replace(layout, directed=bool(edges.is_arc.any()))
    source.add(described(layout, is_text=source.suffix != ".xlsx"))
    del data
    source.data = b""  # the graph is about to be built, and need not share the memory with its text
    if not len(edges.source):
        raise source.error("the file has no edges")
    add_notes(source, layout, edges)
    if layout.kinds is not None:
        return split_modes(source, edges.ids, edges.source, edges.target, edges.weight, layout.kinds)
    tail, head, weight, is_arc = usable_edges(source, edges.source, edges.target, edges.weight, edges.is_arc)
    if layout.directed and is_arc is not None and not is_arc.all():
        source.add(MIXED)
        tail, head, weight = both_directions(tail, head, weight, is_arc)
    with naming(source):
        return Graph.from_edges(
            tail, head, weight, nodes=edges.ids, directed=layout.directed, is_canonical=True, copy=False
        )


def without_line_ends(source: Source, data: bytes) -> bytes:
    """Remove a comma, a semicolon or a full stop at the end of every line of words, which belongs to no id."""
    head = data[:_HEAD]
    lines = [line.rstrip() for line in (head[: head.rfind(b"\n") + 1] or head).split(b"\n")]
    lines = [line for line in lines if line and not line.startswith((b"#", b"%"))]
    mark = lines[0][-1:] if lines else b""
    if len(lines) < _MIN_LINES or mark not in (b",", b";", b".") or source.options.delimiter is not None:
        return data
    if not all(line.endswith(mark) and line.count(mark) == 1 and len(line.split()) in (2, 3) for line in lines):
        return data
    source.note("line-ends", f"left out the {_MARKS[mark]} at the end of each line", mark=mark.decode())
    return re.sub(rb"%s(?=[ \t\r]*(?:\n|\Z))" % re.escape(mark), b"", data)


def _parse(source: Source, data: bytes) -> tuple[EdgeLayout, ParsedEdges]:
    """Parse the edges; if the first line turns out to be an edge, and no header, parse them again."""
    notes = list(source.notes)
    layout = sniff_edges(source, data)
    edges = _parse_as(source, data, layout)
    if not _is_consistent(layout, edges):
        source.notes = notes
        layout = sniff_edges(source, data, header=False)
        edges = _parse_as(source, data, layout)
    return layout, edges


def _parse_as(source: Source, data: bytes, layout: EdgeLayout) -> ParsedEdges:
    """Parse the edges by Arrow if the file is large and well-formed, otherwise row by row."""
    allowed = may_be_negative(source)
    edges = parse_with_arrow(data, layout, allow_negative=allowed) if len(data) > _SMALL else None
    return parse_rows(source, data, layout) if edges is None else edges


def _is_consistent(layout: EdgeLayout, edges: ParsedEdges) -> bool:
    """Whether all rows agree with what the first line was taken for."""
    if layout.sizes is not None:
        n_nodes = layout.sizes[0] if len(layout.sizes) > 1 else None
        fits = n_nodes is None or all(int(str(node)) <= n_nodes for node in edges.ids)
        return fits and len(edges.source) == layout.sizes[-1]
    if layout.assumes_header:
        ends = {layout.names[i] for i in layout.columns[:2]} if layout.names else set()
        return not any(node in ends for node in edges.ids)
    return True


def described(layout: EdgeLayout, *, is_text: bool) -> Note:
    """Return the note that says how the rows were read; a detail if nothing had to be guessed."""
    dialect = layout.dialect
    header = f"a header ({list_columns(dialect.header)})" if dialect.header and layout.sizes is None else "no header"
    weight = "no weights"
    if layout.is_weighted:
        name = layout.names[layout.columns[2]] if layout.names else ""
        weight = f"weights in column {name or layout.columns[2] + 1}"
        if layout.has_dicts:
            weight = "weights in the attributes"
    direction = "directed" if layout.directed else "undirected"
    ends = ""
    if layout.columns[:2] != (0, 1):
        names = [layout.names[i] if layout.names else str(i + 1) for i in layout.columns[:2]]
        ends = f"ends in columns {names[0]} and {names[1]}, "
    what = f"edge list separated by {separator_name(dialect.separator)}" if is_text else "table of edges"
    message = f"{what}, {header}, {ends}{weight}, {direction}"
    data = {
        "delimiter": dialect.separator,
        "header": dialect.header,
        "columns": [i + 1 for i in layout.columns],
        "weighted": layout.is_weighted,
        "directed": layout.directed,
    }
    is_plain = dialect.n_columns == 2 and not dialect.header and not layout.directed
    return Note("dialect", message, data, is_detail=is_plain)


def add_notes(source: Source, layout: EdgeLayout, edges: ParsedEdges) -> None:
    """Note what was skipped or guessed, and what looks odd."""
    for what, n_lines in edges.skipped.items():
        hint = " (--comment none reads them)" if what == "comment line" else ""
        message = f"skipped {counted(n_lines, what)}{hint}"
        source.note("skipped-lines", message, is_detail=True, what=what, n_lines=n_lines)
    if layout.assumes_header and layout.dialect.header:
        line = shorten_line(", ".join(layout.dialect.header))
        message = f"took the first line ({line}) for a header (--no-header reads it as an edge)"
        source.note("assumed-header", message, names=layout.dialect.header)
    if edges.decimal == ",":
        source.note("decimal-commas", "the weights have decimal commas: read 1,500 as 1.5")
    if layout.dialect.thousands:
        mark = layout.dialect.thousands
        source.note("thousands", f"the weights have separators of thousands: read 1{mark}500 as 1500")
    if len(edges.ids) <= _MOST_COMPARED and (similar := _similar_ids(edges.ids)):
        message = f"the ids {similar} and {similar}.0 are different nodes"
        source.note("similar-ids", message, names=[similar, f"{similar}.0"])
    if layout.may_have_header and (names := _possible_header(edges)):
        line = shorten_line(f"the first line ({names[0]}, {names[1]}) may be a header")
        reason = "its names occur in no other line"
        if names in _DEFAULT_NAMES:
            reason = "programs name columns so"
        source.note(
            "possible-header",
            f"{line}: {reason} (--header reads it as a header, --no-header as an edge)",
            names=names,
        )


def _similar_ids(ids: Sequence[Any]) -> str | None:
    """Return an id that is there with ".0" as well, as pandas spells integers in a column with gaps."""
    with_zero = {node.removesuffix(".0") for node in ids if isinstance(node, str) and node.endswith(".0")}
    return next((node for node in ids if node in with_zero), None) if with_zero else None


def _possible_header(edges: ParsedEdges) -> tuple[Any, Any] | None:
    """Return the ends of the first of several edges if they occur in no other edge, or are 0 and 1."""
    first, second = int(edges.source[0]), int(edges.target[0])
    if first == second or len(edges.source) < 4:
        return None
    names = edges.ids[first], edges.ids[second]
    if names in _DEFAULT_NAMES:
        return names
    ends = sum(int(np.count_nonzero(end == node)) for end in (edges.source, edges.target) for node in (first, second))
    return names if ends == 2 else None


def write(graph: Graph, stream: BinaryIO, attributes: Mapping[str, Sequence[Any]] | None = None) -> None:
    """Write a tab-separated edge list with a comment line that names the columns.

    An edge list has no place for isolated nodes: they are lost, and `write_graph` reports it.

    Raises
    ------
    UsageError
        Node attributes are given.
    DataError
        An id is empty or has a line break, or two ids have the same spelling.
    """
    if attributes:
        raise UsageError("an edge list has no place for attributes of nodes")
    kind = "Directed" if graph.directed else "Undirected"
    columns = "source\ttarget" + ("\tweight" if graph.is_weighted else "")
    out = io.StringIO()
    out.write(f"# {kind} graph: {graph.num_nodes} nodes, {graph.num_edges} edges\n# {columns}\n")
    names = [quote(text, "\t") for text in edge_ids(graph)]
    source, target = ([names[i] for i in end.tolist()] for end in (graph.source, graph.target))
    if graph.weight is None:
        out.writelines(f"{u}\t{v}\n" for u, v in zip(source, target, strict=True))
    else:
        out.writelines(f"{u}\t{v}\t{w}\n" for u, v, w in zip(source, target, edge_weights(graph), strict=True))
    stream.write(encode(out.getvalue()))
