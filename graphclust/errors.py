"""What can go wrong, and whose fault it is.

Every error that a caller's input can cause derives from `GraphclustError`; the command line turns it into one line
on stderr and the exit status in `exit_code`. Anything else that escapes is a defect of this package.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import ClassVar

__all__ = ["DataError", "GraphclustError", "ResourceError", "UsageError", "unknown"]


class GraphclustError(Exception):
    """Base class of all errors that graphclust raises on purpose."""

    exit_code: ClassVar[int] = 1


class DataError(GraphclustError, ValueError):
    """The data cannot be used: an unreadable file, a malformed line, a weight that is not a number.

    Parameters
    ----------
    message : str
        What is wrong, without a trailing period.
    path : str or os.PathLike, optional
        File that the data came from.
    line : int, optional
        Line of that file, counted from 1.
    """

    def __init__(self, message: str, path: str | os.PathLike[str] | None = None, line: int | None = None) -> None:
        self.message, self.path, self.line = message, path, line
        place = "" if path is None else f"{os.fspath(path)}: " if line is None else f"{os.fspath(path)}:{line}: "
        super().__init__(place + message)


class UsageError(GraphclustError, ValueError):
    """The call itself makes no sense: an unknown method, a parameter out of range, K where a method takes none."""

    exit_code: ClassVar[int] = 2


class ResourceError(GraphclustError, MemoryError):
    """The work would not fit into memory; raised before it starts, with the estimate."""


def unknown(kind: str, name: object, known: Iterable[str]) -> UsageError:
    """Make the error of a name that is none of the known ones: it tells the nearest, or all.

    Examples
    --------
    >>> unknown("encoder", "graphsag", ["graphsage", "gated-gcn"])
    UsageError("no encoder is called 'graphsag'; did you mean graphsage?")
    """
    import difflib

    names = list(known)
    near = difflib.get_close_matches(str(name), names, n=3)
    guess = f"did you mean {' or '.join(near)}?" if near else f"there are {', '.join(names)}"
    return UsageError(f"no {kind} is called {name!r}; {guess}")
