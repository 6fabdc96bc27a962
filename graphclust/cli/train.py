"""graphclust train: train a model on a family of random graphs."""

from __future__ import annotations

import logging
import shlex
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from graphclust.cli.common import Quiet, Seed, check_files, is_helper, output, parse_pairs, say
from graphclust.cli.table import print_table
from graphclust.errors import UsageError, unknown
from graphclust.runtime.interrupts import interrupts_handled

if TYPE_CHECKING:
    from graphclust.models.build import ModelConfig
    from graphclust.training.synthetic import DataConfig

__all__ = ["train"]

_STEPS = 20_000  # section B.3, General SBM
_BENCHMARK_STEPS = 20
_N_LABELS = 16  # more than any graph of the families has communities (at most 12)
_FIELDS = {  # of a `ModelConfig`, and the options that set them
    "--encoder": "encoder",
    "--features": "features",
    "--n-features": "n_features",
    "--layers": "n_layers",
    "--dim": "dim",
    "--dim-encoder": "dim_encoder",
}
_GRAPHS, _MODEL, _OPTIMISER, _MACHINE, _RUN = (
    "Graphs to train on",
    "The model",
    "The optimiser (defaults as in the paper for General SBM)",
    "The machine",
    "The run",
)


def _option(panel: str, metavar: str | None, text: str, **more: Any) -> Any:
    return typer.Option(metavar=metavar, help=text, rich_help_panel=panel, **more)


