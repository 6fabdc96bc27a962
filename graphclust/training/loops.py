"""The optimiser loops: `Trainer` for one model, `Fleet` for many small ones at the same time. There are no others.

`Trainer` takes a module and a function that returns the loss of a step. The result is the weights of the module, or
their moving average. Data and noise of a step depend on its number alone, so that a run that is stopped and resumed
gives the same result as one that is not.

Fabric provides devices, precision and several processes (`Machine`); each process takes its share of the batches.
Fabric prepares the module but does not wrap it: its wrapper would convert every input to bfloat16, including degrees of
nodes, and does not support frozen dataclasses. Autocast converts only where this is safe.
"""

from __future__ import annotations

import json
import logging
import math
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import torch
from torch import Tensor, nn

from graphclust.errors import DataError, UsageError, unknown
from graphclust.io.files import replacing
from graphclust.runtime.devices import device_named

if TYPE_CHECKING:
    from lightning.fabric import Fabric

__all__ = ["SGD", "Adam", "Fleet", "LoopSettings", "Machine", "Trainer", "UpdateRule", "read_note"]

_PATIENCE = 20  # consecutive steps without a finite gradient after which a run fails


@dataclass(frozen=True)
class LoopSettings:
    """Settings of the optimiser.

    Attributes
    ----------
    steps : int
    learning_rate : float
        The highest learning rate.
    weight_decay : float
        L2 penalty of Adam, as in the papers.
    warmup : int
        Number of steps in which the learning rate grows linearly.
    schedule : {"constant", "cosine", "linear"}
        Learning rate after the warm-up; it falls to 0 at the last step, except for "constant".
    clip : float
        Largest norm of the gradient; 0 for no limit.
    average : float
        Decay per step of the moving average of the weights; 0 for no average.
    """

    steps: int
    learning_rate: float = 1e-4
    weight_decay: float = 0.0
    warmup: int = 0
    schedule: str = "constant"
    clip: float = 0.0
    average: float = 0.0

    def __post_init__(self) -> None:
        if self.steps < 1:
            raise UsageError(f"steps must be a positive integer, not {self.steps!r}")
        if not 0 < self.learning_rate < math.inf:
            raise UsageError(f"the learning rate must be a positive number, not {self.learning_rate!r}")
        for name in ("weight_decay", "warmup", "clip"):
            if not 0 <= getattr(self, name) < math.inf:
                raise UsageError(f"{name} must not be negative or infinite: {getattr(self, name)!r}")
        if not 0 <= self.average < 1:
            raise UsageError(f"the decay of the moving average must lie in [0, 1), not {self.average!r}")
        if self.schedule not in ("constant", "cosine", "linear"):
            raise unknown("schedule", self.schedule, ("constant", "cosine", "linear"))

    def rate(self, step: int) -> float:
        """Return the learning rate of a step.

        Examples
        --------
        >>> settings = LoopSettings(steps=10, learning_rate=1.0, warmup=2, schedule="linear")
        >>> [settings.rate(step) for step in (0, 1, 6, 10)]
        [0.5, 1.0, 0.5, 0.0]
        """
        if step < self.warmup:
            return self.learning_rate * (step + 1) / self.warmup
        done = (step - self.warmup) / max(self.steps - self.warmup, 1)
        if self.schedule == "cosine":
            return self.learning_rate * 0.5 * (1 + math.cos(math.pi * min(done, 1.0)))
        return self.learning_rate * (1.0 if self.schedule == "constant" else max(1 - done, 0.0))


