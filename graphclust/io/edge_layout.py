"""The layout of an edge list: its dialect, and which columns hold the ends, weights and directions of the edges."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from itertools import combinations

from graphclust.errors import DataError
from graphclust.graph.column_names import are_column_names, edge_columns, has_known_pair, is_weight_name
from graphclust.graph.columns import EdgeColumns, choose_columns, kind_of_values, looks_numeric, number_style
from graphclust.io.reading import naming
from graphclust.io.source import Source
from graphclust.io.tables import (
    Dialect,
    Expectation,
    Sample,
    has_row_numbers,
    parse_separator,
    sniff,
    usual_size,
)

__all__ = ["EdgeLayout", "shorten_line", "sniff_edges"]

_KONECT = {"sym": False, "asym": True, "bip": False}  # the first line of KONECT's files: % sym unweighted
_MARKS = ("#", "%")
_SHEETS = (".csv", ".tsv", ".xlsx")  # files whose first line is usually a header
_ARROWS = {"->": True, "-->": True, "=>": True, "→": True, "--": False, "-": False, "<->": False, "—": False}
_LONELY_SHARE = 0.1  # of edges between two nodes without other edges; where they are rarer, the first one is suspect
_MIN_ROWS = 3
_MARKS_BETWEEN = (",", "|", ";", "\t")
_MOST_COMMENTS = 200  # above the table, that are looked at
_MOST_ENDS = 8  # columns that are tried as ends


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
    names : tuple of str
        Names of the columns; none if there is no header.
    kinds : tuple of str or None
        Names of the two kinds of nodes of a two-mode graph.
    may_have_header : bool
        Whether the first row was taken as an edge but may be a header.
    assumes_header : bool
        Whether the first row was taken as a header because its words, or numbers, are no ids in the sample.
    sizes : tuple of int or None
        Numbers of nodes and edges in the first line, if it says no more.
    type_column : int or None
        Position of Gephi's column Type, if it says which edges are directed.
    """

    dialect: Dialect
    columns: tuple[int, ...]
    has_dicts: bool
    directed: bool
    names: tuple[str, ...] = ()
    kinds: tuple[str, str] | None = None
    may_have_header: bool = False
    assumes_header: bool = False
    sizes: tuple[int, ...] | None = None
    type_column: int | None = None

    @property
    def is_weighted(self) -> bool:
        """Whether a column holds weights."""
        return len(self.columns) == 3


class _Header(Enum):
    """What the first row is."""

    NONE = "an edge"
    CERTAIN = "a header"
    ASSUMED = "a header, unless one of its names is an id further down"


