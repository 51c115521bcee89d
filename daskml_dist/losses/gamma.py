"""Half the gamma deviance, log link."""

from __future__ import annotations

from typing import Literal, final

import numpy as np

from daskml_dist.losses._base import Loss
from daskml_dist.types import AnyArray, FloatArray


@final
class Gamma(Loss):
    """loss(y, z) = exp(d) - 1 - d with d = log(y) - z, for y > 0: half the unit deviance with mean exp(z).

    |loss'''| = loss''.
    """

    name: str = "gamma"
    self_concordance: float | None = 1.0
    dispersion: Literal["one", "estimated"] | None = "estimated"

    def complain(self, y: AnyArray) -> str | None:
        if np.all(y > 0):
            return None
        return "the target of a gamma loss is greater than zero"

    def value(self, y: FloatArray, z: FloatArray) -> FloatArray:
        d, excess = self._parts(y, z)
        return np.maximum(excess - d, 0.0)  # rounding may leave -1e-17 where the fit is perfect

    def value_slope(self, y: FloatArray, z: FloatArray) -> tuple[FloatArray, FloatArray]:
        d, excess = self._parts(y, z)
        return np.maximum(excess - d, 0.0), -excess

    def value_slope_curvature(
        self, y: FloatArray, z: FloatArray
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        d, excess = self._parts(y, z)
        return np.maximum(excess - d, 0.0), -excess, excess + 1.0

    def mean(self, z: FloatArray) -> FloatArray:
        with np.errstate(over="ignore"):
            return np.asarray(np.exp(z))

    def link(self, mean: FloatArray) -> FloatArray:
        with np.errstate(divide="ignore"):
            return np.asarray(np.log(mean))

    @staticmethod
    def _parts(y: FloatArray, z: FloatArray) -> tuple[FloatArray, FloatArray]:
        """log(y / mean), and y / mean - 1."""
        d = np.log(y) - z
        with np.errstate(over="ignore"):
            return d, np.expm1(d)
