"""Pajek networks (.net; Batagelj and Mrvar, "Pajek: Program for Analysis and Visualization of Large Networks").

Ids are the labels if they are distinct, otherwise the vertices' numbers as strings. The sections *Vertices, *Arcs,
*Edges, *Arcslist, *Edgeslist and *Matrix are read, and Infomap's *Links and *Bipartite; coordinates, colours and time
intervals are skipped. Infomap's lists of links without sections are read as edge lists.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, BinaryIO

import numpy as np

from graphclust.errors import DataError
from graphclust.graph import DecimalIds, Graph
from graphclust.io import edgelist
from graphclust.io.reading import Attribute, Draft, parse_int, parse_weight, require_nodes
from graphclust.io.source import Source, shorten, split_lines
from graphclust.io.writing import encode, id_texts, refuse_attributes

__all__ = ["KEEPS_IDS", "read", "write"]

KEEPS_IDS = True

_MULTILAYER = ("*intra", "*inter", "*multilayer", "*multilinks", "*states", "*contexts", "*paths")
_VERTEX = re.compile(r"[ \t]*([^ \t]+)[ \t]*(.*)")
# A quote inside a label is escaped by a backslash, or just stands there (networkx): the one that ends the label is
# followed by coordinates or the end of the line. If there is none such, the label ends at the first quote.
# The lookahead stands for a possessive *+, which CPython 3.11.2 gets wrong.
_LABEL = re.compile(r'"(?=((?:[^"\\]|\\["\\]|\\(?!["\\])|"(?![ \t]+[-+.0-9\[]|[ \t]*\Z))*))\1"')
_TO_QUOTE = re.compile(r'"([^"]*)"')
_ESCAPED = re.compile(r'\\(["\\])|&#([0-9]{1,7});')
_REFERENCE = re.compile(r"&(?=#[0-9]{1,7};)")
_BACKSLASH = re.compile(r'\\(?=["\\]|\Z)')
_UNWRITABLE = re.compile("[\0-\x08\n-\x1f\x7f]")


def _unescape(match: re.Match[str]) -> str:
    if match[1]:
        return match[1]
    return chr(code) if (code := int(match[2])) <= 0x10FFFF else match[0]


class _Reader:
    """One method for the lines of each section."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.draft = Draft(source, numbered=True)
        self.n_nodes = -1
        self.n_rows = 0  # nodes of the first mode; all of them where there is one
        self.labels: dict[int, str] = {}
        self.matrix: list[list[float]] = []
        self.is_arc = False
        self.kinds: set[bool] = set()
        self.what = "column 3"  # what is read as weights

    def parse(self) -> None:
        """Read all sections."""
        take: Callable[[str, int], None] = self._outside
        line = 0
        lines = split_lines(self.source.text())
        for line, text in enumerate(lines, start=1):
            row = text.strip()
            if not row or row.startswith(("%", "/*", "#")):
                continue
            if row.startswith("*"):
                self._close(take, line)
                take = self._section(row, line)
            else:
                take(text, line)
        self._close(take, len(lines))
        if self.n_nodes < 0:
            raise self.source.error("the file has no section *Vertices")

    def graph(self) -> Graph:
        """Return what was read."""
        return self.draft.graph(
            is_directed=self.kinds == {True},
            ids=DecimalIds(np.arange(1, self.n_nodes + 1)),
            nodes=[Attribute("label", "", None, dict(self.labels))] if self.labels else (),
            id_names=("label",),
            ids_are_labels=True,
            what=self.what,
        )

    def _outside(self, text: str, line: int) -> None:
        raise self.source.error(f"expected a section such as *Vertices, found {shorten(text.strip())}", line)

    def _skip(self, text: str, line: int) -> None:
        """Skip a line that means nothing for communities."""

    def _section(self, row: str, line: int) -> Callable[[str, int], None]:
        name, *rest = row.lower().split()
        if name == "*network":
            return self._outside
        if name == "*vertices":
            return self._vertices(rest, line)
        takers = {"*arcs": self._edge, "*arcslist": self._list, "*matrix": self._row, "*links": self._edge}
        take = takers.get(name.replace("*edges", "*arcs").replace("*bipartite", "*links"))
        if name in _MULTILAYER:
            raise self.source.error(f"multilayer networks (section {name}) are not supported: give one layer", line)
        if take is None:
            raise self.source.error(f"sections {shorten(name)} are not supported", line)
        if self.n_nodes < 0:
            raise self.source.error(f"the section {name} comes before *Vertices", line)
        if rest and rest[0].startswith(":"):
            self.source.note("several-relations", "the file has several relations: read their edges as one graph")
        if name == "*bipartite" and rest:
            first = parse_int(self.source, rest[0], line, "the first node of the second kind")
            self.source.note("two-mode", f"the network is bipartite: the nodes from {first} on are of the second kind")
        self.is_arc = name in ("*arcs", "*arcslist", "*matrix")
        self.kinds.add(self.is_arc)
        return take

    def _vertices(self, counts: list[str], line: int) -> Callable[[str, int], None]:
        if self.n_nodes >= 0:
            raise self.source.error("the file contains more than one network; split it into one file per network", line)
        if not counts:
            raise self.source.error("*Vertices must be followed by the number of vertices", line)
        self.n_nodes = self.n_rows = parse_int(self.source, counts[0], line, "the number of vertices")
        require_nodes(self.source, self.n_nodes, line)
        if len(counts) > 1:
            self.n_rows = parse_int(self.source, counts[1], line, "the number of vertices of the first mode")
            if not 0 <= self.n_rows <= self.n_nodes:
                raise self.source.error(
                    f"the first mode has {self.n_rows} vertices, but the network has {self.n_nodes}", line
                )
            self.source.note("two-mode", "the network is two-mode (bipartite): read as an ordinary graph")
        return self._vertex

    def _close(self, take: Callable[[str, int], None], line: int) -> None:
        """Check that a section is complete; `line` is the first one after it."""
        if take == self._vertex and len(self.labels) not in (0, self.n_nodes):
            raise self.source.error(
                f"*Vertices declares {self.n_nodes} vertices, but {len(self.labels)} are listed", line
            )
        if take == self._row:
            self._matrix(line)

    def _vertex(self, text: str, line: int) -> None:
        match = _VERTEX.match(text)
        number, rest = match.groups() if match else ("", "")
        vertex = self._position(number, line)
        if vertex in self.labels:
            raise self.source.error(f"the vertex {number} is declared twice", line)
        if not rest.startswith('"'):
            self.labels[vertex] = re.split(r"[ \t]", rest, maxsplit=1)[0] or number
            return
        quoted = _LABEL.match(rest) or _TO_QUOTE.match(rest)
        if not quoted:
            raise self.source.error(f"the label {shorten(rest)} has no closing quote", line)
        self.labels[vertex] = _ESCAPED.sub(_unescape, quoted[1])

    def _position(self, token: str, line: int) -> int:
        vertex = parse_int(self.source, token, line, "a vertex")
        if not 1 <= vertex <= self.n_nodes:
            raise self.source.error(f"there is no vertex {vertex}: they are numbered 1 to {self.n_nodes}", line)
        return vertex - 1

    def _edge(self, text: str, line: int) -> None:
        ends = text.split(maxsplit=3)
        if len(ends) < 2:
            raise self.source.error("expected two vertices and optionally a weight, found one value", line)
        tail, head = (self._position(token, line) for token in ends[:2])
        edge = self.draft.add_edge(tail, head, line, is_arc=self.is_arc)
        if len(ends) > 2 and not ends[2].startswith("["):  # a time interval
            self.draft.set_weight(edge, ends[2], line)

    def _list(self, text: str, line: int) -> None:
        tail, *heads = (self._position(token, line) for token in text.split())
        for head in heads:
            self.draft.add_edge(tail, head, line, is_arc=self.is_arc)

    @property
    def _n_columns(self) -> int:
        return self.n_nodes - self.n_rows or self.n_nodes

    def _row(self, text: str, line: int) -> None:
        row = [parse_weight(self.source, token, line) for token in text.split()]
        if len(row) != self._n_columns or len(self.matrix) == self.n_rows:
            raise self.source.error(
                f"a matrix has {self.n_rows} rows of {self._n_columns} numbers, this is row "
                f"{len(self.matrix) + 1} with {len(row)}",
                line,
            )
        self.matrix.append(row)

    def _matrix(self, line: int) -> None:
        if len(self.matrix) < self.n_rows:
            raise self.source.error(f"the matrix ends after {len(self.matrix)} of {self.n_rows} rows", line)
        self.what = "the matrix"
        matrix = np.array(self.matrix, dtype=np.float64).reshape(self.n_rows, self._n_columns)
        square = self.n_rows == self.n_nodes
        is_arc = square and bool((matrix != matrix.T).any())
        rows, columns = np.nonzero(matrix if is_arc or not square else np.triu(matrix))
        self.kinds.add(is_arc)
        for i, j in zip(rows.tolist(), columns.tolist(), strict=True):
            edge = self.draft.add_edge(i, j if square else self.n_rows + j, line, is_arc=is_arc)
            self.draft.set_weight(edge, float(matrix[i, j]), line)
        self.matrix = []


