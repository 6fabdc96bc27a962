"""The files of data sets: search, download, checksums. Files are never left half written."""

from __future__ import annotations

import gzip
import hashlib
import json
import logging
import os
import shutil
import sys
import tempfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from graphclust.datasets.entries import BUNDLED, Entry, File, function
from graphclust.errors import DataError
from graphclust.io.files import replacing
from graphclust.runtime.progress import is_shown, task

__all__ = ["advice", "cache_folder", "checksum", "fetch", "fetch_url", "find", "is_here"]

logger = logging.getLogger("graphclust")

_CHUNK = 1 << 16
_STEPS = 100
_GZIP = b"\x1f\x8b"
_RECORD = "checksums.json"  # in the cache: sha256 of each file when it was first downloaded


def cache_folder() -> Path:
    """Return the folder of downloads: $XDG_CACHE_HOME/graphclust, or the usual one of the system."""
    base = os.environ.get("XDG_CACHE_HOME")
    if base:
        return Path(base) / "graphclust"
    if sys.platform.startswith("linux"):
        folder = Path.home() / ".cache" / "graphclust"
    else:
        import pooch

        folder = Path(pooch.os_cache("graphclust"))
    return folder


def _folders() -> list[Path]:
    """Return the folders of data sets, in the order of the search."""
    data = os.environ.get("GRAPHCLUST_DATA")
    return [*([Path(data)] if data else []), cache_folder()]


def find(file: File, *, bundled: bool = False) -> Path | None:
    """Return the path of a file; None if it is not on this machine."""
    folders = [BUNDLED] if bundled else _folders()
    return next((path for folder in folders if (path := folder / file.name).is_file()), None)


def _missing(entry: Entry) -> list[File]:
    return [file for file in entry.files.values() if find(file, bundled=entry.bundled) is None]


def is_here(entry: Entry) -> bool:
    """Whether all files of a data set are on this machine."""
    return not _missing(entry)


def places(files: Sequence[File]) -> str:
    """Describe where to put files that cannot be downloaded."""
    if len(files) == 1:
        return f"put {files[0].url or files[0].name} at {' or '.join(str(f / files[0].name) for f in _folders())}"
    names = ", ".join(f"{file.name} ({file.url})" if file.url else file.name for file in files)
    return f"put these files below {' or '.join(map(str, _folders()))}: {names}"


def advice(entry: Entry) -> str:
    """Describe where to put the missing files of a data set."""
    text = places(_missing(entry))
    if entry.archive:
        text += f" (from {entry.archive.url})"
    return f"{text}. {entry.hint}" if entry.hint else text


def fetch(entry: Entry) -> dict[str, Path]:
    """Return the files of a data set by their roles, and download missing ones.

    Raises
    ------
    DataError
        A missing file cannot be downloaded; the message says which file to put where.
    """
    if missing := _missing(entry):
        try:
            _download(entry, missing)
        except DataError as error:
            raise DataError(f"{entry.name} is not on this machine ({error}): {advice(entry)}") from None
    paths = {role: find(file, bundled=entry.bundled) for role, file in entry.files.items()}
    return {role: path for role, path in paths.items() if path is not None}


def fetch_url(url: str) -> Path:
    """Return the file of a URL, and download it to the cache if it is missing.

    Raises
    ------
    DataError
        The file cannot be downloaded.
    """
    parts = urlsplit(url)
    file = File("/".join(filter(None, (parts.hostname, quote(parts.query, safe="="), parts.path.strip("/")))), url)
    if parts.scheme not in ("http", "https") or ".." in file.name.split("/") or parts.path.strip("/") == "":
        raise DataError("this is not the address of a file", url)
    path = find(file)
    if path is None:
        try:
            _download_file(file)
        except DataError as error:
            raise DataError(f"the download failed ({error}): {places([file])}") from None
        path = cache_folder() / file.name
    return path


# ---------------------------------------------------------------- downloads


def _download(entry: Entry, missing: Iterable[File]) -> None:
    if entry.archive is not None:
        with _temporary_folder(cache_folder()) as folder:
            archive, content = folder / "archive.zip", folder / "content"
            _retrieve(entry.archive.url, archive)
            function(entry.archive.unpack)(archive, content, entry.files)
            for file in missing:
                if not (content / file.name).is_file():
                    raise DataError(f"{entry.archive.url} does not contain {file.name}")
            for path in sorted(path for path in content.rglob("*") if path.is_file()):
                _accept(File(path.relative_to(content).as_posix()), path)
        return
    for file in missing:
        if not file.url:
            raise DataError("a file of it cannot be downloaded")
        _download_file(file)


