"""Tables of points: a row each, with numbers in its columns, and perhaps an id and a label of the class.

The file is text in any of the dialects of `graphclust.io.tables`, parquet, .npy or .npz. pandas parses the columns.
"""

from __future__ import annotations

import io
import os
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from graphclust.errors import DataError, unknown
from graphclust.graph.columns import number_style
from graphclust.graph.labels import is_missing_text
from graphclust.io.archive import open_file
from graphclust.io.features import array_of_features
from graphclust.io.source import Source, is_number, shorten
from graphclust.io.tables import Expectation, Sample, parse_separator, sniff
from graphclust.runtime.arrays import FloatArray
from graphclust.runtime.checks import refuse_unknown
from graphclust.runtime.notes import Note, counted

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["MISSING", "PointTable", "point_table", "read_point_table"]

MISSING = ("refuse", "drop", "mean")
_ID_NAMES = {"", "id", "ids", "index", "name", "node", "key", "unnamed: 0", "row", "rownames", "case", "sample"}
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
    source : str or None
        The file.
    """

    ids: list[Any]
    x: FloatArray
    columns: list[str]
    labels: dict[Hashable, Any] | None
    notes: tuple[Note, ...]
    source: str | None = None


class _PointExpectation(Expectation):
    """Numbers, perhaps with text in some columns."""

    def is_header(self, first: Sequence[str], rest: Any, comments: Sequence[str]) -> bool:
        """Return whether a column of numbers has a word in its first row."""
        body = [row for row, _ in zip(rest, range(100), strict=False) if len(row) == len(first)]
        columns = list(zip(*body, strict=True))
        return any(
            not is_number(name) and name != "?" and all(is_number(cell) or is_missing_text(cell) for cell in column)
            for name, column in zip(first, columns, strict=False)
        )


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
        return replace(table, notes=(*source.notes, *table.notes), source=source.name)
    except DataError as error:
        raise source.error(error.message) if error.path is None else error from None


def _frame(source: Source, delimiter: str | None, header: bool | None) -> pd.DataFrame:
    """Parse a file into columns, whose names are numbers if the file has none."""
    import pandas as pd

    if source.data[:4] == b"PAR1":
        return pd.read_parquet(io.BytesIO(source.data))
    if source.suffix in (".xlsx", ".xlsm"):
        return _sheet(source)
    if source.data[:6] == b"\x93NUMPY" or source.data[:2] == b"PK":
        return pd.DataFrame(array_of_features(source))
    data = source.utf8()
    separators = _PointExpectation.separators if delimiter is None else (parse_separator(delimiter),)
    expected = _PointExpectation(separators, header, ("#",), multiline_quotes=True)
    sample = Sample.of(data, expected)
    if not sample.lines:
        raise source.error("the file is empty")
    dialect = sniff(sample, expected)
    cells = [cell for row in sample.rows(dialect.separator)[dialect.header is not None :] for cell in row]
    decimal, thousands = number_style(cells, dialect.separator)
    try:
        return pd.read_csv(
            io.BytesIO(data),
            sep=r"\s+" if dialect.separator is None else dialect.separator,
            header=None if dialect.header is None else 0,
            names=_distinct(dialect.header or [f"column {i + 1}" for i in range(dialect.n_columns)]),
            index_col=False,
            skipinitialspace=True,
            comment="#" if sample.comments else None,
            na_values=["?", "-", ".", "na", "none", "missing"],
            decimal=decimal,
            thousands=thousands or None,
            engine="python" if len(dialect.separator or "") > 1 else "c",
        )
    except (ValueError, pd.errors.ParserError) as error:
        message = str(error).removeprefix("Error tokenizing data. C error: ").strip()
        raise source.error(f"not a table of points: {message}") from None


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
        Column with their ids. By default, the index unless it counts the rows; or a first column that is called id,
        index, name or nothing, or the only column of text, if its values are distinct.
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
    label = None if label_column is None else _column(frame, label_column)
    others = [name for name in frame.columns if name != label]
    ids, id_name = _ids(frame, others, None if id_column is None else _column(frame, id_column))
    others = [name for name in others if id_name is None or name != id_name]
    if columns is not None:
        listed = columns.split(",") if isinstance(columns, str) else columns
        others = [_column(frame, name) for name in listed]
    is_numeric = {name: _is_numeric(frame[name]) for name in others}
    features = [name for name in others if is_numeric[name] or columns is not None]
    notes = []
    left_out = [str(name) for name in others if name not in features]
    if left_out:
        what = f"{counted(len(left_out), 'column')} without numbers: {_listed(left_out)}"
        notes.append(Note("left-out-columns", f"left out {what}", {"columns": left_out}))
    if not features:
        raise DataError("the table has no column of numbers")
    x = np.column_stack([_numbers(frame[name], str(name)) for name in features])
    rows, missing_notes = _complete(x, [str(name) for name in features], missing)
    notes += missing_notes
    taken = f"{counted(len(features), 'column')}: {_listed(list(map(str, features)))}"
    by_id = "" if id_name is None else f", ids in {id_name or 'the first column'}"
    notes.insert(0, Note("columns", f"took {taken}{by_id}", {"columns": list(map(str, features))}, is_detail=True))
    labels = None
    if label is not None:
        values = frame[label].tolist()
        is_missing = frame[label].isna().tolist()
        labels = {ids[i]: values[i] for i in rows if not is_missing[i]}
    return PointTable([ids[i] for i in rows], x[rows], list(map(str, features)), labels, tuple(notes))


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return ", ".join(names[:_LISTED]) + more


def _column(frame: pd.DataFrame, name: str) -> Any:
    """Return the name of a column, which is given by its name or number."""
    if name in frame.columns:
        return name
    matching = [known for known in frame.columns if str(known).strip().lower() == str(name).strip().lower()]
    if len(matching) == 1:
        return matching[0]
    if str(name).strip().isdecimal() and 1 <= int(name) <= len(frame.columns):
        return frame.columns[int(name) - 1]
    raise unknown("column", name, list(map(str, frame.columns)))


def _ids(frame: pd.DataFrame, others: Sequence[Any], chosen: Any) -> tuple[list[Any], Any]:
    """Return the ids of the rows, and the column that holds them, None if none does."""
    import pandas as pd

    if chosen is not None:
        ids = frame[chosen].tolist()
        if frame[chosen].isna().any():
            raise DataError(f"the column {chosen} has missing ids, the first in row {_first(frame[chosen].isna())}")
        if frame[chosen].duplicated().any():
            repeated = frame[chosen][frame[chosen].duplicated()].iloc[0]
            raise DataError(f"the ids in {chosen} are not distinct: {shorten(repeated)} occurs twice")
        return ids, chosen
    if not isinstance(frame.index, pd.RangeIndex) and frame.index.is_unique and frame.index.nlevels == 1:
        return frame.index.tolist(), None
    text = [name for name in others if not _is_numeric(frame[name]) and frame[name].nunique() == len(frame)]
    candidates = [name for name in others[:1] if str(name).strip().lower() in _ID_NAMES and not isinstance(name, int)]
    candidates += text if len(text) == 1 else []
    for name in candidates:
        if not frame[name].isna().any() and not frame[name].duplicated().any():
            return frame[name].tolist(), name
    return list(range(len(frame))), None


def _first(is_wrong: Any) -> int:
    """Return the number of the first row, counted from 1, for which a condition holds."""
    return int(np.flatnonzero(np.asarray(is_wrong))[0]) + 1


def _is_numeric(column: pd.Series) -> bool:
    """Return whether a column has numbers, at least mostly."""
    import pandas as pd

    if pd.api.types.is_numeric_dtype(column):
        return not pd.api.types.is_complex_dtype(column)
    if column.dtype.kind in "mM" or not len(column):
        return False
    texts = column.dropna().astype(str)
    return bool(len(texts)) and float(texts.map(is_number).mean()) > _MOSTLY


def _numbers(column: pd.Series, name: str) -> FloatArray:
    """Return a column as numbers, NaN where they are missing.

    Raises
    ------
    DataError
        A value is neither missing nor a number.
    """
    import pandas as pd

    values = pd.to_numeric(column, errors="coerce")
    is_wrong = values.isna() & column.notna()
    if is_wrong.any():
        row = _first(is_wrong)
        raise DataError(f"the column {name} has {shorten(str(column.iloc[row - 1]))} instead of a number in row {row}")
    numbers: FloatArray = values.to_numpy(dtype=np.float64, na_value=np.nan)
    return numbers


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
        kept = np.flatnonzero(~is_missing.any(axis=1)).tolist()
        if not kept:
            raise DataError("every row has missing values: --missing mean (missing='mean') fills them in")
        message = f"left out {counted(len(incomplete), 'row')} with missing values"
        return kept, [Note("dropped-rows", message, number)]
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
