"""Where compiled code is kept."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from graphclust.cli import startup
from graphclust.runtime.compilation import await_compilation, compile_beside, temporary_folder
from tests.cli.conftest import cli  # noqa: F401  a fixture

NOWHERE = Path("/proc/self/nowhere")  # not even root can write there


def test_a_temporary_folder_belongs_to_the_user_alone(tmp_path):
    folder = temporary_folder([NOWHERE, tmp_path])
    assert folder is not None
    assert folder.parent == tmp_path
    assert folder.stat().st_mode & 0o777 == 0o700
    assert temporary_folder([tmp_path]) == folder
    folder.chmod(0o777)
    assert temporary_folder([tmp_path]) is None  # others could have put code there
    assert temporary_folder([NOWHERE]) is None
    assert temporary_folder([]) is None


def test_code_is_compiled_where_no_usual_folder_can_be_written(tmp_path):
    """The package and the home folder are read-only: one note, and the code is found again by the next process."""
    code = (
        "import logging, pathlib\n"
        "logging.basicConfig(level=logging.INFO, format='%(message)s')\n"
        "import graphclust.runtime.compilation as c\n"
        "usual = c._is_writable\n"
        f"c._is_writable = lambda folder: {str(tmp_path)!r} in str(folder) and usual(folder)\n"
        "import kernel, numba\n"
        "print(kernel.double(2) + kernel.half(4), numba.config.CACHE_DIR)\n"
    )
    kernel = "from graphclust.runtime.compilation import compiled\n"
    for name, body in (("double", "2 * x"), ("half", "x // 2")):
        kernel += f"@compiled()\ndef {name}(x):\n    return {body}\n"
    (tmp_path / "kernel.py").write_text(kernel)
    environment = {name: value for name, value in os.environ.items() if name != "NUMBA_CACHE_DIR"}
    run = subprocess.run(
        [sys.executable, "-c", code],
        env=environment | {"TMPDIR": str(tmp_path), "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert run.stdout.startswith(f"6 {tmp_path}"), run.stderr
    assert list(tmp_path.rglob("*.nbi"))
    assert run.stderr.count("compiled code is kept in") == 1
    assert "NUMBA_CACHE_DIR" in run.stderr


def test_a_process_beside_this_one_compiles_what_is_not_on_disk(tmp_path, monkeypatch):
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    done = tmp_path / "done"
    code = f"import pathlib; pathlib.Path({str(done)!r}).write_text('')"
    compile_beside(code, "graphclust.kernels.any", "function")
    await_compilation("graphclust.kernels.any")
    assert done.exists()
    done.unlink()
    (tmp_path / "kernels_1").mkdir()
    (tmp_path / "kernels_1" / "any.function-12.py311.nbi").write_text("")
    compile_beside(code, "graphclust.kernels.any", "function")
    await_compilation("graphclust.kernels.any")
    assert not done.exists()


_INNER = """
from graphclust.runtime.compilation import compiled
from graphclust.runtime import inner_functions
{change}
@compiled(inner=True)
def add(x, y):
    return x + y

@compiled(inner=True, forceinline=True)
def double(x):
    return add(x, x)

@compiled(cache=False)
def count(n):
    total = 0
    for i in range(n):
        total = add(total, double(i)) if i % 2 else total - len(range(i))
    return total

print(count(10))
"""


def test_inner_functions_are_parts_of_their_callers(tmp_path):
    """The result is the same if numba is built in another way, and then they are compiled as usual."""
    outputs = []
    for change in ("", "inner_functions._USED = ('no such name',); inner_functions.inner_compiler.cache_clear()"):
        (tmp_path / "inner.py").write_text(_INNER.format(change=change))
        run = subprocess.run([sys.executable, "inner.py"], cwd=tmp_path, capture_output=True, text=True, check=True)
        outputs.append(run.stdout)
    assert outputs == ["30\n", "30\n"]


@pytest.mark.parametrize("module", ["block_moves", "cut_moves", "local_moves"])
def test_the_installed_numba_has_the_parts_that_inner_functions_need(module):
    from graphclust.runtime.inner_functions import inner_compiler

    kernels = importlib.import_module(f"graphclust.kernels.{module}")
    inner = [f for f in vars(kernels).values() if getattr(f, "targetoptions", {}).get("no_cpython_wrapper")]
    assert inner
    assert inner_compiler() is not None
    assert {f._compiler.pipeline_class for f in inner} == {inner_compiler()}


_USERS = {  # what a command does with the code that a process beside it has compiled
    "block_moves.run": (startup._CHAINS, "gc.detect(nx.karate_club_graph(), random_state=0)"),
    "local_moves._empty_queue": (startup._COMMUNITIES, "gc.detect(nx.karate_club_graph(), 'leiden', random_state=0)"),
    "cut_moves.lower_cut": (startup._CUTS, "gc.detect(nx.karate_club_graph(), 'cnc', 2, random_state=0)"),
    "cut_moves._merge_all": (startup._CUTS, "gc.detect(nx.karate_club_graph(), 'cnc', 2, random_state=0)"),
}


@pytest.mark.parametrize("kernel", _USERS)
def test_a_command_finds_the_code_that_its_helper_has_compiled(tmp_path, kernel):
    helper, use = _USERS[kernel]
    environment = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path)}
    subprocess.run([sys.executable, "-c", helper], env=environment, check=True)
    code = (
        "import networkx as nx, graphclust as gc\nfrom graphclust.kernels import block_moves, cut_moves, local_moves\n"
    )
    code += f"{use}\nprint({kernel}.stats.cache_misses)"
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["Counter()"], done.stdout


def test_code_on_disk_is_loaded_without_the_compiler(tmp_path):
    use = "import sys, graphclust as gc\nlabels = gc.detect([(0, 1), (2, 3)], 'leiden', random_state=0).labels\n"
    use += "print(labels.tolist(), 'numba.np.linalg' in sys.modules)"
    environment = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path)}
    runs = [subprocess.check_output([sys.executable, "-c", use], env=environment, text=True) for _ in range(2)]
    assert runs == ["[0, 0, 1, 1] True\n", "[0, 0, 1, 1] False\n"]


def test_warming_runs_every_stage(monkeypatch, cli):  # noqa: F811
    from graphclust.detection import warming

    ran = []
    monkeypatch.setattr(warming, "STAGES", {name: lambda name=name: ran.append(name) for name in warming.STAGES})
    result = cli("warm", "--jobs", 1)
    assert (result.code, result.out) == (0, "")
    assert "all loops are compiled" in result.err
    assert set(ran) == {"block models", "groups", "edge gates", "cuts", "mixtures", "generators", "communities"}
