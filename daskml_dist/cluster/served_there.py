"""Servers of parameters and nodes on a cluster: started, watched, mended when some are lost, and ended."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from operator import methodcaller
from typing import Any, final
from uuid import uuid4

from distributed import Client, Future, secede, wait

from daskml_dist.cluster.nodes import ServersLost, Stopped, run_node, served
from daskml_dist.cluster.server_actor import LOST, Address, Call, ServerActor, There, called
from daskml_dist.cluster.shards import Shard
from daskml_dist.cluster.supervisor import CURABLE, Stalled, Supervisor
from daskml_dist.kernels import Coding
from daskml_dist.parameter_server import Counts, Descent, Kept, PushesLost, Served, ServerReport


class WentBack(Stalled):
    """Nodes and servers were lost together: all begins anew at the checkpoint."""


@final
@dataclass(frozen=True)
class NodeEnd:
    """How a node ended: what it has pushed that is in no checkpoint, and the servers that it found lost."""

    kept: Kept
    lost: tuple[int, ...] = ()


def node_task(
    descent: Descent,
    worker: int,
    nodes: int,
    servers: Sequence[Address],
    kept: Kept,
    patience: float,
    seen: tuple[Coding, str],
    shard: Shard,
) -> NodeEnd:
    """A node, as a task."""
    secede()  # it waits for others, which may need this thread
    try:
        line = There(servers, patience)
        run_node(descent, worker, nodes, lambda kernel: shard.chunks(*seen, kernel), kept, line)
    except Stopped:
        return NodeEnd(kept)
    except ServersLost as lost:
        return NodeEnd(kept, lost.which)
    return NodeEnd(Kept())


@final
class Serving:
    """One descent, whose beginning is the checkpoint that all can go back to.

    Parameters
    ----------
    client, supervisor : of the cluster.
    descent : what is to be done.
    seen : how kernels see targets, and a token of it.
    shards : the rows of each node.
    owners : where they are.
    rebuild : makes the shards anew, after an error, with the same rows.
    """

    def __init__(
        self,
        client: Client,
        supervisor: Supervisor,
        descent: Descent,
        seen: tuple[Coding, str],
        shards: Sequence[Future[Any]],
        owners: Sequence[str],
        rebuild: Callable[[BaseException], tuple[Sequence[Future[Any]], Sequence[str]]],
    ) -> None:
        self.client, self.supervisor, self.descent, self.seen = client, supervisor, descent, seen
        self.shards, self.owners, self._rebuild = shards, owners, rebuild
        self.nodes = len(self.shards)
        self.counts, self.tasks = Counts(), 0
        self._pushed = [descent.first] * self.nodes  # the clocks of nodes, as they were last seen
        self._servers: dict[int, Future[Any]] = {}
        self._actors: dict[int, Any] = {}
        self._running: dict[int, Future[NodeEnd]] = {}
        self._id = f"daskml-dist-served-{uuid4().hex[:12]}"

    def run(self) -> Served:
        """The whole descent; from its beginning again where too much was lost."""
        return self.supervisor.insist(self._attempt, self._went_back, self._lasting_keys)

    def _lasting_keys(self) -> list[str]:
        return [str(shard.key) for shard in self.shards]

    def _went_back(self, error: BaseException) -> None:
        self.counts += Counts(went_back=1)
        self.supervisor.repairs.append(
            f"went back to the checkpoint before step {self.descent.first} of the epoch: {error!r}"
        )
        self.shards, self.owners = self._rebuild(error)

    def _attempt(self) -> Served:
        self._pushed = [self.descent.first] * self.nodes
        try:
            self._start_servers(range(len(self.descent.ranges)))
            self._start_nodes({node: Kept() for node in range(self.nodes)})
            while True:
                lost = self._watched()
                reports = [] if lost else self._reported()
                if reports:
                    self._finish()
                    return served(self.descent, self.nodes, reports, self.counts)
                self._mend(lost)
        finally:
            self._end()

    # -- beginnings -------------------------------------------------------------------------------

    def _start_servers(self, which: Iterable[int]) -> None:
        """Servers at the checkpoint, each on a worker of its own as far as there are so many."""
        workers = sorted(self.supervisor.wait_for_workers())
        started = {}
        for server in which:
            terms = self.descent.terms(self.descent.ranges[server])
            started[server] = self.client.submit(
                ServerActor,
                terms,
                self.nodes,
                actor=True,
                key=f"{self._id}-server-{server}-{uuid4().hex[:8]}",
                workers=[workers[server % len(workers)]],
                allow_other_workers=True,
                pure=False,
            )
        self._servers |= started
        try:
            self.supervisor.settle(list(started.values()))
            self._actors |= {server: self.supervisor.fetch(future) for server, future in started.items()}
        except RuntimeError as error:  # Dask does not start an actor again
            raise WentBack(f"a server was lost as it was started: {error}") from error
        self.tasks += len(started)

    def _start_nodes(self, kept: dict[int, Kept]) -> None:
        """Nodes with what they have pushed before."""
        addresses = [Address.of(self._actors[server]) for server in sorted(self._actors)]
        silent = self.supervisor.patience.silent_worker
        for node, own in kept.items():
            begin = partial(node_task, self.descent, node, self.nodes, addresses, own, silent, self.seen)
            self._running[node] = self.client.submit(
                begin,
                self.shards[node],
                key=f"{self._id}-node-{node}-{uuid4().hex[:8]}",
                workers=[self.owners[node]],
                allow_other_workers=True,
                pure=False,
            )
        self.tasks += len(kept)

    # -- watching ---------------------------------------------------------------------------------

    def _watched(self) -> set[int]:
        """Wait until all is done, or something has to be mended; the servers that are lost."""
        began, before = time.monotonic(), -1
        while True:
            living = list(self.supervisor.workers())
            told, lost = self._call(methodcaller("wait", living, self.supervisor.patience.tick))
            ended = [future for future in self._running.values() if future.status != "pending"]
            lost |= {server for future in ended if future.status == "finished" for server in _lost(future)}
            if lost or any(future.status != "finished" for future in ended):
                return lost
            if all(done for done, _ in told.values()):
                return lost
            clocks = [clocks for _, clocks in told.values()]
            if before != (before := sum(map(sum, clocks))):
                began = time.monotonic()
            self._pushed = [max(own) for own in zip(*clocks, strict=True)]
            self.supervisor.look(began)

    def _call(self, call: Call) -> tuple[dict[int, Any], set[int]]:
        """Call all servers at once: the answers of those that gave one, and those that are lost."""
        calls = dict.fromkeys(sorted(self._actors), call)
        silent = self.supervisor.patience.silent_worker
        return called(self._actors, calls, silent, self.supervisor.workers)

    def _reported(self) -> list[ServerReport]:
        """What the servers hold, which makes the next checkpoint; nothing if a node or a server failed."""
        if any(future.status not in ("pending", "finished") for future in self._running.values()):
            return []
        told, lost = self._call(methodcaller("report"))
        return [] if lost else list(told.values())

    # -- mending ----------------------------------------------------------------------------------

    def _mend(self, lost: set[int]) -> None:
        """Servers that are lost are made anew, and told again what nodes have kept."""
        _, more = self._call(methodcaller("stop", True))
        lost |= more
        ends = self._all_ended()
        kept = {node: end.kept for node, end in ends.items() if end is not None}
        failed = [node for node, end in ends.items() if end is None]
        for node in failed:
            error = self._error(node)
            if isinstance(error, PushesLost):
                raise WentBack(f"nodes and servers were lost together: {error}") from error
            if not isinstance(error, CURABLE):
                raise error
            self.shards, self.owners = self._rebuild(error)
            kept[node] = Kept()
        lost |= {server for end in ends.values() if end is not None for server in end.lost}
        gone = [node for node, own in kept.items() if own.until < self._pushed[node]]
        if lost and gone:
            raise WentBack(f"servers {sorted(lost)} were lost together with what nodes {gone} had pushed")
        if lost:
            self.counts += Counts(restored=len(lost))
            self.supervisor.repairs.append(f"made servers {sorted(lost)} of parameters anew")
            self._start_servers(sorted(lost))
        self._call(methodcaller("stop", False))
        self._start_nodes(kept)

    def _all_ended(self) -> dict[int, NodeEnd | None]:
        """How each node ended, once it has; None where it failed."""
        began = time.monotonic()
        waiting = list(self._running.values())
        while waiting:
            try:
                with self.client.as_current():
                    waiting = list(wait(waiting, timeout=self.supervisor.patience.tick).not_done)
            except TimeoutError:
                waiting = [future for future in waiting if not future.done()]
                self.supervisor.look(began)
        return {
            node: self.supervisor.fetch(future) if future.status == "finished" else None
            for node, future in self._running.items()
        }

    def _error(self, node: int) -> BaseException:
        future = self._running[node]
        try:
            self.supervisor.fetch(future)
        except BaseException as error:  # what the task raised, whatever it is
            return error
        return Stalled(f"node {node} has no result")

    # -- endings ----------------------------------------------------------------------------------

    def _finish(self) -> None:
        """Nodes may forget what they kept."""
        self._call(methodcaller("checkpointed"))
        try:
            with self.client.as_current():
                wait(list(self._running.values()), timeout=self.supervisor.patience.silent_worker)
        except TimeoutError:
            pass  # what the servers hold is safe here

    def _end(self) -> None:
        """Send nodes away, and let go of servers."""
        pending = [future for future in self._running.values() if future.status == "pending"]
        if pending:
            try:
                self._call(methodcaller("stop", True))
            except LOST:
                pass  # no cluster, no nodes
        for future in (*self._running.values(), *self._servers.values()):
            future.release()
        self._running, self._servers, self._actors = {}, {}, {}


def _lost(future: Future[NodeEnd]) -> tuple[int, ...]:
    """The servers that a node found lost."""
    try:
        end: NodeEnd = future.result(timeout=10)
    except Exception:  # it will be seen when it is mended
        return ()
    return end.lost
