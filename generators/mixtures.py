"""Gaussian mixtures with an unknown number of clusters: vector data for the clusterwise models, and exact posteriors.

The model of equations 1-3 of the ACP paper with the settings of Pakman et al. 2020 (arXiv:1901.00409, mixtures of 2D
Gaussians), of which tau and sigma can be asked for, in any dimension D:

    c_1, ..., c_N ~ CRP(theta, d)      mu_k ~ N(0, tau^2 I)      x_i ~ N(mu_{c_i}, sigma^2 I)

| symbol | here |
|---|---|
| theta, d | `concentration`, `discount` |
| tau | `prior_std` |
| sigma | `noise_std` |

Equations 1 and 2 give their hyperparameters a prior: theta, tau and sigma may be ranges, from which `gaussian_mixture`
draws them log-uniformly for each data set.

With the means integrated out, the n points of a cluster have, for each coordinate with mean m and sum Q of the squared
deviations from it, the density

    (2 pi sigma^2)^(-n/2) (1 + n tau^2 / sigma^2)^(-1/2) exp(-(Q / sigma^2 + n m^2 / (sigma^2 + n tau^2)) / 2)
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from graphclust.errors import UsageError
from graphclust.generators.batches import DenseBatch
from graphclust.generators.crp import crp, crp_batch, log_probability
from graphclust.generators.sbm import Real, Whole, pick
from graphclust.graph import Graph
from graphclust.runtime.arrays import FloatArray, IntArray
from graphclust.runtime.seeds import check_seed

__all__ = ["enumerate_posterior", "gaussian_mixture", "gaussian_mixture_batch", "log_joint", "pair_posterior"]

_HYPERPARAMETERS = ("concentration", "prior_std", "noise_std")  # which may be ranges, in the order of drawing
_MOST = 8  # points whose 4,140 partitions are counted out


def _check(prior_std: float, noise_std: float) -> None:
    if not (0 < prior_std < math.inf and 0 < noise_std < math.inf):
        raise UsageError(f"prior_std and noise_std are positive and finite, not {prior_std} and {noise_std}")


def _check_dimension(dimension: int) -> None:
    if dimension < 1:
        raise UsageError(f"points have at least one dimension, not {dimension}")


def _points(x: ArrayLike) -> FloatArray:
    points: FloatArray = np.asarray(x, dtype=np.float64)
    if points.ndim != 2:
        raise UsageError(f"points are an array of shape (n, dimension), not {points.shape}")
    return points


def _log_uniform(rng: np.random.Generator, name: str, value: Real) -> float:
    """Draw a hyperparameter log-uniformly from a range (low, high); a single number is itself."""
    if not isinstance(value, tuple | list):
        return value
    low, high = value
    if not 0 < low <= high < math.inf:
        raise UsageError(f"a range of {name} is (low, high) with 0 < low <= high, not {value!r}")
    return float(np.exp(rng.uniform(math.log(low), math.log(high))))


def gaussian_mixture(
    n: Whole,
    *,
    dimension: int = 2,
    concentration: Real = 0.7,
    discount: float = 0.0,
    max_clusters: int | None = None,
    prior_std: Real = 10.0,
    noise_std: Real = 1.0,
    random_state: Any = None,
) -> Graph:
    """Draw points from a Gaussian mixture whose labels follow a Chinese Restaurant Process.

    Parameters
    ----------
    n : int or (int, int)
        Number of points (spikes); from a range it is drawn uniformly.
    dimension : int
    concentration : float, or (float, float)
        Concentration of the Chinese Restaurant Process; from a range it is drawn log-uniformly.
    discount : float
        Discount of the process, in [0, 1).
    max_clusters : int, optional
    prior_std, noise_std : float, or (float, float)
        Standard deviations of the means around 0, and of the points around their means; a range is drawn from
        log-uniformly.
    random_state : int, Generator or None

    Returns
    -------
    Graph
        Without edges; `x`, shape (n, dimension), float64; `y` the clusters in order of appearance; `meta["generator"]`
        the parameters and the seed, `meta["realised"]` the number of clusters, the size of the largest and what was
        drawn from ranges.

    Raises
    ------
    UsageError
        Parameters out of range.

    Examples
    --------
    >>> g = gaussian_mixture(100, dimension=3, random_state=0)
    >>> g.x.shape, g.num_edges
    ((100, 3), 0)
    """
    _check_dimension(dimension)
    seed = check_seed(random_state)
    rng = np.random.default_rng(seed)
    parameters: dict[str, Any] = {
        "family": "gaussian-mixture",
        "n": n,
        "dimension": dimension,
        "concentration": concentration,
        "discount": discount,
        "max_clusters": max_clusters,
        "prior_std": prior_std,
        "noise_std": noise_std,
        "random_state": seed,
    }
    number: int = pick(rng, n)
    theta, tau, sigma = (_log_uniform(rng, name, parameters[name]) for name in _HYPERPARAMETERS)
    _check(tau, sigma)
    y = crp(number, theta, discount=discount, max_clusters=max_clusters, random_state=rng)
    sizes = np.bincount(y)
    means = tau * rng.standard_normal((len(sizes), dimension))
    x = means[y] + sigma * rng.standard_normal((number, dimension))
    realised: dict[str, Any] = {"n_clusters": len(sizes), "largest": int(sizes.max(initial=0))}
    drawn = zip(_HYPERPARAMETERS, (theta, tau, sigma), strict=True)
    realised |= {name: value for name, value in drawn if isinstance(parameters[name], tuple | list)}
    return Graph.from_edges([], [], nodes=number, x=x, y=y, meta={"generator": parameters, "realised": realised})


def gaussian_mixture_batch(
    rng: np.random.Generator,
    batch_size: int,
    *,
    same_size: bool,
    n: Whole,
    dimension: int,
    concentration: Real,
    discount: float,
    max_clusters: int | None,
    prior_std: Real,
    noise_std: Real,
) -> DenseBatch:
    """Draw sets of points all at once, by the law of `gaussian_mixture`.

    Parameters
    ----------
    rng : Generator
    batch_size : int
    same_size : bool
        Whether all sets have one number of points.
    n, dimension, concentration, discount, max_clusters, prior_std, noise_std
        As of `gaussian_mixture`; what is a range is drawn for each set.

    Returns
    -------
    DenseBatch
        Without an adjacency.

    Raises
    ------
    UsageError
        Parameters out of range.
    """
    _check_dimension(dimension)
    sizes = np.array([pick(rng, n)] * batch_size if same_size else [pick(rng, n) for _ in range(batch_size)])
    theta, tau, sigma = (
        np.array([_log_uniform(rng, name, value) for _ in range(batch_size)])
        for name, value in zip(_HYPERPARAMETERS, (concentration, prior_std, noise_std), strict=True)
    )
    for pair in zip(tau.tolist(), sigma.tolist(), strict=True):
        _check(*pair)
    labels = crp_batch(sizes, theta, discount=discount, max_clusters=max_clusters, rng=rng)
    inside = labels >= 0
    n_clusters = labels.max(axis=1, initial=-1) + 1
    first = np.cumsum(n_clusters) - n_clusters  # the number of a set's first mean
    means = np.repeat(tau, n_clusters)[:, None] * rng.standard_normal((n_clusters.sum(), dimension))
    noise = np.repeat(sigma, sizes)[:, None] * rng.standard_normal((sizes.sum(), dimension))
    features = np.zeros((*labels.shape, dimension), dtype=np.float32)
    features[inside] = means[(first[:, None] + labels)[inside]] + noise
    return DenseBatch(None, labels, sizes.astype(np.int64), features)


def log_joint(
    x: ArrayLike,
    labels: ArrayLike,
    *,
    concentration: float = 0.7,
    discount: float = 0.0,
    max_clusters: int | None = None,
    prior_std: float = 10.0,
    noise_std: float = 1.0,
) -> float:
    """Logarithm of p(x, labels), the means integrated out.

    Parameters
    ----------
    x : array of float, shape (n, dimension)
    labels : array of int, shape (n,)
        Names of the clusters do not matter.
    concentration, discount, max_clusters, prior_std, noise_std
        As in `gaussian_mixture`.

    Returns
    -------
    float

    Raises
    ------
    UsageError
        Parameters out of range, labels and points of different number.

    Examples
    --------
    >>> together, apart = (log_joint([[0.0, 0.0], [1.0, 0.0]], c) for c in ([0, 0], [0, 1]))
    >>> together > apart
    True
    """
    _check(prior_std, noise_std)
    points, clusters = _points(x), np.unique(np.asarray(labels), return_inverse=True)[1]
    if clusters.shape != points.shape[:1]:
        raise UsageError(f"{len(points)} points and {clusters.size} labels")
    count = np.bincount(clusters)[:, None]
    mean = np.zeros((len(count), points.shape[1]))
    np.add.at(mean, clusters, points)
    mean /= count
    noise, spread = noise_std**2, noise_std**2 + count * prior_std**2
    exponent = ((points - mean[clusters]) ** 2).sum() / noise + (count * mean**2 / spread).sum()
    log_norm = points.shape[1] * (len(points) * math.log(2 * math.pi * noise) + np.log(spread / noise).sum())
    prior = log_probability(clusters, concentration, discount=discount, max_clusters=max_clusters)
    return prior - float(exponent + log_norm) / 2


def pair_posterior(
    x: ArrayLike,
    *,
    concentration: float = 0.7,
    discount: float = 0.0,
    max_clusters: int | None = None,
    prior_std: float = 10.0,
    noise_std: float = 1.0,
) -> float:
    """Probability that two points, the only ones, share a cluster.

    Their sum and their difference are independent. Together these have the variances 2 sigma^2 + 4 tau^2 and 2 sigma^2;
    apart, both have 2 sigma^2 + 2 tau^2. The prior odds are (1 - d) : (theta + d).

    Parameters
    ----------
    x : array of float, shape (2, dimension)
    concentration, discount, max_clusters, prior_std, noise_std
        As in `gaussian_mixture`.

    Returns
    -------
    float

    Raises
    ------
    UsageError
        Parameters out of range, other than two points.

    Examples
    --------
    >>> round(pair_posterior([[0.0, 0.0], [1.0, 0.0]]), 3)
    0.983
    """
    _check(prior_std, noise_std)
    points = _points(x)
    if len(points) != 2:
        raise UsageError(f"a pair has two points, not {len(points)}")
    dimension = points.shape[1]
    prior = [log_probability(c, concentration, discount=discount, max_clusters=max_clusters) for c in ([0, 0], [0, 1])]
    noise, spread = 2 * noise_std**2, 2 * prior_std**2
    total, difference = float(((points[0] + points[1]) ** 2).sum()), float(((points[0] - points[1]) ** 2).sum())
    log_odds = prior[0] - prior[1]
    log_odds += dimension * (math.log(noise + spread) - (math.log(noise + 2 * spread) + math.log(noise)) / 2)
    log_odds += (total * spread / (noise + 2 * spread) - difference * spread / noise) / (noise + spread) / 2
    return 1 / (1 + math.exp(-log_odds)) if log_odds > -700 else math.exp(log_odds)


def enumerate_posterior(
    x: ArrayLike,
    *,
    concentration: float = 0.7,
    discount: float = 0.0,
    max_clusters: int | None = None,
    prior_std: float = 10.0,
    noise_std: float = 1.0,
) -> tuple[IntArray, FloatArray]:
    """Probability of each partition of a few points, by counting out: what a sampler of the posterior has to match.

    Parameters
    ----------
    x : array of float, shape (n, dimension)
        At most 8 points.
    concentration, discount, max_clusters, prior_std, noise_std
        As in `gaussian_mixture`.

    Returns
    -------
    partitions : ndarray of int64, shape (n_partitions, n)
        All of them, in labels in order of appearance.
    probabilities : ndarray of float64, shape (n_partitions,)

    Raises
    ------
    UsageError
        Parameters out of range, more than 8 points.

    Examples
    --------
    >>> partitions, p = enumerate_posterior([[0.0], [0.1], [30.0]])
    >>> partitions[p.argmax()]
    array([0, 0, 1])
    """
    points = _points(x)
    n = len(points)
    if n > _MOST:
        raise UsageError(f"the partitions of {n} points are too many to count out: {_MOST} points at most")
    partitions = np.zeros((1, 0), dtype=np.int64)
    for _ in range(n):
        choices = partitions.max(axis=1, initial=-1) + 2
        last = np.concatenate([np.arange(c) for c in choices])
        partitions = np.column_stack((np.repeat(partitions, choices, axis=0), last))
    log_p = np.array(
        [
            log_joint(
                points,
                labels,
                concentration=concentration,
                discount=discount,
                max_clusters=max_clusters,
                prior_std=prior_std,
                noise_std=noise_std,
            )
            for labels in partitions
        ]
    )
    return partitions, np.exp(log_p - np.logaddexp.reduce(log_p))
