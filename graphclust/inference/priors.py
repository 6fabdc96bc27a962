"""Priors of partitions of the form V(B) prod_r w(n_r), as tables: B is the number of blocks, n_r a block's size.

| ACP | here | as printed? |
|---|---|---|
| 1 | `crp_prior` | as printed; the concentration is a fixed number |
"""

from __future__ import annotations

import math

import numpy as np
from scipy.special import gammaln

from graphclust.runtime.arrays import FloatArray

__all__ = ["crp_prior", "sized_prior", "uniform_prior"]


def crp_prior(n: int, concentration: float = 1.0, discount: float = 0.0) -> FloatArray:
    """Tabulate the Chinese Restaurant Process (see `graphclust.generators.crp`) as V(B) prod_r w(n_r).

    Parameters
    ----------
    n : int
        Number of nodes.
    concentration, discount : float

    Returns
    -------
    ndarray of float64, shape (2, n + 2)
        log V(B) for B = 0, ..., n (-inf for other numbers), and log w(m) for m = 0, ..., n.

    Examples
    --------
    >>> log_v, log_w = crp_prior(3, 1.0)
    >>> bool(np.isclose(np.exp(log_v[2] + log_w[2] + log_w[1]), 1 / 6))  # {0, 1}, {2}
    True
    """
    table = np.full((2, n + 2), -math.inf)
    opened = np.concatenate(([0.0], np.cumsum(np.log(concentration + discount * np.arange(1, max(n, 1))))))
    table[0, 1 : n + 1] = opened[:n] - np.log(concentration + np.arange(1, max(n, 1))).sum()
    sizes = np.arange(1, n + 1)
    table[1, 1 : n + 1] = gammaln(sizes - discount) - gammaln(1 - discount)
    table[:, 0] = 0.0
    return table


def sized_prior(n: int, n_clusters: int, low: int, high: int) -> FloatArray:
    """Tabulate the prior of exactly `n_clusters` blocks whose sizes are uniform on low, ..., high, given their sum n.

    Returns
    -------
    ndarray of float64, shape (2, n + 2)
        In the format of `crp_prior`, up to a constant. Each block of another size has a factor of e^-30, so that a
        chain can pass through such partitions.
    """
    table = np.full((2, n + 2), -math.inf)
    table[0, n_clusters] = 0.0
    sizes = np.arange(n + 1)
    table[1, : n + 1] = gammaln(sizes + 1) - 30.0 * ((sizes < low) | (sizes > high))
    table[:, 0] = 0.0
    return table


def uniform_prior(n: int, n_clusters: int) -> FloatArray:
    """Tabulate the prior in which each node is in one of `n_clusters` blocks with equal probabilities.

    The number of blocks is given, so that a partition does not have to pay for having as many: a Chinese Restaurant
    Process would rather leave all blocks but one nearly empty than split a graph with weak communities.

    Returns
    -------
    ndarray of float64, shape (2, n + 2)
        In the format of `crp_prior`. The other numbers of blocks, which a search may pass through, have the same value.

    Examples
    --------
    >>> log_v, log_w = uniform_prior(4, 2)
    >>> bool(np.isclose(np.exp(log_v[2] + log_w[1] + log_w[3]), 2 / 2**4))  # the two blocks have no names
    True
    """
    table = np.full((2, n + 2), -math.inf)
    table[0, 1 : n + 1] = gammaln(n_clusters + 1) - n * math.log(n_clusters)
    table[1, : n + 1] = 0.0
    table[0, 0] = 0.0
    return table
