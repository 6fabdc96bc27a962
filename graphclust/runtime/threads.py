"""The number of threads, and a pool of them."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Self

from graphclust.runtime.storage import new_array

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor

    from numpy.typing import DTypeLike
    from threadpoolctl import ThreadpoolController

    from graphclust.kernels.workers import Workers
    from graphclust.runtime.storage import Storage

__all__ = ["Threads", "limited_threads", "n_threads", "one_blas_thread", "one_openmp_thread", "one_thread"]

_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
_limit: ContextVar[int | None] = ContextVar("limit", default=None)


def one_thread(enabled: bool) -> AbstractContextManager[None]:
    """Limit torch to one thread if `enabled`, for small tensors that gain nothing from more threads.

    On a busy machine, threads that wait for each other make a small network 40 times slower. A process that is forked
    after they were started would wait for them forever.
    """
    return _torch_threads(1 if enabled else None)


@contextmanager
def limited_threads(number: int | None) -> Iterator[None]:
    """Limit the threads of graphclust and of numerical libraries, also those that are imported inside the block.

    Parameters
    ----------
    number : int or None
        None sets no limit.
    """
    if number is None:
        yield
        return
    from threadpoolctl import threadpool_limits

    token = _limit.set(number)
    before = {name: os.environ.get(name) for name in _VARIABLES}
    os.environ.update(dict.fromkeys(_VARIABLES, str(number)))
    try:
        with _torch_threads(number), threadpool_limits(number):
            yield
    finally:
        _limit.reset(token)
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@contextmanager
def _torch_threads(number: int | None) -> Iterator[None]:
    """Limit torch, if it has been imported."""
    torch: Any = sys.modules.get("torch")
    if torch is None or number is None:
        yield
        return
    before = torch.get_num_threads()
    torch.set_num_threads(number)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def n_threads() -> int:
    """Return the number of threads for parallel work: one for each core that the process may use, or fewer.

    Examples
    --------
    >>> with limited_threads(1):
    ...     n_threads()
    1
    """
    limit = _limit.get()
    if limit is not None:
        return limit
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


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


class Threads:
    """Threads for compiled loops that do not hold the interpreter's lock, and where their large arrays lie.

    Parameters
    ----------
    number : int, optional
        By default `n_threads()`. Threads are started when they are first needed, and end with the block.
    storage : Storage, optional
        Where large arrays lie; by default in memory.
    workers : graphclust.kernels.workers.Workers, optional
        Other processes that share the work on very large graphs.

    Examples
    --------
    >>> squares = [0] * 4
    >>> def square(thread):
    ...     for i in range(*threads.share(thread, 0, 4)):
    ...         squares[i] = i**2
    >>> with Threads(2) as threads:
    ...     threads.run(square)
    >>> squares
    [0, 1, 4, 9]
    """

    def __init__(
        self, number: int | None = None, storage: Storage | None = None, workers: Workers | None = None
    ) -> None:
        self.number = n_threads() if number is None else number
        self.storage = storage
        self.workers = workers
        self._pool: ThreadPoolExecutor | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._pool is not None:
            self._pool.shutdown()
            self._pool = None

    def run(self, task: Callable[[int], object]) -> None:
        """Call `task(0)`, ..., `task(number - 1)` in parallel, and wait for all of them."""
        if self.number > 1 and self._pool is None:
            from concurrent.futures import ThreadPoolExecutor

            self._pool = ThreadPoolExecutor(self.number - 1, "graphclust")
        futures = [self._pool.submit(task, t) for t in range(1, self.number)] if self._pool else []
        try:
            task(0)
        finally:
            errors = [future.exception() for future in futures]
        for error in errors:
            if error is not None:
                raise error

    @contextmanager
    def without_workers(self) -> Iterator[None]:
        """Leave the work of a block to the threads of this process."""
        workers, self.workers = self.workers, None
        try:
            yield
        finally:
            self.workers = workers

    def new_array(self, length: int, dtype: DTypeLike) -> Any:
        """Return a new array, in a file if there is a storage; see `graphclust.runtime.storage.new_array`."""
        return new_array(self.storage, length, dtype)

    def release(self) -> None:
        """Let the system take the memory of the arrays in files."""
        if self.storage is not None:
            self.storage.release()

    def share(self, thread: int, first: int, last: int) -> tuple[int, int]:
        """Return the part of first, ..., last - 1 that a thread works on, as the first and the end."""
        n = last - first
        return first + n * thread // self.number, first + n * (thread + 1) // self.number
