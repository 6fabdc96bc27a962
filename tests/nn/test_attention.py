"""Attention blocks: what eqs. (20) to (25) say, loop by loop; masks, empty sets, and the cheaper forms."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from graphclust.nn.attention import ISAB, MAB, PMA, OneKeyMAB, attend, masked_softmax
from tests import oracles

DIM, HEADS, INDUCING = 16, 4, 3
SUBSETS = [[0, 1, 2, 3, 4, 5, 6], [2], [], [0, 3, 6], [1, 2, 4, 5]]


def made(block, *sizes, seed=0, dtype=torch.float64):
    """A block whose attention is far from uniform."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        module = block(*sizes).to(dtype)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.mul_(2)
    return module


def mask_of(subsets, n):
    return torch.tensor([[i in chosen for i in range(n)] for chosen in subsets])


@pytest.fixture
def x(rng):
    return torch.from_numpy(rng.normal(size=(2, 7, 5)))


@pytest.fixture(params=[True, False], ids=["with gradient", "without"])
def gradient(request):
    """The dot product has two implementations."""
    with torch.set_grad_enabled(request.param):
        yield


def assert_near(actual, wanted, tolerance=1e-12):
    np.testing.assert_allclose(torch.as_tensor(actual).detach().numpy(), np.asarray(wanted), rtol=0, atol=tolerance)


# ---------------------------------------------------------------------------------------------------------- equations


@pytest.mark.usefixtures("gradient")
@pytest.mark.parametrize("heads", [1, 4])
def test_mab_is_its_equations(heads, x, rng):
    block = made(MAB, 5, 6, DIM, heads)
    y = torch.from_numpy(rng.normal(size=(2, 4, 6)))
    weights = oracles.weights_of(block)
    for entry, element, other in zip(block(x, y), x.numpy(), y.numpy(), strict=True):
        assert_near(entry, oracles.mab(weights, element, other, heads))


@pytest.mark.usefixtures("gradient")
def test_mab_attends_to_what_the_mask_leaves(x, rng):
    block = made(MAB, 5, 6, DIM, HEADS)
    y = torch.from_numpy(rng.normal(size=(1, 7, 6))).expand(len(SUBSETS), -1, -1)
    mask = mask_of(SUBSETS, 7)
    actual = block(x[:1].expand(len(SUBSETS), -1, -1), torch.where(mask[..., None], y, 1e3), mask)
    weights = oracles.weights_of(block)
    for row, chosen in zip(actual, SUBSETS, strict=True):
        assert_near(row, oracles.mab(weights, x[0].numpy(), y[0, chosen].numpy(), HEADS))


def test_attention_to_one_element_is_mab(x, rng):
    block = made(MAB, 5, 6, DIM, HEADS)
    first = OneKeyMAB(5, 6, DIM).double()
    first.load_state_dict({name: value for name, value in block.state_dict().items() if not name.startswith("key")})
    y = torch.from_numpy(rng.normal(size=(2, 3, 6)))
    actual = first(x, y)
    assert actual.shape == (2, 3, 7, DIM)
    for i in range(3):
        assert_near(actual[:, i], block(x, y[:, i : i + 1]).detach())


def test_pma_is_its_equations_on_each_subset(x):
    block = made(PMA, 5, DIM, HEADS)
    weights = oracles.weights_of(block)
    mask = mask_of(SUBSETS, 7)
    actual = block(x, mask.expand(2, -1, -1))
    assert actual.shape == (2, len(SUBSETS), DIM)
    for rows, entry in zip(actual, x.numpy(), strict=True):
        for row, chosen in zip(rows, SUBSETS, strict=True):
            assert_near(row, oracles.pma(weights, entry[chosen], HEADS))
    for t, chosen in enumerate(SUBSETS):
        assert_near(actual[:, t], block(x[:, chosen], torch.ones(2, 1, len(chosen), dtype=torch.bool))[:, 0].detach())


@pytest.mark.usefixtures("gradient")
def test_isab_is_its_equations(x):
    block = made(ISAB, 5, DIM, HEADS, INDUCING)
    weights = oracles.weights_of(block)
    for entry, element in zip(block(x), x.numpy(), strict=True):
        assert_near(entry, oracles.isab(weights, element, HEADS))


@pytest.mark.usefixtures("gradient")
def test_isab_on_projections_of_subsets(x):
    block = made(ISAB, 5, DIM, HEADS, INDUCING)
    weights = oracles.weights_of(block)
    projected = block.project(x)[0]  # once, for all subsets
    width = max(map(len, SUBSETS))
    index = torch.tensor([chosen + [0] * (width - len(chosen)) for chosen in SUBSETS])
    mask = torch.tensor([[i < len(chosen) for i in range(width)] for chosen in SUBSETS])
    actual = block.subsets(projected[index], mask)
    for row, chosen in zip(actual, SUBSETS, strict=True):
        if chosen:
            assert_near(row[: len(chosen)], oracles.isab(weights, x[0, chosen].numpy(), HEADS))
            assert_near(row[: len(chosen)], block(x[:1, chosen])[0].detach())
    assert torch.isfinite(actual).all()


# --------------------------------------------------------------------------------------------------------- symmetries


@pytest.mark.usefixtures("gradient")
def test_padding_changes_nothing(x, rng):
    padding = torch.from_numpy(rng.normal(scale=100, size=(2, 4, 5)))
    longer = torch.cat([x, padding], dim=1)
    mask = (torch.arange(11) < 7).expand(2, -1)
    block = made(ISAB, 5, DIM, HEADS, INDUCING)
    assert_near(block(longer, mask)[:, :7], block(x).detach())
    block = made(PMA, 5, DIM, HEADS)
    assert_near(block(longer, mask[:, None]), block(x, mask[:, None, :7]).detach())


