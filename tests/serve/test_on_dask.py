"""Replicas on the nodes of a Dask cluster outlive its workers, nannies and scheduler."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from distributed import Client

from benchmarks.http_load import Load
from daskml_dist import serve
from tests.serve.conftest import BODY


@pytest.fixture
def scheduler(tmp_path: Path) -> Iterator[tuple[str, list[subprocess.Popen[bytes]]]]:
    """A scheduler and two workers with nannies, in processes of their own so that each can be killed."""
    file = tmp_path / "scheduler.json"
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": tmp_path}
    python = [sys.executable, "-m", "distributed.cli.dask_scheduler", "--port", "0", "--no-dashboard"]
    command = [*python, "--host", "127.0.0.1", "--scheduler-file", str(file)]
    processes = [subprocess.Popen(command, **quiet)]  # type: ignore[call-overload]
    worker = [
        sys.executable,
        "-m",
        "distributed.cli.dask_worker",
        "--scheduler-file",
        str(file),
        "--no-dashboard",
    ]
    worker += ["--nthreads", "1", "--host", "127.0.0.1"]
    processes += [subprocess.Popen(worker, **quiet) for _ in range(2)]  # type: ignore[call-overload]
    yield str(file), processes
    for process in processes:
        family = psutil.Process(process.pid).children(recursive=True) if process.poll() is None else []
        process.kill()
        process.wait(10)
        for child in family:
            if told(child):
                child.kill()


@pytest.mark.serving
@pytest.mark.timeout(3600)
def test_a_cluster_may_die(
    scheduler: tuple[str, list[subprocess.Popen[bytes]]],
    versions: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DASKML_DIST_SERVE", str(tmp_path / "serve"))
    file, processes = scheduler
    with Client(scheduler_file=file, timeout="60s") as client:
        client.wait_for_workers(2, timeout=60)
        deployment = serve.deploy(str(versions / "1"), replicas=2, on=client)
        try:
            check(deployment, processes, client, versions)
        finally:
            deployment.stop()
    end = time.monotonic() + 20
    orphans = 2  # those of the agent that was killed at most; they end with their lease
    while len(left := running(versions)) > orphans and time.monotonic() < end:
        time.sleep(0.1)
    assert len(left) <= orphans
    for process in left:
        process.kill()


def check(
    deployment: serve.Deployment, processes: list[subprocess.Popen[bytes]], client: Client, versions: Path
) -> None:
    status = deployment.status()
    assert len(status["agents"]) == 2
    assert {replica["agent"] for replica in status["replicas"]} == {a["name"] for a in status["agents"]}
    load = Load(f"{deployment.url}/v2/models/toy/infer", BODY, token=deployment.token, connections=4).start()
    victim = next(iter(client.run(os.getpid).values()))
    os.kill(victim, signal.SIGKILL)  # a worker
    time.sleep(0.5)
    processes[1].kill()  # a nanny
    time.sleep(0.5)
    processes[0].kill()  # the scheduler
    time.sleep(2.0)
    assert {replica["state"] for replica in deployment.status()["replicas"]} == {"ready"}
    os.kill(deployment.status()["replicas"][0]["pid"], signal.SIGKILL)
    assert deployment.roll(str(versions / "2")) == "2"
    name = deployment.status()["agents"][0]["name"]
    next(p for p in psutil.process_iter() if name in told(p)).kill()
    time.sleep(1.0)
    assert deployment.roll(str(versions / "3")) == "3"
    while len(load.report.answers) < 200_000:
        time.sleep(0.1)
    report = load.stop()
    print(report.summary())
    assert report.summary()["failed"] == 0, report.summary()
    assert report.versions.keys() == {"1", "2", "3"}


def told(process: psutil.Process) -> list[str]:
    """The command line; empty where there is none."""
    try:
        return [] if process.status() == psutil.STATUS_ZOMBIE else process.cmdline()
    except psutil.Error:
        return []


def running(versions: Path) -> list[psutil.Process]:
    """Replicas of this test's models, and agents."""
    marks = (str(versions), "daskml_dist.serve.agent_process")
    return [p for p in psutil.process_iter() if any(mark in " ".join(told(p)) for mark in marks)]
