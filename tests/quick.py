"""Choose the tests that `make test` leaves out: python -m tests.quick (a quarter of an hour on two cores).

All tests but the slow ones run once, with their times and the lines that each of them reaches. The long ones are left
out as far as the others reach every line without them: they repeat what shorter tests do with more cases, more draws
or larger graphs. Their names go to tests/long_tests.txt. `make check` runs them, too.
"""

from __future__ import annotations

import collections
import sys
import tempfile
from collections.abc import Mapping, Set
from pathlib import Path
from typing import TypeVar

import coverage
import pytest

LONG = 0.4  # seconds, with the lines recorded
LIST = Path(__file__).parent / "long_tests.txt"
Line = TypeVar("Line")


class Times:
    """A plugin of pytest: the seconds of each test with its fixtures."""

    def __init__(self) -> None:
        self.seconds: collections.Counter[str] = collections.Counter()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Add the time of a phase."""
        self.seconds[report.nodeid] += report.duration


def to_leave_out(seconds: Mapping[str, float], lines: Mapping[str, Set[Line]], long: float = LONG) -> list[str]:
    """Return the long tests without which the others reach the same lines.

    Long tests are kept one by one, each time the one that adds most lines for its time.
    """
    candidates = {test for test, value in seconds.items() if value >= long}
    by_short_tests = (lines.get(test, frozenset()) for test in seconds if test not in candidates)
    missing = set().union(*lines.values()).difference(*by_short_tests)
    while missing:
        best = max(sorted(candidates), key=lambda test: len(lines.get(test, frozenset()) & missing) / seconds[test])
        reached = lines.get(best, frozenset()) & missing
        if not reached:
            break
        candidates.remove(best)
        missing -= reached
    return sorted(candidates)


def main() -> int:
    """Run the tests and write the list."""
    times = Times()
    with tempfile.TemporaryDirectory() as folder:
        config, data = Path(folder) / "coverage.ini", Path(folder) / "data"
        config.write_text(f"[run]\nsource = graphclust\ndata_file = {data}\n")
        options = ["-n", "auto", "-m", "not slow", "--cov=graphclust", f"--cov-config={config}", "--cov-context=test"]
        status = pytest.main([*options, "--cov-report="], plugins=[times])
        if status:
            return int(status)
        lines: dict[str, set[tuple[str, int]]] = collections.defaultdict(set)
        reached = coverage.CoverageData(str(data))
        reached.read()
        for name in reached.measured_files():
            for line, contexts in reached.contexts_by_lineno(name).items():
                for context in filter(None, contexts):  # without a test, it was reached by an import
                    lines[context.partition("|")[0]].add((name, line))
    LIST.write_text("".join(f"{test}\n" for test in to_leave_out(times.seconds, lines)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
