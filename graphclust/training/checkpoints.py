"""Checkpoints: safetensors files of trained models, with their description in the header. Loading runs no code."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, fields
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from graphclust.errors import DataError, UsageError, unknown
from graphclust.io.files import replacing

if TYPE_CHECKING:
    from torch import Tensor

    from graphclust.models.build import ModelConfig
    from graphclust.models.sampler import PartitionModel

__all__ = [
    "SHIPPED",
    "CheckpointInfo",
    "cards",
    "digest",
    "load_checkpoint",
    "read_info",
    "save_checkpoint",
    "shipped",
    "trained_models",
]

SHIPPED = Path(__file__).resolve().parents[1] / "checkpoints"
_TRAINED = Path("results") / "models"  # folder of the models of a checkout's training queue
_KEY = "graphclust"


@dataclass(frozen=True)
class CheckpointInfo:
    """The description of a checkpoint.

    Attributes
    ----------
    model : dict
        `ModelConfig` as a dictionary.
    data : dict
        `DataConfig` as a dictionary: the family of training graphs, its parameters and the seed.
    n_nodes, n_clusters : (int, int)
        Smallest and largest number of nodes and of communities of the training graphs.
    steps, graphs : int
        Number of optimiser steps and of training graphs.
    held_out : dict
        Scores on held-out graphs: elbo, ami, k_right, n_graphs, ...
    settings : dict
        Settings of the optimiser, with precision, hardware and seconds.
    command : str
        The command that trained the model.
    ancestors : list of dict
        The trainings that produced the initial weights, oldest first, each with command, graphs and data (as above),
        and with a note if the command is incomplete. Those of earlier versions lack the data.
    """

    model: dict[str, Any]
    data: dict[str, Any]
    n_nodes: tuple[int, int]
    n_clusters: tuple[int, int]
    steps: int
    graphs: int
    held_out: dict[str, Any] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)
    command: str = ""
    ancestors: list[dict[str, Any]] = field(default_factory=list)

    @property
    def lineage(self) -> list[dict[str, Any]]:
        """The ancestors and this training."""
        return [*self.ancestors, {"command": self.command, "graphs": self.graphs, "data": self.data}]

    @property
    def config(self) -> ModelConfig:
        """The architecture."""
        from graphclust.models.build import ModelConfig

        return ModelConfig.of(self.model)


def shipped() -> dict[str, Path]:
    """Return the files of the checkpoints that are shipped with the package, by name."""
    return {path.name.removesuffix(".safetensors"): path for path in sorted(SHIPPED.glob("*.safetensors"))}


def trained_models(folder: str | os.PathLike[str] | None = None) -> dict[str, Path]:
    """Return the files of the shipped checkpoints and of those in a folder, by name.

    Parameters
    ----------
    folder : path, optional
        By default results/models in the current folder, if it exists. Its models take precedence over shipped ones of
        the same name.

    Raises
    ------
    UsageError
        The folder does not exist.

    Examples
    --------
    >>> "acp" in trained_models()
    True
    """
    if folder is not None and not Path(folder).is_dir():
        raise UsageError(f"there is no folder {os.fspath(folder)}")
    files = sorted(Path(_TRAINED if folder is None else folder).glob("*.safetensors"))
    return shipped() | {path.stem: path for path in files if not path.name.endswith(".state.safetensors")}


def _path_of(name: str | os.PathLike[str]) -> Path:
    known = shipped()
    if not isinstance(name, str | os.PathLike):
        raise UsageError(f"a checkpoint must be a name or a file, not {name!r}")
    if str(name) in known:
        return known[str(name)]
    path = Path(name)
    if path.is_file():
        return path
    raise unknown("checkpoint or file", str(name), known)


@cache
def _digest(path: Path, changed: int) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def digest(name: str | os.PathLike[str]) -> str:
    """Return the SHA-256 of the file of a checkpoint, which identifies the model.

    Parameters
    ----------
    name : str or path
        A name in `shipped()`, or a file.

    Raises
    ------
    UsageError
        The checkpoint does not exist.
    """
    path = _path_of(name).resolve()
    return _digest(path, path.stat().st_mtime_ns)


def save_checkpoint(path: str | os.PathLike[str], weights: dict[str, Tensor], info: CheckpointInfo) -> None:
    """Write weights, in half precision, and the description of a model.

    Parameters
    ----------
    path : path
    weights : dict
        State dictionary of the model.
    info : CheckpointInfo

    Raises
    ------
    DataError
        The file cannot be written, or a weight is not finite in half precision.
    """
    import torch
    from safetensors.torch import save

    packed = {}
    for name, value in weights.items():
        value = value.detach().cpu()
        packed[name] = (value.half() if value.dtype.is_floating_point else value).contiguous()
        if value.dtype.is_floating_point and not torch.isfinite(packed[name]).all():
            raise DataError(f"the weights {name} are not finite in half precision", os.fspath(path))
    with replacing(path) as stream:
        stream.write(save(packed, {_KEY: json.dumps(asdict(info))}))


def read_info(name: str | os.PathLike[str]) -> CheckpointInfo:
    """Return the description of a checkpoint without loading its weights.

    Parameters
    ----------
    name : str or path
        A name in `shipped()`, or a file.

    Raises
    ------
    UsageError
        The checkpoint does not exist.
    DataError
        The file is not a checkpoint.
    """
    path = _path_of(name)
    try:
        with path.open("rb") as stream:  # the format: length of the header as 8 bytes, little-endian; then JSON
            header = json.loads(stream.read(min(int.from_bytes(stream.read(8), "little"), 1 << 24)))
            values = json.loads(header["__metadata__"][_KEY])
            known = {item.name for item in fields(CheckpointInfo)}
            values = {key: value for key, value in values.items() if key in known}
            values["n_nodes"], values["n_clusters"] = tuple(values["n_nodes"]), tuple(values["n_clusters"])
            return CheckpointInfo(**values)
    except (ValueError, KeyError, TypeError, AttributeError, OSError) as error:
        raise DataError("not a checkpoint of graphclust", str(path)) from error


@cache
def _loaded(path: Path, changed: int) -> tuple[PartitionModel, CheckpointInfo]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    from graphclust.models.build import build

    info = read_info(path)
    try:
        weights = load_file(path)
        model = build(info.config)
        model.load_state_dict({k: v.float() if v.dtype.is_floating_point else v for k, v in weights.items()})
    except (SafetensorError, RuntimeError, TypeError) as error:
        raise DataError("the weights are not those of the model in the header", str(path)) from error
    return model.eval().requires_grad_(False), info


def load_checkpoint(name: str | os.PathLike[str]) -> tuple[PartitionModel, CheckpointInfo]:
    """Load a model in evaluation mode on the CPU. The model is cached: copy it before moving it to another device.

    Parameters
    ----------
    name : str or path
        A name in `shipped()`, or a file.

    Returns
    -------
    model : ClusterwiseModel or NCP
    info : CheckpointInfo

    Raises
    ------
    UsageError
        The checkpoint does not exist.
    DataError
        The file is not a checkpoint, or its weights do not fit its header.
    """
    path = _path_of(name).resolve()
    return _loaded(path, path.stat().st_mtime_ns)


_PREFACE = """# Trained models

