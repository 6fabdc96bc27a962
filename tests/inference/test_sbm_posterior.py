"""Block models against their definitions, and chains against posteriors counted out on graphs of six nodes."""

from __future__ import annotations

import math
from collections import Counter
from itertools import combinations, combinations_with_replacement, product

import networkx as nx
import numpy as np
import pytest

import graphclust as gc
from graphclust.generators.crp import log_probability
from graphclust.inference import BLOCK_MODELS, MICROCANONICAL_MODELS, integrated
from graphclust.inference.block_models import DegreePrior, EdgePriors, PlantedPartitionModel, StochasticBlockModel
from graphclust.inference.chains import Chains, effective_sample_size, r_hat
from graphclust.inference.microcanonical import DegreeCorrectedBlockModel
from graphclust.inference.networks import edges_to_blocks
from graphclust.inference.priors import crp_prior, sized_prior, uniform_prior
from tests import oracles

N = 6
KINDS = list(BLOCK_MODELS)
INTEGRATED = ["sbm", "planted"]  # the others are defined in test_description_length.py
PRIORS = EdgePriors(within=(2.0, 1.5), between=(1.0, 2.0))
ALPHA = 1.7
SLOWNESS = {"microcanonical-sbm": 4}  # times as many samples: all in one group, or each in its own, are two modes
SETTINGS = {"sbm": PRIORS, "planted": DegreePrior(ALPHA)}
EDGES = [(0, 1), (1, 2), (0, 2), (2, 3), (3, 4), (3, 5)]


def lgamma(x):
    return math.lgamma(x)


def log_prior(labels, concentration=1.0):
    return log_probability(labels, concentration)


def counts(edges, weights, labels, n):
    """e_rs, summed degrees and degrees, by loops."""
    e, d, k = Counter(), Counter(), [0.0] * n
    for (i, j), w in zip(edges, weights, strict=True):
        e[tuple(sorted((labels[i], labels[j])))] += w
        for end in (i, j):
            d[labels[end]] += w
            k[end] += w
    return e, d, k


def log_joint(kind, edges, weights, labels, n, simple=True):
    """The log joint by its definition."""
    e, d, k = counts(edges, weights, labels, n)
    blocks = sorted(set(labels))
    size = Counter(labels)
    value = log_prior(labels)
    if kind == "sbm":
        for r, t in [*combinations(blocks, 2), *((r, r) for r in blocks)]:
            pairs = size[r] * (size[r] - 1) / 2 if r == t else size[r] * size[t]
            a, b = PRIORS.within if r == t else PRIORS.between
            x = e[tuple(sorted((r, t)))]
            value += lgamma(a + x) + lgamma(b + pairs - x) - lgamma(a + b + pairs)
            value -= lgamma(a) + lgamma(b) - lgamma(a + b)
        return value
    total = sum(weights)
    value += sum(lgamma(x + 1) for x in k) - sum(lgamma(w + 1) for w in weights) - math.log(n * (n - 1) / 2 + 1)

    def degrees(nodes, volume):  # Dirichlet-multinomial, given the sum
        a = ALPHA
        total = lgamma(a * len(nodes)) - lgamma(a * len(nodes) + volume) + lgamma(volume + 1)
        return total + sum(lgamma(k[i] + a) - lgamma(a) - lgamma(k[i] + 1) for i in nodes)

    inside = sum(e[r, r] for r in blocks)
    # planted: given the degrees, P(edges) / P(degrees), the latter as in the configuration model
    value += degrees(range(n), 2 * total) - lgamma(2 * total + 1) + total * math.log(2) + total * math.log(total)
    value += total * math.log(2 * total)
    value += lgamma(inside + 1) - inside * math.log(total) - sum(e[r, r] * math.log(d[r]) for r in blocks if e[r, r])
    rates = {r: inside / total / d[r] if d[r] else 0.0 for r in blocks}
    if len(blocks) > 1:
        z = sum(d[r] * d[t] for r, t in combinations(blocks, 2))
        value += lgamma(total - inside + 1) - (total - inside) * math.log(z) - math.log(total + 1)
        rates[None] = (total - inside) / z
    if simple:
        for i, j in edges:
            value += k[i] * k[j] * rates[labels[i] if labels[i] == labels[j] else None] / 2
    return value


