"""Limited-memory BFGS: one gradient a pass and nothing of the size of a Hessian."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np

from daskml_dist.kernels import Point, Question, Sample, extended, squares
from daskml_dist.losses import Loss
from daskml_dist.solvers._base import Conversation, Problem, Solver, State, Turn, centred, null_point
from daskml_dist.solvers.descent import Policy, descend, metric_of
from daskml_dist.solvers.metric import Metric
from daskml_dist.solvers.pilot import weighted_mean
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
        centre = weighted_mean(sample) if problem.intercept else np.zeros(problem.features)
        origin = null_point(problem, centre)
        start = origin if problem.start is None else centred(problem.start, centre)
        margin = sample.X @ start.w[0] + start.raw_intercept[0]
        if sample.offset is not None:
            margin = margin + sample.offset
        weight = np.ones(len(margin)) if sample.weight is None else sample.weight
        weight = weight / weight.sum()
        curvature = weight * _curvature(problem.loss, sample.y, margin)
        diagonal = squares(extended(sample.X, centre, problem.intercept), curvature)
        diagonal[: problem.features] += problem.penalty.curvature(start.w[0])
        null = problem.loss.value(sample.y, np.broadcast_to(origin.b, margin.shape).copy())
        return Scaling(start, diagonal, float(weight @ null))


def _curvature(loss: Loss, y: FloatArray, margin: FloatArray) -> FloatArray:
    return loss.value_slope_curvature(y, margin)[2]
