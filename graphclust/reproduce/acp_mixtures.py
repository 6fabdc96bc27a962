"""ACP on mixtures of Gaussians in two dimensions, compared with the exact posterior and scikit-learn's mixtures.

The data are sets of 50 to 200 points. The concentration and the spread of the means are drawn log-uniformly (equations
1 to 3), from seeds that no training uses. All methods get the same sets. The exact posterior is sampled by collapsed
Gibbs chains that know this law. One row uses the original points, for which the origin is the prior mean of the cluster
means and the noise has standard deviation 1. Another row uses the standardised points that ACP gets. A row with chains
that start at the true partition checks that the other chains have found the mode. ACP and the exact posteriors return
the sample with the highest expected adjusted mutual information.

scikit-learn's mixtures are fitted to the standardised points, with mean 0 and variance 1: the variational mixture with
enough components for most sets, for several covariance types and two priors of the weights; a mixture whose number of
components is chosen by the BIC; and k-means, which is given the number of clusters. Labels are used for the scores, for
the number of clusters of k-means, and where the name of the method says so.

The difference is the mean of a method's AMI minus ACP's on the same sets, with the standard error of that mean.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from graphclust.generators.mixtures import gaussian_mixture
from graphclust.graph import Graph
from graphclust.inference.mixtures import MixtureLaw, sample_partitions
from graphclust.kernels.kmeans import kmeans
from graphclust.metrics import ami
from graphclust.nn.features import standardised
from graphclust.reproduce.point_peers import gaussian_mixture_by_bic, variational_mixture
from graphclust.reproduce.sheet import check_names, n_classes, settings
from graphclust.results.posterior import Posterior
from graphclust.runtime.arrays import FloatArray, IntArray
from graphclust.runtime.progress import task
from graphclust.training.checkpoints import read_info, shipped
from graphclust.training.evaluation import standard_error
from graphclust.training.synthetic import TEST

__all__ = ["COLUMNS", "LAW", "METHODS", "SIZES", "exact", "reproduce"]

COLUMNS = ("method", "ami", "ami_se", "difference", "difference_se", "k_right", "sets", "ms_per_set", "graphs_trained")
SIZES = (50, 200)
LAW = MixtureLaw(concentration=(0.5, 2.0), prior_std=(3.0, 15.0), noise_std=1.0)
_MODEL = "acp-mixture"
_CHAINS = {"n_samples": 32, "n_burn_in": 500, "thin": 40}
_COMPONENTS = 16

Labels = Callable[[FloatArray, IntArray, int], IntArray]  # points, true labels, seed -> labels


def _acp(x: FloatArray, _: IntArray, seed: int) -> IntArray:
    from graphclust.methods.acp import ACP

    labels: IntArray = (
        ACP(checkpoint=_MODEL, random_state=seed).fit(Graph.from_edges([], [], nodes=len(x), x=x)).labels_
    )
    return labels


def exact(x: FloatArray, truth: IntArray, seed: int, *, law: MixtureLaw = LAW, at_truth: bool = False) -> IntArray:
    """Return the partition with the highest expected adjusted mutual information under the exact posterior.

    Parameters
    ----------
    x : ndarray of float64, shape (n, dimension)
    truth : ndarray of int64, shape (n,)
        Start of the chains if `at_truth`, and otherwise unused.
    seed : int
    law : MixtureLaw
    at_truth : bool

    Returns
    -------
    ndarray of int64, shape (n,)

    Examples
    --------
    >>> exact(np.array([[0.0], [0.1], [30.0]]), np.zeros(3), 0).tolist()
    [0, 0, 1]
    """
    starts = [truth] * 4 if at_truth else None
    samples = sample_partitions(x, law, starts=starts, random_state=seed, **_CHAINS)
    return Posterior(samples.reshape(-1, len(x))).point_estimate("ami")


def _standardised(method: Labels) -> Labels:
    def run(x: FloatArray, truth: IntArray, seed: int) -> IntArray:
        return method(standardised(x[None], np.array([len(x)]))[0].astype(np.float64), truth, seed)

    return run


def _variational(x: FloatArray, _: IntArray, seed: int, *, covariance: str, weight: float | None) -> IntArray:
    return variational_mixture(x, _COMPONENTS, seed, covariance=covariance, weight_prior=weight)


def _by_bic(x: FloatArray, _: IntArray, seed: int) -> IntArray:
    return gaussian_mixture_by_bic(x, _COMPONENTS, seed, covariances=("spherical", "tied"))


PEERS: dict[str, Labels] = {
    "exact posterior": exact,
    "exact posterior of the standardised points": _standardised(partial(exact, law=replace(LAW, standardised=True))),
    "exact posterior, chains that start at the truth": partial(exact, at_truth=True),
    **{
        f"BayesianGaussianMixture, {covariance}, weight prior {weight or 'default'}": _standardised(
            partial(_variational, covariance=covariance, weight=weight)
        )
        for covariance in ("full", "tied", "spherical")
        for weight in (None, 1.0)
    },
    "GaussianMixture, BIC": _standardised(_by_bic),
    "k-means (true K)": _standardised(lambda x, truth, seed: kmeans(x, n_classes(truth), 10, seed)),
}
METHODS = ("acp", *PEERS)


def _command() -> str:
    """Return the two commands that train the model, first on small sets, which take less time."""
    law = " ".join(
        f"--set '{name}={str(value).replace(' ', '')}'"
        for name, value in (("concentration", LAW.concentration), ("prior_std", LAW.prior_std))
    )
    common = (
        f"graphclust train acp --family gaussian-mixture {law} --same-size --encoder point-transformer --features "
        "standardised --n-features 2 --dim 64 --weight-decay 0 --clip 100 --average 0.998 --learning-rate 1e-3"
    )
    return (
        f"{common} --set 'n=(20,60)' --batch-size 32 --n-z 1 --warmup 100 --seed 80 --steps 2000 "
        f"--out {_MODEL}-first.safetensors && {common} --set 'n=(50,200)' --batch-size 16 --n-z 2 --warmup 50 "
        f"--schedule cosine --seed 81 --start {_MODEL}-first.safetensors --steps 4000 --out {_MODEL}.safetensors"
    )


def _sets(number: int) -> list[Graph]:
    seeds = (np.random.SeedSequence(TEST, spawn_key=(i,)) for i in range(number))
    return [
        gaussian_mixture(
            SIZES,
            concentration=LAW.concentration,
            prior_std=LAW.prior_std,
            noise_std=LAW.noise_std,
            random_state=np.random.default_rng(seed),
        )
        for seed in seeds
    ]


def _measured(method: Labels, sets: list[Graph], seed: int) -> tuple[FloatArray, dict[str, Any]]:
    """Return the AMI x 100 of each set, and the columns of the table for the method."""
    scores, right, start = np.zeros(len(sets)), 0, time.perf_counter()
    for i, points in enumerate(sets):
        assert points.y is not None
        labels = method(points.x, points.y, seed + i)
        scores[i] = 100 * ami(points.y, labels)
        right += n_classes(labels) == n_classes(points.y)
    seconds = time.perf_counter() - start
    line = {"ami": float(scores.mean()), "ami_se": standard_error(scores), "k_right": right / len(sets)}
    return scores, line | {"sets": len(sets), "ms_per_set": 1000 * seconds / len(sets)}


def reproduce(
    n_graphs: int | None = None, seed: int = 0, quick: bool = False, methods: tuple[str, ...] = ()
) -> dict[str, Any]:
    """Make the table.

    Parameters
    ----------
    n_graphs : int, optional
        Number of point sets; 200 by default, 10 if `quick`.
    seed : int
        Seed of the methods. The sets have fixed seeds.
    quick : bool
    methods : tuple of str
        Names from `METHODS`; all by default.

    Returns
    -------
    dict
        table, rows (see `COLUMNS`), peers, settings. The row of ACP contains the command that trains it.

    Raises
    ------
    UsageError
        A method is unknown.
    """
    check_names("method of the table", methods, METHODS)
    sets = _sets(n_graphs or (10 if quick else 200))
    rows: list[dict[str, Any]] = []
    peers: list[dict[str, Any]] = []
    of_acp: FloatArray | None = None
    chosen = [name for name in METHODS if name in (methods or METHODS)]  # ACP comes first
    with task("acp-mixtures", len(chosen)) as advance:
        for name in chosen:
            line: dict[str, Any] = {"row": name, "method": name}
            if name in PEERS:
                scores, measured = _measured(PEERS[name], sets, seed)
                line |= measured
                if of_acp is not None:
                    difference = scores - of_acp
                    line |= {"difference": float(difference.mean()), "difference_se": standard_error(difference)}
                peers.append(line)
            else:
                if _MODEL in shipped():
                    of_acp, measured = _measured(_acp, sets, seed)
                    line |= measured
                    line["graphs_trained"] = sum(training["graphs"] for training in read_info(_MODEL).lineage)
                line["command"] = _command()
                rows.append(line)
            advance()
    law = {"n": SIZES, "concentration": LAW.concentration, "prior_std": LAW.prior_std, "noise_std": LAW.noise_std}
    made_with = settings(seed=seed, n_graphs=len(sets), test_seed=TEST, law=law, chains=_CHAINS)
    return {"table": "acp-mixtures", "rows": rows, "peers": peers, "settings": made_with}
