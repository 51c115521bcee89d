"""What the library uses of distributed without a promise: named here, so that a change is noticed here."""

from __future__ import annotations

import ast
import inspect
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from distributed import Client, LocalCluster
from distributed.scheduler import Scheduler, TaskState

from daskml_dist.cluster import scheduler_internals
from daskml_dist.cluster.scheduler_internals import (
    adaptive_of,
    drop_copies,
    drop_worker,
    forgive,
    reconnect_for,
)
from tests.cluster.nemesis import own_cluster, until, whole_client

#: every attribute of the scheduler and of its tasks that the library touches
USED = {
    "tasks",
    "tasks.get",
    "suspicious",
    "remove_worker",
    "exception_blame",
    "exception_blame.key",
    "key",
    "who_has",
    "request_remove_replicas",
    "workers",
}


@pytest.fixture(scope="module")
def cluster() -> Iterator[LocalCluster]:
    """A cluster of this file's own, since its workers are killed."""
    with own_cluster() as running:
        yield running


@pytest.fixture
def client(cluster: LocalCluster) -> Iterator[Client]:
    with whole_client(cluster) as connected:
        yield connected


def suspicious(client: Client, key: str) -> int | None:
    def look(dask_scheduler: Any, key: str) -> int | None:
        task = dask_scheduler.tasks.get(key)
        return None if task is None else int(task.suspicious)

    found: int | None = client.run_on_scheduler(look, key=key)
    return found


def dies_once(flag: str) -> str:
    """The first time, kill the worker that runs this."""
    if not Path(flag).exists():
        Path(flag).touch()
        os._exit(1)
    return "survived"


def test_all_that_is_used_is_named_here() -> None:
    used = set()
    for node in ast.walk(ast.parse(inspect.getsource(scheduler_internals))):
        if isinstance(node, ast.Attribute):
            whole = ast.unparse(node)
            if whole.startswith(("dask_scheduler.", "task.")):
                used.add(whole.partition(".")[2])
    assert used == USED


def test_distributed_still_has_them() -> None:
    assert {"suspicious", "exception_blame", "key", "who_has"} <= set(TaskState.__slots__)
    assert not inspect.iscoroutinefunction(Scheduler.request_remove_replicas), "it counts copies at once"
    assert {"addr", "keys", "stimulus_id"} <= set(
        inspect.signature(Scheduler.request_remove_replicas).parameters
    )
    assert inspect.iscoroutinefunction(Scheduler.remove_worker)
    assert {"address", "stimulus_id", "expected"} <= set(
        inspect.signature(Scheduler.remove_worker).parameters
    )


def test_a_client_still_has_them(client: Client, cluster: LocalCluster) -> None:
    """How long it looks for a scheduler that went away, and what scales its cluster."""
    assert "timeout = self._timeout" in inspect.getsource(Client._reconnect)
    before = reconnect_for(client, 77.0)
    assert reconnect_for(client, before) == 77.0
    assert adaptive_of(client) is None
    adaptive = cluster.adapt(minimum=2, maximum=2, interval="1h")
    assert adaptive_of(client) is adaptive
    assert until(lambda: adaptive.state == "running")
    adaptive.stop()
    assert adaptive_of(client) is None


def test_a_task_that_saw_a_worker_die_is_suspicious_until_it_is_forgiven(
    client: Client, tmp_path: Path
) -> None:
    future = client.submit(dies_once, str(tmp_path / "died"), key="dies-once", pure=False)
    assert future.result(timeout=120) == "survived"
    assert suspicious(client, "dies-once") == 1, "distributed counts for life; if not, forgive() is needless"
    forgive(client, ["dies-once", "nobody has ever heard of this"])
    assert suspicious(client, "dies-once") == 0
    assert suspicious(client, "nobody has ever heard of this") is None


def test_a_dropped_worker_is_gone_and_its_work_is_done_elsewhere(client: Client) -> None:
    first, *_ = client.scheduler_info(n_workers=-1)["workers"]
    future = client.submit(sum, [1, 2], key="held", workers=[first], allow_other_workers=True, pure=False)
    assert future.result(timeout=120) == 3
    before = suspicious(client, "held")
    drop_worker(client, first)
    assert first not in client.scheduler_info(n_workers=-1)["workers"]
    assert until(lambda: future.status == "finished")
    assert future.result(timeout=120) == 3
    assert suspicious(client, "held") == before, "a worker dropped on purpose is held against nobody"


def test_dropping_a_stranger_does_nothing(client: Client) -> None:
    before = set(client.scheduler_info(n_workers=-1)["workers"])
    drop_worker(client, "tcp://127.0.0.1:9")  # nobody listens there
    assert set(client.scheduler_info(n_workers=-1)["workers"]) >= before


def test_the_copy_that_is_meant_is_dropped_and_never_the_last(client: Client) -> None:
    first, second, *_ = client.scheduler_info(n_workers=-1)["workers"]
    held = client.scatter({"kept-twice": 7}, workers=[first])["kept-twice"]
    client.submit(abs, held, workers=[second], pure=False).result(timeout=120)
    assert set(client.who_has([held])["kept-twice"]) == {first, second}
    for _ in range(2):
        drop_copies(client, {first: ["kept-twice", "nobody has ever heard of this"], "tcp://127.0.0.1:9": []})
        assert client.who_has([held])["kept-twice"] == (second,)
    drop_copies(client, {second: ["kept-twice"]})
    assert client.who_has([held])["kept-twice"] == (second,)
    assert held.result(timeout=120) == 7
