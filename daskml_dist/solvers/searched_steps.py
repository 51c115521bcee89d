"""Gradient steps whose length is found on the way: Barzilai and Borwein's, and backtracking."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import final

import numpy as np

from daskml_dist.kernels import Point, Question, Sweep, SweepAnswer
from daskml_dist.solvers._base import Conversation, Problem, Progress, Solution, State, Turn
from daskml_dist.solvers.descent import STALLED, TRIAL_STEPS, Evaluation
from daskml_dist.solvers.ground import Ground, begun, read, written
from daskml_dist.solvers.line_search import OnLine, acceptable, shorter
from daskml_dist.types import FloatArray

_REJECTIONS = 30
_REFERENCE = 10  # values, the largest of which a step of Barzilai and Borwein's must stay below
_ALTERNATE = 0.8  # ratio of the two lengths below which the shortest recent one is taken
_RECENT = 6
_LONGEST = 1e10  # in the metric, where 1 is the length for the steepest direction


@final
@dataclass(frozen=True)
class Walk:
    """The last accepted point, and the line that is searched from it.

    Attributes
    ----------
    ground : what is known of F.
    point, value, gradient : F and its smooth part's gradient (q,) there.
    step : (q,) along the line, to the point that is asked for now.
    t : what share of the first step that was tried on this line it is.
    length : of that first step: eta in w - eta M^-1 g.
    rejected : how many steps on this line were too long.
    values : of F at the last accepted points.
    lengths : Barzilai and Borwein's shorter ones of the last steps.
    """

    ground: Ground
    point: Point
    value: float
    gradient: FloatArray
    step: FloatArray
    length: float
    values: FloatArray
    lengths: FloatArray
    t: float = 1.0
    rejected: int = 0

    @classmethod
    def from_here(
        cls, problem: Problem, ground: Ground, here: Evaluation, length: float, before: Walk | None = None
    ) -> Walk:
        """The line that begins at an accepted point."""
        values = np.empty(0) if before is None else before.values
        lengths = np.empty(0) if before is None else before.lengths
        values = np.append(values, here.value)[-_REFERENCE:]
        step = _proximal_step(problem, here, ground.metric, length)
        return cls(ground, here.point, here.value, here.gradient, step, length, values, lengths)

    @property
    def target(self) -> Point:
        """The end of the step."""
        return self.point.at((self.point.theta[0] + self.step)[None])

    def state(self, passes: int, progress: Progress) -> State:
        """All of it, and what the last accepted point told."""
        ground = self.ground
        arrays = {"metric": ground.metric, "curvatures": ground.curvatures}
        arrays |= {"gradient": self.gradient, "step": self.step}
        arrays |= {"values": self.values, "lengths": self.lengths}
        numbers = {"null_value": ground.null_value, "value": self.value, "length": self.length}
        numbers |= written(progress)
        numbers |= {"t": self.t, "rejected": float(self.rejected)}
        return State(passes, self.point, progress, arrays, numbers)

    @classmethod
    def of(cls, state: State) -> Walk:
        """From a state."""
        arrays, numbers, point = state.arrays, state.numbers, state.point
        assert point is not None
        return cls(
            Ground(arrays["metric"], arrays["curvatures"], numbers["null_value"]),
            point,
            numbers["value"],
            arrays["gradient"],
            arrays["step"],
            numbers["length"],
            arrays["values"],
            arrays["lengths"],
            numbers["t"],
            int(numbers["rejected"]),
        )

    def ends(self, problem: Problem, here: Evaluation, value: float) -> tuple[OnLine, OnLine]:
        """Both ends of the step, the first one with a value of F to compare with."""
        theta, l1 = self.point.theta[0, : problem.penalised], problem.penalty.l1
        rise = float(np.sum(l1 * (np.abs(theta + self.step[: problem.penalised]) - np.abs(theta))))
        with np.errstate(over="ignore", invalid="ignore"):  # an infinite end is refused
            leaving = (float(self.gradient @ self.step) + rise) / self.t
            arriving = here.slope(problem, self.step, arriving=True) / self.t
        return OnLine(0.0, value, leaving), OnLine(self.t, here.value, arriving)

    def shortened(self, problem: Problem, here: Evaluation, tried: bool) -> Walk:
        """The same line with a shorter step, by what is known of F along it."""
        trials = here.trials(problem, self.step, self.t) if tried else {}
        t = shorter(*self.ends(problem, here, self.value), trials)
        return replace(self, step=self.step * (t / self.t), t=t, rejected=self.rejected + 1)


def _proximal_step(problem: Problem, here: Evaluation, metric: FloatArray, length: float) -> FloatArray:
    """(q,) to the minimum of g'd + d'Md / (2 length) + what is not smooth in the penalty at theta + d."""
    step = -length * here.gradient / metric
    if problem.penalty.smooth:
        return step
    m, penalty = problem.penalised, problem.penalty
    theta = here.point.theta[0, :m]
    end = theta + step[:m]
    end = np.sign(end) * np.maximum(np.abs(end) - length * penalty.l1 / metric[:m], 0.0)
    step[:m] = np.clip(end, penalty.lower, penalty.upper) - theta
    return step


@final
@dataclass(frozen=True)
class _Rule:
    """A way to find lengths.

    Attributes
    ----------
    look : whether trial steps are asked for, given the line.
    reference : the value of F that a step must lower, given the line.
    following : the first length from the end of a step, and the line with what that taught.
    """

    look: Callable[[Walk], bool]
    reference: Callable[[Walk], float]
    following: Callable[[Problem, Walk, Evaluation], tuple[Walk, float]]


def _barzilai_borwein(problem: Problem, walk: Walk, here: Evaluation) -> tuple[Walk, float]:
    """The inverse of a mean curvature along the last step: one of the two that there are.

    Barzilai and Borwein 1988, equations 5 and 6, in the metric. Where both differ much, the step was along
    many curvatures, and the shortest recent length comes next, so that the long ones that follow find
    little but the flat directions (Frassoldati, Zanni and Zanghirati 2008, "New adaptive stepsize
    selections in gradient methods", ABBmin1).
    """
    metric, change = walk.ground.metric, here.gradient - walk.gradient
    with np.errstate(over="ignore", invalid="ignore"):
        bend = float(walk.step @ change)
        longer = float(np.sum(metric * np.square(walk.step))) / bend if bend > 0.0 else _LONGEST
        squares = float(np.sum(np.square(change) / metric))
        least = bend / squares if bend > 0.0 else _LONGEST
    if not (0.0 < longer < _LONGEST and 0.0 < least < _LONGEST):  # straight, as far as float64 sees
        return walk, min(2.0 * walk.length, _LONGEST)
    walk = replace(walk, lengths=np.append(walk.lengths, least)[-_RECENT:])
    return walk, float(walk.lengths.min()) if least < _ALTERNATE * longer else longer


def _backtracking(problem: Problem, walk: Walk, here: Evaluation) -> tuple[Walk, float]:
    """The best of the lengths that were tried around the end of the last step, twice of it among them."""
    tried = {**here.trials(problem, walk.step, walk.t), walk.t: here.value}
    return walk, min(walk.length * min(tried, key=lambda t: tried[t]), _LONGEST)


RULES: dict[str, _Rule] = {
    "barzilai_borwein": _Rule(
        lambda walk: walk.rejected > 0, lambda walk: float(walk.values.max()), _barzilai_borwein
    ),
    "backtracking": _Rule(lambda walk: True, lambda walk: walk.value, _backtracking),
}


def searched(problem: Problem, name: str, state: State | None) -> Conversation:
    """Descend from the start, or go on from a state, with lengths by a rule.

    A step is accepted where F falls enough below its reference: the last value (Armijo), or the largest of
    the last ten (Grippo, Lampariello and Lucidi 1986), since Barzilai and Borwein's steps must now and then
    rise. With an L1 penalty or bounds it is a proximal step (Wright, Nowak and Figueiredo 2009, "Sparse
    reconstruction by separable approximation").
    """
    rule = RULES[name]
    if state is None or state.point is None:
        here, ground, state = yield from begun(problem)
        if not np.isfinite(here.value):
            return Solution(replace(state, point=here.point), False)
        walk = Walk.from_here(problem, ground, here, 1.0)
        progress = ground.progress(problem, here, np.zeros_like(walk.step), np.empty(0))
        state = walk.state(state.passes, progress)
        if progress.gap <= problem.tol:
            return (yield from ground.ended(problem, here, state))
    walk, progress = Walk.of(state), read(state.numbers)
    while state.passes < problem.max_passes:
        look, point = rule.look(walk), walk.target
        direction, steps = (walk.step[None], TRIAL_STEPS) if look else (None, ())
        sweep = Sweep(problem.loss, point, direction, steps, compiled=problem.large)
        reply: SweepAnswer = yield Turn(Question(sweep), state)
        here, passes = Evaluation.of(problem, point, reply), state.passes + 1
        if not acceptable(*walk.ends(problem, here, rule.reference(walk))):
            if walk.rejected == _REJECTIONS:
                return Solution(walk.state(passes, progress), False, notes=(STALLED,))
            walk = walk.shortened(problem, here, look)
            state = walk.state(passes, progress)
            continue
        ground = walk.ground.met(walk.step, here.gradient - walk.gradient)
        progress = ground.progress(problem, here, walk.step, walk.values)
        walk, length = rule.following(problem, walk, here)
        walk = Walk.from_here(problem, ground, here, length, walk)
        state = walk.state(passes, progress)
        if progress.gap <= problem.tol:
            return (yield from ground.ended(problem, here, state))
    state = state if state.progress is not None else replace(state, progress=progress)
    return Solution(state, progress.gap <= problem.tol)
