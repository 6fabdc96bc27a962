"""How the code is laid out and named: few root modules, imports in one direction, few parameters, plain names."""

from __future__ import annotations

import ast
import inspect
import re
import subprocess
from collections import Counter, defaultdict
from pathlib import Path

import pytest

import graphclust as gc

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "graphclust"
SOURCES = sorted(
    path
    for folder in (PACKAGE, ROOT / "generators")
    for path in folder.rglob("*.py")
    if folder != PACKAGE or path.relative_to(PACKAGE).parts[0] != "generators"  # a link to the other folder
)
MOST_ROOT_MODULES = 6
MOST_LEVELS = 12
MOST_PARAMETERS = 14  # of a method's constructor
MOST_EMPTY_NAMES = 0.003  # share of all assigned names
EMPTY_NAMES = {
    *("found", "one", "told", "said", "kept", "given", "each"),
    *("asked", "of", "here", "there", "whole", "taken"),
}
CONTEXT_VARIABLES = {
    "threads.py",
    "progress.py",
    "cluster.py",
}  # how many threads and workers run, and who shows the progress: not what is fitted


def package_of(path):
    """The package, or the module at the root, that a file belongs to."""
    relative = path.relative_to(PACKAGE if PACKAGE in path.parents else ROOT)
    return relative.parts[0].removesuffix(".py")


def is_type_checking(node):
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


def imported_packages(tree):
    """Packages of graphclust that a module imports anywhere, also inside functions, but not for type checkers."""
    for_types = {id(child) for node in ast.walk(tree) if is_type_checking(node) for child in ast.walk(node)}
    for node in ast.walk(tree):
        if id(node) in for_types:
            continue
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "graphclust":
            parts = node.module.split(".")
            yield from [parts[1]] if len(parts) > 1 else [alias.name for alias in node.names]
        elif isinstance(node, ast.Import):
            yield from (alias.name.split(".")[1] for alias in node.names if alias.name.startswith("graphclust."))


@pytest.fixture(scope="module")
def dependencies():
    """Package -> the packages that it imports."""
    seen = defaultdict(set)
    for path in SOURCES:
        package = package_of(path)
        if not package.startswith("__"):
            seen[package] |= {name for name in imported_packages(ast.parse(path.read_text())) if name != package}
    return {package: {name for name in names if not name.startswith("__")} for package, names in seen.items()}


def levels(dependencies):
    """Level of each package: 1 where it imports none of ours, else one above the highest that it imports."""
    level = {}

    def level_of(package, path=()):
        assert package not in path, f"imports go in a circle: {' -> '.join((*path[path.index(package) :], package))}"
        if package not in level:
            below = (level_of(name, (*path, package)) for name in dependencies.get(package, ()))
            level[package] = 1 + max(below, default=0)
        return level[package]

    for package in dependencies:
        level_of(package)
    return level


def test_few_modules_at_the_root():
    modules = sorted(path.name for path in PACKAGE.glob("*.py"))
    assert len(modules) <= MOST_ROOT_MODULES, modules


def test_imports_go_in_one_direction_through_few_levels(dependencies):
    level = levels(dependencies)
    assert max(level.values()) <= MOST_LEVELS, sorted(level.items(), key=lambda item: item[1])


def test_a_circle_is_found():
    with pytest.raises(AssertionError, match="circle: a -> b -> a"):
        levels({"a": {"b"}, "b": {"a"}})


@pytest.mark.parametrize(
    ("package", "never"),
    [
        ("kernels", {"io", "results", "methods", "problem", "training"}),
        ("models", {"io", "training", "methods", "results"}),  # tensors in, tensors out: no files, no optimiser
        ("nn", {"io", "training", "methods", "results"}),
        ("results", {"methods", "training", "inference"}),  # results know no method
        ("report", {"methods", "training", "inference"}),
    ],
)
def test_boundaries(dependencies, package, never):
    assert not dependencies[package] & never


def test_the_readme_lists_packages_below_those_that_they_import(dependencies):
    rows = [line for line in (ROOT / "README.md").read_text().splitlines() if line.startswith("| `")]
    listed = [name for row in rows for name in re.findall(r"`(\w+)`", row.split("|")[1])]
    listed = [name for name in listed if (PACKAGE / name).is_dir()]
    packages = {path.parent.name for path in PACKAGE.glob("*/__init__.py")} - {"data"}
    assert set(listed) == packages
    for package in listed:
        below = {name for name in dependencies.get(package, ()) if name in packages}
        assert below <= set(listed[: listed.index(package)]), package


def assigned_names(tree):
    """Names that a module gives: variables, attributes, parameters, functions and classes."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.attr
        elif isinstance(node, ast.arg):
            yield node.arg
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name


def test_assigned_names_are_collected():
    code = "class A:\n    def f(self, x):\n        self.y = z = [t for t in x]\n"
    assert sorted(assigned_names(ast.parse(code))) == ["A", "f", "self", "t", "x", "y", "z"]


@pytest.mark.parametrize("folder", ["graphclust", "generators", "training", "tests"])
def test_names_say_what_things_are(folder):
    names, places = 0, Counter()
    for path in sorted((ROOT / folder).rglob("*.py")):
        for name in assigned_names(ast.parse(path.read_text())):
            names += 1
            places[f"{path.relative_to(ROOT)}: {name}"] += name in EMPTY_NAMES
    empty = +places
    assert empty.total() <= MOST_EMPTY_NAMES * names, sorted(empty)


@pytest.mark.parametrize("name", gc.METHODS)
def test_methods_have_few_parameters(name):
    parameters = list(inspect.signature(gc.METHODS[name]).parameters)
    assert len(parameters) <= MOST_PARAMETERS, parameters


def test_no_context_variable_changes_a_fit():
    modules = {path.name for path in SOURCES if "ContextVar(" in path.read_text()}
    assert modules <= CONTEXT_VARIABLES


def test_no_output_was_committed():
    """Tests and examples may write files; none of them belongs in the repository."""
    done = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip("not a git repository")
    roots = {name.partition("/")[0] for name in done.stdout.splitlines()}
    files = {".gitignore", ".pre-commit-config.yaml", "CHANGELOG.md", "LICENSE", "Makefile", "README.md"}
    folders = {".ci", "data", "docs", "generators", "graphclust", "notebooks", "results", "tests", "training"}
    assert roots <= files | folders | {"constraints.txt", "mkdocs.yml", "pyproject.toml"}
