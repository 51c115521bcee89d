"""The descent that all second-order solvers share: evaluate, check, certify, step."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, final

import numpy as np

from daskml_dist.errors import InvalidData
from daskml_dist.kernels import Point, Question, Sweep, SweepAnswer, answer
from daskml_dist.solvers import endless
from daskml_dist.solvers._base import Conversation, Problem, Progress, Solution, State, Turn, null_point
from daskml_dist.solvers.box_lasso import shortest_subgradient
from daskml_dist.solvers.certificate import Gap, Proof, prove, strong_convexity
from daskml_dist.solvers.course import Course
from daskml_dist.solvers.line_search import OnLine, acceptable, shorter
from daskml_dist.solvers.metric import Metric
from daskml_dist.solvers.model_step import model_step
from daskml_dist.solvers.pace import Pace
from daskml_dist.types import Chunk, FloatArray

#: beside the full step: a 64th, a 16th, a quarter, a half and twice of it
TRIAL_STEPS = (-63 / 64, -15 / 16, -0.75, -0.5, 1.0)
EXPECTED = 10.0  # Newton's decrement times this is the gap where the curvature is only the expected one
_REJECTIONS = 30
_NEARLY = 10.0  # times tol: from here a proven Newton step ends the descent without another pass
_UNPROVABLE = 1e-4  # times tol: an estimate that small and still not proven, as where columns are collinear
_SAFETY = 16.0  # the second pass in a metric gains less than the first
_POOR = 0.02  # a metric that gains less than a factor fifty a pass
_MODERATE = 256  # parameters up to which a Hessian is worth a pass that it saves


@final
@dataclass(frozen=True)
class Policy:
    """What a solver asks for beside value and gradient.

    Attributes
    ----------
    hessian : "always", "never", or "when needed": where the metric alone would take too many passes.
    null_value : F of the constant model, the scale of the relative gap; NaN where the first point is that.
    contraction : the factor by which a pass is expected to shrink the gap in the metric of the start;
        infinite where it did not.
    prove : whether a Hessian that is known shall also prove the gap.
    look : whether a pass is spent on a look for a ray without end, where one is suspected.
    """

    hessian: Literal["always", "never", "when needed"]
    null_value: float = np.nan
    contraction: float = 1.0
    prove: bool = True
    look: bool = True

    def wants_hessian(self, problem: Problem, gap_before: float, gained: float) -> bool:
        """Whether the next pass should ask for the Hessian.

        ``gap_before`` and ``gained`` are the last relative gap and the last pass's factor on it. The next
        pass verifies a gap of about gap_before * rate; if that is not the end, the pass after
        it should be, and with the Hessian it will.
        """
        if self.hessian != "when needed":
            return self.hessian == "always" or problem.certify
        rate = max(self.contraction, gained)
        if not np.isfinite(gap_before):
            needed = rate > _POOR
        else:
            needed = gap_before * rate > problem.tol and _SAFETY * gap_before * rate**2 > problem.tol
        return problem.certify or (needed and (problem.parameters <= _MODERATE or rate > _POOR))


@dataclass(frozen=True)
class Footing:
    """F at a point, and the gradient of its smooth part."""

    point: Point
    value: float
    gradient: FloatArray

    def slope(self, problem: Problem, step: FloatArray, *, arriving: bool = False) -> float:
        """The derivative of F along a step that begins here, or that arrives here."""
        w, along = self.point.theta[0, : problem.penalised], step[: problem.penalised]
        signs = np.where(w == 0.0, np.sign(along) * (-1.0 if arriving else 1.0), np.sign(w))
        return float(self.gradient @ step) + float(np.sum(problem.penalty.l1 * signs * along))


@final
@dataclass(frozen=True)
class Evaluation(Footing):
    """F and its derivatives at a point: the sums of a sweep, divided by the weights, plus the penalty.

    Gradient and Hessian are those of the smooth part; ``pull`` is the shortest subgradient of F.
    """

    pull: FloatArray
    hessian: FloatArray | None
    answer: SweepAnswer

    @classmethod
    def of(cls, problem: Problem, point: Point, answer: SweepAnswer) -> Evaluation:
        """F from the answer of a sweep at the point, for one problem."""
        m, total, penalty = problem.penalised, answer.weight_sum, problem.penalty
        theta = point.theta[0, :m]
        gradient = answer.gradient[0] / total
        gradient[:m] += penalty.gradient(theta)
        pull = gradient.copy()
        if not penalty.smooth:
            pull[:m] = shortest_subgradient(gradient[:m], theta, penalty.l1, penalty.lower, penalty.upper)
        hessian = None
        if answer.hessian is not None:
            hessian = answer.hessian[0] / total
            hessian[np.arange(m), np.arange(m)] += penalty.curvature(theta)
        value = float(answer.value[0]) / total + float(penalty.value(theta))
        return cls(point, value, gradient, pull, hessian, answer)

    @classmethod
    def on(cls, problem: Problem, point: Point, sample: Chunk, *, hessian: bool = False) -> Evaluation:
        """F on a sample, in this thread."""
        reply: SweepAnswer = answer(Question(Sweep(problem.loss, point, hessian=hessian)), [sample], 1)
        return cls.of(problem, point, reply)

    def trials(self, problem: Problem, step: FloatArray, t: float) -> dict[float, float]:
        """F at the trial steps around this point, by their distance from the start of the step."""
        values = {}
        for extra, value in zip(TRIAL_STEPS, self.answer.trials[0], strict=False):
            theta = (self.point.theta[0] + extra * step)[: problem.penalised]
            values[t * (1.0 + extra)] = float(value) / self.answer.weight_sum + float(
                problem.penalty.value(theta)
            )
        return values


def descend(problem: Problem, policy: Policy, metric: Metric, state: State, point: Point) -> Conversation:
    """Quasi-Newton descent from ``point``, in a metric that learns from each pass."""
    point, line, pace, gap_before, gained = _course(problem, state, point)
    if state.progress is not None and state.passes >= problem.max_passes:  # a fit that goes on
        return Solution(state, state.progress.gap <= problem.tol)
    while True:
        exact = policy.wants_hessian(problem, gap_before, gained)
        trials = line.step if line.rejected or _far(gap_before) else None
        sweep = _question(problem, point, metric if policy.prove else None, exact, trials)
        reply: SweepAnswer = yield Turn(Question(sweep), _on_course(state, line, pace, gap_before, gained))
        here = Evaluation.of(problem, point, reply)
        state = replace(state, passes=state.passes + 1)
        if line.start is None and not np.isfinite(here.value):
            if state.passes >= problem.max_passes:
                return Solution(replace(state, point=retreat(problem, point)), False)
            point = retreat(problem, point)
            continue
        if line.start is not None and not line.accepts(problem, here):
            if line.rejected == _REJECTIONS or state.passes >= problem.max_passes:
                return Solution(state, False, notes=(STALLED,) if line.rejected == _REJECTIONS else ())
            line = line.shortened(problem, here)
            point = line.target
            continue
        if line.start is not None:
            metric = metric.updated(line.step, here.gradient - line.start.gradient)
        proof = proof_of(problem, here, metric)
        if here.hessian is not None:
            metric = Metric.of(here.hessian)
        step, decrease = model_step(problem, point, here.gradient, metric)
        if line.start is not None and policy.hessian == "never":  # a guess, maybe too kind
            decrease = max(decrease, pace.yet_to_fall(line.start.value - here.value))
        policy = policy if np.isfinite(policy.null_value) else replace(policy, null_value=here.value)
        state, gap = verified(problem, policy, here, step, decrease, metric, proof, state)
        if reached(problem, state) or one_step_short(problem, policy, here, gap, proof):
            suspected = policy.look and suspects_ray(problem, policy, here, state, gap / gap_before)
            return (yield from ended(problem, policy, here, state, step, proof, suspected))
        if state.passes >= problem.max_passes:
            return Solution(state, gap <= problem.tol, here.hessian)
        gained, gap_before = (gap / gap_before if np.isfinite(gap_before) else 0.0), gap
        line = Line(here, step)
        point = line.target


@final
@dataclass(frozen=True)
class Line:
    """The line from the last accepted point to the one that is asked for now."""

    start: Footing | None
    step: FloatArray
    t: float = 1.0
    rejected: int = 0

    @property
    def target(self) -> Point:
        """The end of the step, where F is asked for."""
        assert self.start is not None
        return self.start.point.at((self.start.point.theta[0] + self.step)[None])

    def _ends(self, problem: Problem, here: Evaluation) -> tuple[OnLine, OnLine]:
        assert self.start is not None
        with np.errstate(over="ignore", invalid="ignore"):  # an infinite end is refused
            leaving = self.start.slope(problem, self.step) / self.t
            arriving = here.slope(problem, self.step, arriving=True) / self.t
        return OnLine(0.0, self.start.value, leaving), OnLine(self.t, here.value, arriving)

    def accepts(self, problem: Problem, here: Evaluation) -> bool:
        """Whether F at the end of the step is low enough to go on from there."""
        return acceptable(*self._ends(problem, here))

    def shortened(self, problem: Problem, here: Evaluation) -> Line:
        """The same line with a shorter step, by what is known of F along it."""
        t = shorter(*self._ends(problem, here), here.trials(problem, self.step, self.t))
        return Line(self.start, self.step * (t / self.t), t, self.rejected + 1)


STALLED = (
    "the objective could not be lowered any further although its gradient says so: the problem is at the "
    "limit of float64; scale the features or strengthen the penalty"
)


def ended(
    problem: Problem,
    policy: Policy,
    here: Evaluation,
    state: State,
    step: FloatArray,
    proof: Proof | None,
    suspected: bool,
) -> Conversation:
    """The end of a descent that reached its tolerance, if need be after a look for a ray without end."""
    if suspected:
        far: SweepAnswer = yield Turn(endless.question(problem, here.point, step), state)
        state = replace(state, passes=state.passes + 1)
        if endless.confirmed(problem, here.point, here.value, step, far):
            return Solution(state, True, here.hessian, (endless.ENDLESS,))
    return _finished(here, policy.null_value, state, step, proof if problem.penalty.smooth else None)


def retreat(problem: Problem, point: Point) -> Point:
    """The constant model, where the first guess overflows."""
    null = null_point(problem, point.centre)
    if np.array_equal(null.theta, point.theta):
        raise InvalidData(
            f"The objective overflows float64 for the constant model already (loss {problem.loss.name!r}): "
            "y, offset or weights are too large. Divide them by a constant."
        )
    return null


def suspects_ray(problem: Problem, policy: Policy, here: Evaluation, state: State, gained: float) -> bool:
    """Whether a pass is well spent on a look for a ray without end; ``gained`` is 0 where it is not known."""
    if state.progress is None or state.progress.gap_kind != "estimate" or state.passes >= problem.max_passes:
        return False
    perfection, gained = here.value / max(policy.null_value, 1e-300), gained or np.nan
    return endless.suspected(problem, perfection, gained, exact=here.hessian is not None)


def _far(relative_gap: float) -> bool:
    """Whether a full step may well be too long, so that trial steps are worth their price."""
    return np.isfinite(relative_gap) and relative_gap > 0.1


def _question(
    problem: Problem, point: Point, metric: Metric | None, exact: bool, direction: FloatArray | None
) -> Sweep:
    """The sweep at a point; with a metric and a Hessian, also the radius that a proof needs."""
    proving = metric is not None and exact and problem.loss.self_concordance is not None
    return Sweep(
        problem.loss,
        point,
        direction=None if direction is None else direction[None],
        steps=() if direction is None else TRIAL_STEPS,
        hessian=exact,
        factor=metric.cholesky_factor if proving and metric is not None else None,
        compiled=problem.large,
    )


def proof_of(problem: Problem, here: Evaluation, metric: Metric) -> Proof | None:
    """What proves the gap here, given the metric in which the radius was measured."""
    radius, concordance = here.answer.radius, problem.loss.self_concordance
    if here.hessian is None or radius is None or concordance is None:
        return None
    return prove(here.hessian, here.pull, metric.cholesky_factor, radius, concordance)


def _gap(problem: Problem, here: Evaluation, decrease: float, proof: Proof | None, enough: float) -> Gap:
    """The smallest bound that holds; an estimate where none does, or where it tells too little.

    Where the loss has no constant of self-concordance, strong convexity is all that there is to prove a gap
    by. It is far above the gap for long, and is told from where on it is ``enough``.
    """
    bounds = [] if proof is None else [proof.gap(here.value)]
    convexity = problem.penalty.strong_convexity
    if problem.parameters == problem.penalised and convexity > 0.0:
        bounds.append(strong_convexity(float(np.linalg.norm(here.pull)), convexity, here.value))
    least = min(bounds, key=lambda bound: bound.value, default=Gap(np.inf, "estimate"))
    told = proof is not None or (problem.loss.self_concordance is None and least.value <= enough)
    estimate = Gap(max(0.0, decrease) * (1.0 if problem.loss.convex else EXPECTED), "estimate")
    best = least if told and np.isfinite(least.value) else estimate
    return Gap(min(best.value, here.value), best.kind)  # neither losses nor penalties are negative


def verified(
    problem: Problem,
    policy: Policy,
    here: Evaluation,
    step: FloatArray,
    decrease: float,
    metric: Metric,
    proof: Proof | None,
    state: State,
) -> tuple[State, float]:
    """The state that knows this point, and its relative gap; the model at hand expects the decrease."""
    scale = scale_of(here.value, policy.null_value)
    gap = _gap(problem, here, decrease, proof, problem.tol * scale)
    progress = Progress(
        objective=here.value,
        gap=float(gap.value / scale),
        gap_kind=gap.kind,
        gradient_norm=float(np.linalg.norm(here.pull)),
        step_size=float(np.linalg.norm(step)),
    )
    numbers = {"null_value": policy.null_value, "contraction": policy.contraction}
    sampled = here.hessian is None and (state.hessian is None or state.hessian.sampled)
    hessian = metric.hessian(sampled=sampled)
    return State(state.passes, here.point, progress, metric.memory, numbers, hessian), progress.gap


def scale_of(value: float, null_value: float) -> float:
    """What a relative gap is relative to."""
    return float(max(abs(value), 1e-3 * null_value, np.finfo(np.float64).tiny))


def reached(problem: Problem, state: State) -> bool:
    """Whether the gap is small enough; where it is to be certified and is not yet, a little further."""
    assert state.progress is not None
    unproven = problem.certify and state.progress.gap_kind == "estimate"
    provable = problem.loss.self_concordance is not None
    return state.progress.gap <= problem.tol * (_UNPROVABLE if unproven and provable else 1.0)


def one_step_short(
    problem: Problem, policy: Policy, here: Evaluation, gap: float, proof: Proof | None
) -> bool:
    """Whether the Newton step from here is proven to end far within tol, so that no pass need verify it."""
    if proof is None or not problem.penalty.smooth or not gap <= _NEARLY * problem.tol:
        return False
    after = proof.gap_after_step(here.value).value
    least = max(here.value - proof.gap(here.value).value, 0.0)
    return after <= problem.tol / _NEARLY**2 * scale_of(least, policy.null_value)


def _finished(
    here: Evaluation, null_value: float, state: State, step: FloatArray, proof: Proof | None
) -> Solution:
    """Take the Newton step that the exact Hessian offers for nothing, where it is proven to be better."""
    if proof is None or state.progress is None:
        return Solution(state, True, here.hessian)
    before, after = proof.gap(here.value), proof.gap_after_step(here.value)
    least = max(here.value - before.value, 0.0)  # F at the end of the step is not below this
    relative = float(after.value / scale_of(least, null_value))
    if not after.value < before.value or not relative < state.progress.gap:
        return Solution(state, True, here.hessian)
    progress = replace(state.progress, gap=relative, gap_kind=after.kind)
    point = here.point.at((here.point.theta[0] + step)[None])
    return Solution(replace(state, point=point, progress=progress), True, here.hessian)


def _on_course(state: State, line: Line, pace: Pace, gap_before: float, gained: float) -> State:
    """The state, with what is needed to ask the same question again."""
    start = line.start
    if start is None:
        return state
    course = Course(
        line.step, start.gradient, start.value, line.t, line.rejected, gap_before, gained, pace.falls
    )
    return course.on(state)


def _course(problem: Problem, state: State, point: Point) -> tuple[Point, Line, Pace, float, float]:
    """Where to ask next, and the same of a state that is gone on from; where it knows none, the beginning."""
    known = Course.of(state)
    if known is None:
        return point, Line(None, np.zeros(problem.parameters)), Pace(), np.inf, 0.0
    line = Line(Footing(point, known.value, known.gradient), known.step, known.t, known.rejected)
    return line.target, line, Pace(known.falls), known.gap_before, known.gained


def metric_of(state: State) -> Metric:
    """The metric that a state remembers."""
    arrays = state.arrays
    return Metric(
        arrays["scale"],
        arrays["factor"],
        arrays["steps"],
        arrays["changes"],
        arrays["order"].astype(np.int64),
    )
