"""graphclust data: named data sets."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from graphclust.cli.common import command, output, print_table
from graphclust.errors import UsageError

__all__ = ["data"]

data = typer.Typer(help="List named data sets, and find their files.", no_args_is_help=True)


def _list(
    *,
    format: Annotated[str, typer.Option(metavar="table|json")] = "table",
) -> None:
    """List the data sets, and which of them are here."""
    from graphclust import datasets

    if format not in ("table", "json"):
        raise UsageError(f"the format is table or json, not {format!r}")
    rows = [
        {"name": entry.name, "here": "yes" if entry.is_here() else "no", "what": entry.what, "licence": entry.licence}
        for entry in datasets.registry().values()
    ]
    with output(None) as stream:
        if format == "json":
            stream.write(json.dumps(rows).encode() + b"\n")
        else:
            print_table(rows, stream)


def _path(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A name that `graphclust data list` shows.")],
    *,
    labels: Annotated[bool, typer.Option("--labels", help="The file of the known communities instead.")] = False,
) -> None:
    """Print where the graph of a data set lies."""
    from graphclust import datasets

    with output(None) as stream:
        stream.write(f"{datasets.path(name, labels=labels)}\n".encode())


data.command("list")(command(_list))
data.command("path")(command(_path))
