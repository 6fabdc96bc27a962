"""What tests of estimators on vectors share: small data, and the checks of scikit-learn."""

from __future__ import annotations

import warnings

import numpy as np
from sklearn.utils.estimator_checks import check_estimator

import graphclust as gc
from graphclust.graph import Graph
from graphclust.methods import lnscc_settings, lnscc_starts


def blobs(rng, k=3, d=6, size=60):
    centers = 8 * np.eye(max(k, d))[:k, :d]
    return np.concatenate([c + rng.normal(size=(size, d)) for c in centers]), np.repeat(np.arange(k), size)


def featured(seed, n=120, k=3):
    """Draw a graph of planted blocks whose nodes have features that tell the blocks badly."""
    graph = gc.generators.planted_partition(n, k, p_in=0.3, p_out=0.03, random_state=seed)
    x = np.eye(k)[graph.y] + np.random.default_rng(seed).normal(size=(n, k))
    return Graph.from_edges(graph.source, graph.target, nodes=n, x=x, y=graph.y)


def flat(method, n_clusters=None, **params):
    """Make an estimator from parameters and settings of its training alike."""
    names = method.parameters()
    training = {name: value for name, value in params.items() if name not in names}
    params = {name: value for name, value in params.items() if name in names}
    return method(n_clusters, **params, **({"training": training} if training else {}))


def train_lnscc_briefly(monkeypatch, steps=8, teaching_steps=100):
    """Give LNSCC so few steps an epoch, and so few for its head to learn where it starts."""
    monkeypatch.setattr(lnscc_settings, "_MIN_STEPS", steps)
    monkeypatch.setattr(lnscc_starts, "_TEACHING_STEPS", teaching_steps)


def assert_scikit_learns_contract(estimator):
    """All of its checks but one, which needs SCIPY_ARRAY_API set before SciPy is first imported."""
    state = np.random.get_state()  # noqa: NPY002  the checks seed the global generator
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        results = check_estimator(estimator, on_fail=None, on_skip=None)
    np.random.set_state(state)  # noqa: NPY002
    bad = {result["check_name"]: str(result["exception"]) for result in results if result["status"] != "passed"}
    assert set(bad) <= {"check_array_api_input"}, bad
    assert len(results) > 35
