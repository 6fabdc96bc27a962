"""Table 1 of Attentive Clustering Processes: spike sorting with CCP, ACP and NCP at 200, 400 and 1,000 spikes.

The published models were trained and tested on spikes from recordings that are not public. Here the family `spikes`
replaces them (`graphclust.generators.spikes` lists every choice). It is unknown whether its data sets are easier or
harder, so the published numbers serve to compare the order of the models, not as a target. As in the paper, models are
trained on 200 to 400 spikes and tested on three sizes. The seeds of the test sets are not used in any training. The
paper gives one ELBO per model and does not specify the size. NCP has no ELBO; its `elbo` is the log-probability of the
true partition.

The peers get the leading principal components of the waveforms of one data set. They are k-means with the true number
of neurons, k-means with the number chosen by the silhouette, a Gaussian mixture with the number chosen by the BIC,
scikit-learn's variational mixture, and HDBSCAN. Labels are used for the scores and for the true number of neurons.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from graphclust.errors import DataError
from graphclust.generators.families import FAMILIES
from graphclust.kernels.kmeans import kmeans
from graphclust.metrics import ami
from graphclust.models.build import ModelConfig
from graphclust.nn.batch import Batch
from graphclust.nn.waveforms import N_CHANNELS, N_SAMPLES
from graphclust.reproduce.point_peers import (
    gaussian_mixture_by_bic,
    hdbscan,
    kmeans_by_silhouette,
    principal_components,
    variational_mixture,
)
from graphclust.reproduce.sheet import available_models, check_names, n_classes, settings
from graphclust.runtime.arrays import FloatArray, IntArray
from graphclust.runtime.progress import task
from graphclust.training.checkpoints import load_checkpoint
from graphclust.training.evaluation import evaluate, standard_error
from graphclust.training.synthetic import TEST, DataConfig, held_out_batches

__all__ = ["COLUMNS", "METHODS", "PEERS", "SIZES", "reproduce"]

COLUMNS = (
    "row", "n", "paper_ami", "ami", "ami_se", "paper_elbo", "elbo", "elbo_se", "k_right", "ms_per_set", "sets",
    "n_failed", "graphs_trained", "full_size",
)  # fmt: skip
SIZES = (200, 400, 1000)
TRAINED_ON = (200, 400)
PUBLISHED_GRAPHS = 20_000 * 32  # section B.3: steps x batch of General SBM; the paper has no numbers for spikes
_N_COMPONENTS = 5
_BATCH = 10  # data sets per batch


@dataclass(frozen=True)
class Published:
    """The published scores of a model.

    Attributes
    ----------
    ami : (float, float, float)
        AMI x 100 for the sizes in `SIZES`.
    elbo : float or None
    """

    ami: tuple[float, float, float]
    elbo: float | None


MODELS: dict[str, Published] = {
    "ccp": Published((83.1, 81.7, 81.5), -17.8),
    "acp": Published((88.0, 86.7, 86.1), -13.0),
    "ncp": Published((87.8, 86.5, 88.8), None),
}

Peer = Callable[[FloatArray, IntArray, int], IntArray]  # points, true labels, seed -> labels


def _max_clusters() -> int:
    max_clusters: int = FAMILIES.named("spikes").parameters()["max_clusters"]
    return max_clusters


PEERS: dict[str, Peer] = {
    "k-means (true K)": lambda x, truth, seed: kmeans(x, n_classes(truth), 10, seed),
    "k-means, silhouette": lambda x, _, seed: kmeans_by_silhouette(x, _max_clusters(), seed),
    "GaussianMixture, BIC": lambda x, _, seed: gaussian_mixture_by_bic(x, _max_clusters(), seed),
    "BayesianGaussianMixture": lambda x, _, seed: variational_mixture(x, _max_clusters(), seed),
    "HDBSCAN": lambda x, _, seed: hdbscan(x),
}
METHODS = (*MODELS, *PEERS)


def _checkpoint(model: str) -> str:
    return f"{model}-spikes"


def _command(model: str) -> str:
    return (
        f"graphclust train {model} --family spikes --set 'n={TRAINED_ON}' --encoder spikes --features given "
        "--steps 20000 --batch-size 32 --n-z 40 --learning-rate 1e-4 --weight-decay 0.01 "
        f"--out {_checkpoint(model)}.safetensors"
    )


def _test_batches(config: ModelConfig, size: int, number: int) -> list[tuple[Batch, list[int]]]:
    """Draw the test sets of a size, which are the same for all models and peers."""
    return held_out_batches(config, DataConfig("spikes", {"n": size}), number, TEST, _BATCH)


def _scores(values: FloatArray) -> dict[str, float]:
    return {"ami": 100 * float(values.mean()), "ami_se": 100 * standard_error(values)}


def _model_line(model: str, path: Path | None, size: int, number: int, n_samples: int, seed: int) -> dict[str, Any]:
    """Return the measurements of a model at one size, or nothing if its checkpoint is missing.

    Raises
    ------
    DataError
        The checkpoint has another family, model or encoder.
    """
    if path is None:
        return {}
    network, info = load_checkpoint(path)
    trained = (info.config.model, info.config.encoder, info.data["family"])
    if trained != (model, "spikes", "spikes"):
        raise DataError(
            f"{_checkpoint(model)} must be {model} with the encoder spikes, trained on spikes, but it is {trained[0]} "
            f"with the encoder {trained[1]}, trained on {trained[2]}"
        )
    scores = evaluate(network, _test_batches(info.config, size, number), n_samples, seed=seed)
    graphs = sum(training["graphs"] for training in info.lineage)
    return _scores(scores.ami) | {
        "elbo": float(scores.elbo.mean()),
        "elbo_se": standard_error(scores.elbo),
        "k_right": float((scores.n_found == scores.n_true).mean()),
        "ms_per_set": 1000 * scores.seconds / number,
        "sets": number,
        "n_failed": scores.n_failed,
        "graphs_trained": graphs,
        "full_size": graphs >= PUBLISHED_GRAPHS,
    }


def _point_sets(size: int, number: int) -> Iterator[tuple[FloatArray, IntArray]]:
    """Yield the test sets: principal components, shape (n, d), and labels, shape (n,)."""
    config = ModelConfig(encoder="spikes", features="given", n_features=N_CHANNELS * N_SAMPLES)
    for batch, _ in _test_batches(config, size, number):
        assert batch.labels is not None
        for x, labels in zip(batch.x.numpy(), batch.labels.numpy(), strict=True):
            yield principal_components(x, _N_COMPONENTS), labels


def _peer_line(peer: Peer, point_sets: list[tuple[FloatArray, IntArray]], seed: int) -> dict[str, Any]:
    scores, right, start = np.zeros(len(point_sets)), 0, time.perf_counter()
    for i, (x, truth) in enumerate(point_sets):
        labels = peer(x, truth, seed + i)
        scores[i] = ami(truth, labels)
        right += n_classes(labels) == n_classes(truth)
    seconds = time.perf_counter() - start
    return _scores(scores) | {
        "k_right": right / len(point_sets),
        "ms_per_set": 1000 * seconds / len(point_sets),
        "sets": len(point_sets),
    }


def reproduce(
    n_graphs: int | None = None,
    n_samples: int = 10,
    seed: int = 0,
    quick: bool = False,
    methods: tuple[str, ...] = (),
    models: str | None = None,
) -> dict[str, Any]:
    """Make the table.

    Parameters
    ----------
    n_graphs : int, optional
        Number of test sets per size; 200 by default, 10 if `quick`.
    n_samples : int
        Number of partitions drawn per set, of which the most probable one is scored.
    seed : int
        Seed of the samplers and peers. The sets have fixed seeds.
    quick : bool
    methods : tuple of str
        Names from `METHODS`; all by default.
    models : str, optional
        Folder of trained models to use in addition to the shipped ones; by default results/models, if it exists.

    Returns
    -------
    dict
        table, rows (see `COLUMNS`), peers, settings. The row of a model contains the command that trains it.

    Raises
    ------
    UsageError
        A method is unknown.
    DataError
        A checkpoint does not fit its row.
    """
    check_names("method of the table", methods, METHODS)
    available = available_models(models)
    number = n_graphs or (10 if quick else 200)
    chosen = [name for name in METHODS if name in (methods or METHODS)]
    has_peers = any(name in PEERS for name in chosen)
    point_sets = {size: list(_point_sets(size, number)) if has_peers else [] for size in SIZES}
    rows: list[dict[str, Any]] = []
    peers: list[dict[str, Any]] = []
    with task("acp-table1", len(chosen) * len(SIZES)) as advance:
        for name in chosen:
            for i, size in enumerate(SIZES):
                line: dict[str, Any] = {"row": f"{name.upper() if name in MODELS else name}, N = {size:,}", "n": size}
                if name in MODELS:
                    published = MODELS[name]
                    line |= {"paper_ami": published.ami[i], "paper_elbo": published.elbo, "command": _command(name)}
                    rows.append(
                        line | _model_line(name, available.get(_checkpoint(name)), size, number, n_samples, seed)
                    )
                else:
                    peers.append(line | _peer_line(PEERS[name], point_sets[size], seed))
                advance()
    made_with = settings(
        data="synthetic spikes, a stand-in for recordings that are not public",
        n_graphs=number,
        n_samples=n_samples,
        n_components=_N_COMPONENTS,
        seed=seed,
        test_seed=TEST,
    )
    return {"table": "acp-table1", "rows": rows, "peers": peers, "settings": made_with}
