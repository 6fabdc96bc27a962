"""graphclust detect: communities of a graph."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

import typer

from graphclust.cli.common import (
    Device,
    Output,
    Param,
    Quiet,
    Reading,
    Seed,
    ThreadCount,
    Verbose,
    parse_pairs,
    printed_on_stderr,
    say,
)
from graphclust.cli.outputs import Outputs, Stopwatch, names_of_results, record_of

__all__ = ["detect"]

_OWN_OPTIONS = {  # parameters that --param does not set
    "n_clusters": "-k",
    "random_state": "--seed",
    "device": "--device",
    "method": "--method",
    "n_samples": "--samples",
    "known": "--known",
    "refine": "--refine",
    "effort": "--effort",
    "hierarchy": "--hierarchy",
    "bipartite": "--bipartite",
    "min_size": "--min-size",
    "max_size": "--max-size",
    "start": "--start",
    "seeds": "--seeds",
    "overlapping": "--overlapping",
}


def parse_params(pairs: list[str] | None) -> dict[str, Any]:
    """Parse the NAME=VALUE pairs of --param into parameters of a method."""
    from graphclust.errors import UsageError

    params = parse_pairs("--param", pairs)
    if "graph" in params:
        raise UsageError("no method has a parameter named graph")
    for name in params.keys() & _OWN_OPTIONS.keys():
        raise UsageError(f"--param cannot set {name}: use the option {_OWN_OPTIONS[name]}")
    return params


def _check_takes(method: str, parameter: str, option: str) -> None:
    """Refuse an option that the method does not take."""
    from graphclust.errors import UsageError
    from graphclust.methods import METHODS

    def takes(kind: Any) -> bool:
        return parameter in kind.parameters() and (parameter != "start" or kind.takes_start)

    if not takes(METHODS.named(method)):
        others = [name for name, kind in METHODS.items() if takes(kind)]
        raise UsageError(f"{method} does not take {option}; {', '.join(others)} {'do' if len(others) > 1 else 'does'}")


def _taken(method: str, wanted: dict[str, tuple[str, Any]]) -> dict[str, Any]:
    """Return the parameters that are set, after a check that the method takes them; `wanted` has their options."""
    for name, (option, value) in wanted.items():
        if value is not None:
            _check_takes(method, name, option)
    return {name: value for name, (_, value) in wanted.items() if value is not None}


def _check_uses_cluster(method: str) -> None:
    """Refuse --cluster if the method works in one process."""
    from graphclust.errors import UsageError
    from graphclust.methods import METHODS

    if not METHODS.named(method).works_on_cluster:
        others = [name for name, kind in METHODS.items() if kind.works_on_cluster]
        raise UsageError(f"{method} does not use --cluster; {', '.join(others)} do")


def _check_takes_features(method: str) -> None:
    """Refuse --features if the method does not read features."""
    from graphclust.errors import UsageError
    from graphclust.methods import METHODS

    if not METHODS.named(method).takes_features:
        others = [name for name, kind in METHODS.items() if kind.takes_features]
        raise UsageError(f"{method} does not take --features; {', '.join(others)} do")


def _check_reads_features(method: str, n_edges: int) -> None:
    """Refuse --features if the graph has edges and the method reads features of points only."""
    from graphclust.errors import UsageError
    from graphclust.methods import METHODS

    if n_edges and "vectors" not in METHODS.named(method).parameters():
        others = [name for name, kind in METHODS.items() if "vectors" in kind.parameters()]
        raise UsageError(
            f"{method} reads --features only if the graph has no edges: leave out --features, or choose "
            f"{', '.join(others)}"
        )


def _method_params(
    method: str, param: list[str] | None, samples: int | None, effort: str | None, refine: str | None
) -> dict[str, Any]:
    """Return the parameters of the method that the options set."""
    params = parse_params(param)
    is_refined = refine not in (None, "none")  # refinement takes both options below for any method
    for name, option, value in (("n_samples", "--samples", samples), ("effort", "--effort", effort)):
        if value is not None:
            if not is_refined:
                _check_takes(method, name, option)
            params[name] = value
    return params


def _known_labels(path: str, nodes: Any) -> dict[Any, Any]:
    """Read the known labels of some nodes, keyed by the graph's own ids."""
    from graphclust.errors import DataError
    from graphclust.io.partition import read_partition
    from graphclust.runtime.notes import Note, counted, log_notes

    labels = read_partition(path, None, nodes)
    if not isinstance(labels, dict):
        communities, labels = labels, {node: label for label, members in enumerate(labels) for node in members}
        if len(labels) < sum(map(len, communities)):
            raise DataError("the communities overlap, but known labels need one label per node", path)
    ids = {str(node): node for node in nodes}
    unknown = [name for name in labels if str(name) not in ids]
    if len(unknown) == len(labels):
        raise DataError("no node with a known label is in the graph", path)
    if unknown:
        message = f"skipped the known labels of {counted(len(unknown), 'node')} that the graph does not have"
        log_notes([Note("unknown-nodes", f"{message}, such as {unknown[0]}", {"n_nodes": len(unknown)})], path)
    return {ids[str(name)]: label for name, label in labels.items() if str(name) in ids}


