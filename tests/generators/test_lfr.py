"""LFR: mu hit in every graph, the laws of degrees and sizes, simple graphs drawn uniformly, reasons for refusals."""

from __future__ import annotations

import importlib
import itertools
import subprocess
import sys
from collections import Counter

import numpy as np
import pytest
from scipy import stats

import graphclust as gc
from graphclust.generators import _wiring, lfr
from tests import oracles

module = importlib.import_module("graphclust.generators.lfr")

MUS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6)
BOUNDS = {  # Lancichinetti & Fortunato 2009's two kinds of communities
    "small": {"average_degree": 15, "max_degree": 50, "min_community": 10, "max_community": 50},
    "big": {"average_degree": 20, "max_degree": 50, "min_community": 20, "max_community": 100},
}


def checked(n, mu, seed, bounds):
    """Draw a graph, check what holds for each one, and return its degrees and community sizes."""
    graph = lfr(n, mu=mu, random_state=seed, **bounds)
    assert graph.num_nodes == len(graph.y) == n
    assert (graph.source < graph.target).all(), "a self-loop"
    assert graph.weight is None, "an edge was drawn twice"
    assert "merged_edges" not in graph.meta
    ends, others = np.concatenate((graph.source, graph.target)), np.concatenate((graph.target, graph.source))
    degree = np.bincount(ends, minlength=n)
    leaves = np.bincount(ends, weights=graph.y[ends] != graph.y[others], minlength=n)
    assert leaves.sum() / degree.sum() == pytest.approx(mu, abs=0.002)
    assert (leaves / degree).mean() == pytest.approx(mu, abs=0.005)
    sizes = np.bincount(graph.y)
    assert bounds["min_community"] <= sizes.min() <= sizes.max() <= bounds["max_community"]
    assert degree.max() <= bounds["max_degree"]
    reported = graph.meta["realised"]
    assert reported["mu"] == pytest.approx(leaves.sum() / degree.sum(), abs=1e-12)
    assert reported["mu_nodes"] == pytest.approx((leaves / degree).mean(), abs=1e-12)
    assert reported["average_degree"] == pytest.approx(degree.mean(), abs=1e-12)
    assert (reported["min_degree"], reported["max_degree"]) == (degree.min(), degree.max())
    assert (reported["n_communities"], reported["min_community"], reported["max_community"]) == (
        len(sizes), sizes.min(), sizes.max(),
    )  # fmt: skip
    return degree, sizes


def check_exponents(n, mus, seeds, bounds):
    """Check both exponents in the mean over graphs, and the average degree."""
    drawn = [checked(n, mu, 100 * seed + i, bounds) for i, mu in enumerate(mus) for seed in seeds]
    least = min(degree.min() for degree, _ in drawn) + 1  # the least degree itself is rarer, to fit the average
    tau1 = [oracles.power_law_exponent(degree[degree >= least].tolist(), least, 50) for degree, _ in drawn]
    span = bounds["min_community"], bounds["max_community"]
    tau2 = [oracles.power_law_exponent(sizes.tolist(), *span) for _, sizes in drawn]
    assert np.mean(tau1) == pytest.approx(2.5, abs=0.1)
    assert np.mean(tau2) == pytest.approx(1.5, abs=0.1)
    assert np.mean([degree.mean() for degree, _ in drawn]) == pytest.approx(bounds["average_degree"], rel=0.005)


@pytest.mark.parametrize("bounds", BOUNDS.values(), ids=BOUNDS)
@pytest.mark.parametrize("mu", MUS)
def test_every_small_graph_hits_mu(mu, bounds):
    for seed in range(6):
        checked(1000, mu, seed, bounds)


@pytest.mark.parametrize("bounds", BOUNDS.values(), ids=BOUNDS)
def test_laws(bounds):
    check_exponents(10_000, (0.1, 0.6), range(4), bounds)


@pytest.mark.slow
@pytest.mark.parametrize("bounds", BOUNDS.values(), ids=BOUNDS)
def test_laws_of_large_graphs(bounds):
    check_exponents(100_000, MUS, range(2), bounds)


def test_every_drawn_half_edge_is_placed(monkeypatch):
    drawn = []
    for name in ("_draw_degrees", "_draw_sizes"):
        plain = getattr(module, name)
        monkeypatch.setattr(module, name, lambda *args, plain=plain: drawn.append(plain(*args)) or drawn[-1])
    degree, sizes = checked(1000, 0.3, 5, BOUNDS["small"])
    np.testing.assert_array_equal(np.sort(degree), np.sort(drawn[-2]))
    np.testing.assert_array_equal(np.sort(sizes), np.sort(drawn[-1]))


