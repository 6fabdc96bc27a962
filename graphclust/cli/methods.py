"""graphclust methods: list the methods, or the parameters of one."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from graphclust.cli.common import check_format, output
from graphclust.cli.table import print_table

__all__ = ["methods"]


def methods(
    name: Annotated[
        str | None,
        typer.Argument(metavar="[METHOD]", help="Describe this method and its parameters.", show_default=False),
    ] = None,
    *,
    format: Annotated[str, typer.Option(metavar="table|json", help="Output format.")] = "table",
) -> None:
    """List the methods and what each of them can do, or describe one of them.

    `--param NAME=VALUE` sets a parameter that is listed with its default.
    """
    from graphclust.methods import METHODS
    from graphclust.methods.describe import describe_parameters

    check_format(format, "table", "json")
    names = list(METHODS) if name is None else [name]
    rows = [
        {
            "method": known,
            "-k": kind.takes_n_clusters,
            "directed": "yes" if kind.takes_direction else "no",
            "what": kind.summary,
            "source": kind.source,
        }
        for known in names
        for kind in [METHODS.named(known)]
    ]
    with output(None) as stream:
        if format == "json":
            full: list[dict[str, Any]] = [
                {**row, "parameters": METHODS.named(row["method"]).parameters()} for row in rows
            ]
            if name is not None:
                full = [{**full[0], "described": describe_parameters(METHODS.named(name))}]
            stream.write(json.dumps(full, default=repr).encode() + b"\n")
        elif name is None:
            print_table(rows, stream)
        else:
            stream.write(_page(name).encode())


def _page(name: str) -> str:
    """Describe a method: what it does, and each of its parameters with type, default and meaning."""
    import shutil
    import textwrap

    from graphclust.methods import METHODS
    from graphclust.methods.describe import describe_parameters

    kind = METHODS.named(name)
    width = max(40, min(100, shutil.get_terminal_size().columns))
    lines = [
        f"{name}: {kind.summary}",
        f"source: {kind.source}",
        f"number of communities (-k): {kind.takes_n_clusters}",
        "",
    ]
    for row in describe_parameters(kind):
        lines.append(f"{row['name']} = {row['default']!r}" + (f"  ({row['type']})" if row["type"] else ""))
        lines += textwrap.wrap(row["meaning"], width, initial_indent="    ", subsequent_indent="    ")
    return "\n".join(lines) + "\n"
