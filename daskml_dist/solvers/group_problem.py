"""The problem of the worst weights of groups, and what is known of it at a point."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import final

import numpy as np

from daskml_dist.kernels import Point, Question, Sweep, SweepAnswer, Together, View
from daskml_dist.risks import Risk, WorstGroup
from daskml_dist.solvers._base import Problem
from daskml_dist.solvers.descent import TRIAL_STEPS
from daskml_dist.solvers.saddle import GroupModels
from daskml_dist.types import AnyArray, FloatArray


@final
@dataclass(frozen=True)
class GroupProblem(Problem):
    """minimise R(J_1(w, b) + c_1, ..., J_G(w, b) + c_G) + penalty(w), where J_i is the mean loss of group i.

    Attributes
    ----------
    risk : R.
    groups : rows of each group.
    shares : (G,) its share of all weight.
    shifts : (G,) c, what is added to its loss.
    """

    risk: Risk = field(default_factory=WorstGroup)
    groups: AnyArray = field(default_factory=lambda: np.ones(1, dtype=np.int64))
    shares: FloatArray = field(default_factory=lambda: np.ones(1))
    shifts: FloatArray = field(default_factory=lambda: np.zeros(1))

    @property
    def n_groups(self) -> int:
        """G."""
        return len(self.groups)

    def question(
        self,
        point: Point,
        *,
        hessian: bool,
        factor: FloatArray | None = None,
        direction: FloatArray | None = None,
    ) -> Question[tuple[SweepAnswer, ...]]:
        """The same sweep for each group, in one pass."""
        sweep = Sweep(
            self.loss,
            point,
            direction=None if direction is None else direction[None],
            steps=() if direction is None else TRIAL_STEPS,
            hessian=hessian,
            factor=factor,
        )
        views = tuple(View(group=group) for group in range(self.n_groups))
        return Question(Together((Question(sweep),) * self.n_groups, views))

    def risk_of(self, losses: FloatArray, point: Point) -> float:
        """R of (G,) mean losses at a point, with shifts and penalty."""
        penalty = float(self.penalty.value(point.theta[0, : self.penalised]))
        return self.risk.value(losses + self.shifts, self.shares) + penalty


@final
@dataclass(frozen=True)
class GroupEvaluation:
    """The mean losses of groups at a point and their derivatives, those of the common penalty apart.

    Attributes
    ----------
    losses : (G,) J, without shifts. gradients : (G, q). hessians : (G, q, q), or None.
    trials : (T, G) J at the trial steps.
    radius : see ``SweepAnswer``.
    value : the risk, with shifts and penalty.
    """

    point: Point
    losses: FloatArray
    gradients: FloatArray
    hessians: FloatArray | None
    trials: FloatArray
    radius: float | None
    value: float

    @classmethod
    def of(cls, problem: GroupProblem, point: Point, answers: tuple[SweepAnswer, ...]) -> GroupEvaluation:
        """From the answers of the groups."""
        totals = np.array([answer.weight_sum for answer in answers])
        losses = np.array([answer.value[0] for answer in answers]) / totals
        hessians = None
        if answers[0].hessian is not None:
            hessians = np.stack([answer.hessian[0] for answer in answers if answer.hessian is not None])
            hessians /= totals[:, None, None]
        radii = [answer.radius for answer in answers if answer.radius is not None]
        return cls(
            point,
            losses,
            np.stack([answer.gradient[0] for answer in answers]) / totals[:, None],
            hessians,
            np.stack([answer.trials[0] for answer in answers], axis=1) / totals,
            max(radii, default=None),
            problem.risk_of(losses, point),
        )

    def models(self, problem: GroupProblem) -> GroupModels:
        """Parabolas of the losses of the groups, with shifts and penalty, around the point."""
        assert self.hessians is not None
        m, theta = problem.penalised, self.point.theta[0, : problem.penalised]
        gradients, hessians = self.gradients.copy(), self.hessians.copy()
        gradients[:, :m] += problem.penalty.gradient(theta)
        hessians[:, np.arange(m), np.arange(m)] += problem.penalty.curvature(theta)
        return GroupModels(
            self.losses + problem.shifts + float(problem.penalty.value(theta)), gradients, hessians
        )
