"""Which rows are held out: a rule that any worker can apply to a piece on its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np

from daskml_dist.types import AnyArray


@final
@dataclass(frozen=True)
class HeldOut:
    """A share of the rows of each piece, drawn from a generator seeded by the seed and the piece's number."""

    share: float
    seed: int

    def draw(self, number: int, rows: int, thin: float = 1.0) -> AnyArray:
        """(rows,) whether a row is held out; with ``thin`` below 1, the first part of those by lot."""
        lot = np.random.default_rng([self.seed, number]).random(rows)
        return np.asarray(lot < self.share * thin)
