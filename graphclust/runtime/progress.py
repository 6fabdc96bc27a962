"""Progress of long work: the library reports steps, whoever has a terminal shows them.

    with task("leiden", total=10) as advance:
        ...
        advance()

does nothing unless a reporter is installed by `showing` (the command line does, on a terminal).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar

__all__ = ["Reporter", "is_shown", "showing", "task"]

Reporter = Callable[[str, int | None], AbstractContextManager[Callable[[], None]]]

_reporter: ContextVar[Reporter | None] = ContextVar("graphclust_progress", default=None)


def is_shown() -> bool:
    """Whether somebody shows the progress of what runs now."""
    return _reporter.get() is not None


@contextmanager
def showing(reporter: Reporter) -> Iterator[None]:
    """Send the progress of everything inside to `reporter(description, total)`."""
    token = _reporter.set(reporter)
    try:
        yield
    finally:
        _reporter.reset(token)


@contextmanager
def task(description: str, total: int | None = None) -> Iterator[Callable[[], None]]:
    """Announce work of `total` steps (None: unknown); yields the function to call after each.

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
