"""A proximal bundle for the worst weights of groups: lines below the losses, from gradients alone."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, final

import numpy as np

from daskml_dist.errors import UnsupportedCombination
from daskml_dist.kernels import Question
from daskml_dist.solvers._base import Conversation, Problem, Progress, Solution, State, Turn
from daskml_dist.solvers.descent import STALLED, metric_of
from daskml_dist.solvers.group_bundle import Bundle, BundleStep
from daskml_dist.solvers.group_problem import GroupEvaluation, GroupProblem, GroupSolver, first_look
from daskml_dist.solvers.group_start import GroupPilot, GroupStart, sample_of

MOST_DENSE = 500  # parameters from which on the metric of the start is a diagonal
MOST_SPARSE = 256  # the same where X is sparse
_MOST_BYTES = 1 << 28  # of the gradients of all groups
_REJECTIONS = 30


@final
@dataclass(frozen=True)
class ProximalBundle(GroupSolver):
    """Each pass gives a line below the loss of each group; the step is the minimum of their bent maximum.

    It minimises R(largest line of each group) + penalty + mu d'M d / 2 over steps d, which is a quadratic
    program in the weights of the lines (Kiwiel 1990, "Proximity control in bundle methods for convex
    nondifferentiable minimization"; with lines for each group as in Frangioni 2002, "Generalized bundle
    methods"). M is the Hessian of the mean loss with the worst weights on a sample, or its diagonal, and
    learns from the changes of that gradient (Lemarechal and Sagastizabal 1997, "Variable metric bundle
    methods"). A step that lowers the risk by less than a tenth of what was promised is not made, and its
    lines are learned.

    The same lines with the penalty in place of the bend are nowhere above the risk: their least value proves
    the gap (docs/certificates.md).
    """

    name: ClassVar[str] = "bundle"
    needs: ClassVar[frozenset[str]] = frozenset({"smooth loss", "smooth penalty", "loss without a scale"})

    def solve(self, problem: Problem, state: State | None = None) -> Conversation:
        assert isinstance(problem, GroupProblem)
        _refuse_large(problem)
        if state is not None and state.point is not None:
            start = GroupStart(state.point, metric_of(state), state.numbers["null_value"])
            return (yield from _descend(problem, start, state, certify=True))
        most = MOST_SPARSE if problem.sparse else MOST_DENSE
        pilot = GroupPilot(problem, _sampled, diagonal=problem.parameters > most)
        start = yield Turn(Question(sample_of(problem), pilot), State())
        return (yield from _descend(problem, start, State(passes=int(problem.streamed)), certify=True))


def _sampled(problem: GroupProblem, start: GroupStart) -> Conversation:
    """The same on a sample, where nothing is to be proven."""
    return _descend(problem, start, State(), certify=False)


def _descend(problem: GroupProblem, start: GroupStart, state: State, *, certify: bool) -> Conversation:
    """Steps from the start; each pass gives new lines."""
    if state.progress is not None and state.passes >= problem.max_passes:  # a fit that goes on
        return Solution(state, bool(state.progress.gap <= problem.tol))
    here, state = yield from first_look(problem, start.point, state, certify=certify)
    if not np.isfinite(here.value):
        return Solution(replace(state, point=here.point), False)
    bundle = Bundle.begun(problem, here, start.metric, start.null_value, state.numbers.get("mu", 1.0))
    while True:
        step = bundle.step()
        bundle, used = bundle.proven(step, certify)
        state = _state(bundle, step, state.passes, certify)
        assert state.progress is not None
        if state.progress.gap <= problem.tol or state.passes >= problem.max_passes:
            return Solution(state, bool(state.progress.gap <= problem.tol))
        if bundle.nulls > _REJECTIONS or (bundle.flat(step) and not bundle.brackets(step, certify)):
            return Solution(state, False, notes=(STALLED,))
        points = bundle.targets(step, certify)
        answers = yield Turn(problem.question(*points, hessian=False), state)
        state = replace(state, passes=state.passes + 1)
        bundle = bundle.told(step, used, GroupEvaluation.each(problem, points, answers))


def told_of(bundle: Bundle, passes: int) -> State:
    """What the lines of a bundle tell of its best point."""
    step = bundle.step()
    return _state(bundle.proven(step, True)[0], step, passes, True)


def _state(bundle: Bundle, step: BundleStep, passes: int, certify: bool) -> State:
    """All that is needed to go on from the best point; its lines come with it in one pass."""
    gap, centre, weights = bundle.gap(step, certify), bundle.centre, bundle.weights(step)
    gradient = weights @ centre.gradients
    m = bundle.problem.penalised
    gradient[:m] += bundle.problem.penalty.gradient(centre.point.theta[0, :m])
    progress = Progress(
        objective=centre.value,
        gap=gap.value,
        gap_kind=gap.kind,
        gradient_norm=float(np.linalg.norm(gradient)),
        step_size=float(np.linalg.norm(step.step)),
    )
    arrays = bundle.metric.memory | {"group_losses": centre.losses, "group_weights": weights}
    return State(passes, centre.point, progress, arrays, {"null_value": bundle.null_value, "mu": bundle.mu})


def _refuse_large(problem: GroupProblem) -> None:
    size = 8 * problem.n_groups * problem.parameters
    if size > _MOST_BYTES:
        raise UnsupportedCombination(
            f"{problem.n_groups} groups with {problem.parameters} parameters: the gradients of all groups "
            f"take {size / 2**20:.0f} MiB in each partial answer, and at most {_MOST_BYTES / 2**20:.0f} MiB "
            "are supported. Use fewer groups or features."
        )
