"""Train the published models one after another, in the background: the queue behind `make train-queue`.

training/queue.toml lists the rows. A row is a `graphclust train` command; all rows are trained to their first goal in
the order of their priorities, then to their full number of steps in the same order. One training runs at a time, in one
thread, with the lowest priority of the machine, from a git worktree at the commit where it began. A finished row leaves
its weights (half precision) and its log in results/models/.

Everything else lies in .train-queue/, which git ignores: `lock`, held by the queue and by its training, and so free
exactly when both have died; `pid`, the queue's process group; `log`, what the queue said; worktrees/NAME; and runs/NAME
with the files of the training, its output, and run.json with its commit. Each of these is written whole or not at all,
so that the queue and the training may be killed at any moment.

Only the standard library is imported, and NumPy to pack or unpack a state: `status` answers at once, and a queue that
waits needs little memory.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from training.files import read_header, read_json, remove_partial, with_metadata, write
from training.processes import Lock, own_group
from training.rows import QueueError, Row, Table, read_table
from training.runs import Repository, Run
from training.status import show

__all__ = ["Queue", "main"]

CHECKOUT = Path(__file__).resolve().parent.parent
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"), "1")
GPU = Path("/dev/nvidia0")
NICENESS = 19
PATIENCE = 900.0  # seconds in which a training that is asked to end may finish its step and save
# By default glibc returns tensors of many MB to the system when they are freed, and a new one costs a page fault for
# each 4 KB. With freed memory kept, a step of GatedGCN takes three quarters of the time.
KEEP_MEMORY = {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": str(1 << 40)}
RESTARTS = 5  # of a training that signals end before it has saved
LAST_LINES = 5  # of the output of a failed training
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Queue:
    """The queue of a checkout.

    Parameters
    ----------
    root : Path
        Of the checkout.
    table : Path
        The file with the rows.
    folder : Path
        Of the state.
    niceness : int
        Of the queue and its training.
    """

    def __init__(self, root: Path, table: Path, folder: Path, niceness: int = NICENESS) -> None:
        self.repository = Repository(root)
        self.table_file, self.folder, self.niceness = table, folder, niceness
        self.lock = Lock(folder)
        self.failed: set[str] = set()
        self.stopped_by: signal.Signals | None = None
        self._training: subprocess.Popen[bytes] | None = None
        self._table: Table | None = None

    # ------------------------------------------------------------ which row

    def table(self) -> Table:
        """Read the rows, which may be edited at any time; where the file has become wrong, those read last."""
        try:
            self._table = read_table(self.table_file)
        except QueueError as error:
            if self._table is None:
                raise
            self.say(f"{error}: the rows stay as they were")
        return self._table

    def run(self, row: Row) -> Run:
        """Return where a row stands now."""
        return Run(row, self.repository, self.folder)

    def next_row(self) -> tuple[Row, int] | None:
        """Return the row to train, and its goal in steps; None where nothing is left."""
        runs = [self.run(row) for row in self.table().rows if row.name not in self.failed]
        goals = [(run, run.row.steps) for run in runs] + [(run, run.row.full_steps) for run in runs]
        return next(((run.row, goal) for run, goal in goals if run.finished < goal and not run.missing), None)

    def current(self) -> Row | None:
        """Return the row that is being trained; None where the queue does not run."""
        name = str(read_json(self.folder / "current.json").get("row"))
        rows = {row.name: row for row in self.table().rows}
        return rows.get(name) if self.lock.holders() else None

    # ------------------------------------------------------------ training

    def work(self) -> int:
        """Train rows until none is left; return the exit status.

        Raises
        ------
        QueueError
            Another queue runs, or there are no rows.
        """
        self._begin()
        try:
            self._tidy()
            while not self.is_stopping() and (item := self.next_row()) is not None:
                self._attempt(*item)
        finally:
            self.lock.withdraw()
        if self.stopped_by is not None:
            self.say(f"stopped by {self.stopped_by.name}; make train-queue goes on")
            return 128 + self.stopped_by
        for row in self.table().rows:
            if missing := self.run(row).missing:
                self.say(f"{row.name} was skipped: there is no {missing}")
        self.say(f"failed: {', '.join(sorted(self.failed))}" if self.failed else "nothing is left to train")
        return 1 if self.failed else 0

    def _begin(self) -> None:
        """Take the lock; a training that a killed queue left behind is ended first, and saves its state."""
        if not self.lock.take():
            if self.lock.queue() is not None:
                raise QueueError("the queue runs already: make train-queue-status shows it, train-queue-stop ends it")
            self.say("ending a training that was left by a queue that was killed")
            self.lock.end(self.lock.trainings(), PATIENCE)
            if not self.lock.take():
                pids = ", ".join(map(str, self.lock.holders())) or "unknown"
                raise QueueError(f"another queue or its training runs and does not end: pid {pids}")
        os.nice(max(self.niceness - os.nice(0), 0))
        if os.getsid(0) in (os.getpid(), os.getppid()):  # a session of its own, as by setsid
            # Linux shares the processors out among sessions, and heeds priorities only within one
            with contextlib.suppress(OSError):
                Path("/proc/self/autogroup").write_text(str(os.nice(0)), encoding="ascii")
        for number in SIGNALS:
            if signal.getsignal(number) is not signal.SIG_IGN:  # as nohup and background jobs have it
                signal.signal(number, self._stop)
        self.lock.announce()
        self.say(f"the queue begins, process group {os.getpgrp()}")

    def is_stopping(self) -> bool:
        """Whether a signal has asked the queue to end."""
        return self.stopped_by is not None

    def _stop(self, number: int, _: Any) -> None:
        """Let the training finish its step and save; called by signals."""
        self.stopped_by = signal.Signals(number)
        if self._training is not None and self._training.poll() is None:
            self._training.send_signal(signal.SIGTERM)

    def _attempt(self, row: Row, goal: int) -> None:
        """Train a row; what goes wrong is noted, and the row is left for the next start of the queue."""
        left = RESTARTS  # after signals, without a new state between them
        while not self.is_stopping():
            before = self.run(row).saved
            try:
                status = self._train(row, goal)
                if status == 0:
                    self._keep(self.run(row))
                    return
            except (QueueError, OSError, ValueError, KeyError) as error:  # the last two: a file that is none
                self._fail(row, str(error) if isinstance(error, QueueError) else repr(error))
                return
            if self.is_stopping():
                return
            number = _signal_of(status)
            left = RESTARTS if self.run(row).saved > before else left - 1
            if number is None or left < 0:
                self._fail(row, f"exit status {status}", self._last_lines(row))
                return
            self.say(f"{row.name} was ended by {number.name}; going on from its last state")

    def _train(self, row: Row, goal: int) -> int:
        """Run the training of a row; return its exit status, negative for a signal."""
        self._restore(row)
        run = self.run(row)
        run.folder.mkdir(parents=True, exist_ok=True)
        remove_partial(run.folder)
        commit = run.commit()
        run.note(commit=commit)
        self.repository.check_out(commit, run.worktree)
        write(self.folder / "current.json", json.dumps({"row": row.name}).encode())
        self.say(f"{row.name}: training from step {run.saved:,} to {goal:,} at commit {commit[:10]}")
        with run.output.open("wb") as output:
            self._training = subprocess.Popen(
                [sys.executable, "-m", *self._command(row, goal)],
                cwd=run.folder,
                env=self._environment(run),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                pass_fds=[self.lock.descriptor],
            )
        if self.is_stopping():  # the signal came before there was a training to pass it on to
            self._training.send_signal(signal.SIGTERM)
        try:
            return self._training.wait()
        finally:
            self._training = None

    @staticmethod
    def _environment(run: Run) -> dict[str, str]:
        """Return the environment of a training: the code of its worktree, one thread, data where they are."""
        changes = (
            ONE_THREAD
            | KEEP_MEMORY
            | {"PYTHONPATH": os.pathsep.join(filter(None, (str(run.worktree), os.environ.get("PYTHONPATH"))))}
        )
        if data := os.environ.get("GRAPHCLUST_DATA"):  # perhaps relative, and the training runs elsewhere
            changes["GRAPHCLUST_DATA"] = str(Path(data).resolve())
        return {**os.environ, **changes}

    def _command(self, row: Row, goal: int) -> list[str]:
        """Return the command line of a training; files are named without their folder, as the model's header has it."""
        table = self.table()
        options = [*table.options, *(table.gpu_options if GPU.exists() else ())]
        return [*row.command, *options, "--steps", str(goal), "--out", f"{row.name}.safetensors", "--resume"]

    def _fail(self, row: Row, reason: str, lines: Sequence[str] = ()) -> None:
        """Note that a row failed."""
        self.failed.add(row.name)
        run = self.run(row)
        run.note(**{**run.record, "failed": reason, "lines": list(lines)})
        for line in (f"{row.name} failed: {reason}", *(f"    {line}" for line in lines)):
            self.say(line)
        self.say(f"    it is tried again when the queue starts again; all that it printed: {run.output}")

    def _last_lines(self, row: Row) -> list[str]:
        with contextlib.suppress(OSError):
            return self.run(row).output.read_text(errors="replace").splitlines()[-LAST_LINES:]
        return []

    def _keep(self, run: Run) -> None:
        """Put weights and log of a row that reached its goal where git sees them."""
        note = {"name": run.row.name, "commit": run.record["commit"]}
        weights = with_metadata(run.weights.read_bytes(), "queue", note)
        write(run.committed_log, run.log.read_bytes())
        write(run.committed_weights, weights)  # last: it says that the row is finished
        run.committed_state.unlink(missing_ok=True)
        self.repository.remove_worktree(run.worktree)
        self.say(f"{run.row.name}: {run.saved:,} steps done; to keep it:")
        self.say(f"    {_commit_command(run.row, f'{run.row.name}: {run.saved:,} steps')}")

    def _tidy(self) -> None:
        """Remove what a queue that was killed would have removed."""
        for run in map(self.run, self.table().rows):
            if run.finished >= max(run.compact, 1):
                run.committed_state.unlink(missing_ok=True)
            if run.finished >= run.row.full_steps and run.worktree.exists():
                self.repository.remove_worktree(run.worktree)
            remove_partial(run.committed_weights.parent)

    # ------------------------------------------------------------ states in the repository

    def _restore(self, row: Row) -> None:
        """Make a state of what the repository has, where that is further than the state here."""
        run = self.run(row)
        if max(run.compact, run.finished) <= run.saved:
            return
        source = run.committed_state if run.compact > run.finished else run.committed_weights
        run.note(commit=read_header(source).get("queue", {}).get("commit"))  # before there is a state: it needs one
        from training.compact import unpack

        unpack(source, run.state, run.committed_log, run.log)
        self.say(f"{row.name}: going on from {source.name}, step {self.run(row).saved:,}")

    def checkpoint(self) -> int:
        """Write a compact state of each row whose progress the repository lacks; return the exit status."""
        runs = [run for run in map(self.run, self.table().rows) if run.saved > max(run.finished, run.compact)]
        if not runs:
            print("there is nothing that the repository does not have already")
            return 0
        from training.compact import pack

        for run in runs:
            row = run.row
            note = {"name": row.name, "commit": run.record["commit"]}
            pack(run.state, run.committed_state, run.log, run.committed_log, note)
            step = self.run(row).compact
            size = run.committed_state.stat().st_size / 1e6
            print(f"{row.compact_state}: step {step:,}, {size:.1f} MB; to keep it:")
            print(f"    {_commit_command(row, f'{row.name}: state at step {step:,}')}")
        return 0

    # ------------------------------------------------------------ to a queue that runs

    def pause(self) -> int:
        """Stop the queue and its training where they are; return the exit status."""
        return self._signal_groups(signal.SIGSTOP, "paused; make train-queue-continue goes on")

    def go_on(self) -> int:
        """Let a paused queue go on; return the exit status."""
        return self._signal_groups(signal.SIGCONT, "going on")

    def _signal_groups(self, number: signal.Signals, message: str) -> int:
        groups = self.lock.groups()
        for group in groups:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(group, number)
        print(message if groups else "no queue is running")
        return 0 if groups else 1

    def end(self) -> int:
        """End the queue after the step under way; return the exit status."""
        if not self.lock.holders():
            print("no queue is running")
            return 0
        for group in self.lock.groups():
            os.killpg(group, signal.SIGCONT)
        queue = self.lock.queue()
        if queue is not None:
            self.lock.end([queue], PATIENCE)
        self.lock.end(self.lock.trainings(), PATIENCE)
        print("stopped; make train-queue goes on")
        return 0

    # ------------------------------------------------------------ what is printed

    def say(self, text: str) -> None:
        """Print a line, and keep it in the log."""
        line = f"{time.strftime('%Y-%m-%d %H:%M:%S')} {text}"
        with contextlib.suppress(OSError):
            self.folder.mkdir(parents=True, exist_ok=True)
            with (self.folder / "log").open("a") as log:
                log.write(line + "\n")
        with contextlib.suppress(OSError):
            print(line, flush=True)

    def status(self) -> int:
        """Print a line a row; return the exit status."""
        rows, holders, current = self.table().rows, self.lock.holders(), self.current()
        print(show(map(self.run, rows), current.name if current else None))
        queue = self.lock.queue()
        if not holders:
            print("queue: not running")
        else:
            whose = f"process group {queue}" if queue else "the training alone: its queue was killed"
            print(f"queue: {'paused' if self.lock.is_paused() else 'running'}, {whose}")
        folders = sorted({row.folder for row in rows})
        if self.repository.git("status", "--porcelain", "--", *folders, check=False).stdout.strip():
            print(f"to be committed: git add --all {shlex.join(folders)}")
        return 0


