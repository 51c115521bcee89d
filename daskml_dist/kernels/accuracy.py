"""The share of rows that a binary model classifies rightly."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np

from daskml_dist.kernels._base import Kernel, Part, Total
from daskml_dist.kernels.rows import blocks
from daskml_dist.kernels.sweep import Point
from daskml_dist.types import Chunk


@final
@dataclass(frozen=True)
class Accuracy(Kernel[float]):
    """Weighted share of rows with (z > 0) == y, for y = 0 or 1; other codes never match."""

    point: Point

    def chunk(self, chunk: Chunk) -> Part:
        assert chunk.X is not None and chunk.y is not None
        right = np.zeros(chunk.X.shape[0])
        for where, x in blocks(chunk.X):
            z = x @ self.point.w[0] + self.point.raw_intercept[0]
            right[where] = (z > 0.0) == chunk.y[where]
            right[where] += 0.0 * z  # a row that is not finite is not right: it is refused
        weight = np.ones(len(right)) if chunk.weight is None else chunk.weight
        return Part({"right": np.asarray(weight @ right), "weight": np.asarray(weight.sum())})

    def finish(self, total: Total) -> float:
        return float(total.sums["right"] / total.sums["weight"])
