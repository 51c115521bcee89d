"""A training of several classes: each of them against the rest, over one reading of the labels."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from daskml_dist import inputs
from daskml_dist.cluster import connect
from daskml_dist.fit.data import read, settle
from daskml_dist.fit.spine import talk
from daskml_dist.fit.surveying import against_rest, survey_labels
from daskml_dist.fit.training import Interrupted, Outcome, Training
from daskml_dist.solvers import automatic, named
from daskml_dist.types import AnyArray


def fit_classes(training: Training, X: Any, y: Any, sample_weight: Any = None) -> Outcome:
    """Train a model for two classes, or one for each class against the rest: (K, p) and (K,).

    X is placed once, and labels are coded anew for each class where they are read. Where several models are
    asked for and one of them is interrupted, there is no outcome.
    """
    solver = named(training.solver, training.loss, training.penalty(1.0))
    lazy = inputs.is_lazy(X, y, sample_weight)
    hands = connect(training.scheduler, lazy=lazy, patience=training.patience)
    try:
        table = read(training, hands, X, y, sample_weight, None)
        streamed = settle(hands, table)
        found, factors = survey_labels(training, hands)
        outcomes = []
        asked = against_rest(training, table, streamed, found, factors)
        for number, (problem, coding) in enumerate(asked):
            hands.code(coding)
            own = training if len(asked) == 1 else _own(training, number)
            by = solver or automatic(problem)
            try:
                outcomes.append(talk(own, hands, table, problem, found.classes, by))
            except Interrupted as interruption:
                raise Interrupted(interruption.outcome if len(asked) == 1 else None) from None
        return outcomes[0] if len(outcomes) == 1 else joined(outcomes, found.classes)
    finally:
        hands.close()


def _own(training: Training, number: int) -> Training:
    """The training of one class, with checkpoints of its own."""
    if training.checkpoint is None:
        return training
    return replace(training, checkpoint=f"{training.checkpoint}/class-{number}")


def joined(outcomes: list[Outcome], classes: AnyArray) -> Outcome:
    """One outcome of all problems: passes add up, and the largest gap counts."""
    states = [outcome.solution.state for outcome in outcomes]
    points = [state.point for state in states if state.point is not None]
    reports = [state.progress for state in states if state.progress is not None]
    widest = max(reports, key=lambda report: report.gap)
    guessed = [report.gap_kind for report in reports if report.gap_kind == "estimate"]
    progress = replace(
        widest,
        objective=sum(report.objective for report in reports),
        gap_kind=guessed[0] if guessed else widest.gap_kind,
        gradient_norm=float(np.linalg.norm([report.gradient_norm for report in reports])),
    )
    zero = np.zeros(points[0].w.shape[1])
    point = replace(
        points[0],
        w=np.concatenate([point.w for point in points]),
        b=np.concatenate([point.raw_intercept for point in points]),
        centre=zero,
    )
    passes = sum(state.passes for state in states)
    notes = {
        f"{note} (class {label!r} against the rest)": None
        for outcome, label in zip(outcomes, classes.tolist(), strict=True)
        for note in outcome.solution.notes
    }
    solution = replace(
        outcomes[0].solution,
        state=replace(states[0], passes=passes, point=point, progress=progress),
        converged=all(outcome.solution.converged for outcome in outcomes),
        hessian=None,
        notes=tuple(notes),
    )
    history = [
        {**row, "class": label}
        for outcome, label in zip(outcomes, classes.tolist(), strict=True)
        for row in outcome.history
    ]
    return Outcome(solution, outcomes[0].problem, classes, history, outcomes[-1].graph)
