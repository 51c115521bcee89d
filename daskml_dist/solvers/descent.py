"""The descent that all second-order solvers share: evaluate, check, certify, step."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import final

import numpy as np

from daskml_dist.kernels import Point, Question, Sweep, SweepAnswer
from daskml_dist.solvers._base import Conversation, Problem, Progress, Solution, State, Turn
from daskml_dist.solvers.certificate import Gap, Proof, prove
from daskml_dist.solvers.line_search import OnLine, acceptable, shorter
from daskml_dist.solvers.metric import Metric
from daskml_dist.types import FloatArray

_TRIAL_STEPS = (-0.75, -0.5, 1.0)  # beside the full step: a quarter, a half and twice of it
_REJECTIONS = 30


@final
@dataclass(frozen=True)
class Policy:
    """What a solver asks for beside value and gradient.

    Attributes
    ----------
    hessian : "always", "never", or "when slow": once a pass gains less than a factor ten.
    null_value : F of the constant model: the scale of the relative gap.
    """

    hessian: str
    null_value: float


@final
@dataclass(frozen=True)
class Evaluation:
    """F and its derivatives at a point: the sums of a sweep, divided by the weights, plus the penalty."""

    point: Point
    value: float
    gradient: FloatArray
    hessian: FloatArray | None
    answer: SweepAnswer

    @classmethod
    def of(cls, problem: Problem, point: Point, answer: SweepAnswer) -> Evaluation:
        p, total = problem.features, answer.weight_sum
        gradient = answer.gradient[0] / total
        gradient[:p] += problem.penalty.gradient(point.w[0])
        hessian = None
        if answer.hessian is not None:
            hessian = answer.hessian[0] / total
            hessian[np.arange(p), np.arange(p)] += problem.penalty.curvature(point.w[0])
        value = float(answer.value[0]) / total + float(problem.penalty.value(point.w[0]))
        return cls(point, value, gradient, hessian, answer)

    def trials(self, problem: Problem, step: FloatArray, t: float) -> dict[float, float]:
        """F at the trial steps around this point, by their distance from the start of the step."""
        values = {}
        for extra, value in zip(_TRIAL_STEPS, self.answer.trials[0], strict=False):
            w = self.point.w[0] + extra * step[: problem.features]
            values[t * (1.0 + extra)] = float(value) / self.answer.weight_sum + float(
                problem.penalty.value(w)
            )
        return values


def descend(problem: Problem, policy: Policy, metric: Metric, state: State, first: Point) -> Conversation:
    """Quasi-Newton descent from ``first``, in a metric that learns from each pass."""
    last: Evaluation | None = None
    step = np.zeros(problem.parameters)
    t, gap_before, slow, rejected = 1.0, np.inf, False, 0
    point = first
    while True:
        exact = policy.hessian == "always" or problem.certify or (policy.hessian == "when slow" and slow)
        question = _question(problem, point, metric, exact, step if rejected or _far(gap_before) else None)
        reply: SweepAnswer = yield Turn(Question(question), state)
        here = Evaluation.of(problem, point, reply)
        passes = state.passes + 1
        if last is not None:
            start = OnLine(0.0, last.value, float(last.gradient @ step) / t)
            end = OnLine(t, here.value, float(here.gradient @ step) / t)
            if not acceptable(start, end) and rejected < _REJECTIONS:
                rejected += 1
                state = replace(state, passes=passes)
                if passes >= problem.max_passes:
                    return Solution(state, False)
                shrunk = shorter(start, end, here.trials(problem, step, t))
                step, t = step * (shrunk / t), shrunk
                point = point.at((last.point.theta[0] + step)[None])
                continue
            if rejected >= _REJECTIONS:
                return Solution(replace(state, passes=passes), False, notes=(STALLED,))
            metric = metric.updated(step, here.gradient - last.gradient)
        rejected, t = 0, 1.0
        proof = None
        if here.hessian is not None:
            proof = _proof(problem, here, metric)
            metric = Metric.of(here.hessian)
        step = -metric.solve(here.gradient)
        gap = _gap(problem, here, step, proof)
        scale = max(abs(here.value), 1e-3 * policy.null_value, np.finfo(np.float64).tiny)
        relative = gap.value / scale
        progress = Progress(
            here.value, relative, gap.kind, float(np.linalg.norm(here.gradient)), float(np.linalg.norm(step))
        )
        state = State(passes, point, progress, _memory(metric), {"null_value": policy.null_value})
        if relative <= problem.tol:
            return _finished(problem, here, state, step, proof, scale)
        if passes >= problem.max_passes:
            return Solution(state, False, here.hessian)
        slow = relative > 0.1 * gap_before
        gap_before = relative
        last, point = here, here.point.at((here.point.theta[0] + step)[None])


STALLED = (
    "the objective could not be lowered any further although its gradient says so: the problem is at the "
    "limit of float64; scale the features or strengthen the penalty"
)


def _far(relative_gap: float) -> bool:
    """Whether a full step may well be too long, so that trial steps are worth their price."""
    return np.isfinite(relative_gap) and relative_gap > 0.1


def _question(
    problem: Problem, point: Point, metric: Metric, exact: bool, direction: FloatArray | None
) -> Sweep:
    return Sweep(
        problem.loss,
        point,
        direction=None if direction is None else direction[None],
        steps=() if direction is None else _TRIAL_STEPS,
        hessian=exact,
        factor=metric.cholesky_factor if exact and problem.loss.self_concordance is not None else None,
    )


def _proof(problem: Problem, here: Evaluation, metric: Metric) -> Proof | None:
    radius, concordance = here.answer.radius, problem.loss.self_concordance
    if here.hessian is None or radius is None or concordance is None:
        return None
    return prove(here.hessian, here.gradient, metric.cholesky_factor, radius, concordance)


def _gap(problem: Problem, here: Evaluation, step: FloatArray, proof: Proof | None) -> Gap:
    """The smallest bound that holds; an estimate where none does."""
    bounds = [] if proof is None else [proof.gap(here.value)]
    convexity = problem.penalty.strong_convexity
    if not problem.intercept and convexity > 0.0:
        bounds.append(Gap(float(here.gradient @ here.gradient) / (2.0 * convexity), "strong-convexity"))
    finite = [bound for bound in bounds if np.isfinite(bound.value)]
    estimate = Gap(max(-0.5 * float(here.gradient @ step), 0.0), "estimate")
    return min(finite, key=lambda bound: bound.value) if finite and proof is not None else estimate


def _finished(
    problem: Problem, here: Evaluation, state: State, step: FloatArray, proof: Proof | None, scale: float
) -> Solution:
    """Take the Newton step that the exact Hessian offers for nothing, where that is proven to be better."""
    if proof is None or state.progress is None:
        return Solution(state, True, here.hessian)
    after = proof.gap_after_step(here.value)
    if after.value >= proof.gap(here.value).value:
        return Solution(state, True, here.hessian)
    progress = replace(state.progress, gap=after.value / scale, gap_kind=after.kind)
    point = here.point.at((here.point.theta[0] + step)[None])
    return Solution(replace(state, point=point, progress=progress), True, here.hessian)


def _memory(metric: Metric) -> dict[str, FloatArray]:
    return {
        "scale": metric.scale,
        "factor": metric.factor,
        "steps": metric.steps,
        "changes": metric.changes,
    }


def metric_of(state: State) -> Metric:
    """The metric that a state remembers."""
    arrays = state.arrays
    return Metric(arrays["scale"], arrays["factor"], arrays["steps"], arrays["changes"])
