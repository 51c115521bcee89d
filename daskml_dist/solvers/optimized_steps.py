"""Gradient steps by an optimizer, whose learning rates are taken as they are."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import final

import numpy as np

from daskml_dist.kernels import Point, Question, Sweep, SweepAnswer
from daskml_dist.optimizers import Optimizer, OptimizerState
from daskml_dist.solvers._base import Conversation, Problem, Progress, Solution, State, Turn
from daskml_dist.solvers.descent import Evaluation
from daskml_dist.solvers.ground import Ground, begun, read, written
from daskml_dist.types import FloatArray

_FAR = 10.0  # times F of the start and of the constant model: what is above has diverged
_STUCK = 20  # passes without a lower F
_REMEMBERED = 10  # values of F
_PREFIX = "optimizer."


@final
@dataclass(frozen=True)
class Ride:
    """Where an optimizer is, and the best point so far.

    Attributes
    ----------
    ground : what is known of F.
    best, best_value, best_age : the lowest point that a pass has verified, and how many passes ago.
    start_value : F of the start.
    last, gradient : (q,) where F was asked for last, and its gradient there.
    values : of F where it was asked for last.
    w : (q,) the optimizer's point, in the coordinates sqrt(M) theta.
    memory : the optimizer's state.
    """

    ground: Ground
    best: Point
    best_value: float
    best_age: int
    start_value: float
    last: FloatArray
    gradient: FloatArray
    values: FloatArray
    w: FloatArray
    memory: OptimizerState

    def state(self, passes: int, progress: Progress) -> State:
        """All of it, and what the best point told."""
        ground, memory = self.ground, self.memory
        arrays = {"metric": ground.metric, "curvatures": ground.curvatures}
        arrays |= {"last": self.last, "gradient": self.gradient, "values": self.values, "w": self.w}
        arrays |= {_PREFIX + name: array for name, array in memory.arrays.items()}
        numbers = {"null_value": ground.null_value, "start_value": self.start_value}
        numbers |= {
            "best_value": self.best_value,
            "best_age": float(self.best_age),
            "step": float(memory.step),
        }
        numbers |= written(progress)
        numbers |= {_PREFIX + name: number for name, number in memory.numbers.items()}
        return State(passes, self.best, progress, arrays, numbers)

    @classmethod
    def of(cls, state: State) -> Ride:
        """From a state."""
        arrays, numbers = state.arrays, state.numbers
        assert state.point is not None
        memory = OptimizerState(
            int(numbers["step"]),
            {name.removeprefix(_PREFIX): a for name, a in arrays.items() if name.startswith(_PREFIX)},
            {name.removeprefix(_PREFIX): x for name, x in numbers.items() if name.startswith(_PREFIX)},
        )
        ground = Ground(arrays["metric"], arrays["curvatures"], numbers["null_value"])
        return cls(
            ground,
            state.point,
            numbers["best_value"],
            int(numbers["best_age"]),
            numbers["start_value"],
            arrays["last"],
            arrays["gradient"],
            arrays["values"],
            arrays["w"],
            memory,
        )

    @classmethod
    def started(cls, ground: Ground, here: Evaluation, optimizer: Optimizer) -> Ride:
        """Before the first step."""
        theta = here.point.theta[0]
        w = np.sqrt(ground.metric) * theta
        memory = optimizer.init(w)
        none = np.empty(0)
        return cls(ground, here.point, here.value, -1, here.value, theta, here.gradient, none, w, memory)

    def after(self, optimizer: Optimizer, here: Evaluation) -> Ride:
        """One step further, by the gradient at the point where the optimizer wanted it."""
        memory = optimizer.told(here.value, self.memory)
        w, memory = optimizer.apply(here.gradient / np.sqrt(self.ground.metric), memory, self.w)
        theta = here.point.theta[0]
        values = np.append(self.values, here.value)[-_REMEMBERED:]
        told = replace(self, last=theta, gradient=here.gradient, values=values, best_age=self.best_age + 1)
        return replace(told, w=w, memory=memory)

    def target(self, optimizer: Optimizer) -> Point:
        """Where the optimizer wants the gradient."""
        with np.errstate(over="ignore", invalid="ignore"):
            return self.best.at((optimizer.at(self.memory, self.w) / np.sqrt(self.ground.metric))[None])

    def lost(self, here: Evaluation) -> bool:
        """Whether F is so far above what is known that nothing will bring it back."""
        return not here.value <= _FAR * max(self.start_value, self.ground.null_value)


def optimized(problem: Problem, optimizer: Optimizer, state: State | None) -> Conversation:
    """Descend from the start, or go on from a state, by an optimizer in the coordinates sqrt(M) theta."""
    if state is None or state.point is None:
        here, ground, state = yield from begun(problem)
        if not np.isfinite(here.value):
            return Solution(replace(state, point=here.point), False)
        progress = ground.progress(problem, here, np.zeros_like(here.gradient), np.empty(0))
        state = Ride.started(ground, here, optimizer).after(optimizer, here).state(state.passes, progress)
        if progress.gap <= problem.tol:
            return (yield from ground.ended(problem, here, state))
    ride, progress = Ride.of(state), read(state.numbers)
    while state.passes < problem.max_passes:
        point = ride.target(optimizer)
        sweep = Sweep(problem.loss, point, compiled=problem.large)
        reply: SweepAnswer = yield Turn(Question(sweep), state)
        here, passes = Evaluation.of(problem, point, reply), state.passes + 1
        if ride.lost(here):
            note = _diverged(optimizer, ride, here, passes)
            return Solution(ride.state(passes, progress), False, notes=(note,))
        step = point.theta[0] - ride.last
        ground = ride.ground.met(step, here.gradient - ride.gradient)
        ride, found = replace(ride, ground=ground), ground.progress(problem, here, step, ride.values)
        if found.gap <= problem.tol or here.value < ride.best_value:
            ride, progress = replace(ride, best=point, best_value=here.value, best_age=-1), found
        ride = ride.after(optimizer, here)
        state = ride.state(passes, progress)
        if found.gap <= problem.tol:
            return (yield from ground.ended(problem, here, state))
    notes = (_stuck(optimizer, ride),) if ride.best_age >= _STUCK else ()
    state = state if state.progress is not None else replace(state, progress=progress)
    return Solution(state, progress.gap <= problem.tol, notes=notes)


def _diverged(optimizer: Optimizer, ride: Ride, here: Evaluation, passes: int) -> str:
    """What the user is told."""
    return (
        f"the learning rate of {optimizer!r} is too large: after {passes} passes the objective is "
        f"{here.value:.3g}, from {ride.start_value:.3g} at the start. The best model so far is kept, with "
        f"{ride.best_value:.3g}. Use a smaller learning rate (1 is the inverse of the largest curvature at "
        "the start), a schedule, or step='barzilai_borwein', which finds its own"
    )


def _stuck(optimizer: Optimizer, ride: Ride) -> str:
    """What the user is told where F is bounded, but does not fall any more."""
    return (
        f"the objective has not fallen for {ride.best_age} passes: the learning rate of {optimizer!r} is too "
        f"large to come closer. The best model so far is kept, with {ride.best_value:.3g}. Use a smaller "
        "learning rate, a schedule that falls, or step='barzilai_borwein', which finds its own"
    )
