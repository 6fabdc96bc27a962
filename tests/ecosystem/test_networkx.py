"""The backend of networkx: networkx's own tests, and what they do not ask."""

import json
import os
import random
import re
import subprocess
import sys
from pathlib import Path

import networkx as nx
import numpy as np
import pytest

import graphclust as gc
from graphclust.ecosystem import networkx_backend
from graphclust.ecosystem.networkx_info import FUNCTIONS, get_info

community = nx.community


@pytest.fixture(autouse=True)
def without_cache(monkeypatch):
    monkeypatch.setattr(nx.config, "cache_converted_graphs", False)


def two_cliques():
    return nx.barbell_graph(6, 0)


def random_graph(seed, kind):
    rng = random.Random(seed)
    n = rng.randrange(3, 50)
    graph = kind()
    graph.add_nodes_from(rng.sample(range(n), n))
    for _ in range(rng.randrange(1, 4 * n)):
        graph.add_edge(rng.randrange(n), rng.randrange(n), weight=rng.choice([1, 1, 2, 3]))
    return graph


def test_networkx_own_tests_pass(tmp_path):
    env = os.environ | {
        "NETWORKX_TEST_BACKEND": "graphclust",
        "NETWORKX_FALLBACK_TO_NX": "True",
        "PYTHONPATH": str(Path(__file__).parent),
    }
    command = [sys.executable, "-m", "pytest", "-q", "-rx", "-p", "no:cacheprovider", "-p", "dispatched"]
    command += ["--pyargs", "networkx.algorithms.community"]
    done = subprocess.run(command, env=env, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:]
    assert re.search(r"\d\d+ passed, 3 xfailed", done.stdout), done.stdout[-500:]
    ran = dict(re.findall(r"graphclust ran (\w+) (\d+) times", done.stdout))
    assert set(ran) == set(FUNCTIONS)
    assert sum(map(int, ran.values())) > 80


def test_the_description_imports_nothing_heavy():
    code = (
        "import sys, json; from graphclust.ecosystem.networkx_info import get_info; get_info();"
        "print(json.dumps([name for name in ('numpy', 'networkx', 'numba', 'torch') if name in sys.modules]))"
    )
    assert json.loads(subprocess.check_output([sys.executable, "-c", code])) == []
    assert all(hasattr(networkx_backend, name) for name in get_info()["functions"])


@pytest.mark.parametrize("kind", [nx.Graph, nx.DiGraph, nx.MultiGraph, nx.MultiDiGraph])
def test_greedy_merging_is_that_of_networkx(kind):
    for seed in range(12):
        graph = random_graph(seed, kind)
        for options in ({}, {"weight": "weight"}, {"best_n": 2}, {"cutoff": 3}, {"resolution": 1.5}):
            own = community.greedy_modularity_communities(graph, **options)
            assert community.greedy_modularity_communities(graph, backend="graphclust", **options) == own
    strings = nx.relabel_nodes(random_graph(5, kind), lambda node: f"n{node}")
    own = community.greedy_modularity_communities(strings)
    assert community.greedy_modularity_communities(strings, backend="graphclust") == own


@pytest.mark.parametrize("kind", [nx.Graph, nx.DiGraph, nx.MultiGraph, nx.MultiDiGraph])
def test_quality_is_that_of_networkx(kind):
    for seed in range(8):
        graph = random_graph(seed, kind)
        nodes = list(graph)
        parts = [set(nodes[::2]), set(nodes[1::2])]
        for options in ({}, {"weight": None}, {"weight": "none", "resolution": 0.5}):
            own = community.modularity(graph, parts, **options)
            assert community.modularity(graph, parts, backend="graphclust", **options) == pytest.approx(own, abs=1e-12)
        own = community.partition_quality(graph, parts)
        assert community.partition_quality(graph, parts, backend="graphclust") == pytest.approx(own, abs=1e-12)


@pytest.mark.parametrize("name", ["leiden_communities", "louvain_communities", "asyn_lpa_communities"])
def test_seeds_weights_and_any_ids(name):
    detect = getattr(community, name)
    graph = nx.relabel_nodes(two_cliques(), {0: "a", 1: ("b", 1), 2: 2.5})
    first, second = ([set(part) for part in detect(graph, seed=3, backend="graphclust")] for _ in range(2))
    assert first == second
    assert sorted(map(len, first)) == [6, 6]
    for u, v in graph.edges:
        graph[u][v]["strength"] = 100 if {u, v} == {5, 6} else 1e-3
    parts = list(detect(graph, weight="strength", seed=3, backend="graphclust"))
    assert any({5, 6} <= part for part in parts)


