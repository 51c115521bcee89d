"""The target, sketched: all that its quantiles depend on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np

from daskml_dist.kernels._base import Kernel, Part, Total
from daskml_dist.kernels.raw import number_column
from daskml_dist.kernels.score_sketch import Window
from daskml_dist.kernels.sketch import MOST, Sketch, folded, keys, merged, sketch
from daskml_dist.kernels.survey import check_weight_sum, check_weights
from daskml_dist.types import Chunk


@final
@dataclass(frozen=True)
class TargetSketch(Kernel[Sketch]):
    """The columns of y, (n,) or (n, t), each a group; ``most``, ``window``: see ``ScoreSketch``."""

    most: int = MOST
    window: Window | None = None
    reads_features: ClassVar[bool] = False

    def chunk(self, chunk: Chunk) -> Part:
        check_weights(chunk)
        y = number_column(chunk.y, "y", chunk.id)
        y = y.reshape(y.shape[0], -1)
        numbers = keys(y.T.ravel())
        group = np.repeat(np.arange(y.shape[1], dtype=np.int32), y.shape[0])
        weight = None if chunk.weight is None else np.tile(chunk.weight, y.shape[1])
        if self.window is not None:
            inside = group == self.window.column
            inside &= (numbers >= np.uint64(self.window.low)) & (numbers <= np.uint64(self.window.high))
            numbers, group = numbers[inside], group[inside]
            weight = None if weight is None else weight[inside]
        if numbers.size == 0:
            return Part()
        return Part(gathered={chunk.id: sketch(numbers, group, weight, self.most)})

    def fold(self, gathered: dict[int, Sketch]) -> dict[int, Sketch]:
        return folded(gathered, self.most)

    def finish(self, total: Total) -> Sketch:
        found = merged([total.gathered[key] for key in sorted(total.gathered)], self.most)
        if self.window is None:
            check_weight_sum(float(found.weights.sum()))
        return found
