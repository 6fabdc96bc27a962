"""What has changed between two partitions, checked against definitions written out."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
from matplotlib.figure import Figure

import graphclust as gc
from graphclust.graph import Graph
from graphclust.kernels.changes import mark_changes
from graphclust.report.sankey import draw_sankey, sankey_svg


def random_partitions(seed):
    """Two partitions of overlapping sets of nodes, the second of which is more or less like the first."""
    rng = np.random.default_rng(seed)
    n, k = int(rng.integers(1, 60)), int(rng.integers(1, 9))
    before = rng.integers(0, k, n)
    after = before.copy()
    for _ in range(int(rng.integers(0, 5))):
        kind, label = rng.integers(3), rng.integers(0, k)
        if kind == 0:
            after[after == label] = rng.integers(0, k)
        elif kind == 1:
            half = (after == label) & (rng.random(n) < 0.5)
            after[half] = after.max() + 1
        else:
            some = rng.random(n) < 0.2
            after[some] = rng.integers(0, k, int(some.sum()))
    gone, new = rng.random(n) < 0.1, rng.random(n) < 0.1
    gone[0] = new[0] = False
    return (
        {f"n{i}": int(before[i]) for i in range(n) if not new[i]},
        {f"n{i}": f"c{after[i]}" for i in range(n) if not gone[i]},
    )


@pytest.mark.parametrize("seed", range(60))
def test_changes_are_as_defined(seed):
    old, new = random_partitions(seed)
    changes = gc.diff(old, new)
    sizes = Counter(old.values()), Counter(new.values())
    common = Counter((old[node], new[node]) for node in old if node in new)
    partner = changes.matched
    assert len(set(partner.values())) == len(partner)
    for label, before in partner.items():
        assert 2 * common[before, label] >= min(sizes[0][before], sizes[1][label])
    origin = {b: a for (a, b), count in common.items() if 2 * count > sizes[1][b]}
    goal = {a: b for (a, b), count in common.items() if 2 * count > sizes[0][a]}
    assert set(changes.born) == {b for b in sizes[1] if b not in partner and b not in origin}
    assert set(changes.died) == {a for a in sizes[0] if a not in partner.values() and a not in goal}
    parts = {b: {a for a in goal if goal[a] == b} | ({partner[b]} if b in partner else set()) for b in sizes[1]}
    assert {b: set(a) for b, a in changes.merged.items()} == {b: a for b, a in parts.items() if len(a) > 1}
    heirs = {v: k for k, v in partner.items()}
    pieces = {a: {b for b in origin if origin[b] == a} | ({heirs[a]} if a in heirs else set()) for a in sizes[0]}
    assert {a: set(b) for a, b in changes.split.items()} == {a: b for a, b in pieces.items() if len(b) > 1}
    moved = {node for node in old if node in new and partner.get(new[node]) != old[node]}
    assert set(changes.moved) == moved
    assert changes.joined == {node: label for node, label in new.items() if node not in old}
    assert changes.left == {node: label for node, label in old.items() if node not in new}
    assert changes.counts["moved"] == len(moved)
    assert sum(row["old_size"] for row in changes.communities) == len(old)
    assert sum(row["new_size"] for row in changes.communities) == len(new)
    fates = Counter(row["change"].split(" ")[0] for row in changes.communities)
    assert fates[""] == len(partner)
    assert fates["born"] == len(changes.born)
    assert fates["died"] == len(changes.died)
    assert str(changes).startswith(f"{len(moved):,} node")
    changes.to_dict()


@pytest.mark.parametrize("seed", range(20))
def test_diagrams_account_for_every_node(seed):
    old, new = random_partitions(seed)
    changes = gc.diff(old, new)
    picture = draw_sankey(changes, most=3)
    n = len(old.keys() | new.keys())
    assert sum(block.size for block in picture.old) == sum(block.size for block in picture.new) == n
    for side, ends in ((picture.old, "old"), (picture.new, "new")):
        for i, block in enumerate(side):
            bands = [band for band in picture.bands if getattr(band, ends) == i]
            assert sum(band.size for band in bands) == block.size
            tops = sorted((getattr(band, f"{ends}_top"), band.height) for band in bands)
            assert tops[0][0] == pytest.approx(block.top)
            assert tops[-1][0] + tops[-1][1] == pytest.approx(block.bottom)
        assert all(a.bottom <= b.top + 1e-9 for a, b in pairwise(side))
    assert "<script" not in sankey_svg(changes)
    picture = draw_sankey(changes)
    assert len(changes.plot(Figure().subplots()).patches) == len(picture.bands) + len(picture.old) + len(picture.new)


@pytest.mark.parametrize("seed", range(20))
def test_the_order_of_entries_does_not_matter(seed):
    old, new = random_partitions(seed)
    shuffled = [{node: labels[node] for node in reversed(list(labels))} for labels in (old, new)]
    first, second = gc.diff(old, new), gc.diff(*shuffled)
    assert first.to_dict() == second.to_dict()


def test_names_in_diagrams_are_escaped():
    picture = sankey_svg(gc.diff({"a": "<b>", "b": "<b>"}, {"a": '"&', "b": '"&'}))
    assert "<b>" not in picture
    assert "&lt;b&gt;" in picture


@pytest.mark.parametrize("seed", range(20))
def test_changed_nodes_are_the_ends_of_edges_that_differ(seed):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(2, 30))
    graphs = []
    for _ in range(2):
        m = int(rng.integers(0, 60))
        weight = None if seed % 3 == 0 else rng.integers(1, 3, m).astype(float)
        ends = rng.integers(0, n, (2, m))
        graphs.append(Graph.from_edges(*ends, weight, nodes=n, directed=bool(seed % 2)))
    changed = np.zeros(n, dtype=bool)
    edges = [(g.source, g.target, g.edge_weight) for g in graphs]
    mark_changes(*edges[0], *edges[1], changed)
    rows = [set(zip(*(part.tolist() for part in edge), strict=True)) for edge in edges]
    expected = {node for edge in rows[0] ^ rows[1] for node in edge[:2]}
    assert set(np.flatnonzero(changed).tolist()) == expected
