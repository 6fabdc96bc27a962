"""A faster start of the command line, for processes that it owns."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

__all__ = ["prepare"]

_PLOTTING = ("matplotlib", "plotly", "cairo", "cairocffi")
_CHAINS = "from graphclust.kernels import block_moves as b; b.run(b.blank_state(), b.SWEEP, 0, 0, 1, 0.0, 0.0, 0)"
_TRIANGLES = [(0, 1), (1, 2), (2, 0), (2, 3), (3, 4), (4, 5), (5, 3)]
_COMMUNITIES = f"from graphclust.methods.leiden import Leiden; Leiden(random_state=0).fit({_TRIANGLES})"
_CUTS = (
    "import numpy; from graphclust.kernels.cut_moves import lower_cut, merge_cut; "
    "one, two = numpy.zeros(1, int), numpy.zeros(2, int); "
    "lower_cut(two, one[:0], numpy.ones(0), numpy.ones(1), 0.0, one, 1, one, 1); "
    "merge_cut(numpy.ones((1, 1)), numpy.ones(1), 1, 0.0)"
)


def prepare(arguments: Sequence[str]) -> None:
    """Start importing and compiling what a command will need.

    What takes longest to compile is left to processes of its own: the loops of Markov chains, or those of Leiden and of
    cuts if the method imports torch in the meantime.
    """
    if arguments[:1] not in (["detect"], ["compare"], ["cluster"]) or {"-h", "--help"} & set(arguments):
        return

    def names(*methods: str) -> bool:
        return any(method in argument for argument in arguments for method in methods)

    has_method = any(argument.startswith(("-m", "--method")) for argument in arguments)
    uses_auto = names("auto") or (not has_method and arguments[0] != "cluster")
    if uses_auto or names("cnc", "lnscc"):
        from graphclust.runtime.compilation import compile_beside

        if uses_auto:
            compile_beside(_CHAINS, "graphclust.kernels.block_moves", "run")
        else:
            compile_beside(_COMMUNITIES, "graphclust.kernels.local_moves", "_empty_queue")
            if names("cnc"):
                compile_beside(_CUTS, "graphclust.kernels.cut_moves", "_merge_all")
    if names("report", "figure", ".html"):
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
