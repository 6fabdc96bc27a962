"""graphclust reproduce: recompute a table of a paper and print it next to the published numbers."""

from __future__ import annotations

import inspect
import json
import shlex
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from graphclust.cli.common import Output, Quiet, Seed, check_files, check_format, output, say
from graphclust.cli.table import print_table
from graphclust.errors import UsageError

__all__ = ["reproduce"]


def reproduce(
    table: Annotated[
        str,
        typer.Argument(
            metavar="TABLE",
            help="acp-table1, acp-table2, acp-table3, acp-table4, acp-fig4, acp-families, acp-mixtures, clam-table1, "
            "clam-graphs, cnc-table1, cnc-graphs, lnscc-table2, lnscc-table4 or lnscc-graphs.",
            show_default=False,
        ),
    ],
    *,
    graphs: Annotated[
        int | None,
        typer.Option(
            min=2,
            help="Number of test graphs or point sets (per grid point or family). For acp-*.",
            show_default=False,
        ),
    ] = None,
    samples: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Partitions to draw per graph; 10 by default. For acp-table1 and acp-table2.",
            show_default=False,
        ),
    ] = None,
    data: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="Data set or family. Repeatable. For acp-table4, acp-families, clam-*, cnc-*, lnscc-table2 and "
            "lnscc-graphs.",
        ),
    ] = None,
    method: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Method. Repeatable. Not for acp-table2, clam-graphs and cnc-graphs."),
    ] = None,
    checkpoint: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FILE", help="Your own model, measured next to the shipped one. Repeatable. For acp-table4."
        ),
    ] = None,
    models: Annotated[
        str | None,
        typer.Option(
            metavar="FOLDER",
            help="Folder of trained models, used in addition to the shipped ones. For acp-table1 to acp-table4.",
            show_default="results/models, if it exists",
        ),
    ] = None,
    jobs: Annotated[
        int | None, typer.Option("--jobs", "-j", help="Number of processes. For acp-fig4.", show_default=False)
    ] = None,
    journal: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Store measurements in FILE so that a later run resumes. For acp-fig4."),
    ] = None,
    repeats: Annotated[
        int | None,
        typer.Option(min=1, help="Number of seeds to average over. For clam-*, cnc-* and lnscc-*.", show_default=False),
    ] = None,
    steps: Annotated[
        int | None,
        typer.Option(
            min=1, help='Training steps of the method "lnscc, published". For lnscc-table2.', show_default=False
        ),
    ] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="Measure fewer graphs, data sets or seeds: about a minute.")
    ] = False,
    seed: Seed = 0,
    out: Output = None,
    figure: Annotated[
        str | None,
        typer.Option(metavar="FILE.png", help="Draw the calibration (acp-table2) or the maps (acp-fig4)."),
    ] = None,
    format: Annotated[str, typer.Option(metavar="table|json", help="Output format.")] = "table",
    quiet: Quiet = False,
) -> None:
    """Recompute a table of a paper and print it next to the published numbers.

    JSON output also contains the command that trains the model of each row.
    """
    from graphclust.reproduce import table_named

    check_format(format, "table", "json")
    chosen = table_named(table)
    check_files({"--out": out, "--figure": figure, "--journal": journal})
    if figure is not None and Path(figure).suffix.lower() not in (".png", ".pdf", ".svg"):
        raise UsageError(f"a figure must be a png, pdf or svg file: --figure {Path(figure).stem}.png")
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
            raise UsageError(f"{table} does not take {option_values[name][0]}")
    if figure is not None and chosen.draw is None:
        raise UsageError(f"{table} does not take --figure")
    results = chosen.make(**options, seed=seed, quick=quick)
    results["settings"]["command"] = shlex.join(["graphclust", *sys.argv[1:]])
    with output(out) as stream:
        if format == "json":
            stream.write(json.dumps(results, indent=1).encode() + b"\n")
        else:
            rows = [*results["rows"], *results["peers"]]
            print_table([{name: _shown(row.get(name)) for name in chosen.columns} for row in rows], stream)
    if figure is not None and chosen.draw is not None:
        from graphclust.io.files import replacing

        with replacing(figure) as stream:
            chosen.draw(results, stream, figure)
    if not quiet:
        for note in results.get("notes", ()):
            say(note)
        untrained = {
            row["command"]: row["row"] for row in reversed(results["rows"]) if "command" in row and "ami" not in row
        }
        for training, name in reversed(untrained.items()):
            say(f"{name}: no trained model is available; to train one: {training}")


def _shown(value: Any) -> Any:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return value
