"""Every kernel that the room exports keeps the contract of ``kernels/_base.py``.

A new kernel adds a question to CASES in ``examples.py``. Each check is fed a lie once, at the end.
"""

from __future__ import annotations

import inspect
import pickle
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, final

import numpy as np
import pytest

from daskml_dist import kernels
from daskml_dist.errors import ChunkMismatch, InvalidData, NonFiniteData
from daskml_dist.kernels import (
    Kernel,
    Part,
    Partial,
    Question,
    Total,
    answer,
    combine,
    finish,
    partial_answer,
)
from daskml_dist.types import AnyArray, Chunk
from tests.kernels.examples import CASES, EVERY_CASE, Case, bits
from tests.kernels.examples import chunks as made

every_case = pytest.mark.parametrize("case", [c for _, c in EVERY_CASE], ids=[name for name, _ in EVERY_CASE])


def reference(case: Case, chunks: list[Chunk] | None = None) -> Any:
    """The bits of the answer in this thread, chunk after chunk."""
    held = case.chunks() if chunks is None else chunks
    return bits(answer(Question(case.make()), held, len(held)))


def grouped(kernel: Kernel[Any], chunks: list[Chunk], rng: np.random.Generator) -> Partial:
    """Chunks in random order, cut into random shards, whose partials are joined pair by pair at random."""
    order = [chunks[i] for i in rng.permutation(len(chunks))]
    cuts = np.sort(rng.integers(0, len(chunks) + 1, rng.integers(0, len(chunks))))
    shards = np.split(np.arange(len(chunks)), cuts)
    partials = [partial_answer(kernel, [order[i] for i in shard]) for shard in shards]
    while len(partials) > 1:
        a, b = (partials.pop(int(rng.integers(len(partials)))) for _ in range(2))
        partials.append(combine(kernel, a, pickle.loads(pickle.dumps(b))))
    return partials[0]


# ------------------------------------------------------------------------------- the checks


def check_any_grouping_gives_the_same_bits(case: Case, seeds: int = 12) -> None:
    chunks, expected = case.chunks(), reference(case)
    for seed in range(seeds):
        kernel = case.make()
        total = grouped(kernel, chunks, np.random.default_rng(seed))
        assert bits(finish(kernel, total, len(chunks))) == expected, f"seed {seed}"


def check_each_chunk_counts_once(case: Case) -> None:
    chunks, kernel = case.chunks(), case.make()
    for lost in (0, 1, len(chunks) - 1):
        partial = partial_answer(kernel, [chunk for chunk in chunks if chunk.id != lost])
        with pytest.raises(AssertionError, match=f"chunk {lost} of {len(chunks)} was not counted"):
            finish(kernel, partial, len(chunks))
        whole = partial_answer(kernel, chunks)
        twice = combine(kernel, whole, partial_answer(kernel, [chunks[lost]]))
        for wrong in (twice, partial_answer(kernel, [*chunks, chunks[lost]])):
            with pytest.raises(AssertionError, match=f"chunk {lost} of {len(chunks)} was counted twice"):
                finish(kernel, wrong, len(chunks))
        for other in {0, 1, len(chunks) - 1} - {lost}:
            swapped = combine(kernel, partial, partial_answer(kernel, [chunks[other]]))
            with pytest.raises(AssertionError, match="and not each of"):
                finish(kernel, swapped, len(chunks))


def check_empty_chunks_do_not_matter(case: Case) -> None:
    full = [replace(chunk, id=0) for chunk in case.chunks() if rows_of(chunk) > 60][:1]
    empty = [c for c in case.chunks() if rows_of(c) == 0][0]
    assert reference(case, [*full, replace(empty, id=1), replace(empty, id=2)]) == reference(case, full)
    with pytest.raises(InvalidData, match="X has 0 rows in all of its chunks"):
        reference(case, [replace(empty, id=0), replace(empty, id=1)])


def check_layout_of_x_does_not_matter(case: Case) -> None:
    for name, chunks in layouts(case.chunks()):
        plain = [replace(c, X=np.array(c.X, dtype=np.float64, order="C")) for c in chunks]
        assert reference(case, chunks) == reference(case, plain), name


def check_non_finite_is_refused(case: Case) -> None:
    for bad, word in ((np.nan, "NaN"), (np.inf, "infinity"), (-np.inf, "infinity")):
        chunks = case.chunks()
        X = np.array(chunks[3].X)
        X[:, 2] = bad
        chunks[3] = replace(chunks[3], X=X)
        text = f"X contains {word}: 64 value.*chunk 3, the first in row 0 of the chunk, column 2"
        with pytest.raises(NonFiniteData, match=text):
            reference(case, chunks)


