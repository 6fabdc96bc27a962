"""Methods of the user's own, wherever the name of a method is taken: functions, estimators, registered ones."""

from __future__ import annotations

import functools
import random
import sys

import networkx as nx
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.cluster import SpectralClustering

import graphclust as gc
from graphclust.errors import GraphclustError, UsageError
from graphclust.methods.auto import Auto
from graphclust.methods.leiden import Leiden
from graphclust.methods.own import INPUTS, own_method
from graphclust.runtime.registry import code_digest, load_object
from tests.cli.conftest import cli  # noqa: F401  a fixture
from tests.noted import codes

KARATE = nx.karate_club_graph()
SCRIPT = """
import numpy as np

def split(graph, parts=2, n_clusters=None):
    return np.arange(graph.num_nodes) % (n_clusters or parts)

def fails(graph):
    raise ValueError("no luck")

def talks(graph):
    print("hello")
    return [0] * graph.num_nodes
"""


def parity(graph):
    """Put even and odd positions into one group each."""
    return np.arange(graph.num_nodes) % 2


def fixed(n_clusters, labels):
    """An object with `fit` and `labels_` only, as some libraries have them."""

    class Fixed:
        def fit(self, matrix):
            assert matrix.shape == (34, 34)
            self.labels_ = labels
            return self

    return Fixed()


@pytest.fixture
def script(tmp_path, monkeypatch):
    """A file with methods, in the current folder."""
    (tmp_path / "my_methods.py").write_text(SCRIPT)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield tmp_path
    for name in [name for name in sys.modules if name.startswith("my_methods")]:
        del sys.modules[name]


# ---------------------------------------------------------------- what is accepted


@pytest.mark.parametrize(
    "method",
    [
        pytest.param(parity, id="function"),
        pytest.param(functools.partial(parity), id="partial"),
        pytest.param(lambda G: {node: node % 2 for node in G}, id="labels by node"),
        pytest.param(lambda G: [{n for n in G if n % 2 == i} for i in (0, 1)], id="list of sets"),
        pytest.param(lambda G: ({n for n in G if n % 2 == i} for i in (0, 1)), id="generator of sets"),
        pytest.param(lambda adjacency: np.arange(adjacency.shape[0]) % 2, id="matrix"),
        pytest.param(lambda ig_graph: [v.index % 2 for v in ig_graph.vs], id="igraph"),
        pytest.param(lambda data: np.arange(data.num_nodes) % 2, id="PyG"),
        pytest.param(fixed(2, np.arange(34) % 2), id="fit and labels_"),
    ],
)
def test_functions_receive_what_they_ask_for_and_return_labels_in_any_form(method):
    labels = gc.detect(KARATE, method).membership
    assert {labels[node] for node in KARATE if node % 2} != {labels[node] for node in KARATE if node % 2 == 0}
    assert len(set(labels.values())) == 2


def test_results_of_other_libraries():
    assert gc.detect(KARATE, nx.community.louvain_communities).n_clusters == 4
    assert gc.detect(KARATE, nx.community.label_propagation_communities).n_clusters == 3
    spectral = SpectralClustering(3, affinity="precomputed")
    assert gc.detect(KARATE, spectral).n_clusters == 3
    assert gc.detect(KARATE, spectral, n_clusters=5).n_clusters == 5
    assert not hasattr(spectral, "labels_")  # a copy was fitted
    igraph = own_method(lambda graph: graph.community_multilevel(), takes="igraph", name="multilevel")
    assert gc.detect(KARATE, igraph).method == "multilevel"


def test_estimators_of_the_package_keep_their_parameters():
    preset = gc.detect(KARATE, Leiden(resolution=3.0))
    assert preset.params["resolution"] == 3.0
    assert (preset.labels == gc.detect(KARATE, "leiden", resolution=3.0).labels).all()
    assert gc.detect(KARATE, Leiden(resolution=3.0), resolution=0.1).n_clusters == 1
    assert gc.detect(KARATE, Leiden).n_clusters == gc.detect(KARATE, "leiden").n_clusters
    refined = gc.detect(KARATE, Auto(effort="low", random_state=5))
    assert refined.confidence is not None


