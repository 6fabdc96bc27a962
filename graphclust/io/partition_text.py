"""Partitions and covers in text files: tables of nodes and labels, communities on lines, and what tools write.

The tools are Pajek (.clu), Infomap (.tree, .ftree, .clu), METIS (.part), R, Gephi, CDlib and the LFR programs.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any, TypeAlias

from graphclust.graph.column_names import NODE_NAMES, find_column, list_columns
from graphclust.graph.columns import is_index
from graphclust.graph.labels import is_missing_text
from graphclust.io.reading import naming
from graphclust.io.source import Source, is_number, shorten, split_lines
from graphclust.io.tables import Dialect, Expectation, Sample, read_rows, sniff
from graphclust.runtime.notes import counted

__all__ = ["Cover", "Labels", "named_columns", "read_clu", "read_text", "read_tree", "with_label_column"]

Labels: TypeAlias = dict[Hashable, Any]  # node -> label
Cover: TypeAlias = list[set[Hashable]]  # communities, which may overlap and leave nodes out
_Row: TypeAlias = tuple[int, list[str]]

_CLASSES = (
    "community", "modularity_class", "modularity class", "class", "cluster", "group", "module", "block", "partition",
    "membership", "community_id", "cluster_id", "leiden", "louvain", "infomap", "label", "value",
)  # fmt: skip
_OWN_HEADERS = (("node", "community"), ("node", "level_1"))  # see graphclust.results.files
_HEADER_OF_COVERS = ("node", "community", "weight")  # the same, a line for each node and community
_MANY_COLUMNS = 4
_TREE = re.compile(r"([0-9]+(?::[0-9]+)+)\s+(\S+)\s+\"(.*)\"(?:\s+(\S+))?.*")
_LEVEL = re.compile(r"level_[0-9]+")  # of a hierarchy, see graphclust.results.files
_LIST = re.compile(r"[\[({](.*)[\])}]")  # as Python prints it
_SEVERAL = re.compile(r"[;,|\s]+")


def named_columns(names: Sequence[str]) -> tuple[int, int, bool] | None:
    """Return the columns of node and label that a header names, and whether it names the label's; None if neither."""
    low = [name.strip().lower() for name in names]
    node = next((low.index(name) for name in (*NODE_NAMES, "") if name in low), None)
    if node is None or len(low) < 2:
        return None
    label = next((low.index(name) for name in _CLASSES if name in low), None)
    if label is None and (levels := [name for name in low if _LEVEL.fullmatch(name)]):
        # the level of the communities: the finest one of block models, which have a confidence, else the coarsest
        choose = min if "confidence" in low else max
        label = low.index(choose(levels, key=lambda name: int(name.partition("_")[2])))
    return node, next(i for i in range(len(low)) if i != node) if label is None else label, label is not None


