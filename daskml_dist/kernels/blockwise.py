"""What is asked of data that are cut by rows and by columns, and what each block does for it.

X has R x C blocks. The coefficients of a column of blocks live with it, as do all vectors of their kind;
margins live with a row of blocks. Whoever asks sees numbers alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np
from scipy.linalg import cho_solve
from scipy.sparse import issparse

from daskml_dist.errors import InvalidData
from daskml_dist.kernels.cholesky import lifted_cholesky
from daskml_dist.kernels.refusal import refuse_non_finite
from daskml_dist.kernels.rows import blocks, dense_rows, extended, squares
from daskml_dist.kernels.weights import weighted
from daskml_dist.losses import Loss
from daskml_dist.penalties import Penalty
from daskml_dist.types import Chunk, FloatArray

MOST_BLOCK_COLUMNS = 2048  # up to which the preconditioner of a column of blocks is its Hessian


@final
@dataclass(frozen=True)
class Evaluate:
    """Go ``step`` along the direction; F, gradient and curvature there. Conjugate gradients begin anew."""

    step: float


@final
@dataclass(frozen=True)
class Multiply:
    """v <- z + beta v, and the curvature v'Hv along it."""

    beta: float


@final
@dataclass(frozen=True)
class Advance:
    """direction += alpha v, residual -= alpha H v; then z, the preconditioned residual, and residual'z."""

    alpha: float


@final
@dataclass(frozen=True)
class Try:
    """F at some steps along the direction; X is not read."""

    steps: tuple[float, ...]


@final
@dataclass(frozen=True)
class Evaluated:
    """F, the squared norm of its gradient, and of that in the inverse of the preconditioner."""

    value: float
    gradient_square: float
    residual_square: float


BlockQuestion = Evaluate | Multiply | Advance | Try


@final
@dataclass(frozen=True)
class RowPart:
    """What a row of blocks knows of its rows: y, weight over the sum of weights, and offset.

    ``margin``, ``slope`` and ``curvature`` (rows,) are those at the point, the latter two times the weight.
    """

    y: FloatArray
    share: FloatArray
    offset: FloatArray | None
    margin: FloatArray
    slope: FloatArray
    curvature: FloatArray
    value: float


@final
@dataclass(frozen=True)
class ColumnPart:
    """The vectors of a column of blocks, (q,) each: its coefficients, and the intercept in the first column.

    theta : the point. residual : -(gradient + H direction). ``factor`` is the preconditioner: the Cholesky
    factor of this block of the Hessian, or its diagonal.
    """

    theta: FloatArray
    gradient: FloatArray
    factor: FloatArray
    direction: FloatArray
    residual: FloatArray
    preconditioned: FloatArray
    conjugate: FloatArray
    product: FloatArray

    @property
    def residual_square(self) -> float:
        """residual'z of this column."""
        return float(self.residual @ self.preconditioned)


def sums(block: Any, row: int, column: int, first: int, rows: Chunk) -> FloatArray:
    """(2, p) weighted sums of a block's columns and the weight; refuses NaN and infinity."""
    s = np.ones(block.shape[0]) if rows.weight is None else rows.weight
    values = block.data if issparse(block) else block
    if not np.isfinite(values).all():
        try:
            refuse_non_finite(Chunk(row, block))
        except InvalidData as error:
            raise InvalidData(
                f"{error} The column is counted in block ({row}, {column}), from column {first}."
            ) from None
    totals = np.zeros(block.shape[1])
    for where, x in blocks(block):
        totals += s[where] @ x
    return np.stack([totals, np.full(block.shape[1], s.sum())])


def forward(block: Any, theta: FloatArray, centre: FloatArray, intercept: bool) -> FloatArray:
    """(rows,) what a block adds to the margins."""
    if issparse(block):
        margin = block @ theta[: block.shape[1]] - centre @ theta[: block.shape[1]]
        return np.asarray(margin + theta[-1] if intercept else margin)
    margin = np.empty(block.shape[0])
    for where, x in blocks(block):
        margin[where] = _rows(x, centre, intercept) @ theta
    return margin


def backward(block: Any, slope: FloatArray, centre: FloatArray, intercept: bool) -> FloatArray:
    """(q,) what a block adds to a gradient."""
    total = np.zeros(block.shape[1] + intercept)
    for where, x in blocks(block):
        total += slope[where] @ _rows(x, centre, intercept)
    return total


