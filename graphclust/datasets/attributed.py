"""The attributed graphs of SDCN: ACM, DBLP, CiteSeer and the kNN graph of Reuters-10K.

D. Bo et al., "Structural Deep Clustering Network", WWW 2020, https://github.com/bdy9527/SDCN (Apache 2.0).

NAME_graph.txt has one edge per line, in one direction or both, and NAME_label.txt the class of each node. The published
features are dense text; here they are a sparse matrix in a .npz archive of data, indices, indptr, shape and label.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from graphclust.datasets.parsing import class_codes, number_table, read_labels, simple_edges, sparse_archive
from graphclust.errors import DataError
from graphclust.graph import Graph

__all__ = ["load"]


def load(files: Mapping[str, Path], classes: Mapping[str, str] | None = None) -> Graph:
    """Read a graph, the labels of its nodes and, if there are any, their features.

    Parameters
    ----------
    files : mapping
        "graph", "labels" and optionally "features".
    classes : mapping, optional
        Names of the classes by label.

    Returns
    -------
    Graph
        Nodes 0 to n - 1, including isolated ones; undirected, without weights and self-loops. `x` is a
        scipy.sparse.csr_array of float32, shape (n_nodes, n_features).

    Raises
    ------
    DataError
        A file cannot be read, or the files do not match.
    """
    y, names = class_codes(read_labels(files["labels"]), classes)
    n_nodes = len(y)
    ends = number_table(files["graph"], dtype=np.int64)
    if ends.shape[1] != 2:
        raise DataError(f"expected 2 nodes per line, found {ends.shape[1]}", files["graph"])
    x = None
    if "features" in files:
        x, labels = sparse_archive(files["features"])
        if x.shape[0] != n_nodes or not np.array_equal(class_codes(labels)[0], y):
            raise DataError(f"the labels differ from those in {files['labels']}", files["features"])
    source, target = simple_edges(ends[:, 0], ends[:, 1], n_nodes)
    return Graph.from_edges(source, target, nodes=n_nodes, x=x, y=y, meta={"classes": names})
