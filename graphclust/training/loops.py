"""The optimiser loops: of one model (`Trainer`), and of many small ones side by side (`Fleet`). There are no others.

`Trainer` resumes where it stopped, and writes its log and its state as it goes.

A model comes in as a module and a function that gives the loss of a step; what is learned goes out as the module's
weights, or as their moving average. Steps are numbered, and data and noise of a step are drawn from its number, so that
a run that was stopped and resumed is the run that was not.

Devices, precision and several processes are Fabric's (`Machine`); each process takes its share of the steps' batches.
Fabric prepares the module, but does not wrap it: its wrapper would turn every input into bfloat16, degrees of nodes
included, and takes no frozen dataclasses. Autocast alone converts where it is safe.
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
from typing import TYPE_CHECKING, Any, Protocol

import torch
from torch import Tensor, nn

from graphclust.errors import DataError, UsageError, unknown
from graphclust.io.files import replacing
from graphclust.runtime.devices import device_named

if TYPE_CHECKING:
    from lightning.fabric import Fabric

__all__ = ["SGD", "Adam", "Fleet", "LoopSettings", "Machine", "Trainer", "UpdateRule", "read_note"]

_PATIENCE = 20  # steps in a row without a finite gradient before a run is given up


@dataclass(frozen=True)
class LoopSettings:
    """How to optimise.

    Attributes
    ----------
    steps : int
    learning_rate : float
        The highest.
    weight_decay : float
        Of Adam: L2, as the papers have it.
    warmup : int
        Steps of linear growth of the learning rate.
    schedule : {"constant", "cosine", "linear"}
        What follows: to 0 at the last step but for "constant".
    clip : float
        Largest norm of the gradient; 0 for none.
    average : float
        Decay of the moving average of the weights, a step; 0 for none.
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
            raise UsageError(f"steps is a positive integer, not {self.steps!r}")
        if not 0 < self.learning_rate < math.inf:
            raise UsageError(f"the learning rate is a positive number, not {self.learning_rate!r}")
        for name in ("weight_decay", "warmup", "clip"):
            if not 0 <= getattr(self, name) < math.inf:
                raise UsageError(f"{name} is 0 or positive, not {getattr(self, name)!r}")
        if not 0 <= self.average < 1:
            raise UsageError(f"the decay of the moving average lies in [0, 1), not {self.average!r}")
        if self.schedule not in ("constant", "cosine", "linear"):
            raise unknown("schedule", self.schedule, ("constant", "cosine", "linear"))

    def rate(self, step: int) -> float:
        """Learning rate of a step.

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
    """What to compute on.

    Attributes
    ----------
    device : str
        auto, cpu or cuda.
    precision : {"32", "bf16"}
        "bf16" is autocast: weights and sums stay in 32 bits.
    processes : int
        On one machine, each with its share of every batch (and with a GPU of its own). All but the first are this
        program started once more with the same arguments.
    workers : int
        Processes that make batches ahead, for each of the `processes`; 0 for none.

    Raises
    ------
    UsageError
        A precision that is none of these, or numbers that are negative.

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
            raise UsageError(f"precision is 32 or bf16, not {self.precision!r}")
        if self.processes < 1 or self.workers < 0:
            raise UsageError("processes are at least 1, workers at least 0")

    def fabric(self) -> Fabric | None:
        """Start the processes; None where plain torch does all: one process on the CPU in 32 bits.

        lightning is imported only where it is needed: that takes seconds.

        Raises
        ------
        UsageError
            There is no such device, or there are fewer of them than processes.
        """
        device = device_named(self.device)
        if device.type == "cuda" and self.processes > torch.cuda.device_count():
            raise UsageError(f"{self.processes} processes need as many GPUs; there are {torch.cuda.device_count()}")
        if device.type == "cpu" and self.processes == 1 and self.precision == "32":
            return None
        from lightning.fabric import Fabric

        for name in ("lightning.fabric", "lightning.pytorch"):  # they announce every process on stderr
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
        With several processes, the same in each; every parameter has a gradient in every step.
    settings : LoopSettings
    fabric : Fabric, optional
        Launched (`Machine.fabric`); the CPU in one process by default. Its processes average their gradients and their
        records. Batch normalisation sees a process's own share of the batch, and what is kept are the running
        averages of the first process.

    Attributes
    ----------
    step : int
        Steps done.
    seconds : float
        Time that they took, over all runs.
    plain : Module
        The module itself.

    Examples
    --------
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
        self._wasted = 0

    @property
    def device(self) -> torch.device:
        """Where the batches belong."""
        return torch.device("cpu") if self.fabric is None else self.fabric.device

    @property
    def share(self) -> tuple[int, int]:
        """Number of this process, and of all."""
        return (0, 1) if self.fabric is None else (self.fabric.global_rank, self.fabric.world_size)

    def run(
        self,
        loss: Callable[[nn.Module, int], tuple[Tensor, dict[str, float]]],
        until: int | None = None,
        stop: Callable[[], bool] | None = None,
    ) -> Iterator[dict[str, Any]]:
        """Yield the record of each step: step, loss, learning rate, seconds so far, and what `loss` gave with it.

        A step whose gradient is not finite changes nothing; its `norm` tells.

        Parameters
        ----------
        loss : callable
            Module and number of the step -> loss to minimise, values to record. With several processes each gives its
            own; what counts is the mean.
        until : int, optional
            Step to stop before; all by default.
        stop : callable, optional
            Asked after each step whether it shall be the last; one process that says so stops them all.

        Raises
        ------
        DataError
            Many gradients in a row are not finite.
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
            self._wasted = 0 if math.isfinite(norm) else self._wasted + 1
            if self._wasted == _PATIENCE:
                raise DataError(
                    f"the gradient was not finite in {_PATIENCE} steps in a row, up to step {self.step + 1}: "
                    "a lower learning rate, a longer warm-up or clipping may help"
                )
            self._average()
            self.step += 1
            asked = float(stop is not None and stop())
            shared = self._mean({"loss": float(value.detach()), **extra, "stop": asked})
            stopping = shared.pop("stop") > 0
            self.seconds += time.perf_counter() - start
            yield {"step": self.step, "rate": rate, "norm": norm, "seconds": self.seconds, **shared}

    def _backward(self, value: Tensor) -> float:
        """Compute the gradients, clip them, and return the norm that they had."""
        limit = self.settings.clip or math.inf
        if self.fabric is None:
            value.backward()
            return float(nn.utils.clip_grad_norm_(self.plain.parameters(), limit))
        self.fabric.backward(value)
        norm = self.fabric.clip_gradients(self.module, self.optimizer, max_norm=limit, error_if_nonfinite=False)
        return math.nan if norm is None else float(norm)

    def _mean(self, values: dict[str, float]) -> dict[str, float]:
        """Average over the processes."""
        if self.fabric is None or self.fabric.world_size == 1:
            return values
        own = torch.tensor(list(values.values()), dtype=torch.float64, device=self.device)
        return dict(zip(values, self.fabric.all_reduce(own, reduce_op="mean").tolist(), strict=True))  # type: ignore[union-attr]

    def largest(self, values: list[int]) -> list[int]:
        """Return the largest of each value over the processes, which all have to ask."""
        if self.fabric is None or self.fabric.world_size == 1:
            return values
        own = torch.tensor(values, device=self.device)
        found: list[int] = self.fabric.all_reduce(own, reduce_op="max").tolist()  # type: ignore[union-attr]
        return found

    def _average(self) -> None:
        decay = min(self.settings.average, (1 + self.step) / (10 + self.step))
        for name, value in self.plain.state_dict().items() if self.average else ():
            kept = self.average[name]
            if value.dtype.is_floating_point:
                kept.lerp_(value.detach(), 1 - decay)
            else:
                kept.copy_(value)

    def weights(self) -> dict[str, Tensor]:
        """Return the weights to keep: the moving average where there is one."""
        return dict(self.average or self.plain.state_dict())

    @contextmanager
    def averaged(self) -> Iterator[nn.Module]:
        """Give the module with the weights to keep, in evaluation mode, for as long as the context lasts."""
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
        """Write all that `load` needs; `note` is kept beside it as JSON. Only the first process writes.

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
        """Go on from a state.

        Raises
        ------
        DataError
            The file is no state of such a module.
        """
        from safetensors import SafetensorError, safe_open

        header = read_note(path)
        try:
            with safe_open(os.fspath(path), framework="pt") as file:
                tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118  no mapping
            self.plain.load_state_dict({k[6:]: v for k, v in tensors.items() if k.startswith("model.")})
            for name, kept in self.average.items():
                kept.copy_(tensors.get(f"average.{name}", tensors[f"model.{name}"]))
        except (SafetensorError, OSError) as error:
            raise DataError(f"no state of a training run ({error})", path) from error
        except RuntimeError as error:
            raise DataError("the state of another model", path) from error
        for name, parameter in self.plain.named_parameters():
            state = {}
            for key in ("step", "exp_avg", "exp_avg_sq"):
                if f"optimizer.{key}.{name}" in tensors:
                    value = tensors[f"optimizer.{key}.{name}"]
                    state[key] = value if key == "step" else value.to(parameter.device)
            if state:
                self.optimizer.state[parameter] = state
        self.step, self.seconds = header["step"], header["seconds"]


