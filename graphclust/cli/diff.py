"""graphclust diff: what has changed between two partitions."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from graphclust.cli.common import Output, Quiet, check_files, check_format, output, say
from graphclust.cli.table import print_table

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
    format: Annotated[str, typer.Option(metavar="table|json", help="Output format.")] = "table",
    out: Output = None,
    quiet: Quiet = False,
) -> None:
    """Match the communities of two partitions, and show what has changed.

    Prints a line for each pair of communities: their labels and sizes, how many nodes both have, and how many have
    arrived or gone. Nodes of one partition only have joined or left the graph.
    """
    from graphclust.results import changes
    from graphclust.runtime.notes import counted

    check_format(format, "table", "json")
    check_files({"--out": out}, old=old, new=new)
    difference = changes.diff(old, new)
    with output(out) as stream:
        if format == "json":
            stream.write(json.dumps(difference.to_dict(), ensure_ascii=False).encode() + b"\n")
        elif moved:
            rows = [
                {"node": str(node), "from": before, "to": difference.matched.get(after, f"new {after}"), "label": after}
                for node, (before, after) in difference.moved.items()
            ]
            print_table(rows, stream)
        else:
            print_table(difference.communities, stream)
    if not quiet:
        parts = [
            f"{counted(len(difference.moved), 'node')} moved",
            f"{len(difference.joined):,} joined",
            f"{len(difference.left):,} left",
            f"AMI {difference.scores['ami']:.4f}",
        ]
        say(", ".join(parts))
