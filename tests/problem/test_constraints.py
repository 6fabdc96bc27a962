"""What known labels and components ask of partitions."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import graphclust as gc
from graphclust.errors import UsageError
from graphclust.graph import Graph
from graphclust.problem.constraints import (
    added_up,
    check_known,
    components,
    count_disconnected,
    edge_counts,
    known_labels,
    respecting,
    taking_part,
    with_number,
    within_components,
)

GRAPH = Graph.from_edges([0, 1, 3, 4], [1, 2, 4, 4], nodes=["a", "b", "c", "d", "e", "f"])


def test_components_and_degrees():
    assert components(GRAPH).tolist() == [0, 0, 0, 1, 1, 2]
    assert edge_counts(GRAPH).tolist() == [1, 2, 1, 1, 1, 0]  # a self-loop is no edge to another


def test_known_labels_by_number():
    assert known_labels(GRAPH, {"c": "x", "a": "y", "b": "x", "d": None, "e": float("nan"), "f": ""}).tolist() == [
        1, 2, 2, 0, 0, 0,
    ]  # fmt: skip
    assert known_labels(GRAPH, {"b": "x", "a": "y", "c": "x"}).tolist() == [1, 2, 2, 0, 0, 0]  # whatever their order
    assert known_labels(GRAPH, pd.Series({"a": 3})).tolist() == [1, 0, 0, 0, 0, 0]
    assert known_labels(GRAPH, None) is None
    assert known_labels(GRAPH, {}) is None
    with pytest.raises(gc.errors.UsageError, match="'z', which is not a node"):
        known_labels(GRAPH, {"z": 1})
    with pytest.raises(gc.errors.UsageError, match="is a list"):
        known_labels(GRAPH, {"a": [1]})
    with pytest.raises(gc.errors.UsageError, match="mapping"):
        check_known([1, 2])


@pytest.mark.parametrize("seed", range(20))
def test_respecting_gathers_and_separates_and_moves_nobody_else(seed):
    rng = np.random.default_rng(seed)
    labels, known = rng.integers(0, 4, 30), rng.integers(0, 4, 30) * (rng.random(30) < 0.4)
    actual = respecting(labels, known)
    for entry in range(30):
        for two in range(30):
            if known[entry] and known[two]:
                assert (actual[entry] == actual[two]) == (known[entry] == known[two])
            elif not known[entry] and not known[two]:
                assert (actual[entry] == actual[two]) == (labels[entry] == labels[two])
    assert set(actual.tolist()) == set(range(actual.max() + 1))


def test_cut_at_components_but_not_through_known_labels():
    samples = np.array([[0, 0, 1, 1, 1, 1]])
    component = components(GRAPH)
    cut = within_components(samples, component, None)[0]
    assert len(set(cut.tolist())) == 4
    held = within_components(samples, component, np.array([0, 0, 1, 0, 1, 0]))[0]
    assert held[2] == held[4]
    assert len(set(held.tolist())) == 3


def test_cut_partitions_have_the_probability_of_all_that_became_them():
    before = np.array([[0, 0, 1], [0, 0, 0], [0, 0, 1]])
    after = np.array([[0, 0, 1], [5, 5, 7], [0, 0, 1]])
    assert np.exp(added_up(before, after, np.log([0.2, 0.3, 0.2]))) == pytest.approx([0.5, 0.5, 0.5])


def test_disconnected_communities_are_counted():
    assert count_disconnected(GRAPH, np.array([0, 1, 0, 2, 2, 3])) == 1
    assert count_disconnected(GRAPH, np.array([0, 0, 0, 2, 2, 3])) == 0


@pytest.mark.parametrize("seed", range(20))
def test_numbers_of_communities_beside_known_labels(seed):
    rng = np.random.default_rng(seed)
    n = 30
    known = np.where(rng.random(n) < 0.4, rng.integers(1, 5, n), 0)
    bound = len(np.unique(known[known > 0]))
    most = bound + int((known == 0).sum())
    for k in (bound, bound + 1, most):
        actual = with_number(rng.integers(0, 9, n), k, known)
        assert sorted(set(actual.tolist())) == list(range(k))
        for label in range(1, 5):
            assert len(np.unique(actual[known == label])) <= 1
        assert len(np.unique(actual[known > 0])) == bound
    for k in (bound - 1, most + 1):
        with pytest.raises(UsageError, match="respects the known labels"):
            with_number(rng.integers(0, 9, n), k, known)


def test_nodes_that_take_part_have_edges_to_others_or_a_known_label():
    assert taking_part(GRAPH, None).tolist() == [True, True, True, True, True, False]
    assert taking_part(GRAPH, np.array([0, 0, 0, 0, 0, 2])).all()
    loop = Graph.from_edges([0, 1], [0, 2], nodes=3)  # a self-loop leads nowhere
    assert taking_part(loop, None).tolist() == [False, True, True]
