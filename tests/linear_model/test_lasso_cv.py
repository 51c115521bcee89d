"""LassoCV and ElasticNetCV: scikit-learn's paths and choices, all penalties and folds from one pass."""

from __future__ import annotations

import warnings
from typing import Any

import dask.array as da
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn import linear_model as sk
from sklearn import model_selection as theirs

from daskml_dist import model_selection as ours
from daskml_dist.errors import (
    InvalidData,
    NonFiniteData,
    UnsupportedCombination,
    UnsupportedParameter,
)
from daskml_dist.linear_model import ElasticNetCV, Lasso, LassoCV
from tests.linear_model.problems import chunked, data

DATA = data()
X = DATA.X / np.abs(DATA.X).max(axis=0)  # of one size, and not centred
Y = DATA.reals
GROUPS = np.random.default_rng(5).integers(0, 23, len(Y))
QUIET: dict[str, Any] = {"verbose": 0}
PARAMETERS: list[tuple[type, dict[str, Any]]] = [
    (LassoCV, {}),
    (LassoCV, {"alphas": 7, "eps": 0.1, "cv": 3}),
    (LassoCV, {"alphas": [0.5, 0.01, 0.1, 0.1], "fit_intercept": False}),
    (LassoCV, {"positive": True, "alphas": 30}),
    (LassoCV, {"cv": theirs.TimeSeriesSplit(4, gap=3), "alphas": 20}),
    (ElasticNetCV, {"alphas": 40}),
    (ElasticNetCV, {"l1_ratio": [0.1, 0.7, 0.95], "alphas": 20, "cv": 4}),
    (ElasticNetCV, {"l1_ratio": [0.9, 0.2], "alphas": [1.0, 0.1, 0.01], "positive": True}),
]


