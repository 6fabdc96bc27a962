"""What has changed between two partitions, such as those of last week and of this week.

Communities are matched one to one, so that as many nodes as possible keep their community. A pair is the same community
at two times if at least half of the nodes of one of the two are in the other. Of the rest, an old community has
*merged* into the new one that has more than half of its nodes, or else it has *died*; and a new community has *split*
from the old one that more than half of its nodes come from, or else it was *born* (as in Greene, Doyle & Cunningham
2010, but with a one-to-one matching, so that the numbers of communities can be kept).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from graphclust.errors import DataError
from graphclust.graph import canonical_positions, places_of
from graphclust.metrics import Contingency, compare_labels
from graphclust.runtime.arrays import IntArray
from graphclust.runtime.notes import counted
from graphclust.runtime.serialize import plain

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["Changes", "Matching", "diff"]


@dataclass(frozen=True, eq=False)
class Matching:
    """The communities of two partitions, matched.

    Attributes
    ----------
    before, after : ndarray of int64, shape (n_nodes,)
        The community of each node in the old and in the new partition, numbered from 0; -1 for a node that the
        partition does not have.
    n_old, n_new : int
        Numbers of communities.
    """

    before: IntArray
    after: IntArray
    n_old: int
    n_new: int

    @cached_property
    def is_common(self) -> NDArray[np.bool_]:
        """Whether both partitions have each node, shape (n_nodes,)."""
        return (self.before >= 0) & (self.after >= 0)

    @cached_property
    def sizes(self) -> tuple[IntArray, IntArray]:
        """Numbers of nodes of the old and of the new communities, shapes (n_old,) and (n_new,)."""
        ends = (self.before, self.n_old), (self.after, self.n_new)
        old, new = (np.bincount(labels[labels >= 0], minlength=number) for labels, number in ends)
        return old, new

    @cached_property
    def _flows(self) -> tuple[IntArray, IntArray, IntArray, NDArray[np.bool_]]:
        both = [labels if self.is_common.all() else labels[self.is_common] for labels in (self.before, self.after)]
        table = Contingency.of(*both)
        old, new = (np.flatnonzero(np.bincount(labels)) for labels in both)
        return old[table.rows], new[table.cols], table.counts, table.matched()

    @property
    def flows(self) -> tuple[IntArray, IntArray, IntArray]:
        """Old and new communities that have nodes in common, and the numbers of these nodes."""
        return self._flows[:3]

    @cached_property
    def partner(self) -> IntArray:
        """The old community that each new one continues, -1 if there is none, shape (n_new,)."""
        old, new, count, is_matched = self._flows
        old_size, new_size = self.sizes
        is_same = is_matched & (2 * count >= np.minimum(old_size[old], new_size[new]))
        return _table(self.n_new, new[is_same], old[is_same])

    @cached_property
    def successor(self) -> IntArray:
        """The new community that continues each old one, -1 if there is none, shape (n_old,)."""
        new = np.flatnonzero(self.partner >= 0)
        return _table(self.n_old, self.partner[new], new)

    @cached_property
    def origin(self) -> IntArray:
        """The old community that more than half of the nodes of each new one come from, or -1, shape (n_new,)."""
        old, new, count = self.flows
        comes = 2 * count > self.sizes[1][new]
        return _table(self.n_new, new[comes], old[comes])

    @cached_property
    def destination(self) -> IntArray:
        """The new community that more than half of the nodes of each old one have gone to, or -1, shape (n_old,)."""
        old, new, count = self.flows
        goes = 2 * count > self.sizes[0][old]
        return _table(self.n_old, old[goes], new[goes])

    @cached_property
    def mergers(self) -> tuple[IntArray, IntArray]:
        """New communities that are made of several old ones, and these, as pairs."""
        old, new = np.flatnonzero(self.destination >= 0), np.flatnonzero(self.partner >= 0)
        return _several(
            np.concatenate((self.destination[old], new)), np.concatenate((old, self.partner[new])), self.n_old
        )

    @cached_property
    def splits(self) -> tuple[IntArray, IntArray]:
        """Old communities that several new ones are made of, and these, as pairs."""
        made, kept = np.flatnonzero(self.origin >= 0), np.flatnonzero(self.partner >= 0)
        return _several(
            np.concatenate((self.origin[made], self.partner[kept])), np.concatenate((made, kept)), self.n_new
        )

    @cached_property
    def has_moved(self) -> NDArray[np.bool_]:
        """Whether each node has left a community for another one that does not continue it, shape (n_nodes,)."""
        has_moved: NDArray[np.bool_] = self.is_common & (self.partner[self.after] != self.before)
        return has_moved

    def continued(self, old_numbers: IntArray, next_number: int) -> IntArray:
        """Return numbers for the new communities: those of the old ones that they continue, and new ones.

        Parameters
        ----------
        old_numbers : ndarray of int64, shape (n_old,)
        next_number : int
            The first of the new numbers, which are given in the order of the communities.
        """
        is_new = self.partner < 0
        numbers = np.zeros(self.n_new, dtype=np.int64)
        numbers[~is_new] = old_numbers[self.partner[~is_new]]
        numbers[is_new] = next_number + np.arange(int(is_new.sum()))
        return numbers


def _table(length: int, places: IntArray, values: IntArray) -> IntArray:
    """Return an array of -1 with some values."""
    table = np.full(length, -1)
    table[places] = values
    return table


def _several(wholes: IntArray, parts: IntArray, n_parts: int) -> tuple[IntArray, IntArray]:
    """Return the distinct pairs of a whole and a part whose wholes have several parts, sorted."""
    pairs = np.unique(wholes * n_parts + parts)
    wholes, parts = pairs // max(n_parts, 1), pairs % max(n_parts, 1)
    is_several = np.bincount(wholes)[wholes] > 1 if len(wholes) else np.zeros(0, dtype=bool)
    return wholes[is_several], parts[is_several]


@dataclass(frozen=True, eq=False, repr=False)
class Changes:
    """The difference of two partitions.

    Attributes
    ----------
    nodes : sequence
        The nodes of either partition.
    matching : Matching
        Of these nodes.
    old_labels, new_labels : list
        Labels of the communities, in the order of `matching`.

    Examples
    --------
    >>> changes = diff(dict(zip("abcdefg", [0, 0, 1, 1, 1, 1, 1])), dict(zip("abcdefg", [2, 2, 3, 3, 3, 4, 4])))
    >>> changes.matched, changes.split, str(changes)
    ({3: 1, 2: 0}, {1: [3, 4]}, '2 nodes moved, 0 joined, 0 left; 1 community split')
    """

    nodes: Sequence[Hashable]
    matching: Matching
    old_labels: list[Any]
    new_labels: list[Any]

    # ---------------------------------------------------------------- communities

    @cached_property
    def matched(self) -> dict[Hashable, Hashable]:
        """Label of a new community -> label of the old one that it continues."""
        pairs = zip(self.new_labels, self.matching.partner.tolist(), strict=True)
        return {label: self.old_labels[old] for label, old in pairs if old >= 0}

    @cached_property
    def born(self) -> list[Any]:
        """Labels of new communities that do not come from an old one."""
        is_born = (self.matching.partner < 0) & (self.matching.origin < 0)
        return [self.new_labels[i] for i in np.flatnonzero(is_born).tolist()]

    @cached_property
    def died(self) -> list[Any]:
        """Labels of old communities that have not become a part of a new one."""
        has_died = (self.matching.successor < 0) & (self.matching.destination < 0)
        return [self.old_labels[i] for i in np.flatnonzero(has_died).tolist()]

    @cached_property
    def merged(self) -> dict[Hashable, list[Any]]:
        """Label of a new community -> labels of the old ones that it is made of, if there are several."""
        return _by_whole(self.matching.mergers, self.new_labels, self.old_labels)

    @cached_property
    def split(self) -> dict[Hashable, list[Any]]:
        """Label of an old community -> labels of the new ones that are made of it, if there are several."""
        return _by_whole(self.matching.splits, self.old_labels, self.new_labels)

    @cached_property
    def communities(self) -> list[dict[str, Any]]:
        """One row for each pair and each community without a partner, the largest first.

        `old`, `new` (labels; None for a community that is new or has vanished), `old_size`, `new_size`, `kept` (nodes
        that both have), `arrived`, `gone`, and `change`: "", "born", "died", "split from 3" or "merged into 3".
        """
        matching = self.matching
        kept = {(r, c): n for r, c, n in zip(*(part.tolist() for part in matching.flows), strict=True)}
        old_size, new_size = (sizes.tolist() for sizes in matching.sizes)
        rows: list[tuple[int | None, int | None, str]] = []
        for new, old in enumerate(matching.partner.tolist()):
            change = ""
            if old < 0:
                change = "born" if matching.origin[new] < 0 else f"split from {self.old_labels[matching.origin[new]]}"
            rows.append((old if old >= 0 else None, new, change))
        for old in np.flatnonzero(matching.successor < 0).tolist():
            goal = int(matching.destination[old])
            rows.append((old, None, "died" if goal < 0 else f"merged into {self.new_labels[goal]}"))

        def order(row: tuple[int | None, int | None, str]) -> tuple[int, int, int]:
            sizes = 0 if row[0] is None else old_size[row[0]], 0 if row[1] is None else new_size[row[1]]
            return -max(sizes), -1 if row[0] is None else row[0], -1 if row[1] is None else row[1]

        table = []
        for a, b, change in sorted(rows, key=order):
            n_old, n_new = 0 if a is None else old_size[a], 0 if b is None else new_size[b]
            n = 0 if a is None or b is None else kept[a, b]
            table.append(
                {
                    "old": None if a is None else self.old_labels[a],
                    "new": None if b is None else self.new_labels[b],
                    "old_size": n_old,
                    "new_size": n_new,
                    "kept": n,
                    "arrived": n_new - n,
                    "gone": n_old - n,
                    "change": change,
                }
            )
        return table

    # ---------------------------------------------------------------- nodes

    @cached_property
    def moved(self) -> dict[Hashable, tuple[Any, Any]]:
        """Node -> (old label, new label), for nodes that have left a community for one that does not continue it."""
        return {
            self.nodes[i]: (self.old_labels[self.matching.before[i]], self.new_labels[self.matching.after[i]])
            for i in np.flatnonzero(self.matching.has_moved).tolist()
        }

    @cached_property
    def joined(self) -> dict[Hashable, Any]:
        """Node -> label, for nodes that only the new partition has."""
        nodes = np.flatnonzero(self.matching.before < 0).tolist()
        return {self.nodes[i]: self.new_labels[self.matching.after[i]] for i in nodes}

    @cached_property
    def left(self) -> dict[Hashable, Any]:
        """Node -> label, for nodes that only the old partition has."""
        nodes = np.flatnonzero(self.matching.after < 0).tolist()
        return {self.nodes[i]: self.old_labels[self.matching.before[i]] for i in nodes}

    @cached_property
    def scores(self) -> dict[str, float]:
        """Agreement on the nodes of both partitions, see `graphclust.metrics.compare_labels`."""
        is_common = self.matching.is_common
        return compare_labels(self.matching.before[is_common], self.matching.after[is_common])

    # ---------------------------------------------------------------- in words and values

    @cached_property
    def counts(self) -> dict[str, int]:
        """Numbers of nodes that moved, joined and left, and of communities that were born, died, merged and split.

        Communities of a single node do not count.
        """
        matching = self.matching
        old_size, new_size = matching.sizes
        is_born = (matching.partner < 0) & (matching.origin < 0) & (new_size > 1)
        has_died = (matching.successor < 0) & (matching.destination < 0) & (old_size > 1)
        return {
            "moved": int(matching.has_moved.sum()),
            "joined": int((matching.before < 0).sum()),
            "left": int((matching.after < 0).sum()),
            "born": int(is_born.sum()),
            "died": int(has_died.sum()),
            "merged": _n_several(*matching.mergers, old_size),
            "split": _n_several(*matching.splits, new_size),
        }

    def __str__(self) -> str:
        """Return one line: "4 nodes moved, 1 joined, 0 left; 1 community split"."""
        counts = self.counts
        nodes = f"{counted(counts['moved'], 'node')} moved, {counts['joined']:,} joined, {counts['left']:,} left"
        events = {
            "was born": ("were born", counts["born"]),
            "died": ("died", counts["died"]),
            "split": ("split", counts["split"]),
        }
        parts = [
            f"{counted(number, 'community')} {one if number == 1 else several}"
            for one, (several, number) in events.items()
            if number
        ]
        if counts["merged"]:
            made = "is a merger" if counts["merged"] == 1 else "are mergers"
            parts.append(f"{counted(counts['merged'], 'community')} {made} of several")
        return "; ".join([nodes, ", ".join(parts)]) if parts else nodes

    def __repr__(self) -> str:
        return f"Changes({self})"

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw which nodes have gone where; see `graphclust.report.sankey.plot_sankey`."""
        from graphclust.report.sankey import plot_sankey

        return plot_sankey(self, ax)

    def to_dict(self) -> dict[str, Any]:
        """Return everything as a dictionary that `json` can serialise."""
        content = {
            "counts": self.counts,
            "communities": self.communities,
            "born": self.born,
            "died": self.died,
            "merged": [{"new": new, "old": old} for new, old in self.merged.items()],
            "split": [{"old": old, "new": new} for old, new in self.split.items()],
            "moved": [{"node": node, "old": old, "new": new} for node, (old, new) in self.moved.items()],
            "joined": [{"node": node, "new": label} for node, label in self.joined.items()],
            "left": [{"node": node, "old": label} for node, label in self.left.items()],
            "scores": self.scores,
        }
        return dict(plain(content))


