"""What the subcommands share: reading options, messages on stderr, output, and errors turned into exit statuses."""

from __future__ import annotations

import contextlib
import functools
import inspect
import logging
import os
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, Any, BinaryIO

import typer

from graphclust.errors import DataError, GraphclustError, UsageError
from graphclust.runtime.interrupts import interrupts_handled

__all__ = [
    "GraphPath",
    "Output",
    "Quiet",
    "Reading",
    "Seed",
    "Verbose",
    "abandon_output",
    "check_files",
    "check_format",
    "command",
    "is_helper",
    "output",
    "parse_pairs",
    "print_table",
    "say",
]

GraphPath = Annotated[
    str, typer.Argument(metavar="GRAPH", help="A file, - for standard input, or data:NAME.", show_default=False)
]
Seed = Annotated[int, typer.Option(min=0, help="Seed; the same seed gives the same result.")]
Output = Annotated[
    str | None, typer.Option("--out", "-o", metavar="FILE", help="Write to a file instead of standard output.")
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but results and errors.")]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Print every decision of readers and methods.")]

_PANEL = "How to read GRAPH (found out by default, and said on stderr)"


@dataclass
class Reading:
    """The options that say how a graph file is to be read."""

    input_format: Annotated[
        str | None, typer.Option(metavar="FORMAT", help="edgelist, graphml, gml, ...", rich_help_panel=_PANEL)
    ] = None
    directed: Annotated[
        bool | None, typer.Option("--directed/--undirected", help="Directions count.", rich_help_panel=_PANEL)
    ] = None
    weights: Annotated[
        bool | None, typer.Option("--weights/--no-weights", help="There are edge weights.", rich_help_panel=_PANEL)
    ] = None
    delimiter: Annotated[
        str | None,
        typer.Option(metavar="CHAR", help="A character, or tab, comma, whitespace, ...", rich_help_panel=_PANEL),
    ] = None
    header: Annotated[
        bool | None, typer.Option("--header/--no-header", help="The first line names columns.", rich_help_panel=_PANEL)
    ] = None
    comment: Annotated[
        str | None, typer.Option(metavar="MARK", help="Beginning of comments, or none.", rich_help_panel=_PANEL)
    ] = None
    encoding: Annotated[str | None, typer.Option(metavar="NAME", help="Text encoding.", rich_help_panel=_PANEL)] = None

    def read(self, path: str) -> Any:
        """Read a graph with these options."""
        from graphclust.inputs import read_graph
        from graphclust.runtime.progress import task

        options = {field.name: getattr(self, field.name) for field in fields(self)}
        with task(f"reading {path}"):
            return read_graph(path, format=options.pop("input_format"), **options)


def say(message: str) -> None:
    """Print a line on stderr, if there is one."""
    with contextlib.suppress(OSError, ValueError):
        if sys.stderr is not None:  # None would be standard output
            print(f"graphclust: {message}", file=sys.stderr)  # noqa: T201


def is_helper() -> bool:
    """Whether this is one of several processes in training, but not the first, which speaks for all."""
    return os.environ.get("LOCAL_RANK", "0") != "0"


def parse_pairs(option: str, pairs: list[str] | None) -> dict[str, Any]:
    """Turn NAME=VALUE into a dictionary; values are Python literals where they are, strings otherwise."""
    import ast

    values: dict[str, Any] = {}
    for pair in pairs or ():
        name, equals, text = pair.partition("=")
        if not equals or not name.isidentifier():
            raise UsageError(f"{option} takes NAME=VALUE, not {pair!r}")
        try:
            values[name] = ast.literal_eval(text)
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            values[name] = text
    return values


def check_files(outputs: dict[str, str | None], **inputs: str | None) -> None:
    """Refuse to write over an input, twice to one file, or where no folder is: before the work, not after it.

    Parameters
    ----------
    outputs : dict
        What is written, by its option.
    **inputs
        What is read, by its option without dashes; `graph` and `predicted` are called the input.
    """
    from graphclust.io.files import check_packing, is_special

    seen = {
        os.path.realpath(name): "the input" if option in ("graph", "predicted") else f"--{option}"
        for option, name in inputs.items()
        if name is not None and name != "-" and not name.startswith("data:")
    }
    for option, name in outputs.items():
        if name == "-" and option not in ("--out", "OUT"):
            raise UsageError(f"{option} takes a file: only results go to standard output")
        if name is None or name == "-" or is_special(name):
            continue
        check_packing(name)
        place = os.path.realpath(name)
        if Path(place).is_dir():
            raise DataError("this is a folder, not a file", name)
        if not Path(place).parent.is_dir():
            raise DataError(f"cannot write: there is no folder {Path(name).parent}", name)
        if place in seen:
            raise UsageError(f"{option} would write over {seen[place]}")
        seen[place] = option


def check_format(name: str, *known: str) -> None:
    """Refuse a --format that is none of `known`."""
    from graphclust.errors import unknown

    if name not in known:
        raise unknown("format", name, known)


