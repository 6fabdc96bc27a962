"""Processes of a Dask cluster, perhaps on several machines."""

from __future__ import annotations

import logging
import random
import re
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from itertools import islice
from typing import Any, TypeVar

from graphclust.errors import DataError, ResourceError, UsageError
from graphclust.runtime.memory import available_memory
from graphclust.runtime.threads import n_threads

__all__ = ["Cluster", "connected", "current_cluster", "dask_client", "default_client", "partitions"]

logger = logging.getLogger("graphclust")

_SECONDS = 10.0  # to wait for the scheduler
_SECONDS_OF_RESTART = 60.0  # to wait for a worker if none is left
_MOST_LOSSES = 20  # of workers in a run
_LOCAL = re.compile(r"local(?::([1-9][0-9]*))?")
_ADDRESS = re.compile(r"[a-z]+://.+")
_current: ContextVar[Cluster | None] = ContextVar("cluster", default=None)

_T = TypeVar("_T")


@contextmanager
def dask_client(where: str) -> Iterator[Any]:
    """Connect to a Dask cluster, or start one on this machine.

    Parameters
    ----------
    where : str
        "local" or "local:4" starts processes, by default one for each core; "tcp://host:8786" is a scheduler.

    Yields
    ------
    dask.distributed.Client

    Raises
    ------
    UsageError
        Neither of these, or Dask is not installed.
    DataError
        No scheduler answers.
    """
    local = _LOCAL.fullmatch(where)
    if local is None and not _ADDRESS.fullmatch(where):
        raise UsageError(
            f"a cluster is local, local:N or the address of a scheduler, such as tcp://host:8786; not {where}"
        )
    try:
        import dask
        from distributed import Client, LocalCluster
    except ImportError:
        raise UsageError("a cluster needs the package dask.distributed: pip install 'graphclust[dask]'") from None
    with ExitStack() as stack:
        logging.getLogger("distributed").setLevel(logging.CRITICAL)  # lost workers are replaced or reported
        if local is None:
            try:
                yield stack.enter_context(Client(where, timeout=_SECONDS))
            except (OSError, ValueError) as error:
                raise DataError(f"no Dask cluster answers at {where}: {error}") from None
            return
        number, memory = int(local[1] or n_threads()), available_memory()
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="graphclust-", ignore_cleanup_errors=True))
        stack.enter_context(dask.config.set({"distributed.worker.daemon": True}))
        started = LocalCluster(
            n_workers=number,
            threads_per_worker=1,
            memory_limit="auto" if memory is None else int(memory / (number + 1)),  # this process takes a part, too
            local_directory=folder,
            dashboard_address="127.0.0.1:0",
            silence_logs=logging.CRITICAL,
        )
        yield stack.enter_context(Client(stack.enter_context(started), direct_to_workers=True))


@contextmanager
def connected(where: Any) -> Iterator[None]:
    """Let very large graphs be worked on by a Dask cluster in this block; None for none.

    Parameters
    ----------
    where : str, dask.distributed.Client or None
        See `dask_client`.
    """
    with ExitStack() as stack:
        if where is not None:
            stack.callback(random.setstate, random.getstate())  # Dask draws from the caller's generator
            client = stack.enter_context(dask_client(where)) if isinstance(where, str) else where
            token = _current.set(Cluster(client))
            stack.callback(_current.reset, token)
        yield


def current_cluster() -> Cluster | None:
    """Return the cluster of the innermost `connected` block, if there is one."""
    return _current.get()


def default_client() -> Any:
    """Return the client that Dask uses by default in this process; None without one."""
    from distributed import default_client as own_client

    try:
        return own_client()
    except ValueError:
        return None


def partitions(frame: Any) -> Iterator[Any]:
    """Yield the partitions of a Dask dataframe as pandas dataframes; a cluster makes some of them ahead.

    Parameters
    ----------
    frame : dask.dataframe.DataFrame
    """
    cluster, parts = current_cluster(), iter(frame.partitions)
    if cluster is None:
        for part in parts:
            yield part.compute()
        return
    ahead = deque(cluster.client.compute(part) for part in islice(parts, len(cluster.addresses()) + 1))
    while ahead:
        frame = ahead.popleft().result()
        ahead.extend(cluster.client.compute(part) for part in islice(parts, 1))
        yield frame


