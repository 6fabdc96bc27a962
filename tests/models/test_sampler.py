"""Samples and probabilities of partitions: one law, whatever the padding, the companions and the order of the nodes."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy import stats

from graphclust.models import sampler
from graphclust.models.build import ModelConfig, build
from graphclust.models.clusterwise import Sets
from graphclust.models.sampler import canonical, draw, log_probability, sample
from graphclust.nn.batch import Batch
from tests import oracles

MODELS = ["acp", "acp-s", "ccp"]
ENCODERS = ["graphsage", "gated-gcn", "graph-transformer", "points"]
FEATURES = 3


def made(kind, encoder="points", scale=1.5, seed=0, **options):
    """A model that was never trained, but whose decoder is scaled: its probabilities are far from uniform."""
    config = ModelConfig(
        model=kind, encoder=encoder, n_features=FEATURES, dim=16, dim_z=4, n_heads=4, n_inducing=3, n_layers=2,
        depth_decoder=3, depth_gaussian=2, **options,
    )  # fmt: skip
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = build(config).double().eval()
    with torch.no_grad():
        for parameter in model.decoder.parameters():
            parameter.mul_(scale)
    return model


def graph(n, rng):
    upper = np.triu(rng.random((n, n)) < 0.5, 1)
    return rng.normal(size=(n, FEATURES)), upper | upper.T


def batch_of(graphs, width=None):
    width = width or max(len(x) for x, _ in graphs)
    x, adjacency = np.zeros((len(graphs), width, FEATURES)), np.zeros((len(graphs), width, width), dtype=bool)
    for i, (features, matrix) in enumerate(graphs):
        n = len(features)
        x[i, :n], adjacency[i, :n, :n] = features, matrix
    batch = Batch.of(x, np.array([len(features) for features, _ in graphs]), adjacency)
    return replace(batch, x=torch.from_numpy(x))  # in float64


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def encode(model, batch):
    with torch.no_grad():
        return model.encode(batch)


def assert_near(actual, wanted, tolerance=1e-10):
    np.testing.assert_allclose(actual, wanted, rtol=tolerance, atol=tolerance)


# ------------------------------------------------------------------------------------------------------- probabilities


@pytest.mark.parametrize("encoder", ENCODERS)
@pytest.mark.parametrize("kind", MODELS)
def test_probabilities_of_all_partitions_of_five_nodes_sum_to_one(kind, encoder, rng):
    """Eq. (33) is of clusters in their order, so each of the 52 partitions counts in every order of its clusters."""
    everything = oracles.ordered_partitions(5)
    partitions = {tuple(labels) for labels in canonical(torch.tensor(everything)).tolist()}
    assert (len(partitions), len(everything)) == (52, 541)
    for seed in range(3):
        model = made(kind, encoder, seed=seed)
        nodes = encode(model, batch_of([graph(5, rng)]))
        p = log_probability(model, nodes, torch.tensor(everything), n_anchors=5).exp().numpy()
        assert p.sum() == pytest.approx(1, abs=1e-12)
        assert p.max() > 5 / 541


@pytest.mark.parametrize("n", [1, 2, 3])
def test_few_nodes(n, rng):
    model = made("acp")
    nodes = encode(model, batch_of([graph(n, rng)]))
    actual = log_probability(model, nodes, torch.tensor(oracles.ordered_partitions(n)))
    assert actual.exp().sum().item() == pytest.approx(1, abs=1e-12)
    if n == 1:
        assert actual.tolist() == [0.0]


@pytest.mark.parametrize("encoder", ENCODERS)
@pytest.mark.parametrize("kind", MODELS)
def test_order_of_the_nodes(kind, encoder, rng):
    model, (x, adjacency) = made(kind, encoder), graph(6, rng)
    order = rng.permutation(6)
    moved = x[order], adjacency[np.ix_(order, order)]
    ranks = torch.tensor([[0, 1, 0, 2, 1, 2], [0] * 6, [5, 4, 3, 2, 1, 0], [1, 1, 0, 1, 1, 1]])
    actual, wanted = (
        log_probability(model, encode(model, batch_of([entry])), r, n_anchors=6)
        for entry, r in ((moved, ranks[:, order]), ((x, adjacency), ranks))
    )
    assert_near(actual, wanted)


@pytest.mark.parametrize("n_z", [0, 3])
@pytest.mark.parametrize("encoder", ENCODERS)
@pytest.mark.parametrize("kind", MODELS)
def test_padding_changes_nothing(kind, encoder, n_z, rng):
    model, graphs = made(kind, encoder), [graph(5, rng), graph(3, rng)]
    ranks = torch.tensor([[0, 1, 0, 2, 1], [0, 0, 1, -1, -1], [1, 0, 0, 0, 0]])
    owner = torch.tensor([0, 1, 0])
    values = []
    for width in (5, 8):
        padded = torch.nn.functional.pad(ranks, (0, width - 5), value=-1)
        nodes = encode(model, batch_of(graphs, width))
        values.append(log_probability(model, nodes, padded, owner, 2 if n_z else 10, n_z, generator()))
    assert_near(values[1], values[0])


@pytest.mark.parametrize("kind", MODELS)
def test_other_partitions_do_not_matter(kind, rng):
    model, graphs = made(kind, "graph-transformer"), [graph(5, rng), graph(3, rng), graph(1, rng)]
    nodes = encode(model, batch_of(graphs))
    ranks = torch.tensor([[0, 1, 0, 2, 1], [0, 0, 1, -1, -1], [1, 0, 0, 0, 0], [0, -1, -1, -1, -1], [0, 1, 2, 3, 4]])
    owner = torch.tensor([0, 1, 0, 2, 0])
    actual = log_probability(model, nodes, ranks, owner)
    alone = [
        log_probability(model, encode(model, batch_of([graphs[i]])), row[None, : len(graphs[i][0])]).item()
        for row, i in zip(ranks, owner.tolist(), strict=True)
    ]
    assert_near(actual, alone)
    assert actual[3] == 0
    for max_cells in (1, 7, 100):
        assert_near(log_probability(model, nodes, ranks, owner, max_cells=max_cells), actual)


def test_factors_that_are_shared_are_computed_once(rng, monkeypatch):
    """Those of one set after the same clusters, in whatever order these were taken."""
    model = made("acp")
    nodes = encode(model, batch_of([graph(6, rng), graph(6, rng)]))
    ranks = torch.tensor([
        [0, 0, 1, 1, 2, 2],
        [1, 1, 0, 0, 2, 2],  # the last factor is that of the first row
        [0, 0, 1, 1, 3, 2],  # the first two are
        [0, 0, 1, 1, 2, 2],  # of another graph
        [0, 0, 1, 1, 2, 2],  # the same again
    ])  # fmt: skip
    owner = torch.tensor([0, 0, 0, 1, 0])
    actual = log_probability(model, nodes, ranks, owner)
    rows = []
    factor = sampler._factor
    monkeypatch.setattr(sampler, "_factor", lambda *args: rows.append(len(args[2].graph)) or factor(*args))
    assert torch.equal(log_probability(model, nodes, ranks, owner), actual)
    assert sum(rows) == 3 + 2 + 1 + 3  # the last of the third row is of one node
    for row, i, value in zip(ranks, owner, actual, strict=True):
        assert_near(log_probability(model, nodes, row[None], i[None]), value[None])


def test_clusters_that_most_partitions_have_come_first():
    ranks = torch.tensor([[0, 1, 1, 2, 2, 2], [2, 1, 1, 1, 0, 0], [2, 1, 1, 0, 3, 3]])
    first = sampler._frequent_first(ranks, None)
    assert first.tolist() == [[0, 1, 1, 2, 2, 2], [0, 2, 2, 2, 1, 1], [0, 1, 1, 3, 2, 2]]
    first = sampler._frequent_first(ranks, torch.tensor([[0, 0, 0, 5, 0, 0]]))  # that with a known node before all
    assert first.tolist() == [[1, 2, 2, 0, 0, 0], [1, 0, 0, 0, 2, 2], [1, 2, 2, 0, 3, 3]]
    first = sampler._frequent_first(torch.tensor([[1, 0, 0, -1], [1, 1, 0, -1]]), None)
    assert first.tolist() == [[1, 0, 0, -1], [0, 0, 1, -1]]


def test_draw_gives_the_log_probability_of_an_order_of_each_partition(rng):
    model, graphs = made("acp", scale=2.0), batch_of([graph(6, rng)])
    ranks, log_prob, drawn = draw(model, graphs, 12, generator=generator())
    assert drawn.tolist() == [True] * 12 + [False] * 12
    labels = canonical(ranks)
    distinct, index = torch.unique(labels, dim=0, return_inverse=True)
    assert 2 < len(distinct) < 24
    firsts = [int((index == i).nonzero()[0]) for i in range(len(distinct))]
    orders = sampler._frequent_first(ranks[firsts], None)
    assert_near(log_prob, log_probability(model, encode(model, graphs), orders, ordered=False)[index])


def test_threads_of_ever_more_clusters_are_given_up(rng):
    """Where a node joins with a chance below a half, the most probable way of each is to be alone."""
    model, graphs = made("ccp"), batch_of([graph(60, rng)])
    last = model.decoder.rest.layers[-1]
    with torch.no_grad():
        last.weight.zero_()
        last.bias.fill_(-0.3)
    ranks, log_prob, drawn = draw(model, graphs, 8, generator=generator())
    assert drawn.tolist() == [True] * 8
    assert log_prob.isfinite().all()
    assert ranks.max() < 15
    alone = sample(model, encode(model, graphs), graphs.mask, 4, "map", generator())
    assert alone.max() == 59
    stopped = sample(model, encode(model, graphs), graphs.mask, 4, "map", generator(), max_clusters=3)
    assert stopped.max() == 2
    assert torch.equal(stopped >= 0, (alone >= 0) & (alone < 3))


def test_many_z_agree_with_more(rng):
    """The estimate with M samples converges, to another value than that at the mean of z."""
    model = made("acp", scale=2.0)
    nodes = encode(model, batch_of([graph(4, rng)]))
    ranks = torch.tensor(oracles.ordered_partitions(4)[:10])
    first, second, mean = (log_probability(model, nodes, ranks, None, 10, m, generator(m)) for m in (4000, 5000, 0))
    assert_near(first, second, 0.15)
    assert (first - mean).abs().max() > 0.3


def test_probabilities_that_underflow(rng):
    model = made("ccp", scale=6.0)
    nodes = encode(model, batch_of([graph(30, rng)]))
    actual = log_probability(model, nodes, torch.tensor([list(range(30)), [0] * 30]))
    assert torch.isfinite(actual).all()
    assert actual.min() < -800


# ------------------------------------------------------------------------------------------------------------- samples


def well_formed(ranks, mask):
    """Ranks number the clusters from 0 without a gap; -1 beyond the nodes."""
    assert ranks.dtype == torch.int64
    assert ((ranks >= 0) == mask[:, None]).all()
    for row in ranks.flatten(0, 1).tolist():
        actual = {rank for rank in row if rank >= 0}
        assert actual == set(range(len(actual)))


@pytest.mark.parametrize("mode", ["map", "posterior"])
@pytest.mark.parametrize("encoder", ENCODERS)
@pytest.mark.parametrize("kind", MODELS)
def test_samples_are_partitions(kind, encoder, mode, rng):
    model, batch = made(kind, encoder), batch_of([graph(n, rng) for n in (6, 1, 4)], width=7)
    actual = sample(model, encode(model, batch), batch.mask, 20, mode, generator())
    assert actual.shape == (3, 20, 7)
    well_formed(actual, batch.mask)
    if mode == "posterior":
        assert len({tuple(row) for row in actual[0].tolist()}) > 1


def p_value(seen, p):
    """Chi-square of counts against probabilities; rare partitions count together."""
    expected = p * seen.sum()
    often = expected >= 5
    seen, expected = (np.append(v[often], v[~often].sum()) for v in (seen, expected))
    if expected[-1] < 1:
        assert seen[-1] < 10
        seen, expected = seen[:-1], expected[:-1]
    return stats.chisquare(seen, expected * seen.sum() / expected.sum()).pvalue


@pytest.mark.parametrize("kind", MODELS)
def test_posterior_samples_are_as_frequent_as_their_probability_says(kind, rng):
    model = made(kind, "graph-transformer", scale=2.0)
    batch = batch_of([graph(4, rng)])
    nodes = encode(model, batch)
    drawn = sample(model, nodes, batch.mask, 3000, "posterior", generator(1))[0]
    everything = torch.tensor(oracles.ordered_partitions(4))
    p, at_mean = (log_probability(model, nodes, everything, None, 4, m, generator(2)).exp().numpy() for m in (2500, 0))
    assert p.sum() == pytest.approx(1, abs=0.03)
    counts = Counter(map(tuple, drawn.tolist()))
    in_order = np.array([counts.pop(tuple(row), 0) for row in everything.tolist()])
    assert not counts
    assert p_value(in_order, p / p.sum()) > 1e-3

    codes = [tuple(row) for row in canonical(everything).tolist()]
    names = sorted(set(codes))
    assert len(names) == 15
    of_partition = np.array([[code == name for code in codes] for name in names])
    assert p_value(of_partition @ in_order, of_partition @ p / p.sum()) > 1e-3
    assert p_value(of_partition @ in_order, of_partition @ at_mean) < 1e-3  # another law is told apart


@pytest.mark.parametrize("kind", MODELS)
def test_map_takes_whom_it_expects_to_join_the_anchor(kind, rng):
    """At the mean of z, all whose logit is positive; the anchor is any node."""
    model, batch = made(kind, "graph-transformer", scale=2.0), batch_of([graph(6, rng)])
    everyone = Sets(torch.tensor([0]), torch.arange(6)[None], batch.mask, torch.arange(6)[None])  # each is an anchor
    with torch.no_grad():
        nodes = model.encode(batch)
        _, D, U, G = model.contexts(nodes, everyone, torch.zeros(1, 16, dtype=torch.float64))
        z = model.prior(D, U, G)[0][:, :, None]
        context = model.decoder.context(torch.cat([D, U, G], dim=-1))
        logits = model.decoder(nodes.decoder, context, model.decoder.latent(z))[0, :, 0]
        shift = logits.median() - 0.01  # so that about half of them join
        model.decoder.rest.layers[-1].bias -= shift
    chosen = (logits > shift) | torch.eye(6, dtype=torch.bool)
    wanted = Counter(tuple(row) for row in chosen.tolist())
    assert len(wanted) > 1
    drawn = sample(model, nodes, batch.mask, 1200, "map", generator())[0] == 0
    counts = Counter(tuple(row) for row in drawn.tolist())
    assert counts.keys() == wanted.keys()
    seen, expected = zip(*((counts[key], 200 * wanted[key]) for key in wanted), strict=True)
    assert stats.chisquare(seen, expected).pvalue > 1e-3


@pytest.mark.parametrize("kind", MODELS)
def test_map_is_fixed_by_the_generators_seed_whatever_the_memory(kind, rng):
    model, batch = made(kind, "graphsage", scale=2.0), batch_of([graph(n, rng) for n in (12, 1, 9)], width=14)
    nodes = encode(model, batch)
    state = torch.get_rng_state()
    wanted = sample(model, nodes, batch.mask, 12, generator=generator(5))
    assert torch.equal(torch.get_rng_state(), state)
    for max_cells in (1, 100, 1 << 21):
        assert torch.equal(sample(model, nodes, batch.mask, 12, "map", generator(5), max_cells=max_cells), wanted)


def test_posterior_is_fixed_by_the_generators_seed(rng):
    model, batch = made("acp"), batch_of([graph(8, rng)])
    nodes = encode(model, batch)
    first, second, other = (sample(model, nodes, batch.mask, 10, "posterior", generator(s)) for s in (5, 5, 6))
    assert torch.equal(first, second)
    assert not torch.equal(first, other)


@pytest.mark.parametrize("mode", ["map", "posterior"])
def test_small_memory_gives_partitions_too(mode, rng):
    model, batch = made("acp"), batch_of([graph(n, rng) for n in (6, 4)])
    well_formed(sample(model, encode(model, batch), batch.mask, 10, mode, generator(), max_cells=1), batch.mask)


def test_anchors_are_uniform(rng):
    """A model in which nobody joins takes the nodes one by one, in random order."""
    model, batch = made("ccp"), batch_of([graph(3, rng)])
    with torch.no_grad():
        model.decoder.rest.layers[-1].bias.fill_(-1e4)
    drawn = sample(model, encode(model, batch), batch.mask, 3000, "posterior", generator())[0]
    counts = Counter(map(tuple, drawn.tolist()))
    assert len(counts) == 6
    assert stats.chisquare(list(counts.values())).pvalue > 1e-3


# -------------------------------------------------------------------------------------------------------- known labels

KNOWN = [[0, 3, 0, 1, 1, 0, 2, 3, 0], [0, 0, 2, 0, 0, 0, 0, 0, 0], [0] * 9, [1, 1, 2, 2, 3, 3, 1, 2, 3]]


@pytest.mark.parametrize("bias", [-1e4, 0.0, 1e4], ids=["nobody joins", "some join", "all join"])
@pytest.mark.parametrize("mode", ["map", "posterior"])
@pytest.mark.parametrize("kind", MODELS)
def test_known_labels_are_kept(kind, mode, bias, rng):
    sizes = (9, 6, 5, 9)
    model, batch = made(kind, "graph-transformer", n_labels=3), batch_of([graph(n, rng) for n in sizes], width=9)
    with torch.no_grad():
        model.decoder.rest.layers[-1].bias.add_(bias)
    known = torch.tensor(KNOWN)
    nodes = encode(model, replace(batch, known=known))
    drawn = sample(model, nodes, batch.mask, 25, mode, generator(), known=known)
    well_formed(drawn, batch.mask)
    for rows, labels, n in zip(drawn.tolist(), KNOWN, sizes, strict=True):
        certain = [i for i in range(n) if labels[i]]
        for row in rows:
            for i in certain:
                for j in certain:
                    assert (row[i] == row[j]) == (labels[i] == labels[j])
            n_labels = len({labels[i] for i in certain})
            assert {row[i] for i in certain} == set(range(n_labels))  # known nodes are the first anchors
    assert (canonical(drawn[3]) == canonical(known[3:] - 1)).all()
    if bias:
        everyone = len({tuple(row) for row in canonical(drawn[2]).tolist()})
        assert everyone == 1
        assert drawn[2, :, :5].max() == (0 if bias > 0 else 4)


def orders_told(known):
    """All ordered partitions of so many nodes that keep the known labels, those clusters first."""
    everything = torch.tensor(oracles.ordered_partitions(len(known)))
    certain = [i for i, label in enumerate(known) if label]
    right = [
        all((row[i] == row[j]) == (known[i] == known[j]) for i in certain for j in certain)
        and {row[i] for i in certain} == set(range(len({known[i] for i in certain})))
        for row in everything.tolist()
    ]
    return everything, torch.tensor(right)


@pytest.mark.parametrize("known", [[0, 2, 0, 1, 2], [0, 0, 0, 3, 0], [1, 1, 2, 2, 2]])
def test_probabilities_given_known_labels_sum_to_one(known, rng):
    """Over what `sample` can draw; all else is impossible."""
    model, batch = made("acp", "graph-transformer", scale=2.0, n_labels=3), batch_of([graph(5, rng)])
    labels = torch.tensor([known])
    nodes = encode(model, replace(batch, known=labels))
    everything, right = orders_told(known)
    p = log_probability(model, nodes, everything, n_anchors=5, known=labels).exp()
    assert p[right].sum().item() == pytest.approx(1, abs=1e-12)
    assert p[~right].eq(0).all()
    certain = [i for i, label in enumerate(known) if label]
    apart = [any((row[i] == row[j]) != (known[i] == known[j]) for i in certain for j in certain) for row in everything]
    without = log_probability(model, nodes, everything, n_anchors=5, known=labels, ordered=False).exp()
    assert without[torch.tensor(apart)].eq(0).all()
    assert (without[right] >= p[right]).all()


def test_posterior_samples_given_known_labels_are_as_frequent_as_their_probability_says(rng):
    model, batch = made("acp", "graph-transformer", scale=2.0, n_labels=3), batch_of([graph(5, rng)])
    known = [0, 2, 0, 1, 0]
    labels = torch.tensor([known])
    nodes = encode(model, replace(batch, known=labels))
    everything, right = orders_told(known)
    drawn = sample(model, nodes, batch.mask, 3000, "posterior", generator(1), known=labels)[0]
    counts = Counter(map(tuple, drawn.tolist()))
    seen = np.array([counts.pop(tuple(row), 0) for row in everything[right].tolist()])
    assert not counts
    p = log_probability(model, nodes, everything[right], None, 5, 2500, generator(2), labels).exp().numpy()
    assert p_value(seen, p / p.sum()) > 1e-3
    unconditional = log_probability(model, nodes, everything[right], None, 5, 2500, generator(2)).exp().numpy()
    assert p_value(seen, unconditional / unconditional.sum()) < 1e-3  # another law is told apart


def test_the_first_anchor_is_any_known_node(rng):
    model, batch = made("ccp", n_labels=3), batch_of([graph(6, rng)])
    known = torch.tensor([[0, 1, 0, 2, 2, 0]])
    drawn = sample(model, encode(model, batch), batch.mask, 3000, "posterior", generator(), known=known)[0]
    assert stats.binomtest(int((drawn[:, 1] == 0).sum()), 3000, 1 / 3).pvalue > 1e-3


def test_no_known_label_is_as_without(rng):
    model, batch = made("acp"), batch_of([graph(6, rng), graph(4, rng)])
    nodes = encode(model, batch)
    none = torch.zeros(2, 6, dtype=torch.int64)
    first, second = (
        sample(model, nodes, batch.mask, 20, "posterior", generator(), known=known) for known in (None, none)
    )
    assert torch.equal(first, second)


# ----------------------------------------------------------------------------------------------------------- canonical


def test_canonical_of_every_partition():
    everything = torch.tensor(oracles.ordered_partitions(5))
    actual = canonical(everything)
    for row, ranks in zip(actual.tolist(), everything.tolist(), strict=True):
        assert row == [ranks.index(rank) for rank in ranks]
    assert torch.equal(canonical(actual), actual)


def test_canonical_keeps_shape_and_padding():
    ranks = torch.tensor([[[3, -1, 3, 0], [-1, 2, 2, 2]], [[0, 1, 2, 3], [-1, -1, -1, -1]]])
    assert canonical(ranks).tolist() == [[[0, -1, 0, 3], [-1, 1, 1, 1]], [[0, 1, 2, 3], [-1, -1, -1, -1]]]
    assert canonical(torch.tensor([7, 2, 7])).tolist() == [0, 1, 0]
    assert canonical(torch.zeros(0, 4, dtype=torch.int64)).shape == (0, 4)
    assert canonical(torch.zeros(2, 0, dtype=torch.int64)).shape == (2, 0)


def test_chance_of_the_anchor(rng):
    """If all join with certainty, the one cluster is certain; if nobody does, each order has its share."""
    model, batch = made("acp"), batch_of([graph(4, rng)])
    with torch.no_grad():
        model.decoder.rest.layers[-1].bias.fill_(1e4)
    nodes = encode(model, batch)
    actual = log_probability(model, nodes, torch.tensor([[0, 0, 0, 0], [1, 0, 0, 0]]))
    assert actual[0].item() == pytest.approx(0, abs=1e-12)
    assert actual[1] < -1000
    with torch.no_grad():
        model.decoder.rest.layers[-1].bias.fill_(-1e4)
    actual = log_probability(model, nodes, torch.tensor([[2, 0, 3, 1]]))
    assert actual.item() == pytest.approx(-math.log(24), abs=1e-12)
