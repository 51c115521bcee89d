"""Moments, factors and Newton's method in many cells are what NumPy, SciPy and scikit-learn find in each."""

from __future__ import annotations

from functools import reduce
from typing import Any

import numpy as np
import pytest
import sklearn.linear_model as sk
from scipy.optimize import minimize

from daskml_dist import cells
from daskml_dist.cells.curved import self_concordant
from daskml_dist.cells.solving import cholesky, half_solve, solve_cholesky
from daskml_dist.errors import InvalidData, NonFiniteData
from daskml_dist.losses import Gamma, Logistic, Loss, Poisson
from daskml_dist.solvers.certificate import self_concordance
from daskml_dist.types import AnyArray

T, C, P = 50, 7, 3
RNG = np.random.default_rng(11)
SHARED = 50.0 + RNG.normal(size=(P, T))
OWN = 50.0 + RNG.normal(size=(P, T, C))
EVEN = RNG.random(T) + 0.1
UNEVEN = RNG.random((T, C)) + 0.1
CUTS = [(0, T), (0, 20, T), (0, 1, 2, 33, T)]


def target(*, gaps: bool) -> AnyArray:
    y = 1e3 + np.random.default_rng(12).normal(size=(T, C))
    if gaps:
        y[np.random.default_rng(13).random((T, C)) < 0.3] = np.nan
        y[:, 2] = np.nan  # a cell without any sample
        y[1:, 3] = np.nan  # a cell with one
    return y


def expected(x: AnyArray, y: AnyArray, weight: AnyArray | None, centre: bool, alpha: float = 0.0) -> AnyArray:
    """(p + 1, C) by scikit-learn, cell after cell."""
    found = np.full((P + 1, C), np.nan)
    for c in range(C):
        own = (x if x.ndim == 2 else x[:, :, c]).T
        there = ~np.isnan(y[:, c]) & ~np.isnan(own).any(axis=1)
        w = None if weight is None else (weight if weight.ndim == 1 else weight[:, c])[there]
        if there.any():
            model: Any = sk.Ridge(alpha=alpha, fit_intercept=centre, solver="svd", tol=1e-14)
            model.fit(own[there], y[there, c], w)
            found[:P, c], found[P, c] = model.coef_, model.intercept_
    return found


def blocks(
    cut: tuple[int, ...], x: AnyArray, y: AnyArray, weight: Any, make: Any, **settings: Any
) -> list[Any]:
    return [
        make(x[:, a:b], y[a:b], None if weight is None else weight[a:b], **settings)
        for a, b in zip(cut[:-1], cut[1:], strict=True)
    ]


@pytest.mark.parametrize("cut", CUTS)
@pytest.mark.parametrize("weight", [None, EVEN, UNEVEN], ids=["plain", "even", "uneven"])
@pytest.mark.parametrize("x", [SHARED, OWN], ids=["shared", "own"])
@pytest.mark.parametrize("gaps", [False, True])
@pytest.mark.parametrize("centre", [False, True])
def test_least_squares(cut: Any, weight: Any, x: AnyArray, gaps: bool, centre: bool) -> None:
    y = target(gaps=gaps)
    alpha = 0.7
    truth = expected(x, y, weight, centre, alpha)
    moments = reduce(cells.join_moments, blocks(cut, x, y, weight, cells.moments_of, centre=centre))
    solved = cells.solve_moments(moments, alpha * np.eye(P))
    sure = ~solved.doubtful
    np.testing.assert_allclose(solved.w[:, sure], truth[:P, sure], rtol=1e-7, atol=1e-9)
    factors = reduce(cells.join_factors, blocks(cut, x, y, weight, cells.factors_of, centre=centre))
    exact = cells.solve_factors(factors, alpha)
    np.testing.assert_allclose(exact.w, truth[:P], rtol=1e-7, atol=1e-9)
    if centre:
        np.testing.assert_allclose(exact.b, truth[P], rtol=1e-9)
        np.testing.assert_allclose(solved.b[sure], truth[P, sure], rtol=1e-9)
    there = np.count_nonzero(~np.isnan(y), axis=0)
    np.testing.assert_array_equal(exact.used, there)
    np.testing.assert_array_equal(solved.used, there)