def detect(
    graphs: Annotated[
        list[str],
        typer.Argument(
            metavar="GRAPH...",
            help="Graph files, - for standard input, or data:NAME for a data set. Several need --out-dir.",
            show_default=False,
        ),
    ],
    *,
    method: Annotated[
        str,
        typer.Option(
            "--method",
            "-m",
            metavar="NAME",
            help="Method, see `graphclust methods`; auto compares several and chooses one.",
        ),
    ] = "auto",
    n_clusters: Annotated[
        int | None, typer.Option("--n-clusters", "-k", min=1, help="Exact number of communities.", show_default=False)
    ] = None,
    seed: Seed = 0,
    seeds: Annotated[
        int,
        typer.Option(
            min=1,
            metavar="N",
            help="Run the method with N seeds, and print the result that agrees best with the others, and the share of "
            "runs that agree about each node.",
        ),
    ] = 1,
    param: Param = None,
    samples: Annotated[
        int | None,
        typer.Option(
            "--samples",
            min=1,
            metavar="N",
            help="Number of partitions to draw, if the method returns a posterior; 64 by default.",
        ),
    ] = None,
    known: Annotated[
        str | None,
        typer.Option(
            "--known",
            metavar="FILE",
            help="Known labels of some nodes, one `node label` per line. For auto, acp, acp-s, ccp and ncp.",
        ),
    ] = None,
    refine: Annotated[
        str | None,
        typer.Option(
            metavar="MODEL",
            help="Block model that improves the method's partition: sbm, dc-sbm, microcanonical-sbm, assortative, "
            "assortative-uniform, planted or none; auto compares two or three unless one is chosen.",
        ),
    ] = None,
    effort: Annotated[
        str | None,
        typer.Option(
            metavar="low|normal|high",
            help="Search effort of auto and of --refine; normal by default.",
            show_default=False,
        ),
    ] = None,
    hierarchy: Annotated[
        bool,
        typer.Option(
            "--hierarchy",
            help="Find communities of communities: columns level_1 (the finest), level_2, ... For auto, leiden, "
            "louvain and infomap.",
        ),
    ] = False,
    overlapping: Annotated[
        bool,
        typer.Option(
            "--overlapping",
            help="Let nodes be in several communities: a row for each node and community, with its weight.",
        ),
    ] = False,
    min_size: Annotated[
        int | None,
        typer.Option(
            "--min-size",
            min=1,
            metavar="N",
            help="Fewest nodes of a community: smaller ones join others. For auto, leiden and louvain.",
            show_default=False,
        ),
    ] = None,
    max_size: Annotated[
        int | None,
        typer.Option(
            "--max-size", min=1, metavar="N", help="Most nodes: larger communities are divided.", show_default=False
        ),
    ] = None,
    start: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="An earlier result: start from its communities, which keep their numbers, and say what has changed. "
            "For auto, leiden and label-propagation.",
            show_default=False,
        ),
    ] = None,
    start_graph: Annotated[
        str | None,
        typer.Option(
            metavar="GRAPH",
            help="The graph that --start was found in: then only what has changed since is searched again.",
            show_default=False,
        ),
    ] = None,
    features: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="Node features: a table with one node per line, or .npy. Used by clam, cnc and lnscc, and by acp, "
            "acp-s, ccp and ncp if the graph has no edges.",
        ),
    ] = None,
    device: Device = "auto",
    threads: ThreadCount = None,
    cluster: Annotated[
        str | None,
        typer.Option(
            metavar="local[:N]|tcp://HOST:PORT",
            help="Dask cluster whose workers share the work of auto, leiden, louvain and label-propagation on a very "
            "large graph; local starts processes on this machine.",
        ),
    ] = None,
    out: Output = None,
    format: Annotated[
        str | None,
        typer.Option(
            metavar="tsv|csv|json|cmty|clu|graphml|gexf|parquet|newick|tree|graphrag",
            help="Output format; by default from the extension of FILE, otherwise tsv.",
        ),
    ] = None,
    manifest: Annotated[
        str | None, typer.Option(metavar="FILE.json", help="Record the input, the settings and the result.")
    ] = None,
    report: Annotated[
        str | None,
        typer.Option(metavar="FILE.html", help="Write a page with a drawing, sizes, quality and a table of nodes."),
    ] = None,
    figure: Annotated[
        str | None, typer.Option(metavar="FILE.png|svg|pdf", help="Draw the graph, coloured by community.")
    ] = None,
    positions: Annotated[
        str | None, typer.Option(metavar="FILE", help="Coordinates of the nodes in the figure: node, x, y.")
    ] = None,
    summary: Annotated[
        bool,
        typer.Option(
            "--summary",
            help="Print a table of the communities: size, density, conductance and strongest members. "
            "The table of nodes then goes to --out only.",
        ),
    ] = False,
    within: Annotated[
        int | None, typer.Option(metavar="N", help="Find the communities inside community N of the result.")
    ] = None,
    out_dir: Annotated[
        str | None,
        typer.Option(metavar="FOLDER", help="Write the results of one or more graphs to files in FOLDER."),
    ] = None,
    quiet: Quiet = False,
    verbose: Verbose = False,
    reading: Reading,
) -> None:
    """Find the communities of a graph.

    Prints a table with the columns node and community, and with the confidence if the method estimates it. Community 0
    is the largest, unless --start keeps the numbers of communities.
    """
    from dataclasses import replace

    from graphclust import detection
    from graphclust.methods import METHODS
    from graphclust.results.communities import Communities
    from graphclust.runtime.cluster import connected
    from graphclust.runtime.notes import log_notes
    from graphclust.runtime.progress import task
    from graphclust.runtime.threads import limited_threads

    outputs = Outputs(out, format, manifest, report, figure, positions, summary)
    inputs = {"known": known, "features": features, "nodes": reading.nodes, "start": start, "start_graph": start_graph}
    names = _check_outputs(graphs, outputs, out_dir, inputs)
    params = _method_params(method, param, samples, effort, refine)
    if known is not None:
        _check_takes(method, "known", "--known")
    _check_start(graphs, start, start_graph)
    wanted = {
        "hierarchy": ("--hierarchy", hierarchy or None),
        "min_size": ("--min-size", min_size),
        "max_size": ("--max-size", max_size),
        "start": ("--start", start),
    }
    params |= _taken(method, wanted)
    if reading.bipartite and "bipartite" in METHODS.named(method).parameters() and refine is None:
        params["bipartite"] = True
    if features is not None:
        _check_takes_features(method)
    if cluster is not None:
        _check_uses_cluster(method)
    # report a typo before a large file is read
    detection.prepare(method, n_clusters, seed, device, refine=refine, **params)
    if seeds > 1:
        params["seeds"] = seeds
    if overlapping:
        params["overlapping"] = True

    if start is not None and start_graph is not None:
        params["start"] = Communities.load(start, replace(reading, nodes=None).read(start_graph))

    def run(path: str, files: Outputs, about: str = "") -> None:
        seconds = Stopwatch.start()
        loaded = reading.read(path)
        if features is not None:
            from graphclust.io.features import read_features

            _check_reads_features(method, loaded.num_edges)
            loaded.x = read_features(features, loaded.nodes)
        labels: dict[str, Any] = {} if known is None else {"known": _known_labels(known, loaded.nodes)}
        seconds.lap("read")
        with printed_on_stderr():
            communities = detection.detect(loaded, method, n_clusters, seed, device, refine=refine, **params, **labels)
            if within is not None:
                needs_number = METHODS.named(method).takes_n_clusters == "required"
                number: dict[str, Any] = {"n_clusters": n_clusters} if needs_number else {}
                communities = communities.within(within, **number)
        seconds.lap("detect")
        with task("measuring"):
            quality = communities.quality()
        seconds.lap("quality")
        log_notes(communities.notes[len(loaded.meta.get("notes", ())) :])  # the reader's notes have been shown
        files.write(communities, record_of(communities, method, seed, quality), seconds.seconds)
        if not quiet:
            files.summarise(communities, quality, verbose=verbose, about=about)

    with limited_threads(threads), connected(cluster):
        if names is None:
            run(graphs[0], outputs)
        else:
            _run_all(graphs, names, lambda path, name: run(path, Outputs(name, outputs.format), path))


