"""Ctrl-C: who handles it in a block, and that it waits for compiled code that does not survive an exception."""

from __future__ import annotations

import logging
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

__all__ = ["interrupts_handled", "uninterrupted"]

logger = logging.getLogger("graphclust")


@contextmanager
def interrupts_handled(
    handler: Callable[[int, FrameType | None], Any] | signal.Handlers, number: signal.Signals = signal.SIGINT
) -> Iterator[None]:
    """Let Ctrl-C, or another signal, be handled in another way until the block ends.

    Outside the main thread, or where a handler stands that is none of Python's, or where the signal is ignored, as a
    shell does with Ctrl-C for what a script runs in the background, nothing is changed.

    Parameters
    ----------
    handler : callable or signal.Handlers
        As `signal.signal` takes it.
    number : signal.Signals
        The signal; that of Ctrl-C by default.

    Examples
    --------
    >>> with interrupts_handled(lambda *_: print("interrupted")):
    ...     signal.raise_signal(signal.SIGINT)
    interrupted
    """
    before = signal.getsignal(number)
    try:
        if before not in (None, signal.SIG_IGN):
            signal.signal(number, handler)
        else:
            before = None
    except ValueError:  # not the main thread: signals are somebody else's business
        before = None
    try:
        yield
    finally:
        if before is not None:
            signal.signal(number, before)


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Let Ctrl-C wait until the block ends; then it is handled as it would have been.

    For calls of igraph: version 1.0.0 looks for signals while it computes, and where a handler raises an exception it
    frees what it may not, which ends the process, or loses the exception. Blocks may stand inside each other. Outside
    the main thread, and where Ctrl-C is not handled by a function of Python's, nothing is changed.

    Examples
    --------
    >>> with interrupts_handled(lambda *_: print("interrupted")), uninterrupted():
    ...     signal.raise_signal(signal.SIGINT)
    ...     print("still here")
    still here
    interrupted
    """
    frames: list[FrameType | None] = []

    def note(_: int, frame: FrameType | None) -> None:
        if frames:
            logger.info("igraph cannot be stopped: interrupting as soon as its step is done")
        frames.append(frame)

    before = signal.getsignal(signal.SIGINT)
    if not callable(before):  # none of Python's, ignored, or deadly: all of which igraph survives
        yield
        return
    try:
        with interrupts_handled(note):
            yield
    finally:
        if frames:
            before(signal.SIGINT, frames[0])
