"""Workers that come and go on purpose while a fit lasts: the same bits, and nothing is made anew."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from distributed import Client, LocalCluster

from daskml_dist.cluster import Patience
from daskml_dist.cluster.elastic import Crew
from daskml_dist.cluster.scheduler_internals import adaptive_of
from daskml_dist.cluster.supervisor import Supervisor
from tests.cluster.nemesis import (
    PATIENT,
    Counter,
    at_question,
    bits,
    blocks,
    kill,
    own_cluster,
    pids,
    seeded,
    train,
    until,
    whole,
)

pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def cluster() -> Iterator[LocalCluster]:
    with own_cluster(2) as running:
        yield running


@pytest.fixture
def client(cluster: LocalCluster) -> Iterator[Client]:
    """Two workers, also after a test that sent one away."""
    with Client(cluster, set_as_default=False) as connected:
        assert until(lambda: whole(cluster, connected), seconds=200)
        yield connected


@pytest.fixture(scope="module")
def expected() -> tuple[bytes, bytes, int]:
    X, labels, _ = seeded()
    return bits(train("threads", X, labels))


def workers(client: Client) -> list[str]:
    return sorted(client.scheduler_info(n_workers=-1)["workers"])


def count_of(counter: Counter) -> set[int]:
    """How often blocks were made."""
    return set(counter.counts().values())


def test_a_worker_is_retired(
    client: Client, expected: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It hands its blocks over, its shard is put together anew elsewhere, and nobody replaces it."""
    counter = Counter(tmp_path)
    X, labels, _ = seeded()
    leaving = workers(client)[0]
    hands = at_question(5, lambda: client.retire_workers([leaving], close_workers=True), monkeypatch)
    assert bits(train(client, blocks(X, counter.block), labels)) == expected
    assert count_of(counter) == {1}
    repairs = [repair.partition(":")[0] for repair in hands[0].supervisor.repairs]
    assert repairs in ([], ["ShardMoved"])  # the next plan may already do without it
    assert leaving not in workers(client)


@pytest.mark.slow
def test_a_cluster_is_scaled_down_and_up(
    client: Client, cluster: LocalCluster, expected: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A LocalCluster does not ask those who leave to hand over what they hold; it is made anew."""
    X, labels, _ = seeded()

    def down() -> None:
        cluster.scale(1)
        assert until(lambda: len(workers(client)) == 1)

    with monkeypatch.context() as patched:
        at_question(5, down, patched)
        assert bits(train(client, X, labels)) == expected
    assert len(workers(client)) == 1, "nobody fights whoever scales the cluster"
    at_question(5, lambda: whole(cluster, client), monkeypatch)
    assert bits(train(client, X, labels)) == expected


def test_who_is_counted_on(client: Client, cluster: LocalCluster) -> None:
    """The dead are asked for again, and the retired are not."""
    supervisor = Supervisor(client, PATIENT)
    crew = supervisor._crew
    assert crew.expected == 2
    asked: list[int] = []
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(cluster, "scale", asked.append)
        crew.replace_missing(2)
        assert asked == []
        crew.replace_missing(1)  # one died, says whoever looked
        assert (asked, crew.expected) == ([2], 2)
        client.retire_workers(workers(client)[:1], close_workers=True)
        crew.replace_missing(1)
        assert (asked, crew.expected) == ([2], 1)
        crew.replace_missing(0)  # the other one died, and more are asked for by the cluster's own plan
        assert (asked, crew.expected) == ([2, 2], 1)
        crew.expected = 2
        patched.undo()
        cluster.scale(1)
        patched.setattr(cluster, "scale", asked.append)
        crew.replace_missing(1)
        assert (asked, crew.expected) == ([2, 2], 1), "somebody asked for fewer"
    supervisor.dismiss()


def test_a_client_of_an_address_asks_nobody(cluster: LocalCluster) -> None:
    with Client(cluster.scheduler_address, set_as_default=False) as client:
        crew = Crew(client)
        crew.expected = 5
        crew.replace_missing(0)
        assert crew.expected == 5


@pytest.mark.slow
@pytest.mark.parametrize("killed", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_an_adaptive_cluster(
    killed: bool, expected: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may grow while a fit lasts, and does not shrink; a dead worker is its own business."""
    counter = Counter(tmp_path)
    X, labels, _ = seeded()
    with own_cluster(0) as cluster, Client(cluster, set_as_default=False) as client:
        adaptive = cluster.adapt(minimum=0, maximum=2, interval="100ms", wait_count=1)
        assert until(lambda: adaptive.state == "running")
        floors: list[int] = []

        def act() -> None:
            floors.append(adaptive.minimum)
            if killed:
                kill(min(pids(client).values()))

        at_question(5, act, monkeypatch)
        assert bits(train(client, blocks(X, counter.block), labels)) == expected
        assert floors[0] in (1, 2)
        assert killed or count_of(counter) == {1}
        assert adaptive.minimum == 0, "it may do again what it likes"
        cluster._adaptive.stop()
        assert adaptive_of(client) is None


@pytest.mark.slow
def test_two_fits_hold_an_adaptive_cluster(cluster: LocalCluster) -> None:
    with Client(cluster, set_as_default=False) as client:
        adaptive = cluster.adapt(minimum=1, maximum=2, interval="1h")
        try:
            first, second = (Supervisor(client, Patience()) for _ in range(2))
            assert until(lambda: bool(first.workers()))
            assert adaptive.minimum >= 1
            adaptive.minimum = 2
            first.dismiss()
            assert adaptive.minimum == 2, "the other one still needs them"
            second.dismiss()
            second.dismiss()
            assert adaptive.minimum == 1
        finally:
            adaptive.stop()
