"""Moves in a tree of groups: what they report is what they change, and it is the description length that changes."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

import graphclust as gc
from graphclust.inference.description_length import describe
from graphclust.inference.edge_weights import WEIGHT_MODELS
from graphclust.inference.group_search import GroupSearch, Multigraph, TreeModel

N = 40


def random_graph(seed, kind="one-mode"):
    """Edges with parallel ones and self-loops; of a two-mode graph, between its sides; or with weights to describe."""
    rng = np.random.default_rng(seed)
    ends = rng.integers(0, N, (2, 120))
    if kind == "two-mode":
        ends = np.stack((ends[0] // 2, N // 2 + ends[1] // 2))
    directed = "directed" in kind
    ends, count = np.unique(ends if directed else np.sort(ends, axis=0), axis=1, return_counts=True)
    weight_model = kind.split()[-1] if kind.split()[-1] in WEIGHT_MODELS else None
    if weight_model is not None:
        ends = ends[:, ends[0] != ends[1]]
        count = np.exp(rng.normal(size=ends.shape[1]))
        count = np.ceil(count) if weight_model in ("geometric", "poisson") else count
    graph = gc.Graph.from_edges(*ends, count.astype(float), nodes=N, directed=directed)
    return graph, Multigraph.of(graph, weight_model)


def random_parents(rng, n_levels, sides=None):
    """Groups of the nodes, their parents, and so on; no group has nodes of both sides."""
    side = np.zeros(N, dtype=np.int64) if sides is None else sides
    parents = []
    for most in (12, 5, 3)[:n_levels]:
        groups = np.unique(rng.integers(0, most, len(side)) * 2 + side, return_inverse=True)[1]
        first = np.unique(groups, return_index=True)[1]
        parents.append(groups)
        side = side[first]
    return parents


SIDES = np.repeat([0, 1], N // 2)
CASES = pytest.mark.parametrize(
    ("model", "n_levels", "kind"),
    [
        (model, n_levels, kind)
        for model in ("sbm", "dc-sbm")
        for n_levels in (0, 1, 3)  # 0: a flat partition
        for kind in ("one-mode", "two-mode", "directed")
    ]
    + [
        ("dc-sbm", n_levels, kind)
        for n_levels in (0, 1)
        for kind in ("exponential", "geometric", "poisson", "directed normal", "directed log-normal")
    ]
    + [("assortative", 0, "one-mode"), ("assortative-uniform", 0, "one-mode")],
)


def sides_of(kind):
    return SIDES if kind == "two-mode" else None


def search_of(model, n_levels, kind, seed):
    graph, rows = random_graph(seed, kind)
    sides = sides_of(kind)
    tree_model = TreeModel.of(model, is_nested=n_levels > 0, sides=sides)
    parents = random_parents(np.random.default_rng(seed), max(n_levels, 1), sides)
    return graph, GroupSearch(rows, parents, tree_model, seed)


def total(graph, search, model):
    levels, weights = search.labels(), search.graph.weight_model
    how = {"sides": search.model.sides, "weight_model": None if weights is None else weights.name}
    if search.model.is_nested:  # above the last level there is the root, even if it is alone
        levels = [*levels, np.zeros(N, dtype=np.int64)]
    return describe(graph, levels if search.model.is_nested else levels[0], model, **how).total


@CASES
def test_lengths_differ_as_description_lengths_do(model, n_levels, kind):
    graph, search = search_of(model, n_levels, kind, 0)
    offset = total(graph, search, model) - search.length()
    for seed in range(8):
        search.build(random_parents(np.random.default_rng(seed), max(n_levels, 1), sides_of(kind)))
        assert search.length() + offset == pytest.approx(total(graph, search, model), abs=1e-8)


@CASES
@pytest.mark.parametrize("seed", range(3))
def test_moves_report_what_they_change(model, n_levels, kind, seed):
    _, search = search_of(model, n_levels, kind, seed)
    before, sides = search.length(), sides_of(kind)
    first_merges = {"n_merges": 2}
    for merges in (first_merges, {"n_merges": 100, "least": 0.0}, {"n_merges": 100, "least": 0.0}):
        moves = [
            (search.settle, {"most": 1, "can_change_number": merges is not first_merges}),
            (search.split, {}),
            (search.split, {"with_partners": True}),
            (search.merge, merges),
        ]
        for level, (move, how) in product(range(search.n_levels), moves):
            change = move(level=level, **how)
            after = search.length()
            assert after - before == pytest.approx(change, abs=1e-8)
            search.build(search.parents())  # counts all edges anew
            before = search.length()
            assert before == pytest.approx(after, abs=1e-8)
            if sides is not None:
                assert all(len(set(sides[search.labels()[0] == g])) == 1 for g in range(search.n_groups()))


@pytest.mark.parametrize(
    ("seed", "kind", "model"),
    [
        *(
            (seed, kind, model)
            for seed, kind in enumerate(["one-mode"] * 2 + ["directed"] * 2)
            for model in ("sbm", "dc-sbm")
        ),
        *((seed, "one-mode", model) for seed in range(2) for model in ("assortative", "assortative-uniform")),
    ],
)
def test_no_node_has_a_better_group_at_the_end(model, seed, kind):
    graph, search = search_of(model, 0, kind, seed)
    search.polish()
    labels = search.labels()[0]
    shortest = describe(graph, labels, model).total
    for node in range(N):
        for group in range(labels.max() + 2):
            moved = labels.copy()
            moved[node] = group
            assert describe(graph, moved, model).total > shortest - 1e-3


@pytest.mark.parametrize("nested", [False, True])
def test_planted_groups_are_found_from_single_nodes(nested):
    graph = gc.generators.planted_partition(300, 6, p_in=0.3, p_out=0.02, random_state=0)
    rows = Multigraph.of(graph)
    search = GroupSearch(rows, [np.arange(300)], TreeModel(is_nested=False), 0)
    _, parents = min(search.agglomerate(), key=lambda row: row[0])
    search = GroupSearch(rows, parents, TreeModel(is_nested=nested), 0)
    if nested:
        search.nest()
    search.polish()
    assert gc.metrics.ami(search.labels()[0], graph.y) > 0.99
    assert len(search.labels()) == search.n_levels


def test_two_levels_of_groups_are_found():
    """Four parts of five groups each."""
    rng = np.random.default_rng(0)
    fine = np.repeat(np.arange(20), 20)
    coarse = fine // 5
    rate = np.where(fine[:, None] == fine, 0.5, np.where(coarse[:, None] == coarse, 0.1, 0.005))
    source, target = np.nonzero(np.triu(rng.random((400, 400)) < rate, 1))
    rows = Multigraph.of(gc.Graph.from_edges(source, target, nodes=400))
    search = GroupSearch(rows, [fine], TreeModel(is_nested=True), 0)
    search.nest()
    search.polish()
    assert gc.metrics.ami(search.labels()[0], fine) > 0.98
    assert gc.metrics.ami(search.labels()[1], coarse) > 0.98


def test_fixed_nodes_stay_and_the_number_of_groups_is_kept():
    _, rows = random_graph(0)
    start = np.arange(N) % 5
    is_fixed = np.arange(N) < 3  # in groups 0, 1 and 2
    search = GroupSearch(rows, [start], TreeModel(is_fixed=is_fixed), 0)
    search.polish()
    assert len(set(search.labels()[0][:3].tolist())) == 3
    search = GroupSearch(rows, [start], TreeModel(keeps_number=True), 0)
    search.polish()
    assert search.n_groups() == 5


def test_a_table_that_gets_full_is_built_anew():
    _, rows = random_graph(1)
    search = GroupSearch(rows, [np.arange(N)], TreeModel(), 0)
    for move in (search.settle, lambda: search.merge(5), lambda: search.agglomerate()[-1][0]):
        search.build([np.arange(N)])
        search.tree.totals["n_entries"] = int(0.7 * len(search.tree.table)) - 1
        move()
        assert search.tree.totals["n_entries"] < 0.5 * len(search.tree.table)
        length = search.length()
        search.build(search.parents())
        assert search.length() == pytest.approx(length, abs=1e-8)
    assert search.n_groups() == 1
