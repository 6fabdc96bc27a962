"""Entry point of the command line: `graphclust` and `python -m graphclust`."""

from __future__ import annotations

import atexit
import contextlib
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

__all__ = ["main"]

_LEAST_MEMORY = 350 << 20  # bytes


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command and return its exit status: 0 success, 1 bad data, 2 wrong usage, 130 interrupted."""
    try:
        if (shortage := _shortage()) is not None:
            sys.stderr.write(f"graphclust: {shortage}\n")
            return 1
        if argv is None:
            from graphclust.cli.startup import prepare

            prepare(sys.argv[1:])
        from graphclust.cli import run

        status = run(sys.argv[1:] if argv is None else argv)
    except KeyboardInterrupt:  # during the import of the command line
        status = 130
    if status == 130 and argv is None:
        _exit_interrupted()
    return status


def _shortage() -> str | None:
    """Return a message if too little memory is left even to import NumPy, which may wait forever for its threads."""
    from graphclust.runtime.memory import address_space_left, format_bytes

    left = address_space_left()
    if left is None or left > _LEAST_MEMORY:
        return None
    least = format_bytes(_LEAST_MEMORY)
    return f"needs at least {least} of address space, but the limit (ulimit -v) leaves {format_bytes(left)}"


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
