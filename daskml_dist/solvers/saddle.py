"""The saddle point of quadratic models of the losses of groups: whom to weigh how, and where to step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np

from daskml_dist.risks import Ambiguity
from daskml_dist.solvers.metric import Metric
from daskml_dist.types import AnyArray, FloatArray

_MOST_ITERATIONS = 100
_CENTRING = 0.1  # the factor on the complementarity that each iteration aims at
_PRECISION = 1e-13
_TO_THE_WALL = 0.99
_HALVINGS = 40


@final
@dataclass(frozen=True)
class GroupModels:
    """m_i(d) = J_i + g_i'd + d'H_i d / 2, a convex parabola for each of G groups.

    Attributes
    ----------
    losses : (G,). gradients : (G, q). hessians : (G, q, q).
    """

    losses: FloatArray
    gradients: FloatArray
    hessians: FloatArray

    def at(self, step: FloatArray) -> FloatArray:
        """(G,) the models at a step."""
        return np.asarray(self.losses + self.gradients @ step + 0.5 * (self.hessians @ step) @ step)

    def mean_hessian(self, weights: FloatArray) -> FloatArray:
        """(q, q) sum_i q_i H_i."""
        return np.tensordot(weights, self.hessians, axes=1)

    def metric(self, weights: FloatArray) -> Metric:
        """The metric of the mean Hessian."""
        return Metric.of(self.mean_hessian(weights))


@final
@dataclass(frozen=True)
class Saddle:
    """min over d of max over q in Q of q' m(d).

    Attributes
    ----------
    weights : (G,) q. step : (q,) d. value : q' m(d), the least that the models can have.
    """

    weights: FloatArray
    step: FloatArray
    value: float


def saddle_point(models: GroupModels, ambiguity: Ambiguity) -> Saddle:
    """Maximise D(q) = q'J - |sum_i q_i g_i|^2 / 2 in the inverse of sum_i q_i H_i, over q in Q.

    D is what is left when d is chosen best for q. It is concave and smooth, and has as many variables as
    there are groups, so that a primal-dual interior point method (Boyd and Vandenberghe 2004, 11.7) costs a
    few factorisations.
    """
    if ambiguity.is_point:
        return _answered(models, ambiguity.shares)[0]
    level = float(models.losses.max())
    shifted = GroupModels(models.losses - level, models.gradients, models.hessians)
    q = _interior_point(shifted, ambiguity)
    found, _, _ = _answered(shifted, q)
    return Saddle(found.weights, found.step, found.value + level)


def _answered(models: GroupModels, q: FloatArray) -> tuple[Saddle, FloatArray, FloatArray]:
    """The best step for weights, with (G,) gradient and (G, G) minus Hessian of D there."""
    gradient = q @ models.gradients
    metric = models.metric(q)
    step = -metric.solve(gradient)
    curved = models.hessians @ step
    along = models.gradients + curved
    solved = np.stack([metric.solve(row) for row in along], axis=1)
    value = float(q @ models.losses + 0.5 * gradient @ step)
    return Saddle(q, step, value), models.at(step), along @ solved


@final
@dataclass(frozen=True)
class _Walls:
    """h(q) <= 0: the inequalities of an ambiguity set."""

    ambiguity: Ambiguity

    @property
    def capped(self) -> AnyArray:
        """The groups whose weight has a limit of its own."""
        return np.flatnonzero(self.ambiguity.upper < 1.0)

    def values(self, q: FloatArray) -> FloatArray:
        """(m,) h(q)."""
        p, radius = self.ambiguity.shares, self.ambiguity.radius
        parts = [-q, (q - self.ambiguity.upper)[self.capped]]
        if np.isfinite(radius):
            parts.append(np.array([np.sum(np.square(q - p) / p) - radius]))
        return np.concatenate(parts)

    def jacobian(self, q: FloatArray) -> FloatArray:
        """(m, G)."""
        p, one = self.ambiguity.shares, np.eye(len(q))
        ball = [2.0 * (q - p) / p] if np.isfinite(self.ambiguity.radius) else []
        return np.vstack([-one, one[self.capped], *ball])

    def curvature(self, forces: FloatArray) -> FloatArray:
        """(G, G) sum of the Hessians of h, by force."""
        bent = 2.0 * forces[-1] if np.isfinite(self.ambiguity.radius) else 0.0
        return np.diag(bent / self.ambiguity.shares)


@final
@dataclass(frozen=True)
class _Dual:
    """minimise -D(q) / unit within the walls."""

    models: GroupModels
    walls: _Walls
    unit: float

    def at(self, q: FloatArray, forces: FloatArray, level: float) -> _Iterate:
        """An iterate, and all that is needed to go on from it."""
        found, losses, bend = _answered(self.models, q)
        h, jacobian = self.walls.values(q), self.walls.jacobian(q)
        K = bend / self.unit + self.walls.curvature(forces) + (jacobian.T * (forces / -h)) @ jacobian
        return _Iterate(q, forces, level, -found.value / self.unit, -losses / self.unit, h, jacobian, K)

    def next(self, here: _Iterate) -> _Iterate | None:
        """Newton's step towards the central path, as far as it leads inside; None where rounding ends it."""
        barrier = _CENTRING * float(-here.h @ here.forces) / len(here.h)
        step, rise = here.step(barrier)
        push = -here.forces - barrier / here.h - here.forces * (here.jacobian @ step) / here.h
        reach = min(1.0, _TO_THE_WALL * _reach(here.forces, push))
        for _ in range(_HALVINGS):
            q, forces = here.q + reach * step, here.forces + reach * push
            if (self.walls.values(q) < 0.0).all():
                there = self.at(q, forces, here.level + reach * rise)
                if there.better(here, barrier, reach * float(here.pull(barrier) @ step)):
                    return there
            reach *= 0.5
        return None


