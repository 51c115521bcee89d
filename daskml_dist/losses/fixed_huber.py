"""Huber's loss of a residual, in units of the target."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np

from daskml_dist.errors import UnsupportedParameter
from daskml_dist.losses._base import IdentityLoss
from daskml_dist.types import AnyArray, FloatArray


@final
@dataclass(frozen=True)
class FixedHuber(IdentityLoss):
    """loss(y, z) = r^2 / 2 for |r| <= epsilon, else epsilon |r| - epsilon^2 / 2, with r = y - z.

    Huber 1964, "Robust estimation of a location parameter"; no scale is learned, as in scikit-learn's SGD.

    Parameters
    ----------
    epsilon : the residual from which on it is linear, above 0.
    """

    epsilon: float = 0.1

    def __post_init__(self) -> None:
        if not 0.0 < self.epsilon < np.inf:
            raise UnsupportedParameter(f"epsilon={self.epsilon!r}: expected a finite number above 0.")

    @property
    def name(self) -> str:
        return f"huber from {self.epsilon:g}"

    @property
    def self_concordance(self) -> float | None:
        return None

    def complain(self, y: AnyArray) -> str | None:
        return None

    def value_slope_curvature(
        self, y: FloatArray, z: FloatArray
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        residual = z - y
        bent = np.clip(residual, -self.epsilon, self.epsilon)
        # r^2 / 2 up to epsilon, then epsilon |r| - epsilon^2 / 2
        inside = np.abs(residual) < self.epsilon
        return bent * (residual - 0.5 * bent), bent, np.where(inside, 1.0, 0.0)
