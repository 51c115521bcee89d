"""From ``cv`` to folds inside kernels: the way that cross-validated estimators go."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from distributed import Client
from numpy.testing import assert_array_equal
from sklearn import model_selection as theirs

from daskml_dist import model_selection as ours
from daskml_dist import splits
from daskml_dist.cluster import connect
from daskml_dist.errors import InvalidData, UnsupportedParameter
from daskml_dist.fit import Training, rule_of, settle, settle_folds
from daskml_dist.fit.data import read
from daskml_dist.kernels import Coding, FoldTally, Kernel, Part, Question, Total
from daskml_dist.losses import Logistic
from daskml_dist.penalties import Unpenalised
from daskml_dist.splits import Folds, Split
from daskml_dist.types import Chunk
from tests.model_selection.containers import Data, N, arrays, cut, frames, made

TRAINING = Training("Example", Logistic(), lambda total: Unpenalised())

RULES: list[tuple[Any, bool, Split]] = [
    (None, False, splits.KFold(5)),
    (None, True, splits.StratifiedKFold(5)),
    (3, False, splits.KFold(3)),
    (np.int64(3), True, splits.StratifiedKFold(3)),
    (splits.Holdout(0.2), True, splits.Holdout(0.2)),
    (theirs.KFold(3, shuffle=True, random_state=7), True, splits.KFold(3, seed=7)),
    (ours.StratifiedKFold(3, shuffle=True, random_state=0), False, splits.StratifiedKFold(3, seed=0)),
    (theirs.GroupKFold(4), False, splits.GroupKFold(4)),
    (ours.TimeSeriesSplit(3, gap=2, test_size=4), True, splits.TimeSeriesSplit(3, None, 4, 2)),
]


@pytest.mark.parametrize(("cv", "labels", "rule"), RULES)
def test_what_a_user_calls_cv_is_a_rule(cv: Any, labels: bool, rule: Split) -> None:
    assert rule_of(cv, labels=labels) == rule


def test_each_use_of_a_random_state_draws_a_seed() -> None:
    for cls in (ours.KFold, theirs.KFold):
        cv = cls(3, shuffle=True, random_state=np.random.RandomState(0))
        assert rule_of(cv, labels=False) != rule_of(cv, labels=False)


class Own(theirs.KFold):
    """A splitter of a user, which may split as it likes."""


@pytest.mark.parametrize(
    "cv", [Own(3), theirs.ShuffleSplit(3), theirs.LeaveOneOut(), "5", True, 2.5], ids=repr
)
def test_what_is_no_rule_is_refused(cv: Any) -> None:
    with pytest.raises(UnsupportedParameter, match="expected a number of folds, or KFold"):
        rule_of(cv, labels=False)
    with pytest.raises(ValueError, match="n_splits=2 or more"):
        rule_of(1, labels=False)


def test_listed_splits_are_a_rule() -> None:
    pairs = list(theirs.KFold(3).split(np.zeros(10)))
    rule = rule_of(iter(pairs), labels=False)
    assert rule == splits.Listed(tuple(pairs)) != splits.Listed(tuple(pairs[:2]))
    masks = [(~np.isin(np.arange(10), test), np.isin(np.arange(10), test)) for _, test in pairs]
    assert rule_of(masks, labels=False) == rule
    for nothing in ([], [1, 2], [([0], [1], [2])], [([[0]], [[1]])]):
        with pytest.raises(UnsupportedParameter, match="lists something else"):
            rule_of(nothing, labels=False)


REFUSED: list[tuple[Any, str]] = [
    ([([0, 1], [1, 2])], "trained on in the split that tests them"),
    ([([0, 1], [2]), ([0, 1], [2])], "tested twice"),
    ([([], [1])], "no rows on one side of split 0"),
    ([([0], [5])], "int64 from 5 to 5, expected integers from 0 to 4, since n_samples=5"),
    ([([0], [-1])], "from -1 to -1"),
    ([([0.0], [1.0])], "given were float64"),
]


@pytest.mark.parametrize(("cv", "says"), REFUSED, ids=str)
def test_lists_that_are_no_splits_are_refused(cv: Any, says: str) -> None:
    with pytest.raises(InvalidData, match=says):
        rule_of(cv, labels=False).settle(splits.Tally(np.array([[2], [3]])))


@dataclass(frozen=True)
class SumsByFold(Kernel[np.ndarray]):
    """(F, p) sums of the features in each fold: what a cross-validated estimator does in its sweep."""

    folds: Folds

    def chunk(self, chunk: Chunk) -> Part:
        assert chunk.X is not None
        fold = self.folds.of(chunk.id, chunk.X.shape[0], chunk.y, chunk.groups)
        member = fold == np.arange(self.folds.n_folds)[:, None]
        return Part({"sums": member.astype(float) @ chunk.X})

    def finish(self, total: Total) -> np.ndarray:
        return total.sums["sums"]


SPLITTERS: list[Any] = [
    theirs.KFold(4),
    theirs.StratifiedKFold(3),
    theirs.GroupKFold(3),
    theirs.TimeSeriesSplit(3, gap=3, max_train_size=30),
]


@pytest.mark.parametrize("cv", SPLITTERS, ids=repr)
@pytest.mark.parametrize("contain", [frames, lambda data: arrays(data, cut(5))], ids=["frames", "arrays"])
def test_sums_over_the_training_rows_are_sums_over_folds(cv: Any, contain: Any) -> None:
    check_sums(cv, contain(made(2)), streamed=False)


def test_a_cluster_finds_the_same_folds(client: Client) -> None:
    lazy = arrays(made(2), cut(17))
    for cv in SPLITTERS:
        check_sums(cv, lazy, streamed=False)


@pytest.mark.parametrize("cv", SPLITTERS, ids=repr)
def test_folds_of_rows_that_are_loaded_anew(cv: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("daskml_dist.cluster.in_process.process_limit", lambda: 1)
    check_sums(cv, arrays(made(2), cut(5)), streamed=True)


def check_sums(cv: Any, lazy: Data, streamed: bool) -> None:
    """Rows, labels and groups are counted, folds are settled and found again in a sweep over X."""
    data = made(2)
    hands = connect()
    try:
        table = read(TRAINING, hands, lazy.X, lazy.y, None, None, lazy.groups)
        assert settle(hands, table) == streamed
        hands.code(Coding(np.unique(data.y)))
        folds = settle_folds(hands, rule_of(cv, labels=True))
        sums = hands.answer(Question(SumsByFold(folds)))
        sizes = hands.answer(Question(FoldTally(folds)))
    finally:
        hands.close()
    given = data.groups if isinstance(cv, theirs.GroupKFold) else None
    for k, (train, test) in enumerate(cv.split(data.X, data.y, given)):
        np.testing.assert_allclose(folds.trains[k] @ sums, data.X[train].sum(axis=0), rtol=1e-12, atol=1e-12)
        np.testing.assert_allclose(folds.tests[k] @ sums, data.X[test].sum(axis=0), rtol=1e-12, atol=1e-12)
        assert (sizes @ folds.trains[k]).sum() == len(train)
    assert sizes.sum() == N


def test_a_rare_class_is_warned_of() -> None:
    data = made(2)
    rare = np.where(np.arange(N) < 2, "rare", data.y)
    lazy = arrays(data._replace(y=rare), cut(5))
    hands = connect("threads")
    settle(hands, read(TRAINING, hands, lazy.X, lazy.y, None, None))
    with pytest.warns(UserWarning, match="The least populated class in y has only 2 members"):
        folds = settle_folds(hands, splits.StratifiedKFold(3))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        settle_folds(hands, splits.StratifiedKFold(2))
    hands.close()
    everywhere = np.concatenate(
        [folds.of(i, len(part), part) for i, part in enumerate(np.split(rare, np.cumsum(cut(5))[:-1]))]
    )
    expected = np.empty(N, dtype=int)
    with pytest.warns(UserWarning, match="least populated"):
        for k, (_, test) in enumerate(theirs.StratifiedKFold(3).split(data.X, rare)):
            expected[test] = k
    assert_array_equal(everywhere, expected)