@dataclass(frozen=True)
class _PartitionExpectation(Expectation):
    """A node and its label, or the nodes of a community.

    Attributes
    ----------
    ids : frozenset of str or None
        Ids of the graph's nodes, if the graph is known.
    """

    ids: frozenset[str] | None = None

    def is_header(self, first: Sequence[str], rest: Iterable[list[str]], comments: Sequence[str]) -> bool:
        """Return whether the first row is a header; it may as well be a node and its label.

        If the graph's nodes are known, they decide. Otherwise, words such as id and name are a header above a column
        of numbers, or beside the name of a column of labels.
        """
        columns = named_columns(first)
        if columns is None:
            return len(first) == 1 and self._is_name_of_labels(first[0], rest)
        node, label, names_label = columns
        if not first[node]:
            return True  # R's name for row names
        if self.ids is not None and first[node] in self.ids:
            # if the node has a line of its own below, the first line is not about the node
            return names_label and any(row[node : node + 1] == [first[node]] for row in rest)
        rows = [row for row in islice(rest, 1000) if len(row) > max(node, label)]
        if self.ids is not None:
            return names_label or any(row[node] in self.ids for row in rows)
        nodes, labels = ([row[column] for row in rows] for column in (node, label))
        if names_label:
            return first[label] not in labels or first[node] in nodes
        return any(cells and all(map(is_number, cells)) for cells in (nodes, labels)) and not is_number(first[label])

    def _is_name_of_labels(self, name: str, rest: Iterable[list[str]]) -> bool:
        """Whether a single word names the only column, or the second one, as R does not name the first."""
        rows = list(islice(rest, 1000))
        sizes = {len(row) for row in rows}
        if name.lower() not in (*_CLASSES, "x") or sizes not in ({1}, {2}) or (self.ids and name in self.ids):
            return False
        return all(name not in row for row in rows)

    def plausibility(self, sample: Sample, separator: str | None) -> float:
        """Return 1 for a separator that is on every line, less for one in a header that names a column of nodes."""
        if separator is None:
            return 0.5
        rows = sample.rows(separator, multiline=self.multiline_quotes)
        if all(len(row) > 1 for row in rows):
            return 1.0
        return 0.9 if separator != ";" and named_columns(rows[0]) else 0.0


def with_label_column(source: Source, names: Sequence[str], column: str, node: int) -> tuple[int, int]:
    """Return the columns of node and label, of which the user has chosen the second; the nodes are in the first other.

    Parameters
    ----------
    source : Source
    names : sequence of str
        The header.
    column : str
        Name or number, counted from 1.
    node : int
        The column that would hold the nodes.

    Raises
    ------
    DataError
        There is no such column.
    """
    with naming(source):
        label = find_column(column, names, len(names))
    return (node if node != label else int(label == 0)), label


def read_text(
    source: Source, kind: str | None, nodes: Sequence[Hashable] | None, column: str | None, role: str
) -> Labels | Cover:
    """Read a node and its label a line, or a community a line; further columns are names or confidences.

    Comments are above the table. Below a header, a line that begins with # is a node of that name.
    """
    option = f"--{role}-format"
    if kind is None and column is not None:
        kind = "labels"
    if kind is None and (source.suffix == ".cmty" or ".cmty." in source.name):
        kind = "cmty"
        source.note("form", f"read as one community per line ({option} overrides)", form="cmty")
    data = source.utf8()
    expected = _PartitionExpectation(
        separators=("\t", ",", None) if kind == "cmty" else ("\t", ",", ";", None),
        header=False if kind == "cmty" else None,
        multiline_quotes=True,
        ids=None if nodes is None else frozenset(map(str, nodes)),
    )
    sample = Sample.of(data, expected, n_lines=None)
    if not sample.lines:
        raise source.error("the file is empty")
    dialect = sniff(sample, expected)
    if dialect.header is None:
        dialect = replace(dialect, inner_comments=("#",))
    rows = list(read_rows(source, data.decode(), dialect))
    if dialect.header and rows and {len(row) for _, row in rows} == {len(dialect.header) + 1}:
        dialect = replace(dialect, header=("", *dialect.header))  # R does not name the column of row names
    columns = None
    if kind != "cmty":
        option_column = None if column is not None else f"--{role}-column"
        columns = _note_header(source, dialect, sample, option_column, is_certain=nodes is not None)
    known = frozenset(() if nodes is None else map(str, nodes))
    if column is not None:
        names = list(dialect.header or ("",) * dialect.n_columns)
        if not any(names) and not column.isdecimal():
            raise source.error(f"the columns have no names: give a number from 1 to {len(names)} instead of {column!r}")
        columns = with_label_column(source, names, column, columns[0] if columns else 0)
    if dialect.header is not None and known:
        columns = _with_known_nodes(source, columns, dialect.header, rows, known, is_chosen=column is not None)
    if kind != "cmty" and columns is None and (ordered := _in_order(source, rows, nodes)) is not None:
        return ordered
    if kind != "cmty" and columns is None:
        _refuse_many_columns(source, rows, nodes, f"--{role}-column")
    if kind is None and columns is None:
        kind = _form(rows, dialect, known)
        form = "node label" if kind == "labels" else "one community"
        others = " and ignored the other columns" if kind == "labels" and dialect.n_columns > 2 else ""
        source.note("form", f"read as {form} per line{others} ({option} overrides)", form=kind)
    if kind == "cmty":
        return [{value for value in row if value} for _, row in rows]
    cover = _overlapping(source, rows, columns or (0, 1), dialect)
    return _labels_of_rows(source, rows, columns) if cover is None else cover


