"""What `graphclust detect` writes: the result, a page, a figure, a manifest, a summary, and a line on stderr."""

from __future__ import annotations

import json
import os
import platform
import sys
import time
from contextlib import nullcontext
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

from graphclust.cli.common import check_figure, check_files, output, say
from graphclust.cli.table import print_table

if TYPE_CHECKING:
    from graphclust.graph import Graph
    from graphclust.results.communities import Communities

__all__ = ["Outputs", "Stopwatch", "names_of_results", "record_of"]

_PAGES = (".html", ".htm")


@dataclass(frozen=True)
class Outputs:
    """The files that a run writes; None where there is none, and standard output for the result.

    Attributes
    ----------
    out, format : str or None
        The result and its format; by default, that of the extension.
    manifest, report, figure, positions : str or None
        `positions` is read: the coordinates of the nodes in the figure.
    summary : bool
        Whether standard output gets a table of the communities; that of the nodes then needs `out`.
    """

    out: str | None = None
    format: str | None = None
    manifest: str | None = None
    report: str | None = None
    figure: str | None = None
    positions: str | None = None
    summary: bool = False

    def kind(self) -> str:
        """Return the format of the result: a name of `RESULT_FORMATS`, or html."""
        from graphclust.io.source import suffix_of
        from graphclust.results.files import result_format

        is_page = self.out is not None and self.format is None and suffix_of(self.out) in _PAGES
        return "html" if is_page else result_format(self.out, self.format)

    def check(self, **inputs: str | None) -> None:
        """Refuse files that cannot be written, or that would overwrite each other or an input, before the work starts.

        Raises
        ------
        UsageError
            Also a report or a figure whose name has another extension than theirs.
        DataError
            As `check_files`.
        """
        from graphclust.errors import UsageError
        from graphclust.io.files import is_special
        from graphclust.io.source import suffix_of

        self.kind()
        named = {"--out": self.out, "--manifest": self.manifest, "--report": self.report, "--figure": self.figure}
        check_files(named, positions=self.positions, **inputs)
        if self.report not in (None, "-") and not is_special(self.report) and suffix_of(self.report) not in _PAGES:
            raise UsageError("--report writes an HTML page, whose name ends with .html (--figure draws the graph)")
        check_figure(self.figure)
        if self.positions is not None and self.figure is None:
            raise UsageError("--positions needs --figure")

    def write(
        self,
        communities: Communities,
        record: dict[str, Any],
        seconds: dict[str, float],
        rows: list[dict[str, Any]] | None = None,
    ) -> None:
        """Write all files.

        Parameters
        ----------
        communities : Communities
        record : dict
            The manifest so far, see `record_of`.
        seconds : dict
            Wall times of the steps, to which that of writing the result is added.
        rows : list of dict, optional
            The summary; by default `Communities.describe`.
        """
        start = time.perf_counter()
        kind = self.kind()
        if not self.summary or self.out is not None:
            self._write_result(communities, kind)
        if self.summary:
            self._write_summary(communities.describe() if rows is None else rows)
        seconds["write"] = time.perf_counter() - start
        record = record | {"output": {"path": self.out, "format": kind}, "seconds": seconds}
        if self.report is not None:
            self._write_report(communities, record, self.report)
        if self.figure is not None:
            self._write_figure(communities, self.figure)
        if self.manifest is not None:
            _write_json(record, self.manifest)

    def _write_result(self, communities: Communities, kind: str) -> None:
        from graphclust.results.files import write_result
        from graphclust.runtime.progress import task

        if kind == "html" and self.out is not None:
            communities.save(self.out, "html")
            return
        with task("writing") if self.out is not None else nullcontext(), output(self.out) as stream:
            write_result(communities, stream, kind)

    def _write_summary(self, rows: list[dict[str, Any]]) -> None:
        from graphclust.runtime.serialize import plain

        with output(None) as stream:
            if self.format == "json":
                stream.write(json.dumps(plain(rows), ensure_ascii=False).encode() + b"\n")
            else:
                print_table([{key: _shown(value) for key, value in row.items()} for row in rows], stream)

    def _write_report(self, communities: Communities, record: dict[str, Any], path: str) -> None:
        from graphclust.io.files import replacing
        from graphclust.report.page import html_report
        from graphclust.runtime.progress import task

        with task("drawing"):
            page = html_report(communities, manifest=record).encode()
        with replacing(path) as stream:
            stream.write(page)

    def _write_figure(self, communities: Communities, path: str) -> None:
        from graphclust.io.features import read_features
        from graphclust.io.files import replacing
        from graphclust.io.source import suffix_of
        from graphclust.report.plot import write_figure
        from graphclust.runtime.progress import task

        positions = None if self.positions is None else read_features(self.positions, communities.nodes)
        with task("drawing"), replacing(path) as stream:
            write_figure(communities, stream, suffix_of(path).removeprefix("."), positions=positions)

    def summarise(self, communities: Communities, quality: dict[str, Any], *, verbose: bool, about: str = "") -> None:
        """Print what the format of the result dropped, and one line on the result or, with --verbose, a report."""
        from graphclust.io import carried
        from graphclust.report.text import text_report
        from graphclust.runtime.notes import counted

        graph, kind = communities.graph, self.kind()
        if kind in ("graphml", "gexf") and (dropped := carried(graph, kind)[1]):
            say(f"attributes dropped: {', '.join(dropped)}")
        if communities.cover is not None and kind in ("clu", "newick", "tree", "graphrag"):
            say(f"{kind} has one community for each node: wrote the communities without overlap")
        if communities.hierarchy is not None and kind in ("cmty", "clu"):
            say(f"{kind} has no levels: wrote one of {counted(len(communities.hierarchy), 'level')}, the communities")
        if verbose:
            for line in text_report(communities).splitlines():
                say(line)
            return
        n = communities.n_clusters
        found = "1 community" if n == 1 else f"{n:,} communities"
        sure = "".join(f", mean {name} {values.mean():.2f}" for name, values in communities.certainty.items())
        say(
            (f"{about}: " if about else "")
            + f"{counted(graph.num_nodes, 'node')}, {counted(graph.num_edges, 'edge')} -> {found} "
            f"({communities.method}, modularity {quality['modularity']:.4f}{sure}, {communities.seconds:.2f} s)"
        )


