"""Code shared by the subcommands: reading options, messages on stderr, output, and exit statuses of errors."""

from __future__ import annotations

import contextlib
import functools
import inspect
import logging
import os
import re
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
from graphclust.runtime.memory import shortage_of

__all__ = [
    "Device",
    "GraphPath",
    "Output",
    "Param",
    "Quiet",
    "Reading",
    "Seed",
    "ThreadCount",
    "Verbose",
    "abandon_output",
    "check_figure",
    "check_files",
    "check_format",
    "command",
    "is_helper",
    "output",
    "parse_pairs",
    "parse_value",
    "printed_on_stderr",
    "say",
]

GraphPath = Annotated[
    str,
    typer.Argument(
        metavar="GRAPH", help="A graph file, - for standard input, or data:NAME for a data set.", show_default=False
    ),
]
Seed = Annotated[int, typer.Option(min=0, help="Random seed. The same seed gives the same result.")]
Output = Annotated[
    str | None, typer.Option("--out", "-o", metavar="FILE", help="Write to FILE instead of standard output.")
]
Param = Annotated[
    list[str] | None,
    typer.Option(
        "--param",
        metavar="NAME=VALUE",
        help="Parameter of the method; `graphclust methods NAME` lists them. Repeatable.",
    ),
]
Device = Annotated[str, typer.Option(metavar="auto|cpu|cuda", help="Device of neural methods.")]
ThreadCount = Annotated[
    int | None,
    typer.Option("--threads", min=1, metavar="N", help="Number of threads; by default one for each core."),
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print only results and errors.")]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Print every decision of the reader and the methods.")]

_INPUTS = ("graph", "predicted", "old", "new")  # arguments, which messages call "the input"
_PANEL = "How to read GRAPH (detected by default; guesses are reported on stderr)"


@dataclass
class Reading:
    """The options that control how a graph file is read."""

    input_format: Annotated[
        str | None,
        typer.Option(metavar="FORMAT", help="File format: edgelist, graphml, gml, ...", rich_help_panel=_PANEL),
    ] = None
    directed: Annotated[
        bool | None,
        typer.Option("--directed/--undirected", help="Whether edges have a direction.", rich_help_panel=_PANEL),
    ] = None
    weights: Annotated[
        bool | None,
        typer.Option("--weights/--no-weights", help="Whether edges have weights.", rich_help_panel=_PANEL),
    ] = None
    columns: Annotated[
        str | None,
        typer.Option(
            metavar="SOURCE,TARGET[,WEIGHT]",
            help="Columns of a table of edges, by name or by number from 1.",
            rich_help_panel=_PANEL,
        ),
    ] = None
    weight: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Column or edge attribute that holds the weights.", rich_help_panel=_PANEL),
    ] = None
    id: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Node attribute that holds the ids.", rich_help_panel=_PANEL),
    ] = None
    nodes: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="Table of nodes with their attributes; adds nodes without edges.",
            rich_help_panel=_PANEL,
        ),
    ] = None
    bipartite: Annotated[
        bool | None,
        typer.Option(
            "--bipartite/--no-bipartite",
            help="Whether the two columns hold different kinds of nodes; then auto groups each kind by itself.",
            rich_help_panel=_PANEL,
        ),
    ] = None
    negative: Annotated[
        str | None,
        typer.Option(
            metavar="drop|absolute", help="How to treat negative weights; refused by default.", rich_help_panel=_PANEL
        ),
    ] = None
    threshold: Annotated[
        float | None,
        typer.Option(metavar="X", help="Leave out edges with smaller weights.", rich_help_panel=_PANEL),
    ] = None
    delimiter: Annotated[
        str | None,
        typer.Option(
            metavar="CHAR",
            help="Column separator: a character, ::, or tab, comma, whitespace, ...",
            rich_help_panel=_PANEL,
        ),
    ] = None
    header: Annotated[
        bool | None,
        typer.Option("--header/--no-header", help="Whether the first line names the columns.", rich_help_panel=_PANEL),
    ] = None
    comment: Annotated[
        str | None, typer.Option(metavar="MARK", help="Start of a comment, or none.", rich_help_panel=_PANEL)
    ] = None
    encoding: Annotated[str | None, typer.Option(metavar="NAME", help="Text encoding.", rich_help_panel=_PANEL)] = None
    memory: Annotated[
        str | None,
        typer.Option(
            metavar="SIZE",
            help="Memory to use, such as 4GB: auto, leiden, louvain and label-propagation keep what does not fit in "
            "temporary files.",
            rich_help_panel=_PANEL,
        ),
    ] = None

    def read(self, path: str) -> Any:
        """Read a graph with these options."""
        from graphclust.inputs import read_graph
        from graphclust.runtime.progress import task

        options = {field.name: getattr(self, field.name) for field in fields(self)}
        with task(f"reading {path}"):
            return read_graph(path, format=options.pop("input_format"), **options)


