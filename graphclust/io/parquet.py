"""Parquet (Apache Parquet, parquet.apache.org): a table with a row an edge.

Columns are found by their names; if these say nothing, the first two are the ends and a third one, if it holds numbers,
the weight. Ids are ints or strings as in the table, in canonical order, as a table of edges has none of its own.
What a table of edges cannot hold, isolated nodes and the direction, our own files have in their metadata.
"""

from __future__ import annotations

import json
from collections.abc import Hashable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from graphclust.errors import DataError, ResourceError
from graphclust.graph import Graph
from graphclust.graph.columns import edge_columns
from graphclust.io.reading import build, unweighted
from graphclust.io.source import Source, shorten
from graphclust.io.writing import id_texts, refuse_attributes
from graphclust.runtime.arrays import FloatArray
from graphclust.runtime.memory import require_memory

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["KEEPS_IDS", "read", "write"]

KEEPS_IDS = True

_METADATA = b"graphclust"


def _choose(source: Source, schema: pa.Schema, weights: bool | None) -> list[str]:
    """Return the names of the columns to read: source, target and perhaps weight."""
    import pyarrow as pa

    names = list(schema.names)
    if len(set(names)) < len(names):
        raise source.error("several columns of the table have the same name")
    if len(names) < 2:
        raise source.error(f"a table of edges must have at least two columns, but this one has {len(names)}")
    chosen = edge_columns(names)
    if chosen is None:
        row_labels = (schema.pandas_metadata or {}).get("index_columns", [])  # of a table that pandas has written
        columns = [i for i, name in enumerate(names) if name not in row_labels]
        if len(columns) < 2:
            columns = list(range(len(names)))
        third = schema.field(columns[2]).type if len(columns) > 2 else pa.null()
        numeric = pa.types.is_integer(third) or pa.types.is_floating(third) or pa.types.is_decimal(third)
        chosen = (columns[0], columns[1], columns[2] if numeric else None)
    picked = [names[i] for i in chosen if i is not None]
    if weights is False:
        picked = picked[:2]
    weight = f" and {shorten(picked[2])} as weights" if len(picked) > 2 else ""
    message = f"read columns {shorten(picked[0])} and {shorten(picked[1])} as edges{weight}"
    source.note("columns", message, names=picked)
    return picked


def _ends(source: Source, table: pa.Table) -> tuple[pa.ChunkedArray, bool]:
    """Return all sources, then all targets, and whether they are integers; otherwise they are strings."""
    import pyarrow as pa

    ends, integers = [], []
    for name in table.column_names[:2]:
        column = table.column(name)
        if pa.types.is_dictionary(column.type):
            column = column.cast(column.type.value_type)
        if column.null_count:
            row = int(np.argmax(column.is_null().to_numpy()))
            raise source.error(f"column {shorten(name)} has no value in row {row + 1}")
        kind = column.type
        if not (pa.types.is_integer(kind) or pa.types.is_null(kind) or _is_text(kind)):
            raise source.error(f"ids must be integers or strings, but column {shorten(name)} holds {kind}")
        ends.append(column)
        integers.append(not _is_text(kind))
    if integers[0] != integers[1]:
        source.note(
            "mixed-id-types", "read both columns of ids as strings, because one holds integers and the other strings"
        )
    kind = pa.int64() if all(integers) else pa.large_string()
    return pa.chunked_array([chunk for column in ends for chunk in column.cast(kind).chunks], type=kind), all(integers)


def _is_text(kind: pa.DataType) -> bool:
    import pyarrow as pa

    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def _weights(source: Source, table: pa.Table) -> FloatArray:
    import pyarrow as pa

    name = table.column_names[2]
    kind = table.schema.field(2).type
    if _is_text(kind) or pa.types.is_nested(kind) or pa.types.is_temporal(kind) or pa.types.is_binary(kind):
        raise source.error(f"weights must be numbers, but column {shorten(name)} holds {kind}")
    weight: FloatArray = table.column(name).cast(pa.float64(), safe=False).fill_null(1.0).to_numpy()
    return weight


