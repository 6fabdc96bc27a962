"""Scores of clusterwise models on held-out graphs: the ELBO, and the agreement of the best sample with the truth."""

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

_BATCH_SIZE = 10


def standard_error(values: FloatArray) -> float:
    """Return the standard error of the mean; NaN for fewer than two values.

    Examples
    --------
    >>> standard_error(np.array([1.0, 3.0]))
    1.0
    """
    return float(values.std(ddof=1) / np.sqrt(len(values))) if len(values) > 1 else float("nan")


@dataclass(frozen=True)
class Scores:
    """Scores on held-out graphs.

    Attributes
    ----------
    elbo : ndarray of float64, shape (n_graphs,)
        In nats.
    ami : ndarray of float64, shape (n_graphs,)
        AMI of the point estimate; 0 for failed graphs.
    n_found, n_true : ndarray of int64, shape (n_graphs,)
        Estimated and true numbers of communities.
    n_failed : int
        Number of graphs without a complete partition.
    seconds : float
        Time of the point estimates of all graphs.
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
    """Compute the scores of a model, which is in evaluation mode.

    Parameters
    ----------
    model : ClusterwiseModel or NCP
    batches : sequence of (Batch, list of int)
        Batches with labels, which only the scores use, and seeds of their graphs.
    n_samples, mode
        Passed to `draw`; the point estimate is the sample with the highest estimated probability.
    n_z : int
        Samples of z for each cluster in the ELBO.
    device : device
    seed : int
        Seed of the sampler.
    after_each : callable, optional
        Called after each graph; its exceptions are passed on.
    """
    elbo, amis, n_found, n_true, n_failed, seconds = [], [], [], [], 0, 0.0
    for number, (cpu_batch, seeds) in enumerate(batches):
        batch = cpu_batch.to(device)
        with torch.no_grad():
            elbo.append(model(batch, n_z, seeds).per_graph.double().cpu().numpy())
        assert cpu_batch.labels is not None
        generator = torch.Generator().manual_seed(seed * len(batches) + number)
        for i, truth in enumerate(cpu_batch.labels.numpy()):
            start = time.perf_counter()
            ranks, log_prob, _ = draw(model, part(batch, slice(i, i + 1)), n_samples, mode, generator)
            labels = ranks[log_prob.argmax()].cpu().numpy()  # -1 beyond the graph's nodes
            seconds += time.perf_counter() - start
            if after_each is not None:
                after_each()
            inside = truth >= 0
            is_complete = (labels[inside] >= 0).all()
            n_failed += not is_complete
            amis.append(ami(truth[inside], labels[inside]) if is_complete else 0.0)
            n_found.append(len(np.unique(labels[inside])))
            n_true.append(len(np.unique(truth[inside])))
    return Scores(np.concatenate(elbo), np.array(amis), np.array(n_found), np.array(n_true), n_failed, seconds)


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

    As in training (eq. 53), the ELBO is that of one random order of the clusters and one random anchor of each. Known
    nodes are anchors, and the bound is that of the other labels given these.

    Parameters
    ----------
    model : ClusterwiseModel or NCP
        In evaluation mode, on the CPU.
    config : ModelConfig
        Architecture of the model.
    graphs : sequence of Graph
        Graphs with labels `y`.
    known_nodes : sequence of ndarray of int64, optional
        Positions of the nodes of each graph whose labels are given to the model.
    n_z : int
        Samples of z for each cluster.
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
    for start in range(0, len(graphs), _BATCH_SIZE):
        chunk = slice(start, start + _BATCH_SIZE)
        rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(start,)))
        known = None if known_nodes is None else known_nodes[chunk]
        batch = batch_of_graphs(config, graphs[chunk], known, rng)
        seeds = rng.integers(2**62, size=len(batch)).tolist()
        parts.append(model(batch, n_z, seeds).per_graph.double().numpy())
    return np.concatenate(parts) if parts else np.zeros(0)
