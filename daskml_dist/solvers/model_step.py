"""The step to the minimum of the quadratic model around a point, whatever is not smooth in the penalty."""

from __future__ import annotations

import numpy as np

from daskml_dist.kernels import Point
from daskml_dist.solvers._base import Problem
from daskml_dist.solvers.box_lasso import BoxLasso
from daskml_dist.solvers.metric import Metric
from daskml_dist.types import FloatArray

_LEAST_SCALE = 0.1  # of a scale is left by a step: a perfect fit has none, and the loss no value there


def model_step(
    problem: Problem, point: Point, gradient: FloatArray, metric: Metric
) -> tuple[FloatArray, float]:
    """(q,) step d and decrease of g'd + d'Bd / 2 + penalty, where B is the metric.

    Newton's step where the penalty is smooth and a scale stays above zero, otherwise that of the proximal
    Newton method (Lee, Sun and Saunders 2014, "Proximal Newton-type methods", equation 2.5).

    Parameters
    ----------
    problem : what is solved; its penalty is one of the first ``problem.penalised`` parameters.
    point : where.
    gradient : (q,) of the smooth part of F there.
    """
    theta, penalty, m = point.theta[0], problem.penalty, problem.penalised
    least = None if point.scale is None else _LEAST_SCALE * float(point.scale[0])
    if penalty.smooth:
        step = -metric.solve(gradient)
        if least is None or theta[-1] + step[-1] >= least:
            return step, -0.5 * float(gradient @ step)
    B = metric.matrix
    scale = np.sqrt(np.diag(B))
    l1 = _extended(penalty.l1, m, theta.size, 0.0)
    lower = _extended(penalty.lower, m, theta.size, -np.inf)
    if least is not None:
        lower[-1] = least
    box = BoxLasso(
        B / np.outer(scale, scale),
        (B @ theta - gradient) / scale,
        l1 / scale,
        lower * scale,
        _extended(penalty.upper, m, theta.size, np.inf) * scale,
    )
    end = box.minimum(theta * scale) / scale
    step = end - theta
    change = float(gradient @ step) + 0.5 * float(step @ B @ step) + float(l1 @ (np.abs(end) - np.abs(theta)))
    return step, -change


def _extended(part: float | FloatArray, m: int, q: int, rest: float) -> FloatArray:
    """(q,) with ``part`` for the first m parameters and ``rest`` for what is behind them."""
    whole = np.full(q, rest)
    whole[:m] = part
    return whole
