"""Areas under the ROC curve and the precision-recall curve."""

from __future__ import annotations

from itertools import combinations
from typing import Any, Literal

import numpy as np
from sklearn import metrics as sklearn_metrics

from daskml_dist.errors import UnsupportedParameter
from daskml_dist.kernels import LabelSurveyAnswer
from daskml_dist.metrics._areas import Bracket, average_precision, roc_area
from daskml_dist.metrics._base import Scored, scored
from daskml_dist.metrics._ranking import (
    POOLED,
    Method,
    Ranking,
    mixed,
    own_class,
    position,
    ranking,
    refuse_columns,
    refuse_other_methods,
    rehearsal,
    with_positives,
)
from daskml_dist.metrics._thresholds import View
from daskml_dist.types import AnyArray, FloatArray

Average = Literal["micro", "macro", "weighted"] | None


def roc_auc_score(
    y_true: Any,
    y_score: Any,
    *,
    average: Average = "macro",
    sample_weight: Any = None,
    max_fpr: float | None = None,
    multi_class: Literal["raise", "ovr", "ovo"] = "raise",
    labels: Any = None,
    method: Method = "exact",
    scheduler: Any = None,
) -> float | FloatArray:
    """The area under the ROC curve: the share of pairs of a positive and a negative that are ranked rightly.

    A pass over the scores sketches them. Where they have at most 524,288 different values, counted by
    class, the area is exact after it. With more, "exact" goes on, with a pass for each 524,288 rows whose
    order still matters; "binned" returns the value of ``roc_auc_bracket``.

    Parameters
    ----------
    y_true : (n,) labels, see ``accuracy_score``. Of two, the greater one is the positive.
    y_score : (n,) scores, greater for positives; (n, k) probabilities of the sorted classes for more than
        two.
    average : how the areas of several classes are averaged; None for one each. Two classes have one area.
    sample_weight, scheduler : see ``accuracy_score``.
    max_fpr : the false positive rate at which the area ends, which is then standardised to 0.5 for chance
        and 1 for perfection; or None.
    multi_class : for more than two classes: each against the rest ("ovr") or against each other ("ovo").
    labels : all classes, sorted, where some of them may not occur in y_true; or None.
    method : "exact" or "binned".

    Returns
    -------
    float, or (k,) array where ``average`` is None; nan with a warning where there is one class only.

    Raises
    ------
    InvalidData
        See ``accuracy_score``. ValueError: classes, columns and parameters do not match.

    Examples
    --------
    >>> roc_auc_score([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])
    0.75
    """
    refuse_other_methods(method)
    return _roc(
        y_true, y_score, average, sample_weight, max_fpr, multi_class, labels, method, scheduler
    ).value


def roc_auc_bracket(
    y_true: Any,
    y_score: Any,
    *,
    average: Average = "macro",
    sample_weight: Any = None,
    max_fpr: float | None = None,
    multi_class: Literal["raise", "ovr", "ovo"] = "raise",
    labels: Any = None,
    scheduler: Any = None,
) -> Bracket:
    """The area under the ROC curve and what it is certainly between, from one pass over the scores.

    Parameters
    ----------
    y_true, y_score, average, sample_weight, max_fpr, multi_class, labels, scheduler : see ``roc_auc_score``.

    Returns
    -------
    Bracket (low, value, high). All three are the exact area where the scores have at most 524,288 different
    values, counted by class.

    Raises
    ------
    InvalidData
        See ``roc_auc_score``.

    Examples
    --------
    >>> roc_auc_bracket([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])
    Bracket(low=0.75, value=0.75, high=0.75)
    """
    return _roc(y_true, y_score, average, sample_weight, max_fpr, multi_class, labels, "binned", scheduler)


def average_precision_score(
    y_true: Any,
    y_score: Any,
    *,
    average: Average = "macro",
    pos_label: Any = 1,
    sample_weight: Any = None,
    method: Method = "exact",
    scheduler: Any = None,
) -> float | FloatArray:
    """The mean of the precision at each threshold, by the recall it adds.

    Parameters
    ----------
    y_true : (n,) labels, see ``accuracy_score``.
    y_score : (n,) scores, greater for positives; (n, k) scores of the sorted classes for more than two.
    average, sample_weight, scheduler : see ``roc_auc_score``.
    pos_label : which of two labels is the positive.
    method : "exact" or "binned", see ``roc_auc_score``; every row that is not above all negatives may matter.

    Returns
    -------
    float, or (k,) array where ``average`` is None.

    Raises
    ------
    InvalidData
        See ``roc_auc_score``.

    Examples
    --------
    >>> average_precision_score([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])
    0.83...
    """
    refuse_other_methods(method)
    return _precision(y_true, y_score, average, pos_label, sample_weight, method, scheduler).value


def average_precision_bracket(
    y_true: Any,
    y_score: Any,
    *,
    average: Average = "macro",
    pos_label: Any = 1,
    sample_weight: Any = None,
    scheduler: Any = None,
) -> Bracket:
    """The average precision and what it is certainly between, from one pass over the scores.

    Parameters
    ----------
    y_true, y_score, average, pos_label, sample_weight, scheduler : see ``average_precision_score``.

    Returns
    -------
    Bracket (low, value, high), see ``roc_auc_bracket``.

    Raises
    ------
    InvalidData
        See ``roc_auc_score``.
    """
    return _precision(y_true, y_score, average, pos_label, sample_weight, "binned", scheduler)


# -- under the ROC curve ----------------------------------------------------------------------------


