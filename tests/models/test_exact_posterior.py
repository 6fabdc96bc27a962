"""A small model against the posterior counted out: graphs of six nodes have 203 partitions, in 4,683 orders.

The weights in tests/golden were trained by the commands in their header, 5.6 million graphs in all.
"""

from __future__ import annotations

import math
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest
import torch

import graphclust as gc
from graphclust.models.sampler import log_probability
from graphclust.nn.batch import Batch
from graphclust.nn.features import input_features, laplacian_features
from graphclust.training.checkpoints import load_checkpoint
from graphclust.training.synthetic import TEST
from tests import oracles

pytestmark = pytest.mark.slow  # minutes: each graph has 4,683 ordered partitions
GOLDEN = Path(__file__).resolve().parent.parent / "golden" / "six-nodes.safetensors"
N = 6


def log_beta(a, b):
    return math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)


def exact(adjacency, concentration=0.7, within=(6.0, 3.0), between=(1.0, 5.0)):
    """p(partition | graph) of General SBM with its block parameters integrated out, by the definition."""
    log_joint = {}
    for labels in oracles.set_partitions(N):
        value = math.log(oracles.seating_probability(labels, concentration, 0.0))
        for k in range(max(labels) + 1):
            for m in range(k, max(labels) + 1):
                pairs = [(i, j) for i in range(N) for j in range(i) if {labels[i], labels[j]} == {k, m}]
                edges = sum(adjacency[i, j] for i, j in pairs)
                a, b = within if k == m else between
                value += log_beta(a + edges, b + len(pairs) - edges) - log_beta(a, b)
        log_joint[tuple(labels)] = value
    total = np.logaddexp.reduce(list(log_joint.values()))
    return {labels: math.exp(value - total) for labels, value in log_joint.items()}


def by_model(model, config, graph, n_z=64):
    """p(partition | graph) by eq. (33), with all anchors and the sum over all orders of the clusters."""
    adjacency = graph.adjacency().toarray() > 0
    n_nodes = np.array([N])
    vectors = laplacian_features(adjacency[None].astype(float), n_nodes, config.n_features)
    features = input_features("laplacian", config.n_features, vectors, n_nodes, None, train=False)
    ordered = list(oracles.ordered_partitions(N))
    ranks = torch.tensor(ordered)
    with torch.inference_mode():
        nodes = model.encode(Batch.of(features, n_nodes, adjacency[None]))
        generator = torch.Generator().manual_seed(0)
        value = log_probability(model, nodes, ranks, n_anchors=N, n_z=n_z, generator=generator).double().exp()
    seen = defaultdict(float)
    for row, p in zip(ordered, value.tolist(), strict=True):
        names = {}
        seen[tuple(names.setdefault(rank, len(names)) for rank in row)] += p
    return seen


def distances(model, config, n_graphs=24, **prior):
    seen = []
    for seed in range(n_graphs):
        graph = gc.generators.general_sbm(n_nodes=(N, N), random_state=TEST + seed)
        p, q = exact(graph.adjacency().toarray() > 0, **prior), by_model(model, config, graph)
        assert p.keys() == q.keys()
        seen.append(0.5 * sum(abs(p[key] - q[key]) for key in p))
    return np.array(seen)


@pytest.fixture(scope="module")
def trained():
    model, info = load_checkpoint(GOLDEN)
    return model, info.config


@pytest.fixture(scope="module")
def distance(trained):
    return distances(*trained)


def test_model_matches_the_enumerated_posterior(distance):
    assert distance.mean() < 0.05


@pytest.mark.parametrize(
    "prior", [{"concentration": 1.4}, {"within": (1.0, 1.0)}, {"between": (3.0, 5.0)}], ids=lambda p: next(iter(p))
)
def test_a_wrong_prior_is_told_from_the_right_one(trained, distance, prior):
    assert distances(*trained, n_graphs=12, **prior).mean() > 1.5 * distance[:12].mean()


def test_probabilities_of_the_trained_model_sum_to_one(trained):
    graph = gc.generators.general_sbm(n_nodes=(N, N), random_state=1)
    assert sum(by_model(*trained, graph, n_z=512).values()) == pytest.approx(1, abs=0.02)  # z is drawn
