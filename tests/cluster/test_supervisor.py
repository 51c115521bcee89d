"""What a fit does when the cluster misbehaves: repair it and go on to the same bits, or say what is wrong."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any
from unittest import mock

import dask
import dask.array as da
import numpy as np
import pytest
from distributed import Client, Future, LocalCluster

from daskml_dist import inputs
from daskml_dist.cluster import OnDask
from daskml_dist.cluster.recipes import recipes
from daskml_dist.cluster.supervisor import Supervisor
from daskml_dist.errors import ChunkUnreadable, ClusterGaveUp
from daskml_dist.linear_model import LogisticRegression
from tests.cluster.nemesis import (
    FEATURES,
    PATIENT,
    Counter,
    at_question,
    bits,
    blocks,
    kill,
    kill_all,
    own_cluster,
    pids,
    seeded,
    train,
    whole_client,
)

pytestmark = pytest.mark.timeout(600)

QUICK = replace(PATIENT, attempts=2)


@pytest.fixture(scope="module")
def cluster() -> Iterator[LocalCluster]:
    """A cluster of this file's own, since its workers are killed; it gives innocent keys up at once."""
    with dask.config.set({"distributed.scheduler.allowed-failures": 1}), own_cluster() as running:
        yield running


@pytest.fixture
def client(cluster: LocalCluster) -> Iterator[Client]:
    with whole_client(cluster) as connected:
        yield connected


@pytest.fixture(scope="module")
def expected() -> tuple[bytes, bytes, int]:
    """What a fit without any trouble finds."""
    X, labels, _ = seeded()
    return bits(train("threads", X, labels))


# ------------------------------------------------------------------------------ it goes on


