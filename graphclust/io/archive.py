"""Zip archives of arrays, as NumPy and PyTorch write them: checked before anything in them is used."""

from __future__ import annotations

import io
import zipfile
import zlib

from graphclust.errors import ResourceError
from graphclust.io.source import Source
from graphclust.resources import require_memory

__all__ = ["members"]


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
    except ResourceError:
        raise
    except (
        zipfile.BadZipFile,
        zlib.error,
        EOFError,
        LookupError,
        NotImplementedError,
        OSError,
        RuntimeError,
        ValueError,
    ) as error:
        raise source.error(
            f"not a zip archive of arrays, or a damaged one ({str(error) or type(error).__name__})"
        ) from None