def check_mismatched_rows_are_refused(case: Case) -> None:
    chunks = case.chunks()
    for column in ("X", "y", "weight", "offset", "groups"):
        part = getattr(chunks[3], column)
        if part is not None:
            short = [*chunks[:3], replace(chunks[3], **{column: part[:-1]}), *chunks[4:]]
            with pytest.raises(ChunkMismatch, match="Rows differ in chunk 3"):
                reference(case, short)


def check_it_travels(case: Case) -> None:
    kernel = case.make()
    copy = pickle.loads(pickle.dumps(kernel))
    assert type(copy) is type(kernel)
    chunks = case.chunks()
    held = pickle.loads(pickle.dumps(chunks))
    assert bits(answer(Question(copy), held, len(held))) == reference(case)


def check_nothing_is_written_to(case: Case) -> None:
    chunks = case.chunks()
    for chunk in chunks:
        for part in chunk.columns.values():
            part.setflags(write=False)
    kernel = case.make()
    before = bits(kernel)
    assert bits(answer(Question(kernel), chunks, len(chunks))) == reference(case)
    assert bits(kernel) == before
    for partial in (partial_answer(kernel, chunks[:4]), partial_answer(kernel, chunks[4:])):
        state = pickle.dumps(partial)
        combine(kernel, partial, partial_answer(kernel, []))
        assert pickle.dumps(partial) == state


def layouts(chunks: list[Chunk]) -> Iterator[tuple[str, list[Chunk]]]:
    """The chunks with X in other types and layouts."""
    changes: dict[str, Callable[[AnyArray], AnyArray]] = {
        "float32": lambda x: x.astype(np.float32),
        "int64": lambda x: x.astype(np.int64),
        "uint8": lambda x: np.abs(x).astype(np.uint8),
        "bool": lambda x: x > 3.0,
        "Fortran": np.asfortranarray,
        "Fortran float32": lambda x: np.asfortranarray(x.astype(np.float32)),
        "every other column": lambda x: np.repeat(x, 2, axis=1)[:, ::2],
        "backwards": lambda x: x[::-1],
        "big endian": lambda x: x.astype(">f8"),
        "misaligned": misaligned,
        "read only": read_only,
    }
    for name, change in changes.items():
        yield name, [replace(c, X=change(c.X)) for c in chunks if c.X is not None]


def misaligned(x: AnyArray) -> AnyArray:
    """A copy that begins at an odd address, as arrays do that came over the network."""
    copy = np.frombuffer(bytearray(x.nbytes + 1), dtype=np.uint8)[1:].view(x.dtype).reshape(x.shape)
    copy[...] = x
    assert x.size == 0 or not copy.flags.aligned
    return copy


def read_only(x: AnyArray) -> AnyArray:
    copy = x.copy()
    copy.setflags(write=False)
    return copy


def rows_of(chunk: Chunk) -> int:
    assert chunk.X is not None
    return int(chunk.X.shape[0])


CHECKS = {name: check for name, check in list(globals().items()) if name.startswith("check_")}
#: answers with one row a chunk, of zeros for a chunk without rows
ANSWERS_BY_CHUNK = {"FoldTally", "LabelTally", "RowTally"}
#: their folds were settled for the chunks as they are
FOLDS_BY_CHUNK = {"FoldAccuracy", "FoldFactors", "FoldMoments"}
#: questions about the target alone do not see X; the values of a sample or a glimpse are those of a few rows
LOOKS_AT_ALL_OF_X = {"Judgement", "HessianVector", "Moments", "Sweep", "TSQR", "Glimpse", "Sample"} | {
    "Deviations",
    "KinkSweep",
    "Probabilities",
    "ScoreSketch",
    "FoldAccuracy",
    "FoldFactors",
    "FoldMoments",
    "LeaveOneOut",
}


@pytest.mark.thinned(2)
@every_case
@pytest.mark.parametrize("check", CHECKS.values(), ids=CHECKS)
def test_every_kernel_keeps_the_contract(check: Callable[[Case], None], case: Case) -> None:
    name = type(case.make()).__name__
    if check is check_non_finite_is_refused and name not in LOOKS_AT_ALL_OF_X:
        pytest.skip("this question is about the target alone")
    if check is check_empty_chunks_do_not_matter and name in ANSWERS_BY_CHUNK | FOLDS_BY_CHUNK:
        pytest.skip("this question or its answer has a row for each chunk")
    if check is check_empty_chunks_do_not_matter and getattr(case.make(), "folds", None) is not None:
        pytest.skip("these folds are those of so many chunks")
    check(case)


