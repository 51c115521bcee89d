"""No request fails while replicas die and freeze, versions roll, and canaries come and go.

Each scenario is run short in `make test`, and with 200,000 requests in `make serving`.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import psutil
import pytest

from benchmarks.http_load import Load, Report
from tests.serve import model_directories
from tests.serve.conftest import Deployment, end, start_gateway

FULL = pytest.param(200_000, marks=[pytest.mark.serving, pytest.mark.timeout(3600)], id="full")
MANY = 10
"""Times that trouble is made at least under 200,000 requests."""
SCALE = pytest.mark.parametrize("requests", [pytest.param(500, id="short"), FULL])


def under_load(
    deployment: Deployment, requests: int, trouble: Callable[[int], None], **settings: object
) -> Report:
    """Answers while trouble is made: once where few requests are asked for, else again and again."""
    short = requests < 10_000
    load = deployment.load(connections=8, pause=0.02 if short else 0.0).start()
    turns = 0
    while turns < (1 if short else MANY) or (not short and len(load.report.answers) < requests):
        trouble(turns)
        turns += 1
    while len(load.report.answers) < requests:
        time.sleep(0.1)
    print(f"{turns} times")
    return load.stop()


def none_failed(report: Report) -> None:
    summary = report.summary()
    print(summary)
    assert summary["failed"] == 0, (summary, report.failed[:5])


def test_the_load_notices_failures(deployment: Deployment) -> None:
    load = Load(deployment.infer.replace("infer", "nothing"), b"@id@", token=deployment.token, requests=10)
    assert len(load.start().wait().failed) == 10
    load = Load("http://127.0.0.1:9/v2", b"@id@", connections=1).start()
    time.sleep(0.3)
    assert load.stop().failed


@SCALE
def test_rolling_updates(deployment: Deployment, requests: int) -> None:
    seen = []

    def trouble(turn: int) -> None:
        version = 2 + turn % 5
        assert deployment.roll(version) == {"version": str(version)}
        seen.append(str(version))
        time.sleep(0.2)

    report = under_load(deployment, requests, trouble)
    none_failed(report)
    assert set(seen) <= set(report.versions)
    assert deployment.status()["versions"].keys() == {seen[-1]}


@SCALE
def test_killed_replicas(deployment: Deployment, requests: int) -> None:
    back = []

    def trouble(turn: int) -> None:
        victim = deployment.replicas()[turn % 2]
        os.kill(victim["pid"], signal.SIGKILL)
        began = time.monotonic()
        while victim["pid"] in {replica["pid"] for replica in deployment.replicas()}:
            time.sleep(0.02)
        deployment.until(2)
        back.append(time.monotonic() - began)
        if requests > 10_000:
            time.sleep(5.0)  # so that each had time to show that it is good

    none_failed(under_load(deployment, requests, trouble))
    print(f"two are ready again after {median(back):.2f} s, at most {max(back):.2f} s")
    assert sum(replica["restarts"] for replica in deployment.replicas()) >= 1


@SCALE
def test_frozen_replicas(deployment: Deployment, requests: int) -> None:
    def trouble(turn: int) -> None:
        victim = deployment.replicas()[turn % 2]
        os.kill(victim["pid"], signal.SIGSTOP)
        time.sleep(5.0 if requests > 10_000 else 2.0)
        os.kill(victim["pid"], signal.SIGCONT)
        deployment.until(2)

    report = under_load(deployment, requests, trouble)
    none_failed(report)
    assert max(answer[4] for answer in report.answers) < 9.0


@SCALE
def test_canaries_and_roll_back(deployment: Deployment, requests: int) -> None:
    def trouble(turn: int) -> None:
        old, new = str(1 + turn % 2), str(2 - turn % 2)
        for percent in (1, 50, 100):
            path = str(deployment.models / new)
            response = deployment.admin("POST", "/canary", version=path, percent=percent)
            assert response.status_code == 200, response.text
            time.sleep(0.3)
        assert deployment.status()["current"] == new
        assert deployment.admin("POST", "/rollback").json() == {"version": old}
        deployment.roll(int(new))

    none_failed(under_load(deployment, requests, trouble))


@SCALE
def test_a_bad_version_is_not_served(deployment: Deployment, requests: int, tmp_path: Path) -> None:
    slow = 0

    def trouble(turn: int) -> None:
        nonlocal slow
        deployment.roll(9, expect=404)
        spoilt = model_directories.regression(tmp_path / f"spoilt{turn}", version=10 + turn)
        response = deployment.admin("POST", "/canary", version=str(spoilt), percent=0)  # it is known by now
        assert response.status_code == 200
        (spoilt / "weights.safetensors").write_bytes(b"spoilt")
        slow += 1
        response = deployment.admin("POST", "/roll", version=f"toy/{10 + turn}")
        assert response.status_code == 409, response.text

    report = under_load(deployment, requests, trouble)
    none_failed(report)
    assert report.versions.keys() == {"1"}
    failed = deployment.status()["versions"]["10"]["failed"]
    assert "damaged" in failed
    assert len(deployment.replicas()) == 2


def test_a_killed_gateway_takes_its_replicas_over(tmp_path: Path, versions: Path) -> None:
    folder = tmp_path / "deployment"
    process, told = start_gateway(folder, str(versions / "1"))
    first = Deployment(process, told, folder, told["token"], versions)
    before = {replica["pid"] for replica in first.replicas()}
    process.kill()
    process.wait(10)
    again, said = start_gateway(folder, str(versions / "1"))
    second = Deployment(again, said, folder, told["token"], versions)
    second.until(2)
    assert said["url"] == told["url"]
    assert "token" not in said
    assert {replica["pid"] for replica in second.replicas()} == before
    none_failed(second.load(requests=50).start().wait())
    third, nothing = start_gateway(folder, str(versions / "1"))
    assert (third.wait(30), nothing) == (2, {})
    for running in (again, process, third):
        end(running)
    assert not [pid for pid in before if alive(pid)]


def alive(pid: int) -> bool:
    """Whether it runs; where nobody waits for orphans they stay as zombies."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
