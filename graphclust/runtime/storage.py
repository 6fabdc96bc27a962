"""Arrays that are larger than the memory: files of a temporary folder that are mapped into it.

The files have no name (on Linux and macOS), so that the system removes them on every exit, also after SIGKILL.
"""

from __future__ import annotations

import math
import mmap
import os
import sys
import tempfile
import weakref
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from graphclust.errors import ResourceError
from graphclust.runtime.memory import format_bytes, give_back_memory

__all__ = ["Storage", "default_folder", "is_mapped", "new_array", "prefetch", "windows", "without_readahead"]

_SMALL = 1 << 20  # bytes of arrays that are kept in memory
_SHARE_OF_WINDOW = 8  # a window takes an eighth of the memory
_LEAST_WINDOW = 1 << 20  # bytes
_FOLDER = "/var/tmp"  # which lies on a disk, where /tmp can lie in memory


class Storage:
    """Where the large arrays of a computation lie.

    Parameters
    ----------
    memory : float
        Bytes of memory that the computation should use.
    folder : str, optional
        By default that of the environment variable TMPDIR, or /var/tmp.

    Attributes
    ----------
    written : int
        Bytes of all arrays so far.
    """

    def __init__(self, memory: float, folder: str | None = None) -> None:
        self.memory = memory
        self.folder = folder or default_folder()
        self.written = 0
        self._mapped: list[weakref.ref[mmap.mmap]] = []

    def __getstate__(self) -> dict[str, Any]:
        """Leave out the arrays: in another process, there are none yet."""
        return {**vars(self), "_mapped": []}

    @property
    def window(self) -> int:
        """Bytes of an array that are worked on at once, so that they stay in memory."""
        return max(int(self.memory) // _SHARE_OF_WINDOW, _LEAST_WINDOW)

    def array(self, length: int, dtype: DTypeLike) -> Any:
        """Return a new array of zeros, in a file if it is large.

        Raises
        ------
        ResourceError
            The disk is full.
        """
        kind = np.dtype(dtype)
        size = length * kind.itemsize
        if size <= _SMALL:
            return np.zeros(length, kind)
        try:
            with tempfile.TemporaryFile(dir=self.folder, prefix="graphclust-") as file:
                if hasattr(os, "posix_fallocate"):  # an access to a mapped file on a full disk would kill the process
                    os.posix_fallocate(file.fileno(), 0, size)
                else:
                    file.truncate(size)
                mapped = mmap.mmap(file.fileno(), size)
        except OSError as error:
            raise ResourceError(
                f"cannot write {format_bytes(size)} to {self.folder}: {error.strerror}; the environment variable "
                "TMPDIR names another folder"
            ) from None
        self.written += size
        self._mapped.append(weakref.ref(mapped))
        return np.frombuffer(mapped, dtype=kind)

    def release(self) -> None:
        """Let the system take free memory and that of the arrays in files, which it reads when they are used again."""
        give_back_memory()
        alive = [(reference, reference()) for reference in self._mapped]
        self._mapped = [reference for reference, mapped in alive if mapped is not None]
        if hasattr(mmap, "MADV_DONTNEED"):
            for _, mapped in alive:
                if mapped is not None:
                    mapped.madvise(mmap.MADV_DONTNEED)


def prefetch(array: Any, ranges: Iterable[tuple[int, int]]) -> None:
    """Ask the system to read parts of an array that will be used soon, if it lies in a file.

    Parameters
    ----------
    array : ndarray
    ranges : iterable of (int, int)
        First entry of each part, and the one after its last.
    """
    mapped, shift = _file_of(array)
    if mapped is None or not hasattr(mmap, "MADV_WILLNEED"):
        return
    for first, last in ranges:
        begin = (shift + first * array.itemsize) // mmap.PAGESIZE * mmap.PAGESIZE
        if first < last:
            mapped.madvise(mmap.MADV_WILLNEED, begin, shift + last * array.itemsize - begin)


@contextmanager
def without_readahead(*arrays: Any) -> Iterator[None]:
    """Keep the system from reading more of arrays in files than is used, or was asked for by `prefetch`.

    By default, it reads up to some megabytes around each place.
    """
    mapped = [file for file in (_file_of(array)[0] for array in arrays) if file is not None]
    mapped = mapped if hasattr(mmap, "MADV_RANDOM") else []
    for file in mapped:
        file.madvise(mmap.MADV_RANDOM)
    try:
        yield
    finally:
        for file in mapped:
            file.madvise(mmap.MADV_NORMAL)


def _file_of(array: Any) -> tuple[mmap.mmap | None, int]:
    """Return the mapped file that an array lies in, None if it lies in memory, and the place of its first byte."""
    root = array
    while isinstance(root.base, np.ndarray):
        root = root.base
    mapped = root.base.obj if isinstance(root.base, memoryview) else root.base
    shift = array.__array_interface__["data"][0] - root.__array_interface__["data"][0]
    return (mapped, shift) if isinstance(mapped, mmap.mmap) else (None, 0)


def default_folder() -> str:
    """Return the folder for large temporary files: that of the environment variable TMPDIR, or /var/tmp."""
    named = any(os.environ.get(name) for name in ("TMPDIR", "TEMP", "TMP"))
    is_usable = sys.platform != "win32" and os.access(_FOLDER, os.W_OK)
    return _FOLDER if is_usable and not named else tempfile.gettempdir()


def new_array(storage: Storage | None, length: int, dtype: DTypeLike) -> Any:
    """Return a new array: of zeros in a storage, not initialised in memory."""
    return np.empty(length, dtype) if storage is None else storage.array(length, dtype)


def is_mapped(array: Any) -> bool:
    """Whether an array lies in a file."""
    return _file_of(array)[0] is not None


def windows(storage: Storage | None, work: Any, itemsize: int) -> Iterator[tuple[int, int]]:
    """Yield ranges of rows whose entries fit into a window; all rows without a storage.

    Parameters
    ----------
    storage : Storage or None
    work : ndarray of int64, shape (n_rows + 1,)
        Number of entries before each row.
    itemsize : int
        Bytes of an entry.
    """
    n = len(work) - 1
    number = 1 if storage is None else max(math.ceil(int(work[-1]) * itemsize / storage.window), 1)
    cuts = np.searchsorted(work[:-1], np.linspace(0, work[-1], number + 1)[1:-1]).tolist()
    for first, last in zip([0, *cuts], [*cuts, n], strict=True):
        if first < last or number == 1:
            yield first, last
