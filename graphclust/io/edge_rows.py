"""The parser of edge lists that understands everything: it reads row by row, and its errors name the line."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from graphclust.graph import Graph
from graphclust.graph.column_names import has_known_pair
from graphclust.graph.columns import DECIMAL_COMMA, looks_numeric, plain_number
from graphclust.io.edge_layout import EdgeLayout
from graphclust.io.reading import parse_attributes, parse_weight, unweighted
from graphclust.io.source import Source, shorten, split_lines
from graphclust.io.tables import SAMPLE_BYTES, Sample, read_rows
from graphclust.runtime.arrays import FloatArray, IntArray

__all__ = ["ParsedEdges", "parse_rows", "sort_ids"]


@dataclass
class ParsedEdges:
    """The edges of a file.

    Attributes
    ----------
    ids : sequence
        Distinct ids of the nodes in canonical order.
    source, target : ndarray of int, shape (n_edges,)
        Positions of the ends in `ids`.
    weight : ndarray of float64, shape (n_edges,), or None
    skipped : Counter
        Number of skipped lines by what they are.
    decimal : str
        Decimal mark of the weights.
    is_arc : ndarray of bool, shape (n_edges,), or None
        Which edges are directed, if a column says so.
    """

    ids: Sequence[Hashable]
    source: IntArray
    target: IntArray
    weight: FloatArray | None
    skipped: Counter[str] = field(default_factory=Counter)
    decimal: str = "."
    is_arc: NDArray[np.bool_] | None = None


@dataclass
class _Weights:
    """Reads the weights of a file: all with decimal points or all with decimal commas."""

    source: Source
    thousands: str
    values: list[float] = field(default_factory=list)
    decimal: str = ""

    def add(self, text: str, line: int) -> None:
        if self.thousands and self.thousands in text:
            plain = plain_number(text, "." if self.thousands == "," else ",", self.thousands)
            self.values.append(parse_weight(self.source, plain, line))
            return
        if "," in text or "." in text:
            mark = "," if DECIMAL_COMMA.fullmatch(text) else "."
            if self.decimal not in ("", mark) and looks_numeric(text):
                names = {".": "point", ",": "comma"}
                message = f"the edge weight {shorten(text)} has a decimal {names[mark]}, those before a"
                raise self.source.error(f"{message} {names[self.decimal]}", line)
            self.decimal = mark
            text = text.replace(",", ".") if mark == "," else text
        self.values.append(parse_weight(self.source, text, line))


def parse_rows(source: Source, data: bytes, layout: EdgeLayout) -> ParsedEdges:
    """Parse an edge list row by row.

    Raises
    ------
    DataError
        A row has a wrong number of columns, no id, a weight that is not a finite number or is negative, a type
        that is neither Directed nor Undirected, or a quotation mark that is not closed; names the line.
    """
    dialect = layout.dialect
    index: dict[str, int] = {}
    ends: list[int] = []
    weights = _Weights(source, dialect.thousands)
    is_arc: list[bool] = []
    n_missing, n_alone = 0, 0
    skipped: Counter[str] = Counter()
    first, second = layout.columns[:2]
    n_columns, is_weighted, has_dicts = dialect.n_columns, layout.is_weighted, layout.has_dicts
    for line, fields in read_rows(source, data.decode(), dialect, skipped):
        while len(fields) > n_columns and not fields[-1]:
            fields.pop()
        if len(fields) != n_columns:
            raise source.error(_wrong_size(len(fields), n_columns) + _hint(source, layout, data, bool(ends)), line)
        if not fields[first] or not fields[second]:
            alone = fields[first] or fields[second]
            if not alone or layout.kinds is not None:
                raise source.error("the node id is empty", line)
            index.setdefault(alone, len(index))
            n_alone += 1
            continue
        ends.append(index.setdefault(fields[first], len(index)))
        ends.append(index.setdefault(fields[second], len(index)))
        if is_weighted:
            text = fields[layout.columns[2]]
            text = _dict_weight(source, text, line) if has_dicts else text
            n_missing += has_dicts and not text
            weights.add("1" if has_dicts and not text else text, line)
        if layout.type_column is not None:
            is_arc.append(_is_directed(source, fields[layout.type_column], line))
    if n_alone:
        verb = "row names" if n_alone == 1 else "rows name"
        source.note("nodes-alone", f"{n_alone:,} {verb} a single node: no edge there", n_rows=n_alone)
    if has_dicts and n_missing == len(ends) // 2:
        unweighted(source, n_missing)
    ids, position = sort_ids(list(index))
    pairs = position[np.array(ends, dtype=np.int64)].reshape(-1, 2)
    weight = np.array(weights.values) if is_weighted else None
    arcs = None if layout.type_column is None else np.array(is_arc, dtype=bool)
    return ParsedEdges(ids, pairs[:, 0], pairs[:, 1], weight, skipped, weights.decimal or ".", arcs)


def _wrong_size(size: int, n_columns: int) -> str:
    """Return the message about a row with a wrong number of columns."""
    if size in (2, 3):
        return f"expected {n_columns} columns as in the lines before, found {size}"
    expected = "2 or 3" if n_columns in (2, 3) else n_columns
    return f"expected {expected} columns, found {size}"


def _hint(source: Source, layout: EdgeLayout, data: bytes, has_edges: bool) -> str:
    """Return what to do about a row with a wrong number of columns, as far as the first rows show it."""
    dialect = layout.dialect
    lines = [line for line in split_lines(data[:SAMPLE_BYTES].decode(errors="replace"))[:200] if line.strip()]
    lines = [line for line in lines if not line.lstrip().startswith(dialect.comments or "\n")]
    rows = [row for row in Sample((), lines, 1).rows(dialect.separator) if row] if lines else []
    others = [row for row in rows[1:] if len(row) != dialect.n_columns]
    heads = [row[0] for row in rows if row]
    if not has_edges and dialect.header is None and len(rows) > 1 and not others:
        ids = {value for row in rows[2:] for value in row}
        if has_known_pair(rows[1]) and ids.isdisjoint(rows[1]):
            return " (the header is below it: remove the lines above the header)"
        return " (--header skips this line, if it is a title)"
    if rows and all(len(row) == 1 for row in rows):
        mark = _joining_mark(heads)
        return "" if mark is None else f" (--delimiter '{mark}', if {mark} stands between the ends)"
    n_others = sum(len(row) != dialect.n_columns for row in rows)
    if len(rows) > 2 and 4 * n_others >= len(rows) and len(set(heads)) == len(heads):
        return "; if each line has a node and its neighbours: --input-format adjlist"
    return ""


def _joining_mark(words: Sequence[str]) -> str | None:
    """Return the punctuation that divides every word into two, such as the hyphen of ann-bob; None without one."""
    marks = re.findall(r"[^\w\s\"'.]+", words[0])
    return next((mark for mark in marks if all(all(word.partition(mark)) for word in words)), None)


def _dict_weight(source: Source, text: str, line: int) -> str:
    """Return the weight in a dict of attributes that networkx wrote, "" without one."""
    return str(parse_attributes(source, text, line).get(source.options.weight or "weight", ""))


def _is_directed(source: Source, text: str, line: int) -> bool:
    """Read the type of an edge as Gephi writes it."""
    kind = text.lower()
    if kind not in ("directed", "undirected"):
        message = f"the type of an edge must be Directed or Undirected, not {shorten(text)}"
        raise source.error(f"{message} (--directed or --undirected ignores the column)", line)
    return kind == "directed"


def sort_ids(ids: list[str]) -> tuple[Sequence[Hashable], IntArray]:
    """Put ids into canonical order; return the sorted ids and the new position of each id."""
    order = Graph(ids, *(np.empty(0, dtype=np.int64),) * 2, None, directed=False).canonical_order()
    position = np.arange(len(ids))
    if order is None:
        return ids, position
    position[order] = np.arange(len(ids))
    return [ids[i] for i in order.tolist()], position
