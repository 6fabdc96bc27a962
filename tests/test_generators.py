"""Generators: the law that they state, in mean and variance; order tells nothing of the blocks."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

import graphclust as gc
from graphclust.generators.sbm import _sample_subsets, _triangle


def block_counts(graph, k):
    counts = np.zeros((k, k))
    np.add.at(counts, tuple(np.sort(np.stack((graph.y[graph.source], graph.y[graph.target])), axis=0)), 1)
    return counts


@pytest.mark.parametrize("p", [[[0.02, 0.01], [0.01, 0.05]], [[0.9, 0.3], [0.3, 0.6]]])
def test_block_counts_match_in_mean_and_variance(p):
    sizes, draws = np.array([12, 20]), 1000
    counts = np.array([block_counts(gc.generators.sbm(sizes, p, random_state=s), 2) for s in range(draws)])
    for i, j in ((0, 0), (0, 1), (1, 1)):
        pairs = sizes[i] * (sizes[i] - 1) // 2 if i == j else sizes[i] * sizes[j]
        law = stats.binom(pairs, p[i][j])
        assert abs(counts[:, i, j].mean() - law.mean()) < 4 * law.std() / np.sqrt(draws)
        kurtosis = float(law.stats("k"))
        spread = law.var() * np.sqrt((kurtosis + 2) / draws)
        assert abs(counts[:, i, j].var() - law.var()) < 4 * spread


def test_every_pair_is_as_likely():
    seen = np.zeros((8, 8))
    for seed in range(2000):
        graph = gc.generators.sbm([8], [[0.3]], random_state=seed)
        seen[graph.source, graph.target] += 1
    counts = seen[np.triu_indices(8, 1)]
    assert stats.chisquare(counts).pvalue > 1e-3


@pytest.mark.parametrize("p", [0.0, 0.3, 0.7, 1.0])
def test_simple_graphs_only(p):
    graph = gc.generators.planted_partition(50, 3, p_in=p, p_out=1 - p, random_state=0)
    assert graph.num_self_loops == 0
    assert graph.weight is None
    assert "merged_edges" not in graph.meta
    inside = block_counts(graph, 3).diagonal().sum()
    if p == 1:
        assert inside == graph.num_edges == 2 * 17 * 16 / 2 + 16 * 15 / 2


def test_order_of_the_nodes_tells_nothing_of_the_blocks():
    changes = [np.count_nonzero(np.diff(gc.generators.planted_partition(60, 2, p_in=0.1, p_out=0.1, random_state=s).y))
               for s in range(50)]  # fmt: skip
    assert 25 < np.mean(changes) < 34  # 29.5 expected; 1 if the blocks stood in line


def test_seed_fixes_the_graph():
    one, two, other = (gc.generators.planted_partition(100, 3, p_in=0.2, p_out=0.01, random_state=s) for s in (1, 1, 2))
    assert one.source.tolist() == two.source.tolist()
    assert one.source.tolist() != other.source.tolist()
    assert one.meta["generator"]["p_in"] == 0.2
    assert 0.1 < one.meta["realised"]["p_in"] < 0.3


def test_subsets_are_distinct_and_complete(rng):
    size = rng.integers(1, 40, size=30)
    count = np.minimum(rng.integers(0, 41, size=30), size)
    rows, values = _sample_subsets(np.random.default_rng(0), size, count)
    np.testing.assert_array_equal(np.bincount(rows, minlength=30), count)
    assert len({*zip(rows.tolist(), values.tolist(), strict=True)}) == count.sum()
    assert (values < size[rows]).all()


def test_triangle_counts_all_pairs():
    i, j = _triangle(np.arange(45))
    assert sorted(zip(i.tolist(), j.tolist(), strict=True)) == [(a, b) for a in range(10) for b in range(a + 1, 10)]
    top = 3 * 10**9  # far above the exact range of single precision
    i, j = _triangle(np.array([top * (top - 1) // 2 - 1]))
    assert (i[0], j[0]) == (top - 2, top - 1)


@pytest.mark.parametrize(
    ("sizes", "p"),
    [([0, 3], np.eye(2)), ([], np.eye(0)), ([3], [[1.5]]), ([2, 2], [[0.1, 0.2], [0.3, 0.1]]), ([2], [[np.nan]])],
)
def test_parameters_that_make_no_sense(sizes, p):
    with pytest.raises(gc.UsageError):
        gc.generators.sbm(sizes, p)
    with pytest.raises(gc.UsageError):
        gc.generators.planted_partition(3, 4, p_in=0.1, p_out=0.1)
