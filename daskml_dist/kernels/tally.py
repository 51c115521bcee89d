"""What a split must know before it can be settled: rows, labels or groups, counted; and folds, counted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, final

import numpy as np

from daskml_dist.errors import InvalidData
from daskml_dist.kernels._base import Kernel, Part, Total
from daskml_dist.kernels.raw import peeled
from daskml_dist.kernels.refusal import refuse_missing
from daskml_dist.kernels.view import fold_of
from daskml_dist.splits import Asks, Folds, Tally
from daskml_dist.types import AnyArray, Chunk

_MANY = 1000  # labels, beyond which a table of rows by chunk and label would be large

Counts = tuple[AnyArray, AnyArray]
"""Values and how many rows have each of them."""


@final
@dataclass(frozen=True)
class RowTally(Kernel[Tally]):
    """The rows of each chunk."""

    reads_features: ClassVar[bool] = False

    def chunk(self, chunk: Chunk) -> Part:
        return Part(gathered={chunk.id: _rows(chunk)})

    def finish(self, total: Total) -> Tally:
        counts = np.zeros((total.n_chunks, 1), dtype=np.int64)
        for chunk, rows in total.gathered.items():
            counts[chunk] = rows
        return Tally(counts)


@final
@dataclass(frozen=True)
class LabelTally(Kernel[Tally]):
    """The rows of each label in each chunk, labels in the order in which they first appear.

    signs : whether y may be (n, k) signs of classes (see ``Coding``).
    """

    signs: bool = False
    reads_features: ClassVar[bool] = False

    def chunk(self, chunk: Chunk) -> Part:
        y = chunk.y if chunk.y is None or not self.signs else labels_of(chunk.y)
        y = _column("y", y, chunk.id)
        few = peeled(y)
        if few is None:
            return Part(gathered={chunk.id: _many(y, chunk.id)})
        values = y[[where.argmax() for _, where in few]]
        return Part(gathered={chunk.id: (values, np.array([where.sum() for _, where in few]))})

    def finish(self, total: Total) -> Tally:
        chunks = sorted(total.gathered)
        found = [total.gathered[chunk] for chunk in chunks]
        ascending, first, place = _distinct("y", [values for values, _ in found])
        if len(ascending) > _MANY:
            raise InvalidData(_too_many(len(ascending), "all of its chunks"))
        order = np.argsort(first)
        rank = np.argsort(order)[place]
        counts = np.zeros((total.n_chunks, len(order)), dtype=np.int64)
        for chunk, (values, rows) in zip(chunks, found, strict=True):
            counts[chunk, rank[: len(values)]] = rows
            rank = rank[len(values) :]
        return Tally(counts, ascending[order])


@final
@dataclass(frozen=True)
class GroupTally(Kernel[Tally]):
    """The rows of each group, in ascending order.

    Each distinct group is held once for each partial answer that is on its way: there may be many
    groups, as long as a worker and the client have room for all of them a few times.
    """

    reads_features: ClassVar[bool] = False

    def chunk(self, chunk: Chunk) -> Part:
        groups = _column("groups", chunk.groups, chunk.id)
        return Part(gathered={chunk.id: _unique("groups", groups, "return_counts")})

    def fold(self, gathered: dict[Any, Any]) -> dict[Any, Any]:
        sizes = [len(values) for values, _ in gathered.values()]
        if sum(sizes) < 2 * max(sizes):  # merging costs as much as the largest: wait until it is worth it
            return gathered
        return {min(gathered): _merged(list(gathered.values()))}

    def finish(self, total: Total) -> Tally:
        values, rows = _merged(list(total.gathered.values()))
        return Tally(rows[None, :], values)


@final
@dataclass(frozen=True)
class FoldTally(Kernel[AnyArray]):
    """(chunks, F) rows of each chunk in each fold."""

    folds: Folds
    reads_features: ClassVar[bool] = False

    def chunk(self, chunk: Chunk) -> Part:
        fold = fold_of(chunk, self.folds)
        return Part(gathered={chunk.id: np.bincount(fold, minlength=self.folds.n_folds)})

    def finish(self, total: Total) -> AnyArray:
        sizes = np.zeros((total.n_chunks, self.folds.n_folds), dtype=np.int64)
        for chunk, rows in total.gathered.items():
            sizes[chunk] = rows
        return sizes


def tally(asks: Asks, *, signs: bool = False) -> Kernel[Tally]:
    """The question that a split asks before it is settled; ``signs``: see ``LabelTally``."""
    labels = LabelTally(signs)
    kernels: dict[Asks, Kernel[Tally]] = {"rows": RowTally(), "labels": labels, "groups": GroupTally()}
    return kernels[asks]


def labels_of(y: AnyArray) -> AnyArray:
    """(n,) labels; of (n, k) signs (see ``Coding``) the position of the class."""
    return y if y.ndim == 1 else y.argmax(axis=1)


def _rows(chunk: Chunk) -> int:
    return int(next(iter(chunk.columns.values())).shape[0])


def _column(name: str, values: AnyArray | None, chunk_id: int) -> AnyArray:
    """The labels or groups of a chunk, none of them missing."""
    assert values is not None
    if values.ndim != 1:
        raise InvalidData(f"{name} should be a 1d array, got an array of shape {values.shape} instead.")
    refuse_missing(name, values, chunk_id)
    return values


def _many(y: AnyArray, chunk_id: int) -> Counts:
    """The labels of a chunk in order of appearance, and their rows."""
    ascending, first, rows = _unique("y", y, "return_index", "return_counts")
    if len(ascending) > _MANY:
        raise InvalidData(_too_many(len(ascending), f"chunk {chunk_id}"))
    order = np.argsort(first)
    return ascending[order], rows[order]


def _too_many(labels: int, where: str) -> str:
    return (
        f"y holds {labels} different labels in {where}: splits are stratified by {_MANY} at most. If these "
        "are numbers, cut them into classes, or use a split that does not look at y."
    )


def _merged(counted: Sequence[Counts]) -> Counts:
    """Values in ascending order, each once, and the sum of its rows."""
    ascending, _, place = _distinct("groups", [values for values, _ in counted])
    rows = np.zeros(len(ascending), dtype=np.int64)
    np.add.at(rows, place, np.concatenate([rows for _, rows in counted]))
    return ascending, rows


def _distinct(name: str, parts: Sequence[AnyArray]) -> tuple[AnyArray, AnyArray, AnyArray]:
    """Distinct values in ascending order, where each comes first, and where each given one is among them."""
    ascending, first, place = _unique(name, np.concatenate(parts), "return_index", "return_inverse")
    return ascending, first, place


def _unique(name: str, values: AnyArray, *what: str) -> Any:
    """``numpy.unique``, with a complaint about values that cannot be ordered."""
    unique: Any = np.unique
    try:
        return unique(values, **dict.fromkeys(what, True))
    except TypeError as cause:
        raise InvalidData(_unordered(name, values.tolist())) from cause


def _unordered(name: str, values: list[Any]) -> str:
    kinds = ", ".join(sorted({type(value).__name__ for value in values}))
    return (
        f"{name} holds values of types that cannot be ordered ({kinds}). Convert it to one type, for example "
        f"{name}.astype(str)."
    )
