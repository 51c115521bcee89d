"""Limited-memory BFGS: one gradient a pass and nothing of the size of a Hessian."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np

from daskml_dist.kernels import Point, Question, Sample, extended, squares, theta_order
from daskml_dist.solvers._base import Conversation, Problem, Solver, State, Turn
from daskml_dist.solvers.curvature import curvatures
from daskml_dist.solvers.descent import Evaluation, Policy, descend, metric_of
from daskml_dist.solvers.metric import Metric
from daskml_dist.solvers.pilot import guess
from daskml_dist.types import Chunk, FloatArray

_ROWS = 2000


@final
class LBFGS(Solver):
    """Quasi-Newton steps from pairs of gradients, scaled by the diagonal of the Hessian on a few rows.

    Nocedal and Wright 2006, algorithm 7.5. The scaling makes it indifferent to the units of the
    features, not to their correlation; the gap is an estimate.
    """

    name: ClassVar[str] = "lbfgs"
    needs: ClassVar[frozenset[str]] = frozenset({"smooth loss", "smooth penalty", "loss without a scale"})

    def solve(self, problem: Problem, state: State | None = None) -> Conversation:
        if state is not None and state.point is not None:
            policy = Policy("never", state.numbers["null_value"])
            return (yield from descend(problem, policy, metric_of(state), state, state.point))
        rate = min(1.0, _ROWS / problem.rows)
        sample = Sample(problem.loss, rate, rate, problem.seed)
        scaling: Scaling = yield Turn(Question(sample, _Scale(problem)), State())
        policy = Policy("never", np.nan if problem.start is None else scaling.null_value)
        state = State(passes=1 if problem.streamed else 0)
        return (yield from descend(problem, policy, Metric.diagonal(scaling.diagonal), state, scaling.point))


@final
@dataclass(frozen=True)
class Scaling:
    """Where to start, (q,) the diagonal of the Hessian of F there, and F of the constant model."""

    point: Point
    diagonal: FloatArray
    null_value: float


@final
@dataclass(frozen=True)
class _Scale:
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
