"""Train the published models one after another, in the background: the queue behind `make train-queue`.

training/queue.toml lists the rows. A row is a `graphclust train` command. All rows are trained to their first goal in
the order of their priorities, and then to their full number of steps in the same order. One training runs at a time, in
one thread, with the lowest priority, from a git worktree at the commit at which it started. The weights (in half
precision) and the log of a finished row are written to results/models/.

Everything else is in .train-queue/, which git ignores: `lock`, which the queue and its training hold, so that it is
free only when both have ended; `pid`, the process group of the queue; `log`, the output of the queue; worktrees/NAME;
and runs/NAME with the files of the training, its output, and run.json with its commit. Files are written atomically, so
that the queue and the training may be killed at any time.

The queue imports only the standard library, and NumPy to pack or unpack a state, so that `status` is fast and a waiting
queue needs little memory.
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
PATIENCE = 900.0  # seconds in which a training can finish its step and save, before it is killed
# By default, glibc returns freed tensors of many MB to the system, and a new tensor causes a page fault for each 4 KB.
# If freed memory is reused instead, a step of GatedGCN takes three quarters of the time.
KEEP_MEMORY = {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": str(1 << 40)}
RESTARTS = 5  # of a training that is ended by signals before it has saved
LAST_LINES = 5  # of the output of a failed training that are reported
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Queue:
    """The queue of a checkout.

    Parameters
    ----------
    root : Path
        Root of the checkout.
    table : Path
        The file with the rows.
    folder : Path
        Folder of the state.
    niceness : int
        Niceness of the queue and its training.
    """

    def __init__(self, root: Path, table: Path, folder: Path, niceness: int = NICENESS) -> None:
        self.repository = Repository(root)
        self.table_file, self.folder, self.niceness = table, folder, niceness
        self.lock = Lock(folder)
        self.failed: set[str] = set()
        self.stopped_by: signal.Signals | None = None
        self._training: subprocess.Popen[bytes] | None = None
        self._table: Table | None = None

    # ------------------------------------------------------------ rows

    def table(self) -> Table:
        """Read the rows, which may be edited at any time; if the file is invalid, return the last valid rows."""
        try:
            self._table = read_table(self.table_file)
        except QueueError as error:
            if self._table is None:
                raise
            self.say(f"{error}: using the previous rows")
        return self._table

    def run(self, row: Row) -> Run:
        """Return the current progress of a row."""
        return Run(row, self.repository, self.folder)

    def next_row(self) -> tuple[Row, int] | None:
        """Return the row to train and its goal in steps; None if nothing is left to train."""
        runs = [self.run(row) for row in self.table().rows if row.name not in self.failed]
        goals = [(run, run.row.steps) for run in runs] + [(run, run.row.full_steps) for run in runs]
        return next(((run.row, goal) for run, goal in goals if run.finished < goal and not run.missing), None)

    def current(self) -> Row | None:
        """Return the row that is being trained; None if the queue is not running."""
        name = str(read_json(self.folder / "current.json").get("row"))
        rows = {row.name: row for row in self.table().rows}
        return rows.get(name) if self.lock.holders() else None

    # ------------------------------------------------------------ training

    def work(self) -> int:
        """Train rows until none is left; return the exit status.

        Raises
        ------
        QueueError
            Another queue is running, or there are no rows.
        """
        self._start()
        try:
            self._tidy()
            while not self.is_stopping() and (row_and_goal := self.next_row()) is not None:
                self._attempt(*row_and_goal)
        finally:
            self.lock.withdraw()
        if self.stopped_by is not None:
            self.say(f"stopped by {self.stopped_by.name}; make train-queue resumes it")
            return 128 + self.stopped_by
        for row in self.table().rows:
            if missing := self.run(row).missing:
                self.say(f"{row.name} was skipped: {missing} is missing")
        self.say(f"failed: {', '.join(sorted(self.failed))}" if self.failed else "nothing is left to train")
        return 1 if self.failed else 0

    def _start(self) -> None:
        """Take the lock; the training of a killed queue is ended first, and saves its state."""
        if not self.lock.take():
            if self.lock.queue() is not None:
                raise QueueError(
                    "the queue is already running: see make train-queue-status, or end it by train-queue-stop"
                )
            self.say("ending the training of a queue that was killed")
            self.lock.end(self.lock.trainings(), PATIENCE)
            if not self.lock.take():
                pids = ", ".join(map(str, self.lock.holders())) or "unknown"
                raise QueueError(f"another queue or its training is running and does not end: pid {pids}")
        os.nice(max(self.niceness - os.nice(0), 0))
        if os.getsid(0) in (os.getpid(), os.getppid()):  # it leads a session, as after setsid
            # Linux shares the processors between sessions, and applies priorities only within a session
            with contextlib.suppress(OSError):
                Path("/proc/self/autogroup").write_text(str(os.nice(0)), encoding="ascii")
        for number in SIGNALS:
            if signal.getsignal(number) is not signal.SIG_IGN:  # nohup and background jobs ignore signals
                signal.signal(number, self._stop)
        self.lock.announce()
        self.say(f"the queue starts, process group {os.getpgrp()}")

    def is_stopping(self) -> bool:
        """Whether a signal has asked the queue to end."""
        return self.stopped_by is not None

    def _stop(self, number: int, _: Any) -> None:
        """Handle a signal: let the training finish its step and save."""
        self.stopped_by = signal.Signals(number)
        if self._training is not None and self._training.poll() is None:
            self._training.send_signal(signal.SIGTERM)

    def _attempt(self, row: Row, goal: int) -> None:
        """Train a row; errors are recorded, and the row is retried when the queue is started again."""
        restarts_left = RESTARTS  # after signals, without a new state in between
        while not self.is_stopping():
            before = self.run(row).saved
            try:
                status = self._train(row, goal)
                if status == 0:
                    self._keep(self.run(row))
                    return
            except (QueueError, OSError, ValueError, KeyError) as error:  # the last two: a file is malformed
                self._fail(row, str(error) if isinstance(error, QueueError) else repr(error))
                return
            if self.is_stopping():
                return
            number = _signal_of(status)
            restarts_left = RESTARTS if self.run(row).saved > before else restarts_left - 1
            if number is None or restarts_left < 0:
                self._fail(row, f"exit status {status}", self._last_lines(row))
                return
            self.say(f"{row.name} was ended by {number.name}; resuming from its last state")

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
        if self.is_stopping():  # the signal came before the training could receive it
            self._training.send_signal(signal.SIGTERM)
        try:
            return self._training.wait()
        finally:
            self._training = None

    @staticmethod
    def _environment(run: Run) -> dict[str, str]:
        """Return the environment of a training: the code of its worktree, one thread, the folder of data sets."""
        changes = (
            ONE_THREAD
            | KEEP_MEMORY
            | {"PYTHONPATH": os.pathsep.join(filter(None, (str(run.worktree), os.environ.get("PYTHONPATH"))))}
        )
        if data := os.environ.get("GRAPHCLUST_DATA"):  # it may be relative, and the training runs in another folder
            changes["GRAPHCLUST_DATA"] = str(Path(data).resolve())
        return {**os.environ, **changes}

    def _command(self, row: Row, goal: int) -> list[str]:
        """Return the command line of a training, which the header of the model has, too: files have no folder."""
        table = self.table()
        options = [*table.options, *(table.gpu_options if GPU.exists() else ())]
        return [*row.command, *options, "--steps", str(goal), "--out", f"{row.name}.safetensors", "--resume"]

    def _fail(self, row: Row, reason: str, lines: Sequence[str] = ()) -> None:
        """Record that a row failed."""
        self.failed.add(row.name)
        run = self.run(row)
        run.note(**{**run.record, "failed": reason, "lines": list(lines)})
        for line in (f"{row.name} failed: {reason}", *(f"    {line}" for line in lines)):
            self.say(line)
        self.say(f"    it is retried when the queue is started again; its output: {run.output}")

    def _last_lines(self, row: Row) -> list[str]:
        with contextlib.suppress(OSError):
            return self.run(row).output.read_text(errors="replace").splitlines()[-LAST_LINES:]
        return []

    def _keep(self, run: Run) -> None:
        """Copy the weights and the log of a row that has reached its goal to the repository."""
        note = {"name": run.row.name, "commit": run.record["commit"]}
        weights = with_metadata(run.weights.read_bytes(), "queue", note)
        write(run.committed_log, run.log.read_bytes())
        write(run.committed_weights, weights)  # last, since it marks the row as finished
        run.committed_state.unlink(missing_ok=True)
        self.repository.remove_worktree(run.worktree)
        self.say(f"{run.row.name}: {run.saved:,} steps done; to keep it:")
        self.say(f"    {_commit_command(run.row, f'{run.row.name}: {run.saved:,} steps')}")

    def _tidy(self) -> None:
        """Remove files that a killed queue left behind."""
        for run in map(self.run, self.table().rows):
            if run.finished >= max(run.compact, 1):
                run.committed_state.unlink(missing_ok=True)
            if run.finished >= run.row.full_steps and run.worktree.exists():
                self.repository.remove_worktree(run.worktree)
            remove_partial(run.committed_weights.parent)

    # ------------------------------------------------------------ states in the repository

    def _restore(self, row: Row) -> None:
        """Restore the state from the repository, if that has more steps than the local state."""
        run = self.run(row)
        if max(run.compact, run.finished) <= run.saved:
            return
        source = run.committed_state if run.compact > run.finished else run.committed_weights
        run.note(commit=read_header(source).get("queue", {}).get("commit"))  # before the state, which needs a commit
        from training.compact import unpack

        unpack(source, run.state, run.committed_log, run.log)
        self.say(f"{row.name}: resuming from {source.name}, step {self.run(row).saved:,}")

    def checkpoint(self) -> int:
        """Write a compact state of each row with progress that is not in the repository; return the exit status."""
        runs = [run for run in map(self.run, self.table().rows) if run.saved > max(run.finished, run.compact)]
        if not runs:
            print("the repository is up to date")
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

    # ------------------------------------------------------------ control of a running queue

    def pause(self) -> int:
        """Pause the queue and its training; return the exit status."""
        return self._signal_groups(signal.SIGSTOP, "paused; make train-queue-continue resumes it")

    def resume(self) -> int:
        """Resume a paused queue; return the exit status."""
        return self._signal_groups(signal.SIGCONT, "resumed")

    def _signal_groups(self, number: signal.Signals, message: str) -> int:
        groups = self.lock.groups()
        for group in groups:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(group, number)
        print(message if groups else "no queue is running")
        return 0 if groups else 1

    def end(self) -> int:
        """End the queue after the current step; return the exit status."""
        if not self.lock.holders():
            print("no queue is running")
            return 0
        for group in self.lock.groups():
            os.killpg(group, signal.SIGCONT)
        queue = self.lock.queue()
        if queue is not None:
            self.lock.end([queue], PATIENCE)
        self.lock.end(self.lock.trainings(), PATIENCE)
        print("stopped; make train-queue resumes it")
        return 0

    # ------------------------------------------------------------ output

    def say(self, text: str) -> None:
        """Print a line and write it to the log."""
        line = f"{time.strftime('%Y-%m-%d %H:%M:%S')} {text}"
        with contextlib.suppress(OSError):
            self.folder.mkdir(parents=True, exist_ok=True)
            with (self.folder / "log").open("a") as log:
                log.write(line + "\n")
        with contextlib.suppress(OSError):
            print(line, flush=True)

    def status(self) -> int:
        """Print one line per row; return the exit status."""
        rows, holders, current = self.table().rows, self.lock.holders(), self.current()
        print(show(map(self.run, rows), current.name if current else None))
        queue = self.lock.queue()
        if not holders:
            print("queue: not running")
        else:
            processes = f"process group {queue}" if queue else "only the training, since its queue was killed"
            print(f"queue: {'paused' if self.lock.is_paused() else 'running'}, {processes}")
        folders = sorted({row.folder for row in rows})
        if self.repository.git("status", "--porcelain", "--", *folders, check=False).stdout.strip():
            print(f"to be committed: git add --all {shlex.join(folders)}")
        return 0


def _signal_of(status: int) -> signal.Signals | None:
    """Return the signal that ended a training, directly or by the status 128 + number; None for other statuses."""
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
    "continue": Queue.resume,
    "stop": Queue.end,
}


def main(words: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m training.queue", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("action", choices=list(ACTIONS))
    parser.add_argument("--table", type=Path, default=CHECKOUT / "training" / "queue.toml", help="file with the rows")
    parser.add_argument("--state", type=Path, default=CHECKOUT / ".train-queue", help="folder of the state")
    parser.add_argument(
        "--nice", type=int, default=NICENESS, help=f"niceness, 0 to 19 (lowest priority; default {NICENESS})"
    )
    options = parser.parse_args(words)
    try:
        return ACTIONS[options.action](Queue(CHECKOUT, options.table, options.state.resolve(), options.nice))
    except BrokenPipeError:  # for example in `make train-queue-status | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except QueueError as error:
        print(f"train-queue: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
