"""The processes of the queue: their lock, their identities, and signals to them."""

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
    """A lock that the queue takes and its training inherits, so that it is free only when both have ended.

    Parameters
    ----------
    folder : Path
        Folder of the files `lock` and `pid`; the latter contains the process group of the queue.

    Attributes
    ----------
    descriptor : int
        File descriptor for the training to inherit; -1 until the lock is taken.
    """

    def __init__(self, folder: Path) -> None:
        self.file, self.pid_file = folder / "lock", folder / "pid"
        self.descriptor = -1

    def take(self) -> bool:
        """Take the lock; return whether it was free."""
        if self.descriptor < 0:
            self.file.parent.mkdir(parents=True, exist_ok=True)
            self.descriptor = os.open(self.file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            fcntl.flock(self.descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def announce(self) -> None:
        """Record the process group of this process as that of the queue."""
        write(self.pid_file, f"{os.getpgrp()}\n".encode())

    def withdraw(self) -> None:
        """Remove this record."""
        self.pid_file.unlink(missing_ok=True)

    def holders(self) -> dict[int, int]:
        """Return the other processes that have the file of the lock open: pid -> pid of the parent.

        Empty on systems without /proc.
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
        """Return the pid of the running queue, if any."""
        try:
            pid = int(self.pid_file.read_text())
        except (OSError, ValueError):
            return None
        return pid if pid in self.holders() else None

    def trainings(self) -> list[int]:
        """Return the running trainings, without the processes that compute their batches."""
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
        """Ask processes to end, resume paused ones, and kill them after `patience` seconds."""
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
    """Whether a process, given by its folder in /proc, has a file open."""
    try:
        for descriptor in (process / "fd").iterdir():
            with contextlib.suppress(OSError):
                status = descriptor.stat()
                if (status.st_dev, status.st_ino) == file:
                    return True
    except OSError:  # the process has ended, or belongs to another user
        pass
    return False


def _fields(pid: int) -> list[str]:
    """Return the state, parent, process group etc. of a process."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


@contextlib.contextmanager
def own_group() -> Iterator[None]:
    """Run in a separate process group that controls the terminal, so that it receives Ctrl-C."""
    group, is_foreground = os.getpgrp(), False
    with contextlib.suppress(OSError):
        is_foreground = sys.stdin.isatty() and os.tcgetpgrp(sys.stdin.fileno()) == group
        os.setpgid(0, 0)
    if is_foreground:
        _give_terminal(os.getpgrp())
    try:
        yield
    finally:
        if is_foreground:
            _give_terminal(group)


def _give_terminal(group: int) -> None:
    """Give the terminal to a process group; this process may be in the background."""
    handler = signal.signal(signal.SIGTTOU, signal.SIG_IGN)
    with contextlib.suppress(OSError):
        os.tcsetpgrp(sys.stdin.fileno(), group)
    signal.signal(signal.SIGTTOU, handler)
