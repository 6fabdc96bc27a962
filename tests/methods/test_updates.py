"""Starts from an earlier partition: only what has changed moves, numbers stay, and what has happened is said."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

import graphclust as gc
from graphclust.graph import Graph
from graphclust.inference.target import Target
from graphclust.methods import METHODS
from graphclust.metrics import modularity
from graphclust.problem.problem import Problem
from tests.noted import codes

METHODS_WITH_START = [name for name, kind in METHODS.items() if kind.takes_start]


def planted(n_groups=6, size=20, seed=1):
    graph = nx.planted_partition_graph(n_groups, size, 0.5, 0.02, seed=seed)
    return nx.relabel_nodes(graph, {i: f"p{i}" for i in graph})


def group(number, size=20):
    return [f"p{i}" for i in range(number * size, (number + 1) * size)]


def a_week_later(graph):
    """Return the graph with group 0 gone, groups 1 and 2 merged, group 5 split, and a new group of 15 nodes."""
    rng, later = np.random.default_rng(3), graph.copy()
    later.remove_nodes_from(group(0))
    later.add_edges_from((a, b) for a in group(1) for b in group(2) if rng.random() < 0.5)
    halves = group(5)[:10], group(5)[10:]
    later.remove_edges_from([(a, b) for a in halves[0] for b in halves[1] if later.has_edge(a, b)])
    for half in halves:
        later.add_edges_from((half[i], half[j]) for i in range(10) for j in range(i))
    later.add_edges_from((f"q{i}", f"q{j}") for i in range(15) for j in range(i))
    later.add_edge("q0", group(3)[0])
    return later


def rewired(graph, share, seed):
    """Return a graph with a share of its edges replaced by random ones."""
    rng, n, m = np.random.default_rng(seed), graph.num_nodes, graph.num_edges
    is_kept = rng.random(m) >= share
    n_new = m - int(is_kept.sum())
    source = np.concatenate((graph.source[is_kept], rng.integers(0, n, n_new)))
    target = np.concatenate((graph.target[is_kept], rng.integers(0, n, n_new)))
    apart = source != target
    return Graph.from_edges(source[apart], target[apart], nodes=graph.nodes)


def changed_nodes(old, new):
    edges = [{frozenset(edge[:2]) for edge in graph.edges()} for graph in (old, new)]
    return {node for edge in edges[0] ^ edges[1] for node in edge}


@pytest.fixture(scope="module")
def lfr():
    return gc.generators.lfr(1000, mu=0.3, average_degree=15, random_state=5)


@pytest.mark.parametrize("method", METHODS_WITH_START)
def test_nothing_changes_if_the_graph_has_not(method, lfr):
    first = gc.detect(lfr, method)
    again = gc.detect(lfr, method, start=first)
    if method != "auto":  # whose chains go on
        assert np.array_equal(again.labels, first.labels)
    assert again.changes.counts["moved"] <= 5
    assert "updated" in codes(again.notes)
    assert first.changes is None


@pytest.mark.parametrize("method", METHODS_WITH_START)
def test_communities_keep_their_numbers(method):
    before = planted()
    first = gc.detect(before, method)
    later = a_week_later(before)
    second = gc.detect(later, method, start=first)
    number = {i: first.membership[group(i)[0]] for i in range(6)}
    assert all(first.membership[node] == number[i] for i in range(6) for node in group(i))
    for i in (3, 4):
        assert {second.membership[node] for node in group(i)} == {number[i]}
    merged = {second.membership[node] for node in group(1) + group(2)}
    assert merged in ({number[1]}, {number[2]})
    assert second.changes.merged == {merged.pop(): sorted([number[1], number[2]])}
    assert second.changes.died == [number[0]]
    new = {second.membership[f"q{i}"] for i in range(15)}
    assert new == set(second.changes.born)
    assert min(new) > 5
    assert set(second.changes.left) == set(group(0))
    assert set(second.changes.joined) == {f"q{i}" for i in range(15)}
    halves = {second.membership[node] for node in group(5)}
    if method == "leiden":  # which refines communities with changes; single moves do not split them
        assert len(halves) == 2
        assert list(second.changes.split) == [number[5]]
        assert number[5] in halves


def test_numbers_are_not_given_twice():
    graph = planted(4)
    result = gc.detect(graph, "leiden")
    seen = set(result.numbers.tolist())
    for week in range(3):
        graph.remove_nodes_from([node for node in graph if node.startswith(f"new{week - 1}-")])
        graph.add_edges_from((f"new{week}-{i}", f"new{week}-{j}") for i in range(12) for j in range(i))
        graph.add_edge(f"new{week}-0", "p0")
        result = gc.detect(graph, "leiden", start=result)
        born = set(result.changes.born)
        assert len(born) == 1
        assert not born & seen
        seen |= born


@pytest.mark.parametrize("method", METHODS_WITH_START)
def test_communities_without_a_change_lose_nobody(method, lfr):
    first = gc.detect(lfr, "label-propagation" if method == "label-propagation" else "leiden")
    for seed in range(4):
        later = rewired(lfr, 0.004, seed)
        if method == "auto":
            core = Problem.of(later, start=first).core
            model_start = METHODS["auto"](model="planted", n_samples=1, random_state=0)._starts(core, 0)[0]["start"]
            labels = Target(core).model("planted").improve(model_start, 0, core.start.has_changed)
        else:
            labels = gc.detect(later, method, start=first).ranks
        changed = changed_nodes(lfr, later)
        unchanged = [part for part in first.communities if not part & changed]
        assert unchanged
        index = later.index
        for part in unchanged:
            assert len({int(labels[index[node]]) for node in part}) == 1


def test_updates_are_as_good_as_new_runs(lfr):
    graph, current = lfr, gc.detect(lfr, "leiden")
    for seed in range(5):
        graph = rewired(graph, 0.02, seed)
        current = gc.detect(graph, "leiden", start=current)
        fresh = gc.detect(graph, "leiden")
        assert modularity(graph, current.ranks) > 0.99 * modularity(graph, fresh.ranks)


def test_starts_of_all_kinds(tmp_path):
    before, later = planted(), a_week_later(planted())
    first = gc.detect(before, "leiden")
    paths = []
    for suffix in ("tsv", "csv", "json", "parquet", "graphml"):
        paths.append(tmp_path / f"first.{suffix}")
        first.save(paths[-1])
    expected = gc.detect(later, "leiden", start=first.membership)
    for start in (pd.Series(first.membership), *paths, str(paths[0]), list(first.communities)):
        result = gc.detect(later, "leiden", start=start)
        assert result.membership == expected.membership
    assert gc.detect(later, "leiden", start=paths[0]).params["start"] == str(paths[0])
    assert gc.detect(later, "leiden", start=first).params["start"].startswith("6 communities of 120 nodes")
    loaded = gc.Communities.load(paths[0], before)
    assert gc.detect(later, "leiden", start=loaded).membership == gc.detect(later, "leiden", start=first).membership


def test_labels_of_a_start_that_are_names():
    graph = planted(3)
    start = {node: "abc"[int(node[1:]) // 20] for node in graph if node != "p7"}
    result = gc.detect(graph, "leiden", start=start)
    assert "numbered-start" in codes(result.notes)
    assert sorted(result.numbers.tolist()) == [0, 1, 2]
    assert list(result.changes.joined) == ["p7"]
    same = gc.detect(
        graph, "leiden", start={node: ["50", "7", "12"]["abc".index(name)] for node, name in start.items()}
    )
    assert set(same.numbers.tolist()) == {7, 12, 50}
    assert {same.membership[node] for node in group(1)} == {7}


@pytest.mark.parametrize("directed", [False, True])
def test_changes_of_weights_and_directions_count(directed):
    kind = nx.DiGraph if directed else nx.Graph
    graph = kind()
    for first in (0, 6):
        graph.add_weighted_edges_from((first + i, first + j, 1.0) for i in range(6) for j in range(i))
    graph.add_edge(0, 6, weight=0.5)
    first = gc.detect(graph, "leiden")
    heavier = graph.copy()
    for neighbor in range(7, 12):
        heavier.add_edge(0, neighbor, weight=9.0)
    result = gc.detect(heavier, "leiden", start=first)
    assert result.membership[0] == first.membership[7]
    assert list(result.changes.moved) == [0]


def test_updates_do_not_depend_on_order_or_threads(lfr):
    from graphclust.runtime.threads import limited_threads

    first, later = gc.detect(lfr, "leiden"), rewired(lfr, 0.05, 1)
    order = np.random.default_rng(0).permutation(lfr.num_nodes)
    place = np.argsort(order)
    shuffled = Graph.from_edges(place[later.source], place[later.target], nodes=[later.nodes[i] for i in order])
    for method in METHODS_WITH_START:
        expected = gc.detect(later, method, start=first)
        assert gc.detect(shuffled, method, start=first).membership == expected.membership
        with limited_threads(1):
            assert np.array_equal(gc.detect(later, method, start=first).labels, expected.labels)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"n_clusters": 3}, "n_clusters"),
        ({"hierarchy": True}, "hierarchy"),
        ({"method": "auto", "known": {"p0": 1}}, "known"),
        ({"method": "auto", "bipartite": True}, "bipartite"),
        ({"seeds": 3}, "seeds"),
        ({"start": 7}, "labels of the nodes"),
        ({"method": "louvain"}, "start"),
    ],
)
def test_starts_that_are_refused(params, message):
    graph = planted(2)
    start = dict.fromkeys(graph, 0)
    with pytest.raises(gc.UsageError, match=message):
        gc.detect(graph, **{"method": "leiden", "start": start} | params)


def test_starts_that_do_not_fit(tmp_path):
    graph = planted(2)
    with pytest.raises(gc.DataError, match="no node in common"):
        gc.detect(graph, "leiden", start={"x": 0, "y": 1})
    with pytest.raises(gc.DataError, match="overlap"):
        gc.detect(graph, "leiden", start=[{"p0", "p1"}, {"p1", "p2"}])
    with pytest.raises(gc.DataError, match="no such file"):
        gc.detect(graph, "leiden", start=tmp_path / "none.tsv")


def test_sizes_and_overlap_go_with_a_start():
    before, later = planted(), a_week_later(planted())
    first = gc.detect(before, "leiden")
    bounded = gc.detect(later, "leiden", start=first, min_size=12, max_size=25)
    assert 12 <= min(map(len, bounded.communities)) <= max(map(len, bounded.communities)) <= 25
    assert {bounded.membership[node] for node in group(4)} == {first.membership[group(4)[0]]}
    covered = gc.detect(later, "leiden", start=first, overlapping=True)
    labels = {label for row in covered.cover.memberships.values() for label in row}
    assert labels == set(covered.numbers.tolist())
    node = group(4)[0]
    assert covered.membership[node] in covered.cover.memberships[node]


def test_refinement_goes_on_from_a_start():
    before, later = planted(), a_week_later(planted())
    first = gc.detect(before, "leiden")
    refined = gc.detect(later, "leiden", start=first, refine="sbm", effort="low")
    assert {refined.membership[node] for node in group(4)} == {first.membership[group(4)[0]]}


@pytest.mark.parametrize("method", METHODS_WITH_START)
def test_starts_on_the_smallest_graphs(method):
    for graph in (Graph.from_edges([], [], nodes=["a"]), Graph.from_edges([], [], nodes=["a", "b"])):
        result = gc.detect(graph, method, start={"a": 4, "b": 4})
        assert 4 in result.numbers  # of two nodes without edges, one keeps the number
    empty = gc.detect(Graph.from_edges([], [], nodes=0), method, start={"a": 1})
    assert len(empty.labels) == 0


def test_results_with_gaps_in_their_numbers(tmp_path):
    before, later = planted(), a_week_later(planted())
    result = gc.detect(later, "leiden", start=gc.detect(before, "leiden"), overlapping=True)
    assert result.n_clusters == len(result.communities) == len(result.numbers) < int(result.labels.max()) + 1
    sizes = [len(part) for part in result.communities]
    assert sizes == sorted(sizes, reverse=True)
    for number, part in zip(result.numbers.tolist(), result.communities, strict=True):
        assert {result.membership[node] for node in part} == {number}
        assert set(result.within(number).nodes) == part
    assert result.summary().index.tolist() == result.numbers.tolist()
    assert result.quality()["n_clusters"] == result.n_clusters
    assert result.score(result.labels)["ami"] == 1
    assert len(result.links(3).missing) == 3
    assert result.coarser().n_clusters == result.n_clusters // 2
    assert result.plot(Figure().subplots()) is not None
    with pytest.raises(gc.UsageError, match="with gaps"):
        result.within(int(result.labels.max()) + 1)
    for suffix in ("tsv", "csv", "json", "cmty", "clu", "graphml", "gexf", "parquet", "newick", "tree", "html"):
        result.save(tmp_path / f"c.{suffix}")
    for suffix in ("json", "parquet"):
        loaded = gc.Communities.load(tmp_path / f"c.{suffix}", later)
        assert gc.diff(result, loaded).counts["moved"] == 0
    assert gc.Communities.load(tmp_path / "c.json", later).membership == result.membership
    page = (tmp_path / "c.html").read_text()
    assert "What has changed" in page
    assert "Overlap" in page


@pytest.mark.parametrize("method", METHODS_WITH_START)
@pytest.mark.parametrize("names", [False, True])
def test_the_order_of_the_entries_of_a_start_does_not_matter(method, names):
    for seed in range(8):
        rng = np.random.default_rng(seed)
        graph = nx.gnp_random_graph(14, 0.2, seed=seed)
        start = {node: int(rng.integers(0, 4)) for node in graph}
        if names:
            start = {node: "abcd"[label] for node, label in start.items()}
        shuffled = {node: start[node] for node in rng.permutation(14).tolist()}
        first, second = (gc.detect(graph, method, start=labels) for labels in (start, shuffled))
        assert first.membership == second.membership


def test_ids_of_mixed_types_are_found_again(tmp_path):
    graph = nx.relabel_nodes(nx.karate_club_graph(), {0: "boss"})
    first = gc.detect(graph, "leiden")
    first.save(tmp_path / "first.tsv")
    for start in (tmp_path / "first.tsv", gc.Communities.load(tmp_path / "first.tsv")):
        assert gc.detect(graph, "leiden", start=start).changes.counts["joined"] == 0
    assert not any(gc.diff(first, tmp_path / "first.tsv").counts.values())


@pytest.mark.parametrize("suffix", ["tsv", "csv", "json", "parquet", "graphml", "gexf"])
def test_numbers_are_kept_with_the_graph_of_a_start(suffix, tmp_path):
    graph = planted(3)
    first = gc.detect(graph, "leiden", start={node: 5 + 10 * (int(node[1:]) // 20) for node in graph})
    assert set(first.numbers.tolist()) == {5, 15, 25}
    first.save(tmp_path / f"first.{suffix}")
    loaded = gc.Communities.load(tmp_path / f"first.{suffix}", graph)
    assert gc.detect(graph, "leiden", start=loaded).membership == first.membership


def test_a_result_of_another_method_or_resolution_is_searched_again():
    graph = nx.planted_partition_graph(6, 15, 0.5, 0.05, seed=1)
    first = gc.detect(graph, "leiden")
    finer = gc.detect(graph, "leiden", resolution=4, start=first)
    assert modularity(finer.graph, finer.ranks, 4) > modularity(first.graph, first.labels, 4)
    random = gc.Communities(gc.as_graph(graph), np.arange(90) % 6, "chance")
    assert gc.detect(graph, "leiden", start=random).quality()["modularity"] > 0.3


def test_labels_that_cannot_be_read(tmp_path):
    graph = nx.karate_club_graph()
    with pytest.raises(gc.DataError, match="cannot be compared"):
        gc.detect(graph, "leiden", start={node: [1] for node in graph})
    with pytest.raises(gc.DataError, match="cannot be compared"):
        gc.diff({1: [1]}, {1: [1]})
    with pytest.raises(gc.DataError, match="two columns"):
        gc.detect(graph, "leiden", start=pd.DataFrame({"a": [1, 2]}))
    with pytest.raises(gc.DataError, match="no labels"):
        gc.detect(graph, "leiden", start={})
    path = tmp_path / "huge.tsv"
    path.write_text("node\tcommunity\n" + "".join(f"{node}\t{10**20 + node % 2}\n" for node in graph))
    assert gc.detect(graph, "leiden", start=gc.Communities.load(path, graph)).n_clusters > 1
    path.write_text("node\tcommunity\n0\t01\n1\t1\n2\t2\n")
    assert gc.Communities.load(path).n_clusters == 3


def test_labels_of_a_series_with_gaps():
    graph = planted(3)
    labels = pd.Series({node: 5 + int(node[1:]) // 20 for node in graph}, dtype=float)
    labels["p7"] = np.nan
    assert set(gc.detect(graph, "leiden", start=labels).numbers.tolist()) == {5, 6, 7}
