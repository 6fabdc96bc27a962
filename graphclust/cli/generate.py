"""graphclust generate: random graphs with known communities.

The options of a family are the parameters of its sampler, and their help comes from the sampler's docstring.
"""

from __future__ import annotations

import contextlib
import inspect
import os
import re
from collections.abc import Callable
from pathlib import Path
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO, Union, get_args, get_origin, get_type_hints

import typer

from graphclust.cli.common import Quiet, Seed, check_files, command, output, parse_value, say
from graphclust.errors import GraphclustError, UsageError, unknown
from graphclust.runtime.notes import counted

if TYPE_CHECKING:
    from graphclust.generators.families import Family
    from graphclust.graph import Graph

__all__ = ["add_families", "generate"]

generate = typer.Typer(
    help="Generate random graphs with known communities. A VALUE is a number, a range 50:300, a list 10,20,30 or a "
    "matrix 0.5,0.1;0.1,0.4.",
    no_args_is_help=True,
)

_POINT_DELIMITERS = {"csv": ",", "tsv": "\t"}


def _convert(value: Any, kind: Any) -> Any:
    """Convert a value to the annotated type of a parameter; 10.0 is accepted as an integer.

    Raises
    ------
    TypeError
        The value has another type.
    """
    from numpy.typing import ArrayLike

    origin, parts = get_origin(kind), get_args(kind)
    if kind == ArrayLike:
        return value
    if origin in (Union, UnionType):
        for part in parts:
            with contextlib.suppress(TypeError):
                return _convert(value, part)
        raise TypeError
    if origin is tuple:
        if not isinstance(value, tuple) or len(value) != len(parts):
            raise TypeError
        return tuple(map(_convert, value, parts))
    if kind is int and isinstance(value, float) and value.is_integer():
        return int(value)
    if not isinstance(value, int | float if kind is float else kind):
        raise TypeError
    return value


def _describe_type(kind: Any) -> str:
    """Describe in words the values that an annotation allows."""
    if get_origin(kind) in (Union, UnionType):
        return " or ".join(map(_describe_type, get_args(kind)))
    if get_origin(kind) is tuple:
        return "a range 50:300"
    return {int: "an integer", float: "a number", NoneType: "none"}.get(kind, "a number, a range or a list")


def _parse_options(family: Family, texts: dict[str, str | None]) -> dict[str, Any]:
    """Parse the texts of the options into parameters of the types that the family's sampler is annotated with."""
    kinds = get_type_hints(family.sample)
    values: dict[str, Any] = {}
    for name, text in texts.items():
        if text is None:
            continue
        if name not in kinds:  # a function of the user's
            with contextlib.suppress(ValueError):
                values[name] = parse_value(text)
            values.setdefault(name, text)
            continue
        try:
            values[name] = text if kinds[name] is str else _convert(parse_value(text), kinds[name])
        except (TypeError, ValueError):
            raise UsageError(f"{_option(name)} takes {_describe_type(kinds[name])}, not {text!r}") from None
    return values


def _sample(name: str, parameters: dict[str, Any], random_state: Any) -> Graph:
    """Draw a graph. Parameter values for which no graph exists are reported as usage errors."""
    from graphclust.generators.families import FAMILIES

    try:
        return FAMILIES.named(name).sample(**parameters, random_state=random_state)
    except GraphclustError:
        raise
    except (TypeError, ValueError, ArithmeticError) as error:
        shown = ", ".join(f"{key}={value!r}" for key, value in parameters.items())
        raise UsageError(f"{name} cannot be drawn with {shown}: {error}") from None


def _format_default(default: Any) -> str:
    return ":".join(map(str, default)) if isinstance(default, tuple) else str(default)


def _parameter_help(docstring: str) -> dict[str, str]:
    """Return the description of each parameter in a numpydoc docstring."""
    section = re.search(r"Parameters\n-+\n(.*?)(?:\n\n|\Z)", inspect.cleandoc(docstring), re.DOTALL)
    descriptions: dict[str, str] = {}
    for names, text in re.findall(
        r"^(\S[^:\n]*) : [^\n]*((?:\n    [^\n]*)*)", section[1] if section else "", re.MULTILINE
    ):
        for name in names.split(","):
            descriptions[name.strip()] = " ".join(text.split())
    return descriptions


def _option(name: str) -> str:
    """Return the option that sets a parameter: --nodes for n_nodes."""
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

        parameters = _parse_options(FAMILIES.named(family), texts)
        if count is None:
            check_files({"--out": out, "--labels": labels})
            graph = _sample(family, parameters, seed)
            _write(graph, out, labels, output_format, quiet)
            return
        if out is None or out == "-" or labels is not None:
            raise UsageError("--count writes graphs and labels into a folder: use --out FOLDER and leave out --labels")
        _write_many(family, parameters, seed, count, out, output_format, quiet)

    return body


def _format(graph: Graph, out: str | None, requested: str | None) -> str:
    """Return the format for a graph or for points: the requested one, or else the one that the file name implies."""
    from graphclust.io import FORMATS, format_of
    from graphclust.io.source import suffix_of

    if graph.x is not None:
        suffix = suffix_of(out or "").removeprefix(".")
        kind = requested or suffix or "csv"
        if kind not in _POINT_DELIMITERS:
            raise UsageError(f"points are written as csv or tsv, not as {kind}")
        return kind
    graph_format = requested or format_of(out or "") or ("edgelist" if not suffix_of(out or "") else None)
    if graph_format is None:
        raise UsageError(f"cannot tell the format from the name {out!r}: add --output-format")
    if graph_format not in FORMATS:
        raise unknown("format", graph_format, FORMATS)
    return graph_format