@pytest.fixture
def large(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small data go the way of large ones: by moments."""
    monkeypatch.setattr("daskml_dist.solvers.least_squares.SMALL_ELEMENTS", 0)


def expected(model: Any, X: Any, y: Any, weight: Any = None) -> Any:
    """scikit-learn's, converged as far as it goes."""
    shared = {k: v for k, v in model.get_params().items() if k not in ("scheduler", "verbose")}
    other = {LassoCV: sk.LassoCV, ElasticNetCV: sk.ElasticNetCV}[type(model)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return other(**{**shared, "tol": 1e-14, "max_iter": 100_000}).fit(X, y, weight)


def assert_same(model: Any, other: Any, digits: float = 1e-8) -> None:
    assert model.alpha_ == pytest.approx(other.alpha_, rel=1e-12)
    assert_allclose(model.alphas_, other.alphas_, rtol=1e-12)
    assert_allclose(model.mse_path_, other.mse_path_, rtol=digits)
    assert_allclose(model.coef_, other.coef_, rtol=digits, atol=1e-10)
    assert_allclose(model.intercept_, other.intercept_, rtol=digits)
    assert ((model.coef_ == 0.0) == (other.coef_ == 0.0)).all()
    assert model.n_passes_ == 1
    assert model.gap_ <= 1e-12
    assert model.dual_gap_ <= 1e-12 * np.var(Y)
    if isinstance(model, ElasticNetCV):
        assert model.l1_ratio_ == other.l1_ratio_


@pytest.mark.thinned(2)
@pytest.mark.parametrize("weighted", [False, True], ids=["", "weighted"])
@pytest.mark.parametrize(("estimator", "parameters"), PARAMETERS, ids=str)
def test_scikit_learns_path_in_one_pass(
    estimator: Any, parameters: dict[str, Any], weighted: bool, large: None
) -> None:
    weight = DATA.weight if weighted else None
    model = estimator(**parameters, **QUIET).fit(X, Y, weight)
    other = expected(model, X, Y, weight)
    assert_same(model, other, 1e-8 if model.fit_intercept else 1e-6)  # theirs converges slowly without
    assert_allclose(model.predict(X), other.predict(X), rtol=1e-6)


@pytest.mark.thinned(3)
@pytest.mark.parametrize(("estimator", "parameters"), [PARAMETERS[1], PARAMETERS[6]], ids=str)
@pytest.mark.parametrize("size", ["small", "large"])
def test_chunks_on_every_backend(
    estimator: Any, parameters: dict[str, Any], size: str, backend: str, request: Any
) -> None:
    if size == "large":
        request.getfixturevalue("large")
    model = estimator(**parameters, **QUIET)
    model.fit(*(chunked(part, 17) for part in (X, Y, DATA.weight)))
    assert_same(model, expected(model, X, Y, DATA.weight))
    assert (model.graph_ is None) == (backend == "threads")
    assert [row["question"] for row in model.history_] == [
        "FoldMoments" if size == "large" else "FoldFactors"
    ]


def test_the_same_bits_on_a_cluster(client: Any, large: None) -> None:
    parts = [chunked(part, 17) for part in (X, Y, DATA.weight)]
    there = ElasticNetCV(alphas=20, **QUIET).fit(*parts)
    here = ElasticNetCV(alphas=20, scheduler="threads", **QUIET).fit(*parts)
    assert_array_equal(there.mse_path_, here.mse_path_)
    assert_array_equal(there.coef_, here.coef_)
    assert there.intercept_ == here.intercept_


def test_chunks_of_unknown_lengths(large: None) -> None:
    lazy = [da.from_array(part, chunks=(97, *part.shape[1:])) for part in (X, Y)]
    kept = [part[lazy[0][:, 1] > X[:, 1].mean()] for part in lazy]
    rows = X[:, 1] > X[:, 1].mean()
    model = LassoCV(**QUIET).fit(*kept)
    assert_same(model, expected(model, X[rows], Y[rows]))


def test_groups_stay_together(large: None) -> None:
    model = LassoCV(cv=theirs.GroupKFold(4), alphas=30, **QUIET)
    model.fit(*(chunked(part, 17) for part in (X, Y)), groups=chunked(GROUPS, 17))
    listed = list(theirs.GroupKFold(4).split(X, Y, GROUPS))
    other = sk.LassoCV(cv=listed, alphas=30, tol=1e-14, max_iter=100_000).fit(X, Y)
    assert_same(model, other)


def test_splits_that_are_listed(large: None) -> None:
    listed = list(theirs.KFold(4, shuffle=True, random_state=3).split(X))
    model = LassoCV(cv=listed, alphas=30, **QUIET).fit(*(chunked(part, 17) for part in (X, Y)))
    assert_same(model, sk.LassoCV(cv=listed, alphas=30, tol=1e-14, max_iter=100_000).fit(X, Y))


def test_shuffled_folds(large: None) -> None:
    """Other rows than scikit-learn draws; the same on each backend and for each seed."""
    parts = [chunked(part, 17) for part in (X, Y)]
    first, again, other = (
        LassoCV(cv=ours.KFold(5, shuffle=True, random_state=seed), **QUIET).fit(*parts) for seed in (1, 1, 2)
    )
    assert_array_equal(first.mse_path_, again.mse_path_)
    assert not np.array_equal(first.mse_path_, other.mse_path_)
    means = [sk.LassoCV().fit(X, Y).mse_path_.mean(axis=1)]
    assert_allclose(first.mse_path_.mean(axis=1), means[0], rtol=0.2)


def test_the_model_is_the_lasso_of_all_rows() -> None:
    model = LassoCV(**QUIET).fit(X, Y)
    whole = Lasso(alpha=model.alpha_, **QUIET).fit(X, Y)
    assert_allclose(model.coef_, whole.coef_, rtol=1e-12)
    assert model.n_iter_ == 1


def test_hard_columns(large: None) -> None:
    """Constant, doubled and far from the origin; the minimum is not unique, its predictions are."""
    wide = np.column_stack([X, np.full(len(X), 7.0), X[:, 0], X[:, 1], X[:, 2] + 1e5])
    model = LassoCV(alphas=30, **QUIET).fit(wide, Y)
    plain = np.column_stack([X, X[:, 0], X[:, 1], X[:, 2]])
    other = expected(LassoCV(alphas=30), plain, Y)
    assert model.coef_[5] == 0.0
    assert_allclose(model.mse_path_, other.mse_path_, rtol=1e-6)
    assert_allclose(model.predict(wide), other.predict(plain), rtol=1e-6)
    assert model.gap_ < 1e-9


def test_errors_that_moments_have_lost_cost_a_second_pass(large: None) -> None:
    """y is linear in X but for 1e-7: its squared errors are below the rounding of moments."""
    rng = np.random.default_rng(3)
    y = X @ [3.0, -2.0, 1.0, 0.5, 4.0] + 1e-7 * rng.standard_normal(len(X))
    model = LassoCV(alphas=[1e-14, 1e-12], **QUIET).fit(chunked(X, 5), chunked(y, 5))
    assert model.n_passes_ == 2
    for k, (train, test) in enumerate(theirs.KFold(5).split(X)):
        fitted = sk.LinearRegression().fit(X[train], y[train])
        assert_allclose(model.mse_path_[1, k], np.mean((y[test] - fitted.predict(X[test])) ** 2), rtol=1e-3)
    assert LassoCV(alphas=[1e-14], max_iter=1, **QUIET).fit(X, y).n_passes_ == 1


def test_nothing_to_learn() -> None:
    for y in (np.full(60, 3.0), np.zeros(60)):
        model = LassoCV(alphas=5, **QUIET).fit(X[:60], y)
        other = sk.LassoCV(alphas=5).fit(X[:60], y)
        assert_allclose(model.alphas_, other.alphas_)
        assert_array_equal(model.coef_, np.zeros(5))
        assert model.intercept_ == pytest.approx(y[0])


def test_folds_of_one_row(large: None) -> None:
    model = LassoCV(cv=12, alphas=10, **QUIET).fit(chunked(X[:12], 4), chunked(Y[:12], 4))
    other = expected(model, X[:12], Y[:12])
    assert_allclose(model.mse_path_, other.mse_path_, rtol=1e-6, atol=1e-12)
    assert model.alpha_ == pytest.approx(other.alpha_)


@pytest.mark.parametrize(
    ("parameters", "fit", "error", "says"),
    [
        ({"cv": 1}, {}, ValueError, "n_splits=2 or more"),
        ({"cv": 700}, {}, ValueError, "700"),
        ({"cv": "5"}, {}, UnsupportedParameter, "expected a number of folds"),
        ({"cv": theirs.GroupKFold(3)}, {}, InvalidData, "'groups' parameter should not be None"),
        ({}, {"groups": GROUPS}, UnsupportedCombination, "does not look at them"),
        ({"alphas": 0}, {}, UnsupportedParameter, "expected 1 or more"),
        ({"alphas": [-1.0]}, {}, UnsupportedParameter, "finite numbers >= 0"),
        ({"alphas": []}, {}, UnsupportedParameter, "at least one"),
        ({"eps": 0.0}, {}, UnsupportedParameter, "eps must be a finite number > 0"),
        ({"l1_ratio": 0.0}, {}, InvalidData, "not supported for l1_ratio=0"),
        ({"l1_ratio": [0.5, 1.5]}, {}, UnsupportedParameter, "from 0 to 1"),
        ({"precompute": True}, {}, UnsupportedParameter, "precompute=True"),
        ({"n_jobs": 2}, {}, UnsupportedParameter, "n_jobs=2"),
        ({}, {"sample_weight": np.repeat([0.0, 1.0], 300)}, InvalidData, "split 0 tests have no weight"),
    ],
)
def test_refusals(parameters: dict[str, Any], fit: dict[str, Any], error: Any, says: str) -> None:
    with pytest.raises(error, match=says):
        ElasticNetCV(**parameters, **QUIET).fit(X, Y, **fit)


def test_missing_values_are_found_in_their_chunk(backend: str, large: None) -> None:
    bad = X.copy()
    bad[450, 2] = np.nan
    with pytest.raises(NonFiniteData, match="X contains NaN: 1 value.*in chunk 2.*column 2"):
        LassoCV(**QUIET).fit(da.from_array(bad, chunks=(200, 5)), da.from_array(Y, chunks=200))
