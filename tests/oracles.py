"""Definitions as plain loops, slow and obvious. Nothing of graphclust is imported here."""

from __future__ import annotations

import math
from collections import Counter
from itertools import combinations, permutations

import numpy as np


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
    single = [first[i] == first[j] for i, j in pairs]
    two = [second[i] == second[j] for i, j in pairs]
    expected = sum(single) * sum(two) / len(pairs)
    return (sum(map(min, single, two)) - expected) / ((sum(single) + sum(two)) / 2 - expected)


def assignments(first, second):
    """Sets of correctly named nodes under each best one-to-one naming of the clusters of `second`."""
    names = sorted(set(first)) + [None] * len(set(second))
    actual = {
        frozenset(
            i for i, label in enumerate(second) if dict(zip(sorted(set(second)), named, strict=True))[label] == first[i]
        )
        for named in permutations(names, len(set(second)))
    }
    most = max(map(len, actual))
    return {right for right in actual if len(right) == most}


# ----------------------------------------------------------------------------------------------- a partition of a graph


def coverage(edges, labels):
    """Edges as (source, target, weight)."""
    return sum(w for u, v, w in edges if labels[u] == labels[v]) / sum(w for _, _, w in edges)


# ---------------------------------------------------------------------------------------------------------- two covers


def average_f1(predicted, truth):
    def f1(first, two):
        common = len(first & two)
        precision, recall = common / len(first), common / len(two)
        return 2 * precision * recall / (precision + recall) if common else 0.0

    def directed(first, two):
        return sum(max(f1(c, d) for d in two) for c in first) / len(first)

    return (directed(predicted, truth) + directed(truth, predicted)) / 2


def onmi(predicted, truth, n):
    """McDaid, Greene & Hurley 2011, NMI_max, over all pairs of communities."""

    def h(count):
        return -(count / n) * math.log(count / n) if count else 0.0

    def alone(c):
        return h(len(c)) + h(n - len(c))

    def conditional_entropy(first, second):
        left = 0.0
        for c in first:
            best = alone(c)
            for d in second:
                neither, only_d, only_c, both = n - len(c | d), len(d - c), len(c - d), len(c & d)
                if h(neither) + h(both) >= h(only_d) + h(only_c):
                    best = min(best, h(neither) + h(both) + h(only_d) + h(only_c) - alone(d))
            left += best
        return left

    entropy, other_entropy = sum(map(alone, predicted)), sum(map(alone, truth))
    shared = entropy - conditional_entropy(predicted, truth) + other_entropy - conditional_entropy(truth, predicted)
    return shared / 2 / max(entropy, other_entropy)


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


# ------------------------------------------------------------------------- networks; weights as arrays by their names


def weights_of(module):
    return {name: value.detach().numpy().copy() for name, value in module.state_dict().items()}


def part_of(weights, name):
    return {key.removeprefix(f"{name}."): value for key, value in weights.items() if key.startswith(f"{name}.")}


def linear(weights, name, x):
    return weights[f"{name}.weight"] @ x + weights.get(f"{name}.bias", 0.0)


