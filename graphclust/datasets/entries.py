"""What data sets there are: `data/registry.toml` as objects."""

from __future__ import annotations

import difflib
import importlib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from graphclust.errors import UsageError

__all__ = ["BUNDLED", "Archive", "Entry", "File", "entry_of", "function", "registry"]

_LINKED = Path(__file__).resolve().parent.parent / "data"
BUNDLED = _LINKED if _LINKED.is_dir() else _LINKED.parent.parent / "data"  # a checkout without symbolic links


@dataclass(frozen=True)
class File:
    """A file of a data set.

    Attributes
    ----------
    name : str
        Its place relative to a folder of data sets: "snap/com-dblp.ungraph.txt.gz".
    url : str
        Where its publisher has it; empty where there is no such place, or where it comes out of an archive.
    sha256 : str
        Checksum of its content, after decompression: one file, however it was compressed. Empty where unknown.
    """

    name: str
    url: str = ""
    sha256: str = ""


@dataclass(frozen=True)
class Archive:
    """A zip archive that holds all files of a data set.

    Attributes
    ----------
    url : str
    unpack : str
        The function, as "module.function" of this package, that turns the archive into those files:
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
        One line on what it is.
    licence, origin : str
        Under what terms, and whose work it is.
    loader : str
        The function that reads it, as "module.function" of this package: `loader(files, **options) -> Graph`.
    options : dict
        Keyword arguments of the loader.
    listed : dict of str to File
        Role ("graph", "labels", ...) -> file; empty where the loader's module knows better (`published(**options)`).
    packed : Archive, optional
        What to download instead of single files.
    size : int
        Bytes to download, about; 0 where unknown.
    aliases : tuple of str
        Other names.
    hint : str
        What to do for files that cannot be downloaded.
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
        found: tuple[Mapping[str, File], Archive | None]
        found = function(self.loader.partition(".")[0] + ".published")(**self.options)
        return found

    @property
    def files(self) -> Mapping[str, File]:
        """Role -> file; the first is the one that stands for the data set."""
        return self._published[0]

    @property
    def archive(self) -> Archive | None:
        """What to download instead of single files."""
        return self._published[1]


def function(name: str) -> Any:
    """Return what the registry calls "module.function"."""
    module, _, attribute = name.partition(".")
    return getattr(importlib.import_module(f"graphclust.datasets.{module}"), attribute)


def _entry(name: str, fields: dict[str, Any]) -> Entry:
    """Make an entry of a table: a file may be its name alone, its URL is then that name below `base`."""
    base = fields.pop("base", "")
    listed = {}
    for role, given in fields.pop("files", {}).items():
        file = {"name": given} if isinstance(given, str) else dict(given)
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


def _plain(name: str) -> str:
    return name.lower().replace("_", "-")


def entry_of(name: str) -> Entry:
    """Return a data set by its name or an alias; capitals and underscores do not matter.

    Raises
    ------
    UsageError
        No such data set.

    Examples
    --------
    >>> entry_of("com-DBLP").origin
    'J. Yang & J. Leskovec, ICDM 2012; SNAP'
    """
    entries = {_plain(called): entry for entry in registry().values() for called in (entry.name, *entry.aliases)}
    if _plain(name) not in entries:
        near = difflib.get_close_matches(_plain(name), entries, 3)
        others = f"perhaps {' or '.join(near)}?" if near else f"there are {', '.join(registry())}"
        raise UsageError(f"no data set is called {name!r}; {others}")
    return entries[_plain(name)]
