"""The file formats of results."""

from __future__ import annotations

import csv
import io
import json
import math
import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from graphclust.errors import DataError, UsageError, unknown
from graphclust.graph import has_distinct_texts
from graphclust.io import carried, format_of, write_graph
from graphclust.io.source import suffix_of
from graphclust.io.writing import id_texts
from graphclust.results.graphrag import write_communities
from graphclust.results.hierarchy import Hierarchy
from graphclust.runtime.arrays import IntArray
from graphclust.runtime.serialize import plain

if TYPE_CHECKING:
    from graphclust.results.communities import Communities
    from graphclust.results.cover import Cover

__all__ = ["RESULT_FORMATS", "result_format", "write_result"]

_MOST_ROWS = 1 << 16  # of a table that are spelt out at once
_PICTURES = ("png", "svg", "pdf", "jpg", "jpeg", "gif", "eps", "tif", "tiff")
_UNSUPPORTED = ("xls", "xlsx", "ods", "db", "sqlite", "pkl", "npy")


def _columns(communities: Communities) -> dict[str, tuple[Sequence[Any], Callable[[Any], Sequence[Any]]]]:
    """Return the columns of a table of nodes by name, and how the values of some rows are spelt."""
    columns: dict[str, tuple[Any, Callable[[Any], Sequence[Any]]]] = {"node": (communities.graph.ids, list)}
    for name, labels in _labels_by_name(communities).items():
        columns[name] = labels, np.ndarray.tolist
    for name, certainty in communities.certainty.items():
        columns[name] = certainty, lambda values: [f"{value:.6g}" for value in values.tolist()]
    for name, names in _names_of_nodes(communities).items():
        columns[name] = names, lambda values: ["" if value is None else value for value in values]
    return columns


def _labels_by_name(communities: Communities) -> dict[str, IntArray]:
    """Return the labels under the names that tables give them: community, or level_1 (the finest), level_2, ..."""
    if communities.hierarchy is None:
        return {"community": communities.labels}
    return {f"level_{i}": level for i, level in enumerate(communities.hierarchy.levels, 1)}


def _names_of_nodes(communities: Communities) -> dict[str, list[Any]]:
    """Return the attribute with the names of the nodes, if these are not their ids: one column or none."""
    label = communities.graph.meta.get("label_attribute")
    values = communities.graph.meta.get("node_attributes", {}).get(label)
    taken = ("node", "community", "confidence", "stability", *_labels_by_name(communities))
    if values is None or label in taken or len(values) != len(communities.nodes):
        return {}
    return {str(label): values}


def _columns_of_cover(cover: Cover) -> dict[str, tuple[Sequence[Any], Callable[[Any], Sequence[Any]]]]:
    """Return what `_columns` does, with a row for each membership."""
    nodes, labels, weights = zip(*cover.rows(), strict=True) if cover.nodes else ((), (), ())
    return {
        "node": (nodes, list),
        "community": (labels, list),
        "weight": (weights, lambda values: [f"{value:.6g}" for value in values]),
    }


def _write_table(communities: Communities, stream: BinaryIO, delimiter: str) -> None:
    if not has_distinct_texts(communities.graph.ids):
        id_texts(communities.graph)  # refuses different ids with the same text
    cover = communities.cover
    columns = _columns(communities) if cover is None else _columns_of_cover(cover)
    # empty ids, and ids that start or end with blanks, need quotes
    nodes = columns["node"][0]
    needs_quotes = any(type(node) is str and (not node or node != node.strip()) for node in nodes)
    text = io.StringIO()
    writer = csv.writer(
        text,
        delimiter=delimiter,
        lineterminator="\n",
        quoting=csv.QUOTE_NONNUMERIC if needs_quotes else csv.QUOTE_MINIMAL,
    )
    writer.writerow(columns)
    for first in range(0, max(len(nodes), 1), _MOST_ROWS):
        some = slice(first, first + _MOST_ROWS)
        writer.writerows(zip(*(spelt(values[some]) for values, spelt in columns.values()), strict=True))
        stream.write(text.getvalue().encode())
        text.seek(0)
        text.truncate()


