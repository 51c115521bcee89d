"""The share of the variation of the target that is explained: r2, and D2 of the pinball loss."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from sklearn import metrics as sklearn_metrics

from daskml_dist.kernels import (
    Deviations,
    PinballError,
    Sketch,
    SquaredError,
    TargetMean,
    TargetSketch,
    Window,
)
from daskml_dist.kernels.sketch import MOST, numbers
from daskml_dist.metrics._base import Scored, refuse_other_widths, scored, undefined
from daskml_dist.metrics.regression import refuse_other_levels
from daskml_dist.types import FloatArray

BINS = MOST
"""Bins of a sketch of the target; with more different targets, its quantile takes a pass or two more."""


def r2_score(
    y_true: Any,
    y_pred: Any,
    *,
    sample_weight: Any = None,
    multioutput: Any = "uniform_average",
    force_finite: bool = True,
    scheduler: Any = None,
) -> float | FloatArray:
    r"""The share of the variance that is explained.

    .. math::

        1 - \frac{\sum_i s_i (y_i - \hat y_i)^2}{\sum_i s_i (y_i - \bar y)^2}

    Two passes, the first of them over y_true alone.

    Parameters
    ----------
    y_true, y_pred, sample_weight, scheduler : see ``mean_squared_error``.
    multioutput : "uniform_average", "variance_weighted" or (t,) weights for a mean over outputs, "raw_values"
        for one score each; None for "uniform_average".
    force_finite : whether a constant target gives 1.0 for perfect predictions and else 0.0, and not nan and
        -inf. A target that is constant to the last bit is found to be, where scikit-learn may divide by
        what rounding leaves of its variance.

    Returns
    -------
    float, or (t,) array for "raw_values"; nan for less than two rows.

    Raises
    ------
    InvalidData
        See ``mean_squared_error``.

    Examples
    --------
    >>> r2_score([3.0, -0.5, 2.0, 7.0], [2.5, 0.0, 2.0, 8.0])
    0.948...
    """
    with scored(y_true, y_pred, sample_weight, scheduler) as data:
        _refuse(data, multioutput)
        found = data.ask(TargetMean())
        if found.rows < 2:
            undefined("R^2")
            return float("nan")
        told = data.ask(Deviations(SquaredError(), found.mean))
        assert told.constant is not None
        return _explained(told.mean, told.constant, multioutput, force_finite)


def d2_pinball_score(
    y_true: Any,
    y_pred: Any,
    *,
    sample_weight: Any = None,
    alpha: float = 0.5,
    multioutput: Any = "uniform_average",
    scheduler: Any = None,
) -> float | FloatArray:
    """The share of the pinball loss of the best constant that is explained.

    The best constant is the quantile alpha of y_true. It is exact, and found in one pass over y_true where
    that has at most 524,288 different values, else in two or three; one more pass sums the losses.

    Parameters
    ----------
    y_true, y_pred, sample_weight, multioutput, scheduler : see ``mean_squared_error``.
    alpha : from 0 to 1.

    Returns
    -------
    float, or (t,) array for "raw_values"; nan for less than two rows. A constant target gives 1.0 for perfect
    predictions and else 0.0.

    Raises
    ------
    InvalidData
        See ``mean_squared_error``. ValueError: alpha is not from 0 to 1.

    Examples
    --------
    >>> d2_pinball_score([1, 2, 3], [1, 3, 3])
    0.5
    """
    refuse_other_levels(alpha)
    with scored(y_true, y_pred, sample_weight, scheduler) as data:
        _refuse(data, multioutput)
        found = data.ask(sketch := TargetSketch(BINS))
        if found.rows.sum() < 2 * data.targets:
            undefined("D^2")
            return float("nan")
        best = np.array([quantile(data, sketch, found, column, alpha) for column in range(data.targets)])
        told = data.ask(Deviations(PinballError(float(alpha)), best))
        assert told.constant is not None
        return _explained(told.mean, told.constant, multioutput, force_finite=True)


def d2_absolute_error_score(
    y_true: Any,
    y_pred: Any,
    *,
    sample_weight: Any = None,
    multioutput: Any = "uniform_average",
    scheduler: Any = None,
) -> float | FloatArray:
    """The share of the absolute error of the median that is explained.

    Parameters
    ----------
    y_true, y_pred, sample_weight, multioutput, scheduler : see ``d2_pinball_score`` with alpha 0.5.

    Returns
    -------
    float, or (t,) array for "raw_values"; nan for less than two rows.

    Raises
    ------
    InvalidData
        See ``mean_squared_error``.

    Examples
    --------
    >>> d2_absolute_error_score([3.0, -0.5, 2.0, 7.0], [2.5, 0.0, 2.0, 8.0])
    0.764...
    """
    return d2_pinball_score(
        y_true,
        y_pred,
        sample_weight=sample_weight,
        alpha=0.5,
        multioutput=multioutput,
        scheduler=scheduler,
    )


def quantile(data: Scored, question: TargetSketch, found: Sketch, column: int, alpha: float) -> float:
    """The least number of a column that has at least the share alpha of the weight at or below it.

    A bin that holds several numbers is looked into, until the bin that matters holds one.
    """
    before = 0.0
    total = float(found.weights[found.group == column].sum())
    while True:
        mine = np.flatnonzero((found.group == column) & (found.weights > 0.0))
        below = before + np.cumsum(found.weights[mine])
        place = min(int(np.searchsorted(below, alpha * total)), len(mine) - 1)
        low, high = found.low[mine[place]], found.high[mine[place]]
        if low == high:
            return float(numbers(low[None])[0])
        before = float(below[place - 1]) if place else before
        found = data.ask(replace(question, window=Window(column, int(low), int(high))))


def _explained(
    error: FloatArray, null: FloatArray, multioutput: Any, force_finite: bool
) -> float | FloatArray:
    """1 - error / null, averaged over outputs; a null of 0 explains nothing, or all where the error is 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        scores = 1.0 - error / null
    if force_finite:
        scores = np.where(null == 0.0, np.where(error == 0.0, 1.0, 0.0), scores)
    if isinstance(multioutput, str) and multioutput == "raw_values":
        return scores
    weights = None if multioutput is None or isinstance(multioutput, str) else multioutput
    if isinstance(multioutput, str) and multioutput == "variance_weighted" and null.any():
        weights = null
    return float(np.average(scores, weights=weights))


def _refuse(data: Scored, multioutput: Any) -> None:
    """Complain about columns that do not match, and have scikit-learn complain about ``multioutput``."""
    refuse_other_widths(data)
    rows = np.zeros((2, data.targets))
    sklearn_metrics.r2_score(rows, rows, multioutput=multioutput)
