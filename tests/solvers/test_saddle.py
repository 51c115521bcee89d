"""The saddle point of parabolas: no weights promise more, and no step keeps more of it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from daskml_dist.risks import ChiSquare, CVaR, Mean, Risk, WorstGroup
from daskml_dist.solvers.saddle import GroupModels, Saddle, saddle_point

RISKS = [WorstGroup(), CVaR(0.3), CVaR(1.0), ChiSquare(0.5), ChiSquare(5.0), Mean()]


def models(seed: int) -> tuple[GroupModels, np.ndarray]:
    """Parabolas whose curvatures, slopes and heights differ by orders of magnitude, and shares."""
    rng = np.random.default_rng(seed)
    G, q = int(rng.integers(1, 12)), int(rng.integers(1, 15))
    roots = rng.standard_normal((G, q + 5, q))
    hessians = np.einsum("gij,gik->gjk", roots, roots) * 10.0 ** rng.uniform(-3, 3, (G, 1, 1))
    gradients = rng.standard_normal((G, q)) * 10.0 ** rng.uniform(-3, 2)
    losses = 10.0 ** rng.uniform(-3, 3) + rng.standard_normal(G) * 10.0 ** rng.uniform(-4, 2)
    return GroupModels(losses, gradients, hessians), rng.dirichlet(np.ones(G))


def gaps(found: Saddle, given: GroupModels, risk: Risk, shares: np.ndarray) -> Iterator[float]:
    """By how much the risk after the step is above what the weights promise, and the promise is kept."""
    size = max(abs(found.value), float(np.ptp(given.losses)), 1e-300)
    yield (risk.value(given.at(found.step), shares) - found.value) / size
    least = found.weights @ given.at(found.step)  # of sum_i q_i m_i, which the step minimises
    yield abs(least - found.value) / size
    slope = found.weights @ (given.gradients + given.hessians @ found.step)
    yield float(np.abs(slope).max()) / max(float(np.abs(given.gradients).max()), 1e-300)


@pytest.mark.thinned(3)
@pytest.mark.parametrize("risk", RISKS, ids=repr)
def test_primal_and_dual_meet(risk: Risk) -> None:
    for seed in range(25):
        given, shares = models(seed)
        assert max(gaps(saddle_point(given, risk.ambiguity(shares)), given, risk, shares)) < 1e-8, seed


def test_identical_groups_share_the_weight_in_any_way() -> None:
    given, _ = models(3)
    same = GroupModels(*(np.repeat(part[:1], 4, axis=0) for part in vars(given).values()))
    found = saddle_point(same, WorstGroup().ambiguity(np.full(4, 0.25)))
    alone = saddle_point(
        GroupModels(*(part[:1] for part in vars(given).values())), WorstGroup().ambiguity(np.ones(1))
    )
    assert found.value == pytest.approx(alone.value, rel=1e-12)
    np.testing.assert_allclose(found.step, alone.step, rtol=1e-9)


def test_at_the_saddle_point_there_is_no_step() -> None:
    """Two parabolas of one slope each, at their crossing."""
    given = GroupModels(np.ones(2), np.array([[1.0], [-3.0]]), np.ones((2, 1, 1)))
    found = saddle_point(given, WorstGroup().ambiguity(np.full(2, 0.5)))
    np.testing.assert_allclose(found.weights, [0.75, 0.25], atol=1e-9)
    assert abs(found.step[0]) < 1e-9


def test_other_weights_are_caught() -> None:
    given, shares = models(7)
    found = saddle_point(given, WorstGroup().ambiguity(shares))
    lie = Saddle(shares, found.step, found.value)
    assert max(gaps(lie, given, WorstGroup(), shares)) > 1e-3
