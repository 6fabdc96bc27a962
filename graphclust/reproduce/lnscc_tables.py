"""Table 2 of LNSCC: digits, clothes and news, compared with k-means, spectral clustering and CNC.

Features are centred and divided by their root mean square, which is a single number. The methods are:

- "lnscc": the estimator with its defaults.
- "lnscc, pieces": the head starts without a mixture.
- "lnscc, images" and "spectral, images": the methods know which pixels are adjacent, and measure the distance of images
  up to a shift by one pixel (`image_shape`). The paper does not do this.
- "lnscc, published": `preset="published"`, with all settings of the paper and the simplest interpretation of what it
  does not specify. The paper does not give the number of steps. The column `steps` shows it, and `--steps` sets it for
  this method.
- "lnscc, published, adam": `preset="published-adam"`, the paper's network, losses and start, but with Adam and a
  decreasing learning rate, an eta that grows during the first eighth of the training, and distances in units of their
  spread.

Reuters-21578 (20 classes) replaces REUTERS-10K, whose features are not available. It has the same kind of features (1 +
the logarithm of the counts of the 2,000 most frequent words, weighted by inverse document frequency, rows of length 1)
and the same number of neighbours, 70.

Classes are used only for the number of clusters and for the scores. Our NMI is normalised by the mean entropy; the
paper does not specify its normalisation. The published ACC and NMI of k-means on MNIST and MNIST-test are close to our
NMI and ACC, so they appear to be interchanged (`--method k-means`). The table shows them as they are printed.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from graphclust.errors import UsageError
from graphclust.methods.cnc import CNC
from graphclust.methods.lnscc import LNSCC
from graphclust.methods.lnscc_settings import steps_of_epoch
from graphclust.reproduce.sheet import PEERS, check_names, scored, settings, spectral_of, table_of
from graphclust.runtime.arrays import FloatArray, IntArray
from graphclust.runtime.progress import task

__all__ = ["COLUMNS", "DATA", "METHODS", "reproduce"]

_NEWS = "reuters21578"
_NEWS_NEIGHBORS = 70
_PUBLISHED_BATCH = 200
_WORDS = 2000
DATA: dict[str, dict[str, tuple[float, float]]] = {  # published ACC and NMI
    "usps": {"lnscc": (0.970, 0.937), "k-means": (0.450, 0.460)},
    "mnist-test": {"lnscc": (0.946, 0.889), "k-means": (0.501, 0.547)},
    "fashion-mnist-test": {"lnscc": (0.670, 0.656), "k-means": (0.476, 0.512)},
    _NEWS: {},
    "mnist": {"lnscc": (0.964, 0.921), "k-means": (0.500, 0.534)},
}
COLUMNS = (
    "data", "method", "paper_accuracy", "accuracy", "accuracy_sd", "paper_nmi", "nmi", "nmi_sd", "repeats", "steps",
    "seconds",
)  # fmt: skip
_PUBLISHED = "lnscc, published"
_IMAGES = ", images"  # suffix of methods that know that rows are square images
_OURS: dict[str, dict[str, Any]] = {
    "lnscc": {}, "lnscc, images": {}, "lnscc, pieces": {"start": "pieces"}, _PUBLISHED: {"preset": "published"},
    f"{_PUBLISHED}, adam": {"preset": "published-adam"},
}  # fmt: skip
METHODS = (*PEERS, f"spectral{_IMAGES}", "cnc", *_OURS)


def _words(counts: FloatArray) -> FloatArray:
    """Return the tf-idf of the most frequent words, shape (n, 2000), rows of length 1."""
    from sklearn.feature_extraction.text import TfidfTransformer

    frequent = np.sort(np.argsort(-counts.sum(axis=0), kind="stable")[:_WORDS])
    return np.asarray(TfidfTransformer(sublinear_tf=True).fit_transform(counts[:, frequent]).toarray())


class _Method:
    """A method on a data set, which returns labels for a seed and records the number of steps of its runs.

    Attributes
    ----------
    steps : list of int
        Optimisation steps of each run of LNSCC so far. Empty for other methods.
    """

    def __init__(self, name: str, data: str, x: FloatArray, k: int, limit: int | None) -> None:
        self.name, self.data, self.x, self.k = name, data, x, k
        self.limit = limit if name == _PUBLISHED else None
        self.steps: list[int] = []

    def labels(self, seed: int) -> IntArray:
        """Return the labels of a run, shape (n,)."""
        sides = (math.isqrt(self.x.shape[1]),) * 2 if self.name.endswith(_IMAGES) else None
        if self.name in PEERS:
            return PEERS[self.name](self.x, self.k, seed)
        if self.name == f"spectral{_IMAGES}":
            return spectral_of(self.x, self.k, seed, sides)
        if self.name == "cnc":
            cut: IntArray = CNC(self.k, scale=False, random_state=seed).fit(self.x).labels_
            return cut
        params = dict(_OURS[self.name])
        if self.data == _NEWS:
            params["n_neighbors"] = _NEWS_NEIGHBORS
        if self.limit is not None:
            params["max_epochs"] = max(1, self.limit // steps_of_epoch(len(self.x), _PUBLISHED_BATCH))
        fitted = LNSCC(self.k, scale=False, image_shape=sides, random_state=seed, **params).fit(self.x)
        self.steps.append(fitted.details_["steps"])
        labels: IntArray = fitted.labels_
        return labels


def reproduce(
    seed: int = 0,
    quick: bool = False,
    repeats: int = 3,
    data: tuple[str, ...] = (),
    methods: tuple[str, ...] = (),
    steps: int | None = None,
) -> dict[str, Any]:
    """Make table 2.

    Parameters
    ----------
    seed : int
    quick : bool
        Use MNIST-test only, and one seed.
    repeats : int
        Number of seeds, starting with `seed`, for means and standard deviations.
    data, methods : tuple of str
        Names from `DATA` and `METHODS`; all by default.
    steps : int, optional
        Largest number of steps of "lnscc, published", rounded down to whole epochs, but at least one epoch. The default
        is the number of `LNSCC(preset="published")`.

    Returns
    -------
    dict
        table, rows (see `COLUMNS`; `steps` is the maximum over runs, `seconds` the mean), peers (none), settings.

    Raises
    ------
    UsageError
        A data set or method is unknown, or all methods are for images and no data set has images.
    DataError
        A data set is not on this machine.
    """
    check_names("data set of the table", data, DATA)
    check_names("method of the table", methods, METHODS)
    repeats = 1 if quick else repeats
    chosen = data or (("mnist-test",) if quick else tuple(DATA))
    wanted = {
        name: [method for method in methods or METHODS if name != _NEWS or not method.endswith(_IMAGES)]
        for name in chosen
    }
    if not any(wanted.values()):
        raise UsageError(f"{_NEWS} has no images: {' and '.join(methods)} cannot be measured on it")
    rows = []
    with task("measuring", sum(map(len, wanted.values()))) as advance:
        for name in chosen:
            x, y = table_of(name)
            x = _words(x) if name == _NEWS else x
            k = len(np.unique(y))
            for method in wanted[name]:
                run = _Method(method, name, x, k, steps)
                measured = scored(run.labels, y, repeats, seed)
                if run.steps:
                    measured["steps"] = max(run.steps)
                scores = DATA[name].get(method.partition(",")[0], (None, None))
                published = dict(zip(("paper_accuracy", "paper_nmi"), scores, strict=True))
                rows.append({"data": name, "n": len(x), "k": k, "method": method} | published | measured)
                advance()
    return {"table": "lnscc-table2", "rows": rows, "peers": [], "settings": settings(seed=seed, repeats=repeats)}
