"""Families of the user's own: functions that draw graphs, folders of labelled graphs."""

from __future__ import annotations

import json
import sys

import networkx as nx
import numpy as np
import pytest

import graphclust as gc
from graphclust.errors import GraphclustError, UsageError
from graphclust.generators import FAMILIES, Family, graph_folder, stream
from graphclust.generators.batches import near_in_size
from graphclust.generators.own import GivenGraphs, identity_of
from tests.cli.conftest import cli  # noqa: F401  a fixture

SCRIPT = '''
import networkx as nx

def rings(n: int = 12, n_rings=2, *, seed=None):
    """Draw rings of nodes.

    Parameters
    ----------
    n : int
        Nodes of a ring.
    """
    return nx.disjoint_union_all([nx.cycle_graph(n)] * n_rings), [i // n for i in range(n * n_rings)]
'''


def rings(n=12, *, random_state=None):
    return nx.disjoint_union_all([nx.cycle_graph(n)] * 2), np.arange(2 * n) // n


@pytest.fixture
def script(tmp_path, monkeypatch):
    (tmp_path / "my_graphs.py").write_text(SCRIPT)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield tmp_path
    for name in [name for name in sys.modules if name.startswith("my_graphs")]:
        del sys.modules[name]


@pytest.fixture
def folder(tmp_path, cli):  # noqa: F811
    """Ten graphs as `graphclust generate --count` writes them."""
    result = cli("generate", "general-sbm", "--nodes", "20:40", "--count", 10, "--out", tmp_path / "graphs")
    assert result.code == 0, result.err
    return tmp_path / "graphs"


# ---------------------------------------------------------------- functions


@pytest.mark.parametrize(
    ("function", "parameters"),
    [
        (rings, {"n": 9}),
        (nx.planted_partition_graph, {"l": 2, "k": 9, "p_in": 0.5, "p_out": 0.1}),
        (lambda rng: (nx.path_graph(18), rng.permutation(np.arange(18) % 2)), {}),
        (lambda seed: gc.generators.planted_partition(18, 2, p_in=0.5, p_out=0.1, random_state=seed), {}),
        (lambda seed: (nx.path_graph(18), {node: node % 2 for node in range(18)}), {}),
    ],
)
def test_functions_as_families(function, parameters):
    batch = next(stream(function, batch_size=3, random_state=1, **parameters))
    assert batch.n_nodes.tolist() == [18, 18, 18]
    assert batch.labels.max() == 1
    again = next(stream(function, batch_size=3, random_state=1, **parameters))
    np.testing.assert_array_equal(batch.labels, again.labels)


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (5, "a family is a name, a Family or a function, not 5"),
        (lambda n: 3, "has no parameter random_state or seed"),
        (lambda seed: nx.karate_club_graph(), "a graph without labels"),
        (lambda seed: (nx.path_graph(4), [0, 1, 0]), "3 labels for 4 nodes"),
        (lambda seed: (nx.path_graph(3), [{0, 1}, {1, 2}]), "the communities overlap"),
        (lambda seed: (nx.path_graph(3), {0: 1, 1: 1}), "1 node without a label, such as 2"),
        (lambda seed: 1 / 0, "failed: ZeroDivisionError"),
        ("nosuch:f", "there is no module nosuch"),
        ("graphs:nosuch", "nosuch: cannot be read"),
    ],
)
def test_messages(function, message):
    with pytest.raises(GraphclustError, match=message):
        next(stream(function, batch_size=1))


def test_a_family_object_is_taken_as_it_is():
    family = Family(lambda *, random_state: gc.generators.general_sbm(n_nodes=30, random_state=random_state))
    assert FAMILIES.named(family) is family
    assert next(stream(family, batch_size=2)).n_nodes.tolist() == [30, 30]


def test_identities_tell_code_apart():
    assert identity_of("sbm", FAMILIES["sbm"].sample) == "sbm"
    first, second = (FAMILIES.named(function) for function in (rings, lambda seed: rings(random_state=seed)))
    assert identity_of(rings, first.sample) != identity_of(rings, second.sample)


def test_the_command_line_takes_modules_and_files(script, cli):  # noqa: F811
    result = cli("generate", "my_graphs:rings", "--n", 5, "--rings", 3, "--labels", "labels.tsv")
    assert (result.code, result.err.strip()) == (0, "graphclust: 15 nodes, 15 edges, 3 communities")
    assert "Nodes of a ring. Default: 12." in cli("generate", "my_graphs.py:rings", "--help").out
    wrong = cli("generate", "my_graphs:nosuch")
    assert (wrong.code, "my_graphs has no nosuch" in wrong.err) == (2, True)


def test_a_parameter_may_not_be_called_as_an_option(script, cli):  # noqa: F811
    (script / "my_graphs2.py").write_text(SCRIPT.replace("n_rings", "labels"))
    result = cli("generate", "my_graphs2.py:rings")
    assert (result.code, "a parameter labels, which is an option of generate" in result.err) == (2, True)


