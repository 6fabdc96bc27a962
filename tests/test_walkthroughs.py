"""The walkthroughs run as they are printed, and print what they say."""

from __future__ import annotations

import matplotlib
import pytest

from tests.walkthroughs import PAGES, run_page

matplotlib.use("Agg")


def test_there_is_one_for_each_role():
    roles = {"newcomer", "network-scientist", "methods-researcher", "pyg-user", "data-scientist", "operator"}
    assert {page.stem for page in PAGES} == roles


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_walkthrough_runs_as_printed(page, tmp_path, monkeypatch):
    from matplotlib import pyplot as plt

    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("GRAPHCLUST_DATA", raising=False)
    for step in run_page(page, tmp_path):
        assert step.status == 0, f"{step.code}\n{step.output}"
        assert step.is_as_printed, f"{step.code}\nexpected:\n{step.expected}\nprinted:\n{step.output}"
    plt.close("all")