@dataclass(frozen=True)
class Machine:
    """The device and processes that compute.

    Attributes
    ----------
    device : str
        "auto", "cpu" or "cuda".
    precision : {"32", "bf16"}
        "bf16" means autocast: weights and sums stay in 32 bits.
    processes : int
        Number of processes on this machine, each with its share of every batch (and its own GPU). All but the first
        run this program again with the same arguments.
    workers : int
        Number of further processes, for each of the `processes`, that compute batches ahead; 0 for none.

    Raises
    ------
    UsageError
        Unknown precision, or numbers out of range.

    Examples
    --------
    >>> Machine(device="cpu").fabric() is None
    True
    """

    device: str = "auto"
    precision: str = "32"
    processes: int = 1
    workers: int = 0

    def __post_init__(self) -> None:
        if self.precision not in ("32", "bf16"):
            raise UsageError(f"precision must be 32 or bf16, not {self.precision!r}")
        if self.processes < 1 or self.workers < 0:
            raise UsageError("processes must be at least 1 and workers at least 0")

    def fabric(self) -> Fabric | None:
        """Start the processes. Return None for one process on the CPU in 32 bits, which needs torch alone.

        lightning is imported only if needed, since this takes seconds.

        Raises
        ------
        UsageError
            The device does not exist, or there are fewer devices than processes.
        """
        device = device_named(self.device)
        if device.type == "cuda" and self.processes > torch.cuda.device_count():
            raise UsageError(f"{self.processes} processes need as many GPUs, but there are {torch.cuda.device_count()}")
        if device.type == "cpu" and self.processes == 1 and self.precision == "32":
            return None
        from lightning.fabric import Fabric

        for name in ("lightning.fabric", "lightning.pytorch"):  # they log every process to stderr
            logging.getLogger(name).setLevel(logging.WARNING)
        fabric = Fabric(
            accelerator=device.type,
            devices=self.processes if device.index is None or self.processes > 1 else [device.index],
            strategy="ddp" if self.processes > 1 else "auto",
            precision="32-true" if self.precision == "32" else "bf16-mixed",
        )
        fabric.launch()
        return fabric


