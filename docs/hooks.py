"""Hooks of mkdocs: the tables of results.md and the notes in results/.

The tables are made from the files that `graphclust reproduce --format json` wrote. Each Markdown file in results/
becomes a page of the site. Links to and from these notes are relative to the repository and are rewritten for the site.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mkdocs.structure.files import File

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files

RESULTS = Path(__file__).resolve().parents[1] / "results"
_SPREADS = ("_sd", "_se")
_UNCERTAIN = (0.05, 0.95)  # co-membership probabilities that are neither nearly 0 nor nearly 1


def on_files(files: Files, *, config: MkDocsConfig) -> Files:
    """Add each note in results/ as a page at the root of the site, and the plots beside them."""
    for file in (*sorted(RESULTS.glob("*.md")), *sorted(RESULTS.glob("*.png"))):
        files.append(File.generated(config, file.name, abs_src_path=str(file)))
    return files


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Rewrite links of notes, and replace each line `{{ results FILE: column, column as Title, ... }}` by a table.

    The table has the rows of the file, then those of peers.
    """
    markdown = re.sub(r"\]\(((?:\.\./)*)\.\./(?:results|docs)/(?=[\w/-]+\.md)", r"](\1", markdown)
    return re.sub(
        r"^\{\{ results ([\w-]+): (.*) \}\}$", lambda match: table(*match.groups()), markdown, flags=re.MULTILINE
    )


def table(name: str, wanted: str) -> str:
    """Return a table in Markdown: a mean is followed by its spread where the file has one."""
    path = RESULTS / f"{name}.json"
    if not path.exists():
        return "*Not measured yet.*"
    results = json.loads(path.read_text())
    columns = [(part.split(" as ")[0].strip(), part.split(" as ")[-1].strip()) for part in wanted.split(",")]
    lines = ["| " + " | ".join(title for _, title in columns) + " |", "|" + "---|" * len(columns)]
    for row in (*with_calibration(results), *results["peers"]):
        if any(isinstance(row.get(column), float) for column, _ in columns if not column.startswith("paper")):
            lines.append("| " + " | ".join(cell(row, column) for column, _ in columns) + " |")
    for row in (*results["rows"], *results["peers"]):
        if "note" in row:
            data = f" on {row['data']}" if "data" in row else ""
            lines += ["", f'"{row["method"]}"{data}: {row["note"]}.']
    lines += ["", ", ".join(f"{key} {value}" for key, value in results["settings"].items()) + f"; results/{name}.json"]
    return "\n".join(lines)


def with_calibration(results: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the rows of a table, with `calibration_error_uncertain` where the file has a model's reliability table.

    A row belongs to the model that its training command writes (`--out NAME.safetensors`).
    """
    tables = results.get("calibration", {})
    rows = []
    for row in results["rows"]:
        model = re.search(r"--out (\S+)\.safetensors", row.get("command", ""))
        if model and model[1] in tables:
            row = row | {"calibration_error_uncertain": uncertain_error(tables[model[1]])}
        rows.append(row)
    return rows


def uncertain_error(bins: list[dict[str, float]]) -> float:
    """Return the calibration error over the pairs of nodes whose co-membership probability is between 0.05 and 0.95.

    The mean distance between a bin's mean probability and the share of its pairs that are together, weighted by pairs.
    """
    low, high = _UNCERTAIN
    uncertain = [row for row in bins if low - 1e-9 <= row["from"] < high - 1e-9]
    pairs = sum(row["pairs"] for row in uncertain)
    return sum(row["pairs"] * abs(row["predicted"] - row["observed"]) for row in uncertain) / pairs


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
