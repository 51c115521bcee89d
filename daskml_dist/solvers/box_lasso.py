"""A convex quadratic with absolute values and bounds: coordinate descent, and Newton for what is free."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np
from scipy.linalg import LinAlgError, cho_factor, cho_solve, eigh

from daskml_dist.types import AnyArray, FloatArray

_SWEEPS = 2000
_NOISE = 32.0 * np.finfo(np.float64).eps
_SINGULAR = 1e-6  # least diagonal of a Cholesky factor, whose square is where float64 sees a direction at all


@final
@dataclass(frozen=True)
class BoxLasso:
    """minimise w' G w / 2 - r' w + sum_j l1_j |w_j| subject to lower <= w <= upper.

    Attributes
    ----------
    G : (p, p) positive semi-definite, with ones on its diagonal.
    r, l1, lower, upper : (p,); l1 >= 0, lower <= 0 <= upper.
    """

    G: FloatArray
    r: FloatArray
    l1: FloatArray
    lower: FloatArray
    upper: FloatArray

    def minimum(self, start: FloatArray | None = None) -> FloatArray:
        """(p,) the minimum, to rounding.

        Cyclic coordinate descent over the coefficients that are not zero or want to leave it (Friedman,
        Hastie and Tibshirani 2010, "Regularization paths"). When no sign changes any more, the linear system
        of the free coefficients is solved, which coordinate descent would need many sweeps for.
        """
        w = np.zeros(self.r.size) if start is None else np.clip(start, self.lower, self.upper)
        w = self._settled(w)
        g = self.r - self.G @ w
        pattern = self._pattern(w)
        for _ in range(_SWEEPS):
            pull = self.subgradient(w, g)
            if (np.abs(pull) <= _NOISE * (np.abs(self.r) + np.abs(w).sum())).all():
                break
            self._sweep(w, g, np.flatnonzero((w != 0.0) | (pull != 0.0)))
            before, pattern = pattern, self._pattern(w)
            if (before == pattern).all():
                w = self._settled(w)
                g = self.r - self.G @ w
                pattern = self._pattern(w)
        return w

    def subgradient(self, w: FloatArray, g: FloatArray | None = None) -> FloatArray:
        """(p,) the shortest subgradient at w, zero exactly at the minimum; g = r - G w where it is known."""
        g = self.r - self.G @ w if g is None else g
        return shortest_subgradient(-g, w, self.l1, self.lower, self.upper)

    def _sweep(self, w: FloatArray, g: FloatArray, which: AnyArray) -> None:
        """Minimise along each of the coordinates in turn, in place."""
        for j in which:
            z = w[j] + g[j]
            shrunk = z - self.l1[j] if z > self.l1[j] else z + self.l1[j] if z < -self.l1[j] else 0.0
            new = min(max(shrunk, self.lower[j]), self.upper[j])
            if new != w[j]:
                g -= (new - w[j]) * self.G[j]
                w[j] = new

    def _pattern(self, w: FloatArray) -> FloatArray:
        """(p,) signs, and 2 or -2 at a bound."""
        return np.sign(w) + np.where(w >= self.upper, 1.0, 0.0) - np.where(w <= self.lower, 1.0, 0.0)

    def _settled(self, w: FloatArray) -> FloatArray:
        """The minimum over the free coefficients; those that meet zero or a bound on the way stay there.

        All that would pass zero or a bound are put there at once, where that is better than to stop at the
        first of them.
        """
        while True:
            free = np.flatnonzero(((w != 0.0) | (self.l1 == 0.0)) & (w > self.lower) & (w < self.upper))
            if not free.size:
                return w
            G = self.G[np.ix_(free, free)]
            pull = self.r[free] - self.G[free] @ w - np.sign(w[free]) * self.l1[free]
            step = _solved(G, pull)
            ends = np.where(step > 0.0, self.upper[free], self.lower[free])
            ends = np.where((w[free] * step < 0.0) & (self.l1[free] > 0.0), 0.0, ends)
            with np.errstate(divide="ignore", invalid="ignore"):
                room = np.where(step != 0.0, (ends - w[free]) / step, np.inf)
            first = int(np.argmin(room))
            w = w.copy()
            if room[first] > 1.0:
                w[free] = np.clip(w[free] + step, self.lower[free], self.upper[free])
                return w
            near = np.clip(w[free] + room[first] * step, self.lower[free], self.upper[free])
            near[first] = ends[first]
            far = np.where(room <= 1.0, ends, w[free] + step)
            moves = [end - w[free] for end in (near, far)]
            falls = [float(pull @ move - 0.5 * (move @ G @ move)) for move in moves]
            w[free] = far if falls[1] > falls[0] else near


def shortest_subgradient(
    gradient: FloatArray,
    w: FloatArray,
    l1: float | FloatArray,
    lower: float | FloatArray,
    upper: float | FloatArray,
) -> FloatArray:
    """(p,) of a smooth function with this gradient, plus sum_j l1_j |w_j|, within bounds."""
    least, most = subgradients(gradient, w, l1, lower, upper)
    return np.where(least > 0.0, least, np.where(most < 0.0, most, 0.0))


def subgradients(
    gradient: FloatArray,
    w: FloatArray,
    l1: float | FloatArray,
    lower: float | FloatArray,
    upper: float | FloatArray,
) -> tuple[FloatArray, FloatArray]:
    """(p,) the least and (p,) the largest subgradient of the same in each coordinate."""
    least = np.where(w > 0.0, l1, -np.asarray(l1)) + gradient
    most = np.where(w < 0.0, -np.asarray(l1), l1) + gradient
    least = np.where(w <= lower, -np.inf, least)
    return least, np.where(w >= upper, np.inf, most)


def _solved(matrix: FloatArray, right: FloatArray) -> FloatArray:
    """matrix^-1 right; where that does not exist, a long way along the part of right in the null space."""
    try:
        factor = cho_factor(matrix, lower=True, check_finite=False)
        if np.diag(factor[0]).min() > _SINGULAR:
            return np.asarray(cho_solve(factor, right, check_finite=False))
    except LinAlgError:
        pass
    values, vectors = eigh(matrix, check_finite=False)
    inside = vectors.T @ right
    kept = values > _SINGULAR**2 * values[-1]
    lost = np.where(kept, 0.0, inside)
    if np.abs(lost).max() > _NOISE * np.abs(right).max() * right.size:
        return np.asarray(vectors @ lost) / _SINGULAR**2
    return np.asarray(vectors @ np.where(kept, inside / np.where(kept, values, 1.0), 0.0))
