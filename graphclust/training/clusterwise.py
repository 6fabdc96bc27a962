"""Train the clusterwise models on synthetic graphs.

Batches and noise come from their numbers (`SyntheticBatches`), the optimiser loop is `Trainer`; `train_clusterwise`
joins the two, and keeps beside the model a state to go on from and a log.
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

_WARM_UP = 3  # steps before the clock starts


def elbo_loss(
    module: nn.Module, item: tuple[Batch, list[int]], n_z: int, n_graphs: float | None = None
) -> tuple[Tensor, dict[str, float]]:
    """Return the mean negative ELBO of a batch, and its mean ELBO to record.

    Parameters
    ----------
    module : Module
        A `ClusterwiseModel`, or what stands for it in this process.
    item : (Batch, seeds)
    n_z : int
        Samples of z a cluster.
    n_graphs : float, optional
        What to divide the sums by; the graphs of the batch by default. Where processes share a batch and their
        gradients are averaged, its size over all of them divided by their number: then the gradient is that of one
        process, however unequal the shares.

    Returns
    -------
    loss : Tensor, shape ()
    record : dict
        elbo.
    """
    batch, seeds = item
    found = module(batch, n_z, seeds)
    n_graphs = n_graphs or len(batch)
    return -found.total / n_graphs, {"elbo": float(found.per_graph.sum()) / n_graphs}


# ---------------------------------------------------------------- training


@dataclass(frozen=True)
class Trained:
    """How a run ended.

    Attributes
    ----------
    step : int
        Steps done, over all runs.
    finished : bool
        Whether these are all.
    seconds : float
        Time in steps, over all runs.
    held_out : dict
        The last `Scores.summary`; empty where nothing was evaluated.
    is_main : bool
        Whether this is the process that writes.
    """

    step: int
    finished: bool
    seconds: float
    held_out: dict[str, Any]
    is_main: bool = True


@dataclass(frozen=True)
class Speed:
    """Result of `measure_speed`; numbers are over all processes.

    Attributes
    ----------
    graphs_per_second : float
        All graphs by all seconds.
    spread : float
        Standard deviation of the rates of single steps.
    data_share : float
        Share of the time in which the step waited for its batch.
    steps, graphs : int
    is_main : bool
        Whether this is the first process.
    """

    graphs_per_second: float
    spread: float
    data_share: float
    steps: int
    graphs: int
    is_main: bool = True


class _Run:
    """A model in training on synthetic batches: what `train_clusterwise` and `measure_speed` have in common."""

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
            raise UsageError(f"the graphs of seed {data.seed} are kept for tests: take another")
        self.data, self.n_z, self.machine = data, n_z, machine
        first_batch(SyntheticBatches(model, data, share=(0, machine.processes)))
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(data.seed)
            module = build(model)
        if start is not None:
            _begin_with(module, model, start)
        keep_memory()
        self.trainer = Trainer(module, settings, machine.fabric())
        self.batches = SyntheticBatches(model, data, share=self.trainer.share)
        self.waited = 0.0
        self.n_nodes = self.n_clusters = _NOTHING

    def steps(self, until: int | None = None, stop: Callable[[], bool] | None = None) -> Iterator[dict[str, Any]]:
        """Train; yield the records of the steps."""
        trainer = self.trainer
        n_graphs = self.data.batch_size / trainer.share[1]
        last = min(until or trainer.settings.steps, trainer.settings.steps)
        items = _ahead(self.batches, trainer.step, last, self.machine.workers)

        def loss(module: nn.Module, _: int) -> tuple[Tensor, dict[str, float]]:
            start = time.perf_counter()
            batch, seeds = next(items)
            self.waited += time.perf_counter() - start
            self._note(batch)
            return elbo_loss(module, (batch.to(trainer.device), seeds), self.n_z, n_graphs)

        try:
            yield from trainer.run(loss, last, stop)
        except torch.OutOfMemoryError as error:
            raise ResourceError(
                f"a batch of {self.data.batch_size} graphs with {self.n_z} samples of z does not fit into the "
                "memory of the GPU: smaller ones may"
            ) from error

    def _note(self, batch: Batch) -> None:
        """Keep the range of sizes that were seen."""
        assert batch.labels is not None
        self.n_nodes = _wider(self.n_nodes, batch.mask.sum(dim=1).tolist())
        rows = batch.labels.sort(dim=1).values
        new = (rows[:, 1:] != rows[:, :-1]) & (rows[:, 1:] >= 0)
        self.n_clusters = _wider(self.n_clusters, (new.sum(dim=1) + (rows[:, 0] >= 0)).tolist())

    def ranges(self) -> tuple[tuple[int, int], tuple[int, int]]:
        """Return the ranges of the numbers of nodes and of clusters, over all processes (which all have to ask)."""
        (a, b), (c, d) = self.n_nodes, self.n_clusters
        a, b, c, d = self.trainer.largest([-a, b, -c, d])
        return (-a, b), (-c, d)


_NOTHING = (1 << 62, 0)  # range of no numbers


def _wider(known: tuple[int, int], values: list[int]) -> tuple[int, int]:
    return min(known[0], *values), max(known[1], *values)


def _begin_with(module: nn.Module, config: ModelConfig, start: str | os.PathLike[str]) -> None:
    """Load initial weights from a checkpoint of the same architecture, or of a sister model's.

    ACP, ACP-S and CCP share their encoder, decoder and Gaussians, the first two also most of their set encodings: what
    they have in common is taken over, and the rest begins afresh. CCP's sums have a scale of their own. NCP has only
    the encoder in common with them. A graph
    transformer may have more layers than the one it begins with: these add nothing at first.
    """
    given, info = load_checkpoint(start)
    ours, theirs = config.to_dict(), info.config.to_dict()
    sisters = ours.pop("model") != theirs.pop("model")
    deeper = config.encoder == "graph-transformer" and config.n_layers > info.config.n_layers
    if deeper:
        theirs["n_layers"] = config.n_layers
    if apart := _differences({"model": theirs}, {"model": ours}):
        raise UsageError(f"{os.fspath(start)} is of another architecture: {apart}")
    weights = given.state_dict()
    if sisters and "ccp" in (config.model, info.config.model):
        weights = {name: value for name, value in weights.items() if not name.startswith("encodings.")}
    if deeper:
        for part in module.modules():
            if isinstance(part, GraphTransformer):
                part.idle(info.config.n_layers)
        weights = module.state_dict() | weights
    module.load_state_dict(weights, strict=not sisters)


def _ahead(batches: SyntheticBatches, first: int, last: int, workers: int) -> Iterator[tuple[Batch, list[int]]]:
    """Yield batches by their numbers, made by so many processes beside this one."""
    if not workers:
        yield from (batches[i] for i in range(first, last))
        return
    yield from torch.utils.data.DataLoader(
        batches,
        batch_size=None,
        sampler=range(first, last),
        num_workers=workers,
        prefetch_factor=4,
        collate_fn=_as_it_is,
        worker_init_fn=_ignore_interrupts,
        generator=torch.Generator(),  # its seed is of no use here, but is drawn: not from the caller's generator
    )


def _as_it_is(item: Any) -> Any:
    return item


def _ignore_interrupts(_: int) -> None:
    for number in (signal.SIGINT, signal.SIGTERM):  # the trainer stops them when it has finished its step
        signal.signal(number, signal.SIG_IGN)


def _differences(have: dict[str, Any], want: dict[str, Any]) -> str:
    """Name the settings that differ, in words; empty where none does."""
    found = []
    for group in want:
        old, new = (plain(values.get(group)) for values in (have, want))
        if not isinstance(new, dict) or not isinstance(old, dict):
            old, new = {group: old}, {group: new}
        names = [*new, *(name for name in old if name not in new)]
        found += [
            f"{name} {old.get(name)!r}, not {new.get(name)!r}" for name in names if old.get(name) != new.get(name)
        ]
    return "; ".join(found)


class _Log:
    """JSON lines in a file, each with the means of the steps since the line before.

    A run that is resumed goes on where its state was saved: with the lines that stood in the log then, and the records
    of the steps after the last of them. Lines of steps that were lost are dropped.

    Parameters
    ----------
    path : Path
    batch_size : int
    note : dict or None
        Of the state to go on from; its `log` is what `state` returned.
    """

    def __init__(self, path: Path, batch_size: int, note: dict[str, Any] | None) -> None:
        self.path, self.batch_size = path, batch_size
        saved = (note or {}).get("log", {})
        self.window: list[dict[str, Any]] = saved.get("window", [])
        self.speed = 0.0  # graphs a second, as last measured
        self._cut(saved.get("size"), note["step"] if note else 0)

    def _cut(self, size: int | None, step: int) -> None:
        """Drop the lines after so many bytes; after `step`, where that is unknown or the file is shorter."""
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
        """Return what a resumed run needs to go on with the log."""
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
        """Write the means of the steps since the last line, if there are any."""
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
    """Yield the lines of a log up to a step; what follows a line that was cut off is lost."""
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
    """Train a model and write it as a checkpoint; stopped and resumed, the result is the same.

    Beside `out` stand `out`.state, from which the run resumes, and a log of JSON lines:
    {step, elbo, loss, norm, rate, graphs_per_second, seconds}, means over the steps since the line before, and
    {step, held_out: {...}} as from `Scores.summary`.

    Parameters
    ----------
    model : ModelConfig
    data : DataConfig
        Its seed fixes the initial weights, the graphs and the noise; held-out graphs are those of `HELD_OUT`.
    settings : LoopSettings
    out : path
        FILE.safetensors.
    n_z : int
        Samples of z a cluster (40 in the paper).
    machine : Machine, optional
        Device, precision, processes, workers. The encoders with batch normalisation see a process's share of a batch;
        all others train alike on any number of processes.
    resume : bool
        Go on from `out`.state, if it is there. All settings have to be those it was begun with, but for the steps and
        the machine.
    start : path or str, optional
        Checkpoint whose weights to begin with.
    minutes : float, optional
        Stop after so many, and an evaluation that is under way.
    eval_every, eval_graphs : int
        Evaluate after so many steps, and at the end, on so many graphs; 0 for never.
    save_every, log_every : int
        Steps between two savings of state and checkpoint, and between two lines of the log.
    log : path, optional
        By default `out` with the suffix .log.jsonl.
    stop : callable, optional
        Asked after each step, and in evaluations after each graph, whether to save and return. An evaluation that is
        broken off is made when the run is resumed; several processes leave it out unless it is the last.
    command : str
        What to note in the checkpoint as having trained it.

    Returns
    -------
    Trained

    Raises
    ------
    UsageError
        `out` is there and shall not be resumed, or is of other settings; numbers out of range.
    DataError
        A file cannot be written or read; the gradients are not finite.

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
        raise UsageError("n_z, save_every and log_every are positive, eval_every and eval_graphs at least 0")
    files = _Files(out, log)
    begun = {"model": model.to_dict(), "data": data.to_dict(), "settings": asdict(settings), "n_z": n_z}
    begun["start"] = None if start is None else digest(start)
    note = files.note(begun, resume)
    deadline = time.monotonic() + 60 * minutes if minutes is not None else None

    run = _Run(model, data, settings, n_z, machine, None if note else start)
    trainer = run.trainer
    is_main = trainer.share[0] == 0
    held_out, evaluated = {}, 0
    if note:
        trainer.load(files.state)
        run.n_nodes, run.n_clusters = tuple(note["n_nodes"]), tuple(note["n_clusters"])
        held_out, evaluated = note["held_out"], note["evaluated"]
        ancestors = note["ancestors"]
    else:
        ancestors = [] if start is None else read_info(start).lineage
    first = trainer.step
    if is_main and resume and not note:
        logger.info("nothing to go on from at %s: beginning at step 0", files.state)
    if is_main:
        logger.info(
            "%s, %s, %s parameters, on %s%s",
            model.model,
            model.encoder,
            f"{sum(p.numel() for p in trainer.plain.parameters()):,}",
            _hardware(trainer.device),
            f", from step {first:,}" if first else "",
        )
    lines = _Log(files.log, data.batch_size, note) if is_main else None
    examples: list[tuple[Batch, list[int]]] = []
    if eval_graphs and is_main:
        held_out_batches(model, data, 1, size=1)  # refuses now, not at the end, a family with none to hold out

    def asked() -> bool:
        return (stop is not None and stop()) or (deadline is not None and time.monotonic() > deadline)

    def measure() -> bool:
        """Evaluate; return whether that was broken off."""
        nonlocal held_out, evaluated
        if lines is None or not eval_graphs or evaluated == trainer.step:
            return False
        if not examples:
            examples.extend(held_out_batches(model, data, eval_graphs))

        def wished() -> None:
            if stop is not None and stop():
                raise _StoppedError

        try:
            with trainer.averaged() as averaged:
                assert isinstance(averaged, PartitionModel)
                scores = evaluate(averaged, examples, n_z=n_z, device=trainer.device, after_each=wished)
        except _StoppedError:
            return True
        held_out, evaluated = scores.summary(), trainer.step
        lines.flush()
        lines.line(step=trainer.step, held_out=held_out)
        logger.info(
            "step %d: held-out AMI %.4f, ELBO %.2f; %.1f graphs/s",
            trainer.step,
            held_out["ami"],
            held_out["elbo"],
            lines.speed,
        )
        return False

    def current_scores() -> dict[str, Any]:
        """Return the scores of the model: those of an earlier step are not those of the finished one."""
        return {} if trainer.step >= settings.steps and evaluated != trainer.step else plain(held_out)

    def save() -> None:
        n_nodes, n_clusters = run.ranges()
        seen = {"n_nodes": n_nodes, "n_clusters": n_clusters, "held_out": plain(held_out)}
        if lines is None:
            return
        progress = {"evaluated": evaluated, "ancestors": ancestors, "log": lines.state()}
        trainer.save(files.state, plain({**begun, **seen, **progress}))
        seen["held_out"] = current_scores()
        done = {"n_z": n_z, "precision": machine.precision, "processes": machine.processes}
        info = CheckpointInfo(
            **{name: plain(begun[name]) for name in ("model", "data")},
            **seen,
            steps=trainer.step,
            graphs=trainer.step * data.batch_size,
            settings=asdict(settings) | done | {"hardware": _hardware(trainer.device), "seconds": trainer.seconds},
            command=command,
            ancestors=ancestors,
        )
        save_checkpoint(files.model, trainer.weights(), info)

    def evaluation_is_due() -> bool:
        return bool(eval_every) and trainer.step % eval_every == 0 and trainer.step > 0

    alone = trainer.share[1] == 1
    before = trainer.seconds
    # a run that was killed in an evaluation begins with it
    stopped = note is not None and evaluation_is_due() and measure() and alone
    with task(f"training {model.model}", settings.steps - first if is_main else None) as advance:
        for record in () if stopped else run.steps(stop=asked):
            step = record["step"]
            if lines is not None:
                lines.add(record, record["seconds"] - before)
                before = record["seconds"]
                if step % log_every == 0:
                    lines.flush()
                advance()
            if step % save_every == 0:
                save()
            if evaluation_is_due() and measure() and alone:
                break
    finished = trainer.step >= settings.steps
    if finished and lines is not None:
        lines.flush()
        measure()
    news = trainer.step > first or not note or evaluated != note["evaluated"]
    is_old = lines is not None and not files.model_has(trainer.step, current_scores())
    if trainer.largest([int(news or is_old)])[0]:  # the first process alone evaluates, and all of them save
        save()
    return Trained(trainer.step, finished, trainer.seconds, held_out, is_main)


