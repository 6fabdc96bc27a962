"""Train the clusterwise models on synthetic graphs, and measure them on graphs held out.

Batches and noise come from their numbers (`SyntheticBatches`), the optimiser loop is `Trainer`; `train_clusterwise`
joins the two, and keeps beside the model a state to go on from and a log.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from graphclust.checkpoint import CheckpointInfo, load_checkpoint, read_info, save_checkpoint
from graphclust.errors import DataError, GraphclustError, ResourceError, UsageError, unknown
from graphclust.features import input_features
from graphclust.generators.families import family_named, stream
from graphclust.graph import FloatArray, IntArray, counted
from graphclust.io.partition import plain
from graphclust.metrics import ami
from graphclust.models.build import ModelConfig, build
from graphclust.models.clusterwise import ClusterwiseModel
from graphclust.models.sampler import draw
from graphclust.nn.batch import Batch
from graphclust.progress import task
from graphclust.training import LoopSettings, Machine, Trainer, keep_memory, read_note

__all__ = [
    "HELD_OUT",
    "TEST",
    "DataConfig",
    "Scores",
    "Speed",
    "SyntheticBatches",
    "Trained",
    "elbo_loss",
    "evaluate",
    "measure_speed",
    "train_clusterwise",
]

logger = logging.getLogger("graphclust")

HELD_OUT, TEST = 1_000_003, 2_000_003  # seeds of the graphs that no training may use

_EVALUATED_AT_ONCE = 10  # graphs, padded to the largest of them
_WARM_UP = 3  # steps before the clock starts


@dataclass(frozen=True)
class DataConfig:
    """What a model is trained on.

    Attributes
    ----------
    family : str
        Key of `graphclust.generators.FAMILIES`.
    parameters : dict
        Of the family.
    batch_size : int
        Graphs a step, over all processes.
    same_size : bool
        Whether the graphs of a batch have one number of nodes, which saves padding.
    known_share : float
        Share of the graphs of which some labels are known.
    seed : int

    Raises
    ------
    UsageError
        No such family or parameter of it; numbers out of range.

    Examples
    --------
    >>> DataConfig(parameters={"n_nodes": (50, 100)}).family
    'general-sbm'
    """

    family: str = "general-sbm"
    parameters: dict[str, Any] = field(default_factory=dict)
    batch_size: int = 32
    same_size: bool = False
    known_share: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        known = family_named(self.family).parameters()
        for name in self.parameters:
            if name not in known:
                raise unknown(f"parameter of {self.family}", name, known)
        if self.batch_size < 1:
            raise UsageError(f"batch_size is a positive integer, not {self.batch_size!r}")
        if not 0 <= self.known_share <= 1:
            raise UsageError(f"known_share lies between 0 and 1, not {self.known_share!r}")

    def to_dict(self) -> dict[str, Any]:
        """Return the fields."""
        return asdict(self)


class SyntheticBatches(torch.utils.data.Dataset[tuple[Batch, list[int]]]):
    """Batches by their numbers, as a map-style data set: workers can make them ahead.

    Parameters
    ----------
    model : ModelConfig
    data : DataConfig
    train : bool
        Whether the signs of eigenvectors are drawn at random, and labels given away.
    share : (int, int)
        Rank and number of the processes; each takes every so manieth graph of a batch.

    Notes
    -----
    An item is the batch and a seed for each of its graphs.

    Raises
    ------
    UsageError
        Labels to be known by a model that takes none; more processes than graphs in a batch.

    Examples
    --------
    >>> batches = SyntheticBatches(ModelConfig(), DataConfig(parameters={"n_nodes": (20, 30)}, batch_size=4))
    >>> batch, seeds = batches[7]
    >>> len(batch), len(seeds), batch.x.shape[-1]
    (4, 4, 20)
    """

    def __init__(
        self, model: ModelConfig, data: DataConfig, *, train: bool = True, share: tuple[int, int] = (0, 1)
    ) -> None:
        if data.known_share and not model.n_labels:
            raise UsageError("a model that takes no labels (n_labels) cannot be trained on known ones")
        if share[1] > data.batch_size:
            raise UsageError(f"{share[1]} processes cannot share batches of {data.batch_size}")
        self.model, self.data, self.train, self.share = model, data, train, share

    def __getitem__(self, number: int) -> tuple[Batch, list[int]]:
        """Return batch `number` and its graphs' seeds."""
        data, model = self.data, self.model
        drawn = next(
            stream(
                data.family,
                random_state=data.seed,
                batch_size=data.batch_size,
                start=number,
                same_size=data.same_size,
                n_eigenvectors=model.n_features if model.features == "laplacian" else 0,
                **data.parameters,
            )
        )
        rng = np.random.default_rng(np.random.SeedSequence(data.seed, spawn_key=(number, 1)))
        features = input_features(
            model.features, model.n_features, drawn.features, drawn.n_nodes, rng, train=self.train
        )
        seeds = rng.integers(2**62, size=len(drawn))
        batch = Batch.of(features, drawn.n_nodes, drawn.adjacency, drawn.labels)
        if model.n_labels and self.train:
            known = [_known(labels, model.n_labels, data.known_share, rng) for labels in drawn.labels]
            batch = replace(batch, known=torch.as_tensor(np.stack(known)))
        rank, world = self.share
        return _part(batch, slice(rank, None, world)), seeds[rank::world].tolist()

    def __len__(self) -> int:
        return 2**62


