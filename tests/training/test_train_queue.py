"""The training queue: killed, stopped and paused at any moment, in a clone of its own, with a stand-in for the trainer.

The stand-in keeps the contract of `graphclust train` (options, files, signals) and needs no torch: a training takes a
second. What the real trainer adds is tested below it, slowly, and in test_amortized.py.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import random
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from graphclust.training.loops import read_note
from tests.marks import slow

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.skipif(shutil.which("git") is None or not Path("/proc").is_dir(), reason="git and /proc")

TRAINER = """
import argparse, json, os, signal, sys, time
from pathlib import Path

CODE = "first"
parser = argparse.ArgumentParser()
parser.add_argument("command"), parser.add_argument("method")
parser.add_argument("--resume", action="store_true"), parser.add_argument("--out", type=Path)
for name in ("--steps", "--save-every", "--fail-at", "--hold-at", "--batch-size"):
    parser.add_argument(name, type=int, default=0)
parser.add_argument("--pause", type=float, default=0.002)
given = parser.parse_args()
stopping = []
signal.signal(signal.SIGTERM, lambda *_: stopping.append(143))
signal.signal(signal.SIGINT, lambda *_: stopping.append(130))
log, state = Path(given.out.stem + ".log.jsonl"), Path(f"{given.out}.state")

def write(path, **metadata):
    text = json.dumps({"__metadata__": {key: json.dumps(value) for key, value in metadata.items()}}).encode()
    beside = Path(f".{path.name}.{os.getpid()}.tmp")
    beside.write_bytes(len(text).to_bytes(8, "little") + text)
    beside.replace(path)

def save():
    size = log.stat().st_size if log.exists() else 0
    write(state, state={"step": step, "value": value, "log": {"size": size, "window": []}})
    write(given.out, graphclust={"steps": step, "value": value, "codes": CODE})

step, value = 0, 1
if state.exists():
    content = state.read_bytes()
    note = json.loads(json.loads(content[8:])["__metadata__"]["state"])
    step, value = note["step"], note["value"]
    os.truncate(log, note["log"]["size"])
else:
    log.write_text("")
print("from step", step, flush=True)
while step < given.steps and not stopping:
    time.sleep(given.pause)
    if step == given.hold_at > 0 and not Path(os.environ["GATE"]).exists():
        continue
    if step + 1 == given.fail_at:
        print("a line before", "the gradient was not finite", sep="\\n")
        sys.exit(1)
    step, value = step + 1, (value * 48271 + step) % 2147483647
    if step % 2 == 0:
        with log.open("a") as file:
            file.write(json.dumps({"step": step, "elbo": -value, "graphs_per_second": 8.0, "code": CODE}) + "\\n")
    if step % 10 == 0:
        with log.open("a") as file:
            file.write(json.dumps({"step": step, "held_out": {"elbo": -1.5, "ami": 0.25}}) + "\\n")
    if step % given.save_every == 0:
        save()