def _n_several(wholes: IntArray, parts: IntArray, size: IntArray) -> int:
    """Count the wholes with several parts of more than one node."""
    return int((np.bincount(wholes[size[parts] > 1]) > 1).sum())


def _by_whole(pairs: tuple[IntArray, IntArray], labels: list[Any], part_labels: list[Any]) -> dict[Hashable, list[Any]]:
    """Return the labels of the parts of each whole."""
    found: dict[Hashable, list[Any]] = {}
    for whole, part in zip(*(ends.tolist() for ends in pairs), strict=True):
        found.setdefault(labels[whole], []).append(part_labels[part])
    return found


def diff(old: Any, new: Any) -> Changes:
    """Compare two partitions of more or less the same nodes.

    Parameters
    ----------
    old, new : Communities, mapping, or path
        Results; mappings of nodes to labels; or files that `graphclust.io.partition.read_partition` reads. Ids that
        only one of them has are compared as text.

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
    ids = list(after)
    places = places_of(list(before), ids).tolist()
    before = {node if i < 0 else ids[i]: label for i, (node, label) in zip(places, before.items(), strict=True)}
    if before.keys().isdisjoint(after):
        raise DataError("the two partitions have no node in common")
    nodes = [*after, *(node for node in before if node not in after)]
    nodes = [nodes[i] for i in canonical_positions(nodes).tolist()]  # the order of entries must not matter
    before, after = ({node: labels[node] for node in nodes if node in labels} for labels in (before, after))
    old_labels, new_labels = (
        [label for label, _ in Counter(labels.values()).most_common()] for labels in (before, after)
    )
    codes = _codes(before, nodes, old_labels), _codes(after, nodes, new_labels)
    return Changes(nodes, Matching(*codes, len(old_labels), len(new_labels)), old_labels, new_labels)


def _codes(label_of: dict[Hashable, Hashable], nodes: list[Hashable], labels: list[Hashable]) -> IntArray:
    """Return the position of each node's label among `labels`, -1 if it has none."""
    place = {label: i for i, label in enumerate(labels)}
    codes = (place[label_of[node]] if node in label_of else -1 for node in nodes)
    return np.fromiter(codes, dtype=np.int64, count=len(nodes))


def _labels(partition: Any) -> dict[Hashable, Hashable]:
    """Return the labels of the nodes; refuse covers."""
    from graphclust.results.communities import labels_of

    labels = labels_of(partition, None)
    if not isinstance(labels, Mapping):
        raise DataError("the communities overlap: only partitions can be compared node by node")
    if not all(isinstance(label, Hashable) for label in labels.values()):
        raise DataError("a label cannot be compared: it must be a string or a number")
    return dict(labels)
