"""What looks at a loss with kinks have told: the best point, and how low F can be at most."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import final

import numpy as np

from daskml_dist.kernels import Point
from daskml_dist.losses import PiecewiseLinear, Smoothed
from daskml_dist.solvers._base import Problem, Progress, State
from daskml_dist.solvers.descent import Evaluation
from daskml_dist.solvers.lower_model import Told
from daskml_dist.solvers.metric import Metric
from daskml_dist.solvers.model_step import model_step
from daskml_dist.types import FloatArray

_ROUNDING = 32 * np.finfo(np.float64).eps


def convexity(problem: Problem) -> FloatArray | None:
    """(q,) curvatures of the penalty, where it is smooth and all of them are above zero."""
    curvature = problem.penalty.curvature(np.zeros(problem.penalised))
    whole = problem.parameters == problem.penalised and problem.penalty.smooth
    return curvature if whole and (curvature > 0.0).all() else None


@final
@dataclass(frozen=True)
class Look:
    """F at a point, and what is below it.

    Attributes
    ----------
    problem : with the smoothed loss. here : F of it. told : the answer.
    value : F itself. level : the lines below the losses, with the penalty, at the point.
    step, decrease : of Newton's method for the smoothed loss.
    bound : F is nowhere below; -inf where that is not known. guess : of the same.
    """

    problem: Problem
    here: Evaluation
    told: Told
    value: float
    level: float
    step: FloatArray
    decrease: float
    bound: float
    guess: float

    @classmethod
    def of(cls, problem: Problem, point: Point, told: Told) -> Look:
        """From an answer at a point.

        The lines and a penalty with curvatures mu are a quadratic below F. Its gradient at the point is g,
        that of the smoothed F, and its minimum is lower by the sum of g^2 / (2 mu).
        """
        assert isinstance(problem.loss, PiecewiseLinear)
        smooth = replace(problem, loss=Smoothed(problem.loss, told.answer.width))
        here = Evaluation.of(smooth, point, told.answer.answer)
        assert here.hessian is not None
        total, theta = here.answer.weight_sum, point.theta[0]
        penalty = float(problem.penalty.value(theta[: problem.penalised]))
        level = told.answer.line / total + penalty
        step, decrease = model_step(problem, point, here.gradient, Metric.of(here.hessian))
        curvature, bound = convexity(problem), told.bound
        if curvature is not None:
            bound = max(bound, level - 0.5 * float(np.sum(np.square(here.gradient) / curvature)))
        value, decrease = told.answer.value / total + penalty, max(0.0, decrease)
        return cls(smooth, here, told, value, level, step, decrease, bound, level - decrease)

    def beyond(self, width: float) -> FloatArray:
        """(q,) the further step that a smaller width asks for, where the rows at the kinks stay the same.

        The distance u of these rows to the kink shrinks with the width, as their pull a = mid + u / width has
        to stay: the path that the solution follows, to first order.
        """
        if not self.problem.penalty.smooth:
            return np.zeros_like(self.step)
        assert self.here.answer.hessian is not None and self.here.hessian is not None
        rows = self.here.answer.hessian[0] / self.here.answer.weight_sum
        lean = self.told.answer.lean / self.here.answer.weight_sum - rows @ self.step
        ratio = self.width / width
        return (ratio - 1.0) * Metric.of(self.here.hessian + (ratio - 1.0) * rows).solve(lean)

    @property
    def width(self) -> float:
        """Of the smoothed kinks."""
        return self.told.answer.width

    @property
    def inside(self) -> int:
        """Rows within the smoothed kinks."""
        return self.told.answer.inside

    @property
    def blur(self) -> float:
        """What the width costs: how far the lines are below the losses."""
        return max(0.0, self.value - self.level)


@final
@dataclass(frozen=True)
class Known:
    """What is known of F.

    Attributes
    ----------
    null_value : F of the constant model; NaN where the first look is at that.
    best : the look at the lowest F.
    bound : F is nowhere below. guess : of the same, as the last look has it.
    refused : how many linear programs had no solution, or one that was no better.
    """

    null_value: float
    best: Look | None = None
    bound: float = -np.inf
    guess: float = -np.inf
    refused: int = 0

    def improved(self, look: Look) -> bool:
        """Whether F is lower than ever."""
        return self.best is None or look.value < self.best.value

    def after(self, look: Look, *, failed: bool) -> Known:
        """With one look more; ``failed`` where a linear program was of no use."""
        return Known(
            look.value if np.isnan(self.null_value) else self.null_value,
            look if self.improved(look) else self.best,
            max(self.bound, look.bound),
            look.guess,
            self.refused + failed,
        )

    @property
    def scale(self) -> float:
        """What a relative gap is relative to."""
        assert self.best is not None
        return max(self.best.value, 1e-3 * self.null_value, float(np.finfo(np.float64).tiny))

    def at(self, problem: Problem, look: Look) -> tuple[Look, float, bool]:
        """The point to end with, its relative gap, and whether that is proven.

        The last one is taken where it is near enough: of a point that is known by its value only, a fit that
        goes on would have to prove the gap anew. A proof of a gap that is far from enough is not told.
        """
        assert self.best is not None
        for each in (look, self.best):
            gap = self._relative(each, self.bound)
            if gap <= problem.tol:
                return each, gap, True
        return self.best, min(self._relative(self.best, self.guess), self.best.value / self.scale), False

    def _relative(self, look: Look, bound: float) -> float:
        return (max(0.0, look.value - bound) + _ROUNDING * look.value) / self.scale

    def state(self, problem: Problem, look: Look, state: State) -> State:
        """The state that knows the point to end with."""
        at, gap, proven = self.at(problem, look)
        progress = Progress(
            objective=at.value,
            gap=gap,
            gap_kind="duality" if proven else "estimate",
            gradient_norm=float(np.linalg.norm(look.here.pull)),
            step_size=float(np.linalg.norm(look.step)),
        )
        numbers = {"width": float(look.width), "null_value": float(self.null_value)}
        return State(state.passes, at.here.point, progress, {}, numbers)

    def settled(self, problem: Problem, look: Look, provable: bool) -> bool:
        """Whether the gap is small enough, and proven where it can be."""
        _, gap, proven = self.at(problem, look)
        return gap <= problem.tol and (proven or not provable)
