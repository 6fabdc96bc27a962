"""graphclust methods: list the methods."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from graphclust.cli.common import check_format, output, print_table

__all__ = ["methods"]


def methods(
    *,
    format: Annotated[str, typer.Option(metavar="table|json", help="Output format.")] = "table",
) -> None:
    """List the methods and what each of them can do."""
    from graphclust.methods import METHODS

    check_format(format, "table", "json")
    rows = [
        {
            "method": name,
            "-k": kind.takes_n_clusters,
            "directed": "yes" if kind.takes_direction else "no",
            "what": kind.summary,
            "source": kind.source,
        }
        for name, kind in METHODS.items()
    ]
    with output(None) as stream:
        if format == "json":
            full = [{**row, "parameters": METHODS[row["method"]].parameters()} for row in rows]
            stream.write(json.dumps(full, default=repr).encode() + b"\n")
        else:
            print_table(rows, stream)
