"""The spine: a whole training, from containers to a verified optimum, on one screen.

minimise F(w, b) = (1 / sum s) sum_i s_i loss(y_i, x_i'w + b + offset_i) + penalty(w)
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from daskml_dist.cluster import Hands
from daskml_dist.errors import ClusterGaveUp
from daskml_dist.fit.conversation import hold
from daskml_dist.fit.data import placed
from daskml_dist.fit.folding import refuse_other_groups, settle_folds
from daskml_dist.fit.log import Log
from daskml_dist.fit.states import Keeper, digest, fingerprint
from daskml_dist.fit.stopping import known
from daskml_dist.fit.surveying import survey
from daskml_dist.fit.training import Interrupted, Outcome, Training
from daskml_dist.monitor import RateAsked, Status, StopAsked
from daskml_dist.solvers import Problem, Solution, Solver, State, automatic, by_target, named
from daskml_dist.types import AnyArray, Table

_FAILED: Status = "failed"


def fit(
    training: Training, X: Any, y: Any, sample_weight: Any = None, offset: Any = None, groups: Any = None
) -> Outcome:
    """Train: read, hold, survey, converse, and report."""
    refuse_other_groups(training.cv, groups)
    solver = named(training.solver, training.loss, training.penalty(1.0))
    with placed(training, X, y, sample_weight, offset, groups) as (hands, table, streamed):
        problem, classes = survey(training, hands, table, streamed)
        solver = solver or automatic(problem)
        if training.cv is not None:
            problem = replace(problem, folds=settle_folds(hands, training.cv, signs=training.signs))
        return talk(training, hands, table, problem, classes, solver)


def talk(
    training: Training,
    hands: Hands,
    table: Table,
    problem: Problem,
    classes: AnyArray | None,
    solver: Solver,
    state: State | None = None,
) -> Outcome:
    """Let the solver ask and the hands answer, until the solver is content.

    ``state`` : where to go on from if there is no checkpoint.
    """
    mark = fingerprint(training, table, problem, solver)
    mark |= {} if training.checkpoint is None else digest(hands)
    keeper = Keeper(training, mark)
    log = Log(training, hands, problem, solver.name)
    status, message = _FAILED, ""

    def outcome(solution: Solution, *, stopped: bool = False) -> Outcome:
        history, moved = log.history.rows(), log.decisions()
        return Outcome(solution, problem, classes, history, hands.graph, moved, stopped)

    def reached() -> Outcome | None:
        return None if log.state.point is None else outcome(Solution(log.state, False))

    try:
        log.control.tell_by(reached)
        solution = _solved(hands, log, keeper, problem, solver, keeper.resumed() or state)
        status = "converged" if solution.converged else "stopped"
        return outcome(solution)
    except KeyboardInterrupt:
        status = "interrupted"
        keeper.interrupted(log.state)
        raise Interrupted(reached()) from None
    except StopAsked:
        status, message = "stopped", "by request"
        keeper.interrupted(log.state)
        return outcome(Solution(known(log.state), False), stopped=True)
    except ClusterGaveUp as error:
        keeper.give_up(log.state, error)
        raise
    finally:
        log.ended(status, message)


def _solved(
    hands: Hands, log: Log, keeper: Keeper, problem: Problem, solver: Solver, state: State | None
) -> Solution:
    """What the solver comes to, from a state; with another learning rate it goes on from where it is."""
    log.control.begin(steerable=solver.at_rate(1.0) is not None)
    while True:
        try:
            solution = hold(by_target(solver, problem, state), hands, log, keeper)
        except RateAsked as asked:
            solver, state = solver.at_rate(asked.factor) or solver, log.state
        else:
            log.control.passed()
            return solution
