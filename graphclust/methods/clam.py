"""CLAM as an estimator: many memories learn at once, and one is chosen without labels.

| CLAM | here | as printed? |
|---|---|---|
| 8 | `CLAM.masking` | as printed with `masking=None` |
| 9 | `CLAM` | the mean over a batch; `mask_value` is what masked coordinates start at |
| Fig. 1 | `CLAM` | as printed |
| Fig. 2 | `CLAM.plot_prototypes` | as printed |
| Fig. 3 | `CLAM.plot_basins` | as printed |
| sec. 3 | `CLAM` | only configurations with K clusters, none below `min_size`, count |
| sec. A.3 | `CLAM` | other defaults; `select` is one criterion for epochs and configurations |
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from graphclust.errors import DataError, UsageError
from graphclust.kernels.kmeans import fill_up, kmeans
from graphclust.methods.points import VectorEstimator
from graphclust.methods.space import SIMILARITIES, Space
from graphclust.metrics import rank_labels
from graphclust.problem.solution import Solution
from graphclust.runtime.arrays import FloatArray, IntArray
from graphclust.runtime.checks import check_count, check_number, check_sequence, refuse_unknown
from graphclust.runtime.progress import task
from graphclust.runtime.threads import one_thread

if TYPE_CHECKING:
    import torch
    from matplotlib.figure import Figure
    from torch import Tensor

    from graphclust.models.clam import AssociativeMemory
    from graphclust.models.silhouette import Silhouette
    from graphclust.training.loops import Fleet

    Weights = tuple[Tensor, ...]  # of an autoencoder of one run

__all__ = ["CLAM"]

_TEMPERATURES = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0)  # default betas, times the squared error of prototypes to start at
_RATES = (0.01, 0.03, 0.1)  # default learning rates, times that error a coordinate, its root
_LOOKS = 10  # times in a fit that the silhouettes of all runs are taken
_RUNGS = (2, 5)  # looks after which the worst runs stop
_INITS = ("k-means++", "k-means", "linkage", "data", "normal", "spread")
_LINKAGES = ("ward", "single", "average", "complete")
_LINKED_POINTS = 5000  # whose hierarchical clusters prototypes start at
_SMALLEST = 20  # by default, clusters have at least the mean size divided by this
_MASKS = ("mixed", "point", "shared", None)
_VALUES = ("mean", "min", "max", "zero")
_SEED_POINTS = 20_000  # points that prototypes are chosen from
_CELLS = 1 << 25  # numbers in the largest tensors of a group of runs
_NULLS = 3  # sets of points from one Gaussian that a number of clusters is tested against
_HIDDEN = 64  # units of the layers of an autoencoder
_CODER_RATE = 0.03  # its learning rate, of the one that prototypes have in units of the mean error a coordinate
_SMALL = 1 << 18  # numbers of such a tensor up to which a second thread gains nothing


@dataclass
class _Run:
    """A configuration and what became of it."""

    beta: float
    rate: float
    init: str
    loss: float = math.inf
    silhouette: float = -math.inf
    n_found: int = 0
    prototypes: Tensor | None = None  # (K, d)
    weights: Weights = ()
    snapshots: dict[int, Tensor] = field(default_factory=dict)

    def row(self) -> dict[str, Any]:
        """Return what is told of it."""
        return {
            "beta": self.beta,
            "learning_rate": self.rate,
            "init": self.init,
            "loss": self.loss,
            "silhouette": self.silhouette if math.isfinite(self.silhouette) else None,
            "n_clusters": self.n_found,
        }


class CLAM(VectorEstimator):
    """Clustering with associative memories: prototypes that learn to complete points of which a part is masked.

    Many configurations, restarts and temperatures, learn at once; of those with exactly `n_clusters` non-empty
    clusters the one of the best silhouette is the result. A point belongs to the prototype nearest to where the
    dynamics takes it (`graphclust.models.clam`). No labels are ever seen.

    Parameters
    ----------
    n_clusters : int, or None or "auto"
        Exact number of clusters; found by itself if it is not given, see `max_clusters`.
    betas : sequence of float, optional
        Inverse temperatures to try, in units of 1 / squared distance (of scaled features). By default 1, 2, ... 32
        divided by the mean squared distance of points to the nearest of `n_clusters` points that k-means++ chooses.
    n_init : int
        Restarts for each beta and kind of start.
    init : str or sequence of str, or ndarray of shape (n_clusters, d)
        "k-means++": points far from each other, at random with their squared distance; "k-means": where Lloyd's
        algorithm takes such points; "linkage": means of hierarchical clusters, with Ward's, single, average and
        complete linkage in turn (of a sample of 5000 points); "spread": points at random with the 64th power of their
        distance, which starts at outliers; "data": points; "normal": N(0.1, 0.1), as published. Or the prototypes.
    masking : {"mixed", "point", "shared", None}
        "point": each point has its own mask; "shared": one for all points of an epoch; "mixed": the latter in every
        third epoch, as published; None: no self-supervision, the loss of eq. (8).
    mask_rate : float
        Probability that a coordinate is masked.
    mask_value : {"mean", "min", "max", "zero"}
        What of the feature a masked coordinate starts at.
    n_steps : int
        T, steps of the dynamics.
    step_size : float
        dt / tau. As published 1 / n_steps, after which points are but 2/3 on their way to a prototype; with the default
        they arrive, which finds better clusters in the same time.
    max_epochs : int
    batch_size : int, optional
        By default 1/32 of the points, between 64 and 1024.
    learning_rate : float or sequence of float, optional
        Of Adam; the restarts take turns. By default 0.01, 0.03 and 0.1 times the root of that distance a coordinate.
    keep : float
        Share of the configurations that go on after a fifth of the epochs, and of these after half (successive halving,
        Jamieson & Talwalkar 2016); 1 lets all go on.
    select : {"silhouette", "loss"}
        What chooses among configurations, and among the epochs of one.
    min_size : int, optional
        Smallest cluster a configuration may have, by default a twentieth of the mean size. The silhouette likes
        clusters of a few outliers: raise it to have none, or set 1 to take whatever has the best silhouette, as
        published. Smaller clusters are allowed, with a note, where no configuration has none.
    silhouette_sample : int
        Points on which silhouettes are computed, a random sample fixed by the seed if there are more.
    similarity : {"euclidean", "cosine", "mahalanobis"}
        Of scaled features; see `graphclust.methods.space.Space`.
    scale : bool
        Whether features get mean 0 and variance 1 first, as published; a spectral embedding stays as it is.
    latent_dim : int, optional
        Cluster the latents of so many dimensions, of an autoencoder that learns together with the memories and starts
        as principal component analysis (`graphclust.models.clam.Autoencoder`); silhouettes are still of the features.
        By default the features themselves are clustered, as published.
    max_clusters : int
        With n_clusters="auto": at most so many.
    vectors : {"auto", "features", "smoothed", "spectral"}
        Of a graph: its node features; these averaged over two steps in the graph; its spectral embedding. "auto": the
        features if there are any, else the embedding.
    n_components : int, optional
        Dimensions of the spectral embedding; n_clusters by default.
    snapshots : sequence of int
        Epochs after which to keep the prototypes, 0 being the start, for `plot_prototypes`.
    random_state : int, Generator or None
    device : {"auto", "cpu", "cuda"}

    Attributes
    ----------
    labels_ : ndarray of int64, shape (n,)
        0 is the largest cluster.
    prototypes_ : ndarray of float64, shape (n_clusters, d)
        The memories, in the units of the features.
    beta_, loss_, silhouette_ : float
        Of the chosen configuration; the loss is that of its best epoch, a point, and the silhouette that of the scaled
        features.
    runs_ : list of dict
        All configurations: beta, learning_rate, init, loss, silhouette (None without n_clusters clusters), n_clusters.
    snapshots_ : dict
        Epoch -> prototypes, ndarray of shape (n_clusters, d), in the order of `prototypes_`.

    Examples
    --------
    >>> x = np.array([[0.0, 0.1], [0.2, 0.0], [0.1, 0.3], [9.0, 9.1], [9.2, 9.0]])
    >>> clam = CLAM(2, random_state=0, max_epochs=20).fit(x)
    >>> clam.labels_
    array([0, 0, 0, 1, 1])
    >>> clam.predict([[8.0, 8.0]])
    array([1])
    """

    name: ClassVar[str] = "clam"
    summary: ClassVar[str] = "prototypes as an associative memory, on node features or a spectral embedding"
    source: ClassVar[str] = "Saha, Krotov, Zaki & Ram, End-to-end Differentiable Clustering with AM, ICML 2023"
    takes_n_clusters: ClassVar[Literal["required", "optional", "no"]] = "optional"
    needs: ClassVar[tuple[str, ...]] = ("torch", "sklearn.preprocessing", "graphclust.training.loops")

    def __init__(
        self,
        n_clusters: Any = None,
        *,
        betas: Sequence[float] | None = None,
        n_init: int = 2,
        init: Any = ("k-means++", "k-means"),
        masking: str | None = "mixed",
        mask_rate: float = 0.2,
        mask_value: str = "mean",
        n_steps: int = 10,
        step_size: float = 0.5,
        max_epochs: int = 100,
        batch_size: int | None = None,
        learning_rate: Any = None,
        keep: float = 1 / 3,
        select: str = "silhouette",
        min_size: int | None = None,
        silhouette_sample: int = 5000,
        similarity: str = "euclidean",
        scale: bool = True,
        latent_dim: int | None = None,
        max_clusters: int = 20,
        vectors: str = "auto",
        n_components: int | None = None,
        snapshots: Sequence[int] = (),
        random_state: Any = None,
        device: str = "auto",
    ) -> None:
        self.n_clusters = n_clusters
        self.betas = betas
        self.n_init = n_init
        self.init = init
        self.masking = masking
        self.mask_rate = mask_rate
        self.mask_value = mask_value
        self.n_steps = n_steps
        self.step_size = step_size
        self.max_epochs = max_epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.keep = keep
        self.select = select
        self.min_size = min_size
        self.silhouette_sample = silhouette_sample
        self.similarity = similarity
        self.scale = scale
        self.latent_dim = latent_dim
        self.max_clusters = max_clusters
        self.vectors = vectors
        self.n_components = n_components
        self.snapshots = snapshots
        self.random_state = random_state
        self.device = device

    # ---------------------------------------------------------------- parameters

    def check_params(self) -> None:
        """See `GraphEstimator.check_params`."""
        super().check_params()
        for name in ("n_init", "n_steps", "max_epochs"):
            check_count(name, getattr(self, name))
        for name in ("batch_size", "min_size"):
            if getattr(self, name) is not None:
                check_count(name, getattr(self, name))
        if self.latent_dim is not None:
            check_count("latent_dim", self.latent_dim)
            if self.similarity == "cosine":
                raise UsageError("latents have lengths that mean something: no latent_dim with similarity='cosine'")
        check_count("silhouette_sample", self.silhouette_sample, 3)
        check_count("max_clusters", self.max_clusters, 2)
        refuse_unknown("masking", self.masking, _MASKS)
        refuse_unknown("mask_value", self.mask_value, _VALUES)
        check_number("keep", self.keep)
        if not 0 < self.keep <= 1:
            raise UsageError(f"keep is above 0 and at most 1, not {self.keep!r}")
        refuse_unknown("select", self.select, ("silhouette", "loss"))
        refuse_unknown("similarity", self.similarity, SIMILARITIES)
        if isinstance(self.init, np.ndarray):
            if self.init.dtype.kind not in "biuf" or not np.isfinite(self.init).all():
                raise UsageError("init holds prototypes, finite numbers, or is the name of a start or several")
        else:
            check_sequence("init", self._inits())
            for name in self._inits():
                refuse_unknown("init", name, _INITS)
        if self.betas is not None:
            check_sequence("betas", self.betas)
        check_sequence("learning_rate", self._rates())
        check_sequence("snapshots", self.snapshots, empty=True)
        for name, values in (("mask_rate", [self.mask_rate]), ("betas", self.betas), ("learning_rate", self._rates())):
            for value in [] if values is None else values:
                check_number(name, value)
                if not value or (name == "mask_rate" and value >= 1):
                    raise UsageError(f"{name} is above 0{' and below 1' if name == 'mask_rate' else ''}, not {value!r}")
        check_number("step_size", self.step_size)
        if not 0 < self.step_size <= 1:
            raise UsageError(f"step_size is above 0 and at most 1, not {self.step_size!r}")

    def _inits(self) -> tuple[str, ...]:
        found: tuple[str, ...] = (self.init,) if isinstance(self.init, str) else self.init
        return found

    def _rates(self) -> tuple[float, ...]:
        if self.learning_rate is None:
            return _RATES
        return tuple(np.atleast_1d(np.asarray(self.learning_rate, dtype=object)).tolist())

    def _batch(self, n: int) -> int:
        return int(self.batch_size or min(max(64, n // 32), 1024))

    def _least(self, n: int, k: int, n_seen: int | None = None) -> int:
        """Return the size of the smallest cluster allowed, or what is left of it in a sample of `n_seen` points."""
        size = max(1, n // (_SMALLEST * k)) if self.min_size is None else self.min_size
        return size if n_seen is None else max(1, size * n_seen // n)

    def _number_of_runs(self) -> int:
        kinds = 1 if isinstance(self.init, np.ndarray) else len(self._inits())
        return (len(_TEMPERATURES) if self.betas is None else len(self.betas)) * self.n_init * kinds

    def _memory(self, n: int, d: int) -> float:
        """Bytes of the points in double and single precision, distances of a sample, prototypes, groups of runs."""
        sample = min(n, self.silhouette_sample)
        k = self._number() or self.max_clusters
        runs = self._number_of_runs()
        coders = 0.0 if self.latent_dim is None else 60.0 * runs * d * _HIDDEN
        step = 16.0 * max(_CELLS, k * k * (self._batch(n) + d // 2))
        return 24.0 * n * d + 8.0 * sample**2 + 4.0 * sample * runs * k + 32.0 * runs * k * d + step + coders

    # ---------------------------------------------------------------- fitting

    def _fit_vectors(self, x: FloatArray, seed: int, *, embedded: bool = False) -> Solution:
        import torch

        from graphclust.runtime.devices import device_named

        device = device_named(self.device)
        scaled = self.scale and not embedded
        self._space = Space.fitted(x, self.similarity, scale=scaled)
        inside = self._space.single(x)
        origin = np.zeros((1, x.shape[1]))
        self._origin = origin if scaled else self._space.of(origin)
        self._basis = self._axes(inside, seed)
        z = torch.as_tensor(inside, dtype=torch.float32, device=device)
        distinct = len(np.unique(inside.astype(np.float32), axis=0))
        k = self._number()
        details: dict[str, Any] = {}
        centers = None
        if k is None:
            k, centers, details["numbers"] = self._choose_number(z, distinct, seed)
        if k > distinct and not embedded:
            raise DataError(f"{k} clusters of {distinct} distinct rows")
        if k == 1 or k >= distinct:
            labels = np.zeros(len(x), dtype=np.int64) if k == 1 else _equal_rows(inside)
            run = _Run(1.0 / max(float(z.var(0, correction=0).sum()), 1e-12), 0.0, "data", n_found=k)
            run.beta *= 1e6 if k > 1 else 1.0
            run.prototypes = _means(self._latents(z), torch.as_tensor(labels, device=z.device), int(labels.max()) + 1)
            runs = [run]
        else:
            if centers is not None:
                centers = self._latents(centers)
            runs = self._search(z, k, seed, centers)
            run, labels = self._best(runs, z, k)
        ranks = rank_labels(labels)
        order = np.empty(int(ranks.max()) + 1, dtype=np.int64)
        order[ranks] = labels
        assert run.prototypes is not None
        self._prototypes = run.prototypes.double().cpu().numpy()[order]
        self._weights = tuple(one.double().cpu() for one in run.weights)
        decoded = self._memory_of(run, z).decode(run.prototypes[None]).detach()[0]
        self.prototypes_ = self._space.back(decoded.double().cpu().numpy()[order])
        self.snapshots_ = {
            epoch: self._space.back(one.double().cpu().numpy()[order]) for epoch, one in run.snapshots.items()
        }
        self.beta_, self.loss_, self.silhouette_ = run.beta, run.loss, run.silhouette
        self.runs_ = [one.row() for one in runs]
        details |= {"beta": run.beta, "silhouette": run.row()["silhouette"], "n_runs": len(runs)}
        details["n_runs_of_n_clusters"] = sum(one.n_found == k for one in runs)
        if k > distinct:
            ranks = fill_up(inside, ranks, k)
            self._note(
                "split-equal-points",
                f"split equal points: there are {distinct} distinct vectors for {k} clusters",
                n_distinct=distinct,
            )
        return Solution(ranks, details=details)

    def _axes(self, x: FloatArray, seed: int) -> FloatArray | None:
        """Return the axes of the latents to start with, shape (d, l); None without latents."""
        if self.latent_dim is None:
            return None
        if self.latent_dim > min(x.shape):
            raise UsageError(
                f"latent_dim={self.latent_dim} is above what {x.shape[0]} points of {x.shape[1]} features span"
            )
        from sklearn.decomposition import PCA

        axes: FloatArray = PCA(self.latent_dim, random_state=seed).fit(x).components_.T
        return axes

    def _latents(self, z: Tensor) -> Tensor:
        """Return the latents to start with of points in the space, or the points."""
        import torch

        return z if self._basis is None else z @ torch.as_tensor(self._basis).to(z)

    def _configurations(self, z: Tensor, k: int, seed: int) -> list[_Run]:
        """List what is tried: every beta with every kind of start, `n_init` times; learning rates take turns."""
        error = _seed_error(z, k, seed)
        betas = [b / error for b in _TEMPERATURES] if self.betas is None else [float(b) for b in self.betas]
        self._size = math.sqrt(error / z.shape[1])
        size = self._size if self.learning_rate is None else 1.0
        kinds = ("given",) if isinstance(self.init, np.ndarray) else self._inits()
        rates = [size * float(rate) for rate in self._rates()]
        return [
            _Run(beta, rates[(restart + i) % len(rates)], kind)
            for restart in range(self.n_init)
            for i, kind in enumerate(kinds)
            for beta in betas
        ]

    def _search(self, z: Tensor, k: int, seed: int, centers: Tensor | None = None) -> list[_Run]:
        """Train all configurations, in groups that fit into memory; one more a beta from `centers`, if there are."""
        import torch

        runs = self._configurations(self._latents(z), k, seed)
        if centers is not None:
            runs += [_Run(beta, runs[0].rate, "merged") for beta in dict.fromkeys(run.beta for run in runs)]
        n, d = self._latents(z[:1]).expand(len(z), -1).shape
        batch = self._batch(n)
        coder = 0 if self.latent_dim is None else (batch + 4 * _HIDDEN) * (z.shape[1] + _HIDDEN)
        group = max(1, _CELLS // (k * k * (batch + d) + coder))
        groups = [runs[i : i + group] for i in range(0, len(runs), group)]
        rng = np.random.default_rng(seed)
        sample = np.arange(n)
        if n > self.silhouette_sample:
            sample = np.sort(rng.permutation(n)[: self.silhouette_sample])
            self._note(
                "sampled-silhouette",
                f"computed silhouettes on a sample of {len(sample):,} of {n:,} points",
                is_detail=True,
                n_sampled=len(sample),
            )
        from graphclust.models.silhouette import Silhouette

        seen = z[torch.as_tensor(sample, device=z.device)]
        self._seen_least = self._least(n, k, len(sample))
        silhouette = Silhouette(seen)
        small = (k * k * batch + coder) * min(group, len(runs)) <= _SMALL
        with task("training", len(groups) * self.max_epochs) as advance, one_thread(small):
            for part in groups:
                start = self._start(self._latents(z), k, part, rng, centers)
                generator = torch.Generator().manual_seed(int(rng.integers(2**31)))
                for _ in self._train(z, seen, silhouette, part, start, generator):
                    advance()
        return runs

    def _start(self, z: Tensor, k: int, runs: list[_Run], rng: np.random.Generator, centers: Tensor | None) -> Tensor:
        """Return the prototypes that runs start at, shape (R, K, d)."""
        import torch

        if isinstance(self.init, np.ndarray):
            if self.init.shape != (k, len(self._space.mean)):
                raise UsageError(f"init has the shape {self.init.shape}, not ({k}, {len(self._space.mean)})")
            given = self._latents(torch.as_tensor(self._space.single(np.asarray(self.init, dtype=np.float64))).to(z))
            return given.expand(len(runs), -1, -1).clone()
        generator = torch.Generator().manual_seed(int(rng.integers(2**31)))
        some = z
        if len(z) > _SEED_POINTS:
            some = z[torch.randperm(len(z), generator=generator)[:_SEED_POINTS].to(z.device)]
        found = torch.empty(len(runs), k, z.shape[1], dtype=z.dtype, device=z.device)
        powers = {"data": 0.0, "k-means++": 1.0, "spread": 32.0}
        for kind in dict.fromkeys(run.init for run in runs):
            rows = [i for i, run in enumerate(runs) if run.init == kind]
            if centers is not None and kind == "merged":
                found[rows] = centers
            elif kind == "normal":
                size = (len(rows), k, z.shape[1])
                origin = self._latents(torch.as_tensor(self._origin).to(z))
                found[rows] = (0.1 + 0.1 * torch.randn(size, generator=generator)).to(z) + origin
            elif kind == "k-means":
                table = some.double().cpu().numpy()
                for row in rows:
                    labels = torch.as_tensor(kmeans(table, k, 1, int(rng.integers(2**31))), device=z.device)
                    found[row] = _means(some, labels, k)
            elif kind == "linkage":
                few = some[: None if len(some) <= _LINKED_POINTS else _LINKED_POINTS]
                means = [_linked(few, k, linkage) for linkage in _LINKAGES[: len(rows)]]
                for i, row in enumerate(rows):
                    found[row] = means[i % len(means)]
            else:
                found[rows] = some[_seeds(some, k, len(rows), powers[kind], generator)]
        return found

    def _train(
        self,
        z: Tensor,
        seen: Tensor,
        silhouette: Silhouette,
        runs: list[_Run],
        start: Tensor,
        generator: torch.Generator,
    ) -> Iterator[int]:
        """Train a group of runs, yielding after each epoch; the runs keep the best that they were."""
        import torch

        from graphclust.models.clam import AssociativeMemory, Autoencoder
        from graphclust.training.loops import Fleet

        k, d = start.shape[1:]
        coder = None
        if self._basis is not None:
            coder = Autoencoder(torch.as_tensor(self._basis).to(z), len(runs), _HIDDEN, generator)
        memory = AssociativeMemory(
            start,
            torch.tensor([run.beta for run in runs], dtype=z.dtype, device=z.device),
            self.n_steps,
            self.step_size,
            on_sphere=self._space.on_sphere,
            coder=coder,
        ).to(z.device)
        rates = torch.tensor([run.rate for run in runs], dtype=z.dtype, device=z.device)
        slower = _CODER_RATE / self._size
        fleet = Fleet(list(memory.parameters()), rates, [1.0] + [slower] * (len(list(memory.parameters())) - 1))
        value = self._mask_value(self._latents(z))
        masks: dict[int, Tensor] = {}

        def alike(epoch: int) -> bool:
            return self.masking == "shared" or (self.masking == "mixed" and epoch % 3 == 2)

        def drawn_mask(rows: int) -> Tensor:  # on the CPU, and the same on every device
            return _mask(rows, d, self.mask_rate, generator).to(z.device, z.dtype, non_blocking=True)

        def loss(index: Tensor, epoch: int) -> Tensor:
            if self.masking is None:
                return memory.loss(z[index])
            if alike(epoch):
                if epoch not in masks:
                    masks.clear()
                    masks[epoch] = drawn_mask(1)
                moving = masks[epoch]
            else:
                moving = drawn_mask(len(index))
            return memory.loss(z[index], moving, value)

        def counts(epoch: int) -> bool:  # losses of epochs that hide other features tell nothing about the memories
            return self.masking != "mixed" or not alike(epoch)

        self._snap(runs, memory, 0)
        every = max(1, self.max_epochs // _LOOKS)
        for epoch in fleet.epochs(self.max_epochs, len(z), self._batch(len(z)), loss, generator, counts):
            self._snap(runs, memory, epoch + 1)
            looks, rest = divmod(epoch + 1, every)
            rung = rest == 0 and looks in _RUNGS and self.keep < 1
            if epoch + 1 < self.max_epochs and rest == 0 and (rung or self.select == "silhouette"):
                self._look(runs, memory, seen, silhouette, k)
                if rung:
                    _note_losses(runs, fleet)
                    runs = self._go_on(runs, memory, fleet)
            yield epoch
        _note_losses(runs, fleet)
        if self.select == "silhouette":
            self._look(runs, memory, seen, silhouette, k)
        with torch.no_grad():
            for parameter, best in zip(memory.parameters(), fleet.best, strict=True):
                parameter.copy_(best)
        self._look(runs, memory, seen, silhouette, k)

    def _go_on(self, runs: list[_Run], memory: AssociativeMemory, fleet: Fleet) -> list[_Run]:
        """Stop the worst runs; return those that go on."""
        import torch

        best = sorted(range(len(runs)), key=lambda i: self._merit(runs[i]), reverse=True)
        best = sorted(best[: max(1, math.ceil(self.keep * len(runs)))])
        kept = torch.tensor(best, device=memory.beta.device)
        fleet.keep(kept)
        for name, parameter in zip([name for name, _ in memory.named_parameters()], fleet.parameters, strict=True):
            owner, _, own = name.rpartition(".")
            setattr(memory.get_submodule(owner), own, parameter)
        memory.beta = memory.beta[kept]
        return [runs[i] for i in best]

    def _merit(self, run: _Run) -> tuple[float, ...]:
        """Return what runs are sorted by."""
        return (run.n_found, -run.loss) if self.select == "loss" else (run.silhouette, run.n_found, -run.loss)

    def _mask_value(self, z: Tensor) -> Tensor | None:
        """Return what masked coordinates start at, shape (d,); None for the origin."""
        import torch

        if self.mask_value == "mean":
            mean = z.mean(0)
            return None if float(mean.abs().max()) < 1e-5 else mean
        if self.mask_value == "zero":
            return self._latents(torch.as_tensor(self._space.of(np.zeros((1, len(self._space.mean))))).to(z))[0]
        return z.amin(0) if self.mask_value == "min" else z.amax(0)

    def _snap(self, runs: list[_Run], memory: AssociativeMemory, epoch: int) -> None:
        if epoch in self.snapshots:
            for run, one in zip(runs, memory.decode(memory.prototypes).detach().cpu(), strict=True):
                run.snapshots[epoch] = one.clone()

    def _look(self, runs: list[_Run], memory: AssociativeMemory, x: Tensor, silhouette: Silhouette, k: int) -> None:
        """Take the silhouettes of all runs as they are; those that never were better keep what they are."""
        labels = memory.assign(x)
        values = silhouette(labels, k).tolist()
        sizes = _sizes(labels, k)
        found = (sizes >= self._seen_least).sum(1).tolist()
        prototypes = memory.prototypes.detach()
        for i, run in enumerate(runs):
            value = values[i] if found[i] == k else -math.inf
            if self.select == "loss" or value > run.silhouette or run.prototypes is None or found[i] > run.n_found:
                run.silhouette, run.n_found = value, found[i]
                run.prototypes = prototypes[i].clone()
                if memory.coder is not None:
                    run.weights = tuple(one.detach()[i].clone() for one in memory.coder.parameters())

    def _best(self, runs: list[_Run], z: Tensor, k: int) -> tuple[_Run, IntArray]:
        """Return the best run of k clusters and its labels; if there is none, another is made to be one."""
        import torch

        order = sorted(runs, key=self._merit, reverse=True)
        least = self._least(len(z), k)
        why = "clusters" if least == 1 else f"clusters of at least {least} points"
        for allowed in dict.fromkeys((least, 1)):
            for run in order:
                if allowed < least or run.n_found == k:
                    labels = self._memory_of(run, z).assign(z)
                    if int(_sizes(labels, k).min()) >= allowed:
                        if allowed < least:
                            self._note(
                                "small-clusters",
                                f"no configuration has {k} {why}: allowed smaller ones",
                                min_size=least,
                            )
                            run.n_found = k
                        return run, labels[0].cpu().numpy()
                    run.n_found = min(run.n_found, k - 1)  # in the sample, and not in all points
        run = max(order, key=lambda run: run.n_found)
        assert run.prototypes is not None
        self._note(
            "empty-clusters", f"no configuration has {k} {why}: moved empty prototypes to points far from all others"
        )
        beta = run.beta
        for _ in range(4 * k):
            labels = self._memory_of(run, z).assign(z)[0]
            sizes = _sizes(labels[None], k)[0]
            if int(sizes.min()) > 0:
                return run, labels.cpu().numpy()
            run.beta = max(run.beta, 1e4 * beta)  # prototypes that merge have basins of their own again
            labels = self._memory_of(run, z).assign(z)[0]
            latents = self._memory_of(run, z).encode(z).detach().reshape(len(z), -1)
            distance = (latents - run.prototypes[labels]).square().sum(1)
            empty = int((_sizes(labels[None], k)[0] == 0).int().argmax())
            if int(_sizes(labels[None], k)[0].min()) == 0:
                run.prototypes[empty] = latents[int(distance.argmax())]
        filled = fill_up(z.cpu().numpy(), self._memory_of(run, z).assign(z)[0].cpu().numpy(), k)
        latents = self._memory_of(run, z).encode(z).detach().reshape(len(z), -1)
        run.prototypes = _means(latents, torch.as_tensor(filled, device=z.device), k)
        return run, filled

    def _memory_of(self, run: _Run, z: Tensor) -> AssociativeMemory:
        """Return the memory that a run has learned."""
        import torch

        from graphclust.models.clam import AssociativeMemory, Autoencoder

        assert run.prototypes is not None
        coder = None
        if self._basis is not None:
            coder = Autoencoder(torch.as_tensor(self._basis).to(z), 1, _HIDDEN)
            if run.weights:
                for parameter, learned in zip(coder.parameters(), run.weights, strict=True):
                    parameter.data = learned[None].to(z)
        beta = torch.tensor([run.beta], dtype=z.dtype, device=z.device)
        return AssociativeMemory(run.prototypes[None].to(z), beta, self.n_steps, self.step_size, coder=coder)

    # ---------------------------------------------------------------- how many

    def _choose_number(self, z: Tensor, distinct: int, seed: int) -> tuple[int, Tensor | None, list[dict[str, Any]]]:
        """Choose the number of clusters by the silhouette, the criterion that chooses everything else.

        One memory of `max_clusters` prototypes is learned, which is more than there are clusters, so that none is
        missed; its clusters are merged two by two, those first whose merging adds least to the squared error (Ward),
        and the silhouette is taken at every number. There is one cluster if the best silhouette is no higher than that
        of points drawn from one Gaussian of the same covariance, with the cosine scaled to length one, as the gap
        statistic compares (Tibshirani, Walther & Hastie 2001).

        Returns
        -------
        number : int
        centers : Tensor, shape (number, d), or None
            Means of the clusters as merged, a start for the memories of that number.
        table : list of dict
            n_clusters and silhouette of each number that was compared.
        """
        import torch

        if distinct <= 2:
            return distinct, None, []
        rng = np.random.default_rng(seed)
        points = z
        if len(z) > self.silhouette_sample:
            points = z[torch.as_tensor(np.sort(rng.permutation(len(z))[: self.silhouette_sample]), device=z.device)]
        most = min(self.max_clusters, distinct - 1)
        with task("choosing the number of clusters", 1 + _NULLS) as advance:
            values, centers = self._merged(points, most, seed)
            advance()
            best = max(values, key=lambda k: values[k])
            null = -math.inf
            spread = torch.linalg.svd(points - points.mean(0), full_matrices=False)
            scale = spread.S / math.sqrt(max(len(points) - 1, 1))
            for number in range(_NULLS):
                normal = torch.as_tensor(rng.standard_normal((len(points), len(scale)))).to(z)
                drawn = normal * scale @ spread.Vh
                if self._space.on_sphere:
                    drawn = torch.nn.functional.normalize(drawn + points.mean(0), dim=1)
                silhouettes = self._merged(drawn, most, seed + 1 + number)[0]
                null = max(null, *silhouettes.values())
                advance()
        table = [{"n_clusters": k, "silhouette": value} for k, value in sorted(values.items())]
        if values[best] <= null:
            self._note(
                "one-cluster",
                f"found one cluster: the best silhouette, {values[best]:.3f} at {best} clusters, is no higher than "
                f"that of points from one Gaussian, {null:.3f}",
                silhouette=values[best],
                null_silhouette=null,
            )
            return 1, None, table
        return best, centers[best], table

    def _merged(self, z: Tensor, most: int, seed: int) -> tuple[dict[int, float], dict[int, Tensor]]:
        """Return the silhouette, and the means of the clusters, at each number of clusters from 2 to `most`."""
        import torch

        from graphclust.models.silhouette import Silhouette

        quick = CLAM(
            most,
            init="k-means++",
            max_epochs=20,
            keep=1.0,
            select="loss",
            step_size=self.step_size,
            n_steps=self.n_steps,
            masking=self.masking,
            mask_rate=self.mask_rate,
            silhouette_sample=self.silhouette_sample,
        )
        quick._space, quick._origin, quick._basis, quick._notes = self._space, self._origin, None, []
        labels = quick._best(quick._search(z, most, seed), z, most)[1]
        ranks = rank_labels(labels)
        n_found = int(ranks.max()) + 1
        numbers = range(n_found, n_found - max(1, most - 1), -1)
        paths = [torch.as_tensor(ranks, device=z.device)]
        for k in numbers[:-1]:
            paths.append(_merge_two(z, paths[-1], k))
        values = Silhouette(z)(torch.stack(paths), most).tolist()
        centers = {k: _means(z, path, k) for k, path in zip(numbers, paths, strict=True)}
        return dict(zip(numbers, values, strict=True)), centers

    # ---------------------------------------------------------------- the fitted memory

    def _fitted(self, X: Any) -> tuple[AssociativeMemory, Tensor]:
        """Return the memory in double precision, and points in its space."""
        import torch

        points = self._points(X)  # refuses what is not fitted
        z = torch.as_tensor(self._space.of(points))
        run = _Run(self.beta_, 0.0, "given", prototypes=torch.as_tensor(self._prototypes), weights=self._weights)
        return self._memory_of(run, z), z

    def predict(self, X: Any) -> IntArray:
        """Return the cluster of each point: the prototype nearest to where the dynamics takes it.

        Parameters
        ----------
        X : feature matrix of shape (n, d), or a graph with node features

        Returns
        -------
        ndarray of int64, shape (n,)

        Raises
        ------
        NotFittedError
        UsageError
            The method was fitted to a spectral embedding, or to another number of features.
        """
        memory, z = self._fitted(X)
        found: IntArray = memory.assign(z)[0].numpy()
        return found

    def energy(self, X: Any) -> FloatArray:
        """Return the energy of points, eq. (1), in the space of scaled features or of latents, shape (n,)."""
        from graphclust.models.clam import energy

        memory, z = self._fitted(X)
        parts = [
            energy(memory.encode(part).detach().reshape(len(part), -1), memory.prototypes.detach()[0], self.beta_)
            for part in z.split(memory.rows)
        ]
        found: FloatArray = np.concatenate([part.numpy() for part in parts])
        return found

    def trajectory(self, X: Any) -> FloatArray:
        """Return where the dynamics takes points, in the units of the features, shape (T + 1, n, d).

        Their energy never rises. With the cosine the states are those on and inside the unit sphere, mapped back; those
        of latents are decoded.
        """
        import torch

        memory, z = self._fitted(X)
        parts = [memory.trajectory(part) for part in z.split(memory.rows)]
        decoded = torch.cat([torch.stack([memory.decode(one).detach()[0] for one in part]) for part in parts], dim=1)
        return self._space.back(decoded.numpy())

    # ---------------------------------------------------------------- figures

    def plot_prototypes(self, image_shape: tuple[int, int]) -> Figure:
        """Draw how the prototypes evolved, where features are the pixels of images (Fig. 2).

        Parameters
        ----------
        image_shape : (height, width)

        Returns
        -------
        matplotlib.figure.Figure

        Raises
        ------
        NotFittedError
        UsageError
            Fitted without `snapshots`, or images of another size.
        """
        from sklearn.utils.validation import check_is_fitted

        from graphclust.report.figures import draw_prototypes

        check_is_fitted(self)
        inside = {epoch: self._space.of(one) - self._origin for epoch, one in self.snapshots_.items()}
        return draw_prototypes(inside, image_shape)

    def plot_basins(self, betas: Sequence[float] = (0.1, 0.5, 1, 2, 5, 10, 20, 50, 100, 1000)) -> Figure:
        """Draw the basins of attraction of two-dimensional prototypes for growing beta, in scaled features (Fig. 3).

        Parameters
        ----------
        betas : sequence of float

        Returns
        -------
        matplotlib.figure.Figure

        Raises
        ------
        NotFittedError
        UsageError
            There are other than two features.
        """
        import torch
        from sklearn.utils.validation import check_is_fitted

        from graphclust.models.clam import AssociativeMemory
        from graphclust.report.figures import draw_basins

        check_is_fitted(self)
        prototypes = torch.as_tensor(self._prototypes, dtype=torch.float64)
        memory = AssociativeMemory(
            prototypes.expand(len(betas), -1, -1), torch.tensor(list(betas)).double(), self.n_steps, self.step_size
        )
        return draw_basins(self._prototypes, betas, lambda points: memory.assign(torch.as_tensor(points)).numpy())


def _note_losses(runs: Sequence[_Run], fleet: Fleet) -> None:
    """Note the lowest loss of each run: only when it is read, because it waits for the GPU."""
    for run, lowest in zip(runs, fleet.loss.tolist(), strict=True):
        run.loss = lowest


def _mask(rows: int, d: int, rate: float, generator: torch.Generator) -> Tensor:
    """Draw masks, 1 for masked, shape (rows, d); each hides something."""
    import torch

    drawn = torch.rand(rows, d, generator=generator)
    return ((drawn < rate) | (drawn == drawn.amin(1, keepdim=True))).float()


def _sizes(labels: Tensor, k: int) -> Tensor:
    """Count the members of the clusters of each labelling, shape (R, K)."""
    import torch

    sizes = torch.zeros(len(labels), k, dtype=torch.long, device=labels.device)
    return sizes.scatter_add_(1, labels, torch.ones_like(labels))


def _seed_error(z: Tensor, k: int, seed: int) -> float:
    """Return the mean squared distance of points to the nearest of k that k-means++ chooses, the best of 4 tries."""
    import torch

    generator = torch.Generator().manual_seed(seed)
    some = z[torch.randperm(len(z), generator=generator)[:_SEED_POINTS].to(z.device)]
    centers = some[_seeds(some, k, 4, 1.0, generator)]
    errors = [torch.cdist(some, one).amin(1).square().mean() for one in centers]
    return max(float(torch.stack(errors).min()), 1e-12)


def _linked(z: Tensor, k: int, linkage: str) -> Tensor:
    """Return the means of k hierarchical clusters, shape (k, d)."""
    import torch
    from sklearn.cluster import AgglomerativeClustering

    labels = AgglomerativeClustering(k, linkage=linkage).fit_predict(z.double().cpu().numpy())
    return _means(z, torch.as_tensor(labels, device=z.device), k)


def _means(z: Tensor, labels: Tensor, k: int) -> Tensor:
    """Return the means of clusters that are not empty, shape (k, d)."""
    total = z.new_zeros(k, z.shape[1]).index_add_(0, labels, z)
    return total / _sizes(labels[None], k)[0][:, None]


def _merge_two(z: Tensor, labels: Tensor, k: int) -> Tensor:
    """Merge the two of k clusters whose merging adds least to the squared error (Ward 1963)."""
    import torch

    means, sizes = _means(z, labels, k), _sizes(labels[None], k)[0]
    cost = (means[:, None] - means).square().sum(2) * (sizes[:, None] * sizes) / (sizes[:, None] + sizes)
    cost.fill_diagonal_(math.inf)
    pair = cost.argmin()
    i, j = torch.minimum(pair // k, pair % k), torch.maximum(pair // k, pair % k)
    return torch.where(labels == j, i, labels) - (labels > j).long()


def _equal_rows(x: FloatArray) -> IntArray:
    found: IntArray = np.unique(x.astype(np.float32), axis=0, return_inverse=True)[1].ravel().astype(np.int64)
    return found


def _seeds(z: Tensor, k: int, n_runs: int, power: float, generator: torch.Generator) -> Tensor:
    """Choose k points for each run one after the other, with their squared distance to the chosen to a power.

    Power 1 is k-means++ (Arthur & Vassilvitskii 2007), which takes the best of some candidates each time; 0 takes
    points uniformly.

    Returns
    -------
    Tensor of int64, shape (n_runs, k)
    """
    import torch

    device, z = z.device, z.cpu()  # once, and not for each of the k points; the same points on every device
    square = z.square().sum(1)
    chosen = torch.randint(len(z), (n_runs, 1), generator=generator)
    nearest = torch.full((n_runs, len(z)), math.inf)
    trials = 2 + int(math.log(k)) if power == 1 else 1
    for number in range(k):
        if number:
            weight = (nearest / nearest.amax(1, keepdim=True).clamp_min(1e-30)).pow(power)
            weight = torch.where(nearest > 0, weight, 0.0)
            weight[weight.sum(1) == 0] = 1.0
            candidates = torch.multinomial(weight, trials, replacement=True, generator=generator)
        else:
            candidates = chosen
        own = z[candidates.reshape(-1)]
        distance = (square - 2 * own @ z.T + own.square().sum(1, keepdim=True)).clamp_min(0)
        left = torch.minimum(nearest[:, None], distance.reshape(n_runs, -1, len(z)))
        left.scatter_(2, candidates[..., None], 0.0)
        best = left.sum(2).argmin(1)
        nearest = left[torch.arange(n_runs), best]
        if number:
            chosen = torch.cat((chosen, candidates.gather(1, best[:, None])), dim=1)
    return chosen.to(device)
