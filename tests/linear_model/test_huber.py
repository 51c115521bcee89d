"""Huber regression: the optimum in coefficients and scale, on every cut and both backends."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn import linear_model as sk

from daskml_dist.errors import UnsupportedParameter
from daskml_dist.linear_model import HuberRegressor
from tests.linear_model.problems import chunked, data

DATA = data()
X = (DATA.X - DATA.X.mean(axis=0)) / DATA.X.std(axis=0) + 0.5
RNG = np.random.default_rng(4)
Y = DATA.reals + 20.0 * RNG.standard_t(1.5, len(X))
TIGHT: dict[str, Any] = {"tol": 1e-14, "verbose": 0}


def slopes(model: Any, X: np.ndarray, y: np.ndarray, weight: np.ndarray | None) -> np.ndarray:
    """The gradient of the mean objective in coefficients, intercept and scale, in extended precision."""
    s = np.ones(len(y), np.longdouble) if weight is None else weight.astype(np.longdouble)
    A = np.column_stack([X, np.ones(len(X))]).astype(np.longdouble)
    c = np.longdouble(model.scale_)
    u = (y - A @ np.append(model.coef_, model.intercept_)) / c
    bent = np.clip(u, -model.epsilon, model.epsilon)
    by_margin = A.T @ (s * -2 * bent) / s.sum()
    by_margin[:-1] += 2 * model.alpha * model.coef_ / s.sum()
    by_scale = (s * (1 - bent**2)).sum() / s.sum()
    return np.append(by_margin if model.fit_intercept else by_margin[:-1], by_scale).astype(float)


@pytest.mark.thinned(2)
@pytest.mark.parametrize("weighted", [False, True], ids=["", "weighted"])
@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("alpha", [0.0, 1e-4, 50.0])
@pytest.mark.parametrize("epsilon", [1.1, 1.35, 5.0])
def test_the_optimum(epsilon: float, alpha: float, intercept: bool, weighted: bool) -> None:
    weight = DATA.weight if weighted else None
    options: dict[str, Any] = {"epsilon": epsilon, "alpha": alpha, "fit_intercept": intercept}
    model = HuberRegressor(**options, **TIGHT).fit(X, Y, weight)
    assert np.abs(slopes(model, X, Y, weight)).max() < 5e-7
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        other = sk.HuberRegressor(**options, tol=1e-12, max_iter=100_000).fit(X, Y, weight)
    # its L-BFGS ends at gradients of 1e-5
    assert_allclose(np.append(model.coef_, model.scale_), np.append(other.coef_, other.scale_), rtol=1e-2)
    assert np.mean(model.outliers_ == other.outliers_) > 0.995
    assert model.score(X, Y) == pytest.approx(other.score(X, Y), abs=1e-4)


def test_rows_in_chunks_are_not_marked_as_outliers(client: Any) -> None:
    model = HuberRegressor(**TIGHT).fit(*(chunked(part, 17) for part in (X, Y, DATA.weight)))
    assert np.abs(slopes(model, X, Y, DATA.weight)).max() < 5e-7
    assert model.graph_ is not None
    assert "outliers_" not in vars(model)


def test_raw_features() -> None:
    model = HuberRegressor(alpha=0.0, **TIGHT).fit(DATA.X, Y)
    scaled = HuberRegressor(alpha=0.0, **TIGHT).fit(X, Y)
    assert_allclose(model.coef_ * DATA.X.std(axis=0), scaled.coef_, rtol=1e-6)
    assert model.scale_ == pytest.approx(scaled.scale_, rel=1e-8)


def test_few_passes() -> None:
    rng = np.random.default_rng(0)
    wide = rng.standard_normal((30_000, 30))
    y = wide @ rng.standard_normal(30) + rng.standard_t(2, 30_000)
    model = HuberRegressor(verbose=0).fit(wide, y)
    assert model.n_passes_ <= 4
    assert model.gap_ < 1e-6


def test_a_warm_start_takes_the_scale_along() -> None:
    model = HuberRegressor(warm_start=True, verbose=0, tol=1e-10).fit(X, Y)
    first = model.n_passes_, model.scale_
    model.fit(X, Y)
    assert model.n_passes_ <= first[0]
    assert model.scale_ == pytest.approx(first[1], rel=1e-6)


def test_a_fit_goes_on_from_a_checkpoint(tmp_path: Any) -> None:
    whole = HuberRegressor(**TIGHT).fit(X, Y)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        HuberRegressor(checkpoint=str(tmp_path), max_iter=1, **TIGHT).fit(X, Y)
    again = HuberRegressor(checkpoint=str(tmp_path), **TIGHT).fit(X, Y)
    assert_allclose(again.coef_, whole.coef_, rtol=1e-7)
    assert again.scale_ == pytest.approx(whole.scale_, rel=1e-7)


def objective(model: Any, X: np.ndarray, y: np.ndarray) -> float:
    u = np.abs(y - model.predict(X)) / model.scale_
    h = np.where(u < model.epsilon, u**2, 2 * model.epsilon * u - model.epsilon**2)
    return float(model.scale_ * np.sum(1.0 + h) + model.alpha * np.sum(model.coef_**2))


WIDE = np.random.default_rng(5).standard_normal((50, 5))
EXACT = WIDE @ [1.0, -2.0, 0.5, 3.0, 0.0]
DEGENERATE: dict[str, tuple[np.ndarray, np.ndarray]] = {
    "perfect": (WIDE, EXACT),
    "perfect but for one row": (WIDE, EXACT + 100.0 * (np.arange(50) == 3)),
    "perfect but for a third": (WIDE, EXACT + np.where(np.arange(50) % 3, 0.0, 100.0 * WIDE[:, 0] + 1.0)),
    "fewer rows than features": (WIDE[:4], EXACT[:4]),
    "one row": (WIDE[:1], EXACT[:1]),
    "constant": (WIDE, np.full(50, 3.0)),
    "zero": (WIDE, np.zeros(50)),
    "few values": (np.round(WIDE[:, :2]), np.round(WIDE[:, 2])),
    "large and far away": (1e6 * WIDE + 1e9, 1e8 * EXACT),
}


@pytest.mark.thinned(3)
@pytest.mark.parametrize("alpha", [0.0, 1e-4])
@pytest.mark.parametrize("name", DEGENERATE)
def test_near_a_perfect_fit(name: str, alpha: float) -> None:
    """Where the scale goes to zero and F has kinks: no worse than scikit-learn's, and without a warning."""
    X, y = DEGENERATE[name]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = HuberRegressor(alpha=alpha, verbose=0).fit(X, y)
    assert model.n_passes_ <= 5
    assert model.scale_ > 0.0
    null = len(y) * (y.std() or 1.0)
    assert objective(model, X, y) <= least(X, y, alpha) + 1e-9 * null


def least(X: np.ndarray, y: np.ndarray, alpha: float) -> float:
    """scikit-learn's objective; where its solver gives up, that of an exact fit, whose scale goes to zero."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            other = sk.HuberRegressor(alpha=alpha, tol=1e-10, max_iter=10_000).fit(X, y)
        return objective(other, X, y)
    except ValueError:
        exact = sk.LinearRegression().fit(X, y)
        assert exact.score(X, y) > 1.0 - 1e-12
        return alpha * float(np.sum(exact.coef_**2))


@pytest.mark.parametrize("epsilon", [1.0, -1.0, np.inf, np.nan])
def test_an_epsilon_that_makes_no_loss(epsilon: float) -> None:
    with pytest.raises(UnsupportedParameter, match="above 1"):
        HuberRegressor(epsilon=epsilon, verbose=0).fit(X, Y)
