"""How far probabilities are from what happened: weighted sums of one score a row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, final

import numpy as np
from numpy.typing import NDArray

from daskml_dist.errors import InvalidData
from daskml_dist.kernels._base import Kernel, Part, Total
from daskml_dist.kernels.blocks import row_blocks
from daskml_dist.kernels.refusal import refuse_non_finite
from daskml_dist.types import Chunk, FloatArray


@final
@dataclass(frozen=True)
class ProbabilitiesAnswer:
    """Sums of the scores by weight and of the weights; how far from 1 a row of X adds up to at most."""

    score: float
    weight: float
    off: float


@final
@dataclass(frozen=True)
class Probabilities(Kernel[ProbabilitiesAnswer]):
    """The logarithmic or the quadratic score of probabilities X, for classes y that are coded.

    With p the probabilities of a row and c the column of its class, the logarithmic score is
    -log(p_c), p_c kept within eps and 1 - eps, and the quadratic one sum_j (p_j - (j == c))^2 (Brier
    1950, "Verification of forecasts expressed in terms of probability").

    Attributes
    ----------
    score : which of the two.
    columns : (k,) the column of X for each class. Where X has one column, that is the probability of
        the classes that have column 1.
    eps : what logarithmic scores are kept within.
    """

    score: Literal["logarithmic", "quadratic"]
    columns: tuple[int, ...]
    eps: float = float(np.finfo(np.float64).eps)

    def chunk(self, chunk: Chunk) -> Part:
        assert chunk.X is not None and chunk.y is not None
        if not np.isfinite(chunk.X).all():
            refuse_non_finite(chunk)
        columns = np.array(self.columns)[chunk.y.astype(np.intp)]
        total, off = 0.0, 0.0
        for where, p in row_blocks(chunk.X):
            _refuse_others(p, chunk)
            if p.shape[1] == 1:
                p = np.hstack([1.0 - p, p])
            weight = np.ones(p.shape[0]) if chunk.weight is None else chunk.weight[where]
            total += float(weight @ self._scores(p, columns[where]))
            off = max(off, float(np.abs(p.sum(axis=1) - 1.0).max()))
        weight_sum = float(chunk.X.shape[0] if chunk.weight is None else chunk.weight.sum())
        return Part({"score": np.array([total, weight_sum])}, {"off": np.array([off])})

    def finish(self, total: Total) -> ProbabilitiesAnswer:
        score, weight = total.sums["score"]
        return ProbabilitiesAnswer(float(score), float(weight), float(total.maxima["off"][0]))

    def _scores(self, p: FloatArray, columns: NDArray[np.intp]) -> FloatArray:
        own = (np.arange(p.shape[0]), columns)
        if self.score == "logarithmic":
            return -np.log(np.clip(p[own], self.eps, 1.0 - self.eps))
        distance = p.copy()
        distance[own] -= 1.0
        return np.asarray(np.einsum("ij,ij->i", distance, distance))


def _refuse_others(p: FloatArray, chunk: Chunk) -> None:
    """Refuse what is no probability."""
    low, high = p.min(), p.max()
    if high > 1.0 or low < 0.0:
        what = f"greater than 1: {high:g}" if high > 1.0 else f"less than 0: {low:g}"
        raise InvalidData(f"X contains values {what} (chunk {chunk.id}). Probabilities are expected.")
