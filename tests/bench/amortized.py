"""Measure the bars of ACP, ACP-S and CCP: `make bench`, or `python tests/bench/amortized.py [PART ...]`.

Training: graphs a second at the published settings (batch 16, 40 samples of z, N uniform on [50, 300]). Inference: one
graph of 200 nodes, encoding, sampling and log-probabilities by eq. (33) with 10 anchors, from a tensor to tensors and
from a Graph to Communities. The command: a cold `detect --method acp` against a bare `import torch_geometric`.
"""

from __future__ import annotations

import argparse
import copy
import statistics
import subprocess
import sys
import time

import numpy as np
from foundation import GRAPHCLUST, line, process

N_GRAPHS = 24


def training():
    from graphclust.models.build import ModelConfig
    from graphclust.runtime.memory import keep_memory
    from graphclust.training.clusterwise import measure_speed
    from graphclust.training.loops import LoopSettings, Machine
    from graphclust.training.synthetic import DataConfig

    keep_memory()
    settings = LoopSettings(steps=20, learning_rate=1e-4, weight_decay=0.01)
    rows = [("acp", "graphsage", "32", 25), ("acp", "graphsage", "bf16", 25), ("acp-s", "graphsage", "32", None),
            ("ccp", "graphsage", "32", None), ("acp", "gated-gcn", "32", 6), ("acp", "gated-gcn", "bf16", 6),
            ("acp", "graph-transformer", "32", None)]  # fmt: skip
    for model, encoder, precision, bar in rows:
        config, data = ModelConfig(model=model, encoder=encoder), DataConfig(batch_size=16)
        machine = Machine(device="cpu", precision=precision)
        steps = 20 if encoder != "gated-gcn" else 8
        speed = measure_speed(config, data, settings, n_z=40, machine=machine, steps=steps)
        good = bar is None or speed.graphs_per_second >= bar
        limit = "no bar" if bar is None else f">= {bar}"
        line(f"train {model} {encoder} {precision}", f"{speed.graphs_per_second:.1f} graphs/s", limit, good)


def inference():
    import torch

    import graphclust as gc
    from graphclust.models.sampler import draw
    from graphclust.nn.batch import Batch
    from graphclust.nn.encoders import ENCODERS
    from graphclust.nn.features import laplacian_features
    from graphclust.training.checkpoints import load_checkpoint

    graphs = [gc.generators.general_sbm(n_nodes=(200, 200), random_state=seed) for seed in range(N_GRAPHS)]
    batches = []
    for graph in graphs:
        adjacency = graph.adjacency().toarray()[None] > 0
        x = laplacian_features(adjacency.astype(float), np.array([200])) * 200**0.5
        batches.append(Batch.of(x, np.array([200]), adjacency))

    class GraphSAGE(torch.nn.Module):
        """Takes the time of GraphSAGE, of which no weights are shipped, and gives what the trained encoder does."""

        def __init__(self, trained, n_features):
            super().__init__()
            self.graphsage = ENCODERS["graphsage"](n_features, 128)
            with torch.inference_mode():
                self.encoded = {id(batch): trained(batch) for batch in batches}

        def forward(self, batch):
            self.graphsage(batch)
            return self.encoded[id(batch)]

    models = {name: load_checkpoint(name)[0] for name in ("acp", "acp-s", "ccp")}
    for name in tuple(models):
        other = copy.deepcopy(models[name])
        other.encoder = GraphSAGE(models[name].encoder, 20).eval()
        models[f"{name}, graphsage"] = other
    for name, trained in models.items():
        for n_samples, bar in ((10, 40), (64, 200)):
            for mode in ("map", "posterior"):
                generator = torch.Generator().manual_seed(0)
                times = []
                for batch in [batches[0], *batches]:
                    start = time.perf_counter()
                    draw(trained, batch, n_samples, mode, generator)
                    times.append(1000 * (time.perf_counter() - start))
                actual = statistics.median(times[1:])
                limit = f"<= {bar} ms" if mode == "map" else "no bar"
                line(f"draw {n_samples} {mode}, {name}", f"{actual:.0f} ms", limit, mode != "map" or actual <= bar)
    for method in ("acp", "acp-s", "ccp"):
        times = []
        for graph in [graphs[0], *graphs]:
            start = time.perf_counter()
            gc.detect(graph, method, n_samples=10, sample="map")
            times.append(1000 * (time.perf_counter() - start))
        line(f"detect {method}, 10 samples", f"{statistics.median(times[1:]):.0f} ms", "no bar", True)


def command():
    ours = [*GRAPHCLUST, "detect", "data:karate", "--method", "acp"]
    plain = [sys.executable, "-c", "import torch_geometric"]
    process(ours), process(plain)
    ratios = []
    for _ in range(5):
        (a, _), (b, _) = process(ours), process(plain)
        ratios.append((a / b, a, b))
    ratio, a, b = sorted(ratios)[2]
    line(
        "detect karate with acp / import torch_geometric",
        f"{ratio:.2f} ({a:.1f} s / {b:.1f} s)",
        "<= 1.3",
        ratio <= 1.3,
    )


PARTS = {"training": training, "inference": inference, "command": command}

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("part", nargs="?", choices=PARTS, help="all by default")
    chosen = parser.parse_args().part
    if chosen:
        PARTS[chosen]()
    else:  # each in a process of its own: the threads and the memory of one would slow the next
        for part in PARTS:
            subprocess.run([sys.executable, __file__, part], check=True)
