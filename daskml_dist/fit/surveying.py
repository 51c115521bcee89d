"""What must be known of the target before a solver can start."""

from __future__ import annotations

import numpy as np

from daskml_dist import inputs
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
from daskml_dist.solvers import Problem
from daskml_dist.types import AnyArray, FloatArray, Table


def survey(training: Training, hands: Hands, table: Table, streamed: bool) -> tuple[Problem, AnyArray | None]:
    """What must be known of the target before a solver can start; X is not read."""
    classes = None
    if training.labels:
        found, weights = survey_labels(training, hands)
        classes, rows, offset = found.classes, found.rows, found.offset
        total, events = float(weights.sum()), int(found.counts[1])
        mean = weights[1:] / total
    else:
        told: TargetSurveyAnswer = hands.answer(Question(TargetSurvey(training.loss)))
        hands.code(Coding())
        rows, total, events, offset = told.rows, told.weight_sum, told.events, told.offset
        mean = np.atleast_1d(told.mean)
        refuse_endless_intercept(training, mean)
    return (
        Problem(
            loss=training.loss,
            penalty=training.penalty(total),
            intercept=training.intercept,
            rows=rows,
            features=table.n_features,
            targets=len(mean),
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
            sparse=inputs.is_sparse(table),
        ),
        classes,
    )


def survey_labels(training: Training, hands: Hands) -> tuple[LabelSurveyAnswer, FloatArray]:
    """Find the classes and have labels coded by them; also (k,) the weight sums with the class weights in."""
    found: LabelSurveyAnswer = hands.answer(Question(LabelSurvey(training.loss)))
    weights: FloatArray = found.weights
    refuse_classes(training.name, found.classes, weights)
    factors = None
    if training.class_weight is not None:
        factors = training.class_weight(found.classes, found.counts, weights)
    hands.code(Coding(found.classes, factors))
    if factors is not None:
        weights = weights * factors
        refuse_classes(training.name, found.classes, weights)
    return found, weights


def refuse_classes(name: str, classes: AnyArray, weights: AnyArray) -> None:
    """Refuse what is not a binary problem."""
    if len(classes) == 1:
        raise InvalidData(
            f"{name} needs samples of at least 2 classes in the data, but the data contains only one class: "
            f"{classes.tolist()[0]!r}."
        )
    if len(classes) > 2:
        raise InvalidData(
            "Only binary classification is supported. The type of the target is multiclass: y has "
            f"{len(classes)} classes, among them {classes[:5].tolist()!r}. Train one {name} for each class "
            "against the rest."
        )
    for label, weight in zip(classes.tolist(), weights.tolist(), strict=True):
        if weight == 0.0:
            raise InvalidData(
                f"All rows of class {label!r} have weight zero (sample_weight or class_weight), so that only "
                "one class is left. Give rows of both classes a weight above zero."
            )


def refuse_endless_intercept(training: Training, mean: FloatArray) -> None:
    """Refuse a mean of y for which no finite intercept exists."""
    if training.intercept and not np.isfinite(training.loss.link(mean)).all():
        raise InvalidData(
            f"The weighted mean of y is {mean.tolist()[0]:g}, for which the loss {training.loss.name!r} has "
            "no finite intercept. A row with weight must have y above zero; or use fit_intercept=False."
        )
