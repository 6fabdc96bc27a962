"""Dictionaries of named values that are imported on first use, and objects of the user's in their place."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import inspect
import sys
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from pathlib import Path
from types import ModuleType
from typing import Any, Generic, TypeVar

from graphclust.errors import UsageError, unknown

__all__ = ["Registry", "code_digest", "load_object"]

T = TypeVar("T")


class Registry(MutableMapping[str, T], Generic[T]):
    """A dictionary whose values may be given as "module:attribute", which is imported when the value is first used.

    Parameters
    ----------
    kind : str
        Noun for the values in messages, such as "method".
    entries : mapping of str to value or "module:attribute"
    adapt : callable, optional
        Turns an object of the user's, and the text that named it or None, into a value. With it, `named` also takes
        such objects, "module:attribute" and "file.py:attribute".

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

    def __init__(
        self, kind: str, entries: Mapping[str, T | str], adapt: Callable[[Any, str | None], T] | None = None
    ) -> None:
        self.kind = kind
        self._entries: dict[str, T | str] = dict(entries)
        self._adapt = adapt
        self._added: set[str] = set()

    def __getitem__(self, name: str) -> T:
        entry = self._entries[name]
        if isinstance(entry, str):
            module, _, attribute = entry.partition(":")
            entry = getattr(importlib.import_module(module), attribute)
            self._entries[name] = entry
        return entry

    def __setitem__(self, name: str, entry: Any) -> None:
        self._entries[name] = entry if isinstance(entry, str) or self._adapt is None else self._adapt(entry, name)
        self._added.add(name)

    def __delitem__(self, name: str) -> None:
        del self._entries[name]
        self._added.discard(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, name: object) -> bool:  # the inherited method would import the value
        return name in self._entries

    def __repr__(self) -> str:
        return f"Registry({self.kind!r}: {', '.join(self._entries)})"

    def added(self) -> dict[str, T | str]:
        """Return the entries that this process has added: worker processes do not have them."""
        return {name: self._entries[name] for name in self._added}

    def named(self, name: Any) -> T:
        """Return the value with a name, or the value for an object of the user's.

        Raises
        ------
        UsageError
            No value has this name. The message suggests similar names. Or the object cannot be imported or used.
        """
        if not isinstance(name, str):
            if self._adapt is None:
                raise UsageError(f"the name of a {self.kind} is a string, not {name!r:.60}")
            return self._adapt(name, None)
        if name in self._entries:
            return self[name]
        if self._adapt is not None and ":" in name:
            return self._adapt(load_object(name, self.kind), name)
        raise unknown(self.kind, name, list(self._entries))


def load_object(text: str, kind: str = "object") -> Any:
    """Import what "module:attribute" or "file.py:attribute" names. Modules are also looked for in the current folder.

    Parameters
    ----------
    text : str
    kind : str
        Noun for messages.

    Raises
    ------
    UsageError
        There is no such module, file or attribute, or the module raises an error.

    Examples
    --------
    >>> load_object("math:sqrt")(4)
    2.0
    """
    place, _, attribute = text.rpartition(":")
    if not place or not attribute:
        raise UsageError(f"a {kind} of your own is module:name or file.py:name, not {text!r}")
    try:
        value: Any = _module_of_file(place) if place.endswith(".py") else _module_named(place)
    except FileNotFoundError:
        raise UsageError(f"cannot load the {kind} {text}: there is no file {place}") from None
    except ModuleNotFoundError as error:
        raise UsageError(f"cannot load the {kind} {text}: there is no module {error.name}") from None
    except Exception as error:
        raise UsageError(f"cannot load the {kind} {text}: {type(error).__name__}: {error}") from error
    for name in attribute.split("."):
        if not hasattr(value, name):
            raise UsageError(f"cannot load the {kind} {text}: {place} has no {name}")
        value = getattr(value, name)
    return value


def _module_named(name: str) -> ModuleType:
    folder = str(Path.cwd())
    if "" not in sys.path and folder not in sys.path:  # as for a script
        sys.path.insert(0, folder)
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError:  # networkx.community is an attribute of networkx
        parent, _, attribute = name.rpartition(".")
        module: Any = _module_named(parent) if parent else None
        if not hasattr(module, attribute):
            raise
        return getattr(module, attribute)  # type: ignore[no-any-return]


def _module_of_file(path: str) -> ModuleType:
    file = Path(path).resolve()
    name = f"{file.stem}_{abs(hash(str(file))):x}"
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None or not file.exists():
        raise FileNotFoundError(path)
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def code_digest(obj: Any) -> str:
    """Return a digest that changes when the code of a function, of a class or of an object's class changes.

    Examples
    --------
    >>> code_digest(load_object) == code_digest(load_object) != code_digest(code_digest)
    True
    """
    subject = getattr(obj, "func", obj)  # of a partial
    if not inspect.isroutine(subject) and not isinstance(subject, type):
        subject = type(subject)
    try:
        code = inspect.getsource(subject)
    except (OSError, TypeError):  # typed in, or compiled
        compiled = getattr(subject, "__code__", None)
        code = subject.__qualname__ if compiled is None else f"{compiled.co_code!r} {compiled.co_consts!r}"
    return hashlib.sha256(code.encode()).hexdigest()[:16]
