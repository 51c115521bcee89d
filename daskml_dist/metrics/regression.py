"""Numbers as predictions: mean errors."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn import metrics as sklearn_metrics

from daskml_dist.kernels import (
    AbsoluteError,
    Deviation,
    Deviations,
    PinballError,
    RelativeError,
    SquaredError,
)
from daskml_dist.metrics._base import refuse_other_widths, scored
from daskml_dist.types import AnyArray, FloatArray


def mean_squared_error(
    y_true: Any,
    y_pred: Any,
    *,
    sample_weight: Any = None,
    multioutput: Any = "uniform_average",
    scheduler: Any = None,
) -> float | FloatArray:
    r"""The mean of the squared errors: scikit-learn's, from one pass over data anywhere.

    .. math::

        \frac{\sum_i s_i (y_i - \hat y_i)^2}{\sum_i s_i}

    Sums are in float64 whatever the dtype of the data, and do not depend on the order of the chunks.

    Parameters
    ----------
    y_true, y_pred : (n,) or (n, t) numbers, in any container.
    sample_weight : (n,) weights >= 0, one number, or None.
    multioutput : "uniform_average" or (t,) weights for a mean over outputs, or "raw_values" for one error
        each.
    scheduler : None for the current ``distributed.Client`` where the data are lazy, else threads;
        "threads"; a Client; the address of a scheduler; or a ``daskml_dist.Placement``.

    Returns
    -------
    float, or (t,) array for "raw_values".

    Raises
    ------
    InvalidData
        Data or weights that cannot be used; a ValueError. NonFiniteData names the chunk.

    Examples
    --------
    >>> mean_squared_error([3.0, -0.5, 2.0, 7.0], [2.5, 0.0, 2.0, 8.0])
    0.375
    """
    return averaged(
        _errors(SquaredError(), y_true, y_pred, sample_weight, multioutput, scheduler), multioutput
    )


def root_mean_squared_error(
    y_true: Any,
    y_pred: Any,
    *,
    sample_weight: Any = None,
    multioutput: Any = "uniform_average",
    scheduler: Any = None,
) -> float | FloatArray:
    """The root of the mean of the squared errors; of several outputs, the mean of the roots.

    Parameters
    ----------
    y_true, y_pred, sample_weight, multioutput, scheduler : see ``mean_squared_error``.

    Returns
    -------
    float, or (t,) array for "raw_values".

    Raises
    ------
    InvalidData
        See ``mean_squared_error``.

    Examples
    --------
    >>> root_mean_squared_error([1.0, 2.0], [4.0, -1.0])
    3.0
    """
    squared = _errors(SquaredError(), y_true, y_pred, sample_weight, multioutput, scheduler)
    return averaged(np.sqrt(squared), multioutput)


def mean_absolute_error(
    y_true: Any,
    y_pred: Any,
    *,
    sample_weight: Any = None,
    multioutput: Any = "uniform_average",
    scheduler: Any = None,
) -> float | FloatArray:
    """The mean of the absolute errors.

    Parameters
    ----------
    y_true, y_pred, sample_weight, multioutput, scheduler : see ``mean_squared_error``.

    Returns
    -------
    float, or (t,) array for "raw_values".

    Raises
    ------
    InvalidData
        See ``mean_squared_error``.

    Examples
    --------
    >>> mean_absolute_error([[0.5, 1.0], [-1.0, 1.0]], [[0.0, 2.0], [-1.0, 2.0]], multioutput="raw_values")
    array([0.25, 1.  ])
    """
    return averaged(
        _errors(AbsoluteError(), y_true, y_pred, sample_weight, multioutput, scheduler), multioutput
    )


def mean_absolute_percentage_error(
    y_true: Any,
    y_pred: Any,
    *,
    sample_weight: Any = None,
    multioutput: Any = "uniform_average",
    scheduler: Any = None,
) -> float | FloatArray:
    """The mean of the absolute errors relative to the target: 0.5 is half of it, and no percentage.

    The error is divided by max(|y|, eps) with the eps of float64, so that it is huge where y is 0.

    Parameters
    ----------
    y_true, y_pred, sample_weight, multioutput, scheduler : see ``mean_squared_error``.

    Returns
    -------
    float, or (t,) array for "raw_values".

    Raises
    ------
    InvalidData
        See ``mean_squared_error``.

    Examples
    --------
    >>> mean_absolute_percentage_error([1.0, 10.0], [1.5, 10.0])
    0.25
    """
    return averaged(
        _errors(RelativeError(), y_true, y_pred, sample_weight, multioutput, scheduler), multioutput
    )


def mean_pinball_loss(
    y_true: Any,
    y_pred: Any,
    *,
    sample_weight: Any = None,
    alpha: float = 0.5,
    multioutput: Any = "uniform_average",
    scheduler: Any = None,
) -> float | FloatArray:
    """The mean pinball loss, which is least for the quantile alpha of the target.

    It is alpha (y - z) for a prediction z below y, and (1 - alpha) (z - y) for one above.

    Parameters
    ----------
    y_true, y_pred, sample_weight, multioutput, scheduler : see ``mean_squared_error``.
    alpha : from 0 to 1.

    Returns
    -------
    float, or (t,) array for "raw_values".

    Raises
    ------
    InvalidData
        See ``mean_squared_error``. ValueError: alpha is not from 0 to 1.

    Examples
    --------
    >>> mean_pinball_loss([1.0, 2.0], [0.0, 2.0], alpha=0.75)
    0.375
    """
    refuse_other_levels(alpha)
    errors = _errors(PinballError(float(alpha)), y_true, y_pred, sample_weight, multioutput, scheduler)
    return averaged(errors, multioutput)


def averaged(errors: FloatArray, multioutput: Any) -> float | FloatArray:
    """The errors (t,) of several outputs as one number, or as they are for "raw_values"."""
    if isinstance(multioutput, str):
        return errors if multioutput == "raw_values" else float(np.average(errors))
    return float(np.average(errors, weights=multioutput))


def refuse_other_levels(alpha: Any) -> None:
    """Have scikit-learn complain about an alpha that is no quantile."""
    sklearn_metrics.mean_pinball_loss([0.0], [0.0], alpha=alpha)


def _errors(
    deviation: Deviation, y_true: Any, y_pred: Any, sample_weight: Any, multioutput: Any, scheduler: Any
) -> FloatArray:
    """(t,) mean deviations."""
    with scored(y_true, y_pred, sample_weight, scheduler) as data:
        refuse_other_widths(data)
        row: AnyArray = np.zeros((1, data.targets))
        sklearn_metrics.mean_absolute_error(row, row, multioutput=multioutput)
        return data.ask(Deviations(deviation)).mean
