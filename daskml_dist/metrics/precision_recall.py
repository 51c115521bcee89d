"""Precision, recall and F scores."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from sklearn import metrics as sklearn_metrics

from daskml_dist.metrics.classification import pairs_of
from daskml_dist.types import AnyArray

Average = Literal["binary", "micro", "macro", "weighted"] | None


def precision_score(
    y_true: Any,
    y_pred: Any,
    *,
    labels: Any = None,
    pos_label: Any = 1,
    average: Average = "binary",
    sample_weight: Any = None,
    zero_division: Any = "warn",
    scheduler: Any = None,
) -> float | AnyArray:
    """The share of rows with a predicted label that have it: true positives / predicted positives.

    Parameters
    ----------
    y_true, y_pred, sample_weight, scheduler : see ``accuracy_score``.
    labels : the labels to average over, in order; None for all that occur.
    pos_label : the label that is scored where ``average`` is "binary".
    average : "binary" for one label; "micro", "macro" or "weighted" (by the rows of each class); or None
        for one score a label.
    zero_division : what 0 / 0 is: 0.0, 1.0, nan, or "warn" for 0.0 with scikit-learn's warning.

    Returns
    -------
    float, or (k,) array where ``average`` is None.

    Raises
    ------
    InvalidData
        See ``accuracy_score``. ValueError: ``average`` or ``pos_label`` do not fit the labels.

    Examples
    --------
    >>> precision_score([0, 1, 1, 1], [1, 1, 1, 0])
    0.6666666666666666
    """
    pairs = pairs_of(y_true, y_pred, sample_weight, scheduler)
    return _plain(
        sklearn_metrics.precision_score(
            pairs.true,
            pairs.predicted,
            labels=labels,
            pos_label=pos_label,
            average=average,
            sample_weight=pairs.weight,
            zero_division=zero_division,
        )
    )


def recall_score(
    y_true: Any,
    y_pred: Any,
    *,
    labels: Any = None,
    pos_label: Any = 1,
    average: Average = "binary",
    sample_weight: Any = None,
    zero_division: Any = "warn",
    scheduler: Any = None,
) -> float | AnyArray:
    """The share of rows of a class for which it was predicted: true positives / positives.

    Parameters
    ----------
    y_true, y_pred, sample_weight, scheduler : see ``accuracy_score``.
    labels, pos_label, average, zero_division : see ``precision_score``.

    Returns
    -------
    float, or (k,) array where ``average`` is None.

    Raises
    ------
    InvalidData
        See ``precision_score``.

    Examples
    --------
    >>> recall_score([0, 1, 1, 1], [1, 1, 0, 0], average=None)
    array([0.        , 0.33333333])
    """
    pairs = pairs_of(y_true, y_pred, sample_weight, scheduler)
    return _plain(
        sklearn_metrics.recall_score(
            pairs.true,
            pairs.predicted,
            labels=labels,
            pos_label=pos_label,
            average=average,
            sample_weight=pairs.weight,
            zero_division=zero_division,
        )
    )


def f1_score(
    y_true: Any,
    y_pred: Any,
    *,
    labels: Any = None,
    pos_label: Any = 1,
    average: Average = "binary",
    sample_weight: Any = None,
    zero_division: Any = "warn",
    scheduler: Any = None,
) -> float | AnyArray:
    """The harmonic mean of precision and recall.

    Parameters
    ----------
    y_true, y_pred, sample_weight, scheduler : see ``accuracy_score``.
    labels, pos_label, average, zero_division : see ``precision_score``.

    Returns
    -------
    float, or (k,) array where ``average`` is None.

    Raises
    ------
    InvalidData
        See ``precision_score``.

    Examples
    --------
    >>> f1_score([0, 1, 1, 1], [1, 1, 1, 0], average="micro")
    0.5
    """
    return fbeta_score(
        y_true,
        y_pred,
        beta=1.0,
        labels=labels,
        pos_label=pos_label,
        average=average,
        sample_weight=sample_weight,
        zero_division=zero_division,
        scheduler=scheduler,
    )


def fbeta_score(
    y_true: Any,
    y_pred: Any,
    *,
    beta: float,
    labels: Any = None,
    pos_label: Any = 1,
    average: Average = "binary",
    sample_weight: Any = None,
    zero_division: Any = "warn",
    scheduler: Any = None,
) -> float | AnyArray:
    """The harmonic mean of precision and recall, in which recall weighs beta times as much.

    Parameters
    ----------
    y_true, y_pred, sample_weight, scheduler : see ``accuracy_score``.
    beta : >= 0.
    labels, pos_label, average, zero_division : see ``precision_score``.

    Returns
    -------
    float, or (k,) array where ``average`` is None.

    Raises
    ------
    InvalidData
        See ``precision_score``.
    """
    pairs = pairs_of(y_true, y_pred, sample_weight, scheduler)
    return _plain(
        sklearn_metrics.fbeta_score(
            pairs.true,
            pairs.predicted,
            beta=beta,
            labels=labels,
            pos_label=pos_label,
            average=average,
            sample_weight=pairs.weight,
            zero_division=zero_division,
        )
    )


def precision_recall_fscore_support(
    y_true: Any,
    y_pred: Any,
    *,
    beta: float = 1.0,
    labels: Any = None,
    pos_label: Any = 1,
    average: Average = None,
    warn_for: Any = ("precision", "recall", "f-score"),
    sample_weight: Any = None,
    zero_division: Any = "warn",
    scheduler: Any = None,
) -> tuple[Any, Any, Any, Any]:
    """Precision, recall, F score and the weight of each class, from one pass.

    Parameters
    ----------
    y_true, y_pred, sample_weight, scheduler : see ``accuracy_score``.
    beta : see ``fbeta_score``.
    labels, pos_label, average, zero_division : see ``precision_score``.
    warn_for : which of the three scores may warn of 0 / 0.

    Returns
    -------
    precision, recall, fscore : floats, or (k,) arrays where ``average`` is None.
    support : (k,) rows of each class, or their weight; None unless ``average`` is None.

    Raises
    ------
    InvalidData
        See ``precision_score``.
    """
    pairs = pairs_of(y_true, y_pred, sample_weight, scheduler)
    *scores, support = sklearn_metrics.precision_recall_fscore_support(
        pairs.true,
        pairs.predicted,
        beta=beta,
        labels=labels,
        pos_label=pos_label,
        average=average,
        warn_for=warn_for,
        sample_weight=pairs.weight,
        zero_division=zero_division,
    )
    if support is not None:
        support = np.asarray(support, dtype=pairs.weight.dtype)  # rows are counted, weights are added up
    precision, recall, fscore = scores
    return precision, recall, fscore, support


def _plain(score: Any) -> float | AnyArray:
    """One score as a Python float."""
    return score if isinstance(score, np.ndarray) else float(score)
