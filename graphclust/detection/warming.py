"""Compile all loops in advance, so that the first run of a method takes no longer than the second one."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context

from graphclust.runtime.progress import task

__all__ = ["STAGES", "compile_loops"]


def _block_models() -> None:
    """Loops of auto and of refinement."""
    from graphclust.detection import detect
    from graphclust.generators import planted_partition
    from graphclust.kernels import block_moves

    block_moves.propose(block_moves.blank_state(), block_moves.SETTLE, 0, 0)  # for large graphs
    block_moves.commit(block_moves.blank_state(), 0, 0)
    detect(planted_partition(60, 3, p_in=0.6, p_out=0.05, random_state=0), random_state=0)


def _groups() -> None:
    """Loops of the degree-corrected block model and of hierarchies."""
    from graphclust.detection import detect
    from graphclust.generators import planted_partition

    graph = planted_partition(60, 3, p_in=0.6, p_out=0.05, random_state=0)
    for hierarchy in (False, True):
        detect(graph, random_state=0, model="dc-sbm", hierarchy=hierarchy)


def _communities() -> None:
    """Loops of Infomap, and of Leiden on graphs that are visited in batches."""
    from graphclust.generators import planted_partition
    from graphclust.methods.infomap import Infomap
    from graphclust.methods.leiden import Leiden

    graph = planted_partition(2000, 4, p_in=0.3, p_out=0.06, random_state=0)
    Leiden(random_state=0).fit(graph)
    Infomap(trials=1, random_state=0).fit(graph)


def _generators() -> None:
    """Loops of LFR graphs."""
    from graphclust.generators import lfr

    lfr(60, mu=0.2, random_state=0)


def _edge_gates() -> None:
    """Loops of models with the encoder gated-gcn, forward and backward."""
    import torch

    from graphclust.nn.edge_gates import EdgeList, EdgeNorm, gated_messages

    n, dim = 4, 8
    target, source = (torch.ones(n, n) - torch.eye(n)).nonzero(as_tuple=True)
    a, b, v = (torch.ones(n, dim, requires_grad=True) for _ in range(3))
    state, weights = torch.ones(len(target), dim, requires_grad=True), torch.ones(dim, dim, requires_grad=True)
    norm = EdgeNorm(torch.ones(dim), torch.zeros(dim), None, None, 1e-5)
    result = gated_messages(a, b, v, state, weights, norm, EdgeList(target, source, None))
    torch.autograd.grad(result.message.sum(), [a, b, v, state, weights])


def _mixtures() -> None:
    """Loops of Markov chains for Gaussian mixtures."""
    import numpy as np

    from graphclust.inference.mixtures import MixtureLaw, sample_partitions

    sample_partitions(np.eye(4), MixtureLaw(), n_samples=1, n_burn_in=1)


def _cuts() -> None:
    """Loops of CNC."""
    from graphclust.generators import planted_partition
    from graphclust.methods.cnc import CNC

    graph = planted_partition(60, 3, p_in=0.6, p_out=0.05, random_state=0)
    CNC(3, random_state=0, max_epochs=1).fit(graph)


STAGES: dict[str, Callable[[], None]] = {
    "groups": _groups,
    "block models": _block_models,
    "edge gates": _edge_gates,
    "cuts": _cuts,
    "communities": _communities,
    "mixtures": _mixtures,
    "generators": _generators,
}
"""Functions that each run some loops once, by what these are for; those that take longest first."""


def _run(stage: str) -> str:
    STAGES[stage]()
    return stage


def compile_loops(n_jobs: int | None = None) -> None:
    """Compile the loops that are not in numba's cache, and keep them there.

    Parameters
    ----------
    n_jobs : int, optional
        Number of processes; by default one for each core.
    """
    n_jobs = min(n_jobs or os.cpu_count() or 1, len(STAGES))
    with task("compiling", total=len(STAGES)) as advance:
        if n_jobs == 1:
            for stage in STAGES.values():
                stage()
                advance()
            return
        with ProcessPoolExecutor(n_jobs, mp_context=get_context("spawn")) as pool:
            for done in as_completed([pool.submit(_run, stage) for stage in STAGES]):
                done.result()
                advance()
