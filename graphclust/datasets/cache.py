"""Where the files of data sets lie, and how they get there: looked for, downloaded, checked, never half written."""

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
_RECORD = "checksums.json"  # in the cache: file -> sha256 of what came when it was downloaded first


def cache_folder() -> Path:
    """Return where downloads go: $XDG_CACHE_HOME/graphclust, or the system's usual place."""
    given = os.environ.get("XDG_CACHE_HOME")
    if given:
        return Path(given) / "graphclust"
    if sys.platform.startswith("linux"):
        folder = Path.home() / ".cache" / "graphclust"
    else:
        import pooch

        folder = Path(pooch.os_cache("graphclust"))
    return folder


def _folders() -> list[Path]:
    """Where data sets are looked for, in this order."""
    given = os.environ.get("GRAPHCLUST_DATA")
    return [*([Path(given)] if given else []), cache_folder()]


def find(file: File, *, bundled: bool = False) -> Path | None:
    """Return where a file lies, or None."""
    folders = [BUNDLED] if bundled else _folders()
    return next((path for folder in folders if (path := folder / file.name).is_file()), None)


def _missing(entry: Entry) -> list[File]:
    return [file for file in entry.files.values() if find(file, bundled=entry.bundled) is None]


def is_here(entry: Entry) -> bool:
    """Whether a data set can be read without a download."""
    return not _missing(entry)


def places(files: Sequence[File]) -> str:
    """Say what to put where, for whoever has no connection."""
    if len(files) == 1:
        return f"put {files[0].url or files[0].name} at {' or '.join(str(f / files[0].name) for f in _folders())}"
    names = ", ".join(f"{file.name} ({file.url})" if file.url else file.name for file in files)
    return f"put below {' or '.join(map(str, _folders()))} the files {names}"


def advice(entry: Entry) -> str:
    """Say which files of a data set to put where."""
    text = places(_missing(entry))
    if entry.archive:
        text += f", which {entry.archive.url} holds"
    return f"{text}. {entry.hint}" if entry.hint else text


def fetch(entry: Entry) -> dict[str, Path]:
    """Return the files of a data set by their roles; download those that are not here.

    Raises
    ------
    DataError
        A file is not here and cannot be had; says what to put where.
    """
    if missing := _missing(entry):
        try:
            _download(entry, missing)
        except DataError as error:
            raise DataError(f"{entry.name} is not here ({error}): {advice(entry)}") from None
    found = {role: find(file, bundled=entry.bundled) for role, file in entry.files.items()}
    return {role: path for role, path in found.items() if path is not None}


def fetch_url(url: str) -> Path:
    """Return the file behind any URL, downloaded to the cache unless it is there.

    Raises
    ------
    DataError
        It cannot be downloaded.
    """
    parts = urlsplit(url)
    file = File("/".join(filter(None, (parts.hostname, quote(parts.query, safe="="), parts.path.strip("/")))), url)
    if parts.scheme not in ("http", "https") or ".." in file.name.split("/") or parts.path.strip("/") == "":
        raise DataError("this is no address of a file", url)
    found = find(file)
    if found is None:
        try:
            _download_file(file)
        except DataError as error:
            raise DataError(f"not downloaded ({error}): {places([file])}") from None
        found = cache_folder() / file.name
    return found


# ---------------------------------------------------------------- downloads


def _download(entry: Entry, missing: Iterable[File]) -> None:
    if entry.archive is not None:
        with _workplace(cache_folder()) as folder:
            archive, content = folder / "archive.zip", folder / "content"
            _retrieve(entry.archive.url, archive)
            function(entry.archive.unpack)(archive, content, entry.files)
            for file in missing:
                if not (content / file.name).is_file():
                    raise DataError(f"{entry.archive.url} does not hold {file.name}")
            for path in sorted(path for path in content.rglob("*") if path.is_file()):
                _accept(File(path.relative_to(content).as_posix()), path)
        return
    for file in missing:
        if not file.url:
            raise DataError("it cannot be downloaded")
        _download_file(file)


def _download_file(file: File) -> None:
    with _workplace((cache_folder() / file.name).parent) as folder:
        part = folder / "part"
        _retrieve(file.url, part)
        _accept(file, part)


@contextmanager
def _workplace(parent: Path) -> Iterator[Path]:
    """Make a folder that is gone afterwards, whatever happens, on the disk where the files are to lie."""
    try:
        parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".part-", dir=parent) as folder:
            yield Path(folder)
    except OSError as error:
        raise DataError(f"cannot write to {parent}: {error.strerror or error}") from None


class _Bar:
    """What pooch takes for a progress bar: bytes, told on as the steps of a task."""

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
        """Nothing: the task ends with the download."""


def _retrieve(url: str, target: Path) -> None:
    """Download to a file; a partial one may be left behind."""
    import pooch  # type: ignore[import-untyped]
    from requests import exceptions as failures

    logger.info("downloading %s", url)
    host = urlsplit(url).hostname
    try:
        with ExitStack() as stack:
            shown = is_shown()
            pooch.HTTPDownloader(
                progressbar=_Bar(f"downloading {url.rpartition('/')[2]}", stack) if shown else sys.stderr.isatty(),
                chunk_size=_CHUNK,
                headers={"Accept-Encoding": "identity"},  # as it lies there: requests unpacks what is sent "encoded"
            )(url, str(target), None)
    except failures.HTTPError as error:
        raise DataError(str(error).partition(" for url")[0]) from None
    except failures.Timeout:
        raise DataError(f"{host} does not answer") from None
    except failures.ConnectionError:
        raise DataError(f"no connection to {host}") from None
    except failures.RequestException as error:
        raise DataError(f"the download from {host} broke off, {type(error).__name__}") from None


def checksum(path: Path) -> str:
    """Return the sha256 of a file's content; of what was compressed, if it is a gzip archive.

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
            raise DataError("the gzip archive is damaged or cut short") from None


def _accept(file: File, part: Path) -> None:
    """Check a download and put it in its place; the first time, write down what could not be checked."""
    target = cache_folder() / file.name
    with part.open("rb") as stream:
        if stream.read(64).lstrip().lower().startswith((b"<!doctype html", b"<html")):
            raise DataError("a web page came instead of the file")
    found = checksum(part)
    record = _record()
    wanted = file.sha256 or record.get(file.name, "")
    if wanted and found != wanted:
        known = "" if file.sha256 else f", as when it was first downloaded (see {cache_folder() / _RECORD})"
        raise DataError(f"what came has the checksum {found[:12]}..., not {wanted[:12]}...{known}")
    if file.name.endswith(".gz"):
        _compress(part)
    target.parent.mkdir(parents=True, exist_ok=True)
    os.replace(part, target)
    if not wanted:
        with replacing(cache_folder() / _RECORD) as stream:
            stream.write(json.dumps(record | {file.name: found}, indent=1, sort_keys=True).encode() + b"\n")
        logger.info("%s: its publisher gives no checksum; recorded %s...", file.name, found[:12])


def _compress(path: Path) -> None:
    """Make a file what its name says, where the publisher has it uncompressed."""
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
        raise DataError("the record of checksums is damaged: delete it", cache_folder() / _RECORD) from None
    return content
