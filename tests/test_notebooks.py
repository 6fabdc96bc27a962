"""The notebooks run from top to bottom, without a word on stderr, and draw something."""

from __future__ import annotations

import ast
import importlib
import inspect
from pathlib import Path

import nbformat
import pytest

from tests.conftest import SHARED

NOTEBOOKS = sorted((Path(__file__).parents[1] / "notebooks").glob("*.ipynb"))
QUICK = ["quickstart", "your-own-graph", "more-than-one-partition"]  # seconds; the others take up to some minutes


def code_cells(path):
    return [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]


def test_there_are_notebooks():
    assert {path.stem for path in NOTEBOOKS} >= set(QUICK)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_was_run_before_it_was_committed(path):
    cells = code_cells(path)
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1)), "run `make notebooks`"
    assert any("image/png" in output.get("data", {}) for cell in cells for output in cell.outputs)


@pytest.mark.parametrize("name", QUICK)
def test_cells_of_a_notebook_run(name, tmp_path, monkeypatch, capfd):
    """In this process, where everything is imported: `make slow` starts a kernel."""
    pyplot = importlib.import_module("matplotlib.pyplot")
    pyplot.switch_backend("agg")
    monkeypatch.chdir(tmp_path)
    if SHARED.is_dir():
        monkeypatch.setenv("GRAPHCLUST_DATA", str(SHARED))
    (path,) = (path for path in NOTEBOOKS if path.stem == name)
    namespace = {"display": print}
    try:
        for cell in code_cells(path):
            exec(compile(cell.source.replace("%matplotlib", "# %matplotlib"), name, "exec"), namespace)
        assert pyplot.get_fignums()
    finally:
        pyplot.close("all")
    assert capfd.readouterr().err == ""


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_runs(path, tmp_path, monkeypatch):
    from nbclient import NotebookClient

    monkeypatch.setenv("PYTHONWARNINGS", "default")
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    if SHARED.is_dir():
        monkeypatch.setenv("GRAPHCLUST_DATA", str(SHARED))
    notebook = nbformat.read(path, as_version=4)
    NotebookClient(
        notebook, timeout=400, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}
    ).execute()
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    assert [output.text for output in outputs if output.get("name") == "stderr"] == []
    assert any("image/png" in output.get("data", {}) for output in outputs)


def imported_names(tree):
    """Name -> object, of what the imports of graphclust bring."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name == "graphclust":
                    yield alias.asname or alias.name, importlib.import_module(alias.name)
        elif isinstance(node, ast.ImportFrom) and node.module.split(".")[0] == "graphclust":
            module = importlib.import_module(node.module)
            yield from ((alias.asname or alias.name, getattr(module, alias.name)) for alias in node.names)


def resolved(node, names):
    """The object that a name or a chain of attributes of graphclust is, or None."""
    if isinstance(node, ast.Name):
        return names.get(node.id)
    if isinstance(node, ast.Attribute):
        owner = resolved(node.value, names)
        return getattr(owner, node.attr) if inspect.ismodule(owner) or inspect.isclass(owner) else None
    return None


def check_calls(source):
    """Fail where code names something that graphclust does not have, or a parameter that it does not take."""
    tree = ast.parse(source)
    names = dict(imported_names(tree))
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            resolved(node, names)
        if isinstance(node, ast.Call) and callable(function := resolved(node.func, names)):
            parameters = inspect.signature(function).parameters.values()
            accepted = {parameter.name for parameter in parameters}
            anything = any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters)
            keywords = {keyword.arg for keyword in node.keywords if keyword.arg}
            assert anything or keywords <= accepted, f"{ast.unparse(node.func)} takes no {keywords - accepted}"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_calls_what_there_is(path):
    """Seconds in the place of a run: a renamed function or parameter is noticed at once."""
    check_calls("\n".join(cell.source for cell in code_cells(path)).replace("%matplotlib", "# %matplotlib"))


@pytest.mark.parametrize("line", ["gc.detects(1)", "gc.metrics.amy([0], [0])", "gc.CLAM(2, no_such_parameter=1)"])
def test_calls_of_what_is_missing_are_noticed(line):
    with pytest.raises((AttributeError, AssertionError)):
        check_calls(f"import graphclust as gc\n{line}\n")
