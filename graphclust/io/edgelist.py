"""Edge lists: a line an edge, two ids and perhaps a weight, in whatever dialect the file is written.

`sniff` looks at the first lines and settles the dialect: separator, header, columns, weights. A well-formed file then
goes through Arrow's parser at some ten million edges a second; whatever that parser does not take exactly as it
stands goes through `_parse_lines`, which is slower, understands everything, and names the line of each error.
"""

from __future__ import annotations

import ast
import io
import re
from collections import Counter
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from graphclust.errors import DataError, UsageError
from graphclust.graph import MAX_DECIMAL, MIXED, DecimalIds, Graph, both_directions
from graphclust.graph.columns import edge_columns
from graphclust.io.reading import naming, parse_weight
from graphclust.io.source import Source, is_number, shorten, split_lines
from graphclust.io.writing import encode, id_texts
from graphclust.runtime.arrays import FloatArray, IntArray
from graphclust.runtime.notes import Note, counted

__all__ = ["KEEPS_IDS", "Dialect", "edge_ids", "edge_weights", "quote", "read", "sniff", "write"]

KEEPS_IDS = True

_SAMPLE_BYTES = 1 << 20
_SAMPLE_LINES = 200
_SMALL = 1 << 18  # bytes that are parsed in less time than it takes to import Arrow
_DELIMITERS = {"\t": "tab", ";": "semicolon", ",": "comma", "|": "bar", " ": "space", None: "white space"}
_SPELT = {"tab": "\t", "\\t": "\t", "comma": ",", "semicolon": ";", "bar": "|", "pipe": "|"}
_BLANK = " \t\v\f\r\n"  # other white space, as the no-break space, is a part of ids
_SPACES = re.compile(r"[ \t\v\f]+")
_TOKEN = re.compile(r'"((?:[^"]|"")*)"(?=[ \t\v\f]|$)|([^ \t\v\f]+)')
_DECIMAL_COMMA = re.compile(r"[+-]?[0-9]*,[0-9]+(?:[eE][+-]?[0-9]+)?")  # 1,5 as Excel writes it in most of Europe
_BAD_QUOTE = "a quote that is not closed, or not around a whole field"
_KONECT = {"sym": False, "asym": True, "bip": False}  # the first line of KONECT's files: % sym unweighted


@dataclass(frozen=True)
class Dialect:
    """How the lines of an edge list are to be understood.

    Attributes
    ----------
    delimiter : str or None
        One character, or None for any run of white space.
    n_columns : int
        Columns that every line must have.
    columns : tuple of int
        Positions of source, target and, where edges are weighted, weight.
    header : tuple of str or None
        The fields of the header line.
    comments : tuple of str
        Beginnings of the lines to skip.
    dicts : bool
        Third column is a Python dict of attributes, as `networkx.write_edgelist` writes it.
    directed : bool
    decimal : str
        "," where weights have decimal commas, else ".".
    headless : bool
        No header is known of, and the first line has no number: it may be one all the same.
    type_column : int or None
        Position of Gephi's column Type, if that tells which edges are directed.
    """

    delimiter: str | None
    n_columns: int
    columns: tuple[int, ...]
    header: tuple[str, ...] | None
    comments: tuple[str, ...]
    dicts: bool
    directed: bool
    decimal: str = "."
    headless: bool = False
    type_column: int | None = None

    @property
    def weighted(self) -> bool:
        """Whether a column holds weights."""
        return len(self.columns) == 3


@dataclass
class _Edges:
    """What a parser returns: ids in canonical order, positions of the ends in them, weights, which are directed."""

    ids: Sequence[Hashable]
    source: IntArray
    target: IntArray
    weight: FloatArray | None
    skipped: Counter[str] = field(default_factory=Counter)
    decimal: str = "."
    is_arc: NDArray[np.bool_] | None = None


# ---------------------------------------------------------------- splitting and sniffing


class _QuoteError(ValueError):
    """A field begins with a quote and does not end with one."""


def _splitter(delimiter: str | None) -> Callable[[str], list[str]]:
    """Return the function that cuts a line into its fields; quotes count only around a whole field."""
    if delimiter is None:

        def split(line: str) -> list[str]:
            if '"' not in line:
                return line.split() if line.isascii() else _SPACES.split(line.strip(_BLANK))
            return [bare if bare else quoted.replace('""', '"') for quoted, bare in _TOKEN.findall(line)]

        return split
    mark = re.escape(delimiter)
    field_pattern = re.compile(rf' *(?:"((?:[^"]|"")*)" *|([^{mark}]*))({mark}|$)')

    def split_at(line: str) -> list[str]:
        if '"' not in line:
            return [value.strip(_BLANK) for value in line.split(delimiter)]
        fields: list[str] = []
        place, more = 0, delimiter
        while more:
            match = field_pattern.match(line, place)
            quoted, bare, more = match.groups() if match else (None, '"', "")
            if bare is not None and bare.startswith('"'):
                raise _QuoteError
            fields.append(bare.strip(_BLANK) if quoted is None else quoted.replace('""', '"'))
            place = match.end() if match else place
        return fields

    return split_at


