"""Quantile regression: the exact minimum of the check loss, on every cut and both backends."""

from __future__ import annotations

import warnings
from typing import Any

import dask.array as da
import numpy as np
import pytest
import statsmodels.api as sm
from numpy.testing import assert_allclose
from sklearn import linear_model as sk
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import mean_pinball_loss

from daskml_dist.errors import UnsupportedParameter
from daskml_dist.linear_model import QuantileRegressor
from daskml_dist.solvers import narrowing
from tests.linear_model.problems import chunked, data

DATA = data()
X = (DATA.X - DATA.X.mean(axis=0)) / DATA.X.std(axis=0) + 0.5
RNG = np.random.default_rng(2)
Y = X @ [1.0, -2.0, 0.5, 0.0, 3.0] + (1.0 + np.abs(X[:, 0])) * RNG.standard_t(3, len(X))


def theirs(model: Any, X: np.ndarray, y: np.ndarray, weight: np.ndarray | None = None) -> Any:
    shared = {name: getattr(model, name) for name in ("quantile", "alpha", "fit_intercept")}
    return sk.QuantileRegressor(**shared, solver="highs").fit(X, y, weight)


def objective(model: Any, X: np.ndarray, y: np.ndarray, weight: np.ndarray | None = None) -> float:
    z = X @ model.coef_ + model.intercept_
    loss = mean_pinball_loss(y, z, alpha=model.quantile, sample_weight=weight)
    return float(loss + model.alpha * np.abs(model.coef_).sum())


def assert_same_minimum(model: Any, other: Any, *data: Any) -> None:
    least = objective(other, *data)
    assert objective(model, *data) == pytest.approx(least, rel=1e-9, abs=1e-12)
    assert model.gap_ <= 1e-12
    assert model.gap_kind_ == "duality"


