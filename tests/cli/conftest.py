"""The command line inside the test process: what a user types, what comes out."""

from __future__ import annotations

import io
import sys
from dataclasses import dataclass

import pytest

from graphclust.__main__ import main


@dataclass
class Result:
    code: int
    out: str
    err: str

    @property
    def table(self):
        """Rows of a TSV result as {node: community}."""
        head, *rows = (line.split("\t") for line in self.out.splitlines())
        assert head[:2] == ["node", "community"]
        return {row[0]: int(row[1]) for row in rows}


@pytest.fixture
def cli(capfdbinary, monkeypatch):
    def run(*args, stdin=b""):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        monkeypatch.setattr(sys, "argv", ["graphclust", *map(str, args)])
        capfdbinary.readouterr()
        code = main([str(arg) for arg in args])
        out, err = capfdbinary.readouterr()
        return Result(code, out.decode(), err.decode())

    return run
