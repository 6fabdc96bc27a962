"""Tables of points: a row each, with numbers in its columns, and perhaps an id and a label of the class.

The file is text in any of the dialects of `graphclust.io.tables`, parquet, .npy or .npz.
"""

from __future__ import annotations

import io
import math
import os
import re
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from graphclust.errors import DataError, UsageError, unknown
from graphclust.graph.columns import looks_numeric, number_style
from graphclust.graph.labels import is_missing_text
from graphclust.io.archive import open_file
from graphclust.io.features import array_of_features
from graphclust.io.source import Source, shorten
from graphclust.io.tables import Expectation, Sample, parse_separator, read_rows, separator_name, sniff
from graphclust.runtime.arrays import FloatArray
from graphclust.runtime.checks import refuse_unknown
from graphclust.runtime.notes import Note, counted

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["MISSING", "PointTable", "point_table", "read_point_table"]

MISSING = ("refuse", "drop", "mean")
_ID_NAMES = {"", "id", "ids", "index", "name", "node", "key", "unnamed: 0", "row", "rownames", "case", "sample"}
_ID_NAME = re.compile(r"(?:^|[^a-zA-Z])id$|[a-z]ID$|[a-z]Id$|^ID$")
_MISSING_MARKS = {"?", "-", "\u2013", ".", "*", "missing"}
_BOOLEANS = {"true", "false"}
_SAMPLE = 1000  # cells of each column that show how numbers are written
_MOSTLY = 0.5  # share of numbers from which a column of text is taken for numbers with mistakes
_LISTED = 6  # names in a note


@dataclass(frozen=True)
class PointTable:
    """Points in the rows of a table.

    Attributes
    ----------
    ids : list
        Of the rows: a column of the table, the index of a DataFrame, or 0, 1, ...
    x : ndarray of float64, shape (n_rows, n_columns)
    columns : list of str
        Names of the columns of `x`.
    labels : dict or None
        Class of each row by its id, without rows whose class is missing; None if the table has no column of classes.
    notes : tuple of Note
        What was left out or filled in.
    source, sha256 : str or None
        The file and its checksum.
    """

    ids: list[Any]
    x: FloatArray
    columns: list[str]
    labels: dict[Hashable, Any] | None
    notes: tuple[Note, ...]
    source: str | None = None
    sha256: str | None = None


class _PointExpectation(Expectation):
    """Numbers, perhaps with text in some columns."""

    def is_header(self, first: Sequence[str], rest: Any, comments: Sequence[str]) -> bool:
        """Return whether a column of numbers, or of yes and no, has a word in its first row."""
        body = [row for row, _ in zip(rest, range(100), strict=False) if row]
        first = ["", *first] if body and all(len(row) == len(first) + 1 for row in body) else first
        columns = list(zip(*[row for row in body if len(row) == len(first)], strict=True))
        return any(
            not looks_numeric(name) and not _is_missing(name) and name.lower() not in _BOOLEANS and _are_numbers(column)
            for name, column in zip(first, columns, strict=False)
        )


def _are_numbers(cells: Iterable[str]) -> bool:
    """Return whether cells are numbers, or all true or false, apart from missing ones."""
    present = [cell for cell in cells if not _is_missing(cell)]
    return bool(present) and (all(map(looks_numeric, present)) or all(cell.lower() in _BOOLEANS for cell in present))


def _is_missing(cell: Any) -> bool:
    """Return whether a cell has no value."""
    if isinstance(cell, str):
        return is_missing_text(cell) or cell.strip() in _MISSING_MARKS
    return cell is None or cell != cell


def read_point_table(
    path: str | os.PathLike[str],
    *,
    label_column: str | None = None,
    id_column: str | None = None,
    columns: str | Sequence[str] | None = None,
    missing: str = "refuse",
    delimiter: str | None = None,
    header: bool | None = None,
    encoding: str | None = None,
) -> PointTable:
    """Read a table of points from a file.

    Parameters
    ----------
    path : str or PathLike
        Text, parquet, .npy or .npz with one array; "-" for standard input. The file may be compressed.
    label_column, id_column, columns, missing
        See `point_table`; a column can also be given by its number from 1.
    delimiter : str, optional
        As in `graphclust.read_graph`, like `header` and `encoding`.
    header : bool, optional
    encoding : str, optional

    Returns
    -------
    PointTable

    Raises
    ------
    DataError
        The file cannot be read, or as `point_table`.
    """
    source = open_file(path)
    source.options = replace(source.options, encoding=encoding)
    chosen: dict[str, Any] = {"label_column": label_column, "id_column": id_column, "columns": columns}
    try:
        table = point_table(_frame(source, delimiter, header), **chosen, missing=missing)
    except DataError as error:
        raise source.error(error.message) if error.path is None else error from None
    return replace(table, notes=(*source.notes, *table.notes), source=source.name, sha256=source.sha256)


