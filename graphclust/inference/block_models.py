r"""Two stochastic block models, their parameters integrated out.

The models are of a graph given a partition z into B blocks of n_r nodes, with e_rs edges between (within, if r = s)
blocks, N_rs pairs of nodes, d_r the sum of the degrees k_i over block r, and E edges in all:

===========  =========================================================================================================
``sbm``      Edges are independent, with probabilities from Beta priors:
             :math:`\prod_{r \le s} B(a + e_{rs}, b + N_{rs} - e_{rs}) / B(a, b)`, one (a, b) within, one between blocks
             (Nowicki & Snijders 2001; the ACP paper's General SBM is Beta(6, 3) within and Beta(1, 5) between).
``planted``  A degree-corrected planted partition (cf. Zhang & Peixoto 2020) with one mixing parameter: of E edges, a
             number e that is uniform on 0, ..., E lies within blocks. Such an edge is in block r with probability
             d_r / 2E and there between i and j with 2 k_i k_j / d_r^2. Other edges are between nodes i and j of
             different blocks with probability k_i k_j / Z, :math:`Z = \sum_{r<s} d_r d_s`:
             :math:`e! (E - e)! \, E^{-e} Z^{-(E - e)} \prod_r d_r^{-e_{rr}}`. Degrees are drawn first, over all nodes
             alike. Every community keeps the same share of its edges, as in LFR graphs. There is no resolution limit,
             and a move costs O(degree). (In the model of Zhang & Peixoto, all blocks expect the same number of edges,
             and small ones merge.)
===========  =========================================================================================================

`planted` is not exactly normalised. For one block it is the configuration model. For others the edges are drawn by the
degrees, and their probability is divided by that of the degrees in the configuration model, which is close to what
this model gives them. On graphs of four to six nodes, the sum over all multigraphs without self-loops differs from that
for one block by less than a nat, whatever the partition (a test counts them out).

Degrees, given their sum, are Dirichlet-multinomial with parameter alpha; infinity means that all nodes are alike. alpha
is inferred.

`planted` is a model of multigraphs. If the graph is simple, its parallel edges were merged into one, and its
probability is the sum over the multiplicities. With rates lambda it is larger by
:math:`\prod (e^{\lambda} - 1) / \lambda \approx \exp \sum \lambda / 2` over the edges, with lambda from the rates
above, to first order. Without this factor, scores of dense graphs could not be compared between the models, and a few
hubs would hide the communities of a small graph.

The prior of the partition is a Chinese Restaurant Process (Pitman-Yor for a discount above 0), or any prior of the form
V(B) prod_r w(n_r), as a table (`graphclust.inference.priors`). If the number of blocks is given, refinement takes the
uniform prior of labellings. Labels of some nodes may be known, and the number of
blocks may be fixed.

Weights: `sbm` reads them in [0, 1] as parts of an edge. `planted` reads them as (real) numbers of parallel edges,
so weights of mean 1 carry as much evidence as edges.

| ACP | here | as printed? |
|---|---|---|
| 4, 5 | `StochasticBlockModel` | as printed; the edge probabilities are integrated out |
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import gammaln

from graphclust.inference.integrated import IntegratedBlockModel, Terms
from graphclust.kernels import block_moves
from graphclust.kernels.block_moves import Records
from graphclust.problem.constraints import strengths
from graphclust.runtime.arrays import FloatArray, IntArray
from graphclust.runtime.storage import Storage, new_array

if TYPE_CHECKING:
    from graphclust.inference.target import Target

__all__ = [
    "DegreePrior",
    "EdgePriors",
    "PlantedPartitionModel",
    "StochasticBlockModel",
]

_TABLE = 1 << 17  # tabulated values of log-gamma
_PIECE = 1 << 21  # weights that are added up at once
_ALPHAS = 2.0 ** np.arange(-2, 10.5, 0.5)
_MEANS = 1 / (1 + np.exp(-np.linspace(-7, 4, 23)))  # of edge probabilities
_STRENGTHS = 2.0 ** np.arange(0, 5)  # pseudo-counts of a Beta prior; see `StochasticBlockModel._best_settings`


# ---------------------------------------------------------------------------- sbm


@dataclass(frozen=True)
class EdgePriors:
    """Hyperparameters of the stochastic block model.

    Attributes
    ----------
    within, between : (float, float)
        Parameters of the Beta priors of the edge probabilities within and between blocks.
    """

    within: tuple[float, float] = (6.0, 3.0)
    between: tuple[float, float] = (1.0, 5.0)


class StochasticBlockModel(IntegratedBlockModel[EdgePriors]):
    """The stochastic block model: independent edges, with a probability for each pair of blocks.

    Parameters
    ----------
    source, target, n_nodes, weight, settings, prior, known, n_clusters, connected
        See `graphclust.inference.integrated.IntegratedBlockModel`; `settings` is of type `EdgePriors`.

    Examples
    --------
    >>> uniform = EdgePriors((1, 1), (1, 1))
    >>> triangles = StochasticBlockModel([0, 1, 2, 3, 4, 5, 2], [1, 2, 0, 4, 5, 3, 3], 6, settings=uniform)
    >>> triangles.log_joint([0, 0, 0, 1, 1, 1]) > triangles.log_joint([0, 0, 0, 0, 0, 0])
    True
    """

    name: ClassVar[str] = "sbm"
    title: ClassVar[str] = "the stochastic block model"
    code: ClassVar[int] = block_moves.SBM
    default_settings: ClassVar[Any] = EdgePriors()
    concentration: ClassVar[float] = 0.7  # as in the General SBM of the ACP paper
    merges_blocks: ClassVar[bool] = False
    compares_weighted: ClassVar[bool] = False
    is_fitted_in_comparisons: ClassVar[bool] = False
    starts_at_random: ClassVar[bool] = True

    @staticmethod
    def scaled_weights(weight: FloatArray, storage: Storage | None = None) -> FloatArray:
        """See `IntegratedBlockModel.scaled_weights`."""
        return strengths(weight)

    @staticmethod
    def cost_per_option(n_near: float) -> float:
        """See `IntegratedBlockModel.cost_per_option`."""
        return 4 * n_near + 12

    def _terms(self) -> Terms:
        n = self.n_nodes
        beta = np.array([self.settings.between, self.settings.within], dtype=np.float64)
        log_beta = gammaln(beta).sum(axis=1) - gammaln(beta.sum(axis=1))
        terms = super()._terms()
        for place, (a, b), value in zip(("between", "within"), beta, log_beta, strict=True):
            terms.model[f"a_{place}"], terms.model[f"b_{place}"], terms.model[f"log_beta_{place}"] = a, b, value
        if not self.is_simple:
            return terms
        x = np.arange(min(n * (n - 1) // 2 + 1, _TABLE))
        shape = np.column_stack((beta, beta.sum(axis=1)))
        return terms._replace(log_gamma=gammaln(shape[:, :, None] + x) - gammaln(shape)[:, :, None])

    def _n_possible_edges(self, nodes: IntArray) -> tuple[FloatArray, FloatArray]:
        """Pairs of nodes."""
        size = np.bincount(nodes).astype(np.float64)
        return np.outer(size, size), size * (size - 1) / 2

    def _best_settings(self, labels: ArrayLike) -> tuple[EdgePriors, int]:
        """See `IntegratedBlockModel`.

        The strength of a Beta prior is at most 16 pseudo-counts. With more, a partition would no longer have to pay for
        its parameters, and structure would be found in any graph.
        """
        edges, nodes = self._count_edges(labels)
        pairs_between, pairs_within = self._n_possible_edges(nodes)
        upper = np.triu_indices(len(edges), 1)
        within = _best_beta(np.diag(edges), pairs_within, self.settings.within)
        between = _best_beta(edges[upper], pairs_between[upper], self.settings.between)
        return EdgePriors(within, between), (1 + len(_MEANS) * len(_STRENGTHS)) ** 2


def _best_beta(edges: FloatArray, pairs: FloatArray, current: tuple[float, float]) -> tuple[float, float]:
    """Choose a Beta prior for the densities of pairs of blocks on a grid that includes the current one."""
    has_pairs = pairs > 0
    if not has_pairs.any():
        return current
    x, m = edges[has_pairs][:, None], pairs[has_pairs][:, None]
    mean, strength = (grid.ravel() for grid in np.meshgrid(_MEANS, _STRENGTHS))
    a = np.concatenate(([current[0]], mean * strength))
    b = np.concatenate(([current[1]], (1 - mean) * strength))
    value = gammaln(a + x) + gammaln(b + m - x) - gammaln(a + b + m) - gammaln(a) - gammaln(b) + gammaln(a + b)
    best: Any = int(np.argmax(value.sum(axis=0)))
    return float(a[best]), float(b[best])


# ---------------------------------------------------------------------------- planted


@dataclass(frozen=True)
class DegreePrior:
    """Hyperparameter of the planted partition.

    Attributes
    ----------
    alpha : float
        Parameter of the Dirichlet-multinomial law of the degrees.
    """

    alpha: float = 1.0


class PlantedPartitionModel(IntegratedBlockModel[DegreePrior]):
    """The degree-corrected planted partition with one mixing parameter.

    Parameters
    ----------
    source, target, n_nodes, weight, settings, prior, known, n_clusters, connected
        See `graphclust.inference.integrated.IntegratedBlockModel`; `settings` is of type `DegreePrior`.

    Examples
    --------
    >>> triangles = PlantedPartitionModel([0, 1, 2, 3, 4, 5, 2], [1, 2, 0, 4, 5, 3, 3], 6)
    >>> triangles.log_joint([0, 0, 0, 1, 1, 1]) > triangles.log_joint([0, 1, 0, 1, 0, 1])
    True
    """

    name: ClassVar[str] = "planted"
    title: ClassVar[str] = "the planted-partition model"
    code: ClassVar[int] = block_moves.PLANTED
    default_settings: ClassVar[Any] = DegreePrior()
    has_pairs: ClassVar[bool] = False
    has_connected_communities: ClassVar[bool] = True
    _uses_degree_products: ClassVar[bool] = True

    @staticmethod
    def scaled_weights(weight: FloatArray, storage: Storage | None = None) -> FloatArray:
        """See `IntegratedBlockModel.scaled_weights`."""
        scaled: FloatArray = np.divide(weight, weight.mean(), out=new_array(storage, len(weight), np.float64))
        return scaled

    @staticmethod
    def cost_per_option(n_near: float) -> float:
        """See `IntegratedBlockModel.cost_per_option`."""
        return 12

    def _prior_terms(self, prior: FloatArray) -> Records:
        terms = super()._prior_terms(prior)
        terms["number"][2:] -= math.log(self._total_edges + 1)
        return terms

    @classmethod
    def of(cls, target: Target) -> Self:
        """See `BlockModel.of`. The hyperparameter is inferred: it depends on the degrees only."""
        return super().of(target).fitted(np.zeros(target.n_nodes, dtype=np.int64))

    @cached_property
    def _degrees(self) -> tuple[FloatArray, IntArray]:
        """The distinct degrees, and the numbers of nodes that have them."""
        degree = self._network.nodes["degree"]
        if not self.is_simple:
            return np.unique(degree, return_counts=True)
        counts: IntArray = np.bincount(degree.astype(np.int64))  # whole numbers need not be sorted
        degrees = np.flatnonzero(counts)
        return degrees.astype(np.float64), counts[degrees]

    def _constant(self) -> float:
        """Return the terms of degrees and weights, and those that make one block the configuration model."""
        n, alpha, (degrees, counts) = self.n_nodes, self.settings.alpha, self._degrees
        value = float(counts @ (gammaln(degrees + alpha) - gammaln(alpha)))
        if self._weights is not None:
            parts = (self._weights[first : first + _PIECE] for first in range(0, len(self._weights), _PIECE))
            value -= float(sum(gammaln(part + 1).sum() for part in parts))
        if (total := self._total_edges) > 0:
            value += float(gammaln(alpha * n) - gammaln(alpha * n + 2 * total))
            value += total * (math.log(2) + math.log(total) + math.log(2 * total))
        return value - math.log(n * (n - 1) / 2 + 1)  # the number of edges is uniform, too

    def _n_possible_edges(self, nodes: IntArray) -> tuple[FloatArray, FloatArray]:
        """Products of degrees."""
        degree_sum: FloatArray = np.bincount(nodes, self._network.nodes["degree"]).astype(np.float64)
        return np.outer(degree_sum, degree_sum), degree_sum**2 / 2

    def _best_settings(self, labels: ArrayLike) -> tuple[DegreePrior, int]:
        (degrees, counts), size = self._degrees, self.n_nodes * _ALPHAS
        value = gammaln(size) - gammaln(size + degrees @ counts)
        value += counts @ (gammaln(degrees[:, None] + _ALPHAS) - gammaln(_ALPHAS))
        return DegreePrior(float(_ALPHAS[np.argmax(value)])), len(_ALPHAS)