class _StoppedError(Exception):
    """An evaluation that was broken off."""


class _Files:
    """Where a run is kept: the model, the state to go on from, the log of JSON lines.

    Raises
    ------
    UsageError
        The log would write over another of them, or over what is no log.
    DataError
        One of them could not be written: said now, not after hours.
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
            raise UsageError(f"the log would write over {self.log.name}")
        if not self._is_log():
            raise UsageError(f"{self.log} is there already and no log of a training: choose another --log")

    def model_has(self, steps: int, held_out: dict[str, Any]) -> bool:
        """Whether the model is that of so many steps with these scores: not if a run was killed after its state."""
        try:
            info = read_info(self.model)
        except (UsageError, DataError):
            return False
        return info.steps == steps and info.held_out == held_out

    def _is_log(self) -> bool:
        """Whether what is at the log's place may be written over."""
        try:
            with self.log.open() as file:
                first = file.readline()
                return not first or "step" in json.loads(first)
        except FileNotFoundError:
            return True
        except (OSError, ValueError, TypeError):
            return False

    def note(self, begun: dict[str, Any], resume: bool) -> dict[str, Any] | None:
        """Return the note of the state to go on from; None for a new run.

        Raises
        ------
        UsageError
            The files are there and shall not be resumed, or are of other settings than `begun`, steps apart.
        """
        there = [path for path in (self.model, self.state) if path.exists()]
        if not there:
            return None
        if not resume:
            way = "add --resume to go on with it" if self.state in there else "remove it"
            raise UsageError(f"{there[0]} is there already: {way}, or choose another --out")
        if self.state not in there:
            raise UsageError(
                f"{self.model} cannot be resumed: there is no {self.state.name} beside it (--start takes its weights)"
            )
        note = read_note(self.state)
        have, want = ({**values, "settings": dict(values.get("settings", {}))} for values in (note, begun))
        have["settings"].pop("steps", None)
        want["settings"].pop("steps")
        apart = _differences(have, {name: want[name] for name in begun})
        if apart:
            raise UsageError(f"{self.state} is of a run with other settings: {apart}")
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
    """Measure how many graphs a second are trained on, the making of the batches included; nothing is written.

    Parameters
    ----------
    model, data, settings, n_z, machine
        As in `train_clusterwise`.
    steps : int
        What to time, after a few to warm up.

    Returns
    -------
    Speed

    Raises
    ------
    UsageError
        Numbers out of range.

    Examples
    --------
    >>> small = ModelConfig(encoder="graph-transformer", dim=8, dim_z=8, n_layers=1, n_features=4, n_inducing=2)
    >>> graphs = DataConfig(parameters={"n_nodes": (8, 12)}, batch_size=2)
    >>> measure_speed(small, graphs, LoopSettings(steps=9), n_z=2, steps=2).graphs
    4
    """
    if steps < 1:
        raise UsageError(f"steps is a positive integer, not {steps!r}")
    run = _Run(model, data, replace(settings, steps=_WARM_UP + steps), n_z, machine or Machine())
    marks, waited = [], 0.0
    for record in run.steps():
        if record["step"] == _WARM_UP:
            waited = run.waited
        if record["step"] >= _WARM_UP:
            marks.append(record["seconds"])
    took = np.diff(marks)
    total = float(took.sum())
    return Speed(
        graphs_per_second=steps * data.batch_size / total,
        spread=float((data.batch_size / took).std(ddof=1)) if steps > 1 else float("nan"),
        data_share=(run.waited - waited) / total,
        steps=steps,
        graphs=steps * data.batch_size,
        is_main=run.trainer.share[0] == 0,
    )
