"""Overlapping communities: memberships of nodes, with weights."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from graphclust.errors import DataError
from graphclust.graph import Graph
from graphclust.runtime.arrays import FloatArray, IntArray

if TYPE_CHECKING:
    import pandas
    from scipy.sparse import csr_array

__all__ = ["Cover"]


@dataclass(frozen=True, eq=False, repr=False)
class Cover:
    """Communities that may overlap, as `detect(..., overlapping=True)` finds them.

    Attributes
    ----------
    nodes : list
        The caller's node ids.
    weights : csr_array of float64, shape (n_nodes, n_communities)
        The weight of each membership; those of a node add up to 1.
    numbers : ndarray of int64, shape (n_communities,), or None
        The number of each community where it is not its position: with a start, communities keep their numbers.

    Examples
    --------
    >>> import graphclust as gc
    >>> bridge = [(i, j) for first in (0, 4) for i in range(first, first + 5) for j in range(first, i)]
    >>> cover = gc.detect(bridge, "leiden", overlapping=True).cover
    >>> cover.memberships[4]
    {0: 0.5, 1: 0.5}
    """

    nodes: list[Any]
    weights: csr_array[Any, Any]
    numbers: IntArray | None = None

    def __post_init__(self) -> None:
        """Check the weights.

        Raises
        ------
        DataError
            There is no row for each node, or a weight is not positive.
        """
        if self.weights.shape[0] != len(self.nodes):
            raise DataError(f"weights have {self.weights.shape[0]} rows for {len(self.nodes)} nodes")
        if self.weights.nnz and self.weights.data.min() <= 0:
            raise DataError("weights of memberships are positive")

    @classmethod
    def around(cls, graph: Graph, labels: IntArray, numbers: IntArray | None = None) -> Cover:
        """Return the overlapping communities around a partition; see `graphclust.kernels.overlap`.

        Parameters
        ----------
        graph : Graph
            Directions are ignored.
        labels : ndarray of int64, shape (n_nodes,)
            0, 1, ...
        numbers : ndarray of int64, shape (n_communities,), optional
            See the attributes.
        """
        from graphclust.kernels.overlap import overlapping_memberships

        return cls(graph.nodes, overlapping_memberships(graph.undirected().adjacency(), labels), numbers)

    @property
    def n_clusters(self) -> int:
        """Number of communities."""
        return int(self.weights.shape[1])

    @property
    def n_overlapping(self) -> int:
        """Number of nodes with several communities."""
        return int((np.diff(self.weights.indptr) > 1).sum())

    @cached_property
    def members(self) -> list[IntArray]:
        """Positions of the members of each community."""
        columns = self.weights.tocsc()
        return [np.sort(part).astype(np.int64) for part in np.split(columns.indices, columns.indptr[1:-1])]

    @cached_property
    def communities(self) -> list[set[Any]]:
        """Communities as sets of node ids; community c is that of the weights' column c."""
        return [{self.nodes[i] for i in part.tolist()} for part in self.members]

    @cached_property
    def memberships(self) -> dict[Any, dict[int, float]]:
        """Dictionary from node id to the weights of its communities, by label."""
        table: dict[Any, dict[int, float]] = {node: {} for node in self.nodes}
        for node, label, weight in self.rows():
            table[node][label] = weight
        return table

    def rows(self) -> Iterator[tuple[Hashable, int, float]]:
        """Yield node, label and weight of each membership, the largest weight of a node first."""
        for i, node in enumerate(self.nodes):
            place = slice(self.weights.indptr[i], self.weights.indptr[i + 1])
            labels: IntArray = self.weights.indices[place]
            values: FloatArray = self.weights.data[place]
            labels = labels if self.numbers is None else self.numbers[labels]
            for at in np.lexsort((labels, -values)).tolist():
                yield node, int(labels[at]), float(values[at])

    def to_frame(self) -> pandas.DataFrame:
        """Return a table with the columns node, community and weight, with a row for each membership."""
        import pandas as pd

        return pd.DataFrame(list(self.rows()), columns=["node", "community", "weight"])

    def score(self, truth: Any) -> dict[str, float]:
        """Compare the cover with a ground truth, whose communities may overlap.

        Parameters
        ----------
        truth : mapping, sequence, Communities, Cover, or path
            See `Communities.score`.

        Returns
        -------
        dict
            average_f1, onmi, omega and n_scored, the number of nodes that both cover; or the measures of two
            partitions, if no communities overlap.
        """
        from graphclust.results.communities import compare_to_truth

        other = truth.communities if isinstance(truth, Cover) else truth
        return compare_to_truth(self.communities, other, self.nodes)

    def __len__(self) -> int:
        """Return the number of communities."""
        return self.n_clusters

    def __iter__(self) -> Iterator[set[Any]]:
        """Iterate over the communities."""
        return iter(self.communities)

    def __repr__(self) -> str:
        return f"Cover({self.n_clusters} of {len(self.nodes)} nodes, {self.n_overlapping} in several)"
