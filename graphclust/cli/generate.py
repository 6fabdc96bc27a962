"""graphclust generate: random graphs with known communities.

Each family's options are the parameters of its sampler, and their help is its docstring.
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

from graphclust.cli.common import Quiet, Seed, check_files, command, output, say
from graphclust.errors import GraphclustError, UsageError

if TYPE_CHECKING:
    from graphclust.generators.families import Family
    from graphclust.graph import Graph

__all__ = ["add_families", "generate"]

generate = typer.Typer(help="Draw random graphs with known communities.", no_args_is_help=True)

_POINTS = {"csv": ",", "tsv": "\t"}


def _number(text: str) -> int | float:
    try:
        return int(text)
    except ValueError:
        value = float(text)
    return int(value) if "." not in text and value.is_integer() else value  # 1e3


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


def _fit(value: Any, kind: Any) -> Any:
    """Give a value the shape that a parameter is annotated with, 10.0 that of a whole number.

    Raises
    ------
    TypeError
        It has another shape.
    """
    from numpy.typing import ArrayLike

    origin, parts = get_origin(kind), get_args(kind)
    if kind == ArrayLike:
        return value
    if origin in (Union, UnionType):
        for part in parts:
            with contextlib.suppress(TypeError):
                return _fit(value, part)
        raise TypeError
    if origin is tuple:
        if not isinstance(value, tuple) or len(value) != len(parts):
            raise TypeError
        return tuple(map(_fit, value, parts))
    if kind is int and isinstance(value, float) and value.is_integer():
        return int(value)
    if not isinstance(value, int | float if kind is float else kind):
        raise TypeError
    return value


def _shape(kind: Any) -> str:
    """Say what a parameter takes, by its annotation."""
    if get_origin(kind) in (Union, UnionType):
        return " or ".join(map(_shape, get_args(kind)))
    if get_origin(kind) is tuple:
        return "a range 50:300"
    return {int: "a whole number", float: "a number", NoneType: "none"}.get(kind, "a number, a range or a list")


def _parsed(family: Family, texts: dict[str, str | None]) -> dict[str, Any]:
    """Return the parameters that options give, each in the shape that the family's sampler is annotated with."""
    kinds = get_type_hints(family.sample)
    values: dict[str, Any] = {}
    for name, text in texts.items():
        if text is None:
            continue
        try:
            values[name] = text if kinds[name] is str else _fit(_value(_option(name), text), kinds[name])
        except TypeError:
            raise UsageError(f"{_option(name)} takes {_shape(kinds[name])}, not {text!r}") from None
    return values


def _sample(name: str, parameters: dict[str, Any], random_state: Any) -> Graph:
    """Draw a graph; numbers that no graph can have are the user's error."""
    from graphclust.generators.families import FAMILIES

    try:
        return FAMILIES[name].sample(**parameters, random_state=random_state)
    except GraphclustError:
        raise
    except (TypeError, ValueError, OverflowError) as error:
        shown = ", ".join(f"{key}={value!r}" for key, value in parameters.items())
        raise UsageError(f"{name} cannot be drawn with {shown}: {error}") from None


def _spelt(default: Any) -> str:
    if default is None:
        return "none"
    return ":".join(map(str, default)) if isinstance(default, tuple) else str(default)


def _described(docstring: str) -> dict[str, str]:
    """Return what a numpydoc docstring says of each parameter."""
    section = re.search(r"Parameters\n-+\n(.*?)(?:\n\n|\Z)", inspect.cleandoc(docstring), re.DOTALL)
    descriptions: dict[str, str] = {}
    for names, text in re.findall(
        r"^(\S[^:\n]*) : [^\n]*((?:\n    [^\n]*)*)", section[1] if section else "", re.MULTILINE
    ):
        for name in names.split(","):
            descriptions[name.strip()] = " ".join(text.split())
    return descriptions


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

        parameters = _parsed(FAMILIES[family], texts)
        if count is None:
            check_files({"--out": out, "--labels": labels})
            graph = _sample(family, parameters, seed)
            _write(graph, out, labels, output_format, quiet)
            return
        if out is None or out == "-" or labels is not None:
            raise UsageError("--count writes graphs and labels into the folder that --out names")
        _write_many(family, parameters, seed, count, out, output_format, quiet)

    return body


