"""A gateway that takes the tokens of a provider; the provider is a process of ours that may be slow."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from daskml_dist.security import KeysComing
from daskml_dist.serve.admission import WaitingRoom
from daskml_dist.serve.refusals import Refused
from tests.serve.conftest import BODY, Deployment, end, start_gateway

ISSUER, AUDIENCE = "https://login.example/", "shop"
FIRST, SECOND, THIRD, UNKNOWN = (ec.generate_private_key(ec.SECP256R1()) for _ in range(4))


def described(key: ec.EllipticCurvePrivateKey, name: str) -> dict[str, Any]:
    return {**jwt.algorithms.ECAlgorithm.to_jwk(key.public_key(), as_dict=True), "kid": name}


def signed(key: ec.EllipticCurvePrivateKey, kid: str, **changed: object) -> str:
    claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": "ada", "exp": time.time() + 600} | changed
    return jwt.encode({"roles": ["predict:toy"], **claims}, key, algorithm="ES256", headers={"kid": kid})


class Provider(ThreadingHTTPServer):
    """Gives keys, as soon as it ``may``, and counts how often it is asked."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked = 0
        self.keys = {"first": FIRST}
        self.may = threading.Event()
        self.may.set()


class Handler(BaseHTTPRequestHandler):
    server: Provider

    def do_GET(self) -> None:  # noqa: N802
        self.server.asked += 1
        told = {"keys": [described(key, name) for name, key in self.server.keys.items()]}
        self.server.may.wait(30)
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps(told).encode())

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def provider() -> Iterator[Provider]:
    server = Provider()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.may.set()
    server.shutdown()
    server.server_close()
    thread.join(10)


@pytest.fixture
def served(provider: Provider, tmp_path: Path, versions: Path) -> Iterator[Deployment]:
    keys = f"http://127.0.0.1:{provider.server_port}/keys"
    options = ("--oidc", ISSUER, AUDIENCE, keys, "--oidc-claim", "roles", "--replicas", "1", "--guard", "0.1")
    process, told = start_gateway(tmp_path / "deployment", str(versions / "1"), *options)
    assert told.get("ready"), told
    yield Deployment(process, told, tmp_path / "deployment", "", versions)
    end(process)


def ask(served: Deployment, token: str) -> httpx.Response:
    return httpx.post(served.infer, content=BODY, headers={"authorization": f"Bearer {token}"}, timeout=30)


def test_the_tokens_of_the_provider_are_taken_and_no_others(served: Deployment, provider: Provider) -> None:
    assert ask(served, signed(FIRST, "first")).status_code == 200
    for wrong in (signed(UNKNOWN, "first"), signed(FIRST, "first", aud="other"), "dml_x"):
        assert ask(served, wrong).status_code == 401
    assert ask(served, signed(FIRST, "first", roles=["explain:toy"])).status_code == 403
    assert "token" not in served.told and served.told["issuer"] == ISSUER
    admin = json.loads((served.folder / "admin.json").read_text())["token"]
    assert ask(served, admin).status_code == 401  # for the admin port alone
    assert served.status()["state"] == "ready"
    assert provider.asked == 2  # once more for the signature of an unknown key


def test_the_first_request_under_a_new_key_waits_for_it(served: Deployment, provider: Provider) -> None:
    provider.keys = {"first": FIRST, "second": SECOND}
    provider.may.clear()
    began = time.monotonic()
    threading.Timer(0.5, provider.may.set).start()
    assert ask(served, signed(SECOND, "second")).status_code == 200
    assert time.monotonic() - began >= 0.5
    assert provider.asked == 2
    provider.keys["third"] = THIRD
    for _ in range(3):  # not asked again so soon
        assert ask(served, signed(THIRD, "third")).status_code == 401
    assert provider.asked == 2


def test_names_of_keys_that_were_made_up_stop_nobody(served: Deployment, provider: Provider) -> None:
    provider.may.clear()
    statuses: list[int] = []
    threads = [
        threading.Thread(target=lambda n=n: statuses.append(ask(served, signed(UNKNOWN, n)).status_code))
        for n in "abcdefgh"
    ]
    for thread in threads:
        thread.start()
    while provider.asked < 2:
        time.sleep(0.01)
    for _ in range(5):
        assert ask(served, signed(FIRST, "first")).status_code == 200
    assert not statuses, "the others wait meanwhile"
    provider.may.set()
    for thread in threads:
        thread.join(30)
    assert statuses == [401] * 8
    assert provider.asked == 2


def test_a_provider_without_keys_is_told_at_once(tmp_path: Path, versions: Path) -> None:
    for keys in (str(tmp_path / "none.json"), "http://login.example/keys"):
        process, told = start_gateway(tmp_path / "d", str(versions / "1"), "--oidc", ISSUER, AUDIENCE, keys)
        assert told == {} and process.wait(30) == 2
        end(process)


def waited(room: WaitingRoom, pending: Callable[[], bool], requests: int) -> list[str]:
    """What becomes of so many requests that wait at once."""

    async def one() -> str:
        try:
            await room.wait(KeysComing(pending))
        except Refused as refused:
            assert refused.status == 401
            return "refused"
        return "looked at again"

    async def all_() -> list[str]:
        return list(await asyncio.gather(*(one() for _ in range(requests))))

    return asyncio.run(all_())


def test_the_waiting_room_is_bounded() -> None:
    end_ = time.monotonic() + 0.2
    room = WaitingRoom(most=3, patience=5.0)
    for _ in range(2):  # and is empty again afterwards
        assert waited(room, lambda: time.monotonic() < end_, 3) == ["looked at again"] * 3
    end_ = time.monotonic() + 0.2
    outcomes = waited(room, lambda: time.monotonic() < end_, 5)
    assert sorted(outcomes) == ["looked at again"] * 3 + ["refused"] * 2
    assert waited(WaitingRoom(patience=0.05), lambda: True, 1) == ["refused"]
