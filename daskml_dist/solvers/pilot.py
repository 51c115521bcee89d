"""The pilot: the problem solved on a sample, which gives a good start and a model of the Hessian."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import final

import numpy as np
from scipy.linalg import solve_triangular
from scipy.sparse import issparse

from daskml_dist.kernels import Point
from daskml_dist.solvers._base import Conversation, Problem, State, centred, converse, null_point
from daskml_dist.solvers.descent import Evaluation, Policy, descend
from daskml_dist.solvers.metric import Metric
from daskml_dist.types import Chunk, FloatArray

_GRADIENTS = 10  # that cost about as much as a Hessian
_EXACT = 1e-12  # gap to which data are solved that are in the sample as a whole
UNTRUSTED = 0.2  # contraction from which on the minimum over the sample is a worse start than none


@final
@dataclass(frozen=True)
class PilotAnswer:
    """Where to start, and what the sample tells of F there.

    Attributes
    ----------
    point : the minimum over the sample, or the given start; the constant model where neither is trusted.
    hessian : (q, q) of F on the sample there.
    null_value : F of the constant model.
    contraction : the factor by which a step in the metric of the minimum is expected to shrink the
        gap: the mean square of the relative error of the Hessian, from its two halves.
    """

    point: Point
    hessian: FloatArray
    null_value: float
    contraction: float


@final
@dataclass(frozen=True)
class Pilot:
    """Solve a problem on a sample of its rows, inside the task that gathered them."""

    problem: Problem

    def __call__(self, sample: Chunk) -> PilotAnswer:
        """Newton's method on a part of the sample, then on all of it."""
        centre = weighted_mean(sample) if self.problem.centred else np.zeros(self.problem.features)
        return self.on(sample, centre)

    def on(self, sample: Chunk, centre: FloatArray, near: Point | None = None) -> PilotAnswer:
        """The same around a given centre, and from the minimum of a similar problem where there is one."""
        assert sample.X is not None
        rows = sample.X.shape[0]
        whole = rows >= self.problem.rows
        problem = replace(
            self.problem,
            tol=min(self.problem.tol, _EXACT) if whole else max(1e-2 * self.problem.parameters / rows, 1e-9),
            max_passes=500 if whole else 50,
            certify=False,
            streamed=False,
        )
        origin = _with_scale(null_point(problem, centre), sample)
        null_value = _value(problem, origin, sample)
        if problem.start is not None:
            return _told(problem, centred(problem.start, centre), sample, null_value)
        few = _every(sample, 8)
        model = sample
        if near is None and few.X is not None and few.X.shape[0] > 20 * problem.parameters:
            near, model = _solve(problem, origin, few, null_value), few
        start = origin if near is None else near
        start = _solve(problem, start, sample, null_value, None if near is None else model)
        told = _told(problem, start, sample, null_value)
        if whole or told.contraction <= UNTRUSTED:
            return told
        return replace(told, point=origin, hessian=_hessian(problem, origin, sample))


def newton_from(
    problem: Problem, start: Point, null_value: float = np.nan, *, prove: bool = True
) -> Conversation:
    """Damped Newton from a point, with the exact Hessian in each pass.

    ``prove`` : see ``Policy``; where nothing is proven, no ray without end is looked for either.
    """
    metric = Metric.of(np.eye(problem.parameters))
    return descend(problem, Policy("always", null_value, prove=prove, look=prove), metric, State(), start)


def guess(problem: Problem, sample: Chunk) -> tuple[Point, Point]:
    """The constant model, and where to start: at the given start, or there; both at the mean of a sample."""
    centre = weighted_mean(sample) if problem.centred else np.zeros(problem.features)
    origin = null_point(problem, centre)
    return origin, origin if problem.start is None else centred(problem.start, centre)


def weighted_mean(chunk: Chunk) -> FloatArray:
    """(p,) mean of the features, by weight; of a constant column the constant itself, to the last bit."""
    assert chunk.X is not None
    weight = np.ones(chunk.X.shape[0]) if chunk.weight is None else chunk.weight
    mean = weight @ chunk.X / weight.sum()
    least, most = chunk.X.min(axis=0), chunk.X.max(axis=0)
    if issparse(chunk.X):
        least, most = least.toarray().ravel(), most.toarray().ravel()
    return np.asarray(np.clip(mean, least, most))


def _with_scale(point: Point, sample: Chunk) -> Point:
    """The constant model, with the root mean square of its residuals as its scale where it learns one."""
    if point.scale is None:
        return point
    assert sample.y is not None
    residual = sample.y - point.b[0] - (0.0 if sample.offset is None else sample.offset)
    spread = float(np.sqrt(np.average(np.square(residual), weights=sample.weight)))
    return replace(point, scale=np.array([spread if spread > 0.0 else 1.0]))


def _solve(
    problem: Problem, start: Point, sample: Chunk, null_value: float, model: Chunk | None = None
) -> Point:
    """The minimum over the sample; near it one Hessian, of a model, will do: ten gradients cost no more."""
    sample = replace(sample, id=0)
    if model is not None:
        metric = Metric.of(_hessian(problem, start, model))
        policy = Policy("never", null_value, prove=False, look=False)
        easy = replace(problem, max_passes=_GRADIENTS)
        solution = converse(descend(easy, policy, metric, State(), start), [sample])
        start = start if solution.state.point is None else solution.state.point
        if solution.converged:
            return start
    solution = converse(newton_from(problem, start, null_value, prove=False), [sample])
    return start if solution.state.point is None else solution.state.point


def _told(problem: Problem, point: Point, sample: Chunk, null_value: float) -> PilotAnswer:
    if sample.X is None or sample.X.shape[0] < 2:  # that has no halves
        return PilotAnswer(point, _hessian(problem, point, sample), null_value, np.inf)
    halves = [_hessian(problem, point, _every(sample, 2, start)) for start in (0, 1)]
    mean = 0.5 * (halves[0] + halves[1])
    factor = Metric.of(mean).cholesky_factor
    half_error = solve_triangular(factor, 0.5 * (halves[0] - halves[1]), lower=True)
    error = solve_triangular(factor, half_error.T, lower=True)
    return PilotAnswer(point, mean, null_value, float(np.sum(np.square(error))) / problem.parameters)


def _every(sample: Chunk, stride: int, start: int = 0) -> Chunk:
    parts = (sample.X, sample.y, sample.weight, sample.offset)
    return Chunk(0, *(None if part is None else part[start::stride].copy() for part in parts))


def _value(problem: Problem, point: Point, sample: Chunk) -> float:
    return Evaluation.on(problem, point, sample).value


def _hessian(problem: Problem, point: Point, sample: Chunk) -> FloatArray:
    hessian = Evaluation.on(problem, point, sample, hessian=True).hessian
    assert hessian is not None
    return hessian
