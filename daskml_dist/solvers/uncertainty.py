"""Standard errors of coefficients, from the curvature that a solver has at hand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np

from daskml_dist.losses import JointLoss
from daskml_dist.solvers._base import Problem, State
from daskml_dist.solvers.group_problem import GroupProblem
from daskml_dist.solvers.hessian import MOST_PARAMETERS
from daskml_dist.types import AnyArray, FloatArray

_SEEN = 1e-5  # of a column's length that others leave: below, digits are missing where they are squared


@final
@dataclass(frozen=True)
class Uncertainty:
    """How sure coefficients are.

    Attributes
    ----------
    errors : the standard error of each; empty where there is none.
    source : in a few words, what they come from, or why there is none.
    """

    errors: FloatArray
    source: str


def unsuited(problem: Problem) -> str:
    """Why the coefficients of a problem never have standard errors; empty where they may."""
    reasons = (
        ("the worst group decides, not chance", isinstance(problem, GroupProblem)),
        ("classes share a constant", isinstance(problem.loss, JointLoss)),
        ("several targets", problem.targets > 1),
        ("the loss is no likelihood", problem.loss.dispersion is None),
        ("the penalty has kinks or bounds", not problem.penalty.smooth),
        (f"more than {MOST_PARAMETERS} parameters", problem.parameters > MOST_PARAMETERS),
    )
    return next((reason for reason, holds in reasons if holds), "")


def uncertainty(problem: Problem, state: State, which: AnyArray) -> Uncertainty:
    """Standard errors of the coefficients ``which`` at the point of a state; for a problem that is not
    `unsuited`.

    The inverse of the observed information, phi / S H^-1 (Laplace's approximation; McCullagh and Nelder 1989,
    "Generalized linear models", section 2.5), with H the Hessian of F, penalty included, S the sum of the
    weights, and phi the dispersion: 1, or the deviance over n - q (n rows, q free parameters).

    Where a loss is not convex, H is what the model expects of it.
    """
    refused = _refused(problem, state)
    if refused or state.hessian is None:
        return Uncertainty(np.empty(0), refused)
    errors = np.sqrt(_scale(problem, state) * state.hessian.inverse_diagonal(which))
    if not np.isfinite(errors).all():
        return Uncertainty(np.empty(0), "the Hessian is not finite")
    return Uncertainty(errors, f"Hessian of {'a sample' if state.hessian.sampled else 'all rows'}")


def _refused(problem: Problem, state: State) -> str:
    """Why there are none here; empty where there are some."""
    if state.hessian is None or state.progress is None:
        return "the solver has no Hessian"
    if problem.loss.dispersion == "estimated" and problem.rows <= problem.parameters:
        return "no more rows than parameters"
    if state.hessian.least_pivot(problem.features) < _SEEN:
        return "columns are collinear"
    return ""


def _scale(problem: Problem, state: State) -> float:
    """phi / S: what the inverse of the Hessian of F is multiplied by."""
    if problem.loss.dispersion == "one":
        return 1.0 / problem.weight_sum
    assert state.point is not None and state.progress is not None
    penalty = float(problem.penalty.value(state.point.theta[0, : problem.penalised]))
    return 2.0 * max(state.progress.objective - penalty, 0.0) / (problem.rows - problem.parameters)
