"""The command line, with one file per subcommand. A subcommand parses its options, calls one function and prints.

Results go to standard output and everything else to stderr. Heavy modules are imported inside the commands, so that
`graphclust --help` answers immediately.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from typing import Annotated, Any

import typer

from graphclust import __version__
from graphclust.cli.cluster import cluster
from graphclust.cli.common import abandon_output, command, say
from graphclust.cli.compare import compare
from graphclust.cli.convert import convert
from graphclust.cli.data import data
from graphclust.cli.detect import detect
from graphclust.cli.diff import diff
from graphclust.cli.doctor import doctor
from graphclust.cli.evaluate import evaluate
from graphclust.cli.generate import add_families, generate
from graphclust.cli.links import links
from graphclust.cli.methods import methods
from graphclust.cli.models import models
from graphclust.cli.profile import profile
from graphclust.cli.reproduce import reproduce
from graphclust.cli.study import study
from graphclust.cli.train import train
from graphclust.cli.warm import warm
from graphclust.errors import GraphclustError

__all__ = ["app", "run"]

_NARROW = 60  # columns of a terminal in which the frames of the help leave no room for the text
_STYLE: dict[str, Any] = {"rich_markup_mode": None} if shutil.get_terminal_size().columns < _NARROW else {}

app = typer.Typer(
    **_STYLE,
    name="graphclust",
    help="Find communities in graphs and quantify their uncertainty.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
_ON_RESULTS = (evaluate, compare, diff, links, profile)
for _body in (detect, cluster, *_ON_RESULTS, convert, train, methods, models, study, reproduce, warm, doctor):
    app.command()(command(_body))
app.add_typer(data, name="data")
app.add_typer(generate, name="generate")


def _show_version(value: bool) -> None:
    if value:
        typer.echo(f"graphclust {__version__}")
        raise typer.Exit


@app.callback()
def _main(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    pass


# some versions of typer bundle click and others import it: look up the base class of all usage errors by name
_CommandLineError: Any = next(kind for kind in typer.BadParameter.__mro__ if kind.__name__ == "ClickException")


def run(argv: Sequence[str]) -> int:
    """Run the command line with the arguments `argv` and return the exit status."""
    if not argv:
        argv = ["--help"]
    try:
        if argv[0] == "generate":
            add_families(*argv[1:2])
        status = int(app(args=list(argv), prog_name="graphclust", standalone_mode=False) or 0)
        if sys.stdout is not None and not sys.stdout.closed:
            sys.stdout.flush()
        return status
    except BrokenPipeError:
        abandon_output()
        return 0
    except GraphclustError as error:  # a family of the user's own that cannot be imported
        say(str(error))
        return error.exit_code
    except OSError as error:
        abandon_output()
        say(f"cannot write: {error.strerror or error}")
        return 1
    except _CommandLineError as error:
        command_path = getattr(getattr(error, "ctx", None), "command_path", "graphclust")
        say(f"{error.format_message()} (see {command_path} --help)")
        return int(error.exit_code)