def train(
    method: Annotated[str, typer.Argument(metavar="METHOD", help="acp, acp-s, ccp or ncp.", show_default=False)],
    *,
    out: Annotated[
        str | None, typer.Option("--out", "-o", metavar="FILE.safetensors", help="File for the trained model.")
    ] = None,
    family: Annotated[
        str,
        _option(
            _GRAPHS,
            "NAME|MODULE:FUNCTION",
            "Family of graphs, see `graphclust generate`, or a function of your own that draws a graph and its labels.",
        ),
    ] = "general-sbm",
    graphs: Annotated[
        str | None,
        _option(
            _GRAPHS,
            "FOLDER",
            "Train on your own graphs instead, each beside its labels: net.gml and net.labels.tsv. A fifth of them is "
            "held out for the evaluation.",
            show_default=False,
        ),
    ] = None,
    parameter: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="NAME=VALUE",
            help="Parameter of the family, such as n_nodes=50:300. Repeatable.",
            rich_help_panel=_GRAPHS,
        ),
    ] = None,
    # section B.3
    batch_size: Annotated[int, _option(_GRAPHS, "N", "Graphs per step, over all processes.", min=1)] = 32,
    # the paper does not specify this; padded batches of independently drawn graphs are the safe interpretation
    same_size: Annotated[
        bool,
        typer.Option(
            "--same-size/--no-same-size",
            help="Give all graphs of a batch the same number of nodes, which is faster.",
            rich_help_panel=_GRAPHS,
        ),
    ] = False,
    # the paper's General SBM runs are unsupervised
    known_share: Annotated[
        float, _option(_GRAPHS, "SHARE", "Fraction of the graphs with some known labels.", min=0, max=1)
    ] = 0.0,
    seed: Seed = 0,
    # Table 2 has rows for both encoders; GatedGCN scores better and costs about four times as much
    encoder: Annotated[
        str | None,
        _option(
            _MODEL,
            "NAME",
            "Encoder of graphs: graphsage, gated-gcn, gated-gcn-benchmark, graph-transformer; of vectors: points, "
            "point-transformer; of waveforms: spikes.",
            show_default="from --start, or graphsage",
        ),
    ] = None,
    # section B.2: 20 eigenvectors or 20 random numbers
    features: Annotated[
        str | None,
        _option(
            _MODEL,
            "laplacian|random|given|standardised",
            "Features of the nodes. given: the vectors of the family; standardised: these vectors with mean 0 and "
            "variance 1.",
            show_default="from --start, or laplacian; given for points and spikes",
        ),
    ] = None,
    n_features: Annotated[
        int | None,
        _option(
            _MODEL, "N", "Number of features per node.", min=1, show_default="from --start, from the family, or 20"
        ),
    ] = None,
    # section B.1: 4 layers of 128; all other vectors have 128 entries too
    layers: Annotated[
        int | None, _option(_MODEL, "N", "Layers of the encoder.", min=1, show_default="from --start, or 4")
    ] = None,
    dim: Annotated[
        int | None,
        _option(_MODEL, "N", "Dimension of all vectors, including z.", min=4, show_default="from --start, or 128"),
    ] = None,
    # section B.1: 78 for CLUSTER
    dim_encoder: Annotated[
        int | None,
        _option(
            _MODEL,
            "N",
            "Dimension of the vectors inside the encoder.",
            min=1,
            show_default="from --start, or --dim",
        ),
    ] = None,
    steps: Annotated[
        int | None,
        _option(
            _OPTIMISER,
            "N",
            f"Number of steps; {_STEPS:,} by default, {_BENCHMARK_STEPS} with --benchmark.",
        ),
    ] = None,
    # the authors' code: 40 samples of z, importance-weighted
    n_z: Annotated[int, _option(_OPTIMISER, "N", "Samples of z per cluster.", min=1)] = 40,
    # section B.3: Adam, 0.0001
    learning_rate: Annotated[float, _option(_OPTIMISER, "RATE", "Highest learning rate of Adam.")] = 1e-4,
    # the authors' code; L2, as in torch's Adam
    weight_decay: Annotated[float, _option(_OPTIMISER, "X", "L2 regularisation.", min=0)] = 0.01,
    # the paper uses a constant rate, and neither clipping nor averaging
    warmup: Annotated[int, _option(_OPTIMISER, "N", "Steps of linear warm-up of the learning rate.", min=0)] = 0,
    schedule: Annotated[
        str,
        _option(_OPTIMISER, "constant|cosine|linear", "Learning rate after the warm-up; cosine and linear end at 0."),
    ] = "constant",
    clip: Annotated[float, _option(_OPTIMISER, "X", "Largest norm of the gradient; 0 for no limit.", min=0)] = 0.0,
    average: Annotated[
        float, _option(_OPTIMISER, "X", "Decay of the moving average of the weights; 0 for no average.", min=0)
    ] = 0.0,
    device: Annotated[str, _option(_MACHINE, "auto|cpu|cuda", "Device to train on.")] = "auto",
    precision: Annotated[
        str, _option(_MACHINE, "32|bf16", "Floating-point precision; bf16 uses automatic mixed precision.")
    ] = "32",
    processes: Annotated[
        int, _option(_MACHINE, "N", "Number of processes, each with its share of a batch and its own GPU.", min=1)
    ] = 1,
    workers: Annotated[int, _option(_MACHINE, "N", "Workers per process that prepare batches in advance.", min=0)] = 0,
    resume: Annotated[
        bool, typer.Option("--resume", help="Resume from the state in FILE.state.", rich_help_panel=_RUN)
    ] = False,
    start: Annotated[str | None, _option(_RUN, "CHECKPOINT", "Trained model to start from.")] = None,
    minutes: Annotated[
        float | None, _option(_RUN, "M", "Stop after M minutes; --resume continues from there.", min=0)
    ] = None,
    eval_every: Annotated[
        int, _option(_RUN, "N", "Steps between evaluations; 0 to evaluate only at the end.", min=0)
    ] = 1000,
    eval_graphs: Annotated[int, _option(_RUN, "N", "Number of held-out graphs; 0 for no evaluation.", min=0)] = 200,
    save_every: Annotated[int, _option(_RUN, "N", "Steps between saved states.", min=1)] = 500,
    log: Annotated[
        str | None,
        _option(_RUN, "FILE", "Log file of JSON lines; by default next to the model, with the suffix .log.jsonl."),
    ] = None,
    benchmark: Annotated[
        bool,
        typer.Option("--benchmark", help="Print graphs per second and write nothing.", rich_help_panel=_RUN),
    ] = False,
    quiet: Quiet = False,
) -> None:
    """Train the network of acp, acp-s, ccp or ncp on random graphs with known communities.

    Ctrl-C and SIGTERM stop the training after the current step and save its state. The same command with --resume
    continues from there.
    """
    _check_method(method)
    _check_out(out, log, start, benchmark)
    for option, value in (("--out", out), ("--log", log), ("--start", start), ("--resume", resume)):
        if benchmark and value:
            raise UsageError(f"--benchmark does not save a model: leave out {option}")
    from graphclust.training.clusterwise import measure_speed, train_clusterwise
    from graphclust.training.loops import LoopSettings, Machine
    from graphclust.training.synthetic import DataConfig

    if graphs is not None:
        if family != "general-sbm":
            raise UsageError("--graphs and --family exclude each other")
        family = f"graphs:{graphs}"
    data = DataConfig(
        family=family,
        parameters=parse_pairs("--set", parameter),
        batch_size=batch_size,
        same_size=same_size,
        known_share=known_share,
        seed=seed,
    )
    chosen = dict(zip(_FIELDS.values(), (encoder, features, n_features, layers, dim, dim_encoder), strict=True))
    model = _architecture(method, chosen, start, data, quiet)
    total = steps if steps is not None else _BENCHMARK_STEPS if benchmark else _STEPS
    settings = LoopSettings(
        steps=total,
        learning_rate=learning_rate,
        weight_decay=weight_decay,
        warmup=warmup,
        schedule=schedule,
        clip=clip,
        average=average,
    )
    machine = Machine(device, precision, processes, workers)
    if benchmark:
        speed = measure_speed(model, data, settings, n_z=n_z, machine=machine, steps=total)
        if speed.is_main:
            row = {
                "graphs/s": speed.graphs_per_second,
                "spread": speed.spread,
                "making batches": f"{100 * speed.data_share:.0f}%",
                "steps": speed.steps,
                "graphs": speed.graphs,
            }
            with output(None) as stream:
                print_table([row], stream)
        return
    assert out is not None
    with _interruptible() as interrupted:
        done = train_clusterwise(
            model,
            data,
            settings,
            out,
            n_z=n_z,
            machine=machine,
            resume=resume,
            start=start,
            minutes=minutes,
            eval_every=eval_every,
            eval_graphs=eval_graphs,
            save_every=save_every,
            log=log,
            stop=lambda: interrupted() is not None,
            command=shlex.join(["graphclust", *sys.argv[1:]]),
        )
    if not done.is_main:  # only the first process prints messages; it ends with an error if another process fails
        return
    if not done.finished:
        if not quiet:
            say(f"stopped after step {done.step:,} of {total:,}; run the same command with --resume to continue")
    elif quiet:
        pass
    elif interrupted():
        say(f"{done.step:,} steps -> {out}; run the same command with --resume for the final evaluation")
    else:
        score = f", held-out AMI {done.held_out['ami']:.4f}" if done.held_out else ""
        say(f"{done.step:,} steps in {done.seconds:,.0f} s{score} -> {out}")
    _exit_as(interrupted())


