"""Training on synthetic graphs: what a batch is, what a step averages, what a run writes, and what is measured."""

from __future__ import annotations

import json
import logging
import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from graphclust.errors import DataError, ResourceError, UsageError
from graphclust.generators import general_sbm, stream
from graphclust.graph import Graph
from graphclust.models.build import ModelConfig, build
from graphclust.nn.batch import Batch
from graphclust.nn.features import laplacian_eigenvectors
from graphclust.training import clusterwise as amortized
from graphclust.training import evaluation
from graphclust.training.checkpoints import load_checkpoint, read_info, save_checkpoint
from graphclust.training.clusterwise import elbo_loss, measure_speed, train_clusterwise
from graphclust.training.evaluation import Scores, evaluate
from graphclust.training.loops import LoopSettings, Machine, read_note
from graphclust.training.synthetic import HELD_OUT, DataConfig, SyntheticBatches, held_out_batches, part
from tests.marks import slow

MODEL = ModelConfig(encoder="graph-transformer", dim=16, dim_z=8, n_layers=1, n_features=4, n_heads=2, n_inducing=4)
LABELLED = replace(MODEL, n_labels=5)
DATA = DataConfig(parameters={"n_nodes": (8, 14)}, batch_size=5, seed=3)


@pytest.fixture
def fresh():
    """A model with weights of its own, the same in every test."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        return build(MODEL)


def assert_same(first, other):
    assert first[1] == other[1]
    for name, value in vars(first[0]).items():
        actual = getattr(other[0], name)
        assert (value is None) == (actual is None), name
        assert value is None or torch.equal(value, actual), name


# ---------------------------------------------------------------- batches


@pytest.mark.parametrize("features", ["laplacian", "random"])
@pytest.mark.parametrize("known_share", [0.0, 0.5])
def test_a_batch_is_fixed_by_its_number(features, known_share):
    model, data = replace(LABELLED, features=features), replace(DATA, known_share=known_share)
    first, second = SyntheticBatches(model, data), SyntheticBatches(model, data)
    for number in (4, 0, 2):
        _ = second[9 - number]  # what was drawn before does not matter
        assert_same(first[number], second[number])
    assert first[0][1] != first[1][1]
    assert not torch.equal(first[0][0].x[:, :3], SyntheticBatches(model, replace(data, seed=4))[0][0].x[:, :3])


def test_a_batch_is_that_of_the_stream():
    batch, seeds = SyntheticBatches(MODEL, DATA)[6]
    drawn = next(stream("general-sbm", random_state=3, batch_size=5, start=6, n_eigenvectors=4, n_nodes=(8, 14)))
    assert np.array_equal(batch.adjacency.numpy(), drawn.adjacency)
    assert np.array_equal(batch.labels.numpy(), drawn.labels)
    assert np.array_equal(batch.mask.sum(dim=1).numpy(), drawn.n_nodes)
    scaled = drawn.features * np.sqrt(drawn.n_nodes)[:, None, None]
    np.testing.assert_allclose(batch.x.abs().numpy(), np.abs(scaled), rtol=1e-6)  # signs are drawn
    assert len(set(seeds)) == 5


def test_a_batch_of_points_has_features_and_no_adjacency():
    model = replace(MODEL, encoder="points", features="given", n_features=2)
    data = DataConfig("gaussian-mixture", {"n": (5, 9)}, batch_size=4, seed=3)
    batch, _ = SyntheticBatches(model, data)[6]
    drawn = next(stream("gaussian-mixture", random_state=3, batch_size=4, start=6, n=(5, 9)))
    assert batch.adjacency is None
    assert np.array_equal(batch.x.numpy(), drawn.features)
    assert np.array_equal(batch.labels.numpy(), drawn.labels)
    with pytest.raises(UsageError, match=r"encoder graphsage needs the edges of a graph: choose .*points"):
        SyntheticBatches(replace(model, encoder="graphsage"), data)


def test_signs_are_drawn_in_training_only():
    flips = []
    for train in (True, False):
        x = SyntheticBatches(MODEL, DATA, train=train)[0][0].x
        top = x.gather(1, x.abs().argmax(dim=1, keepdim=True)).squeeze(1)
        flips.append(bool((top < 0).any()))
    assert flips == [True, False]


@pytest.mark.parametrize("world", [1, 2, 3, 5])
def test_shares_are_a_split(world):
    data = replace(DATA, known_share=0.5)
    complete, seeds = SyntheticBatches(LABELLED, data)[1]
    places = [list(range(rank, 5, world)) for rank in range(world)]
    for rank, mine in enumerate(places):
        share, own = SyntheticBatches(LABELLED, data, share=(rank, world))[1]
        assert_same((share, own), (part(complete, slice(rank, None, world)), [seeds[i] for i in mine]))
        assert torch.equal(share.labels, complete.labels[mine])


@pytest.mark.parametrize("world", [2, 3])
def test_shares_average_to_the_gradient_of_the_whole(fresh, world):
    """As processes do it: each divides by the batch over their number, and the mean of the gradients counts."""
    loss, record = elbo_loss(fresh, SyntheticBatches(MODEL, DATA)[0], 4)
    loss.backward()
    expected = {name: p.grad.clone() for name, p in fresh.named_parameters() if p.grad is not None}
    fresh.zero_grad()
    losses, elbos = [], []
    for rank in range(world):
        part, mine = elbo_loss(fresh, SyntheticBatches(MODEL, DATA, share=(rank, world))[0], 4, 5 / world)
        (part / world).backward()
        losses.append(float(part.detach()))
        elbos.append(mine["elbo"])
    assert np.mean(losses) == pytest.approx(float(loss.detach()), rel=1e-5)
    assert np.mean(elbos) == pytest.approx(record["elbo"], rel=1e-5)
    for name, value in expected.items():
        torch.testing.assert_close(fresh.get_parameter(name).grad, value, rtol=1e-4, atol=1e-5)


def test_loss_is_the_mean_of_the_graphs(fresh):
    batch, seeds = SyntheticBatches(MODEL, DATA)[0]
    loss, record = elbo_loss(fresh, (batch, seeds), 4)
    members = [float(fresh(part(batch, slice(i, i + 1)), 4, seeds[i : i + 1]).total.detach()) for i in range(5)]
    assert -np.mean(members) == pytest.approx(float(loss.detach()), rel=1e-5)
    assert record["elbo"] == pytest.approx(np.mean(members), rel=1e-5)


def test_known_labels_are_names_of_clusters():
    data = replace(DATA, known_share=1.0, batch_size=60)
    batch, _ = SyntheticBatches(LABELLED, data)[0]
    one_each = shares = 0
    for known, labels in zip(batch.known.numpy(), batch.labels.numpy(), strict=True):
        n_clusters = len(set(labels[labels >= 0]))
        arguments = known > 0
        assert not arguments[labels < 0].any()
        if n_clusters > 5:
            assert not arguments.any()
            continue
        pairs = set(zip(known[arguments].tolist(), labels[arguments].tolist(), strict=True))
        assert len(pairs) == len({name for name, _ in pairs}) == len({label for _, label in pairs})
        assert known.max() <= 5
        one_each += arguments.sum() == n_clusters == len(pairs)
        shares += arguments.sum() <= 0.3 * (labels >= 0).sum()
    assert one_each > 10
    assert shares > 10
    names = {int(name) for name in batch.known[batch.labels == 0] if name}
    assert len(names) > 2  # a cluster is called differently in each graph


def test_no_labels_are_known_unless_asked_for():
    assert SyntheticBatches(MODEL, DATA)[0][0].known is None
    assert not SyntheticBatches(LABELLED, DATA)[0][0].known.any()
    assert SyntheticBatches(LABELLED, replace(DATA, known_share=1.0), train=False)[0][0].known is None
    half, _ = SyntheticBatches(LABELLED, replace(DATA, known_share=0.5, batch_size=200))[0]
    few = (half.labels.max(dim=1).values < 5) & (half.labels >= 0).any(dim=1)
    share = half.known[few].any(dim=1).float().mean()
    assert 0.3 < share < 0.6  # a random share of the nodes may be none


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: DataConfig(family="general-smb"), "did you mean general-sbm"),
        (lambda: DataConfig(parameters={"n_node": 3}), "did you mean n_nodes"),
        (lambda: DataConfig(parameters={"random_state": 3}), "random_state"),
        (lambda: DataConfig(batch_size=0), "batch_size"),
        (lambda: DataConfig(known_share=1.5), "known_share"),
        (lambda: SyntheticBatches(MODEL, replace(DATA, known_share=0.1)), "n_labels"),
        (lambda: SyntheticBatches(MODEL, DATA, share=(0, 6)), "cannot share"),
        (lambda: ModelConfig(encoder="graph-sage"), "did you mean graphsage"),
    ],
)
def test_what_makes_no_sense_is_refused(make, message):
    with pytest.raises(UsageError, match=message):
        make()


# ---------------------------------------------------------------- evaluation


def test_held_out_graphs_are_so_many_and_others():
    batches = held_out_batches(LABELLED, replace(DATA, known_share=0.5, same_size=True), 23)
    assert [len(batch) for batch, _ in batches] == [10, 10, 3]
    assert [len(seeds) for _, seeds in batches] == [10, 10, 3]
    assert all(batch.known is None for batch, _ in batches)
    assert len({int(n) for batch, _ in batches for n in batch.mask.sum(dim=1)}) > 3
    other, _ = SyntheticBatches(LABELLED, replace(DATA, batch_size=10, seed=HELD_OUT), train=False)[0]
    assert torch.equal(batches[0][0].labels, other.labels)


def test_scores_of_the_truth_and_of_failures(fresh, monkeypatch):
    batches = held_out_batches(MODEL, DATA, 7)
    ((batch, _),) = batches
    monkeypatch.setattr(evaluation, "draw", lambda model, graph, *_: (graph.labels, torch.zeros(1), None))
    right = evaluate(fresh.eval(), batches, n_z=2)
    assert (right.n_failed, right.summary()["k_right"]) == (0, 1.0)
    np.testing.assert_allclose(right.ami, 1.0)

    broken = batch.labels.clone()
    broken[2, 0] = broken[5, 3] = -1  # nodes without a cluster
    actual = iter(broken)
    monkeypatch.setattr(evaluation, "draw", lambda *_: (next(actual)[None], torch.zeros(1), None))
    scores = evaluate(fresh, batches, n_z=2)
    assert scores.n_failed == 2
    assert (scores.ami == 0).tolist() == [i in (2, 5) for i in range(7)]  # they count, as the worst there is
    with torch.no_grad():
        np.testing.assert_allclose(scores.elbo, fresh(batch, 2, batches[0][1]).per_graph.numpy(), rtol=1e-5)


def test_elbos_are_those_of_each_graph_alone(fresh):
    """Whatever their companions: graphs of several batches, each computed by itself from its own edges."""
    graphs = [general_sbm((5, 12), random_state=seed) for seed in range(12)]
    actual = evaluation.elbos(fresh.eval(), MODEL, graphs, n_z=3, seed=4)
    assert actual.shape == (12,)
    for start in (0, 10):
        rng = np.random.default_rng(np.random.SeedSequence(4, spawn_key=(start,)))
        seeds = rng.integers(2**62, size=min(10, 12 - start)).tolist()
        for graph, seed, value in zip(graphs[start:], seeds, actual[start:], strict=False):
            n = graph.num_nodes
            adjacency = np.zeros((1, n, n), dtype=bool)
            for u, v in zip(graph.source.tolist(), graph.target.tolist(), strict=True):
                adjacency[0, u, v] = adjacency[0, v, u] = True
            x = laplacian_eigenvectors(graph, 4)[None] * n**0.5
            batch = Batch.of(x, np.array([n]), adjacency, graph.y[None])
            with torch.no_grad():
                assert float(fresh(batch, 3, [seed]).per_graph[0]) == pytest.approx(value, rel=1e-4)


@pytest.mark.parametrize("n_clusters", [2, 4])
def test_elbos_of_what_is_known_are_those_of_the_order(n_clusters):
    """One known node in each cluster, and no other: nothing is left to be inferred but which anchor comes first."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        model = build(LABELLED).eval()
    source, target = np.triu_indices(n_clusters, 1)
    graph = Graph.from_edges(source, target, nodes=n_clusters, y=np.arange(n_clusters))
    everything = np.arange(n_clusters)
    (value,) = evaluation.elbos(model, LABELLED, [graph], [everything], n_z=2)
    assert value == pytest.approx(-math.log(math.factorial(n_clusters)), abs=1e-5)
    (blind,) = evaluation.elbos(model, LABELLED, [graph], n_z=2)
    assert blind < value
    some = [np.array([0, 1])]
    assert evaluation.elbos(model, LABELLED, [graph], some, n_z=2)[0] != pytest.approx(blind)


