"""Dictionaries of named values that are imported on first use."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping, MutableMapping
from typing import Any, Generic, TypeVar

from graphclust.errors import UsageError, unknown

__all__ = ["Registry"]

T = TypeVar("T")


class Registry(MutableMapping[str, T], Generic[T]):
    """A dictionary whose values may be given as "module:attribute", which is imported when the value is first used.

    Parameters
    ----------
    kind : str
        Noun for the values in messages, such as "method".
    entries : mapping of str to value or "module:attribute"

    Examples
    --------
    >>> functions = Registry("function", {"dumps": "json:dumps"})
    >>> functions["dumps"]([1])
    '[1]'
    >>> list(functions)
    ['dumps']
    >>> functions.named("dump")
    Traceback (most recent call last):
    graphclust.errors.UsageError: unknown function 'dump'; did you mean dumps?
    """

    def __init__(self, kind: str, entries: Mapping[str, T | str]) -> None:
        self.kind = kind
        self._entries: dict[str, T | str] = dict(entries)

    def __getitem__(self, name: str) -> T:
        entry = self._entries[name]
        if isinstance(entry, str):
            module, _, attribute = entry.partition(":")
            entry = getattr(importlib.import_module(module), attribute)
            self._entries[name] = entry
        return entry

    def __setitem__(self, name: str, entry: T | str) -> None:
        self._entries[name] = entry

    def __delitem__(self, name: str) -> None:
        del self._entries[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, name: object) -> bool:  # the inherited method would import the value
        return name in self._entries

    def __repr__(self) -> str:
        return f"Registry({self.kind!r}: {', '.join(self._entries)})"

    def named(self, name: Any) -> T:
        """Return the value with a name.

        Raises
        ------
        UsageError
            No value has this name. The message suggests similar names.
        """
        if not isinstance(name, str):
            raise UsageError(f"the name of a {self.kind} is a string, not {name!r:.60}")
        if name not in self._entries:
            raise unknown(self.kind, name, list(self._entries))
        return self[name]
