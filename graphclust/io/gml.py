"""GML (Himsolt, "GML: A portable Graph File Format", 1997), as Newman, networkx, igraph and yEd write it.

A file is a tree of keys and values. Read are `graph`, its `directed`, its lists `node` and `edge` and the plain values
in these; whatever is nested deeper, such as graphics, is skipped. Edges may be repeated.
"""

from __future__ import annotations

import html.entities
import re
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, BinaryIO, NoReturn, TypeAlias

from graphclust.errors import UsageError
from graphclust.graph import Graph
from graphclust.io.reading import Draft, parse_int
from graphclust.io.source import Source, shorten
from graphclust.io.writing import as_text, id_texts, node_columns

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


_EDGE_KEYS = ("source", "target", "weight", "value", "id", "key")


class _Reader:
    """Walks through the tokens of a file; `lists` are the open lists, None where their values do not matter."""

    def __init__(self, source: Source, directed: bool | None, weights: bool | None) -> None:
        self.source = source
        text = source.text()
        self.text = text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text
        self.draft = Draft(source, directed, weights, self._line)
        self.head: _Record | None = None  # plain values of the graph itself
        self.columns: dict[str, dict[int, Any]] = {}
        self.in_lists: set[str] = set()  # keys of nodes that hold more than one plain value
        self.values: dict[int, re.Match[str]] = {}  # Newman's name for the weight of an edge

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
                    if key in record and path == ["graph", "node"]:
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
        draft, what = self.draft, "weight"
        if self.values and all(weight is None for weight in draft.weight):
            what = "value"
            for edge, token in self.values.items():
                self._set_weight(edge, token)
        ids: list[Any] = list(draft.index)
        labels = self.columns.get("label", {})
        if labels and len(set(labels.values())) == len(ids):
            ids = list(self.columns.pop("label").values())
            self.source.note("ids-from-labels", "used the labels of the nodes as node ids", is_detail=True)
        elif labels:
            self.source.note(
                "ids-from-numbers",
                "used the numbers of the nodes as node ids, because labels are missing or not unique",
            )
        if self.in_lists:
            names = sorted(self.in_lists)
            self.source.note(
                "attributes-with-lists", f"left out node attributes that hold lists: {', '.join(names)}", names=names
            )
        return draft.graph(
            is_directed="directed" in self.head and _value(self.head["directed"]) not in (0, "0"),
            ids=ids,
            attributes={name: (column, None) for name, column in self.columns.items() if name not in self.in_lists},
            what=f"edge attribute {what!r}",
        )

    def _open(self, path: list[str], key: str, record: _Record | None, token: re.Match[str]) -> _Record | None:
        """Return where the plain values of a new list go."""
        if not path and key == "graph":
            if self.head is not None:
                self._fail("the file contains more than one graph", token)
            self.head = {}
            return self.head
        if path == ["graph", "node"]:
            self.in_lists.add(key)
        return {} if path == ["graph"] and key in ("node", "edge") else None

    def _close(self, path: list[str], record: _Record | None, token: re.Match[str]) -> None:
        if record is None or len(path) != 2:
            return
        if path[1] == "node":
            node = self.draft.add_node(self._end(record, "id", path[1], token), record["id"].end())
            for key, value in record.items():
                if key != "id":
                    text = _value(value)
                    self.columns.setdefault(key, {})[node] = str(text) if key == "label" else text
        else:
            tail, head = (self._end(record, end, path[1], token) for end in ("source", "target"))
            edge = self.draft.add_edge(tail, head, record["target"].end())
            if "weight" in record:
                self._set_weight(edge, record["weight"])
            elif "value" in record:
                self.values[edge] = record["value"]
            self.draft.ignore(key for key in record if key not in _EDGE_KEYS)

    def _end(self, record: _Record, key: str, owner: str, close: re.Match[str]) -> int:
        token = record.get(key)
        if token is None:
            self._fail(f"the {owner} has no {key}", close)
        return parse_int(self.source, token[token.lastgroup or 0], partial(self._line, token.end()), key)

    def _set_weight(self, edge: int, token: re.Match[str]) -> None:
        self.draft.set_weight(edge, token[token.lastgroup or 0], partial(self._line, token.end()))

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


def read(source: Source, *, directed: bool | None = None, weights: bool | None = None) -> Graph:
    """Read a GML file.

    Parameters
    ----------
    source : Source
    directed : bool, optional
        Overrides the file; False makes the graph undirected and adds the weights of opposite edges.
    weights : bool, optional
        False ignores weights, True requires them.

    Returns
    -------
    Graph
        Nodes in the file's order. Ids are the labels, as strings, if every node has one and they are distinct;
        otherwise the `id`, as int. Weights are the edges' `weight`, else their `value`. Other plain values of the
        nodes are in `meta["node_attributes"]`.

    Raises
    ------
    DataError
        The file is malformed or has no graph; an id is repeated, missing or not an integer; a weight is negative or not
        a number.
    """
    reader = _Reader(source, directed, weights)
    reader.parse()
    return reader.graph()


def holds(name: str, values: Sequence[Any]) -> bool:
    """Whether the format can hold a node attribute."""
    return _KEY.fullmatch(name) is not None and name not in ("id", "label")


def write(graph: Graph, stream: BinaryIO, attributes: Mapping[str, Sequence[Any]] | None = None) -> None:
    """Write GML in ASCII: ids as labels, the nodes numbered from 0.

    Parameters
    ----------
    graph : Graph
    stream : binary file
    attributes : mapping, optional
        Node attributes: name -> values in the order of `graph.nodes`; bool (as 1 and 0), int, float, str, None where
        missing. Names are letters, digits and underscores.

    Raises
    ------
    DataError
        Two ids have the same text.
    UsageError
        An attribute with a wrong number or type of values, or a name that GML cannot hold.
    """
    labels = id_texts(graph)
    columns = node_columns(graph, attributes)
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
        stream.write(f"  edge [\n    source {tail}\n    target {head}\n{row}  ]\n".encode())
    stream.write(b"]\n")


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
