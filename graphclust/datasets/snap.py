"""SNAP's networks with ground-truth communities, and any other edge list of theirs.

J. Leskovec & A. Krevl, "SNAP Datasets: Stanford Large Network Dataset Collection", https://snap.stanford.edu/data;
J. Yang & J. Leskovec, "Defining and Evaluating Network Communities based on Ground-truth", ICDM 2012.

A network is an edge list with `#` comments, `NAME.ungraph.txt.gz`; its communities, which overlap and leave nodes out,
stand one a line: the 5,000 of the highest quality in `NAME.top5000.cmty.txt.gz`, all of them in `NAME.all.cmty.txt.gz`
or `NAME.all.dedup.cmty.txt.gz`. Some are listed more than once: they are kept once.
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

_COMMUNITIES = (".top5000.cmty.", ".all.dedup.cmty.", ".all.cmty.")  # what stands for .ungraph., the best first


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
        `meta["communities"]` is what `read_communities` returns.

    Raises
    ------
    DataError
        A file cannot be read, or a community has a node that the network has not.
    """
    graph = read_file(files["graph"], **reading)
    graph.meta["communities"] = read_communities(files["communities"], graph)
    return graph


def read(path: Path, **reading: Any) -> Graph:
    """Read an edge list, with its communities if it is called X.ungraph.Y and their file lies beside it.

    That is X.top5000.cmty.Y, or without it X.all.dedup.cmty.Y or X.all.cmty.Y.

    Raises
    ------
    DataError
        As `load`.
    """
    if ".ungraph." in path.name:
        for kind in _COMMUNITIES:
            beside = path.with_name(path.name.replace(".ungraph.", kind))
            if beside.is_file():
                return load({"graph": path, "communities": beside}, **reading)
    return read_file(path, **reading)


def _positions_of(graph: Graph) -> Callable[[list[str]], IntArray]:
    """Return the function that turns node ids, as text, into positions; -1 for unknown ones."""
    ids = graph._ids
    if not isinstance(ids, DecimalIds):
        index = {str(node): i for i, node in enumerate(graph.nodes)}
        return lambda texts: np.array([index.get(text, -1) for text in texts], dtype=np.int64)
    values = ids.values

    def positions(texts: list[str]) -> IntArray:
        try:
            wanted = np.array(texts, dtype=np.int64)
        except (ValueError, OverflowError):
            return np.full(len(texts), -1)
        found = np.searchsorted(values, wanted).clip(max=len(values) - 1)
        return np.where(values[found] == wanted, found, -1)

    return positions


def read_communities(path: Path, graph: Graph) -> list[IntArray]:
    """Read communities, one a line.

    Parameters
    ----------
    path : Path
    graph : Graph

    Returns
    -------
    list of ndarray of int64, shape (n_members,)
        Positions of each community's nodes in `graph.nodes`, ascending; of communities with the same nodes the first.

    Raises
    ------
    DataError
        A node that is not in the graph; names the line.
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
            stranger = next(text for text in texts if positions([text])[0] < 0)
            raise source.error(f"the node {shorten(stranger)} is not in the graph", number)
        nodes = np.unique(nodes)
        distinct.setdefault(nodes.tobytes(), nodes)
    return list(distinct.values())
