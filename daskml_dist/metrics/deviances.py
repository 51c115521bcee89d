"""Means of a distribution as predictions: Tweedie deviances, and the share of them that is explained."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn import metrics as sklearn_metrics

from daskml_dist.errors import InvalidData
from daskml_dist.kernels import Deviations, TargetMean, TweedieDeviance
from daskml_dist.metrics._base import Scored, scored, undefined


def mean_tweedie_deviance(
    y_true: Any, y_pred: Any, *, sample_weight: Any = None, power: float = 0, scheduler: Any = None
) -> float:
    """The mean unit deviance of a Tweedie distribution, whose variance is its mean to a power.

    Parameters
    ----------
    y_true : (n,) targets: any numbers for power <= 0, >= 0 for 1 <= power < 2, > 0 for power >= 2.
    y_pred : (n,) expectations: any numbers for power 0, else > 0.
    sample_weight, scheduler : see ``mean_squared_error``.
    power : 0 normal (the squared error), 1 Poisson, 2 gamma, 3 inverse Gaussian; between 1 and 2 a
        compound Poisson distribution; not between 0 and 1.

    Returns
    -------
    float.

    Raises
    ------
    InvalidData
        See ``mean_squared_error``; y_true or y_pred is outside of the domain, with the chunk; several
        outputs. ValueError: there is no such power.

    Examples
    --------
    >>> mean_tweedie_deviance([2.0, 0.0, 1.0, 4.0], [0.5, 0.5, 2.0, 2.0], power=1)
    1.42...
    """
    _refuse_other_powers(power)
    with scored(y_true, y_pred, sample_weight, scheduler) as data:
        _refuse_several(data, "mean_tweedie_deviance")
        return float(data.ask(Deviations(TweedieDeviance(float(power)))).mean[0])


def mean_poisson_deviance(
    y_true: Any, y_pred: Any, *, sample_weight: Any = None, scheduler: Any = None
) -> float:
    """The mean of 2 (y log(y / z) - y + z), for counts or rates y >= 0 with expectations z > 0.

    Parameters
    ----------
    y_true, y_pred, sample_weight, scheduler : see ``mean_tweedie_deviance`` with power 1.

    Returns
    -------
    float.

    Raises
    ------
    InvalidData
        See ``mean_tweedie_deviance``.

    Examples
    --------
    >>> mean_poisson_deviance([2, 0, 1, 4], [0.5, 0.5, 2.0, 2.0])
    1.42...
    """
    return mean_tweedie_deviance(y_true, y_pred, sample_weight=sample_weight, power=1, scheduler=scheduler)


def mean_gamma_deviance(
    y_true: Any, y_pred: Any, *, sample_weight: Any = None, scheduler: Any = None
) -> float:
    """The mean of 2 (log(z / y) + y / z - 1), for amounts y > 0 with expectations z > 0.

    Parameters
    ----------
    y_true, y_pred, sample_weight, scheduler : see ``mean_tweedie_deviance`` with power 2.

    Returns
    -------
    float.

    Raises
    ------
    InvalidData
        See ``mean_tweedie_deviance``.

    Examples
    --------
    >>> mean_gamma_deviance([2, 0.5, 1, 4], [0.5, 0.5, 2.0, 2.0])
    1.05...
    """
    return mean_tweedie_deviance(y_true, y_pred, sample_weight=sample_weight, power=2, scheduler=scheduler)


def d2_tweedie_score(
    y_true: Any, y_pred: Any, *, sample_weight: Any = None, power: float = 0, scheduler: Any = None
) -> float:
    """The share of the deviance of the mean that is explained: 1 - deviance / deviance of the mean.

    Two passes, the first of them over y_true alone.

    Parameters
    ----------
    y_true, y_pred, sample_weight, power, scheduler : see ``mean_tweedie_deviance``.

    Returns
    -------
    float; nan for less than two rows. Where y_true is constant, 1.0 for perfect predictions and else 0.0
    (scikit-learn divides by zero, or by what rounding leaves).

    Raises
    ------
    InvalidData
        See ``mean_tweedie_deviance``.

    Examples
    --------
    >>> d2_tweedie_score([0.5, 1, 2.5, 7], [1, 1, 5, 3.5], power=1)
    0.487...
    """
    _refuse_other_powers(power)
    with scored(y_true, y_pred, sample_weight, scheduler) as data:
        _refuse_several(data, "d2_tweedie_score")
        found = data.ask(TargetMean())
        if found.rows < 2:
            undefined("D^2")
            return float("nan")
        told = data.ask(Deviations(TweedieDeviance(float(power)), found.mean))
        assert told.constant is not None
        deviance, null = float(told.mean[0]), float(told.constant[0])
        if found.constant[0]:
            return float(deviance == 0.0)
        return 1.0 - deviance / null


def _refuse_other_powers(power: Any) -> None:
    """Have scikit-learn complain about a power without a distribution."""
    sklearn_metrics.mean_tweedie_deviance(np.ones(1), np.ones(1), power=power)


def _refuse_several(data: Scored, name: str) -> None:
    if data.targets > 1 or data.columns > 1:
        raise InvalidData(
            f"Multioutput not supported in {name}: y_true has {data.targets} column(s) and y_pred "
            f"{data.columns}. Score each output on its own."
        )
