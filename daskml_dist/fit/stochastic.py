"""A training by stochastic gradients: all problems in the same rounds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from daskml_dist.cluster import Hands
from daskml_dist.errors import InvalidData
from daskml_dist.fit.data import placed
from daskml_dist.fit.folding import settle_folds
from daskml_dist.fit.spine import talk
from daskml_dist.fit.surveying import against_rest, survey, survey_labels
from daskml_dist.fit.training import Outcome, Training
from daskml_dist.kernels import Coding, LabelSurvey, LabelSurveyAnswer, Left, Question, View, Walk
from daskml_dist.solvers import Problem, RateSearch, State, StochasticGradient
from daskml_dist.splits import numbered
from daskml_dist.types import AnyArray, FloatArray


def fit_stochastic(
    training: Training,
    X: Any,
    y: Any,
    sample_weight: Any = None,
    *,
    classes: AnyArray | None = None,
    state: State | None = None,
) -> Outcome:
    """Train a model for numbers or two classes, or one for each class against the rest: (K, p) and (K,).

    Parameters
    ----------
    training : what is trained; its solver is a ``StochasticGradient``, or a ``RateSearch`` over the splits of
        its ``cv``.
    X, y, sample_weight : (n, p), (n,), and (n,) or None.
    classes : sorted labels where y need not have all of them; None to find them in y.
    state : where to go on from, or None.
    """
    assert isinstance(training.solver, StochasticGradient | RateSearch)
    with placed(training, X, y, sample_weight) as (hands, table, streamed):
        if training.labels:
            if classes is None:
                found, factors = survey_labels(training, hands)
            else:
                found, factors = _among(training, classes, hands.answer(Question(LabelSurvey(training.loss))))
            asked = against_rest(training, table, streamed, found, factors)
            hands.code(Coding(found.classes))
            labels: AnyArray | None = found.classes
        else:
            problem, labels = survey(training, hands, table, streamed)
            asked = [(problem, View())]
        asked = [(_own_start(problem, k, len(asked)), view) for k, (problem, view) in enumerate(asked)]
        if isinstance(training.solver, RateSearch):
            return talk(training, hands, table, asked[0][0], labels, _crossed(training, hands, asked, labels))
        solver = replace(training.solver, asked=tuple(asked))
        return talk(training, hands, table, asked[0][0], labels, solver, state)


def _crossed(
    training: Training, hands: Hands, asked: Sequence[tuple[Problem, View]], labels: AnyArray | None
) -> RateSearch:
    """The search, over the splits of the rows that the hands hold.

    The fold of each row is counted once and kept with it. Problems of a split walk over all rows, of which
    those that it tests weigh nothing.
    """
    assert training.cv is not None and isinstance(training.solver, RateSearch)
    folds = settle_folds(hands, training.cv)
    hands.code(Coding(labels, folds=folds))
    small = numbered(folds)
    splits = [[replace(view, split=split) for _, view in asked] for split in range(folds.n_splits)]
    views = tuple(view for split in splits for view in split)
    told: FloatArray = hands.answer(Question(Left(views, Walk(training.seed), small)))
    weights = told[:-1]  # the last one is of rows that a walk holds out, of which there are none
    if not (weights > 0.0).all():
        raise InvalidData(
            f"{training.name}: a split trains on no rows with weight. Use fewer folds or StratifiedKFold, or "
            "leave out rows without weight."
        )
    own = iter(weights)
    parts = [
        tuple(
            (replace(problem, weight_sum=float(next(own))), view)
            for (problem, _), view in zip(asked, split, strict=True)
        )
        for split in splits
    ]
    return replace(training.solver, asked=(*parts, tuple(asked)), folds=small)


def _own_start(problem: Problem, k: int, problems: int) -> Problem:
    """The problem with its own row of the start that all share."""
    start = problem.start
    if start is None:
        return problem
    if len(start.w) != problems:
        raise InvalidData(
            f"The fit starts from coefficients of {len(start.w)} margin(s), and y asks for {problems}. Fit "
            "with warm_start=False and without coef_init, or a clone of the model."
        )
    return replace(problem, start=replace(start, w=start.w[[k]], b=start.b[[k]]))


def _among(
    training: Training, classes: AnyArray, found: LabelSurveyAnswer
) -> tuple[LabelSurveyAnswer, FloatArray | None]:
    """The survey of labels that need not all be there, and the factors of classes; refuses others."""
    known = {label: place for place, label in enumerate(classes.tolist())}
    others = [label for label in found.classes.tolist() if label not in known]
    if others:
        raise InvalidData(
            f"{training.name}.partial_fit: y holds labels that classes= did not name: {others[:5]!r}. Name "
            "all classes in the first call."
        )
    counts, weights = np.zeros(len(classes), dtype=np.int64), np.zeros(len(classes))
    for label, count, weight in zip(found.classes.tolist(), found.counts, found.weights, strict=True):
        counts[known[label]], weights[known[label]] = count, weight
    factors = None if training.class_weight is None else training.class_weight(classes, counts, weights)
    return LabelSurveyAnswer(found.rows, classes, counts, weights, found.offset), factors
