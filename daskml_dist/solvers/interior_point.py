"""The largest value of a concave function of weights that an adversary may choose."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, final

import numpy as np

from daskml_dist.risks import Ambiguity
from daskml_dist.types import AnyArray, FloatArray

_MOST_ITERATIONS = 100
_CENTRING = 0.1  # the factor on the complementarity that each iteration aims at
_PRECISION = 1e-13
_TO_THE_WALL = 0.99
_HALVINGS = 40
_RIDGE = 1e-14


class Concave(Protocol):
    """D, a concave function of (C,) weights."""

    def at(self, x: FloatArray) -> tuple[float, FloatArray, FloatArray]:
        """D, its (C,) gradient, and minus its (C, C) Hessian."""


def maximise(dual: Concave, ambiguity: Ambiguity, owner: AnyArray) -> FloatArray:
    """(C,) the weights x >= 0 with the largest D(x), where the sums q_i of those of each group are in Q.

    A primal-dual interior point method (Boyd and Vandenberghe 2004, 11.7), from weights that add up to the
    shares, which are inside Q.

    Parameters
    ----------
    dual : D.
    ambiguity : Q, of more than one point.
    owner : (C,) the group that each weight belongs to; each group has one at least.
    """
    walls = _Walls(ambiguity, owner)
    x = (ambiguity.shares / np.bincount(owner))[owner]
    value, gradient, _ = dual.at(x)
    unit = max(float(np.ptp(gradient)), abs(value), float(np.finfo(np.float64).tiny))
    path = _Path(dual, walls, unit)
    here: _Iterate | None = path.at(x, -1.0 / walls.values(x), 0.0)
    best = here
    for _ in range(_MOST_ITERATIONS):
        if here is None or here.residual(0.0) < _PRECISION or here.apart < _PRECISION**2:
            break
        here = path.next(here)
        best = here if here is not None and best is not None and here.value < best.value else best
    assert best is not None
    return np.asarray(best.x / best.x.sum())


@final
@dataclass(frozen=True)
class _Walls:
    """h(x) <= 0: that weights are not below zero, and the inequalities of an ambiguity set for their sums."""

    ambiguity: Ambiguity
    owner: AnyArray

    @property
    def capped(self) -> AnyArray:
        """The groups whose weight has a limit of its own."""
        return np.flatnonzero(self.ambiguity.upper < 1.0)

    @property
    def has_ball(self) -> bool:
        """Whether the chi-square divergence is limited: the last of the walls."""
        return bool(np.isfinite(self.ambiguity.radius))

    def sums(self, x: FloatArray) -> FloatArray:
        """(G,) q."""
        return np.asarray(np.bincount(self.owner, x, len(self.ambiguity.shares)), dtype=np.float64)

    def outward(self, x: FloatArray) -> FloatArray:
        """(G,) the gradient of the chi-square divergence in q."""
        return 2.0 * (self.sums(x) / self.ambiguity.shares - 1.0)

    def values(self, x: FloatArray) -> FloatArray:
        """(m,) h(x)."""
        p, q = self.ambiguity.shares, self.sums(x)
        parts = [-x, (q - self.ambiguity.upper)[self.capped]]
        if self.has_ball:
            parts.append(np.array([np.sum(np.square(q - p) / p) - self.ambiguity.radius]))
        return np.concatenate(parts)

    def along(self, x: FloatArray, step: FloatArray) -> FloatArray:
        """(m,) how fast h changes along a step."""
        change = self.sums(step)
        ball = [np.array([self.outward(x) @ change])] if self.has_ball else []
        return np.concatenate([-step, change[self.capped], *ball])

    def back(self, x: FloatArray, forces: FloatArray) -> FloatArray:
        """(C,) the sum of the gradients of h, by force."""
        pull = np.zeros(len(self.ambiguity.shares))
        pull[self.capped] = forces[len(x) :][: len(self.capped)]
        if self.has_ball:
            pull += forces[-1] * self.outward(x)
        return np.asarray(pull[self.owner] - forces[: len(x)])

    def bend(self, x: FloatArray, forces: FloatArray, h: FloatArray) -> FloatArray:
        """(C, C) sums of the Hessians of h, by force, and how weights are pushed off zero."""
        matrix = np.diag(forces[: len(x)] / -h[: len(x)])
        if self.has_ball:
            round_ = np.diag(2.0 * forces[-1] / self.ambiguity.shares)
            matrix += round_[np.ix_(self.owner, self.owner)]
        return matrix

    def rows(self, x: FloatArray) -> FloatArray:
        """(m - C, C) the gradients of the walls of sums."""
        caps = (self.capped[:, None] == self.owner).astype(np.float64)
        return np.vstack([caps, self.outward(x)[self.owner]]) if self.has_ball else caps


@final
@dataclass(frozen=True)
class _Path:
    """minimise -D(x) / unit within the walls."""

    dual: Concave
    walls: _Walls
    unit: float

    def at(self, x: FloatArray, forces: FloatArray, level: float) -> _Iterate:
        """An iterate, and all that is needed to go on from it."""
        value, gradient, bend = self.dual.at(x)
        h = self.walls.values(x)
        K = bend / self.unit + self.walls.bend(x, forces, h)  # without the push of the walls of sums
        return _Iterate(self.walls, x, forces, level, -value / self.unit, -gradient / self.unit, h, K)

    def next(self, here: _Iterate) -> _Iterate | None:
        """Newton's step towards the central path, as far as it leads inside; None where rounding ends it."""
        barrier = _CENTRING * here.apart / len(here.h)
        step, rise = here.step(barrier)
        push = -here.forces - barrier / here.h - here.forces * self.walls.along(here.x, step) / here.h
        reach = min(1.0, _TO_THE_WALL * _reach(here.forces, push))
        for _ in range(_HALVINGS):
            x, forces = here.x + reach * step, here.forces + reach * push
            if (self.walls.values(x) < 0.0).all():
                there = self.at(x, forces, here.level + reach * rise)
                if there.better(here, barrier, reach * float(here.pull(barrier) @ step)):
                    return there
            reach *= 0.5
        return None


