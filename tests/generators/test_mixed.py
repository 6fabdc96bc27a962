from collections import Counter

import numpy as np
import pytest

import graphclust as gc
from graphclust.errors import UsageError
from graphclust.generators.mixed import COMPONENTS


def test_components_come_equally_often_and_are_what_they_say():
    drawn = [gc.generators.mixed((60, 200), random_state=s) for s in range(300)]
    count = Counter(entry.meta["component"]["family"] for entry in drawn)
    assert set(count) == set(COMPONENTS)
    assert all(38 <= number <= 85 for number in count.values())  # 60 expected, 7 the standard deviation
    assert all(60 <= entry.num_nodes <= 200 for entry in drawn)
    assert max(len(np.unique(entry.y)) for entry in drawn) <= 20
    assert all(entry.weight is None and entry.num_self_loops == 0 for entry in drawn)


@pytest.mark.parametrize("n", [12, 13, 20, 59, 60, 61])
def test_small_graphs_of_every_size(n):
    for seed in range(60):
        graph = gc.generators.mixed(n, random_state=seed)
        assert graph.num_nodes == n
        assert graph.meta["component"]["family"] != "lfr" or n >= 60


def test_too_small_is_refused():
    with pytest.raises(UsageError, match="at least 12 nodes"):
        gc.generators.mixed(11)


def test_some_of_the_families():
    drawn = [gc.generators.mixed((60, 80), families="lfr, dc-sbm", random_state=s) for s in range(40)]
    assert {entry.meta["component"]["family"] for entry in drawn} == {"lfr", "dc-sbm"}
    with pytest.raises(UsageError, match="did you mean general-sbm"):
        gc.generators.mixed(families="lfr,generalsbm")
