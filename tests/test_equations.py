"""docs/equations.md: every name exists, no number is missing, and docstrings say the same.

A table of equations at the end of a module's docstring has the paper's name as the title of its first column.
"""

from __future__ import annotations

import ast
import importlib
import importlib.util
import inspect
import re
import shlex
from pathlib import Path

import pytest

from graphclust.reproduce import TABLES

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "equations.md").read_text()

# Names that are being written elsewhere. Whoever adds one takes it out here: a name that exists fails the test.
PENDING: set[str] = set()

# Numbers and rows, counted in the papers' text.
EQUATIONS = {"ACP": 62, "CNC": 6, "LNSCC": 19, "CLAM": 9}
UNNUMBERED = {
    "ACP": {"sec. 2.1", "sec. 2.2", "PMA", "sec. 3", "sec. 3.1", "sec. 3.2"},
    "CNC": {"contrastive", "ACC", "NMI"},
    "LNSCC": {"V", "Ū"},
    "CLAM": {"SC", "NMI", "ARI"},
}
FIGURES = {
    "ACP": {*(f"Fig. {i}" for i in range(1, 5)), "Fig. S1", "Fig. S2", "Example 1"},
    "CNC": {*(f"Fig. {i}" for i in range(1, 4)), *(f"Alg. 1 line {i}" for i in (3, 5, 6, 7, 8, 9))},
    "LNSCC": {f"Fig. {i}" for i in range(1, 6)},
    "CLAM": {f"Fig. {i}" for i in range(1, 4)},
}
_CLAM_DATA = {"Zoo", "Yale", "GCM", "Ecoli", "USPS", "CTG", "Segment"}
ROWS = {
    "ACP": {
        "Table 1": {"CCP", "ACP", "NCP"},
        "Table 2": {
            f"{encoder} + {model}"
            for encoder in ("GatedGCN + Pos Enc.", "GraphSAGE + Pos Enc.", "GatedGCN + Rand Feat.")
            for model in ("ACP", "ACP-S", "CCP")
        },
        "Table 3": {
            *("ACP", "ACP-S", "CCP", "Semi-supervised ACP", "Semi-supervised ACP-S", "Semi-supervised CCP"),
            "Node classification",
        },
        "Table 4": {"Amazon", "DBLP", "LJ", "Youtube"},
    },
    "CNC": {
        "Table 1": {"DEC", "DCN", "VaDE", "DEPICT", "IMSAT", "IIC", "SpectralNet", "CNC"},
        "Table 2": {"SpectralNet", "CNC"},
        "Table 3": {"SpectralNet", "CNC"},
    },
    "LNSCC": {
        "Table 1": {"REUTERS-10K", "MNIST", "MNIST-test", "USPS", "Fashion-MNIST"},
        "Table 2": {
            *("k-means", "DBSCAN", "DenPeak", "N-Cut", "LDMGI", "SC-ST", "SC-LS", "DEC", "IDEC", "DKM", "DCN"),
            *("UMAP-kmeans", "LNSCC (ours)", "k-means VGG", "JULE", "DEPICT", "ConvDEC", "ConvDEC-DA", "DDC"),
            *("DDC-DA", "UMAP-kmeans VGG", "LNSCC VGG"),
        },
        "Table 3": {"DeepCluster", "DAC", "IIC", "SCAN-Loss (SimCLR)", "SCAN-Loss (RA)", "LNSCC (ours)"},
        "Table 4": {"im, ba and dis", "without im", "without ba", "without dis", "im alone"},
    },
    "CLAM": {
        "Table 1": _CLAM_DATA | {"MovLib", "FMNIST", "MicePE", "CLAM W/L"},
        "Table 2": _CLAM_DATA | {"Movement Libras", "Mice Protein Expression", "Fashion MNIST"},
        "Table 3": _CLAM_DATA | {"Movement Libras", "Mice Protein Exp", "FMNIST"},
    },
}

# Modules whose docstring ends with a table; of those in models/, two hold nothing that a paper prints.
WITHOUT_TABLE = {
    "graphclust.models",
    "graphclust.models.build",
    "graphclust.kernels.block_moves",
    "graphclust.inference.mixtures",
}
MODULES = sorted(
    {
        *(
            "graphclust.models" + ("" if path.stem == "__init__" else f".{path.stem}")
            for path in (ROOT / "graphclust" / "models").glob("*.py")
        ),
        *(f"graphclust.{name}" for name in ("nn.attention", "methods.clam", "methods.cnc", "methods.lnscc")),
    }
    - WITHOUT_TABLE
)


def cells(line):
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


def tables(text):
    """Yield the cells of the lines of each Markdown table, without the line below the titles."""
    for block in re.findall(r"(?:^\|.*\|\n?)+", text, re.MULTILINE):
        lines = block.splitlines()
        assert set(lines[1]) <= set("|-"), lines[1]
        rows = [cells(line) for line in (lines[0], *lines[2:])]
        assert {len(row) for row in rows} == {len(rows[0])}, rows[0]
        yield rows


def codes(cell):
    return re.findall(r"`([^`]+)`", cell)


def sections():
    """Return the tables below each heading of a paper: equations, figures, tables."""
    seen = {}
    for part in re.split(r"^## ", PAGE, flags=re.MULTILINE)[1:]:
        paper = part.split(":")[0]
        seen[paper] = [rows[1:] for rows in tables(part)]
        assert len(seen[paper]) == 3, paper
    return seen


PAPERS = sections()
STATEMENTS = {paper: [*equations, *figures] for paper, (equations, figures, _) in PAPERS.items()}


def names_of(value):
    """Return the parameters of a class, those of a dataclass among them."""
    return set(inspect.signature(value).parameters) if inspect.isclass(value) else set()