def curvature_of(block: Any, curvature: FloatArray, centre: FloatArray, intercept: bool) -> FloatArray:
    """(q, q) what a block adds to its part of the Hessian; (q,) the diagonal where it is large."""
    q = block.shape[1] + intercept
    large = q > MOST_BLOCK_COLUMNS
    total = np.zeros(q if large else (q, q))
    for where, x in blocks(block):
        if large:
            total += squares(_rows(x, centre, intercept), curvature[where])
        else:
            rows = dense_rows(x, centre, True)[:, :q]
            total += (rows * curvature[where, None]).T @ rows
    return total


def _rows(x: Any, centre: FloatArray, intercept: bool) -> Any:
    """The centred rows, with a one where there is an intercept."""
    return extended(x, centre, intercept) if intercept or issparse(x) else np.subtract(x, centre)


def added(parts: Sequence[Any]) -> Any:
    """The sum, in the order given."""
    total = parts[0]
    for part in parts[1:]:
        total = total + part
    return total


def row_part(loss: Loss, rows: Chunk, weight_sum: float, *margins: FloatArray) -> RowPart:
    """The rows at a point, whose margins are the sums of these."""
    assert rows.y is not None
    share = np.full(len(rows.y), 1.0) if rows.weight is None else rows.weight
    margin = added([*margins, *([] if rows.offset is None else [rows.offset])])
    value, slope, curvature = loss.value_slope_curvature(rows.y, margin)
    share = share / weight_sum
    total = float(weighted(share, value).sum())
    slope, curvature = weighted(share, slope), weighted(share, curvature)
    return RowPart(rows.y, share, rows.offset, margin, slope, curvature, total)


def trial_values(loss: Loss, rows: RowPart, along: FloatArray, steps: Sequence[float]) -> FloatArray:
    """(T,) the mean loss of the rows at steps along a direction, whose margins are given."""
    values = [weighted(rows.share, loss.value(rows.y, rows.margin + step * along)).sum() for step in steps]
    return np.array(values)


def column_part(
    penalty: Penalty, features: int, theta: FloatArray, rows: int, *parts: FloatArray
) -> ColumnPart:
    """The vectors of a column of blocks at a new point, from its ``rows`` gradients and as many Hessians."""
    w = theta[:features]
    gradient, hessian = added(parts[:rows]).copy(), added(parts[rows:]).copy()
    gradient[:features] += penalty.gradient(w)
    factor = _factored(hessian, penalty.curvature(w))
    zero = np.zeros_like(theta)
    z = _solved(factor, -gradient)
    return ColumnPart(theta, gradient, factor, zero, -gradient, z, zero, zero)


def conjugate(part: ColumnPart, beta: float) -> ColumnPart:
    """v <- z + beta v."""
    return _with(part, conjugate=part.preconditioned + beta * part.conjugate)


def multiplied(penalty: Penalty, features: int, part: ColumnPart, *products: FloatArray) -> ColumnPart:
    """H v, from what the blocks add to it."""
    product = added(products).copy()
    product[:features] += penalty.curvature(part.theta[:features]) * part.conjugate[:features]
    return _with(part, product=product)


def advanced(part: ColumnPart, alpha: float) -> ColumnPart:
    """A step of conjugate gradients."""
    residual = part.residual - alpha * part.product
    return _with(
        part,
        direction=part.direction + alpha * part.conjugate,
        residual=residual,
        preconditioned=_solved(part.factor, residual),
    )


def _with(part: ColumnPart, **changed: FloatArray) -> ColumnPart:
    return ColumnPart(**(vars(part) | changed))


def _factored(hessian: FloatArray, ridge: FloatArray) -> FloatArray:
    """The Cholesky factor of a block of the Hessian, or its diagonal; lifted a little where singular."""
    if hessian.ndim == 1:
        hessian[: len(ridge)] += ridge
        return np.where(hessian > 0.0, hessian, 1.0)
    np.einsum("ii->i", hessian)[: len(ridge)] += ridge
    scale, factor = lifted_cholesky(hessian)
    return np.asarray(scale[:, None] * factor)


def _solved(factor: FloatArray, vector: FloatArray) -> FloatArray:
    """The preconditioner's inverse times a vector."""
    return vector / factor if factor.ndim == 1 else np.asarray(cho_solve((factor, True), vector))
