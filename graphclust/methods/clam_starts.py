"""Initial prototypes of CLAM's memories, and what is computed from points and their labels.

Importing this module imports torch.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from graphclust.kernels.kmeans import kmeans

__all__ = ["cluster_means", "cluster_sizes", "initial_error", "initial_prototypes"]

_SAMPLE = 20_000  # points among which initial prototypes are chosen
_LINKAGE_SAMPLE = 5000  # points that are clustered hierarchically
_LINKAGES = ("ward", "single", "average", "complete")
_POWERS = {"data": 0.0, "k-means++": 1.0, "spread": 32.0}  # of the squared distance, for the probability of a point


def initial_error(z: Tensor, k: int, seed: int) -> float:
    """Return the mean squared distance of points to the nearest of k that k-means++ chooses; the best of 4 attempts."""
    generator = torch.Generator().manual_seed(seed)
    sample = z[torch.randperm(len(z), generator=generator)[:_SAMPLE].to(z.device)]
    centers = sample[_chosen_points(sample, k, 4, 1.0, generator)]
    errors = [torch.cdist(sample, attempt).amin(1).square().mean() for attempt in centers]
    return max(float(torch.stack(errors).min()), 1e-12)


def initial_prototypes(
    z: Tensor, k: int, inits: Sequence[str], rng: np.random.Generator, *, origin: Tensor, merged: Tensor | None = None
) -> Tensor:
    """Return the prototypes at which runs start.

    Parameters
    ----------
    z : Tensor, shape (n, d)
        Points, or their latents.
    k : int
    inits : sequence of str
        Kind of start of each run: one of `graphclust.methods.clam_settings.INITS`, or "merged".
    rng : Generator
    origin : Tensor, shape (1, d)
        Where the features are zero; starts of the kind "normal" are drawn around it.
    merged : Tensor, shape (k, d), optional
        Prototypes of the kind "merged".

    Returns
    -------
    Tensor, shape (R, k, d)
    """
    generator = torch.Generator().manual_seed(int(rng.integers(2**31)))
    sample = z
    if len(z) > _SAMPLE:
        sample = z[torch.randperm(len(z), generator=generator)[:_SAMPLE].to(z.device)]
    prototypes = torch.empty(len(inits), k, z.shape[1], dtype=z.dtype, device=z.device)
    for kind in dict.fromkeys(inits):
        rows = [row for row, init in enumerate(inits) if init == kind]
        if merged is not None and kind == "merged":
            prototypes[rows] = merged
        elif kind == "normal":
            noise = torch.randn((len(rows), k, z.shape[1]), generator=generator)
            prototypes[rows] = (0.1 + 0.1 * noise).to(z) + origin
        elif kind == "k-means":
            table = sample.double().cpu().numpy()
            for row in rows:
                labels = torch.as_tensor(kmeans(table, k, 1, int(rng.integers(2**31))), device=z.device)
                prototypes[row] = cluster_means(sample, labels, k)
        elif kind == "linkage":
            means = [_linkage_means(sample[:_LINKAGE_SAMPLE], k, linkage) for linkage in _LINKAGES[: len(rows)]]
            for i, row in enumerate(rows):
                prototypes[row] = means[i % len(means)]
        else:
            prototypes[rows] = sample[_chosen_points(sample, k, len(rows), _POWERS[kind], generator)]
    return prototypes


def cluster_sizes(labels: Tensor, k: int) -> Tensor:
    """Count the members of the clusters of each labelling.

    Parameters
    ----------
    labels : Tensor of int64, shape (R, n)
    k : int

    Returns
    -------
    Tensor of int64, shape (R, k)
    """
    sizes = torch.zeros(len(labels), k, dtype=torch.long, device=labels.device)
    return sizes.scatter_add_(1, labels, torch.ones_like(labels))


def cluster_means(z: Tensor, labels: Tensor, k: int) -> Tensor:
    """Return the means of k non-empty clusters, shape (k, d)."""
    total = z.new_zeros(k, z.shape[1]).index_add_(0, labels, z)
    return total / cluster_sizes(labels[None], k)[0][:, None]


def _linkage_means(z: Tensor, k: int, linkage: str) -> Tensor:
    """Return the means of k hierarchical clusters, shape (k, d)."""
    from sklearn.cluster import AgglomerativeClustering

    labels = AgglomerativeClustering(k, linkage=linkage).fit_predict(z.double().cpu().numpy())
    return cluster_means(z, torch.as_tensor(labels, device=z.device), k)


def _chosen_points(z: Tensor, k: int, n_runs: int, power: float, generator: torch.Generator) -> Tensor:
    """Choose k points per run, one after the other.

    The probability of a point is proportional to a power of its squared distance to the nearest chosen point. Power 1
    is k-means++ (Arthur & Vassilvitskii 2007), which draws several candidates each time and takes the best. Power 0
    chooses uniformly.

    Parameters
    ----------
    z : Tensor, shape (n, d)
    k, n_runs : int
    power : float
    generator : Generator
        Of the CPU.

    Returns
    -------
    Tensor of int64, shape (n_runs, k)
    """
    device, z = z.device, z.cpu()  # one transfer instead of k, and the same points on every device
    square = z.square().sum(1)
    chosen = torch.randint(len(z), (n_runs, 1), generator=generator)
    nearest = torch.full((n_runs, len(z)), math.inf)
    trials = 2 + int(math.log(k)) if power == 1 else 1
    for number in range(k):
        if number:
            weight = (nearest / nearest.amax(1, keepdim=True).clamp_min(1e-30)).pow(power)
            weight = torch.where(nearest > 0, weight, 0.0)
            weight[weight.sum(1) == 0] = 1.0
            candidates = torch.multinomial(weight, trials, replacement=True, generator=generator)
        else:
            candidates = chosen
        points = z[candidates.reshape(-1)]
        distance = (square - 2 * points @ z.T + points.square().sum(1, keepdim=True)).clamp_min(0)
        remaining = torch.minimum(nearest[:, None], distance.reshape(n_runs, -1, len(z)))
        remaining.scatter_(2, candidates[..., None], 0.0)
        best = remaining.sum(2).argmin(1)
        nearest = remaining[torch.arange(n_runs), best]
        if number:
            chosen = torch.cat((chosen, candidates.gather(1, best[:, None])), dim=1)
    return chosen.to(device)
