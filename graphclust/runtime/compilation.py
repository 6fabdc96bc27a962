"""The state of functions that numba compiles on their first call."""

from __future__ import annotations

from pathlib import Path
from typing import Any

__all__ = ["is_cached"]


def is_cached(kernel: Any) -> bool:
    """Whether a function decorated with `numba.njit(cache=True)` is already compiled, in memory or in the cache."""
    if not hasattr(kernel, "stats"):  # NUMBA_DISABLE_JIT is set
        return True
    changed = Path(kernel.py_func.__code__.co_filename).stat().st_mtime
    index_files = Path(kernel.stats.cache_path).glob(f"*.{kernel.py_func.__name__}-*.nbi")
    return bool(kernel.signatures) or any(index.stat().st_mtime >= changed for index in index_files)
