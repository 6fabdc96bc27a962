"""From a path or a stream to bytes and text: decompression, encodings, and the errors that name the file."""

from __future__ import annotations

import bz2
import codecs
import errno
import gzip
import hashlib
import lzma
import os
import stat
import sys
import zlib
from dataclasses import dataclass, field
from typing import Any

from graphclust.errors import DataError
from graphclust.io.options import ReadOptions
from graphclust.runtime.memory import require_memory
from graphclust.runtime.notes import Note

__all__ = [
    "Source",
    "decompressed",
    "is_number",
    "magic_of",
    "open_source",
    "shorten",
    "split_lines",
    "suffix_of",
]

_MAGIC = {b"\x1f\x8b": "gzip", b"BZh": "bzip2", b"\xfd7zXZ\x00": "xz", b"\x28\xb5\x2f\xfd": "zstd"}
_COMPRESSED = {".gz", ".bz2", ".xz", ".zst"}
_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_PRINTABLE = bytes(set(range(256)) - set(range(32)) - {127}) + b"\t\n\v\f\r\x1a\x1b"


@dataclass
class Source:
    """A file's decompressed content, its name for messages, and what was decided while reading it.

    Attributes
    ----------
    name : str
        How messages call the file: the path as given, or "<stdin>".
    data : bytes
        Decompressed content.
    suffix : str
        Last extension of the name without the compression's, lower case: ".gml" of "polblogs.gml.gz".
    sha256 : str
        Checksum of the bytes before decompression, hexadecimal.
    options : ReadOptions
        What the caller has decided.
    is_format_given : bool
        Whether the caller has chosen the format.
    notes : list of Note
        Decisions taken while reading, in order; `read_file` shows them and keeps them in `graph.meta["notes"]`.
    """

    name: str
    data: bytes
    suffix: str = ""
    sha256: str = ""
    options: ReadOptions = field(default_factory=ReadOptions)
    is_format_given: bool = False
    notes: list[Note] = field(default_factory=list)

    def note(self, code: str, message: str, *, is_detail: bool = False, **data: Any) -> None:
        """Record a decision, once; see `Note` for the arguments."""
        self.add(Note(code, message, data, is_detail))

    def add(self, note: Note) -> None:
        """Record a note, unless it was recorded before."""
        if note not in self.notes:
            self.notes.append(note)

    def error(self, message: str, line: int | None = None) -> DataError:
        """Return (not raise) the error that names this file and, if given, the line, counted from 1."""
        return DataError(message, self.name, line)

    def utf8(self) -> bytes:
        """Return the content as UTF-8 without byte order mark; copies only what is in another encoding.

        What it is in: `options.encoding` if given, else that of its byte order mark, else UTF-8, else Latin-1 (noted).

        Raises
        ------
        DataError
            The content is binary, or not in the encoding asked for or announced by its byte order mark.
        """
        bom, announced = next(((mark, name) for mark, name in _BOMS if self.data.startswith(mark)), (b"", "utf-8"))
        body = self.data[len(bom) :] if bom else self.data
        wanted = self.options.encoding or announced
        try:
            if codecs.lookup(wanted).name == "utf-8":
                if b"\0" in body or body[: 1 << 20].translate(None, delete=_PRINTABLE):
                    raise self.error("this is a binary file, not text")
                if not body.isascii():
                    body.decode()
                return body
            return body.decode(wanted).encode()
        except LookupError:
            raise self.error(f"unknown encoding {wanted!r}") from None
        except UnicodeError as error:
            if self.options.encoding is None and announced == "utf-8" and not bom:
                self.note("latin-1", "the text is not UTF-8: read as Latin-1 (--encoding overrides)")
                return body.decode("latin-1").encode()
            start = error.start if isinstance(error, UnicodeDecodeError) else 0
            raise self.error(f"not {wanted} text ({error})", body[:start].count(b"\n") + 1) from None

    def text(self) -> str:
        """Return the content as a string; see `utf8`."""
        return self.utf8().decode()


def split_lines(text: str, *, keep_ends: bool = False) -> list[str]:
    r"""Split at \n, \r\n and \r only, so that the numbers are those of an editor (str.splitlines splits at more)."""
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    lines = text.split("\n")
    if not lines[-1]:
        lines.pop()
    return [line + "\n" for line in lines] if keep_ends else lines


def magic_of(data: bytes) -> str | None:
    """Return the compression that the first bytes of a file tell, None without one."""
    return next((kind for magic, kind in _MAGIC.items() if data.startswith(magic)), None)


def decompressed(data: bytes, name: str) -> bytes:
    """Return the content of compressed data, told by their first bytes; other data as they are."""
    kind = magic_of(data)
    if kind is None:
        return data
    try:
        if kind == "gzip":
            require_memory(len(data) + int.from_bytes(data[-4:], "little"), f"unpacking {name}")  # its last four bytes
            return gzip.decompress(data)
        if kind == "bzip2":
            return bz2.decompress(data)
        if kind == "xz":
            return lzma.decompress(data)
        import pyarrow as pa

        with pa.CompressedInputStream(pa.BufferReader(data), "zstd") as stream:
            content: bytes = stream.read()
        return content
    except EOFError:
        raise DataError(f"the {kind} archive is incomplete", name) from None
    except (OSError, ValueError, zlib.error, lzma.LZMAError) as error:
        raise DataError(f"the {kind} archive is damaged or incomplete ({str(error).strip() or kind})", name) from None


def open_source(path: str | os.PathLike[str]) -> Source:
    """Read a file, or standard input for "-", and decompress it by its first bytes (.gz .bz2 .xz .zst).

    Raises
    ------
    DataError
        No such file, no permission, a folder, a damaged archive.
    ResourceError
        The file is larger than the memory available.
    """
    name = os.fspath(path)
    if "\0" in name:
        raise DataError("no such file", name.replace("\0", "\\0"))
    try:
        if name == "-":
            name = "<stdin>"
            if sys.stdin is None:
                raise DataError("standard input is closed", name)
            data = sys.stdin.buffer.read()
        else:
            status = os.stat(name)
            if stat.S_ISREG(status.st_mode):
                require_memory(status.st_size, f"reading {name}")
            with open(name, "rb") as stream:
                data = stream.read()
    except OSError as error:
        reason = {
            errno.ENOENT: "no such file",
            errno.EISDIR: "this is a folder, not a file",
            errno.EACCES: "no permission to read it",
        }.get(error.errno or 0, error.strerror or str(error))
        raise DataError(reason, name) from None
    return Source(name, decompressed(data, name), suffix_of(name), hashlib.sha256(data).hexdigest())


def suffix_of(name: str) -> str:
    """Return the extension that tells the format: lower case, without the compression's."""
    stem, suffix = os.path.splitext(os.path.basename(name).lower())
    return os.path.splitext(stem)[1] if suffix in _COMPRESSED else suffix


def is_number(text: str) -> bool:
    """Whether a text is a number to Python: 1, -2.5e3, nan, inf."""
    try:
        float(text)
    except ValueError:
        return False
    return True


def shorten(value: Any, width: int = 60) -> str:
    """Quote a value for a message, cut to `width` characters."""
    text = repr(value)
    return text if len(text) <= width else text[: width - 4] + "..." + text[-1]
