"""A replica: one process, one model version, one port. ``python -m daskml_dist.serve.replica --model DIR``.

It verifies the model, warms up, listens, and then prints one line of JSON. Nobody's child, it ends by
itself when nobody who knows its token has asked for anything for as long as its lease.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import os
import socket
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, final

import uvicorn

from daskml_dist.edge import InvalidModel
from daskml_dist.security import Authority, Limits
from daskml_dist.serve.bounded_http import BoundedHttp, close_overdue
from daskml_dist.serve.known_heads import KnownHeads
from daskml_dist.serve.replica_app import ReplicaApp
from daskml_dist.serve.served import Served

TOKEN = "DASKML_DIST_REPLICA_TOKEN"
"""The environment variable that holds the token of the deployment; arguments can be read by every user."""
KEEP_ALIVE = (
    75  # seconds; longer than the gateway keeps an idle connection, which so never writes into a closed one
)


@final
@dataclass(frozen=True)
class ReplicaOptions:
    """How a replica is run.

    Attributes
    ----------
    model : directory of the version.
    host, port : to listen on; port 0 for any that is free.
    lease : seconds without a request that knows the token after which the replica ends; 0 for ever.
    tls : folder of its certificate, and of that of the authority that whoever asks must be of; None for HTTP.
    limits : of a request.
    """

    model: Path
    host: str = "127.0.0.1"
    port: int = 0
    lease: float = 0.0
    tls: Path | None = None
    limits: Limits = Limits()


def server_of(app: Any, limits: Limits, **settings: Any) -> uvicorn.Server:
    """A uvicorn server with bounded requests, without logs of requests and without what it adds to answers.

    Parameters
    ----------
    app : an ASGI application.
    settings : further ones of `uvicorn.Config`.
    """
    protocol = type("BoundedHttp", (BoundedHttp,), {"limits": limits, "known": KnownHeads()})
    return uvicorn.Server(
        uvicorn.Config(
            app,
            http=protocol,
            ws="none",
            lifespan="off",
            interface="asgi3",
            log_config=None,
            access_log=False,
            server_header=False,
            date_header=False,
            proxy_headers=False,
            timeout_keep_alive=KEEP_ALIVE,
            timeout_graceful_shutdown=10,
            **settings,
        )
    )


async def run(options: ReplicaOptions, token: str | None, announce: Callable[[dict[str, Any]], None]) -> None:
    """Serve until a signal, or until the lease has ended.

    Parameters
    ----------
    token : of the deployment; None for none.
    announce : is told once that the replica is ready.

    Raises
    ------
    InvalidModel
        The model is damaged or foreign.
    OSError
        The port is taken, or the certificate is not there.
    """
    app = ReplicaApp(Served(options.model), token, options.limits)
    app.warm_up()
    listener = listen(options.host, options.port)
    server = server_of(app, options.limits, **_secured(options))
    tasks = [asyncio.create_task(close_overdue(server.server_state.connections))]
    if options.lease > 0:
        tasks.append(asyncio.create_task(_watch_lease(app, server, options.lease)))
    app.ready = True
    gc.freeze()  # what was imported is never looked at again
    port = listener.getsockname()[1]
    announce(
        {
            "ready": True,
            "port": port,
            "pid": os.getpid(),
            "model": app.served.name,
            "version": app.served.version,
        }
    )
    try:
        await server.serve(sockets=[listener])
    finally:
        for task in tasks:
            task.cancel()


def _secured(options: ReplicaOptions) -> dict[str, Any]:
    """What uvicorn needs for TLS with certificates on both sides."""
    if options.tls is None:
        return {}
    context = Authority(options.tls).server_context("replica", clients=True)
    return {"ssl_context_factory": lambda config, default: context}


def listen(host: str, port: int) -> socket.socket:
    """A listening socket, also where a connection of a former process is in TIME_WAIT.

    Raises
    ------
    OSError
        The port is taken, or the host is not of this machine.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(1024)
    except OSError as error:
        listener.close()
        raise OSError(error.errno, f"cannot listen on {host}:{port}: {error.strerror}") from None
    listener.setblocking(False)
    return listener


async def _watch_lease(app: ReplicaApp, server: uvicorn.Server, lease: float) -> None:
    while time.perf_counter() - app.renewed < lease:
        await asyncio.sleep(min(1.0, lease / 4))
    print(f"nobody has asked for {lease:g} s; this replica ends", file=sys.stderr, flush=True)
    server.should_exit = True


def _options(arguments: Sequence[str] | None) -> ReplicaOptions:
    parser = argparse.ArgumentParser(prog="python -m daskml_dist.serve.replica", description=__doc__)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--lease", type=float, default=0.0)
    parser.add_argument("--tls", type=Path)
    for name, most in asdict(Limits()).items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=type(most), default=most)
    given = vars(parser.parse_args(arguments))
    limits = Limits(**{name: given.pop(name) for name in asdict(Limits())})
    return ReplicaOptions(**given, limits=limits)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a replica; the exit code is 0 after a signal or the end of its lease, 3 where it cannot serve."""
    options = _options(arguments)
    try:
        import uvloop

        runner = asyncio.Runner(loop_factory=uvloop.new_event_loop)
    except ImportError:
        runner = asyncio.Runner()
    try:
        with runner, suppress(KeyboardInterrupt):
            runner.run(run(options, os.environ.get(TOKEN), lambda told: print(json.dumps(told), flush=True)))
    except (InvalidModel, OSError) as error:
        print(json.dumps({"ready": False, "why": str(error)}), flush=True)
        return 3
    return 0


if __name__ == "__main__":
    sys.exit(main())