def test_evaluation_takes_the_most_probable_sample(fresh):
    batches = held_out_batches(MODEL, DATA, 4)
    scores = evaluate(fresh.eval(), batches, n_samples=3, n_z=2)
    again = evaluate(fresh, batches, n_samples=3, n_z=2)
    assert np.array_equal(scores.ami, again.ami)
    assert scores.n_failed == 0
    assert (scores.n_found >= 1).all()
    assert np.array_equal(scores.n_true, [len(set(row[row >= 0].tolist())) for row in batches[0][0].labels])


def test_an_evaluation_can_be_broken_off(tmp_path):
    """Of a run that is finished only the evaluation is missing then, and --resume makes it."""
    requested = []

    def stop():
        requested.append(None)
        return len(requested) > 2 + 3  # after the steps, and so many graphs

    assert run(tmp_path, 2, eval_graphs=9, stop=stop).held_out == {}
    assert len(requested) == 6
    done = run(tmp_path, 2, eval_graphs=9, resume=True)
    assert done.finished
    assert done.held_out["n_graphs"] == read_info(tmp_path / "a.safetensors").held_out["n_graphs"] == 9


def test_summary():
    scores = Scores(np.array([-1.0, -3.0]), np.array([0.5, 1.0]), np.array([2, 3]), np.array([2, 2]), 1)
    actual = scores.summary()
    assert (actual["elbo"], actual["ami"], actual["k_right"], actual["n_failed"], actual["n_graphs"]) == (
        -2,
        0.75,
        0.5,
        1,
        2,
    )
    assert actual["ami_se"] == pytest.approx(0.25)
    assert np.isnan(
        Scores(*(array[:1] for array in (scores.elbo, scores.ami, scores.n_found, scores.n_true))).summary()["ami_se"]
    )


