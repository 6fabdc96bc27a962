"""Figure 4 of Attentive Clustering Processes: log-degree SBMs over (a, b), above and below the thresholds.

Two studies (`graphclust.studies`) have N = 300 nodes in K = 2 communities with 40 graphs per point, and N = 600 nodes
in K = 4 communities with 10 graphs per point. The models were trained on N from 300 to 600, K from 2 to 4 and (a, b) in
[1, 30] x [1, 10]. They are compared with `auto` and with spectral clustering that is given K. ACP and CCP return the
partition with the highest expected AMI. The paper prints maps without numbers, and states that ACP's scores are higher
than CCP's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from graphclust.errors import UsageError
from graphclust.generators.sbm import recovery_ratios
from graphclust.reproduce.sheet import SPECTRAL, check_names, settings, shown
from graphclust.studies.study import Method, Study, draw_maps, run
from graphclust.training.checkpoints import read_info, shipped

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["COLUMNS", "METHODS", "draw", "reproduce", "studies"]

COLUMNS = (
    "panel", "method", "ami", "ami_se", "ami_recoverable", "ami_detectable", "ami_undetectable", "graphs", "n_failed",
    "ms_per_graph", "graphs_trained",
)  # fmt: skip
_PANELS = ((300, 2, 40), (600, 4, 10))  # nodes, communities, graphs per point
_A, _B = (1, 4, 8, 12, 16, 20, 25, 30), (1, 2, 4, 6, 8, 10)
_CHECKPOINTS = {"acp": "acp-log-degree", "ccp": "ccp-log-degree"}
METHODS = (*_CHECKPOINTS, "auto", *SPECTRAL)


def _command(method: str) -> str:
    return (
        f"graphclust train {method} --family log-degree-sbm --set 'n_nodes=(300, 600)' --set 'n_clusters=(2, 4)' "
        "--set 'a=(1.0, 30.0)' --set 'b=(1.0, 10.0)' --encoder gated-gcn --steps 20000 --batch-size 32 --n-z 40 "
        f"--learning-rate 1e-4 --out {_CHECKPOINTS[method]}.safetensors"
    )


def _method(name: str) -> Method:
    if name in SPECTRAL:
        return Method("spectral", True, SPECTRAL[name])
    return Method(
        name, parameters={"checkpoint": _CHECKPOINTS[name], "estimate": "ami"} if name in _CHECKPOINTS else {}
    )


def studies(
    n_graphs: int | None = None, seed: int = 0, methods: tuple[str, ...] = (), quick: bool = False
) -> list[Study]:
    """Return the two studies with the methods whose checkpoints are shipped, or no study if there are none.

    Parameters
    ----------
    n_graphs : int, optional
        Number of graphs per point; by default as published, or 2 if `quick`.
    seed : int
    methods : tuple of str
        Names from `METHODS`.
    quick : bool
        Use only every other value of a and b.
    """
    known = shipped()
    chosen = {name: _method(name) for name in methods or METHODS if _CHECKPOINTS.get(name) in (None, *known)}
    step = 2 if quick else 1
    if not chosen:
        return []
    return [
        Study(
            f"N = {n}, K = {k}",
            "log-degree-sbm",
            {"a": _A[::step], "b": _B[::step]},
            chosen,
            {"n_nodes": n, "n_clusters": k},
            n_graphs or (2 if quick else published),
            seed,
        )
        for n, k, published in _PANELS
    ]


def _standard_error(cells: pd.DataFrame) -> float:
    """Return the standard error of the mean over a grid of fixed points with randomly drawn graphs."""
    points = cells.groupby(["a", "b"])["ami"]
    return float(np.sqrt((points.var() / points.size()).sum()) / points.ngroups)


def _rows(study: Study, table: pd.DataFrame) -> list[dict[str, Any]]:
    n, k = study.parameters["n_nodes"], study.parameters["n_clusters"]
    scale = np.log(n) / n
    ratios = recovery_ratios(n, k, table["a"].to_numpy() * scale, table["b"].to_numpy() * scale)
    exact, detectable = ratios["exact recovery"] > 1, ratios["detection"] > 1
    regions = {"recoverable": exact, "detectable": detectable & ~exact, "undetectable": ~detectable}
    score = 100 * table["ami"].astype(float).fillna(0.0)
    rows = []
    for label in study.methods:
        in_row = (table["method"] == label).to_numpy()
        cells = table[in_row]
        rows.append(
            {
                "row": f"{study.name}: {label}",
                "panel": study.name,
                "method": shown(label),
                "ami": float(score[in_row].mean()),
                "ami_se": _standard_error(cells.assign(ami=score[in_row])),
                **{f"ami_{name}": float(score[in_row & region].mean()) for name, region in regions.items()},
                "graphs": int(in_row.sum()),
                "n_failed": int(cells["error"].notna().sum()),
                "ms_per_graph": 1000 * float(cells["seconds"].astype(float).mean()),
                "map": cells.assign(ami=score[in_row])
                .groupby(["b", "a"])["ami"]
                .mean()
                .unstack()
                .round(2)
                .to_numpy()
                .tolist(),
            }
        )
    return rows


def reproduce(
    n_graphs: int | None = None,
    seed: int = 0,
    quick: bool = False,
    methods: tuple[str, ...] = (),
    n_jobs: int = 1,
    journal: str | None = None,
) -> dict[str, Any]:
    """Make the maps.

    Parameters
    ----------
    n_graphs : int, optional
        Number of graphs per point: 40 and 10 by default, 2 if `quick`.
    seed : int
    quick : bool
        Use a quarter of the points.
    methods : tuple of str
        Names from `METHODS`; all by default.
    n_jobs, journal
        See `graphclust.studies.study.run`.

    Returns
    -------
    dict
        table, rows, peers, axes, settings. The AMI x 100 of a row (see `COLUMNS`) is averaged over all points, and over
        the points above the threshold of exact recovery, between the thresholds of recovery and detection, and below
        both. `map` has a row for each b and a column for each a. If the checkpoint of a method is not shipped, its row
        contains the command that trains it.

    Raises
    ------
    UsageError
        A method is unknown.
    DataError
        The journal cannot be read or written.
    """
    check_names("method of the figure", methods, METHODS)
    parts = studies(n_graphs, seed, methods, quick)
    rows: list[dict[str, Any]] = []
    peers: list[dict[str, Any]] = []
    for study in parts:
        for row in _rows(study, run(study, journal, n_jobs)):
            model = _CHECKPOINTS.get(row["method"])
            if model is not None:
                row["graphs_trained"] = sum(training["graphs"] for training in read_info(model).lineage)
            (rows if model is not None else peers).append(row)
    for name in methods or METHODS:
        if name in _CHECKPOINTS and not any(row["method"] == name for row in rows):
            rows.append({"row": name, "method": name, "command": _command(name)})
    return {
        "table": "acp-fig4",
        "rows": rows,
        "peers": peers,
        "axes": {name: list(values) for study in parts[:1] for name, values in study.grid.items()},
        "settings": settings(seed=seed, n_graphs=[study.n_graphs for study in parts]),
    }


def draw(results: Mapping[str, Any], stream: BinaryIO, name: str) -> None:
    """Draw the maps of a result of `reproduce`.

    Parameters
    ----------
    results : mapping
    stream : binary file
        File to write.
    name : str
        File name, whose extension determines the format.
    """
    maps = []
    for study in studies():
        drawn = [row for row in (*results["rows"], *results["peers"]) if row.get("panel") == study.name]
        means = {row["method"]: np.array(row["map"]) / 100 for row in drawn}
        if means:
            maps.append((replace(study, grid=results["axes"]), means))
    if not maps:
        raise UsageError("there are no maps to draw: no checkpoint is shipped for the chosen methods")
    draw_maps(maps).savefig(stream, format=name.rsplit(".", 1)[-1], dpi=150)
