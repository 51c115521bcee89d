"""RidgeClassifierCV: scikit-learn's choice, by accuracy on folds and by leaving out rows, in two passes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn import linear_model as sk
from sklearn import model_selection as theirs

from daskml_dist.errors import InvalidData, NonFiniteData, UnsupportedCombination, UnsupportedParameter
from daskml_dist.linear_model import RidgeClassifierCV, RidgeCV
from tests.linear_model.problems import chunked, data

DATA = data()
X = DATA.X / np.abs(DATA.X).max(axis=0)
WEIGHT = DATA.weight + 0.01
RANKS = np.searchsorted(np.quantile(DATA.reals, [0.2, 0.5, 0.9]), DATA.reals)
LABELS = {"two": np.where(DATA.labels, "yes", "no"), "four": RANKS * 10 - 7}
QUIET: dict[str, Any] = {"verbose": 0}
ALPHAS = [0.01, 30.0, 3.0, 300.0]
PARAMETERS: list[dict[str, Any]] = [
    {},
    {"store_cv_results": True, "fit_intercept": False},
    {"class_weight": "balanced"},
    {"cv": 5},
    {"cv": 3, "class_weight": "balanced", "scoring": "accuracy"},
    {"cv": theirs.KFold(4), "fit_intercept": False},
    {"cv": list(theirs.StratifiedKFold(3, shuffle=True, random_state=1).split(X, RANKS))},
]


def assert_same(model: RidgeClassifierCV, other: Any) -> None:
    assert model.alpha_ == other.alpha_
    assert model.best_score_ == pytest.approx(other.best_score_, rel=1e-9)
    assert model.coef_.shape == other.coef_.shape
    assert_allclose(model.coef_, other.coef_, rtol=1e-8, atol=1e-10)
    assert_allclose(model.intercept_, other.intercept_, rtol=1e-8, atol=1e-10)
    assert_array_equal(model.predict(X), other.predict(X))
    assert model.n_passes_ == 2
    if model.store_cv_results:
        assert_allclose(model.cv_results_, other.cv_results_, rtol=1e-8, atol=1e-12)


@pytest.mark.thinned(5)
@pytest.mark.parametrize("weighted", [False, True], ids=["", "weighted"])
@pytest.mark.parametrize("labels", LABELS)
@pytest.mark.parametrize("size", ["small", "large"])
@pytest.mark.parametrize("parameters", PARAMETERS, ids=lambda given: str(given)[:40])
def test_scikit_learns_choice(
    parameters: dict[str, Any], size: str, labels: str, weighted: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if size == "large":
        monkeypatch.setattr("daskml_dist.solvers.least_squares.SMALL_ELEMENTS", 0)
    y, weight = LABELS[labels], WEIGHT if weighted else None
    model = RidgeClassifierCV(ALPHAS, **parameters, **QUIET).fit(X, y, weight)
    assert_same(model, sk.RidgeClassifierCV(ALPHAS, **parameters).fit(X, y, weight))


@pytest.mark.thinned(2)
@pytest.mark.parametrize("labels", LABELS)
@pytest.mark.parametrize("cv", [None, 4])
def test_chunks_on_every_backend(labels: str, cv: Any, backend: str) -> None:
    parts = [chunked(part, 17) for part in (X, LABELS[labels], WEIGHT)]
    model = RidgeClassifierCV(ALPHAS, cv=cv, **QUIET).fit(*parts)
    assert_same(model, sk.RidgeClassifierCV(ALPHAS, cv=cv).fit(X, LABELS[labels], WEIGHT))
    assert (model.graph_ is None) == (backend == "threads")


def test_groups_stay_together() -> None:
    groups = np.random.default_rng(5).integers(0, 23, len(X))
    model = RidgeClassifierCV(ALPHAS, cv=theirs.GroupKFold(4), **QUIET).fit(X, LABELS["four"], groups=groups)
    listed = list(theirs.GroupKFold(4).split(X, groups=groups))
    assert_same(model, sk.RidgeClassifierCV(ALPHAS, cv=listed).fit(X, LABELS["four"]))


@pytest.mark.parametrize(
    ("parameters", "error", "says"),
    [
        ({"scoring": "accuracy"}, UnsupportedParameter, "or 'accuracy' with folds"),
        ({"scoring": "f1", "cv": 3}, UnsupportedParameter, "or 'accuracy' with folds"),
        ({"cv": 3, "store_cv_results": True}, UnsupportedCombination, "incompatible"),
        ({"alphas": [0.0]}, UnsupportedParameter, "expected numbers > 0"),
        ({"cv": theirs.GroupKFold(3)}, InvalidData, "'groups' parameter should not be None"),
        ({"fit_intercept": 1}, UnsupportedParameter, "True or False"),
    ],
)
def test_refusals(parameters: dict[str, Any], error: Any, says: str) -> None:
    with pytest.raises(error, match=says):
        RidgeClassifierCV(**parameters, **QUIET).fit(X, LABELS["two"])


def test_missing_values_are_found_in_their_chunk(backend: str) -> None:
    bad = X.copy()
    bad[450, 2] = np.nan
    for cv in (None, 3):
        with pytest.raises(NonFiniteData, match="X contains NaN: 1 value.*in chunk .*column 2"):
            RidgeClassifierCV(cv=cv, **QUIET).fit(chunked(bad, 3), chunked(LABELS["four"], 3))


def test_columns_of_numbers_are_no_classes() -> None:
    with pytest.raises(InvalidData, match="y should be a 1d array"):
        RidgeCV(cv=theirs.StratifiedKFold(3), **QUIET).fit(X, DATA.table)
