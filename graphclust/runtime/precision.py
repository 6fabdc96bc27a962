"""The floating-point precision that networks compute in."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["single_precision"]


@contextmanager
def single_precision() -> Iterator[None]:
    """Have torch make numbers of single precision where none is named, as networks do, whatever the caller's default.

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
    if "torch" not in sys.modules:  # its default is single
        yield
        return
    import torch

    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float32)
    try:
        yield
    finally:
        torch.set_default_dtype(before)
