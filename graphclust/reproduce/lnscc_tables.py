"""Table 2 of LNSCC: digits, clothes and news, beside k-means, spectral clustering and CNC.

Features go in as they are, brought to mean 0 and divided by one number, their root mean square. "lnscc" is the
estimator at its defaults; "lnscc, pieces" starts its head without a mixture; "lnscc, images" and "spectral, images" are
told which pixels are side by side: neighbours are then nearest up to a move by one pixel (`image_shape`), which the
paper's are not. "lnscc, published" has the paper's network, losses and start, but for Adam with a falling rate, the
number of steps, an eta that grows over an eighth of them, and distances in units of their spread, since the scale of
the published features is not said.
Reuters-21578 (20 classes) stands in the place of REUTERS-10K, whose features are not to be had, with the same kind of
them: of the 2,000 most frequent words 1 + the logarithm of their counts, weighted by their rarity, rows of length 1;
and with 70 neighbours as that. Classes give the number of clusters and the scores; nothing else sees them. Our NMIs
divide by the mean entropy; by what the published ones divide is not said. Of k-means on MNIST and MNIST-test, ACC and
NMI as published are ours the other way round (`--method k-means`); they stand here as they are printed.
"""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import numpy as np

from graphclust.errors import UsageError
from graphclust.estimators.cnc import CNC
from graphclust.estimators.lnscc import LNSCC
from graphclust.graph import FloatArray, IntArray
from graphclust.progress import task
from graphclust.reproduce.sheet import PEERS, check_names, scored, settings, spectral_of, table_of

__all__ = ["COLUMNS", "DATA", "METHODS", "PUBLISHED", "reproduce"]

_NEWS = "reuters21578"
_NEWS_NEIGHBORS = 70
_WORDS = 2000
DATA: dict[str, dict[str, tuple[float, float]]] = {  # ACC and NMI as published
    "usps": {"lnscc": (0.970, 0.937), "k-means": (0.450, 0.460)},
    "mnist-test": {"lnscc": (0.946, 0.889), "k-means": (0.501, 0.547)},
    "fashion-mnist-test": {"lnscc": (0.670, 0.656), "k-means": (0.476, 0.512)},
    _NEWS: {},
    "mnist": {"lnscc": (0.964, 0.921), "k-means": (0.500, 0.534)},
}
COLUMNS = (
    "data", "method", "paper_accuracy", "accuracy", "accuracy_sd", "paper_nmi", "nmi", "nmi_sd", "repeats", "seconds",
)  # fmt: skip
PUBLISHED: dict[str, Any] = {
    "start": "random", "hidden": (500, 500, 2000), "embedding_dim": 64, "n_neighbors": 10, "batch_size": 200,
    "noise": 0.0, "adversarial": 0.0, "repulsion": None, "contraction": None,
}  # fmt: skip
_IMAGES = ", images"  # ends the name of a method that is told that rows are square images
_OURS: dict[str, dict[str, Any]] = {
    "lnscc": {}, "lnscc, images": {}, "lnscc, pieces": {"start": "pieces"}, "lnscc, published": PUBLISHED,
}  # fmt: skip
METHODS = (*PEERS, f"spectral{_IMAGES}", "cnc", *_OURS)


def _words(counts: FloatArray) -> FloatArray:
    """Return the tf-idf of the most frequent words, shape (n, 2000), rows of length 1."""
    from sklearn.feature_extraction.text import TfidfTransformer

    frequent = np.sort(np.argsort(-counts.sum(axis=0), kind="stable")[:_WORDS])
    return np.asarray(TfidfTransformer(sublinear_tf=True).fit_transform(counts[:, frequent]).toarray())


def _labels(name: str, method: str, x: FloatArray, k: int, seed: int) -> IntArray:
    sides = (math.isqrt(x.shape[1]),) * 2 if method.endswith(_IMAGES) else None
    if method in PEERS:
        return PEERS[method](x, k, seed)
    if method == f"spectral{_IMAGES}":
        return spectral_of(x, k, seed, sides)
    if method == "cnc":
        cut: IntArray = CNC(k, scale=False, random_state=seed).fit(x).labels_
        return cut
    params = _OURS[method] | ({"n_neighbors": _NEWS_NEIGHBORS} if name == _NEWS else {})
    labels: IntArray = LNSCC(k, scale=False, image_shape=sides, random_state=seed, **params).fit(x).labels_
    return labels


def reproduce(
    seed: int = 0, quick: bool = False, repeats: int = 3, data: tuple[str, ...] = (), methods: tuple[str, ...] = ()
) -> dict[str, Any]:
    """Make table 2.

    Parameters
    ----------
    seed : int
    quick : bool
        MNIST-test alone, one seed.
    repeats : int
        Seeds, from `seed` on; means and standard deviations are over them.
    data, methods : tuple of str
        Of `DATA` and `METHODS`; all by default.

    Returns
    -------
    dict
        table, rows (see `COLUMNS`; `seconds` are of a run), peers (none), settings.

    Raises
    ------
    UsageError
        No such data set or method; nothing but methods for images, and no data set of images.
    DataError
        A data set is not here.
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
                measured = scored(partial(_labels, name, method, x, k), y, repeats, seed)
                scores = DATA[name].get(method.partition(",")[0], (None, None))
                published = dict(zip(("paper_accuracy", "paper_nmi"), scores, strict=True))
                rows.append({"data": name, "n": len(x), "k": k, "method": method} | published | measured)
                advance()
    return {"table": "lnscc-table2", "rows": rows, "peers": [], "settings": settings(seed=seed, repeats=repeats)}
