"""Losses that are linear but for kinks, and what smooths them."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np

from daskml_dist.losses._base import IdentityLoss, Loss
from daskml_dist.types import AnyArray, FloatArray


@final
@dataclass(frozen=True)
class Kink:
    """max over a from ``low`` to ``high`` of a u, where u = ``at`` - z: the slope in z is -low, then -high.

    at : (rows,) or more, the margin of the kink. low <= 0 <= high : numbers, or as ``at``.
    """

    at: FloatArray
    low: float | FloatArray
    high: float | FloatArray


class PiecewiseLinear(IdentityLoss):
    """The sum of some kinks. ``slope`` is a subgradient, and the curvature is zero."""

    smooth: ClassVar[bool] = False

    @property
    def self_concordance(self) -> float | None:
        return None

    @abstractmethod
    def kinks(self, y: FloatArray) -> list[Kink]:
        """Where the loss bends."""

    def value_slope(self, y: FloatArray, z: FloatArray) -> tuple[FloatArray, FloatArray]:
        value, slope = np.zeros_like(z), np.zeros_like(z)
        for kink in self.kinks(y):
            u = kink.at - z
            pull = np.where(u > 0.0, kink.high, np.where(u < 0.0, kink.low, 0.0))
            value += pull * u
            slope -= pull
        return value, slope

    def value_slope_curvature(
        self, y: FloatArray, z: FloatArray
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        value, slope = self.value_slope(y, z)
        return value, slope, np.zeros_like(z)


@final
@dataclass(frozen=True)
class Smoothed(Loss):
    """A piecewise linear loss whose kinks are rounded off over a width, by parabolas.

    Each kink becomes the maximum over a of a u + width (half^2 - (a - mid)^2) / 2, where a is from mid - half
    to mid + half (Nesterov 2005, "Smooth minimization of non-smooth functions"). It is the kink
    itself from a distance of half a width (times high - low) on, and above it within. The line a u is never
    above the kink, whatever a; the a of the maximum makes one that nearly touches it.

    Parameters
    ----------
    loss : the loss. width : above 0, in units of the margin.
    """

    loss: PiecewiseLinear
    width: float

    @property
    def name(self) -> str:
        return f"{self.loss.name}, smoothed by {self.width:g}"

    @property
    def self_concordance(self) -> float | None:
        return None

    def complain(self, y: AnyArray) -> str | None:
        return self.loss.complain(y)

    def pulls(self, y: FloatArray, z: FloatArray) -> Iterator[tuple[Kink, FloatArray, AnyArray]]:
        """Each kink, the a of its maximum, and whether that is within its bounds."""
        for kink in self.loss.kinks(y):
            with np.errstate(over="ignore"):
                free = 0.5 * (np.asarray(kink.low) + kink.high) + (kink.at - z) / self.width
            yield kink, np.clip(free, kink.low, kink.high), (kink.low < free) & (free < kink.high)

    def value_slope_curvature(
        self, y: FloatArray, z: FloatArray
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        value, slope, curvature = np.zeros_like(z), np.zeros_like(z), np.zeros_like(z)
        for kink, pull, inside in self.pulls(y, z):
            # half^2 - (a - mid)^2 as a product, which is zero at the bounds to the last bit
            value += pull * (kink.at - z) + 0.5 * self.width * (kink.high - pull) * (pull - kink.low)
            slope -= pull
            curvature += np.where(inside, 1.0 / self.width, 0.0)
        return value, slope, curvature

    def mean(self, z: FloatArray) -> FloatArray:
        return self.loss.mean(z)

    def link(self, mean: FloatArray) -> FloatArray:
        return self.loss.link(mean)

    def stratum(self, y: FloatArray) -> AnyArray:
        return self.loss.stratum(y)
