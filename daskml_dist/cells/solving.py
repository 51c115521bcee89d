"""From the moments of each cell to its coefficients, all cells in the same p steps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np

from daskml_dist.cells.moments import Moments
from daskml_dist.types import AnyArray, FloatArray

PIVOT = 1e-4
"""A pivot of the scaled Gram matrix below this: its square would cost more than half of the digits."""
_ROUNDING = 64 * np.finfo(np.float64).eps


@final
@dataclass(frozen=True)
class Solved:
    """Coefficients of each cell.

    Attributes
    ----------
    w : (p, C). b : (C,); NaN in cells without samples.
    used : (C,) samples.
    doubtful : (C,) where the Gram matrix is too ill-conditioned to be solved with all digits.
    """

    w: FloatArray
    b: FloatArray
    used: FloatArray
    doubtful: AnyArray


def solve_moments(moments: Moments, ridge: FloatArray) -> Solved:
    """Minimise the squares of each cell plus w' ridge w.

    Parameters
    ----------
    moments : of all samples.
    ridge : (p, p) what is added to the sums of products.
    """
    p, cells = moments.xy.shape
    xx = moments.xx + ridge[:, :, None]
    there = np.broadcast_to(moments.weight > 0.0, (cells,))
    doubtful = np.zeros(cells, dtype=bool)
    w = np.zeros((p, cells))
    if p:
        factor, sound = cholesky(xx, PIVOT)
        w = solve_cholesky(factor, moments.xy)
        diagonal = np.einsum("iic->ic", moments.xx)
        rounded = (diagonal < 1e-5 * moments.raw).any(axis=0)
        doubtful |= ~sound | (rounded & ~(np.diag(ridge) > 0.0).all())
        doubtful |= constant(diagonal, moments.weight, moments.x_mean).any(axis=0)
    b = moments.y_mean - np.einsum("pc,pc->c", *np.broadcast_arrays(moments.x_mean, w)) + np.zeros(cells)
    missing = ~there
    w, b = np.where(missing, np.nan, w), np.where(missing, np.nan, b)
    return Solved(w, b, np.broadcast_to(moments.used, (cells,)), doubtful & there)


def constant(squares: FloatArray, weight: FloatArray, mean: FloatArray) -> AnyArray:
    """(p, C) whether the spread of a feature is nothing but the rounding of its mean."""
    return np.asarray(squares <= weight * np.square(_ROUNDING * mean))


def cholesky(matrix: FloatArray, pivot: float) -> tuple[tuple[FloatArray, FloatArray], AnyArray]:
    """Factors of (p, p, C) symmetric matrices, scaled to a diagonal of ones, column by column.

    Returns
    -------
    lower, scale : (p, p, C) and (p, C). A direction whose pivot is too small is left out: its diagonal is
        infinite, so that solutions are 0 along it.
    sound : (C,) whether no pivot was below ``pivot``.
    """
    diagonal = np.einsum("iic->ic", matrix)
    scale = np.sqrt(np.where(diagonal > 0.0, diagonal, 1.0))
    scaled = matrix / (scale[:, None] * scale[None])
    lower = np.zeros_like(scaled)
    sound = np.ones(matrix.shape[2], dtype=bool)
    for j in range(len(matrix)):
        column = scaled[j:, j] - np.einsum("ikc,kc->ic", lower[j:, :j], lower[j, :j])
        good = column[0] >= pivot
        sound &= good
        lower[j, j] = np.sqrt(np.where(good, column[0], np.inf))
        lower[j + 1 :, j] = np.where(good, column[1:], 0.0) / np.where(good, lower[j, j], 1.0)
    return (lower, scale), sound


def solve_cholesky(factor: tuple[FloatArray, FloatArray], right: FloatArray) -> FloatArray:
    """(p, C) solutions for (p, C) right sides."""
    lower, scale = factor
    z = half_solve(factor, right)
    for j in range(len(z) - 1, -1, -1):
        z[j] = (z[j] - np.einsum("kc,kc->c", *_broadcast(lower[j + 1 :, j], z[j + 1 :]))) / lower[j, j]
    return z / scale


def half_solve(factor: tuple[FloatArray, FloatArray], right: FloatArray) -> FloatArray:
    """(p, C) L^-1 of (p, C) right sides."""
    lower, scale = factor
    z = np.array(right / scale)
    for j in range(len(z)):
        z[j] = (z[j] - np.einsum("kc,kc->c", *_broadcast(lower[j, :j], z[:j]))) / lower[j, j]
    return z


def _broadcast(a: FloatArray, b: FloatArray) -> list[FloatArray]:
    """Two arrays of the same cells, where the first may be shared by all."""
    return [np.broadcast_to(a, b.shape), b]
