"""The rows of training/queue.toml: what to train, and how long."""

from __future__ import annotations

import shlex
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["QueueError", "Row", "Table", "read_table"]

_NEEDED = {"name", "command", "priority"}
_POSSIBLE = {"steps", "full_steps", "weights", "log", "requires", "commit"}
_OF_THE_QUEUE = {  # options of a command that the queue adds itself, or that would not let a run go on
    "--out", "-o", "--log", "--resume", "--steps", "--start", "--minutes", "--benchmark", "--processes", "--average",
}  # fmt: skip


class QueueError(Exception):
    """What the queue cannot do, and the way out, in a sentence."""


@dataclass(frozen=True)
class Row:
    """A model to train.

    Attributes
    ----------
    name : str
        Also that of its files.
    command : tuple of str
        `graphclust train METHOD ...` without the options that the queue adds.
    priority : int
        Lower runs first.
    steps, full_steps : int
        The first goal, and the published number.
    weights, log : str
        Where they go when a goal is reached, relative to the root of the checkout.
    requires : tuple of (str, str)
        A file of the commit to train from, and a text that must occur in it: without it the row is skipped.
    commit : str or None
        Train from this commit, whatever the one where the run began.
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
        """Where the state that is committed goes."""
        return str(Path(self.weights).with_suffix(".state.safetensors"))

    @property
    def folder(self) -> str:
        """The folder of what is committed."""
        return str(Path(self.weights).parent)

    @property
    def batch_size(self) -> int | None:
        """Graphs of a step, where the command says so."""
        words = [part for word in self.command for part in word.split("=", 1)]
        return int(words[words.index("--batch-size") + 1]) if "--batch-size" in words else None


@dataclass(frozen=True)
class Table:
    """The rows in the order of their priorities, and the options of all their commands.

    Attributes
    ----------
    rows : tuple of Row
    options, gpu_options : tuple of str
        Added to every command, and to those that run where there is a GPU.
    """

    rows: tuple[Row, ...]
    options: tuple[str, ...]
    gpu_options: tuple[str, ...]


def read_table(path: Path) -> Table:
    """Read the file with the rows.

    Raises
    ------
    QueueError
        The file cannot be read, or a row is incomplete or makes no sense.
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
    if wrong := (_NEEDED - values.keys()) | (values.keys() - _NEEDED - _POSSIBLE):
        raise QueueError(f"{path}: {', '.join(sorted(wrong))} is missing or unknown in the row {values.get('name')!r}")
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
        raise QueueError(f"{path}: the command of {name} does not begin with graphclust train METHOD")
    if taken := [word for word in words if word.partition("=")[0] in _OF_THE_QUEUE]:
        raise QueueError(f"{path}: the command of {name} has {taken[0]}, which the queue sets or cannot resume")
    return words


def _requirement(text: str, path: Path) -> tuple[str, str]:
    file, colon, content = text.partition(": ")
    if not colon or not content:
        raise QueueError(f"{path}: a requirement is 'FILE: TEXT', not {text!r}")
    return file, content
