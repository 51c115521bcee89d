"""A server of parameters as a Dask actor, and the line of a node to all of them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass
from operator import methodcaller
from typing import Any, final

from distributed import Actor, Client, get_client, get_worker

from daskml_dist.cluster.nodes import Line, ServersLost, Stopped
from daskml_dist.parameter_server import (
    Finish,
    Join,
    Message,
    Read,
    Send,
    Server,
    ServerReport,
    Version,
)
from daskml_dist.parameter_server.descent import Terms
from daskml_dist.parameter_server.push import Push

_WAIT = 0.5  # seconds that a call may wait at a server, before it is made again
STOP = "stop"
"""The answer of a server that wants no more."""


@final
class ServerActor:
    """Lets calls wait for each other; the rules are those of ``Server``.

    Methods are coroutines: they run one at a time on the event loop of the worker, and take no thread.
    """

    def __init__(self, terms: Terms, nodes: int) -> None:
        self.server = Server(terms, nodes)
        self._changed = asyncio.Condition()
        self._addresses: dict[int, str] = {}
        self._stopped = self._checkpointed = False

    # -- for nodes --------------------------------------------------------------------------------

    async def join(self, worker: int, address: str) -> int:
        """The next clock of a node, which runs there from now on."""
        self._addresses[worker] = address
        return self.server.join(worker)

    async def read(self, worker: int, clock: int) -> Version | str | None:
        """The version that a clock begins with; None where it may not begin for a while."""
        await self._until(lambda: self.server.may_read(clock))
        if self._ended:
            return STOP
        return self.server.read(worker, clock) if self.server.may_read(clock) else None

    async def push(self, push: Push) -> str | None:
        """Take an update."""
        if self._stopped:
            return STOP
        self.server.push(push)
        async with self._changed:
            self._changed.notify_all()
        return None

    async def finish(self) -> bool | str | None:
        """True once all is in a checkpoint; None where that takes a while."""
        await self._until(lambda: self._checkpointed)
        if self._checkpointed:
            return True
        return STOP if self._ended else None

    # -- for who looks after them -----------------------------------------------------------------

    async def wait(self, living: Sequence[str], seconds: float) -> tuple[bool, list[int]]:
        """Whether there is nothing left to wait for, and the clocks of nodes; lost ones are released."""
        for worker, address in self._addresses.items():
            if address not in living:
                self.server.release(worker)
        async with self._changed:
            self._changed.notify_all()
        await self._until(lambda: self.server.complete, seconds)
        return self.server.complete or not self.server.finite, list(self.server.clocks)

    async def report(self) -> ServerReport:
        """What is held and counted."""
        return self.server.report()

    async def checkpointed(self) -> None:
        """Nodes need to keep nothing any more."""
        self._checkpointed = True
        async with self._changed:
            self._changed.notify_all()

    async def stop(self, stopped: bool) -> None:
        """Send all nodes away, or let them come again."""
        self._stopped = stopped
        async with self._changed:
            self._changed.notify_all()

    @property
    def _ended(self) -> bool:
        return self._stopped or not self.server.finite

    async def _until(self, enough: Callable[[], bool], seconds: float = _WAIT) -> None:
        """Wait for something or for the end, but not for long."""
        async with self._changed:
            try:
                await asyncio.wait_for(self._changed.wait_for(lambda: enough() or self._ended), seconds)
            except TimeoutError:
                pass


@final
@dataclass(frozen=True)
class Address:
    """Where an actor is. It is no future: a task that knows it does not end with the actor."""

    worker: str
    key: str

    @classmethod
    def of(cls, actor: Any) -> Address:
        """That of an actor."""
        return cls(actor._address, actor._key)

    def actor(self) -> Any:
        """A handle in this process."""
        return Actor(ServerActor, self.worker, self.key)


#: what a call of an actor raises whose worker is gone, or does not answer
LOST = (OSError, TimeoutError, RuntimeError, KeyError)

Call = Callable[[Any], Any]


@final
class There(Line):
    """From a task to all servers, which are called at the same time."""

    def __init__(self, addresses: Sequence[Address], patience: float) -> None:
        self._actors = [address.actor() for address in addresses]
        self._patience = patience

    def ask(self, message: Message) -> Sequence[Any]:
        everywhere = range(len(self._actors))
        match message:
            case Join(worker):
                join = methodcaller("join", worker, get_worker().address)
                return self._all(dict.fromkeys(everywhere, join))
            case Read(worker, clock):
                return self._waited(methodcaller("read", worker, clock))
            case Send(pushes):
                some = {server: push for server, push in enumerate(pushes) if push is not None}
                return self._all({server: methodcaller("push", push) for server, push in some.items()})
            case Finish():
                return self._waited(methodcaller("finish"))

    def _waited(self, call: Call) -> list[Any]:
        """Answers that are not None, each asked for until it comes."""
        answers: dict[int, Any] = dict.fromkeys(range(len(self._actors)))
        while missing := [server for server, answer in answers.items() if answer is None]:
            answers |= zip(missing, self._all(dict.fromkeys(missing, call)), strict=True)
        return list(answers.values())

    def _all(self, calls: Mapping[int, Call]) -> list[Any]:
        """The answers of some servers."""
        answers, lost = called(self._actors, calls, self._patience, lambda: workers_of(get_client()))
        if lost:
            raise ServersLost(lost)
        told = list(answers.values())
        if STOP in [answer for answer in told if isinstance(answer, str)]:
            raise Stopped
        return told


def called(
    actors: Sequence[Any] | Mapping[int, Any],
    calls: Mapping[int, Call],
    patience: float,
    living: Callable[[], Container[str]],
) -> tuple[dict[int, Any], set[int]]:
    """Call actors at the same time: the answers of those that gave one, and those that are lost.

    ``living`` : the addresses of the workers there are.
    """
    made: dict[int, Any] = {}
    lost = set()
    for server, call in calls.items():
        try:
            made[server] = call(actors[server])
        except LOST:
            lost.add(server)
    answers = {}
    for server, future in made.items():
        try:
            answers[server] = _result(actors[server], future, patience, living)
        except LOST:
            lost.add(server)
    return answers, lost


def _result(actor: Any, future: Any, patience: float, living: Callable[[], Container[str]]) -> Any:
    """The result of a call, as long as there is the worker; Dask goes on calling one that is gone."""
    until = time.monotonic() + patience
    while True:
        try:
            return future.result(timeout=2 * _WAIT)
        except TimeoutError:
            if time.monotonic() > until or actor._address not in living():
                raise


def workers_of(client: Client) -> Container[str]:
    """The addresses of the workers that the scheduler knows."""
    info: Any = client.scheduler_info(n_workers=-1)
    return set(info["workers"])
