"""Threads in this process: the reference backend, and the fast one for data in memory."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any, TypeVar, final
from uuid import uuid4

import dask
from scipy.sparse import issparse

from daskml_dist.cluster._base import Busy, Hands, Holding, heeded, laid_out
from daskml_dist.cluster.blas import single_threaded_blas
from daskml_dist.cluster.memory import RESIDENT_SHARE, block_bytes, process_limit, table_bytes
from daskml_dist.cluster.recipes import chunk_of, patiently, recipes, refuse_unreadable
from daskml_dist.cluster.served_here import serve_here
from daskml_dist.cluster.shards import RecipeShard, ResidentShard, Shard
from daskml_dist.kernels import NOTHING, Coding, Partial, Question, combine, finish, partial_answer
from daskml_dist.parameter_server import Descent, Served
from daskml_dist.partition import Plan
from daskml_dist.types import Chunk, Cost, Layout, Table

B = TypeVar("B")

_CHUNK_ELEMENTS = 1 << 22  # of X, in a chunk that is cut from an array in memory: 32 MiB
_CHUNK_ENTRIES = 1 << 19  # the same of sparse X, where each costs several times as much


@final
class InProcess(Hands):
    """Answers with a pool of threads; BLAS itself is held to one thread meanwhile."""

    def __init__(self, threads: int | None = None) -> None:
        self.threads = threads or len(os.sched_getaffinity(0))
        self.cost = Cost(0, 0, 0.0)
        self.coding = Coding(raw=True)
        self._token = "raw"
        self._chunks: list[Chunk] = []
        self._recipes: list[Any] = []
        self._shards: list[Shard] = []
        self._rows: tuple[int, ...] = ()
        self._pool: ThreadPoolExecutor | None = None

    def hold(self, table: Table) -> Holding:
        self.names, streamed = table.feature_names, False
        if not table.lazy:
            self._chunks = cut(table)
        else:
            size = table_bytes(table, self.evaluate, process_limit())
            streamed = size is not None and size > RESIDENT_SHARE * process_limit()
            if streamed:
                self._recipes = recipes(table)
            else:
                self._chunks = self._load(table)
        rows = table.chunks if streamed else tuple(_rows(chunk) for chunk in self._chunks)
        assert rows is not None
        self._rows = rows
        return Holding(rows, (None,) * len(rows), ("this process",) * self.threads, streamed)

    def place(self, plan: Plan) -> None:
        self.plan = plan
        if self._recipes:
            self._shards = [RecipeShard(tuple(self._recipes[i] for i in ids)) for ids in plan.shards]
        else:
            self._shards = [ResidentShard(tuple(self._chunks[i] for i in ids)) for ids in plan.shards]

    def code(self, coding: Coding) -> None:
        self.coding, self._token = coding, uuid4().hex

    def answer(self, question: Question[B]) -> B:
        with single_threaded_blas():
            return self._answer(question)

    def _answer(self, question: Question[B]) -> B:
        began = time.monotonic()
        kernel = question.kernel

        def ask(number: int) -> tuple[Partial, Busy]:
            begun = time.monotonic()
            chunks = self._shards[number].chunks(self.coding, self._token, kernel)
            partial = partial_answer(kernel, heeded(chunks, self.heed))
            return partial, Busy(number, _thread(number), time.monotonic() - begun)

        numbers = range(len(self._shards))
        told = [ask(0)] if len(numbers) == 1 else list(self._threads().map(ask, numbers))
        partials, self.busy = [partial for partial, _ in told], tuple(busy for _, busy in told)
        total = NOTHING
        for partial in partials:
            total = combine(kernel, total, partial)
        found: Any = finish(kernel, total, len(self._chunks) or len(self._recipes))
        if question.then is not None:
            found = question.then(found)
        moved = sum(partial.nbytes for partial in partials)
        self.cost = Cost(2 * len(partials) - 1, moved, time.monotonic() - began)
        answer: B = found
        return answer

    def serve(self, descent: Descent) -> Served:
        began = time.monotonic()
        found = serve_here(descent, self._shards, self.coding, self._token, self.heed)
        self.busy = ()  # nodes wait for each other, and nobody measures for how long
        self.cost = Cost(len(self._shards), found.counts.nbytes, time.monotonic() - began)
        return found

    def layout(self) -> Layout:
        sizes = [_bytes(chunk) for chunk in self._chunks] or [0] * len(self._rows)
        threads = tuple(map(_thread, range(len(self.plan.shards))))
        return laid_out(
            replace(self.plan, owners=threads), self._rows, sizes, self.threads, bool(self._recipes)
        )

    def evaluate(self, small: Any) -> Any:
        return dask.compute(small, scheduler="threads")[0]

    def publish(self, topic: str, message: Mapping[str, Any]) -> None:
        """Nobody listens to a topic without a cluster."""

    def close(self) -> None:
        self._chunks, self._recipes, self._shards = [], [], []
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)

    @property
    def graph(self) -> Any:
        return None

    @property
    def dashboard(self) -> str | None:
        return None

    def _threads(self) -> ThreadPoolExecutor:
        if self._pool is None:
            self._pool = ThreadPoolExecutor(self.threads, thread_name_prefix="daskml-dist")
        return self._pool

    def _load(self, table: Table) -> list[Chunk]:
        """Compute all blocks, each of which stays an array of its own."""
        columns = [part.to_delayed().ravel().tolist() for part in table.columns.values()]
        try:
            computed = patiently(
                lambda: dask.compute(*columns, scheduler="threads", num_workers=self.threads)
            )
        except Exception as error:
            refuse_unreadable(table, error)
        return [
            chunk_of(i, dict(zip(table.columns, blocks, strict=True)))
            for i, blocks in enumerate(zip(*computed, strict=True))
        ]


def _thread(number: int) -> str:
    """What the thread of a shard is called."""
    return f"thread {number + 1}"


def _bytes(chunk: Chunk) -> int:
    return sum(block_bytes(part) for part in chunk.columns.values())


def _rows(chunk: Chunk) -> int:
    return int(next(iter(chunk.columns.values())).shape[0])


def cut(table: Table) -> list[Chunk]:
    """Views of arrays in memory; their size depends on X alone, so that the bits do not depend on threads."""
    elements, width = _CHUNK_ELEMENTS, table.n_features
    if issparse(table.X):
        elements, width = _CHUNK_ENTRIES, table.X.nnz // max(table.X.shape[0], 1)
    rows = max(elements // max(width, 1), 1)
    parts = table.columns
    n = next(iter(parts.values())).shape[0]
    starts = range(0, max(n, 1), rows)
    return [
        chunk_of(i, {name: part[start : start + rows] for name, part in parts.items()})
        for i, start in enumerate(starts)
    ]
