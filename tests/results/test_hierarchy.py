"""Hierarchies: levels within levels, any number of communities, files and drawings."""

from __future__ import annotations

import re
from itertools import pairwise, product

import networkx as nx
import numpy as np
import pytest

import graphclust as gc
from graphclust.graph import Graph
from graphclust.kernels.merging import merge_to, merge_tree
from graphclust.metrics import ami, modularity, rank_labels
from graphclust.results.hierarchy import Hierarchy
from tests.cli.conftest import cli  # noqa: F401  a fixture

METHODS = ("leiden", "louvain")


def groups_of_groups(seed=0):
    """Three groups of three groups of 20 nodes, the labels of both levels."""
    rng = np.random.default_rng(seed)
    fine = np.repeat(np.arange(9), 20)
    coarse = fine // 3
    same = (fine[:, None] == fine).astype(int) + (coarse[:, None] == coarse)
    i, j = np.nonzero(np.triu(rng.random(same.shape) < np.array([0.01, 0.1, 0.7])[same], 1))
    return Graph.from_edges(i, j, nodes=180), fine, coarse


def is_nested(fine, coarse):
    return len(np.unique(np.stack([fine, coarse]), axis=1).T) == fine.max() + 1


@pytest.mark.parametrize("method", METHODS)
def test_levels_lie_within_each_other_and_end_with_the_communities(method):
    graph = gc.generators.lfr(1000, mu=0.3, average_degree=10, random_state=1)
    c = gc.detect(graph, method, hierarchy=True)
    assert np.array_equal(c.labels, c.hierarchy.levels[-1])
    assert np.array_equal(c.labels, gc.detect(graph, method).labels)
    assert len(c.hierarchy) > 1
    for fine, coarse in pairwise(c.hierarchy.levels):
        assert is_nested(fine, coarse)
        assert fine.max() > coarse.max()
    assert gc.detect(graph, method).hierarchy is None


@pytest.mark.parametrize("method", METHODS)
def test_levels_are_connected_and_do_not_depend_on_the_order_of_nodes(method):
    graph = nx.relabel_nodes(nx.les_miserables_graph(), str)
    graph.add_node("Nobody")
    shuffled = nx.Graph()
    nodes = list(graph)
    np.random.default_rng(3).shuffle(nodes)
    shuffled.add_nodes_from(nodes)
    shuffled.add_edges_from(list(graph.edges(data=True))[::-1])
    first, second = (gc.detect(g, method, hierarchy=True).hierarchy for g in (graph, shuffled))
    assert len(first) == len(second)
    for i in range(1, len(first) + 1):
        assert set(map(frozenset, first.level(i).communities)) == set(map(frozenset, second.level(i).communities))
        assert all(nx.is_connected(graph.subgraph(members)) for members in first.level(i).communities)


def test_groups_of_groups_are_found_by_cutting():
    graph, fine, coarse = groups_of_groups()
    hierarchy = gc.detect(graph, "leiden", resolution=4, hierarchy=True).hierarchy
    assert ami(hierarchy.cut(9).labels, fine) > 0.95
    assert ami(hierarchy.cut(3).labels, coarse) > 0.95


@pytest.mark.parametrize("method", METHODS)
def test_a_hierarchy_can_be_cut_into_every_number_and_passes_through_its_levels(method):
    hierarchy = gc.detect("data:les-miserables", method, hierarchy=True).hierarchy
    most = int(hierarchy.levels[0].max()) + 1
    cuts = [hierarchy.cut(k).labels for k in range(most, 0, -1)]
    assert [int(labels.max()) + 1 for labels in cuts] == list(range(most, 0, -1))
    assert all(is_nested(fine, coarse) for fine, coarse in pairwise(cuts))
    for level in hierarchy.levels:
        assert np.array_equal(hierarchy.cut(int(level.max()) + 1).labels, level)
    linkage = hierarchy.linkage()
    assert linkage[-1, 3] == most
    assert sorted(linkage[:, :2].ravel().tolist()) == list(range(2 * most - 2))


def test_the_tree_above_the_last_level_merges_as_a_given_number_of_communities_does():
    graph = gc.generators.planted_partition(400, 10, p_in=0.2, p_out=0.02, random_state=0)
    labels = gc.detect(graph, "leiden").labels
    edges = graph.source, graph.target, graph.edge_weight
    hierarchy = Hierarchy(graph, (labels,))
    for k in range(1, labels.max() + 1):
        assert np.array_equal(hierarchy.cut(k).labels, rank_labels(merge_to(*edges, labels, k)))
    assert modularity(graph, hierarchy.cut(2).labels) > 0


def test_parts_without_an_edge_between_them_are_merged_within_their_community():
    source, target = np.array([0, 2, 4]), np.array([1, 3, 5])
    levels = [np.array([0, 0, 1, 1, 2, 2]), np.array([0, 0, 1, 1, 0, 0])]
    assert merge_tree(source, target, np.ones(3), levels).tolist()[0] == [0, 2]
    assert merge_tree(source[:0], target[:0], np.ones(0), [np.zeros(6, dtype=int)]).shape == (0, 2)


def leaves(newick):
    return re.findall(r"'(?:[^']|'')*'|[^(),;']+", newick)


