from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from graphclust import metrics
from graphclust.errors import DataError, ResourceError, UsageError
from graphclust.results import posterior
from graphclust.results.posterior import Posterior
from tests import oracles

PARTITIONS = oracles.set_partitions(5)
NODES = ["a", ("b", 1), 3, "d", 4.5]


def enumerated(seed=0):
    """All 52 partitions of 5 nodes with random probabilities, as a posterior and as a list of weights."""
    probability = np.random.default_rng(seed).dirichlet(np.full(len(PARTITIONS), 0.3))
    log_prob = np.log(probability) - 5000  # exp of it is 0
    return Posterior(PARTITIONS, log_prob, NODES, weighting="log_prob"), probability.tolist()


def drawn(seed, n_samples=12, n_nodes=9, n_clusters=3, noise=0.3):
    """Noisy copies of one partition, each with its own names of the communities."""
    rng = np.random.default_rng(seed)
    base = rng.integers(n_clusters, size=n_nodes)
    copies = [
        np.where(rng.random(n_nodes) < noise, rng.integers(n_clusters, size=n_nodes), base) for _ in range(n_samples)
    ]
    return np.array([rng.permutation(n_clusters)[copy] for copy in copies]), base


def test_there_are_52_partitions_of_5_nodes():
    assert len({tuple(z) for z in PARTITIONS}) == 52


@pytest.mark.parametrize("seed", range(3))
def test_enumerated_posterior_is_exact(seed):
    exact, weights = enumerated(seed)
    together = [[oracles.co_membership(PARTITIONS, weights, i, j) for j in range(5)] for i in range(5)]
    assert exact.weights == pytest.approx(weights)
    assert exact.co_membership() == pytest.approx(np.array(together), abs=1e-12)
    assert exact.co_membership([3, "a"]) == pytest.approx(np.array(together)[np.ix_([2, 0], [2, 0])], abs=1e-12)
    numbers = exact.n_clusters()
    assert list(numbers) == [1, 2, 3, 4, 5]
    for k, probability in numbers.items():
        assert probability == pytest.approx(sum(w for z, w in zip(PARTITIONS, weights, strict=True) if max(z) + 1 == k))


@pytest.mark.parametrize("cells", [1, 7, 1 << 20])
def test_results_do_not_depend_on_the_size_of_tables(cells, monkeypatch):
    exact, _ = enumerated()
    expected = exact.co_membership(), exact.entropy(), exact.point_estimate("vi")
    monkeypatch.setattr(posterior, "_CELLS", cells)
    for entry, element in zip(
        (exact.co_membership(), exact.entropy(), exact.point_estimate("vi")), expected, strict=True
    ):
        assert entry == pytest.approx(element, abs=1e-12)


@pytest.mark.parametrize("seed", range(3))
def test_entropy_is_what_one_draw_leaves_open_in_another(seed):
    exact, weights = enumerated(seed)
    expected = [oracles.node_uncertainty(PARTITIONS, weights, i) for i in range(5)]
    assert exact.entropy() == pytest.approx(expected, abs=1e-12)
    distance = [[oracles.vi(y, z) for z in PARTITIONS] for y in PARTITIONS]
    assert exact.entropy().mean() == pytest.approx(weights @ np.array(distance) @ weights / 2, abs=1e-12)


