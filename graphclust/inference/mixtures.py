r"""Collapsed Gibbs sampling: partitions from the exact posterior of a Gaussian mixture, its means integrated out.

The model is that of `graphclust.generators.gaussian_mixture`. Clusters come from a Chinese Restaurant Process, means
lie around a center b, and points around their means:

.. math::
   c \sim \mathrm{CRP}(\theta, d) \qquad \mu_k \sim N(b, \tau^2 I) \qquad x_i \sim N(\mu_{c_i}, \sigma^2 I)

A sweep takes each point out of its cluster and lets it join cluster k with probability proportional to
:math:`(n_k - d) \, N(x_i; m_k, v_k + \sigma^2)`, with :math:`v_k = 1 / (1/\tau^2 + n_k/\sigma^2)` and
:math:`m_k = v_k (b/\tau^2 + \sum x/\sigma^2)` over the points of the cluster, or open a new one with probability
proportional to :math:`(\theta + K d) \, N(x_i; b, \tau^2 + \sigma^2)` (Neal 2000, algorithm 3). Between sweeps the
hyperparameters that have a range are drawn from their posterior on a grid: equations 1 and 2 of Pakman et al.,
Attentive Clustering Processes, give them a prior of their own.

Points may be known only up to a shift and a scale, like the input of a network that was trained on standardised points.
The posterior given such points is that under the prior :math:`\mathrm{d}b \, \mathrm{d}\sigma / \sigma` at a fixed
ratio of tau to sigma. In this case, the center and sigma are also drawn between sweeps.

| symbol | here |
|---|---|
| theta, d | `concentration`, `discount` |
| tau | `prior_std` |
| sigma | `noise_std` |
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from graphclust.errors import UsageError
from graphclust.metrics import numbered
from graphclust.runtime.compilation import compiled

__all__ = ["MixtureLaw", "sample_partitions"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_GRID = 33  # values of a hyperparameter that has a range


def _grid(value: float | tuple[float, float]) -> Floats:
    """Return a number as an array, or a grid that represents the log-uniform law on a range."""
    if not isinstance(value, tuple | list):
        return np.array([float(value)])
    low, high = (math.log(end) for end in value)
    return np.exp(low + (high - low) * (np.arange(_GRID) + 0.5) / _GRID)


@dataclass(frozen=True)
class MixtureLaw:
    """Prior of a Gaussian mixture.

    Attributes
    ----------
    concentration, prior_std, noise_std : float, or (float, float)
        As in `graphclust.generators.gaussian_mixture`. A range means that the number is drawn log-uniformly from it.
    discount : float
    standardised : bool
        Whether points are known only up to a shift and a scale (see the module docstring).
    """

    concentration: float | tuple[float, float] = 0.7
    prior_std: float | tuple[float, float] = 10.0
    noise_std: float | tuple[float, float] = 1.0
    discount: float = 0.0
    standardised: bool = False


def sample_partitions(
    x: ArrayLike,
    law: MixtureLaw,
    *,
    n_samples: int = 256,
    n_burn_in: int = 500,
    thin: int = 10,
    starts: Sequence[ArrayLike] | None = None,
    random_state: int = 0,
) -> Ints:
    """Draw partitions of points from their posterior.

    Parameters
    ----------
    x : array of float, shape (n, dimension)
    law : MixtureLaw
    n_samples : int
        Number of samples of each chain.
    n_burn_in : int
        Sweeps of each chain before the first sample.
    thin : int
        Sweeps per sample.
    starts : sequence of arrays of int, shape (n,), optional
        Partitions at which the chains start, one per chain. By default there are four: all points together, each point
        alone, and two draws from the Chinese Restaurant Process.
    random_state : int

    Returns
    -------
    ndarray of int64, shape (n_chains, n_samples, n)
        Labels below n.

    Raises
    ------
    UsageError
        `x` is not a table with at least one row and one column.

    Examples
    --------
    >>> samples = sample_partitions([[0.0], [0.1], [30.0]], MixtureLaw(), n_samples=100)
    >>> bool((samples[..., 0] == samples[..., 1]).mean() > 0.9), bool((samples[..., 0] == samples[..., 2]).any())
    (True, False)
    """
    points: Floats = np.ascontiguousarray(x, dtype=np.float64)
    if points.ndim != 2 or not points.size:
        raise UsageError(f"points are an array of shape (n, dimension), not {points.shape}")
    n = len(points)
    rng = np.random.default_rng(random_state)
    if starts is None:
        from graphclust.generators.crp import crp

        starts = [np.zeros(n, dtype=np.int64), np.arange(n), *(crp(n, 3.0, random_state=rng) for _ in range(2))]
    variances = np.array([(tau**2, sigma**2) for tau in _grid(law.prior_std) for sigma in _grid(law.noise_std)])
    concentrations = _grid(law.concentration)
    return np.stack(
        [
            _chain(
                points,
                numbered(start),
                concentrations,
                variances,
                law.discount,
                law.standardised,
                n_burn_in,
                n_samples,
                thin,
                child,
            )
            for start, child in zip(starts, rng.spawn(len(starts)), strict=True)
        ]
    )


# Loops instead of array expressions, which take numba twice as long to compile.


@compiled()
def _drawn(log_weights: Floats, rng: np.random.Generator) -> int:
    """Draw an index with probability proportional to the exponential of its entry."""
    largest = -np.inf
    for i in range(len(log_weights)):
        largest = max(largest, log_weights[i])
    total = 0.0
    for i in range(len(log_weights)):
        total += math.exp(log_weights[i] - largest)
    left = rng.random() * total
    for i in range(len(log_weights)):
        left -= math.exp(log_weights[i] - largest)
        if left < 0:
            return i
    return len(log_weights) - 1


@compiled()
def _log_predictive(point: Floats, total: Floats, count: int, center: Floats, prior: float, noise: float) -> float:
    """Log density of a point given the others of its cluster, up to a constant.

    `total` is the sum of the others, `prior` and `noise` are variances.
    """
    v = 1 / (1 / prior + count / noise)
    spread = v + noise
    squares = 0.0
    for j in range(len(point)):
        squares += (point[j] - v * (center[j] / prior + total[j] / noise)) ** 2
    return -0.5 * (len(point) * math.log(spread) + squares / spread)


@compiled()
def _leave(i: int, x: Floats, labels: Ints, counts: Ints, sums: Floats, n_clusters: int) -> int:
    """Take a point out of its cluster and return the number of clusters. The last cluster replaces an empty one."""
    old = labels[i]
    counts[old] -= 1
    for d in range(x.shape[1]):
        sums[old, d] -= x[i, d]
    labels[i] = -1
    if counts[old] > 0:
        return n_clusters
    last = n_clusters - 1
    counts[old], counts[last] = counts[last], 0
    for d in range(x.shape[1]):
        sums[old, d] = sums[last, d]
        sums[last, d] = 0.0
    for j in range(len(labels)):
        if labels[j] == last:
            labels[j] = old
    return last


@compiled()
def _sweep(
    x: Floats,
    labels: Ints,
    counts: Ints,
    sums: Floats,
    n_clusters: int,
    center: Floats,
    prior: float,
    noise: float,
    concentration: float,
    discount: float,
    rng: np.random.Generator,
) -> int:
    """Draw the label of each point in turn given all others, in place; return the number of clusters."""
    log_weights = np.empty(len(x) + 1)
    for i in range(len(x)):
        n_clusters = _leave(i, x, labels, counts, sums, n_clusters)
        for k in range(n_clusters):
            log_weights[k] = math.log(counts[k] - discount)
        opened = concentration + n_clusters * discount
        log_weights[n_clusters] = math.log(opened) if opened > 0 else 0.0  # the first cluster opens for certain
        for k in range(n_clusters + 1):
            log_weights[k] += _log_predictive(x[i], sums[k], counts[k], center, prior, noise)
        k = _drawn(log_weights[: n_clusters + 1], rng)
        if k == n_clusters:
            n_clusters += 1
        labels[i] = k
        counts[k] += 1
        for d in range(x.shape[1]):
            sums[k, d] += x[i, d]
    return n_clusters


@compiled()
def _cluster_means(counts: Ints, sums: Floats, n_clusters: int) -> Floats:
    """Means of the clusters, shape (n_clusters, dimension)."""
    means = np.empty((n_clusters, sums.shape[1]))
    for k in range(n_clusters):
        for d in range(sums.shape[1]):
            means[k, d] = sums[k, d] / counts[k]
    return means


@compiled()
def _scatter(x: Floats, centers: Floats, labels: Ints) -> float:
    """Sum of the squared distances of the points from the centers that they belong to."""
    total = 0.0
    for i in range(x.shape[0]):
        for d in range(x.shape[1]):
            total += (x[i, d] - centers[labels[i], d]) ** 2
    return total


@compiled()
def _log_evidence(
    scatter: float, counts: Ints, means: Floats, n: int, center: Floats, prior: float, noise: float
) -> float:
    """Log density of the points given their partition, up to a constant.

    `scatter` is the sum of the squared distances from the clusters' means; counts (n_clusters,), means (n_clusters, d).
    """
    dimension = means.shape[1]
    value = scatter / noise + n * dimension * math.log(noise)
    for k in range(len(counts)):
        spread = noise + counts[k] * prior
        squares = 0.0
        for d in range(dimension):
            squares += (means[k, d] - center[d]) ** 2
        value += counts[k] * squares / spread + dimension * math.log(spread / noise)
    return -0.5 * value


@compiled()
def _drawn_concentration(
    concentrations: Floats, n_clusters: int, n: int, discount: float, rng: np.random.Generator
) -> float:
    """Draw the concentration given the number of clusters."""
    log_weights = np.zeros(len(concentrations))
    for t in range(len(concentrations)):
        for k in range(1, n_clusters):
            log_weights[t] += math.log(concentrations[t] + k * discount)
        for i in range(1, n):
            log_weights[t] -= math.log(concentrations[t] + i)
    return concentrations[_drawn(log_weights, rng)]


@compiled()
def _draw_origin_and_unit(
    scatter: float, counts: Ints, means: Floats, n: int, ratio: float, noise: float, center: Floats, rng: Any
) -> float:
    """Draw the center, in place, and return the variance of the noise, under d(center) d(sigma) / sigma."""
    n_clusters, dimension = means.shape
    precision = np.empty(n_clusters)  # of each cluster's mean around the center, times the noise's variance
    total = 0.0
    for k in range(n_clusters):
        precision[k] = counts[k] / (1 + counts[k] * ratio)
        total += precision[k]
    for d in range(dimension):
        weighted = 0.0
        for k in range(n_clusters):
            weighted += precision[k] * means[k, d]
        center[d] = weighted / total + math.sqrt(noise / total) * rng.standard_normal()
        squares = 0.0
        for k in range(n_clusters):
            squares += precision[k] * (means[k, d] - center[d]) ** 2
        scatter += squares
    return scatter / 2 / rng.standard_gamma(n * dimension / 2)


@compiled()
def _chain(
    x: Floats,
    start: Ints,
    concentrations: Floats,
    variances: Floats,
    discount: float,
    standardised: bool,
    n_burn_in: int,
    n_samples: int,
    thin: int,
    rng: np.random.Generator,
) -> Ints:
    """Run a chain; `variances`, shape (n_pairs, 2), are those of the means and of the noise that are possible."""
    n, dimension = x.shape
    labels, n_clusters = start.copy(), 0
    counts, sums = np.zeros(n + 1, np.int64), np.zeros((n + 1, dimension))
    for i in range(n):
        n_clusters = max(n_clusters, labels[i] + 1)
        counts[labels[i]] += 1
        for d in range(dimension):
            sums[labels[i], d] += x[i, d]
    center = np.zeros(dimension)
    theta, pair = concentrations[len(concentrations) // 2], variances[len(variances) // 2]
    unit = 1.0  # variance in the points' unit that is 1 in the law's
    if standardised:
        one_cluster = np.zeros(n, np.int64)
        for i in range(n):
            for d in range(dimension):
                center[d] += x[i, d]
        for d in range(dimension):
            center[d] /= n
        total = _scatter(x, center.reshape(1, dimension), one_cluster)
        unit = total / (n * dimension * (pair[0] + pair[1])) if total > 0 else 1.0
    log_weights = np.empty(len(variances))
    samples = np.empty((n_samples, n), np.int64)
    for step in range(1, n_burn_in + n_samples * thin + 1):
        prior, noise = unit * pair[0], unit * pair[1]
        n_clusters = _sweep(x, labels, counts, sums, n_clusters, center, prior, noise, theta, discount, rng)
        sizes, means = counts[:n_clusters], _cluster_means(counts, sums, n_clusters)
        scatter = _scatter(x, means, labels)
        if len(variances) > 1:
            for p in range(len(variances)):
                prior, noise = unit * variances[p, 0], unit * variances[p, 1]
                log_weights[p] = _log_evidence(scatter, sizes, means, n, center, prior, noise)
            pair = variances[_drawn(log_weights, rng)]
        if len(concentrations) > 1:
            theta = _drawn_concentration(concentrations, n_clusters, n, discount, rng)
        if standardised and scatter > 0:
            ratio, noise = pair[0] / pair[1], unit * pair[1]
            unit = _draw_origin_and_unit(scatter, sizes, means, n, ratio, noise, center, rng) / pair[1]
        if step > n_burn_in and (step - n_burn_in) % thin == 0:
            for i in range(n):
                samples[(step - n_burn_in) // thin - 1, i] = labels[i]
    return samples
