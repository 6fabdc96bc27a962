"""A faster start of the command line, for processes that it owns."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

__all__ = ["prepare"]

_PLOTTING = ("matplotlib", "plotly", "cairo", "cairocffi")
_CHAINS = "from graphclust.inference.block_models import PlantedPartitionModel as M; M([0], [1], 2).log_joint([0, 0])"


def prepare(arguments: Sequence[str]) -> None:
    """Start importing and compiling what a command will need.

    The loops of Markov chains take longest to compile: a separate process compiles them.
    """
    if arguments[:1] not in (["detect"], ["compare"]):
        return
    if {"-h", "--help"} & set(arguments):
        return
    named = [argument for argument in arguments if argument.startswith(("-m", "--method"))]
    uses_auto = not named or any("auto" in argument for argument in arguments)
    if uses_auto:
        from graphclust.runtime.compilation import compile_beside

        compile_beside(_CHAINS, "graphclust.kernels.block_moves", "run")
    if uses_auto or any("infomap" in argument for argument in arguments):
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