def _part(batch: Batch, graphs: slice) -> Batch:
    """Return some of the graphs of a batch."""
    return replace(batch, **{name: value[graphs] for name, value in vars(batch).items() if value is not None})


def _known(labels: IntArray, n_labels: int, share: float, rng: np.random.Generator) -> IntArray:
    """Give away the labels of some nodes: 0 where not, else 1 + a random name of the cluster.

    Of the share of the graphs that is asked for, one node of each cluster or a random share of all nodes is known.
    """
    known = np.zeros_like(labels)
    n_clusters = int(labels.max(initial=-1)) + 1
    if rng.random() >= share or n_clusters > n_labels:
        return known
    names = rng.permutation(n_labels)[:n_clusters] + 1
    order = rng.permutation(np.flatnonzero(labels >= 0))
    if rng.random() < 0.5:
        chosen = order[np.unique(labels[order], return_index=True)[1]]
    else:
        chosen = order[: int(rng.random() * 0.3 * len(order))]
    known[chosen] = names[labels[chosen]]
    return known


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


@dataclass(frozen=True)
class Scores:
    """Measures on held-out graphs.

    Attributes
    ----------
    elbo : ndarray of float64, shape (n_graphs,)
        Nats.
    ami : ndarray of float64, shape (n_graphs,)
        Of the point estimate; a graph that failed has 0.
    n_found, n_true : ndarray of int64, shape (n_graphs,)
        Numbers of communities.
    n_failed : int
    seconds : float
        For the point estimates of all graphs.
    """

    elbo: FloatArray
    ami: FloatArray
    n_found: IntArray
    n_true: IntArray
    n_failed: int = 0
    seconds: float = 0.0

    def summary(self) -> dict[str, float]:
        """Return means and standard errors."""
        n = len(self.ami)
        return {
            "n_graphs": n,
            "ami": float(self.ami.mean()),
            "ami_se": float(self.ami.std(ddof=1) / np.sqrt(n)) if n > 1 else float("nan"),
            "elbo": float(self.elbo.mean()),
            "k_right": float((self.n_found == self.n_true).mean()),
            "n_failed": self.n_failed,
        }


def _most_probable(model: ClusterwiseModel, batch: Batch, n_samples: int, mode: str, seed: int) -> Iterator[IntArray]:
    """Yield the most probable of the samples of each graph, shape (n_max,); -1 beyond its nodes."""
    generator = torch.Generator().manual_seed(seed)
    for i in range(len(batch)):
        ranks, log_prob, _ = draw(model, _part(batch, slice(i, i + 1)), n_samples, mode, generator)
        yield ranks[log_prob.argmax()].cpu().numpy()


def evaluate(
    model: ClusterwiseModel,
    batches: Sequence[tuple[Batch, list[int]]],
    n_samples: int = 10,
    mode: str = "map",
    n_z: int = 40,
    device: torch.device | str = "cpu",
    seed: int = 0,
) -> Scores:
    """Measure a model in evaluation mode.

    Parameters
    ----------
    model : ClusterwiseModel
    batches : sequence of (Batch, seeds)
        With labels, which nothing but the scores sees.
    n_samples, mode
        Of `sample`; the point estimate is the sample with the highest estimated probability.
    n_z : int
        Of the ELBO.
    device : device
    seed : int
        Of the sampler.
    """
    elbo, amis, found_k, true_k, failed, seconds = [], [], [], [], 0, 0.0
    for number, (item, seeds) in enumerate(batches):
        batch = item.to(device)
        with torch.no_grad():
            elbo.append(model(batch, n_z, seeds).per_graph.double().cpu().numpy())
        assert item.labels is not None
        start = time.perf_counter()
        estimates = list(_most_probable(model, batch, n_samples, mode, seed * len(batches) + number))
        seconds += time.perf_counter() - start
        for truth, found in zip(item.labels.numpy(), estimates, strict=True):
            inside = truth >= 0
            right = (found[inside] >= 0).all()
            failed += not right
            amis.append(ami(truth[inside], found[inside]) if right else 0.0)
            found_k.append(len(np.unique(found[inside])))
            true_k.append(len(np.unique(truth[inside])))
    return Scores(np.concatenate(elbo), np.array(amis), np.array(found_k), np.array(true_k), failed, seconds)


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
        if machine.processes > data.batch_size:
            raise UsageError(f"{machine.processes} processes cannot share batches of {data.batch_size}")
        if data.seed in (HELD_OUT, TEST):
            raise UsageError(f"the graphs of seed {data.seed} are kept for tests: take another")
        self.data, self.n_z, self.machine = data, n_z, machine
        _first_batch(SyntheticBatches(model, data))
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


