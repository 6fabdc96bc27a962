"""Archives: zip files of arrays, as NumPy and PyTorch write them, and downloads that hold one graph and its readme."""

from __future__ import annotations

import io
import os
import re
import tarfile
import zipfile
import zlib
from collections.abc import Iterable

from graphclust.errors import GraphclustError
from graphclust.io.source import Source, decompressed, open_source, suffix_of
from graphclust.runtime.memory import require_memory

__all__ = ["members", "open_file", "unpacked"]

_ACCESSORIES = re.compile(
    r"(?:.*/)?(?:\..*|__MACOSX.*|(?:readme|licen[cs]e|copying|meta|ent|citation)\b.*|.*\.(?:md|html?|pdf|docx?|png|jpe?g))",
    re.IGNORECASE,
)

_DAMAGE = (  # all that zipfile raises for one reason or another
    zipfile.BadZipFile,
    tarfile.TarError,
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


def open_file(path: str | os.PathLike[str]) -> Source:
    """Open a file, perhaps compressed or alone in an archive; see `open_source` and `unpacked` for errors."""
    return unpacked(open_source(path))


def unpacked(source: Source) -> Source:
    """Return the one graph file in a .zip or .tar archive; the source itself if it is no such archive.

    Zip files of NumPy, PyTorch and Excel are formats of their own. Readme files, licences and metadata do not count.

    Raises
    ------
    DataError
        The archive is damaged or holds several files.
    ResourceError
        The content would not fit into memory.
    """
    try:
        if source.data.startswith(b"PK\x03\x04"):
            with zipfile.ZipFile(io.BytesIO(source.data)) as archive:
                names = [info.filename for info in archive.infolist() if not info.is_dir()]
                if _is_own_format(names):
                    return source
                name = _only(source, names)
                require_memory(2.0 * archive.getinfo(name).file_size, f"unpacking {source.name}")
                content = archive.read(name)
        elif source.data[257:262] == b"ustar":
            with tarfile.open(fileobj=io.BytesIO(source.data)) as tar:
                files = {info.name: info for info in tar.getmembers() if info.isfile()}
                name = _only(source, files)
                stream = tar.extractfile(files[name])
                content = b"" if stream is None else stream.read()
        else:
            return source
    except GraphclustError:
        raise
    except _DAMAGE as error:
        reason = str(error) or type(error).__name__
        raise source.error(f"the archive is damaged ({reason}): unpack it first") from None
    source.note("unpacked", f"read {name} from the archive", name=name)
    source.data = decompressed(content, f"{source.name} ({name})")
    source.suffix = suffix_of(name)
    return source


def _is_own_format(names: Iterable[str]) -> bool:
    """Whether a zip archive is a file of NumPy, PyTorch or Excel."""
    return any(
        name.endswith((".npy", "/data.pkl", "/byteorder")) or name in ("data.pkl", "[Content_Types].xml")
        for name in names
    )


def _only(source: Source, names: Iterable[str]) -> str:
    """Return the name of the one file that may hold a graph."""
    candidates = [name for name in names if not _ACCESSORIES.fullmatch(name)]
    konect = [name for name in candidates if re.search(r"(?:^|/)out\.[^/]+$", name)]
    chosen = konect if len(konect) == 1 else candidates
    if len(chosen) == 1:
        return chosen[0]
    if not chosen:
        raise source.error("the archive holds no file that could be a graph")
    shown = ", ".join(chosen[:5]) + (", ..." if len(chosen) > 5 else "")
    raise source.error(f"the archive holds {len(chosen)} files ({shown}): unpack it and pass the file with the graph")
