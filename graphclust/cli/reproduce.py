"""graphclust reproduce: a paper's table, ours beside the published one."""

from __future__ import annotations

import inspect
import json
import shlex
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from graphclust.cli.common import Output, Quiet, Seed, check_files, check_format, output, print_table, say
from graphclust.errors import UsageError
from graphclust.io.files import replacing

__all__ = ["reproduce"]


def reproduce(
    table: Annotated[
        str,
        typer.Argument(
            metavar="TABLE",
            help="acp-table1, -table2, -table3, -table4, -fig4, -families or -mixtures, clam-table1 or -graphs, "
            "cnc-table1 or -graphs, lnscc-table2, -table4 or -graphs",
            show_default=False,
        ),
    ],
    *,
    graphs: Annotated[
        int | None,
        typer.Option(min=2, help="acp-*: test graphs, or sets of points; of each point or family.", show_default=False),
    ] = None,
    samples: Annotated[
        int | None,
        typer.Option(min=1, help="acp-table1, -table2: partitions drawn a graph; 10 by default.", show_default=False),
    ] = None,
    data: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="All but acp-table1 to -table3, -fig4 and -mixtures: a data set or family; repeatable.",
        ),
    ] = None,
    method: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="All but acp-table2 and -graphs: a method; repeatable."),
    ] = None,
    checkpoint: Annotated[
        list[str] | None,
        typer.Option(metavar="FILE", help="acp-table4: a model of yours, beside the shipped one; repeatable."),
    ] = None,
    models: Annotated[
        str | None,
        typer.Option(
            metavar="FOLDER",
            help="acp-table1 to -table4: trained models, beside the shipped ones.",
            show_default="results/models, if it is here",
        ),
    ] = None,
    jobs: Annotated[int | None, typer.Option("--jobs", "-j", help="acp-fig4: processes.", show_default=False)] = None,
    journal: Annotated[
        str | None, typer.Option(metavar="FILE", help="acp-fig4: keeps what is measured, to go on from.")
    ] = None,
    repeats: Annotated[
        int | None, typer.Option(min=1, help="clam-*, cnc-*, lnscc-*: seeds to take the mean over.", show_default=False)
    ] = None,
    steps: Annotated[
        int | None,
        typer.Option(min=1, help='lnscc-table2: training steps of "lnscc, published".', show_default=False),
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Less of it: a minute instead of many.")] = False,
    seed: Seed = 0,
    out: Output = None,
    figure: Annotated[
        str | None,
        typer.Option(metavar="FILE.png", help="acp-table2: draw the calibration; acp-fig4: draw the maps."),
    ] = None,
    format: Annotated[str, typer.Option(metavar="table|json")] = "table",
    quiet: Quiet = False,
) -> None:
    """Print a paper's table: what we measure beside what was published, and the command that trains each row."""
    from graphclust.reproduce import table_named

    check_format(format, "table", "json")
    chosen = table_named(table)
    check_files({"--out": out, "--figure": figure, "--journal": journal})
    if figure is not None and Path(figure).suffix.lower() not in (".png", ".pdf", ".svg"):
        raise UsageError(f"a figure is a file of png, pdf or svg: --figure {Path(figure).stem}.png")
    option_values = {
        "n_graphs": ("--graphs", graphs),
        "n_samples": ("--samples", samples),
        "data": ("--data", data and tuple(data)),
        "methods": ("--method", method and tuple(method)),
        "repeats": ("--repeats", repeats),
        "steps": ("--steps", steps),
        "checkpoints": ("--checkpoint", checkpoint and tuple(checkpoint)),
        "models": ("--models", models),
        "n_jobs": ("--jobs", jobs),
        "journal": ("--journal", journal),
    }
    takes = inspect.signature(chosen.make).parameters
    options = {name: value for name, (_, value) in option_values.items() if value is not None}
    for name in options:
        if name not in takes:
            raise UsageError(f"{table} takes no {option_values[name][0]}")
    if figure is not None and chosen.draw is None:
        raise UsageError(f"{table} takes no --figure")
    results = chosen.make(**options, seed=seed, quick=quick)
    results["settings"]["command"] = shlex.join(["graphclust", *sys.argv[1:]])
    with output(out) as stream:
        if format == "json":
            stream.write(json.dumps(results, indent=1).encode() + b"\n")
        else:
            rows = [*results["rows"], *results["peers"]]
            print_table([{name: _shown(row.get(name)) for name in chosen.columns} for row in rows], stream)
    if figure is not None and chosen.draw is not None:
        with replacing(figure) as drawn:
            chosen.draw(results, drawn, figure)
    if not quiet:
        for note in results.get("notes", ()):
            say(note)
        missing = {
            row["command"]: row["row"] for row in reversed(results["rows"]) if "command" in row and "ami" not in row
        }
        for training, name in reversed(missing.items()):
            say(f"{name}: no checkpoint is shipped; train it: {training}")


def _shown(value: Any) -> Any:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return value
