"""Agents on the nodes of a Dask cluster: Dask starts them once, and they live on without it.

Never inside a worker: a task that holds the interpreter would hold requests too. Never a child that dies with
the nanny: the death of a scheduler closes workers and nannies.
"""

from __future__ import annotations

import os
import re
import secrets
import subprocess
import sys
import tempfile
from typing import Any, final

from distributed import Client, NannyPlugin

from daskml_dist.serve.agent_process import TOKEN

NAME = "daskml_dist.serve"


def start_agent(where: str, admin: str, token: str, authority: str | None) -> int:
    """Start an agent on this machine, detached from the process that calls; its process id.

    Parameters
    ----------
    where : address of the Dask process of this node, which names the agent; its host is that of the replicas.
    admin : URL of the gateway's admin port. token : with the scope "deploy".
    authority : certificate that the gateway's is checked with, as text.
    """
    # an agent of a deployment that was started before may live on this node
    name = f"{re.sub(r'[^0-9A-Za-z.-]+', '-', where)}-{secrets.token_hex(2)}"
    host = re.sub(r"^[a-z+]+://", "", where).rpartition(":")[0].strip("[]") or "127.0.0.1"
    folder = tempfile.mkdtemp(prefix=f"daskml-dist-agent-{name}-")
    command = [sys.executable, "-m", "daskml_dist.serve.agent_process", "--admin", admin, "--name", name]
    command += ["--host", host, "--folder", folder]
    if authority is not None:
        certificate = os.path.join(folder, "ca.pem")
        with open(certificate, "w", encoding="ascii") as file:
            file.write(authority)
        command += ["--authority", certificate]
    with open(os.path.join(folder, "agent.log"), "ab") as log:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=os.environ | {TOKEN: token},
            start_new_session=True,
        )
    return process.pid


@final
class AgentPlugin(NannyPlugin):
    """Starts an agent with each nanny, so that nodes that come later have one too.

    Parameters
    ----------
    admin, token, authority : as for `start_agent`.
    """

    name = NAME

    def __init__(self, admin: str, token: str, authority: str | None) -> None:
        self._admin, self._token, self._authority = admin, token, authority

    def setup(self, nanny: Any) -> None:
        """Start the agent; Dask calls this once on each nanny."""
        start_agent(nanny.address, self._admin, self._token, self._authority)


def start_agents(client: Client, admin: str, token: str, authority: str | None) -> int:
    """Start an agent on each node; how many.

    Workers without a nanny silently ignore the plugin; they are asked to start one themselves.
    """
    workers = client.scheduler_info(n_workers=-1)["workers"]
    client.register_plugin(AgentPlugin(admin, token, authority))
    bare = [address for address, facts in workers.items() if not facts.get("nanny")]
    for address in bare:
        client.run(start_agent, address, admin, token, authority, workers=[address])
    return len(workers)
