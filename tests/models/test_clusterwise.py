"""The clusterwise models: each factor as the paper writes it, the ELBO, and its gradients."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy import stats
from torch.nn.functional import logsigmoid

from graphclust.models.build import ModelConfig, build
from graphclust.models.clusterwise import Decoder, Sets, _Bound, random_ranks
from graphclust.models.sampler import log_probability
from graphclust.nn.batch import Batch
from tests.marks import slow

MODELS = ["acp", "acp-s", "ccp"]
ENCODERS = ["graphsage", "gated-gcn", "graph-transformer", "points"]
FEATURES = 3
TINY = {"n_features": FEATURES, "dim": 16, "dim_z": 4, "n_heads": 4, "n_inducing": 3, "n_layers": 2}


def made(kind, encoder="points", scale=1.5, seed=0, **options):
    """A model that was never trained, in evaluation mode; scaled so that z and the nodes matter, and q is near p."""
    config = ModelConfig(model=kind, encoder=encoder, **TINY, depth_decoder=3, depth_gaussian=2, **options)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = build(config).double().eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.startswith(("decoder", "prior", "posterior")):
                parameter.mul_(scale if name.startswith("decoder") else 0.7)
    return model


def graph(labels, rng):
    """Features, adjacency, and labels of a graph with such clusters."""
    n = len(labels)
    same = np.equal.outer(labels, labels)
    upper = np.triu(rng.random((n, n)) < np.where(same, 0.8, 0.3), 1)
    return rng.normal(size=(n, FEATURES)), upper | upper.T, np.array(labels)


def batch_of(graphs, width=None):
    width = width or max(len(x) for x, *_ in graphs)
    x, adjacency = np.zeros((len(graphs), width, FEATURES)), np.zeros((len(graphs), width, width), dtype=bool)
    labels = np.full((len(graphs), width), -1)
    for i, (features, matrix, truth) in enumerate(graphs):
        n = len(features)
        x[i, :n], adjacency[i, :n, :n], labels[i, :n] = features, matrix, truth
    batch = Batch.of(x, np.array([len(features) for features, *_ in graphs]), adjacency, labels)
    return replace(batch, x=torch.from_numpy(x))  # in float64


LABELS = [[0, 1, 0, 2, 1, 0, 2], [0, 0, 1, 0], [2, 0, 1, 1, 2, 2]]


@pytest.fixture
def graphs(rng):
    return [graph(labels, rng) for labels in LABELS]


def assert_near(actual, wanted, tolerance=1e-10):
    np.testing.assert_allclose(
        torch.as_tensor(actual).detach(), torch.as_tensor(wanted).detach(), rtol=tolerance, atol=tolerance
    )


# ------------------------------------------------------- one factor, as appendix A writes it; blocks are tested in nn


def pooled(block, rows):
    return block.block(block.seed[None], rows[None])[0, 0]


def contexts(model, x, previous, available, anchor, cluster):
    """D, U, G, A_in, A_out, and the nodes as the decoder reads them: eqs. (26), (27), (35) to (41)."""
    e, kind = model.encodings, type(model.encodings).__name__
    others = [i for i in available if i != anchor]
    into, out = [i for i in others if i in cluster], [i for i in others if i not in cluster]
    G = torch.zeros(e.dim, dtype=x.dtype)
    if kind == "CCPEncodings":
        for s in previous:
            G = G + e.g(sum(e.h(x[i]) for i in s))
        sums = [sum((e.u(x[i]) for i in some), torch.zeros(e.dim, dtype=x.dtype)) for some in (others, into, out)]
        return x[anchor], sums[0], G, sums[1], sums[2], x
    if kind == "ACPSEncodings":
        x = e.attended(x[None])[0]
        D, U = x[anchor], pooled(e.pool_available, e.u(x[others]))
        A_in, A_out = pooled(e.pool_in, e.u(x[into])), pooled(e.pool_out, e.u(x[out]))
    else:
        bar = dict(zip([anchor, *others], e.attended(e.u(x[[anchor, *others]])[None])[0], strict=True))
        D = bar[anchor]
        U = pooled(e.pool_available, e.to_anchor(torch.stack([bar[i] for i in others])[None], D[None, None])[0, 0])
        A_in, A_out = (
            pooled(pool, torch.stack([bar[i] for i in some]) if some else x[:0])
            for pool, some in ((e.pool_in, into), (e.pool_out, out))
        )
    for s in previous:
        G = G + e.g(pooled(e.pool_cluster, e.h(x[s])))
    return D, U, G, A_in, A_out, x


def log_likelihood(model, context, z, available, anchor, cluster):
    """log p(b | z): eqs. (19), (46) and (49), of the concatenation of all inputs."""
    D, U, G, _, _, x = context
    first = torch.cat([model.decoder.node.weight, model.decoder.context.weight, model.decoder.latent.weight], dim=1)
    total = 0.0
    for i in available:
        if i != anchor:
            hidden = first @ torch.cat([x[i], D, U, G, z]) + model.decoder.context.bias
            logit = model.decoder.rest(model.decoder.first(hidden))[0]
            total = total + (logsigmoid(logit) if i in cluster else logsigmoid(-logit))
    return total


def sequence(ranks):
    """The clusters in their order, each with the nodes available to it; but for a last one that has no choice."""
    ranks = [int(r) for r in ranks if r >= 0]
    for k in range(max(ranks) + 1):
        available = [i for i, r in enumerate(ranks) if r >= k]
        if len(available) > 1:
            previous = [[i for i, r in enumerate(ranks) if r == j] for j in range(k)]
            yield previous, available, [i for i, r in enumerate(ranks) if r == k]


def log_normal(z, mean, log_scale):
    return torch.distributions.Normal(mean, log_scale.exp()).log_prob(z).sum(-1)


def encoded(model, graph):
    return model.encoder(batch_of([graph]))[0]


@pytest.mark.parametrize("kind", MODELS)
def test_encodings_of_sets_are_those_of_the_paper(kind, graphs):
    model, batch = made(kind), batch_of(graphs)
    nodes = model.encode(batch)
    members = torch.tensor([[True] * 7, [False, True, True, True, False, True, True], [True] * 4 + [False] * 3])
    owner = torch.tensor([0, 0, 1])
    cluster = [[0, 2, 5], [1, 2], [3]]
    previous = [[], [[4], [0]], []]
    sets = Sets.of(owner, members)
    anchors = [[2, 5], [1, 2], [3, 3]]
    places = [
        [row[: int(m.sum())].tolist().index(i) for i in a]
        for row, m, a in zip(sets.index, members, anchors, strict=True)
    ]
    sets = sets.with_anchors(torch.tensor(places))
    earlier = torch.zeros(3, 2, 7, dtype=torch.bool)
    for row, some in enumerate(previous):
        for j, s in enumerate(some):
            earlier[row, j, s] = True
    G = model.cluster_terms(nodes, earlier, owner).sum(dim=1)  # an empty set has no term
    joined = torch.stack([
        torch.isin(index, torch.tensor(s)) & mask
        for index, mask, s in zip(sets.index, sets.mask, cluster, strict=True)
    ])  # fmt: skip
    candidates = sets.candidates()
    joins = joined[:, None] & candidates
    found_members, *DUG = model.contexts(nodes, sets, G)
    A = model.encodings.split(found_members, joins, candidates & ~joins)
    for row in range(3):
        x = encoded(model, graphs[owner[row]])
        available = members[row].nonzero().squeeze(1).tolist()
        for t, anchor in enumerate(anchors[row]):
            wanted = contexts(model, x, previous[row], available, anchor, cluster[row])
            for entry, value in zip((*DUG, *A), wanted, strict=False):
                assert_near(entry[row, t], value)
            assert_near(nodes.decoder[owner[row], : len(x)], wanted[5] @ model.decoder.node.weight.T)


@pytest.mark.parametrize("encoder", ["points", "graph-transformer"])
@pytest.mark.parametrize("kind", MODELS)
def test_log_probability_is_equation_33_at_the_mean_of_z(kind, encoder, graphs):
    model, batch = made(kind, encoder), batch_of(graphs)
    ranks, _ = random_ranks(batch.labels, torch.from_numpy(np.random.default_rng(0).random(batch.labels.shape)))
    nodes, owner = model.encode(batch), torch.arange(3)
    actual = log_probability(model, nodes, ranks, owner)
    without_order = log_probability(model, nodes, ranks, owner, ordered=False)
    for value, other, row, entry in zip(actual, without_order, ranks, graphs, strict=True):
        x, total, chances = encoded(model, entry), 0.0, 0.0
        for previous, available, cluster in sequence(row):
            members = []
            for anchor in cluster:
                context = contexts(model, x, previous, available, anchor, cluster)
                z = model.prior(*context[:3])[0]
                members.append(log_likelihood(model, context, z, available, anchor, cluster))
            total = total + torch.logsumexp(torch.stack(members), dim=0) - math.log(len(available))
            chances += math.log(len(cluster) / len(available))
        assert_near(value, total)
        assert_near(other, total - chances)


def test_few_anchors_are_drawn_from_the_cluster_without_replacement(graphs):
    model = made("acp")
    nodes, ranks = model.encode(batch_of(graphs[1:2])), torch.zeros(1, 4, dtype=torch.int64)
    x = encoded(model, graphs[1])
    members = []
    for anchor in range(4):
        context = contexts(model, x, [], [0, 1, 2, 3], anchor, [0, 1, 2, 3])
        z = model.prior(*context[:3])[0]
        members.append(log_likelihood(model, context, z, [0, 1, 2, 3], anchor, [0, 1, 2, 3]).exp().item())
    for T in (1, 2, 3, 4, 9):
        wanted = sorted(np.mean(some) for some in itertools.combinations(members, min(T, 4)))
        actual = {
            round(float(log_probability(model, nodes, ranks, None, T, 0, torch.Generator().manual_seed(s)).exp()), 12)
            for s in range(40)
        }
        np.testing.assert_allclose(sorted(actual), wanted, atol=1e-11)


# ------------------------------------------------------------------------------------------------------ ELBO, gradient


def literal_log_weights(model, graph_input, seed, n_z, known=None):
    """Yield for each factor log N_k / |I_k|, the log weight as a function of z, and the samples of z.

    Random numbers come in the model's order: keys of the clusters, keys of the anchors, the noise of z. The mean and
    scale of q are fixed in log q.
    """
    generator = torch.Generator().manual_seed(seed)
    labels = graph_input[2].tolist()
    later = torch.zeros(len(labels)) if known is None else (known == 0).float()
    keys = torch.rand(len(labels), generator=generator) + later
    anchor_keys = torch.rand(len(labels), generator=generator) + later
    ordered = sorted(set(labels), key=lambda c: min(keys[i].item() for i, label in enumerate(labels) if label == c))
    factors = list(sequence([ordered.index(label) for label in labels]))
    noise = torch.randn((len(factors), n_z, TINY["dim_z"]), generator=generator, dtype=torch.float64)
    batch = batch_of([graph_input])
    x = model.encoder(batch if known is None else replace(batch, known=known[None]))[0]
    for (previous, available, cluster), draws in zip(factors, noise, strict=True):
        anchor = min(cluster, key=lambda i: anchor_keys[i].item())
        free, eligible = available, available
        if known is not None and any(known[i] for i in available):
            eligible = [i for i in available if known[i]]
            free = [i for i in available if not known[i]]  # whether the others join is known: the anchor's label is
        context = contexts(model, x, previous, available, anchor, cluster)
        D, _, G, A_in, A_out, _ = context
        q_mean, q_log_scale = model.posterior(D, A_in, A_out, G)
        fixed = q_mean.detach(), q_log_scale.detach()

        def log_weight(z, case=(context, free, anchor, cluster), q=fixed):
            context, *rest = case
            p = log_likelihood(model, context, z, *rest) + log_normal(z, *model.prior(*context[:3]))
            return p - log_normal(z, *q)

        chance = len(set(cluster) & set(eligible)) / len(eligible)
        yield math.log(chance), log_weight, q_mean + q_log_scale.exp() * draws


def literal_elbo(model, graph_input, seed, n_z, known=None):
    total = 0.0
    for chance, log_weight, z in literal_log_weights(model, graph_input, seed, n_z, known):
        members = torch.stack([log_weight(row) for row in z])
        total += chance + torch.logsumexp(members, dim=0).item() - math.log(n_z)
    return total


@pytest.mark.parametrize("gradient", [True, False], ids=["with gradient", "without"])
@pytest.mark.parametrize("encoder", ["points", "gated-gcn"])
@pytest.mark.parametrize("kind", MODELS)
def test_elbo_is_the_importance_weighted_bound(kind, encoder, gradient, graphs):
    model, seeds = made(kind, encoder), [5, 6, 7]
    with torch.set_grad_enabled(gradient):
        actual = model(batch_of(graphs), 3, seeds)
    wanted = [literal_elbo(model, entry, seed, 3) for entry, seed in zip(graphs, seeds, strict=True)]
    assert_near(actual.per_graph, np.array(wanted), 1e-6)  # log N_k / |I_k| is in float32
    assert_near(actual.total, sum(wanted), 1e-6)
    assert actual.total.requires_grad is gradient
    assert not actual.per_graph.requires_grad


def test_elbo_with_known_labels_takes_known_nodes_first(graphs):
    model = made("acp", n_labels=3)
    known = torch.tensor([[0, 3, 0, 1, 0, 0, 0], [0, 0, 2, 0, 0, 0, 0], [0] * 7])
    actual = model(replace(batch_of(graphs), known=known), 3, [5, 6, 7]).per_graph
    for row, (entry, value) in enumerate(zip(graphs, actual, strict=True)):
        assert_near(value, literal_elbo(model, entry, 5 + row, 3, known[row, : len(entry[0])]), 1e-6)


@pytest.mark.parametrize("gradient", [True, False])
def test_elbo_of_known_labels_is_that_of_their_order(gradient, graphs):
    """With all labels known nothing is left but which anchor came first."""
    model, labels = made("acp", n_labels=3), torch.tensor([LABELS[0]])
    batch = replace(batch_of(graphs[:1]), known=labels + 1)
    with torch.set_grad_enabled(gradient):
        actual = model(batch, 4, [3]).per_graph
    order, _ = random_ranks(labels, torch.rand(1, 7, generator=torch.Generator().manual_seed(3)))
    with torch.no_grad():
        wanted = log_probability(model, model.encode(batch), order, known=labels + 1)
    assert_near(actual, wanted, 1e-6)


@pytest.mark.parametrize("kind", MODELS)
def test_gradient_is_doubly_reparametrised(kind, graphs):
    """Tucker et al. 2018: w_j d log w_j for the parameters of p, w_j^2 (d log w_j / dz_j) dz_j for those of z_j."""
    n_z, seed, first = 3, 11, graphs[2]
    model = made(kind, "graph-transformer")
    model(batch_of([first]), n_z, [seed]).total.backward()
    actual = {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}

    model.zero_grad()
    of_p, of_q = 0.0, 0.0
    for _, log_weight, z in literal_log_weights(model, first, seed, n_z):
        fixed = z.detach().requires_grad_()
        members = torch.stack([log_weight(row) for row in fixed])
        weight = torch.softmax(members, dim=0).detach()
        (slope,) = torch.autograd.grad(members.sum(), fixed, retain_graph=True)
        assert weight.max() < 0.999  # else there is little to see
        constant = torch.stack([log_weight(row) for row in z.detach()])
        of_p = of_p + (weight * constant).sum()
        of_q = of_q + (weight[:, None] ** 2 * slope * z).sum()
    names, parameters = zip(*model.named_parameters(), strict=True)
    grads = [torch.autograd.grad(part, parameters, retain_graph=True, allow_unused=True) for part in (of_p, of_q)]
    for name, parameter, *parts in zip(names, parameters, *grads, strict=True):
        p_part, q_part = (torch.zeros_like(parameter) if part is None else part for part in parts)
        if name.startswith("posterior"):
            assert p_part.eq(0).all()
            assert q_part.ne(0).any()
        if name.startswith(("prior", "decoder")):
            assert q_part.eq(0).all()
            assert p_part.ne(0).any()
        assert_near(actual.get(name, torch.zeros_like(parameter)), p_part + q_part, 1e-9)


SIZES = [6, 6, 6, 4, 2]


def decoder_inputs(T, n_z, rng):
    """Rows of decreasing size with T anchors each: decoder, masks, and the inputs of the bound."""
    rows, width, dim = len(SIZES), 6, 8
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        decoder = Decoder(dim, 4, dim, 4).double()
    with torch.no_grad():
        decoder.first.weight.fill_(-0.3)
    mask = torch.arange(width) < torch.tensor(SIZES)[:, None]
    anchor = torch.tensor([[0, 5, 2], [5, 1, 3], [3, 0, 5], [3, 1, 0], [1, 0, 1]])[:, :T]
    sets = Sets(torch.zeros(rows, dtype=torch.int64), torch.zeros(rows, width, dtype=torch.int64), mask, anchor)
    candidates = sets.candidates()
    joins = torch.from_numpy(rng.random((rows, T, width)) < 0.5) & candidates
    shapes = [(rows, width, dim), (rows, T, dim), (rows, T, n_z, dim), (rows, T, n_z)]
    tensors = [torch.from_numpy(rng.normal(size=shape)).requires_grad_() for shape in shapes]
    return decoder, (joins, candidates), tensors


def bound(decoder, chunk, sizes, joins, candidates, tensors):
    return _Bound.apply(decoder, chunk, sizes, (joins, candidates), *tensors, *decoder.later_parameters())


@pytest.mark.parametrize("chunk", [1, 40, 1 << 20], ids=["a row at a time", "some rows", "all rows"])
@pytest.mark.parametrize("n_z", [1, 4])
@pytest.mark.parametrize("T", [1, 2, 3])
def test_bound_has_the_gradient_of_autograd(T, n_z, chunk, rng):
    decoder, (joins, candidates), tensors = decoder_inputs(T, n_z, rng)
    inputs = [*tensors, *decoder.parameters()]
    total, bounds, weights = bound(decoder, chunk, SIZES, joins, candidates, tensors)
    actual = torch.autograd.grad(2.5 * total, inputs, allow_unused=True)

    log_weight = decoder.log_likelihood(*tensors[:3], joins, candidates) + tensors[3]
    wanted = torch.logsumexp(log_weight, dim=-1) - math.log(n_z)
    assert_near(bounds, wanted)
    assert_near(total, wanted.sum())
    assert_near(weights, torch.softmax(log_weight, dim=-1))
    expected = torch.autograd.grad(2.5 * wanted.sum(), inputs, allow_unused=True)
    for first, second in zip(actual, expected, strict=True):
        assert (first is None) == (second is None)
        if first is not None:
            assert_near(first, second, 1e-9)
    assert sum(grad is not None for grad in actual) == 4 + len(decoder.later_parameters())


def test_bound_of_anchors_in_every_place(rng):
    """Which place the anchor has in its set does not matter."""
    decoder, _, tensors = decoder_inputs(1, 2, rng)
    size = 6
    for place in range(size):
        anchor = torch.full((5, 1), place)
        candidates = torch.ones(5, 1, size, dtype=torch.bool) & (torch.arange(size) != anchor[..., None])
        joins = candidates & (torch.arange(size) % 2 == 0)
        _, bounds, _ = bound(decoder, 1 << 20, [size] * 5, joins, candidates, tensors)
        log_weight = decoder.log_likelihood(*tensors[:3], joins, candidates) + tensors[3]
        assert_near(bounds, torch.logsumexp(log_weight, dim=-1) - math.log(2))


@pytest.mark.parametrize("kind", MODELS)
def test_gradient_is_on_and_off_of_one_value(kind, graphs):
    model, batch = made(kind, "graphsage"), batch_of(graphs)
    actual = model(batch, 5, [1, 2, 3])
    with torch.no_grad():
        wanted = model(batch, 5, [1, 2, 3])
    assert_near(actual.per_graph, wanted.per_graph)
    assert_near(actual.total, wanted.total)
    assert_near(wanted.total, wanted.per_graph.sum(), 1e-6)


@pytest.mark.parametrize("kind", MODELS)
def test_chunks_do_not_show(kind, graphs, monkeypatch):
    model, batch = made(kind), batch_of(graphs)
    results = []
    for chunk in (1 << 20, 1, 50):
        monkeypatch.setattr("graphclust.models.clusterwise._CHUNK", chunk)
        model.zero_grad()
        actual = model(batch, 5, [1, 2, 3])
        actual.total.backward()
        results.append([actual.per_graph, *(p.grad.clone() for p in model.parameters() if p.grad is not None)])
    for other in results[1:]:
        for first, second in zip(results[0], other, strict=True):
            assert_near(second, first)


# --------------------------------------------------------------------------------------------- batches, padding, seeds


@pytest.mark.parametrize("encoder", ENCODERS)
@pytest.mark.parametrize("kind", MODELS)
def test_elbo_of_a_batch_is_the_sum_of_those_of_its_graphs(kind, encoder, graphs):
    model, seeds = made(kind, encoder), [3, 2**62, 5]
    for training in (False, True) if encoder in ("graph-transformer", "points") else (False,):
        model.train(training)
        together = model(batch_of(graphs), 4, seeds)
        alone = [model(batch_of([first]), 4, [seed]) for first, seed in zip(graphs, seeds, strict=True)]
        assert_near(together.per_graph, torch.cat([first.per_graph for first in alone]))
        assert_near(together.total, sum(first.total for first in alone), 1e-7)  # log N_k / |I_k| is added up in float32
        for total in (together.total, sum(first.total for first in alone)):
            model.zero_grad()
            total.backward()
            grads = [p.grad for p in model.parameters() if p.grad is not None]
            if total is together.total:
                wanted = [grad.clone() for grad in grads]
        for first, second in zip(grads, wanted, strict=True):
            assert_near(first, second, 1e-8)


@pytest.mark.parametrize("training", [False, True], ids=["evaluation", "training"])
@pytest.mark.parametrize("encoder", ENCODERS)
@pytest.mark.parametrize("kind", MODELS)
def test_padding_changes_nothing(kind, encoder, training, graphs):
    model = made(kind, encoder).train(training)
    actual, wanted = (model(batch_of(graphs, width), 4, [1, 2, 3]) for width in (11, 7))
    assert_near(actual.per_graph, wanted.per_graph)
    assert_near(actual.total, wanted.total)


@pytest.mark.parametrize("waste", [0.0, 0.7, 1.0])
def test_sets_may_be_computed_together_or_not(waste, graphs):
    model, batch = made("acp"), batch_of(graphs)
    assert_near(model(batch, 4, [1, 2, 3], waste=waste).per_graph, model(batch, 4, [1, 2, 3]).per_graph)


def test_order_of_the_nodes_is_nothing_to_the_elbo(graphs):
    """Nodes come in another order, and their random keys with them: only one number is drawn a node, so average."""
    model = made("acp", "graph-transformer")
    x, adjacency, labels = graphs[2]
    order = np.random.default_rng(0).permutation(6)
    moved = x[order], adjacency[np.ix_(order, order)], labels[order]
    with torch.no_grad():
        first, second = (
            model(batch_of([g] * 400), 2, range(start, start + 400)).per_graph.numpy()
            for g, start in (((x, adjacency, labels), 0), (moved, 1000))
        )
    assert stats.ttest_ind(first, second).pvalue > 1e-3


def test_seeds_fix_the_elbo_and_the_global_generator_is_left_alone(graphs):
    model, batch = made("ccp"), batch_of(graphs)
    state = torch.get_rng_state()
    values = [model(batch, 4, seeds).per_graph for seeds in ([1, 2, 3], [1, 2, 3], [1, 2, 4])]
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(values[0], values[1])
    assert (values[0] == values[2]).tolist() == [True, True, False]
    with torch.random.fork_rng(devices=[]):
        first, second = (model(batch, 4).per_graph for _ in range(2))
        assert not torch.equal(first, second)


def test_labels_are_names(graphs):
    model = made("acp-s")
    renamed = [(x, adjacency, np.array([5, 3, 0])[labels]) for x, adjacency, labels in graphs]
    actual, wanted = (model(batch_of(some), 4, [1, 2, 3]).per_graph for some in (renamed, graphs))
    assert_near(actual, wanted)


def test_training_needs_labels(graphs):
    with pytest.raises(ValueError, match="labels"):
        made("acp")(replace(batch_of(graphs), labels=None))


# --------------------------------------------------------------------------------------------------------- laws of it


@pytest.mark.parametrize("kind", MODELS)
def test_many_z_close_the_gap_to_the_probability(kind, rng):
    """Single nodes are their clusters' only anchors: nothing but z is left to integrate."""
    first = graph([0, 1, 2, 3], rng)
    model, batch = made(kind, scale=1.0, seed=3), batch_of([first])
    with torch.no_grad():
        nodes = model.encode(batch)
        gaps = {}
        for n_z, repeats in ((1, 600), (20, 600), (2000, 6)):
            seeds = range(100, 100 + repeats)
            actual = model(batch_of([first] * repeats), n_z, seeds).per_graph
            keys = [torch.rand(4, generator=torch.Generator().manual_seed(seed)) for seed in seeds]
            ranks, _ = random_ranks(batch.labels.expand(repeats, -1), torch.stack(keys))
            orders, inverse = ranks.unique(dim=0, return_inverse=True)
            wanted = log_probability(model, nodes, orders, None, 10, 4000, torch.Generator().manual_seed(1))[inverse]
            gaps[n_z] = (wanted - actual).numpy()
    assert gaps[1].mean() > gaps[20].mean() + 0.1
    assert gaps[20].mean() > -4 * gaps[20].std() / math.sqrt(600)
    assert np.abs(gaps[2000]).max() < 0.3


