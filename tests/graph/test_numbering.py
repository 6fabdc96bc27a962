"""Ids in pieces get the numbers that they would get at once."""

import random

import numpy as np
import pyarrow as pa
import pytest

from graphclust.graph import DecimalIds, IntegerIds, JoinedIds, TextIds, canonical_positions, has_distinct_texts
from graphclust.graph.numbering import Numbering
from graphclust.io.edge_arrow import canonical_texts
from graphclust.runtime import storage as module
from graphclust.runtime.storage import Storage


@pytest.mark.parametrize("memory", [400, 1e4, 1e7])
@pytest.mark.parametrize("kinds", [("number",), ("word",), ("number", "word", "accent")])
def test_numbers_do_not_depend_on_the_pieces(monkeypatch, memory, kinds):
    monkeypatch.setattr(module, "_SMALL", 0)
    monkeypatch.setattr(module, "_LEAST_WINDOW", 1)
    rng = random.Random(0)
    make = {
        "number": lambda: str(rng.randrange(-(10 ** rng.randrange(1, 9)), 10 ** rng.randrange(1, 15))),
        "word": lambda: f"node {rng.randrange(500)}",
        "accent": lambda: rng.choice(["é", "z", "\U0001f600", "007"]) + str(rng.randrange(50)),
    }
    numbering, pieces = Numbering(Storage(memory)), []
    for size in (1, 200, 300, 50):
        names = list({make[rng.choice(kinds)]() for _ in range(size)})
        order, ids = canonical_texts(pa.array(names))
        assert [names[i] for i in order.tolist()] == list(ids)
        numbering.add(ids)
        pieces.append(list(ids))
    ids, numbers = numbering.finish()
    everything = sorted(set().union(*pieces))
    assert list(ids) == [everything[i] for i in canonical_positions(everything).tolist()]
    for names, number in zip(pieces, numbers, strict=True):
        assert [ids[i] for i in number.tolist()] == names


def test_pieces_can_be_dropped():
    numbering = Numbering(Storage(1e6))
    for values in ([1, 5], [2, 9]):
        numbering.add(IntegerIds(np.array(values)))
    numbering.drop(1)
    numbering.add(IntegerIds(np.array([3])))
    ids, numbers = numbering.finish()
    assert list(ids) == [1, 3, 5]
    assert [part.tolist() for part in numbers] == [[0, 2], [1]]


def test_ids_of_two_kinds_are_one_sequence():
    ids = JoinedIds(DecimalIds(np.array([1, 20])), TextIds(pa.chunked_array([["a", "b"], ["c"]])))
    names = ["1", "20", "a", "b", "c"]
    assert list(ids) == names
    assert len(ids) == 5
    assert [ids[i] for i in range(5)] == names
    assert ids[-1] == "c"
    for part in (slice(1, 4), slice(3, 5), slice(0, 1), slice(None), slice(None, None, 2), slice(4, 2)):
        assert list(ids[part]) == names[part]
    assert has_distinct_texts(ids)
    assert not has_distinct_texts(["1", 1])
    assert all(name in ids for name in names)
    assert not any(name in ids for name in (1, "01", "3", "x", "d", "", None))
    with pytest.raises(IndexError):
        ids[5]