def test_the_contract_of_estimators_holds():
    estimator = own_method(parity)()
    assert clone(estimator).get_params() == estimator.get_params() == {"random_state": None}
    assert set(estimator.fit_predict(KARATE)) == {0, 1}
    with pytest.raises(UsageError, match="parity has no parameter 'nonsense'; it has random_state"):
        gc.detect(KARATE, parity, nonsense=1)
    with pytest.raises(UsageError, match="parity determines the number of communities itself"):
        gc.detect(KARATE, parity, n_clusters=3)


def test_numbers_and_seeds_are_passed_under_the_functions_own_names():
    received = {}

    def method(G, k, seed=None, resolution=1.0):
        received.update(k=k, seed=seed, resolution=resolution)
        return {node: min(i, k - 1) for i, node in enumerate(G)}

    assert gc.detect(KARATE, method, n_clusters=5, random_state=7, resolution=2.0).n_clusters == 5
    assert received == {"k": 5, "seed": 7, "resolution": 2.0}
    with pytest.raises(UsageError, match="method needs the number of communities"):
        gc.detect(KARATE, method)


def test_code_that_draws_from_global_generators_gives_the_same_result_again():
    def method(graph):
        return [random.random() < 0.5 + 0 * np.random.rand() for _ in range(graph.num_nodes)]  # noqa: NPY002

    first, again, other = (gc.detect(KARATE, method, random_state=seed).labels for seed in (3, 3, 4))
    assert (first == again).all()
    assert (first != other).any()


