"""Tables in text files: one row a line, in whatever dialect a program or a person has written them.

Edge lists, partitions and feature tables are read in the same three steps:

1. `Sample.of` takes the first lines, apart from the comments above them.
2. `sniff` settles the `Dialect`. It splits the sample at each separator that the caller's `Expectation` allows, lets
   the expectation score the rows, and asks the expectation whether the first row is a header.
3. `read_rows` splits the text and yields each row with its line number.

A new kind of table is a subclass of `Expectation`. A new property of files is a field of `Dialect`, which `sniff` sets
and `read_rows` respects.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice

from graphclust.errors import UsageError
from graphclust.io.source import Source, is_number, split_lines

__all__ = [
    "BLANK",
    "SAMPLE_BYTES",
    "Dialect",
    "Expectation",
    "Sample",
    "has_row_numbers",
    "parse_separator",
    "read_rows",
    "separator_name",
    "sniff",
    "usual_size",
]

BLANK = " \t\v\f\r\n"  # other white space, such as the no-break space, is a part of ids
SAMPLE_BYTES = 1 << 20

_FIRST_BYTES = 1 << 14  # usually enough for a sample
_SCORED_ROWS = 1000  # at most so many rows decide on the separator
_SEPARATOR_NAMES = {"\t": "tab", ";": "semicolon", ",": "comma", "|": "bar", " ": "space", None: "white space"}
_SEPARATORS = {"tab": "\t", "\\t": "\t", "comma": ",", "semicolon": ";", "bar": "|", "pipe": "|"}
_WHITE_SPACE = ("whitespace", "space", " ")
_BLANKS = re.compile(r"[ \t\v\f]+")
_TOKEN = re.compile(r'"((?:[^"]|"")*)"(?=[ \t\v\f]|$)|([^ \t\v\f]+)')
_OPEN_QUOTE = re.compile(r'[ \t\v\f]*"[^"]*+(?:""[^"]*+)*+\Z')
_DOS_END = "\x1a"
_EMPTY_ROW = re.compile(r"(?:\"\"|[,;|\t])+")  # of a spreadsheet
_EXCEL = re.compile(r"\"?sep=([^\"]?)\"?", re.IGNORECASE)  # Excel's own way to name the separator


@dataclass(frozen=True)
class Dialect:
    """How the lines of a table are written.

    Attributes
    ----------
    separator : str or None
        One or several characters, or None for any run of white space.
    n_columns : int
        Number of columns of most rows.
    header : tuple of str or None
        Names of the columns, None without a header line.
    comments : tuple of str
        Prefixes of comment lines above the table.
    inner_comments : tuple of str
        Prefixes of comment lines inside the table.
    multiline_quotes : bool
        Whether a field in quotes may contain line breaks.
    repeats_header : bool
        Whether lines that equal the header are headers too, as in files that were concatenated.
    last_takes_rest : bool
        Whether the last column takes the rest of the line, separators included.
    decimal, thousands : str
        Decimal mark of numbers, "." or ",", and the mark between their thousands, "" without one.
    marked_rows : bool
        Whether a line that begins with the prefix of comments is a row if it has the usual number of columns and no
        blank behind the prefix, because ids may begin with # as well.
    marked_rows_above : bool
        The same for the lines above the table.
    """

    separator: str | None
    n_columns: int
    header: tuple[str, ...] | None = None
    comments: tuple[str, ...] = ()
    inner_comments: tuple[str, ...] = ()
    multiline_quotes: bool = False
    repeats_header: bool = False
    last_takes_rest: bool = False
    decimal: str = "."
    thousands: str = ""
    marked_rows: bool = False
    marked_rows_above: bool = False

    def is_row(self, line: str, fields: Sequence[str]) -> bool:
        """Whether a line is a row although it begins with the prefix of comments."""
        prefix = next(prefix for prefix in self.comments + self.inner_comments if line.startswith(prefix))
        return len(fields) == self.n_columns and line[len(prefix) : len(prefix) + 1] not in ("", *BLANK)


@dataclass(frozen=True)
class Expectation(ABC):
    """What a caller knows about a table before reading it.

    Attributes
    ----------
    separators : tuple of str or None
        Candidates; of two with the same score, the first wins.
    header : bool, optional
        Whether the first row is a header; by default, `is_header` decides.
    comments, inner_comments, multiline_quotes, repeats_header
        See `Dialect`.
    """

    separators: tuple[str | None, ...] = ("\t", ";", ",", "|", None)
    header: bool | None = None
    comments: tuple[str, ...] = ("#", "%")
    inner_comments: tuple[str, ...] = ()
    multiline_quotes: bool = False
    repeats_header: bool = False

    @abstractmethod
    def is_header(self, first: Sequence[str], rest: Iterable[list[str]], comments: Sequence[str]) -> bool:
        """Return whether the first row names the columns.

        Parameters
        ----------
        first : sequence of str
            The first row.
        rest : iterable of list of str
            All other rows of the sample; a row that cannot be split is empty. It can be iterated over repeatedly.
        comments : sequence of str
            The comment lines above the table.
        """

    def plausibility(self, sample: Sample, separator: str | None) -> float:
        """Return a score from 0 to 1 that says how well a separator explains the sample.

        By default, the score is the share of rows with the usual number of columns, if that number is at least two.
        """
        size, share = usual_size(sample.rows(separator, multiline=self.multiline_quotes))
        return share if size > 1 else 0.0


@dataclass(frozen=True)
class Sample:
    """The first lines of a text.

    Attributes
    ----------
    comments : tuple of str
        The comment lines above the table.
    lines : list of str
        The first lines that are neither blank nor comments.
    first_line : int
        Number of the first of these lines in the file, counted from 1.
    marked : tuple of (int, str)
        Comment lines below the first row, each with the number of `lines` above it.
    is_complete : bool
        Whether these are all lines of the text.
    separator : str
        The separator that a line such as Excel's `sep=;` names, "" without one.
    """

    comments: tuple[str, ...]
    lines: list[str]
    first_line: int
    marked: tuple[tuple[int, str], ...] = ()
    separator: str = ""
    is_complete: bool = False

    @classmethod
    def of(cls, data: bytes, expected: Expectation, n_lines: int | None = 200) -> Sample:
        """Take the sample from UTF-8 text; `n_lines=None` takes all lines."""
        size = _FIRST_BYTES if n_lines is not None else len(data)
        while True:
            is_complete = len(data) <= size
            head = data if is_complete else data[:size]
            if not is_complete:
                head = head[: head.rfind(b"\n") + 1]  # empty if one line is longer than the sample
            sample = cls._of_text(head.decode(errors="replace"), expected, n_lines)
            if is_complete or (sample.lines and (size >= SAMPLE_BYTES or len(sample.lines) >= (n_lines or 0))):
                is_cut = n_lines is not None and len(sample.lines) + len(sample.marked) >= n_lines
                return replace(sample, is_complete=is_complete and not is_cut)
            size *= 8

    @classmethod
    def _of_text(cls, text: str, expected: Expectation, n_lines: int | None) -> Sample:
        above: list[str] = []
        lines: list[str] = []
        marked: list[tuple[int, str]] = []
        first_line, separator = 1, ""
        prefixes = expected.comments
        for number, line in enumerate(split_lines(text), 1):
            stripped = line.strip(BLANK)
            if not stripped or stripped == _DOS_END:
                continue
            if number == 1 and (excel := _EXCEL.fullmatch(stripped)):
                separator = excel[1] or "\t"  # which is stripped
                continue
            if prefixes and stripped.startswith(prefixes):
                if not lines:
                    above.append(stripped)
                else:
                    marked.append((len(lines), stripped))
                continue
            if _EMPTY_ROW.fullmatch(stripped):
                continue
            if not lines:
                first_line = number
                prefixes = expected.inner_comments
            lines.append(line.rstrip(BLANK))
            if len(lines) + len(marked) >= (n_lines or len(text) + 1):
                break
        return cls(tuple(above), lines, first_line, tuple(marked), separator)

    def with_marked_rows(self, dialect: Dialect) -> Sample:
        """Return the sample with those comment lines that `dialect` takes for rows."""
        split = _splitter(dialect.separator)
        lines = list(self.lines)
        for place, line in reversed(self.marked):
            if dialect.is_row(line, _split_across(line, iter(()), split)):
                lines.insert(place, line)
        return replace(self, lines=lines, marked=())

    def rows(self, separator: str | None, *, multiline: bool = False) -> list[list[str]]:
        """Split the first lines at a separator; a row that cannot be split is empty."""
        return list(islice(_Rows(self.lines, separator, multiline), _SCORED_ROWS))


@dataclass(frozen=True)
class _Rows:
    """The rows of a sample, split each time they are iterated over."""

    lines: Sequence[str]
    separator: str | None
    multiline: bool
    start: int = 0

    def __iter__(self) -> Iterator[list[str]]:
        split = _splitter(self.separator)
        lines = iter(self.lines)
        following = lines if self.multiline else iter(())
        return islice((_split_across(line, following, split) for line in lines), self.start, None)


def sniff(sample: Sample, expected: Expectation) -> Dialect:
    """Settle the dialect of a table from its first lines.

    Parameters
    ----------
    sample : Sample
        At least one line.
    expected : Expectation
        The candidates for the separator and the judge of the rows.

    Returns
    -------
    Dialect
        With a header of no columns if the first line cannot be split and `expected.header` is true.
    """
    separator = expected.separators[0]
    if len(expected.separators) > 1 and sample.separator:
        separator = sample.separator
    elif len(expected.separators) > 1:
        scores = [expected.plausibility(sample, candidate) for candidate in expected.separators]
        best = max(scores)
        separator = expected.separators[scores.index(best)] if best > 0 else None
    rows = sample.rows(separator, multiline=expected.multiline_quotes)
    first = _name_row_names(sample, rows[0], rows[1:])
    has_header = expected.header
    if has_header is None and not first:
        has_header = False
    elif has_header is None:
        rest = _Rows(sample.lines, separator, expected.multiline_quotes, start=1)
        has_header = expected.is_header(first, rest, sample.comments)
    body = [row for row in rows[has_header:] if row]
    return Dialect(
        separator,
        usual_size(body or rows)[0],
        tuple(first) if has_header else None,
        expected.comments,
        expected.inner_comments,
        expected.multiline_quotes,
        expected.repeats_header,
    )


def _name_row_names(sample: Sample, first: list[str], body: Sequence[Sequence[str]]) -> list[str]:
    """Complete a header that lacks a name for the column of row names, as R's `write.table` writes it.

    R puts row names into quotation marks. Without them, the first column may as well hold ids.
    """
    is_quoted = all(line.lstrip(BLANK).startswith('"') for line in sample.lines[: 1 + len(body)])
    lacks_name = bool(first) and bool(body) and len(first) == usual_size(body)[0] - 1
    if not is_quoted or not lacks_name:
        return first
    heads = [row[0] for row in body if row]
    are_names = len(set(heads)) == len(heads) and not all(is_number(row[-1]) for row in body if row)
    return ["", *first] if are_names or has_row_numbers(body) else first


def has_row_numbers(rows: Sequence[Sequence[str]]) -> bool:
    """Return whether the first column counts the rows from 1."""
    return ["".join(row[:1]) for row in rows[:3]] == ["1", "2", "3"][: len(rows)]


def read_rows(
    source: Source, text: str, dialect: Dialect, skipped: Counter[str] | None = None
) -> Iterator[tuple[int, list[str]]]:
    """Split a text into rows, without the header, comments and blank lines.

    Parameters
    ----------
    source : Source
        The file, for errors.
    text : str
    dialect : Dialect
    skipped : Counter, optional
        Counts the skipped lines by what they are: "comment line", "repeated header line".

    Yields
    ------
    int
        Number of the line on which the row begins, counted from 1.
    list of str
        The fields. Their number may differ from `dialect.n_columns`.

    Raises
    ------
    DataError
        A quotation mark is not closed or does not enclose the whole field; names the line.
    """
    skipped = Counter() if skipped is None else skipped
    split = _splitter(dialect.separator, dialect.n_columns if dialect.last_takes_rest else None)
    header = list(dialect.header or ())
    repeats_header = dialect.repeats_header and not all(map(is_number, header))
    prefixes = dialect.comments
    is_first = True
    lines = enumerate(split_lines(text), 1)
    following = (line for _, line in lines) if dialect.multiline_quotes else iter(())
    for number, line in lines:
        stripped = line.strip(BLANK)
        if not stripped or stripped == _DOS_END:
            continue
        if number == 1 and _EXCEL.fullmatch(stripped):
            continue
        is_marked = bool(prefixes) and stripped.startswith(prefixes)
        if is_marked and not (dialect.marked_rows_above if is_first else dialect.marked_rows):
            skipped["comment line"] += 1
            continue
        try:
            fields = split(line)
        except _QuoteError as error:
            fields = _split_across(line, iter(()) if is_marked else following, split)
            if not fields and not is_marked:
                raise source.error(str(error), number) from None
        if is_marked and not dialect.is_row(stripped, fields):
            skipped["comment line"] += 1
            continue
        if not any(fields) and len(fields) > 1:  # an empty row of a spreadsheet
            continue
        if is_first:
            is_first = False
            prefixes = dialect.inner_comments
            if dialect.header is not None:
                continue
        if repeats_header and fields == header:
            skipped["repeated header line"] += 1
            continue
        yield number, fields


# ---------------------------------------------------------------- splitting lines


class _QuoteError(ValueError):
    """A field begins with a quotation mark and does not end with one."""

    def __init__(self, *, is_open: bool) -> None:
        self.is_open = is_open
        super().__init__(
            "a quotation mark is not closed" if is_open else "a quotation mark does not enclose the whole field"
        )


def _splitter(separator: str | None, n_columns: int | None = None) -> Callable[[str], list[str]]:
    """Return the function that splits a line into fields; quotation marks count only around a whole field.

    If `n_columns` is given, quotation marks do not count, and the last field takes the rest of the line.
    """
    if n_columns is not None:
        return lambda line: [field.strip(BLANK) for field in line.strip(BLANK).split(separator, n_columns - 1)]
    if separator is None:
        return _split_at_white_space
    if len(separator) > 1:
        return lambda line: [field.strip(BLANK) for field in line.split(separator)]
    mark = re.escape(separator)
    blank = r"[ \v\f]" if separator == "\t" else r"[ \t\v\f]"
    pattern = re.compile(rf'{blank}*(?:"([^"]*+(?:""[^"]*+)*+)"{blank}*|([^{mark}]*))({mark}|\Z)')

    def split(line: str) -> list[str]:
        if '"' not in line:
            return [field.strip(BLANK) for field in line.split(separator)]
        fields: list[str] = []
        place, end = 0, separator
        while end:
            match = pattern.match(line, place)
            quoted, bare, end = match.groups() if match else (None, '"', "")
            if quoted is None and bare.startswith('"'):
                raise _QuoteError(is_open=_OPEN_QUOTE.match(line, place) is not None)
            fields.append(bare.strip(BLANK) if quoted is None else quoted.replace('""', '"'))
            place = match.end() if match else place
        return fields

    return split


def _split_at_white_space(line: str) -> list[str]:
    if '"' not in line:
        return line.split() if line.isascii() else _BLANKS.split(line.strip(BLANK))
    return [bare if bare else quoted.replace('""', '"') for quoted, bare in _TOKEN.findall(line)]


def _split_across(line: str, following: Iterator[str], split: Callable[[str], list[str]]) -> list[str]:
    """Split a line and the following lines on which a quoted field continues.

    Return no fields if the quotation marks do not match.
    """
    while True:
        try:
            return split(line)
        except _QuoteError as error:
            if not error.is_open:
                return []
        continuation = []
        for next_line in following:
            continuation.append(next_line)
            if next_line.count('"') % 2:  # with an even number, a field is still open at the end of the line
                break
        else:
            return []
        line = "\n".join((line, *continuation))


# ---------------------------------------------------------------- looking at rows


def usual_size(rows: Sequence[Sequence[str]]) -> tuple[int, float]:
    """Return the number of columns that most rows have, and the share of these rows."""
    first = len(rows[0])
    size, count = max(Counter(map(len, rows)).items(), key=lambda item: (item[1], item[0] == first, item[0] in (2, 3)))
    return size, count / len(rows)


def parse_separator(name: str) -> str | None:
    """Return the separator that a user names: a character or a few signs, a name, or "whitespace" for None.

    Raises
    ------
    UsageError
        Several characters that are neither a name nor signs.

    Examples
    --------
    >>> parse_separator("semicolon"), parse_separator(":"), parse_separator("whitespace")
    (';', ':', None)
    """
    if name in _WHITE_SPACE:
        return None
    separator = _SEPARATORS.get(name, name)
    if len(separator) != 1 and not re.fullmatch(r"[^\w\s]{2,3}", separator):
        names = ", ".join(_SEPARATORS)
        raise UsageError(f"the delimiter must be one character or one of {names}, space and whitespace, not {name!r}")
    return separator


def separator_name(separator: str | None) -> str:
    """Return the English name of a separator."""
    return _SEPARATOR_NAMES.get(separator, repr(separator))
