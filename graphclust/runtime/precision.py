"""The floating-point precision of neural networks."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["single_precision"]


@contextmanager
def single_precision() -> Iterator[None]:
    """Set torch's default precision to single, which networks use, and restore the caller's default afterwards.

    Examples
    --------
    >>> import torch
    >>> torch.set_default_dtype(torch.float64)
    >>> with single_precision():
    ...     torch.zeros(1).dtype
    torch.float32
    >>> torch.zeros(1).dtype
    torch.float64
    >>> torch.set_default_dtype(torch.float32)
    """
    if "torch" not in sys.modules:  # nobody has changed its default, which is single
        yield
        return
    import torch

    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float32)
    try:
        yield
    finally:
        torch.set_default_dtype(before)
