"""The squared loss, identity link."""

from __future__ import annotations

from typing import Literal, final

import numpy as np

from daskml_dist.losses._base import IdentityLoss
from daskml_dist.types import AnyArray, FloatArray


@final
class Squared(IdentityLoss):
    """loss(y, z) = (y - z)^2 / 2, for any real y."""

    name: str = "squared"
    quadratic: bool = True
    self_concordance: float | None = 0.0
    dispersion: Literal["one", "estimated"] | None = "estimated"

    def complain(self, y: AnyArray) -> str | None:
        return None

    def value(self, y: FloatArray, z: FloatArray) -> FloatArray:
        with np.errstate(over="ignore"):
            return 0.5 * np.square(z - y)

    def value_slope(self, y: FloatArray, z: FloatArray) -> tuple[FloatArray, FloatArray]:
        slope = z - y
        with np.errstate(over="ignore"):
            return 0.5 * np.square(slope), slope

    def value_slope_curvature(
        self, y: FloatArray, z: FloatArray
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        value, slope = self.value_slope(y, z)
        return value, slope, np.ones_like(z)
