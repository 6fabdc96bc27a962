"""Random graphs as a PyTorch Geometric data set."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from typing import Any

import numpy as np
from torch_geometric.data import InMemoryDataset

from graphclust.errors import UsageError
from graphclust.generators.families import FAMILIES
from graphclust.generators.own import identity_of, name_of
from graphclust.runtime.seeds import check_seed

__all__ = ["SyntheticGraphs"]


class SyntheticGraphs(InMemoryDataset):  # type: ignore[misc]
    """Graphs of a family, drawn once and kept in a file whose name holds every parameter.

    Each graph has a seed of its own: the first hundred are the same in a data set of a thousand.

    Parameters
    ----------
    root : str
        Folder of the cache.
    family : str, Family or callable
        A key of `graphclust.generators.FAMILIES`, or a family of your own (`graphclust.generators.families.as_family`).
    num_graphs : int
    seed : int
    transform, pre_transform, pre_filter : callable, optional
        As in PyG; the name of the cached file depends on the `repr` of the last two.
    **parameters
        Of the family.

    Raises
    ------
    UsageError
        No such family or parameter, no graph.

    Examples
    --------
    >>> import tempfile
    >>> graphs = SyntheticGraphs(tempfile.mkdtemp(), "cluster", num_graphs=3, seed=1)
    >>> len(graphs), int(graphs[0].y.max())
    (3, 5)
    """

    def __init__(
        self,
        root: str,
        family: Any,
        num_graphs: int = 1000,
        seed: int = 0,
        *,
        transform: Callable[..., Any] | None = None,
        pre_transform: Callable[..., Any] | None = None,
        pre_filter: Callable[..., Any] | None = None,
        **parameters: Any,
    ) -> None:
        complete = FAMILIES.named(family).complete(name_of(family), parameters)
        if num_graphs < 1:
            raise UsageError(f"num_graphs must be a positive integer, not {num_graphs!r}")
        self.family = family
        self.num_graphs = num_graphs
        self.seed = check_seed(seed)
        self.parameters = complete
        self._filters = [repr(pre_transform), repr(pre_filter)]
        super().__init__(root, transform, pre_transform, pre_filter)
        self.load(self.processed_paths[0])

    @property
    def processed_file_names(self) -> list[str]:
        """One file; its name is a digest of family, size, seed and all parameters."""
        identity = identity_of(self.family, FAMILIES.named(self.family).sample)
        key = [identity, self.num_graphs, self.seed, self.parameters, self._filters]
        digest = hashlib.sha256(json.dumps(key, sort_keys=True, default=repr).encode()).hexdigest()[:16]
        name = re.sub(r"\W+", "-", name_of(self.family))
        return [f"{name}-{self.num_graphs}-{self.seed}-{digest}.pt"]

    def process(self) -> None:
        """Draw the graphs."""
        sample = FAMILIES.named(self.family).sample
        graphs = []
        for i in range(self.num_graphs):
            rng = np.random.default_rng(np.random.SeedSequence(self.seed, spawn_key=(i,)))
            data = sample(**self.parameters, random_state=rng).to_data()
            if self.pre_filter is None or self.pre_filter(data):
                graphs.append(data if self.pre_transform is None else self.pre_transform(data))
        self.save(graphs, self.processed_paths[0])
