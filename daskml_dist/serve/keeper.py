"""The keeper makes what is there like what is wanted: it assigns replicas to agents, and drains the surplus.

Replicas are kept by agents: one in this process for this machine, others report over HTTP and are told what
is wanted of them in the answer.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from daskml_dist.serve.agent import LOOK, Agent, Wanted
from daskml_dist.serve.desired import Desired, assign
from daskml_dist.serve.gateway_app import GatewayApp

AGENT_LEASE = 3.0
"""Seconds without a report after which an agent gets no new replicas."""
HUNG = 10.0
"""Seconds without an answered check after which a replica is ended and started again."""
DRAIN = 30.0
"""Seconds that a drained replica has for the requests that it is answering."""
_LOG = logging.getLogger(__name__)


@dataclass
class KnownAgent:
    """An agent as the keeper knows it: its last report and when, whom it shall end, and whether it may go."""

    name: str
    heard: float
    report: dict[str, Any]
    kill: list[str] = field(default_factory=list)
    dismissed: bool = False


class Keeper:
    """Keeps the replicas of a deployment.

    Parameters
    ----------
    desired : what is wanted.
    path : where that is kept.
    app : the gateway's application.
    local : the agent of this machine, or None.
    """

    def __init__(self, desired: Desired, path: Path, app: GatewayApp, local: Agent | None) -> None:
        self.desired, self._path, self._app, self._local = desired, path, app, local
        self._router = app.router
        self._agents: dict[str, KnownAgent] = {}
        self._refused: dict[str, str] = {}
        self._draining: dict[str, float] = {}
        self._silent: dict[str, float] = {}
        self._loop = asyncio.get_running_loop()
        self.stopping = False
        self._router.weigh(desired.shares)

    async def keep(self) -> None:
        """Keep them until it is cancelled."""
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

    def hear(self, report: Mapping[str, Any]) -> None:
        """Take an agent's report: replicas that are ready get requests, others do not."""
        name = report["agent"]
        known = self._agents.get(name)
        if known is None:
            known = self._agents[name] = KnownAgent(name, 0.0, {})
            self.desired.tell("agent", {"agent": name})
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

    def refuse(self, agent: str, why: str) -> None:
        """Remember why an agent is not taken; it is told once."""
        if self._refused.get(agent) != why:
            self._refused[agent] = why
            self.desired.tell("agent refused", {"agent": agent, "why": why})

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
            self.desired.tell("replica lost", {"replica": identity, "agent": self.desired.agent_of[identity]})
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
            if target is None or target.outstanding + target.elsewhere == 0 or now - since > DRAIN:
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
                    self.desired.tell("replica hung", {"replica": identity})

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
