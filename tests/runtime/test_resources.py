"""Memory: what there is, and refusals."""

from __future__ import annotations

import subprocess
import sys

import pytest

import graphclust as gc
from graphclust.errors import ResourceError, UsageError
from graphclust.runtime import memory
from graphclust.runtime.memory import available_memory, format_bytes, require_memory, shortage_of


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


# ---------------------------------------------------------------- a limit on the address space (ulimit -v)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not report the address space in use")
@pytest.mark.parametrize(
    ("mib", "method"),
    [(250, "leiden"), (450, "auto"), (450, "spectral"), (450, "acp"), (800, "clam"), (800, "cnc")],
)
def test_a_limit_ends_a_run_with_a_message_and_never_a_hang(mib, method):
    command = [sys.executable, "-m", "graphclust", "detect", "data:karate", "--method", method]
    command += ["-k", "2"] if gc.METHODS[method].takes_n_clusters == "required" else []
    limited = ["sh", "-c", f'ulimit -v {mib * 1024}; exec "$@"', "sh", *command]
    done = subprocess.run(limited, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1, done.stderr
    assert "of address space" in done.stderr
    assert "MiB" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("error", "is_shortage"),
    [
        (MemoryError(), True),
        (ImportError("libtorch_cpu.so: failed to map segment from shared object"), True),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes"), True),
        (OSError(12, "Cannot allocate memory"), True),
        (ImportError("No module named 'nonsense'"), False),
        (RuntimeError("boom"), False),
    ],
)
def test_errors_that_a_lack_of_memory_causes(error, is_shortage):
    assert (shortage_of(error) is not None) == is_shortage
    own = ResourceError("too large")
    assert shortage_of(own) is own


def test_a_limit_counts_as_available_memory(monkeypatch):
    monkeypatch.setattr(memory, "address_space_left", lambda: 5 << 20)
    assert available_memory() == 5 << 20
    with pytest.raises(ResourceError, match=r"auto needs about 1 GiB of address space .* leaves 5 MiB"):
        memory.require_address_space(2.0**30, "auto")