def model(kind, edges=EDGES, weights=None, n=N, **kwargs):
    source, target = zip(*edges, strict=True) if edges else ((), ())
    if kind in MICROCANONICAL_MODELS:
        count = None if weights is None else np.ceil(3 * weights)
        return BLOCK_MODELS[kind](gc.Graph.from_edges(source, target, count, nodes=n), **kwargs)
    settings = {"settings": SETTINGS[kind]} if kind in SETTINGS else {}
    return BLOCK_MODELS[kind](source, target, n, weight=weights, **settings, **kwargs)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("kind", INTEGRATED)
def test_log_joint_is_its_definition(kind, weighted):
    rng = np.random.default_rng(1)
    weights = rng.uniform(0.1, 1.0, len(EDGES)) if weighted else None
    built = model(kind, weights=weights)
    for labels in oracles.set_partitions(N):
        expected = log_joint(
            kind, EDGES, [1.0] * len(EDGES) if weights is None else weights, labels, N, simple=not weighted
        )
        assert built.log_joint(labels) == pytest.approx(expected, abs=1e-8)


def test_large_counts_beyond_the_table():
    rng = np.random.default_rng(0)
    n = 700
    edges = [(i, j) for i, j in combinations(range(n), 2) if rng.random() < 0.01]
    labels = rng.integers(0, 3, n).tolist()
    expected = log_joint("sbm", edges, [1.0] * len(edges), labels, n)
    assert model("sbm", edges, n=n).log_joint(labels) == pytest.approx(expected, rel=1e-9)


def test_one_block_is_the_configuration_model():
    """Pairings of the ends of edges are as likely; degrees are Dirichlet-multinomial, the number of edges uniform."""
    built = model("planted", weights=np.ones(len(EDGES)))  # with weights, parallel edges are not hidden
    degree = np.bincount(np.ravel(EDGES), minlength=N)
    E, a = len(EDGES), ALPHA
    pairings = E * math.log(2) + lgamma(E + 1) + sum(lgamma(k + 1) for k in degree) - lgamma(2 * E + 1)
    degrees = lgamma(a * N) + lgamma(2 * E + 1) - lgamma(a * N + 2 * E)
    degrees += sum(lgamma(k + a) - lgamma(a) - lgamma(k + 1) for k in degree)
    expected = pairings + degrees - math.log(N * (N - 1) / 2 + 1) + log_prior([0] * N)
    assert built.log_joint([0] * N) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize(("n", "n_edges"), [(4, 4), (5, 4), (6, 3)])
