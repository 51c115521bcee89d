"""Limited-memory BFGS: one gradient a pass and nothing of the size of a Hessian."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np

from daskml_dist.kernels import Point, Question, Sample, theta_order
from daskml_dist.losses import JointLoss, Loss
from daskml_dist.solvers._base import Conversation, Problem, Solver, State, Turn, centred, null_point
from daskml_dist.solvers.descent import Evaluation, Policy, descend, metric_of
from daskml_dist.solvers.metric import Metric
from daskml_dist.solvers.pilot import weighted_mean
from daskml_dist.types import Chunk, FloatArray

_ROWS = 2000
_ROWS_A_PARAMETER = 20
_SAMPLE_BYTES = 1 << 27
_BLOCK_ELEMENTS = 1 << 25  # of all blocks: 256 MiB


@final
class LBFGS(Solver):
    """Quasi-Newton steps from pairs of gradients, scaled by the diagonal of the Hessian on a few rows.

    The margins of a joint loss get a block of the Hessian each, where these are small enough.

    Nocedal and Wright 2006, algorithm 7.5. The scaling makes it indifferent to the units of the
    features, not to their correlation; the gap is an estimate.
    """

    name: ClassVar[str] = "lbfgs"
    needs: ClassVar[frozenset[str]] = frozenset({"smooth loss", "smooth penalty", "loss without a scale"})

    def solve(self, problem: Problem, state: State | None = None) -> Conversation:
        if state is not None and state.point is not None:
            policy = Policy("never", state.numbers["null_value"])
            return (yield from descend(problem, policy, metric_of(state), state, state.point))
        rate = min(1.0, _rows(problem) / problem.rows)
        sample = Sample(problem.loss, rate, rate, problem.seed)
        scaling: Scaling = yield Turn(Question(sample, _Scale(problem)), State())
        policy = Policy("never", np.nan if problem.start is None else scaling.null_value)
        state = State(passes=1 if problem.streamed else 0)
        return (yield from descend(problem, policy, scaling.metric, state, scaling.point))


def _rows(problem: Problem) -> int:
    """How many rows the scaling is taken from."""
    if not _blockwise(problem):
        return _ROWS
    q = problem.features + problem.intercept
    return max(_ROWS, min(_ROWS_A_PARAMETER * q, _SAMPLE_BYTES // (8 * q)))


def _blockwise(problem: Problem) -> bool:
    """Whether a block for each margin, which knows how the features correlate, is small enough."""
    q = problem.features + problem.intercept
    return problem.margins > 1 and problem.margins * q**2 <= _BLOCK_ELEMENTS


@final
@dataclass(frozen=True)
class Scaling:
    """Where to start, a model of the Hessian of F there, and F of the constant model."""

    point: Point
    metric: Metric
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
        margin = sample.X @ start.w.T + start.raw_intercept  # (B, K)
        if sample.offset is not None:
            margin = margin + sample.offset[:, None]
        weight = np.ones(len(margin)) if sample.weight is None else sample.weight
        curvature = (weight / weight.sum())[:, None] * _curvature(problem.loss, sample.y, margin)
        rows = sample.X - centre
        if problem.intercept:
            rows = np.column_stack([rows, np.ones(len(rows))])
        null_value = Evaluation.on(problem, origin, sample).value
        return Scaling(start, _metric(problem, start, rows, curvature), null_value)


def _curvature(loss: Loss, y: FloatArray, margin: FloatArray) -> FloatArray:
    """(B, K) second derivative of the loss of each row in each of its margins."""
    if isinstance(loss, JointLoss):
        chances = loss.mean(margin)
        return chances * (1.0 - chances)
    return loss.value_slope_curvature(y, margin[:, 0])[2][:, None]


def _weighted_products(rows: FloatArray, curvature: FloatArray) -> FloatArray:
    """(K, d, d) products of rows (B, d), weighted by (B, K)."""
    first = curvature[0] / curvature[0].sum()
    if np.allclose(curvature, curvature.sum(axis=1, keepdims=True) * first, rtol=1e-12, atol=0.0):
        product = (rows * curvature.sum(axis=1)[:, None]).T @ rows  # as at the constant model
        return first[:, None, None] * product
    return np.stack([(rows * share[:, None]).T @ rows for share in curvature.T])


def _metric(problem: Problem, point: Point, rows: FloatArray, curvature: FloatArray) -> Metric:
    """Blocks of the Hessian where they are small enough, else its diagonal."""
    ridge = problem.penalty.curvature(point.coefficients).reshape(problem.margins, -1)
    order = theta_order(problem.margins, problem.features, problem.intercept)
    if not _blockwise(problem):
        diagonal = (curvature.T @ np.square(rows)).reshape(-1)[order]
        diagonal[: problem.coefficients] += ridge.reshape(-1)
        return Metric.diagonal(diagonal)
    blocks = _weighted_products(rows, curvature)
    for block, level in zip(blocks, ridge, strict=True):
        block[np.arange(level.size), np.arange(level.size)] += level
    return Metric.blocks(blocks, order)
