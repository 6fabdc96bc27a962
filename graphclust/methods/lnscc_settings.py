"""Settings of LNSCC: how its networks learn, and the presets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from graphclust.errors import UsageError
from graphclust.methods.presets import Presets, check_positive, check_sizes, freeze_sequences
from graphclust.runtime.checks import check_count, check_number, check_sequence, refuse_unknown

__all__ = ["PHASES", "PRESETS", "Training", "steps_of_epoch"]

PHASES = ("im", "ba", "dis")
_MIN_STEPS = 20  # of an epoch


@dataclass(frozen=True)
class Training:
    """How the networks of LNSCC learn: advanced settings of `LNSCC`.

    Attributes
    ----------
    hidden : sequence of int, optional
        Sizes of the hidden layers of the embedding network. By default 512 and 512, and 128 and 128 for tables of fewer
        than a million numbers. Published: 500, 500 and 2,000.
    head_hidden : sequence of int
        Sizes of the layers between the embedding and the clusters.
    noise : float
        Standard deviation of the noise that is added to the features in each step, in units of the features' root mean
        square. Published: 0.
    adversarial : float
        In self-training, points are moved to where their cluster is least certain, by this multiple of the mean
        distance to their neighbours, while the target is computed at their original place. Published: 0.
    bandwidth : float, optional
        Divisor of the distances before the softmax of eq. (1). By default the median over points of the distance to the
        farthest neighbour minus that to the nearest, which does not depend on the unit of the features. The weights of
        a graph without node features are not distances, and are normalized as they are.
    alpha, beta, gamma : float
        Eqs. (6), (16) and (18): how often close pairs are repeated, the number of unconnected pairs for each of them,
        and the weight of even cluster sizes. Affinities of a given graph are divided by the largest one, and so are
        those of neighbours without a close one (alpha times the largest affinity is below 1): otherwise the floor of
        eq. (6) leaves few or no pairs that attract.
    repulsion, contraction : float, optional
        Weight of the weakly connected pairs, which repel, and of the strongly connected pairs of the second phase,
        relative to the pairs that attract. 1 corresponds to batches of equal size from each data set, and None to data
        sets weighted by their sizes. See `graphclust.models.lnscc`.
    delta, xi : float
        Eq. (19): the weight eta of the clustering loss grows by `delta` in each iteration up to `xi`.
    eta_grows : {"training", "step"}
        An iteration of eq. (19) is an 800th of the training with the head, or a step, as published.
    phases : sequence of {"im", "ba", "dis"}
        Contrasts that take part (table 4): imbalanced neighbourhoods, balanced ones, and unconnected pairs.
    batch_size : int
        Number of pairs in a step, at least two; no more than there are points.
    optimizer : {"adam", "sgd"}
        "sgd" has momentum 0.9 and weight decay 0.0005, as published.
    learning_rate : float
        Initial learning rate.
    rate_falls : bool
        Whether the learning rate falls linearly to 0. Otherwise it is constant.
    patience : int, optional
        Training stops after so many epochs in a row in which fewer than a thousandth of the points change their
        cluster. Epochs count once the clustering loss has its full weight. None: training does not stop early.
    unit_range : bool
        Whether features are mapped to [0, 1] by a single affine map, instead of the scaling that `scale` describes.

    Raises
    ------
    UsageError
        A setting is out of range.

    Examples
    --------
    >>> Training(hidden=[64]).hidden
    (64,)
    """

    hidden: Sequence[int] | None = None
    head_hidden: Sequence[int] = (32,)
    noise: float = 0.3
    adversarial: float = 0.25
    bandwidth: float | None = None
    alpha: float = 2.0
    beta: float = 5.0
    gamma: float = 1.0
    repulsion: float | None = 0.1
    contraction: float | None = None
    delta: float = 0.05
    xi: float = 5.0
    eta_grows: str = "training"
    phases: Sequence[str] = PHASES
    batch_size: int = 1024
    optimizer: str = "adam"
    learning_rate: float = 1e-3
    rate_falls: bool = True
    patience: int | None = 10
    unit_range: bool = False

    def __post_init__(self) -> None:
        if self.hidden is not None:
            check_sizes("hidden", self.hidden)
        check_sizes("head_hidden", self.head_hidden)
        check_count("batch_size", self.batch_size, 2)  # the ends of two pairs make the unconnected pairs
        if self.patience is not None:
            check_count("patience", self.patience)
        refuse_unknown("optimizer", self.optimizer, ("adam", "sgd"))
        refuse_unknown("eta_grows", self.eta_grows, ("training", "step"))
        for name in ("noise", "adversarial", "beta", "gamma", "delta", "xi"):
            check_number(name, getattr(self, name))
        for name in ("repulsion", "contraction"):
            if getattr(self, name) is not None:
                check_number(name, getattr(self, name))
        check_positive("alpha", self.alpha)
        check_positive("learning_rate", self.learning_rate)
        if self.bandwidth is not None:
            check_positive("bandwidth", self.bandwidth)
        self._check_phases()
        freeze_sequences(self, "hidden", "head_hidden", "phases")

    def _check_phases(self) -> None:
        check_sequence("phases", self.phases)
        for phase in self.phases:
            refuse_unknown("phases", phase, PHASES)
        if not set(self.phases) & {"im", "ba"}:
            raise UsageError("phases must include im or ba: dis alone has no edges to learn from")


_PUBLISHED: dict[str, Any] = {"embedding_dim": 64, "n_neighbors": 10, "start": "random"}
_PUBLISHED_TRAINING: dict[str, Any] = {
    "hidden": (500, 500, 2000),
    "batch_size": 200,
    "noise": 0.0,
    "adversarial": 0.0,
    "repulsion": None,
    "contraction": None,
}

PRESETS: Presets = {
    "graphclust": {"training": Training()},
    "published": _PUBLISHED
    | {
        "scale": False,
        "training": Training(
            **_PUBLISHED_TRAINING,
            bandwidth=1.0,
            eta_grows="step",
            optimizer="sgd",
            learning_rate=0.01,
            rate_falls=False,
            patience=None,
            unit_range=True,
        ),
    },
    "published-adam": _PUBLISHED | {"training": Training(**_PUBLISHED_TRAINING)},
}


def steps_of_epoch(n: int, batch_size: int) -> int:
    """Return the number of steps in an epoch of n points.

    Examples
    --------
    >>> steps_of_epoch(9298, 200), steps_of_epoch(150, 200)
    (47, 20)
    """
    return max(_MIN_STEPS, -(-n // min(batch_size, n)))
