"""Servers of parameters in this process, and a thread for each node."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Condition
from typing import Any, final

from daskml_dist.cluster._base import heeded
from daskml_dist.cluster.nodes import Line, Stopped, run_node, served
from daskml_dist.cluster.shards import Shard
from daskml_dist.kernels import Coding
from daskml_dist.parameter_server import (
    Counts,
    Descent,
    Finish,
    Join,
    Kept,
    Message,
    Read,
    Send,
    Served,
    Server,
)


@final
class Here(Line):
    """All servers behind one lock."""

    def __init__(self, servers: Sequence[Server]) -> None:
        self.servers = servers
        self._changed = Condition()
        self._stopped = False

    def stop(self) -> None:
        """Let nobody wait any longer."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()

    def ask(self, message: Message) -> Sequence[Any]:
        with self._changed:
            match message:
                case Join(worker):
                    return [server.join(worker) for server in self.servers]
                case Read(worker, clock):
                    self._changed.wait_for(lambda: self._ended or self._admits(clock))
                    if self._ended:
                        raise Stopped
                    return [server.read(worker, clock) for server in self.servers]
                case Send(pushes):
                    for server, push in zip(self.servers, pushes, strict=True):
                        if push is not None:
                            server.push(push)
                    self._changed.notify_all()
                case Finish():
                    self._changed.wait_for(lambda: self._ended or self._complete)
        return ()

    def _admits(self, clock: int) -> bool:
        return all(server.may_read(clock) for server in self.servers)

    @property
    def _complete(self) -> bool:
        return all(server.complete for server in self.servers)

    @property
    def _ended(self) -> bool:
        return self._stopped or not all(server.finite for server in self.servers)


def serve_here(
    descent: Descent, shards: Sequence[Shard], coding: Coding, token: str, heed: Callable[[], None]
) -> Served:
    """A descent with one node for each shard; ``heed()`` is called before each chunk, and may end it."""
    nodes = len(shards)
    servers = [Server(descent.terms(columns), nodes) for columns in descent.ranges]
    line = Here(servers)

    def run(worker: int) -> None:
        try:
            run_node(
                descent,
                worker,
                nodes,
                lambda kernel: heeded(shards[worker].chunks(coding, token, kernel), heed),
                Kept(),
                line,
            )
        except Stopped:
            pass
        except BaseException:
            line.stop()  # else the others would wait for this one
            raise

    with ThreadPoolExecutor(nodes, thread_name_prefix="daskml-dist-node") as pool:
        try:
            for done in [pool.submit(run, worker) for worker in range(nodes)]:
                done.result()
        except BaseException:  # Ctrl-C among them
            line.stop()
            raise
    return served(descent, nodes, [server.report() for server in servers], Counts())
