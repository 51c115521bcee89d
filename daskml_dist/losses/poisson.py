"""Half the Poisson deviance, log link."""

from __future__ import annotations

from typing import Literal, final

import numpy as np
from scipy.special import xlogy

from daskml_dist.losses._base import Loss
from daskml_dist.types import AnyArray, FloatArray


@final
class Poisson(Loss):
    """loss(y, z) = y log(y) - y - y z + exp(z), for y >= 0: half the unit deviance with mean exp(z).

    |loss'''| = loss''. An exposure e enters as the offset log(e).
    """

    name: str = "poisson"
    self_concordance: float | None = 1.0
    dispersion: Literal["one", "estimated"] | None = "one"

    def complain(self, y: AnyArray) -> str | None:
        if np.all(y >= 0):
            return None
        return "the target of a Poisson loss is a count or a rate, never negative"

    def value(self, y: FloatArray, z: FloatArray) -> FloatArray:
        return self._value(y, z, self._exp(z))

    def value_slope(self, y: FloatArray, z: FloatArray) -> tuple[FloatArray, FloatArray]:
        mean = self._exp(z)
        return self._value(y, z, mean), mean - y

    def value_slope_curvature(
        self, y: FloatArray, z: FloatArray
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        mean = self._exp(z)
        return self._value(y, z, mean), mean - y, mean

    def mean(self, z: FloatArray) -> FloatArray:
        return self._exp(z)

    def link(self, mean: FloatArray) -> FloatArray:
        with np.errstate(divide="ignore"):
            return np.asarray(np.log(mean))

    def stratum(self, y: FloatArray) -> AnyArray:
        return y > 0

    @staticmethod
    def _exp(z: FloatArray) -> FloatArray:
        with np.errstate(over="ignore"):
            return np.asarray(np.exp(z))

    @staticmethod
    def _value(y: FloatArray, z: FloatArray, mean: FloatArray) -> FloatArray:
        # y log(y / mean) - (y - mean); rounding may leave -1e-16 where the fit is perfect
        return np.asarray(np.maximum(xlogy(y, y) - y * z - y + mean, 0.0))
