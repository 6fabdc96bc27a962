"""Devices of tensors: CPU or GPU."""

from __future__ import annotations

import torch

from graphclust.errors import UsageError

__all__ = ["device_named"]


def device_named(name: str) -> torch.device:
    """Return the device of a name; "auto" is the GPU if there is one, and otherwise the CPU.

    Raises
    ------
    UsageError
        The name is unknown, or this machine has no such device.

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
        raise UsageError("this machine has no CUDA device: use --device cpu or auto")
    return device
