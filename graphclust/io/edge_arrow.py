"""The fast parser of edge lists: Arrow reads well-formed files at some ten million edges a second.

The parser returns None for everything that Arrow would read differently from `graphclust.io.edge_rows`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np

from graphclust.graph import MAX_DECIMAL, DecimalIds, JoinedIds, TextIds
from graphclust.io.edge_layout import EdgeLayout
from graphclust.io.edge_rows import ParsedEdges
from graphclust.io.tables import BLANK, SAMPLE_BYTES, Dialect
from graphclust.runtime.arrays import IntArray, index_dtype

__all__ = ["canonical_texts", "parse_with_arrow"]


def parse_with_arrow(
    data: bytes, layout: EdgeLayout, *, allow_negative: bool = False, keeps_text: bool = False
) -> ParsedEdges | None:
    """Parse a well-formed edge list; return None if the file needs the parser that reads row by row.

    With `keeps_text`, ids that are strings stay in an Arrow array (`TextIds`).
    """
    dialect = layout.dialect
    separator = _single_separator(data, layout)
    if separator is None or dialect.thousands or dialect.marked_rows_above:
        return None
    skipped: Counter[str] = Counter()
    start = _first_edge(data, dialect, skipped)
    for prefix in (comment.encode() for comment in dialect.inner_comments):
        if data.find(prefix[:1], start) >= 0:  # finding a single byte costs nothing, finding two ten times as much
            if dialect.marked_rows and _may_be_rows(data, start, prefix):
                return None
            data, start = _without_comments(data[start:], prefix, skipped), 0
    if start == len(data):
        return None
    edges = None
    if not layout.is_weighted and dialect.n_columns == 2:
        edges = _parse_integers(data, start, separator)
    if edges is None:
        edges = _parse_strings(data, start, separator, layout, allow_negative, keeps_text)
    if edges is not None:
        edges.skipped = skipped
    return edges


def _single_separator(data: bytes, layout: EdgeLayout) -> str | None:
    """Return the one character that separates all fields, None if Arrow cannot split the lines."""
    separator = layout.dialect.separator
    if separator is None:
        has_tabs, has_spaces = b"\t" in data[:SAMPLE_BYTES], b" " in data[:SAMPLE_BYTES]
        if has_tabs == has_spaces or layout.has_dicts or b'"' in data:
            return None
        separator = "\t" if has_tabs else " "
    if b"\r" in data and data.count(b"\r") != data.count(b"\r\n"):
        return None
    return None if not separator.isascii() or len(separator) > 1 or b"\x1a" in data[-2:] else separator


def _first_edge(data: bytes, dialect: Dialect, skipped: Counter[str]) -> int:
    """Return the position of the first edge, below the comments, the header and the blank lines at the top."""
    prefixes = tuple(comment.encode() for comment in dialect.comments)
    start, awaits_header = 0, dialect.header is not None
    while start < len(data):
        is_comment = bool(prefixes) and data.startswith(prefixes, start)
        if not (is_comment or awaits_header or data[start] in b"\r\n"):
            break
        if is_comment:
            skipped["comment line"] += 1
        awaits_header = awaits_header and (is_comment or data[start] in b"\r\n")
        start = data.find(b"\n", start) + 1 or len(data)
    return start


def _may_be_rows(data: bytes, start: int, prefix: bytes) -> bool:
    """Return whether a line begins with the prefix of comments and has no blank behind it."""
    mark = b"\n" + prefix
    place = start - 1 if data.startswith(prefix, start) else data.find(mark, start)
    while place >= 0:
        end = place + len(mark)
        if data[end : end + 1] not in (b"", b" ", b"\t", b"\n", b"\r"):
            return True
        place = data.find(mark, end)
    return False


def _without_comments(data: bytes, prefix: bytes, skipped: Counter[str]) -> bytes:
    """Remove the lines that begin with a prefix, except for the first line."""
    pieces: list[bytes] = []
    start, line_end = 0, data.find(b"\n" + prefix)
    while line_end >= 0:
        pieces.append(data[start : line_end + 1])
        skipped["comment line"] += 1
        start = data.find(b"\n", line_end + 1) + 1 or len(data)
        line_end = data.find(b"\n" + prefix, max(start - 1, 0))
    return b"".join((*pieces, data[start:])) if pieces else data


def _read_csv(
    data: bytes,
    start: int,
    separator: str,
    names: list[str],
    types: Mapping[str, Any],
    *,
    quoted: bool,
    decimal: str = ".",
) -> Any:
    """Run Arrow's parser; return None if it refuses the text."""
    import pyarrow as pa
    import pyarrow.csv as pc

    try:
        return pc.read_csv(
            # a slice of the buffer: the text of a large graph is larger than the graph and must not be copied
            pa.BufferReader(pa.py_buffer(data).slice(start)),
            read_options=pc.ReadOptions(column_names=names, block_size=1 << 22),
            parse_options=pc.ParseOptions(delimiter=separator, quote_char='"' if quoted else False),
            convert_options=pc.ConvertOptions(
                column_types=types, null_values=[], include_columns=list(types), decimal_point=decimal
            ),
        )
    except (pa.ArrowException, ValueError):
        return None


