"""Steps that are accepted or shortened, and the metric that learns from pairs."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from daskml_dist.solvers.line_search import OnLine, acceptable, shorter
from daskml_dist.solvers.metric import Metric
from daskml_dist.types import FloatArray

# --------------------------------------------------------------------------------- line search

START = OnLine(0.0, 10.0, -4.0)


@pytest.mark.parametrize(
    ("here", "expected"),
    [
        (OnLine(1.0, 8.0, 0.0), True),
        (OnLine(1.0, 10.0 - 4.0e-4, 0.0), True),  # Armijo, exactly
        (OnLine(1.0, 9.9999, 5.0), False),
        (OnLine(1.0, 11.0, 5.0), False),
        (OnLine(1.0, 10.0 + 1e-10, 3.0), True),  # the values tell nothing, the slopes do
        (OnLine(1.0, 10.0 + 1e-10, 3.3), False),
        (OnLine(1.0, 10.0 + 2e-9, 3.0), False),
        (OnLine(1.0, np.inf, 1.0), False),
        (OnLine(1.0, 5.0, np.nan), False),
        (OnLine(1.0, np.nan, -1.0), False),
    ],
)
def test_acceptable(here: OnLine, expected: bool) -> None:
    assert acceptable(START, here) is expected


def test_a_shorter_step_is_the_best_trial_that_is_better_than_the_start() -> None:
    here = OnLine(1.0, 20.0, 50.0)
    assert shorter(START, here, {0.25: 9.0, 0.5: 9.5, 2.0: 1.0}) == 0.25
    assert shorter(START, here, {0.25: 9.8, 0.5: 9.5}) == 0.5


def test_a_shorter_step_without_a_better_trial_is_the_minimum_of_the_cubic() -> None:
    def f(t: float) -> float:
        return 10.0 - 4.0 * t + 3.0 * t**2 + 11.0 * t**3

    here = OnLine(1.0, f(1.0), -4.0 + 6.0 + 33.0)
    best = (-6.0 + np.sqrt(36.0 + 4.0 * 33.0 * 4.0)) / 66.0
    assert 0.1 < best < 0.6
    assert_allclose(shorter(START, here, {0.25: 10.5}), best, rtol=1e-12)
    assert_allclose(shorter(START, here, {}), best, rtol=1e-12)


@pytest.mark.parametrize(
    "here", [OnLine(0.5, np.inf, np.inf), OnLine(0.5, np.nan, 1.0), OnLine(0.5, 20.0, np.nan)]
)
def test_a_step_into_nowhere_is_quartered(here: OnLine) -> None:
    assert shorter(START, here, {}) == 0.125


def test_a_shorter_step_is_always_shorter_and_never_nothing() -> None:
    rng = np.random.default_rng(0)
    for _ in range(2000):
        start = OnLine(0.0, rng.normal(), -(10 ** rng.uniform(-8, 8)))
        t = 10 ** rng.uniform(-6, 2)
        here = OnLine(
            t, start.value + rng.normal() * 10 ** rng.uniform(-8, 8), rng.normal() * 10 ** rng.uniform(-8, 8)
        )
        assert 0.1 * t * (1 - 1e-12) <= shorter(start, here, {}) <= 0.6 * t * (1 + 1e-12)


# -------------------------------------------------------------------------------------- metric


def spd(q: int, seed: int = 0) -> FloatArray:
    root = np.random.default_rng(seed).standard_normal((q, q + 3))
    return root @ root.T


def bfgs(B: FloatArray, step: FloatArray, change: FloatArray) -> FloatArray:
    """Nocedal and Wright 2006, equation 6.19: the dense update."""
    Bs = B @ step
    return B - np.outer(Bs, Bs) / (step @ Bs) + np.outer(change, change) / (change @ step)


def pairs(q: int, count: int, seed: int = 1) -> list[tuple[FloatArray, FloatArray]]:
    rng, true = np.random.default_rng(seed), spd(q, 9)
    steps = [rng.standard_normal(q) for _ in range(count)]
    return [(step, true @ step + 0.05 * rng.standard_normal(q)) for step in steps]


@pytest.mark.parametrize("start", ["dense", "diagonal"])
@pytest.mark.parametrize("count", [0, 1, 5, 20])
def test_the_two_loops_are_the_dense_formula(start: str, count: int) -> None:
    q = 6
    B = spd(q) if start == "dense" else np.diag(np.arange(1.0, q + 1))
    metric = Metric.of(B) if start == "dense" else Metric.diagonal(np.diag(B))
    for step, change in pairs(q, count):
        before = metric
        metric, B = metric.updated(step, change), bfgs(B, step, change)
        assert metric is not before
        assert_allclose(metric.solve(change), step, rtol=1e-8, atol=1e-10)  # the secant equation
    g = np.random.default_rng(4).standard_normal(q)
    kept = g.copy()
    assert_allclose(metric.solve(g), np.linalg.solve(B, g), rtol=1e-7)
    assert_array_equal(g, kept)


def test_only_the_last_twenty_pairs_are_remembered() -> None:
    q, all_pairs = 5, pairs(5, 26)
    metric, recent = Metric.of(spd(q)), Metric.of(spd(q))
    for step, change in all_pairs:
        metric = metric.updated(step, change)
    for step, change in all_pairs[-20:]:
        recent = recent.updated(step, change)
    assert metric.steps.shape == (20, q)
    assert_array_equal(metric.solve(np.ones(q)), recent.solve(np.ones(q)))


@pytest.mark.parametrize("curvature", [0.0, -1.0, np.nan])
def test_a_pair_without_curvature_is_left_out(curvature: float) -> None:
    metric = Metric.of(np.eye(3))
    step = np.array([1.0, 0.0, 0.0])
    assert metric.updated(step, np.array([curvature, 1.0, 1.0])) is metric


def test_the_factor_is_a_factor() -> None:
    units = np.logspace(-6, 6, 5)
    M = spd(5) * np.outer(units, units)
    C = Metric.of(M).cholesky_factor
    assert_array_equal(C, np.tril(C))
    assert_allclose(C @ C.T, M, rtol=1e-10)
    assert_allclose(Metric.of(M).solve(M @ (1.0 / units)), 1.0 / units, rtol=1e-9)
    d = np.array([4.0, 9.0, 0.0])
    assert_array_equal(Metric.diagonal(d).cholesky_factor, np.diag([2.0, 3.0, 1.0]))


@pytest.mark.parametrize("rank", [0, 1, 3])
def test_null_directions_get_a_small_ridge(rank: int) -> None:
    root = np.random.default_rng(2).standard_normal((4, rank))
    M = root @ root.T
    metric = Metric.of(M)
    C = metric.cholesky_factor
    assert np.isfinite(C).all() and (np.diag(C) > 0).all()
    inside = M @ np.ones(4)
    solved = metric.solve(inside)
    assert np.isfinite(solved).all()
    assert_allclose(M @ solved, inside, rtol=1e-6, atol=1e-9)
    assert solved @ inside >= 0.0


def test_a_wrong_recursion_would_be_seen() -> None:
    metric = Metric.of(np.eye(4))
    for step, change in pairs(4, 3):
        metric = metric.updated(step, change)
    B = np.eye(4)
    for step, change in reversed(pairs(4, 3)):
        B = bfgs(B, step, change)
    assert not np.allclose(metric.solve(np.ones(4)), np.linalg.solve(B, np.ones(4)), rtol=1e-6)
