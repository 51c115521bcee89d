"""The scaling: where to start, and the diagonal of the Hessian there, from a few rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from daskml_dist.kernels import Point, Sample, extended, squares, theta_order
from daskml_dist.solvers._base import Problem
from daskml_dist.solvers.curvature import curvatures
from daskml_dist.solvers.descent import Evaluation
from daskml_dist.solvers.pilot import guess
from daskml_dist.types import Chunk, FloatArray

_ROWS = 2000


@final
@dataclass(frozen=True)
class Scaling:
    """Where to start, (q,) the diagonal of the Hessian of F there, and F of the constant model."""

    point: Point
    diagonal: FloatArray
    null_value: float


def few_rows(problem: Problem) -> Sample:
    """The question for a few rows."""
    rate = min(1.0, _ROWS / problem.rows)
    return Sample(problem.loss, rate, rate, problem.seed)


@final
@dataclass(frozen=True)
class Scale:
    """The scaling, from a few rows."""

    problem: Problem

    def __call__(self, sample: Chunk) -> Scaling:
        problem = self.problem
        assert sample.X is not None and sample.y is not None
        origin, start = guess(problem, sample)
        curvature = curvatures(problem, start, sample)
        diagonal = squares(extended(sample.X, start.centre, problem.intercept), curvature.T).reshape(-1)
        diagonal = diagonal[theta_order(problem.margins, problem.features, problem.intercept)]
        m = problem.penalised
        diagonal[:m] += problem.penalty.curvature(start.theta[0, :m])
        return Scaling(start, diagonal, Evaluation.on(problem, origin, sample).value)
