"""Small files: written whole or not at all, read without torch."""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path
from typing import Any

_LONGEST_HEADER = 1 << 24  # bytes


def write(path: Path, content: bytes) -> None:
    """Write a file whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    beside.write_bytes(content)
    os.replace(beside, path)


def remove_partial(folder: Path) -> None:
    """Remove what is left of files whose writing was killed."""
    for path in folder.glob(".*.tmp"):
        path.unlink(missing_ok=True)


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object; empty where there is none."""
    try:
        return dict(json.loads(path.read_text()))
    except (OSError, ValueError, TypeError):
        return {}


def read_header(path: Path) -> dict[str, Any]:
    """Read the metadata of a safetensors file, its JSON values decoded; empty where there is no such file.

    The file begins with the length of its header, 8 bytes, little-endian; the header is JSON.
    """
    try:
        with path.open("rb") as file:
            header = json.loads(file.read(min(int.from_bytes(file.read(8), "little"), _LONGEST_HEADER)))
        return {key: json.loads(value) for key, value in header["__metadata__"].items()}
    except (OSError, ValueError, KeyError, AttributeError, TypeError):
        return {}


def split(content: bytes) -> tuple[dict[str, Any], bytes]:
    """Return the header of a safetensors file, and its data."""
    end = 8 + int.from_bytes(content[:8], "little")
    return json.loads(content[8:end]), content[end:]


def join(header: dict[str, Any], data: bytes) -> bytes:
    """Return a safetensors file."""
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)  # the data are aligned to 8 bytes
    return len(text).to_bytes(8, "little") + text + data


def with_metadata(content: bytes, key: str, value: Any) -> bytes:
    """Return a safetensors file with one more entry in its metadata."""
    header, data = split(content)
    metadata = header.get("__metadata__", {}) | {key: json.dumps(value)}
    return join(header | {"__metadata__": metadata}, data)


def read_log(path: Path) -> list[dict[str, Any]]:
    """Return the whole lines of a training's log; none where there is no log."""
    lines = []
    with contextlib.suppress(OSError):
        for line in path.read_text(errors="replace").splitlines():
            with contextlib.suppress(ValueError):
                lines.append(json.loads(line))
    return lines
