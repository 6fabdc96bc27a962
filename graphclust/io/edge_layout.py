"""The layout of an edge list: its dialect, and which columns hold the ends, weights and directions of the edges."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from graphclust.graph.columns import edge_columns
from graphclust.io.source import Source
from graphclust.io.tables import (
    Dialect,
    Expectation,
    Sample,
    has_decimal_commas,
    has_row_numbers,
    looks_numeric,
    parse_separator,
    sniff,
    usual_size,
)

__all__ = ["EdgeLayout", "shorten_line", "sniff_edges"]

_KONECT = {"sym": False, "asym": True, "bip": False}  # the first line of KONECT's files: % sym unweighted


@dataclass(frozen=True)
class EdgeLayout:
    """How the rows of a table are read as edges.

    Attributes
    ----------
    dialect : Dialect
        Every row must have `dialect.n_columns` columns.
    columns : tuple of int
        Positions of source, target and, if edges are weighted, weight.
    has_dicts : bool
        Whether the third column is a Python dict of attributes, as `networkx.write_edgelist` writes it.
    directed : bool
    may_have_header : bool
        Whether the first row was taken as an edge but may be a header: it holds no number.
    type_column : int or None
        Position of Gephi's column Type, if it says which edges are directed.
    """

    dialect: Dialect
    columns: tuple[int, ...]
    has_dicts: bool
    directed: bool
    may_have_header: bool = False
    type_column: int | None = None

    @property
    def is_weighted(self) -> bool:
        """Whether a column holds weights."""
        return len(self.columns) == 3


class _EdgeExpectation(Expectation):
    """Two ids and perhaps a weight, or any columns below a header that names the ends of the edges."""

    def is_header(self, first: Sequence[str], rest: Iterable[list[str]], comments: Sequence[str]) -> bool:
        return _columns_in_comment(comments, len(first)) is None and _names_columns(first, list(rest))

    def plausibility(self, sample: Sample, separator: str | None) -> float:
        rows = sample.rows(separator)
        size, share = usual_size(rows)
        if size < 2:
            return 0.0
        if separator == "\t" and size == 2 and _blank_before_weight(sample.rows(None)):
            return 0.0
        has_header = _names_columns(rows[0], rows[1:])
        body = [row for row in rows[has_header:] if len(row) == size]
        if any(not row[0] or not row[1] for row in body if row is not rows[0]):  # a header may leave names out
            return 0.01 * share
        has_names = has_header or _columns_in_comment(sample.comments, size) is not None
        if has_names or size == 2 or (size == 3 and _is_mostly_numeric(body, 2)):
            return share
        if separator in ("\t", ";") and share == 1 and not any("," in value for row in body for value in row[:2]):
            return share  # commas, if any, belong to the text of further columns
        return 0.1 * share


def sniff_edges(
    source: Source,
    data: bytes,
    *,
    delimiter: str | None = None,
    header: bool | None = None,
    weights: bool | None = None,
    comment: str | None = None,
    directed: bool | None = None,
) -> EdgeLayout:
    """Settle the layout of an edge list from its first lines; arguments that are not None override the guess.

    Parameters
    ----------
    source : Source
        Takes the notes.
    data : bytes
        UTF-8 text.
    delimiter : str, optional
        One character, or "tab", "comma", "semicolon", "bar", "space" or "whitespace" (any run of it).
    header : bool, optional
        Whether the first row names the columns.
    weights : bool, optional
        Whether the third column, or the column named weight, holds weights.
    comment : str, optional
        Prefix of comment lines, "none" for none; "#" and "%" by default.
    directed : bool, optional

    Raises
    ------
    DataError
        No line holds data, or it is unclear which columns hold the ends of the edges.
    UsageError
        A delimiter of several characters.
    """
    expected = _expectation(delimiter, header, comment)
    sample = Sample.of(data, expected)
    if not sample.lines:
        if sample.comments:
            raise source.error("every line is a comment (--comment none reads them as data)")
        raise source.error("the file is empty")
    dialect = sniff(sample, expected)
    if dialect.header == ():
        raise source.error("a quotation mark is not closed or does not enclose the whole field", sample.first_line)
    rows = sample.rows(dialect.separator)
    body = rows[dialect.header is not None :]
    dialect = _name_bare_row_names(dialect, body)
    columns: tuple[int, ...]
    has_dicts, separator = _attribute_dicts(sample.lines[dialect.header is not None :])
    if has_dicts:
        separator = separator if delimiter is None else dialect.separator
        dialect = replace(dialect, separator=separator, n_columns=3, last_takes_rest=True)
        columns = (0, 1) if weights is False else (0, 1, 2)
    else:
        named = _named_columns(source, dialect, sample)
        dialect = replace(dialect, n_columns=max(dialect.n_columns, 2))
        columns = _choose_columns(source, dialect, body, named, weights)
    if directed is None:
        directed = _direction(sample.comments)
    type_column = None if has_dicts or directed is not None else _type_column(dialect.header, body)
    if type_column is not None:
        directed = any(row[type_column].lower() == "directed" for row in body if len(row) > type_column)
    if len(columns) == 3 and not has_dicts and has_decimal_commas(body, columns[2]):
        dialect = replace(dialect, decimal=",")
    may_have_header = header is None and dialect.header is None and not has_dicts
    may_have_header = may_have_header and _columns_in_comment(sample.comments, len(rows[0])) is None
    may_have_header = may_have_header and not any(map(looks_numeric, rows[0]))
    return EdgeLayout(dialect, columns, has_dicts, bool(directed), may_have_header, type_column)


def _expectation(delimiter: str | None, header: bool | None, comment: str | None) -> Expectation:
    prefixes = ("#", "%") if comment is None else () if comment in ("", "none") else (comment,)
    separators = Expectation.separators if delimiter is None else (parse_separator(delimiter),)
    return _EdgeExpectation(separators, header, prefixes, prefixes, repeats_header=True)


# ---------------------------------------------------------------- separator


def _blank_before_weight(rows: Sequence[Sequence[str]]) -> bool:
    """Return whether lines with one tab have a weight behind a blank, rather than ids with a blank in them.

    White space splits them into two ids and a number. The text before the number looks like an id: it occurs in the
    first column too, or it always has digits.
    """
    body = rows[_names_columns(rows[0], rows[1:]) :]
    if any(len(row) != 3 for row in rows) or not all(looks_numeric(row[2]) for row in body):
        return False
    targets = {row[1] for row in body}
    return not targets.isdisjoint(row[0] for row in body) or all(re.search("[0-9]", name) for name in targets)


def _attribute_dicts(lines: Sequence[str]) -> tuple[bool, str | None]:
    """Return whether every line ends with a dict of attributes, as networkx writes it, and the separator before it."""
    if all(line.endswith("}") for line in lines):
        for separator in (None, "\t", ",", ";", "|"):
            tails = [line.split(separator, 2)[2:] for line in lines]
            if all(tail and tail[0].strip().startswith("{") for tail in tails):
                return True, separator
    return False, None


# ---------------------------------------------------------------- columns


def _names_columns(first: Sequence[str], rest: Sequence[Sequence[str]]) -> bool:
    """Return whether the first row names the columns of the rest."""
    named = edge_columns(first)
    if named is not None:  # a word that is an id below is an id in the first row too; but the header may be repeated
        ends = named[:2]
        known = {row[i] for row in rest if row != first for i in ends if i < len(row)}
        return not any(first[i] in known for i in ends)
    third = [row[2] for row in rest if len(row) == 3] if len(first) == 3 and not first[2].endswith("}") else []
    has_weights = len(rest) > 1 and len(third) == len(rest) and all(map(looks_numeric, third))
    ids = [value for row in rest for value in row[:2]]
    has_numbers = bool(ids) and len(first) >= 2 and all(value.isdecimal() for value in ids)
    return (has_weights or has_numbers) and not any(map(looks_numeric, first))  # in this order: a line may be long


def _columns_in_comment(comments: Sequence[str], n_columns: int) -> tuple[int, int, int | None] | None:
    """Return the columns that the last comment above the table names, None if it does not name them."""
    names = comments[-1].lstrip("#% ").split() if comments else []
    return edge_columns(names) if len(names) == n_columns else None


def _named_columns(source: Source, dialect: Dialect, sample: Sample) -> tuple[int, int, int | None] | None:
    """Return the columns of source, target and weight that the header or a comment names.

    Raises
    ------
    DataError
        The header has too few names, or there are more than three columns and nothing names the ends of the edges.
    """
    header, n_columns = dialect.header, dialect.n_columns
    named = edge_columns(header) if header else _columns_in_comment(sample.comments, n_columns)
    if named is None and n_columns == 4 and sample.comments and _konect(sample.comments[0]) is not None:
        named = (0, 1, 2)  # the fourth column is a time
    if header and named:
        message = f"the header names {len(header)} columns, but most lines have {n_columns}"
        if max(i for i in named if i is not None) >= n_columns:
            raise source.error(message)
        if len(header) < n_columns:
            raise source.error(f"{message}: name all of them")
    if named is None and n_columns - _has_index(dialect) > 3:
        hint = "name the columns in a header line: source, target, weight"
        raise source.error(f"expected 2 or 3 columns, found {n_columns} ({hint})", sample.first_line)
    return named


def _name_bare_row_names(dialect: Dialect, body: Sequence[Sequence[str]]) -> Dialect:
    """Complete a header that names the ends of the edges but not a first column of row numbers.

    If the last column holds numbers, they may be weights without a name: the header is left as it is, and refused.
    """
    header, n_columns = dialect.header, dialect.n_columns
    if not header or len(header) != n_columns - 1 or edge_columns(header) is None:
        return dialect
    is_complete = _is_mostly_numeric(body, n_columns - 1) or not has_row_numbers(body)
    return dialect if is_complete else replace(dialect, header=("", *header))


def _has_index(dialect: Dialect) -> bool:
    """Return whether the first of three or more columns holds row names: it has no name in the header."""
    return dialect.header is not None and dialect.n_columns >= 3 and dialect.header[:1] == ("",)


def _choose_columns(
    source: Source,
    dialect: Dialect,
    body: Sequence[Sequence[str]],
    named: tuple[int, int, int | None] | None,
    weights: bool | None,
) -> tuple[int, ...]:
    """Return the positions of source, target and, if there are weights, weight; note which columns are ignored."""
    names = dialect.header or ()
    start = int(named is None and _has_index(dialect))
    first, second, weight = named or (start, start + 1, None)
    direction = _type_column(names, body)
    others = [i for i in range(start, dialect.n_columns) if i not in (first, second, direction)]
    guesses_weights = named is None and weights is None
    if weight is None and others and (weights or (guesses_weights and _is_mostly_numeric(body, others[0]))):
        weight = others[0]
    if weights is False:
        weight = None
    elif weights and weight is None:
        raise source.error("there is no column of weights")
    ignored = [names[i] if i < len(names) and names[i] else f"column {i + 1}" for i in others if i != weight]
    if ignored and weights is None:
        hint = "" if weight is not None else " (--weights reads the first of them as weights)"
        source.note("ignored-columns", shorten_line(f"ignored {', '.join(ignored)}") + hint, names=ignored)
    return (first, second) if weight is None else (first, second, weight)


def _is_mostly_numeric(rows: Sequence[Sequence[str]], column: int) -> bool:
    """Return whether at least half of the rows have a number in a column."""
    values = [row[column] for row in rows if len(row) > column]
    return 2 * sum(map(looks_numeric, values)) >= max(len(values), 1)


def shorten_line(text: str, width: int = 80) -> str:
    """Cut a text to a width."""
    return text if len(text) <= width else text[: width - 3] + "..."


# ---------------------------------------------------------------- direction


def _konect(line: str) -> bool | None:
    """Return the direction that the first line of a KONECT file gives, None for any other line."""
    words = line.lstrip("% ").lower().split()
    return _KONECT.get(words[0]) if line.startswith("%") and words else None


def _direction(comments: Sequence[str]) -> bool | None:
    """Return whether the comments above the table call the graph directed or undirected, None if they do not."""
    for line in comments:
        words = re.findall(r"[a-z]+", line.lower())
        if "undirected" in words:
            return False
        if "directed" in words:
            return True
        if (konect := _konect(line)) is not None:
            return konect
    return None


def _type_column(header: Sequence[str] | None, rows: Sequence[Sequence[str]]) -> int | None:
    """Return the column in which Gephi calls edges directed or undirected, None without one."""
    low = [name.lower() for name in header or ()]
    if "type" not in low:
        return None
    column = low.index("type")
    types = {row[column].lower() for row in rows if len(row) > column}
    return column if types and types <= {"directed", "undirected"} else None