def _frame(source: Source, delimiter: str | None, header: bool | None) -> pd.DataFrame:
    """Read a file into columns: of text if it is text, with its style of numbers in `attrs`."""
    import pandas as pd

    if source.data[:4] == b"PAR1":
        return pd.read_parquet(io.BytesIO(source.data))
    if source.suffix in (".xlsx", ".xlsm"):
        return _sheet(source)
    if source.data[:6] == b"\x93NUMPY" or source.data[:2] == b"PK":
        array = array_of_features(source)
        return pd.DataFrame(array, columns=_numbered(array.shape[1]))
    data = source.utf8()
    if data.lstrip()[:1] in (b"{", b"["):
        raise source.error("this is JSON, not a table")
    separators = _PointExpectation.separators if delimiter is None else (parse_separator(delimiter),)
    expected = _PointExpectation(separators, header, ("#",), multiline_quotes=True)
    sample = Sample.of(data, expected)
    if not sample.lines:
        raise source.error("the file is empty")
    dialect = sniff(sample, expected)
    rows = list(read_rows(source, data.decode(), dialect))
    if not rows or (len(rows) == 1 and not any(map(looks_numeric, rows[0][1]))):
        raise source.error("the table has no rows below its header")
    names = None if dialect.header is None else list(dialect.header)
    width = max(len(cells) for _, cells in rows)
    if names is not None and width == len(names) + 1 and all(len(cells) == width for _, cells in rows):
        names = ["", *names]  # R leaves out the name of the column of row names
    usual = dialect.n_columns if names is None else len(names)
    for line, cells in rows:
        if len(cells) > usual:
            raise source.error(f"expected {usual} columns, found {len(cells)}", line)
    names = _numbered(usual) if names is None else _distinct(names)
    columns = {name: [cells[i] if i < len(cells) else "" for _, cells in rows] for i, name in enumerate(names)}
    columns = {name: cells for name, cells in columns.items() if name or any(cells)}  # a mark ends each line
    cells = [cell for column in columns.values() for cell in column[:_SAMPLE] if looks_numeric(cell)]
    try:
        style = number_style(cells, dialect.separator)
    except DataError as error:
        raise source.error(error.message.replace("the weights", "the numbers")) from None
    kind = "no header" if dialect.header is None else "a header"
    separator = separator_name(dialect.separator)
    source.note("dialect", f"table separated by {separator}, {kind}", is_detail=True, delimiter=dialect.separator)
    frame = pd.DataFrame(columns, dtype=object)
    frame.attrs["style"] = style
    return frame


def _numbered(number: int) -> list[str]:
    return [f"column {i + 1}" for i in range(number)]


def _sheet(source: Source) -> pd.DataFrame:
    """Parse the first sheet of an Excel workbook."""
    import pandas as pd

    try:
        return pd.read_excel(io.BytesIO(source.data))
    except ImportError:
        message = "Excel files need the package openpyxl (pip install openpyxl); or save the sheet as CSV"
        raise source.error(message) from None
    except Exception as error:  # noqa: BLE001 - openpyxl passes on whatever a damaged file provokes
        raise source.error(f"not an Excel file, or a damaged one ({error})") from None


def _distinct(names: Sequence[str]) -> list[str]:
    """Return the names of columns, with numbers where a name is repeated."""
    seen: dict[str, int] = {}
    for name in names:
        seen[name] = seen.get(name, 0) + 1
    counts = dict.fromkeys(names, 0)
    distinct = []
    for name in names:
        counts[name] += 1
        distinct.append(name if seen[name] == 1 else f"{name} ({counts[name]})")
    return distinct


