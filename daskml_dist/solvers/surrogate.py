"""The surrogate: the objective on a sample, corrected so that it touches the objective of all rows."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import final

import numpy as np

from daskml_dist.kernels import Point, Question, Sweep, SweepAnswer, SweptSample, answer
from daskml_dist.losses import Squared
from daskml_dist.solvers._base import Problem
from daskml_dist.solvers.descent import Evaluation
from daskml_dist.solvers.metric import Metric
from daskml_dist.types import Chunk, FloatArray

_ITERATIONS = 40
_REFUSALS = 15
_ENOUGH = 1e-2  # of all that was gained so far: less than that is not worth another iteration
_DAMPING = 1e-2  # at first, times F
_LEAST_DAMPING = 1e-12


@final
@dataclass(frozen=True)
class SurrogateAnswer:
    """What all rows say of a point, and where the surrogate around it has its minimum.

    Attributes
    ----------
    answer : of the sweep of all rows.
    step : (q,) from the point to the minimum of the surrogate.
    decrease : of the surrogate along the step, an estimate of the gap at the point.
    hessian : (q, q) of F on the sample at the end of the step.
    """

    answer: SweepAnswer
    step: FloatArray
    decrease: float
    hessian: FloatArray


@final
@dataclass(frozen=True)
class Surrogate:
    """Minimise the surrogate around a point, inside the task that gathered its sample."""

    problem: Problem
    point: Point

    def __call__(self, found: SweptSample) -> SurrogateAnswer:
        here = Evaluation.of(self.problem, self.point, found.answer)
        corrected = _Model.around(self.problem, here, found.sample)
        if not np.isfinite(here.value) or not np.isfinite(corrected.base.value):
            q = self.problem.parameters
            return SurrogateAnswer(found.answer, np.zeros(q), 0.0, np.eye(q))
        for model in corrected.and_simpler():
            step, decrease, hessian = _minimum(model)
            if decrease <= here.value:
                break  # otherwise more than there is: away from the point a correction misleads
        return SurrogateAnswer(found.answer, step, decrease, hessian)


@final
@dataclass(frozen=True)
class _Model:
    """F_S(theta + d) + tilt' d + d' bend d / 2, with F_S the objective on the sample.

    The tilt gives it the gradient of all rows at theta (Shamir et al. 2014, DANE; Jordan, Lee and Yang
    2019), the bend their Hessian, where that is known. Unlike Newton's quadratic model it knows of
    each sampled row how its loss bends further away.
    """

    problem: Problem
    sample: Chunk
    base: Evaluation
    tilt: FloatArray
    bend: FloatArray

    @classmethod
    def around(cls, problem: Problem, here: Evaluation, sample: Chunk) -> _Model:
        base = Evaluation.on(problem, here.point, sample, hessian=True)
        assert base.hessian is not None
        bend = np.zeros_like(base.hessian) if here.hessian is None else here.hessian - base.hessian
        return cls(problem, sample, base, here.gradient - base.gradient, bend)

    def and_simpler(self) -> list[_Model]:
        """The model, then without the bend, then without the tilt either."""
        unbent = replace(self, bend=np.zeros_like(self.bend))
        untilted = replace(unbent, tilt=np.zeros_like(self.tilt))
        return [self, unbent, untilted] if self.bend.any() else [unbent, untilted]

    def at(self, step: FloatArray, *, derivatives: bool = False) -> Evaluation:
        """F_S at the end of a step."""
        point = self.base.point.at((self.base.point.theta[0] + step)[None])
        return Evaluation.on(self.problem, point, self.sample, hessian=derivatives)

    def value(self, at: Evaluation, step: FloatArray) -> float:
        """Of the model, given F_S there."""
        return at.value + float(self.tilt @ step) + 0.5 * float(step @ self.bend @ step)

    def gradient(self, at: Evaluation, step: FloatArray) -> FloatArray:
        """(q,) of the model, given that of F_S there."""
        return at.gradient + self.tilt + self.bend @ step

    def gram(self) -> FloatArray:
        """(q, q) mean of x x' over the sample: the Hessian of the squared loss."""
        ask: Question[SweepAnswer] = Question(Sweep(Squared(), self.base.point, hessian=True))
        found: SweepAnswer = answer(ask, [self.sample], 1)
        assert found.hessian is not None
        return np.asarray(found.hessian[0] / found.weight_sum)


def _minimum(model: _Model) -> tuple[FloatArray, float, FloatArray]:
    """Step, decrease and Hessian of F_S at the end, by the method of Levenberg and Marquardt.

    The damping is in the metric of the rows, as if each of them had a little more curvature: where
    Newton's method believes that margins can move for nothing, they move by a bounded amount.
    """
    gram, damping = model.gram(), _DAMPING * abs(model.base.value)
    here, step, value = model.base, np.zeros(model.problem.parameters), model.base.value
    for _ in range(_ITERATIONS):
        assert here.hessian is not None
        curvature, gradient = here.hessian + model.bend, model.gradient(here, step)
        for _ in range(_REFUSALS):
            change = -Metric.of(curvature + damping * gram).solve(gradient)
            expected = -float(gradient @ change) - 0.5 * float(change @ curvature @ change)
            reached = model.value(model.at(step + change), step + change)
            gained = value - reached
            if expected > 0.0 and gained > 0.1 * expected:
                break
            damping = max(4.0 * damping, _LEAST_DAMPING * abs(model.base.value))
        else:
            break
        damping *= 0.1 if gained > 0.75 * expected else 1.0 if gained > 0.25 * expected else 4.0
        step, value = step + change, reached
        here = model.at(step, derivatives=True)
        if value < 0.0 or expected < _ENOUGH * (model.base.value - value):
            break  # neither losses nor penalties are negative: such a model is wrong
    assert here.hessian is not None
    if not step.any():  # no step that float64 can tell from none: what Newton's model expects is left
        gradient = model.gradient(here, step)
        return step, 0.5 * float(gradient @ Metric.of(here.hessian).solve(gradient)), here.hessian
    return step, model.base.value - value, here.hessian
