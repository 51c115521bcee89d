"""What a request costs: a replica and a gateway beside a bare uvicorn application, in the same run."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import psutil

from benchmarks.http_load import Load
from benchmarks.options import Options
from benchmarks.table import Table
from daskml_dist.linear_model import LinearRegression
from daskml_dist.registry import Registry
from daskml_dist.serve.replica import TOKEN

FEATURES = 30
SECRET = "benchmark"
COLUMNS = ("server", "requests/s", "of bare", "CPU, us a request", "p50, ms", "p99, ms", "failed")


def run(options: Options) -> list[Table]:
    """Rounds over the servers; medians, and ratios within each round."""
    requests, rounds = options.pick((20_000, 7), (4000, 5), (100, 1))
    X = np.random.default_rng(0).normal(size=(1000, FEATURES))
    store = Registry(options.folder / "registry")
    store.register(LinearRegression().fit(X, X @ np.arange(FEATURES)), "toy", data=X)
    title = f"1 row of {FEATURES} numbers in JSON, 32 connections, {requests:,} requests a round"
    table = Table(title, COLUMNS)
    with _servers(Path(store.local("toy/1")), options.folder) as servers:
        seen: dict[str, list[dict[str, float]]] = {name: [] for name in servers}
        for turn in range(rounds):
            for name, (url, token, pid) in servers.items():
                options.say(f"serving: round {turn + 1} of {rounds}, {name}")
                seen[name].append(_measured(url, token, pid, requests))
    bare = [one["rate"] for one in seen["bare uvicorn"]]
    for name, told in seen.items():
        rate = [one["rate"] for one in told]
        ratio = median(mine / base for mine, base in zip(rate, bare, strict=True))
        row = [median(one[key] for one in told) for key in ("cpu", "p50", "p99")]
        table.add(name, round(median(rate)), ratio, *row, int(sum(one["failed"] for one in told)))
    table.notes.append(
        "The replica checks a token, counts metrics and drift. The gateway stands before two replicas; its "
        "CPU is its own. Client and servers share the machine's cores: trust ratios and CPU, not rates."
    )
    return [table]


def _body() -> bytes:
    numbers = [round(0.1 * j, 3) for j in range(FEATURES)]
    tensor = {"name": "x", "shape": [1, FEATURES], "datatype": "FP64", "data": numbers}
    return json.dumps({"id": "@id@", "inputs": [tensor]}).encode()


def _measured(url: str, token: str, pid: int, requests: int) -> dict[str, float]:
    process = psutil.Process(pid)
    before = sum(process.cpu_times()[:2])
    where = f"{url}/v2/models/toy/infer"
    report = Load(where, _body(), token=token, connections=32, requests=requests).start().wait()
    spent = sum(process.cpu_times()[:2]) - before
    told = report.summary()
    return {
        "rate": told["per_second"],
        "cpu": 1e6 * spent / requests,
        "p50": told["p50_ms"],
        "p99": told["p99_ms"],
        "failed": len(report.failed),
    }


@contextmanager
def _servers(model: Path, folder: Path) -> Iterator[dict[str, tuple[str, str, int]]]:
    """URL, token and process id of each server."""
    port = _free_port()
    bare = _spawn("benchmarks.workers.bare_server", str(port))
    replica = _spawn("daskml_dist.serve.replica", "--model", str(model))
    gateway = _spawn(
        "daskml_dist.serve.gateway", str(model), "--json", "--folder", str(folder / "deployment")
    )
    try:
        ready = _line(replica)
        _line(gateway)
        told = _line(gateway)
        _until_open(port)
        yield {
            "bare uvicorn": (f"http://127.0.0.1:{port}", SECRET, bare.pid),
            "replica": (f"http://127.0.0.1:{ready['port']}", SECRET, replica.pid),
            "gateway, 2 replicas": (told["url"], told["token"], gateway.pid),
        }
    finally:
        for process in (bare, replica, gateway):
            process.terminate()
        for process in (bare, replica, gateway):
            process.wait(30)
            if process.stdout is not None:
                process.stdout.close()


def _spawn(module: str, *arguments: str) -> subprocess.Popen[str]:
    environment = os.environ | {TOKEN: SECRET, "OPENBLAS_NUM_THREADS": "1"}
    command = [sys.executable, "-m", module, *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)


def _line(process: subprocess.Popen[str]) -> dict[str, Any]:
    assert process.stdout is not None
    return dict(json.loads(process.stdout.readline()))


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def _until_open(port: int, timeout: float = 30.0) -> None:
    end = time.monotonic() + timeout
    while time.monotonic() < end:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.05)
    raise TimeoutError("the bare server does not listen")
