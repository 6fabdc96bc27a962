"""Initial clusters of LNSCC's head: merged communities of what is embedded, refined by a mixture of t distributions."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from graphclust.graph import Graph, graph_of
from graphclust.kernels.kmeans import kmeans
from graphclust.kernels.neighbors import normalized_neighbors
from graphclust.methods.cutter import EVENNESS, Cutter
from graphclust.models import mixture
from graphclust.nn.parallel import ParallelMLP
from graphclust.runtime.arrays import IntArray
from graphclust.training.loops import Fleet

__all__ = ["initial_clusters", "merged_communities", "teach"]

_N_NEIGHBORS = 10  # in the graph of what is embedded
_N_COARSER = 5  # resolutions below 1 of the communities that are merged
_N_SEEDS = 4  # of the communities, if a mixture is fitted to them
_N_MIXTURES = 8  # at most so many partitions, those of the lowest cost, are refined by a mixture
_EVENNESS_FACTOR = 4  # additional weight of even sizes in the choice of a partition for a mixture
_TEACHING_STEPS = 300
_TEACHING_BATCH = 1024
_TEACHING_RATE = 0.003


def initial_clusters(
    z: Tensor, graph: Graph | None, start: str, n_clusters: int, seed: int
) -> tuple[Tensor, dict[str, Any]]:
    """Return clusters of embedded points, and details on how they were found.

    Parameters
    ----------
    z : Tensor, shape (n, d)
    graph : Graph or None
        The graph whose communities are merged. None: the graph of nearest neighbours of z.
    start : {"mixture", "pieces", "k-means"}
    n_clusters, seed : int

    Returns
    -------
    labels : Tensor of int64, shape (n,)
    details : dict
    """
    partitions: dict[float, IntArray] = {}
    if start in ("mixture", "pieces"):
        cutter, partitions = merged_communities(z, graph, start, n_clusters, seed)
    if not partitions:  # k-means is chosen, or a graph has no finer pieces
        labels = torch.as_tensor(kmeans(z.double().cpu().numpy(), n_clusters, 10, seed), device=z.device)
        return (mixture.refined_by_mixture(z.double(), labels)[0] if start == "mixture" else labels), {}
    best_labels, lowest_cost, best_details = None, np.inf, {}
    for cost in sorted(partitions)[: _N_MIXTURES if start == "mixture" else 1]:
        labels = torch.as_tensor(partitions[cost], device=z.device)
        details: dict[str, Any] = {"normalized_cut_at_start": cutter.value(partitions[cost])}
        if start == "mixture":
            labels, likelihood = mixture.refined_by_mixture(z.double(), labels)
            cost = cost + cutter.unevenness(labels.cpu().numpy())
            if np.isfinite(likelihood):  # it is not if a cluster would vanish
                details["log_likelihood_at_start"] = likelihood
        if cost < lowest_cost:
            best_labels, lowest_cost, best_details = labels, cost, details
    assert best_labels is not None
    return best_labels, best_details


def merged_communities(
    z: Tensor | None, graph: Graph | None, start: str, n_clusters: int, seed: int
) -> tuple[Cutter, dict[float, IntArray]]:
    """Return partitions into merged communities by their cost, and the cutter that computes it.

    The parameters are those of `initial_clusters`; z is not used if there is a graph. With a mixture there are
    communities of several seeds, and uneven sizes cost more.
    """
    if graph is None:
        assert z is not None
        neighbors = normalized_neighbors(z.double().cpu().numpy(), _N_NEIGHBORS, device=str(z.device))
        graph = graph_of(neighbors, directed=False)
    cutter = Cutter(graph, n_clusters, evenness=EVENNESS)
    n_seeds, factor = (_N_SEEDS, _EVENNESS_FACTOR) if start == "mixture" else (1, 0)
    partitions: dict[float, IntArray] = {}
    for i in range(n_seeds):
        for pieces in cutter.pieces(seed + i, _N_COARSER):
            merged = cutter.merged(pieces)
            partitions.setdefault(cutter.score(merged) + factor * cutter.unevenness(merged), merged)
    return cutter, partitions


def teach(head: ParallelMLP, z: Tensor, labels: Tensor, seed: int) -> None:
    """Train a head to assign embedded points, shape (n, d), to clusters, int64, shape (n,)."""
    rate = torch.tensor([_TEACHING_RATE], device=z.device)
    fleet = Fleet(list(head.parameters()), rate, patience=_TEACHING_STEPS)
    size = min(_TEACHING_BATCH, len(z))

    def loss(draws: Tensor, _: int) -> Tensor:
        points = draws % len(z)
        return torch.nn.functional.cross_entropy(head(z[points])[0], labels[points], reduction="none")[None]

    for _ in fleet.epochs(1, _TEACHING_STEPS * size, size, loss, torch.Generator().manual_seed(seed)):
        pass
