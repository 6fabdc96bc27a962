"""Synthetic extracellular spikes of an unknown number of neurons: the stand-in for the data of ACP's Table 1.

Wang et al., "Spike sorting using the neural clustering process" (NeurIPS workshop, 2019), and Pakman et al., "Neural
clustering processes" (ICML 2020), sort spikes recorded by a hexagonal array of electrodes in the retina: each spike is
a waveform of 32 samples at the electrode where it is largest and at its six neighbours. Their training data add noise
to templates from recordings that are not public. Here the templates are synthetic as well, so that scores cannot be
compared with the published ones number by number.

The electrodes e = 0 (the centre), 1, ..., 6 see the spike i of the neuron c_i with place p, and peak A, as

    c_1, ..., c_N ~ CRP(theta)
    x_i(e, t) = a_i A exp(-(d_e - d_0) / lambda) w(t - s_i - (d_e - d_0) / v) + noise      d_e = |p - e|

| what | choice |
|---|---|
| electrodes e | 7: one in the centre and 6 on a regular hexagon, 60 um away from it |
| samples t | 32 at 20 kHz, 1.6 ms; the trough of a spike without jitter is near sample 10 |
| labels c | a Chinese Restaurant Process, theta = 1.5 (`concentration`), at most 12 neurons (`max_clusters`) |
| place p of a neuron | uniform in the disc of 30 um around the centre, which is the nearest electrode |
| its height above the electrodes | uniform in 10 to 30 um |
| peak A at the centre | .2 plus an exponential of mean 1.15: the median is 1, and many neurons are small |
| decay lambda | uniform in 20 to 50 um |
| velocity v | uniform in .3 to 1 m/s: the spike arrives later at electrodes that are farther away |
| shape w | three Gaussian bumps, scaled so that the lowest value is -1: biphasic or triphasic |
| its trough | standard deviation uniform in .1 to .25 ms |
| the bump before it | height 0 to .25 of the trough's, .15 to .3 ms earlier, standard deviation .06 to .15 ms |
| the bump after it | height .1 to .8 of the trough's, .3 to .8 ms later, standard deviation .12 to .3 ms |
| jitter a of the amplitude | one number a spike: normal, mean 1, standard deviation .05 (`amplitude_jitter`) |
| jitter s in time | uniform within .5 samples of 0 (`time_jitter`), as the phase of the sampling is random |
| noise | normal, standard deviation .15 (`noise_std`), less than a sixth of the median peak |
| its correlation | exp(-distance / 30 um) between electrodes times exp(-lag / .05 ms) in time |

Some neurons hardly rise above the noise, and overlap. On the first 50 test sets of `graphclust reproduce acp-table1` of
200, 400 and 1,000 spikes, k-means on five principal components that knows the number of neurons has an AMI of .73, .71
and .67, scikit-learn's best mixture about .91, and a classifier that knows all templates .97, .98 and .97.

Left out are spikes that collide, electrodes that drift, and shapes that depend on the firing rate.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from graphclust.errors import UsageError
from graphclust.generators.batches import DenseBatch
from graphclust.generators.crp import crp_batch
from graphclust.generators.sbm import Whole, pick
from graphclust.graph import Graph
from graphclust.nn.waveforms import N_CHANNELS, N_SAMPLES
from graphclust.runtime.arrays import FloatArray, IntArray
from graphclust.runtime.seeds import check_seed

__all__ = ["ELECTRODES", "spikes", "spikes_batch"]

SAMPLES_PER_MS = 20.0
PITCH = 60.0  # um between neighbouring electrodes
_ANGLES = np.arange(N_CHANNELS - 1) * (2 * math.pi / (N_CHANNELS - 1))
ELECTRODES: FloatArray = PITCH * np.vstack([np.zeros((1, 2)), np.column_stack((np.cos(_ANGLES), np.sin(_ANGLES)))])

_TIMES = (np.arange(N_SAMPLES) - 10) / SAMPLES_PER_MS  # ms
_FINE_TIMES = np.linspace(-0.5, 0.5, 161)  # where the lowest point of a shape is looked for
_RADIUS, _DEPTH = 30.0, (10.0, 30.0)  # um
_SMALLEST_PEAK, _MEAN_EXCESS = 0.2, 1.15
_DECAY = (20.0, 50.0)  # um
_VELOCITY = (300.0, 1000.0)  # um / ms
_BUMPS = (  # height; centre and standard deviation, ms
    ((-1.0, -1.0), (0.0, 0.0), (0.1, 0.25)),
    ((0.1, 0.8), (0.3, 0.8), (0.12, 0.3)),
    ((0.0, 0.25), (-0.3, -0.15), (0.06, 0.15)),
)
_NOISE_LENGTH, _NOISE_TIME = 30.0, 0.05  # um, ms


@dataclass(frozen=True)
class Neurons:
    """Templates of neurons.

    Attributes
    ----------
    places : ndarray of float64, shape (n_neurons, 3)
        Micrometres; the third coordinate is the height above the electrodes.
    peaks : ndarray of float64, shape (n_neurons, N_CHANNELS)
        Depth of the trough at each electrode, in units of the median at the central one.
    delays : ndarray of float64, shape (n_neurons, N_CHANNELS)
        Milliseconds after the central electrode.
    bumps : ndarray of float64, shape (n_neurons, 3, 3)
        Height, centre (ms) and standard deviation (ms) of each bump of the shape.
    """

    places: FloatArray
    peaks: FloatArray
    delays: FloatArray
    bumps: FloatArray

    @classmethod
    def drawn(cls, rng: np.random.Generator, number: int) -> Neurons:
        """Draw so many neurons."""
        radius, angle = _RADIUS * np.sqrt(rng.random(number)), 2 * math.pi * rng.random(number)
        places = np.column_stack((radius * np.cos(angle), radius * np.sin(angle), rng.uniform(*_DEPTH, number)))
        distance = np.sqrt(((places[:, None, :2] - ELECTRODES) ** 2).sum(axis=-1) + places[:, 2:] ** 2)
        farther = distance - distance[:, :1]
        peak = _SMALLEST_PEAK + _MEAN_EXCESS * rng.standard_exponential((number, 1))
        peaks = peak * np.exp(-farther / rng.uniform(*_DECAY, (number, 1)))
        delays = farther / rng.uniform(*_VELOCITY, (number, 1))
        low, high = np.moveaxis(np.array(_BUMPS), -1, 0)
        bumps = rng.uniform(low, high, (number, 3, 3))
        bumps[:, :, 0] /= -_shape(bumps, _FINE_TIMES[None]).min(axis=-1, keepdims=True)
        return cls(places, peaks, delays, bumps)

    def waveforms(self, which: IntArray, amplitudes: FloatArray, shifts: FloatArray) -> NDArray[np.float32]:
        """Return spikes without noise.

        Parameters
        ----------
        which : ndarray of int64, shape (n,)
            Neuron of each spike.
        amplitudes : ndarray of float64, shape (n,)
            Factors of the template.
        shifts : ndarray of float64, shape (n,)
            Milliseconds.

        Returns
        -------
        ndarray of float32, shape (n, N_CHANNELS, N_SAMPLES)
        """
        delays = self.delays[which] + shifts[:, None]
        times = _TIMES.astype(np.float32) - delays.astype(np.float32)[:, :, None]
        scale = (self.peaks[which] * amplitudes[:, None]).astype(np.float32)
        waveforms: NDArray[np.float32] = scale[:, :, None] * _shape(self.bumps.astype(np.float32)[which], times)
        return waveforms


def _shape(bumps: NDArray[Any], times: NDArray[Any]) -> NDArray[Any]:
    """Evaluate shapes, bumps of shape (n, 3, 3), at times of shape (n or 1, ...)."""
    total: Any = 0.0
    for height, centre, width in np.moveaxis(bumps, (1, 2), (0, 1)):
        place = (..., *[None] * (times.ndim - 1))
        z = (times - centre[place]) / width[place]
        total = total + height[place] * np.exp(-0.5 * z * z)
    return np.asarray(total)


@cache
def _noise_factor() -> NDArray[np.float32]:
    """Return the Cholesky factor of the correlation of the noise, shape (N_CHANNELS * N_SAMPLES,) * 2."""
    apart = np.linalg.norm(ELECTRODES[:, None] - ELECTRODES, axis=-1)
    lag = np.abs(_TIMES[:, None] - _TIMES)
    correlation = np.kron(np.exp(-apart / _NOISE_LENGTH), np.exp(-lag / _NOISE_TIME))
    return np.linalg.cholesky(correlation).astype(np.float32)


def _check(noise_std: float, amplitude_jitter: float, time_jitter: float) -> None:
    values = {"noise_std": noise_std, "amplitude_jitter": amplitude_jitter, "time_jitter": time_jitter}
    for name, value in values.items():
        if not 0 <= value < math.inf:
            raise UsageError(f"{name} is 0 or positive and finite, not {value}")


def _draw(
    rng: np.random.Generator, labels: IntArray, noise_std: float, amplitude_jitter: float, time_jitter: float
) -> NDArray[np.float32]:
    """Draw the spikes of several data sets, labels of shape (batch, n_max) and -1 beyond their spikes.

    Returns
    -------
    ndarray of float32, shape (batch, n_max, N_CHANNELS * N_SAMPLES)
        0 beyond the spikes.
    """
    inside = labels >= 0
    numbers = labels.max(axis=1, initial=-1) + 1
    which = (labels + (numbers.cumsum() - numbers)[:, None])[inside]
    neurons = Neurons.drawn(rng, int(numbers.sum()))
    amplitudes = 1 + amplitude_jitter * rng.standard_normal(len(which))
    shifts = rng.uniform(-time_jitter, time_jitter, len(which)) / SAMPLES_PER_MS
    x = neurons.waveforms(which, amplitudes, shifts).reshape(len(which), N_CHANNELS * N_SAMPLES)
    x += rng.standard_normal(x.shape, dtype=np.float32) @ (np.float32(noise_std) * _noise_factor().T)
    if inside.all():
        return x.reshape(*labels.shape, x.shape[1])
    padded = np.zeros((*labels.shape, x.shape[1]), dtype=np.float32)
    padded[inside] = x
    return padded


def spikes(
    n: Whole = (200, 400),
    *,
    concentration: float = 1.5,
    max_clusters: int | None = 12,
    noise_std: float = 0.15,
    amplitude_jitter: float = 0.05,
    time_jitter: float = 0.5,
    random_state: Any = None,
) -> Graph:
    """Draw synthetic extracellular spikes of neurons near one electrode.

    Parameters
    ----------
    n : int or (int, int)
        Spikes; a range is drawn from uniformly.
    concentration : float
        Concentration of the Chinese Restaurant Process of the labels.
    max_clusters : int, optional
        Largest number of neurons.
    noise_std : float
        Standard deviation of the noise; 1 is the median over neurons of the depth of the trough.
    amplitude_jitter : float
        Relative standard deviation of the amplitude of a neuron's spikes.
    time_jitter : float
        Largest shift of a spike in time, in samples.
    random_state : int, Generator or None

    Returns
    -------
    Graph
        Without edges; `x`, shape (n, 7 * 32), float32, the 32 samples of the first electrode first; `y` the neurons in
        order of appearance; `meta["generator"]` the parameters and the seed, `meta["realised"]` the number of neurons
        and the spikes of the most active one.

    Raises
    ------
    UsageError
        Parameters out of range.

    Examples
    --------
    >>> g = spikes(100, random_state=0)
    >>> g.x.shape, g.num_edges
    ((100, 224), 0)
    """
    _check(noise_std, amplitude_jitter, time_jitter)
    seed = check_seed(random_state)
    rng = np.random.default_rng(seed)
    arguments: dict[str, Any] = {"family": "spikes", "n": n}
    number: int = pick(rng, n)
    labels = crp_batch([number], concentration, max_clusters=max_clusters, rng=rng)
    x = _draw(rng, labels, noise_std, amplitude_jitter, time_jitter)[0]
    arguments |= {
        "concentration": concentration,
        "max_clusters": max_clusters,
        "noise_std": noise_std,
        "amplitude_jitter": amplitude_jitter,
        "time_jitter": time_jitter,
        "random_state": seed,
    }
    sizes = np.bincount(labels[0])
    realised = {"n_clusters": len(sizes), "largest": int(sizes.max(initial=0))}
    return Graph.from_edges([], [], nodes=number, x=x, y=labels[0], meta={"generator": arguments, "realised": realised})


def spikes_batch(
    rng: np.random.Generator,
    batch_size: int,
    *,
    same_size: bool,
    n: Whole,
    concentration: float,
    max_clusters: int | None,
    noise_std: float,
    amplitude_jitter: float,
    time_jitter: float,
) -> DenseBatch:
    """Draw data sets of spikes all at once, by the law of `spikes`.

    Parameters
    ----------
    rng : Generator
    batch_size : int
    same_size : bool
        Whether all data sets have one number of spikes.
    n, concentration, max_clusters, noise_std, amplitude_jitter, time_jitter
        As of `spikes`.

    Returns
    -------
    DenseBatch
        Without an adjacency.

    Raises
    ------
    UsageError
        Parameters out of range.
    """
    _check(noise_std, amplitude_jitter, time_jitter)
    sizes = [pick(rng, n)] * batch_size if same_size else [pick(rng, n) for _ in range(batch_size)]
    labels = crp_batch(sizes, concentration, max_clusters=max_clusters, rng=rng)
    features = _draw(rng, labels, noise_std, amplitude_jitter, time_jitter)
    return DenseBatch(None, labels, np.array(sizes, dtype=np.int64), features)