def _shown(value: Any) -> Any:
    return ", ".join(map(str, value)) if isinstance(value, list) else value


def record_of(communities: Communities, method: str, seed: int, quality: dict[str, Any]) -> dict[str, Any]:
    """Return the record of a run: version, input, settings and result."""
    from graphclust.runtime.serialize import plain

    return {
        "graphclust": _versions(),
        "command": ["graphclust", *sys.argv[1:]],
        "input": _describe_input(communities.graph),
        "method": communities.method,
        "requested_method": method,
        "params": plain(communities.params),
        "seed": seed,
        "n_clusters": communities.n_clusters,
        "quality": quality,
        "notes": [note.to_dict() for note in communities.notes],
        "explanation": plain(communities.details),
    }


def names_of_results(graphs: list[str], folder: str, kind: str) -> list[str]:
    """Return the files for the results of several graphs: their names in another folder, with another extension.

    Raises
    ------
    UsageError
        Two graphs would have the same result.
    """
    from graphclust.errors import UsageError

    suffix = "html" if kind == "html" else kind
    names: dict[str, str] = {}
    for graph in graphs:
        base = os.path.basename(graph.removeprefix("data:"))
        stem = base if graph.startswith("data:") else _stem(base)
        name = os.path.join(folder, f"{stem}.{suffix}")
        if name in names:
            raise UsageError(f"the results of {names[name]} and {graph} would both be {name}")
        names[name] = graph
    return list(names)


def _stem(name: str) -> str:
    """Return the name of a file without its extension and that of its compression."""
    from graphclust.io.source import suffix_of

    suffix = suffix_of(name)
    place = name.lower().rfind(suffix) if suffix else len(name)
    return name[:place] or name


def _write_json(record: dict[str, Any], path: str) -> None:
    from graphclust.io.files import replacing

    with replacing(path) as stream:
        stream.write(json.dumps(record, indent=2, ensure_ascii=False).encode(errors="backslashreplace") + b"\n")


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


def _versions() -> dict[str, str | None]:
    versions: dict[str, str | None] = {"python": platform.python_version(), "platform": platform.platform()}
    for package in ("graphclust", "igraph", "numpy", "scipy", "torch"):
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            versions[package] = None
    return versions


@dataclass
class Stopwatch:
    """Seconds that the steps of a run take."""

    seconds: dict[str, float]
    last: float

    @classmethod
    def start(cls) -> Stopwatch:
        """Return a watch that runs."""
        return cls({}, time.perf_counter())

    def lap(self, step: str) -> None:
        """Record the time since the step before."""
        now = time.perf_counter()
        self.seconds[step], self.last = now - self.last, now
