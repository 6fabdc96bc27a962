"""Tables of features without a graph: the UCI tables of CLAM, faces, digits, clothes, words.

B. Saha et al., "End-to-end Differentiable Clustering with Associative Memories", ICML 2023, and its tables
(https://github.com/bsaha205/clam), after D. Dua & C. Graff, UCI Machine Learning Repository. Yale faces: Belhumeur et
al., PAMI 19 (1997). USPS: Hastie et al., "The Elements of Statistical Learning". MNIST: LeCun et al., Proc. IEEE 86
(1998). Fashion-MNIST: Xiao et al., arXiv:1708.07747. Reuters-21578: D. Lewis.

Each table becomes a graph without edges, with features `x`, shape (n_rows, n_features), and classes `y`.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from graphclust.datasets.parsing import number_table, points, sparse_archive
from graphclust.errors import DataError
from graphclust.graph import Graph
from graphclust.io.source import open_source
from graphclust.runtime.arrays import FloatArray
from graphclust.runtime.notes import Note

__all__ = ["counts", "digits", "images", "matlab", "table"]


def table(files: Mapping[str, Path], delimiter: str | None = None, missing: float | None = None) -> Graph:
    """Read a table of numbers whose last column is the class.

    Parameters
    ----------
    files : mapping
        "table".
    delimiter : str, optional
        By default, any run of white space.
    missing : float, optional
        Number that marks missing values, which are replaced by the mean of their column.

    Returns
    -------
    Graph
        `x` is float64; `meta["imputed"]` is the number of replaced values.

    Raises
    ------
    DataError
        Rows differ in their number of columns, or a feature is not a number.
    """
    cells = number_table(files["table"], delimiter, str)
    try:
        x = cells[:, :-1].astype(np.float64)
    except ValueError as error:
        raise DataError(str(error), files["table"]) from None
    meta: dict[str, Any] = {}
    if missing is not None:
        gap = x == missing
        x[gap] = np.nan
        x = np.where(gap, np.nanmean(x, axis=0), x)
        n_values = int(gap.sum())
        message = f"replaced {n_values:,} missing values (given as {missing:g}) by the means of their columns"
        meta = {"imputed": n_values, "notes": (Note("imputed", message, {"n_values": n_values}),)}
    return points(x, cells[:, -1].tolist(), **meta)


def matlab(files: Mapping[str, Path]) -> Graph:
    """Read a MATLAB 5 file with the matrix X, shape (n_rows, n_features), and the classes Y; `x` is float32.

    Raises
    ------
    DataError
        The file is not a MATLAB file with X and Y.
    """
    import scipy.io

    source = open_source(files["table"])
    try:
        stream: Any = io.BytesIO(source.data)
        content = scipy.io.loadmat(stream, variable_names=["X", "Y"])
        x, y = content["X"].astype(np.float32), content["Y"].ravel()
    except Exception as error:  # noqa: BLE001  damaged files raise various errors
        raise source.error(f"not a MATLAB file with X and Y: {error}") from None
    return points(x, [str(value) for value in y.tolist()])


def _stacked(parts: Mapping[str, tuple[FloatArray | NDArray[np.float32], list[str]]], **meta: Any) -> Graph:
    """Concatenate the train and test parts of a table, with their rows in `meta["split"]`."""
    if len(parts) > 1:
        sizes = np.cumsum([0, *(len(x) for x, _ in parts.values())]).tolist()
        meta["split"] = {part: np.arange(*sizes[i : i + 2]) for i, part in enumerate(parts)}
    x = np.concatenate([x for x, _ in parts.values()])
    return points(x, [label for _, labels in parts.values() for label in labels], **meta)


def digits(files: Mapping[str, Path]) -> Graph:
    """Read handwritten digits, one per line: the digit, then its grey values in [-1, 1].

    Parameters
    ----------
    files : mapping
        "train" or "test", or both.

    Returns
    -------
    Graph
        `x` is float32; `meta["split"]` has the train and test rows.

    Raises
    ------
    DataError
        The file is not such a table.
    """
    parts = {}
    for part, path in files.items():
        rows = number_table(path, dtype=np.float32)
        parts[part] = rows[:, 1:], [f"{digit:g}" for digit in rows[:, 0].tolist()]
    return _stacked(parts)


def _idx(path: Path) -> NDArray[np.uint8]:
    """Read an array of bytes in the IDX format."""
    source = open_source(path)
    data = source.data
    if data[:3] != b"\0\0\x08" or len(data) < 4 + 4 * data[3]:
        raise source.error("not an array of bytes in the IDX format")
    shape = struct.unpack_from(f">{data[3]}I", data, 4)
    values = np.frombuffer(data, np.uint8, offset=4 + 4 * data[3])
    if values.size != np.prod(shape, dtype=object):
        raise source.error(f"{values.size:,} bytes for an array of shape {shape}")
    return values.reshape(shape)


def images(files: Mapping[str, Path], names: list[str] | None = None) -> Graph:
    """Read the images and classes of MNIST, or of data sets in the same layout.

    Parameters
    ----------
    files : mapping
        "train" and "train_labels", or "test" and "test_labels", or all of them.
    names : list of str, optional
        Names of the classes 0, 1, ...

    Returns
    -------
    Graph
        `x` is float32, grey values from 0 to 255, shape (n_images, height x width); `meta["split"]` has the train
        and test rows, and `meta["image_shape"]` is (height, width).

    Raises
    ------
    DataError
        A file is not in the IDX format, or the numbers of images and labels differ.
    """
    parts = {}
    shape: tuple[int, ...] = ()
    for part in (role for role in ("train", "test") if role in files):
        pictures, labels = _idx(files[part]), _idx(files[f"{part}_labels"])
        if pictures.ndim < 2 or labels.shape != pictures.shape[:1] or (shape and shape != pictures.shape[1:]):
            raise DataError(f"images of shape {pictures.shape} and labels of shape {labels.shape}", files[part])
        shape = pictures.shape[1:]
        parts[part] = pictures.reshape(len(pictures), -1).astype(np.float32), [str(c) for c in labels.tolist()]
    return _stacked(parts, names={str(i): name for i, name in enumerate(names or [])}, image_shape=shape)


def counts(files: Mapping[str, Path]) -> Graph:
    """Read word counts of documents as tf-idf: count times log(documents / documents with the word).

    Parameters
    ----------
    files : mapping
        "table": a .npz archive of the arrays data, indices, indptr, shape and label.

    Returns
    -------
    Graph
        `x` is a scipy.sparse.csr_array of float32, with rows scaled to Euclidean length 1.

    Raises
    ------
    DataError
        The file is not such an archive.
    """
    x, labels = sparse_archive(files["table"], np.float64)
    x.sum_duplicates()
    used = np.bincount(x.indices, minlength=x.shape[1])
    x.data *= np.log(x.shape[0] / np.maximum(used, 1))[x.indices]
    lengths = np.sqrt(np.asarray(x.multiply(x).sum(axis=1)).ravel())
    x.data /= np.repeat(np.where(lengths > 0, lengths, 1), np.diff(x.indptr))
    return points(x.astype(np.float32), labels)
