"""What runs inside the tasks of a pass."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any, final

from distributed import get_worker

from daskml_dist.cluster._base import Busy
from daskml_dist.cluster.blas import single_threaded_blas
from daskml_dist.cluster.shards import Shard, ShardMoved
from daskml_dist.kernels import NOTHING, Coding, Kernel, Partial, Question, combine, finish, partial_answer

#: partials that one task joins
FAN_IN = 8

#: seconds, of which differences count; tests put another one here
clock = time.perf_counter


@final
@dataclass(frozen=True, slots=True)
class Share:
    """The answer of some shards, the bytes of partials that were moved for it, and the work that it took."""

    partial: Partial
    moved: int
    busy: tuple[Busy, ...]


@final
@dataclass(frozen=True, slots=True)
class Reply:
    """The answer to a question, the bytes of partials that were moved for it, and the work of each shard."""

    found: Any
    moved: int
    busy: tuple[Busy, ...]


#: a share; or that there is none, which is no failure of the task: workers log failures with a traceback, and
#: a worker that leaves hands its shards over
Told = Share | ShardMoved


def ask_shard(kernel: Kernel[Any], coding: Coding, token: str, shard: Shard, number: int) -> Told:
    """One sweep over a shard, the one of this number in its plan."""
    began = clock()
    try:
        with single_threaded_blas():
            partial = partial_answer(kernel, shard.chunks(coding, token, kernel))
    except ShardMoved as moved:
        return moved
    return Share(partial, 0, (Busy(number, get_worker().address, clock() - began),))


def join_partials(kernel: Kernel[Any], *told: Told) -> Told:
    """Shares of different shards, joined."""
    total, moved = NOTHING, 0
    busy: list[Busy] = []
    for share in told:
        if isinstance(share, ShardMoved):
            return share
        total = combine(kernel, total, share.partial)
        moved += share.moved + share.partial.nbytes
        busy += share.busy
    return Share(total, moved, tuple(busy))


def finish_answer(question: Question[Any], n_chunks: int, *told: Told) -> Reply | ShardMoved:
    """The answer to a question, once each chunk was counted."""
    with single_threaded_blas():
        share = join_partials(question.kernel, *told)
        if isinstance(share, ShardMoved):
            return share
        found = finish(question.kernel, share.partial, n_chunks)
        found = found if question.then is None else question.then(found)
        return Reply(found, share.moved, share.busy)


def rows_of(block: Any) -> int:
    """Rows of a block."""
    return int(block.shape[0])
