"""Methods find the same communities in one process and on the workers of a Dask cluster."""

import os
import random
import signal
import threading

import numpy as np
import pandas as pd
import pytest

import graphclust as gc
from graphclust.errors import DataError, UsageError
from graphclust.kernels import aggregation, leiden, local_moves
from graphclust.methods import METHODS

dd = pytest.importorskip("dask.dataframe")
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
    monkeypatch.setattr(local_moves, "_FEWEST_BATCHES", 6)
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
            n_workers=request.param, threads_per_worker=2, processes=False, dashboard_address="127.0.0.1:0"
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


@pytest.mark.parametrize("kind", ["plain", "directed weighted"])
@pytest.mark.parametrize("method", ON_CLUSTER)
def test_labels_are_the_same(method, kind, client, very_large):
    usual = gc.detect(graph(kind), method, random_state=3)
    shared = gc.detect(graph(kind), method, random_state=3, cluster=client)
    np.testing.assert_array_equal(shared.labels, usual.labels)
    note = next(note for note in shared.notes if note.code == "cluster")
    assert note.data["sent"] > 100_000
    assert note.data["received"] > 1000


def test_levels_sizes_and_starts(client, very_large):
    for options in ({"hierarchy": True}, {"max_size": 40}, {"n_clusters": 30}):
        usual, shared = (gc.detect(graph("plain"), "leiden", cluster=where, **options) for where in (None, client))
        np.testing.assert_array_equal(shared.labels, usual.labels)
    start = gc.detect(graph("plain"), "label-propagation")
    usual, shared = (gc.detect(graph("weighted"), "label-propagation", start=start, cluster=c) for c in (None, client))
    np.testing.assert_array_equal(shared.labels, usual.labels)


def test_workers_that_are_killed_are_replaced(very_large):
    usual = gc.detect(graph("weighted"), "leiden")
    pids = []
    with (
        distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address="127.0.0.1:0") as cluster,
        distributed.Client(cluster) as client,
    ):
        done = threading.Event()

        def kill():
            while len(pids) < 3 and not done.wait(0.5):
                pids.append(min(client.run(os.getpid, on_error="ignore").values(), default=0))
                if pids[-1]:
                    os.kill(pids[-1], signal.SIGKILL)

        killer = threading.Thread(target=kill)
        killer.start()
        shared = gc.detect(graph("weighted"), "leiden", cluster=client)
        done.set()
        killer.join()
    np.testing.assert_array_equal(shared.labels, usual.labels)
    assert pids
    note = next(note for note in shared.notes if note.code == "cluster")
    assert note.data["n_lost"] >= 1


@pytest.mark.parametrize("ids", ["numbers", "strings"])
def test_dask_dataframes_are_graphs(ids, client, very_large):
    own = graph("weighted")
    frame = pd.DataFrame({"source": own.source, "target": own.target, "weight": own.weight})
    if ids == "strings":
        frame = frame.astype({"source": str, "target": str})
    table = dd.from_pandas(frame, npartitions=7)
    usual = gc.detect(frame, "leiden")
    shared = gc.detect(table, "leiden")  # by the current client
    assert dict(zip(shared.nodes, shared.labels, strict=True)) == dict(zip(usual.nodes, usual.labels, strict=True))
    assert "received" in next(note.message for note in shared.notes if note.code == "cluster")
    part = gc.detect(table, "leiden", memory="300KB")
    assert part.quality()["modularity"] == pytest.approx(usual.quality()["modularity"])
    with pytest.raises(DataError, match=r"the Dask dataframe: .* at least two columns"):
        gc.detect(table[["source"]], "leiden")


def test_a_small_graph_needs_no_cluster(client):
    notes = gc.detect("data:karate", "leiden", cluster=client).notes
    assert "the cluster was not used" in next(note.message for note in notes if note.code == "cluster")


def test_what_is_no_cluster_is_refused():
    with pytest.raises(UsageError, match=r"local, local:N or the address of a scheduler, .*; not here"):
        gc.detect("data:karate", "leiden", cluster="here")
    with pytest.raises(UsageError, match="infomap does not use a cluster; auto, leiden, louvain and"):
        gc.detect("data:karate", "infomap", cluster="local:2")
    with pytest.raises(DataError, match=r"no Dask cluster answers at tcp:.*:9"):
        gc.detect("data:karate", "leiden", cluster="tcp://127.0.0.1:9")