class UpdateRule(Protocol):
    """How a `Fleet` turns the gradient of a parameter into a step."""

    def initial_state(self, parameter: Tensor) -> tuple[Tensor, ...]:
        """Return the tensors that the rule remembers of a parameter between steps.

        The first axis of each is the run, as it is of the parameter.
        """
        ...

    def update(self, parameter: Tensor, gradient: Tensor, state: tuple[Tensor, ...], rates: Tensor, step: int) -> None:
        """Change a parameter and its state in place, without gradients.

        Parameters
        ----------
        parameter : Tensor, shape (runs, ...)
        gradient : Tensor, shape (runs, ...)
            Finite. The rule may overwrite it.
        state : tuple of Tensor, shape (runs, ...)
        rates : Tensor, shape (runs, 1, ..., 1)
            Learning rates, with as many axes as the parameter.
        step : int
            Number of the step, from 1.
        """
        ...


@dataclass(frozen=True)
class Adam:
    """Adam (Kingma and Ba, 2015), as `torch.optim.Adam` without weight decay.

    Attributes
    ----------
    decays : (float, float)
        Decays of the running means of the gradient and of its square.
    """

    decays: tuple[float, float] = (0.9, 0.999)

    def initial_state(self, parameter: Tensor) -> tuple[Tensor, ...]:
        """See `UpdateRule.initial_state`: the running means of the gradient and of its square."""
        return torch.zeros_like(parameter), torch.zeros_like(parameter)

    def update(self, parameter: Tensor, gradient: Tensor, state: tuple[Tensor, ...], rates: Tensor, step: int) -> None:
        """See `UpdateRule.update`."""
        mean, square = state
        first, second = self.decays
        mean.lerp_(gradient, 1 - first)
        square.mul_(second).addcmul_(gradient, gradient, value=1 - second)
        root = torch.div(square, 1 - second**step, out=gradient).sqrt_().add_(1e-8)
        parameter.sub_(torch.div(mean, root, out=root).mul_(rates / (1 - first**step)))


