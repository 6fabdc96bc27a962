import networkx as nx
import numpy as np
import pytest

import graphclust as gc
from graphclust.datasets.pairs import community_pairs
from graphclust.errors import DataError, UsageError
from graphclust.generators import pairs as family
from graphclust.models.build import ModelConfig
from graphclust.training.synthetic import DataConfig, SyntheticBatches, held_out_batches


@pytest.fixture
def network(monkeypatch):
    """Draw from a network of 24 cliques in a ring in the place of a data set, neighbours being its pairs."""
    sizes = np.arange(24) % 9 + 12
    rates = np.diag(np.full(24, 4.0)) + np.roll(np.eye(24), 1, 0) * 0.05 + np.roll(np.eye(24), -1, 0) * 0.05
    graph = gc.generators.dc_sbm(sizes, rates, random_state=0)
    graph.meta["communities"] = [np.flatnonzero(graph.y == k) for k in range(24)]
    parts = {split: community_pairs(graph, split) for split in ("train", "test", "all")}
    monkeypatch.setattr(family, "_pairs", lambda data, split, split_seed: parts[split])
    family._by_size.cache_clear()
    yield parts
    family._by_size.cache_clear()


def test_pairs_are_drawn_from_their_part(network):
    drawn = [gc.generators.community_pair(split="test", random_state=s) for s in range(40)]
    actual = {tuple(entry.meta["realised"]["communities"]) for entry in drawn}
    assert actual <= {tuple(pair) for pair in network["test"].pairs.tolist()}
    again = gc.generators.community_pair(split="test", random_state=3)
    assert again.source.tolist() == drawn[3].source.tolist()
    assert again.meta == drawn[3].meta
    assert all(entry.weight is None and entry.num_self_loops == 0 for entry in drawn)
    assert drawn[0].meta["realised"]["sizes"] == np.bincount(drawn[0].y).tolist()


def test_batches_of_nearly_one_size_hold_every_pair_as_often(network):
    pairs, rng = network["train"], np.random.default_rng(0)
    count, spread = np.zeros(1000), []
    for _ in range(600):
        batch = family.community_pair_batch(rng, 3, same_size=True, data="", split="train")
        spread.append(np.ptp(batch.n_nodes))
        np.add.at(count, batch.n_nodes, 1)
    apart = family.community_pair_batch(rng, 300, same_size=False, data="", split="train")
    assert np.mean(spread) < 0.7 * np.ptp(apart.n_nodes)
    law = np.bincount(pairs.n_nodes, minlength=1000) / len(pairs)
    assert abs((count / count.sum()) @ np.arange(1000) - law @ np.arange(1000)) < 0.5


def test_nodes_are_left_out_and_clusters_are_not(network):
    for seed in range(60):
        complete, part = (gc.generators.community_pair(drop=drop, random_state=seed) for drop in (0.0, 0.6))
        assert part.num_nodes <= complete.num_nodes
        assert len(np.unique(part.y)) == len(np.unique(complete.y)) == part.meta["realised"]["n_clusters"]
        assert nx.is_connected(part.to_networkx())
    few = family.community_pair_batch(np.random.default_rng(0), 50, same_size=True, data="", split="train", drop=0.6)
    assert few.n_nodes.mean() < 0.85 * network["train"].n_nodes.mean()
    with pytest.raises(UsageError, match="drop is a share"):
        gc.generators.community_pair(drop=1.0)


def test_training_never_sees_what_is_held_out(network, monkeypatch):
    requested = []
    monkeypatch.setattr(family, "_pairs", lambda data, split, _: requested.append(split) or network[split])
    data = DataConfig("community-pairs", {"data": "x"}, batch_size=4)
    model = ModelConfig(n_features=4)
    held_out_batches(model, data, 30)
    assert set(requested) == {"test"}
    requested.clear()
    _ = SyntheticBatches(model, data)[0]
    assert set(requested) == {"train"}


def test_no_more_is_held_out_than_there_is(network, monkeypatch):
    """A network with few pairs is not evaluated on copies of them."""
    data, model = DataConfig("community-pairs", {"data": "x", "split_seed": 0}), ModelConfig(n_features=4)
    monkeypatch.setitem(network, "test", network["train"])
    number = len(network["test"])
    assert 7 < number < 30
    for entry, drawn in ((200, number), (7, 7)):
        assert sum(len(batch) for batch, _ in held_out_batches(model, data, entry)) == drawn


def test_each_split_has_its_own_pairs(monkeypatch):
    requested = []
    monkeypatch.setattr("graphclust.datasets.pairs.community_pairs", lambda *args: requested.append(args) or [])
    family._pairs.cache_clear()
    with pytest.raises(DataError, match="no pairs"):
        held_out_batches(ModelConfig(), DataConfig("community-pairs", {"data": "x", "split_seed": 3}), 2)
    with pytest.raises(DataError, match="no pairs"):
        gc.generators.community_pair("x")
    assert requested == [("x", "test", 3), ("x", "train", 0)]
    family._pairs.cache_clear()


def test_a_network_without_pairs_is_refused(monkeypatch):
    monkeypatch.setattr("graphclust.datasets.pairs.community_pairs", lambda *_: [])
    family._pairs.cache_clear()
    with pytest.raises(DataError, match="no pairs of test communities"):
        gc.generators.community_pair("com-amazon", split="test")
