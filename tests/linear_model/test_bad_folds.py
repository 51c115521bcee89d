"""Classes that folds lack, classes that are separated, columns that tell nothing: the answer, or words."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn import linear_model as sk
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning

from daskml_dist.errors import InvalidData
from daskml_dist.linear_model import (
    GeneralizedLinearRegressor,
    LinearSVC,
    LinearSVR,
    LogisticRegressionCV,
    RidgeClassifierCV,
    TweedieRegressor,
)
from daskml_dist.model_selection import KFold
from tests.linear_model.problems import chunked
from tests.linear_model.test_every_optimum import CASES, MORE, SCALED, Case

N = 300
RNG = np.random.default_rng(0)
X = RNG.standard_normal((N, 3))
Z = X @ [1.0, -2.0, 0.5]
APART = (Z > 0).astype(int)
THREE = np.digitize(Z, [-1.0, 1.0])
NOISY = np.digitize(Z + RNG.logistic(size=N), [-1.0, 1.0])
SORTED = np.argsort(NOISY, kind="stable")


@pytest.mark.thinned(3)
@pytest.mark.parametrize("solver", ["auto", "newton", "lbfgs"])
@pytest.mark.parametrize("y", [APART, THREE], ids=["two", "three"])
def test_a_search_tells_of_separated_classes(y: np.ndarray, solver: str) -> None:
    model = LogisticRegressionCV(Cs=[1.0, np.inf], cv=2, solver=solver, max_iter=500, verbose=0)
    with pytest.warns(ConvergenceWarning, match="no finite optimum: ten times the last step lowers"):
        model.fit(chunked(X, 5), chunked(y, 5))
    assert np.isfinite(model.coef_).all()
    assert all(np.isfinite(path).all() for path in model.coefs_paths_.values())
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # a penalty is enough
        LogisticRegressionCV(Cs=[1.0, 1e4], cv=2, verbose=0).fit(X, y)


@pytest.mark.parametrize("link", ["logit", "probit", "cloglog"])
def test_every_link_tells_of_separated_classes(link: str) -> None:
    model = GeneralizedLinearRegressor(family="binomial", link=link, verbose=0)
    with pytest.warns(ConvergenceWarning, match="no finite optimum"):
        model.fit(X, APART.astype(float))
    assert np.isfinite(model.coef_).all()


def test_a_column_without_events_is_told_of() -> None:
    column = np.arange(N) % 3 == 0
    y = np.where(column, 0.0, RNG.poisson(np.exp(0.3 * Z)))
    model = TweedieRegressor(power=1.5, link="log", alpha=0.0, verbose=0)
    with pytest.warns(ConvergenceWarning, match="no finite optimum"):
        model.fit(np.column_stack([X, column]), y)
    assert np.isfinite(model.coef_).all()


def test_a_fold_that_lacks_a_class_in_training() -> None:
    """Of logistic regression there is no model then; a ridge's is that of scikit-learn."""
    rows, y = X[SORTED], NOISY[SORTED]
    with pytest.raises(InvalidData, match=r"Split 2 trains on no rows of class 2.*Use StratifiedKFold"):
        LogisticRegressionCV(cv=KFold(3), verbose=0).fit(chunked(rows, 5), chunked(y, 5))
    with pytest.raises(InvalidData, match=r"Split \d trains on no rows of class 2 \(with weight\)"):
        weight = np.where((y == 2) & (np.arange(N) < N - 1), 0.0, 1.0)
        LogisticRegressionCV(cv=KFold(3), verbose=0).fit(rows, y, weight)
    model = RidgeClassifierCV([0.1, 30.0], cv=KFold(3), verbose=0).fit(chunked(rows, 5), chunked(y, 5))
    other = sk.RidgeClassifierCV([0.1, 30.0], cv=_parts(3)).fit(rows, y)
    assert (model.alpha_, model.best_score_) == (other.alpha_, pytest.approx(other.best_score_, rel=1e-12))
    assert_allclose(model.coef_, other.coef_, rtol=1e-8)


def _parts(folds: int) -> list[tuple[np.ndarray, np.ndarray]]:
    parts = np.array_split(np.arange(N), folds)
    return [(np.setdiff1d(np.arange(N), part), part) for part in parts]


@pytest.mark.parametrize("scoring", [None, "neg_log_loss"])
def test_a_fold_that_tests_one_class(scoring: Any) -> None:
    y = (np.arange(N) > 200).astype(int)
    options: dict[str, Any] = {"Cs": [0.01, 1.0], "scoring": scoring, "l1_ratios": [0.0]}
    options["use_legacy_attributes"] = False
    model = LogisticRegressionCV(cv=KFold(5), tol=1e-14, verbose=0, **options)
    model.fit(chunked(X, 17), chunked(y, 17))
    other = sk.LogisticRegressionCV(cv=_parts(5), solver="newton-cholesky", tol=1e-10, **options).fit(X, y)
    assert_allclose(model.scores_, other.scores_, rtol=1e-6)
    assert_allclose(model.coef_, other.coef_, rtol=1e-5)


def test_a_class_of_fewer_rows_than_folds_is_told_of() -> None:
    rare = (np.arange(N) < 3).astype(int)
    for model in (LogisticRegressionCV(Cs=2, verbose=0), RidgeClassifierCV(cv=5, verbose=0)):
        with pytest.warns(UserWarning, match="least populated class in y has only 3 members"):
            model.fit(X, rare)


FREE = [case for case in CASES + MORE if not isinstance(case.model, LinearSVC | LinearSVR)]
CONSTANTS = np.column_stack([np.full(len(SCALED), value) for value in (7.0, 0.0, 0.1, 1e9)])


@pytest.mark.parametrize("case", FREE, ids=lambda case: case.name)
def test_constant_columns_get_no_coefficient(case: Case) -> None:
    """And change nothing else, where the intercept is free."""
    plain = clone(case.model).fit(SCALED, case.y, case.weight)
    model = clone(case.model).fit(np.column_stack([SCALED, CONSTANTS]), case.y, case.weight)
    kept, rest = np.split(np.atleast_2d(model.coef_), [SCALED.shape[1]], axis=1)
    assert not rest.any()
    assert_allclose(kept, np.atleast_2d(plain.coef_), rtol=1e-6, atol=1e-6 * np.abs(plain.coef_).max())
    assert_allclose(model.intercept_, plain.intercept_, rtol=1e-6, atol=1e-6)


COLLINEAR = np.column_stack([SCALED, SCALED[:, 0], SCALED[:, 1] + SCALED[:, 2]])


@pytest.mark.parametrize(
    "case", [case for case in CASES + MORE if not callable(case.other)], ids=lambda case: case.name
)
def test_collinear_columns_have_the_others_predictions(case: Case) -> None:
    model = clone(case.model).fit(COLLINEAR, case.y, case.weight)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        other = clone(case.other).fit(COLLINEAR, case.y, case.weight)
    ours, theirs = (margins(one) for one in (model, other))
    assert_allclose(ours, theirs, rtol=1e-6, atol=1e-6 * np.ptp(theirs))


def margins(model: Any) -> np.ndarray:
    return COLLINEAR @ np.atleast_2d(model.coef_).T + model.intercept_
