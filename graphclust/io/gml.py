"""GML (Himsolt, "GML: A portable Graph File Format", 1997), as Newman, networkx, igraph and yEd write it.

A file is a tree of keys and values. The reader takes `graph`, its `directed`, its lists `node` and `edge`, and the
plain values in these; whatever is nested deeper, such as graphics, is skipped. Edges may be repeated.
"""

from __future__ import annotations

import html.entities
import re
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, BinaryIO, NoReturn, TypeAlias

from graphclust.errors import UsageError
from graphclust.graph import Graph
from graphclust.io.reading import Attribute, Draft, parse_int
from graphclust.io.source import Source, shorten
from graphclust.io.writing import as_text, id_texts, typed_columns

__all__ = ["KEEPS_IDS", "holds", "read", "write"]

KEEPS_IDS = True

_TOKEN = re.compile(
    r"""(?:[ \t\n\f\v]++|\#[^\n]*+)*+(?:
        (?P<key>[A-Za-z_][\w.-]*+)
        |(?P<number>[+-]?(?:[0-9]++(?:\.[0-9]*+)?|\.[0-9]++|(?i:inf|nan))(?:[Ee][+-]?[0-9]++)?)(?![\w.])
        |"(?P<string>[^"]*+)"
        |(?P<open>\[)
        |(?P<close>\])
        |(?P<end>\Z)
        |(?P<bad>.)
    )""",
    re.VERBOSE,
)
_REFERENCE = re.compile(
    r"&(?:\#(?P<decimal>[0-9]{1,7})|\#[xX](?P<hex>[0-9A-Fa-f]{1,6})|(?P<name>[A-Za-z][0-9A-Za-z]*+));"
)
_UNSAFE = re.compile(r'[^ -~]|[&"]')
_KEY = re.compile(r"[A-Za-z][0-9A-Za-z_]*")
_BARE_NUMBERS = {"nan", "inf", "infinity"}

_Record: TypeAlias = dict[str, re.Match[str]]


def _unescape(text: str) -> str:
    """Replace references such as &quot; and &#233; by their characters; leave those that mean nothing."""

    def character(match: re.Match[str]) -> str:
        kind = match.lastgroup or "name"
        if kind == "name":
            code = html.entities.name2codepoint.get(match[kind], -1)
        else:
            code = int(match[kind], 16 if kind == "hex" else 10)
        return chr(code) if 0 <= code <= 0x10FFFF else match[0]

    return _REFERENCE.sub(character, text) if "&" in text else text


def _value(match: re.Match[str]) -> int | float | str:
    """Value of a token as a Python object; a number that is too long for one stays text."""
    text = match[match.lastgroup or 0]
    if match.lastgroup == "string":
        return _unescape(text)
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


_STRUCTURE = {"node": ("id",), "edge": ("source", "target", "id", "key")}


class _Reader:
    """Walks through the tokens of a file; `lists` are the open lists, None where their values do not matter."""

    def __init__(self, source: Source) -> None:
        self.source = source
        text = source.text()
        self.text = text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text
        self.draft = Draft(source, self._line)
        self.head: _Record | None = None  # plain values of the graph itself
        self.nodes: dict[str, Attribute] = {}
        self.edges: dict[str, Attribute] = {}
        self.in_lists: set[str] = set()  # keys of nodes or edges that hold more than one plain value

    def parse(self) -> None:
        """Read all tokens. The open lists are kept by hand: files may be nested deeper than Python recurses."""
        path: list[str] = []
        lists: list[_Record | None] = []
        record: _Record | None = None
        key = ""
        for token in _TOKEN.finditer(self.text):
            kind = token.lastgroup
            if not key:
                if kind == "key":
                    key = token["key"]
                elif kind == "close" and path:
                    self._close(path, record, token)
                    path.pop()
                    lists.pop()
                    record = lists[-1] if lists else None
                elif kind == "end" and not path:
                    break
                else:
                    self._fail(f"expected a key{' or ]' if path else ''}", token)
            elif kind == "open":
                record = self._open(path, key, record, token)
                path.append(key)
                lists.append(record)
                key = ""
            elif kind in ("number", "string") or (kind == "key" and token["key"].lower() in _BARE_NUMBERS):
                if record is not None:
                    if key in record and path in (["graph", "node"], ["graph", "edge"]):
                        self.in_lists.add(key)
                    record[key] = token
                key = ""
            else:
                self._fail(f"expected the value of {shorten(key)}", token)
        if self.head is None:
            raise self.source.error("the file contains no graph")

    def graph(self) -> Graph:
        """Return what was read."""
        assert self.head is not None
        if self.in_lists:
            names = sorted(self.in_lists)
            self.source.note(
                "attributes-with-lists", f"left out attributes that hold lists: {', '.join(names)}", names=names
            )
        return self.draft.graph(
            is_directed="directed" in self.head and _value(self.head["directed"]) not in (0, "0"),
            nodes=[item for name, item in self.nodes.items() if name not in self.in_lists],
            edges=[item for name, item in self.edges.items() if name not in self.in_lists],
            id_names=("label", "name"),
            ids_are_labels=True,
        )

    def _open(self, path: list[str], key: str, record: _Record | None, token: re.Match[str]) -> _Record | None:
        """Return where the plain values of a new list go."""
        if not path and key == "graph":
            if self.head is not None:
                self._fail("the file contains more than one graph", token)
            self.head = {}
            return self.head
        if path == ["graph", "node"]:
            self.in_lists.add(key)  # those of edges are drawings
        return {} if path == ["graph"] and key in ("node", "edge") else None

    def _close(self, path: list[str], record: _Record | None, token: re.Match[str]) -> None:
        if record is None or len(path) != 2:
            return
        if path[1] == "node":
            number = self.draft.add_node(self._end(record, "id", path[1], token), record["id"].end())
        else:
            tail, head = (self._end(record, end, path[1], token) for end in ("source", "target"))
            number = self.draft.add_edge(tail, head, record["target"].end())
        columns = self.nodes if path[1] == "node" else self.edges
        for key, value in record.items():
            if key not in _STRUCTURE[path[1]]:
                column = columns.setdefault(key, Attribute(key))
                column.values[number] = _value(value)
                column.places[number] = value.end()

    def _end(self, record: _Record, key: str, owner: str, close: re.Match[str]) -> int:
        token = record.get(key)
        if token is None:
            self._fail(f"the {owner} has no {key}", close)
        return parse_int(self.source, token[token.lastgroup or 0], partial(self._line, token.end()), key)

    def _line(self, place: int) -> int:
        return self.text.count("\n", 0, place) + 1

    def _fail(self, message: str, token: re.Match[str]) -> NoReturn:
        kind = token.lastgroup or "bad"
        descriptions = {
            "end": "the end of the file",
            "bad": "an open quote" if token["bad"] == '"' else shorten(token["bad"]),
        }
        line = self._line(token.start(kind))
        raise self.source.error(f"{message}, found {descriptions.get(kind) or token.group().strip()}", line)


