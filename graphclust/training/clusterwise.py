"""Train the clusterwise models on synthetic graphs.

The number of a step determines its batch and noise (`SyntheticBatches`), and `Trainer` is the optimiser loop.
`train_clusterwise` combines the two, and writes a state for resuming and a log beside the model.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from graphclust.errors import DataError, ResourceError, UsageError
from graphclust.io.files import replacing
from graphclust.models.build import ModelConfig, build
from graphclust.models.sampler import PartitionModel
from graphclust.nn.batch import Batch
from graphclust.nn.encoders import GraphTransformer
from graphclust.runtime.memory import keep_memory
from graphclust.runtime.notes import counted
from graphclust.runtime.progress import task
from graphclust.runtime.serialize import plain
from graphclust.training.checkpoints import CheckpointInfo, digest, load_checkpoint, read_info, save_checkpoint
from graphclust.training.evaluation import evaluate
from graphclust.training.loops import LoopSettings, Machine, Trainer, read_note
from graphclust.training.synthetic import (
    HELD_OUT,
    TEST,
    DataConfig,
    SyntheticBatches,
    first_batch,
    held_out_batches,
)

__all__ = [
    "Speed",
    "Trained",
    "elbo_loss",
    "measure_speed",
    "train_clusterwise",
]

logger = logging.getLogger("graphclust")

_WARM_UP = 3  # steps that `measure_speed` does not time


def elbo_loss(
    module: nn.Module, batch_and_seeds: tuple[Batch, list[int]], n_z: int, n_graphs: float | None = None
) -> tuple[Tensor, dict[str, float]]:
    """Return the mean negative ELBO of a batch as the loss, and its mean ELBO for the record.

    Parameters
    ----------
    module : Module
        A `ClusterwiseModel`, or its wrapper in this process.
    batch_and_seeds : (Batch, list of int)
        A batch, and a seed for each of its graphs.
    n_z : int
        Samples of z for each cluster.
    n_graphs : float, optional
        Divisor of the sums; by default the number of graphs. If processes share a batch and average their gradients,
        the size of the whole batch divided by the number of processes: the gradient then equals that of one process,
        however unequal the shares are.

    Returns
    -------
    loss : Tensor, shape ()
    record : dict
        With the key "elbo".
    """
    batch, seeds = batch_and_seeds
    elbo = module(batch, n_z, seeds)
    n_graphs = n_graphs or len(batch)
    return -elbo.total / n_graphs, {"elbo": float(elbo.per_graph.sum()) / n_graphs}


# ---------------------------------------------------------------- training


@dataclass(frozen=True)
class Trained:
    """Result of `train_clusterwise`.

    Attributes
    ----------
    step : int
        Number of steps done, including those before it was resumed.
    finished : bool
        Whether all steps are done.
    seconds : float
        Time of these steps.
    held_out : dict
        The last `Scores.summary`; empty without an evaluation.
    is_main : bool
        Whether this is the main process, which writes the files.
    """

    step: int
    finished: bool
    seconds: float
    held_out: dict[str, Any]
    is_main: bool = True


@dataclass(frozen=True)
class Speed:
    """Result of `measure_speed`; numbers refer to all processes together.

    Attributes
    ----------
    graphs_per_second : float
        Number of graphs divided by the time.
    spread : float
        Standard deviation of the rates of single steps.
    data_share : float
        Share of the time spent waiting for batches.
    steps, graphs : int
        Numbers of timed steps and graphs.
    is_main : bool
        Whether this is the main process.
    """

    graphs_per_second: float
    spread: float
    data_share: float
    steps: int
    graphs: int
    is_main: bool = True


class _Run:
    """A model that is trained on synthetic batches, for `train_clusterwise` and `measure_speed`."""

    def __init__(
        self,
        model: ModelConfig,
        data: DataConfig,
        settings: LoopSettings,
        n_z: int,
        machine: Machine,
        start: str | os.PathLike[str] | None = None,
    ) -> None:
        if data.seed in (HELD_OUT, TEST):
            raise UsageError(f"seed {data.seed} is reserved for held-out graphs: choose another")
        self.model, self.data, self.n_z, self.machine = model, data, n_z, machine
        first_batch(SyntheticBatches(model, data, share=(0, machine.processes)))
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(data.seed)
            module = build(model)
        if start is not None:
            _load_initial_weights(module, model, start)
        keep_memory()
        self.trainer = Trainer(module, settings, machine.fabric())
        self.batches = SyntheticBatches(model, data, share=self.trainer.share)
        self.seconds_waited = 0.0
        self.n_nodes = self.n_clusters = _EMPTY_RANGE

    @property
    def is_main(self) -> bool:
        """Whether this is the main process, which writes and logs."""
        return self.trainer.share[0] == 0

    def steps(self, until: int | None = None, stop: Callable[[], bool] | None = None) -> Iterator[dict[str, Any]]:
        """Train, and yield the record of each step."""
        trainer = self.trainer
        n_graphs = self.data.batch_size / trainer.share[1]
        last = min(until or trainer.settings.steps, trainer.settings.steps)
        batches = _batches_ahead(self.batches, trainer.step, last, self.machine.workers)

        def loss(module: nn.Module, _: int) -> tuple[Tensor, dict[str, float]]:
            start = time.perf_counter()
            batch, seeds = next(batches)
            self.seconds_waited += time.perf_counter() - start
            self._record_sizes(batch)
            return elbo_loss(module, (batch.to(trainer.device), seeds), self.n_z, n_graphs)

        try:
            yield from trainer.run(loss, last, stop)
        except torch.OutOfMemoryError as error:
            raise ResourceError(
                f"a batch of {self.data.batch_size} graphs with {self.n_z} samples of z does not fit into the "
                "memory of the GPU: reduce either number"
            ) from error

    def _record_sizes(self, batch: Batch) -> None:
        """Extend the ranges of the numbers of nodes and of clusters."""
        assert batch.labels is not None
        self.n_nodes = _extended(self.n_nodes, batch.mask.sum(dim=1).tolist())
        rows = batch.labels.sort(dim=1).values
        new = (rows[:, 1:] != rows[:, :-1]) & (rows[:, 1:] >= 0)
        self.n_clusters = _extended(self.n_clusters, (new.sum(dim=1) + (rows[:, 0] >= 0)).tolist())

    def ranges(self) -> tuple[tuple[int, int], tuple[int, int]]:
        """Return the ranges of the numbers of nodes and of clusters over all processes, which must all call this."""
        (a, b), (c, d) = self.n_nodes, self.n_clusters
        a, b, c, d = self.trainer.largest([-a, b, -c, d])
        return (-a, b), (-c, d)


_EMPTY_RANGE = (1 << 62, 0)


def _extended(range_: tuple[int, int], values: list[int]) -> tuple[int, int]:
    return min(range_[0], *values), max(range_[1], *values)


def _load_initial_weights(module: nn.Module, config: ModelConfig, start: str | os.PathLike[str]) -> None:
    """Load initial weights from a checkpoint of the same architecture, or of a related model.

    ACP, ACP-S and CCP share their encoder, decoder and Gaussians, and the first two also most of their set encodings.
    Shared weights are loaded, and the others keep their random values. The set encodings of CCP are not loaded, because
    sums have another scale. NCP shares only its encoder. A graph transformer may have more layers than that of the
    checkpoint; the additional layers are initially the identity.
    """
    initial, info = load_checkpoint(start)
    ours, theirs = config.to_dict(), info.config.to_dict()
    is_related = ours.pop("model") != theirs.pop("model")
    deeper = config.encoder == "graph-transformer" and config.n_layers > info.config.n_layers
    if deeper:
        theirs["n_layers"] = config.n_layers
    if differences := _differences({"model": theirs}, {"model": ours}):
        raise UsageError(f"{os.fspath(start)} has another architecture: {differences}")
    weights = initial.state_dict()
    if is_related and "ccp" in (config.model, info.config.model):
        weights = {name: value for name, value in weights.items() if not name.startswith("encodings.")}
    if deeper:
        for part in module.modules():
            if isinstance(part, GraphTransformer):
                part.idle(info.config.n_layers)
        weights = module.state_dict() | weights
    module.load_state_dict(weights, strict=not is_related)


def _batches_ahead(batches: SyntheticBatches, first: int, last: int, workers: int) -> Iterator[tuple[Batch, list[int]]]:
    """Yield batches by their numbers, computed by the given number of worker processes."""
    if not workers:
        yield from (batches[i] for i in range(first, last))
        return
    yield from torch.utils.data.DataLoader(
        batches,
        batch_size=None,
        sampler=range(first, last),
        num_workers=workers,
        prefetch_factor=4,
        collate_fn=_unchanged,
        worker_init_fn=_ignore_interrupts,
        generator=torch.Generator(),  # otherwise its seed, though unused, is drawn from the global generator
    )


def _unchanged(batch: Any) -> Any:
    return batch


def _ignore_interrupts(_: int) -> None:
    for number in (signal.SIGINT, signal.SIGTERM):  # the trainer ends its workers after the current step
        signal.signal(number, signal.SIG_IGN)


def _differences(stored: dict[str, Any], current: dict[str, Any]) -> str:
    """Describe the settings that differ; empty if there are none."""
    differences = []
    for group in current:
        old, new = (plain(values.get(group)) for values in (stored, current))
        if not isinstance(new, dict) or not isinstance(old, dict):
            old, new = {group: old}, {group: new}
        names = [*new, *(name for name in old if name not in new)]
        differences += [
            f"{name} {old.get(name)!r}, not {new.get(name)!r}" for name in names if old.get(name) != new.get(name)
        ]
    return "; ".join(differences)


class _Log:
    """A file of JSON lines, each with the means over the steps since the line before.

    A resumed run continues with the log as it was when the state was saved: its lines, and the records of the steps
    after the last line. Lines of later steps, which are repeated, are dropped.

    Parameters
    ----------
    path : Path
    batch_size : int
    note : dict or None
        Note of the state that is resumed; its entry "log" is what `state` returned.
    """

    def __init__(self, path: Path, batch_size: int, note: dict[str, Any] | None) -> None:
        self.path, self.batch_size = path, batch_size
        saved = (note or {}).get("log", {})
        self.window: list[dict[str, Any]] = saved.get("window", [])
        self.speed = 0.0  # graphs per second in the last line
        self._cut(saved.get("size"), note["step"] if note else 0)

    def _cut(self, size: int | None, step: int) -> None:
        """Drop what follows `size` bytes; if that is unknown or the file is shorter, the lines after `step`."""
        try:
            content = self.path.read_bytes() if step else b""
            if size is not None and size <= len(content):
                os.truncate(self.path, size)
                return
        except OSError:
            content = b""
        text = "".join(f"{line}\n" for line in _lines_until(step, content.decode(errors="replace")))
        with replacing(self.path) as file:
            file.write(text.encode())

    def state(self) -> dict[str, Any]:
        """Return what a resumed run needs to continue the log."""
        return {"size": self.path.stat().st_size, "window": self.window}

    def _write(self, text: str, mode: str) -> None:
        try:
            with self.path.open(mode) as file:
                file.write(text)
        except OSError as error:
            raise DataError(f"cannot write: {error.strerror or error}", self.path) from None

    def add(self, record: dict[str, Any], seconds: float) -> None:
        self.window.append({**record, "took": seconds})

    def line(self, **values: Any) -> None:
        self._write(json.dumps(plain(values)) + "\n", "a")

    def flush(self) -> None:
        """Write the means over the steps since the last line, if there are any."""
        if not self.window:
            return
        last, n = self.window[-1], len(self.window)
        means = {name: sum(record[name] for record in self.window) / n for name in ("elbo", "loss", "norm")}
        self.speed = n * self.batch_size / sum(record["took"] for record in self.window)
        self.window = []
        self.line(
            step=last["step"],
            **{name: float(f"{value:.6g}") for name, value in means.items()},
            rate=last["rate"],
            graphs_per_second=round(self.speed, 2),
            seconds=round(last["seconds"], 2),
        )


def _lines_until(step: int, text: str) -> Iterator[str]:
    """Yield the lines of a log up to a step, or up to the first incomplete line."""
    for line in text.splitlines():
        try:
            if json.loads(line)["step"] <= step:
                yield line
        except (ValueError, KeyError, TypeError):
            return


def train_clusterwise(
    model: ModelConfig,
    data: DataConfig,
    settings: LoopSettings,
    out: str | os.PathLike[str],
    *,
    n_z: int = 40,
    machine: Machine | None = None,
    resume: bool = False,
    start: str | os.PathLike[str] | None = None,
    minutes: float | None = None,
    eval_every: int = 1000,
    eval_graphs: int = 200,
    save_every: int = 500,
    log_every: int = 20,
    log: str | os.PathLike[str] | None = None,
    stop: Callable[[], bool] | None = None,
    command: str = "",
) -> Trained:
    """Train a model and write it as a checkpoint. A run that is stopped and resumed gives the same result.

    Two files lie beside `out`: `out`.state, from which the run can be resumed, and a log of JSON lines. These are
    {step, elbo, loss, norm, rate, graphs_per_second, seconds} with means over the steps since the line before, and
    {step, held_out: {...}} with `Scores.summary`.

    Parameters
    ----------
    model : ModelConfig
    data : DataConfig
        Its seed determines the initial weights, the graphs and the noise. The held-out graphs have the seed `HELD_OUT`.
    settings : LoopSettings
    out : path
        FILE.safetensors.
    n_z : int
        Samples of z for each cluster (40 in the paper).
    machine : Machine, optional
        Device, precision, processes and workers. Batch normalisation uses the share of a batch that a process has;
        other encoders train alike on any number of processes.
    resume : bool
        Continue from `out`.state, if it exists. All settings must be the same, except for the steps and the machine.
    start : path or str, optional
        Checkpoint with the initial weights.
    minutes : float, optional
        Time limit; a running evaluation is completed.
    eval_every, eval_graphs : int
        Number of steps between evaluations, which also follow the last step, and their number of graphs; 0 for none.
    save_every, log_every : int
        Number of steps between saves of state and checkpoint, and between lines of the log.
    log : path, optional
        By default `out` with the suffix .log.jsonl.
    stop : callable, optional
        Called after each step, and after each graph of an evaluation; if it returns True, the run is saved and ends. An
        interrupted evaluation is repeated when the run is resumed; with several processes only the last one is.
    command : str
        The command that the checkpoint names as its origin.

    Returns
    -------
    Trained

    Raises
    ------
    UsageError
        `out` exists and `resume` is False, its settings differ, or a number is out of range.
    DataError
        A file cannot be written or read, or the gradients are not finite.

    Examples
    --------
    >>> import tempfile
    >>> small = ModelConfig(encoder="graph-transformer", dim=8, dim_z=8, n_layers=1, n_features=4, n_inducing=2)
    >>> graphs = DataConfig(parameters={"n_nodes": (8, 12)}, batch_size=2)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     out = f"{folder}/small.safetensors"
    ...     train_clusterwise(small, graphs, LoopSettings(steps=2), out, n_z=2, eval_graphs=0).step
    2
    """
    machine = machine or Machine()
    if min(n_z, save_every, log_every) < 1 or min(eval_every, eval_graphs) < 0:
        raise UsageError("n_z, save_every and log_every must be positive, eval_every and eval_graphs at least 0")
    files = _Files(out, log)
    setup = {"model": model.to_dict(), "data": data.to_dict(), "settings": asdict(settings), "n_z": n_z}
    setup["start"] = None if start is None else digest(start)
    note = files.note(setup, resume)
    deadline = time.monotonic() + 60 * minutes if minutes is not None else None
    plan = _Plan(eval_every, eval_graphs, save_every, log_every, stop, deadline)

    run = _Run(model, data, settings, n_z, machine, None if note else start)
    session = _Session(run, files, plan, setup, note, command)
    if note:
        session.restore(note)
    elif start is not None:
        session.ancestors = read_info(start).lineage
    if run.is_main and resume and not note:
        logger.info("there is no state %s to resume: starting at step 0", files.state)
    session.open()
    session.train()
    return session.finish()


@dataclass(frozen=True)
class _Plan:
    """When a training evaluates, saves, logs and stops; see `train_clusterwise`.

    Attributes
    ----------
    eval_every, eval_graphs, save_every, log_every : int
    stop : callable or None
    deadline : float or None
        Time of `time.monotonic` after which to stop.
    """

    eval_every: int
    eval_graphs: int
    save_every: int
    log_every: int
    stop: Callable[[], bool] | None
    deadline: float | None

    def is_stopped(self) -> bool:
        """Whether the caller asks to stop."""
        return self.stop is not None and self.stop()

    def is_over(self) -> bool:
        """Whether to stop after this step."""
        return self.is_stopped() or (self.deadline is not None and time.monotonic() > self.deadline)

    def has_evaluation(self, step: int) -> bool:
        """Whether to evaluate after a step."""
        return bool(self.eval_every) and step % self.eval_every == 0 and step > 0


class _Session:
    """One call of `train_clusterwise`: a run with its log, its evaluations and its files.

    Parameters
    ----------
    run : _Run
    files : _Files
    plan : _Plan
    setup : dict
        Settings that a resumed run must share: model, data, settings, n_z and start.
    note : dict or None
        Note of the state from which the run is resumed.
    command : str

    Attributes
    ----------
    held_out : dict
        Scores of the last evaluation, made after step `evaluated`.
    ancestors : list of dict
        See `CheckpointInfo`.
    lines : _Log or None
        The log, in the main process.
    """

    def __init__(
        self,
        run: _Run,
        files: _Files,
        plan: _Plan,
        setup: dict[str, Any],
        note: dict[str, Any] | None,
        command: str,
    ) -> None:
        self.run, self.trainer, self.files, self.plan = run, run.trainer, files, plan
        self.setup, self.note, self.command = setup, note, command
        self.held_out: dict[str, Any] = {}
        self.evaluated = 0
        self.ancestors: list[dict[str, Any]] = []
        self.lines: _Log | None = None
        self.first_step = 0
        self._examples: list[tuple[Batch, list[int]]] = []

    def restore(self, note: dict[str, Any]) -> None:
        """Load the state with this note."""
        self.trainer.load(self.files.state)
        self.run.n_nodes, self.run.n_clusters = tuple(note["n_nodes"]), tuple(note["n_clusters"])
        self.held_out, self.evaluated, self.ancestors = note["held_out"], note["evaluated"], note["ancestors"]
        self.first_step = self.trainer.step

    def open(self) -> None:
        """Describe the run, open its log, and refuse a family without held-out graphs; in the main process only."""
        if not self.run.is_main:
            return
        logger.info(
            "%s, %s, %s parameters, on %s%s",
            self.run.model.model,
            self.run.model.encoder,
            f"{sum(p.numel() for p in self.trainer.plain.parameters()):,}",
            _hardware(self.trainer.device),
            f", from step {self.first_step:,}" if self.first_step else "",
        )
        self.lines = _Log(self.files.log, self.run.data.batch_size, self.note)
        if self.plan.eval_graphs:
            held_out_batches(self.run.model, self.run.data, 1, size=1)

    def train(self) -> None:
        """Take the steps, with their evaluations and savings, until the last one or until the plan is over."""
        n_steps = self.trainer.settings.steps - self.first_step
        seconds = self.trainer.seconds
        # a run that was killed during an evaluation repeats it first
        is_interrupted = self.note is not None and self._evaluation_ends_training()
        with task(f"training {self.run.model.model}", n_steps if self.run.is_main else None) as advance:
            for record in () if is_interrupted else self.run.steps(stop=self.plan.is_over):
                if self.lines is not None:
                    self.lines.add(record, record["seconds"] - seconds)
                    seconds = record["seconds"]
                    if record["step"] % self.plan.log_every == 0:
                        self.lines.flush()
                    advance()
                if record["step"] % self.plan.save_every == 0:
                    self.save()
                if self._evaluation_ends_training():
                    break

    def _evaluation_ends_training(self) -> bool:
        """Evaluate if it is due; return whether the training ends because the evaluation was interrupted."""
        is_interrupted = self.plan.has_evaluation(self.trainer.step) and self.evaluate()
        return is_interrupted and self.trainer.share[1] == 1

    def evaluate(self) -> bool:
        """Evaluate the model, unless this step was evaluated already; return whether this was interrupted."""
        if self.lines is None or not self.plan.eval_graphs or self.evaluated == self.trainer.step:
            return False
        if not self._examples:
            self._examples = held_out_batches(self.run.model, self.run.data, self.plan.eval_graphs)

        def interrupt() -> None:
            if self.plan.is_stopped():
                raise _StoppedError

        try:
            with self.trainer.averaged() as averaged:
                assert isinstance(averaged, PartitionModel)
                scores = evaluate(
                    averaged, self._examples, n_z=self.run.n_z, device=self.trainer.device, after_each=interrupt
                )
        except _StoppedError:
            return True
        self.held_out, self.evaluated = scores.summary(), self.trainer.step
        self.lines.flush()
        self.lines.line(step=self.trainer.step, held_out=self.held_out)
        logger.info(
            "step %d: held-out AMI %.4f, ELBO %.2f; %.1f graphs/s",
            self.trainer.step,
            self.held_out["ami"],
            self.held_out["elbo"],
            self.lines.speed,
        )
        return False

    @property
    def is_finished(self) -> bool:
        """Whether all steps are done."""
        return self.trainer.step >= self.trainer.settings.steps

    def _current_scores(self) -> dict[str, Any]:
        """Return the scores to store in the checkpoint; a finished model has none from an earlier step."""
        return {} if self.is_finished and self.evaluated != self.trainer.step else plain(self.held_out)

    def save(self) -> None:
        """Write the state and the checkpoint; called in all processes, the main one writes."""
        n_nodes, n_clusters = self.run.ranges()
        if self.lines is None:
            return
        progress = {"evaluated": self.evaluated, "ancestors": self.ancestors, "log": self.lines.state()}
        seen = {"n_nodes": n_nodes, "n_clusters": n_clusters, "held_out": self.held_out}
        self.trainer.save(self.files.state, plain({**self.setup, **seen, **progress}))
        trainer, machine = self.trainer, self.run.machine
        execution = {
            "n_z": self.run.n_z,
            "precision": machine.precision,
            "processes": machine.processes,
            "hardware": _hardware(trainer.device),
            "seconds": trainer.seconds,
        }
        info = CheckpointInfo(
            **{name: plain(self.setup[name]) for name in ("model", "data")},
            n_nodes=n_nodes,
            n_clusters=n_clusters,
            held_out=self._current_scores(),
            steps=trainer.step,
            graphs=trainer.step * self.run.data.batch_size,
            settings=asdict(trainer.settings) | execution,
            command=self.command,
            ancestors=self.ancestors,
        )
        save_checkpoint(self.files.model, trainer.weights(), info)

    def finish(self) -> Trained:
        """Evaluate a finished model, and save unless the files are up to date."""
        if self.is_finished and self.lines is not None:
            self.lines.flush()
            self.evaluate()
        step, note = self.trainer.step, self.note
        has_news = step > self.first_step or not note or self.evaluated != note["evaluated"]
        is_outdated = self.lines is not None and not self.files.model_has(step, self._current_scores())
        if self.trainer.largest([int(has_news or is_outdated)])[0]:  # all processes save, but only the first evaluates
            self.save()
        return Trained(step, self.is_finished, self.trainer.seconds, self.held_out, self.run.is_main)


class _StoppedError(Exception):
    """An evaluation was interrupted."""


class _Files:
    """The files of a run: the model, the state for resuming, and the log. They are checked before the training starts.

    Raises
    ------
    UsageError
        The log would overwrite one of the other files, or a file that is not a log.
    DataError
        A file cannot be written.
    """

    def __init__(self, out: str | os.PathLike[str], log: str | os.PathLike[str] | None) -> None:
        self.model = Path(out)
        self.state = self.model.with_name(self.model.name + ".state")
        self.log = self.model.with_suffix(".log.jsonl") if log is None else Path(log)
        for path in (self.model, self.log):
            if path.is_dir():
                raise DataError("this is a folder, not a file", path)
            if not path.parent.is_dir():
                raise DataError(f"cannot write: there is no folder {path.parent}", path)
            if not os.access(path.parent, os.W_OK):
                raise DataError("cannot write: Permission denied", path)
        if self.log.resolve() in (self.model.resolve(), self.state.resolve()):
            raise UsageError(f"the log would overwrite {self.log.name}")
        if not self._is_log():
            raise UsageError(f"{self.log} exists and is not the log of a training: choose another --log")

    def model_has(self, steps: int, held_out: dict[str, Any]) -> bool:
        """Whether the checkpoint has these steps and scores; not if a run was killed after writing its state."""
        try:
            info = read_info(self.model)
        except (UsageError, DataError):
            return False
        return info.steps == steps and info.held_out == held_out

    def _is_log(self) -> bool:
        """Whether the file of the log is missing, empty or a log."""
        try:
            with self.log.open() as file:
                first = file.readline()
                return not first or "step" in json.loads(first)
        except FileNotFoundError:
            return True
        except (OSError, ValueError, TypeError):
            return False

    def note(self, setup: dict[str, Any], resume: bool) -> dict[str, Any] | None:
        """Return the note of the state to resume; None for a new run.

        Raises
        ------
        UsageError
            The files exist and `resume` is False, or their settings, apart from the steps, differ from `setup`.
        """
        existing = [path for path in (self.model, self.state) if path.exists()]
        if not existing:
            return None
        if not resume:
            remedy = "add --resume to continue it" if self.state in existing else "remove it"
            raise UsageError(f"{existing[0]} already exists: {remedy}, or choose another --out")
        if self.state not in existing:
            raise UsageError(
                f"{self.model} cannot be resumed: there is no {self.state.name} beside it (use --start to train a new "
                "model from its weights)"
            )
        note = read_note(self.state)
        stored, current = ({**values, "settings": dict(values.get("settings", {}))} for values in (note, setup))
        stored["settings"].pop("steps", None)
        current["settings"].pop("steps")
        differences = _differences(stored, {name: current[name] for name in setup})
        if differences:
            raise UsageError(f"{self.state} belongs to a run with other settings: {differences}")
        return note


def _hardware(device: torch.device) -> str:
    if device.type == "cuda":
        return str(torch.cuda.get_device_name(device))
    return f"CPU, {counted(torch.get_num_threads(), 'thread')}"


def measure_speed(
    model: ModelConfig,
    data: DataConfig,
    settings: LoopSettings,
    *,
    n_z: int = 40,
    machine: Machine | None = None,
    steps: int = 20,
) -> Speed:
    """Measure the speed of training in graphs per second, including the computation of batches; nothing is written.

    Parameters
    ----------
    model, data, settings, n_z, machine
        As in `train_clusterwise`.
    steps : int
        Number of steps to time, after a few untimed ones.

    Returns
    -------
    Speed

    Raises
    ------
    UsageError
        `steps` is not positive.

    Examples
    --------
    >>> small = ModelConfig(encoder="graph-transformer", dim=8, dim_z=8, n_layers=1, n_features=4, n_inducing=2)
    >>> graphs = DataConfig(parameters={"n_nodes": (8, 12)}, batch_size=2)
    >>> measure_speed(small, graphs, LoopSettings(steps=9), n_z=2, steps=2).graphs
    4
    """
    if steps < 1:
        raise UsageError(f"steps must be a positive integer, not {steps!r}")
    run = _Run(model, data, replace(settings, steps=_WARM_UP + steps), n_z, machine or Machine())
    step_ends, waited = [], 0.0
    for record in run.steps():
        if record["step"] == _WARM_UP:
            waited = run.seconds_waited
        if record["step"] >= _WARM_UP:
            step_ends.append(record["seconds"])
    step_seconds = np.diff(step_ends)
    total = float(step_seconds.sum())
    return Speed(
        graphs_per_second=steps * data.batch_size / total,
        spread=float((data.batch_size / step_seconds).std(ddof=1)) if steps > 1 else float("nan"),
        data_share=(run.seconds_waited - waited) / total,
        steps=steps,
        graphs=steps * data.batch_size,
        is_main=run.is_main,
    )
