"""The square of a residual beyond a width that costs nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np

from daskml_dist.errors import UnsupportedParameter
from daskml_dist.losses._base import IdentityLoss
from daskml_dist.types import AnyArray, FloatArray


@final
@dataclass(frozen=True)
class SquaredEpsilonInsensitive(IdentityLoss):
    """loss(y, z) = max(0, |y - z| - epsilon)^2, for any real y.

    The slope is continuous, the curvature is not: it is 2 beyond epsilon and 0 within.

    Parameters
    ----------
    epsilon : 0 (twice the squared loss) or more.
    """

    epsilon: float = 0.0

    def __post_init__(self) -> None:
        if not 0.0 <= self.epsilon < np.inf:
            raise UnsupportedParameter(f"epsilon={self.epsilon!r}: expected a finite number, 0 or more.")

    @property
    def name(self) -> str:
        return f"squared beyond {self.epsilon:g}"

    @property
    def self_concordance(self) -> float | None:
        return None

    def complain(self, y: AnyArray) -> str | None:
        return None

    def value_slope_curvature(
        self, y: FloatArray, z: FloatArray
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        residual = z - y
        beyond = residual - np.clip(residual, -self.epsilon, self.epsilon)
        curvature = np.where((beyond != 0.0) | (self.epsilon == 0.0), 2.0, 0.0)
        with np.errstate(over="ignore"):
            return np.square(beyond), 2.0 * beyond, curvature
