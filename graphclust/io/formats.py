"""All formats of graph files by name. A new format is one file and one line here."""

from __future__ import annotations

import importlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

from graphclust.errors import UsageError, unknown
from graphclust.io.signatures import DIMACS, DL, JSON
from graphclust.io.source import Source, suffix_of

__all__ = ["FORMATS", "Format", "check_writable", "format_of", "sniffed_format", "writable_formats"]


@dataclass(frozen=True)
class Format:
    """A format of graph files.

    Attributes
    ----------
    module : str
        What reads and writes it: a module with `read(source)`; `write(graph, stream, attributes)`; `KEEPS_IDS`, which
        says whether node ids survive (if not, `FIRST_ID` is the number of the first node, by default 0); and, where
        nodes can have attributes, `holds(name, values)`. What the caller has decided is in `source.options`.
    suffixes : tuple of str
        Extensions that tell the format; the first is that of files that are written.
    beginnings : tuple of bytes
        First bytes of such files, in lower case.
    takes : frozenset of str
        Names of the options that matter to `read`, in addition to `options.COMMON`.
    holds_isolated : bool
        Whether nodes without edges have a place.
    holds_weights, holds_directions : bool
        Whether weights and directions of edges have a place.
    holds_features : bool
        Whether features and classes of nodes have a place.
    holds_edge_attributes : bool
        Whether attributes of edges have a place; then `write` takes `edge_attributes`.
    is_written : bool
        Whether the module has `write`.
    options : mapping
        Keyword arguments of `write`.
    """

    module: str
    suffixes: tuple[str, ...]
    beginnings: tuple[bytes, ...] = ()
    takes: frozenset[str] = frozenset()
    holds_isolated: bool = True
    holds_weights: bool = True
    holds_directions: bool = True
    holds_features: bool = False
    holds_edge_attributes: bool = False
    is_written: bool = True
    options: Mapping[str, Any] = field(default_factory=dict)

    def load(self) -> ModuleType:
        """Import the module that reads and writes the format."""
        return importlib.import_module(self.module)


_EDGE_LISTS = (".edgelist", ".edges", ".el", ".txt", ".ssv", ".dat", ".ncol", ".wel", ".graphs")
_COLUMNS = frozenset({"columns", "weight", "bipartite"})
_TEXT = _COLUMNS | {"delimiter", "header", "comment"}
_ATTRIBUTES = frozenset({"weight", "id"})
_EDGES_ONLY: dict[str, Any] = {"takes": _TEXT, "holds_isolated": False}
_TABLE = "graphclust.io.edge_table"
_PLAIN: dict[str, Any] = {"holds_weights": False, "holds_directions": False}
_READ_ONLY: dict[str, Any] = {"is_written": False}
_DOCUMENT: dict[str, Any] = {"takes": _ATTRIBUTES, "holds_edge_attributes": True}

FORMATS: dict[str, Format] = {
    "edgelist": Format("graphclust.io.edgelist", _EDGE_LISTS, **_EDGES_ONLY),
    "csv": Format(_TABLE, (".csv",), options={"delimiter": ","}, **_EDGES_ONLY),
    "tsv": Format(_TABLE, (".tsv",), options={"delimiter": "\t"}, **_EDGES_ONLY),
    "graphml": Format("graphclust.io.graphml", (".graphml", ".xml"), **_DOCUMENT),
    "gexf": Format("graphclust.io.gexf", (".gexf",), **_DOCUMENT),
    "gml": Format("graphclust.io.gml", (".gml",), (b"graph [", b"graph\n[", b"creator "), **_DOCUMENT),
    "json": Format(
        "graphclust.io.node_link",
        (".json", ".cyjs", ".jsonl", ".ndjson"),
        **{**_DOCUMENT, "takes": _ATTRIBUTES | {"columns", "bipartite"}},
    ),
    "pajek": Format("graphclust.io.pajek", (".net", ".paj", ".pajek"), (b"*vertices", b"*network")),
    "metis": Format("graphclust.io.metis", (".graph", ".metis")),
    "matrix-market": Format(
        "graphclust.io.matrix_market", (".mtx", ".mm"), (b"%%matrixmarket", b"%matrixmarket"), frozenset({"bipartite"})
    ),
    "matrix": Format("graphclust.io.matrix", (), takes=frozenset({"delimiter", "bipartite"})),
    "npz": Format("graphclust.io.npz", (".npz",)),
    "parquet": Format("graphclust.io.parquet", (".parquet", ".pq"), (b"par1",), _COLUMNS),
    "xlsx": Format("graphclust.io.xlsx", (".xlsx",), (), _COLUMNS | {"header"}, **_READ_ONLY),
    "pyg": Format("graphclust.io.pyg", (".pt", ".pth"), (), frozenset({"weight"}), holds_features=True),
    "sif": Format("graphclust.io.sif", (".sif",), **_PLAIN),
    "adjlist": Format("graphclust.io.adjlist", (".adjlist",), (), frozenset({"delimiter", "comment"}), **_PLAIN),
    "multiline-adjlist": Format(
        "graphclust.io.multiline_adjlist", (".madjlist", ".multiline_adjlist"), (), frozenset({"weight"}), **_READ_ONLY
    ),
    "dimacs": Format("graphclust.io.dimacs", (".dimacs", ".col", ".clq", ".gr"), (), **_READ_ONLY),
    "dl": Format("graphclust.io.dl", (".dl",), (), **_READ_ONLY),
    "graph6": Format(
        "graphclust.io.graph6", (".g6", ".graph6", ".s6", ".sparse6"), (b">>graph6<<", b">>sparse6<<"), **_READ_ONLY
    ),
}


def writable_formats() -> list[str]:
    """Return the names of the formats that are not only read."""
    return [name for name, entry in FORMATS.items() if entry.is_written]


def check_writable(name: str) -> None:
    """Refuse the name of a format that does not exist, or that is only read.

    Raises
    ------
    UsageError
        Suggests similar names, or lists the formats that are written.
    """
    if name in FORMATS and not FORMATS[name].is_written:
        raise UsageError(f"{name} files are only read; choose from {', '.join(writable_formats())}")
    if name not in FORMATS:
        raise unknown("format", name, writable_formats())


def format_of(name: str) -> str | None:
    """Return the format that a file's name tells, or None.

    Examples
    --------
    >>> format_of("polblogs.gml.gz"), format_of("graph")
    ('gml', None)
    """
    suffix = suffix_of(name)
    return next((name for name, entry in FORMATS.items() if suffix and suffix in entry.suffixes), None)


def sniffed_format(source: Source) -> str:
    """Return the format that the first bytes tell; an edge list where nothing speaks against it."""
    head = source.data[:4096].removeprefix(b"\xef\xbb\xbf").lstrip()
    low = head.lower()
    if low.startswith(b"<") and re.match(rb"<(?:\?xml|!--|!doctype|graphml|gexf|[a-z]+:graphml)", low):
        return "gexf" if b"<gexf" in low else "graphml"
    if head.startswith(b"PK\x03\x04"):
        return "npz" if b".npy" in head else "xlsx" if b"xl/" in head or b"[Content_Types]" in head else "pyg"
    if JSON.match(head):
        return "json"
    for pattern, name in ((DL, "dl"), (DIMACS, "dimacs")):
        if pattern.match(head):
            return name
    return next(
        (name for name, entry in FORMATS.items() if entry.beginnings and low.startswith(entry.beginnings)), "edgelist"
    )
