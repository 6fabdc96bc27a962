"""graphclust study: measure how well methods recover planted partitions over a grid of random graphs."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from graphclust.cli.common import Output, Quiet, check_files, output, say
from graphclust.errors import GraphclustError, UsageError
from graphclust.runtime.notes import counted

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["study"]


def study(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME|FILE.toml",
            help="recovery, mixing, number-of-communities, size, density, or a TOML file with your own study.",
            show_default=False,
        ),
    ],
    *,
    methods: Annotated[
        str | None,
        typer.Option(
            metavar="A,B,C",
            help="Methods, instead of those of the study. Methods that need the number of communities get the true "
            "number.",
        ),
    ] = None,
    graphs: Annotated[
        int | None, typer.Option(min=1, help="Graphs per point of the grid, instead of the study's number.")
    ] = None,
    seed: Annotated[
        int | None, typer.Option(min=0, help="Random seed, instead of the study's.", show_default=False)
    ] = None,
    jobs: Annotated[
        int, typer.Option("--jobs", "-j", metavar="N", help="Number of processes; -1 for one per core.")
    ] = -1,
    dask: Annotated[
        str | None,
        typer.Option(metavar="local[:N]|tcp://HOST:PORT", help="Run on the workers of a Dask cluster."),
    ] = None,
    shard: Annotated[
        str | None,
        typer.Option(
            metavar="I/N",
            help="Measure every N-th graph, as on one of N machines: 1/N, 2/N, ... Needs --out.",
            show_default=False,
        ),
    ] = None,
    merge: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FILE.cells.jsonl",
            help="Measure nothing, but put the measurements of shards together; once for each file.",
            show_default=False,
        ),
    ] = None,
    figure: Annotated[
        str | None, typer.Option(metavar="FILE.png", help="Draw the results as curves or heat maps.")
    ] = None,
    measure: Annotated[
        str | None, typer.Option(metavar="ami|nmi|ari|accuracy", help="Measure in the figure; ami by default.")
    ] = None,
    out: Output = None,
    quiet: Quiet = False,
) -> None:
    """Run methods over a grid of random graphs and print a tidy table.

    The table is CSV, or parquet with --out FILE.parquet. With --out FILE, every measurement is stored immediately in
    FILE.cells.jsonl, and the same command resumes an interrupted study.
    """
    from dataclasses import replace

    from graphclust.io.files import is_special
    from graphclust.studies.study import axes_of, draw, merged, run, study_named

    if jobs < 1 and jobs != -1:
        raise UsageError("--jobs takes a number of processes, or -1 for one per core")
    if measure is not None and figure is None:
        raise UsageError("--measure chooses what the figure shows: add --figure FILE.png")
    if figure is not None and Path(figure).suffix.lower() not in (".png", ".pdf", ".svg"):
        raise UsageError(f"a figure must be a png, pdf or svg file: --figure {Path(figure).stem}.png")
    part = None if shard is None else _part(shard)
    if part is not None and (out is None or out == "-" or merge):
        raise UsageError("--shard needs --out FILE, whose measurements --merge puts together later")
    check_files({"--out": out, "--figure": figure}, graph=name if name.endswith(".toml") else None)
    chosen = study_named(name)
    if methods is not None:
        chosen = chosen.with_methods([label.strip() for label in methods.split(",") if label.strip()])
    if graphs is not None:
        chosen = replace(chosen, n_graphs=graphs)
    if seed is not None:
        chosen = replace(chosen, seed=seed)
    if figure is not None:
        axes_of(chosen, measure or "ami")  # report that a figure is impossible before hours of measuring
    to_file = out is not None and out != "-" and not is_special(out)
    journal = f"{out}.cells.jsonl" if to_file else None
    if not quiet and not merge:
        size = f"{counted(len(chosen.cells()), 'cell')}, {counted(len(chosen.points()), 'point')} of the grid"
        if journal:
            say(f"{size}; storing measurements in {journal}")
        else:
            say(f"{size}; measurements are not stored: add --out FILE to be able to resume an interrupted study")
    if merge:
        table = merged(chosen, merge)
    else:
        with _cluster(dask):
            table = run(chosen, journal, jobs, shard=part)
    with output(out) as stream:
        if out is not None and out.endswith(".parquet"):
            _with_uniform_columns(table).to_parquet(stream, index=False)
        else:
            stream.write(table.to_csv(index=False, lineterminator="\n").encode())
    if figure is not None:
        from graphclust.io.files import replacing

        drawn = draw(table, chosen, measure or "ami")
        with replacing(figure) as stream:
            drawn.savefig(stream, format=os.path.splitext(figure)[1][1:].lower(), dpi=150)
    labels = table.groupby("method", sort=False)["error"]
    useless = [str(label) for label, errors in labels if errors.notna().all()]
    if useless:
        raise GraphclustError(f"{' and '.join(useless)} failed in every cell")


def _part(text: str) -> tuple[int, int]:
    """Parse the number of a shard and the number of shards, as 2/8."""
    number, slash, n_shards = text.partition("/")
    if not (slash and number.isdecimal() and n_shards.isdecimal()):
        raise UsageError(f"--shard takes a number and the number of shards, such as 2/8, not {text!r}")
    return int(number), int(n_shards)


def _with_uniform_columns(table: pd.DataFrame) -> pd.DataFrame:
    """Convert columns of several types, such as numbers and ranges, to text."""
    for name in [name for name, kind in table.dtypes.items() if kind.kind == "O"]:
        values = table[name].dropna()
        if values.map(type).nunique() > 1:
            table = table.assign(**{str(name): values.map(str)})
    return table


@contextmanager
def _cluster(where: str | None) -> Iterator[None]:
    """Let joblib run its tasks on a Dask cluster in this block; None for none."""
    if where is None:
        yield
        return
    from joblib import parallel_config

    from graphclust.runtime.cluster import dask_client

    with dask_client(where), parallel_config(backend="dask"):
        yield
