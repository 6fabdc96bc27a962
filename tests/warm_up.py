"""Compile the numba loops once, before several test processes would each compile them: python -m tests.warm_up.

Loops that are already compiled are only loaded.
"""

from __future__ import annotations

import numpy as np
import torch

import graphclust as gc
from graphclust.inference.mixtures import MixtureLaw, sample_partitions
from graphclust.nn.edge_gates import gated_messages
from tests.nn import test_edge_gates


def main() -> None:
    """Run each loop once, those first whose tests come first."""
    gc.generators.lfr(60, mu=0.2, random_state=0)
    for dtype in (torch.float32, torch.float64):
        arguments, leaves = test_edge_gates.inputs(test_edge_gates.random_edges(False), False, True, dtype)
        torch.autograd.grad(gated_messages(*arguments).message.sum(), leaves)
    graph = gc.generators.planted_partition(60, 3, p_in=0.6, p_out=0.05, random_state=0)
    gc.detect(graph, random_state=0)
    sample_partitions(np.eye(4), MixtureLaw(), n_samples=1, n_burn_in=1)
    gc.CNC(3, random_state=0, max_epochs=1).fit(graph)


if __name__ == "__main__":
    main()
