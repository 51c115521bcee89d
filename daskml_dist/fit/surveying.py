"""What must be known of the target before a solver can start."""

from __future__ import annotations

from dataclasses import dataclass, replace

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
    View,
)
from daskml_dist.losses import Loss
from daskml_dist.penalties import Scaled
from daskml_dist.solvers import Problem
from daskml_dist.types import AnyArray, FloatArray, Table


def survey(
    training: Training, hands: Hands, table: Table, streamed: bool, grouped: Coding | None = None
) -> tuple[Problem, AnyArray | None]:
    """What must be known of the target before a solver can start; X is not read.

    ``grouped`` : how groups are coded, where kernels are to see them.
    """
    grouped = grouped or Coding()
    if training.labels:
        found, factors = survey_labels(training, hands)
        several = training.joint is not None and len(found.classes) > 2
        if training.signs or several:
            problem, coding = _all_classes(training, table, streamed, found, factors)
        else:
            refuse_many_classes(training.name, found.classes)
            [(problem, _)] = against_rest(training, table, streamed, found, factors)
            coding = Coding(found.classes, factors)
        refuse_other_start(problem)
        hands.code(_with_groups(coding, grouped))
        return problem, found.classes
    told: TargetSurveyAnswer = hands.answer(Question(TargetSurvey(training.loss)))
    hands.code(grouped)
    mean = np.atleast_1d(told.mean)
    refuse_endless_intercept(training, mean)
    facts = _Facts(told.rows, told.weight_sum, told.events, mean, told.offset)
    return _problem(training, table, streamed, facts), None


def _with_groups(coding: Coding, grouped: Coding) -> Coding:
    """A coding of y, with another one's coding of groups."""
    return replace(
        coding,
        groups=grouped.groups,
        group_codes=grouped.group_codes,
        chunk_groups=grouped.chunk_groups,
    )


def _all_classes(
    training: Training, table: Table, streamed: bool, found: LabelSurveyAnswer, factors: FloatArray | None
) -> tuple[Problem, Coding]:
    """One problem of all classes: of their signs as targets, or of a joint loss."""
    weights = found.weights if factors is None else found.weights * factors
    total, k = float(weights.sum()), len(found.classes)
    mean = weights / total
    if training.signs:
        mean = 2.0 * (mean if k > 2 else mean[1:]) - 1.0
    facts = _Facts(found.rows, total, 0, mean, found.offset)
    problem = _problem(training, table, streamed, facts)
    if not training.signs:
        problem = replace(problem, loss=loss_of(training, k), targets=1)
    return problem, Coding(found.classes, factors, signs=training.signs)


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
    """Find the classes, and (k,) factors of them where there are class weights."""
    found: LabelSurveyAnswer = hands.answer(Question(LabelSurvey(training.loss)))
    refuse_classes(training, found.classes, found.weights)
    if training.class_weight is None:
        return found, None
    factors = training.class_weight(found.classes, found.counts, found.weights)
    if factors is not None:
        refuse_classes(training, found.classes, found.weights * factors)
    return found, factors


def against_rest(
    training: Training, table: Table, streamed: bool, found: LabelSurveyAnswer, factors: FloatArray | None
) -> list[tuple[Problem, View]]:
    """A problem, and how it sees the rows: one for two classes, else one for each class against the rest.

    Against the rest, the class weight of the one counts and those of the others do not, as in liblinear.
    """
    made = []
    for one in [1] if len(found.classes) == 2 else range(len(found.classes)):
        own = factors
        if factors is not None and len(found.classes) > 2:
            own = np.where(np.arange(len(factors)) == one, factors, 1.0)
        weights = found.weights if own is None else found.weights * own
        total = float(weights.sum())
        facts = _Facts(found.rows, total, int(found.counts[one]), weights[[one]] / total, found.offset)
        factor = None if own is None else tuple(own.tolist())
        view = View(None, class_weight=factor, one=None if len(found.classes) == 2 else one)
        made.append((_problem(training, table, streamed, facts), view))
    return made


@dataclass(frozen=True)
class _Facts:
    """What a survey tells of the target; see ``Problem``."""

    rows: int
    weight_sum: float
    events: int
    mean: FloatArray
    offset: float


def _problem(training: Training, table: Table, streamed: bool, facts: _Facts) -> Problem:
    penalty, scaling = training.penalty(facts.weight_sum), training.intercept_scaling
    if training.intercept and scaling is not None and scaling != 1.0:
        penalty = Scaled(penalty, np.append(np.ones(table.n_features), 1.0 / scaling))
    return Problem(
        loss=training.loss,
        penalty=penalty,
        intercept=training.intercept,
        rows=facts.rows,
        features=table.n_features,
        targets=len(facts.mean),
        weight_sum=facts.weight_sum,
        events=facts.events,
        mean=facts.mean,
        offset=facts.offset,
        tol=max(training.tol, 1e-14),  # float64 tells no smaller gap from rounding
        max_passes=training.max_passes,
        certify=training.certify,
        streamed=streamed,
        seed=training.seed,
        start=training.start,
        intercept_penalised=training.intercept and scaling is not None,
        sparse=inputs.is_sparse(table),
    )


def refuse_classes(training: Training, classes: AnyArray, weights: AnyArray) -> None:
    """Refuse what leaves nothing to tell apart; signs need no more than two classes with weight."""
    name = training.name
    enough = training.signs and np.count_nonzero(weights) >= 2
    if len(classes) == 1:
        raise InvalidData(
            f"{name} needs samples of at least 2 classes in the data, but the data contains only one class: "
            f"{classes.tolist()[0]!r}."
        )
    for label, weight in zip(classes.tolist(), weights.tolist(), strict=True):
        if weight == 0.0 and not enough:
            left = "only one class is left" if len(classes) == 2 else "nothing tells it from the rest"
            raise InvalidData(
                f"All rows of class {label!r} have weight zero (sample_weight or class_weight), so that "
                f"{left}. Give rows of {'both' if len(classes) == 2 else 'all'} classes a weight above zero."
            )


def refuse_many_classes(name: str, classes: AnyArray) -> None:
    """Refuse what is not a binary problem."""
    if len(classes) > 2:
        raise InvalidData(
            "Only binary classification is supported. The type of the target is multiclass: y has "
            f"{len(classes)} classes, among them {classes[:5].tolist()!r}. Train one {name} for each class "
            "against the rest."
        )


def refuse_endless_intercept(training: Training, mean: FloatArray) -> None:
    """Refuse a mean of y for which no finite intercept exists."""
    if training.intercept and not np.isfinite(training.loss.link(mean)).all():
        raise InvalidData(
            f"The weighted mean of y is {mean.tolist()[0]:g}, for which the loss {training.loss.name!r} has "
            "no finite intercept. A row with weight must have y above zero; or use fit_intercept=False."
        )
