"""Every split that the room exports keeps the contract of ``splits/_base.py``.

A new split adds a line to RULES and, where scikit-learn has it, one to THEIRS. Each check is fed a lie
once, at the end.
"""

from __future__ import annotations

import inspect
import pickle
import warnings
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn import model_selection

from daskml_dist import splits
from daskml_dist.errors import ChunkMismatch, InvalidData
from daskml_dist.splits import (
    Folds,
    GroupKFold,
    Holdout,
    KFold,
    Listed,
    Split,
    StratifiedHoldout,
    StratifiedKFold,
    Tally,
    TimeSeriesSplit,
)
from daskml_dist.splits._settled import CountedFolds
from tests.splits.tables import CUTS, TABLES, Rows, made

RULES: dict[str, list[Split]] = {
    "GroupKFold": [GroupKFold(3), GroupKFold(4, seed=7)],
    "Holdout": [Holdout(), Holdout(0.3, 0.5), Holdout(7, 11, seed=1), Holdout(train_size=0.9, seed=2)],
    "KFold": [KFold(2), KFold(), KFold(61), KFold(3, seed=0), KFold(5, seed=2**40)],
    "Listed": [
        Listed(tuple(model_selection.KFold(3).split(np.zeros(61)))),
        Listed(((np.arange(5, 50), np.arange(3)), (np.array([0, 60]), np.arange(20, 30)))),
    ],
    "StratifiedHoldout": [StratifiedHoldout(), StratifiedHoldout(0.3, 0.5, seed=3)],
    "StratifiedKFold": [StratifiedKFold(2), StratifiedKFold(), StratifiedKFold(3, seed=4)],
    "TimeSeriesSplit": [
        TimeSeriesSplit(),
        TimeSeriesSplit(3, gap=2),
        TimeSeriesSplit(4, max_train_size=7, test_size=5, gap=3),
        TimeSeriesSplit(60),
        TimeSeriesSplit(2, max_train_size=1000, test_size=1),
    ],
}
EVERY_RULE = [rule for rules in RULES.values() for rule in rules]

#: scikit-learn's splits of the same rows, where these do not depend on its random numbers
THEIRS: dict[Split, Any] = {
    KFold(2): model_selection.KFold(2),
    KFold(): model_selection.KFold(),
    KFold(61): model_selection.KFold(61),
    StratifiedKFold(2): model_selection.StratifiedKFold(2),
    StratifiedKFold(): model_selection.StratifiedKFold(),
    GroupKFold(3): model_selection.GroupKFold(3),
    GroupKFold(4, seed=7): model_selection.GroupKFold(4, shuffle=True, random_state=7),
    TimeSeriesSplit(): model_selection.TimeSeriesSplit(),
    TimeSeriesSplit(3, gap=2): model_selection.TimeSeriesSplit(3, gap=2),
    TimeSeriesSplit(4, max_train_size=7, test_size=5, gap=3): model_selection.TimeSeriesSplit(
        4, max_train_size=7, test_size=5, gap=3
    ),
    TimeSeriesSplit(60): model_selection.TimeSeriesSplit(60),
    TimeSeriesSplit(2, max_train_size=1000, test_size=1): model_selection.TimeSeriesSplit(
        2, max_train_size=1000, test_size=1
    ),
}

PARTITIONS = (KFold, StratifiedKFold, GroupKFold)


def possible(rule: Split, table: Rows) -> bool:
    """A class of one member is refused where both sides must have one."""
    return not (isinstance(rule, StratifiedHoldout) and 1 in np.unique(table.y, return_counts=True)[1])


def with_another(values: np.ndarray) -> np.ndarray:
    """The first value is one that nobody has."""
    another = values.copy()
    another[0] = max(values.tolist()) * 2 + type(values.tolist()[0])(1)
    return another


# ------------------------------------------------------------------------------- the checks


def check_each_row_is_in_one_fold(rule: Split, table: Rows) -> None:
    folds, fold = table.folds(rule)
    assert fold.shape == table.y.shape
    assert fold.dtype == np.int32
    assert fold.min() >= 0
    assert fold.max() < folds.n_folds
    assert folds.tests.shape == folds.trains.shape == (folds.n_splits, folds.n_folds)
    assert folds.tests.dtype == folds.trains.dtype == bool


def check_no_row_is_tested_twice_or_trained_on_too(rule: Split, table: Rows) -> None:
    folds, fold = table.folds(rule)
    tests, trains = folds.tests[:, fold], folds.trains[:, fold]  # (S, n)
    assert not (tests & trains).any()
    assert tests.sum(axis=0).max() == 1
    assert tests.any(axis=1).all()
    assert trains.any(axis=1).all()
    expected = np.where(tests.any(axis=0), tests.argmax(axis=0), -1)
    for i, rows in enumerate(table.chunks):
        given = folds.test_fold(i, len(rows), table.y[rows], table.groups[rows])
        assert_array_equal(given, expected[rows])


