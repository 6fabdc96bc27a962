"""Ctrl-C while compiled code runs that does not survive an exception."""

from __future__ import annotations

import logging
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

__all__ = ["uninterrupted"]

logger = logging.getLogger("graphclust")


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Let Ctrl-C wait until the block ends; then it is handled as it would have been.

    For calls of igraph: version 1.0.0 looks for signals while it computes, and where a handler raises an exception it
    frees what it may not, which ends the process, or loses the exception. Blocks may stand inside each other. Outside
    the main thread, and where Ctrl-C is not handled by a function of Python's, nothing is changed.

    Examples
    --------
    >>> before = signal.signal(signal.SIGINT, lambda *_: print("interrupted"))
    >>> with uninterrupted():
    ...     signal.raise_signal(signal.SIGINT)
    ...     print("still here")
    still here
    interrupted
    >>> _ = signal.signal(signal.SIGINT, before)
    """
    came: list[FrameType | None] = []

    def note(_: int, frame: FrameType | None) -> None:
        if came:
            logger.info("igraph cannot be stopped: interrupting as soon as its step is done")
        came.append(frame)

    before = signal.getsignal(signal.SIGINT)
    try:
        if callable(before):
            signal.signal(signal.SIGINT, note)
    except ValueError:  # not the main thread: signals are somebody else's business
        before = None
    if not callable(before):  # none of Python's, ignored, or deadly: all of which igraph survives
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
        if came:
            before(signal.SIGINT, came[0])