# ---------------------------------------------------------------- a run


def run(folder, steps=6, *, model=MODEL, data=DATA, name="a", rate=1e-2, average=0.0, **options):
    settings = LoopSettings(steps=steps, learning_rate=rate, average=average, clip=10.0)
    options = {"n_z": 2, "eval_graphs": 0, "machine": Machine(device="cpu"), **options}
    return train_clusterwise(model, data, settings, folder / f"{name}.safetensors", **options)


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def after(number):
    """Stop after so many steps of this process."""
    requested = iter(range(1, 1000))
    return lambda: next(requested) >= number


def test_training_improves_on_held_out_graphs(tmp_path):
    """Two clear blocks: sixty steps go a long way."""
    data = DataConfig(
        family="planted-partition",
        parameters={"n_nodes": (10, 16), "n_clusters": 2, "p_in": 0.9, "p_out": 0.05},
        batch_size=8,
    )
    done = run(tmp_path, 1, rate=1e-2, data=data, n_z=4, eval_graphs=20)
    before = done.held_out
    done = run(tmp_path, 60, rate=1e-2, data=data, n_z=4, eval_graphs=20, resume=True)
    assert done.finished
    assert done.held_out["elbo"] > before["elbo"] + 3
    assert done.held_out["ami"] > before["ami"] + 0.5
    model, info = load_checkpoint(tmp_path / "a.safetensors")
    scores = evaluate(model, held_out_batches(MODEL, data, 20), n_z=4)  # what was written is what was measured
    assert scores.summary()["elbo"] == pytest.approx(info.held_out["elbo"], abs=0.1)