def abandon_output() -> None:
    """Let what standard output still holds go nowhere, so that the interpreter's last flush cannot fail."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


class _Console(logging.Handler):
    """Shows what the library logs; details of notes only if the user wants to see them."""

    def __init__(self, verbose: bool) -> None:
        super().__init__()
        self.verbose = verbose

    def emit(self, record: logging.LogRecord) -> None:
        from graphclust.runtime.notes import joined

        notes, about = getattr(record, "notes", None), getattr(record, "about", "")
        if notes is None:
            say(record.getMessage())
        elif self.verbose:
            for note in notes:
                say(joined([note], about))
        elif shown := [note for note in notes if not note.is_detail]:
            say(joined(shown, about))


def _show_warning(message: Warning | str, *_: Any, **__: Any) -> None:
    say(f"warning: {message}")


@contextmanager
def _console(quiet: bool, verbose: bool) -> Iterator[None]:
    """Show notes, and progress where stderr is a terminal."""
    logger = logging.getLogger("graphclust")
    handler = _Console(verbose)
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.ERROR if quiet else logging.INFO)
    propagate, logger.propagate = logger.propagate, False
    show, warnings.showwarning = warnings.showwarning, _show_warning
    try:
        if quiet or is_helper() or sys.stderr is None or not sys.stderr.isatty():
            yield
        else:
            from graphclust.cli.terminal import progress_shown

            with progress_shown():
                yield
    finally:
        warnings.showwarning = show
        logger.removeHandler(handler)
        logger.setLevel(level)
        logger.propagate = propagate


class _Interruption:
    """Remembers Ctrl-C: an exception that comes where compiled code has called Python may be swallowed."""

    came = False

    @classmethod
    def note(cls, *_: Any) -> None:
        cls.came = True
        raise KeyboardInterrupt

    @classmethod
    @contextmanager
    def watched(cls) -> Iterator[None]:
        cls.came = False
        with interrupts_handled(cls.note):
            yield
            cls.check()

    @classmethod
    def check(cls) -> None:
        if cls.came:
            raise KeyboardInterrupt


def _guarded(call: Callable[[], None], quiet: bool, verbose: bool) -> int:
    """Run a command's body; turn what may go wrong into a line on stderr and an exit status."""
    try:
        with _console(quiet, verbose), _Interruption.watched():
            call()
            if sys.stdout is not None:
                sys.stdout.flush()
    except GraphclustError as error:
        say(str(error))
        return error.exit_code
    except BrokenPipeError:  # whoever read our output has seen enough
        abandon_output()
        return 0
    except OSError as error:
        abandon_output()
        say(f"cannot write: {error.strerror or error}")
        return 1
    except KeyboardInterrupt:
        say("interrupted")
        return 130
    except MemoryError:
        say("out of memory")
        return 1
    return 0


def command(body: Callable[..., None]) -> Callable[..., None]:
    """Make a subcommand of a function.

    A parameter `reading` is spread into its options; a command with `quiet` also has --verbose, and gets it if its
    function has such a parameter; errors become exit statuses.
    """
    signature = inspect.signature(body, eval_str=True)
    parameters = []
    for parameter in signature.parameters.values():
        if parameter.name == "reading":
            spread = inspect.signature(Reading, eval_str=True).parameters.values()
            parameters += [item.replace(kind=inspect.Parameter.KEYWORD_ONLY) for item in spread]
        else:
            parameters.append(parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY))
    reads = "reading" in signature.parameters
    wants_verbose = "verbose" in signature.parameters
    if "quiet" in signature.parameters and not wants_verbose:
        keyword = inspect.Parameter.KEYWORD_ONLY
        parameters.append(inspect.Parameter("verbose", keyword, default=False, annotation=Verbose))

    def run(**options: Any) -> None:
        if reads:
            options["reading"] = Reading(**{field.name: options.pop(field.name) for field in fields(Reading)})
        verbose = bool(options.get("verbose") if wants_verbose else options.pop("verbose", False))
        raise typer.Exit(_guarded(functools.partial(body, **options), bool(options.get("quiet")), verbose))

    run.__name__, run.__doc__ = body.__name__, body.__doc__
    run.__dict__["__signature__"] = inspect.Signature(parameters)
    run.__annotations__ = {item.name: item.annotation for item in parameters}
    return run


@contextmanager
def output(path: str | None) -> Iterator[BinaryIO]:
    """Open where results go: a file written whole or not at all, or standard output."""
    _Interruption.check()
    if path is None or path == "-":
        if sys.stdout is None:
            raise DataError("standard output is closed")
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
    else:
        from graphclust.io.files import replacing

        with replacing(path) as stream:
            yield stream


def print_table(rows: list[dict[str, Any]], stream: BinaryIO) -> None:
    """Write rows of equal keys as a table with aligned columns; numbers to the right."""
    if not rows:
        return
    names = list(rows[0])
    cells = [[_cell(row.get(name)) for name in names] for row in rows]
    numeric = [all(isinstance(row.get(name), int | float | None) for row in rows) for name in names]
    widths = [max(len(name), *(len(line[i]) for line in cells)) for i, name in enumerate(names)]
    lines = []
    for line in [names, *cells]:
        padded = [v.rjust(w) if n else v.ljust(w) for v, w, n in zip(line, widths, numeric, strict=True)]
        lines.append("  ".join(padded).rstrip() + "\n")
    stream.write("".join(lines).encode())


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    return f"{value:.4f}" if isinstance(value, float) else str(value)