@pytest.mark.parametrize("kind", MODELS)
def test_elbo_is_below_the_probability_on_average(kind, rng):
    first = graph([0, 0, 1, 1, 0], rng)
    model = made(kind, seed=3)
    with torch.no_grad():
        actual = model(batch_of([first] * 300), 30, range(300)).per_graph.numpy()
        orders = torch.tensor([[0, 0, 1, 1, 0], [1, 1, 0, 0, 1]])
        value = log_probability(
            model, model.encode(batch_of([first])), orders, None, 10, 4000, torch.Generator().manual_seed(1)
        )
    wanted = float(value @ torch.tensor([0.6, 0.4], dtype=value.dtype))  # the larger cluster comes first more often
    assert actual.mean() < wanted + 4 * actual.std() / math.sqrt(300)
    assert actual.mean() > wanted - 3


@pytest.mark.parametrize("encoder", ENCODERS)
@pytest.mark.parametrize("kind", MODELS)
def test_every_parameter_has_a_gradient(kind, encoder, graphs):
    model = made(kind, encoder, n_labels=3)
    known = torch.tensor([[0, 3, 0, 1, 0, 0, 0], [0, 0, 2, 0, 0, 0, 0], [0] * 7])
    model(replace(batch_of(graphs), known=known), 4, [1, 2, 3]).total.backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name
        assert parameter.grad.abs().max() > 1e-9, name