def _roc(
    y_true: Any,
    y_score: Any,
    average: Average,
    sample_weight: Any,
    max_fpr: float | None,
    multi_class: Literal["raise", "ovr", "ovo"],
    labels: Any,
    method: Method,
    scheduler: Any,
) -> Bracket:
    """The area, from one pass or as many as it takes."""
    with scored(y_true, y_score, sample_weight, scheduler, labels="targets", name="y_score") as data:
        survey = data.survey()
        if len(survey.classes) <= 2 and data.columns == 2:
            refuse_columns(data, 1)
        sklearn_metrics.roc_auc_score(
            *rehearsal(survey.classes, data.columns),
            average=average,
            sample_weight=None if sample_weight is None else survey.weights,
            max_fpr=max_fpr,
            multi_class=multi_class,
            labels=labels,
        )
        if data.columns == 1:
            scores = ranking(data, survey.classes)
            last = len(survey.classes) - 1
            return Bracket(*_roc_area(scores, scores.view(last), method, max_fpr).tolist())
        columns = survey.classes if labels is None else np.asarray(labels)
        if multi_class == "ovo":
            return _one_vs_one(data, survey, columns, average, method)
        return _one_vs_rest(data, survey, columns, average, method)


def _roc_area(scores: Ranking, view: View, method: Method, max_fpr: float | None = None) -> FloatArray:
    """(3,) the area under one curve; nan where one of the classes has no weight."""
    bins = scores.bins(view)
    totals = float(bins.negative.sum()), float(bins.positive.sum())
    if min(totals) == 0.0:
        return np.full(3, np.nan)
    return roc_area(scores.parts(view, method, mixed), totals, max_fpr)


def _one_vs_rest(
    data: Scored, survey: LabelSurveyAnswer, columns: AnyArray, average: Average, method: Method
) -> Bracket:
    """Each class against all others."""
    if average == "micro":
        scores = ranking(data, columns, "own class, pooled", sum_to_one=True)
        return Bracket(*_roc_area(scores, POOLED, method).tolist())
    scores = ranking(data, columns, "own class", sum_to_one=True)
    areas = [_roc_area(scores, own_class(column), method) for column in range(len(columns))]
    return _averaged(np.stack(areas), average, _weights(survey, columns))


def _one_vs_one(
    data: Scored, survey: LabelSurveyAnswer, columns: AnyArray, average: Average, method: Method
) -> Bracket:
    """Each class against each other, in the scores of both: Hand and Till (2001)."""
    scores = ranking(data, columns, sum_to_one=True)
    present = [column for column, rows in enumerate(_weights(survey, columns)) if rows > 0.0]
    rows = _weights(survey, columns)
    areas, weights = [], []
    for a, b in combinations(present, 2):
        both = [
            _roc_area(scores, scores.view(one, column=one, against=[other]), method)
            for one, other in ((a, b), (b, a))
        ]
        areas.append((both[0] + both[1]) / 2.0)
        weights.append(rows[a] + rows[b])
    return _averaged(np.stack(areas), average, np.array(weights))


def _weights(survey: LabelSurveyAnswer, columns: AnyArray) -> FloatArray:
    """(k,) the weight of the class of each column, 0 for one that does not occur."""
    weights = np.zeros(len(columns))
    for label, weight in zip(survey.classes.tolist(), survey.weights, strict=True):
        weights[position(columns, label)] = weight
    return weights


def _averaged(areas: FloatArray, average: Average, weights: FloatArray) -> Bracket:
    """(m, 3) areas as one, or as they are."""
    if average is None:
        return Bracket(*np.ascontiguousarray(areas.T))
    if average == "macro":
        return Bracket(*areas.mean(axis=0).tolist())
    return Bracket(
        *np.average(np.where(weights[:, None] == 0.0, 0.0, areas), axis=0, weights=weights).tolist()
    )


# -- under the precision-recall curve ---------------------------------------------------------------


def _precision(
    y_true: Any,
    y_score: Any,
    average: Average,
    pos_label: Any,
    sample_weight: Any,
    method: Method,
    scheduler: Any,
) -> Bracket:
    """The average precision, from one pass or as many as it takes."""
    if average not in ("micro", "macro", "weighted", None):
        raise UnsupportedParameter(
            f"average={average!r} was given; expected 'micro', 'macro', 'weighted' or None."
        )
    with scored(y_true, y_score, sample_weight, scheduler, labels="targets", name="y_score") as data:
        survey = data.survey()
        classes = survey.classes
        refuse_columns(data, 1 if len(classes) <= 2 else len(classes))
        sklearn_metrics.average_precision_score(
            *rehearsal(classes, data.columns),
            average=average,
            pos_label=pos_label,
            sample_weight=None if sample_weight is None else survey.weights,
        )
        if len(classes) <= 2:
            scores = ranking(data, classes)
            view = scores.view(position(classes, pos_label))
            return Bracket(*_precision_area(scores, view, method).tolist())
        if average == "micro":
            scores = ranking(data, classes, "own class, pooled")
            return Bracket(*_precision_area(scores, POOLED, method).tolist())
        scores = ranking(data, classes, "own class")
        areas = [_precision_area(scores, own_class(column), method) for column in range(len(classes))]
        return _averaged(np.stack(areas), average, survey.weights)


def _precision_area(scores: Ranking, view: View, method: Method) -> FloatArray:
    """(3,) the average precision of one curve; 0 without positives."""
    positives = float(scores.bins(view).positive.sum())
    if positives == 0.0:
        return np.zeros(3)
    return average_precision(scores.parts(view, method, with_positives), positives)
