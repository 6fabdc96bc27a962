"""The optimiser loop: a run that is stopped and resumed is the run that was not; a step is what torch makes of it."""

from __future__ import annotations

import copy
import math

import pytest
import torch
from torch import nn

from graphclust.errors import DataError, UsageError
from graphclust.nn.batch import Batch
from graphclust.runtime.devices import device_named
from graphclust.training.loops import SGD, Adam, Fleet, LoopSettings, Machine, Trainer, read_note

SETTINGS = LoopSettings(
    steps=12, learning_rate=0.05, weight_decay=0.1, warmup=3, schedule="cosine", clip=0.5, average=0.9
)


def make(seed=0):
    """A network with weights, buffers, and a parameter without a gradient."""
    generator = torch.Generator().manual_seed(seed)
    module = nn.Sequential(nn.Linear(3, 5), nn.BatchNorm1d(5), nn.Tanh(), nn.Linear(5, 1))
    module.register_parameter("idle", nn.Parameter(torch.ones(2)))
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator))
    return module


def loss(module, step):
    """Data of a step from its number."""
    x = torch.randn(16, 3, generator=torch.Generator().manual_seed(1000 + step))
    value = (module(x).squeeze(1) - x.prod(dim=1)).square().mean()
    return value, {"double": 2 * float(value.detach())}


def content(trainer):
    """All that determines how a run goes on, as one dictionary of tensors."""
    actual = {f"model.{name}": value for name, value in trainer.plain.state_dict().items()}
    actual |= {f"average.{name}": value for name, value in trainer.average.items()}
    for name, parameter in trainer.plain.named_parameters():
        actual |= {f"{key}.{name}": value for key, value in trainer.optimizer.state.get(parameter, {}).items()}
    return actual


def timeless(records):
    return [{key: value for key, value in record.items() if key != "seconds"} for record in records]


@pytest.mark.parametrize("settings", [SETTINGS, LoopSettings(steps=12), LoopSettings(steps=12, average=0.5)], ids=str)
@pytest.mark.parametrize("cut", [1, 5, 12])
def test_a_resumed_run_is_the_uninterrupted_one(tmp_path, settings, cut):
    complete = Trainer(make(), settings)
    expected = timeless(complete.run(loss))

    first = Trainer(make(), settings)
    actual = timeless(first.run(loss, until=cut))
    first.save(tmp_path / "run.state", {"word": "kept"})
    second = Trainer(make(seed=1), settings)  # other weights: all have to come from the state
    second.load(tmp_path / "run.state")
    assert second.step == cut
    actual += timeless(second.run(loss))

    assert actual == expected
    single, other = content(complete), content(second)
    assert single.keys() == other.keys()
    for name, value in single.items():
        assert torch.equal(value, other[name]), name
    note = read_note(tmp_path / "run.state")
    assert (note["word"], note["step"], note["settings"]["steps"]) == ("kept", cut, 12)


