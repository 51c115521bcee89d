"""Hard but honest data: the right answer, or one warning that says why there is none."""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning

from daskml_dist.linear_model import LinearRegression, LogisticRegression, PoissonRegressor, Ridge
from tests.linear_model.problems import chunked, difference, reference
from tests.linear_model.truth import Objective, theta_of

pytestmark = pytest.mark.few_clusters

N = 300
RNG = np.random.default_rng(0)
X = RNG.standard_normal((N, 3))
Z = X @ np.array([1.0, -2.0, 0.5])
LABELS = (RNG.random(N) < 1 / (1 + np.exp(-Z))).astype(float)
COUNTS = RNG.poisson(np.exp(0.3 * Z)).astype(float)
REALS = Z + RNG.standard_normal(N)
QUIET = {"verbose": 0, "tol": 1e-13}

DEFICIENT = {
    "duplicate": np.column_stack([X, X[:, 0]]),
    "collinear": np.column_stack([X, X[:, 0] + 2 * X[:, 1]]),
    "constant": np.column_stack([X, np.full(N, 7.0)]),
    "constant tenths": np.column_stack([X, np.full(N, 0.1)]),  # their mean is not 0.1 in float64
    "constant and large": np.column_stack([X, np.full(N, 1e9)]),
    "zero": np.column_stack([X, np.zeros(N)]),
    "all zero": np.zeros((N, 2)),
    "one-hot": np.eye(4)[RNG.integers(0, 4, N)],
    "one row a level": np.column_stack([X, np.arange(N) == 17]).astype(float),
    "one column": X[:, :1],
}
DEFICIENT_NAMES = list(DEFICIENT)


def _truth(kind: str, features: np.ndarray, alpha: float, intercept: bool) -> Objective:
    y = LABELS if kind == "logistic" else COUNTS
    return Objective(kind, features, y, np.ones(N), alpha, intercept)


def _model(kind: str, alpha: float, intercept: bool, **options: Any) -> Any:
    shared = {**QUIET, "fit_intercept": intercept, **options}
    if kind == "poisson":
        return PoissonRegressor(alpha=alpha, **shared)
    return LogisticRegression(C=1 / (alpha * N) if alpha else np.inf, **shared)


def _minimum(truth: Objective) -> np.ndarray:
    """The minimum, found around the means of the columns where there is an intercept."""
    mean = truth.X.mean(axis=0) * truth.intercept
    theta = replace(truth, X=truth.X - mean).minimum()[0].astype(float)
    if truth.intercept:
        theta[-1] -= theta[:-1] @ mean
    return theta


@pytest.mark.thinned(3)
@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("kind", ["logistic", "poisson"])
@pytest.mark.parametrize("name", DEFICIENT)
def test_deficient_columns_with_a_penalty(name: str, kind: str, intercept: bool) -> None:
    truth = _truth(kind, DEFICIENT[name], 1e-2, intercept)
    model = _model(kind, 1e-2, intercept).fit(chunked(truth.X, 3), chunked(truth.y, 3))
    np.testing.assert_allclose(theta_of(model), _minimum(truth), rtol=1e-7, atol=1e-9)


@pytest.mark.thinned(3)
@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("kind", ["logistic", "poisson"])
@pytest.mark.parametrize("name", DEFICIENT_NAMES)
def test_deficient_columns_without_a_penalty(name: str, kind: str, intercept: bool) -> None:
    if name == "one row a level":
        pytest.skip("that level has no finite coefficient; see the test of separation")
    truth = _truth(kind, DEFICIENT[name], 0.0, intercept)
    model = _model(kind, 0.0, intercept, tol=1e-10).fit(chunked(truth.X, 3), chunked(truth.y, 3))
    tiny = _minimum(replace(truth, alpha=1e-9))
    assert float(truth.value(theta_of(model)) / truth.value(tiny)) - 1 < 1e-8
    assert np.isfinite(model.coef_).all()


@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("alpha", [0.0, 1.0])
@pytest.mark.parametrize("name", DEFICIENT)
def test_deficient_columns_of_least_squares(name: str, alpha: float, intercept: bool) -> None:
    features = DEFICIENT[name]
    model = Ridge(alpha=alpha, fit_intercept=intercept, verbose=0).fit(chunked(features, 3), REALS)
    centred = features - features.mean(axis=0) * intercept
    rows = np.concatenate([centred, np.sqrt(alpha) * np.eye(features.shape[1])])
    right = np.concatenate([REALS - REALS.mean() * intercept, np.zeros(features.shape[1])])
    expected = np.linalg.lstsq(rows, right, rcond=1e-11)[0]
    np.testing.assert_allclose(model.coef_, expected, rtol=1e-8, atol=1e-12)


