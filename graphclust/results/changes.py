"""What has changed between two partitions, such as those of this week and of last week."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from graphclust.errors import DataError
from graphclust.metrics.agreement import Contingency, compare_labels

__all__ = ["Changes", "diff"]


@dataclass(frozen=True)
class Changes:
    """The difference of two partitions whose communities were matched.

    Attributes
    ----------
    matched : dict
        Label of a new community -> label of the old one with which it shares most nodes. Each old community is matched
        with one new one at most, so that the matched communities have as many nodes in common as possible.
    moved : dict
        Node -> (old label, new label), for nodes of both partitions that are not in matched communities.
    joined, left : dict
        Node -> label, for nodes that only the new or only the old partition has.
    communities : list of dict
        One for each pair, the largest first: `old`, `new` (None for a community that has vanished or is new),
        `old_size`, `new_size`, `kept` (nodes that both have), `arrived` and `gone`.
    scores : dict
        Agreement on the nodes of both partitions, see `graphclust.metrics.compare_labels`.
    """

    matched: dict[Hashable, Hashable]
    moved: dict[Hashable, tuple[Hashable, Hashable]]
    joined: dict[Hashable, Hashable]
    left: dict[Hashable, Hashable]
    communities: list[dict[str, Any]]
    scores: dict[str, float]

    def to_dict(self) -> dict[str, Any]:
        """Return everything as a dictionary that `json` can serialise."""
        return {
            "communities": self.communities,
            "moved": [{"node": node, "old": old, "new": new} for node, (old, new) in self.moved.items()],
            "joined": [{"node": node, "new": label} for node, label in self.joined.items()],
            "left": [{"node": node, "old": label} for node, label in self.left.items()],
            "scores": self.scores,
        }


def diff(old: Any, new: Any) -> Changes:
    """Compare two partitions of more or less the same nodes.

    Parameters
    ----------
    old, new : Communities, mapping, or path
        Results; mappings of nodes to labels; or files that `graphclust.io.partition.read_partition` reads. If no ids
        match, they are compared as text.

    Returns
    -------
    Changes

    Raises
    ------
    DataError
        The two have no node in common, or the communities of one of them overlap.

    Examples
    --------
    >>> changes = diff({"a": 0, "b": 0, "c": 1, "d": 1}, {"a": 1, "b": 1, "c": 0, "d": 1, "e": 0})
    >>> changes.matched, changes.moved, changes.joined
    ({1: 0, 0: 1}, {'d': (1, 1)}, {'e': 0})
    """
    before, after = _labels(old), _labels(new)
    if before.keys().isdisjoint(after):
        before, after = _by_text(before), _by_text(after)
    common = [node for node in after if node in before]
    if not common:
        raise DataError("the two partitions have no node in common")
    old_sizes, new_sizes = Counter(before.values()), Counter(after.values())
    old_names, new_names = ([label for label, _ in sizes.most_common()] for sizes in (old_sizes, new_sizes))
    row_of = {label: i for i, label in enumerate(old_names)}
    column_of = {label: i for i, label in enumerate(new_names)}
    rows = np.array([row_of[before[node]] for node in common])
    columns = np.array([column_of[after[node]] for node in common])
    table = Contingency.of(rows, columns)
    is_matched = table.matched()
    pairs = np.unique(rows)[table.rows[is_matched]].tolist(), np.unique(columns)[table.cols[is_matched]].tolist()
    n_common = dict(zip(zip(*pairs, strict=True), table.counts[is_matched].tolist(), strict=True))
    matched = {new_names[column]: old_names[row] for row, column in n_common}
    communities = [_row(old_names[r], new_names[c], old_sizes, new_sizes, n) for (r, c), n in n_common.items()]
    communities += [_row(label, None, old_sizes, new_sizes, 0) for label in set(old_names) - set(matched.values())]
    communities += [_row(None, label, old_sizes, new_sizes, 0) for label in set(new_names) - matched.keys()]
    place = {None: -1, **row_of}, {None: -1, **column_of}
    communities.sort(
        key=lambda row: (-max(row["old_size"], row["new_size"]), place[0][row["old"]], place[1][row["new"]])
    )
    return Changes(
        matched,
        {node: (before[node], after[node]) for node in common if matched.get(after[node]) != before[node]},
        {node: label for node, label in after.items() if node not in before},
        {node: label for node, label in before.items() if node not in after},
        communities,
        compare_labels(rows, columns),
    )


def _by_text(labels: dict[Hashable, Hashable]) -> dict[Hashable, Hashable]:
    return {str(node): label for node, label in labels.items()}


def _row(old: Any, new: Any, old_sizes: Counter[Any], new_sizes: Counter[Any], n_kept: int) -> dict[str, Any]:
    """Describe a matched pair, or a community without a partner; no label is None."""
    n_old, n_new = (0 if old is None else old_sizes[old]), (0 if new is None else new_sizes[new])
    sizes = {"old_size": n_old, "new_size": n_new}
    return {"old": old, "new": new, **sizes, "kept": n_kept, "arrived": n_new - n_kept, "gone": n_old - n_kept}


def _labels(partition: Any) -> dict[Hashable, Hashable]:
    """Return the labels of the nodes; refuse covers."""
    from graphclust.results.communities import labels_of

    labels = labels_of(partition, None)
    if not isinstance(labels, Mapping):
        raise DataError("the communities overlap: only partitions can be compared node by node")
    return dict(labels)
