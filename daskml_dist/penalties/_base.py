"""The contract of a penalty on the coefficients; the intercept is never penalised."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

from daskml_dist.types import FloatArray


class Penalty(ABC):
    """penalty(w) for w of shape (p,) or, for K problems at once, (K, p)."""

    name: ClassVar[str]
    smooth: ClassVar[bool]

    @abstractmethod
    def value(self, w: FloatArray) -> FloatArray:
        """The penalty of each problem: shape () or (K,)."""

    @abstractmethod
    def gradient(self, w: FloatArray) -> FloatArray:
        """The gradient of the smooth part, in the shape of w."""

    @abstractmethod
    def curvature(self, w: FloatArray) -> FloatArray:
        """The diagonal of the Hessian of the smooth part, in the shape of w."""

    @abstractmethod
    def prox(self, w: FloatArray, step: float) -> FloatArray:
        """argmin over v of penalty(v) + |v - w|^2 / (2 step)."""

    @property
    @abstractmethod
    def strong_convexity(self) -> float:
        """The largest mu for which penalty(w) - mu |w|^2 / 2 is convex."""
