"""graphclust detect: communities of a graph."""

from __future__ import annotations

import json
import platform
import sys
import time
from contextlib import nullcontext
from importlib.metadata import PackageNotFoundError, version
from typing import Annotated, Any

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

__all__ = ["detect"]


def parse_params(pairs: list[str] | None) -> dict[str, Any]:
    """Turn NAME=VALUE into parameters of a method."""
    from graphclust.errors import UsageError

    params = parse_pairs("--param", pairs)
    options = {
        "n_clusters": "-k",
        "random_state": "--seed",
        "device": "--device",
        "method": "--method",
        "n_samples": "--samples",
        "known": "--known",
        "refine": "--refine",
        "effort": "--effort",
    }
    if "graph" in params:
        raise UsageError("no method has a parameter named graph")
    for name in params.keys() & options.keys():
        raise UsageError(f"{name} has an option of its own: {options[name]}")
    return params


def _check_takes(method: str, parameter: str, option: str) -> None:
    """Refuse an option that only some methods take."""
    from graphclust.errors import UsageError
    from graphclust.methods import METHODS

    if parameter not in METHODS.named(method).parameters():
        takes = [name for name, kind in METHODS.items() if parameter in kind.parameters()]
        raise UsageError(f"{method} does not take {option}; {', '.join(takes)} do")


def _check_takes_features(method: str) -> None:
    """Refuse --features where the method reads none."""
    from graphclust.errors import UsageError
    from graphclust.methods import METHODS

    if not METHODS.named(method).takes_features:
        takes = [name for name, kind in METHODS.items() if kind.takes_features]
        raise UsageError(f"{method} does not take --features; {', '.join(takes)} do")


def _check_reads_features(method: str, n_edges: int) -> None:
    """Refuse --features where the method reads them of points only, and the graph has edges."""
    from graphclust.errors import UsageError
    from graphclust.methods import METHODS

    if n_edges and "vectors" not in METHODS.named(method).parameters():
        of_graphs = [name for name, kind in METHODS.items() if "vectors" in kind.parameters()]
        raise UsageError(
            f"{method} reads --features of points alone, and the graph has edges: leave out --features, or take "
            f"{', '.join(of_graphs)}"
        )


def _known_labels(path: str, nodes: Any) -> dict[Any, Any]:
    """Read the labels of some nodes, by the graph's own ids."""
    from graphclust.errors import DataError
    from graphclust.io.partition import read_partition

    labels = read_partition(path, "labels", nodes)
    if not isinstance(labels, dict):
        raise DataError("known labels are a node and its label a line", path)
    ids = {str(node): node for node in nodes}
    for name in map(str, labels):
        if name not in ids:
            raise DataError(f"a label is known of {name!r}, which is no node of the graph", path)
    return {ids[str(name)]: label for name, label in labels.items()}


