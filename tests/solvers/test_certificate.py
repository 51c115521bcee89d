"""What is called a proof, against minima that are known: never too small, and not idle either."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal, getcontext

import numpy as np
import pytest
from numpy.testing import assert_allclose

from daskml_dist.kernels import Point, Question, Sweep, answer
from daskml_dist.losses import Logistic, Loss, Poisson
from daskml_dist.solvers.certificate import Proof, after_newton_step, omega, prove, self_concordance
from daskml_dist.types import Chunk, FloatArray

CHECKS = 2000


@dataclass(frozen=True)
class Small:
    """A small problem with a ridge, in plain NumPy: F(theta) = mean loss + alpha |theta|^2 / 2."""

    loss: Loss
    rows: FloatArray
    y: FloatArray
    s: FloatArray
    alpha: float

    @classmethod
    def random(cls, rng: np.random.Generator) -> Small:
        n, q = int(rng.integers(5, 60)), int(rng.integers(1, 5))
        rows = rng.standard_normal((n, q)) * np.exp(rng.normal(0.0, 1.0, q)) + rng.normal(0.0, 1.0, q)
        if rng.random() < 0.5:
            rows[:, -1] = 1.0
        s = rng.exponential(1.0, n) * (rng.random(n) < 0.9)
        s[0] = 1.0
        alpha = float(10.0 ** rng.uniform(-4, 0))
        if rng.random() < 0.5:
            return cls(Logistic(), rows, (rng.random(n) < 0.4).astype(float), s / s.sum(), alpha)
        return cls(Poisson(), rows, rng.poisson(1.5, n).astype(float), s / s.sum(), alpha)

    def parts(self, theta: FloatArray) -> tuple[float, FloatArray, FloatArray]:
        value, slope, curvature = self.loss.value_slope_curvature(self.y, self.rows @ theta)
        F = float(self.s @ value) + 0.5 * self.alpha * float(theta @ theta)
        g = self.rows.T @ (self.s * slope) + self.alpha * theta
        H = self.rows.T @ ((self.s * curvature)[:, None] * self.rows) + self.alpha * np.eye(len(theta))
        return F, g, H

    def minimum(self) -> FloatArray:
        """Newton with halving, until nothing moves."""
        theta = np.zeros(self.rows.shape[1])
        for _ in range(200):
            F, g, H = self.parts(theta)
            step = np.linalg.solve(H, g)
            t = 1.0
            while self.parts(theta - t * step)[0] > F + 1e-15 * abs(F) and t > 1e-8:
                t /= 2
            theta = theta - t * step
            if g @ step < 1e-28:
                break
        return theta

    def decrement_and_radius(self, theta: FloatArray) -> tuple[float, float]:
        _, g, H = self.parts(theta)
        inverse = np.linalg.inv(H)
        seen = self.rows[self.s > 0]
        return float(np.sqrt(g @ inverse @ g)), float(
            np.sqrt(np.einsum("ij,jk,ik->i", seen, inverse, seen).max())
        )

    def excess(self, theta: FloatArray, best: FloatArray) -> tuple[float, float]:
        """F - min F and the rounding of it; integrated from the minimum where the difference cancels."""
        F, low = self.parts(theta)[0], self.parts(best)[0]
        return F - low, 1e-14 * abs(F)


Bound = Callable[[float, float], float]


def check_a_bound(
    at_point: Bound, after_step: Bound, checks: int = CHECKS
) -> tuple[list[float], list[float]]:
    """Both bounds at random distances from the minimum; the ratios of bound and truth where u is small."""
    rng = np.random.default_rng(0)
    done, tight, tight_after = 0, [], []
    while done < CHECKS:
        problem = Small.random(rng)
        best = problem.minimum()
        for size in 10.0 ** rng.uniform(-5, 0.7, 10):
            direction = rng.standard_normal(len(best))
            theta = best + size * direction / np.linalg.norm(direction)
            decrement, radius = problem.decrement_and_radius(theta)
            u = decrement * radius
            if u >= 1.0:
                assert at_point(decrement, radius) == np.inf
                continue
            excess, rounding = problem.excess(theta, best)
            bound = at_point(decrement, radius)
            assert excess <= bound + rounding, f"u = {u}: {excess} > {bound}"
            _, g, H = problem.parts(theta)
            after, rounding = problem.excess(theta - np.linalg.solve(H, g), best)
            bound_after = after_step(decrement, radius)
            assert after <= bound_after + rounding, f"u = {u}: {after} > {bound_after} after the step"
            if u < 0.1 and excess > 100 * rounding:
                tight.append(bound / excess)
            if u < 0.5 and after > 100 * rounding:
                tight_after.append(bound_after / after)
            done += 1
    return tight, tight_after


def test_the_bounds_are_never_violated_and_not_idle() -> None:
    tight, tight_after = check_a_bound(self_concordance, after_newton_step)
    assert len(tight) > 300 and max(tight) < 1.1
    assert len(tight_after) > 100 and min(tight_after) < 30.0


@pytest.mark.parametrize(
    ("at_point", "after_step"),
    [
        (lambda d, r: 0.98 * self_concordance(d, r), after_newton_step),
        (lambda d, r: 0.5 * d**2 if d * r < 1 else np.inf, after_newton_step),
        (self_concordance, lambda d, r: 0.01 * after_newton_step(d, r)),
    ],
    ids=["too small by 2 %", "quadratic model only", "step too small"],
)
def test_a_bound_that_is_too_small_is_seen(at_point: Bound, after_step: Bound) -> None:
    with pytest.raises(AssertionError, match="u = "):
        check_a_bound(at_point, after_step)


# ---------------------------------------------------------------------------------- formulas


@pytest.mark.parametrize("u", [1e-12, 1e-8, 1e-4, 9.99e-4, 1.0e-3, 1.001e-3, 0.01, 0.3, 0.9, 0.999])
def test_omega_against_forty_digits(u: float) -> None:
    getcontext().prec = 60
    exact = Decimal(u) + (1 - Decimal(u)) * (1 - Decimal(u)).ln()
    assert_allclose(omega(u), float(exact), rtol=1e-9)
    assert omega(u) >= 0.5 * u**2


def test_omega_ends_at_one() -> None:
    assert omega(0.0) == 0.0
    assert omega(1.0) == omega(2.0) == np.inf
    grid = [omega(u) for u in np.linspace(0, 0.999, 2000)]
    assert all(np.diff(grid) > 0)


@pytest.mark.parametrize("bound", [self_concordance, after_newton_step])
def test_bounds_grow_with_both_arguments_and_do_not_jump(bound: Bound) -> None:
    for radius in (1e-3, 1.0, 40.0):
        values = np.array([bound(d, radius) for d in np.logspace(-14, np.log10(0.5 / radius), 3000)])
        assert (np.diff(values) > 0).all()
        assert (values[1:] / values[:-1]).max() < 2.0
    values = np.array([bound(1e-3, r) for r in np.logspace(-9, 2, 2000)])
    assert (np.diff(values) >= -1e-9 * values[1:]).all()


def test_without_curvature_that_changes_the_quadratic_model_is_exact() -> None:
    assert self_concordance(0.2, 0.0) == 0.5 * 0.2**2
    assert after_newton_step(0.2, 0.0) == 0.0


# ------------------------------------------------------------------------------------ proofs


def swept(problem: Small, theta: FloatArray, factor: FloatArray) -> float:
    """The radius that a sweep answers, in the metric of a Cholesky factor."""
    at = Point(theta[None], np.zeros(1), np.zeros(len(theta)), False)
    chunk = Chunk(0, problem.rows, problem.y, problem.s)
    found = answer(Question(Sweep(problem.loss, at, hessian=True, factor=factor)), [chunk], 1)
    assert found.radius is not None
    return found.radius


def test_a_proof_from_another_metric_is_never_smaller() -> None:
    rng = np.random.default_rng(3)
    for _ in range(40):
        problem = Small.random(rng)
        theta = problem.minimum() + 0.1 * rng.standard_normal(problem.rows.shape[1])
        _, g, H = problem.parts(theta)
        decrement, radius = problem.decrement_and_radius(theta)
        own = np.linalg.cholesky(H)
        for metric in (H, 2.0 * H, H + 0.3 * np.diag(np.diag(H))):
            factor = np.linalg.cholesky(metric)
            proof = prove(H, g, factor, swept(problem, theta, factor), 1.0)
            assert proof is not None
            assert_allclose(proof.decrement, decrement, rtol=1e-7)
            assert proof.radius >= radius * (1 - 1e-9)
        proof = prove(H, g, own, swept(problem, theta, own), 1.0)
        assert proof is not None
        assert_allclose(proof.radius, radius, rtol=1e-7)


def test_the_constant_of_the_loss_scales_the_radius() -> None:
    H, g, factor = np.eye(2), np.array([0.1, 0.0]), np.eye(2)
    one, three = (prove(H, g, factor, 2.0, M) for M in (1.0, 3.0))
    assert one is not None and three is not None
    assert (one.radius, three.radius) == (2.0, 6.0)
    assert prove(H, g, factor, 2.0, 0.0) == Proof(0.1, 0.0)


SINGULAR = {
    "zero": np.zeros((2, 2)),
    "rank one": np.ones((2, 2)),
    "flat": np.diag([1.0, 0.0]),
    "indefinite": np.array([[1.0, 2.0], [2.0, 1.0]]),
    "nearly flat": np.ones((2, 2)) + 1e-14 * np.eye(2),
}


@pytest.mark.parametrize("hessian", SINGULAR.values(), ids=SINGULAR)
def test_nothing_is_proven_from_a_singular_hessian(hessian: FloatArray) -> None:
    assert prove(hessian, np.ones(2), np.eye(2), 1.0, 1.0) is None


def test_units_do_not_make_it_singular() -> None:
    units = np.array([1e-6, 1.0, 1e6])
    H = np.outer(units, units) * (0.5 * np.ones((3, 3)) + 0.5 * np.eye(3))
    proof = prove(H, units * 0.1, np.linalg.cholesky(H), 2.0, 1.0)
    assert proof is not None
    assert_allclose(proof.radius, 2.0, rtol=1e-9)


def test_gaps_carry_their_kind_and_the_rounding_of_the_objective() -> None:
    proof = Proof(1e-9, 3.0)
    at, after = proof.gap(2.0), proof.gap_after_step(2.0)
    assert at.kind == after.kind == "self-concordance"
    assert 32 * np.finfo(float).eps * 2.0 <= after.value <= at.value < 1e-13