def _format(graph: Graph, out: str | None, requested: str | None) -> str:
    """Choose the format of a graph, or of points: what is asked, else what the name tells."""
    from graphclust.io import FORMATS, format_of
    from graphclust.io.source import suffix_of

    if graph.x is not None:
        suffix = suffix_of(out or "").removeprefix(".")
        kind = requested or suffix or "csv"
        if kind not in _POINTS:
            raise UsageError(f"points are written as csv or tsv, not as {kind}")
        return kind
    kind = requested or format_of(out or "") or ("edgelist" if not suffix_of(out or "") else None)
    if kind is None:
        raise UsageError(f"the name {out!r} does not tell a format: give --output-format")
    if kind not in FORMATS:
        raise UsageError(f"no format is called {kind!r}; known: {', '.join(FORMATS)}")
    return kind


def _write_many(
    family: str, parameters: dict[str, Any], seed: int, count: int, folder: str, requested: str | None, quiet: bool
) -> None:
    """Write graph-000000, labels-000000, ...; each graph has a seed of its own, so that it does not depend on COUNT."""
    import numpy as np

    from graphclust.io import FORMATS
    from graphclust.runtime.progress import task

    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{folder}: {error.strerror}") from None
    with task(f"drawing {count} graphs", count) as advance:
        for i in range(count):
            own = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(i,)))
            graph = _sample(family, parameters, own)
            kind = _format(graph, None, requested)
            name = os.path.join(folder, f"graph-{i:06d}{FORMATS[kind].suffixes[0]}")
            _write(graph, name, os.path.join(folder, f"labels-{i:06d}.tsv"), kind, quiet=True)
            advance()
    if not quiet:
        say(f"{count:,} graphs of {family} in {folder}")


def _write_points(graph: Graph, stream: BinaryIO, delimiter: str) -> None:
    header = delimiter.join(f"x{i}" for i in range(graph.x.shape[1]))
    rows = "".join(delimiter.join(map(repr, row)) + "\n" for row in graph.x.tolist())
    stream.write(f"{header}\n{rows}".encode())


def _write(graph: Graph, out: str | None, labels: str | None, requested: str | None, quiet: bool) -> None:
    from graphclust.io import write_graph
    from graphclust.io.files import replacing

    lost: list[str] = []
    kind = _format(graph, out, requested)
    classes: list[int] = [] if graph.y is None else graph.y.tolist()
    with output(out) as stream:
        if graph.x is not None:
            _write_points(graph, stream, _POINTS[kind])
        else:
            lost = write_graph(graph, stream, format=kind)
    if labels is not None:
        rows = "".join(f"{node}\t{label}\n" for node, label in zip(graph.nodes, classes, strict=True))
        with replacing(labels) as stream:
            stream.write(f"node\tcommunity\n{rows}".encode())
    if not quiet:
        for loss in lost:
            say(loss)
        say(f"{graph.num_nodes:,} nodes, {graph.num_edges:,} edges in {len(set(classes)):,} communities")


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

    known = {entry.name for entry in generate.registered_commands}
    for name in (name for name in FAMILIES if name not in known):
        family = FAMILIES[name]
        doc = inspect.getdoc(family.sample) or ""
        descriptions = _described(doc)
        body = _make(name)
        parameters = []
        for option, default in family.parameters().items():
            needed = default is inspect.Parameter.empty
            shown = True if needed else _spelt(default)
            names = (_option(option), "-n") if option == "n_nodes" else (_option(option),)
            setting = typer.Option(*names, metavar="VALUE", help=descriptions.get(option), show_default=shown)
            annotation = Annotated[str, setting] if needed else Annotated[str | None, setting]
            parameters.append(_keyword(option, annotation, inspect.Parameter.empty if needed else None))
        parameters += [_keyword(option, kind, default) for option, (kind, default) in _COMMON.items()]
        body.__dict__["__signature__"] = inspect.Signature(parameters)
        body.__doc__ = doc.split("\n\nParameters\n")[0]
        generate.command(name)(command(body))


def _keyword(name: str, annotation: Any, default: Any) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, annotation=annotation, default=default)
