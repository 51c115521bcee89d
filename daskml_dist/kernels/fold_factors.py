"""Triangular factors fold by fold, for data whose moments have lost too many digits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, final

import numpy as np

from daskml_dist.kernels._base import Kernel, Part, Total
from daskml_dist.kernels.blocks import block_rows
from daskml_dist.kernels.fold_moments import fold_rows
from daskml_dist.kernels.refusal import refuse_non_finite
from daskml_dist.kernels.tsqr import factor, joined, merged
from daskml_dist.splits import Folds
from daskml_dist.types import Chunk, FloatArray


@final
@dataclass(frozen=True)
class FoldFactorsAnswer:
    """R with R'R the sum of s u u' over the rows of a fold, u = (1, x - x_shift, y - y_shift).

    Attributes
    ----------
    rows : (F,) how many there are.
    factors : one for each fold, (m, p + t + 1) with m <= p + t + 1.
    """

    rows: FloatArray
    factors: tuple[FloatArray, ...]


@final
@dataclass(frozen=True)
class FoldFactors(Kernel[FoldFactorsAnswer]):
    """The factor of each fold, never squared: as ``TSQR``, with the fields of ``FoldMoments``."""

    folds: Folds
    x_shift: FloatArray
    y_shift: FloatArray

    def chunk(self, chunk: Chunk) -> Part:
        q = self.x_shift.shape[0] + self.y_shift.shape[0] + 1
        order = [q - 1, *range(q - 1)]  # the column of ones first: the rest of R is centred
        tall = max(4 * q, block_rows(q))
        counts = np.zeros(self.folds.n_folds)
        piles: dict[int, list[FloatArray]] = {}
        for fold, rows in fold_rows(self.folds, chunk, self.x_shift, self.y_shift):
            counts[fold] += len(rows)
            pile = piles.setdefault(fold, [np.zeros((0, q))])
            pile.append(rows[:, order])
            if sum(len(block) for block in pile[1:]) >= tall:
                pile[:] = [factor(pile)]
        factors = {(fold, 0, chunk.id): factor(pile) for fold, pile in piles.items()}
        if not all(np.isfinite(one).all() for one in factors.values()):
            refuse_non_finite(chunk)
        return Part({"rows": counts}, gathered=factors)

    def fold(self, gathered: dict[Any, Any]) -> dict[Any, Any]:
        return merged(gathered)

    def finish(self, total: Total) -> FoldFactorsAnswer:
        trees: list[dict[Any, FloatArray]] = [{} for _ in range(self.folds.n_folds)]
        for node, found in total.gathered.items():
            trees[node[0]][node] = found
        empty = np.zeros((0, self.x_shift.shape[0] + self.y_shift.shape[0] + 1))
        factors = tuple(joined(tree) if tree else empty for tree in trees)
        return FoldFactorsAnswer(total.sums["rows"], factors)
