"""Spectral clustering."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any, ClassVar, Literal

import numpy as np

from graphclust.errors import UsageError
from graphclust.graph import Graph
from graphclust.kernels.eigenvectors import REGULARIZATION, leading_eigenvectors, rows_of_length_one, spectral_embedding
from graphclust.kernels.kmeans import kmeans
from graphclust.methods.base import GraphEstimator
from graphclust.problem.problem import Core
from graphclust.problem.solution import Solution
from graphclust.runtime.arrays import IntArray
from graphclust.runtime.checks import check_count, check_number
from graphclust.runtime.notes import Note
from graphclust.runtime.progress import task
from graphclust.runtime.seeds import check_seed

__all__ = ["Spectral"]


class Spectral(GraphEstimator):
    """Spectral clustering: k-means on the leading eigenvectors of the regularised normalised adjacency matrix.

    This is the relaxation of the normalized cut (Shi & Malik 2000). By default rows are scaled to length one (Ng,
    Jordan & Weiss 2002), which is better on most real networks. Dividing by the degrees instead is better if some
    communities hardly differ from the rest of the graph, as in general block models. A small constant is added to all
    pairs of nodes (Amini et al. 2013; Joseph & Yu 2016): without it, the leading eigenvectors of a sparse graph
    describe isolated nodes and pendant pieces.

    Parameters
    ----------
    n_clusters : int
        Exact number of communities.
    regularization : float
        The constant times the number of nodes, in units of the mean degree. 0 is the textbook method.
    n_init : int
        Restarts of k-means.
    embedding : {"njw", "shi-malik"}
        Rows of length one, or the eigenvectors of the random walk; see
        `graphclust.kernels.eigenvectors.spectral_embedding`.
    random_state : int, Generator or None

    Examples
    --------
    >>> Spectral(2, random_state=0).fit([(0, 1), (1, 2), (0, 2), (2, 3), (3, 4), (4, 5), (3, 5)]).labels_
    array([0, 0, 0, 1, 1, 1])
    """

    name: ClassVar[str] = "spectral"
    summary: ClassVar[str] = "k-means on eigenvectors, relaxed normalized cut"
    source: ClassVar[str] = "Shi & Malik 2000; Ng, Jordan & Weiss 2002; Joseph & Yu 2016"
    takes_n_clusters: ClassVar[Literal["required", "optional", "no"]] = "required"
    needs: ClassVar[tuple[str, ...]] = ("scipy.sparse.linalg", "sklearn.cluster")

    def __init__(
        self,
        n_clusters: int | None = None,
        *,
        regularization: float = REGULARIZATION,
        n_init: int = 10,
        embedding: str = "njw",
        random_state: Any = None,
    ) -> None:
        self.n_clusters = n_clusters
        self.regularization = regularization
        self.n_init = n_init
        self.embedding = embedding
        self.random_state = random_state

    def memory(self, graph: Graph) -> float:
        """Estimate the peak memory: Lanczos vectors, their copy for a restart, the embedding and the matrix."""
        vectors = max(2 * int(self.n_clusters or 1) + 1, 20)
        return 8.0 * (graph.num_nodes * 3 * vectors + 6 * graph.num_edges)

    def check_params(self) -> None:
        """See `GraphEstimator.check_params`."""
        super().check_params()
        check_number("regularization", self.regularization)
        check_count("n_init", self.n_init)
        if self.embedding not in ("njw", "shi-malik"):
            raise UsageError(f"embedding is njw or shi-malik, not {self.embedding!r}")

    def solve(self, core: Core) -> Solution:
        """See `GraphEstimator.solve`."""
        graph = core.graph
        k = int(core.n_clusters or 1)
        if k == 1:
            return Solution(np.zeros(graph.num_nodes, dtype=np.int64))
        seed = check_seed(self.random_state)
        with task("eigenvectors"):
            embedding = spectral_embedding(
                graph.adjacency(), k, self.embedding, regularization=self.regularization, random_state=seed
            )
        notes = []
        if embedding.shape[1] < k:
            message = f"only {embedding.shape[1]} of {k} eigenvectors converged"
            notes.append(Note("eigenvectors-not-converged", message, {"n_converged": embedding.shape[1]}))
        with task("k-means"):
            return Solution(kmeans(embedding, k, self.n_init, seed), notes=tuple(notes))

    @staticmethod
    def several(graph: Graph, numbers: Sequence[int], seed: int) -> dict[str, IntArray]:
        """Cluster into several numbers of communities, with one decomposition for all and one k-means run for each.

        Parameters
        ----------
        graph : Graph
            Undirected.
        numbers : sequence of int
            Greater than 1 and less than the number of nodes; some clusters may be empty.
        seed : int

        Returns
        -------
        dict
            "spectral 5" -> labels, ndarray of int64, shape (n_nodes,).
        """
        if not numbers:
            return {}
        from scipy.cluster.vq import kmeans2  # importing scikit-learn would take a second

        vectors = leading_eigenvectors(graph.adjacency(), max(numbers), random_state=seed)
        partitions = {}
        for k in numbers:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", UserWarning)  # a cluster may be empty
                labels = kmeans2(rows_of_length_one(vectors[:, -k:]), k, 10, minit="++", rng=seed)[1]
            partitions[f"spectral {k}"] = labels.astype(np.int64)
        return partitions
