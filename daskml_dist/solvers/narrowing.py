"""Losses with kinks: smoothed over a width that shrinks, and the rows at the kinks by themselves."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, final

import numpy as np

from daskml_dist.errors import InvalidData
from daskml_dist.kernels import Glimpse, GlimpseAnswer, KinkAnswer, KinkSweep, Point, Question, Sample, Sweep
from daskml_dist.losses import PiecewiseLinear, Smoothed
from daskml_dist.solvers._base import (
    Conversation,
    Problem,
    Solution,
    Solver,
    State,
    Turn,
    centred,
    converse,
    null_point,
)
from daskml_dist.solvers.descent import STALLED, TRIAL_STEPS, Evaluation, Line
from daskml_dist.solvers.lower_model import LowerModel, Told
from daskml_dist.solvers.narrowed import Known, Look, convexity
from daskml_dist.solvers.pilot import weighted_mean
from daskml_dist.solvers.progressive_newton import SAMPLE_BYTES, SMALL_ELEMENTS, sample_for, sample_rows
from daskml_dist.types import Chunk, FloatArray

NEAR_ROWS = 5000  # at least so many rows go into a linear program, and
NEAR_A_PARAMETER = 50  # so many for each parameter
_NARROWER = 1 / 8
_ENOUGH = 0.4  # of the tolerance is what the last width should cost
_FILLED = 0.25  # of the rows of a program, those that may be within the smoothed kinks
_SETTLED = 0.5  # times what the width costs: a solution that near is worth no more steps at this width
_NO_STEP = 1e-4 * float(np.finfo(np.float64).eps)  # of F: a step that lowers it by less is not worth a look
_REJECTIONS = 30
_REFUSALS = 3
_GLIMPSED = 16

TIED = (
    "too many rows lie on the fitted plane to be told from each other, as where y has few values; the gap is "
    "estimate, that of a loss whose kinks are smoothed"
)


@final
class Narrowing(Solver):
    """Newton's method on a loss whose kinks are smoothed, over a width that shrinks near the solution.

    The slopes of the smoothed loss are those of lines below the loss itself, so that each pass tells a lower
    bound of F. Where the penalty is strongly convex in all parameters (support vector machines) the bound
    is all that is needed: the gap, that between the primal and the dual problem, vanishes with the width.
    Elsewhere (quantiles) the rows near a kink, once they are few, are gathered, and a linear program over
    them gives the exact solution and its proof (lower_model.py). A sample is solved first, down to the width
    at which it stops to tell; small data are solved at once. Compare Chen 2007, "A finite smoothing algorithm
    for quantile regression"; we differ in the sample, the bound, and the program at the end.
    """

    name: ClassVar[str] = "narrowing"
    needs: ClassVar[frozenset[str]] = frozenset({"loss with kinks"})

    def gathered_bytes(self, problem: Problem) -> int:
        return 8 * max(sample_rows(problem), near_rows(problem)) * (problem.features + 1)

    def solve(self, problem: Problem, state: State | None = None) -> Conversation:
        near = 0 if convexity(problem) is not None else near_rows(problem)
        if state is not None and state.point is not None:
            known = Known(state.numbers["null_value"])
            return (yield from narrow(problem, state, state.point, state.numbers["width"], known, near))
        if near >= problem.rows:
            glimpse: GlimpseAnswer = yield Turn(Question(Glimpse(_GLIMPSED)), State())
            centre = glimpse.x_mean if problem.centred else np.zeros(problem.features)
            return (yield from narrow(problem, State(), _start(problem, centre), 1.0, Known(np.nan), near))
        small = problem.rows * problem.features <= SMALL_ELEMENTS
        sample = Sample(problem.loss, 1.0, 1.0, problem.seed) if small else sample_for(problem)
        told: KinkPilotAnswer = yield Turn(
            Question(sample, KinkPilot(problem, whole=small and near == 0)), State()
        )
        state = State(passes=1 if problem.streamed else 0)
        return (yield from narrow(problem, state, told.point, told.width, Known(told.null_value), near))


def near_rows(problem: Problem) -> int:
    """How many rows a linear program may have."""
    q = problem.parameters
    return min(max(NEAR_ROWS, NEAR_A_PARAMETER * q), SAMPLE_BYTES // (8 * q))


@final
@dataclass(frozen=True)
class KinkPilotAnswer:
    """Where to start, the width at which the sample stopped to tell, and F of the constant model."""

    point: Point
    width: float
    null_value: float


@final
@dataclass(frozen=True)
class KinkPilot:
    """Solve on a sample, inside the task that gathered it; to the end where it is all there is to solve."""

    problem: Problem
    whole: bool

    def __call__(self, sample: Chunk) -> KinkPilotAnswer:
        problem = self.problem
        assert sample.X is not None
        tol = 0.5 * problem.parameters / sample.X.shape[0]
        tol = 0.5 * problem.tol if self.whole else max(tol, problem.tol)
        inner = replace(problem, tol=tol, max_passes=500, streamed=False)
        centre = weighted_mean(sample) if problem.centred else np.zeros(problem.features)
        start = _start(problem, centre)
        null_value = Evaluation.on(problem, null_point(problem, centre), sample).value
        if not null_value > 0.0:
            return KinkPilotAnswer(start, 1.0, null_value)
        talk = narrow(inner, State(), start, null_value, Known(null_value), 0, proving=self.whole)
        state = converse(talk, [replace(sample, id=0)]).state
        return KinkPilotAnswer(state.point or start, state.numbers.get("width", null_value), null_value)


def narrow(
    problem: Problem,
    state: State,
    point: Point,
    width: float,
    known: Known,
    near: int,
    *,
    proving: bool = True,
) -> Conversation:
    """Descend from a point over shrinking widths.

    Parameters
    ----------
    problem, state, point : what is solved, and from where.
    width : of the smoothed kinks, to begin with.
    known : what is known of F so far.
    near : how many rows may be gathered for a linear program; 0 for none.
    proving : whether to go on where the gap is small enough but not proven.
    """
    if state.progress is not None and state.passes >= problem.max_passes:  # a fit that goes on
        return Solution(state, state.progress.gap <= problem.tol)
    move = Move(point, width, programmed=near >= problem.rows)
    while True:
        told: Told = yield Turn(_question(problem, move, near), state)
        state = replace(state, passes=state.passes + 1)
        look = Look.of(problem, move.point, told)
        last = state.passes >= problem.max_passes
        if move.line is not None and not move.line.accepts(look.problem, look.here):
            if last or move.line.rejected == _REJECTIONS:
                return _given_up(problem, state, last)
            line = move.line.shortened(look.problem, look.here)
            move = replace(move, point=line.target, line=line)
            continue
        if not np.isfinite(look.value):
            raise InvalidData(
                f"The objective overflows float64 (loss {problem.loss.name!r}): X, y or weights are too "
                "large. Divide them by a constant."
            )
        astray = move.led and not known.improved(look)
        known = known.after(look, failed=astray or (move.programmed and told.step is None))
        state = known.state(problem, look, state)
        settled = known.settled(problem, look, proving and _provable(problem, known, look, near))
        if last or settled:
            assert state.progress is not None
            tied = settled and near > 0 and state.progress.gap_kind == "estimate"
            return Solution(state, state.progress.gap <= problem.tol, notes=(TIED,) if tied else ())
        near_by = near if known.refused < _REFUSALS else 0
        move = _back(known, look, near_by) if astray else _next(problem, known, move, look, near_by)


@final
@dataclass(frozen=True)
class Move:
    """Where to look next.

    Attributes
    ----------
    point, width : what is asked for.
    line : from the last point at this width; None where there is none.
    programmed : whether rows are gathered for a linear program. led : whether a program led here.
    pace : the factor that led to this width.
    """

    point: Point
    width: float
    line: Line | None = None
    programmed: bool = False
    led: bool = False
    pace: float = _NARROWER**0.5


def _question(problem: Problem, move: Move, near: int) -> Question[Told]:
    assert isinstance(problem.loss, PiecewiseLinear)
    tried = move.line is not None and move.line.rejected > 0
    sweep = Sweep(
        Smoothed(problem.loss, move.width),
        move.point,
        direction=move.line.step[None] if tried and move.line is not None else None,
        steps=TRIAL_STEPS if tried else (),
        hessian=True,
    )
    if move.programmed:
        return Question(KinkSweep(sweep, near), LowerModel(problem, move.point))
    return Question(KinkSweep(sweep), _without_program)


def _without_program(answer: KinkAnswer) -> Told:
    return Told(answer)


def _provable(problem: Problem, known: Known, look: Look, near: int) -> bool:
    """Whether looking on may prove the gap: by a program, or by a gradient that is not rounding yet."""
    if near:
        return known.refused < _REFUSALS
    return convexity(problem) is not None and look.decrease > _NO_STEP * look.value


def _next(problem: Problem, known: Known, move: Move, look: Look, near: int) -> Move:
    """The minimum of the lower model, or a step of Newton's method, at a smaller width where that is due."""
    if look.told.step is not None and near:
        return Move(_moved(look, look.told.step), look.width, programmed=True, led=True)
    due = near > 0 and known.at(problem, look)[1] <= problem.tol  # all that is missing is the proof
    if look.decrease > _SETTLED * look.blur or look.blur <= _SETTLED * problem.tol * known.scale:
        line = Line(look.here, look.step)
        return Move(line.target, look.width, line, due or _fits(look, look.width, near), pace=_NARROWER**0.5)
    # no narrower than for a program or the tolerance: what the width costs shrinks with its square
    pace = max(move.pace**2, min(np.sqrt(_ENOUGH * problem.tol * known.scale / look.blur), 0.5))
    if look.inside > 0:
        pace = max(pace, min(_FILLED * near / look.inside, 0.5))
    width = pace * look.width
    ahead = look.step + look.beyond(width)
    return Move(_moved(look, ahead), width, programmed=due or _fits(look, width, near), pace=pace)


def _fits(look: Look, width: float, near: int) -> bool:
    """Whether the rows within this width, as far as is known, are few enough for a program."""
    return near > 0 and look.inside * width / look.width <= _FILLED * near


def _back(known: Known, look: Look, near: int) -> Move:
    """To the best point, at a smaller width, from where a program led to no better one."""
    assert known.best is not None
    width = _NARROWER * look.width
    return Move(known.best.here.point, width, programmed=_fits(look, width, near))


def _moved(look: Look, step: FloatArray) -> Point:
    point = look.here.point
    return point.at((point.theta[0] + step)[None])


def _given_up(problem: Problem, state: State, last: bool) -> Solution:
    """The end where no step lowers the objective any further, or none is left."""
    converged = state.progress is not None and state.progress.gap <= problem.tol
    return Solution(state, converged, notes=() if last or converged else (STALLED,))


def _start(problem: Problem, centre: FloatArray) -> Point:
    return null_point(problem, centre) if problem.start is None else centred(problem.start, centre)
