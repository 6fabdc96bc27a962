"""Tables of edges: which columns hold the ends and the weights of the edges.

Names decide first: those of well-known exporters, pairs such as `author1` and `author2`, and words such as `weight` and
`year` (`graphclust.graph.column_names`). Values decide where names do not: running numbers, times and dates are neither
ends nor weights. A column that is not read is noted, and a table whose columns remain unclear is refused with a list of
them.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from graphclust.errors import DataError
from graphclust.graph.column_names import (
    COUNTERS,
    NODE_NAMES,
    edge_columns,
    find_column,
    has_known_pair,
    is_weight_name,
    kinds_of_nodes,
    list_columns,
    meaning_of_name,
    plain_name,
    stem_of_name,
)
from graphclust.graph.labels import is_missing_text
from graphclust.runtime.notes import Note

__all__ = [
    "DECIMAL_COMMA",
    "EdgeColumns",
    "choose_columns",
    "is_index",
    "kind_of_values",
    "looks_numeric",
    "number_style",
    "plain_number",
]

_MONTH = r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*"
_DATE = re.compile(
    rf"(?:[0-9]{{1,4}}([-/.])[0-9]{{1,2}}\1[0-9]{{1,4}}|[0-9]{{1,2}}[ -]{_MONTH}[ ,-]+[0-9]{{2,4}}"
    rf"|{_MONTH}[ .]+[0-9]{{1,2}},? +[0-9]{{4}})(?:[T ,]+[0-9]{{1,2}}:[0-9]{{2}}.*)?"
    r"|[0-9]{1,2}:[0-9]{2}(?::[0-9.]+)?",
    re.IGNORECASE,
)
DECIMAL_COMMA = re.compile(r"[+-]?[0-9]*,[0-9]+(?:[eE][+-]?[0-9]+)?")  # 1,5 as Excel writes it in most of Europe
_GROUPED = re.compile(r"[+-]?[0-9]{1,3}(?:[,.][0-9]{3})+(?:[,.][0-9]+)?")
_EPOCH = (6e8, 2.2e9)  # seconds from 1989 to 2039
_YEARS = (1800, 2100)
_LIST = re.compile(r"[\[({].*,.*[\])}]")  # as Python prints it
_MIN_COUNTED = 5  # fewer running numbers may be weights
_MIN_MATRIX = 3  # rows
_MIN_SORTED = 8  # so many distinct numbers are hardly in ascending order by chance
_MIN_TIME = 1000  # smaller numbers in ascending order may be weights if there are few


@dataclass(frozen=True)
class EdgeColumns:
    """What the columns of a table of edges hold, as positions from 0.

    Attributes
    ----------
    source, target : int
    weight : int or None
    kinds : tuple of str or None
        Names of the two kinds of nodes, if the columns hold different kinds, such as users and movies.
    notes : tuple of Note
        Columns that are not read, and why.
    """

    source: int
    target: int
    weight: int | None = None
    kinds: tuple[str, str] | None = None
    notes: tuple[Note, ...] = field(default=(), compare=False)


# ---------------------------------------------------------------- values


def looks_numeric(text: str) -> bool:
    """Whether a field is a number, perhaps with a decimal comma or with separators of thousands; 1_000 is no number."""
    try:
        float(text)
    except ValueError:
        return DECIMAL_COMMA.fullmatch(text) is not None or _GROUPED.fullmatch(text) is not None
    return "_" not in text


def number_style(values: Iterable[str], separator: str | None = None) -> tuple[str, str]:
    """Return the decimal mark of numbers and the mark that separates their thousands, "" without one.

    Parameters
    ----------
    values : iterable of str
    separator : str or None
        What separates the columns of the table. If it is a comma, that of 1,234 probably separates thousands.

    Raises
    ------
    DataError
        Numbers such as 1,234 may be meant in either way.

    Examples
    --------
    >>> number_style(["1,5", "2"]), number_style(["1,234,567", "12"]), number_style(["1.234,5"])
    ((',', ''), ('.', ','), (',', '.'))
    """
    values = list(values)
    marked = [value for value in values if "," in value and looks_numeric(value)]
    if not marked:
        dotted = [value for value in values if "." in value]
        are_grouped = all(re.fullmatch(r"[1-9][0-9]{0,2}(?:\.[0-9]{3})+", value) for value in dotted)
        if separator == ";" and dotted and are_grouped and any(value.isdecimal() for value in values):
            raise DataError(
                f"{dotted[0]} may have a decimal point or a separator of thousands: write the weights without either"
            )
        return ".", ""
    if any(value.rfind(".") < value.rfind(",") and "." in value for value in marked):
        return ",", "."
    if not all(re.fullmatch(r"[+-]?[1-9][0-9]{0,2}(?:,[0-9]{3})+(?:\.[0-9]+)?", value) for value in marked):
        return ",", ""
    if any(value.count(",") > 1 or "." in value for value in marked):
        return ".", ","
    if separator != ",":
        return ",", ""
    plain = [value for value in values if value.isdecimal()]
    if plain and all(len(value) <= 3 for value in plain) and len(marked) + len(plain) == len(values):
        return ".", ","
    raise DataError(
        f"{marked[0]} may have a decimal comma or a separator of thousands: write the weights with decimal points"
    )


def plain_number(text: str, decimal: str, thousands: str) -> str:
    """Spell a number as `float` reads it: with a decimal point and without separators of thousands.

    Examples
    --------
    >>> plain_number("1.234,5", ",", "."), plain_number("0.5", ",", ".")
    ('1234.5', '0.5?')
    """
    if thousands and thousands in text:
        group, mark = re.escape(thousands), re.escape(decimal)
        if not re.fullmatch(rf"[+-]?[0-9]{{1,3}}(?:{group}[0-9]{{3}})+(?:{mark}[0-9]+)?", text):
            return text + "?"  # no number in this style
        text = text.replace(thousands, "")
    return text.replace(decimal, ".")


def is_index(values: Iterable[str]) -> bool:
    """Whether a column counts the rows from 0 or from 1; at least three of them."""
    counted = list(values)
    starts = counted[:1] if len(counted) >= 3 and counted[0] in ("0", "1") else []
    return bool(starts) and counted == [str(i) for i in range(int(starts[0]), int(starts[0]) + len(counted))]


def kind_of_values(values: Iterable[str]) -> str:
    """Return what a column holds: "empty", "number", "counter", "sorted", "time", "date" or "text".

    Parameters
    ----------
    values : iterable of str
        The fields of consecutive rows.

    Examples
    --------
    >>> kind_of_values(["1.5", "2"]), kind_of_values(["1500000000", "1400000000"])
    ('number', 'time')
    """
    present = [value for value in values if value]
    if not present:
        return "empty"
    if 2 * sum(_DATE.fullmatch(value) is not None for value in present) > len(present):
        return "date"
    if 2 * sum(map(looks_numeric, present)) < len(present):
        return "text"
    if any(re.fullmatch(r"0[0-9]+", value) for value in present):
        return "text"  # ids such as 007
    if not all(re.fullmatch(r"[0-9]{1,18}(?:\.[0-9]+)?", value) for value in present):
        return "number"
    is_whole = all(re.fullmatch(r"[0-9]+(?:\.0+)?", value) for value in present)
    numbers = [int(value.partition(".")[0]) for value in present]
    low, high = min(numbers), max(numbers)
    if any(_EPOCH[0] * scale <= low and high <= _EPOCH[1] * scale for scale in (1, 10**3, 10**6, 10**9)):
        return "time"
    if low >= _YEARS[0] and high <= _YEARS[1]:
        return "time"
    if not is_whole:
        return "number"
    if all(19000101 <= n <= 21001231 and 1 <= n // 100 % 100 <= 12 and 1 <= n % 100 <= 31 for n in numbers):
        return "date"
    if len(numbers) >= _MIN_COUNTED and numbers == list(range(low, low + len(numbers))):
        return "counter"
    is_sorted = all(a <= b for a, b in pairwise(numbers))
    n_distinct = len(set(numbers))
    if is_sorted and len(numbers) >= _MIN_SORTED and 2 * n_distinct > len(numbers):
        return "sorted"
    if is_sorted and len(numbers) >= _MIN_COUNTED and n_distinct == len(numbers) and high > _MIN_TIME:
        return "sorted"
    return "number"


_KINDS = {
    "counter": "running numbers",
    "sorted": "numbers in ascending order, as times",
    "time": "times",
    "date": "dates",
}


# ---------------------------------------------------------------- choosing


def choose_columns(
    names: Sequence[str] | None,
    rows: Sequence[Sequence[str]],
    n_columns: int,
    *,
    columns: Sequence[str] | None = None,
    weight: str | None = None,
    weights: bool | None = None,
    bipartite: bool | None = None,
) -> EdgeColumns:
    """Decide which columns hold the ends and the weights of the edges.

    Parameters
    ----------
    names : sequence of str or None
        The header.
    rows : sequence of sequence of str
        First rows of the table.
    n_columns : int
        Number of columns, at least 2.
    columns : sequence of str, optional
        Names of source, target and perhaps weight, or their numbers counted from 1. Without a third one, there are no
        weights unless `weight` or `weights` asks for them.
    weight : str, optional
        Name or number of the column of weights.
    weights : bool, optional
        False reads no weights, True requires them.
    bipartite : bool, optional
        Whether the two columns hold different kinds of nodes; by default, their names decide.

    Raises
    ------
    DataError
        It is unclear which columns hold the ends, or a column that was asked for does not exist.

    Examples
    --------
    >>> chosen = choose_columns(["when", "person", "friend"], [["2020-01-01", "a", "b"]], 3)
    >>> chosen.source, chosen.target, str(chosen.notes[0])
    (1, 2, 'ignored when (a time)')
    """
    table = _Table(names, rows, n_columns)
    doubts: tuple[Note, ...] = ()
    if columns is not None:
        first, second, *third = (find_column(name, names, n_columns) for name in columns)
        if first == second:
            raise DataError(f"--columns names one column twice: {columns[0]}")
        named_weight = third[0] if third else None
    else:
        first, second, named_weight = table.ends()
        doubts = table.check_rows(first, second)
    if weight is not None:
        named_weight = find_column(weight, names, n_columns)
        if named_weight in (first, second):
            raise DataError(f"the column {weight} holds the ends of the edges: it cannot be the weight as well")
    is_chosen = weight is not None or columns is not None
    chosen: int | None = None
    notes: tuple[Note, ...] = ()
    if weights is False:
        pass
    elif is_chosen and (named_weight is not None or not weights):
        chosen = named_weight
    else:
        chosen, notes = table.weight(first, second, named_weight, required=bool(weights))
        notes += table.row_number_note(first, chosen)
    kinds: tuple[str, str] | None = None
    if bipartite is not False:
        kinds = kinds_of_nodes([names[first], names[second]]) if names else None
        if kinds is None and bipartite:
            kinds = (_kind(table.label(first)), _kind(table.label(second))) if names else ("left", "right")
    notes += doubts
    if kinds is None and bipartite is None:
        notes += table.two_kinds_note(first, second)
    return EdgeColumns(first, second, chosen, kinds, notes)


def _kind(name: str) -> str:
    return re.sub(r"[_ ]*id$", "", name.strip(), flags=re.IGNORECASE) or name


@dataclass(frozen=True)
class _Table:
    """A table whose columns are not known yet."""

    names: Sequence[str] | None
    rows: Sequence[Sequence[str]]
    n_columns: int
    known_kinds: dict[int, str] = field(default_factory=dict)

    def values(self, column: int) -> list[str]:
        return [row[column] for row in self.rows if len(row) > column]

    def label(self, column: int) -> str:
        return (self.names[column].strip() if self.names else "") or f"column {column + 1}"

    def kind(self, column: int) -> str:
        if column not in self.known_kinds:
            self.known_kinds[column] = kind_of_values(self.values(column))
        return self.known_kinds[column]

    def refusal(self) -> DataError:
        """Return the error that lists the columns and names the option to use."""
        if self._joins_both_ends():
            return DataError(
                "this is Cytoscape's table of edges, which joins the names of both ends in one column: export the "
                "network as SIF (File, Export, Network to File)"
            )
        if self.names:
            what = f"it is unclear which of the columns hold the ends of the edges: {list_columns(self.names)}"
        elif self.rows:
            what = f"expected 2 or 3 columns, found {self.n_columns}: {list_columns(self.rows[0])}"
        else:
            what = f"expected 2 or 3 columns, found {self.n_columns}"
        hint = "--columns SOURCE,TARGET[,WEIGHT] chooses them, by name or number"
        if self._has_named_rows_of_numbers():
            hint += "; --input-format matrix --bipartite, if rows and columns are two kinds of nodes"
        if self._may_hold_points():
            hint += "; if its rows are points: `graphclust cluster` instead of detect"
        return DataError(f"{what} ({hint})")

    def _may_hold_points(self) -> bool:
        """Whether most of more than three columns hold numbers, and some of them numbers that are no ids."""
        kinds = [self.kind(i) for i in range(self.n_columns)]
        has_decimals = any(self._holds_decimals(i) for i in range(self.n_columns))
        return self.n_columns > 3 and has_decimals and 2 * kinds.count("number") > self.n_columns

    def ends(self) -> tuple[int, int, int | None]:
        """Return the columns of source, target and, if its name says so, weight."""
        if self.names is None:
            return self._ends_without_names()
        named = self._named_ends()
        if named is not None:
            return named
        if self.n_columns == 2:
            if is_weight_name(self.names[1]) and (self.kind(0), self.kind(1)) == ("text", "number"):
                raise DataError(
                    f"of the two columns, {self.names[1]} holds weights: the ends of the edges need a column each"
                )
            if self._lists_nodes():
                raise DataError(
                    "this may be a table of nodes, with one line for each of them: --columns 1,2 reads its columns as "
                    "the ends of edges"
                )
            return 0, 1, None
        candidates = [i for i in range(self.n_columns) if not self._is_ignorable(i)]
        weight = next((i for i in candidates if is_weight_name(self.names[i]) and self.kind(i) == "number"), None)
        ends = [i for i in candidates if i != weight]
        has_number = len(ends) == 3 and weight is None and self._may_hold_weights(ends[2])
        if has_number and (ends == [0, 1, 2] or self._share_ids(*ends[:2])):
            ends = ends[:2]
        if len(ends) != 2:
            raise self.refusal()
        return ends[0], ends[1], weight

    def _named_ends(self) -> tuple[int, int, int | None] | None:
        """Return the columns that the header names, apart from ends that are times or no ids; None without two."""
        names = list(self.names or ())
        while (named := edge_columns(names)) is not None:
            first, second, weight = named
            if not any(self._holds_decimals(i) or self.kind(i) == "date" for i in (first, second)):
                if weight is not None and 2 * sum(map(is_missing_text, self.values(weight))) > len(self.rows) > 0:
                    weight = None  # as BioGRID's scores, most of which are missing
                return first, second, weight
            names[first] = names[second] = f"({names[first]})"
        return None

    def check_rows(self, first: int, second: int) -> tuple[Note, ...]:
        """Refuse rows that are no edges: those of a matrix of two kinds of nodes, or with several nodes in one field.

        Below a header that names the ends, and for fields with commas, which names may have, return a note instead.
        """
        is_named = has_known_pair(self.names or ())
        if self.n_columns > 2 and not is_named and self._is_incidence_matrix():
            raise DataError(
                "each line has a name and numbers (--input-format matrix --bipartite, if rows and columns are two "
                "kinds of nodes; --columns SOURCE,TARGET[,WEIGHT], if it is an edge)"
            )
        ends = self.values(first), self.values(second)
        several = _several_ids(*ends) or _several_ids(*ends[::-1])
        if several is not None and not is_named:
            raise DataError(
                f"the field {several!r:.60} names several nodes: write a line for each edge "
                "(--columns SOURCE,TARGET takes such fields as ids)"
            )
        several = several or next(filter(None, map(_uneven_list, ends)), None)
        if several is None:
            return ()
        message = f"took {several!r:.60} for one id: if it names several nodes, write a line for each edge"
        return (Note("possible-lists", message),)

    def _is_incidence_matrix(self) -> bool:
        """Whether the rows and columns of a table of numbers may be two kinds of nodes."""
        heads = set(self.values(0))
        has_bits = all({"0", "1"}.issuperset(self.values(i)) for i in range(1, self.n_columns))
        is_new = len(heads) == len(self.rows) >= _MIN_MATRIX and not {"0", "1"}.issuperset(heads)
        return is_new and (has_bits or self._has_named_rows_of_numbers())

    def _has_named_rows_of_numbers(self) -> bool:
        """Whether the first column has distinct names, and all others, which have names too, have numbers."""
        heads = self.values(0)
        is_named = self.names is not None and self.kind(0) == "text" and len(set(heads)) == len(heads)
        return is_named and all(self.kind(i) == "number" for i in range(1, self.n_columns))

    def _lists_nodes(self) -> bool:
        """Whether two columns hold the ids of nodes, each of them once, and a number that is no id."""
        assert self.names is not None
        heads, is_of_nodes = self.values(0), plain_name(self.names[0]) in map(plain_name, NODE_NAMES)
        is_new = len(set(heads)) == len(heads) >= _MIN_MATRIX and not self._share_ids(0, 1)
        return is_of_nodes and is_new and self._may_hold_weights(1) and not self.names[1].lower().endswith("id")

    def _joins_both_ends(self) -> bool:
        """Whether a column has values such as "ann (pp) bob", as Cytoscape names edges."""
        return any(
            len(values) > 1 and all(re.fullmatch(r".+ \([^()]+\) .+", value) for value in values[1:])
            for values in map(self.values, range(self.n_columns))
        )

    def _holds_decimals(self, column: int) -> bool:
        """Whether most values are numbers with a fraction, which are no ids."""
        values = [value for value in self.values(column) if value]
        n_fractions = sum(re.fullmatch(r"-?[0-9]*\.[0-9]*[1-9][0-9]*", value) is not None for value in values)
        return 2 * n_fractions > len(values)

    def _is_ignorable(self, column: int) -> bool:
        """Whether a column holds neither ends nor weights, as far as its name and its values show it."""
        assert self.names is not None
        kind, says = self.kind(column), meaning_of_name(self.names[column])
        if kind in ("empty", "date"):
            return True
        if says == "an id" and plain_name(self.names[column]) in COUNTERS:  # of the row, not of a node
            return column > 1 or is_index(self.values(column))
        if says == "an id":  # the ids of the ends, unless they count the rows
            return column == 0 and self.n_columns > 3 and is_index(self.values(0))
        if says == "a number of the row":
            return column == 0
        if says == "a type":
            return column > 1
        return says in ("a time", "a distance", "a rank") or (kind in ("time", "sorted") and column > 1)

    def _ends_without_names(self) -> tuple[int, int, int | None]:
        if self.n_columns == 2:
            return 0, 1, None
        kinds = [self.kind(i) for i in range(self.n_columns)]
        if self.n_columns == 3 and self._begins_with_times(kinds):
            return 1, 2, None
        if self.n_columns == 3:
            if kinds[2] != "text":
                return self._ends_before_numbers(kinds[2])
            if is_index(self.values(0)) and not self._share_ids(0, 1) and not self._share_ids(0, 2):
                return 1, 2, None  # row names
            if not self._share_ids(0, 1) and (self._share_ids(0, 2) or not self._repeats_little(1)):
                raise DataError(
                    "each line has three words, as in a knowledge graph (subject, relation, object): "
                    "--columns 1,3 reads the first and the third as the ends of the edges, --columns 1,2 the first two"
                )
            others, ids = set(self.values(2)) - {""}, {*self.values(0), *self.values(1)}
            if 2 * len(others & ids) > len(others):
                raise DataError(
                    "the third column holds ids of nodes, as the first two do: --input-format adjlist, if each line "
                    "has a node and its neighbours; --columns 1,2 reads the first two columns"
                )
            return 0, 1, None
        has_row_numbers = len(self.values(0)) >= _MIN_COUNTED and is_index(self.values(0))
        ends_may_follow = kinds[2] not in ("time", "sorted", "date", "empty") and kinds[-1] not in ("text", "empty")
        if self.n_columns == 4 and has_row_numbers and ends_may_follow:
            return 1, 2, None
        if all(
            kind in ("date", "empty") or is_time
            for kind, is_time in zip(kinds[2:], self._are_times_after_ends(), strict=True)
        ):
            return 0, 1, None
        raise self.refusal()

    def _begins_with_times(self, kinds: Sequence[str]) -> bool:
        """Whether the first of three columns holds times, and the others the ends."""
        is_time = kinds[0] in ("date", "time") or self._ascends_beside_ids()
        is_apart = not self._share_ids(0, 1) and not self._share_ids(0, 2)
        return is_time and is_apart and kinds[2] not in ("date", "time", "empty")

    def _ascends_beside_ids(self) -> bool:
        """Whether the first column has numbers in ascending order, and the other two the same ids."""
        first = self.values(0)
        if len(first) < _MIN_COUNTED or not all(value.isdecimal() and len(value) < 16 for value in first):
            return False
        second, third = set(self.values(1)), set(self.values(2))
        is_sorted = all(int(a) <= int(b) for a, b in pairwise(first)) and len(set(first)) > 1
        return is_sorted and 2 * len(second & third) > min(len(second), len(third)) and len(third) > 2

    def _ends_before_numbers(self, third: str) -> tuple[int, int, int | None]:
        """Return the first two of three columns; refuse if the first may as well count the rows."""
        ids = self.values(2)
        if is_index(self.values(0)) and len(ids) >= _MIN_SORTED and third == "number" and self._share_ids(1, 2):
            are_ids = all(value.isdecimal() for value in ids) and self._repeats_little(2)
            if are_ids and not self._share_ids(0, 1):
                raise DataError(
                    "the first column counts the rows, so that the second and the third may be the ends of the edges: "
                    "--columns 2,3, or --columns 1,2,3 if the third holds weights"
                )
        return 0, 1, None

    def _are_times_after_ends(self) -> list[bool]:
        return [self.kind(i) in ("time", "sorted") and i > 2 for i in range(2, self.n_columns)]

    def _share_ids(self, first: int, second: int) -> bool:
        return not set(self.values(first)).isdisjoint(self.values(second))

    def _repeats_little(self, column: int) -> bool:
        """Whether a column has many different values, as one of nodes has."""
        values = self.values(column)
        return len(set(values)) > max(2, len(values) // 4)

    def weight(
        self, first: int, second: int, named_weight: int | None, *, required: bool
    ) -> tuple[int | None, tuple[Note, ...]]:
        """Return the column of weights and the notes on columns that are not read."""
        others = [i for i in range(self.n_columns) if i not in (first, second)]
        chosen = named_weight
        candidates = [i for i in others if self._may_hold_weights(i)]
        if chosen is None and len(candidates) == 1 and len([i for i in others if not self._is_row_number(i)]) == 1:
            chosen = candidates[0]
        if chosen is None and required:
            numeric = candidates or [i for i in others if self.kind(i) not in ("text", "empty", "date")]
            if len(numeric) != 1:
                among = list_columns([self.label(i) for i in numeric or others])
                raise DataError(
                    f"several columns may hold the weights: {among} (choose one with --weight NAME)"
                    if numeric
                    else "there is no column of weights"
                )
            chosen = numeric[0]
        return chosen, self._notes([i for i in others if i != chosen], chosen)

    def _holds_directions(self, column: int) -> bool:
        """Whether a column is Gephi's, which calls edges directed or undirected."""
        is_type = self.names is not None and plain_name(self.names[column]) == "type"
        return is_type and {value.lower() for value in self.values(column)} <= {"directed", "undirected", ""}

    def _is_row_number(self, column: int) -> bool:
        return column == 0 and is_index(self.values(0))

    def _says(self, column: int) -> str | None:
        """Return what the name of a column says that it holds."""
        return meaning_of_name(self.names[column]) if self.names and self.names[column].strip() else None

    def _has_no_name(self, column: int) -> bool:
        """Whether the first column has no name in a header, as that of row names."""
        return column == 0 and self.names is not None and not self.names[0].strip()

    def _may_hold_weights(self, column: int) -> bool:
        if self.kind(column) != "number" or (self.names is None and column == 0):
            return False
        return self.names is None or meaning_of_name(self.names[column]) is None

    def row_number_note(self, first: int, weight: int | None) -> tuple[Note, ...]:
        """Return a note if the first column of a table without a header may count the rows."""
        values = self.values(0)
        if self.names is not None or (first, weight) != (0, 2) or len(values) < _MIN_COUNTED or not is_index(values):
            return ()
        if not all(value.isdecimal() for value in self.values(2)):
            return ()
        message = "the first column counts the rows: if it holds no nodes, --columns 2,3 reads the others"
        return (Note("possible-row-numbers", message),)

    def two_kinds_note(self, first: int, second: int) -> tuple[Note, ...]:
        """Return a note if the names of two columns with ids in common may be those of different kinds of nodes."""
        if self.names is None or edge_columns([self.names[first], self.names[second]]) is not None:
            return ()
        plain = [plain_name(self.names[i]) for i in (first, second)]
        stems = [stem_of_name(self.names[i]) for i in (first, second)]
        if not all(name.endswith("id") for name in plain) or stems[0] == stems[1] or not self._share_ids(first, second):
            return ()
        one, other = self.label(first), self.label(second)
        message = f"took equal ids in {one} and {other} for one node (--bipartite keeps both kinds of nodes apart)"
        return (Note("possible-two-mode", message),)

    def _notes(self, ignored: Sequence[int], weight: int | None) -> tuple[Note, ...]:
        ignored = [i for i in ignored if not self._holds_directions(i)]
        if not ignored:
            return ()
        texts = []
        for column in ignored:
            says = self._says(column)
            kind = self.kind(column)
            if self._has_no_name(column):
                says = "row names"
            elif says is None and kind in ("counter", "sorted", "time", "date"):
                says = _KINDS[kind]
            elif column == 0 and self._is_row_number(column):
                says = "row numbers"
            texts.append(self.label(column) + (f" ({says})" if says else ""))
        numeric = [
            i
            for i in ignored
            if self.kind(i) in ("number", "time", "sorted", "counter")
            and not (self._is_row_number(i) or self._has_no_name(i) or self._says(i) == "an id")
        ]
        hint = ""
        if weight is None and numeric:
            name = self.label(numeric[0]) if self.names and self.names[numeric[0]].strip() else str(numeric[0] + 1)
            hint = (
                f" (--weight {_quoted(name)} reads it as weights)"
                if len(numeric) == 1
                else " (--weight NAME reads one)"
            )
        if self.names is not None and has_known_pair([self.names[i] for i in ignored]):
            hint = " (--columns SOURCE,TARGET chooses other columns)"
        message = f"ignored {list_columns(texts)}{hint}"
        names = [self.label(i) for i in ignored]
        is_detail = all(self._has_no_name(i) for i in ignored)
        return (Note("ignored-columns", message, {"names": names}, is_detail=is_detail),)