def _json_id(node: Any) -> Any:
    if isinstance(node, bool | int | str) or (isinstance(node, float) and math.isfinite(node)):
        return node
    return node.item() if hasattr(node, "item") else str(node)


def as_json(communities: Communities) -> dict[str, Any]:
    """Return a result as a dictionary that `json` can serialise."""
    posterior, hierarchy = communities.posterior, communities.hierarchy
    ids = [_json_id(node) for node in communities.nodes]
    if len(set(ids)) < len(ids):
        id_texts(communities.graph)  # raises an error that names the ids with the same text
    return {
        "nodes": ids,
        "labels": communities.labels.tolist(),
        "confidence": None if communities.confidence is None else communities.confidence.round(6).tolist(),
        **({} if communities.stability is None else {"stability": communities.stability.round(6).tolist()}),
        "n_clusters": communities.n_clusters,
        **({} if hierarchy is None else {"levels": [level.tolist() for level in hierarchy.levels]}),
        **({} if communities.cover is None else {"cover": _memberships(communities.cover)}),
        **({} if communities.changes is None else {"changes": plain(communities.changes.to_dict())}),
        "method": communities.method,
        "params": plain(communities.params),
        "seed": plain(communities.params.get("random_state")),
        "seconds": communities.seconds,
        "explanation": plain(communities.details),
        "quality": communities.quality(),
        "summary": plain(communities.describe()),
        "posterior": None
        if posterior is None
        else {"n_clusters": {str(k): p for k, p in posterior.n_clusters().items()}},
        "notes": [note.to_dict() for note in communities.notes],
    }


def _memberships(cover: Cover) -> list[dict[str, float]]:
    """Return the weights of the communities of each node, by label."""
    return [{str(label): round(weight, 6) for label, weight in row.items()} for row in cover.memberships.values()]


def _write_json(communities: Communities, stream: BinaryIO) -> None:
    stream.write(json.dumps(as_json(communities), ensure_ascii=False, allow_nan=False).encode())
    stream.write(b"\n")


def _cmty_id(text: str) -> str:
    if not text or any(c.isspace() for c in text) or text[0] == "#":
        raise DataError(f"cmty separates ids by white space and cannot represent the id {text!r}; use csv or json")
    return text


def _write_cmty(communities: Communities, stream: BinaryIO) -> None:
    texts = id_texts(communities.graph)
    members: list[list[str]] = [[] for _ in range(communities.n_clusters)]
    if communities.cover is not None:
        members = [[_cmty_id(texts[i]) for i in part.tolist()] for part in communities.cover.members]
    else:
        for text, rank in zip(texts, communities.ranks.tolist(), strict=True):
            members[rank].append(_cmty_id(text))
    stream.write("".join("\t".join(line) + "\n" for line in members).encode())


def _write_clu(communities: Communities, stream: BinaryIO) -> None:
    """Write Pajek's partition format: classes counted from 1, in the order of the nodes."""
    lines = "".join(f"{label + 1}\n" for label in communities.labels.tolist())
    stream.write(f"*Vertices {len(communities.labels)}\n{lines}".encode())


def _write_graph(kind: str) -> Callable[[Communities, BinaryIO], None]:
    def write(communities: Communities, stream: BinaryIO) -> None:
        attributes = carried(communities.graph, kind)[0]
        for name in ("confidence", "stability"):
            attributes.pop(name, None)  # from an earlier result
        attributes |= {name: labels.tolist() for name, labels in _labels_by_name(communities).items()}
        attributes["community"] = communities.labels.tolist()
        if communities.cover is not None:
            attributes["communities"] = [" ".join(map(str, row)) for row in communities.cover.memberships.values()]
        attributes |= {name: values.tolist() for name, values in communities.certainty.items()}
        write_graph(communities.graph, stream, format=kind, attributes=attributes)

    return write


