"""States of training runs, made small enough to be committed, and made whole again.

A compact state has the weights in half precision, which changes most of them by less than a step of Adam does, and
Adam's moments in bfloat16, rounded to a few binary digits: their own noise is larger, and git compresses what is left.
A finished model has no moments, which Adam then gathers anew. A run that goes on from either is not the same to the
last bit; a line {"step", "resumed"} in its log says so.
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

_DIGITS = {"optimizer.exp_avg.": 3, "optimizer.exp_avg_sq.": 5}  # binary digits of Adam's moments that are kept
_SIZE = {"F64": 8, "I64": 8, "F32": 4, "I32": 4, "F16": 2, "BF16": 2, "I8": 1, "U8": 1, "BOOL": 1}  # bytes
_OF_THE_RUN = ("n_z", "precision", "processes", "hardware", "seconds")  # what a checkpoint notes beside LoopSettings


@dataclass(frozen=True)
class Tensor:
    """A tensor as it lies in a safetensors file.

    Attributes
    ----------
    dtype : str
        As the format names it.
    shape : tuple of int
    data : bytes
    """

    dtype: str
    shape: tuple[int, ...]
    data: bytes

    def rounded(self, digits: int) -> Tensor:
        """Return numbers in single precision with so many binary digits, as bfloat16."""
        mantissa, exponent = np.frexp(np.frombuffer(self.data, "<f4"))
        value = np.ldexp(np.round(mantissa * 2**digits) / np.float32(2**digits), exponent)
        return Tensor("BF16", self.shape, (value.view("<u4") >> 16).astype("<u2").tobytes())

    def half(self) -> Tensor:
        """Return numbers in single precision in half precision, unless one of them is too large for it."""
        with np.errstate(over="ignore"):
            value = np.frombuffer(self.data, "<f4").astype("<f2")
        return Tensor("F16", self.shape, value.tobytes()) if np.isfinite(value).all() else self

    def single(self) -> Tensor:
        """Return numbers in single precision; what are no floating-point numbers stay as they are."""
        value: NDArray[np.float32]
        if self.dtype == "F16":
            value = np.frombuffer(self.data, "<f2").astype("<f4")
        elif self.dtype == "BF16":
            value = (np.frombuffer(self.data, "<u2").astype("<u4") << 16).view("<f4")
        else:
            return self
        return Tensor("F32", self.shape, value.tobytes())


def pack(state: Path, out: Path, run_log: Path, log: Path, note: dict[str, Any]) -> None:
    """Write a compact state, and the log up to it.

    Parameters
    ----------
    state, run_log : Path
        Of a training, which may go on meanwhile.
    out, log : Path
        Where to write.
    note : dict
        What the queue wants to know when the run goes on.
    """
    tensors, metadata = _read(state)
    packed = {name: _small(name, value, tensors) for name, value in tensors.items()}
    write(log, run_log.read_bytes()[: metadata["state"]["log"]["size"]])
    _write(out, packed, {"state": metadata["state"], "queue": note})


def unpack(source: Path, state: Path, log: Path, run_log: Path) -> None:
    """Write the state from which a training goes on, and its log.

    Parameters
    ----------
    source : Path
        A compact state, or a finished model.
    state, run_log : Path
        Where to write.
    log : Path
        That of the source.
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


def _small(name: str, value: Tensor, tensors: dict[str, Tensor]) -> Tensor:
    """Return a tensor of a state in fewer bytes; what has no moments, as running averages, stays as it is."""
    for prefix, digits in _DIGITS.items():
        if name.startswith(prefix):
            return value.rounded(digits)
    is_trained = f"optimizer.exp_avg.{name.removeprefix('model.')}" in tensors
    return value.half() if is_trained else value


def _note_of(info: dict[str, Any]) -> dict[str, Any]:
    """Return the note of a state from what a checkpoint says of itself."""
    settings = info["settings"]
    return {
        "step": info["steps"],
        "seconds": settings["seconds"],
        "settings": {name: value for name, value in settings.items() if name not in _OF_THE_RUN},
        "n_z": settings["n_z"],
        "start": None,
        "evaluated": info["steps"] if info["held_out"] else 0,
        "log": {"window": [], "size": 0},
        **{name: info[name] for name in ("model", "data", "n_nodes", "n_clusters", "held_out", "ancestors")},
    }


def _read(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Return the tensors of a safetensors file, and its metadata with their JSON values decoded."""
    header, data = split(path.read_bytes())
    metadata = {key: json.loads(value) for key, value in header.pop("__metadata__", {}).items()}
    tensors = {}
    for name, entry in header.items():
        begin, end = entry["data_offsets"]
        tensors[name] = Tensor(entry["dtype"], tuple(entry["shape"]), data[begin:end])
    return tensors, metadata


def _write(path: Path, tensors: dict[str, Tensor], metadata: dict[str, Any]) -> None:
    """Write a safetensors file; large numbers come first, so that all of them are aligned."""
    header: dict[str, Any] = {"__metadata__": {key: json.dumps(value) for key, value in metadata.items()}}
    data = bytearray()
    for name, tensor in sorted(tensors.items(), key=lambda item: (-_SIZE[item[1].dtype], item[0])):
        end = len(data) + len(tensor.data)
        header[name] = {"dtype": tensor.dtype, "shape": tensor.shape, "data_offsets": [len(data), end]}
        data += tensor.data
    write(path, join(header, bytes(data)))