@dataclass(frozen=True)
class _EdgeExpectation(Expectation):
    """Two ids and perhaps a weight, or any columns below a header that names the ends of the edges.

    Attributes
    ----------
    is_sheet : bool
        Whether the first line is usually a header, because the file is one of a spreadsheet.
    wanted : tuple of str
        Names of columns that the caller has chosen.
    """

    is_sheet: bool = False
    wanted: tuple[str, ...] = ()

    def is_header(self, first: Sequence[str], rest: Iterable[list[str]], comments: Sequence[str]) -> bool:
        return self.header_of(first, list(rest), comments) is not _Header.NONE

    def header_of(self, first: Sequence[str], rest: Sequence[list[str]], comments: Sequence[str]) -> _Header:
        """Say what the first row is, from the first rows of the table and the comments above it."""
        rest = [row for row in rest if row]  # those that cannot be split are empty
        first, rest = _without_empty_ends(list(first), list(rest))
        if any(_columns_in_comment(comments, separator, len(first)) for separator in (None, "\t", ",")):
            return _Header.NONE
        if _names_columns(first, rest) or any(name in first for name in self.wanted):
            return _Header.CERTAIN
        if len(first) > 2 and not first[0] and all(first[1:]) and all(row[0] for row in rest if len(row) == len(first)):
            return _Header.CERTAIN  # the first column has no name: that of row names
        if not rest or any(not name for name in first):
            return _Header.NONE
        columns = [{row[i] for row in rest if len(row) == len(first)} for i in range(len(first))]
        ids = columns[0] | columns[1] if len(first) >= 2 else columns[0]
        is_range = list(first) == [str(i) for i in range(len(first))] and len(first) in (2, 3, 4)
        has_words = not any(map(looks_numeric, ids))
        if is_range and ids.isdisjoint(first[:2]) and (has_words or (self.is_sheet and len(rest) >= _MIN_ROWS)):
            return _Header.ASSUMED  # as pandas names columns without a name
        if is_range and len(first) == 3 and len(rest) >= _MIN_ROWS:
            third = kind_of_values(row[2] for row in rest if len(row) == 3)
            if third in ("time", "sorted", "date"):
                return _Header.CERTAIN  # 2 is no time
        return self._header_of_new_words(first, rest, columns)

    def _header_of_new_words(
        self, first: Sequence[str], rest: Sequence[list[str]], columns: Sequence[set[str]]
    ) -> _Header:
        """Say whether words that are no ids elsewhere are a header."""
        ids = columns[0] | columns[1] if len(first) >= 2 else columns[0]
        is_unnamed = self.is_sheet and list(first[2:]) == ["0"] and not any(map(looks_numeric, first[:2]))
        if is_unnamed and ids.isdisjoint(first[:2]):
            return _Header.ASSUMED  # as pandas names the values of a Series
        if any(map(looks_numeric, first)) or len(first) < 2:
            return _Header.NONE
        if len(first) == 2 and is_weight_name(first[1]):
            kinds = [kind_of_values(row[i] for row in rest if len(row) == 2) for i in (0, 1)]
            return _Header.CERTAIN if kinds == ["text", "number"] else _Header.NONE
        if edge_columns(first) is not None and (self.is_sheet or len(first) > 2) and ids.isdisjoint(first[:2]):
            return _Header.ASSUMED  # as author1 and author2
        if are_column_names(first) and not any(name in values for name, values in zip(first, columns, strict=True)):
            return _Header.CERTAIN
        if len(rest) < (_MIN_ROWS - self.is_sheet):
            return _Header.NONE
        if any(name in values for name, values in zip(first, columns, strict=True)) or not ids.isdisjoint(first[:2]):
            return _Header.NONE
        kinds = [kind_of_values(row[i] for row in rest if len(row) == len(first)) for i in range(len(first))]
        if len(first) > 2 and not {"counter", "sorted", "time", "date"}.isdisjoint(kinds):
            return _Header.ASSUMED
        if not self.is_sheet:
            return _Header.NONE
        words = [i for i, kind in enumerate(kinds) if kind in ("text", "number")]
        pairs = combinations(words[:_MOST_ENDS], 2)
        n_lonely = min((_n_lonely(rest, pair) for pair in pairs), default=len(rest))
        return _Header.ASSUMED if n_lonely <= max(1, _LONELY_SHARE * len(rest)) else _Header.NONE

    def plausibility(self, sample: Sample, separator: str | None) -> float:
        head, *others = sample.rows(separator, multiline=self.multiline_quotes)
        head, others = _without_empty_ends(head, others)
        rows = [head, *others]
        size, share = usual_size(rows)
        if size < 2:
            return 0.0
        if separator == "\t" and size == 2 and _blank_before_weight(sample.rows(None)):
            return 0.0
        has_header = _names_columns(rows[0], rows[1:])
        body = [row for row in rows[has_header:] if len(row) == size]
        n_empty = sum(not row[0] or not row[1] for row in body if row is not rows[0])  # a header may leave names out
        if 3 * n_empty > len(body):
            return 0.01 * share
        has_names = has_header or _columns_in_comment(sample.comments, separator, size) is not None
        if has_names or size == 2 or (size == 3 and _is_mostly_numeric(body, 2)):
            return share
        if size > 2 and share == 1 and any(_is_clock(body, column) for column in range(min(size, _MOST_ENDS))):
            return share
        has_commas = any("," in value for row in body for value in row[:2])
        if share == 1 and (separator == "::" or (separator in ("\t", ";") and not has_commas)):
            return share  # commas, if any, belong to the text of further columns
        is_regular = share == 1 and len(rows) > 1 and separator in _MARKS_BETWEEN and not _blanks_fit(sample, body)
        return share if is_regular else 0.1 * share


