"""The step to the minimum of the quadratic model around a point, whatever is not smooth in the penalty."""

from __future__ import annotations

import numpy as np
from scipy.linalg import lstsq

from daskml_dist.kernels import Point
from daskml_dist.solvers._base import Problem
from daskml_dist.solvers.box_lasso import BoxLasso
from daskml_dist.solvers.metric import Metric
from daskml_dist.types import FloatArray

_SINGULAR = 1e-14  # of the largest singular value: what is below is rounding
_MOST_TIMES = 10.0  # smaller or larger is a scale after a step: near a perfect fit the model knows no end


def model_step(
    problem: Problem, point: Point, gradient: FloatArray, metric: Metric
) -> tuple[FloatArray, float]:
    """(q,) step d and decrease of g'd + d'Bd / 2 + penalty, where B is the metric.

    Newton's step where the penalty is smooth, as far as a scale that is learned may change; otherwise that of
    the proximal Newton method (Lee, Sun and Saunders 2014, "Proximal Newton-type methods", equation 2.5).

    Parameters
    ----------
    problem : what is solved; its penalty is one of the first ``problem.penalised`` parameters.
    point : where.
    gradient : (q,) of the smooth part of F there.
    """
    if not problem.penalty.smooth:
        return _in_box(problem, point, gradient, metric)
    step = -metric.solve(gradient)
    if point.scale is not None:
        scale = float(point.scale[0])
        change = float(np.clip(step[-1], scale / _MOST_TIMES - scale, scale * _MOST_TIMES - scale))
        if change != step[-1]:
            return _to_scale(change, gradient, metric)
    return step, -0.5 * float(gradient @ step)


def _in_box(problem: Problem, point: Point, gradient: FloatArray, metric: Metric) -> tuple[FloatArray, float]:
    """The minimum of the model with a penalty that is not smooth."""
    return box_step(point.theta[0], gradient, metric.matrix, *box_of(problem, gradient.size))


def box_step(
    theta: FloatArray,
    gradient: FloatArray,
    B: FloatArray,
    l1: FloatArray,
    lower: FloatArray,
    upper: FloatArray,
) -> tuple[FloatArray, float]:
    """(q,) step d and decrease of g'd + d'Bd / 2 + sum_j l1_j |theta_j + d_j|, within bounds."""
    unit = np.sqrt(np.diag(B))
    box = BoxLasso(
        B / np.outer(unit, unit), (B @ theta - gradient) / unit, l1 / unit, lower * unit, upper * unit
    )
    end = box.minimum(theta * unit) / unit
    step = end - theta
    change = float(gradient @ step) + 0.5 * float(step @ B @ step) + float(l1 @ (np.abs(end) - np.abs(theta)))
    return step, -change


def box_of(problem: Problem, q: int) -> tuple[FloatArray, FloatArray, FloatArray]:
    """(q,) l1, lower and upper of all parameters, of which those that are not penalised are free."""
    penalty, m = problem.penalty, problem.penalised
    return (
        _extended(penalty.l1, m, q, 0.0),
        _extended(penalty.lower, m, q, -np.inf),
        _extended(penalty.upper, m, q, np.inf),
    )


def _to_scale(change: float, gradient: FloatArray, metric: Metric) -> tuple[FloatArray, float]:
    """The minimum of the model among steps that change the scale, the last parameter, by so much.

    Near a perfect fit the model hardly bends in many directions; of all minima the nearest is taken.
    """
    B = metric.matrix
    unit = np.sqrt(np.diag(B)[:-1])
    pull = (gradient[:-1] + change * B[:-1, -1]) / unit
    solved = lstsq(B[:-1, :-1] / np.outer(unit, unit), -pull, cond=_SINGULAR, lapack_driver="gelsd")[0]
    step = np.append(solved / unit, change)
    return step, -float(gradient @ step) - 0.5 * float(step @ B @ step)


def _extended(part: float | FloatArray, m: int, q: int, rest: float) -> FloatArray:
    """(q,) with ``part`` for the first m parameters and ``rest`` for what is behind them."""
    whole = np.full(q, rest)
    whole[:m] = part
    return whole