def test_a_step_is_that_of_a_plain_loop():
    """The same update by torch alone, with its clipping and a moving average spelt out."""
    ours = Trainer(make(), SETTINGS)
    records = list(ours.run(loss))
    module = make()
    optimizer = torch.optim.Adam(module.parameters(), weight_decay=0.1)
    average = copy.deepcopy(module.state_dict())
    for step in range(12):
        rate = 0.05 * (step + 1) / 3 if step < 3 else 0.05 * (1 + math.cos(math.pi * (step - 3) / 9)) / 2
        optimizer.param_groups[0]["lr"] = rate
        optimizer.zero_grad()
        loss(module, step)[0].backward()
        gradients = [p.grad for p in module.parameters() if p.grad is not None]
        norm = math.sqrt(sum(float(g.double().square().sum()) for g in gradients))
        assert records[step]["norm"] == pytest.approx(norm, rel=1e-4)
        assert records[step]["rate"] == pytest.approx(rate)
        for gradient in gradients:
            gradient *= min(1.0, 0.5 / norm)
        optimizer.step()
        decay = min(0.9, (1 + step) / (10 + step))
        for name, value in module.state_dict().items():
            average[name] = value if value.dtype == torch.int64 else decay * average[name] + (1 - decay) * value
    for name, value in module.state_dict().items():
        torch.testing.assert_close(ours.plain.state_dict()[name], value, rtol=1e-3, atol=1e-5)
        torch.testing.assert_close(ours.weights()[name], average[name], rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("limit", [0.0, 0.01, 1e6])
def test_clipping(limit):
    trainer = Trainer(make(), LoopSettings(steps=1, clip=limit))
    (record,) = trainer.run(loss)
    left = math.sqrt(sum(float(p.grad.square().sum()) for p in trainer.plain.parameters() if p.grad is not None))
    assert record["norm"] > 0.1
    assert left == pytest.approx(min(record["norm"], limit or math.inf), rel=1e-3)


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        ("constant", [2, 4, 4, 4, 4, 4]),
        ("linear", [2, 4, 4, 3, 2, 1]),
        ("cosine", [2, 4, 4, 2 + 2**0.5, 2, 2 - 2**0.5]),
    ],
)
def test_schedules(schedule, expected):
    settings = LoopSettings(steps=6, learning_rate=4.0, warmup=2, schedule=schedule)
    assert [settings.rate(step) for step in range(6)] == pytest.approx(expected)
    assert settings.rate(6) == pytest.approx(4.0 if schedule == "constant" else 0.0)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"steps": 0}, "steps"),
        ({"learning_rate": 0.0}, "learning rate"),
        ({"learning_rate": math.nan}, "learning rate"),
        ({"clip": -1.0}, "clip"),
        ({"weight_decay": math.inf}, "weight_decay"),
        ({"average": 1.0}, "moving average"),
        ({"schedule": "cosin"}, "did you mean cosine"),
    ],
)
def test_settings_out_of_range(values, message):
    with pytest.raises(UsageError, match=message):
        LoopSettings(**{"steps": 1, **values})


def test_records_have_what_the_loss_gives():
    record = next(Trainer(make(), LoopSettings(steps=1)).run(loss))
    assert record["double"] == 2 * record["loss"]
    assert record.keys() == {"step", "loss", "rate", "norm", "seconds", "double"}


def test_stop_is_asked_after_each_step():
    trainer = Trainer(make(), LoopSettings(steps=10))
    records = list(trainer.run(loss, stop=lambda: trainer.step == 4))
    assert [record["step"] for record in records] == [1, 2, 3, 4]
    assert len(list(trainer.run(loss))) == 6


def test_a_gradient_that_is_not_finite_changes_nothing():
    trainer = Trainer(make(), LoopSettings(steps=30))

    def broken(module, step):
        value, extra = loss(module, step)
        return (value * math.nan if step in (2, 3) else value), extra

    run = trainer.run(broken)
    records = [next(run), next(run)]
    before = {name: value.clone() for name, value in trainer.plain.named_parameters()}
    records += [next(run), next(run)]
    assert [math.isfinite(record["norm"]) for record in records] == [True, True, False, False]
    assert all(torch.equal(value, before[name]) for name, value in trainer.plain.named_parameters())
    assert math.isfinite(next(run)["loss"])
    with pytest.raises(DataError, match="20 consecutive steps, up to step 25"):
        list(trainer.run(lambda module, step: (loss(module, step)[0] * math.inf, {})))


def test_averaged_weights_are_lent():
    trainer = Trainer(make(), SETTINGS)
    list(trainer.run(loss, until=6))
    own, selected = copy.deepcopy(trainer.plain.state_dict()), copy.deepcopy(trainer.weights())
    assert not torch.equal(own["0.weight"], selected["0.weight"])
    with trainer.averaged() as module:
        assert not module.training
        assert all(torch.equal(value, selected[name]) for name, value in module.state_dict().items())
    assert trainer.plain.training
    assert all(torch.equal(value, own[name]) for name, value in trainer.plain.state_dict().items())


