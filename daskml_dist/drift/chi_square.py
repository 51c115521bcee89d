"""Quantiles of chi-square with a whole number of degrees of freedom, without SciPy.

A server of models has no SciPy, and needs these few numbers once a minute.
"""

from __future__ import annotations

from functools import lru_cache
from math import erfc, exp, inf, lgamma, log, sqrt


def tail(x: float, freedom: int) -> float:
    """P(chi-square > x): [freedom odd] erfc(sqrt(x/2)) + exp(-x/2) sum (x/2)^a / Gamma(a + 1).

    The sum is over a = f/2 - 1, f/2 - 2, ... while a >= 0 (Abramowitz and Stegun 26.4.4 and 26.4.5).
    """
    if x <= 0:
        return 1.0
    half = x / 2
    total = erfc(sqrt(half)) if freedom % 2 else 0.0
    power = freedom / 2 - 1
    while power >= 0:
        total += exp(power * log(half) - half - lgamma(power + 1))
        power -= 1
    return total


@lru_cache(maxsize=1024)
def quantile(probability: float, freedom: int) -> float:
    """The x with P(chi-square > x) = probability; 0 where there is no freedom, infinity for probability 0."""
    if freedom < 1:
        return 0.0
    if probability <= 0:
        return inf
    low, high = 0.0, 1.0
    while tail(high, freedom) > probability:
        low, high = high, 2 * high
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if tail(middle, freedom) > probability else (low, middle)
    return high
