"""The spine: a whole training, from containers to a verified optimum, on one screen.

minimise F(w, b) = (1 / sum s) sum_i s_i loss(y_i, x_i'w + b + offset_i) + penalty(w)
"""

from __future__ import annotations

import tempfile
from typing import Any

from daskml_dist import inputs
from daskml_dist.cluster import Hands, connect
from daskml_dist.errors import ClusterGaveUp
from daskml_dist.fit.data import read, settle
from daskml_dist.fit.log import Log
from daskml_dist.fit.states import digest, fingerprint, keep, resumed
from daskml_dist.fit.surveying import survey
from daskml_dist.fit.training import Interrupted, Outcome, Training
from daskml_dist.solvers import Problem, Solution, Solver, State, Turn, automatic, named
from daskml_dist.storage import Checkpoints
from daskml_dist.types import AnyArray, Table


def fit(training: Training, X: Any, y: Any, sample_weight: Any = None, offset: Any = None) -> Outcome:
    """Train: read, hold, survey, converse, and report."""
    solver = named(training.solver, training.loss, training.penalty(1.0))
    lazy = inputs.is_lazy(X, y, sample_weight, offset)
    hands = connect(training.scheduler, lazy=lazy, patience=training.patience)
    try:
        table = read(training, hands, X, y, sample_weight, offset)
        streamed = settle(hands, table)
        problem, classes = survey(training, hands, table, streamed)
        solver = solver or automatic(problem)
        solver.refuse_targets(problem.targets)
        return _converse(training, hands, table, problem, classes, solver)
    finally:
        hands.close()


def _converse(
    training: Training, hands: Hands, table: Table, problem: Problem, classes: AnyArray | None, solver: Solver
) -> Outcome:
    """Let the solver ask and the hands answer, until the solver is content."""
    log = Log(training, hands, problem, solver)
    store = None if training.checkpoint is None else Checkpoints(training.checkpoint)
    mark = fingerprint(training, table, problem, solver) | ({} if store is None else digest(hands))
    conversation = solver.solve(problem, resumed(store, mark))
    state, reply, status = State(), None, "failed"

    def outcome(solution: Solution) -> Outcome:
        return Outcome(solution, problem, classes, log.history.rows(), hands.graph)

    try:
        while True:
            turn: Turn = conversation.send(reply)
            state = turn.state  # known before anybody hears of it: Ctrl-C may come meanwhile
            log.heard(state, turn)
            if store is not None and state.progress is not None:
                keep(store, state, mark)
            reply = hands.answer(turn.question)
    except StopIteration as stop:
        solution: Solution = stop.value
        state = log.heard(solution.state, None)
        status = "converged" if solution.converged else "stopped"
        return outcome(solution)
    except KeyboardInterrupt:
        status = "interrupted"
        raise Interrupted(outcome(Solution(state, False)) if state.point is not None else None) from None
    except ClusterGaveUp as error:
        if state.progress is None:
            raise
        store = store or Checkpoints(tempfile.mkdtemp(prefix="daskml-dist-"))
        where = keep(store, state, mark)
        raise ClusterGaveUp(
            f"{error} The state after {state.passes} passes is kept in {where}; fit again with "
            f"checkpoint={str(store.url)!r} to go on from it."
        ) from error
    finally:
        log.ended(status, state)
