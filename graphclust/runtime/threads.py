"""How many threads are used."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from contextvars import ContextVar

__all__ = ["n_threads", "one_openmp_thread", "one_thread", "single_threaded"]

_is_single_threaded: ContextVar[bool] = ContextVar("alone", default=False)  # whether within `single_threaded`


@contextmanager
def one_thread(wanted: bool) -> Iterator[None]:
    """Keep torch to one thread, where small tensors gain nothing from more.

    Threads that wait for each other on a busy machine make a small network take 40 times longer, and a process forked
    after they were started would wait for them for ever.
    """
    import torch

    before = torch.get_num_threads()
    if wanted:
        torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def single_threaded() -> Iterator[None]:
    """Keep what is loaded and computes to one thread, so that times do not depend on what else runs."""
    from threadpoolctl import threadpool_limits

    token = _is_single_threaded.set(True)
    try:
        with one_thread(True) if "torch" in sys.modules else nullcontext(), threadpool_limits(1):
            yield
    finally:
        _is_single_threaded.reset(token)


def n_threads() -> int:
    """Return how many threads work may be spread over: one for each core, or one within `single_threaded`.

    Examples
    --------
    >>> with single_threaded():
    ...     n_threads()
    1
    """
    return 1 if _is_single_threaded.get() else os.cpu_count() or 1


@contextmanager
def one_openmp_thread() -> Iterator[None]:
    """Keep OpenMP to one thread: once it has a pool, a child process that is forked later hangs at its first use."""
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1, user_api="openmp"):
        yield
