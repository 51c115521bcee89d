"""Lines below the losses of groups, and how low the risk can be above them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import final

import numpy as np

from daskml_dist.risks import Ambiguity
from daskml_dist.solvers.group_problem import GroupEvaluation, GroupProblem
from daskml_dist.solvers.interior_point import maximise
from daskml_dist.types import AnyArray, FloatArray

_HALVES = (-1, -2)  # in the place of a time, for those that rise and those that fall
_SOFT = 1e-4  # how an intercept is bent, relative to its curvature, while weights of lines are looked for


@final
@dataclass(frozen=True)
class Adversary:
    """Who chooses weights of groups; where he has no choice, all groups are one.

    Attributes
    ----------
    ambiguity : Q, over H sides: the groups, or their mean.
    mixing : (H, G) the groups that each side is made of.
    """

    ambiguity: Ambiguity
    mixing: FloatArray

    @classmethod
    def of(cls, problem: GroupProblem) -> Adversary:
        """That of a problem."""
        ambiguity = problem.risk.ambiguity(problem.shares)
        if ambiguity.is_point:
            return cls(Ambiguity(np.ones(1), np.ones(1)), problem.shares[None])
        return cls(ambiguity, np.eye(problem.n_groups))

    @property
    def sides(self) -> int:
        """H."""
        return len(self.mixing)


@final
@dataclass(frozen=True)
class Line:
    """height + slope'(theta - centre), which is nowhere above the risk without its penalty."""

    height: float
    slope: FloatArray

    def mixed(self, other: Line, share: float) -> Line:
        """A share of the other, and the rest of this: a line below as well."""
        height = self.height + share * (other.height - self.height)
        return Line(height, self.slope + share * (other.slope - self.slope))

    def moved(self, step: FloatArray) -> Line:
        """The same line around another centre."""
        return replace(self, height=self.height + float(self.slope @ step))


@final
@dataclass(frozen=True)
class Cuts:
    """J_h(theta) >= height + slope'(theta - centre), C lines below the losses of H sides.

    Attributes
    ----------
    owner : (C,) h. heights : (C,). slopes : (C, q).
    born : (C,) when it was told; those with the same number are one for each side.
    """

    owner: AnyArray
    heights: FloatArray
    slopes: FloatArray
    born: AnyArray

    @classmethod
    def touching(cls, adversary: Adversary, here: GroupEvaluation, born: int) -> Cuts:
        """The tangents at a point, which is the centre."""
        heights, slopes = adversary.mixing @ here.losses, adversary.mixing @ here.gradients
        return cls(np.arange(adversary.sides), heights, slopes, np.full(adversary.sides, born))

    @classmethod
    def halves(cls, adversary: Adversary, here: GroupEvaluation) -> Cuts:
        """Tangents of the losses of the rows that rise and of those that fall; no loss is below zero.

        Their slopes in the intercept are of both signs wherever the point is.
        """
        assert here.rising is not None
        up = adversary.mixing @ here.rising
        down = adversary.mixing @ np.column_stack([here.losses, here.gradients]) - up
        owner = np.arange(adversary.sides)
        both = np.concatenate([up, down])
        born = np.repeat(_HALVES, adversary.sides)
        return cls(np.concatenate([owner, owner]), both[:, 0], both[:, 1:], born)

    def joined(self, other: Cuts) -> Cuts:
        """All of both, of the same centre."""
        return Cuts(
            *(np.concatenate([mine, its]) for mine, its in zip(self._parts, other._parts, strict=True))
        )

    def kept(self, which: AnyArray) -> Cuts:
        """Some of them."""
        return Cuts(*(part[which] for part in self._parts))

    def moved(self, step: FloatArray) -> Cuts:
        """The same lines, with their heights at another centre."""
        return replace(self, heights=self.heights + self.slopes @ step)

    def line(self, weights: FloatArray, shifts: FloatArray) -> Line:
        """The sum of the lines, shifts added, by (C,) weights whose sums over the sides are in Q."""
        return Line(float(weights @ (self.heights + shifts[self.owner])), weights @ self.slopes)

    def told_at(self, born: int, sides: FloatArray) -> FloatArray | None:
        """(C,) weights that are those of (H,) sides for the lines of one time; None where some are gone."""
        there = self.born == born
        if there.sum() < len(sides):
            return None
        return np.where(there, sides[self.owner], 0.0)

    @property
    def _parts(self) -> tuple[AnyArray, ...]:
        return self.owner, self.heights, self.slopes, self.born


@final
@dataclass(frozen=True)
class CutModel:
    """min over d of max over q in Q of the cuts, bent by d'N d / 2: how low, and where.

    Attributes
    ----------
    weights : (C,) of the cuts. sides : (H,) their sums, q.
    value : the least.
    """

    weights: FloatArray
    sides: FloatArray
    value: float

    @classmethod
    def of(cls, cuts: Cuts, heights: FloatArray, gram: FloatArray, ambiguity: Ambiguity) -> CutModel:
        """By the dual problem, a quadratic program in the weights.

        Parameters
        ----------
        heights : (C,) of the lines at d = 0, with all that is added to them there.
        gram : (C, C) products of their slopes in the inverse of N.
        """
        level = float(heights.max())
        dual = _Dual(heights - level, 0.5 * (gram + gram.T))
        alone = len(heights) == 1
        weights = np.ones(1) if alone else maximise(dual, ambiguity, cuts.owner)
        sides = np.bincount(cuts.owner, weights, len(ambiguity.shares))
        return cls(weights, np.asarray(sides, dtype=np.float64), dual.at(weights)[0] + level)


