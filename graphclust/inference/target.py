"""The graph that block models describe."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from graphclust.graph import Graph
from graphclust.inference import BLOCK_MODELS
from graphclust.inference.base import BlockModel
from graphclust.metrics import numbered
from graphclust.problem.constraints import respecting
from graphclust.problem.problem import Core
from graphclust.runtime.arrays import IntArray
from graphclust.runtime.notes import Note

__all__ = ["Target"]


class Target:
    """The graph that block models describe: the edges of a core without self-loops.

    Models with integrated parameters describe edges without directions; equal weights in both directions are one edge.
    Microcanonical models describe a `multigraph`, and its weights by `weight_model`
    (`graphclust.inference.edge_weights.WEIGHT_MODELS`; by default parallel edges, or exponential weights).
    """

    def __init__(self, core: Core, weight_model: str | None = None) -> None:
        self.weight_model = weight_model
        self.core, self.n_clusters, self.known, self.sides = core, core.n_clusters, core.known, core.sides
        self.has_changed = None if core.start is None else core.start.has_changed
        graph = core.graph.without_self_loops()
        plain, weight = graph.undirected(), graph.weight
        self.source, self.target, self.n_nodes = plain.source, plain.target, plain.num_nodes
        self.is_weighted = weight is not None and bool(len(weight)) and bool(weight.min() != weight.max())
        self.weight = plain.edge_weight if self.is_weighted else None
        self.graph = Graph(range(self.n_nodes), self.source, self.target, None, directed=False, storage=plain.storage)

    def multigraph(self, directed: bool = True) -> Graph:
        """Return the edges, with weights unless all are equal, and directions unless there are none, or two sides."""
        graph = self.core.graph
        if not (graph.directed and directed) or self.sides is not None:
            return Graph.from_edges(self.source, self.target, self.weight, nodes=self.n_nodes)
        is_edge = graph.source != graph.target
        weight = graph.edge_weight[is_edge] if self.is_weighted else None
        return Graph.from_edges(graph.source[is_edge], graph.target[is_edge], weight, nodes=self.n_nodes, directed=True)

    @property
    def is_free(self) -> bool:
        """Whether neither the number of communities nor any label is known."""
        return self.n_clusters is None and self.known is None

    def model(self, name: str) -> BlockModel:
        """Return the graph under a block model, with its default hyperparameters."""
        return BLOCK_MODELS[name].of(self)

    def restricted(self, labels: ArrayLike) -> IntArray:
        """Make a partition agree with the known labels and the sides."""
        restricted = respecting(np.asarray(labels, dtype=np.int64), self.known)
        return restricted if self.sides is None else numbered(restricted * 2 + self.sides)

    def dropped_directions(self, *, described: bool, tried: Sequence[str] = ()) -> tuple[Note, ...]:
        """Return a note if the graph has directions that the chosen model does not describe."""
        if not self.core.graph.directed or (described and self.sides is None):
            return ()
        message = "the directions of edges are ignored; the model dc-sbm describes them"
        if "dc-sbm" in tried:
            message = "the directions of edges are ignored: dc-sbm, which describes them, found no better communities"
        if self.sides is not None:
            message = "two-mode graphs are described without the directions of edges"
        return (Note("dropped-directions", message),)

    def cut(self, labels: IntArray) -> IntArray:
        """Cut blocks at the borders of components, unless their number is fixed. Results are cut in the same way."""
        if self.n_clusters is not None:
            return labels
        return numbered(self.core.cut(labels[None], np.full(1, np.nan))[0][0])
