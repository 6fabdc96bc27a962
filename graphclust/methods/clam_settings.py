"""Settings of CLAM: how memories train, the presets, and what a search for memories runs with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from graphclust.errors import UsageError
from graphclust.methods.presets import Presets, check_positive, freeze_sequences
from graphclust.runtime.checks import check_count, check_number, check_sequence, refuse_unknown

__all__ = ["CELLS", "HIDDEN", "INITS", "PRESETS", "TEMPERATURES", "SearchSettings", "Training"]

TEMPERATURES = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0)  # default betas, times the squared error of the initial prototypes
INITS = ("k-means++", "k-means", "linkage", "data", "normal", "spread")
_LEARNING_RATES = (0.01, 0.03, 0.1)  # defaults, in units of the root mean squared error per coordinate
CELLS = 1 << 25  # numbers in the largest tensors of a group of runs
HIDDEN = 64  # units in the hidden layers of an autoencoder
_MASKS = ("mixed", "point", "shared", None)
_MASK_VALUES = ("mean", "min", "max", "zero")
_SIZE_RATIO = 20  # by default, a cluster has at least the mean size divided by this


@dataclass(frozen=True)
class Training:
    """How associative memories train: advanced settings of `CLAM`.

    Attributes
    ----------
    betas : sequence of float, optional
        Inverse temperatures to try, in units of 1 / squared distance of scaled features. By default 1, 2, ... 32
        divided by the mean squared distance of points to the nearest of `n_clusters` points that k-means++ chooses.
    learning_rate : float or sequence of float, optional
        Learning rates of Adam; the restarts take turns. By default 0.01, 0.03 and 0.1 times the square root of the same
        mean squared distance per coordinate.
    batch_size : int, optional
        By default 1/32 of the points, between 64 and 1024.
    masking : {"mixed", "point", "shared", None}
        "point": each point has its own mask. "shared": all points of an epoch have the same mask. "mixed": masks are
        shared in every third epoch, as published. None: no self-supervision, the loss of eq. (8).
    mask_rate : float
        Probability that a coordinate is masked.
    mask_value : {"mean", "min", "max", "zero"}
        The statistic of a feature that replaces its masked values.
    n_steps : int
        T, steps of the dynamics.
    step_size : float
        dt / tau. The published value, 1 / n_steps, moves points only two thirds of the way to a prototype. With the
        default they arrive, which finds better clusters in the same time.
    keep : float
        Fraction of the configurations that continue after a fifth of the epochs, and again after half of them
        (successive halving, Jamieson & Talwalkar 2016). 1 lets all continue.
    select : {"silhouette", "loss"}
        Criterion for the best configuration, and for the best epoch of each.
    silhouette_sample : int
        Silhouettes are computed on a random sample of so many points if there are more. The seed fixes the sample.
    latent_dim : int, optional
        Dimension of the latent space of an autoencoder that trains together with the memories and starts as principal
        component analysis (`graphclust.models.clam.Autoencoder`). Clusters are then those of the latents; silhouettes
        are still those of the features. By default the features themselves are clustered, as published.
    snapshots : sequence of int
        Epochs after which the prototypes are recorded for `CLAM.plot_prototypes`; 0 is the start.

    Raises
    ------
    UsageError
        A setting out of range.

    Examples
    --------
    >>> Training(betas=[1, 2]).betas
    (1.0, 2.0)
    """

    betas: Sequence[float] | None = None
    learning_rate: float | Sequence[float] | None = None
    batch_size: int | None = None
    masking: str | None = "mixed"
    mask_rate: float = 0.2
    mask_value: str = "mean"
    n_steps: int = 10
    step_size: float = 0.5
    keep: float = 1 / 3
    select: str = "silhouette"
    silhouette_sample: int = 5000
    latent_dim: int | None = None
    snapshots: Sequence[int] = ()

    def __post_init__(self) -> None:
        check_count("n_steps", self.n_steps)
        for name in ("batch_size", "latent_dim"):
            if getattr(self, name) is not None:
                check_count(name, getattr(self, name))
        check_count("silhouette_sample", self.silhouette_sample, 3)
        refuse_unknown("masking", self.masking, _MASKS)
        refuse_unknown("mask_value", self.mask_value, _MASK_VALUES)
        refuse_unknown("select", self.select, ("silhouette", "loss"))
        check_number("mask_rate", self.mask_rate)
        if not 0 < self.mask_rate < 1:
            raise UsageError(f"mask_rate is above 0 and below 1, not {self.mask_rate!r}")
        for name in ("keep", "step_size"):
            check_number(name, getattr(self, name))
            if not 0 < getattr(self, name) <= 1:
                raise UsageError(f"{name} is above 0 and at most 1, not {getattr(self, name)!r}")
        check_sequence("snapshots", self.snapshots, empty=True)
        for epoch in self.snapshots:
            check_count("snapshots", epoch, 0)
        freeze_sequences(self, "snapshots")
        rates = self.learning_rate
        self._set_positive("betas", self.betas)
        self._set_positive("learning_rate", None if rates is None else np.atleast_1d(np.asarray(rates, dtype=object)))

    def _set_positive(self, name: str, values: Any) -> None:
        """Set a field to a tuple of positive numbers, or leave it None."""
        if values is None:
            return
        check_sequence(name, values)
        for value in values:
            check_positive(name, value)
        object.__setattr__(self, name, tuple(float(value) for value in values))  # the dataclass is frozen

    @property
    def learning_rates(self) -> tuple[float, ...]:
        """Learning rates; the default ones are in units of the root mean squared error per coordinate."""
        rates: Any = self.learning_rate
        return _LEARNING_RATES if rates is None else rates


PRESETS: Presets = {
    "graphclust": {"training": Training()},
    "published": {
        "init": "normal",
        "max_epochs": 200,
        "min_size": 1,
        "training": Training(step_size=0.1, keep=1.0),
    },
}


@dataclass(frozen=True)
class SearchSettings:
    """What a search for memories runs with.

    Attributes
    ----------
    init : str, sequence of str or ndarray of shape (n_clusters, d)
    n_init : int
    max_epochs : int
    min_size : int or None
    training : Training
    """

    init: Any
    n_init: int
    max_epochs: int
    min_size: int | None
    training: Training

    def check(self) -> None:
        """Refuse settings out of range.

        Raises
        ------
        UsageError
        """
        check_count("n_init", self.n_init)
        check_count("max_epochs", self.max_epochs)
        if self.min_size is not None:
            check_count("min_size", self.min_size)
        if self.has_prototypes:
            if self.init.dtype.kind not in "biuf" or not np.isfinite(self.init).all():
                raise UsageError("init is an array of finite prototypes, the name of an initialisation, or several")
        else:
            check_sequence("init", self.inits)
            for name in self.inits:
                refuse_unknown("init", name, INITS)

    @property
    def has_prototypes(self) -> bool:
        """Whether `init` holds the prototypes themselves."""
        return isinstance(self.init, np.ndarray)

    @property
    def inits(self) -> tuple[str, ...]:
        """Kinds of start; "given" stands for prototypes."""
        if self.has_prototypes:
            return ("given",)
        names: tuple[str, ...] = (self.init,) if isinstance(self.init, str) else self.init
        return names

    @property
    def n_runs(self) -> int:
        """Number of configurations."""
        betas = TEMPERATURES if self.training.betas is None else self.training.betas
        return len(betas) * self.n_init * len(self.inits)

    def batch_size(self, n: int) -> int:
        """Return the number of points in a batch."""
        return int(self.training.batch_size or min(max(64, n // 32), 1024))

    def smallest_cluster(self, n: int, k: int) -> int:
        """Return the minimum size of a cluster of n points."""
        return max(1, n // (_SIZE_RATIO * k)) if self.min_size is None else self.min_size
