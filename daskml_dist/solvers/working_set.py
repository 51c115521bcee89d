"""Newton's method over a few coordinates at a time: absolute values and bounds with many features."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, replace
from typing import Any, ClassVar, final

import numpy as np

from daskml_dist.errors import UnsupportedCombination
from daskml_dist.kernels import Glimpse, GlimpseAnswer, Point, Question, Sweep, SweepAnswer
from daskml_dist.losses import JointLoss
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
from daskml_dist.solvers.box_lasso import subgradients
from daskml_dist.solvers.certificate import Gap
from daskml_dist.solvers.descent import (
    EXPECTED,
    STALLED,
    TRIAL_STEPS,
    Evaluation,
    Line,
    reached,
    retreat,
    scale_of,
)
from daskml_dist.solvers.dual_bound import dual_bound
from daskml_dist.solvers.model_step import box_of, box_step
from daskml_dist.types import AnyArray, FloatArray

MOST = 2000  # coordinates whose Hessian is formed
_LEAST = 256  # the same, where there are as many
_GLIMPSED = 16
_REJECTIONS = 30
_FAR = 0.1  # relative gap from which on a full step may well be too long
_FLAT = 64 * np.finfo(np.float64).eps  # of F: steps lower the slopes only, as long as that proves more
_RIDGE = 1e-11  # of the diagonal of the Hessian, so that equal columns have a minimum
_ROUNDING = 32 * np.finfo(np.float64).eps
_NO_STEP = np.finfo(np.float64).eps ** 2  # of F: no decrease at all
_AT = 4 * np.finfo(np.float64).eps  # of a bound: a coefficient that is off it by rounding only


CROWDED = (
    "about as many coefficients as a working set may have are away from zero, or more: steps are over blocks "
    "of them, and many passes are needed. Strengthen the penalty, or raise max_iter"
)


@final
@dataclass(frozen=True)
class WorkingSet(Solver):
    """Proximal Newton steps over those coordinates that are not zero, or want to leave it, or soon may.

    Each pass tells F, the whole gradient, and the Hessian of a working set of coordinates. The quadratic
    model of these is minimised with the penalty (Lee, Sun and Saunders 2014, "Proximal Newton-type methods"),
    and the next set is chosen: what is not at rest, and as much as moves once more of what is nearest to
    leaving its kink, by how far the gradient would have to move in units of the root of the curvature
    (Johnson and Guestrin 2015, "Blitz"; Massias, Gramfort and Salmon 2018, "Celer", section 2). The set is
    one pass ahead of the step, so that but for the second one no pass is made for a Hessian alone. The gap is
    that to the dual objective (docs/certificates.md).

    Where more coordinates than ``most`` are not at rest, those are taken that lower F most, each by itself:
    then the steps are those of block coordinate descent, and more passes are needed.

    Attributes
    ----------
    most : how many coordinates a working set may have.
    """

    most: int = MOST
    name: ClassVar[str] = "working-set"
    needs: ClassVar[frozenset[str]] = frozenset({"smooth loss", "loss without a scale"})

    def gathered_bytes(self, problem: Problem) -> int:
        """The Hessian of the largest working set, and its parts on the way."""
        return 32 * min(self.most, problem.parameters) ** 2

    def solve(self, problem: Problem, state: State | None = None) -> Conversation:
        if isinstance(problem.loss, JointLoss):
            raise UnsupportedCombination(
                f"solver='working-set' was given with {problem.margins} classes; it takes two. Use "
                "solver='auto', which takes one that fits."
            )
        if state is not None and state.point is not None:
            if state.progress is not None and state.passes >= problem.max_passes:
                return Solution(state, state.progress.gap <= problem.tol)
            columns = state.arrays["columns"].astype(np.int64)
            return (
                yield from self._descend(problem, state, state.point, columns, state.numbers["null_value"])
            )
        centre = np.zeros(problem.features)
        if problem.centred and not problem.sparse:
            glimpse: GlimpseAnswer = yield Turn(Question(Glimpse(_GLIMPSED)), State())
            centre = glimpse.x_mean
        start, null_value = null_point(problem, centre), np.nan
        if problem.start is not None:
            mean = problem.loss.link(problem.mean)
            null_value = float(np.mean(problem.loss.value(problem.mean, mean)))
            start = centred(problem.start, centre)
        columns = np.flatnonzero(start.w[0])[: self.most]
        return (yield from self._descend(problem, State(), start, columns, null_value))

    def _descend(
        self, problem: Problem, state: State, point: Point, columns: AnyArray, null_value: float
    ) -> Conversation:
        """Steps from ``point``, the first one over ``columns``, until the gap is small."""
        line = Line(None, np.zeros(problem.parameters))
        gap, rest = np.inf, np.inf
        while True:
            trials = line.step if line.rejected or _FAR < gap < np.inf else None
            here, state = yield from _look(problem, state, point, columns, trials)
            last = state.passes >= problem.max_passes
            if line.start is None and not np.isfinite(here.at.value):
                point = retreat(problem, point)
                if last:
                    return Solution(replace(state, point=point), False)
                continue
            if line.start is not None and not line.accepts(problem, here.at):
                if rest <= _FLAT:  # values differ by rounding only
                    return Solution(_estimated(state, rest), rest <= problem.tol)
                if last or line.rejected == _REJECTIONS:
                    return Solution(state, False, notes=() if last else (STALLED,))
                line = line.shortened(problem, here.at)
                point = _within(problem, line.target)
                continue
            null_value = null_value if np.isfinite(null_value) else here.at.value
            step, decrease = here.step(problem)
            chosen = here.chosen(problem, step, self.most)
            state = _verified(problem, here, step, decrease, chosen, null_value, state, gap)
            assert state.progress is not None
            gap, rest = (
                state.progress.gap,
                here.estimate(problem, decrease) / scale_of(here.at.value, null_value),
            )
            if last or reached(problem, state):
                crowded = gap > problem.tol and len(chosen) == self.most
                return Solution(state, gap <= problem.tol, notes=(CROWDED,) if crowded else ())
            idle = decrease <= _NO_STEP * here.at.value
            if idle and np.isin(chosen, columns).all():
                return Solution(state, gap <= problem.tol, notes=() if gap <= problem.tol else (STALLED,))
            line = Line(None if idle else here.at, step)
            point = here.at.point if idle else _within(problem, line.target)
            columns = chosen


@final
@dataclass(frozen=True)
class _Look:
    """F around a point, the diagonal of its Hessian, and the Hessian of some columns and the intercept.

    Attributes
    ----------
    at : F. diagonal : (q,). columns : (c,) in order. hessian : of F, (c, c) or (c + 1, c + 1).
    """

    at: Evaluation
    diagonal: FloatArray
    columns: AnyArray
    hessian: FloatArray

    @classmethod
    def of(cls, problem: Problem, point: Point, columns: AnyArray, answer: SweepAnswer) -> _Look:
        assert answer.hessian is not None and answer.diagonal is not None
        m, total = problem.penalised, answer.weight_sum
        curvature = np.zeros(problem.parameters)
        curvature[:m] = problem.penalty.curvature(point.theta[0, :m])
        seen = _seen(problem, columns)
        hessian = answer.hessian[0] / total + np.diag(curvature[seen])
        at = Evaluation.of(problem, point, replace(answer, hessian=None))
        return cls(at, answer.diagonal[0] / total + curvature, columns, hessian)

    def step(self, problem: Problem) -> tuple[FloatArray, float]:
        """(q,) step to the minimum of the model over the columns and the intercept, and its decrease."""
        seen, theta = _seen(problem, self.columns), self.at.point.theta[0]
        step, decrease = np.zeros(theta.size), 0.0
        if seen.size:
            box = (part[seen] for part in box_of(problem, theta.size))
            steady = self.hessian + _RIDGE * np.diag(np.diag(self.hessian))
            step[seen], decrease = box_step(theta[seen], self.at.gradient[seen], steady, *box)
        return step, max(decrease, 0.0)

    def beside(self, problem: Problem) -> float:
        """About how much lower F is at the minimum over each of the other coordinates by itself."""
        pull = self.at.pull.copy()
        pull[_seen(problem, self.columns)] = 0.0
        return 0.5 * float(np.sum(np.square(pull) / np.maximum(self.diagonal, np.finfo(np.float64).tiny)))

    def estimate(self, problem: Problem, decrease: float) -> float:
        """About how far F is above its minimum, where the model expects that decrease over the columns."""
        expected = decrease + self.beside(problem)
        return min(expected * (1.0 if problem.loss.convex else EXPECTED), self.at.value)

    def chosen(self, problem: Problem, step: FloatArray, most: int) -> AnyArray:
        """(c,) the next working set, in order."""
        p, q = problem.features, problem.parameters
        theta, box = self.at.point.theta[0, :p], (part[:p] for part in box_of(problem, q))
        l1, lower, upper = box
        least, greatest = subgradients(self.at.gradient[:p], theta, l1, lower, upper)
        unit, pull = np.sqrt(self.diagonal[:p]), self.at.pull[:p]
        kink = ((theta == 0.0) & (l1 > 0.0)) | (theta <= lower) | (theta >= upper)
        live = unit > 0.0  # a column without an entry moves nothing
        moving = live & (~kink | (step[:p] != 0.0))
        awake = moving | (pull != 0.0)
        with np.errstate(divide="ignore", invalid="ignore"):
            far = np.where(pull == 0.0, np.minimum(-least, greatest), -np.abs(pull)) / unit
        far[~live] = np.inf
        if np.sum(awake) <= most:
            far[moving] = -np.inf
        wanted = min(most, max(int(np.sum(awake) + np.sum(moving)), _LEAST), int(np.sum(live)))
        return np.sort(np.argsort(far, kind="stable")[:wanted])


def _seen(problem: Problem, columns: AnyArray) -> AnyArray:
    """Places of these columns, and of the intercept if there is one, among all parameters."""
    return np.append(columns, np.arange(problem.features, problem.parameters))


def _within(problem: Problem, point: Point) -> Point:
    """The point, with coordinates exactly at the bounds that they are at but for rounding."""
    theta, (_, lower, upper) = point.theta, box_of(problem, problem.parameters)
    for bound in (lower, upper):
        there = np.abs(theta - bound) <= _AT * np.abs(theta)
        theta = np.where(there, bound, theta)
    return point.at(theta)


def _look(
    problem: Problem, state: State, point: Point, columns: AnyArray, trials: FloatArray | None
) -> Generator[Turn, Any, tuple[_Look, State]]:
    """F around a point."""
    sweep = Sweep(
        problem.loss,
        point,
        direction=None if trials is None else trials[None],
        steps=() if trials is None else TRIAL_STEPS,
        hessian=True,
        diagonal=True,
        columns=columns,
        rising=problem.parameters > problem.penalised,
    )
    reply: SweepAnswer = yield Turn(Question(sweep), state)
    return _Look.of(problem, point, columns, reply), replace(state, passes=state.passes + 1)


def _verified(
    problem: Problem,
    here: _Look,
    step: FloatArray,
    decrease: float,
    chosen: AnyArray,
    null_value: float,
    state: State,
    before: float,
) -> State:
    """The state that knows this point and how far from the minimum it can be; ``before`` was the last gap."""
    scale = scale_of(here.at.value, null_value)
    gap = _gap(problem, here, decrease, problem.tol * scale, before * scale)
    progress = Progress(
        objective=here.at.value,
        gap=float(gap.value / scale),
        gap_kind=gap.kind,
        gradient_norm=float(np.linalg.norm(here.at.pull)),
        step_size=float(np.linalg.norm(step)),
    )
    arrays = {"columns": chosen.astype(np.float64)}
    return State(state.passes, here.at.point, progress, arrays, {"null_value": float(null_value)})


def _gap(problem: Problem, here: _Look, decrease: float, enough: float, before: float) -> Gap:
    """The duality gap; an estimate where there is none, or where rounding hides how small it is."""
    value = here.at.value
    estimate = here.estimate(problem, decrease)
    if problem.loss.convex:
        bound = dual_bound(problem, here.at.point, here.at.answer, value)
        proven = max(value - bound, 0.0) + _ROUNDING * value
        going = estimate > _FLAT * value or proven < 0.5 * before
        if proven <= enough or (np.isfinite(proven) and going):
            return Gap(min(proven, value), "duality")
    return Gap(estimate, "estimate")


def _estimated(state: State, gap: float) -> State:
    """The state with an estimate in place of a proof that rounding does not let become any better."""
    assert state.progress is not None
    return replace(state, progress=replace(state.progress, gap=float(gap), gap_kind="estimate"))
