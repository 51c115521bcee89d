"""LogisticRegressionCV: scikit-learn's scores, paths and choice; as many passes as one fit."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn import linear_model as sk
from sklearn import model_selection

from daskml_dist.errors import InvalidData, UnsupportedParameter
from daskml_dist.linear_model import LogisticRegression, LogisticRegressionCV
from daskml_dist.model_selection import GroupKFold, KFold, StratifiedKFold, TimeSeriesSplit
from tests.linear_model.problems import chunked

RNG = np.random.default_rng(5)
N = 400
X = RNG.standard_normal((N, 4)) * [1.0, 5.0, 0.2, 1.0] + [0.0, 3.0, 0.0, 1.0]
Y = (X @ [1.0, 0.2, 0.0, -1.0] + RNG.logistic(size=N) > 0).astype(int)
THREE = np.array(["a", "b", "c"])[np.digitize(X @ [1.0, 0.2, 0.0, -1.0] + RNG.logistic(size=N), [-0.5, 1.0])]
WEIGHT = RNG.integers(0, 3, N).astype(float)
CS = [0.003, 0.1, 10.0]
TIGHT: dict[str, Any] = {"Cs": CS, "tol": 1e-13, "verbose": 0}


def theirs(y: np.ndarray = Y, weight: Any = None, **options: Any) -> Any:
    common: dict[str, Any] = {"solver": "newton-cholesky", "use_legacy_attributes": True, "scoring": None}
    common |= {"tol": 1e-12, "max_iter": 10_000, "Cs": CS}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        return sk.LogisticRegressionCV(**common | options).fit(X, y, weight)


def assert_same(model: Any, other: Any) -> None:
    assert_allclose(model.Cs_, other.Cs_)
    assert_allclose(model.C_, other.C_)
    assert model.scores_.keys() == other.scores_.keys()
    for label in other.scores_:
        assert_allclose(model.scores_[label], other.scores_[label], rtol=1e-6)
        mine, path = model.coefs_paths_[label], other.coefs_paths_[label]
        assert_allclose(mine[..., :4], path[..., :4], rtol=1e-5, atol=1e-7)
    assert_allclose(model.coef_, other.coef_, rtol=1e-5, atol=1e-7)
    centred = other.intercept_ - (other.intercept_.mean() if len(other.intercept_) > 1 else 0.0)
    assert_allclose(model.intercept_, centred, rtol=1e-5, atol=1e-6)


@pytest.mark.thinned(3)
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"cv": 3, "scoring": "neg_log_loss"},
        {"scoring": "neg_brier_score"},
        {"scoring": "balanced_accuracy", "class_weight": "balanced"},
        {"scoring": "f1"},
        {"scoring": "precision"},
        {"scoring": "recall", "fit_intercept": False},
        {"refit": False},
        {"Cs": 4, "scoring": "neg_log_loss"},
        {"class_weight": {0: 1.0, 1: 3.0}, "scoring": "neg_log_loss"},
    ],
    ids=str,
)
@pytest.mark.parametrize("weighted", [False, True], ids=["", "weighted"])
def test_scikit_learns_scores_and_choice(options: dict[str, Any], weighted: bool) -> None:
    weight = WEIGHT if weighted else None
    model = LogisticRegressionCV(**TIGHT | options).fit(X, Y, weight)
    assert_same(model, theirs(Y, weight, **options))
    assert model.worst_gap_ <= 1e-12


@pytest.mark.parametrize("scoring", [None, "neg_log_loss", "neg_brier_score", "f1_macro", "recall_weighted"])
def test_several_classes(scoring: str | None) -> None:
    model = LogisticRegressionCV(**TIGHT, scoring=scoring).fit(X, THREE)
    assert_same(model, theirs(THREE, solver="newton-cg", scoring=scoring))


SPLITTERS = [
    (KFold(4), model_selection.KFold(4), None),
    (StratifiedKFold(3), model_selection.StratifiedKFold(3), None),
    (TimeSeriesSplit(3), model_selection.TimeSeriesSplit(3), None),
    (model_selection.KFold(5), model_selection.KFold(5), None),
    (GroupKFold(4), model_selection.GroupKFold(4), np.arange(N) % 23),
]


@pytest.mark.thinned(3)
@pytest.mark.parametrize("pieces", [None, 3, 17])
@pytest.mark.parametrize(("rule", "splitter", "groups"), SPLITTERS, ids=lambda part: type(part).__name__)
def test_every_splitter(rule: Any, splitter: Any, groups: Any, pieces: int | None) -> None:
    given = [part if pieces is None else chunked(part, pieces) for part in (X, Y, WEIGHT)]
    labels = groups if groups is None or pieces is None else chunked(groups, pieces)
    model = LogisticRegressionCV(**TIGHT, cv=rule, scoring="neg_log_loss").fit(*given, groups=labels)
    folds = list(splitter.split(X, Y, groups))
    assert_same(model, theirs(Y, WEIGHT, cv=folds, scoring="neg_log_loss"))


def test_every_backend(backend: str) -> None:
    model = LogisticRegressionCV(**TIGHT, scoring="neg_log_loss").fit(*(chunked(part, 17) for part in (X, Y)))
    assert_same(model, theirs(scoring="neg_log_loss"))
    assert (model.graph_ is None) == (backend == "threads")


def test_shares_of_the_l1_penalty() -> None:
    scaled = (X - X.mean(axis=0)) / X.std(axis=0)
    ratios = [0.0, 0.5, 1.0]
    model = LogisticRegressionCV(**TIGHT, l1_ratios=ratios, scoring="neg_log_loss").fit(scaled, Y)
    for r, ratio in enumerate(ratios):
        for c, C in enumerate(CS):
            for fold, (train, _) in enumerate(model_selection.StratifiedKFold(5).split(scaled, Y)):
                one = LogisticRegression(C=C, l1_ratio=ratio, tol=1e-13, verbose=0)
                one.fit(scaled[train], Y[train])
                assert_allclose(model.coefs_paths_[1][fold, c, r, :4], one.coef_[0], rtol=1e-6, atol=1e-6)
    assert model.scores_[1].shape == (5, 3, 3)
    assert model.l1_ratio_[0] in ratios


def test_plain_attributes() -> None:
    legacy = LogisticRegressionCV(**TIGHT).fit(X, Y)
    model = LogisticRegressionCV(**TIGHT, use_legacy_attributes=False).fit(X, Y)
    assert isinstance(model.C_, float)
    assert model.scores_.shape == (5, 1, 3)
    assert model.coefs_paths_.shape == (5, 1, 3, 1, 5)
    assert model.n_iter_.shape == (5, 1, 3)
    assert_allclose(model.scores_[:, 0], legacy.scores_[1])
    assert_allclose(model.coefs_paths_[:, 0, :, 0], legacy.coefs_paths_[1])


@pytest.mark.slow
def test_as_many_passes_as_one_fit() -> None:
    rng = np.random.default_rng(0)
    many = rng.standard_normal((60_000, 30)) * np.logspace(0, 3, 30)
    y = many / np.logspace(0, 3, 30) @ rng.standard_normal(30) + rng.logistic(size=60_000) > 0
    model = LogisticRegressionCV(verbose=0, scoring="neg_log_loss").fit(many, y)
    assert model.n_passes_ <= 4
    assert model.worst_gap_ <= 1e-6
    train, test = next(model_selection.StratifiedKFold(5).split(many, y))
    for c in (0, 5, 9):
        one = LogisticRegression(C=model.Cs_[c], tol=1e-12, verbose=0).fit(many[train], y[train])
        path = model.coefs_paths_[True][0, c]
        value, least = (objective(many[train], y[train], model.Cs_[c], theta) for theta in (path, full(one)))
        assert (value - least) / least < 1e-6
        score = -np.mean(np.logaddexp(0, -np.where(y[test], 1, -1) * one.decision_function(many[test])))
        assert model.scores_[True][0, c] == pytest.approx(score, rel=1e-6)


def full(model: Any) -> np.ndarray:
    return np.append(model.coef_[0], model.intercept_)


def objective(X: np.ndarray, y: np.ndarray, C: float, theta: np.ndarray) -> float:
    z = (X @ theta[:-1] + theta[-1]).astype(np.longdouble)
    return float(C * np.logaddexp(0, np.where(y, -z, z)).sum() + (theta[:-1] ** 2).sum() / 2)


def test_a_split_that_trains_on_one_class_is_refused() -> None:
    y = np.sort(Y)
    with pytest.raises(InvalidData, match=r"Split 0 trains on no rows of class 1.0"):
        LogisticRegressionCV(cv=KFold(2), verbose=0).fit(X, np.r_[np.zeros(N // 2), np.ones(N // 2)][::-1])
    assert LogisticRegressionCV(cv=2, verbose=0).fit(X, y).n_passes_ > 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"Cs": [1.0, -1.0]}, "Cs=.*values above 0"),
        ({"Cs": []}, "Cs="),
        ({"l1_ratios": [2.0]}, "l1_ratios=.*from 0 to 1"),
        ({"scoring": "roc_auc"}, "scoring='roc_auc' was given; expected None or one of 'accuracy'"),
        ({"cv": [(0, 1)]}, "cv lists something else than splits"),
        ({"dual": True}, "dual=True"),
        ({"solver": "saga"}, "solver='saga'"),
    ],
)
def test_what_cannot_be_done_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UnsupportedParameter, match=message):
        LogisticRegressionCV(verbose=0, **options).fit(X, Y)
