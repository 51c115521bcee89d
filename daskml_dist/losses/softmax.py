"""The logistic loss of several classes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np
from scipy.special import logsumexp, softmax

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

    def complain(self, y: AnyArray) -> str | None:
        if np.all((y == np.floor(y)) & (y >= 0) & (y < self.margins)):
            return None
        return f"the target of a softmax loss is coded 0 to {self.margins - 1}"

    def value(self, y: FloatArray, z: FloatArray) -> FloatArray:
        return np.asarray(logsumexp(z, axis=1) - _own(y, z))

    def value_slope(self, y: FloatArray, z: FloatArray) -> tuple[FloatArray, FloatArray]:
        value, slope, _ = self.value_slope_curvature(y, z)
        return value, slope

    def value_slope_curvature(
        self, y: FloatArray, z: FloatArray
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        chances = self.mean(z)
        slope = chances.copy()
        slope[np.arange(len(y)), y.astype(np.intp)] -= 1.0
        return self.value(y, z), slope, chances

    def mean(self, z: FloatArray) -> FloatArray:
        return np.asarray(softmax(z, axis=1))

    def link(self, mean: FloatArray) -> FloatArray:
        with np.errstate(divide="ignore"):
            margins = np.log(mean)
        return np.asarray(margins - margins.mean(axis=-1, keepdims=True))


def _own(y: FloatArray, z: FloatArray) -> FloatArray:
    """(rows,) the margin of the class of each row."""
    return z[np.arange(len(y)), y.astype(np.intp)]
