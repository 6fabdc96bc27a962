"""Seeds: convert scikit-learn's `random_state` to an integer, and seed igraph's global generator temporarily."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from graphclust.errors import UsageError

__all__ = ["check_seed", "seeded_igraph"]

_igraph_lock = threading.Lock()


def check_seed(random_state: Any) -> int:
    """Convert scikit-learn's `random_state` (None, an integer or a NumPy generator) to a seed below 2**31.

    Raises
    ------
    UsageError
        `random_state` is a negative integer or of another type.

    Examples
    --------
    >>> check_seed(7)
    7
    """
    if random_state is None:
        return int(np.random.default_rng().integers(2**31))
    if isinstance(random_state, int | np.integer) and random_state >= 0:
        return int(random_state) % 2**31
    if isinstance(random_state, np.random.Generator):
        return int(random_state.integers(2**31))
    if isinstance(random_state, np.random.RandomState):
        return int(random_state.randint(2**31 - 1))
    raise UsageError(f"random_state is None, a non-negative integer or a NumPy generator, not {random_state!r}")


@contextmanager
def seeded_igraph(seed: int) -> Iterator[None]:
    """Make igraph use a seeded generator inside the block, and Python's global generator again afterwards."""
    import igraph as ig

    with _igraph_lock:
        ig.set_random_number_generator(random.Random(seed))
        try:
            yield
        finally:
            ig.set_random_number_generator(random)
