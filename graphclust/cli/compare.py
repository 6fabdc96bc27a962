"""graphclust compare: several methods on one graph."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from graphclust.cli.common import (
    GraphPath,
    Output,
    Param,
    Quiet,
    Reading,
    Seed,
    ThreadCount,
    check_files,
    check_format,
    output,
    printed_on_stderr,
    say,
)
from graphclust.cli.table import write_rows
from graphclust.errors import GraphclustError, UsageError

__all__ = ["compare"]


def compare(
    graph: GraphPath,
    *,
    methods: Annotated[
        str | None,
        typer.Option(metavar="A,B,C", help="Methods; by default all but ncp that need no number of communities."),
    ] = None,
    truth: Annotated[str | None, typer.Option(metavar="FILE", help="Ground truth to score against.")] = None,
    truth_format: Annotated[
        str | None,
        typer.Option(
            metavar="labels|cmty",
            help="labels: one `node label` per line; cmty: one community per line. Detected by default.",
        ),
    ] = None,
    truth_column: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Column of the labels in the ground truth, by name or by number from 1."),
    ] = None,
    n_clusters: Annotated[
        int | None,
        typer.Option(
            "--n-clusters",
            "-k",
            min=1,
            help="Number of communities, for the methods that accept one.",
            show_default=False,
        ),
    ] = None,
    seed: Seed = 0,
    param: Param = None,
    threads: ThreadCount = None,
    repeats: Annotated[
        int,
        typer.Option(
            min=1, metavar="N", help="Runs of each method, with different seeds: prints means and deviations."
        ),
    ] = 1,
    samples: Annotated[
        int | None,
        typer.Option(
            "--samples",
            min=1,
            metavar="N",
            help="Number of partitions to draw, for the methods that return a posterior.",
        ),
    ] = None,
    format: Annotated[str, typer.Option(metavar="table|json|csv", help="Output format.")] = "table",
    out: Output = None,
    quiet: Quiet = False,
    reading: Reading,
) -> None:
    """Run several methods on one graph and print one row per method.

    With --repeats, the measures are means, the columns that end with _std are standard deviations, and stability is
    the mean AMI between two runs of a method. The row of a method that fails contains its error.
    """
    from graphclust.cli.detect import parse_params
    from graphclust.detection import prepare
    from graphclust.detection.comparison import compared, labelled_methods, parameters_of_each
    from graphclust.io.partition import read_partition
    from graphclust.runtime.threads import limited_threads

    check_format(format, "table", "json", "csv")
    check_files({"--out": out}, graph=graph, truth=truth, nodes=reading.nodes)
    listed = None if methods is None else [name.strip() for name in methods.split(",") if name.strip()]
    if listed is not None and not listed:
        raise UsageError("--methods names no method")
    labelled = labelled_methods(listed, n_clusters)
    params = parse_params(param)
    if samples is not None:
        params["n_samples"] = samples
    for label, own in parameters_of_each(labelled, params).items():
        prepare(labelled[label], None, seed, **own)  # report a wrong parameter before a large file is read
    loaded = reading.read(graph)
    known = None if truth is None else read_partition(truth, truth_format, loaded.nodes, column=truth_column)
    rows = []
    with limited_threads(threads), printed_on_stderr():
        for row in compared(loaded, labelled, n_clusters, known, repeats, seed, params):
            if "error" in row and not quiet:
                label, error = str(row["method"]), str(row["error"])
                say(error if error.startswith(label) else f"{label}: {error}")
            rows.append(row)
    n_scored = min((int(row["n_scored"]) for row in rows if row.get("n_scored") is not None), default=None)
    if n_scored is not None and n_scored < loaded.num_nodes and not quiet:
        say(f"scored {n_scored:,} of {loaded.num_nodes:,} nodes; the ground truth does not cover the others")
    if len({tuple(row) for row in rows}) > 1:  # not all methods have all measures
        keys = list(dict.fromkeys(key for row in rows for key in row))
        rows = [{key: row.get(key) for key in keys} for row in rows]
    with output(out) as stream:
        if format == "json":
            stream.write(json.dumps(rows).encode() + b"\n")
        else:
            write_rows(rows, stream, format)
    if rows and all(row.get("error") for row in rows):
        raise GraphclustError("every method failed")
