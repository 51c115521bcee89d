"""The squared Euclidean norm (ridge, Tikhonov)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np

from daskml_dist.penalties._base import Penalty
from daskml_dist.types import FloatArray


@final
@dataclass(frozen=True)
class L2(Penalty):
    """penalty(w) = alpha |w|^2 / 2; ``alpha`` is one number, or one for each of K problems."""

    alpha: float | FloatArray
    name: ClassVar[str] = "l2"

    def of(self, problem: int) -> Penalty:
        return self if np.ndim(self.alpha) == 0 else L2(float(np.asarray(self.alpha)[problem]))

    def value(self, w: FloatArray) -> FloatArray:
        return np.asarray(0.5 * self.alpha * np.sum(np.square(w), axis=-1))

    def gradient(self, w: FloatArray) -> FloatArray:
        return np.asarray(self._column * w)

    def curvature(self, w: FloatArray) -> FloatArray:
        return np.asarray(self._column * np.ones_like(w))

    def prox(self, w: FloatArray, step: float) -> FloatArray:
        return np.asarray(w / (1.0 + step * self._column))

    @property
    def strong_convexity(self) -> float:
        return float(np.min(self.alpha))

    @property
    def _column(self) -> FloatArray:
        """alpha in a shape that multiplies (p,) or (K, p)."""
        return np.asarray(self.alpha)[..., None]
