r"""Three stochastic block models, their parameters integrated out.

The models are of a graph given a partition z into B blocks of n_r nodes, with e_rs edges between (within, if r = s)
blocks, N_rs pairs of nodes, d_r the sum of the degrees k_i over block r, and E edges in all:

===========  =========================================================================================================
``sbm``      Edges are independent, with probabilities from Beta priors:
             :math:`\prod_{r \le s} B(a + e_{rs}, b + N_{rs} - e_{rs}) / B(a, b)`, one (a, b) within, one between blocks
             (Nowicki & Snijders 2001; the ACP paper's General SBM is Beta(6, 3) within and Beta(1, 5) between).
``dc-sbm``   Microcanonical degree-corrected model (Peixoto 2017): all multigraphs with these e_rs and k_i are equally
             likely, and e_rs are uniform given E:
             :math:`\prod_{r<s} e_{rs}! \prod_r e_{rr}! 2^{e_{rr}} / (\prod_r d_r! \dots)`.
``planted``  A degree-corrected planted partition (cf. Zhang & Peixoto 2020) with one mixing parameter: of E edges, a
             number e that is uniform on 0, ..., E lies within blocks. Such an edge is in block r with probability
             d_r / 2E and there between i and j with 2 k_i k_j / d_r^2. Other edges are between nodes i and j of
             different blocks with probability k_i k_j / Z, :math:`Z = \sum_{r<s} d_r d_s`:
             :math:`e! (E - e)! \, E^{-e} Z^{-(E - e)} \prod_r d_r^{-e_{rr}}`. Degrees are drawn first, over all nodes
             alike. Every community keeps the same share of its edges, as in LFR graphs. There is no resolution limit,
             and a move costs O(degree). (In the model of Zhang & Peixoto, all blocks expect the same number of edges,
             and small ones merge.)
===========  =========================================================================================================

Degrees of a block, given their sum, are Dirichlet-multinomial with parameter alpha. 1 is the uniform law of Peixoto
2017, and infinity means that all nodes of a block are alike. alpha is inferred.

The degree-corrected models are of multigraphs. If the graph is simple, its parallel edges were merged into one, and its
probability is the sum over the multiplicities. With rates lambda it is larger by
:math:`\prod (e^{\lambda} - 1) / \lambda \approx \exp \sum \lambda / 2` over the edges. Without this factor, scores of
dense graphs could not be compared between the models, and a few hubs would hide the communities of a small graph.
lambda is estimated from e_rs - 1 and k_i (`planted`: from its rates, to first order). In `dc-sbm` the factor counts in
scores, not in moves.

The prior of the partition is a Chinese Restaurant Process (Pitman-Yor for a discount above 0), or any prior of the form
V(B) prod_r w(n_r), as a table (`graphclust.inference.priors`). If the number of blocks is given, refinement takes the
uniform prior of labellings. Labels of some nodes may be known, and the number of
blocks may be fixed.

Weights: `sbm` reads them in [0, 1] as parts of an edge. The other models read them as (real) numbers of parallel edges,
so weights of mean 1 carry as much evidence as edges.

| ACP | here | as printed? |
|---|---|---|
| 4, 5 | `StochasticBlockModel` | as printed; the edge probabilities are integrated out |
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import gammaln

from graphclust.inference.base import BlockModel, Terms
from graphclust.kernels import block_moves
from graphclust.problem.constraints import strengths
from graphclust.runtime.arrays import FloatArray, IntArray

__all__ = [
    "DegreeCorrectedBlockModel",
    "DegreePrior",
    "EdgePriors",
    "PlantedPartitionModel",
    "StochasticBlockModel",
]

_TABLE = 1 << 17  # tabulated values of log-gamma
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


class StochasticBlockModel(BlockModel[EdgePriors]):
    """The stochastic block model: independent edges, with a probability for each pair of blocks.

    Parameters
    ----------
    source, target, n_nodes, weight, settings, prior, known, n_clusters, connected
        See `graphclust.inference.base.BlockModel`; `settings` is of type `EdgePriors`.

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
    def scaled_weights(weight: FloatArray) -> FloatArray:
        """See `BlockModel.scaled_weights`."""
        return strengths(weight)

    @staticmethod
    def cost_per_option(n_near: float) -> float:
        """See `BlockModel.cost_per_option`."""
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
        """See `BlockModel`.

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


# ---------------------------------------------------------------------------- degree-corrected models


@dataclass(frozen=True)
class DegreePrior:
    """Hyperparameter of the degree-corrected models.

    Attributes
    ----------
    alpha : float
        Parameter of the Dirichlet-multinomial law of the degrees.
    """

    alpha: float = 1.0


class _DegreeCorrected(BlockModel[DegreePrior]):
    """What the degree-corrected models share: weights as parallel edges, and the law of the degrees."""

    default_settings: ClassVar[Any] = DegreePrior()

    @staticmethod
    def scaled_weights(weight: FloatArray) -> FloatArray:
        """See `BlockModel.scaled_weights`."""
        scaled: FloatArray = weight / weight.mean()
        return scaled

    def _terms(self) -> Terms:
        terms = super()._terms()
        terms.model["alpha"] = self.settings.alpha
        return terms

    def _constant(self, weight: FloatArray) -> float:
        alpha, degree = self.settings.alpha, self._network.nodes["degree"]
        value = float((gammaln(degree + alpha) - gammaln(alpha)).sum() - gammaln(weight + 1).sum())
        for term in self._degree_constants():
            value += term
        return value - math.log(self.n_nodes * (self.n_nodes - 1) / 2 + 1)  # the number of edges is uniform, too

    def _degree_constants(self) -> tuple[float, ...]:
        """Return the terms that depend on the sum of all degrees."""
        return ()

    def _degree_groups(self, labels: ArrayLike) -> IntArray:
        """Return for each node the group, 0, 1, ..., whose sum of degrees its degree is drawn from."""
        return np.unique(np.asarray(labels), return_inverse=True)[1]

    def _n_possible_edges(self, nodes: IntArray) -> tuple[FloatArray, FloatArray]:
        """Products of degrees."""
        degree_sum: FloatArray = np.bincount(nodes, self._network.nodes["degree"]).astype(np.float64)
        return np.outer(degree_sum, degree_sum), degree_sum**2 / 2

    def _best_settings(self, labels: ArrayLike) -> tuple[DegreePrior, int]:
        groups, degree = self._degree_groups(labels), self._network.nodes["degree"]
        size = np.bincount(groups)[:, None] * _ALPHAS
        degree_sum = np.bincount(groups, degree)[:, None]
        degrees, count = np.unique(degree, return_counts=True)
        value = (gammaln(size) - gammaln(size + degree_sum)).sum(axis=0)
        value += count @ (gammaln(degrees[:, None] + _ALPHAS) - gammaln(_ALPHAS))
        return DegreePrior(float(_ALPHAS[np.argmax(value)])), len(_ALPHAS)


class DegreeCorrectedBlockModel(_DegreeCorrected):
    """The microcanonical degree-corrected block model.

    Parameters
    ----------
    source, target, n_nodes, weight, settings, prior, known, n_clusters, connected
        See `graphclust.inference.base.BlockModel`; `settings` is of type `DegreePrior`.

    Examples
    --------
    >>> triangles = DegreeCorrectedBlockModel([0, 1, 2, 3, 4, 5, 2], [1, 2, 0, 4, 5, 3, 3], 6)
    >>> triangles.improve([0, 0, 1, 1, 2, 2]).tolist()
    [0, 0, 0, 0, 0, 0]
    """

    name: ClassVar[str] = "dc-sbm"
    title: ClassVar[str] = "the degree-corrected block model"
    code: ClassVar[int] = block_moves.DC_SBM

    @staticmethod
    def cost_per_option(n_near: float) -> float:
        """See `BlockModel.cost_per_option`."""
        return 3 * n_near + 10

    def _terms(self) -> Terms:
        terms = super()._terms()
        n_blocks = np.arange(1, len(terms.prior))
        n_pairs = n_blocks * (n_blocks + 1) / 2
        total = self._total_edges
        terms.prior["number"][1:] -= gammaln(n_pairs + total) - gammaln(total + 1) - gammaln(n_pairs)
        if not self.is_simple:
            return terms
        x = np.arange(min(int(total) + 1, _TABLE))
        table = np.zeros((2, 3, len(x)))
        table[0, 0] = gammaln(x + 1)
        table[1, 0] = table[0, 0] + x * math.log(2)
        return terms._replace(log_gamma=table)

    def _correction(self, labels: ArrayLike) -> float:
        """Return the factor for hidden parallel edges, if the graph is simple."""
        if not self.is_simple:
            return 0.0
        edges, nodes = self._count_edges(labels)
        edges = np.maximum(edges - 1, 0.0)  # an edge does not count for its own rate
        edges[np.diag_indices(len(edges))] *= 2.0
        degree, first, second = self._network.nodes["degree"], self._network.source, self._network.edges["neighbor"]
        rate = edges / np.maximum(np.outer(*[np.bincount(nodes, degree)] * 2), 1e-300)
        mean = degree[first] * degree[second] * rate[nodes[first], nodes[second]]
        mean = mean[mean > 0]
        return float((mean + np.log(-np.expm1(-mean) / mean)).sum() / 2)


class PlantedPartitionModel(_DegreeCorrected):
    """The degree-corrected planted partition with one mixing parameter.

    Parameters
    ----------
    source, target, n_nodes, weight, settings, prior, known, n_clusters, connected
        See `graphclust.inference.base.BlockModel`; `settings` is of type `DegreePrior`.

    Examples
    --------
    >>> triangles = PlantedPartitionModel([0, 1, 2, 3, 4, 5, 2], [1, 2, 0, 4, 5, 3, 3], 6)
    >>> triangles.log_joint([0, 0, 0, 1, 1, 1]) > triangles.log_joint([0, 1, 0, 1, 0, 1])
    True
    """

    name: ClassVar[str] = "planted"
    title: ClassVar[str] = "the planted-partition model"
    code: ClassVar[int] = block_moves.PLANTED
    has_pairs: ClassVar[bool] = False
    has_connected_communities: ClassVar[bool] = True
    _uses_degree_products: ClassVar[bool] = True

    @staticmethod
    def cost_per_option(n_near: float) -> float:
        """See `BlockModel.cost_per_option`."""
        return 12

    def _terms(self) -> Terms:
        terms = super()._terms()
        terms.prior["number"][2:] -= math.log(self._total_edges + 1)
        return terms

    def _degree_constants(self) -> tuple[float, ...]:
        """Return the terms that make one block the configuration model."""
        total, concentration = self._total_edges, self.settings.alpha * self.n_nodes
        if total == 0:
            return ()
        degrees = float(gammaln(concentration) - gammaln(concentration + 2 * total))
        return degrees, total * (math.log(2) + math.log(total) + math.log(2 * total))

    def _degree_groups(self, labels: ArrayLike) -> IntArray:
        return np.zeros(np.shape(labels), dtype=np.int64)
