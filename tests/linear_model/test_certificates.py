"""A proven gap is never below the true one: random small problems, stopped anywhere on the way."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning

from daskml_dist.linear_model import LogisticRegression, PoissonRegressor
from tests.linear_model.truth import WIDER, Objective, theta_of

SLACK = 1e-15 if WIDER else 1e-12  # what the truth itself may be wrong by


@dataclass(frozen=True)
class Check:
    """One fit, what it said of its gap, and the gap it had."""

    seed: int
    kind: str
    said: float
    true: float

    @property
    def proven(self) -> bool:
        return self.kind != "estimate"

    def violated(self, said: float) -> bool:
        return self.true > said + SLACK


def _problem(rng: np.random.Generator) -> Objective:
    kind = str(rng.choice(["logistic", "poisson"]))
    n, p = int(rng.integers(6, 90)), int(rng.integers(1, 6))
    X = rng.standard_normal((n, p)) * 10 ** rng.uniform(-2, 2, p)
    X = X + rng.choice([0.0, 10.0]) * rng.standard_normal(p)
    w = rng.standard_normal(p) / X.std(axis=0) * rng.choice([0.3, 1.0, 3.0]) / np.sqrt(p)
    z = (X - X.mean(axis=0)) @ w + rng.uniform(-1.5, 1.5)
    if kind == "logistic":
        y = (rng.random(n) < 1 / (1 + np.exp(-z))).astype(float)
        y[:2] = 0.0, 1.0
    else:
        y = rng.poisson(np.exp(np.clip(z, -5, 5))).astype(float)
        y[0] += 1.0
    weights = [np.ones(n), rng.random(n) * 10 + 0.01, 10 ** rng.uniform(-3, 3, n)]
    return Objective(
        kind, X, y, weights[rng.integers(3)], float(10 ** rng.uniform(-6, 0)), bool(rng.integers(2))
    )


def _fitted(problem: Objective, **options: Any) -> Any:
    shared = {"fit_intercept": problem.intercept, "verbose": 0, **options}
    if problem.kind == "logistic":
        model: Any = LogisticRegression(C=1 / (problem.alpha * problem.weight.sum()), **shared)
    else:
        model = PoissonRegressor(alpha=problem.alpha, **shared)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return model.fit(problem.X, problem.y, problem.weight)


def _check(seed: int) -> Check:
    rng = np.random.default_rng(seed)
    problem = _problem(rng)
    model = _fitted(
        problem,
        max_iter=int(rng.integers(1, 9)),
        tol=float(rng.choice([1e-2, 1e-6, 1e-13])),
        solver=str(rng.choice(["auto", "newton", "progressive-newton", "lbfgs"])),
    )
    return Check(seed, model.gap_kind_, model.gap_, problem.relative_gap(theta_of(model)))


@pytest.fixture(scope="module")
def checks() -> list[Check]:
    return [_check(seed) for seed in range(400)]


def _violations(checks: list[Check], factor: float = 1.0) -> list[Check]:
    return [check for check in checks if check.proven and check.violated(factor * check.said)]


def test_no_proven_gap_is_below_the_true_one(checks: list[Check]) -> None:
    assert sum(check.proven for check in checks) > 200
    assert not _violations(checks)


def test_half_of_the_gap_is_seen_to_be_a_lie(checks: list[Check]) -> None:
    assert _violations(checks, 0.5)


def test_a_proven_gap_is_not_far_above_the_true_one(checks: list[Check], record_property: Any) -> None:
    ratios = [check.said / check.true for check in checks if check.proven and check.true > 1e-9]
    record_property("median of proven over true gap", float(np.median(ratios)))
    assert len(ratios) > 50
    assert np.median(ratios) < 3.0


def test_an_estimated_gap_is_of_the_right_size(checks: list[Check]) -> None:
    ratios = [check.said / check.true for check in checks if not check.proven and check.true > 1e-9]
    assert len(ratios) > 30
    assert 0.3 < np.median(ratios) < 3.0


@pytest.mark.slow
def test_two_thousand_proofs() -> None:
    checks = [_check(seed) for seed in range(1000, 4300)]
    proven = [check for check in checks if check.proven]
    ratios = [check.said / check.true for check in proven if check.true > 1e-9]
    print(f"{len(proven)} proven gaps; median over the true gap {np.median(ratios):.3g}")
    assert len(proven) >= 2000
    assert not _violations(checks)


def test_the_truth_is_a_minimum() -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        problem = _problem(rng)
        theta, _ = problem.minimum()
        gradient, H = problem.slopes(theta)
        decrement = gradient.astype(float) @ np.linalg.solve(H, gradient.astype(float))
        assert decrement < 1e-20 * max(float(problem.value(theta)), 1.0)