def _first_batch(batches: SyntheticBatches) -> None:
    """Draw a batch before anything is spent: what the family refuses is said now."""
    try:
        _ = batches[0]
    except GraphclustError:
        raise
    except (TypeError, ValueError, IndexError) as error:
        given = ", ".join(f"{name}={value!r}" for name, value in batches.data.parameters.items())
        raise UsageError(f"{batches.data.family} takes no {given}: {error}") from error


def _begin_with(module: nn.Module, config: ModelConfig, start: str | os.PathLike[str]) -> None:
    """Load initial weights from a checkpoint of the same architecture, or of a sister model's.

    ACP, ACP-S and CCP share their encoder, decoder and Gaussians, the first two also most of their set encodings: what
    they have in common is taken over, and the rest begins afresh. CCP's sums have a scale of their own. A model that
    reads pairs of nodes may begin with one that does not.
    """
    given, info = load_checkpoint(start)
    ours, theirs = config.to_dict(), info.config.to_dict()
    sisters = ours.pop("model") != theirs.pop("model")
    if gains := ours["pairs"] and not theirs["pairs"]:  # its weights begin at 0, where the two models are the same
        theirs["pairs"] = True
    if apart := _differences({"model": theirs}, {"model": ours}):
        raise UsageError(f"{os.fspath(start)} is of another architecture: {apart}")
    weights = given.state_dict()
    if sisters and "ccp" in (config.model, info.config.model):
        weights = {name: value for name, value in weights.items() if not name.startswith("encodings.")}
    module.load_state_dict(weights, strict=not (sisters or gains))


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
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the trainer stops them when it has finished its step


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
    """JSON lines in a file. Lines beyond `step`, of a part of the run that was lost, are dropped."""

    def __init__(self, path: Path, step: int, batch_size: int) -> None:
        self.path, self.batch_size = path, batch_size
        kept = []
        try:
            for line in path.read_text().splitlines() if step else ():
                with_step = json.loads(line)
                if with_step["step"] <= step:
                    kept.append(line + "\n")
        except (OSError, ValueError, KeyError, TypeError):
            pass  # no log as yet, or one that ends in the middle of a line
        self._write("".join(kept), "w")
        self.window: list[dict[str, Any]] = []
        self.speed = 0.0  # graphs a second, as last measured

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


