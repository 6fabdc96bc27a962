"""Seeds: convert scikit-learn's `random_state` to an integer, and seed igraph's global generator temporarily."""

from __future__ import annotations

import random
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from graphclust.errors import UsageError

__all__ = ["check_seed", "seeded_globals", "seeded_igraph"]

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


@contextmanager
def seeded_globals(seed: int) -> Iterator[None]:
    """Seed the global generators of Python, NumPy and PyTorch inside the block; restore their states afterwards.

    For code of the user's, which may draw from them. PyTorch is seeded only if it has been imported.
    """
    python, numpy = random.getstate(), np.random.get_state()  # noqa: NPY002 -- the global generator is meant
    torch: Any = sys.modules.get("torch")
    state = None if torch is None else torch.random.get_rng_state()
    try:
        random.seed(seed)
        np.random.seed(seed)  # noqa: NPY002
        if torch is not None:
            torch.random.default_generator.manual_seed(seed)
        yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)  # noqa: NPY002
        if state is not None:
            torch.random.set_rng_state(state)
