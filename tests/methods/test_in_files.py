"""Methods find the same communities whether the edges lie in memory or in files."""

import numpy as np
import pytest

import graphclust as gc
from graphclust.errors import ResourceError
from graphclust.inference import integrated, refinement
from graphclust.kernels import aggregation, leiden, local_moves
from graphclust.methods import METHODS, auto
from graphclust.runtime import storage as storing
from graphclust.runtime.threads import limited_threads

IN_FILES = [name for name, kind in METHODS.items() if kind.works_in_files]


@pytest.fixture(params=["usual", "very large"])
def sizes(request, monkeypatch):
    """Arrays of any size in files, and graphs that are visited in batches or count as very large."""
    monkeypatch.setattr(storing, "_SMALL", 0)
    monkeypatch.setattr(storing, "_LEAST_WINDOW", 5000)
    monkeypatch.setattr(aggregation, "_MOST_ENTRIES", 5000)
    monkeypatch.setattr(leiden, "_MOST_REFINED", 1000)
    monkeypatch.setattr(auto, "_LARGE", 0)
    for module in (auto, refinement):
        monkeypatch.setattr(module, "MOST_MATRIX_NODES", 1000)
    monkeypatch.setattr(refinement, "_MOST_SAMPLED_NODES", 1000)
    monkeypatch.setattr(integrated, "_LARGE", 100)
    if request.param == "very large":
        monkeypatch.setattr(local_moves, "_VERY_LARGE", 0)
        monkeypatch.setattr(local_moves, "_MOST_IN_QUEUE", 0)
        monkeypatch.setattr(local_moves, "_LONG_BLOCK", 64)
        monkeypatch.setattr(leiden, "_LARGE", 1000)


def graph(kind):
    rng = np.random.default_rng(0)
    n = 3000
    source = rng.integers(0, n, 20_000)
    target = np.where(
        rng.random(20_000) < 0.8, source // 50 * 50 + rng.integers(0, 50, 20_000), rng.integers(0, n, 20_000)
    )
    weight = rng.exponential(size=20_000) if "weighted" in kind else None
    return gc.Graph.from_edges(source, target, weight, nodes=n + 5, directed="directed" in kind)


@pytest.mark.parametrize("kind", ["plain", "weighted", "directed", "directed weighted"])
@pytest.mark.parametrize("method", IN_FILES)
def test_labels_are_the_same(method, kind, sizes):
    usual = gc.detect(graph(kind), method, random_state=3)
    for memory in (700_000, 1e6):
        with limited_threads(1 if memory == 1e6 else None):
            part = gc.detect(graph(kind), method, random_state=3, memory=memory)
        np.testing.assert_array_equal(part.labels, usual.labels)
        if method == "auto":
            np.testing.assert_array_equal(part.confidence, usual.confidence)
            assert part.details["scores"] == usual.details["scores"]
        assert part.quality() == usual.quality()
    assert part.graph.storage is not None
    assert part.graph.storage.written > 100_000


def test_leiden_in_files_has_levels_and_starts(sizes):
    usual = gc.detect(graph("plain"), "leiden", hierarchy=True)
    part = gc.detect(graph("plain"), "leiden", hierarchy=True, memory="1MB")
    assert len(usual.hierarchy.levels) == len(part.hierarchy.levels)
    changed = gc.Graph.from_edges([0, 1], [2000, 2500], nodes=3005)
    both = gc.Graph.from_edges(
        np.concatenate((graph("plain").source, changed.source)),
        np.concatenate((graph("plain").target, changed.target)),
        nodes=3005,
    )
    updates = [gc.detect(both, "leiden", start=gc.detect(graph("plain"), "leiden"), memory=m) for m in (None, "1MB")]
    np.testing.assert_array_equal(updates[0].labels, updates[1].labels)


@pytest.mark.parametrize("options", [{"max_size": 40}, {"min_size": 30}, {"start": None}], ids=str)
def test_auto_in_files_has_sizes_and_starts(options, sizes):
    if "start" in options:
        options = {"start": gc.detect(graph("weighted"), "leiden")}
    usual, part = (gc.detect(graph("plain"), random_state=3, memory=memory, **options) for memory in (None, 700_000))
    assert part.graph.storage is not None
    np.testing.assert_array_equal(part.labels, usual.labels)
    np.testing.assert_array_equal(part.confidence, usual.confidence)


def test_memory_that_suffices_is_used():
    assert gc.detect(graph("plain"), "leiden", memory="1GB").graph.storage is None


def test_too_little_memory_is_refused():
    with pytest.raises(ResourceError, match=r"needs about .* of memory, but 0.977 KiB is available"):
        gc.detect(graph("plain"), "leiden", memory=1000)
    with pytest.raises(ResourceError, match="auto, leiden, louvain and label-propagation need less"):
        gc.detect(graph("plain"), "spectral", n_clusters=3, memory=1000)


def test_memory_that_does_not_suffice_is_replaced_by_files(monkeypatch):
    monkeypatch.setattr(storing, "_SMALL", 0)
    usual = gc.detect(graph("plain"), "leiden")
    monkeypatch.setenv("GRAPHCLUST_MEMORY", "0.0014")
    own = graph("plain")
    part = gc.detect(own, "leiden")
    assert own.storage is None
    assert part.graph.storage is not None
    np.testing.assert_array_equal(part.labels, usual.labels)