class Cluster:
    """The workers of a Dask cluster, of which some may be lost.

    Parameters
    ----------
    client : dask.distributed.Client

    Attributes
    ----------
    client : dask.distributed.Client
    sent, received : int
        Bytes of arrays so far, without those that workers send to each other.
    n_calls : int
        Of functions on workers.
    n_batches, n_visits : int
        Batches of nodes, and nodes in them, for which workers were asked for moves.
    n_lost : int
        How often work was repeated because a worker was lost.
    n_workers : int
        The most that there have been.
    """

    def __init__(self, client: Any) -> None:
        self.client = client
        self.sent = self.received = self.n_lost = self.n_workers = 0
        self.n_calls = self.n_batches = self.n_visits = 0

    def counts(self) -> dict[str, int]:
        """Return the numbers above by name."""
        return {name: value for name, value in vars(self).items() if name != "client"}

    def addresses(self) -> list[str]:
        """Return the addresses of the workers; wait for one if there is none.

        Raises
        ------
        ResourceError
            There is none for a minute, or the scheduler has ended.
        """
        end = time.monotonic() + _SECONDS_OF_RESTART
        while True:
            try:
                found: list[str] = self.client.run_on_scheduler(_addresses)
            except (OSError, ValueError, RuntimeError):  # as a client does that has been closed
                raise ResourceError("the scheduler of the Dask cluster does not answer any more") from None
            if found:
                self.n_workers = max(self.n_workers, len(found))
                return sorted(found)
            if time.monotonic() > end:
                raise ResourceError("the Dask cluster has no worker")
            time.sleep(0.1)

    def send(self, value: Any, addresses: Sequence[str]) -> Any:
        """Send a value to workers; return its future."""
        self.sent += _size(value) * len(addresses)
        several = len(addresses) > 1
        try:
            return self.client.scatter([value], workers=list(addresses), broadcast=several, hash=False)[0]
        except (OSError, KeyError, ValueError) as error:  # of a worker that the scheduler does not know any more
            raise _LostError(str(error)) from None

    def call(self, address: str, function: Callable[..., Any], *args: Any) -> Any:
        """Call a function on a worker, or on another if that one is lost; return its future.

        Futures among the arguments, also in lists, are replaced by their values.
        """
        self.n_calls += 1
        self.sent += sum(map(_size, args))
        options = {"workers": [address], "allow_other_workers": True, "pure": False}
        return self.client.submit(function, *args, **options)

    def results(self, futures: Sequence[Any]) -> list[Any]:
        """Wait for the results of calls."""
        values: list[Any] = self.client.gather(list(futures))
        self.received += _size(values)
        return values

    def completed(self, attempt: Callable[[], _T]) -> _T:
        """Call a function again until no worker is lost during the call.

        Raises
        ------
        ResourceError
            Workers are lost again and again.
        """
        from distributed import KilledWorker
        from distributed.comm.core import CommClosedError

        while True:
            try:
                return attempt()
            except (CancelledError, KilledWorker, CommClosedError, _LostError) as error:
                logger.debug("a worker was lost: %r %s", error, error)
                self.n_lost += 1
                if self.n_lost > _MOST_LOSSES:
                    raise ResourceError(
                        f"workers of the Dask cluster were lost {self.n_lost} times: they may have too little memory"
                    ) from None
                time.sleep(0.2)


class _LostError(Exception):
    """A worker was lost while something was sent to it."""


def _addresses(dask_scheduler: Any) -> list[str]:
    """Return the addresses of the workers of a scheduler, which has to have this parameter."""
    return list(dask_scheduler.workers)


def _size(value: Any) -> int:
    """Return the bytes of the arrays in a value."""
    if isinstance(value, tuple | list):
        return sum(map(_size, value))
    own = getattr(value, "nbytes", 0)
    return own if isinstance(own, int) else 0
