"""Any penalty, on coefficients in other units."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, final

import numpy as np

from daskml_dist.errors import UnsupportedParameter
from daskml_dist.penalties._base import Penalty
from daskml_dist.types import FloatArray


@final
@dataclass(frozen=True)
class Scaled(Penalty):
    """penalty(f w), with each coefficient multiplied by its factor f > 0: that of a feature divided by it.

    penalty : the sum of a function of each coefficient, the same one for all.
    factors : one number, or (p,).
    """

    penalty: Penalty
    factors: float | FloatArray
    name: ClassVar[str] = "scaled"

    def __post_init__(self) -> None:
        if not np.all(np.greater(self.factors, 0.0) & np.isfinite(self.factors)):
            raise UnsupportedParameter(
                f"factors of the coefficients must be finite and above 0; given were {self.factors!r}."
            )

    @property
    def l1(self) -> float | FloatArray:
        return self.penalty.l1 * self.factors

    @property
    def lower(self) -> float | FloatArray:
        return self.penalty.lower / self.factors

    @property
    def upper(self) -> float | FloatArray:
        return self.penalty.upper / self.factors

    def of(self, problem: int) -> Penalty:
        return replace(self, penalty=self.penalty.of(problem))

    def value(self, w: FloatArray) -> FloatArray:
        return self.penalty.value(self.factors * w)

    def gradient(self, w: FloatArray) -> FloatArray:
        return self.factors * self.penalty.gradient(self.factors * w)

    def curvature(self, w: FloatArray) -> FloatArray:
        return np.square(self.factors) * self.penalty.curvature(self.factors * w)

    def prox(self, w: FloatArray, step: float) -> FloatArray:
        # with u = f v, the minimum of penalty(u) + |u - f w|^2 / (2 f^2 step), coordinate by coordinate
        found = np.empty_like(w)
        factors = np.broadcast_to(np.asarray(self.factors, dtype=np.float64), w.shape[-1:])
        for factor in np.unique(factors):
            alike = factors == factor
            found[..., alike] = self.penalty.prox(factor * w[..., alike], step * factor**2) / factor
        return found

    @property
    def strong_convexity(self) -> float:
        return self.penalty.strong_convexity * float(np.min(np.square(self.factors)))
