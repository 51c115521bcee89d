"""The loss of the group that fares worst."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np

from daskml_dist.risks._base import Ambiguity, Risk
from daskml_dist.types import FloatArray


@final
@dataclass(frozen=True)
class WorstGroup(Risk):
    """R(J) = max_i J_i: all weights that add up to one (Sagawa et al. 2020, group DRO)."""

    name: ClassVar[str] = "worst-group"

    def ambiguity(self, shares: FloatArray) -> Ambiguity:
        return Ambiguity(shares, np.ones_like(shares))

    def weights(self, losses: FloatArray, shares: FloatArray) -> FloatArray:
        q = np.zeros_like(losses)
        q[np.argmax(losses)] = 1.0
        return q