@final
@dataclass(frozen=True)
class _Iterate:
    """Weights, the forces of the walls, and the level of all losses, near the conditions of optimality.

    gradient + jacobian' forces + level = 0, and forces h = 0.
    """

    q: FloatArray
    forces: FloatArray
    level: float
    value: float
    gradient: FloatArray
    h: FloatArray
    jacobian: FloatArray
    K: FloatArray

    def residual(self, barrier: float) -> float:
        """How far the conditions are from holding, with forces -h = barrier."""
        balance = self.gradient + self.jacobian.T @ self.forces + self.level
        return float(np.linalg.norm(np.concatenate([balance, -self.forces * self.h - barrier])))

    def pull(self, barrier: float) -> FloatArray:
        """(G,) the gradient of value - barrier sum log(-h), and the level."""
        return np.asarray(self.gradient + self.jacobian.T @ (barrier / -self.h) + self.level)

    def better(self, before: _Iterate, barrier: float, slope: float) -> bool:
        """Armijo's rule for value - barrier sum log(-h); where rounding hides that, smaller residuals."""
        gain = self.value - before.value - barrier * float(np.sum(np.log(self.h / before.h)))
        return gain <= 1e-4 * slope or self.residual(barrier) < 0.9 * before.residual(barrier)

    def step(self, barrier: float) -> tuple[FloatArray, float]:
        """Steps x of the weights, which add up to zero, and t of the level: K x + t = -pull."""
        pull = self.pull(barrier)
        metric = Metric.of(self.K)
        back, ones = metric.solve(pull), metric.solve(np.ones(len(pull)))
        rise = -float(back.sum() / ones.sum())
        return -(back + rise * ones), rise


def _interior_point(models: GroupModels, ambiguity: Ambiguity) -> FloatArray:
    """(G,) the weights that maximise D."""
    walls, q = _Walls(ambiguity), ambiguity.shares
    found, losses, _ = _answered(models, q)
    unit = max(float(np.ptp(losses)), abs(found.value), np.finfo(np.float64).tiny)
    dual = _Dual(models, walls, unit)
    here: _Iterate | None = dual.at(q, -1.0 / walls.values(q), 0.0)
    best = here
    for _ in range(_MOST_ITERATIONS):
        if here is None or best is None or best.residual(0.0) < _PRECISION:
            break
        here = dual.next(here)
        best = here if here is not None and here.residual(0.0) < best.residual(0.0) else best
    assert best is not None
    return np.asarray(best.q / best.q.sum())


def _reach(forces: FloatArray, push: FloatArray) -> float:
    """How far forces can be pushed before one of them is zero."""
    falling = push < 0.0
    return float(np.min(-forces[falling] / push[falling], initial=np.inf))
