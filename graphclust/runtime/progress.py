"""Progress of long work: the library reports steps, and an installed reporter displays them.

    with task("leiden", total=10) as advance:
        ...
        advance()

This does nothing unless `showing` has installed a reporter. The command line installs one on a terminal.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar

__all__ = ["Reporter", "is_shown", "showing", "task"]

Reporter = Callable[[str, int | None], AbstractContextManager[Callable[[], None]]]

_reporter: ContextVar[Reporter | None] = ContextVar("graphclust_progress", default=None)


def is_shown() -> bool:
    """Whether a reporter displays progress."""
    return _reporter.get() is not None


@contextmanager
def showing(reporter: Reporter) -> Iterator[None]:
    """Report the progress of tasks inside the block to `reporter(description, total)`."""
    token = _reporter.set(reporter)
    try:
        yield
    finally:
        _reporter.reset(token)


@contextmanager
def task(description: str, total: int | None = None) -> Iterator[Callable[[], None]]:
    """Announce work of `total` steps (None if unknown), and yield a function to call after each step.

    Examples
    --------
    >>> with task("counting", total=2) as advance:
    ...     advance()
    """
    reporter = _reporter.get()
    if reporter is None:
        yield lambda: None
        return
    with reporter(description, total) as advance:
        yield advance
