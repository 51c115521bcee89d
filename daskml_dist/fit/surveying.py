"""What must be known of the target before a solver can start."""

from __future__ import annotations

import numpy as np

from daskml_dist.cluster import Hands
from daskml_dist.errors import InvalidData
from daskml_dist.fit.training import Training
from daskml_dist.kernels import (
    Coding,
    LabelSurvey,
    LabelSurveyAnswer,
    Question,
    TargetSurvey,
    TargetSurveyAnswer,
)
from daskml_dist.losses import Loss
from daskml_dist.solvers import Problem
from daskml_dist.types import AnyArray, FloatArray, Table


def survey(training: Training, hands: Hands, table: Table, streamed: bool) -> tuple[Problem, AnyArray | None]:
    """What must be known of the target before a solver can start; X is not read."""
    classes, loss = None, training.loss
    if training.labels:
        found, factors = survey_labels(training, hands)
        hands.code(Coding(found.classes, factors, signs=training.signs))
        weights = found.weights if factors is None else found.weights * factors
        classes, rows, offset = found.classes, found.rows, found.offset
        total, events, targets = float(weights.sum()), 0, 1
        mean = weights / total
        if len(classes) == 2:
            mean, events = mean[1:], int(found.counts[1])
        if training.signs:
            mean, targets = 2.0 * mean - 1.0, len(mean)
        else:
            loss = loss_of(training, len(classes))
    else:
        told: TargetSurveyAnswer = hands.answer(Question(TargetSurvey(training.loss)))
        hands.code(Coding())
        rows, total, events, offset = told.rows, told.weight_sum, told.events, told.offset
        mean = np.atleast_1d(told.mean)
        targets = len(mean)
        refuse_endless_intercept(training, mean)
    problem = Problem(
        loss=loss,
        penalty=training.penalty(total),
        intercept=training.intercept,
        rows=rows,
        features=table.n_features,
        targets=targets,
        weight_sum=total,
        events=events,
        mean=mean,
        offset=offset,
        tol=max(training.tol, 1e-14),  # float64 tells no smaller gap from rounding
        max_passes=training.max_passes,
        certify=training.certify,
        streamed=streamed,
        seed=training.seed,
        start=training.start,
    )
    refuse_other_start(problem)
    return problem, classes


def loss_of(training: Training, n_classes: int) -> Loss:
    """The loss for this many classes."""
    if n_classes == 2:
        return training.loss
    assert training.joint is not None
    return training.joint(n_classes)


def refuse_other_start(problem: Problem) -> None:
    """Refuse to start from the coefficients of other classes."""
    if problem.start is not None and len(problem.start.w) != max(problem.margins, problem.targets):
        raise InvalidData(
            f"warm_start=True starts from coefficients of {len(problem.start.w)} margin(s), and y asks for "
            f"{problem.margins}. Fit with warm_start=False, or a clone of the model."
        )


def survey_labels(training: Training, hands: Hands) -> tuple[LabelSurveyAnswer, FloatArray | None]:
    """The classes with their rows and weights, and (k,) the factors of their weights or None."""
    found: LabelSurveyAnswer = hands.answer(Question(LabelSurvey(training.loss)))
    weights: FloatArray = found.weights
    refuse_classes(training, found.classes, weights)
    if training.class_weight is None:
        return found, None
    factors = training.class_weight(found.classes, found.counts, weights)
    if factors is not None:
        refuse_classes(training, found.classes, weights * factors)
    return found, factors


def refuse_classes(training: Training, classes: AnyArray, weights: AnyArray) -> None:
    """Refuse one class, more than two where these are not supported, and classes without weight."""
    name = training.name
    if len(classes) == 1:
        raise InvalidData(
            f"{name} needs samples of at least 2 classes in the data, but the data contains only one class: "
            f"{classes.tolist()[0]!r}."
        )
    if len(classes) > 2 and training.joint is None and not training.signs:
        raise InvalidData(
            "Only binary classification is supported. The type of the target is multiclass: y has "
            f"{len(classes)} classes, among them {classes[:5].tolist()!r}. Train one {name} for each class "
            "against the rest."
        )
    for label, weight in zip(classes.tolist(), weights.tolist(), strict=True):
        if weight == 0.0 and np.count_nonzero(weights) < 2:
            raise InvalidData(
                f"All rows of class {label!r} have weight zero (sample_weight or class_weight), so that "
                "nothing tells it from the others. Give rows of each class a weight above zero."
            )


def refuse_endless_intercept(training: Training, mean: FloatArray) -> None:
    """Refuse a mean of y for which no finite intercept exists."""
    if training.intercept and not np.isfinite(training.loss.link(mean)).all():
        raise InvalidData(
            f"The weighted mean of y is {mean.tolist()[0]:g}, for which the loss {training.loss.name!r} has "
            "no finite intercept. A row with weight must have y above zero; or use fit_intercept=False."
        )
