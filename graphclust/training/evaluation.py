"""Measure clusterwise models on graphs held out: the bound, and the most probable sample against the truth."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from graphclust.graph import Graph
from graphclust.metrics import ami
from graphclust.models.build import ModelConfig
from graphclust.models.sampler import PartitionModel, draw
from graphclust.nn.batch import Batch
from graphclust.runtime.arrays import FloatArray, IntArray
from graphclust.training.synthetic import batch_of_graphs, part

__all__ = ["Scores", "elbos", "evaluate", "standard_error"]

_AT_ONCE = 10  # graphs, padded to the largest of them


def standard_error(values: FloatArray) -> float:
    """Return the standard error of a mean, nan of fewer than two values.

    Examples
    --------
    >>> standard_error(np.array([1.0, 3.0]))
    1.0
    """
    return float(values.std(ddof=1) / np.sqrt(len(values))) if len(values) > 1 else float("nan")


@dataclass(frozen=True)
class Scores:
    """Measures on held-out graphs.

    Attributes
    ----------
    elbo : ndarray of float64, shape (n_graphs,)
        Nats.
    ami : ndarray of float64, shape (n_graphs,)
        Of the point estimate; a graph that failed has 0.
    n_found, n_true : ndarray of int64, shape (n_graphs,)
        Numbers of communities.
    n_failed : int
    seconds : float
        For the point estimates of all graphs.
    """

    elbo: FloatArray
    ami: FloatArray
    n_found: IntArray
    n_true: IntArray
    n_failed: int = 0
    seconds: float = 0.0

    def summary(self) -> dict[str, float]:
        """Return means and standard errors."""
        n = len(self.ami)
        return {
            "n_graphs": n,
            "ami": float(self.ami.mean()),
            "ami_se": standard_error(self.ami),
            "elbo": float(self.elbo.mean()),
            "k_right": float((self.n_found == self.n_true).mean()),
            "n_failed": self.n_failed,
        }


def evaluate(
    model: PartitionModel,
    batches: Sequence[tuple[Batch, list[int]]],
    n_samples: int = 10,
    mode: str = "map",
    n_z: int = 40,
    device: torch.device | str = "cpu",
    seed: int = 0,
    after_each: Callable[[], None] | None = None,
) -> Scores:
    """Measure a model in evaluation mode.

    Parameters
    ----------
    model : ClusterwiseModel or NCP
    batches : sequence of (Batch, seeds)
        With labels, which nothing but the scores sees.
    n_samples, mode
        Of `sample`; the point estimate is the sample with the highest estimated probability.
    n_z : int
        Of the ELBO.
    device : device
    seed : int
        Of the sampler.
    after_each : callable, optional
        Called after each graph; what it raises goes through.
    """
    elbo, amis, found_k, true_k, failed, seconds = [], [], [], [], 0, 0.0
    for number, (item, seeds) in enumerate(batches):
        batch = item.to(device)
        with torch.no_grad():
            elbo.append(model(batch, n_z, seeds).per_graph.double().cpu().numpy())
        assert item.labels is not None
        generator = torch.Generator().manual_seed(seed * len(batches) + number)
        for i, truth in enumerate(item.labels.numpy()):
            start = time.perf_counter()
            ranks, log_prob, _ = draw(model, part(batch, slice(i, i + 1)), n_samples, mode, generator)
            found = ranks[log_prob.argmax()].cpu().numpy()  # -1 beyond the graph's nodes
            seconds += time.perf_counter() - start
            if after_each is not None:
                after_each()
            inside = truth >= 0
            right = (found[inside] >= 0).all()
            failed += not right
            amis.append(ami(truth[inside], found[inside]) if right else 0.0)
            found_k.append(len(np.unique(found[inside])))
            true_k.append(len(np.unique(truth[inside])))
    return Scores(np.concatenate(elbo), np.array(amis), np.array(found_k), np.array(true_k), failed, seconds)


@torch.no_grad()
def elbos(
    model: PartitionModel,
    config: ModelConfig,
    graphs: Sequence[Graph],
    known_nodes: Sequence[IntArray] | None = None,
    n_z: int = 40,
    seed: int = 0,
) -> FloatArray:
    """Return the ELBO of the true partition of each graph, in nats.

    As in training (eq. 53), for one random order of the clusters and one random anchor of each. With known nodes these
    are the anchors, and the bound is of the partition of the others.

    Parameters
    ----------
    model : ClusterwiseModel or NCP
        In evaluation mode, on the CPU.
    config : ModelConfig
        Its architecture.
    graphs : sequence of Graph
        With labels `y`.
    known_nodes : sequence of ndarray of int64, optional
        Positions of the nodes of each graph whose labels the model is given.
    n_z : int
        Samples of z a cluster.
    seed : int

    Returns
    -------
    ndarray of float64, shape (n_graphs,)

    Examples
    --------
    >>> from graphclust.generators import general_sbm
    >>> from graphclust.models.build import build
    >>> config = ModelConfig(dim=8, dim_z=8, n_inducing=2)
    >>> bool((elbos(build(config).eval(), config, [general_sbm((20, 30), random_state=0)], n_z=2) < 0).all())
    True
    """
    parts = []
    for start in range(0, len(graphs), _AT_ONCE):
        chunk = slice(start, start + _AT_ONCE)
        rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(start,)))
        known = None if known_nodes is None else known_nodes[chunk]
        batch = batch_of_graphs(config, graphs[chunk], known, rng)
        seeds = rng.integers(2**62, size=len(batch)).tolist()
        parts.append(model(batch, n_z, seeds).per_graph.double().numpy())
    return np.concatenate(parts) if parts else np.zeros(0)
