"""The contract of a loss: half a unit deviance, as a function of the margin.

A loss is never negative and is zero for a perfect fit, so that a relative optimality gap has a
meaning. The link is merged into the loss, and value, slope and curvature come from one call, so
that the transcendental function they share is computed once.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar, Literal

import numpy as np

from daskml_dist.types import AnyArray, FloatArray


class Loss(ABC):
    """loss(y, z) for a target y and a margin z.

    All arrays are float64 and have the same shape, (rows,) for one problem or (rows, K) for many.
    """

    smooth: ClassVar[bool] = True

    @property
    @abstractmethod
    def name(self) -> str:
        """What it is called in messages and parameters."""

    @property
    def quadratic(self) -> bool:
        """Whether the curvature does not depend on the margin."""
        return False

    @property
    def convex(self) -> bool:
        """Whether it is convex in the margin; if not, the curvature is the one that the model expects."""
        return True

    @property
    @abstractmethod
    def self_concordance(self) -> float | None:
        """The smallest M with |third derivative| <= M * curvature, or None where there is none."""

    @property
    def dispersion(self) -> Literal["one", "estimated"] | None:
        """Of the family whose half unit deviance this is: 1, or estimated from data; None for no family."""
        return None

    @abstractmethod
    def complain(self, y: AnyArray) -> str | None:
        """Say why y is outside the domain, or None where all of it is inside."""

    def value(self, y: FloatArray, z: FloatArray) -> FloatArray:
        """The loss, elementwise; +inf where it overflows, never NaN for finite z."""
        return self.value_slope(y, z)[0]

    def value_slope(self, y: FloatArray, z: FloatArray) -> tuple[FloatArray, FloatArray]:
        """The loss and its first derivative in z."""
        value, slope, _ = self.value_slope_curvature(y, z)
        return value, slope

    @abstractmethod
    def value_slope_curvature(
        self, y: FloatArray, z: FloatArray
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        """The loss and its first two derivatives in z; the curvature is never negative."""

    @abstractmethod
    def mean(self, z: FloatArray) -> FloatArray:
        """The inverse link: the expectation of y given the margin."""

    @abstractmethod
    def link(self, mean: FloatArray) -> FloatArray:
        """The margin that gives this expectation."""

    def stratum(self, y: FloatArray) -> AnyArray:
        """True for the rows to over-sample when they are rare (events among many non-events)."""
        return np.zeros(y.shape[0], dtype=bool)


class IdentityLoss(Loss):
    """A loss whose margin is the mean itself, or the quantile that stands for it."""

    def mean(self, z: FloatArray) -> FloatArray:
        return z

    def link(self, mean: FloatArray) -> FloatArray:
        return mean


class BinaryLoss(Loss):
    """A loss of y = 0 or 1, whose events are the rows with y = 1."""

    def complain(self, y: AnyArray) -> str | None:
        if np.all((y == 0) | (y == 1)):
            return None
        return f"the target of a {self.name} loss is coded 0 or 1"

    def stratum(self, y: FloatArray) -> AnyArray:
        return y > 0.5


class HingedLoss(BinaryLoss):
    """A binary loss of how far the margin is short of 1."""

    def mean(self, z: FloatArray) -> FloatArray:
        """The share of y = 1 for which z is the best constant margin: (1 + z) / 2, within [0, 1]."""
        return np.clip(0.5 + 0.5 * z, 0.0, 1.0)

    def link(self, mean: FloatArray) -> FloatArray:
        return 2.0 * mean - 1.0


class ScaledLoss(Loss):
    """A loss that measures residuals in units of a scale, which is learned with the coefficients.

    It is convex in the margin and the scale together. The methods of ``Loss`` are those at a fixed scale; the
    value is +inf where the scale is not above zero.
    """

    scale: float

    @abstractmethod
    def at_scale(self, scale: float) -> ScaledLoss:
        """The loss with another scale."""

    @abstractmethod
    def scale_slope(self, y: FloatArray, z: FloatArray) -> FloatArray:
        """The derivative of the loss in the scale."""

    @abstractmethod
    def scale_direction(self, y: FloatArray, z: FloatArray) -> FloatArray:
        """v such that the Hessian in (margin, scale) is the curvature times (1, v) (1, v)'; 0 without one."""

    @abstractmethod
    def reweighted(self, y: FloatArray, z: FloatArray) -> FloatArray:
        """The curvature of the parabola that touches the loss from above (reweighted least squares)."""


class JointLoss(Loss):
    """A loss of k margins at once, such as those of k classes.

    y is (rows,) and holds 0 .. k - 1; z, slopes and means are (rows, k); values are (rows,). The curvature in
    the margins of a row is a matrix, diag(c) - c c' for the (rows, k) third result of
    ``value_slope_curvature``.
    """

    margins: int
