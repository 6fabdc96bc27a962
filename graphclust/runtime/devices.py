"""Where tensors lie: CPU or GPU."""

from __future__ import annotations

import torch

from graphclust.errors import UsageError

__all__ = ["device_named"]


def device_named(name: str) -> torch.device:
    """Return a device: "auto" is the GPU where there is one.

    Raises
    ------
    UsageError
        No such device here.

    Examples
    --------
    >>> device_named("cpu")
    device(type='cpu')
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except (RuntimeError, TypeError):
        device = torch.device("meta")
    if device.type not in ("cpu", "cuda"):
        raise UsageError(f"device is auto, cpu or cuda, not {name!r}")
    if device.type == "cuda" and not torch.cuda.is_available():
        raise UsageError("there is no CUDA device here: --device cpu, or auto")
    return device
