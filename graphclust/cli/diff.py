"""graphclust diff: what has changed between two partitions."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from graphclust.cli.common import Output, Quiet, Reading, check_figure, check_files, check_format, output, say
from graphclust.cli.table import write_rows

__all__ = ["diff"]


def diff(
    old: Annotated[str, typer.Argument(metavar="OLD", help="A result of `detect`, in any format.")],
    new: Annotated[str, typer.Argument(metavar="NEW", help="A later one, of more or less the same nodes.")],
    *,
    moved: Annotated[
        bool,
        typer.Option(
            "--moved",
            help="List the nodes that have moved, between communities as OLD labels them; `label` is that of NEW.",
        ),
    ] = False,
    graph: Annotated[
        str | None,
        typer.Option("--graph", metavar="GRAPH", help="The graph of NEW, for the page.", show_default=False),
    ] = None,
    report: Annotated[
        str | None,
        typer.Option(
            metavar="FILE.html", help="Write a page on NEW with a Sankey diagram of the changes; needs --graph."
        ),
    ] = None,
    figure: Annotated[str | None, typer.Option(metavar="FILE.png|svg|pdf", help="Draw the Sankey diagram.")] = None,
    format: Annotated[str, typer.Option(metavar="table|tsv|csv|json", help="Output format.")] = "table",
    out: Output = None,
    quiet: Quiet = False,
    reading: Reading,
) -> None:
    """Match the communities of two partitions, and show what has changed.

    Prints a line for each pair of communities: their labels and sizes, how many nodes both have, how many have arrived
    or gone, and whether the community was born, died, has split from another or merged into one. Nodes of one partition
    only have joined or left the graph.
    """
    from dataclasses import replace

    from graphclust.errors import UsageError
    from graphclust.io.files import replacing
    from graphclust.report.sankey import write_sankey
    from graphclust.results import changes
    from graphclust.results.communities import Communities

    check_format(format, "table", "tsv", "csv", "json")
    check_files({"--out": out, "--report": report, "--figure": figure}, old=old, new=new, graph=graph)
    kind = check_figure(figure)
    if report is not None and graph is None:
        raise UsageError("--report needs --graph, the graph of NEW (--figure draws the changes alone)")
    if graph is not None and report is None:
        raise UsageError("--graph is for --report")
    if graph is not None and report is not None:
        communities = Communities.load(new, reading.read(graph))
        difference = changes.diff(old, communities)
        replace(communities, changes=difference).save(report, "html")
    else:
        difference = changes.diff(old, new)
    if figure is not None:
        with replacing(figure) as stream:
            write_sankey(difference, stream, kind)
    with output(out) as stream:
        if format == "json":
            stream.write(json.dumps(difference.to_dict(), ensure_ascii=False).encode() + b"\n")
        elif moved:
            rows = [
                {"node": str(node), "from": before, "to": difference.matched.get(after, f"new {after}"), "label": after}
                for node, (before, after) in difference.moved.items()
            ]
            write_rows(rows, stream, format, ("node", "from", "to", "label"))
        else:
            write_rows(difference.communities, stream, format)
    if not quiet:
        say(f"{difference}; AMI {difference.scores['ami']:.4f}")
