"""Newton's method for the worst weights of groups, with a certified gap."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import ClassVar, final

import numpy as np

from daskml_dist.errors import UnsupportedCombination
from daskml_dist.kernels import Point, Question, SweepAnswer
from daskml_dist.solvers._base import Conversation, Problem, Progress, Solution, State, Turn
from daskml_dist.solvers.certificate import Gap, prove
from daskml_dist.solvers.descent import STALLED, TRIAL_STEPS, retreat
from daskml_dist.solvers.group_problem import GroupEvaluation, GroupProblem, GroupSolver
from daskml_dist.solvers.group_start import GroupPilot, GroupStart, sample_of
from daskml_dist.solvers.metric import Metric
from daskml_dist.solvers.saddle import GroupModels, Saddle, saddle_point
from daskml_dist.types import FloatArray

MOST_BYTES = 1 << 28  # of the Hessians of all groups
_REJECTIONS = 30
_ARMIJO = 1e-4
_ROUNDING = 1e-14
_FAR = 0.1  # relative gap from which on a full step may be too long, so that trial steps pay


@final
class GroupNewton(GroupSolver):
    """Each pass gives loss, gradient and Hessian of each group; the step is the saddle point of their models.

    It starts from the same problem on a sample, with a share of each group, solved in one task. The gap is
    certified by the weights q of the saddle point: the least of sum_i q_i J_i is below the least risk, and by
    self-concordance not far below its value here (reference: docs/certificates.md).
    """

    name: ClassVar[str] = "group-newton"
    needs: ClassVar[frozenset[str]] = frozenset({"smooth loss", "smooth penalty", "loss without a scale"})

    def solve(self, problem: Problem, state: State | None = None) -> Conversation:
        assert isinstance(problem, GroupProblem)
        _refuse_large(problem)
        if state is not None and state.point is not None:
            factor, none = state.arrays["factor"], np.empty((0, problem.parameters))
            metric = Metric(np.ones(len(factor)), factor, none, none)
            start = GroupStart(state.point, metric, state.numbers["null_value"])
            return (yield from _descend(problem, start, state))
        pilot = GroupPilot(problem, _sampled, diagonal=False)
        start = yield Turn(Question(sample_of(problem), pilot), State())
        return (yield from _descend(problem, start, State(passes=1 if problem.streamed else 0)))


def _sampled(problem: GroupProblem, start: GroupStart) -> Conversation:
    """The same on a sample."""
    return _descend(problem, start, State())


def _descend(problem: GroupProblem, start: GroupStart, state: State) -> Conversation:
    """Newton steps from the start; each pass certifies the point that it looks at."""
    line, factor, point, gap = _Line(), start.metric.cholesky_factor, start.point, np.inf
    while True:
        trials = line.step if line.rejected or (line.start is not None and gap > _FAR) else None
        radius_in = None if problem.loss.self_concordance is None else factor
        question = problem.question(point, hessian=True, factor=radius_in, direction=trials)
        answers: tuple[SweepAnswer, ...] = yield Turn(question, state)
        here = GroupEvaluation.of(problem, point, answers)
        state = replace(state, passes=state.passes + 1)
        spent = state.passes >= problem.max_passes
        if line.start is None and not np.isfinite(here.value):
            point = retreat(problem, point)
            if spent:
                return Solution(replace(state, point=point), False)
            continue
        if line.start is not None and not line.accepts(here):
            if line.rejected == _REJECTIONS or spent:
                return Solution(state, False, notes=() if spent else (STALLED,))
            line = line.shortened(problem, here)
            point = line.target
            continue
        start = start if np.isfinite(start.null_value) else replace(start, null_value=here.value)
        models = here.models(problem)
        saddle = saddle_point(models, problem.risk.ambiguity(problem.shares))
        bound = _certified(problem, here, models, saddle, factor)
        state, gap = _verified(problem, here, models, saddle, bound, start.null_value, state)
        factor = state.arrays["factor"]
        if gap <= problem.tol or spent:
            return Solution(state, gap <= problem.tol, models.mean_hessian(saddle.weights))
        line = _Line(here, saddle.step, here.value - saddle.value)
        point = line.target


@final
@dataclass(frozen=True)
class _Line:
    """The line from the last accepted point to the one that is asked for now.

    Attributes
    ----------
    decrease : what the models promise of the full step.
    t : how much of it is taken.
    """

    start: GroupEvaluation | None = None
    step: FloatArray = field(default_factory=lambda: np.zeros(0))
    decrease: float = 0.0
    t: float = 1.0
    rejected: int = 0

    @property
    def target(self) -> Point:
        """The end of the step."""
        assert self.start is not None
        return self.start.point.at((self.start.point.theta[0] + self.step)[None])

    def accepts(self, here: GroupEvaluation) -> bool:
        """Whether the risk at the end of the step is low enough to go on from there; rounding is forgiven."""
        assert self.start is not None
        rounding = _ROUNDING * (abs(self.start.value) + float(np.abs(self.start.losses).max()))
        return here.value <= self.start.value - _ARMIJO * self.t * self.decrease + rounding

    def shortened(self, problem: GroupProblem, here: GroupEvaluation) -> _Line:
        """The same line with a shorter step: the best of the trial steps, or a quarter."""
        assert self.start is not None
        risks = {}
        for extra, losses in zip(TRIAL_STEPS, here.trials, strict=False):
            there = here.point.at((here.point.theta[0] + extra * self.step)[None])
            risks[1.0 + extra] = problem.risk_of(losses, there)
        better = {t: risk for t, risk in risks.items() if t < 1.0 and risk < self.start.value}
        t = min(better, key=lambda t: better[t]) if better else 0.25
        return _Line(self.start, t * self.step, self.decrease, t * self.t, self.rejected + 1)


def _certified(
    problem: GroupProblem, here: GroupEvaluation, models: GroupModels, saddle: Saddle, factor: FloatArray
) -> Gap:
    """How far the risk can still fall: not below the least mean loss with the weights of the saddle."""
    mean, gradient = float(saddle.weights @ models.losses), saddle.weights @ models.gradients
    quadratic, radius, concordance = problem.loss.quadratic, here.radius, problem.loss.self_concordance
    if quadratic:  # the parabolas are the losses
        radius, concordance = 0.0, 0.0
    if radius is not None and concordance is not None:
        proof = prove(models.mean_hessian(saddle.weights), gradient, factor, radius, concordance)
        if proof is not None:
            left = proof.gap(mean)
            if np.isfinite(left.value):
                return Gap(max(here.value - mean, 0.0) + left.value, "duality" if quadratic else left.kind)
    return Gap(max(here.value - saddle.value, 0.0), "estimate")


def _verified(
    problem: GroupProblem,
    here: GroupEvaluation,
    models: GroupModels,
    saddle: Saddle,
    bound: Gap,
    null_value: float,
    state: State,
) -> tuple[State, float]:
    """The state that knows this point, and its gap relative to the mean loss with the worst weights."""
    progress = Progress(
        objective=here.value,
        gap=problem.relative(bound.value, here.value, saddle.weights, null_value),
        gap_kind=bound.kind,
        gradient_norm=float(np.linalg.norm(saddle.weights @ models.gradients)),
        step_size=float(np.linalg.norm(saddle.step)),
    )
    arrays = {
        "factor": models.metric(saddle.weights).cholesky_factor,
        "group_losses": here.losses,
        "group_weights": saddle.weights,
    }
    return State(state.passes, here.point, progress, arrays, {"null_value": null_value}), progress.gap


def fits(problem: GroupProblem) -> bool:
    """Whether the Hessians of all groups fit into a partial answer."""
    return 8 * problem.n_groups * problem.parameters**2 <= MOST_BYTES


def _refuse_large(problem: GroupProblem) -> None:
    if not fits(problem):
        size = 8 * problem.n_groups * problem.parameters**2
        raise UnsupportedCombination(
            f"{problem.n_groups} groups with {problem.parameters} parameters: the Hessians of all groups "
            f"take {size / 2**20:.0f} MiB in each partial answer, and at most {MOST_BYTES / 2**20:.0f} MiB "
            "are supported. Use solver='bundle', which knows gradients only, or solver='auto'."
        )
