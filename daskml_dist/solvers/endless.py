"""Objectives without a minimum: separated classes, and what else lets coefficients grow for ever."""

from __future__ import annotations

import numpy as np

from daskml_dist.kernels import Point, Question, Sweep, SweepAnswer
from daskml_dist.solvers._base import Problem
from daskml_dist.types import FloatArray

_FAR = 10.0
_NEARLY_PERFECT = 1e-2
_SLOW = 0.1
_EPS = np.finfo(np.float64).eps

ENDLESS = (
    "the coefficients have no finite optimum: ten times the last step lowers the objective still, as where a "
    "hyperplane separates the classes, or where a column is zero for all events. The gap holds for the "
    "objective, not for the coefficients. Use a penalty (a smaller C, an alpha above zero), or leave out the "
    "columns whose coefficients are huge"
)


def suspected(problem: Problem, perfection: float, gained: float, *, exact: bool) -> bool:
    """Whether a fit whose gap is not proven may have been running along a ray without end.

    With a penalty there is none. Without one, Newton's steps along the ray move some margins by about 1
    each, and shrink the gap by a factor of about e each, while near a minimum they shrink it ever faster.

    Parameters
    ----------
    problem : what is solved.
    perfection : F over F of the constant model.
    gained : the factor that the last pass gained on the gap, or NaN where it was the first.
    exact : whether the steps were Newton's.
    """
    if problem.loss.quadratic or problem.penalty.strong_convexity > 0.0 or not problem.penalty.smooth:
        return False
    return perfection < _NEARLY_PERFECT or (exact and not gained < _SLOW)


def question(problem: Problem, point: Point, step: FloatArray) -> Question[SweepAnswer]:
    """F far beyond the point, where a minimum nearby would have been left behind."""
    return Question(Sweep(problem.loss, point, direction=step[None], steps=(_FAR,)))


def confirmed(problem: Problem, point: Point, value: float, step: FloatArray, far: SweepAnswer) -> bool:
    """Whether F is still lower there: a quadratic with its minimum at the step rises after twice of it."""
    theta = (point.theta[0] + _FAR * step)[: problem.penalised]
    beyond = float(far.trials[0, 0]) / far.weight_sum + float(problem.penalty.value(theta))
    return bool(value - beyond > 8 * _EPS * abs(value))
