"""Notes: records of what a reader or a method decided, dropped or repaired."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from graphclust.runtime.serialize import plain

__all__ = ["Note", "counted", "joined", "log_notes"]

logger = logging.getLogger("graphclust")


@dataclass(frozen=True)
class Note:
    """One decision, with a code for programs, a sentence for people, and the numbers behind it.

    Attributes
    ----------
    code : str
        A short, stable identifier, such as "merged-parallel-edges".
    message : str
        One sentence in plain English, without a capital letter and a full stop.
    data : mapping
        Numbers and names in the message.
    is_detail : bool
        Whether the command line prints the note only with `--verbose`.

    Examples
    --------
    >>> note = Note("merged-parallel-edges", "merged 2 parallel edges and added their weights", {"n_edges": 2})
    >>> str(note)
    'merged 2 parallel edges and added their weights'
    >>> note.to_dict()["data"]
    {'n_edges': 2}
    """

    code: str
    message: str
    data: Mapping[str, Any] = field(default_factory=dict)
    is_detail: bool = False

    def __str__(self) -> str:
        return self.message

    def to_dict(self) -> dict[str, Any]:
        """Return code, message and data as a dictionary that `json` can serialise."""
        return {"code": self.code, "message": self.message, "data": plain(dict(self.data))}


def log_notes(notes: Iterable[Note], about: str = "") -> None:
    """Log notes as one record at level INFO. `about` is the name of the file or data set that they concern.

    The record has the attributes `notes` and `about`, so that a handler can select some of the notes.
    """
    notes = tuple(notes)
    if notes:
        logger.info(joined(notes, about), extra={"notes": notes, "about": about})


def joined(notes: Iterable[Note], about: str = "") -> str:
    """Return notes as one line of text."""
    return (f"{about}: " if about else "") + "; ".join(map(str, notes))


def counted(number: int, noun: str) -> str:
    """Return a number and its noun, in the plural unless the number is 1.

    Examples
    --------
    >>> counted(1, "edge"), counted(1200, "edge")
    ('1 edge', '1,200 edges')
    """
    plural = f"{noun[:-1]}ies" if noun.endswith(("ry", "ty")) else f"{noun}s"
    return f"{number:,} {noun if number == 1 else plural}"
