"""What the machine has: memory, with a refusal before work starts that would not fit, and loops compiled before."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from graphclust.errors import ResourceError, UsageError

__all__ = [
    "PeakMemory",
    "available_memory",
    "format_bytes",
    "is_cached",
    "n_threads",
    "one_thread",
    "require_memory",
    "single_precision",
    "single_threaded",
]

_alone: ContextVar[bool] = ContextVar("alone", default=False)  # whether within `single_threaded`
_CGROUPS = (  # where limits are, what is held of it, and what tells the page cache apart
    (Path("/sys/fs/cgroup"), "memory.max", "memory.current", ""),
    (Path("/sys/fs/cgroup/memory"), "memory.limit_in_bytes", "memory.usage_in_bytes", "total_"),
)


def _installed_or_free() -> int | None:
    try:
        for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except (OSError, ValueError):
        pass
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):  # Windows has no sysconf
        return None


def available_memory() -> int | None:
    """Bytes of memory that this process may still use, or None where the system does not tell.

    The environment variable `GRAPHCLUST_MEMORY` (GiB, a decimal number) overrides what the system says.

    Raises
    ------
    UsageError
        `GRAPHCLUST_MEMORY` is not a positive number.
    """
    asked = os.environ.get("GRAPHCLUST_MEMORY")
    if asked:
        try:
            gib = float(asked)
        except ValueError:
            gib = -1.0
        if not 0 < gib < float("inf"):
            raise UsageError(f"GRAPHCLUST_MEMORY is a positive number of GiB, not {asked!r}")
        return int(gib * 2**30)
    limits = [] if (free := _installed_or_free()) is None else [free]
    for folder, limit, usage, prefix in _CGROUPS:
        try:
            most = int((folder / limit).read_text(encoding="ascii"))
        except (OSError, ValueError):
            continue
        limits.append(max(most - _held(folder, usage, prefix), 0))
    return min(limits, default=None)


def _held(folder: Path, usage: str, prefix: str) -> int:
    """Return the bytes that a control group holds, less files that can be dropped; 0 where it does not tell."""
    try:
        held = int((folder / usage).read_text(encoding="ascii"))
        lines = (folder / "memory.stat").read_text(encoding="ascii").splitlines()
        counts = {name: int(value) for name, value in (line.split() for line in lines)}
    except (OSError, ValueError):
        return 0
    return max(held - counts.get(f"{prefix}inactive_file", 0) - counts.get(f"{prefix}active_file", 0), 0)


def format_bytes(size: float) -> str:
    """Render `size` bytes with a binary unit, three significant digits.

    Examples
    --------
    >>> format_bytes(3 * 2**30), format_bytes(1500)
    ('3 GiB', '1.46 KiB')
    """
    units = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")
    power = 0
    while size >= 1000 and power < len(units) - 1:
        size, power = size / 1024, power + 1
    return f"{size:.3g} {units[power]}"


def require_memory(size: float, what: str) -> None:
    """Refuse work that needs more memory than there is.

    Parameters
    ----------
    size : float
        Estimate of the peak, in bytes.
    what : str
        The work, as the subject of a sentence: "spectral with 20 communities".

    Raises
    ------
    ResourceError
        `size` is above `available_memory()`.
    """
    limit = available_memory()
    if limit is not None and size > limit:
        raise ResourceError(f"{what} needs about {format_bytes(size)} of memory; {format_bytes(limit)} are available")


def is_cached(kernel: Any) -> bool:
    """Whether a function under `numba.njit(cache=True)` need not be compiled any more, wherever the cache lies."""
    if not hasattr(kernel, "stats"):  # NUMBA_DISABLE_JIT is set
        return True
    changed = Path(kernel.py_func.__code__.co_filename).stat().st_mtime
    kept = Path(kernel.stats.cache_path).glob(f"*.{kernel.py_func.__name__}-*.nbi")
    return bool(kernel.signatures) or any(index.stat().st_mtime >= changed for index in kept)


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
def single_precision() -> Iterator[None]:
    """Have torch make numbers of single precision where none is named, as networks do, whatever the caller's default.

    Examples
    --------
    >>> import torch
    >>> torch.set_default_dtype(torch.float64)
    >>> with single_precision():
    ...     torch.zeros(1).dtype
    torch.float32
    >>> torch.zeros(1).dtype
    torch.float64
    >>> torch.set_default_dtype(torch.float32)
    """
    if "torch" not in sys.modules:  # its default is single
        yield
        return
    import torch

    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float32)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


@contextmanager
def single_threaded() -> Iterator[None]:
    """Keep what is loaded and computes to one thread, so that times do not depend on what else runs."""
    from threadpoolctl import threadpool_limits

    token = _alone.set(True)
    try:
        with one_thread(True) if "torch" in sys.modules else nullcontext(), threadpool_limits(1):
            yield
    finally:
        _alone.reset(token)


def n_threads() -> int:
    """Return how many threads work may be spread over: one for each core, or one within `single_threaded`.

    Examples
    --------
    >>> with single_threaded():
    ...     n_threads()
    1
    """
    return 1 if _alone.get() else os.cpu_count() or 1


class PeakMemory:
    """How far the memory of this process grows above what it holds, while the block runs.

    What it holds includes what was freed but not given back: work that fits into that makes it grow less.

    Attributes
    ----------
    rise : int or None
        Bytes; None where the system does not tell (only Linux does).

    Examples
    --------
    >>> import mmap
    >>> with PeakMemory() as peak, mmap.mmap(-1, 1 << 26) as fresh:
    ...     _ = fresh.write(bytes(1 << 26))
    >>> peak.rise is None or peak.rise > 1 << 25
    True
    """

    def __enter__(self) -> PeakMemory:
        self.rise: int | None = None
        self._before: int | None = None
        try:
            Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # the peak is what is held now
            self._before = _status_of("VmRSS")
        except (OSError, ValueError):
            pass
        return self

    def __exit__(self, *_: object) -> None:
        if self._before is not None:
            self.rise = max(_status_of("VmHWM") - self._before, 0)


def _status_of(field: str) -> int:
    """Return a number of this process's status, in bytes."""
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) * 1024
    raise ValueError(field)