def _is_number(text: str) -> bool:
    return "_" not in text if is_number(text) else _DECIMAL_COMMA.fullmatch(text) is not None


def _sample(data: bytes, comments: tuple[str, ...]) -> tuple[list[str], list[str]]:
    """Return the leading comment lines, and the first lines that hold data."""
    leading: list[str] = []
    lines: list[str] = []
    size = _SAMPLE_BYTES
    while not lines:
        cut = data[:size]
        whole = len(data) <= size
        if not whole:
            cut = cut[: cut.rfind(b"\n") + 1]  # nothing, if one line is longer than the sample
        leading.clear()
        for line in split_lines(cut.decode(errors="replace")):
            text = line.strip(_BLANK)
            if text and comments and text.startswith(comments):
                if not lines:
                    leading.append(text)
            elif text:
                lines.append(text)
                if len(lines) == _SAMPLE_LINES:
                    break
        if whole:
            break
        size *= 8
    return leading, lines


def _rows(lines: Sequence[str], delimiter: str | None) -> list[list[str]]:
    split = _splitter(delimiter)
    rows = []
    for line in lines:
        try:
            rows.append(split(line))
        except _QuoteError:
            rows.append([])
    return rows


def _dict_delimiter(lines: Sequence[str]) -> tuple[bool, str | None]:
    """Say whether every line ends with a dict of attributes, as networkx writes it, and what separates the fields."""
    if all(line.endswith("}") for line in lines):
        for delimiter in (None, "\t", ",", ";", "|"):
            tails = [line.split(delimiter, 2)[2:] for line in lines]
            if all(tail and tail[0].strip().startswith("{") for tail in tails):
                return True, delimiter
    return False, None


def _names(row: Sequence[str], rest: Sequence[Sequence[str]]) -> bool:
    """Whether a first row names the columns of the rest."""
    found = edge_columns(row)
    if found is not None:  # a word that comes back as an id was an id in the first row too; a whole header may recur
        ends = found[:2]
        ids = {other[i] for other in rest if other != row for i in ends if i < len(other)}
        return not any(row[i] in ids for i in ends)
    if len(row) == 3 and len(rest) > 1 and not any(map(_is_number, row)) and not row[2].endswith("}"):
        third = [other[2] for other in rest if len(other) == 3]
        if len(third) == len(rest) and all(map(_is_number, third)):
            return True
    values = [value for other in rest for value in other[:2]]
    return bool(values) and len(row) >= 2 and not any(map(_is_number, row)) and all(v.isdecimal() for v in values)


def _named_by_comment(leading: Sequence[str], n_columns: int) -> tuple[int, int, int | None] | None:
    """Look for column names in the last comment line before the data."""
    names = leading[-1].lstrip("#% ").split() if leading else []
    return edge_columns(names) if len(names) == n_columns else None


def _numeric(rows: Sequence[Sequence[str]], column: int) -> bool:
    """Whether at least half of the rows have a number in a column."""
    values = [row[column] for row in rows if len(row) > column]
    return 2 * sum(map(_is_number, values)) >= max(len(values), 1)


def _usual_size(rows: Sequence[Sequence[str]]) -> tuple[int, float]:
    """Return the number of columns that most rows have, and their share."""
    first = len(rows[0])
    size, count = max(Counter(map(len, rows)).items(), key=lambda item: (item[1], item[0] == first, item[0] in (2, 3)))
    return size, count / len(rows)


def _plausibility(lines: Sequence[str], delimiter: str | None, leading: Sequence[str]) -> float:
    """Say how well a separator explains the lines: the share that it cuts into one sensible number of columns."""
    rows = _rows(lines, delimiter)
    size, share = _usual_size(rows)
    if size < 2:
        return 0.0
    header = _names(rows[0], rows[1:])
    body = [row for row in rows[header:] if len(row) == size]
    if any(not row[0] or not row[1] for row in body):
        return 0.01 * share
    if header or _named_by_comment(leading, size) is not None or size == 2 or (size == 3 and _numeric(body, 2)):
        return share
    if delimiter in ("\t", ";") and share == 1 and not any("," in value for row in body for value in row[:2]):
        return share  # a comma, if any, stands in what is said of the edge
    return 0.1 * share