def test_what_is_no_state_is_refused(tmp_path):
    from safetensors.torch import save_file

    junk, other, strange = tmp_path / "junk", tmp_path / "other", tmp_path / "strange"
    junk.write_bytes(b"\x10" * 40)
    save_file({"a": torch.zeros(2)}, strange)
    Trainer(nn.Linear(2, 2), LoopSettings(steps=1)).save(other, {})
    for path in (junk, strange, tmp_path / "missing", tmp_path):
        with pytest.raises(DataError, match=f"{path.name}.*not the state of a training run"):
            Trainer(make(), SETTINGS).load(path)
    with pytest.raises(DataError, match="another model"):
        Trainer(make(), SETTINGS).load(other)
    with pytest.raises(DataError, match="cannot write"):
        Trainer(make(), SETTINGS).save(tmp_path / "no" / "folder.state", {})


def test_a_failed_save_leaves_the_old_state(tmp_path):
    trainer = Trainer(make(), SETTINGS)
    trainer.save(tmp_path / "run.state", {"version": 1})
    with pytest.raises(TypeError):
        trainer.save(tmp_path / "run.state", {"version": {2}})
    assert read_note(tmp_path / "run.state")["version"] == 1
    assert [path.name for path in tmp_path.iterdir()] == ["run.state"]


@pytest.mark.parametrize(
    ("make_it", "message"),
    [
        (lambda: device_named("gpu"), "auto, cpu or cuda"),
        (lambda: device_named("mps"), "auto, cpu or cuda"),
        (lambda: Machine(precision="16"), "32 or bf16"),
        (lambda: Machine(processes=0), "at least 1"),
        (lambda: Machine(workers=-1), "at least"),
    ],
)
def test_machines_that_do_not_exist(make_it, message):
    with pytest.raises(UsageError, match=message):
        make_it()


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_no_gpu():
    assert device_named("auto") == torch.device("cpu")
    with pytest.raises(UsageError, match="no CUDA device"):
        Machine(device="cuda").fabric()


class Degrees(nn.Module):
    """Notes what it is given, and computes in the precision of the context."""

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(1, 1)

    def forward(self, batch):
        self.seen = batch.x.dtype, batch
        out = self.linear(batch.x)
        self.computed = out.dtype
        return Batch(out, batch.mask)  # a frozen dataclass goes in, and one comes out


def test_mixed_precision_leaves_inputs_and_weights_alone(tmp_path):
    fabric = Machine(device="cpu", precision="bf16").fabric()
    trainer = Trainer(Degrees(), LoopSettings(steps=60, learning_rate=0.1, clip=1.0), fabric)
    batch = Batch(torch.linspace(0, 1, 12).view(2, 6, 1), torch.ones(2, 6, dtype=torch.bool))
    records = list(trainer.run(lambda module, _: ((module(batch).x.float() - 3 * batch.x).square().mean(), {})))
    assert trainer.plain.seen == (torch.float32, batch)
    assert trainer.plain.computed == torch.bfloat16
    assert trainer.plain.linear.weight.dtype == torch.float32
    assert records[-1]["loss"] < 0.05 < records[0]["loss"]
    assert (trainer.share, trainer.device) == ((0, 1), torch.device("cpu"))
    trainer.save(tmp_path / "run.state", {})
    plain = Trainer(Degrees(), LoopSettings(steps=60))
    plain.load(tmp_path / "run.state")
    assert torch.equal(plain.plain.linear.weight, trainer.plain.linear.weight)


# ---------------------------------------------------------------- fleets


def regression(runs, *, seed=0):
    """Weights and biases of linear models side by side, float64, and the data that all of them see."""
    generator = torch.Generator().manual_seed(seed)

    def drawn(*shape):
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    return nn.Parameter(drawn(runs, 3, 2)), nn.Parameter(drawn(runs, 1, 2)), drawn(12, 3), drawn(12, 2)


def squares(x, y, weight, bias):
    """Squared errors of linear models, shape (runs, n)."""
    return (x @ weight + bias - y).square().sum(-1)


