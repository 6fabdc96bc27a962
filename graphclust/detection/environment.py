"""What graphclust finds on this machine: versions, optional libraries, processors, memory, GPU, caches."""

from __future__ import annotations

import os
import platform
import re
import shutil
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

from graphclust import __version__
from graphclust.runtime.compilation import usual_code_folder
from graphclust.runtime.memory import available_memory, format_bytes
from graphclust.runtime.notes import counted
from graphclust.runtime.storage import default_folder
from graphclust.runtime.threads import n_threads

__all__ = ["Finding", "environment"]

_OPTIONAL = {  # libraries by what they are for, and how they are installed
    "distributed": ("--cluster, study --dask", "pip install 'graphclust[dask]'"),
    "openpyxl": ("Excel tables", "pip install 'graphclust[excel]'"),
    "anndata": ("AnnData files for gc.tl", "pip install anndata"),
    "cdlib": ("c.to_cdlib()", "pip install cdlib"),
}
_VARIABLES = ("GRAPHCLUST_DATA", "GRAPHCLUST_MEMORY", "TMPDIR", "XDG_CACHE_HOME", "NUMBA_CACHE_DIR", "OMP_NUM_THREADS")


class Finding(NamedTuple):
    """One line of `environment`.

    Attributes
    ----------
    name, value : str
    problem : str
        What is wrong and what helps; empty if nothing is.
    """

    name: str
    value: str
    problem: str = ""


def environment() -> list[Finding]:
    """Return what there is on this machine, and what is wrong with it.

    Libraries are not imported, but for torch, which knows the GPU.
    """
    return [*_versions(), *_optional(), *_machine(), *_folders()]


def _versions() -> Iterator[Finding]:
    yield Finding("graphclust", f"{__version__} ({Path(__file__).parents[1]})")
    yield Finding("Python", f"{platform.python_version()} ({sys.executable})")
    yield Finding("system", platform.platform())
    for requirement in metadata.requires("graphclust") or ():
        if "extra ==" in requirement:
            continue
        name = re.match(r"[\w.-]+", requirement)
        if name is not None:
            yield _library(name[0], requirement.partition(";")[0].strip())


def _library(name: str, requirement: str) -> Finding:
    """Return the version of a library that graphclust requires."""
    from packaging.requirements import Requirement

    version = _version(name)
    if version is None:
        return Finding(name, "missing", f"pip install '{requirement}'")
    is_enough = Requirement(requirement).specifier.contains(version, prereleases=True)
    return Finding(name, version, "" if is_enough else f"graphclust needs {requirement}: pip install '{requirement}'")


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _optional() -> Iterator[Finding]:
    for name, (purpose, command) in _OPTIONAL.items():
        version = _version(name)
        advice = "" if version else f": {command}"
        yield Finding(name, f"{version or 'not installed'} (optional, for {purpose}{advice})")


def _machine() -> Iterator[Finding]:
    cores, threads = os.cpu_count() or 1, n_threads()
    yield Finding("threads", f"{threads} of {counted(cores, 'core')}")
    free = available_memory()
    yield Finding("memory", "unknown" if free is None else f"{format_bytes(free)} available")
    yield Finding("GPU", _gpu())


def _gpu() -> str:
    if _version("torch") is None:
        return "none: torch is not installed"
    import torch

    if not torch.cuda.is_available():
        return f"none for torch {torch.__version__}"
    names = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    return f"{', '.join(names)} (CUDA {torch.version.cuda})"


def _folders() -> Iterator[Finding]:
    from graphclust.datasets.cache import cache_folder

    code = os.environ.get("NUMBA_CACHE_DIR") or usual_code_folder()
    problem = "" if code else "no folder can be written to: each process compiles anew; NUMBA_CACHE_DIR names a folder"
    yield Finding("compiled code", str(code or "not kept"), problem)
    temporary = default_folder()
    free = shutil.disk_usage(temporary).free if Path(temporary).is_dir() else 0
    lack = "" if free > 1 << 30 else "graphs that do not fit into memory need more; TMPDIR names another folder"
    yield Finding("temporary files", f"{temporary} ({format_bytes(free)} free)", lack)
    data = os.environ.get("GRAPHCLUST_DATA")
    missing = f"there is no folder {data}" if data and not Path(data).is_dir() else ""
    yield Finding("data sets", f"{data + ', then ' if data else ''}{cache_folder()}", missing)
    for name in _VARIABLES:
        if os.environ.get(name):
            yield Finding(name, os.environ[name])
