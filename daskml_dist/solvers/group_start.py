"""A start for groups and a model of their curvature, from a sample with a share of each group."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import final

import numpy as np

from daskml_dist.kernels import GroupSample, Point, Question, Sweep, SweepAnswer, answer
from daskml_dist.solvers._base import Conversation, centred, converse, null_point
from daskml_dist.solvers.descent import Evaluation
from daskml_dist.solvers.ground import extremes, shared_diagonal
from daskml_dist.solvers.group_problem import GroupEvaluation, GroupProblem
from daskml_dist.solvers.metric import Metric
from daskml_dist.solvers.pilot import weighted_mean
from daskml_dist.types import Chunk, FloatArray

_SAMPLE_BYTES = 1 << 28
_SMALL_ELEMENTS = 1 << 20  # of X: solved in one task, and verified
_ROWS = 20_000  # of a sample, at least, where there are more
_ROWS_A_PARAMETER = 100  # in each group
_TRUSTED = 20  # rows of a sample a parameter, from which on its minimum is a better start than none


def sample_of(problem: GroupProblem) -> GroupSample:
    """The question for a sample: about as many rows of each group."""
    return GroupSample(rates(problem), problem.seed)


def rates(problem: GroupProblem) -> FloatArray:
    """The share of the rows of each group that a sample has: about as many rows of each."""
    most = _SAMPLE_BYTES // (8 * (problem.features + 1))
    if problem.rows * problem.features <= _SMALL_ELEMENTS and problem.rows <= most:
        return np.ones(problem.n_groups)
    enough = max(_ROWS_A_PARAMETER * problem.parameters, _ROWS // problem.n_groups)
    return np.minimum(min(enough, most // problem.n_groups) / problem.groups, 1.0)


@final
@dataclass(frozen=True)
class GroupStart:
    """Where to start, and in which metric.

    Attributes
    ----------
    point : where.
    metric : of the mean Hessian of the groups there.
    null_value : the risk of the constant model; NaN where the sample has not all groups.
    """

    point: Point
    metric: Metric
    null_value: float


@final
@dataclass(frozen=True)
class GroupPilot:
    """Look at a sample inside the task that gathered it.

    Attributes
    ----------
    problem : what is to be solved.
    solve : how the sample is solved, from where it is told to start.
    diagonal : whether the metric is a diagonal.
    """

    problem: GroupProblem
    solve: Callable[[GroupProblem, GroupStart], Conversation]
    diagonal: bool

    def __call__(self, sample: Chunk) -> GroupStart:
        problem = self.problem
        assert sample.X is not None and sample.groups is not None
        centre = weighted_mean(sample) if problem.centred else np.zeros(problem.features)
        null = null_point(problem, centre)
        seen = np.bincount(sample.groups, _weight(sample), problem.n_groups) > 0.0
        alike = seen / seen.sum()
        point = null if problem.start is None else centred(problem.start, centre)
        start = self._at(point, sample, alike)
        if not seen.all():
            return start
        swept = answer(problem.question(null, hessian=False), [sample], 1)
        start = replace(start, null_value=GroupEvaluation.of(problem, null, swept).value)
        rows = len(sample.groups)
        whole = rows >= problem.rows
        if problem.start is not None or not (whole or rows >= _TRUSTED * problem.parameters):
            return start
        tol = 1e-12 if whole else max(1e-2 * problem.parameters / rows, 1e-9)
        easy = replace(problem, tol=max(tol, 0.01 * problem.tol), max_passes=100, streamed=False)
        state = converse(self.solve(easy, start), [sample]).state
        if state.point is None or state.progress is None:
            return start
        weights = 0.9 * state.arrays["group_weights"] + 0.1 * alike
        return replace(self._at(state.point, sample, weights), null_value=start.null_value)

    def _at(self, point: Point, sample: Chunk, weights: FloatArray) -> GroupStart:
        """What the sample tells at a point, with so much weight on each group."""
        mixed = mixture(sample, weights)
        if self.diagonal:
            metric = diagonal_at(self.problem, point, mixed)
            metric = metric * extremes(self.problem, point, metric, mixed)[0]
            return GroupStart(point, Metric.diagonal(metric), np.nan)
        hessian = Evaluation.on(self.problem, point, mixed, hessian=True).hessian
        assert hessian is not None
        return GroupStart(point, Metric.of(hessian), np.nan)


def _weight(sample: Chunk) -> FloatArray:
    """(B,) the weights of the rows of a sample."""
    assert sample.groups is not None
    return np.ones(len(sample.groups)) if sample.weight is None else sample.weight


def mixture(sample: Chunk, weights: FloatArray) -> Chunk:
    """The sample with so much weight on each of the (G,) groups that it has."""
    assert sample.groups is not None
    s = _weight(sample)
    totals = np.bincount(sample.groups, s, len(weights))
    factors = np.divide(weights, totals, out=np.zeros_like(weights), where=totals > 0.0)
    return replace(sample, weight=s * factors[sample.groups])


def diagonal_at(problem: GroupProblem, point: Point, sample: Chunk) -> FloatArray:
    """(q,) the diagonal of the Hessian of the mean loss of a sample, with its penalty; without zeros."""
    reply: SweepAnswer = answer(Question(Sweep(problem.loss, point, diagonal=True)), [sample], 1)
    assert reply.diagonal is not None
    m, diagonal = problem.penalised, reply.diagonal.reshape(-1) / reply.weight_sum
    diagonal[:m] += problem.penalty.curvature(point.theta[0, :m])
    return shared_diagonal(problem, diagonal)