def _choose_delimiter(lines: Sequence[str], leading: Sequence[str]) -> str | None:
    candidates = ("\t", ";", ",", "|", None)
    scores = [_plausibility(lines, delimiter, leading) for delimiter in candidates]
    best = candidates[scores.index(max(scores))] if max(scores) > 0 else None
    return None if best == "\t" and scores[-1] == max(scores) and _blank_before_weight(lines) else best


def _blank_before_weight(lines: Sequence[str]) -> bool:
    """Whether lines with one tab have a weight behind a blank, rather than ids with a blank in them.

    All white space cuts them into two ids and a number, and what stands before the number looks like an id: it is one
    in the first column too, or always has digits.
    """
    rows = _rows(lines, None)
    body = rows[_names(rows[0], rows[1:]) :]
    if any(len(row) != 3 for row in rows) or not all(_is_number(row[2]) for row in body):
        return False
    second = {row[1] for row in body}
    return not second.isdisjoint(row[0] for row in body) or all(re.search("[0-9]", name) for name in second)


def _konect(line: str) -> bool | None:
    """Return whether a comment is the first line of one of KONECT's directed or undirected graphs, None if neither."""
    words = line.lstrip("% ").lower().split()
    return _KONECT.get(words[0]) if line.startswith("%") and words else None


def _type_column(header: Sequence[str] | None, rows: Sequence[Sequence[str]]) -> int | None:
    """Return the column in which Gephi calls edges directed or undirected, None without one."""
    low = [name.lower() for name in header or ()]
    place = low.index("type") if "type" in low else len(low)
    kinds = {row[place].lower() for row in rows if len(row) > place}
    return place if place < len(low) and kinds and kinds <= {"directed", "undirected"} else None


def _direction(leading: Sequence[str]) -> bool | None:
    """Say whether the comments before the data call the graph directed or undirected, None where they do not."""
    for line in leading:
        words = re.findall(r"[a-z]+", line.lower())
        if "undirected" in words:
            return False
        if "directed" in words:
            return True
        if (konect := _konect(line)) is not None:
            return konect
    return None


def sniff(
    source: Source,
    data: bytes,
    *,
    delimiter: str | None = None,
    header: bool | None = None,
    weights: bool | None = None,
    comment: str | None = None,
    directed: bool | None = None,
) -> Dialect:
    """Settle the dialect of an edge list from its first lines; what is given is not guessed.

    Parameters
    ----------
    source : Source
        Takes the notes.
    data : bytes
        UTF-8 text.
    delimiter : str, optional
        One character, or "tab", "comma", "semicolon", "bar", "space" or "whitespace" (any run of it).
    header : bool, optional
        Whether the first line of data names the columns.
    weights : bool, optional
        Whether the third column, or the one named weight, holds weights.
    comment : str, optional
        Beginning of comment lines, "none" for none; "#" and "%" by default.
    directed : bool, optional

    Raises
    ------
    DataError
        No line holds data, or the columns of the ends cannot be told.
    UsageError
        A delimiter of several characters.
    """
    comments = ("#", "%") if comment is None else () if comment in ("", "none") else (comment,)
    leading, lines = _sample(data, comments)
    if not lines:
        if leading:
            raise source.error("every line is a comment (--comment none reads them as data)")
        raise source.error("the file is empty")
    chosen: str | None
    if delimiter is None:
        chosen = _choose_delimiter(lines, leading)
    else:
        chosen = _SPELT.get(delimiter, delimiter)
        chosen = None if chosen in ("whitespace", " ", "space") else chosen
        if chosen is not None and len(chosen) != 1:
            raise UsageError(
                f"a delimiter is one character, or {', '.join(_SPELT)}, space or whitespace; not {delimiter!r}"
            )
    rows = _rows(lines, chosen)
    if header and not rows[0]:
        raise source.error(_BAD_QUOTE, _line_of(data, lines[0]))
    by_comment = _named_by_comment(leading, len(rows[0])) is not None
    has_header = not by_comment and _names(rows[0], rows[1:]) if header is None else header
    names = tuple(rows[0]) if has_header else None
    body = rows[1:] if has_header else rows
    dicts, separator = _dict_delimiter(lines[has_header:])
    if dicts:
        chosen = separator if delimiter is None else chosen
        n_columns = 3
        columns: tuple[int, ...] = (0, 1) if weights is False else (0, 1, 2)
    else:
        n_columns = _usual_size([row for row in body if row] or rows)[0]
        if (
            names
            and len(names) == n_columns - 1
            and [row[:1] for row in body[:3]] == [["1"], ["2"], ["3"]][: len(body)]
        ):
            names = ("", *names)  # R's write.table leaves the row names without a name
        found = edge_columns(names) if names else _named_by_comment(leading, n_columns)
        if found is None and n_columns == 4 and leading and _konect(leading[0]) is not None:
            found = (0, 1, 2)  # the fourth is a time
        if names and found and max(i for i in found if i is not None) >= n_columns:
            raise source.error(f"the header names {len(names)} columns, most lines have {n_columns}")
        if names and found and len(names) < n_columns:
            told = f"the header names {len(names)} columns, most lines have {n_columns}: name all of them"
            raise source.error(told)
        if found is None and n_columns > 3:
            hint = "name the columns in a header line: source, target, weight"
            raise source.error(f"expected 2 or 3 columns, found {n_columns} ({hint})", _line_of(data, lines[0]))
        n_columns = max(n_columns, 2)
        columns = _choose_columns(source, names, body, n_columns, found, weights)
    if directed is None:
        directed = _direction(leading)
    kinds = None if dicts or directed is not None else _type_column(names, body)
    if kinds is not None:
        directed = any(row[kinds].lower() == "directed" for row in body if len(row) > kinds)
    headless = header is None and names is None and not (by_comment or dicts or any(map(_is_number, rows[0])))
    decimal = "," if len(columns) == 3 and not dicts and _decimal_commas(body, columns[2]) else "."
    return Dialect(chosen, n_columns, columns, names, comments, dicts, bool(directed), decimal, headless, kinds)


