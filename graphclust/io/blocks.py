"""Tables of edges that do not fit into memory: they are read in blocks of rows, from one file or from many.

These are edge lists and Parquet tables. Each block goes through the parser that reads a whole file
(`graphclust.io.edgelist`, `graphclust.io.parquet`), with the layout that the first block shows. At the end, ids get
their numbers (`graphclust.graph.numbering`), and edges are sorted in files (`graphclust.graph.sorting`).
"""

from __future__ import annotations

import bz2
import codecs
import gzip
import hashlib
import lzma
import os
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np

from graphclust.errors import DataError, ResourceError
from graphclust.graph import Graph, IntegerIds
from graphclust.graph.edges import check_weights
from graphclust.graph.numbering import Numbering
from graphclust.graph.sorting import Edges, sorted_edges
from graphclust.io.edge_arrow import canonical_texts, parse_with_arrow
from graphclust.io.edge_layout import EdgeLayout, sniff_edges
from graphclust.io.edge_rows import ParsedEdges, parse_rows
from graphclust.io.edgelist import add_notes, described, without_line_ends
from graphclust.io.formats import format_of, sniffed_format
from graphclust.io.matrix import is_matrix
from graphclust.io.options import ReadOptions
from graphclust.io.reading import naming, unweighted
from graphclust.io.signatures import refuse_other_texts
from graphclust.io.source import Source, magic_of, suffix_of
from graphclust.io.tables import SAMPLE_BYTES
from graphclust.runtime.arrays import FloatArray, IntArray
from graphclust.runtime.storage import Storage

__all__ = ["TABLES", "files_of", "read_blocks"]

TABLES = ("edgelist", "csv", "tsv", "parquet")
_SHARE = 24  # the text of a block takes this part of the memory, since its ids and edges take several times as much
_SMALLEST, _LARGEST = 1 << 16, 1 << 26  # bytes of a block
_ROWS = 1 << 20  # of a block of a Parquet table
_UTF_16_32 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_OPENERS: dict[str, Any] = {"gzip": gzip.open, "bzip2": bz2.open, "xz": lzma.open}


def files_of(path: str) -> list[str] | None:
    """Return the tables of a folder, or the files that a pattern such as edges/*.parquet matches; None for one file.

    Files whose names begin with a full stop or an underscore, as Spark writes them, do not count.

    Raises
    ------
    DataError
        There are none, or a name does not tell the format.
    """
    place = Path(path)
    if place.is_dir():
        found = sorted(place.iterdir())
    elif any(sign in path for sign in "*?[") and not place.exists():
        found = sorted(Path(place.anchor or ".").glob(str(place.relative_to(place.anchor) if place.anchor else place)))
    else:
        return None
    files = [str(file) for file in found if file.is_file() and not file.name.startswith((".", "_"))]
    if not files:
        raise DataError("no file of edges there", path)
    kinds = {format_of(name) for name in files}
    if not kinds <= set(TABLES) or ("parquet" in kinds and len(kinds) > 1):
        raise DataError("a folder or pattern of files must hold edge lists, or Parquet tables, and nothing else", path)
    return files


@dataclass
class _Reading:
    """The edges that have been read so far."""

    storage: Storage
    numbering: Numbering
    pieces: list[Edges] = field(default_factory=list)
    directed: bool | None = None
    n_zero: int = 0

    def add(self, ids: Sequence[Any], source: IntArray, target: IntArray, weight: FloatArray | None) -> None:
        """Add a block whose ends are positions in its own ids."""
        self.numbering.add(ids)
        if weight is not None:
            check_weights(weight)
            is_positive = weight > 0
            self.n_zero += len(weight) - int(is_positive.sum())
            source, target, weight = source[is_positive], target[is_positive], weight[is_positive]
        self.pieces.append(Edges(self._kept(source, np.int32), self._kept(target, np.int32), self._weights(weight)))
        self.storage.release()

    def _kept(self, values: Any, kind: Any) -> Any:
        place = self.storage.array(len(values), kind)
        place[:] = values
        return place

    def _weights(self, weight: FloatArray | None) -> Any:
        return None if weight is None or bool((weight == 1).all()) else self._kept(weight, np.float64)

    def graph(self, name: str) -> Graph:
        """Return the graph, after numbering the ids and sorting the edges."""
        ids, numbers = self.numbering.finish()
        is_weighted = any(piece.weight is not None for piece in self.pieces)

        def numbered() -> Iterator[Edges]:
            for (source, target, weight), number in zip(self.pieces, numbers, strict=True):
                if is_weighted and weight is None:
                    weight = np.ones(len(source))
                yield Edges(number[source], number[target], weight)

        n_edges = sum(len(piece.source) for piece in self.pieces)
        edges = sorted_edges(numbered, len(ids), bool(self.directed), self.storage)
        meta: dict[str, Any] = {}
        if n_edges > len(edges.source):
            meta["merged_edges"] = n_edges - len(edges.source)
        if self.n_zero:
            meta["dropped_edges"] = self.n_zero
        if not len(edges.source) and not self.n_zero:
            raise DataError("the file has no edges", name)
        return Graph(ids, *edges, directed=bool(self.directed), meta=meta, is_canonical=True, storage=self.storage)


