"""An agent keeps the replicas of one machine as they are wanted: starts, watches, starts again, stops.

It decides nothing else. `look` is called twenty times a second, by the gateway for its own machine or by
`agent_process` on another one.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, final

from daskml_dist.serve.processes import ReplicaProcess, read_json
from daskml_dist.serve.restarts import Restarts

LOOK = 0.05
"""Seconds between two looks."""
START = 60.0
"""Seconds that a replica may take to become ready."""


@final
@dataclass(frozen=True)
class Wanted:
    """A replica that is wanted here.

    Attributes
    ----------
    id : of the replica. version : of its model. directory : where the version lies.
    """

    id: str
    version: str
    directory: str


@dataclass
class _Kept:
    """A replica that is kept."""

    wanted: Wanted
    process: ReplicaProcess
    restarts: Restarts = field(default_factory=Restarts)
    state: str = "starting"
    port: int = 0
    why: str = ""
    ready_at: float = 0.0
    again_at: float = 0.0


@final
class Agent:
    """The replicas of this machine.

    Parameters
    ----------
    name : of the agent. host : that its replicas listen on.
    folder : for their files.
    token : of the deployment.
    arguments : for each replica, besides its model and host.
    """

    def __init__(self, name: str, host: str, folder: Path, token: str, arguments: list[str]) -> None:
        self.name, self.host = name, host
        self._folder, self._token, self._arguments = folder, token, arguments
        self._kept: dict[str, _Kept] = {}
        self._leaving: list[_Kept] = []
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._adopt()

    def want(self, wanted: list[Wanted]) -> None:
        """The replicas that there shall be; others are stopped."""
        names = {replica.id for replica in wanted}
        for identity in [identity for identity in self._kept if identity not in names]:
            self._leaving.append(self._kept.pop(identity))
        for replica in wanted:
            if replica.id not in self._kept:
                self._kept[replica.id] = _Kept(replica, ReplicaProcess(self._folder, replica.id))

    def kill(self, identity: str) -> None:
        """End a replica that hangs; it is started again."""
        if identity in self._kept:
            self._kept[identity].process.kill()

    def look(self) -> bool:
        """Do what is to be done now; True where the report has changed."""
        before = self.report()
        now = time.monotonic()
        for kept in list(self._kept.values()):
            if kept.process.alive():
                self._look_at(kept, now)
            elif kept.process.pid:
                self._died(kept, now)
            elif now >= kept.again_at:
                self._start(kept)
        for kept in list(self._leaving):
            if kept.process.alive():
                kept.process.stop()
            else:
                kept.process.forget()
                self._leaving.remove(kept)
        return self.report() != before

    def report(self) -> dict[str, Any]:
        """Who is in which state, as JSON."""
        replicas = [
            {
                "id": kept.wanted.id,
                "version": kept.wanted.version,
                "state": kept.state,
                "host": self.host,
                "port": kept.port,
                "pid": kept.process.pid,
                "restarts": kept.restarts.number,
                "why": kept.why,
            }
            for kept in list(self._kept.values())
        ]
        return {"agent": self.name, "host": self.host, "replicas": replicas, "leaving": len(self._leaving)}

    def stop(self, timeout: float = 15.0) -> None:
        """Stop all replicas and wait for it."""
        self.want([])
        end = time.monotonic() + timeout
        while self._leaving and time.monotonic() < end:
            self.look()
            time.sleep(LOOK)
        for kept in self._leaving:
            kept.process.kill()

    def _start(self, kept: _Kept) -> None:
        wanted = kept.wanted
        arguments = ["--model", wanted.directory, "--host", self.host, *self._arguments]
        facts = {"id": wanted.id, "version": wanted.version, "directory": wanted.directory}
        try:
            kept.process.start(arguments, self._token, facts)
            kept.state, kept.port, kept.ready_at = "starting", 0, 0.0
        except OSError as error:
            kept.state, kept.why = "failed", str(error)
            kept.again_at = time.monotonic() + kept.restarts.died(time.monotonic(), 0.0)

    def _look_at(self, kept: _Kept, now: float) -> None:
        if kept.state == "ready":
            return
        said = kept.process.said()
        if said is not None and said.get("ready"):
            kept.state, kept.port, kept.why, kept.ready_at = "ready", said["port"], "", now
        elif now - kept.process.started > START:
            kept.why = f"not ready after {START:g} s"
            kept.process.kill()

    def _died(self, kept: _Kept, now: float) -> None:
        said = kept.process.said() or {}
        served = now - kept.ready_at if kept.ready_at else 0.0
        if kept.state != "ready":
            kept.why = said.get("why") or kept.why or kept.process.complaint() or "ended before it was ready"
        else:
            kept.why = "died"
        refused = said.get("ready") is False  # it says itself that it never will be
        kept.again_at = now + kept.restarts.died(now, served)
        kept.state = "failed" if refused or kept.restarts.crashed else "restarting"
        kept.process.pid, kept.port, kept.ready_at = 0, 0, 0.0

    def _adopt(self) -> None:
        """Take over what a former agent has left running."""
        for path in self._folder.glob("*.json"):
            facts = read_json(path)
            process = ReplicaProcess(self._folder, path.stem)
            if facts is None or not process.adopt(facts):
                process.forget()
                continue
            self._kept[path.stem] = _Kept(Wanted(facts["id"], facts["version"], facts["directory"]), process)
