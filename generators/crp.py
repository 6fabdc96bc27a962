"""Random partitions: the Chinese Restaurant Process and its two-parameter form (Pitman & Yor 1997; Pitman 2006, ch. 3).

With i customers at K tables of n_1, ..., n_K, the next one sits at table c with probability (n_c - d) / (theta + i), at
a new one with (theta + K d) / (theta + i). That gives a partition of n into K clusters the probability

    p = prod_{k=1}^{K-1} (theta + k d)  prod_c (1 - d)_{n_c - 1}  /  (theta + 1)_{n - 1}

where (a)_m = a (a + 1) ... (a + m - 1).

| symbol | here |
|---|---|
| theta | `concentration`, above -d |
| d | `discount`, in [0, 1); 0 is the one-parameter process |

The sampler takes no turn per customer. It gives each one an independent place u in [-theta, i): below 0 he opens a
table; otherwise he looks at customer floor(u) and joins his table, except that, where that one opened a table and
the fraction of u is below d, he opens his own. A table of n_c customers is then joined with weight n_c - d, as it has
to be (theta below 0 only eats into the first customer's d). What is left are chains of pointers, and doubling follows
all of them at once, in O(n log log n) and exactly, whatever theta and d.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from graphclust.errors import UsageError
from graphclust.runtime.arrays import FloatArray, IntArray
from graphclust.runtime.seeds import check_seed

__all__ = ["crp", "crp_batch", "expected_n_clusters", "log_probability", "n_clusters_distribution"]

_RAREST = 1e-3  # at most so many clusters: what is rarer would take more redraws than anybody wants to wait for


def _check(concentration: float, discount: float, max_clusters: int | None = None) -> None:
    if not 0 <= discount < 1:
        raise UsageError(f"discount must be in [0, 1), not {discount}")
    if not -discount < concentration < math.inf:
        raise UsageError(f"concentration must be finite and above -discount = {-discount:g}, not {concentration}")
    if max_clusters is not None and max_clusters < 1:
        raise UsageError(f"max_clusters must be at least 1, not {max_clusters}")


def _check_size(n: int) -> None:
    if n < 0:
        raise UsageError(f"the number of items must not be negative, not {n}")


def _check_patience(n: int, concentration: float, discount: float, most: int) -> None:
    """Refuse a bound that redraws would hardly ever meet."""
    if 2 * expected_n_clusters(n, concentration, discount) <= most + 1:
        return  # by Markov's inequality, every other draw will do
    log_share = np.logaddexp.reduce(_log_n_clusters(n, concentration, discount, most))
    if log_share < math.log(_RAREST):
        raise UsageError(
            f"max_clusters is {most}, but concentration {concentration:g} and discount {discount:g} give {n} items "
            f"{expected_n_clusters(n, concentration, discount):.1f} clusters on average: only one draw in "
            f"10^{-log_share / math.log(10):.0f} would be accepted"
        )


def _draw(n: int, concentration: FloatArray, discount: float, rng: np.random.Generator) -> IntArray:
    """Draw partitions, shape (batch, n), by concentrations of shape (batch, 1).

    The first m columns are partitions of m by the same law.
    """
    turn, batch = np.arange(n), len(concentration)
    place = rng.random((batch, n)) * (concentration + turn) - concentration
    seen = np.clip(place, 0, np.maximum(turn - 1, 0)).astype(np.int64)
    opens = (place - seen < discount).ravel()  # if the one seen opened a table, too
    seen += n * np.arange(batch)[:, None]
    pointer = seen.ravel()
    while True:
        opened = opens & opens[pointer]
        if np.array_equal(opened, opens):
            break
        opens, pointer = opened, pointer[pointer]
    opener = np.where(opens, np.arange(batch * n), seen.ravel())
    while True:
        further = opener[opener]
        if np.array_equal(further, opener):
            break
        opener = further
    labels: IntArray = (np.cumsum(opens.reshape(batch, n), axis=1) - 1).ravel()[opener].reshape(batch, n)
    return labels


def crp_batch(
    sizes: ArrayLike,
    concentration: ArrayLike = 1.0,
    *,
    discount: float = 0.0,
    max_clusters: int | None = None,
    rng: np.random.Generator,
) -> IntArray:
    """Draw many partitions at once.

    Parameters
    ----------
    sizes : array of int, shape (batch,)
        Things to partition, in each draw.
    concentration : float, or array of float, shape (batch,)
        theta, above -discount.
    discount : float
        d, in [0, 1).
    max_clusters : int, optional
        Condition the law on at most so many clusters; draws with more are redrawn.
    rng : Generator

    Returns
    -------
    ndarray of int64, shape (batch, max(sizes))
        Labels in order of appearance, 0 first; -1 beyond each row's size.

    Raises
    ------
    UsageError
        Parameters out of range; a `max_clusters` that fewer than one draw in a thousand meets.

    Examples
    --------
    >>> crp_batch([3, 6], 1.0, rng=np.random.default_rng(3))
    array([[ 0,  1,  1, -1, -1, -1],
           [ 0,  1,  1,  2,  0,  1]])
    """
    lengths = np.asarray(sizes, dtype=np.int64)
    theta = np.broadcast_to(np.asarray(concentration, dtype=np.float64), lengths.shape)
    lowest, highest = (float(np.min(concentration)), float(np.max(concentration)))
    for value in (lowest, highest):
        _check(value, discount, max_clusters)
    n = int(lengths.max(initial=0))
    _check_size(int(lengths.min(initial=0)))
    labels = _draw(n, theta[:, None], discount, rng)
    labels[np.arange(n) >= lengths[:, None]] = -1
    if max_clusters is not None and max_clusters < n:
        _check_patience(n, highest, discount, max_clusters)
        while len(over := np.flatnonzero(labels.max(axis=1) >= max_clusters)):
            labels[over] = _draw(n, theta[over, None], discount, rng)
            labels[np.arange(n) >= lengths[:, None]] = -1
    return labels


def crp(
    n: int,
    concentration: float = 1.0,
    *,
    discount: float = 0.0,
    max_clusters: int | None = None,
    random_state: Any = None,
) -> IntArray:
    """Draw a partition of n things from a Chinese Restaurant Process.

    Parameters
    ----------
    n : int
    concentration : float
        theta, above -discount: the greater, the more clusters.
    discount : float
        d, in [0, 1). Above 0 (Pitman-Yor) the sizes follow a power law, and clusters number n^d instead of log n.
    max_clusters : int, optional
        Condition the law on at most so many clusters; draws with more are redrawn.
    random_state : int, Generator or None

    Returns
    -------
    ndarray of int64, shape (n,)
        Labels in order of appearance, 0 first.

    Raises
    ------
    UsageError
        Parameters out of range; a `max_clusters` that fewer than one draw in a thousand meets.

    Examples
    --------
    >>> crp(10, 1.0, random_state=0)
    array([0, 1, 2, 3, 3, 3, 3, 3, 3, 3])
    """
    rng = np.random.default_rng(check_seed(random_state))
    labels: IntArray = crp_batch([n], concentration, discount=discount, max_clusters=max_clusters, rng=rng)[0]
    return labels


def log_probability(
    labels: ArrayLike, concentration: float, *, discount: float = 0.0, max_clusters: int | None = None
) -> float:
    """Logarithm of the probability of a partition.

    Parameters
    ----------
    labels : array of int, shape (n,)
        Names of the clusters do not matter.
    concentration, discount : float
    max_clusters : int, optional
        Of the law conditioned on at most so many clusters; -inf for a partition into more.

    Returns
    -------
    float

    Raises
    ------
    UsageError
        Parameters out of range.

    Examples
    --------
    >>> round(float(np.exp(log_probability([0, 0, 1], 1.0))), 6)
    0.166667
    """
    _check(concentration, discount, max_clusters)
    counts = np.unique(np.asarray(labels), return_counts=True)[1].tolist()
    n, k = sum(counts), len(counts)
    if max_clusters is not None and k > max_clusters:
        return -math.inf
    value = float(
        np.log(concentration + discount * np.arange(1, k)).sum() - np.log(concentration + np.arange(1, n)).sum()
    )
    value += sum(math.lgamma(count - discount) for count in counts) - k * math.lgamma(1 - discount)
    if max_clusters is not None and max_clusters < n:
        value -= float(np.logaddexp.reduce(_log_n_clusters(n, concentration, discount, max_clusters)))
    return value


def expected_n_clusters(n: int, concentration: float, discount: float = 0.0) -> float:
    """Return the expected number of clusters of n things, exactly.

    Customer t opens a table with probability y_t / (theta + t), where y_t = theta + d E[K_t] grows by the factor
    1 + d / (theta + t): a sum of positive terms, without the cancellation of the closed form.

    Parameters
    ----------
    n : int
    concentration, discount : float

    Returns
    -------
    float

    Raises
    ------
    UsageError
        Parameters out of range.

    Examples
    --------
    >>> round(expected_n_clusters(3, 1.0), 6)  # 1 + 1/2 + 1/3
    1.833333
    """
    _check(concentration, discount)
    _check_size(n)
    if n == 0:
        return 0.0
    total = concentration + np.arange(1, n)
    y = (concentration + discount) * np.cumprod(np.concatenate(([1.0], 1 + discount / total)))[:-1]
    return 1 + float((y / total).sum())


def n_clusters_distribution(n: int, concentration: float, discount: float = 0.0) -> FloatArray:
    """Return the distribution of the number of clusters of n things, in O(n^2) time.

    Parameters
    ----------
    n : int
    concentration, discount : float

    Returns
    -------
    ndarray of float64, shape (n + 1,)
        Probability of 0, 1, ..., n clusters.

    Raises
    ------
    UsageError
        Parameters out of range.

    Examples
    --------
    >>> n_clusters_distribution(3, 1.0).round(6)
    array([0.      , 0.333333, 0.5     , 0.166667])
    """
    _check(concentration, discount)
    _check_size(n)
    probabilities: FloatArray = np.exp(_log_n_clusters(n, concentration, discount, n))
    return probabilities


def _log_n_clusters(n: int, concentration: float, discount: float, most: int) -> FloatArray:
    """Log probabilities of 0, ..., `most` clusters of n things; O(n most), one pass over the customers a cluster.

    (theta + i) P[i+1, k] = (i - k d) P[i, k] + (theta + (k - 1) d) P[i, k-1] is, for given k, a linear recurrence in i,
    solved by cumulative sums in log space; all terms are positive.
    """
    result = np.full(most + 1, -math.inf)
    if n == 0:
        result[0] = 0.0
        return result
    log_total = np.log(concentration + np.arange(1, n))  # the denominators of customers 1, ..., n - 1
    column = np.array([0.0])  # log P[i, k], i = k, ..., n
    for k in range(1, min(most, n) + 1):
        stay = np.log(np.arange(k, n) - k * discount) - log_total[k - 1 :]
        log_stay = np.concatenate(([0.0], np.cumsum(stay)))
        if k == 1:
            column = log_stay
        else:
            opened = column[:-1] + math.log(concentration + (k - 1) * discount) - log_total[k - 2 :]
            column = log_stay + np.logaddexp.accumulate(opened - log_stay)
        result[k] = column[-1]
    return result
