"""Install the built wheel alone and use it: `make build`. The dependencies are those of the environment around it."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path


def main():
    wheel = max(Path(sys.argv[1]).glob("*.whl"), key=os.path.getmtime)
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "site"
        subprocess.run(
            [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", target, wheel], check=True
        )
        code = (
            "import graphclust as gc, pathlib, sys;"
            "assert pathlib.Path(gc.__file__).is_relative_to(sys.argv[1]), gc.__file__;"
            "[gc.datasets.load(e.name) for e in gc.datasets.registry().values() if e.bundled];"
            "g = gc.read_graph('data:karate'); c = gc.detect(g);"
            "assert gc.detect(g, 'acp').posterior is not None; c.save(sys.argv[1] + '/report.html');"
            "print(g, c, gc.generators.planted_partition(50, 2, p_in=0.5, p_out=0.1, random_state=0))"
        )
        env = {**os.environ, "PYTHONPATH": str(target), "PYTHONSAFEPATH": "1"}
        subprocess.run([sys.executable, "-c", code, str(target)], check=True, env=env, cwd=folder)
    print(f"{wheel.name}: installed alone, it works")


if __name__ == "__main__":
    main()