def point_table(
    frame: pd.DataFrame,
    *,
    label_column: str | None = None,
    id_column: str | None = None,
    columns: str | Sequence[str] | None = None,
    missing: str = "refuse",
) -> PointTable:
    """Take the points from a DataFrame.

    Parameters
    ----------
    frame : DataFrame
    label_column : str, optional
        Column with the classes of the rows, which is not among the features.
    id_column : str, optional
        Column with their ids. By default, the index unless it counts the rows; or a column whose name says so, such as
        id or customer_id, or a first column of text or without a name, if its values are distinct. A note says so.
    columns : str or sequence of str, optional
        Columns of the features; by default all other columns of numbers.
    missing : {"refuse", "drop", "mean"}
        What happens to rows with missing values: an error, left out, or filled in with the mean of the column.

    Returns
    -------
    PointTable

    Raises
    ------
    UsageError
        There is no such column, or no such way to treat missing values.
    DataError
        Values are missing or not numbers, ids are not distinct, or no column has numbers.
    """
    refuse_unknown("missing", missing, MISSING)
    if not frame.columns.is_unique:
        frame = frame.set_axis(_distinct(list(map(str, frame.columns))), axis=1)
    label = None if label_column is None else _column(frame, label_column)
    others = [name for name in frame.columns if label is None or name != label]
    ids, id_name = _ids(frame, others, None if id_column is None else _column(frame, id_column))
    others = [name for name in others if id_name is None or name != id_name]
    if columns is not None:
        others = _chosen(frame, columns, [name for name in (label, id_name if id_column else None) if name is not None])
    notes = []
    if id_name is not None and id_column is None:
        message = f"used {_named(id_name)} as the ids of the rows (--id chooses another column)"
        notes.append(Note("ids", message, {"column": str(id_name)}))
    empty = [name for name in others if frame[name].map(_is_missing).all() and columns is None]
    features = [name for name in others if name not in empty and (columns is not None or _is_numeric(frame[name]))]
    for code, what, names in (
        ("empty-columns", "without values", empty),
        ("left-out-columns", "without numbers", [name for name in others if name not in (*features, *empty)]),
    ):
        if names:
            listed = _listed(list(map(str, names)))
            notes.append(Note(code, f"left out {counted(len(names), 'column')} {what}: {listed}", {"columns": names}))
    if not features:
        hint = " (--delimiter sets the separator)" if len(frame.columns) == 1 else ""
        raise DataError(f"the table has no column of numbers{hint}")
    style = frame.attrs.get("style", (".", ""))
    x = np.column_stack([_numbers(frame[name], str(name), style) for name in features])
    rows, missing_notes = _complete(x, [str(name) for name in features], missing)
    notes += missing_notes
    used = f"{counted(len(features), 'column')}: {_listed(list(map(str, features)))}"
    notes.insert(0, Note("columns", f"used {used}", {"columns": list(map(str, features))}, is_detail=True))
    suspicious = [str(name) for name in features if _ID_NAME.search(str(name)) and columns is None]
    if suspicious:
        message = f"used {suspicious[0]} as a feature: if it holds ids, --columns leaves it out"
        notes.append(Note("possible-ids", message, {"columns": suspicious}))
    labels = None
    if label is not None:
        values = frame[label].tolist()
        labels = {ids[i]: values[i] for i in rows if not _is_missing(values[i])}
    return PointTable([ids[i] for i in rows], x[rows], list(map(str, features)), labels, tuple(notes))


def _chosen(frame: pd.DataFrame, columns: str | Sequence[str], taken: Sequence[Any]) -> list[Any]:
    """Return the columns that were asked for.

    Raises
    ------
    UsageError
        A column is listed twice, or holds the classes or the ids.
    """
    chosen = [_column(frame, name) for name in (columns.split(",") if isinstance(columns, str) else columns)]
    for name in chosen:
        if name in taken:
            raise UsageError(f"{_named(name)} holds the classes or the ids: it cannot be among the columns to use")
        if chosen.count(name) > 1:
            raise UsageError(f"{_named(name)} is listed twice")
    return chosen


def _named(column: Any) -> str:
    """Return how messages call a column."""
    name = str(column)
    return name if name.startswith("column ") else f"the column {name}" if name else "the first column"


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return ", ".join(names[:_LISTED]) + more


def _column(frame: pd.DataFrame, name: Any) -> Any:
    """Return the name of a column, which is given by its name or, as text, by its number from 1."""
    if name in frame.columns:
        return name
    if isinstance(name, str):
        matching = [known for known in frame.columns if str(known).strip().lower() == name.strip().lower()]
        if len(matching) == 1:
            return matching[0]
        if name.strip().isdecimal() and 1 <= int(name) <= len(frame.columns):
            return frame.columns[int(name) - 1]
    raise unknown("column", name, list(map(str, frame.columns)))


def _ids(frame: pd.DataFrame, others: Sequence[Any], chosen: Any) -> tuple[list[Any], Any]:
    """Return the ids of the rows, and the column that holds them, None if none does."""
    import pandas as pd

    if chosen is not None:
        cells = frame[chosen]
        is_missing = cells.map(lambda cell: cell == "" or cell is None or cell != cell)
        if is_missing.any():
            raise DataError(f"{_named(chosen)} has missing ids, the first in row {_first(is_missing)}")
        if cells.duplicated().any():
            repeated = cells[cells.duplicated()].iloc[0]
            raise DataError(f"the ids in {chosen} are not distinct: {shorten(repeated)} occurs twice")
        return _as_ids(cells.tolist()), chosen
    if not isinstance(frame.index, pd.RangeIndex) and frame.index.is_unique and frame.index.nlevels == 1:
        return frame.index.tolist(), None
    names = [name for name in others if isinstance(name, str)]
    candidates = [name for name in names if _ID_NAME.search(name) or name.strip().lower() in _ID_NAMES]
    candidates += [name for name in names[:1] if not _is_numeric(frame[name])]
    for name in candidates:
        cells = frame[name]
        has_gaps = bool(cells.map(lambda cell: cell == "" or cell is None or cell != cell).any())
        is_float = cells.dtype.kind == "f" and not (cells == cells.round()).all()
        if not has_gaps and not cells.duplicated().any() and not is_float:
            return _as_ids(cells.tolist()), name
    return list(range(len(frame))), None


