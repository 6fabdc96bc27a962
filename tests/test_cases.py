"""Small files of the kinds that people have, with the right answers, if they lie beside the checkout (../shared/cases).

They are the checks of `python ../shared/cases/run.py`, in processes forked from that of the tests.
"""

from __future__ import annotations

import functools
import importlib.util
import json
import os
import shlex
import shutil
import tomllib
from pathlib import Path

import igraph  # noqa: F401 - as the scripts do
import networkx  # noqa: F401
import pandas  # noqa: F401
import pytest
import typer.main

from tests.forked import ForkedCommand, ForkedScript

CASES = Path(os.environ.get("GRAPHCLUST_CASES") or Path(__file__).resolve().parents[2] / "shared" / "cases")
FOLDERS = sorted(path.parent for path in CASES.glob("*/case.toml"))
SETTINGS = {"COLUMNS": "500", "NO_COLOR": "1", "TERM": "dumb"}


@pytest.fixture(scope="module", autouse=True)
def _imports_and_parser(tmp_path_factory):
    """What each process would import and build again is there before it is forked."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(typer.main, "get_command", functools.cache(typer.main.get_command))
        folder = tmp_path_factory.mktemp("first")
        for method in ("leiden", "auto", "infomap"):
            options = ["--method", method, "--out", str(folder / "r.tsv"), "--manifest", str(folder / "m.json"), "-q"]
            assert ForkedCommand._call(None, ["detect", "data:karate", *options]) == 0
        yield


@pytest.fixture(scope="module")
def judge():
    """The module that judges the outcome of a check."""
    spec = importlib.util.spec_from_file_location("cases_run", CASES / "run.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def outcome(judge, check, folder, manifest):
    """Run a check in a copy of its folder."""
    if "python" in check:
        process = ForkedScript(*shlex.split(check["python"]), folder=folder, **SETTINGS)
    else:
        args = shlex.split(check["run"])
        if args[0] == "detect":
            args += ["--manifest", str(manifest)]
        stdin = folder / check["stdin"] if "stdin" in check else os.devnull
        process = ForkedCommand(*args, stdin=stdin, folder=folder, **SETTINGS)
    out, err = process.communicate()
    names = [path.name for path in folder.iterdir()]
    content = json.loads(manifest.read_text()) if manifest.exists() else {}
    return judge.Outcome(process.returncode, out, err, judge.without_names(err, names), content)


@pytest.mark.parametrize("case", FOLDERS, ids=lambda path: path.name)
def test_files_that_people_have(judge, case, tmp_path):
    failures = []
    for number, check in enumerate(tomllib.loads((case / "case.toml").read_text())["check"]):
        folder = tmp_path / str(number)
        shutil.copytree(case, folder, copy_function=shutil.copyfile)
        folder.chmod(0o755)
        result = outcome(judge, check, folder, tmp_path / f"{number}.json")
        reason = "" if "python" in check and result.exit == 0 else judge.judge(check, result)
        if reason:
            failures.append(f"{check.get('run') or check.get('python')}: {reason}")
    assert failures == []
