"""The graph type, and what turns the objects of other libraries into it."""

from graphclust.graph.convert import from_pyg, graph_from_entries, graph_of, holds_graph, holds_points
from graphclust.graph.core import MAX_NODES, MIXED, Graph, merge_notes, same_ids
from graphclust.graph.edges import both_directions
from graphclust.graph.ids import (
    MAX_DECIMAL,
    DecimalIds,
    IntegerIds,
    JoinedIds,
    TextIds,
    canonical_positions,
    has_distinct_texts,
    places_of,
)

__all__ = [
    "MAX_DECIMAL",
    "MAX_NODES",
    "MIXED",
    "DecimalIds",
    "Graph",
    "IntegerIds",
    "JoinedIds",
    "TextIds",
    "both_directions",
    "canonical_positions",
    "from_pyg",
    "graph_from_entries",
    "graph_of",
    "has_distinct_texts",
    "holds_graph",
    "holds_points",
    "merge_notes",
    "places_of",
    "same_ids",
]