def say(message: str) -> None:
    """Print a line on stderr, unless stderr is closed."""
    with contextlib.suppress(OSError, ValueError):
        if sys.stderr is not None:  # `print` would write to standard output instead
            print(f"graphclust: {message}", file=sys.stderr)  # noqa: T201


@contextmanager
def printed_on_stderr() -> Iterator[None]:
    """Send to stderr what functions of the user's print, because standard output is for results."""
    with contextlib.redirect_stdout(sys.stderr or sys.stdout):
        yield


def is_helper() -> bool:
    """Whether this is a training process other than the first one, which prints the messages."""
    return os.environ.get("LOCAL_RANK", "0") != "0"


def parse_value(text: str) -> Any:
    """Parse 7, 1e3, 0.5, none, true, a range 50:300, a list 10,20,30, a matrix 0.5,0.1;0.1,0.4 or a Python literal.

    Raises
    ------
    ValueError
        It is none of these.
    """
    import ast

    constants = {"none": None, "true": True, "false": False}
    if text.lower() in constants:
        return constants[text.lower()]
    if ";" in text and text[0] not in "([{'\"":
        return [[_parse_number(entry) for entry in row.split(",")] for row in text.split(";")]
    if any(mark in text for mark in ":,") and text[0] not in "([{'\"":
        return tuple(_parse_number(entry) for entry in re.split("[:,]", text))
    try:
        return _parse_number(text)
    except ValueError:
        pass
    try:
        return ast.literal_eval(text)
    except (SyntaxError, MemoryError, RecursionError) as error:
        raise ValueError(text) from error


def _parse_number(text: str) -> int | float:
    try:
        return int(text)
    except ValueError:
        value = float(text)
    return int(value) if "." not in text and value.is_integer() else value  # 1e3


def parse_pairs(option: str, pairs: list[str] | None) -> dict[str, Any]:
    """Parse NAME=VALUE pairs into a dictionary. Values are those of `parse_value` if they parse, otherwise strings."""
    values: dict[str, Any] = {}
    for pair in pairs or ():
        name, equals, text = pair.partition("=")
        if not equals or not name.isidentifier():
            raise UsageError(f"{option} takes NAME=VALUE, not {pair!r}")
        try:
            values[name] = parse_value(text)
        except ValueError:
            values[name] = text
    return values


def check_files(outputs: dict[str, str | None], **inputs: str | None) -> None:
    """Check before the work starts that the output files can be written without overwriting an input or each other.

    Parameters
    ----------
    outputs : dict
        Option -> name of the file to write.
    **inputs
        Option without dashes -> name of a file to read. Messages call `graph`, `predicted`, `old` and `new`
        "the input".

    Raises
    ------
    UsageError
        An output is an input, or two outputs are the same file.
    DataError
        An output is a folder, its folder does not exist, or there is no permission to write it.
    """
    from graphclust.io.files import check_packing, is_special

    seen = {
        os.path.realpath(name): "the input" if option in _INPUTS else f"--{option.replace('_', '-')}"
        for option, name in inputs.items()
        if name is not None and name != "-" and not name.startswith("data:")
    }
    for option, name in outputs.items():
        if name == "-" and option not in ("--out", "OUT"):
            raise UsageError(f"{option} needs a file: only results can go to standard output")
        if name is None or name == "-" or is_special(name):
            continue
        check_packing(name)
        place = os.path.realpath(name)
        if Path(place).is_dir():
            raise DataError("cannot write: this is a folder", name)
        if not Path(place).parent.is_dir():
            raise DataError(f"cannot write: the folder {Path(name).parent} does not exist", name)
        if not os.access(Path(place).parent, os.W_OK):
            raise DataError(f"cannot write: no permission to write in the folder {Path(name).parent}", name)
        if place in seen:
            raise UsageError(f"{option} would overwrite {seen[place]}")
        seen[place] = option


