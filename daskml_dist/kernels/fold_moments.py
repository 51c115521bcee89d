"""Moments fold by fold: all that least squares needs for each split of a cross-validation, in one pass."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import final

import numpy as np
from scipy.linalg.blas import dsyrk

from daskml_dist.kernels._base import Kernel, Part, Total
from daskml_dist.kernels.moments import weighted_rows
from daskml_dist.kernels.packing import pack, unpack
from daskml_dist.kernels.tally import labels_of
from daskml_dist.splits import Folds
from daskml_dist.types import Chunk, FloatArray


@final
@dataclass(frozen=True)
class FoldMomentsAnswer:
    """Sums of products of (x - x_shift, y - y_shift, 1) over the rows of each fold.

    Attributes
    ----------
    rows : (F,) how many there are.
    products : (F, p + t + 1, p + t + 1), by weight.
    """

    rows: FloatArray
    products: FloatArray


@final
@dataclass(frozen=True)
class FoldMoments(Kernel[FoldMomentsAnswer]):
    """sum_i s_i u_i u_i' over each fold, with u = (x - x_shift, y - offset - y_shift, 1); see ``Moments``.

    What is summed over the training rows of a split is a sum over folds, and so is what is summed over
    its test rows: the fits of all splits and their held-out squared errors come from the same pass.

    Attributes
    ----------
    folds : the fold of each row.
    x_shift, y_shift : (p,) and (t,) what is subtracted.
    """

    folds: Folds
    x_shift: FloatArray
    y_shift: FloatArray

    def chunk(self, chunk: Chunk) -> Part:
        q, folds = self.x_shift.shape[0] + self.y_shift.shape[0] + 1, self.folds.n_folds
        counts, products = np.zeros(folds), [np.zeros((q, q), order="F") for _ in range(folds)]
        for fold, rows in fold_rows(self.folds, chunk, self.x_shift, self.y_shift):
            counts[fold] += len(rows)
            products[fold] = dsyrk(1.0, rows.T, beta=1.0, c=products[fold], lower=1, overwrite_c=1)
        return Part({"rows": counts, "products": np.stack([pack(one) for one in products])})

    def finish(self, total: Total) -> FoldMomentsAnswer:
        products = np.stack([unpack(packed) for packed in total.sums["products"]])
        return FoldMomentsAnswer(total.sums["rows"], products)


def fold_rows(
    folds: Folds, chunk: Chunk, x_shift: FloatArray, y_shift: FloatArray
) -> Iterator[tuple[int, FloatArray]]:
    """Blocks of rows of one fold each: the fold, and (B, p + t + 1) rows as ``weighted_rows`` has them."""
    assert chunk.X is not None and chunk.y is not None
    fold = folds.of(chunk.id, chunk.X.shape[0], labels_of(chunk.y), chunk.groups)
    first = 0
    for rows in weighted_rows(chunk, x_shift, y_shift):
        here = fold[first : first + len(rows)]
        first += len(rows)
        if (here == here[0]).all():
            yield int(here[0]), rows
        else:
            yield from ((one, rows[here == one]) for one in np.unique(here).tolist())
