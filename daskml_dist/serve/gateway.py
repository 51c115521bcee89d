"""The process of a gateway: public port, admin port, controller, and the agent of this machine.

``python -m daskml_dist.serve.gateway SPEC`` runs it; what it wants is in its folder, so that
one that was killed and is started again takes over the replicas that still live.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import fcntl
import gc
import json
import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from socket import socket
from typing import Any

import uvicorn
import uvloop

from daskml_dist.errors import DaskmlDistError
from daskml_dist.registry.names import checked_name
from daskml_dist.security import AuditLog, Limits, Rates, Tokens, is_loopback, oidc
from daskml_dist.security.files import write_private
from daskml_dist.serve.access import ADMIN
from daskml_dist.serve.admin import Admin
from daskml_dist.serve.agent import Agent
from daskml_dist.serve.bounded_http import close_overdue
from daskml_dist.serve.controller import Controller
from daskml_dist.serve.desired import Desired
from daskml_dist.serve.drift_watch import DriftWatch
from daskml_dist.serve.gateway_app import Checker, GatewayApp
from daskml_dist.serve.haproxy import HAProxy, PassedOn
from daskml_dist.serve.haproxy_config import Front
from daskml_dist.serve.health import HealthChecks
from daskml_dist.serve.node_certificates import Nodes, authority_in
from daskml_dist.serve.options import GatewayOptions, add_arguments, home, options_of
from daskml_dist.serve.processes import write_json
from daskml_dist.serve.refusals import Refused
from daskml_dist.serve.replica import listen, server_of
from daskml_dist.serve.routing import Router
from daskml_dist.serve.sources import Source, source_of
from daskml_dist.serve.upstream import Pool

LEASE = 60.0
"""Seconds after which replicas that no gateway asks for end."""


class CannotServe(DaskmlDistError, RuntimeError):
    """A deployment cannot be started; the message says why and what to do."""


async def run(
    options: GatewayOptions, announce: Callable[[dict[str, Any]], None], checker: Checker | None = None
) -> None:
    """Serve until a signal, or until `stop` is asked for.

    Parameters
    ----------
    announce : is told when the ports listen, and when the deployment is ready: url, admin, and the token
        where it is new.
    checker : of users' tokens; None for those of the provider in the options, or of the deployment's file.

    Raises
    ------
    CannotServe
        Another gateway serves this deployment, the version does not work, or the provider has no keys.
    OSError
        A port is taken.
    """
    _check_exposed(options)
    _check_router(options)
    try:
        source = source_of(options.spec, options.registry)
        name = checked_name(source.find(options.spec).name)
    except Exception as error:  # the registry says what is wrong with it
        raise CannotServe(f"{options.spec}: {error}") from error
    folder = (options.folder or home() / name).resolve()
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with _alone(folder):
        checker = checker or _provider(options)
        await _Gateway(replace(options, folder=folder), folder, source, checker).run(announce)


class _Gateway:
    """All that belongs to one deployment."""

    def __init__(
        self, options: GatewayOptions, folder: Path, source: Source, checker: Checker | None
    ) -> None:
        self._options, self._folder, self._source = options, folder, source
        state = folder / "state.json"
        desired = Desired.load(state)
        self._resumed = desired is not None  # agents elsewhere report to the last gateway's port
        if desired is None:
            found = source.find(options.spec)
            desired = Desired(found.name, options.spec, options.replicas, seen=found.version)
        self._desired, self._state = desired, state
        self._tokens = Tokens(folder / "tokens.json")
        self._checker = checker or self._tokens
        inner = folder / "tls" / "nodes" if options.tls else None
        launch = {"arguments": self._arguments(), "registry": options.registry}
        self._nodes = Nodes(launch, inner, plain=options.insecure)
        self._pool = Pool(self._nodes.context)
        rates = Rates(rate=options.rate, burst=max(1.0, 2 * options.rate)) if options.rate > 0 else None
        fronted = options.router == "haproxy"
        self._app = GatewayApp(
            desired.model,
            Router(),
            self._pool,
            PassedOn(self._checker, desired.token) if fronted else self._checker,
            desired.token,
            options.limits,
            rates=rates,
            queue=options.queue,
            sticky=options.sticky,
        )
        self._agent = self._local_agent() if options.local else None
        self._controller = Controller(
            desired, state, self._app, source, self._agent, guard=options.guard, follow=options.follow
        )
        self._ended = asyncio.Event()
        self._haproxy: HAProxy | None = None

    async def run(self, announce: Callable[[dict[str, Any]], None]) -> None:
        options, loop = self._options, asyncio.get_running_loop()
        public = self._listen(options.host, options.port or self._desired.port, options.port == 0)
        private = self._listen(options.admin_host, self._desired.admin_port, True)  # where agents report
        self._desired.port, self._desired.admin_port = public.getsockname()[1], private.getsockname()[1]
        scheme = "https" if options.tls else "http"
        url = f"{scheme}://{options.host}:{self._desired.port}"
        admin_url = f"{scheme}://{options.admin_host}:{self._desired.admin_port}"
        audit = AuditLog(self._folder / "audit.jsonl")
        admin = Admin(self._controller, self._app, self._tokens, audit, self._ended.set, url, self._nodes)
        tls = own = self._tls()
        if options.router == "haproxy":
            public, own = await self._fronted(public), {}
        servers = [_server(self._app, options.limits, own), _server(admin.application(), Limits(), tls)]
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._ended.set)
        tasks = [
            asyncio.create_task(servers[0].serve(sockets=[public])),
            asyncio.create_task(servers[1].serve(sockets=[private])),
            asyncio.create_task(self._controller.run()),
            asyncio.create_task(HealthChecks(self._app).run()),
            asyncio.create_task(DriftWatch(self._app, self._desired).run()),
            *(asyncio.create_task(close_overdue(s.server_state.connections)) for s in servers),
            *([asyncio.create_task(self._haproxy.run())] if self._haproxy else []),
        ]
        told = {"url": url, "admin": admin_url, "model": self._desired.model, "pid": os.getpid()}
        told |= {"folder": str(self._folder)} | self._new_tokens(admin_url)
        told |= {"issuer": options.oidc[0]} if options.oidc else {}
        self._controller.save()
        announce({"listening": True, "admin": admin_url} | self._for_agents())
        beginning = asyncio.create_task(self._begin(announce, told))
        try:
            await self._until_ended(beginning, tasks)
        finally:
            await self._shut_down(servers, tasks)

    async def _begin(self, announce: Callable[[dict[str, Any]], None], told: dict[str, Any]) -> None:
        try:
            await self._controller.begin(self._options.agents)
        except Refused as refused:
            raise CannotServe(refused.message) from None
        gc.freeze()
        announce(told | {"ready": True})

    async def _until_ended(self, beginning: asyncio.Task[None], tasks: list[asyncio.Task[Any]]) -> None:
        ended = asyncio.create_task(self._ended.wait())
        waiting: set[asyncio.Task[Any]] = {beginning, ended, *tasks}
        while not ended.done():
            done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            for task in done - {ended}:
                await task  # raises what ended it
        beginning.cancel()

    async def _shut_down(self, servers: list[uvicorn.Server], tasks: list[asyncio.Task[Any]]) -> None:
        """Answer what is under way, then stop the replicas."""
        if self._haproxy is not None:
            await self._haproxy.stop(self._options.limits.seconds + 2)
        servers[0].should_exit = True
        await asyncio.wait(tasks[:1], timeout=self._options.limits.seconds + 2)
        await self._controller.dismiss()
        servers[1].should_exit = True
        await asyncio.wait(tasks[1:2], timeout=2.0)
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks, timeout=5.0)
        if self._agent is not None:
            await asyncio.to_thread(self._agent.stop)
        self._pool.close()
        self._revoke("agents")
        for name in ("state.json", ADMIN):
            (self._folder / name).unlink(missing_ok=True)

    def _for_agents(self) -> dict[str, str]:
        """What agents elsewhere need; nothing where this machine keeps the replicas."""
        if self._options.local:
            return {}
        if not self._resumed:
            self._revoke("agents")
        told = {"agent_token": self._tokens.create(["deploy"], note="agents")[1]}
        return told | ({"authority": str(self._folder / "tls" / "ca.pem")} if self._options.tls else {})

    def _local_agent(self) -> Agent:
        return Agent("local", "127.0.0.1", self._folder / "replicas", self._desired.token, self._arguments())

    def _arguments(self) -> list[str]:
        given = [
            f"--{name.replace('_', '-')}={value}" for name, value in asdict(self._options.limits).items()
        ]
        return [*given, f"--lease={LEASE}"]

    def _listen(self, host: str, port: int, any_other: bool) -> Any:
        try:
            return listen(host, port)
        except OSError:
            if not (any_other and port):
                raise
            return listen(host, 0)  # the last port belongs to somebody else now

    async def _fronted(self, public: socket) -> socket:
        """Give the public port to HAProxy, and listen behind it."""
        options, inner = self._options, listen("127.0.0.1", 0)
        public.close()
        front = Front(
            model=self._desired.model,
            folder=self._folder / "haproxy",
            host=options.host,
            port=self._desired.port,
            inner=inner.getsockname()[1],
            token=self._desired.token,
            body=options.limits.json_bytes,
            seconds=options.limits.seconds,
            queue=options.queue,
            certificate=self._pem() if options.tls else None,
        )
        self._haproxy = HAProxy(front, self._app, self._tokens)
        await self._haproxy.start()
        return inner

    def _pem(self) -> Path:
        """Certificate and key in one file, as HAProxy wants them."""
        folder = self._folder / "tls"
        both = folder / "haproxy.pem"
        write_private(both, (folder / "gateway.pem").read_bytes() + (folder / "gateway.key").read_bytes())
        return both

    def _new_tokens(self, admin_url: str) -> dict[str, str]:
        """A token for whoever runs this, made anew each time; one for users, made and shown once."""
        self._revoke("command line")
        _, admin = self._tokens.create(["admin"], note="command line")
        told = {"url": admin_url, "token": admin, "pid": os.getpid(), "model": self._desired.model}
        if self._options.tls:
            told["authority"] = str(self._folder / "tls" / "ca.pem")
        write_json(self._folder / ADMIN, told)
        if self._checker is not self._tokens or any(token.note == "first" for token in self._tokens.list()):
            return {}
        model = self._desired.model
        scopes = [f"predict:{model}", f"explain:{model}", f"feedback:{model}", "metrics"]
        return {"token": self._tokens.create(scopes, note="first")[1]}

    def _revoke(self, note: str) -> None:
        """Let the tokens that were made for somebody be good for nothing."""
        for token in self._tokens.list():
            if token.note == note and token.revoked is None:
                self._tokens.revoke(token.id)

    def _tls(self) -> dict[str, Any]:
        if not self._options.tls:
            return {}
        folder = self._folder / "tls"
        hosts = sorted({self._options.host, self._options.admin_host, "localhost", "127.0.0.1"})
        authority = authority_in(folder)
        authority.issue("gateway", hosts)
        context = authority.server_context("gateway", clients=False)
        return {"ssl_context_factory": lambda config, default: context}


def _provider(options: GatewayOptions) -> Checker | None:
    if options.oidc is None:
        return None
    try:
        return oidc(*options.oidc, claim=options.oidc_claim)
    except (ImportError, OSError, ValueError) as error:
        raise CannotServe(f"--oidc: {error}") from error


def _check_exposed(options: GatewayOptions) -> None:
    for host in (options.host, options.admin_host):
        if not (is_loopback(host) or options.tls or options.insecure):
            raise CannotServe(
                f"{host} can be reached from other machines, and without TLS everybody on the way reads "
                "tokens and data; give --tls, or --insecure-no-tls where something else encrypts"
            )


def _check_router(options: GatewayOptions) -> None:
    """Refuse what HAProxy would leave out, silently."""
    refused = {
        "--rate": options.rate > 0,
        "--oidc": options.oidc is not None,
        "--no-local": not options.local,
    }
    for option, given in refused.items():
        if given and options.router == "haproxy":
            raise CannotServe(f"{option} cannot be had with --router haproxy; leave out one of them")


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Nobody else serves this deployment meanwhile; the lock goes with the process."""
    with open(folder / "lock", "w", encoding="ascii") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise CannotServe(f"another gateway serves the deployment in {folder}; stop it first") from None
        yield


