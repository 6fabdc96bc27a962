"""Results as objects of other libraries, and the way back."""

import sys
import types

import igraph as ig
import networkx as nx
import numpy as np
import pytest
import torch
from torch_geometric.data import Data

import graphclust as gc
from graphclust.ecosystem.pyg import AddCommunities
from graphclust.errors import DataError, UsageError

GRAPH = nx.relabel_nodes(nx.les_miserables_graph(), {"Valjean": 24601})


@pytest.fixture(scope="module")
def flat():
    return gc.detect(GRAPH, "leiden")


@pytest.fixture(scope="module")
def overlapping():
    return gc.detect(GRAPH, "leiden", overlapping=True)


def sets(result):
    return {frozenset(part) for part in result}


def test_igraph_and_back(flat):
    clustering = flat.to_igraph()
    assert isinstance(clustering, ig.VertexClustering)
    assert clustering.membership == flat.labels.tolist()
    assert clustering.graph.modularity(clustering, weights="weight") == pytest.approx(flat.quality()["modularity"])
    back = gc.Communities.from_igraph(clustering)
    assert back.membership == flat.membership
    assert back.quality()["modularity"] == pytest.approx(flat.quality()["modularity"])


def test_covers_of_igraph_and_back(overlapping):
    cover = overlapping.to_igraph()
    assert isinstance(cover, ig.VertexCover)
    names = cover.graph.vs["name"]
    assert sets([names[i] for i in part] for part in cover) == sets(overlapping.cover.communities)
    back = gc.Communities.from_igraph(cover)
    assert sets(back.cover.communities) == sets(overlapping.cover.communities)
    node = next(node for node, weights in back.cover.memberships.items() if len(weights) == 2)
    assert set(back.cover.memberships[node].values()) == {0.5}
    assert isinstance(overlapping.to_igraph("clustering"), ig.VertexClustering)


def test_dendrograms_of_igraph():
    result = gc.detect(GRAPH, "louvain", hierarchy=True)
    dendrogram = result.to_igraph("dendrogram")
    assert sets(dendrogram.as_clustering()) == sets(result.to_igraph("clustering"))
    finest = result.hierarchy.level(1)
    assert sets(dendrogram.as_clustering(finest.n_clusters)) == sets(finest.to_igraph("clustering"))
    assert len(dendrogram.as_clustering(1)) == 1
    assert gc.Communities.from_igraph(dendrogram).n_clusters == result.n_clusters
    with pytest.raises(UsageError, match="needs a hierarchy"):
        gc.detect(GRAPH, "leiden").to_igraph("dendrogram")
    with pytest.raises(UsageError, match="kind is one of clustering, cover, dendrogram, not 'tree'"):
        result.to_igraph("tree")


def test_networkx_and_back(flat):
    assert gc.Communities.from_networkx(flat.to_networkx()).labels.tolist() == flat.labels.tolist()
    parts = nx.community.louvain_communities(GRAPH, seed=0)
    back = gc.Communities.from_networkx(GRAPH, parts, "louvain")
    assert sets(back.communities) == sets(parts)
    assert back.quality()["modularity"] == pytest.approx(nx.community.modularity(GRAPH, parts))
    cliques = list(nx.community.k_clique_communities(GRAPH, 4))
    cover = gc.Communities.from_networkx(GRAPH, cliques).cover
    assert sets(cliques) <= sets(cover.communities)
    assert all(len(part) == 1 for part in sets(cover.communities) - sets(cliques))


def test_pyg_and_back(flat):
    data = gc.detect(GRAPH).to_data()
    assert data.community.dtype == torch.int64
    assert data.confidence.shape == (len(GRAPH),)
    data = flat.to_data()
    assert gc.Communities.from_data(data).labels.tolist() == flat.labels.tolist()


def test_a_transform_of_pyg(flat):
    data = flat.graph.to_data()
    data.x = torch.ones(len(GRAPH), 3)
    done = AddCommunities("leiden", as_features=True, random_state=0)(data.clone())
    assert gc.metrics.ami(done.community.numpy(), flat.labels) > 0.99
    assert done.x.shape == (len(GRAPH), 3 + flat.n_clusters)
    assert done.x[:, 3:].argmax(dim=1).tolist() == done.community.tolist()
    assert "community" not in data
    fixed = AddCommunities("leiden", attribute="part", n_clusters=4)(data.clone())
    assert len(fixed.part.unique()) == 4


def test_cdlib_and_back(flat, overlapping, monkeypatch):
    class NodeClustering:
        def __init__(self, communities, graph, method_name, method_parameters, overlap):
            self.communities, self.graph, self.overlap = communities, graph, overlap
            self.method_name, self.method_parameters = method_name, method_parameters

    monkeypatch.setitem(sys.modules, "cdlib", types.SimpleNamespace(NodeClustering=NodeClustering))
    clustering = flat.to_cdlib()
    assert clustering.method_name == "leiden"
    assert not clustering.overlap
    assert gc.Communities.from_cdlib(clustering).membership == flat.membership
    clustering = overlapping.to_cdlib()
    assert clustering.overlap
    back = gc.Communities.from_cdlib(clustering)
    assert sets(back.cover.communities) == sets(overlapping.cover.communities)
    monkeypatch.setitem(sys.modules, "cdlib", None)
    with pytest.raises(UsageError, match="pip install cdlib"):
        flat.to_cdlib()


def test_errors():
    with pytest.raises(DataError, match="'x' is not a node"):
        gc.Communities.from_networkx(GRAPH, [{"x"}])
    with pytest.raises(DataError, match="the node attribute 'none' is missing of 77 nodes, such as"):
        gc.Communities.from_networkx(GRAPH, "none")
    data = Data(edge_index=torch.tensor([[0], [1]]), num_nodes=2, short=torch.tensor([0]))
    with pytest.raises(DataError, match="the data has no 'community'; it has"):
        gc.Communities.from_data(data)
    with pytest.raises(DataError, match="'short' has 1 values for 2 nodes"):
        gc.Communities.from_data(data, "short")
    assert gc.Communities.from_networkx(nx.empty_graph(0), []).n_clusters == 0
    assert np.array_equal(gc.Communities.from_networkx(nx.empty_graph(3), [{1, 2}]).labels, [1, 0, 0])