def test_every_kernel_is_asked() -> None:
    concrete = {
        name
        for name in kernels.__all__
        if inspect.isclass(cls := getattr(kernels, name))
        and issubclass(cls, Kernel)
        and not inspect.isabstract(cls)
    }
    assert concrete == set(CASES)


@pytest.mark.parametrize("many", [1, 2, 40, 300])
def test_many_small_chunks_are_batched_without_a_trace(many: int) -> None:
    rows = tuple(1 + i % 3 for i in range(many))
    case = replace(CASES["Sweep"][1], chunks=lambda: made(rows))
    check_any_grouping_gives_the_same_bits(case, seeds=3)


# --------------------------------------------------------------------------------- the lies


@dataclass(frozen=True)
class _Honest(Kernel[float]):
    """The sum of the first column: a kernel as short as can be."""

    def chunk(self, chunk: Chunk) -> Part:
        return Part({"sum": np.asarray(self.column(chunk).astype(np.float64).sum())})

    def column(self, chunk: Chunk) -> AnyArray:
        assert chunk.X is not None
        return np.ascontiguousarray(chunk.X, dtype=np.float64) @ np.array([1.0, 0.0, 0.0, 0.0])

    def finish(self, total: Total) -> float:
        return float(total.sums["sum"])


class _SumsInOrderOfArrival(_Honest):
    def chunk(self, chunk: Chunk) -> Part:
        return Part(gathered={"sum": float(super().chunk(chunk).sums["sum"])})

    def finish(self, total: Total) -> float:
        return float(total.gathered["sum"])


@dataclass(frozen=True)
class _CountsChunks(_Honest):
    def finish(self, total: Total) -> float:
        return float(total.sums["sum"]) + total.n_chunks


class _KeepsTheType(_Honest):
    def column(self, chunk: Chunk) -> AnyArray:
        assert chunk.X is not None
        return np.asarray(chunk.X[:, 0] * chunk.X[:, 1])


class _IgnoresNaN(_Honest):
    def column(self, chunk: Chunk) -> AnyArray:
        assert chunk.X is not None
        return np.nan_to_num(np.asarray(chunk.X[:, 0], dtype=np.float64))


class _WritesToX(_Honest):
    def column(self, chunk: Chunk) -> AnyArray:
        assert chunk.X is not None
        chunk.X[:, 0] += 1.0
        return chunk.X[:, 0]


@final
class _DoesNotTravel(_Honest):
    def __reduce__(self) -> Any:
        return _CountsChunks, ()


LIES = [
    (check_any_grouping_gives_the_same_bits, Case(_SumsInOrderOfArrival)),
    (check_empty_chunks_do_not_matter, Case(_CountsChunks)),
    (check_layout_of_x_does_not_matter, Case(_KeepsTheType)),
    (check_non_finite_is_refused, Case(_IgnoresNaN)),
    (check_it_travels, Case(_DoesNotTravel)),
    (check_nothing_is_written_to, Case(_WritesToX)),
]


@pytest.mark.parametrize("check", CHECKS.values(), ids=CHECKS)
def test_the_honest_kernel_passes(check: Callable[[Case], None]) -> None:
    check(Case(_Honest))


@pytest.mark.parametrize(("check", "case"), LIES, ids=[check.__name__ for check, _ in LIES])
def test_a_lie_is_seen(check: Callable[[Case], None], case: Case) -> None:
    with pytest.raises((AssertionError, ValueError, pytest.fail.Exception)):
        check(case)


@pytest.mark.parametrize(
    "check", [check_each_chunk_counts_once, check_mismatched_rows_are_refused], ids=lambda f: f.__name__
)
def test_a_machinery_that_lies_is_seen(
    check: Callable[[Case], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What no kernel can break: counting and comparing rows are done for it."""
    base = inspect.getmodule(Kernel)
    monkeypatch.setattr(base, "check_rows", lambda chunk: chunk.y.shape[0])
    monkeypatch.setattr(f"{__name__}.finish", lambda kernel, partial, n: None)
    with pytest.raises((AssertionError, ValueError, pytest.fail.Exception)):
        check(Case(_Honest))
