"""The size of a residual beyond a width that costs nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np

from daskml_dist.errors import UnsupportedParameter
from daskml_dist.losses.piecewise_linear import Kink, PiecewiseLinear
from daskml_dist.types import AnyArray, FloatArray


@final
@dataclass(frozen=True)
class EpsilonInsensitive(PiecewiseLinear):
    """loss(y, z) = max(0, |y - z| - epsilon), for any real y (Vapnik 1995, section 6.1).

    Parameters
    ----------
    epsilon : 0 (the absolute residual) or more.
    """

    epsilon: float = 0.0

    def __post_init__(self) -> None:
        if not 0.0 <= self.epsilon < np.inf:
            raise UnsupportedParameter(f"epsilon={self.epsilon!r}: expected a finite number, 0 or more.")

    @property
    def name(self) -> str:
        return f"absolute beyond {self.epsilon:g}"

    def complain(self, y: AnyArray) -> str | None:
        return None

    def kinks(self, y: FloatArray) -> list[Kink]:
        if self.epsilon == 0.0:
            return [Kink(y, -1.0, 1.0)]
        return [Kink(y - self.epsilon, 0.0, 1.0), Kink(y + self.epsilon, -1.0, 0.0)]
