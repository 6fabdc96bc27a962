"""Install the built wheel in a clean environment and use it without a network: `make build`."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

CONSTRAINTS = Path(__file__).resolve().parents[2] / "constraints.txt"
USE = """
import pathlib, socket, sys

def refused(*_, **__):
    raise OSError("no network here")

socket.socket.connect = socket.getaddrinfo = refused
import graphclust as gc

assert pathlib.Path(gc.__file__).is_relative_to(sys.prefix), gc.__file__
for entry in gc.datasets.registry().values():
    if entry.bundled:
        gc.datasets.load(entry.name)
graph = gc.read_graph("data:karate")
found = gc.detect(graph)
for method in ("acp", "acp-s", "ccp"):
    assert gc.detect(graph, method).posterior is not None
found.save("report.html")
print(graph, found, gc.generators.planted_partition(50, 2, p_in=0.5, p_out=0.1, random_state=0))
"""


def main():
    wheel = max(Path(sys.argv[1]).resolve().glob("*.whl"), key=os.path.getmtime)
    env = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV"))}
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.executable, "-m", "venv", "clean"], check=True, cwd=folder, env=env)
        place = Path(folder) / "clean" / "bin"
        install = [place / "python", "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
        for what in ("torch", wheel):  # torch first and alone, as in `make setup`
            subprocess.run([*install, "--constraint", CONSTRAINTS, what], check=True, cwd=folder, env=env)
        subprocess.run([place / "python", "-c", USE], check=True, cwd=folder, env=env)
        done = subprocess.run(
            [place / "graphclust", "detect", "data:karate", "--method", "acp", "--quiet"],
            check=True, cwd=folder, env=env, capture_output=True, text=True,
        )  # fmt: skip
        assert "\n33\t" in done.stdout, done.stdout
    print(f"{wheel.name}: in a clean environment, without a network, it works")


if __name__ == "__main__":
    main()