def _write_parquet(communities: Communities, stream: BinaryIO) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    if communities.cover is not None:
        pq.write_table(
            pa.Table.from_pandas(communities.cover.to_frame().astype({"node": str}), preserve_index=False), stream
        )
        return
    nodes = communities.nodes
    is_uniform = len({type(node) for node in nodes}) <= 1 and all(isinstance(node, int | str) for node in nodes[:1])
    is_uniform = is_uniform and all(isinstance(node, str) or -(2**63) <= node < 2**63 for node in nodes)
    columns: dict[str, Any] = {
        "node": nodes if is_uniform else id_texts(communities.graph),
        **_labels_by_name(communities),
    }
    columns |= communities.certainty
    for name, values in _names_of_nodes(communities).items():
        columns[name] = [None if value is None else str(value) for value in values]
    pq.write_table(pa.table(columns), stream)


def _write_tree(kind: str) -> Callable[[Communities, BinaryIO], None]:
    def write(communities: Communities, stream: BinaryIO) -> None:
        hierarchy = communities.hierarchy or Hierarchy(communities.graph, (communities.ranks,))
        text = hierarchy.to_tree() if kind == "tree" else hierarchy.to_newick() + "\n"
        stream.write(text.encode())

    return write


# a new result format needs a function above and a line here
RESULT_FORMATS: dict[str, Callable[[Communities, BinaryIO], None]] = {
    "tsv": lambda c, stream: _write_table(c, stream, "\t"),
    "csv": lambda c, stream: _write_table(c, stream, ","),
    "json": _write_json,
    "cmty": _write_cmty,
    "clu": _write_clu,
    "graphml": _write_graph("graphml"),
    "gexf": _write_graph("gexf"),
    "parquet": _write_parquet,
    "newick": _write_tree("newick"),
    "tree": _write_tree("tree"),
    "graphrag": write_communities,
}
_SUFFIXES = {"nwk": "newick"}


def result_format(path: str | os.PathLike[str] | None, requested: str | None = None) -> str:
    """Return the format of a result: the requested one, or the one of the file's extension, or tsv.

    Raises
    ------
    UsageError
        The format is unknown.

    Examples
    --------
    >>> result_format("communities.json"), result_format("out"), result_format("out.txt", "csv")
    ('json', 'tsv', 'csv')
    """
    if requested is None:
        suffix = "" if path is None else suffix_of(os.fspath(path)).removeprefix(".")
        if suffix in _PICTURES:
            raise UsageError(
                f"results are tables, not pictures: --figure x.{suffix} draws the graph, --out writes nodes"
            )
        if suffix in ("html", "htm"):
            raise UsageError("an HTML page is not a result format: use the format 'html'")
        if suffix in _UNSUPPORTED or (
            suffix not in RESULT_FORMATS and format_of(f"x.{suffix}") not in (None, "edgelist")
        ):
            raise UsageError(f"cannot write results as .{suffix}; choose from {', '.join(RESULT_FORMATS)}")
        suffix = _SUFFIXES.get(suffix, suffix)
        return suffix if suffix in RESULT_FORMATS else "tsv"
    if requested not in RESULT_FORMATS:
        raise unknown("result format", requested, RESULT_FORMATS)
    return requested


def write_result(communities: Communities, stream: BinaryIO, format: str = "tsv") -> None:
    """Write a result.

    Parameters
    ----------
    communities : Communities
    stream : binary file
    format : str
        One of `RESULT_FORMATS`. cmty has one community per line. clu is Pajek's format: classes counted from 1, in the
        order of the nodes. newick and tree have all levels of a hierarchy; tree is Infomap's format. graphrag is
        the table of communities, a Parquet file; see `graphclust.results.graphrag`.

    Raises
    ------
    UsageError
        The format is unknown.
    DataError
        The format cannot represent an id, or would write two ids with the same text, such as 1 and "1".
    """
    try:
        RESULT_FORMATS[result_format(None, format)](communities, stream)
    except UnicodeEncodeError as error:
        raise DataError(f"the id {error.object[:40]!r} cannot be written as UTF-8") from None
