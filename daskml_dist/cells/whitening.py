"""Features that all cells share, turned so that they are uncorrelated and their Gram matrix is easy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np

from daskml_dist.cells.factors import Factors
from daskml_dist.cells.solving import constant
from daskml_dist.types import AnyArray, FloatArray


@final
@dataclass(frozen=True)
class Whitening:
    """x' = turn' (x - mean), r features made of p.

    Attributes
    ----------
    mean : (p,). turn : (p, r); w = turn w' are the coefficients of x where w' are those of x'.
    """

    mean: FloatArray
    turn: FloatArray

    def of(self, x: AnyArray) -> FloatArray:
        """(r, T) of features (p, T)."""
        return np.asarray(self.turn.T @ (np.asarray(x, dtype=np.float64) - self.mean[:, None]))

    def back(self, w: FloatArray, b: FloatArray) -> tuple[FloatArray, FloatArray]:
        """(p, C) coefficients and (C,) intercepts for x, from those for x'."""
        found = self.turn @ w
        return found, b - self.mean @ found

    def ridge(self, alpha: float) -> FloatArray:
        """(r, r) alpha |w|^2 as a form of w'."""
        return np.asarray(alpha * self.turn.T @ self.turn)


def plain(p: int) -> Whitening:
    """Features as they are."""
    return Whitening(np.zeros(p), np.eye(p))


def whitening_of(factors: Factors) -> Whitening:
    """From the factors of the features, as those of one cell whose y is 0.

    What the features do not span is left out, so that coefficients have the least norm.
    """
    p = factors.r.shape[1] - 1
    r, mean = factors.r[0, :p, :p].copy(), factors.mean[0, :p]
    squares = np.square(r).sum(axis=0)
    r *= ~constant(squares[:, None], factors.weight[:1], mean[:, None])[:, 0]
    scale = np.sqrt(np.square(r).sum(axis=0))
    cut = np.finfo(np.float64).eps * max(float(factors.used[0]), p)
    if p and (scale > 0.0).all():
        _, size, right = np.linalg.svd(r / scale)
        if size[-1] > 10.0 * cut * size[0]:
            return Whitening(mean, (right.T / size) / scale[:, None])
    _, size, right = np.linalg.svd(r)
    kept = size > cut * size.max(initial=0.0)
    return Whitening(mean, right[kept].T / size[kept])
