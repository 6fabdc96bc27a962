"""Moves in batches: the same on any number of threads, and as good as one after the other."""

from __future__ import annotations

import numpy as np
import pytest

from graphclust.generators import planted_partition
from graphclust.inference import batches, integrated
from graphclust.inference.block_models import PlantedPartitionModel
from graphclust.kernels import local_moves
from graphclust.metrics import ami
from graphclust.runtime.threads import limited_threads


@pytest.fixture(params=[0, 1, 2], ids="seed {}".format)
def planted(request):
    graph = planted_partition(400, 16, p_in=0.3, p_out=0.01, random_state=request.param)
    return graph, PlantedPartitionModel(graph.source, graph.target, 400)


def noisy(graph, seed=0):
    """The planted partition with a third of the labels at random."""
    rng = np.random.default_rng(seed)
    return np.where(rng.random(400) < 1 / 3, rng.integers(0, 16, 400), graph.y)


@pytest.fixture
def in_batches(monkeypatch):
    monkeypatch.setattr(integrated, "_LARGE", 0)
    monkeypatch.setattr(local_moves, "_MAX_BATCH", 50)
    monkeypatch.setattr(local_moves, "_FEWEST_BATCHES", 4)


def test_batches_find_as_good_partitions(planted, monkeypatch, in_batches):
    graph, model = planted
    start = noisy(graph)
    labels = model.improve(start, seed=1)
    monkeypatch.setattr(integrated, "_LARGE", 10**9)
    one_by_one = model.improve(start, seed=1)
    assert model.log_joint(labels) > model.log_joint(start)
    assert model.log_joint(labels) > model.log_joint(one_by_one) - 0.01 * abs(model.log_joint(one_by_one))
    assert ami(labels, graph.y) > 0.95


@pytest.mark.usefixtures("in_batches")
def test_no_single_move_gains_at_the_end(planted):
    graph, model = planted
    labels = model.improve(noisy(graph), passes=100)
    value = model.log_joint(labels)
    for node in range(0, 400, 7):
        for block in range(int(labels.max()) + 2):
            moved = labels.copy()
            moved[node] = block
            assert model.log_joint(moved) <= value + 1e-6


@pytest.mark.usefixtures("in_batches")
def test_the_gains_add_up_to_the_log_joint(planted):
    graph, model = planted
    state = model._state(noisy(graph), 400)
    with integrated.Threads(2) as threads:
        value = batches.settle_in_batches(state, model._network.start, threads, 0, 3, 1e-6)
    assert value + model._offset == pytest.approx(model.log_joint(state.label), rel=1e-9)


@pytest.mark.usefixtures("in_batches")
def test_results_do_not_depend_on_the_number_of_threads(planted):
    graph, model = planted
    results = []
    for number in (1, 2, 3, 8):
        with limited_threads(number):
            labels = model.improve(noisy(graph), seed=2)
            results.append((labels.tolist(), model.conditional(labels).tolist()))
    assert all(result == results[0] for result in results)


def test_conditional_probabilities_are_those_of_single_visits(planted, monkeypatch, in_batches):
    graph, model = planted
    together = model.conditional(graph.y)
    monkeypatch.setattr(integrated, "_LARGE", 10**9)
    assert together == pytest.approx(model.conditional(graph.y), abs=1e-12)


@pytest.mark.usefixtures("in_batches")
def test_nodes_of_known_label_stay(planted):
    graph, _ = planted
    known = np.zeros(400, dtype=np.int64)
    known[:60] = 1 + graph.y[:60]
    model = PlantedPartitionModel(graph.source, graph.target, 400, known=known)
    start = np.where(known > 0, known - 1, noisy(graph))
    labels = model.improve(start)
    assert ami(labels[:60], graph.y[:60]) == 1
    assert ami(labels, graph.y) > 0.9
