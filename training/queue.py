"""Train the published models one after another, in the background: the queue behind `make train-queue`.

training/queue.toml lists the rows. A row is a `graphclust train` command; all rows are trained to their first goal in
the order of their priorities, then to their full number of steps in the same order. One training runs at a time, in one
thread, with the lowest priority of the machine, from a git worktree at the commit where it began. A finished row leaves
its weights (half precision) and its log in results/models/.

Everything else lies in .train-queue/, which git ignores: `lock`, held by the queue and by its training, and so free
exactly when both have died; `pid`, the queue's process group; `log`; worktrees/NAME; and runs/NAME with the files of
the training, its output, and run.json with its commit. Each of these is written whole or not at all, so that the queue
and the training may be killed at any moment.

Only the standard library is imported: `status` answers at once, and a waiting queue needs little memory.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"), "1")
NICENESS = 19
PATIENCE = 300.0  # seconds in which a training left by a killed queue may finish its step and save
LAST_LINES = 5  # of the output of a failed training
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class QueueError(Exception):
    """What the queue cannot do, and the way out, in a sentence."""


# ---------------------------------------------------------------- rows


@dataclass(frozen=True)
class Row:
    """A model to train.

    Attributes
    ----------
    name : str
        Also that of its files.
    command : tuple of str
        `graphclust train METHOD ...` without the options that the queue adds.
    priority : int
        Lower runs first.
    steps, full_steps : int
        The first goal, and the published number.
    weights, log : str
        Where they go when a goal is reached, relative to the root of the checkout.
    requires : tuple of (str, str)
        A file of the commit to train from, and a text that must occur in it: without it the row is skipped.
    commit : str or None
        Train from this commit, whatever the one where the run began.
    """

    name: str
    command: tuple[str, ...]
    priority: int
    steps: int
    full_steps: int
    weights: str
    log: str
    requires: tuple[tuple[str, str], ...] = ()
    commit: str | None = None

    @property
    def compact_state(self) -> str:
        """Where a state to go on from in another clone is kept."""
        return str(Path(self.weights).with_suffix(".state.safetensors"))


RESERVED = ("--out", "-o", "--log", "--resume", "--steps", "--start", "--minutes", "--benchmark", "--processes")


def read_rows(path: Path) -> tuple[list[Row], dict[str, Any]]:
    """Read the rows, in the order of their priorities, and the settings of all.

    Raises
    ------
    QueueError
        The file is none, or a row is incomplete.
    """
    try:
        content = tomllib.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise QueueError(f"cannot read {path}: {error}") from None
    settings = content.get("settings", {})
    rows = [_row(values, settings, path) for values in content.get("row", [])]
    if len({row.name for row in rows}) < len(rows):
        raise QueueError(f"{path}: two rows have the same name")
    return sorted(rows, key=lambda row: row.priority), settings


def _row(values: dict[str, Any], settings: dict[str, Any], path: Path) -> Row:
    known = {"name", "command", "priority", "steps", "full_steps", "weights", "log", "requires", "commit"}
    if values.keys() - known or {"name", "command", "priority"} - values.keys():
        raise QueueError(f"{path}: a row has name, command and priority, and perhaps {', '.join(sorted(known))}")
    name, command = values["name"], tuple(shlex.split(values["command"]))
    if command[:2] != ("graphclust", "train") or len(command) < 3:
        raise QueueError(f"{path}: the command of {name} does not begin with graphclust train METHOD")
    if taken := [word for word in command if word.partition("=")[0] in RESERVED]:
        raise QueueError(f"{path}: the command of {name} has {taken[0]}, which the queue sets")
    folder = settings.get("folder", "results/models")
    first = int(values.get("steps", settings.get("steps", 0)))
    full = int(values.get("full_steps", settings.get("full_steps", first)))
    if not 0 < first <= full:
        raise QueueError(f"{path}: {name} needs 0 < steps <= full_steps, not {first} and {full}")
    return Row(
        name=name,
        command=command,
        priority=int(values["priority"]),
        steps=first,
        full_steps=full,
        weights=values.get("weights", f"{folder}/{name}.safetensors"),
        log=values.get("log", f"{folder}/{name}.log.jsonl"),
        requires=tuple(_requirement(text, path) for text in values.get("requires", ())),
        commit=values.get("commit"),
    )


def _requirement(text: str, path: Path) -> tuple[str, str]:
    file, colon, needle = text.partition(": ")
    if not colon or not needle:
        raise QueueError(f"{path}: a requirement is 'FILE: TEXT', not {text!r}")
    return file, needle


# ---------------------------------------------------------------- files


def write(path: Path, content: bytes) -> None:
    """Write a file whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    beside.write_bytes(content)
    os.replace(beside, path)


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object; empty where there is none."""
    try:
        return dict(json.loads(path.read_text()))
    except (OSError, ValueError, TypeError):
        return {}


def read_header(path: Path) -> dict[str, Any]:
    """Read the metadata of a safetensors file, its JSON values decoded; empty where there is no such file.

    The file begins with the length of its header, 8 bytes, little-endian; the header is JSON.
    """
    try:
        with path.open("rb") as file:
            header = json.loads(file.read(min(int.from_bytes(file.read(8), "little"), 1 << 24)))
        return {key: json.loads(value) for key, value in header["__metadata__"].items()}
    except (OSError, ValueError, KeyError, AttributeError, TypeError):
        return {}


def with_metadata(content: bytes, key: str, value: Any) -> bytes:
    """Return a safetensors file with one more entry in its metadata."""
    end = 8 + int.from_bytes(content[:8], "little")
    header = json.loads(content[8:end])
    header.setdefault("__metadata__", {})[key] = json.dumps(value)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)  # tensors are aligned to 8 bytes
    return len(text).to_bytes(8, "little") + text + content[end:]


def read_log(path: Path) -> list[dict[str, Any]]:
    """Return the whole lines of a training's log."""
    lines = []
    try:
        text = path.read_text()
    except OSError:
        return []
    for line in text.splitlines():
        with contextlib.suppress(ValueError):
            lines.append(json.loads(line))
    return lines


