"""The normal equations of least squares with a ridge, from second moments."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np
from scipy.linalg import LinAlgError, cho_solve, cholesky
from scipy.linalg.lapack import dpocon

from daskml_dist.kernels import Point
from daskml_dist.solvers.hessian import Hessian
from daskml_dist.types import FloatArray

_EPS = np.finfo(np.float64).eps


@final
@dataclass(frozen=True)
class Centred:
    """Second moments of p features and t targets about their means, or about zero without an intercept.

    Attributes
    ----------
    matrix : (p, p) of the features; exactly zero in what is constant.
    right : (p, t) of features and targets.
    y_square : (t,) of the targets.
    centre, y_centre : (p,), (t,) the means.
    weight : the sum of the weights.
    intercept : whether there is one.
    """

    matrix: FloatArray
    right: FloatArray
    y_square: FloatArray
    centre: FloatArray
    y_centre: FloatArray
    weight: float
    intercept: bool

    @classmethod
    def of(
        cls, products: FloatArray, x_shift: FloatArray, y_shift: FloatArray, *, intercept: bool
    ) -> Centred:
        """From sums of products of (x - x_shift, y - y_shift, 1)."""
        p, t = x_shift.shape[0], y_shift.shape[0]
        total = products[-1, -1]
        moments = products[:-1, :-1] / total
        mean = products[:-1, -1] / total if intercept else np.zeros(p + t)
        raw_square = np.diag(moments).copy()
        moments = moments - np.outer(mean, mean)
        matrix, right = moments[:p, :p], moments[:p, p:]
        # what is left of a constant column is rounding
        noise = 64 * _EPS * (raw_square[:p] + _EPS * np.square(x_shift))
        constant = np.diag(matrix) <= noise
        matrix[constant, :] = matrix[:, constant] = 0.0
        right[constant] = 0.0
        square = np.diag(moments)[p:]
        return cls(matrix, right, square, x_shift + mean[:p], y_shift + mean[p:], float(total), intercept)


@final
@dataclass(frozen=True)
class Normal:
    """The normal equations A w = c of t targets, centred, with columns scaled to unit diagonal.

    ``factor`` is the Cholesky factor of the scaled A, ``condition`` a lower estimate of its reciprocal
    condition number, zero where it has none. ``blank`` says that a column is constant and not penalised.
    """

    matrix: FloatArray  # (p, p) scaled
    right: FloatArray  # (p, t) scaled
    scale: FloatArray  # (p,)
    factor: FloatArray
    condition: float
    y_square: FloatArray  # (t,) mean square of the centred targets
    centre: FloatArray
    y_centre: FloatArray
    intercept: bool
    blank: bool

    @classmethod
    def of(cls, moments: Centred, ridge: FloatArray) -> Normal:
        """With (p,) ``ridge`` on the diagonal."""
        matrix, scale = scaled(moments.matrix, ridge)
        factor, condition = _factorised(matrix)
        return cls(
            matrix,
            moments.right / scale[:, None],
            scale,
            factor,
            condition,
            moments.y_square,
            moments.centre,
            moments.y_centre,
            moments.intercept,
            bool(np.any(np.diag(moments.matrix) + ridge <= 0.0)),
        )

    @property
    def hessian(self) -> Hessian | None:
        """That of F in the coefficients, with the intercept minimised out; None where it is singular."""
        return None if self.blank or self.condition == 0.0 else Hessian(self.scale, self.factor, False)

    def solve(self, right: FloatArray) -> FloatArray:
        """(p, t) scaled coefficients, with one step of refinement in the matrix itself."""
        first = cho_solve((self.factor, True), right)
        return np.asarray(first + cho_solve((self.factor, True), right - self.matrix @ first))

    def point(self, coefficients: FloatArray) -> Point:
        """The (p, t) scaled coefficients in the units of the data."""
        w = np.ascontiguousarray((coefficients / self.scale[:, None]).T)
        if self.intercept:
            return Point(w, self.y_centre, self.centre, True)
        return Point(w, np.zeros(len(w)), np.zeros(w.shape[1]), False)


def scaled(matrix: FloatArray, ridge: FloatArray) -> tuple[FloatArray, FloatArray]:
    """(p, p) the matrix plus ``ridge``, scaled to ones on its diagonal, and (p,) the scale."""
    matrix = matrix + np.diag(ridge)
    scale = np.sqrt(np.where(np.diag(matrix) > 0.0, np.diag(matrix), 1.0))
    matrix = matrix / np.outer(scale, scale)
    np.fill_diagonal(matrix, 1.0)
    return matrix, scale


def _factorised(matrix: FloatArray) -> tuple[FloatArray, float]:
    try:
        factor = cholesky(matrix, lower=True, check_finite=False)
    except LinAlgError:
        return np.eye(matrix.shape[0]), 0.0
    condition, _ = dpocon(factor, np.abs(matrix).sum(axis=0).max(), uplo="L")
    return factor, float(condition)
