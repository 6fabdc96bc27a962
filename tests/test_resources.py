"""Memory: what there is, and refusals."""

from __future__ import annotations

import pytest

from graphclust.errors import ResourceError, UsageError
from graphclust.resources import available_memory, format_bytes, require_memory


def test_available_memory_is_plausible():
    available = available_memory()
    assert available is None or 2**26 < available < 2**50


def test_environment_overrides(monkeypatch):
    monkeypatch.setenv("GRAPHCLUST_MEMORY", "1.5")
    assert available_memory() == 3 * 2**29
    require_memory(2**30, "this")
    with pytest.raises(ResourceError, match=r"this needs about 2 GiB of memory; 1.5 GiB are available"):
        require_memory(2**31, "this")
    for nonsense in ("much", "-1", "nan", "inf", "0"):
        monkeypatch.setenv("GRAPHCLUST_MEMORY", nonsense)
        with pytest.raises(UsageError, match="GRAPHCLUST_MEMORY"):
            available_memory()


@pytest.mark.parametrize(
    ("size", "text"), [(0, "0 B"), (999, "999 B"), (1024, "1 KiB"), (2**40, "1 TiB"), (2**60, "1.02e+03 PiB")]
)
def test_units(size, text):
    assert format_bytes(size) == text
