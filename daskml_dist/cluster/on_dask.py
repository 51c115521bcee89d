"""A dask.distributed cluster: each pass is a graph of delayed kernels over resident or streamed shards."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any, NoReturn, TypeVar, final
from uuid import uuid4

import dask
import numpy as np
from dask.delayed import Delayed
from dask.typing import Key
from distributed import Client, Future, futures_of

from daskml_dist.cluster._base import Hands, Holding
from daskml_dist.cluster.memory import RESIDENT_SHARE, table_bytes
from daskml_dist.cluster.recipes import block_keys, complaint, recipes, spans
from daskml_dist.cluster.scheduler_internals import blamed
from daskml_dist.cluster.served_there import Serving
from daskml_dist.cluster.shards import RecipeShard, ShardMoved, resident_shard
from daskml_dist.cluster.supervisor import CURABLE, Patience, Stalled, Supervisor
from daskml_dist.cluster.tasks import FAN_IN, ask_shard, finish_answer, join_partials, rows_of
from daskml_dist.errors import ChunkUnreadable, DaskmlDistError, InvalidData
from daskml_dist.kernels import Coding, Question
from daskml_dist.parameter_server import Descent, Served
from daskml_dist.partition import Plan, in_place, together
from daskml_dist.types import Cost, Table

B = TypeVar("B")


@final
class OnDask(Hands):
    """Answers with the workers of a cluster.

    Data that fit are persisted, and each worker thread gets the chunks that are already there as
    one shard. Data that do not fit are loaded chunk by chunk within the task that asks. Either way a
    pass is one task a thread and a tree of a few tasks that join them.
    """

    def __init__(self, client: Client, patience: Patience | None = None) -> None:
        self.client = client
        self.cost = Cost(0, 0, 0.0)
        self.supervisor = Supervisor(client, patience or Patience())
        self._id = f"daskml-dist-{uuid4().hex[:12]}"
        self.coding, self._token = Coding(raw=True), "raw"
        self._source: Table | None = None
        self._blocks: dict[Key, Future[Any]] = {}
        self._keys: list[dict[str, Key]] = []
        self._rows: tuple[int, ...] = ()
        self._streamed = False
        self._shards: list[Future[Any]] = []
        self._asked: Question[Any] | None = None
        self._tasks = 0

    def hold(self, table: Table) -> Holding:
        self._source = table
        self._streamed = self._too_large(table)
        if self._streamed:
            self._keys = [{} for _ in table.chunks or ()]
            self._rows = table.chunks or ()
            return Holding(self._rows, (None,) * len(self._rows), self._slots(), True)
        self._persist()
        self._rows = table.chunks or self._measure([next(iter(keys.values())) for keys in self._keys])
        return Holding(self._rows, self._locations(), self._slots(), False)

    def place(self, plan: Plan) -> None:
        self.plan = plan
        make = self._recipe_shards if self._streamed else self._resident_shards
        self._shards = make(plan)

    def code(self, coding: Coding) -> None:
        self.coding, self._token = coding, uuid4().hex

    def answer(self, question: Question[B]) -> B:
        began = time.monotonic()
        found, moved = self.supervisor.insist(lambda: self._ask(question), self._repair, self._lasting_keys)
        self.cost = Cost(self._tasks, moved, time.monotonic() - began)
        return found  # type: ignore[no-any-return]

    def serve(self, descent: Descent) -> Served:
        began, ids = time.monotonic(), self.plan.shards

        def rebuild(error: BaseException) -> tuple[list[Future[Any]], tuple[str, ...]]:
            self._repair(error)
            self.place(together(ids, self._locations() if not self._streamed else (), self._slots()))
            return self._shards, self.plan.owners

        seen = (self.coding, self._token)
        serving = Serving(
            self.client, self.supervisor, descent, seen, self._shards, self.plan.owners, rebuild
        )
        found = serving.run()
        self.cost = Cost(serving.tasks, found.counts.nbytes, time.monotonic() - began)
        return found

    def evaluate(self, small: Any) -> Any:
        def once() -> Any:
            return self.supervisor.result(self.client.compute(small))

        return self.supervisor.insist(once, _nothing, list)

    def publish(self, topic: str, message: Mapping[str, Any]) -> None:
        # log_event() of the client waits for the scheduler; a pass must not
        scheduler: Any = self.client.scheduler
        loop: Any = self.client.loop

        async def tell() -> None:
            with suppress(OSError):  # the scheduler is gone; whoever asks it something will say so
                await scheduler.log_event(topic=topic, msg=dict(message))

        loop.add_callback(tell)

    def close(self) -> None:
        for future in (*self._shards, *self._blocks.values()):
            future.release()  # now, and not when the garbage collector comes by
        self._shards, self._blocks, self._keys, self._source = [], {}, [], None
        self.supervisor.dismiss()

    @property
    def graph(self) -> Any:
        # drawn anew, with the names of the shards: futures of them would keep the data on the workers
        if self._asked is None:
            return None
        return self._draw(self._asked, [str(shard.key) for shard in self._shards])

    @property
    def dashboard(self) -> str | None:
        link: str | None = self.client.dashboard_link
        return link

    # -- data -------------------------------------------------------------------------------------

    def _too_large(self, table: Table) -> bool:
        """Whether the table must be streamed; refuses chunks that no worker can hold."""
        if futures_of(list(table.columns.values())):
            return False
        infos = self.supervisor.wait_for_workers().values()
        limits = [(info["memory_limit"], info["nthreads"]) for info in infos if info["memory_limit"]]
        size = table_bytes(table, self.evaluate, sum(limit for limit, _ in limits) if limits else np.inf)
        if size is None or not limits or size <= RESIDENT_SHARE * sum(limit for limit, _ in limits):
            return False
        largest = size / sum(table.chunks or (1,)) * max(table.chunks or (1,))
        room = min(limit / threads for limit, threads in limits)
        if largest > 0.5 * room:
            raise InvalidData(
                f"X has chunks of up to {largest / 2**20:.0f} MiB, and a worker thread has "
                f"{room / 2**20:.0f} MiB in all. The data do not fit the cluster's memory, so they are "
                "streamed chunk by chunk, and a chunk may take half of a thread's memory at most: rechunk X "
                "to fewer rows a chunk, or give the workers more memory."
            )
        return True

    def _persist(self) -> None:
        """Make all blocks resident and keep futures of them; those that are resident stay as they are."""

        def persist() -> None:
            assert self._source is not None
            names = list(self._source.columns)
            held = self.client.persist(list(self._source.columns.values()))
            self._blocks = {future.key: future for future in futures_of(held)}
            self._keys = block_keys(replace(self._source, **dict(zip(names, held, strict=True))))
            del held
            try:
                self.supervisor.settle(list(self._blocks.values()))
            except (*CURABLE, Stalled, DaskmlDistError, OSError):
                raise
            except Exception as error:
                self._refuse_unreadable(error)

        try:
            self.supervisor.insist(persist, self._drop_broken, self._lasting_keys)
        except OSError as error:  # again and again
            self._refuse_unreadable(error)

    def _refuse_unreadable(self, error: Exception) -> NoReturn:
        """Say which chunk cannot be computed; nothing is tried again."""
        assert self._source is not None
        rows = spans(self._source.chunks, len(self._keys))
        for i, keys in enumerate(self._keys):
            for name, key in keys.items():
                if self._blocks[key].status == "error":
                    told = complaint(i, name, rows[i], blamed(self.client, key), error)
                    raise ChunkUnreadable(told) from error
        raise error

    def _drop_broken(self, error: BaseException) -> None:
        """Let go of blocks that failed, so that the scheduler forgets them and makes them anew."""
        broken = [key for key, block in self._blocks.items() if block.status not in ("finished", "pending")]
        for key in broken:
            self._blocks.pop(key).release()  # the traceback of the error holds the future, too
        if broken:
            self.supervisor.workers()  # the client has let go of them when it answers this

    def _restore_blocks(self, error: BaseException) -> None:
        """Make blocks anew that are lost."""
        self._drop_broken(error)
        if len(self._blocks) < sum(len(keys) for keys in self._keys):
            self._persist()

    def _measure(self, keys: list[Key]) -> tuple[int, ...]:
        def count() -> list[int]:
            counts = self.client.map(
                rows_of, [self._blocks[key] for key in keys], key=f"{self._id}-rows-{uuid4().hex}"
            )
            self.supervisor.settle(counts)
            return [self.supervisor.fetch(rows) for rows in counts]

        return tuple(self.supervisor.insist(count, self._restore_blocks, self._lasting_keys))

    def _locations(self) -> tuple[str | None, ...]:
        """The worker that holds the largest block of each chunk."""
        keys = [next(iter(columns.values())) for columns in self._keys]
        who_has: Any = self.client.who_has([self._blocks[key] for key in keys])
        return tuple((who_has.get(key) or (None,))[0] for key in keys)

    def _slots(self) -> tuple[str, ...]:
        workers = self.supervisor.wait_for_workers()
        most = max(info["nthreads"] for info in workers.values())
        # one thread of each worker first: few chunks are then spread over all workers
        return tuple(
            address
            for thread in range(most)
            for address in sorted(workers)
            if workers[address]["nthreads"] > thread
        )

    def _lasting_keys(self) -> list[str]:
        return [*map(str, self._blocks), *(str(shard.key) for shard in self._shards)]

    # -- shards -----------------------------------------------------------------------------------

    def _resident_shards(self, plan: Plan) -> list[Future[Any]]:
        assert self._source is not None
        names = tuple(self._source.columns)
        shards = []
        for ids, owner in zip(plan.shards, plan.owners, strict=True):
            columns = [[self._blocks[self._keys[i][name]] for i in ids] for name in names]
            shards.append(self._pinned(resident_shard, ids, names, columns, owner=owner))
        return shards

    def _recipe_shards(self, plan: Plan) -> list[Future[Any]]:
        assert self._source is not None
        made = recipes(self._source)
        return [
            self._pinned(RecipeShard, tuple(made[i] for i in ids), owner=owner)
            for ids, owner in zip(plan.shards, plan.owners, strict=True)
        ]

    def _pinned(self, function: Any, *arguments: Any, owner: str) -> Future[Any]:
        """A task that runs on its owner as long as that lives."""
        future: Future[Any] = self.client.submit(
            function,
            *arguments,
            key=f"{self._id}-shard-{uuid4().hex}",
            workers=[owner],
            allow_other_workers=True,
            pure=False,
        )
        return future

    # -- questions --------------------------------------------------------------------------------

    def _ask(self, question: Question[Any]) -> Any:
        self._asked = question
        graph = self._draw(question, self._shards)
        self._tasks = sum(1 for key in graph.__dask_graph__() if str(key).startswith(self._id))
        found = self.supervisor.result(self.client.compute(graph, optimize_graph=False, traverse=False))
        if isinstance(found, ShardMoved):
            raise found
        return found

    def _draw(self, question: Question[Any], shards: list[Any]) -> Delayed:
        """The pass as a graph: one kernel a shard, and a tree of joins; every key is new."""
        kernel = question.kernel
        name = f"{self._id}-{type(kernel).__name__.lower()}-{uuid4().hex[:8]}"
        # bound, not passed: delayed takes the fields of a dataclass that is passed apart, into tasks
        ask = dask.delayed(partial(ask_shard, kernel, self.coding, self._token), pure=False, traverse=False)
        join = dask.delayed(partial(join_partials, kernel), pure=False, traverse=False)
        last = dask.delayed(partial(finish_answer, question, len(self._rows)), pure=False, traverse=False)
        partials = []
        for number, (shard, owner) in enumerate(zip(shards, self.plan.owners, strict=True)):
            with dask.annotate(workers=[owner], allow_other_workers=True):
                partials.append(ask(shard, dask_key_name=f"{name}-shard-{number}"))
        level = 0
        while len(partials) > FAN_IN:
            level += 1
            partials = [
                join(*partials[i : i + FAN_IN], dask_key_name=f"{name}-join-{level}-{i}")
                for i in range(0, len(partials), FAN_IN)
            ]
        finished: Delayed = last(*partials, dask_key_name=f"{name}-finish")
        return finished

    def _repair(self, error: BaseException) -> None:
        """Restore what a question depends on: lost blocks, and shards where the blocks are now."""
        if not self._streamed:
            self._shards = []
            self._restore_blocks(error)
            self.plan = in_place(self._rows, self._locations(), self._slots())
        self.place(self.plan)


def _nothing(error: BaseException) -> None:
    """There is nothing to repair."""
