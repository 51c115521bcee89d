"""A training in which coefficients live with their columns: data, model or both are parted, as X is."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from daskml_dist import inputs
from daskml_dist.cluster import BlockModel, Blockwise, Hands, OnDask
from daskml_dist.errors import UnsupportedCombination
from daskml_dist.fit.data import connected, settle
from daskml_dist.fit.log import Log
from daskml_dist.fit.stopping import refuse_to_keep
from daskml_dist.fit.surveying import survey
from daskml_dist.fit.training import Interrupted, Outcome, Training
from daskml_dist.kernels import Point
from daskml_dist.losses import ScaledLoss
from daskml_dist.monitor import Status, StopAsked
from daskml_dist.solvers import MODEL_PARALLEL, Problem, Reached, Solution, State, model_parallel, null_point
from daskml_dist.types import AnyArray, Cost


def fit_model_parallel(
    training: Training, X: Any, y: Any, sample_weight: Any = None, offset: Any = None
) -> Outcome:
    """Train on the blocks of X as they are; coefficients are gathered at the end, and not before.

    Raises
    ------
    UnsupportedCombination
        A loss or penalty that is not smooth, several classes or targets, a start, a proof, or a checkpoint.
    """
    _refuse(training)
    with connected(training, X, y, sample_weight, offset) as (hands, table):
        table = inputs.made_lazy(table)
        columns = replace(table, X=None)
        settle(hands, columns)
        problem, classes = survey(training, hands, table, False)
        if problem.margins > 1 or problem.targets > 1:
            raise UnsupportedCombination(
                _REFUSED.format(f"{max(problem.margins, problem.targets)} classes or targets")
            )
        blocks = Blockwise(hands.client if isinstance(hands, OnDask) else None, training.patience)
        try:
            blocks.hold(inputs.uncut(X, table), columns.columns, hands.coding, _model(problem))
            return _talk(training, hands, blocks, problem, classes)
        finally:
            blocks.close()


def _model(problem: Problem) -> BlockModel:
    start = float(null_point(problem, np.zeros(problem.features)).b[0])
    centred = problem.centred and not problem.sparse
    return BlockModel(problem.loss, problem.penalty, problem.intercept, centred, problem.weight_sum, start)


def _talk(
    training: Training, hands: Hands, blocks: Blockwise, problem: Problem, classes: AnyArray | None
) -> Outcome:
    """Let the solver ask and the blocks answer."""
    log = Log(training, hands, problem, MODEL_PARALLEL)
    status: Status = "failed"
    message = ""
    conversation = model_parallel(problem)
    reply: Any = None
    spent = Cost(0, 0, 0.0)  # since somebody was told
    log.control.begin(steerable=False)
    try:
        while True:
            try:
                question, reached = conversation.send(reply)
            except StopIteration as stop:
                found: Reached = stop.value
                break
            if reached is not None:
                spent = _tell(log, hands, spent, reached)
                log.control.passed()
            log.control.wait()
            reply = blocks.answer(question)
            spent = Cost(spent.tasks + blocks.cost.tasks, 0, spent.seconds + blocks.cost.seconds)
        _tell(log, hands, spent, found)
        status = "converged" if found.converged else "stopped"
        w, b = blocks.coefficients()
        point = Point(w[None, :], np.array([b]), np.zeros(len(w)), problem.intercept)
        solution = Solution(State(found.passes, point, found.progress), found.converged)
        return Outcome(solution, problem, classes, log.history.rows(), None)
    except KeyboardInterrupt:
        status = "interrupted"
        raise Interrupted(None) from None
    except StopAsked:
        status, message = "stopped", "by request"
        refuse_to_keep("A model-parallel training")
    finally:
        log.ended(status, message)


def _tell(log: Log, hands: Hands, spent: Cost, reached: Reached) -> Cost:
    """Let whoever listens know of a Newton step and what it cost; the next one begins at nothing."""
    hands.cost, hands.busy, log.asked = spent, (), "Newton step"
    log.heard(State(reached.passes, None, reached.progress), None)
    return Cost(0, 0, 0.0)


_REFUSED = (
    f"solver={MODEL_PARALLEL!r} trains one set of coefficients with a smooth loss and an L2 penalty or "
    "none, from the constant model; given was {}. Use solver='auto', which merges column chunks."
)


def _refuse(training: Training) -> None:
    """Refuse what has no parts that live with the columns, and what only the caller's process could keep."""
    if training.checkpoint is not None:
        raise UnsupportedCombination(
            f"solver={MODEL_PARALLEL!r} keeps no checkpoints: the coefficients live on the workers, and no "
            "process has all of them before the end. Use checkpoint=None, or solver='auto', which merges "
            "column chunks."
        )
    given = {
        f"the loss {training.loss.name!r}": not training.loss.smooth or isinstance(training.loss, ScaledLoss),
        f"the penalty {training.penalty(1.0).name!r}": not training.penalty(1.0).smooth,
        "certify=True": training.certify,
        "warm_start=True": training.start is not None,
    }
    for what, is_given in given.items():
        if is_given:
            raise UnsupportedCombination(_REFUSED.format(what))