@pytest.mark.parametrize("mu", [0.0, 1.0])
def test_nothing_or_everything_leaves(mu):
    graph = lfr(500, mu=mu, min_degree=3, max_degree=20, min_community=20, random_state=1)
    leaving = np.count_nonzero(graph.y[graph.source] != graph.y[graph.target])
    if mu:
        assert leaving == graph.num_edges
    else:
        assert 2 * leaving <= graph.y.max() + 1  # one end for each community of an odd sum


def test_degrees_between_their_bounds_have_the_power_law():
    n = 10_000
    graph = lfr(n, mu=0.5, tau1=2.0, min_degree=3, max_degree=12, min_community=20, random_state=0)
    seen = np.bincount(graph.degree().astype(int), minlength=13)
    assert seen[:3].sum() == 0
    law = np.arange(3.0, 13) ** -2
    assert stats.chisquare(seen[3:], law / law.sum() * n).pvalue > 1e-3


def test_average_degree_is_mixed_exactly():
    for tau, mean, high in ((2.5, 20, 50), (2, 15.3, 50), (0, 7, 9), (3.0, 9, 9), (20, 1.001, 1000)):
        least, law = module._law_of_mean(tau, mean, high)
        assert law.sum() == pytest.approx(1, abs=1e-12)
        assert law @ np.arange(least, high + 1) == pytest.approx(mean, rel=1e-12)
        ratio = np.arange(least + 1.0, high + 1) ** -tau
        np.testing.assert_allclose(law[1:] / law[1:].sum(), ratio / ratio.sum(), rtol=1e-9)
        if len(law) > 1:
            assert law[0] / law[1] <= (least / (least + 1)) ** -tau * (1 + 1e-9)


def test_sizes_are_independent_given_their_sum():
    law, rng = module._power_law(1.5, 2, 5), np.random.default_rng(0)
    drawn = Counter(tuple(module._draw_sizes(law, 2, 11, rng).tolist()) for _ in range(5000))
    ways = [s for k in range(1, 6) for s in itertools.product(range(2, 6), repeat=k) if sum(s) == 11]
    p = np.array([np.prod([law[size - 2] for size in way]) for way in ways])
    assert set(drawn) <= set(ways)
    assert stats.chisquare([drawn[way] for way in ways], p / p.sum() * 5000).pvalue > 1e-3


def test_internal_degrees_are_placed_uniformly(rng):
    need, sizes, first = np.array([2, 2, 1, 1, 0, 0]), np.array([3, 2, 1]), np.array([3, 1, 0])
    community = np.array([2, 1, 1, 0, 0, 0])
    ways = {
        slots for slots in itertools.permutations(range(6))
        if all(sizes[community[slot]] > d for slot, d in zip(slots, need, strict=True))
    }  # fmt: skip
    drawn = Counter(tuple(_wiring.assign(need, sizes, first, rng).tolist()) for _ in range(3000))
    assert set(drawn) <= ways
    assert stats.chisquare([drawn[way] for way in ways]).pvalue > 1e-3
    assert _wiring.assign(np.array([2, 2, 2, 2, 0, 0]), sizes, first, rng)[3:].tolist() == [-1, -1, -1]


def test_graphical_sequences():
    for n in range(1, 6):
        for degrees in itertools.combinations_with_replacement(range(n), n):
            if sum(degrees) % 2 == 0:
                assert _wiring.is_graphical(np.array(degrees)) == bool(oracles.simple_graphs(degrees)), degrees


def test_settled_degrees_are_graphical(rng):
    for _ in range(300):
        sizes = rng.integers(1, 9, size=5)
        most = np.repeat(sizes, sizes) - 1
        degree = rng.integers(1, 9, size=len(most))
        arguments = np.minimum(np.minimum(degree, most), rng.integers(0, 9, size=len(most)))
        inside = arguments.copy()
        moved = _wiring.settle(inside, degree, sizes, rng)
        assert (inside >= 0).all()
        assert (inside <= np.minimum(degree, most)).all()
        assert np.abs(inside - arguments).sum() <= moved
        for part, before in zip(*(np.split(d, np.cumsum(sizes)[:-1]) for d in (inside, arguments)), strict=True):
            assert part.sum() % 2 == 0
            assert _wiring.is_graphical(part)
            if before.sum() % 2 == 0 and _wiring.is_graphical(before):
                np.testing.assert_array_equal(part, before)


def edges_of(owner, ends):
    return tuple(sorted((a, b) for a, b in zip(owner.tolist(), ends.tolist(), strict=True) if a < b))