def _line_of(data: bytes, line: str) -> int:
    """Return the number of the first line that begins with one of the sample."""
    return data[: data.find(line.encode(errors="replace"))].count(b"\n") + 1


def _decimal_commas(rows: Sequence[Sequence[str]], column: int) -> bool:
    """Whether a number in a column has a decimal comma."""
    return any(_DECIMAL_COMMA.fullmatch(row[column]) for row in rows if len(row) > column)


def _choose_columns(
    source: Source,
    names: Sequence[str] | None,
    body: Sequence[Sequence[str]],
    n_columns: int,
    found: tuple[int, int, int | None] | None,
    weights: bool | None,
) -> tuple[int, ...]:
    """Return the positions of source, target and, if there are weights, weight."""
    first, second, weight = found or (0, 1, None)
    direction = _type_column(names, body)
    others = [i for i in range(n_columns) if i not in (first, second, direction)]
    if weight is None and others and (weights or (found is None and weights is None and _numeric(body, others[0]))):
        weight = others[0]
    if weights is False:
        weight = None
    elif weights and weight is None:
        raise source.error("there is no column of weights")
    ignored = [names[i] if names and i < len(names) and names[i] else f"column {i + 1}" for i in others if i != weight]
    if ignored and weights is None:
        insist = "" if weight is not None else " (--weights takes the first as weights)"
        message = _shorten(f"ignored {', '.join(ignored)}") + insist
        source.note("ignored-columns", message, names=ignored)
    return (first, second) if weight is None else (first, second, weight)


# ---------------------------------------------------------------- the line-by-line parser


def _dict_weight(source: Source, text: str, line: int) -> str:
    """Return the weight in a networkx attribute dict, 1 where it has none."""
    try:
        attributes = ast.literal_eval(text)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        attributes = None
    if not isinstance(attributes, dict):
        raise source.error(f"cannot read the attributes {shorten(text)}", line)
    return str(attributes.get("weight", 1))


@dataclass
class _Weights:
    """Reads the weights of a file, all with decimal points or all with decimal commas."""

    source: Source
    values: list[float] = field(default_factory=list)
    decimal: str = ""

    def add(self, text: str, line: int) -> None:
        if "," in text or "." in text:
            mark = "," if _DECIMAL_COMMA.fullmatch(text) else "."
            if self.decimal not in ("", mark) and _is_number(text):
                kinds = {".": "point", ",": "comma"}
                told = (
                    f"the edge weight {shorten(text)} has a decimal {kinds[mark]}, those before a {kinds[self.decimal]}"
                )
                raise self.source.error(told, line)
            self.decimal = mark
            text = text.replace(",", ".") if mark == "," else text
        self.values.append(parse_weight(self.source, text, line))


def _data_lines(text: str, dialect: Dialect, skipped: Counter[str]) -> Iterator[tuple[int, str]]:
    """Yield (line number, line) for the lines that hold edges."""
    header = None if dialect.header is None else list(dialect.header)
    split = _splitter(dialect.delimiter)
    due = header is not None
    recurs = header is not None and not all(map(_is_number, header))
    for number, line in enumerate(split_lines(text), 1):
        stripped = line.strip(_BLANK)
        if not stripped or stripped == "\x1a":  # DOS end of file
            continue
        if dialect.comments and stripped.startswith(dialect.comments):
            skipped["comment line"] += 1
            continue
        if due:
            due = False
            continue
        if header and recurs and stripped[0] == header[0][:1] and split(stripped) == header:
            skipped["repeated header line"] += 1
            continue
        yield number, stripped if dialect.delimiter != "\t" else line


