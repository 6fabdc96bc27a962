"""Node-property data sets of the Open Graph Benchmark: ogbn-arxiv, ogbn-products.

W. Hu et al., "Open Graph Benchmark: Datasets for Machine Learning on Graphs", NeurIPS 2020, https://ogb.stanford.edu.

What there is, where, and how it is split, says the master list of the installed `ogb` package. Its reader is not used,
nor is the package imported: importing it calls home in the background, `NodePropPredDataset` asks questions on standard
input, prints, and keeps its copy of the data as a pickle that torch.load has refused to read since PyTorch 2.6.

Layout: raw/edge.csv.gz (two nodes a line), num-node-list, num-edge-list, node-feat, node-label (a row a node),
node_year and the like; split/KIND/{train,valid,test}.csv.gz; mapping/labelidx2*.csv.gz (names of the classes).
"""

from __future__ import annotations

import csv
import importlib.util
import zipfile
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from graphclust.datasets.entries import Archive, File
from graphclust.errors import DataError, UsageError
from graphclust.graph import Graph
from graphclust.io.source import open_source

__all__ = ["load", "published", "unpack"]


def _facts(name: str) -> dict[str, str]:
    """Return what the master list of the ogb package says of a data set."""
    spec = importlib.util.find_spec("ogb")
    if spec is None or not spec.submodule_search_locations:
        raise UsageError(f"{name} needs the package ogb, which is not installed")
    path = Path(spec.submodule_search_locations[0]) / "nodeproppred" / "master.csv"
    with path.open(newline="", encoding="utf-8") as stream:
        (_, *names), *rows = csv.reader(stream)
    if name not in names:
        raise UsageError(f"the package ogb knows no data set {name}; it has {', '.join(names)}")
    facts = {key: values[names.index(name)] for key, *values in rows}
    if (facts["is hetero"], facts["binary"], facts["num tasks"]) != ("False", "False", "1"):
        raise UsageError(f"{name} is not one graph with one class a node: it is not read")
    return facts


def published(name: str) -> tuple[dict[str, File], Archive]:
    """Return the files of a data set by their roles, and the archive that they come in.

    Raises
    ------
    UsageError
        The ogb package is missing, or knows no such data set.
    """
    facts = _facts(name)
    raw = {"graph": "edge", "n_nodes": "num-node-list", "features": "node-feat", "labels": "node-label"}
    extra = [] if facts["additional node files"] == "None" else facts["additional node files"].split(",")
    paths = {role: f"raw/{file}" for role, file in raw.items()}
    paths |= {column: f"raw/{column}" for column in extra}
    paths |= {part: f"split/{facts['split']}/{part}" for part in ("train", "valid", "test")}
    folder = f"ogb/{name.replace('-', '_')}"
    return {role: File(f"{folder}/{path}.csv.gz") for role, path in paths.items()}, Archive(facts["url"], "ogb.unpack")


def unpack(archive: Path, folder: Path, files: Mapping[str, File]) -> None:
    """Unpack a zip archive of OGB, whose one top folder becomes that of `files`.

    Raises
    ------
    DataError
        It is none.
    """
    top = PurePosixPath(next(iter(files.values())).name).parts[:2]
    try:
        with zipfile.ZipFile(archive) as packed:
            for info in packed.infolist():
                parts = PurePosixPath(info.filename).parts[1:]
                if not info.is_dir() and parts and ".." not in parts and parts[0] != "processed":
                    info.filename = "/".join((*top, *parts))
                    packed.extract(info, folder)
    except zipfile.BadZipFile:
        raise DataError("what came is no zip archive") from None


def _table(path: Path, dtype: Any) -> NDArray[Any]:
    """Read a compressed table of numbers without a header, shape (n_rows, n_columns); an empty field is NaN."""
    import pyarrow as pa
    import pyarrow.csv as pc

    try:
        with pa.input_stream(str(path)) as stream:
            first = stream.read(1 << 20).split(b"\n", 1)[0]
        names = [str(i) for i in range(first.count(b",") + 1)]
        content = pc.read_csv(
            str(path),
            read_options=pc.ReadOptions(column_names=names),
            convert_options=pc.ConvertOptions(column_types=dict.fromkeys(names, pa.from_numpy_dtype(dtype))),
        )
    except (pa.ArrowException, OSError, ValueError) as error:
        raise DataError(f"no table of numbers: {error}", path) from None
    columns = [content[name].combine_chunks() for name in names]
    if np.issubdtype(dtype, np.integer) and any(column.null_count for column in columns):
        raise DataError("an empty field", path)
    table = np.empty((len(content), len(names)), dtype=dtype)
    for i, column in enumerate(columns):
        table[:, i] = column.to_numpy(zero_copy_only=False)
    return table


def load(files: Mapping[str, Path], name: str) -> Graph:
    """Read a graph with features, one class a node and the official split.

    Parameters
    ----------
    files : mapping
        The roles of `published`.
    name : str
        As in OGB.

    Returns
    -------
    Graph
        Undirected where OGB adds the inverse of each edge. `x` is float32, shape (n_nodes, n_features); `y` is -1
        where a class is missing; `meta["split"]` has train, valid and test; further columns are in `meta` by name.

    Raises
    ------
    DataError
        A file is malformed, or they do not belong together.
    """
    facts = _facts(name)
    n_nodes = int(_table(files["n_nodes"], np.int64).sum())
    ends = _table(files["graph"], np.int64)
    x = _table(files["features"], np.float32)
    label = _table(files["labels"], np.float64)
    if ends.shape[1] != 2 or label.shape != (n_nodes, 1):
        raise DataError(f"{ends.shape[1]} ends of an edge, labels of the shape {label.shape}", files["graph"])
    y = np.nan_to_num(label.ravel(), nan=-1).astype(np.int64)
    mapping = sorted((files["graph"].parent.parent / "mapping").glob("labelidx2*.csv.gz"))
    classes = _classes(mapping[0]) if mapping else [str(i) for i in range(int(facts["num classes"]))]
    meta: dict[str, Any] = {"classes": classes}
    meta["split"] = {part: _table(files[part], np.int64).ravel() for part in ("train", "valid", "test")}
    for column in files.keys() - {"graph", "n_nodes", "features", "labels", "train", "valid", "test"}:
        meta[column] = _table(files[column], np.int64).ravel()
    directed = facts["add_inverse_edge"] != "True"
    return Graph.from_edges(ends[:, 0], ends[:, 1], nodes=n_nodes, directed=directed, x=x, y=y, meta=meta)


def _classes(path: Path) -> list[str]:
    """Read the names of the classes: a header, then `number,name` a line."""
    rows = csv.reader(open_source(path).text().splitlines()[1:])
    return [row[-1] for row in sorted((row for row in rows if row), key=lambda row: int(row[0]))]
