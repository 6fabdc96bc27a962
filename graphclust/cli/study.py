"""graphclust study: which method finds the planted partition, and where does it break down."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from graphclust.cli.common import Output, Quiet, check_files, output, say
from graphclust.errors import DataError, UsageError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["study"]


def study(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME|FILE.toml",
            help="recovery, mixing, number-of-communities, size, density, or a study of your own.",
            show_default=False,
        ),
    ],
    *,
    methods: Annotated[
        str | None,
        typer.Option(metavar="A,B,C", help="In the place of the study's; those that need a number get the true one."),
    ] = None,
    graphs: Annotated[
        int | None, typer.Option(min=1, help="For each point of the grid, in the place of the study's.")
    ] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="In the place of the study's.", show_default=False)] = None,
    jobs: Annotated[int, typer.Option("--jobs", "-j", metavar="N", help="Processes; -1: one a core.")] = -1,
    dask: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="Measure on the workers of a Dask cluster: tcp://host:8786.")
    ] = None,
    figure: Annotated[str | None, typer.Option(metavar="FILE.png", help="Draw it: curves, or heat maps.")] = None,
    measure: Annotated[
        str | None, typer.Option(metavar="ami|nmi|ari|accuracy", help="Of the figure; ami by default.")
    ] = None,
    out: Output = None,
    quiet: Quiet = False,
) -> None:
    """Run methods over a grid of random graphs; print a tidy table, CSV or (--out FILE.parquet) parquet.

    What is measured is added to FILE.cells.jsonl beside --out at once: after an interruption, the same command goes on.
    """
    from dataclasses import replace

    from graphclust.io.files import is_special
    from graphclust.studies.study import axes_of, draw, run, study_named

    if jobs < 1 and jobs != -1:
        raise UsageError("--jobs takes a number of processes, or -1 for one a core")
    if measure is not None and figure is None:
        raise UsageError("--measure is of the figure: give --figure FILE.png, too")
    if figure is not None and Path(figure).suffix.lower() not in (".png", ".pdf", ".svg"):
        raise UsageError(f"a figure is a file of png, pdf or svg: --figure {Path(figure).stem}.png")
    check_files({"--out": out, "--figure": figure}, graph=name if name.endswith(".toml") else None)
    chosen = study_named(name)
    if methods is not None:
        chosen = chosen.with_methods([label.strip() for label in methods.split(",") if label.strip()])
    if graphs is not None:
        chosen = replace(chosen, n_graphs=graphs)
    if seed is not None:
        chosen = replace(chosen, seed=seed)
    if figure is not None:
        axes_of(chosen, measure or "ami")  # what cannot be drawn is said before hours of measuring
    to_file = out is not None and out != "-" and not is_special(out)
    journal = f"{out}.cells.jsonl" if to_file else None
    if not quiet:
        cells = len(chosen.cells())
        destination = f"kept in {journal}" if journal else "kept nowhere: with --out, an interrupted study can go on"
        say(f"{cells:,} cells, {len(chosen.points())} points of the grid; what is measured is {destination}")
    with _cluster(dask):
        table = run(chosen, journal, jobs)
    with output(out) as stream:
        if out is not None and out.endswith(".parquet"):
            _of_one_type(table).to_parquet(stream, index=False)
        else:
            stream.write(table.to_csv(index=False, lineterminator="\n").encode())
    if figure is not None:
        from graphclust.io.files import replacing

        drawn = draw(table, chosen, measure or "ami")
        with replacing(figure) as stream:
            drawn.savefig(stream, format=os.path.splitext(figure)[1][1:].lower(), dpi=150)
    failed = table["error"].notna()
    if failed.any() and not quiet:
        first = table[failed].iloc[0]
        say(f"{int(failed.sum()):,} of {len(table):,} cells failed; the first, {first['method']}: {first['error']}")


def _of_one_type(table: pd.DataFrame) -> pd.DataFrame:
    """Turn columns that hold numbers and ranges, say, into text."""
    for name in [name for name, kind in table.dtypes.items() if kind.kind == "O"]:
        values = table[name].dropna()
        if values.map(type).nunique() > 1:
            table = table.assign(**{str(name): values.map(str)})
    return table


def _cluster(address: str | None) -> Any:
    """Send joblib's work to a Dask cluster."""
    from contextlib import ExitStack

    stack = ExitStack()
    if address is None:
        return stack
    try:
        from dask.distributed import Client
    except ImportError:
        raise UsageError("--dask needs the package dask.distributed: pip install 'graphclust[dask]'") from None
    from joblib import parallel_config

    try:
        stack.enter_context(Client(address, timeout=10))
    except (OSError, ValueError) as error:
        raise DataError(f"no Dask cluster answers at {address}: {error}") from None
    stack.enter_context(parallel_config(backend="dask"))
    return stack