class Trainer:
    """Optimise a module.

    Parameters
    ----------
    module : Module
        The same module in all processes. Every parameter must have a gradient in every step.
    settings : LoopSettings
    fabric : Fabric, optional
        A launched Fabric (`Machine.fabric`); by default, one process on the CPU. Its processes average their gradients
        and records. Batch normalisation uses a process's own share of the batch, and the running averages are those of
        the first process.

    Attributes
    ----------
    step : int
        Number of steps done.
    seconds : float
        Time of these steps, including those before a run was resumed.
    plain : Module
        The module without a wrapper.

    Examples
    --------
    >>> _ = torch.manual_seed(0)
    >>> module = nn.Linear(1, 1)
    >>> trainer = Trainer(module, LoopSettings(steps=100, learning_rate=0.1))
    >>> x = torch.linspace(0, 1, 8)[:, None]
    >>> records = list(trainer.run(lambda module, step: ((module(x) - 3 * x).square().mean(), {})))
    >>> records[-1]["step"], records[-1]["loss"] < 0.05
    (100, True)
    """

    def __init__(self, module: nn.Module, settings: LoopSettings, fabric: Fabric | None = None) -> None:
        self.settings = settings
        self.fabric = fabric
        self.step = 0
        self.seconds = 0.0
        self.plain = self.module = module
        if fabric is not None:
            self.module = fabric.strategy.setup_module(module.to(fabric.device))
        self.optimizer: torch.optim.Optimizer = torch.optim.Adam(
            module.parameters(), lr=settings.rate(0), weight_decay=settings.weight_decay
        )
        self.average: dict[str, Tensor] = (
            {k: v.detach().clone() for k, v in self.plain.state_dict().items()} if settings.average else {}
        )
        self._n_not_finite = 0

    @property
    def device(self) -> torch.device:
        """The device of the batches."""
        return torch.device("cpu") if self.fabric is None else self.fabric.device

    @property
    def share(self) -> tuple[int, int]:
        """Rank of this process, and number of processes."""
        return (0, 1) if self.fabric is None else (self.fabric.global_rank, self.fabric.world_size)

    def run(
        self,
        loss: Callable[[nn.Module, int], tuple[Tensor, dict[str, float]]],
        until: int | None = None,
        stop: Callable[[], bool] | None = None,
    ) -> Iterator[dict[str, Any]]:
        """Train, and yield the record of each step: step, loss, rate, norm, seconds, and the values from `loss`.

        A step whose gradient (`norm`) is not finite leaves the weights unchanged.

        Parameters
        ----------
        loss : callable
            Maps the module and the number of the step to the loss and to values to record. With several processes, the
            mean over the processes is minimised.
        until : int, optional
            Number of the step before which to stop; that of the settings by default.
        stop : callable, optional
            Called after each step; if it returns True in any process, all of them stop.

        Raises
        ------
        DataError
            The gradient is not finite in many consecutive steps.
        """
        last = self.settings.steps if until is None else min(until, self.settings.steps)
        stopping = False
        while self.step < last and not stopping:
            start = time.perf_counter()
            rate = self.settings.rate(self.step)
            for group in self.optimizer.param_groups:
                group["lr"] = rate
            self.module.train()
            with nullcontext() if self.fabric is None else self.fabric.autocast():
                value, extra = loss(self.module, self.step)
            self.optimizer.zero_grad()
            norm = self._backward(value)
            if math.isfinite(norm):
                self.optimizer.step()
            self._n_not_finite = 0 if math.isfinite(norm) else self._n_not_finite + 1
            if self._n_not_finite == _PATIENCE:
                raise DataError(
                    f"the gradient was not finite in {_PATIENCE} consecutive steps, up to step {self.step + 1}: "
                    "try a lower learning rate, a longer warm-up or clipping"
                )
            self._update_average()
            self.step += 1
            stop_requested = float(stop is not None and stop())
            means = self._mean({"loss": float(value.detach()), **extra, "stop": stop_requested})
            stopping = means.pop("stop") > 0
            self.seconds += time.perf_counter() - start
            yield {"step": self.step, "rate": rate, "norm": norm, "seconds": self.seconds, **means}

    def _backward(self, value: Tensor) -> float:
        """Compute and clip the gradients, and return their norm before clipping."""
        limit = self.settings.clip or math.inf
        if self.fabric is None:
            value.backward()
            return float(nn.utils.clip_grad_norm_(self.plain.parameters(), limit))
        self.fabric.backward(value)
        norm = self.fabric.clip_gradients(self.module, self.optimizer, max_norm=limit, error_if_nonfinite=False)
        return math.nan if norm is None else float(norm)

    def _mean(self, values: dict[str, float]) -> dict[str, float]:
        """Average values over the processes."""
        if self.fabric is None or self.fabric.world_size == 1:
            return values
        own = torch.tensor(list(values.values()), dtype=torch.float64, device=self.device)
        return dict(zip(values, self.fabric.all_reduce(own, reduce_op="mean").tolist(), strict=True))  # type: ignore[union-attr]

    def largest(self, values: list[int]) -> list[int]:
        """Return the maximum of each value over the processes, which must all call this."""
        if self.fabric is None or self.fabric.world_size == 1:
            return values
        own = torch.tensor(values, device=self.device)
        maxima: list[int] = self.fabric.all_reduce(own, reduce_op="max").tolist()  # type: ignore[union-attr]
        return maxima

    def _update_average(self) -> None:
        """Update the moving average of the weights."""
        decay = min(self.settings.average, (1 + self.step) / (10 + self.step))
        for name, value in self.plain.state_dict().items() if self.average else ():
            average = self.average[name]
            if value.dtype.is_floating_point:
                average.lerp_(value.detach(), 1 - decay)
            else:
                average.copy_(value)

    def weights(self) -> dict[str, Tensor]:
        """Return the moving average of the weights, or the weights if they are not averaged."""
        return dict(self.average or self.plain.state_dict())

    @contextmanager
    def averaged(self) -> Iterator[nn.Module]:
        """Provide the module with the weights of `weights()`, in evaluation mode, within the context."""
        own = {k: v.detach().clone() for k, v in self.plain.state_dict().items()}
        self.plain.load_state_dict(self.weights())
        self.plain.eval()
        try:
            yield self.plain
        finally:
            self.plain.load_state_dict(own)
            self.plain.train()

    # ------------------------------------------------------------------ state

    def save(self, path: str | os.PathLike[str], note: dict[str, Any]) -> None:
        """Write the state that `load` needs, and `note` as JSON. Only the first process writes.

        Raises
        ------
        DataError
            The file cannot be written.
        """
        from safetensors.torch import save

        if self.share[0]:
            return
        tensors = {f"model.{k}": v for k, v in self.plain.state_dict().items()}
        tensors |= {f"average.{k}": v for k, v in self.average.items()}
        for name, parameter in self.plain.named_parameters():
            for key, value in self.optimizer.state.get(parameter, {}).items():
                tensors[f"optimizer.{key}.{name}"] = torch.as_tensor(value)
        header = {"step": self.step, "seconds": self.seconds, "settings": asdict(self.settings), **note}
        data = save({k: v.detach().cpu().contiguous() for k, v in tensors.items()}, {"state": json.dumps(header)})
        with replacing(Path(path)) as file:
            file.write(data)

    def load(self, path: str | os.PathLike[str]) -> None:
        """Load a state.

        Raises
        ------
        DataError
            The file is not a state of such a module.
        """
        from safetensors import SafetensorError, safe_open

        header = read_note(path)
        try:
            with safe_open(os.fspath(path), framework="pt") as file:
                tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118  it is not a mapping
            self.plain.load_state_dict({k[6:]: v for k, v in tensors.items() if k.startswith("model.")})
            for name, average in self.average.items():
                average.copy_(tensors.get(f"average.{name}", tensors[f"model.{name}"]))
        except (SafetensorError, OSError) as error:
            raise DataError(f"not the state of a training run ({error})", path) from error
        except RuntimeError as error:
            raise DataError("is the state of another model", path) from error
        for name, parameter in self.plain.named_parameters():
            state = {}
            for key in ("step", "exp_avg", "exp_avg_sq"):
                if f"optimizer.{key}.{name}" in tensors:
                    value = tensors[f"optimizer.{key}.{name}"]
                    state[key] = value if key == "step" else value.to(parameter.device)
            if state:
                self.optimizer.state[parameter] = state
        self.step, self.seconds = header["step"], header["seconds"]


