"""The logistic loss of a binary target, logit link."""

from __future__ import annotations

from typing import Literal, final

import numpy as np

from daskml_dist.losses._base import BinaryLoss
from daskml_dist.types import FloatArray


@final
class Logistic(BinaryLoss):
    """loss(y, z) = log(1 + exp(z)) - y z, for y = 0 or 1.

    Written with m = -z for y = 1 and m = z for y = 0, the loss is log(1 + exp(m)), which needs one
    exponential for value, slope and curvature and cancels nowhere. |loss'''| <= loss'' (Bach 2010,
    "Self-concordant analysis for logistic regression", section 2).
    """

    name: str = "logistic"
    self_concordance: float | None = 1.0
    dispersion: Literal["one", "estimated"] | None = "one"

    def value(self, y: FloatArray, z: FloatArray) -> FloatArray:
        m = (1.0 - 2.0 * y) * z
        return np.log1p(np.exp(-np.abs(m))) + np.maximum(m, 0.0)

    def value_slope(self, y: FloatArray, z: FloatArray) -> tuple[FloatArray, FloatArray]:
        value, slope, _, _ = self._parts(y, z)
        return value, slope

    def value_slope_curvature(
        self, y: FloatArray, z: FloatArray
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        value, slope, a, one_plus_a = self._parts(y, z)
        return value, slope, a / np.square(one_plus_a)

    def mean(self, z: FloatArray) -> FloatArray:
        a = np.exp(-np.abs(z))
        return np.asarray(np.where(z >= 0.0, 1.0, a) / (1.0 + a))

    def link(self, mean: FloatArray) -> FloatArray:
        with np.errstate(divide="ignore"):
            return np.asarray(np.log(mean) - np.log1p(-mean))

    @staticmethod
    def _parts(y: FloatArray, z: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
        sign = y * -2.0
        sign += 1.0
        m = sign * z
        low = np.minimum(m, 0.0)
        m -= low  # max(m, 0)
        a = np.exp(low - m)  # exp(-|m|), in (0, 1]: no overflow
        one_plus_a = a + 1.0
        value = np.log1p(a)
        value += m
        slope = np.exp(low, out=low)  # exp(m) / (1 + exp(m)) without a branch: numpy.where is slower
        slope /= one_plus_a
        slope *= sign
        return value, slope, a, one_plus_a
