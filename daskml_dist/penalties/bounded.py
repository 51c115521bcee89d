"""Any penalty, within bounds on the coefficients."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, final

import numpy as np

from daskml_dist.errors import UnsupportedParameter
from daskml_dist.penalties._base import Penalty
from daskml_dist.types import FloatArray


@final
@dataclass(frozen=True)
class Bounded(Penalty):
    """penalty(w) where lower <= w <= upper, infinite elsewhere.

    penalty : without bounds of its own.
    least, most : one number, or (p,); 0 lies between them.
    """

    penalty: Penalty
    least: float | FloatArray = -np.inf
    most: float | FloatArray = np.inf
    name: ClassVar[str] = "bounded"

    def __post_init__(self) -> None:
        if np.any(np.isnan(self.least)) or np.any(np.isnan(self.most)):
            raise UnsupportedParameter("a bound on the coefficients is NaN; use -inf or inf for none.")
        if np.any(np.greater(self.least, 0.0)) or np.any(np.less(self.most, 0.0)):
            raise UnsupportedParameter(
                f"bounds on the coefficients must allow 0; given were {self.least!r} and {self.most!r}."
            )

    @property
    def l1(self) -> float | FloatArray:
        return self.penalty.l1

    @property
    def lower(self) -> float | FloatArray:
        return self.least

    @property
    def upper(self) -> float | FloatArray:
        return self.most

    def of(self, problem: int) -> Penalty:
        return replace(self, penalty=self.penalty.of(problem))

    def value(self, w: FloatArray) -> FloatArray:
        inside = ((w >= self.least) & (w <= self.most)).all(axis=-1)
        return np.where(inside, self.penalty.value(w), np.inf)

    def gradient(self, w: FloatArray) -> FloatArray:
        return self.penalty.gradient(w)

    def curvature(self, w: FloatArray) -> FloatArray:
        return self.penalty.curvature(w)

    def prox(self, w: FloatArray, step: float) -> FloatArray:
        # each coordinate by itself: what is convex has its minimum over an interval at the nearest point
        return np.clip(self.penalty.prox(w, step), self.least, self.most)

    @property
    def strong_convexity(self) -> float:
        return self.penalty.strong_convexity
