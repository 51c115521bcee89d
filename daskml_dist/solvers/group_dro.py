"""Group DRO: weights of groups and the model step by a few rows at a time."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, replace
from typing import Any, ClassVar, final

import numpy as np

from daskml_dist.kernels import Batch, MiniBatch, Point, Question, Walk
from daskml_dist.solvers._base import Conversation, Problem, Progress, Solution, State, Turn
from daskml_dist.solvers.group_bundle import Bundle
from daskml_dist.solvers.group_problem import GroupProblem, GroupSolver, first_look
from daskml_dist.solvers.group_start import sample_of
from daskml_dist.solvers.group_steps import LENGTH, GroupGauge, GroupSteps, grown, speed_of
from daskml_dist.solvers.metric import Metric
from daskml_dist.solvers.proximal_bundle import told_of
from daskml_dist.types import FloatArray

_MOST_STEPS = 64  # of an epoch: a round takes some 20 ms on a cluster
_LEAST_STEPS = 8
_LEAST_ROWS = 64  # of a step
_FAR = 10.0  # times the risk at the start: a risk that is above has diverged
_BETTER = 1e-4  # of the risk: by how much an epoch must be better than the best one
_PATIENCE = 5  # epochs that were not
_POWER = 3.0  # of the average: its k-th iterate weighs about k^3
_ARRAYS = ("metric", "theta", "mean", "weights", "losses", "pull")
_NUMBERS = ("seen", "epochs", "best_risk", "failed", "length", "speed", "null_value")


@final
@dataclass(frozen=True)
class GroupDRO(GroupSolver):
    """Stochastic descent for the group that fares worst (Sagawa et al. 2020, algorithm 1).

    Each step draws a share of all rows, by which q_i grows by exp(rate J_i), and the model makes a gradient
    step of sum_i q_i J_i. Sums over the rows of a group are divided by the share that was drawn, so that the
    expectation is right for a group of any size. Rates come from a sample and fall as 1 / sqrt(epochs); the
    model is the mean of the iterates, late ones weighing more. An epoch counts as a pass, and a last pass
    tells the risk of the model and how far it is off.

    It is a baseline: the gap falls by little after a few epochs.
    """

    name: ClassVar[str] = "group-dro"
    needs: ClassVar[frozenset[str]] = frozenset({"smooth loss", "smooth penalty", "loss without a scale"})
    risks: ClassVar[frozenset[str] | None] = frozenset({"worst-group"})

    def solve(self, problem: Problem, state: State | None = None) -> Conversation:
        assert isinstance(problem, GroupProblem)
        self.refuse_risk(problem.risk)
        if state is not None and state.point is not None:
            return (yield from _descend(problem, _Track.of(state), state))
        steps: GroupSteps = yield Turn(Question(sample_of(problem), GroupGauge(problem)), State())
        track = _Track.begun(problem, steps)
        return (yield from _descend(problem, track, State(passes=int(problem.streamed))))


def _descend(problem: GroupProblem, track: _Track, state: State) -> Conversation:
    """Epochs, and a pass at the end."""
    if state.progress is not None and state.passes >= problem.max_passes:  # a fit that goes on
        return Solution(state, bool(state.progress.gap <= problem.tol))
    diverged = False
    while state.passes < problem.max_passes - 1 and track.failed < _PATIENCE and not diverged:
        after, risk = yield from _epoch(problem, track, state)
        diverged = not risk <= _FAR * after.known
        track = track if diverged else after.judged(risk)
        state = track.state(state.passes + 1, risk)
    here, state = yield from first_look(problem, track.model, state, certify=True)
    if not np.isfinite(here.value):
        return Solution(replace(state, point=here.point), False)
    bundle = Bundle.begun(problem, here, Metric.diagonal(track.metric), track.null_value, 1.0)
    told, memory = told_of(bundle, state.passes), track.state(state.passes, here.value)
    assert told.progress is not None
    reported = {name: told.arrays[name] for name in ("group_losses", "group_weights")}
    state = replace(memory, point=here.point, progress=told.progress, arrays={**memory.arrays, **reported})
    gap = told.progress.gap
    if gap <= problem.tol or not (diverged or track.failed >= _PATIENCE):
        return Solution(state, bool(gap <= problem.tol))
    return Solution(state, False, notes=(_DIVERGED if diverged else _settled(gap),))


def _epoch(problem: GroupProblem, track: _Track, state: State) -> Generator[Turn, Any, tuple[_Track, float]]:
    """The track after all rows were met once, and the risk by the losses that rows had when they were met."""
    parts = _parts(problem)
    weight, value = problem.shares * problem.weight_sum, np.zeros(problem.n_groups)
    slopes = np.zeros((problem.n_groups, problem.parameters))
    for part in range(parts):
        walk = Walk(problem.seed, epoch=int(track.epochs), part=part, parts=parts)
        asked = MiniBatch(problem.loss, track.here, problem.views, walk)
        batch: Batch = yield Turn(Question(asked), state)
        value, slopes = value + batch.value, slopes + batch.gradient
        share = parts / weight
        if not np.isfinite(track.null_value):  # the sample had not all groups
            track = replace(track, null_value=problem.risk_of(share * batch.value, track.here))
        track = track.stepped(problem, share * batch.value, share[:, None] * batch.gradient, parts)
        if not (np.isfinite(track.theta).all() and np.isfinite(value).all()):
            return track, np.inf
    speed = speed_of(slopes / weight[:, None], track.metric)
    track = replace(track, epochs=track.epochs + 1.0, losses=value / weight, speed=speed)
    return track, problem.risk_of(track.losses, track.model)


def _parts(problem: GroupProblem) -> int:
    """Steps of an epoch: no more than the smallest group has rows, but for a few."""
    most = min(problem.rows // _LEAST_ROWS, int(problem.groups.min()), _MOST_STEPS)
    return max(most, _LEAST_STEPS)


@final
@dataclass(frozen=True)
class _Track:
    """Where the descent is.

    Attributes
    ----------
    start : a point, which says what the parameters are.
    metric : (q,) a diagonal that bounds the Hessians.
    theta, mean : (q,) the iterate, and the model.
    weights : (G,) q. losses : (G,) of the last epoch, when rows were met.
    pull : (q,) the slope that the last step went down.
    length, speed : the first rate of steps, and that of weights.
    null_value : the risk of the constant model.
    seen : steps so far. epochs : how many were made.
    best_risk, failed : of an epoch, and how many were not better.
    """

    start: Point
    metric: FloatArray
    theta: FloatArray
    mean: FloatArray
    weights: FloatArray
    losses: FloatArray
    pull: FloatArray
    length: float
    speed: float
    null_value: float
    seen: float = 0.0
    epochs: float = 0.0
    best_risk: float = np.inf
    failed: float = 0.0

    @classmethod
    def begun(cls, problem: GroupProblem, steps: GroupSteps) -> _Track:
        """Before the first step: all groups weigh the same."""
        theta, G = steps.point.theta[0], problem.n_groups
        rows = problem.groups.min() / _parts(problem)
        length = min(LENGTH, float(rows) / max(steps.leverage, 1e-300))
        none = np.full(G, np.inf), np.zeros_like(theta)
        alike = np.full(G, 1.0 / G)
        return cls(
            steps.point, steps.metric, theta, theta, alike, *none, length, steps.speed, steps.null_value
        )

    @classmethod
    def of(cls, state: State) -> _Track:
        """From a state."""
        assert state.point is not None
        known: dict[str, Any] = {name: state.arrays[name] for name in _ARRAYS}
        known |= {name: state.numbers[name] for name in _NUMBERS}
        return cls(state.point, **known)

    @property
    def here(self) -> Point:
        """The iterate."""
        return self.start.at(self.theta[None])

    @property
    def model(self) -> Point:
        """The mean."""
        return self.start.at(self.mean[None])

    @property
    def known(self) -> float:
        """A risk that was reached."""
        known = [risk for risk in (self.null_value, self.best_risk) if np.isfinite(risk)]
        return max(known, default=np.inf)

    def stepped(self, problem: GroupProblem, losses: FloatArray, slopes: FloatArray, parts: int) -> _Track:
        """Both players move, by (G,) losses and (G, q) slopes of a few rows."""
        slow, m = 1.0 / np.sqrt(1.0 + self.seen / parts), problem.penalised
        share = (1.0 + _POWER) / (self.seen + 1.0 + _POWER)
        with np.errstate(over="ignore", invalid="ignore"):  # the caller sees what is not finite
            weights = grown(self.weights, slow * self.speed * (losses + problem.shifts))
            pull = weights @ slopes
            pull[:m] += problem.penalty.gradient(self.theta[:m])
            theta = self.theta - slow * self.length * pull / self.metric
            mean = self.mean + share * (theta - self.mean)
        return replace(self, theta=theta, mean=mean, weights=weights, pull=pull, seen=self.seen + 1.0)

    def judged(self, risk: float) -> _Track:
        """After an epoch with this risk."""
        failed = 0.0 if risk < self.best_risk * (1.0 - _BETTER) else self.failed + 1.0
        return replace(self, best_risk=min(self.best_risk, risk), failed=failed)

    def state(self, passes: int, risk: float) -> State:
        """All of it as arrays and numbers; how far it is off is not known before the last pass."""
        arrays = {name: getattr(self, name) for name in _ARRAYS}
        arrays |= {"group_weights": self.weights, "group_losses": self.losses}
        numbers: dict[str, float] = {name: float(getattr(self, name)) for name in _NUMBERS}
        norm, step = np.linalg.norm(self.pull), np.linalg.norm(self.length * self.pull / self.metric)
        progress = Progress(float(risk), np.inf, "estimate", float(norm), float(step))
        return State(passes, self.model, progress, arrays, numbers)


_DIVERGED = (
    "the steps are too long: the risk of an epoch is far above what it was before, or not finite. The best "
    "model so far is kept. Scale the features, use a stronger penalty, or solver='auto'"
)


def _settled(gap: float) -> str:
    return (
        f"the risk of an epoch has not fallen by more than {_BETTER:g} of it in {_PATIENCE} epochs; the "
        f"relative gap is {gap:.2g}. Steps by a few rows come hardly closer: use solver='auto'"
    )
