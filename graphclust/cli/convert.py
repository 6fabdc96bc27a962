"""graphclust convert: from one graph format to another."""

from __future__ import annotations

from typing import Annotated

import typer

from graphclust.cli.common import GraphPath, Quiet, Reading, output, say
from graphclust.errors import UsageError

__all__ = ["convert"]


def convert(
    graph: GraphPath,
    target: Annotated[
        str, typer.Argument(metavar="OUT", help="Where to; the extension tells the format. - is standard output.")
    ],
    *,
    output_format: Annotated[
        str | None, typer.Option(metavar="FORMAT", help="edgelist, graphml, gml, ...; for names that do not tell.")
    ] = None,
    quiet: Quiet = False,
    reading: Reading,
) -> None:
    """Write a graph in another format: edge lists, GraphML, GEXF, GML, Pajek, METIS, Matrix Market, npz, parquet."""
    from graphclust.io import FORMATS, format_of, write_graph

    kind = output_format or format_of(target)
    if kind is None:
        raise UsageError(f"the name {target!r} does not tell a format: give --output-format ({', '.join(FORMATS)})")
    loaded = reading.read(graph)
    with output(target) as stream:
        lost = write_graph(loaded, stream, format=kind)
    if not quiet:
        for loss in lost:
            say(loss)
        say(f"{loaded.num_nodes:,} nodes, {loaded.num_edges:,} edges -> {target} ({kind})")
