"""Time to the first result: `python tests/bench/start_up.py`.

Twenty small files in one process, with compiled loops; and each method on a small graph with an empty cache, which is
what the first run after an installation takes. `--warm` leaves out the second part.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import graphclust as gc
from graphclust.methods import METHODS

BARS = {"leiden": 3.0, "auto": 10.0}  # seconds for twenty files
COLD_BAR = 15.0  # seconds, every method


def timed(arguments, folder, **environment):
    """Return the seconds of a command, which has to succeed without a traceback."""
    start = time.perf_counter()
    command = [sys.executable, "-m", "graphclust", *arguments]
    done = subprocess.run(
        command, cwd=folder, env=os.environ | environment, capture_output=True, text=True, check=False
    )
    seconds = time.perf_counter() - start
    if done.returncode or "Traceback" in done.stderr:
        sys.exit(f"{' '.join(arguments)}: exit code {done.returncode}\n{done.stderr}")
    return seconds


def twenty_files(folder):
    """Print the time for twenty graphs of 100 nodes."""
    for seed in range(20):
        graph = gc.generators.planted_partition(100, 4, p_in=0.4, p_out=0.03, random_state=seed)
        lines = [f"{u}\t{v}\n" for u, v in graph.edges()]
        Path(folder, f"graph-{seed}.edgelist").write_text("".join(lines))
    files = sorted(path.name for path in Path(folder).glob("*.edgelist"))
    for method, bar in BARS.items():
        timed(["detect", *files, "-m", method, "--out-dir", "out", "-q"], folder)
        seconds = timed(["detect", *files, "-m", method, "--out-dir", "out", "-q"], folder)
        print(f"20 files, one process, {method}: {seconds:.1f} s (bar {bar:g} s)", flush=True)


def cold(folder):
    """Print the time of each method with an empty cache."""
    for method, kind in METHODS.items():
        number = ["-k", "2"] if kind.takes_n_clusters == "required" else []
        with tempfile.TemporaryDirectory() as cache:
            seconds = timed(["detect", "data:karate", "-m", method, *number, "-q"], folder, NUMBA_CACHE_DIR=cache)
        print(f"cold, {method}: {seconds:.1f} s (bar {COLD_BAR:g} s)", flush=True)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as place:
        twenty_files(place)
        if "--warm" not in sys.argv:
            cold(place)
