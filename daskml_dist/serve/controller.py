"""The controller makes what is there like what is wanted, and changes what is wanted one step at a time.

It lives in the process of the gateway. Replicas are kept by agents: one in this process for this machine,
others report over HTTP and are told what is wanted of them in the answer.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, final

from daskml_dist.serve import rolling
from daskml_dist.serve.agent import LOOK, Agent, Wanted
from daskml_dist.serve.desired import Desired, assign
from daskml_dist.serve.gateway_app import GatewayApp
from daskml_dist.serve.refusals import Refused
from daskml_dist.serve.sources import Found, Source

AGENT_LEASE = 3.0
"""Seconds without a report after which an agent gets no new replicas."""
HUNG = 10.0
"""Seconds without an answered check after which a replica is ended and started again."""
START = 60.0
DRAIN = 30.0
_JOINING = 30.0
_LOG = logging.getLogger(__name__)


@dataclass
class _Known:
    """An agent as the controller knows it."""

    name: str
    heard: float
    report: dict[str, Any]
    kill: list[str] = field(default_factory=list)
    dismissed: bool = False


@final
class Controller:
    """Keeps a deployment.

    Parameters
    ----------
    desired : what is wanted.
    path : where that is kept.
    app : the gateway's application.
    source : finds versions.
    local : the agent of this machine, or None.
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
        self.desired, self._path, self._app, self._source, self._local = desired, path, app, source, local
        self._guard, self._follow = guard, follow
        self._router = app.router
        self._agents: dict[str, _Known] = {}
        self._draining: dict[str, float] = {}
        self._silent: dict[str, float] = {}
        self._loop = asyncio.get_running_loop()
        self._changing = asyncio.Lock()
        self.rolling: dict[str, Any] | None = None
        self.stopping = False
        self._router.weigh(desired.shares)

    # -- the loops --------------------------------------------------------------------------------

    async def run(self) -> None:
        """Keep the deployment until it is cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._keep())
            if self._follow:
                tasks.create_task(self._watch_alias())

    async def _keep(self) -> None:
        while True:
            try:
                if self._local is not None:
                    self.hear(await asyncio.to_thread(self._look, self.wanted(self._local.name)))
                self.reconcile()
            except OSError as error:  # a full disk must not end what serves
                _LOG.error("the deployment cannot be kept as it should: %s", error)
            await asyncio.sleep(LOOK)

    def _look(self, wanted: dict[str, Any]) -> dict[str, Any]:
        """What the agent of this machine is told and says; in a thread, since processes take time to
        start.
        """
        assert self._local is not None
        self._local.want([Wanted(**replica) for replica in wanted["wanted"]])
        for identity in wanted["kill"]:
            self._local.kill(identity)
        self._local.look()
        return self._local.report()

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
                self.desired.tell("alias moved", version=found)
                try:
                    await self.roll(self.desired.spec)
                except Refused as refused:
                    self.desired.failed.setdefault(found, refused.message)
                    self.save()

    # -- agents -----------------------------------------------------------------------------------

    def hear(self, report: Mapping[str, Any]) -> None:
        """Take an agent's report: replicas that are ready get requests, others do not."""
        name = report["agent"]
        known = self._agents.get(name)
        if known is None:
            known = self._agents[name] = _Known(name, 0.0, {})
            self.desired.tell("agent", agent=name)
        known.heard, known.report = self._loop.time(), dict(report)
        for replica in report["replicas"]:
            identity = replica["id"]
            if self.desired.agent_of.get(identity) != name or identity in self._draining:
                continue
            if replica["state"] == "ready":
                self._router.add(identity, replica["version"], replica["host"], replica["port"])
            else:
                self._router.remove(identity)
            if replica["restarts"]:
                self._app.figures.restarts[replica["version"]] = max(
                    self._app.figures.restarts[replica["version"]], replica["restarts"]
                )

    def wanted(self, agent: str) -> dict[str, Any]:
        """What an agent is told."""
        wanted = [
            asdict(Wanted(identity, version, self.desired.directories[version]))
            for identity, version in self.desired.replica_of.items()
            if self.desired.agent_of[identity] == agent
        ]
        known = self._agents.get(agent)
        kill: list[str] = []
        if known is not None:
            kill, known.kill = known.kill, kill
            known.dismissed = self.stopping
        return {"wanted": wanted, "kill": kill, "stop": self.stopping}

    def reconcile(self) -> None:
        """Assign what is missing, drain what is too many, and look after who is silent."""
        now = self._loop.time()
        changed = self._drop_lost(now) + self._finish_drains(now)
        if not self.stopping:
            live = [name for name, known in self._agents.items() if now - known.heard < AGENT_LEASE]
            desired = self.desired
            for version, agent in assign(
                desired.counts, desired.replica_of, desired.agent_of, live, self._draining
            ):
                identity = f"{version}-{secrets.token_hex(4)}"
                desired.replica_of[identity], desired.agent_of[identity] = version, agent
                changed += 1
        for version in set(self.desired.replica_of.values()):
            self._drain_surplus(version, now)
        self._look_for_hung(now)
        if changed:
            self.save()

    async def dismiss(self, timeout: float = 3.0) -> None:
        """Tell agents elsewhere to end, with their replicas."""
        self.stopping = True
        end = self._loop.time() + timeout
        local = self._local.name if self._local is not None else ""
        while self._loop.time() < end:
            left = [k for k in self._agents.values() if k.name != local and not k.dismissed]
            if not [k for k in left if self._loop.time() - k.heard < AGENT_LEASE]:
                return
            await asyncio.sleep(LOOK)

    def save(self) -> None:
        """Write down what is wanted."""
        self.desired.save(self._path)

    def _drop_lost(self, now: float) -> int:
        """Forget replicas whose agent is dead and who do not answer; others are started in their place."""
        lost = []
        for identity, agent in self.desired.agent_of.items():
            known, target = self._agents.get(agent), self._router.targets.get(identity)
            silent = known is None or now - known.heard > AGENT_LEASE
            if (
                silent
                and (target is None or not target.healthy)
                and now - self._since(identity, now) > AGENT_LEASE
            ):
                lost.append(identity)
            elif not silent:
                self._silent.pop(identity, None)
        for identity in lost:
            self.desired.tell("replica lost", replica=identity, agent=self.desired.agent_of[identity])
            self._forget(identity)
        return len(lost)

    def _since(self, identity: str, now: float) -> float:
        return self._silent.setdefault(identity, now)

    def _drain_surplus(self, version: str, now: float) -> None:
        here = [i for i, v in self.desired.replica_of.items() if v == version and i not in self._draining]
        surplus = len(here) - self.desired.counts.get(version, 0)
        targets = self._router.targets
        here.sort(key=lambda identity: identity in targets and targets[identity].healthy)
        for identity in here[: max(0, surplus)]:  # those that do not answer go first
            self._router.drain(identity)
            self._draining[identity] = now

    def _finish_drains(self, now: float) -> int:
        """Let go of drained replicas whose requests are answered."""
        done = []
        for identity, since in self._draining.items():
            target = self._router.targets.get(identity)
            if target is None or target.outstanding == 0 or now - since > DRAIN:
                done.append(identity)
        for identity in done:
            target = self._router.remove(identity)
            if target is not None:  # before SIGTERM, which would close them in the middle of a request
                self._app.pool.close_idle(target.host, target.port)
            self._forget(identity)
        return len(done)

    def _forget(self, identity: str) -> None:
        self._router.remove(identity)
        self._draining.pop(identity, None)
        self._silent.pop(identity, None)
        self.desired.replica_of.pop(identity, None)
        self.desired.agent_of.pop(identity, None)

    def _look_for_hung(self, now: float) -> None:
        for identity, target in self._router.targets.items():
            if target.healthy or target.draining:
                target.hung_since = 0.0
            elif not target.hung_since:
                target.hung_since = now
            elif now - target.hung_since > HUNG:
                known = self._agents.get(self.desired.agent_of.get(identity, ""))
                if known is not None:
                    target.hung_since = now
                    known.kill.append(identity)
                    self.desired.tell("replica hung", replica=identity)

    # -- changes ----------------------------------------------------------------------------------

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
        while len(self._agents) < agents and self._loop.time() < end:
            await asyncio.sleep(LOOK)
        await self.roll(self.desired.spec)

    async def roll(self, spec: str) -> str:
        """Replace what is served by a version; returns its number.

        Raises
        ------
        Refused
            409 where another change is under way or the version does not work, 404 where there is none.
        """
        found = await self._find(spec)
        steps = rolling.roll(self.desired.replicas, self._counts(), found.version)
        await self._change("roll", found, steps)
        self._serves(found.version)
        return found.version

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
        """Serve what was served before.

        Raises
        ------
        Refused
            409 where nothing was served before.
        """
        history = list(self.desired.history)
        canaries = [version for version in self.desired.counts if version != self.desired.current]
        if self.desired.shares and canaries:  # a canary is taken back before anything else
            return await self.canary(f"{self.desired.model}/{canaries[0]}", 0.0)
        if len(history) < 2:
            raise Refused(409, "no version was served before this one", "change")
        now, before = history[-1], history[-2]
        version = await self.roll(f"{self.desired.model}/{before}")
        self.desired.history = history[:-1]
        try:
            self.desired.seen = await asyncio.to_thread(self._source.rolled_back, self.desired.spec, now)
        except Exception as error:  # what is served matters more than what the registry says
            self.desired.tell("alias not moved", why=str(error))
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
        self.desired.tell("scale", replicas=replicas)
        self.save()

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
            self.desired.tell(what, version=found.version)
            try:
                why = await self._converse(what, found.version, steps)
            finally:
                self.rolling = None
            if why is not None:
                self.desired.failed[found.version] = why
                self.desired.tell(f"{what} failed", version=found.version, why=why)
                self.save()
                raise Refused(409, f"version {found.version} does not work: {why}", "change")
            self.desired.tell(f"{what} done", version=found.version)

    async def _converse(self, what: str, version: str, steps: rolling.Conversation) -> str | None:
        outcome: str | None = None
        try:
            step = next(steps)
            while True:
                self.rolling = {"what": what, "version": version, "step": str(step)}
                outcome = await self._do(step)
                step = steps.send(outcome)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]

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
        return None

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

    # -- what is told -----------------------------------------------------------------------------

    def agents(self) -> list[dict[str, Any]]:
        """The agents, and for how long nothing was heard of them."""
        now = self._loop.time()
        return [
            {
                "name": k.name,
                "host": k.report.get("host"),
                "silent": round(now - k.heard, 2),
                "alive": now - k.heard < AGENT_LEASE,
            }
            for k in self._agents.values()
        ]

    def replicas(self) -> list[dict[str, Any]]:
        """The replicas, as the agents and the router see them."""
        told = {r["id"]: r for known in self._agents.values() for r in known.report["replicas"]}
        found = []
        for identity, version in self.desired.replica_of.items():
            report, target = told.get(identity, {}), self._router.targets.get(identity)
            state = report.get("state", "unknown")
            if target is not None:
                state = "draining" if target.draining else "ready" if target.healthy else "silent"
            found.append(
                {
                    "id": identity,
                    "version": version,
                    "agent": self.desired.agent_of[identity],
                    "address": f"{target.host}:{target.port}" if target else None,
                    "pid": report.get("pid"),
                    "state": state,
                    "outstanding": target.outstanding if target else 0,
                    "answered": target.answered if target else 0,
                    "restarts": report.get("restarts", 0),
                    "why": report.get("why", ""),
                }
            )
        return found
