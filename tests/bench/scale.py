"""Graphs that do not fit into memory: the same communities from files, with a quarter of the memory.

    python tests/bench/scale.py [--edges 30000000] [--method leiden] [--strings] [--folder FOLDER]
    python tests/bench/scale.py --cluster 2 [--worker-memory 1GB] [--kill]

A planted partition is made first: a sixth as many nodes as edges, communities of 100 nodes, 70 % of the edges inside,
ids in random order. It is written as an edge list, with numbers as ids, or with strings such as user-5399257038. Then
`graphclust detect` runs twice: as usual, and in a control group that has a quarter of the memory that the first run
needed at its peak. At last a run is killed, and its folder of temporary files is looked at.

With --cluster, the second run uses the workers of a Dask cluster on this machine instead, each with so much memory, of
which three are killed in the course of the run with --kill.

Control groups of Linux need rights that containers often have. Without them, only `--memory` limits the second run,
whose peak is printed. With fewer than some ten million edges, a quarter is less than Python and the libraries take.
"""

from __future__ import annotations

import argparse
import filecmp
import logging
import os
import resource
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

SIZE, INSIDE = 100, 0.7  # nodes of a community; share of the edges inside
GROUPS = (Path("/sys/fs/cgroup/memory"), "memory.limit_in_bytes"), (Path("/sys/fs/cgroup"), "memory.max")
SHARE, SLOWER = 4, 4  # bars
KILLED = 3  # workers


class Run(NamedTuple):
    """Wall time in seconds, and peak of the resident memory in bytes."""

    seconds: float
    peak: float