def _own_metadata(source: Source, schema: pa.Schema, kind: type) -> tuple[bool, list[Hashable]]:
    """Return direction and isolated nodes of a table that `write` wrote; of others, undirected and none."""
    text = (schema.metadata or {}).get(_METADATA)
    if text is None:
        return False, []
    try:
        known = json.loads(text)
        directed, isolated = known["directed"], known["isolated"]
        if isinstance(directed, bool) and all(type(node) is kind for node in isolated):
            return directed, isolated
    except (ValueError, LookupError, TypeError, RecursionError):
        pass
    raise source.error("the metadata that graphclust wrote is damaged")


def read(source: Source, *, directed: bool | None = None, weights: bool | None = None) -> Graph:
    """Read a table of edges.

    Parameters
    ----------
    source : Source
    directed : bool, optional
        Whether the edges have a direction; by default they have none, unless our own metadata says so.
    weights : bool, optional
        False ignores a column of weights, True requires it. A missing weight counts 1.

    Returns
    -------
    Graph
        Nodes in canonical order, ids as the table has them: ints or strings.

    Raises
    ------
    DataError
        Not a Parquet file, or a damaged one; fewer than two columns; ids that are missing, or neither integers of 64
        bits nor strings; a weight that is negative, infinite or not a number.
    ResourceError
        The table would not fit into memory.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(pa.BufferReader(source.data))
        require_memory(60.0 * file.metadata.num_rows, f"{source.name}: a table of {file.metadata.num_rows} rows")
        names = _choose(source, file.schema_arrow, weights)
        table = file.read(columns=names).select(names)
        ends, integers = _ends(source, table)
        is_directed, isolated = _own_metadata(source, file.schema_arrow, int if integers else str)
        weight = _weights(source, table) if len(names) > 2 else None
        if integers:
            values, codes = np.unique(ends.to_numpy(), return_inverse=True)
            nodes: list[Hashable] = values.tolist()
        else:
            encoded = ends.combine_chunks().dictionary_encode()
            nodes, codes = encoded.dictionary.to_pylist(), encoded.indices.to_numpy()
    except (pa.ArrowException, OSError, MemoryError, UnicodeDecodeError) as error:
        if isinstance(error, ResourceError):
            raise
        reason = str(error).split("\n", 1)[0] or type(error).__name__
        raise source.error(f"not a Parquet file, or a damaged one ({reason})") from None
    if weight is None:
        unweighted(source, weights, len(table))
    nodes = list(dict.fromkeys([*nodes, *isolated]))
    tail, head = np.split(codes, 2)
    is_directed = is_directed if directed is None else directed
    return build(source, tail, head, weight, nodes=nodes, directed=is_directed).canonical()


def write(graph: Graph, stream: BinaryIO, attributes: Mapping[str, Sequence[Any]] | None = None) -> None:
    """Write a table with the columns source, target and, if the graph is weighted, weight.

    Ids are a column of 64-bit integers if all are, otherwise of strings.

    Parameters
    ----------
    graph : Graph
    stream : binary file
    attributes : mapping, optional
        Refused: a table of edges has no place for them.

    Raises
    ------
    DataError
        Two ids have the same text, or an id cannot be written as UTF-8.
    UsageError
        Attributes.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    refuse_attributes(attributes, "a table of edges")
    ids: list[Any] = graph.nodes
    if not all(
        isinstance(node, int | np.integer) and not isinstance(node, bool) and -(2**63) <= node < 2**63 for node in ids
    ):
        ids = id_texts(graph)
    try:
        names = pa.array(ids, pa.string() if ids is not graph.nodes else pa.int64())
    except UnicodeEncodeError:
        raise DataError("an id cannot be written as UTF-8") from None
    columns = {"source": names.take(pa.array(graph.source)), "target": names.take(pa.array(graph.target))}
    if graph.weight is not None:
        columns["weight"] = pa.array(graph.weight)
    alone = np.flatnonzero(graph.degree(weighted=False) == 0)
    own = json.dumps({"directed": graph.directed, "isolated": names.take(pa.array(alone)).to_pylist()})
    pq.write_table(pa.table(columns).replace_schema_metadata({_METADATA: own}), stream)
