"""Edge gates in chunks: the values and gradients of plain torch operations."""

from __future__ import annotations

import pytest
import torch

from graphclust.nn import edge_gates
from graphclust.nn.edge_gates import EdgeList, EdgeNorm, gated_messages, gated_messages_plain

N, DIM = 9, 16


def random_edges(weighted):
    adjacency = torch.triu(torch.rand(N, N) < 0.6, 1)
    target, source = (adjacency | adjacency.T).nonzero(as_tuple=True)
    return EdgeList(target, source, torch.rand(len(target), 1) if weighted else None)


def inputs(edges, shared, training, dtype=torch.float64):
    nodes = [torch.randn(N, DIM, dtype=dtype, requires_grad=True) for _ in range(3)]
    state = torch.randn(1 if shared else len(edges.target), DIM, dtype=dtype, requires_grad=not shared)
    C = torch.randn(DIM, DIM, dtype=dtype, requires_grad=True)
    scale, shift = (torch.randn(DIM, dtype=dtype, requires_grad=True) for _ in range(2))
    statistics = (None, None) if training else (torch.randn(DIM, dtype=dtype), torch.rand(DIM, dtype=dtype) + 0.5)
    leaves = [*nodes, *([] if shared else [state]), C, scale, shift]
    return (*nodes, state, C, EdgeNorm(scale, shift, *statistics, 1e-5), edges), leaves


@pytest.mark.parametrize("weighted", [False, True], ids=["unweighted", "weighted"])
@pytest.mark.parametrize("training", [False, True], ids=["evaluation", "training"])
@pytest.mark.parametrize("shared", [False, True], ids=["states", "one-state"])
def test_chunks_have_the_values_and_gradients_of_torch_operations(shared, training, weighted, monkeypatch):
    monkeypatch.setattr(edge_gates, "_CHUNK", 16)  # several chunks, the last one shorter
    torch.manual_seed(0)
    edges = random_edges(weighted)
    arguments, leaves = inputs(edges, shared, training)
    results = []
    for function in (gated_messages, gated_messages_plain):
        message, state, mean, variance = function(*arguments)
        loss = (message * torch.linspace(-1, 1, N * DIM).view(N, DIM)).sum()
        loss = loss + (state.square() * torch.linspace(0, 1, len(state))[:, None]).sum()
        results.append([message, state, mean, variance, *torch.autograd.grad(loss, leaves)])
    for by_hand, plain in zip(*results, strict=True):
        torch.testing.assert_close(by_hand, plain, rtol=1e-9, atol=1e-9)


def test_a_last_layer_has_no_gradient_from_its_states():
    torch.manual_seed(1)
    arguments, leaves = inputs(random_edges(False), False, True)
    gradients = [
        torch.autograd.grad(function(*arguments).message.square().sum(), leaves)
        for function in (gated_messages, gated_messages_plain)
    ]
    for by_hand, plain in zip(*gradients, strict=True):
        torch.testing.assert_close(by_hand, plain, rtol=1e-9, atol=1e-9)


def test_single_precision_stays_near_double():
    torch.manual_seed(2)
    edges = random_edges(False)
    arguments, _ = inputs(edges, False, True)
    *tensors, norm, _ = arguments
    single = gated_messages(
        *(t.float() for t in tensors), EdgeNorm(norm.scale.float(), norm.shift.float(), None, None, 1e-5), edges
    )
    double = gated_messages(*arguments)
    assert single.message.dtype == torch.float32
    torch.testing.assert_close(single.message.double(), double.message, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(single.variance.double(), double.variance, rtol=1e-5, atol=1e-6)


def test_the_plain_form_takes_low_precision():
    """Autocast on a GPU: the chunks are not used, sums are in single precision."""
    torch.manual_seed(3)
    edges = random_edges(False)
    arguments, _ = inputs(edges, False, True, torch.float32)
    with torch.autocast("cpu", torch.bfloat16):
        low = gated_messages(*arguments)
    high = gated_messages_plain(*arguments)
    torch.testing.assert_close(low.message.float(), high.message, rtol=0.1, atol=0.1)
