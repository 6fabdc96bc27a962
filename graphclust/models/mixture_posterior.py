r"""Samples from the posterior over partitions of a Gaussian mixture, its means integrated out: collapsed Gibbs sampling.

The model is that of `graphclust.generators.gaussian_mixture`: clusters of a Chinese Restaurant Process, means around a
center b, points around their means,

.. math::
   c \sim \mathrm{CRP}(\theta, d) \qquad \mu_k \sim N(b, \tau^2 I) \qquad x_i \sim N(\mu_{c_i}, \sigma^2 I)

A sweep takes each point out of its cluster and lets it join cluster k with probability proportional to
:math:`(n_k - d) \, N(x_i; m_k, v_k + \sigma^2)`, with :math:`v_k = 1 / (1/\tau^2 + n_k/\sigma^2)` and
:math:`m_k = v_k (b/\tau^2 + \sum x/\sigma^2)` over the points of the cluster, or open a new one with probability
proportional to :math:`(\theta + K d) \, N(x_i; b, \tau^2 + \sigma^2)` (Neal 2000, algorithm 3). Between sweeps the
hyperparameters that have a range are drawn from their posterior on a grid: equations 1 and 2 of Pakman et al.,
Attentive Clustering Processes, give them a prior of their own.

Points may be known only up to a shift and a scale, as a network knows them that was trained on standardised points.
The posterior given such points is that under the prior :math:`\mathrm{d}b \, \mathrm{d}\sigma / \sigma` at a fixed
ratio of tau to sigma; then the center and sigma are drawn between sweeps, too.

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

import numpy as np
from numba import njit
from numpy.typing import ArrayLike, NDArray

from graphclust.errors import UsageError

__all__ = ["MixtureLaw", "sample_partitions"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_GRID = 33  # values of a hyperparameter that has a range


def _grid(value: float | tuple[float, float]) -> Floats:
    """Return values that stand for a number, or for the log-uniform law on a range."""
    if not isinstance(value, tuple | list):
        return np.array([float(value)])
    low, high = (math.log(end) for end in value)
    return np.exp(low + (high - low) * (np.arange(_GRID) + 0.5) / _GRID)


@dataclass(frozen=True)
class MixtureLaw:
    """What is known of a Gaussian mixture before its points are seen.

    Attributes
    ----------
    concentration, prior_std, noise_std : float, or (float, float)
        As in `graphclust.generators.gaussian_mixture`: a range stands for a number that is drawn log-uniformly from it.
    discount : float
    standardised : bool
        Whether points are known only up to a shift and a scale.
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
        Partitions kept of each chain.
    n_burn_in : int
        Sweeps of each chain before the first sample.
    thin : int
        Sweeps a sample.
    starts : sequence of arrays of int, shape (n,), optional
        Partitions at which the chains start, a chain each. By default four: all points together, each alone, and two
        draws from the Chinese Restaurant Process.
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

        starts = [np.zeros(n), np.arange(n), *(crp(n, 3.0, random_state=rng) for _ in range(2))]
    pairs = np.array([(tau, sigma) for tau in _grid(law.prior_std) for sigma in _grid(law.noise_std)])
    concentrations = _grid(law.concentration)
    return np.stack(
        [
            _chain(
                points,
                np.unique(np.asarray(start), return_inverse=True)[1].astype(np.int64),
                concentrations,
                pairs,
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


@njit(cache=True)
def _drawn(log_weights: Floats, rng: np.random.Generator) -> int:
    """Draw an index with probability proportional to the exponential of its entry."""
    weights = np.exp(log_weights - log_weights.max())
    u = rng.random() * weights.sum()
    for i in range(len(weights)):
        u -= weights[i]
        if u < 0:
            return i
    return len(weights) - 1


@njit(cache=True)
def _log_predictive(
    point: Floats, total: Floats, count: int, center: Floats, prior: float, noise: float
) -> float:
    """Log density of a point given the others of its cluster, up to a constant; `prior` and `noise` are variances."""
    v = 1 / (1 / prior + count / noise)
    spread = v + noise
    squares = 0.0
    for j in range(len(point)):
        mean = v * (center[j] / prior + total[j] / noise)
        squares += (point[j] - mean) ** 2
    return -0.5 * (len(point) * math.log(spread) + squares / spread)


@njit(cache=True)
def _sweep(
    x: Floats,
    labels: Ints,
    counts: Ints,
    sums: Floats,
    center: Floats,
    prior: float,
    noise: float,
    concentration: float,
    discount: float,
    rng: np.random.Generator,
) -> None:
    """Draw the label of each point in turn given all others, in place; empty clusters have a count of 0."""
    n, dimension = x.shape
    log_weights = np.empty(n + 1)
    place = np.empty(n + 1, np.int64)
    for i in range(n):
        counts[labels[i]] -= 1
        sums[labels[i]] -= x[i]
        n_open, vacant = 0, -1
        for k in range(n):
            if counts[k] > 0:
                log_weights[n_open] = math.log(counts[k] - discount) + _log_predictive(
                    x[i], sums[k], counts[k], center, prior, noise
                )
                place[n_open] = k
                n_open += 1
            elif vacant < 0:
                vacant = k
        if vacant < 0:
            n_choices = n_open
        else:
            opened = max(concentration + n_open * discount, 1e-300)
            log_weights[n_open] = math.log(opened) + _log_predictive(
                x[i], np.zeros(dimension), 0, center, prior, noise
            )
            place[n_open] = vacant
            n_choices = n_open + 1
        k = place[_drawn(log_weights[:n_choices], rng)]
        labels[i] = k
        if counts[k] == 0:
            sums[k] = 0.0
        counts[k] += 1
        sums[k] += x[i]


@njit(cache=True)
def _log_evidence(
    within: float, counts: Ints, means: Floats, n: int, center: Floats, prior: float, noise: float
) -> float:
    """Log density of the points given their partition, up to a constant; `within` is their scatter in clusters."""
    dimension = means.shape[1]
    value = within / noise + n * dimension * math.log(noise)
    for k in range(len(counts)):
        if counts[k] > 0:
            spread = noise + counts[k] * prior
            value += counts[k] * ((means[k] - center) ** 2).sum() / spread + dimension * math.log(spread / noise)
    return -0.5 * value


@njit(cache=True)
def _chain(
    x: Floats,
    labels: Ints,
    concentrations: Floats,
    pairs: Floats,
    discount: float,
    standardised: bool,
    n_burn_in: int,
    n_samples: int,
    thin: int,
    rng: np.random.Generator,
) -> Ints:
    n, dimension = x.shape
    counts, sums = np.zeros(n, np.int64), np.zeros((n, dimension))
    for i in range(n):
        counts[labels[i]] += 1
        sums[labels[i]] += x[i]
    center = np.zeros(dimension)
    scale = 1.0  # of the points, beside the law's
    if standardised:
        for j in range(dimension):
            center[j] = x[:, j].mean()
    squared = pairs**2
    of_pairs, of_concentrations = np.empty(len(pairs)), np.empty(len(concentrations))
    opened = np.empty(len(concentrations))  # log (theta + 1) ... (theta + n - 1)
    for t in range(len(concentrations)):
        opened[t] = np.log(concentrations[t] + np.arange(1, n)).sum()
    pair, theta = len(pairs) // 2, len(concentrations) // 2
    if standardised:
        scale = max(((x - center) ** 2).sum() / (n * dimension) / (squared[pair, 0] + squared[pair, 1]), 1e-300)
    kept = np.empty((n_samples, n), np.int64)
    for step in range(n_burn_in + n_samples * thin):
        prior, noise = scale * squared[pair, 0], scale * squared[pair, 1]
        _sweep(x, labels, counts, sums, center, prior, noise, concentrations[theta], discount, rng)
        means = sums / np.maximum(counts, 1).reshape(-1, 1)
        within = 0.0
        for i in range(n):
            within += ((x[i] - means[labels[i]]) ** 2).sum()
        if len(pairs) > 1:
            for p in range(len(pairs)):
                of_pairs[p] = _log_evidence(
                    within, counts, means, n, center, scale * squared[p, 0], scale * squared[p, 1]
                )
            pair = _drawn(of_pairs, rng)
        if len(concentrations) > 1:
            n_open = (counts > 0).sum()
            for t in range(len(concentrations)):
                of_concentrations[t] = -opened[t]
                for k in range(1, n_open):
                    of_concentrations[t] += math.log(concentrations[t] + k * discount)
            theta = _drawn(of_concentrations, rng)
        if standardised:
            ratio = squared[pair, 0] / squared[pair, 1]
            total, weight = np.zeros(dimension), 0.0
            for k in range(n):
                if counts[k] > 0:
                    share = counts[k] / (1 + counts[k] * ratio)
                    weight += share
                    total += share * means[k]
            noise = scale * squared[pair, 1]
            scatter = within
            for j in range(dimension):
                center[j] = total[j] / weight + math.sqrt(noise / weight) * rng.standard_normal()
            for k in range(n):
                if counts[k] > 0:
                    scatter += counts[k] / (1 + counts[k] * ratio) * ((means[k] - center) ** 2).sum()
            noise = 0.5 * scatter / rng.standard_gamma(0.5 * n * dimension)
            scale = noise / squared[pair, 1]
        if step >= n_burn_in and (step - n_burn_in) % thin == thin - 1:
            kept[(step - n_burn_in) // thin] = labels
    return kept
