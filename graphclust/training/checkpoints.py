"""Trained models as files: safetensors, with all that is to be known about them in the header. Loading runs no code."""

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
_TRAINED = Path("results") / "models"  # where the training queue of a checkout leaves its models
_KEY = "graphclust"


@dataclass(frozen=True)
class CheckpointInfo:
    """What a checkpoint says of itself.

    Attributes
    ----------
    model : dict
        `ModelConfig` as a dictionary.
    data : dict
        `DataConfig` as a dictionary: the family of graphs it was trained on, with its parameters and the seed.
    n_nodes, n_clusters : (int, int)
        Smallest and largest number of nodes and of communities seen in training.
    steps, graphs : int
        Optimiser's steps, and graphs seen.
    held_out : dict
        Measures on graphs that were not trained on: elbo, ami, k_right, n_graphs, ...
    settings : dict
        Of the optimiser, with precision, hardware and seconds.
    command : str
        What trained it.
    ancestors : list of dict
        The trainings that gave the initial weights, oldest first: command, graphs and data (as above) of each, and a
        note where the command does not say all. Those of earlier versions do not have their data.
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
        """The ancestors, and this training."""
        return [*self.ancestors, {"command": self.command, "graphs": self.graphs, "data": self.data}]

    @property
    def config(self) -> ModelConfig:
        """The architecture."""
        from graphclust.models.build import ModelConfig

        return ModelConfig.of(self.model)


def shipped() -> dict[str, Path]:
    """Return the checkpoints that come with the package: name -> file."""
    return {path.name.removesuffix(".safetensors"): path for path in sorted(SHIPPED.glob("*.safetensors"))}


def trained_models(folder: str | os.PathLike[str] | None = None) -> dict[str, Path]:
    """Return the checkpoints that come with the package, and those of a folder: name -> file.

    Parameters
    ----------
    folder : path, optional
        By default results/models in the current folder, if that is there. Its models go before those of the package.

    Raises
    ------
    UsageError
        There is no such folder.

    Examples
    --------
    >>> "acp" in trained_models()
    True
    """
    if folder is not None and not Path(folder).is_dir():
        raise UsageError(f"there is no folder {os.fspath(folder)}")
    files = sorted(Path(_TRAINED if folder is None else folder).glob("*.safetensors"))
    return shipped() | {path.stem: path for path in files if not path.name.endswith(".state.safetensors")}


def _found(name: str | os.PathLike[str]) -> Path:
    known = shipped()
    if not isinstance(name, str | os.PathLike):
        raise UsageError(f"a checkpoint is a name or a file, not {name!r}")
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
    """Return the SHA-256 of a checkpoint's file: two of one digest are the same model.

    Parameters
    ----------
    name : str or path
        One of `shipped()`, or a file.

    Raises
    ------
    UsageError
        There is no such checkpoint.
    """
    path = _found(name).resolve()
    return _digest(path, path.stat().st_mtime_ns)


def save_checkpoint(path: str | os.PathLike[str], weights: dict[str, Tensor], info: CheckpointInfo) -> None:
    """Write weights and what is known about them; floating-point numbers in half precision.

    Parameters
    ----------
    path : path
    weights : dict
        State of the model.
    info : CheckpointInfo

    Raises
    ------
    DataError
        The file cannot be written, or a weight is not finite or too large for half precision.
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
    """Return what a checkpoint says of itself, without its weights.

    Parameters
    ----------
    name : str or path
        One of `shipped()`, or a file.

    Raises
    ------
    UsageError
        There is no such checkpoint.
    DataError
        The file is none.
    """
    path = _found(name)
    try:
        with path.open("rb") as stream:  # the format: length of the header as 8 bytes, little-endian; then JSON
            header = json.loads(stream.read(min(int.from_bytes(stream.read(8), "little"), 1 << 24)))
            values = json.loads(header["__metadata__"][_KEY])
            known = {item.name for item in fields(CheckpointInfo)}
            values = {key: value for key, value in values.items() if key in known}
            values["n_nodes"], values["n_clusters"] = tuple(values["n_nodes"]), tuple(values["n_clusters"])
            return CheckpointInfo(**values)
    except (ValueError, KeyError, TypeError, AttributeError, OSError) as error:
        raise DataError("no checkpoint of graphclust", str(path)) from error


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
        raise DataError("the weights are not those of the model that the header names", str(path)) from error
    return model.eval().requires_grad_(False), info


def load_checkpoint(name: str | os.PathLike[str]) -> tuple[PartitionModel, CheckpointInfo]:
    """Load a model in evaluation mode, on the CPU. It is shared: move a copy to another device.

    Parameters
    ----------
    name : str or path
        One of `shipped()`, or a file.

    Returns
    -------
    model : ClusterwiseModel or NCP
    info : CheckpointInfo

    Raises
    ------
    UsageError
        There is no such checkpoint.
    DataError
        The file is none, or its weights do not fit its header.
    """
    path = _found(name).resolve()
    return _loaded(path, path.stat().st_mtime_ns)


_PREFACE = """# Trained models

Written by `graphclust models --format md` from the headers of the files beside it. The log of each training lies beside
its weights. A model knows the graphs of its family: on others its partitions may be good and its probabilities are off;
`graphclust detect` says so where a graph has more or fewer nodes than any that the model saw.
"""


def cards(names: Sequence[str] | None = None) -> str:
    """Return a card for each model, as Markdown; of the shipped ones, with a preface, where no names are given."""
    parts = [_PREFACE] if names is None else []
    for name in shipped() if names is None else names:
        info = read_info(name)
        model, held = info.model, info.held_out
        parameters = ", ".join(f"{key} {value}" for key, value in info.data.get("parameters", {}).items())
        lines = {
            "method": f"{model['model']}, encoder {model['encoder']} of {model['n_layers']} layers",
            "input of a node": f"{model['n_features']} features, {model['features']}",
            "known labels": f"up to {model['n_labels']}" if model.get("n_labels") else "only as constraints",
            "trained on": info.data["family"] + (f" with {parameters}" if parameters else ", its default parameters"),
            "nodes": "{} to {}".format(*info.n_nodes),
            "communities": "{} to {}".format(*info.n_clusters),
            "training": f"{info.steps:,} steps, {info.graphs:,} graphs, seed {info.data.get('seed')}",
            "on": str(info.settings.get("hardware", "")),
            "held-out graphs": str(held.get("n_graphs", "")),
            "AMI": f"{held['ami']:.4f}, standard error {held['ami_se']:.4f}" if "ami" in held else "",
            "ELBO": f"{held['elbo']:.2f}" if "elbo" in held else "",
            "number of communities right": f"{held['k_right']:.1%}" if "k_right" in held else "",
            "command": f"`{info.command}`",
        }
        for i, ancestor in enumerate(reversed(info.ancestors)):
            note = f"; {ancestor['note']}" if "note" in ancestor else ""
            lines["begun with" + ", itself" * i] = f"{ancestor['graphs']:,} graphs{note}, `{ancestor['command']}`"
        table = "\n".join(f"| {key} | {value} |" for key, value in lines.items() if value)
        parts.append(f"## {name}\n\n| | |\n|---|---|\n{table}\n")
    return "\n".join(parts)
