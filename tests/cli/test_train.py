"""graphclust train: a run from the command line, stopped and resumed, timed, refused, interrupted, and shared."""

from __future__ import annotations

import json
import os
import shlex
import signal
import socket
import subprocess
import sys
import time
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file

import graphclust as gc
from graphclust.models.build import ModelConfig
from graphclust.training.checkpoints import load_checkpoint, read_info
from graphclust.training.clusterwise import train_clusterwise
from graphclust.training.loops import LoopSettings, read_note
from graphclust.training.synthetic import DataConfig
from tests.forked import ForkedCommand
from tests.marks import slow

TINY = shlex.split(
    "acp --family general-sbm --set 'n_nodes=(8, 14)' --encoder graph-transformer --dim 16 --layers 1 --n-features 4 "
    "--n-z 2 --batch-size 5 --learning-rate 1e-3 --device cpu --eval-graphs 3 --seed 2"
)


def weights(path):
    return load_checkpoint(path)[0].state_dict()


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_train_stop_resume_and_use(cli, tmp_path):
    """The whole way: --minutes 0 stops after a step, --resume goes on, and the result detects communities."""
    complete, parts = tmp_path / "whole.safetensors", tmp_path / "parts.safetensors"
    result = cli("train", *TINY, "--steps", 6, "--out", complete)
    assert (result.code, result.out) == (0, "")
    assert "6 steps in" in result.err
    assert "held-out AMI" in result.err

    options = ("--steps", 6, "--out", parts, "--log", tmp_path / "parts.jsonl")
    stopped = cli("train", *TINY, *options, "--minutes", 0)
    assert stopped.code == 0
    assert "stopped after step 1 of 6; run the same command with --resume to continue" in stopped.err
    refused = cli("train", *TINY, *options)
    assert (refused.code, "add --resume to continue" in refused.err) == (2, True)
    resumed = cli("train", *TINY, *options, "--resume", "--quiet")
    assert (resumed.code, resumed.out, resumed.err) == (0, "", "")

    first, second = weights(complete), weights(parts)
    assert all(torch.equal(value, second[name]) for name, value in first.items())
    assert [line["step"] for line in lines(tmp_path / "parts.jsonl")] == [6, 6]
    assert lines(tmp_path / "whole.log.jsonl")[-1]["held_out"] == lines(tmp_path / "parts.jsonl")[-1]["held_out"]
    info = read_info(parts)
    assert info.command.startswith("graphclust train acp --family general-sbm --set 'n_nodes=(8, 14)'")
    assert (info.steps, info.graphs, info.data["parameters"]) == (6, 30, {"n_nodes": [8, 14]})

    detected = gc.detect("data:karate", "acp", checkpoint=str(parts), random_state=0)
    assert len(detected.labels) == 34


def test_defaults_are_the_published_settings(cli, tmp_path, monkeypatch):
    from graphclust.training import clusterwise as amortized

    requested = {}

    def note(*arguments, **named):
        requested.update(zip(("model", "data", "settings", "out"), arguments, strict=True), **named)
        return amortized.Trained(20_000, True, 1.0, {})

    monkeypatch.setattr(amortized, "train_clusterwise", note)
    assert cli("train", "ccp", "--out", tmp_path / "a.safetensors").code == 0
    model, data, settings = requested["model"], requested["data"], requested["settings"]
    assert (settings.steps, settings.learning_rate, settings.weight_decay, requested["n_z"]) == (20_000, 1e-4, 0.01, 40)
    assert (settings.schedule, settings.warmup, settings.clip, settings.average) == ("constant", 0, 0, 0)
    assert (data.family, data.batch_size, data.parameters, data.known_share) == ("general-sbm", 32, {}, 0)
    assert (model.model, model.encoder, model.n_layers, model.dim, model.dim_z) == ("ccp", "graphsage", 4, 128, 128)
    assert (model.features, model.n_features, model.n_labels) == ("laplacian", 20, 0)
    assert (
        cli("train", "acp-s", "--known-share", 0.2, "--features", "random", "--out", tmp_path / "a.safetensors").code
        == 0
    )
    assert (requested["model"].n_labels, requested["model"].features, requested["data"].known_share) == (
        16,
        "random",
        0.2,
    )


