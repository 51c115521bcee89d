"""HAProxy as the router: what is usual goes past the gateway, and nothing else does."""

from __future__ import annotations

import os
import signal
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from daskml_dist.security import Authority, Forbidden, Tokens, Unauthorized
from daskml_dist.serve.haproxy import PassedOn, short
from daskml_dist.serve.haproxy_config import Front, text
from tests.serve.conftest import BODY, Deployment, end, start_gateway, there_is_haproxy

pytestmark = pytest.mark.skipif(not there_is_haproxy(), reason="no HAProxy here")


def started(folder: Path, versions: Path, *options: str) -> Deployment:
    options = ("--router", "haproxy", "--guard", "0.1", *options)
    process, told = start_gateway(folder, str(versions / "1"), *options)
    if not told.get("ready"):
        end(process)
        raise AssertionError(told)
    return Deployment(process, told, folder, told["token"], versions)


@pytest.fixture(scope="module")
def fronted(tmp_path_factory: pytest.TempPathFactory, versions: Path) -> Iterator[Deployment]:
    deployment = started(tmp_path_factory.mktemp("haproxy") / "deployment", versions)
    yield deployment
    end(deployment.process)


def ask(
    fronted: Deployment, path: str = "infer", token: str | None = None, **settings: Any
) -> httpx.Response:
    headers = {"authorization": f"Bearer {token or fronted.token}"} | settings.pop("headers", {})
    url = f"{fronted.told['url']}/v2/models/toy/{path}"
    return httpx.post(url, content=settings.pop("content", BODY), headers=headers, timeout=30)


def rows_of(fronted: Deployment) -> dict[tuple[str, str], int]:
    """How many requests HAProxy has given to whom."""
    with socket.socket(socket.AF_UNIX) as api, short(fronted.folder / "haproxy" / "api.sock") as path:
        api.connect(path)
        api.sendall(b"show stat\n")
        said = b"".join(iter(lambda: api.recv(65536), b"")).decode()
    lines = [line.split(",") for line in said.splitlines() if line and not line.startswith("#")]
    return {(line[0], line[1]): int(line[7]) for line in lines if line[7]}


def passed(fronted: Deployment) -> tuple[int, int]:
    """Requests that went past the gateway, and through it."""
    rows = rows_of(fronted)
    return rows["replicas", "BACKEND"], rows["gateway", "BACKEND"]


def test_what_is_usual_goes_past_the_gateway(fronted: Deployment) -> None:
    before, total = passed(fronted), fronted.status()["requests"]["total"]
    for _ in range(20):
        response = ask(fronted)
        assert response.json()["outputs"][0]["data"] == [15.0]
        assert response.headers["x-model-version"] == "1"
    assert passed(fronted) == (before[0] + 20, before[1])
    rows = rows_of(fronted)
    assert min(rows["replicas", "r1"], rows["replicas", "r2"]) >= 5  # and to both
    end_ = time.monotonic() + 10
    while (status := fronted.status())["requests"]["total"] < total + 20:  # counted all the same
        assert time.monotonic() < end_
    assert sum(replica["answered"] for replica in status["replicas"]) >= 20


def chunks() -> Iterator[bytes]:
    yield BODY


UNUSUAL: dict[str, tuple[dict[str, Any], int]] = {
    "in chunks": ({"content": chunks()}, 200),
    "a version": ({"path": "versions/1/infer"}, 200),
    "another path": ({"path": "explain"}, 200),
    "a query": ({"path": "infer?rows=1"}, 200),
    "large": ({"content": b" " * 10_000 + BODY}, 200),
    "too large": ({"content": b" " * 300_000 + BODY}, 413),
    "compressed": ({"headers": {"content-encoding": "gzip"}}, 415),
    "an unknown token": ({"token": "dml_unknown"}, 401),
    "the token of the replicas": ({"token": "replicas"}, 401),
    "another scheme": ({"headers": {"authorization": "Basic YTpi"}}, 401),
    "no model": ({"path": "../other/infer"}, 404),
}


@pytest.mark.parametrize("what", UNUSUAL)
def test_what_is_unusual_goes_through_it(fronted: Deployment, what: str) -> None:
    settings, status = dict(UNUSUAL[what][0]), UNUSUAL[what][1]
    before = passed(fronted)
    assert ask(fronted, **settings).status_code == status
    assert passed(fronted) == (before[0], before[1] + 1)


