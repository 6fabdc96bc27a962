"""Tables of features without a graph: UCI's, as CLAM uses them, faces, digits, clothes, words.

B. Saha et al., "End-to-end Differentiable Clustering with Associative Memories", ICML 2023, and its tables
(https://github.com/bsaha205/clam), after D. Dua & C. Graff, UCI Machine Learning Repository. Yale faces: Belhumeur et
al., PAMI 19 (1997). USPS: Hastie et al., "The Elements of Statistical Learning". MNIST: LeCun et al., Proc. IEEE 86
(1998). Fashion-MNIST: Xiao et al., arXiv:1708.07747. Reuters-21578: D. Lewis.

Each becomes a graph without edges with features `x`, shape (n_rows, n_features), and classes `y`.
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
        Any run of white space by default.
    missing : float, optional
        The number that stands for a missing value: replaced by the mean of the others in its column.

    Returns
    -------
    Graph
        `x` is float64; `meta["imputed"]` counts what was replaced.

    Raises
    ------
    DataError
        A row has other columns than the first, or something is no number.
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
        It is none.
    """
    import scipy.io

    source = open_source(files["table"])
    try:
        stream: Any = io.BytesIO(source.data)
        content = scipy.io.loadmat(stream, variable_names=["X", "Y"])
        x, y = content["X"].astype(np.float32), content["Y"].ravel()
    except Exception as error:  # noqa: BLE001  a damaged file raises whatever comes up
        raise source.error(f"no MATLAB file with X and Y: {error}") from None
    return points(x, [str(value) for value in y.tolist()])


def _stacked(parts: Mapping[str, tuple[FloatArray | NDArray[np.float32], list[str]]], **meta: Any) -> Graph:
    """Put the train and test part of a table into one, and note which rows are which."""
    if len(parts) > 1:
        sizes = np.cumsum([0, *(len(x) for x, _ in parts.values())]).tolist()
        meta["split"] = {part: np.arange(*sizes[i : i + 2]) for i, part in enumerate(parts)}
    x = np.concatenate([x for x, _ in parts.values()])
    return points(x, [label for _, labels in parts.values() for label in labels], **meta)


def digits(files: Mapping[str, Path]) -> Graph:
    """Read handwritten digits: the digit, then its grey values in [-1, 1], a line each.

    Parameters
    ----------
    files : mapping
        "train" and "test", or one of them.

    Returns
    -------
    Graph
        `x` is float32; `meta["split"]` tells train from test.

    Raises
    ------
    DataError
        It is no such table.
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
        raise source.error("no array of bytes in the IDX format")
    shape = struct.unpack_from(f">{data[3]}I", data, 4)
    values = np.frombuffer(data, np.uint8, offset=4 + 4 * data[3])
    if values.size != np.prod(shape, dtype=object):
        raise source.error(f"{values.size:,} bytes for an array of the shape {shape}")
    return values.reshape(shape)


def images(files: Mapping[str, Path], names: list[str] | None = None) -> Graph:
    """Read the images and classes of MNIST, or of what is laid out like it.

    Parameters
    ----------
    files : mapping
        "train" and "train_labels", "test" and "test_labels", or one of these pairs.
    names : list of str, optional
        Names of the classes 0, 1, ...

    Returns
    -------
    Graph
        `x` is float32, grey values from 0 to 255, shape (n_images, height x width); `meta["split"]` tells train from
        test, `meta["image_shape"]` is (height, width).

    Raises
    ------
    DataError
        A file is not in the IDX format, or there are not as many images as labels.
    """
    parts = {}
    shape: tuple[int, ...] = ()
    for part in (role for role in ("train", "test") if role in files):
        pictures, labels = _idx(files[part]), _idx(files[f"{part}_labels"])
        if pictures.ndim < 2 or labels.shape != pictures.shape[:1] or (shape and shape != pictures.shape[1:]):
            raise DataError(f"images of the shape {pictures.shape} and labels of {labels.shape}", files[part])
        shape = pictures.shape[1:]
        parts[part] = pictures.reshape(len(pictures), -1).astype(np.float32), [str(c) for c in labels.tolist()]
    return _stacked(parts, names={str(i): name for i, name in enumerate(names or [])}, image_shape=shape)


def counts(files: Mapping[str, Path]) -> Graph:
    """Read counts of words in documents as tf-idf: count times log(documents / documents with the word).

    Parameters
    ----------
    files : mapping
        "table": .npz of the arrays data, indices, indptr, shape and label.

    Returns
    -------
    Graph
        `x` is a scipy.sparse.csr_array of float32, rows scaled to the Euclidean length 1.

    Raises
    ------
    DataError
        It is no such archive.
    """
    x, labels = sparse_archive(files["table"], np.float64)
    x.sum_duplicates()
    used = np.bincount(x.indices, minlength=x.shape[1])
    x.data *= np.log(x.shape[0] / np.maximum(used, 1))[x.indices]
    lengths = np.sqrt(np.asarray(x.multiply(x).sum(axis=1)).ravel())
    x.data /= np.repeat(np.where(lengths > 0, lengths, 1), np.diff(x.indptr))
    return points(x.astype(np.float32), labels)
