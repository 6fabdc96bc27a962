"""graphclust compare: several methods on one graph."""

from __future__ import annotations

import csv
import io
import json
from typing import Annotated, Any

import typer

from graphclust.cli.common import (
    GraphPath,
    Output,
    Quiet,
    Reading,
    Seed,
    check_files,
    check_format,
    output,
    print_table,
    say,
)
from graphclust.errors import GraphclustError, UsageError

__all__ = ["compare"]

_MEASURES = ("modularity", "coverage", "mean_conductance", "normalized_cut")


def compare(
    graph: GraphPath,
    *,
    methods: Annotated[
        str | None,
        typer.Option(metavar="A,B,C", help="Methods; by default all that do not need the number of communities."),
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
    param: Annotated[
        list[str] | None,
        typer.Option("--param", metavar="NAME=VALUE", help="Parameter of the methods that have it. Repeatable."),
    ] = None,
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

    The row of a method that fails contains its error.
    """
    from graphclust.cli.detect import parse_params
    from graphclust.detection import prepare
    from graphclust.io.partition import read_partition
    from graphclust.methods import METHODS

    check_format(format, "table", "json", "csv")
    check_files({"--out": out}, graph=graph, truth=truth, nodes=reading.nodes)
    if methods is None:
        names = [name for name, kind in METHODS.items() if n_clusters or kind.takes_n_clusters != "required"]
    else:
        names = [name.strip() for name in methods.split(",") if name.strip()]
    if not names:
        raise UsageError("--methods names no method")
    params = parse_params(param)
    if samples is not None:
        params["n_samples"] = samples
    kinds = {name: METHODS.named(name) for name in names}
    for key in params:
        if not any(key in kind.parameters() for kind in kinds.values()):
            raise UsageError(f"none of {', '.join(names)} has a parameter {key!r}")
    method_params = {name: {k: v for k, v in params.items() if k in kind.parameters()} for name, kind in kinds.items()}
    for name in names:
        prepare(name, None, seed, **method_params[name])  # report a wrong parameter before a large file is read
    loaded = reading.read(graph)
    known = None if truth is None else read_partition(truth, truth_format, loaded.nodes, column=truth_column)
    rows = [_row(loaded, name, n_clusters, seed, known, quiet, method_params[name]) for name in names]
    n_scored = min((int(row["n_scored"]) for row in rows if row.get("n_scored") is not None), default=None)
    if n_scored is not None and n_scored < loaded.num_nodes and not quiet:
        say(f"scored {n_scored:,} of {loaded.num_nodes:,} nodes; the ground truth does not cover the others")
    if len({tuple(row) for row in rows}) > 1:  # rows of failed methods lack the measures
        keys = list(dict.fromkeys(key for row in rows for key in row))
        rows = [{key: row.get(key) for key in keys} for row in rows]
    with output(out) as stream:
        if format == "json":
            stream.write(json.dumps(rows).encode() + b"\n")
        elif format == "csv":
            text = io.StringIO()
            writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
            stream.write(text.getvalue().encode())
        else:
            print_table(rows, stream)
    if rows and all(row.get("error") for row in rows):
        raise GraphclustError("every method failed")


def _row(
    graph: Any, name: str, n_clusters: int | None, seed: int, truth: Any, quiet: bool, params: dict[str, Any]
) -> dict[str, Any]:
    from graphclust.detection import detect
    from graphclust.methods import METHODS

    k = n_clusters if METHODS[name].takes_n_clusters != "no" else None
    row: dict[str, Any] = {"method": name}
    try:
        communities = detect(graph, name, k, seed, **params)
        row |= {"n_clusters": communities.n_clusters, "seconds": round(communities.seconds, 4)}
        row |= {measure: communities.quality()[measure] for measure in _MEASURES}
        if truth is not None:
            row |= communities.score(truth)
    except GraphclustError as error:
        if not quiet:
            say(f"{name}: {error}")
        row["error"] = str(error)
    return row
