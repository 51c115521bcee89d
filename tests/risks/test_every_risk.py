"""Every risk that the room exports keeps the contract of ``risks/_base.py``."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest
from scipy.optimize import LinearConstraint, NonlinearConstraint, minimize

from daskml_dist import risks
from daskml_dist.errors import UnsupportedParameter
from daskml_dist.risks import Ambiguity, ChiSquare, CVaR, Mean, Risk, WorstGroup

EXAMPLES: list[Risk] = [
    Mean(),
    WorstGroup(),
    CVaR(1.0),
    CVaR(0.4),
    CVaR(0.01),
    ChiSquare(0.0),
    ChiSquare(0.1),
    ChiSquare(2.0),
    ChiSquare(1e6),
]
every_risk = pytest.mark.parametrize("risk", EXAMPLES, ids=repr)


def tables(seeds: int = 40) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Losses and shares of 1 to 8 groups, with ties among the losses."""
    for seed in range(seeds):
        rng = np.random.default_rng(seed)
        G = int(rng.integers(1, 9))
        losses = np.round(rng.exponential(size=G), 1 if seed % 2 else 6)
        yield losses * 10.0 ** rng.integers(-4, 5), rng.dirichlet(np.ones(G)) * 0.99 + 0.01 / G


def belongs(q: np.ndarray, Q: Ambiguity) -> bool:
    near = np.sum(np.square(q - Q.shares) / Q.shares) <= Q.radius * (1 + 1e-9) + 1e-12
    return bool(near and abs(q.sum() - 1) < 1e-12 and (q >= 0).all() and (q <= Q.upper + 1e-12).all())


def largest(losses: np.ndarray, Q: Ambiguity) -> float:
    """max q' losses over Q, by SciPy's trust region method."""
    unit = max(np.abs(losses).max(), 1e-300)
    limits = [LinearConstraint(np.ones((1, len(losses))), 1.0, 1.0)]
    if np.isfinite(Q.radius):
        limits.append(
            NonlinearConstraint(
                lambda q: np.sum(np.square(q - Q.shares) / Q.shares),
                -np.inf,
                Q.radius,
                jac=lambda q: 2 * (q - Q.shares) / Q.shares,
            )
        )
    found = minimize(
        lambda q: -q @ losses / unit,
        Q.shares,
        jac=lambda q: -losses / unit,
        bounds=[(0.0, most) for most in Q.upper],
        constraints=limits,
        method="SLSQP",
        options={"ftol": 1e-14, "maxiter": 1000},
    )
    return float(-found.fun * unit)


def check_the_adversary_does_his_worst(risk: Risk) -> None:
    for losses, shares in tables():
        Q = risk.ambiguity(shares)
        q = risk.weights(losses, shares)
        assert belongs(q, Q), (losses, shares, q)
        assert belongs(shares, Q)
        assert q @ losses == pytest.approx(largest(losses, Q), rel=2e-6, abs=1e-12)
        assert risk.value(losses, shares) == pytest.approx(q @ losses, rel=1e-15)


def check_it_is_monotone_and_convex(risk: Risk) -> None:
    rng = np.random.default_rng(0)
    for losses, shares in tables():
        other = losses + rng.random(len(losses)) * losses.max()
        here, there = risk.value(losses, shares), risk.value(other, shares)
        assert here <= there * (1 + 1e-12)
        middle = risk.value(0.5 * (losses + other), shares)
        assert middle <= 0.5 * (here + there) * (1 + 1e-12)
        assert risk.value(losses + 7.0, shares) == pytest.approx(here + 7.0, rel=1e-12)


def test_every_risk_is_here() -> None:
    exported = {getattr(risks, name) for name in risks.__all__} - {Ambiguity, Risk}
    assert {type(risk) for risk in EXAMPLES} == exported
    assert len({risk.name for risk in EXAMPLES}) == len(exported)


@every_risk
def test_every_risk(risk: Risk) -> None:
    check_the_adversary_does_his_worst(risk)
    check_it_is_monotone_and_convex(risk)
    assert risk.value(np.array([1.0, np.inf]), np.array([0.5, 0.5])) == np.inf


def test_limits() -> None:
    for losses, shares in tables():
        mean, worst = shares @ losses, losses.max()
        for risk, expected in (
            (CVaR(1.0), mean),
            (CVaR(1e-9), worst),
            (ChiSquare(0.0), mean),
            (ChiSquare(1e12), worst),
            (WorstGroup(), worst),
        ):
            assert risk.value(losses, shares) == pytest.approx(expected, rel=1e-9), risk


def test_chi_square_is_mean_and_deviation() -> None:
    losses, shares = np.array([1.0, 2.0, 4.0]), np.array([0.5, 0.3, 0.2])
    mean = shares @ losses
    deviation = np.sqrt(shares @ np.square(losses - mean))
    assert ChiSquare(0.01).value(losses, shares) == pytest.approx(mean + 0.1 * deviation, rel=1e-14)


@pytest.mark.parametrize("make", [lambda: CVaR(0.0), lambda: CVaR(1.1), lambda: CVaR(np.nan)])
def test_tails_out_of_range(make: object) -> None:
    with pytest.raises(UnsupportedParameter, match="expected a number above 0 and at most 1"):
        make()  # type: ignore[operator]


@pytest.mark.parametrize("radius", [-1.0, np.inf, np.nan])
def test_radii_out_of_range(radius: float) -> None:
    with pytest.raises(UnsupportedParameter, match="expected a finite number >= 0"):
        ChiSquare(radius)


@dataclass(frozen=True)
class Timid(Risk):
    """A lie: an adversary that takes the second worst."""

    name: ClassVar[str] = "timid"

    def ambiguity(self, shares: np.ndarray) -> Ambiguity:
        return WorstGroup().ambiguity(shares)

    def weights(self, losses: np.ndarray, shares: np.ndarray) -> np.ndarray:
        q = np.zeros_like(losses)
        q[np.argsort(losses)[max(len(losses) - 2, 0)]] = 1.0
        return q


def test_a_timid_adversary_is_caught() -> None:
    with pytest.raises(AssertionError):
        check_the_adversary_does_his_worst(Timid())
