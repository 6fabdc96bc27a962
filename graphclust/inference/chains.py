"""Markov chains side by side: their samples, their effective sample size and their convergence."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from graphclust.runtime.arrays import FloatArray, IntArray
from graphclust.runtime.progress import task

__all__ = ["ROOM", "TOLERANCE", "Chain", "Chains", "Schedule", "effective_sample_size", "r_hat", "run_chains"]

# A chain goes on from one sweep to another, at a temperature; it returns its labels and their log joint.
Chain: TypeAlias = Callable[[int, int, float], tuple[IntArray, float]]

TOLERANCE = 4.0  # nats
ROOM = 48  # blocks that a chain can open beyond those it starts with
_SWEEPS_PER_CALL = 16  # during the burn-in, so that an interrupt does not wait long
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


@dataclass(frozen=True)
class Schedule:
    """When a chain is cooled down and when samples are taken.

    Attributes
    ----------
    n_samples : int
    n_burnt : int
        Sweeps before the first sample.
    thinning : int
        Sweeps between samples.
    stops : tuple of int
        Numbers of sweeps after which Python has a turn.
    temperatures : tuple of float
        Those of the first sweeps; then it is 1.
    """

    n_samples: int
    n_burnt: int
    thinning: int
    stops: tuple[int, ...]
    temperatures: tuple[float, ...] = ()

    @classmethod
    def of(cls, n_samples: int, n_sweeps: int, burn_in: float = 0.5, temperature: float = 1.0) -> Schedule:
        """Return the schedule of `n_samples` samples in `n_sweeps` sweeps; see `IntegratedBlockModel.sample`."""
        thinning = max(int(n_sweeps * (1 - burn_in)) // n_samples, 1)
        n_sweeps = max(n_sweeps, thinning * n_samples)
        n_burnt = n_sweeps - thinning * n_samples
        n_cooling = min(int(n_sweeps * burn_in / 2), n_burnt) if temperature > 1 else 0
        stops = (
            *range(n_cooling),
            *range(n_cooling, n_burnt, _SWEEPS_PER_CALL),
            *range(n_burnt, n_sweeps + 1, thinning),
        )
        return cls(n_samples, n_burnt, thinning, stops, tuple(np.geomspace(temperature, 1.0, n_cooling).tolist()))


def run_chains(
    begin: Callable[[int], Chain], n_chains: int, schedule: Schedule, threads: int, tolerance: float = TOLERANCE
) -> Chains:
    """Run chains, several at once.

    Parameters
    ----------
    begin : callable
        Returns the chain of a number from 0 on.
    n_chains : int
    schedule : Schedule
    threads : int
        Number of chains that run at once. The result does not depend on it.
    tolerance : float
        See `Chains.of`.
    """
    is_cancelled = False

    def run(index: int) -> tuple[list[IntArray], list[float]]:
        chain, samples, log_joint = begin(index), [], []
        for first, end in pairwise(schedule.stops):
            if is_cancelled:
                break
            heat = schedule.temperatures[first] if first < len(schedule.temperatures) else 1.0
            labels, value = chain(first, end, heat)
            if first >= schedule.n_burnt:
                samples.append(labels.copy())
                log_joint.append(value)
            advance()
        return samples, log_joint

    with task("sampling", total=n_chains * (len(schedule.stops) - 1)) as advance:
        if threads > 1 and n_chains > 1:
            from concurrent.futures import ThreadPoolExecutor

            with ThreadPoolExecutor(threads) as pool:
                try:
                    chains = list(pool.map(run, range(n_chains)))
                finally:
                    is_cancelled = True  # after Ctrl-C the chains end soon
        else:
            chains = [run(index) for index in range(n_chains)]
    samples, log_joint = np.array([chain[0] for chain in chains]), np.array([chain[1] for chain in chains])
    return Chains.of(samples, log_joint, tolerance)


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