def _parse_lines(source: Source, data: bytes, dialect: Dialect) -> _Edges:
    split = _splitter(dialect.delimiter)
    index: dict[str, int] = {}
    ends: list[int] = []
    weights = _Weights(source)
    is_arc: list[bool] = []
    skipped: Counter[str] = Counter()
    first, second = dialect.columns[:2]
    n_columns, weighted = dialect.n_columns, dialect.weighted
    expected = "2 or 3 columns" if n_columns in (2, 3) else f"{n_columns} columns"
    for number, line in _data_lines(data.decode(), dialect, skipped):
        try:
            fields = line.split(dialect.delimiter, 2) if dialect.dicts else split(line)
        except _QuoteError:
            raise source.error(_BAD_QUOTE, number) from None
        while len(fields) > n_columns and not fields[-1]:
            fields.pop()
        if len(fields) != n_columns:
            wanted = f"{n_columns} columns as in the lines before" if len(fields) in (2, 3) else expected
            hint = "" if ends or dialect.header else " (--header, if this line is a title or a count)"
            raise source.error(f"expected {wanted}, found {len(fields)}{hint}", number)
        if not fields[first] or not fields[second]:
            raise source.error("an empty node id", number)
        ends.append(index.setdefault(fields[first], len(index)))
        ends.append(index.setdefault(fields[second], len(index)))
        if weighted:
            value = fields[dialect.columns[2]]
            weights.add(_dict_weight(source, value, number) if dialect.dicts else value, number)
        if dialect.type_column is not None:
            kind = fields[dialect.type_column].lower()
            if kind not in ("directed", "undirected"):
                told = f"the type of an edge is Directed or Undirected, not {shorten(fields[dialect.type_column])}"
                raise source.error(f"{told} (--directed and --undirected overrule the column)", number)
            is_arc.append(kind == "directed")
    ids, position = _sort_ids(list(index))
    pairs = position[np.array(ends, dtype=np.int64)].reshape(-1, 2)
    weight = np.array(weights.values) if weighted else None
    arcs = None if dialect.type_column is None else np.array(is_arc, dtype=bool)
    return _Edges(ids, pairs[:, 0], pairs[:, 1], weight, skipped, weights.decimal or ".", arcs)


def _sort_ids(ids: list[str]) -> tuple[Sequence[Hashable], IntArray]:
    """Put ids into canonical order; return them, and the new position of each old one."""
    order = Graph(ids, *(np.empty(0, dtype=np.int64),) * 2, None, directed=False).canonical_order()
    position = np.arange(len(ids))
    if order is None:
        return ids, position
    position[order] = np.arange(len(ids))
    return [ids[i] for i in order.tolist()], position


# ---------------------------------------------------------------- the fast parser


def _first_line(data: bytes, dialect: Dialect, skipped: Counter[str]) -> int:
    """Return where the first edge begins: behind the comments, the header and the blank lines at the top."""
    marks = tuple(comment.encode() for comment in dialect.comments)
    start, due = 0, dialect.header is not None
    while start < len(data):
        comment = bool(marks) and data.startswith(marks, start)
        if not (comment or due or data[start] in b"\r\n"):
            break
        if comment:
            skipped["comment line"] += 1
        due = due and (comment or data[start] in b"\r\n")
        start = data.find(b"\n", start) + 1 or len(data)
    return start


def _without_lines(data: bytes, mark: bytes, skipped: Counter[str]) -> bytes:
    """Leave out the lines, but the first, that begin with a mark."""
    kept: list[bytes] = []
    start, found = 0, data.find(b"\n" + mark)
    while found >= 0:
        kept.append(data[start : found + 1])
        skipped["comment line"] += 1
        start = data.find(b"\n", found + 1) + 1 or len(data)
        found = data.find(b"\n" + mark, max(start - 1, 0))
    return b"".join((*kept, data[start:])) if kept else data


def _digits(values: IntArray) -> int:
    """Count the decimal digits of all non-negative integers of an array together."""
    total, power = len(values), 10
    top = int(values.max()) if len(values) else 0
    while power <= top:
        total += int(np.count_nonzero(values >= power))
        power *= 10
    return total