def read_blocks(
    path: str, files: Sequence[str], kind: str, options: ReadOptions, storage: Storage, *, is_format_given: bool = False
) -> tuple[Graph, list[Any], str]:
    """Read the edges of one or more files in blocks.

    Parameters
    ----------
    path : str
        How messages call the whole.
    files : sequence of str
        Files, or "-" for standard input.
    kind : str
        "edgelist", "csv", "tsv" or "parquet".
    options : ReadOptions
    storage : Storage
    is_format_given : bool
        Whether the caller has chosen the format.

    Returns
    -------
    graph : Graph
        Nodes in canonical order; its edges lie in the storage.
    notes : list of Note
    sha256 : str
        Checksum of the file; of several files, that of their checksums.

    Raises
    ------
    DataError
        As of the readers of whole files.
    ResourceError
        The file has to be read as a whole.
    """
    reading = _Reading(storage, Numbering(storage))
    notes: list[Any] = []
    sums = []
    for name in files:
        own = "<stdin>" if name == "-" else name
        source = Source(own, b"", suffix_of(name), options=options, is_format_given=is_format_given)
        sums.append(_read_parquet(source, name, reading) if kind == "parquet" else _read_text(source, name, reading))
        notes += [note for note in source.notes if note not in notes]
    with naming(Source(path, b"")):
        graph = reading.graph(path)
    total = sums[0] if len(sums) == 1 else hashlib.sha256("\n".join(sums).encode()).hexdigest()
    return graph, notes, total


# ------------------------------------------------------------------------------------------------ text


@dataclass(frozen=True)
class _Survey:
    """What a first pass over a text says about it."""

    n_lines: int
    sha256: str
    encoding: str


def _read_text(source: Source, name: str, reading: _Reading) -> str:
    """Read an edge list in blocks; return its checksum."""
    with _seekable(name, reading.storage.folder) as raw:
        survey = _surveyed(source, raw)
        n_before = len(reading.pieces)
        notes, n_zero = list(source.notes), reading.n_zero
        if not _read_rows(source, raw, survey, reading, None):  # the first line is no header
            source.notes[:], reading.n_zero = notes, n_zero
            del reading.pieces[n_before:]
            reading.numbering.drop(n_before)
            _read_rows(source, raw, survey, reading, False)
    return survey.sha256


def _seekable(name: str, folder: str) -> BinaryIO:
    """Open a file; standard input is copied to one without a name first."""
    if name != "-":
        try:
            return open(name, "rb")
        except OSError as error:
            raise DataError(error.strerror or str(error), name) from None
    if sys.stdin is None:
        raise DataError("standard input is closed", "<stdin>")
    copy = tempfile.TemporaryFile(dir=folder, prefix="graphclust-")  # noqa: SIM115  the caller closes it
    shutil.copyfileobj(sys.stdin.buffer, copy, 1 << 22)
    return cast("BinaryIO", copy)


def _opened(source: Source, raw: BinaryIO) -> BinaryIO:
    """Return a stream of the decompressed content, from the beginning."""
    raw.seek(0)
    kind = magic_of(raw.read(16))
    raw.seek(0)
    if kind is None:
        return raw
    if kind == "zstd":
        import pyarrow as pa

        own = os.fdopen(os.dup(raw.fileno()), "rb")  # which Arrow closes
        own.seek(0)
        return cast("BinaryIO", pa.CompressedInputStream(pa.PythonFile(own, "r"), "zstd"))
    return cast("BinaryIO", _OPENERS[kind](raw, "rb"))


