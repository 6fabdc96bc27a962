"""The number of clusters, chosen by the silhouette.

Importing this module imports torch.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from graphclust.methods.clam_search import MemorySpace, search
from graphclust.methods.clam_settings import SearchSettings
from graphclust.methods.clam_starts import cluster_means, cluster_sizes
from graphclust.metrics import rank_labels
from graphclust.models.silhouette import Silhouette
from graphclust.runtime.notes import Note
from graphclust.runtime.progress import task

__all__ = ["NumberOfClusters", "choose_number"]

_NULL_SAMPLES = 3  # samples of one Gaussian with which a number of clusters is compared


@dataclass(frozen=True)
class NumberOfClusters:
    """A number of clusters, and how it was chosen.

    Attributes
    ----------
    n_clusters : int
    centers : Tensor, shape (n_clusters, d), or None
        Means of the merged clusters, a start for memories of that number.
    table : list of dict
        n_clusters and silhouette of each number that was compared.
    notes : tuple of Note
    """

    n_clusters: int
    centers: Tensor | None
    table: list[dict[str, Any]]
    notes: tuple[Note, ...] = ()


def choose_number(
    z: Tensor, n_distinct: int, max_clusters: int, space: MemorySpace, settings: SearchSettings, seed: int
) -> NumberOfClusters:
    """Choose the number of clusters by the silhouette, which is the criterion of every other choice, too.

    Memories of `max_clusters` prototypes are trained, which is more than there are clusters, so that none is missed.
    Their clusters are merged pair by pair, first the pair that increases the squared error least (Ward), and the
    silhouette is computed at every number. There is one cluster if the best silhouette is no higher than that of points
    drawn from one Gaussian with the same covariance (scaled to length one for the cosine), a comparison as in the gap
    statistic (Tibshirani, Walther & Hastie 2001).

    Parameters
    ----------
    z : Tensor of float32, shape (n, d)
    n_distinct : int
        Number of distinct points.
    max_clusters : int
    space : MemorySpace
    settings : SearchSettings
    seed : int
    """
    if n_distinct <= 2:
        return NumberOfClusters(n_distinct, None, [])
    rng = np.random.default_rng(seed)
    space = replace(space, axes=None)
    training = settings.training
    points = z
    if len(z) > training.silhouette_sample:
        sample = np.sort(rng.permutation(len(z))[: training.silhouette_sample])
        points = z[torch.as_tensor(sample, device=z.device)]
    largest = min(max_clusters, n_distinct - 1)
    quick = SearchSettings(
        init="k-means++",
        n_init=2,
        max_epochs=20,
        min_size=None,
        training=replace(
            training,
            betas=None,
            learning_rate=None,
            batch_size=None,
            mask_value="mean",
            keep=1.0,
            select="loss",
            latent_dim=None,
            snapshots=(),
        ),
    )
    with task("choosing the number of clusters", 1 + _NULL_SAMPLES) as advance:
        silhouettes, centers = _merged(points, largest, space, quick, seed)
        advance()
        best = max(silhouettes, key=lambda k: silhouettes[k])
        null = -math.inf
        decomposition = torch.linalg.svd(points - points.mean(0), full_matrices=False)
        scale = decomposition.S / math.sqrt(max(len(points) - 1, 1))
        for number in range(_NULL_SAMPLES):
            normal = torch.as_tensor(rng.standard_normal((len(points), len(scale)))).to(z)
            gaussian = normal * scale @ decomposition.Vh
            if space.feature_space.on_sphere:
                gaussian = torch.nn.functional.normalize(gaussian + points.mean(0), dim=1)
            null = max(null, *_merged(gaussian, largest, space, quick, seed + 1 + number)[0].values())
            advance()
    table = [{"n_clusters": k, "silhouette": value} for k, value in sorted(silhouettes.items())]
    if silhouettes[best] <= null:
        message = (
            f"found one cluster: the best silhouette, {silhouettes[best]:.3f} at {best} clusters, is no higher than "
            f"that of points from one Gaussian, {null:.3f}"
        )
        data = {"silhouette": silhouettes[best], "null_silhouette": null}
        return NumberOfClusters(1, None, table, (Note("one-cluster", message, data),))
    return NumberOfClusters(best, centers[best], table)


def _merged(
    z: Tensor, largest: int, space: MemorySpace, settings: SearchSettings, seed: int
) -> tuple[dict[int, float], dict[int, Tensor]]:
    """Return the silhouette, and the means of the clusters, at each number of clusters from 2 to `largest`."""
    ranks = rank_labels(search(z, largest, space, settings, seed).labels)
    n_clusters = int(ranks.max()) + 1
    numbers = range(n_clusters, n_clusters - max(1, largest - 1), -1)
    partitions = [torch.as_tensor(ranks, device=z.device)]
    for k in numbers[:-1]:
        partitions.append(_merge_pair(z, partitions[-1], k))
    silhouettes = Silhouette(z)(torch.stack(partitions), largest).tolist()
    centers = {k: cluster_means(z, labels, k) for k, labels in zip(numbers, partitions, strict=True)}
    return dict(zip(numbers, silhouettes, strict=True)), centers


def _merge_pair(z: Tensor, labels: Tensor, k: int) -> Tensor:
    """Merge the pair of k clusters that increases the squared error least (Ward 1963); return k - 1 labels."""
    means, sizes = cluster_means(z, labels, k), cluster_sizes(labels[None], k)[0]
    cost = (means[:, None] - means).square().sum(2) * (sizes[:, None] * sizes) / (sizes[:, None] + sizes)
    cost.fill_diagonal_(math.inf)
    pair = cost.argmin()
    i, j = torch.minimum(pair // k, pair % k), torch.maximum(pair // k, pair % k)
    return torch.where(labels == j, i, labels) - (labels > j).long()
