"""graphclust links: edges that are probably missing from a graph, and edges that are doubtful."""

from __future__ import annotations

import json
from typing import Annotated, Any

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
    say,
)
from graphclust.cli.table import write_rows

__all__ = ["links"]


def links(
    graph: GraphPath,
    *,
    number: Annotated[
        int, typer.Option("--number", "-n", min=1, metavar="N", help="How many edges of each kind to print.")
    ] = 20,
    pairs: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Print the probabilities of these pairs instead: a table of two columns."),
    ] = None,
    result: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Communities that `detect` has written; by default they are detected."),
    ] = None,
    method: Annotated[str, typer.Option("--method", "-m", metavar="NAME", help="Method of the communities.")] = "auto",
    n_clusters: Annotated[
        int | None, typer.Option("--n-clusters", "-k", min=1, help="Exact number of communities.", show_default=False)
    ] = None,
    seed: Seed = 0,
    param: Param = None,
    threads: ThreadCount = None,
    format: Annotated[str, typer.Option(metavar="table|tsv|csv|json", help="Output format.")] = "table",
    out: Output = None,
    quiet: Quiet = False,
    reading: Reading,
) -> None:
    """Find the most probable missing edges of a graph, and the most doubtful present ones.

    Prints pairs of nodes with the probability that they are joined, given the communities and all other pairs. With
    auto and other methods that have a posterior, the probability is an average over partitions.
    """
    from graphclust.cli.detect import parse_params
    from graphclust.detection import detect, prepare
    from graphclust.errors import UsageError
    from graphclust.results.communities import Communities
    from graphclust.runtime.notes import log_notes
    from graphclust.runtime.threads import limited_threads

    check_format(format, "table", "tsv", "csv", "json")
    check_files({"--out": out}, graph=graph, result=result, pairs=pairs, nodes=reading.nodes)
    params = parse_params(param)
    if result is not None and (params or n_clusters or method != "auto"):
        raise UsageError("--result has the communities: leave out --method, -k and --param")
    prepare(method, n_clusters, seed, **params)  # report a wrong parameter before a large file is read
    loaded = reading.read(graph)
    with limited_threads(threads):
        if result is not None:
            communities = Communities.load(result, loaded)
        else:
            communities = detect(loaded, method, n_clusters, seed, **params)
            log_notes(communities.notes[len(loaded.meta.get("notes", ())) :])
        rows: list[dict[str, Any]]
        if pairs is not None:
            chosen = _read_pairs(pairs, loaded)
            values = communities.predict_proba(chosen).tolist()
            joined = [{"source": a, "target": b, "probability": p} for (a, b), p in zip(chosen, values, strict=True)]
            rows, content = joined, {"pairs": joined}
        else:
            content = communities.links(number).to_dict()
            rows = [{"kind": kind, **row} for kind, kind_rows in content.items() for row in kind_rows]
    with output(out) as stream:
        if format == "json":
            stream.write(json.dumps(content, ensure_ascii=False, default=str).encode() + b"\n")
        else:
            texts = ("source", "target")  # ids are no numbers
            names = (*(() if pairs is not None else ("kind",)), *texts, "probability")
            write_rows([row | {name: str(row[name]) for name in texts} for row in rows], stream, format, names)
    if not quiet:
        say(f"{communities.n_clusters:,} communities by {communities.method}")


def _read_pairs(path: str, graph: Any) -> list[tuple[Any, Any]]:
    """Read pairs of nodes: the edges of a file, with the graph's own ids.

    Raises
    ------
    DataError
        A node that the graph does not have.
    """
    from graphclust.errors import DataError
    from graphclust.inputs import read_graph

    ids = {str(node): node for node in graph.nodes}
    chosen = []
    for source, target, *_ in read_graph(path, directed=True).edges():
        for node in (source, target):
            if str(node) not in ids:
                raise DataError(f"node {node!r:.60} is not in the graph", path)
        chosen.append((ids[str(source)], ids[str(target)]))
    return chosen
