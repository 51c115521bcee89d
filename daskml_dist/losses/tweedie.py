"""Half the Tweedie deviance, log or identity link."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, final

import numpy as np
from scipy.special import xlogy

from daskml_dist.errors import UnsupportedParameter
from daskml_dist.losses._base import Loss
from daskml_dist.types import AnyArray, FloatArray


@final
@dataclass(frozen=True)
class Tweedie(Loss):
    """Half the unit deviance of a distribution with mean m and variance proportional to m^power.

    loss(y, z) = int_m^y (y - u) u^-power du with m = exp(z) (log link) or m = z (identity link). Normal for
    power 0, Poisson for 1, compound Poisson and gamma between 1 and 2, gamma for 2, inverse Gaussian
    for 3 (Jorgensen 1987, "Exponential dispersion models", section 2).

    With the log link it is convex for powers from 1 to 2, where the third derivative is at most
    max(power - 1, 2 - power) times the curvature. With the identity link it is convex for power 1. Elsewhere
    the curvature is the one that is expected where the model holds (Fisher scoring).

    Parameters
    ----------
    power : 0 or less, or 1 or more.
    link : "log" or "identity".
    """

    power: float
    link_name: str = "log"

    def __post_init__(self) -> None:
        if not (self.power <= 0.0 or 1.0 <= self.power < np.inf):
            raise UnsupportedParameter(
                f"power={self.power!r}: no distribution has it; expected a power <= 0 or >= 1."
            )
        if self.power == 0.0 and self.link_name == "identity":
            raise UnsupportedParameter("power=0 with link='identity' is the squared loss; use Squared().")
        if self.link_name not in ("log", "identity"):
            raise UnsupportedParameter(f"link={self.link_name!r}: expected 'log' or 'identity'.")

    @property
    def name(self) -> str:
        return f"tweedie of power {self.power:g}, {self.link_name} link"

    @property
    def convex(self) -> bool:
        return 1.0 <= self.power <= 2.0 if self._log else self.power == 1.0

    @property
    def self_concordance(self) -> float | None:
        return max(self.power - 1.0, 2.0 - self.power) if self._log and self.convex else None

    @property
    def dispersion(self) -> Literal["one", "estimated"] | None:
        return "one" if self.power == 1.0 else "estimated"

    def complain(self, y: AnyArray) -> str | None:
        what = f"the target of a Tweedie loss of power {self.power:g}"
        if self.power >= 2.0:
            return None if np.all(y > 0) else f"{what} is greater than zero"
        if self.power >= 1.0:
            return None if np.all(y >= 0) else f"{what} is never negative"
        return None

    def value(self, y: FloatArray, z: FloatArray) -> FloatArray:
        return self._value(y, z, self._log_mean(z))

    def value_slope(self, y: FloatArray, z: FloatArray) -> tuple[FloatArray, FloatArray]:
        log_mean = self._log_mean(z)
        return self._value(y, z, log_mean), self._slope(y, log_mean)

    def value_slope_curvature(
        self, y: FloatArray, z: FloatArray
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        log_mean = self._log_mean(z)
        return self._value(y, z, log_mean), self._slope(y, log_mean), self._curvature(y, log_mean)

    def mean(self, z: FloatArray) -> FloatArray:
        with np.errstate(over="ignore"):
            return np.asarray(np.exp(z)) if self._log else z

    def link(self, mean: FloatArray) -> FloatArray:
        with np.errstate(divide="ignore"):
            return np.asarray(np.log(mean)) if self._log else mean

    @property
    def _log(self) -> bool:
        return self.link_name == "log"

    def _log_mean(self, z: FloatArray) -> FloatArray:
        return z if self._log else np.log(np.maximum(z, _TINY))

    def _value(self, y: FloatArray, z: FloatArray, log_mean: FloatArray) -> FloatArray:
        """The deviance; infinite where an identity link gives a mean below zero."""
        p = self.power
        with np.errstate(over="ignore"):
            if p == 1.0:
                value = xlogy(y, y) - y * log_mean - y + _exp(log_mean)
            elif p == 2.0:
                d = np.log(y) - log_mean
                value = np.expm1(d) - d
            elif p < 2.0 and p > 1.0:  # both terms are positive
                value = y * _exp((1.0 - p) * log_mean) / (p - 1.0) + _exp((2.0 - p) * log_mean) / (2.0 - p)
                value = value + self._constant(y)
            else:
                rest = _exp(log_mean) / (2.0 - p) - y / (1.0 - p)
                value = _exp((1.0 - p) * log_mean) * rest + self._constant(y)
        value = np.maximum(value, 0.0)  # rounding may leave -1e-16 where the fit is perfect
        return value if self._log else np.where(z >= 0.0, value, np.inf)

    def _constant(self, y: FloatArray) -> FloatArray:
        """The part of the deviance that depends on the target alone; it makes a perfect fit zero."""
        p = self.power
        if p == 0.0:
            return 0.5 * np.square(y)
        return np.power(np.maximum(y, 0.0), 2.0 - p) / ((1.0 - p) * (2.0 - p))

    def _slope(self, y: FloatArray, log_mean: FloatArray) -> FloatArray:
        """(mean - y) mean^-power, times the derivative of the mean by the margin."""
        k = self._log - self.power
        with np.errstate(over="ignore"):
            return _exp((k + 1.0) * log_mean) - y * _exp(k * log_mean)

    def _curvature(self, y: FloatArray, log_mean: FloatArray) -> FloatArray:
        p = self.power
        with np.errstate(over="ignore"):
            if self._log and self.convex:
                return (2.0 - p) * _exp((2.0 - p) * log_mean) + (p - 1.0) * y * _exp((1.0 - p) * log_mean)
            if p == 1.0:
                return y * _exp(-2.0 * log_mean)
            return _exp((2.0 * self._log - p) * log_mean)


_TINY = 1e-300
_MOST = 709.0  # its exponential is finite, so that no product is 0 times infinity


def _exp(exponent: FloatArray) -> FloatArray:
    return np.asarray(np.exp(np.minimum(exponent, _MOST)))