def attention(weights, x, others, heads):
    """Pakman et al., eqs. (20) and (22): one vector attends to a list of vectors; 0 if the list is empty."""
    d = len(weights["query.weight"])
    heads_out = []
    for head in range(heads):
        rows = slice(head * d // heads, (head + 1) * d // heads)
        query = linear(weights, "query", x)[rows]
        scores = [float(query @ linear(weights, "key", y)[rows]) / math.sqrt(d) for y in others]
        total = sum(math.exp(s) for s in scores)
        out = np.zeros(d // heads)
        for s, y in zip(scores, others, strict=True):
            out = out + math.exp(s) / total * linear(weights, "value", y)[rows]
        heads_out.append(out)
    return np.concatenate(heads_out)


def mab(weights, xs, ys, heads):
    """Eqs. (23) and (24)."""
    seen = []
    for x in xs:
        h = linear(weights, "query", x) + attention(weights, x, ys, heads)
        seen.append([value + max(0.0, more) for value, more in zip(h, linear(weights, "ff", h), strict=True)])
    return np.array(seen)


def pma(weights, xs, heads):
    return mab(part_of(weights, "block"), weights["seed"], xs, heads)[0]


def isab(weights, xs, heads):
    """Eq. (25)."""
    summary = mab(part_of(weights, "gather"), weights["inducing"], xs, heads)
    return mab(part_of(weights, "spread"), xs, summary, heads)


def batch_norm(weights, rows, training):
    rows = [np.asarray(row) for row in rows]
    if training:
        mean = sum(rows) / len(rows)
        variance = sum((row - mean) ** 2 for row in rows) / len(rows)
    else:
        mean, variance = weights["running_mean"], weights["running_var"]
    return [(row - mean) / np.sqrt(variance + 1e-5) * weights["weight"] + weights["bias"] for row in rows]


def spike_encoder(weights, waveform, label, n_layers):
    """One waveform, shape (channels, samples): convolutions of stride 2 with zeros around, then two linear layers."""
    signal = waveform
    for layer in range(n_layers):
        kernels, bias = weights[f"convolutions.{2 * layer}.weight"], weights[f"convolutions.{2 * layer}.bias"]
        half = kernels.shape[2] // 2
        moved = np.zeros((len(kernels), (signal.shape[1] + 1) // 2))
        for out, kernel in enumerate(kernels):
            for t in range(moved.shape[1]):
                total = bias[out]
                for channel, row in enumerate(signal):
                    for lag in range(-half, half + 1):
                        if 0 <= 2 * t + lag < len(row):
                            total += kernel[channel, half + lag] * row[2 * t + lag]
                moved[out, t] = total
        signal = leaky(moved, weights[f"convolutions.{2 * layer + 1}.weight"])
    h = linear(weights, "input.linear", signal.T.ravel())
    if label:
        h = h + weights["input.label.weight"][label]
    return linear(weights, "mlp.1", leaky(h, weights["mlp.0.weight"]))


def leaky(x, slope):
    return np.where(x > 0, x, slope * x)


def graphsage(weights, xs, neighbours, n_layers, training, residual=False):
    """Eq. (57); neighbours[i] are those of node i."""
    h = [linear(weights, "input.linear", x) for x in xs]
    for layer in range(n_layers):
        moved = []
        for i, near in enumerate(neighbours):
            mean = sum((h[j] for j in near), np.zeros_like(h[i])) / max(len(near), 1)
            moved.append(linear(weights, f"own.{layer}", h[i]) + linear(weights, f"neighbours.{layer}", mean))
        new = [np.maximum(v, 0) for v in batch_norm(part_of(weights, f"norms.{layer}"), moved, training)]
        h = [a + b for a, b in zip(h, new, strict=True)] if residual else new
    return np.array(h)


def gated_gcn(weights, xs, neighbours, n_layers, training, epsilon=1e-6):
    """Eqs. (58) to (60) as printed: h[l] and e[l] carry the layer's number; edge (i, j) leads from j to i."""
    h = [[linear(weights, "input.linear", x) for x in xs]]  # h[l][i]
    edges = [(i, j) for i, near in enumerate(neighbours) for j in near]
    ones = np.ones(len(h[0][0]))
    e = [dict.fromkeys(edges, ones)]  # e[0] = 1
    e_hat = [dict.fromkeys(edges, ones)]  # not printed
    for level in range(n_layers):
        if level > 0:
            A, B, C = (
                weights[f"states.{level - 1}.{name}.weight"] for name in ("at_target", "at_source", "from_state")
            )
            change = [A @ h[level - 1][i] + B @ h[level - 1][j] + C @ e_hat[level - 1][i, j] for i, j in edges]
            change = batch_norm(part_of(weights, f"states.{level - 1}.norm"), change, training) if edges else []
            e_hat.append(
                {edge: e_hat[level - 1][edge] + np.maximum(c, 0) for edge, c in zip(edges, change, strict=True)}
            )
            sigmoid = {edge: 1 / (1 + np.exp(-value)) for edge, value in e_hat[level].items()}
            e.append({(i, j): sigmoid[i, j] / (sum(sigmoid[i, k] for k in neighbours[i]) + epsilon) for i, j in edges})
        U, V = (weights[f"layers.{level}.{name}.weight"] for name in ("own", "neighbours"))
        inner = [
            U @ h[level][i] + sum((e[level][i, j] * (V @ h[level][j]) for j in neighbours[i]), 0 * ones)
            for i in range(len(xs))
        ]
        inner = batch_norm(part_of(weights, f"layers.{level}.norm"), inner, training)
        h.append([before + np.maximum(x, 0) for before, x in zip(h[level], inner, strict=True)])
    return np.array(h[n_layers])


def benchmark_gated_gcn(weights, xs, neighbours, n_layers, training, epsilon=1e-6):
    """GatedGCN of Dwivedi et al. 2020: every layer is gated, and by the vectors that it reads."""
    h = [linear(weights, "input.linear", x) for x in xs]
    d = len(h[0])
    edges = [(i, j) for i, near in enumerate(neighbours) for j in near]
    state = dict.fromkeys(edges, np.ones(d))
    for layer in range(n_layers):
        A, B, C = (weights[f"states.{layer}.{name}.weight"] for name in ("at_target", "at_source", "from_state"))
        U, V = (weights[f"layers.{layer}.{name}.weight"] for name in ("own", "neighbours"))
        moved = [A @ h[i] + B @ h[j] + C @ state[i, j] for i, j in edges]
        if edges:
            moved = batch_norm(part_of(weights, f"states.{layer}.norm"), moved, training)
        for edge, value in zip(edges, moved, strict=True):
            state[edge] = state[edge] + np.maximum(value, 0)
        gate = {edge: 1 / (1 + np.exp(-value)) for edge, value in state.items()}
        moved = []
        for i, near in enumerate(neighbours):
            total = sum((gate[i, j] for j in near), np.zeros(d)) + epsilon
            moved.append(U @ h[i] + sum((gate[i, j] / total * (V @ h[j]) for j in near), np.zeros(d)))
        moved = batch_norm(part_of(weights, f"layers.{layer}.norm"), moved, training)
        h = [a + np.maximum(b, 0) for a, b in zip(h, moved, strict=True)]
    return np.array(h)


def ordered_partitions(n):
    """All sequences of clusters, as ranks: 0 for the nodes of the first cluster."""
    return [
        [order[label] for label in labels]
        for labels in set_partitions(n)
        for order in permutations(range(max(labels, default=-1) + 1))
    ]


# ---------------------------------------------------------------- CLAM


def expected_normalized_cut(y, w):
    """Eq. 6 of Nazi et al. 2019, term by term: sums over clusters and ordered pairs of points."""
    n, k = y.shape
    degree = [sum(w[i][j] for j in range(n)) for i in range(n)]
    total = 0.0
    for c in range(k):
        volume = sum(y[i][c] * degree[i] for i in range(n))
        cut = sum(w[i][j] * y[i][c] * (1 - y[j][c]) for i in range(n) for j in range(n))
        total += cut / volume
    return total


def contrastive_loss(v, w, positive):
    """Section 4.2 of Nazi et al. 2019, for a pair."""
    distance = sum((a - b) ** 2 for a, b in zip(v, w, strict=True))
    return distance if positive else max(1 - distance, 0.0) ** 2


def clam_energy(v, prototypes, beta):
    """Eq. (1)."""
    return (
        -math.log(sum(math.exp(-beta * sum((r - c) ** 2 for r, c in zip(rho, v, strict=True))) for rho in prototypes))
        / beta
    )


def clam_states(v, prototypes, beta, moving, n_steps, step_size):
    """Eq. (4) on the coordinates that move; all states, the start first."""
    v = np.array(v, dtype=float)
    states = [v.copy()]
    for _ in range(n_steps):
        attraction = [math.exp(-beta * sum((r - c) ** 2 for r, c in zip(rho, v, strict=True))) for rho in prototypes]
        step = sum(a / sum(attraction) * (rho - v) for a, rho in zip(attraction, prototypes, strict=True))
        v = v + step_size * moving * step
        states.append(v.copy())
    return np.array(states)


def clam_loss(x, prototypes, beta, moving, start, n_steps, step_size):
    """Eq. (9) of one point and mask; eq. (8) where everything moves from x."""
    v = np.where(moving > 0, start, x)
    last = clam_states(v, prototypes, beta, moving, n_steps, step_size)[-1]
    return sum(m * (a - b) ** 2 for m, a, b in zip(moving, x, last, strict=True))