def test_the_architecture_is_that_of_the_start_unless_told(cli, tmp_path):
    """Also what has no option; --known-share takes as many labels as the model reads."""
    begun, plain = tmp_path / "begun.safetensors", tmp_path / "plain.safetensors"
    small = ModelConfig(encoder="graph-transformer", n_features=4, dim=16, dim_z=8, n_layers=1, n_heads=2, n_labels=5)
    graphs, once = DataConfig(parameters={"n_nodes": (8, 14)}, batch_size=2), LoopSettings(steps=1)
    train_clusterwise(small, graphs, once, begun, n_z=2, eval_graphs=0)
    train_clusterwise(replace(small, n_labels=0), graphs, once, plain, n_z=2, eval_graphs=0)
    brief = shlex.split("--set 'n_nodes=(8, 14)' --n-z 2 --batch-size 2 --steps 1 --eval-graphs 0 --device cpu")
    complete = "--features laplacian, --n-features 4, --layers 1, --dim 16, up to 5 known labels"
    for i, (more, changes, entry) in enumerate(
        (
            ((), {}, f"--encoder graph-transformer, {complete}"),
            (("--known-share", 1, "--encoder", "graph-transformer"), {}, complete),
            (("--layers", 2), {"n_layers": 2}, f"--encoder graph-transformer, {complete.replace('--layers 1, ', '')}"),
        )
    ):
        out = tmp_path / f"{i}.safetensors"
        result = cli("train", "acp", *brief, "--start", begun, *more, "--out", out)
        assert (result.code, result.err.splitlines()[0]) == (0, f"graphclust: settings from {begun}: {entry}")
        assert read_info(out).config == replace(small, **changes)
    sister = tmp_path / "sister.safetensors"
    assert cli("train", "acp-s", *brief, "--start", begun, "--out", sister, "--quiet").err == ""
    assert read_info(sister).config == replace(small, model="acp-s")

    for model, more, words in (
        (begun, ("--encoder", "graphsage"), "encoder 'graph-transformer', not 'graphsage'"),
        (begun, ("--dim", 16), "dim_z 8, not 16"),
        (plain, ("--known-share", 0.5), "n_labels 0, not 16"),
    ):
        refused = cli("train", "acp", *brief, "--start", model, *more, "--out", tmp_path / "no.safetensors")
        assert refused.code == 2
        assert f"{model} has another architecture: {words}" in refused.err


def test_an_encoder_of_its_own_width(cli, tmp_path):
    """As CLUSTER's in the paper: layers narrower than all other vectors; --start takes the width over."""
    first, second = tmp_path / "first.safetensors", tmp_path / "second.safetensors"
    options = ("--eval-graphs", 0, "--steps", 1)
    result = cli("train", *TINY, "--encoder", "gated-gcn", "--dim-encoder", 6, *options, "--out", first)
    assert result.code == 0
    assert (read_info(first).config.dim_encoder, read_info(first).config.dim) == (6, 16)
    state = load_file(first)
    assert state["encoder.0.layers.0.own.weight"].shape == (6, 6)
    assert state["encoder.1.weight"].shape == (16, 6)
    brief = shlex.split("acp --set 'n_nodes=(8, 14)' --batch-size 5 --n-z 2 --device cpu")
    result = cli("train", *brief, *options, "--start", first, "--out", second)
    assert result.code == 0
    assert "--layers 1, --dim 16, --dim-encoder 6" in result.err
    assert read_info(second).config == read_info(first).config
    result = cli("train", *TINY, *options, "--start", "acp", "--out", tmp_path / "third.safetensors")
    assert "None" not in result.err