@pytest.mark.parametrize(
    "degrees", [(1, 1, 2, 2, 2), (1, 2, 3, 3, 2, 1), (3, 3, 2, 2, 2), (5, 5, 4, 4, 4, 4), (4, 4, 4, 3, 3, 2)]
)
def test_graphs_inside_are_uniform(degrees, rng):
    degree = np.array(degrees)
    everything = oracles.simple_graphs(degrees)
    start, owner = np.concatenate(([0], np.cumsum(degree))), np.repeat(np.arange(len(degree)), degree)
    sizes, rising = np.array([len(degree)]), np.argsort(degree, kind="stable")
    drawn = Counter(edges_of(owner, _wiring.wire_inside(owner, start, sizes, rising, rng)) for _ in range(4000))
    assert set(drawn) == set(everything)
    assert stats.chisquare([drawn[graph] for graph in everything]).pvalue > 1e-3


@pytest.mark.parametrize(
    ("degrees", "groups"),
    [
        ((1, 2, 1, 2, 1, 1), (0, 0, 1, 1, 2, 2)),
        ((2, 2, 2, 2, 2, 2), (0, 0, 1, 1, 2, 2)),
        ((3, 1, 1, 2, 2, 1), (0, 0, 1, 2, 3, 3)),
    ],
)
def test_graphs_outside_are_uniform(degrees, groups, rng):
    degree, group = np.array(degrees), np.array(groups)
    everything = oracles.simple_graphs(degrees, lambda i, j: groups[i] != groups[j])
    start, owner = np.concatenate(([0], np.cumsum(degree))), np.repeat(np.arange(len(degree)), degree)
    drawn = Counter()
    for _ in range(4000):
        ends, bad = _wiring.wire_outside(owner, start, group, rng.permutation(len(owner)), rng)
        if not bad:  # graphs as small as these can be stuck, with nothing but self-loops: then lfr draws anew
            drawn[edges_of(owner, ends)] += 1
    assert drawn.total() > 3900
    assert set(drawn) == set(everything)
    assert stats.chisquare([drawn[graph] for graph in everything]).pvalue > 1e-3


def test_edges_that_cannot_be_placed_are_counted(rng):
    owner, start = np.array([0, 0, 1, 2]), np.array([0, 2, 3, 4])
    assert _wiring.wire_outside(owner, start, np.array([0, 1, 1]), rng.permutation(4), rng)[1] == 0
    assert _wiring.wire_outside(owner, start, np.array([0, 0, 1]), rng.permutation(4), rng)[1] > 0


def test_exponents_are_fitted():
    rng = np.random.default_rng(0)
    for tau in (0.0, 1.0, 2.7, 6.0):
        values = module._draw(module._power_law(tau, 4, 60), 4, 500, rng)
        assert module._fit(values, 4, 60) == pytest.approx(oracles.power_law_exponent(values.tolist(), 4, 60), abs=1e-5)
    assert module._fit(np.array([4, 4]), 4, 60) is None
    assert module._fit(np.array([60, 60]), 4, 60) is None


def test_seed_and_recorded_parameters_fix_the_graph():
    first, second = (lfr(300, mu=0.2, random_state=seed) for seed in (1, 2))
    again = lfr(**{key: value for key, value in first.meta["generator"].items() if key != "family"})
    assert first.source.tolist() == again.source.tolist()
    assert first.y.tolist() == again.y.tolist()
    assert first.meta == again.meta
    assert first.source.tolist() != second.source.tolist()


def test_order_of_the_nodes_tells_nothing():
    graphs = [lfr(400, mu=0.3, random_state=seed) for seed in range(30)]
    same = np.mean([np.mean(np.diff(g.y) == 0) for g in graphs])
    chance = np.mean([(np.bincount(g.y) ** 2).sum() / 400**2 for g in graphs])
    assert same == pytest.approx(chance, abs=0.02)
    trend = np.mean([np.corrcoef(np.arange(400), g.degree())[0, 1] for g in graphs])
    assert abs(trend) < 4 / np.sqrt(30 * 400)


@pytest.mark.parametrize("n", [10, 30, 100, 300])
def test_defaults_fit_graphs_of_any_size(n):
    for seed in range(5):
        assert lfr(n, random_state=seed).meta["realised"]["mu"] == pytest.approx(0.3, abs=2 / n)


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"mu": 1.2}, "mu is a share"),
        ({"mu": float("nan")}, "mu is a share"),
        ({"tau1": -1.0}, "tau1"),
        ({"tau2": float("inf")}, "tau2"),
        ({"average_degree": 5, "min_degree": 3}, "not both"),
        ({"max_degree": 1000}, "1 to 999 neighbours"),
        ({"min_degree": 60, "max_degree": 50}, "not 60 and 50"),
        ({"min_degree": 0}, "max_degree is 0"),
        ({"average_degree": 60, "max_degree": 50}, "must be between 1.74 and 50"),
        ({"n_nodes": 999, "min_degree": 5, "max_degree": 5}, "even number"),
        ({"n_nodes": 0}, "0 nodes"),
        ({"min_community": 0}, "are impossible for"),
        ({"min_community": 60, "max_community": 55}, "are impossible for"),
        ({"min_community": 400, "max_community": 450}, "never add up to 1000"),
        ({"min_community": 600, "max_community": 1000}, "only one community"),
        ({"max_degree": 50, "max_community": 30}, "mean 35 neighbours in one's community"),
        ({"n_nodes": 60, "mu": 1, "max_degree": 50, "min_community": 20}, "mean 50 neighbours in other communities"),
        ({"mu": 0.1, "min_degree": 20, "max_degree": 50, "min_community": 10}, "no community of 10 nodes"),
        (
            {"mu": 0, "average_degree": 8, "max_degree": 20, "min_community": 5, "max_community": 25},
            "more than 5 nodes",
        ),
        ({"mu": 0.3, "min_community": 350, "max_community": 650}, "than all others together"),
    ],
)
def test_parameters_that_no_graph_has(options, why):
    with pytest.raises(gc.UsageError, match=why):
        lfr(**({"n_nodes": 1000, "random_state": 0} | options))


