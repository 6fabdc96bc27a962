"""Result files that are written whole or not at all."""

from __future__ import annotations

import bz2
import contextlib
import gzip
import io
import lzma
import os
import re
import stat
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import BinaryIO, cast

from graphclust.errors import DataError, UsageError
from graphclust.io.source import suffix_of

__all__ = ["check_packing", "is_special", "replacing"]

_UMASK = os.umask(0o077)  # it can only be read by setting it: once, while nothing else runs
os.umask(_UMASK)
_ARCHIVES = (".zip", ".7z", ".rar", ".tar", ".tgz", ".lz4", ".lzma", ".br", ".z")
_STANDARD = {"stdin": 0, "stdout": 1, "stderr": 2}


_DESCRIPTOR = re.compile(r"/dev/(?:(stdin|stdout|stderr)|fd/(\d+))|/proc/([^/]+)(?:/task/[^/]+)?/fd/(\d+)")


def is_special(path: str | os.PathLike[str]) -> bool:
    """Whether a path is a device, a pipe or an open descriptor, which cannot be replaced.

    A descriptor is one whatever it is open to: behind /dev/stdout there may be a file to which the shell appends.
    """
    if _DESCRIPTOR.fullmatch(os.path.normpath(path)):
        return True
    try:
        mode = os.stat(path).st_mode
    except OSError:
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


def _open_special(name: str) -> BinaryIO:
    """Open a device or a pipe, and a descriptor where it stands, without cutting off what was written before."""
    match = _DESCRIPTOR.fullmatch(os.path.normpath(name))
    if match is None:
        return open(name, "wb")
    standard, number, process, its_number = match.groups()
    if process not in (None, "self", "thread-self", str(os.getpid())):
        return open(name, "ab")
    return os.fdopen(os.dup(_STANDARD[standard] if standard else int(number or its_number)), "wb")


def _mode_of(target: str) -> int:
    """Return the permissions of a file, or those that a new one would get."""
    try:
        return stat.S_IMODE(os.stat(target).st_mode)
    except OSError:
        return 0o666 & ~_UMASK


def check_packing(path: str | os.PathLike[str]) -> None:
    """Refuse names that promise an archive or a compression that is not written.

    Raises
    ------
    UsageError
        As .zip, .7z or .tar.gz.
    """
    name = os.fspath(path)
    suffix = next(
        (suffix for suffix in (os.path.splitext(name.lower())[1], suffix_of(name)) if suffix in _ARCHIVES), None
    )
    if suffix is not None:
        raise UsageError(f"cannot write {suffix} files: {name} (supported: .gz, .bz2, .xz, .zst)")


@contextmanager
def _zstd(stream: BinaryIO) -> Iterator[BinaryIO]:
    """Collect what is written, and compress it at the end."""
    import pyarrow as pa

    content = io.BytesIO()
    yield content
    stream.write(pa.compress(content.getvalue(), "zstd", asbytes=True))


def _compressed(stream: BinaryIO, name: str) -> AbstractContextManager[BinaryIO]:
    """Wrap a stream as the name asks; without a time stamp, so that equal results are equal files."""
    low = name.lower()
    if low.endswith(".gz"):
        return cast("BinaryIO", gzip.GzipFile("", "wb", fileobj=stream, mtime=0))
    if low.endswith(".bz2"):
        return cast("BinaryIO", bz2.BZ2File(stream, "wb"))
    if low.endswith(".xz"):
        return cast("BinaryIO", lzma.LZMAFile(stream, "wb"))
    if low.endswith(".zst"):
        return _zstd(stream)
    return nullcontext(stream)


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """Open a file beside `path` for writing, and put it in the place of `path` when the block ends well.

    Devices, pipes and open descriptors, as /dev/stdout, are written to as they are.
    What is written is compressed if the name ends with .gz, .bz2, .xz or .zst.

    Raises
    ------
    UsageError
        The name is that of an archive, as .zip.
    DataError
        The place cannot be written to.
    """
    name = os.fspath(path)
    check_packing(name)
    try:
        if os.path.isdir(name):
            raise DataError("this is a folder, not a file", name)
        if is_special(name):
            with _open_special(name) as stream:
                yield stream
            return
        target = os.path.realpath(name)
        folder, base = os.path.split(target)
        handle, temporary = tempfile.mkstemp(prefix=f".{base}.", suffix=".tmp", dir=folder or ".")
    except BrokenPipeError:
        raise  # the reader of a special file wants no more
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
        if isinstance(error, OSError) and not isinstance(error, BrokenPipeError):
            raise DataError(f"cannot write: {error.strerror or error}", name) from None
        raise
