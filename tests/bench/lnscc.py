"""Bars of LNSCC that `graphclust reproduce` does not hold: `python tests/bench/lnscc.py [PART ...]`.

`step`: MNIST-test, the published network, batches of 200: a step of ours (edges drawn by their quantities, each node
embedded once) against two that draw from edges that are really repeated and embed both ends of every pair: "literal"
takes a batch from each data set, and beta batches of unconnected pairs; "literal, sparing" spreads one batch over the
data sets of edges by their sizes. Beside the times, the variance of the gradients: time at equal variance is what
counts. `added`: after how many steps the published SGD diverges on USPS if the losses of a batch are added, as the
equations are printed. `neighbors`: the 10 nearest neighbours of MNIST's 70,000 points, by the approximate search, which
is the default for so many, and exactly: time, recall, memory; `images`: the same up to a move by one pixel. `same`: how
many neighbours are of the same class, with and without the move. `starts`: the clusterings that the head may start at,
for each of three embeddings of Fashion-MNIST: which label-free number chooses the better ones; `weights`: the same on
the ten for which the weights were chosen. `baseline`: k-means on the pixels of MNIST-test and USPS, as they are,
standardised, of length 1 and in black and white, beside what the paper prints for it. All need the real data
(GRAPHCLUST_DATA).
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import numpy as np
import torch
from scipy.stats import spearmanr
from torch import Tensor

from graphclust.kernels.eigenvectors import rows_of_length_one
from graphclust.kernels.kmeans import kmeans
from graphclust.kernels.neighbors import locally_normalized, nearest_neighbors
from graphclust.methods import lnscc_training
from graphclust.methods.lnscc import LNSCC
from graphclust.methods.lnscc_starts import merged_communities
from graphclust.metrics import accuracy
from graphclust.models.lnscc import Contrast, distance, log_separation
from graphclust.models.mixture import refined_by_mixture
from graphclust.nn.parallel import ParallelMLP
from graphclust.reproduce.lnscc_tables import DATA
from graphclust.reproduce.sheet import scored, table_of
from graphclust.runtime.arrays import FloatArray, IntArray
from graphclust.runtime.memory import PeakMemory, format_bytes

BATCH = 200
BETA = 5
NEIGHBORS = 10


class Repeated:
    """The data sets of eqs. (7), (8), (12) and (16), and a loss whose pairs are embedded one by one."""

    def __init__(self, contrast: Contrast, n: int, beta: float, generator: torch.Generator) -> None:
        q = contrast.quantities
        self.sets = [
            contrast.ends[:, torch.repeat_interleave(torch.arange(len(numbers)), numbers.long())]
            for numbers in (q.attract, q.repel, q.contract)
        ]
        self.apart = round(beta * self.sets[0].shape[1])
        self.n, self.keys = n, set((contrast.ends[0] * n + contrast.ends[1]).tolist())
        self.generator = generator
        self.total = sum(pairs.shape[1] for pairs in self.sets)
        self.sets.append(self._unconnected(self.apart))

    def _unconnected(self, size: int) -> Tensor:
        pairs = torch.randint(self.n, (2, size), generator=self.generator)
        low, high = pairs.min(0).values, pairs.max(0).values
        keys = (low * self.n + high).tolist()
        free = torch.tensor([key not in self.keys for key in keys]) & (low != high)
        return pairs[:, free]

    def loss(self, network: Callable[[Tensor], Tensor], x: Tensor, sparing: bool) -> Tensor:
        """Estimate the sum of the losses over the repeated edges, over their number."""
        total = torch.zeros(())
        for i, pairs in enumerate(self.sets):
            size = max(1, round(BATCH * pairs.shape[1] / self.total)) if sparing else BATCH * (BETA if i == 3 else 1)
            drawn = pairs[:, torch.randint(pairs.shape[1], (size,), generator=self.generator)]
            terms = self._terms(i, drawn, network, x)
            n_pairs = self.apart if i == 3 else pairs.shape[1]
            total = total + terms.mean() * n_pairs / self.total
        return total

    def added(self, network: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
        """Return eqs. (9), (13) and (17) as they stand: sums over a batch from each data set."""
        total = torch.zeros(())
        for i, pairs in enumerate(self.sets):
            drawn = pairs[:, torch.randint(pairs.shape[1], (BATCH,), generator=self.generator)]
            total = total + self._terms(i, drawn, network, x).sum()
        return total

    def _terms(self, i: int, pairs: Tensor, network: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
        """Return the losses of pairs of data set i, shape (number of pairs,)."""
        d = distance(network(x[pairs[0]])[0], network(x[pairs[1]])[0])
        return d if i in (0, 2) else -log_separation(d)


def added(limit: int = 30) -> None:
    """Print after how many steps the published SGD diverges on USPS if the losses of a batch are added."""
    x, _ = table_of("usps")
    n = len(x)
    x = (x - x.min()) / (x.max() - x.min())
    index, square = nearest_neighbors(x, NEIGHBORS)
    affinity = locally_normalized(np.repeat(np.arange(n), NEIGHBORS), index.ravel(), np.sqrt(square).ravel(), n)
    contrast, table = Contrast(affinity), torch.as_tensor(x, dtype=torch.float32)
    for seed in range(3):
        generator = torch.Generator().manual_seed(seed)
        network = ParallelMLP((x.shape[1], 500, 500, 2000, 64), generator=generator)
        repeated = Repeated(contrast, n, BETA, generator)
        optimizer = torch.optim.SGD(network.parameters(), lr=0.01, momentum=0.9, weight_decay=5e-4)
        losses: list[float] = []
        while len(losses) < limit and all(map(math.isfinite, losses)):
            loss = repeated.added(network, table)
            losses.append(loss.item())
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        ending = "finite" if math.isfinite(losses[-1]) else "not finite"
        print(f"added: seed {seed}: the loss of step {len(losses)} is {ending}", flush=True)


def step(repeats: int = 20) -> None:
    """Print times of a step, the variances of the gradients, and the ratio of time times variance."""
    x, _ = table_of("mnist-test")
    n = len(x)
    index, square = nearest_neighbors(x, NEIGHBORS)
    away = np.sqrt(square.astype(np.float64))
    away /= np.median(away[:, -1] - away[:, 0])
    contrast = Contrast(locally_normalized(np.repeat(np.arange(n), NEIGHBORS), index.ravel(), away.ravel(), n))
    generator = torch.Generator().manual_seed(0)
    table = torch.as_tensor((x - x.mean(0)) / np.sqrt(np.square(x - x.mean(0)).mean()), dtype=torch.float32)
    network = ParallelMLP((x.shape[1], 500, 500, 2000, 64), generator=generator)
    parameters = list(network.parameters())
    repeated = Repeated(contrast, n, BETA, generator)

    def ours() -> Tensor:
        batch = contrast.draw(BATCH, generator)
        return contrast.loss(network(table[batch.nodes])[0], batch, generator)

    ways: dict[str, Callable[[], Tensor]] = {
        "ours": ours,
        "literal": lambda: repeated.loss(network, table, sparing=False),
        "literal, sparing": lambda: repeated.loss(network, table, sparing=True),
    }
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    sums = {name: torch.zeros(sum(p.numel() for p in parameters)) for name in ways}
    squares = dict.fromkeys(ways, 0.0)
    values: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(repeats):
        for name, loss in ways.items():
            start = time.perf_counter()
            value = loss()
            gradient = torch.cat([part.ravel() for part in torch.autograd.grad(value, parameters)])
            seconds[name].append(time.perf_counter() - start)
            values[name].append(value.item())
            sums[name] += gradient
            squares[name] += float(gradient.double().square().sum())
    variance = {
        name: (squares[name] - float(sums[name].double().square().sum()) / repeats) / (repeats - 1) for name in ways
    }
    for name in ways:
        print(
            f"step: {name}: {np.median(seconds[name]) * 1e3:.0f} ms, loss {np.mean(values[name]):.3f} ± "
            f"{np.std(values[name]) / repeats**0.5:.3f}, variance of the gradient {variance[name]:.4g}"
        )
    for name in list(ways)[1:]:
        faster = np.median(np.array(seconds[name]) / np.array(seconds["ours"]))
        less = variance[name] / variance["ours"]
        print(f"step: {faster:.1f} times faster than {name} (bar 3), {faster * less:.1f} times at equal variance")


def neighbors(image_shape: tuple[int, int] | None = None) -> None:
    """Print time and recall of the nearest neighbours of MNIST."""
    x, _ = table_of("mnist")
    x = x.astype(np.float32)
    indices = {}
    title, bar = ("neighbors", " (bar 90)") if image_shape is None else ("neighbors of images", "")
    for exact, name in ((None, "by default"), (True, "exactly")):
        start = time.perf_counter()
        with PeakMemory() as peak:
            indices[name] = nearest_neighbors(x, NEIGHBORS, exact=exact, image_shape=image_shape)[0]
        more = "unknown" if peak.rise is None else format_bytes(peak.rise)
        print(
            f"{title}: {name}: {time.perf_counter() - start:.1f} s{bar}, memory beside the points {more} "
            "(all distances: 18.3 GiB)",
            flush=True,
        )
    pairs = zip(indices["by default"].tolist(), indices["exactly"].tolist(), strict=True)
    hits = [len(set(a) & set(b)) for a, b in pairs]
    print(f"{title}: recall {np.mean(hits) / NEIGHBORS:.4f} (bar 0.98)")


def _k_means(x: FloatArray, restarts: int, seed: int) -> IntArray:
    return kmeans(x, 10, restarts, seed)


def baseline() -> None:
    """Print what k-means reaches on pixels."""
    ways: dict[str, Callable[[FloatArray], FloatArray]] = {
        "pixels": lambda x: x,
        "standardised": lambda x: (x - x.mean(0)) / np.maximum(x.std(0), 1e-9),
        "length 1": lambda x: rows_of_length_one(x - x.min()),
        "black and white": lambda x: (x > x.mean()).astype(np.float64),
    }
    for data in ("mnist-test", "usps"):
        x, y = table_of(data)
        paper = DATA[data]["k-means"]
        for name, way in ways.items():
            for restarts in (1, 10):
                run = scored(partial(_k_means, way(x), restarts), y, 3, 0)
                print(
                    f"baseline: {data}, {name}, best of {restarts}: {run['accuracy']:.3f} ± {run['accuracy_sd']:.3f} / "
                    f"{run['nmi']:.3f} ± {run['nmi_sd']:.3f} (published {paper[0]:.3f} / {paper[1]:.3f})",
                    flush=True,
                )


def embedded(x: FloatArray, image_shape: tuple[int, int] | None, seed: int) -> Tensor:
    """Return what is embedded when the head is to start, and stop there."""
    embeddings: list[Tensor] = []

    def stop(z: Tensor, *_: Any) -> None:
        embeddings.append(z)
        raise InterruptedError

    with patch.object(lnscc_training, "initial_clusters", stop), suppress(InterruptedError):
        LNSCC(10, scale=False, image_shape=image_shape, random_state=seed).fit(x)
    return embeddings[0]


def starts(with_shape: Sequence[int] = (0, 1, 2), without_shape: Sequence[int] = ()) -> None:
    """Print which label-free numbers of a start go with its accuracy, on embeddings of Fashion-MNIST.

    Seeds of embeddings with the shape of the images, and of those without.
    """
    x, y = table_of("fashion-mnist-test")
    chosen: dict[str, list[float]] = {}
    shapes = [(seed, (28, 28)) for seed in with_shape] + [(seed, None) for seed in without_shape]
    for seed, shape in shapes:
        embedding = embedded(x, shape, seed)
        z = embedding.double()
        cutter, partitions = merged_communities(embedding, None, "mixture", 10, seed)
        costs: dict[str, list[float]] = {
            name: [] for name in ("cut", "as in merging", "equal weights", "as the default", "likelihood", "the best")
        }
        scores = []
        for cost, merged in partitions.items():
            labels, likelihood = refined_by_mixture(z, torch.as_tensor(merged, device=z.device))
            refined = labels.cpu().numpy()
            scores.append(accuracy(y, refined))
            after, score = cutter.unevenness(refined), cutter.score(merged)
            numbers = (cutter.value(merged), score, score + after, cost + after, -likelihood, -scores[-1])
            for name, number in zip(costs, numbers, strict=True):
                costs[name].append(number)
        spread = f"{min(scores):.3f} to {max(scores):.3f}"
        print(f"starts: seed {seed}: {len(scores)}, accuracy {np.mean(scores):.3f}, {spread}", flush=True)
        for name, cost_of in costs.items():
            rank = -float(spearmanr(cost_of, scores).statistic)
            best = scores[int(np.argmin(cost_of))]
            chosen.setdefault(name, []).append(best)
            print(f"starts: seed {seed}: by {name}: {best:.3f}, rank correlation {rank:.2f}", flush=True)
    for name, accuracies in chosen.items():
        print(f"starts: by {name}: mean {np.mean(accuracies):.3f} over {len(accuracies)} embeddings", flush=True)


def same(m: int = 5) -> None:
    """Print how many of the nearest neighbours are of the same class, and up to a move by one pixel."""
    for data in ("usps", "mnist-test", "fashion-mnist-test"):
        x, y = table_of(data)
        for image_shape in (None, (math.isqrt(x.shape[1]),) * 2):
            index, _ = nearest_neighbors(x, m, image_shape=image_shape)
            suffix = "" if image_shape is None else ", of images"
            print(f"same: {data}{suffix}: {(y[index] == y[:, None]).mean():.4f} of {m} neighbours", flush=True)


def main() -> None:
    """Run what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parts = {
        "step": step,
        "added": added,
        "neighbors": neighbors,
        "images": partial(neighbors, (28, 28)),
        "same": same,
        "starts": starts,
        "weights": partial(starts, range(4, 9), range(5)),
        "baseline": baseline,
    }
    parser.add_argument("parts", nargs="*", choices=[*parts, []], default=[])
    for name in parser.parse_args().parts or parts:
        parts[name]()


if __name__ == "__main__":
    main()
