"""Work moves from slow workers, to new ones and from those that leave; the bits never change."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from distributed import Client, LocalCluster, wait

from daskml_dist.partition import BALANCED
from tests.cluster import slowness
from tests.cluster.nemesis import at_question, bits, own_cluster, seeded, train, until

pytestmark = pytest.mark.timeout(600)

WORKERS = 4
ROWS, CHUNK = 32_000, 1_000


@pytest.fixture(scope="module")
def cluster() -> Iterator[LocalCluster]:
    """A cluster of this file's own, of workers that are slowed down, added and retired."""
    with own_cluster(WORKERS, memory_limit="600MiB") as running:
        yield running


@pytest.fixture
def client(cluster: LocalCluster) -> Iterator[Client]:
    with Client(cluster) as connected:
        cluster.scale(WORKERS)
        assert until(lambda: len(workers(connected)) == WORKERS, 200)
        yield connected
        connected.run(slowness.restore)


@pytest.fixture(scope="module")
def expected() -> tuple[bytes, bytes, int]:
    X, labels, _ = seeded(ROWS, CHUNK)
    return bits(train("threads", X, labels))


def workers(client: Client) -> list[str]:
    return sorted(client.scheduler_info(n_workers=-1)["workers"])


def held(client: Client) -> tuple[Any, Any]:
    """Data in the memory of the workers."""
    X, labels, _ = seeded(ROWS, CHUNK)
    X, labels = client.persist([X, labels])
    wait([X, labels], timeout=200)
    return X, labels


def test_a_slow_worker_is_relieved_once(
    client: Client, expected: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After one re-plan the busy times are balanced; blocks are where they are used, and nowhere else."""
    X, labels = held(client)
    slowest = workers(client)[0]
    slowness.slow_down(client, {slowest: 4.0})
    hands = at_question(0, lambda: None, monkeypatch)
    found = train(client, X, labels)
    assert bits(found) == expected
    print(*found.decisions, sep="\n")
    assert found.decisions and {d["kind"] for d in found.decisions} == {"slow"}
    assert {d["source"] for d in found.decisions} == {slowest}
    assert len({d["sweeps"] for d in found.decisions}) == 1, "one re-plan is enough"
    assert hands[0].planner.pace.imbalance <= BALANCED
    expected_gain = sum(d["expected_gain"] for d in found.decisions)
    assert sum(d["measured_gain"] for d in found.decisions) == pytest.approx(expected_gain, rel=0.02)
    moved = {chunk for d in found.decisions for chunk in d["chunks"]}
    places = client.who_has(X)
    assert {len(where) for where in places.values()} == {1}
    assert all(slowest not in where for key, where in places.items() if key[1] in moved)
