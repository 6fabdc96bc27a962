"""Pairs of communities against a search through all pairs with networkx."""

from __future__ import annotations

from itertools import combinations

import networkx as nx
import numpy as np
import pytest

import graphclust as gc
from graphclust import datasets
from graphclust.datasets import community_pairs
from tests.marks import slow


def wanted(graph, groups):
    """The pairs of section 5.2.4, read off its sentences."""
    for i, j in combinations(range(len(groups)), 2):
        first, second = groups[i], groups[j]
        union = first | second
        if not 20 < len(union) < 500 or len(first) >= 20 * len(second) or len(second) >= 20 * len(first):
            continue
        if first <= second or second <= first or not nx.is_connected(graph.subgraph(union)):
            continue
        yield i, j


def network(rng, *, grown):
    """A sparse graph with communities: connected ones, or such as only hang together with another one."""
    graph = nx.gnm_random_graph(400, 620, seed=int(rng.integers(2**31)))
    groups = []
    for _ in range(20):
        ball = list(nx.bfs_tree(graph, int(rng.integers(400))))[: int(rng.integers(2, 60))]
        if grown:
            groups += [set(ball), set(ball[: len(ball) // 2])]
        else:
            side = rng.integers(-1, 2, size=len(ball))
            groups += [{node for node, s in zip(ball, side, strict=True) if s != sign} for sign in (-1, 1)]
    groups = [group for group in groups if group]
    groups += [set(range(200)), {0}, groups[3], groups[5] | {1}]
    return graph, groups


def as_gc(graph, groups):
    made = gc.as_graph(graph)
    made.meta |= {"name": "made", "communities": [np.array(sorted(group)) for group in groups]}
    return made


@pytest.mark.parametrize("max_entries", [1 << 22, 100])
@pytest.mark.parametrize("grown", [True, False])
@pytest.mark.parametrize("seed", [0, *slow(1)])
def test_equals_the_search_through_all_pairs(grown, seed, max_entries, monkeypatch):
    monkeypatch.setattr("graphclust.datasets.pairs._MAX_ENTRIES", max_entries)  # with 100, in many parts
    graph, groups = network(np.random.default_rng(seed), grown=grown)
    distinct = list(dict.fromkeys(map(frozenset, groups)))
    expected = list(wanted(graph, distinct))
    actual = community_pairs(as_gc(graph, groups), "all")
    assert len(expected) > 5
    assert grown or not all(nx.is_connected(graph.subgraph(distinct[i])) for pair in expected for i in pair)
    assert actual.pairs.tolist() == [list(pair) for pair in expected]
    assert actual.n_edges.tolist() == [graph.subgraph(distinct[i] | distinct[j]).number_of_edges() for i, j in expected]
    for (i, j), pair in zip(expected, actual, strict=True):
        first, second = distinct[i], distinct[j]
        assert pair.nodes == sorted(first | second)
        edges = {frozenset(edge[:2]) for edge in pair.edges()}
        assert edges == {frozenset(edge) for edge in graph.subgraph(first | second).edges}
        clusters = [part for part in (first - second, first & second, second - first) if part]
        assert [set(np.array(pair.nodes)[pair.y == k].tolist()) for k in range(pair.y.max() + 1)] == clusters
        assert pair.meta == {"name": "made", "communities": (i, j)}


def test_bounds_are_exclusive():
    path = gc.Graph.from_edges(range(999), range(1, 1000), nodes=1000)

    def pairs(*groups):
        path.meta["communities"] = [np.arange(*group) for group in groups]
        return len(community_pairs(path, "all"))

    assert [pairs((0, 10), (10, n)) for n in (20, 21, 499, 500)] == [0, 1, 0, 0]
    assert [pairs((0, 100), (100, n)) for n in (499, 500)] == [1, 0]
    assert [pairs((0, 3), (3, n)) for n in (62, 63)] == [1, 0]  # 59 and 60 to 3
    assert [pairs((0, 30), (n, 40)) for n in (30, 31)] == [1, 0]  # an edge between them, none
    assert pairs((0, 30), (5, 20)) == 0
    assert pairs((0, 30), (5, 30), (5, 40)) == 1  # the second is part of the first and of the third


def test_no_test_community_is_seen_in_training(rng):
    graph = as_gc(*network(rng, grown=True))
    everything = {tuple(pair) for pair in community_pairs(graph, "all").pairs.tolist()}
    n_distinct = len({group.tobytes() for group in graph.meta["communities"]})
    splits = set()
    for seed in range(5):
        train, test = (community_pairs(graph, split, seed).pairs for split in ("train", "test"))
        seen, held_out = set(train.ravel().tolist()), set(test.ravel().tolist())
        assert len(train) > len(test) > 0
        assert not seen & held_out
        assert len(seen) <= round(0.7 * n_distinct)
        mixed = everything - set(map(tuple, train.tolist())) - set(map(tuple, test.tolist()))
        assert not any(set(pair) <= seen or set(pair) <= held_out for pair in mixed)
        again = community_pairs(graph, "train", seed).pairs
        assert np.array_equal(again, train)
        splits.add(tuple(map(tuple, train.tolist())))
    assert len(splits) == 5


def test_weights_and_names_are_kept_and_directions_are_not():
    names = [f"n{i:02}" for i in range(30)]
    graph = gc.Graph.from_edges(range(29), range(1, 30), [0.5] + [2.0] * 28, nodes=names, directed=True)
    graph.meta["communities"] = [range(15), range(12, 30)]
    (pair,) = community_pairs(graph, "all")
    assert not pair.directed
    assert pair.nodes == names
    assert pair.edge_weight.tolist() == [0.5] + [2.0] * 28
    assert [len(part) for part in (community_pairs(graph, "all")[:1], community_pairs(graph, "all")[1:])] == [1, 0]


def test_refusals(folder):
    with pytest.raises(gc.UsageError, match="split must be one of train, test, all"):
        community_pairs("com-dblp", "validation")
    with pytest.raises(gc.DataError, match="no communities"):
        community_pairs("karate", "all")
    with pytest.raises(gc.DataError, match="no communities"):
        community_pairs(as_gc(nx.path_graph(3), []), "all")


@pytest.fixture
def dblp(folder, rng):
    """A network under the name of a real one."""
    graph, groups = network(rng, grown=True)
    folder.put("snap/com-dblp.ungraph.txt.gz", "".join(f"{u}\t{v}\n" for u, v in graph.edges))
    groups = [group for group in groups if all(graph.degree(node) for node in group)]
    folder.put("snap/com-dblp.top5000.cmty.txt.gz", "".join("\t".join(map(str, group)) + "\n" for group in groups))
    return folder


def test_pyg_data_set(dblp, tmp_path):
    from graphclust.datasets import CommunityPairs

    graphs = community_pairs("com-dblp", "train", 3)
    made = CommunityPairs(tmp_path / "pyg", "com-dblp", "train", 3)
    assert len(made) == len(graphs) > 5
    for data, graph in zip(made, graphs, strict=True):
        assert data.num_nodes == graph.num_nodes
        assert data.y.tolist() == graph.y.tolist()
        assert gc.as_graph(data).num_edges == graph.num_edges
    some = CommunityPairs(tmp_path / "pyg", "com-dblp", "train", 3, max_pairs=4)
    assert len(some) == 4
    CommunityPairs(tmp_path / "pyg", "com-dblp", "test", 3)
    CommunityPairs(tmp_path / "pyg", "com-dblp", "train", 4)
    dblp.put("snap/com-dblp.top5000.cmty.txt.gz", "")  # the publisher's file changed
    with pytest.raises(gc.DataError, match="no communities"):
        CommunityPairs(tmp_path / "pyg", "com-dblp", "train", 3)
    selected = {path.name for path in (tmp_path / "pyg/processed").glob("com-*")}
    assert len(selected) == 4
    assert {name.rpartition("-")[0] for name in selected} == {
        "com-dblp-train-seed3-all",
        "com-dblp-train-seed3-4",
        "com-dblp-test-seed3-all",
        "com-dblp-train-seed4-all",
    }


def test_pyg_data_set_is_built_once(dblp, tmp_path, monkeypatch):
    first = datasets.CommunityPairs(tmp_path, "com-dblp", "all", max_pairs=3)
    monkeypatch.setattr(datasets.CommunityPairs, "process", lambda self: pytest.fail("built again"))
    second = datasets.CommunityPairs(tmp_path, "com-dblp", "all", max_pairs=3)
    assert [data.y.tolist() for data in first] == [data.y.tolist() for data in second]
