"""The hinge of a binary target."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from daskml_dist.losses._base import HingedLoss
from daskml_dist.losses.piecewise_linear import Kink, PiecewiseLinear
from daskml_dist.types import FloatArray


@final
@dataclass(frozen=True)
class Hinge(HingedLoss, PiecewiseLinear):
    """loss(y, z) = max(0, 1 - t z) with t = 2 y - 1, for y = 0 or 1.

    For equal shares every margin from -1 to 1 is the best constant, for others 1 or -1; the link is that of
    the squared hinge.
    """

    @property
    def name(self) -> str:
        return "hinge"

    def kinks(self, y: FloatArray) -> list[Kink]:
        return [Kink(2.0 * y - 1.0, y - 1.0, y)]
