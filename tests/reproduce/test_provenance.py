"""What the tables say of where a model comes from: its history, its architecture, and what is refused."""

from __future__ import annotations

from dataclasses import replace

import pytest

from graphclust.errors import UsageError
from graphclust.models.build import ModelConfig
from graphclust.reproduce.provenance import (
    COLUMNS,
    check_architecture,
    check_from_scratch,
    describe_architecture,
    has_architecture,
    provenance,
    started_from,
)
from graphclust.training.checkpoints import CheckpointInfo, read_info

SBM = {"family": "general-sbm", "parameters": {}}
LITERAL = ModelConfig("ccp", "gated-gcn", n_layers=16, dim_encoder=78)


def training(method, graphs, data=SBM, options=""):
    """A training as an ancestor; `data` None as headers of earlier versions have it."""
    known = {} if data is None else {"data": data}
    return {"command": f"graphclust train {method} {options} --out x.safetensors", "graphs": graphs, **known}


def model(method="ccp", graphs=100, ancestors=(), data=SBM, **architecture):
    config = ModelConfig(method, **architecture)
    return CheckpointInfo(
        config.to_dict(), data, (50, 300), (1, 12), steps=10, graphs=graphs, command="own", ancestors=list(ancestors)
    )


def pairs(network, **more):
    return {"family": "community-pairs", "parameters": {"data": network, **more}}


@pytest.mark.parametrize(
    ("ancestors", "start"),
    [
        ([], "random weights"),
        ([training("ccp", 50)], "random weights"),
        ([training("ccp", 50), training("ccp", 60, None)], "random weights"),
        ([training("acp", 1500)], "acp on general-sbm (1,500 graphs)"),
        ([training("acp", 50, None), training("acp", 60), training("ccp", 5)], "acp on general-sbm (110 graphs)"),
        ([training("acp", 50), training("ccp", 60, None, "--family cluster")],
         "acp on general-sbm (50 graphs), then ccp on cluster (60 graphs)"),
        ([training("ccp", 7, None, "--family community-pairs --set drop=0.3 --set data=com-youtube")],
         "ccp on community-pairs of com-youtube (7 graphs)"),
        ([training("ccp", 7, None, "--family community-pairs")], "ccp on community-pairs of com-dblp (7 graphs)"),
    ],
)  # fmt: skip
def test_what_a_model_started_from(ancestors, start):
    assert started_from(model(ancestors=ancestors)) == start


def test_networks_are_families_of_their_own():
    own = model(data=pairs("com-amazon"), ancestors=[training("ccp", 5, pairs("com-dblp", drop=0.3))])
    assert started_from(own) == "ccp on community-pairs of com-dblp (5 graphs)"
    other_split = training("ccp", 5, pairs("com-amazon", split_seed=1))
    assert started_from(replace(own, ancestors=[other_split])) == "random weights"


@pytest.mark.parametrize(
    ("name", "start"),
    [
        ("acp", "random weights"),
        ("acp-s", "acp on general-sbm (76,800 graphs)"),
        ("ccp", "acp on general-sbm (153,600 graphs)"),
        ("acp-s-cluster", "acp on general-sbm (236,800 graphs), then acp on cluster (65,632 graphs)"),
    ],
)
def test_shipped_models_say_what_they_started_from(name, start):
    assert started_from(read_info(name)) == start


def test_graphs_of_another_method_do_not_make_a_training_full():
    info = model(graphs=600, ancestors=[training("acp", 5000), training("ccp", 300)])
    reported = provenance(info, None, 1000)
    assert set(reported) == {*COLUMNS, "trained_by"}
    assert (reported["steps"], reported["graphs_trained"], reported["full_size"]) == (10, 5900, False)
    assert provenance(info, None, 900)["full_size"] is True
    assert reported["trained_by"] == "own"


def test_architectures():
    assert describe_architecture(LITERAL, LITERAL) == "paper's: gated-gcn, 16 layers of 78"
    assert describe_architecture(replace(LITERAL, n_labels=16), LITERAL).startswith("paper's")
    assert describe_architecture(LITERAL, None) == "ours: gated-gcn, 16 layers of 78"
    assert has_architecture(replace(LITERAL, dim_encoder=None), replace(LITERAL, dim_encoder=128))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model": "acp"}, "model acp, not ccp"), ({"encoder": "graphsage"}, "encoder graphsage, not gated-gcn"),
        ({"n_layers": 4}, "n_layers 4, not 16"), ({"dim_encoder": None}, "dim_encoder 128, not 78"),
        ({"features": "random"}, "features random, not laplacian"), ({"dim": 64}, "dim 64, not 128"),
        ({"n_inducing": 16}, "n_inducing 16, not 32"),
    ],
)  # fmt: skip
def test_other_architectures_are_refused_in_rows_of_the_paper(change, message):
    check_architecture("x", LITERAL, LITERAL)
    other = replace(LITERAL, **change)
    assert describe_architecture(other, LITERAL).startswith("ours")
    with pytest.raises(UsageError, match=rf"checkpoint x .*{message}.*rename the checkpoint"):
        check_architecture("x", other, LITERAL)


def test_a_warm_start_is_not_from_scratch():
    check_from_scratch("x", model(ancestors=[training("ccp", 5)]))
    with pytest.raises(UsageError, match=r"x was not trained from scratch but from acp on general-sbm \(5 graphs\)"):
        check_from_scratch("x", model(ancestors=[training("acp", 5)]))