def test_a_lie_is_found_out() -> None:
    y = target(gaps=False)
    wrong = y.copy()
    wrong[0, 0] += 1.0
    honest = cells.solve_moments(cells.moments_of(OWN, y, None, centre=True), np.zeros((P, P)))
    told = cells.solve_moments(cells.moments_of(OWN, wrong, None, centre=True), np.zeros((P, P)))
    assert np.abs(honest.w - told.w)[:, 0].max() > 1e-4
    np.testing.assert_array_equal(honest.w[:, 1:], told.w[:, 1:])


def test_cells_that_lack_digits_are_doubtful() -> None:
    x = OWN.copy()
    x[1, :, 4] = x[0, :, 4] + 1e-5 * np.random.default_rng(2).normal(size=T)
    x[2, :, 5] = 3.3
    y = target(gaps=False)
    solved = cells.solve_moments(cells.moments_of(x, y, None, centre=True), np.zeros((P, P)))
    assert np.flatnonzero(solved.doubtful).tolist() == [4, 5]
    exact = cells.solve_factors(cells.factors_of(x, y, None, centre=True), 0.0)
    centred = x[:, :, 4].T - x[:, :, 4].mean(axis=1)
    truth = np.linalg.lstsq(centred, y[:, 4] - y[:, 4].mean(), rcond=None)[0]
    np.testing.assert_allclose(exact.w[:, 4], truth, rtol=1e-6)
    assert exact.w[2, 5] == 0.0


def test_whitening() -> None:
    years = 1860.0 + np.arange(T)
    x = np.stack([years, years**2, 2.0 * years])
    whitening = cells.whitening_of(cells.factors_of(x, np.zeros((T, 1)), None, centre=True))
    turned = whitening.of(x)
    assert turned.shape == (2, T)  # the third feature is the first
    np.testing.assert_allclose(turned @ turned.T, np.eye(2), atol=1e-6)
    w, b = whitening.back(np.array([[1.0], [2.0]]), np.zeros(1))
    np.testing.assert_allclose(x.T @ w[:, 0] + b, turned.T @ [1.0, 2.0], atol=1e-6)
    np.testing.assert_allclose(w[2], 2.0 * w[0], rtol=1e-6)  # the least norm shares it out


def test_cholesky_of_many() -> None:
    a = RNG.normal(size=(4, 4, 9))
    matrix = np.einsum("ikc,jkc->ijc", a, a)
    right = RNG.normal(size=(4, 9))
    factor, sound = cholesky(matrix, 1e-12)
    assert sound.all()
    found, half = solve_cholesky(factor, right), half_solve(factor, right)
    for c in range(9):
        np.testing.assert_allclose(found[:, c], np.linalg.solve(matrix[:, :, c], right[:, c]), rtol=1e-6)
        np.testing.assert_allclose(half[:, c] @ half[:, c], right[:, c] @ found[:, c], rtol=1e-6)
    matrix[3] = matrix[2]
    matrix[:, 3] = matrix[:, 2]
    assert not cholesky(matrix, 1e-12)[1].any()


def test_missing_and_infinite_values() -> None:
    y = target(gaps=False)
    y[3, 3] = np.nan
    for make in (cells.moments_of, cells.factors_of):
        for x in (SHARED, OWN):
            with pytest.raises(cells.Incomplete):
                make(x, y, None, centre=True, complete=True)
    y[3, 3] = np.inf
    for x in (SHARED, OWN):
        with pytest.raises(NonFiniteData, match="infinity"):
            cells.moments_of(x, y, None, centre=True)


LOSSES = [(Logistic(), "labels"), (Poisson(), "rates"), (Gamma(), "rates")]


def curved_target(kind: str, *, gaps: bool) -> AnyArray:
    z = 0.7 * (OWN[0] - 50.0) + np.random.default_rng(3).normal(size=(T, C))
    y = (z > 0.0).astype(np.float64) if kind == "labels" else np.exp(0.5 * z)
    return np.where(np.isnan(target(gaps=gaps)) & (np.arange(C) != 3), np.nan, y)