def sniff_edges(source: Source, data: bytes, *, header: bool | None = None, n_lines: int | None = None) -> EdgeLayout:
    """Settle the layout of an edge list from its first lines; the caller's options override the guess.

    Parameters
    ----------
    source : Source
        Takes the notes. Of its options, `delimiter`, `header`, `comment`, `columns`, `weight`, `weights`, `bipartite`
        and `directed` matter.
    data : bytes
        UTF-8 text.
    header : bool, optional
        Overrides the option of this name.
    n_lines : int, optional
        Number of line ends of the whole file, if the text is only its beginning.

    Raises
    ------
    DataError
        No line holds data, or it is unclear which columns hold the ends of the edges.
    UsageError
        The delimiter is neither signs nor a name.
    """
    options = source.options
    header = options.header if header is None else header
    expected = _expectation(source, header)
    sample = Sample.of(data, expected)
    if not sample.lines:
        if sample.comments:
            raise source.error("every line is a comment (--comment none reads them as data)")
        raise source.error("the file is empty")
    dialect = sniff(sample, expected)
    if options.comment is None:
        sample, dialect = _with_marked_rows(source, sample, dialect, expected)
    if dialect.header == ():
        raise source.error("a quotation mark is not closed or does not enclose the whole field", sample.first_line)
    rows = [row for row in sample.rows(dialect.separator, multiline=True) if row]
    sizes = None
    if header is not False:
        sizes = _sizes(rows, sample, data.count if n_lines is None else lambda _: n_lines)
    if sizes is not None and options.columns is None:
        dialect = replace(dialect, header=tuple(rows[0]), n_columns=max(usual_size(rows[1:])[0], 2))
        source.note(
            "sizes", f"the first line ({' '.join(rows[0])}) gives the size of the graph: skipped it", sizes=sizes
        )
    body = rows[dialect.header is not None :]
    dialect = _name_bare_row_names(dialect, body)
    has_dicts, separator = _attribute_dicts(sample.lines[dialect.header is not None :])
    direction = options.directed if options.directed is not None else _direction(sample.comments)
    if has_dicts:
        separator = separator if options.delimiter is None else dialect.separator
        dialect = replace(dialect, separator=separator, n_columns=3, last_takes_rest=True)
        if options.columns is not None:
            raise source.error("the lines end with attributes, as networkx writes them: --columns does not apply")
        columns: tuple[int, ...] = (0, 1) if options.weights is False else (0, 1, 2)
        kinds = ("left", "right") if options.bipartite else None
        return EdgeLayout(dialect, columns, True, bool(direction), kinds=kinds)
    dialect = _without_empty_columns(replace(dialect, n_columns=max(dialect.n_columns, 2)), body)
    names = _names(source, dialect, sample, sizes)
    chosen, arrow = _choose(source, dialect, body, names, sample)
    if direction is None:
        direction = arrow
    type_column = None if direction is not None else _type_column(names, body)
    if type_column is not None:
        direction = any(row[type_column].lower() == "directed" for row in body if len(row) > type_column)
    columns = (chosen.source, chosen.target) + (() if chosen.weight is None else (chosen.weight,))
    if chosen.weight is not None:
        weights = [row[chosen.weight] for row in body if len(row) > chosen.weight]
        with naming(source):
            decimal, thousands = number_style(weights, dialect.separator)
        dialect = replace(dialect, decimal=decimal, thousands=thousands)
    evidence = _Header.NONE
    if header is None and dialect.header and sizes is None:
        evidence = expected.header_of(rows[0], rows[1:], sample.comments)
    may_have_header = header is None and dialect.header is None and names is None
    may_have_header = may_have_header and (not any(map(looks_numeric, rows[0])) or _is_range(rows[0], dialect))
    return EdgeLayout(
        dialect,
        columns,
        False,
        bool(direction),
        tuple(names or ()),
        chosen.kinds,
        may_have_header,
        evidence is _Header.ASSUMED,
        sizes,
        type_column,
    )


