"""Least squares: exact rational minima, NumPy's least norm, and which equations are solved when."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from numpy.testing import assert_allclose

from daskml_dist.kernels import Point
from daskml_dist.losses import Squared
from daskml_dist.penalties import L2, Penalty, Unpenalised
from daskml_dist.solvers import LeastSquares, Problem, least_squares
from daskml_dist.solvers.triangular import solve_factor
from daskml_dist.types import Chunk, FloatArray
from tests.solvers.problems import Talk, hold

MOMENTS = ["Glimpse", "Moments"]
REFINED = ["Glimpse", "Moments", "Sweep"]
FACTOR = ["Glimpse", "Moments", "TSQR"]
SMALL = ["Glimpse", "TSQR"]


def solve(
    X: FloatArray,
    y: FloatArray,
    penalty: Penalty | None = None,
    *,
    weight: FloatArray | None = None,
    offset: FloatArray | None = None,
    intercept: bool = True,
    max_passes: int = 100,
) -> Talk:
    """The whole conversation, over five chunks."""
    s = np.ones(len(y)) if weight is None else weight
    residual = y if offset is None else (y.T - offset).T
    problem = Problem(
        loss=Squared(),
        penalty=penalty or Unpenalised(),
        intercept=intercept,
        rows=len(y),
        features=X.shape[1],
        targets=1 if y.ndim == 1 else y.shape[1],
        weight_sum=float(s.sum()),
        events=0,
        mean=np.atleast_1d(s @ residual / s.sum()),
        max_passes=max_passes,
    )

    def cut(part: FloatArray | None, where: slice) -> FloatArray | None:
        return None if part is None else part[where]

    edges = np.linspace(0, len(y), 6).astype(int)
    chunks = [
        Chunk(i, X[a:b], y[a:b], cut(weight, slice(a, b)), cut(offset, slice(a, b)))
        for i, (a, b) in enumerate(zip(edges[:-1], edges[1:], strict=True))
    ]
    return hold(LeastSquares().solve(problem), chunks)


# ---------------------------------------------------------------------------- exact arithmetic


def exact_minimum(X: FloatArray, y: FloatArray, ridge: float = 0.0) -> list[Fraction]:
    """(w, b) of the minimum with an intercept, by elimination in fractions."""
    rows = [[*map(Fraction, row), Fraction(1)] for row in X.tolist()]
    target = [Fraction(v) for v in y.tolist()]
    q, n = len(rows[0]), len(rows)
    A = [[sum((r[i] * r[j] for r in rows), Fraction(0)) for j in range(q)] for i in range(q)]
    for i in range(q - 1):
        A[i][i] += n * Fraction(ridge)
    c = [sum((r[i] * t for r, t in zip(rows, target, strict=True)), Fraction(0)) for i in range(q)]
    for k in range(q):
        for i in range(k + 1, q):
            factor = A[i][k] / A[k][k]
            A[i] = [a - factor * b for a, b in zip(A[i], A[k], strict=True)]
            c[i] -= factor * c[k]
    theta = [Fraction(0)] * q
    for k in reversed(range(q)):
        theta[k] = (c[k] - sum((A[k][j] * theta[j] for j in range(k + 1, q)), Fraction(0))) / A[k][k]
    return theta


def exact_excess(X: FloatArray, y: FloatArray, at: Point, ridge: float = 0.0) -> float:
    """(F - min F) / min F without any rounding."""

    def objective(theta: list[Fraction]) -> Fraction:
        total = Fraction(0)
        for row, target in zip(X.tolist(), y.tolist(), strict=True):
            z = sum((Fraction(x) * w for x, w in zip(row, theta[:-1], strict=True)), theta[-1])
            total += (Fraction(target) - z) ** 2
        return total / (2 * len(y)) + Fraction(ridge) / 2 * sum((w * w for w in theta[:-1]), Fraction(0))

    w = [Fraction(v) for v in at.w[0].tolist()]
    shift = sum((Fraction(c) * v for c, v in zip(at.centre.tolist(), w, strict=True)), Fraction(0))
    best = objective(exact_minimum(X, y, ridge))
    return float((objective([*w, Fraction(float(at.b[0])) - shift]) - best) / best)


def nearly_collinear(delta: float, n: int = 120, seed: int = 0) -> tuple[FloatArray, FloatArray]:
    """Two of four columns differ by delta; the reciprocal condition of their product is about delta^2 / 4."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, 4)) + 5.0
    X[:, 3] = X[:, 2] + delta * rng.standard_normal(n)
    return X, X @ [1.0, -2.0, 0.5, 0.5] + rng.standard_normal(n)


