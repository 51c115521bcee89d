"""The hinge of a binary target."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np

from daskml_dist.losses.piecewise_linear import Kink, PiecewiseLinear
from daskml_dist.types import AnyArray, FloatArray


@final
@dataclass(frozen=True)
class Hinge(PiecewiseLinear):
    """loss(y, z) = max(0, 1 - t z) with t = 2 y - 1, for y = 0 or 1.

    For equal shares every margin from -1 to 1 is the best constant, for others 1 or -1; the link is that of
    the squared hinge.
    """

    @property
    def name(self) -> str:
        return "hinge"

    def complain(self, y: AnyArray) -> str | None:
        if np.all((y == 0) | (y == 1)):
            return None
        return "the target of a hinge is coded 0 or 1"

    def kinks(self, y: FloatArray) -> list[Kink]:
        return [Kink(2.0 * y - 1.0, y - 1.0, y)]

    def mean(self, z: FloatArray) -> FloatArray:
        return np.clip(0.5 + 0.5 * z, 0.0, 1.0)

    def link(self, mean: FloatArray) -> FloatArray:
        return 2.0 * mean - 1.0

    def stratum(self, y: FloatArray) -> AnyArray:
        return y > 0.5
