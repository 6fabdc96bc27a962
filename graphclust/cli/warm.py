"""graphclust warm: compile all loops in advance."""

from __future__ import annotations

import time
from typing import Annotated

import typer

from graphclust.cli.common import Quiet, say

__all__ = ["warm"]


def warm(
    *,
    jobs: Annotated[
        int | None,
        typer.Option("--jobs", "-j", min=1, metavar="N", help="Number of processes; by default one for each core."),
    ] = None,
    quiet: Quiet = False,
) -> None:
    """Compile all loops in advance, which otherwise happens in the first run of a method.

    The code is kept beside the package or in the user's cache, or in the folder that NUMBA_CACHE_DIR names.
    """
    from graphclust.detection.warming import compile_loops

    start = time.perf_counter()
    compile_loops(jobs)
    if not quiet:
        say(f"all loops are compiled ({time.perf_counter() - start:.0f} s)")
