"""Memory: how much is available, a check before work starts, and the peak that a block of code reaches."""

from __future__ import annotations

import os
import re
from functools import cache
from pathlib import Path
from typing import Any

from graphclust.errors import ResourceError, UsageError

__all__ = [
    "PeakMemory",
    "address_space_left",
    "available_memory",
    "format_bytes",
    "give_back_memory",
    "is_available",
    "keep_memory",
    "parse_bytes",
    "require_address_space",
    "require_memory",
    "shortage_of",
]

_LACK = (  # of memory, as libraries and the dynamic linker report it
    "failed to map segment",
    "cannot allocate memory",
    "can't allocate memory",
    "could not find/load shared object",
    "unable to allocate",
    "can't start new thread",
)

_CGROUPS = (  # folder, file with the limit, file with the usage, prefix of the page cache's counters
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
    """Bytes of memory that this process can still use, or None if the system does not report it.

    The environment variable `GRAPHCLUST_MEMORY` (a decimal number of GiB) overrides the system's value.

    Raises
    ------
    UsageError
        `GRAPHCLUST_MEMORY` is not a positive number.
    """
    setting = os.environ.get("GRAPHCLUST_MEMORY")
    if setting:
        try:
            gib = float(setting)
        except ValueError:
            gib = -1.0
        if not 0 < gib < float("inf"):
            raise UsageError(f"GRAPHCLUST_MEMORY is a positive number of GiB, not {setting!r}")
        return int(gib * 2**30)
    limits = [size for size in (_installed_or_free(), address_space_left()) if size is not None]
    for folder, limit, usage, prefix in _CGROUPS:
        try:
            largest = int((folder / limit).read_text(encoding="ascii"))
        except (OSError, ValueError):
            continue
        limits.append(max(largest - _bytes_in_use(folder, usage, prefix), 0))
    return min(limits, default=None)


def _bytes_in_use(folder: Path, usage: str, prefix: str) -> int:
    """Return the bytes that a control group uses, without the page cache; 0 if the system does not report them."""
    try:
        used = int((folder / usage).read_text(encoding="ascii"))
        lines = (folder / "memory.stat").read_text(encoding="ascii").splitlines()
        counts = {name: int(value) for name, value in (line.split() for line in lines)}
    except (OSError, ValueError):
        return 0
    return max(used - counts.get(f"{prefix}inactive_file", 0) - counts.get(f"{prefix}active_file", 0), 0)


def parse_bytes(size: str | float) -> float:
    """Return a size of memory in bytes.

    Parameters
    ----------
    size : str or float
        Bytes, or a number with a unit: 4GB and 500MB are decimal; 4GiB, 4G and 500M are binary.

    Raises
    ------
    UsageError
        Not a positive size.

    Examples
    --------
    >>> parse_bytes("1.5GB"), parse_bytes("2G"), parse_bytes(1000)
    (1500000000.0, 2147483648.0, 1000.0)
    """
    text = size.lower() if isinstance(size, str) else f"{size:f}"
    match = re.fullmatch(r"\s*([0-9.]+)\s*(?:([kmgtp])(i?b)?|b)?\s*", text)
    try:
        number = float(match[1]) if match else 0.0
    except ValueError:
        number = 0.0
    if match is None or not number > 0:
        raise UsageError(f"a size of memory is a number and a unit, such as 4GB or 500MB, not {size!r}")
    power = "kmgtp".index(match[2]) + 1 if match[2] else 0
    return number * float((1000 if match[3] == "b" else 1024) ** power)


def format_bytes(size: float) -> str:
    """Format `size` bytes with a binary unit and three significant digits.

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


def require_memory(size: float, what: str, limit: float | None = None, hint: str = "") -> None:
    """Raise an error if work needs more memory than is available.

    Parameters
    ----------
    size : float
        Estimate of the peak, in bytes.
    what : str
        The work, as the subject of the message: "spectral with 20 communities".
    limit : float, optional
        Bytes that the work may use, by default `available_memory()`.
    hint : str
        End of the message.

    Raises
    ------
    ResourceError
        `size` is above the limit.
    """
    limit = available_memory() if limit is None else limit
    if limit is not None and size > limit:
        need = f"{what} needs about {format_bytes(size)} of memory"
        raise ResourceError(f"{need}, but {format_bytes(limit)} is available{hint}")


def is_available(size: float) -> bool:
    """Whether there is as much memory, as far as the system says."""
    limit = available_memory()
    return limit is None or size <= limit


def address_space_left() -> int | None:
    """Bytes that this process can still map under a limit such as that of `ulimit -v`, None without a limit."""
    try:
        import resource

        limit = resource.getrlimit(resource.RLIMIT_AS)[0]
        return None if limit == resource.RLIM_INFINITY else max(limit - _read_status("VmSize"), 0)
    except (ImportError, OSError, ValueError):  # Windows; not Linux
        return None


def require_address_space(size: float, what: str) -> None:
    """Raise an error if a limit such as that of `ulimit -v` leaves less than is needed to load libraries.

    Parameters
    ----------
    size : float
        Bytes that the libraries map, most of which they never use.
    what : str
        Subject of the message.

    Raises
    ------
    ResourceError
    """
    left = address_space_left()
    if left is not None and left < size:
        raise ResourceError(
            f"{what} needs about {format_bytes(size)} of address space for its libraries, but the limit (ulimit -v) "
            f"leaves {format_bytes(left)}"
        )


def shortage_of(error: BaseException) -> ResourceError | None:
    """Return the ResourceError for an error that a lack of memory has caused, or None for any other error.

    Libraries report a lack of memory in many ways: a MemoryError, an ImportError because a shared object cannot be
    mapped, a RuntimeError of an allocator.
    """
    if isinstance(error, ResourceError):
        return error
    is_lack = isinstance(error, MemoryError) or any(text in str(error).lower() for text in _LACK)
    if not is_lack:
        return None
    left = address_space_left()
    limit = "" if left is None else f"; the limit (ulimit -v) leaves {format_bytes(left)} of address space"
    return ResourceError(f"out of memory{limit}")


class PeakMemory:
    """Measures the growth of this process's memory while the block runs.

    Memory that was freed but not returned to the system counts as used at the start, so work that reuses it causes less
    growth.

    Attributes
    ----------
    rise : int or None
        Growth in bytes; None on systems other than Linux, which do not report it.

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
            Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # reset the peak to the current value
            self._before = _read_status("VmRSS")
        except (OSError, ValueError):
            pass
        return self

    def __exit__(self, *_: object) -> None:
        if self._before is not None:
            self.rise = max(_read_status("VmHWM") - self._before, 0)


def _read_status(field: str) -> int:
    """Return a field of this process's status in bytes."""
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) * 1024
    raise ValueError(field)


@cache
def _glibc() -> Any:
    """Return glibc, or None if the C library is another one."""
    import ctypes

    try:
        library = ctypes.CDLL("libc.so.6")
    except OSError:
        return None
    return library if hasattr(library, "malloc_trim") else None


def give_back_memory() -> None:
    """Make glibc give free memory back to the system: it would keep arrays of up to 32 MiB for the next ones."""
    if (glibc := _glibc()) is not None:
        glibc.malloc_trim(0)


def keep_memory() -> None:
    """Make glibc keep the memory of freed tensors for the next step. Other C libraries are left alone.

    By default glibc returns tensors of several megabytes to the system, and allocating them again causes page faults
    that take a tenth of the time of a training step.
    """
    if (glibc := _glibc()) is not None:
        mmap_threshold, trim_threshold = -3, -1
        glibc.mallopt(mmap_threshold, 1 << 30)
        glibc.mallopt(trim_threshold, -1)  # never