def test_the_graph_has_the_callers_ids_and_the_result_does_not_depend_on_their_order():
    def by_name(G):
        return {node: node < "n" for node in G}

    names = nx.relabel_nodes(KARATE, {node: chr(97 + node % 26) * (1 + node // 26) for node in KARATE})
    shuffled = nx.Graph()
    shuffled.add_nodes_from(reversed(list(names)))
    shuffled.add_edges_from(names.edges)
    assert gc.detect(names, by_name).membership == gc.detect(shuffled, by_name).membership


def test_nodes_without_a_label_are_communities_of_their_own():
    communities = gc.detect(KARATE, lambda G: [{0, 1, 2}, {3, 4}])
    assert communities.n_clusters == 2 + 29
    assert "no-label" in codes(communities.notes)
    assert gc.detect(KARATE, lambda graph: np.where(np.arange(34) < 30, 0, -1)).n_clusters == 5  # noise, as of DBSCAN


# ---------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    ("method", "message"),
    [
        (3, "a method is a name, a function or an estimator, not 3"),
        (SpectralClustering, r"SpectralClustering is a class: pass an estimator, such as SpectralClustering\(\)"),
        (lambda: 1, "has no parameter for the graph"),
        (lambda graph: 3, "did not return communities"),
        (lambda graph: [0, 1], "2 labels for 34 nodes"),
        (lambda graph: {"x": 0}, "no node of the graph has a label"),
        (lambda graph: [{0, 1}, {1, 2}], "overlapping communities"),
        (lambda graph: 1 / 0, "failed: ZeroDivisionError"),
        ("nosuch:f", "cannot load the method nosuch:f: there is no module nosuch"),
        ("nosuch.py:f", "there is no file nosuch.py"),
        ("math:nosuch", "math has no nosuch"),
        (":f", "module:name or file.py:name"),
        ("leidne", "did you mean leiden"),
    ],
)
def test_messages(method, message):
    with pytest.raises(GraphclustError, match=message):
        gc.detect(KARATE, method)
    with pytest.raises(UsageError, match="takes is one of"):
        own_method(parity, takes="graphs")


def test_parameters_without_a_default_are_required():
    def method(graph, parts, *, shift):
        return (np.arange(graph.num_nodes) + shift) % parts

    with pytest.raises(UsageError, match=r"method needs (parts and shift|shift and parts) \(--param"):
        gc.detect(KARATE, method)
    assert gc.detect(KARATE, method, parts=3, shift=1).n_clusters == 3


def test_an_estimator_may_have_fit_predict_only():
    class Halves:
        def fit_predict(self, matrix):
            return np.arange(matrix.shape[0]) % 2

    assert gc.detect(KARATE, Halves()).n_clusters == 2


def test_a_function_that_exits_fails():
    with pytest.raises(GraphclustError, match="failed: SystemExit: 3"):
        gc.detect(KARATE, lambda graph: sys.exit(3))


def test_attributes_of_packages_that_are_no_modules():
    assert load_object("networkx.community:louvain_communities") is nx.community.louvain_communities


def test_errors_of_functions_keep_their_cause():
    with pytest.raises(GraphclustError) as caught:
        gc.detect(KARATE, lambda graph: 1 / 0)
    assert isinstance(caught.value.__cause__, ZeroDivisionError)


def test_documented_inputs_are_distinct():
    names = [name for names in INPUTS.values() for name in names]
    assert len(names) == len(set(names))


# ---------------------------------------------------------------- wherever a name is taken


def test_registered_methods():
    gc.METHODS["parity"] = parity
    try:
        assert gc.detect(KARATE, "parity").method == "parity"
        assert "parity" in gc.METHODS.added()
    finally:
        del gc.METHODS["parity"]
    assert not gc.METHODS.added()


def test_compare_and_within():
    methods = ["leiden", parity, Leiden(resolution=2.0), Leiden(resolution=3.0), lambda graph: 1 / 0]
    table = gc.compare(KARATE, methods, repeats=2)
    assert table.index.tolist() == ["leiden", "parity", "leiden 2", "leiden 3", "<lambda>"]
    assert table["error"].isna().tolist() == [True] * 4 + [False]
    labelled = gc.compare(KARATE, {"coarse": Leiden(resolution=0.3), "fine": Leiden(resolution=3.0)})
    assert labelled.loc["coarse", "n_clusters"] < labelled.loc["fine", "n_clusters"]
    assert gc.detect(KARATE, parity).within(0).method == "parity"


def test_the_command_line_takes_modules_and_files(script, cli):  # noqa: F811
    table = cli("detect", "data:karate", "--method", "my_methods:split", "--param", "parts=4").table
    assert set(table.values()) == {0, 1, 2, 3}
    assert set(cli("detect", "data:karate", "--method", "my_methods.py:split", "-k", 3).table.values()) == {0, 1, 2}
    failed = cli("detect", "data:karate", "--method", "my_methods.py:fails")
    assert (failed.code, failed.err.strip()) == (1, "graphclust: my_methods.py:fails failed: ValueError: no luck")
    compared = cli(
        "compare", "data:karate", "--methods", "leiden,my_methods:split,my_methods:fails", "--format", "json"
    )
    assert compared.code == 0
    assert '"error": "my_methods:fails failed' in compared.out
    assert "parts = 2" in cli("methods", "my_methods:split").out
    talks = cli("detect", "data:karate", "--method", "my_methods:talks")
    assert ("hello" in talks.err, len(talks.table)) == (True, 34)
    wrong = cli("detect", "data:karate", "--method", "my_methods:split", "--param", "size=4")
    assert (wrong.code, "my_methods:split has no parameter 'size'" in wrong.err) == (2, True)


def test_a_digest_follows_the_code(script):
    first = code_digest(load_object("my_methods.py:split"))
    del sys.modules[next(name for name in sys.modules if name.startswith("my_methods"))]
    (script / "my_methods.py").write_text(SCRIPT.replace("parts=2", "parts=3"))
    assert code_digest(load_object("my_methods.py:split")) != first