def _expectation(source: Source, header: bool | None) -> _EdgeExpectation:
    options = source.options
    prefixes = options.comment_prefixes(_MARKS)
    separators = (*Expectation.separators[:-1], "::", None)
    if options.delimiter is not None:
        separators = (parse_separator(options.delimiter),)
    wanted = tuple(name for name in (*(options.columns or ()), options.weight or "1") if not name.isdecimal())
    return _EdgeExpectation(
        separators, header, prefixes, prefixes, True, True, is_sheet=source.suffix in _SHEETS, wanted=wanted
    )


def _is_range(first: Sequence[str], dialect: Dialect) -> bool:
    """Whether the first row is 0,1 or 0,1,2, as pandas names columns without a name."""
    return dialect.separator is not None and list(first) in (["0", "1"], ["0", "1", "2"])


# ---------------------------------------------------------------- comments and sizes


def _with_marked_rows(
    source: Source, sample: Sample, dialect: Dialect, expected: Expectation
) -> tuple[Sample, Dialect]:
    """Take lines that begin with # or % for rows where they look like the other rows, because ids may begin so.

    A line above the table is a row only if one of its ids occurs in another row.
    """
    marked = replace(dialect, marked_rows=True)
    widened = sample.with_marked_rows(marked)
    rows = widened.rows(dialect.separator, multiline=True)
    n_inside = len(widened.lines) - len(sample.lines)
    ids = {value for row in rows if len(row) == dialect.n_columns for value in row[:2]}
    above = []
    if dialect.header is None:
        split = [(line, Sample((), [line], 1).rows(dialect.separator)[0]) for line in sample.comments[-_MOST_COMMENTS:]]
        above = [line for line, row in split if marked.is_row(line, row) and not ids.isdisjoint(row[:2])]
    if not n_inside and not above:
        return sample, marked
    mark = next(line[0] for line in (*above, *widened.lines) if line[:1] in _MARKS)
    source.note(
        "ids-with-marks", f"read lines that begin with {mark} as edges (--comment '{mark}' skips them)", mark=mark
    )
    marked = replace(marked, marked_rows_above=bool(above))
    widened = replace(widened, lines=[*above, *widened.lines])
    sniffed = sniff(widened, replace(expected, separators=(dialect.separator,)))
    return widened, replace(sniffed, marked_rows=True, marked_rows_above=bool(above), separator=dialect.separator)


def _sizes(rows: Sequence[Sequence[str]], sample: Sample, count: Callable[[bytes], int]) -> tuple[int, ...] | None:
    """Return the numbers of the first line if they are those of nodes and edges, None for any other line.

    The last one is the number of the rows that follow; ids are numbers that are not larger than the first one.
    """
    first = rows[0]
    if not 1 <= len(first) <= 3 or not all(value.isdecimal() and len(value) < 16 for value in first):
        return None
    numbers = tuple(map(int, first))
    if len(numbers) == 3 and numbers[0] != numbers[1]:
        return None
    ids = [value for row in rows[1:] for value in row[:2]]
    if not ids or not all(value.isdecimal() and len(value) < 16 for value in ids):
        return None
    if len(numbers) > 1 and max(map(int, ids)) > numbers[0]:
        return None
    n_rows = len(rows) - 1 if sample.is_complete else count(b"\n") - len(sample.comments)
    if abs(numbers[-1] - n_rows) > (0 if sample.is_complete else 2 + len(sample.comments)):
        return None
    return numbers


# ---------------------------------------------------------------- separator


def _blanks_fit(sample: Sample, body: Sequence[Sequence[str]]) -> bool:
    """Whether white space, rather than the separator of a table, is between the ends.

    It is if it makes ends that occur in both columns, while no two columns of the table have an id in common.
    """
    split = sample.rows(None)
    if usual_size(split)[1] < 1:
        return False
    pairs = [_ids_of(split, 0) & _ids_of(split, 1)]
    others = [_ids_of(body, i) & _ids_of(body, j) for i, j in combinations(range(min(len(body[0]), _MOST_ENDS)), 2)]
    return any(pairs) and not any(others)


def _ids_of(rows: Sequence[Sequence[str]], column: int) -> set[str]:
    return {row[column] for row in rows if len(row) > column and row[column]}


