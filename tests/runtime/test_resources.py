"""Memory: what there is, and refusals."""

from __future__ import annotations

import pytest

from graphclust.errors import ResourceError, UsageError
from graphclust.runtime import memory
from graphclust.runtime.memory import available_memory, format_bytes, require_memory


def test_available_memory_is_plausible():
    available = available_memory()
    assert available is None or 2**26 < available < 2**50


def test_environment_overrides(monkeypatch):
    monkeypatch.setenv("GRAPHCLUST_MEMORY", "1.5")
    assert available_memory() == 3 * 2**29
    require_memory(2**30, "this")
    with pytest.raises(ResourceError, match=r"this needs about 2 GiB of memory, but 1.5 GiB is available"):
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


@pytest.mark.parametrize(
    ("names", "prefix"),
    [(("memory.max", "memory.current"), ""), (("memory.limit_in_bytes", "memory.usage_in_bytes"), "total_")],
)
def test_what_a_control_group_holds_is_not_available(monkeypatch, tmp_path, names, prefix):
    monkeypatch.delenv("GRAPHCLUST_MEMORY", raising=False)
    monkeypatch.setattr(memory, "_CGROUPS", ((tmp_path, *names, prefix),))
    limit, held = (tmp_path / name for name in names)
    limit.write_text(f"{64 * 2**20}\n")
    assert available_memory() == 64 * 2**20
    held.write_text(f"{48 * 2**20}\n")
    (tmp_path / "memory.stat").write_text(f"{prefix}inactive_file {8 * 2**20}\n{prefix}active_file {4 * 2**20}\n")
    assert available_memory() == 28 * 2**20
    held.write_text(f"{99 * 2**20}\n")
    assert available_memory() == 0
    limit.write_text("max\n")
    assert available_memory() != 0