def test_import_is_light():
    code = "import graphclust.generators, sys; print({'numba', 'scipy'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


@pytest.mark.parametrize(
    ("n", "mu", "overlapping", "memberships"),
    [(1000, 0.1, 100, 2), (1000, 0.3, 300, 4), (1000, 0.3, 100, 4), (3000, 0.1, 900, 2), (600, 0.2, 600, 2)],
)
def test_overlapping_communities(n, mu, overlapping, memberships):
    for seed in range(3):
        graph = lfr(
            n, mu=mu, overlapping_nodes=overlapping, memberships=memberships, random_state=seed, **BOUNDS["big"]
        )
        assert (graph.source != graph.target).all()
        keys = np.minimum(graph.source, graph.target) * n + np.maximum(graph.source, graph.target)
        assert len(np.unique(keys)) == graph.num_edges
        assert graph.weight is None
        communities = graph.meta["communities"]
        assert all(len(np.unique(members)) == len(members) for members in communities)
        number = np.bincount(np.concatenate(communities), minlength=n)
        assert (number == memberships).sum() == overlapping
        assert (number == 1).sum() == n - overlapping
        homes = np.zeros((n, len(communities)), dtype=bool)
        for label, members in enumerate(communities):
            homes[members, label] = True
        assert homes[np.arange(n), graph.y].all()
        shares = (homes[graph.source] & homes[graph.target]).any(axis=1)
        assert 1 - shares.mean() == pytest.approx(mu, abs=0.01)
        assert graph.meta["realised"]["mu"] == pytest.approx(1 - shares.mean())
        assert graph.meta["realised"]["n_communities"] == len(communities)
        inside = np.zeros((n, len(communities)))  # neighbours of each node in each of its communities
        for a, b in ((graph.source, graph.target), (graph.target, graph.source)):
            np.add.at(inside, a, homes[b] & homes[a])
        shared = number == memberships
        most = np.where(homes[shared], inside[shared], -np.inf).max(axis=1)
        least = np.where(homes[shared], inside[shared], np.inf).min(axis=1)
        assert (most - least).mean() < 2.5  # an m-th each, and edges to nodes of two shared communities count twice
        other = lfr(
            n, mu=mu, overlapping_nodes=overlapping, memberships=memberships, random_state=seed, **BOUNDS["big"]
        )
        assert np.array_equal(graph.source, other.source)
        assert np.array_equal(graph.target, other.target)


def test_overlap_that_is_impossible():
    for arguments, message in (
        ({"overlapping_nodes": 101}, "between 0 and the 100 nodes"),
        ({"overlapping_nodes": -1}, "between 0 and the 100 nodes"),
        ({"overlapping_nodes": 5, "memberships": 1}, "are 2 or more, not 1"),
        ({"overlapping_nodes": 90, "memberships": 9}, "nodes have an internal degree of 9"),
    ):
        with pytest.raises(gc.UsageError, match=message):
            lfr(100, mu=0.3, average_degree=8, random_state=0, **arguments)


def test_overlapping_communities_are_written_one_a_line(tmp_path, capsys):
    from graphclust.__main__ import main

    names = [str(tmp_path / name) for name in ("g.edgelist", "truth.cmty")]
    command = ["generate", "lfr", "--nodes", "300", "--overlapping-nodes", "30", "--memberships", "3", "--mu", "0.1"]
    assert main([*command, "--seed", "2", "--out", names[0], "--labels", names[1]]) == 0
    graph = lfr(300, mu=0.1, overlapping_nodes=30, memberships=3, random_state=2)
    communities = graph.meta["communities"]
    assert f"{len(communities)} communities" in capsys.readouterr().err
    lines = (tmp_path / "truth.cmty").read_text().splitlines()
    assert [sorted(map(int, line.split("\t"))) for line in lines] == [members.tolist() for members in communities]
