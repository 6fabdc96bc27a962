"""Methods find the same communities in one process and on the workers of a Dask cluster."""

import random

import numpy as np
import pytest

import graphclust as gc
from graphclust.kernels import aggregation, leiden, local_moves
from graphclust.methods import METHODS

distributed = pytest.importorskip("distributed")

ON_CLUSTER = [name for name, kind in METHODS.items() if kind.works_on_cluster]


@pytest.fixture
def very_large(monkeypatch):
    """Graphs of any size count as very large."""
    monkeypatch.setattr(aggregation, "_MOST_ENTRIES", 5000)
    monkeypatch.setattr(leiden, "_MOST_REFINED", 1000)
    monkeypatch.setattr(leiden, "_LARGE", 1000)
    monkeypatch.setattr(local_moves, "_VERY_LARGE", 0)
    monkeypatch.setattr(local_moves, "_MOST_IN_QUEUE", 0)
    monkeypatch.setattr(local_moves, "_LONG_BLOCK", 64)
    state = random.getstate()
    yield
    random.setstate(state)  # workers that are threads draw from it


def graph(kind):
    rng = np.random.default_rng(0)
    n, m = 3000, 20_000
    source = rng.integers(0, n, m)
    near, far = source // 50 * 50 + rng.integers(0, 50, m), rng.integers(0, n, m)
    weight = rng.exponential(size=m) if "weighted" in kind else None
    target = np.where(rng.random(m) < 0.8, near, far)
    return gc.Graph.from_edges(source, target, weight, nodes=n + 5, directed="directed" in kind)


@pytest.fixture(scope="module", params=[1, 3])
def client(request):
    """Workers that are threads of this process, so that they count the same graphs as very large."""
    with (
        distributed.LocalCluster(
            n_workers=request.param, threads_per_worker=2, processes=False, dashboard_address=None
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


@pytest.mark.parametrize("kind", ["plain", "weighted", "directed", "directed weighted"])
@pytest.mark.parametrize("method", ON_CLUSTER)
def test_labels_are_the_same(method, kind, client, very_large):
    usual = gc.detect(graph(kind), method, random_state=3)
    shared = gc.detect(graph(kind), method, random_state=3, cluster=client)
    np.testing.assert_array_equal(shared.labels, usual.labels)
    note = next(note for note in shared.notes if note.code == "cluster")
    assert note.data["sent"] > 100_000
    assert note.data["received"] > 1000
