"""SNAP's networks with ground-truth communities, and its other edge lists.

J. Leskovec & A. Krevl, "SNAP Datasets: Stanford Large Network Dataset Collection", https://snap.stanford.edu/data;
J. Yang & J. Leskovec, "Defining and Evaluating Network Communities based on Ground-truth", ICDM 2012.

A network is an edge list with `#` comments, `NAME.ungraph.txt.gz`. Files of communities have one community per line:
`NAME.top5000.cmty.txt.gz` has the 5,000 of the highest quality, `NAME.all.cmty.txt.gz` or `NAME.all.dedup.cmty.txt.gz`
all of them. Communities overlap, and some nodes are in none. Repeated communities are read once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from graphclust.graph import DecimalIds, Graph
from graphclust.io import read_file
from graphclust.io.source import open_source, shorten, split_lines
from graphclust.runtime.arrays import IntArray

__all__ = ["load", "read", "read_communities"]

_COMMUNITIES = (".top5000.cmty.", ".all.dedup.cmty.", ".all.cmty.")  # replacements of .ungraph., in order of preference


def load(files: Mapping[str, Path], **reading: Any) -> Graph:
    """Read a network and its communities.

    Parameters
    ----------
    files : mapping
        "graph" and "communities".
    **reading
        Options of `read_graph`.

    Returns
    -------
    Graph
        `meta["communities"]` is the result of `read_communities`.

    Raises
    ------
    DataError
        A file cannot be read, or a community has a node that is not in the network.
    """
    graph = read_file(files["graph"], **reading)
    graph.meta["communities"] = read_communities(files["communities"], graph)
    return graph


def read(path: Path, **reading: Any) -> Graph:
    """Read an edge list and, if its name is X.ungraph.Y, the communities in the same folder.

    The communities are in X.top5000.cmty.Y, X.all.dedup.cmty.Y or X.all.cmty.Y, in this order of preference.

    Raises
    ------
    DataError
        See `load`.
    """
    if ".ungraph." in path.name:
        for kind in _COMMUNITIES:
            communities = path.with_name(path.name.replace(".ungraph.", kind))
            if communities.is_file():
                return load({"graph": path, "communities": communities}, **reading)
    return read_file(path, **reading)


def _positions_of(graph: Graph) -> Callable[[list[str]], IntArray]:
    """Return a function that maps node ids, as text, to positions, and unknown ids to -1."""
    ids = graph._ids
    if not isinstance(ids, DecimalIds):
        index = {str(node): i for i, node in enumerate(graph.nodes)}
        return lambda texts: np.array([index.get(text, -1) for text in texts], dtype=np.int64)
    values = ids.values

    def positions(texts: list[str]) -> IntArray:
        try:
            numbers = np.array(texts, dtype=np.int64)
        except (ValueError, OverflowError):
            return np.full(len(texts), -1)
        index = np.searchsorted(values, numbers).clip(max=len(values) - 1)
        return np.where(values[index] == numbers, index, -1)

    return positions


def read_communities(path: Path, graph: Graph) -> list[IntArray]:
    """Read communities, one per line.

    Parameters
    ----------
    path : Path
    graph : Graph

    Returns
    -------
    list of ndarray of int64, shape (n_members,)
        Positions of the nodes of each community in `graph.nodes`, ascending, without repeated communities.

    Raises
    ------
    DataError
        A node is not in the graph; the message names the line.
    """
    source = open_source(path)
    positions = _positions_of(graph)
    distinct: dict[bytes, IntArray] = {}
    for number, line in enumerate(split_lines(source.text()), 1):
        texts = line.split()
        if not texts or texts[0].startswith("#"):
            continue
        nodes = positions(texts)
        if nodes.min() < 0:
            unknown = next(text for text in texts if positions([text])[0] < 0)
            raise source.error(f"the node {shorten(unknown)} is not in the graph", number)
        nodes = np.unique(nodes)
        distinct.setdefault(nodes.tobytes(), nodes)
    return list(distinct.values())
