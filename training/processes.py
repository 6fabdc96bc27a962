"""The processes of the queue: a lock that they hold, who they are, and signals to them."""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from training.files import write

__all__ = ["Lock", "own_group"]


class Lock:
    """A lock that the queue takes and its training inherits: it is free exactly when both have died.

    Parameters
    ----------
    folder : Path
        Of the files `lock` and `pid`, of which the second has the process group of the queue.

    Attributes
    ----------
    descriptor : int
        To be passed on to the training; -1 until the lock is taken.
    """

    def __init__(self, folder: Path) -> None:
        self.file, self.pid_file = folder / "lock", folder / "pid"
        self.descriptor = -1

    def take(self) -> bool:
        """Take the lock, unless others hold it."""
        if self.descriptor < 0:
            self.file.parent.mkdir(parents=True, exist_ok=True)
            self.descriptor = os.open(self.file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            fcntl.flock(self.descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def announce(self) -> None:
        """Note the process group of this process as that of the queue."""
        write(self.pid_file, f"{os.getpgrp()}\n".encode())

    def withdraw(self) -> None:
        """Remove that note."""
        self.pid_file.unlink(missing_ok=True)

    def holders(self) -> dict[int, int]:
        """Return the other processes that have the lock's file open: pid -> pid of the parent.

        Empty where the system does not tell: it has no /proc.
        """
        try:
            lock = self.file.stat()
        except OSError:
            return {}
        processes = {}
        for entry in Path("/proc").glob("[0-9]*"):
            pid = int(entry.name)
            if pid != os.getpid() and _has_open(entry, (lock.st_dev, lock.st_ino)):
                with contextlib.suppress(OSError, IndexError):
                    processes[pid] = int(_fields(pid)[1])
        return processes

    def queue(self) -> int | None:
        """Return the pid of the queue that runs, if one does."""
        try:
            pid = int(self.pid_file.read_text())
        except (OSError, ValueError):
            return None
        return pid if pid in self.holders() else None

    def trainings(self) -> list[int]:
        """Return the trainings that run, without the processes that make their batches."""
        holders, queue = self.holders(), self.queue()
        return [pid for pid, parent in holders.items() if pid != queue and (parent == queue or parent not in holders)]

    def groups(self) -> set[int]:
        """Return the process groups of the queue and its training."""
        groups = set()
        for pid in self.holders():
            with contextlib.suppress(OSError, IndexError):
                groups.add(int(_fields(pid)[2]))
        return groups

    def is_paused(self) -> bool:
        """Whether all processes are stopped."""
        states = set()
        for pid in self.holders():
            with contextlib.suppress(OSError, IndexError):
                states.add(_fields(pid)[0])
        return states == {"T"}

    def end(self, pids: Iterable[int], patience: float) -> None:
        """Ask processes to end, wake them if they are paused, and kill them after so many seconds."""
        pids = set(pids)
        for number, seconds in ((signal.SIGTERM, patience), (signal.SIGKILL, 10.0)):
            for pid in pids & self.holders().keys():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, number)
                    os.kill(pid, signal.SIGCONT)
            deadline = time.monotonic() + seconds
            while pids & self.holders().keys() and time.monotonic() < deadline:
                time.sleep(0.2)


def _has_open(process: Path, file: tuple[int, int]) -> bool:
    """Whether a process, by its folder in /proc, has a file open."""
    try:
        for descriptor in (process / "fd").iterdir():
            with contextlib.suppress(OSError):
                status = descriptor.stat()
                if (status.st_dev, status.st_ino) == file:
                    return True
    except OSError:  # it has ended, or is somebody else's
        pass
    return False


def _fields(pid: int) -> list[str]:
    """Return state, parent, process group, ... of a process."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


@contextlib.contextmanager
def own_group() -> Iterator[None]:
    """Lead a process group of its own; the terminal belongs to it meanwhile, so that Ctrl-C arrives here."""
    before, in_front = os.getpgrp(), False
    with contextlib.suppress(OSError):
        in_front = sys.stdin.isatty() and os.tcgetpgrp(sys.stdin.fileno()) == before
        os.setpgid(0, 0)
    if in_front:
        _give_terminal(os.getpgrp())
    try:
        yield
    finally:
        if in_front:
            _give_terminal(before)


def _give_terminal(group: int) -> None:
    """Make a process group that of the terminal, from whichever group."""
    before = signal.signal(signal.SIGTTOU, signal.SIG_IGN)
    with contextlib.suppress(OSError):
        os.tcsetpgrp(sys.stdin.fileno(), group)
    signal.signal(signal.SIGTTOU, before)