def _write_many(
    family: str, parameters: dict[str, Any], seed: int, count: int, folder: str, requested: str | None, quiet: bool
) -> None:
    """Write graph-000000, labels-000000, ... Each graph has its own seed, so that it does not depend on `count`."""
    import numpy as np

    from graphclust.io import FORMATS
    from graphclust.runtime.progress import task

    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{folder}: {error.strerror}") from None
    with task(f"drawing {count} graphs", count) as advance:
        for i in range(count):
            rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(i,)))
            graph = _sample(family, parameters, rng)
            kind = _format(graph, None, requested)
            name = os.path.join(folder, f"graph-{i:06d}{FORMATS[kind].suffixes[0]}")
            _write(graph, name, os.path.join(folder, f"labels-{i:06d}.tsv"), kind, quiet=True)
            advance()
    if not quiet:
        say(f"wrote {counted(count, 'graph')} of the family {family} to {folder}")


def _write_points(graph: Graph, stream: BinaryIO, delimiter: str) -> None:
    header = delimiter.join(f"x{i}" for i in range(graph.x.shape[1]))
    rows = "".join(delimiter.join(map(repr, row)) + "\n" for row in graph.x.tolist())
    stream.write(f"{header}\n{rows}".encode())


def _write(graph: Graph, out: str | None, labels: str | None, requested: str | None, quiet: bool) -> None:
    from graphclust.io import write_graph
    from graphclust.io.files import replacing

    losses: list[str] = []
    kind = _format(graph, out, requested)
    classes: list[int] = [] if graph.y is None else graph.y.tolist()
    cover = graph.meta.get("communities")  # where communities overlap
    with output(out) as stream:
        if graph.x is not None:
            _write_points(graph, stream, _POINT_DELIMITERS[kind])
        else:
            losses = write_graph(graph, stream, format=kind)
    if labels is not None:
        if cover is None:
            rows = "".join(f"{node}\t{label}\n" for node, label in zip(graph.nodes, classes, strict=True))
            text = f"node\tcommunity\n{rows}"
        else:  # a community a line
            text = "".join("\t".join(str(graph.nodes[i]) for i in members) + "\n" for members in cover)
        with replacing(labels) as stream:
            stream.write(text.encode())
    if not quiet:
        for loss in losses:
            say(loss)
        n_communities = len(set(classes)) if cover is None else len(cover)
        say(f"{graph.num_nodes:,} nodes, {graph.num_edges:,} edges, {n_communities:,} communities")


_COMMON_OPTIONS: dict[str, tuple[Any, Any]] = {
    "seed": (Seed, 0),
    "count": (
        Annotated[
            int | None, typer.Option(min=1, metavar="N", help="Draw N graphs and write them to the folder --out.")
        ],
        None,
    ),
    "out": (
        Annotated[
            str | None,
            typer.Option("--out", "-o", metavar="GRAPH", help="Write the graph to this file, not to standard output."),
        ],
        None,
    ),
    "labels": (Annotated[str | None, typer.Option(metavar="FILE", help="Write the communities to this file.")], None),
    "output_format": (
        Annotated[
            str | None, typer.Option(metavar="FORMAT", help="edgelist, graphml, ...; by default from the file name.")
        ],
        None,
    ),
    "quiet": (Quiet, False),
}


def add_families(requested: str = "") -> None:
    """Add a subcommand for each family, and for a family of the user's own if it is `requested`.

    This does not happen at import, because the families need NumPy, which `graphclust --help` can do without.
    """
    from rich.markup import escape

    from graphclust.generators.families import FAMILIES

    known = {entry.name for entry in generate.registered_commands}
    own = [requested] if ":" in requested else []
    for name in (name for name in (*FAMILIES, *own) if name not in known):
        family = FAMILIES.named(name)
        doc = inspect.getdoc(family.sample) or ""
        descriptions = _parameter_help(doc)
        body = _make(name)
        parameters = []
        if reserved := family.parameters().keys() & _COMMON_OPTIONS.keys():
            raise UsageError(f"{name} has a parameter {min(reserved)}, which is an option of generate: rename it")
        for option, default in family.parameters().items():
            needed = default is inspect.Parameter.empty
            text = descriptions.get(option, "")
            if not needed and default is not None:
                text = f"{text} Default: {_format_default(default)}.".strip()
            names = (_option(option), "-n") if option == "n_nodes" else (_option(option),)
            setting = typer.Option(*names, metavar="VALUE", help=escape(text) or None, show_default=False)
            annotation = Annotated[str, setting] if needed else Annotated[str | None, setting]
            parameters.append(_keyword(option, annotation, inspect.Parameter.empty if needed else None))
        parameters += [_keyword(option, kind, default) for option, (kind, default) in _COMMON_OPTIONS.items()]
        body.__dict__["__signature__"] = inspect.Signature(parameters)
        body.__doc__ = escape(doc.split("\n\nParameters\n")[0])  # brackets are no markup
        generate.command(name)(command(body))


def _keyword(name: str, annotation: Any, default: Any) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, annotation=annotation, default=default)
