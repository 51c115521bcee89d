"""An agent as a process of its own, on another machine: ``python -m daskml_dist.serve.agent_process``.

It reports to the gateway's admin port each half second, and at once when something has changed; the answer
says what is wanted. Whoever started it may end: it does not. Without a gateway for a minute it ends itself,
and so do its replicas.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, final

from daskml_dist import edge
from daskml_dist.security import is_loopback
from daskml_dist.serve.access import Access, DeploymentRefused, DeploymentUnreachable
from daskml_dist.serve.agent import LOOK, Agent, Wanted
from daskml_dist.serve.node_certificates import NodeCertificate

TOKEN = "DASKML_DIST_AGENT_TOKEN"
"""The environment variable with a token of the scope "deploy"."""
REPORT = 0.5
LEASE = 60.0


@final
class AgentProcess:
    """Reports, and does what the answers say.

    Parameters
    ----------
    name : of the agent. host : that its replicas listen on.
    folder : for their files. access : to the gateway.
    """

    def __init__(self, name: str, host: str, folder: Path, access: Access) -> None:
        self._name, self._host, self._folder, self._access = name, host, folder, access
        self._agent: Agent | None = None
        self._directories: dict[str, str] = {}
        self._certificate = NodeCertificate(access, host, folder / "tls")
        self.ended = False

    def run(self) -> None:
        """Work until the gateway says so, a signal comes, or the gateway is gone for good."""
        heard = reported = time.monotonic()
        changed = True
        while not self.ended and time.monotonic() - heard < LEASE:
            now = time.monotonic()
            if changed or now - reported > REPORT:
                reported = now
                try:
                    self._told(self._access.ask("POST", "/agent", self._report(), timeout=2.0))
                    heard = time.monotonic()
                except (DeploymentUnreachable, DeploymentRefused, ValueError) as error:
                    print(f"agent {self._name}: {error}", file=sys.stderr, flush=True)
            changed = self._agent.look() if self._agent is not None else False
            time.sleep(LOOK)
        if self._agent is not None and self.ended:
            self._agent.stop()

    def _report(self) -> dict[str, Any]:
        if self._agent is None:
            return {"agent": self._name, "host": self._host, "replicas": [], "leaving": 0}
        return self._agent.report()

    def _told(self, said: dict[str, Any]) -> None:
        if said["stop"]:
            self.ended = True
            return
        secured = said["tls"] and not is_loopback(self._host)
        if secured:
            self._certificate.renew()
        if self._agent is None:
            arguments = said["arguments"] + (self._certificate.arguments() if secured else [])
            self._agent = Agent(self._name, self._host, self._folder, said["token"], arguments)
        wanted = []
        for told in said["wanted"]:
            replica = Wanted(**told)
            wanted.append(replace(replica, directory=self._here(said, replica)))
        self._agent.want(wanted)
        for identity in said["kill"]:
            self._agent.kill(identity)

    def _here(self, said: dict[str, Any], replica: Wanted) -> str:
        """The directory of a version on this machine: the gateway's where it is seen from here, or a copy."""
        if replica.version not in self._directories:
            directory = replica.directory
            if not (Path(directory) / edge.MANIFEST).is_file() and said["registry"] is not None:
                from daskml_dist.registry import Registry  # only where versions must be fetched

                directory = str(Registry(said["registry"]).local(f"{said['model']}/{replica.version}"))
            self._directories[replica.version] = directory
        return self._directories[replica.version]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run an agent until it ends."""
    parser = argparse.ArgumentParser(prog="python -m daskml_dist.serve.agent_process", description=__doc__)
    parser.add_argument("--admin", required=True, help="URL of the gateway's admin port")
    parser.add_argument("--name", required=True)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--authority")
    given = parser.parse_args(arguments)
    folder = given.folder or Path(tempfile.mkdtemp(prefix="daskml-dist-agent-"))
    process = AgentProcess(
        given.name, given.host, folder, Access(given.admin, os.environ[TOKEN], given.authority)
    )

    def end(*_: object) -> None:
        process.ended = True

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    print(json.dumps({"agent": given.name, "pid": os.getpid()}), flush=True)
    process.run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
