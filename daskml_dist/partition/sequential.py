"""Neighbouring chunks together, none of them cut."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, final

import numpy as np

from daskml_dist.errors import ChunkMismatch, InvalidData
from daskml_dist.partition._base import Plan, runs
from daskml_dist.partition._strategy import Asks, Assignment, PartArray, Strategy
from daskml_dist.splits import Tally
from daskml_dist.types import AnyArray


def sequential(rows: tuple[int, ...], slots: tuple[str, ...]) -> Plan:
    """Cut the chunks into runs of about the same number of rows, one for each slot.

    Parameters
    ----------
    rows : rows of each chunk.
    slots : the worker of each thread; a worker of two threads is named twice.
    """
    shards = runs(list(range(len(rows))), rows, max(len(slots), 1))
    return Plan(tuple(shards), tuple(slots[: len(shards)]))


@final
@dataclass(frozen=True)
class Sequential(Strategy):
    """Runs of neighbouring chunks with about the same rows; no chunk is cut and rows keep their order."""

    asks: ClassVar[Asks] = "rows"

    def _settle(self, tally: Tally, features: AnyArray | None) -> Assignment:
        rows = tuple(tally.counts.sum(axis=1).tolist())
        filled = [i for i, n in enumerate(rows) if n]
        found = runs(filled, rows, self.n_partitions)
        if len(found) < self.n_partitions:
            raise InvalidData(
                f"{len(filled)} chunks with rows make {len(found)} runs of about the same length, not "
                f"n_partitions={self.n_partitions}. Use Even, which cuts chunks, or rechunk first."
            )
        last = [run[-1] for run in found]
        return OfChunks(rows, tuple(int(np.searchsorted(last, i)) for i in range(len(rows))))


@final
@dataclass(frozen=True)
class OfChunks(Assignment):
    """Each chunk goes to a partition as a whole.

    Attributes
    ----------
    rows : of each chunk.
    parts : the partition of each chunk; that of an empty one is of no matter.
    """

    rows: tuple[int, ...]
    parts: tuple[int, ...]

    def of(self, chunk: int, rows: int, column: Any = None) -> PartArray:
        if rows != self.rows[chunk]:
            raise ChunkMismatch(
                f"Chunk {chunk} has {rows} rows, and had {self.rows[chunk]} when they were counted. The data "
                "must be the same each time they are read: keep them with persist(), or seed what is random "
                "in them."
            )
        return np.full(rows, self.parts[chunk], dtype=np.int32)