@final
@dataclass(frozen=True)
class _Dual:
    """x'heights - x'gram x / 2."""

    heights: FloatArray
    gram: FloatArray

    def at(self, x: FloatArray) -> tuple[float, FloatArray, FloatArray]:
        bent = self.gram @ x
        return float(self.heights @ x - 0.5 * x @ bent), self.heights - bent, self.gram


@final
@dataclass(frozen=True)
class Floor:
    """How low a line and the penalty above it can be, in the models that are no worse than a known one.

    Attributes
    ----------
    bend : (m,) curvature of the penalty.
    low, high : (q - m,) limits of the intercept in those models; infinite where they are not known.
    """

    bend: FloatArray
    low: FloatArray
    high: FloatArray

    @classmethod
    def of(cls, problem: GroupProblem, adversary: Adversary, here: GroupEvaluation) -> Floor:
        """The limits from the halves of the losses at a point; by the shares, which are in Q."""
        m = problem.penalised
        bend = problem.penalty.curvature(np.zeros(m))
        open_ended = np.full(problem.parameters - m, np.inf)
        floor, theta = cls(bend, -open_ended, open_ended), here.point.theta[0]
        if here.rising is None:
            return floor
        limits = []
        for line in halves_of(problem, adversary, here):
            flat = Line(line.height, np.append(line.slope[:m], 0.0))
            with np.errstate(divide="ignore"):
                limits.append(theta[m:] + (here.value - floor.least(flat, theta)) / line.slope[m])
        high, low = limits
        return cls(bend, np.where(low < np.inf, low, -np.inf), np.where(high > -np.inf, high, np.inf))

    @property
    def proves(self) -> bool:
        """Whether any line has a floor."""
        return bool((self.bend > 0.0).all() and np.isfinite(self.high - self.low).all())

    def least(self, line: Line, theta: FloatArray) -> float:
        """min of line + penalty within the limits; ``theta`` (q,) is the centre of the line."""
        m = len(self.bend)
        w, free = theta[:m], line.slope[m:]
        pull = line.slope[:m] + self.bend * w
        with np.errstate(divide="ignore", invalid="ignore"):
            fall = np.where(pull == 0.0, 0.0, 0.5 * np.square(pull) / self.bend)
            rest = np.where(free == 0.0, 0.0, free * (np.where(free > 0.0, self.low, self.high) - theta[m:]))
        return line.height + 0.5 * float(self.bend @ np.square(w)) - float(fall.sum()) + float(rest.sum())

    def balanced(self, line: Line, others: Sequence[Line], theta: FloatArray) -> float:
        """The same of the best mixture with another line in which the slope in the intercept is zero."""
        found = [self.least(line, theta)]
        m = len(self.bend)
        for other in others if len(theta) == m + 1 else ():
            mine, its = line.slope[m], other.slope[m]
            if mine * its < 0.0:
                found.append(self.least(line.mixed(other, mine / (mine - its)), theta))
        return max(found)


def halves_of(problem: GroupProblem, adversary: Adversary, here: GroupEvaluation) -> tuple[Line, ...]:
    """The tangents of the mean loss of the rows that rise and of those that fall; none without an intercept.

    The shares of the groups, which are in Q, make them lines below the risk.
    """
    if here.rising is None:
        return ()
    cuts, shares = Cuts.halves(adversary, here), adversary.ambiguity.shares
    weights = [cuts.told_at(born, shares) for born in _HALVES]
    shifts = adversary.mixing @ problem.shifts
    return tuple(cuts.line(one, shifts) for one in weights if one is not None)


def least_risk(
    cuts: Cuts, adversary: Adversary, shifts: FloatArray, floor: Floor, theta: FloatArray, steep: float
) -> tuple[float, CutModel]:
    """What the risk, with its penalty, is nowhere below: the dual problem of cuts and penalty, solved.

    Parameters
    ----------
    cuts : of the centre ``theta`` (q,). shifts : (H,) what is added to the losses of sides.
    floor : the penalty, and the limits of the intercept.
    steep : the curvature of the losses in the intercept, about.
    """
    m = len(floor.bend)
    w, free = theta[:m], cuts.slopes[:, m:]
    slopes = cuts.slopes[:, :m] + floor.bend * w
    heights = cuts.heights + shifts[cuts.owner] + 0.5 * float(floor.bend @ np.square(w))
    gram = (slopes / floor.bend) @ slopes.T + free @ free.T / (_SOFT * steep)
    model = CutModel.of(cuts, heights, gram, adversary.ambiguity)
    lines = [
        cuts.line(weights, shifts)
        for born in np.unique(cuts.born)
        if (weights := cuts.told_at(int(born), model.sides)) is not None
    ]
    return floor.balanced(cuts.line(model.weights, shifts), lines, theta), model
