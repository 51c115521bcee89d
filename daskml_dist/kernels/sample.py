"""A random sample of rows, drawn where the rows are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, final

import numpy as np
from scipy.sparse import issparse

from daskml_dist.errors import InvalidData
from daskml_dist.kernels._base import Kernel, Part, Total
from daskml_dist.kernels.refusal import refuse_non_finite
from daskml_dist.kernels.rows import stacked
from daskml_dist.kernels.view import fold_of
from daskml_dist.losses import Loss
from daskml_dist.splits import Folds
from daskml_dist.types import AnyArray, Chunk, FloatArray


@final
@dataclass(frozen=True)
class Sample(Kernel[Chunk]):
    """Rows drawn independently, with one probability for events and one for the other rows.

    A row that was drawn with probability q has its weight divided by q, so that sums over the sample
    are unbiased (Horvitz and Thompson 1952). Drawing rare events more often is the case-control design
    of Fithian and Hastie 2014. Random numbers are seeded by chunk id, so the sample depends on the
    chunks alone.

    Attributes
    ----------
    loss : says which rows are events.
    event_rate, other_rate : the probabilities.
    seed : of the random numbers.
    folds : where given, the groups of the sample say in which fold each row is.
    """

    loss: Loss
    event_rate: float
    other_rate: float
    seed: int
    folds: Folds | None = None

    def chunk(self, chunk: Chunk) -> Part:
        assert chunk.y is not None
        chunk = replace(chunk, groups=None if self.folds is None else fold_of(chunk, self.folds))
        assert chunk.y is not None
        rate = np.where(self.loss.stratum(chunk.y), self.event_rate, self.other_rate)
        return Part(gathered={chunk.id: drawn(chunk, rate, self.seed)})

    def finish(self, total: Total) -> Chunk:
        return not_empty(joined(total.gathered), "first guess")


def drawn(chunk: Chunk, rate: FloatArray, seed: int) -> Chunk:
    """Rows of a chunk, each with its own probability, their weights divided by it."""
    assert chunk.X is not None and chunk.y is not None
    rng = np.random.Generator(np.random.SFC64([seed, chunk.id]))
    rows = np.flatnonzero(rng.random(chunk.X.shape[0]) < rate)
    weight = 1.0 / rate[rows]
    if chunk.weight is not None:
        weight = weight * chunk.weight[rows]
    offset = None if chunk.offset is None else chunk.offset[rows]
    X: Any = chunk.X[rows]
    X = X.astype(np.float64) if issparse(X) else np.ascontiguousarray(X, dtype=np.float64)
    if not np.isfinite(X.data if issparse(X) else X).all():
        refuse_non_finite(chunk)  # here, where the row is known
    groups = None if chunk.groups is None else chunk.groups[rows]
    return Chunk(0, X, chunk.y[rows], weight, offset, groups)


def not_empty(sample: Chunk, use: str) -> Chunk:
    """The sample; refuses one without rows."""
    if sample.X is None or sample.X.shape[0] == 0:
        raise InvalidData(f"The sample for the {use} is empty: X has hardly any rows.")
    return sample


def joined(gathered: Mapping[int, Chunk]) -> Chunk:
    """One chunk of the rows that were drawn from all of them, in the order of the table."""
    chunks = [gathered[key] for key in sorted(gathered)]

    def column(parts: list[AnyArray | None]) -> AnyArray | None:
        there = [part for part in parts if part is not None]
        return stacked(there) if there else None

    return Chunk(
        0,
        column([chunk.X for chunk in chunks]),
        column([chunk.y for chunk in chunks]),
        column([chunk.weight for chunk in chunks]),
        column([chunk.offset for chunk in chunks]),
        column([chunk.groups for chunk in chunks]),
    )
