"""What memory the machine has; a refusal before work starts that would not fit; how much a block of code took."""

from __future__ import annotations

import os
from pathlib import Path

from graphclust.errors import ResourceError, UsageError

__all__ = ["PeakMemory", "available_memory", "format_bytes", "keep_memory", "require_memory"]

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
    setting = os.environ.get("GRAPHCLUST_MEMORY")
    if setting:
        try:
            gib = float(setting)
        except ValueError:
            gib = -1.0
        if not 0 < gib < float("inf"):
            raise UsageError(f"GRAPHCLUST_MEMORY is a positive number of GiB, not {setting!r}")
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


def keep_memory() -> None:
    """Let the C library keep the memory of freed tensors for the next step, where it is glibc.

    By default tensors of some megabytes are given back to the system and cost as many page faults when they come again:
    a tenth of the time of a training step.
    """
    import ctypes

    try:
        libc = ctypes.CDLL("libc.so.6")
        mmap_threshold, trim_threshold = -3, -1
        libc.mallopt(mmap_threshold, 1 << 30)
        libc.mallopt(trim_threshold, -1)  # never
    except (OSError, AttributeError):
        return