class _Server(uvicorn.Server):
    """Two servers share a process, and neither owns its signals."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _server(app: Any, limits: Limits, tls: dict[str, Any]) -> uvicorn.Server:
    return _Server(server_of(app, limits, **tls).config)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a gateway in this process until it ends; the exit code is 2 where it cannot serve."""
    parser = argparse.ArgumentParser(prog="daskml-dist serve", description="Serve a version of a model.")
    add_arguments(parser)
    options = options_of(parser.parse_args(arguments))

    def announce(told: dict[str, Any]) -> None:
        if options.json:
            print(json.dumps(told), flush=True)
        elif "ready" in told:
            print(_words(told), flush=True)

    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(run(options, announce))
    except (DaskmlDistError, OSError) as error:
        print(f"daskml-dist: error: {error}", file=sys.stderr, flush=True)
        return 2
    return 0


def _words(told: dict[str, Any]) -> str:
    """What a person needs first."""
    token = told.get("token")
    lines = [f"serving {told['model']} at {told['url']}"]
    before = f"of {told['issuer']}" if "issuer" in told else "as before"
    lines.append(f"token   {token}  (shown once)" if token else f"token   {before}")
    lines.append(f"admin   {told['admin']}  (daskml-dist status {told['model']})")
    header = f' -H "Authorization: Bearer {token}"' if token else ' -H "Authorization: Bearer $TOKEN"'
    lines.append(f"try     curl{header} {told['url']}/v2/models/{told['model']}")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
