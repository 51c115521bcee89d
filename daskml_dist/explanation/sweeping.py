"""Rows held where they live while questions are asked about them, and a few of them drawn."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar, final

import numpy as np

from daskml_dist import inputs
from daskml_dist.cluster import Hands, connect
from daskml_dist.errors import InvalidData
from daskml_dist.fit.data import settle
from daskml_dist.kernels import Kernel, Part, Question, Total
from daskml_dist.types import AnyArray, Chunk, FloatArray, Table

A = TypeVar("A")


@final
class Rows:
    """Data that are held."""

    def __init__(self, hands: Hands, table: Table) -> None:
        self._hands = hands
        given = table.feature_names
        self.names = (
            tuple(f"x{i}" for i in range(table.n_features)) if given is None else tuple(map(str, given))
        )

    def ask(self, kernel: Kernel[A]) -> A:
        """The answer, from one sweep over the rows."""
        question: Question[A] = Question(kernel)
        return self._hands.answer(question)

    def places(self, features: Sequence[str | int] | None) -> tuple[int, ...]:
        """The positions of features that are told by name or position; all of them for None."""
        if features is None:
            return tuple(range(len(self.names)))
        return tuple(self._place(feature) for feature in features)

    def _place(self, feature: str | int) -> int:
        if isinstance(feature, str) and feature in self.names:
            return self.names.index(feature)
        if isinstance(feature, int | np.integer) and -len(self.names) <= feature < len(self.names):
            return int(feature) % len(self.names)
        raise InvalidData(f"there is no feature {feature!r}; X has {', '.join(self.names[:20])}")


@contextmanager
def held(X: Any, y: Any, sample_weight: Any, scheduler: Any, offset: Any = None) -> Iterator[Rows]:
    """Read and hold the data; let go at the end."""
    hands = connect(scheduler, lazy=inputs.is_lazy(X, y, sample_weight, offset))
    try:
        lengths = None
        if inputs.measure_needed(X, y, sample_weight, offset):
            lengths = tuple(hands.evaluate(inputs.row_counts(X)).tolist())
        table = inputs.read(X, y, sample_weight, offset, lengths=lengths, y_required=False, sparse=False)
        if scheduler not in (None, "threads"):
            table = inputs.made_lazy(table)
        settle(hands, table)
        yield Rows(hands, table)
    finally:
        hands.close()


def matrix(chunk: Chunk) -> FloatArray:
    """The rows of a chunk as floats in C order, a copy that may be written into."""
    assert chunk.X is not None
    dtype = chunk.X.dtype if chunk.X.dtype.kind == "f" else np.float64
    return np.array(chunk.X, dtype=dtype, order="C")


def weights_of(chunk: Chunk) -> FloatArray:
    """(n,) the weights of a chunk's rows, ones where there are none."""
    assert chunk.X is not None
    if chunk.weight is None:
        return np.ones(len(chunk.X))
    if (chunk.weight < 0).any():
        raise InvalidData("sample_weight has negative weights")
    return chunk.weight.astype(np.float64, copy=False)


@final
@dataclass(frozen=True)
class Draw(Kernel[FloatArray]):
    """Rows of X drawn without repetition, all of them where there are no more: (most, p).

    Each row draws a number by the chunk it is in; the rows with the smallest numbers are taken, and stay
    in the order of the table.
    """

    most: int
    seed: int

    def chunk(self, chunk: Chunk) -> Part:
        X = matrix(chunk)
        chance, first = first_drawn(chunk.id, len(X), self.most, self.seed)
        return Part(gathered={chunk.id: Drawn(chance, np.full(len(first), chunk.id), first, X[first])})

    def fold(self, gathered: dict[int, Drawn]) -> dict[int, Drawn]:
        return {min(gathered): merged(gathered, self.most)}

    def finish(self, total: Total) -> FloatArray:
        return merged(dict(total.gathered), self.most).in_order()


@final
@dataclass(frozen=True)
class Drawn:
    """(m,) the numbers that rows drew, their chunks and places in them, and (m, ...) something of each."""

    chance: FloatArray
    chunk: AnyArray
    place: AnyArray
    values: FloatArray

    def in_order(self) -> FloatArray:
        """The values in the order of the table."""
        return self.values[np.lexsort((self.place, self.chunk))]


def first_drawn(chunk: int, rows: int, most: int, seed: int) -> tuple[FloatArray, AnyArray]:
    """The smallest numbers that rows of a chunk draw, and which rows these are."""
    chance = np.random.default_rng([seed, chunk]).random(rows)
    first = np.argsort(chance, kind="stable")[:most]
    return chance[first], first


def merged(gathered: dict[int, Drawn], most: int) -> Drawn:
    """The rows with the smallest numbers of several chunks."""
    parts = [gathered[key] for key in sorted(gathered)]
    chance, chunk, place = (
        np.concatenate([getattr(part, name) for part in parts]) for name in ("chance", "chunk", "place")
    )
    values = np.concatenate([part.values for part in parts])
    first = np.lexsort((place, chunk, chance))[:most]
    return Drawn(chance[first], chunk[first], place[first], values[first])
