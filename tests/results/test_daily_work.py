"""Results in Python: summaries, communities inside communities, files of earlier results, and what has changed."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pytest

import graphclust as gc
from graphclust.report.layout import draw
from graphclust.report.page import html_report
from tests.noted import codes


@pytest.fixture(scope="module")
def karate():
    return nx.karate_club_graph()


@pytest.fixture(scope="module")
def found(karate):
    return gc.detect(karate, "leiden", random_state=0)


def test_the_summary_equals_networkx(karate, found):
    summary = found.summary(n_members=3)
    for label, part in enumerate(found.communities):
        inside = karate.subgraph(part)
        row = summary.loc[label]
        assert row["size"] == len(part)
        assert row["density"] == pytest.approx(nx.density(inside))
        assert row["conductance"] == pytest.approx(nx.conductance(karate, part, weight="weight"))
        degrees = dict(inside.degree(weight="weight"))
        assert [degrees[node] for node in row["members"]] == sorted(degrees.values(), reverse=True)[:3]
    page = html_report(found)
    assert "Communities and their strongest members" in page
    assert len(gc.detect([(0, 1)], "leiden").summary()) == 1


def test_densities_of_directed_graphs_and_single_nodes():
    graph = gc.Graph.from_edges([0, 1, 0, 2], [1, 0, 0, 2], nodes=3, directed=True)
    assert gc.metrics.density(graph, [0, 0, 1]).tolist() == [1, 0]


def test_results_are_collections_of_communities(found):
    assert len(found) == found.n_clusters
    assert list(found) == found.communities
    assert found.quality(resolution=2)["modularity"] < found.quality()["modularity"]


def test_communities_inside_a_community(karate, found):
    part = found.within(1)
    assert set(part.nodes) == found.communities[1]
    assert part.method == "leiden"
    assert {frozenset(edge[:2]) for edge in part.graph.edges()} == {
        frozenset(edge) for edge in karate.subgraph(found.communities[1]).edges
    }
    assert found.within(0, "spectral", n_clusters=3).n_clusters == 3
    refined = gc.detect(karate, "leiden", refine="sbm", random_state=0)
    assert refined.within(0).confidence is not None
    for label in (-1, 4, True, "0", 1.0):
        with pytest.raises(gc.UsageError, match="numbered from 0 to 3"):
            found.within(label)


@pytest.mark.parametrize("name", ["c.tsv", "c.csv", "c.json", "c.parquet", "c.graphml", "c.cmty"])
def test_saved_results_are_read_back(name, karate, tmp_path):
    result = gc.detect(karate, refine="planted", method="leiden", random_state=0)
    result.save(tmp_path / name)
    loaded = gc.Communities.load(tmp_path / name, karate)
    assert loaded.labels.tolist() == result.labels.tolist()
    assert loaded.nodes == result.nodes
    if name in ("c.tsv", "c.csv", "c.json"):
        assert loaded.confidence == pytest.approx(result.confidence, abs=1e-6)
    alone = gc.Communities.load(tmp_path / name)
    assert alone.membership == {str(node): label for node, label in result.membership.items()}
    assert len(alone.subgraph(0).nodes) == len(alone.communities[0])
    with pytest.raises(gc.UsageError, match="not made by detect"):
        alone.within(0)


def test_results_that_do_not_fit_the_graph(karate, tmp_path):
    (tmp_path / "c.tsv").write_text("node\tcommunity\n0\t0\n1\t1\n")
    with pytest.raises(gc.DataError, match="32 nodes of the graph, such as 2, have no label"):
        gc.Communities.load(tmp_path / "c.tsv", karate)
    (tmp_path / "c.cmty").write_text("0 1\n1 2\n")
    with pytest.raises(gc.DataError, match="overlap"):
        gc.Communities.load(tmp_path / "c.cmty")


def test_diff_of_results(karate, found):
    same = gc.diff(found, found)
    assert not same.moved
    assert same.matched == {0: 0, 1: 1, 2: 2, 3: 3}
    renamed = gc.diff({n: 7 - label for n, label in found.membership.items()}, found)
    assert not renamed.moved
    assert renamed.scores["ami"] == 1
    other = gc.diff(found, {**{str(n): label for n, label in found.membership.items()}, "new": 0})  # ids as text
    assert list(other.joined) == ["new"]
    with pytest.raises(gc.DataError, match="overlap"):
        gc.diff(found, [{0, 1}, {1, 2}])


def test_attributes_come_back(karate):
    graph = karate.copy()
    nx.set_node_attributes(graph, {0: (1, 2), 3: (3, 4)}, "pos")
    nx.set_edge_attributes(graph, {(0, 1): "old"}, "kind")
    made = gc.detect(graph, "leiden").to_networkx()
    assert made.nodes[3]["pos"] == (3, 4)
    assert "pos" not in made.nodes[1]
    assert made.nodes[5]["club"] == graph.nodes[5]["club"]
    assert made.edges[0, 1]["kind"] == "old"
    assert all(made.edges[edge]["weight"] == graph.edges[edge]["weight"] for edge in graph.edges)
    made = gc.detect(graph, "leiden", weight=None).to_networkx()  # weights that were ignored are an attribute
    assert made.edges[0, 1]["weight"] == graph.edges[0, 1]["weight"]
    igraph = pytest.importorskip("igraph")
    made = gc.as_graph(igraph.Graph.from_networkx(graph)).to_networkx()
    assert {data["club"] for _, data in made.nodes(data=True)} == {"Mr. Hi", "Officer"}


@pytest.mark.parametrize("suffix", ["graphml", "gexf"])
def test_attributes_are_in_files_of_results_if_they_are_plain(suffix, karate, tmp_path):
    graph = karate.copy()
    nx.set_node_attributes(graph, {node: [node] for node in graph}, "lists")
    gc.detect(graph, "leiden").save(tmp_path / f"c.{suffix}")
    written = {"graphml": nx.read_graphml, "gexf": nx.read_gexf}[suffix](tmp_path / f"c.{suffix}")
    assert written.nodes["0"]["club"] == "Mr. Hi"
    assert "lists" not in written.nodes["0"]


def test_large_directed_graphs_are_drawn(rng):
    ends = rng.integers(0, 2500, size=(2, 9000))
    both = np.concatenate((ends, ends[::-1], [[7], [7]]), axis=1)  # there and back, and a self-loop
    graph = gc.Graph.from_edges(*both, nodes=2500, directed=True)
    labels = np.arange(2500) % 4
    drawing = draw(graph, labels, limit=600)
    assert len(np.unique(drawing.nodes)) == len(drawing.nodes) == 600


def test_given_positions_are_kept_and_checked(karate, found):
    from matplotlib.figure import Figure

    places = {node: (node, -node) for node in karate}
    ax = found.plot(Figure().subplots(), positions=places, legend=True, title="a $ sign")
    offsets = ax.collections[1].get_offsets()
    assert sorted(map(tuple, offsets.tolist())) == sorted(map(tuple, np.array(list(places.values()), float).tolist()))
    assert len(ax.get_legend().get_texts()) == 4
    for wrong in ({0: (0, 0)}, np.zeros((3, 2)), np.full((34, 2), np.nan), [["a", "b"]] * 34):
        with pytest.raises(gc.DataError, match="position"):
            found.plot(Figure().subplots(), positions=wrong)


def test_compare_in_python(karate, found):
    table = gc.compare(karate, ["leiden", "infomap", "spectral"], repeats=2, truth=found)
    assert table.index.tolist() == ["leiden", "infomap", "spectral"]
    assert table.loc["leiden", "ami"] > 0.8
    assert "needs the number" in table.loc["spectral", "error"]
    assert (table.loc[["leiden", "infomap"], "stability"] > 0.8).all()
    with pytest.raises(gc.UsageError, match="positive integer"):
        gc.compare(karate, ["leiden"], repeats=0)
    with pytest.raises(gc.UsageError, match="none of leiden has a parameter 'reso'"):
        gc.compare(karate, ["leiden"], reso=2)


def test_one_community_is_explained():
    result = gc.detect(nx.gnp_random_graph(100, 0.08, seed=1), random_state=0)
    assert result.n_clusters == 1
    assert "no-structure" in codes(result.notes)
    assert "no-structure" not in codes(gc.detect(nx.gnp_random_graph(100, 0.08, seed=1), n_clusters=2).notes)


def test_devices_of_torch_are_names_of_devices(karate):
    torch = pytest.importorskip("torch")
    assert gc.detect(karate, "cnc", n_clusters=2, device=torch.device("cpu"), max_epochs=1).n_clusters == 2
    with pytest.raises(gc.UsageError, match="'mps'"):
        gc.detect(karate, "cnc", n_clusters=2, device="mps")
