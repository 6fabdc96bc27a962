"""Definitions as plain loops, slow and obvious. Nothing of graphclust is imported here."""

from __future__ import annotations

import math
from collections import Counter
from itertools import combinations, permutations


def set_partitions(n):
    """All partitions of n things as lists of labels, each label appearing first after all smaller ones."""
    if n == 0:
        return [[]]
    return [[*head, label] for head in set_partitions(n - 1) for label in range(max(head, default=-1) + 2)]


# ------------------------------------------------------------------------------------------------------ two partitions


def entropy(labels):
    n = len(labels)
    return -sum(size / n * math.log(size / n) for size in Counter(labels).values())


def mutual_information(first, second):
    return entropy(first) + entropy(second) - entropy(list(zip(first, second, strict=True)))


def expected_mutual_information(row_sizes, col_sizes):
    """Vinh, Epps & Bailey 2010: x common members of clusters of a and b nodes are hypergeometric."""
    n = sum(row_sizes)

    def log_choose(m, k):
        return math.lgamma(m + 1) - math.lgamma(k + 1) - math.lgamma(m - k + 1)

    total = 0.0
    for a in row_sizes:
        for b in col_sizes:
            for x in range(max(1, a + b - n), min(a, b) + 1):
                p = math.exp(log_choose(b, x) + log_choose(n - b, a - x) - log_choose(n, a))
                total += p * x / n * math.log(n * x / (a * b))
    return total


def ami(first, second):
    if len(set(zip(first, second, strict=True))) == len(set(first)) == len(set(second)):
        return 1.0
    expected = expected_mutual_information(list(Counter(first).values()), list(Counter(second).values()))
    most = (entropy(first) + entropy(second)) / 2
    return (mutual_information(first, second) - expected) / (most - expected) if most > expected + 1e-12 else 0.0


def vi(first, second):
    return 2 * entropy(list(zip(first, second, strict=True))) - entropy(first) - entropy(second)


def ari(first, second):
    """Hubert & Arabie 1985, by looking at every pair of nodes."""
    pairs = list(combinations(range(len(first)), 2))
    one = [first[i] == first[j] for i, j in pairs]
    two = [second[i] == second[j] for i, j in pairs]
    expected = sum(one) * sum(two) / len(pairs)
    return (sum(map(min, one, two)) - expected) / ((sum(one) + sum(two)) / 2 - expected)


def assignments(first, second):
    """Sets of correctly named nodes under each best one-to-one naming of the clusters of `second`."""
    names = sorted(set(first)) + [None] * len(set(second))
    found = {
        frozenset(
            i for i, label in enumerate(second) if dict(zip(sorted(set(second)), named, strict=True))[label] == first[i]
        )
        for named in permutations(names, len(set(second)))
    }
    most = max(map(len, found))
    return {right for right in found if len(right) == most}


# ----------------------------------------------------------------------------------------------- a partition of a graph


def coverage(edges, labels):
    """Edges as (source, target, weight)."""
    return sum(w for u, v, w in edges if labels[u] == labels[v]) / sum(w for _, _, w in edges)


# ---------------------------------------------------------------------------------------------------------- two covers


def average_f1(found, truth):
    def f1(one, two):
        common = len(one & two)
        precision, recall = common / len(one), common / len(two)
        return 2 * precision * recall / (precision + recall) if common else 0.0

    def directed(one, two):
        return sum(max(f1(c, d) for d in two) for c in one) / len(one)

    return (directed(found, truth) + directed(truth, found)) / 2


def onmi(found, truth, n):
    """McDaid, Greene & Hurley 2011, NMI_max, over all pairs of communities."""

    def h(count):
        return -(count / n) * math.log(count / n) if count else 0.0

    def alone(c):
        return h(len(c)) + h(n - len(c))

    def given(one, two):
        left = 0.0
        for c in one:
            best = alone(c)
            for d in two:
                neither, only_d, only_c, both = n - len(c | d), len(d - c), len(c - d), len(c & d)
                if h(neither) + h(both) >= h(only_d) + h(only_c):
                    best = min(best, h(neither) + h(both) + h(only_d) + h(only_c) - alone(d))
            left += best
        return left

    one, two = sum(map(alone, found)), sum(map(alone, truth))
    return (one - given(found, truth) + two - given(truth, found)) / 2 / max(one, two)


# -------------------------------------------------------------------------------------------------- weighted partitions


def co_membership(samples, weights, i, j):
    return sum(w for z, w in zip(samples, weights, strict=True) if z[i] == z[j])


def node_uncertainty(samples, weights, i):
    """Nats that one draw leaves open about the community of node i in another draw."""

    def members(z):
        return {j for j, label in enumerate(z) if label == z[i]}

    return sum(
        v * w * math.log(len(members(y)) / len(members(y) & members(z)))
        for y, v in zip(samples, weights, strict=True)
        for z, w in zip(samples, weights, strict=True)
    )


# ---------------------------------------------------------------------------------------------------------- generators


def seating_probability(labels, concentration, discount):
    """Chinese Restaurant Process: customers come one by one; labels in order of appearance."""
    p, sizes = 1.0, []
    for i, label in enumerate(labels):
        if label == len(sizes):
            p *= (concentration + len(sizes) * discount) / (concentration + i) if i else 1.0
            sizes.append(0)
        else:
            p *= (sizes[label] - discount) / (concentration + i)
        sizes[label] += 1
    return p


def power_law_exponent(values, low, high):
    """Maximum likelihood on low, ..., high, by halving: the expected logarithm falls in the exponent."""
    wanted = sum(math.log(v) for v in values) / len(values)
    least, most = -20.0, 20.0
    while most - least > 1e-6:
        tau = (least + most) / 2
        weights = {v: (v / low) ** -tau for v in range(low, high + 1)}
        mean = sum(w * math.log(v) for v, w in weights.items()) / sum(weights.values())
        least, most = (tau, most) if mean > wanted else (least, tau)
    return tau


def simple_graphs(degrees, allowed=lambda i, j: True):
    """All sets of pairs i < j, each allowed, in which node i has degrees[i] of them."""
    pairs = [pair for pair in combinations(range(len(degrees)), 2) if allowed(*pair)]
    chosen = combinations(pairs, sum(degrees) // 2)
    return [g for g in chosen if all(sum(i in pair for pair in g) == d for i, d in enumerate(degrees))]