def _as_ids(cells: list[Any]) -> list[Any]:
    """Return ids as integers if all are written like integers, without leading zeros."""
    if all(isinstance(cell, str) and re.fullmatch(r"0|-?[1-9][0-9]{0,17}", cell) for cell in cells):
        return [int(cell) for cell in cells]
    return cells


def _first(is_wrong: Any) -> int:
    """Return the number of the first row, counted from 1, for which a condition holds."""
    return int(np.flatnonzero(np.asarray(is_wrong))[0]) + 1


def _is_numeric(column: pd.Series) -> bool:
    """Return whether a column has numbers or truth values, at least mostly."""
    import pandas as pd

    if pd.api.types.is_numeric_dtype(column):
        return not pd.api.types.is_complex_dtype(column)
    if column.dtype.kind in "mM":
        return False
    cells = [str(cell) for cell in column.tolist() if not _is_missing(cell)]
    if cells and all(cell.lower() in _BOOLEANS for cell in cells):
        return True
    return bool(cells) and sum(map(looks_numeric, cells)) > _MOSTLY * len(cells)


def _numbers(column: pd.Series, name: str, style: tuple[str, str]) -> FloatArray:
    """Return a column as numbers, NaN where they are missing.

    Raises
    ------
    DataError
        A value is neither missing nor a finite number.
    """
    import pandas as pd

    if pd.api.types.is_numeric_dtype(column):
        numbers: FloatArray = column.to_numpy(dtype=np.float64, na_value=np.nan)
    else:
        numbers = np.array([_number(column.iloc[i], i, name, style) for i in range(len(column))])
    if np.isinf(numbers).any():
        raise DataError(f"{_named(name)} has an infinite number in row {_first(np.isinf(numbers))}")
    return numbers


def _number(cell: Any, row: int, name: str, style: tuple[str, str]) -> float:
    """Return the number in a cell, NaN if it is missing."""
    if _is_missing(cell):
        return math.nan
    text = str(cell).strip()
    if text.lower() in _BOOLEANS:
        return float(text.lower() == "true")
    decimal, thousands = style
    plain = text.replace(thousands, "") if thousands else text
    try:
        return float(plain.replace(decimal, ".") if decimal != "." else plain)
    except ValueError:
        raise DataError(f"{_named(name)} has {shorten(text)} instead of a number in row {row + 1}") from None


def _complete(x: FloatArray, names: Sequence[str], missing: str) -> tuple[list[int], list[Note]]:
    """Return the rows to keep, after filling in the missing values of `x` if these are to be filled in, and notes.

    Raises
    ------
    DataError
        Values are missing, and `missing` is "refuse"; or a row or column has nothing else.
    """
    is_missing = ~np.isfinite(x)
    incomplete = np.flatnonzero(is_missing.any(axis=1))
    if not len(incomplete):
        return list(range(len(x))), []
    number = {"n_rows": len(incomplete)}
    if missing == "drop":
        complete = np.flatnonzero(~is_missing.any(axis=1)).tolist()
        if not complete:
            raise DataError("every row has missing values: --missing mean (missing='mean') fills them in")
        message = f"left out {counted(len(incomplete), 'row')} with missing values"
        return complete, [Note("dropped-rows", message, number)]
    row, column = np.argwhere(is_missing)[0].tolist()
    if missing == "refuse":
        raise DataError(
            f"{counted(len(incomplete), 'row')} with missing values, the first in row {row + 1}, {names[column]} "
            "(--missing drop leaves such rows out, --missing mean fills them in)"
        )
    empty = np.flatnonzero(is_missing.all(axis=0))
    if len(empty):
        raise DataError(f"the column {names[int(empty[0])]} has no values")
    means = np.nanmean(np.where(is_missing, np.nan, x), axis=0)
    x[is_missing] = means[np.nonzero(is_missing)[1]]
    message = f"filled in the means of columns for missing values in {counted(len(incomplete), 'row')}"
    return list(range(len(x))), [Note("filled-in", message, number)]
