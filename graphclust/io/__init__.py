"""Files to graphs and back: the format is determined by the file name, or else by the first bytes."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence
from typing import Any, BinaryIO

from graphclust.errors import UsageError, unknown
from graphclust.graph import Graph, merge_notes
from graphclust.io.formats import FORMATS, format_of, sniffed_format
from graphclust.io.source import open_source
from graphclust.runtime.notes import counted, log_notes

__all__ = ["FORMATS", "carried", "format_of", "read_file", "write_graph"]

logger = logging.getLogger("graphclust")

_FOREIGN = {
    **dict.fromkeys(
        (".json", ".jsonl", ".g6", ".s6", ".sparse6", ".graph6", ".dot", ".gv"), "networkx can convert them"
    ),
    **dict.fromkeys(
        (".lgl", ".lgr", ".gt", ".vna", ".dl", ".pickle", ".pkl"), "the program that wrote them can convert them"
    ),
    **dict.fromkeys((".xls", ".xlsx", ".ods"), "save the sheet as CSV"),
}


def read_file(
    path: str | os.PathLike[str],
    *,
    format: str | None = None,
    directed: bool | None = None,
    weights: bool | None = None,
    delimiter: str | None = None,
    header: bool | None = None,
    comment: str | None = None,
    encoding: str | None = None,
) -> Graph:
    """Read a graph from a file in any supported format.

    Guesses and changes are logged (logger "graphclust", level INFO) and kept in `graph.meta["notes"]`;
    `graph.meta["source"]` is the file's name and `graph.meta["sha256"]` the checksum of its bytes as they lie on disk.

    Parameters
    ----------
    path : str or PathLike
        A file, perhaps compressed (.gz .bz2 .xz .zst); "-" is standard input.
    format : str, optional
        A key of `FORMATS`; by default, it follows from the file name or else from the first bytes.
    directed, weights : bool, optional
        Override what the file says; `weights=False` gives every edge weight 1.
    encoding : str, optional
        Encoding of text files; detected by default.
    delimiter, header, comment
        Edge lists and tables of edges only: see `graphclust.io.edge_layout.sniff_edges`.

    Returns
    -------
    Graph

    Raises
    ------
    DataError
        The file cannot be read; names the file and, in textual formats, the line.
    UsageError
        Unknown format, or an option for edge lists with another format.
    """
    name = os.fspath(path)
    if format is not None and format not in FORMATS:
        raise unknown("format", format, FORMATS)
    source = open_source(name)
    if format is None and source.suffix in _FOREIGN:
        raise source.error(
            f"{source.suffix} files are not supported: {_FOREIGN[source.suffix]} (--input-format overrides)"
        )
    kind = format or format_of(source.name) or sniffed_format(source)
    if not source.data or source.data.isspace():
        raise source.error("the file is empty")
    options: dict[str, Any] = {"directed": directed, "weights": weights}
    dialect = {"delimiter": delimiter, "header": header, "comment": comment}
    source.encoding = encoding
    if FORMATS[kind].takes_dialect:
        options.update(dialect)
    elif options_given := [key for key, value in dialect.items() if value is not None]:
        raise UsageError(
            f"{' and '.join(options_given)} can be set only for edge lists, but {source.name} is read as {kind}"
        )
    graph: Graph = FORMATS[kind].load().read(source, **options)
    for note in merge_notes(graph):
        source.add(note)
    log_notes(source.notes, source.name)
    graph.meta |= {
        "source": source.name,
        "format": kind,
        "sha256": source.sha256,
        "notes": tuple(source.notes),
    }
    return graph


def carried(graph: Graph, format: str) -> tuple[dict[str, Sequence[Any]], list[str]]:
    """Split the node attributes of a graph into those that a format can store and those that are lost.

    Parameters
    ----------
    graph : Graph
    format : str
        A key of `FORMATS`.

    Returns
    -------
    dict of str to sequence
        The attributes that the nodes were read with, for `write_graph`.
    list of str
        Names of the attributes that are lost; features and classes, too.
    """
    holds = getattr(FORMATS[format].load(), "holds", None)
    held: dict[str, Sequence[Any]] = {}
    lost = []
    for name, values in graph.meta.get("node_attributes", {}).items():
        if holds is not None and len(values) == graph.num_nodes and holds(name, values):
            held[name] = values
        else:
            lost.append(name)
    if not FORMATS[format].holds_features:
        lost += [what for what, values in (("features", graph.x), ("classes", graph.y)) if values is not None]
    return held, lost


def write_graph(
    graph: Graph,
    stream: BinaryIO,
    *,
    format: str,
    attributes: Mapping[str, Sequence[Any]] | None = None,
) -> list[str]:
    """Write a graph.

    Parameters
    ----------
    graph : Graph
    stream : binary file
        Receives the whole file; the caller is responsible for writing it atomically (`graphclust.io.files.replacing`).
    format : str
        A key of `FORMATS`.
    attributes : mapping of str to sequence, optional
        Attributes of the nodes, in the order of `graph.nodes`, for the formats that have a place for them.

    Returns
    -------
    list of str
        What the format could not hold.

    Raises
    ------
    UsageError
        Unknown format, or attributes in a format without a place for them.
    DataError
        The format cannot hold this graph at all.
    """
    if format not in FORMATS:
        raise unknown("format", format, FORMATS)
    entry = FORMATS[format]
    module = entry.load()
    module.write(graph, stream, attributes, **entry.options)
    lost = []
    first = getattr(module, "FIRST_ID", 0)
    if not module.KEEPS_IDS and graph.nodes != list(range(first, first + graph.num_nodes)):
        lost.append(f"{format} has no place for node ids: nodes are numbered from {first} in their order")
    if not entry.holds_isolated:
        isolated = graph.num_nodes - len({*graph.source.tolist(), *graph.target.tolist()})
        if isolated:
            lost.append(f"{format} has no place for isolated nodes: {counted(isolated, 'isolated node')} lost")
    return lost