def _parse_arrow(data: bytes, dialect: Dialect) -> _Edges | None:
    """Parse a well-formed file; None where the line-by-line parser has to look."""
    delimiter = dialect.delimiter
    if delimiter is None:
        tabs, spaces = b"\t" in data[:_SAMPLE_BYTES], b" " in data[:_SAMPLE_BYTES]
        if tabs == spaces or dialect.dicts or b'"' in data:
            return None
        delimiter = "\t" if tabs else " "
    if b"\r" in data and data.count(b"\r") != data.count(b"\r\n"):
        return None
    if not delimiter.isascii() or b"\x1a" in data[-2:]:
        return None
    skipped: Counter[str] = Counter()
    start = _first_line(data, dialect, skipped)
    for mark in (comment.encode() for comment in dialect.comments):
        if data.find(mark[:1], start) >= 0:  # a search for one byte takes no time, one for two ten times as long
            data, start = _without_lines(data[start:], mark, skipped), 0
    if start == len(data):
        return None
    edges = None
    if not dialect.weighted and dialect.n_columns == 2:
        edges = _parse_integers(data, start, delimiter)
    if edges is None:
        edges = _parse_strings(data, start, delimiter, dialect)
    if edges is not None:
        edges.skipped = skipped
    return edges


def _read_csv(
    data: bytes,
    start: int,
    delimiter: str,
    names: list[str],
    types: Mapping[str, Any],
    *,
    quoted: bool,
    decimal: str = ".",
) -> Any:
    """Run Arrow's parser; None where it refuses."""
    import pyarrow as pa
    import pyarrow.csv as pc

    try:
        return pc.read_csv(
            pa.BufferReader(
                pa.py_buffer(data).slice(start)
            ),  # no copy: the text of a large graph is larger than the graph
            read_options=pc.ReadOptions(column_names=names, block_size=1 << 22),
            parse_options=pc.ParseOptions(delimiter=delimiter, quote_char='"' if quoted else False),
            convert_options=pc.ConvertOptions(
                column_types=types, null_values=[], include_columns=list(types), decimal_point=decimal
            ),
        )
    except (pa.ArrowException, ValueError):
        return None


def _to_numpy(column: Any) -> Any:
    """Return a column without nulls as an array; Arrow's own to_numpy would import pandas, 0.3 s."""
    return np.from_dlpack(column.combine_chunks() if hasattr(column, "chunks") else column)


def _parse_integers(data: bytes, start: int, delimiter: str) -> _Edges | None:
    """Parse two columns of plain decimal integers.

    Arrow would also take 007 for 7. That each id is spelt the one way that counts is proved by arithmetic: the digits
    of all values, the separators and the line ends must add up to the length of the text.
    """
    import pyarrow as pa

    if not data[start : start + 1].isdigit():
        return None
    for kind in (pa.int32(), pa.int64()):
        table = _read_csv(data, start, delimiter, ["s", "t"], {"s": kind, "t": kind}, quoted=False)
        if table is not None:
            break
    if table is None or not len(table):
        return None
    source, target = (_to_numpy(table[name]) for name in ("s", "t"))
    del table
    top = int(max(source.max(), target.max()))
    if min(source.min(), target.min()) < 0 or top >= 10**MAX_DECIMAL:
        return None
    line_end = 2 if data.find(b"\r\n", start, start + _SAMPLE_BYTES) >= 0 else 1
    endings = len(source) * line_end - (0 if data.endswith(b"\n") else line_end)
    if len(data) - start != _digits(source) + _digits(target) + len(source) + endings:
        return None
    if top < 8 * len(source) + 1024:
        seen = np.zeros(top + 1, dtype=bool)
        seen[source] = True
        seen[target] = True
        values = np.flatnonzero(seen)
        position = np.cumsum(seen, dtype=np.int64) - 1
        source, target = position[source], position[target]
    else:
        values, inverse = np.unique(np.concatenate((source, target)), return_inverse=True)
        source, target = inverse[: len(source)], inverse[len(source) :]
    return _Edges(DecimalIds(values), source, target, None)


