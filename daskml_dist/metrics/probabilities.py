"""Probabilities as predictions: logarithmic and quadratic scores."""

from __future__ import annotations

import warnings
from typing import Any, Literal

import numpy as np
from scipy.special import xlogy
from sklearn import metrics as sklearn_metrics

from daskml_dist.kernels import LabelSurveyAnswer, Probabilities, ProbabilitiesAnswer
from daskml_dist.metrics._base import Scored, scored, undefined
from daskml_dist.types import AnyArray


def log_loss(
    y_true: Any,
    y_proba: Any,
    *,
    normalize: bool = True,
    sample_weight: Any = None,
    labels: Any = None,
    scheduler: Any = None,
) -> float:
    r"""Minus the logarithm of the probability that was given to what happened, on average.

    .. math::

        -\frac{\sum_i s_i \log p_{i, y_i}}{\sum_i s_i}

    Probabilities are kept within eps and 1 - eps, with the eps of their dtype (float32 has a larger one);
    sums are in float64 whatever the dtype.

    Parameters
    ----------
    y_true : (n,) labels, see ``accuracy_score``.
    y_proba : (n, k) probabilities of the sorted classes, or (n,) of the second of two.
    normalize : whether to divide by the sum of the weights.
    sample_weight, scheduler : see ``accuracy_score``.
    labels : all classes, sorted, where some of them may not occur in y_true; or None.

    Returns
    -------
    float.

    Raises
    ------
    InvalidData
        See ``accuracy_score``; a probability below 0 or above 1, with its chunk. ValueError: classes and
        columns do not match.

    Examples
    --------
    >>> log_loss(["ham", "spam"], [[0.9, 0.1], [0.2, 0.8]])
    0.164252033486018
    """
    with scored(y_true, y_proba, sample_weight, scheduler, labels="targets", name="y_proba") as data:
        told = _logarithmic(data, data.survey(), labels)
    return told.score / told.weight if normalize else told.score


def d2_log_loss_score(
    y_true: Any, y_proba: Any, *, sample_weight: Any = None, labels: Any = None, scheduler: Any = None
) -> float:
    """The share of the log loss of the class frequencies that is explained: 1 - log loss / theirs.

    Parameters
    ----------
    y_true, y_proba, sample_weight, labels, scheduler : see ``log_loss``.

    Returns
    -------
    float; nan for less than two rows.

    Raises
    ------
    InvalidData
        See ``log_loss``.

    Examples
    --------
    >>> d2_log_loss_score([0, 1, 1], [0.5, 0.75, 0.75])
    0.33...
    """
    with scored(y_true, y_proba, sample_weight, scheduler, labels="targets", name="y_proba") as data:
        survey = data.survey()
        if survey.rows < 2:
            undefined("D^2")
            return float("nan")
        told = _logarithmic(data, survey, labels)
    eps = np.finfo(np.float64).eps
    share = survey.weights / survey.weights.sum()
    null = -float(np.sum(xlogy(survey.weights, np.clip(share, eps, 1.0 - eps))))
    return 1.0 - told.score / null


def brier_score_loss(
    y_true: Any,
    y_proba: Any,
    *,
    sample_weight: Any = None,
    pos_label: Any = None,
    labels: Any = None,
    scale_by_half: bool | Literal["auto"] = "auto",
    scheduler: Any = None,
) -> float:
    r"""The squared distance of the probabilities from what happened, on average.

    .. math::

        \frac{\sum_i s_i \sum_j (p_{ij} - [y_i = j])^2}{\sum_i s_i}

    Parameters
    ----------
    y_true : (n,) labels, see ``accuracy_score``.
    y_proba : (n, k) probabilities of the sorted classes, or (n,) of ``pos_label``.
    sample_weight, scheduler : see ``accuracy_score``.
    pos_label : the class that probabilities (n,) are of; None for 1 in {0, 1} or {-1, 1}, else the greatest
        number.
    labels : all classes, sorted, where some of them may not occur in y_true; or None.
    scale_by_half : whether to halve; "auto" where there are two classes.

    Returns
    -------
    float.

    Raises
    ------
    InvalidData
        See ``log_loss``.

    Examples
    --------
    >>> brier_score_loss([0, 1, 1, 0], [0.25, 0.75, 0.5, 0.0])
    0.09375
    """
    with scored(y_true, y_proba, sample_weight, scheduler, labels="targets", name="y_proba") as data:
        survey = data.survey()
        if data.columns == 1:
            columns = _of_positive(survey.classes, pos_label)
        else:
            _rehearse(sklearn_metrics.brier_score_loss, survey.classes, data.columns, labels)
            columns = _columns(survey.classes, labels)
        told = _ask(data, survey, Probabilities("quadratic", columns))
    halve = max(data.columns, 2) < 3 if scale_by_half == "auto" else scale_by_half
    return told.score / told.weight * (0.5 if halve else 1.0)


def _logarithmic(data: Scored, survey: LabelSurveyAnswer, labels: Any) -> ProbabilitiesAnswer:
    """The sum of logarithmic scores."""
    _rehearse(sklearn_metrics.log_loss, survey.classes, data.columns, labels)
    eps = float(np.finfo(_real(data.dtype)).eps)
    return _ask(data, survey, Probabilities("logarithmic", _columns(survey.classes, labels), eps))


def _ask(data: Scored, survey: LabelSurveyAnswer, question: Probabilities) -> ProbabilitiesAnswer:
    """Sums over coded classes; warns, as scikit-learn does, of rows that do not add up to 1."""
    data.code(survey.classes)
    told = data.ask(question)
    if told.off > 1e-8 + np.sqrt(np.finfo(_real(data.dtype)).eps):
        warnings.warn(
            "The y_prob values do not sum to one. Make sure to pass probabilities.", UserWarning, stacklevel=4
        )
    return told


def _rehearse(metric: Any, classes: AnyArray, columns: int, labels: Any) -> None:
    """Have scikit-learn complain about classes and labels, on one row of each class."""
    share = np.full((len(classes), columns), 0.5 if columns == 1 else 1.0 / columns)
    metric(classes, share[:, 0] if columns == 1 else share, labels=labels)


def _columns(classes: AnyArray, labels: Any) -> tuple[int, ...]:
    """The column of each class among the sorted labels."""
    everything = sorted(classes.tolist() if labels is None else set(np.asarray(labels).tolist()))
    return tuple(everything.index(label) for label in classes.tolist())


def _of_positive(classes: AnyArray, pos_label: Any) -> tuple[int, ...]:
    """1 for the class that scikit-learn takes for the positive one, 0 for others."""
    rows = np.eye(len(classes))
    # one row of each class, a class at a time given all probability: no loss says that it is the positive one
    return tuple(
        int(sklearn_metrics.brier_score_loss(classes, row, pos_label=pos_label) == 0.0) for row in rows
    )


def _real(dtype: Any) -> Any:
    """The dtype that scikit-learn computes in."""
    return dtype if dtype in (np.float64, np.float32, np.float16) else np.float64