def _several_ids(values: Sequence[str], others: Sequence[str]) -> str | None:
    """Return a field that lists several nodes, if many fields do so; None without one.

    Commas also stand in names such as "Doe, Jane": they separate nodes only if these are ids elsewhere, or numbers.

    Parameters
    ----------
    values : sequence of str
        The fields of one column of ends.
    others : sequence of str
        Those of the other column.
    """
    for value in values:
        if _LIST.fullmatch(value):
            return value
    if len(values) < _MIN_MATRIX:
        return None
    ids, around = {*values, *others}, set(others)
    for mark in (";", "|", ","):
        lists = [value for value in values if mark in value.strip(mark)]
        if 3 * len(lists) <= len(values) or len(set(lists)) < len(lists) or not around.isdisjoint(lists):
            continue  # ids recur
        parts_of = {value: [part.strip() for part in value.split(mark) if part.strip()] for value in lists}
        counts = Counter(part for parts in parts_of.values() for part in parts if mark != ",")
        n_known = sum(any(part in ids or counts[part] > 1 for part in parts) for parts in parts_of.values())
        are_numbers = all(part.isdecimal() for parts in parts_of.values() for part in parts)
        if (
            2 * n_known >= len(parts_of)
            or are_numbers
            or (mark != "," and 2 * len(lists) > len(values) >= _MIN_COUNTED)
        ):
            return lists[0]
    return None


def _uneven_list(values: Sequence[str]) -> str | None:
    """Return a field with commas, if most fields have some and not all have equally many."""
    with_commas = [value for value in values if ", " in value]
    is_uneven = 2 * len(with_commas) > len(values) and len({value.count(",") for value in values}) > 1
    return with_commas[0] if is_uneven else None


def _quoted(name: str) -> str:
    return f'"{name}"' if re.search(r"\s", name) else name
