"""Edge lists: a line an edge, with two ids and perhaps a weight, in any dialect.

`graphclust.io.edge_layout` settles the dialect and the columns from the first lines. A large well-formed file goes
through `graphclust.io.edge_arrow`, at some ten million edges a second. All other files go through
`graphclust.io.edge_rows`, which is slower, understands everything, and names the line of each error.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, BinaryIO

import numpy as np

from graphclust.errors import DataError, UsageError
from graphclust.graph import MIXED, Graph, both_directions
from graphclust.io.edge_arrow import parse_with_arrow
from graphclust.io.edge_layout import EdgeLayout, shorten_line, sniff_edges
from graphclust.io.edge_rows import ParsedEdges, parse_rows
from graphclust.io.reading import naming
from graphclust.io.source import Source, shorten
from graphclust.io.tables import separator_name
from graphclust.io.writing import encode, id_texts
from graphclust.runtime.notes import Note, counted

__all__ = ["KEEPS_IDS", "edge_ids", "edge_weights", "quote", "read", "write"]

KEEPS_IDS = True

_SMALL = 1 << 18  # bytes that are parsed in less time than it takes to import Arrow


def read(
    source: Source,
    *,
    delimiter: str | None = None,
    header: bool | None = None,
    weights: bool | None = None,
    comment: str | None = None,
    directed: bool | None = None,
) -> Graph:
    """Read an edge list. Ids are strings; nodes come in canonical order; the weights of parallel edges add up.

    Parameters
    ----------
    source : Source
    delimiter, header, weights, comment, directed
        See `graphclust.io.edge_layout.sniff_edges`.

    Returns
    -------
    Graph

    Raises
    ------
    DataError
        A row has a wrong number of columns, an empty id, or a weight that is not a finite non-negative number; names
        the line.
    """
    data = source.utf8()
    layout = sniff_edges(
        source, data, delimiter=delimiter, header=header, weights=weights, comment=comment, directed=directed
    )
    edges = parse_with_arrow(data, layout) if len(data) > _SMALL else None
    if edges is None:
        edges = parse_rows(source, data, layout)
    if edges.is_arc is not None:
        layout = replace(layout, directed=bool(edges.is_arc.any()))
    source.add(_description(layout))
    del data
    source.data = b""  # the graph is about to be built, and need not share the memory with its text
    if not len(edges.source):
        raise source.error("the file has no edges")
    _add_notes(source, layout, edges)
    ends_and_weight = (edges.source, edges.target, edges.weight)
    if layout.directed and edges.is_arc is not None and not edges.is_arc.all():
        source.add(MIXED)
        ends_and_weight = both_directions(*ends_and_weight, edges.is_arc)
    with naming(source):
        return Graph.from_edges(
            *ends_and_weight,
            nodes=edges.ids,
            directed=layout.directed,
            is_canonical=True,
            copy=False,
        )


def _description(layout: EdgeLayout) -> Note:
    """Return the note that says how the lines were read; a detail if nothing had to be guessed."""
    dialect = layout.dialect
    header = f"a header ({', '.join(dialect.header)})" if dialect.header else "no header"
    weight = "no weights"
    if layout.is_weighted:
        weight = "weights in the attributes" if layout.has_dicts else f"weights in column {layout.columns[2] + 1}"
    direction = "directed" if layout.directed else "undirected"
    separator = separator_name(dialect.separator)
    message = f"edge list separated by {separator}, {shorten_line(header)}, {weight}, {direction}"
    data = {
        "delimiter": dialect.separator,
        "header": dialect.header,
        "weighted": layout.is_weighted,
        "directed": layout.directed,
    }
    is_plain = dialect.n_columns == 2 and not dialect.header and not layout.directed
    return Note("dialect", message, data, is_detail=is_plain)


def _add_notes(source: Source, layout: EdgeLayout, edges: ParsedEdges) -> None:
    """Note what was skipped or guessed, and what looks odd."""
    for what, n_lines in edges.skipped.items():
        hint = " (--comment none reads them)" if what == "comment line" else ""
        message = f"skipped {counted(n_lines, what)}{hint}"
        source.note("skipped-lines", message, is_detail=True, what=what, n_lines=n_lines)
    if edges.decimal == ",":
        source.note("decimal-commas", "the weights have decimal commas: read 1,500 as 1.5")
    if layout.may_have_header and (names := _possible_header(edges)):
        line = shorten_line(f"the first line ({names[0]}, {names[1]}) may be a header")
        source.note(
            "possible-header",
            f"{line}: its names occur in no other line (--header reads it as a header, --no-header as an edge)",
            names=names,
        )
    if _look_like_times(edges):
        source.note(
            "weights-look-like-times", "the weights look like times in seconds since 1970 (--no-weights ignores them)"
        )


def _possible_header(edges: ParsedEdges) -> tuple[Any, Any] | None:
    """Return the ends of the first of several edges if they differ and occur in no other edge."""
    first, second = int(edges.source[0]), int(edges.target[0])
    if first == second or len(edges.source) < 4:
        return None
    ends = sum(int(np.count_nonzero(end == node)) for end in (edges.source, edges.target) for node in (first, second))
    return (edges.ids[first], edges.ids[second]) if ends == 2 else None


def _look_like_times(edges: ParsedEdges) -> bool:
    """Return whether all weights, of at least two, are whole numbers in the range of today's Unix times."""
    weight = edges.weight
    if weight is None or len(weight) < 2:
        return False
    return bool(((weight > 1e8) & (weight < 4e9) & (weight % 1 == 0)).all())


def edge_ids(graph: Graph) -> list[str]:
    """Return the node ids as text, for a file with an edge a line.

    Raises
    ------
    DataError
        An id is empty or has a line break; two ids have the same spelling.
    """
    texts = id_texts(graph)
    for text in texts:
        if not text:
            raise DataError("an edge list cannot hold an empty id")
        if "\n" in text or "\r" in text:
            raise DataError(f"an edge list cannot hold the id {shorten(text)}: it has a line break")
    return texts


def edge_weights(graph: Graph) -> list[str]:
    """Return the weights as text that reads back exactly; whole numbers have no decimal point."""
    return [repr(weight).removesuffix(".0") for weight in graph.edge_weight.tolist()]


def quote(text: str, special: str) -> str:
    """Put an id into quotes if it has a special character, or would otherwise be read as another id or a comment."""
    if text[0] in '#%"' or text != text.strip() or any(sign in text for sign in special):
        return '"' + text.replace('"', '""') + '"'
    return text


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