@pytest.mark.parametrize(
    ("rule", "optimizer", "options"),
    [
        (SGD(), torch.optim.SGD, {}),
        (SGD(momentum=0.9), torch.optim.SGD, {"momentum": 0.9}),
        (SGD(weight_decay=0.1), torch.optim.SGD, {"weight_decay": 0.1}),
        (SGD(momentum=0.9, weight_decay=5e-4), torch.optim.SGD, {"momentum": 0.9, "weight_decay": 5e-4}),
        (Adam(), torch.optim.Adam, {}),
        (Adam(decays=(0.5, 0.9)), torch.optim.Adam, {"betas": (0.5, 0.9)}),
    ],
    ids=str,
)
def test_each_run_of_a_fleet_takes_the_steps_of_torchs_optimizer(rule, optimizer, options):
    rates = torch.tensor([0.01, 0.05, 0.002], dtype=torch.float64)
    weight, bias, x, y = regression(len(rates))
    alone = [[p[run : run + 1].detach().clone().requires_grad_() for p in (weight, bias)] for run in range(len(rates))]
    optimizers = [optimizer(own, lr=float(rate), **options) for own, rate in zip(alone, rates, strict=True)]
    fleet = Fleet([weight, bias], rates, patience=1000, rule=rule)
    steps = 0

    def loss(index, _):
        for run, own in enumerate(alone):  # the parameters that this step starts from
            for parameter, expected in zip((weight, bias), own, strict=True):
                torch.testing.assert_close(parameter[run : run + 1], expected, rtol=1e-10, atol=1e-12)
        for own, other in zip(alone, optimizers, strict=True):
            other.zero_grad()
            squares(x[index], y[index], *own).mean().backward()
            other.step()
        nonlocal steps
        steps += 1
        return squares(x[index], y[index], weight, bias)

    for _ in fleet.epochs(8, len(x), 5, loss, torch.Generator().manual_seed(1)):
        pass
    assert steps == 24
    for run, own in enumerate(alone):
        torch.testing.assert_close(weight[run : run + 1], own[0], rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("rule", [SGD(momentum=0.9, weight_decay=5e-4), Adam()], ids=str)
def test_runs_that_are_kept_go_on_as_if_they_had_been_alone(rule):
    rates = torch.tensor([0.01, 0.05, 0.002], dtype=torch.float64)
    chosen = torch.tensor([2, 0])
    results = []
    for runs in (torch.arange(3), chosen):
        weight, bias, x, y = regression(3)
        parameters = [nn.Parameter(p[runs].detach().clone()) for p in (weight, bias)]
        fleet = Fleet(parameters, rates[runs], patience=1000, rule=rule)

        def loss(index, _, fleet=fleet, x=x, y=y):
            return squares(x[index], y[index], *fleet.parameters)

        for epoch in fleet.epochs(6, len(x), 4, loss, torch.Generator().manual_seed(1)):
            if epoch == 2 and len(fleet.rates) == 3:
                fleet.keep(chosen)
        results.append(fleet.parameters)
    for entry, alone in zip(*results, strict=True):
        torch.testing.assert_close(entry, alone, rtol=1e-12, atol=1e-14)


def test_the_default_rule_of_a_fleet_is_adam_to_the_bit():
    fleets = []
    for options in ({}, {"rule": Adam()}):
        weight, bias, x, y = regression(2)
        fleet = Fleet([weight, bias], torch.tensor([0.01, 0.1], dtype=torch.float64), [1.0, 0.5], **options)

        def loss(index, _, fleet=fleet, x=x, y=y):
            return squares(x[index], y[index], *fleet.parameters)

        for _ in fleet.epochs(4, len(x), 4, loss, torch.Generator().manual_seed(1)):
            pass
        fleets.append(fleet)
    for first, second in zip(*(fleet.best for fleet in fleets), strict=True):
        assert torch.equal(first, second)


def test_a_gradient_that_is_not_finite_counts_as_0_in_a_fleet():
    start = nn.Parameter(torch.tensor([[1.0], [1.0]]))
    bad = torch.tensor([[1.0], [math.nan]])
    fleet = Fleet([start], torch.tensor([0.1, 0.1]), rule=SGD(momentum=0.9))
    for _ in fleet.epochs(1, 1, 1, lambda index, _: start * bad):
        pass
    torch.testing.assert_close(start.detach(), torch.tensor([[0.9], [1.0]]))
