"""A random sample with its share of each group."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from daskml_dist.kernels._base import Kernel, Part, Total
from daskml_dist.kernels.sample import drawn, joined, not_empty
from daskml_dist.types import Chunk, FloatArray


@final
@dataclass(frozen=True)
class GroupSample(Kernel[Chunk]):
    """Rows drawn independently, with one probability for each group; see ``Sample``.

    Attributes
    ----------
    rates : (G,) the probabilities.
    seed : of the random numbers.
    """

    rates: FloatArray
    seed: int

    def chunk(self, chunk: Chunk) -> Part:
        assert chunk.groups is not None
        return Part(gathered={chunk.id: drawn(chunk, self.rates[chunk.groups], self.seed)})

    def finish(self, total: Total) -> Chunk:
        return not_empty(joined(total.gathered), "first guess")
