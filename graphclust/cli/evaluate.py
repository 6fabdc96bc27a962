"""graphclust evaluate: a partition against a truth, and on its graph."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from graphclust.cli.common import Output, Quiet, Reading, check_files, check_format, output, print_table, say
from graphclust.errors import DataError, UsageError

__all__ = ["evaluate"]


def evaluate(
    predicted: Annotated[str, typer.Argument(metavar="PREDICTED", help="A result of detect, in any format.")],
    *,
    truth: Annotated[
        str | None, typer.Option(metavar="FILE", help="`node label` a line, or one community a line (cmty).")
    ] = None,
    graph: Annotated[str | None, typer.Option(metavar="GRAPH", help="Measure the quality on this graph too.")] = None,
    truth_format: Annotated[
        str | None, typer.Option(metavar="labels|cmty", help="What the truth has on a line; found out by default.")
    ] = None,
    predicted_format: Annotated[
        str | None, typer.Option(metavar="labels|cmty", help="What PREDICTED has on a line; found out by default.")
    ] = None,
    format: Annotated[str, typer.Option(metavar="table|json")] = "table",
    out: Output = None,
    quiet: Quiet = False,
    reading: Reading,
) -> None:
    """Compare a partition with a ground truth, and measure its quality on a graph.

    A truth may cover a part of the nodes: the others are left out, and counted on stderr.
    """
    from graphclust.io.partition import read_partition
    from graphclust.results.communities import compare_to_truth

    check_format(format, "table", "json")
    check_files({"--out": out}, predicted=predicted, truth=truth, graph=graph)
    if truth is None and graph is None:
        raise UsageError("nothing to evaluate against: give --truth, --graph or both")
    loaded = None if graph is None else reading.read(graph)
    nodes = None if loaded is None else loaded.nodes
    partition = read_partition(predicted, predicted_format, nodes, "--predicted-format")
    result: dict[str, Any] = {}
    if truth is not None:
        result |= compare_to_truth(partition, read_partition(truth, truth_format, nodes))
        scored, total = (
            int(result["n_scored"]),
            len(partition if isinstance(partition, dict) else set().union(*partition)),
        )
        if scored < total and not quiet:
            say(f"scored on the {scored:,} of {total:,} nodes that the truth covers")
    if loaded is not None:
        result |= _quality(partition, loaded)
    with output(out) as stream:
        if format == "json":
            stream.write(json.dumps(result).encode() + b"\n")
        else:
            print_table(
                [{"measure": name, "value": value} for name, value in result.items() if name != "sizes"], stream
            )


def _quality(partition: Any, graph: Any) -> dict[str, Any]:
    import numpy as np

    from graphclust import metrics

    if not isinstance(partition, dict):
        members = sum(map(len, partition))
        partition = {node: label for label, part in enumerate(partition) for node in part}
        if len(partition) < members:
            raise DataError("communities that overlap have no quality on a graph: leave --graph away")
    names = [str(node) for node in graph.nodes]
    missing = [name for name in names if name not in partition]
    if missing:
        raise DataError(f"the partition has no label for {len(missing):,} nodes of the graph, {missing[0]!r} for one")
    number: dict[Any, int] = {}
    labels = np.array([number.setdefault(partition[name], len(number)) for name in names], dtype=np.int64)
    return metrics.quality(graph, metrics.rank_labels(labels))