def test_views_of_graphs():
    graph = nx.les_miserables_graph()
    for view in (graph.subgraph(list(graph)[::-3]), nx.subgraph_view(graph, filter_node=lambda node: node < "M")):
        made = networkx_backend.convert_from_nx(view, edge_attrs={"weight": 1})
        assert list(made) == list(view)
        own = {frozenset((u, v)): weight for u, v, weight in view.edges(data="weight")}
        assert {frozenset((u, v)): weight for u, v, weight in made.graph.edges()} == own


def test_leiden_is_that_of_detect():
    graph = nx.les_miserables_graph()
    parts = community.leiden_communities(graph, seed=1, backend="graphclust")
    best = gc.detect(graph, "leiden").quality()["modularity"]
    assert community.modularity(graph, parts) > best - 0.01
    levels = list(community.leiden_partitions(graph, seed=1, backend="graphclust"))
    assert levels[-1] == parts
    assert len(levels[0]) > len(parts)
    assert len(community.leiden_communities(graph, resolution=4, seed=1, backend="graphclust")) > len(parts)


def test_a_threshold_ends_louvain_early():
    graph = nx.les_miserables_graph()
    levels = list(community.louvain_partitions(graph, seed=1, backend="graphclust"))
    assert len(levels) > 1
    assert community.louvain_communities(graph, threshold=10, seed=1, backend="graphclust") == levels[0]
    assert community.louvain_communities(graph, max_level=1, seed=1, backend="graphclust") == levels[0]


def test_what_networkx_does_in_another_way_is_left_to_it():
    directed = nx.DiGraph(two_cliques())
    for name in ("louvain_communities", "asyn_lpa_communities"):
        with pytest.raises(NotImplementedError, match="for the given arguments"):
            getattr(community, name)(directed, backend="graphclust")
        assert "does not use the directions" in networkx_backend.can_run(name, (directed,), {})
    negative = nx.Graph()
    negative.add_edge(0, 1, weight=-1)
    with pytest.raises(NotImplementedError, match="raised NotImplementedError"):
        community.leiden_communities(negative, backend="graphclust")
    with pytest.raises(NotImplementedError, match=r"graphclust: .*negative"):
        networkx_backend.convert_from_nx(negative, edge_attrs={"weight": 1})
    assert "networkx is as fast" in networkx_backend.should_run("louvain_communities", (two_cliques(),), {})
    assert networkx_backend.should_run("louvain_communities", (nx.complete_graph(40),), {}) is True


def test_errors_are_those_of_networkx():
    graph = two_cliques()
    with pytest.raises(community.quality.NotAPartition):
        community.modularity(graph, [{0, 1}], backend="graphclust")
    with pytest.raises(nx.NetworkXError):
        community.partition_quality(graph, [{0, 1}, {1, 2}], backend="graphclust")
    with pytest.raises(ZeroDivisionError):
        community.modularity(nx.empty_graph(3), [{0, 1, 2}], backend="graphclust")
    nothing = nx.Graph()
    nothing.add_edge(0, 1, weight=0)
    for backend in ("networkx", "graphclust"):
        with pytest.raises(ZeroDivisionError):
            community.modularity(nothing, [{0, 1}], backend=backend)
    with pytest.raises(ValueError, match="cutoff"):
        community.greedy_modularity_communities(graph, cutoff=0, backend="graphclust")
    with pytest.raises(ValueError, match="best_n"):
        community.greedy_modularity_communities(graph, cutoff=3, best_n=2, backend="graphclust")


def test_graphs_convert_back():
    graph = nx.les_miserables_graph()
    back = networkx_backend.convert_to_nx(networkx_backend.convert_from_nx(graph, edge_attrs={"weight": 1}))
    assert nx.utils.graphs_equal(back, nx.Graph(back))
    assert set(map(frozenset, back.edges)) == set(map(frozenset, graph.edges))
    assert np.isclose(back.size("weight"), graph.size("weight"))
