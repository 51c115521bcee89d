"""The minimum of a quadratic with absolute values and bounds, to rounding."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.optimize import lsq_linear, nnls
from sklearn.linear_model import Lasso

from daskml_dist.solvers.box_lasso import BoxLasso

FREE = (-np.inf, np.inf)


def box(
    n: int, p: int, correlation: float, l1: float, bounds: tuple[float, float] = FREE
) -> tuple[BoxLasso, np.ndarray, np.ndarray, np.ndarray]:
    """The problem of n rows with autoregressive features; also X, y and the scale of the columns."""
    rng = np.random.default_rng(n + p)
    X = rng.standard_normal((n, p))
    for j in range(1, p):
        X[:, j] = correlation * X[:, j - 1] + np.sqrt(1.0 - correlation**2) * X[:, j]
    y = X[:, :4] @ [1.0, -2.0, 3.0, 0.5] + rng.standard_normal(n)
    scale = np.sqrt(np.square(X).mean(axis=0))
    G = X.T @ X / n / np.outer(scale, scale)
    np.fill_diagonal(G, 1.0)
    problem = BoxLasso(G, X.T @ y / n / scale, l1 / scale, *(np.full(p, bound) for bound in bounds))
    return problem, X, y, scale


def value(problem: BoxLasso, w: np.ndarray) -> float:
    return float(0.5 * w @ problem.G @ w - problem.r @ w + problem.l1 @ np.abs(w))


@pytest.mark.thinned(3)
@pytest.mark.parametrize("l1", [1e-4, 1e-2, 0.3, 2.0])
@pytest.mark.parametrize(("n", "p", "correlation"), [(300, 20, 0.5), (500, 60, 0.95), (1000, 80, 0.999)])
def test_the_lasso_of_scikit_learn(n: int, p: int, correlation: float, l1: float) -> None:
    problem, X, y, scale = box(n, p, correlation, l1)
    theirs = Lasso(alpha=l1, fit_intercept=False, tol=1e-14, max_iter=1_000_000).fit(X, y).coef_
    w = problem.minimum()
    assert_allclose(w / scale, theirs, rtol=1e-7, atol=1e-9)
    assert value(problem, w) <= value(problem, theirs * scale) + 1e-14


def test_more_features_than_rows() -> None:
    """The minimum need not be unique; its value is."""
    for l1 in (1e-3, 0.05):
        problem, X, y, scale = box(40, 150, 0.6, l1)
        theirs = Lasso(alpha=l1, fit_intercept=False, tol=1e-12, max_iter=1_000_000).fit(X, y).coef_
        w = problem.minimum()
        assert value(problem, w) <= value(problem, theirs * scale) + 1e-14
        assert np.abs(problem.subgradient(w)).max() < 1e-13


@pytest.mark.parametrize("correlation", [0.0, 0.9, 0.999])
def test_bounds(correlation: float) -> None:
    problem, X, y, scale = box(400, 30, correlation, 0.0, (-0.4, 0.7))
    theirs = lsq_linear(X / scale, y, (-0.4, 0.7), tol=1e-15, max_iter=1000)
    assert_allclose(problem.minimum(), theirs.x, atol=1e-8)
    problem, X, y, scale = box(400, 30, correlation, 0.0, (0.0, np.inf))
    assert_allclose(problem.minimum(), nnls(X / scale, y)[0], atol=1e-10)


def test_absolute_values_within_bounds() -> None:
    problem, X, y, scale = box(400, 30, 0.8, 0.05, (0.0, np.inf))
    theirs = (
        Lasso(alpha=0.05, positive=True, fit_intercept=False, tol=1e-14, max_iter=100_000).fit(X, y).coef_
    )
    assert_allclose(problem.minimum() / scale, theirs, atol=1e-10)


def test_any_start_ends_at_the_same_point() -> None:
    problem, *_ = box(400, 30, 0.9, 0.05)
    w = problem.minimum()
    for seed in range(5):
        start = 3.0 * np.random.default_rng(seed).standard_normal(30)
        assert_allclose(problem.minimum(start), w, atol=1e-13)
    assert_allclose(problem.minimum(w), w, atol=1e-15)


def test_the_subgradient_is_that_of_the_objective() -> None:
    """Where nothing is zero it is the gradient; at zero and at bounds it is the shortest, by directions."""
    problem, *_ = box(200, 6, 0.5, 0.3, (-1.0, 0.5))
    rng = np.random.default_rng(0)
    for w in (np.array([0.2, -0.3, 0.0, 0.5, -1.0, 0.1]), np.zeros(6), problem.minimum()):
        pull, h = problem.subgradient(w), 1e-7
        for j in range(6):
            ahead, behind = w.copy(), w.copy()
            ahead[j], behind[j] = w[j] + h, w[j] - h
            up = np.inf if ahead[j] > problem.upper[j] else (value(problem, ahead) - value(problem, w)) / h
            down = (
                np.inf if behind[j] < problem.lower[j] else (value(problem, behind) - value(problem, w)) / h
            )
            # the steepest descent along the coordinate, if there is one
            assert abs(pull[j]) == pytest.approx(max(-min(up, down), 0.0), abs=1e-5)
    assert np.abs(problem.subgradient(problem.minimum())).max() < 1e-14
    assert np.abs(problem.subgradient(problem.minimum() + 1e-3 * rng.standard_normal(6))).max() > 1e-5


def test_a_coefficient_without_a_column_stays_at_zero() -> None:
    problem = BoxLasso(
        np.eye(3), np.array([1.0, 0.0, -2.0]), np.full(3, 0.5), np.full(3, -np.inf), np.full(3, np.inf)
    )
    assert_allclose(problem.minimum(), [0.5, 0.0, -1.5])