def _to_numpy(column: Any) -> Any:
    """Return a column without nulls as an array; Arrow's own `to_numpy` imports pandas, which takes 0.3 s."""
    return np.from_dlpack(column.combine_chunks() if hasattr(column, "chunks") else column)


def _parse_integers(data: bytes, start: int, separator: str) -> ParsedEdges | None:
    """Parse two columns of plain decimal integers.

    Arrow also reads 007 as 7, but these are different ids. Arithmetic proves that every id has its shortest spelling:
    the digits of all values, the separators and the line ends must add up to the length of the text.
    """
    import pyarrow as pa

    if not data[start : start + 1].isdigit():
        return None
    for kind in (pa.int32(), pa.int64()):
        table = _read_csv(data, start, separator, ["s", "t"], {"s": kind, "t": kind}, quoted=False)
        if table is not None:
            break
    if table is None or not len(table):
        return None
    source, target = (_to_numpy(table[name]) for name in ("s", "t"))
    del table
    top = int(max(source.max(), target.max()))
    if min(source.min(), target.min()) < 0 or top >= 10**MAX_DECIMAL:
        return None
    line_end = 2 if data.find(b"\r\n", start, start + SAMPLE_BYTES) >= 0 else 1
    endings = len(source) * line_end - (0 if data.endswith(b"\n") else line_end)
    if len(data) - start != _n_digits(source) + _n_digits(target) + len(source) + endings:
        return None
    if top < 8 * len(source) + 1024:
        seen = np.zeros(top + 1, dtype=bool)
        seen[source] = True
        seen[target] = True
        values = np.flatnonzero(seen)
        index = index_dtype(len(values))
        if len(values) == values[-1] - values[0] + 1:  # without gaps, positions are differences
            source, target = ((end - int(values[0])).astype(index, copy=False) for end in (source, target))
        else:
            position = np.cumsum(seen, dtype=index) - 1
            source, target = position[source], position[target]
    else:
        values, inverse = np.unique(np.concatenate((source, target)), return_inverse=True)
        inverse = inverse.astype(index_dtype(len(values)), copy=False)
        source, target = inverse[: len(source)], inverse[len(source) :]
    return ParsedEdges(DecimalIds(values), source, target, None)


