"""How far from the minimum a point can still be, and of what kind the statement is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np
from scipy.linalg import LinAlgError, cholesky, solve_triangular

from daskml_dist.types import FloatArray, GapKind

_ROUNDING = 32 * np.finfo(np.float64).eps


@final
@dataclass(frozen=True)
class Gap:
    """F(theta) - min F is at most ``value`` (or about ``value``, for an estimate)."""

    value: float
    kind: GapKind


def omega(u: float) -> float:
    """u + (1 - u) log(1 - u): u^2 / 2 + u^3 / 6 + ... for 0 <= u < 1, and infinity beyond."""
    if u >= 1.0:
        return float("inf")
    if u < 1e-3:  # the closed form cancels
        return u * u * (0.5 + u * (1.0 / 6.0 + u / 12.0))
    return float(u + (1.0 - u) * np.log1p(-u))


def self_concordance(decrement: float, radius: float) -> float:
    """Bound on F(theta) - min F where |phi'''| <= max_i |x_i' v| phi'' along each line.

    With decrement lambda = |g| in H^-1 and radius rho = max_i |x_i| in H^-1, the bound is
    omega(rho lambda) / rho^2, which tends to lambda^2 / 2. It is infinite for rho lambda >= 1.
    Derivation in docs/certificates.md; compare Bach 2010, proposition 1, and Sun and Tran-Dinh 2019.
    """
    if radius == 0.0:
        return 0.5 * decrement**2
    u = radius * decrement
    if u < 1e-8:
        return 0.5 * decrement**2
    return omega(u) / radius**2


def strong_convexity(gradient_norm: float, convexity: float, objective: float) -> Gap:
    """The bound ``|g|^2 / (2 mu)`` where F - mu |w|^2 / 2 is convex in all parameters."""
    return Gap(gradient_norm**2 / (2.0 * convexity) + _ROUNDING * objective, "strong-convexity")


def after_newton_step(decrement: float, radius: float) -> float:
    """The same bound for the point that a full Newton step leads to.

    Along the step the Hessian changes by a factor of at most exp(+-u), u = rho lambda; so the new
    gradient is at most (exp(u) - 1 - u) / u * lambda in the old metric, and both the new decrement
    and the new radius gain a factor exp(u / 2).
    """
    u = radius * decrement
    if u >= 1.0:
        return float("inf")
    left = u / 2.0 + u * u / 6.0 * np.exp(u) if u < 1e-3 else (np.expm1(u) - u) / u
    growth = float(np.exp(0.5 * u))
    return self_concordance(growth * float(left) * decrement, growth * radius)


@final
@dataclass(frozen=True)
class Proof:
    """Decrement and radius in the exact Hessian of F, from which gaps are proven."""

    decrement: float
    radius: float

    def gap(self, objective: float) -> Gap:
        """At the point itself."""
        return Gap(self_concordance(self.decrement, self.radius) + _ROUNDING * objective, "self-concordance")

    def gap_after_step(self, objective: float) -> Gap:
        """At the point that a full Newton step leads to."""
        return Gap(after_newton_step(self.decrement, self.radius) + _ROUNDING * objective, "self-concordance")


def prove(
    hessian: FloatArray, gradient: FloatArray, metric_factor: FloatArray, radius: float, concordance: float
) -> Proof | None:
    """The proof from an exact Hessian; None where that is singular.

    Parameters
    ----------
    hessian : (q, q) of F. gradient : (q,) of F.
    metric_factor : (q, q) lower Cholesky factor of the metric in which the radius was measured.
    radius : the largest norm of a row in the inverse of that metric.
    concordance : the constant of the loss (see ``Loss.self_concordance``).
    """
    scale = np.sqrt(np.diag(hessian))
    if not (scale > 0.0).all():
        return None
    try:
        lower = cholesky(hessian / np.outer(scale, scale), lower=True, check_finite=False)
    except LinAlgError:
        return None
    if np.diag(lower).min() < 1e-6:
        return None
    decrement = float(np.linalg.norm(solve_triangular(lower, gradient / scale, lower=True)))
    # |x| in H^-1 <= |x| in M^-1 times the largest singular value of H^-1/2 M^1/2
    change = solve_triangular(lower, metric_factor / scale[:, None], lower=True)
    return Proof(decrement, concordance * radius * float(np.linalg.norm(change, 2)))