def fitted(
    x: AnyArray, y: AnyArray, loss: Loss, weight: Any = None, offset: Any = None, **settings: Any
) -> Any:
    asked: dict[str, Any] = {"intercept": True, "tol": 1e-8, "max_steps": 60, **settings}
    return cells.newton(x, y, weight, offset, loss=loss, alpha=lambda total: 2.0 / total, **asked)


@pytest.mark.parametrize(("loss", "kind"), LOSSES)
@pytest.mark.parametrize("x", [SHARED, OWN], ids=["shared", "own"])
@pytest.mark.parametrize("intercept", [False, True])
def test_newton_finds_the_minimum(loss: Loss, kind: str, x: AnyArray, intercept: bool) -> None:
    y = curved_target(kind, gaps=True)
    x = x - 50.0
    offset = 0.1 * RNG.normal(size=(T, C))
    found = fitted(x, y, loss, UNEVEN, offset, intercept=intercept)
    assert (found.gap[~np.isnan(found.b)] <= 1e-8).all()
    for c in (0, 1, 4):
        there = ~np.isnan(y[:, c])
        rows = (x if x.ndim == 2 else x[:, :, c])[:, there].T
        w, labels, shift = UNEVEN[there, c], y[there, c], offset[there, c]

        def objective(
            theta: AnyArray, rows: Any = rows, w: Any = w, labels: Any = labels, shift: Any = shift
        ) -> float:
            z = rows @ theta[:P] + (theta[P] if intercept else 0.0) + shift
            return float(w @ loss.value(labels, z) + theta[:P] @ theta[:P])

        best = minimize(objective, np.zeros(P + 1), method="BFGS", options={"gtol": 1e-9})
        mine = np.append(found.w[:, c], found.b[c])
        assert objective(mine) <= best.fun * (1.0 + 1e-10)
        np.testing.assert_allclose(mine[: P + intercept], best.x[: P + intercept], atol=2e-5)


@pytest.mark.parametrize(("loss", "kind"), LOSSES)
def test_a_gap_is_no_smaller_than_the_truth(loss: Loss, kind: str) -> None:
    y, x = curved_target(kind, gaps=False), OWN - 50.0
    best = fitted(x, y, loss)

    def objective(model: Any) -> AnyArray:
        z = np.einsum("ptc,pc->tc", x, model.w) + model.b
        return np.asarray(loss.value(y, z).mean(axis=0) + np.square(model.w).sum(axis=0) / T)

    for steps in range(1, 6):
        early = fitted(x, y, loss, max_steps=steps)
        true = (objective(early) - objective(best)) / np.maximum(objective(early), 1e-12)
        claimed = np.where(early.proven, early.gap, np.inf)
        assert (true <= claimed + 1e-12).all()
    assert best.proven.all() == (loss.self_concordance is not None)


def test_bounds_are_those_of_the_certificate() -> None:
    decrement = np.array([0.0, 1e-9, 1e-4, 0.1, 0.3, 2.0])
    radius = np.array([1.0, 2.0, 1.0, 3.0, 1.0, 1.0])
    truth = [self_concordance(*pair) for pair in zip(decrement, radius, strict=True)]
    np.testing.assert_allclose(self_concordant(decrement, radius), truth, rtol=1e-6)
    assert self_concordant(np.array([0.3]), np.array([0.0])) == pytest.approx(0.045)


def test_cells_without_a_finite_model() -> None:
    y = curved_target("labels", gaps=False)
    y[:, 1] = 1.0
    y[:, 2] = np.nan
    found = fitted(OWN - 50.0, y, Logistic())
    assert np.isnan(found.b).tolist() == [False, True, True, False, False, False, False]
    assert found.used.tolist() == [T, T, 0, T, T, T, T]


def test_targets_outside_the_domain() -> None:
    y = curved_target("rates", gaps=True)
    y[4, 4] = -1.0
    with pytest.raises(InvalidData, match="never negative"):
        fitted(OWN, y, Poisson())
    with pytest.raises(cells.Incomplete):
        fitted(OWN, y, Poisson(), complete=True)
    y[4, 4] = np.inf
    with pytest.raises(NonFiniteData, match="infinity"):
        fitted(OWN, y, Poisson())
