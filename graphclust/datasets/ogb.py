"""Node-property data sets of the Open Graph Benchmark: ogbn-arxiv, ogbn-products.

W. Hu et al., "Open Graph Benchmark: Datasets for Machine Learning on Graphs", NeurIPS 2020, https://ogb.stanford.edu.

The master list of the installed `ogb` package has the data sets, their addresses and their splits. The package itself
is not imported, because it connects to its server in the background. Its reader `NodePropPredDataset` is not used,
because it asks questions on standard input, prints, and stores the data as a pickle that torch.load has refused since
PyTorch 2.6.

Layout: raw/edge.csv.gz (two nodes per line), num-node-list, num-edge-list, node-feat, node-label (one row per node),
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
    """Return the entry of a data set in the master list of the ogb package."""
    spec = importlib.util.find_spec("ogb")
    if spec is None or not spec.submodule_search_locations:
        raise UsageError(f"{name} needs the package ogb, which is not installed")
    path = Path(spec.submodule_search_locations[0]) / "nodeproppred" / "master.csv"
    with path.open(newline="", encoding="utf-8") as stream:
        (_, *names), *rows = csv.reader(stream)
    if name not in names:
        raise UsageError(f"the package ogb has no data set {name}, only {', '.join(names)}")
    facts = {key: values[names.index(name)] for key, *values in rows}
    if (facts["is hetero"], facts["binary"], facts["num tasks"]) != ("False", "False", "1"):
        raise UsageError(f"{name} cannot be read: it is not a single graph with one class per node")
    return facts


def published(name: str) -> tuple[dict[str, File], Archive]:
    """Return the files of a data set by their roles, and the archive that contains them.

    Raises
    ------
    UsageError
        The ogb package is missing, or does not have the data set.
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
    """Unpack a zip archive of OGB; its top folder is renamed to that of `files`.

    Raises
    ------
    DataError
        The file is not a zip archive.
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
        raise DataError("the download is not a zip archive") from None


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
        raise DataError(f"not a table of numbers: {error}", path) from None
    columns = [content[name].combine_chunks() for name in names]
    if np.issubdtype(dtype, np.integer) and any(column.null_count for column in columns):
        raise DataError("an empty field", path)
    table = np.empty((len(content), len(names)), dtype=dtype)
    for i, column in enumerate(columns):
        table[:, i] = column.to_numpy(zero_copy_only=False)
    return table


def load(files: Mapping[str, Path], name: str) -> Graph:
    """Read a graph with features, one class per node and the official split.

    Parameters
    ----------
    files : mapping
        The roles of `published`.
    name : str
        Name in OGB.

    Returns
    -------
    Graph
        Undirected if OGB adds the inverse of each edge. `x` is float32, shape (n_nodes, n_features); `y` is -1 for
        missing classes; `meta["split"]` has train, valid and test; further columns are in `meta` by name.

    Raises
    ------
    DataError
        A file is malformed, or the files do not match.
    """
    facts = _facts(name)
    n_nodes = int(_table(files["n_nodes"], np.int64).sum())
    ends = _table(files["graph"], np.int64)
    x = _table(files["features"], np.float32)
    label = _table(files["labels"], np.float64)
    if ends.shape[1] != 2 or label.shape != (n_nodes, 1):
        raise DataError(
            f"edges have {ends.shape[1]} ends, and labels have shape {label.shape}, not {(n_nodes, 1)}", files["graph"]
        )
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
    """Read the names of the classes: a header, then lines `number,name`."""
    rows = csv.reader(open_source(path).text().splitlines()[1:])
    return [row[-1] for row in sorted((row for row in rows if row), key=lambda row: int(row[0]))]
