"""Compact states of training runs, which are small enough to be committed.

A compact state has the weights in half precision, which changes most of them by less than a step of Adam. Adam's
moments are bfloat16 numbers with a few binary digits: the rounding error is smaller than their noise, and git
compresses the result. A finished model has no moments, so that Adam starts with new ones. A run that is resumed from
either is not identical to the last bit, which a line {"step", "resumed"} in its log records.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.files import join, split, write

__all__ = ["pack", "unpack"]

_DIGITS = {"optimizer.exp_avg.": 3, "optimizer.exp_avg_sq.": 5}  # binary digits of Adam's moments
_SIZE = {"F64": 8, "I64": 8, "F32": 4, "I32": 4, "F16": 2, "BF16": 2, "I8": 1, "U8": 1, "BOOL": 1}  # bytes
# entries of a checkpoint's settings that are not in LoopSettings
_RUN_SETTINGS = ("n_z", "precision", "processes", "hardware", "seconds")


@dataclass(frozen=True)
class Tensor:
    """A tensor of a safetensors file.

    Attributes
    ----------
    dtype : str
        Name of the dtype in the format.
    shape : tuple of int
    data : bytes
    """

    dtype: str
    shape: tuple[int, ...]
    data: bytes

    def rounded(self, digits: int) -> Tensor:
        """Convert single precision to bfloat16 with the given number of binary digits."""
        mantissa, exponent = np.frexp(np.frombuffer(self.data, "<f4"))
        value = np.ldexp(np.round(mantissa * 2**digits) / np.float32(2**digits), exponent)
        return Tensor("BF16", self.shape, (value.view("<u4") >> 16).astype("<u2").tobytes())

    def half(self) -> Tensor:
        """Convert single to half precision, unless a number is too large for it."""
        with np.errstate(over="ignore"):
            value = np.frombuffer(self.data, "<f4").astype("<f2")
        return Tensor("F16", self.shape, value.tobytes()) if np.isfinite(value).all() else self

    def single(self) -> Tensor:
        """Convert half precision and bfloat16 to single precision; other dtypes stay as they are."""
        value: NDArray[np.float32]
        if self.dtype == "F16":
            value = np.frombuffer(self.data, "<f2").astype("<f4")
        elif self.dtype == "BF16":
            value = (np.frombuffer(self.data, "<u2").astype("<u4") << 16).view("<f4")
        else:
            return self
        return Tensor("F32", self.shape, value.tobytes())


def pack(state: Path, out: Path, run_log: Path, log: Path, note: dict[str, Any]) -> None:
    """Write a compact state and the log up to its step.

    Parameters
    ----------
    state, run_log : Path
        Files of a training, which may be running.
    out, log : Path
        Files to write.
    note : dict
        What the queue needs to resume the run.
    """
    tensors, metadata = _read(state)
    packed = {name: _compressed(name, value, tensors) for name, value in tensors.items()}
    write(log, run_log.read_bytes()[: metadata["state"]["log"]["size"]])
    _write(out, packed, {"state": metadata["state"], "queue": note})


def unpack(source: Path, state: Path, log: Path, run_log: Path) -> None:
    """Write the state from which a training is resumed, and its log.

    Parameters
    ----------
    source : Path
        A compact state, or a finished model.
    state, run_log : Path
        Files to write.
    log : Path
        The log of the source.
    """
    tensors, metadata = _read(source)
    content = log.read_bytes() if log.exists() else b""
    if "state" in metadata:
        note, origin = metadata["state"], "from a compact state"
        content = content[: note["log"]["size"]]
    else:
        tensors = {f"model.{name}": value for name, value in tensors.items()}
        note, origin = _note_of(metadata["graphclust"]), "from a finished model, with new moments of Adam"
    content += json.dumps({"step": note["step"], "resumed": origin}).encode() + b"\n"
    note["log"] = {"window": note["log"]["window"], "size": len(content)}
    write(run_log, content)
    _write(state, {name: value.single() for name, value in tensors.items()}, {"state": note})


def _compressed(name: str, value: Tensor, tensors: dict[str, Tensor]) -> Tensor:
    """Compress a tensor of a state; tensors without moments, such as running averages, stay as they are."""
    for prefix, digits in _DIGITS.items():
        if name.startswith(prefix):
            return value.rounded(digits)
    is_trained = f"optimizer.exp_avg.{name.removeprefix('model.')}" in tensors
    return value.half() if is_trained else value


def _note_of(info: dict[str, Any]) -> dict[str, Any]:
    """Return the note of a state from the description of a checkpoint."""
    settings = info["settings"]
    return {
        "step": info["steps"],
        "seconds": settings["seconds"],
        "settings": {name: value for name, value in settings.items() if name not in _RUN_SETTINGS},
        "n_z": settings["n_z"],
        "start": None,
        "evaluated": info["steps"] if info["held_out"] else 0,
        "log": {"window": [], "size": 0},
        **{name: info[name] for name in ("model", "data", "n_nodes", "n_clusters", "held_out", "ancestors")},
    }


def _read(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Return the tensors of a safetensors file, and its metadata with decoded JSON values."""
    header, data = split(path.read_bytes())
    metadata = {key: json.loads(value) for key, value in header.pop("__metadata__", {}).items()}
    tensors = {}
    for name, entry in header.items():
        begin, end = entry["data_offsets"]
        tensors[name] = Tensor(entry["dtype"], tuple(entry["shape"]), data[begin:end])
    return tensors, metadata


def _write(path: Path, tensors: dict[str, Tensor], metadata: dict[str, Any]) -> None:
    """Write a safetensors file; tensors with larger numbers come first, so that all of them are aligned."""
    header: dict[str, Any] = {"__metadata__": {key: json.dumps(value) for key, value in metadata.items()}}
    data = bytearray()
    for name, tensor in sorted(tensors.items(), key=lambda entry: (-_SIZE[entry[1].dtype], entry[0])):
        end = len(data) + len(tensor.data)
        header[name] = {"dtype": tensor.dtype, "shape": tensor.shape, "data_offsets": [len(data), end]}
        data += tensor.data
    write(path, join(header, bytes(data)))
