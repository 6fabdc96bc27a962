"""Compile the loops of numba, which the first test process to need them would otherwise do while others wait or compile
the same: python -m tests.warm_up. What is compiled already is only loaded."""

from __future__ import annotations

import numpy as np

import graphclust as gc
from graphclust.inference.mixtures import MixtureLaw, sample_partitions


def main() -> None:
    """Run each loop once."""
    graph = gc.generators.planted_partition(60, 3, p_in=0.6, p_out=0.05, random_state=0)
    gc.detect(graph, random_state=0)
    gc.CNC(3, random_state=0, max_epochs=1).fit(graph)
    sample_partitions(np.eye(4), MixtureLaw(), n_samples=1, n_burn_in=1)


if __name__ == "__main__":
    main()
