"""The registry of data sets, `data/registry.toml`, as objects."""

from __future__ import annotations

import importlib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from graphclust.errors import unknown

__all__ = ["BUNDLED", "Archive", "Entry", "File", "entry_of", "function", "registry"]

_LINKED = Path(__file__).resolve().parent.parent / "data"
BUNDLED = _LINKED if _LINKED.is_dir() else _LINKED.parent.parent / "data"  # for a checkout without symbolic links


@dataclass(frozen=True)
class File:
    """A file of a data set.

    Attributes
    ----------
    name : str
        Path relative to a folder of data sets, such as "snap/com-dblp.ungraph.txt.gz".
    url : str
        Address at its publisher; empty if there is none, or if the file is part of an archive.
    sha256 : str
        Checksum of the content after decompression, which does not depend on the compression; empty if unknown.
    """

    name: str
    url: str = ""
    sha256: str = ""


@dataclass(frozen=True)
class Archive:
    """A zip archive with all files of a data set.

    Attributes
    ----------
    url : str
    unpack : str
        The function, as "module.function" of this package, that extracts the files from the archive:
        `unpack(archive: Path, folder: Path, files: Mapping[str, File])`.
    """

    url: str
    unpack: str


@dataclass(frozen=True)
class Entry:
    """A data set of the registry.

    Attributes
    ----------
    name : str
    what : str
        Description in one line.
    licence, origin : str
        Licence and authors.
    loader : str
        The function that reads it, as "module.function" of this package: `loader(files, **options) -> Graph`.
    options : dict
        Keyword arguments of the loader.
    listed : dict of str to File
        Files by role ("graph", "labels", ...); empty if `published(**options)` of the loader's module lists them.
    packed : Archive, optional
        Archive to download instead of single files.
    size : int
        Approximate size of the download in bytes; 0 if unknown.
    aliases : tuple of str
        Other names.
    hint : str
        Advice for files that cannot be downloaded.
    bundled : bool
        Whether the files ship with the package.
    """

    name: str
    what: str
    licence: str
    origin: str
    loader: str
    options: Mapping[str, Any] = field(default_factory=dict)
    listed: Mapping[str, File] = field(default_factory=dict)
    packed: Archive | None = None
    size: int = 0
    aliases: tuple[str, ...] = ()
    hint: str = ""
    bundled: bool = False

    @cached_property
    def _published(self) -> tuple[Mapping[str, File], Archive | None]:
        if self.listed:
            return self.listed, self.packed
        published: tuple[Mapping[str, File], Archive | None]
        published = function(self.loader.partition(".")[0] + ".published")(**self.options)
        return published

    @property
    def files(self) -> Mapping[str, File]:
        """The files by role; the first is the main file."""
        return self._published[0]

    @property
    def archive(self) -> Archive | None:
        """The archive to download instead of single files, if any."""
        return self._published[1]


def function(name: str) -> Any:
    """Return the function that the registry names as "module.function"."""
    module, _, attribute = name.partition(".")
    return getattr(importlib.import_module(f"graphclust.datasets.{module}"), attribute)


def _entry(name: str, fields: dict[str, Any]) -> Entry:
    """Build an entry from a table. A file may be given by its name alone; its URL is then this name below `base`."""
    base = fields.pop("base", "")
    listed = {}
    for role, description in fields.pop("files", {}).items():
        file = {"name": description} if isinstance(description, str) else dict(description)
        if base:
            file.setdefault("url", base + file["name"].rpartition("/")[2])
        listed[role] = File(**file)
    packed = Archive(**fields.pop("archive")) if "archive" in fields else None
    return Entry(name=name, listed=listed, packed=packed, aliases=tuple(fields.pop("aliases", ())), **fields)


@cache
def registry() -> dict[str, Entry]:
    """Return all data sets by name."""
    with (BUNDLED / "registry.toml").open("rb") as stream:
        return {name: _entry(name, fields) for name, fields in tomllib.load(stream).items()}


def _normalised(name: str) -> str:
    return name.lower().replace("_", "-")


def entry_of(name: str) -> Entry:
    """Return a data set by its name or an alias, ignoring case and reading underscores as hyphens.

    Raises
    ------
    UsageError
        The data set does not exist.

    Examples
    --------
    >>> entry_of("com-DBLP").origin
    'J. Yang & J. Leskovec, ICDM 2012; SNAP'
    """
    entries = {_normalised(alias): entry for entry in registry().values() for alias in (entry.name, *entry.aliases)}
    if _normalised(name) not in entries:
        raise unknown("data set", _normalised(name), entries)
    return entries[_normalised(name)]
