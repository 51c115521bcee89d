"""Leave-one-out errors of ridge regressions: exact, without fitting each of them n times."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np

from daskml_dist.kernels._base import Kernel, Part, Total
from daskml_dist.kernels.blocks import row_blocks
from daskml_dist.kernels.sweep import Point
from daskml_dist.types import Chunk, FloatArray

_LEAST = 1e-30  # instead of zero, where a row alone decides its prediction; ``leverage`` tells


@final
@dataclass(frozen=True)
class LeaveOneOutAnswer:
    """What each row is off by when it is predicted without it.

    Attributes
    ----------
    rows : n.
    errors : (A, t) sum_i s_i e_i^2 for each of A penalties and t targets.
    leverage : (A,) the largest leverage of a row.
    each : (n, t, A) s_i e_i^2 of each row, where it was asked for.
    """

    rows: int
    errors: FloatArray
    leverage: FloatArray
    each: FloatArray | None


@final
@dataclass(frozen=True)
class LeaveOneOut(Kernel[LeaveOneOutAnswer]):
    """The residual of a row over one minus its leverage, for A penalties at once.

    With d = x - centre, the leverage of a row in the ridge regression with the Gram matrix G and the
    penalty a is s d' (G + a I)^-1 d, and s / weight_sum more with an intercept (Golub, Heath and Wahba
    1979, "Generalized cross-validation", section 2). (G + a I)^-1 = V' diag(v_a) V, with the same V for
    all penalties or with one for each.

    Attributes
    ----------
    points : the fits: A t problems, penalty after penalty, with one centre.
    bases : (m, p, p) the matrices V, with m = 1 or m = A.
    scales : (A, p) the vectors v_a.
    share : 1 / weight_sum with an intercept, else 0.
    keep : whether the errors of each row are wanted.
    """

    points: Point
    bases: FloatArray
    scales: FloatArray
    share: float
    keep: bool = False

    def chunk(self, chunk: Chunk) -> Part:
        assert chunk.X is not None and chunk.y is not None
        penalties = len(self.scales)
        y = chunk.y.reshape(chunk.X.shape[0], -1)
        errors, leverage = np.zeros((penalties, y.shape[1])), np.zeros(penalties)
        kept = []
        for where, x in row_blocks(chunk.X):
            weight = np.ones(len(x)) if chunk.weight is None else chunk.weight[where]
            d = x - self.points.centre
            h = weight[:, None] * (self._lengths(d) + self.share)  # (B, A)
            z = d @ self.points.w.T + self.points.b
            off = y[where][:, None, :] - z.reshape(len(x), penalties, -1)  # (B, A, t)
            squares = weight[:, None, None] * np.square(off / np.maximum(1.0 - h, _LEAST)[:, :, None])
            errors += squares.sum(axis=0)
            leverage = np.maximum(leverage, h.max(axis=0))
            if self.keep:
                kept.append(np.ascontiguousarray(np.swapaxes(squares, 1, 2)))
        gathered = {chunk.id: np.concatenate(kept)} if self.keep else {}
        return Part({"errors": errors}, {"leverage": leverage}, gathered)

    def finish(self, total: Total) -> LeaveOneOutAnswer:
        each = None
        if self.keep:
            each = np.concatenate([total.gathered[chunk] for chunk in sorted(total.gathered)])
        return LeaveOneOutAnswer(total.rows, total.sums["errors"], total.maxima["leverage"], each)

    def _lengths(self, d: FloatArray) -> FloatArray:
        """(B, A) d' (G + a I)^-1 d."""
        if len(self.bases) == 1:
            return np.asarray(np.square(d @ self.bases[0].T) @ self.scales.T)
        lengths = [
            np.square(d @ basis.T) @ scale for basis, scale in zip(self.bases, self.scales, strict=True)
        ]
        return np.column_stack(lengths)
