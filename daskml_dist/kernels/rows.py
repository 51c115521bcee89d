"""Rows of X, dense or sparse, under the few operations that sums over rows are made of.

Dense rows are arrays. Sparse rows stay sparse: what centring adds to a product is of rank one, and is added
to the result instead of to the rows.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, final

import numpy as np
from scipy.sparse import csr_array, issparse, vstack

from daskml_dist.kernels.blocks import row_blocks
from daskml_dist.types import AnyArray, FloatArray

_SPARSE_ROWS = 1 << 16  # of a sparse block: what is kept for each row stays small
_SPARSE_MARGINS = 1 << 19  # the same of the margins of all rows
_DENSE = 0.1  # share of entries from which on a product of dense rows is faster than one of sparse rows


def canonical(X: Any) -> Any:
    """X as kernels take it: a NumPy array, or a csr_array whose rows have each column once, in order.

    What is in that form already is not copied.
    """
    if not issparse(X):
        return np.asarray(X)
    rows = csr_array(X)
    if rows.dtype == np.longdouble:
        rows = rows.astype(np.float64)
    if not rows.has_canonical_format:
        rows = rows.copy()
        rows.sum_duplicates()
    return rows


def blocks(
    X: AnyArray, at_least: int = 1, *, margins: int = 1, dense: bool = False
) -> Iterator[tuple[slice, AnyArray]]:
    """Slices of rows, and those rows: of dense X, or where ``dense``, as ``row_blocks``; else csr.

    Of sparse X a block has the fewer rows the more ``margins`` are kept for each of them.
    """
    if dense or not issparse(X):
        yield from row_blocks(X, at_least)
        return
    rows = min(_SPARSE_ROWS, max(_SPARSE_MARGINS // margins, 1))
    if X.shape[0] <= rows:
        yield slice(0, X.shape[0]), X
    else:
        for start in range(0, X.shape[0], rows):
            where = slice(start, start + rows)
            yield where, X[where]


def stacked(parts: Sequence[AnyArray]) -> AnyArray:
    """Rows one below the other."""
    if not any(issparse(part) for part in parts):
        return np.concatenate(parts)
    return vstack([csr_array(part) for part in parts], format="csr")  # type: ignore[no-any-return]


def extended(x: AnyArray, centre: FloatArray, intercept: bool) -> FloatArray | SparseRows:
    """(B, q) rows (x - centre, 1), or x itself where there is neither centre nor intercept."""
    if issparse(x):
        return SparseRows(x, centre, intercept)
    if not intercept:
        return x
    rows = np.empty((x.shape[0], x.shape[1] + 1))
    np.subtract(x, centre, out=rows[:, :-1])
    rows[:, -1] = 1.0
    return rows


def dense(x: Any) -> AnyArray:
    """The rows as an array, whether they are sparse or not."""
    return np.asarray(x.toarray() if issparse(x) else x)


def dense_rows(x: AnyArray, centre: FloatArray, intercept: bool) -> FloatArray:
    """(B, q) rows (x - centre, 1), formed whether x is sparse or not."""
    rows = extended(dense(x), centre, intercept)
    assert isinstance(rows, np.ndarray)
    return rows


def squares(rows: FloatArray | SparseRows, curvature: FloatArray) -> FloatArray:
    """sum_i c_i rows_i^2, the diagonal of a Hessian: (q,) for c (B,), or (K, q) for c (K, B)."""
    return rows.squares(curvature) if isinstance(rows, SparseRows) else curvature @ np.square(rows)


def pieces(rows: FloatArray | SparseRows) -> Iterator[tuple[slice, FloatArray]]:
    """Slices of rows, and those rows as dense arrays: few of them at a time where rows are sparse."""
    if isinstance(rows, SparseRows):
        yield from rows.pieces()
    else:
        yield slice(0, rows.shape[0]), rows


@final
class SparseRows:
    """The rows (x - centre, 1) of sparse x, never formed; ``slope @ rows`` is what it is for arrays.

    x : (B, p) csr_array. centre : (p,). intercept : whether there is a column of ones.
    """

    __array_ufunc__ = None  # a product with an array on the left comes to __rmatmul__

    def __init__(self, x: Any, centre: FloatArray, intercept: bool) -> None:
        self.x, self.centre, self.intercept = x.astype(np.float64, copy=False), centre, intercept

    def __rmatmul__(self, slope: FloatArray) -> FloatArray:
        total = slope.sum(axis=-1)[..., None]
        product = slope @ self.x - total * self.centre
        return np.concatenate([product, total], axis=-1) if self.intercept else product

    def of(self, columns: AnyArray) -> SparseRows:
        """The rows of some features, in order, and the ones."""
        return SparseRows(self.x[:, columns], self.centre[columns], self.intercept)

    def squares(self, curvature: FloatArray) -> FloatArray:
        """sum_i c_i (x_i - centre, 1)^2, elementwise."""
        total = curvature.sum(axis=-1)[..., None]
        product = curvature @ self._with(np.square(self.x.data))
        product += self.centre * (total * self.centre - 2.0 * (curvature @ self.x))
        return np.concatenate([product, total], axis=-1) if self.intercept else product

    def gram(self, curvature: FloatArray) -> FloatArray:
        """(q, q) sum_i c_i (x_i - centre, 1) (x_i - centre, 1)', for c (B,)."""
        product = self._gram(curvature)
        if self.centre.any():
            cross = np.outer(self.centre, curvature @ self.x)
            product += curvature.sum() * np.outer(self.centre, self.centre) - cross - cross.T
        if not self.intercept:
            return product
        border = curvature @ self
        return np.block([[product, border[:-1, None]], [border]])

    def pieces(self) -> Iterator[tuple[slice, FloatArray]]:
        """Dense rows (x - centre, 1), few at a time."""
        for where, x in row_blocks(self.x):
            yield where, dense_rows(x, self.centre, self.intercept)

    def _gram(self, curvature: FloatArray) -> FloatArray:
        """(p, p) sum_i c_i x_i x_i'."""
        rows, p = self.x.shape
        if self.x.nnz <= _DENSE * rows * p:
            by_row = np.repeat(curvature, np.diff(self.x.indptr))
            return np.asarray((self.x.T @ self._with(self.x.data * by_row)).toarray(), order="C")
        product = np.zeros((p, p))
        for where, x in row_blocks(self.x, at_least=2 * p):
            product += (x * curvature[where, None]).T @ x
        return product

    def _with(self, data: FloatArray) -> Any:
        """The rows with other entries at the same places."""
        return csr_array((data, self.x.indices, self.x.indptr), shape=self.x.shape)
