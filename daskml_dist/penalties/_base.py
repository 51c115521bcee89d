"""The contract of a penalty on the coefficients.

The intercept is not penalised; where it is (``Problem.intercept_penalised``), it is the last coefficient.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

import numpy as np

from daskml_dist.types import FloatArray


class Penalty(ABC):
    """penalty(w) for w of shape (p,) or, for K problems at once, (K, p)."""

    name: ClassVar[str]

    @property
    def smooth(self) -> bool:
        """Whether there is neither an L1 part nor a bound."""
        free = np.isneginf(self.lower).all() and np.isposinf(self.upper).all()
        return bool(free and not np.any(self.l1))

    @property
    def l1(self) -> float | FloatArray:
        """The factor of |w|_1, which is no part of gradient and curvature."""
        return 0.0

    @property
    def lower(self) -> float | FloatArray:
        """The least value of each coefficient: one number, or (p,)."""
        return -np.inf

    @property
    def upper(self) -> float | FloatArray:
        """The largest value of each coefficient: one number, or (p,)."""
        return np.inf

    def of(self, problem: int) -> Penalty:
        """The penalty of one of K problems; the same one where they share it."""
        return self

    @abstractmethod
    def value(self, w: FloatArray) -> FloatArray:
        """The penalty of each problem, +inf outside bounds: shape () or (K,)."""

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
