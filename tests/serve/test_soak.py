"""Long service: half of the load that a deployment can take, and a roll again and again; nothing may grow."""

from __future__ import annotations

import os
import time
from statistics import median

import psutil
import pytest

from tests.serve.conftest import Deployment

MINUTES = int(os.environ.get("SOAK_MINUTES", "30"))
LONG = [pytest.mark.soak, pytest.mark.timeout(120 * MINUTES + 600)]


@pytest.mark.parametrize(
    ("turns", "seconds"),
    [pytest.param(2, 1.0, id="short"), pytest.param(MINUTES, 60.0, marks=LONG, id="long")],
)
def test_nothing_grows(deployment: Deployment, turns: int, seconds: float) -> None:
    """Each turn has clients of its own, and a roll in its middle."""
    gateway = psutil.Process(deployment.process.pid)
    resident, replicas, files, answered = list[float](), list[float](), list[int](), 0
    for turn in range(turns + 1):
        load = deployment.load(connections=8, pause=0.005).start()
        time.sleep(seconds / 2)
        deployment.roll(1 + (turn + 1) % 6)
        time.sleep(seconds / 2)
        report = load.stop()
        assert not report.failed, report.failed[:5]
        answered += len(report.answers)
        running = deployment.replicas()
        assert len(running) == 2
        resident.append(gateway.memory_info().rss / 2**20)
        replicas.append(max(psutil.Process(replica["pid"]).memory_info().rss / 2**20 for replica in running))
        files.append(gateway.num_fds())
    print(f"{answered:,} answers, {turns + 1} rolls, open files {files}")
    sizes = (
        f"{name} {mib[0]:.1f} to {mib[-1]:.1f}"
        for name, mib in (("gateway", resident), ("replicas", replicas))
    )
    print("MiB:", ", ".join(sizes))
    assert max(files[1:]) <= files[1] + 4, files
    if turns >= 10:
        third = turns // 3
        assert median(resident[-third:]) <= 1.05 * median(resident[1 : third + 1]), resident
        assert median(replicas[-third:]) <= 1.05 * median(replicas[:third]), replicas
