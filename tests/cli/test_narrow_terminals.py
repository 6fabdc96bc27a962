"""Terminals with few columns: nothing is cut, tables are wrapped or become blocks."""

from __future__ import annotations

import io
import os
import subprocess
import sys

import pytest

from graphclust.cli.table import print_table


class Terminal(io.BytesIO):
    def isatty(self):
        return True


ROWS = [
    {"method": "leiden", "n": 4, "what": "modularity or the constant Potts model, with connected communities"},
    {"method": "infomap", "n": 12, "what": "the map equation"},
]


def printed(rows, width, stream, monkeypatch):
    monkeypatch.setenv("COLUMNS", str(width))
    print_table(rows, stream)
    return stream.getvalue().decode()


@pytest.mark.parametrize("width", [20, 40, 60, 200])
def test_tables_fit_into_a_terminal_and_lose_nothing(width, monkeypatch):
    text = printed(ROWS, width, Terminal(), monkeypatch)
    assert max(map(len, text.splitlines())) <= width
    for row in ROWS:
        assert all(word in text.split() for value in row.values() for word in str(value).split())


def test_files_and_pipes_are_not_wrapped(monkeypatch):
    assert len(printed(ROWS, 20, io.BytesIO(), monkeypatch).splitlines()) == 3


@pytest.mark.parametrize("command", ["detect", "cluster", "train", "generate", "study"])
def test_the_names_of_options_are_complete(command):
    environment = os.environ | {"COLUMNS": "40", "NO_COLOR": "1"}
    arguments = [sys.executable, "-m", "graphclust", command, "--help"]
    text = subprocess.run(arguments, env=environment, capture_output=True, text=True, check=True).stdout
    assert "…" not in text
    assert "--" in text