def test_tokens_count_within_a_second_or_two(fronted: Deployment) -> None:
    tokens = Tokens(fronted.folder / "tokens.json")
    name, secret = tokens.create(["predict:toy"])
    _, brief = tokens.create(["predict:*"], expires=9.0)
    _, other = tokens.create(["explain:toy", "metrics"])
    began = time.monotonic()
    for good in (secret, brief):
        while ask(fronted, token=good).status_code != 200 or not goes_past(fronted, good):
            assert time.monotonic() < began + 10
            time.sleep(0.1)
    assert ask(fronted, token=other).status_code == 403
    tokens.revoke(name)
    for bad in (secret, brief):
        while ask(fronted, token=bad).status_code != 401:
            assert time.monotonic() < began + 20
            time.sleep(0.1)


def goes_past(fronted: Deployment, token: str) -> bool:
    before = passed(fronted)[0]
    assert ask(fronted, token=token).status_code == 200
    return passed(fronted)[0] > before


def test_canaries_are_decided_on_by_the_gateway(fronted: Deployment) -> None:
    answer = fronted.admin("POST", "/canary", version=str(fronted.models / "2"), percent=50)
    assert answer.status_code == 200, answer.text
    time.sleep(0.3)
    before = passed(fronted)
    versions = {ask(fronted).headers["x-model-version"] for _ in range(30)}
    assert versions == {"1", "2"}
    assert passed(fronted) == (before[0], before[1] + 30)
    assert fronted.admin("POST", "/rollback").json() == {"version": "1"}
    end_ = time.monotonic() + 10
    while not goes_past(fronted, fronted.token):
        assert time.monotonic() < end_


def test_requests_wait_for_a_replica_where_none_is_healthy(fronted: Deployment) -> None:
    for _ in range(3):
        fronted.until(2)
        for replica in fronted.replicas():
            os.kill(replica["pid"], signal.SIGKILL)
        assert [ask(fronted).status_code for _ in range(5)] == [200] * 5
    fronted.until(2)


def haproxy_of(fronted: Deployment) -> psutil.Process:
    [found] = [
        process
        for process in psutil.Process(fronted.process.pid).children()
        if "haproxy" in process.name() and process.status() != psutil.STATUS_ZOMBIE
    ]
    return found


def test_a_haproxy_that_died_comes_again(fronted: Deployment) -> None:
    fronted.until(2)
    replicas = {replica["pid"] for replica in fronted.replicas()}
    haproxy_of(fronted).kill()
    end_ = time.monotonic() + 10
    while True:
        try:
            if ask(fronted).status_code == 200 and goes_past(fronted, fronted.token):
                break
        except (httpx.TransportError, OSError):
            pass
        assert time.monotonic() < end_
        time.sleep(0.05)
    assert {replica["pid"] for replica in fronted.replicas()} == replicas


def raw(fronted: Deployment, request: bytes) -> bytes:
    port = httpx.URL(fronted.told["url"]).port
    with socket.create_connection(("127.0.0.1", port), timeout=15) as plain:
        plain.sendall(request)
        plain.settimeout(15)
        return plain.recv(4096)


def test_requests_within_requests_are_not_heard(fronted: Deployment) -> None:
    """Two lengths, lengths that are none, a length and chunks: what a second server could read otherwise."""
    start = (
        f"POST /v2/models/toy/infer HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {fronted.token}\r\n".encode()
    )
    inner = b"GET /metrics HTTP/1.1\r\nhost: a\r\n\r\n"
    before = passed(fronted)[0]
    for lines, status in (
        (b"content-length: 5\r\ncontent-length: 6\r\n", b"400"),
        (b"content-length: 0\r\ntransfer-encoding: chunked\r\n", b"400"),
        (b"content-length: +5\r\n", b"400"),
        (b"content-length: 0x5\r\n", b"400"),
        (b"authorization: Bearer x\r\ncontent-length: 2\r\n", b"400"),
    ):
        assert raw(fronted, start + lines + b"\r\n" + inner).split()[1] == status, lines
    assert passed(fronted)[0] == before
    answer = raw(
        fronted, start + b"x-secret: a\r\nconnection: x-secret\r\ncontent-length: 2\r\n\r\n{}" + inner
    )
    assert answer.split()[1] == b"400" and b"inputs" in answer  # a replica has read these two bytes


