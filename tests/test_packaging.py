"""The package as a whole: what it installs, and what an import costs."""

from __future__ import annotations

import re
import subprocess
import sys
import textwrap
import tomllib
from pathlib import Path

import pytest

import graphclust as gc

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "graphclust"
CONFIG = tomllib.loads((ROOT / "pyproject.toml").read_text())


def test_packages_are_those_of_the_tree():
    links = {"generators": ROOT / "generators", "data": ROOT / "data"}
    seen = {"graphclust", "graphclust.generators", "graphclust.data"}
    for init in PACKAGE.rglob("__init__.py"):
        parts = init.parent.relative_to(ROOT).parts
        if len(parts) > 1 and parts[1] not in links:
            seen.add(".".join(parts))
    assert set(CONFIG["tool"]["setuptools"]["packages"]) == seen
    for name, target in links.items():
        assert (PACKAGE / name).resolve() == target


def test_every_bundled_file_is_in_the_wheel():
    patterns = CONFIG["tool"]["setuptools"]["package-data"]["graphclust.data"]
    for path in (ROOT / "data").iterdir():
        assert path.name in ("cache", "__pycache__") or any(path.match(pattern) for pattern in patterns), path


def test_version_stands_once_in_each_place():
    assert CONFIG["project"]["version"] == gc.__version__


def test_public_names_exist():
    for name in gc.__all__:
        assert getattr(gc, name) is not None
    assert set(gc.__all__) <= set(dir(gc))
    with pytest.raises(AttributeError, match="nosuch"):
        _ = gc.nosuch


@pytest.mark.parametrize(
    ("code", "unwanted"),
    [
        ("import graphclust", {"numpy", "torch", "scipy", "igraph", "networkx", "pandas"}),
        ("import graphclust; graphclust.METHODS", {"torch", "scipy", "igraph", "networkx", "pandas", "sklearn"}),
        ("import graphclust; graphclust.generators", {"torch", "scipy", "igraph", "networkx", "pandas", "sklearn"}),
    ],
)
def test_imports_are_light_and_silent(code, unwanted):
    done = subprocess.run(
        [sys.executable, "-c", f"{code}; import sys; print({unwanted!r} & set(sys.modules))"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert (done.stdout.strip(), done.stderr) == ("set()", "")


def test_training_imports_little(tmp_path):
    """The machines that train have torch, and not all of what the package can use."""
    code = """
        import sys
        from graphclust.__main__ import main
        small = "--set n_nodes=(10,12) --encoder graph-transformer --dim 8 --layers 1 --n-z 2 --batch-size 2 --steps 1"
        main(["train", "acp", *small.split(), "--device", "cpu", "--eval-graphs", "2", "--out", sys.argv[1], "-q"])
        unwanted = {"igraph", "lightning", "matplotlib", "networkx", "ogb", "pandas", "plotly", "pooch", "pyarrow"}
        print(unwanted & sys.modules.keys())
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), tmp_path / "model.safetensors"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert (done.stdout.strip(), done.stderr) == ("set()", "")


def test_functions_are_not_hidden_by_modules_of_their_name():
    done = subprocess.run(
        [sys.executable, "-c", "import graphclust.detection, graphclust; print(callable(graphclust.detect))"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "True"


def test_bounds_hold_for_the_pinned_versions():
    pinned = dict(line.split("==") for line in (ROOT / "constraints.txt").read_text().splitlines() if "==" in line)
    for requirement in CONFIG["project"]["dependencies"]:
        name, bound = re.split(">=", requirement)
        assert name in pinned, f"{name} is not pinned in constraints.txt"
        wanted, have = (tuple(map(int, v.split("."))) for v in (bound, pinned[name]))
        assert have >= wanted


def test_readme_commands_exist():
    readme = (ROOT / "README.md").read_text()
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for target in re.findall(r"\bmake ([a-z-]+)", readme):
        assert target in targets


def test_readme_example_tells_the_truth():
    readme = (ROOT / "README.md").read_text()
    code = re.search(r"```python\n(.*?)```", readme, re.DOTALL)[1].replace(
        'c.plot(), c.save("communities.graphml")', ""
    )
    space = {}
    exec(code, space)
    assert space["c"].membership["Valjean"] == 0
    assert round(space["c"].quality()["modularity"], 3) == 0.567
    assert space["G"].nodes["Valjean"]["community"] == 0
    reported = re.search(r"edges -> (\d+) communities \(auto, modularity ([\d.]+)", readme)
    result = gc.detect(ROOT / "data" / "les-miserables.csv")
    assert (result.n_clusters, round(result.quality()["modularity"], 4)) == (int(reported[1]), float(reported[2]))
