"""Samples of Markov chains, their effective sample size and their convergence."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from graphclust.runtime.arrays import FloatArray, IntArray

__all__ = ["ROOM", "Chains", "effective_sample_size", "r_hat"]


ROOM = 48  # blocks that a chain can open beyond those it starts with
_DECIMALS = 6  # of the log joint, in nats: the order of the blocks changes rounding errors


@dataclass(frozen=True)
class Chains:
    """Samples of several Markov chains.

    Attributes
    ----------
    samples : ndarray of int64, shape (n_chains, n_samples, n_nodes)
    log_joint : ndarray of float64, shape (n_chains, n_samples)
        Log joint of each sample (see `BlockModel.log_joint`).
    usable : ndarray of bool, shape (n_chains,)
        False for chains that got stuck: their mean log joint is at least `tolerance` nats (see `Chains.of`) below
        that of the best chain.
    effective_samples : float
        Effective sample size of the usable chains, from the autocorrelation of the log joint.
    r_hat : float
        The larger R-hat of the usable chains: that of the log joint or that of the number of blocks. It is about 1 if
        the chains have converged.
    """

    samples: IntArray
    log_joint: FloatArray
    usable: NDArray[np.bool_]
    effective_samples: float
    r_hat: float

    @classmethod
    def of(cls, samples: IntArray, log_joint: FloatArray, tolerance: float) -> Chains:
        """Diagnose chains from their samples.

        Parameters
        ----------
        samples, log_joint
            See above.
        tolerance : float
            Nats that the mean log joint of a usable chain may be below that of the best one.
        """
        rounded = log_joint.round(_DECIMALS)
        means = rounded.mean(axis=1)
        usable = means > means.max() - tolerance
        in_order = (np.sort(chain, axis=1) for chain in samples[usable])
        n_blocks = np.array([1.0 + (np.diff(labels, axis=1) > 0).sum(axis=1) for labels in in_order])
        larger = max(r_hat(rounded[usable]), r_hat(n_blocks))
        return cls(samples, log_joint, usable, effective_sample_size(rounded[usable]), larger)


def effective_sample_size(series: FloatArray) -> float:
    """Return the effective sample size of several chains (Geyer 1992; Gelman et al. 2013).

    A chain that never moves counts as one sample, because nothing tells whether it is stuck.

    Parameters
    ----------
    series : ndarray of float64, shape (n_chains, n_samples)

    Examples
    --------
    >>> 500 < effective_sample_size(np.random.default_rng(0).standard_normal((2, 400))) <= 800
    True
    """
    chains, length = series.shape
    within = series.var(axis=1, ddof=1).mean() if length > 1 else 0.0
    means = series.mean(axis=1)
    if length < 4 or within <= 0:
        return float(chains)
    total = within * (length - 1) / length + (means.var(ddof=1) if chains > 1 else 0.0)
    centred = series - means[:, None]
    spectrum = np.abs(np.fft.rfft(centred, 2 * length, axis=1)) ** 2
    covariance = np.fft.irfft(spectrum, axis=1)[:, :length].mean(axis=0) / length
    rho = 1 - (within - covariance * length / (length - 1)) / total
    pairs = rho[0 : length - length % 2 : 2] + rho[1::2]
    negative = np.flatnonzero(pairs < 0)
    monotone = np.minimum.accumulate(pairs[: negative[0]] if len(negative) else pairs)
    time = max(2 * monotone.sum() - 1, 1.0)
    return float(min(chains * length / time, chains * length))


def r_hat(series: FloatArray) -> float:
    """Return the potential scale reduction of several chains, each split into two halves.

    It compares the spread of all halves together with that of a single half (Gelman et al., "Bayesian Data Analysis",
    2013, section 11.4). It is 1 if nothing varies, and infinite if the halves differ but none of them varies.

    Parameters
    ----------
    series : ndarray of float64, shape (n_chains, n_samples)

    Examples
    --------
    >>> noise = np.random.default_rng(0).standard_normal((2, 400))
    >>> round(r_hat(noise), 1), r_hat(noise + [[0.0], [3.0]]) > 1.5
    (1.0, True)
    """
    half = series.shape[1] // 2
    if half < 2:
        return 1.0
    parts = np.concatenate((series[:, :half], series[:, -half:]))
    within, between = parts.var(axis=1, ddof=1).mean(), half * parts.mean(axis=1).var(ddof=1)
    if within <= 0:
        return math.inf if between > 0 else 1.0
    return float(math.sqrt((half - 1) / half + between / within / half))
