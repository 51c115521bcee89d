"""Cross-validation: candidates by splits, trained and judged in the same few passes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np

from daskml_dist import inputs
from daskml_dist.cluster import Hands
from daskml_dist.errors import InvalidData
from daskml_dist.fit.data import placed
from daskml_dist.fit.details import scored
from daskml_dist.fit.folding import refuse_other_groups, settle_folds
from daskml_dist.fit.log import Log
from daskml_dist.fit.meeting import meet
from daskml_dist.fit.surveying import loss_of, survey_labels
from daskml_dist.fit.training import Training
from daskml_dist.kernels import Coding, FoldSurvey, LabelSurveyAnswer, Question, Verdict, View
from daskml_dist.monitor import Candidates
from daskml_dist.penalties import Penalty
from daskml_dist.solvers import Grid, Judged, Problem, automatic, named
from daskml_dist.splits import Folds, Split
from daskml_dist.types import AnyArray, FloatArray, Table


@final
@dataclass(frozen=True)
class Crossed:
    """What cross-validation came to.

    Attributes
    ----------
    judged : [c][s] the model of candidate c and split s; the last one of a candidate has all rows.
    classes : sorted labels.
    passes : over all rows.
    history, graph : see ``Outcome``.
    """

    judged: list[list[Judged]]
    classes: AnyArray
    passes: int
    history: list[dict[str, Any]]
    graph: Any


def cross(
    training: Training,
    penalties: Sequence[Callable[[float], Penalty]],
    rule: Split,
    X: Any,
    y: Any,
    sample_weight: Any = None,
    groups: Any = None,
) -> Crossed:
    """Train a classifier with each penalty on each split and on all rows, and judge it on held-out rows.

    Parameters
    ----------
    training : what is trained; its penalty is not looked at.
    penalties : of the candidates, given the sum of the weights; neighbours should be alike, since each is
        first solved from the minimum of the one before it, on a sample of the rows.
    rule : how the rows are split.
    X, y, sample_weight, groups : (n, p), (n,) labels, (n,) or None, (n,) or None.
    """
    refuse_other_groups(rule, groups)
    solver = named(training.solver, training.loss, penalties[0](1.0))
    with placed(training, X, y, sample_weight, groups=groups) as (hands, table, streamed):
        found, factors = survey_labels(training, hands)
        hands.code(Coding(found.classes))  # class weights count in training, and not where models are judged
        folds = settle_folds(hands, rule)
        grid = _grid(training, penalties, hands, table, found, factors, folds, streamed)
        whole = grid.problems[0][-1]
        solver = solver or automatic(whole, alone=False)
        log = Log(training, hands, whole, solver.name)
        met = meet(grid.solve(solver), hands, log)
        width = len(grid.views)
        judged = [met.judged[start : start + width] for start in range(0, len(met.judged), width)]
        verdicts = [[one.verdict for one in row if one.verdict is not None] for row in judged]
        if all(verdicts):
            log.tell(_candidates(verdicts))
        return Crossed(judged, found.classes, met.state.passes, log.history.rows(), hands.graph)


def _candidates(verdicts: list[list[Verdict]]) -> Candidates:
    """The mean log loss of each candidate on the rows that splits test."""
    loss = np.array([[told.log_loss for told in row] for row in verdicts])
    weight = np.array([[told.confusion.sum() for told in row] for row in verdicts])
    with np.errstate(divide="ignore", invalid="ignore"):
        return scored("mean log loss on held-out rows", loss / weight)


def _grid(
    training: Training,
    penalties: Sequence[Callable[[float], Penalty]],
    hands: Hands,
    table: Table,
    found: LabelSurveyAnswer,
    factors: FloatArray | None,
    folds: Folds,
    streamed: bool,
) -> Grid:
    """The problem of each candidate and split, with what must be known of its rows."""
    tally: FloatArray = hands.answer(Question(FoldSurvey(folds, len(found.classes))))
    rows, weight = tally  # (F, k) each
    if factors is not None:
        weight = weight * factors
    loss, joint = loss_of(training, len(found.classes)), len(found.classes) > 2
    trains = np.concatenate([folds.trains, np.ones((1, folds.n_folds), dtype=np.bool_)])
    rows, weight = trains @ rows, trains @ weight  # (S + 1, k)
    _refuse_lost_classes(rows, weight, found.classes)

    def problem(penalty: Callable[[float], Penalty], split: int) -> Problem:
        total = float(weight[split].sum())
        return Problem(
            loss=loss,
            penalty=penalty(total),
            intercept=training.intercept,
            rows=int(rows[split].sum()),
            features=table.n_features,
            targets=1,
            weight_sum=total,
            events=0 if joint else int(rows[split, 1]),
            mean=weight[split, 0 if joint else 1 :] / total,
            tol=max(training.tol, 1e-14),
            max_passes=training.max_passes,
            streamed=streamed,
            seed=training.seed,
            sparse=inputs.is_sparse(table),
        )

    problems = tuple(tuple(problem(penalty, split) for split in range(len(trains))) for penalty in penalties)
    return Grid(problems, _views(folds, factors), folds)


def _views(folds: Folds, factors: FloatArray | None) -> tuple[View, ...]:
    """What the models of each split and of all rows are trained on."""
    factor = None if factors is None else tuple(float(value) for value in factors)
    return tuple(View(split, "trained on", factor) for split in [*range(folds.n_splits), None])


def _refuse_lost_classes(rows: FloatArray, weight: FloatArray, classes: AnyArray) -> None:
    """Refuse a split that trains on rows of one class only."""
    lost = np.argwhere((rows == 0) | (weight == 0.0))
    if len(lost):
        split, label = int(lost[0][0]), classes.tolist()[lost[0][1]]
        raise InvalidData(
            f"Split {split} trains on no rows of class {label!r} (with weight), so that there is nothing to "
            "tell apart. Use StratifiedKFold, fewer splits, or drop the class."
        )
