"""A graph as the kernels of local moves take it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from graphclust.graph import Graph
from graphclust.runtime.compilation import await_compilation
from graphclust.runtime.storage import new_array

if TYPE_CHECKING:
    from graphclust.kernels.adjacency import Adjacency, Records

__all__ = ["KernelInput", "kernel_input", "rows_of"]


class KernelInput(NamedTuple):
    """A graph as the kernels take it (see `graphclust.kernels.local_moves`).

    Attributes
    ----------
    rows : Adjacency
    masses : array of `MASS`, shape (n_nodes,)
    unit : float
        gamma at resolution 1.
    """

    rows: Adjacency
    masses: Records
    unit: float


def rows_of(graph: Graph) -> Adjacency:
    """Return the rows of a graph; methods that solve the same core share them."""
    from graphclust.kernels.adjacency import adjacency

    return adjacency(graph.source, graph.target, graph.weight, graph.num_nodes, graph.storage)


def kernel_input(graph: Graph, objective: str = "modularity", rows: Adjacency | None = None) -> KernelInput:
    """Return a graph as the kernels take it.

    Degrees are scaled by a power of two, so that products of tiny ones are not 0.

    Parameters
    ----------
    graph : Graph
    objective : {"modularity", "cpm"}
    rows : Adjacency, optional
        Those of `rows_of`.
    """
    from graphclust.kernels.local_moves import MASS

    await_compilation("graphclust.kernels.local_moves")
    rows = rows_of(graph) if rows is None else rows
    masses = new_array(graph.storage, graph.num_nodes, MASS)
    masses["size"], masses["is_fixed"] = 1, 0
    if objective == "cpm":
        masses["u"] = masses["v"] = 1.0
        return KernelInput(rows, masses, 1.0 if graph.directed else 0.5)
    total = max(graph.total_weight, 1e-300)
    scale = 2.0 ** np.frexp(total / max(graph.num_edges, 1))[1]
    if graph.directed:
        masses["u"], masses["v"] = graph.degree("out") / scale, graph.degree("in") / scale
    elif graph.is_weighted or graph.num_self_loops:
        masses["u"] = masses["v"] = graph.degree() / scale
    else:
        masses["u"] = masses["v"] = np.diff(rows.start) / scale
    return KernelInput(rows, masses, (1.0 if graph.directed else 0.25) * scale * (scale / total))
