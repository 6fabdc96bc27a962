"""CLAM as an estimator: many memories train at once, and one is chosen without labels.

The training is in `graphclust.methods.clam_search`, the choice of the number of clusters in
`graphclust.methods.clam_number`, and the settings are in `graphclust.methods.clam_settings`.

| CLAM | here | as printed? |
|---|---|---|
| 8 | `Training.masking` | as printed with `masking=None` |
| 9 | `CLAM` | the mean over a batch; masked coordinates start at `mask_value` |
| Fig. 1 | `CLAM` | as printed |
| Fig. 2 | `CLAM.plot_prototypes` | as printed |
| Fig. 3 | `CLAM.plot_basins` | as printed |
| sec. 3 | `CLAM` | only configurations with K clusters, none below `min_size`, count |
| sec. A.3 | `CLAM` | `preset="published"`; `select` is one criterion for epochs and configurations |
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from graphclust.errors import DataError, UsageError
from graphclust.kernels.kmeans import fill_up
from graphclust.methods.clam_settings import CELLS, HIDDEN, PRESETS, SearchSettings, Training
from graphclust.methods.points import VectorEstimator
from graphclust.methods.presets import PresetMixin, Presets
from graphclust.methods.space import SIMILARITIES, Space
from graphclust.metrics import rank_labels
from graphclust.problem.solution import Solution
from graphclust.runtime.arrays import FloatArray, IntArray
from graphclust.runtime.checks import check_count, refuse_unknown
from graphclust.runtime.notes import Note

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from torch import Tensor

    from graphclust.methods.clam_search import Learned, MemorySpace, Run
    from graphclust.models.clam import AssociativeMemory

__all__ = ["CLAM", "Training"]


class CLAM(PresetMixin, VectorEstimator):
    """Clustering with associative memories: prototypes that learn to complete points with masked coordinates.

    Many configurations, which are restarts and temperatures, train at once. The result is the one with the best
    silhouette among those with exactly `n_clusters` non-empty clusters. A point belongs to the prototype nearest to
    where the dynamics takes it (`graphclust.models.clam`). Labels are never used.

    Parameters
    ----------
    n_clusters : int, or None or "auto"
        Exact number of clusters. With None or "auto" it is chosen, see `max_clusters`.
    init : str or sequence of str, or ndarray of shape (n_clusters, d)
        "k-means++": points far from each other, drawn with probability proportional to their squared distance.
        "k-means": the result of Lloyd's algorithm from such points. "linkage": means of hierarchical clusters, with
        Ward's, single, average and complete linkage in turn (of a sample of 5000 points). "spread": points drawn with
        probability proportional to the 64th power of their distance, which starts at outliers. "data": random points.
        "normal": N(0.1, 0.1), as published. An array holds the prototypes themselves.
    n_init : int
        Restarts for each beta and kind of start.
    max_epochs : int
    min_size : int, optional
        Minimum size of a cluster. By default a twentieth of the mean size. The silhouette prefers clusters of a few
        outliers: raise it to have none, or set 1 to take whatever has the best silhouette, as published. If no
        configuration satisfies it, smaller clusters are allowed, with a note.
    similarity : {"euclidean", "cosine", "mahalanobis"}
        Similarity of scaled features; see `graphclust.methods.space.Space`.
    scale : bool
        Whether features are first scaled to mean 0 and variance 1, as published. A spectral embedding is not scaled.
    max_clusters : int
        The largest number of clusters to choose from if `n_clusters` is None or "auto".
    vectors : {"auto", "features", "smoothed", "spectral"}
        Vectors of the nodes of a graph. "features": the node features. "smoothed": their averages over two steps in the
        graph. "spectral": the spectral embedding. "auto": the features if there are any, else the embedding.
    n_components : int, optional
        Dimension of the spectral embedding; `n_clusters` by default.
    training : Training or mapping, optional
        How memories train; a mapping, such as `{"masking": None}`, changes some settings of the preset. See
        `graphclust.methods.clam.Training`.
    preset : {"graphclust", "published"}, optional
        Values for the parameters that are left at their defaults. "published": the settings of the paper and its
        authors' code, which are `init="normal"`, `max_epochs=200`, `min_size=1` and a training with `step_size=0.1` and
        `keep=1`. "graphclust", the default, changes nothing.
    random_state : int, Generator or None
    device : {"auto", "cpu", "cuda"}

    Attributes
    ----------
    labels_ : ndarray of int64, shape (n,)
        0 is the largest cluster.
    prototypes_ : ndarray of float64, shape (n_clusters, d)
        The memories, in the units of the features.
    beta_, loss_, silhouette_ : float
        Values of the chosen configuration. The loss is the mean over points in its best epoch, and the silhouette is
        that of the scaled features.
    runs_ : list of dict
        All configurations: beta, learning_rate, init, loss, silhouette (None without n_clusters clusters), n_clusters.
    snapshots_ : dict
        Epoch -> prototypes, ndarray of shape (n_clusters, d), in the order of `prototypes_`; see `Training`.

    Examples
    --------
    >>> x = np.array([[0.0, 0.1], [0.2, 0.0], [0.1, 0.3], [9.0, 9.1], [9.2, 9.0]])
    >>> clam = CLAM(2, random_state=0, max_epochs=20).fit(x)
    >>> clam.labels_
    array([0, 0, 0, 1, 1])
    >>> clam.predict([[8.0, 8.0]])
    array([1])
    >>> CLAM(2, training={"masking": None}, random_state=0, max_epochs=20).fit(x).labels_
    array([0, 0, 0, 1, 1])
    """

    name: ClassVar[str] = "clam"
    summary: ClassVar[str] = "prototypes as an associative memory, on node features or a spectral embedding"
    source: ClassVar[str] = "Saha, Krotov, Zaki & Ram, End-to-end Differentiable Clustering with AM, ICML 2023"
    takes_n_clusters: ClassVar[Literal["required", "optional", "no"]] = "optional"
    needs: ClassVar[tuple[str, ...]] = ("torch", "sklearn.preprocessing", "graphclust.methods.clam_number")
    presets: ClassVar[Presets] = PRESETS
    _best: Run  # the chosen configuration, on the CPU, its prototypes in the order of the labels
    _space: MemorySpace

    def __init__(
        self,
        n_clusters: Any = None,
        *,
        init: Any = ("k-means++", "k-means"),
        n_init: int = 2,
        max_epochs: int = 100,
        min_size: int | None = None,
        similarity: str = "euclidean",
        scale: bool = True,
        max_clusters: int = 20,
        vectors: str = "auto",
        n_components: int | None = None,
        training: Training | Mapping[str, Any] | None = None,
        preset: str | None = None,
        random_state: Any = None,
        device: str = "auto",
    ) -> None:
        self.n_clusters = n_clusters
        self.init = init
        self.n_init = n_init
        self.max_epochs = max_epochs
        self.min_size = min_size
        self.similarity = similarity
        self.scale = scale
        self.max_clusters = max_clusters
        self.vectors = vectors
        self.n_components = n_components
        self.training = training
        self.preset = preset
        self.random_state = random_state
        self.device = device

    # ---------------------------------------------------------------- parameters

    def _search_settings(self) -> SearchSettings:
        settings = self.settings
        return SearchSettings(settings.init, settings.n_init, settings.max_epochs, settings.min_size, settings.training)

    def check_params(self) -> None:
        """See `GraphEstimator.check_params`."""
        super().check_params()
        settings = self._search_settings()
        settings.check()
        if settings.training.latent_dim is not None and self.similarity == "cosine":
            raise UsageError(
                "latent_dim cannot be combined with similarity='cosine', because the length of a latent is meaningful"
            )
        check_count("max_clusters", self.max_clusters, 2)
        refuse_unknown("similarity", self.similarity, SIMILARITIES)

    def _memory(self, n: int, d: int) -> float:
        """Bytes of the points in double and single precision, distances of a sample, prototypes, groups of runs."""
        settings = self._search_settings()
        sample = min(n, settings.training.silhouette_sample)
        k = self._number() or self.max_clusters
        runs = settings.n_runs
        coders = 0.0 if settings.training.latent_dim is None else 60.0 * runs * d * HIDDEN
        step = 16.0 * max(CELLS, k * k * (settings.batch_size(n) + d // 2))
        return 24.0 * n * d + 8.0 * sample**2 + 4.0 * sample * runs * k + 32.0 * runs * k * d + step + coders

    # ---------------------------------------------------------------- fitting

    def _fit_vectors(self, x: FloatArray, seed: int, *, embedded: bool = False) -> Solution:
        import torch

        from graphclust.methods.clam_number import choose_number
        from graphclust.methods.clam_search import search
        from graphclust.runtime.devices import device_named

        device = device_named(self.device)
        settings = self._search_settings()
        space, inside = self._memory_space(x, settings.training.latent_dim, seed, scaled=self.scale and not embedded)
        z = torch.as_tensor(inside, dtype=torch.float32, device=device)
        n_distinct = len(np.unique(inside.astype(np.float32), axis=0))
        k = self._number()
        details: dict[str, Any] = {}
        notes: tuple[Note, ...] = ()
        centers = None
        if k is None:
            choice = choose_number(z, n_distinct, self.max_clusters, space, settings, seed)
            k, centers, notes = choice.n_clusters, choice.centers, choice.notes
            details["numbers"] = choice.table
        if k > n_distinct and not embedded:
            raise DataError(f"cannot make {k} clusters of {n_distinct} distinct rows")
        if k == 1 or k >= n_distinct:
            learned = _without_training(z, k, space)
        else:
            learned = search(z, k, space, settings, seed, centers=centers)
        best, runs = learned.best, learned.runs
        ranks = self._keep_memory(z, space, learned)
        self.runs_ = [run.row() for run in runs]
        details |= {"beta": best.beta, "silhouette": best.row()["silhouette"], "n_runs": len(runs)}
        details["n_runs_of_n_clusters"] = sum(run.n_clusters == k for run in runs)
        notes += learned.notes
        if k > n_distinct:
            ranks = fill_up(inside, ranks, k)
            message = f"split equal points: there are {n_distinct} distinct vectors for {k} clusters"
            notes += (Note("split-equal-points", message, {"n_distinct": n_distinct}),)
        return Solution(ranks, details=details, notes=notes)

    def _memory_space(
        self, x: FloatArray, latent_dim: int | None, seed: int, *, scaled: bool
    ) -> tuple[MemorySpace, FloatArray]:
        """Return the space of the memories, and the points in it, float64, shape (n, d)."""
        from graphclust.methods.clam_search import MemorySpace

        space = Space.fitted(x, self.similarity, scale=scaled)
        inside = space.single(x)
        zero = np.zeros((1, x.shape[1]))
        axes = None if latent_dim is None else _principal_axes(inside, latent_dim, seed)
        return MemorySpace(space, zero if scaled else space.transform(zero), axes), inside

    def _keep_memory(self, z: Tensor, space: MemorySpace, learned: Learned) -> IntArray:
        """Set the attributes of the chosen memory; return the labels, of which 0 is the largest cluster."""
        ranks = rank_labels(learned.labels)
        order = np.empty(int(ranks.max()) + 1, dtype=np.int64)
        order[ranks] = learned.labels
        best = learned.best
        assert best.prototypes is not None
        settings = self.settings.training
        memory = best.memory(space, z, settings.n_steps, settings.step_size)
        decoded = memory.decode(best.prototypes[None]).detach()[0]
        self._space = space
        self._best = replace(
            best,
            prototypes=best.prototypes.double().cpu()[order],
            weights=tuple(weight.double().cpu() for weight in best.weights),
            snapshots={},
        )
        self.prototypes_ = space.feature_space.inverse_transform(decoded.double().cpu().numpy()[order])
        self.snapshots_ = {
            epoch: space.feature_space.inverse_transform(prototypes.double().cpu().numpy()[order])
            for epoch, prototypes in best.snapshots.items()
        }
        self.beta_, self.loss_, self.silhouette_ = best.beta, best.loss, best.silhouette
        return ranks

    # ---------------------------------------------------------------- the fitted memory

    def _fitted(self, X: Any) -> tuple[AssociativeMemory, Tensor]:
        """Return the memory in double precision, and points in its space."""
        import torch

        points = self._points(X)  # raises NotFittedError
        z = torch.as_tensor(self._space.feature_space.transform(points))
        settings = self.settings.training
        return self._best.memory(self._space, z, settings.n_steps, settings.step_size), z

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
        labels: IntArray = memory.assign(z)[0].numpy()
        return labels

    def energy(self, X: Any) -> FloatArray:
        """Return the energy of points, eq. (1), in the space of scaled features or of latents, shape (n,)."""
        from graphclust.models.clam import energy

        memory, z = self._fitted(X)
        parts = [
            energy(memory.encode(part).detach().reshape(len(part), -1), memory.prototypes.detach()[0], self.beta_)
            for part in z.split(memory.rows)
        ]
        energies: FloatArray = np.concatenate([part.numpy() for part in parts])
        return energies

    def trajectory(self, X: Any) -> FloatArray:
        """Return where the dynamics takes points, in the units of the features, shape (T + 1, n, d).

        Their energy never rises. With the cosine the states are on and inside the unit sphere, mapped back to the
        features; states of latents are decoded.
        """
        import torch

        memory, z = self._fitted(X)
        parts = [memory.trajectory(part) for part in z.split(memory.rows)]
        decoded = [torch.stack([memory.decode(state).detach()[0] for state in states]) for states in parts]
        return self._space.feature_space.inverse_transform(torch.cat(decoded, dim=1).numpy())

    # ---------------------------------------------------------------- figures

    def plot_prototypes(self, image_shape: tuple[int, int]) -> Figure:
        """Draw how the prototypes evolved; the features are the pixels of images (Fig. 2).

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
            The training had no `snapshots`, or images have another size.
        """
        from sklearn.utils.validation import check_is_fitted

        from graphclust.report.figures import draw_prototypes

        check_is_fitted(self)
        space, origin = self._space.feature_space, self._space.origin
        inside = {epoch: space.transform(prototypes) - origin for epoch, prototypes in self.snapshots_.items()}
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
            The number of features is not two.
        """
        import torch
        from sklearn.utils.validation import check_is_fitted

        from graphclust.models.clam import AssociativeMemory
        from graphclust.report.figures import draw_basins

        check_is_fitted(self)
        prototypes = self._best.prototypes
        assert prototypes is not None
        settings = self.settings.training
        memory = AssociativeMemory(
            prototypes.expand(len(betas), -1, -1),
            torch.tensor(list(betas)).double(),
            settings.n_steps,
            settings.step_size,
        )
        return draw_basins(prototypes.numpy(), betas, lambda points: memory.assign(torch.as_tensor(points)).numpy())


