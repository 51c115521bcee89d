"""A deployment from Python: on this machine or over the nodes of a Dask cluster."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, final

from daskml_dist.errors import DaskmlDistError, UnsupportedParameter
from daskml_dist.serve.access import ADMIN, Access
from daskml_dist.serve.options import home

if TYPE_CHECKING:
    from distributed import Client

_START = 90.0


class DeploymentFailed(DaskmlDistError, RuntimeError):
    """A deployment did not start; the message is what it said."""


@final
class Deployment:
    """A model that is served.

    Attributes
    ----------
    name : of the model.
    url : of the gateway.
    token : for requests; None where one was made before, which is not kept.
    """

    def __init__(self, name: str, url: str, token: str | None, folder: Path) -> None:
        self.name, self.url, self.token = name, url, token
        self._folder, self._access = folder, Access.of(name, folder)

    def status(self) -> dict[str, Any]:
        """What is served, by whom, how fast, and what went wrong."""
        return self._access.ask("GET", "/status")

    def roll(self, version: str) -> str:
        """Replace what is served by a version, one replica at a time; its number.

        Raises
        ------
        DeploymentRefused
            It does not work; what was served still is.
        """
        return str(self._access.ask("POST", "/roll", {"version": version})["version"])

    def canary(self, version: str, percent: float) -> str:
        """Give a version so many per cent of the requests; 0 takes it back, 100 completes it.

        Raises
        ------
        UnsupportedParameter
            The percent is no number from 0 to 100.
        DeploymentRefused
            As for `roll`.
        """
        if not 0.0 <= percent <= 100.0:  # JSON has no NaN: the gateway could not say what is wrong
            raise UnsupportedParameter(
                f"percent={percent!r}: expected a number from 0 to 100; give 0 to take it back"
            )
        return str(self._access.ask("POST", "/canary", {"version": version, "percent": percent})["version"])

    def rollback(self) -> str:
        """Serve what was served before; its number."""
        return str(self._access.ask("POST", "/rollback")["version"])

    def scale(self, replicas: int) -> None:
        """Another number of replicas."""
        self._access.ask("POST", "/scale", {"replicas": replicas})

    def stop(self, timeout: float = 60.0) -> None:
        """End gateway and replicas, and wait until the gateway is gone."""
        self._access.ask("POST", "/stop")
        end = time.monotonic() + timeout
        while (self._folder / ADMIN).exists() and time.monotonic() < end:  # the last that a gateway removes
            time.sleep(0.1)

    def __repr__(self) -> str:
        return f"<Deployment of {self.name} at {self.url}>"


def deploy(
    spec: str,
    *,
    replicas: int = 2,
    on: Client | None = None,
    host: str = "127.0.0.1",
    port: int = 0,
    registry: str | None = None,
    folder: str | Path | None = None,
    tls: bool = False,
    insecure: bool = False,
    router: Literal["gateway", "haproxy"] = "gateway",
    oidc: tuple[str, str, str] | None = None,
) -> Deployment:
    """Serve a version of a model, in processes that outlive this one.

    Parameters
    ----------
    spec : "claims@champion", "claims/3", "claims", or the directory of a registered version.
    replicas : processes that answer.
    on : a Dask client: replicas on the nodes of its cluster, kept by detached agents, which outlive workers,
        nannies and scheduler. None for this machine. The gateway always runs on this machine.
    host, port : of the gateway; nodes elsewhere must reach ``host``.
    registry : its URL; None for the usual one.
    folder : of the deployment; None for the usual one.
    tls : whether the gateway speaks TLS.
    insecure : let other machines ask without TLS.
    router : who passes requests on; "haproxy" needs the extra of this name, Linux, and ``on=None``.
    oidc : issuer, audience and keys (a file or URL) of a provider whose tokens are taken; None for those of
        the deployment.

    Raises
    ------
    DeploymentFailed
        It did not start; the message says why.
    """
    command = [sys.executable, "-m", "daskml_dist.serve.gateway", spec, "--json"]
    command += ["--replicas", str(replicas), "--host", host, "--port", str(port)]
    command += ["--registry", registry] if registry is not None else []
    command += ["--folder", str(folder)] if folder is not None else []
    command += ["--tls"] * tls + ["--insecure-no-tls"] * insecure + ["--router", router]
    command += ["--oidc", *oidc] if oidc is not None else []
    if on is not None:
        workers = len(on.scheduler_info(n_workers=-1)["workers"])
        command += ["--no-local", "--admin-host", host, "--agents", str(workers)]
        _warn_of_plain_dask(on)
    told = _start(command, on)
    return Deployment(told["model"], told["url"], told.get("token"), Path(told["folder"]))


def _start(command: list[str], on: Client | None) -> dict[str, Any]:
    """Start the gateway, and agents as soon as it listens; what it tells when it is ready."""
    log = home() / "gateway.log"
    log.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with open(log, "ab") as errors:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            start_new_session=True,
            text=True,
        )
    assert process.stdout is not None
    try:
        listening = _line(process.stdout.readline())
        if listening is not None and on is not None:
            from daskml_dist.serve.dask_nodes import start_agents

            certificate = Path(listening["authority"]).read_text() if "authority" in listening else None
            start_agents(on, listening["admin"], listening["agent_token"], certificate)
        ready = _line(process.stdout.readline()) if listening is not None else None
    finally:
        process.stdout.close()
    if listening is None or ready is None:
        process.wait(30)
        lines = log.read_text(errors="replace").strip().splitlines()
        raise DeploymentFailed(lines[-1] if lines else "the gateway ended before it was ready")
    process.returncode = 0  # it is nobody's child; that it still runs is no reason to warn
    return ready


def _line(text: str) -> dict[str, Any] | None:
    return dict(json.loads(text)) if text else None


def _warn_of_plain_dask(client: Client) -> None:
    address = str(client.scheduler_info(n_workers=0).get("address", ""))
    if address.startswith("tcp://") and not address.startswith(
        ("tcp://127.", "tcp://[::1]", "tcp://localhost")
    ):
        warnings.warn(
            f"the Dask scheduler at {address} speaks without TLS: whoever reaches it can run code there "
            "and read the token of the agents. Give the cluster security=; see security.Authority.dask",
            stacklevel=3,
        )