def _parse_strings(data: bytes, start: int, delimiter: str, dialect: Dialect) -> _Edges | None:
    import pyarrow as pa
    import pyarrow.compute as pc

    names = [f"c{i}" for i in range(dialect.n_columns)]
    types: dict[str, Any] = {names[i]: pa.string() for i in dialect.columns[:2]}
    if dialect.weighted:
        types[names[dialect.columns[2]]] = pa.float64()
    if dialect.type_column is not None:
        types[names[dialect.type_column]] = pa.string()
    quoted = data.find(b'"', start) >= 0
    if quoted and not _quotes_are_plain(data[start:], delimiter.encode()):
        return None
    table = _read_csv(data, start, delimiter, names, types, quoted=quoted, decimal=dialect.decimal)
    if table is None or not len(table):
        return None
    weight = None
    if dialect.weighted:
        weight = _to_numpy(table[names[dialect.columns[2]]])
        if not (np.isfinite(weight).all() and (weight >= 0).all()):
            return None
    is_arc = None
    if dialect.type_column is not None:
        kinds = pc.utf8_lower(pc.utf8_trim(table[names[dialect.type_column]], _BLANK))
        if not pc.all(pc.is_in(kinds, pa.array(["directed", "undirected"]))).as_py():
            return None
        is_arc = _to_numpy(pc.equal(kinds, "directed").cast(pa.int8())).astype(bool)
    first, second = (table[names[i]] for i in dialect.columns[:2])
    header = dialect.header
    if (
        header is not None
        and len(header) == dialect.n_columns
        and pc.any(
            pc.and_(pc.equal(first, header[dialect.columns[0]]), pc.equal(second, header[dialect.columns[1]]))
        ).as_py()
    ):
        return None
    both = pa.chunked_array([*first.chunks, *second.chunks], type=pa.string()).combine_chunks()
    encoded = both.dictionary_encode()
    ids = encoded.dictionary
    odd = r'^$|^[\s\v]|[\s\v]$|["\n\r]' if dialect.delimiter is not None else r"^$|[\s\v]"
    if pc.any(pc.match_substring_regex(ids, odd)).as_py():
        return None
    codes = _to_numpy(encoded.indices).astype(np.int64)
    order, values = _canonical_strings(ids)
    position = np.empty(len(ids), dtype=np.int64)
    position[order] = np.arange(len(ids))
    codes = position[codes]
    return _Edges(values, codes[: len(first)], codes[len(first) :], weight, decimal=dialect.decimal, is_arc=is_arc)


def _quotes_are_plain(body: bytes, delimiter: bytes) -> bool:
    """Whether all quotes stand around whole fields, as far as counting tells; a lone one shows up in an id later."""
    end = b"\r\n" if b"\r" in body else b"\n"
    opening = body.count(delimiter + b'"') + body.count(b'\n"') + body.startswith(b'"')
    closing = body.count(b'"' + delimiter) + body.count(b'"' + end) + body.endswith(b'"')
    return opening == closing and opening + closing == body.count(b'"')


def _canonical_strings(ids: Any) -> tuple[IntArray, Sequence[Hashable]]:
    """Return the canonical order of an Arrow array of distinct strings, and the strings in it."""
    import pyarrow as pa
    import pyarrow.compute as pc

    decimal = pc.match_substring_regex(ids, rf"^(0|-?[1-9][0-9]{{0,{MAX_DECIMAL - 1}}})$")
    if pc.all(decimal).as_py():
        numbers = _to_numpy(ids.cast(pa.int64()))
        order = np.argsort(numbers)
        return order, DecimalIds(numbers[order])
    if not pc.any(decimal).as_py():
        order = _to_numpy(pc.array_sort_indices(ids)).astype(np.int64)
        return order, ids.take(pa.array(order)).to_pylist()
    strings = ids.to_pylist()
    sorted_ids, position = _sort_ids(strings)
    return np.argsort(position), sorted_ids


# ---------------------------------------------------------------- reading and writing


def _description(dialect: Dialect) -> Note:
    """Return the note that says how the lines were understood; a detail where nothing had to be guessed."""
    header = f"a header ({', '.join(dialect.header)})" if dialect.header else "no header"
    weight = "no weights"
    if dialect.weighted:
        weight = "weights in the attributes" if dialect.dicts else f"weights in column {dialect.columns[2] + 1}"
    direction = "directed" if dialect.directed else "undirected"
    separator = _DELIMITERS.get(dialect.delimiter, repr(dialect.delimiter))
    message = f"edge list separated by {separator}, {_shorten(header)}, {weight}, {direction}"
    data = {
        "delimiter": dialect.delimiter,
        "header": dialect.header,
        "weighted": dialect.weighted,
        "directed": dialect.directed,
    }
    is_plain = dialect.n_columns == 2 and not dialect.header and not dialect.directed
    return Note("dialect", message, data, is_detail=is_plain)


def _shorten(text: str, width: int = 80) -> str:
    return text if len(text) <= width else text[: width - 3] + "..."


def _maybe_header(edges: _Edges) -> tuple[Any, Any] | None:
    """Return the ends of the first of several edges, if they differ and no other edge has one of them."""
    first, second = int(edges.source[0]), int(edges.target[0])
    if first == second or len(edges.source) < 4:
        return None
    ends = sum(int(np.count_nonzero(end == node)) for end in (edges.source, edges.target) for node in (first, second))
    return (edges.ids[first], edges.ids[second]) if ends == 2 else None