def detect(
    graph: GraphPath,
    *,
    method: Annotated[
        str, typer.Option("--method", "-m", metavar="NAME", help="See `graphclust methods`; auto chooses.")
    ] = "auto",
    n_clusters: Annotated[
        int | None, typer.Option("--n-clusters", "-k", min=1, help="Exact number of communities.", show_default=False)
    ] = None,
    seed: Seed = 0,
    param: Annotated[
        list[str] | None, typer.Option("--param", metavar="NAME=VALUE", help="Parameter of the method; repeatable.")
    ] = None,
    samples: Annotated[
        int | None,
        typer.Option("--samples", min=1, metavar="N", help="Partitions to draw, where the method gives a posterior."),
    ] = None,
    known: Annotated[
        str | None, typer.Option("--known", metavar="FILE", help="Labels of some nodes, a node and its label a line.")
    ] = None,
    refine: Annotated[
        str | None,
        typer.Option(
            metavar="sbm|dc-sbm|planted|none",
            help="Block model under which the method's partition is improved; auto compares two unless one is given.",
        ),
    ] = None,
    effort: Annotated[
        str | None, typer.Option(metavar="low|normal|high", help="Of auto and --refine.", show_default="normal")
    ] = None,
    features: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="Features of the nodes, a node and its numbers a line, or .npy; read by clam, cnc and lnscc, and "
            "where there are no edges by acp, acp-s, ccp and ncp.",
        ),
    ] = None,
    device: Annotated[str, typer.Option(metavar="auto|cpu|cuda", help="Where neural methods run.")] = "auto",
    out: Output = None,
    format: Annotated[
        str | None,
        typer.Option(metavar="tsv|csv|json|cmty|clu|graphml|gexf|parquet", help="Told by FILE's extension; else tsv."),
    ] = None,
    manifest: Annotated[
        str | None, typer.Option(metavar="FILE.json", help="Record what was done to what, with which result.")
    ] = None,
    report: Annotated[
        str | None, typer.Option(metavar="FILE.html", help="A page with a drawing, sizes, quality and all nodes.")
    ] = None,
    quiet: Quiet = False,
    verbose: Verbose = False,
    reading: Reading,
) -> None:
    """Find the communities of a graph.

    Prints node<TAB>community, the largest community being 0, and a third column with the confidence where the method
    gives one.
    """
    from graphclust import detection
    from graphclust.io import carried
    from graphclust.io.files import replacing
    from graphclust.io.source import suffix_of
    from graphclust.results.files import result_format, write_result
    from graphclust.runtime.notes import log_notes
    from graphclust.runtime.progress import task

    start = time.perf_counter()
    page = out is not None and format is None and suffix_of(out) in (".html", ".htm")
    kind = "html" if page else result_format(out, format)
    outputs = {"--out": out, "--manifest": manifest, "--report": report}
    check_files(outputs, graph=graph, known=known, features=features)
    params = parse_params(param)
    refined = refine not in (None, "none")
    if samples is not None:
        if not refined:
            _check_takes(method, "n_samples", "--samples")
        params["n_samples"] = samples
    if effort is not None:
        if not refined:
            _check_takes(method, "effort", "--effort")
        params["effort"] = effort
    if known is not None:
        _check_takes(method, "known", "--known")
    if features is not None:
        _check_takes_features(method)
    # a typo should not cost the reading of a large file
    detection.prepare(method, n_clusters, seed, device, refine=refine, **params)
    loaded = reading.read(graph)
    if features is not None:
        from graphclust.io.features import read_features

        _check_reads_features(method, loaded.num_edges)
        loaded.x = read_features(features, loaded.nodes)
    if known is not None:
        params["known"] = _known_labels(known, loaded.nodes)
    read = time.perf_counter()
    found = detection.detect(loaded, method, n_clusters, seed, device, refine=refine, **params)
    detected = time.perf_counter()
    with task("measuring"):
        quality = found.quality()
    measured = time.perf_counter()
    log_notes(found.notes[len(loaded.meta.get("notes", ())) :])  # those of the reading were shown when they came
    if page and out is not None:
        found.save(out, "html")
    else:
        with task("writing") if out is not None else nullcontext(), output(out) as stream:
            write_result(found, stream, kind)
    written = time.perf_counter()
    record = {
        "graphclust": _versions(),
        "command": ["graphclust", *sys.argv[1:]],
        "input": {
            "path": loaded.meta.get("source"),
            "sha256": loaded.meta.get("sha256"),
            "format": loaded.meta.get("format"),
            "nodes": loaded.num_nodes,
            "edges": loaded.num_edges,
            "directed": loaded.directed,
            "weighted": loaded.is_weighted,
            "self_loops": loaded.num_self_loops,
            "notes": [note.to_dict() for note in loaded.meta.get("notes", ())],
        },
        "method": found.method,
        "requested_method": method,
        "params": _plain(found.params),
        "seed": seed,
        "n_clusters": found.n_clusters,
        "quality": quality,
        "notes": [note.to_dict() for note in found.notes],
        "explanation": _plain(found.details),
        "output": {"path": out, "format": kind},
        "seconds": {
            "read": read - start,
            "detect": detected - read,
            "quality": measured - detected,
            "write": written - measured,
        },
    }
    if report is not None:
        from graphclust.report.page import html_report

        with task("drawing"):
            drawn = html_report(found, manifest=record).encode()
        with replacing(report) as stream:
            stream.write(drawn)
    if manifest is not None:
        with replacing(manifest) as stream:
            stream.write(json.dumps(record, indent=2, ensure_ascii=False).encode(errors="backslashreplace") + b"\n")
    if quiet:
        return
    if kind in ("graphml", "gexf") and (dropped := carried(loaded, kind)[1]):
        say(f"node attributes dropped: {', '.join(dropped)}")
    if verbose:
        from graphclust.report.text import text_report

        for line in text_report(found).splitlines():
            say(line)
    else:
        say(
            f"{loaded.num_nodes:,} nodes, {loaded.num_edges:,} edges -> {found.n_clusters:,} communities "
            f"({found.method}, modularity {quality['modularity']:.4f}, {found.seconds:.2f} s)"
        )


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
