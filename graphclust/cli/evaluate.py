"""graphclust evaluate: compare a partition with a ground truth, and measure its quality on its graph."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from graphclust.cli.common import Output, Quiet, Reading, check_files, check_format, output, say
from graphclust.cli.table import print_table
from graphclust.errors import DataError, UsageError

__all__ = ["evaluate"]


def evaluate(
    predicted: Annotated[str, typer.Argument(metavar="PREDICTED", help="A result of `detect`, in any format.")],
    *,
    truth: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Ground truth: one `node label` per line, or one community per line (cmty)."),
    ] = None,
    graph: Annotated[
        str | None, typer.Option(metavar="GRAPH", help="Also measure the quality of the partition on this graph.")
    ] = None,
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
    predicted_format: Annotated[
        str | None, typer.Option(metavar="labels|cmty", help="The same for PREDICTED. Detected by default.")
    ] = None,
    predicted_column: Annotated[
        str | None, typer.Option(metavar="NAME", help="Column of the labels in PREDICTED.")
    ] = None,
    format: Annotated[str, typer.Option(metavar="table|json", help="Output format.")] = "table",
    out: Output = None,
    quiet: Quiet = False,
    reading: Reading,
) -> None:
    """Compare a partition with a ground truth, and measure its quality on a graph.

    If the ground truth covers only some of the nodes, the scores ignore the others, and a line on stderr counts them.
    """
    from graphclust.io.partition import read_partition
    from graphclust.results.communities import compare_to_truth
    from graphclust.runtime.notes import counted

    check_format(format, "table", "json")
    check_files({"--out": out}, predicted=predicted, truth=truth, graph=graph, nodes=reading.nodes)
    if truth is None and graph is None:
        raise UsageError("nothing to evaluate against: add --truth, --graph or both")
    loaded = None if graph is None else reading.read(graph)
    nodes = None if loaded is None else loaded.nodes
    partition = read_partition(predicted, predicted_format, nodes, column=predicted_column, role="predicted")
    result: dict[str, Any] = {}
    if truth is not None:
        scored = list(partition) if nodes is None and isinstance(partition, dict) else nodes
        true = read_partition(truth, truth_format, scored, column=truth_column)
        result |= compare_to_truth(partition, true)
        unknown = _nodes_of(true) - _nodes_of(partition)
        if unknown and not quiet:
            number = counted(len(unknown), "node")
            say(f"ignored {number} of the ground truth, such as {min(unknown)}, that the partition does not have")
        n_scored = int(result["n_scored"])
        n_nodes = len(_nodes_of(partition))
        if n_scored < n_nodes and not quiet:
            say(f"scored {n_scored:,} of {n_nodes:,} nodes; the ground truth does not cover the others")
    if loaded is not None:
        result |= _quality(partition, loaded)
    with output(out) as stream:
        if format == "json":
            stream.write(json.dumps(result).encode() + b"\n")
        else:
            print_table(
                [{"measure": name, "value": value} for name, value in result.items() if name != "sizes"], stream
            )


def _nodes_of(partition: Any) -> set[str]:
    """Return the ids of the nodes of a partition or a cover."""
    return set(map(str, partition if isinstance(partition, dict) else set().union(*partition)))


def _quality(partition: Any, graph: Any) -> dict[str, Any]:
    import numpy as np

    from graphclust import metrics
    from graphclust.runtime.notes import counted

    if not isinstance(partition, dict):
        members = sum(map(len, partition))
        partition = {node: label for label, part in enumerate(partition) for node in part}
        if len(partition) < members:
            raise DataError("cannot measure the quality of communities that overlap: leave out --graph")
    names = [str(node) for node in graph.nodes]
    missing = [name for name in names if name not in partition]
    if missing:
        raise DataError(
            f"the partition has no label for {counted(len(missing), 'node')} of the graph, such as {missing[0]!r}"
        )
    number: dict[Any, int] = {}
    labels = np.array([number.setdefault(partition[name], len(number)) for name in names], dtype=np.int64)
    return metrics.quality(graph, metrics.rank_labels(labels))
