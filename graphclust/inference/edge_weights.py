r"""Models of edge weights, given the groups of their ends (Peixoto 2018).

The weights of the edges between two groups are independent draws from one distribution, whose parameters have a
conjugate prior and are integrated out. So a partition is good if edges between two groups have similar weights. For n
edges with the sum S of their weights, minus the log probability is

exponential
    :math:`\log \Gamma(a) - a \log b - \log \Gamma(n + a) + (n + a) \log(S + b)`, with a Gamma(a, b) prior of the rate;
    a = 1 and b the mean weight of the graph, so that the unit of the weights does not matter.
geometric
    :math:`-\log B(n + 1, S + 1)`, for whole numbers, with a uniform prior of the probability.
poisson
    :math:`\log \Gamma(a) - a \log b - \log \Gamma(S + a) + (S + a) \log(n + b) + \sum \log x!`, for whole numbers, with
    a Gamma(a, b) prior of the mean; a = 1 and b one divided by the mean weight.
normal, log-normal
    of weights x, or of log x, with the priors :math:`N(m, \sigma^2 / k)` of the mean and scaled inverse
    :math:`\chi^2(\nu, s^2)` of the variance; m and s^2 are the mean and the variance over the graph, k = 1 and
    :math:`\nu = 3`. With :math:`k_n = k + n`, :math:`\nu_n = \nu + n` and Q the sum of :math:`\nu s^2`, of the squared
    deviations of the n weights from their mean, and of :math:`n k (m - S / n)^2 / k_n`, it is
    :math:`\log \Gamma(\nu / 2) - \log \Gamma(\nu_n / 2) + (\log(k_n / k) - \nu \log(\nu s^2) + \nu_n \log Q
    + n \log \pi) / 2`; for log-normal weights, the sum of all log x is added.

Source: Peixoto, "Nonparametric weighted stochastic block models", Physical Review E 97, 2018. The conjugate priors of
the last two are in Gelman et al., "Bayesian Data Analysis", 3rd edition, section 3.3.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import betaln, gammaln

from graphclust.errors import UsageError, unknown
from graphclust.runtime.arrays import FloatArray

__all__ = ["WEIGHT_MODELS", "WeightModel", "check_weight_model"]

WEIGHT_MODELS = {"parallel-edges": 0, "exponential": 1, "geometric": 2, "poisson": 3, "normal": 4, "log-normal": 4}
"""What weights can be, and the number of the term in `graphclust.kernels.group_tree`."""

_WHOLE = ("parallel-edges", "geometric", "poisson")
_POSITIVE = ("exponential", "log-normal")
_CERTAINTY, _FREEDOM = 1.0, 3.0  # k and nu of the normal prior


def check_weight_model(name: str | None) -> None:
    """Check that a model of weights is a key of `WEIGHT_MODELS`, or None.

    Raises
    ------
    UsageError
        It is not.
    """
    if name is not None and name not in WEIGHT_MODELS:
        raise unknown("weight_model", str(name), list(WEIGHT_MODELS))


@dataclass(frozen=True)
class WeightModel:
    """A model of the weights of a graph.

    Attributes
    ----------
    name : {"exponential", "geometric", "poisson", "normal", "log-normal"}
    values : ndarray of float64, shape (n_edges,)
        What is described: weights, or their logarithms.
    prior : tuple of four floats
        (a, b), or (m, k, s^2, nu).
    constant : float
        The part of the description length that does not depend on the groups.
    """

    name: str
    values: FloatArray
    prior: tuple[float, float, float, float]
    constant: float

    @classmethod
    def of(cls, weight: FloatArray | None, name: str | None = None) -> WeightModel | None:
        """Return the model of these weights, or None if they are numbers of parallel edges.

        By default, whole numbers are numbers of parallel edges, and others are exponential.

        Raises
        ------
        UsageError
            The model is for whole, or for positive, weights.
        """
        check_weight_model(name)
        if weight is None or len(weight) == 0:
            return None
        is_whole = bool((weight == np.round(weight)).all() and (weight >= 0).all())
        if name is None:
            name = "parallel-edges" if is_whole else "exponential"
        if name in _WHOLE and not is_whole:
            raise UsageError(f"weight_model {name} is for whole numbers, and these weights are not")
        if name in _POSITIVE and weight.min() <= 0:
            raise UsageError(f"weight_model {name} is for positive weights, and the smallest is {weight.min():g}")
        if name == "parallel-edges":
            return None
        values = np.log(weight) if name == "log-normal" else weight
        mean, variance, constant = float(values.mean()), float(values.var()), 0.0
        if name == "log-normal":
            constant = float(values.sum())
        elif name == "poisson":
            constant = float(gammaln(weight + 1).sum())
        if WEIGHT_MODELS[name] == WEIGHT_MODELS["normal"]:
            return cls(name, values, (mean, _CERTAINTY, variance or 1.0, _FREEDOM), constant)
        return cls(name, values, (1.0, 1 / mean if name == "poisson" else mean, 0.0, 0.0), constant)

    def describe(self, n: FloatArray, total: FloatArray, squares: FloatArray) -> FloatArray:
        """Return the description lengths of weights, without the constant.

        Parameters
        ----------
        n, total, squares : ndarray of float64, shape (n_pairs,)
            Number, sum, and sum of the squares of the values between two groups; n is positive.
        """
        a, b, variance, freedom = self.prior
        if self.name == "exponential":
            terms = math.lgamma(a) - a * math.log(b) - gammaln(n + a) + (n + a) * np.log(total + b)
        elif self.name == "geometric":
            terms = -betaln(n + 1, total + 1)
        elif self.name == "poisson":
            terms = math.lgamma(a) - a * math.log(b) - gammaln(total + a) + (total + a) * np.log(n + b)
        else:
            certainty, free, mean = b + n, freedom + n, total / n
            spread = freedom * variance + np.maximum(squares - total * mean, 0) + n * b / certainty * (a - mean) ** 2
            terms = math.lgamma(freedom / 2) - gammaln(free / 2) + np.log(certainty / b) / 2 + n / 2 * math.log(math.pi)
            terms += (free * np.log(spread) - freedom * math.log(freedom * variance)) / 2
        return np.asarray(terms)
