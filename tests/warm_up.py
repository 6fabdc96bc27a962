"""Compile the numba loops once, before several test processes would each compile them: python -m tests.warm_up.

Loops that are already compiled are only loaded.
"""

from __future__ import annotations

import torch

from graphclust.detection.warming import STAGES
from graphclust.nn.edge_gates import gated_messages
from tests.nn import test_edge_gates

_ORDER = (
    "generators",
    "edge gates",
    "block models",
    "groups",
    "mixtures",
    "cuts",
)  # those first whose tests come first


def main() -> None:
    """Run each loop once."""
    for stage in _ORDER:
        STAGES[stage]()
        if stage == "edge gates":  # in double precision, which only tests use
            arguments, leaves = test_edge_gates.inputs(test_edge_gates.random_edges(False), False, True)
            torch.autograd.grad(gated_messages(*arguments).message.sum(), leaves)


if __name__ == "__main__":
    main()