def test_what_a_run_writes(tmp_path):
    torch.manual_seed(9)
    state = torch.get_rng_state()
    done = run(tmp_path, 7, eval_every=3, eval_graphs=4, log_every=2, save_every=4, command="graphclust train acp")
    assert torch.equal(torch.get_rng_state(), state)
    assert (done.step, done.finished, done.is_main) == (7, True, True)
    log = lines(tmp_path / "a.log.jsonl")
    assert [(line["step"], "held_out" in line) for line in log] == [
        (2, False), (3, False), (3, True), (4, False), (6, False), (6, True), (7, False), (7, True),
    ]  # fmt: skip
    assert log[0].keys() == {"step", "elbo", "loss", "norm", "rate", "graphs_per_second", "seconds"}
    assert log[0]["elbo"] == pytest.approx(-log[0]["loss"], rel=1e-4)
    assert log[-1]["held_out"] == pytest.approx(done.held_out)
    assert log[-1]["held_out"].keys() == {"n_graphs", "ami", "ami_se", "elbo", "k_right", "n_failed"}

    info = read_info(tmp_path / "a.safetensors")
    batches = [SyntheticBatches(MODEL, DATA)[i][0] for i in range(7)]
    sizes = [int(n) for batch in batches for n in batch.mask.sum(dim=1)]
    clusters = [len(set(row[row >= 0].tolist())) for batch in batches for row in batch.labels]
    assert (info.n_nodes, info.n_clusters) == ((min(sizes), max(sizes)), (min(clusters), max(clusters)))
    assert (info.steps, info.graphs, info.command) == (7, 35, "graphclust train acp")
    assert info.config == MODEL
    assert (info.data["family"], info.data["seed"], info.settings["n_z"]) == ("general-sbm", 3, 2)
    assert info.held_out == pytest.approx(done.held_out)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "a.log.jsonl", "a.safetensors", "a.safetensors.state",
    ]  # fmt: skip


