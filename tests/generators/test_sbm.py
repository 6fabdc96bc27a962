"""Stochastic block models: the law that they state, in mean and variance; order tells nothing of the blocks."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

import graphclust as gc
from graphclust.generators.batches import from_graphs, from_plans, from_points
from graphclust.generators.sbm import (
    CLUSTER_SPLITS,
    _bernoulli_rows,
    _successes,
    _triangle,
    cluster_split,
    general_sbm_plan,
    one_of_each,
)
from tests.marks import slow

DRAWS = 500


def block_counts(labels, source, target, k):
    counts = np.zeros((k, k))
    np.add.at(counts, tuple(np.sort(np.stack((labels[source], labels[target])), axis=0)), 1)
    return counts


def assert_binomial(counts, trials, p):
    """Mean and variance of draws of a binomial, within four standard errors."""
    law = stats.binom(trials, p)
    draws = len(counts)
    assert abs(counts.mean() - law.mean()) <= 4 * law.std() / np.sqrt(draws) + 1e-12
    if law.var() > 0:
        spread = law.var() * np.sqrt((float(law.stats("k")) + 2) / draws)
        assert abs(counts.var() - law.var()) < 4 * spread


def pairs_of(sizes):
    k = len(sizes)
    return np.array(
        [[sizes[i] * (sizes[i] - 1) // 2 if i == j else sizes[i] * sizes[j] for j in range(k)] for i in range(k)]
    )


@pytest.mark.parametrize("path", ["sparse", "dense"])
@pytest.mark.parametrize("p", [[[0.02, 0.01], [0.01, 0.05]], [[0.9, 0.3], [0.3, 0.6]], [[1.0, 0.0], [0.0, 0.5]]])
def test_block_counts_match_in_mean_and_variance(path, p):
    sizes = np.array([12, 20])
    counts = []
    for seed in range(DRAWS):
        if path == "sparse":
            graph = gc.generators.sbm(sizes, p, random_state=seed)
        else:
            plan = (np.repeat([0, 1], sizes), np.array(p))
            graph = next(from_plans(np.random.default_rng(seed), [plan]).graphs())
        counts.append(block_counts(graph.y, graph.source, graph.target, 2))
    counts = np.array(counts)
    for i, j in ((0, 0), (0, 1), (1, 1)):
        assert_binomial(counts[:, i, j], pairs_of(sizes)[i, j], p[i][j])


def test_many_different_probabilities_are_thinned_exactly():
    rng = np.random.default_rng(0)
    k = 14  # 105 pairs of blocks, more than there are classes
    p = np.triu(rng.random((k, k)))
    p = p + np.triu(p, 1).T
    sizes = np.full(k, 5)
    counts = np.zeros((DRAWS, k, k))
    for seed in range(DRAWS):
        graph = gc.generators.sbm(sizes, p, random_state=seed)
        counts[seed] = block_counts(graph.y, graph.source, graph.target, k)
    expected = np.triu(pairs_of(sizes) * p)
    deviation = (counts.mean(axis=0) - expected)[np.triu_indices(k)]
    error = np.sqrt((pairs_of(sizes) * p * (1 - p))[np.triu_indices(k)] / DRAWS)
    z = deviation / error
    assert np.abs(z).max() < 4.5
    assert 0.7 < z.std() < 1.3


@pytest.mark.parametrize("draws", [600, *slow(3000)])
@pytest.mark.parametrize("p", [0.02, 0.8, *slow(0.3)])
def test_every_pair_is_as_likely_and_independent(p, draws):
    seen = np.zeros((8, 8))
    totals = []
    for seed in range(draws):
        graph = gc.generators.sbm([8], [[p]], random_state=seed)
        seen[graph.source, graph.target] += 1
        totals.append(graph.num_edges)
    counts = seen[np.triu_indices(8, 1)]
    expected = draws * p
    assert stats.chi2.sf(((counts - expected) ** 2 / (expected * (1 - p))).sum(), len(counts)) > 1e-3
    assert_binomial(np.array(totals), 28, p)


@pytest.mark.parametrize("p", [0.0, 0.05, 0.4, 1.0])
def test_successes_are_sorted_distinct_and_in_range(p):
    rng = np.random.default_rng(1)
    for total in (1, 7, 1000):
        actual = _successes(rng, total, p) if p else np.empty(0, dtype=int)
        assert (np.diff(actual) > 0).all()
        assert not len(actual) or (actual[0] >= 0 and actual[-1] < total)
    rows, positions = _bernoulli_rows(rng, np.array([0, 5, 3]), np.array([0.5, p, 1.0]))
    assert not (rows == 0).any()
    assert (rows == 2).sum() == 3
    assert (positions < np.array([0, 5, 3])[rows]).all()


def test_huge_numbers_of_trials_cost_nothing():
    assert len(_successes(np.random.default_rng(0), 10**18, 1e-17)) < 60


@pytest.mark.parametrize("p", [0.0, 0.3, 0.7, 1.0])
def test_simple_graphs_only(p):
    graph = gc.generators.planted_partition(50, 3, p_in=p, p_out=1 - p, random_state=0)
    assert graph.num_self_loops == 0
    assert graph.weight is None
    assert "merged_edges" not in graph.meta
    if p == 1:
        assert graph.num_edges == 2 * 17 * 16 / 2 + 16 * 15 / 2
        assert graph.meta["realised"] == {
            "n_nodes": 50, "n_edges": 392, "n_clusters": 3, "sizes": [17, 17, 16], "p_in": 1.0, "p_out": 0.0,
            "average_degree": 15.68,
        }  # fmt: skip


def test_order_of_the_nodes_tells_nothing_of_the_blocks():
    draw = gc.generators.planted_partition
    changes = [np.count_nonzero(np.diff(draw(60, 2, p_in=0.1, p_out=0.1, random_state=s).y)) for s in range(50)]
    assert 25 < np.mean(changes) < 34  # 29.5 expected; 1 if the blocks stood in line


def test_nested_groups_have_three_densities():
    rates = {"p_in": 0.4, "p_middle": 0.1, "p_out": 0.02}
    graph = gc.generators.nested_sbm((1200, 1210), (3, 4), (4, 5), **rates, random_state=0)
    fine, coarse = (np.array(level) for level in graph.meta["levels"])
    assert np.array_equal(fine, graph.y)
    assert len(set(zip(fine.tolist(), coarse.tolist(), strict=True))) == fine.max() + 1 >= 12
    kind = np.where(fine[:, None] == fine, 0, np.where(coarse[:, None] == coarse, 1, 2))
    edges = np.bincount(kind[graph.source, graph.target])
    pairs = np.bincount(kind[np.triu_indices(len(fine), 1)])
    np.testing.assert_allclose(edges / pairs, list(rates.values()), rtol=0.06)


_NEED_MORE = ("sbm", "dc-sbm", "lfr", "gaussian-mixture", "community-pairs")  # parameters, another draw, or data


@pytest.mark.parametrize("family", [name for name in gc.generators.FAMILIES if name not in _NEED_MORE])
def test_seed_fixes_the_graph_and_meta_tells_it(family):
    sample = gc.generators.FAMILIES[family].sample
    first, second, other = (sample(random_state=s) for s in (1, 1, 2))
    assert first.source.tolist() == second.source.tolist()
    assert first.y.tolist() == second.y.tolist()
    assert (first.y.tolist(), first.source.tolist()) != (other.y.tolist(), other.source.tolist())
    assert first.meta["generator"]["family"] == family
    requested = {k: v for k, v in first.meta["generator"].items() if k != "family"}
    again = sample(**requested)
    assert again.source.tolist() == first.source.tolist()


def test_triangle_counts_all_pairs():
    i, j = _triangle(np.arange(45))
    assert sorted(zip(i.tolist(), j.tolist(), strict=True)) == [(a, b) for a in range(10) for b in range(a + 1, 10)]
    top = 3 * 10**9  # far above the exact range of double precision
    i, j = _triangle(np.array([top * (top - 1) // 2 - 1]))
    assert (i[0], j[0]) == (top - 2, top - 1)


# ---------------------------------------------------------------- the families


def test_general_sbm_follows_its_law():
    rng = np.random.default_rng(0)
    plans = [general_sbm_plan(rng, (50, 300), 0.7, 12, (6.0, 3.0), (1.0, 5.0)) for _ in range(3000)]
    sizes = np.array([len(labels) for labels, _ in plans])
    assert stats.chisquare(np.bincount(sizes - 50, minlength=251)).pvalue > 1e-3
    within = np.concatenate([matrix.diagonal() for _, matrix in plans])
    between = np.concatenate([matrix[np.triu_indices(len(matrix), 1)] for _, matrix in plans])
    assert stats.kstest(within, stats.beta(6, 3).cdf).pvalue > 1e-3
    assert stats.kstest(between, stats.beta(1, 5).cdf).pvalue > 1e-3
    assert max(labels.max() for labels, _ in plans) < 12
    assert all(np.array_equal(matrix, matrix.T) for _, matrix in plans[:50])


def test_log_degree_sbm_has_the_degrees_of_its_formula():
    graph = gc.generators.log_degree_sbm(600, 4, a=20.0, b=4.0, random_state=0)
    log = np.log(600)
    np.testing.assert_allclose(graph.meta["probabilities"][0, :2], [20 * log / 600, 4 * log / 600])
    expected = (149 * 20 + 450 * 4) * log / 600
    assert abs(graph.degree().mean() - expected) < 4 * np.sqrt(2 * expected / 600)
    assert graph.meta["exact_recovery"] == pytest.approx((20**0.5 - 2) / 2)
    assert graph.meta["realised"]["sizes"] == [150] * 4


def test_ranges_are_drawn_from():
    draws = [
        gc.generators.log_degree_sbm((300, 600), (2, 4), a=(1.0, 30.0), b=(1.0, 10.0), random_state=s)
        for s in range(60)
    ]
    assert {g.meta["realised"]["n_clusters"] for g in draws} == {2, 3, 4}
    assert min(g.num_nodes for g in draws) >= 300
    assert max(g.num_nodes for g in draws) <= 600
    assert len({g.num_nodes for g in draws}) > 40
    a = [g.meta["probabilities"][0, 0] * g.num_nodes / np.log(g.num_nodes) for g in draws]
    assert stats.kstest(a, stats.uniform(1, 29).cdf).pvalue > 1e-3


def test_cluster_benchmark():
    graphs = [cluster_split("train", i) for i in range(200)]
    sizes = np.concatenate([graph.meta["realised"]["sizes"] for graph in graphs])
    assert len(sizes) == 1200
    assert stats.chisquare(np.bincount(sizes - 5, minlength=30)).pvalue > 1e-3
    for graph in graphs:
        assert graph.y[graph.meta["labelled"]].tolist() == list(range(6))
    p_in = np.mean([graph.meta["realised"]["p_in"] for graph in graphs])
    p_out = np.mean([graph.meta["realised"]["p_out"] for graph in graphs])
    assert (p_in, p_out) == (pytest.approx(0.55, abs=0.01), pytest.approx(0.25, abs=0.01))


def test_cluster_splits_share_no_graph_and_repeat():
    assert CLUSTER_SPLITS == {"train": 10_000, "val": 1_000, "test": 1_000}
    edges = {split: cluster_split(split, 3).source.tolist() for split in CLUSTER_SPLITS}
    assert edges["train"] != edges["val"] != edges["test"] != edges["train"]
    assert cluster_split("val", 3).source.tolist() == edges["val"]
    assert cluster_split("val", 3, random_state=1).source.tolist() != edges["val"]
    for split, index in (("val", 1000), ("train", -1), ("dev", 0)):
        with pytest.raises(gc.UsageError):
            cluster_split(split, index)


def test_labelled_nodes_are_drawn_evenly():
    labels = np.repeat([0, 1], [4, 2])
    drawn = np.array([one_of_each(np.random.default_rng(s), labels) for s in range(4000)])
    assert stats.chisquare(np.bincount(drawn[:, 0])).pvalue > 1e-3
    assert stats.chisquare(np.bincount(drawn[:, 1])[4:]).pvalue > 1e-3


def test_dc_sbm_pairs_have_the_stated_probability():
    """Given the propensities, every pair is Bernoulli with 1 - exp(-theta_i theta_j rate)."""
    sizes, rates = [6, 5], [[0.8, 0.2], [0.2, 0.5]]
    score = []
    for seed in range(700):
        graph = gc.generators.dc_sbm(sizes, rates, exponent=2.5, random_state=seed)
        theta, labels = graph.meta["propensity"], graph.y
        for block in (0, 1):
            assert theta[labels == block].mean() == pytest.approx(1)
        probability = 1 - np.exp(-np.outer(theta, theta) * np.array(rates)[labels][:, labels])
        adjacency = graph.adjacency().toarray()
        upper = np.triu_indices(11, 1)
        z = (adjacency[upper] - probability[upper]) / np.sqrt(probability[upper] * (1 - probability[upper]))
        same = (labels[:, None] == labels)[upper]
        score.append([z[same].sum() / np.sqrt(same.sum()), z[~same].sum() / np.sqrt((~same).sum()), (z**2).mean()])
    score = np.array(score)
    assert np.abs(score[:, :2].mean(axis=0)).max() < 4 / np.sqrt(700)
    assert np.abs(score[:, :2].std(axis=0) - 1).max() < 0.1
    assert score[:, 2].mean() == pytest.approx(1, abs=0.1)


def test_dc_sbm_propensities_follow_the_power_law():
    graph = gc.generators.dc_sbm([20_000], [[1e-4]], exponent=2.5, max_ratio=50, random_state=0)
    theta = graph.meta["propensity"]
    ratio = theta / theta.min()
    law = (1 - ratio ** (1 - 2.5)) / (1 - 50 ** (1 - 2.5))  # distribution function
    assert stats.kstest(law, "uniform").pvalue > 1e-3
    assert graph.num_self_loops == 0
    assert graph.weight is None
    assert gc.generators.dc_sbm([9], [[0.5]], exponent=np.inf, random_state=0).meta["propensity"].tolist() == [1] * 9


@pytest.mark.parametrize(
    "call",
    [
        lambda g: g.sbm([0, 3], np.eye(2)),
        lambda g: g.sbm([], np.eye(0)),
        lambda g: g.sbm([2.5], [[0.1]]),
        lambda g: g.sbm([3], [[1.5]]),
        lambda g: g.sbm([2, 2], [[0.1, 0.2], [0.3, 0.1]]),
        lambda g: g.sbm([2], [[np.nan]]),
        lambda g: g.planted_partition(3, 4),
        lambda g: g.planted_partition(10, 2, p_in=1.1),
        lambda g: g.planted_partition((20, 10), 2),
        lambda g: g.general_sbm((10, 5)),
        lambda g: g.general_sbm(within=(0, 1)),
        lambda g: g.log_degree_sbm(50, 2, a=100),
        lambda g: g.cluster(0),
        lambda g: g.cluster(sizes=(0, 3)),
        lambda g: g.dc_sbm([3], [[-1]]),
        lambda g: g.dc_sbm([3], [[1]], exponent=1),
        lambda g: g.dc_sbm([3], [[1]], max_ratio=0.5),
    ],
)
def test_parameters_that_make_no_sense(call):
    with pytest.raises(gc.UsageError):
        call(gc.generators)


# ---------------------------------------------------------------- batches


def test_batches_are_simple_padded_graphs():
    batch = next(gc.generators.stream("general-sbm", random_state=3, batch_size=5))
    assert batch.adjacency.shape == (5, batch.n_nodes.max(), batch.n_nodes.max())
    assert (batch.adjacency == batch.adjacency.transpose(0, 2, 1)).all()
    assert not batch.adjacency.diagonal(axis1=1, axis2=2).any()
    for i, n in enumerate(batch.n_nodes):
        assert not batch.adjacency[i, n:].any()
        assert (batch.labels[i, n:] == -1).all()
        assert (batch.labels[i, :n] >= 0).all()
    again = from_graphs(list(batch.graphs()))
    np.testing.assert_array_equal(again.adjacency, batch.adjacency)
    np.testing.assert_array_equal(again.labels, batch.labels)


@pytest.mark.parametrize("family", ["general-sbm", "cluster", "log-degree-sbm", "nested-sbm", "planted-partition"])
def test_stream_resumes_anywhere(family):
    batches = gc.generators.stream(family, random_state=1, batch_size=2)
    first, second, third = (next(batches) for _ in range(3))
    resumed = next(gc.generators.stream(family, random_state=1, batch_size=2, start=2))
    np.testing.assert_array_equal(resumed.adjacency, third.adjacency)
    assert first.adjacency.shape != second.adjacency.shape or (first.adjacency != second.adjacency).any()


def test_stream_of_families_without_a_plan():
    batch = next(gc.generators.stream("dc-sbm", batch_size=3, sizes=(20, 10), rates=((0.3, 0.1), (0.1, 0.3))))
    assert batch.n_nodes.tolist() == [30] * 3
    assert batch.adjacency.any(axis=(1, 2)).all()


def test_batches_of_points_have_no_adjacency():
    batch = next(gc.generators.stream("gaussian-mixture", random_state=2, batch_size=3, n=(4, 30), dimension=3))
    assert batch.adjacency is None
    assert batch.labels.shape == (3, batch.n_nodes.max())
    assert batch.features.shape == (3, batch.n_nodes.max(), 3)
    assert batch.features.dtype == np.float32
    for i, (n, points) in enumerate(zip(batch.n_nodes.tolist(), batch.graphs(), strict=True)):
        assert batch.features[i, :n].any(axis=1).all()
        assert not batch.features[i, n:].any()
        assert (batch.labels[i, n:] == -1).all()
        assert (points.num_nodes, points.num_edges) == (n, 0)
        np.testing.assert_array_equal(points.y, batch.labels[i, :n])
        np.testing.assert_array_equal(points.x, batch.features[i, :n])
    again = from_points(list(batch.graphs()))
    np.testing.assert_array_equal(again.features, batch.features)
    np.testing.assert_array_equal(again.labels, batch.labels)


def test_points_without_features_or_classes():
    bare = from_points([gc.Graph.from_edges([], [], nodes=n) for n in (2, 3)])
    assert (bare.adjacency, bare.features, bare.labels.tolist()) == (None, None, [[-1] * 3] * 2)


def test_stream_of_one_size_and_with_features():
    batch = next(gc.generators.stream("general-sbm", batch_size=4, same_size=True, n_eigenvectors=6, n_nodes=(30, 40)))
    assert len(set(batch.n_nodes.tolist())) == 1
    assert batch.features.shape == (4, batch.n_nodes[0], 6)
    assert batch.features.dtype == np.float32


@pytest.mark.parametrize(
    "arguments",
    [
        {"family": "nosuch"},
        {"family": "cluster", "nonsense": 1},
        {"family": "cluster", "same_size": True},
        {"family": "log-degree-sbm", "same_size": True},
        {"family": "cluster", "batch_size": 0},
        {"family": "gaussian-mixture", "n": 9, "n_eigenvectors": 2},
    ],
)
def test_streams_that_make_no_sense(arguments):
    with pytest.raises(gc.UsageError):
        gc.generators.stream(**arguments)  # at once, not with the first batch


@pytest.mark.parametrize("parameters", [{}, {"n_nodes": 100, "nonsense": 1}])
def test_families_ask_for_what_they_need(tmp_path, parameters):
    pytest.importorskip("torch_geometric")
    with pytest.raises(gc.UsageError, match=r"lfr (needs n_nodes|has no parameter 'nonsense')"):
        gc.generators.SyntheticGraphs(str(tmp_path), "lfr", **parameters)
    with pytest.raises(gc.UsageError, match=r"lfr (needs n_nodes|has no parameter 'nonsense')"):
        gc.generators.stream("lfr", **parameters)


def test_synthetic_graphs_are_cached_by_every_parameter(tmp_path):
    pytest.importorskip("torch_geometric")
    make = gc.generators.SyntheticGraphs
    first = make(str(tmp_path), "planted-partition", num_graphs=3, seed=1, n_nodes=30, n_clusters=2)
    files = {first.processed_file_names[0]}
    for changes in ({"seed": 2}, {"num_graphs": 4}, {"p_in": 0.5}, {"family": "cluster", "n_nodes": None}):
        arguments = {
            "family": "planted-partition",
            "num_graphs": 3,
            "seed": 1,
            "n_nodes": 30,
            "n_clusters": 2,
            **changes,
        }
        arguments = {name: value for name, value in arguments.items() if value is not None}
        files.add(make(str(tmp_path), **arguments).processed_file_names[0])
    assert len(files) == 5
    again = make(str(tmp_path), "planted-partition", num_graphs=3, seed=1, n_nodes=30, n_clusters=2)
    assert [data.edge_index.tolist() for data in again] == [data.edge_index.tolist() for data in first]
    more = make(str(tmp_path), "planted-partition", num_graphs=4, seed=1, n_nodes=30, n_clusters=2)
    assert more[0].edge_index.tolist() == first[0].edge_index.tolist()  # graphs do not depend on how many there are
    assert first[0].edge_index.tolist() != first[1].edge_index.tolist()
    with pytest.raises(gc.UsageError):
        make(str(tmp_path), "planted-partition", nonsense=1)
