"""Zip archives of arrays, as NumPy and PyTorch write them: checked before anything in them is used."""

from __future__ import annotations

import io
import zipfile
import zlib

from graphclust.errors import GraphclustError
from graphclust.io.source import Source
from graphclust.runtime.memory import require_memory

__all__ = ["members"]

_DAMAGE = (  # all that zipfile raises for one reason or another
    zipfile.BadZipFile,
    zlib.error,
    ArithmeticError,
    EOFError,
    LookupError,
    NotImplementedError,
    OSError,
    RuntimeError,
    ValueError,
)


def members(source: Source) -> dict[str, bytes]:
    """Return the files of an archive.

    Raises
    ------
    DataError
        Not a zip archive, damaged, cut short, or encrypted.
    ResourceError
        The content would not fit into memory.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(source.data)) as archive:
            require_memory(2.0 * sum(info.file_size for info in archive.infolist()), f"unpacking {source.name}")
            return {info.filename: archive.read(info) for info in archive.infolist()}
    except GraphclustError:
        raise
    except _DAMAGE as error:
        reason = str(error) or type(error).__name__
        raise source.error(f"not a zip archive of arrays, or a damaged one ({reason})") from None