def test_trees_have_every_node_once(tmp_path):
    graph = nx.relabel_nodes(nx.karate_club_graph(), {0: "it's, so", 1: "two words"})
    c = gc.detect(graph, "louvain", hierarchy=True)
    newick = c.hierarchy.to_newick()
    assert newick.endswith(";")
    assert newick.count("(") == newick.count(")")
    assert len(leaves(newick)) == 34
    assert "'it''s, so'" in newick
    c.save(tmp_path / "k.tree")
    c.save(tmp_path / "k.nwk")
    assert (tmp_path / "k.nwk").read_text() == newick + "\n"
    loaded = gc.Communities.load(tmp_path / "k.tree")
    assert loaded.score({str(node): label for node, label in c.membership.items()})["ari"] == 1
    lines = (tmp_path / "k.tree").read_text().splitlines()
    assert lines[0].startswith("#")
    assert len({line.split()[0] for line in lines[1:]}) == 34
    assert sum(float(re.search(r" ([0-9.e-]+) \"", line)[1]) for line in lines[1:]) == pytest.approx(1, abs=1e-4)
    pair = Hierarchy(gc.as_graph([("a", "b\nc")]), (np.zeros(2, dtype=int),))
    assert pair.to_newick() == "(a,'b\nc');"
    with pytest.raises(gc.DataError, match="cannot represent"):
        pair.to_tree()


@pytest.mark.parametrize("method", ["leiden", "auto"])
def test_files_keep_the_levels(method, tmp_path):
    graph = gc.generators.nested_sbm(200, 3, 3, p_in=0.9, p_middle=0.3, p_out=0.02, random_state=0)
    c = gc.detect("data:les-miserables" if method == "leiden" else graph, method, hierarchy=True)
    assert len(c.hierarchy) > 1
    names = [f"level_{i}" for i in range(1, len(c.hierarchy) + 1)]
    for suffix, graph in product(("tsv", "csv", "json"), (None, c.graph)):
        c.save(tmp_path / f"r.{suffix}")
        again = gc.Communities.load(tmp_path / f"r.{suffix}", graph)
        assert {frozenset(map(str, group)) for group in again.communities} == {
            frozenset(map(str, group)) for group in c.communities
        }
        assert len(again.hierarchy) == len(c.hierarchy)
        for i in range(1, len(c.hierarchy) + 1):
            truth = {str(node): label for node, label in c.hierarchy.level(i).membership.items()}
            level = again.hierarchy.level(i).membership
            assert gc.metrics.ari([truth[str(node)] for node in level], list(level.values())) == 1
    end = [] if c.confidence is None else ["confidence"]
    assert (tmp_path / "r.tsv").read_text().split("\n")[0].split("\t") == ["node", *names, *end]
    assert c.hierarchy.to_frame().columns.tolist() == ["node", *names]
    c.save(tmp_path / "r.graphml")
    attributes = next(iter(nx.read_graphml(tmp_path / "r.graphml").nodes(data=True)))[1]
    assert set(names) < set(attributes)


def test_the_command_line_writes_levels(cli, tmp_path):  # noqa: F811
    result = cli("detect", "data:les-miserables", "-m", "louvain", "--hierarchy", "-q")
    header, *rows = result.out.splitlines()
    assert header.split("\t")[:2] == ["node", "level_1"]
    assert len(rows) == 77
    table = tmp_path / "les.tsv"
    cli("detect", "data:les-miserables", "-m", "louvain", "--hierarchy", "-q", "--out", table)
    result = cli("evaluate", table, "--truth", table)
    assert (result.code, result.err) == (0, "")
    result = cli("detect", "data:les-miserables", "-m", "louvain", "--hierarchy", "--format", "cmty")
    assert len(result.out.splitlines()) == 6
    assert "wrote one of 2 levels, the communities" in result.err
    out = tmp_path / "les.nwk"
    assert cli("detect", "data:les-miserables", "-m", "leiden", "--hierarchy", "-q", "--out", out).code == 0
    assert len(leaves(out.read_text().strip())) == 77
    result = cli("detect", "data:karate", "-m", "spectral", "--hierarchy", "-k", 2)
    assert result.code == 2
    assert "leiden, louvain, infomap do" in result.err
    assert cli("detect", "data:karate", "-m", "leiden", "--hierarchy", "-k", 3).code == 2
    assert cli("detect", "data:karate", "-m", "leiden", "--hierarchy", "--refine", "sbm").code == 2


def test_edge_cases():
    for method in METHODS:
        for graph in (nx.empty_graph(0), nx.empty_graph(3), nx.path_graph(2)):
            c = gc.detect(graph, method, hierarchy=True)
            assert len(c.hierarchy) == 1
            assert np.array_equal(c.hierarchy.levels[0], c.labels)
    graph = nx.path_graph(3)
    with pytest.raises(gc.DataError, match="in two communities of the next level"):
        Hierarchy(gc.as_graph(graph), (np.array([0, 0, 1]), np.array([0, 1, 1])))
    with pytest.raises(gc.DataError, match="one label per node"):
        Hierarchy(gc.as_graph(graph), ())
    hierarchy = Hierarchy(gc.as_graph(graph), (np.array([0, 0, 1]),))
    for number in (0, 2, -2):
        with pytest.raises(gc.UsageError, match="levels are numbered"):
            hierarchy.level(number)
    for k in (0, 3, True, "2"):
        with pytest.raises(gc.UsageError, match="1 to 2 communities"):
            hierarchy.cut(k)


@pytest.mark.parametrize("max_leaves", [5, 50])
def test_the_dendrogram_has_a_leaf_for_each_community(max_leaves):
    hierarchy = gc.detect("data:les-miserables", "louvain", hierarchy=True).hierarchy
    axes = hierarchy.plot(max_leaves=max_leaves)
    shown = [int(label.get_text()) for label in axes.get_xticklabels()]
    assert len(shown) == min(max_leaves, int(hierarchy.levels[0].max()) + 1)
    assert sum(shown) == 77
    assert Hierarchy(gc.as_graph(nx.path_graph(2)), (np.zeros(2, dtype=int),)).plot().texts