def check_a_partition_tests_each_row_and_trains_on_the_rest(rule: Split, table: Rows) -> None:
    if isinstance(rule, PARTITIONS):
        folds, fold = table.folds(rule)
        assert folds.n_splits == folds.n_folds == rule.n_splits
        assert_array_equal(folds.tests[:, fold].sum(axis=0), 1)
        assert_array_equal(folds.trains, ~folds.tests)


def check_scikit_learn_has_the_same(rule: Split, table: Rows) -> None:
    if rule not in THEIRS:
        return
    folds, fold = table.folds(rule)
    groups = table.groups if rule.asks == "groups" else None
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        theirs = list(THEIRS[rule].split(np.zeros(len(table.y)), table.y, groups))
    assert folds.notes == tuple(str(warning.message) for warning in caught)
    assert folds.n_splits == len(theirs)
    for k, (train, test) in enumerate(theirs):
        assert_array_equal(np.flatnonzero(folds.trains[k, fold]), train)
        assert_array_equal(np.flatnonzero(folds.tests[k, fold]), test)


def check_sizes(rule: Split, table: Rows) -> None:
    """Sizes are told before a row is looked at; folds, and the members of a class in them, are balanced."""
    folds, fold = table.folds(rule)
    if folds.sizes is not None:
        counted = [np.bincount(fold[rows], minlength=folds.n_folds) for rows in table.chunks]
        assert_array_equal(folds.sizes, counted)
    if isinstance(rule, (KFold, StratifiedKFold)):
        assert np.ptp(np.bincount(fold, minlength=folds.n_folds)) <= 1
    if isinstance(rule, StratifiedKFold):
        for label in set(table.y.tolist()):
            assert np.ptp(np.bincount(fold[table.y == label], minlength=folds.n_folds)) <= 1
    if isinstance(rule, GroupKFold):
        for group in set(table.groups.tolist()):
            assert len(set(fold[table.groups == group].tolist())) == 1


def check_chunks_do_not_matter_without_shuffling(rule: Split, table: Rows) -> None:
    whole, expected = table.cut().folds(rule)
    folds, fold = table.folds(rule)
    assert_array_equal(folds.tests, whole.tests)
    assert_array_equal(folds.trains, whole.trains)
    assert_array_equal(np.bincount(fold), np.bincount(expected))
    if getattr(rule, "seed", None) is None or isinstance(rule, GroupKFold):
        assert_array_equal(fold, expected)


def check_a_chunk_may_be_asked_again_in_any_order(rule: Split, table: Rows) -> None:
    folds, fold = table.folds(rule)
    chunks = table.chunks
    for i in [*reversed(range(len(chunks))), *range(len(chunks))]:
        assert_array_equal(table.of_chunk(folds, i), fold[chunks[i]])
    assert_array_equal(table.folds(rule)[1], fold)


def check_it_travels(rule: Split, table: Rows) -> None:
    folds, fold = table.folds(rule)
    again, copy = pickle.loads(pickle.dumps((folds, rule)))
    assert copy == rule
    assert_array_equal(np.concatenate([table.of_chunk(again, i) for i in range(len(table.chunks))]), fold)
    assert len(pickle.dumps(folds)) < 100_000


def check_nothing_is_written_to(rule: Split, table: Rows) -> None:
    tally = table.tally(rule)
    for part in (tally.counts, tally.values, table.y, table.groups):
        if part is not None:
            part.setflags(write=False)
    folds = rule.settle(tally)
    for i in range(len(table.chunks)):
        table.of_chunk(folds, i)


def check_changed_chunks_are_refused(rule: Split, table: Rows) -> None:
    """More rows than were counted, other labels, or groups that were not there."""
    folds, _ = table.folds(rule)
    rows = table.chunks[-1]
    n, y, groups = len(rows), table.y[rows], table.groups[rows]
    if not n:
        return
    other = {
        "rows": (n + 1, None, None),
        "labels": (n, with_another(y), groups),
        "groups": (n, y, with_another(groups)),
    }[rule.asks]
    last = len(table.cuts)
    with pytest.raises(ChunkMismatch, match=f"Chunk {last} is not what it was when its {rule.asks}"):
        folds.of(last, *other)


def check_too_few_rows_are_refused(rule: Split, table: Rows) -> None:
    one = replace(table, y=table.y[:1], groups=table.groups[:1], cuts=())
    none = replace(table, y=table.y[:0], groups=table.groups[:0], cuts=())
    for few in (one, none):
        with pytest.raises(InvalidData, match="samples"):
            rule.settle(few.tally(rule))


