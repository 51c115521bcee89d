"""The ROC curve and the precision-recall curve."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from sklearn import metrics as sklearn_metrics

from daskml_dist.errors import InvalidData
from daskml_dist.kernels.sketch import numbers
from daskml_dist.metrics._base import scored
from daskml_dist.metrics._ranking import (
    Method,
    position,
    ranking,
    refuse_columns,
    refuse_other_methods,
    rehearsal,
    untied,
)
from daskml_dist.types import AnyArray, FloatArray

MOST_POINTS = 1 << 24
"""Rows of an exact curve, each of which may be a threshold."""


def roc_curve(
    y_true: Any,
    y_score: Any,
    *,
    pos_label: Any = None,
    sample_weight: Any = None,
    drop_intermediate: bool = True,
    method: Method = "exact",
    scheduler: Any = None,
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """False and true positive rates for descending thresholds.

    Parameters
    ----------
    y_true : (n,) labels, see ``accuracy_score``.
    y_score : (n,) scores, greater for positives.
    pos_label : which label is the positive; None for 1 in {0, 1} or {-1, 1}.
    sample_weight, scheduler : see ``accuracy_score``.
    drop_intermediate : whether points on a line between others are left out.
    method : "exact" for a point at each different score, with further passes as in ``roc_auc_score``, for
        up to 16,777,216 rows; "binned" for at most 524,288 of these points, from one pass.

    Returns
    -------
    fpr, tpr, thresholds : (m,) each; the first threshold is infinite.

    Raises
    ------
    InvalidData
        See ``roc_auc_score``; too many rows for an exact curve.

    Examples
    --------
    >>> fpr, tpr, thresholds = roc_curve([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])
    >>> fpr, tpr
    (array([0. , 0. , 0.5, 0.5, 1. ]), array([0. , 0.5, 0.5, 1. , 1. ]))
    """
    y, scores, weight = _thresholds(y_true, y_score, pos_label, sample_weight, method, scheduler)
    curve: tuple[FloatArray, FloatArray, FloatArray] = sklearn_metrics.roc_curve(
        y, scores, sample_weight=weight, drop_intermediate=drop_intermediate
    )
    return curve


def precision_recall_curve(
    y_true: Any,
    y_score: Any,
    *,
    pos_label: Any = None,
    sample_weight: Any = None,
    drop_intermediate: bool = False,
    method: Method = "exact",
    scheduler: Any = None,
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Precision and recall for ascending thresholds.

    Parameters
    ----------
    y_true, y_score, pos_label, sample_weight, method, scheduler : see ``roc_curve``.
    drop_intermediate : whether points with the same recall as both of their neighbours are left out.

    Returns
    -------
    precision, recall : (m + 1,) each, the last of them 1 and 0.
    thresholds : (m,).

    Raises
    ------
    InvalidData
        See ``roc_curve``.

    Examples
    --------
    >>> precision, recall, thresholds = precision_recall_curve([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])
    >>> precision
    array([0.5       , 0.66666667, 0.5       , 1.        , 1.        ])
    """
    y, scores, weight = _thresholds(y_true, y_score, pos_label, sample_weight, method, scheduler)
    curve: tuple[FloatArray, FloatArray, FloatArray] = sklearn_metrics.precision_recall_curve(
        y, scores, sample_weight=weight, drop_intermediate=drop_intermediate
    )
    return curve


def _thresholds(
    y_true: Any, y_score: Any, pos_label: Any, sample_weight: Any, method: Method, scheduler: Any
) -> tuple[AnyArray, FloatArray, FloatArray]:
    """One row for the positives, and one for the negatives, at each threshold: whether, score and weight."""
    refuse_other_methods(method)
    with scored(y_true, y_score, sample_weight, scheduler, labels="targets", name="y_score") as data:
        survey = data.survey()
        refuse_columns(data, 1)
        with warnings.catch_warnings():
            warnings.simplefilter(
                "ignore"
            )  # of a class without rows, scikit-learn warns when it draws the curve
            sklearn_metrics.roc_curve(*rehearsal(survey.classes, data.columns), pos_label=pos_label)
        found = ranking(data, survey.classes)
        view = found.view(position(survey.classes, 1 if pos_label is None else pos_label))
        _refuse_many(int(found.bins(view).rows[untied(found.bins(view))].sum()), method)
        parts = list(found.parts(view, method, untied))
    weight = np.concatenate([sums for bins in parts for sums in (bins.negative, bins.positive)])
    sides = [np.full(len(bins), side) for bins in parts for side in (0, 1)]
    scores = np.concatenate([numbers(bins.low) for bins in parts for _ in (0, 1)])
    there = weight > 0.0
    return np.concatenate(sides)[there], scores[there], weight[there]


def _refuse_many(rows: int, method: Method) -> None:
    """Complain about an exact curve that would not fit."""
    if method == "exact" and rows > MOST_POINTS:
        raise InvalidData(
            f"y_score has {rows:,} rows with more different scores than one pass can tell apart, and an "
            f"exact curve may have {MOST_POINTS:,} points at most. Use method='binned', which gives points "
            "of the exact curve in one pass."
        )