def _parse_strings(
    data: bytes, start: int, separator: str, layout: EdgeLayout, allow_negative: bool, keeps_text: bool
) -> ParsedEdges | None:
    """Parse ids as strings, with weights and types."""
    import pyarrow as pa
    import pyarrow.compute as pc

    dialect = layout.dialect
    names = [f"c{i}" for i in range(dialect.n_columns)]
    types: dict[str, Any] = {names[i]: pa.string() for i in layout.columns[:2]}
    if layout.is_weighted:
        types[names[layout.columns[2]]] = pa.float64()
    if layout.type_column is not None:
        types[names[layout.type_column]] = pa.string()
    quoted = data.find(b'"', start) >= 0
    if quoted and not _quotes_are_plain(data[start:], separator.encode()):
        return None
    table = _read_csv(data, start, separator, names, types, quoted=quoted, decimal=dialect.decimal)
    if table is None or not len(table):
        return None
    weight = None
    if layout.is_weighted:
        weight = _to_numpy(table[names[layout.columns[2]]])
        if not (np.isfinite(weight).all() and (allow_negative or (weight >= 0).all())):
            return None
    is_arc = None
    if layout.type_column is not None:
        types_of_edges = pc.utf8_lower(pc.utf8_trim(table[names[layout.type_column]], BLANK))
        if not pc.all(pc.is_in(types_of_edges, pa.array(["directed", "undirected"]))).as_py():
            return None
        is_arc = _to_numpy(pc.equal(types_of_edges, "directed").cast(pa.int8())).astype(bool)
    first, second = (table[names[i]] for i in layout.columns[:2])
    if _may_repeat_header(first, second, layout):
        return None
    both = pa.chunked_array([*first.chunks, *second.chunks], type=pa.string()).combine_chunks()
    encoded = both.dictionary_encode()
    ids = encoded.dictionary
    unusual = r'^$|^[\s\v]|[\s\v]$|["\n\r]' if dialect.separator is not None else r"^$|[\s\v]"
    if pc.any(pc.match_substring_regex(ids, unusual)).as_py():
        return None
    codes = _to_numpy(encoded.indices)
    order, values = canonical_texts(ids)
    position = np.empty(len(ids), index_dtype(len(ids)))
    position[order] = np.arange(len(ids))
    codes = position[codes]
    if not keeps_text and not isinstance(values, DecimalIds):
        values = list(values)
    return ParsedEdges(values, codes[: len(first)], codes[len(first) :], weight, decimal=dialect.decimal, is_arc=is_arc)


def _may_repeat_header(first: Any, second: Any, layout: EdgeLayout) -> bool:
    """Return whether an edge has the names of its columns as ends: the header is there more than once."""
    import pyarrow.compute as pc

    header = layout.dialect.header
    if header is None or layout.sizes is not None or len(header) != layout.dialect.n_columns:
        return False
    source, target = (header[i] for i in layout.columns[:2])
    return bool(pc.any(pc.and_(pc.equal(first, source), pc.equal(second, target))).as_py())


def _quotes_are_plain(body: bytes, separator: bytes) -> bool:
    """Return whether all quotation marks enclose whole fields, as far as their numbers show it.

    A single mark that this test misses shows up in an id later.
    """
    end = b"\r\n" if b"\r" in body else b"\n"
    opening = body.count(separator + b'"') + body.count(b'\n"') + body.startswith(b'"')
    closing = body.count(b'"' + separator) + body.count(b'"' + end) + body.endswith(b'"')
    return opening == closing and opening + closing == body.count(b'"')


def canonical_texts(ids: Any) -> tuple[IntArray, Sequence[Hashable]]:
    """Return the canonical order of an Arrow array of distinct strings, and the strings in it.

    Those that are spelt as whole numbers come first, by value.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    is_decimal = _to_numpy(
        pc.match_substring_regex(ids, rf"^(0|-?[1-9][0-9]{{0,{MAX_DECIMAL - 1}}})$").cast(pa.int8())
    ).astype(bool)
    decimal, other = np.flatnonzero(is_decimal), np.flatnonzero(~is_decimal)
    numbers = _to_numpy(ids.take(pa.array(decimal)).cast(pa.int64()))
    by_value = np.argsort(numbers)
    first = DecimalIds(numbers[by_value])
    if not len(other):
        return decimal[by_value], first
    texts = ids.take(pa.array(other))
    by_text = _to_numpy(pc.array_sort_indices(texts)).astype(np.int64)
    second = TextIds(pa.chunked_array([texts.take(pa.array(by_text))]))
    if not len(decimal):
        return other[by_text], second
    return np.concatenate((decimal[by_value], other[by_text])), JoinedIds(first, second)


def _n_digits(values: IntArray) -> int:
    """Return the total number of decimal digits of an array of non-negative integers."""
    total, power = len(values), 10
    top = int(values.max()) if len(values) else 0
    while power <= top:
        total += int(np.count_nonzero(values >= power))
        power *= 10
    return total
