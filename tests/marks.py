"""Marks for cases of parametrised tests."""

from __future__ import annotations

import pytest


def slow(*cases):
    """Cases that `make slow` alone runs: minutes in all, with brief ones beside them that always run."""
    return [pytest.param(case, marks=pytest.mark.slow) for case in cases]