def _is_clock(rows: Sequence[Sequence[str]], column: int) -> bool:
    """Whether a column holds dates or times of day, which no wrong separator leaves whole."""
    return kind_of_values(row[column] for row in rows) == "date"


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
    if lines and all(line.endswith("}") for line in lines):
        for separator in (None, "\t", ",", ";", "|"):
            tails = [line.split(separator, 2)[2:] for line in lines]
            if all(tail and tail[0].strip().startswith("{") for tail in tails):
                return True, separator
    return False, None


# ---------------------------------------------------------------- header


def _names_columns(first: Sequence[str], rest: Sequence[Sequence[str]]) -> bool:
    """Return whether the first row names the columns of the rest."""
    named = edge_columns(first) if has_known_pair(first) else None
    if named is not None:  # a word that is an id below is an id in the first row too; but the header may be repeated
        ends = named[:2]
        known = {row[i] for row in rest if row != first for i in ends if i < len(row)}
        return not any(first[i] in known for i in ends)
    third = [row[2] for row in rest if len(row) == 3] if len(first) == 3 and not first[2].endswith("}") else []
    has_weights = len(rest) > 1 and len(third) == len(rest) and all(map(looks_numeric, third))
    ids = [value for row in rest for value in row[:2]]
    has_numbers = bool(ids) and len(first) >= 2 and all(value.isdecimal() for value in ids)
    return (has_weights or has_numbers) and not any(map(looks_numeric, first))  # in this order: a line may be long


def _without_empty_ends(first: list[str], rest: list[list[str]]) -> tuple[list[str], list[list[str]]]:
    """Cut off columns at the end that are empty in all rows, as spreadsheets write them."""
    if first and first[-1]:
        return first, rest
    width = max(max((i + 1 for i, value in enumerate(row) if value), default=0) for row in (first, *rest))
    return first[:width], [row[:width] for row in rest]


def _n_lonely(rows: Sequence[Sequence[str]], ends: tuple[int, int]) -> int:
    """Return the number of edges whose ends, in two columns, have no other edge."""
    pairs = [(row[ends[0]], row[ends[1]]) for row in rows if len(row) > max(ends)]
    counts = Counter(value for pair in pairs for value in pair)
    return sum(counts[first] == 1 == counts[second] for first, second in pairs)


def _columns_in_comment(comments: Sequence[str], separator: str | None, n_columns: int) -> list[str] | None:
    """Return the names of the columns in the last comment above the table, None if it does not name them."""
    if not comments:
        return None
    text = comments[-1].lstrip("#% ")
    for split in (separator, None):
        names = [name.strip() for name in text.split(split)]
        if len(names) == n_columns and edge_columns(names) is not None:
            return names
    return None


def _names(source: Source, dialect: Dialect, sample: Sample, sizes: tuple[int, ...] | None) -> list[str] | None:
    """Return the names of the columns, from the header or a comment above the table; None if there are none.

    Raises
    ------
    DataError
        The header has too few names for the columns.
    """
    if sizes is not None:
        return None
    if not dialect.header:
        return _columns_in_comment(sample.comments, dialect.separator, dialect.n_columns)
    header, n_columns = list(dialect.header), dialect.n_columns
    named = edge_columns(header)
    if len(header) != n_columns and named is not None:
        message = f"the header names {len(header)} columns, but most lines have {n_columns}"
        if max(i for i in named if i is not None) >= n_columns:
            raise source.error(message)
        if len(header) < n_columns:
            rows = sample.rows(dialect.separator)[1:]
            hint = "; if the first one counts the rows, write the table without it (R: row.names = FALSE)"
            raise source.error(f"{message}: name all of them" + (hint if has_row_numbers(rows) else ""))
        return header[:n_columns]
    return header if len(header) == n_columns else None


