"""L-BFGS for joint losses, in a metric that has a block of the Hessian for each margin."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, final

import numpy as np

from daskml_dist.kernels import CurvatureSample, Point, Question, Sample, dense_rows, theta_order
from daskml_dist.losses import JointLoss
from daskml_dist.solvers._base import Conversation, Problem, Solver, State, Turn
from daskml_dist.solvers.course import marked
from daskml_dist.solvers.curvature import curvatures
from daskml_dist.solvers.descent import Evaluation, Policy, descend, metric_of
from daskml_dist.solvers.metric import Metric
from daskml_dist.solvers.pilot import guess
from daskml_dist.types import Chunk, FloatArray

EASY = 1e-2  # the relative gap from which on the curvature is about that of the minimum
MOST_ELEMENTS = 1 << 25  # of all blocks: 256 MiB
_FINE = "fine"  # of states of the second descent
_ROWS_A_PARAMETER = 20
_SAMPLE_BYTES = 1 << 27


@final
class BlockLBFGS(Solver):
    """Quasi-Newton steps for several classes whose whole Hessian is too large.

    The coefficients of a class get their own block of the Hessian, so that correlated features do not
    matter; pairs of gradients (L-BFGS) add how the classes depend on each other. The blocks are taken
    twice: where the fit starts, and once the gap is small, from the rows that the model is not sure of,
    since only they bend the loss there.
    """

    name: ClassVar[str] = "block-lbfgs"
    needs: ClassVar[frozenset[str]] = frozenset({"joint loss", "smooth penalty"})

    def solve(self, problem: Problem, state: State | None = None) -> Conversation:
        if state is not None and state.point is not None:
            policy = Policy("never", state.numbers["null_value"])
            if _FINE in state.numbers:
                return (yield from _fine(problem, policy, metric_of(state), state))
            return (yield from _both(problem, policy, metric_of(state), state, state.point))
        assert isinstance(problem.loss, JointLoss)
        share = min(1.0, _rows(problem) / problem.rows)
        sample = Sample(problem.loss, share, share, problem.seed)
        start: Start = yield Turn(Question(sample, _Begin(problem)), State())
        policy = Policy("never", start.null_value)
        state = State(passes=1 if problem.streamed else 0)
        return (yield from _both(problem, policy, start.metric, state, start.point))


def _both(problem: Problem, policy: Policy, metric: Metric, state: State, point: Point) -> Conversation:
    """Descend in the first metric while the gap is large, then in that of the rows in doubt."""
    easy = replace(problem, tol=max(problem.tol, EASY))
    near = yield from descend(easy, policy, metric, state, point)
    if near.state.point is None or not near.converged or problem.tol >= EASY:
        return near
    if near.state.passes + 2 > problem.max_passes:
        return (yield from _fine(problem, policy, metric_of(near.state), near.state))
    assert isinstance(problem.loss, JointLoss)
    share = min(1.0, _rows(problem) / problem.rows)
    doubtful = CurvatureSample(problem.loss, near.state.point, share, problem.seed + 1)
    metric = yield Turn(Question(doubtful, _Blocks(problem, near.state.point)), near.state)
    state = replace(near.state, passes=near.state.passes + 1)
    return (yield from _fine(problem, policy, metric, state))


def _fine(problem: Problem, policy: Policy, metric: Metric, state: State) -> Conversation:
    """The second descent, from the point of the state; its states say that they are of it."""
    assert state.point is not None
    return (yield from marked(descend(problem, policy, metric, state, state.point), _FINE))


def _rows(problem: Problem) -> int:
    """How many rows the blocks are taken from."""
    q = problem.features + problem.intercept
    return max(2000, min(_ROWS_A_PARAMETER * q, _SAMPLE_BYTES // (8 * q)))


@final
@dataclass(frozen=True)
class Start:
    """Where to start, the metric there, and F of the constant model."""

    point: Point
    metric: Metric
    null_value: float


@final
@dataclass(frozen=True)
class _Begin:
    """The start, from some rows."""

    problem: Problem

    def __call__(self, sample: Chunk) -> Start:
        problem = self.problem
        origin, point = guess(problem, sample)
        return Start(point, _Blocks(problem, point)(sample), Evaluation.on(problem, origin, sample).value)


@final
@dataclass(frozen=True)
class _Blocks:
    """The metric at a point, from some rows."""

    problem: Problem
    point: Point

    def __call__(self, sample: Chunk) -> Metric:
        problem, point = self.problem, self.point
        assert sample.X is not None
        rows = dense_rows(sample.X, point.centre, point.intercept)
        blocks = _products(rows, curvatures(problem, point, sample))
        ridge = problem.penalty.curvature(point.coefficients).reshape(problem.margins, -1)
        for block, level in zip(blocks, ridge, strict=True):
            block[np.arange(level.size), np.arange(level.size)] += level
        return Metric.blocks(blocks, theta_order(problem.margins, problem.features, problem.intercept))


def _products(rows: FloatArray, curvature: FloatArray) -> FloatArray:
    """(K, d, d) products of rows (B, d), weighted by (B, K)."""
    of_rows, of_margins = curvature.sum(axis=1), curvature.sum(axis=0)
    if np.allclose(curvature, np.outer(of_rows, of_margins) / of_rows.sum(), rtol=1e-12, atol=0.0):
        product = (rows * of_rows[:, None]).T @ rows  # one will do, as at the constant model
        return np.asarray((of_margins / of_rows.sum())[:, None, None] * product)
    roots = (np.sqrt(share)[:, None] for share in curvature.T)
    return np.stack([scaled.T @ scaled for scaled in (rows * root for root in roots)])