@dataclass(frozen=True)
class SGD:
    """Stochastic gradient descent with momentum and weight decay, as `torch.optim.SGD` without dampening.

    The velocity is v <- momentum v + (gradient + weight_decay p), and the step p <- p - rate v.

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

    def update(self, parameter: Tensor, gradient: Tensor, state: tuple[Tensor, ...], rates: Tensor, step: int) -> None:
        """See `UpdateRule.update`."""
        (velocity,) = state
        velocity.mul_(self.momentum).add_(gradient.add_(parameter, alpha=self.weight_decay))
        parameter.sub_(torch.mul(velocity, rates, out=gradient))


class Fleet:
    """Optimise many runs of a small model at once, from different starts and with different settings.

    The first axis of every parameter is the run, and the loss is one a run: so their gradients do not mix, and a step
    of all costs little more than a step of one. Each run has a learning rate of its own, which shrinks when its loss of
    an epoch has not fallen for some epochs, and the parameters of its best epoch are kept. All runs see the same
    batches. A gradient that is not finite counts as 0, and so does that of a parameter that the loss does not see.

    Parameters
    ----------
    parameters : sequence of Tensor, shape (runs, ...)
    rates : Tensor, shape (runs,)
        Learning rates.
    factors : sequence of float
        What the learning rates are multiplied by for each of the parameters; 1 for those that it does not name.
    patience : int
        Epochs without a lower loss after which a learning rate shrinks.
    shrink : float
        What it is multiplied by.
    rule : UpdateRule, optional
        How a gradient becomes a step: `Adam()` by default.

    Attributes
    ----------
    loss : Tensor, shape (runs,)
        The lowest mean loss of an epoch, inf before the first.
    best : list of Tensor
        The parameters at the end of that epoch.

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
        self._states = [self.rule.initial_state(p) for p in self.parameters]
        self._waited = torch.zeros_like(rates, dtype=torch.long)
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
        """Yield the number of each epoch, from 0, after it.

        Parameters
        ----------
        n_epochs, n_points, batch_size : int
        loss : callable
            Points of the batch, int64, shape (B,), and number of the epoch -> loss of each point, shape (runs, B).
        generator : Generator, optional
            Of the CPU: it draws the order of the points.
        counts : callable, optional
            Whether the loss of an epoch can be compared with the others'; else it is not looked at.
        points_on_host : bool
            Whether the loss takes its points on the CPU, wherever the parameters are: for a loss that makes its batch
            there, which would wait for the GPU if the points came from it.
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
                self._remember(total / n_points)
            yield epoch

    @torch.no_grad()
    def keep(self, runs: Tensor) -> None:
        """Go on with some of the runs only, by their numbers, int64, shape (fewer,); may be called after an epoch.

        `parameters` are new tensors then, which the caller's model has to take over.
        """
        for i, parameter in enumerate(self.parameters):
            self.parameters[i] = nn.Parameter(parameter[runs])
            self._states[i] = tuple(tensor[runs] for tensor in self._states[i])
        self.best = [kept[runs] for kept in self.best]
        self.rates, self.loss, self._waited = self.rates[runs], self.loss[runs], self._waited[runs]

    def _step(self, value: Tensor) -> None:
        """Take a step by the rule."""
        gradients = torch.autograd.grad(value, self.parameters, materialize_grads=True)
        self._steps += 1
        with torch.no_grad():
            columns = zip(self.parameters, gradients, self._states, self.factors, strict=True)
            for parameter, gradient, state, factor in columns:
                rates = factor * self.rates.reshape(-1, *[1] * (parameter.dim() - 1))
                self.rule.update(parameter, gradient.nan_to_num(0.0, 0.0, 0.0), state, rates, self._steps)

    @torch.no_grad()
    def _remember(self, mean: Tensor) -> None:
        """Keep the parameters of runs whose loss is the lowest so far; shrink the rates of those that wait too long."""
        better = mean < self.loss
        self.loss = torch.where(better, mean, self.loss)
        for kept, parameter in zip(self.best, self.parameters, strict=True):
            torch.where(better.reshape(-1, *[1] * (kept.dim() - 1)), parameter, kept, out=kept)  # no wait for the GPU
        self._waited = torch.where(better, 0, self._waited + 1)
        late = self._waited >= self.patience
        self.rates = torch.where(late, self.rates * self.shrink, self.rates)
        self._waited = torch.where(late, 0, self._waited)


def read_note(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Return what was noted with a state: step, seconds, settings (of the loop), and the note that `save` was given.

    Raises
    ------
    DataError
        The file is no state.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(os.fspath(path), framework="pt") as file:
            header = json.loads((file.metadata() or {})["state"])
    except (SafetensorError, OSError, KeyError, ValueError) as error:
        raise DataError("no state of a training run", path) from error
    return dict(header)
