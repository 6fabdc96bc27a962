"""Table 4 of LNSCC: MNIST-test with some of the contrasts left out.

All rows but the last start at merged communities without a mixture (`start="pieces"`).
By default weakly connected pairs repel a tenth as much as strongly connected ones attract, and the unconnected do most
of the repelling; where these are left out, a row more tells what comes of the repulsion that equation (6) gives, and
one what comes of all the paper's settings but Adam ("lnscc, published, adam" of `lnscc_tables`).

Classes give the number of clusters and the scores; nothing else sees them.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from graphclust.methods.lnscc import LNSCC
from graphclust.reproduce.lnscc_tables import COLUMNS, PUBLISHED_WITH_ADAM
from graphclust.reproduce.sheet import check_names, scored, settings, table_of
from graphclust.runtime.arrays import FloatArray, IntArray
from graphclust.runtime.progress import task

__all__ = ["COLUMNS", "PHASES", "reproduce"]

PHASES: dict[str, tuple[float, float]] = {  # contrasts that are left: ACC and NMI as published
    "im+ba+dis": (0.946, 0.889),
    "ba+dis": (0.784, 0.835),
    "im+dis": (0.915, 0.837),
    "im+ba": (0.810, 0.852),
    "im": (0.801, 0.820),
    "im+ba, full repulsion": (0.810, 0.852),
    "im+ba, published, adam": (0.810, 0.852),
}
_PIECES: dict[str, Any] = {"start": "pieces"}
_VARIANTS = {"": _PIECES, "full repulsion": _PIECES | {"repulsion": None}, "published, adam": PUBLISHED_WITH_ADAM}


def _labels(phases: str, x: FloatArray, k: int, seed: int) -> IntArray:
    phases, _, variant = phases.partition(", ")
    labels: IntArray = (
        LNSCC(k, scale=False, phases=phases.split("+"), random_state=seed, **_VARIANTS[variant]).fit(x).labels_
    )
    return labels


def reproduce(seed: int = 0, quick: bool = False, repeats: int = 3, methods: tuple[str, ...] = ()) -> dict[str, Any]:
    """Make the table.

    Parameters
    ----------
    seed : int
    quick : bool
        One seed.
    repeats : int
        Seeds, from `seed` on; means and standard deviations are over them.
    methods : tuple of str
        Of `PHASES`; all by default.

    Returns
    -------
    dict
        table, rows (see `COLUMNS`; `method` names the contrasts), peers (none), settings.

    Raises
    ------
    UsageError
        No such contrasts.
    DataError
        MNIST is not here.
    """
    check_names("contrasts", methods, PHASES)
    repeats = 1 if quick else repeats
    x, y = table_of("mnist-test")
    k = len(np.unique(y))
    rows = []
    with task("measuring", len(methods or PHASES)) as advance:
        for phases in methods or PHASES:
            line: dict[str, Any] = {"data": "mnist-test", "n": len(x), "k": k, "method": phases}
            line |= dict(zip(("paper_accuracy", "paper_nmi"), PHASES[phases], strict=True))
            rows.append(line | scored(partial(_labels, phases, x, k), y, repeats, seed))
            advance()
    return {"table": "lnscc-table4", "rows": rows, "peers": [], "settings": settings(seed=seed, repeats=repeats)}
