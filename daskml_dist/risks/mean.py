"""The mean over all rows: ordinary training."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

from daskml_dist.risks._base import Ambiguity, Risk
from daskml_dist.types import FloatArray


@final
@dataclass(frozen=True)
class Mean(Risk):
    """R(J) = shares' J; the adversary has no choice."""

    name: ClassVar[str] = "mean"

    def ambiguity(self, shares: FloatArray) -> Ambiguity:
        return Ambiguity(shares, shares)

    def weights(self, losses: FloatArray, shares: FloatArray) -> FloatArray:
        return shares.copy()