def test_order_of_the_elements(x, rng):
    order = torch.from_numpy(rng.permutation(7))
    mask = torch.tensor([[True] * 7, [True, False, True, True, False, True, True]])
    block = made(ISAB, 5, DIM, HEADS, INDUCING)
    assert_near(block(x[:, order], mask[:, order]), block(x, mask)[:, order].detach())
    block = made(PMA, 5, DIM, HEADS)
    assert_near(block(x[:, order], mask[:, None, order]), block(x, mask[:, None]).detach())
    block = made(MAB, 5, 5, DIM, HEADS)
    assert_near(block(x[:, order], x), block(x, x)[:, order].detach())
    assert_near(block(x, x[:, order], mask[:, order]), block(x, x, mask).detach())


# --------------------------------------------------------------------------------------------------------- empty sets


def test_nothing_to_attend_to(x):
    none = torch.zeros(2, 7, dtype=torch.bool)
    projected = torch.randn(2, 7, DIM, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    assert attend(projected, projected, projected, HEADS, none).eq(0).all()
    assert masked_softmax(projected[..., 0], none).eq(0).all()


@pytest.mark.parametrize("block", ["mab", "pma", "isab"])
@pytest.mark.parametrize("width", [0, 7])
def test_empty_set_has_a_finite_value_and_gradient(block, width, x):
    x = x[:, :width].requires_grad_()
    none = torch.zeros(2, width, dtype=torch.bool)
    if block == "mab":
        module = made(MAB, 5, 5, DIM, HEADS)
        query = torch.ones(2, 3, 5, dtype=torch.float64, requires_grad=True)
        actual = module(query, x, none)
        assert_near(actual[0], oracles.mab(oracles.weights_of(module), np.ones((3, 5)), [], HEADS))
    elif block == "pma":
        module = made(PMA, 5, DIM, HEADS)
        actual = module(x, none[:, None])
        assert_near(actual[0, 0], oracles.pma(oracles.weights_of(module), [], HEADS))
    else:
        module = made(ISAB, 5, DIM, HEADS, INDUCING)
        actual = module(x, none)
    assert torch.isfinite(actual).all()
    actual.square().sum().backward()
    for value in (x, *module.parameters()):
        assert value.grad is None or torch.isfinite(value.grad).all()


def test_one_empty_set_among_others_leaves_their_gradients_alone(x):
    block = made(PMA, 5, DIM, HEADS)
    grads = []
    for subsets in ([[0, 1, 4]], [[0, 1, 4], []]):
        x = x.detach().requires_grad_()
        block(x, mask_of(subsets, 7).expand(2, -1, -1))[:, 0].square().sum().backward()
        grads.append(x.grad)
    assert_near(grads[0], grads[1])
    assert grads[0][:, [2, 3, 5, 6]].eq(0).all()
    assert grads[0][:, [0, 1, 4]].ne(0).all()


# --------------------------------------------------------------------------------------------------- numbers, weights


def test_masked_softmax():
    scores = torch.tensor([[1.0, 2.0, 1e6], [-1e30, 3.0, -torch.inf], [5.0, 5.0, 5.0]], dtype=torch.float64)
    mask = torch.tensor([[True, True, False], [True, True, True], [False, True, True]])
    wanted = [[1 / (1 + np.e), np.e / (1 + np.e), 0], [0, 1, 0], [0, 0.5, 0.5]]
    assert_near(masked_softmax(scores, mask), wanted)


@pytest.mark.usefixtures("gradient")
def test_large_scores_do_not_overflow(x):
    huge = (x * 1e4).float()
    mask = mask_of([SUBSETS[0], SUBSETS[2]], 7)
    for block in (made(ISAB, 5, DIM, HEADS, INDUCING, dtype=torch.float32), made(PMA, 5, DIM, HEADS).float()):
        actual = block(huge, mask if isinstance(block, ISAB) else mask[:, None])
        assert actual.dtype == torch.float32
        assert torch.isfinite(actual).all()


@pytest.mark.parametrize("block", [MAB, PMA, ISAB], ids=lambda block: block.__name__)
def test_every_parameter_has_a_gradient(block, x):
    if block is MAB:
        module = made(MAB, 5, 5, DIM, HEADS)
        module(x, x).square().sum().backward()
    else:
        module = made(block, 5, DIM, HEADS, *[INDUCING] * (block is ISAB))
        mask = torch.ones(2, 7, dtype=torch.bool)
        (module(x, mask[:, None]) if block is PMA else module(x, mask)).square().sum().backward()
    for name, parameter in module.named_parameters():
        assert parameter.grad.abs().max() > 1e-6, name


@pytest.mark.parametrize("block", [MAB, PMA, ISAB], ids=lambda block: block.__name__)
def test_two_blocks_are_two(block):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        sizes = {MAB: (5, 5, DIM, HEADS), PMA: (5, DIM, HEADS), ISAB: (5, DIM, HEADS, INDUCING)}[block]
        single, two = block(*sizes), block(*sizes)
    for (name, first), second in zip(single.named_parameters(), two.parameters(), strict=True):
        assert not torch.equal(first, second), name
    pointers = [p.data_ptr() for module in (single, two) for _, p in module.named_parameters(remove_duplicate=False)]
    assert len(set(pointers)) == len(pointers)
