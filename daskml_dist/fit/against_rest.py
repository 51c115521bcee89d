"""A training of several classes: each of them against the rest, over one reading of the labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from daskml_dist.cluster import Hands
from daskml_dist.fit.data import placed
from daskml_dist.fit.log import Log
from daskml_dist.fit.meeting import meet
from daskml_dist.fit.spine import talk
from daskml_dist.fit.stopping import refuse_to_keep
from daskml_dist.fit.surveying import against_rest, survey_labels
from daskml_dist.fit.training import Interrupted, Outcome, Training
from daskml_dist.kernels import Coding, View
from daskml_dist.solvers import (
    Member,
    Problem,
    Solution,
    Solver,
    State,
    at_once,
    automatic,
    in_turn,
    joined_point,
    joined_progress,
    named,
)
from daskml_dist.storage import Checkpoint
from daskml_dist.types import AnyArray, Table

Asked = tuple[Problem, View]


def fit_classes(training: Training, X: Any, y: Any, sample_weight: Any = None) -> Outcome:
    """Train a model for two classes, or one for each class against the rest: (K, p) and (K,).

    X is placed once. Where there are several classes, one pass answers for many of them; with checkpoints
    they are solved one after the other. Where such a training is interrupted, there is no outcome.
    """
    solver = named(training.solver, training.loss, training.penalty(1.0))
    with placed(training, X, y, sample_weight) as (hands, table, streamed):
        found, factors = survey_labels(training, hands)
        asked = against_rest(training, table, streamed, found, factors)
        by = solver or automatic(asked[0][0], alone=False)
        if len(asked) == 1:
            hands.code(Coding(found.classes, factors))
            return talk(training, hands, table, asked[0][0], found.classes, by)
        if training.checkpoint is not None:
            return _one_by_one(training, hands, table, asked, found.classes, by)
        hands.code(Coding(found.classes))
        log = Log(training, hands, asked[0][0], by.name)
        members = [Member(by.solve(problem), view) for problem, view in asked]
        met = meet(in_turn(members, at_once(by, asked[0][0])), hands, log)
        solutions = [one.solution for one in met.judged]
        outcome = _joined(solutions, met.state.passes, asked, found.classes, log.history.rows(), hands.graph)
        return replace(outcome, decisions=log.decisions())


def _one_by_one(
    training: Training, hands: Hands, table: Table, asked: Sequence[Asked], classes: AnyArray, solver: Solver
) -> Outcome:
    """Each class with checkpoints of its own, and coded anew where labels are read."""
    outcomes = []
    training.control.in_parts()
    for number, (problem, view) in enumerate(asked):
        factors = None if view.class_weight is None else np.asarray(view.class_weight)
        hands.code(Coding(classes, factors, one=view.one))
        checkpoint = Checkpoint.of(training.checkpoint)
        assert checkpoint is not None
        own = replace(training, checkpoint=checkpoint.inside(f"class-{number}", first=number == 0))
        try:
            outcomes.append(talk(own, hands, table, problem, classes, solver))
        except Interrupted:
            raise Interrupted(None) from None
        if outcomes[-1].stopped:
            refuse_to_keep("A training of one class after the other")
    solutions = [outcome.solution for outcome in outcomes]
    history = [
        {**row, "class": label}
        for outcome, label in zip(outcomes, classes.tolist(), strict=True)
        for row in outcome.history
    ]
    passes = sum(solution.state.passes for solution in solutions)
    joined = _joined(solutions, passes, asked, classes, history, hands.graph)
    return replace(joined, decisions=outcomes[-1].decisions)


def _joined(
    solutions: Sequence[Solution],
    passes: int,
    asked: Sequence[Asked],
    classes: AnyArray,
    history: list[dict[str, Any]],
    graph: Any,
) -> Outcome:
    """One outcome of all problems, of which the largest gap counts."""
    states = [solution.state for solution in solutions]
    points = [state.point for state in states if state.point is not None]
    reports = [state.progress for state in states if state.progress is not None]
    notes = {
        f"{note} (class {label!r} against the rest)": None
        for solution, label in zip(solutions, classes.tolist(), strict=True)
        for note in solution.notes
    }
    converged = all(solution.converged for solution in solutions)
    state = State(passes, joined_point(points), joined_progress(reports))
    solution = Solution(state, converged, notes=tuple(notes))
    return Outcome(solution, asked[0][0], classes, history, graph)
