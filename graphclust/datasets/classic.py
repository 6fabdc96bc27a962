"""Edge lists with one label a node: the classic labelled graphs, GraphChallenge's, the e-mail network of SNAP.

Sources: karate: Zachary 1977. dolphins: Lusseau et al., Behav. Ecol. Sociobiol. 54 (2003). football: Girvan & Newman,
PNAS 99 (2002). polbooks: V. Krebs. polblogs: Adamic & Glance, LinkKDD 2005; the last three as GML by M. Newman
(https://websites.umich.edu/~mejn/netdata). GraphChallenge: Kao et al., HPEC 2017. email-Eu-core: Yin et al., KDD 2017.
"""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from graphclust.datasets.entries import File
from graphclust.datasets.parsing import class_codes
from graphclust.errors import DataError
from graphclust.graph import Graph
from graphclust.io import gml, read_file
from graphclust.io.partition import read_partition
from graphclust.io.source import Source

__all__ = ["load", "unpack"]


def load(files: Mapping[str, Path], classes: Mapping[str, str] | None = None, **reading: Any) -> Graph:
    """Read an edge list, and `node label` a line; labelled nodes without edges are isolated nodes.

    Parameters
    ----------
    files : mapping
        "graph", in any format that `read_graph` knows, and perhaps "labels".
    classes : mapping, optional
        Label -> name of the class.
    **reading
        Options of `read_graph`.

    Returns
    -------
    Graph
        `y` is -1 where a node has no label.

    Raises
    ------
    DataError
        A file cannot be read.
    """
    graph = read_file(files["graph"], **reading)
    if "labels" not in files:
        return graph
    truth = read_partition(files["labels"], "labels", graph.nodes)
    assert isinstance(truth, dict)
    isolated = truth.keys() - set(map(str, graph.nodes))
    if isolated:
        graph = Graph.from_edges(
            graph.source,
            graph.target,
            graph.weight,
            nodes=[*graph.nodes, *isolated],
            directed=graph.directed,
            meta=graph.meta,
        ).canonical()
    codes, names = class_codes(list(truth.values()), classes)
    code = dict(zip(truth, codes.tolist(), strict=True))
    graph.y = np.array([code.get(str(node), -1) for node in graph.nodes], dtype=np.int64)
    graph.meta["classes"] = names
    return graph


def unpack(archive: Path, folder: Path, files: Mapping[str, File]) -> None:
    """Turn a zip archive with one of Newman's GML files into an edge list and labels, nodes called by their `id`.

    Parameters
    ----------
    archive, folder : Path
        Where to read, and below which to write.
    files : mapping
        "graph" and "labels": the files to write; lines `source target` and `id value label`.

    Raises
    ------
    DataError
        There is no such file in it.
    """
    try:
        with zipfile.ZipFile(archive) as packed:
            content = next(packed.read(name) for name in packed.namelist() if name.endswith(".gml"))
    except (zipfile.BadZipFile, StopIteration):
        raise DataError("what came is no zip archive with a GML file") from None
    graph = gml.read(Source(archive.name, content))
    values = graph.meta.get("node_attributes", {}).get("value")
    if values is None:
        raise DataError("the nodes of the GML file have no value")
    for role, rows in (
        ("graph", zip(graph.source.tolist(), graph.target.tolist(), strict=True)),
        ("labels", zip(range(graph.num_nodes), values, graph.nodes, strict=True)),
    ):
        path = folder / files[role].name
        path.parent.mkdir(parents=True, exist_ok=True)
        text = io.StringIO()
        csv.writer(text, delimiter="\t", lineterminator="\n", quoting=csv.QUOTE_NONE, escapechar="\\").writerows(rows)
        path.write_text(text.getvalue(), encoding="utf-8")
