"""Bars of recovery studies: python tests/bench/study.py [--cells 200].

A study of so many cells in one process and in two, from the command line as a user would run it: the ratio of the
times, starting the processes included. Then once more in two, killed with SIGKILL half-way and resumed: the same
table. Columns that tell times and memory differ from run to run, and are not compared.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pandas as pd

STUDY = """
family = "planted-partition"
graphs = {graphs}
[parameters]
n_nodes = 800
n_clusters = 4
average_degree = 14.0
[grid]
ratio = [0.05, 0.15, 0.25, 0.35, 0.45]
[methods.auto]
[methods.leiden]
[methods.infomap]
[methods.spectral]
n_clusters = "true"
"""
METHODS, POINTS = 4, 5
MEASURED = ("seconds", "memory_mib")


def command(folder: Path, name: str, jobs: int) -> tuple[list[str], Path]:
    out = folder / f"{name}.csv"
    program = [sys.executable, "-m", "graphclust", "study", str(folder / "bench.toml"), "--quiet"]
    return [*program, "--jobs", str(jobs), "--out", str(out)], out


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--cells", type=int, default=200)
    n_cells = parser.parse_args().cells
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "bench.toml").write_text(STUDY.format(graphs=n_cells // (METHODS * POINTS)))
        seconds, tables = {}, {}
        for jobs in (1, 2):
            arguments, out = command(folder, f"jobs-{jobs}", jobs)
            start = time.perf_counter()
            subprocess.run(arguments, check=True)
            seconds[jobs], tables[jobs] = time.perf_counter() - start, pd.read_csv(out)
        ratio = seconds[1] / seconds[2]
        cores = len(os.sched_getaffinity(0))
        print(f"{len(tables[1])} cells on {cores} cores: {seconds[1]:.1f} s in one process, {seconds[2]:.1f} s in two")
        print(f"{'ok  ' if ratio >= 1.7 else 'MISS'} ratio: {ratio:.2f} (bar: 1.7)")

        arguments, out = command(folder, "killed", 2)
        journal = out.with_name(out.name + ".cells.jsonl")
        process = subprocess.Popen(arguments, start_new_session=True)
        while process.poll() is None and (not journal.exists() or journal.read_bytes().count(b"\n") < n_cells // 2):
            time.sleep(0.05)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        done = journal.read_bytes().count(b"\n")
        subprocess.run(arguments, check=True)
        killed = pd.read_csv(out)
        same = all(
            table.drop(columns=list(MEASURED)).equals(killed.drop(columns=list(MEASURED))) for table in tables.values()
        )
        print(f"{'ok  ' if same and out.exists() else 'MISS'} killed after {done} cells and resumed: the same table")


if __name__ == "__main__":
    main()