def _form(rows: Sequence[_Row], dialect: Dialect, ids: frozenset[str]) -> str:
    """Return "labels" or "cmty" for rows without a header, of a graph with the given ids if these are known."""
    values = [value for _, row in rows for value in row if value]
    if len(values) > len(rows) and len(set(values)) == len(values) and ids.issuperset(values):
        return "cmty"  # each node once
    sizes = [len(row) for _, row in rows]
    kinds = set(sizes)
    if len(kinds) == 1:
        return "labels" if kinds <= {2, 3} or (dialect.separator is not None and kinds != {1}) else "cmty"
    heads, seconds = {row[0] for _, row in rows}, {row[1] for _, row in rows if len(row) > 1}
    has_few_labels = 2 * sizes.count(2) >= len(rows) and 2 * len(seconds) <= len(rows)
    return "labels" if has_few_labels and len(heads) == len(rows) else "cmty"


def _with_known_nodes(
    source: Source,
    columns: tuple[int, int] | None,
    header: Sequence[str],
    rows: Sequence[_Row],
    known: frozenset[str],
    *,
    is_chosen: bool,
) -> tuple[int, int] | None:
    """Return the columns of node and label, the first of which has most of the graph's nodes, each of them once.

    `is_chosen` says whether the user has chosen the column of the labels.
    """
    if columns is None or len(header) < 3:
        return columns
    node, label = columns

    def n_known(column: int) -> tuple[int, bool]:
        values = [row[column] for _, row in rows if len(row) > column]
        return len(known.intersection(values)) * (len(set(values)) == len(values)), not is_index(values)

    named = named_columns(header)
    is_free = named is not None and not named[2] and not is_chosen  # whether the column of labels may be another one
    candidates = [i for i in range(len(header)) if i != label or is_free]
    best = max(candidates, key=lambda i: (*n_known(i), i == node))
    if best == node or n_known(best)[0] == 0:
        return columns
    label = next(i for i in range(len(header)) if i not in (node, best)) if best == label else label
    name = header[best] or "(no name)"
    source.notes = [note for note in source.notes if note.code != "label-column"]
    message = f"took the column {name} for the nodes, which has ids of the graph, and {header[label]} for the labels"
    source.note("node-column", message, names=[name, header[label]])
    return best, label


def _refuse_many_columns(source: Source, rows: Sequence[_Row], nodes: Sequence[Hashable] | None, option: str) -> None:
    """Raise if a table of nodes has so many columns without a name that any of them may hold the labels."""
    sizes = {len(row) for _, row in rows}
    if nodes is None or len(sizes) > 1 or min(sizes) < _MANY_COLUMNS:
        return
    known = set(map(str, nodes))
    n_listed = sum(row[0] in known for _, row in rows)
    n_others = sum(value in known for _, row in rows for value in row[1:])
    if 2 * n_listed > len(rows) and 2 * n_others < len(rows):
        raise source.error(f"it is unclear which of the {min(sizes)} columns holds the labels ({option} N chooses one)")


