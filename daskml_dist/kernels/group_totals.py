"""Rows and weights of each group."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np

from daskml_dist.kernels._base import Kernel, Part, Total
from daskml_dist.types import AnyArray, Chunk, FloatArray


@final
@dataclass(frozen=True)
class GroupTotalsAnswer:
    """(G,) how many rows each group has, and the sum of their weights."""

    rows: AnyArray
    weights: FloatArray


@final
@dataclass(frozen=True)
class GroupTotals(Kernel[GroupTotalsAnswer]):
    """Ask for the size of each of ``n_groups`` groups, which are coded 0 .. G - 1."""

    n_groups: int
    reads_features: ClassVar[bool] = False

    def chunk(self, chunk: Chunk) -> Part:
        assert chunk.groups is not None
        counts = np.bincount(chunk.groups, minlength=self.n_groups)
        weights = np.bincount(chunk.groups, chunk.weight, self.n_groups)
        return Part({"rows": counts.astype(np.float64), "weights": weights.astype(np.float64)})

    def finish(self, total: Total) -> GroupTotalsAnswer:
        return GroupTotalsAnswer(total.sums["rows"].astype(np.int64), total.sums["weights"])
