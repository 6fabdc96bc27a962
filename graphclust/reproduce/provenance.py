"""The columns of the tables on a trained model: its architecture, its starting point, and the extent of its training.

A model may start from the weights of another one (`graphclust train --start`). Several trainings of the same method on
the same family of graphs count as one, so a model was "trained from random weights" if its entire history is of its own
method and family. `graphs_trained` counts the graphs of the entire history, `full_size` only those of the model's own
method and family.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from itertools import groupby, pairwise
from typing import Any

from graphclust.errors import UsageError
from graphclust.models.build import ModelConfig
from graphclust.training.checkpoints import CheckpointInfo

__all__ = [
    "COLUMNS",
    "check_architecture",
    "check_from_scratch",
    "describe_architecture",
    "has_architecture",
    "provenance",
    "started_from",
]

COLUMNS = ("architecture", "started_from", "steps", "graphs_trained", "full_size")
_RANDOM_WEIGHTS = "random weights"
_DEFAULT_FAMILY = "general-sbm"  # default of `graphclust train`
_DEFAULT_NETWORK = "com-dblp"  # default of the family community-pairs
_ENCODER = ("encoder", "n_layers", "dim_encoder", "features", "n_features")
_ARCHITECTURE = ("model", *_ENCODER, "dim", "dim_z", "n_heads", "n_inducing", "depth_decoder", "depth_gaussian")


def _fields(config: ModelConfig) -> dict[str, Any]:
    """Return the fields that define an architecture, with the explicit width of the encoder."""
    values = config.to_dict()
    return {name: values[name] for name in _ARCHITECTURE} | {"dim_encoder": config.dim_encoder or config.dim}


def has_architecture(config: ModelConfig, published: ModelConfig) -> bool:
    """Whether two models have the same architecture. The number of labels that they accept does not matter.

    Examples
    --------
    >>> has_architecture(ModelConfig(n_labels=16), ModelConfig(dim_encoder=128))
    True
    """
    return _fields(config) == _fields(published)


def describe_architecture(config: ModelConfig, published: ModelConfig | None) -> str:
    """Describe a model's encoder, and say whether the whole model is built as published.

    Parameters
    ----------
    config : ModelConfig
    published : ModelConfig or None
        The paper's architecture for the row, or None if the paper has no such row.

    Examples
    --------
    >>> describe_architecture(ModelConfig(encoder="gated-gcn"), ModelConfig(encoder="gated-gcn"))
    "paper's: gated-gcn, 4 layers of 128"
    >>> describe_architecture(ModelConfig(encoder="graph-transformer"), ModelConfig(encoder="gated-gcn"))
    'ours: graph-transformer, 4 layers of 128'
    """
    whose = "paper's" if published is not None and has_architecture(config, published) else "ours"
    return f"{whose}: {config.encoder}, {config.n_layers} layers of {config.dim_encoder or config.dim}"


def check_architecture(name: str, config: ModelConfig, published: ModelConfig) -> None:
    """Check that a model has the architecture of its row.

    Parameters
    ----------
    name : str
        Name of the checkpoint.
    config : ModelConfig
        Architecture of the checkpoint.
    published : ModelConfig
        Architecture of the row.

    Raises
    ------
    UsageError
        The architectures differ. The message lists the differences.
    """
    have, want = _fields(config), _fields(published)
    differences = [f"{key} {have[key]}, not {want[key]}" for key in want if have[key] != want[key]]
    if differences:
        raise UsageError(
            f"the checkpoint {name} does not have the published architecture ({'; '.join(differences)}): "
            "rename the checkpoint"
        )


def _origin(training: Mapping[str, Any]) -> tuple[str, str]:
    """Return the method and the family of a training. They are parsed from its command if no data are recorded."""
    words = shlex.split(training["command"])
    method = words[words.index("train") + 1] if "train" in words[:-1] else "unknown method"
    data = training.get("data")
    if data is None:
        options = list(pairwise(words))
        parameters = dict(value.split("=", 1) for key, value in options if key == "--set" and "=" in value)
        data = {"family": dict(options).get("--family", _DEFAULT_FAMILY), "parameters": parameters}
    return method, _family(data)


def _family(data: Mapping[str, Any]) -> str:
    """Return the name of a family, including the network for community pairs."""
    family: str = data["family"]
    network = data.get("parameters", {}).get("data", _DEFAULT_NETWORK)
    return f"{family} of {network}" if family == "community-pairs" else family


def _history(info: CheckpointInfo) -> list[tuple[tuple[str, str], int]]:
    """Return (method, family) and the number of graphs of each training, from the oldest to the model's own."""
    own = (info.model["model"], _family(info.data))
    return [*((_origin(ancestor), int(ancestor["graphs"])) for ancestor in info.ancestors), (own, info.graphs)]


def started_from(info: CheckpointInfo) -> str:
    """Describe what a model started from: random weights, or earlier trainings of other methods or families.

    Parameters
    ----------
    info : CheckpointInfo

    Returns
    -------
    str
        Such as "random weights" or "acp on general-sbm (153,600 graphs)".
    """
    history = _history(info)
    own = history[-1][0]
    stages = [
        (origin, sum(graphs for _, graphs in stage)) for origin, stage in groupby(history, key=lambda stage: stage[0])
    ]
    earlier = [
        f"{method} on {family} ({graphs:,} graphs)" for (method, family), graphs in stages if (method, family) != own
    ]
    return ", then ".join(earlier) or _RANDOM_WEIGHTS


def check_from_scratch(name: str, info: CheckpointInfo) -> None:
    """Check that a model started from random weights.

    Parameters
    ----------
    name : str
        Name of the checkpoint.
    info : CheckpointInfo

    Raises
    ------
    UsageError
        The model started from another model.
    """
    start = started_from(info)
    if start != _RANDOM_WEIGHTS:
        raise UsageError(f"the checkpoint {name} was not trained from scratch but from {start}: rename the checkpoint")


def provenance(info: CheckpointInfo, published: ModelConfig | None, published_graphs: int) -> dict[str, Any]:
    """Return the columns on a model's architecture and training.

    Parameters
    ----------
    info : CheckpointInfo
    published : ModelConfig or None
        The paper's architecture for the row, or None if the paper has no such row.
    published_graphs : int
        Steps times batch size in the paper.

    Returns
    -------
    dict
        The values of `COLUMNS`, and `trained_by`, the command of the last training. `steps` refers to the last training
        only.
    """
    history = _history(info)
    own = sum(graphs for origin, graphs in history if origin == history[-1][0])
    return {
        "architecture": describe_architecture(info.config, published),
        "started_from": started_from(info),
        "steps": info.steps,
        "graphs_trained": sum(graphs for _, graphs in history),
        "full_size": own >= published_graphs,
        "trained_by": info.command,
    }
