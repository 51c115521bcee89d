"""What runs inside the tasks of a pass."""

from __future__ import annotations

from typing import Any

from daskml_dist.cluster.blas import single_threaded_blas
from daskml_dist.cluster.shards import Shard
from daskml_dist.kernels import NOTHING, Coding, Kernel, Partial, Question, combine, finish, partial_answer

#: partials that one task joins
FAN_IN = 8


def ask_shard(kernel: Kernel[Any], coding: Coding, token: str, shard: Shard) -> tuple[Partial, int]:
    """One sweep over a shard: its partial, and no bytes moved so far."""
    with single_threaded_blas():
        return partial_answer(kernel, shard.chunks(coding, token, kernel)), 0


def join_partials(kernel: Kernel[Any], *partials: tuple[Partial, int]) -> tuple[Partial, int]:
    """Partials joined, and the bytes of partials that were moved for it."""
    total, moved = NOTHING, 0
    for partial, before in partials:
        total = combine(kernel, total, partial)
        moved += before + partial.nbytes
    return total, moved


def finish_answer(question: Question[Any], n_chunks: int, *partials: tuple[Partial, int]) -> tuple[Any, int]:
    """The answer to a question and the bytes of partials that were moved for it."""
    with single_threaded_blas():
        total, moved = join_partials(question.kernel, *partials)
        found = finish(question.kernel, total, n_chunks)
        return (found if question.then is None else question.then(found)), moved


def rows_of(block: Any) -> int:
    """Rows of a block."""
    return int(block.shape[0])