@pytest.mark.parametrize("kind", ["logistic", "poisson"])
def test_more_columns_than_rows(kind: str) -> None:
    wide = RNG.standard_normal((20, 50))
    y = (LABELS if kind == "logistic" else COUNTS)[:20]
    truth = Objective(kind, wide, y, np.ones(20), 0.05, True)
    shared = {**QUIET}
    model: Any = PoissonRegressor(alpha=0.05, **shared)
    if kind == "logistic":
        model = LogisticRegression(C=1 / (0.05 * 20), **shared)
    model.fit(chunked(wide, 3), chunked(y, 3))
    np.testing.assert_allclose(theta_of(model), truth.minimum()[0].astype(float), rtol=1e-7, atol=1e-10)
    for plain in (LinearRegression(verbose=0), Ridge(alpha=2.0, verbose=0)):
        assert difference(plain.fit(wide, REALS[:20]), reference(plain, wide, REALS[:20])) < 1e-8


SEPARATED = {
    "by a plane": (X, (Z > 0).astype(float)),
    "by one column": (np.column_stack([X[:, 0] > 0, X]), np.where(X[:, 0] > 0, 1.0, LABELS)),
    "one row a level": (DEFICIENT["one row a level"], LABELS),
    "more columns than rows": (np.vander(np.arange(8.0) / 8, 8), np.arange(8) % 2.0),
}


@pytest.mark.parametrize("solver", ["auto", "newton", "progressive-newton"])
@pytest.mark.parametrize("name", SEPARATED)
def test_separation_is_told(name: str, solver: str) -> None:
    features, y = SEPARATED[name]
    model = LogisticRegression(C=np.inf, solver=solver, verbose=0)
    with pytest.warns(ConvergenceWarning, match="no finite optimum: ten times the last step lowers"):
        model.fit(features, y)
    assert np.isfinite(model.coef_).all()
    assert model.gap_ < 1e-6


@pytest.mark.parametrize("name", SEPARATED)
def test_separation_is_no_matter_with_a_penalty(name: str) -> None:
    features, y = SEPARATED[name]
    truth = Objective("logistic", features, y, np.ones(len(y)), 1 / (100.0 * len(y)), True)
    model = LogisticRegression(C=100.0, **QUIET).fit(features, y)
    np.testing.assert_allclose(theta_of(model), truth.minimum()[0].astype(float), rtol=1e-6, atol=1e-12)
    assert model.gap_kind_ != "estimate"


def test_counts_that_a_column_never_sees_are_told() -> None:
    features = np.column_stack([X, COUNTS == 0])
    with pytest.warns(ConvergenceWarning, match="no finite optimum"):
        PoissonRegressor(alpha=0.0, verbose=0).fit(features, COUNTS)


SHIFTS_AND_UNITS = {
    "units from 1e-12 to 1e12": (np.zeros(3), np.array([1e-12, 1.0, 1e12])),
    "units of 1e12": (np.zeros(3), np.full(3, 1e12)),
    "units of 1e-12": (np.zeros(3), np.full(3, 1e-12)),
    "mean 1e8, spread 1": (np.full(3, 1e8), np.ones(3)),
    "mean 1e8 in one column": (np.array([1e8, 0.0, -3.0]), np.ones(3)),
}


@pytest.mark.parametrize("name", SHIFTS_AND_UNITS)
@pytest.mark.parametrize("kind", ["logistic", "poisson", "squared"])
def test_units_and_origin_change_nothing(kind: str, name: str, backend: str) -> None:
    shift, unit = SHIFTS_AND_UNITS[name]
    features = (X + shift) * unit  # shifting by 1e8 rounds the features: so does the truth
    plain = features / unit - shift
    if kind == "squared":
        expected = np.linalg.lstsq(np.column_stack([plain, np.ones(N)]), REALS, rcond=None)[0]
        model: Any = LinearRegression(verbose=0).fit(chunked(features, 3), chunked(REALS, 3))
    else:
        truth = _truth(kind, plain, 0.0, True)
        expected = truth.minimum()[0].astype(float)
        model = _model(kind, 0.0, True).fit(chunked(features, 3), chunked(truth.y, 3))
    np.testing.assert_allclose(model.coef_.ravel() * unit, expected[:3], rtol=1e-7)


@pytest.mark.parametrize("scale", [1e-12, 1e-6, 1e6, 1e12])
def test_ridge_at_any_scale(scale: float) -> None:
    centred = (X - X.mean(axis=0)) * scale
    expected = np.linalg.solve(centred.T @ centred + np.eye(3), centred.T @ (REALS - REALS.mean()))
    model = Ridge(alpha=1.0, verbose=0).fit(X * scale, REALS)
    np.testing.assert_allclose(model.coef_, expected, rtol=1e-9)


