"""graphclust reproduce: the table on a handful of graphs."""

from __future__ import annotations

import json

import numpy as np
import pytest

from graphclust.cli import run
from graphclust.reproduce import acp_table2


def test_table_of_a_few_graphs(tmp_path, capsysbinary, monkeypatch):
    monkeypatch.setattr(acp_table2, "PEERS", ("leiden", "spectral"))
    out, figure = tmp_path / "table.json", tmp_path / "reliability.png"
    options = ["--graphs", "4", "--samples", "4", "--format", "json", "--quiet"]
    assert run(["reproduce", "acp-table2", *options, "--out", str(out), "--figure", str(figure)]) == 0
    found = json.loads(out.read_text())
    assert figure.read_bytes().startswith(b"\x89PNG")
    rows = {row["row"]: row for row in found["rows"]}
    assert len(rows) == 12
    assert rows["GatedGCN + Pos Enc. + ACP"]["paper_ami"] == 90.75
    ours = rows["GraphTransformer + Pos Enc. + ACP"]
    assert 50 < ours["ami"] <= 100
    assert 0 <= ours["calibration_error"] < 0.2
    assert ours["order_spread"] > 0
    assert ours["n_failed"] == 0
    assert all(row["command"].startswith("graphclust train ") for row in found["rows"])
    assert [row["row"] for row in found["peers"]] == ["leiden", "spectral (true K given)"]
    assert found["settings"]["n_graphs"] == 4


def test_commands_of_the_rows_are_commands(monkeypatch):
    """Each is taken by the command line, and asks for the published settings."""
    seen = []
    monkeypatch.setattr(
        "graphclust.amortized.train_clusterwise", lambda *args, **more: seen.append((args, more)) or 1 / 0
    )
    for row in acp_table2.ROWS:
        with pytest.raises(ZeroDivisionError):
            run([word.strip('"') for word in row.command.split()[1:]])
        (model, data, settings, out), more = seen[-1]
        assert out == f"{row.checkpoint}.safetensors"
        assert (data.family, data.batch_size, settings.steps, more["n_z"]) == ("general-sbm", 32, 20_000, 40)
        assert (model.n_features, model.dim, model.n_layers, model.n_heads, model.n_inducing) == (20, 128, 4, 4, 32)
        if row.ami is not None:
            assert (settings.learning_rate, settings.schedule, settings.average) == (1e-4, "constant", 0)


def test_tables_that_are_none(capsysbinary):
    assert run(["reproduce", "acp-table3"]) == 2
    assert "did you mean acp-table2" in capsysbinary.readouterr().err.decode()


def test_test_graphs_are_no_training_graphs():
    from graphclust.synthetic import HELD_OUT, TEST, DataConfig, SyntheticBatches

    config = acp_table2._classical().config
    first = [SyntheticBatches(config, DataConfig(seed=seed), train=False)[0][0] for seed in (0, 1, HELD_OUT, TEST)]
    sizes = [batch.mask.sum(dim=1).tolist() for batch in first]
    assert len({tuple(size) for size in sizes}) == 4
    assert not np.array_equal(sizes[0], sizes[-1])
