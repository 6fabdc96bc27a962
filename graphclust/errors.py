"""Exceptions that graphclust raises.

Every error that a caller's input can cause derives from `GraphclustError`. The command line prints such an error as one
line on stderr and exits with its `exit_code`. Any other exception that reaches a caller is a bug in this package.
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
        Description of the problem, without a trailing period.
    path : str or os.PathLike, optional
        File with the data.
    line : int, optional
        Line of the file, counted from 1.
    """

    def __init__(self, message: str, path: str | os.PathLike[str] | None = None, line: int | None = None) -> None:
        self.message, self.path, self.line = message, path, line
        place = "" if path is None else f"{os.fspath(path)}: " if line is None else f"{os.fspath(path)}:{line}: "
        super().__init__(place + message)


class UsageError(GraphclustError, ValueError):
    """The call is invalid: an unknown method, a parameter out of range, `n_clusters` for a method that takes none."""

    exit_code: ClassVar[int] = 2


class ResourceError(GraphclustError, MemoryError):
    """The work would not fit into memory. It is raised before the work starts, and the message has the estimate."""


def unknown(kind: str, name: object, known: Iterable[str]) -> UsageError:
    """Return the error for an unknown name. Its message suggests similar known names, or lists all known names.

    Parameters
    ----------
    kind : str
        Noun for what is named, such as "method".
    name : object
        The unknown name.
    known : iterable of str
        All known names.

    Examples
    --------
    >>> unknown("encoder", "graphsag", ["graphsage", "gated-gcn"])
    UsageError("unknown encoder 'graphsag'; did you mean graphsage?")
    """
    import difflib

    names = list(known)
    near = difflib.get_close_matches(str(name), names, n=3)
    hint = f"did you mean {' or '.join(near)}?" if near else f"choose from {', '.join(names)}"
    return UsageError(f"unknown {kind} {name!r}; {hint}")
