"""The controller changes what is wanted, step by step: roll, canary, roll back, scale, follow an alias."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import Any, final

from daskml_dist.serve import rolling
from daskml_dist.serve.agent import LOOK, Agent
from daskml_dist.serve.desired import Desired
from daskml_dist.serve.gateway_app import GatewayApp
from daskml_dist.serve.keeper import Keeper
from daskml_dist.serve.refusals import Refused
from daskml_dist.serve.sources import Found, Source

START = 60.0
"""Seconds that new replicas may take to become ready."""
_JOINING = 30.0
_LOG = logging.getLogger(__name__)


@final
class Controller(Keeper):
    """Keeps a deployment, and changes it.

    Parameters
    ----------
    desired, path, app, local : as for `Keeper`.
    source : finds versions.
    guard : seconds for which each new replica is watched before an old one goes.
    follow : whether a promoted alias is picked up.
    """

    def __init__(
        self,
        desired: Desired,
        path: Path,
        app: GatewayApp,
        source: Source,
        local: Agent | None,
        *,
        guard: float = 1.0,
        follow: bool = True,
    ) -> None:
        super().__init__(desired, path, app, local)
        self._source, self._guard, self._follow = source, guard, follow
        self._changing = asyncio.Lock()
        self.rolling: dict[str, Any] | None = None

    async def run(self) -> None:
        """Keep the deployment until it is cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.keep())
            if self._follow:
                tasks.create_task(self._watch_alias())

    async def begin(self, agents: int = 0) -> None:
        """Serve the version that the spec stands for, unless one is served already.

        Parameters
        ----------
        agents : that are waited for, half a minute at most.

        Raises
        ------
        Refused
            It cannot be found, or does not work.
        """
        if self.desired.current is not None and self.desired.counts:
            return
        end = self._loop.time() + _JOINING
        while len(self._agents) + len(self._refused) < agents and self._loop.time() < end:
            await asyncio.sleep(LOOK)
        await self.roll(self.desired.spec)

    async def roll(self, spec: str) -> str:
        """Replace what is served by a version; returns its number.

        Raises
        ------
        Refused
            409 where another change is under way or the version does not work, 404 where there is none.
        """
        return await self._roll("roll", await self._find(spec))

    async def canary(self, spec: str, percent: float) -> str:
        """Give a version a share of the requests; returns its number.

        Raises
        ------
        Refused
            As for `roll`.
        """
        found = await self._find(spec)
        steps = rolling.canary(self.desired.replicas, self._counts(), found.version, percent)
        await self._change("canary", found, steps)
        if percent >= 100.0:
            self._serves(found.version)
        return found.version

    async def rollback(self) -> str:
        """Serve what was served before; returns its number. A canary is taken back before anything else.

        Raises
        ------
        Refused
            409 where nothing was served before.
        """
        history = list(self.desired.history)
        canaries = [version for version in self.desired.counts if version != self.desired.current]
        if self.desired.shares and canaries and history:
            base = history[-1]  # it is here, and no registry has to be asked
            return await self._roll(
                "rollback", Found(self.desired.model, base, self.desired.directories[base])
            )
        if len(history) < 2:
            raise Refused(409, "no version was served before this one", "change")
        now, before = history[-1], history[-2]
        version = await self._roll("rollback", await self._find(f"{self.desired.model}/{before}"))
        self.desired.history = history[:-1]
        try:
            self.desired.seen = await asyncio.to_thread(self._source.rolled_back, self.desired.spec, now)
        except Exception as error:  # what is served matters more than what the registry says
            self.desired.tell("alias not moved", {"why": str(error)})
        self.save()
        return version

    def scale(self, replicas: int) -> None:
        """Another number of replicas.

        Raises
        ------
        Refused
            409 while another change is under way.
        """
        if self._changing.locked() or self.desired.shares:
            raise Refused(409, "another change is under way", "change")
        self.desired.replicas = replicas
        self.desired.counts = dict.fromkeys(self.desired.counts, replicas)
        self.desired.tell("scale", {"replicas": replicas})
        self.save()

    async def _watch_alias(self) -> None:
        """Roll to what the alias stands for, once for each time that it moves."""
        while True:
            await asyncio.sleep(1.0)
            try:
                found = await asyncio.to_thread(self._source.number, self.desired.spec)
            except Exception as error:  # a registry that is away for a while changes nothing
                _LOG.warning("the registry cannot be read: %s", error)
                continue
            if found == self.desired.seen or self._changing.locked():
                continue
            self.desired.seen = found
            if found != self.desired.current:
                self.desired.tell("alias moved", {"version": found})
                try:
                    await self.roll(self.desired.spec)
                except Refused as refused:
                    self.desired.failed.setdefault(found, refused.message)
                    self.save()

    async def _roll(self, what: str, found: Found) -> str:
        steps = rolling.roll(self.desired.replicas, self._counts(), found.version)
        await self._change(what, found, steps)
        self._serves(found.version)
        return found.version

    async def _find(self, spec: str) -> Found:
        try:
            return await asyncio.to_thread(self._source.find, spec)
        except Exception as error:  # the registry says what is wrong with it
            raise Refused(404, f"{spec}: {error}", "change") from None

    def _counts(self) -> dict[str, int]:
        return {version: count for version, count in self.desired.counts.items() if count}

    def _serves(self, version: str) -> None:
        if self.desired.current != version:
            self.desired.history.append(version)
        self.desired.failed.pop(version, None)
        self.save()

    async def _change(self, what: str, found: Found, steps: rolling.Conversation) -> None:
        if self._changing.locked():
            raise Refused(409, "another change is under way", "change")
        async with self._changing:
            self.desired.directories[found.version] = found.directory
            self.desired.tell(what, {"version": found.version})
            try:
                why = await self._converse(what, found.version, steps)
            finally:
                self.rolling = None
            if why is not None:
                self.desired.failed[found.version] = why
                self.desired.tell(f"{what} failed", {"version": found.version, "why": why})
                self.save()
                raise Refused(409, f"version {found.version} does not work: {why}", "change")
            self.desired.tell(f"{what} done", {"version": found.version})

    async def _converse(self, what: str, version: str, steps: rolling.Conversation) -> str | None:
        outcome: str | None = None
        try:
            step = next(steps)
            while True:
                self.rolling = {"what": what, "version": version, "step": str(step)}
                outcome = await self._do(step)
                step = steps.send(outcome)
        except StopIteration as end:
            why: str | None = end.value
            return why

    async def _do(self, step: rolling.Step) -> str | None:
        """Make a step happen; why it did not, or None."""
        if isinstance(step, rolling.Weigh):
            self.desired.shares = dict(step.shares)
            self._router.weigh(self.desired.shares)
            self.save()
            return None
        if isinstance(step, rolling.Guard):
            return await self._watch(step.version)
        self.desired.counts[step.version] = step.count
        if step.count == 0:
            del self.desired.counts[step.version]
        self.save()
        if isinstance(step, rolling.Raise):
            return await self._until_ready(step.version, step.count)
        while any(self.desired.replica_of.get(identity) == step.version for identity in self._draining) or (
            sum(version == step.version for version in self.desired.replica_of.values()) > step.count
        ):
            await asyncio.sleep(LOOK)
        return None

    async def _until_ready(self, version: str, count: int) -> str | None:
        end = self._loop.time() + START
        while self._router.ready(version) < count:
            if why := self._failure(version):
                return why
            if self._loop.time() > end:
                return f"not ready after {START:g} s"
            await asyncio.sleep(LOOK)
        return None

    def _failure(self, version: str) -> str | None:
        for known in self._agents.values():
            for replica in known.report["replicas"]:
                if replica["version"] == version and replica["state"] == "failed":
                    return str(replica["why"])
        return None if self._agents else next(iter(self._refused.values()), None)

    async def _watch(self, version: str) -> str | None:
        """Look at the answers of a version for a while: errors, deaths, and answers much slower than
        before.
        """
        figures = self._app.figures
        errors = figures.errors(version)
        restarts = self._restarts(version)
        end = self._loop.time() + self._guard
        while self._loop.time() < end:
            await asyncio.sleep(LOOK)
            if figures.errors(version) > errors:
                return "it answers with errors of the server"
            if self._restarts(version) > restarts:
                return self._failure(version) or "a replica died while it was watched"
        return figures.slower(version)

    def _restarts(self, version: str) -> int:
        return sum(
            replica["restarts"]
            for known in self._agents.values()
            for replica in known.report["replicas"]
            if replica["version"] == version
        )
