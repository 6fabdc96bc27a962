"""The command line in a process forked from that of the tests: a real process, without the seconds of its imports."""

from __future__ import annotations

import os
import runpy
import signal
import sys
import time
import traceback
from pathlib import Path

from graphclust.__main__ import main


class ForkedCommand:
    """`graphclust ARGS` in a process group of its own.

    Its standard input is `stdin`, or empty. `environment` is added to the variables of this process, and `folder`, if
    given, is the current one.
    """

    def __init__(self, *args, stdin=os.devnull, folder=None, **environment):
        self._stdin, self._folder = stdin, folder
        self._streams = [os.memfd_create(name) for name in ("stdout", "stderr")]
        self.returncode = None
        self.pid = os.fork()
        if self.pid == 0:
            self._run([str(arg) for arg in args], environment)

    def _run(self, args, environment):
        code = 1
        try:
            os.setsid()
            os.environ.update(environment)
            signal.signal(signal.SIGINT, signal.default_int_handler)
            if self._folder is not None:
                os.chdir(self._folder)
            os.dup2(os.open(self._stdin, os.O_RDONLY), 0)
            for number, stream in enumerate(self._streams, 1):
                os.dup2(stream, number)
            sys.stdin = open(0, closefd=False)  # noqa: SIM115
            sys.stdout, sys.stderr = (open(i, "w", buffering=1, closefd=False) for i in (1, 2))  # noqa: SIM115
            sys.argv = ["graphclust", *args]
            code = self._call(args)
        except SystemExit as exit_:
            code = exit_.code if isinstance(exit_.code, int) else 1
        except BaseException:  # noqa: BLE001
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)

    def _call(self, args):
        return main(args)

    def poll(self):
        if self.returncode is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.returncode = os.waitstatus_to_exitcode(status)
        return self.returncode

    def wait(self, condition=lambda: False, timeout=60):
        """Return as soon as the condition holds or the process has ended."""
        deadline = time.monotonic() + timeout
        while not condition() and self.poll() is None:
            if time.monotonic() > deadline:
                os.killpg(self.pid, signal.SIGKILL)
                raise TimeoutError
            time.sleep(0.01)

    def communicate(self, timeout=60):
        """Wait for the end, and return what was written to standard output and standard error."""
        self.wait(timeout=timeout)
        return self._read(0), self._read(1)

    def written(self):
        """What has been written to standard error so far."""
        return self._read(1)

    def _read(self, number):
        return os.pread(self._streams[number], os.fstat(self._streams[number]).st_size, 0).decode()

    def __del__(self):
        for stream in self._streams:
            os.close(stream)


class ForkedScript(ForkedCommand):
    """A Python script and its arguments, run in a process forked from that of the tests."""

    def _call(self, args):
        sys.argv = args
        sys.path.insert(0, str(Path.cwd()))
        runpy.run_path(args[0], run_name="__main__")
        return 0