def _check_start(graphs: list[str], start: str | None, start_graph: str | None) -> None:
    """Refuse a start that would have to be read twice from standard input, or whose graph has no result.

    Raises
    ------
    UsageError
    """
    from graphclust.errors import UsageError

    if start_graph is not None and start is None:
        raise UsageError("--start-graph needs --start, the result that was found in it")
    if start == "-" and len(graphs) > 1 and start_graph is None:
        raise UsageError("standard input can be read once: several graphs need a file for --start")
    if [*graphs, start, start_graph].count("-") > 1:
        raise UsageError("only one of GRAPH, --start and --start-graph can be standard input")


def _check_outputs(
    graphs: list[str], outputs: Outputs, folder: str | None, inputs: dict[str, str | None]
) -> list[str] | None:
    """Check what is to be written; return the names of the results of several graphs, None for a single result.

    Raises
    ------
    UsageError
        Several graphs without a folder for their results, or with a file that there can be only one of.
    """
    from pathlib import Path

    from graphclust.errors import DataError, UsageError

    if folder is None:
        if len(graphs) > 1:
            raise UsageError(f"{len(graphs)} graphs need --out-dir FOLDER for their results")
        outputs.check(graph=graphs[0], **inputs)
        return None
    single = {
        "--out": outputs.out,
        "--manifest": outputs.manifest,
        "--report": outputs.report,
        "--figure": outputs.figure,
        "--summary": outputs.summary or None,
    }
    contradicting = [option for option, value in single.items() if value is not None]
    if contradicting:
        raise UsageError(f"--out-dir writes a result for each graph: leave out {contradicting[0]}")
    names = names_of_results(graphs, folder, outputs.kind())
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(f"cannot write: {error.strerror or error}", folder) from None
    for graph, name in zip(graphs, names, strict=True):
        Outputs(name).check(graph=graph, **inputs)
    return names


def _run_all(graphs: list[str], names: list[str], run: Callable[[str, str], None]) -> None:
    """Find the communities of several graphs, one after the other; those that fail do not stop the others.

    Raises
    ------
    GraphclustError
        Some graphs failed; counts them.
    """
    from graphclust.errors import GraphclustError

    n_failed = 0
    for graph, name in zip(graphs, names, strict=True):
        try:
            run(graph, name)
        except GraphclustError as error:
            say(str(error) if graph in str(error) else f"{graph}: {error}")
            n_failed += 1
    if n_failed:
        raise GraphclustError(f"{n_failed} of {len(graphs)} graphs failed")