Tensors: TypeAlias = list[Tensor]


class UpdateRule(Protocol):
    """The rule by which a `Fleet` updates a parameter from its gradient."""

    def initial_state(self, parameter: Tensor) -> tuple[Tensor, ...]:
        """Return the tensors that the rule stores for a parameter between steps.

        The first axis of each is the run, as in the parameter.
        """
        ...

    def update(self, parameters: Tensors, gradients: Tensors, states: list[Tensors], rates: Tensors, step: int) -> None:
        """Update all parameters and their states in place, without gradients.

        Parameters
        ----------
        parameters, gradients : list of Tensor, shape (runs, ...)
            Gradients are finite; the rule may overwrite them.
        states : list of lists of Tensor, shape (runs, ...)
            For each tensor that `initial_state` returns, those of all parameters.
        rates : list of Tensor, shape (runs, 1, ..., 1)
            Learning rates, with as many axes as the parameters.
        step : int
            Number of the step, starting at 1.
        """
        ...


@dataclass(frozen=True)
class Adam:
    """Adam (Kingma and Ba, 2015), like `torch.optim.Adam` without weight decay.

    Attributes
    ----------
    decays : (float, float)
        Decays of the running means of the gradient and of its square.
    """

    decays: tuple[float, float] = (0.9, 0.999)

    def initial_state(self, parameter: Tensor) -> tuple[Tensor, ...]:
        """See `UpdateRule.initial_state`: the running means of the gradient and of its square."""
        return torch.zeros_like(parameter), torch.zeros_like(parameter)

    def update(self, parameters: Tensors, gradients: Tensors, states: list[Tensors], rates: Tensors, step: int) -> None:
        """See `UpdateRule.update`."""
        means, squares = states
        first, second = self.decays
        torch._foreach_lerp_(means, gradients, 1 - first)
        torch._foreach_mul_(squares, second)
        torch._foreach_addcmul_(squares, gradients, gradients, 1 - second)
        roots = torch._foreach_div(squares, 1 - second**step)
        torch._foreach_sqrt_(roots)
        torch._foreach_add_(roots, 1e-8)
        changes = torch._foreach_div(means, roots)
        torch._foreach_mul_(changes, torch._foreach_div(rates, 1 - first**step))
        torch._foreach_sub_(parameters, changes)


