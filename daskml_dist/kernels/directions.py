"""The directions of a minibatch: what a node of a parameter server pushes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np

from daskml_dist.kernels._base import Kernel, Part, Total
from daskml_dist.kernels.mini_batch import Batch, batch_of, seen
from daskml_dist.kernels.stepping import Stepping
from daskml_dist.kernels.sweep import Point
from daskml_dist.kernels.view import View, rows_of
from daskml_dist.kernels.walk import Walk
from daskml_dist.losses import Loss
from daskml_dist.types import Chunk, FloatArray


@final
@dataclass(frozen=True)
class Directions(Kernel[Batch]):
    """Ask for P times the slope of the loss over one part of a walk; the penalty is left out.

    P is applied chunk by chunk, so that the sum of directions is exact and its bits depend on no grouping.

    Attributes
    ----------
    loss, point, views, walk : see ``MiniBatch``.
    stepping : P is its metric's inverse.
    factor : (K,) by which slopes are multiplied.
    """

    loss: Loss
    point: Point
    views: tuple[View, ...]
    walk: Walk
    stepping: Stepping
    factor: FloatArray

    def chunk(self, chunk: Chunk) -> Part:
        assert chunk.X is not None
        few = rows_of(chunk, self.walk.rows(chunk.id, chunk.X.shape[0]))
        batch = batch_of(self.loss, self.point, seen(few, self.views))
        direction = self.stepping.preconditioned(batch.gradient * self.factor[:, None])
        return Part({"direction": direction, "weight_sum": batch.weight_sum, "value": batch.value})

    def finish(self, total: Total) -> Batch:
        sums = total.sums
        return Batch(sums["weight_sum"], sums["value"], np.asarray(sums["direction"]))
