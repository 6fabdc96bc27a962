"""Result files that are written whole or not at all."""

from __future__ import annotations

import bz2
import contextlib
import gzip
import lzma
import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import BinaryIO, cast

from graphclust.errors import DataError

__all__ = ["replacing"]

_UMASK = os.umask(0o077)  # it can only be read by setting it: once, while nothing else runs
os.umask(_UMASK)


def _is_special(path: str) -> bool:
    """Whether a path is a device or a pipe, which cannot be replaced."""
    try:
        return not stat.S_ISREG(os.stat(path).st_mode)
    except OSError:
        return False


def _mode_of(target: str) -> int:
    """Return the permissions of a file, or those that a new one would get."""
    try:
        return stat.S_IMODE(os.stat(target).st_mode)
    except OSError:
        return 0o666 & ~_UMASK


def _compressed(stream: BinaryIO, name: str) -> AbstractContextManager[BinaryIO]:
    """Wrap a stream as the name asks; without a time stamp, so that equal results are equal files."""
    low = name.lower()
    if low.endswith(".gz"):
        return cast("BinaryIO", gzip.GzipFile("", "wb", fileobj=stream, mtime=0))
    if low.endswith(".bz2"):
        return cast("BinaryIO", bz2.BZ2File(stream, "wb"))
    if low.endswith(".xz"):
        return cast("BinaryIO", lzma.LZMAFile(stream, "wb"))
    return nullcontext(stream)


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """Open a file beside `path` for writing, and put it in the place of `path` when the block ends well.

    What is written is compressed if the name ends with .gz, .bz2 or .xz.

    Raises
    ------
    DataError
        The place cannot be written to.
    """
    name = os.fspath(path)
    try:
        if os.path.isdir(name):
            raise DataError("this is a folder, not a file", name)
        if _is_special(name):
            with open(name, "wb") as stream:
                yield stream
            return
        target = os.path.realpath(name)
        folder, base = os.path.split(target)
        handle, temporary = tempfile.mkstemp(prefix=f".{base}.", suffix=".tmp", dir=folder or ".")
    except OSError as error:
        raise DataError(f"cannot write: {error.strerror or error}", name) from None
    try:
        with os.fdopen(handle, "wb") as stream, _compressed(stream, name) as packed:
            yield packed
        Path(temporary).chmod(_mode_of(target))  # mkstemp makes files that only their owner can read
        os.replace(temporary, target)
    except BaseException as error:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        if isinstance(error, OSError):
            raise DataError(f"cannot write: {error.strerror or error}", name) from None
        raise