def _in_order(source: Source, rows: Sequence[_Row], nodes: Sequence[Hashable] | None) -> Labels | None:
    """Return the labels of a file with one on each line, in the order of the nodes; None for any other file.

    Raises
    ------
    DataError
        The number of lines is not that of the nodes, or the nodes are not known.
    """
    if any(len(row) != 1 for _, row in rows):
        return None
    labels = [row[0] for _, row in rows]
    is_partition = len(set(labels)) < len(labels) or re.search(r"\.part(?:\.[0-9]+)?$", source.name) is not None
    if nodes is None:
        if is_partition and all(label.isdecimal() for label in labels):
            raise source.error("each line has one label and no node: give the graph as well (--graph)")
        return None
    known = set(map(str, nodes))
    if not is_partition or (len(labels) != len(nodes) and known.issuperset(labels)):
        return None
    if len(labels) != len(nodes):
        raise source.error(f"{counted(len(labels), 'label')}, one on each line, for a graph of {len(nodes)} nodes")
    first = shorten(str(nodes[0]))
    source.note("labels-in-order", f"read one label per line, in the order of the graph's nodes ({first}, ...)")
    return {str(node): label for node, label in zip(nodes, labels, strict=True)}


def _overlapping(source: Source, rows: Sequence[_Row], columns: tuple[int, int], dialect: Dialect) -> Cover | None:
    """Return the communities of a table in which nodes have several labels, None if each node has one.

    Several labels stand in one field, or in further fields of lines that are longer than others, or in further lines of
    a table that `Communities.save` has written. A field such as "New York" is one label, unless its words are labels of
    other nodes.
    """
    node, label = columns
    is_own = tuple(dialect.header or ())[:3] == _HEADER_OF_COVERS
    if is_own and len({row[node] for _, row in rows if len(row) > label}) < len(rows):
        written: dict[str, set[Hashable]] = {}
        for _, row in rows:
            if len(row) > label:
                written.setdefault(row[label], set()).add(row[node])
        return list(written.values())
    sizes = {len(row) for _, row in rows}
    has_longer_lines = dialect.header is None and dialect.separator is None and len(sizes) > 1 and min(sizes) == 2
    members: dict[str, list[str]] = {}
    for _, row in rows:
        if len(row) > max(node, label) and row[node]:
            texts = row[label:] if has_longer_lines else [row[label]]
            members.setdefault(row[node], []).extend(text for text in texts if text)
    single = {texts[0] for texts in members.values() if len(texts) == 1 and not _SEVERAL.search(texts[0])}
    is_cover = False
    for name, texts in members.items():
        texts = [_LIST.sub(r"\1", text) for text in texts]
        parts = [part.strip("\"'") for text in texts for part in _SEVERAL.split(text) if part]
        if len(parts) > len(texts) and not (single.issuperset(parts) or all(part.isdecimal() for part in parts)):
            continue
        is_cover |= len(parts) > 1 and (has_longer_lines or len(parts) > len(texts))
        members[name] = parts
    if not is_cover:
        return None
    n_several = sum(len(parts) > 1 for parts in members.values())
    verb = "has" if n_several == 1 else "have"
    message = f"{counted(n_several, 'node')} {verb} several labels: the communities overlap"
    source.note("overlapping", message, n_nodes=n_several)
    communities: dict[str, set[Hashable]] = {}
    for name, parts in members.items():
        for part in parts:
            communities.setdefault(part, set()).add(name)
    return list(communities.values())


def _note_header(
    source: Source, dialect: Dialect, sample: Sample, option: str | None, *, is_certain: bool
) -> tuple[int, int] | None:
    """Return the columns of node and label that the header names, None without one; note what the first line is.

    If the ids of the graph's nodes decide, the header is a detail. `option` chooses the column of the labels, unless
    the user has done so.
    """
    first = dialect.header or sample.rows(dialect.separator, multiline=True)[0]
    columns = named_columns(first)
    line = f"the first line ({shorten(', '.join(first))[1:-1]})"
    if columns is not None and dialect.header is None:
        source.note("header-as-data", f"read {line} as data, not as a header")
    elif dialect.header is not None and first[:2] not in _OWN_HEADERS:
        source.note("header", f"read {line} as a header", is_detail=is_certain, names=list(first))
    if columns is None or dialect.header is None:
        return None
    node, label, names_label = columns
    if len(first) > 2 and not names_label and option is not None:
        names = [first[i] for i in range(len(first)) if i != node]
        message = f"took the column {first[label]} for the labels, of {list_columns(names)} ({option} chooses another)"
        source.note("label-column", message, names=names)
    return node, label


