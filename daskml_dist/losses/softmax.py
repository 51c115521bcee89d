"""The logistic loss of several classes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, final

import numpy as np

from daskml_dist.losses._base import JointLoss
from daskml_dist.types import AnyArray, FloatArray


@final
@dataclass(frozen=True)
class Softmax(JointLoss):
    """loss(y, z) = log(sum_k exp(z_k)) - z_y, minus the logarithm of the probability of class y.

    The same number added to all margins of a row changes nothing.

    Attributes
    ----------
    margins : k, the number of classes.
    """

    margins: int

    @property
    def name(self) -> str:
        return "softmax"

    @property
    def self_concordance(self) -> float | None:
        return None  # there is one for the range of the margins of a row, not for each of them

    @property
    def dispersion(self) -> Literal["one", "estimated"] | None:
        return "one"

    def complain(self, y: AnyArray) -> str | None:
        if np.all((y == np.floor(y)) & (y >= 0) & (y < self.margins)):
            return None
        return f"the target of a softmax loss is coded 0 to {self.margins - 1}"

    def value(self, y: FloatArray, z: FloatArray) -> FloatArray:
        value, _, _ = self._parts(y, z)
        return value

    def value_slope(self, y: FloatArray, z: FloatArray) -> tuple[FloatArray, FloatArray]:
        value, chances, own = self._parts(y, z)
        chances[own] -= 1.0
        return value, chances

    def value_slope_curvature(
        self, y: FloatArray, z: FloatArray
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        value, chances, own = self._parts(y, z)
        slope = chances.copy()
        slope[own] -= 1.0
        return value, slope, chances

    def mean(self, z: FloatArray) -> FloatArray:
        chances = np.exp(z - z.max(axis=1, keepdims=True))
        chances /= chances.sum(axis=1, keepdims=True)
        return np.asarray(chances)

    def link(self, mean: FloatArray) -> FloatArray:
        with np.errstate(divide="ignore"):
            margins = np.log(mean)
        return np.asarray(margins - margins.mean(axis=-1, keepdims=True))

    @staticmethod
    def _parts(y: FloatArray, z: FloatArray) -> tuple[FloatArray, FloatArray, tuple[AnyArray, AnyArray]]:
        """Values, probabilities, and where the class of each row is."""
        own = np.arange(len(y)), y.astype(np.intp)
        below = z - z.max(axis=1, keepdims=True)  # no overflow
        value = -below[own]
        chances = np.exp(below, out=below)
        total = chances.sum(axis=1)
        value += np.log(total)
        chances /= total[:, None]
        return value, chances, own