def write_graph(path: Path, n_edges: int, *, strings: bool) -> None:
    """Write distinct edges of a planted partition in random order."""
    rng = np.random.default_rng(0)
    n = n_edges // 6 // SIZE * SIZE
    members = rng.permutation(n)
    community = np.empty(n, np.int64)
    community[members] = np.arange(n) // SIZE
    source = rng.integers(0, n, n_edges * 27 // 25)
    near = members[community[source] * SIZE + rng.integers(0, SIZE, len(source))]
    target = np.where(rng.random(len(source)) < INSIDE, near, rng.integers(0, n, len(source)))
    key = np.unique((np.minimum(source, target) * n + np.maximum(source, target))[source != target])
    key = rng.permutation(key)[:n_edges]
    names = pa.array(rng.permutation(n) * 1999 + 17).cast(pa.string())
    names = pc.binary_join_element_wise(pa.array(["user-"] * n), names, "") if strings else pa.array(np.arange(n))
    options = pa.csv.WriteOptions(include_header=False, delimiter=" ", quoting_style="none")
    with path.open("wb") as stream:
        for some in np.array_split(key, max(n_edges >> 21, 1)):
            columns = {"source": names.take(pa.array(some // n)), "target": names.take(pa.array(some % n))}
            pa.csv.write_csv(pa.table(columns), stream, options)


@contextmanager
def limited(size: float) -> Iterator[Callable[[], None] | None]:
    """Yield a function that puts the calling process into a control group of so much memory; None without rights."""
    for root, limit in GROUPS:
        group = root / f"graphclust-{os.getpid()}"
        try:
            group.mkdir()
            (group / limit).write_text(str(int(size)))
        except OSError:
            continue
        try:
            yield lambda group=group: (group / "cgroup.procs").write_text(str(os.getpid()))
        finally:
            group.rmdir()
        return
    yield None


def detect(path: Path, out: Path, method: str, *options: str, enter: Callable[[], None] | None = None) -> Run:
    """Run `graphclust detect`, which prints its notes, and return what it needed."""
    command = [sys.executable, "-m", "graphclust", "detect", str(path), "-m", method, "-o", str(out), *options]
    start = time.perf_counter()
    with subprocess.Popen(command, preexec_fn=enter) as process:
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"MISS exit status {process.returncode}: {' '.join(command)}")
    return Run(time.perf_counter() - start, usage.ru_maxrss * 1024.0)


def killed(path: Path, folder: Path, method: str, memory: str) -> list[str]:
    """Kill a run after some seconds; return the temporary files that it leaves."""
    own = folder / "temporary"
    own.mkdir()
    command = [sys.executable, "-m", "graphclust", "detect", str(path), "-m", method, "--memory", memory, "-q"]
    with subprocess.Popen(command, env=os.environ | {"TMPDIR": str(own)}, stdout=subprocess.DEVNULL) as process:
        time.sleep(10)
        process.send_signal(signal.SIGKILL)
    return [file.name for file in own.iterdir()]


def shared(path: Path, out: Path, method: str, number: int, memory: str, *, kills: bool) -> Run:
    """Run `graphclust detect` on workers of so much memory, of which three are killed, 20 seconds after each other."""
    from distributed import Client, LocalCluster

    done, killed = threading.Event(), list[int]()
    with (
        LocalCluster(
            n_workers=number,
            threads_per_worker=1,
            memory_limit=memory,
            silence_logs=logging.CRITICAL,
            dashboard_address="127.0.0.1:0",
        ) as cluster,
        Client(cluster) as client,
    ):

        def kill() -> None:
            while len(killed) < KILLED and not done.wait(60 if not killed else 20):
                killed.append(min(client.run(os.getpid).values()))
                os.kill(killed[-1], signal.SIGKILL)
                print(f"     killed worker {killed[-1]}", flush=True)

        killer = threading.Thread(target=kill)
        if kills:
            killer.start()
        run = detect(path, out, method, "--cluster", cluster.scheduler_address)
        done.set()
        if kills:
            killer.join()
            print(f"{'ok  ' if len(killed) == KILLED else 'MISS'} {len(killed)} workers were killed")
    return run


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--edges", type=int, default=30_000_000)
    parser.add_argument("--method", default="leiden")
    parser.add_argument("--strings", action="store_true")
    parser.add_argument("--folder")
    parser.add_argument("--cluster", type=int, nargs="+", metavar="WORKERS")
    parser.add_argument("--worker-memory", default="1GB")
    parser.add_argument("--kill", action="store_true")
    wanted = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with tempfile.TemporaryDirectory(dir=wanted.folder) as name:
        folder = Path(name)
        path, usual, other = folder / "graph.edgelist", folder / "usual.tsv", folder / "other.tsv"
        write_graph(path, wanted.edges, strings=wanted.strings)
        print(f"     {wanted.edges:,} edges, {path.stat().st_size / 1e6:,.0f} MB of text, {wanted.method}", flush=True)
        usual_run = detect(path, usual, wanted.method)
        print(f"     in memory: {usual_run.seconds:.0f} s, peak {usual_run.peak / 1e6:,.0f} MB", flush=True)
        for number in wanted.cluster or ():
            part = shared(path, other, wanted.method, number, wanted.worker_memory, kills=wanted.kill)
            ratio = part.seconds / usual_run.seconds
            print(f"     {number} workers of {wanted.worker_memory}: {part.seconds:.0f} s, {ratio:.2f} times")
            is_same = filecmp.cmp(usual, other, shallow=False)
            print(f"{'ok  ' if is_same else 'MISS'} the result is the same, byte for byte", flush=True)
        if wanted.cluster:
            return
        most = usual_run.peak / SHARE
        memory = f"{int(most * 0.66) // 10**6}MB"
        with limited(most) as enter:
            part = detect(path, other, wanted.method, "--memory", memory, enter=enter)
        how = f"in a control group of {most / 1e6:,.0f} MB" if enter else "without a control group"
        print(f"     from files, --memory {memory}, {how}: {part.seconds:.0f} s, resident {part.peak / 1e6:,.0f} MB")
        is_same = filecmp.cmp(usual, other, shallow=False)
        print(f"{'ok  ' if is_same else 'MISS'} the result is the same, byte for byte")
        ratio = part.seconds / usual_run.seconds
        print(f"{'ok  ' if ratio <= SLOWER else 'MISS'} {ratio:.2f} times the time in memory (bar: {SLOWER})")
        left = killed(path, folder, wanted.method, memory)
        print(f"{'MISS' if left else 'ok  '} a killed run leaves {left or 'no file'}")


if __name__ == "__main__":
    main()