def test_over_tls(tmp_path: Path, versions: Path) -> None:
    fronted = started(tmp_path / "deployment", versions, "--tls")
    try:
        context = ssl.create_default_context(cafile=str(fronted.folder / "tls" / "ca.pem"))
        headers = {"authorization": f"Bearer {fronted.token}"}
        for _ in range(3):
            assert httpx.post(fronted.infer, content=BODY, headers=headers, verify=context).status_code == 200
        assert passed(fronted)[0] == 3
        with pytest.raises(httpx.TransportError):
            httpx.post(fronted.infer, content=BODY, headers=headers)
        assert oct((fronted.folder / "tls" / "haproxy.pem").stat().st_mode & 0o777) == "0o600"
    finally:
        end(fronted.process)


def test_it_ends_with_its_gateway(tmp_path: Path, versions: Path) -> None:
    folder = tmp_path / ("a path that is longer than that of a socket may be" * 2)
    first = started(folder, versions)
    haproxy = haproxy_of(first)
    first.process.kill()
    first.process.wait(10)
    haproxy.wait(10)
    process, told = start_gateway(folder, str(versions / "1"), "--router", "haproxy")
    second = Deployment(process, told, first.folder, first.token, versions)
    assert told["url"] == first.told["url"]
    assert ask(second).status_code == 200
    haproxy = haproxy_of(second)
    end(process)
    assert process.returncode == 0
    haproxy.wait(10)
    end(first.process)


@pytest.mark.parametrize(
    "options",
    [("--rate", "5"), ("--no-local",), ("--oidc", "https://a/", "b", "keys.json")],
    ids=lambda options: options[0],
)
def test_what_it_cannot_do_is_refused(tmp_path: Path, versions: Path, options: tuple[str, ...]) -> None:
    command = ["--router", "haproxy", *options]
    process, told = start_gateway(tmp_path / "deployment", str(versions / "1"), *command)
    assert told == {} and process.wait(30) == 2
    end(process)


def test_a_port_that_is_taken(tmp_path: Path, versions: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        process, told = start_gateway(tmp_path, str(versions / "1"), "--router", "haproxy", "--port", port)
        assert told == {} and process.wait(30) == 2
        end(process)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "0.0.0.0", "localhost"])
@pytest.mark.parametrize("tls", [False, True])
def test_haproxy_takes_what_it_is_told(tmp_path: Path, host: str, tls: bool) -> None:
    from daskml_dist.serve.haproxy import _binary

    folder = tmp_path / "a folder"
    folder.mkdir()
    certificate = folder / "both.pem" if tls else None
    if certificate is not None:
        issued = Authority(folder).create().issue("gateway", ["localhost"])
        certificate.write_bytes(issued.certificate.read_bytes() + issued.key.read_bytes())
    front = Front("toy", folder, host, 8000, 8001, "secret", 256_000, 10.0, 512, certificate)
    front.tokens.write_text("")
    front.switch.write_text("on 1\n")
    for configuration, code in ((text(front), 0), (text(front).replace("leastconn", "most"), 1)):
        (folder / "haproxy.cfg").write_text(configuration)
        done = subprocess.run([_binary(), "-c", "-f", str(folder / "haproxy.cfg")], capture_output=True)
        assert done.returncode == code, done.stderr.decode()


def test_who_has_the_token_of_the_deployment_was_looked_at(tmp_path: Path) -> None:
    tokens = Tokens(tmp_path / "tokens.json")
    name, secret = tokens.create(["predict:toy"])
    checker = PassedOn(tokens, "of the deployment")
    assert checker.check("of the deployment", "predict:toy").id == "haproxy"
    assert checker.check(secret, "predict:toy").id == name
    with pytest.raises(Forbidden):
        checker.check(secret, "metrics")
    for wrong in ("", "of the deploymen", "é", "\udcff"):
        with pytest.raises(Unauthorized):
            checker.check(wrong, "predict:toy")
