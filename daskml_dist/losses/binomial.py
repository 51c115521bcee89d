"""Half the deviance of a share of successes, with a choice of links."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Literal, final

import numpy as np
from scipy.special import entr, erfcx, expit, log_expit, log_ndtr, ndtri

from daskml_dist.errors import UnsupportedParameter
from daskml_dist.losses._base import Loss
from daskml_dist.types import AnyArray, FloatArray

_ROOT_TWO = float(np.sqrt(2.0))
_MILLS = float(np.sqrt(2.0 / np.pi))  # the ratio of density and distribution at 0
_MOST = 709.0  # its exponential is finite


@final
@dataclass(frozen=True)
class Binomial(Loss):
    """loss(y, z) = -y log(m / y) - (1 - y) log((1 - m) / (1 - y)), for 0 <= y <= 1 and m the mean at z.

    y is a share of successes, and the sample weight the number of trials. Convex for each of the links,
    since they have a log-concave distribution (Pratt 1981, "Concavity of the log likelihood").

    Parameters
    ----------
    link_name : "logit", "probit" or "cloglog" (complementary log-log).
    """

    link_name: str = "logit"

    def __post_init__(self) -> None:
        if self.link_name not in _LINKS:
            raise UnsupportedParameter(f"link={self.link_name!r}: expected one of {', '.join(_LINKS)}.")

    @property
    def name(self) -> str:
        return f"binomial, {self.link_name} link"

    @property
    def self_concordance(self) -> float | None:
        return 1.0 if self.link_name == "logit" else None

    @property
    def dispersion(self) -> Literal["one", "estimated"] | None:
        return "one"

    def complain(self, y: AnyArray) -> str | None:
        if np.all((y >= 0) & (y <= 1)):
            return None
        return "the target of a binomial loss is a share, from 0 to 1"

    def value(self, y: FloatArray, z: FloatArray) -> FloatArray:
        log_mean, log_rest = _LINKS[self.link_name].logarithms(z)
        value = -y * log_mean - (1.0 - y) * log_rest - entr(y) - entr(1.0 - y)
        return np.asarray(np.maximum(value, 0.0))  # rounding may leave -1e-17 where the fit is perfect

    def value_slope(self, y: FloatArray, z: FloatArray) -> tuple[FloatArray, FloatArray]:
        rise, fall, _, _ = _LINKS[self.link_name].hazards(z)
        return self.value(y, z), (1.0 - y) * fall - y * rise

    def value_slope_curvature(
        self, y: FloatArray, z: FloatArray
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        rise, fall, rise_slope, fall_slope = _LINKS[self.link_name].hazards(z)
        curvature = (1.0 - y) * fall_slope - y * rise_slope
        return self.value(y, z), (1.0 - y) * fall - y * rise, curvature

    def mean(self, z: FloatArray) -> FloatArray:
        return np.asarray(np.exp(_LINKS[self.link_name].logarithms(z)[0]))

    def link(self, mean: FloatArray) -> FloatArray:
        with np.errstate(divide="ignore"):
            return _LINKS[self.link_name].margin(mean)

    def stratum(self, y: FloatArray) -> AnyArray:
        return y > 0.5


class _Link(ABC):
    """A distribution function m(z); everything that a tail would cancel in is asked for by itself."""

    @abstractmethod
    def logarithms(self, z: FloatArray) -> tuple[FloatArray, FloatArray]:
        """log m and log(1 - m)."""

    @abstractmethod
    def hazards(self, z: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
        """m' / m, m' / (1 - m), and the derivatives of the two; never NaN."""

    @abstractmethod
    def margin(self, mean: FloatArray) -> FloatArray:
        """z such that m(z) is the mean."""


class _Logit(_Link):
    def logarithms(self, z: FloatArray) -> tuple[FloatArray, FloatArray]:
        return log_expit(z), log_expit(-z)

    def hazards(self, z: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
        mean, rest = expit(z), expit(-z)
        product = mean * rest
        return rest, mean, -product, product

    def margin(self, mean: FloatArray) -> FloatArray:
        return np.asarray(np.log(mean) - np.log1p(-mean))


class _Probit(_Link):
    def logarithms(self, z: FloatArray) -> tuple[FloatArray, FloatArray]:
        near = _near(z)
        return log_ndtr(near), log_ndtr(-near)

    def hazards(self, z: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
        near = _near(z)
        rise, fall = _MILLS / erfcx(-near / _ROOT_TWO), _MILLS / erfcx(near / _ROOT_TWO)
        return rise, fall, -np.clip(rise * (rise + near), 0.0, 1.0), np.clip(fall * (fall - near), 0.0, 1.0)

    def margin(self, mean: FloatArray) -> FloatArray:
        return np.asarray(ndtri(mean))


class _ComplementaryLogLog(_Link):
    def logarithms(self, z: FloatArray) -> tuple[FloatArray, FloatArray]:
        u = np.exp(np.minimum(z, _MOST))
        with np.errstate(divide="ignore"):
            return np.where(u < 1e-8, np.minimum(z, 0.0), np.log(-np.expm1(-np.maximum(u, 1e-9)))), -u

    def hazards(self, z: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
        u = np.exp(np.clip(z, -_MOST, _MOST))
        share = u / -np.expm1(-u)  # u / (1 - exp(-u)), from 1 upwards
        rise = share * np.exp(-u)
        return rise, u, -np.maximum(rise * (share - 1.0), 0.0), u

    def margin(self, mean: FloatArray) -> FloatArray:
        return np.asarray(np.log(-np.log1p(-mean)))


def _near(z: FloatArray) -> FloatArray:
    """Margins whose square is finite."""
    return np.clip(z, -1e150, 1e150)


_LINKS: dict[str, _Link] = {"logit": _Logit(), "probit": _Probit(), "cloglog": _ComplementaryLogLog()}