def _name_bare_row_names(dialect: Dialect, body: Sequence[Sequence[str]]) -> Dialect:
    """Complete a header that names the ends of the edges but not a first column of row numbers.

    If the last column holds numbers, they may be weights without a name: the header is left as it is, and refused.
    """
    header, n_columns = dialect.header, dialect.n_columns
    if not header or len(header) != n_columns - 1 or edge_columns(header) is None:
        return dialect
    column = 1 if len(header) > 2 else n_columns - 1
    is_complete = _is_mostly_numeric(body, column) or not has_row_numbers(body)
    return dialect if is_complete else replace(dialect, header=("", *header))


def _without_empty_columns(dialect: Dialect, body: Sequence[Sequence[str]]) -> Dialect:
    """Leave out empty columns at the end, which spreadsheets write."""
    header, n_columns = dialect.header, dialect.n_columns
    while n_columns > 2 and not any(row[n_columns - 1] for row in body if len(row) >= n_columns):
        if header is not None and any(header[n_columns - 1 :]):
            break
        n_columns -= 1
    return replace(dialect, n_columns=n_columns, header=header if header is None else header[: max(n_columns, 1)])


# ---------------------------------------------------------------- columns


def _choose(
    source: Source,
    dialect: Dialect,
    body: Sequence[Sequence[str]],
    names: Sequence[str] | None,
    sample: Sample,
) -> tuple[EdgeColumns, bool | None]:
    """Return the columns, and the direction that arrows between the ends show."""
    options = source.options
    columns, arrow = options.columns, None
    if columns is None and names is None and dialect.n_columns == 3:
        signs = {row[1] for row in body if len(row) == 3}
        if len(signs) > 1 and signs <= _ARROWS.keys():
            raise source.error(
                f"the second column has different arrows ({', '.join(sorted(signs))}): --columns 1,3 reads the ends, "
                "with --directed or --undirected"
            )
        if len(signs) == 1 and (sign := next(iter(signs))) in _ARROWS:
            columns, arrow = ("1", "3"), _ARROWS[sign]
            source.note("arrows", f"read the second column ({sign}) as the direction of the edges", sign=sign)
    bipartite = options.bipartite
    konect = _konect(sample.comments[0]) if sample.comments else None
    if bipartite is None and konect == "bip":
        bipartite = True
    if columns is None and names is None and konect is not None and dialect.n_columns in (3, 4):
        columns = ("1", "2") if options.weights is False else ("1", "2", "3")  # the fourth column is a time
    try:
        chosen = choose_columns(
            names,
            body,
            dialect.n_columns,
            columns=columns,
            weight=options.weight,
            weights=options.weights,
            bipartite=bipartite,
        )
    except DataError as error:
        line = sample.first_line if options.columns is None and options.weight is None else None
        raise source.error(error.message, line) from None
    for note in chosen.notes:
        source.add(note)
    return chosen, arrow


def _is_mostly_numeric(rows: Sequence[Sequence[str]], column: int) -> bool:
    """Return whether at least half of the rows have a number in a column."""
    values = [row[column] for row in rows if len(row) > column]
    return 2 * sum(map(looks_numeric, values)) >= max(len(values), 1)


def shorten_line(text: str, width: int = 80) -> str:
    """Cut a text to a width."""
    return text if len(text) <= width else text[: width - 3] + "..."


# ---------------------------------------------------------------- direction


def _konect(line: str) -> str | None:
    """Return the first word of the first line of a KONECT file: sym, asym or bip; None for any other line."""
    words = line.lstrip("% ").lower().split()
    return words[0] if line.startswith("%") and words and words[0] in _KONECT else None


def _direction(comments: Sequence[str]) -> bool | None:
    """Return whether the comments above the table call the graph directed or undirected, None if they do not."""
    for line in comments:
        words = re.findall(r"[a-z]+", line.lower())
        if "undirected" in words:
            return False
        if "directed" in words:
            return True
        if (konect := _konect(line)) is not None:
            return _KONECT[konect]
    return None


def _type_column(header: Sequence[str] | None, rows: Sequence[Sequence[str]]) -> int | None:
    """Return the column in which Gephi calls edges directed or undirected, None without one."""
    low = [name.lower() for name in header or ()]
    if "type" not in low:
        return None
    column = low.index("type")
    types = {row[column].lower() for row in rows if len(row) > column}
    return column if types and types <= {"directed", "undirected"} else None
