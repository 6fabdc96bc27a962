"""The rows of training/queue.toml, which describe what to train and how long."""

from __future__ import annotations

import shlex
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["QueueError", "Row", "Table", "read_table"]

_NEEDED = {"name", "command", "priority"}
_POSSIBLE = {"steps", "full_steps", "weights", "log", "requires", "commit"}
_RESERVED = {  # options that the queue adds itself, or that prevent resuming a run
    "--out", "-o", "--log", "--resume", "--steps", "--start", "--minutes", "--benchmark", "--processes", "--average",
}  # fmt: skip


class QueueError(Exception):
    """An error of the queue; the message says what went wrong and what to do."""


@dataclass(frozen=True)
class Row:
    """A model to train.

    Attributes
    ----------
    name : str
        Name of the row and of its files.
    command : tuple of str
        `graphclust train METHOD ...` without the options that the queue adds.
    priority : int
        Rows of lower priority numbers run first.
    steps, full_steps : int
        The first goal and the published number of steps.
    weights, log : str
        Paths of the results of a reached goal, relative to the root of the checkout.
    requires : tuple of (str, str)
        Files of the commit to train from, and texts that they must contain; otherwise the row is skipped.
    commit : str or None
        The commit to train from; by default the one at which the run started.
    """

    name: str
    command: tuple[str, ...]
    priority: int
    steps: int
    full_steps: int
    weights: str
    log: str
    requires: tuple[tuple[str, str], ...] = ()
    commit: str | None = None

    @property
    def compact_state(self) -> str:
        """Path of the compact state."""
        return str(Path(self.weights).with_suffix(".state.safetensors"))

    @property
    def folder(self) -> str:
        """Folder of the committed files."""
        return str(Path(self.weights).parent)

    @property
    def batch_size(self) -> int | None:
        """Number of graphs per step, if the command sets it."""
        words = [part for word in self.command for part in word.split("=", 1)]
        return int(words[words.index("--batch-size") + 1]) if "--batch-size" in words else None


@dataclass(frozen=True)
class Table:
    """The rows in the order of their priorities, and the options of all their commands.

    Attributes
    ----------
    rows : tuple of Row
    options, gpu_options : tuple of str
        Options that are added to every command, and those that are added if there is a GPU.
    """

    rows: tuple[Row, ...]
    options: tuple[str, ...]
    gpu_options: tuple[str, ...]


def read_table(path: Path) -> Table:
    """Read the file with the rows.

    Raises
    ------
    QueueError
        The file cannot be read, or a row is incomplete or invalid.
    """
    try:
        content = tomllib.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise QueueError(f"cannot read {path}: {error}") from None
    settings = content.get("settings", {})
    rows = [_row(values, settings, path) for values in content.get("row", [])]
    if len({row.name for row in rows}) < len(rows):
        raise QueueError(f"{path}: two rows have the same name")
    options = (tuple(shlex.split(settings.get(name, ""))) for name in ("options", "gpu_options"))
    return Table(tuple(sorted(rows, key=lambda row: row.priority)), *options)


def _row(values: dict[str, Any], settings: dict[str, Any], path: Path) -> Row:
    if invalid := (_NEEDED - values.keys()) | (values.keys() - _NEEDED - _POSSIBLE):
        raise QueueError(
            f"{path}: {', '.join(sorted(invalid))} is missing or unknown in the row {values.get('name')!r}"
        )
    name = values["name"]
    folder = settings.get("folder", "results/models")
    first = int(values.get("steps", settings.get("steps", 0)))
    full = int(values.get("full_steps", settings.get("full_steps", first)))
    if not 0 < first <= full:
        raise QueueError(f"{path}: {name} needs 0 < steps <= full_steps, not {first} and {full}")
    return Row(
        name=name,
        command=_command(values["command"], name, path),
        priority=int(values["priority"]),
        steps=first,
        full_steps=full,
        weights=values.get("weights", f"{folder}/{name}.safetensors"),
        log=values.get("log", f"{folder}/{name}.log.jsonl"),
        requires=tuple(_requirement(text, path) for text in values.get("requires", ())),
        commit=values.get("commit"),
    )


def _command(text: str, name: str, path: Path) -> tuple[str, ...]:
    words = tuple(shlex.split(text))
    if words[:2] != ("graphclust", "train") or len(words) < 3:
        raise QueueError(f"{path}: the command of {name} does not start with graphclust train METHOD")
    if reserved := [word for word in words if word.partition("=")[0] in _RESERVED]:
        raise QueueError(f"{path}: the command of {name} has {reserved[0]}, which the queue sets or cannot resume")
    return words


def _requirement(text: str, path: Path) -> tuple[str, str]:
    file, colon, content = text.partition(": ")
    if not colon or not content:
        raise QueueError(f"{path}: a requirement must be 'FILE: TEXT', not {text!r}")
    return file, content
