"""Several runs of a method with different seeds: which of them to take, and how far they agree.

For methods without a posterior, this is the nearest thing to one: how much of a result is chance. The share of runs
that agree about a node is not the probability that its label is right. All runs can make the same mistake, and methods
without chance agree in any case.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from graphclust.metrics import ami
from graphclust.results.communities import Communities
from graphclust.results.posterior import Posterior
from graphclust.runtime.notes import Note
from graphclust.runtime.progress import task

__all__ = ["most_central_run"]


def most_central_run(run: Callable[[int], Communities], first_seed: int, n_runs: int) -> Communities:
    """Return the run with the lowest mean variation of information from all runs, with its stability.

    Parameters
    ----------
    run : callable
        Returns the communities for a seed.
    first_seed : int
        The seeds are this one and those that follow.
    n_runs : int

    Returns
    -------
    Communities
        The earliest of several runs that are equally central, with `stability` and `runs`.
    """
    results = []
    with task("runs", total=n_runs) as advance:
        for seed in range(first_seed, first_seed + n_runs):
            results.append(run(seed))
            advance()
    runs = Posterior(np.array([result.labels for result in results]), nodes=results[0].nodes)
    central = runs.point_estimate("vi")
    place = int(np.flatnonzero((runs.samples == central).all(axis=1))[0])
    chosen = results[place]
    others = [result.labels for result in results if result is not chosen]
    agreement = float(np.mean([ami(chosen.labels, labels) for labels in others]))
    n_different = len(np.unique(runs.samples, axis=0))
    message = (
        f"ran {chosen.method} with {n_runs} seeds, which gave {n_different} different results; chose that of seed "
        f"{first_seed + place}, which agrees best with the others (mean AMI {agreement:.3f})"
    )
    data = {"n_runs": n_runs, "n_different": n_different, "seed": first_seed + place, "mean_ami": agreement}
    return replace(
        chosen,
        seconds=sum(result.seconds for result in results),
        params={**chosen.params, "seeds": n_runs},
        notes=(*chosen.notes, Note("seeds", message, data)),
        stability=runs.confidence(chosen.labels),
        runs=runs,
    )