def _principal_axes(x: FloatArray, latent_dim: int, seed: int) -> FloatArray:
    """Return the first principal axes, shape (d, latent_dim)."""
    if latent_dim > min(x.shape):
        raise UsageError(f"latent_dim={latent_dim} is above what {x.shape[0]} points of {x.shape[1]} features span")
    from sklearn.decomposition import PCA

    axes: FloatArray = PCA(latent_dim, random_state=seed).fit(x).components_.T
    return axes


def _without_training(z: Tensor, k: int, space: MemorySpace) -> Learned:
    """Return the memory of one cluster, or of at least as many clusters as there are distinct points."""
    import torch

    from graphclust.methods.clam_search import Learned, Run
    from graphclust.methods.clam_starts import cluster_means

    if k == 1:
        labels = np.zeros(len(z), dtype=np.int64)
    else:
        labels = np.unique(z.cpu().numpy(), axis=0, return_inverse=True)[1].ravel().astype(np.int64)
    beta = 1.0 / max(float(z.var(0, correction=0).sum()), 1e-12)
    means = cluster_means(space.latents(z), torch.as_tensor(labels, device=z.device), int(labels.max()) + 1)
    run = Run(beta * (1e6 if k > 1 else 1.0), 0.0, "data", n_clusters=k, prototypes=means)
    return Learned(run, labels, [run])
