"""Settings of CNC: how its networks learn, and the presets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from graphclust.errors import UsageError
from graphclust.methods.presets import Presets, check_positive, check_sizes, freeze_sequences
from graphclust.runtime.checks import check_count, check_number, check_sequence, refuse_unknown

__all__ = ["GROUP_CELLS", "PRESETS", "SMALL_LAYER", "Training"]

GROUP_CELLS = 1 << 26  # numbers in the assignments, or in a hidden layer, of all networks that train at once
SMALL_LAYER = 1 << 20  # numbers in a layer up to which one thread is fastest
_STARTS = ("spectral", "pieces", "k-means", "random")


@dataclass(frozen=True)
class Training:
    """How the networks of CNC learn: advanced settings of `CNC`.

    Attributes
    ----------
    hidden : sequence of int
        Sizes of the hidden layers of the clustering network.
    activation : {"relu", "tanh"}
        Activation of the clustering network.
    starts : sequence of {"spectral", "pieces", "k-means", "random"}
        Initial clusters of the networks; there are `n_init` networks for each. "spectral": k-means on the spectral
        embedding of the affinities. "pieces": the communities of a finer partition, merged so that the normalized cut
        stays lowest. "k-means": k-means on the input vectors of the network, unless they are a spectral embedding.
        "random": random weights.
    temperature : pair of float
        Initial and final temperature of the Gumbel-softmax. It falls by the same factor in each epoch.
    annealing : float
        Fraction of the epochs in which the temperature falls.
    batch_size : int, optional
        Number of points in a batch. A batch of a graph consists of whole communities of a finer partition, with the
        edges among them. By default all points are one batch if that is affordable.
    learning_rate : float, optional
        Initial learning rate of Adam. By default 0.003, and 0.2 for logits.
    decay : float, optional
        Factor by which the learning rates of both networks are multiplied if the loss has not fallen for 5 epochs. By
        default they fall linearly to 0.
    patience : int
        The normalized cut is evaluated 20 times in a fit. Training stops if no network has improved in so many
        evaluations.
    selection : {"least cut", "last"}
        Which state of which network is the result: the one with the least normalized cut, or the state at the end.
    affinity : {"gaussian", "unit"}
        Affinities of neighbours in a table: a Gaussian of their distance, or 1.
    batch_neighbors : int, optional
        Number of neighbours in the graph of a batch of points. By default the number of neighbours in the graph of all
        points times the fraction of the points in the batch, and at least 3.
    standardize : bool
        Whether the input of the clustering network is scaled to mean 0 and variance 1.
    autoencoder : sequence of int, optional
        Sizes of the layers of an autoencoder down to its code, which replaces the features of a table. By default
        there is no autoencoder.
    autoencoder_epochs : int
        Training epochs of the autoencoder.
    siamese : sequence of int, optional
        Sizes of the layers of the Siamese network; its output is the space in which points have neighbours. None:
        there is no Siamese network.
    siamese_loss : {"cross-entropy", "contrastive"}
        "contrastive" is the loss of the paper. `graphclust.models.siamese` describes how the loss affects cuts.
    siamese_steps : int
        Training steps of the Siamese network, rounded up to whole epochs of at least 20 steps.
    siamese_batch : int, optional
        Number of points in a batch of the Siamese network. By default 1024, and 256 with the contrastive loss.
    siamese_neighbors : int
        Number of neighbours of a point that are positive pairs.
    siamese_noise : float
        Standard deviation of the noise that is added to the features while the Siamese network learns, in units of
        the standard deviation of the features.

    Raises
    ------
    UsageError
        A setting is out of range.

    Examples
    --------
    >>> Training(hidden=[64]).hidden
    (64,)
    """

    hidden: Sequence[int] = (512, 512)
    activation: str = "relu"
    starts: Sequence[str] = ("spectral", "pieces", "k-means")
    temperature: Sequence[float] = (1.5, 0.5)
    annealing: float = 1.0
    batch_size: int | None = None
    learning_rate: float | None = None
    decay: float | None = None
    patience: int = 5
    selection: str = "least cut"
    affinity: str = "gaussian"
    batch_neighbors: int | None = None
    standardize: bool = True
    autoencoder: Sequence[int] | None = None
    autoencoder_epochs: int = 40
    siamese: Sequence[int] | None = (512, 512, 10)
    siamese_loss: str = "cross-entropy"
    siamese_steps: int = 3000
    siamese_batch: int | None = None
    siamese_neighbors: int = 10
    siamese_noise: float = 0.3

    def __post_init__(self) -> None:
        refuse_unknown("activation", self.activation, ("relu", "tanh"))
        refuse_unknown("selection", self.selection, ("least cut", "last"))
        refuse_unknown("affinity", self.affinity, ("gaussian", "unit"))
        refuse_unknown("siamese_loss", self.siamese_loss, ("cross-entropy", "contrastive"))
        check_sequence("starts", self.starts)
        for start in self.starts:
            refuse_unknown("starts", start, _STARTS)
        for name in ("patience", "autoencoder_epochs", "siamese_steps", "siamese_neighbors"):
            check_count(name, getattr(self, name))
        for name in ("batch_size", "batch_neighbors", "siamese_batch"):
            if getattr(self, name) is not None:
                check_count(name, getattr(self, name))
        check_sizes("hidden", self.hidden)
        for name in ("autoencoder", "siamese"):
            if getattr(self, name) is not None:
                check_sizes(name, getattr(self, name), empty=False)
        check_number("siamese_noise", self.siamese_noise)
        check_sequence("temperature", self.temperature)
        if len(self.temperature) != 2:
            raise UsageError("temperature has two values: the initial and the final one")
        for value in self.temperature:
            check_positive("temperature", value)
        check_positive("annealing", self.annealing)
        if self.annealing > 1:
            raise UsageError(f"annealing must be above 0 and at most 1, not {self.annealing!r}")
        if self.learning_rate is not None:
            check_positive("learning_rate", self.learning_rate)
        if self.decay is not None:
            check_positive("decay", self.decay)
            if self.decay >= 1:
                raise UsageError(f"decay must be above 0 and below 1, not {self.decay!r}")
        freeze_sequences(self, "hidden", "starts", "temperature", "autoencoder", "siamese")


def _published(
    siamese: Sequence[int],
    hidden: Sequence[int],
    activation: str,
    batch_size: int,
    n_neighbors: int,
    learning_rate: float,
    decay: float,
    temperature: Sequence[float],
    autoencoder: Sequence[int] | None = None,
) -> dict[str, Any]:
    """Return the settings that section 5.7 prints for a data set, and those that all data sets share."""
    training = Training(
        hidden=hidden,
        activation=activation,
        starts=("random",),
        temperature=temperature,
        annealing=0.5,
        batch_size=batch_size,
        learning_rate=learning_rate,
        decay=decay,
        selection="last",
        affinity="unit",
        batch_neighbors=n_neighbors,
        standardize=False,
        autoencoder=autoencoder,
        autoencoder_epochs=20,
        siamese=siamese,
        siamese_loss="contrastive",
        siamese_steps=1000,
        siamese_batch=batch_size,
        siamese_neighbors=n_neighbors,
        siamese_noise=0.0,
    )
    return {
        "head": "mlp",
        "n_init": 1,
        "max_epochs": 100,
        "polish": False,
        "evenness": 0.0,
        "scale": False,
        "n_neighbors": n_neighbors,
        "training": training,
    }


_CODE = (500, 500, 2000, 10)

PRESETS: Presets = {
    "graphclust": {"training": Training()},
    "published": _published(
        (1024, 1024, 512, 10), (512, 512), "relu", 256, 3, 0.005, 0.5, (1.5, 0.5), autoencoder=_CODE
    ),
    "published-reuters": _published(
        (512, 256, 128), (512, 512, 512), "tanh", 128, 3, 1e-4, 0.5, (1.5, 1.0), autoencoder=_CODE
    ),
    "published-cifar10": _published((512, 256), (512, 512), "tanh", 256, 2, 1e-4, 0.1, (2.5, 0.5)),
    "published-cifar100": _published((512, 256), (512, 512, 512), "tanh", 1024, 3, 1e-3, 0.5, (1.5, 1.0)),
}
