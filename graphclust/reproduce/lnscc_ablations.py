"""Table 4 of LNSCC: MNIST-test without some of the contrasts.

All rows except the last start from merged communities without a mixture (`start="pieces"`). By default, weakly
connected pairs repel a tenth as much as strongly connected pairs attract, and unconnected pairs cause most of the
repulsion. For the contrasts without unconnected pairs, an additional row uses the full repulsion of equation (6), and
another one uses all settings of the paper, but with Adam ("lnscc, published, adam" in `lnscc_tables`).

Classes are used only for the number of clusters and for the scores.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from graphclust.methods.lnscc import LNSCC
from graphclust.reproduce.lnscc_tables import COLUMNS
from graphclust.reproduce.sheet import check_names, scored, settings, table_of
from graphclust.runtime.arrays import FloatArray, IntArray
from graphclust.runtime.progress import task

__all__ = ["COLUMNS", "PHASES", "reproduce"]

PHASES: dict[str, tuple[float, float]] = {  # remaining contrasts -> published ACC and NMI
    "im+ba+dis": (0.946, 0.889),
    "ba+dis": (0.784, 0.835),
    "im+dis": (0.915, 0.837),
    "im+ba": (0.810, 0.852),
    "im": (0.801, 0.820),
    "im+ba, full repulsion": (0.810, 0.852),
    "im+ba, published, adam": (0.810, 0.852),
}
_PIECES: dict[str, Any] = {"start": "pieces"}
_VARIANTS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {  # parameters, and settings of the training
    "": (_PIECES, {}),
    "full repulsion": (_PIECES, {"repulsion": None}),
    "published, adam": ({"preset": "published-adam"}, {}),
}


def _labels(phases: str, x: FloatArray, k: int, seed: int) -> IntArray:
    phases, _, variant = phases.partition(", ")
    params, training = _VARIANTS[variant]
    training = training | {"phases": phases.split("+")}
    labels: IntArray = LNSCC(k, scale=False, training=training, random_state=seed, **params).fit(x).labels_
    return labels


def reproduce(seed: int = 0, quick: bool = False, repeats: int = 3, methods: tuple[str, ...] = ()) -> dict[str, Any]:
    """Make the table.

    Parameters
    ----------
    seed : int
    quick : bool
        Use one seed.
    repeats : int
        Number of seeds, starting with `seed`, for means and standard deviations.
    methods : tuple of str
        Names from `PHASES`; all by default.

    Returns
    -------
    dict
        table, rows (see `COLUMNS`; `method` names the contrasts), peers (none), settings.

    Raises
    ------
    UsageError
        The contrasts are unknown.
    DataError
        MNIST is not on this machine.
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
