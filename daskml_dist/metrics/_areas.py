"""Areas under curves from thresholds in descending order: the least, the likely and the greatest value."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from daskml_dist.metrics._thresholds import Bins
from daskml_dist.types import FloatArray


class Bracket(NamedTuple):
    """A score that is not below ``low`` and not above ``high``, but for rounding; ``value`` is between them.

    Where ``average=None`` was asked for, each of them is an array with one element a class.
    """

    low: float | FloatArray
    value: float | FloatArray
    high: float | FloatArray


def roc_area(parts: Iterable[Bins], totals: tuple[float, float], max_fpr: float | None) -> FloatArray:
    """(3,) the area under the ROC curve: low, value, high; standardised where it ends at ``max_fpr``.

    In a bin with several scores the curve rises from one corner of a rectangle to the opposite one, so
    that the area is not below that of the lower path along its sides, and not above that of the upper
    one; the value is the trapezoid between. Standardisation is that of McClish (1989), "Analyzing a
    portion of the ROC curve".

    Parameters
    ----------
    parts : bins in descending order.
    totals : the weight of all negatives and of all positives, both above 0.
    max_fpr : above 0 and at most 1, or None.
    """
    end = (1.0 if max_fpr is None else max_fpr) * totals[0]
    area = np.zeros(3)
    before = (0.0, 0.0)
    for bins in parts:
        false0, false, true0, true = _sums(bins, before)
        before = (false[-1], true[-1]) if len(bins) else before
        width = np.clip(end - false0, 0.0, bins.negative)
        zero = np.zeros(len(bins))
        slope = np.divide(bins.positive, bins.negative, out=zero, where=bins.negative > 0.0)
        value = width * (true0 + slope * width / 2.0)
        low = np.where(bins.tied, value, width * true0)
        high = np.where(bins.tied, value, width * true)
        area += [low.sum(), value.sum(), high.sum()]
    area /= totals[0] * totals[1]
    if max_fpr is None or max_fpr == 1.0:
        return area
    least = max_fpr**2 / 2.0
    return (1.0 + (area - least) / (max_fpr - least)) / 2.0


def average_precision(parts: Iterable[Bins], positives: float) -> FloatArray:
    """(3,) the average precision: low, value, high.

    It is the sum of p T / (T + F) over thresholds, with p the weight of the positives at one, and T and F
    those of the positives and negatives at it or above. In a bin with several scores it is least where
    the negatives are above the positives and these are all apart: then it is not below the integral of
    u / (u + F) from T - p to T. It is greatest where the positives are above the negatives, and tied.
    The value is that of a bin in which all are tied.

    Parameters
    ----------
    parts : bins in descending order.
    positives : the weight of all positives, above 0.
    """
    area = np.zeros(3)
    before = (0.0, 0.0)
    for bins in parts:
        false0, false, true0, true = _sums(bins, before)
        before = (false[-1], true[-1]) if len(bins) else before
        p = bins.positive
        with np.errstate(invalid="ignore", divide="ignore"):
            value = np.where(p > 0.0, p * true / (true + false), 0.0)
            high = np.where(p > 0.0, p * true / (true + false0), 0.0)
            low = np.where(false > 0.0, p - false * np.log1p(p / (true0 + false)), p)
        low = np.clip(np.where(bins.tied, value, low), 0.0, value)
        high = np.where(bins.tied, value, high)
        area += [low.sum(), value.sum(), high.sum()]
    return area / positives


def _sums(bins: Bins, before: tuple[float, float]) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Negatives above each bin, and with it; positives above each bin, and with it."""
    false, true = before[0] + np.cumsum(bins.negative), before[1] + np.cumsum(bins.positive)
    false0, true0 = (
        np.concatenate([[start], sums])[:-1] for start, sums in zip(before, (false, true), strict=True)
    )
    return false0, false, true0, true
