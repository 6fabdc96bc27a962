"""States of training runs, made small enough to be committed, and made whole again.

    compact.py pack STATE OUT RUN_LOG LOG JSON      JSON: what the queue notes in the file
    compact.py unpack SOURCE STATE LOG RUN_LOG      SOURCE: a compact state, or the weights of a finished run

A compact state has the weights in single precision and Adam's moments in bfloat16: 8 instead of 12 bytes a parameter.
A finished run has its weights in half precision and no moments, which Adam then gathers anew. A run that goes on from
either is not the same to the last bit; a line {"step", "resumed"} in its log says so.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save
from torch import Tensor

MOMENTS = ("optimizer.exp_avg.", "optimizer.exp_avg_sq.")
OF_THE_RUN = ("n_z", "precision", "processes", "hardware", "seconds")  # what a checkpoint notes beside LoopSettings


def read(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Return the tensors of a safetensors file, and its metadata with the JSON values decoded."""
    with safe_open(os.fspath(path), framework="pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  no mapping
        return tensors, {key: json.loads(value) for key, value in (file.metadata() or {}).items()}


def write(path: Path, content: bytes) -> None:
    """Write a file whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    beside.write_bytes(content)
    os.replace(beside, path)


def write_tensors(path: Path, tensors: dict[str, Tensor], metadata: dict[str, Any]) -> None:
    """Write a safetensors file."""
    write(path, save(tensors, {key: json.dumps(value) for key, value in metadata.items()}))


def pack(state: Path, out: Path, run_log: Path, log: Path, note: str) -> None:
    """Write a compact state, and the log up to it."""
    tensors, metadata = read(state)
    small = {name: value.bfloat16() if name.startswith(MOMENTS) else value for name, value in tensors.items()}
    write(log, run_log.read_bytes()[: metadata["state"]["log"]["size"]])
    write_tensors(out, small, {"state": metadata["state"], "queue": json.loads(note)})


def unpack(source: Path, state: Path, log: Path, run_log: Path) -> None:
    """Write the state to go on from, and its log."""
    tensors, metadata = read(source)
    content = log.read_bytes() if log.exists() else b""
    if "state" in metadata:
        note, origin = metadata["state"], "from a compact state: Adam's moments were rounded to bfloat16"
        content = content[: note["log"]["size"]]
    else:
        tensors, note = from_weights(tensors, metadata["graphclust"])
        origin = "from a finished model: weights rounded to half precision, Adam's moments new"
    content += json.dumps({"step": note["step"], "resumed": origin}).encode() + b"\n"
    note["log"] = {"window": note["log"]["window"], "size": len(content)}
    write(run_log, content)
    write_tensors(state, {name: whole(value) for name, value in tensors.items()}, {"state": note})


def whole(value: Tensor) -> Tensor:
    """Return numbers in single precision, counts as they are."""
    return value.float() if value.dtype in (torch.float16, torch.bfloat16) else value


def from_weights(tensors: dict[str, Tensor], info: dict[str, Any]) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Return tensors and note of a state without Adam's moments, from those of a checkpoint."""
    settings = info["settings"]
    note = {
        "step": info["steps"],
        "seconds": settings["seconds"],
        "settings": {name: value for name, value in settings.items() if name not in OF_THE_RUN},
        "n_z": settings["n_z"],
        "start": None,
        "evaluated": info["steps"] if info["held_out"] else 0,
        "log": {"window": [], "size": 0},
        **{name: info[name] for name in ("model", "data", "n_nodes", "n_clusters", "held_out", "ancestors")},
    }
    return {f"model.{name}": value for name, value in tensors.items()}, note


ACTIONS: dict[str, Callable[..., None]] = {"pack": pack, "unpack": unpack}

if __name__ == "__main__":
    *_, last = words = sys.argv[2:]
    paths = [Path(word) for word in words]
    if sys.argv[1] == "pack":
        pack(*paths[:4], note=last)
    else:
        unpack(*paths)