def exists(name):
    """Say whether a dotted name stands for something; its last part may be a parameter of a class."""
    parts = name.split(".")
    module = parts[0]
    for part in parts[1:]:
        if importlib.util.find_spec(f"{module}.{part}") is None:
            break
        module = f"{module}.{part}"
        if importlib.util.find_spec(module).submodule_search_locations is None:
            break
    value, rest = importlib.import_module(module), parts[module.count(".") + 1 :]
    for i, part in enumerate(rest, 1):
        if not hasattr(value, part):
            return i == len(rest) and part in names_of(value)
        value = getattr(value, part)
    return True


def commands():
    return [shlex.split(code) for code in codes(PAGE) if code.startswith("graphclust reproduce ")]


def pending_or(name, is_there):
    """Say whether a name is all right: it exists, or it is pending and does not."""
    return is_there != (name in PENDING)


def test_the_papers_are_these():
    assert set(PAPERS) == set(EQUATIONS)


def test_every_name_exists():
    names = {name for name in codes(PAGE) if re.fullmatch(r"graphclust(\.\w+)+", name)}
    assert len(names) > 100
    wrong = sorted(name for name in names if not pending_or(name, exists(name)))
    assert not wrong, f"not there, or there and still in PENDING: {', '.join(wrong)}"


def test_what_is_pending_does_not_exist_and_is_on_the_page():
    for name in PENDING:
        table = name.removeprefix("reproduce ")
        nx_graph = exists(name) if table == name else table in TABLES
        assert not nx_graph, f"{name} exists: take it out of PENDING"
        assert name in codes(PAGE) or table in {words[2] for words in commands()}


def test_names_that_do_not_exist_are_seen():
    for name in ("models.none", "models.cnc.Head.none", "models.none.Head", "methods.cnc.CNC.n_neighbors.none"):
        assert not exists(f"graphclust.{name}")
    for name in ("models", "models.cnc", "models.cnc.Head", "methods.cnc.CNC.n_neighbors", "models.cnc.Head.layer"):
        assert exists(f"graphclust.{name}")


@pytest.mark.parametrize("paper", EQUATIONS)
def test_no_number_is_missing(paper):
    equations, figures, _ = PAPERS[paper]
    numbers = [row[0] for row in equations]
    assert [int(number) for number in numbers if number.isdigit()] == list(range(1, EQUATIONS[paper] + 1))
    assert len(set(numbers)) == len(numbers)
    assert set(numbers) >= UNNUMBERED[paper]
    assert {row[0] for row in figures} >= FIGURES[paper]


@pytest.mark.parametrize("paper", EQUATIONS)
def test_every_statement_has_a_place_or_a_reason(paper):
    for number, words, where, printed in STATEMENTS[paper]:
        status = re.match(r"as printed|differs|missing: |property", printed)
        assert status, (number, printed)
        assert words.endswith("."), number
        if status[0] == "missing: ":
            assert where == "–", number
        else:
            assert codes(where), number
            assert re.fullmatch(r"`[\w.]+`(, `[\w.]+`)*", where), number


@pytest.mark.parametrize("paper", EQUATIONS)
def test_every_row_of_every_table_is_there(paper):
    seen = {}
    for table, rows, command, words in PAPERS[paper][2]:
        names = rows.split("; ")
        assert not seen.setdefault(table, set()).intersection(names), names
        seen[table].update(names)
        assert words
        assert command == "–" or codes(command), table
    assert seen == ROWS[paper]


def test_commands_are_those_of_the_command_line():
    """Tables, and the data sets and methods that they have."""
    assert len(commands()) > 10
    for words in commands():
        name = words[2]
        assert pending_or(f"reproduce {name}", name in TABLES), name
        if name not in TABLES:
            continue
        module = importlib.import_module(TABLES[name])
        known = {
            "--data": getattr(module, "DATA", None) or getattr(module, "TABLES", {}),
            "--method": getattr(module, "METHODS", None) or getattr(module, "PHASES", {}),
        }
        for option, value in zip(words[3::2], words[4::2], strict=True):
            assert value in known[option], words


def rows_of_docstring(module):
    """Return the paper of the table at the end of a module's docstring, and its rows; nothing where there is none."""
    path = Path(importlib.util.find_spec(module).origin)
    text = ast.get_docstring(ast.parse(path.read_text())) or ""
    for rows in tables(text):
        if rows[0][0] in EQUATIONS:
            assert text.rstrip().endswith("|"), f"{module}: the table is the docstring's end"
            return rows[0][0], rows[1:]
    return None, []


@pytest.mark.parametrize("module", MODULES)
def test_docstrings_say_what_the_page_says(module):
    """The same equations with the same names, in both directions."""
    paper, rows = rows_of_docstring(module)
    assert paper, f"{module} has no table of equations at the end of its docstring"
    reported, unplaced = set(), set()
    for numbers, entry, printed in rows:
        assert printed, numbers
        reported |= {(number, name) for number in numbers.split(", ") for name in codes(entry)}
        unplaced |= set() if codes(entry) else set(numbers.split(", "))
    listed = {
        (row[0], name.removeprefix(module).removeprefix("."))
        for row in STATEMENTS[paper]
        for name in codes(row[2])
        if name == module or name.startswith(f"{module}.")
    }
    assert reported == listed, f"only in the docstring {reported - listed}, only on the page {listed - reported}"
    assert unplaced <= {row[0] for row in STATEMENTS[paper] if row[2] == "–"}
    for _, name in reported:
        assert pending_or(f"{module}.{name}", exists(f"{module}.{name}")), name
    elsewhere = {name for other in set(PAPERS) - {paper} for row in STATEMENTS[other] for name in codes(row[2])}
    assert not {name for name in elsewhere if name.startswith(f"{module}.")}, "of two papers"