Written by `graphclust models --format md` from the headers of the files in this folder, which also has the log of each
training. A model is trained on the graphs of one family. On other graphs its partitions may be good, but its
probabilities are not calibrated. `graphclust detect` warns if a graph has fewer or more nodes than all training graphs.
Ancestor 1 is the training that gave a model its initial weights, ancestor 2 the one that gave ancestor 1 its own, etc.
"""


def cards(names: Sequence[str] | None = None) -> str:
    """Return a card of each model as Markdown; without names, of all shipped models, with a preface."""
    parts = [_PREFACE] if names is None else []
    for name in shipped() if names is None else names:
        info = read_info(name)
        model, scores = info.model, info.held_out
        parameters = ", ".join(f"{key} {value}" for key, value in info.data.get("parameters", {}).items())
        lines = {
            "method": f"{model['model']}, encoder {model['encoder']} of {model['n_layers']} layers",
            "node features": f"{model['n_features']}, {model['features']}",
            "known labels": f"up to {model['n_labels']}" if model.get("n_labels") else "only as constraints",
            "trained on": info.data["family"] + (f" with {parameters}" if parameters else ", its default parameters"),
            "nodes": "{} to {}".format(*info.n_nodes),
            "communities": "{} to {}".format(*info.n_clusters),
            "training": f"{info.steps:,} steps, {info.graphs:,} graphs, seed {info.data.get('seed')}",
            "hardware": str(info.settings.get("hardware", "")),
            "held-out graphs": str(scores.get("n_graphs", "")),
            "AMI": f"{scores['ami']:.4f}, standard error {scores['ami_se']:.4f}" if "ami" in scores else "",
            "ELBO": f"{scores['elbo']:.2f}" if "elbo" in scores else "",
            "correct number of communities": f"{scores['k_right']:.1%}" if "k_right" in scores else "",
            "command": f"`{info.command}`",
        }
        for i, ancestor in enumerate(reversed(info.ancestors)):
            note = f"; {ancestor['note']}" if "note" in ancestor else ""
            lines[f"ancestor {i + 1}"] = f"{ancestor['graphs']:,} graphs{note}, `{ancestor['command']}`"
        table = "\n".join(f"| {key} | {value} |" for key, value in lines.items() if value)
        parts.append(f"## {name}\n\n| | |\n|---|---|\n{table}\n")
    return "\n".join(parts)
