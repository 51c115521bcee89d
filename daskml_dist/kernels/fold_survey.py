"""What each fold holds of each class."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np

from daskml_dist.kernels._base import Kernel, Part, Total
from daskml_dist.kernels.view import fold_of
from daskml_dist.splits import Folds
from daskml_dist.types import Chunk, FloatArray


@final
@dataclass(frozen=True)
class FoldSurvey(Kernel[FloatArray]):
    """(2, F, k) rows and weight of each class of a coded y in each fold; X is not read."""

    folds: Folds
    n_classes: int
    reads_features: ClassVar[bool] = False

    def chunk(self, chunk: Chunk) -> Part:
        assert chunk.y is not None
        shape = (self.folds.n_folds, self.n_classes)
        place = fold_of(chunk, self.folds) * self.n_classes + chunk.y.astype(np.intp)
        rows = np.bincount(place, minlength=shape[0] * shape[1])
        weight = rows if chunk.weight is None else np.bincount(place, chunk.weight, shape[0] * shape[1])
        return Part({"tally": np.stack([rows.reshape(shape), weight.reshape(shape)]).astype(np.float64)})

    def finish(self, total: Total) -> FloatArray:
        return total.sums["tally"]
