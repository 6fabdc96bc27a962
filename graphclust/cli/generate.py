"""graphclust generate: random graphs with known communities."""

from __future__ import annotations

from typing import Annotated

import typer

from graphclust.cli.common import Quiet, Seed, command, output, say

__all__ = ["generate"]

generate = typer.Typer(help="Draw a random graph with known communities.", no_args_is_help=True)


def _planted_partition(
    *,
    nodes: Annotated[int, typer.Option("--nodes", "-n", min=1, help="Number of nodes.")] = 1000,
    clusters: Annotated[int, typer.Option(min=1, help="Number of communities, of sizes as equal as can be.")] = 4,
    p_in: Annotated[float, typer.Option(min=0, max=1, help="Edge probability within a community.")] = 0.1,
    p_out: Annotated[float, typer.Option(min=0, max=1, help="Edge probability between communities.")] = 0.01,
    seed: Seed = 0,
    out: Annotated[str | None, typer.Option("--out", "-o", metavar="GRAPH", help="Where the graph goes.")] = None,
    labels: Annotated[str | None, typer.Option(metavar="FILE", help="Where the communities go (node, label).")] = None,
    output_format: Annotated[
        str | None, typer.Option(metavar="FORMAT", help="edgelist, graphml, gml, ...; for names that do not tell.")
    ] = None,
    quiet: Quiet = False,
) -> None:
    """Draw equal communities with one edge probability within them and one between them."""
    from graphclust import generators
    from graphclust.io import format_of, write_graph
    from graphclust.io.files import replacing

    graph = generators.planted_partition(nodes, clusters, p_in=p_in, p_out=p_out, random_state=seed)
    with output(out) as stream:
        lost = write_graph(graph, stream, format=output_format or format_of(out or "") or "edgelist")
    if labels is not None and graph.y is not None:
        rows = "".join(f"{node}\t{label}\n" for node, label in zip(graph.nodes, graph.y.tolist(), strict=True))
        with replacing(labels) as stream:
            stream.write(f"node\tcommunity\n{rows}".encode())
    if not quiet:
        for loss in lost:
            say(loss)
        say(f"{graph.num_nodes:,} nodes, {graph.num_edges:,} edges in {clusters:,} communities")


generate.command("planted-partition")(command(_planted_partition))
