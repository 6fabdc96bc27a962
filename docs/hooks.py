"""Hooks of mkdocs: the tables of results.md, made from the files that `graphclust reproduce --format json` wrote."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).resolve().parents[1] / "results"
_SPREADS = ("_sd", "_se")


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Replace each line `{{ results FILE: column, column as Title, ... }}` by a table of rows, then of peers."""
    return re.sub(
        r"^\{\{ results ([\w-]+): (.*) \}\}$", lambda found: table(*found.groups()), markdown, flags=re.MULTILINE
    )


def table(name: str, wanted: str) -> str:
    """Return a table in Markdown: a mean is followed by its spread where the file has one."""
    path = RESULTS / f"{name}.json"
    if not path.exists():
        return "*Not measured yet.*"
    told = json.loads(path.read_text())
    columns = [(part.split(" as ")[0].strip(), part.split(" as ")[-1].strip()) for part in wanted.split(",")]
    lines = ["| " + " | ".join(title for _, title in columns) + " |", "|" + "---|" * len(columns)]
    for row in (*told["rows"], *told["peers"]):
        if any(isinstance(row.get(column), float) for column, _ in columns if not column.startswith("paper")):
            lines.append("| " + " | ".join(cell(row, column) for column, _ in columns) + " |")
    lines += ["", ", ".join(f"{key} {value}" for key, value in told["settings"].items()) + f"; results/{name}.json"]
    return "\n".join(lines)


def cell(row: dict[str, Any], column: str) -> str:
    """Write a value of a row."""
    value = row.get(column)
    if value is None:
        return ""
    if not isinstance(value, float):
        return f"{value:,}" if isinstance(value, int) else str(value)
    digits = 0 if abs(value) >= 1000 else 1 if abs(value) >= 10 else 3
    spread = next((row[column + end] for end in _SPREADS if isinstance(row.get(column + end), float)), None)
    return f"{value:,.{digits}f}" + ("" if spread is None else f" ± {spread:,.{digits}f}")
