"""Lasso, elastic net and bounds: scikit-learn's optimum in one pass, on every cut and both backends."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.optimize import nnls
from sklearn import linear_model as sk

from daskml_dist.errors import UnsupportedParameter
from daskml_dist.linear_model import ElasticNet, Lasso, LinearRegression, Ridge
from tests.linear_model.problems import chunked, data, difference

DATA = data()
# of one size, since an L1 penalty means little on raw features; not centred
X = DATA.X / np.abs(DATA.X).max(axis=0)
QUIET: dict[str, Any] = {"verbose": 0}
MODELS = [
    Lasso(alpha=0.05, **QUIET),
    Lasso(alpha=1.0, **QUIET),
    Lasso(alpha=0.05, fit_intercept=False, **QUIET),
    Lasso(alpha=0.3, positive=True, **QUIET),
    ElasticNet(alpha=0.2, **QUIET),
    ElasticNet(alpha=0.05, l1_ratio=0.9, positive=True, **QUIET),
    ElasticNet(alpha=0.05, l1_ratio=0.1, fit_intercept=False, **QUIET),
    ElasticNet(alpha=0.05, l1_ratio=1.0, **QUIET),
]


def theirs(model: Any, X: Any, y: Any, weight: Any = None) -> Any:
    shared = {"alpha": model.alpha, "fit_intercept": model.fit_intercept, "positive": model.positive}
    other = sk.ElasticNet(l1_ratio=model.l1_ratio, tol=1e-15, max_iter=1_000_000, **shared)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return other.fit(X, y, weight)


def assert_same(model: Any, other: Any) -> None:
    assert_allclose(model.coef_, other.coef_, rtol=1e-8, atol=1e-10)
    assert_allclose(model.intercept_, other.intercept_, rtol=1e-9)
    assert ((model.coef_ == 0.0) == (other.coef_ == 0.0)).all()


@pytest.mark.parametrize("weighted", [False, True], ids=["", "weighted"])
@pytest.mark.parametrize("model", MODELS, ids=repr)
def test_scikit_learns_optimum_in_one_pass(model: Any, weighted: bool) -> None:
    weight = DATA.weight if weighted else None
    model.fit(X, DATA.reals, weight)
    assert_same(model, theirs(model, X, DATA.reals, weight))
    assert model.n_passes_ == 1
    assert model.gap_ < 1e-12
    assert model.gap_kind_ == "closed-form"
    assert model.dual_gap_ < 1e-12 * np.var(DATA.reals)


def test_raw_features() -> None:
    """Units from 1e-3 to 1e3, where scikit-learn's does not converge: by the conditions of the minimum."""
    for alpha in (3e-3, 1e-1):
        model = Lasso(alpha=alpha, **QUIET).fit(DATA.X, DATA.reals)
        residual = DATA.reals - model.predict(DATA.X)
        pull = (DATA.X - DATA.X.mean(axis=0)).T @ residual / len(residual)
        free = model.coef_ != 0.0
        assert 0 < free.sum() < 5
        assert abs(residual.mean()) < 1e-9
        size = alpha + np.abs(DATA.X).max(axis=0) * 1e-11
        assert (np.abs(pull - alpha * np.sign(model.coef_))[free] <= 1e-6 * alpha + size[free] - alpha).all()
        assert (np.abs(pull)[~free] <= size[~free]).all()


@pytest.mark.parametrize("model", [Lasso(alpha=0.5, **QUIET), ElasticNet(alpha=0.1, **QUIET)], ids=repr)
def test_several_targets(model: Any, backend: str) -> None:
    model.fit(*(chunked(part, 16) for part in (X, DATA.table, DATA.weight)))
    other = theirs(model, X, DATA.table, DATA.weight)
    assert model.coef_.shape == (3, 5)
    assert_same(model, other)
    assert_allclose(model.sparse_coef_.toarray(), model.coef_)


def test_without_a_penalty_it_is_least_squares() -> None:
    other = LinearRegression(**QUIET).fit(X, DATA.reals)
    assert difference(Lasso(alpha=0.0, **QUIET).fit(X, DATA.reals), other) < 1e-10
    ridge = Ridge(alpha=0.2 * len(X), **QUIET).fit(X, DATA.reals)
    assert difference(ElasticNet(alpha=0.2, l1_ratio=0.0, **QUIET).fit(X, DATA.reals), ridge) < 1e-10


@pytest.mark.parametrize("intercept", [True, False])
def test_no_negative_coefficients(intercept: bool) -> None:
    centred = X - X.mean(axis=0) if intercept else X
    y = DATA.reals - DATA.reals.mean() if intercept else DATA.reals
    model = LinearRegression(positive=True, fit_intercept=intercept, **QUIET).fit(X, DATA.reals)
    assert_allclose(model.coef_, nnls(centred, y)[0], rtol=1e-9, atol=1e-10)
    ridge = Ridge(alpha=3.0, positive=True, fit_intercept=intercept, **QUIET).fit(X, DATA.reals)
    rows = np.vstack([centred, np.sqrt(3.0) * np.eye(5)])
    assert_allclose(ridge.coef_, nnls(rows, np.append(y, np.zeros(5)))[0], rtol=1e-9, atol=1e-10)
    assert (ridge.coef_ >= 0.0).all()
    assert (ridge.coef_ == 0.0).any()


def test_warm_start_ends_at_the_same_bits_or_nearly() -> None:
    model = Lasso(alpha=0.05, warm_start=True, **QUIET).fit(X, DATA.reals)
    first = model.coef_.copy()
    assert_allclose(model.fit(X, DATA.reals).coef_, first, rtol=1e-12)


def test_constant_and_doubled_columns() -> None:
    wide = np.column_stack([X, np.full(len(X), 7.0), X[:, 0], X[:, 1]])
    model = Lasso(alpha=0.05, **QUIET).fit(wide, DATA.reals)
    other = theirs(model, wide, DATA.reals)
    assert model.coef_[5] == 0.0
    assert_allclose(model.predict(wide), other.predict(wide), rtol=1e-8)
    assert np.abs(model.coef_).sum() == pytest.approx(np.abs(other.coef_).sum(), rel=1e-8)


@pytest.mark.parametrize(
    ("parameters", "says"),
    [
        ({"l1_ratio": 1.5}, "l1_ratio=1.5.: expected a number from 0 to 1"),
        ({"alpha": -1.0}, "alpha must be a finite number >= 0"),
        ({"positive": "yes"}, "positive='yes'.*True or False"),
        ({"selection": "random"}, "selection='random'"),
        ({"precompute": True}, "precompute=True"),
    ],
)
def test_what_is_not_supported_is_refused(parameters: dict[str, Any], says: str) -> None:
    with pytest.raises(UnsupportedParameter, match=says):
        ElasticNet(**parameters, **QUIET).fit(X, DATA.reals)


@pytest.mark.parametrize("solver", ["newton", "progressive-newton"])
def test_other_solvers_find_it(solver: str) -> None:
    expected = Ridge(alpha=3.0, positive=True, **QUIET).fit(X, DATA.reals)
    model = Ridge(alpha=3.0, positive=True, solver=solver, tol=1e-14, **QUIET).fit(X, DATA.reals)
    assert_allclose(model.coef_, expected.coef_, rtol=1e-9, atol=1e-9)


def test_lbfgs_refuses_bounds() -> None:
    with pytest.raises(ValueError, match="needs a smooth penalty"):
        Ridge(positive=True, solver="lbfgs", **QUIET).fit(X, DATA.reals)
