"""Moves and mergers against the definition of the normalized cut: what they promise, and that no better one is left."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from graphclust.kernels.adjacency import both_ends
from graphclust.kernels.cut_moves import lower_cut, merge_cut


def cut(w, labels, k):
    """Eq. 1, from the definition; a cluster without volume is whole."""
    total = 0.0
    for c in range(k):
        inside = labels == c
        volume = w[inside].sum()
        total += w[inside][:, ~inside].sum() / volume if volume > 0 else 0.0
    return total


def matrix(n, seed, regularization=0.0):
    rng = np.random.default_rng(seed)
    w = np.triu(rng.random((n, n)) * (rng.random((n, n)) < 0.15), 1)
    w[np.arange(n - 1), np.arange(1, n)] = rng.random(n - 1) + 0.1
    w += w.T
    w += np.diag(rng.random(n) * (rng.random(n) < 0.3))
    return w, regularization * w.sum() / n**2


def moved(w, extra, labels, k, order):
    rows = sp.csr_array(w)
    degree = w.sum(1) + extra * len(w)
    partition = labels.copy()
    start, end = rows.indptr.astype(np.int64), rows.indices.astype(np.int64)
    return partition, lower_cut(start, end, rows.data, degree, extra, partition, k, order, 100)


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("regularization", [0.0, 1.0])
def test_after_moves_no_single_move_to_a_neighbour_lowers_the_cut(seed, regularization):
    w, extra = matrix(24, seed, regularization)
    rng = np.random.default_rng(seed)
    k = 4
    labels = np.concatenate((np.arange(k), rng.integers(k, size=20)))
    partition, moves = moved(w, extra, labels, k, rng.permutation(24))
    full = w + extra
    value = cut(full, partition, k)
    assert moves > 0
    assert value < cut(full, labels, k)
    assert set(partition.tolist()) == set(range(k))
    for i in range(24):
        if (partition == partition[i]).sum() == 1:
            continue
        for c in set(partition[w[i] > 0].tolist()) - {partition[i]}:
            other = partition.copy()
            other[i] = c
            assert cut(full, other, k) >= value - 1e-9


def test_a_partition_that_is_best_stays():
    w = np.kron(np.eye(3), np.ones((4, 4)) - np.eye(4))
    w[3, 4] = w[4, 3] = w[7, 8] = w[8, 7] = 0.1
    labels = np.repeat([0, 1, 2], 4)
    partition, moves = moved(w, 0.0, labels, 3, np.arange(12))
    assert moves == 0
    np.testing.assert_array_equal(partition, labels)


@pytest.mark.parametrize("even", [0.0, 0.7])
@pytest.mark.parametrize("seed", range(8))
def test_each_merger_is_the_cheapest_of_all(seed, even):
    w, extra = matrix(9, seed, 0.5)
    full = w + extra
    partition = merge_cut(full.copy(), full.sum(1), 3, even)

    def value(labels, k):
        share = np.bincount(labels, full.sum(1)) / full.sum()
        return cut(full, labels, k) + even * float((share * np.log(share)).sum())

    labels = np.arange(9)
    for k in range(8, 2, -1):
        names = np.unique(labels)
        options = []
        for i, a in enumerate(names):
            for b in names[:i]:
                other = np.unique(np.where(labels == a, b, labels), return_inverse=True)[1]
                options.append((value(other, k), other))
        labels = min(options, key=lambda option: option[0])[1]
    assert value(partition, 3) == pytest.approx(value(labels, 3), abs=1e-12)
    np.testing.assert_array_equal(partition[:, None] == partition, labels[:, None] == labels)


def test_pieces_without_volume_cost_nothing_alone():
    link = np.zeros((4, 4))
    link[:2, :2] = [[4.0, 1.0], [1.0, 4.0]]
    partition = merge_cut(link.copy(), link.sum(1), 3)
    assert partition[0] == partition[1]
    assert len(set(partition.tolist())) == 3


@pytest.mark.parametrize("seed", range(4))
def test_edges_from_both_ends_are_the_symmetric_matrix(seed):
    rng = np.random.default_rng(seed)
    n = 9
    source, target = np.sort(rng.integers(n, size=(2, 20)), axis=0)
    order = np.lexsort((target, source))
    source, target = source[order], target[order]
    start, end, edge = both_ends(source, target, n)
    weight = rng.random(20)
    dense = np.zeros((n, n))
    np.add.at(dense, (source, target), weight)
    np.add.at(dense, (target, source), weight)  # loops twice
    assert np.allclose(sp.csr_array((weight[edge], end, start), shape=(n, n)).toarray(), dense)
    assert all((np.diff(end[start[i] : start[i + 1]]) >= 0).all() for i in range(n))
    assert len(both_ends(source[:0], target[:0], 0)[1]) == 0
