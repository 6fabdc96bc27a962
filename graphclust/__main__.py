"""Entry point of the command line: `graphclust` and `python -m graphclust`."""

from __future__ import annotations

import atexit
import contextlib
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command and return its exit status: 0 success, 1 bad data, 2 wrong usage, 130 interrupted."""
    try:
        from graphclust.cli import run

        if argv is None and sys.argv[1:2] in (["detect"], ["compare"]):
            from graphclust.cli.startup import import_igraph

            import_igraph()
        status = run(sys.argv[1:] if argv is None else argv)
    except KeyboardInterrupt:  # during the import of the command line
        status = 130
    if status == 130 and argv is None:
        _exit_interrupted()
    return status


def _exit_interrupted() -> NoReturn:
    """End the process with status 130.

    Python itself would end it by SIGINT if the interruption passed through `exec` of a string, which the import of any
    dataclass calls.
    """
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError, AttributeError):  # closed, or not there
            stream.flush()
    os._exit(130)


if __name__ == "__main__":
    sys.exit(main())
