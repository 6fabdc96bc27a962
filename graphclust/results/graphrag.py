"""Communities as the tables that GraphRAG reads instead of its own.

GraphRAG keeps a graph of entities and relationships in `entities.parquet` and `relationships.parquet`, and its
communities in `communities.parquet`, from which it writes reports. A community lies on a level, 0 being the coarsest,
within a community of the level before, its parent; -1 stands for none.
"""

from __future__ import annotations

import datetime
import os
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

import numpy as np

from graphclust.errors import DataError
from graphclust.graph import Graph
from graphclust.runtime.arrays import IntArray

if TYPE_CHECKING:
    import pyarrow as pa

    from graphclust.results.communities import Communities

__all__ = ["graphrag_tables", "write_communities"]

_NAMESPACE = uuid.UUID("6f0c8d1e-6c8a-5b7e-9d55-0a8f2d1c7b11")  # of ids that are made from titles
_RELATIONSHIPS, _ENTITIES = "relationships.parquet", "entities.parquet"


class _Known(NamedTuple):
    """Ids of GraphRAG: of each node, and of each edge with the text units in which it was found."""

    entities: list[str]
    relationships: list[list[str]]
    text_units: list[list[str]]


def write_communities(result: Communities, stream: BinaryIO) -> None:
    """Write the table of communities; see `graphrag_tables`."""
    import pyarrow.parquet as pq

    pq.write_table(graphrag_tables(result)["communities"], stream)


def graphrag_tables(result: Communities) -> dict[str, pa.Table]:
    """Return the tables of GraphRAG by name: communities, and entities and relationships if they are new.

    If the graph was read from GraphRAG's `relationships.parquet`, the ids of relationships and text units are those of
    that file, and those of entities are from `entities.parquet` beside it. For any other graph, there is an entity for
    each node and a relationship for each edge, with ids that depend on the titles alone.

    Levels are those of the hierarchy, or there is one. A community that is the same on two levels is on the coarser one
    alone.
    """
    import pyarrow as pa

    titles = [str(node) for node in result.nodes]
    source = _read(result.graph, titles)
    known = source or _made(result.graph, titles)
    columns: dict[str, list[Any]] = {name: [] for name in _SCHEMA}
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    for number, community in enumerate(_communities(result)):
        members = community.members.tolist()
        edges = community.edges.tolist()
        values = {
            "id": _id("community", str(community.level), *sorted(titles[i] for i in members)),
            "human_readable_id": number,
            "community": number,
            "level": community.level,
            "parent": community.parent,
            "children": community.children,
            "title": f"Community {number}",
            "entity_ids": [known.entities[i] for i in members],
            "relationship_ids": [name for e in edges for name in known.relationships[e]],
            "text_unit_ids": sorted({unit for e in edges for unit in known.text_units[e]}),
            "period": today,
            "size": len(members),
        }
        for name, value in values.items():
            columns[name].append(value)
    types = {"int": pa.int64(), "str": pa.string(), "ints": pa.list_(pa.int64()), "strs": pa.list_(pa.string())}
    schema = pa.schema([(name, types[kind]) for name, kind in _SCHEMA.items()])
    tables = {"communities": pa.table(columns, schema)}
    return tables if source is not None else tables | _graph_tables(result.graph, titles, known)


_SCHEMA = {
    "id": "str",
    "human_readable_id": "int",
    "community": "int",
    "level": "int",
    "parent": "int",
    "children": "ints",
    "title": "str",
    "entity_ids": "strs",
    "relationship_ids": "strs",
    "text_unit_ids": "strs",
    "period": "str",
    "size": "int",
}


class _Community(NamedTuple):
    level: int
    parent: int
    children: list[int]
    members: IntArray
    edges: IntArray


def _communities(result: Communities) -> list[_Community]:
    """Return the communities of all levels, the coarsest level first, and the largest of a level first."""
    levels = [result.ranks] if result.hierarchy is None else list(result.hierarchy.levels[::-1])
    graph = result.graph
    communities: list[_Community] = []
    number_above: IntArray = np.full(graph.num_nodes, -1, np.int64)  # of the community of each node
    for level, labels in enumerate(levels):
        n_labels = int(labels.max(initial=-1)) + 1
        inside = np.flatnonzero(labels[graph.source] == labels[graph.target])
        every = _split(labels, np.arange(len(labels)), n_labels)
        edges = _split(labels[graph.source[inside]], inside, n_labels)
        number = number_above.copy()
        for members, own_edges in zip(every, edges, strict=True):
            parent = int(number_above[members[0]])
            if parent >= 0 and len(communities[parent].members) == len(members):
                continue
            number[members] = len(communities)
            if parent >= 0:
                communities[parent].children.append(len(communities))
            communities.append(_Community(level, parent, [], members, own_edges))
        number_above = number
    return communities