def _surveyed(source: Source, raw: BinaryIO) -> _Survey:
    """Count the lines of a text and find out its encoding."""
    digest, n_lines, encoding = hashlib.sha256(), 0, (source.options.encoding or "utf-8").lower()
    if encoding.startswith(("utf-16", "utf-32", "utf16", "utf32")):
        raise _as_a_whole(source, f"its encoding is {encoding}")
    raw.seek(0)
    while chunk := raw.read(1 << 22):
        digest.update(chunk)
    decoder = codecs.getincrementaldecoder("utf-8")()
    for chunk in chain(_chunks(source, raw), [b""]):
        if not n_lines and chunk.startswith(_UTF_16_32):
            raise _as_a_whole(source, "its encoding is UTF-16 or UTF-32")
        n_lines += chunk.count(b"\n")
        if encoding == "utf-8":
            try:
                decoder.decode(chunk, final=not chunk)
            except UnicodeDecodeError:
                encoding = "latin-1"
                source.note("latin-1", "the text is not UTF-8: read as Latin-1 (--encoding overrides)")
    return _Survey(n_lines, digest.hexdigest(), encoding)


def _chunks(source: Source, raw: BinaryIO, size: int = 1 << 22) -> Iterator[bytes]:
    stream = _opened(source, raw)
    try:
        while chunk := stream.read(size):
            yield bytes(chunk)
    except (OSError, EOFError, lzma.LZMAError) as error:
        raise source.error(f"the archive is damaged or incomplete ({str(error).strip()})") from None


def _blocks(source: Source, raw: BinaryIO, size: int) -> Iterator[bytes]:
    """Yield whole lines, the first time enough of them for a sample."""
    rest = b""
    wanted = max(size, 2 * SAMPLE_BYTES)
    for chunk in _chunks(source, raw, max(min(size, 1 << 22), 1)):
        rest += chunk
        if len(rest) < wanted:
            continue
        end = rest.rfind(b"\n") + 1
        if not end:
            if len(rest) > _LARGEST:
                raise _as_a_whole(source, "it has no line ends")
            continue
        yield rest[:end]
        rest, wanted = rest[end:], size
    if rest:
        yield rest


def _as_a_whole(source: Source, reason: str) -> ResourceError:
    return ResourceError(
        f"{source.name} does not fit into memory, and cannot be read in blocks, because {reason}: convert it to a "
        "plain edge list or a Parquet table, or give it more memory (--memory)"
    )


def _read_rows(source: Source, raw: BinaryIO, survey: _Survey, reading: _Reading, header: bool | None) -> bool:
    """Read all blocks of an edge list; return whether they agree with what the first line was taken for."""
    layout: EdgeLayout | None = None
    size = int(min(max(reading.storage.memory / _SHARE, _SMALLEST), _LARGEST))
    skipped: Counter[str] = Counter()
    n_rows, first_line, largest = 0, 0, 0
    seen: ParsedEdges | None = None
    for text in _blocks(source, raw, size):
        block = replace(source, data=text, options=replace(source.options, encoding=survey.encoding))
        data = block.utf8()
        if layout is None:
            layout = _layout(source, data, survey, header)
            body = layout
        edges = _parsed(source, data, body, first_line)
        body = replace(body, dialect=replace(body.dialect, header=None, marked_rows_above=False))
        first_line += text.count(b"\n")
        skipped.update(edges.skipped)
        n_rows += len(edges.source)
        if layout.assumes_header and layout.names and any(layout.names[i] in edges.ids for i in layout.columns[:2]):
            return False
        if layout.sizes is not None and len(edges.ids):
            largest = max(largest, int(edges.ids[-1]))  # type: ignore[call-overload]
        reading.add(edges.ids, edges.source, edges.target, edges.weight)
        if seen is None:
            seen = edges
        elif layout.may_have_header:
            first = [seen.ids[end[0]] for end in (seen.source, seen.target) if len(end)]
            layout = replace(layout, may_have_header=not any(name in edges.ids for name in first))
    if layout is None or seen is None:
        raise source.error("the file is empty")
    if layout.sizes is not None and not (
        layout.sizes[-1] == n_rows and (len(layout.sizes) == 1 or largest <= layout.sizes[0])
    ):
        return False
    if layout.directed != (layout.directed if reading.directed is None else reading.directed):
        raise source.error("some files of the graph are directed and others are not (--directed, --undirected)")
    reading.directed = layout.directed
    source.add(described(layout, is_text=True))
    if n_rows:
        add_notes(source, layout, replace(seen, skipped=skipped))
    return True


