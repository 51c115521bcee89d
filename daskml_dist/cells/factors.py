"""Triangular factors of each cell: slower than sums of products, and with all digits.

The factor R of the centred rows [x, y] of a block is that of a QR decomposition; two of them are joined by
decomposing both, and a row for what their means differ in.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np

from daskml_dist.cells.moments import Incomplete, masked_weights, slabs
from daskml_dist.cells.solving import Solved, constant
from daskml_dist.types import AnyArray, FloatArray


@final
@dataclass(frozen=True)
class Factors:
    """What least squares must know of B cells and p features, q = p + 1.

    Attributes
    ----------
    used, weight : (B,) samples, and the sums of their weights.
    mean : (B, q) of [x, y], 0 where nothing is centred.
    r : (B, q, q) upper triangular factors of the rows about their mean.
    """

    used: FloatArray
    weight: FloatArray
    mean: FloatArray
    r: FloatArray


def factors_of(
    x: AnyArray, y: AnyArray, weight: AnyArray | None, *, centre: bool, complete: bool = False
) -> Factors:
    """The factors of one block; see ``moments_of``."""
    parts = []
    for slab in slabs(y.shape[1], y.shape[0] * (len(x) + 1)):
        cut = x if x.ndim == 2 else x[:, :, slab]
        w = weight if weight is None or weight.ndim == 1 else weight[:, slab]
        parts.append(_slab(cut, y[:, slab], w, centre, complete))
    if not parts:
        q = len(x) + 1
        return Factors(np.zeros(0), np.zeros(0), np.zeros((0, q)), np.zeros((0, q, q)))
    names = ("used", "weight", "mean", "r")
    return Factors(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


def _slab(x: AnyArray, y: AnyArray, weight: AnyArray | None, centre: bool, complete: bool) -> Factors:
    w, valid = masked_weights(x, y, weight)
    if complete and not valid.all():
        raise Incomplete
    features = np.broadcast_to(x[:, :, None] if x.ndim == 2 else x, (len(x), *y.shape))
    rows = np.moveaxis(np.concatenate([features, y[None]]).astype(np.float64), 0, 2)  # (T, B, q)
    rows = np.where(valid[:, :, None], rows, 0.0).transpose(1, 0, 2)
    w = w.T
    total = w.sum(axis=1)
    mean = np.zeros((len(rows), rows.shape[2]))
    if centre:
        mean = np.einsum("bt,btq->bq", w, rows) / np.where(total != 0.0, total, 1.0)[:, None]
    scaled = (rows - mean[:, None]) * np.sqrt(w)[:, :, None]
    return Factors(np.count_nonzero(w, axis=1).astype(np.float64), total, mean, _triangular(scaled))


def join_factors(a: Factors, b: Factors) -> Factors:
    """The factors of the samples of both."""
    weight = a.weight + b.weight
    share = np.divide(b.weight, weight, out=np.zeros_like(weight), where=weight != 0.0)
    apart = b.mean - a.mean
    between = np.sqrt(a.weight * share)[:, None, None] * apart[:, None]
    r = _triangular(np.concatenate([a.r, b.r, between], axis=1))
    return Factors(a.used + b.used, weight, a.mean + share[:, None] * apart, r)


def solve_factors(factors: Factors, alpha: float) -> Solved:
    """Minimise the squares of each cell plus alpha |w|^2; of several solutions the one of the least norm."""
    q = factors.r.shape[1]
    p = q - 1
    design, target = factors.r[:, :p, :p].copy(), factors.r[:, :p, p]
    squares = np.einsum("bij,bij->jb", design, design)
    design *= ~constant(squares, factors.weight, factors.mean[:, :p].T).T[:, None]
    if alpha > 0.0:
        ridge = np.broadcast_to(np.sqrt(alpha) * np.eye(p), design.shape)
        design = np.concatenate([design, ridge], axis=1)
        target = np.concatenate([target, np.zeros((len(target), p))], axis=1)
    cut = np.finfo(np.float64).eps * np.maximum(factors.used, p)
    w = np.einsum("bij,bj->bi", np.linalg.pinv(design, rcond=cut), target)
    b = factors.mean[:, p] - np.einsum("bp,bp->b", w, factors.mean[:, :p])
    gone = factors.weight == 0.0
    w, b = np.where(gone[:, None], np.nan, w), np.where(gone, np.nan, b)
    return Solved(w.T, b, factors.used, np.zeros(len(b), dtype=bool))


def _triangular(rows: FloatArray) -> FloatArray:
    """(B, q, q) factors R of (B, m, q) rows, with rows of zeros where m < q."""
    q = rows.shape[2]
    if rows.shape[1] < q:
        rows = np.concatenate([rows, np.zeros((len(rows), q - rows.shape[1], q))], axis=1)
    return np.asarray(np.linalg.qr(rows, mode="r"))
