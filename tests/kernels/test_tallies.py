"""Rows, labels, groups and folds, counted; and what cannot be counted."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from daskml_dist.errors import InvalidData, NonFiniteData
from daskml_dist.kernels import FoldTally, GroupTally, Kernel, LabelTally, Question, RowTally, answer, tally
from daskml_dist.splits import GroupKFold, StratifiedKFold, Tally
from daskml_dist.types import Chunk
from tests.kernels.examples import ROWS, named


def ask(kernel: Kernel[Any], data: list[Chunk]) -> Any:
    return answer(Question(kernel), data, len(data))


def labels(*parts: Any, dtype: Any = None) -> list[Chunk]:
    return [Chunk(i, None, np.array(part, dtype=dtype)) for i, part in enumerate(parts)]


def groups(*parts: Any, dtype: Any = None) -> list[Chunk]:
    return [Chunk(i, None, groups=np.array(part, dtype=dtype)) for i, part in enumerate(parts)]


def test_rows() -> None:
    found = ask(RowTally(), named(2, 2))
    assert found.values is None
    assert found.counts.tolist() == [[rows] for rows in ROWS]
    assert found.rows == sum(ROWS)


@pytest.mark.parametrize("kind", [np.str_, object, np.int64, np.float32])
@pytest.mark.parametrize("many", [2, 5, 60])
def test_labels_are_in_order_of_appearance(kind: Any, many: int) -> None:
    data = named(many, 3, kind)
    found = ask(LabelTally(), data)
    everything = [label for chunk in data for label in chunk.y.tolist()]
    assert found.values.tolist() == list(dict.fromkeys(everything))
    assert found.values.dtype == data[0].y.dtype
    for chunk, counts in zip(data, found.counts, strict=True):
        assert counts.tolist() == [chunk.y.tolist().count(label) for label in found.values.tolist()]


@pytest.mark.parametrize("kind", [np.str_, object, np.int64, "datetime64[s]"])
@pytest.mark.parametrize("many", [1, 9, 500])
def test_groups_ascend(kind: Any, many: int) -> None:
    data = named(2, many, np.int64)
    data = [Chunk(chunk.id, None, groups=chunk.groups.astype(kind)) for chunk in data]
    found = ask(GroupTally(), data)
    values, counts = np.unique(np.concatenate([chunk.groups for chunk in data]), return_counts=True)
    assert_array_equal(found.values, values)
    assert found.values.dtype == values.dtype
    assert_array_equal(found.counts, counts[None, :])


def test_groups_are_merged_while_they_travel() -> None:
    """Partials never hold more than twice the distinct groups, whatever the number of chunks."""
    gathered: dict[Any, Any] = {}
    for i in range(200):
        part = GroupTally().chunk(Chunk(i, None, groups=np.arange(i % 7, 50)))
        gathered = GroupTally().fold(gathered | dict(part.gathered))
        assert sum(len(values) for values, _ in gathered.values()) < 100


def test_strings_of_several_lengths_are_one_kind() -> None:
    assert ask(LabelTally(), labels(["b", "a"], ["longer"])).values.tolist() == ["b", "a", "longer"]
    assert ask(GroupTally(), groups(["b", "a"], ["longer"])).values.tolist() == ["a", "b", "longer"]


def test_folds() -> None:
    data = named(3, 8)
    for rule in (StratifiedKFold(3, seed=1), GroupKFold(3)):
        folds = rule.settle(ask(tally(rule.asks), data))
        sizes = ask(FoldTally(folds), data)
        if folds.sizes is not None:
            assert_array_equal(sizes, folds.sizes)
        assert sizes.shape == (len(ROWS), 3)
        assert_array_equal(sizes.sum(axis=1), ROWS)


MISSING = [
    (
        LabelTally(),
        labels([1.0, 2.0], [0.0, np.nan]),
        "Input y contains NaN: 1 .*chunk 1.*row 1",
    ),
    (LabelTally(), labels(["a", None], dtype=object), "Input y contains NaN: 1 .* chunk 0"),
    (LabelTally(), labels([1.0, np.inf]), "Input y contains infinity"),
    (
        GroupTally(),
        groups([1.0], [np.nan, np.nan]),
        "Input groups contains NaN: 2 .*chunk 1.*row 0",
    ),
    (GroupTally(), groups(["a", np.nan], dtype=object), "Input groups contains NaN"),
    (GroupTally(), groups(["2026-01-01", "NaT"], dtype="datetime64[D]"), "Input groups contains NaN"),
]


@pytest.mark.parametrize(("kernel", "data", "words"), MISSING)
def test_missing_values_are_refused(kernel: Kernel[Tally], data: list[Chunk], words: str) -> None:
    with pytest.raises(NonFiniteData, match=words):
        ask(kernel, data)


REFUSED = [
    (
        LabelTally(),
        labels(["a"], [1], dtype=object),
        r"y holds .* cannot be ordered \(int, str\)",
    ),
    (LabelTally(), labels([*range(9), "a"], dtype=object), r"y holds .* \(int, str\)"),
    (GroupTally(), groups(["a", 1], dtype=object), r"groups holds .* \(int, str\).*groups.astype\(str\)"),
    (GroupTally(), groups(["a"], [1], dtype=object), r"groups holds .* \(int, str\)"),
    (LabelTally(), labels(range(1001)), "1001 different labels in chunk 0.*1000 at most"),
    (LabelTally(), labels(range(900), range(500, 1400)), "1400 different labels in all of its chunks"),
    (LabelTally(), labels([[1, 2]]), r"y should be a 1d array, got an array of shape \(1, 2\)"),
    (GroupTally(), groups([[1, 2]]), r"groups should be a 1d array, got an array of shape \(1, 2\)"),
    (RowTally(), labels([], []), "X has 0 rows in all of its chunks"),
]


@pytest.mark.parametrize(("kernel", "data", "words"), REFUSED)
def test_what_cannot_be_counted_is_refused(kernel: Kernel[Tally], data: list[Chunk], words: str) -> None:
    with pytest.raises(InvalidData, match=words):
        ask(kernel, data)
