"""Edge lists with one label per node: the classic labelled graphs, those of GraphChallenge, SNAP's e-mail network.

Sources: karate: Zachary 1977. dolphins: Lusseau et al., Behav. Ecol. Sociobiol. 54 (2003). football: Girvan & Newman,
PNAS 99 (2002). polbooks: V. Krebs. polblogs: Adamic & Glance, LinkKDD 2005. The last three are GML files of M. Newman
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
    """Read an edge list, and a file of lines `node label`; labelled nodes without edges become isolated nodes.

    Parameters
    ----------
    files : mapping
        "graph", in any format of `read_graph`, and optionally "labels".
    classes : mapping, optional
        Names of the classes by label.
    **reading
        Options of `read_graph`.

    Returns
    -------
    Graph
        `y` is -1 for nodes without a label.

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
    """Convert a zip archive with a GML file of Newman to an edge list and labels; nodes are named by their `id`.

    Parameters
    ----------
    archive, folder : Path
        The archive, and the folder below which to write.
    files : mapping
        The files to write: "graph", with lines `source target`, and "labels", with lines `id value label`.

    Raises
    ------
    DataError
        The archive is damaged or has no such file.
    """
    try:
        with zipfile.ZipFile(archive) as packed:
            content = next(packed.read(name) for name in packed.namelist() if name.endswith(".gml"))
    except (zipfile.BadZipFile, StopIteration):
        raise DataError("the download is not a zip archive with a GML file") from None
    graph = gml.read(Source(archive.name, content))
    values = graph.meta.get("node_attributes", {}).get("value")
    if values is None:
        raise DataError("the nodes of the GML file have no attribute value")
    for role, rows in (
        ("graph", zip(graph.source.tolist(), graph.target.tolist(), strict=True)),
        ("labels", zip(range(graph.num_nodes), values, graph.nodes, strict=True)),
    ):
        path = folder / files[role].name
        path.parent.mkdir(parents=True, exist_ok=True)
        text = io.StringIO()
        csv.writer(text, delimiter="\t", lineterminator="\n", quoting=csv.QUOTE_NONE, escapechar="\\").writerows(rows)
        path.write_text(text.getvalue(), encoding="utf-8")
