"""Run the walkthroughs of docs/walkthroughs: each page's commands and Python from top to bottom, in an empty folder.

A block of `sh` is a script, and a block of `python` continues the page's session. If a block of `text` follows, it is
the output, in which `...` stands for anything. `python -m tests.walkthroughs` writes the outputs anew.
"""

from __future__ import annotations

import contextlib
import doctest
import io
import os
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[1] / "docs" / "walkthroughs"
PAGES = sorted(FOLDER.glob("[a-z]*.md"))
_BLOCK = re.compile(r"^```(sh|python)\n(.*?)^```\n(?:\n```text\n(.*?)^```\n)?", re.DOTALL | re.MULTILINE)
_VARYING = [  # what differs between two runs
    (re.compile(r"\b\d+\.\d\d s\b"), "... s"),
    (re.compile(r"leaves \d+ MiB"), "leaves ... MiB"),
    (re.compile(r"(\D)/tmp/\S*"), r"\1..."),
    (re.compile(r"graphclust: \S+: compiling .*\n"), ""),
]


@dataclass(frozen=True)
class Step:
    """A block of a page with its output."""

    kind: str
    code: str
    expected: str | None
    output: str
    status: int

    @property
    def is_as_printed(self):
        flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
        return self.expected is None or doctest.OutputChecker().check_output(self.expected, self.output, flags)


def run_page(path, folder):
    """Yield the steps of a page, which run in `folder`."""
    names = {"__name__": "__main__"}
    for match in list(_BLOCK.finditer(path.read_text())):
        kind, code, expected = match.groups()
        output, status = _python(code, names) if kind == "python" else _shell(code, folder)
        for pattern, replacement in _VARYING[-1:]:
            output = pattern.sub(replacement, output)
        yield Step(kind, code, expected, output, status)


def _shell(code, folder):
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "COLUMNS": "110"}
    script = ["bash", "-eo", "pipefail", "-c", code]
    done = subprocess.run(
        script, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    return done.stdout, done.returncode


def _python(code, names):
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(compile(code, "walkthrough", "exec"), names)
    return out.getvalue(), 0


def _written_anew(path):
    """Return the text of a page with the outputs of this run."""
    home = Path.cwd()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        steps = iter(list(run_page(path, folder)))
        os.chdir(home)

    def replaced(match):
        step = next(steps)
        if step.status:
            sys.exit(f"{path.name}: {step.code}\n{step.output}")
        block = f"```{step.kind}\n{step.code}```\n"
        output = step.output
        for pattern, replacement in _VARYING[:-1]:
            output = pattern.sub(replacement, output)
        if match[3] is None or step.is_as_printed:
            return match[0]
        return f"{block}\n```text\n{output}```\n"

    return _BLOCK.sub(replaced, path.read_text())


if __name__ == "__main__":
    for page in PAGES if len(sys.argv) == 1 else [Path(name).resolve() for name in sys.argv[1:]]:
        page.write_text(_written_anew(page))
