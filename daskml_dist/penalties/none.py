"""No penalty."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np

from daskml_dist.penalties._base import Penalty
from daskml_dist.types import FloatArray


@final
@dataclass(frozen=True)
class Unpenalised(Penalty):
    """penalty(w) = 0."""

    name: ClassVar[str] = "none"

    def value(self, w: FloatArray) -> FloatArray:
        return np.zeros(w.shape[:-1])

    def gradient(self, w: FloatArray) -> FloatArray:
        return np.zeros_like(w)

    def curvature(self, w: FloatArray) -> FloatArray:
        return np.zeros_like(w)

    def prox(self, w: FloatArray, step: float) -> FloatArray:
        return w

    @property
    def strong_convexity(self) -> float:
        return 0.0
