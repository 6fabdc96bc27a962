"""Neural methods on a GPU: each finds there what it finds on the CPU.

The tests marked `cuda` need a GPU (`make test-cuda`). Where there is none, the others run the same fits on a simulated
device (`tests.simulated_device`), which refuses tensors and generators in the wrong place, and count how often the CPU
would wait for the GPU.

A new method is one line in `CASES`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.metrics import adjusted_rand_score

import graphclust as gc
from graphclust.kernels import neighbors
from tests.estimating import blobs
from tests.simulated_device import CUDA, SimulatedDevice

pytestmark = pytest.mark.filterwarnings("ignore:Sparse CSR tensor support is in beta state:UserWarning")

Scores = dict[str, float]


def _points() -> Any:
    return blobs(np.random.default_rng(0), size=20)[0]


def _graph() -> Any:
    return gc.generators.planted_partition(24, 3, p_in=0.9, p_out=0.05, random_state=0)


def _six_points() -> Any:
    return 3 * np.random.default_rng(0).normal(size=(6, 2))


def _details(*names: str) -> Callable[[Any], Scores]:
    return lambda fitted: {name: float(fitted.details_[name]) for name in names}


def _highest_log_prob(fitted: Any) -> Scores:
    return {"log_prob": float(fitted.posterior_.log_prob.max())}


@dataclass(frozen=True)
class Case:
    """A method, with its parameters, and what is compared beside the labels.

    Attributes
    ----------
    make : callable
        Keyword parameters -> estimator.
    data : callable
        Returns what it is fitted to.
    scores : callable
        Fitted estimator -> numbers.
    tolerance : float
        Relative, of these numbers. In single precision each of some hundred steps rounds differently on a GPU.
    length : str
        Parameter that makes training or sampling longer.
    """

    make: Callable[..., Any]
    data: Callable[[], Any]
    scores: Callable[[Any], Scores]
    tolerance: float
    length: str


_CNC = {
    "preset": "published", "max_epochs": 20,
    "training": {
        "autoencoder": (16, 4), "autoencoder_epochs": 2, "siamese": (32, 4), "siamese_steps": 40, "hidden": (32,),
        "batch_size": 30,
    },
}  # fmt: skip
_LNSCC = {
    "start": "random", "embedding_dim": 4, "n_neighbors": 5, "max_epochs": 3,
    "training": {"noise": 0.0, "adversarial": 0.0, "hidden": (16,), "batch_size": 20},
}  # fmt: skip
_SAMPLES = {"n_samples": 8, "n_anchors": 3}
_NCP = {
    "checkpoint": Path(__file__).parent / "golden" / "six-points-ncp.safetensors", "n_samples": 8, "n_orders": 3,
}  # fmt: skip


def _case(kind: Any, params: dict[str, Any], *rest: Any) -> Case:
    return Case(lambda **more: kind(**(params | {"random_state": 0} | more)), *rest)


CASES = {
    "cnc": _case(
        gc.CNC, _CNC | {"n_clusters": 3}, _points, _details("siamese_loss", "autoencoder_loss"), 0.02, "max_epochs"
    ),
    "clam": _case(
        gc.CLAM, {"n_clusters": 3, "n_init": 1, "max_epochs": 20}, _points,
        lambda m: {"loss": m.loss_, "silhouette": m.silhouette_}, 0.01, "max_epochs",
    ),
    "lnscc": _case(gc.LNSCC, _LNSCC | {"n_clusters": 3}, _points, _details("contrastive_loss"), 0.02, "max_epochs"),
    "acp": _case(gc.ACP, _SAMPLES, _graph, _highest_log_prob, 1e-3, "n_samples"),
    "acp-s": _case(gc.ACPS, _SAMPLES, _graph, _highest_log_prob, 1e-3, "n_samples"),
    "ccp": _case(gc.CCP, _SAMPLES, _graph, _highest_log_prob, 1e-3, "n_samples"),
    "ncp": _case(gc.NCP, _NCP, _six_points, _highest_log_prob, 1e-3, "n_samples"),
}  # fmt: skip


@pytest.fixture(autouse=True)
def _without_faiss(monkeypatch):
    """Search neighbours by torch on every device, so that faiss is not needed."""
    monkeypatch.setattr(neighbors, "_searcher", lambda x, k, device, exact: neighbors._gpu_searcher(x, k, device))


def _on_simulated_device(case: Case, **params: Any) -> tuple[Any, SimulatedDevice]:
    with pytest.MonkeyPatch.context() as patch, SimulatedDevice(patch) as device:
        return case.make(device="cuda", **params).fit(case.data()), device


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU here")
@pytest.mark.parametrize("name", CASES)
def test_a_gpu_finds_what_the_cpu_finds(name):
    case = CASES[name]
    local, nx_graph = (case.make(device=device).fit(case.data()) for device in ("cpu", "cuda"))
    assert adjusted_rand_score(local.labels_, nx_graph.labels_) > 0.95
    assert case.scores(nx_graph) == pytest.approx(case.scores(local), rel=case.tolerance)


@pytest.mark.parametrize("name", CASES)
def test_no_tensor_is_in_the_wrong_place(name):
    case = CASES[name]
    local, (nx_graph, _) = case.make(device="cpu").fit(case.data()), _on_simulated_device(case)
    np.testing.assert_array_equal(nx_graph.labels_, local.labels_)
    assert case.scores(nx_graph) == case.scores(local)


@pytest.mark.parametrize("name", ["clam", pytest.param("cnc", marks=pytest.mark.slow)])
def test_waits_for_the_gpu_do_not_grow_with_training(name):
    case = CASES[name]
    length = case.make().get_params()[case.length]
    short, long = (_on_simulated_device(case, **{case.length: times * length})[1] for times in (1, 2))
    assert short.waits == long.waits


@pytest.mark.slow
def test_the_siamese_network_of_cnc_waits_for_the_gpu_as_often_in_longer_training():
    short, long = (
        _on_simulated_device(CASES["cnc"], training=_CNC["training"] | {"siamese_steps": steps})[1]
        for steps in (40, 80)
    )
    assert short.waits == long.waits


# ---------------------------------------------------------------- the simulated device itself


@pytest.fixture
def device(monkeypatch):
    with SimulatedDevice(monkeypatch) as simulated:
        yield simulated


def test_results_are_where_their_operands_are(device):
    x = torch.ones(2, 3, device="cuda")
    for entry in (x + 1, x.T, torch.cat([x, x]), torch.zeros_like(x), x.sum(), x * torch.tensor(2.0), x.data):
        assert entry.device == CUDA
    assert torch.ones(2).device.type == x.cpu().device.type == "cpu"
    assert torch.nn.Linear(3, 2).to("cuda")(x).device == CUDA
    assert torch.autograd.grad(x.requires_grad_().square().sum(), x)[0].device == CUDA


@pytest.mark.parametrize(
    "wrong",
    [
        lambda x: x + torch.ones(3), lambda x: torch.cat([x, torch.ones(3)]), lambda x: torch.ones(3)[x.long()],
        lambda x: x.numpy(), lambda x: torch.rand(3, generator=torch.Generator(), device="cuda"),
        lambda x: torch.rand(3, generator=torch.Generator(device="cuda")),
        lambda x: x.normal_(generator=torch.Generator()), lambda x: torch.nn.Linear(3, 2)(x),
    ],
)  # fmt: skip
def test_what_is_in_the_wrong_place_is_refused(device, wrong):
    x = torch.ones(3, device="cuda")
    with pytest.raises((RuntimeError, TypeError)):
        wrong(x)


@pytest.mark.parametrize(
    ("waits", "read"),
    [
        (1, lambda x: x.sum().item()), (1, lambda x: float(x.sum())), (1, lambda x: bool((x > 0).any())),
        (1, lambda x: x.tolist()), (1, lambda x: x[x > 0]), (1, lambda x: x.nonzero()), (1, lambda x: torch.unique(x)),
        (1, lambda x: x.cpu()), (1, lambda x: torch.ones(3).to(x)), (1, lambda x: x[torch.tensor([0])]),
        (0, lambda x: torch.ones(3).to("cuda", non_blocking=True)), (0, lambda x: torch.where(x > 0, x, 0.0)),
        (0, lambda x: x[x.long()]), (0, lambda x: x[0]), (0, lambda x: x.to(torch.float64)), (0, lambda x: len(x)),
    ],
)  # fmt: skip
def test_waits_are_counted(device, waits, read):
    x = torch.ones(3, device="cuda")
    read(x)
    assert device.waits.total() == waits
