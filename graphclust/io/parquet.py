"""Parquet (Apache Parquet, parquet.apache.org): a table with one row per edge.

Columns are found by their names and values, as in other tables of edges (`graphclust.graph.columns`). Ids keep the type
of the table, int or str; the nodes are in canonical order. Files written by graphclust store isolated nodes and the
direction in the metadata.
"""

from __future__ import annotations

import json
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from graphclust.errors import DataError, ResourceError
from graphclust.graph import MIXED, Graph, both_directions
from graphclust.graph.columns import EdgeColumns, choose_columns
from graphclust.io.reading import build, naming, split_modes, unweighted
from graphclust.io.source import Source, shorten
from graphclust.io.writing import id_texts, refuse_attributes
from graphclust.runtime.arrays import FloatArray
from graphclust.runtime.memory import require_memory
from graphclust.runtime.notes import counted

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

__all__ = ["KEEPS_IDS", "chosen_columns", "ends_of", "own_metadata", "read", "weights_of", "write"]

KEEPS_IDS = True

_METADATA = b"graphclust"
_DIRECTIONS = ({"directed"}, {"undirected"}, {"directed", "undirected"})
_SAMPLE = 1000  # rows that show what the columns hold


def chosen_columns(source: Source, file: pq.ParquetFile) -> EdgeColumns:
    """Return the columns that hold the ends and perhaps the weights."""
    schema = file.schema_arrow
    names = list(schema.names)
    if len(set(names)) < len(names):
        raise source.error("several columns of the table have the same name")
    if len(names) < 2:
        raise source.error(f"a table of edges must have at least two columns, but this one has {len(names)}")
    options = source.options
    row_labels = (schema.pandas_metadata or {}).get("index_columns", [])  # of a table that pandas has written
    places = [i for i, name in enumerate(names) if name not in row_labels]
    if len(places) < 2 or options.columns is not None or options.weight is not None:
        places = list(range(len(names)))
    shown = [names[i] for i in places]
    sample = next(file.iter_batches(batch_size=_SAMPLE, columns=shown), None)
    columns = [] if sample is None else [sample.column(name).to_pylist() for name in shown]
    rows = [["" if value is None else str(value) for value in row] for row in zip(*columns, strict=True)]
    with naming(source):
        chosen = choose_columns(
            shown,
            rows,
            len(shown),
            columns=options.columns,
            weight=options.weight,
            weights=options.weights,
            bipartite=options.bipartite,
        )
    for note in chosen.notes:
        source.add(note)
    ends = places[chosen.source], places[chosen.target]
    weight = None if chosen.weight is None else places[chosen.weight]
    chosen = replace(chosen, source=ends[0], target=ends[1], weight=weight)
    about = "" if weight is None else f" and {shorten(names[weight])} as weights"
    message = f"read columns {shorten(names[ends[0]])} and {shorten(names[ends[1]])} as edges{about}"
    source.note("columns", message, names=[names[i] for i in (*ends, weight) if i is not None])
    return chosen


def ends_of(source: Source, table: pa.Table) -> tuple[pa.ChunkedArray, bool]:
    """Return all sources, then all targets, and whether they are integers; otherwise they are strings."""
    import pyarrow as pa
    import pyarrow.compute as pc

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
    for name, column, is_integer in zip(table.column_names, ends, integers, strict=False):
        if is_integer and pa.types.is_uint64(column.type) and len(column) and pc.max(column).as_py() >= 2**63:
            raise source.error(f"an id in column {shorten(name)} does not fit into 64 bits with a sign")
    kind = pa.int64() if all(integers) else pa.large_string()
    return pa.chunked_array([chunk for column in ends for chunk in column.cast(kind).chunks], type=kind), all(integers)


def _is_text(kind: pa.DataType) -> bool:
    import pyarrow as pa

    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def weights_of(source: Source, table: pa.Table) -> FloatArray:
    """Return the weights, which are in the third column of a table."""
    import pyarrow as pa

    name = table.column_names[2]
    kind = table.schema.field(2).type
    if _is_text(kind) or pa.types.is_nested(kind) or pa.types.is_temporal(kind) or pa.types.is_binary(kind):
        raise source.error(f"weights must be numbers, but column {shorten(name)} holds {kind}")
    column = table.column(name)
    if column.null_count:
        message = f"{counted(column.null_count, 'edge')} without {shorten(name)} count 1"
        source.note("missing-weights", message, n_edges=column.null_count)
    weight: FloatArray = column.cast(pa.float64(), safe=False).fill_null(1.0).to_numpy()
    return weight


def _arcs(file: pq.ParquetFile) -> NDArray[np.bool_] | None:
    """Return which edges are directed, if Gephi's column Type is there and says so; None without one."""
    name = next((name for name in file.schema_arrow.names if name.lower() == "type"), None)
    kinds = [] if name is None else [str(kind).lower() for kind in file.read(columns=[name]).column(name).to_pylist()]
    return np.array([kind == "directed" for kind in kinds]) if set(kinds) in _DIRECTIONS else None


def own_metadata(source: Source, schema: pa.Schema, kind: type) -> tuple[bool, list[Hashable]]:
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


def read(source: Source) -> Graph:
    """Read a table of edges.

    Parameters
    ----------
    source : Source

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
        chosen = chosen_columns(source, file)
        places = (chosen.source, chosen.target, chosen.weight)
        names = [file.schema_arrow.names[i] for i in places if i is not None]
        table = file.read(columns=names).select(names)
        ends, integers = ends_of(source, table)
        is_directed, isolated = own_metadata(source, file.schema_arrow, int if integers else str)
        weight = weights_of(source, table) if len(names) > 2 else None
        is_arc = _arcs(file)
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
        unweighted(source, len(table))
    nodes = list(dict.fromkeys([*nodes, *isolated]))
    tail, head = np.split(codes, 2)
    if chosen.kinds is not None:
        return split_modes(source, nodes, tail, head, weight, chosen.kinds)
    directed = source.options.directed
    if directed is None and is_arc is not None:
        directed = bool(is_arc.any())
        if directed and not is_arc.all():
            source.add(MIXED)
            tail, head, weight = both_directions(tail, head, weight, is_arc)
    directed = is_directed if directed is None else directed
    return build(source, tail, head, weight, nodes=nodes, directed=directed).canonical()


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
