"""Replicas that the gateway reaches over another address than the loopback speak TLS with it and nobody else.

127.0.0.2 is such an address, and needs no second machine.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography.x509 import load_pem_x509_certificate

from daskml_dist.security import Authority
from daskml_dist.serve.access import Access
from daskml_dist.serve.agent_process import TOKEN
from daskml_dist.serve.node_certificates import NAME, NodeCertificate, Nodes
from daskml_dist.serve.refusals import Refused
from tests.serve.conftest import BODY, end, start_gateway

ELSEWHERE = "127.0.0.2"


def can_be_elsewhere() -> bool:
    try:
        socket.create_server((ELSEWHERE, 0)).close()
    except OSError:
        return False
    return True


needs_elsewhere = pytest.mark.skipif(not can_be_elsewhere(), reason=f"this machine is not {ELSEWHERE}")


@dataclass
class Gateway:
    """A gateway and an agent that keeps its replicas."""

    process: subprocess.Popen[str]
    agent: subprocess.Popen[str]
    told: dict[str, Any]
    folder: Path
    node: Path

    def ask(self) -> httpx.Response:
        return httpx.post(
            f"{self.told['url']}/v2/models/toy/infer",
            content=BODY,
            headers={"authorization": f"Bearer {self.told['token']}"},
            verify=ssl.create_default_context(cafile=str(self.folder / "tls" / "ca.pem")),
        )

    def access(self) -> Access:
        told = json.loads((self.folder / "admin.json").read_text())
        return Access(told["url"], told["token"], told["authority"])

    def address(self) -> tuple[str, int]:
        host, port = self.access().ask("GET", "/status")["replicas"][0]["address"].split(":")
        return host, int(port)


def start(
    tmp_path: Path, model: Path, *options: str
) -> tuple[subprocess.Popen[str], subprocess.Popen[str], str]:
    """A gateway that keeps no replicas, an agent elsewhere, and what the gateway says at last."""
    command = [sys.executable, "-m", "daskml_dist.serve.gateway", str(model), "--json", "--no-local"]
    command += ["--folder", str(tmp_path / "gateway"), "--agents", "1", "--guard", "0.1", *options]
    gateway = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert gateway.stdout is not None and gateway.stderr is not None
    listening = json.loads(gateway.stdout.readline())
    command = [sys.executable, "-m", "daskml_dist.serve.agent_process", "--admin", listening["admin"]]
    command += ["--name", "elsewhere", "--host", ELSEWHERE, "--folder", str(tmp_path / "node")]
    command += ["--authority", listening["authority"]] if "authority" in listening else []
    agent = subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env=os.environ | {TOKEN: listening["agent_token"]}
    )
    return gateway, agent, gateway.stdout.readline() or gateway.stderr.read()


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, versions: Path) -> Iterator[Gateway]:
    tmp_path = tmp_path_factory.mktemp("elsewhere")
    gateway, agent, said = start(tmp_path, versions / "1", "--tls")
    yield Gateway(gateway, agent, json.loads(said), tmp_path / "gateway", tmp_path / "node")
    for process in (gateway, agent):
        end(process)
    assert gateway.stderr is not None
    gateway.stderr.close()


@needs_elsewhere
def test_requests_come_through(served: Gateway, versions: Path) -> None:
    assert served.ask().json()["outputs"][0]["data"] == [15.0]  # 14 and its version
    assert served.address()[0] == ELSEWHERE
    assert served.access().ask("POST", "/roll", {"version": str(versions / "2")})["version"] == "2"
    assert served.ask().json()["outputs"][0]["data"] == [16.0]


@needs_elsewhere
def test_a_replica_that_died_comes_again(served: Gateway) -> None:
    victim = served.access().ask("GET", "/status")["replicas"][0]
    os.kill(victim["pid"], signal.SIGKILL)
    answers = []
    end_ = time.monotonic() + 30
    while time.monotonic() < end_:
        answers.append(served.ask().status_code)
        status = served.access().ask("GET", "/status")["replicas"]
        if [r["state"] for r in status] == ["ready"] * 2 and victim["pid"] not in [r["pid"] for r in status]:
            break
    assert set(answers) == {200}
    assert time.monotonic() < end_


def knocks(address: tuple[str, int], context: ssl.SSLContext | None, name: str = ELSEWHERE) -> bytes:
    """What a replica answers to a client that asks whether it is ready; errors are raised."""
    with socket.create_connection(address, timeout=10) as plain:
        secure = plain if context is None else context.wrap_socket(plain, server_hostname=name)
        with secure:
            secure.sendall(b"GET /v2/health/ready HTTP/1.1\r\nhost: replica\r\n\r\n")
            return secure.recv(1000)


@needs_elsewhere
def test_nobody_else_is_heard(served: Gateway, tmp_path: Path) -> None:
    address, inner = served.address(), Authority(served.folder / "tls" / "nodes")
    assert b"200 OK" in knocks(
        address, inner.client_context("gateway")
    )  # the check itself is none that fails
    try:
        assert b"HTTP" not in knocks(address, None)  # no TLS
    except ConnectionError:
        pass
    with pytest.raises((ssl.SSLError, ConnectionError)):
        assert knocks(address, inner.client_context()) == b""  # no certificate
        raise ConnectionResetError  # closed without an answer
    public = Authority(served.folder / "tls").client_context("gateway")
    with pytest.raises(ssl.SSLCertVerificationError):
        knocks(address, public)  # what clients of the public port trust is not what nodes show
    public.load_verify_locations(inner.certificate)
    with pytest.raises((ssl.SSLError, ConnectionError)):
        assert knocks(address, public) == b""  # a certificate of another authority
        raise ConnectionResetError
    with pytest.raises(ssl.SSLCertVerificationError, match="IP address mismatch"):
        knocks(address, inner.client_context("gateway"), "127.0.0.3")


@needs_elsewhere
def test_keys_stay_where_they_were_made(served: Gateway) -> None:
    [key] = served.node.rglob("*.key")
    assert key.stat().st_mode & 0o777 == 0o600
    line = key.read_bytes().splitlines()[1]
    seen = [p for p in served.folder.rglob("*") if p.is_file()]
    assert len(seen) > 5 and not [p for p in seen if line in p.read_bytes()]
    audit = (served.folder / "audit.jsonl").read_text()
    assert '"certificate"' in audit and "BEGIN" not in audit  # who asked, and not the file


@needs_elsewhere
def test_without_tls_no_replica_is_asked_elsewhere(tmp_path: Path, versions: Path) -> None:
    gateway, agent, said = start(tmp_path, versions / "1")
    try:
        assert f"replicas on {ELSEWHERE} would be asked without TLS" in said and "--tls" in said
        assert gateway.wait(30) == 2
    finally:
        end(gateway)
        end(agent)
        assert gateway.stderr is not None
        gateway.stderr.close()


@needs_elsewhere
def test_a_gateway_that_comes_again_is_found_by_its_agents(tmp_path: Path, versions: Path) -> None:
    gateway, agent, said = start(tmp_path, versions / "1", "--tls")
    served = Gateway(gateway, agent, json.loads(said), tmp_path / "gateway", tmp_path / "node")
    before = served.address()
    gateway.kill()
    gateway.wait(10)
    again, told = start_gateway(
        tmp_path / "gateway", str(versions / "1"), "--no-local", "--agents", "1", "--guard", "0.1", "--tls"
    )
    assert told["admin"] == json.loads(said)["admin"]
    second = Gateway(again, agent, {**json.loads(said), **told}, tmp_path / "gateway", tmp_path / "node")
    assert second.ask().status_code == 200
    assert second.address() == before and agent.poll() is None
    for process in (again, agent, gateway):
        end(process)
    assert gateway.stderr is not None
    gateway.stderr.close()


def test_a_gateway_that_comes_again_keeps_its_authority(tmp_path: Path) -> None:
    first = Nodes({}, tmp_path, plain=False)
    before = (tmp_path / "ca.pem").read_bytes()
    second = Nodes({}, tmp_path, plain=False)
    assert (tmp_path / "ca.pem").read_bytes() == before
    assert first.launch == second.launch == {"tls": True}


def test_who_may_be_a_node(tmp_path: Path) -> None:
    plain, secure = Nodes({}, None, plain=False), Nodes({}, tmp_path, plain=False)
    for host in ("127.0.0.1", "::1", "localhost"):
        plain.check(host)
    for host in (ELSEWHERE, "10.0.0.7", "node.example", "::2", ""):
        with pytest.raises(Refused, match="without TLS") as refused:
            plain.check(host)
        assert refused.value.status == 403
        secure.check(host)
        Nodes({}, None, plain=True).check(host)
    for nodes, host, status in ((plain, "10.0.0.7", 409), (secure, "10.0.0.7", 422), (secure, "a b", 422)):
        with pytest.raises(Refused) as refused:
            nodes.certify(host, "no request")
        assert refused.value.status == status


class Signs:
    """The admin port, without a wire."""

    def __init__(self, nodes: Nodes) -> None:
        self.nodes, self.asked = nodes, 0

    def ask(self, method: str, path: str, body: Any = None, timeout: float = 300.0) -> dict[str, Any]:
        assert (method, path) == ("POST", "/certificate")
        self.asked += 1
        return {**self.nodes.certify(body["host"], body["request"])}


def test_a_certificate_is_renewed_before_it_expires(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    access = Signs(Nodes({}, tmp_path / "gateway", plain=False))
    certificate = NodeCertificate(access, "10.0.0.7", tmp_path / "node")
    for _ in range(3):
        certificate.renew()
    assert access.asked == 1
    pem = (tmp_path / "node" / f"{NAME}.pem").read_bytes()
    expires = load_pem_x509_certificate(pem).not_valid_after_utc
    assert timedelta(days=364) < expires - datetime.now(UTC) < timedelta(days=366)
    monkeypatch.setattr("daskml_dist.serve.node_certificates._RENEWED", timedelta(days=367))
    certificate.renew()
    assert access.asked == 2
    assert (tmp_path / "node" / f"{NAME}.pem").read_bytes() != pem
    assert certificate.arguments() == ["--tls", str(tmp_path / "node")]
