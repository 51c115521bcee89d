"""Exponentiated gradients: groups that fare badly gain weight, and the model descends by their mean."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import ClassVar, final

import numpy as np

from daskml_dist.kernels import Point, Question
from daskml_dist.solvers._base import Conversation, Problem, Progress, Solution, State, Turn
from daskml_dist.solvers.certificate import Gap
from daskml_dist.solvers.group_bound import Adversary, Floor, Line, halves_of
from daskml_dist.solvers.group_problem import GroupEvaluation, GroupProblem, GroupSolver, first_look
from daskml_dist.solvers.group_start import sample_of
from daskml_dist.solvers.group_steps import LENGTH, GroupGauge, GroupSteps, grown, speed_of
from daskml_dist.solvers.pace import yet_to_fall
from daskml_dist.types import FloatArray

_FAR = 10.0  # times the risk at the start: a risk that is above has diverged
_SHORTENED = 8  # times that steps are shortened before they are given up
_PACE = 10
_SLOWEST = 0.99  # factor on the decrease, from pass to pass, that is believed
_EPS = 32 * float(np.finfo(np.float64).eps)
_DIVERGED = (
    "steps were too long, and shorter ones as well: the risk is not finite or far above where it began. The "
    "best model so far is kept. Scale the features, strengthen the penalty, or use solver='auto'"
)


@final
@dataclass(frozen=True)
class ExponentiatedGradient(GroupSolver):
    """Each pass, weights q_i grow by exp(sigma J_i), and the model makes a gradient step of sum_i q_i J_i.

    The game of a model and its adversary by online learning (Freund and Schapire 1999, "Adaptive game playing
    using multiplicative weights"; for losses of groups Agarwal and Zhang 2022). Weights look ahead, at
    2 J - J of the pass before, which makes iterates converge and not only their mean (Rakhlin and Sridharan
    2013, "Optimization, learning, and games with predictable sequences"; Chambolle and Pock 2016). The model
    is the mean of the iterates, late ones weighing more, or an iterate that is better; the lines below the
    losses at all iterates, averaged alike, prove the gap where the penalty bends them.

    It is a baseline: a pass costs as much as one of the bundle, and tens to thousands are needed.
    """

    name: ClassVar[str] = "exponentiated-gradient"
    needs: ClassVar[frozenset[str]] = frozenset({"smooth loss", "smooth penalty", "loss without a scale"})
    risks: ClassVar[frozenset[str] | None] = frozenset({"worst-group"})

    def solve(self, problem: Problem, state: State | None = None) -> Conversation:
        assert isinstance(problem, GroupProblem)
        self.refuse_risk(problem.risk)
        if state is not None and state.point is not None:
            return (yield from _descend(problem, _Descent.of(problem, state), state))
        steps: GroupSteps = yield Turn(Question(sample_of(problem), GroupGauge(problem)), State())
        return (
            yield from _descend(problem, _Descent.begun(problem, steps), State(passes=int(problem.streamed)))
        )


def _descend(problem: GroupProblem, descent: _Descent, state: State) -> Conversation:
    """Steps of both players, a pass each."""
    if state.progress is not None and state.passes >= problem.max_passes:  # a fit that goes on
        return Solution(state, bool(state.progress.gap <= problem.tol))
    here, state = yield from first_look(problem, descent.best, state, certify=True)
    if not np.isfinite(here.value):
        return Solution(replace(state, point=here.point), False)
    proof = _Proof.of(problem, here)
    descent = replace(descent, best=here.point, theta=here.point.theta[0], start_value=here.value)
    while True:
        descent = descent.told(here)
        proof = proof.told(descent)
        state = _state(descent, proof, state.passes)
        assert state.progress is not None
        if state.progress.gap <= problem.tol or state.passes >= problem.max_passes:
            return Solution(state, bool(state.progress.gap <= problem.tol))
        if descent.shortened > _SHORTENED:
            return Solution(state, False, notes=(_DIVERGED,))
        point, aside = descent.target
        question = problem.question(point, hessian=False, direction=aside, steps=(1.0,))
        answers = yield Turn(question, state)
        here, state = GroupEvaluation.of(problem, point, answers), replace(state, passes=state.passes + 1)


@final
@dataclass(frozen=True)
class _Descent:
    """Where both players are.

    Attributes
    ----------
    metric : (q,) a diagonal that bounds the Hessians. length : of steps in it.
    null_value, start_value : the risk of the constant model, and where the descent began.
    theta : (q,) the iterate. weights : (G,) q. before : (G,) the losses that q was told last, or None.
    mean, mean_weights : of the iterates and weights so far. line : the mean of the lines, around zero.
    count : how many they are.
    best, best_value, best_losses : the best point so far.
    pull : (q,) the slope that the last step went down.
    values : the best ones of the last passes.
    shortened : how often steps were too long.
    """

    problem: GroupProblem
    metric: FloatArray
    null_value: float
    best: Point
    theta: FloatArray
    weights: FloatArray
    length: float = LENGTH
    start_value: float = np.inf
    before: FloatArray | None = None
    mean: FloatArray = field(default_factory=lambda: np.zeros(0))
    mean_weights: FloatArray = field(default_factory=lambda: np.zeros(0))
    line: Line | None = None
    count: int = 0
    best_value: float = np.inf
    best_losses: FloatArray = field(default_factory=lambda: np.zeros(0))
    pull: FloatArray = field(default_factory=lambda: np.zeros(0))
    values: tuple[float, ...] = ()
    shortened: int = 0

    @classmethod
    def begun(cls, problem: GroupProblem, steps: GroupSteps) -> _Descent:
        """Before the first step: all groups weigh the same."""
        G, theta = problem.n_groups, steps.point.theta[0]
        return cls(problem, steps.metric, steps.null_value, steps.point, theta, np.full(G, 1.0 / G))

    @classmethod
    def of(cls, problem: GroupProblem, state: State) -> _Descent:
        """From a state; its means begin anew."""
        assert state.point is not None
        arrays, numbers = state.arrays, state.numbers
        return cls(
            problem,
            arrays["metric"],
            numbers["null_value"],
            state.point,
            state.point.theta[0],
            arrays["group_weights"],
            numbers["length"],
        )

    @property
    def target(self) -> tuple[Point, FloatArray]:
        """The iterate, and the way from there to the mean."""
        return self.best.at(self.theta[None]), self.mean - self.theta

    @property
    def promised(self) -> float:
        """How far the best value is above the least of the mean line, bent as much as any group is."""
        if self.line is None:
            return np.inf
        problem, m = self.problem, self.problem.penalised
        line, pull = self.line.moved(self.mean), self.line.slope.copy()
        pull[:m] += problem.penalty.gradient(self.mean[:m])
        height = line.height + float(problem.penalty.value(self.mean[:m]))
        return self.best_value - height + 0.5 * float(np.sum(np.square(pull) / self.metric))

    def told(self, here: GroupEvaluation) -> _Descent:
        """After a pass at the iterate, which also told the losses at the mean."""
        if not here.value <= _FAR * max(self.start_value, self.null_value):
            return self._retreated()
        found = self._judged(here.point, here.value, here.losses)
        if len(here.trials):
            mean = self.best.at(self.mean[None])
            losses = here.trials[0]
            found = found._judged(mean, self.problem.risk_of(losses, mean), losses)
        return replace(found, values=(*found.values, found.best_value)[-_PACE:])._stepped(here)

    def _judged(self, point: Point, value: float, losses: FloatArray) -> _Descent:
        if not value < self.best_value:
            return self
        return replace(self, best=point, best_value=value, best_losses=losses)

    def _retreated(self) -> _Descent:
        """Back at the best point, with shorter steps."""
        theta = self.best.theta[0]
        return replace(
            self,
            theta=theta,
            mean=theta,
            mean_weights=self.weights,
            length=0.25 * self.length,
            before=None,
            line=None,
            count=0,
            shortened=self.shortened + 1,
        )

    def _stepped(self, here: GroupEvaluation) -> _Descent:
        """Both players move."""
        problem, theta = self.problem, here.point.theta[0]
        losses = here.losses + problem.shifts
        ahead = losses if self.before is None else 2.0 * losses - self.before
        speed = speed_of(here.gradients, self.metric)
        weights = grown(self.weights, speed * ahead)
        slope, m = weights @ here.gradients, problem.penalised
        touching = Line(float(weights @ losses) - float(slope @ theta), slope)
        share = 3.0 / (self.count + 3.0)
        fresh = self.line is None
        pull = slope.copy()
        pull[:m] += problem.penalty.gradient(theta[:m])
        return replace(
            self,
            theta=theta - self.length * pull / self.metric,
            pull=pull,
            weights=weights,
            before=losses,
            mean=theta if fresh else self.mean + share * (theta - self.mean),
            mean_weights=weights if fresh else self.mean_weights + share * (weights - self.mean_weights),
            line=touching if self.line is None else self.line.mixed(touching, share),
            count=self.count + 1,
        )


@final
@dataclass(frozen=True)
class _Proof:
    """How low the risk can be.

    Attributes
    ----------
    floor : the penalty, and the limits of an intercept. halves : of the mean loss, around zero.
    lowest : the risk is nowhere below.
    """

    floor: Floor
    halves: tuple[Line, ...]
    lowest: float

    @classmethod
    def of(cls, problem: GroupProblem, here: GroupEvaluation) -> _Proof:
        """From the first point."""
        adversary = Adversary.of(problem)
        halves = halves_of(problem, adversary, here)
        lowest = problem.risk.value(
            problem.shifts, problem.shares
        )  # neither losses nor penalties are negative
        return cls(Floor.of(problem, adversary, here), halves, lowest)

    def told(self, descent: _Descent) -> _Proof:
        """With the mean of the lines so far."""
        if descent.line is None or not self.floor.proves:
            return self
        to_mean = descent.mean
        others = [line.moved(to_mean) for line in self.halves]
        found = self.floor.balanced(descent.line.moved(to_mean), others, to_mean)
        return replace(self, lowest=max(self.lowest, found))

    def gap(self, descent: _Descent) -> Gap:
        """How far the best point is above; where nothing can be proven, by a step from the mean."""
        value = descent.best_value
        if self.floor.proves:
            return Gap(max(value - self.lowest, 0.0) + _EPS * abs(value), "duality")
        falls = -np.diff(descent.values)
        guess = max(descent.promised, yet_to_fall(falls.tolist(), _SLOWEST))
        return Gap(min(guess, max(value - self.lowest, 0.0)), "estimate")


def _state(descent: _Descent, proof: _Proof, passes: int) -> State:
    """All that is needed to go on from the best point, with means that begin anew."""
    gap, problem = proof.gap(descent), descent.problem
    null_value = descent.null_value if np.isfinite(descent.null_value) else descent.start_value
    progress = Progress(
        objective=descent.best_value,
        gap=problem.relative(gap.value, descent.best_value, descent.mean_weights, null_value),
        gap_kind=gap.kind,
        gradient_norm=float(np.linalg.norm(descent.pull)),
        step_size=float(np.linalg.norm(descent.length * descent.pull / descent.metric)),
    )
    arrays = {
        "metric": descent.metric,
        "group_losses": descent.best_losses,
        "group_weights": descent.mean_weights,
    }
    return State(passes, descent.best, progress, arrays, {"null_value": null_value, "length": descent.length})