def _labels_of_rows(source: Source, rows: Iterable[tuple[int, list[str]]], columns: tuple[int, int] | None) -> Labels:
    """Return the label of each node; an empty label is none.

    Raises
    ------
    DataError
        A row has no label, or a node has two labels; names the line.
    """
    node, label = columns or (0, 1)
    labels: Labels = {}
    n_missing = 0
    for number, row in rows:
        if len(row) <= max(node, label) or (not row[node] and columns is None):
            raise source.error(f"expected a node and its label, found {counted(len(row), 'column')}", number)
        if is_missing_text(row[label]) and row[label] not in ("", "-"):
            n_missing += 1
        elif row[label] and labels.setdefault(row[node], row[label]) != row[label]:
            hint = "write overlapping communities as cmty, one community a line"
            raise source.error(f"node {row[node]!r} has two labels ({hint})", number)
    if n_missing:
        source.note("missing-labels", f"{counted(n_missing, 'node')} without a label (NA)", n_nodes=n_missing)
    return labels


def read_clu(source: Source, nodes: Sequence[Hashable] | None) -> Labels:
    """Read Pajek's partition file: the classes in the order of the nodes, without their ids."""
    head, *lines = [line.strip() for line in split_lines(source.text()) if line.strip()]
    if head.lower().startswith("*partition") and lines:  # its name
        head, *lines = lines
    words = head.split()
    if len(words) < 2 or not words[1].isdecimal() or int(words[1]) != len(lines):
        raise source.error(
            f"the first line must be *Vertices {len(lines)}, the number of lines below it, not {shorten(head)}", 1
        )
    if nodes is None:
        raise source.error("a .clu file does not name its nodes: give its graph as well (--graph)")
    if len(nodes) != len(lines):
        raise source.error(f"{len(lines)} classes for a graph of {len(nodes)} nodes")
    return {str(node): line for node, line in zip(nodes, lines, strict=True)}


def read_tree(source: Source, nodes: Sequence[Hashable] | None) -> Labels:
    """Read Infomap's .tree or .ftree: the top modules of the nodes.

    Raises
    ------
    DataError
        A line is not that of a node, or a node is in several modules; names the line.
    """
    found: list[tuple[int, str, str, str]] = []
    depth = 0
    for number, line in enumerate(split_lines(source.text()), 1):
        text = line.strip()
        if text.startswith("*"):  # the links between modules in an .ftree
            break
        if not text or text.startswith("#"):
            continue
        match = _TREE.fullmatch(text)
        if match is None:
            raise source.error(
                f"expected path, flow, name and node_id as in Infomap's .tree, found {shorten(text)}", number
            )
        path, _, name, ident = match.groups()
        depth = max(depth, path.count(":"))
        found.append((number, path.split(":")[0], name, ident or name))
    if depth > 1:
        source.note("top-modules", f"the tree has {depth} levels of modules: read the top one", n_levels=depth)
    known = set() if nodes is None else set(map(str, nodes))
    by_name = sum(name in known for _, _, name, _ in found) > sum(ident in known for _, _, _, ident in found)
    labels: Labels = {}
    for number, module, name, ident in found:
        node = name if by_name else ident
        if labels.setdefault(node, module) != module:
            raise source.error(
                f"node {node!r} is in several modules: communities that overlap need a cmty file", number
            )
    return labels
