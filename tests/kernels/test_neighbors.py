"""Nearest neighbours against a sort of all distances, and affinities against their formula."""

from __future__ import annotations

import numpy as np
import pytest

import graphclust as gc
from graphclust.kernels.neighbors import gaussian_affinities, nearest_neighbors


def brute(x, k):
    square = ((x[:, None].astype(np.float64) - x) ** 2).sum(2)
    np.fill_diagonal(square, np.inf)
    return np.sort(square, axis=1)[:, :k]


@pytest.mark.parametrize("shift", [0.0, 1e4])
def test_neighbours_are_the_nearest(rng, shift):
    x = rng.normal(size=(300, 7))
    index, distance = nearest_neighbors(x + shift, 6)
    assert index.shape == distance.shape == (300, 6)
    assert (index != np.arange(300)[:, None]).all()
    assert all(len(set(row)) == 6 for row in index.tolist())
    np.testing.assert_allclose(distance, brute(x, 6), atol=2e-2 if shift else 1e-4)
    own = ((x[:, None] - x[index]) ** 2).sum(2)
    np.testing.assert_allclose(own, brute(x, 6), rtol=1e-2 if shift else 1e-4)


def test_the_small_world_finds_nearly_all(rng):
    x = rng.normal(size=(2000, 16))
    exact, approximate = nearest_neighbors(x, 10), nearest_neighbors(x, 10, exact=False)
    recall = np.mean(
        [len(set(a) & set(b)) / 10 for a, b in zip(exact[0].tolist(), approximate[0].tolist(), strict=True)]
    )
    assert recall > 0.98


def test_the_small_world_is_the_same_on_however_many_threads(rng, monkeypatch):
    import faiss

    import graphclust.kernels.neighbors as module

    for name, low in (
        ("_LINKS", 8),
        ("_BUILD_WIDTH", 20),
        ("_SEARCH_WIDTH", 12),
    ):  # a rough search, which sees every difference
        monkeypatch.setattr(module, name, low)
    x = rng.normal(size=(3000, 32)).astype(np.float32)
    before = faiss.omp_get_max_threads()
    neighbors = []
    try:
        for threads in (1, 8, 8):
            faiss.omp_set_num_threads(threads)
            neighbors.append(nearest_neighbors(x, 10, exact=False)[0])
    finally:
        faiss.omp_set_num_threads(before)
    np.testing.assert_array_equal(neighbors[1], neighbors[0])
    np.testing.assert_array_equal(neighbors[2], neighbors[0])


def test_missing_numbers_are_refused():
    with pytest.raises(gc.DataError, match="missing or infinite"):
        nearest_neighbors(np.array([[0.0], [np.nan], [1.0]]), 1)


@pytest.mark.parametrize("image_shape", [None, (2, 4)])
def test_pieces_on_another_device_find_the_same(rng, monkeypatch, image_shape):
    import graphclust.kernels.neighbors as module

    monkeypatch.setattr(module, "_CHUNK", 1000)
    x = rng.normal(size=(150, 8)).astype(np.float32)
    exact = nearest_neighbors(x, 5, image_shape=image_shape)
    monkeypatch.setattr(module, "_searcher", lambda points, k, *_: module._gpu_searcher(points, k, "cpu"))
    index, distance = nearest_neighbors(x, 5, image_shape=image_shape)
    np.testing.assert_array_equal(index, exact[0])
    np.testing.assert_allclose(distance, exact[1], atol=1e-4)


def moved(image, down, right):
    """Every pixel takes the value that stands beside it, or at the margin."""
    height, width = image.shape[:2]
    rows = [min(max(i + down, 0), height - 1) for i in range(height)]
    columns = [min(max(j + right, 0), width - 1) for j in range(width)]
    return np.array([[image[i, j] for j in columns] for i in rows])


@pytest.mark.parametrize(("shape", "channels"), [((4, 5), 1), ((3, 4), 3), ((1, 7), 1)])
@pytest.mark.parametrize("exact", [True, False])
def test_neighbours_of_images_are_nearest_up_to_a_pixel(rng, shape, channels, exact):
    x = rng.normal(size=(60, *shape, channels)) + 50
    x[30:] = np.stack([moved(image, *rng.integers(-1, 2, 2)) for image in x[:30]]) + 0.01 * rng.normal(
        size=x[:30].shape
    )
    square = np.full((60, 60), np.inf)
    for i in range(60):
        for down in (-1, 0, 1):
            for right in (-1, 0, 1):
                other = ((moved(x[i], down, right) - x) ** 2).sum((1, 2, 3))
                square[i] = np.minimum(square[i], other)
    np.fill_diagonal(square, np.inf)
    index, distance = nearest_neighbors(x.reshape(60, -1), 6, exact=exact, image_shape=shape)
    np.testing.assert_allclose(distance, np.sort(square, axis=1)[:, :6], rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(np.take_along_axis(square, index, 1), distance, rtol=1e-3, atol=1e-3)
    assert (index[:30, 0] == np.arange(30, 60)).all()
    assert all(len(set(row)) == 6 for row in index.tolist())


def test_no_images_of_that_shape():
    with pytest.raises(gc.UsageError, match="10 features are not images of 3 x 2 pixels"):
        nearest_neighbors(np.zeros((5, 10)), 2, image_shape=(3, 2))


def test_points_at_one_place(rng):
    x = np.concatenate((np.zeros((30, 3)), rng.normal(size=(20, 3))))
    index, distance = nearest_neighbors(x, 4)
    assert (index != np.arange(50)[:, None]).all()
    assert (distance[:30] == 0).all()
    weight = gaussian_affinities(index, distance)
    assert np.isfinite(weight.data).all()
    assert (weight.data > 0).all()


@pytest.mark.parametrize("scale", [0, 2])
def test_affinities_are_those_of_local_scales(rng, scale):
    x = rng.normal(size=(40, 3))
    index, distance = nearest_neighbors(x, 5)
    affinities = gaussian_affinities(index, distance, scale).toarray()
    reach = np.sqrt(brute(x, 5)[:, scale - 1])
    wanted = np.zeros((40, 40))
    for i in range(40):
        for j in index[i]:
            wanted[i, j] = np.exp(-((x[i] - x[j]) ** 2).sum() / (reach[i] * reach[j]))
    np.testing.assert_allclose(affinities, (wanted + wanted.T) / 2, atol=1e-5)
    np.testing.assert_array_equal(affinities, affinities.T)


@pytest.mark.parametrize("k", [0, 5, 6])
def test_too_many_neighbours(k):
    with pytest.raises(gc.UsageError, match="of 5 points"):
        nearest_neighbors(np.zeros((5, 2)), k)
