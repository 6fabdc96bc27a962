"""graphclust reproduce: a paper's table, ours beside the published one."""

from __future__ import annotations

import inspect
import json
from pathlib import Path
from typing import Annotated, Any

import typer

from graphclust.cli.common import Output, Quiet, Seed, check_files, check_format, output, print_table, say
from graphclust.errors import UsageError

__all__ = ["reproduce"]


def reproduce(
    table: Annotated[
        str,
        typer.Argument(
            metavar="TABLE",
            help="acp-table2, clam-table1, clam-graphs, cnc-table1, cnc-graphs, lnscc-table2, -table4 or -graphs",
            show_default=False,
        ),
    ],
    *,
    graphs: Annotated[
        int | None, typer.Option(min=2, help="acp-table2: test graphs; 500 by default.", show_default=False)
    ] = None,
    samples: Annotated[
        int | None,
        typer.Option(min=1, help="acp-table2: partitions drawn a graph; 10 by default.", show_default=False),
    ] = None,
    data: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="All but acp-*: a data set of the table; repeatable."),
    ] = None,
    method: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="clam-table1, cnc-table1, lnscc-*: a method; repeatable."),
    ] = None,
    repeats: Annotated[
        int | None, typer.Option(min=1, help="clam-*, cnc-*, lnscc-*: seeds to take the mean over.", show_default=False)
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Less of it: a minute instead of many.")] = False,
    seed: Seed = 0,
    out: Output = None,
    figure: Annotated[
        str | None,
        typer.Option(metavar="FILE.png", help="acp-table2: draw the reliability of co-membership probabilities."),
    ] = None,
    format: Annotated[str, typer.Option(metavar="table|json")] = "table",
    quiet: Quiet = False,
) -> None:
    """Print a paper's table: what we measure beside what was published, and the command that trains each row."""
    from graphclust.reproduce import table_named

    check_format(format, "table", "json")
    make, columns = table_named(table)
    check_files("-", {"--out": out, "--figure": figure})
    if figure is not None and Path(figure).suffix.lower() not in (".png", ".pdf", ".svg"):
        raise UsageError(f"a figure is a file of png, pdf or svg: --figure {Path(figure).stem}.png")
    given = {
        "n_graphs": ("--graphs", graphs),
        "n_samples": ("--samples", samples),
        "data": ("--data", data and tuple(data)),
        "methods": ("--method", method and tuple(method)),
        "repeats": ("--repeats", repeats),
    }
    takes = inspect.signature(make).parameters
    options = {name: value for name, (_, value) in given.items() if value is not None}
    for name in options:
        if name not in takes:
            raise UsageError(f"{table} takes no {given[name][0]}")
    if figure is not None and "n_graphs" not in takes:
        raise UsageError(f"{table} takes no --figure")
    found = make(**options, seed=seed, quick=quick)
    with output(out) as stream:
        if format == "json":
            stream.write(json.dumps(found, indent=1).encode() + b"\n")
        else:
            rows = [*found["rows"], *found["peers"]]
            print_table([{name: _shown(row.get(name)) for name in columns} for row in rows], stream)
    if figure is not None:
        _draw(found, figure)
    if not quiet:
        for row in found["rows"]:
            if "command" in row and "ami" not in row:
                say(f"{row['row']}: no checkpoint is shipped; train it: {row['command']}")


def _shown(value: Any) -> Any:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return value


def _draw(found: dict[str, Any], path: str) -> None:
    from graphclust.calibration import draw_reliability
    from graphclust.io.files import replacing

    with replacing(path) as stream:
        draw_reliability(found["calibration"], stream, path)
