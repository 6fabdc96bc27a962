"""Encoders: the papers' equations over single edges; symmetry, padding, companions, and graphs with little in them."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from graphclust.errors import UsageError
from graphclust.nn.batch import Batch
from graphclust.nn.encoders import (
    ENCODERS,
    POINT_ENCODERS,
    GatedGCN,
    GraphSAGE,
    GraphTransformer,
    Norm,
    PointTransformer,
    SpikeEncoder,
    _profile_correlation,
)
from tests import oracles

DIM, FEATURES = 8, 3
KINDS = [
    "graphsage",
    "graphsage-residual",
    "gated-gcn",
    "gated-gcn-benchmark",
    "graph-transformer",
    "points",
    "point-transformer",
    "spikes",
]
GRAPH_KINDS, POINT_KINDS = KINDS[:5], KINDS[5:]
NORMED = KINDS[:4]  # by batch


def made(kind, n_layers=2, n_labels=0, seed=0):
    options = {"graphsage-residual": {"residual": True}, "spikes": {"n_channels": 1}}.get(kind, {})
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = ENCODERS[kind.removesuffix("-residual")](FEATURES, DIM, n_layers, n_labels, **options).double()
        for module in model.modules():
            if isinstance(module, nn.BatchNorm1d):  # as if trained
                nn.init.normal_(module.running_mean)
                nn.init.uniform_(module.running_var, 0.5, 2.0)
                nn.init.uniform_(module.weight, 0.5, 2.0)
                nn.init.normal_(module.bias, 0.3)
    return model


def random_adjacency(n, p, rng):
    upper = np.triu(rng.random((n, n)) < p, 1)
    return upper | upper.T


def batch_of(graphs, width=None):
    """Pad pairs of features and adjacency."""
    width = width or max(len(x) for x, _ in graphs)
    x, adjacency = np.zeros((len(graphs), width, FEATURES)), np.zeros((len(graphs), width, width), dtype=bool)
    for i, (features, matrix) in enumerate(graphs):
        n = len(features)
        x[i, :n], adjacency[i, :n, :n] = features, matrix
    batch = Batch.of(x, np.array([len(features) for features, _ in graphs]), adjacency)
    return replace(batch, x=torch.from_numpy(x))  # in float64


@pytest.fixture
def graphs(rng):
    """Three graphs; the second is a path beside an isolated node."""
    path = np.zeros((4, 4), dtype=bool)
    path[[1, 2, 2, 3], [2, 1, 3, 2]] = True
    actual = [(rng.normal(size=(n, FEATURES)), random_adjacency(n, 0.5, rng)) for n in (7, 4, 6)]
    actual[1] = (actual[1][0], path)
    return actual


def assert_near(actual, wanted, tolerance=1e-10):
    np.testing.assert_allclose(
        torch.as_tensor(actual).detach(), torch.as_tensor(wanted).detach(), rtol=0, atol=tolerance
    )


# ---------------------------------------------------------------------------------------------------------- equations


def packed(graphs):
    """All graphs as one that is not connected: features of the nodes, and lists of neighbours."""
    xs, neighbours = [], []
    for x, adjacency in graphs:
        start = len(xs)
        xs += list(x)
        neighbours += [(np.flatnonzero(row) + start).tolist() for row in adjacency]
    return xs, neighbours


@pytest.mark.parametrize("training", [False, True], ids=["evaluation", "training"])
@pytest.mark.parametrize("n_layers", [1, 4])
@pytest.mark.parametrize("residual", [False, True], ids=["plain", "residual"])
def test_graphsage_is_its_equation(residual, n_layers, training, graphs):
    model = made("graphsage-residual" if residual else "graphsage", n_layers).train(training)
    weights = oracles.weights_of(model)
    batch = batch_of(graphs, width=9)
    wanted = oracles.graphsage(weights, *packed(graphs), n_layers, training, residual)
    assert_near(model(batch)[batch.mask], wanted)


GATED_ORACLES = {"gated-gcn": oracles.gated_gcn, "gated-gcn-benchmark": oracles.benchmark_gated_gcn}


@pytest.mark.parametrize("training", [False, True], ids=["evaluation", "training"])
@pytest.mark.parametrize("n_layers", [1, 2, 4])
@pytest.mark.parametrize("kind", GATED_ORACLES)
def test_gated_gcn_is_its_equations(kind, n_layers, training, graphs):
    model = made(kind, n_layers).train(training)
    weights = oracles.weights_of(model)
    batch = batch_of(graphs, width=9)
    expected = GATED_ORACLES[kind](weights, *packed(graphs), n_layers, training)
    result = model(batch)[batch.mask]
    assert_near(result, expected)
    if kind == "gated-gcn-benchmark" or n_layers > 1:
        other = GATED_ORACLES[kind](weights, *packed(graphs), n_layers, training, epsilon=1e-3)
        assert np.abs(other - expected).max() > 1e-5


def test_one_printed_gated_layer_has_no_gate(graphs):
    """e^0 = 1: nothing of eqs. (59) and (60) exists in a network of one layer, and every parameter has a gradient."""
    model = made("gated-gcn", 1).train()
    model(batch_of(graphs)).square().sum().backward()
    names = {name for name, _ in model.named_parameters()}
    assert not any(name.startswith("states") for name in names)
    assert all(parameter.grad.abs().sum() > 0 for parameter in model.parameters())


def test_the_first_printed_gate_reads_the_input(graphs):
    """The gate of layer 1 comes from h^0: what layer 0 computes does not reach it."""
    model, batch = made("gated-gcn", 2).eval(), batch_of(graphs)
    states = []
    model.states[0].register_forward_hook(lambda _module, _inputs, result: states.append(result[1]))
    model(batch)
    with torch.no_grad():
        model.layers[0].own.weight.mul_(3.0)
    model(batch)
    torch.testing.assert_close(states[0], states[1], rtol=0, atol=0)


@pytest.mark.parametrize("kind", GATED_ORACLES)
def test_gated_gcn_has_the_gradient_of_its_equations(kind, graphs):
    """Of a loss in one input feature, by differences of the loops."""
    model = made(kind, 3).train()
    weights = oracles.weights_of(model)
    batch = batch_of(graphs)
    x = batch.x.clone().requires_grad_()
    model(replace(batch, x=x))[batch.mask].square().sum().backward()
    xs, neighbours = packed(graphs)
    for node in (0, 8):  # of the first graph and of the second
        values = []
        for step in (-1e-5, 1e-5):
            moved = [row.copy() for row in xs]
            moved[node][1] += step
            values.append((GATED_ORACLES[kind](weights, moved, neighbours, 3, True) ** 2).sum())
        assert float(x.grad[batch.mask][node, 1]) == pytest.approx((values[1] - values[0]) / 2e-5, rel=1e-5)


def test_norm_is_batch_norm_but_for_a_single_row(rng):
    norm, reference = Norm(DIM, momentum=0.3).double(), nn.BatchNorm1d(DIM, momentum=0.3).double()
    for layer in (norm, reference):
        with torch.no_grad():
            layer.weight.copy_(torch.linspace(0.5, 2, DIM))
            layer.bias.copy_(torch.linspace(-1, 1, DIM))
    rows = torch.from_numpy(rng.normal(loc=3, scale=2, size=(6, DIM)))
    for training in (True, False):
        assert torch.equal(norm.train(training)(rows), reference.train(training)(rows))
    assert torch.isfinite(norm.train()(rows[:1])).all()  # no variance: torch raises
    for name, value in reference.state_dict().items():
        assert torch.equal(norm.state_dict()[name], value)


@pytest.mark.parametrize("width", [7, 12])
def test_running_statistics_are_those_of_the_true_nodes(width, graphs):
    model, batch = made("graphsage", 1).train(), batch_of(graphs, width)
    weights = oracles.weights_of(model)
    xs, neighbours = packed(graphs)
    h = [oracles.linear(weights, "input.linear", x) for x in xs]
    rows = []
    for i, near in enumerate(neighbours):
        mean = sum((h[j] for j in near), np.zeros(DIM)) / max(len(near), 1)
        rows.append(oracles.linear(weights, "own.0", h[i]) + oracles.linear(weights, "neighbours.0", mean))
    model(batch)
    norm = model.norms[0]
    assert_near(norm.running_mean, 0.9 * weights["norms.0.running_mean"] + 0.1 * np.mean(rows, axis=0))
    assert_near(norm.running_var, 0.9 * weights["norms.0.running_var"] + 0.1 * np.var(rows, axis=0, ddof=1))


def test_profiles_are_correlated_as_numpy_says(graphs):
    graphs = [graphs[0], (np.zeros((5, FEATURES)), random_adjacency(5, 0.6, np.random.default_rng(1)))]
    batch = batch_of(graphs, width=9)
    n = batch.mask.sum(dim=1).double()[:, None]
    actual = _profile_correlation(batch.adjacency.double(), batch.mask, n)
    for matrix, (x, adjacency) in zip(actual, graphs, strict=True):
        size = len(x)
        assert adjacency.any(axis=1).all()
        assert_near(matrix[:size, :size], np.corrcoef(adjacency.astype(float)))
        assert matrix[size:].eq(0).all()
        assert matrix[:, size:].eq(0).all()


def test_profile_of_an_isolated_node_correlates_with_none(graphs):
    batch = batch_of(graphs[1:2])
    actual = _profile_correlation(batch.adjacency.double(), batch.mask, batch.mask.sum(dim=1).double()[:, None])[0]
    assert actual[0].eq(0).all()
    rest = graphs[1][1][1:].astype(float)
    linked = rest.any(axis=1)
    assert_near(actual[1:, 1:][linked][:, linked], np.corrcoef(rest[linked]))


@pytest.mark.parametrize(("n_layers", "n_samples"), [(1, 7), (2, 32), (4, 32), (7, 5)])
def test_spikes_are_convolved_as_loops_say(n_layers, n_samples, rng):
    n_channels = 3
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        model = SpikeEncoder(n_channels * n_samples, DIM, n_layers, n_labels=2, n_channels=n_channels).double()
    x, known = rng.normal(size=(1, 2, n_channels * n_samples)), torch.tensor([[0, 2]])
    batch = replace(Batch.of(x, np.array([2])), x=torch.from_numpy(x), known=known)
    weights = oracles.weights_of(model)
    wanted = [
        oracles.spike_encoder(weights, row.reshape(n_channels, n_samples), label, n_layers)
        for row, label in zip(x[0], (0, 2), strict=True)
    ]
    assert_near(model(batch)[0], np.array(wanted))


def test_a_spike_has_equally_many_samples_in_each_channel():
    with pytest.raises(UsageError, match="n_features must be a multiple of 7, not 20"):
        SpikeEncoder(20, DIM)


def point_transformer_by_loops(model, x):
    """One layer, point by point and head by head."""
    n, heads, width = len(x), len(model.log_precision), DIM // len(model.log_precision)
    kernel = np.array(
        [
            [[math.exp(-math.exp(lam) * sum((x[i] - x[j]) ** 2) / 2) for j in range(n)] for i in range(n)]
            for lam in model.log_precision.tolist()
        ]
    )
    density = np.log(kernel.mean(axis=2)).T  # (n, heads)
    h = model.input.linear(torch.as_tensor(np.concatenate([x, density], axis=1)))
    layer = model.layers[0]
    before = layer.before(h)
    q, k, v = (part.detach().numpy() for part in layer.qkv(before).chunk(3, dim=-1))
    rows = before.detach().numpy()
    attended, alike = np.zeros((n, DIM)), np.zeros((n, DIM))
    for head in range(heads):
        own = slice(head * width, (head + 1) * width)
        for i in range(n):
            weights = np.array([math.exp(q[i, own] @ k[j, own] / math.sqrt(width)) for j in range(n)])
            attended[i, own] = sum(weights[j] * v[j, own] for j in range(n)) / weights.sum()
            near = kernel[head, i]
            alike[i, own] = sum(near[j] * rows[j, own] for j in range(n)) / near.sum()
    h = h + layer.mixed(torch.as_tensor(np.concatenate([attended, alike, rows], axis=1)))
    return model.norm(h + layer.ff(layer.between(h)))


def test_point_transformer_is_that_of_loops(rng):
    x = rng.normal(size=(6, FEATURES))
    model = made("point-transformer", n_layers=1)
    actual = model(batch_of([(x, np.zeros((6, 6), dtype=bool))]))[0]
    assert_near(actual, point_transformer_by_loops(model, x))


# --------------------------------------------------------------------------------------------------------- symmetries


@pytest.mark.parametrize("training", [False, True], ids=["evaluation", "training"])
@pytest.mark.parametrize("kind", KINDS)
def test_order_of_the_nodes(kind, training, graphs, rng):
    orders = [rng.permutation(len(x)) for x, _ in graphs]
    moved = [(x[order], matrix[np.ix_(order, order)]) for (x, matrix), order in zip(graphs, orders, strict=True)]
    wanted, actual = (made(kind).train(training)(batch_of(some)) for some in (graphs, moved))
    for first, second, order in zip(wanted, actual, orders, strict=True):
        assert_near(second[: len(order)], first[order])


@pytest.mark.parametrize("training", [False, True], ids=["evaluation", "training"])
@pytest.mark.parametrize("kind", KINDS)
def test_padding_changes_nothing(kind, training, graphs):
    short, long = batch_of(graphs), batch_of(graphs, width=12)
    models = [made(kind).train(training) for _ in range(2)]
    wanted, actual = (model(batch) for model, batch in zip(models, (short, long), strict=True))
    for values, batch in ((wanted, short), (actual, long)):
        assert values[~batch.mask].eq(0).all()
    wanted, actual = wanted[short.mask], actual[long.mask]
    assert_near(actual, wanted)
    for model in models:
        model.zero_grad()
    for values in (wanted, actual):
        values.square().sum().backward()
    for (name, first), second in zip(models[0].named_parameters(), models[1].parameters(), strict=True):
        assert_near(second.grad, first.grad, 1e-8)
        assert torch.isfinite(first.grad).all(), name
    for first, second in zip(models[0].buffers(), models[1].buffers(), strict=True):
        assert_near(second, first)


@pytest.mark.parametrize("kind", KINDS)
def test_companions_in_the_batch_do_not_matter_in_evaluation(kind, graphs):
    model = made(kind).eval()
    together = model(batch_of(graphs))
    before = [buffer.clone() for buffer in model.buffers()]
    for row, graph in zip(together, graphs, strict=True):
        assert_near(row[: len(graph[0])], model(batch_of([graph]))[0])
    assert all(map(torch.equal, before, model.buffers()))


@pytest.mark.parametrize("kind", ["graph-transformer", *POINT_KINDS])
def test_nor_in_training_without_batch_norm(kind, graphs):
    model = made(kind).train()
    together = model(batch_of(graphs))
    for row, graph in zip(together, graphs, strict=True):
        assert_near(row[: len(graph[0])], model(batch_of([graph]))[0])


@pytest.mark.parametrize("kind", KINDS)
def test_without_gradient_the_same(kind, graphs):
    model, batch = made(kind).eval(), batch_of(graphs)
    with torch.no_grad():
        actual = model(batch)
    assert_near(actual, model(batch))


@pytest.mark.parametrize("kind", GRAPH_KINDS)
def test_adjacency_may_be_of_bools_or_of_numbers_and_matters(kind, graphs):
    model, batch = made(kind).eval(), batch_of(graphs)
    wanted = model(batch)
    assert_near(model(replace(batch, adjacency=batch.adjacency.double())), wanted)
    assert (model(replace(batch, adjacency=torch.zeros_like(batch.adjacency))) - wanted).abs().max() > 1e-3
    with pytest.raises(ValueError, match="adjacency"):
        model(replace(batch, adjacency=None))


@pytest.mark.parametrize("kind", NORMED)
def test_weights_count_by_their_ratio(kind, graphs):
    """All of 0.1 are as all of 1, and an edge of next to none is as none.

    The first layer of eq. (58) is a sum, so that for the printed GatedGCN the scale counts.
    """
    model, batch = made(kind).eval(), batch_of(graphs)
    adjacency = batch.adjacency.double()
    if kind != "gated-gcn":
        assert_near(model(replace(batch, adjacency=0.1 * adjacency)), model(batch), 1e-4)
    faint, without = adjacency.clone(), adjacency.clone()
    i, j = (adjacency[0] > 0).nonzero()[0].tolist()
    for matrix, weight in ((faint, 1e-9), (without, 0.0)):
        matrix[0, i, j] = matrix[0, j, i] = weight
    actual = model(replace(batch, adjacency=faint))
    assert_near(actual, model(replace(batch, adjacency=without)), 1e-6)
    assert (actual - model(batch)).abs().max() > 1e-3


@pytest.mark.parametrize("kind", POINT_KINDS)
def test_points_need_no_graph(kind, graphs):
    assert kind in POINT_ENCODERS
    model, batch = made(kind), batch_of(graphs)
    assert_near(model(replace(batch, adjacency=None)), model(batch))


# ----------------------------------------------------------------------------------------------------- little in them


def complete(n):
    return ~np.eye(n, dtype=bool)


SPARSE = {
    "no edges": [np.zeros((4, 4), dtype=bool), np.zeros((3, 3), dtype=bool)],
    "one edge": [np.array([[0, 1, 0], [1, 0, 0], [0, 0, 0]], dtype=bool)],
    "isolated nodes": [np.pad(complete(3), (0, 3)), complete(4)],
    "complete": [complete(4), complete(2)],
    "a graph of one node": [np.zeros((1, 1), dtype=bool), complete(4)],
    "one node": [np.zeros((1, 1), dtype=bool)],
}


@pytest.mark.parametrize("training", [False, True], ids=["evaluation", "training"])
@pytest.mark.parametrize("case", SPARSE)
@pytest.mark.parametrize("kind", KINDS)
def test_finite_with_finite_gradients(kind, case, training, rng):
    batch = batch_of([(rng.normal(size=(len(matrix), FEATURES)), matrix) for matrix in SPARSE[case]])
    model = made(kind).train(training)
    batch.x.requires_grad_()
    actual = model(batch)
    assert actual.shape == (*batch.mask.shape, DIM)
    assert torch.isfinite(actual).all()
    actual[batch.mask].square().sum().backward()
    for name, value in (("x", batch.x), *model.named_parameters()):
        assert value.grad is None or torch.isfinite(value.grad).all(), name
    assert all(torch.isfinite(buffer).all() for buffer in model.buffers())


@pytest.mark.parametrize("n_layers", [1, 3, 16])
@pytest.mark.parametrize("kind", KINDS)
def test_any_number_of_layers(kind, n_layers, graphs):
    model, batch = made(kind, n_layers), batch_of(graphs)
    for training in (True, False):
        model.zero_grad()
        actual = model.train(training)(batch)
        assert actual.shape == (3, 7, DIM)
        assert torch.isfinite(actual).all()
        actual[batch.mask].square().sum().backward()
        assert all(torch.isfinite(parameter.grad).all() for parameter in model.parameters())


@pytest.mark.parametrize("kind", KINDS)
def test_every_parameter_has_a_gradient(kind, graphs):
    model, batch = made(kind, 3, n_labels=2).eval(), batch_of(graphs)
    known = torch.zeros_like(batch.mask, dtype=torch.int64)
    known[:, :2] = torch.tensor([1, 2])
    actual = model(replace(batch, known=known))
    (actual * torch.linspace(-1, 1, actual.numel(), dtype=actual.dtype).sin().view_as(actual)).sum().backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad.abs().max() > 1e-9, name


def test_float32_stays_float32(graphs):
    batch = batch_of(graphs)
    batch = replace(batch, x=batch.x.float())
    for kind in KINDS:
        assert made(kind).float()(batch).dtype == torch.float32


# ------------------------------------------------------------------------------------------------------- known labels


@pytest.mark.parametrize("kind", KINDS)
def test_known_labels(kind, graphs):
    batch = batch_of(graphs)
    known = torch.zeros_like(batch.mask, dtype=torch.int64)
    known[0, 2], known[2, 1] = 3, 1
    model = made(kind, n_labels=3).eval()
    plain, with_known, none_known = (model(replace(batch, known=k)) for k in (None, known, torch.zeros_like(known)))
    assert_near(none_known, plain, 0)
    assert_near(with_known[1, :4], plain[1, :4])
    for row, node in ((0, 2), (2, 1)):
        assert (with_known - plain)[row, node].abs().max() > 1e-3
    other = known.clone()
    other[0, 2] = 2
    assert (model(replace(batch, known=other)) - with_known)[0, 2].abs().max() > 1e-3

    beyond = model(replace(batch, known=known.masked_fill(known == 3, 4)))  # more than the model has names for
    assert_near(beyond, model(replace(batch, known=known.masked_fill(known == 3, 0))), 0)

    takes_none = made(kind, n_labels=0).eval()
    assert_near(takes_none(replace(batch, known=known)), takes_none(batch), 0)


def test_the_embedding_is_added_to_the_first_layer(graphs):
    batch = batch_of(graphs)
    known = torch.zeros_like(batch.mask, dtype=torch.int64)
    known[0, 2], known[2, 1] = 3, 1
    first = made("graphsage", n_labels=3).input
    wanted = first.linear(batch.x)
    wanted[0, 2] += first.label.weight[3]
    wanted[2, 1] += first.label.weight[1]
    assert_near(first(batch.x, known), wanted)


def test_names():
    assert ENCODERS["graphsage"] is GraphSAGE
    assert ENCODERS["gated-gcn"] is GatedGCN
    assert ENCODERS["graph-transformer"] is GraphTransformer
    assert ENCODERS["spikes"] is SpikeEncoder
    assert ENCODERS["point-transformer"] is PointTransformer