def curve(path):
    """The lines of a log without the times."""
    return [{k: v for k, v in line.items() if k not in ("graphs_per_second", "seconds")} for line in lines(path)]


@pytest.mark.parametrize(
    "model", [LABELLED, *slow(replace(MODEL, encoder="graphsage", model="ccp"))], ids=["acp", "ccp"]
)
def test_stopped_and_resumed_is_the_same(tmp_path, model):
    data = replace(DATA, known_share=0.5 if model.n_labels else 0.0)
    options = {"model": model, "data": data, "average": 0.9, "log_every": 2, "eval_graphs": 3, "eval_every": 4}
    run(tmp_path, name="whole", **options)
    for number in (2, 1, 99):
        done = run(tmp_path, name="parts", stop=after(number), resume=True, save_every=5, **options)
    assert done.finished
    complete, parts = ((tmp_path / f"{name}.safetensors") for name in ("whole", "parts"))
    first, second = (load_checkpoint(path)[0].state_dict() for path in (complete, parts))
    assert all(torch.equal(value, second[name]) for name, value in first.items())
    assert replace(read_info(complete), settings={}) == replace(read_info(parts), settings={})
    assert curve(tmp_path / "whole.log.jsonl") == curve(tmp_path / "parts.log.jsonl")
    notes = [read_note(f"{path}.state") | {"seconds": 0, "log": None} for path in (complete, parts)]
    assert notes[0] == notes[1]


class KilledError(Exception):
    """Stands for SIGKILL: what is written stays as it is."""


def killed_at(moment):
    """Stop a run as SIGKILL does when it has asked so many times whether to go on."""
    left = [moment]

    def ask():
        left[0] -= 1
        if left[0] == 0:
            raise KilledError
        return False

    return ask


