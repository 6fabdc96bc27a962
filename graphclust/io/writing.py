"""What the writers of structured formats share: ids as text, node attributes as columns of one type."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from graphclust.errors import DataError, UsageError
from graphclust.graph import Graph
from graphclust.io.source import shorten

__all__ = [
    "as_text",
    "edge_ids",
    "edge_weights",
    "encode",
    "id_texts",
    "quote",
    "refuse_attributes",
    "typed_columns",
]


def as_text(value: Any) -> str:
    """Spell a value so that reading it gives the same one: floats in full, infinities as XML Schema writes them."""
    if isinstance(value, float):
        return {"nan": "NaN", "inf": "INF", "-inf": "-INF"}.get(text := repr(value), text)
    return str(value)


def encode(text: str) -> bytes:
    """Encode as UTF-8.

    Raises
    ------
    DataError
        The text holds half of a surrogate pair.
    """
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise DataError(f"{shorten(error.object[error.start : error.end])} cannot be written as UTF-8") from None


def id_texts(graph: Graph) -> list[str]:
    """Spell the node ids, for a format that knows only text.

    Raises
    ------
    DataError
        Two different ids have the same text, such as 1 and "1".
    """
    nodes = graph.nodes
    texts = list(map(str, nodes))
    if set(map(type, nodes)) not in ({int}, {str}) and len(set(texts)) < len(texts):
        node_of: dict[str, Any] = {}
        first, second = next(
            (node_of[text], node)
            for text, node in zip(texts, nodes, strict=True)
            if node_of.setdefault(text, node) is not node
        )
        raise DataError(f"the node ids {first!r} and {second!r} are the same when written as text")
    return texts


def refuse_attributes(attributes: Mapping[str, Sequence[Any]] | None, form: str) -> None:
    """Raise UsageError for node attributes given to a format that has no place for them."""
    if attributes:
        raise UsageError(
            f"{form} cannot hold node attributes ({', '.join(attributes)}); GraphML, GEXF, GML and JSON can"
        )


def typed_columns(
    n_values: int, attributes: Mapping[str, Sequence[Any]] | None
) -> dict[str, tuple[type[bool] | type[int] | type[float] | type[str], list[Any]]]:
    """Give each attribute of nodes or edges one type: bool, int (64 bits), float, or str where values are mixed.

    Returns
    -------
    dict
        Name -> (type, values as plain Python objects of that type, None where missing).

    Raises
    ------
    UsageError
        A wrong number of values, or a value that is no bool, int, float, str or None.
    """
    columns = {}
    for name, raw in (attributes or {}).items():
        values = [value.item() if hasattr(value, "item") else value for value in raw]
        if len(values) != n_values:
            raise UsageError(f"the attribute {name!r} has {len(values)} values, not {n_values}")
        present = [value for value in values if value is not None]
        bad = next((value for value in present if not isinstance(value, bool | int | float | str)), None)
        if bad is not None:
            raise UsageError(f"the attribute {name!r} has a value of type {type(bad).__name__}: {shorten(bad)}")
        kinds = set(map(type, present))
        fits = all(-(2**63) <= value < 2**63 for value in present if isinstance(value, int))
        kind = next((k for k, below in _KINDS.items() if present and fits and kinds <= below), str)
        columns[name] = (kind, [None if value is None else kind(value) for value in values])
    return columns


_KINDS: dict[type[bool] | type[int] | type[float], set[type]] = {
    bool: {bool},
    int: {bool, int},
    float: {bool, int, float},
}


def edge_ids(graph: Graph) -> list[str]:
    """Return the node ids as text, for a file with an edge a line.

    Raises
    ------
    DataError
        An id is empty or has a line break; two ids have the same spelling.
    """
    texts = id_texts(graph)
    for text in texts:
        if not text:
            raise DataError("an edge list cannot hold an empty id")
        if "\n" in text or "\r" in text:
            raise DataError(f"an edge list cannot hold the id {shorten(text)}: it has a line break")
    return texts


def edge_weights(graph: Graph) -> list[str]:
    """Return the weights as text that reads back exactly; whole numbers have no decimal point."""
    return [repr(weight).removesuffix(".0") for weight in graph.edge_weight.tolist()]


def quote(text: str, special: str) -> str:
    """Put an id into quotes if it has a special character, or would otherwise be read as another id or a comment."""
    if text[0] in '#%"' or text != text.strip() or any(sign in text for sign in special):
        return '"' + text.replace('"', '""') + '"'
    return text