@pytest.fixture
def large(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small data are treated as large ones are."""
    monkeypatch.setattr(least_squares, "SMALL_ELEMENTS", 0)


@pytest.mark.usefixtures("large")
@pytest.mark.parametrize(
    ("delta", "asked"),
    [(1.0, MOMENTS), (1e-3, MOMENTS), (1e-5, MOMENTS), (4e-7, REFINED), (2e-8, FACTOR), (1e-9, FACTOR)],
)
def test_the_equations_fit_the_conditioning(delta: float, asked: list[str]) -> None:
    X, y = nearly_collinear(delta)
    talk = solve(X, y)
    assert talk.names == asked or (asked == REFINED and talk.names == [*REFINED, "Sweep"])
    check_exact(X, y, talk)


@pytest.mark.usefixtures("large")
@pytest.mark.parametrize("delta", [1.0, 1e-4, 4e-7, 1e-9])
def test_a_single_pass_is_one_that_needs_no_second(delta: float) -> None:
    X, y = nearly_collinear(delta)
    talk = solve(X, y, max_passes=1)
    assert talk.names == SMALL and talk.solution.state.passes == 1
    check_exact(X, y, talk)


@pytest.mark.parametrize("delta", [1.0, 1e-4, 4e-7, 1e-9])
def test_small_data_are_factorised(delta: float) -> None:
    X, y = nearly_collinear(delta)
    talk = solve(X, y)
    assert talk.names == SMALL and talk.solution.state.passes == 1
    check_exact(X, y, talk)


@pytest.mark.usefixtures("large")
@pytest.mark.parametrize("seed", range(8))
def test_any_conditioning_in_between(seed: int) -> None:
    for delta in np.logspace(-9, -4, 6) * (1.0 + seed / 8):
        X, y = nearly_collinear(float(delta), seed=seed)
        check_exact(X, y, solve(X, y))


@pytest.mark.usefixtures("large")
@pytest.mark.parametrize("ridge", [1e-12, 1e-6, 1.0])
@pytest.mark.parametrize("delta", [1.0, 4e-7, 1e-10])
def test_ridge(delta: float, ridge: float) -> None:
    X, y = nearly_collinear(delta)
    check_exact(X, y, solve(X, y, L2(ridge)), ridge)


def check_exact(X: FloatArray, y: FloatArray, talk: Talk, ridge: float = 0.0) -> None:
    """The excess is below 1e-12; so is what the gap, which counts no rounding of the matrix, leaves out."""
    excess, progress = exact_excess(X, y, talk.point, ridge), talk.solution.state.progress
    assert progress is not None and progress.gap_kind == "closed-form"
    assert 0.0 <= excess < 1e-12
    assert excess <= progress.gap + 1e-12
    assert talk.solution.converged


@pytest.mark.usefixtures("large")
@pytest.mark.parametrize("mean", [0.0, 1e3, 1e6, 1e9])
def test_a_mean_far_from_zero_costs_nothing(mean: float) -> None:
    rng = np.random.default_rng(1)
    X = rng.standard_normal((100, 3)) + mean
    y = (X - mean) @ [1.0, 2.0, 3.0] + rng.standard_normal(100) + mean
    talk = solve(X, y)
    assert talk.names == MOMENTS
    assert exact_excess(X, y, talk.point) < 1e-12


def test_the_objective_is_the_one_at_the_point() -> None:
    X, y = nearly_collinear(1.0)
    talk = solve(X, y, L2(0.1))
    z = X @ talk.point.w[0] + talk.point.raw_intercept[0]
    expected = np.mean(np.square(y - z)) / 2 + 0.05 * np.sum(np.square(talk.point.w))
    assert talk.solution.state.progress is not None
    assert_allclose(talk.solution.state.progress.objective, expected, rtol=1e-12)


# --------------------------------------------------------------------------- somebody else's


def lstsq(X: FloatArray, y: FloatArray, s: FloatArray | None = None) -> FloatArray:
    """(p,) or (p, t) of NumPy, of least norm, for centred data."""
    s = np.ones(len(y)) if s is None else s
    root = np.sqrt(s)[:, None]
    Y = y.reshape(len(y), -1)
    w = np.linalg.lstsq(root * (X - s @ X / s.sum()), root * (Y - s @ Y / s.sum()))[0]
    return np.asarray(w.reshape(X.shape[1], *y.shape[1:]))


def deficient() -> dict[str, FloatArray]:
    rng = np.random.default_rng(4)
    X = rng.standard_normal((80, 5))
    units = np.array([1e-3, 1.0, 1e3, 1.0, 1.0])
    constant = np.column_stack([X[:, :3], np.full(80, 7.0)])
    return {
        "a column twice": np.column_stack([X, X[:, 1]]),
        "a column twice in other units": np.column_stack([X, 1000.0 * X[:, 1]]),
        "a sum of columns": np.column_stack([X, X[:, 0] + 2 * X[:, 1]]) * np.append(units, 10.0),
        "a constant column": constant,
        "a column of zeros": np.column_stack([X, np.zeros(80)]),
        "one-hot": np.eye(4)[rng.integers(0, 4, 80)],
        "more columns than rows": rng.standard_normal((15, 40)),
    }


@pytest.mark.parametrize("size", ["small", "large"])
@pytest.mark.parametrize("X", deficient().values(), ids=deficient())
def test_a_deficient_problem_has_the_solution_of_least_norm(
    X: FloatArray, size: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if size == "large":
        monkeypatch.setattr(least_squares, "SMALL_ELEMENTS", 0)
    y = np.random.default_rng(5).standard_normal(len(X))
    talk = solve(X, y)
    w = lstsq(X, y)
    assert_allclose(talk.point.w[0], w, rtol=1e-8, atol=1e-10 * np.abs(w).max())
    assert_allclose(talk.point.raw_intercept[0], y.mean() - X.mean(axis=0) @ w, rtol=1e-7, atol=1e-10)


@pytest.mark.parametrize("size", ["small", "large"])
@pytest.mark.parametrize("intercept", [True, False])
def test_weights_offsets_and_several_targets(
    size: str, intercept: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if size == "large":
        monkeypatch.setattr(least_squares, "SMALL_ELEMENTS", 0)
    rng = np.random.default_rng(6)
    X, Y = rng.standard_normal((90, 4)) + 2.0, rng.standard_normal((90, 3)) + [1.0, 0.0, 100.0]
    s, offset = rng.integers(0, 4, 90).astype(float), rng.standard_normal(90)
    talk = solve(X, Y, weight=s, offset=offset, intercept=intercept)
    target = Y - offset[:, None]
    root = np.sqrt(s)[:, None]
    expected = lstsq(X, target, s) if intercept else np.linalg.lstsq(root * X, root * target)[0]
    assert_allclose(talk.point.w.T, expected, rtol=1e-10)
    if not intercept:
        assert not talk.point.raw_intercept.any()


@pytest.mark.parametrize("size", ["small", "large"])
def test_a_penalty_for_each_target(size: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if size == "large":
        monkeypatch.setattr(least_squares, "SMALL_ELEMENTS", 0)
    rng = np.random.default_rng(7)
    X, Y = rng.standard_normal((60, 4)), rng.standard_normal((60, 3))
    together = solve(X, Y, L2(np.array([0.1, 1.0, 10.0])))
    for t, alpha in enumerate((0.1, 1.0, 10.0)):
        assert_allclose(together.point.w[t], solve(X, Y[:, t], L2(alpha)).point.w[0], rtol=1e-12)


@pytest.mark.usefixtures("large")
def test_several_targets_that_need_refinement() -> None:
    X, y = nearly_collinear(4e-7)
    Y = np.column_stack([y, X[:, 0] + np.random.default_rng(3).standard_normal(len(y))])
    talk = solve(X, Y)
    for t in range(2):
        one = replace(talk.point, w=talk.point.w[t : t + 1], b=talk.point.b[t : t + 1])
        assert exact_excess(X, Y[:, t], one) < 1e-12


def test_a_perfect_fit() -> None:
    X = np.random.default_rng(8).standard_normal((50, 3))
    talk = solve(X, X @ [1.0, 2.0, 3.0] + 4.0)
    assert_allclose(talk.point.w[0], [1.0, 2.0, 3.0], rtol=1e-13)
    assert talk.solution.converged
    assert talk.solution.state.progress is not None and talk.solution.state.progress.gap < 1e-12


# -------------------------------------------------------------------------- triangular factors


def test_a_factor_is_solved_as_the_rows_are() -> None:
    rng = np.random.default_rng(9)
    A, c = rng.standard_normal((30, 5)) * np.logspace(-5, 5, 5), rng.standard_normal((30, 2))
    Q, R = np.linalg.qr(np.column_stack([A, c]))
    w, left = solve_factor(R[:, :5], R[:, 5:], np.zeros(5))
    expected, residual, _, _ = np.linalg.lstsq(A, c)
    assert_allclose(w, expected, rtol=1e-7)
    assert_allclose(left, residual, rtol=1e-12)
    ridge = np.array([0.0, 1.0, 2.0, 3.0, 4.0])
    w, left = solve_factor(R[:, :5], R[:, 5:], ridge)
    tall, c = np.concatenate([A, np.diag(np.sqrt(ridge))]), np.concatenate([c, np.zeros((5, 2))])
    assert_allclose(w, np.linalg.lstsq(tall, c)[0], rtol=1e-7)


# ----------------------------------------------------------------------------------- the lies


@pytest.mark.usefixtures("large")
@pytest.mark.parametrize(
    "change",
    [
        lambda at: replace(at, w=at.w * (1 + 1e-5)),
        lambda at: replace(at, b=at.b + 1e-4),
        lambda at: replace(at, centre=at.centre + 1e-4),
    ],
    ids=["coefficients", "intercept", "centre"],
)
def test_a_wrong_digit_is_seen(change: Callable[[Point], Point]) -> None:
    X, y = nearly_collinear(1e-3)
    talk = solve(X, y)
    state = replace(talk.solution.state, point=change(talk.point))
    with pytest.raises(AssertionError):
        check_exact(X, y, Talk(talk.turns, replace(talk.solution, state=state)))


@pytest.mark.usefixtures("large")
def test_normal_equations_alone_would_be_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(least_squares, "WELL_CONDITIONED", 0.0)
    with pytest.raises(AssertionError):
        for seed in range(10):
            X, y = nearly_collinear(3e-8, seed=seed)
            check_exact(X, y, solve(X, y))
