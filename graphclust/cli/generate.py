"""graphclust generate: random graphs with known communities.

Each family's options are the parameters of its sampler, and their help is its docstring.
"""

from __future__ import annotations

import inspect
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, BinaryIO

import typer

from graphclust.cli.common import Quiet, Seed, command, output, say
from graphclust.errors import UsageError

__all__ = ["add_families", "generate"]

generate = typer.Typer(help="Draw random graphs with known communities.", no_args_is_help=True)


def _number(text: str) -> int | float:
    try:
        return int(text)
    except ValueError:
        return float(text)


def _value(option: str, text: str) -> Any:
    """Parse an option: 7, 0.5, none, a range 50:300, a list 10,20,30, a matrix 0.5,0.1;0.1,0.4."""
    try:
        if text.lower() == "none":
            return None
        if ";" in text:
            return [[_number(item) for item in row.split(",")] for row in text.split(";")]
        if ":" in text or "," in text:
            return tuple(_number(item) for item in re.split("[:,]", text))
        return _number(text)
    except ValueError:
        raise UsageError(f"{option} takes a number, a range 50:300 or a list 10,20,30, not {text!r}") from None


def _spelt(default: Any) -> str:
    if default is None:
        return "none"
    return ":".join(map(str, default)) if isinstance(default, tuple) else str(default)


def _described(docstring: str) -> dict[str, str]:
    """Return what a numpydoc docstring says of each parameter."""
    section = re.search(r"Parameters\n-+\n(.*?)(?:\n\n|\Z)", inspect.cleandoc(docstring), re.DOTALL)
    found: dict[str, str] = {}
    for names, text in re.findall(
        r"^(\S[^:\n]*) : [^\n]*((?:\n    [^\n]*)*)", section[1] if section else "", re.MULTILINE
    ):
        for name in names.split(","):
            found[name.strip()] = " ".join(text.split())
    return found


def _option(name: str) -> str:
    """Return the option of a parameter: n_nodes -> --nodes."""
    return "--" + name.removeprefix("n_").replace("_", "-")


def _make(family: str) -> Callable[..., None]:
    """Build the subcommand of a family."""

    def body(
        *,
        seed: int,
        count: int | None,
        out: str | None,
        labels: str | None,
        output_format: str | None,
        quiet: bool,
        **texts: str | None,
    ) -> None:
        from graphclust.generators.families import FAMILIES

        defaults = FAMILIES[family].parameters()
        parameters = {
            name: text if isinstance(defaults[name], str) else _value(_option(name), text)
            for name, text in texts.items()
            if text is not None
        }
        if count is None:
            graph = FAMILIES[family].sample(**parameters, random_state=seed)
            _write(graph, out, labels, output_format, quiet)
            return
        if out is None or labels is not None:
            raise UsageError("--count writes graphs and labels into the folder that --out names")
        _write_many(family, parameters, seed, count, out, output_format or "edgelist", quiet)

    return body


def _extension(kind: str, features: bool) -> str:
    from graphclust.io import FORMATS

    return ".csv" if features else FORMATS[kind][1][0]


def _write_many(
    family: str, parameters: dict[str, Any], seed: int, count: int, folder: str, kind: str, quiet: bool
) -> None:
    """Write graph-000000, labels-000000, ...; each graph has a seed of its own, so that it does not depend on COUNT."""
    import numpy as np

    from graphclust.generators.families import FAMILIES
    from graphclust.io import FORMATS
    from graphclust.progress import task

    if kind not in FORMATS:
        raise UsageError(f"no format is called {kind!r}; known: {', '.join(FORMATS)}")
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{folder}: {error.strerror}") from None
    with task(f"drawing {count} graphs", count) as advance:
        for i in range(count):
            own = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(i,)))
            graph = FAMILIES[family].sample(**parameters, random_state=own)
            name = os.path.join(folder, f"graph-{i:06d}{_extension(kind, graph.x is not None)}")
            _write(graph, name, os.path.join(folder, f"labels-{i:06d}.tsv"), kind, quiet=True)
            advance()
    if not quiet:
        say(f"{count:,} graphs of {family} in {folder}")


def _write_features(graph: Any, stream: BinaryIO) -> None:
    header = ",".join(f"x{i}" for i in range(graph.x.shape[1]))
    rows = "".join(",".join(map(repr, row)) + "\n" for row in graph.x.tolist())
    stream.write(f"{header}\n{rows}".encode())


def _write(graph: Any, out: str | None, labels: str | None, kind: str | None, quiet: bool) -> None:
    from graphclust.io import format_of, write_graph
    from graphclust.io.files import replacing
    from graphclust.io.source import suffix_of

    lost: list[str] = []
    chosen = kind or format_of(out or "") or ("edgelist" if not suffix_of(out or "") else None)
    if chosen is None and graph.x is None:
        raise UsageError(f"the name {out!r} does not tell a format: give --output-format")
    with output(out) as stream:
        if graph.x is not None:
            _write_features(graph, stream)
        else:
            lost = write_graph(graph, stream, format=chosen or "edgelist")
    if labels is not None:
        rows = "".join(f"{node}\t{label}\n" for node, label in zip(graph.nodes, graph.y.tolist(), strict=True))
        with replacing(labels) as stream:
            stream.write(f"node\tcommunity\n{rows}".encode())
    if not quiet:
        for loss in lost:
            say(loss)
        say(f"{graph.num_nodes:,} nodes, {graph.num_edges:,} edges in {len(set(graph.y.tolist())):,} communities")


_COMMON: dict[str, tuple[Any, Any]] = {
    "seed": (Seed, 0),
    "count": (
        Annotated[int | None, typer.Option(min=1, metavar="N", help="So many graphs, into the folder --out.")],
        None,
    ),
    "out": (Annotated[str | None, typer.Option("--out", "-o", metavar="GRAPH", help="Where the graph goes.")], None),
    "labels": (Annotated[str | None, typer.Option(metavar="FILE", help="Where the communities go.")], None),
    "output_format": (
        Annotated[str | None, typer.Option(metavar="FORMAT", help="edgelist, graphml, ...; else told by the name.")],
        None,
    ),
    "quiet": (Quiet, False),
}


def add_families() -> None:
    """Make a subcommand of each family; not at import, because the families need NumPy and --help does not."""
    from graphclust.generators.families import FAMILIES

    if generate.registered_commands:
        return
    for name, family in FAMILIES.items():
        doc = inspect.getdoc(family.sample) or ""
        told = _described(doc)
        body = _make(name)
        parameters = []
        for option, default in family.parameters().items():
            needed = default is inspect.Parameter.empty
            shown = True if needed else _spelt(default)
            names = (_option(option), "-n") if option == "n_nodes" else (_option(option),)
            setting = typer.Option(*names, metavar="VALUE", help=told.get(option), show_default=shown)
            annotation = Annotated[str, setting] if needed else Annotated[str | None, setting]
            parameters.append(_keyword(option, annotation, inspect.Parameter.empty if needed else None))
        parameters += [_keyword(option, kind, default) for option, (kind, default) in _COMMON.items()]
        body.__dict__["__signature__"] = inspect.Signature(parameters)
        body.__doc__ = doc.split("\n\nParameters\n")[0]
        generate.command(name)(command(body))


def _keyword(name: str, annotation: Any, default: Any) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, annotation=annotation, default=default)
