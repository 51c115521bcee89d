"""What a bundle knows of the losses of groups: lines below them, a metric, and how low the risk can be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import final

import numpy as np

from daskml_dist.kernels import Point
from daskml_dist.solvers.certificate import Gap
from daskml_dist.solvers.group_bound import Adversary, CutModel, Cuts, Floor, least_risk
from daskml_dist.solvers.group_problem import GroupEvaluation, GroupProblem
from daskml_dist.solvers.metric import Metric
from daskml_dist.solvers.pace import yet_to_fall
from daskml_dist.types import AnyArray, FloatArray

_MOST_BYTES = 1 << 28  # of all lines
_MOST_CUTS = 160  # that are remembered, beside those that must be
_MOST_HALVED = 50  # groups up to which the halves of the losses are remembered
_SERIOUS = 0.1  # share of what the model promises from which on a step is made
_IDLE = 1e-10  # weight below which a line is forgotten
_ROUNDING = 1e-14
_FLAT = 1e-15  # of the risk: what is promised below that is rounding
_PRECISE = 1e-12  # of the risk: the weights of lines are known no better
_BRACKET = 0.1  # times tol: how much higher the risk is at either side of a bracket of the intercept
_UNPROVABLE = 1e-4  # times tol: an estimate that small and still not proven
_PACE = 5  # passes whose decreases tell how fast the risk falls
_EPS = 32 * float(np.finfo(np.float64).eps)


@final
@dataclass(frozen=True)
class BundleStep:
    """Where the bent maximum of the lines is least.

    Attributes
    ----------
    step : (q,) from the centre. model : the weights of the lines there.
    promised : how far it is below the risk at the centre.
    """

    step: FloatArray
    model: CutModel
    promised: float


@final
@dataclass(frozen=True)
class Bundle:
    """Lines below the losses, around the best point so far.

    Attributes
    ----------
    problem, adversary, floor : what is solved, who chooses weights, and what proves.
    centre : the best point so far.
    cuts : the lines.
    metric, mu : the bend of a step is mu d'M d / 2.
    null_value : the risk of the constant model.
    born, centred : how often lines were told, and when those of the centre were.
    lowest : the risk is nowhere below.
    falls : of the risk, in the last steps.
    nulls : points in a row that were no better.
    bracketed : whether the last points were both sides of a bracket.
    """

    problem: GroupProblem
    adversary: Adversary
    floor: Floor
    centre: GroupEvaluation
    cuts: Cuts
    metric: Metric
    null_value: float
    mu: float
    lowest: float
    born: int = 0
    centred: int = 0
    falls: tuple[float, ...] = ()
    nulls: int = 0
    bracketed: bool = False

    @classmethod
    def begun(
        cls, problem: GroupProblem, here: GroupEvaluation, metric: Metric, null_value: float, mu: float
    ) -> Bundle:
        """The lines of one point."""
        adversary = Adversary.of(problem)
        cuts = Cuts.touching(adversary, here, 0)
        if here.rising is not None and adversary.sides <= _MOST_HALVED:
            cuts = cuts.joined(Cuts.halves(adversary, here))
        floor = Floor.of(problem, adversary, here)
        known = null_value if np.isfinite(null_value) else here.value
        lowest = problem.risk.value(
            problem.shifts, problem.shares
        )  # neither losses nor penalties are negative
        return cls(problem, adversary, floor, here, cuts, metric, known, mu, lowest)

    @property
    def shifts(self) -> FloatArray:
        """(H,) what is added to the losses of the sides."""
        return np.asarray(self.adversary.mixing @ self.problem.shifts)

    def weights(self, step: BundleStep) -> FloatArray:
        """(G,) of the groups."""
        return np.asarray(step.model.sides @ self.adversary.mixing)

    def step(self) -> BundleStep:
        """The quadratic program in the weights of all lines."""
        m, theta = self.problem.penalised, self.centre.point.theta[0]
        slopes = self.cuts.slopes.copy()
        slopes[:, :m] += self.problem.penalty.gradient(theta[:m])
        heights = (
            self.cuts.heights + self.shifts[self.cuts.owner] + float(self.problem.penalty.value(theta[:m]))
        )
        solved = np.stack([self.metric.solve(slope) for slope in slopes]) / self.mu
        model = CutModel.of(self.cuts, heights, slopes @ solved.T, self.adversary.ambiguity)
        return BundleStep(-(model.weights @ solved), model, self.centre.value - model.value)

    def proven(self, step: BundleStep, certify: bool) -> tuple[Bundle, AnyArray]:
        """The same with what its lines prove, and (C,) the largest weight of each line in either program."""
        if not (certify and self.floor.proves):
            return self, step.model.weights
        m = self.problem.penalised
        steep = float(self.metric.scale[-1]) ** 2 if len(self.metric.scale) > m else 1.0
        theta = self.centre.point.theta[0]
        bound, model = least_risk(self.cuts, self.adversary, self.shifts, self.floor, theta, steep)
        used = np.maximum(step.model.weights, model.weights)
        return replace(self, lowest=max(self.lowest, bound)), used

    def gaps(self, step: BundleStep) -> tuple[float, float]:
        """What is proven, and what is estimated, relative."""
        value, weights = self.centre.value, self.weights(step)
        certain = max(value - self.lowest, 0.0) + _EPS * abs(value)
        promised = max(step.promised, 0.0) * max(self.mu, 1.0)
        guess = min(max(promised, yet_to_fall(self.falls)), certain)
        return (
            self.problem.relative(certain, value, weights, self.null_value),
            self.problem.relative(guess, value, weights, self.null_value),
        )

    def flat(self, step: BundleStep) -> bool:
        """Whether what is promised is rounding."""
        return not step.promised > _FLAT * abs(self.centre.value)

    def brackets(self, step: BundleStep, certify: bool) -> bool:
        """Whether only a proof is left, for which both sides of the minimum in the intercept are asked.

        Where that was done and not enough, a better point is needed first.
        """
        certain, guess = self.gaps(step)
        free = len(self.centre.point.theta[0]) - self.problem.penalised
        possible = certify and self.floor.proves and free == 1 and not self.bracketed
        return possible and guess <= self.problem.tol < certain

    def gap(self, step: BundleStep, certify: bool) -> Gap:
        """What is told: the proof where there can be one, unless there is nothing left to do without it."""
        certain, guess = self.gaps(step)
        tol = self.problem.tol
        if not (certify and self.floor.proves):
            return Gap(guess, "estimate")
        precise = step.promised <= _PRECISE * abs(self.centre.value)
        ended = guess <= _UNPROVABLE * tol or (precise and guess <= tol)
        if certain > tol and ended and not self.brackets(step, certify):
            return Gap(guess, "estimate")
        return Gap(certain, "duality")

    def targets(self, step: BundleStep, certify: bool) -> tuple[Point, ...]:
        """Where to look next: at the end of the step, or on both sides of it in the intercept."""
        point = self.centre.point
        theta = point.theta[0] + step.step
        if not self.brackets(step, certify):
            return (point.at(theta[None]),)
        unit = 1.0 / self.problem.relative(1.0, self.centre.value, self.weights(step), self.null_value)
        aside = np.zeros_like(theta)
        aside[-1] = np.sqrt(2.0 * _BRACKET * self.problem.tol * unit) / self.metric.scale[-1]
        return point.at((theta - aside)[None]), point.at((theta + aside)[None])

    def told(self, step: BundleStep, used: AnyArray, found: Sequence[GroupEvaluation]) -> Bundle:
        """The same with the lines of new points, around the best of them if it is low enough."""
        finite = [there for there in found if np.isfinite(there.value)]
        if not finite:
            return replace(self, mu=10.0 * self.mu, nulls=self.nulls + 1)
        cuts, first = self.cuts.kept(self._kept(used)), self.born + 1
        for born, there in enumerate(finite, first):
            back = self.centre.point.theta[0] - there.point.theta[0]
            cuts = cuts.joined(Cuts.touching(self.adversary, there, born).moved(back))
        best = min(range(len(finite)), key=lambda k: finite[k].value)
        told = replace(self, cuts=cuts, born=self.born + len(finite))
        return told._moved(step, finite[best], first + best, bracketed=len(found) > 1)

    def _moved(self, step: BundleStep, there: GroupEvaluation, born: int, *, bracketed: bool) -> Bundle:
        """A serious step, or none; what it teaches of curvature is learned in either case."""
        m, old, new = self.problem.penalised, self.centre.point.theta[0], there.point.theta[0]
        change = self.weights(step) @ (there.gradients - self.centre.gradients)
        penalty = self.problem.penalty
        change[:m] += penalty.gradient(new[:m]) - penalty.gradient(old[:m])
        metric = self.metric.updated(new - old, change)
        fall = self.centre.value - there.value
        ratio = fall / step.promised
        serious = fall >= _SERIOUS * step.promised - _ROUNDING * abs(self.centre.value)
        mu = self.mu
        if not bracketed:
            mu = _next_mu(mu, ratio, self.nulls)
        if not serious:
            nulls = self.nulls + (not bracketed)
            return replace(self, metric=metric, mu=mu, nulls=nulls, bracketed=bracketed)
        return replace(
            self,
            centre=there,
            cuts=self.cuts.moved(new - old),
            metric=metric,
            mu=mu,
            centred=born,
            falls=(*self.falls, fall)[-_PACE:],
            nulls=0,
            bracketed=bracketed,
        )

    def _kept(self, used: AnyArray) -> AnyArray:
        """(C,) which lines are remembered: of the start, of the centre, the latest, and those in use."""
        born = self.cuts.born
        must = (born < 0) | (born == self.centred) | (born == self.born)
        room = _MOST_BYTES // (8 * self.problem.parameters) - int(must.sum())
        most = max(min(room, max(_MOST_CUTS, self.adversary.sides)), 0)
        score = np.where(must, -1.0, used)
        chosen = np.argsort(-score, kind="stable")[:most]
        return np.asarray(must | (np.isin(np.arange(len(born)), chosen) & (score > _IDLE)))


def _next_mu(mu: float, ratio: float, nulls: int) -> float:
    """How strongly to bend, by the share of what was promised that was found."""
    if ratio >= 1.5:
        return max(0.5 * mu, 0.125)
    if ratio < _SERIOUS:
        return mu * (1.5 if nulls else 1.0)
    return max(0.5 * mu, 1.0) if mu > 1.0 and ratio > 0.5 else mu
