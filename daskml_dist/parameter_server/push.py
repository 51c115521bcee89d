"""What a node sends to a server: one update of its range."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np

from daskml_dist.kernels import ExactSum
from daskml_dist.types import FloatArray


@final
@dataclass(frozen=True)
class Push:
    """The update of one node at one clock, for the range of one server; it is applied once.

    Attributes
    ----------
    worker, clock : of whom and when; together they name the update.
    read : the number of the version that it was made from.
    direction : (K, m) P times a slope, as an exact sum over chunks where whole clocks are applied.
    batch : (2, K) weights and losses of its rows, as an exact sum over chunks.
    penalty : where it was made.
    """

    worker: int
    clock: int
    read: int
    direction: FloatArray | ExactSum
    batch: ExactSum
    penalty: float

    @property
    def finite(self) -> bool:
        """Whether it can be applied."""
        if isinstance(self.direction, ExactSum):
            return self.direction.all_finite
        return bool(np.isfinite(self.direction).all())

    @property
    def nbytes(self) -> int:
        """Bytes that travel."""
        return self.direction.nbytes + self.batch.nbytes + 4 * 8
