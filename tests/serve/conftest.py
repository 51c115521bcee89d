"""Servers for the tests, each a process of its own that is gone afterwards."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

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
