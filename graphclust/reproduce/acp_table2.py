"""Table 2 of Attentive Clustering Processes: General SBM, adjusted mutual information and ELBO.

The table has the paper's nine rows, graphclust's own models, and classical methods, all on the same test graphs, whose
seeds are not used in any training. A row is measured if a checkpoint with its name exists. It then shows how long the
model was trained and what it started from. Our ACP-S and CCP started from the weights of an ACP; the row "CCP (from
scratch)" is a CCP that started from random weights. Every row contains the command that trains its model at the
published size; `trained_by` is the command that trained the measured model.

Labels are used for the scores and for the number of communities that spectral clustering is given.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import torch
from torch import Tensor

from graphclust.errors import UsageError
from graphclust.graph import Graph
from graphclust.models.build import ModelConfig
from graphclust.models.sampler import PartitionModel, log_probability, sample
from graphclust.nn.batch import Batch
from graphclust.reproduce.provenance import COLUMNS as PROVENANCE
from graphclust.reproduce.provenance import check_architecture, check_from_scratch, describe_architecture, provenance
from graphclust.reproduce.sheet import SPECTRAL, available_models, detected, settings, shown
from graphclust.results.posterior import Posterior
from graphclust.runtime.arrays import FloatArray
from graphclust.runtime.progress import task
from graphclust.training.calibration import Reliability, draw_reliability
from graphclust.training.checkpoints import CheckpointInfo, load_checkpoint
from graphclust.training.evaluation import evaluate, standard_error
from graphclust.training.synthetic import TEST, DataConfig, held_out_batches

__all__ = ["COLUMNS", "PEERS", "ROWS", "Row", "calibrate", "draw", "order_spread", "reproduce"]

COLUMNS = (
    "row", "paper_ami", "ami", "ami_se", "paper_elbo", "elbo", "k_right", "ms_per_graph", "calibration_error",
    "order_spread", "n_failed", *PROVENANCE,
)  # fmt: skip
PUBLISHED_GRAPHS = 20_000 * 32  # section B.3: steps x batch
_BATCH = 25
_FROM_SCRATCH = "-scratch"


@dataclass(frozen=True)
class Row:
    """A row of the table.

    Attributes
    ----------
    name : str
        Name in the paper, or the name of our own row.
    checkpoint : str
        Name of the model.
    config : ModelConfig
        Architecture that the command trains.
    ami, elbo : float or None
        Published values (AMI x 100); None for our own rows.
    command : str
        Command that trains the model at the published size.
    """

    name: str
    checkpoint: str
    config: ModelConfig
    ami: float | None
    elbo: float | None
    command: str

    @property
    def published(self) -> ModelConfig | None:
        """The architecture, if the paper has this row."""
        return None if self.ami is None else self.config


def _command(config: ModelConfig, checkpoint: str, learning_rate: str, extra: str = "") -> str:
    return (
        f"graphclust train {config.model} --family general-sbm --encoder {config.encoder} --features {config.features} "
        f"--steps 20000 --batch-size 32 --n-z 40 --learning-rate {learning_rate} --weight-decay 0.01{extra} "
        f"--out {checkpoint}.safetensors"
    )


def _published() -> Iterator[Row]:
    scores = {
        ("gated-gcn", "laplacian"): ((90.75, -9.55), (90.22, -9.46), (88.25, -9.58)),
        ("graphsage", "laplacian"): ((85.44, -13.63), (86.55, -13.02), (85.25, -15.56)),
        ("gated-gcn", "random"): ((81.31, -24.40), (80.72, -22.85), (74.50, -27.98)),
    }
    names = {"gated-gcn": "GatedGCN", "graphsage": "GraphSAGE", "laplacian": "Pos Enc.", "random": "Rand Feat."}
    for (encoder, features), values in scores.items():
        for model, (score, elbo) in zip(("acp", "acp-s", "ccp"), values, strict=True):
            checkpoint = f"{model}-{encoder}-{features}"
            label = f"{names[encoder]} + {names[features]} + {model.upper()}"
            config = ModelConfig(model, encoder, features)
            yield Row(label, checkpoint, config, score, elbo, _command(config, checkpoint, "1e-4"))


def _own() -> Iterator[Row]:
    options = " --layers 4 --known-share 0.2 --schedule cosine --warmup 100 --average 0.998"
    starts = {"acp": "", "acp-s": " --start acp", "ccp": " --start acp", "ccp-scratch": ""}
    for checkpoint, start in starts.items():
        config = ModelConfig(checkpoint.removesuffix(_FROM_SCRATCH), "graph-transformer")
        name = f"GraphTransformer + Pos Enc. + {config.model.upper()}"
        if checkpoint.endswith(_FROM_SCRATCH):
            name += " (from scratch)"
        yield Row(name, checkpoint, config, None, None, _command(config, checkpoint, "5e-4", options + start))


ROWS = (*_published(), *_own())
PEERS = ("leiden", "louvain", "infomap", "label-propagation", *SPECTRAL)


def _test_batches(info: CheckpointInfo, n_graphs: int) -> list[tuple[Batch, list[int]]]:
    return held_out_batches(info.config, DataConfig(), n_graphs, TEST, _BATCH)


@torch.inference_mode()
def order_spread(
    model: PartitionModel, batches: list[tuple[Batch, list[int]]], n_orders: int = 5, seed: int = 0
) -> float:
    """Measure the consistency of section 3.2: how much log p of a partition depends on the order of its clusters.

    Returns
    -------
    float
        Standard deviation of log p(true partition) over random orders, in nats; the median over graphs. It is computed
        by eq. (33) without the probabilities of the anchors, with all anchors and the mean of z, so that only the order
        is random.
    """
    generator = torch.Generator().manual_seed(seed)
    deviations: list[Tensor] = []
    for batch, _ in batches:
        assert batch.labels is not None
        nodes = model.encode(batch)
        values = []
        for _ in range(n_orders):
            K = int(batch.labels.max()) + 1
            order = torch.rand(len(batch), K, generator=generator)
            present = torch.zeros(len(batch), K).scatter_(1, batch.labels.clamp_min(0), 1.0) > 0
            rank = order.masked_fill(~present, 2.0).argsort(dim=1).argsort(dim=1)
            ranks = rank.gather(1, batch.labels.clamp_min(0)).masked_fill(batch.labels < 0, -1)
            owner = torch.arange(len(batch))
            values.append(log_probability(model, nodes, ranks, owner, n_anchors=ranks.shape[1], ordered=False))
        deviations.append(torch.stack(values).std(dim=0))
    return float(torch.cat(deviations).median())


@torch.inference_mode()
def calibrate(
    model: PartitionModel, batches: list[tuple[Batch, list[int]]], n_samples: int = 64, seed: int = 0
) -> Reliability:
    """Compare co-membership probabilities of posterior samples with the true partitions."""
    reliability = Reliability()
    generator = torch.Generator().manual_seed(seed)
    for batch, _ in batches:
        assert batch.labels is not None
        ranks = sample(model, model.encode(batch), batch.mask, n_samples, "posterior", generator).numpy()
        for samples, truth in zip(ranks, batch.labels.numpy(), strict=True):
            inside = truth >= 0
            reliability.add(Posterior(samples[:, inside]).co_membership(), truth[inside])
    return reliability


def _peer(name: str, graphs: list[Graph]) -> dict[str, Any]:
    scores, counts = detected(name, graphs, 0)
    return {"row": shown(name)} | _mean_ami(scores[:, 0]) | counts


def _mean_ami(values: FloatArray) -> dict[str, float]:
    return {"ami": 100 * float(values.mean()), "ami_se": 100 * standard_error(values)}


def _line(
    row: Row, path: Path | None, n_graphs: int, n_samples: int, seed: int
) -> tuple[dict[str, Any], list[dict[str, float]] | None]:
    """Return a row, which is measured if its model exists, and the calibration table if the model is ours."""
    line: dict[str, Any] = {"row": row.name, "paper_ami": row.ami, "paper_elbo": row.elbo, "command": row.command}
    if path is None:
        return line | {"architecture": describe_architecture(row.config, row.published)}, None
    model, info = load_checkpoint(path)
    if row.published is not None:
        check_architecture(row.checkpoint, info.config, row.published)
    if row.checkpoint.endswith(_FROM_SCRATCH):
        check_from_scratch(row.checkpoint, info)
    batches = _test_batches(info, n_graphs)
    scores = evaluate(model, batches, n_samples, seed=seed)
    line |= _mean_ami(scores.ami) | {
        "elbo": float(scores.elbo.mean()),
        "elbo_se": standard_error(scores.elbo),
        "k_right": float((scores.n_found == scores.n_true).mean()),
        "n_failed": scores.n_failed,
        "ms_per_graph": 1000 * scores.seconds / n_graphs,
        "order_spread": order_spread(model, batches[: max(1, len(batches) // 5)], seed=seed),
    }
    line |= provenance(info, row.published, PUBLISHED_GRAPHS)
    if row.published is not None:
        return line, None
    reliability = calibrate(model, batches, seed=seed)
    return line | {"calibration_error": reliability.error()}, reliability.table()


def reproduce(
    n_graphs: int | None = None,
    n_samples: int = 10,
    seed: int = 0,
    quick: bool = False,
    models: str | None = None,
) -> dict[str, Any]:
    """Make the table.

    Parameters
    ----------
    n_graphs : int, optional
        Number of test graphs, which are the same for all rows; 500 by default, 50 if `quick`.
    n_samples : int
        Number of partitions drawn per graph, of which the most probable one is scored. The calibration draws 64 others.
    seed : int
        Seed of the samplers. The graphs have fixed seeds.
    quick : bool
    models : str, optional
        Folder of trained models to use in addition to the shipped ones; by default results/models, if it exists.

    Returns
    -------
    dict
        rows (see `COLUMNS`), peers, calibration (one table for each of our models), settings.

    Raises
    ------
    UsageError
        Both `quick` and a number of graphs are set, or a checkpoint does not fit its row.
    """
    if quick and n_graphs is not None:
        raise UsageError("--quick sets the number of graphs: leave out either --quick or --graphs")
    n_graphs = n_graphs or (50 if quick else 500)
    available = available_models(models)
    rows: list[dict[str, Any]] = []
    calibration: dict[str, Any] = {}
    with task("acp-table2", total=len(ROWS) + len(PEERS)) as advance:
        for row in ROWS:
            line, table = _line(row, available.get(row.checkpoint), n_graphs, n_samples, seed)
            if table is not None:
                calibration[row.checkpoint] = table
            rows.append(line)
            advance()
        graphs = [
            graph
            for batch, _ in _test_batches(_classical(), n_graphs)
            for graph in _graphs(batch)
        ]  # fmt: skip
        peers = []
        for name in PEERS:
            peers.append(_peer(name, graphs))
            advance()
    return {
        "table": "acp-table2",
        "rows": rows,
        "peers": peers,
        "calibration": calibration,
        "settings": settings(n_graphs=n_graphs, n_samples=n_samples, seed=seed, test_seed=TEST),
    }


def draw(results: Mapping[str, Any], stream: BinaryIO, name: str) -> None:
    """Draw the reliability of co-membership probabilities. The extension of `name` determines the file format."""
    draw_reliability(results["calibration"], stream, name)


def _classical() -> CheckpointInfo:
    model = ModelConfig(features="random").to_dict()
    return CheckpointInfo(model, DataConfig().to_dict(), (50, 300), (1, 12), 0, 0)


def _graphs(batch: Batch) -> Iterator[Graph]:
    assert batch.adjacency is not None
    assert batch.labels is not None
    for adjacency, labels in zip(batch.adjacency.numpy(), batch.labels.numpy(), strict=True):
        n = int((labels >= 0).sum())
        source, target = np.nonzero(np.triu(adjacency[:n, :n], 1))
        yield Graph.from_edges(source, target, nodes=n, y=labels[:n])
