"""The contract of a kernel: a question that each chunk answers in part.

A kernel is a frozen value: its fields are the arguments of the question. ``chunk`` answers for one
chunk, ``combine`` joins partial answers, ``finish`` makes the typed answer. Joining is associative
and commutative to the bit (see exact_sum.py), so any grouping of the chunks, in any order, on any
number of workers, gives the same answer.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Generic, TypeVar

import numpy as np

from daskml_dist.errors import InvalidData
from daskml_dist.kernels.counted import Counted
from daskml_dist.kernels.exact_sum import ExactSum
from daskml_dist.kernels.refusal import check_rows, refuse_non_finite
from daskml_dist.types import Chunk, FloatArray

A = TypeVar("A")
B = TypeVar("B")

_BATCH = 1 << 14  # float64 elements that are brought into an exact sum at once


@dataclass(frozen=True, slots=True)
class Part:
    """What one chunk contributes.

    Attributes
    ----------
    sums : arrays to be added up over chunks; the same names and shapes from each chunk.
    maxima : arrays of which the elementwise maximum over chunks is wanted.
    gathered : values to be collected, by hashable keys that sort; ``Kernel.fold`` may merge them.
    """

    sums: Mapping[str, FloatArray] = field(default_factory=dict)
    maxima: Mapping[str, FloatArray] = field(default_factory=dict)
    gathered: Mapping[Any, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Total:
    """The parts of all chunks together, as ``Kernel.finish`` sees them."""

    rows: int
    n_chunks: int
    sums: Mapping[str, FloatArray]
    maxima: Mapping[str, FloatArray]
    gathered: Mapping[Any, Any]


class Kernel(ABC, Generic[A]):
    """One question about the data; A is the type of its answer."""

    #: the columns of the table that the kernel looks at, beside y and weight
    reads_features: ClassVar[bool] = True
    #: where chunks must be loaded for it: how many of them will do, None for all
    streams_only: ClassVar[int | None] = None

    @abstractmethod
    def chunk(self, chunk: Chunk) -> Part:
        """Answer for one chunk of at least one row."""

    def fold(self, gathered: dict[Any, Any]) -> dict[Any, Any]:
        """Merge what was gathered, in a way that does not depend on the order of merging."""
        return gathered

    @abstractmethod
    def finish(self, total: Total) -> A:
        """The answer, from the parts of all chunks."""


@dataclass(frozen=True, slots=True)
class Question(Generic[B]):
    """What a solver yields: a kernel, and what is to be done with its answer before it is sent.

    ``then`` runs where the partials were combined, on a worker, so that a large intermediate answer
    (a sample of rows) never travels. It is a pure, picklable function.
    """

    kernel: Kernel[Any]
    then: Callable[[Any], B] | None = None


@dataclass(frozen=True, slots=True)
class Partial:
    """The joined parts of some chunks, and who they are, in few bytes."""

    counted: Counted
    rows: int
    sums: ExactSum | None
    layout: tuple[tuple[str, tuple[int, ...]], ...]
    maxima: Mapping[str, FloatArray]
    gathered: Mapping[Any, Any]

    @property
    def nbytes(self) -> int:
        """Bytes that travel when the partial does, but for what was gathered."""
        sums = 0 if self.sums is None else self.sums.nbytes
        maxima = sum(array.nbytes for array in self.maxima.values())
        return sums + maxima + 3 * 8


NOTHING = Partial(Counted(), 0, None, (), {}, {})


def partial_answer(kernel: Kernel[Any], chunks: Iterable[Chunk]) -> Partial:
    """The joined parts of these chunks, each looked at once."""
    total = NOTHING
    waiting: list[Partial] = []
    flats: list[FloatArray] = []

    def settled() -> Partial:
        joined = combine(kernel, total, _joined(kernel, waiting, flats))
        waiting.clear()
        flats.clear()
        return joined

    for chunk in chunks:
        partial, flat = _answer_chunk(kernel, chunk)
        waiting.append(partial)
        if flat is not None:
            flats.append(flat)
        if len(flats) * (flats[0].size if flats else 1) >= _BATCH or partial.gathered:
            total = settled()
    return settled()


def combine(kernel: Kernel[Any], a: Partial, b: Partial) -> Partial:
    """Join two partials of different chunks."""
    if not a.counted.chunks or not b.counted.chunks:
        return a if a.counted.chunks else b
    gathered: dict[Any, Any] = {}
    if a.gathered or b.gathered:
        gathered = kernel.fold({**a.gathered, **b.gathered})
    return Partial(
        a.counted + b.counted,
        a.rows + b.rows,
        _either(a.sums, b.sums, ExactSum.combine),
        a.layout or b.layout,
        {**a.maxima, **b.maxima}
        | {k: np.maximum(v, b.maxima[k]) for k, v in a.maxima.items() if k in b.maxima},
        gathered,
    )


def finish(kernel: Kernel[A], partial: Partial, n_chunks: int) -> A:
    """The answer, once each of the chunks was counted exactly once."""
    partial.counted.check(n_chunks)
    if partial.rows == 0:
        raise InvalidData(
            "X has 0 rows in all of its chunks: found array with 0 sample(s) while a minimum of 1 is "
            "required."
        )
    sums = {} if partial.sums is None else _unflatten(partial.sums.value(), partial.layout)
    return kernel.finish(Total(partial.rows, n_chunks, sums, partial.maxima, partial.gathered))


def answer(question: Question[B], chunks: Iterable[Chunk], n_chunks: int) -> B:
    """The answer to a question, in this thread: the reference for every backend."""
    found: Any = finish(question.kernel, partial_answer(question.kernel, chunks), n_chunks)
    return found if question.then is None else question.then(found)


def _answer_chunk(kernel: Kernel[Any], chunk: Chunk) -> tuple[Partial, FloatArray | None]:
    rows = check_rows(chunk)
    if rows == 0:
        return Partial(Counted.one(chunk.id), 0, None, (), {}, {}), None
    with np.errstate(over="ignore", invalid="ignore"):  # infinite data are refused below, not warned of
        part = kernel.chunk(chunk)
    layout = tuple((name, np.shape(value)) for name, value in part.sums.items())
    flat = None
    if layout:
        flat = np.concatenate([np.ravel(np.asarray(v, dtype=np.float64)) for v in part.sums.values()])
        if not np.isfinite(flat).all():
            refuse_non_finite(chunk)
    return Partial(Counted.one(chunk.id), rows, None, layout, part.maxima, part.gathered), flat


def _joined(kernel: Kernel[Any], partials: list[Partial], flats: list[FloatArray]) -> Partial:
    """Join partials that have no sums yet, and give them the sum of ``flats``."""
    total = NOTHING
    for partial in partials:
        total = combine(kernel, total, partial)
    sums = ExactSum.of(np.stack(flats)) if flats else None
    return Partial(total.counted, total.rows, sums, total.layout, total.maxima, total.gathered)


def _either(
    a: ExactSum | None, b: ExactSum | None, both: Callable[[ExactSum, ExactSum], ExactSum]
) -> ExactSum | None:
    if a is None or b is None:
        return b if a is None else a
    return both(a, b)


def _unflatten(flat: FloatArray, layout: tuple[tuple[str, tuple[int, ...]], ...]) -> dict[str, FloatArray]:
    arrays, start = {}, 0
    for name, shape in layout:
        size = int(np.prod(shape, dtype=np.int64))
        arrays[name] = flat[start : start + size].reshape(shape)
        start += size
    return arrays
