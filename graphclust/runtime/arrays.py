"""Types of arrays."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = ["FloatArray", "IntArray", "index_dtype"]

IntArray: TypeAlias = NDArray[np.signedinteger[Any]]
FloatArray: TypeAlias = NDArray[np.float64]


def index_dtype(n: int) -> type[np.signedinteger[Any]]:
    """Return the dtype for positions among n things: int32, or int64 above 2^31.

    Examples
    --------
    >>> index_dtype(10), index_dtype(2**31 + 1)
    (<class 'numpy.int32'>, <class 'numpy.int64'>)
    """
    return np.int32 if n <= 1 << 31 else np.int64
