"""Bars of CLAM that its tables do not hold: the number of clusters, and many configurations at once against one by one.

    python tests/bench/clam.py [numbers] [speed] [--seeds N]

`numbers`: ten mixtures of Gaussians, K 2 to 15 and d 2 to 50, the nearest two centers 8 (and, harder, 6) standard
deviations apart; how often n_clusters="auto" finds K. `speed`: Segment, 100 epochs, ten configurations; needs the real
data (GRAPHCLUST_DATA). Both at default settings.
"""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import numpy as np

import graphclust as gc
from graphclust.methods.clam import Training
from graphclust.metrics import ami
from tests.methods.test_clam import mixture

MIXTURES = [(2, 2), (3, 50), (4, 5), (5, 2), (6, 20), (8, 10), (10, 2), (12, 5), (14, 50), (15, 3)]


def numbers(seeds: int) -> None:
    """Print how often the number of clusters is right, and within one."""
    for separation in (8.0, 6.0):
        for seed in range(seeds):
            numbers_found, scores, start = [], [], time.perf_counter()
            for k, d in MIXTURES:
                x, y = mixture(k, d, np.random.default_rng([seed, k, d]), separation=separation)
                model = gc.CLAM("auto", random_state=seed).fit(x)
                numbers_found.append(model.n_clusters_)
                scores.append(ami(y, model.labels_))
            off = np.abs(np.array(numbers_found) - [k for k, _ in MIXTURES])
            print(
                f"numbers: {separation:g} sd apart, seed {seed}: right {(off == 0).sum()}/10, within one "
                f"{(off <= 1).sum()}/10, found {numbers_found}, AMI {np.mean(scores):.3f}, "
                f"{time.perf_counter() - start:.0f} s",
                flush=True,
            )


def speed(repeats: int = 3) -> None:
    """Print the time of ten configurations at once and one by one, in turns."""
    x = np.asarray(gc.datasets.load("segment").x, dtype=float)
    betas = np.geomspace(1, 32, 10) / x.shape[1]
    settings = {"n_init": 1, "max_epochs": 100, "random_state": 0}
    training = Training(betas, learning_rate=0.03, batch_size=64, keep=1.0)
    gc.CLAM(7, training=training, **(settings | {"max_epochs": 1})).fit(x)  # imports
    ratios = []
    for _ in range(repeats):
        start = time.perf_counter()
        gc.CLAM(7, training=training, **settings).fit(x)
        together = time.perf_counter() - start
        start = time.perf_counter()
        for beta in betas:
            gc.CLAM(7, training=replace(training, betas=[beta]), **settings).fit(x)
        alone = time.perf_counter() - start
        ratios.append(alone / together)
        print(f"speed: at once {together:.2f} s, one by one {alone:.2f} s, ratio {ratios[-1]:.2f}", flush=True)
    print(f"speed: median ratio {np.median(ratios):.2f} (bar 5)")


def main() -> None:
    """Run what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", choices=["numbers", "speed", []], default=[])
    parser.add_argument("--seeds", type=int, default=1)
    arguments = parser.parse_args()
    if not arguments.parts or "speed" in arguments.parts:
        speed()
    if not arguments.parts or "numbers" in arguments.parts:
        numbers(arguments.seeds)


if __name__ == "__main__":
    main()