def test_benchmark_prints_and_writes_nothing(cli, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = cli("train", *TINY, "--benchmark", "--steps", 3)
    assert result.code == 0
    head, row = (line.split("  ") for line in result.out.splitlines())
    seen = dict(zip((name.strip() for name in head if name), (text.strip() for text in row if text), strict=True))
    assert float(seen["graphs/s"]) > 0
    assert float(seen["spread"]) > 0
    assert seen["making batches"].endswith("%")
    assert (seen["steps"], seen["graphs"]) == ("3", "15")
    assert not list(tmp_path.iterdir())
    for option in ("--resume", "--start=acp", "--log=a.jsonl"):
        result = cli("train", *TINY, "--benchmark", option)
        assert (result.code, result.out) == (2, "")
        assert f"leave out {option.partition('=')[0]}" in result.err


@pytest.mark.parametrize(
    ("family", "encoder", "parameter", "width"),
    [("spikes", "spikes", "n=(8, 14)", 224), ("gaussian-mixture", "points", "n=(8, 14)", 2)],
)
def test_points_need_no_features_option(cli, tmp_path, family, encoder, parameter, width):
    """Features are those of the family, and so is their number."""
    out = tmp_path / "a.safetensors"
    options = ("--dim", 16, "--layers", 2, "--n-z", 2, "--batch-size", 3, "--steps", 2, "--eval-graphs", 2, "--quiet")
    command = ("train", "acp", "--family", family, "--encoder", encoder, "--set", parameter, *options, "--out", out)
    result = cli(*command, "--known-share", 0.5)
    assert (result.code, result.out, result.err) == (0, "", "")
    model, info = load_checkpoint(out)
    config = info.config
    assert (config.encoder, config.features, config.n_features, config.n_labels) == (encoder, "given", width, 16)
    assert info.held_out["n_graphs"] == 2
    assert all(torch.isfinite(value).all() for value in model.state_dict().values())


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("apc",), ("unknown trainable method 'apc'", "acp")),
        (("leiden",), ("leiden cannot be trained on a family of graphs", "acp-s")),
        (("acp", "--encoder", "gatedgcn"), ("unknown encoder 'gatedgcn'", "did you mean gated-gcn")),
        (("acp", "--family", "general_sbm"), ("unknown family", "did you mean general-sbm")),
        (("acp", "--features", "laplace"), ("unknown features", "laplacian")),
        (("acp", "--schedule", "cos"), ("schedule", "cosine")),
        (("acp", "--set", "nodes=(3, 5)"), ("unknown parameter of general-sbm", "did you mean n_nodes")),
        (("acp", "--set", "n_nodes"), ("--set takes NAME=VALUE",)),
        (("acp", "--set", "n_nodes=few"), ("general-sbm cannot be drawn with n_nodes='few'",)),
        (("acp", "--set", "within=(1, -1)"), ("positive",)),
        (("acp", "--dim", "30"), ("30 dimensions cannot be divided among 4 heads",)),
        (("acp", "--device", "gpu"), ("device is auto, cpu or cuda",)),
        (("acp", "--precision", "16"), ("precision must be 32 or bf16",)),
        (("acp", "--steps", "0"), ("steps",)),
        (("acp", "--learning-rate", "-1"), ("learning rate",)),
        (("acp", "--processes", "33", "--device", "cpu"), ("33 processes cannot share batches of 32",)),
        (("acp", "--family", "cluster", "--same-size"), ("needs a range of sizes",)),
        (("acp", "--start", "nothing.safetensors"), ("unknown checkpoint",)),
        (("acp", "--out", "model.pt"), ("--out model.safetensors",)),
        (("acp", "--out", "-"), ("safetensors",)),
        (("acp", "--log", "-"), ("--log needs a file",)),
        (("acp", "--benchmark", "--out", "a.safetensors"), ("leave out --out",)),
        (("acp", "--encoder", "points"), ("20 given features per node, but the input has none",)),
        (("acp", "--family", "spikes"), ("spikes draws points, and the encoder graphsage needs the edges",)),
        (("acp", "--family", "spikes", "--encoder", "spikes", "--set", "n=few"), ("cannot be drawn with n='few'",)),
        (
            ("acp", "--family", "gaussian-mixture", "--encoder", "spikes", "--set", "n=20"),
            ("waveforms of 7 channels: n_features must be a multiple of 7, not 2",),
        ),
        (("acp", "--family", "spikes", "--encoder", "spikes", "--n-features", "7"), ("7 given features", "has 224")),
    ],
)
def test_what_makes_no_sense(cli, tmp_path, monkeypatch, args, words):
    monkeypatch.chdir(tmp_path)
    arguments = args if "--out" in args else (*args, "--out", "model.safetensors")
    result = cli("train", *arguments)
    assert (result.code, result.out) == (2, "")
    assert len(result.err.splitlines()) == 1
    for word in words:
        assert word in result.err
    assert not list(tmp_path.iterdir())


