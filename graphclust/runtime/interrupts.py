"""Handling of Ctrl-C: set the handler for a block, or delay it while igraph runs, which an exception would crash."""

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
    """Set the handler of Ctrl-C, or of another signal, until the block ends.

    Nothing changes outside the main thread, if the current handler was not set by Python, or if the signal is ignored
    (a shell ignores Ctrl-C in background jobs of a script).

    Parameters
    ----------
    handler : callable or signal.Handlers
        See `signal.signal`.
    number : signal.Signals
        The signal; by default the one that Ctrl-C sends.

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
    except ValueError:  # only the main thread can set handlers
        before = None
    try:
        yield
    finally:
        if before is not None:
            signal.signal(number, before)


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Delay Ctrl-C until the block ends, and then call the previous handler.

    This is for calls of igraph. Version 1.0.0 checks for signals while it computes. If a handler raises an exception,
    igraph frees memory that is still in use, which ends the process, or loses the exception. Blocks may be nested.
    Nothing changes outside the main thread, or if the handler of Ctrl-C is not a Python function.

    Examples
    --------
    >>> with interrupts_handled(lambda *_: print("interrupted")), uninterrupted():
    ...     signal.raise_signal(signal.SIGINT)
    ...     print("still running")
    still running
    interrupted
    """
    frames: list[FrameType | None] = []

    def delay(_: int, frame: FrameType | None) -> None:
        if frames:
            logger.info("igraph cannot be interrupted: stopping when its current step is done")
        frames.append(frame)

    before = signal.getsignal(signal.SIGINT)
    if not callable(before):  # not set by Python, ignored, or ends the process: none of these harms igraph
        yield
        return
    try:
        with interrupts_handled(delay):
            yield
    finally:
        if frames:
            before(signal.SIGINT, frames[0])
