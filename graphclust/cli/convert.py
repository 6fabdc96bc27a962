"""graphclust convert: from one graph format to another."""

from __future__ import annotations

from typing import Annotated

import typer

from graphclust.cli.common import GraphPath, Quiet, Reading, check_files, output, say
from graphclust.errors import UsageError

__all__ = ["convert"]


def convert(
    graph: GraphPath,
    target: Annotated[
        str,
        typer.Argument(
            metavar="OUT", help="Output file, whose extension determines the format, or - for standard output."
        ),
    ],
    *,
    output_format: Annotated[
        str | None,
        typer.Option(metavar="FORMAT", help="edgelist, graphml, gml, ...; by default from the extension of OUT."),
    ] = None,
    quiet: Quiet = False,
    reading: Reading,
) -> None:
    """Convert a graph file to another format.

    Formats: edge list, CSV, TSV, GraphML, GEXF, GML, JSON, Pajek, METIS, Matrix Market, matrix, npz, Parquet, SIF,
    adjacency list and PyTorch Geometric. The other formats are read-only.
    """
    from graphclust.io import carried, check_writable, format_of, writable_formats, write_graph

    kind = output_format or format_of(target)
    if kind is None:
        formats = ", ".join(writable_formats())
        raise UsageError(f"cannot tell the format from the name {target!r}: add --output-format ({formats})")
    check_writable(kind)
    check_files({"OUT": target}, graph=graph, nodes=reading.nodes)
    loaded = reading.read(graph)
    attributes, dropped = carried(loaded, kind)
    with output(target) as stream:
        lost = write_graph(loaded, stream, format=kind, attributes=attributes)
    if not quiet:
        if dropped:
            say(f"attributes dropped: {', '.join(dropped)}")
        for loss in lost:
            say(loss)
        say(f"{loaded.num_nodes:,} nodes, {loaded.num_edges:,} edges -> {target} ({kind})")
