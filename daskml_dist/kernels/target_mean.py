"""The mean of the target, and how many rows there are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np
from numpy.typing import NDArray

from daskml_dist.kernels._base import Kernel, Part, Total
from daskml_dist.kernels.raw import number_column
from daskml_dist.kernels.survey import check_weight_sum, check_weights
from daskml_dist.types import Chunk, FloatArray


@final
@dataclass(frozen=True)
class TargetMeanAnswer:
    """Rows, and (t,) the mean by weight and whether all rows with weight have the same value."""

    rows: int
    mean: FloatArray
    constant: NDArray[np.bool_]


@final
@dataclass(frozen=True)
class TargetMean(Kernel[TargetMeanAnswer]):
    """sum_i s_i y_i / sum_i s_i; of a constant it is the constant to the last bit."""

    reads_features: ClassVar[bool] = False

    def chunk(self, chunk: Chunk) -> Part:
        check_weights(chunk)
        y = number_column(chunk.y, "y", chunk.id)
        y = y.reshape(y.shape[0], -1)
        weight = np.ones(y.shape[0]) if chunk.weight is None else chunk.weight
        counts = (weight > 0.0)[:, None]
        return Part(
            {"weight": np.asarray(weight.sum()), "y": weight @ y},
            {
                "high": np.max(y, axis=0, where=counts, initial=-np.inf),
                "minus low": np.max(-y, axis=0, where=counts, initial=-np.inf),
            },
        )

    def finish(self, total: Total) -> TargetMeanAnswer:
        weight = float(total.sums["weight"])
        check_weight_sum(weight)
        low, high = -total.maxima["minus low"], total.maxima["high"]
        return TargetMeanAnswer(total.rows, np.clip(total.sums["y"] / weight, low, high), low == high)