def read(
    source: Source,
    *,
    delimiter: str | None = None,
    header: bool | None = None,
    weights: bool | None = None,
    comment: str | None = None,
    directed: bool | None = None,
) -> Graph:
    """Read an edge list. Ids are strings; nodes come in canonical order; parallel edges add up.

    Parameters
    ----------
    source : Source
    delimiter, header, weights, comment, directed
        See `sniff`.

    Returns
    -------
    Graph

    Raises
    ------
    DataError
        With the line: a wrong number of columns, an empty id, a weight that is no finite non-negative number.
    """
    data = source.utf8()
    dialect = sniff(
        source, data, delimiter=delimiter, header=header, weights=weights, comment=comment, directed=directed
    )
    edges = _parse_arrow(data, dialect) if len(data) > _SMALL else None
    if edges is None:
        edges = _parse_lines(source, data, dialect)
    if edges.is_arc is not None:
        dialect = replace(dialect, directed=bool(edges.is_arc.any()))
    source.add(_description(dialect))
    del data
    source.data = b""  # parsed: the graph is about to be built, and need not share the memory with its text
    if not len(edges.source):
        raise source.error("there is no edge in the file")
    for what, count in edges.skipped.items():
        insist = " (--comment none reads them)" if what == "comment line" else ""
        source.note(
            "skipped-lines", f"skipped {counted(count, what)}{insist}", is_detail=True, what=what, n_lines=count
        )
    if edges.decimal == ",":
        source.note("decimal-commas", "the weights have decimal commas: read 1,500 as 1.5")
    if dialect.headless and (names := _maybe_header(edges)):
        line = _shorten(f"the first line ({names[0]}, {names[1]}) may be a header")
        source.note(
            "possible-header",
            f"{line}: its names appear in no other line (--header reads it as a header, --no-header as an edge)",
            names=names,
        )
    if (
        edges.weight is not None
        and len(edges.weight) > 1
        and bool(((edges.weight > 1e8) & (edges.weight < 4e9) & (edges.weight % 1 == 0)).all())
    ):
        source.note(
            "weights-look-like-times", "the weights look like times in seconds since 1970 (--no-weights ignores them)"
        )
    ends_and_weight = (edges.source, edges.target, edges.weight)
    if dialect.directed and edges.is_arc is not None and not edges.is_arc.all():
        source.add(MIXED)
        ends_and_weight = both_directions(*ends_and_weight, edges.is_arc)
    with naming(source):
        return Graph.from_edges(
            *ends_and_weight,
            nodes=edges.ids,
            directed=dialect.directed,
            is_canonical=True,
            copy=False,
        )


def edge_ids(graph: Graph) -> list[str]:
    """Spell the node ids, for a file with an edge a line.

    Raises
    ------
    DataError
        An id is empty or has a line break; two are spelt alike.
    """
    texts = id_texts(graph)
    for text in texts:
        if not text:
            raise DataError("an edge list cannot hold an empty id")
        if "\n" in text or "\r" in text:
            raise DataError(f"an edge list cannot hold the id {shorten(text)}: it has a line break")
    return texts


def edge_weights(graph: Graph) -> list[str]:
    """Spell the weights so that reading them gives the same ones: in full, whole numbers without a point."""
    return [repr(weight).removesuffix(".0") for weight in graph.edge_weight.tolist()]


def quote(text: str, special: str) -> str:
    """Put an id into quotes if it holds a special character, or would be read as another id or as a comment without."""
    if text[0] in '#%"' or text != text.strip() or any(sign in text for sign in special):
        return '"' + text.replace('"', '""') + '"'
    return text


def write(graph: Graph, stream: BinaryIO, attributes: Mapping[str, Sequence[Any]] | None = None) -> None:
    """Write a tab-separated edge list with a comment line that names the columns.

    Isolated nodes have no place in an edge list: they are lost, which `write_graph` says.

    Raises
    ------
    UsageError
        Node attributes are asked for.
    DataError
        An id is empty or has a line break, or two are spelt alike.
    """
    if attributes:
        raise UsageError("an edge list has no place for attributes of nodes")
    kind = "Directed" if graph.directed else "Undirected"
    columns = "source\ttarget" + ("\tweight" if graph.is_weighted else "")
    out = io.StringIO()
    out.write(f"# {kind} graph: {graph.num_nodes} nodes, {graph.num_edges} edges\n# {columns}\n")
    names = [quote(text, "\t") for text in edge_ids(graph)]
    source, target = ([names[i] for i in end.tolist()] for end in (graph.source, graph.target))
    if graph.weight is None:
        out.writelines(f"{u}\t{v}\n" for u, v in zip(source, target, strict=True))
    else:
        out.writelines(f"{u}\t{v}\t{w}\n" for u, v, w in zip(source, target, edge_weights(graph), strict=True))
    stream.write(encode(out.getvalue()))
