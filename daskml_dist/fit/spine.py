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
from daskml_dist.fit.surveying import survey
from daskml_dist.fit.training import Interrupted, Outcome, Training
from daskml_dist.solvers import Problem, Solution, Solver, State, automatic, by_target, named
from daskml_dist.types import AnyArray, Table


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
    status = "failed"

    def outcome(solution: Solution) -> Outcome:
        return Outcome(solution, problem, classes, log.history.rows(), hands.graph, log.decisions())

    try:
        begun = keeper.resumed() or state
        solution = hold(by_target(solver, problem, begun), hands, log, keeper)
        log.heard(solution.state, None)
        status = "converged" if solution.converged else "stopped"
        return outcome(solution)
    except KeyboardInterrupt:
        status = "interrupted"
        keeper.interrupted(log.state)
        reached = log.state.point is not None
        raise Interrupted(outcome(Solution(log.state, False)) if reached else None) from None
    except ClusterGaveUp as error:
        where = keeper.give_up(log.state)
        if where is None:
            raise
        raise ClusterGaveUp(
            f"{error} The state after {log.state.passes} passes is kept in {where}; fit again with "
            f"checkpoint={where!r} to go on from it."
        ) from error
    finally:
        log.ended(status)
