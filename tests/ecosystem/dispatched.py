"""A plugin for networkx's own tests that prints how often each function was run by graphclust."""

from __future__ import annotations

import logging
import re
from collections import Counter

calls: Counter[str] = Counter()


class _Counting(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        if found := re.match(r"Using backend 'graphclust' for call to '(\w+)'", record.getMessage()):
            calls[found[1]] += 1


def pytest_configure() -> None:
    logger = logging.getLogger("networkx")
    logger.setLevel(logging.DEBUG)
    logger.addHandler(_Counting())


def pytest_terminal_summary(terminalreporter) -> None:
    for name, number in sorted(calls.items()):
        terminalreporter.write_line(f"graphclust ran {name} {number} times")
