"""Files to graphs and back: the format is determined by the file name, or else by the first bytes."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO

from graphclust.errors import UsageError, unknown
from graphclust.graph import Graph, merge_notes
from graphclust.io.archive import open_file
from graphclust.io.blocks import TABLES, files_of, read_blocks
from graphclust.io.formats import FORMATS, check_writable, format_of, sniffed_format, writable_formats
from graphclust.io.node_table import with_nodes
from graphclust.io.options import COMMON, ReadOptions
from graphclust.io.signatures import FOREIGN_SUFFIXES, refuse_binary
from graphclust.io.source import Source, suffix_of
from graphclust.runtime.memory import available_memory
from graphclust.runtime.notes import counted, log_notes
from graphclust.runtime.storage import Storage

__all__ = ["FORMATS", "carried", "check_writable", "format_of", "read_file", "writable_formats", "write_graph"]

_BYTES_PER_BYTE = 12  # of memory to read a byte of an edge list as a whole
_PARTS_OF_EDGES = {"weight", "source", "target", "id", "key"}


def read_file(
    path: str | os.PathLike[str],
    *,
    format: str | None = None,
    nodes: str | os.PathLike[str] | None = None,
    storage: Storage | None = None,
    **options: Any,
) -> Graph:
    """Read a graph from a file in any supported format.

    Guesses and changes are logged (logger "graphclust", level INFO) and kept in `graph.meta["notes"]`;
    `graph.meta["source"]` is the file's name and `graph.meta["sha256"]` the checksum of its bytes as they lie on disk.

    Parameters
    ----------
    path : str or PathLike
        A file, perhaps compressed (.gz .bz2 .xz .zst) or alone in an archive (.zip .tar); "-" is standard input.
    format : str, optional
        A key of `FORMATS`; by default, it follows from the file name or else from the first bytes.
    nodes : str or PathLike, optional
        A table of nodes with their attributes (`graphclust.io.node_table`). Nodes without edges are added.
    storage : Storage, optional
        Where the edges lie if the file is large; see `graphclust.io.blocks`.
    **options
        The attributes of `graphclust.io.options.ReadOptions`.

    Returns
    -------
    Graph

    Raises
    ------
    DataError
        The file cannot be read; names the file and, in textual formats, the line.
    UsageError
        Unknown format, or an option that the format does not take.
    """
    if format is not None and format not in FORMATS:
        raise unknown("format", format, FORMATS)
    decided = ReadOptions.of(**options)
    files = files_of(os.fspath(path))
    if storage is None and os.fspath(path) != "-" and nodes is None:
        everything = Storage(available_memory() or math.inf)
        storage = everything if _is_large(path, format, everything) else None
    if files is not None or (storage is not None and _is_large(path, format, storage)):
        if nodes is not None:
            raise UsageError("--nodes does not go together with edges that are read in blocks")
        return _read_in_blocks(os.fspath(path), files, format, decided, storage)
    source = open_file(path)
    by_name = None if source.suffix == ".xml" else format_of(f"file{source.suffix}")  # .xml may be GraphML or GEXF
    kind = format or by_name or _sniffed(source)
    if not source.data or source.data.isspace():
        raise source.error("the file is empty")
    source.options, source.is_format_given = decided, format is not None
    _check_taken(source, kind, has_nodes=nodes is not None)
    if nodes is not None:
        source.options = replace(decided, id=None)
    graph: Graph = FORMATS[kind].load().read(source)
    if nodes is not None:
        graph = with_nodes(graph, nodes, source, decided.id)
    for note in merge_notes(graph):
        source.add(note)
    log_notes(source.notes, source.name)
    graph.meta |= {
        "source": source.name,
        "format": kind,
        "sha256": source.sha256,
        "notes": tuple(source.notes),
    }
    graph.storage = storage
    return graph


def _is_large(path: str | os.PathLike[str], format: str | None, storage: Storage) -> bool:
    """Whether a file is too large to be read as a whole, and of a format that is read in blocks."""
    name = os.fspath(path)
    if name == "-":  # which has to be seen as a whole to find out its format
        return format in TABLES and format != "parquet"
    kind = format or format_of(name) or ("edgelist" if suffix_of(name) not in FOREIGN_SUFFIXES else None)
    return kind in TABLES and Path(name).is_file() and Path(name).stat().st_size > storage.memory / _BYTES_PER_BYTE


def _read_in_blocks(
    path: str, files: list[str] | None, format: str | None, options: ReadOptions, storage: Storage | None
) -> Graph:
    """Read edges in blocks; without a storage, one in all the memory that there is."""
    names = files or [path]
    kind = format or format_of(names[0]) or "edgelist"
    _check_taken(Source(path, b"", options=options, is_format_given=format is not None), kind, has_nodes=False)
    own, is_given = storage or Storage(available_memory() or 1 << 32), format is not None
    graph, notes, sha256 = read_blocks(path, names, kind, options, own, is_format_given=is_given)
    notes += merge_notes(graph)
    log_notes(notes, path)
    graph.meta |= {"source": path, "format": kind, "sha256": sha256, "notes": tuple(notes)}
    if storage is None:
        graph.storage = None
    return graph


def _sniffed(source: Source) -> str:
    """Return the format that the first bytes tell; refuse files of other kinds by their names."""
    if source.suffix in FOREIGN_SUFFIXES:
        raise source.error(f"{FOREIGN_SUFFIXES[source.suffix]} (--input-format overrides)")
    refuse_binary(source)
    return sniffed_format(source)


def _check_taken(source: Source, kind: str, *, has_nodes: bool) -> None:
    """Refuse options that mean nothing to the format.

    Raises
    ------
    UsageError
        Names the options and the formats that take them.
    """
    takes = FORMATS[kind].takes | COMMON | ({"id"} if has_nodes else frozenset())
    refused = [name for name in source.options.chosen() if name not in takes]
    if refused:
        formats = [name for name, entry in FORMATS.items() if set(refused) <= entry.takes]
        evidence = "" if source.is_format_given else f", which {source.name} was recognised as,"
        options = " and ".join(f"--{name}" for name in refused)
        raise UsageError(f"{kind}{evidence} does not take {options} (formats that do: {', '.join(formats) or 'none'})")


def _renamed(columns: Mapping[str, Sequence[Any]], changes: list[str]) -> dict[str, Sequence[Any]]:
    """Rename attributes of edges that would be read as a part of the graph, and report it in `changes`."""
    renamed: dict[str, Sequence[Any]] = {}
    for name, values in columns.items():
        own = name
        if name.lower() in _PARTS_OF_EDGES:
            own = next(new for i in range(2, len(columns) + 3) if (new := f"{name}_{i}") not in columns)
            changes.append(f"renamed the edge attribute {name!r} to {own!r}, because {name} is a part of the edges")
        renamed[own] = values
    return renamed


def _is_plain(values: Sequence[Any]) -> bool:
    """Whether all values of an attribute are numbers, texts or missing."""
    return all(value is None or isinstance(value, bool | int | float | str) for value in values)


def carried(graph: Graph, format: str) -> tuple[dict[str, Sequence[Any]], list[str]]:
    """Split the node attributes of a graph into those that a format can store and those that are lost.

    Parameters
    ----------
    graph : Graph
    format : str
        A key of `FORMATS`.

    Returns
    -------
    dict of str to sequence
        The attributes that the nodes were read with, for `write_graph`.
    list of str
        Names of the attributes that are lost; those of edges, features and classes, too.
    """
    holds = getattr(FORMATS[format].load(), "holds", None) if FORMATS[format].is_written else None
    held: dict[str, Sequence[Any]] = {}
    lost = []
    for name, values in graph.meta.get("node_attributes", {}).items():
        if holds is not None and len(values) == graph.num_nodes and _is_plain(values) and holds(name, values):
            held[name] = values
        else:
            lost.append(name)
    for name, values in graph.meta.get("edge_attributes", {}).items():
        if not (FORMATS[format].holds_edge_attributes and _is_plain(values)):
            lost.append(f"{name} (of edges)")
    if not FORMATS[format].holds_features:
        lost += [what for what, values in (("features", graph.x), ("classes", graph.y)) if values is not None]
    return held, lost


def write_graph(
    graph: Graph,
    stream: BinaryIO,
    *,
    format: str,
    attributes: Mapping[str, Sequence[Any]] | None = None,
) -> list[str]:
    """Write a graph.

    Parameters
    ----------
    graph : Graph
    stream : binary file
        Receives the whole file; the caller is responsible for writing it atomically (`graphclust.io.files.replacing`).
    format : str
        A key of `FORMATS`.
    attributes : mapping of str to sequence, optional
        Attributes of the nodes, in the order of `graph.nodes`, for the formats that have a place for them.

    Returns
    -------
    list of str
        What the format could not hold.

    Raises
    ------
    UsageError
        Unknown format, or attributes in a format without a place for them.
    DataError
        The format cannot hold this graph at all.
    """
    check_writable(format)
    entry = FORMATS[format]
    module = entry.load()
    options = dict(entry.options)
    lost: list[str] = []
    if entry.holds_edge_attributes and (columns := graph.meta.get("edge_attributes")):
        plain = {name: values for name, values in columns.items() if _is_plain(values)}
        options["edge_attributes"] = _renamed(plain, lost)
    module.write(graph, stream, attributes, **options)
    if graph.is_weighted and not entry.holds_weights:
        lost.append(f"{format} has no place for weights: they are lost")
    if graph.directed and not entry.holds_directions:
        lost.append(f"{format} has no place for directions: they are lost")
    first = getattr(module, "FIRST_ID", 0)
    if not module.KEEPS_IDS and graph.nodes != list(range(first, first + graph.num_nodes)):
        lost.append(f"{format} has no place for node ids: nodes are numbered from {first} in their order")
    if not entry.holds_isolated:
        isolated = graph.num_nodes - len({*graph.source.tolist(), *graph.target.tolist()})
        if isolated:
            lost.append(f"{format} has no place for isolated nodes: {counted(isolated, 'isolated node')} lost")
    return lost
