"""graphclust data: named data sets."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from graphclust.cli.common import Quiet, check_format, command, output
from graphclust.cli.table import print_table

__all__ = ["data"]

data = typer.Typer(help="List and download named data sets, and locate their files.", no_args_is_help=True)

_Name = Annotated[str, typer.Argument(metavar="NAME", help="Name of a data set, as in `graphclust data list`.")]


def _list(
    *,
    format: Annotated[str, typer.Option(metavar="table|json", help="Output format.")] = "table",
) -> None:
    """List the data sets and show which of them are on this machine."""
    from graphclust.datasets import registry
    from graphclust.datasets.cache import is_here
    from graphclust.runtime.memory import format_bytes

    check_format(format, "table", "json")
    rows = [
        {
            "name": entry.name,
            "here": "yes" if is_here(entry) else "no",
            "download": entry.size or None if format == "json" else format_bytes(entry.size) if entry.size else None,
            "what": entry.what,
            "licence": entry.licence,
        }
        for entry in registry().values()
    ]
    with output(None) as stream:
        if format == "json":
            stream.write(json.dumps(rows).encode() + b"\n")
        else:
            print_table(rows, stream)


def _path(
    name: _Name,
    *,
    labels: Annotated[
        bool, typer.Option("--labels", help="Print the path of the file with the known communities instead.")
    ] = False,
) -> None:
    """Print the path of the main file of a data set."""
    from graphclust import datasets

    with output(None) as stream:
        stream.write(f"{datasets.path(name, labels=labels)}\n".encode())


def _download(name: _Name, *, quiet: Quiet = False) -> None:
    """Download the files of a data set, unless they are already here, and print their paths."""
    from graphclust import datasets

    paths = datasets.download(name)
    with output(None) as stream:
        stream.write("".join(f"{path}\n" for path in paths).encode())


data.command("list")(command(_list))
data.command("path")(command(_path))
data.command("download")(command(_download))