@dataclass(frozen=True)
class SGD:
    """Stochastic gradient descent with momentum and weight decay, like `torch.optim.SGD` without dampening.

    The velocity is v <- momentum v + (gradient + weight_decay p), and the update p <- p - rate v.

    Attributes
    ----------
    momentum, weight_decay : float

    Examples
    --------
    >>> x = nn.Parameter(torch.tensor([[1.0]]))
    >>> fleet = Fleet([x], torch.tensor([0.1]), rule=SGD(momentum=0.9))
    >>> for _ in fleet.epochs(2, 1, 1, lambda index, epoch: x.square()):
    ...     pass
    >>> x.detach().round(decimals=3)  # 1 - 0.1 * 2 = 0.8; 0.8 - 0.1 * (0.9 * 2 + 1.6) = 0.46
    tensor([[0.4600]])
    """

    momentum: float = 0.0
    weight_decay: float = 0.0

    def initial_state(self, parameter: Tensor) -> tuple[Tensor, ...]:
        """See `UpdateRule.initial_state`: the velocity."""
        return (torch.zeros_like(parameter),)

    def update(self, parameters: Tensors, gradients: Tensors, states: list[Tensors], rates: Tensors, step: int) -> None:
        """See `UpdateRule.update`."""
        (velocities,) = states
        torch._foreach_add_(gradients, parameters, alpha=self.weight_decay)
        torch._foreach_mul_(velocities, self.momentum)
        torch._foreach_add_(velocities, gradients)
        torch._foreach_sub_(parameters, torch._foreach_mul(velocities, rates))


