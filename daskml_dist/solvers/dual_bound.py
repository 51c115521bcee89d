"""How low F can be at most, from one gradient: the dual objective, with absolute values and bounds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np

from daskml_dist.kernels import Point, SweepAnswer
from daskml_dist.solvers._base import Problem
from daskml_dist.types import FloatArray


@final
@dataclass(frozen=True)
class _Lines:
    """A function below the mean loss: level + slope'd at a distance d from the point."""

    level: float
    slope: FloatArray  # (m,) in the penalised parameters; zero in a free intercept


def dual_bound(problem: Problem, point: Point, answer: SweepAnswer, value: float) -> float:
    """F is nowhere below; -inf where nothing is known. Derivation in docs/certificates.md.

    Parameters
    ----------
    problem : what is solved, with a loss that is convex.
    point, answer, value : where a sweep was asked for, what it told (with ``rising`` where an intercept is
        free), and F there.
    """
    lines = _lines(problem, answer)
    if lines is None:
        return -np.inf
    theta = point.theta[0, : problem.penalised]
    return lines.level - float(lines.slope @ theta) + _least(problem, lines.slope, value)


def _lines(problem: Problem, answer: SweepAnswer) -> _Lines | None:
    """The lines that touch the losses at the point; with a free intercept, a share of some of them.

    Their slopes must add up to zero, or a large intercept would take them anywhere. Rows whose line rises and
    rows whose line falls are weighed against each other: since a loss is never negative, any share of its
    line is below it too.
    """
    total, m = answer.weight_sum, problem.penalised
    level, gradient = float(answer.value[0]) / total, answer.gradient[0] / total
    if gradient.size == m:
        return _Lines(level, gradient)
    if gradient.size > m + 1 or answer.rising is None:
        return None
    rising = answer.rising / total
    up, down = rising[-1], gradient[-1] - rising[-1]
    if gradient[-1] > 0.0:
        lost = gradient[-1] / up
        return _Lines(level - lost * rising[0], (gradient - lost * rising[1:])[:m])
    if gradient[-1] < 0.0:
        lost = gradient[-1] / down
        return _Lines(level - lost * (level - rising[0]), (gradient - lost * (gradient - rising[1:]))[:m])
    return _Lines(level, gradient[:m])


def _least(problem: Problem, slope: FloatArray, value: float) -> float:
    """min over w of slope'w + penalty(w), where F(w) is no more than ``value``.

    A coordinate whose slope is steeper than its l1 would fall for ever, unless it is bent by a ridge or
    bounded. But F is at least sum_j l1_j |w_j|, so that |w| is no more than F allows at the minimum.
    """
    m, penalty = problem.penalised, problem.penalty
    l1, bend = np.broadcast_to(penalty.l1, (m,)), penalty.curvature(np.zeros(m))
    pull = np.sign(slope) * np.maximum(np.abs(slope) - l1, 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        end = np.where(pull == 0.0, 0.0, np.clip(-pull / bend, penalty.lower, penalty.upper))
        fall = np.where(end == 0.0, 0.0, end * pull + 0.5 * bend * np.square(end))
        free = (l1 > 0.0) & np.isinf(np.where(pull > 0.0, penalty.lower, penalty.upper))
        steep = np.where(free, np.abs(pull) / l1, 0.0)
    fall = np.where(np.isinf(end), -np.inf, fall)
    within = float(np.sum(fall[~free])) - float(steep.max(initial=0.0)) * value
    return max(float(fall.sum()), within)
