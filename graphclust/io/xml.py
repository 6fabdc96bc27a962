"""What GraphML and GEXF share: a streaming parser that names the line, and escaping.

Documents are parsed by expat. They may declare any encoding that expat knows, unless another one is asked for;
entities of their own are refused, because a few lines of them expand to gigabytes.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Protocol

from graphclust.errors import DataError
from graphclust.io.source import Source, shorten
from graphclust.io.writing import as_text

__all__ = ["Handler", "escape", "holds", "needed", "parse", "parse_bool", "type_name", "value_text"]

_ESCAPES = str.maketrans(
    {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "\t": "&#9;", "\n": "&#10;", "\r": "&#13;"}
)
_FORBIDDEN = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_BOOLEANS = {"true": True, "1": True, "false": False, "0": False}


class Handler(Protocol):
    """Callbacks of `parse`.

    A handler may also have `start_foreign(name, parent)` for elements of other namespaces, with their prefix; without
    it, they are ignored.
    """

    def start(self, name: str, attributes: dict[str, str], parent: Any, line: int) -> Any:
        """Open an element; what is returned is the `parent` of its children. None: ignore it and all below."""

    def end(self, item: Any, text: str, line: int) -> None:
        """Close the element that `start` returned `item` for; `text` is its own text, without that of its children."""


def parse(source: Source, root: str, handler: Handler) -> None:
    """Drive a handler through a document.

    Elements belong to other namespaces if their prefix differs from that of the root.

    Parameters
    ----------
    source : Source
    root : str
        Expected name of the root element.
    handler : Handler

    Raises
    ------
    DataError
        Not well-formed, another root element, an entity declaration, an unknown encoding.
    """
    from xml.parsers import expat

    data = source.data if source.options.encoding is None else source.utf8()
    parser = expat.ParserCreate(None if source.options.encoding is None else "utf-8")
    parser.buffer_text = True
    start_foreign = getattr(handler, "start_foreign", None)
    stack: list[Any] = []
    texts: list[str] = []
    before: list[str] = []  # what stands before the open elements in those around them
    prefix = ""

    def start(tag: str, attributes: dict[str, str]) -> None:
        nonlocal prefix
        before.append("".join(texts))
        texts.clear()
        if stack:
            known = stack[-1] is not None and tag.startswith(prefix) and ":" not in tag[len(prefix) :]
            name, parent = tag[len(prefix) :], stack[-1]
        else:
            prefix, name = tag[: tag.find(":") + 1], tag[tag.find(":") + 1 :]
            known, parent = True, None
            if name != root:
                raise source.error(f"the root element is <{shorten(tag)[1:-1]}>, not <{root}>", line())
        if known:
            stack.append(handler.start(name, attributes, parent, line()))
        else:
            stack.append(None if start_foreign is None else start_foreign(tag, stack[-1]))

    def end(tag: str) -> None:
        item = stack.pop()
        if item is not None:
            handler.end(item, "".join(texts), line())
        texts[:] = [before.pop()]

    def refuse(*_: Any) -> None:
        raise source.error("the document declares its own entities, which are not supported", line())

    def line() -> int:
        return int(parser.CurrentLineNumber)

    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = texts.append
    parser.EntityDeclHandler = refuse
    try:
        parser.Parse(data, True)
    except DataError:
        raise
    except expat.ExpatError as error:
        raise source.error(f"not well-formed XML: {expat.ErrorString(error.code)}", error.lineno) from None
    except (LookupError, ValueError) as error:  # from the codec that the document asks for, before any element
        if stack:
            raise
        raise source.error(f"cannot decode the document: {error}", 1) from None


def needed(source: Source, attributes: dict[str, str], name: str, element: str, line: int) -> str:
    """Return an attribute that the element must have."""
    value = attributes.get(name)
    if value is None:
        raise source.error(f"<{element}> has no {name}", line)
    return value


def parse_bool(source: Source, text: str, line: int, what: str) -> bool:
    """Read true, false, 1 or 0."""
    value = _BOOLEANS.get(text.strip().lower())
    if value is None:
        raise source.error(f"{what} must be true or false, not {shorten(text)}", line)
    return value


def escape(text: str) -> str:
    """Escape text for an element or a quoted attribute.

    Raises
    ------
    DataError
        A character that XML cannot hold, even escaped.
    """
    bad = _FORBIDDEN.search(text)
    if bad:
        raise DataError(f"XML cannot hold the character {bad[0]!r} of {shorten(text)}")
    return text.translate(_ESCAPES)


def holds(name: str, values: Sequence[Any]) -> bool:
    """Whether the format can hold a node attribute."""
    return not any(isinstance(text, str) and _FORBIDDEN.search(text) for text in (name, *values))


def type_name(kind: type[bool | int | float | str], values: list[Any], wide: str, narrow: str) -> str:
    """Name a column's type; `narrow` and `wide` are the format's integers of 32 and 64 bits."""
    if kind is int:
        small = all(-(2**31) <= value < 2**31 for value in values if value is not None)
        return narrow if small else wide
    return "boolean" if kind is bool else "double" if kind is float else "string"


def value_text(value: Any) -> str:
    """Spell and escape the value of an attribute."""
    return str(value).lower() if isinstance(value, bool) else escape(as_text(value))
