"""Newton's method by conjugate gradients within a trust region: many features, and no Hessian in memory."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, replace
from typing import Any, ClassVar, final

import numpy as np
from scipy.linalg import eigvalsh_tridiagonal

from daskml_dist.kernels import Glimpse, GlimpseAnswer, HessianVector, Point, Question, Sweep, SweepAnswer
from daskml_dist.solvers import endless
from daskml_dist.solvers._base import (
    Conversation,
    Problem,
    Progress,
    Solution,
    Solver,
    State,
    Turn,
    centred,
    null_point,
)
from daskml_dist.solvers.certificate import Gap, strong_convexity
from daskml_dist.solvers.descent import STALLED, Evaluation, reached, retreat
from daskml_dist.types import FloatArray

_GLIMPSED = 16
_DIAGONAL = 0.01  # share of the diagonal of the Hessian in the preconditioner
_LOOSEST = 0.5  # residual, relative to the gradient, that the inner iteration may leave
_AIM = 0.1  # times tol: the gap that the inner iteration aims at, so as not to solve in vain
_MOST_PRODUCTS = 200  # for one step
_REJECTIONS = 30
_FLAT = 1e-9  # of F: decreases below that are told from slopes
_ACCEPTABLE, _POOR, _GOOD = 1e-4, 0.25, 0.75  # actual over predicted decrease
_LEAST_SHRINK, _SHRINK, _GROWTH = 0.25, 0.5, 4.0  # of the radius


@final
class TrustRegionNewton(Solver):
    """Newton's steps, each found by conjugate gradients from products of the Hessian with vectors.

    Each product is a pass, and nothing is larger than a few vectors of p numbers. Steps are kept within a
    region where the quadratic model was right (Steihaug 1983; Lin, Weng and Keerthi 2008, "Trust region
    Newton method for large-scale logistic regression", algorithm 1), measured in the preconditioner
    (1 - a) mu + a diag(H), with mu the curvature of the penalty (Hsia, Chiang and Lin 2018,
    "Preconditioned conjugate gradient methods in truncated Newton frameworks", section 4). We differ in
    three points: the inner iteration also stops where the gap that it leaves is expected to be below the
    tolerance; a step that is refused is cut along itself, which needs no new products; and the gap is
    estimated from the smallest Ritz value that the inner iterations have met.
    """

    name: ClassVar[str] = "newton-cg"
    needs: ClassVar[frozenset[str]] = frozenset({"smooth loss", "smooth penalty", "loss without a scale"})
    small_systems: ClassVar[bool] = True  # products of vectors

    def solve(self, problem: Problem, state: State | None = None) -> Conversation:
        if state is not None and state.point is not None:
            if state.progress is not None and state.passes + 2 > problem.max_passes:
                return Solution(state, state.progress.gap <= problem.tol)
            numbers = state.numbers
            memory = _Memory(*(numbers[name] for name in ("null_value", "first_norm", "radius", "ritz")))
            return (yield from _descend(problem, memory, state, state.point))
        centre = np.zeros(problem.features)
        if problem.centred and not problem.sparse:
            glimpse: GlimpseAnswer = yield Turn(Question(Glimpse(_GLIMPSED)), State())
            centre = glimpse.x_mean
        memory, start = _Memory(), null_point(problem, centre)
        if problem.start is not None:
            mean = problem.loss.link(problem.mean)
            memory = replace(memory, null_value=float(np.mean(problem.loss.value(problem.mean, mean))))
            start = centred(problem.start, centre)
        return (yield from _descend(problem, memory, State(), start))


@final
@dataclass(frozen=True)
class _Memory:
    """What is learned on the way, beside points; NaN where it is not known yet.

    null_value : F of the constant model. first_norm : of the first gradient. radius : of the trust region.
    ritz : the smallest Ritz value that was met, which is about the least curvature in the metric; 0 at first.
    """

    null_value: float = np.nan
    first_norm: float = np.nan
    radius: float = np.nan
    ritz: float = 0.0

    def knowing(self, first: _Here) -> _Memory:
        """The same, with what the first point tells where it was not known."""
        if np.isfinite(self.radius):
            return self
        null_value = self.null_value if np.isfinite(self.null_value) else first.at.value
        return replace(self, null_value=null_value, first_norm=first.norm, radius=first.norm)

    def scale(self, value: float) -> float:
        """What a relative gap is relative to."""
        return float(max(abs(value), 1e-3 * self.null_value, np.finfo(np.float64).tiny))


@final
@dataclass(frozen=True)
class _Here:
    """F around a point, the diagonal of its Hessian, and the metric of the trust region, a diagonal too."""

    at: Evaluation
    diagonal: FloatArray  # (q,)
    metric: FloatArray  # (q,)

    @classmethod
    def of(cls, problem: Problem, point: Point, answer: SweepAnswer) -> _Here:
        """From the answer of a sweep at the point."""
        assert answer.diagonal is not None
        diagonal = answer.diagonal[0] / answer.weight_sum
        metric = _DIAGONAL * diagonal
        metric[: problem.penalised] += problem.penalty.curvature(point.theta[0, : problem.penalised])
        metric = np.where(metric > 0.0, metric, 1.0)
        return cls(Evaluation.of(problem, point, answer), diagonal, metric)

    @property
    def norm(self) -> float:
        """Of the gradient, in the inverse of the metric."""
        return float(np.sqrt(np.sum(np.square(self.at.gradient) / self.metric)))

    def length(self, step: FloatArray) -> float:
        """Of a step, in the metric."""
        return float(np.sqrt(np.sum(np.square(step) * self.metric)))

    def to_boundary(self, step: FloatArray, direction: FloatArray, radius: float) -> float:
        """How far to go from the end of a step along a direction until the length is the radius."""
        a, b = self.length(direction) ** 2, float(np.sum(step * self.metric * direction))
        left = max(radius**2 - self.length(step) ** 2, 0.0)
        root = np.sqrt(b * b + a * left)
        return float(left / (b + root)) if b > 0.0 else float((root - b) / a)


@final
@dataclass(frozen=True)
class _Step:
    """A step d, its slope g'd, its curvature d'Hd, and its length in the metric."""

    along: FloatArray
    slope: float
    curvature: float
    length: float

    @property
    def expected(self) -> float:
        """How much lower F is at its end, by the quadratic model."""
        return -(self.slope + 0.5 * self.curvature)

    def cut(self, length: float) -> _Step:
        """The same direction, not so far."""
        t = length / self.length
        return _Step(t * self.along, t * self.slope, t * t * self.curvature, length)


def _descend(problem: Problem, memory: _Memory, state: State, point: Point) -> Conversation:
    """Steps within the region, from ``point``, until the gap is small."""
    step: _Step | None = None
    here, state = yield from _look(problem, state, point)
    while not np.isfinite(here.at.value):
        point = retreat(problem, point)
        if state.passes >= problem.max_passes:
            return Solution(replace(state, point=point), False)
        here, state = yield from _look(problem, state, point)
    memory = memory.knowing(here)
    while True:
        state = _verified(problem, memory, here, step, state)
        if reached(problem, state):
            return (yield from _ended(problem, memory, here, step, state))
        if state.passes + 2 > problem.max_passes:  # a product, and a look at where it leads
            return Solution(state, False)
        step, memory, state = yield from _inner(problem, memory, here, state)
        there, memory, state = yield from _tried(problem, memory, here, step, state)
        if there is None:
            return Solution(state, False, notes=() if state.passes >= problem.max_passes else (STALLED,))
        here = there


def _look(problem: Problem, state: State, point: Point) -> Generator[Turn, Any, tuple[_Here, State]]:
    """F around a point."""
    reply: SweepAnswer = yield Turn(Question(Sweep(problem.loss, point, diagonal=True)), state)
    return _Here.of(problem, point, reply), replace(state, passes=state.passes + 1)


def _inner(
    problem: Problem, memory: _Memory, here: _Here, state: State
) -> Generator[Turn, Any, tuple[_Step, _Memory, State]]:
    """Steihaug 1983: preconditioned conjugate gradients until the residual is small, or to the boundary."""
    gradient, norm = here.at.gradient, here.norm
    enough = min(_LOOSEST, np.sqrt(norm / memory.first_norm)) * norm
    aim = _AIM * problem.tol * memory.scale(here.at.value)
    step, residual = np.zeros_like(gradient), -gradient
    direction = residual / here.metric
    square = float(residual @ direction)
    rates: list[float] = []
    ratios: list[float] = []
    while True:
        product, state = yield from _product(problem, here.at.point, direction, state)
        bend = float(direction @ product)
        beyond = bend <= 0.0 or here.length(step + square / bend * direction) >= memory.radius
        rate = here.to_boundary(step, direction, memory.radius) if beyond else square / bend
        step, residual = step + rate * direction, residual - rate * product
        if beyond:
            break
        before, square = square, float(residual @ (residual / here.metric))
        rates.append(rate)
        ratios.append(square / before)
        memory = replace(memory, ritz=_least(memory.ritz, _smallest_ritz_value(rates, ratios)))
        if np.sqrt(square) <= enough or 0.5 * square <= aim * memory.ritz:
            break
        if len(rates) >= _MOST_PRODUCTS or state.passes + 1 >= problem.max_passes:
            break
        direction = residual / here.metric + ratios[-1] * direction
    curvature = -float(step @ (gradient + residual))
    return _Step(step, float(gradient @ step), curvature, here.length(step)), memory, state


def _product(
    problem: Problem, point: Point, direction: FloatArray, state: State
) -> Generator[Turn, Any, tuple[FloatArray, State]]:
    """The Hessian of F times a vector."""
    kernel = HessianVector(problem.loss, point, direction[None])
    reply: FloatArray = yield Turn(Question(kernel), state)
    product = reply[0] / problem.weight_sum
    seen = problem.penalised
    product[:seen] += problem.penalty.curvature(point.theta[0, :seen]) * direction[:seen]
    return product, replace(state, passes=state.passes + 1)


def _smallest_ritz_value(rates: list[float], ratios: list[float]) -> float:
    """Of the tridiagonal matrix that conjugate gradients build (Saad 2003, section 6.7.3)."""
    rate, ratio = np.asarray(rates), np.asarray(ratios)[:-1]
    diagonal = 1.0 / rate
    diagonal[1:] += ratio / rate[:-1]
    values = eigvalsh_tridiagonal(diagonal, np.sqrt(ratio) / rate[:-1], select="i", select_range=(0, 0))
    return float(values[0])


def _least(known: float, met: float) -> float:
    """The smaller of two Ritz values, of which 0 and below are none."""
    return known if met <= 0.0 else met if known == 0.0 else min(known, met)


def _tried(
    problem: Problem, memory: _Memory, here: _Here, step: _Step, state: State
) -> Generator[Turn, Any, tuple[_Here | None, _Memory, State]]:
    """Where the step leads, cut until F is low enough there; None where that never was."""
    for _ in range(_REJECTIONS + 1):
        target = here.at.point.at((here.at.point.theta[0] + step.along)[None])
        there, state = yield from _look(problem, state, target)
        good, radius = _judged(here, step, there, memory.radius)
        memory = replace(memory, radius=radius)
        if good:
            return there, memory, state
        if state.passes >= problem.max_passes:
            break
        step = step.cut(radius)
    return None, memory, state


def _judged(here: _Here, step: _Step, there: _Here, radius: float) -> tuple[bool, float]:
    """Whether a step is good enough, and the radius after it (Lin, Weng and Keerthi 2008, equation 9)."""
    before, after = here.at.value, there.at.value
    actual = before - after if np.isfinite(after) else -np.inf
    if step.expected < _FLAT * abs(before) and np.isfinite(after):  # values differ by rounding only
        actual = -0.5 * (step.slope + float(there.at.gradient @ step.along))
    bend = -actual - step.slope
    factor = _GROWTH if bend <= 0.0 else max(_LEAST_SHRINK, -0.5 * step.slope / bend)
    length = min(factor, _GROWTH) * step.length
    if actual < _ACCEPTABLE * step.expected:
        return False, min(length, _SHRINK * radius, _SHRINK * step.length)
    if actual < _POOR * step.expected:
        return True, max(_LEAST_SHRINK * radius, min(length, _SHRINK * radius))
    if actual < _GOOD * step.expected:
        return True, max(_LEAST_SHRINK * radius, min(length, _GROWTH * radius))
    return True, max(radius, min(length, _GROWTH * radius))


def _verified(problem: Problem, memory: _Memory, here: _Here, step: _Step | None, state: State) -> State:
    """The state that knows this point and how far from the minimum it can be."""
    gap = _gap(problem, memory, here)
    progress = Progress(
        objective=here.at.value,
        gap=float(gap.value / memory.scale(here.at.value)),
        gap_kind=gap.kind,
        gradient_norm=float(np.linalg.norm(here.at.gradient)),
        step_size=0.0 if step is None else float(np.linalg.norm(step.along)),
    )
    return State(state.passes, here.at.point, progress, {}, dict(vars(memory)))


def _gap(problem: Problem, memory: _Memory, here: _Here) -> Gap:
    """Proven by the penalty's convexity where no intercept is free of it; else estimated."""
    value, gradient, seen = here.at.value, here.at.gradient, problem.penalised
    estimate = 0.5 * here.norm**2 / memory.ritz if memory.ritz > 0.0 else value
    convexity = problem.penalty.strong_convexity
    if convexity > 0.0:
        bound = strong_convexity(float(np.linalg.norm(gradient[:seen])), convexity, value)
        scale = memory.scale(value)
        if gradient.size == seen and (bound.value <= problem.tol * scale or bound.value <= estimate):
            return Gap(min(bound.value, value), bound.kind)
        free = 0.5 * np.sum(np.square(gradient[seen:]) / np.maximum(here.diagonal[seen:], 1e-300))
        estimate = min(estimate, bound.value + float(free))
    return Gap(min(estimate, value), "estimate")  # neither losses nor penalties are negative


def _ended(problem: Problem, memory: _Memory, here: _Here, step: _Step | None, state: State) -> Conversation:
    """The end, if need be after a look for a ray along which F falls for ever."""
    assert state.progress is not None
    perfection = here.at.value / max(memory.null_value, 1e-300)
    unproven = state.progress.gap_kind == "estimate" and state.passes < problem.max_passes
    if step is not None and unproven and endless.suspected(problem, perfection, np.nan, exact=False):
        far: SweepAnswer = yield Turn(endless.question(problem, here.at.point, step.along), state)
        state = replace(state, passes=state.passes + 1)
        if endless.confirmed(problem, here.at.point, here.at.value, step.along, far):
            return Solution(state, True, notes=(endless.ENDLESS,))
    return Solution(state, True)
