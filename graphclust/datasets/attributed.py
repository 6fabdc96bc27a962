"""The attributed graphs of SDCN: ACM, DBLP, CiteSeer and the kNN graph of Reuters-10K.

D. Bo et al., "Structural Deep Clustering Network", WWW 2020, https://github.com/bdy9527/SDCN (Apache 2.0).

NAME_graph.txt has an edge of node numbers a line, in one direction or both; NAME_label.txt the class of each node. The
features, dense text there, are expected as a sparse matrix in a .npz of data, indices, indptr, shape and label.
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
    """Read a graph, the labels of its nodes and, where there are some, their features.

    Parameters
    ----------
    files : mapping
        "graph", "labels" and perhaps "features".
    classes : mapping, optional
        Label -> name of the class.

    Returns
    -------
    Graph
        Nodes 0 to n - 1, isolated ones included; undirected, without weights and loops. `x` is a
        scipy.sparse.csr_array of float32, shape (n_nodes, n_features).

    Raises
    ------
    DataError
        A file cannot be read, or they do not belong together.
    """
    y, names = class_codes(read_labels(files["labels"]), classes)
    n_nodes = len(y)
    ends = number_table(files["graph"], dtype=np.int64)
    if ends.shape[1] != 2:
        raise DataError(f"expected two nodes a line, found {ends.shape[1]}", files["graph"])
    x = None
    if "features" in files:
        x, labels = sparse_archive(files["features"])
        if x.shape[0] != n_nodes or not np.array_equal(class_codes(labels)[0], y):
            raise DataError(f"the labels are not those of {files['labels']}", files["features"])
    source, target = simple_edges(ends[:, 0], ends[:, 1], n_nodes)
    return Graph.from_edges(source, target, nodes=n_nodes, x=x, y=y, meta={"classes": names})
