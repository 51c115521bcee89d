"""The modified Huber loss of a binary target."""

from __future__ import annotations

from typing import final

import numpy as np

from daskml_dist.losses._base import HingedLoss
from daskml_dist.types import FloatArray


@final
class ModifiedHuber(HingedLoss):
    """loss(y, z) = max(0, 1 - t z)^2 for t z >= -1, else -4 t z, with t = 2 y - 1, for y = 0 or 1.

    The squared hinge, but linear for rows far on the wrong side (Zhang 2004, "Solving large scale linear
    prediction problems using stochastic gradient descent algorithms", section 3).
    """

    name: str = "modified huber"
    self_concordance: float | None = None

    def value_slope_curvature(
        self, y: FloatArray, z: FloatArray
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        t = 2.0 * y - 1.0
        short = np.maximum(1.0 - t * z, 0.0)
        bent = np.minimum(short, 2.0)
        # short^2 up to 2, then 4 (short - 1): bent (2 short - bent) on both sides
        inside = (short > 0.0) & (short < 2.0)
        return bent * (2.0 * short - bent), -2.0 * t * bent, np.where(inside, 2.0, 0.0)