def _layout(source: Source, data: bytes, survey: _Survey, header: bool | None) -> EdgeLayout:
    """Return the layout of an edge list that can be read in blocks."""
    if format_of(source.name) is None and not source.is_format_given:
        kind = sniffed_format(replace(source, data=data))
        if kind != "edgelist":
            raise _as_a_whole(source, f"it seems to be {kind}")
    refuse_other_texts(source, data)
    options = source.options
    if options.negative is not None or options.threshold is not None:
        raise _as_a_whole(source, "--negative and --threshold look at all weights")
    decided = options.chosen().keys() & {"columns", "weight", "header", "bipartite"}
    if not decided and is_matrix(source, data):
        raise _as_a_whole(source, "it is a matrix")
    if without_line_ends(source, data) is not data:
        raise _as_a_whole(source, "its lines end with a mark")
    layout = sniff_edges(source, data, header=header, n_lines=survey.n_lines)
    for reason, holds in (
        ("its edges have attributes as networkx writes them", layout.has_dicts),
        ("its columns hold different kinds of nodes", layout.kinds is not None),
        ("a column says which edges are directed", layout.type_column is not None),
    ):
        if holds:
            raise _as_a_whole(source, reason)
    return layout


def _parsed(source: Source, data: bytes, layout: EdgeLayout, first_line: int) -> ParsedEdges:
    """Parse the rows of a block, which begins after `first_line` lines."""
    edges = parse_with_arrow(data, layout, keeps_text=True)
    if edges is not None:
        return edges
    try:
        edges = parse_rows(source, data, layout)
    except DataError as error:
        raise source.error(error.message, None if error.line is None else error.line + first_line) from None
    import pyarrow as pa

    order, ids = canonical_texts(pa.array(list(edges.ids), pa.string()))
    position = np.empty(len(order), np.int64)
    position[order] = np.arange(len(order))
    return replace(edges, ids=ids, source=position[edges.source], target=position[edges.target])


# ------------------------------------------------------------------------------------------------ Parquet


def _read_parquet(source: Source, name: str, reading: _Reading) -> str:
    """Read a Parquet table in batches of rows; return its checksum."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    from graphclust.io import parquet

    digest = hashlib.sha256()
    try:
        with open(name, "rb") as stream:
            while chunk := stream.read(1 << 22):
                digest.update(chunk)
        file = pq.ParquetFile(name, memory_map=True)
        chosen = parquet.chosen_columns(source, file)
        if chosen.kinds is not None:
            raise _as_a_whole(source, "its columns hold different kinds of nodes")
        schema = file.schema_arrow
        if any(column.lower() == "type" for column in schema.names) and source.options.directed is None:
            raise _as_a_whole(source, "a column says which edges are directed (--directed or --undirected decides)")
        places = (chosen.source, chosen.target, chosen.weight)
        names = [schema.names[i] for i in places if i is not None]
        directed, isolated, n_rows = False, list[Any](), 0
        for batch in file.iter_batches(batch_size=_ROWS, columns=names):
            table = pa.Table.from_batches([batch]).select(names)
            ends, integers = parquet.ends_of(source, table)
            if not n_rows:
                directed, isolated = parquet.own_metadata(source, schema, int if integers else str)
            weight = parquet.weights_of(source, table) if len(names) > 2 else None
            _add_batch(reading, ends, integers, weight)
            n_rows += len(table)
        if isolated:
            _add_batch(reading, pa.chunked_array([pa.array(isolated)]), integers, None, alone=True)
    except (pa.ArrowException, OSError) as error:
        reason = str(error).split("\n", 1)[0] or type(error).__name__
        raise source.error(f"not a Parquet file, or a damaged one ({reason})") from None
    if len(names) < 3:
        unweighted(source, n_rows)
    wanted = source.options.directed
    reading.directed = directed if wanted is None else wanted
    return digest.hexdigest()


def _add_batch(reading: _Reading, ends: Any, integers: bool, weight: FloatArray | None, *, alone: bool = False) -> None:
    """Add the rows of a table: all sources, and then all targets."""
    if integers:
        values, codes = np.unique(ends.to_numpy(), return_inverse=True)
        ids: Sequence[Any] = IntegerIds(values)
    else:
        encoded = ends.combine_chunks().dictionary_encode()
        order, ids = canonical_texts(encoded.dictionary)
        position = np.empty(len(order), np.int64)
        position[order] = np.arange(len(order))
        codes = position[encoded.indices.to_numpy()]
    half = 0 if alone else len(codes) // 2
    reading.add(ids, codes[:half], codes[half : 2 * half], weight)