# ---------------------------------------------------------------- processes


def holders(lock: Path) -> dict[int, int]:
    """Return the processes that have the lock open, and so belong to this queue: pid -> pid of the parent.

    Empty where the system does not tell (it has no /proc).
    """
    try:
        wanted = lock.stat()
    except OSError:
        return {}
    processes = {}
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError, ValueError, IndexError):
            opened = (descriptor.stat() for descriptor in (entry / "fd").iterdir())
            if any((file.st_dev, file.st_ino) == (wanted.st_dev, wanted.st_ino) for file in opened):
                processes[int(entry.name)] = int(process_fields(int(entry.name))[1])
    return processes


def process_fields(pid: int) -> list[str]:
    """Return state, parent, process group, ... of a process, as /proc tells them."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def lead_own_group() -> None:
    """Become the leader of a process group, and take the terminal along, so that Ctrl-C arrives here."""
    with contextlib.suppress(OSError):
        in_front = sys.stdin.isatty() and os.tcgetpgrp(sys.stdin.fileno()) == os.getpgrp()
        os.setpgid(0, 0)
        if in_front:
            before = signal.signal(signal.SIGTTOU, signal.SIG_IGN)
            os.tcsetpgrp(sys.stdin.fileno(), os.getpgrp())
            signal.signal(signal.SIGTTOU, before)


# ---------------------------------------------------------------- the queue


@dataclass
class Queue:
    """The rows of a checkout, and where each of them stands.

    Attributes
    ----------
    root : Path
        Of the checkout.
    table : Path
        The file with the rows.
    state : Path
        The ignored folder.
    """

    root: Path
    table: Path
    state: Path
    stopped_by: signal.Signals | None = None
    training: subprocess.Popen[bytes] | None = None
    lock: int = -1
    failed: set[str] = field(default_factory=set)
    known_rows: list[Row] = field(default_factory=list)
    settings: dict[str, Any] = field(default_factory=dict)

    # ------------------------------------------------------------ where things are

    def run_folder(self, row: Row) -> Path:
        """Return the folder of a row's training."""
        return self.state / "runs" / row.name

    def run_weights(self, row: Row) -> Path:
        """Return where the training writes its model."""
        return self.run_folder(row) / f"{row.name}.safetensors"

    def run_state(self, row: Row) -> Path:
        """Return the state from which the training goes on."""
        return self.run_folder(row) / f"{row.name}.safetensors.state"

    def run_log(self, row: Row) -> Path:
        """Return the log of the training."""
        return self.run_folder(row) / f"{row.name}.log.jsonl"

    def run_record(self, row: Row) -> Path:
        """Return what the queue knows of the training: its commit, and why it failed."""
        return self.run_folder(row) / "run.json"

    def worktree(self, row: Row) -> Path:
        """Return where the code of the training lies."""
        return self.state / "worktrees" / row.name

    @property
    def lock_file(self) -> Path:
        """The file that the queue and its training hold."""
        return self.state / "lock"

    # ------------------------------------------------------------ how far things are

    def saved_steps(self, row: Row) -> int:
        """Return the steps of the state here, 0 where there is none."""
        return int(read_header(self.run_state(row)).get("state", {}).get("step", 0))

    def compact_steps(self, row: Row) -> int:
        """Return the steps of the committed compact state."""
        return int(read_header(self.root / row.compact_state).get("state", {}).get("step", 0))

    def finished_steps(self, row: Row) -> int:
        """Return the steps of the committed weights."""
        return int(read_header(self.root / row.weights).get("graphclust", {}).get("steps", 0))

    def rows(self) -> list[Row]:
        """Read the rows, which may be edited at any time; those last read where the file has become wrong."""
        try:
            self.known_rows, self.settings = read_rows(self.table)
        except QueueError as error:
            if not self.known_rows:
                raise
            self.say(f"{error}: the rows stay as they were")
        return self.known_rows

    def current(self) -> Row | None:
        """Return the row under way, or the one that would be."""
        rows = {row.name: row for row in self.rows()}
        name = read_json(self.state / "current.json").get("row")
        if name in rows and self.others():
            return rows[name]
        item = self.next_row()
        return item[0] if item else None

    def next_row(self) -> tuple[Row, int] | None:
        """Return the row to train, and its goal in steps."""
        rows = self.rows()
        for goals in ([row.steps for row in rows], [row.full_steps for row in rows]):
            for row, goal in zip(rows, goals, strict=True):
                if row.name not in self.failed and self.finished_steps(row) < goal and not self.missing(row):
                    return row, goal
        return None

    def missing(self, row: Row) -> str:
        """Say what the code lacks for a row that has not begun; empty where it lacks nothing."""
        if self.saved_steps(row) or self.compact_steps(row) or self.finished_steps(row):
            return ""
        commit = row.commit or "HEAD"
        for file, text in row.requires:
            if self.git("grep", "--quiet", "--fixed-strings", "-e", text, commit, "--", file, check=False).returncode:
                return f"{text} in {file}"
        return ""

    # ------------------------------------------------------------ git

    def git(self, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run git in the checkout."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
        done = subprocess.run(
            ["git", "-C", str(self.root), *words], capture_output=True, text=True, env=environment, check=False
        )
        if check and done.returncode:
            raise QueueError(f"git {words[0]} failed: {done.stderr.strip() or done.stdout.strip()}")
        return done

    def commit_of(self, row: Row) -> str:
        """Return the commit to train a row from: the one where its run began.

        Raises
        ------
        QueueError
            This clone does not have that commit.
        """
        recorded = row.commit or read_json(self.run_record(row)).get("commit")
        if recorded:
            known = self.git("rev-parse", "--verify", "--quiet", f"{recorded}^{{commit}}", check=False)
            if not known.returncode:
                return known.stdout.strip()
            if row.commit or self.saved_steps(row):
                raise QueueError(
                    f"it began at commit {recorded}, which this clone lacks: fetch that commit, or name another with "
                    f'commit = "..." in {self.table.name}, or remove {self.run_folder(row)} to start over'
                )
        return self.git("rev-parse", "HEAD").stdout.strip()

    def check_out(self, row: Row, commit: str) -> Path:
        """Make the row's worktree, unless it is there and whole."""
        path = self.worktree(row)
        if path.exists():
            head = self.git("-C", str(path), "rev-parse", "HEAD", check=False).stdout.strip()
            changes = self.git("-C", str(path), "status", "--porcelain", check=False)
            if head == commit and not changes.returncode and not changes.stdout.strip():
                return path
        self.remove_worktree(row)
        path.parent.mkdir(parents=True, exist_ok=True)
        self.git("worktree", "add", "--force", "--detach", str(path), commit)
        return path

    def remove_worktree(self, row: Row) -> None:
        """Remove the row's worktree, if it is there."""
        path = self.worktree(row)
        self.git("worktree", "remove", "--force", "--force", str(path), check=False)
        shutil.rmtree(path, ignore_errors=True)
        self.git("worktree", "prune", check=False)

    # ------------------------------------------------------------ training

    def work(self) -> int:
        """Train rows until there are none left; return the exit status."""
        self.acquire()
        os.nice(NICENESS)
        for number in SIGNALS:
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, self.stop)
        write(self.state / "pid", f"{os.getpgrp()}\n".encode())
        self.say(f"the queue begins, process group {os.getpgrp()}")
        try:
            self.tidy()
            while self.stopped_by is None and (item := self.next_row()) is not None:
                self.attempt(*item)
        finally:
            (self.state / "pid").unlink(missing_ok=True)
        if self.stopped_by is not None:
            self.say(f"stopped by {self.stopped_by.name}; make train-queue goes on")
            return 128 + self.stopped_by
        for row in self.rows():
            if what := self.missing(row):
                self.say(f"{row.name} was skipped: there is no {what}")
        self.say(f"{len(self.failed)} failed: {', '.join(sorted(self.failed))}" if self.failed else "nothing is left")
        return 1 if self.failed else 0

    def stop(self, number: int, _: Any = None) -> None:
        """Let the training finish its step and save; called by signals."""
        self.stopped_by = signal.Signals(number)
        if self.training is not None and self.training.poll() is None:
            self.training.send_signal(signal.SIGTERM)

    def attempt(self, row: Row, goal: int) -> None:
        """Train a row; what goes wrong is noted, and the row is left for the next start of the queue."""
        while self.stopped_by is None:
            before = self.saved_steps(row)
            try:
                status = self.train(row, goal)
                if status == 0:
                    self.keep(row)
                    return
            except (QueueError, OSError) as error:
                self.fail(row, str(error))
                return
            if self.stopped_by is not None:
                return
            if status > 0 or self.saved_steps(row) <= before:
                self.fail(row, f"exit status {status}", self.last_lines(row))
                return
            self.say(f"{row.name} was ended by {signal.Signals(-status).name}; going on from its last state")

    def train(self, row: Row, goal: int) -> int:
        """Run the training of a row; return its exit status, negative for a signal."""
        folder = self.run_folder(row)
        folder.mkdir(parents=True, exist_ok=True)
        for path in folder.glob(".*.tmp"):  # of savings that were killed
            path.unlink(missing_ok=True)
        self.restore(row)
        commit = self.commit_of(row)
        write(self.run_record(row), json.dumps({"commit": commit, "goal": goal}).encode())
        code = self.check_out(row, commit)
        options = [*shlex.split(self.settings.get("options", "")), *self.gpu_options()]
        command = [*row.command[1:], *options, "--steps", str(goal), "--out", self.run_weights(row).name, "--resume"]
        path = os.pathsep.join(filter(None, (str(code), os.environ.get("PYTHONPATH"))))
        write(self.state / "current.json", json.dumps({"row": row.name}).encode())
        self.say(f"{row.name}: training from step {self.saved_steps(row):,} to {goal:,} at commit {commit[:10]}")
        with (folder / "output.log").open("wb") as output:
            self.training = subprocess.Popen(
                [sys.executable, "-m", "graphclust", *command],
                cwd=folder,
                env=os.environ | ONE_THREAD | {"PYTHONPATH": path},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                pass_fds=[self.lock],
            )
        if self.stopped_by is not None:  # the signal came before there was a training to pass it to
            self.training.send_signal(signal.SIGTERM)
        try:
            return self.training.wait()
        finally:
            self.training = None

    def gpu_options(self) -> list[str]:
        """Return the options for a machine with a GPU, where this is one."""
        return shlex.split(self.settings.get("gpu_options", "")) if Path("/dev/nvidia0").exists() else []

    def fail(self, row: Row, reason: str, lines: Sequence[str] = ()) -> None:
        """Note that a row failed."""
        self.failed.add(row.name)
        record = read_json(self.run_record(row)) | {"failed": reason, "lines": list(lines)}
        write(self.run_record(row), json.dumps(record, indent=1).encode())
        self.say(f"{row.name} failed: {reason}")
        for line in lines:
            self.say(f"    {line}")
        self.say("    it is tried again when the queue starts again")

    def last_lines(self, row: Row) -> list[str]:
        """Return the end of the output of a training."""
        try:
            return (self.run_folder(row) / "output.log").read_text(errors="replace").splitlines()[-LAST_LINES:]
        except OSError:
            return []

    def keep(self, row: Row) -> None:
        """Put weights and log of a row that reached its goal where git sees them."""
        record = read_json(self.run_record(row))
        weights = with_metadata(
            self.run_weights(row).read_bytes(), "queue", {"name": row.name, "commit": record["commit"]}
        )
        write(self.root / row.log, self.run_log(row).read_bytes())
        write(self.root / row.weights, weights)  # last: it says that the row is finished
        (self.root / row.compact_state).unlink(missing_ok=True)
        self.remove_worktree(row)
        steps = self.finished_steps(row)
        self.say(f"{row.name}: {steps:,} steps done; to keep it:")
        self.say(f"    {commit_command(row, f'{row.name}: {steps:,} steps')}")

    def tidy(self) -> None:
        """Remove what the queue would have removed if it had not been killed."""
        for row in self.rows():
            if self.finished_steps(row) >= max(self.compact_steps(row), 1):
                (self.root / row.compact_state).unlink(missing_ok=True)
            if self.finished_steps(row) >= row.full_steps and self.worktree(row).exists():
                self.remove_worktree(row)

    # ------------------------------------------------------------ states in the repository

    def restore(self, row: Row) -> None:
        """Make a state of what the repository has, where that is further than the state here."""
        here, compact, weights = self.saved_steps(row), self.compact_steps(row), self.finished_steps(row)
        if max(compact, weights) <= here:
            return
        source = self.root / (row.compact_state if compact > weights else row.weights)
        commit = read_header(source).get("queue", {}).get("commit")
        write(self.run_record(row), json.dumps({"commit": commit}).encode())
        words = ["unpack", str(source), str(self.run_state(row)), str(self.root / row.log), str(self.run_log(row))]
        self.convert(words)
        self.say(f"{row.name}: going on from {source.relative_to(self.root)}, step {self.saved_steps(row):,}")

    def checkpoint(self) -> int:
        """Write a compact state of the row under way, to be committed; return the exit status."""
        row = self.current()
        if row is None or self.saved_steps(row) <= max(self.finished_steps(row), self.compact_steps(row)):
            print("nothing has been trained since the last compact state or finished row")
            return 0
        extra = json.dumps({"name": row.name, "commit": read_json(self.run_record(row))["commit"]})
        target = self.root / row.compact_state
        self.convert(
            ["pack", str(self.run_state(row)), str(target), str(self.run_log(row)), str(self.root / row.log), extra]
        )
        step = self.compact_steps(row)
        size = target.stat().st_size / 1e6
        print(f"{row.compact_state}: step {step:,}, {size:.1f} MB; to keep it:")
        print(f"    {commit_command(row, f'{row.name}: state at step {step:,}')}")
        return 0

    @staticmethod
    def convert(words: list[str]) -> None:
        """Run compact.py, which needs torch, in a process of its own."""
        done = subprocess.run(
            [sys.executable, "-P", str(HERE / "compact.py"), *words],
            capture_output=True,
            text=True,
            env=os.environ | ONE_THREAD,
            check=False,
        )
        if done.returncode:
            raise QueueError(f"the state cannot be converted: {(done.stderr.splitlines() or ['?'])[-1]}")

    # ------------------------------------------------------------ one queue at a time

    def acquire(self) -> None:
        """Take the lock; a training that a killed queue left behind is stopped first, and saves.

        Raises
        ------
        QueueError
            Another queue runs.
        """
        self.state.mkdir(parents=True, exist_ok=True)
        self.lock = os.open(self.lock_file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        if self.try_lock():
            return
        if self.leader() is not None:
            raise QueueError("the queue runs already: make train-queue-status shows it, make train-queue-stop ends it")
        self.say("stopping a training that was left by a queue that was killed")
        self.end(self.trainings())
        if not self.try_lock():
            raise QueueError(f"a training still runs and does not end: pid {self.trainings() or 'unknown'}")

    def try_lock(self) -> bool:
        """Take the lock if it is free."""
        try:
            fcntl.flock(self.lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def others(self) -> dict[int, int]:
        """Return the processes of the queue but for this one."""
        return {pid: parent for pid, parent in holders(self.lock_file).items() if pid != os.getpid()}

    def leader(self) -> int | None:
        """Return the pid of the queue that runs, if one does."""
        try:
            pid = int((self.state / "pid").read_text())
        except (OSError, ValueError):
            return None
        return pid if pid in self.others() else None

    def trainings(self) -> list[int]:
        """Return the trainings that run, without the processes that make their batches."""
        others, leader = self.others(), self.leader()
        return [pid for pid, parent in others.items() if pid != leader and (parent == leader or parent not in others)]

    def end(self, pids: Iterable[int], patience: float = PATIENCE) -> None:
        """Ask processes to end, wake them if they are paused, and kill them after a while."""
        for number, seconds in ((signal.SIGTERM, patience), (signal.SIGKILL, 10.0)):
            for pid in pids:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, number)
                    os.kill(pid, signal.SIGCONT)
            deadline = time.monotonic() + seconds
            while self.others().keys() & set(pids) and time.monotonic() < deadline:
                time.sleep(0.1)

    def signal_group(self, number: signal.Signals) -> int:
        """Send a signal to the queue and its training; return the exit status."""
        others = self.others()
        groups = {int(process_fields(pid)[2]) for pid in others}
        if not groups:
            print("no queue is running")
            return 1
        for group in groups:
            os.killpg(group, number)
        print({signal.SIGSTOP: "paused; make train-queue-continue goes on", signal.SIGCONT: "going on"}[number])
        return 0

    def quit(self) -> int:
        """End the queue that runs after the step under way; return the exit status."""
        leader = self.leader()
        pids = self.trainings() if leader is None else [leader]
        if not pids:
            print("no queue is running")
            return 0
        for pid in self.trainings():
            os.kill(pid, signal.SIGCONT)
        self.end(pids)
        self.end(self.trainings())
        print("stopped; make train-queue goes on")
        return 0

    # ------------------------------------------------------------ what is printed

    def say(self, text: str) -> None:
        """Print a line, and keep it in the log."""
        line = f"{time.strftime('%Y-%m-%d %H:%M:%S')} {text}"
        with (self.state / "log").open("a") as log:
            log.write(line + "\n")
        with contextlib.suppress(OSError):
            print(line, flush=True)

    def activity(self) -> str:
        """Say whether the queue works."""
        others = self.others()
        if not others:
            return "not running"
        states = set()
        for pid in others:
            with contextlib.suppress(OSError):
                states.add(process_fields(pid)[0])
        leader = self.leader()
        group = f"process group {leader}" if leader else "without its queue, which was killed"
        return f"{'paused' if states == {'T'} else 'running'}, {group}"

    def status(self) -> int:
        """Print a line a row; return the exit status."""
        activity = self.activity()
        under_way = self.current() if activity != "not running" else None
        lines = [("row", "steps", "of", "graphs/s", "ELBO", "AMI", "time left", "")]
        lines += [self.line(row, row == under_way) for row in self.rows()]
        widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
        for line in lines:
            cells = [
                line[0].ljust(widths[0]),
                *(cell.rjust(n) for cell, n in zip(line[1:-1], widths[1:-1], strict=True)),
            ]
            print("  ".join([*cells, line[-1]]).rstrip())
        print(f"queue: {activity}")
        if self.git("status", "--porcelain", "--", "results/models", check=False).stdout.strip():
            print("results/models has files to commit")
        return 0

    def line(self, row: Row, under_way: bool) -> tuple[str, ...]:
        """Return the cells of a row."""
        saved, compact, finished = self.saved_steps(row), self.compact_steps(row), self.finished_steps(row)
        local = saved >= max(compact, finished) and self.run_log(row).exists()
        log = read_log(self.run_log(row) if local else self.root / row.log)
        seen = [line["step"] for line in log if "elbo" in line]
        done = max(saved, compact, finished, *(seen[-1:] if local else ()))
        goal = row.steps if finished < row.steps else row.full_steps
        speed = next((line["graphs_per_second"] for line in reversed(log) if "graphs_per_second" in line), None)
        scores: dict[str, float] = next((line["held_out"] for line in reversed(log) if line.get("held_out")), {})
        batch = self.batch_size(row)
        left = (goal - done) * batch / speed if speed and batch and done < goal else None
        return (
            row.name,
            f"{done:,}",
            f"{goal:,}",
            f"{speed:.1f}" if speed else "-",
            f"{scores['elbo']:.2f}" if "elbo" in scores else "-",
            f"{scores['ami']:.4f}" if "ami" in scores else "-",
            duration(left) if left is not None else "-",
            self.verdict(row, finished, under_way),
        )

    def verdict(self, row: Row, finished: int, under_way: bool) -> str:
        """Say in words where a row stands."""
        if finished >= row.full_steps:
            return "finished"
        if under_way:
            return "training"
        if what := self.missing(row):
            return f"skipped: there is no {what}"
        if reason := read_json(self.run_record(row)).get("failed"):
            return f"failed: {reason}"
        if finished >= row.steps:
            return f"first goal of {row.steps:,} reached"
        return "begun" if self.saved_steps(row) or self.compact_steps(row) else "waiting"

    def batch_size(self, row: Row) -> int | None:
        """Return the graphs of a step."""
        words = [part for word in row.command for part in word.split("=", 1)]
        return int(words[words.index("--batch-size") + 1]) if "--batch-size" in words else None


def commit_command(row: Row, message: str) -> str:
    """Return the command that commits the files of a row."""
    folder = str(Path(row.weights).parent)
    return f"git add --all {shlex.quote(folder)} && git commit -m {shlex.quote(message)} -- {shlex.quote(folder)}"


def duration(seconds: float) -> str:
    """Return a duration in words.

    Examples
    --------
    >>> duration(3700), duration(90)
    ('1 h 2 min', '2 min')
    """
    minutes = -(-int(seconds) // 60)
    hours, rest = divmod(minutes, 60)
    return f"{hours:,} h {rest} min" if hours else f"{rest} min"


def arguments(words: Sequence[str] | None) -> tuple[str, Queue]:
    """Return the action, and the queue to do it with."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("action", choices=list(ACTIONS))
    parser.add_argument("--root", type=Path, default=HERE.parent, help="the checkout; by default this one")
    parser.add_argument("--table", type=Path, help="the rows; by default training/queue.toml of the checkout")
    parser.add_argument("--state", type=Path, help="the folder of the state; by default .train-queue of the checkout")
    given = parser.parse_args(words)
    root = given.root.resolve()
    table, state = given.table or root / "training" / "queue.toml", given.state or root / ".train-queue"
    return given.action, Queue(root, table, state.resolve())


def _run(queue: Queue) -> int:
    lead_own_group()
    return queue.work()


ACTIONS: dict[str, Callable[[Queue], int]] = {
    "run": _run,
    "status": Queue.status,
    "checkpoint": Queue.checkpoint,
    "pause": lambda queue: queue.signal_group(signal.SIGSTOP),
    "continue": lambda queue: queue.signal_group(signal.SIGCONT),
    "stop": Queue.quit,
}


def main(words: Sequence[str] | None = None) -> int:
    """Do what the command line says; return the exit status."""
    action, queue = arguments(words)
    try:
        return ACTIONS[action](queue)
    except QueueError as error:
        print(f"train-queue: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
