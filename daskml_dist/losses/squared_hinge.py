"""The squared hinge of a binary target."""

from __future__ import annotations

from typing import final

import numpy as np

from daskml_dist.losses._base import HingedLoss
from daskml_dist.types import FloatArray


@final
class SquaredHinge(HingedLoss):
    """loss(y, z) = max(0, 1 - t z)^2 with t = 2 y - 1, for y = 0 or 1.

    The slope is continuous, the curvature is not: it is 2 within the margin and 0 outside.
    """

    name: str = "squared hinge"
    self_concordance: float | None = None

    def value(self, y: FloatArray, z: FloatArray) -> FloatArray:
        _, short = self._parts(y, z)
        with np.errstate(over="ignore"):
            return np.square(short)

    def value_slope(self, y: FloatArray, z: FloatArray) -> tuple[FloatArray, FloatArray]:
        t, short = self._parts(y, z)
        with np.errstate(over="ignore"):
            return np.square(short), -2.0 * t * short

    def value_slope_curvature(
        self, y: FloatArray, z: FloatArray
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        t, short = self._parts(y, z)
        with np.errstate(over="ignore"):
            return np.square(short), -2.0 * t * short, np.where(short > 0.0, 2.0, 0.0)

    @staticmethod
    def _parts(y: FloatArray, z: FloatArray) -> tuple[FloatArray, FloatArray]:
        """The sign of the class, and how far the margin is short of 1."""
        t = 2.0 * y - 1.0
        return t, np.maximum(1.0 - t * z, 0.0)