def _check_place(path: Path) -> None:
    """Refuse a file that could not be written: now, not after hours."""
    if path.is_dir():
        raise DataError("this is a folder, not a file", path)
    if not path.parent.is_dir():
        raise DataError(f"cannot write: there is no folder {path.parent}", path)
    if not os.access(path.parent, os.W_OK):
        raise DataError("cannot write: Permission denied", path)


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
        Stop after so many, as if `stop` had said so.
    eval_every, eval_graphs : int
        Evaluate after so many steps, and at the end, on so many graphs; 0 for never.
    save_every, log_every : int
        Steps between two savings of state and checkpoint, and between two lines of the log.
    log : path, optional
        By default `out` with the suffix .log.jsonl.
    stop : callable, optional
        Asked after each step whether to save and return.
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
    place = Path(out)
    state = place.with_name(place.name + ".state")
    journal = place.with_suffix(".log.jsonl") if log is None else Path(log)
    if min(n_z, save_every, log_every) < 1 or min(eval_every, eval_graphs) < 0:
        raise UsageError("n_z, save_every and log_every are positive, eval_every and eval_graphs at least 0")
    for path in (place, journal):
        _check_place(path)
    if journal.resolve() in (place.resolve(), state.resolve()):
        raise UsageError(f"the log would write over {journal.name}")
    _check_log(journal)
    begun = {"model": model.to_dict(), "data": data.to_dict(), "settings": asdict(settings), "n_z": n_z}
    note = _resumable(place, state, begun, resume)
    deadline = time.monotonic() + 60 * minutes if minutes is not None else None

    run = _Run(model, data, settings, n_z, machine, None if note else start)
    trainer = run.trainer
    is_main = trainer.share[0] == 0
    held_out, evaluated = {}, 0
    if note:
        trainer.load(state)
        run.n_nodes, run.n_clusters = tuple(note["n_nodes"]), tuple(note["n_clusters"])
        held_out, evaluated = note["held_out"], note["evaluated"]
        ancestors = note["ancestors"]
    else:
        ancestors = [] if start is None else read_info(start).lineage
    first = trainer.step
    if is_main and resume and not note:
        logger.info("nothing to go on from at %s: beginning at step 0", state)
    if is_main:
        logger.info(
            "%s, %s, %s parameters, on %s%s",
            model.model,
            model.encoder,
            f"{sum(p.numel() for p in trainer.plain.parameters()):,}",
            _hardware(trainer.device),
            f", from step {first:,}" if first else "",
        )
    lines = _Log(journal, first, data.batch_size) if is_main else None
    examples: list[tuple[Batch, list[int]]] = []

    def asked() -> bool:
        return (stop is not None and stop()) or (deadline is not None and time.monotonic() > deadline)

    def measure() -> None:
        nonlocal held_out, evaluated
        if lines is None or not eval_graphs or evaluated == trainer.step:
            return
        if not examples:
            examples.extend(_held_out(model, data, eval_graphs))
        with trainer.averaged() as averaged:
            assert isinstance(averaged, ClusterwiseModel)
            scores = evaluate(averaged, examples, n_z=n_z, device=trainer.device)
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

    def save() -> None:
        n_nodes, n_clusters = run.ranges()
        seen = {"n_nodes": n_nodes, "n_clusters": n_clusters, "held_out": plain(held_out)}
        trainer.save(state, plain({**begun, **seen, "evaluated": evaluated, "ancestors": ancestors}))
        if not is_main:
            return
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
        save_checkpoint(place, trainer.weights(), info)

    before = trainer.seconds
    with task(f"training {model.model}", settings.steps - first if is_main else None) as advance:
        for record in run.steps(stop=asked):
            step = record["step"]
            if lines is not None:
                lines.add(record, record["seconds"] - before)
                before = record["seconds"]
                if step % log_every == 0:
                    lines.flush()
                advance()
            if step % save_every == 0:
                save()
            if eval_every and step % eval_every == 0:
                measure()
    if lines is not None:
        lines.flush()
    finished = trainer.step >= settings.steps
    if finished:
        measure()
    if trainer.step > first or not note:
        save()
    return Trained(trainer.step, finished, trainer.seconds, held_out, is_main)


def _check_log(path: Path) -> None:
    """Refuse to write over what is no log of a training."""
    try:
        with path.open() as file:
            first = file.readline()
            if not first or "step" in json.loads(first):
                return
    except FileNotFoundError:
        return
    except (OSError, ValueError, TypeError):
        pass
    raise UsageError(f"{path} is there already and no log of a training: choose another --log")


def _resumable(place: Path, state: Path, begun: dict[str, Any], resume: bool) -> dict[str, Any] | None:
    """Return the note of the state to go on from; None for a new run."""
    there = [path for path in (place, state) if path.exists()]
    if not there:
        return None
    if not resume:
        way = "add --resume to go on with it" if state in there else "remove it"
        raise UsageError(f"{there[0]} is there already: {way}, or choose another --out")
    if state not in there:
        raise UsageError(f"{place} cannot be resumed: there is no {state.name} beside it (--start takes its weights)")
    note = read_note(state)
    want = {**begun, "settings": {k: v for k, v in begun["settings"].items() if k != "steps"}}
    have = {**note, "settings": {k: v for k, v in dict(note.get("settings", {})).items() if k != "steps"}}
    apart = _differences(have, want)
    if apart:
        raise UsageError(f"{state} is of a run with other settings: {apart}")
    return note


def _held_out(model: ModelConfig, data: DataConfig, n_graphs: int) -> list[tuple[Batch, list[int]]]:
    """Draw the graphs that are never trained on, the same for all trainings; none of their labels is known."""
    size = min(_EVALUATED_AT_ONCE, n_graphs)
    apart = replace(data, batch_size=size, same_size=False, known_share=0.0, seed=HELD_OUT)
    batches = SyntheticBatches(model, apart, train=False)
    found = [batches[i] for i in range(-(-n_graphs // size))]
    batch, seeds = found[-1]
    left = n_graphs - size * (len(found) - 1)
    found[-1] = _part(batch, slice(left)), seeds[:left]
    return found


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