def test_files_that_are_in_the_way(cli, tmp_path):
    out = tmp_path / "a.safetensors"
    assert "missing option --out" in cli("train", *TINY).err
    assert "--out would overwrite --start" in cli("train", *TINY, "--start", out, "--out", out).err
    missing = cli("train", *TINY, "--out", tmp_path / "no" / "a.safetensors")
    assert (missing.code, "does not exist" in missing.err) == (1, True)
    out.write_bytes(b"mine")
    for extra in ((), ("--resume",)):
        result = cli("train", *TINY, "--out", out, *extra)
        assert (result.code, "a.safetensors" in result.err) == (2, True)
    assert out.read_bytes() == b"mine"


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def start(*args):
    """Train in a new interpreter."""
    return subprocess.Popen(
        [sys.executable, "-m", "graphclust", "train", *TINY, *map(str, args)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        start_new_session=True,
    )


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), pytest.param(signal.SIGTERM, 143, marks=pytest.mark.slow)]
)
def test_a_signal_saves_and_the_run_resumes(cli, tmp_path, number, code):
    out = tmp_path / "a.safetensors"
    process = ForkedCommand("train", *TINY, "--out", out, "--steps", 100_000, "--save-every", 100_000, "--workers", 1)
    process.wait((tmp_path / "a.log.jsonl").exists)
    time.sleep(0.3)
    os.killpg(process.pid, number)  # as a terminal does: to all processes
    printed, err = process.communicate()
    assert (process.returncode, printed) == (code, "")
    assert "Traceback" not in err
    reported = next(line for line in err.splitlines() if "stopped after" in line)
    assert err.endswith("graphclust: interrupted\n") == (number == signal.SIGINT)
    step = read_note(f"{out}.state")["step"]
    assert (
        reported
        == f"graphclust: stopped after step {step:,} of 100,000; run the same command with --resume to continue"
    )
    assert read_info(out).steps == step

    assert cli("train", *TINY, "--out", out, "--steps", step + 2, "--resume").code == 0
    assert cli("train", *TINY, "--out", tmp_path / "b.safetensors", "--steps", step + 2).code == 0
    first, second = weights(out), weights(tmp_path / "b.safetensors")
    assert all(torch.equal(value, second[name]) for name, value in first.items())


@pytest.mark.parametrize("second", ["forked", *slow("launched")])
def test_two_processes_are_one(cli, tmp_path, second):
    """Five graphs a step, three and two a process: the same losses and the same weights."""
    outputs = [tmp_path / "alone.safetensors", tmp_path / "shared.safetensors"]
    options = ("--steps", 3, "--eval-every", 1, "--clip", 5, "--average", 0.9)
    args = ("--out", outputs[1], *options, "--processes", 2)
    if second == "forked":  # Fabric then starts no processes
        port = str(free_port())
        processes = [ForkedCommand("train", *TINY, *args, LOCAL_RANK=rank, MASTER_PORT=port) for rank in "01"]
    else:
        processes = [start(*args)]
    assert cli("train", *TINY, "--out", outputs[0], *options).code == 0
    printed, errors = zip(*(process.communicate(timeout=120) for process in processes), strict=True)
    err = "".join(errors)
    assert {process.returncode for process in processes} == {0}, err
    assert set(printed) == {""}
    assert [line[:12] for line in err.splitlines()] == ["graphclust: "] * 5  # one of them speaks: begin, 3 scores, end
    keys = ("loss", "elbo", "norm")
    alone, shared = (
        [line[key] for line in lines(path.with_suffix(".log.jsonl")) if "loss" in line for key in keys]
        for path in outputs
    )
    assert len(alone) == 9
    assert shared == pytest.approx(alone, rel=1e-5)
    state, other = (load_file(f"{path}.state") for path in outputs)
    assert state.keys() == other.keys()
    for name, value in state.items():
        torch.testing.assert_close(value, other[name], rtol=0, atol=1e-5)
    infos = [read_info(path) for path in outputs]
    assert infos[0].n_nodes == infos[1].n_nodes
    assert infos[0].n_clusters == infos[1].n_clusters
    assert infos[1].settings["processes"] == 2
    assert infos[0].held_out == pytest.approx(infos[1].held_out, rel=1e-4)


@pytest.mark.slow
def test_two_processes_make_up_an_evaluation(tmp_path):
    """The first alone evaluates; both save."""
    out = tmp_path / "two.safetensors"
    for n_graphs, more in ((0, ()), (3, ("--resume",))):
        process = start("--out", out, "--steps", 2, "--processes", 2, "--eval-graphs", n_graphs, *more)
        _, err = process.communicate(timeout=120)
        assert process.returncode == 0, err
        assert read_info(out).held_out.get("n_graphs", 0) == n_graphs