def check_figure(path: str | None) -> str:
    """Return the format of a figure, from the extension of its file.

    Raises
    ------
    UsageError
        The extension is not that of a format that can be drawn.
    """
    if path is None:
        return ""
    from graphclust.io.source import suffix_of
    from graphclust.report.plot import FIGURES

    kind = suffix_of(path).removeprefix(".")
    if kind not in FIGURES:
        raise UsageError(f"--figure draws .{', .'.join(FIGURES)}, not {path}")
    return kind


def check_format(name: str, *known: str) -> None:
    """Refuse a value of --format that is not in `known`."""
    from graphclust.errors import unknown

    if name not in known:
        raise unknown("format", name, known)


def abandon_output() -> None:
    """Discard what is still buffered for standard output, so that the flush at interpreter exit cannot fail."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


class _Console(logging.Handler):
    """Prints the library's log on stderr. Notes that are details appear with --verbose only."""

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
    """Show notes on stderr, and progress if stderr is a terminal."""
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
    """Remembers Ctrl-C, because compiled code that calls Python may swallow a KeyboardInterrupt."""

    was_received = False

    @classmethod
    def receive(cls, *_: Any) -> None:
        cls.was_received = True
        raise KeyboardInterrupt

    @classmethod
    @contextmanager
    def watched(cls) -> Iterator[None]:
        cls.was_received = False
        with interrupts_handled(cls.receive):
            yield
            cls.check()

    @classmethod
    def check(cls) -> None:
        if cls.was_received:
            raise KeyboardInterrupt


def _guarded(call: Callable[[], None], quiet: bool, verbose: bool) -> int:
    """Run a command's body, turn its errors into a line on stderr, and return the exit status."""
    try:
        with _console(quiet, verbose), _Interruption.watched():
            call()
            if sys.stdout is not None:
                sys.stdout.flush()
    except GraphclustError as error:
        say(str(error))
        return error.exit_code
    except BrokenPipeError:  # the reader of the pipe has stopped reading, as `head` does
        abandon_output()
        return 0
    except KeyboardInterrupt:
        say("interrupted")
        return 130
    except Exception as error:
        shortage = shortage_of(error)
        if shortage is None and not isinstance(error, OSError):
            raise
        abandon_output()
        say(str(shortage) if shortage is not None else f"cannot write: {getattr(error, 'strerror', '') or error}")
        return 1
    return 0


def _without_line_breaks(docstring: str) -> str:
    """Join the lines of each paragraph, because typer would keep the line breaks in the help."""
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in inspect.cleandoc(docstring).split("\n\n"))


def command(body: Callable[..., None]) -> Callable[..., None]:
    """Turn a function into a subcommand.

    A parameter `reading` becomes the options of `Reading`. A function with a parameter `quiet` also gets the option
    --verbose, whose value is passed on only if the function has a parameter `verbose`. Errors become exit statuses.
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

    run.__name__, run.__doc__ = body.__name__, _without_line_breaks(body.__doc__ or "")
    run.__dict__["__signature__"] = inspect.Signature(parameters)
    run.__annotations__ = {item.name: item.annotation for item in parameters}
    return run


@contextmanager
def output(path: str | None) -> Iterator[BinaryIO]:
    """Open the destination of results: standard output, or a file that is replaced only when writing succeeds."""
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