def test_planted_partitions_are_normalised_to_a_nat(n, n_edges):
    pairs = list(combinations(range(n), 2))
    totals = {}
    for labels in ([0] * n, [0] * (n - 1) + [1], [0, 0] + [1] * (n - 2), [i // 2 for i in range(n)]):
        total = 0.0
        for chosen in combinations_with_replacement(pairs, n_edges):
            edges, count = zip(*Counter(chosen).items(), strict=True)
            built = model("planted", edges, np.array(count, dtype=float), n)
            total += math.exp(built.log_joint(labels) - log_prior(labels))
        totals[tuple(labels)] = math.log(total)
    assert max(abs(value - totals[(0,) * n]) for value in totals.values()) < 1


def posterior(score, allowed=lambda labels: True):
    table = {tuple(labels): score(labels) for labels in oracles.set_partitions(N) if allowed(labels)}
    total = np.logaddexp.reduce(list(table.values()))
    return {labels: math.exp(value - total) for labels, value in table.items()}


def frequencies(chains):
    seen = Counter()
    for row in chains.samples.reshape(-1, chains.samples.shape[-1]).tolist():
        names: dict[int, int] = {}
        seen[tuple(names.setdefault(label, len(names)) for label in row)] += 1
    return {key: count / seen.total() for key, count in seen.items()}


CHAINS = pytest.mark.parametrize(
    ("n_samples", "tolerance"), [(10_000, 0.055), pytest.param(150_000, 0.02, marks=pytest.mark.slow)]
)


def distance(first, other):
    return 0.5 * sum(abs(first.get(key, 0.0) - other.get(key, 0.0)) for key in first | other)


@CHAINS
@pytest.mark.parametrize("splits", [0.0, 3.0])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_chains_follow_the_enumerated_posterior(kind, weighted, splits, n_samples, tolerance):
    weights = np.array([0.9, 0.4, 0.7, 0.2, 1.0, 0.5]) if weighted else None
    built, n_samples = model(kind, weights=weights), n_samples * SLOWNESS.get(kind, 1)
    if kind == "assortative-uniform" and weighted:
        splits = max(splits, 1.0)  # one group is a mode of its own, which no node leaves alone
    chains = built.sample([[0] * N, list(range(N))], n_samples, n_samples + 1000, splits=splits, burn_in=0.03)
    assert distance(posterior(built.log_joint), frequencies(chains)) < tolerance
    assert chains.usable.all()


@CHAINS
@pytest.mark.parametrize("weighted", [False, True])
def test_so_do_chains_on_a_directed_graph(weighted, n_samples, tolerance):
    source, target = zip(*EDGES, (1, 0), (4, 3), (5, 4), strict=True)
    weights = np.array([9.0, 8.5, 7.5, 1.5, 9.5, 0.5, 8.5, 9.5, 0.5]) if weighted else None  # exponential
    built = DegreeCorrectedBlockModel(gc.Graph.from_edges(source, target, weights, nodes=N, directed=True))
    chains = built.sample([[0] * N, list(range(N))], n_samples, n_samples + 1000, splits=3.0, burn_in=0.03)
    exact = posterior(built.log_joint)
    assert distance(exact, frequencies(chains)) < tolerance
    undirected = model("dc-sbm", sorted({tuple(sorted(edge)) for edge in zip(source, target, strict=True)}))
    assert distance(exact, posterior(undirected.log_joint)) > 2 * tolerance


@CHAINS
@pytest.mark.parametrize("kind", INTEGRATED)
def test_so_do_chains_that_seldom_try_all_blocks(kind, n_samples, tolerance):
    built = model(kind)
    starts = [[0] * N, list(range(N))]
    chains = built.sample(starts, n_samples, n_samples + 1000, splits=0.5, burn_in=0.03, interval=4)
    assert distance(posterior(built.log_joint), frequencies(chains)) < tolerance


@CHAINS
def test_so_do_chains_that_keep_counts_of_edges_to_blocks(monkeypatch, n_samples, tolerance):
    monkeypatch.setattr(integrated, "_MANY_EDGES", 0.0)
    tables = []
    monkeypatch.setattr(
        integrated, "edges_to_blocks", lambda *args: tables.append(edges_to_blocks(*args)) or tables[-1]
    )
    built = model("sbm")
    chains = built.sample([[0] * N, list(range(N))], n_samples, n_samples + 1000, splits=1.0, burn_in=0.03)
    assert distance(posterior(built.log_joint), frequencies(chains)) < tolerance
    for table, sample in zip(tables, chains.samples[:, -1], strict=True):  # the tables are those of the last partition
        last = edges_to_blocks(built._network, sample, table.shape[1])
        assert np.array_equal(table, last)
        assert table.sum() == 2 * len(EDGES)


@CHAINS
@pytest.mark.parametrize("splits", [0.0, 3.0])
@pytest.mark.parametrize("kind", INTEGRATED)
def test_blocks_stay_connected(kind, splits, n_samples, tolerance):
    built = model(kind, connected=True)
    graph = nx.Graph(EDGES)

    def connected(labels):
        groups = [[i for i in range(N) if labels[i] == block] for block in set(labels)]
        return all(nx.is_connected(graph.subgraph(group)) for group in groups)

    exact = posterior(built.log_joint, connected)
    assert len(exact) < len(posterior(built.log_joint))
    chains = built.sample([[0] * N, list(range(N))], n_samples, n_samples + 1000, splits=splits, burn_in=0.03)
    assert distance(exact, frequencies(chains)) < tolerance


@CHAINS
@pytest.mark.parametrize("kind", KINDS)
def test_known_labels_are_respected(kind, n_samples, tolerance):
    known = [1, 0, 0, 0, 1, 2]
    built = model(kind, known=known)
    exact = posterior(built.log_joint, lambda labels: labels[0] == labels[4] != labels[5])
    start = [0, 0, 0, 0, 0, 1]
    chains = built.sample([start], n_samples, n_samples + 1000, splits=3.0, burn_in=0.02)
    assert distance(exact, frequencies(chains)) < tolerance
    predicted = built.improve(start)
    assert predicted[0] == predicted[4] != predicted[5]


@CHAINS
@pytest.mark.parametrize("splits", [0.0, 3.0])
@pytest.mark.parametrize("kind", KINDS)
def test_number_of_blocks_is_kept(kind, splits, n_samples, tolerance):
    built = model(kind, n_clusters=2)
    exact = posterior(built.log_joint, lambda labels: max(labels) == 1)
    chains = built.sample([[0, 0, 0, 1, 1, 1]], n_samples, n_samples + 1000, burn_in=0.02, splits=splits)
    assert distance(exact, frequencies(chains)) < tolerance
    assert built.improve([0, 1, 0, 1, 0, 1]).max() == 1


@CHAINS
@pytest.mark.parametrize("kind", KINDS)
def test_number_of_blocks_is_kept_with_known_labels(kind, n_samples, tolerance):
    built = model(kind, n_clusters=3, known=[1, 0, 0, 0, 1, 2])
    exact = posterior(built.log_joint, lambda labels: max(labels) == 2 and labels[0] == labels[4] != labels[5])
    chains = built.sample([[0, 2, 0, 2, 0, 1]], n_samples, n_samples + 1000, burn_in=0.02, splits=3.0)
    assert distance(exact, frequencies(chains)) < tolerance


@CHAINS
@pytest.mark.parametrize(
    ("kind", "connected"), [*((kind, False) for kind in KINDS), *((kind, True) for kind in INTEGRATED)]
)
def test_known_labels_change_places(kind, connected, n_samples, tolerance):
    known = [1, 0, 2, 0, 0, 3]
    graph = nx.Graph(EDGES)
    built = model(kind, known=known, **({"connected": True} if connected else {}))

    def allowed(labels):
        groups = [[i for i in range(N) if labels[i] == block] for block in set(labels)]
        complete = not connected or all(nx.is_connected(graph.subgraph(group)) for group in groups)
        return complete and len({labels[0], labels[2], labels[5]}) == 3

    exact = posterior(built.log_joint, allowed)
    n_samples *= SLOWNESS.get(kind, 1)
    chains = built.sample([[0, 0, 1, 1, 1, 2]], n_samples, n_samples + 1000, splits=0.5, burn_in=0.02)
    assert distance(exact, frequencies(chains)) < tolerance


def test_a_known_node_that_looks_like_another_block_leaves_the_labels_free():
    """Two cliques of ten and two known nodes, alike to both: each names either of them half of the time."""
    edges = [
        *combinations(range(10), 2),
        *combinations(range(10, 20), 2),
        *((i, j) for i in (20, 21) for j in range(20)),
    ]
    built = model("sbm", edges, n=22, n_clusters=2, known=[0] * 20 + [1, 2])
    chains = built.sample([[0] * 10 + [1] * 10 + [0, 1]], 4000, 4000, burn_in=0.0)
    same = (chains.samples[..., 0] == chains.samples[..., 20]).mean()
    assert same == pytest.approx(0.5, abs=0.1)


def test_whole_parts_change_their_block_where_the_number_is_kept():
    """Two of three triangles are together: each pair a third of the time, though no single node may move."""
    edges = [pair for first in (0, 3, 6) for pair in combinations(range(first, first + 3), 2)]
    built = model("planted", edges, n=9, n_clusters=2)
    together = [(0, 0, 0, 0, 0, 0, 1, 1, 1), (0, 0, 0, 1, 1, 1, 0, 0, 0), (0, 0, 0, 1, 1, 1, 1, 1, 1)]
    seen = frequencies(built.sample([together[0]], 20_000, 20_000, burn_in=0.0, splits=1.0))
    share = [seen.get(entry, 0.0) for entry in together]
    assert sum(share) > 0.5
    np.testing.assert_allclose(np.array(share) / sum(share), 1 / 3, atol=0.06)


@pytest.mark.parametrize("kind", KINDS)
def test_conditional_is_what_moving_one_node_would_change(kind):
    built = model(kind)
    labels = [0, 0, 0, 1, 1, 2]
    probability = built.conditional(labels)
    for i in range(N):
        near = {labels[j] for edge in EDGES if i in edge for j in edge if j != i} | {labels[i]}
        options = {r: [*labels[:i], r, *labels[i + 1 :]] for r in near}
        if labels.count(labels[i]) > 1:
            options[9] = [*labels[:i], 9, *labels[i + 1 :]]
        rank = {r: [sorted(set(option)).index(x) for x in option] for r, option in options.items()}
        scores = {r: built.log_joint(option) for r, option in rank.items()}
        assert probability[i] == pytest.approx(math.exp(scores[labels[i]] - np.logaddexp.reduce(list(scores.values()))))


@pytest.mark.parametrize("kind", KINDS)
def test_improvement_does_not_lower_the_score(kind):
    rng = np.random.default_rng(0)
    n = 60
    truth = np.arange(n) % 3
    edges = [(i, j) for i, j in combinations(range(n), 2) if rng.random() < (0.5 if truth[i] == truth[j] else 0.05)]
    built = model(kind, edges, n=n)
    for start in (np.zeros(n, dtype=int), np.arange(n), rng.integers(0, 5, n), truth):
        assert built.score(built.improve(start)) >= built.score(start) - 1e-6
    assert len(set(zip(built.improve(truth).tolist(), truth.tolist(), strict=True))) == 3


@pytest.mark.parametrize("kind", KINDS)
def test_samples_come_with_their_log_joint_and_do_not_depend_on_threads(kind):
    built = model(kind)
    starts = [[0] * N, [0, 0, 0, 1, 1, 1]]
    first, second = (built.sample(starts, 20, 50, seed=3, splits=1.0, threads=threads) for threads in (1, 2))
    assert np.array_equal(first.samples, second.samples)
    for sample, value in zip(first.samples[0], first.log_joint[0], strict=True):
        assert built.log_joint(sample) == pytest.approx(value, abs=1e-8)


def test_chains_that_got_stuck_are_left_out():
    """Two cliques: after a single sweep a chain that began with both mixed is far below one that began at them."""
    edges = [*combinations(range(8), 2), *combinations(range(8, 16), 2)]
    built = model("sbm", edges, n=16, n_clusters=2)
    cliques, mixed = [0] * 8 + [1] * 8, [0, 1] * 8
    assert built.sample([cliques, cliques], 20, 40).usable.all()
    far = built.sample([cliques, mixed], 1, 1, burn_in=0.0, splits=0.0)
    assert far.usable.tolist() == [True, False]
    assert built.sample([mixed, cliques], 1, 1, burn_in=0.0, splits=0.0, tolerance=1000.0).usable.all()
    assert built.sample([cliques, mixed], 20, 400).usable.all()


def test_hyperparameters_are_inferred_from_a_partition():
    rng = np.random.default_rng(0)
    n = 400
    truth = np.arange(n) % 4
    p = np.where(truth[:, None] == truth, 0.3, 0.02)
    edges = np.argwhere(np.triu(rng.random((n, n)) < p, 1))
    settings = StochasticBlockModel(*edges.T, n).fitted(truth).settings
    within, between = settings.within, settings.between
    assert within[0] / sum(within) == pytest.approx(0.3, abs=0.08)
    assert between[0] / sum(between) == pytest.approx(0.02, abs=0.03)
    alike = PlantedPartitionModel(*edges.T, n).fitted(truth).settings.alpha
    assert alike > 50
    theta = rng.pareto(1.5, n) + 0.2
    p = np.minimum(np.outer(theta, theta) * np.where(truth[:, None] == truth, 0.1, 0.005), 1)
    edges = np.argwhere(np.triu(rng.random((n, n)) < p, 1))
    assert PlantedPartitionModel(*edges.T, n).fitted(truth).settings.alpha < 5


def test_fitting_costs_its_choices_and_gains_more():
    rng = np.random.default_rng(0)
    edges = np.argwhere(np.triu(rng.random((100, 100)) < 0.02, 1))
    plain = StochasticBlockModel(*edges.T, 100)
    fitted = plain.fitted(np.zeros(100, dtype=int))
    labels = np.zeros(100, dtype=int)
    assert plain.log_joint(labels) < fitted.score(labels) < fitted.log_joint(labels)


def test_shares_of_communities():
    star = model("sbm", [(0, i) for i in range(1, 6)])
    assert star.assortative_share([0, 1, 1, 1, 1, 1]) == pytest.approx(1 / 6)  # the hub alone is one
    assert star.assortative_share([0] * 6) == 1.0
    cliques = model("dc-sbm", [*combinations(range(3), 2), *combinations(range(3, 6), 2), (0, 3)])
    assert cliques.assortative_share([0, 0, 0, 1, 1, 1]) == 1.0


@pytest.mark.parametrize(("concentration", "discount"), [(1.0, 0.0), (0.7, 0.4)])
def test_crp_table(concentration, discount):
    log_v, log_w = crp_prior(N, concentration, discount)
    for labels in oracles.set_partitions(N):
        value = log_v[max(labels) + 1] + sum(log_w[size] for size in Counter(labels).values())
        assert value == pytest.approx(log_probability(labels, concentration, discount=discount))


def test_sized_prior_prefers_sizes_in_the_range():
    log_v, log_w = sized_prior(N, 2, 2, 4)
    assert np.isfinite(log_v).tolist() == [True, False, True, False, False, False, False, False]
    three, five = (log_w[a] + log_w[N - a] - lgamma(a + 1) - lgamma(N - a + 1) for a in (3, 5))
    assert three == pytest.approx(0)
    assert five == pytest.approx(-60)


def test_effective_sample_size_of_an_autoregression():
    rng = np.random.default_rng(0)
    rho, length = 0.8, 4000
    x = np.zeros((4, length))
    noise = rng.standard_normal((4, length))
    for t in range(1, length):
        x[:, t] = rho * x[:, t - 1] + noise[:, t]
    assert effective_sample_size(x) == pytest.approx(4 * length * (1 - rho) / (1 + rho), rel=0.2)
    assert effective_sample_size(x + 100 * np.arange(4)[:, None]) < 10  # chains that do not mix
    assert effective_sample_size(np.zeros((2, 10))) == 2  # the same partition again and again: stuck, or all there is
    assert effective_sample_size(np.array([[0.0] * 10, [3.0] * 10])) == 2  # two that never moved


def test_r_hat_tells_chains_apart():
    noise = np.random.default_rng(0).standard_normal((4, 500))
    assert r_hat(noise) == pytest.approx(1, abs=0.02)
    assert r_hat(noise + np.arange(4)[:, None]) > 1.4
    assert r_hat(noise[:1] + np.linspace(0, 3, 500)) > 1.3  # one chain that is still on its way
    assert r_hat(np.zeros((2, 50))) == r_hat(noise[:, :3]) == 1
    assert r_hat(np.array([[0.0] * 10, [3.0] * 10])) == math.inf


@CHAINS
def test_samples_are_drawn_at_temperature_1(n_samples, tolerance):
    """Even where no sweep is left for the burn-in, in which the temperature falls."""
    built = model("sbm")
    chains = built.sample([[0] * N], n_samples, n_samples, temperature=50.0)
    assert chains.samples.shape == (1, n_samples, N)
    assert distance(posterior(built.log_joint), frequencies(chains)) < tolerance


def test_rounding_errors_of_equal_samples_are_no_sign_of_stuck_chains():
    samples = np.zeros((2, 10, 4), dtype=np.int64)
    chains = Chains.of(samples, np.array([[-1234.5] * 10, [-1234.5 + 1e-9] * 10]), tolerance=4.0)
    assert chains.r_hat == 1


def test_edge_cases():
    for kind in KINDS:
        single = model(kind, [], n=1)
        assert single.improve([0]).tolist() == [0]
        assert math.isfinite(single.log_joint([0]))
        assert single.sample([[0]], 2, 2).samples.shape == (1, 2, 1)
        empty = model(kind, [], n=5)
        assert math.isfinite(empty.log_joint([0, 0, 1, 1, 2]))
        assert np.isfinite(empty.sample([[0, 0, 1, 1, 2]], 3, 5, splits=1.0).log_joint).all()
        assert np.isfinite(empty.conditional([0, 0, 1, 1, 2])).all()
    for kind in INTEGRATED:
        looped = BLOCK_MODELS[kind]([0, 0, 1], [0, 1, 2], 3)  # which these models leave out
        assert looped.log_joint([0, 0, 0]) == BLOCK_MODELS[kind]([0, 1], [1, 2], 3).log_joint([0, 0, 0])


@pytest.mark.parametrize("name", KINDS)
def test_a_model_is_registered_under_its_name(name):
    assert BLOCK_MODELS[name].name == name


def test_uniform_prior_gives_each_labelling_the_same_probability():
    log_v, log_w = uniform_prior(6, 3)
    total = 0.0
    seen = set()
    for labels in product(range(3), repeat=6):
        first = {}
        canonical = tuple(first.setdefault(label, len(first)) for label in labels)
        if len(first) == 3 and canonical not in seen:
            seen.add(canonical)
            counts = np.bincount(canonical)
            total += math.exp(log_v[3] + log_w[counts].sum())
    surjections = sum(len(set(labels)) == 3 for labels in product(range(3), repeat=6))
    assert total == pytest.approx(surjections / 3**6)
