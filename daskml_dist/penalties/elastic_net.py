"""The sum of absolute values (lasso), with or without a squared norm (elastic net)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np

from daskml_dist.penalties._base import Penalty
from daskml_dist.types import FloatArray


@final
@dataclass(frozen=True)
class ElasticNet(Penalty):
    """penalty(w) = alpha1 |w|_1 + alpha2 |w|^2 / 2 (Zou and Hastie 2005); the lasso where alpha2 is 0.

    alpha1, alpha2 : one number each, or one for each of K problems.
    """

    alpha1: float | FloatArray
    alpha2: float | FloatArray = 0.0
    name: ClassVar[str] = "elastic net"

    @property
    def l1(self) -> float | FloatArray:
        return self.alpha1

    def of(self, problem: int) -> Penalty:
        return ElasticNet(*(_one(alpha, problem) for alpha in (self.alpha1, self.alpha2)))

    def value(self, w: FloatArray) -> FloatArray:
        squares = 0.5 * self.alpha2 * np.sum(np.square(w), axis=-1)
        return np.asarray(self.alpha1 * np.sum(np.abs(w), axis=-1) + squares)

    def gradient(self, w: FloatArray) -> FloatArray:
        return np.asarray(_column(self.alpha2) * w)

    def curvature(self, w: FloatArray) -> FloatArray:
        return np.asarray(_column(self.alpha2) * np.ones_like(w))

    def prox(self, w: FloatArray, step: float) -> FloatArray:
        shrunk = np.sign(w) * np.maximum(np.abs(w) - step * _column(self.alpha1), 0.0)
        return np.asarray(shrunk / (1.0 + step * _column(self.alpha2)))

    @property
    def strong_convexity(self) -> float:
        return float(np.min(self.alpha2))


def _one(alpha: float | FloatArray, problem: int) -> float:
    """alpha of one of K problems."""
    return float(alpha if np.ndim(alpha) == 0 else np.asarray(alpha)[problem])


def _column(alpha: float | FloatArray) -> FloatArray:
    """alpha in a shape that multiplies (p,) or (K, p)."""
    return np.asarray(alpha)[..., None]