@final
@dataclass(frozen=True)
class _Iterate:
    """Weights, the forces of the walls, and the level of all weights, near the conditions of optimality.

    gradient + (gradients of h)' forces + level = 0, and forces h = 0.
    """

    walls: _Walls
    x: FloatArray
    forces: FloatArray
    level: float
    value: float
    gradient: FloatArray
    h: FloatArray
    K: FloatArray

    def residual(self, barrier: float) -> float:
        """How far the conditions are from holding, with forces -h = barrier."""
        balance = self.gradient + self.walls.back(self.x, self.forces) + self.level
        return float(np.linalg.norm(np.concatenate([balance, -self.forces * self.h - barrier])))

    @property
    def apart(self) -> float:
        """How far D is from its largest value, where the conditions of balance hold."""
        return float(-self.h @ self.forces)

    def pull(self, barrier: float) -> FloatArray:
        """(C,) the gradient of value - barrier sum log(-h), and the level."""
        return np.asarray(self.gradient + self.walls.back(self.x, barrier / -self.h) + self.level)

    def better(self, before: _Iterate, barrier: float, slope: float) -> bool:
        """Armijo's rule for value - barrier sum log(-h); where rounding hides that, smaller residuals."""
        gain = self.value - before.value - barrier * float(np.sum(np.log(self.h / before.h)))
        return gain <= 1e-4 * slope or self.residual(barrier) < 0.9 * before.residual(barrier)

    def step(self, barrier: float) -> tuple[FloatArray, float]:
        """Steps x of the weights, which add up to zero, and t of the level: (K + A'SA) x + t = -pull.

        A are the gradients of the walls of sums and S their stiffness, which is without limit where one is
        touched: it would hide all else in a sum, so that A'SAx is unknown as well. What K has no curvature
        for, such as weight that two equal lines may share, gets a small ridge.
        """
        C, scale = len(self.x), np.sqrt(np.diag(self.K))
        rows = np.vstack([self.walls.rows(self.x), np.ones(C)]) / scale
        give = np.append(self.h[C:] / self.forces[C:], 0.0)
        system = np.block(
            [[self.K / np.outer(scale, scale) + _RIDGE * np.eye(C), rows.T], [rows, np.diag(give)]]
        )
        known = np.concatenate([-self.pull(barrier) / scale, np.zeros(len(rows))])
        found = np.linalg.solve(system, known)
        return found[:C] / scale, float(found[-1])


def _reach(forces: FloatArray, push: FloatArray) -> float:
    """How far forces can be pushed before one of them is zero."""
    falling = push < 0.0
    return float(np.min(-forces[falling] / push[falling], initial=np.inf))