def read(source: Source) -> Graph:
    """Read a Pajek network.

    Parameters
    ----------
    source : Source
        *Arcs are directed, *Edges are not, unless `options.directed` says otherwise. Ids are the labels of the vertices
        if these are distinct, or else their numbers.

    Returns
    -------
    Graph
        Nodes in the order of their numbers.

    Raises
    ------
    DataError
        The file is malformed, or has several networks; vertices are missing, repeated or out of range; a weight is
        negative or not a number.
    ResourceError
        More vertices are declared than fit into memory.
    """
    first = next(
        (line.strip() for line in split_lines(source.text()) if line.strip() and line.strip()[0] not in "%#"), ""
    )
    if re.fullmatch(r"[0-9]+[ \t]+[0-9]+(?:[ \t]+[-+.0-9eE]+)?", first):
        source.note("link-list", "the file has no sections: read as a list of edges, as Infomap does")
        return edgelist.read(source)
    reader = _Reader(source)
    reader.parse()
    return reader.graph()


def write(graph: Graph, stream: BinaryIO, attributes: Mapping[str, Sequence[Any]] | None = None) -> None:
    """Write a Pajek network, ids as labels.

    Parameters
    ----------
    graph : Graph
    stream : binary file
    attributes : mapping, optional
        Refused: Pajek keeps them in files of their own.

    Raises
    ------
    DataError
        Two ids have the same text, or an id holds line breaks or other control characters.
    UsageError
        Attributes.
    """
    refuse_attributes(attributes, "Pajek")
    labels = []
    for label in id_texts(graph):
        if _UNWRITABLE.search(label):
            raise DataError(f"Pajek cannot hold the control characters of {shorten(label)}")
        quoted = _BACKSLASH.sub(r"\\\\", _REFERENCE.sub("&#38;", label)).replace('"', '\\"')
        labels.append(encode(quoted))
    stream.write(b"*Vertices %d\n" % len(labels))
    stream.writelines(b'%d "%s"\n' % (i, label) for i, label in enumerate(labels, start=1))
    stream.write(b"*Arcs\n" if graph.directed else b"*Edges\n")
    ends = zip((graph.source + 1).tolist(), (graph.target + 1).tolist(), strict=True)
    if graph.weight is None:
        stream.writelines(b"%d %d\n" % pair for pair in ends)
    else:
        stream.writelines(f"{u} {v} {w!r}\n".encode() for (u, v), w in zip(ends, graph.weight.tolist(), strict=True))
