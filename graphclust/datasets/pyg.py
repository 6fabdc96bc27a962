"""ACP's community-pair graphs as a data set of PyTorch Geometric, cached on disk.

This is the only module of the package that imports torch_geometric on import.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from typing import Any

import numpy as np
from torch_geometric.data import InMemoryDataset

from graphclust.datasets.cache import checksum, fetch
from graphclust.datasets.entries import entry_of
from graphclust.datasets.pairs import community_pairs
from graphclust.runtime.progress import task

__all__ = ["CommunityPairs"]


class CommunityPairs(InMemoryDataset):  # type: ignore[misc]
    """The graphs of pairs of communities (`graphclust.datasets.community_pairs`) as Data with edge_index and y.

    Parameters
    ----------
    root : str or PathLike
        Folder of the cache, with one file for each combination of the other parameters and of the publisher's files.
    name : str
        A data set with communities, such as "com-dblp".
    split : {"train", "test", "all"}
    seed : int
        Seed of the split and of the selection of pairs.
    max_pairs : int, optional
        Number of pairs to select at random; all by default.
    transform : callable, optional
        Applied to a graph on access; the cache has the graphs before it.

    Raises
    ------
    DataError
        The data set cannot be downloaded or has no communities.
    UsageError
        The data set or split does not exist.
    """

    def __init__(
        self,
        root: str | os.PathLike[str],
        name: str,
        split: str = "train",
        seed: int = 0,
        max_pairs: int | None = None,
        transform: Callable[[Any], Any] | None = None,
    ) -> None:
        self._choice = (name, split, seed, max_pairs)
        content = "".join(checksum(path) for path in fetch(entry_of(name)).values())
        self._digest = hashlib.sha256(content.encode()).hexdigest()[:12]
        super().__init__(os.fspath(root), transform, log=False)
        self.load(self.processed_paths[0])

    @property
    def processed_file_names(self) -> list[str]:
        """Name of the file in the cache, which contains everything that determines its content."""
        name, split, seed, max_pairs = self._choice
        return [f"{entry_of(name).name}-{split}-seed{seed}-{max_pairs or 'all'}-{self._digest}.pt"]

    def process(self) -> None:
        """Build the graphs and write them atomically."""
        name, split, seed, max_pairs = self._choice
        graphs = community_pairs(name, split, seed)
        chosen = np.arange(len(graphs))
        if max_pairs is not None and max_pairs < len(chosen):
            chosen = np.sort(np.random.default_rng((seed, 1)).choice(chosen, max_pairs, replace=False))
        data = []
        with task(f"pairs of communities of {name}", len(chosen)) as advance:
            for i in chosen.tolist():
                data.append(graphs[i].to_data())
                advance()
        part = f"{self.processed_paths[0]}.part"
        self.save(data, part)
        os.replace(part, self.processed_paths[0])
