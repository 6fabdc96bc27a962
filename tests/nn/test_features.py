"""Laplacian eigenvectors against the definition, dense and iterative, whole and padded; points standardised."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pytest

import graphclust as gc
from graphclust.inputs import as_graph
from graphclust.kernels.eigenvectors import leading_eigenvectors
from graphclust.nn import features
from graphclust.nn.features import flip_signs, input_features, laplacian_eigenvectors, laplacian_features, standardised


def projector(vectors):
    """Of the space that the vectors span: free of signs and of the basis of an eigenspace."""
    q = np.linalg.qr(vectors.astype(float))[0]
    return q @ q.T


def eigenvalues(graph, vectors):
    matrix = nx.normalized_laplacian_matrix(graph).toarray()
    return np.einsum("ik,ij,jk->k", vectors, matrix, vectors) / (vectors**2).sum(axis=0)


@pytest.mark.parametrize("seed", range(3))
def test_equal_to_the_definition(seed):
    graph = nx.gnm_random_graph(40, 150, seed=seed)
    actual = laplacian_eigenvectors(as_graph(graph), 6)
    values = np.sort(np.linalg.eigvalsh(nx.normalized_laplacian_matrix(graph).toarray()))
    np.testing.assert_allclose(eigenvalues(graph, actual), values[1:7], atol=1e-5)
    np.testing.assert_allclose(actual.T @ actual, np.eye(6), atol=1e-5)


def test_weights_count():
    graph = nx.gnm_random_graph(30, 100, seed=0)
    plain = laplacian_eigenvectors(as_graph(graph), 3)
    for i, edge in enumerate(graph.edges):
        graph.edges[edge]["weight"] = 1 + i % 5
    weighted = laplacian_eigenvectors(as_graph(graph), 3)
    assert np.abs(projector(plain) - projector(weighted)).max() > 0.01


def test_disconnected_graph_drops_exactly_one():
    graph = nx.disjoint_union_all([nx.complete_graph(5)] * 3)
    actual = laplacian_eigenvectors(as_graph(graph), 2)
    np.testing.assert_allclose(eigenvalues(graph, actual), [0, 0], atol=1e-6)  # two of the three zeros are kept
    both = np.column_stack([actual, np.ones(15) / 15**0.5])
    assert np.linalg.matrix_rank(both, tol=1e-3) == 3


def test_dense_and_iterative_agree(monkeypatch):
    graph = gc.generators.planted_partition(300, 4, p_in=0.2, p_out=0.02, random_state=0)
    dense = laplacian_eigenvectors(graph, 3)
    monkeypatch.setattr(features, "_MAX_DENSE", 10)
    np.testing.assert_allclose(laplacian_eigenvectors(graph, 3), dense, atol=2e-3)


@pytest.mark.parametrize("n", [0, 1, 2, 4])
def test_few_nodes_are_padded_with_zeros(n):
    graph = gc.Graph.from_edges(range(n - 1), range(1, n), nodes=n)
    actual = laplacian_eigenvectors(graph, 5)
    assert actual.shape == (n, 5)
    assert not actual[:, max(n - 1, 0) :].any()
    assert np.isfinite(actual).all()


def test_batch_equals_one_by_one():
    batch = next(gc.generators.stream("general-sbm", batch_size=6, n_nodes=(5, 60)))
    actual = laplacian_features(batch.adjacency, batch.n_nodes, 8)
    for i, graph in enumerate(batch.graphs()):
        np.testing.assert_allclose(actual[i, : graph.num_nodes], laplacian_eigenvectors(graph, 8), atol=1e-4)
        assert not actual[i, graph.num_nodes :].any()


def test_signs_are_fixed_and_flipped_at_random():
    graph = gc.generators.planted_partition(80, 2, p_in=0.3, p_out=0.02, random_state=0)
    actual = laplacian_eigenvectors(graph, 4)
    assert (np.take_along_axis(actual, np.abs(actual).argmax(axis=0)[None], axis=0) > 0).all()
    batch = np.stack([actual] * 50)
    flipped = flip_signs(batch, np.random.default_rng(0))
    np.testing.assert_array_equal(np.abs(flipped), np.abs(batch))
    signs = np.sign(flipped[:, 0] * batch[:, 0])
    assert 0.4 < (signs > 0).mean() < 0.6


def test_numbers_of_vectors_that_make_no_sense(monkeypatch):
    with pytest.raises(gc.UsageError):
        laplacian_eigenvectors(as_graph([(0, 1)]), 0)
    graph = gc.generators.planted_partition(1000, 2, random_state=0)
    monkeypatch.setenv("GRAPHCLUST_MEMORY", "0.0001")
    with pytest.raises(gc.ResourceError, match="eigenvectors"):
        laplacian_eigenvectors(graph, 20)
    with pytest.raises(gc.ResourceError, match="edges"):
        gc.generators.planted_partition(1000, 2, random_state=0)


@pytest.mark.parametrize("edges", [0, 1])
def test_graphs_of_nothing_but_isolated_nodes(edges):
    graph = gc.Graph.from_edges(np.arange(edges), np.arange(edges) + 1, nodes=700)
    np.testing.assert_allclose(np.linalg.norm(laplacian_eigenvectors(graph, 4), axis=0), 1, rtol=1e-4)
    vectors = leading_eigenvectors(graph.adjacency(), 4)
    np.testing.assert_allclose(vectors.T @ vectors, np.eye(4), atol=1e-6)
    assert gc.detect(graph, "spectral", 3).n_clusters == 3
    assert gc.detect(graph, "clam", 3, max_epochs=5).n_clusters == 3


@pytest.mark.parametrize("kind", ["ArpackError", "ArpackNoConvergence"])
def test_an_iteration_that_finds_nothing(monkeypatch, kind):
    from scipy.sparse import linalg

    def failing(*_, k, v0, **__):
        if kind == "ArpackError":
            raise linalg.ArpackError(-9, {-9: "starting vector is zero"})
        raise linalg.ArpackNoConvergence("%s", np.empty(0), np.empty((len(v0), 0)))

    monkeypatch.setattr(linalg, "eigsh", failing)
    graph = gc.generators.planted_partition(700, 4, random_state=0)
    assert leading_eigenvectors(graph.adjacency(), 3).shape == (700, 3)
    assert not laplacian_eigenvectors(graph, 3).any()


def test_standardised_points_have_mean_0_and_variance_1_over_all_columns(rng):
    x = rng.normal(size=(2, 9, 3)) * [1.0, 5.0, 0.2] + 40.0
    actual = standardised(x, np.array([9, 6]))
    assert actual.dtype == np.float32
    for points, n, raw in zip(actual, (9, 6), x, strict=True):
        np.testing.assert_allclose(points[:n].mean(axis=0), 0, atol=1e-6)
        assert (points[:n].astype(float) ** 2).mean() == pytest.approx(1, rel=1e-5)
        assert (points[n:] == 0).all()
        ratio = points[:n].std(axis=0) / raw[:n].std(axis=0)  # one scale for all columns
        np.testing.assert_allclose(ratio, ratio[0], rtol=1e-4)
    alone = standardised(x[1:, :6], np.array([6]))
    np.testing.assert_allclose(actual[1, :6], alone[0], atol=1e-6)


@pytest.mark.parametrize(("scale", "shift"), [(1e-300, 0.0), (1e300, 0.0), (1e5, 1e9), (-2.0, 3.0)])
def test_origin_and_unit_do_not_matter(rng, scale, shift):
    x = rng.normal(size=(1, 12, 2))
    expected = np.sign(scale) * standardised(x, np.array([12]))
    np.testing.assert_allclose(standardised(scale * x + shift, np.array([12])), expected, atol=1e-5)


def test_points_without_spread_are_zero():
    assert not standardised(np.full((1, 4, 2), 1e9), np.array([4])).any()
    assert standardised(np.zeros((1, 0, 2)), np.array([0])).shape == (1, 0, 2)
    assert not standardised(np.full((1, 3, 2), np.finfo(float).max), np.array([3])).any()


def test_models_are_fed_standardised_points_of_their_dimension(rng):
    x, n = rng.normal(size=(2, 5, 2)), np.array([5, 3])
    for train in (False, True):
        fed = input_features("standardised", 2, x, n, rng, train=train)
        np.testing.assert_array_equal(fed, standardised(x, n))
    with pytest.raises(gc.UsageError, match="3 standardised features per node, but the input has 2"):
        input_features("standardised", 3, x, n, rng, train=False)


def test_a_matrix_that_the_fast_driver_of_lapack_gives_up_on():
    """Two parts whose eigenvalues are nearly all equal; whether the driver fails depends on the order of the nodes."""
    sparse = [
        (0, 3),
        (0, 4),
        (0, 5),
        (0, 10),
        (3, 4),
        (3, 5),
        (3, 9),
        (3, 10),
        (4, 9),
        (4, 10),
        (5, 9),
        (5, 10),
        (9, 10),
    ]
    graph = nx.Graph([*sparse, *nx.complete_graph([1, 2, 6, 7, 8, 11]).edges])
    adjacency = nx.to_numpy_array(graph, nodelist=range(12))
    vectors = features._dense_eigenvectors(adjacency, 4)
    values = np.sort(np.linalg.eigvalsh(nx.normalized_laplacian_matrix(graph).toarray()))
    degree = adjacency.sum(axis=0)
    laplacian = np.eye(12) - adjacency / np.sqrt(np.outer(degree, degree))
    np.testing.assert_allclose(laplacian @ vectors, vectors * values[1:5], atol=1e-5)
    np.testing.assert_allclose(vectors.T @ vectors, np.eye(4), atol=1e-5)