def test_nothing_is_uncertain_where_samples_differ_by_names_alone():
    sure = Posterior([[0, 0, 1, 2], [7, 7, -1, 3], [2, 2, 0, 1]])
    assert sure.entropy().tolist() == [0, 0, 0, 0]
    assert sure.confidence([5, 5, 0, 1]).tolist() == [1, 1, 1, 1]
    assert sure.co_membership().tolist() == [[1, 1, 0, 0], [1, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]
    assert sure.n_clusters() == pytest.approx({3: 1})


def test_uncertainty_is_of_the_node_and_not_diluted_by_the_size_of_the_graph():
    torn = []
    for others in (10, 1000):
        two = np.array([[0] * 5 + [1] * 5 + [0], [0] * 5 + [1] * 5 + [1]])
        rest = np.tile(np.repeat(np.arange(2, 2 + others), 5), (2, 1))
        entropy = Posterior(np.hstack((two, rest))).entropy()
        assert np.argmax(entropy) == 10
        assert entropy[11:].tolist() == [0] * (5 * others)
        torn.append(entropy[10])
    assert torn[0] == torn[1] == pytest.approx(np.log(6) / 2)


@pytest.mark.parametrize("seed", range(3))
def test_point_estimates_are_the_best_samples(seed):
    exact, weights = enumerated(seed)
    expected_vi = [sum(w * oracles.vi(y, z) for z, w in zip(PARTITIONS, weights, strict=True)) for y in PARTITIONS]
    expected_ami = [sum(w * oracles.ami(y, z) for z, w in zip(PARTITIONS, weights, strict=True)) for y in PARTITIONS]
    best = {"map": np.argmax(weights), "vi": np.argmin(expected_vi), "ami": np.argmax(expected_ami)}
    for criterion, index in best.items():
        assert exact.point_estimate(criterion).tolist() == metrics.rank_labels(PARTITIONS[index]).tolist()


def test_the_centre_of_the_posterior_need_not_be_its_mode():
    samples = [[0, 0, 0, 0, 0, 0], [0, 0, 0, 1, 1, 1], [0, 0, 1, 2, 2, 2], [0, 0, 0, 1, 1, 2]]
    actual = Posterior(samples, np.log([0.28, 0.26, 0.23, 0.23]), weighting="log_prob")
    assert actual.point_estimate("map").tolist() == samples[0]
    assert actual.point_estimate("vi").tolist() == actual.point_estimate("ami").tolist() == samples[1]


def test_a_compromise_is_chosen_from_other_partitions():
    samples = [[0, 0, 0, 0, 0, 1], [1, 0, 0, 0, 0, 0], [0, 0, 1, 0, 0, 0], [0, 0, 0, 0, 1, 0]]
    posterior = Posterior(samples)
    halves, complete = [0, 0, 0, 1, 1, 1], [0] * 6
    assert posterior.point_estimate("vi", [halves, complete]).tolist() == complete
    expected = {tuple(y): np.mean([oracles.ami(y, z) for z in samples]) for y in (halves, complete)}
    assert posterior.point_estimate("ami", [halves, complete]).tolist() == list(max(expected, key=expected.get))
    with pytest.raises(UsageError, match="candidates have 2 nodes, but samples have 6"):
        posterior.point_estimate("vi", [[0, 1]])
    with pytest.raises(UsageError, match="cannot be chosen from candidates"):
        posterior.point_estimate("map", [halves])


@pytest.mark.parametrize("seed", range(4))
def test_expected_similarity_is_the_mean_over_the_samples(seed):
    rng = np.random.default_rng(seed)
    samples, others = (rng.integers(rng.integers(1, 6), size=(n, 30)) for n in (7, 9))
    samples = samples[[0, 1, 2, 2, 3, 4, 5, 6]]
    posterior = Posterior(samples)
    for criterion, score in (("vi", lambda y, z: -oracles.vi(y, z)), ("ami", oracles.ami)):
        for choice in (posterior._distinct[0], others):
            want = [np.mean([score(y, z) for z in samples]) for y in choice]
            assert posterior._expected_similarity(criterion, choice) == pytest.approx(want)


def test_of_equally_probable_samples_the_most_frequent_is_the_map_estimate_then_the_first():
    log_prob = [-3.0, -2.0, -2.0, -2.0]
    assert Posterior([[0, 0, 0], [0, 0, 1], [0, 1, 1], [1, 0, 0]], log_prob).point_estimate("map").tolist() == [1, 0, 0]
    assert Posterior([[0, 0, 0], [0, 1, 0], [0, 1, 1], [0, 0, 1]], log_prob).point_estimate("map").tolist() == [0, 1, 0]


def test_draws_count_each_and_enumerated_partitions_once():
    samples, log_prob = [[0, 0, 1], [1, 1, 0], [0, 1, 1], [0, 0, 0]], np.log([0.2, 0.2, 0.4, 0.4])
    assert Posterior(samples, log_prob).weights.tolist() == [0.25] * 4
    assert Posterior(samples, log_prob, weighting="log_prob").weights == pytest.approx([0.1, 0.1, 0.4, 0.4])
    assert Posterior(samples).co_membership()[0, 1] == pytest.approx(0.75)
    assert Posterior(samples, log_prob, weighting="log_prob").co_membership()[0, 1] == pytest.approx(0.6)


def test_frequencies_of_draws_stand_for_weights():
    counts = np.random.default_rng(1).integers(1, 5, size=len(PARTITIONS))
    draws = Posterior(np.repeat(PARTITIONS, counts, axis=0), nodes=NODES)
    weighted = Posterior(PARTITIONS, np.log(counts), NODES, weighting="log_prob")
    assert draws.co_membership() == pytest.approx(weighted.co_membership(), abs=1e-12)
    assert draws.entropy() == pytest.approx(weighted.entropy(), abs=1e-12)
    assert draws.n_clusters() == pytest.approx(weighted.n_clusters())
    assert draws.confidence(PARTITIONS[20]) == pytest.approx(weighted.confidence(PARTITIONS[20]))
    for criterion in ("vi", "ami"):
        assert draws.point_estimate(criterion).tolist() == weighted.point_estimate(criterion).tolist()


@pytest.mark.parametrize("n_samples", range(2, 52, 7))
def test_rounding_makes_no_probability_above_one(n_samples):
    certain = [0] * 8
    actual = Posterior([certain + [1 + label for label in z] for z in PARTITIONS[:n_samples]])
    together = actual.co_membership()
    assert together.diagonal().tolist() == [1] * 13
    assert 1 - 1e-12 < together[:8, :8].min() <= together.max() <= 1
    confidence = actual.confidence(actual.samples[0])
    assert 1 - 1e-12 < confidence[:8].min() <= confidence.max() <= 1


def test_impossible_samples_have_no_weight():
    actual = Posterior([[0, 0], [0, 1]], [-np.inf, -700.0], weighting="log_prob")
    assert actual.co_membership().tolist() == [[1, 0], [0, 1]]


@pytest.mark.parametrize("seed", range(4))
def test_confidence_is_the_share_of_samples_that_agree_once_named_alike(seed):
    samples, labels = drawn(seed)
    best = {tuple(z): oracles.assignments(labels.tolist(), z) for z in samples.tolist()}
    clear = [z for z in samples.tolist() if len(best[tuple(z)]) == 1]  # ties may be resolved either way
    assert len(clear) >= 4
    expected = [sum(i in right for z in clear for right in best[tuple(z)]) / len(clear) for i in range(len(labels))]
    assert Posterior(clear).confidence(labels) == pytest.approx(expected, abs=1e-12)
    assert Posterior(clear).confidence(10 - 3 * labels) == pytest.approx(expected, abs=1e-12)
    assert 0 < min(expected) < max(expected)


def test_confidence_is_a_probability_also_where_the_labels_are_wrong():
    confidence = enumerated()[0].confidence([0, 1, 2, 3, 4])
    assert ((confidence >= 0) & (confidence <= 1)).all()
    assert Posterior([[0, 0, 0, 0]]).confidence([0, 1, 2, 3]).sum() == 1


@pytest.mark.parametrize("n_nodes", [0, 1])
def test_posteriors_of_no_or_one_node_have_defined_answers(n_nodes):
    actual = Posterior(np.zeros((3, n_nodes), dtype=int))
    assert actual.n_clusters() == pytest.approx({n_nodes: 1})
    assert actual.co_membership().tolist() == [[1]] * n_nodes
    assert actual.entropy().tolist() == [0] * n_nodes
    assert actual.confidence([0] * n_nodes).tolist() == [1] * n_nodes
    assert actual.point_estimate("vi").tolist() == actual.point_estimate("ami").tolist() == [0] * n_nodes


def test_a_posterior_is_immutable_and_leaves_its_input_alone():
    samples, log_prob = np.array([[5, 5, 1]]), np.array([0.0])
    actual = Posterior(samples, log_prob)
    assert samples.tolist() == [[5, 5, 1]]
    samples[:], log_prob[:] = 0, 1
    actual.point_estimate("vi")[:] = 9
    assert (actual.samples.tolist(), actual.log_prob.tolist()) == ([[0, 0, 1]], [0])
    assert actual.point_estimate("vi").tolist() == [0, 0, 1]
    with pytest.raises(dataclasses.FrozenInstanceError):
        actual.nodes = []
    with pytest.raises(ValueError, match="read-only"):
        actual.weights[0] = 2


def test_a_matrix_that_does_not_fit_is_refused_before_it_is_made(monkeypatch):
    actual = Posterior(np.zeros((1, 1000), dtype=int))
    monkeypatch.setenv("GRAPHCLUST_MEMORY", "0.004")
    with pytest.raises(ResourceError, match="co-membership of 1000 nodes"):
        actual.co_membership()
    assert actual.co_membership(range(10)).shape == (10, 10)


@pytest.mark.parametrize(
    ("error", "arguments"),
    [
        (UsageError, {"samples": []}),
        (UsageError, {"samples": np.zeros((0, 3), dtype=int)}),
        (UsageError, {"samples": [0, 1]}),
        (UsageError, {"samples": [[0.0, 1.0]]}),
        (UsageError, {"samples": [[0, 1]], "log_prob": [0.0, 0.0]}),
        (UsageError, {"samples": [[0, 1]], "nodes": ["a"]}),
        (UsageError, {"samples": [[0, 1]], "weighting": "equal"}),
        (UsageError, {"samples": [[0, 1]], "weighting": "log_prob"}),
        (UsageError, {"samples": [[0, 1], [0, 0]], "log_prob": [0.0, np.nan], "weighting": "log_prob"}),
        (DataError, {"samples": [[0, 1]], "log_prob": [np.inf]}),
        (DataError, {"samples": [[0, 1]], "log_prob": [-np.inf], "weighting": "log_prob"}),
    ],
)
def test_samples_that_make_no_posterior_are_refused(error, arguments):
    with pytest.raises(error):
        Posterior(**arguments)


def test_questions_without_an_answer_are_refused():
    actual = Posterior([[0, 1]], nodes=["a", "b"])
    with pytest.raises(UsageError, match="log_prob"):
        actual.point_estimate("map")
    with pytest.raises(UsageError, match="map, vi or ami"):
        actual.point_estimate("mean")
    with pytest.raises(UsageError, match="'c' is not a node"):
        actual.co_membership(["a", "c"])
    with pytest.raises(UsageError):
        actual.confidence([0, 1, 1])


def samples_with_labels(rng, n=30, n_samples=20):
    """Partitions in which node 0 and 1 hold one label and node 2 another."""
    samples = rng.integers(0, 4, (n_samples, n))
    samples[:, 1] = samples[:, 0]
    samples[:, 2] = (samples[:, 0] + 1) % 4
    return samples


def test_membership_is_the_share_of_samples_together(rng):
    samples = samples_with_labels(rng)
    ids = [f"n{i}" for i in range(30)]
    actual = Posterior(samples, nodes=ids).membership(["n2", "n0"])
    np.testing.assert_allclose(actual, np.stack([(samples == samples[:, [i]]).mean(0) for i in (2, 0)], axis=1))
    assert actual[2, 0] == actual[0, 1] == actual[1, 1] == 1
    assert Posterior(samples, nodes=ids).membership([]).shape == (30, 0)
    with pytest.raises(UsageError, match="'x' is not a node"):
        Posterior(samples, nodes=ids).membership(["x"])


def test_no_other_labels_are_right_more_often(rng):
    samples = samples_with_labels(rng)
    posterior, known = Posterior(samples), [0, 1, 2]
    labels = samples[3]
    actual = posterior.labelled(labels, known)
    held = np.isin(labels, labels[known])
    np.testing.assert_array_equal(actual[~held], labels[~held])
    np.testing.assert_array_equal(actual[known], labels[known])
    share = posterior.membership([0, 2])
    np.testing.assert_allclose(posterior.confidence(actual, known)[held], share[held].max(axis=1))
    np.testing.assert_array_equal(posterior.labelled(actual, known), actual)
    np.testing.assert_array_equal(posterior.labelled(labels, []), labels)


def test_confidence_names_communities_by_the_nodes_they_hold(rng):
    samples = samples_with_labels(rng)
    posterior, known = Posterior(samples), [0, 1, 2]
    labels = samples[3]
    actual = posterior.confidence(labels, known)
    assert (actual[known] == 1).all()
    for place, node in ((0, 0), (1, 2)):
        inside = labels == labels[node]
        np.testing.assert_allclose(actual[inside], posterior.membership([0, 2])[inside, place])
    free = ~np.isin(labels, labels[known])
    apart = (samples != samples[:, [0]]) & (samples != samples[:, [2]])
    assert (actual[free] <= apart.mean(0)[free] + 1e-12).all()
    with pytest.raises(UsageError):
        posterior.confidence(labels[1:])
    with pytest.raises(UsageError, match="not a node"):
        posterior.confidence(labels, [99])
