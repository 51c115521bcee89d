"""What a request costs: a replica and a gateway beside a bare uvicorn application, in the same run.

And how fast answers are at half of the most that there can be, what JSON costs against bytes, and how soon a
replica is there.
"""

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
CONNECTIONS = 32
COLUMNS = ("server", "requests/s", "of bare", "CPU, us a request", "p50, ms", "p99, ms", "failed")


def run(options: Options) -> list[Table]:
    """All tables, from the same servers."""
    X = np.random.default_rng(0).normal(size=(1000, FEATURES))
    store = Registry(options.folder / "registry")
    store.register(LinearRegression().fit(X, X @ np.arange(FEATURES)), "toy", data=X)
    model = Path(store.local("toy/1"))
    with _servers(model, options.folder) as servers:
        tables = [_at_full_load(servers, options)]
        most = float(str(tables[0].rows[-1][1]))
        tables += [_at_half_load(servers["gateway, 2 replicas"], most, options)]
        tables += [_by_size(servers["replica"], options)]
    return [*tables, _until_ready(model, options)]


Server = tuple[str, str, int]
"""URL, token and process id."""


def _at_full_load(servers: dict[str, Server], options: Options) -> Table:
    """Rounds over the servers; medians, and ratios within each round."""
    requests, rounds = options.pick((20_000, 7), (4000, 5), (100, 1))
    title = f"1 row of {FEATURES} numbers in JSON, {CONNECTIONS} connections, {requests:,} requests a round"
    table = Table(title, COLUMNS)
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
    return table


def _at_half_load(gateway: Server, most: float, options: Options) -> Table:
    """Each connection pauses, so that about half of the most requests come."""
    requests = options.pick(60_000, 10_000, 100)
    url, token, _ = gateway
    options.say("serving: half load")
    load = Load(
        f"{url}/v2/models/toy/infer",
        _body(),
        token=token,
        connections=CONNECTIONS,
        requests=requests,
        pause=2 * CONNECTIONS / most,
    )
    told = load.start().wait().summary()
    columns = ("requests/s", "of the most", "p50, ms", "p99, ms", "p99.9, ms", "failed")
    table = Table(f"Gateway at about half load, {requests:,} requests", columns)
    rate = told["per_second"]
    table.add(rate, rate / most, told["p50_ms"], told["p99_ms"], told["p999_ms"], told["failed"])
    return table


def _by_size(replica: Server, options: Options) -> Table:
    """Rows a second in JSON and as bytes."""
    rounds = options.pick(5, 3, 1)
    columns = ("rows a request", "as", "requests/s", "rows/s", "CPU, us a row", "of JSON")
    table = Table(f"Replica: many rows of {FEATURES} numbers, 4 connections", columns)
    for rows in (100, 1000):
        json_rate = 0.0
        for kind, headers, body in (("JSON", {}, _body(rows)), ("bytes", *_bytes(rows))):
            requests = max(1, options.pick(200_000, 40_000, 1000) // rows)
            options.say(f"serving: {rows} rows as {kind}")
            seen = [
                _measured(*replica, requests, body=body, headers=headers, connections=4)
                for _ in range(rounds)
            ]
            rate, cpu = (median(one[key] for one in seen) for key in ("rate", "cpu"))
            json_rate = json_rate or rate
            table.add(rows, kind, round(rate), round(rate * rows), cpu / rows, rate / json_rate)
    return table


def _until_ready(model: Path, options: Options) -> Table:
    """From the start of the process to its first answer being possible, and what it holds then."""
    table = Table("A replica's start", ("seconds until ready", "resident MB"))
    seen = []
    for turn in range(options.pick(7, 3, 1)):
        options.say(f"serving: start {turn + 1}")
        began = time.perf_counter()
        process = _spawn("daskml_dist.serve.replica", "--model", str(model))
        try:
            _line(process)
            took = time.perf_counter() - began
            seen.append((took, psutil.Process(process.pid).memory_info().rss / 2**20))
        finally:
            _end(process)
    table.add(*(median(values) for values in zip(*seen, strict=True)))
    return table


def _body(rows: int = 1) -> bytes:
    numbers = [round(0.1 * j, 3) for j in range(FEATURES)] * rows
    tensor = {"name": "x", "shape": [rows, FEATURES], "datatype": "FP64", "data": numbers}
    return json.dumps({"id": "@id@", "inputs": [tensor]}).encode()


def _bytes(rows: int) -> tuple[dict[str, str], bytes]:
    """The same as a binary tensor, with bytes as the answer, and the header that it needs."""
    data = np.tile(np.round(0.1 * np.arange(FEATURES), 3), rows).tobytes()
    tensor = {
        "name": "x",
        "shape": [rows, FEATURES],
        "datatype": "FP64",
        "parameters": {"binary_data_size": len(data)},
    }
    told = {"id": "@id@", "inputs": [tensor], "parameters": {"binary_data_output": True}}
    text = json.dumps(told).encode()
    length = len(text) - len("@id@") + 12
    return {"inference-header-content-length": str(length)}, text + data


def _measured(
    url: str,
    token: str,
    pid: int,
    requests: int,
    *,
    body: bytes | None = None,
    headers: dict[str, str] | None = None,
    connections: int = CONNECTIONS,
) -> dict[str, float]:
    process = psutil.Process(pid)
    before = sum(process.cpu_times()[:2])
    where = f"{url}/v2/models/toy/infer"
    load = Load(
        where, body or _body(), token=token, connections=connections, requests=requests, headers=headers
    )
    report = load.start().wait()
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
def _servers(model: Path, folder: Path) -> Iterator[dict[str, Server]]:
    """A bare application, a replica, and a gateway."""
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
            _end(process)


def _spawn(module: str, *arguments: str) -> subprocess.Popen[str]:
    environment = os.environ | {TOKEN: SECRET, "OPENBLAS_NUM_THREADS": "1"}
    command = [sys.executable, "-m", module, *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)


def _end(process: subprocess.Popen[str]) -> None:
    process.terminate()
    process.wait(30)
    if process.stdout is not None:
        process.stdout.close()


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
