"""What refinement asks of a block model: scores of partitions, better partitions, and samples of the posterior.

A block model is a subclass of `BlockModel` and a line in `graphclust.inference.BLOCK_MODELS`. There are two families:
models with integrated parameters (`graphclust.inference.integrated`), and microcanonical ones
(`graphclust.inference.microcanonical`).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from graphclust.runtime.arrays import FloatArray, IntArray

if TYPE_CHECKING:
    from graphclust.inference.chains import Chains
    from graphclust.inference.target import Target

__all__ = ["BlockModel"]


class BlockModel(ABC):
    """A graph under a block model.

    Attributes
    ----------
    name, title : str
        Key in `BLOCK_MODELS`, and what messages call the model.
    n_nodes : int
    n_clusters : int or None
        The number of blocks, if it is given. Then it stays what it is in the partitions passed to the methods.
    connected : bool
        Whether chains keep blocks connected and draw from the posterior given that they are.
    has_pairs : bool
        Whether the compiled functions keep a matrix of all pairs of blocks. Such a model is limited to a few hundred
        blocks.
    merges_blocks : bool
        Whether `improve` also moves whole blocks. Without these moves, sampling is the better search.
    is_microcanonical : bool
        Whether the compiled functions are those of trees of groups. Their moves also split blocks, so that the best
        start need not be the finest.
    describes_directions : bool
        Whether the directions of edges are described.
    compares_weighted : bool
        Whether scores of weighted graphs can be compared with those of other models.
    is_fitted_in_comparisons : bool
        Whether the hyperparameters are inferred also when models are compared.
    starts_at_random : bool
        Whether half of the chains start at random partitions rather than at good ones.
    has_connected_communities : bool
        Whether refinement splits communities into their connected parts.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    has_pairs: ClassVar[bool] = False
    merges_blocks: ClassVar[bool] = True
    is_microcanonical: ClassVar[bool] = False
    describes_directions: ClassVar[bool] = False
    compares_weighted: ClassVar[bool] = True
    is_fitted_in_comparisons: ClassVar[bool] = True
    starts_at_random: ClassVar[bool] = False
    has_connected_communities: ClassVar[bool] = False

    n_nodes: int
    n_clusters: int | None
    connected: bool = False

    @classmethod
    @abstractmethod
    def of(cls, target: Target) -> Self:
        """Return a target under the model, with the model's own prior of partitions."""

    @property
    def hyperparameters(self) -> dict[str, Any]:
        """Hyperparameters, as a dictionary for JSON."""
        return {}

    @abstractmethod
    def log_joint(self, labels: ArrayLike) -> float:
        """Return log p(graph, partition), in nats, with everything but the hyperparameters integrated out.

        Parameters
        ----------
        labels : array of int, shape (n_nodes,)
        """

    def score(self, labels: ArrayLike) -> float:
        """Return the log joint for comparing models. Its negative is the description length, in nats."""
        return self.log_joint(labels)

    def hidden_edges(self, labels: ArrayLike) -> float:
        """Return how much more probable a simple graph is than the multigraph that is described, in nats.

        A simple graph is what remains if parallel edges are merged, and has the sum of the probabilities. To first
        order, its logarithm is larger by half the sum of the rates of the edges; see
        `graphclust.inference.block_models`. 0 for models that describe simple graphs.
        """
        return 0.0

    @abstractmethod
    def _densities(self, labels: ArrayLike) -> tuple[FloatArray, FloatArray, IntArray]:
        """Return the density of edges between blocks, that within each, and the number of nodes of each.

        Densities are numbers of edges divided by pairs of nodes or by products of degrees, depending on the model.

        Returns
        -------
        between : ndarray of float64, shape (n_blocks, n_blocks)
        within : ndarray of float64, shape (n_blocks,)
        size : ndarray of int64, shape (n_blocks,)
        """

    def assortative_share(self, labels: ArrayLike, factor: float = 2.0) -> float:
        """Return the share of nodes in communities: blocks at most `factor` times denser towards another than inside.

        Blocks of one node count as communities. In the General SBM of the ACP paper, where some pairs of blocks are
        denser than the blocks by chance, no graph of 300 had a share below 0.6 with a factor of 2. The share of hubs
        and their periphery is small. Memory O(n_blocks^2).
        """
        between, within, size = self._densities(labels)
        np.fill_diagonal(between, 0.0)
        is_community = (size == 1) | (factor * within >= between.max(axis=1))
        return float(size[is_community].sum() / self.n_nodes)

    def fitted(self, labels: ArrayLike) -> Self:
        """Return the model with the hyperparameters that make this partition most likely; itself if it has none."""
        return self

    def own_starts(self, seed: int) -> dict[str, IntArray]:
        """Return partitions that the model itself proposes, by their origin."""
        return {}

    @abstractmethod
    def improve(self, labels: ArrayLike, seed: int = 0, has_changed: NDArray[np.bool_] | None = None) -> IntArray:
        """Return a partition that is at least as likely, with labels 0, 1, ... without gaps.

        Parameters
        ----------
        labels : array of int, shape (n_nodes,)
        seed : int
            Seed of the order of the nodes.
        has_changed : ndarray of bool, shape (n_nodes,), optional
            If the partition is one of an earlier graph: the nodes with other edges than in that graph. Models can do
            with a visit to these and to what they disturb.
        """

    @abstractmethod
    def conditional(self, labels: ArrayLike) -> FloatArray:
        """Return each node's probability of its own block, given the blocks of all other nodes; shape (n_nodes,).

        The alternatives are the blocks of its neighbors and a new block. This is the certainty of a node if all others
        are right, and mostly an upper bound of what a posterior would say.
        """

    @abstractmethod
    def sweep_cost(self, labels: IntArray, splits: float) -> float:
        """Estimate the elementary steps of a sweep of a chain around a partition into blocks 0, 1, ...

        `splits` is the number of merge-split moves per sweep.
        """

    @abstractmethod
    def sample(
        self,
        starts: Sequence[ArrayLike],
        n_samples: int,
        n_sweeps: int,
        seed: int = 0,
        *,
        splits: float = 0.25,
        burn_in: float = 0.5,
        threads: int = 1,
    ) -> Chains:
        """Draw from the posterior by Markov chains, one from each start.

        Parameters
        ----------
        starts : sequence of arrays of int, shape (n_nodes,)
        n_samples : int
            Samples of each chain, equally spaced over the sweeps after the burn-in.
        n_sweeps : int
            Sweeps of each chain; at least n_samples.
        seed : int
        splits : float
            Merge-split moves (Jain & Neal 2004) per sweep.
        burn_in : float
            Share of the sweeps before the first sample.
        threads : int
            Number of chains that run at once. The result does not depend on it.
        """