def _check_method(name: str) -> None:
    from graphclust.methods import METHODS

    trainable = ("acp", "acp-s", "ccp", "ncp")
    if name in trainable:
        return
    if name in METHODS:
        raise UsageError(f"{name} cannot be trained on a family of graphs; acp, acp-s, ccp and ncp can")
    raise unknown("trainable method", name, trainable)


def _check_out(out: str | None, log: str | None, start: str | None, benchmark: bool) -> None:
    if benchmark:
        return
    if out is None:
        raise UsageError("missing option --out FILE.safetensors")
    if not out.endswith(".safetensors"):
        raise UsageError(f"a model must be a safetensors file: --out {Path(out).stem or 'model'}.safetensors")
    check_files({"--out": out, "--log": log}, start=start)


def _architecture(method: str, chosen: dict[str, Any], start: str | None, data: DataConfig, quiet: bool) -> ModelConfig:
    """Return the architecture with the chosen settings; the others come from the model `start` or from the family."""
    from graphclust.models.build import ModelConfig
    from graphclust.nn.encoders import POINT_ENCODERS
    from graphclust.training.checkpoints import read_info
    from graphclust.training.synthetic import n_given_features

    fields = {name: value for name, value in chosen.items() if value is not None}
    if "dim" in fields:
        fields["dim_z"] = fields["dim"]
    labels = _N_LABELS if data.known_share else 0
    if start is None:
        if fields.get("encoder") in POINT_ENCODERS:
            fields.setdefault("features", "given")
        if fields.get("features") == "given" and "n_features" not in fields and (width := n_given_features(data)):
            fields["n_features"] = width
        return ModelConfig(method, n_labels=labels, **fields)
    initial = read_info(start).config
    config = replace(initial, model=method, n_labels=initial.n_labels or labels, **fields)
    if not quiet and not is_helper():
        inherited = [
            f"{option} {getattr(initial, name)}"
            for option, name in _FIELDS.items()
            if name not in fields and getattr(initial, name) is not None
        ]
        if initial.n_labels:
            inherited.append(f"up to {initial.n_labels} known labels")
        if inherited:
            say(f"settings from {start}: {', '.join(inherited)}")
    return config


@contextmanager
def _interruptible() -> Iterator[Callable[[], signal.Signals | None]]:
    """Record the first Ctrl-C or SIGTERM so that the current step can finish. A second Ctrl-C interrupts immediately.

    Yields a function that returns the first signal received, or None.
    """
    received: list[signal.Signals] = []

    def receive(number: int, _: Any) -> None:
        if number == signal.SIGINT in received:
            raise KeyboardInterrupt
        if not received:
            logging.getLogger("graphclust").info("stopping after this step; press Ctrl-C again to stop immediately")
        received.append(signal.Signals(number))

    with interrupts_handled(receive), interrupts_handled(receive, signal.SIGTERM):
        yield lambda: received[0] if received else None


def _exit_as(received: signal.Signals | None) -> None:
    """Exit with the status of a program stopped by this signal: 130 or 143."""
    if received == signal.SIGINT:
        raise KeyboardInterrupt
    if received is not None:
        raise typer.Exit(128 + received)
