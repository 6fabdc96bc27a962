"""A faster start of the command line, for processes that it owns."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

__all__ = ["prepare"]

_PLOTTING = ("matplotlib", "plotly", "cairo", "cairocffi")
_CHAINS = "from graphclust.inference.block_models import PlantedPartitionModel as M; M([0], [1], 2).log_joint([0, 0])"


def prepare(arguments: Sequence[str]) -> None:
    """Import or compile at once what a command will need.

    The loops of Markov chains take longest to compile, and a process of their own compiles them while others are
    compiled and imported.
    """
    if arguments[:1] not in (["detect"], ["compare"]):
        return
    named = {"-m", "--method", "--methods"} & set(arguments)
    if not {"-h", "--help"} & set(arguments) and (not named or "auto" in arguments):
        from graphclust.runtime.compilation import compile_beside

        compile_beside(_CHAINS, "graphclust.kernels.block_moves", "run")
    _import_igraph()


def _import_igraph() -> None:
    """Import igraph as if no plotting library were installed, which takes 0.03 s instead of 0.5 s.

    igraph cannot plot afterwards.
    """
    hidden: dict[str, Any] = {name: None for name in _PLOTTING if name not in sys.modules}
    sys.modules.update(hidden)
    try:
        import igraph  # noqa: F401
    finally:
        for name in hidden:
            del sys.modules[name]