save()
sys.exit(stopping[0] if stopping else 0)
"""


class Checkout:
    """A repository with the queue, a trainer and some rows."""

    def __init__(self, root):
        self.root, self.state, self.gate = root, root / ".train-queue", root / ".train-queue" / "gate"

    @property
    def environment(self):
        return {k: v for k, v in os.environ.items() if k != "PYTHONPATH"} | {"GATE": str(self.gate)}

    @classmethod
    def make(cls, root, rows, **settings):
        shutil.copytree(ROOT / "training", root / "training", ignore=shutil.ignore_patterns("__pycache__"))
        (root / "graphclust").mkdir()
        (root / "graphclust" / "__main__.py").write_text(TRAINER)
        (root / ".gitignore").write_text(".train-queue/\n__pycache__/\n")
        made = cls(root)
        made.write_rows(rows, **settings)
        made.git("init", "--quiet", "--initial-branch", "main")
        made.commit("begin")
        return made

    def write_rows(self, rows, steps=20, full_steps=40, options="--save-every 4"):
        lines = [f'[settings]\nsteps = {steps}\nfull_steps = {full_steps}\noptions = "{options}"']
        for i, (name, row) in enumerate(rows.items()):
            values = {"name": name, "priority": i, **row}
            values["command"] = f"graphclust train {row.get('command', 'acp')} --batch-size 4"
            lines.append("[[row]]\n" + "\n".join(f"{key} = {json.dumps(value)}" for key, value in values.items()))
        (self.root / "training" / "queue.toml").write_text("\n".join(lines))

    def git(self, *words):
        who = ("-c", "user.name=a", "-c", "user.email=a@b.c")
        return subprocess.run(["git", *who, *words], cwd=self.root, check=True, capture_output=True, text=True).stdout

    def commit(self, message):
        self.git("add", "--all")
        self.git("commit", "--quiet", "-m", message)
        return self.git("rev-parse", "HEAD").strip()

    def start(self, action="run"):
        return subprocess.Popen(
            [sys.executable, "-m", "training.queue", action, "--nice", "0"],
            cwd=self.root,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def do(self, action="run", code=0, timeout=120):
        with self.start(action) as process:
            out, _ = process.communicate(timeout=timeout)
        assert process.returncode == code, out
        return out

    def processes(self):
        """Everything that works in the folder of the queue or holds its lock, but for this process."""
        seen = []
        for entry in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                opened = [path.readlink() for path in (entry / "fd").iterdir()]
                if self.state / "lock" in opened:
                    seen.append(int(entry.name))
        return seen

    def trainings(self):
        runs = self.state / "runs"
        seen = []
        for pid in self.processes():
            with contextlib.suppress(OSError):
                if Path(f"/proc/{pid}/cwd").readlink().parent == runs:
                    seen.append(pid)
        return seen

    def header(self, path):
        content = (self.root / path).read_bytes()
        length = int.from_bytes(content[:8], "little")
        return {k: json.loads(v) for k, v in json.loads(content[8 : 8 + length])["__metadata__"].items()}

    def weights(self, name):
        return self.header(f"results/models/{name}.safetensors")

    def log(self, name):
        path = self.root / "results" / "models" / f"{name}.log.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()]

    def saved(self, name):
        path = self.state / "runs" / name / f"{name}.safetensors.state"
        return self.header(path)["state"]["step"] if path.exists() else 0

    def logged(self, name):
        path = self.state / "runs" / name / f"{name}.log.jsonl"
        text = path.read_text() if path.exists() else ""
        steps = [json.loads(line)["step"] for line in text.splitlines() if line.endswith("}")]
        return max(steps, default=0)


def wait_for(condition, seconds=60):
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, "it does not happen"
        time.sleep(0.01)
    return value


@pytest.fixture
def checkout(tmp_path):
    made = []

    def make(rows, **settings):
        made.append(Checkout.make(tmp_path / f"checkout{len(made)}", rows, **settings))
        return made[-1]

    yield make
    for clone in made:
        for pid in clone.processes():
            os.kill(pid, signal.SIGKILL)


def value_after(steps):
    value = 1
    for step in range(steps):
        value = (value * 48271 + step) % 2147483647
    return value


def curve(steps):
    lines = []
    for step in range(2, steps + 1, 2):
        lines.append({"step": step, "elbo": -value_after(step), "graphs_per_second": 8.0, "code": "first"})
        if step % 10 == 0:
            lines.append({"step": step, "held_out": {"elbo": -1.5, "ami": 0.25}})
    return lines


def table(text):
    """The rows of a status: name -> cells."""
    lines = text.splitlines()
    end = next(i for i, line in enumerate(lines) if line.startswith("queue: "))
    return {line.split()[0]: re.split(r"\s{2,}", line)[1:] for line in lines[1:end]}


# ---------------------------------------------------------------- the whole way


def test_all_first_goals_come_before_the_full_numbers(checkout):
    clone = checkout({"late": {"priority": 5}, "early": {"priority": 1}, "short": {"priority": 9, "full_steps": 20}})
    before = clone.do("status")
    assert table(before)["early"] == ["0", "20", "-", "-", "-", "-", "waiting"]
    assert before.endswith("queue: not running\n")
    out = clone.do()
    trained = re.findall(r"(\w+): training from step (\d+) to (\d+)", out)
    goals = [
        ("early", "0", "20"),
        ("late", "0", "20"),
        ("short", "0", "20"),
        ("early", "20", "40"),
        ("late", "20", "40"),
    ]
    assert trained == goals
    assert "git add --all results/models && git commit -m 'early: 40 steps' -- results/models" in out
    head = clone.git("rev-parse", "HEAD").strip()
    assert clone.weights("late") == {
        "graphclust": {"steps": 40, "value": value_after(40), "codes": "first"},
        "queue": {"name": "late", "commit": head},
    }
    assert clone.log("late") == curve(40)
    assert clone.git("worktree", "list").count("\n") == 1
    assert clone.git("status", "--porcelain") == "?? results/\n"
    status = clone.do("status")
    assert table(status)["late"] == ["40", "40", "8.0", "-1.50", "0.2500", "-", "finished"]
    assert "to be committed: git add --all results/models" in status
    assert "nothing is left to train" in clone.do()


def test_a_failing_row_does_not_stop_the_others(checkout):
    clone = checkout({"bad": {"command": "acp --fail-at 7"}, "worse": {"command": "acp --nosuch"}, "good": {}})
    out = clone.do(code=1)
    assert re.search(r"bad failed: exit status 1\n.*    from step 0\n.*a line before\n.*the gradient was not fin", out)
    assert "worse failed: exit status 2" in out
    assert clone.weights("good")["graphclust"]["steps"] == 40
    record = json.loads((clone.state / "runs" / "bad" / "run.json").read_text())
    assert record["lines"][-1] == "the gradient was not finite"
    shown = table(clone.do("status"))
    assert (shown["bad"][0], shown["bad"][-1]) == ("4", "failed: exit status 1")
    clone.write_rows({"bad": {"command": "acp"}, "good": {}})  # mended
    assert "bad: training from step 4 to 20" in clone.do()
    assert clone.log("bad") == curve(40)
    assert table(clone.do("status"))["bad"][-1] == "finished"


def test_code_that_is_edited_does_not_change_a_run(checkout):
    later = {"requires": ["graphclust/new.py: later"]}
    clone = checkout({"a": {"command": "acp --hold-at 8"}, "b": {}, "later": later})
    first = clone.git("rev-parse", "HEAD").strip()
    process = clone.start()
    wait_for(lambda: clone.saved("a") == 8)
    source = clone.root / "graphclust" / "__main__.py"
    source.write_text(source.read_text().replace('"first"', '"second"'))
    shown = table(clone.do("status"))
    assert shown["a"][-1] == "training"
    assert shown["later"][-1] == "skipped: later in graphclust/new.py is missing"
    os.kill(clone.trainings()[0], signal.SIGKILL)  # it goes on with the code that it began with
    (clone.root / "graphclust" / "new.py").write_text("later = 1\n")
    clone.git("add", "--all", "graphclust")
    clone.git("commit", "--quiet", "-m", "second")
    clone.gate.touch()
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 0, out
    assert re.search("a was ended by SIGKILL; resuming.*\n.*a: training from step 8 to 20", out)
    assert {line.get("code", "first") for line in clone.log("a")} == {"first"}
    assert {line.get("code", "second") for name in ("b", "later") for line in clone.log(name)} == {"second"}
    assert clone.weights("a")["queue"]["commit"] == first


# ---------------------------------------------------------------- killed and stopped


@pytest.mark.parametrize("number", [4, *slow(20)])
def test_killed_at_random_moments(checkout, number):
    """Queue, training or both: no more than the last steps since the saving is lost, and the results are the same."""
    steps = 10 * number
    clone = checkout({"a": {}, "b": {}}, steps=steps, full_steps=2 * steps)
    rng, kills, out = random.Random(3), 0, []
    process = clone.start()
    while kills < number:
        time.sleep(rng.uniform(0.0, 0.3))
        if process.poll() is not None:
            out.append(process.communicate()[0])
            if process.returncode == 0:
                break
            process = clone.start()
            continue
        victims = {"queue": [process.pid], "training": clone.trainings(), "both": [process.pid, *clone.trainings()]}
        before = {name: clone.logged(name) for name in "ab"}
        for pid in victims[rng.choice(list(victims))]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
                kills += 1
        for name in "ab":
            assert clone.saved(name) >= before[name] - 4
        assert len(clone.trainings()) <= 1
    process.communicate(timeout=60)
    assert kills >= number // 2  # on a fast machine, the queue may be done before
    clone.do()
    for name in "ab":
        assert clone.log(name) == curve(2 * steps)
        assert clone.weights(name)["graphclust"]["value"] == value_after(2 * steps)
    assert not list(clone.root.glob("results/models/.*"))
    assert clone.git("worktree", "list").count("\n") == 1


def test_a_training_that_is_killed_before_it_saves_is_started_again(checkout):
    clone = checkout({"a": {"command": "acp --hold-at 3"}, "b": {}}, full_steps=20)
    process = clone.start()
    for number, signals in enumerate((signal.SIGKILL, signal.SIGKILL, signal.SIGTERM)):
        pid = wait_for(lambda: next((pid for pid in clone.trainings() if clone.logged("a") == 2), None))
        os.kill(pid, signals)
        wait_for(lambda number=number: (clone.state / "log").read_text().count("resuming from its") == number + 1)
    clone.gate.touch()
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 0, out
    assert clone.log("a") == clone.log("b") == curve(20)


def test_a_training_that_is_always_killed_fails(checkout):
    clone = checkout({"a": {"command": "acp --hold-at 3"}, "b": {}}, full_steps=20)
    process = clone.start()
    while process.poll() is None and not (clone.root / "results").exists():
        for pid in clone.trainings():
            if Path(f"/proc/{pid}/cwd").readlink().name == "a":
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        time.sleep(0.01)
    out, _ = process.communicate(timeout=60)
    assert "a failed: exit status -9" in out
    assert clone.log("b") == curve(20)


def test_one_queue_at_a_time(checkout):
    clone = checkout({"a": {"command": "acp --hold-at 8"}}, steps=10_000, full_steps=10_000)
    process = clone.start()
    wait_for(lambda: clone.saved("a") == 8)
    assert "the queue is already running" in clone.do("run", 1)
    process.kill()
    process.communicate()
    assert "running, only the training, since its queue was killed" in clone.do("status")
    second = clone.start()
    wait_for(lambda: "training from step 8" in (clone.state / "log").read_text())
    clone.gate.touch()
    wait_for(lambda: clone.saved("a") > 8)
    assert len(clone.trainings()) == 1
    assert "stopped" in clone.do("stop")
    out, _ = second.communicate(timeout=60)
    assert "ending the training of a queue that was killed" in out
    assert second.returncode == 143
    assert clone.processes() == []
    assert not (clone.state / "pid").exists()


@pytest.mark.parametrize(
    ("number", "code"),
    [
        (signal.SIGTERM, 143),
        *(pytest.param(*case, marks=pytest.mark.slow) for case in ((signal.SIGINT, 130), (signal.SIGHUP, 129))),
    ],
)
def test_a_signal_ends_the_queue_after_the_step(checkout, number, code):
    clone = checkout({"a": {}}, steps=100_000, full_steps=100_000, options="--save-every 100000")
    process = clone.start()
    wait_for(lambda: clone.logged("a") > 4)
    process.send_signal(number)
    out, _ = process.communicate(timeout=60)
    assert process.returncode == code
    assert out.splitlines()[-1].endswith(f"stopped by {number.name}; make train-queue resumes it")
    assert clone.saved("a") >= clone.logged("a") > 4
    assert clone.processes() == []


def test_ctrl_c_in_a_terminal(checkout):
    """The queue, a process group of its own, has the terminal; the shell that started it gets it back."""
    clone = checkout({"a": {}}, steps=100_000, full_steps=100_000)
    script = f"{sys.executable} -m training.queue run --nice 0; echo ended $?; read word; echo read $word"
    spawn = [sys.executable, "-c", "import pty, sys; pty.spawn(sys.argv[1:])", "sh", "-c", script]
    with subprocess.Popen(
        spawn, cwd=clone.root, env=clone.environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as shell:
        wait_for(lambda: clone.logged("a") > 4)
        printed = b""
        for typed, answer in ((b"\x03", b"ended 130"), (b"something\n", b"read something")):
            shell.stdin.write(typed)
            shell.stdin.flush()
            while answer not in printed:
                printed += shell.stdout.read1()
    assert b"stopped by SIGINT; make train-queue resumes it" in printed
    assert clone.saved("a") >= clone.logged("a")


def test_pause_and_continue(checkout):
    clone = checkout({"a": {"command": "acp --pause 0.01"}}, steps=10_000, full_steps=10_000)
    assert "no queue is running" in clone.do("pause", 1)
    process = clone.start()
    wait_for(lambda: clone.logged("a"))
    assert int((clone.state / "pid").read_text()) == os.getpgid(process.pid) == process.pid != os.getpgrp()
    assert "paused" in clone.do("pause")
    assert "queue: paused" in clone.do("status")
    before = clone.logged("a")
    time.sleep(0.3)
    assert clone.logged("a") == before
    assert "resumed" in clone.do("continue")
    wait_for(lambda: clone.logged("a") > before)
    clone.do("pause")
    assert "stopped" in clone.do("stop")  # a paused queue can be ended, too
    process.communicate(timeout=60)
    assert process.returncode == 143


# ---------------------------------------------------------------- other clones


def test_a_state_goes_on_in_another_clone(checkout, tmp_path):
    clone = checkout({"done": {}, "a": {"command": "acp --hold-at 13"}})
    process = clone.start()
    wait_for(lambda: clone.saved("a") == 12)
    assert "results/models/a.state.safetensors: step 12, " in clone.do("checkpoint")  # while it trains
    process.terminate()
    process.communicate(timeout=60)
    assert "a.state.safetensors: step 13, " in clone.do("checkpoint")
    assert "the repository is up to date" in clone.do("checkpoint")
    began = clone.weights("done")["queue"]["commit"]
    source = clone.root / "graphclust" / "__main__.py"
    source.write_text(source.read_text().replace('"first"', '"second"'))
    clone.commit("state, and other code")

    other = Checkout(tmp_path / "other")
    clone.git("clone", "--quiet", str(clone.root), str(other.root))
    shown = table(other.do("status"))
    assert shown["done"][-1] == "first goal of 20 reached"
    assert (shown["a"][0], shown["a"][-1]) == ("13", "started")
    other.write_rows({"a": {}, "done": {"full_steps": 20}}, full_steps=30)
    out = other.do()
    assert "a: resuming from a.state.safetensors, step 13" in out
    resumed = {"step": 13, "resumed": "from a compact state"}
    assert [line for line in other.log("a") if line != resumed] == curve(30)
    assert resumed in other.log("a")
    assert other.weights("a")["graphclust"] == {"steps": 30, "value": value_after(30), "codes": "first"}
    assert other.weights("a")["queue"]["commit"] == began
    assert not (other.root / "results/models/a.state.safetensors").exists()


def test_every_state_that_the_repository_lacks_is_written(checkout):
    """After a stop, also of a row that failed before."""
    clone = checkout({"bad": {"command": "acp --fail-at 7"}, "good": {"command": "acp --hold-at 9"}})
    process = clone.start()
    wait_for(lambda: clone.saved("good") == 8)
    clone.do("stop")
    process.communicate(timeout=60)
    out = clone.do("checkpoint")
    assert "bad.state.safetensors: step 4, " in out
    assert re.search(r"good.state.safetensors: step [89], ", out)


def test_a_commit_that_the_clone_lacks(checkout):
    clone = checkout({"a": {"command": "acp --fail-at 15"}}, full_steps=20)
    clone.do(code=1)
    record = clone.state / "runs" / "a" / "run.json"
    record.write_text(json.dumps({"commit": "0123456789" * 4}))
    out = clone.do(code=1)
    assert "started at commit 0123456789012345678901234567890123456789, which this clone does not have: fetch it" in out
    clone.write_rows({"a": {"commit": "main"}}, full_steps=20)
    clone.do()
    assert clone.log("a") == curve(20)
    shutil.rmtree(clone.root / "results")
    shutil.rmtree(clone.state / "runs")
    record.parent.mkdir(parents=True)
    record.write_text(json.dumps({"commit": "0123456789" * 4}))  # without a state: from the present commit
    clone.write_rows({"a": {}}, full_steps=20)
    clone.do()
    assert clone.log("a") == curve(20)


def test_a_worktree_that_vanished_or_is_not_whole_is_made_again(checkout):
    clone = checkout({"a": {"command": "acp --fail-at 15"}}, full_steps=20)
    worktree = clone.state / "worktrees" / "a"
    for damage in (
        lambda: shutil.rmtree(worktree),
        lambda: (worktree / "graphclust" / "__main__.py").unlink(),
        lambda: (worktree / ".git").unlink(),
        lambda: (
            (worktree / ".git").unlink(),
            (worktree / "graphclust" / "__main__.py").write_text("raise SystemExit(3)"),
        ),
        lambda: (worktree / "graphclust" / "__main__.py").write_text("raise SystemExit(3)"),
    ):
        assert "the gradient was not finite" in clone.do(code=1)
        assert (
            clone.git("status", "--porcelain") == ""
        )  # so a damaged worktree cannot be told by this checkout's changes
        damage()
    clone.write_rows({"a": {}}, full_steps=20)
    clone.do()
    assert clone.log("a") == curve(20)


# ---------------------------------------------------------------- the rows


def test_rows_that_make_no_sense(checkout):
    clone = checkout({"a": {}})
    path = clone.root / "training" / "queue.toml"
    row = '[[row]]\nname = "a"\npriority = 1\nsteps = 5\ncommand = "{}"\n'
    for text, words in (
        ("[[row", "cannot read"),
        ('[[row]]\nname = "a"', "command, priority is missing"),
        (row.format("graphclust detect x"), "does not start with graphclust train METHOD"),
        (row.format("graphclust train acp --out=x"), "has --out=x, which the queue sets"),
        (row.format("graphclust train acp") + "full_steps = 4\n", "0 < steps <= full_steps, not 5 and 4"),
        (row.format("graphclust train acp") + "reqires = []\n", "reqires is missing or unknown"),
        (row.format("graphclust train acp") + 'requires = ["a"]\n', "'FILE: TEXT', not 'a'"),
        (2 * row.format("graphclust train acp"), "two rows have the same name"),
    ):
        path.write_text(text)
        out = clone.do("status", 1)
        assert words in out
        assert len(out.splitlines()) == 1


def test_the_rows_of_this_repository():
    """Every published row of the table is there, under the name that `reproduce` looks for."""
    from graphclust.reproduce.acp_table2 import ROWS

    text = subprocess.run(
        [sys.executable, "-m", "training.queue", "status"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    names = list(table(text))
    published = [row.checkpoint for row in ROWS if row.ami is not None]
    assert names[:6] == published[:6]
    assert set(published) <= set(names)


# ---------------------------------------------------------------- compact states of the real trainer


@pytest.fixture
def compact(monkeypatch):
    monkeypatch.syspath_prepend(ROOT)
    return importlib.import_module("training.compact")


def train(folder, steps):
    from graphclust.models.build import ModelConfig
    from graphclust.training.clusterwise import train_clusterwise
    from graphclust.training.loops import LoopSettings, Machine
    from graphclust.training.synthetic import DataConfig

    model = ModelConfig(encoder="graphsage", dim=16, dim_z=16, n_layers=2, n_features=4)
    data = DataConfig(parameters={"n_nodes": (8, 14)}, batch_size=4, seed=2)
    settings = LoopSettings(steps=steps, learning_rate=1e-3, weight_decay=0.01)
    options = {"n_z": 2, "eval_graphs": 4, "log_every": 3, "machine": Machine(device="cpu"), "resume": True}
    return train_clusterwise(model, data, settings, folder / "a.safetensors", **options)


@pytest.fixture(scope="module")
def begun(tmp_path_factory):
    """A run of 6 steps."""
    folder = tmp_path_factory.mktemp("begun")
    train(folder, 6)
    return folder


@pytest.fixture(scope="module")
def continued(begun, tmp_path_factory):
    """The same run, gone on from its own state."""
    folder = tmp_path_factory.mktemp("continued") / "run"
    shutil.copytree(begun, folder)
    return folder, train(folder, 12)


def test_a_compact_state_is_small_and_nearly_the_same(compact, begun, tmp_path):
    state, out, log = begun / "a.safetensors.state", tmp_path / "small.safetensors", tmp_path / "log"
    compact.pack(state, out, begun / "a.log.jsonl", log, {"commit": "abc"})
    complete, small = load_file(state), load_file(out)
    assert complete.keys() == small.keys()
    size, small_size = (sum(value.nbytes for value in tensors.values()) for tensors in (complete, small))
    assert small_size < 0.51 * size
    for name, value in complete.items():
        kind = next((kind for kind in ("exp_avg_sq", "exp_avg", "model") if kind in name), "")
        tolerance = {"exp_avg_sq": 2**-5, "exp_avg": 2**-3, "model": 2**-11, "": 0}[kind]
        torch.testing.assert_close(
            small[name].to(value.dtype), value, rtol=tolerance, atol=1e-7 if kind == "model" else 0
        )
        if "running" in name or "step" in name:
            assert torch.equal(small[name], value)

    again, again_log = tmp_path / "again.state", tmp_path / "again.jsonl"
    compact.unpack(out, again, log, again_log)
    back = load_file(again)
    assert {name: value.dtype for name, value in back.items()} == {
        name: value.dtype for name, value in complete.items()
    }
    assert all(torch.equal(back[name], small[name].to(value.dtype)) for name, value in back.items())
    assert read_note(again)["log"] == {"window": read_note(state)["log"]["window"], "size": again_log.stat().st_size}
    first = (begun / "a.log.jsonl").read_text()
    assert again_log.read_text() == first + '{"step": 6, "resumed": "from a compact state"}\n'


@pytest.mark.parametrize(("source", "tolerance"), [("compact state", 0.01), ("finished model", 0.1)])
def test_the_trainer_goes_on_from_either(compact, begun, continued, tmp_path, source, tolerance):
    """The curve is nearly that of the run that went on from its own state."""
    log = begun / "a.log.jsonl"
    if source == "compact state":
        committed = tmp_path / "small.safetensors"
        compact.pack(begun / "a.safetensors.state", committed, log, tmp_path / "log", {})
    else:
        committed = begun / "a.safetensors"
    compact.unpack(committed, tmp_path / "a.safetensors.state", log, tmp_path / "a.log.jsonl")
    complete, exact = continued
    done = train(tmp_path, 12)
    assert done.step == exact.step == 12
    lines = [
        [json.loads(line) for line in (folder / "a.log.jsonl").read_text().splitlines()]
        for folder in (complete, tmp_path)
    ]
    assert [line["step"] for line in lines[1] if "resumed" not in line] == [line["step"] for line in lines[0]]
    assert [line["step"] for line in lines[1] if "resumed" in line] == [6]
    curves = [[line["elbo"] for line in log if "elbo" in line and line["step"] > 6] for log in lines]
    assert curves[1] == pytest.approx(curves[0], rel=tolerance)
    assert curves[1] != curves[0]
    assert done.held_out["elbo"] == pytest.approx(exact.held_out["elbo"], rel=tolerance)


# ---------------------------------------------------------------- the real trainer, killed


REAL = (
    "acp --family general-sbm --set 'n_nodes=(8, 14)' --encoder gated-gcn --dim 16 --layers 2 --n-features 4 --n-z 2 "
    "--seed 2 --device cpu"
)


@pytest.fixture
def real(checkout):
    """A checkout with the package itself, and one row."""
    options = "--save-every 5 --eval-every 40 --eval-graphs 5"
    clone = checkout({"a": {"command": REAL}}, steps=320, full_steps=640, options=options)
    shutil.rmtree(clone.root / "graphclust")
    for name in ("graphclust", "generators", "data"):
        ignored = shutil.ignore_patterns("__pycache__", "checkpoints", "generators", "data", "cache")
        shutil.copytree(ROOT / name, clone.root / name, ignore=ignored)
    for name in ("generators", "data"):
        (clone.root / "graphclust" / name).symlink_to(f"../{name}")
    clone.commit("the package")
    return clone


def wait_for_steps(clone, process, steps):
    """Wait until a training has done so many steps more, or the queue has ended."""
    begun = clone.logged("a")
    wait_for(lambda: process.poll() is not None or clone.logged("a") >= begun + steps, 600)


@pytest.mark.slow
def test_the_real_trainer_killed_at_twenty_random_moments(real, tmp_path):
    """Weights and curve equal those of a run that was never stopped; half of the kills come while it imports."""
    complete = tmp_path / "whole"
    complete.mkdir()
    options = [*shlex.split(f"{REAL} --batch-size 4 --eval-every 40 --eval-graphs 5"), "--steps", "640"]
    environment = os.environ | {"PYTHONPATH": str(real.root), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "graphclust", "train", *options, "--out", "a.safetensors"]
    subprocess.run(command, cwd=complete, env=environment, check=True, capture_output=True)

    rng, kills = random.Random(5), 0
    process = real.start()
    while kills < 20:
        if rng.random() < 0.5:
            time.sleep(rng.uniform(0, 5))
        else:
            wait_for_steps(real, process, rng.randint(1, 60))
        if process.poll() is not None:
            process.communicate()
            process = real.start()
            continue
        before = real.logged("a")
        victims = {"queue": [process.pid], "training": real.trainings(), "both": [process.pid, *real.trainings()]}
        for pid in victims[rng.choice(list(victims))]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
                kills += 1
        assert real.saved("a") >= before - 5
    process.kill()
    process.communicate(timeout=600)
    real.do(timeout=1800)
    first, second = load_file(complete / "a.safetensors"), load_file(real.root / "results" / "models" / "a.safetensors")
    assert all(torch.equal(value, second[name]) for name, value in first.items())
    times = ("seconds", "graphs_per_second")
    curves = [
        [
            {key: value for key, value in json.loads(line).items() if key not in times}
            for line in path.read_text().splitlines()
        ]
        for path in (complete / "a.log.jsonl", real.root / "results" / "models" / "a.log.jsonl")
    ]
    assert curves[0] == curves[1]
    assert len(curves[0]) == 640 // 20 + 640 // 40
    command = real.header("results/models/a.safetensors")["graphclust"]["command"]
    assert command.endswith("--steps 640 --out a.safetensors --resume")
    assert str(tmp_path) not in command
