"""The contract of a loss: half a unit deviance, as a function of the margin.

A loss is never negative and is zero for a perfect fit, so that a relative optimality gap has a
meaning. The link is merged into the loss, and value, slope and curvature come from one call, so
that the transcendental function they share is computed once.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

import numpy as np

from daskml_dist.types import AnyArray, FloatArray


class Loss(ABC):
    """loss(y, z) for a target y and a margin z.

    All arrays are float64 and have the same shape, (rows,) for one problem or (rows, K) for many.
    """

    name: ClassVar[str]
    smooth: ClassVar[bool] = True
    quadratic: ClassVar[bool] = False
    #: smallest M with |third derivative| <= M * curvature, or None where there is none.
    self_concordance: ClassVar[float | None]

    @abstractmethod
    def complain(self, y: AnyArray) -> str | None:
        """Say why y is outside the domain, or None where all of it is inside."""

    @abstractmethod
    def value(self, y: FloatArray, z: FloatArray) -> FloatArray:
        """The loss, elementwise; +inf where it overflows, never NaN for finite z."""

    @abstractmethod
    def value_slope(self, y: FloatArray, z: FloatArray) -> tuple[FloatArray, FloatArray]:
        """The loss and its first derivative in z."""

    @abstractmethod
    def value_slope_curvature(
        self, y: FloatArray, z: FloatArray
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        """The loss and its first two derivatives in z."""

    @abstractmethod
    def mean(self, z: FloatArray) -> FloatArray:
        """The inverse link: the expectation of y given the margin."""

    @abstractmethod
    def link(self, mean: FloatArray) -> FloatArray:
        """The margin that gives this expectation."""

    def stratum(self, y: FloatArray) -> AnyArray:
        """True for the rows to over-sample when they are rare (events among many non-events)."""
        return np.zeros(y.shape[0], dtype=bool)
