"""Atomic writing of files, and reading of headers and logs without torch."""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path
from typing import Any

_LONGEST_HEADER = 1 << 24  # bytes


def write(path: Path, content: bytes) -> None:
    """Write a file atomically."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    partial.write_bytes(content)
    os.replace(partial, path)


def remove_partial(folder: Path) -> None:
    """Remove the temporary files of writes that were killed."""
    for path in folder.glob(".*.tmp"):
        path.unlink(missing_ok=True)


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object; return an empty one if the file is missing or not an object."""
    try:
        return dict(json.loads(path.read_text()))
    except (OSError, ValueError, TypeError):
        return {}


def read_header(path: Path) -> dict[str, Any]:
    """Read the metadata of a safetensors file, with decoded JSON values; empty if there is no such file.

    The file starts with the length of its header (8 bytes, little-endian), which is JSON.
    """
    try:
        with path.open("rb") as file:
            header = json.loads(file.read(min(int.from_bytes(file.read(8), "little"), _LONGEST_HEADER)))
        return {key: json.loads(value) for key, value in header["__metadata__"].items()}
    except (OSError, ValueError, KeyError, AttributeError, TypeError):
        return {}


def split(content: bytes) -> tuple[dict[str, Any], bytes]:
    """Return the header and the data of a safetensors file."""
    end = 8 + int.from_bytes(content[:8], "little")
    return json.loads(content[8:end]), content[end:]


def join(header: dict[str, Any], data: bytes) -> bytes:
    """Return the content of a safetensors file."""
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)  # the data are aligned to 8 bytes
    return len(text).to_bytes(8, "little") + text + data


def with_metadata(content: bytes, key: str, value: Any) -> bytes:
    """Add an entry to the metadata of the content of a safetensors file."""
    header, data = split(content)
    metadata = header.get("__metadata__", {}) | {key: json.dumps(value)}
    return join(header | {"__metadata__": metadata}, data)


def read_log(path: Path) -> list[dict[str, Any]]:
    """Return the complete lines of the log of a training; none if there is no log."""
    lines = []
    with contextlib.suppress(OSError):
        for line in path.read_text(errors="replace").splitlines():
            with contextlib.suppress(ValueError):
                lines.append(json.loads(line))
    return lines
