"""A dask.distributed cluster: each pass is a graph of delayed kernels over resident or streamed shards."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from typing import Any, TypeVar, final
from uuid import uuid4
from weakref import WeakKeyDictionary

import dask
import numpy as np
from distributed import Client, Future, futures_of

from daskml_dist import inputs
from daskml_dist.cluster._base import Hands, Holding, laid_out
from daskml_dist.cluster.drawing import Drawing
from daskml_dist.cluster.late import MULTIPLE, PULSE, Race
from daskml_dist.cluster.memory import row_bytes, too_large
from daskml_dist.cluster.placement import Placement
from daskml_dist.cluster.planner import OVERHEAD, Planner
from daskml_dist.cluster.recipes import Recipe, recipes
from daskml_dist.cluster.resident import Resident
from daskml_dist.cluster.roster import Roster
from daskml_dist.cluster.sender import Sender
from daskml_dist.cluster.served_there import Serving
from daskml_dist.cluster.shards import RecipeShard, ShardMoved, resident_shard
from daskml_dist.cluster.supervisor import CURABLE, Patience, Stalled, Supervisor
from daskml_dist.cluster.tasks import Reply
from daskml_dist.kernels import Coding, Question
from daskml_dist.parameter_server import Descent, Served
from daskml_dist.partition import Facts, Offer, Plan, in_place, longest_first, together
from daskml_dist.types import Cost, Decision, Layout, Table

B = TypeVar("B")

#: bytes that say something of the bandwidth when they are moved
_TELLING = 1e7

#: times that a chunk is moved at most, until it is where it was to go
_MOVES = 5


@final
class OnDask(Hands):
    """Answers with the workers of a cluster.

    Data that fit are persisted, and each worker thread gets the chunks that are already there as
    one shard. Data that do not fit are loaded chunk by chunk within the task that asks. Either way a
    pass is one task a thread and a tree of a few tasks that join them. Between passes chunks move where
    that pays; within one, work that is late is started once more.
    """

    def __init__(
        self, client: Client, patience: Patience | None = None, placement: Placement | None = None
    ) -> None:
        self.client = client
        self.cost = Cost(0, 0, 0.0)
        self.supervisor = Supervisor(client, patience or Patience())
        self.supervisor.heed = lambda: self.heed()
        self.placement = placement or Placement()
        self.roster = Roster(self.supervisor, self.placement.needs)
        self.planner = Planner(self.placement, _PACES.setdefault(client, {}))
        self.bandwidth = float(dask.config.get("distributed.scheduler.bandwidth", 1e8))
        self._id = f"daskml-dist-{uuid4().hex[:12]}"
        self.coding, self._token = Coding(raw=True), "raw"
        self._source: Table | None = None
        self._resident: Resident | None = None
        self._recipes: list[Recipe] = []
        self._homes: dict[int, str] = {}  # of chunks that a first plan may move
        self._weighed = False  # whether bytes say more of the work than rows do
        self._rows: tuple[int, ...] = ()
        self._shards: list[Future[Any]] = []
        self._asked: Question[Any] | None = None
        self._met: set[str] = set()  # workers that have answered something
        self._beats: dict[str, float] = {}  # when late workers were heard of
        self._copies: dict[int, str] = {}  # chunks on the way to a helper
        self._tasks, self._sender = 0, Sender(client)

    @property
    def decisions(self) -> tuple[Decision, ...]:
        return tuple(self.planner.decisions)

    def hold(self, table: Table) -> Holding:
        self._source, self._resident, self._recipes, self._weighed = table, None, [], False
        self.names = table.feature_names
        held = bool(futures_of(list(table.columns.values())))
        if not held and too_large(table, self.evaluate, self._offers()):
            self._recipes = recipes(table)
            self._rows = table.chunks or ()
            return Holding(self._rows, (None,) * len(self._rows), self._slots(), True)
        workers = list(dict.fromkeys(self._slots())) if self.placement.needs else None
        self._resident = Resident(self.client, self.supervisor, table, workers)
        self._resident.persist()
        self._rows = table.chunks or self._resident.measure()
        self._weighed = table.X is not None and inputs.is_sparse(table)
        return Holding(self._rows, self._resident.locations(), self._slots(), False)

    def planned(self, holding: Holding) -> Plan:
        moves = self.placement.by in ("resources", "finish-time")
        self._homes = {i: home for i, home in enumerate(holding.locations) if home is not None and moves}
        return self.planner.first(holding, self._sizes() if moves else (), self.roster.rooms(holding.slots))

    def place(self, plan: Plan) -> None:
        self.plan = plan
        self.planner.forget()
        self._shards = [self._shard(ids, owner) for ids, owner in zip(plan.shards, plan.owners, strict=True)]
        homes, self._homes = self._homes, {}
        with suppress(*CURABLE, Stalled, OSError, TimeoutError):  # the first question meets these again
            self._settle_moves(homes)

    def code(self, coding: Coding) -> None:
        self.coding, self._token = coding, uuid4().hex

    def answer(self, question: Question[B]) -> B:
        began = time.monotonic()
        if self.placement.replan:
            with suppress(*CURABLE, Stalled, OSError, TimeoutError):  # the question meets these again
                self._replan()
        reply = self.supervisor.insist(lambda: self._ask(question), self._repair, self._lasting_keys)
        self.cost = Cost(self._tasks, reply.moved, time.monotonic() - began)
        found: B = reply.found
        return found

    def serve(self, descent: Descent) -> Served:
        began, plan, seen = time.monotonic(), self.plan, (self.coding, self._token)

        def rebuild(error: BaseException) -> tuple[list[Future[Any]], tuple[str, ...]]:
            self._repair(error, plan.shards)
            return self._shards, self.plan.owners

        serving = Serving(self.client, self.supervisor, descent, seen, self._shards, plan.owners, rebuild)
        found = serving.run()
        self.busy = ()  # nodes wait for each other, and nobody measures for how long
        self.cost = Cost(serving.tasks, found.counts.nbytes, time.monotonic() - began)
        return found

    def layout(self) -> Layout:
        each = row_bytes(self._source)
        sizes = [each * rows for rows in self._rows]
        return laid_out(self.plan, self._rows, sizes, len(self.roster.threads), self._resident is None)

    def evaluate(self, small: Any) -> Any:
        supervisor = self.supervisor
        return supervisor.insist(lambda: supervisor.result(self.client.compute(small)), _nothing, list)

    def publish(self, topic: str, message: Mapping[str, Any]) -> None:
        self._sender.send(topic, {**message, "client": self.client.id})

    def close(self) -> None:
        for future in self._shards:
            future.release()  # now, and not when the garbage collector comes by
        if self._resident is not None:
            self._resident.release()
        self._shards, self._resident, self._recipes, self._source = [], None, [], None
        self.supervisor.dismiss()

    @property
    def graph(self) -> Any:
        # drawn anew, with the names of the shards: futures of them would keep the data on the workers
        if self._asked is None or not self._shards:  # nothing was asked yet, or the cluster is lost
            return None
        names = [str(shard.key) for shard in self._shards]
        return self._drawing(self._asked).graph(names, self.plan.owners)[0]

    @property
    def dashboard(self) -> str | None:
        link: str | None = self.client.dashboard_link
        return link

    # -- the cluster ------------------------------------------------------------------------------

    def _slots(self) -> tuple[str, ...]:
        return self.roster.look()

    def _offers(self) -> list[Offer]:
        """The workers that have a limit of memory."""
        self._slots()
        return self.roster.limited()

    def _sizes(self) -> tuple[float, ...]:
        """Bytes of each chunk that a move transfers."""
        return (0.0,) * len(self._rows) if self._resident is None else self._resident.sizes()

    def _costs(self) -> tuple[float, ...]:
        """Work of each chunk: its rows, or bytes where rows are sparse."""
        return self._sizes() if self._weighed else tuple(map(float, self._rows))

    def _lasting_keys(self) -> list[str]:
        blocks = () if self._resident is None else self._resident.blocks
        return [*map(str, blocks), *(str(shard.key) for shard in self._shards)]

    # -- shards -----------------------------------------------------------------------------------

    def _shard(self, ids: tuple[int, ...], owner: str) -> Future[Any]:
        """A task that makes a shard on its owner as long as that lives."""
        if self._resident is None:
            made: tuple[Any, ...] = (RecipeShard, tuple(self._recipes[i] for i in ids))
        else:
            made = (resident_shard, ids, *self._resident.columns(ids))
        future: Future[Any] = self.client.submit(
            *made,
            key=f"{self._id}-shard-{uuid4().hex}",
            workers=[owner],
            allow_other_workers=True,
            pure=False,
        )
        return future

    def _replan(self) -> None:
        """Let chunks move if a worker is slow, came or left, and it pays."""
        before = set(self.roster.threads)
        threads = self._slots() if self.roster.stale else self.roster.threads
        came, gone = set(threads) - before, set(self.plan.owners) - set(threads)
        homes: dict[int, str] = {}
        if gone and self._resident is not None:
            locations = self._resident.locations()
            homes = {i: home for i, home in enumerate(locations) if home in threads}
            if len(homes) < len(locations):
                return  # they are being made anew
        if gone or self.planner.pace.uneven or (came and self.planner.pace.measured):
            pace = self.planner.pace
            facts = Facts(
                threads,
                self._costs(),
                pace.paces(),
                pace.sweeps,
                self._sizes(),
                self.bandwidth,
                OVERHEAD,
                self.roster.rooms(threads) if self._resident is not None else {},
                homes,
            )
            self._move(self.planner.replan(self.plan, facts))

    def _move(self, plan: Plan) -> None:
        """Bring the shards to where the plan wants them; those that stay as they are are left alone."""
        if plan == self.plan:
            return
        old = dict(zip(zip(self.plan.shards, self.plan.owners, strict=True), self._shards, strict=True))
        homes = self.plan.places
        shards = zip(plan.shards, plan.owners, strict=True)
        self._shards = [old.pop(shard) if shard in old else self._shard(*shard) for shard in shards]
        self.plan = plan
        for shard in old.values():
            shard.release()
        self._settle_moves(homes)

    def _settle_moves(self, homes: Mapping[int, str]) -> None:
        """Wait until chunks have left their homes for those that the plan names, and drop them there.

        Dask's memory manager, which drops second copies as well, may have dropped the one that was to
        stay: such a chunk is moved once more.
        """
        moved = {i: homes[i] for i, owner in self.plan.places.items() if homes.get(i, owner) != owner}
        if not moved or self._resident is None:
            return
        began = time.monotonic()
        self.supervisor.settle(self._shards)
        size, seconds = sum(self._sizes()[i] for i in moved), time.monotonic() - began
        if size >= _TELLING:
            self.bandwidth = 0.7 * self.bandwidth + 0.3 * size / seconds
        for _ in range(_MOVES):
            self._resident.drop(moved)
            stayed = self._resident.stayed(moved)
            if not stayed:
                return
            again = zip(self._shards, self.plan.shards, self.plan.owners, strict=True)
            self._shards = [s if stayed.isdisjoint(ids) else self._shard(ids, own) for s, ids, own in again]
            self.supervisor.settle(self._shards)

    def _repair(self, error: BaseException, ids: tuple[tuple[int, ...], ...] = ()) -> None:
        """Restore lost blocks, and shards where these are now, of these chunks or any."""
        plan = self.plan
        if self._resident is not None:
            self._shards = []
            self._resident.restore(error)
            locations, slots = self._resident.locations(), self._slots()
            plan = together(ids, locations, slots) if ids else in_place(self._rows, locations, slots)
        self.place(plan)

    # -- questions --------------------------------------------------------------------------------

    def _drawing(self, question: Question[Any]) -> Drawing:
        needs = self.placement.needs
        return Drawing(self._id, question, self.coding, self._token, len(self._rows), needs)

    def _ask(self, question: Question[Any]) -> Reply:
        self._asked, self._beats = question, {}
        drawing = self._drawing(question)
        graph, asks = drawing.graph(self._shards, self.plan.owners)
        self._tasks = drawing.tasks(graph)
        watched = self.placement.backup and len(asks) > 1
        made = self.client.compute(
            [graph, *asks] if watched else [graph], optimize_graph=False, traverse=False
        )
        race = Race(self.client, made[0], made[1:], partial(self._copy, drawing, made[1:]))
        try:
            if watched:
                winner = self.supervisor.first(race.candidates, PULSE)
            else:
                self.supervisor.settle([race.final])
                winner = race.final
            reply: Reply | ShardMoved = self.supervisor.fetch(winner)
            if isinstance(reply, ShardMoved):
                raise reply
            self._heard(question, reply, race, winner is race.copied)
            return reply
        finally:
            race.end()
            self._drop_copies()

    def _copy(
        self, drawing: Drawing, asks: list[Future[Any]], late: list[int], waited: float
    ) -> Future[Any] | None:
        """Start the work of late shards once more on other workers; None where that does not pay.

        Work that has taken so long is expected to take as long again.
        """
        plan, costs, sizes = self.plan, self._costs(), self._sizes()
        if not {plan.owners[n] for n in late} <= self._met:
            return None  # it may still import what the first question needs
        slow = {plan.owners[n] for n in late}
        if self._resident is not None and not self._beating(slow):
            return None  # a transfer from a worker that hangs would hang as well
        helpers = tuple(worker for worker in self.roster.threads if worker not in slow)
        chunks = sorted(i for n in late for i in plan.shards[n])
        size = sum(sizes[i] for i in chunks)
        seconds = OVERHEAD + size / self.bandwidth + waited / MULTIPLE
        rooms = self._left(set(helpers))
        if not helpers or seconds >= waited or size > sum(rooms.get(w, np.inf) for w in set(helpers)):
            return None
        part = longest_first(
            [costs[i] for i in chunks], helpers, self.planner.speeds(), [sizes[i] for i in chunks], rooms
        )
        ids = [tuple(chunks[k] for k in shard) for shard in part.shards]
        shards = [self._shard(own, helper) for own, helper in zip(ids, part.owners, strict=True)]
        done = [ask for n, ask in enumerate(asks) if n not in late]
        graph, _ = drawing.graph(shards, part.owners, done, first=len(plan.shards))
        self._tasks += len(shards) + drawing.tasks(graph)
        self._copies = {i: helper for own, helper in zip(ids, part.owners, strict=True) for i in own}
        self.planner.copied(plan, self._copies, waited, seconds)
        copied: Future[Any] = self.client.compute(graph, optimize_graph=False, traverse=False)
        return copied

    def _beating(self, workers: set[str]) -> bool:
        """Whether all of these workers were heard of since this was asked for the first time."""
        infos = self.supervisor.workers()
        now = {worker: float(infos[worker]["last_seen"]) for worker in workers if worker in infos}
        self._beats = self._beats or now
        return set(now) == workers and all(now[w] > self._beats.get(w, now[w]) for w in workers)

    def _left(self, workers: set[str]) -> dict[str, float]:
        """Bytes for which there is room on workers that have a limit."""
        if self._resident is None:
            return {}
        sizes, left = self._sizes(), self.roster.rooms(workers)
        for chunk, owner in self.plan.places.items():
            if owner in left:
                left[owner] = max(left[owner] - sizes[chunk], 0.0)
        return left

    def _drop_copies(self) -> None:
        """Let helpers forget the blocks they were sent for a copy."""
        if self._copies and self._resident is not None:
            with suppress(OSError, TimeoutError):
                self._resident.drop(self._copies)
        self._copies = {}

    def _heard(self, question: Question[Any], reply: Reply, race: Race, by_copy: bool) -> None:
        """Note how long each shard took; one whose copy was first takes as long as was waited, at least."""
        if race.copied is not None:
            self.planner.came_out("backup", "the copy was first" if by_copy else "the original was first")
        self._met |= {busy.worker for busy in reply.busy}
        self.busy = reply.busy
        kernel = question.kernel
        if kernel.reads_features and kernel.streams_only is None:
            seconds, owners = [race.waited] * len(self.plan.shards), list(self.plan.owners)
            for busy in reply.busy:
                if busy.shard < len(seconds):
                    seconds[busy.shard], owners[busy.shard] = busy.seconds, busy.worker
            idle = len(self.roster.threads) - len(seconds)
            self.planner.heard(self.plan, self._costs(), seconds, owners, max(idle, 0))


#: paces of workers that fits of this process have measured, by client
_PACES: WeakKeyDictionary[Client, dict[str, float]] = WeakKeyDictionary()


def _nothing(error: BaseException) -> None:
    """There is nothing to repair."""
