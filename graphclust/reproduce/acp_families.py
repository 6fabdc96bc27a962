"""One ACP for many families of graphs: a model trained on General SBM and a model trained on a mixture of families.

The test graphs are General SBM graphs as in the training of the first model (50 to 300 nodes), and graphs of the five
families of `mixed` with 20 to 600 nodes (LFR from 60 nodes on; smaller graphs are planted partitions instead, as in
training). Their seeds are not used in any training, and all methods get the same graphs. Labels are used for the scores
and for the number of communities that spectral clustering is given. The models return their most probable partition.

The gain is the mean difference from the model of General SBM on the same graphs, with the standard error of that mean.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from graphclust.generators.mixed import COMPONENTS, mixed
from graphclust.generators.sbm import general_sbm
from graphclust.graph import Graph
from graphclust.reproduce.sheet import SPECTRAL, check_names, detected, settings, shown
from graphclust.runtime.progress import task
from graphclust.training.checkpoints import read_info, shipped
from graphclust.training.evaluation import standard_error
from graphclust.training.synthetic import TEST

__all__ = ["COLUMNS", "DATA", "METHODS", "reproduce"]

COLUMNS = ("data", "method", "ami", "ami_se", "gain", "gain_se", "graphs", "n_failed", "ms_per_graph", "graphs_trained")
_SPECIALIST = "acp"
_MODELS = (_SPECIALIST, "acp-mixed")
PEERS = ("auto", "leiden", "infomap", *SPECTRAL)
METHODS = (*_MODELS, *PEERS)


def _component(name: str) -> Callable[[np.random.Generator], Graph]:
    return lambda rng: mixed(families=name, random_state=rng)


DATA: dict[str, Callable[[np.random.Generator], Graph]] = {
    "general-sbm, 50 to 300 nodes": lambda rng: general_sbm(random_state=rng),
    **{name: _component(name) for name in COMPONENTS},
}


def _graphs(name: str, n_graphs: int) -> list[Graph]:
    seeds = (np.random.SeedSequence(TEST, spawn_key=(i,)) for i in range(n_graphs))
    return [DATA[name](np.random.default_rng(seed)) for seed in seeds]


def _command(name: str) -> str:
    family = "general-sbm" if name == _SPECIALIST else "mixed"
    return (
        f"graphclust train acp --family {family} --same-size --encoder graph-transformer --layers 4 --known-share 0.2 "
        "--steps 20000 --batch-size 32 --n-z 8 --learning-rate 5e-4 --schedule cosine --warmup 100 --average 0.998 "
        f"--out {name}.safetensors"
    )


def reproduce(
    n_graphs: int | None = None,
    seed: int = 0,
    quick: bool = False,
    data: tuple[str, ...] = (),
    methods: tuple[str, ...] = (),
) -> dict[str, Any]:
    """Make the table.

    Parameters
    ----------
    n_graphs : int, optional
        Number of test graphs per family; 200 by default, 10 if `quick`.
    seed : int
        Seed of the methods. The graphs have fixed seeds.
    quick : bool
    data, methods : tuple of str
        Names from `DATA` and `METHODS`; all by default.

    Returns
    -------
    dict
        table, rows (see `COLUMNS`), peers, settings. The row of a model contains the command that trains it.

    Raises
    ------
    UsageError
        A family or method is unknown.
    """
    check_names("family of the table", data, DATA)
    check_names("method of the table", methods, METHODS)
    n_graphs = n_graphs or (10 if quick else 200)
    chosen = [name for name in METHODS if name in (methods or METHODS)]  # the model of General SBM comes first
    known = shipped()
    rows: list[dict[str, Any]] = []
    peers: list[dict[str, Any]] = []
    with task("acp-families", len(data or DATA) * len(chosen)) as advance:
        for family in data or DATA:
            graphs, specialist = _graphs(family, n_graphs), None
            for method in chosen:
                line: dict[str, Any] = {"row": f"{family}: {shown(method)}", "data": family, "method": shown(method)}
                if method in PEERS or method in known:
                    ours: dict[str, Any] = {} if method in PEERS else {"checkpoint": method, "estimate": "map"}
                    scores, counts = detected("acp" if ours else method, graphs, seed, **ours)
                    ami = 100 * scores[:, 0]
                    line |= {"ami": float(ami.mean()), "ami_se": standard_error(ami)} | counts
                    if method == _SPECIALIST:
                        specialist = ami
                    elif specialist is not None:
                        gain = ami - specialist
                        line |= {"gain": float(gain.mean()), "gain_se": standard_error(gain)}
                if method in PEERS:
                    peers.append(line)
                else:
                    line["command"] = _command(method)
                    if method in known:
                        line["graphs_trained"] = sum(training["graphs"] for training in read_info(method).lineage)
                    rows.append(line)
                advance()
    return {"table": "acp-families", "rows": rows, "peers": peers, "settings": settings(seed=seed, n_graphs=n_graphs)}