def test_targets_far_from_zero_or_almost_explained() -> None:
    far = LinearRegression(verbose=0).fit(X, REALS + 1e9)
    expected = np.linalg.lstsq(np.column_stack([X, np.ones(N)]), REALS, rcond=None)[0]
    np.testing.assert_allclose(far.coef_, expected[:3], rtol=1e-6)  # REALS + 1e9 keeps seven digits
    noise = 1e-7 * RNG.standard_normal(N)
    near = LinearRegression(verbose=0).fit(X, Z + noise)
    expected = np.linalg.lstsq(np.column_stack([X, np.ones(N)]), Z + noise, rcond=None)[0]
    np.testing.assert_allclose(np.append(near.coef_, near.intercept_), expected, rtol=1e-13, atol=1e-15)
    assert 0 < 1 - near.score(X, Z + noise) < 1e-13


@pytest.mark.parametrize("value", [0.0, 3.0])
def test_a_constant_target(value: float) -> None:
    y = np.full(N, value)
    for model in (LinearRegression(verbose=0), Ridge(verbose=0)):
        model.fit(X, y)
        np.testing.assert_allclose(np.append(model.coef_, model.intercept_), [0, 0, 0, value], atol=1e-15)
        assert model.score(X, y) == 1.0
    if value:
        poisson = PoissonRegressor(**QUIET).fit(X, y)
        np.testing.assert_allclose(
            np.append(poisson.coef_, poisson.intercept_), [0, 0, 0, np.log(value)], atol=1e-15
        )


def test_rare_events(backend: str) -> None:
    features = np.random.default_rng(1).standard_normal((20_000, 3))
    y = np.zeros(20_000)
    y[[5, 9000]] = 1.0
    for options in ({}, {"class_weight": "balanced"}):
        model = LogisticRegression(**options, **QUIET).fit(chunked(features, 7), chunked(y, 7))
        assert difference(model, reference(model, features, y)) < 1e-7


@pytest.mark.parametrize("kind", ["logistic", "poisson"])
@pytest.mark.parametrize("what", ["heavy tails", "an outlier of 1e6", "large features"])
def test_heavy_tails(what: str, kind: str) -> None:
    features = {
        "heavy tails": RNG.standard_t(2, (N, 3)),
        "an outlier of 1e6": np.where(np.arange(N)[:, None] == 5, 1e6 * X, X),
        "large features": 1000 * X + 300,
    }[what]
    for intercept in (True, False):
        truth = _truth(kind, features, 1e-3, intercept)
        model = _model(kind, 1e-3, intercept).fit(chunked(features, 3), chunked(truth.y, 3))
        assert truth.relative_gap(theta_of(model)) < 1e-12


@pytest.mark.parametrize("factor", [1e6, 1e12])
def test_huge_counts(factor: float) -> None:
    truth = Objective("poisson", X, factor * (COUNTS + 1), np.ones(N), 0.0, True)
    model = PoissonRegressor(alpha=0.0, **QUIET).fit(X, truth.y)
    np.testing.assert_allclose(theta_of(model), truth.minimum()[0].astype(float), rtol=1e-8)


@pytest.mark.parametrize("offset", [800.0, -800.0, 30.0, -30.0])
@pytest.mark.parametrize("kind", ["logistic", "poisson"])
def test_a_constant_offset_is_taken_up_by_the_intercept(kind: str, offset: float) -> None:
    y = LABELS if kind == "logistic" else COUNTS
    plain = _model(kind, 1e-2, True).fit(X, y)
    shifted = _model(kind, 1e-2, True).fit(X, y, offset=np.full(N, offset))
    np.testing.assert_allclose(shifted.coef_, plain.coef_, rtol=1e-8)
    np.testing.assert_allclose(shifted.intercept_ + offset, plain.intercept_, atol=1e-9)


def test_no_counts_at_all_without_an_intercept() -> None:
    truth = Objective("poisson", X, np.zeros(N), np.ones(N), 1.0, False)
    model = PoissonRegressor(fit_intercept=False, **QUIET).fit(X, truth.y)
    np.testing.assert_allclose(model.coef_, truth.minimum()[0].astype(float), rtol=1e-9)


@pytest.mark.parametrize("order", ["by y", "by a feature", "reversed"])
def test_sorted_data(order: str, backend: str) -> None:
    by = {"by y": np.argsort(LABELS), "by a feature": np.argsort(X[:, 1]), "reversed": np.arange(N)[::-1]}[
        order
    ]
    model = LogisticRegression(**QUIET).fit(chunked(X[by], 16), chunked(LABELS[by], 16))
    assert difference(model, reference(model, X, LABELS)) < 1e-8


def test_nothing_is_warned_of_in_ordinary_fits() -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        LogisticRegression(C=np.inf, verbose=0).fit(X, LABELS)
        PoissonRegressor(alpha=0.0, verbose=0).fit(X, COUNTS)
    assert not caught
