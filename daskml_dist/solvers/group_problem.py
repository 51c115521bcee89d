"""The problem of the worst weights of groups, and what is known of it at a point."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, final

import numpy as np

from daskml_dist.errors import UnsupportedCombination
from daskml_dist.kernels import Point, Question, Sweep, SweepAnswer, Together, View
from daskml_dist.risks import Risk, WorstGroup
from daskml_dist.solvers._base import Problem, Solver, State, Turn
from daskml_dist.solvers.descent import TRIAL_STEPS, retreat
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
    names : what the groups are called, for whoever watches; empty for their numbers.
    """

    risk: Risk = field(default_factory=WorstGroup)
    groups: AnyArray = field(default_factory=lambda: np.ones(1, dtype=np.int64))
    shares: FloatArray = field(default_factory=lambda: np.ones(1))
    shifts: FloatArray = field(default_factory=lambda: np.zeros(1))
    names: tuple[str, ...] = ()

    @property
    def n_groups(self) -> int:
        """G."""
        return len(self.groups)

    @property
    def views(self) -> tuple[View, ...]:
        """How each group sees the rows."""
        return tuple(View(group=group) for group in range(self.n_groups))

    def question(
        self,
        *points: Point,
        hessian: bool,
        factor: FloatArray | None = None,
        direction: FloatArray | None = None,
        steps: tuple[float, ...] = TRIAL_STEPS,
        rising: bool = False,
    ) -> Question[tuple[SweepAnswer, ...]]:
        """The same sweep for each group, in one pass; of several points, one point after the other."""
        sweeps = [
            Sweep(
                self.loss,
                point,
                direction=None if direction is None else direction[None],
                steps=() if direction is None else steps,
                hessian=hessian,
                factor=factor,
                rising=rising,
            )
            for point in points
        ]
        asked: tuple[Question[SweepAnswer], ...] = tuple(
            Question(sweep) for sweep in sweeps for _ in range(self.n_groups)
        )
        return Question(Together(asked, self.views * len(points)))

    def relative(self, gap: float, value: float, weights: FloatArray, null_value: float) -> float:
        """A gap in units of the mean loss with the worst weights, without shifts; that of ``tol``."""
        unshifted = value - float(weights @ self.shifts)
        return gap / max(abs(unshifted), 1e-3 * abs(null_value), float(np.finfo(np.float64).tiny))

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
    rising : (G, 1 + q) value and gradient over the rows alone whose slope is above zero, or None.
    """

    point: Point
    losses: FloatArray
    gradients: FloatArray
    hessians: FloatArray | None
    trials: FloatArray
    radius: float | None
    value: float
    rising: FloatArray | None = None

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
        rising = [answer.rising for answer in answers if answer.rising is not None]
        return cls(
            point,
            losses,
            np.stack([answer.gradient[0] for answer in answers]) / totals[:, None],
            hessians,
            np.stack([answer.trials[0] for answer in answers], axis=1) / totals,
            max(radii, default=None),
            problem.risk_of(losses, point),
            np.stack(rising) / totals[:, None] if rising else None,
        )

    @classmethod
    def each(
        cls, problem: GroupProblem, points: Sequence[Point], answers: tuple[SweepAnswer, ...]
    ) -> list[GroupEvaluation]:
        """From the answers of several points."""
        G = problem.n_groups
        return [cls.of(problem, point, answers[k * G : (k + 1) * G]) for k, point in enumerate(points)]

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


class GroupSolver(Solver):
    """A solver of problems of groups.

    Attributes
    ----------
    risks : the names of the risks that it knows; None for all.
    """

    risks: ClassVar[frozenset[str] | None] = None

    def refuse_risk(self, risk: Risk) -> None:
        """Raise UnsupportedCombination where this solver does not know the risk."""
        if self.risks is not None and risk.name not in self.risks:
            raise UnsupportedCombination(
                f"solver={self.name!r} knows the risks {sorted(self.risks)!r}; given was {risk!r}. Use "
                "solver='auto', 'group-newton' or 'bundle', which know all of them."
            )


def first_look(
    problem: GroupProblem, point: Point, state: State, *, certify: bool
) -> Generator[Turn, Any, tuple[GroupEvaluation, State]]:
    """The risk at the start, or at the constant model where it overflows there, and all that proofs need."""
    rising = certify and problem.margins == 1 and problem.parameters == problem.penalised + 1
    while True:
        answers = yield Turn(problem.question(point, hessian=False, rising=rising), state)
        here = GroupEvaluation.of(problem, point, answers)
        state = replace(state, passes=state.passes + 1)
        if np.isfinite(here.value) or state.passes >= problem.max_passes:
            return here, state
        point = retreat(problem, point)
