"""Huber's loss of a residual in units of a scale, and the scale itself."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import final

import numpy as np

from daskml_dist.errors import UnsupportedParameter
from daskml_dist.losses._base import IdentityLoss, ScaledLoss
from daskml_dist.types import AnyArray, FloatArray


@final
@dataclass(frozen=True)
class Huber(IdentityLoss, ScaledLoss):
    """loss(y, z) = c + h((y - z) / c) c, with h(u) = u^2 for |u| < epsilon, else 2 epsilon |u| - epsilon^2.

    Convex in the margin and the scale c together (Huber and Ronchetti 2009, "Robust Statistics", section
    7.7; Owen 2007, "A robust hybrid of lasso and ridge regression"). Within epsilon scales the Hessian in
    (z, c) is (2 / c) v v' with v = (1, (y - z) / c); outside it is zero.

    Parameters
    ----------
    epsilon : from how many scales on a residual counts linearly, above 1.
    scale : c > 0.
    """

    epsilon: float = 1.35
    scale: float = 1.0

    def __post_init__(self) -> None:
        if not 1.0 < self.epsilon < np.inf:
            raise UnsupportedParameter(f"epsilon={self.epsilon!r}: expected a finite number above 1.")

    @property
    def name(self) -> str:
        return f"huber of {self.epsilon:g} scales"

    @property
    def self_concordance(self) -> float | None:
        return None

    def at_scale(self, scale: float) -> Huber:
        return replace(self, scale=scale)

    def complain(self, y: AnyArray) -> str | None:
        return None

    def value_slope(self, y: FloatArray, z: FloatArray) -> tuple[FloatArray, FloatArray]:
        value, slope, _ = self._parts(y, z)
        return value, slope

    def value_slope_curvature(
        self, y: FloatArray, z: FloatArray
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        value, slope, u = self._parts(y, z)
        if not self.scale > 0.0:
            return value, slope, np.zeros_like(z)
        return value, slope, np.where(np.abs(u) < self.epsilon, 2.0 / self.scale, 0.0)

    def scale_slope(self, y: FloatArray, z: FloatArray) -> FloatArray:
        return 1.0 - np.square(np.clip((y - z) / self.scale, -self.epsilon, self.epsilon))

    def scale_direction(self, y: FloatArray, z: FloatArray) -> FloatArray:
        u = (y - z) / self.scale
        return np.where(np.abs(u) < self.epsilon, u, 0.0)

    def reweighted(self, y: FloatArray, z: FloatArray) -> FloatArray:
        return (2.0 / self.scale) * self.epsilon / np.maximum(np.abs(y - z) / self.scale, self.epsilon)

    def _parts(self, y: FloatArray, z: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Value, slope, and the residual in scales."""
        if not self.scale > 0.0:
            return np.full_like(z, np.inf), np.zeros_like(z), np.zeros_like(z)
        u = (y - z) / self.scale
        bent = np.clip(u, -self.epsilon, self.epsilon)
        with np.errstate(over="ignore"):
            # h(u) = bent (2 u - bent) on both sides of epsilon
            return self.scale * (1.0 + bent * (2.0 * u - bent)), -2.0 * bent, u
