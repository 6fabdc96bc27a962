"""All formats of graph files by name. A new format is one file and one line here."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

from graphclust.io.source import Source, suffix_of

__all__ = ["FORMATS", "Format", "format_of", "sniffed_format"]


@dataclass(frozen=True)
class Format:
    """A format of graph files.

    Attributes
    ----------
    module : str
        What reads and writes it: a module with `read(source, directed=, weights=)`, `write(graph, stream, attributes)`,
        `KEEPS_IDS`, which says whether node ids survive (if not, `FIRST_ID` is the number of the first node, by default
        0), and, where nodes can have attributes, `holds(name, values)`.
    suffixes : tuple of str
        Extensions that tell the format; the first is that of files that are written.
    beginnings : tuple of bytes
        First bytes of such files, in lower case.
    takes_dialect : bool
        Whether `read` takes the options delimiter, header and comment.
    holds_isolated : bool
        Whether nodes without edges have a place.
    holds_features : bool
        Whether features and classes of nodes have a place.
    options : mapping
        Keyword arguments of `write`.
    """

    module: str
    suffixes: tuple[str, ...]
    beginnings: tuple[bytes, ...] = ()
    takes_dialect: bool = False
    holds_isolated: bool = True
    holds_features: bool = False
    options: Mapping[str, Any] = field(default_factory=dict)

    def load(self) -> ModuleType:
        """Import the module that reads and writes the format."""
        return importlib.import_module(self.module)


_EDGE_LISTS = (".edgelist", ".edges", ".el", ".txt", ".ssv", ".dat", ".ncol", ".wel", ".graphs")
_EDGES_ONLY: dict[str, Any] = {"takes_dialect": True, "holds_isolated": False}
_TABLE = "graphclust.io.edge_table"

FORMATS: dict[str, Format] = {
    "edgelist": Format("graphclust.io.edgelist", _EDGE_LISTS, **_EDGES_ONLY),
    "csv": Format(_TABLE, (".csv",), options={"delimiter": ","}, **_EDGES_ONLY),
    "tsv": Format(_TABLE, (".tsv",), options={"delimiter": "\t"}, **_EDGES_ONLY),
    "graphml": Format("graphclust.io.graphml", (".graphml", ".xml")),
    "gexf": Format("graphclust.io.gexf", (".gexf",)),
    "gml": Format("graphclust.io.gml", (".gml",), (b"graph [", b"graph\n[", b"creator ")),
    "pajek": Format("graphclust.io.pajek", (".net", ".paj", ".pajek"), (b"*vertices", b"*network")),
    "metis": Format("graphclust.io.metis", (".graph", ".metis")),
    "matrix-market": Format("graphclust.io.matrix_market", (".mtx", ".mm"), (b"%%matrixmarket",)),
    "npz": Format("graphclust.io.npz", (".npz",)),
    "parquet": Format("graphclust.io.parquet", (".parquet", ".pq"), (b"par1",)),
    "pyg": Format("graphclust.io.pyg", (".pt", ".pth"), holds_features=True),
}


def format_of(name: str) -> str | None:
    """Return the format that a file's name tells, or None.

    Examples
    --------
    >>> format_of("polblogs.gml.gz"), format_of("graph")
    ('gml', None)
    """
    suffix = suffix_of(name)
    return next((name for name, entry in FORMATS.items() if suffix in entry.suffixes), None)


def sniffed_format(source: Source) -> str:
    """Return the format that the first bytes tell; an edge list where nothing speaks against it."""
    head = source.data[:4096].removeprefix(b"\xef\xbb\xbf").lstrip()
    low = head.lower()
    if low.startswith(b"<"):
        return "gexf" if b"<gexf" in low else "graphml"
    if head.startswith(b"PK\x03\x04"):
        return "npz" if b".npy" in head else "pyg"
    return next((name for name, entry in FORMATS.items() if low.startswith(entry.beginnings)), "edgelist")
