"""Build a model of partitions from a configuration, which a checkpoint stores in its header."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any

from torch import nn

from graphclust.errors import UsageError, unknown
from graphclust.models.acp import ACPEncodings
from graphclust.models.acp_s import ACPSEncodings
from graphclust.models.ccp import CCPEncodings
from graphclust.models.clusterwise import ClusterwiseModel
from graphclust.models.ncp import NCP
from graphclust.nn.encoders import ENCODERS, WITH_HEADS

__all__ = ["ENCODINGS", "MODELS", "ModelConfig", "build"]

ENCODINGS = {"acp": ACPEncodings, "acp-s": ACPSEncodings, "ccp": CCPEncodings}
MODELS = (*ENCODINGS, "ncp")
FEATURES = ("laplacian", "random", "given", "standardised")


@dataclass(frozen=True)
class ModelConfig:
    """Architecture of a model of partitions; the defaults are the published General-SBM settings.

    Attributes
    ----------
    model : {"acp", "acp-s", "ccp", "ncp"}
        "ncp" has neither z nor attention, and ignores dim_z, n_heads, n_inducing and depth_gaussian.
    encoder : str
        A key of `ENCODERS`.
    features : {"laplacian", "random", "given", "standardised"}
        The input of the encoder; see `graphclust.nn.features.input_features`.
    n_features : int
        Number of input features of each node.
    dim, dim_z : int
        Dimension of every vector, and of z.
    n_layers : int
        Number of layers of the encoder.
    dim_encoder : int or None
        Dimension of the encoder's layers; None for `dim`.
    n_heads, n_inducing : int
        Heads and inducing points of the attention blocks.
    depth_decoder, depth_gaussian : int
        Number of linear layers of the decoder, and of each network of a Gaussian.
    n_labels : int
        Number of labels that can be known; 0 for a model that takes no labels.
    """

    model: str = "acp"
    encoder: str = "graphsage"
    features: str = "laplacian"
    n_features: int = 20
    dim: int = 128
    dim_z: int = 128
    n_layers: int = 4
    dim_encoder: int | None = None
    n_heads: int = 4
    n_inducing: int = 32
    depth_decoder: int = 5
    depth_gaussian: int = 6
    n_labels: int = 0

    def __post_init__(self) -> None:
        for name, known in (("model", MODELS), ("encoder", ENCODERS), ("features", FEATURES)):
            if getattr(self, name) not in known:
                raise unknown(name, getattr(self, name), known)
        if self.n_heads < 1 or self.depth_decoder < 2:
            raise UsageError("n_heads must be at least 1 and depth_decoder at least 2")
        attended_widths = {self.dim, self.dim_encoder or self.dim} if self.encoder in WITH_HEADS else {self.dim}
        for width in attended_widths:
            if width % self.n_heads:
                raise UsageError(f"{width} dimensions cannot be divided among {self.n_heads} heads")

    @classmethod
    def of(cls, values: dict[str, Any]) -> ModelConfig:
        """Build from a dictionary. Unknown names, such as those of a later version, are ignored."""
        known = {field.name for field in fields(cls)}
        return cls(**{name: value for name, value in values.items() if name in known})

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as a dictionary."""
        return asdict(self)


class _Projected(nn.Sequential):
    """An encoder whose width differs from that of the model."""


def build(config: ModelConfig) -> ClusterwiseModel | NCP:
    """Build a model with fresh weights, drawn from torch's global generator.

    Examples
    --------
    >>> model = build(ModelConfig(dim=16, dim_z=8))
    >>> type(model.encodings).__name__
    'ACPEncodings'
    """
    width = config.dim_encoder or config.dim
    heads = {"n_heads": config.n_heads} if config.encoder in WITH_HEADS else {}
    encoder: nn.Module = ENCODERS[config.encoder](config.n_features, width, config.n_layers, config.n_labels, **heads)
    if width != config.dim:
        encoder = _Projected(encoder, nn.Linear(width, config.dim))
    if config.model == "ncp":
        return NCP(encoder, config.dim, config.depth_decoder)
    encodings = ENCODINGS[config.model](config.dim, config.n_heads, config.n_inducing)
    return ClusterwiseModel(encoder, encodings, config.dim_z, config.depth_decoder, config.depth_gaussian)
