"""Excel workbooks (.xlsx), by openpyxl: a sheet is read as a table of edges.

It is the first one whose header names the ends of edges, or else the first one with data.
"""

from __future__ import annotations

import csv
import io
from dataclasses import replace

from graphclust.graph import Graph
from graphclust.graph.column_names import edge_columns
from graphclust.io import edgelist
from graphclust.io.source import Source

__all__ = ["KEEPS_IDS", "read"]

KEEPS_IDS = True


def read(source: Source) -> Graph:
    """Read the sheet with the edges.

    Parameters
    ----------
    source : Source
        The options are those of other tables of edges.

    Returns
    -------
    Graph

    Raises
    ------
    DataError
        openpyxl is not installed, the file is damaged, or the sheet is no table of edges.
    """
    try:
        import openpyxl
    except ImportError:
        raise source.error(
            "Excel files need the package openpyxl (pip install openpyxl); or save the sheet as CSV"
        ) from None
    try:
        book = openpyxl.load_workbook(io.BytesIO(source.data), read_only=True, data_only=True)
        sheets = {sheet.title: list(sheet.iter_rows(values_only=True)) for sheet in book.worksheets}
    except Exception as error:  # noqa: BLE001 - openpyxl passes on whatever a damaged file provokes
        raise source.error(f"not an Excel file, or a damaged one ({error})") from None
    filled = [title for title, rows in sheets.items() if any(any(cell is not None for cell in row) for row in rows)]
    if not filled:
        raise source.error("the workbook is empty")
    if len(filled) > 1:
        with_ends = [title for title in filled if edge_columns([_text(cell) for cell in sheets[title][0]])]
        filled.sort(key=lambda title: title not in with_ends[:1])
        others = ", ".join(filled[1:])
        source.note("first-sheet", f"read the sheet {filled[0]} and no other ({others})", names=filled)
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows([_text(cell) for cell in row] for row in sheets[filled[0]])
    options = replace(source.options, delimiter=",", comment="none", encoding=None)
    table = Source(source.name, out.getvalue().encode(), ".xlsx", source.sha256, options, notes=source.notes)
    graph = edgelist.read(table)
    source.notes = table.notes
    return graph


def _text(cell: object) -> str:
    """Spell a cell as the sheet shows it."""
    if cell is None:
        return ""
    if isinstance(cell, float) and cell.is_integer() and abs(cell) < 1e15:
        return str(int(cell))
    return str(cell)
