"""graphclust detect: communities of a graph."""

from __future__ import annotations

import json
import platform
import sys
import time
from contextlib import nullcontext
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Annotated, Any

import typer

from graphclust.cli.common import (
    GraphPath,
    Output,
    Quiet,
    Reading,
    Seed,
    Verbose,
    check_files,
    output,
    parse_pairs,
    say,
)

if TYPE_CHECKING:
    from graphclust.graph import Graph
    from graphclust.results.communities import Communities

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

    if parameter not in METHODS.named(method).parameters():
        others = [name for name, kind in METHODS.items() if parameter in kind.parameters()]
        raise UsageError(f"{method} does not take {option}; {', '.join(others)} {'do' if len(others) > 1 else 'does'}")


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

    labels = read_partition(path, None, nodes)
    if not isinstance(labels, dict):
        communities, labels = labels, {node: label for label, members in enumerate(labels) for node in members}
        if len(labels) < sum(map(len, communities)):
            raise DataError("the communities overlap, but known labels need one label per node", path)
    ids = {str(node): node for node in nodes}
    for name in map(str, labels):
        if name not in ids:
            raise DataError(f"{name!r} has a known label but is not a node of the graph", path)
    return {ids[str(name)]: label for name, label in labels.items()}


@dataclass
class _Stopwatch:
    """Seconds that the steps of a run take."""

    seconds: dict[str, float]
    last: float

    @classmethod
    def start(cls) -> _Stopwatch:
        return cls({}, time.perf_counter())

    def lap(self, step: str) -> None:
        now = time.perf_counter()
        self.seconds[step], self.last = now - self.last, now


def detect(
    graph: GraphPath,
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
    param: Annotated[
        list[str] | None,
        typer.Option(
            "--param",
            metavar="NAME=VALUE",
            help="Parameter of the method; `graphclust methods --format json` lists them. Repeatable.",
        ),
    ] = None,
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
            metavar="sbm|dc-sbm|planted|none",
            help="Block model that improves the method's partition; auto compares two unless one is chosen.",
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
    features: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="Node features: a table with one node per line, or .npy. Used by clam, cnc and lnscc, and by acp, "
            "acp-s, ccp and ncp if the graph has no edges.",
        ),
    ] = None,
    device: Annotated[str, typer.Option(metavar="auto|cpu|cuda", help="Device of neural methods.")] = "auto",
    out: Output = None,
    format: Annotated[
        str | None,
        typer.Option(
            metavar="tsv|csv|json|cmty|clu|graphml|gexf|parquet",
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
    quiet: Quiet = False,
    verbose: Verbose = False,
    reading: Reading,
) -> None:
    """Find the communities of a graph.

    Prints a table with the columns node and community, and with the confidence if the method estimates it. Community 0
    is the largest.
    """
    from graphclust import detection
    from graphclust.io.source import suffix_of
    from graphclust.results.files import result_format
    from graphclust.runtime.notes import log_notes
    from graphclust.runtime.progress import task

    watch = _Stopwatch.start()
    is_page = out is not None and format is None and suffix_of(out) in (".html", ".htm")
    kind = "html" if is_page else result_format(out, format)
    check_files(
        {"--out": out, "--manifest": manifest, "--report": report},
        graph=graph,
        known=known,
        features=features,
        nodes=reading.nodes,
    )
    params = _method_params(method, param, samples, effort, refine)
    if known is not None:
        _check_takes(method, "known", "--known")
    if features is not None:
        _check_takes_features(method)
    # report a typo before a large file is read
    detection.prepare(method, n_clusters, seed, device, refine=refine, **params)
    loaded = reading.read(graph)
    if features is not None:
        from graphclust.io.features import read_features

        _check_reads_features(method, loaded.num_edges)
        loaded.x = read_features(features, loaded.nodes)
    if known is not None:
        params["known"] = _known_labels(known, loaded.nodes)
    watch.lap("read")
    communities = detection.detect(loaded, method, n_clusters, seed, device, refine=refine, **params)
    watch.lap("detect")
    with task("measuring"):
        quality = communities.quality()
    watch.lap("quality")
    log_notes(communities.notes[len(loaded.meta.get("notes", ())) :])  # the reader's notes have been shown
    _write_result(communities, out, kind)
    watch.lap("write")
    record = {
        "graphclust": _versions(),
        "command": ["graphclust", *sys.argv[1:]],
        "input": _describe_input(loaded),
        "method": communities.method,
        "requested_method": method,
        "params": _plain(communities.params),
        "seed": seed,
        "n_clusters": communities.n_clusters,
        "quality": quality,
        "notes": [note.to_dict() for note in communities.notes],
        "explanation": _plain(communities.details),
        "output": {"path": out, "format": kind},
        "seconds": watch.seconds,
    }
    if report is not None:
        _write_report(communities, record, report)
    if manifest is not None:
        _write_manifest(record, manifest)
    if not quiet:
        _summarise(communities, quality, kind, verbose)


def _write_result(communities: Communities, out: str | None, kind: str) -> None:
    from graphclust.results.files import write_result
    from graphclust.runtime.progress import task

    if kind == "html" and out is not None:
        communities.save(out, "html")
        return
    with task("writing") if out is not None else nullcontext(), output(out) as stream:
        write_result(communities, stream, kind)


def _write_report(communities: Communities, record: dict[str, Any], path: str) -> None:
    from graphclust.io.files import replacing
    from graphclust.report.page import html_report
    from graphclust.runtime.progress import task

    with task("drawing"):
        page = html_report(communities, manifest=record).encode()
    with replacing(path) as stream:
        stream.write(page)


def _write_manifest(record: dict[str, Any], path: str) -> None:
    from graphclust.io.files import replacing

    with replacing(path) as stream:
        stream.write(json.dumps(record, indent=2, ensure_ascii=False).encode(errors="backslashreplace") + b"\n")


def _summarise(communities: Communities, quality: dict[str, Any], kind: str, verbose: bool) -> None:
    """Print what the output format dropped, and one line on the result or, with --verbose, a report."""
    from graphclust.io import carried
    from graphclust.report.text import text_report

    graph = communities.graph
    if kind in ("graphml", "gexf") and (dropped := carried(graph, kind)[1]):
        say(f"attributes dropped: {', '.join(dropped)}")
    if verbose:
        for line in text_report(communities).splitlines():
            say(line)
    else:
        say(
            f"{graph.num_nodes:,} nodes, {graph.num_edges:,} edges -> {communities.n_clusters:,} communities "
            f"({communities.method}, modularity {quality['modularity']:.4f}, {communities.seconds:.2f} s)"
        )


def _describe_input(graph: Graph) -> dict[str, Any]:
    return {
        "path": graph.meta.get("source"),
        "sha256": graph.meta.get("sha256"),
        "format": graph.meta.get("format"),
        "nodes": graph.num_nodes,
        "edges": graph.num_edges,
        "directed": graph.directed,
        "weighted": graph.is_weighted,
        "self_loops": graph.num_self_loops,
        "notes": [note.to_dict() for note in graph.meta.get("notes", ())],
    }


def _plain(value: Any) -> Any:
    from graphclust.runtime.serialize import plain

    return plain(value)


def _versions() -> dict[str, str | None]:
    versions: dict[str, str | None] = {"python": platform.python_version(), "platform": platform.platform()}
    for package in ("graphclust", "igraph", "numpy", "scipy", "torch"):
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            versions[package] = None
    return versions
