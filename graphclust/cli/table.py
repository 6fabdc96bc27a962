"""Tables with aligned columns, which fit into a terminal."""

from __future__ import annotations

import csv
import io
import shutil
import textwrap
from typing import Any, BinaryIO

__all__ = ["print_table", "terminal_width", "write_rows"]

_GAP = "  "
_LEAST = 16  # width to which a column of text is narrowed


def terminal_width(stream: BinaryIO) -> int | None:
    """Return the number of characters in a line of a terminal, None for a file or a pipe."""
    return max(shutil.get_terminal_size().columns, 20) if stream.isatty() else None


def write_rows(rows: list[dict[str, Any]], stream: BinaryIO, format: str, names: tuple[str, ...] | None = None) -> None:
    """Write rows with equal keys as a table with aligned columns, or with separators.

    Parameters
    ----------
    rows : list of dict
    stream : binary file
    format : {"table", "tsv", "csv"}
    names : tuple of str, optional
        The columns; by default, those of the first row.
    """
    if format == "table":
        print_table(rows, stream)
        return
    text = io.StringIO()
    columns = names or tuple(rows[0] if rows else ())
    writer = csv.DictWriter(text, columns, delimiter="\t" if format == "tsv" else ",", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    stream.write(text.getvalue().encode())


def print_table(rows: list[dict[str, Any]], stream: BinaryIO) -> None:
    """Write rows with equal keys as a table with aligned columns. Columns of numbers are right-aligned.

    In a terminal, columns of text are wrapped. If the table does not fit even so, each row is a block with a line for
    each value.
    """
    if not rows:
        return
    names = list(rows[0])
    cells = [[_cell(row.get(name)) for name in names] for row in rows]
    numeric = [all(isinstance(row.get(name), int | float | None) for row in rows) for name in names]
    widths = [max(len(name), *(len(line[i]) for line in cells)) for i, name in enumerate(names)]
    limit = terminal_width(stream)
    if limit is not None:
        widths = _narrowed(widths, numeric, limit - len(_GAP) * (len(names) - 1))
        if sum(widths) + len(_GAP) * (len(names) - 1) > limit:
            stream.write(_blocks(names, cells, limit).encode())
            return
    lines = []
    for line in [names, *cells]:
        parts = [textwrap.wrap(value, width) or [""] for value, width in zip(line, widths, strict=True)]
        for i in range(max(map(len, parts))):
            row = [part[i] if i < len(part) else "" for part in parts]
            padded = [v.rjust(w) if n else v.ljust(w) for v, w, n in zip(row, widths, numeric, strict=True)]
            lines.append(_GAP.join(padded).rstrip() + "\n")
    stream.write("".join(lines).encode())


def _narrowed(widths: list[int], numeric: list[bool], total: int) -> list[int]:
    """Return widths with a sum of at most `total`, if columns of text can be narrowed so much."""
    widths = list(widths)
    while sum(widths) > total:
        text = [i for i, width in enumerate(widths) if not numeric[i] and width > _LEAST]
        if not text:
            break
        widths[max(text, key=lambda i: widths[i])] -= 1
    return widths


def _blocks(names: list[str], cells: list[list[str]], limit: int) -> str:
    """Return a block for each row, with a line for each value."""
    indent = min(max(map(len, names)) + len(_GAP), limit // 2)
    blocks = []
    for line in cells:
        values = zip(names, line, strict=True)
        wrapped = [
            textwrap.fill(value, limit, initial_indent=f"{name:<{indent}}", subsequent_indent=" " * indent)
            for name, value in values
        ]
        blocks.append("\n".join(wrapped) + "\n")
    return "\n".join(blocks)


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    return f"{value:.4f}" if isinstance(value, float) else str(value)