# ---------------------------------------------------------------- folders


def test_a_folder_of_graphs_is_split(folder):
    family = graph_folder(str(folder))
    graphs = GivenGraphs.of_folder(str(folder))
    assert [len(graphs.part(split)) for split in ("train", "test", "all")] == [8, 2, 10]
    assert not set(graphs.part("train")) & set(graphs.part("test"))
    assert family.number() == 8
    assert family.number(**family.held_out) == 2
    drawn = family.sample(split="test", random_state=3)
    assert len(drawn.y) == drawn.num_nodes
    with pytest.raises(UsageError, match="unknown split"):
        family.sample(split="none")
    assert next(stream(f"graphs:{folder}", batch_size=3, same_size=True)).n_nodes.tolist()


def test_batches_of_nearly_one_size(rng):
    order = rng.permutation(200)
    place = np.argsort(order)
    for _ in range(20):
        drawn = near_in_size(rng, order, 4)
        assert np.ptp(place[drawn]) < 16  # of 200: four batches


def test_the_graph_that_a_function_returns_is_not_modified():
    graph = gc.as_graph(nx.path_graph(4))
    drawn = FAMILIES.named(lambda seed: (graph, [0, 0, 1, 1])).sample(random_state=0)
    assert drawn.y.tolist() == [0, 0, 1, 1]
    assert graph.y is None
    assert "generator" not in graph.meta


def test_the_split_does_not_depend_on_other_files_or_their_order(folder):
    graphs = GivenGraphs.of_folder(str(folder))
    (folder / ".hidden").write_text("x")
    assert GivenGraphs.of_folder(str(folder)).is_test.tolist() == graphs.is_test.tolist()


def test_names_and_attributes_that_people_use(tmp_path):
    graph = nx.Graph([("a", "b"), ("b", "c"), ("a", "c"), ("c", "d"), ("d", "e"), ("e", "f"), ("d", "f")])
    nx.set_node_attributes(graph, {node: "left" if node < "d" else "right" for node in graph}, "community")
    nx.write_graphml(graph, tmp_path / "attributes.graphml")
    for name, labels in (("net1.tsv", "net1.labels.csv"), ("net2.edgelist", "net2_truth.txt")):
        (tmp_path / name).write_text("".join(f"{u}\t{v}\n" for u, v in graph.edges))
        rows = "".join(f"{node},{side}\n" for node, side in graph.nodes(data="community"))
        (tmp_path / labels).write_text(rows)
    graphs = GivenGraphs.of_folder(str(tmp_path))
    assert graphs.names == ["attributes", "net1", "net2"]
    assert all(np.bincount(graph.y).tolist() == [3, 3] for graph in graphs)


def test_other_files_in_a_folder_are_skipped(folder, caplog):
    caplog.set_level("INFO", "graphclust")
    (folder / "README.md").write_text("ten graphs")
    assert len(GivenGraphs.of_folder(str(folder))) == 10
    assert "skipped 1 file without labels, such as README.md" in caplog.text


def test_graphs_whose_names_speak_of_labels(tmp_path):
    for i in (1, 2):
        (tmp_path / f"labels_study_{i}.edgelist").write_text("a b\nb c\n")
        (tmp_path / f"labels_study_{i}.labels.tsv").write_text("a 0\nb 0\nc 1\n")
    assert GivenGraphs.of_folder(str(tmp_path)).names == ["labels_study_1", "labels_study_2"]


def test_a_graph_without_labels_is_refused(tmp_path):
    for name in ("a", "b"):
        (tmp_path / f"{name}.tsv").write_text("1\t2\n2\t3\n")
    with pytest.raises(gc.DataError, match=r"a\.tsv: no labels: expected them in a\.labels\.tsv beside it"):
        graph_folder(str(tmp_path)).sample(split="all", number=0)
    (tmp_path / "b.tsv").unlink()
    with pytest.raises(gc.DataError, match="needs at least two, but has 1"):
        GivenGraphs.of_folder(str(tmp_path))


@pytest.mark.parametrize("source", ["folder", "function"])
def test_training_on_graphs_of_ones_own(source, folder, script, cli):  # noqa: F811
    chosen = ["--graphs", folder] if source == "folder" else ["--family", "my_graphs:rings", "--set", "n=8"]
    brief = ["--steps", 1, "--dim", 8, "--layers", 1, "--n-z", 1, "--batch-size", 2, "--eval-graphs", 3]
    result = cli("train", "acp", *chosen, *brief, "--out", script / "model.safetensors")
    assert result.code == 0, result.err
    assert "held-out AMI" in result.err
    named = json.loads(cli("models", script / "model.safetensors", "--format", "json").out)
    assert str(folder if source == "folder" else "my_graphs:rings") in json.dumps(named)
    both = cli("train", "acp", "--graphs", folder, "--family", "sbm", "--out", "m.safetensors")
    assert (both.code, "exclude each other" in both.err) == (2, True)