CHECKED = {"save_every": 2, "log_every": 3, "eval_every": 4, "eval_graphs": 2}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A run of five steps that nothing broke off, in a folder of its own."""
    folder = tmp_path_factory.mktemp("whole")
    run(folder, 5, **CHECKED)
    return folder


def assert_same_run(*folders):
    first, second = (load_checkpoint(folder / "a.safetensors")[0].state_dict() for folder in folders)
    assert all(torch.equal(value, second[key]) for key, value in first.items())
    assert curve(folders[0] / "a.log.jsonl") == curve(folders[1] / "a.log.jsonl")
    infos = [replace(read_info(folder / "a.safetensors"), settings={}) for folder in folders]
    assert infos[0] == infos[1]


@pytest.mark.parametrize("moment", [3, 6, *slow(1, 2, 4, 5, 7, 8, 9)])  # 5 steps, 2 evaluations of 2 graphs
def test_killed_at_any_moment_is_the_same(tmp_path, whole, moment):
    """After every step and every graph of an evaluation; the lines of the log lie across the savings."""
    with pytest.raises(KilledError):
        run(tmp_path, 5, stop=killed_at(moment), **CHECKED)
    run(tmp_path, 5, resume=True, **CHECKED)
    assert_same_run(whole, tmp_path)


@pytest.mark.parametrize("number", [2, *slow(1, 3)])
def test_killed_between_the_state_and_the_model(tmp_path, whole, monkeypatch, number):
    written = []

    def write(*arguments):
        written.append(None)
        if len(written) == number:
            raise KilledError
        save_checkpoint(*arguments)

    monkeypatch.setattr(amortized, "save_checkpoint", write)
    with pytest.raises(KilledError):
        run(tmp_path, 5, **CHECKED)
    run(tmp_path, 5, resume=True, **CHECKED)
    assert_same_run(whole, tmp_path)


def test_workers_make_the_same_batches(tmp_path):
    for name, workers in (("inline", 0), ("ahead", 2)):
        run(tmp_path, 5, name=name, machine=Machine(device="cpu", workers=workers))
    first, second = (load_checkpoint(tmp_path / f"{name}.safetensors")[0].state_dict() for name in ("inline", "ahead"))
    assert all(torch.equal(value, second[name]) for name, value in first.items())


def test_lines_of_a_lost_part_are_dropped(tmp_path):
    run(tmp_path, 6, stop=after(4), log_every=1)
    log = tmp_path / "a.log.jsonl"
    with log.open("a") as file:
        file.write(json.dumps({"step": 5, "elbo": 0.0}) + '\n{"step": 6, "el')  # the process died before the next state
    run(tmp_path, 6, log_every=1, resume=True)
    assert [line["step"] for line in lines(log)] == [1, 2, 3, 4, 5, 6]
    assert lines(log)[4]["elbo"] < 0


def test_more_steps_for_a_finished_run(tmp_path):
    run(tmp_path, 3)
    done = run(tmp_path, 5, resume=True)
    assert (done.step, done.finished) == (5, True)
    assert read_info(tmp_path / "a.safetensors").steps == 5
    assert run(tmp_path, 5, resume=True).step == 5


def test_no_time_left_is_one_step(tmp_path, caplog):
    with caplog.at_level(logging.INFO, "graphclust"):
        done = run(tmp_path, 6, minutes=0.0)
    assert (done.step, done.finished, done.held_out) == (1, False, {})
    assert "parameters, on CPU, 1 thread\n" in caplog.text
    assert read_note(tmp_path / "a.safetensors.state")["step"] == 1


def test_a_log_does_not_write_over_other_files(tmp_path):
    notes = tmp_path / "notes.txt"
    notes.write_text("precious\n")
    with pytest.raises(UsageError, match="is not the log of a training"):
        run(tmp_path, 1, log=notes)
    for name in ("a.safetensors", "a.safetensors.state"):
        with pytest.raises(UsageError, match=f"the log would overwrite {name}"):
            run(tmp_path, 1, log=tmp_path / name)
    assert notes.read_text() == "precious\n"


def test_a_finished_run_is_left_as_it_is(tmp_path):
    run(tmp_path, 2, command="first")
    before = (tmp_path / "a.safetensors").read_bytes()
    assert run(tmp_path, 2, command="second", resume=True).finished
    assert (tmp_path / "a.safetensors").read_bytes() == before


def test_start_from_a_checkpoint(tmp_path):
    run(tmp_path, 3, command="first")
    start = tmp_path / "a.safetensors"
    run(tmp_path, 1, name="b", rate=1e-12, start=start, command="second")
    run(tmp_path, 2, name="d", rate=1e-12, start=tmp_path / "b.safetensors", stop=after(1))
    run(tmp_path, 2, name="d", rate=1e-12, start=tmp_path / "b.safetensors", resume=True, command="third")
    info = read_info(tmp_path / "d.safetensors")
    seen = [{"command": "first", "graphs": 15}, {"command": "second", "graphs": 5}, {"command": "third", "graphs": 10}]
    assert info.lineage == [first | {"data": info.data} for first in seen]
    assert info.ancestors == info.lineage[:-1]
    first, second = (load_checkpoint(tmp_path / f"{name}.safetensors")[0].state_dict() for name in "ab")
    assert all(torch.equal(value, second[name]) for name, value in first.items())
    with pytest.raises(UsageError, match="another architecture: n_heads 2, not 4"):
        run(tmp_path, 1, model=replace(MODEL, n_heads=4), name="c", start=tmp_path / "a.safetensors")


def test_start_from_fewer_layers(tmp_path):
    shallow, deep = tmp_path / "a.safetensors", tmp_path / "b.safetensors"
    run(tmp_path, 3)
    run(tmp_path, 1, model=replace(MODEL, n_layers=3), name="b", rate=1e-12, start=shallow)
    batch, _ = SyntheticBatches(MODEL, DATA)[5]
    first, second = (load_checkpoint(path)[0].eval().encoder(batch) for path in (shallow, deep))
    torch.testing.assert_close(first, second)  # the layers that it has more add nothing yet
    run(tmp_path, 2, model=replace(MODEL, n_layers=3), name="c", start=shallow)
    learned = load_checkpoint(tmp_path / "c.safetensors")[0].state_dict()
    assert learned["encoder.layers.2.mixed.weight"].abs().max() > 0
    sister = run(tmp_path, 1, model=replace(MODEL, model="acp-s", n_layers=2), name="d", start=shallow)
    assert sister.finished
    with pytest.raises(UsageError, match="another architecture: n_layers 3, not 1"):
        run(tmp_path, 1, name="e", start=deep)


def test_other_settings_are_not_resumed(tmp_path):
    run(tmp_path, 6, stop=after(2))
    with pytest.raises(UsageError, match="add --resume"):
        run(tmp_path, 6)
    changes = [
        ({"model": replace(MODEL, model="ccp", n_layers=2)}, "model 'acp', not 'ccp'; n_layers 1, not 2"),
        ({"data": replace(DATA, parameters={"n_nodes": (8, 15)})}, r"parameters .*14.*, not .*15"),
        ({"rate": 0.5}, "learning_rate 0.01, not 0.5"),
        ({"n_z": 3}, "n_z 2, not 3"),
    ]
    for change, message in changes:
        with pytest.raises(UsageError, match=f"other settings: {message}"):
            run(tmp_path, **{"steps": 6, "resume": True, **change})
    assert run(tmp_path, 7, resume=True, machine=Machine(device="cpu", workers=1), save_every=2).finished
    with pytest.raises(UsageError, match="other settings: start None, not"):
        run(tmp_path, 8, resume=True, start=tmp_path / "a.safetensors")
    (tmp_path / "a.safetensors.state").unlink()
    with pytest.raises(UsageError, match=r"no a\.safetensors\.state beside it"):
        run(tmp_path, 7, resume=True)
    with pytest.raises(UsageError, match="remove it"):
        run(tmp_path, 7)


def test_a_state_that_is_none(tmp_path):
    (tmp_path / "a.safetensors.state").write_bytes(b"nothing")
    with pytest.raises(DataError, match="not the state of a training run"):
        run(tmp_path, resume=True)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        (
            {"data": replace(DATA, parameters={"n_nodes": "many"})},
            UsageError,
            "general-sbm cannot be drawn with n_nodes='many'",
        ),
        ({"data": replace(DATA, parameters={"n_nodes": (9, 3)})}, UsageError, "low <= high"),
        ({"data": DataConfig(family="cluster", same_size=True)}, UsageError, "needs a range of sizes"),
        ({"machine": Machine(device="cpu", processes=6)}, UsageError, "6 processes cannot share batches of 5"),
        ({"data": replace(DATA, seed=HELD_OUT)}, UsageError, "reserved for held-out graphs"),
        ({"n_z": 0}, UsageError, "n_z"),
        ({"log": "nowhere/log.jsonl"}, DataError, "no folder nowhere"),
        ({"start": "nowhere.safetensors"}, UsageError, "unknown checkpoint"),
    ],
)
def test_refused_before_anything_is_written(tmp_path, options, error, message):
    with pytest.raises(error, match=message):
        run(tmp_path, **options)
    assert not list(tmp_path.iterdir())


def test_folders_that_cannot_be_written_to(tmp_path):
    with pytest.raises(DataError, match="no folder"):
        run(tmp_path / "missing")
    (tmp_path / "a.safetensors").mkdir()
    with pytest.raises(DataError, match="a folder, not a file"):
        run(tmp_path)


def test_a_gpu_without_enough_memory_is_said(tmp_path, monkeypatch):
    def full(*_):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(amortized, "elbo_loss", full)
    with pytest.raises(ResourceError, match="5 graphs with 2 samples"):
        run(tmp_path)


def test_speed():
    actual = measure_speed(MODEL, DATA, LoopSettings(steps=1), n_z=2, machine=Machine(device="cpu"), steps=4)
    assert (actual.steps, actual.graphs) == (4, 20)
    assert actual.graphs_per_second > 1
    assert actual.spread > 0
    assert 0 < actual.data_share < 1
    with pytest.raises(UsageError, match="steps"):
        measure_speed(MODEL, DATA, LoopSettings(steps=1), steps=0)
