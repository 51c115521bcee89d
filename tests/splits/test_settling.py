"""What is drawn at random is drawn fairly, sizes are scikit-learn's, and bad parameters are refused."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from scipy import stats
from sklearn import model_selection

from daskml_dist.errors import ChunkMismatch, InvalidData, UnsupportedParameter
from daskml_dist.splits import (
    GroupKFold,
    Holdout,
    KFold,
    StratifiedHoldout,
    StratifiedKFold,
    Tally,
    TimeSeriesSplit,
)
from daskml_dist.splits import _counting as counting
from tests.splits.tables import made

SEEDS = 1000


@pytest.mark.parametrize("stratified", [False, True])
def test_each_assignment_is_equally_likely(stratified: bool) -> None:
    """As after a permutation of all rows: alone, in pairs within a chunk and across, and in numbers."""
    table = replace(made(12), y=np.array([0, 1] * 6)).cut(0, 5, 6)
    rule = StratifiedKFold if stratified else KFold
    drawn = np.array([table.folds(rule(3, seed=seed))[1] for seed in range(SEEDS)])  # (seeds, n)
    for f in range(3):
        share = (drawn == f).mean(axis=0)
        assert np.abs(share - 1 / 3).max() < 4.5 * np.sqrt(2 / 9 / SEEDS)
    mates = 1 / 5 if stratified else 3 / 11  # of the others of a class of 6, one has the same fold
    for i, j in ((0, 2), (0, 6), (1, 11), (6, 8)):
        together = (drawn[:, i] == drawn[:, j]).mean()
        assert abs(together - mates) < 4.5 * np.sqrt(mates * (1 - mates) / SEEDS)
    members = np.arange(5) % 2 == 0 if stratified else np.ones(5, dtype=bool)
    number = (drawn[:, :5][:, members] == 0).sum(axis=1)
    law = stats.hypergeom(6, 2, 3) if stratified else stats.hypergeom(12, 4, 5)
    seen = np.bincount(number, minlength=6)
    expected = law.pmf(np.arange(6)) * SEEDS
    there = expected > 0
    assert seen[~there].sum() == 0
    assert stats.chisquare(seen[there], expected[there]).pvalue > 1e-4


def test_seeds_and_chunks_draw_anew() -> None:
    table = made(61)
    folds = [table.cut(*cuts).folds(KFold(3, seed))[1] for seed in (0, 1) for cuts in ((), (30,))]
    for i, one in enumerate(folds):
        assert not any((one == other).all() for other in folds[:i])
    halves = made(60).cut(30).folds(KFold(3, 0))[1].reshape(2, 30)
    assert (halves[0] != halves[1]).any()  # the seed of a chunk is its own


def test_an_urn_that_is_too_large_for_numpy_gives_shares(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = np.array([[10**9], [7], [10**12 + 1], [3 * 10**9]])
    sizes = np.array([[int(rows.sum()) // 3 - 5, int(rows.sum()) - 2 * (int(rows.sum()) // 3), 5]])
    sizes[0, 0] += int(rows.sum()) - int(sizes.sum())
    counts = counting.at_random(rows, sizes, seed=0)
    assert_array_equal(counts.sum(axis=2), rows)
    assert_array_equal(counts.sum(axis=0), sizes)
    assert counts.min() >= 0
    assert_array_equal(counting.in_order(rows, sizes).sum(axis=(0, 1)), sizes[0])
    monkeypatch.setattr(counting, "_URN", 0)
    table = made(61).cut(0, 3, 3, 50)
    assert np.ptp(np.bincount(table.folds(KFold(4, seed=1))[1])) == 1


@pytest.mark.parametrize("rule", [StratifiedKFold(3), StratifiedKFold(3, seed=5)], ids=repr)
def test_names_of_classes_do_not_matter(rule: StratifiedKFold) -> None:
    table = made(61, classes=5).cut(0, 20, 40)
    names = np.random.default_rng(1).permutation(100).astype(str).astype(object)
    renamed = replace(table, y=names[table.y])
    assert_array_equal(renamed.folds(rule)[1], table.folds(rule)[1])


SIZES: list[tuple[Any, Any]] = [
    (None, None),
    (0.1, None),
    (None, 0.1),
    (0.3, 0.4),
    (0.25, 0.75),
    (1, None),
    (None, 1),
    (3, 4),
    (0.99, None),
    (5, 0.4),
    (np.float64(0.5), np.int64(2)),
    (0.7, 0.7),
    (8, 8),
    (100, None),
    (0, None),
    (-1, None),
    (0.0, None),
    (1.0, None),
    (None, 1.5),
    ("half", None),
    (True, None),
]


@pytest.mark.parametrize("rows", [1, 2, 7, 10, 101])
@pytest.mark.parametrize(("test_size", "train_size"), SIZES)
def test_sizes_are_those_of_scikit_learn(rows: int, test_size: Any, train_size: Any) -> None:
    tally = Tally(np.array([[rows]]))
    try:
        theirs = model_selection.train_test_split(
            np.arange(rows), test_size=test_size, train_size=train_size, shuffle=False
        )
    except ValueError:
        with pytest.raises((InvalidData, UnsupportedParameter)):
            Holdout(test_size, train_size).settle(tally)
        return
    if test_size is True:  # which scikit-learn takes for 1
        with pytest.raises(UnsupportedParameter):
            Holdout(test_size, train_size).settle(tally)
        return
    folds = Holdout(test_size, train_size).settle(tally)
    fold = folds.of(0, rows)
    for side, expected in zip((folds.trains, folds.tests), theirs, strict=True):
        assert_array_equal(np.flatnonzero(side[0, fold]), expected)


@pytest.mark.parametrize("classes", [2, 3, 8])
def test_classes_are_shared_out_as_in_scikit_learn(classes: int) -> None:
    for seed in range(25):
        table = made(64, classes=classes, seed=seed).cut(0, 10, 33)
        table = replace(table, y=np.concatenate([table.y[:48], np.resize(np.unique(table.y), 16)]))
        sizes = {"test_size": 0.3 + seed / 100, "train_size": (None, 0.35, 20)[seed % 3]}
        _, theirs = model_selection.train_test_split(table.y, stratify=table.y, random_state=seed, **sizes)
        folds, fold = table.folds(StratifiedHoldout(**sizes, seed=seed))
        tested, trained = (table.y[side[0, fold]] for side in (folds.tests, folds.trains))
        assert_array_equal(np.sort(tested), np.sort(theirs))
        expected, _ = model_selection.train_test_split(table.y, stratify=table.y, random_state=seed, **sizes)
        assert_array_equal(np.sort(trained), np.sort(expected))


@pytest.mark.parametrize("rule", [KFold, StratifiedKFold, GroupKFold, TimeSeriesSplit])
@pytest.mark.parametrize("n_splits", [1, 0, -3, 2.0, "3", None, True])
def test_a_number_of_splits_is_an_integer_above_one(rule: Any, n_splits: Any) -> None:
    words = "setting n_splits=2 or more" if type(n_splits) is int else "must be of Integral type"
    with pytest.raises(UnsupportedParameter, match=words):
        rule(n_splits)


@pytest.mark.parametrize(
    ("name", "value"),
    [("test_size", 0), ("test_size", 0.5), ("gap", -1), ("gap", None), ("max_train_size", -2)],
)
def test_parameters_of_a_time_series_are_whole(name: str, value: Any) -> None:
    with pytest.raises(UnsupportedParameter, match=f"{name} must be an integer, [01] or more"):
        TimeSeriesSplit(**{name: value})


def tally(counts: list[list[int]], values: list[Any]) -> Tally:
    return Tally(np.array(counts), np.array(values))


REFUSED = [
    (KFold(4), Tally(np.array([[1], [2]])), "n_splits=4 greater than the number of samples: n_samples=3"),
    (TimeSeriesSplit(3), Tally(np.array([[3]])), "number of folds=4 greater than the number of samples=3"),
    (TimeSeriesSplit(3, test_size=3), Tally(np.array([[9]])), "Too many splits=3 for number of samples=9"),
    (TimeSeriesSplit(2, gap=4), Tally(np.array([[9]])), "test_size=3 and gap=4"),
    (
        StratifiedKFold(3),
        tally([[2, 1], [0, 1]], [5, 7]),
        "n_splits=3 cannot be greater than the number of members in each class: the largest class has 2",
    ),
    (
        StratifiedKFold(2),
        tally([[2, 9]], [0.5, 1.0]),
        "Got 'continuous' instead.*fractions such as 0.5",
    ),
    (GroupKFold(3), tally([[2, 9]], [4, 8]), "n_splits=3 greater than the number of groups: 2"),
    (GroupKFold(3), tally([[1, 1]], [4, 8]), "n_splits=3 greater than the number of samples: n_samples=2"),
    (StratifiedHoldout(), tally([[1, 9]], ["a", "b"]), r"only 1 member.*too few members are: \['a'\]"),
    (StratifiedHoldout(2), tally([[3, 3, 3]], [0, 1, 2]), "test_size = 2 .*number of classes = 3"),
    (StratifiedHoldout(None, 2), tally([[3, 3, 3]], [0, 1, 2]), "train_size = 2 .*number of classes = 3"),
]


@pytest.mark.parametrize(("rule", "known", "words"), REFUSED)
def test_too_few_members_are_refused(rule: Any, known: Tally, words: str) -> None:
    with pytest.raises(InvalidData, match=words):
        rule.settle(known)


def test_a_class_with_few_members_is_noted_in_the_words_of_scikit_learn() -> None:
    (note,) = StratifiedKFold(3).settle(tally([[2, 4]], [0, 1])).notes
    assert note == "The least populated class in y has only 2 members, which is less than n_splits=3."
    assert StratifiedKFold(3).settle(tally([[3, 4]], [0, 1])).notes == ()


def test_other_members_of_a_chunk_than_were_counted_are_refused() -> None:
    folds = StratifiedKFold(2).settle(tally([[2, 2], [2, 2]], [0, 1]))
    assert_array_equal(folds.of(0, 4, np.array([0.0, 1.0, 1.0, 0.0])), 0)
    with pytest.raises(ChunkMismatch, match="it has 1 rows of class 0, and had 2"):
        folds.of(0, 4, np.array([0.0, 1.0, 1.0, 1.0]))
    with pytest.raises(ChunkMismatch, match="it has 3 rows, and had 4"):
        folds.of(1, 3, np.array([0.0, 1.0, 1.0]))
    with pytest.raises(ChunkMismatch, match=r"it has 1 rows of class .*0"):
        folds.of(1, 4, np.array([0.0, 1.0, 1.0, np.nan]))
    many = StratifiedKFold(2).settle(tally([[2] * 10], list(range(10))))
    assert_array_equal(many.of(0, 20, np.repeat(np.arange(10.0), 2)), np.tile([0, 1], 10))
    with pytest.raises(ChunkMismatch, match="labels were counted: nan was not among them"):
        many.of(0, 20, np.append(np.repeat(np.arange(10.0), 2)[:-1], np.nan))
    with pytest.raises(ChunkMismatch, match=r"it has 3 rows of class .*0"):
        many.of(0, 20, np.append(np.repeat(np.arange(10.0), 2)[:-1], 0.0))
