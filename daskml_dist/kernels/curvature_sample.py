"""A sample of the rows that a joint loss bends at: those that a model is not sure of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np

from daskml_dist.kernels._base import Kernel, Part, Total
from daskml_dist.kernels.refusal import refuse_non_finite
from daskml_dist.kernels.rows import blocks
from daskml_dist.kernels.sample import drawn, joined, not_empty
from daskml_dist.kernels.sweep import Point
from daskml_dist.losses import JointLoss
from daskml_dist.types import Chunk

_LEAST = 1e-2  # of the mean probability: rows that the model is sure of are drawn now and then


@final
@dataclass(frozen=True)
class CurvatureSample(Kernel[Chunk]):
    """Rows drawn in proportion to 1 - sum_k c_k^2, with c_k the probabilities of their classes.

    A row that was drawn with probability q has its weight divided by q, as in ``Sample``.

    Attributes
    ----------
    loss : the loss.
    point : where.
    share : of the rows of each chunk that is drawn, at most and about.
    seed : of the random numbers.
    """

    loss: JointLoss
    point: Point
    share: float
    seed: int

    def chunk(self, chunk: Chunk) -> Part:
        assert chunk.X is not None
        doubt = np.empty(chunk.X.shape[0])
        for where, x in blocks(chunk.X, margins=len(self.point.w)):
            z = x @ self.point.w.T + self.point.raw_intercept
            if chunk.offset is not None:
                z += chunk.offset[where][:, None]
            doubt[where] = 1.0 - np.square(self.loss.mean(z)).sum(axis=1)
        if not np.isfinite(doubt).all():
            refuse_non_finite(chunk)
        mean = max(float(doubt.mean()), np.finfo(np.float64).tiny)
        rate = self.share * np.maximum(doubt / mean, _LEAST)
        return Part(gathered={chunk.id: drawn(chunk, np.minimum(rate, 1.0), self.seed)})

    def finish(self, total: Total) -> Chunk:
        return not_empty(joined(total.gathered), "metric")