@pytest.fixture(params=["a program", "rows near the plane"])
def how(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """All rows in one linear program, or a sample, smoothed losses, and a program of 150 rows."""
    if request.param != "a program":
        monkeypatch.setattr(narrowing, "NEAR_ROWS", 150)
        monkeypatch.setattr(narrowing, "NEAR_A_PARAMETER", 1)
    name: str = request.param
    return name


@pytest.mark.thinned(5)
@pytest.mark.parametrize("weighted", [False, True], ids=["", "weighted"])
@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("alpha", [0.0, 0.05, 10.0])
@pytest.mark.parametrize("quantile", [0.0213, 0.4987, 0.8])
def test_scikit_learns(quantile: float, alpha: float, intercept: bool, weighted: bool, how: str) -> None:
    weight = DATA.weight if weighted else None
    model = QuantileRegressor(quantile=quantile, alpha=alpha, fit_intercept=intercept, tol=1e-12, verbose=0)
    model.fit(X, Y, weight)
    other = theirs(model, X, Y, weight)
    assert_same_minimum(model, other, X, Y, weight)
    if alpha < 1.0:
        assert_allclose(model.coef_, other.coef_, atol=1e-7)
        assert_allclose(model.intercept_, other.intercept_, atol=1e-7)
        assert model.score(X, Y) == pytest.approx(other.score(X, Y), abs=1e-7)


@pytest.mark.parametrize("quantile", [0.1, 0.5])
def test_statsmodels(quantile: float, how: str) -> None:
    model = QuantileRegressor(quantile=quantile, alpha=0.0, tol=1e-12, verbose=0).fit(X, Y)
    found = sm.QuantReg(Y, sm.add_constant(X)).fit(q=quantile, p_tol=1e-10, max_iter=10_000).params
    theirs = mean_pinball_loss(Y, sm.add_constant(X) @ found, alpha=quantile)
    assert objective(model, X, Y) <= theirs * (1.0 + 1e-12)
    assert objective(model, X, Y) == pytest.approx(theirs, rel=1e-6)
    assert_allclose(np.append(model.intercept_, model.coef_), found, atol=1e-2)  # its weights iterate


def test_chunks_on_every_backend(backend: str, how: str) -> None:
    pieces = 17
    model = QuantileRegressor(quantile=0.7, alpha=0.01, tol=1e-12, verbose=0)
    model.fit(*(chunked(part, pieces) for part in (X, Y, DATA.weight)))
    assert_same_minimum(model, theirs(model, X, Y, DATA.weight), X, Y, DATA.weight)
    assert (model.graph_ is None) == (backend == "threads")
    assert_allclose(model.predict(chunked(X, pieces)).compute(), model.predict(X), rtol=1e-12)


def test_the_backends_give_the_same_bits(client: Any) -> None:
    rng = np.random.default_rng(5)
    many = rng.standard_normal((20_000, 4))
    given = [
        da.from_array(part, chunks=(1500, *part.shape[1:]))
        for part in (many, many[:, 0] + rng.standard_cauchy(20_000))
    ]
    bits = []
    for where in ("threads", client):
        model = QuantileRegressor(alpha=0.0, scheduler=where, verbose=0).fit(*given)
        assert model.gap_kind_ == "duality"
        bits.append((model.coef_.tobytes(), model.intercept_.hex(), model.n_passes_))
    assert bits[0] == bits[1]


def test_many_rows_need_few_passes() -> None:
    rng = np.random.default_rng(0)
    many = rng.standard_normal((200_000, 10))
    y = many @ rng.standard_normal(10) + (1.0 + np.abs(many[:, 0])) * rng.standard_t(3, 200_000)
    given = [da.from_array(part, chunks=(20_000, *part.shape[1:])) for part in (many, y)]
    for quantile, alpha in ((0.5, 0.0), (0.95, 0.0), (0.3, 0.05)):
        model = QuantileRegressor(quantile=quantile, alpha=alpha, verbose=0).fit(*given)
        assert model.n_passes_ <= 5
        assert (model.gap_ < 1e-6, model.gap_kind_) == (True, "duality")
        model = QuantileRegressor(quantile=quantile, alpha=alpha, tol=1e-10, verbose=0).fit(*given)
        assert model.n_passes_ <= 6
        if alpha == 0.0:  # as many rows lie on the plane as there are parameters, and the rest is balanced
            left = y - model.predict(many)
            on = np.abs(left) < 1e-9
            assert on.sum() <= 11
            assert abs((left < -1e-9).sum() - quantile * len(y)) <= 11


def test_features_in_their_own_units(how: str) -> None:
    model = QuantileRegressor(quantile=0.4, alpha=0.0, tol=1e-12, verbose=0).fit(DATA.X, Y)
    assert_same_minimum(model, theirs(model, X, Y), scaled_units(model), Y)


def scaled_units(model: Any) -> np.ndarray:
    """The features, and a model of the scaled ones in their place: the minimum is the same."""
    scaled = model.coef_ * DATA.X.std(axis=0)
    model.intercept_ = model.intercept_ + model.coef_ @ DATA.X.mean(axis=0) - 0.5 * scaled.sum()
    model.coef_ = scaled
    return X


def test_rows_that_repeat_constant_columns_and_zero_weights(how: str) -> None:
    repeated = np.repeat(np.arange(len(X)), RNG.integers(0, 3, len(X)))
    counts = np.bincount(repeated, minlength=len(X)).astype(float)
    wide = np.column_stack([X, np.full(len(X), 3.0), X[:, 0], np.zeros(len(X))])
    options: dict[str, Any] = {"quantile": 0.6, "alpha": 0.02, "tol": 1e-12, "verbose": 0}
    model = QuantileRegressor(**options).fit(wide, Y, counts)
    again = QuantileRegressor(**options).fit(wide[repeated], Y[repeated])
    assert objective(model, wide, Y, counts) == pytest.approx(objective(again, wide, Y, counts), rel=1e-10)
    assert_same_minimum(model, theirs(model, wide, Y, counts), wide, Y, counts)


def test_targets_that_tie_are_solved_and_told_of(how: str) -> None:
    rng = np.random.default_rng(1)
    few = rng.integers(0, 2, (len(X), 3)).astype(float)
    y = np.round(few @ [1.0, 2.0, 3.0] + rng.integers(-1, 2, len(X)))
    model = QuantileRegressor(quantile=0.5, alpha=0.0, verbose=0)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        model.fit(few, y)
    assert objective(model, few, y) == pytest.approx(objective(theirs(model, few, y), few, y), rel=2e-6)
    assert model.gap_ < 1e-6
    if model.gap_kind_ == "estimate":
        assert [w.category for w in told] == [ConvergenceWarning]
        assert "too many rows lie on the fitted plane" in str(told[0].message)
    else:
        assert not told


def test_a_perfect_fit(how: str) -> None:
    exact = X @ [1.0, 2.0, 3.0, 4.0, 5.0] + 1.0
    model = QuantileRegressor(quantile=0.3, alpha=0.0, verbose=0).fit(X, exact)
    assert_allclose(model.coef_, [1.0, 2.0, 3.0, 4.0, 5.0], rtol=1e-12)
    assert model.gap_ < 1e-6


def test_a_constant_target_and_few_rows() -> None:
    model = QuantileRegressor(alpha=0.0, verbose=0).fit(X, np.full(len(X), 7.0))
    assert_allclose(model.predict(X), 7.0)
    for rows in (1, 2, 4):
        model = QuantileRegressor(alpha=0.0, verbose=0).fit(X[:rows], Y[:rows])
        assert_allclose(model.predict(X[:rows]), Y[:rows], rtol=1e-12)


def test_a_fit_that_may_not_read_often_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(narrowing, "SMALL_ELEMENTS", 0)
    rng = np.random.default_rng(0)
    many = rng.standard_normal((30_000, 3))
    y = many[:, 0] + rng.standard_normal(30_000)
    with pytest.warns(ConvergenceWarning, match="did not reach tol"):
        model = QuantileRegressor(alpha=0.0, max_iter=1, verbose=0).fit(many, y)
    assert model.n_passes_ == 1
    assert_allclose(model.coef_, [1.0, 0.0, 0.0], atol=0.1)


@pytest.mark.parametrize(
    ("parameters", "text"),
    [
        ({"quantile": 0.0}, "quantile must be a finite number > 0"),
        ({"quantile": 1.0}, "quantile=1.0: expected a number between 0 and 1"),
        ({"quantile": "median"}, "quantile must be a finite number"),
        ({"alpha": -1.0}, "alpha must be a finite number >= 0"),
        ({"solver": "interior-point"}, "solver='interior-point'.* is not supported: expected the default"),
        ({"solver_options": {}}, "solver_options={}.* is not supported"),
        ({"tol": -1.0}, "tol must be a finite number >= 0"),
        ({"max_iter": 0}, "max_iter must be a finite number >= 1"),
    ],
    ids=str,
)
def test_parameters_are_refused_in_words(parameters: dict[str, Any], text: str) -> None:
    with pytest.raises(UnsupportedParameter, match=text):
        QuantileRegressor(verbose=0, **parameters).fit(X, Y)