class Fleet:
    """Optimise many runs of a small model at the same time, with different initial values and settings.

    The first axis of every parameter is the run, and each run has its own loss. The gradients are therefore separate,
    and a step of all runs costs little more than a step of one. Each run has its own learning rate, which shrinks when
    the loss of the run has not fallen for some epochs. The parameters of its best epoch are stored. All runs have the
    same batches. Gradients that are not finite, and those of parameters without influence on the loss, count as 0.

    Parameters
    ----------
    parameters : sequence of Tensor, shape (runs, ...)
    rates : Tensor, shape (runs,)
        Learning rates.
    factors : sequence of float
        Factors of the learning rates for the first parameters; 1 for the others.
    patience : int
        Number of epochs without a lower loss after which a learning rate shrinks.
    shrink : float
        Factor by which it shrinks.
    rule : UpdateRule, optional
        `Adam()` by default.

    Attributes
    ----------
    loss : Tensor, shape (runs,)
        Lowest mean loss over the epochs; inf before the first one.
    best : list of Tensor
        The parameters at the end of the epoch with the lowest loss.

    Examples
    --------
    >>> x, goal = nn.Parameter(torch.zeros(2, 1)), torch.tensor([[1.0], [-2.0]])
    >>> fleet = Fleet([x], torch.tensor([0.1, 0.2]))
    >>> for _ in fleet.epochs(100, 4, 2, lambda index, epoch: (x - goal).square().expand(-1, len(index))):
    ...     pass
    >>> fleet.best[0].round(decimals=1).flatten().tolist()
    [1.0, -2.0]
    """

    def __init__(
        self,
        parameters: Sequence[Tensor],
        rates: Tensor,
        factors: Sequence[float] = (),
        *,
        patience: int = 5,
        shrink: float = 0.8,
        rule: UpdateRule | None = None,
    ) -> None:
        self.parameters = list(parameters)
        self.factors = [*factors, *[1.0] * (len(self.parameters) - len(factors))]
        self.rates = rates.clone()
        self.patience = patience
        self.shrink = shrink
        self.rule = Adam() if rule is None else rule
        self.loss = torch.full_like(rates, math.inf)
        self.best = [p.detach().clone() for p in self.parameters]
        self._states = [list(kind) for kind in zip(*map(self.rule.initial_state, self.parameters), strict=True)]
        self._scaled_rates: tuple[Tensor, list[Tensor]] | None = None  # `rates`, and those of the parameters
        self._stalled = torch.zeros_like(rates, dtype=torch.long)
        self._steps = 0

    def epochs(
        self,
        n_epochs: int,
        n_points: int,
        batch_size: int,
        loss: Callable[[Tensor, int], Tensor],
        generator: torch.Generator | None = None,
        counts: Callable[[int], bool] | None = None,
        *,
        points_on_host: bool = False,
    ) -> Iterator[int]:
        """Train, and yield the number of each epoch, starting at 0, after it.

        Parameters
        ----------
        n_epochs, n_points, batch_size : int
        loss : callable
            Maps the points of a batch, int64 of shape (B,), and the number of the epoch to the loss of each point,
            shape (runs, B).
        generator : Generator, optional
            A generator on the CPU, which draws the order of the points.
        counts : callable, optional
            Whether the loss of an epoch, by its number, can be compared with that of others; otherwise it is ignored.
        points_on_host : bool
            Whether the loss takes its points on the CPU, wherever the parameters are. A loss that computes its batch
            on the CPU would otherwise wait for the GPU.
        """
        device = torch.device("cpu") if points_on_host else self.rates.device
        for epoch in range(n_epochs):
            order = torch.randperm(n_points, generator=generator).to(device, non_blocking=True)
            total = torch.zeros_like(self.rates)  # runs may have been dropped since the last epoch
            for index in order.split(batch_size):
                values = loss(index, epoch)
                total += values.detach().sum(1)
                self._step(values.mean(1).sum())
            if counts is None or counts(epoch):
                self._record_best(total / n_points)
            yield epoch

    @torch.no_grad()
    def keep(self, runs: Tensor) -> None:
        """Continue with some of the runs, given by their numbers, int64; may be called after an epoch.

        This replaces the tensors in `parameters`, and the caller must pass them to its model.
        """
        for i, parameter in enumerate(self.parameters):
            self.parameters[i] = nn.Parameter(parameter[runs])
            for kind in self._states:
                kind[i] = kind[i][runs]
        self.best = [best[runs] for best in self.best]
        self.rates, self.loss, self._stalled = self.rates[runs], self.loss[runs], self._stalled[runs]

    def _step(self, value: Tensor) -> None:
        """Take a step of all runs."""
        gradients = torch.autograd.grad(value, self.parameters, materialize_grads=True)
        self._steps += 1
        with torch.no_grad():
            if self._scaled_rates is None or self._scaled_rates[0] is not self.rates:
                pairs = zip(self.parameters, self.factors, strict=True)
                scaled = [factor * self.rates.reshape(-1, *[1] * (parameter.dim() - 1)) for parameter, factor in pairs]
                self._scaled_rates = self.rates, scaled
            finite = [gradient.nan_to_num(0.0, 0.0, 0.0) for gradient in gradients]
            self.rule.update(self.parameters, finite, self._states, self._scaled_rates[1], self._steps)

    @torch.no_grad()
    def _record_best(self, mean: Tensor) -> None:
        """Store the parameters of runs with their lowest loss so far; shrink the rates of runs without progress."""
        better = mean < self.loss
        self.loss = torch.where(better, mean, self.loss)
        for best, parameter in zip(self.best, self.parameters, strict=True):
            torch.where(better.reshape(-1, *[1] * (best.dim() - 1)), parameter, best, out=best)  # no wait for the GPU
        self._stalled = torch.where(better, 0, self._stalled + 1)  # epochs without a lower loss
        is_due = self._stalled >= self.patience
        self.rates = torch.where(is_due, self.rates * self.shrink, self.rates)
        self._stalled = torch.where(is_due, 0, self._stalled)


def read_note(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Return the note of a state: step, seconds, settings of the loop, and the note that `save` received.

    Raises
    ------
    DataError
        The file is not a state.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(os.fspath(path), framework="pt") as file:
            header = json.loads((file.metadata() or {})["state"])
    except (SafetensorError, OSError, KeyError, ValueError) as error:
        raise DataError("not the state of a training run", path) from error
    return dict(header)