def _split(labels: IntArray, values: IntArray, n_labels: int) -> list[IntArray]:
    """Return the values with each label."""
    order = np.argsort(labels, kind="stable")
    parts = np.split(values[order], np.cumsum(np.bincount(labels, minlength=n_labels))[:-1])
    return parts if n_labels else []


def _id(*parts: str) -> str:
    return str(uuid.uuid5(_NAMESPACE, "\x1f".join(parts)))


def _made(graph: Graph, titles: list[str]) -> _Known:
    """Return new ids."""
    if len(set(titles)) < len(titles):
        raise DataError("two ids have the same text, such as 1 and '1': GraphRAG tells entities by their titles")
    pairs = zip(graph.source.tolist(), graph.target.tolist(), strict=True)
    relationships = [[_id("relationship", titles[i], titles[j])] for i, j in pairs]
    return _Known([_id("entity", title) for title in titles], relationships, [[] for _ in relationships])


def _read(graph: Graph, titles: list[str]) -> _Known | None:
    """Return the ids of the tables that the graph was read from, None if these are not GraphRAG's."""
    import pyarrow.parquet as pq

    path = Path(os.fspath(graph.meta.get("source") or ""))
    if path.name != _RELATIONSHIPS or not path.is_file():
        return None
    names = set(pq.read_schema(path).names)
    if not {"id", "source", "target"} <= names:
        return None
    table = pq.read_table(path, columns=[name for name in ("id", "source", "target", "text_unit_ids") if name in names])
    rows = table.to_pydict()
    units = rows.get("text_unit_ids") or [[]] * len(rows["id"])
    beside = path.with_name(_ENTITIES)
    entity_of: dict[str, str] = {}
    if beside.is_file() and {"id", "title"} <= set(pq.read_schema(beside).names):
        entities = pq.read_table(beside, columns=["id", "title"]).to_pydict()
        entity_of = dict(zip(map(str, entities["title"]), map(str, entities["id"]), strict=True))
    place = {title: i for i, title in enumerate(titles)}
    edge_of = {pair: e for e, pair in enumerate(zip(graph.source.tolist(), graph.target.tolist(), strict=True))}
    relationships: list[list[str]] = [[] for _ in edge_of]
    text_units: list[list[str]] = [[] for _ in edge_of]
    for name, a, b, some in zip(rows["id"], rows["source"], rows["target"], units, strict=True):
        i, j = place.get(str(a), -1), place.get(str(b), -1)
        edge = edge_of.get((i, j), edge_of.get((j, i)))
        if edge is not None:
            relationships[edge].append(str(name))
            text_units[edge] += map(str, some if some is not None else [])
    return _Known([entity_of.get(title) or _id("entity", title) for title in titles], relationships, text_units)


def _graph_tables(graph: Graph, titles: list[str], known: _Known) -> dict[str, pa.Table]:
    """Return the tables of new entities and relationships."""
    import pyarrow as pa

    n, m = graph.num_nodes, graph.num_edges
    degree = np.bincount(np.concatenate((graph.source, graph.target)), minlength=n)
    empty = pa.array([[]] * n, pa.list_(pa.string())), pa.array([[]] * m, pa.list_(pa.string()))
    entities = {
        "id": known.entities,
        "human_readable_id": np.arange(n),
        "title": titles,
        "type": pa.array([""] * n, pa.string()),
        "description": pa.array([""] * n, pa.string()),
        "text_unit_ids": empty[0],
        "frequency": np.ones(n, np.int64),
        "degree": degree,
    }
    relationships = {
        "id": pa.array([ids[0] for ids in known.relationships], pa.string()),
        "human_readable_id": np.arange(m),
        "source": pa.array([titles[i] for i in graph.source.tolist()], pa.string()),
        "target": pa.array([titles[i] for i in graph.target.tolist()], pa.string()),
        "description": pa.array([""] * m, pa.string()),
        "weight": graph.edge_weight,
        "combined_degree": degree[graph.source] + degree[graph.target],
        "text_unit_ids": empty[1],
    }
    return {"entities": pa.table(entities), "relationships": pa.table(relationships)}
