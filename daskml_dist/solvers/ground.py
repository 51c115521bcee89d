"""What gradient descent learns of F: the metric, how flat F is, and so how far from the minimum it is."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import dataclass, replace
from typing import Any, final

import numpy as np
from scipy.linalg import eigvalsh_tridiagonal

from daskml_dist.kernels import HessianVector, Point, Question, Sweep, SweepAnswer, answer
from daskml_dist.solvers._base import Conversation, Problem, Progress, State, Turn
from daskml_dist.solvers.descent import Evaluation, Policy, ended, retreat, suspects_ray, verified
from daskml_dist.solvers.metric import Metric
from daskml_dist.solvers.pace import yet_to_fall
from daskml_dist.solvers.scaling import Scale, Scaling, few_rows
from daskml_dist.types import Chunk, FloatArray, GapKind

_PRODUCTS = 12  # with the Hessian on the sample, from which its extreme eigenvalues are known well enough
_FLATTEST = 1e-4  # what no step has met is not believed to be flatter, relative to the steepest direction
_PACE = 5  # passes whose decreases tell how fast F falls
_SLOWEST = 0.99  # factor on the decrease, from pass to pass, that is believed: gradient descent may be slow
_REMEMBERED = 30  # curvatures along steps: F bends otherwise elsewhere


@final
@dataclass(frozen=True)
class Slope:
    """The scaling, and the largest and smallest curvature that it leaves, from a few rows."""

    scaling: Scaling
    steepest: float
    flattest: float


@final
@dataclass(frozen=True)
class Survey:
    """Scale the features, and feel how steep F is at most."""

    problem: Problem

    def __call__(self, sample: Chunk) -> Slope:
        scaling = Scale(self.problem)(sample)
        metric = shared_diagonal(self.problem, scaling.diagonal)
        return Slope(scaling, *extremes(self.problem, scaling.point, metric, sample))


def shared_diagonal(problem: Problem, diagonal: FloatArray) -> FloatArray:
    """(q,) the diagonal, without zeros, and for a joint loss the same for all margins.

    Gradients of a joint loss add up to zero over its margins, and what is added to all of them alike is seen
    by the penalty alone: steps that go there are hardly ever undone.
    """
    K, cut = problem.margins, problem.margins * problem.features
    w, b = diagonal[:cut].reshape(K, -1).mean(axis=0), diagonal[cut:]
    shared = np.concatenate([np.tile(w, K), np.full(b.size, b.mean()) if K > 1 and b.size else b])
    return np.where(shared > 0.0, shared, 1.0)


def extremes(problem: Problem, point: Point, metric: FloatArray, sample: Chunk) -> tuple[float, float]:
    """Largest and smallest Ritz value of the Hessian in a diagonal metric (Lanczos 1950).

    The gradient is where it begins, so that directions along which F does not change are never met.
    """
    here, root = Evaluation.on(problem, point, sample), np.sqrt(metric)
    if not (np.isfinite(here.gradient).all() and here.gradient.any() and np.isfinite(metric).all()):
        return 1.0, 1.0
    v = here.gradient / root
    norm = float(np.linalg.norm(v))
    basis, along, beside = [v / norm], list[float](), list[float]()
    for _ in range(min(_PRODUCTS, metric.size)):
        product = _product(problem, point, basis[-1] / root, here.answer.weight_sum, sample) / root
        along.append(float(basis[-1] @ product))
        known = np.stack(basis)
        for _again in range(2):  # once more, for what rounding left
            product = product - known.T @ (known @ product)
        rest = float(np.linalg.norm(product))
        if not rest > 1e-6 * max(along):
            break
        beside.append(rest)
        basis.append(product / rest)
    values = eigvalsh_tridiagonal(np.array(along), np.array(beside[: len(along) - 1]))
    steepest = float(values[-1])
    if not (np.isfinite(steepest) and steepest > 0.0):
        return 1.0, 1.0
    return steepest, max(float(values[0]), _FLATTEST * steepest)


def _product(
    problem: Problem, point: Point, vector: FloatArray, weight_sum: float, sample: Chunk
) -> FloatArray:
    """(q,) the Hessian of F on the sample times a vector."""
    found: FloatArray = answer(Question(HessianVector(problem.loss, point, vector[None])), [sample], 1)
    m, product = problem.penalised, found[0] / weight_sum
    product[:m] += problem.penalty.curvature(point.theta[0, :m]) * vector[:m]
    return np.asarray(product)


@final
@dataclass(frozen=True)
class Ground:
    """A diagonal metric in which the steepest direction has a curvature of about 1, and what was met in it.

    Attributes
    ----------
    metric : (q,) M, the diagonal of the Hessian at the start times its largest curvature.
    curvatures : the least at the start, from a few rows, and those along the last steps: s' y / s' M s, where
        y is the change of the gradient.
    null_value : F of the constant model.
    """

    metric: FloatArray
    curvatures: FloatArray
    null_value: float

    @property
    def flattest(self) -> float:
        """The least curvature that was met."""
        return float(self.curvatures.min())

    def met(self, step: FloatArray, change: FloatArray) -> Ground:
        """The same, with the change of the gradient along one more step known."""
        length = float(np.sum(self.metric * np.square(step)))
        bend = float(step @ change)
        if not (length > 0.0 and np.isfinite(bend) and bend > 0.0):
            return self
        recent = np.append(self.curvatures[1:], bend / length)[-_REMEMBERED:]
        return replace(self, curvatures=np.append(self.curvatures[:1], recent))

    def progress(self, problem: Problem, here: Evaluation, step: FloatArray, values: FloatArray) -> Progress:
        """What is known at a point: F falls by half its squared slope over the least curvature, or less.

        Where that is less than it falls if it goes on as in the last passes, the least was not met yet.

        Parameters
        ----------
        problem, here : F, and its slopes at the point.
        step : (q,) that led there.
        values : of F before, in order.
        """
        decrease = 0.5 * float(np.sum(np.square(here.pull) / self.metric)) / self.flattest
        falls = -np.diff(np.append(values, here.value))[-_PACE:]
        decrease = max(decrease, yet_to_fall(falls.tolist(), _SLOWEST))
        policy = Policy("never", self.null_value)
        known = verified(problem, policy, here, step, decrease, Metric.diagonal(self.metric), None, State())[
            0
        ]
        assert known.progress is not None
        return known.progress

    def ended(self, problem: Problem, here: Evaluation, state: State) -> Conversation:
        """The end of a descent that reached its tolerance, if need be after a look for a ray without end.

        Gradients point across a ray; along one that separates classes, all margins grow together.
        """
        policy = Policy("never", self.null_value)
        suspected = suspects_ray(problem, policy, here, state, 0.0)
        return (yield from ended(problem, policy, here, state, here.point.theta[0], None, suspected))


def written(progress: Progress) -> dict[str, float]:
    """As numbers of a state, which outlive a checkpoint."""
    numbers = {"objective": progress.objective, "gap": progress.gap}
    numbers |= {"gradient_norm": progress.gradient_norm, "step_size": progress.step_size}
    return numbers | {"proven": float(progress.gap_kind == "strong-convexity")}


def read(numbers: Mapping[str, float]) -> Progress:
    """From the numbers of a state."""
    kind: GapKind = "strong-convexity" if numbers["proven"] else "estimate"
    return Progress(
        numbers["objective"], numbers["gap"], kind, numbers["gradient_norm"], numbers["step_size"]
    )


def begun(problem: Problem) -> Generator[Turn, Any, tuple[Evaluation, Ground, State]]:
    """F and its slopes at the start, and what is known of it there: a few rows, and a pass."""
    slope: Slope = yield Turn(Question(few_rows(problem), Survey(problem)), State())
    point, state = slope.scaling.point, State(passes=1 if problem.streamed else 0)
    while True:
        sweep = Sweep(problem.loss, point, diagonal=True)
        reply: SweepAnswer = yield Turn(Question(sweep), state)
        here, state = Evaluation.of(problem, point, reply), replace(state, passes=state.passes + 1)
        if np.isfinite(here.value) or state.passes >= problem.max_passes:
            break
        point = retreat(problem, point)
    assert reply.diagonal is not None
    m, diagonal = problem.penalised, reply.diagonal[0] / reply.weight_sum
    diagonal[:m] += problem.penalty.curvature(point.theta[0, :m])
    metric = shared_diagonal(problem, diagonal) * slope.steepest
    null_value = here.value if problem.start is None else slope.scaling.null_value
    return here, Ground(metric, np.array([slope.flattest / slope.steepest]), null_value), state