# ------------------------------------------------------------------------------------------------------------ extremes

EXTREMES = {
    "one node": [[0]],
    "two graphs of one node": [[0], [0]],
    "one graph of one node": [[0, 1, 0, 1], [0], [0, 0, 1]],
    "one cluster": [[0] * 5, [0, 0]],
    "single nodes": [[0, 1, 2, 3, 4], [1, 0]],
    "the extremes together": [[0, 0, 0], [0, 1, 2], [0], [0, 1, 1, 1, 1, 1]],
}


@pytest.mark.parametrize("training", [False, True], ids=["evaluation", "training"])
@pytest.mark.parametrize("encoder", ENCODERS)
@pytest.mark.parametrize("case", ["the extremes together", *slow(*list(EXTREMES)[:-1])])
@pytest.mark.parametrize("kind", MODELS)
def test_finite_elbo_and_gradient(kind, case, encoder, training, rng):
    model = made(kind, encoder).train(training)
    batch = batch_of([graph(labels, rng) for labels in EXTREMES[case]])
    actual = model(batch, 3, range(len(batch)))
    assert actual.per_graph.shape == (len(batch),)
    assert torch.isfinite(actual.per_graph).all()
    assert_near(actual.total, actual.per_graph.sum(), 1e-6)
    actual.total.backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is None or torch.isfinite(parameter.grad).all(), name
    for value, labels in zip(actual.per_graph, EXTREMES[case], strict=True):
        assert (value == 0) == (len(labels) == 1)
    with torch.no_grad():
        off = model.eval()(batch, 3, range(len(batch)))
    assert torch.isfinite(off.per_graph).all()


