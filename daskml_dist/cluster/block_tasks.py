"""What runs inside the tasks of blockwise training: small functions of rows, blocks and columns."""

from __future__ import annotations

from typing import Any

import numpy as np

from daskml_dist.cluster.blas import single_threaded_blas
from daskml_dist.kernels import Coding
from daskml_dist.kernels.blockwise import ColumnPart, Evaluated, RowPart, added
from daskml_dist.penalties import Penalty
from daskml_dist.types import AnyArray, Chunk, FloatArray


def run(function: Any, *arguments: Any) -> Any:
    """A function with one BLAS thread, of arrays that are aligned even where they crossed the network."""
    with single_threaded_blas():
        return function(*map(aligned, arguments))


def aligned(argument: Any) -> Any:
    """The argument, with its arrays as BLAS wants them."""
    if isinstance(argument, np.ndarray):
        return argument if argument.dtype.kind not in "fiu" else np.require(argument, requirements=["C", "A"])
    if isinstance(argument, ColumnPart | RowPart):
        return type(argument)(**{name: aligned(value) for name, value in vars(argument).items()})
    return argument


def coded(coding: Coding, row: int, names: list[str], *parts: AnyArray) -> Chunk:
    """The target, weight and offset of a row of blocks."""
    return coding.code(Chunk(row, None, **dict(zip(names, parts, strict=True))))


def mean(centred: bool, *totals: FloatArray) -> FloatArray:
    """(p,) the mean of a column of blocks; zero where it is not centred."""
    sums, weight = total(*totals)
    return sums / weight if centred else np.zeros_like(sums)


def start(width: int, intercept: bool, b: float) -> FloatArray:
    """The constant model."""
    return np.append(np.zeros(width), b) if intercept else np.zeros(width)


def moved(part: ColumnPart, step: float) -> FloatArray:
    """(q,) the point after a step along the direction."""
    return part.theta + step * part.direction


def slope(row: RowPart) -> FloatArray:
    """(rows,) weighted slopes."""
    return row.slope


def bend(row: RowPart) -> FloatArray:
    """(rows,) weighted curvatures."""
    return row.curvature


def value(row: RowPart) -> float:
    """What the rows add to F."""
    return row.value


def zeros(row: RowPart) -> FloatArray:
    """(rows,) the margins of no direction."""
    return np.zeros_like(row.margin)


def told(penalty: Penalty, features: int, part: ColumnPart) -> FloatArray:
    """(3,) what a column adds to F, to the square of its gradient, and to residual'z."""
    value = float(penalty.value(part.theta[:features]))
    return np.array([value, float(part.gradient @ part.gradient), part.residual_square])


def evaluated(rows: int, *parts: Any) -> Evaluated:
    """From the values of all rows, and what all columns told."""
    penalty, gradient_square, residual_square = total(*parts[rows:]).tolist()
    return Evaluated(float(total(*parts[:rows])) + penalty, gradient_square, residual_square)


def total(*parts: Any) -> Any:
    """The sum, in the order given."""
    return added(parts)


def conjugate_of(part: ColumnPart) -> FloatArray:
    """(q,) v of a column."""
    return part.conjugate


def product_along(part: ColumnPart) -> float:
    """v'Hv of a column."""
    return float(part.conjugate @ part.product)


def residual_square(part: ColumnPart) -> float:
    """residual'z of a column."""
    return part.residual_square


def bent(row: RowPart, margin: FloatArray) -> FloatArray:
    """(rows,) curvature times the margins of v."""
    return row.curvature * margin


def gone(along: FloatArray, conjugate: FloatArray, alpha: float) -> FloatArray:
    """(rows,) margins of the direction, a step further along v."""
    return along + alpha * conjugate


def trial_penalties(
    penalty: Penalty, features: int, part: ColumnPart, steps: tuple[float, ...]
) -> FloatArray:
    """(T,) the penalty of a column at steps along the direction."""
    w, d = part.theta[:features], part.direction[:features]
    return np.array([float(penalty.value(w + step * d)) for step in steps])
