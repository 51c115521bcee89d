"""What runs inside the tasks of a pass."""

from __future__ import annotations

from typing import Any

from daskml_dist.cluster.blas import single_threaded_blas
from daskml_dist.cluster.shards import Shard, ShardMoved
from daskml_dist.kernels import NOTHING, Coding, Kernel, Partial, Question, combine, finish, partial_answer

#: partials that one task joins
FAN_IN = 8


#: a partial and the bytes of partials that were moved for it; or that there is none, which is no failure of
#: the task: workers log failures with a traceback, and a worker that leaves hands its shards over
Told = tuple[Partial, int] | ShardMoved


def ask_shard(kernel: Kernel[Any], coding: Coding, token: str, shard: Shard) -> Told:
    """One sweep over a shard: its partial, and no bytes moved so far."""
    try:
        with single_threaded_blas():
            return partial_answer(kernel, shard.chunks(coding, token, kernel)), 0
    except ShardMoved as moved:
        return moved


def join_partials(kernel: Kernel[Any], *partials: Told) -> Told:
    """Partials joined, and the bytes of partials that were moved for it."""
    total, moved = NOTHING, 0
    for told in partials:
        if isinstance(told, ShardMoved):
            return told
        partial, before = told
        total = combine(kernel, total, partial)
        moved += before + partial.nbytes
    return total, moved


def finish_answer(question: Question[Any], n_chunks: int, *partials: Told) -> tuple[Any, int] | ShardMoved:
    """The answer to a question and the bytes of partials that were moved for it."""
    with single_threaded_blas():
        joined = join_partials(question.kernel, *partials)
        if isinstance(joined, ShardMoved):
            return joined
        total, moved = joined
        found = finish(question.kernel, total, n_chunks)
        return (found if question.then is None else question.then(found)), moved


def rows_of(block: Any) -> int:
    """Rows of a block."""
    return int(block.shape[0])
