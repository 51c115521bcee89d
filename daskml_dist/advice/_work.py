"""What a fit has to do: rows, features, chunks, and how many passes of which kind."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal, final

import numpy as np

from daskml_dist.types import AnyArray

#: numbers of an exact sum for each number that is summed, in bytes (kernels/exact_sum.py)
_SUM_BYTES = 26
_STATE_VECTORS = 20  # of a solver with two-loop memory, gradients and steps

Kind = Literal["gradient", "hessian"]


@final
@dataclass(frozen=True, kw_only=True)
class Work:
    """A fit, as far as its cost is concerned.

    Attributes
    ----------
    estimator, solver : names.
    chunks : rows of each chunk.
    features : p. elements : numbers of a row that are read: p, or the stored entries of a sparse row.
    row_bytes : bytes of a row of X and y.
    parameters : M, the free parameters of one problem.
    problems : how many problems are solved in the same passes.
    gradients, hessians : expected passes for value and gradient, and with the Hessian as well.
    sample_rows : rows of the sample that is solved in one task before the passes; 0 for none.
    rounds : questions beside the passes that read no or few features: surveys, samples, steps of an epoch.
    batch : B, the rows of one step: all of them, or those of a mini-batch.
    held : whether X is in memory already.
    forms : whether the Hessian is formed, of M x M numbers.
    parts : whether ``solver="model-parallel"`` can solve it: a smooth loss and penalty.
    passes_because : why so many passes are expected.
    """

    estimator: str
    solver: str
    chunks: tuple[int, ...]
    features: int
    elements: float
    row_bytes: float
    parameters: int
    problems: int = 1
    gradients: int = 0
    hessians: int = 0
    sample_rows: int = 0
    rounds: int = 1
    batch: float = 0.0
    held: bool = True
    forms: bool = True
    parts: bool = True
    passes_because: str = ""

    @cached_property
    def rows(self) -> int:
        """n."""
        return sum(self.chunks)

    @cached_property
    def longest(self) -> int:
        """Rows of the largest chunk."""
        return max(self.chunks)

    @property
    def passes(self) -> int:
        """How often all rows are expected to be read."""
        return self.gradients + self.hessians

    @cached_property
    def first_rows(self) -> AnyArray:
        """(chunks + 1,) the first row of each chunk, and n."""
        return np.cumsum([0, *self.chunks])

    @property
    def size(self) -> float:
        """Bytes of the data."""
        return self.rows * self.row_bytes

    @property
    def usual(self) -> Kind:
        """The kind of most passes."""
        return "hessian" if self.hessians > self.gradients else "gradient"

    @property
    def products(self) -> float:
        """Products of features that a row adds to a Hessian."""
        return self.elements * (self.elements + 1) / 2

    def numbers(self, kind: Kind) -> float:
        """Numbers of a partial sum: value and gradient, and half the Hessian."""
        q = self.parameters
        return self.problems * (q + 2 + (q * (q + 1) / 2 if kind == "hessian" else 0))

    def partial_bytes(self, kind: Kind) -> float:
        """Bytes of a partial sum on its way up."""
        return _SUM_BYTES * self.numbers(kind) + 24

    @property
    def state_bytes(self) -> float:
        """Bytes of the point on its way down to each shard."""
        return 8.0 * self.problems * (self.parameters + self.features)

    @property
    def solver_bytes(self) -> float:
        """Bytes of what a solver keeps in one place."""
        square = self.parameters**2 if self.forms else 0
        return 8.0 * self.problems * (_STATE_VECTORS * self.parameters + 2 * square)