@pytest.mark.slow
@pytest.mark.parametrize("question", [pytest.param(1, marks=pytest.mark.slow), 4])
def test_all_workers_die_at_once(
    question: int, client: Client, expected: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_question(question, lambda: kill_all(client), monkeypatch)
    X, labels, _ = seeded()
    assert bits(train(client, X, labels)) == expected


def test_no_worker_is_seen_for_a_moment(
    client: Client, expected: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As while all of them restart, or where the scheduler is too busy to say which there are."""
    blind, see, slots = [], Supervisor.workers, OnDask._slots

    def first_unseen(self: OnDask) -> tuple[str, ...]:
        blind.append(True)
        return slots(self)

    def workers(self: Supervisor) -> dict[str, Any]:
        return {} if blind and blind.pop() else see(self)

    monkeypatch.setattr(OnDask, "_slots", first_unseen)
    monkeypatch.setattr(Supervisor, "workers", workers)
    X, labels, _ = seeded()
    assert bits(train(client, X, labels)) == expected


def test_a_worker_is_restarted(client: Client, expected: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def restart() -> None:
        client.restart_workers([min(pids(client))], timeout=30, raise_for_error=False)

    at_question(4, restart, monkeypatch)
    X, labels, _ = seeded()
    assert bits(train(client, X, labels)) == expected


def test_a_worker_that_hangs_is_removed(
    client: Client, expected: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is stopped, not killed: its connections stay, and nobody but its silence tells."""
    stopped: dict[str, int] = {}

    def stop() -> None:
        plan = hands[0].plan
        owner = plan.owners[0]  # one that has something to answer
        stopped[owner] = pids(client)[owner]
        kill(stopped[owner], signal.SIGSTOP)

    hands = at_question(4, stop, monkeypatch)
    X, labels, _ = seeded()
    try:
        found = train(client, X, labels, patience=replace(PATIENT, silent_worker=10.0))
        assert bits(found) == expected
        assert f"removed silent worker {min(stopped)}" in hands[0].supervisor.repairs
    finally:
        for pid in stopped.values():
            kill(pid)


@pytest.mark.timeout(120)
def test_a_worker_that_hangs_when_all_is_done(
    client: Client, expected: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody waits for it any more."""
    pid = min(pids(client).values())
    close = OnDask.close

    def disturbed(self: OnDask) -> None:
        kill(pid, signal.SIGSTOP)
        close(self)

    monkeypatch.setattr(OnDask, "close", disturbed)
    X, labels, _ = seeded()
    try:
        assert bits(train(client, X, labels)) == expected
    finally:
        kill(pid)


def test_a_result_that_cannot_be_fetched_is_asked_for_again(client: Client, expected: Any) -> None:
    X, labels, _ = seeded()
    failed = []

    def once(self: Future, timeout: float | None = None) -> Any:
        if not failed:
            failed.append(self.key)
            raise TimeoutError
        return result(self, timeout=timeout)

    result = Future.result
    with mock.patch.object(Future, "result", once):
        assert bits(train(client, X, labels)) == expected
    assert failed


@pytest.mark.slow
def test_two_clients_fit_at_once(client: Client, cluster: LocalCluster, expected: Any) -> None:
    """On the same data, whose keys are the same."""
    with Client(cluster, set_as_default=False) as other, ThreadPoolExecutor(2) as pool:
        X, labels, _ = seeded()
        found = list(pool.map(lambda which: bits(train(which, X, labels)), [client, other]))
    assert found == [expected, expected]


def test_a_client_need_not_be_the_default_one(cluster: LocalCluster) -> None:
    X, labels, _ = seeded()
    model = LogisticRegression(verbose=0)
    there = model.set_params(scheduler="threads").fit(X, labels).coef_
    with Client(cluster, set_as_default=False) as client:
        here = model.set_params(scheduler=client).fit(X, labels)
        assert here.graph_ is not None
        assert here.coef_.tobytes() == there.tobytes()


@pytest.mark.slow
def test_the_address_of_a_scheduler_will_do(
    client: Client, cluster: LocalCluster, expected: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    known: dict[str, Client] = {}
    monkeypatch.setattr(import_module("daskml_dist.cluster.connect"), "_clients", known)
    X, labels, _ = seeded()
    try:
        found = train(cluster.scheduler_address, X, labels)
        assert found.graph is not None
        assert bits(found) == expected
        assert list(known) == [cluster.scheduler_address]
        assert Client.current() is client, "the default client is still the caller's"
    finally:
        for made in known.values():
            made.close()


# ------------------------------------------------------------------------------ it gives up


def test_a_cluster_that_never_has_a_worker() -> None:
    X, labels, _ = seeded()
    with own_cluster(0) as empty, Client(empty.scheduler_address) as client:
        with pytest.raises(ClusterGaveUp) as told:
            train(client, X, labels, patience=replace(PATIENT, no_workers=1.0))
        assert f"no worker for 1 s. Start workers for {empty.scheduler_address}" in str(told.value)


def test_a_cluster_that_loses_its_workers_for_good(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A client of an address cannot ask for new workers; what was reached is kept."""
    X, labels, _ = seeded()
    with own_cluster(1) as shrinking, Client(shrinking.scheduler_address) as client:
        client.wait_for_workers(1, timeout=120)
        at_question(5, lambda: shrinking.scale(0), monkeypatch)
        with pytest.raises(ClusterGaveUp) as told:
            train(client, X, labels, patience=replace(PATIENT, no_workers=1.0), checkpoint=str(tmp_path))
    assert "no worker for 1 s" in str(told.value)
    assert "go on from it" in str(told.value) and str(tmp_path) in str(told.value)
    monkeypatch.undo()
    assert bits(train("threads", X, labels, checkpoint=str(tmp_path)))[2] > 0


def dies(block: np.ndarray) -> np.ndarray:
    """Take the worker along, as the memory limit does."""
    os._exit(1)


@pytest.mark.slow
def test_a_block_that_always_kills_its_worker(client: Client) -> None:
    X, labels, _ = seeded(4, 2)
    with pytest.raises(ClusterGaveUp, match="in 2 attempts; .*likely cause is memory.*smaller chunks"):
        train(client, blocks(X, dies), labels, patience=QUICK)


def dies_if(flag: Path) -> Callable[[np.ndarray], np.ndarray]:
    def maybe(block: np.ndarray) -> np.ndarray:
        if flag.exists():
            os._exit(1)
        return block

    return maybe


@pytest.mark.slow
def test_what_was_reached_before_is_kept(
    client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Blocks are lost, and making them anew kills the workers from then on."""
    flag, store = tmp_path / "flag", tmp_path / "store"
    X, labels, _ = seeded()
    X = blocks(X, dies_if(flag))

    def poison() -> None:
        flag.touch()
        kill_all(client)

    at_question(5, poison, monkeypatch)
    with pytest.raises(ClusterGaveUp, match=r"The state after \d+ passes is kept in") as told:
        train(client, X, labels, patience=QUICK, checkpoint=str(store))
    assert str(store) in str(told.value)
    assert list(store.iterdir())


def test_an_exception_in_a_block_is_raised_at_once(
    client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is the user's own, and trying again would not help."""
    counter = Counter(tmp_path)

    def breaks(block: np.ndarray) -> np.ndarray:
        counter.count("broken")
        raise ValueError("the sensor is broken")

    X, labels, _ = seeded(4, 4)
    with pytest.raises(ValueError, match="the sensor is broken"):
        train(client, blocks(X, breaks), labels)
    assert counter.counts() == {"broken": 1}


def unreadable(counter: Counter, times: int) -> Callable[[np.ndarray], np.ndarray]:
    """A block whose file cannot be read so many times."""

    def read(block: np.ndarray) -> np.ndarray:
        counter.count("read")
        if counter.counts()["read"] <= times:
            raise OSError(5, "Input/output error")
        return block

    return read


@pytest.mark.parametrize("where", ["threads", "cluster"])
def test_a_read_that_fails_once_is_tried_again(where: str, client: Client, tmp_path: Path) -> None:
    counter = Counter(tmp_path)
    X, labels, _ = seeded(400, 400)
    expected = bits(train("threads", X, labels))
    scheduler = client if where == "cluster" else "threads"
    assert bits(train(scheduler, blocks(X, unreadable(counter, 1)), labels)) == expected
    assert counter.counts() == {"read": 2}


def test_a_read_that_always_fails_says_which(client: Client, tmp_path: Path) -> None:
    counter = Counter(tmp_path)
    X, labels, _ = seeded(400, 400)
    with pytest.raises(ChunkUnreadable, match=r"Chunk 0 of X \(rows 0 to 399\).*fails with OSError"):
        train(client, blocks(X, unreadable(counter, 99)), labels)
    assert counter.counts() == {"read": PATIENT.reads}


def test_a_streamed_chunk_is_read_again(tmp_path: Path) -> None:
    counter = Counter(tmp_path)
    X, labels, _ = seeded(400, 400)
    table = inputs.read(blocks(X, unreadable(counter, 2)), labels)
    [recipe] = recipes(table)
    assert recipe.load(features=True).X.tobytes() == X.compute(scheduler="threads").tobytes()
    assert counter.counts() == {"read": 3}


def test_scattered_data_are_lost_for_good(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """They were in the memory of the workers and nowhere else."""
    X, labels, _ = seeded()
    parts = np.split(X.compute(scheduler="threads"), 4)
    scattered = client.scatter(parts)
    X = da.concatenate([da.from_delayed(part, (5_000, FEATURES), float) for part in scattered])
    at_question(4, lambda: kill_all(client), monkeypatch)
    with pytest.raises(ClusterGaveUp, match="scattered"):
        train(client, X, labels.rechunk(5_000), patience=QUICK)