def _download_file(file: File) -> None:
    with _temporary_folder((cache_folder() / file.name).parent) as folder:
        part = folder / "part"
        _retrieve(file.url, part)
        _accept(file, part)


@contextmanager
def _temporary_folder(parent: Path) -> Iterator[Path]:
    """Create a temporary folder below `parent`, so that its files can be moved there without copying."""
    try:
        parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".part-", dir=parent) as folder:
            yield Path(folder)
    except OSError as error:
        raise DataError(f"cannot write to {parent}: {error.strerror or error}") from None


class _Bar:
    """A progress bar for pooch, which turns bytes into steps of a task."""

    def __init__(self, description: str, stack: ExitStack) -> None:
        self.total = 0
        self._description, self._stack = description, stack
        self._advance: Any = None
        self._done = self._shown = 0

    def update(self, size: int) -> None:
        if self._advance is None:
            self._advance = self._stack.enter_context(task(self._description, _STEPS if self.total else None))
        self._done += size
        while self.total and self._shown < min(_STEPS * self._done // self.total, _STEPS):
            self._shown += 1
            self._advance()

    def reset(self) -> None:
        self._done = 0

    def close(self) -> None:
        """Do nothing, since the task ends with the download."""


def _retrieve(url: str, target: Path) -> None:
    """Download to a file, which may be incomplete after an error."""
    import pooch  # type: ignore[import-untyped]
    from requests import exceptions as failures

    logger.info("downloading %s", url)
    host = urlsplit(url).hostname
    try:
        with ExitStack() as stack:
            bar = _Bar(f"downloading {url.rpartition('/')[2]}", stack) if is_shown() else None
            pooch.HTTPDownloader(
                progressbar=sys.stderr.isatty() if bar is None else bar,
                chunk_size=_CHUNK,
                headers={"Accept-Encoding": "identity"},  # the file as it is: requests would decompress encoded content
            )(url, str(target), None)
    except failures.HTTPError as error:
        raise DataError(str(error).partition(" for url")[0]) from None
    except failures.Timeout:
        raise DataError(f"{host} does not answer") from None
    except failures.ConnectionError:
        raise DataError(f"no connection to {host}") from None
    except failures.RequestException as error:
        raise DataError(f"the download from {host} was interrupted: {type(error).__name__}") from None


def checksum(path: Path) -> str:
    """Return the sha256 of the content of a file, after decompression if it is a gzip archive.

    Raises
    ------
    DataError
        The archive is damaged.
    """
    with path.open("rb") as raw:
        packed = raw.read(2) == _GZIP
        raw.seek(0)
        try:
            if packed:
                with gzip.GzipFile(fileobj=raw) as content:
                    return hashlib.file_digest(content, "sha256").hexdigest()
            return hashlib.file_digest(raw, "sha256").hexdigest()
        except (EOFError, zlib.error, gzip.BadGzipFile):
            raise DataError("the gzip archive is damaged or incomplete") from None


def _accept(file: File, part: Path) -> None:
    """Check a download and move it to the cache; record the checksum of a file that has none in the registry."""
    target = cache_folder() / file.name
    with part.open("rb") as stream:
        if stream.read(64).lstrip().lower().startswith((b"<!doctype html", b"<html")):
            raise DataError("the server sent a web page instead of the file")
    digest = checksum(part)
    record = _record()
    expected = file.sha256 or record.get(file.name, "")
    if expected and digest != expected:
        source = "" if file.sha256 else f" as on the first download (see {cache_folder() / _RECORD})"
        raise DataError(f"the downloaded file has the checksum {digest[:12]}..., not {expected[:12]}...{source}")
    if file.name.endswith(".gz"):
        _compress(part)
    target.parent.mkdir(parents=True, exist_ok=True)
    os.replace(part, target)
    if not expected:
        with replacing(cache_folder() / _RECORD) as stream:
            stream.write(json.dumps(record | {file.name: digest}, indent=1, sort_keys=True).encode() + b"\n")
        logger.info("%s has no known checksum; recorded %s... for later downloads", file.name, digest[:12])


def _compress(path: Path) -> None:
    """Compress a file whose name ends with .gz but which is published uncompressed."""
    with path.open("rb") as raw:
        if raw.read(2) == _GZIP:
            return
        raw.seek(0)
        with gzip.open(f"{path}.new", "wb", compresslevel=6) as packed:
            shutil.copyfileobj(raw, packed)
    os.replace(f"{path}.new", path)


def _record() -> dict[str, str]:
    try:
        content: dict[str, str] = json.loads((cache_folder() / _RECORD).read_bytes())
    except FileNotFoundError:
        return {}
    except ValueError:
        raise DataError("the record of checksums is damaged: delete this file", cache_folder() / _RECORD) from None
    return content