def read(source: Source) -> Graph:
    """Read a GML file.

    Parameters
    ----------
    source : Source
        Ids are the attribute `options.id`, or by default the labels or names, as strings, if every node has one and
        they are distinct; otherwise the `id`, as int. Weights are the attribute `options.weight`, or by default
        `weight` or a name such as `value` or `strength`.

    Returns
    -------
    Graph
        Nodes in the file's order. Other plain values of the nodes are in `meta["node_attributes"]`, those of the edges
        in `meta["edge_attributes"]`.

    Raises
    ------
    DataError
        The file is malformed or has no graph; an id is repeated, missing or not an integer; a weight is negative or not
        a number.
    """
    reader = _Reader(source)
    reader.parse()
    return reader.graph()


def holds(name: str, values: Sequence[Any]) -> bool:
    """Whether the format can hold a node attribute."""
    return _KEY.fullmatch(name) is not None and name not in ("id", "label")


def write(
    graph: Graph,
    stream: BinaryIO,
    attributes: Mapping[str, Sequence[Any]] | None = None,
    edge_attributes: Mapping[str, Sequence[Any]] | None = None,
) -> None:
    """Write GML in ASCII: ids as labels, the nodes numbered from 0.

    Parameters
    ----------
    graph : Graph
    stream : binary file
    attributes, edge_attributes : mapping, optional
        Name -> values in the order of `graph.nodes` and of its edges; bool (as 1 and 0), int, float, str, None where
        missing. Names are letters, digits and underscores.

    Raises
    ------
    DataError
        Two ids have the same text.
    UsageError
        An attribute with a wrong number or type of values, or a name that GML cannot hold.
    """
    labels = id_texts(graph)
    columns = typed_columns(graph.num_nodes, attributes)
    edge_columns = typed_columns(graph.num_edges, {_key(name): v for name, v in (edge_attributes or {}).items()})
    for name in columns:
        if not holds(name, columns[name][1]):
            raise UsageError(f"GML cannot hold a node attribute called {name!r}")
    stream.write(b"graph [\n  directed 1\n" if graph.directed else b"graph [\n  directed 0\n")
    for i, label in enumerate(labels):
        rows = [f"    {name} {_literal(values[i])}\n" for name, (_, values) in columns.items() if values[i] is not None]
        stream.write(f"  node [\n    id {i}\n    label {_literal(label)}\n{''.join(rows)}  ]\n".encode())
    weight = None if graph.weight is None else graph.weight.tolist()
    for i, (tail, head) in enumerate(zip(graph.source.tolist(), graph.target.tolist(), strict=True)):
        row = f"    weight {_literal(weight[i])}\n" if weight else ""
        rows = [
            f"    {name} {_literal(values[i])}\n" for name, (_, values) in edge_columns.items() if values[i] is not None
        ]
        stream.write(f"  edge [\n    source {tail}\n    target {head}\n{row}{''.join(rows)}  ]\n".encode())
    stream.write(b"]\n")


def _key(name: str) -> str:
    """Make a key of a name: other characters than letters, digits and underscores become underscores."""
    key = re.sub(r"[^0-9A-Za-z_]", "_", name)
    return key if _KEY.fullmatch(key) and key not in ("id", "source", "target") else f"x_{key}"


def _literal(value: bool | int | float | str) -> str:
    """Spell a value in GML: a real has a point, an infinity a sign, a string no character beyond ASCII."""
    if isinstance(value, str):
        return '"' + _UNSAFE.sub(lambda match: f"&#{ord(match[0])};", value) + '"'
    if isinstance(value, float):
        text = as_text(value).upper()
        if text == "INF":
            return "+INF"
        return text.replace("E", ".0E") if "E" in text and "." not in text else text
    return str(int(value))