CHECKS = {name: check for name, check in list(globals().items()) if name.startswith("check_")}
CASES = [TABLES["random"].cut(*cuts) for cuts in CUTS]
CASES += [table.cut(*cuts) for name, table in TABLES.items() if name != "random" for cuts in CUTS[1:3]]


@pytest.mark.thinned(2)
@pytest.mark.parametrize("rule", EVERY_RULE, ids=repr)
@pytest.mark.parametrize("check", CHECKS.values(), ids=CHECKS)
def test_every_split_keeps_the_contract(check: Callable[[Split, Rows], None], rule: Split) -> None:
    for table in CASES:
        if possible(rule, table):
            check(rule, table)


def test_every_split_is_known_here() -> None:
    exported = {
        name
        for name in splits.__all__
        if inspect.isclass(cls := getattr(splits, name)) and issubclass(cls, Split) and cls is not Split
    }
    assert exported == set(RULES)
    assert {type(rule).__name__ for rule in EVERY_RULE} == exported


# ----------------------------------------------------------------------------------- the lies


class Loses(KFold):
    def settle(self, tally: Tally) -> Folds:
        folds = super().settle(tally)
        return replace(folds, tests=folds.tests[:, :-1], trains=folds.trains[:, :-1])


class Cheats(KFold):
    def settle(self, tally: Tally) -> Folds:
        folds = super().settle(tally)
        return replace(folds, trains=folds.trains | True)


class Wastes(KFold):
    def settle(self, tally: Tally) -> Folds:
        folds = super().settle(tally)
        return replace(folds, trains=folds.trains & (np.arange(folds.n_folds) < 1))


class Backwards(KFold):
    def settle(self, tally: Tally) -> Folds:
        folds = super().settle(tally)
        return replace(folds, tests=folds.tests[::-1], trains=folds.trains[::-1])


class Lopsided(KFold):
    def settle(self, tally: Tally) -> Folds:
        folds = super().settle(tally)
        counts = np.zeros_like(folds.counts)
        counts[:, :, 0] = folds.counts.sum(axis=2)
        return replace(folds, counts=counts)


class ChunkByChunk(KFold):
    def settle(self, tally: Tally) -> Folds:
        folds = super().settle(tally)
        rolled = [np.roll(counts, i, axis=1) for i, counts in enumerate(folds.counts)]
        return replace(folds, counts=np.stack(rolled))


class Forgets(KFold):
    def settle(self, tally: Tally) -> Folds:
        return replace(super().settle(tally), seed=next(_calls))


class Heavy(KFold):
    def settle(self, tally: Tally) -> Folds:
        return replace(super().settle(tally), notes=("word " * 30_000,))


class Writes(KFold):
    def settle(self, tally: Tally) -> Folds:
        tally.counts[0] += 0
        return super().settle(tally)


class Trusts(KFold):
    def settle(self, tally: Tally) -> Folds:
        return Trusting(**vars(super().settle(tally)))


class Trusting(CountedFolds):
    def of(self, chunk: int, rows: int, y: Any = None, groups: Any = None) -> np.ndarray:
        return np.zeros(rows, dtype=np.int32)


class Lenient(KFold):
    def settle(self, tally: Tally) -> Folds:
        return super().settle(tally if tally.rows >= self.n_splits else Tally(np.array([[self.n_splits]])))


_calls = iter(range(10**6))
THEIRS[Backwards(2)] = model_selection.KFold(2)
LIES: list[tuple[Callable[[Split, Rows], None], Split]] = [
    (check_each_row_is_in_one_fold, Loses(3)),
    (check_no_row_is_tested_twice_or_trained_on_too, Cheats(3)),
    (check_a_partition_tests_each_row_and_trains_on_the_rest, Wastes(3)),
    (check_scikit_learn_has_the_same, Backwards(2)),
    (check_sizes, Lopsided(3)),
    (check_chunks_do_not_matter_without_shuffling, ChunkByChunk(3)),
    (check_a_chunk_may_be_asked_again_in_any_order, Forgets(3)),
    (check_it_travels, Heavy(3)),
    (check_nothing_is_written_to, Writes(3)),
    (check_changed_chunks_are_refused, Trusts(3)),
    (check_too_few_rows_are_refused, Lenient(3)),
]


@pytest.mark.parametrize(("check", "lie"), LIES, ids=[check.__name__ for check, _ in LIES])
def test_a_lie_is_seen(check: Callable[[Split, Rows], None], lie: Split) -> None:
    table = made(61).cut(0, 20, 40)
    check(KFold(3), table)
    with pytest.raises((AssertionError, ValueError, pytest.fail.Exception)):
        check(lie, table)


def test_every_check_was_fed_a_lie() -> None:
    assert {check for check, _ in LIES} == set(CHECKS.values())