def test_float32(graphs):
    model, batch = made("acp", "graph-transformer"), batch_of(graphs)
    wanted = model(batch, 4, [1, 2, 3])
    actual = model.float()(replace(batch, x=batch.x.float()), 4, [1, 2, 3])
    assert actual.per_graph.dtype == torch.float32
    actual.total.backward()
    assert all(p.grad is None or torch.isfinite(p.grad).all() for p in model.parameters())
    assert actual.total.dtype == torch.float32
    assert wanted.per_graph.dtype == torch.float64


def test_probabilities_that_underflow_are_no_trouble(rng):
    """exp(-1000) is 0 even in double precision."""
    model = made("ccp", scale=4.0)
    with torch.no_grad():
        model.decoder.rest.layers[-1].bias.fill_(100.0)
        model.decoder.rest.layers[-1].weight.mul_(0.01)
    labels = list(range(12)) * 2
    actual = model(batch_of([graph(labels, rng)]), 3, [0])
    assert actual.total.item() < -1000
    assert torch.isfinite(actual.total)
    actual.total.backward()
    assert all(p.grad is None or torch.isfinite(p.grad).all() for p in model.parameters())


# -------------------------------------------------------------------------------------------------------------- ranks


def test_clusters_come_in_the_order_of_their_smallest_key(rng):
    labels = np.array([[3, 0, 3, 5, 0, 3], [1, 1, 1, 0, -1, -1], [2, -1, -1, -1, -1, -1], [-1] * 6])
    for _ in range(20):
        keys = rng.random(labels.shape)
        ranks, n_clusters = random_ranks(torch.from_numpy(labels), torch.from_numpy(keys))
        assert n_clusters.tolist() == [3, 2, 1, 0]
        for row, truth, key in zip(ranks.tolist(), labels, keys, strict=True):
            names = sorted(set(truth[truth >= 0]), key=lambda name: key[truth == name].min())
            assert row == [names.index(label) if label >= 0 else -1 for label in truth]


def test_the_first_cluster_is_that_of_a_random_node(rng):
    labels = torch.tensor([0, 0, 0, 1, 2, 2]).expand(6000, -1)
    ranks, _ = random_ranks(labels, torch.from_numpy(rng.random(labels.shape)))
    first = [int((ranks[:, node] == 0).sum()) for node in (0, 3, 4)]
    assert stats.chisquare(first, [3000, 1000, 2000]).pvalue > 1e-3
    third = (ranks[:, 0] == 2).sum()  # the largest last: 1/6 * 2/5 + 2/6 * 1/4
    assert stats.binomtest(int(third), 6000, 1 / 6 * 2 / 5 + 2 / 6 * 1 / 4).pvalue > 1e-3
