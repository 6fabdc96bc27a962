"""The site is built without a warning, its tables are those of results/, and what it says of commands is true."""

from __future__ import annotations

import importlib.util
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from graphclust import METHODS

ROOT = Path(__file__).parents[1]
PAGES = sorted((ROOT / "docs").rglob("*.md"))


@pytest.fixture(scope="module")
def hooks():
    spec = importlib.util.spec_from_file_location("hooks", ROOT / "docs" / "hooks.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_site_is_built_without_a_warning(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path / "site")],
        cwd=ROOT,
        env=os.environ | {"NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "WARNING" not in done.stderr
    api = (tmp_path / "site" / "api" / "index.html").read_text()
    for name in ("Posterior.co_membership", "generators.general_sbm", "generators.lfr.lfr", "errors.DataError"):
        assert f'id="graphclust.{name}"' in api
    results = (tmp_path / "site" / "results" / "index.html").read_text()
    assert "{{" not in results
    assert "GraphTransformer + Pos Enc. + ACP" in results


def test_tables_hold_what_was_measured(hooks):
    shown = hooks.table("lnscc-table2", "data, method, accuracy as ACC, seconds").splitlines()
    assert shown[0] == "| data | method | ACC | seconds |"
    assert any(re.fullmatch(r"\| usps \| lnscc \| 0\.9\d\d ± 0\.\d{3} \| [\d.,]+ \|", line) for line in shown)
    assert hooks.cell({"x": 1234.5}, "x") == "1,234"
    assert hooks.cell({"x": 0.5, "x_se": 0.25}, "x") == "0.500 ± 0.250"
    assert hooks.cell({}, "x") == ""
    assert hooks.table("none-such", "data") == "*Not measured yet.*"


def test_every_method_has_a_page():
    told = "\n".join(page.read_text() for page in (ROOT / "docs" / "methods").glob("*.md"))
    for name in METHODS:
        assert re.search(rf"\b{re.escape(name)}\b", told), name
    nav = (ROOT / "mkdocs.yml").read_text()
    for page in PAGES:
        assert str(page.relative_to(ROOT / "docs")) in nav


@pytest.mark.parametrize("page", [*PAGES, ROOT / "README.md"], ids=lambda page: page.stem)
def test_commands_and_options_exist(page):
    """Names of subcommands and of options in what is written as a command."""
    from typer.main import get_command

    from graphclust.cli import app

    top = get_command(app)
    text = page.read_text().replace("\\\n", " ")
    for line in re.findall(r"^(?:    |\$ )(?:\S+ \S+ \| )?(graphclust [^`\n]*)", text, re.MULTILINE):
        words = shlex.split(line.split(" | ")[0].split(" > ")[0].split("  #")[0])
        command = top.commands[words[1]]
        known = {option for parameter in command.params for option in parameter.opts + parameter.secondary_opts}
        if words[1] == "generate":
            continue  # its subcommands are made when it runs; tests/cli has them
        for word in words[2:]:
            if word.startswith("--"):
                assert word.split("=")[0] in known, line
    everywhere = {o for command in top.commands.values() for p in command.params for o in p.opts + p.secondary_opts}
    for code in re.findall(r"`([^`\n]+)`", text):
        assert set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", code)) <= everywhere | {"--help"}, code