def _signal_of(status: int) -> signal.Signals | None:
    """Return the signal that ended a training, or that it ended itself for (128 + number); None for another status."""
    with contextlib.suppress(ValueError):
        return signal.Signals(-status if status < 0 else status - 128)
    return None


def _commit_command(row: Row, message: str) -> str:
    folder = shlex.quote(row.folder)
    return f"git add --all {folder} && git commit -m {shlex.quote(message)} -- {folder}"


def _work(queue: Queue) -> int:
    with own_group():
        return queue.work()


ACTIONS: dict[str, Callable[[Queue], int]] = {
    "run": _work,
    "status": Queue.status,
    "checkpoint": Queue.checkpoint,
    "pause": Queue.pause,
    "continue": Queue.go_on,
    "stop": Queue.end,
}


def main(words: Sequence[str] | None = None) -> int:
    """Do what the command line says; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m training.queue", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("action", choices=list(ACTIONS))
    parser.add_argument("--table", type=Path, default=CHECKOUT / "training" / "queue.toml", help="the rows")
    parser.add_argument("--state", type=Path, default=CHECKOUT / ".train-queue", help="the folder of the state")
    parser.add_argument(
        "--nice", type=int, default=NICENESS, help=f"priority, 0 to 19 (the lowest, default {NICENESS})"
    )
    given = parser.parse_args(words)
    try:
        return ACTIONS[given.action](Queue(CHECKOUT, given.table, given.state.resolve(), given.nice))
    except BrokenPipeError:  # as in `make train-queue-status | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except QueueError as error:
        print(f"train-queue: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
