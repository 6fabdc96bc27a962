"""The number of threads."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from contextvars import ContextVar
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from threadpoolctl import ThreadpoolController

__all__ = ["n_threads", "one_blas_thread", "one_openmp_thread", "one_thread", "single_threaded"]

_is_single_threaded: ContextVar[bool] = ContextVar("is_single_threaded", default=False)


@contextmanager
def one_thread(enabled: bool) -> Iterator[None]:
    """Limit torch to one thread if `enabled`, for small tensors that gain nothing from more threads.

    On a busy machine, threads that wait for each other make a small network 40 times slower. A process that is forked
    after they were started would wait for them forever.
    """
    import torch

    before = torch.get_num_threads()
    if enabled:
        torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def single_threaded() -> Iterator[None]:
    """Limit all loaded numerical libraries to one thread, so that timings do not depend on other processes."""
    from threadpoolctl import threadpool_limits

    token = _is_single_threaded.set(True)
    try:
        with one_thread(True) if "torch" in sys.modules else nullcontext(), threadpool_limits(1):
            yield
    finally:
        _is_single_threaded.reset(token)


def n_threads() -> int:
    """Return the number of threads for parallel work: one per core, or one inside `single_threaded`.

    Examples
    --------
    >>> with single_threaded():
    ...     n_threads()
    1
    """
    return 1 if _is_single_threaded.get() else os.cpu_count() or 1


@contextmanager
def one_openmp_thread() -> Iterator[None]:
    """Limit OpenMP to one thread. Once OpenMP has a pool, a child process forked later hangs when it uses OpenMP."""
    with _thread_pools(len(sys.modules)).limit(limits=1, user_api="openmp"):
        yield


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Limit linear algebra to one thread: with several threads it is slower for small matrices."""
    import scipy.linalg  # noqa: F401  only loaded libraries can be limited

    with _thread_pools(len(sys.modules)).limit(limits=1, user_api="blas"):
        yield


@lru_cache(maxsize=1)
def _thread_pools(n_modules: int) -> ThreadpoolController:
    """Return the thread pools of the loaded libraries. The search takes 10 ms, and is repeated after imports.

    `n_modules` is the number of imported modules.
    """
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()
