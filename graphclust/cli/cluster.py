"""graphclust cluster: clusters of points, the rows of a table."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from graphclust.cli.common import (
    Device,
    Output,
    Param,
    Quiet,
    Seed,
    ThreadCount,
    Verbose,
    printed_on_stderr,
    say,
)
from graphclust.cli.detect import parse_params
from graphclust.cli.outputs import Outputs, Stopwatch, record_of

__all__ = ["cluster"]

_PANEL = "How to read TABLE"


def cluster(
    table: Annotated[
        str,
        typer.Argument(
            metavar="TABLE",
            help="A table with a row for each point (CSV, TSV, Excel, parquet, .npy), or - for standard input.",
            show_default=False,
        ),
    ],
    *,
    n_clusters: Annotated[
        int | None,
        typer.Option(
            "--n-clusters",
            "-k",
            min=1,
            help="Exact number of clusters; by default, clam chooses.",
            show_default=False,
        ),
    ] = None,
    method: Annotated[
        str,
        typer.Option("--method", "-m", metavar="clam|cnc|lnscc|acp|...", help="Method that takes points."),
    ] = "clam",
    label_column: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Column with the true classes, to score the clusters against. The method does not see it.",
            rich_help_panel=_PANEL,
        ),
    ] = None,
    id_column: Annotated[
        str | None,
        typer.Option("--id", metavar="NAME", help="Column with the ids of the rows.", rich_help_panel=_PANEL),
    ] = None,
    columns: Annotated[
        str | None,
        typer.Option(
            metavar="A,B,C",
            help="Columns to use, by name or number from 1; by default all columns of numbers.",
            rich_help_panel=_PANEL,
        ),
    ] = None,
    missing: Annotated[
        str,
        typer.Option(metavar="refuse|drop|mean", help="How to treat rows with missing values.", rich_help_panel=_PANEL),
    ] = "refuse",
    delimiter: Annotated[
        str | None,
        typer.Option(metavar="CHAR", help="Column separator: a character, or tab, comma, ...", rich_help_panel=_PANEL),
    ] = None,
    header: Annotated[
        bool | None,
        typer.Option("--header/--no-header", help="Whether the first line names the columns.", rich_help_panel=_PANEL),
    ] = None,
    encoding: Annotated[str | None, typer.Option(metavar="NAME", help="Text encoding.", rich_help_panel=_PANEL)] = None,
    seed: Seed = 0,
    param: Param = None,
    device: Device = "auto",
    threads: ThreadCount = None,
    out: Output = None,
    format: Annotated[
        str | None,
        typer.Option(
            metavar="tsv|csv|json|cmty|clu|parquet",
            help="Output format; by default from the extension of FILE, otherwise tsv.",
        ),
    ] = None,
    manifest: Annotated[
        str | None, typer.Option(metavar="FILE.json", help="Record the input, the settings and the result.")
    ] = None,
    report: Annotated[
        str | None, typer.Option(metavar="FILE.html", help="Write a page with a drawing, sizes and a table of rows.")
    ] = None,
    figure: Annotated[
        str | None,
        typer.Option(metavar="FILE.png|svg|pdf", help="Draw the points in their two principal components."),
    ] = None,
    summary: Annotated[
        bool,
        typer.Option(
            "--summary",
            help="Print the size of each cluster, and its means of the columns that differ most. "
            "The table of rows then goes to --out only.",
        ),
    ] = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Find clusters among the rows of a table.

    Prints a table with the columns node, which is the id or the number of the row from 0, and community, which is its
    cluster. Cluster 0 is the largest.
    """
    from graphclust.detection import prepare
    from graphclust.detection.points import check_method, cluster_table, profile, silhouette
    from graphclust.io.point_table import read_point_table
    from graphclust.runtime.notes import counted, log_notes
    from graphclust.runtime.threads import limited_threads

    outputs = Outputs(out, format, manifest, report, figure, summary=summary)
    outputs.check(table=table)
    params = parse_params(param)
    check_method(method, n_clusters)
    prepare(method, n_clusters, seed, device, **params)  # report a typo before a large file is read
    watch = Stopwatch.start()
    points = read_point_table(
        table,
        label_column=label_column,
        id_column=id_column,
        columns=columns,
        missing=missing,
        delimiter=delimiter,
        header=header,
        encoding=encoding,
    )
    log_notes(points.notes, points.source or table)
    watch.lap("read")
    with limited_threads(threads), printed_on_stderr():
        communities = cluster_table(points, n_clusters, method, random_state=seed, device=device, **params)
    watch.lap("detect")
    log_notes(communities.notes[len(points.notes) :])
    quality: dict[str, Any] = {"silhouette": silhouette(points.x, communities.labels, seed)}
    if points.labels is not None:
        quality |= communities.score(points.labels)
    record = record_of(communities, method, seed, quality)
    rows = profile(points, communities.labels) if summary else None
    outputs.write(communities, record, watch.seconds, rows)
    if quiet:
        return
    shown = "" if quality["silhouette"] is None else f", silhouette {quality['silhouette']:.3f}"
    clusters = counted(communities.n_clusters, "cluster")
    say(
        f"{counted(len(points.ids), 'row')}, {counted(len(points.columns), 'column')} -> {clusters} "
        f"({communities.method}{shown}, {communities.seconds:.2f} s)"
    )
    if points.labels is not None:
        scores = f"AMI {quality['ami']:.3f}, ARI {quality['ari']:.3f}, accuracy {quality['accuracy']:.3f}"
        say(f"agreement with {label_column}: {scores}")
